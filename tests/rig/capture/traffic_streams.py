"""Streams of HCI packets with anything in them, written in every container that windows read, and read both ways."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from rig.capture.fast.engine import Engine
from rig.capture.fast.lines import Lines
from rig.capture.fast.stream import chunks
from rig.capture.gatt import GattTracker
from rig.capture.layers.links import AttPdu
from rig.capture.layers.stack import Stack
from rig.capture.records import CaptureError, LinkType, Record
from rig.capture.registry import open_reader
from rig.capture.rows import rows
from rig.capture.text import tsv_line
from tests.rig.capture.containers import T0, UNIX_EPOCH_US, btsnoop, interface, option, pcap, section
from tests.rig.capture.hci_traffic import (
    CONTINUED,
    RECEIVED,
    SENT,
    Packet,
    acl,
    command,
    connected,
    connected_br_edr,
    connected_enhanced,
    disconnected,
    event,
    l2cap,
    le_event,
)

HANDLES = (0x40, 0x41, 0x4FF)

# --- containers -------------------------------------------------------------------------------------------------------


def _timed(stream: Sequence[Packet]) -> Iterator[tuple[int, Packet]]:
    time_ns = T0
    for packet in stream:
        time_ns += packet.after_ms * 1_000_000
        yield time_ns, packet


def as_btsnoop(stream: Sequence[Packet], datalink: int = 1002) -> bytes:
    parts = [btsnoop((), datalink)]
    for time_ns, packet in _timed(stream):
        kind, data, flags = (packet.data or b"\x09")[0], packet.data, packet.side
        if datalink == 1001:
            data = data[1:]
            flags |= 2 * (kind != 2)
        elif datalink == 2001:
            data = data[1:]
            flags = {1: 2, 4: 3, 2: 4 + packet.side}.get(kind, 6 + packet.side)
        stamp = time_ns // 1000 + UNIX_EPOCH_US
        parts.append(struct.pack(">IIIIq", len(data) + packet.cut, len(data), flags, 0, stamp) + data)
    return b"".join(parts)


def as_pcap(stream: Sequence[Packet], order: str = "<", unit_ns: int = 1000) -> bytes:
    parts = [pcap((), order, unit_ns, LinkType.HCI_H4_WITH_PHDR)]
    for time_ns, packet in _timed(stream):
        seconds, rest = divmod(time_ns, 1_000_000_000)
        data = struct.pack(">I", packet.side) + packet.data
        parts.append(struct.pack(f"{order}IIII", seconds, rest // unit_ns, len(data), len(data) + packet.cut) + data)
    return b"".join(parts)


def as_pcapng(
    stream: Sequence[Packet], order: str = "<", *, flagged: bool = False, notes: bool = False, bare: bool = False
) -> bytes:
    """With ``flagged`` every packet has its direction as an option, ``notes`` gives every 300th a comment.

    With ``bare`` packets have no pseudo-header.
    """
    parts = [section(order), interface(LinkType.HCI_H4 if bare else LinkType.HCI_H4_WITH_PHDR, order=order)]
    for number, (time_ns, packet) in enumerate(_timed(stream)):
        data = (b"" if bare else struct.pack(">I", packet.side)) + packet.data
        options = b""
        if flagged:
            options = option(2, struct.pack(f"{order}I", 2 - packet.side), order) + bytes(4)
        elif notes and number % 300 == 299:
            options = option(1, b"here", order) + bytes(4)
        units = time_ns // 1000
        lengths = (len(data), len(data) + packet.cut)
        body = struct.pack(f"{order}IIIII", 0, units >> 32, units & 0xFFFFFFFF, *lengths)
        body += data + bytes(-len(data) % 4) + options
        length = struct.pack(f"{order}I", len(body) + 12)
        parts.append(struct.pack(f"{order}I", 6) + length + body + length)
    return b"".join(parts)


CONTAINERS = {
    "btsnoop-H1": lambda stream: as_btsnoop(stream, 1001),
    "btsnoop-H4": as_btsnoop,
    "btsnoop-monitor": lambda stream: as_btsnoop(stream, 2001),
    "pcap-little": as_pcap,
    "pcap-big-ns": lambda stream: as_pcap(stream, ">", 1),
    "pcapng-little": as_pcapng,
    "pcapng-big": lambda stream: as_pcapng(stream, ">"),
    "pcapng-flags": lambda stream: as_pcapng(stream, flagged=True),
    "pcapng-flags-big": lambda stream: as_pcapng(stream, ">", flagged=True),
    "pcapng-bare-flags": lambda stream: as_pcapng(stream, flagged=True, bare=True),
    "pcapng-bare": lambda stream: as_pcapng(stream, bare=True),
    "pcapng-comments": lambda stream: as_pcapng(stream, notes=True),
}

# --- reading ----------------------------------------------------------------------------------------------------------


def one_by_one(path: Path) -> tuple[str, str]:
    """The lines of a capture by the scalar path, and the error that ended it."""
    lines: list[str] = []
    reader = open_reader(path)
    with reader.source:
        try:
            lines.extend(map(tsv_line, rows(reader.records(), Stack(), GattTracker())))
        except CaptureError as error:
            return "".join(lines), str(error)
    return "".join(lines), ""


class _Counting(Stack):
    """Layers that count the PDUs that they deliver."""

    def __init__(self) -> None:
        super().__init__()
        self.delivered = 0

    def feed(self, record: Record) -> Sequence[AttPdu]:
        found = super().feed(record)
        self.delivered += len(found)
        return found


class InWindows(NamedTuple):
    """What came of reading a capture in windows."""

    lines: str
    error: str
    windows: int
    fed: int
    """Rows that went through the layers, not through columns."""


def in_windows(
    path: Path, *, window_records: int = 1 << 14, window_bytes: int = 1 << 19, few_records: int = 1
) -> InWindows:
    stack = _Counting()
    engine, lines = Engine(stack, GattTracker(), few_records=few_records), Lines()
    text, windows = [], 0
    error = ""
    reader = open_reader(path)
    with reader.source:
        try:
            for chunk in chunks(reader, window_bytes=window_bytes, window_records=window_records):
                windows += not isinstance(chunk, list)
                text.append(lines.text(engine.block(chunk)))
        except CaptureError as caught:
            error = str(caught)
    return InWindows(b"".join(text).decode(), error, windows, stack.delivered)


# --- streams ----------------------------------------------------------------------------------------------------------

_OPCODES = (
    *(0x0A, 0x0B, 0x12, 0x13, 0x1B, 0x52) * 3,
    *(0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x16, 0x17, 0x18, 0x19),
    *(0x1D, 0x1E, 0x1D, 0x1E, 0x20, 0x21, 0x23, 0x7F, 0xD2),
)
_TELLING = tuple(
    bytes.fromhex(text)
    for text in (
        "10 0100 ffff 0028", "11 06 0100 0500 0018", "08 0100 ffff 0328", "09 07 0200 02 0300 002a 0400 02 0500 012a",
        "09 07 0200 10 0300 372a", "04 0400 0500", "05 01 0400 0229 0500 0329",
        "06 0100 ffff 0028 0d18", "07 0100 0500", "08 0100 ffff 0228",
        "09 08 0200 0600 0900 0f18", "09 06 0200 0600 0900", "0a 0200", "0b 0f18", "0a 0600",
        "0b 0600 0900 0f18", "04 0100 0300", "05 01 0100 0028 0200 0328 0300 002a", "0a 0200", "0b 10 0300 382a",
        "0a 0100", "0b 0a18", "01 08 0100 0a", "01 0a 0300 02",
    )
)  # fmt: skip
"""PDUs of discovery, and of reads that tell what a declaration contains: in any order, many of them contradict."""


def _packets_of(handle: int, side: int, frame: bytes, size: int) -> list[Packet]:
    """An L2CAP frame in ACL packets of at most ``size`` octets."""
    first, *rest = [frame[at : at + size] for at in range(0, len(frame), size)] or [b""]
    return [acl(handle, side, first), *(acl(handle, side, part, CONTINUED) for part in rest)]


def _aside(rng: random.Random, handle: int, side: int) -> list[Packet]:
    """Something other than a whole ATT PDU."""
    peer = rng.choice(("C0:11:22:33:44:55", "C0:11:22:33:44:66"))
    little = rng.randbytes(rng.randint(0, 12))
    return rng.choice(
        (
            lambda: [connected(handle, role=rng.randint(0, 1), peer=peer)],
            lambda: [connected_enhanced(handle, role=rng.randint(0, 1), peer=peer)],
            lambda: [connected_br_edr(handle, peer)],
            lambda: [disconnected(handle)],
            lambda: [disconnected(handle), Packet(b"\x04\x13\x05\x01\x40\x00\x01\x00", RECEIVED, after_ms=2_000)],
            lambda: [event(0x0E, b"\x01\x03\x0c\x00")],  # reset
            lambda: [event(0x0E, b"\x01\x09\x10\x00" + little[:6].ljust(6, b"\1"))],
            lambda: [event(0x0E, b"\x01\x01\x20\x00")],
            lambda: [event(0x13, struct.pack("<BHH", 1, handle, 2))],
            lambda: [event(0x08, struct.pack("<BHB", 0, handle, 1))],
            lambda: [event(rng.randrange(256), little)],
            lambda: [le_event(rng.randrange(48), little)],
            lambda: [le_event(5, struct.pack("<H", handle) + bytes(10))],
            lambda: [command(0x2019, struct.pack("<H", handle) + bytes(26))],
            lambda: [command(0x201A, struct.pack("<H", handle) + bytes(16))],
            lambda: [command(rng.randrange(1 << 16), little)],
            lambda: [acl(handle, side, l2cap(rng.choice((1, 2, 5, 6, 7, 0x40, 0x41)), little))],
            lambda: [acl(handle, side, l2cap(6, bytes((rng.choice((1, 2, 0x0B)),)) + bytes(6)))],
            lambda: [acl(handle, side, little, CONTINUED)],
            lambda: [acl(handle, side, little)],
            lambda: [acl(handle, side, l2cap(4, bytes((rng.choice(_OPCODES), 3, 0)) + little), 3)],
            lambda: [acl(handle, side, l2cap(4, bytes((rng.choice(_OPCODES), 5, 0))), 3)],
            lambda: _packets_of(handle, side, l2cap(4, b"\x12\x03\x00" + little + bytes(20)), 20)[:1],
            lambda: _packets_of(handle, side, l2cap(4, b"\x12\x03\x00" + little + bytes(20)), 20)[1:],
            lambda: [acl(handle, side, l2cap(4, b"\x1b\x03\x00" + little) + little)],
            lambda: [acl(handle, side, l2cap(4, b"\x1b\x03\x00" + little + bytes(9)), cut=rng.randint(1, 8))],
            lambda: [acl(handle, side, l2cap(4, b"\x1b\x03\x00" + little + bytes(9))[: rng.randint(1, 12)])],
            lambda: [acl(handle, side, b"")],
            lambda: [Packet(bytes((rng.choice((0, 3, 5, 9)),)) + little, side)],
            lambda: [Packet(b"\x02" + little[:3], side)],
            lambda: [Packet(b"\x04" + little[:1], side)],
            lambda: [Packet(b"", side)] if rng.random() < 0.1 else [],
        )
    )()


def stream(seed: int, length: int, oddity: float) -> list[Packet]:
    """Packets of three connections whose fragments interleave; ``oddity`` is how much of it is no plain ATT."""
    rng = random.Random(seed)
    packets: list[Packet] = []
    handles = HANDLES[: rng.randint(1, 3)]
    if rng.random() < 0.7:
        packets += [connected(handle) for handle in handles]
    while len(packets) < length:
        lanes: dict[tuple[int, int], list[Packet]] = {}
        for _ in range(rng.randint(1, 12)):
            handle, side = rng.choice(handles), rng.randint(0, 1)
            lane = lanes.setdefault((handle, side), [])
            size = rng.choice((27, 27, 251, 251, 3, 4, 5, 7, 9, 11))
            if rng.random() < oddity:
                lane += _aside(rng, handle, side)
            elif rng.random() < oddity:
                lane += _packets_of(handle, side, l2cap(4, rng.choice(_TELLING)), size)
            else:
                _talk(rng, lanes, handle, size)
        waiting = [lane[::-1] for lane in lanes.values() if lane]
        while waiting:
            lane = rng.choice(waiting)
            packets.append(lane.pop())
            if not lane:
                waiting.remove(lane)
    return packets[:length]


def _talk(rng: random.Random, lanes: dict[tuple[int, int], list[Packet]], handle: int, size: int) -> None:
    """An exchange as devices have it, or a PDU of any kind."""
    attribute = struct.pack("<H", rng.randint(1, 9))
    value = rng.randbytes(rng.choice((0, 1, 2, 20, 60)))
    client = rng.choice((SENT, SENT, RECEIVED))
    said = rng.choice(
        (
            [(1 - client, b"\x1b" + attribute + value)],
            [(client, b"\x52" + attribute + value)],
            [(client, b"\x12" + attribute + value), (1 - client, b"\x13")],
            [(client, b"\x0a" + attribute), (1 - client, b"\x0b" + value)],
            [(1 - client, b"\x1d" + attribute + value), (client, b"\x1e")],
            [(client, bytes((rng.choice(_OPCODES),)) + (attribute + value)[: rng.randint(0, 9)])],
        )
    )
    for side, pdu in said:
        lanes.setdefault((handle, side), []).extend(_packets_of(handle, side, l2cap(4, pdu), size))


streams = st.builds(stream, st.integers(0, 1 << 32), st.integers(1, 160), st.sampled_from((0.02, 0.1, 0.3, 0.7)))
