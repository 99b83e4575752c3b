"""Writers of HCI captures: H4 packets with a direction and a time, into btsnoop, pcap or pcapng.

A writer knows its format and refuses to know what a packet means. It writes each record with one call of ``write``,
so that with an unbuffered file nothing that was recorded is lost when the process dies.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from rig.capture.writer import Direction

FORMATS: Final = ("btsnoop", "pcap", "pcapng")
SUFFIXES: Final = {
    ".btsnoop": "btsnoop",
    ".log": "btsnoop",
    ".snoop": "btsnoop",
    ".pcap": "pcap",
    ".pcapng": "pcapng",
}
"""What a file's suffix says of its format; ``.gz`` may follow."""


class UnrepresentableError(ValueError):
    """A record that the format cannot hold; says why, and which format can."""


class PacketWriter(Protocol):
    """Writes a capture's packets to a file that somebody else opened and closes."""

    records: int
    """How many were written."""
    rounded_times: int
    """How many times lost what is finer than the format's resolution."""

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
        """Write one packet.

        Args:
            packet_h4: the packet with its H4 type octet in front.
            direction: which way it went, as seen from the host.
            time_ns: Unix time in nanoseconds.
            original_length: its length in bytes, type octet included, before a recorder cut it; None: it is whole.
            controller: the adapter; any integer.
            comments: what people wrote about it; kept where the format has room for it.
            flags: the flags of the same format, for a record that comes from there; None: made from the packet.

        Raises:
            UnrepresentableError: the format cannot hold the time, or a second controller.
            OSError: the disk is full, or the file is gone.
        """
        ...


def format_of(path: str | Path) -> str | None:
    """What the suffix of ``path`` says it is to be, None when it says nothing."""
    name = Path(path)
    if name.suffix.lower() == ".gz":
        name = name.with_suffix("")
    return SUFFIXES.get(name.suffix.lower())


def open_writer(format_name: str, file: BinaryIO, comments: Iterable[str] = ()) -> PacketWriter:
    """Begin a capture in ``file``, which is open for writing and stays the caller's to close.

    Args:
        format_name: one of :data:`FORMATS`.
        file: where to write; pcap takes it back to the beginning when a time needs nanoseconds and the file allows it.
        comments: what to say of the whole capture; pcapng alone has room for it.

    Raises:
        ValueError: there is no such format.
        OSError: the file cannot be written.
    """
    if format_name == "btsnoop":
        from rig.capture.writers.btsnoop import BtsnoopPacketWriter  # noqa: PLC0415 - one format, one import

        return BtsnoopPacketWriter(file)
    if format_name == "pcap":
        from rig.capture.writers.pcap import PcapWriter  # noqa: PLC0415 - one format, one import

        return PcapWriter(file)
    if format_name == "pcapng":
        from rig.capture.writers.pcapng import PcapngWriter  # noqa: PLC0415 - one format, one import

        return PcapngWriter(file, comments)
    raise ValueError(f"no format {format_name!r}: it is one of {', '.join(FORMATS)}")


def write_whole(file: BinaryIO, data: bytes) -> None:
    """Write every byte: an unbuffered file may take less than it is given."""
    while data:
        written = file.write(data)
        if written == len(data):
            return
        data = data[written:]
