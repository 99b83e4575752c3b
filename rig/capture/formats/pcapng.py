"""pcapng: what Wireshark writes. Several sections and interfaces, each with a byte order and a clock of its own.

Knows the file format. Refuses to know packets: blocks that hold none are skipped, and counted.
Format: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/ (the clauses below are of that draft).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from rig.capture.formats.link_types import BLUETOOTH, unreadable
from rig.capture.records import CaptureError, Record
from rig.capture.source import LONGEST_RECORD_BYTES, Source

SECTION_HEADER = 0x0A0D0D0A  # the same in either byte order
_SECTION_MAGIC = b"\n\r\r\n"
INTERFACE_DESCRIPTION = 1
PACKET = 2  # obsolete
SIMPLE_PACKET = 3
ENHANCED_PACKET = 6
BYTE_ORDER_MAGIC = 0x1A2B3C4D
_MAGICS = {order: struct.pack(f"{order}I", BYTE_ORDER_MAGIC) for order in "<>"}
_ORDERS = {magic: order for order, magic in _MAGICS.items()}
_SHORTEST = 12
"""Bytes of a block that has no body: type, length, and the length again."""
_SHORTEST_ENHANCED = 32
_NUMBERED = frozenset({9, 0xBAD, 0x40000BAD, 0x204, 0x208, 0x216, 0x217, 0x221, 0x222})
"""Blocks without a packet of ours that Wireshark gives a frame number: journal export, custom blocks, Sysdig events."""
_MOST_INTERFACES = 1 << 16
_MOST_COMMENT_BYTES = LONGEST_RECORD_BYTES
_MOST_KINDS = 1000

_END_OF_OPTIONS = 0
_COMMENT = 1
_FLAGS = 2
_TIME_RESOLUTION = 9
_TIME_OFFSET = 14
_SECTION_TEXTS = {2: "hardware", 3: "os", 4: "application"}
_INTERFACE_TEXTS = {2: "name", 3: "description", 12: "os", 15: "hardware"}
_NS = 1_000_000_000
_NONE: tuple[int, tuple[str, ...]] = (0, ())

NAME = "pcapng"


def detect(head: bytes) -> bool:
    """Say whether a file that begins like this is one."""
    return head[:4] == _SECTION_MAGIC and (len(head) < _SHORTEST or head[8:12] in _ORDERS)


class Interface(NamedTuple):
    """What reading the packets of one interface takes. Unix ns = units * multiplier // divisor + offset_ns."""

    number: int
    link_type: int
    snapshot: int
    multiplier: int
    divisor: int
    offset_ns: int


class PcapngReader:
    """Reads pcapng from a source that stands at its beginning.

    ``details``: ``sections`` and ``interfaces`` (lists of what each says of itself), ``comments`` (on sections and
    interfaces, in file order), ``other_blocks`` (how often blocks without a packet were seen, by type).

    Raises:
        CaptureError: the first block is cut, or of a version that cannot be read.
    """

    format = NAME

    def __init__(self, source: Source) -> None:
        self.source = source
        self.frames = 0
        """Frames taken so far. Whoever takes blocks off the source's window in bulk adds them here."""
        self._sections: list[dict[str, object]] = []
        self._interfaces: list[dict[str, object]] = []
        self._comments: list[str] = []
        self._comment_bytes = 0
        self._other_blocks: dict[str, int] = {}
        self._link_types: set[int] = set()
        self._count = 0
        self._need = _SHORTEST
        self.order = "<"
        """Byte order of the current section, as :mod:`struct` writes it."""
        self.section: list[Interface] = []
        """The interfaces of the current section."""
        self.details: dict[str, object] = {
            "sections": self._sections,
            "interfaces": self._interfaces,
            "comments": self._comments,
            "other_blocks": self._other_blocks,
        }

    def records(self) -> Iterator[Record]:
        """Yield every record in file order, holding no more than one window of the file.

        Raises:
            CaptureError: the file is damaged here; every record before the damage was delivered.
        """
        source = self.source
        while len(data := source.window(self._need)) >= self._need:
            self._need = _SHORTEST
            yield from self._blocks(data, source.offset)
        if data:
            what = "the header of a block" if len(data) < _SHORTEST else "a block"
            raise source.cut(f"cut in {what}: {len(data)} of {self._need} bytes")
        source.end()
        if self._link_types and not self._link_types & BLUETOOTH:
            raise CaptureError(source.name, unreadable(min(self._link_types)))

    def _blocks(self, data: bytes, start: int) -> Iterator[Record]:
        """Yield the records of the whole blocks in ``data``, the window at ``start``; say what the next one needs."""
        size = len(data)
        at = 0
        record_of = tuple.__new__
        try:
            while at + _SHORTEST <= size:
                section = self.section
                enhanced = struct.Struct(f"{self.order}7I").unpack_from
                word = struct.Struct(f"{self.order}I").unpack_from
                known = -1  # the interface that the names below are about
                interface = link_type = multiplier = divisor = offset_ns = 0
                # The usual case, fast: enhanced packets one after the other, with nothing odd about them.
                while at + _SHORTEST_ENHANCED <= size:
                    kind, length, number, high, low, captured, original = enhanced(data, at)
                    begin = at + 28
                    options = begin + ((captured + 3) & ~3)
                    end = at + length - 4
                    if (
                        kind != ENHANCED_PACKET
                        or options > end
                        or length & 3
                        or end + 4 > size
                        or word(data, end)[0] != length
                    ):
                        break
                    if number != known:
                        if number >= len(section):
                            break
                        interface, link_type, _, multiplier, divisor, offset_ns = section[number]
                        known = number
                    units = ((high << 32) + low) * multiplier
                    flags, comments = self._packet_options(data, options, end, start) if options < end else _NONE
                    self.frames = frame = self.frames + 1
                    record = record_of(
                        Record,
                        (
                            frame,
                            (units if divisor == 1 else units // divisor) + offset_ns,
                            link_type,
                            data[begin : begin + captured],
                            original,
                            flags,
                            interface,
                            start + at,
                            comments,
                        ),
                    )
                    at = end + 4
                    yield record
                if at + _SHORTEST > size:
                    break
                end = self._end(data, at, start)
                if end > size:
                    self._need = end - at
                    break
                block = self._block(data, at, end - 4, start)
                at = end
                if block is not None:
                    yield block
        finally:
            self.source.advance(at)

    def _end(self, data: bytes, at: int, start: int) -> int:
        """Return where the block at ``at`` ends, which may be beyond the window."""
        if data[at : at + 4] == _SECTION_MAGIC:
            self._turn(data, at, start)
        length = struct.unpack_from(f"{self.order}I", data, at + 4)[0]
        # Section 3.1: the length is a multiple of 4. Wireshark rounds one that is not up, and so do we.
        end = at + int((length + 3) & ~3)
        if length < _SHORTEST or end - at > LONGEST_RECORD_BYTES:
            raise self.source.damage(f"a block announces {length} bytes: that is damage", start + at)
        if end <= len(data):
            again = struct.unpack_from(f"{self.order}I", data, end - 4)[0]
            if again != length:
                raise self.source.damage(
                    f"a block announces {length} bytes where it begins and {again} where it ends", start + at
                )
        return end

    def _turn(self, data: bytes, at: int, start: int) -> None:
        """Take over the byte order of the section that begins at ``at``."""
        order = _ORDERS.get(data[at + 8 : at + 12])
        if order is None:
            raise self.source.damage("a section begins without the byte-order magic: that is damage", start + at + 8)
        self.order = order

    def _block(self, data: bytes, at: int, end: int, start: int) -> Record | None:
        """Take the block at ``at``, whose last length field is at ``end``; return the record that it holds."""
        kind: int = struct.unpack_from(f"{self.order}I", data, at)[0]
        if kind in (ENHANCED_PACKET, PACKET):
            return self._packet(kind, data, at, end, start)
        if kind == SIMPLE_PACKET:
            return self._simple_packet(data, at, end, start)
        if kind == SECTION_HEADER:
            self._section_header(data, at, end, start)
        elif kind == INTERFACE_DESCRIPTION:
            self._interface_description(data, at, end, start)
        else:
            if kind in _NUMBERED:
                self.frames += 1
            label = f"0x{kind:08x}"
            if label in self._other_blocks or len(self._other_blocks) < _MOST_KINDS:
                self._other_blocks[label] = self._other_blocks.get(label, 0) + 1
        return None

    def _packet(self, kind: int, data: bytes, at: int, end: int, start: int) -> Record:
        # Sections 4.3 and A (the obsolete block: a 16-bit interface number, and a count of drops behind it).
        if end - at < 28:
            raise self.source.damage(f"a packet block of {end - at + 4} bytes is too short to be one", start + at)
        number, high, low, captured, original = struct.unpack_from(f"{self.order}5I", data, at + 8)
        if kind == PACKET:
            number = struct.unpack_from(f"{self.order}H", data, at + 8)[0]
        interface = self._interface(number, start + at)
        begin = at + 28
        options = begin + ((captured + 3) & ~3)
        if options > end:
            raise self.source.damage(
                f"a packet of {captured} bytes is announced in a block that has room for {end - begin}", start + at
            )
        flags, comments = self._packet_options(data, options, end, start)
        self.frames += 1
        return Record(
            self.frames,
            ((high << 32) + low) * interface.multiplier // interface.divisor + interface.offset_ns,
            interface.link_type,
            data[begin : begin + captured],
            original,
            flags,
            interface.number,
            start + at,
            comments,
        )

    def _simple_packet(self, data: bytes, at: int, end: int, start: int) -> Record:
        # Section 4.4: the first interface of the section, no time, and cut at the interface's snapshot length.
        if end - at < 12:
            raise self.source.damage("a simple packet block without a length", start + at)
        interface = self._interface(0, start + at)
        original = struct.unpack_from(f"{self.order}I", data, at + 8)[0]
        captured = min(original, interface.snapshot or original)
        begin = at + 12
        if begin + captured > end:
            raise self.source.damage(
                f"a packet of {captured} bytes is announced in a block that has room for {end - begin}", start + at
            )
        self.frames += 1
        return Record(
            self.frames,
            0,
            interface.link_type,
            data[begin : begin + captured],
            original,
            0,
            interface.number,
            start + at,
        )

    def _interface(self, number: int, offset: int) -> Interface:
        if number >= len(self.section):
            raise self.source.damage(
                f"a packet of interface {number} in a section that describes {len(self.section)}", offset
            )
        return self.section[number]

    def _section_header(self, data: bytes, at: int, end: int, start: int) -> None:
        # Section 4.1. The section's length is of no use to a reader that goes through every block anyway.
        if end - at < 24:
            raise self.source.damage(f"a section header of {end - at + 4} bytes is too short to be one", start + at)
        major, minor = struct.unpack_from(f"{self.order}HH", data, at + 12)
        if major != 1:
            raise self.source.damage(f"pcapng version {major}.{minor} is not known; only version 1 is", start + at + 12)
        self.section = []
        said: dict[str, object] = {
            "version": f"{major}.{minor}",
            "byte_order": "big" if self.order == ">" else "little",
        }
        for code, value in self._options(data, at + 24, end, start):
            if code == _COMMENT:
                self._comment(value)
            elif code in _SECTION_TEXTS:
                said[_SECTION_TEXTS[code]] = _text(value)
        if len(self._sections) < _MOST_KINDS:
            self._sections.append(said)

    def _interface_description(self, data: bytes, at: int, end: int, start: int) -> None:
        # Section 4.2.
        if end - at < 16:
            raise self.source.damage(
                f"an interface description of {end - at + 4} bytes is too short to be one", start + at
            )
        if len(self.section) >= _MOST_INTERFACES:
            raise self.source.damage(f"more than {_MOST_INTERFACES} interfaces: that is damage", start + at)
        link_type, snapshot = struct.unpack_from(f"{self.order}H2xI", data, at + 8)
        base, exponent, offset_s = 10, 6, 0
        said: dict[str, object] = {"link_type": link_type, "snapshot_length_bytes": snapshot}
        for code, value in self._options(data, at + 16, end, start):
            if code == _COMMENT:
                self._comment(value)
            elif code == _TIME_RESOLUTION and len(value) == 1:
                base = 2 if value[0] & 0x80 else 10
                exponent = value[0] & 0x7F
            elif code == _TIME_OFFSET and len(value) == 8:
                offset_s = struct.unpack(f"{self.order}q", value)[0]
            elif code in _INTERFACE_TEXTS:
                said[_INTERFACE_TEXTS[code]] = _text(value)
        said["resolution"] = f"{base}^-{exponent} s"
        if offset_s:
            said["time_offset_s"] = offset_s
        if base == 10:
            multiplier, divisor = 10 ** max(9 - exponent, 0), 10 ** max(exponent - 9, 0)
        else:
            multiplier, divisor = _NS, 2**exponent
        self.section.append(Interface(self._count, link_type, snapshot, multiplier, divisor, offset_s * _NS))
        self._count += 1
        self._link_types.add(link_type)
        if len(self._interfaces) < _MOST_KINDS:
            self._interfaces.append(said)

    def _packet_options(self, data: bytes, at: int, end: int, start: int) -> tuple[int, tuple[str, ...]]:
        flags = 0
        comments: tuple[str, ...] = ()
        for code, value in self._options(data, at, end, start):
            if code == _COMMENT:
                comments += (_text(value),)
            elif code == _FLAGS and len(value) == 4:
                flags = struct.unpack(f"{self.order}I", value)[0]
        return flags, comments

    def _options(self, data: bytes, at: int, end: int, start: int) -> Iterator[tuple[int, bytes]]:
        # Section 3.5. The end-of-options mark may be left out.
        while end - at >= 4:
            code, length = struct.unpack_from(f"{self.order}HH", data, at)
            if code == _END_OF_OPTIONS:
                return
            if at + 4 + length > end:
                raise self.source.damage(
                    f"an option announces {length} bytes in a block that has {end - at - 4} left", start + at
                )
            yield code, data[at + 4 : at + 4 + length]
            at += 4 + ((length + 3) & ~3)

    def _comment(self, value: bytes) -> None:
        self._comment_bytes += len(value)
        if self._comment_bytes <= _MOST_COMMENT_BYTES:
            self._comments.append(_text(value))


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")
