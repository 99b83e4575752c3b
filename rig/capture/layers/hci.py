"""HCI traffic to ATT: finds the HCI packet in a record, and reads ACL data; commands and events go to `hci_control`.

Knows how each container wraps HCI, and ACL data packets (Vol 4 Part E, 5.4.2). Refuses to know events, and attributes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from rig.capture.layers.connections import HANDLE_BITS, Connection, ConnectionTable
from rig.capture.layers.hci_control import HciControl, Where
from rig.capture.layers.l2cap import CID_ATT
from rig.capture.layers.links import LOCAL, REMOTE, UNKNOWN_SIDE, AttPdu, Link, Observations
from rig.capture.records import LinkType, Record

COMMAND: Final = 1
ACL: Final = 2
SCO: Final = 3
EVENT: Final = 4
ISO: Final = 5

ROW_FREE_EVENTS: Final = frozenset(range(0x100)) - {
    0x03,  # Connection Complete
    0x05,  # Disconnection Complete
    0x0E,  # Command Complete: of a reset, which ends every connection
    0x12,  # Role Change
    0x3E,  # LE Meta
}
"""Codes of events that change neither links nor rows: a reader that only wants rows may leave them out."""

ROW_FREE_LE_SUBEVENTS: Final = frozenset(range(0x100)) - {
    0x01,  # LE Connection Complete
    0x05,  # LE Long Term Key Request, which only a peripheral gets
    0x0A,  # LE Enhanced Connection Complete
    0x12,  # LE Advertising Set Terminated, which tells the local address
    0x29,  # LE Enhanced Connection Complete, version 2
}
"""The same for subevents of the LE Meta event (0x3E)."""

_H4 = int(LinkType.HCI_H4)
_H4_PHDR = int(LinkType.HCI_H4_WITH_PHDR)
_MONITOR = int(LinkType.LINUX_MONITOR)
_SNOOP_H1 = int(LinkType.BTSNOOP_H1)
_SNOOP_H4 = int(LinkType.BTSNOOP_H4)
_SNOOP_MONITOR = int(LinkType.BTSNOOP_MONITOR)
_PACKETLOGGER = int(LinkType.PACKETLOGGER)

# Linux monitor opcodes, include/net/bluetooth/hci_mon.h: opcode to (packet type, side).
_MONITOR_PACKETS = {
    2: (COMMAND, LOCAL),
    3: (EVENT, REMOTE),
    4: (ACL, LOCAL),
    5: (ACL, REMOTE),
    6: (SCO, LOCAL),
    7: (SCO, REMOTE),
    18: (ISO, LOCAL),
    19: (ISO, REMOTE),
}
_MONITOR_NEW_INDEX = 0
_MONITOR_DEL_INDEX = 1
_MONITOR_CLOSE_INDEX = 9
_MONITOR_INDEX_INFO = 10

# PacketLogger types, wiretap/packetlogger.c of Wireshark.
_PACKETLOGGER_PACKETS = {
    0x00: (COMMAND, LOCAL),
    0x01: (EVENT, REMOTE),
    0x02: (ACL, LOCAL),
    0x03: (ACL, REMOTE),
    0x08: (SCO, LOCAL),
    0x09: (SCO, REMOTE),
}

# btsnoop H1 flags, bits 0 (received) and 1 (command or event). SCO data cannot be told from ACL there, and no recorder
# is known to write it.
_H1_PACKETS = ((ACL, LOCAL), (ACL, REMOTE), (COMMAND, LOCAL), (EVENT, REMOTE))

# pcapng epb_flags, bits 0 and 1: 1 inbound, 2 outbound, 0 not told (draft-ietf-opsawg-pcapng, 4.3.1).
_EPB_SIDES = (UNKNOWN_SIDE, REMOTE, LOCAL, UNKNOWN_SIDE)

_ACL_AND_L2CAP = struct.Struct("<HHHH").unpack_from
_HEADERS = 8
_BOUNDARY = 0x3000  # packet boundary flag: 00 and 10 begin a PDU, 11 is a whole one (AMP, until 5.2)
_CONTINUES = 0x1000
_DEBUG_HANDLE = 0xEDC  # QCA_DEBUG_HANDLE in drivers/bluetooth/hci_qca.c of Linux, without its boundary flag
_NO_PDUS: tuple[AttPdu, ...] = ()
_Place = tuple[int, int, int, int]  # packet type, side, controller, where the body begins


class HciPacket(NamedTuple):
    """One HCI packet out of a record."""

    packet_type: int
    """1 command, 2 ACL data, 3 SCO data, 4 event, 5 ISO data: the H4 indicators (Vol 4 Part A, 2)."""
    side: int
    """LOCAL sent it, or REMOTE (controller to host); UNKNOWN_SIDE where the container does not tell (data in 187)."""
    controller: int
    """Tells controllers apart: the capture interface, or for a Linux monitor ``(interface + 1) << 16 | index``."""
    body: bytes
    """The packet without its type octet, as far as recorded."""


def packet_of(record: Record) -> HciPacket | None:
    """Return the HCI packet in a record; None when it holds none (a monitor's note, a log line, a malformed record)."""
    place = _place(record)
    if place is None:
        return None
    kind, side, controller, at = place
    return HciPacket(kind, side, controller, record.data[at:])


class HciLayer:
    """HCI records in, ATT PDUs out.

    Args:
        links: every link of the capture, in order of appearance; new ones are added here.
        observations: where oddities, names and advertised services go.
    """

    def __init__(self, links: list[Link], observations: Observations) -> None:
        self._observations = observations
        self._table = ConnectionTable(links, observations)
        self._by_key = self._table.by_key
        self._control = HciControl(self._table, observations)

    def link_of(self, controller: int, handle: int) -> Link | None:
        """The link that a handle means at this point of the capture, by :attr:`HciPacket.controller`.

        None when no open connection has it: then :meth:`feed` decides what data on it belongs to.
        """
        connection = self._table.find(controller, handle)
        return connection.link if connection is not None and connection.is_open else None

    def feed(self, record: Record) -> Sequence[AttPdu]:
        """Take one record; return the ATT PDUs that it completes. Never raises, whatever the bytes."""
        frame, time_ns, link_type, data, _, flags, interface, _, _ = record
        if link_type == _SNOOP_H4 and data:
            kind = data[0]
            side = flags & 1
            controller = interface
            at = 1
        elif link_type == _H4_PHDR and len(data) >= 5:  # likewise: see _place for what is where
            kind = data[4]
            side = data[3] & 1
            controller = interface
            at = 5
        else:
            place = _place(record)
            if place is None:
                self._aside(record)
                return _NO_PDUS
            kind, side, controller, at = place
        if kind == ACL:
            if len(data) >= at + _HEADERS:
                head, size, length, cid = _ACL_AND_L2CAP(data, at)
                connection = self._by_key.get(controller << HANDLE_BITS | head & 0xFFF)
                if (
                    cid == CID_ATT
                    and connection is not None
                    and connection.att_ready
                    and size == length + 4
                    and len(data) == at + _HEADERS + length
                    and length
                    and not head & _CONTINUES  # 11, too, takes the longer way
                    and side >= 0
                    and not connection.sides[side].pending
                ):  # an ATT PDU in one piece, which nearly all are: the same as _acl does, without its questions
                    pdu = data[at + _HEADERS :]
                    link = connection.link
                    link.last_frame = frame
                    if 2 <= pdu[0] <= 3:
                        connection.channels.mtu_exchange(frame, time_ns, side, pdu)
                    return (tuple.__new__(AttPdu, (frame, time_ns, link, side, pdu, 0, CID_ATT)),)
            return self._acl(record, controller, side, data[at:])
        if kind == EVENT:
            if len(data) <= at or data[at] != 0x13:  # Number Of Completed Packets: half of all events, and says nothing
                self._control.event(frame, time_ns, controller, data[at:])
        elif kind == COMMAND:
            self._control.command(frame, time_ns, controller, data[at:])
        elif kind not in (SCO, ISO):
            self._observations.odd("other_packets", frame, f"packet type 0x{kind:02x} is none of HCI's")
        return _NO_PDUS

    def _acl(self, record: Record, controller: int, side: int, body: bytes) -> Sequence[AttPdu]:
        """An ACL data packet that is not simply one whole ATT PDU."""
        frame = record.frame
        observations = self._observations
        if len(body) < 4:
            observations.odd("malformed_packets", frame, f"an ACL data packet of {len(body)} bytes has no whole header")
            return _NO_PDUS
        head = body[0] | body[1] << 8
        size = body[2] | body[3] << 8
        fragment = body[4 : 4 + size]
        missing = size - len(fragment)
        if missing and record.original_length <= len(record.data):
            observations.odd("short_packets", frame, f"{missing} bytes fewer than the ACL header says")
        elif len(body) > 4 + size:
            observations.odd("overlong_packets", frame, f"{len(body) - 4 - size} bytes more than the ACL header says")
        handle = head & 0xFFF
        connection = self._table.for_data((frame, record.time_ns), controller, handle)
        connection.link.last_frame = frame
        if handle == _DEBUG_HANDLE and not connection.assured:
            observations.odd("controller_logs", frame, "a Qualcomm controller's own log, which only looks like a link")
        is_start = head & _BOUNDARY != _CONTINUES
        if side == UNKNOWN_SIDE:
            side = _side_by_boundary(connection, head, len(fragment) + missing)
        pdu = connection.sides[side].feed(frame, is_start, fragment, missing)
        if pdu is None:
            return _NO_PDUS
        if not connection.assured:
            connection.guess_transport(pdu.cid)
        delivered = connection.channels.deliver(frame, record.time_ns, side, pdu)
        return _NO_PDUS if delivered is None else (delivered,)

    def _aside(self, record: Record) -> None:
        """A record without an HCI packet: what a Linux monitor notes of its controllers is of use."""
        link_type = record.link_type
        if link_type in (_MONITOR, _SNOOP_MONITOR):
            place = _monitor(record)
            if place is not None:
                opcode, controller, at = place
                body = record.data[at:]
                if opcode == _MONITOR_NEW_INDEX and len(body) >= 8:  # type, bus, address, name
                    self._control.local_address(controller, body[2:8])
                elif opcode == _MONITOR_INDEX_INFO and len(body) >= 6:  # address, manufacturer
                    self._control.local_address(controller, body[:6])
                elif opcode in (_MONITOR_DEL_INDEX, _MONITOR_CLOSE_INDEX):
                    self._control.controller_gone(Where(record.frame, record.time_ns, controller))
                return
        elif link_type == _PACKETLOGGER:
            return  # its log lines, notes and settings
        self._observations.odd("malformed_packets", record.frame, "too short for an HCI packet")


def _place(record: Record) -> _Place | None:
    """Where the HCI packet is in a record: (packet type, side, controller, offset of its body)."""
    link_type = record.link_type
    data = record.data
    if link_type == _H4_PHDR:
        if len(data) < 5:
            return None
        return data[4], data[3] & 1, record.interface, 5  # the direction is a big-endian 32-bit number, 0 or 1
    if link_type == _SNOOP_H4:
        return (data[0], record.flags & 1, record.interface, 1) if data else None
    if link_type == _SNOOP_H1:
        kind, side = _H1_PACKETS[record.flags & 3]
        return kind, side, record.interface, 0
    if link_type == _H4:
        if not data:
            return None
        if data[0] in (COMMAND, EVENT):
            return data[0], LOCAL if data[0] == COMMAND else REMOTE, record.interface, 1
        return data[0], _EPB_SIDES[record.flags & 3], record.interface, 1
    if link_type == _PACKETLOGGER:
        known = _PACKETLOGGER_PACKETS.get(record.flags & 0xFF)
        return None if known is None else (*known, record.interface, 0)
    monitored = _monitor(record)
    if monitored is None or monitored[0] not in _MONITOR_PACKETS:
        return None
    opcode, controller, at = monitored
    return (*_MONITOR_PACKETS[opcode], controller, at)


def _monitor(record: Record) -> tuple[int, int, int] | None:
    """Of a Linux monitor record: (opcode, controller, offset of what follows)."""
    base = record.interface + 1 << 16
    if record.link_type == _SNOOP_MONITOR:
        return record.flags & 0xFFFF, base | record.flags >> 16 & 0xFFFF, 0
    if record.link_type != _MONITOR or len(record.data) < 4:
        return None
    data = (
        record.data
    )  # adapter and opcode, big-endian: https://www.tcpdump.org/linktypes/LINKTYPE_BLUETOOTH_LINUX_MONITOR.html
    return data[2] << 8 | data[3], base | data[0] << 8 | data[1], 4


def _side_by_boundary(connection: Connection, head: int, size: int) -> int:
    """Who sent ACL data in a container that does not tell, by its packet boundary flag (Vol 4 Part E, 5.4.2).

    A PDU begins with 00 only on its way to the controller; on LE it begins with 10 only on its way to the host. A
    continuation belongs to the side that has a PDU pending; where both have, to the one that it fits into.
    """
    if head & _BOUNDARY != _CONTINUES:
        if not head & _BOUNDARY:
            return LOCAL
        return REMOTE if connection.link.transport == "le" else UNKNOWN_SIDE
    pending = [side for side in (LOCAL, REMOTE, UNKNOWN_SIDE) if connection.sides[side].pending]
    exact = [side for side in pending if connection.sides[side].wanted == size]
    fitting = [side for side in pending if connection.sides[side].wanted >= size]
    return (exact or fitting or pending or [UNKNOWN_SIDE])[0]
