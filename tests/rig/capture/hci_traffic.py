"""HCI packets written by hand, and what the layer makes of them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from rig.capture.layers.hci import HciLayer
from rig.capture.layers.links import AttPdu, Link, Observations
from rig.capture.records import LinkType, Record

SENT = 0
RECEIVED = 1
PEER = "C0:11:22:33:44:55"
LOCAL_ADDRESS = "00:1A:7D:DA:71:13"
FIRST = 0b10
"""Packet boundary flag of a PDU's first packet on its way to the host; 00 is that on its way to the controller."""
CONTINUED = 0b01


@dataclass
class Packet:
    """One H4 packet, its direction and what the recorder did to it."""

    data: bytes
    side: int
    cut: int = 0
    after_ms: int = 1


def wire(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))[::-1]


def event(code: int, parameters: bytes) -> Packet:
    return Packet(bytes([4, code, len(parameters)]) + parameters, RECEIVED)


def command(opcode: int, parameters: bytes) -> Packet:
    return Packet(b"\x01" + struct.pack("<HB", opcode, len(parameters)) + parameters, SENT)


def le_event(subevent: int, parameters: bytes) -> Packet:
    return event(0x3E, bytes([subevent]) + parameters)


def connected(handle: int, *, role: int = 0, peer: str = PEER, kind: int = 1, status: int = 0) -> Packet:
    """LE Connection Complete; role 0 says that the recording host is the central."""
    return le_event(1, struct.pack("<BHBB6sHHHB", status, handle, role, kind, wire(peer), 24, 2, 500, 0))


def connected_enhanced(handle: int, *, role: int = 0, peer: str = PEER, local: str | None = None) -> Packet:
    own = bytes(6) if local is None else wire(local)
    return le_event(10, struct.pack("<BHBB6s6s6sHHHB", 0, handle, role, 0, wire(peer), own, bytes(6), 24, 0, 500, 0))


def connected_br_edr(handle: int, peer: str = PEER) -> Packet:
    return event(3, struct.pack("<BH6sBB", 0, handle, wire(peer), 1, 0))


def disconnected(handle: int, reason: int = 0x13) -> Packet:
    return event(5, struct.pack("<BHB", 0, handle, reason))


def l2cap(cid: int, payload: bytes) -> bytes:
    return struct.pack("<HH", len(payload), cid) + payload


def acl(handle: int, side: int, fragment: bytes, boundary: int | None = None, cut: int = 0) -> Packet:
    """An ACL packet whose last `cut` bytes the recorder left out."""
    flag = (0 if side == SENT else FIRST) if boundary is None else boundary
    packet = b"\x02" + struct.pack("<HH", handle | flag << 12, len(fragment)) + fragment
    return Packet(packet[: len(packet) - cut], side, cut)


def att(handle: int, side: int, pdu: bytes) -> Packet:
    return acl(handle, side, l2cap(4, pdu))


def smp(handle: int, side: int, pdu: bytes) -> Packet:
    return acl(handle, side, l2cap(6, pdu))


def signal(handle: int, side: int, code: int, body: bytes, *, identifier: int = 1, cid: int = 5) -> Packet:
    return acl(handle, side, l2cap(cid, struct.pack("<BBH", code, identifier, len(body)) + body))


def fragments(handle: int, side: int, cid: int, payload: bytes, *sizes: int) -> list[Packet]:
    """One PDU in ACL packets of the given sizes and a last one with the rest."""
    data = l2cap(cid, payload)
    packets = []
    at = 0
    for size in (*sizes, len(data)):
        part = data[at : at + size]
        if part:
            packets.append(acl(handle, side, part, None if at == 0 else CONTINUED))
        at += size
    return packets


def records(packets: Iterable[Packet], start_ns: int = 1_700_000_000_000_000_000) -> list[Record]:
    """Records as a btsnoop file of datalink 1002 has them, the first one numbered 1."""
    made = []
    now = start_ns
    for frame, packet in enumerate(packets, 1):
        now += packet.after_ms * 1_000_000
        flags = packet.side | (2 if packet.data[:1] in (b"\x01", b"\x04") else 0)
        made.append(Record(frame, now, LinkType.BTSNOOP_H4, packet.data, len(packet.data) + packet.cut, flags))
    return made


@dataclass
class Heard:
    """What the layer made of some records."""

    pdus: list[AttPdu]
    rows: list[tuple[int, int, str, str]]
    """(frame, link, sender as known at that moment, PDU in hex)."""
    links: list[Link]
    observations: Observations

    def history(self, link: int = 1) -> list[tuple[str, dict[str, object]]]:
        return [(one.kind, one.data) for one in self.links[link - 1].history]


def hear(*packets: Packet | list[Packet]) -> Heard:
    flat = [one for some in packets for one in (some if isinstance(some, list) else [some])]
    return hear_records(records(flat))


def hear_records(some: Iterable[Record]) -> Heard:
    heard = Heard([], [], [], Observations())
    layer = HciLayer(heard.links, heard.observations)
    for record in some:
        for pdu in layer.feed(record):
            heard.pdus.append(pdu)
            heard.rows.append((pdu.frame, pdu.link.number, pdu.link.sender(pdu.side), pdu.pdu.hex()))
    return heard
