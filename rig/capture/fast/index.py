"""Where the records of a window begin: all of them at once, from the lengths that chain one record to the next.

Knows that a record tells its own length. Refuses to know what else a container has in its headers.

A chain can only be walked step by step, and in Python a step is dear. So the window is cut into chunks, the first
record of each is guessed by what all headers of the file have in common, and all chains are walked in lockstep, one
step of all at a time. A guess is trusted only if the chain before it ends exactly there: a wrong one costs time alone.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_CHUNK_BYTES = 2048
_FEW = 12
"""So many chains are walked faster one by one than together."""
_STEPS = 8
"""So many are made before it is looked which chains are through."""

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


def starts(data: bytes, framing: Framing, likely: re.Pattern[bytes]) -> tuple[Offsets, int]:
    """Find the records that are whole in ``data``, which begins with one.

    What a damaged length leads to is found as well: lengths are for the caller to judge, before anything else.

    Args:
        data: the window.
        framing: how its records are chained.
        likely: matches where a header is likely to begin; what it matches need not be one, and it may miss some.

    Returns:
        Offsets of the records in ``data``, ascending, and where the first one begins that is not whole.
    """
    size = len(data)
    end = size - framing.header_bytes + 1  # a header that begins here or later is not whole
    if end <= 0:
        return np.empty(0, np.int64), 0
    guesses = _guesses(data, end, likely)
    borders = np.append(guesses[1:], end)
    together, alone, stops = _walk(data, framing, guesses, borders)
    inside = together < borders[:, None]
    if (stops[:-1] != guesses[1:]).any():
        true_chains, between, stop = _true(data, framing, guesses, stops, end)
        inside &= true_chains[:, None]
        alone = [walked for chain, walked in enumerate(alone) if true_chains[chain]]
        alone.append(between)
    else:
        stop = int(stops[-1])
    offsets = np.concatenate([together[inside], *(np.array(walked, np.int64) for walked in alone if walked)])
    offsets.sort(kind="stable")  # which is quick with what is nearly in order
    if stop > size:  # the last one goes beyond the window
        stop = int(offsets[-1])
        offsets = offsets[:-1]
    return offsets, stop


def _guesses(data: bytes, end: int, likely: re.Pattern[bytes]) -> Offsets:
    """One likely start per chunk, ascending; the first is certain."""
    found = [0]
    search = likely.search
    for chunk in range(_CHUNK_BYTES, end, _CHUNK_BYTES):
        match = search(data, chunk, chunk + _CHUNK_BYTES)
        if match is not None and found[-1] < match.start() < end:
            found.append(match.start())
    return np.array(found, np.int64)


def _walk(
    data: bytes, framing: Framing, guesses: Offsets, borders: Offsets
) -> tuple[Offsets, list[list[int]], Offsets]:
    """Walk every chain to the border with the next.

    Returns:
        Positions of all chains while they were walked together (chains, steps), those at or beyond a border being no
        steps; positions of each chain from where it was walked alone; and where each chain stops.
    """
    lengths = np.ndarray((len(data) - 3,), f"{framing.order}u4", data, strides=(1,))[framing.length_at :]
    last = len(lengths) - 1
    beyond, least = framing.beyond, max(framing.header_bytes - framing.beyond, 0)
    position = guesses
    steps = [position]
    while np.count_nonzero(position < borders) > _FEW:
        for _ in range(_STEPS):  # a chain that is through goes on for nothing: cheaper than to look each time
            length = lengths[np.minimum(position, last)]
            position = position + beyond + (np.maximum(length, least) if least else length)
            steps.append(position)
    together = np.stack(steps, axis=1)
    walked = np.count_nonzero(together < borders[:, None], axis=1)
    stops = together[np.arange(len(guesses)), np.minimum(walked, len(steps) - 1)]
    alone: list[list[int]] = [[] for _ in guesses]
    for chain in np.flatnonzero(walked == len(steps)).tolist():
        alone[chain], stops[chain] = _alone(data, framing, int(position[chain]), int(borders[chain]))
        del alone[chain][:1]  # the position where it was left is among the steps
    return together, alone, stops


def _alone(data: bytes, framing: Framing, position: int, border: int) -> tuple[list[int], int]:
    """Walk one chain up to a border; return its positions, and where it stops."""
    length_of = struct.Struct(f"{framing.order}I").unpack_from
    at, beyond, least = framing.length_at, framing.beyond, framing.header_bytes
    positions = []
    while position < border:
        positions.append(position)
        position += max(length_of(data, position + at)[0] + beyond, least)
    return positions, position


def _true(
    data: bytes, framing: Framing, guesses: Offsets, stops: Offsets, end: int
) -> tuple[npt.NDArray[np.bool_], list[int], int]:
    """Follow the one true chain: through the walked ones where it meets their beginning, step by step between.

    Returns:
        Which walked chains are part of it, its positions between them, and where it stops.
    """
    is_true = np.zeros(len(guesses), np.bool_)
    between: list[int] = []
    stop = 0
    for chain, (guess, chain_stop) in enumerate(zip(guesses.tolist(), stops.tolist(), strict=True)):
        if stop < guess:
            positions, stop = _alone(data, framing, stop, guess)
            between += positions
        if stop == guess:
            is_true[chain] = True
            stop = chain_stop
    positions, stop = _alone(data, framing, stop, end)
    return is_true, between + positions, stop
