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

DEVICES = ("dr05", "foreo", "omp")
ROLES = ("decoder", "peripheral", "central")
SHORT = ("--cut", "0.11")
"""Leaves out the minutes between the steps, and no pause that a protocol asks for."""

Lines = list[str]


class Words(NamedTuple):
    """What is said in a session, as a transcript has it."""

    stop: str
    """The one that ends the output after a minute, not that of the handshake."""
    stopped: str
    """Its acknowledgement."""
    started: str
    rises: tuple[str, str]
    """Two steps upwards, one after the other."""
    changed: tuple[str, str]
    """The acknowledgement and the stop with one byte changed."""
    until_s: float
    """As much of the session has all of that."""


WORDS = {
    "dr05": Words(
        stop="55aa0600a631020300d5da",
        stopped="55aa0600a631010300d52a",
        started="55aa0600a63101030115eb",
        rises=("55aa0600a632020202c05a", "55aa0600a632020203009b"),
        changed=("55aa0600a6310103ffd52a", "55aa0600a6310203ffd5da"),
        until_s=301.0,
    ),
    # Ten measurements a second: a third of it says as much as the whole.
    "omp": Words("07", "800701", "800401", ("022800", "023c00"), ("800706", "05"), until_s=101.05),
}


class Session(NamedTuple):
    """What the companion recorded of a whole first-touch session on a simulated device."""

    recording: Path
    transcript: Path
    golden: Path
    short: Path
    """The beginning of the transcript."""
    short_golden: Path


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


def at(line: str) -> float:
    return float(json.loads(line).get("at", -1.0))


def moved(line: str, to_s: float) -> str:
    before, _, after = line.partition(",")
    assert before.startswith('{"at": ')
    return f'{{"at": {to_s:.6f},{after}'


def beginning(lines: Lines, until_s: float) -> Lines:
    """The first seconds of a transcript, and the end of the link then."""
    found = [line for line in lines if at(line) <= until_s]
    return found if found[-1] == lines[-1] else [*found, moved(lines[-1], until_s)]


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Session]:
    """By device."""
    folder = tmp_path_factory.mktemp("sessions")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DATA_VARIABLE, str(folder / "data"))
        for device in DEVICES:
            suffixes = ("btsnoop", "jsonl", "golden", "short.jsonl", "short.golden")
            session = Session(*(folder / f"{device}.{suffix}" for suffix in suffixes))
            arguments = ["run", "first-touch", "--demo", device, "--yes", "--speed", "max"]
            with contextlib.redirect_stdout(io.StringIO()):
                assert companion([*arguments, "--record", str(session.recording)]) == 0
            written = rig("transcript", session.recording, session.transcript)
            what = {
                "dr05": "51 exchanges, Dr-05",
                "foreo": "13 exchanges, BEAR2",
                "omp": "3,631 exchanges, OMP",
            }[device]
            assert written == (0, f"{session.transcript}: {what}\n", "")
            lines = session.transcript.read_text().splitlines()
            until_s = WORDS[device].until_s if device in WORDS else 301.0
            session.short.write_text("\n".join(beginning(lines, until_s)) + "\n")
            for transcript, golden in ((session.transcript, session.golden), (session.short, session.short_golden)):
                assert rig("replay", transcript, "--golden", golden, "--update").code == 0
            found[device] = session
    return found


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("device", ["dr05", "foreo", pytest.param("omp", marks=pytest.mark.slow)])
def test_a_recorded_session_replays_as_recorded(sessions: dict[str, Session], device: str, role: str) -> None:
    session = sessions[device]
    done = rig("replay", session.recording, "--as", role)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0].startswith(f"passed   {role}")
    assert done.out.splitlines()[-1] == "The replay went as recorded"
    assert f"coverage of {device}: " in done.out
    assert rig("replay", session.transcript, "--as", role) == done  # it is the same conversation, and the same result


@pytest.mark.parametrize("role", ROLES)
def test_the_beginning_of_a_session_replays_as_recorded(sessions: dict[str, Session], role: str) -> None:
    """What the device measures in a replay is not what it measured; what it means is."""
    done = rig("replay", sessions["omp"].short, "--as", role)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1] == "The replay went as recorded"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("device", DEVICES)
def test_a_recorded_session_replays_on_the_wall_clock(
    sessions: dict[str, Session], device: str, role: str, tmp_path: Path
) -> None:
    recording = sessions[device].recording
    speed = "100"
    if device == "omp":
        # A device that measures ten times a second leaves no gap to be cut out.
        recording = tmp_path / "beginning.jsonl"
        until_s = 6.0 if role == "central" else 60.0
        lines = sessions[device].transcript.read_text().splitlines()
        recording.write_text("\n".join(beginning(lines, until_s)) + "\n")
        speed = "4" if role == "central" else speed
    elif role == "central":
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


def place_of(lines: Lines, value: str, words: Words) -> int:
    """Where a value is first said from the start of the output on."""
    started = next(place for place, line in enumerate(lines) if has(line, words.started))
    return next(place for place, line in enumerate(lines) if place >= started and has(line, value))


def has(line: str, value: str) -> bool:
    return f'"value": "{value}"' in line


def with_value(line: str, value: str) -> str:
    return line.replace(f'"value": "{json.loads(line)["value"]}"', f'"value": "{value}"')


def with_a_changed_byte(lines: Lines, words: Words) -> None:
    place = place_of(lines, words.stopped, words)
    lines[place] = with_value(lines[place], words.changed[0])


def with_a_changed_byte_of_the_app(lines: Lines, words: Words) -> None:
    place = place_of(lines, words.stop, words)
    lines[place] = with_value(lines[place], words.changed[1])


def without_an_acknowledgement(lines: Lines, words: Words) -> None:
    del lines[place_of(lines, words.stopped, words)]


def with_an_acknowledgement_more(lines: Lines, words: Words) -> None:
    place = place_of(lines, words.stopped, words)
    lines.insert(place, lines[place])


def with_a_swapped_pair(lines: Lines, words: Words) -> None:
    started, stopped = place_of(lines, words.started, words), place_of(lines, words.stopped, words)
    lines[started] = with_value(lines[started], words.stopped)
    lines[stopped] = with_value(lines[stopped], words.started)


def with_a_swapped_pair_of_the_app(lines: Lines, words: Words) -> None:
    first, second = (place_of(lines, value, words) for value in words.rises)
    lines[first] = with_value(lines[first], words.rises[1])
    lines[second] = with_value(lines[second], words.rises[0])


def with_a_slower_acknowledgement(lines: Lines, words: Words) -> None:
    place = place_of(lines, words.stopped, words)
    slow = at(lines[place])
    while at(lines[place]) == slow and '"by": "device"' in lines[place]:  # what is said behind it is as late
        lines[place] = moved(lines[place], slow + 0.06)
        place += 1


def with_an_extra_write(lines: Lines, words: Words) -> None:
    place = place_of(lines, words.stop, words)
    lines.insert(place + 2, moved(lines[place], at(lines[place + 1])))


AS_DECODER, AS_CENTRAL = "SPOILED", "SPOILED --as central"
BESIDE_GOLDEN = "SPOILED --golden GOLDEN"
DR05, OMP = "dr05", "omp"
CONTROL = "5a3f0001-8c1e-4b6e-9d2a-6f0d1c7a9e42/5a3f0003-8c1e-4b6e-9d2a-6f0d1c7a9e42"
AS_DEVICE, AS_APP = "SPOILED --as peripheral --app ORIGINAL", "ORIGINAL --as peripheral --app SPOILED"


@pytest.mark.parametrize(
    ("device", "spoil", "line", "message"),
    [
        (DR05, with_a_changed_byte, AS_DECODER,
         ("different: exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 ff d5 2a: not understood, wrong "
         "checksum in either byte order")),
        (DR05, with_a_changed_byte, BESIDE_GOLDEN,
         ("different from exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a (stop output: "
         "acknowledged), recorded at 64.285 s: byte 8 is ff, recorded 00")),
        (DR05, with_a_changed_byte_of_the_app, AS_APP,
         ("different from exchange 14, app writes without response ffe0/ffe1: 55 aa 06 00 a6 31 02 03 00 d5 da, "
         "recorded at 64.263 s: byte 8 is ff, recorded 00")),
        (DR05, with_a_changed_byte, AS_CENTRAL,
         ("different from exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 ff d5 2a, recorded at "
         "64.285 s: byte 8 is 00, recorded ff")),
        (DR05, without_an_acknowledgement, AS_DECODER,
         "missing: no acknowledgement of stop output (exchange 14, at 64.263 s) came in time"),
        (DR05, without_an_acknowledgement, BESIDE_GOLDEN,
         ("missing: exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a (stop output: "
         "acknowledged), recorded at 64.285 s")),
        (DR05, without_an_acknowledgement, AS_DEVICE,
         ("missing: the app waited for exchange 15 of its recording, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 "
         "03 00 d5 2a: the device did not say it within 30 s")),
        (DR05, without_an_acknowledgement, AS_CENTRAL,
         "extra: device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a; the nearest recorded is exchange 48"),
        (DR05, with_an_acknowledgement_more, AS_CENTRAL,
         "missing: exchange 16, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a, recorded at 64.285 s"),
        (DR05, with_a_swapped_pair, BESIDE_GOLDEN,
         ("different: swapped: exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a, came before "
         "exchange 13, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 01 15 eb; recorded the other way round")),
        (DR05, with_a_swapped_pair_of_the_app, AS_APP,
         ("swapped: exchange 22, app writes without response ffe0/ffe1: 55 aa 06 00 a6 32 02 02 03 00 9b, came before "
         "exchange 20, app writes without response ffe0/ffe1: 55 aa 06 00 a6 32 02 02 02 c0 5a; recorded the other way "
         "round")),
        (DR05, with_a_swapped_pair, AS_CENTRAL,
         ("different: swapped: exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 01 15 eb, came before "
         "exchange 13, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a; recorded the other way round")),
        (DR05, with_a_slower_acknowledgement, BESIDE_GOLDEN,
         ("late by 60.0 ms: exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a (stop output: "
         "acknowledged), recorded at 64.285 s; it took 82.9 ms, recorded 22.9 ms")),
        (DR05, with_an_extra_write, BESIDE_GOLDEN,
         ("extra: app writes without response ffe0/ffe1: 55 aa 06 00 a6 31 02 03 00 d5 da (stop output); the nearest "
         "recorded is exchange 14")),
        (DR05, with_an_extra_write, AS_APP,
         ("extra: app writes without response ffe0/ffe1: 55 aa 06 00 a6 31 02 03 00 d5 da; the nearest recorded is "
         "exchange 14")),
        (DR05, with_an_extra_write, AS_CENTRAL,
         "extra: device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a; the nearest recorded is exchange 15"),
        (OMP, with_a_changed_byte, AS_DECODER,
         (f"missing: after exchange 865, device indicates {CONTROL}: 80 07 06 (total stop: refused, wrong state; "
          "repeated total stop attempt 2), the protocol would write")),
        (OMP, with_a_changed_byte, BESIDE_GOLDEN,
         (f"different from exchange 865, device indicates {CONTROL}: 80 07 01 (total stop: acknowledged), recorded at "
          "64.000 s: byte 2 is 06, recorded 01")),
        (OMP, with_a_changed_byte_of_the_app, AS_APP,
         (f"different from exchange 864, app writes {CONTROL}: 07, recorded at 64.000 s: byte 0 is 05, recorded 07")),
        (OMP, with_a_changed_byte, AS_CENTRAL,
         (f"different from exchange 865, device indicates {CONTROL}: 80 07 06, recorded at 64.000 s: byte 2 is 01, "
          "recorded 06")),
        (OMP, without_an_acknowledgement, AS_DECODER,
         "missing: no acknowledgement of total stop (exchange 864, at 64.000 s) came in time"),
        (OMP, without_an_acknowledgement, BESIDE_GOLDEN,
         (f"missing: exchange 865, device indicates {CONTROL}: 80 07 01 (total stop: acknowledged), recorded at "
          "64.000 s")),
        (OMP, without_an_acknowledgement, AS_DEVICE,
         (f"missing: the app waited for exchange 865 of its recording, device indicates {CONTROL}: 80 07 01: the "
          "device did not say it within 30 s")),
        (OMP, without_an_acknowledgement, AS_CENTRAL,
         f"64.000 extra: device notifies {CONTROL}: 80 07 01; the nearest recorded is exchange"),
        (OMP, with_an_acknowledgement_more, AS_CENTRAL,
         f"missing: exchange 866, device indicates {CONTROL}: 80 07 01, recorded at 64.000 s"),
        (OMP, with_a_swapped_pair, BESIDE_GOLDEN,
         (f"swapped: exchange 865, device indicates {CONTROL}: 80 07 01, came before exchange 864, app writes "
          f"{CONTROL}: 07; recorded the other way round")),
        (OMP, with_a_swapped_pair_of_the_app, AS_APP,
         (f"swapped: exchange 1233, app writes {CONTROL}: 02 3c 00, came before exchange 1223, app writes {CONTROL}: "
          "02 28 00; recorded the other way round")),
        (OMP, with_a_swapped_pair, AS_CENTRAL,
         (f"different: swapped: exchange 865, device indicates {CONTROL}: 80 04 01, came before exchange 23, device "
          f"indicates {CONTROL}: 80 07 01; recorded the other way round")),
        (OMP, with_a_slower_acknowledgement, BESIDE_GOLDEN,
         (f"late by 60.0 ms: exchange 865, device indicates {CONTROL}: 80 07 01 (total stop: acknowledged), recorded "
          "at 64.000 s; it took 60.0 ms, recorded 0.0 ms")),
        (OMP, with_an_extra_write, BESIDE_GOLDEN,
         f"extra: app writes {CONTROL}: 07 (total stop); the nearest recorded is exchange 864"),
        (OMP, with_an_extra_write, AS_APP,
         f"extra: app writes {CONTROL}: 07; the nearest recorded is exchange 864"),
        (OMP, with_an_extra_write, AS_CENTRAL,
         f"64.000 extra: device notifies {CONTROL}: 80 07 01; the nearest recorded is exchange"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)  # fmt: skip
def test_what_was_spoiled_is_named(
    device: str,
    spoil: Callable[[Lines, Words], None],
    line: str,
    message: str,
    *,
    sessions: dict[str, Session],
    tmp_path: Path,
) -> None:
    session = sessions[device]
    lines = session.short.read_text().splitlines()
    spoil(lines, WORDS[device])
    spoiled = tmp_path / "spoiled.jsonl"
    spoiled.write_text("\n".join(lines) + "\n")
    files = {"SPOILED": spoiled, "GOLDEN": session.short_golden, "ORIGINAL": session.short}
    done = rig("replay", *(files.get(word, word) for word in line.split()))
    assert (done.code, done.err) == (1, "")
    assert message in done.words
    assert "the conversation so far" in done.out
    assert done.out.splitlines()[-1] == "1 failed of 1 replay"


@pytest.mark.parametrize(
    ("device", "faulty", "messages"),
    [
        (DR05, "nth = 9",
         ("late by 60.0 ms: exchange 15, device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a",
          "it took 82.9 ms, recorded 22.9 ms")),
        # Three answers are of the guard's handshake, six of the recorded one and the start, 120 of keep-alives.
        (OMP, f'characteristic = "{CONTROL[37:]}"\nnth = 130',
         (f"late by 60.0 ms: exchange 865, device indicates {CONTROL}: 80 07 01", "it took 60.0 ms, recorded 0.0 ms")),
    ],
    ids=["dr05", "omp"],
)  # fmt: skip
def test_a_device_that_acknowledges_60_ms_later_is_late_for_the_app(
    device: str, faulty: str, messages: tuple[str, ...], sessions: dict[str, Session], tmp_path: Path
) -> None:
    plan = tmp_path / "slow.toml"
    plan.write_text(
        f'format = 1\n[[fault]]\nname = "slow acknowledgement"\nkind = "delay"\ndirection = "to_app"\n{faulty}\n'
        'time = {law = "fixed", seconds = 0.06}\n'
    )
    done = rig("replay", sessions[device].short, "--as", "central", "--faults", plan)
    assert (done.code, done.err) == (1, "")
    for message in messages:
        assert message in done.words
    assert "fault slow acknowledgement: fired 1 time" in done.words
