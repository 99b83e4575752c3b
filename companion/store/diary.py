"""What a person keeps beside their sessions: drinks, skin checks, the patch test, words and photos, choices.

One person's, and nobody else's: every statement here names them. Refuses to judge any of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from companion.care.skin import PATCH_AGREED, PEELS, RESTS_NOTED, SPECIAL_CARE
from companion.dates import Calendar
from companion.store.faults import StoreError, damaged, explained
from companion.store.rows import to_json

T = TypeVar("T")
Place = Literal["forearm", "jaw", "declined"]
PatchOutcome = Literal["calm", "reaction"]
MOST_ML = 2000
"""No drink is larger: what is more is a slip of the finger."""

KEPT = timedelta(days=15)
"""How long it is remembered which reminders were told (``companion.care.reminders.KEPT``)."""


@dataclass(frozen=True, slots=True)
class Drink:
    """One drink of ``ml`` millilitres."""

    id: int
    at: datetime
    ml: int


@dataclass(frozen=True, slots=True)
class SkinCheck:
    """How the skin was, each from 1 (not at all) to 5 (very)."""

    id: int
    at: datetime
    dryness: int
    redness: int
    irritation: int


@dataclass(frozen=True, slots=True)
class PatchTest:
    """The test before the first use: where, and what came of it; None until the person says so."""

    id: int
    at: datetime
    place: Place
    outcome: PatchOutcome | None
    note: str


@dataclass(frozen=True, slots=True)
class Remark:
    """A person's own words on a session, and paths of photos, which are never copied."""

    text: str
    photos: tuple[str, ...]


class Diary:
    """One person's. Every method raises :class:`StoreError` where the database cannot be read or written."""

    def __init__(self, connection: sqlite3.Connection, path: Path, calendar: Calendar, person: int) -> None:
        self._connection = connection
        self._path = path
        self._calendar = calendar
        self._person = person

    # --- choices ------------------------------------------------------------------------------------------------------

    def choice(self, name: str, kind: type[T]) -> T | None:
        """What the person chose under that name, as a ``kind``; None where they chose nothing yet."""
        with self._reading():
            row = self._connection.execute(
                "SELECT value FROM choice WHERE person_id = ? AND name = ?", (self._person, name)
            ).fetchone()
            return None if row is None else msgspec.json.decode(row[0], type=kind)

    def choose(self, name: str, value: object) -> None:
        """Keep a choice; None forgets it."""
        with explained(self._path):
            if value is None:
                self._connection.execute("DELETE FROM choice WHERE person_id = ? AND name = ?", (self._person, name))
                return
            self._connection.execute(
                "INSERT INTO choice (person_id, name, value) VALUES (?, ?, ?)"
                " ON CONFLICT (person_id, name) DO UPDATE SET value = excluded.value",
                (self._person, name, to_json(value)),
            )

    # --- water --------------------------------------------------------------------------------------------------------

    def drink(self, ml: int, at: datetime | None = None) -> None:
        """Log a drink, now unless told otherwise.

        Raises:
            ValueError: ``ml`` is outside 1 to 2000.
        """
        if not 1 <= ml <= MOST_ML:
            raise ValueError(f"a drink is 1 to {MOST_ML} mL, not {ml}")
        with explained(self._path):
            self._connection.execute(
                "INSERT INTO drink (person_id, at, ml) VALUES (?, ?, ?)",
                (self._person, (at or self._calendar.now()).isoformat(), ml),
            )

    def undo_drink(self) -> Drink | None:
        """Take the last logged drink back and return it; None where there is none."""
        with self._reading():
            row = self._connection.execute(
                "SELECT id, at, ml FROM drink WHERE person_id = ? ORDER BY id DESC LIMIT 1", (self._person,)
            ).fetchone()
            if row is None:
                return None
            number, at, ml = row
            last = Drink(number, datetime.fromisoformat(at), ml)
            self._connection.execute("DELETE FROM drink WHERE id = ? AND person_id = ?", (last.id, self._person))
        return last

    def drinks(self, since: datetime | None = None) -> list[Drink]:
        """The drinks logged, in the order of logging; those from ``since`` on where given."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT id, at, ml FROM drink WHERE person_id = ? AND at >= ? ORDER BY id",
                (self._person, "" if since is None else _well_before(since)),
            )
            drinks = [Drink(number, datetime.fromisoformat(at), ml) for number, at, ml in rows]
        if since is None:
            return drinks
        return [drink for drink in drinks if drink.at.astimezone(UTC) >= since.astimezone(UTC)]

    # --- skin ---------------------------------------------------------------------------------------------------------

    def check_skin(self, dryness: int, redness: int, irritation: int) -> None:
        """Keep how the skin is now, each from 1 to 5.

        Raises:
            ValueError: one of them is outside 1 to 5.
        """
        for name, value in (("dryness", dryness), ("redness", redness), ("irritation", irritation)):
            if not 1 <= value <= 5:
                raise ValueError(f"{name} is 1 to 5, not {value}")
        with explained(self._path):
            self._connection.execute(
                "INSERT INTO skin_check (person_id, at, dryness, redness, irritation) VALUES (?, ?, ?, ?, ?)",
                (self._person, self._calendar.now().isoformat(), dryness, redness, irritation),
            )

    def skin_checks(self, since: datetime | None = None) -> list[SkinCheck]:
        """The skin checks in order, from ``since`` on where given."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT id, at, dryness, redness, irritation FROM skin_check"
                " WHERE person_id = ? AND at >= ? ORDER BY id",
                (self._person, "" if since is None else _well_before(since)),
            )
            checks = [SkinCheck(number, datetime.fromisoformat(at), *scores) for number, at, *scores in rows]
        if since is None:
            return checks
        return [check for check in checks if check.at.astimezone(UTC) >= since.astimezone(UTC)]

    def last_skin_checks(self, count: int) -> list[SkinCheck]:
        """The ``count`` skin checks that were made last, in order."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT id, at, dryness, redness, irritation FROM skin_check"
                " WHERE person_id = ? ORDER BY id DESC LIMIT ?",
                (self._person, count),
            )
            return [SkinCheck(number, datetime.fromisoformat(at), *scores) for number, at, *scores in rows][::-1]

    def begin_patch_test(self, place: Place, note: str = "", at: datetime | None = None) -> None:
        """Keep that the patch test was done at ``place``, or declined with a note; now unless told otherwise."""
        with explained(self._path):
            self._connection.execute(
                "INSERT INTO patch_test (person_id, at, place, note) VALUES (?, ?, ?, ?)",
                (self._person, (at or self._calendar.now()).isoformat(), place, note),
            )

    def forget_skin(self) -> None:
        """Forget every skin check and patch test, and whatever else was noted of the skin."""
        for name in (SPECIAL_CARE, PEELS, RESTS_NOTED, PATCH_AGREED):
            self.choose(name, None)
        with explained(self._path):
            self._connection.execute("DELETE FROM skin_check WHERE person_id = ?", (self._person,))
            self._connection.execute("DELETE FROM patch_test WHERE person_id = ?", (self._person,))

    def end_patch_test(self, outcome: PatchOutcome, note: str = "") -> bool:
        """Keep what came of the patch test; False where none waits for an outcome."""
        test = self.patch_test()
        if test is None or test.outcome is not None or test.place == "declined":
            return False
        with explained(self._path):
            self._connection.execute(
                "UPDATE patch_test SET outcome = ?, note = ? WHERE id = ? AND person_id = ?",
                (outcome, note or test.note, test.id, self._person),
            )
        return True

    def patch_test(self) -> PatchTest | None:
        """The newest patch test; None where there was none."""
        return next(reversed(self.patch_tests()), None)

    def patch_tests(self) -> list[PatchTest]:
        """Every patch test, in order: a reaction is not undone by what was noted after it."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT id, at, place, outcome, note FROM patch_test WHERE person_id = ? ORDER BY id", (self._person,)
            )
            return [
                PatchTest(number, datetime.fromisoformat(at), place, outcome, note)
                for number, at, place, outcome, note in rows
            ]

    # --- words and photos ---------------------------------------------------------------------------------------------

    def remark(self, session_id: int) -> Remark | None:
        """What was said of a session; None where nothing was, or it is not this person's."""
        with self._reading():
            row = self._connection.execute(
                "SELECT text, photos FROM remark JOIN session ON session.id = remark.session_id"
                " WHERE session_id = ? AND person_id = ?",
                (session_id, self._person),
            ).fetchone()
            return None if row is None else Remark(row[0], msgspec.json.decode(row[1], type=tuple[str, ...]))

    def remarks(self, since: int = 0) -> dict[int, Remark]:
        """What was said of each session of this person's, by its number; those of which nothing was are left out.

        ``since``: of sessions of that number or a higher one.
        """
        with self._reading():
            rows = self._connection.execute(
                "SELECT session_id, text, photos FROM remark JOIN session ON session.id = remark.session_id"
                " WHERE session_id >= ? AND person_id = ?",
                (since, self._person),
            )
            return {
                number: Remark(text, msgspec.json.decode(photos, type=tuple[str, ...])) for number, text, photos in rows
            }

    def say(self, session_id: int, text: str, photos: Sequence[str] = ()) -> bool:
        """Keep words and photos' paths on a session, in place of earlier ones; False where it is not this person's."""
        with explained(self._path):
            kept = self._connection.execute(
                "INSERT INTO remark (session_id, text, photos)"
                " SELECT id, ?, ? FROM session WHERE id = ? AND person_id = ?"
                " ON CONFLICT (session_id) DO UPDATE SET text = excluded.text, photos = excluded.photos",
                (text, json.dumps(list(photos)), session_id, self._person),
            )
            return kept.rowcount > 0

    # --- reminders ----------------------------------------------------------------------------------------------------

    def claim(self, key: str, at: datetime) -> bool:
        """True for the first caller with that key, and for nobody after, whichever process asks.

        Keys of more than :data:`KEPT` before ``at`` (aware) are forgotten: no reminder is of use for as long.
        """
        with explained(self._path):
            claimed = self._connection.execute(
                "INSERT INTO reminded (person_id, key, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (self._person, key, at.isoformat()),
            )
            if not claimed.rowcount:
                return False
            self._connection.execute(
                "DELETE FROM reminded WHERE person_id = ? AND at < ?", (self._person, _well_before(at - KEPT))
            )
            return True

    def fired(self, since: datetime) -> dict[str, datetime]:
        """The keys that were claimed at ``since`` or later (aware), each with its moment."""
        with self._reading():
            rows = self._connection.execute(
                "SELECT key, at FROM reminded WHERE person_id = ? AND at >= ?", (self._person, _well_before(since))
            )
            moments = {key: datetime.fromisoformat(at) for key, at in rows}
        return {key: at for key, at in moments.items() if at.astimezone(UTC) >= since.astimezone(UTC)}

    def claimed(self, key: str) -> bool:
        """Whether a reminder of that key was given."""
        with explained(self._path):
            row = self._connection.execute(
                "SELECT 1 FROM reminded WHERE person_id = ? AND key = ?", (self._person, key)
            ).fetchone()
            return row is not None

    def snooze(self, key: str, until: datetime) -> None:
        """Let a reminder rest until then."""
        with explained(self._path):
            self._connection.execute(
                "INSERT INTO snoozed (person_id, key, until) VALUES (?, ?, ?)"
                " ON CONFLICT (person_id, key) DO UPDATE SET until = excluded.until",
                (self._person, key, until.isoformat()),
            )

    def snoozed(self) -> dict[str, datetime]:
        """Reminders that rest, and until when."""
        with self._reading():
            rows = self._connection.execute("SELECT key, until FROM snoozed WHERE person_id = ?", (self._person,))
            return {key: datetime.fromisoformat(until) for key, until in rows}

    def forget_snoozes(self, before: datetime) -> None:
        """Forget which reminders rested until ``before`` (aware) or earlier."""
        old = [key for key, until in self.snoozed().items() if until.astimezone(UTC) <= before.astimezone(UTC)]
        with explained(self._path):
            for key in old:
                self._connection.execute("DELETE FROM snoozed WHERE person_id = ? AND key = ?", (self._person, key))

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Rows that do not decode are damage like any other."""
        with explained(self._path):
            try:
                yield
            except (msgspec.MsgspecError, ValueError) as error:
                raise StoreError(damaged(self._path)) from error


def _well_before(moment: datetime) -> str:
    """Text before which no row of ``moment`` or later sorts, whatever its offset: rows are then looked at one by one.

    Text of moments with different offsets does not sort by time, but no two offsets are further apart than 26 hours.
    """
    return (moment.astimezone(UTC) - timedelta(days=2)).isoformat()
