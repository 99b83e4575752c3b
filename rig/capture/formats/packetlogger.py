"""PacketLogger: what Apple's tools and BTstack write (``.pklg``), in either byte order.

Knows the file format. Refuses to know packets: the type octet, which belongs to the record's header, goes into the
record's flags, and the HCI packet without it into its data.
There is no document; upstream reference: Wireshark ``wiretap/packetlogger.c``, BTstack ``hci_dump_posix_fs.c``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rig.capture.records import LinkType, Record
from rig.capture.source import LONGEST_RECORD_BYTES, Source

_COUNTED = 9
"""Bytes of the header that the length of a record counts: two of time, four each, and the type octet."""
_HEADER_SIZE = 13
_LONGEST_FIRST = 65536
_LOOKED_AT = 4096
_TYPES = frozenset(range(0x10)) | frozenset(range(0xF0, 0x100))
"""HCI and SCO and ISO from below, notes of the system from above."""

NAME = "packetlogger"


def detect(head: bytes) -> bool:
    """Say whether a file that begins like this is one: it has no magic number, so its first records must make sense."""
    return _order(head) is not None


def _order(head: bytes) -> str | None:
    """Return the byte order in which the first record makes sense, and the second in case of doubt."""
    likely = [order for order in "><" if _plausible(order, head, 0) is not None]
    for order in likely:
        if _plausible(order, head, _plausible(order, head, 0) or 0) is not None:
            return order
    return likely[0] if likely else None


def _plausible(order: str, head: bytes, at: int) -> int | None:
    """Return where the record at ``at`` ends, or None where it cannot be one."""
    if at + _HEADER_SIZE > len(head):
        return None
    length, _, microseconds, kind = struct.unpack_from(f"{order}IIIB", head, at)
    if _COUNTED <= length <= _LONGEST_FIRST and microseconds < 1_000_000 and kind in _TYPES:
        return at + 4 + int(length)
    return None


class PacketLoggerReader:
    """Reads PacketLogger from a source that stands at its beginning.

    ``details``: ``byte_order``.

    Raises:
        CaptureError: it is none.
    """

    format = NAME

    def __init__(self, source: Source) -> None:
        self.source = source
        self.frames = 0
        """Records taken so far. Whoever takes records off the source's window in bulk adds them here."""
        order = _order(source.peek(_LOOKED_AT))
        if order is None:
            raise source.damage("this does not begin like a PacketLogger file")
        self.order = order
        self.details: dict[str, object] = {"byte_order": "big" if order == ">" else "little"}

    def records(self) -> Iterator[Record]:
        """Yield every record in file order, holding no more than one window of the file.

        Raises:
            CaptureError: the file is damaged here; every record before the damage was delivered.
        """
        source = self.source
        link_type = int(LinkType.PACKETLOGGER)
        header = struct.Struct(f"{self.order}IIIB")
        unpack = header.unpack_from
        header_size = need = header.size
        record_of = tuple.__new__
        while len(data := source.window(need)) >= need:
            size = len(data)
            start = source.offset
            frame = self.frames
            at = 0
            need = header_size
            short = -1
            try:
                while (begin := at + header_size) <= size:
                    length, seconds, microseconds, kind = unpack(data, at)
                    end = at + 4 + length
                    if end > size:
                        need = 4 + length
                        break
                    if end < begin:
                        short = length
                        break
                    frame += 1
                    record = record_of(
                        Record,
                        (
                            frame,
                            seconds * 1_000_000_000 + microseconds * 1000,
                            link_type,
                            data[begin:end],
                            end - begin,
                            kind,
                            0,
                            start + at,
                            (),
                        ),
                    )
                    at = end
                    yield record
            finally:  # also where the records are left before their end, to be taken up again there
                self.frames = frame
                source.advance(at)
            if short >= 0:
                raise source.damage(f"record {frame + 1} announces {short} bytes: at least {_COUNTED} are its header")
            if need - header_size > LONGEST_RECORD_BYTES:
                raise source.damage(f"record {frame + 1} announces {need - 4} bytes: that is damage")
        source.end_after(data, self.frames + 1, header_bytes=header_size, counted_from=4, need=need)
