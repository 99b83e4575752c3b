"""Where the records of a window begin: all of them at once, from what their headers have in common.

Knows that a record tells its own length. Refuses to know what else a container has in its headers.

A chain of lengths can only be walked step by step, and in Python a step is dear. So the beginnings are guessed, all of
them, by what the headers of a file have in common; and a guess is trusted only where the one before it ends. What was
guessed too much is left out, what was missed is walked: wrong guesses cost time alone.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

_GUESSES_A_BREAK: Final = 16
"""With fewer guesses than so many in a row, walking alone is faster."""

Offsets = npt.NDArray[np.int64]


class Framing(NamedTuple):
    """How a container chains its records."""

    header_bytes: int
    """Length of a record's header (the shortest block, for pcapng). The chain advances by no less."""
    length_at: int
    """Where in the header the length stands, 4 bytes."""
    order: str
    """Its byte order: ``<`` or ``>``."""
    beyond: int
    """Bytes that the length does not count."""


class Likely(NamedTuple):
    """What headers are likely to have in common; what has it too need not be one, and some may not have it."""

    unit: int
    """1, or 4 where all records should begin at a multiple of four."""
    common: tuple[tuple[int, bytes], ...]
    """At least one place in the header, a multiple of ``unit``, and the ``unit`` bytes there."""


def starts(data: bytes, framing: Framing, likely: Likely) -> tuple[Offsets, int]:
    """Find the records that are whole in ``data``, which begins with one.

    What a damaged length leads to is found as well: lengths are for the caller to judge, before anything else.

    Args:
        data: the window.
        framing: how its records are chained.
        likely: where a header is likely to begin.

    Returns:
        Offsets of the records in ``data``, ascending, and where the first one begins that is not whole.
    """
    size = len(data)
    end = size - framing.header_bytes + 1  # a header that begins here or later is not whole
    if end <= 0:
        return np.empty(0, np.int64), 0
    guesses = _guesses(data, end, likely)
    after = _after(data, framing, guesses)
    breaks = np.flatnonzero(after[:-1] != guesses[1:])
    if len(breaks) * _GUESSES_A_BREAK > len(guesses):
        walked, stop = _walked(data, framing, 0, end)
        offsets = np.array(walked, np.int64)
    else:
        offsets, stop = _mended(data, framing, (guesses, after), breaks.tolist(), end)
    if stop > size:  # the last one goes beyond the window
        stop = int(offsets[-1])
        offsets = offsets[:-1]
    return offsets, stop


def _guesses(data: bytes, end: int, likely: Likely) -> Offsets:
    """Likely starts, ascending; the first is certain."""
    unit = likely.unit
    units = np.frombuffer(data, f"u{unit}", len(data) // unit)
    count = min(-(-end // unit), len(units) - max(place for place, _ in likely.common) // unit)
    if count < 1:
        return np.zeros(1, np.int64)
    alike, *others = (
        units[place // unit :][:count] == np.frombuffer(octets, units.dtype) for place, octets in likely.common
    )
    for also in others:
        alike &= also
    alike[0] = True
    guesses = np.flatnonzero(alike)
    return guesses * unit if unit > 1 else guesses


def _after(data: bytes, framing: Framing, positions: Offsets) -> Offsets:
    """Where the record behind each begins."""
    lengths = np.ndarray((len(data) - 3,), f"{framing.order}u4", data, strides=(1,))
    length = lengths[positions + framing.length_at].astype(np.int64)
    return positions + np.maximum(length + framing.beyond, framing.header_bytes)


def _mended(
    data: bytes, framing: Framing, guesses: tuple[Offsets, Offsets], breaks: list[int], end: int
) -> tuple[Offsets, int]:
    """Follow the one true chain: by the guesses up to each break, and step by step to where it meets the next guess.

    Returns:
        Its positions, and where it stops.
    """
    starts, after = guesses
    parts: list[Offsets] = []
    begin = 0
    for last in [*breaks, len(starts) - 1]:
        if last < begin:  # among the guesses that the chain passes over
            continue
        parts.append(starts[begin : last + 1])
        stop = int(after[last])
        while stop < end:
            begin = int(starts.searchsorted(stop))
            border = int(starts[begin]) if begin < len(starts) else end
            if stop == border:
                break
            walked, stop = _walked(data, framing, stop, border)
            parts.append(np.array(walked, np.int64))
        else:
            break
    return np.concatenate(parts) if len(parts) > 1 else parts[0], stop


def _walked(data: bytes, framing: Framing, position: int, border: int) -> tuple[list[int], int]:
    """Walk the chain up to a border; return its positions, and where it stops."""
    length_of = struct.Struct(f"{framing.order}I").unpack_from
    at, beyond, least = framing.length_at, framing.beyond, framing.header_bytes
    positions = []
    while position < border:
        positions.append(position)
        position += max(length_of(data, position + at)[0] + beyond, least)
    return positions, position
