"""H10: somebody who must not use it gets no output, by whatever way they come: here, all those without a screen.

A simulated device stands in the place of the real one, near and ready; the first test shows that it would be found and
treated with by somebody who may. So a way past the questions would show as output, not as a missing radio.
"""

from __future__ import annotations

import asyncio
import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from companion import headless
from companion.beside import link_beside
from companion.care.screening import BLOCK_QUESTIONS
from companion.config import Exit
from companion.demo import DemoRadio, open_demo, run_at_speed
from companion.settings.file import settings_file
from companion.store.database import DATABASE_NAME
from companion.store.rows import to_json
from tests.companion.at_home import CLEAR, PACEMAKER, AtHome
from tests.companion.integrations.broker import PATIENCE_S, Broker, listening

WAYS = [(), ("--yes",), ("--plain",), ("--plain", "--yes"), ("--json",), ("--json", "--yes")]
IDS = [" ".join(way) or "bare" for way in WAYS]
RUN = "run full-face"


class Air:
    """The radios that were switched on, each with a device on its air."""

    def __init__(self) -> None:
        self.radios: list[DemoRadio] = []

    @property
    def highest(self) -> int:
        """The highest output of any device, in percent."""
        traces: list[Any] = [sample for radio in self.radios for sample in radio.device.trace]
        return max((sample.output_percent for sample in traces), default=0)


@pytest.fixture
def air(monkeypatch: pytest.MonkeyPatch) -> Air:
    """A device where the real radio looks, and time that is over at once."""
    there = Air()

    async def radio(_run: object) -> DemoRadio:
        there.radios.append(await open_demo("dr05", 7))
        return there.radios[-1]

    monkeypatch.setattr(headless._Run, "_radio", radio)
    monkeypatch.setattr(headless, "_in_time", lambda work, _speed: run_at_speed(work, float("inf")))
    return there


def answered(home: AtHome, answers: dict[str, str]) -> None:
    """Keep these answers, and everything else that a session asks of a person as well as it can be."""
    with home.store() as store:
        store.save_screening(answers)
        store.diary.check_skin(1, 1, 1)
        store.diary.begin_patch_test("declined", "used one for years")


def assert_nothing_happened(home: AtHome, air: Air, code: int, said: str) -> None:
    assert code == Exit.BLOCKED, said
    assert air.radios == [], "the radio was switched on"
    assert air.highest == 0
    with home.store() as store:
        assert store.sessions() == []


def test_somebody_who_may_gets_output_by_this_very_way(home: AtHome, air: Air) -> None:
    answered(home, CLEAR)
    assert home.run(f"{RUN} --yes").code == Exit.FINISHED
    assert 0 < air.highest <= 30


@pytest.mark.parametrize("way", WAYS, ids=IDS)
def test_h10_a_pacemaker_leaves_no_way_through_run(home: AtHome, air: Air, way: tuple[str, ...]) -> None:
    answered(home, PACEMAKER)
    said = home.run(" ".join((RUN, *way)))
    assert_nothing_happened(home, air, said.code, said.err)
    said.refused(Exit.BLOCKED, "implanted electronics", "ask your doctor")


@pytest.mark.parametrize("answer", ["yes", "not sure"])
@pytest.mark.parametrize("question", BLOCK_QUESTIONS, ids=lambda question: question.id)
def test_h10_each_blocking_answer_leaves_no_way(home: AtHome, air: Air, question: Any, answer: str) -> None:
    answered(home, {**CLEAR, question.id: answer})
    said = home.run(f"{RUN} --yes")
    assert_nothing_happened(home, air, said.code, said.err)


@pytest.mark.parametrize("routine", ["full-face", "first-touch", "cool-down", "pulse-cleanse"])
def test_h10_no_routine_is_a_way_past(home: AtHome, air: Air, routine: str) -> None:
    answered(home, PACEMAKER)
    said = home.run(f"run {routine} --yes")
    assert_nothing_happened(home, air, said.code, said.err)


def test_h10_a_person_at_a_terminal_is_told_and_asked_nothing(home: AtHome) -> None:
    answered(home, PACEMAKER)
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    code = (
        "import sys; from datetime import datetime;"
        "from companion.dates import Calendar; from companion.cli import main;"
        f"Calendar.system = staticmethod(lambda: Calendar.fixed(datetime.fromisoformat('{home.now.isoformat()}')));"
        "sys.exit(main(['run', 'full-face', '--plain']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, env={**environ, "TERM": "dumb"}
    ) as program:
        os.close(theirs)
        os.write(ours, b"y\n" * 20)
        told = b"".join(iter(lambda: _read(ours), b"")).decode()
        assert program.wait(20) == Exit.BLOCKED
    os.close(ours)
    assert "implanted electronics" in told
    assert "[y/n]" not in told
    with home.store() as store:
        assert store.sessions() == []


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # Linux says so when the other side has closed (EIO)
        return b""


# --- the database by hand ---------------------------------------------------------------------------------------------


@pytest.fixture
def rows(home: AtHome) -> Iterator[sqlite3.Connection]:
    """The database of somebody with a pacemaker, open for somebody with a tool for databases."""
    answered(home, PACEMAKER)
    connection = sqlite3.connect(home.folder / DATABASE_NAME)
    yield connection
    connection.close()


EDITS = {
    "the answer": ("UPDATE screening SET answers = ?", True),
    "a row more": (
        "INSERT INTO screening (person_id, at, version, answers) SELECT person_id, at, version, ? FROM screening",
        True,
    ),
    "the version": ("UPDATE screening SET version = version + 1", False),
    "nothing left": ("DELETE FROM screening", False),
}


@pytest.mark.parametrize("way", ["--yes", "--json --yes"])
@pytest.mark.parametrize("edit", EDITS)
def test_h10_a_row_edited_by_hand_leads_to_the_questions(
    home: AtHome, air: Air, rows: sqlite3.Connection, edit: str, way: str
) -> None:
    statement, takes_answers = EDITS[edit]
    with rows:
        rows.execute(statement, (to_json(CLEAR),) if takes_answers else ())
    said = home.run(f"{RUN} {way}")
    assert_nothing_happened(home, air, said.code, said.err)
    said.refused(Exit.BLOCKED, "companion profile")


def test_h10_another_persons_answers_put_in_the_row_are_nobodys(
    home: AtHome, air: Air, rows: sqlite3.Connection
) -> None:
    with home.store() as store:
        store.people.add("Robin")
    with home.store("Robin") as store:
        store.save_screening(CLEAR)
    with rows:
        rows.execute("UPDATE screening SET person_id = 1 WHERE person_id = 2")
    said = home.run(f"{RUN} --yes")
    assert_nothing_happened(home, air, said.code, said.err)


# --- a backup ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [True, False], ids=["the whole folder", "the database alone"])
def test_h10_a_backup_from_before_the_pacemaker_does_not_bring_the_answers_back(
    home: AtHome, air: Air, tmp_path: Path, whole: bool
) -> None:
    answered(home, CLEAR)
    backup = tmp_path / "backup"
    shutil.copytree(home.folder, backup)
    home.pass_(days=1)
    answered(home, PACEMAKER)
    if whole:
        shutil.rmtree(home.folder)
        shutil.copytree(backup, home.folder)
    else:
        for beside in ("", "-wal", "-shm"):
            (home.folder / f"{DATABASE_NAME}{beside}").unlink(missing_ok=True)
        shutil.copy2(backup / DATABASE_NAME, home.folder / DATABASE_NAME)
    for way in ("--yes", "--json --yes"):
        said = home.run(f"{RUN} {way}")
        assert_nothing_happened(home, air, said.code, said.err)
        said.refused(Exit.BLOCKED, "companion profile")


# --- MQTT -------------------------------------------------------------------------------------------------------------

TOPICS = ("start", "session", "set", "intensity", "output_ma", "session/set")
PAYLOADS = ("START", "ON", "on", "30", "full-face", '{"command": "start"}')


def linked(home: AtHome, port: int) -> str:
    """Turn the link on; return the root of its topics."""
    file = settings_file(home.folder)
    for key, value in (("host", "127.0.0.1"), ("port", port), ("device_id", "5eed5eed"), ("enabled", True)):
        file.change(f"mqtt.{key}", value)
    return "microcurrent-companion/5eed5eed"


async def test_h10_whoever_is_blocked_has_no_link_either(home: AtHome, air: Air, tmp_path: Path) -> None:
    answered(home, PACEMAKER)
    async with Broker(tmp_path) as broker:
        root = linked(home, broker.port)
        await broker.publish(f"{root}/start", "START", "-r")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(headless, "_in_time", lambda work, _speed: work.close())
            said = home.run(f"{RUN} --yes")
        assert_nothing_happened(home, air, said.code, said.err)
        await broker.publish(f"{root}/fence", "behind everything")
        await broker.logged("Received DISCONNECT", times=2)
        assert sum("New client connected" in line for line in broker.log) == 2, "the two that publish, and nobody else"


async def test_h10_no_topic_does_anything_before_a_session(home: AtHome, tmp_path: Path) -> None:
    answered(home, PACEMAKER)
    stops: list[None] = []
    stopped = asyncio.Event()

    def stop() -> None:
        stops.append(None)
        stopped.set()

    async with Broker(tmp_path) as broker, listening(broker) as listener:
        root = linked(home, broker.port)
        await broker.publish(f"{root}/stop", "STOP", "-r")  # of another day
        with home.store() as store:
            almanac = home.almanac(store)
            async with link_beside(settings_file(home.folder), almanac, stop, print):
                await listener.message(f"{root}/availability", b"online")
                for topic in TOPICS:
                    await broker.publish(f"{root}/{topic}", PAYLOADS[len(topic) % len(PAYLOADS)])
                await broker.publish(f"{root}/stop", "START")
                # behind all of these on the same way: when it has been followed, so has everything before it
                await broker.publish(f"{root}/stop", "STOP")
                async with asyncio.timeout(PATIENCE_S):
                    await stopped.wait()
            assert stops == [None], "one word is understood, and it is Stop"
            assert store.sessions() == []


def test_h10_a_skin_check_that_grew_old_while_the_device_was_looked_for_does_not_count(
    home: AtHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    radios: list[DemoRadio] = []

    async def slow_radio(_run: object) -> DemoRadio:
        home.pass_(minutes=61)
        radios.append(await open_demo("dr05", 7))
        return radios[-1]

    monkeypatch.setattr(headless._Run, "_radio", slow_radio)
    monkeypatch.setattr(headless, "_in_time", lambda work, _speed: run_at_speed(work, float("inf")))
    answered(home, CLEAR)
    said = home.run(f"{RUN} --yes --json")
    said.refused(Exit.BLOCKED, "skin check")
    assert all(sample.output_percent == 0 for sample in radios[0].device.trace)
