"""Links as a capture shows them: who is at either end, and what became of it. The vocabulary of all layers.

A *side* is an index: in HCI traffic 0 is the host that recorded and 1 the remote device; on the air 0 is the central
and 1 the peripheral. Which side is the central is a fact about the link, and may be unknown.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal, NamedTuple

LOCAL = 0
REMOTE = 1
UNKNOWN_SIDE = -1

MAX_HAPPENINGS = 1000
"""How much history a link keeps: a file decides how often parameters change, and must not decide on our memory."""

Sender = Literal["central", "peripheral", "unknown"]


class Address(NamedTuple):
    """A device address, ``AA:BB:CC:DD:EE:FF`` in upper case, and whether it is a random one."""

    text: str
    is_random: bool = False


class Happening(NamedTuple):
    """Something that happened to a link at one record; ``data`` is JSON-ready and its keys carry their unit."""

    frame: int
    time_ns: int
    kind: str
    """``connected``, ``disconnected``, ``parameters``, ``data_length``, ``phy``, ``mtu``, ``encryption`` …"""
    data: dict[str, object]


class Link:
    """One connection, from its first record to its last.

    Args:
        number: 1, 2 … in order of appearance in the file.
        transport: LE, or BR/EDR, which phones use beside it.
        controller: the adapter (Linux monitor index) or capture interface it was seen on.
        handle: HCI connection handle; None on the air.
        access_address: link-layer access address; None in HCI traffic.
        first_frame: the first record of it.
        beginning_seen: whether its establishment is in the capture; else the capture began in mid-connection.
        central_side: the side that is the central, None while nothing has told.
        addresses: whose it is, by side; None where not known.
    """

    # Not a dataclass: that costs 10 ms of import, of the 40 in which a small capture is decoded.
    __slots__ = (
        "access_address",
        "addresses",
        "beginning_seen",
        "central_side",
        "controller",
        "first_frame",
        "handle",
        "history",
        "last_frame",
        "number",
        "transport",
    )

    def __init__(
        self,
        number: int,
        transport: Literal["le", "br/edr"],
        *,
        controller: int = 0,
        handle: int | None = None,
        access_address: int | None = None,
        first_frame: int = 0,
        last_frame: int = 0,
        beginning_seen: bool = False,
        central_side: int | None = None,
        addresses: list[Address | None] | None = None,
    ) -> None:
        self.number = number
        self.transport = transport
        self.controller = controller
        self.handle = handle
        self.access_address = access_address
        self.first_frame = first_frame
        self.last_frame = last_frame
        self.beginning_seen = beginning_seen
        self.central_side = central_side
        self.addresses: list[Address | None] = [None, None] if addresses is None else addresses
        self.history: list[Happening] = []

    def __repr__(self) -> str:
        return f"Link({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"

    def sender(self, side: int) -> Sender:
        """What to call whoever is on ``side``."""
        if self.central_side is None or side == UNKNOWN_SIDE:
            return "unknown"
        return "central" if side == self.central_side else "peripheral"

    def happened(self, frame: int, time_ns: int, kind: str, /, **data: object) -> None:
        """Add to the history, the first :data:`MAX_HAPPENINGS` of them; ``data`` as :class:`Happening` has it."""
        if len(self.history) < MAX_HAPPENINGS:
            self.history.append(Happening(frame, time_ns, kind, data))


class AttPdu(NamedTuple):
    """One complete ATT PDU on a link, or what the recorder kept of it."""

    frame: int
    """The record that completes it."""
    time_ns: int
    link: Link
    side: int
    """Who sent it; :data:`UNKNOWN_SIDE` where a sniffer could not tell."""
    pdu: bytes
    missing: int = 0
    """Bytes that the recorder cut off the end."""
    bearer: int = 4
    """Which of the link's ATT bearers carried it, both ways the same number: 4 is the fixed channel of LE. Requests and
    responses belong together on one bearer (Vol 3 Part F, 3.3.2)."""


class Observations:
    """What the layers noticed over a whole capture, for ``rig info``."""

    __slots__ = ("counts", "examples", "names", "services")

    def __init__(self, *, names: dict[str, str] | None = None) -> None:
        self.counts: Counter[str] = Counter()
        """By kind: ``retransmissions``, ``crc_errors``, ``truncated_records``, ``encrypted_pdus`` …"""
        self.names: dict[str, str] = {} if names is None else names
        """Address text to the device name last advertised, scanned or read."""
        self.services: dict[str, set[str]] = {}
        """Address text to the service UUIDs advertised (in the spelling of the ``uuid`` column)."""
        self.examples: dict[str, list[tuple[int, str]]] = {}
        """Kind of oddity to its first places: (frame, what was odd there)."""

    def odd(self, kind: str, frame: int, what: str) -> None:
        """Count an oddity and keep its first five places."""
        self.counts[kind] += 1
        places = self.examples.setdefault(kind, [])
        if len(places) < 5:
            places.append((frame, what))
