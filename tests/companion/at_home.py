"""Somebody at home for tests: a data folder of their own, a clock that tests turn, sessions, and the command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from companion import cli
from companion.almanac import Almanac
from companion.care.screening import QUESTIONS
from companion.config import Exit
from companion.dates import Calendar
from companion.integrations.timers import Machine, Ran
from companion.session.model import JournalEntry, JournalKind, Reason, Summary
from companion.store.database import Store

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
"""Nine in the morning in Berlin, and the first day of a week."""

CLEAR = {question.id: "no" for question in QUESTIONS}
PACEMAKER = {**CLEAR, "implant": "yes"}


@dataclass(slots=True)
class Said:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def fine(self) -> Said:
        assert (self.code, self.err) == (Exit.FINISHED, ""), self
        return self

    def refused(self, code: Exit, *parts: str) -> None:
        """One line that names what is wrong, and nothing else."""
        assert self.code == code, self
        assert self.out == "", self
        assert self.err.startswith("companion: "), self
        assert self.err.count("\n") == 1, self
        for part in parts:
            assert part in self.err, self


class AtHome:
    """``now`` is what the calendar says; a command line runs in this process, and everything lies in ``folder``."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.now = MONDAY
        self.calendar = Calendar(lambda: self.now)
        self._capsys = capsys

    def run(self, line: str, **places: object) -> Said:
        """Run a command line; ``{name}`` in it stands for one of ``places``, whatever is in it."""
        self._capsys.readouterr()
        code = cli.main([word.format(**places) for word in shlex.split(line)])
        told = self._capsys.readouterr()
        return Said(code, told.out, told.err)

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)

    def store(self, person: str | None = None, *, demo: bool = False) -> Store:
        return Store.open(self.folder / "demo" if demo else self.folder, self.calendar, person=person)

    def almanac(self, store: Store, *, demo: bool = False, zone: ZoneInfo = BERLIN) -> Almanac:
        return Almanac(store, self.calendar, zone=zone, demo=demo)

    def held(
        self,
        store: Store,
        *,
        minutes: float = 12,
        zones: Mapping[str, float] | None = None,
        demo: bool = False,
        routine: str = "full-face",
    ) -> int:
        """Hold a session that ends now, with output in ``zones`` (seconds); return its number."""
        zones = {"chin": 60.0} if zones is None else zones
        end, self.now = self.now, self.now - timedelta(minutes=minutes)
        writer = store.begin_session(routine, "Dr-05", "dr05", "dr05", demo=demo)
        self.now = end
        output = sum(zones.values())
        writer.finish(Summary(Reason.COMPLETED, dict(zones), 30 if zones else 0, output, minutes * 60))
        return writer.session_id

    def cut_off(self, store: Store, *, output: bool, demo: bool = False) -> int:
        """Begin a session that is never finished, with output commanded or not; return its number."""
        writer = store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo=demo)
        level = JournalEntry(JournalKind.INTENSITY, {"command": "start", "zone": "chin", "percent": 5})
        step = JournalEntry(JournalKind.STEP, {"index": 0})
        writer.append([step, level] if output else [step], 90.0)
        writer.close()
        return writer.session_id


class Timers:
    """A Linux computer for the reminders' timer: its home is a folder, and systemd agrees to everything."""

    def __init__(self, home: Path) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.machine = Machine("linux", home, {}, 1000, self._run)

    def _run(self, argv: Any) -> Ran:
        self.ran.append(tuple(argv))
        return Ran(0)
