"""Classic pcap, link type 201 (H4 with the direction in front): one controller, no comments.

Microseconds as every program reads them, until a time is not a whole one; then nanoseconds (magic 0xA1B23C4D).
Format: https://www.tcpdump.org/linktypes/LINKTYPE_BLUETOOTH_HCI_H4_WITH_PHDR.html and pcap-savefile(5).
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

from rig.capture.writer import Direction
from rig.capture.writers import UnrepresentableError, write_whole
from rig.capture.writers.btsnoop import one_controller

_MICROSECONDS = 0xA1B2C3D4
_NANOSECONDS = 0xA1B23C4D
_LINK_TYPE = 201
_SNAP_LENGTH = 0x40000  # what Wireshark and libpcap take at most
_HEADER = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_DIRECTION = {Direction.SENT: b"\0\0\0\0", Direction.RECEIVED: b"\0\0\0\1"}  # big-endian, 0: host to controller
_SECOND_LIMIT = 1 << 32


class PcapWriter:
    """Writes H4 packets to a pcap file; see :class:`rig.capture.writers.PacketWriter`.

    The header says microseconds or nanoseconds before any time is known. A file that can go back begins with
    microseconds and is put right, once, at the first time that is finer; in one that cannot it is nanoseconds at once.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        goes_back = file.seekable() and file.readable()
        self._start = file.tell() if goes_back else 0
        self._nanoseconds = not goes_back
        self._controller: int | None = None
        self.records = 0
        self.rounded_times = 0
        write_whole(file, self._header())

    def write(
        self,
        packet_h4: bytes,
        direction: Direction,
        time_ns: int,
        *,
        original_length: int | None = None,
        controller: int = 0,
        comments: tuple[str, ...] = (),  # noqa: ARG002 - the format has no room for them
        flags: int | None = None,  # noqa: ARG002 - the format has none
    ) -> None:
        """Write one packet."""
        self._controller = one_controller("pcap", self._controller, controller)
        seconds, fraction = divmod(time_ns, 1_000_000_000)
        if not 0 <= seconds < _SECOND_LIMIT:
            raise UnrepresentableError(
                f"its time, {seconds} s from 1970, is outside what pcap holds (1970 to 2106): write btsnoop"
            )
        if not self._nanoseconds:
            fraction, rest = divmod(fraction, 1000)
            if rest:
                self._to_nanoseconds()
                fraction = fraction * 1000 + rest
        length = len(packet_h4) + 4
        original = length if original_length is None else original_length + 4
        write_whole(self._file, _RECORD.pack(seconds, fraction, length, original) + _DIRECTION[direction] + packet_h4)
        self.records += 1

    def _header(self) -> bytes:
        magic = _NANOSECONDS if self._nanoseconds else _MICROSECONDS
        return _HEADER.pack(magic, 2, 4, 0, 0, _SNAP_LENGTH, _LINK_TYPE)

    def _to_nanoseconds(self) -> None:
        """Make what was written so far nanoseconds, in place."""
        file = self._file
        self._nanoseconds = True
        file.seek(self._start)
        write_whole(file, self._header())
        place = self._start + _HEADER.size
        for _ in range(self.records):
            file.seek(place)
            seconds, fraction, length, original = _RECORD.unpack(file.read(_RECORD.size))
            file.seek(place)
            write_whole(file, _RECORD.pack(seconds, fraction * 1000, length, original))
            place += _RECORD.size + length
        file.seek(0, io.SEEK_END)
