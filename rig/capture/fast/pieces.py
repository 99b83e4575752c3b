"""Pieces of bytes, copied by the thousand from wherever they are to wherever they belong.

Knows how numpy does so without a Python object for any of them. Refuses to know what the bytes mean.

Pieces of a length that many have are copied as what they are. Any other is copied like ``memcpy`` does it: with the
largest power of two that is not longer than it, once to its beginning and once to its end. The two may overlap, where
they write the same: so nothing depends on an order.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]
Voids = npt.NDArray[np.void]

_MANY: Final = 128
"""So many pieces of one length are copied faster apart from the others."""
_TABLED: Final = 1024
_SIZES: Final = np.frexp(np.arange(_TABLED))[1].astype(np.uint16)
"""Of small numbers, how many bits they have: one more than the power of two to copy with."""
_ALONE: Final = 64
"""More than the bits of any length: from here on, a group has this and its one length for a number."""


def anywhere(data: bytes | Bytes, width: int) -> Voids:
    """All pieces of ``width`` bytes, as a view: the element at ``i`` is ``data[i : i + width]``."""
    return np.ndarray((max(len(data) - width + 1, 0),), f"V{width}", data, strides=(1,))


def copy_pieces(source: bytes | Bytes, starts: Int64s, lengths: Int64s, target: Bytes, places: Int64s) -> None:
    """Copy the pieces of ``source`` that begin at ``starts`` to their places in ``target``.

    Args:
        source: shares no memory with the target.
        starts: one a piece, as the lengths and the places.
        lengths: in bytes; may be 0.
        target: where no two pieces overlap.
        places: where they begin there.
    """
    groups = _groups(lengths)
    order = np.argsort(groups, kind="stable")
    starts, lengths, places = starts[order], lengths[order], places[order]
    end = 0
    for group, count in enumerate(np.bincount(groups).tolist()):
        begin, end = end, end + count
        if not group or not count:
            continue
        width = group - _ALONE if group > _ALONE else 1 << group - 1
        pieces, there = anywhere(source, width), anywhere(target, width)
        start, place = starts[begin:end], places[begin:end]
        there[place] = pieces[start]
        if group < _ALONE:
            rest = lengths[begin:end] - width
            there[place + rest] = pieces[start + rest]


def _groups(lengths: Int64s) -> npt.NDArray[np.uint16]:
    """What pieces are copied together: by the bits of their length, or, above :data:`_ALONE`, by that; 0: none."""
    if not len(lengths):
        return np.zeros(0, np.uint16)
    if int(lengths.max()) >= _TABLED:
        return np.frexp(lengths)[1].astype(np.uint16)
    counts = np.bincount(lengths)
    counts[0] = 0
    groups = _SIZES[: len(counts)].copy()
    many = np.flatnonzero(counts >= _MANY)
    groups[many] = many + _ALONE
    return groups[lengths]


def joined_pieces(data: bytes, starts: Int64s, lengths: Int64s) -> bytes:
    """The pieces of ``data`` that begin at ``starts``, one behind the other."""
    ends = np.cumsum(lengths)
    joined = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    copy_pieces(data, starts, lengths, joined, ends - lengths)
    return joined.tobytes()
