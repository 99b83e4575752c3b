"""The session records of the simulated OMP device: what is kept, what has been reported, what may be deleted.

Records outlive power loss; what was reported is forgotten with the power, so that nothing unread is ever deleted.
Refuses to know who asks, when a piece leaves, and what a record says.
"""

from __future__ import annotations

from collections import deque

from protocols.omp_record import RecordChunk, SessionRecord, chunks

CAPACITY = 64
"""Records kept; the oldest makes room for the sixty-fifth."""


class RecordStore:
    """Records in the order of their session ids."""

    def __init__(self) -> None:
        self._records: dict[int, SessionRecord] = {}
        self._reported: set[int] = set()
        self._pieces: deque[RecordChunk] = deque()

    @property
    def records(self) -> tuple[SessionRecord, ...]:
        """All records, oldest first."""
        return tuple(self._records.values())

    @property
    def reporting(self) -> bool:
        """True while pieces of a report are still to be sent."""
        return bool(self._pieces)

    def keep(self, record: SessionRecord) -> None:
        """Store a record."""
        self._records[record.session_id] = record
        while len(self._records) > CAPACITY:
            oldest = next(iter(self._records))
            del self._records[oldest]
            self._reported.discard(oldest)

    def report(self, first_id: int) -> int:
        """Begin a report of the records from that session id on; return how many there are."""
        wanted = [record for record in self._records.values() if record.session_id >= first_id]
        self._pieces.extend(piece for record in wanted for piece in chunks(record.session_id, record.encode()))
        return len(wanted)

    def next_piece(self) -> RecordChunk:
        """Return the next piece of the report; with its last one a record counts as reported."""
        piece = self._pieces.popleft()
        if piece.index + 1 == piece.total:
            self._reported.add(piece.session_id)
        return piece

    def abort(self) -> None:
        """Send no more of the report."""
        self._pieces.clear()

    def delete(self, first_id: int) -> int:
        """Delete the records from that session id on that were reported whole; return how many that were."""
        gone = [number for number in self._records if number >= first_id and number in self._reported]
        for number in gone:
            del self._records[number]
            self._reported.discard(number)
        return len(gone)

    def power_lost(self) -> None:
        """Forget what was under way, and what was reported; keep every record."""
        self._pieces.clear()
        self._reported.clear()
