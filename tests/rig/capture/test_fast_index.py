"""The index of a window: the records that a walk from one to the next finds, however misleading their contents are."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from rig.capture.fast.index import Framing, Likely, starts

FRAMING = Framing(header_bytes=8, length_at=4, order="<", beyond=8)
bodies = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.integers(0, 9000).map(bytes),
        st.lists(st.sampled_from((b"AB\0\0", b"AB\0\0\4\0\0\0", b"A", b"\0")), max_size=60).map(b"".join),
    ),
    max_size=60,
)
guesses = st.sampled_from(
    (
        Likely(1, ((0, b"A"), (1, b"B"), (2, b"\0"), (3, b"\0"))),
        Likely(1, ((1, b"B"),)),
        Likely(1, ((0, b"A"), (6, b"\0"))),
        Likely(1, ((7, b"\0"),)),
        Likely(1, ((0, b"A"), (1, b"?"))),
        Likely(4, ((0, b"AB\0\0"),)),
        Likely(4, ((4, b"\4\0\0\0"),)),
    )
)


def walked(data: bytes) -> tuple[list[int], int]:
    at, found = 0, []
    while at + 8 <= len(data) and at + 8 + struct.unpack_from("<I", data, at + 4)[0] <= len(data):
        found.append(at)
        at += 8 + struct.unpack_from("<I", data, at + 4)[0]
    return found, at


def chained(parts: list[bytes]) -> bytes:
    return b"".join(b"AB\0\0" + struct.pack("<I", len(body)) + body for body in parts)


@given(parts=bodies, guess=guesses, cut=st.integers(0, 200))
def test_the_index_is_what_a_walk_finds_whatever_is_guessed(parts: list[bytes], guess: Likely, cut: int) -> None:
    data = chained(parts)
    data = data[: len(data) - min(cut, len(data))]
    offsets, after = starts(data, FRAMING, guess)
    assert (offsets.tolist(), after) == walked(data)


@given(parts=bodies, at=st.floats(0, 1), length=st.sampled_from((0, 1, 7, 1 << 20, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)))
def test_a_false_length_leads_nowhere_else_than_a_walk_would_be_led(parts: list[bytes], at: float, length: int) -> None:
    data = bytearray(chained([*parts, b"last"]))
    true, _ = walked(bytes(data))
    place = true[int(at * (len(true) - 1))]
    data[place + 4 : place + 8] = struct.pack("<I", length)
    offsets, after = starts(bytes(data), FRAMING, Likely(1, ((0, b"A"), (1, b"B"))))
    assert (offsets.tolist(), after) == walked(bytes(data))


@given(part=st.binary(min_size=1, max_size=300), times=st.integers(1, 300), unit=st.sampled_from((1, 4)))
def test_blocks_without_a_length_do_not_hang_the_index(part: bytes, times: int, unit: int) -> None:
    """The lengths of pcapng count everything, so that a zero would lead back to the same block for ever."""
    data = part * times
    offsets, after = starts(data, Framing(12, 4, "<", 0), Likely(unit, ((4, bytes(unit)),)))
    at, found = 0, []
    while at + 12 <= len(data) and (then := at + max(12, struct.unpack_from("<I", data, at + 4)[0])) <= len(data):
        found.append(at)
        at = then
    assert (offsets.tolist(), after) == (found, at)


def test_records_that_are_unlike_the_others_are_walked_and_what_only_looks_like_one_is_passed_over() -> None:
    parts = [bytes(number % 50) for number in range(600)]
    for number in (40, 41, 300, 599):
        parts[number] = b"AB\0\0" + struct.pack("<I", 0x7FFF_FFFF) + b"AB\0\0" + bytes(4)
    data = bytearray(chained(parts))
    true, _ = walked(bytes(data))
    for number in (100, 101, 102, 450, 598):
        data[true[number] : true[number] + 2] = b"??"
    offsets, after = starts(bytes(data), FRAMING, Likely(1, ((0, b"A"), (1, b"B"))))
    assert (offsets.tolist(), after) == (true, len(data))
