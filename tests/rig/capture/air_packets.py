"""Link-layer packets made by hand, wrapped as each sniffer writes them, for tests of the link layer."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from rig.capture.layers.link_layer import LinkLayer
from rig.capture.layers.links import AttPdu, Link, Observations
from rig.capture.records import LinkType, Record

ADVERTISING = 0x8E89BED6
ACCESS_ADDRESS = 0x50655491
CRC_INIT = 0xC8479F
CENTRAL = bytes.fromhex("665544332211")  # least significant octet first, as sent
PERIPHERAL = bytes.fromhex("0100000000c0")
CENTRAL_TEXT, PERIPHERAL_TEXT = "11:22:33:44:55:66", "C0:00:00:00:00:01"
START_NS = 1_700_000_000_000_000_000


def crc(pdu: bytes, init: int) -> bytes:
    """CRC-24 bit by bit, as the figure in Vol 6 Part B, 3.1.1 has it: a second way, for the product has a table."""
    register = [init >> place & 1 for place in range(24)]  # position 0 to 23
    for octet in pdu:
        for bit in range(8):
            feedback = register[23] ^ octet >> bit & 1
            register = [feedback, *register[:23]]
            for tap in (1, 3, 4, 6, 9, 10):
                register[tap] ^= feedback
    bits = register[::-1]  # position 23 is sent first
    return bytes(sum(bits[8 * octet + bit] << bit for bit in range(8)) for octet in range(3))


def connect_ind(
    access_address: int = ACCESS_ADDRESS, *, crc_init: int = CRC_INIT, interval: int = 24, header: int = 0x85
) -> bytes:
    """A CONNECT_IND from a public central to a random peripheral, 30 ms, latency 0, timeout 4.2 s, all channels."""
    data = struct.pack("<I", access_address) + crc_init.to_bytes(3, "little")
    data += struct.pack("<BHHHH", 2, 1, interval, 0, 420) + bytes.fromhex("ffffffff1f") + b"\x25"
    return bytes([header, 34]) + CENTRAL + PERIPHERAL + data


def adv_ind(data: bytes, *, kind: int = 0, address: bytes = PERIPHERAL) -> bytes:
    """An advertising PDU (ADV_IND, or SCAN_RSP with kind 4) with advertising data."""
    return bytes([0x40 | kind, 6 + len(data)]) + address + data


def data_pdu(llid: int, payload: bytes, sn: int, nesn: int, *, more: bool = False) -> bytes:
    """A data PDU."""
    return bytes([llid | nesn << 2 | sn << 3 | more << 4, len(payload)]) + payload


def att(pdu: bytes) -> bytes:
    """An ATT PDU with its L2CAP header."""
    return struct.pack("<HH", len(pdu), 4) + pdu


def on_air(pdu: bytes, access_address: int = ACCESS_ADDRESS, *, crc_init: int | None = None) -> bytes:
    """A packet without its preamble, with its CRC."""
    if crc_init is None:
        crc_init = 0x555555 if access_address == ADVERTISING else CRC_INIT
    return struct.pack("<I", access_address) + pdu + crc(pdu, crc_init)


def phdr(packet: bytes, *, flags: int, channel: int = 5) -> bytes:
    """Link type 256: the pseudo-header before a packet."""
    return struct.pack("<BbbBIH", channel, -40, 0, 0, 0, flags) + packet


PHDR_ADVERTISING, PHDR_FROM_CENTRAL, PHDR_FROM_PERIPHERAL = 0x0C01, 0x0D01, 0x0D81


def nordic(packet: bytes, *, version: int, flags: int, packet_id: int | None = None, channel: int = 5) -> bytes:
    """Link type 272: board, header and event of an nRF Sniffer before a packet."""
    if packet_id is None:
        is_advertising = packet[:4] == struct.pack("<I", ADVERTISING)
        packet_id = 0x02 if version == 3 and is_advertising else 0x06
    size = 10 + len(packet)
    if version == 1:
        head = struct.pack("<BBBBHB", 7, 6, size, 1, 1, packet_id)
    else:
        head = struct.pack("<BHBHB", 7, size, version, 1, packet_id)
    return head + struct.pack("<BBBBHI", 10, flags, channel, 40, 1, 230) + packet


def ppi(packet: bytes, *, link_type: int = 147, clock: int | None = None, megahertz: int = 2402) -> bytes:
    """Link type 192: a PPI header with the field of libbtbb before a packet."""
    field = b""
    if clock is not None:
        field = struct.pack("<HHBHBIbbbB", 30006, 12, 0, megahertz, 0, clock, 0, 0, 0, 0)
    return struct.pack("<BBHI", 0, 0, 8 + len(field), link_type) + field + packet


class Sniffer:
    """A link layer fed with packets one after the other, and what came of it."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.observations = Observations()
        self.layer = LinkLayer(self.links, self.observations)
        self.frame = 0
        self.time_ns = START_NS
        self.pdus: list[AttPdu] = []

    @property
    def rows(self) -> list[tuple[int, str, bytes]]:
        return [(pdu.frame, pdu.link.sender(pdu.side), pdu.pdu) for pdu in self.pdus]

    @property
    def counts(self) -> dict[str, int]:
        return {kind: count for kind, count in self.observations.counts.items() if count}

    def hears(
        self,
        link_type: LinkType,
        data: bytes,
        *,
        after_us: float = 1000,
        original: int | None = None,
        interface: int = 0,
    ) -> Sequence[AttPdu]:
        self.frame += 1
        self.time_ns += round(after_us * 1000)
        size = len(data) if original is None else original
        made = self.layer.feed(Record(self.frame, self.time_ns, link_type, data, size, interface=interface))
        self.pdus += made
        return made

    def hears_request(self, pdu: bytes | None = None, *, after_us: float = 1000, interface: int = 0) -> None:
        packet = on_air(connect_ind() if pdu is None else pdu, ADVERTISING)
        self.hears(
            LinkType.LE_LL_WITH_PHDR, phdr(packet, flags=PHDR_ADVERTISING), after_us=after_us, interface=interface
        )

    def hears_pdu(
        self,
        side: int,
        pdu: bytes,
        *,
        access_address: int = ACCESS_ADDRESS,
        extra_flags: int = 0,
        after_us: float = 1000,
    ) -> Sequence[AttPdu]:
        flags = (PHDR_FROM_CENTRAL, PHDR_FROM_PERIPHERAL)[side] | extra_flags
        packet = phdr(on_air(pdu, access_address), flags=flags)
        return self.hears(LinkType.LE_LL_WITH_PHDR, packet, after_us=after_us)


def write_pcap(path: Path, link_type: int, records: Iterable[bytes]) -> None:
    """A little-endian microsecond pcap file of records, 230 microseconds apart."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link_type)]
    for number, data in enumerate(records):
        parts.append(struct.pack("<IIII", 1_700_000_000, 230 * number, len(data), len(data)) + data)
    path.write_bytes(b"".join(parts))
