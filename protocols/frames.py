"""The 55 AA frame: `55 AA | len | id id | type | state | func | para 0..3 | crc crc`, out and in, from any bytes.

Knows the layout and its checksum. Refuses to know what a function does, with one exception: the two requests that must
never leave a host cannot be encoded here either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum

from fastcrc import crc16

from protocols.machine import LocalProtocolError

HEADER = b"\x55\xaa"
DEVICE_ID = 0x00A6
PARTIAL_FRAME_S = 2.0
"""A frame that is not whole this long after its first byte is dropped, by the device as by us."""

MAX_PARA = 3
_FIXED = 5  # id, type, state, func: what `len` counts besides para
_MIN_LEN = _FIXED
_MAX_LEN = _FIXED + MAX_PARA  # the firmware's buffer holds 8 data bytes and does not check: a longer frame overruns it
_AROUND = 5  # header, len, crc: what `len` does not count


class FrameType(int, Enum):
    """What a frame is about. Other values are carried as plain ints."""

    ACTION = 0x31
    SET = 0x32
    GET = 0x33
    REPORT = 0x66


class State(int, Enum):
    """Who speaks, and how a request fared. Other values are carried as plain ints."""

    REFUSED = 0x00
    ACCEPTED = 0x01
    REQUEST = 0x02


_FORBIDDEN = frozenset({(FrameType.ACTION.value, 0x05), (FrameType.ACTION.value, 0xAA)})  # ageing mode, firmware update


class ChecksumOrder(Enum):
    """Byte order of the checksum on the wire. The published firmware and the published document disagree."""

    HIGH_FIRST = "big"
    LOW_FIRST = "little"

    @property
    def other(self) -> ChecksumOrder:
        """The one that this is not."""
        return ChecksumOrder.LOW_FIRST if self is ChecksumOrder.HIGH_FIRST else ChecksumOrder.HIGH_FIRST


def crc(data: bytes) -> int:
    """CRC-16/MODBUS (polynomial 0x8005 reflected, initial value 0xFFFF) over ``len`` to the last para byte."""
    return crc16.modbus(data)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. ``order`` is the byte order in which its checksum is right; None when it is right in neither.

    ``raw`` is the frame as it arrived, and takes no part in comparison.
    """

    type: int
    state: int
    func: int
    para: bytes = b""
    device_id: int = DEVICE_ID
    order: ChecksumOrder | None = None
    raw: bytes = field(default=b"", compare=False, repr=False)


class Defect(StrEnum):
    """Why bytes are not a frame."""

    NOISE = "no frame starts here"
    LENGTH = "impossible length"
    CHECKSUM = "wrong checksum in either byte order"
    TIMEOUT = "frame never completed"


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that were passed over on the way to the next frame, and what was wrong with the first of them."""

    data: bytes
    reason: Defect


def encode(
    type_: int,
    state: int,
    func: int,
    para: bytes = b"",
    *,
    order: ChecksumOrder = ChecksumOrder.HIGH_FIRST,
    device_id: int = DEVICE_ID,
) -> bytes:
    """Return one whole frame, 10 to 13 bytes.

    Raises:
        LocalProtocolError: more than 3 para bytes (the published firmware does not check ``len`` and overruns its
            buffer), or a request for ageing mode or firmware update, which no host of ours ever sends.
    """
    if len(para) > MAX_PARA:
        raise LocalProtocolError(f"a frame carries at most {MAX_PARA} parameter bytes, not {len(para)}")
    if state == State.REQUEST and (type_, func) in _FORBIDDEN:
        raise LocalProtocolError(f"function {func:02X} belongs to the factory and is never requested")
    body = bytes((_FIXED + len(para), device_id >> 8, device_id & 0xFF, type_, state, func)) + para
    return HEADER + body + crc(body).to_bytes(2, order.value)


def decode(data: bytes) -> Frame:
    """Read exactly one whole frame, whether its checksum is right or not (then ``order`` is None).

    Raises:
        ValueError: ``data`` is not one frame from header to checksum; the message names the offset that is wrong.
    """
    if not data.startswith(HEADER):
        raise ValueError("offset 0: a frame starts with 55 AA")
    if len(data) < _MIN_LEN + _AROUND:
        raise ValueError(f"offset {len(data)}: the frame ends early")
    if not _MIN_LEN <= data[2] <= _MAX_LEN:
        raise ValueError(f"offset 2: length {data[2]} is outside {_MIN_LEN} to {_MAX_LEN}")
    if len(data) != data[2] + _AROUND:
        raise ValueError(f"offset 2: length {data[2]} makes a frame of {data[2] + _AROUND} bytes, not {len(data)}")
    body, printed = data[2:-2], data[-2:]
    expected = crc(body)
    order: ChecksumOrder | None = None
    if int.from_bytes(printed, "big") == expected:
        order = ChecksumOrder.HIGH_FIRST
    elif int.from_bytes(printed, "little") == expected:
        order = ChecksumOrder.LOW_FIRST
    return Frame(
        type=body[3],
        state=body[4],
        func=body[5],
        para=body[6:],
        device_id=int.from_bytes(body[1:3], "big"),
        order=order,
        raw=data,
    )


class FrameDecoder:
    """Finds frames in a stream that may be split, joined or spoilt at any byte.

    After a false start only one byte is given up, so that a true frame inside the wreck of another is still found.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._since = 0.0

    @property
    def deadline(self) -> float | None:
        """When :meth:`expire` gives up the partial frame; None while there is none."""
        return self._since + PARTIAL_FRAME_S if self._buffer else None

    def feed(self, data: bytes, now: float) -> list[Frame | Garbage]:
        """Take the next bytes; ``now`` in seconds. Returns what became whole, in order of arrival."""
        found = self.expire(now) if data else []
        if not data:
            return found
        held = len(self._buffer)
        if not held:
            self._since = now
        self._buffer += data
        found += self._take()
        if len(self._buffer) <= len(data):  # nothing of what was held before is left: the partial frame began now
            self._since = now
        return found

    def expire(self, now: float) -> list[Frame | Garbage]:
        """Give up a partial frame whose time is over, and look again at what follows its false header."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return []
        self._since = now
        return self._take(stale=True)

    def _take(self, *, stale: bool = False) -> list[Frame | Garbage]:
        """Cut everything decided off the front of the buffer. ``stale``: the header at the front led nowhere."""
        found: list[Frame | Garbage] = []
        buffer = self._buffer
        junk_from, at, reason = 0, 0, Defect.NOISE
        if stale:
            at, reason = 1, Defect.TIMEOUT
        while True:
            start = buffer.find(HEADER, at)
            if start < 0:
                # A lone 55 at the very end may be half a header.
                start = len(buffer) - 1 if buffer.endswith(HEADER[:1]) and at < len(buffer) else len(buffer)
                break
            if len(buffer) - start < 3:
                break
            length = buffer[start + 2]
            end = start + length + _AROUND
            if not _MIN_LEN <= length <= _MAX_LEN:
                fault = Defect.LENGTH
            elif end > len(buffer):
                break
            else:
                frame = decode(buffer[start:end])
                if frame.order is not None:
                    if start > junk_from:
                        found.append(Garbage(buffer[junk_from:start], reason))
                    found.append(frame)
                    junk_from = at = end
                    reason = Defect.NOISE
                    continue
                fault = Defect.CHECKSUM
            if start == junk_from:
                reason = fault
            at = start + 1
        if start > junk_from:
            found.append(Garbage(buffer[junk_from:start], reason))
        self._buffer = buffer[start:]
        return found
