"""One recording of the companion's demo, replayed by ``rig replay`` in every role, as it was and spoiled."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from companion.cli import main as companion
from companion.config import DATA_VARIABLE
from rig import cli

STOP, STOPPED = "55aa0600a631020300d5da", "55aa0600a631010300d52a"  # stop output, and its acknowledgement
STARTED = "55aa0600a63101030115eb"
DEVICES = ("dr05", "foreo")
ROLES = ("decoder", "peripheral", "central")
SHORT = ("--cut", "0.11")
"""Leaves out the minutes between the steps, and no pause that a protocol asks for."""

Lines = list[str]


class Session(NamedTuple):
    """What the companion recorded of a whole first-touch session on a simulated device."""

    recording: Path
    transcript: Path
    golden: Path


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """The report as one line: where it is wrapped does not matter."""
        return " ".join(self.out.split())


def rig(*arguments: str | Path) -> Done:
    """The whole command but for the process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Session]:
    """By device."""
    folder = tmp_path_factory.mktemp("sessions")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_VARIABLE, str(folder / "data"))
        for device in DEVICES:
            session = Session(*(folder / f"{device}.{suffix}" for suffix in ("btsnoop", "jsonl", "golden")))
            arguments = ["run", "first-touch", "--demo", device, "--yes", "--speed", "max"]
            with contextlib.redirect_stdout(io.StringIO()):
                assert companion([*arguments, "--record", str(session.recording)]) == 0
            written = rig("transcript", session.recording, session.transcript)
            what = {"dr05": "51 exchanges, Dr-05", "foreo": "13 exchanges, BEAR2"}[device]
            assert written == (0, f"{session.transcript}: {what}\n", "")
            assert rig("replay", session.transcript, "--golden", session.golden, "--update").code == 0
            found[device] = session
    return found


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("device", DEVICES)
def test_a_recorded_session_replays_as_recorded(sessions: dict[str, Session], device: str, role: str) -> None:
    session = sessions[device]
    done = rig("replay", session.recording, "--as", role)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0].startswith(f"passed   {role}")
    assert done.out.splitlines()[-1] == "The replay went as recorded"
    assert f"coverage of {device}: " in done.out
    assert rig("replay", session.transcript, "--as", role) == done  # it is the same conversation, and the same result


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("device", DEVICES)
def test_a_recorded_session_replays_on_the_wall_clock(
    sessions: dict[str, Session], device: str, role: str, tmp_path: Path
) -> None:
    recording = sessions[device].recording
    speed = "100"
    if role == "central":
        # A protocol's own deadlines (the Dr-05's shortest is 0.3 s) pass sooner, too. And nothing makes a device hurry
        # that says of itself how its battery is: where minutes are cut out, it has nothing to say.
        speed = "4"
        lines = sessions[device].transcript.read_text().splitlines()
        recording = tmp_path / "asked.jsonl"
        recording.write_text(
            "\n".join(line for line in lines if '"notification", "to": "fff0/0a00"' not in line) + "\n"
        )
    # What is late is measured, and no failure here: it says more about the machine that runs this than about the rig.
    tolerance = () if role == "decoder" else ("--tolerance", "none")
    done = rig("replay", recording, "--as", role, "--speed", speed, *SHORT, *tolerance)
    assert (done.code, done.err) == (0, "")
    assert "lateness of " in done.out


def test_the_events_of_a_session_are_held_against_its_golden_file(sessions: dict[str, Session]) -> None:
    for session in sessions.values():
        assert rig("replay", session.recording, "--golden", session.golden).code == 0
    done = rig("replay", sessions["dr05"].recording, "--golden", sessions["foreo"].golden)
    assert done.code == 3
    assert "this replay used dr05" in done.words


# --- spoiled ----------------------------------------------------------------------------------------------------------


def place_of(lines: Lines, value: str) -> int:
    return next(place for place, line in enumerate(lines) if f'"value": "{value}"' in line)


def at(line: str) -> float:
    return float(json.loads(line)["at"])


def moved(line: str, to_s: float) -> str:
    before, _, after = line.partition(",")
    assert before.startswith('{"at": ')
    return f'{{"at": {to_s:.6f},{after}'


def with_a_changed_byte(lines: Lines) -> None:
    place = place_of(lines, STOPPED)
    lines[place] = lines[place].replace("0300d52a", "03ffd52a")


def with_a_changed_byte_of_the_app(lines: Lines) -> None:
    place = place_of(lines, STOP)
    lines[place] = lines[place].replace("0300d5da", "03ffd5da")


def without_an_acknowledgement(lines: Lines) -> None:
    del lines[place_of(lines, STOPPED)]


def with_an_acknowledgement_more(lines: Lines) -> None:
    place = place_of(lines, STOPPED)
    lines.insert(place, lines[place])


def with_a_swapped_pair(lines: Lines) -> None:
    for place, value in ((place_of(lines, STARTED), STOPPED), (place_of(lines, STOPPED), STARTED)):
        lines[place] = lines[place].replace(json.loads(lines[place])["value"], value)


def with_a_swapped_pair_of_the_app(lines: Lines) -> None:
    first, second = (place_of(lines, value) for value in ("55aa0600a632020202c05a", "55aa0600a632020203009b"))
    values = [json.loads(lines[place])["value"] for place in (first, second)]
    for place, (mine, other) in ((first, values), (second, values[::-1])):
        lines[place] = lines[place].replace(mine, other)


def with_a_slower_acknowledgement(lines: Lines) -> None:
    place = place_of(lines, STOPPED)
    lines[place] = moved(lines[place], at(lines[place]) + 0.06)


def with_an_extra_write(lines: Lines) -> None:
    place = place_of(lines, STOP)
    lines.insert(place + 2, moved(lines[place], at(lines[place + 1])))


AS_DECODER, AS_CENTRAL = "SPOILED", "SPOILED --as central"
BESIDE_GOLDEN = "SPOILED --golden GOLDEN"
AS_DEVICE, AS_APP = "SPOILED --as peripheral --app ORIGINAL", "ORIGINAL --as peripheral --app SPOILED"


@pytest.mark.parametrize(
    ("spoil", "line", "message"),
    [
        (with_a_changed_byte, AS_DECODER,
         ("different: exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 ff d5 2a: not understood, wrong "
         "checksum in either byte order")),
        (with_a_changed_byte, BESIDE_GOLDEN,
         ("different from exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a (stop output: "
         "acknowledged), recorded at 64.285 s: byte 8 is ff, recorded 00")),
        (with_a_changed_byte_of_the_app, AS_APP,
         ("different from exchange 14, app writes without response ffe0/ffe1: 55 aa 06 00 a6 31 02 03 00 d5 da, "
         "recorded at 64.263 s: byte 8 is ff, recorded 00")),
        (with_a_changed_byte, AS_CENTRAL,
         ("different from exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 ff d5 2a, recorded at "
         "64.285 s: byte 8 is 00, recorded ff")),
        (without_an_acknowledgement, AS_DECODER,
         "missing: no acknowledgement of stop output (exchange 14, at 64.263 s) came in time"),
        (without_an_acknowledgement, BESIDE_GOLDEN,
         ("missing: exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a (stop output: "
         "acknowledged), recorded at 64.285 s")),
        (without_an_acknowledgement, AS_DEVICE,
         ("missing: the app waited for exchange 15 of its recording, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 "
         "03 00 d5 2a: the device did not say it within 30 s")),
        (without_an_acknowledgement, AS_CENTRAL,
         "extra: device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a; the nearest recorded is exchange 48"),
        (with_an_acknowledgement_more, AS_CENTRAL,
         "missing: exchange 16, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a, recorded at 64.285 s"),
        (with_a_swapped_pair, BESIDE_GOLDEN,
         ("different: swapped: exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a, came before "
         "exchange 13, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 01 15 eb; recorded the other way round")),
        (with_a_swapped_pair_of_the_app, AS_APP,
         ("swapped: exchange 22, app writes without response ffe0/ffe1: 55 aa 06 00 a6 32 02 02 03 00 9b, came before "
         "exchange 20, app writes without response ffe0/ffe1: 55 aa 06 00 a6 32 02 02 02 c0 5a; recorded the other way "
         "round")),
        (with_a_swapped_pair, AS_CENTRAL,
         ("different: swapped: exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 01 15 eb, came before "
         "exchange 13, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a; recorded the other way round")),
        (with_a_slower_acknowledgement, BESIDE_GOLDEN,
         ("late by 60.0 ms: exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a (stop output: "
         "acknowledged), recorded at 64.285 s; it took 82.9 ms, recorded 22.9 ms")),
        (with_an_extra_write, BESIDE_GOLDEN,
         ("extra: app writes without response ffe0/ffe1: 55 aa 06 00 a6 31 02 03 00 d5 da (stop output); the nearest "
         "recorded is exchange 14")),
        (with_an_extra_write, AS_APP,
         ("extra: app writes without response ffe0/ffe1: 55 aa 06 00 a6 31 02 03 00 d5 da; the nearest recorded is "
         "exchange 14")),
        (with_an_extra_write, AS_CENTRAL,
         "extra: device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a; the nearest recorded is exchange 15"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)  # fmt: skip
def test_what_was_spoiled_is_named(
    spoil: Callable[[Lines], None],
    line: str,
    message: str,
    sessions: dict[str, Session],
    tmp_path: Path,
) -> None:
    session = sessions["dr05"]
    lines = session.transcript.read_text().splitlines()
    spoil(lines)
    spoiled = tmp_path / "spoiled.jsonl"
    spoiled.write_text("\n".join(lines) + "\n")
    files = {"SPOILED": spoiled, "GOLDEN": session.golden, "ORIGINAL": session.transcript}
    done = rig("replay", *(files.get(word, word) for word in line.split()))
    assert (done.code, done.err) == (1, "")
    assert message in done.words
    assert "the conversation so far" in done.out
    assert done.out.splitlines()[-1] == "1 failed of 1 replay"


def test_a_device_that_acknowledges_60_ms_later_is_late_for_the_app(
    sessions: dict[str, Session], tmp_path: Path
) -> None:
    plan = tmp_path / "slow.toml"
    plan.write_text(
        'format = 1\n[[fault]]\nname = "slow acknowledgement"\nkind = "delay"\ndirection = "to_app"\nnth = 9\n'
        'time = {law = "fixed", seconds = 0.06}\n'
    )
    done = rig("replay", sessions["dr05"].recording, "--as", "central", "--faults", plan)
    assert (done.code, done.err) == (1, "")
    assert "late by 60.0 ms: exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a" in done.words
    assert "it took 82.9 ms, recorded 22.9 ms" in done.words
    assert "fault slow acknowledgement: fired 1 time" in done.words
