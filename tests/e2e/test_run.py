"""``companion run`` and ``companion scan`` from the command line to the simulated device and back."""

from __future__ import annotations

import asyncio
import codecs
import json
import os
import pty
import resource
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import companion.demo
from companion.account import Lines
from companion.care.screening import QUESTIONS, VERSION
from companion.cli import main
from companion.config import DATA_VARIABLE, Exit
from companion.dates import Calendar
from companion.demo import DemoRadio
from companion.routines.library import Library
from companion.session.model import JournalKind, Reason, Summary
from companion.store.database import DATABASE_NAME, Status, Store

FULL_FACE = ("run", "full-face", "--demo", "dr05", "--speed", "max", "--seed", "7", "--json", "--yes")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of every command of this test."""
    folder = tmp_path / "data"
    monkeypatch.setenv(DATA_VARIABLE, str(folder))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")
    return folder


class Ran:
    """What one command line printed and returned."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def fault(self) -> str:
        """The one line that a fault is told in."""
        lines = self.err.splitlines()
        assert lines, self.out
        assert lines[-1].startswith("companion: "), self.err
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[-1]


@pytest.fixture
def companion_(data: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command line in this process."""

    def run(*arguments: str) -> Ran:
        code = main(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "companion", *arguments]


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | more


def subprocess_run(*arguments: str, **options: Any) -> Ran:
    done = subprocess.run(
        command(*arguments), env=environment(), capture_output=True, text=True, timeout=60, check=False, **options
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, Callable[[DemoRadio], None]], None]:
    """Let something happen to the demo's device so many seconds after the demo began."""
    acts: list[tuple[float, Callable[[DemoRadio], None]]] = []
    real = companion.demo.open_demo

    async def open_demo(*arguments: Any, **options: Any) -> DemoRadio:
        radio = await real(*arguments, **options)
        for seconds, act in acts:
            asyncio.get_running_loop().call_at(seconds, act, radio)
        return radio

    monkeypatch.setattr(companion.demo, "open_demo", open_demo)
    return lambda seconds, act: acts.append((seconds, act))


# --- a session to its end ---------------------------------------------------------------------------------------------


def test_two_runs_with_one_seed_are_equal_to_the_byte_and_every_zone_is_there(data: Path) -> None:
    first = subprocess_run(*FULL_FACE)
    second = subprocess_run(*FULL_FACE)
    assert (first.code, first.err) == (Exit.FINISHED, "")
    assert first.out == second.out
    finished = first.events[-1]
    assert finished["event"] == "finished"
    assert finished["reason"] == "completed"
    assert list(finished["zones"]) == list(Library().get("full-face").zones)
    assert all(seconds > 30 for seconds in finished["zones"].values())
    with Store.open(data / "demo", Calendar.system()) as store:
        assert [record.status for record in store.sessions()] == [Status.FINISHED, Status.FINISHED]


def test_another_seed_is_another_session(companion_: Callable[..., Ran]) -> None:
    assert companion_(*FULL_FACE).out != companion_(*FULL_FACE[:-4], "8", *FULL_FACE[-2:]).out


def test_a_twelve_minute_routine_is_told_to_its_last_second(companion_: Callable[..., Ran]) -> None:
    assert companion_(*FULL_FACE).events[-1]["t"] > 715


def test_every_json_line_begins_with_time_and_event_and_time_never_goes_back(companion_: Callable[..., Ran]) -> None:
    ran = companion_(*FULL_FACE)
    assert all(list(event)[:2] == ["t", "event"] for event in ran.events)
    assert {event["event"] for event in ran.events} <= {kind.value for kind in JournalKind}
    times = [event["t"] for event in ran.events]
    assert times == sorted(times)
    assert times == [round(t, 3) for t in times]
    kinds = [event["event"] for event in ran.events]
    assert kinds[:3] == ["screening", "connected", "step"]
    assert {"zone", "intensity", "sensation", "finished"} <= set(kinds)


def test_what_is_told_is_what_was_written_down(companion_: Callable[..., Ran], data: Path) -> None:
    ran = companion_(*FULL_FACE)
    with Store.open(data / "demo", Calendar.system()) as store:
        kept = store.entries(1)
        assert [(round(t, 3), entry.kind.value) for t, entry in kept] == [(e["t"], e["event"]) for e in ran.events]
        summary = store.sessions()[0].summary
    assert summary is not None
    assert summary.reason is Reason.COMPLETED
    assert ran.events[-1]["highest_percent"] == summary.highest_percent


def test_an_imagined_skin_of_an_earlier_demo_is_forgotten(companion_: Callable[..., Ran], data: Path) -> None:
    with Store.open(data / "demo", Calendar.system()) as store:
        store.diary.check_skin(1, 5, 5)
        store.diary.begin_patch_test("jaw")
    assert companion_(*FULL_FACE).code == 0
    with Store.open(data / "demo", Calendar.system()) as store:
        assert store.diary.skin_checks() == []
        assert store.diary.patch_test() is None


def test_the_plain_account_reads_from_the_first_step_to_the_last_zone(companion_: Callable[..., Ran]) -> None:
    ran = companion_("run", "full-face", "--demo", "dr05", "--speed", "max", "--yes")
    assert ran.code == Exit.FINISHED
    lines = ran.out.splitlines()
    assert lines[:3] == [
        "Looking for your device…",
        "Found Dr-05.",
        "Full face: 12 min with Dr-05, never above 30 %.",
    ]
    assert "  0:00  Dr-05 is connected (firmware 2.1)." in lines
    assert "        output on at 1 %, rising gently to 24 %" in lines
    assert lines[-1].split()[-2:] == ["48", "s"], "no plan and no goal: nothing is said of water and of what is next"
    assert any("All done. 16 zones in 12 min" in line for line in lines)
    assert max(map(len, lines)) <= 88


def test_a_second_protocol_is_guided_in_the_same_way(companion_: Callable[..., Ran]) -> None:
    ran = companion_("run", "pulse-cleanse", "--demo", "foreo", "--speed", "max", "--yes", "--json")
    assert ran.code == Exit.FINISHED
    assert ran.events[-1]["reason"] == "completed"


# --- a recording ------------------------------------------------------------------------------------------------------


def test_the_recording_holds_as_many_writes_and_notifications_as_the_journal(
    companion_: Callable[..., Ran], tmp_path: Path
) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    record = tmp_path / "session.btsnoop"
    ran = companion_(*FULL_FACE, "--record", str(record))
    assert ran.code == Exit.FINISHED
    rows = tshark(record)
    cccd = "0x2902"
    writes = [row for row in rows if row[0] in {"0x12", "0x52"} and cccd not in row[1]]
    notifications = [row for row in rows if row[0] == "0x1b"]
    finished = ran.events[-1]
    assert (len(writes), len(notifications)) == (finished["writes"], finished["notifications"])
    assert len(writes) > 50


def tshark(record: Path) -> list[list[str]]:
    """Opcode and UUIDs of every ATT PDU, as tshark reads the recording."""
    fields = ["-e", "btatt.opcode", "-e", "btatt.uuid16"]
    done = subprocess.run(
        ["tshark", "-r", str(record), "-Y", "btatt", "-T", "fields", *fields],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_a_recording_changes_nothing_in_the_session(companion_: Callable[..., Ran], tmp_path: Path) -> None:
    assert companion_(*FULL_FACE).out == companion_(*FULL_FACE, "--record", str(tmp_path / "x.btsnoop")).out


# --- exit 3: stopped early --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_h3_a_signal_stops_the_output_first(data: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        command("run", "full-face", "--demo", "dr05", "--speed", "30", "--seed", "7", "--json", "--yes"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        told = list(lines_until(process.stdout, '"command": "start", "state": "acknowledged"'))
        process.send_signal(number)
        told += list(process.stdout)
        assert process.wait(20) == Exit.STOPPED_EARLY
        assert process.stderr.read() == ""
    events = [json.loads(line) for line in told]
    kinds = [event["event"] for event in events]
    assert kinds.index("stopping") < kinds.index("stopped") < kinds.index("finished") == len(kinds) - 1
    assert events[-1]["reason"] == "stopped by you"
    with Store.open(data / "demo", Calendar.system()) as store:
        assert store.sessions()[0].status is Status.FINISHED


def lines_until(stream: Any, text: str) -> Iterator[str]:
    for line in stream:
        yield line
        if text in line:
            return
    raise AssertionError(f"the output ended without {text}")


def test_a_person_at_a_terminal_is_asked_first_and_stops_with_enter(data: Path) -> None:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        command("run", "full-face", "--demo", "dr05", "--speed", "30", "--seed", "7"),
        env=environment(TERM="dumb"),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        talk = Talk(controller)
        talk.answer("Begin? [y/n] ", "y")
        talk.answer("swelling where you will treat? [y/n] ", "perhaps")
        talk.answer("Please answer y or n.\r\nIs there a wound", "n")
        talk.answer("alcohol? [y/n] ", "n")
        talk.answer("humid room? [y/n] ", "n")
        talk.answer("in the area? [y/n] ", "n")
        talk.answer("How dry is it? [1-5] ", "1")
        talk.answer("How red is it? [1-5] ", "lightly")
        talk.answer("Please answer with one of: 1, 2, 3, 4, 5\r\nHow red is it? [1-5] ", "2")
        talk.answer("sore? [1-5] ", "1")
        talk.answer("What about the patch test? [f/l/n] ", "l")
        talk.answer("if you like; it stays on this computer: ", "only looking")
        talk.answer("With steam first? [y/n] ", "n")
        talk.answer("With a mild exfoliation? [y/n] ", "n")
        talk.answer("With a massage by hand? [y/n] ", "n")
        talk.answer("With a mask afterwards? [y/n] ", "n")
        talk.answer("With a serum afterwards? [y/n] ", "n")
        talk.answer("ready to begin? [y/n] ", "y")
        talk.answer("Cleanse", "")
        talk.answer("Gel", "")
        talk.answer("output on at 1 %", "")
        heard = talk.rest()
        assert process.wait(20) == Exit.STOPPED_EARLY
    os.close(controller)
    assert "Output is off, confirmed by the device" in heard
    assert "Stopped by you. One zone" in heard


def test_a_no_to_the_question_before_a_demo_starts_nothing(data: Path) -> None:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        command("run", "full-face", "--demo"),
        env=environment(TERM="dumb"),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        talk = Talk(controller)
        talk.answer("Begin? [y/n] ", "n")
        assert "Nothing was started" in talk.rest()
        assert process.wait(20) == Exit.BLOCKED
    os.close(controller)


class Talk:
    """The other side of a pseudo-terminal."""

    def __init__(self, controller: int) -> None:
        self._controller = controller
        self._heard = ""
        self._decode = codecs.getincrementaldecoder("utf-8")()  # what is read may end within a character

    def answer(self, prompt: str, line: str) -> None:
        while prompt not in self._heard:
            assert self._read(), f"waited for {prompt!r}, heard {self._heard!r}"
        self._heard = self._heard.partition(prompt)[2]
        os.write(self._controller, f"{line}\n".encode())

    def rest(self) -> str:
        while self._read():
            pass
        return self._heard

    def _read(self) -> bool:
        ready, _, _ = select.select([self._controller], [], [], 20)
        assert ready, f"nothing for 20 s after {self._heard!r}"
        try:
            data = os.read(self._controller, 4096)
        except OSError:  # Linux says so when the other side has closed (EIO)
            return False
        self._heard += self._decode.decode(data)
        return bool(data)


def test_when_nobody_reads_any_more_the_session_stops(
    companion_: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    said: list[str] = []

    def say(self: Lines, line: str) -> None:
        said.append(line)
        if '"zone": "chin"' in line:
            self.gone = True

    monkeypatch.setattr(Lines, "say", say)
    assert companion_(*FULL_FACE).code == Exit.STOPPED_EARLY
    assert json.loads(said[-1])["reason"] == "stopped by you"


def test_lines_that_cannot_be_written_are_noticed() -> None:
    class Closed:
        def write(self, _text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    lines = Lines(Closed(), flush=True)  # type: ignore[arg-type]
    lines.say("hello")
    assert lines.gone
    lines.say("nobody hears this, and nothing is raised")


# --- exit 4: not now --------------------------------------------------------------------------------------------------


def test_h10_without_a_screening_a_real_session_is_blocked_also_with_yes(companion_: Callable[..., Ran]) -> None:
    ran = companion_("run", "full-face", "--yes")
    assert ran.code == Exit.BLOCKED
    assert "health questions" in ran.fault()


@pytest.mark.parametrize("demo", [(), ("--demo",)], ids=["real", "demo"])
def test_without_terminal_and_without_yes_nothing_starts(data: Path, demo: tuple[str, ...]) -> None:
    screened(data).close()
    ran = subprocess_run("run", "full-face", *demo, stdin=subprocess.DEVNULL)
    assert ran.code == Exit.BLOCKED
    assert "--yes" in ran.fault()


def screened(data: Path) -> Store:
    """Everything answered that ``--yes`` does not answer with a real device."""
    store = Store.open(data, Calendar.system())
    store.save_screening({question.id: "no" for question in QUESTIONS}, VERSION)
    store.diary.check_skin(1, 1, 1)
    store.diary.begin_patch_test("declined", "used one for years")
    return store


def test_h6_without_rest_a_real_session_is_blocked_also_with_yes(companion_: Callable[..., Ran], data: Path) -> None:
    with screened(data) as store:
        store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo=False).finish(
            Summary(Reason.COMPLETED, {"chin": 32.0}, 20, 32.0, 60.0)
        )
    ran = companion_("run", "full-face", "--yes")
    assert ran.code == Exit.BLOCKED
    assert "12 hours of rest" in ran.fault()


# --- exit 5: no device ------------------------------------------------------------------------------------------------


def test_without_bluetooth_a_real_session_ends_with_one_line(companion_: Callable[..., Ran], data: Path) -> None:
    screened(data).close()
    ran = companion_("run", "full-face", "--yes")
    assert ran.code == Exit.NO_DEVICE
    assert "D-Bus" in ran.fault()
    with Store.open(data, Calendar.system()) as store:
        assert store.sessions() == []


def test_a_scan_without_bluetooth_ends_with_one_line(companion_: Callable[..., Ran]) -> None:
    ran = companion_("scan")
    assert ran.code == Exit.NO_DEVICE
    assert "D-Bus" in ran.fault()


def test_a_device_that_is_not_there_is_a_line_of_advice(
    companion_: Callable[..., Ran], at: Callable[[float, Callable[[DemoRadio], None]], None]
) -> None:
    at(0.0, lambda radio: radio.peripheral.vanish())
    ran = companion_(*FULL_FACE)
    assert ran.code == Exit.NO_DEVICE
    assert "switch yours on" in ran.fault()


# --- exit 6: link lost ------------------------------------------------------------------------------------------------


def test_h5_a_device_gone_for_good_ends_the_session_after_a_minute(
    companion_: Callable[..., Ran], at: Callable[[float, Callable[[DemoRadio], None]], None]
) -> None:
    at(60.0, lambda radio: radio.peripheral.vanish())
    ran = companion_(*FULL_FACE)
    assert ran.code == Exit.LINK_LOST
    assert "lost" in ran.fault()
    kinds = [event["event"] for event in ran.events]
    assert kinds[-1] == "finished"
    assert ran.events[-1]["reason"] == "link lost"
    lost = next(event for event in ran.events if event["event"] == "link_lost")
    assert 59 < ran.events[-1]["t"] - lost["t"] < 63


def test_h5_a_device_that_comes_back_to_nobody_stays_without_output(
    companion_: Callable[..., Ran], at: Callable[[float, Callable[[DemoRadio], None]], None]
) -> None:
    traces: list[Any] = []
    at(60.0, lambda radio: radio.peripheral.vanish())
    at(61.0, lambda radio: traces.append(radio.device))
    at(75.0, lambda radio: radio.peripheral.reappear())
    ran = companion_(*FULL_FACE)
    assert ran.code == Exit.LINK_LOST
    assert "nobody was here" in ran.fault()
    assert [event["again"] for event in ran.events if event["event"] == "connected"] == [False, True]
    assert traces[0].trace[-1].output_percent == 0
    assert traces[0].trace[-1].time < 61


# --- exit 1: faults ---------------------------------------------------------------------------------------------------


def test_dr05_hazard_7_a_device_that_never_answers_again_ends_the_session_without_output(
    companion_: Callable[..., Ran], at: Callable[[float, Callable[[DemoRadio], None]], None]
) -> None:
    devices: list[Any] = []

    def fall_silent(radio: DemoRadio) -> None:
        radio.device.set_silent(silent=True, now=60.0)  # type: ignore[attr-defined]
        devices.append(radio.device)

    at(60.0, fall_silent)
    ran = companion_(*FULL_FACE)
    assert ran.code in {Exit.FAULT, Exit.LINK_LOST}
    assert ran.fault()
    assert devices[0].trace[-1].output_percent == 0


def test_a_disk_that_takes_no_more_stops_the_output_and_is_told(data: Path) -> None:
    def a_small_disk() -> None:
        # the nearest to a full disk that needs no mount: writes past the limit fail with EFBIG
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    Store.open(data / "demo", Calendar.system()).close()  # it is the session that must not fit, not an empty database
    ran = subprocess_run(*FULL_FACE, preexec_fn=a_small_disk)
    assert ran.code == Exit.FAULT
    assert "could not be written down" in ran.fault()
    assert "disk" in ran.fault()
    assert 20 < len(ran.events) < 200
    again = subprocess_run(*FULL_FACE)
    assert again.code == Exit.FINISHED
    with Store.open(data / "demo", Calendar.system()) as store:
        assert [record.status for record in store.sessions()] == [Status.FINISHED, Status.INTERRUPTED]
        assert len(store.entries(1)) == len(ran.events)


def test_a_database_from_a_newer_version_is_left_alone(companion_: Callable[..., Ran], data: Path) -> None:
    Store.open(data / "demo", Calendar.system()).close()
    connection = sqlite3.connect(data / "demo" / DATABASE_NAME)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    ran = companion_(*FULL_FACE)
    assert ran.code == Exit.FAULT
    assert "newer" in ran.fault()


def test_a_data_folder_that_cannot_be_one_is_told(companion_: Callable[..., Ran], data: Path) -> None:
    data.write_text("a file in the way")
    ran = companion_(*FULL_FACE)
    assert ran.code == Exit.FAULT
    assert str(data) in ran.fault()


def test_a_session_that_was_killed_shows_as_interrupted_at_the_next_start(data: Path) -> None:
    for wanted in ('"zone": "chin"', '"zone": "right-jawline"'):
        with subprocess.Popen(
            command("run", "full-face", "--demo", "dr05", "--speed", "60", "--seed", "7", "--json", "--yes"),
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            told = list(lines_until(process.stdout, wanted))
            process.kill()
            told += [line for line in process.stdout if line.endswith("\n")]
        with Store.open(data / "demo", Calendar.system()) as store:
            newest = store.sessions()[0]
            assert store.recover() == [newest.id]
            kept = [entry.kind.value for _, entry in store.entries(newest.id)]
        assert kept[: len(told)] == [json.loads(line)["event"] for line in told]


# --- exit 2: usage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "full-fac", "--demo", "--yes"), "full-face"),
        (("run", "pulse-cleanse", "--demo", "dr05", "--speed", "max", "--yes"), "pulsation"),
        (("run", "full-face", "--record", "x.btsnoop", "--yes"), "--demo"),
        (("run", "full-face", "--speed", "max", "--yes"), "--demo"),
        (("run", "full-face", "--demo", "dr05", "--record", "/nowhere/x.btsnoop", "--yes"), "/nowhere"),
    ],
    ids=["unknown routine", "not for this device", "recording a real session", "a hurried real session", "no folder"],
)
def test_what_makes_no_sense_is_a_usage_fault(
    companion_: Callable[..., Ran], arguments: tuple[str, ...], told: str
) -> None:
    ran = companion_(*arguments)
    assert ran.code == Exit.USAGE
    assert told in ran.fault()


def test_a_routine_file_with_a_wrong_field_names_file_line_and_field(
    companion_: Callable[..., Ran], data: Path
) -> None:
    folder = data / "routines"  # a demo is where one tries a routine out
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(
        'format = 1\nname = "mine"\ntitle = "Mine"\nsummary = "My own."\n\n'
        '[[steps]]\nkind = "treat"\nzone = "chin"\nlevel = 80\n'
    )
    ran = companion_("run", "mine", "--demo", "--yes")
    assert ran.code == Exit.USAGE
    assert "mine.toml, line 9" in ran.fault()
    assert "level" in ran.fault()


# --- scan -------------------------------------------------------------------------------------------------------------


def test_a_scan_of_the_demo_shows_its_device(companion_: Callable[..., Ran]) -> None:
    ran = companion_("scan", "--demo", "foreo")
    assert ran.code == Exit.FINISHED
    assert ran.out.split() == ["BEAR2", "near", *ran.out.split()[2:]]
    as_json = companion_("scan", "--demo", "--json").events
    assert [(one["name"], one["protocol"]) for one in as_json] == [("OMP", "omp")]
