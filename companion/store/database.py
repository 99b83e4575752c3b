"""The store: one SQLite database in the data folder, opened for one person of the household.

Knows rows; refuses to judge a screening answer or a session. Belongs to the thread that opened it. Whatever it reads
and writes is that person's: there is no call that gives another's.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from companion.care.screening import VERSION
from companion.config import state_folder
from companion.dates import Calendar
from companion.session.interlocks import PastSession
from companion.session.model import NOT_BEGUN, JournalEntry, JournalKind
from companion.store.devices import Devices
from companion.store.diary import Diary
from companion.store.everything import everything
from companion.store.faults import StoreError, damaged, explained
from companion.store.lock import HeldElsewhereError, SessionLock
from companion.store.people import People, PersonError, zones_as_json
from companion.store.rows import (
    COMMANDED,
    OUTCOME,
    SESSION_COLUMNS,
    Held,
    Person,
    Screening,
    SessionRecord,
    Status,
    session_record,
    to_json,
)
from companion.store.schema import check_header, migrate
from companion.store.seal import Seals
from companion.store.writer import SessionWriter

__all__ = [
    "Held",
    "Person",
    "PersonError",
    "Screening",
    "SessionRecord",
    "SessionWriter",
    "Status",
    "Store",
    "StoreError",
]

DATABASE_NAME = "companion.sqlite3"
_LAST = 2**63 - 1  # the largest row id (sqlite.org/autoinc.html)

# Waiting for another program's write blocks the event loop, and with it the stop key; 0.2 s leaves the safety case's
# 0.5 s for a stop intact (H3). At start-up nothing runs yet, so patience costs nothing.
_PATIENCE_OPENING_S = 2.0
_PATIENCE_RUNNING_MS = 200


class Store:
    """The database of one data folder, as one person of it sees it.

    Make one with :meth:`open`; use it as a context manager or :meth:`close` it. ``people`` are all of the household and
    ``devices`` what they paired; ``diary`` is what this person keeps beside their sessions.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, calendar: Calendar, person: str | None) -> None:
        self._connection = connection
        self._path = path
        self._calendar = calendar
        self._seals = Seals(state_folder(path.parent))
        self.people = People(connection, path)
        self.devices = Devices(connection, path, calendar)
        self._person_id = self.people.chosen() if person is None else self.people.find(person)
        self.diary = Diary(connection, path, calendar, self._person_id)

    @classmethod
    def open(cls, folder: Path, calendar: Calendar, *, person: str | None = None) -> Store:
        """Open the database in ``folder``, making both where they are missing, and bring it up to date.

        ``person`` is the name of whose data it shall show; None: of whoever's turn it is.

        Raises:
            StoreError: the folder is read-only, the database is damaged, in use, or from a newer version of the app.
            PersonError: nobody is called so.
        """
        path = folder / DATABASE_NAME
        with explained(folder):
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o700)  # health answers: nobody else's business
        with explained(path):
            # Made here and not by SQLite, for its mode: the WAL and the shared memory take theirs from it.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            check_header(path)
            connection = sqlite3.connect(path, timeout=_PATIENCE_OPENING_S, isolation_level=None)
        try:
            with explained(path):
                connection.execute("PRAGMA journal_mode = WAL")
                # In WAL mode a commit has reached the operating system whatever this pragma says, so it survives the
                # death of this process (SIGKILL) without a sync. A power cut may take the last commits of NORMAL,
                # never the file's integrity; `finish` syncs all of them (sqlite.org/pragma.html#pragma_synchronous).
                connection.execute("PRAGMA synchronous = NORMAL")
                migrate(connection, path)
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten, too
                connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_RUNNING_MS:d}")
            return cls(connection, path, calendar, person)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the database; harmless when it is closed already."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def remove_person(self, name: str, *, successor: str = "") -> None:
        """Forget a person and all that is theirs, copies from before a change of the database's shape included.

        ``successor``: should nobody else be left, somebody of that name begins anew in their place.

        Raises:
            PersonError: there is no such person, or nobody would be left.
            StoreError: a session is running, or it cannot be written.
        """
        lock = self._take_lock()
        try:
            with explained(self._path):
                self._seals.forget(self.people.remove(name, successor=successor))
                for copy in self._path.parent.glob(f"{self._path.stem}-before-version-*"):
                    copy.unlink()
        finally:
            lock.release()

    # --- the person ---------------------------------------------------------------------------------------------------

    def person(self) -> Person:
        """What holds for the person across sessions.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._reading():
            name, comfortable, neck, no_go = self._connection.execute(
                "SELECT name, comfortable_percent, neck, no_go FROM person WHERE id = ?", (self._person_id,)
            ).fetchone()
            zones = frozenset(msgspec.json.decode(no_go, type=list[str]))
            # The oldest first: who has ever held one has done so in the beginning.
            with closing(self._with_output(demo=False, after=0, order="ASC")) as held:
                first_session = not any(one.zones for one in held)
        return Person(self._person_id, name, comfortable, first_session, bool(neck), zones)

    def everything(self) -> dict[str, Any]:
        """All that is kept of the person, table by table: their own copy.

        Raises:
            StoreError: it cannot be read.
        """
        with self._reading():
            return everything(self._connection, self._person_id)

    def set_comfortable(self, percent: int) -> None:
        """Keep the person's comfortable maximum in percent of full scale.

        Raises:
            StoreError: it cannot be written.
            ValueError: ``percent`` is outside 0 to 100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"a comfortable maximum is 0 to 100 percent, not {percent}")
        with explained(self._path):
            self._connection.execute(
                "UPDATE person SET comfortable_percent = ? WHERE id = ?", (percent, self._person_id)
            )

    def set_zones(self, *, neck: bool, no_go: Collection[str]) -> None:
        """Keep whether the person wishes to treat the sides of the neck, and the zones that they never treat.

        Raises:
            StoreError: it cannot be written.
            ValueError: there is no such zone.
        """
        zones = zones_as_json(no_go)
        with explained(self._path):
            self._connection.execute(
                "UPDATE person SET neck = ?, no_go = ? WHERE id = ?", (neck, zones, self._person_id)
            )

    def save_screening(self, answers: Mapping[str, Any], version: int = VERSION) -> None:
        """Keep the answers to a completed screening of ``version``, dated now; earlier ones stay.

        Raises:
            StoreError: they cannot be written.
        """
        self._keep_screening(self._calendar.now().isoformat(), version, answers)

    def amend_screening(self, answers: Mapping[str, Any]) -> None:
        """Keep ``answers`` in the place of the last ones, of the same date and version: they get no younger.

        Raises:
            StoreError: they cannot be written.
            ValueError: there is no screening that counts.
        """
        screening = self.screening()
        if screening is None:
            raise ValueError("there are no answers to be amended")
        self._keep_screening(screening.at.isoformat(), screening.version, answers)

    def _keep_screening(self, at: str, version: int, answers: Mapping[str, Any]) -> None:
        kept = to_json(answers)
        with explained(self._path):
            # The seal first: should the row not follow, the seal fits nothing, and the questions are asked again.
            self._seals.seal(self._person_id, at, version, kept)
            self._connection.execute(
                "INSERT INTO screening (person_id, at, version, answers) VALUES (?, ?, ?, ?)",
                (self._person_id, at, version, kept),
            )

    def screening(self) -> Screening | None:
        """The screening that was completed last, or None: also where the answers are not those that were given.

        Raises:
            StoreError: it cannot be read.
        """
        with self._reading():
            row = self._connection.execute(
                "SELECT answers, version, at FROM screening WHERE person_id = ? ORDER BY id DESC LIMIT 1",
                (self._person_id,),
            ).fetchone()
            if row is None:
                return None
            answers, version, at = row
            if not self._seals.matches(self._person_id, at, version, answers):
                return None
            return Screening(msgspec.json.decode(answers), version, datetime.fromisoformat(at))

    # --- sessions -----------------------------------------------------------------------------------------------------

    def begin_session(
        self, routine: str, device_name: str, device_key: str, protocol: str, demo: bool
    ) -> SessionWriter:
        """Begin a session and hold the session lock until its writer is finished or closed.

        ``device_key`` is the key of the device's profile, ``protocol`` that of its registry entry.

        Raises:
            StoreError: another session is running, or the database cannot be written.
        """
        lock = self._take_lock()
        try:
            with explained(self._path):
                self._mark_interrupted()
                session_id = self._connection.execute(
                    "INSERT INTO session (person_id, routine, device_name, device_key, protocol, demo, started_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        self._person_id,
                        routine,
                        device_name,
                        device_key,
                        protocol,
                        demo,
                        self._calendar.now().isoformat(),
                    ),
                ).lastrowid
        except BaseException:
            lock.release()
            raise
        if session_id is None:  # an INSERT that succeeded has a row id (sqlite.org/c3ref/last_insert_rowid.html)
            raise AssertionError("SQLite gave no row id")
        return SessionWriter(self._connection, self._calendar, lock, session_id)

    def recover(self) -> list[int]:
        """Mark every session without an end as interrupted, unless one is live; return the ids of those marked.

        Raises:
            StoreError: the database cannot be read or written.
        """
        lock = SessionLock(self._path.parent)
        with explained(self._path):
            try:
                lock.take()
            except HeldElsewhereError:
                return []
            try:
                return self._mark_interrupted()
            finally:
                lock.release()

    def sessions(self, limit: int | None = None, before: int | None = None) -> list[SessionRecord]:
        """The newest sessions first, at most ``limit`` of them; where given, those of a lower number than ``before``.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._reading():
            rows = self._connection.execute(
                f"SELECT {SESSION_COLUMNS} FROM session WHERE person_id = ? AND id < ? ORDER BY id DESC LIMIT ?",  # noqa: S608 - constant column names
                (self._person_id, _LAST if before is None else before, -1 if limit is None else limit),
            )
            return [session_record(row) for row in rows]

    def count_sessions(self, *, begun: bool = False) -> int:
        """How many sessions there are, whatever their end; with ``begun``, without those that never began.

        Raises:
            StoreError: the database cannot be read.
        """
        with explained(self._path):
            (count,) = self._connection.execute(
                "SELECT count(*) FROM session WHERE person_id = ?"
                " AND (NOT ? OR summary IS NULL OR json_extract(summary, '$.reason') NOT IN (?, ?))",
                (self._person_id, begun, *NOT_BEGUN),
            ).fetchone()
        return int(count)

    def session(self, session_id: int) -> SessionRecord | None:
        """One session, or None where there is none of that number.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._reading():
            row = self._connection.execute(
                f"SELECT {SESSION_COLUMNS} FROM session WHERE id = ? AND person_id = ?",  # noqa: S608 - constant column names
                (session_id, self._person_id),
            ).fetchone()
            return None if row is None else session_record(row)

    def entries(self, session_id: int) -> list[tuple[float, JournalEntry]]:
        """The journal of a session in order: seconds since its start, and the entry. Empty for an unknown id.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._reading():
            rows = self._connection.execute(
                "SELECT t, kind, data FROM entry JOIN session ON session.id = session_id"
                " WHERE session_id = ? AND person_id = ? ORDER BY number",
                (session_id, self._person_id),
            )
            return [(t, JournalEntry(JournalKind(kind), msgspec.json.decode(data))) for t, kind, data in rows]

    def past_sessions(self) -> list[PastSession]:
        """Sessions with output on a real device, newest first: what the rest rule judges by (H6).

        An interrupted session, and one that is still running, counts with every zone that it commanded output in.

        Raises:
            StoreError: the database cannot be read.
        """
        return [PastSession(ended_at=held.ended_at, zones=held.zones) for held in self.held() if held.zones]

    def held(self, *, demo: bool = False, after: int = 0) -> list[Held]:
        """Sessions with output, however little, newest first: with real devices, or with simulated ones (``demo``).

        ``after``: only those of a higher number. A session that has ended stays as it is.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._reading():
            return list(self._with_output(demo=demo, after=after, order="DESC"))

    def _with_output(self, *, demo: bool, after: int, order: Literal["ASC", "DESC"]) -> Generator[Held]:
        """The sessions with output one by one, for those who need not see all; to be taken within :meth:`_reading`."""
        rows = self._connection.execute(
            "SELECT id, started_at, ended_at, summary FROM session"  # noqa: S608 - constants
            # a constant, for those of real devices have an index of their own
            f" WHERE person_id = ? AND demo = {demo:d} AND id > ? ORDER BY id {order}",
            (self._person_id, after),
        )
        same: dict[frozenset[str], frozenset[str]] = {}  # thousands of sessions have but a few sets of zones
        with closing(rows):
            for number, started, ended, summary in rows:
                outcome = None if summary is None else OUTCOME.decode(summary)
                zones = self._commanded(number) if outcome is None else outcome.zones
                if not zones and (outcome is None or not outcome.output_s > 0):
                    continue
                began = datetime.fromisoformat(started)
                over = self._last_sign(number, began) if ended is None else datetime.fromisoformat(ended)
                lasted_s = _seconds(began, over) if outcome is None else outcome.elapsed_s
                yield Held(number, began, over, same.setdefault(zones, zones), lasted_s / 60, ended is None)

    def zones_with_output(self, session_id: int) -> frozenset[str]:
        """Zones that output was commanded in: kept before the command left, so none is missing after a crash.

        Raises:
            StoreError: the database cannot be read.
        """
        with self._reading():
            return self._commanded(session_id)

    def _commanded(self, session_id: int) -> frozenset[str]:
        rows = self._connection.execute(
            "SELECT data FROM entry JOIN session ON session.id = session_id"
            " WHERE session_id = ? AND person_id = ? AND kind = ?",
            (session_id, self._person_id, JournalKind.INTENSITY.value),
        )
        named = (COMMANDED.decode(data).zone for (data,) in rows)
        return frozenset(zone for zone in named if isinstance(zone, str))

    def _last_sign(self, session_id: int, began: datetime) -> datetime:
        (last,) = self._connection.execute("SELECT max(t) FROM entry WHERE session_id = ?", (session_id,)).fetchone()
        return began + timedelta(seconds=last or 0.0)

    def _mark_interrupted(self) -> list[int]:
        """To be called with the session lock held: whoever holds it knows that no session is live."""
        with self._reading():
            rows = self._connection.execute(
                f"SELECT {SESSION_COLUMNS} FROM session WHERE ended_at IS NULL ORDER BY id"  # noqa: S608 - constant column names
            ).fetchall()
            ended = [(self._last_sign(one.id, one.started_at).isoformat(), one.id) for one in map(session_record, rows)]
        for row in ended:
            self._connection.execute("UPDATE session SET ended_at = ?, interrupted = 1 WHERE id = ?", row)
        return [session_id for _, session_id in ended]

    def _take_lock(self) -> SessionLock:
        lock = SessionLock(self._path.parent)
        with explained(self._path.parent):
            try:
                lock.take()
            except HeldElsewhereError as error:
                where = f" (process {error.holder})" if error.holder else ""
                raise StoreError(
                    f"a session is running already{where} with the data in {self._path.parent}; end that one first"
                ) from None
        return lock

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Rows that do not decode are damage like any other."""
        with explained(self._path):
            try:
                yield
            except (msgspec.MsgspecError, ValueError) as error:
                raise StoreError(damaged(self._path)) from error


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end.astimezone(UTC) - start.astimezone(UTC)).total_seconds())
