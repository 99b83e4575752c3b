"""Pieces of bytes: each arrives where it belongs, whatever their lengths and order, and nothing else is touched."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.capture.fast.pieces import anywhere, copy_pieces, joined_pieces

LENGTHS = st.one_of(st.integers(0, 9), st.sampled_from((15, 16, 17, 63, 64, 65, 512)), st.integers(0, 3000))


@given(lengths=st.lists(LENGTHS, max_size=60), seed=st.integers(0, 1 << 32))
def test_pieces_are_joined_in_the_order_asked_for(lengths: list[int], seed: int) -> None:
    rng = random.Random(seed)
    data = rng.randbytes(4000)
    starts = [rng.randint(0, len(data) - length) for length in lengths]
    joined = joined_pieces(data, np.array(starts, np.int64), np.array(lengths, np.int64))
    assert joined == b"".join(data[start : start + length] for start, length in zip(starts, lengths, strict=True))


@given(lengths=st.lists(LENGTHS, max_size=40), gap=st.integers(1, 3), seed=st.integers(0, 1 << 32))
def test_what_is_between_the_places_stays_as_it_was(lengths: list[int], gap: int, seed: int) -> None:
    rng = random.Random(seed)
    data = rng.randbytes(3000).replace(b"\xee", b"\xdd")
    starts = [rng.randint(0, len(data) - length) for length in lengths]
    order = rng.sample(range(len(lengths)), len(lengths))
    places, expected = [0] * len(lengths), b""
    for piece in order:
        expected += b"\xee" * gap
        places[piece] = len(expected)
        expected += data[starts[piece] : starts[piece] + lengths[piece]]
    expected += b"\xee" * gap
    target = np.full(len(expected), 0xEE, np.uint8)
    columns = [np.array(column, np.int64) for column in (starts, lengths, places)]
    copy_pieces(data, columns[0], columns[1], target, columns[2])
    assert target.tobytes() == expected


@pytest.mark.parametrize("lengths", [(27,), (0, 27, 300), (1, 2, 3, 16, 1023), (27, 1024)])
def test_many_pieces_of_a_length_arrive_among_others(lengths: tuple[int, ...]) -> None:
    rng = random.Random(3)
    data = rng.randbytes(5000)
    chosen = [rng.choice(lengths) for _ in range(1500)] + list(range(60))
    rng.shuffle(chosen)
    starts = [rng.randint(0, len(data) - length) for length in chosen]
    joined = joined_pieces(data, np.array(starts, np.int64), np.array(chosen, np.int64))
    assert joined == b"".join(data[start : start + length] for start, length in zip(starts, chosen, strict=True))


def test_a_piece_may_be_longer_than_any_attribute_value() -> None:
    data = random.Random(1).randbytes(70_000)
    starts, lengths = np.array([3, 0, 69_999]), np.array([65_535, 1, 1])
    assert joined_pieces(data, starts, lengths) == data[3:65_538] + data[:1] + data[-1:]


def test_nothing_is_there_of_data_that_are_too_short() -> None:
    assert len(anywhere(b"abc", 4)) == 0
    assert anywhere(b"abc", 2).tolist() == [b"ab", b"bc"]


def test_a_piece_that_ends_beyond_the_data_is_an_error_and_no_strangers_memory() -> None:
    with pytest.raises(IndexError):
        joined_pieces(b"abcdef", np.array([0, 4]), np.array([2, 3]))
