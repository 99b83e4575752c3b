"""Blocks of rows as TSV: the same bytes as :func:`rig.capture.text.tsv_line`, written by the thousand.

Knows the columns of the documented table. Refuses to know where rows come from.

A line is put together of parts: frame and time; what rows of one kind have in common, up to the value; the value; the
PDU. The lengths of all parts tell where each belongs; then one part of all lines is copied there after the other.

What costs is the number of copies, hardly their width. So the digits of a PDU are copied in a few widths, to what there
is of them and some more, which what is copied later writes over: first to where they end as the value, then to where
they are the PDU, and last of all the beginnings of the lines.
"""

from __future__ import annotations

from binascii import hexlify
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rig.capture import att
from rig.capture.fast.engine import Block, Kind
from rig.capture.fast.pieces import Bytes, Voids, anywhere
from rig.capture.fast.window import NS, Int64s
from rig.capture.rows import AttRow, value_of
from rig.capture.text import opcode_text, tsv_line

_SKIPPED: Final = {
    att.READ_RESPONSE: 1,
    att.READ_BLOB_RESPONSE: 1,
    att.WRITE_RESPONSE: 1,
    att.HANDLE_VALUE_CONFIRMATION: 1,
    att.READ_REQUEST: 3,
    att.WRITE_REQUEST: 3,
    att.WRITE_COMMAND: 3,
    att.HANDLE_VALUE_NOTIFICATION: 3,
    att.HANDLE_VALUE_INDICATION: 3,
}
"""Octets before the value, by opcode, of PDUs that have nothing behind it."""

_TAB: Final = ord("\t")
_LINE_END: Final = ord("\n")
_DECIMALS: Final = 9  # of a time
_STEP: Final = 16
"""Octets of a PDU that are copied at a time; the digits of one octet less are shorter than any beginning of a line."""
_SPARE: Final = bytes(_STEP - 1)
_FEW_SECONDS: Final = 1 << 12
_NEVER: Final = 1 << 31
"""More octets than any PDU has."""
_DIGITS: Final = 4
_PLACES: Final = 10**_DIGITS
_QUADS: Final = (
    (np.arange(_PLACES)[:, None] // (1000, 100, 10, 1) % 10 + ord("0")).astype(np.uint8).view(np.uint32)[:, 0]
)
"""Numbers below 10,000 as four ASCII digits each."""


class _Parts(NamedTuple):
    """What the lines of a kind are made of."""

    about: bytes
    """From the tab behind the time to the one before the value."""
    skipped: int
    """Octets of the PDU before the value."""
    least: int
    """Octets that a PDU of this kind has at least; one that has less, or more, is written by itself."""
    most: int


class Lines:
    """Writes blocks; remembers what kinds look like."""

    def __init__(self) -> None:
        self._kinds: list[Kind] = []
        self._learn([])

    def text(self, block: Block) -> bytes | memoryview:
        """The rows of a block, each with its line end."""
        if not len(block):
            return b""
        times = _times(block)
        if times is None:
            return b"".join([_line(block, row) for row in range(len(block))])
        if block.kinds is not self._kinds or len(block.kinds) != self._known:
            self._learn(block.kinds)
        kind, octets = block.kind, block.length
        odd = np.flatnonzero((octets < self._least[kind]) | (octets > self._most[kind]))
        odd_lines = [_line(block, row) for row in odd.tolist()]
        if len(odd):
            octets = octets.copy()
            octets[odd] = 0  # what there is of them is written over at the end

        timed = times[0].itemsize if len(times) == 1 else _each(times)
        before = self._before[kind] + timed  # from the line's beginning to where the digits are copied to first
        length = before + 4 * octets + 1
        length[odd] = [len(line) for line in odd_lines]
        ends = np.cumsum(length)
        # A line begins with the end of the line before it: the first one has that to itself, and gives it back.
        at = ends - length
        end = int(ends[-1]) + 1
        out = np.empty(end + 2 * _STEP, np.uint8)
        _copy_digits(block, octets, out, at + before)
        done = 0
        for part in times:
            anywhere(out, part.itemsize)[at[done : done + len(part)]] = part
            done += len(part)
        self._copy_abouts(kind, out, at + timed)
        for behind, line in zip((ends[odd] + 1).tolist(), odd_lines, strict=True):
            out[behind - len(line) : behind] = np.frombuffer(line, np.uint8)
        out[end - 1] = _LINE_END
        return out.data[1:end]

    def _copy_abouts(self, kind: Int64s, out: Bytes, at: Int64s) -> None:
        counts = np.bincount(kind)
        order = np.argsort(_narrow(kind, len(counts)), kind="stable")
        at = at[order]
        end = 0
        for number in np.flatnonzero(counts).tolist():
            begin, end = end, end + int(counts[number])
            about = self._abouts[number]
            anywhere(out, about.itemsize)[at[begin:end]] = about

    def _learn(self, kinds: list[Kind]) -> None:
        parts = [_parts_of(kind) for kind in kinds]
        self._kinds = kinds
        self._known = len(kinds)
        self._abouts = [np.frombuffer(part.about, f"V{len(part.about)}") for part in parts]
        self._before = np.array([len(part.about) - 2 * part.skipped for part in parts], np.int64)
        self._least = np.array([part.least for part in parts], np.int64)
        self._most = np.array([part.most for part in parts], np.int64)


def _each(times: list[Voids]) -> Int64s:
    return np.repeat([part.itemsize for part in times], [len(part) for part in times])


def _narrow(numbers: Int64s, end: int) -> npt.NDArray[np.integer]:
    """Numbers below ``end``, in what they are sorted fastest in."""
    return numbers.astype(np.uint8 if end <= 1 << 8 else np.uint16 if end <= 1 << 16 else np.int64)


def _copy_digits(block: Block, octets: Int64s, out: Bytes, places: Int64s) -> None:
    """Copy the digits of each PDU to its place, and once more behind a tab; and some more digits behind either.

    Whatever the second copies write over is in front of where the next line's digits begin.
    """
    steps = octets + (_STEP - 1) >> 4
    ends = np.cumsum(np.bincount(steps)).tolist()
    order = np.argsort(_narrow(steps, len(ends)), kind="stable")
    starts, places = block.start[order], places[order]
    again = places + 2 * octets[order]
    data = block.data + _SPARE
    digits = []
    for step, (begin, end) in enumerate(pairwise(ends), 1):
        if begin < end:
            pieces = anywhere(data, _STEP * step)[starts[begin:end]]
            text = np.frombuffer(hexlify(pieces.data), f"V{2 * pieces.itemsize}")
            anywhere(out, text.itemsize)[places[begin:end]] = text
            digits.append((text, again[begin:end]))
    for text, place in digits:
        anywhere(out, text.itemsize)[place + 1] = text
    out[again] = _TAB


def _parts_of(kind: Kind) -> _Parts:
    link, sender, opcode, handle, uuid = kind
    named = "" if handle is None else f"0x{handle:04x}"
    about = f"\t{link}\t{sender}\t{opcode_text(opcode)}\t{named}\t{uuid}\t".encode("ascii")
    skipped = _SKIPPED.get(opcode)
    if skipped is None:  # something else about it
        return _Parts(about, 0, _NEVER, _NEVER)
    valued = opcode in att.VALUE_OFFSET and opcode != att.READ_REQUEST
    return _Parts(about, skipped, skipped, _NEVER if valued else skipped)


def _line(block: Block, row: int) -> bytes:
    """One row by the scalar path's own words."""
    link, sender, opcode, handle, uuid = block.kinds[int(block.kind[row])]
    start = int(block.start[row])
    pdu = block.data[start : start + int(block.length[row])]
    time_ns = int(block.ticks[row]) * (NS // block.ticks_per_second)
    line = tsv_line(AttRow(int(block.frame[row]), time_ns, link, sender, opcode, handle, uuid, value_of(pdu), pdu))
    return line.encode("ascii")


def _times(block: Block) -> list[Voids] | None:
    """The end of the line before, the frame, a tab and the time of each row; None where times have no common width.

    One array for the rows whose frames have the same number of digits.
    """
    if block.ticks.dtype != np.int64 or int(block.ticks.min()) < 0:
        return None
    seconds = block.ticks // block.ticks_per_second
    fraction = block.ticks - seconds * block.ticks_per_second  # divmod takes twice as long as both
    first, last = int(seconds.min()), int(seconds.max())
    width = len(str(last))
    if len(str(first)) != width:
        return None
    decimals = len(str(block.ticks_per_second)) - 1
    if last - first < _FEW_SECONDS:
        second_digits = _digits(np.arange(first, last + 1), width)[seconds - first]
    else:
        second_digits = _digits(seconds, width)
    decimal_digits = _digits(fraction, decimals)
    times: list[Voids] = []
    done = 0
    while done < len(block):  # frames ascend: those with the same number of digits are together
        frame_width = len(str(int(block.frame[done])))
        until = int(np.searchsorted(block.frame, 10**frame_width))
        layout = np.dtype(
            [
                ("line_end", "u1"),
                ("frame", f"V{frame_width}"),
                ("tab", "u1"),
                ("seconds", f"V{width}"),
                ("point", "u1"),
                ("decimals", f"V{decimals}"),
                ("zeros", f"V{_DECIMALS - decimals}"),
            ]
        )
        text = np.full((until - done, layout.itemsize), ord("0"), np.uint8)
        part = text.view(layout)[:, 0]
        part["line_end"] = _LINE_END
        part["frame"] = _digits(block.frame[done:until], frame_width)
        part["tab"] = _TAB
        part["seconds"] = second_digits[done:until]
        part["point"] = ord(".")
        part["decimals"] = decimal_digits[done:until]
        times.append(part.view(f"V{layout.itemsize}"))
        done = until
    return times


def _digits(numbers: Int64s, width: int) -> Voids:
    """Numbers of at most ``width`` digits as ASCII, with leading zeros."""
    quads = -(-width // _DIGITS)
    text = np.empty((len(numbers), quads), np.uint32)
    for quad in range(quads - 1, 0, -1):
        higher = numbers // _PLACES  # divmod takes twice as long as this and a multiplication
        text[:, quad] = _QUADS[numbers - higher * _PLACES]
        numbers = higher
    text[:, 0] = _QUADS[numbers]
    size = text.strides[0]
    return np.ndarray(len(text), f"V{width}", text, size - width, size)
