"""Any capture as a stream of H4 packets: HCI records as they are, what was sniffed on the air as a host would see it.

Knows how each link type wraps HCI. Refuses to know what is written where, and what packets mean beyond their direction.
"""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from rig.capture import att
from rig.capture.layers.hci import ACL, HciPacket, packet_of
from rig.capture.layers.links import LOCAL, REMOTE, UNKNOWN_SIDE, Address, AttPdu, Happening, Link
from rig.capture.layers.stack import Stack
from rig.capture.records import LinkType, Record
from rig.capture.synthesis import CONNECTION_TIMEOUT, HciSynthesis
from rig.capture.writer import Direction

AIR_CONTROLLER: Final = 0xFFFF
"""The controller of the synthetic host: none of those that a capture of both kinds may have."""

_H4 = frozenset({LinkType.BTSNOOP_H4, LinkType.HCI_H4})
_HCI = frozenset(
    {
        *_H4,
        LinkType.HCI_H4_WITH_PHDR,
        LinkType.BTSNOOP_H1,
        LinkType.BTSNOOP_MONITOR,
        LinkType.LINUX_MONITOR,
        LinkType.PACKETLOGGER,
    }
)
_AIR = frozenset({LinkType.PPI, LinkType.LE_LL_IN_PPI, LinkType.LE_LL, LinkType.LE_LL_WITH_PHDR, LinkType.NORDIC_BLE})
_NOTES = {
    LinkType.BTSNOOP_MONITOR: "monitor notes",
    LinkType.LINUX_MONITOR: "monitor notes",
    LinkType.PACKETLOGGER: "PacketLogger messages",
}
_PHDR_OCTETS = 4
_MOST_LINKS = 256  # synthetic ones at a time; a sniffer follows a handful
_LARGEST_HANDLE = 0x0EFF  # Vol 4 Part E, 5.4.2
_LONGEST_PDU = 0xFFFF - 4  # an ACL packet holds the L2CAP header too
_COMPLETE_NAME, _LONGEST_NAME = 0x09, 29  # Complete Local Name, in the 31 octets of legacy advertising data
_DEFAULT_PARAMETERS = (0.03, 0, 0.42)
_MOST_HANDLES = 4096  # whose direction is followed where the container does not tell it


class Packet(NamedTuple):
    """One H4 packet on its way from one capture to another."""

    frame: int
    """The record that it comes from."""
    offset: int
    """Where that record is in its file, in bytes."""
    time_ns: int
    direction: Direction
    controller: int
    data: bytes
    """With the H4 type octet in front, as far as recorded."""
    original_length: int
    """In bytes, before the recorder cut it."""
    link_type: int
    """Of the record."""
    flags: int = 0
    """Of the record."""
    comments: tuple[str, ...] = ()


class HciStream:
    """Turns records into packets; counts what could not become one."""

    def __init__(self) -> None:
        self.records = 0
        """How many records were taken."""
        self.left_out: Counter[str] = Counter()
        """What is no HCI packet, by kind."""
        self.synthetic = 0
        """ATT PDUs off the air that were put into synthetic packets."""
        self.guessed = 0
        """Packets whose direction the capture does not tell, and nothing in them either."""
        self._sides = _Sides()
        self._air: _Air | None = None

    def packets(self, records: Iterable[Record]) -> Iterator[Packet]:
        """Yield the packets of ``records`` in order.

        Raises:
            CaptureError: as ``records`` raise it, after every packet before.
        """
        for record in records:
            self.records += 1
            link_type = record.link_type
            if link_type in _AIR:
                if self._air is None:
                    self._air = _Air()
                yield from self._off_the_air(self._air, record)
            elif link_type not in _HCI:
                self.left_out[f"records of link type {link_type}"] += 1
            else:
                packet = self._packet(record)
                if packet is not None:
                    yield packet

    def _off_the_air(self, air: _Air, record: Record) -> Iterator[Packet]:
        before = air.synthetic
        yield from air.feed(record)
        self.guessed = air.guessed
        self.synthetic = air.synthetic
        if air.synthetic == before:
            self.left_out["link-layer records without ATT"] += 1

    def _packet(self, record: Record) -> Packet | None:
        data = record.data
        link_type = record.link_type
        known = packet_of(record)
        if link_type in _H4:
            whole, header = data, 0
        elif link_type == LinkType.HCI_H4_WITH_PHDR and len(data) >= _PHDR_OCTETS:
            whole, header = data[_PHDR_OCTETS:], _PHDR_OCTETS
        elif known is not None:
            whole, header = bytes((known.packet_type,)) + known.body, len(data) - len(known.body) - 1
        else:
            self.left_out[_NOTES.get(LinkType(link_type), "records without a packet")] += 1
            return None
        if known is None:  # cut by the recorder before the packet began
            side = data[3] & 1 if header else record.flags & 1
            controller = record.interface
        else:
            side, controller = known.side, known.controller
            if side == UNKNOWN_SIDE:
                side = self._sides.guess(known)
                if side == UNKNOWN_SIDE:
                    self.guessed += 1
        return Packet(
            record.frame,
            record.offset,
            record.time_ns,
            Direction.SENT if side == LOCAL else Direction.RECEIVED,
            controller,
            whole,
            max(record.original_length - header, len(whole)),
            link_type,
            record.flags,
            record.comments,
        )


class _Sides:
    """Who sent ACL data in a container that does not tell, by the packet boundary flag (Vol 4 Part E, 5.4.2).

    A PDU begins with 00 on its way to the controller, with 10 on its way to the host. A continuation belongs to the
    side that has a PDU pending; where both have, to the one that it completes, else to one that it fits into.
    """

    def __init__(self) -> None:
        self._wanted: OrderedDict[tuple[int, int], list[int]] = OrderedDict()

    def guess(self, packet: HciPacket) -> int:
        """The side, UNKNOWN_SIDE where nothing tells."""
        body = packet.body
        if packet.packet_type != ACL or len(body) < 4:
            return UNKNOWN_SIDE
        head, size = struct.unpack_from("<HH", body)
        key = (packet.controller, head & 0xFFF)
        wanted = self._wanted.get(key)
        if wanted is None:
            if len(self._wanted) >= _MOST_HANDLES:
                self._wanted.popitem(last=False)
            wanted = self._wanted[key] = [0, 0]
        if not head & 0x1000:
            side = REMOTE if head & 0x2000 else LOCAL
            announced = 4 + int.from_bytes(body[4:6], "little") if len(body) >= 6 else size
            wanted[side] = max(0, announced - size)
            return side
        sides = [side for side in (LOCAL, REMOTE) if wanted[side]]
        exact = [side for side in sides if wanted[side] == size]
        fitting = [side for side in sides if wanted[side] >= size]
        for side in exact or fitting or sides:
            wanted[side] = max(0, wanted[side] - size)
            return side
        return UNKNOWN_SIDE


class _Opened:
    """A link of the air with the handle that it has in the synthetic traffic."""

    __slots__ = ("_asked", "handle", "is_open", "known", "link")

    def __init__(self, link: Link, handle: int) -> None:
        self.link = link
        self.handle = handle
        self.is_open = True
        self.known = len(link.history)
        """How much of the link's history was told."""
        self._asked: list[int | None] = [None, None]

    def told(self, side: int, pdu: bytes) -> None:
        """Take a PDU whose sender is known."""
        if pdu[0] not in att.SENT_BY_SERVER:
            self._asked[side] = pdu[0]
        elif self._asked[1 - side] == _answered(pdu):
            self._asked[1 - side] = None

    def guess(self, pdu: bytes) -> int:
        """Who sent a PDU that no sniffer could tell: whoever was asked; else the central asks, as nearly always."""
        if pdu[0] not in att.SENT_BY_SERVER:
            return LOCAL
        return LOCAL if self._asked[LOCAL] != _answered(pdu) == self._asked[REMOTE] else REMOTE


def _answered(pdu: bytes) -> int:
    """The opcode of the request that a server's PDU answers, -1 for none."""
    if pdu[0] == att.ERROR_RESPONSE:
        return pdu[1] if len(pdu) > 1 else -1
    return att.RESPONSE_TO.get(pdu[0], -1)


class _Air:
    """Link-layer records in, the packets out that the central's host would have recorded."""

    def __init__(self) -> None:
        self._stack = Stack()
        self._synthesis = HciSynthesis(self._emit, add_mtu_exchange=False)
        self._packets: list[Packet] = []
        self._record = Record(0, 0, 0, b"", 0)
        self._missing = 0
        self._seen = 0
        self._links: OrderedDict[int, _Opened] = OrderedDict()
        self._last_handle = 0
        self._left_over: set[int] = set()
        self.synthetic = 0
        self.guessed = 0

    def feed(self, record: Record) -> list[Packet]:
        """The packets that a record brings about."""
        self._record = record
        self._packets = []
        links = self._stack.links
        pdus = self._stack.feed(record)
        while self._seen < len(links):
            self._connect(links[self._seen], record.time_ns)
            self._seen += 1
        for pdu in pdus:
            self._att(pdu)
        for opened in self._links.values():
            if opened.known != len(opened.link.history):
                self._changed(opened, record.time_ns)
        return self._packets

    def _emit(self, data: bytes, direction: Direction, time_ns: int) -> None:
        record = self._record
        original = len(data)
        if self._missing:
            # The recorder cut this PDU: the packet announces its whole length, and is cut in the same place.
            _, acl, l2cap = struct.unpack_from("<HHH", data, 1)
            missing = min(self._missing, 0xFFFF - acl)
            data = data[:3] + struct.pack("<HH", acl + missing, l2cap + missing) + data[7:]
            original += missing
        comments = () if self._packets else record.comments
        place = (record.frame, record.offset, time_ns, direction, AIR_CONTROLLER)
        self._packets.append(Packet(*place, data, original, record.link_type, 0, comments))

    def _connect(self, link: Link, time_ns: int) -> _Opened:
        # A sniffer that missed a link's end sees it begin again: no controller has two links with the same device.
        for other in self._links.values():
            if other.is_open and None not in link.addresses and other.link.addresses == link.addresses:
                self._close(other, CONNECTION_TIMEOUT, time_ns)
        if len(self._links) >= _MOST_LINKS:
            _, oldest = self._links.popitem(last=False)
            if oldest.is_open:
                self._close(oldest, CONNECTION_TIMEOUT, time_ns)
        handle = self._next_handle(time_ns)
        central, peripheral = link.addresses
        if peripheral is None:
            # A capture that begins in mid-connection has no addresses: a static random one that counts the links.
            digits = f"{link.number & 0xFFFFFF:06X}"
            peripheral = Address(f"C0:00:00:{digits[:2]}:{digits[2:4]}:{digits[4:]}", is_random=True)
        else:
            self._advertise(peripheral, time_ns)
        interval_s, latency, timeout_s = _parameters(link)
        self._synthesis.connect(
            handle,
            local_is_central=True,
            peer=peripheral,
            local=central,
            time_ns=time_ns,
            interval_s=interval_s,
            latency=latency,
            supervision_timeout_s=timeout_s,
        )
        opened = self._links[link.number] = _Opened(link, handle)
        return opened

    def _next_handle(self, time_ns: int) -> int:
        used = {opened.handle for opened in self._links.values()}
        handle = self._last_handle % _LARGEST_HANDLE + 1
        while handle in used:
            handle = handle % _LARGEST_HANDLE + 1
        if handle in self._left_over:
            self._left_over.discard(handle)
            self._synthesis.disconnect(handle, CONNECTION_TIMEOUT, time_ns)
        self._last_handle = handle
        return handle

    def _advertise(self, peripheral: Address, time_ns: int) -> None:
        """Write what the peripheral called itself on the air, so that the capture still says it."""
        name = self._stack.observations.names.get(peripheral.text)
        if name:
            octets = name.encode("utf-8", "replace")[:_LONGEST_NAME]
            self._synthesis.advertisement(peripheral, bytes((len(octets) + 1, _COMPLETE_NAME)) + octets, time_ns)

    def _close(self, opened: _Opened, reason: int, time_ns: int) -> None:
        opened.is_open = False
        self._synthesis.disconnect(opened.handle, reason, time_ns)

    def _att(self, pdu: AttPdu) -> None:
        if len(pdu.pdu) > _LONGEST_PDU:
            return  # longer than any attribute can be (Vol 3 Part F, 3.2.9), and than what HCI can hold
        link = pdu.link
        opened = self._links.get(link.number) or self._connect(link, pdu.time_ns)
        self._links.move_to_end(link.number)
        if not opened.is_open:
            # What the other side still had to send; HCI has that too, data and events go different ways to the host.
            self._left_over.add(opened.handle)
        side = pdu.side
        if side == UNKNOWN_SIDE:
            side = opened.guess(pdu.pdu)
            self.guessed += 1
        opened.told(side, pdu.pdu)
        self._missing = pdu.missing
        self._synthesis.att(opened.handle, side, pdu.pdu, pdu.time_ns)
        self._missing = 0
        self.synthetic += 1

    def _changed(self, opened: _Opened, time_ns: int) -> None:
        happened = opened.link.history[opened.known :]
        opened.known = len(opened.link.history)
        for happening in happened:
            if not opened.is_open:
                return
            if happening.kind == "disconnected":
                reason = happening.data.get("reason_code")
                told = isinstance(reason, int) and 0 < reason <= 0xFF
                self._close(opened, reason if told else CONNECTION_TIMEOUT, time_ns)  # type: ignore[arg-type]  # an int
            elif happening.kind == "parameters":
                interval_s, latency, timeout_s = _parameters_of(happening)
                self._synthesis.parameters(
                    opened.handle,
                    time_ns,
                    interval_s=interval_s,
                    latency=latency,
                    supervision_timeout_s=timeout_s,
                )


def _parameters(link: Link) -> tuple[float, int, float]:
    """Interval in seconds, latency in events, supervision timeout in seconds, as the link began."""
    connected = next((happening for happening in link.history if happening.kind == "connected"), None)
    return _DEFAULT_PARAMETERS if connected is None else _parameters_of(connected)


def _parameters_of(happening: Happening) -> tuple[float, int, float]:
    interval_s, latency, timeout_s = _DEFAULT_PARAMETERS
    data = happening.data
    interval_ms, latency_events, timeout_ms = (
        value if isinstance(value := data.get(key), int | float) else None
        for key in ("interval_ms", "latency_events", "supervision_timeout_ms")
    )
    return (
        interval_s if interval_ms is None else interval_ms / 1000,
        latency if latency_events is None else int(latency_events),
        timeout_s if timeout_ms is None else timeout_ms / 1000,
    )
