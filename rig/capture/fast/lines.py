"""Blocks of rows as TSV: the same bytes as :func:`rig.capture.text.tsv_line`, written by the thousand.

Knows the columns of the documented table. Refuses to know where rows come from.

A line is put together of parts: frame and time; what rows of one kind have in common, up to the value; the value; the
PDU. The lengths of all parts tell where each belongs; then one part of all lines is copied there after the other.
"""

from __future__ import annotations

from binascii import hexlify
from typing import Final, NamedTuple

import numpy as np

from rig.capture import att
from rig.capture.fast.engine import Block, Kind
from rig.capture.fast.pieces import Voids, anywhere, copy_pieces, joined_pieces
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
    """Octets of the PDU before the value; -1 where PDUs of this kind are written one by one."""
    valued: bool
    """Whether something may follow them."""


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
        skipped = self._skipped[kind]
        value = octets - skipped
        odd = np.flatnonzero((skipped < 0) | (value < 0) | (~self._valued[kind] & (value != 0)))
        if len(odd):
            octets = octets.copy()
            octets[odd] = value[odd] = 0  # what there is of them is written over at the end
        odd_lines = [_line(block, row) for row in odd.tolist()]

        timed = np.repeat([part.itemsize for part in times], [len(part) for part in times])
        about = self._about_length[kind]
        value, pdu = 2 * value, 2 * octets
        length = timed + about + value + pdu + 2
        length[odd] = [len(line) for line in odd_lines]
        ends = np.cumsum(length)
        at = ends - length
        out = np.empty(int(ends[-1]), np.uint8)
        digits = hexlify(joined_pieces(block.data, block.start, octets))
        digit = np.cumsum(pdu) - pdu
        done = 0
        for part in times:
            anywhere(out, part.itemsize)[at[done : done + len(part)]] = part
            done += len(part)
        at += timed
        copy_pieces(self._abouts, self._about_start[kind], about, out, at)
        at += about
        copy_pieces(digits, digit + (pdu - value), value, out, at)
        at += value
        out[at] = _TAB
        copy_pieces(digits, digit, pdu, out, at + 1)
        out[ends - 1] = _LINE_END
        for end, line in zip(ends[odd].tolist(), odd_lines, strict=True):
            out[end - len(line) : end] = np.frombuffer(line, np.uint8)
        return out.data

    def _learn(self, kinds: list[Kind]) -> None:
        parts = [_parts_of(kind) for kind in kinds]
        self._kinds = kinds
        self._known = len(kinds)
        self._abouts = b"".join([part.about for part in parts])
        self._about_length = np.array([len(part.about) for part in parts], np.int64)
        self._about_start = np.cumsum(self._about_length) - self._about_length
        self._skipped = np.array([part.skipped for part in parts], np.int64)
        self._valued = np.array([part.valued for part in parts], np.bool_)


def _parts_of(kind: Kind) -> _Parts:
    link, sender, opcode, handle, uuid = kind
    if opcode not in _SKIPPED:
        return _Parts(b"", -1, valued=False)
    named = "" if handle is None else f"0x{handle:04x}"
    return _Parts(
        f"\t{link}\t{sender}\t{opcode_text(opcode)}\t{named}\t{uuid}\t".encode("ascii"),
        _SKIPPED[opcode],
        opcode in att.VALUE_OFFSET and opcode != att.READ_REQUEST,
    )


def _line(block: Block, row: int) -> bytes:
    """One row by the scalar path's own words."""
    link, sender, opcode, handle, uuid = block.kinds[int(block.kind[row])]
    start = int(block.start[row])
    pdu = block.data[start : start + int(block.length[row])]
    time_ns = int(block.ticks[row]) * (NS // block.ticks_per_second)
    line = tsv_line(AttRow(int(block.frame[row]), time_ns, link, sender, opcode, handle, uuid, value_of(pdu), pdu))
    return line.encode("ascii")


def _times(block: Block) -> list[Voids] | None:
    """The frame, a tab and the time of each row; None where times have no common width.

    One array for the rows whose frames have the same number of digits.
    """
    if block.ticks.dtype != np.int64 or int(block.ticks.min()) < 0:
        return None
    seconds, fraction = np.divmod(block.ticks, block.ticks_per_second)
    width = len(str(int(seconds.max())))
    if len(str(int(seconds.min()))) != width:
        return None
    decimals = len(str(block.ticks_per_second)) - 1
    second_digits, decimal_digits = _digits(seconds, width), _digits(fraction, decimals)
    times: list[Voids] = []
    done = 0
    while done < len(block):  # frames ascend: those with the same number of digits are together
        frame_width = len(str(int(block.frame[done])))
        until = int(np.searchsorted(block.frame, 10**frame_width))
        layout = np.dtype(
            [
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
