"""Lines by the thousand: the same text as one by one, however short the lines are and however their lengths vary."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.capture import att
from rig.capture.fast.engine import Block, Kind
from rig.capture.fast.lines import Lines
from rig.capture.rows import AttRow, value_of
from rig.capture.text import tsv_line

OPCODES = (
    att.READ_REQUEST,
    att.READ_RESPONSE,
    att.WRITE_RESPONSE,
    att.WRITE_COMMAND,
    att.HANDLE_VALUE_NOTIFICATION,
    att.HANDLE_VALUE_CONFIRMATION,
    att.FIND_INFORMATION_REQUEST,
    0xFE,
)
KINDS = [Kind(1, "central", opcode, None, "") for opcode in OPCODES] + [
    Kind(70_000, "peripheral", opcode, 0xFFFF, "0badc0de-0bad-c0de-0bad-c0de0bad0001") for opcode in OPCODES
]
PLAIN_OCTETS = {att.READ_REQUEST: 3, att.WRITE_RESPONSE: 1, att.HANDLE_VALUE_CONFIRMATION: 1}
LENGTHS = st.one_of(st.integers(1, 9), st.sampled_from((15, 16, 17, 31, 32, 33, 100, 255, 513, 5000)))


def block_of(
    rows: list[tuple[int, bytes]], *, first_frame: int = 1, ticks: int = 0, data_between: bytes = b""
) -> Block:
    """Rows of these kinds and PDUs, the PDUs one behind the other in the block's data."""
    lengths = np.array([len(pdu) for _, pdu in rows], np.int64)
    between = len(data_between)
    return Block(
        data=b"".join([pdu + data_between for _, pdu in rows]),
        kinds=KINDS,
        kind=np.array([kind for kind, _ in rows], np.int64),
        frame=np.arange(first_frame, first_frame + len(rows)),
        ticks=ticks + np.arange(len(rows)),
        ticks_per_second=1_000_000,
        start=np.cumsum(lengths + between) - lengths - between,
        length=lengths,
    )


def one_by_one(block: Block) -> str:
    lines = []
    for row in range(len(block)):
        start = int(block.start[row])
        pdu = block.data[start : start + int(block.length[row])]
        kind = block.kinds[int(block.kind[row])]
        time_ns = int(block.ticks[row]) * 1000
        lines.append(tsv_line(AttRow(int(block.frame[row]), time_ns, *kind, value_of(pdu), pdu)))
    return "".join(lines)


def pdu_of(kind: int, length: int, rng: random.Random) -> bytes:
    return bytes((KINDS[kind].opcode,)) + rng.randbytes(length - 1)


@given(
    rows=st.lists(st.tuples(st.integers(0, len(KINDS) - 1), LENGTHS), min_size=1, max_size=80),
    first_frame=st.sampled_from((1, 95, 999_990)),
    ticks=st.sampled_from((0, 9_999_980, 1_760_000_000_000_000)),
    seed=st.integers(0, 1 << 32),
)
def test_lines_are_those_that_are_written_one_by_one(
    rows: list[tuple[int, int]], first_frame: int, ticks: int, seed: int
) -> None:
    rng = random.Random(seed)
    block = block_of([(kind, pdu_of(kind, length, rng)) for kind, length in rows], first_frame=first_frame, ticks=ticks)
    assert bytes(Lines().text(block)).decode("ascii") == one_by_one(block)


@pytest.mark.parametrize("length", range(1, 50))
def test_a_line_leaves_the_shortest_ones_around_it_as_they_are(length: int) -> None:
    """What is copied of a PDU's digits reaches into the next line, which must not show it."""
    rng = random.Random(length)
    notification, shortest = OPCODES.index(att.HANDLE_VALUE_NOTIFICATION), OPCODES.index(att.READ_RESPONSE)
    rows = [(shortest, b"\x0b"), (notification, pdu_of(notification, max(length, 3), rng)), (shortest, b"\x0b")] * 3
    block = block_of(rows)
    assert bytes(Lines().text(block)).decode("ascii") == one_by_one(block)


def test_a_pdu_that_is_not_of_the_length_of_its_kind_is_written_by_itself() -> None:
    rng = random.Random(1)
    rows = [
        (kind, pdu_of(kind, length, rng))
        for length in (1, 2, 3, 4, 40)
        for kind, opcode in enumerate(OPCODES)
        if length != PLAIN_OCTETS.get(opcode)
    ]
    block = block_of(rows)
    assert bytes(Lines().text(block)).decode("ascii") == one_by_one(block)


def test_bytes_behind_a_pdu_are_in_no_line() -> None:
    notification = OPCODES.index(att.HANDLE_VALUE_NOTIFICATION)
    block = block_of([(notification, b"\x1b\x03\x00\x01")] * 300, data_between=b"\xee" * 20)
    text = bytes(Lines().text(block)).decode("ascii")
    assert "ee" not in text.replace("peripheral", "")
    assert text == one_by_one(block)


def test_times_that_are_far_apart_are_written_as_well() -> None:
    notification = OPCODES.index(att.HANDLE_VALUE_NOTIFICATION)
    block = block_of([(notification, b"\x1b\x03\x00\x01")] * 100)
    block.ticks = 10**18 + np.arange(100) * 70_000_000_000_000_123
    assert bytes(Lines().text(block)).decode("ascii") == one_by_one(block)


def test_a_block_without_rows_is_no_text() -> None:
    assert bytes(Lines().text(block_of([]))) == b""
