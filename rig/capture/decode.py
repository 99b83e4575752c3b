"""A capture as TSV, the way ``rig decode --att`` prints it: record by record, or in windows where that is faster.

Knows when which way pays. Refuses to know containers, layers and columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rig.capture.fast import LINK_TYPES
from rig.capture.reading import Reading
from rig.capture.rows import rows
from rig.capture.text import TSV_HEADER, tsv_line

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO, Literal

    from rig.capture.handle_map import HandleMap
    from rig.capture.progress import Progress
    from rig.capture.records import CaptureReader

_INTERFACE_DESCRIPTION: Final = 1  # draft-ietf-opsawg-pcapng, section 4.2
_LINES_AT_ONCE: Final = 512
_WINDOWS_PAY_FROM: Final = 1_100_000
"""Bytes of HCI traffic, some 25,000 records, that take as long one by one as numpy takes to be imported."""
_COMPRESSES_BY: Final = 3
"""What gzip makes of captures, roughly: the compressed file's size has to do for a guess."""
_BULK_BYTES: Final = 1 << 14
"""A pipe that brings so much at once is fed from a file; a live one brings a few packets."""


def write_tsv(
    path: str | Path, out: BinaryIO, *, handle_map: HandleMap | None = None, progress: Progress | None = None
) -> None:
    """Write the documented table of every ATT PDU in a capture: a header and a line a row.

    What comes through a pipe is written as it comes.

    Args:
        path: a capture in any container, or ``-`` for standard input.
        out: where to write, buffered or not; it is flushed, and stays open.
        handle_map: what handles mean, where the capture's own discovery does not tell; without one, the map that the
            capture carries, if it does.
        progress: told now and then how far the read has come.

    Raises:
        CaptureError: the file is damaged or no capture; every row before the damage was written.
        OSError: ``out`` takes no more.
    """
    with Reading(path, handle_map) as reading:
        out.write(TSV_HEADER.encode("ascii"))
        if _is_large(reading.reader):
            _in_windows(reading, out, progress)
        else:
            _one_by_one(reading, out, progress)


def _is_large(reader: CaptureReader) -> bool:
    source = reader.source
    if _link_type(reader) not in LINK_TYPES:
        return False
    if source.size is None:
        return len(source.window(0)) >= _BULK_BYTES
    return source.size * (_COMPRESSES_BY if source.compressed else 1) >= _WINDOWS_PAY_FROM


def _link_type(reader: CaptureReader) -> int | None:
    """The link type of the file, or of its first interface; None where that is not plain to see."""
    if reader.format != "pcapng":
        return getattr(reader, "link_type", None)
    head = reader.source.window(0)  # a section header, and behind it the first interface's description
    order: Literal["little", "big"] = "little" if head[8:12] == b"\x4d\x3c\x2b\x1a" else "big"
    at = int.from_bytes(head[4:8], order)
    if int.from_bytes(head[at : at + 4], order) != _INTERFACE_DESCRIPTION:
        return None
    return int.from_bytes(head[at + 8 : at + 10], order)


def _one_by_one(reading: Reading, out: BinaryIO, progress: Progress | None) -> None:
    at_once = 1 if reading.reader.source.size is None else _LINES_AT_ONCE
    lines: list[str] = []
    try:
        for row in rows(reading.records(progress), reading.stack, reading.tracker):
            lines.append(tsv_line(row))
            if len(lines) >= at_once:
                out.write("".join(lines).encode("ascii"))
                lines.clear()
                if at_once == 1:
                    out.flush()
    finally:
        out.write("".join(lines).encode("ascii"))
        out.flush()


def _in_windows(reading: Reading, out: BinaryIO, progress: Progress | None) -> None:
    from rig.capture.fast.engine import Engine  # noqa: PLC0415 - numpy, which small captures do without
    from rig.capture.fast.lines import Lines  # noqa: PLC0415 - as above
    from rig.capture.fast.stream import chunks  # noqa: PLC0415 - as above

    engine, lines = Engine(reading.stack, reading.tracker), Lines()
    source = reading.reader.source
    try:
        for chunk in chunks(reading.reader):
            out.write(lines.text(engine.block(chunk)))
            if source.size is None:
                out.flush()
            if progress is not None:
                progress(source.position, source.size)
    finally:
        out.flush()
