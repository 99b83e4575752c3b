"""What every container of recorded Bluetooth traffic boils down to: records with a time, a link type and bytes.

Knows nothing of packets. A reader turns a file into records; the layers turn records into ATT.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from rig.capture.source import Source


class LinkType(IntEnum):
    """What the bytes of a record are.

    Values below 1000 are those of the pcap link-type registry (https://www.tcpdump.org/linktypes.html); those from 1000
    on are btsnoop's datalink numbers, and PacketLogger, which has neither, comes last.
    """

    LE_LL_IN_PPI = 147
    """DLT_USER0, what Ubertooth and crackle wrote inside PPI before the LE link layer had a number of its own."""
    HCI_H4 = 187
    PPI = 192
    HCI_H4_WITH_PHDR = 201
    LE_LL = 251
    LINUX_MONITOR = 254
    LE_LL_WITH_PHDR = 256
    NORDIC_BLE = 272
    BTSNOOP_H1 = 1001
    BTSNOOP_H4 = 1002
    BTSNOOP_MONITOR = 2001
    PACKETLOGGER = 9999


class Record(NamedTuple):
    """One record of a container, as the file has it."""

    frame: int
    """Its number in the file, from 1, as Wireshark counts them."""
    time_ns: int
    """Unix time in nanoseconds; any integer: negative, zero and backward times are as the file has them."""
    link_type: int
    """A :class:`LinkType`, or the file's number when that has no name here."""
    data: bytes
    """The captured bytes, without the container's own header."""
    original_length: int
    """Length in bytes before the recorder cut it; equal to ``len(data)`` when it did not."""
    flags: int = 0
    """The container's word on it: btsnoop flags, pcapng ``epb_flags``, the type octet of PacketLogger; else 0."""
    interface: int = 0
    """Which capture interface (pcapng) wrote it; counted over all sections, from 0."""
    offset: int = 0
    """Where the record begins, in bytes from the start of the (uncompressed) file."""
    comments: tuple[str, ...] = ()
    """What people wrote about it (pcapng ``opt_comment``)."""


class CaptureError(Exception):
    """A file that cannot be read on, told in one line: the file, the byte offset, what is wrong, what to do.

    Args:
        path: the file's name as the person gave it.
        problem: what is wrong, and what to do where there is something to do.
        offset: byte offset in the uncompressed file, None where no place in the file is to blame.
    """

    def __init__(self, path: str, problem: str, offset: int | None = None) -> None:
        where = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{path}{where}: {problem}")
        self.path = path
        self.problem = problem
        self.offset = offset


class CaptureReader(Protocol):
    """One container being read from its beginning, once."""

    @property
    def format(self) -> str:
        """The container's name: ``btsnoop``, ``pcap``, ``pcapng``, ``packetlogger``, or a plug-in's own."""
        ...

    @property
    def details(self) -> dict[str, object]:
        """What the container says of itself (version, byte order, resolution, interfaces, comments …), for people.

        Complete once the records were read; what is known from the header is there from the start.
        """
        ...

    @property
    def source(self) -> Source:
        """Where it reads from: to close it, and for how far it is (``position`` of ``size`` bytes)."""
        ...

    def records(self) -> Iterator[Record]:
        """Yield every record in file order, holding no more than one window of the file.

        Raises:
            CaptureError: the file is damaged here; every record before the damage was delivered.
        """
        ...
