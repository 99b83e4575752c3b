"""The hand that writes one session down while it runs.

Knows transactions and the session lock; refuses to know what an entry means.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from companion.dates import Calendar
from companion.session.journal import JournalError
from companion.session.model import JournalEntry, Summary
from companion.store.faults import cause
from companion.store.lock import SessionLock
from companion.store.rows import to_json

_APPEND = "INSERT INTO entry (session_id, number, t, kind, data) VALUES (?, ?, ?, ?, ?)"


class SessionWriter:
    """Writes one session down while it runs, and holds the session lock meanwhile."""

    def __init__(self, connection: sqlite3.Connection, calendar: Calendar, lock: SessionLock, session_id: int) -> None:
        self.session_id = session_id
        self._connection = connection
        self._calendar = calendar
        self._lock = lock
        self._count = 0
        self._open = True
        # A checkpoint syncs twice and copies every page, a stall of tens of milliseconds on a slow disk in the middle
        # of a stop (H3). A session's WAL stays under 10 MB, so it waits for the end.
        connection.execute("PRAGMA wal_autocheckpoint = 0")

    def append(self, entries: Sequence[JournalEntry], t: float) -> None:
        """Keep ``entries`` at ``t`` seconds since the session's start, all or none, in one transaction.

        Raises:
            JournalError: nothing of this call was kept; what was kept before stays.
        """
        with self._writing():
            rows = [
                (self.session_id, self._count + index, t, entry.kind.value, to_json(entry.data))
                for index, entry in enumerate(entries)
            ]
            if len(rows) == 1:
                # One statement is a transaction by itself, and most calls have one entry: a third less work.
                self._connection.execute(_APPEND, rows[0])
            else:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany(_APPEND, rows)
                self._connection.execute("COMMIT")
        self._count += len(rows)

    def finish(self, summary: Summary) -> None:
        """Keep how the session ended, safe from a power cut too, and let go of the session lock.

        Raises:
            JournalError: the end was not kept, and the session will show as interrupted.
        """
        try:
            with self._writing():
                # One sync of the WAL covers every commit before it.
                self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.execute(
                    "UPDATE session SET ended_at = ?, summary = ? WHERE id = ? AND ended_at IS NULL",
                    (self._calendar.now().isoformat(), to_json(summary), self.session_id),
                )
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the session lock. A session without :meth:`finish` will show as interrupted. Harmless twice."""
        if not self._open:
            return
        self._open = False
        self._lock.release()
        try:
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA wal_autocheckpoint = 1000")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            # Everything is in the WAL, where the next start finds it; a checkpoint is housekeeping.
            return

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if not self._open:
            raise JournalError("the session has ended, nothing can be added to it")
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._roll_back()
            raise JournalError(cause(error)) from error
        except TypeError as error:
            # A value that JSON does not have is our own defect; still, a session that cannot be told must not go on.
            raise JournalError(f"an entry has a value that cannot be kept, {error}") from error

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            # SQLite has rolled back by itself, or the connection is beyond help: either way nothing was kept.
            return
