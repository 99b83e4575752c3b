"""Blocks of rows as TSV: the same bytes as :func:`rig.capture.text.tsv_line`, written by the thousand.

Knows the columns of the documented table. Refuses to know where rows come from.

A line is put together of five parts: frame and time; what rows of one kind have in common, up to the value; the value;
the beginning of the PDU, which is common to the kind too; and its rest, which is the value once more.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rig.capture import att
from rig.capture.fast.engine import Block, Kind
from rig.capture.fast.window import NS, Int64s
from rig.capture.rows import AttRow, value_of
from rig.capture.text import opcode_text, tsv_line

_BEGINNING: Final = {
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
"""Opcodes of PDUs that are a beginning, which the kind tells (opcode, and handle if any), and a value or nothing.
"""

_DIGITS: Final = 4
_PLACES: Final = 10**_DIGITS
_QUADS: Final = np.frombuffer("".join(f"{number:04d}" for number in range(_PLACES)).encode(), np.uint32)
"""Numbers below 10,000 as four ASCII digits each."""


class _Parts(NamedTuple):
    """What the lines of each kind are made of, one element a kind."""

    before: npt.NDArray[np.object_]
    """From the tab behind the time to the one before the value."""
    between: npt.NDArray[np.object_]
    """A tab and the PDU's beginning in hex, up to the value."""
    skipped: Int64s
    """Octets of that beginning; -1 where PDUs of this kind are written one by one."""
    valued: npt.NDArray[np.bool_]
    """Whether something may follow it."""


class Lines:
    """Writes blocks; remembers what kinds look like."""

    def __init__(self) -> None:
        self._kinds: list[Kind] = []
        self._known: list[tuple[bytes, bytes, int, bool]] = []
        self._parts = _parts_of(self._known)

    def text(self, block: Block) -> bytes:
        """The rows of a block, each with its line end."""
        if not len(block):
            return b""
        times = _times(block)
        if times is None:
            return b"".join([_line(block, row) for row in range(len(block))])
        self._learn(block.kinds)
        kind = block.kind
        skipped = self._parts.skipped[kind]
        odd = (skipped < 0) | (block.length < skipped) | (~self._parts.valued[kind] & (block.length != skipped))

        digits = block.data.hex().encode("ascii")
        begins = (block.start + skipped) * 2
        ends = (block.start + block.length) * 2
        values = [digits[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
        pieces: list[bytes] = [b"\n"] * (5 * len(times) + 1)
        pieces[0:-1:5] = times
        pieces[1::5] = self._parts.before[kind].tolist()
        pieces[2::5] = values
        pieces[3::5] = self._parts.between[kind].tolist()
        pieces[4::5] = values
        for row in np.flatnonzero(odd).tolist():
            pieces[5 * row : 5 * row + 5] = b"\n" + _line(block, row)[:-1], b"", b"", b"", b""
        pieces[0] = pieces[0][1:]  # every line brings the end of the one before it
        return b"".join(pieces)

    def _learn(self, kinds: list[Kind]) -> None:
        if kinds is not self._kinds:
            self._kinds = kinds
            self._known = []
        if len(self._known) < len(kinds):
            self._known.extend(map(_part, kinds[len(self._known) :]))
            self._parts = _parts_of(self._known)


def _parts_of(known: list[tuple[bytes, bytes, int, bool]]) -> _Parts:
    before, between = np.empty(len(known), np.object_), np.empty(len(known), np.object_)
    before[:] = [part[0] for part in known]
    between[:] = [part[1] for part in known]
    return _Parts(
        before,
        between,
        np.array([part[2] for part in known], np.int64),
        np.array([part[3] for part in known], np.bool_),
    )


def _part(kind: Kind) -> tuple[bytes, bytes, int, bool]:
    link, sender, opcode, handle, uuid = kind
    skipped = _BEGINNING.get(opcode, -1)
    if skipped < 0 or (skipped == 3 and handle is None):
        return b"", b"", -1, False
    beginning = bytes((opcode,)) + (handle.to_bytes(2, "little") if skipped == 3 and handle is not None else b"")
    about = "" if handle is None else f"0x{handle:04x}"
    return (
        f"\t{link}\t{sender}\t{opcode_text(opcode)}\t{about}\t{uuid}\t".encode("ascii"),
        f"\t{beginning.hex()}".encode("ascii"),
        skipped,
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


def _times(block: Block) -> list[bytes] | None:
    """A line end, the frame, a tab and the time, a row; None where times have no common width."""
    if block.ticks.dtype != np.int64 or int(block.ticks.min()) < 0:
        return None
    seconds, fraction = np.divmod(block.ticks, block.ticks_per_second)
    width = len(str(int(seconds.max())))
    if len(str(int(seconds.min()))) != width:
        return None
    decimals = len(str(block.ticks_per_second)) - 1
    second_digits = _digits(seconds, width)
    decimal_digits = _digits(fraction, decimals)
    times: list[bytes] = []
    done = 0
    while done < len(block):  # frames ascend: those with the same number of digits are together
        frame_width = len(str(int(block.frame[done])))
        until = int(np.searchsorted(block.frame, 10**frame_width))
        line = np.full((until - done, frame_width + width + 12), ord("0"), np.uint8)
        line[:, 0] = ord("\n")
        at = 1 + frame_width
        line[:, 1:at] = _digits(block.frame[done:until], frame_width)
        line[:, at] = ord("\t")
        line[:, at + 1 : at + 1 + width] = second_digits[done:until]
        at += 1 + width
        line[:, at] = ord(".")
        line[:, at + 1 : at + 1 + decimals] = decimal_digits[done:until]
        times += line.view(f"S{line.shape[1]}").ravel().tolist()
        done = until
    return times


def _digits(numbers: Int64s, width: int) -> npt.NDArray[np.uint8]:
    """Numbers of at most ``width`` digits as ASCII, with leading zeros: (n, width)."""
    quads = -(-width // _DIGITS)
    text = np.empty((len(numbers), quads), np.uint32)
    for quad in range(quads - 1, 0, -1):
        numbers, low = np.divmod(numbers, _PLACES)
        text[:, quad] = _QUADS[low]
    text[:, 0] = _QUADS[numbers]
    return text.view(np.uint8)[:, -width:]
