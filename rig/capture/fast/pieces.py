"""Pieces of bytes, copied by the thousand from wherever they are to wherever they belong.

Knows how numpy does so without a Python object for any of them. Refuses to know what the bytes mean.

A piece is copied like ``memcpy`` does it: with the largest power of two that is not longer than it, once to its
beginning and once to its end. The two may overlap, where they write the same: so nothing depends on an order.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]
Voids = npt.NDArray[np.void]

_TABLED: Final = 1024
_SIZES: Final = np.frexp(np.arange(_TABLED))[1].astype(np.uint8)
"""Of small numbers, how many bits they have: one more than the power of two to copy with."""


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
    sizes = _sizes(lengths)
    order = np.argsort(sizes, kind="stable")
    starts, lengths, places = starts[order], lengths[order], places[order]
    ends = np.cumsum(np.bincount(sizes)).tolist()
    for size, (begin, end) in enumerate(pairwise(ends)):
        if begin == end:
            continue
        width = 1 << size
        pieces, there = anywhere(source, width), anywhere(target, width)
        start, place = starts[begin:end], places[begin:end]
        there[place] = pieces[start]
        rest = lengths[begin:end] - width
        there[place + rest] = pieces[start + rest]


def _sizes(lengths: Int64s) -> Bytes:
    if not len(lengths) or int(lengths.max()) < _TABLED:
        return _SIZES[lengths]
    return np.frexp(lengths)[1].astype(np.uint8)


def joined_pieces(data: bytes, starts: Int64s, lengths: Int64s) -> bytes:
    """The pieces of ``data`` that begin at ``starts``, one behind the other."""
    ends = np.cumsum(lengths)
    joined = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    copy_pieces(data, starts, lengths, joined, ends - lengths)
    return joined.tobytes()
