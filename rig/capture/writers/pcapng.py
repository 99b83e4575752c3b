"""pcapng, link type 201: nanoseconds, an interface for each controller, comments on the capture and on packets.

Format: draft-ietf-opsawg-pcapng (sections 4.1 section header, 4.2 interface description, 4.3 enhanced packet).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import BinaryIO, Final

from rig.capture.writer import Direction
from rig.capture.writers import UnrepresentableError, write_whole

COMMENT_LIMIT: Final = 0xFFFF
"""Most bytes of UTF-8 in one comment: the length of an option is a 16-bit number."""

_SECTION_HEADER = 0x0A0D0D0A
_INTERFACE_DESCRIPTION = 0x00000001
_ENHANCED_PACKET = 0x00000006
_BYTE_ORDER = 0x1A2B3C4D
_LINK_TYPE = 201
_OPT_COMMENT = 1
_SHB_USERAPPL = 4
_IF_NAME = 2
_IF_TSRESOL = 9
_IF_TSOFFSET = 14
_EPB_FLAGS = 2
_INBOUND, _OUTBOUND = 1, 2  # bits 0 and 1 of epb_flags
_DIRECTION = {Direction.SENT: (b"\0\0\0\0", _OUTBOUND), Direction.RECEIVED: (b"\0\0\0\1", _INBOUND)}
_SECOND = 1_000_000_000
_SPAN_NS = 1 << 64
_HALF_SPAN_S = _SPAN_NS // 2 // _SECOND


class PcapngWriter:
    """Writes H4 packets to a pcapng file; see :class:`rig.capture.writers.PacketWriter`.

    Args:
        file: where to write; stays open.
        comments: what to say of the whole capture, at most :data:`COMMENT_LIMIT` bytes each (longer ones are split).
    """

    def __init__(self, file: BinaryIO, comments: Iterable[str] = ()) -> None:
        self._file = file
        self._interfaces: dict[int, tuple[int, int]] = {}
        self.records = 0
        self.rounded_times = 0
        self._section(comments)

    def write(
        self,
        packet_h4: bytes,
        direction: Direction,
        time_ns: int,
        *,
        original_length: int | None = None,
        controller: int = 0,
        comments: tuple[str, ...] = (),
        flags: int | None = None,
    ) -> None:
        """Write one packet."""
        header = b""
        if (known := self._interfaces.get(controller)) is None:
            known = (len(self._interfaces), _offset_s(time_ns))
            header = _interface(controller, known[1])
        number, offset_s = known
        stamp = time_ns - offset_s * _SECOND
        if not 0 <= stamp < _SPAN_NS:
            raise UnrepresentableError(
                f"its time, {time_ns // _SECOND} s from 1970, is too far from the others: pcapng holds 584 years, "
                "btsnoop all of them"
            )
        self._interfaces[controller] = known
        phdr, side = _DIRECTION[direction]
        data = phdr + packet_h4
        original = len(data) if original_length is None else original_length + 4
        options = _option(_EPB_FLAGS, struct.pack("<I", side if flags is None else (flags & ~3) | side))
        if comments:
            options = _comments(comments) + options
        fields = struct.pack("<IIIII", number, stamp >> 32, stamp & 0xFFFFFFFF, len(data), original)
        write_whole(self._file, header + _block(_ENHANCED_PACKET, fields + _padded(data), options))
        self.records += 1

    def add_comments(self, comments: Iterable[str]) -> None:
        """Say something of the whole capture that was not known when it began, after its last packet."""
        # A section has its comments in front, so this is one more, without packets. What follows would need its
        # interfaces described again, and they would be others.
        self._section(comments)
        self._interfaces.clear()

    def _section(self, comments: Iterable[str]) -> None:
        options = _comments(comments) + _option(_SHB_USERAPPL, b"Microcurrent Companion (rig)")
        write_whole(self._file, _block(_SECTION_HEADER, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1), options))


def _offset_s(time_ns: int) -> int:
    # 64 bits of nanoseconds reach from 1970 to 2554. A capture that begins elsewhere (btsnoop counts from the year 0,
    # and a phone whose clock is not set writes just that) gets an if_tsoffset with its first time in the middle.
    if 0 <= time_ns < _SPAN_NS:
        return 0
    offset_s = time_ns // _SECOND - _HALF_SPAN_S
    if not -(1 << 63) <= offset_s < 1 << 63:
        raise UnrepresentableError(f"its time, {time_ns // _SECOND} s from 1970, is outside what pcapng holds")
    return offset_s


def _interface(controller: int, offset_s: int) -> bytes:
    # A Linux monitor's numbers hold the adapter in their low half; 0xFFFF is no adapter.
    adapter = controller & 0xFFFF
    name = b"synthetic" if adapter == 0xFFFF else f"hci{adapter}".encode()
    options = _option(_IF_NAME, name) + _option(_IF_TSRESOL, b"\x09")
    if offset_s:
        options += _option(_IF_TSOFFSET, struct.pack("<q", offset_s))
    return _block(_INTERFACE_DESCRIPTION, struct.pack("<HHI", _LINK_TYPE, 0, 0), options)


def _comments(comments: Iterable[str]) -> bytes:
    return b"".join(_option(_OPT_COMMENT, part) for comment in comments for part in _parts(comment))


def _parts(comment: str) -> Iterable[bytes]:
    data = comment.encode("utf-8", "replace")
    while len(data) > COMMENT_LIMIT:
        cut = COMMENT_LIMIT
        while data[cut] & 0xC0 == 0x80:  # not in the middle of a character
            cut -= 1
        yield data[:cut]
        data = data[cut:]
    yield data


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _block(kind: int, body: bytes, options: bytes) -> bytes:
    if options:
        options += b"\0\0\0\0"  # opt_endofopt
    length = 12 + len(body) + len(options)
    return struct.pack("<II", kind, length) + body + options + struct.pack("<I", length)
