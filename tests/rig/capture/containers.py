"""Captures made byte for byte from the format documents, not with our own writers; for tests to read and to damage."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rig.capture.records import LinkType

UNIX_EPOCH_US = 0x00DCDDB30F2F8000
SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND


class Packet(NamedTuple):
    """One record to be written: when, and what."""

    time_ns: int
    data: bytes


def btsnoop(packets: Sequence[Packet], datalink: int = 1002, flags: int = 0) -> bytes:
    parts = [b"btsnoop\0" + struct.pack(">II", 1, datalink)]
    for time_ns, data in packets:
        stamp = time_ns // 1000 + UNIX_EPOCH_US
        parts.append(struct.pack(">IIIIq", len(data), len(data), flags, 0, stamp) + data)
    return b"".join(parts)


def pcap(packets: Sequence[Packet], order: str = "<", unit_ns: int = 1000, link_type: int = LinkType.HCI_H4) -> bytes:
    magic = 0xA1B2C3D4 if unit_ns == 1000 else 0xA1B23C4D
    parts = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link_type)]
    for time_ns, data in packets:
        seconds, fraction = divmod(time_ns, SECOND)
        parts.append(struct.pack(f"{order}IIII", seconds, fraction // unit_ns, len(data), len(data)) + data)
    return b"".join(parts)


def packetlogger(packets: Sequence[Packet], order: str = ">", kind: int = 2) -> bytes:
    parts = []
    for time_ns, data in packets:
        seconds, fraction = divmod(time_ns, SECOND)
        parts.append(struct.pack(f"{order}IIIB", len(data) + 9, seconds, fraction // 1000, kind) + data)
    return b"".join(parts)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    length = struct.pack(f"{order}I", len(padded(body)) + 12)
    return struct.pack(f"{order}I", kind) + length + padded(body) + length


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + padded(value)


def section(order: str = "<", options: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    return block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, *version, -1) + options, order)


def interface(link_type: int = LinkType.HCI_H4, options: bytes = b"", order: str = "<", snapshot: int = 0) -> bytes:
    return block(1, struct.pack(f"{order}HHI", link_type, 0, snapshot) + options, order)


def enhanced(data: bytes, units: int, number: int = 0, options: bytes = b"", order: str = "<") -> bytes:
    head = struct.pack(f"{order}IIIII", number, units >> 32, units & 0xFFFFFFFF, len(data), len(data))
    return block(6, head + padded(data) + options, order)


def simple(data: bytes, order: str = "<", original: int | None = None) -> bytes:
    return block(3, struct.pack(f"{order}I", len(data) if original is None else original) + data, order)


def obsolete(data: bytes, units: int, number: int = 0, options: bytes = b"", order: str = "<") -> bytes:
    head = struct.pack(f"{order}HHIIII", number, 7, units >> 32, units & 0xFFFFFFFF, len(data), len(data))
    return block(2, head + padded(data) + options, order)


def pcapng(packets: Sequence[Packet], order: str = "<", link_type: int = LinkType.HCI_H4) -> bytes:
    parts = [section(order), interface(link_type, order=order)]
    parts += [enhanced(data, time_ns // 1000, order=order) for time_ns, data in packets]
    return b"".join(parts)


class Kind(NamedTuple):
    """One container in one variant, and what its records look like when read."""

    name: str
    format: str
    make: Callable[[Sequence[Packet]], bytes]
    link_type: int
    header: int
    """Bytes before the first record."""
    record_header: int
    """Bytes before a record's data."""
    length_at: int
    """Where in a record its length is."""
    order: str
    trailer: int = 0
    """Bytes after a record's data that are its own, apart from padding to four."""
    flags: int = 0
    unit_ns: int = 1000

    def ends(self, packets: Sequence[Packet]) -> list[int]:
        """Where each record ends in what :attr:`make` makes."""
        return [len(self.make(packets[: count + 1])) for count in range(len(packets))]


KINDS = (
    Kind("btsnoop-H1", "btsnoop", lambda p: btsnoop(p, 1001), LinkType.BTSNOOP_H1, 16, 24, 4, ">"),
    Kind("btsnoop-H4", "btsnoop", btsnoop, LinkType.BTSNOOP_H4, 16, 24, 4, ">"),
    Kind(
        "btsnoop-monitor", "btsnoop", lambda p: btsnoop(p, 2001, 5), LinkType.BTSNOOP_MONITOR, 16, 24, 4, ">", flags=5
    ),
    Kind("pcap-little", "pcap", pcap, LinkType.HCI_H4, 24, 16, 8, "<"),
    Kind("pcap-big", "pcap", lambda p: pcap(p, ">"), LinkType.HCI_H4, 24, 16, 8, ">"),
    Kind("pcap-little-ns", "pcap", lambda p: pcap(p, "<", 1), LinkType.HCI_H4, 24, 16, 8, "<", unit_ns=1),
    Kind("pcap-big-ns", "pcap", lambda p: pcap(p, ">", 1), LinkType.HCI_H4, 24, 16, 8, ">", unit_ns=1),
    Kind("pcapng-little", "pcapng", pcapng, LinkType.HCI_H4, 48, 28, 4, "<", 4),
    Kind("pcapng-big", "pcapng", lambda p: pcapng(p, ">"), LinkType.HCI_H4, 48, 28, 4, ">", 4),
    Kind("packetlogger-big", "packetlogger", packetlogger, LinkType.PACKETLOGGER, 0, 13, 0, ">", flags=2),
    Kind(
        "packetlogger-little",
        "packetlogger",
        lambda p: packetlogger(p, "<"),
        LinkType.PACKETLOGGER,
        0,
        13,
        0,
        "<",
        flags=2,
    ),
)


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def zipped_in_two(data: bytes) -> bytes:
    """A file of two gzip members with zeros behind, as ``cat a.gz b.gz`` and a tape drive leave it."""
    half = len(data) // 2
    return zipped(data[:half]) + zipped(data[half:]) + bytes(512)
