"""A capture as TSV, the way ``rig decode --att`` prints it: record by record, or in windows where that is faster.

Knows when which way pays. Refuses to know containers, layers and columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rig.capture.gatt import GattTracker
from rig.capture.layers.stack import Stack
from rig.capture.progress import watched
from rig.capture.registry import open_reader
from rig.capture.rows import rows
from rig.capture.text import TSV_HEADER, tsv_line

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from rig.capture.handle_map import HandleMap
    from rig.capture.progress import Progress

_LINES_AT_ONCE = 512


def write_tsv(
    path: str | Path, out: BinaryIO, *, handle_map: HandleMap | None = None, progress: Progress | None = None
) -> None:
    """Write the documented table of every ATT PDU in a capture: a header and a line a row.

    Args:
        path: a capture in any container, or ``-`` for standard input.
        out: where to write, buffered or not; it is flushed, and stays open.
        handle_map: what handles mean, where the capture's own discovery does not tell.
        progress: told now and then how far the read has come.

    Raises:
        CaptureError: the file is damaged or no capture; every row before the damage was written.
        OSError: ``out`` takes no more.
    """
    reader = open_reader(path)
    with reader.source:
        lines = [TSV_HEADER]
        try:
            for row in rows(watched(reader.records(), reader.source, progress), Stack(), GattTracker(handle_map)):
                lines.append(tsv_line(row))
                if len(lines) == _LINES_AT_ONCE:
                    out.write("".join(lines).encode("ascii"))
                    lines.clear()
        finally:
            out.write("".join(lines).encode("ascii"))
            out.flush()
