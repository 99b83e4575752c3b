"""btsnoop, datalink 1002 (H4): microseconds from the year 0 on, one controller, no comments.

Format: RFC 1761 with the changes that btmon and Wireshark read.
"""

from __future__ import annotations

from typing import BinaryIO

from rig.capture.writer import BTSNOOP_HEADER, BTSNOOP_RECORD, UNIX_EPOCH_US, Direction, btsnoop_flags
from rig.capture.writers import UnrepresentableError, write_whole

_LIMIT_US = 1 << 63


class BtsnoopPacketWriter:
    """Writes H4 packets to a btsnoop file; see :class:`rig.capture.writers.PacketWriter`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._controller: int | None = None
        self.records = 0
        self.rounded_times = 0
        write_whole(file, BTSNOOP_HEADER)

    def write(
        self,
        packet_h4: bytes,
        direction: Direction,
        time_ns: int,
        *,
        original_length: int | None = None,
        controller: int = 0,
        comments: tuple[str, ...] = (),  # noqa: ARG002 - the format has no room for them
        flags: int | None = None,
    ) -> None:
        """Write one packet, its time rounded down to the microsecond."""
        self._controller = one_controller("btsnoop", self._controller, controller)
        time_us, rest = divmod(time_ns, 1000)
        stamp = time_us + UNIX_EPOCH_US
        if not -_LIMIT_US <= stamp < _LIMIT_US:
            raise UnrepresentableError(f"{time_us} microseconds since 1970 do not fit the 64 bits that btsnoop has")
        length = len(packet_h4)
        if flags is None:
            flags = btsnoop_flags(packet_h4, direction)
        header = BTSNOOP_RECORD.pack(length if original_length is None else original_length, length, flags, 0, stamp)
        write_whole(self._file, header + packet_h4)
        self.records += 1
        self.rounded_times += rest != 0


def one_controller(format_name: str, known: int | None, controller: int) -> int:
    """The one controller of a format that cannot tell several apart.

    Raises:
        UnrepresentableError: it is another one; its connection handles would be taken for the first one's.
    """
    if known is not None and known != controller:
        raise UnrepresentableError(
            f"it is of a second controller (hci{controller & 0xFFFF} after hci{known & 0xFFFF}), which {format_name} "
            "cannot tell from the first: write pcapng, which holds several"
        )
    return controller
