"""What was done, written down before it is done: the journal that a session runner writes to.

Knows that entries must be kept before the commands they speak of leave; refuses to know how a database works.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from companion.config import CompanionError
from companion.session.model import JournalEntry, Summary

if TYPE_CHECKING:
    from companion.store.database import SessionWriter

Listener = Callable[[float, JournalEntry], None]


class JournalError(CompanionError):
    """Entries could not be kept. Output must stop and the person must be told; what was kept before stays.

    The message is the cause in a few words ("the disk is full"), for the sentence that tells the person.
    """


class Journal(Protocol):
    """Where a session is written down. When a call returns, what it was given survives the death of this process."""

    def append(self, entries: Sequence[JournalEntry], t: float) -> None:
        """Keep ``entries``, all or none of them, at ``t`` seconds since the session's start.

        Raises:
            JournalError: nothing of this call was kept.
        """

    def finish(self, summary: Summary) -> None:
        """Keep how the session ended; nothing may be appended afterwards.

        Raises:
            JournalError: the end was not kept, and the session will show as interrupted.
        """


class StoreJournal:
    """A journal in the store, whose listeners hear of an entry only once it is kept.

    So whatever a face of the app tells (a line of ``companion run --json``) is in the database already.
    """

    def __init__(self, writer: SessionWriter, *listeners: Listener) -> None:
        self._writer = writer
        self._listeners = listeners

    @property
    def session_id(self) -> int:
        """The session's number in the history."""
        return self._writer.session_id

    def append(self, entries: Sequence[JournalEntry], t: float) -> None:
        """Keep ``entries``, then tell the listeners.

        Raises:
            JournalError: nothing of this call was kept, and no listener heard of it.
        """
        self._writer.append(entries, t)
        for entry in entries:
            for listener in self._listeners:
                listener(t, entry)

    def finish(self, summary: Summary) -> None:
        """Keep how the session ended and let go of the session lock.

        Raises:
            JournalError: the end was not kept, and the session will show as interrupted.
        """
        self._writer.finish(summary)

    def close(self) -> None:
        """Let go of the session lock; a session without an end will show as interrupted. Harmless after finish."""
        self._writer.close()
