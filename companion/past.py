"""What was done, for the screens that show it again: the almanac's sessions with their journals and remarks.

One person's, as the store was opened for them. Writes nothing but the person's own words on a session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from companion.almanac import Almanac, Session
    from companion.session.model import JournalEntry
    from companion.store.database import Store
    from companion.store.diary import SkinCheck


class Past:
    """Every method raises ``StoreError`` where the database cannot be read or written."""

    def __init__(self, almanac: Almanac, store: Store) -> None:
        self._almanac = almanac
        self._store = store

    def count_sessions(self, *, begun: bool = False) -> int:
        """How many sessions there are; with ``begun``, without those that never began."""
        return self._almanac.count_sessions(begun=begun)

    def sessions(self, limit: int | None = None, before: int | None = None) -> list[Session]:
        """The newest sessions first, at most ``limit``; where given, those of a lower number than ``before``."""
        return self._almanac.sessions(limit, before)

    def last_skin_checks(self, count: int) -> list[SkinCheck]:
        """The ``count`` skin checks that were made last, in order."""
        return self._almanac.last_skin_checks(count)

    def entries(self, session_id: int) -> list[tuple[float, JournalEntry]]:
        """The journal of a session in order: seconds since its start, and the entry."""
        return self._store.entries(session_id)

    def say(self, session_id: int, text: str, photos: Sequence[str] = ()) -> bool:
        """Keep words and photos' paths on a session; False where it is not this person's."""
        return self._store.diary.say(session_id, text, photos)
