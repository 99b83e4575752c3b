"""btsnoop: what Android, btmon and many others record. Times are microseconds since the year 0.

Knows the file format. Refuses to know packets: H1, H4 and Linux monitor records differ in their link type alone.
Format: RFC 1761 with the changes of https://fte.com/webhelpii/bpa600/Content/Technical_Information/BT_Snoop_File_Format.htm
and, for data link type 2001, of BlueZ (``doc/btsnoop.txt``, ``src/shared/btsnoop.c``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rig.capture.records import LinkType, Record
from rig.capture.source import LONGEST_RECORD_BYTES, Source

MAGIC = b"btsnoop\0"
HEADER = struct.Struct(">8sII")
RECORD = struct.Struct(">IIIIq")
EPOCH_US = 0x00DCDDB30F2F8000
"""Microseconds from the format's origin, midnight of 1 January of the year 0, to that of 1970."""
_READ = {
    1001: LinkType.BTSNOOP_H1,
    1002: LinkType.BTSNOOP_H4,
    2001: LinkType.BTSNOOP_MONITOR,
}
_NOT_READ = {
    1003: "HCI BSCP",
    1004: "HCI serial, three-wire H5",
    2002: "the BlueZ simulator",
}

NAME = "btsnoop"


def detect(head: bytes) -> bool:
    """Say whether a file that begins like this is one."""
    return head.startswith(MAGIC)


class BtsnoopReader:
    """Reads btsnoop from a source that stands at its beginning.

    ``details``: ``version``, ``datalink``, ``dropped_records`` (what the recorder says it lost).

    Raises:
        CaptureError: the header is cut, or says something that cannot be read.
    """

    format = NAME

    def __init__(self, source: Source) -> None:
        self.source = source
        self.frames = 0
        """Records taken so far. Whoever takes records off the source's window in bulk adds them here."""
        header = source.peek(HEADER.size)
        if len(header) < HEADER.size:
            raise source.cut(f"cut in its header: {len(header)} of {HEADER.size} bytes")
        _, version, datalink = HEADER.unpack(header)
        if version != 1:
            raise source.damage(f"btsnoop version {version} is not known; only version 1 is", 8)
        link_type = _READ.get(datalink)
        if link_type is None:
            what = f" ({_NOT_READ[datalink]})" if datalink in _NOT_READ else ""
            raise source.damage(
                f"btsnoop of data link type {datalink}{what} cannot be read, only 1001, 1002 and 2001 can; "
                "record it with btmon or Android's Bluetooth HCI snoop log",
                12,
            )
        self.link_type = int(link_type)
        self.details: dict[str, object] = {"version": version, "datalink": datalink, "dropped_records": 0}
        source.advance(HEADER.size)

    def records(self) -> Iterator[Record]:
        """Yield every record in file order, holding no more than one window of the file.

        Raises:
            CaptureError: the file is damaged here; every record before the damage was delivered.
        """
        source = self.source
        link_type = self.link_type
        unpack = RECORD.unpack_from
        header_size = need = RECORD.size
        record_of = tuple.__new__
        dropped = 0
        while len(data := source.window(need)) >= need:
            size = len(data)
            start = source.offset
            frame = self.frames
            at = 0
            need = header_size
            try:
                while (begin := at + header_size) <= size:
                    original, length, flags, lost, stamp = unpack(data, at)
                    if (end := begin + length) > size:
                        need = header_size + length
                        break
                    frame += 1
                    dropped = lost
                    record = record_of(
                        Record,
                        (
                            frame,
                            (stamp - EPOCH_US) * 1000,
                            link_type,
                            data[begin:end],
                            original,
                            flags,
                            0,
                            start + at,
                            (),
                        ),
                    )
                    at = end
                    yield record
            finally:  # also where the records are left before their end, to be taken up again there
                self.frames = frame
                self.details["dropped_records"] = dropped
                source.advance(at)
            if need - header_size > LONGEST_RECORD_BYTES:
                raise source.damage(f"record {frame + 1} announces {need - header_size} bytes: that is damage")
        source.end_after(data, self.frames + 1, header_bytes=header_size, counted_from=header_size, need=need)
