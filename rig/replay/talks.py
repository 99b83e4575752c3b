"""What the clients and servers of a capture said to each other, by link: the raw material of transcripts.

Knows which GATT operations are exchanges, and whose. Refuses to know what handles mean and what a transcript is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rig.capture.layers.links import LOCAL, REMOTE, UNKNOWN_SIDE, AttPdu, Link
from rig.capture.operations import GattOperation, operations
from rig.replay.transcript import TranscriptError

if TYPE_CHECKING:
    from rig.capture.progress import Progress
    from rig.capture.reading import Reading

DEFAULT_MTU: Final = 23  # Vol 3 Part G, 5.2.1
PUSHED: Final = frozenset({"notification", "indication"})
"""Kinds of operations that a server begins."""
OTHER: Final = (REMOTE, LOCAL, UNKNOWN_SIDE)
"""By side, the other side."""

_EXCHANGES: Final = frozenset({"read", "write", "long_write", "write_command", "signed_write_command"}) | PUSHED
_ODD: Final = frozenset({"cancelled_write", "read_multiple", "unknown"})  # not discovery, and nothing to replay


class Talk:
    """What one client and the server on the other side of its link said."""

    def __init__(self, link: Link, client: int) -> None:
        self.link = link
        self.client = client
        self.said: list[GattOperation] = []
        self.read_by_type: list[bytes] = []
        """Responses to Read By Type, where a device's name may be."""
        self.mtu: int | None = None
        self.odd: Counter[str] = Counter()
        """Operations that are no exchanges, by kind."""
        self.other_way = 0
        """How many operations the other side of the link began as a client."""

    def values_by_type(self) -> Iterator[tuple[int, bytes]]:
        """The first handle and value of each response to Read By Type (Vol 3 Part F, 3.4.4.2)."""
        for response in self.read_by_type:
            size = response[0] if response else 0
            if 2 < size < len(response):
                yield response[1] | response[2] << 8, response[3 : 1 + size]


class Talks:
    """A whole capture's operations, by link and client."""

    def __init__(self, reading: Reading, progress: Progress | None = None) -> None:
        self.name = reading.name
        self.links: dict[int, Link] = {}
        self.cut: dict[int, set[int]] = {}
        """Link number to the records that the recorder cut."""
        self._talks: dict[tuple[int, int], Talk] = {}
        self._mtus: dict[int, int] = {}
        for operation in operations(self._watched(reading.pdus(progress)), reading.tracker):
            self._hear(operation)

    def _watched(self, pdus: Iterator[AttPdu]) -> Iterator[AttPdu]:
        for pdu in pdus:
            self.links.setdefault(pdu.link.number, pdu.link)
            if pdu.missing:
                self.cut.setdefault(pdu.link.number, set()).add(pdu.frame)
            yield pdu

    def _hear(self, operation: GattOperation) -> None:
        kind = operation.kind
        client = OTHER[operation.side] if kind in PUSHED else operation.side
        key = (operation.link, client)
        talk = self._talks.get(key)
        if talk is None:
            talk = self._talks[key] = Talk(self.links[operation.link], client)
        if kind == "mtu":
            sizes = operation.mtu
            if operation.error is None and sizes is not None and None not in sizes:
                self._mtus[operation.link] = max(DEFAULT_MTU, min(size for size in sizes if size is not None))
        elif kind == "read_by_type":
            if operation.value is not None and operation.error is None:
                talk.read_by_type.append(operation.value)
        elif kind in _EXCHANGES:
            talk.said.append(operation)
        elif kind in _ODD:
            talk.odd[kind] += 1

    @property
    def talking(self) -> list[int]:
        """Numbers of the links on which something was read, written or notified."""
        return sorted({number for (number, _), talk in self._talks.items() if talk.said})

    @property
    def ranked(self) -> list[int]:
        """Numbers of those links, that with the most exchanges first."""
        most: dict[int, int] = {}
        for (number, _), talk in self._talks.items():
            most[number] = max(most.get(number, 0), len(talk.said))
        return sorted(self.talking, key=lambda number: -most[number])

    def choose(self, number: int | None) -> Talk:
        """The talk asked for, or the one with the most exchanges; what a sniffer could not attribute belongs to it.

        Raises:
            TranscriptError: there is none.
        """
        if number is not None and number not in self.links:
            there = ", ".join(map(str, self.links)) or "none"
            raise TranscriptError(f"{self.name}: has no link {number} with ATT traffic; links: {there}")
        talks = [talk for talk in self._talks.values() if talk.said and number in (None, talk.link.number)]
        if not talks:
            where = "has" if number is None else f"link {number} has"
            raise TranscriptError(f"{self.name}: {where} no GATT exchange: nothing was read, written or notified")
        best = max(talks, key=lambda talk: (len(talk.said), talk.client != UNKNOWN_SIDE, -talk.link.number))
        of_link = [talk for talk in talks if talk.link is best.link and talk is not best]
        for talk in of_link:
            if UNKNOWN_SIDE in (talk.client, best.client):
                best.said += talk.said
                best.read_by_type += talk.read_by_type
                best.odd += talk.odd
            else:
                best.other_way += len(talk.said)
        if best.client == UNKNOWN_SIDE:
            best.client = next((talk.client for talk in of_link), UNKNOWN_SIDE)
        best.mtu = self._mtus.get(best.link.number)
        return best
