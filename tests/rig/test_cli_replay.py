"""``rig replay`` and ``rig transcript``: what they print, how they end, and one line for every mistake."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from rig import cli
from rig.capture import progress
from rig.commands import replay_live
from rig.devices.dr05 import SimulatedDr05
from rig.replay.exchanges import Exchange, Transcript
from rig.replay.from_capture import from_capture
from rig.replay.outcome import Verdict
from rig.replay.transcript import dumps, load, save
from rig.report.files import read_report
from rig.timing.baseline import save as save_baseline
from rig.timing.measure import samples_of
from tests.rig.replay.dr05_talk import Talk
from tests.rig.replay.recorded_talk import dr05_session

ROOT = Path(__file__).parents[2]
CAPTURES = ROOT / "tests" / "captures"
BATTERY = CAPTURES / "esphome-jbd-bms__JBD-SP04S034L4S200A-btsnoop_hci.log"
LIGHTS = CAPTURES / "idealLED__set_collection.pcapng.gz"
CANDLE = CAPTURES / "bluetooth-candle-go-talk__btsnoop_hci.log"
UNHEARD = CAPTURES / "crackle__le_secure_connections.pcapng"
RIG = [sys.executable, "-c", "import sys; from rig.cli import main; sys.exit(main())"]

Done = subprocess.CompletedProcess[str]


class Typed(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def rig(*arguments: str | Path) -> Done:
    """The whole command but for the process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main([str(argument) for argument in arguments])
    return Done(arguments, code, out.getvalue(), err.getvalue())


def words(done: Done) -> str:
    """The report as one line: where it is wrapped does not matter."""
    return " ".join(done.stdout.split())


def one_line(done: Done, code: int, *parts: str) -> None:
    assert done.returncode == code, done
    assert done.stderr.startswith("rig: ")
    assert done.stderr.count("\n") == 1
    assert "unexpected" not in done.stderr
    for part in parts:
        assert part in done.stderr


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """An app that starts a Dr-05 and raises its level a little."""
    path = tmp_path / "talk.jsonl"
    save(told(Talk().started().risen(3).hung_up()), path)
    return path


def told(talk: Talk, title: str = "a talk with a Dr-05") -> Transcript:
    """A talk as a capture with its discovery has it."""
    return replace(talk.transcript(title), services=SimulatedDr05().services)


def plan(folder: Path, *, nth: int) -> Path:
    """One fault: an acknowledgement that is lost."""
    path = folder / "plan.toml"
    path.write_text(
        'format = 1\n[[fault]]\nname = "lost acknowledgement"\nkind = "drop"\n'
        f'direction = "to_app"\ncharacteristic = "ffe1"\nnth = {nth}\n'
    )
    return path


# --- the three roles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capture", "options", "title"),
    [
        ("bj_led__btsnoop_hci.full.log", (), "BJ_LED, link 2"),
        ("esphome-jbd-bms__JBD-SP04S034L4S200A-btsnoop_hci.log", (), "Hans Battery, link 4"),
        ("idealLED__set_collection.pcapng.gz", (), "ISP-726329"),
        ("pongbot-mcp__btsnoop_hci.log.last.gz", ("--link", "3"), "link 3"),
        ("BLETools__btsnoop_hci.log", (), "LEDBLE-78634D50, link 3"),
    ],
    ids=["bj-led", "battery", "ideal-led", "pongbot", "bletools"],
)
def test_a_real_capture_replays_complete_as_the_device_to_its_own_app(
    capture: str, options: Sequence[str], title: str, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    done = rig("replay", CAPTURES / capture, "--as", "peripheral", *options, "--skip-unnamed", "--report", report)
    assert (done.returncode, done.stderr) == (0, "")
    link = int(options[1]) if options else None
    recorded = from_capture(CAPTURES / capture, link=link, skip_unnamed=True)
    (outcome,) = read_report(str(report)).outcomes
    assert (outcome.verdict, outcome.differences) == (Verdict.PASSED, [])
    assert title in outcome.title
    assert outcome.exchanges == len(recorded.exchanges) >= 50
    pushed = [one for one in recorded.exchanges if one.by == "device" and one.value is not None]
    assert len(outcome.lateness.samples_ns) >= len(pushed)
    assert abs(outcome.duration_s - recorded.exchanges[-1].at_ns / 1e9) < 0.1
    assert "left over" not in done.stdout


def test_a_real_capture_replays_on_the_wall_clock_much_faster_than_life() -> None:
    options = ("--as", "peripheral", "--speed", "100", "--tolerance", "none")
    done = rig("replay", BATTERY, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert "lateness of " in done.stdout


def test_the_makers_own_total_stop_comes_along_and_is_refused() -> None:
    done = rig("replay", "--as", "central", "example:dr05-makers-total-stop")
    assert (done.returncode, done.stderr) == (1, "")
    assert "refused: checksum byte order; output still on" in words(done)
    assert done.stdout.splitlines()[-1] == "1 failed of 1 replay"


def test_a_recording_comes_out_of_a_pipe_too() -> None:
    done = subprocess.run(
        [*RIG, "replay", "-", "--as", "peripheral"],
        input=BATTERY.read_bytes(),
        capture_output=True,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Hans Battery, link 4, 50 exchanges" in done.stdout


def test_a_random_device_and_radio_follow_from_the_seed(talk: Path) -> None:
    reports = [rig("replay", talk, "--as", "central", "--seed", seed).stdout for seed in ("1", "1", "2")]
    assert reports[0] == reports[1]


def test_long_gaps_are_capped_or_cut(tmp_path: Path) -> None:
    slow = tmp_path / "slow.jsonl"
    session = dr05_session()
    late = tuple(replace(one, at_ns=one.at_ns + 5_000_000_000 * (at > 10)) for at, one in enumerate(session.exchanges))
    save(replace(session, exchanges=late), slow)
    lasted = []
    for options in ((), ("--cap", "1"), ("--cut", "1")):
        report = tmp_path / "report.json"
        assert rig("replay", slow, "--as", "peripheral", *options, "--report", report).returncode == 0
        lasted.append(read_report(str(report)).outcomes[0].duration_s)
    whole, capped, cut = lasted
    assert whole - capped == pytest.approx(4.2, abs=0.25)
    assert whole - cut == pytest.approx(5.2, abs=0.25)


def test_an_app_that_does_several_things_at_once_is_judged_by_characteristic(tmp_path: Path) -> None:
    """Two writes to two characteristics change places: only the whole order minds."""
    recorded = from_capture(BATTERY)
    exchanges = list(recorded.exchanges)
    first, second = next(
        (at, at + 1)
        for at, (one, other) in enumerate(pairwise(exchanges))
        if one.by == other.by == "app" and one.to and other.to and one.to != other.to
    )
    exchanges[first], exchanges[second] = (
        replace(exchanges[second], at_ns=exchanges[first].at_ns),
        replace(exchanges[first], at_ns=exchanges[second].at_ns),
    )
    app = tmp_path / "app.jsonl"
    save(replace(recorded, exchanges=tuple(exchanges)), app)
    options = ("--as", "peripheral", "--app", app, "--tolerance", "none")
    done = rig("replay", BATTERY, *options)
    assert done.returncode == 1
    assert "swapped: " in words(done)
    assert rig("replay", BATTERY, *options, "--order", "by-characteristic").returncode == 0


def test_another_simulated_device_than_the_recorded_one_says_nothing(talk: Path) -> None:
    done = rig("replay", talk, "--as", "central", "--simulate", "foreo")
    assert done.returncode == 3
    assert "the recording speaks dr05 and the device BEAR2 speaks foreo" in words(done)


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_planned_fault_that_never_fires_makes_the_run_say_nothing(talk: Path, tmp_path: Path) -> None:
    for role in ("central", "peripheral"):
        done = rig("replay", talk, "--as", role, "--faults", plan(tmp_path, nth=99))
        assert (done.returncode, done.stderr) == (3, "")
        assert 'fault: the planned fault "lost acknowledgement" (drop' in words(done)
        assert "fault lost acknowledgement: never fired" in words(done)
        assert done.stdout.splitlines()[-1] == "1 invalid of 1 replay"


@pytest.mark.parametrize(
    ("role", "sentence"),
    [
        ("central", "missing: exchange 7, device notifies"),
        ("peripheral", "missing: the app waited for exchange 7 of its recording, device notifies"),
    ],
)
def test_a_planned_fault_that_fires_is_named_with_what_came_of_it(
    role: str, sentence: str, talk: Path, tmp_path: Path
) -> None:
    nth = {"central": 5, "peripheral": 3}[role]  # as the app, the guard asks the version before the recording does
    done = rig("replay", talk, "--as", role, "--faults", plan(tmp_path, nth=nth))
    assert (done.returncode, done.stderr) == (1, "")
    assert "fault lost acknowledgement: fired 1 time" in words(done)
    assert sentence in words(done)


# --- golden files, baselines, reports, corpora ------------------------------------------------------------------------


def test_what_the_decoder_gives_is_written_and_then_compared(talk: Path, tmp_path: Path) -> None:
    golden = tmp_path / "talk.golden"
    one_line(rig("replay", talk, "--golden", golden), 1, "talk.golden", "there is no golden file yet", "--update")
    assert rig("replay", talk, "--golden", golden, "--update").returncode == 0
    assert rig("replay", talk, "--golden", golden).returncode == 0
    golden.write_text(golden.read_text().replace('"heard": ["start output"', '"heard": ["start the output"'))
    done = rig("replay", talk, "--golden", golden)
    assert done.returncode == 1
    assert "start the output" in words(done)


def test_a_folder_is_a_corpus_with_one_summary_and_a_golden_file_for_each(tmp_path: Path) -> None:
    recordings, golden = tmp_path / "recordings", tmp_path / "golden"
    recordings.mkdir()
    for percent in range(2, 5):
        save(told(Talk().started().risen(percent).hung_up(), f"to {percent}"), recordings / f"{percent}.jsonl")
    (recordings / "notes.txt").write_text("no recording")
    assert rig("replay", recordings, "--golden", golden, "--update").returncode == 0
    assert len(list(golden.iterdir())) == 3
    report = tmp_path / "report.xml"
    done = rig("replay", recordings, "--golden", golden, "--jobs", "1", "--report", report)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "All 3 replays went as recorded"
    assert 'tests="3"' in report.read_text()
    spoiled = recordings / "3.jsonl"
    spoiled.write_text(spoiled.read_text().replace("55aa0600a632010203006b", "55aa0600a632010203006c"))
    done = rig("replay", recordings, "--jobs", "1")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "1 failed of 3 replays"
    assert "3.jsonl" in next(line for line in done.stdout.splitlines() if line.startswith("failed"))


def test_one_recording_may_have_its_golden_file_in_a_folder_too(talk: Path, tmp_path: Path) -> None:
    golden = tmp_path / "golden"
    golden.mkdir()
    assert rig("replay", talk, "--golden", golden, "--update").returncode == 0
    (written,) = golden.iterdir()
    assert written.name.startswith("talk.jsonl")
    assert rig("replay", talk, "--golden", golden).returncode == 0


def slower(transcript: Transcript, by_ns: int) -> Transcript:
    """Every acknowledgement that much later, and everything after it."""
    moved: list[Exchange] = []
    shift_ns = 0
    for one in transcript.exchanges:
        shift_ns += by_ns if one.by == "device" else 0
        moved.append(replace(one, at_ns=one.at_ns + shift_ns))
    return replace(transcript, exchanges=tuple(moved))


def test_timing_is_held_against_a_baseline_in_the_same_report(tmp_path: Path) -> None:
    session = told(Talk().started().risen(40, wait_s=0.3).hung_up())
    now, before = tmp_path / "now.jsonl", tmp_path / "before.json"
    save(session, now)
    save_baseline(before, samples_of(session), {"firmware": "2.1"})
    same = rig("replay", now, "--baseline", before, "--false-alarm", "0.05")
    assert "pass command to acknowledgement" in words(same)
    assert "timing: " in same.stdout.splitlines()[-1]
    assert same.returncode in {0, 3}  # of what there is one sample of a run, nothing can be said
    save(slower(session, 60_000_000), now)
    done = rig("replay", now, "--baseline", before)
    assert done.returncode == 1
    assert "fail command to acknowledgement: median 60 ms slower (22.9 → 82.9 ms)" in words(done)


def test_the_rate_of_false_alarms_is_the_one_asked_for(tmp_path: Path) -> None:
    session = told(Talk().started().risen(6, wait_s=0.3).hung_up())
    now, before = tmp_path / "now.jsonl", tmp_path / "before.json"
    save(slower(session, 60_000_000), now)
    save_baseline(before, {"command_to_acknowledgement": samples_of(session)["command_to_acknowledgement"]}, {})
    often = rig("replay", now, "--baseline", before, "--false-alarm", "0.2")
    assert "fail command to acknowledgement: median 60 ms slower" in words(often)
    never = rig("replay", now, "--baseline", before, "--false-alarm", "0.000001")
    assert never.returncode == 3
    assert "not enough command to acknowledgement" in words(never)


def test_reports_are_written_in_every_form_asked_for(talk: Path, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("r.html", "r.xml", "r.json")]
    options = [word for path in paths for word in ("--report", path)]
    assert rig("replay", talk, *options).returncode == 0
    assert paths[0].read_text().startswith("<!DOCTYPE html>")
    assert "a talk with a Dr-05 as decoder" in paths[0].read_text()
    assert 'tests="1"' in paths[1].read_text()
    assert read_report(str(paths[2])).outcomes[0].verdict is Verdict.PASSED


# --- progress and interruption ----------------------------------------------------------------------------------------


def test_what_takes_long_shows_how_far_it_has_come(talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_BEGIN_AFTER_S", -1.0)
    monkeypatch.setattr(progress, "_AGAIN_AFTER_S", 0.0)
    monkeypatch.setattr(sys, "stderr", Typed())
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert cli.main(["replay", str(talk), "--as", "central"]) == 0
    drawn = sys.stderr.getvalue()  # type: ignore[attr-defined]  # a Typed
    assert " of 1.1 s" in drawn
    folder = tmp_path / "several"
    folder.mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        shutil.copy(talk, folder / name)
    monkeypatch.setattr(sys, "stderr", Typed())
    assert cli.main(["replay", str(folder), "--jobs", "1"]) == 0
    drawn = sys.stderr.getvalue()  # type: ignore[attr-defined]  # as above
    assert "1 of 2 recordings" in drawn
    assert drawn.endswith("\r")  # gone again


def test_ctrl_c_ends_a_replay_at_once_and_quietly(talk: Path, interrupts: None) -> None:
    lines = talk.read_text().splitlines()
    hour = talk.with_name("hour.jsonl")
    lines[-1] = '{"at": 3600.0, "by": "app", "does": "disconnect"}'
    hour.write_text("\n".join(lines) + "\n")
    watched = "import sys, rig.replay.central as c; r = c.AppPlayer.play\n"
    watched += "def play(*a, **k):\n    print('plays', flush=True)\n    return r(*a, **k)\n"
    watched += "c.AppPlayer.play = play\nfrom rig.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", watched, "replay", str(hour), "--as", "central", "--speed", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "plays\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "")


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("", ["FILE is missing", "rig replay --help"]),
        ("x --as gadget", ["--as", "gadget", "decoder"]),
        ("x --as central --golden g", ["--golden", "--as central", "--as decoder"]),
        ("x --as peripheral --update", ["--update", "--as peripheral", "--as decoder"]),
        ("x --update", ["--update needs --golden"]),
        ("x --app y", ["--app", "--as decoder", "--as peripheral"]),
        ("x --as central --transport usb:0", ["--transport", "--as central", "--as peripheral"]),
        ("x --as peripheral --address C0:00:00:00:00:01", ["--address needs --transport"]),
        ("x --as decoder --address C0:00:00:00:00:01", ["--address", "--as decoder", "--as peripheral"]),
        ("x --as peripheral --simulate dr05", ["--simulate", "--as peripheral", "--as central"]),
        ("x --device C0:00:00:00:00:01 --consent", ["--device", "--as decoder", "--as central"]),
        ("x --as peripheral --consent", ["--consent", "--as peripheral", "--as central"]),
        ("x --as central --consent", ["--consent needs --device"]),
        ("x --order strict", ["--order", "--as decoder", "--as peripheral or --as central"]),
        ("x --tolerance 1", ["--tolerance", "--as decoder"]),
        ("x --patience 1", ["--patience", "--as decoder"]),
        ("x --seed 1", ["--seed", "--as decoder"]),
        ("x --faults f", ["--faults", "--as decoder"]),
        ("x --false-alarm 0.1", ["--false-alarm needs --baseline"]),
        ("x --golden g --update --baseline b", ["--update and --baseline", "one, then the other"]),
        ("x --cap 2 --cut 1", ["--cap 2 and --cut 1", "smaller"]),
        ("x --cap 1 --cut 1", ["--cap 1 and --cut 1"]),
        ("x --cap -1", ["--cap", "0 or more"]),
        ("x --cut inf", ["--cut", "0 or more"]),
        ("x --speed 0", ["--speed", "max"]),
        ("x --speed fast", ["--speed", "max"]),
        ("x --as central --tolerance never", ["--tolerance"]),
        ("x --as central --patience 0", ["--patience", "positive"]),
        ("x --false-alarm 2 --baseline b", ["--false-alarm", "between 0 and 1"]),
        ("x --jobs 0", ["--jobs 0", "at least one"]),
        ("x --report r.txt", ["--report r.txt", ".html", ".json"]),
        ("x --report nowhere/r.html", ["--report nowhere/r.html", "nowhere"]),
        ("x --golden -", ["--golden -", "standard input"]),
        ("x --as peripheral --app -", ["--app -", "standard input"]),
        ("x --baseline -", ["--baseline -"]),
        ("x --map -", ["--map -"]),
        ("x --as central --faults -", ["--faults -"]),
        ("- x", ["`-`"]),
        ("example:nothing", ["'nothing'", "dr05-makers-total-stop"]),
        # real hardware
        ("x --as central --device D", ["--consent", "off the skin", "touches nobody"]),
        ("x --as central --device D --consent --simulate dr05", ["--device and --simulate"]),
        ("x --as central --device D --consent --faults f", ["--device and --faults"]),
        ("x --as central --device D --consent --seed 1", ["--device and --seed"]),
        ("x --as central --device D --consent --jobs 2", ["--device and --jobs"]),
        ("x --as central --device D --consent --speed max", ["--device and --speed max"]),
        ("x --as central --device D --consent --speed 2", ["--device and --speed 2", "real time"]),
        ("x --as peripheral --transport usb:0 --app y", ["--transport and --app"]),
        ("x --as peripheral --transport usb:0 --speed max", ["--transport and --speed max"]),
        ("x --as peripheral --transport usb:0 --faults f", ["--transport and --faults"]),
    ],
)
def test_options_that_do_not_go_together_are_named(
    line: str, parts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    (tmp_path / "x").write_text(dumps(Talk().started().transcript()))
    done = rig("replay", *line.split())
    one_line(done, 2, *parts)
    assert done.stdout == ""


def test_a_recording_that_somebody_would_have_to_type_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Typed())
    for command in (("replay", "-"), ("transcript", "-", "-")):
        one_line(rig(*command), 2, "standard input, which is a terminal")


def test_what_is_not_there_or_cannot_be_played_is_one_line(talk: Path, tmp_path: Path) -> None:
    one_line(rig("replay", tmp_path / "gone.log"), 1, "gone.log", "no such file")
    cut = tmp_path / "cut.log"
    cut.write_bytes(BATTERY.read_bytes()[:5000])
    one_line(rig("replay", cut), 1, "cut.log", "at byte ", "cut")
    (tmp_path / "notes.txt").write_text("frame time\n1 0.5\n")
    one_line(rig("replay", tmp_path / "notes.txt"), 1, "notes.txt", "text")
    one_line(rig("replay", UNHEARD), 1, UNHEARD.name, "no GATT exchange")
    one_line(
        rig("replay", CANDLE), 1, CANDLE.name, "no UUID is known for 0x000e", "--map", "--skip-unnamed", "--link 2"
    )
    one_line(rig("replay", BATTERY, "--link", "99"), 1, BATTERY.name, "no link 99")
    one_line(rig("replay", talk, "--link", "1"), 1, "talk.jsonl", "is a transcript, which has one link only")
    one_line(rig("replay", talk, "--protocol", "toaster"), 2, "toaster", "dr05", "foreo")
    one_line(rig("replay", talk, "--as", "central", "--simulate", "toaster"), 2, "toaster", "dr05", "foreo")
    one_line(rig("replay", BATTERY, "--as", "central"), 2, "does not say which device", "--simulate", "--device")
    one_line(rig("replay", talk, "--as", "central", "--faults", tmp_path / "no.toml"), 1, "no.toml", "cannot be read")
    one_line(rig("replay", talk, "--baseline", tmp_path / "no.json"), 1, "no.json", "cannot be read")
    one_line(rig("replay", talk, "--as", "peripheral", "--app", tmp_path / "no.log"), 1, "no.log")
    empty = tmp_path / "empty"
    empty.mkdir()
    one_line(rig("replay", empty), 2, "empty", "folder")


def test_a_fault_plan_about_what_the_device_does_not_have_is_one_line(talk: Path, tmp_path: Path) -> None:
    wrong = plan(tmp_path, nth=1)
    wrong.write_text(wrong.read_text().replace("ffe1", "abcd"))
    for role in ("central", "peripheral"):
        one_line(rig("replay", talk, "--as", role, "--faults", wrong), 1, "abcd")


def test_a_recording_that_no_protocol_knows_says_nothing_as_decoder() -> None:
    done = rig("replay", LIGHTS)
    assert (done.returncode, done.stderr) == (3, "")
    assert "give a golden file, or name the protocol" in words(done)


def test_nothing_is_written_over_what_is_read(talk: Path, tmp_path: Path) -> None:
    before = talk.read_bytes()
    one_line(rig("replay", talk, "--golden", talk, "--update"), 2, "--golden", "written over")
    same = tmp_path / "same.json"
    os.link(talk, same)
    one_line(rig("replay", talk, "--report", same), 2, "--report", "written over")
    assert talk.read_bytes() == before
    kept = tmp_path / "kept.json"
    kept.write_text("kept")
    decoder, others = ("--baseline", "--map", "--golden"), (("--app", "peripheral"), ("--faults", "central"))
    for option, role in (*((option, "decoder") for option in decoder), *others):
        done = rig("replay", talk, "--as", role, option, kept, "--report", kept)
        one_line(done, 2, f"--report {kept}", "written over")
    assert kept.read_text() == "kept"


def test_real_hardware_plays_one_recording(talk: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    shutil.copy(talk, other)
    for files in ((talk, other), (tmp_path,)):
        done = rig("replay", *files, "--as", "central", "--device", "D", "--consent")
        one_line(done, 2, "--device plays one recording", "name one file")
    done = rig("replay", tmp_path, "--as", "peripheral", "--transport", "usb:0")
    one_line(done, 2, "--transport plays one recording")


@pytest.mark.parametrize(
    ("transport", "code", "part"),
    [
        ("bogus:1", 2, "--transport: there is no kind of transport 'bogus'"),
        ("usb", 2, "'usb' is not whole; write usb:0"),
        ("tcp-client:127.0.0.1:1", 5, "nobody listens at 127.0.0.1:1; `rig doctor --transport tcp-client:127.0.0.1:1`"),
    ],
    ids=["no such transport", "half a name", "nobody there"],
)
def test_a_controller_that_is_not_there_is_one_line(talk: Path, transport: str, code: int, part: str) -> None:
    done = rig("replay", talk, "--as", "peripheral", "--transport", transport)
    one_line(done, code, transport.partition(":")[0], part)


# --- transcripts ------------------------------------------------------------------------------------------------------


def test_a_capture_is_written_as_the_transcript_that_replays(tmp_path: Path) -> None:
    target = tmp_path / "lights.jsonl"
    done = rig("transcript", LIGHTS, target)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{target}: 147 exchanges, ISP-726329\n"
    assert load(target) == from_capture(LIGHTS)
    assert rig("transcript", LIGHTS, "-").stdout == target.read_text()
    assert rig("replay", target, "--as", "peripheral").returncode == 0


def test_what_could_not_come_along_is_told_on_standard_error(tmp_path: Path) -> None:
    one_line(rig("transcript", CANDLE, tmp_path / "c.jsonl"), 1, "no UUID is known for", "--skip-unnamed")
    assert list(tmp_path.iterdir()) == []
    done = rig("transcript", BATTERY, "-")
    one_line(done, 0, BATTERY.name, "left out: values from their middle on (1)")
    assert json.loads(done.stdout.splitlines()[0])["transcript"] == 1


def test_a_transcript_is_written_as_it_is_and_never_over_what_it_is_read_from(talk: Path, tmp_path: Path) -> None:
    assert rig("transcript", talk, tmp_path / "again.jsonl").returncode == 0
    assert (tmp_path / "again.jsonl").read_bytes() == talk.read_bytes()
    before = talk.read_bytes()
    os.link(talk, tmp_path / "same")
    one_line(rig("transcript", talk, talk), 2, "written over")
    one_line(rig("transcript", talk, tmp_path / "same"), 2, "written over")
    assert talk.read_bytes() == before


def test_a_transcript_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    one_line(rig("transcript", tmp_path / "gone.log", "-"), 1, "gone.log", "no such file")
    one_line(rig("transcript", UNHEARD, "-"), 1, "no GATT exchange")
    one_line(rig("transcript", BATTERY, "-", "--protocol", "toaster"), 2, "toaster", "dr05")
    one_line(rig("transcript", BATTERY, tmp_path / "nowhere" / "x"), 1, "cannot be written")
    one_line(rig("transcript", BATTERY), 2, "OUT is missing", "rig transcript --help")
    one_line(rig("transcript", BATTERY, "-", "--map", tmp_path / "no.json"), 1, "no.json")


def test_an_interruption_before_there_is_anything_to_tell_is_one(interrupts: None) -> None:
    async def interrupted() -> replay_live.Seen:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(60)
        raise AssertionError

    with pytest.raises(KeyboardInterrupt):
        replay_live.until_interrupted(interrupted())
