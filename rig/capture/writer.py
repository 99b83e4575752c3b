"""Writes HCI traffic as a btsnoop file, which Wireshark, btmon and the rest of the rig open.

Knows the file format. Refuses to know what the packets mean, or where they come from.
Format: RFC 1761 with the changes that btmon and Wireshark read (version 1, data link type 1002 = HCI UART, H4).
"""

from __future__ import annotations

import os
import struct
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

BTSNOOP_HEADER = b"btsnoop\0" + struct.pack(">II", 1, 1002)
BTSNOOP_RECORD = struct.Struct(">IIIIq")
"""Original length, included length, flags, cumulative drops, microseconds since the format's origin."""
UNIX_EPOCH_US = 0x00DCDDB30F2F8000
"""Microseconds from midnight, 1 January of the year 0 (the format's origin) to 1970."""
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COMMAND_OR_EVENT = (b"\x01", b"\x04")  # H4 packet types
_FLAG_COMMAND_OR_EVENT = 0x02  # bit 1; bit 0 is the direction


class Direction(IntEnum):
    """Which way a packet went, as seen from the host; the value is bit 0 of the record's flags."""

    SENT = 0
    RECEIVED = 1


def btsnoop_flags(packet_h4: bytes, direction: Direction) -> int:
    """Flags of a record: bit 0 the direction, bit 1 set for commands and events."""
    return int(direction) | (_FLAG_COMMAND_OR_EVENT if packet_h4[:1] in _COMMAND_OR_EVENT else 0)


class BtsnoopWriter:
    """Writes H4 packets to a btsnoop file, record by record.

    Every record is handed to the operating system at once, so a process that dies loses nothing that was recorded.

    Args:
        target: where to write; a file that is already open must be binary and stays open on :meth:`close`.
        epoch: the date and time at which ``time_s`` is zero, with a time zone.

    Raises:
        OSError: the file cannot be made.
        ValueError: ``epoch`` has no time zone.
    """

    def __init__(self, target: Path | str | BinaryIO, epoch: datetime) -> None:
        if epoch.tzinfo is None:
            raise ValueError("epoch needs a time zone: a capture's times are absolute")
        self._epoch_us = (epoch - _UNIX_EPOCH) // _MICROSECOND + UNIX_EPOCH_US
        self._owned = isinstance(target, Path | str)
        self._file: BinaryIO = _create(Path(target)) if isinstance(target, Path | str) else target
        self._closed = False
        self.records = 0
        self._write(BTSNOOP_HEADER)

    @property
    def closed(self) -> bool:
        """True once :meth:`close` was called."""
        return self._closed

    def record(self, packet_h4: bytes, direction: Direction, time_s: float) -> None:
        """Write one packet.

        Args:
            packet_h4: the packet with its H4 type octet in front.
            direction: which way it went, as seen from the host.
            time_s: seconds since ``epoch``.

        Raises:
            OSError: the disk is full, or the file is gone.
            ValueError: the writer is closed, or the packet is empty.
        """
        if self._closed:
            raise ValueError("the capture is closed")
        if not packet_h4:
            raise ValueError("an H4 packet begins with its type octet; this one is empty")
        flags = btsnoop_flags(packet_h4, direction)
        length = len(packet_h4)
        timestamp = self._epoch_us + round(time_s * 1_000_000)
        self._write(BTSNOOP_RECORD.pack(length, length, flags, 0, timestamp) + packet_h4)
        self.records += 1

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if self._owned:
            self._file.close()
        else:
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, data: bytes) -> None:
        # An unbuffered file may take less than it is given; a file that was handed in may be buffered.
        while data:
            data = data[self._file.write(data) :]
        if not self._owned:
            self._file.flush()


def _create(path: Path) -> BinaryIO:
    # What somebody's device said is nobody else's on this computer; a file that is there keeps its mode.
    return open(path, "wb", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o600))
