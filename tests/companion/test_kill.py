"""SIGKILL at any moment of a session loses nothing that was acknowledged, and the session shows as interrupted.

Half of the moments are chosen from outside, after a random number of acknowledged steps; half inside SQLite, after a
random number of its instructions, which reaches the middle of every statement.
"""

from __future__ import annotations

import io
import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from companion.account import JsonAccount, Lines
from companion.dates import Calendar
from companion.store.database import DATABASE_NAME, Status, Store
from tests.companion.kill_writer import STEPS

LATER = Calendar.fixed(datetime(2026, 3, 2, tzinfo=UTC))


class Victims:
    """Runs kill_writer.py and ends its children."""

    def __init__(self, program: subprocess.Popen[str], folder: Path) -> None:
        self._program = program
        self._folder = folder

    def kill_one(self, *, after_lines: int | None = None, after_instructions: int = 0) -> list[tuple[str, int, int]]:
        """Return what the victim had acknowledged by its death: (what, session, step)."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        print(self._folder, after_instructions, file=self._program.stdin, flush=True)
        victim: int | None = None
        said: list[tuple[str, int, int]] = []
        killed = False
        for line in self._program.stdout:
            word, first, second = line.split()
            match word:
                case "victim":
                    victim = int(first)
                case "dead":
                    assert int(first) == -signal.SIGKILL
                    return said
                case _:
                    said.append((word, int(first), int(second)))
            if after_lines is not None and not killed and victim is not None and len(said) >= after_lines:
                os.kill(victim, signal.SIGKILL)
                killed = True
        raise AssertionError("kill_writer.py ended by itself")


@pytest.fixture
def victims(tmp_path: Path) -> Iterator[Victims]:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.companion.kill_writer"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Victims(program, tmp_path / "data")
    finally:
        program.kill()
        program.communicate()


def check_after_death(folder: Path, said: list[tuple[str, int, int]]) -> None:
    """The next start finds an intact database with everything acknowledged in it."""
    with Store.open(folder, LATER) as store:
        recovered = store.recover()
        records = {record.id: record for record in store.sessions()}
        assert Status.RUNNING not in {record.status for record in records.values()}
        for word, session, step in said:
            if word == "finished":
                assert records[session].status is Status.FINISHED
            elif word == "begun":
                assert session in records
            else:
                entries = store.entries(session)
                assert {"index": step, "half": 1} in [entry.data for _, entry in entries]
        for session in {session for _, session, _ in said}:
            entries = store.entries(session)
            assert [(t, entry.data) for t, entry in entries] == [
                (float(step), {"index": step, "half": half}) for step in range(len(entries) // 2) for half in range(2)
            ]
        ended = {session for word, session, _ in said if word == "finished"}
        cut_off = {session for word, session, _ in said if word == "begun"} - ended
        # The end itself may have been written and not yet told when the process died.
        for session in cut_off:
            whole = records[session].status is Status.FINISHED and len(store.entries(session)) == 2 * STEPS
            assert whole or session in recovered
    raw = sqlite3.connect(folder / DATABASE_NAME)
    assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    raw.close()


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_a_session_killed_at_random_moments_keeps_every_acknowledged_step(
    victims: Victims, tmp_path: Path, kills: int
) -> None:
    seed = 20260301
    chance = random.Random(seed)
    interrupted = 0
    for kill in range(kills):
        inside = kill % 2 == 1
        # a session is about 30 lines or 3500 instructions long: these reach over several
        moment = chance.randrange(1, 12_000) if inside else chance.randrange(100)
        said = victims.kill_one(**({"after_instructions": moment} if inside else {"after_lines": moment}))
        try:
            check_after_death(tmp_path / "data", said)
        except AssertionError as error:
            where = "instructions" if inside else "lines"
            error.add_note(f"seed {seed}, kill {kill}, after {moment} {where}")
            raise
        with Store.open(tmp_path / "data", LATER) as store:
            newest = store.sessions(limit=1)
        interrupted += bool(newest) and newest[0].status is Status.INTERRUPTED
    # most moments are in the middle of a session: otherwise nothing was tested
    assert interrupted > kills // 2, f"seed {seed}: {interrupted} of {kills}"


def demo_run(data: Path) -> subprocess.Popen[str]:
    """The app in virtual time. Its pipe holds one page, so that it cannot run ahead to its end before it is killed."""
    return subprocess.Popen(
        [sys.executable, "-m", "companion", "run", "full-face", "--demo", "dr05", "--speed", "max", "--json", "--yes"],
        env={**os.environ, "COMPANION_DATA": str(data), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pipesize=4096,
    )


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_demo_session_killed_at_random_moments_is_whole_up_to_what_it_told(tmp_path: Path, kills: int) -> None:
    """The same with the whole app: engine, connection, virtual radio and device, every line it printed is kept."""
    seed = 20260302
    chance = random.Random(seed)
    for kill in range(1, kills + 1):
        lines = chance.randrange(1, 600)  # of about 760
        process = demo_run(tmp_path)
        assert process.stdout is not None
        told = list(itertools.islice(process.stdout, lines))
        process.kill()
        # a line cut off by the kill was kept as well, but cannot be compared
        told += [line for line in process.stdout if line.endswith("\n")]
        _, complaint = process.communicate()
        where = f"seed {seed}, kill {kill} after {lines} lines: {complaint}"
        assert process.returncode == -signal.SIGKILL, where
        with Store.open(tmp_path / "demo", LATER) as store:
            assert store.recover() == [kill], where
            kept = io.StringIO()
            account = JsonAccount(Lines(kept, flush=False))
            for t, entry in store.entries(kill):
                account.tell(t, entry)
        assert kept.getvalue().startswith("".join(told)), where
        assert len(told) >= lines, where
