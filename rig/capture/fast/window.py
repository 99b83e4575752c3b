"""A window of a capture as columns: where its records are, and what their headers say.

Knows what all containers have in common. Refuses to know how each writes it, and what the records hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rig.capture.records import Record

Int64s = npt.NDArray[np.int64]
NS: Final = 1_000_000_000


def gathered(data: bytes, layout: np.dtype[np.void], offsets: Int64s) -> npt.NDArray[np.void]:
    """The structures that stand at ``offsets``, wherever that is; each must be inside ``data``."""
    size = layout.itemsize
    # As opaque bytes: copied as structures, field by field, they would take six times as long.
    everywhere = np.ndarray((max(len(data) - size + 1, 0),), f"V{size}", data, strides=(1,))
    return everywhere[offsets].view(layout)


def reordered(structures: npt.NDArray[np.void], order: npt.NDArray[np.intp]) -> npt.NDArray[np.void]:
    """``structures[order]``, quickly."""
    return structures.view(f"V{structures.dtype.itemsize}")[order].view(structures.dtype)


@dataclass(slots=True)
class Window:
    """Consecutive records of one link type and one interface; the arrays have one element a record."""

    data: bytes
    """The bytes that the records are in, with their headers."""
    first_frame: int
    """Number of the first record in the file."""
    offset: int
    """Where ``data`` begins in the uncompressed file, in bytes."""
    link_type: int
    interface: int
    ticks_per_second: int
    """1,000,000 or 1,000,000,000."""
    starts: Int64s
    """Where each record begins in ``data``, its header included."""
    bodies: Int64s
    """Where its captured bytes begin in ``data``."""
    captured: Int64s
    """How many there are."""
    original: Int64s
    """Length in bytes before the recorder cut it."""
    flags: Int64s
    ticks: Int64s
    """Unix time in ticks; any sign, in any order."""

    def __len__(self) -> int:
        return len(self.starts)

    def record(self, index: int) -> Record:
        """One of them, just as the container's reader gives it (but for comments, which say nothing of rows)."""
        body = int(self.bodies[index])
        return Record(
            self.first_frame + index,
            int(self.ticks[index]) * (NS // self.ticks_per_second),
            self.link_type,
            self.data[body : body + int(self.captured[index])],
            int(self.original[index]),
            int(self.flags[index]),
            self.interface,
            self.offset + int(self.starts[index]),
        )

    def first(self, count: int) -> Window:
        """The first ``count`` records."""
        return Window(
            self.data,
            self.first_frame,
            self.offset,
            self.link_type,
            self.interface,
            self.ticks_per_second,
            self.starts[:count],
            self.bodies[:count],
            self.captured[:count],
            self.original[:count],
            self.flags[:count],
            self.ticks[:count],
        )
