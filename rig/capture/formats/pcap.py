"""Classic pcap: what tcpdump's library writes, in either byte order, with micro- or nanoseconds.

Knows the file format. Refuses to know packets.
Format: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rig.capture.formats.link_types import BLUETOOTH, unreadable
from rig.capture.records import Record
from rig.capture.source import LONGEST_RECORD_BYTES, Source

_ORDERS = {
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
}
_LINK_TYPE_BITS = 0x03FFFFFF
"""The rest of the last header field tells the length of a frame check sequence (section 4 of the draft)."""

NAME = "pcap"


def detect(head: bytes) -> bool:
    """Say whether a file that begins like this is one."""
    return head[:4] in _ORDERS


class PcapReader:
    """Reads classic pcap from a source that stands at its beginning.

    ``details``: ``version``, ``byte_order``, ``resolution`` of the times, ``snapshot_length_bytes``, ``link_type``.

    Raises:
        CaptureError: the header is cut, or says something that cannot be read.
    """

    format = NAME

    def __init__(self, source: Source) -> None:
        self.source = source
        self.frames = 0
        """Records taken so far. Whoever takes records off the source's window in bulk adds them here."""
        header = source.peek(24)
        if len(header) < 24:
            raise source.cut(f"cut in its header: {len(header)} of 24 bytes")
        self.order, self.unit_ns = _ORDERS[header[:4]]
        major, minor, _, _, snapshot, network = struct.unpack_from(f"{self.order}HHiIII", header, 4)
        if (major, minor) not in {(2, 3), (2, 4)}:
            raise source.damage(f"pcap version {major}.{minor} is not known; only 2.4 is", 4)
        self.link_type = network & _LINK_TYPE_BITS
        if self.link_type not in BLUETOOTH:
            raise source.damage(unreadable(self.link_type), 20)
        # In files of version 2.3 some writers swapped the two lengths; the captured one is never the longer.
        self.swapped = minor == 3
        self.details: dict[str, object] = {
            "version": f"{major}.{minor}",
            "byte_order": "big" if self.order == ">" else "little",
            "resolution": "1 ns" if self.unit_ns == 1 else "1 us",
            "snapshot_length_bytes": snapshot,
            "link_type": self.link_type,
        }
        source.advance(24)

    def records(self) -> Iterator[Record]:
        """Yield every record in file order, holding no more than one window of the file.

        Raises:
            CaptureError: the file is damaged here; every record before the damage was delivered.
        """
        source = self.source
        link_type = self.link_type
        unit_ns = self.unit_ns
        swapped = self.swapped
        # The fraction is signed: crackle writes times before the second as a negative one, and no true fraction is
        # anywhere near the sign bit.
        header = struct.Struct(f"{self.order}IiII")
        unpack = header.unpack_from
        header_size = need = header.size
        record_of = tuple.__new__
        while len(data := source.window(need)) >= need:
            size = len(data)
            start = source.offset
            frame = self.frames
            at = 0
            need = header_size
            try:
                while (begin := at + header_size) <= size:
                    seconds, fraction, length, original = unpack(data, at)
                    if swapped and length > original:
                        length, original = original, length
                    if (end := begin + length) > size:
                        need = header_size + length
                        break
                    frame += 1
                    record = record_of(
                        Record,
                        (
                            frame,
                            seconds * 1_000_000_000 + fraction * unit_ns,
                            link_type,
                            data[begin:end],
                            original,
                            0,
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
            if need - header_size > LONGEST_RECORD_BYTES:
                raise source.damage(f"record {frame + 1} announces {need - header_size} bytes: that is damage")
        source.end_after(data, self.frames + 1, header_bytes=header_size, counted_from=header_size, need=need)
