"""The ledger of requests written and not yet answered: what an echo proves, told from the order of writing alone.

A serial device handles requests in the order in which they reach it and answers in that order. So an echo proves that
everything written before the request it belongs to has been handled or was lost, and nothing about what came after.
Two things blur this, and both are settled for the worst:

* A repeated request has several echoes. An echo is taken for the oldest write that it fits.
* A stop overtakes what still waits for the radio (``Write.urgent``). A stop is therefore entered *before* every
  unsettled write, as if it had overtaken them all; an echo of it then proves nothing about them. Nor does an echo of
  one of them prove anything about the stop, which may have come after it all the same: it stays entered.

Knows keys and order. Refuses to know frames, time and what any request does.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocols.gatt import Write

Key = tuple[int, int, bytes]
"""(type, func, para) of a request; para is empty for questions, whose answers carry more than the question."""


@dataclass(slots=True)
class Entry:
    """One request written. ``settled``: the radio has reported about it, so nothing later can overtake it.

    ``harmless`` marks a question, whose order matters to nobody. ``number`` counts in the order of writing.
    """

    key: Key
    write: Write
    attempt: int
    harmless: bool
    settled: bool = False
    failed: bool = False
    number: int = 0


class Ledger:
    """Requests written and not yet answered, in the worst order in which they may reach the device."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._written = 0

    def wrote(self, entry: Entry) -> None:
        """Enter a write. Of a harmless question only the newest writing is kept."""
        self._written += 1
        entry.number = self._written
        if entry.harmless:
            self._entries = [e for e in self._entries if e.key != entry.key]
        at = len(self._entries)
        if entry.write.urgent:
            at = next((i for i, e in enumerate(self._entries) if self._can_be_overtaken(e)), at)
        self._entries.insert(at, entry)

    @staticmethod
    def _can_be_overtaken(entry: Entry) -> bool:
        return not (entry.settled or entry.harmless or entry.write.urgent)

    @property
    def overtaken(self) -> bool:
        """Whether a stop written now may overtake a request that changes something."""
        return any(self._can_be_overtaken(e) for e in self._entries)

    def settle(self, write: Write, *, failed: bool = False) -> Entry | None:
        """The radio is done with ``write``, well or badly. Returns its entry, None if it was answered already.

        A failed write stays entered: a failure reported by a radio is no proof that nothing arrived.
        """
        entry = next((e for e in self._entries if not e.settled and e.write == write), None)
        if entry is not None:
            entry.settled = True
            entry.failed = failed
        return entry

    def answered(self, key: Key) -> Entry | None:
        """An echo arrived: strike out the oldest request that it fits. None: it fits nothing.

        Everything before it is struck out too, but for a stop written later, which may or may not have overtaken it;
        and unless it is a question: of those only the newest writing is kept, so the answer may be an earlier one's.
        """
        for i, entry in enumerate(self._entries):
            if entry.key == key:
                before = self._entries[:i]
                kept = before if entry.harmless else [e for e in before if e.number > entry.number]
                self._entries[: i + 1] = kept
                return entry
        return None

    def others(self, key: Key) -> bool:
        """Whether a request that changes something, other than ``key``, may reach the device later than that echo."""
        return any(e.key != key and not e.harmless for e in self._entries)

    def waiting(self, key: Key, attempt: int, *, urgent: bool) -> bool:
        """Whether a write of this attempt may still be answered; with ``urgent`` only those that wait for nothing."""
        return any(
            e.key == key and e.attempt == attempt and not e.failed and (e.write.urgent or not urgent)
            for e in self._entries
        )
