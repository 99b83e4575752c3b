"""The 55 AA codec: what the maker printed, right and wrong, and any bytes at all."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.frames import (
    PARTIAL_FRAME_S,
    ChecksumOrder,
    Defect,
    Frame,
    FrameDecoder,
    Garbage,
    crc,
    decode,
    encode,
)
from protocols.machine import LocalProtocolError

with (Path(__file__).parent / "data" / "dr05-vectors.tsv").open(encoding="ascii", newline="") as file:
    VECTORS = list(csv.DictReader(file, delimiter="\t"))

ORDERS = {"high": ChecksumOrder.HIGH_FIRST, "low": ChecksumOrder.LOW_FIRST, "neither": None}

frames = st.builds(
    lambda type_, state, func, para, order: (encode(type_, state, func, para, order=order), (type_, state, func, para)),
    st.sampled_from([0x31, 0x32, 0x33, 0x66]),
    st.sampled_from([0x00, 0x01]),
    st.integers(0, 255),
    st.binary(max_size=3),
    st.sampled_from(ChecksumOrder),
)


def test_the_vectors_are_the_64_that_the_maker_printed() -> None:
    orders = [vector["crc_order_as_printed"] for vector in VECTORS]
    assert {order: orders.count(order) for order in ORDERS} == {"high": 35, "low": 24, "neither": 5}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["frame"])
def test_a_printed_frame_decodes_as_its_checksum_deserves(vector: dict[str, str]) -> None:
    data = bytes.fromhex(vector["frame"])
    order = ORDERS[vector["crc_order_as_printed"]]
    assert decode(data).order is order
    assert crc(data[2:-2]) == int(vector["crc_high_byte_first"].replace(" ", ""), 16)
    (found,) = FrameDecoder().feed(data, 0.0)
    if order is None:
        assert found == Garbage(data, Defect.CHECKSUM)
    else:
        assert found == Frame(data[5], data[6], data[7], data[8:-2], 0x00A6, order)
        assert found.raw == data


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["frame"])
def test_encoding_gives_the_frame_that_the_firmware_accepts(vector: dict[str, str]) -> None:
    data = bytes.fromhex(vector["frame"])
    expected = data[:-2] + bytes.fromhex(vector["crc_high_byte_first"])
    if data[6] == 0x02 and data[5] == 0x31 and data[7] in {0x05, 0xAA}:
        with pytest.raises(LocalProtocolError, match="never requested"):
            encode(data[5], data[6], data[7], data[8:-2])
    else:
        assert encode(data[5], data[6], data[7], data[8:-2]) == expected


def test_the_frames_worked_by_hand() -> None:
    assert encode(0x33, 0x02, 0x40).hex(" ").upper() == "55 AA 05 00 A6 33 02 40 59 D2"
    assert encode(0x33, 0x01, 0x40, b"\x02\x01").hex(" ").upper() == "55 AA 07 00 A6 33 01 40 02 01 A7 DD"
    assert encode(0x31, 0x02, 0x06).hex(" ").upper() == "55 AA 05 00 A6 31 02 06 6B F2"
    low_first = encode(0x31, 0x02, 0x06, order=ChecksumOrder.LOW_FIRST)
    assert low_first.hex(" ").upper() == "55 AA 05 00 A6 31 02 06 F2 6B"


def test_a_frame_that_would_overrun_the_devices_buffer_cannot_be_encoded() -> None:
    with pytest.raises(LocalProtocolError, match="at most 3"):
        encode(0x32, 0x02, 0x02, b"\x01\x02\x03\x04")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "offset 0"),
        ("55 AB 05 00 A6 33 02 40 59 D2", "offset 0"),
        ("55 AA 05 00 A6", "offset 5: the frame ends early"),
        ("55 AA 04 00 A6 33 02 40 59 D2", "offset 2: length 4"),
        ("55 AA 09 00 A6 33 02 40 01 02 03 04 59 D2", "offset 2: length 9"),
        ("55 AA 05 00 A6 33 02 40 59 D2 00", "offset 2: length 5 makes a frame of 10 bytes, not 11"),
    ],
)
def test_what_is_not_one_whole_frame_is_refused_with_the_offset(data: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(bytes.fromhex(data))


@given(st.lists(frames, min_size=1, max_size=6), st.data())
def test_frames_split_and_joined_anywhere_come_out_whole_and_in_order(
    sent: list[tuple[bytes, tuple[int, int, int, bytes]]], data: st.DataObject
) -> None:
    stream = b"".join(raw for raw, _ in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    decoder = FrameDecoder()
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += decoder.feed(stream[start:end], 0.0)
    assert [(f.type, f.state, f.func, f.para) for f in found if isinstance(f, Frame)] == [fields for _, fields in sent]
    assert decoder.deadline is None


@given(st.binary(max_size=64), frames, st.binary(max_size=64), st.data())
def test_any_garbage_is_passed_over_and_no_byte_is_lost_or_doubled(
    before: bytes, sent: tuple[bytes, tuple[int, int, int, bytes]], after: bytes, data: st.DataObject
) -> None:
    stream = before + sent[0] + after
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = FrameDecoder()
    now, found = 0.0, []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += decoder.feed(stream[start:end], now)
    while decoder.deadline is not None:
        now = decoder.deadline
        found += decoder.expire(now)
    assert b"".join(f.raw if isinstance(f, Frame) else f.data for f in found) == stream


@given(st.binary(max_size=40), frames)
def test_whatever_came_before_the_next_frame_is_found_once_the_wreck_has_expired(
    before: bytes, sent: tuple[bytes, tuple[int, int, int, bytes]]
) -> None:
    decoder = FrameDecoder()
    decoder.feed(before, 0.0)
    now = 0.0
    while decoder.deadline is not None:
        now = decoder.deadline
        decoder.expire(now)
    (found,) = decoder.feed(sent[0], now + 0.1)
    assert isinstance(found, Frame)
    assert found.raw == sent[0]


def test_a_frame_inside_the_wreck_of_another_is_found() -> None:
    whole = encode(0x31, 0x01, 0x06)
    assert FrameDecoder().feed(b"\x55\xaa\x08\x00" + whole, 0.0) == [
        Garbage(b"\x55\xaa\x08\x00", Defect.CHECKSUM),
        decode(whole),
    ]


def test_a_partial_frame_is_dropped_two_seconds_after_its_first_byte() -> None:
    decoder = FrameDecoder()
    whole = encode(0x31, 0x01, 0x06)
    assert decoder.feed(whole[:4], 10.0) == []
    assert decoder.feed(whole[4:6], 11.5) == []
    assert decoder.deadline == 10.0 + PARTIAL_FRAME_S
    assert decoder.expire(11.99) == []
    assert decoder.expire(12.0) == [Garbage(whole[:6], Defect.TIMEOUT)]
    assert decoder.deadline is None
    assert decoder.feed(whole[6:], 12.1) == [Garbage(whole[6:], Defect.NOISE)]


def test_a_partial_frame_that_nobody_expired_does_not_spoil_what_comes_later() -> None:
    decoder = FrameDecoder()
    whole = encode(0x31, 0x01, 0x06)
    decoder.feed(whole[:9], 0.0)
    assert decoder.feed(whole, 60.0) == [Garbage(whole[:9], Defect.TIMEOUT), decode(whole)]


def test_the_time_of_a_partial_frame_runs_from_its_own_first_byte() -> None:
    decoder = FrameDecoder()
    whole = encode(0x31, 0x01, 0x06)
    decoder.feed(whole[:5], 0.0)
    assert decoder.feed(whole[5:] + whole[:3], 1.0) == [decode(whole)]
    assert decoder.deadline == 1.0 + PARTIAL_FRAME_S


def test_a_great_many_false_headers_is_worked_through_without_copying_it_over_and_over() -> None:
    # Each false header must cost a few bytes of work, not the rest of the buffer: quadratic work would take a minute.
    junk = b"\x55\xaa\x05\x00" * 50_000
    found = FrameDecoder().feed(junk + encode(0x31, 0x01, 0x06), 0.0)
    assert len(found) == 2
