"""One capture being read, record by record: its reader, the layers above it and what discovery has told so far.

Knows how the parts fit together. Refuses to know what is made of the records: rows, operations, a summary.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rig.capture.gatt import GattTracker
from rig.capture.layers.stack import Stack
from rig.capture.progress import Progress, watched
from rig.capture.records import CaptureError
from rig.capture.registry import open_reader

if TYPE_CHECKING:
    from pathlib import Path

    from rig.capture.handle_map import HandleMap
    from rig.capture.layers.links import AttPdu, Observations
    from rig.capture.records import CaptureReader, Record


class Reading:
    """A capture from its beginning to its end, once. A context manager: the file is closed with it.

    Args:
        path: the file, ``-`` for standard input.
        handle_map: what handles mean where the capture's own discovery does not tell; without one, the map that a
            pcapng capture carries with it, if it does.

    Raises:
        CaptureError: the file cannot be read, or is no capture that any reader knows.
    """

    def __init__(self, path: str | Path, handle_map: HandleMap | None = None) -> None:
        self.reader = open_reader(path)
        self.stack = Stack()
        self.carried = carried_map(self.reader, self.stack.observations)
        """The handle map that the capture carries with it."""
        self.tracker = GattTracker(handle_map if handle_map is not None else self.carried)

    @property
    def name(self) -> str:
        """The file, as errors call it."""
        return self.reader.source.name

    def records(self, progress: Progress | None = None) -> Iterator[Record]:
        """Every record in file order; ``progress`` is told now and then how far the file was read.

        Raises:
            CaptureError: the file is damaged here; every record before was delivered.
        """
        return watched(self.reader.records(), self.reader.source, progress)

    def pdus(self, progress: Progress | None = None) -> Iterator[AttPdu]:
        """Every ATT PDU in file order.

        Raises:
            CaptureError: as :meth:`records`.
        """
        feed = self.stack.feed
        for record in self.records(progress):
            yield from feed(record)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.reader.source.close()


def carried_map(reader: CaptureReader, observations: Observations) -> HandleMap | None:
    """The handle map that a capture carries with it, None for one without. To be asked before its first record is read.

    One that cannot be used is an oddity, and no reason not to read the capture.
    """
    if reader.format != "pcapng":
        return None
    from rig.capture.embedded_map import map_in  # noqa: PLC0415 - one container alone can carry one

    try:
        return map_in(reader)
    except CaptureError as error:
        observations.odd("unusable_handle_maps", 0, str(error))
        return None
