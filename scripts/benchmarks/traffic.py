"""Generates large captures for the capture bench: three LE links, interleaved, a fifth of the ATT PDUs in fragments.

Writes its bytes itself, so that what is measured has no part in what it is measured on. Same seed, same file.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SENT, RECEIVED = 0, 1
ACL_OCTETS = 27  # the smallest ACL buffer that a controller may offer (Core Specification Vol 4 Part E, 7.8.2)
CYCLE = 50_000  # records that are made one by one; a longer file repeats them with later times
UNIX_EPOCH_US = 0x00DCDDB30F2F8000
BEGIN_US = 1_760_000_000_000_000
HANDLES = (0x0040, 0x0041, 0x0042)
SHORT = (1, 2, 4, 8, 13, 20)  # octets of value in what fits one packet: a level, a step, a 55 AA frame, a full PDU
FRAGMENTED_SHARE = 0.2


class Packet(NamedTuple):
    """An H4 packet, which way it went, and microseconds since the packet before."""

    h4: bytes
    direction: int
    gap_us: int


def _event(code: int, parameters: bytes) -> bytes:
    return bytes((4, code, len(parameters))) + parameters


def _connection(index: int) -> bytes:
    peer = bytes((index + 1, 0, 0, 0xFF, 0xEE, 0xC0))
    parameters = struct.pack("<BBHBB6sHHHB", 0x01, 0, HANDLES[index], 0, 1, peer, 24, 0, 500, 0)
    return _event(0x3E, parameters)


def _fragments(handle: int, direction: int, pdu: bytes) -> list[bytes]:
    """ACL packets of one ATT PDU: the first with the boundary flag of its direction, the rest as continuations."""
    frame = struct.pack("<HH", len(pdu), 4) + pdu
    first = 0x0000 if direction == SENT else 0x2000
    packets = []
    for start in range(0, len(frame), ACL_OCTETS):
        part = frame[start : start + ACL_OCTETS]
        packets.append(struct.pack("<BHH", 2, handle | (0x1000 if start else first), len(part)) + part)
    return packets


def _uuid128(index: int, number: int) -> bytes:
    return bytes((index, number)) + bytes.fromhex("0badc0de0badc0de0badc0de00f7")


def _discovery(index: int) -> Iterator[tuple[int, bytes]]:
    """Discovery of the server of link ``index``: each link has a table of its own, at the same handles."""
    yield SENT, struct.pack("<BH", 0x02, 247)
    yield RECEIVED, struct.pack("<BH", 0x03, 247)
    yield SENT, struct.pack("<BHHH", 0x10, 1, 0xFFFF, 0x2800)
    yield RECEIVED, struct.pack("<BBHH", 0x11, 20, 1, 0x20) + _uuid128(index, 0)
    yield SENT, struct.pack("<BHHH", 0x10, 0x21, 0xFFFF, 0x2800)
    yield RECEIVED, struct.pack("<BBHB", 0x01, 0x10, 0x21, 0x0A)
    at = 1
    for number, properties in enumerate((0x10, 0x0C, 0x0A)):
        yield SENT, struct.pack("<BHHH", 0x08, at, 0x20, 0x2803)
        declaration = 2 + 3 * number
        value = struct.pack("<HBH", declaration, properties, declaration + 1) + _uuid128(index, number + 1)
        yield RECEIVED, bytes((0x09, len(value))) + value
        at = declaration + 1
    yield SENT, struct.pack("<BHHH", 0x08, at, 0x20, 0x2803)
    yield RECEIVED, struct.pack("<BBHB", 0x01, 0x08, at, 0x0A)
    yield SENT, struct.pack("<BHH", 0x04, 4, 4)
    yield RECEIVED, struct.pack("<BBHH", 0x05, 1, 4, 0x2902)


def _conversation(rng: random.Random) -> list[tuple[int, bytes]]:
    """One exchange of ATT PDUs on one link."""
    length = rng.randint(24, 120) if rng.random() < FRAGMENTED_SHARE else rng.choice((*SHORT, rng.randint(1, 20)))
    value = rng.randbytes(length)
    kind = rng.random()
    if kind < 0.55:
        return [(RECEIVED, struct.pack("<BH", 0x1B, 3) + value)]
    if kind < 0.8:
        return [(SENT, struct.pack("<BH", 0x52, 6) + value)]
    if kind < 0.9:
        return [(SENT, struct.pack("<BH", 0x12, 6) + value), (RECEIVED, b"\x13")]
    return [(SENT, struct.pack("<BH", 0x0A, 9)), (RECEIVED, b"\x0b" + value)]


def _preamble(*, discovery: bool) -> Iterator[Packet]:
    for command, answer in ((0x0C03, b""), (0x1009, bytes.fromhex("0100feca00c0"))):  # Reset, Read BD_ADDR
        yield Packet(struct.pack("<BHB", 1, command, 0), SENT, 1_000)
        yield Packet(_event(0x0E, struct.pack("<BHB", 1, command, 0) + answer), RECEIVED, 1_000)
    for index, handle in enumerate(HANDLES):
        yield Packet(_connection(index), RECEIVED, 5_000)
        for direction, pdu in _discovery(index) if discovery else ():
            for packet in _fragments(handle, direction, pdu):
                yield Packet(packet, direction, 7_500)


def _cycle(rng: random.Random) -> list[Packet]:
    """Exchanges on all three links, their fragments interleaved, with the controller's flow control in between."""
    packets: list[Packet] = []
    while len(packets) < CYCLE:
        lanes = []
        for handle in HANDLES:
            lane = [
                (packet, direction)
                for _ in range(8)
                for direction, pdu in _conversation(rng)
                for packet in _fragments(handle, direction, pdu)
            ]
            lanes.append(lane[::-1])
        while lanes:
            lane = rng.choice(lanes)
            packet, direction = lane.pop()
            packets.append(Packet(packet, direction, rng.randint(50, 1_500)))
            if direction == SENT and rng.random() < 0.25:
                completed = _event(0x13, struct.pack("<BHH", 1, rng.choice(HANDLES), 4))
                packets.append(Packet(completed, RECEIVED, rng.randint(20, 200)))
            if not lane:
                lanes.remove(lane)
    return packets


def packets(records: int, seed: int, *, discovery: bool = True) -> Iterator[tuple[bytes, int, int]]:
    """Yield ``records`` packets as (H4 packet, direction, Unix microseconds)."""
    now = BEGIN_US
    made = 0
    for packet in _preamble(discovery=discovery):
        now += packet.gap_us
        yield packet.h4, packet.direction, now
        made += 1
    cycle = _cycle(random.Random(seed))
    while True:
        for h4, direction, gap_us in cycle:
            if made == records:
                return
            now += gap_us
            yield h4, direction, now
            made += 1


def write_btsnoop(path: Path, records: int, seed: int, *, discovery: bool = True) -> None:
    """Write a btsnoop file of H4 packets."""
    with path.open("wb", buffering=1 << 20) as file:
        file.write(b"btsnoop\0" + struct.pack(">II", 1, 1002))
        header = struct.Struct(">IIIIq").pack
        for h4, direction, now in packets(records, seed, discovery=discovery):
            flags = direction | (2 if h4[0] == 4 else 0)
            file.write(header(len(h4), len(h4), flags, 0, now + UNIX_EPOCH_US) + h4)


def write_pcapng(path: Path, records: int, seed: int) -> None:
    """Write the same packets as enhanced packet blocks of link type 201, microseconds, little-endian."""
    with path.open("wb", buffering=1 << 20) as file:
        file.write(struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28))
        file.write(struct.pack("<IIHHII", 1, 20, 201, 0, 0, 20))
        header = struct.Struct("<IIIIIIII").pack
        trailer = struct.Struct("<I").pack
        for h4, direction, now in packets(records, seed):
            length = len(h4) + 4
            padding = -length % 4
            total = 32 + length + padding
            file.write(
                header(6, total, 0, now >> 32, now & 0xFFFFFFFF, length, length, direction << 24)
                + h4
                + bytes(padding)
                + trailer(total)
            )
