"""Conversations with a Dr-05, as a recording would have them, times and all."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastcrc import crc16

from protocols.frames import ChecksumOrder, FrameType, State, encode
from protocols.gatt import uuid
from rig.devices.dr05 import BYTE_S
from rig.replay.exchanges import Exchange, Place, Transcript

UART = Place(uuid("ffe0"), uuid("ffe1"))
ACTION, SET, GET = FrameType.ACTION, FrameType.SET, FrameType.GET
MAKERS_TOTAL_STOP = bytes.fromhex("55AA0500A6310206F26B")
"""As the maker's document prints it: the checksum low byte first."""
LOW, HIGH = ChecksumOrder.LOW_FIRST, ChecksumOrder.HIGH_FIRST


def request(kind: int, func: int, *para: int, order: ChecksumOrder = HIGH, device_id: int = 0x00A6) -> bytes:
    """A frame from the host, also one that no host of ours would encode."""
    body = bytes((5 + len(para), *device_id.to_bytes(2), kind, State.REQUEST, func, *para))
    return b"\x55\xaa" + body + crc16.modbus(body).to_bytes(2, order.value)


def reply(kind: int, func: int, *para: int, state: int = 1, order: ChecksumOrder = HIGH) -> bytes:
    return encode(kind, state, func, bytes(para), order=order)


def total_stop() -> bytes:
    return request(ACTION, 0x06)


def level(percent: int) -> bytes:
    return request(SET, 0x02, percent)


def start() -> bytes:
    return request(ACTION, 0x03, 1)


def stop() -> bytes:
    return request(ACTION, 0x03, 0)


@dataclass
class Talk:
    """Builds a transcript: what the app writes, and how a Dr-05 of the published firmware answers it."""

    at_s: float = 0.0
    exchanges: list[Exchange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.exchanges.append(Exchange(0, "app", "connect"))
        self.exchanges.append(Exchange(0, "app", "subscribe", UART, answered_ns=0))
        self.at_s = 0.2

    def write(self, data: bytes, *answer: bytes, wait_s: float = 0.15, split: int | None = None) -> Talk:
        """The app writes, the device answers when its serial line lets it, the app waits ``wait_s`` after the write."""
        for piece in (data,) if split is None else (data[:split], data[split:]):
            self.exchanges.append(Exchange(round(self.at_s * 1e9), "app", "write_command", UART, piece))
        line_s = len(data) * BYTE_S
        for item in answer:
            line_s += len(item) * BYTE_S
            self.exchanges.append(Exchange(round((self.at_s + line_s) * 1e9), "device", "notification", UART, item))
        self.at_s += wait_s
        return self

    def echoed(self, data: bytes, *, wait_s: float = 0.15) -> Talk:
        """The app writes, the device accepts."""
        return self.write(data, reply(data[5], data[7], *data[8:-2]), wait_s=wait_s)

    def started(self) -> Talk:
        """Version, total stop, lowest level, start."""
        self.write(request(GET, 0x40), reply(GET, 0x40, 2, 1))
        return self.echoed(total_stop()).echoed(level(1)).echoed(start())

    def risen(self, to: int, *, wait_s: float = 0.15) -> Talk:
        """One step after the other."""
        for percent in range(2, to + 1):
            self.echoed(level(percent), wait_s=wait_s)
        return self

    def hung_up(self) -> Talk:
        self.exchanges.append(Exchange(round(self.at_s * 1e9), "app", "disconnect"))
        return self

    def transcript(self, title: str = "a talk with a Dr-05") -> Transcript:
        return Transcript(title, tuple(self.exchanges), name="Dr-05", protocol="dr05")
