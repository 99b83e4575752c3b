"""Operations: what began, how it ended, and values whole again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.capture import operations as module
from rig.capture.gatt import GattTracker
from rig.capture.layers.links import LOCAL, REMOTE, UNKNOWN_SIDE, AttPdu
from rig.capture.operations import GattOperation, Pairing, operations
from rig.capture.reading import Reading
from rig.capture.records import CaptureError
from tests.rig.capture.att_talk import HEART_RATE, link, named, pdus

CAPTURES = Path(__file__).parents[2] / "captures"


def told(*lines: str) -> list[GattOperation]:
    """The operations of a conversation with a heart rate sensor whose table is known."""
    tracker = GattTracker()
    named(tracker, link(), *HEART_RATE)
    return list(operations(pdus(link(), lines), tracker))


def only(*lines: str) -> GattOperation:
    [operation] = told(*lines)
    return operation


def test_a_read_is_paired_with_its_response_and_their_times() -> None:
    assert only("> 0a 0800", "< 0b 0048") == GattOperation(
        "read", 1, 1, 1_001_000_000, 2, 1_002_000_000, "central", LOCAL, 8, "2a37", "180d", "2a37", b"\x00\x48"
    )


def test_a_write_tells_what_was_written_and_that_it_was_taken() -> None:
    operation = only("> 12 0900 0100", "< 13")
    assert (operation.kind, operation.value, operation.end_frame, operation.error) == ("write", b"\x01\x00", 2, None)
    assert (operation.uuid, operation.service, operation.characteristic) == ("2902", "180d", "2a37")
    assert operation.answered


def test_an_error_ends_an_operation_with_its_code() -> None:
    operation = only("> 12 0900 0100", "< 01 12 0900 05")
    assert (operation.kind, operation.value, operation.end_frame, operation.error) == ("write", b"\x01\x00", 2, 5)


@pytest.mark.parametrize(
    ("line", "kind", "value"),
    [
        ("< 1b 0800 0048", "notification", b"\x00\x48"),
        ("> 52 0800 aa", "write_command", b"\xaa"),
        ("> d2 0800 aa 000102030405060708090a0b", "signed_write_command", b"\xaa"),
    ],
)
def test_what_needs_no_answer_ends_where_it_begins(line: str, kind: str, value: bytes) -> None:
    operation = only(line)
    assert (operation.kind, operation.value, operation.frame, operation.end_frame) == (kind, value, 1, 1)
    assert operation.uuid == "2a37"
    assert operation.sender == ("central" if line.startswith(">") else "peripheral")


def test_an_indication_ends_with_its_confirmation() -> None:
    _, operation = told("< 1d 0800 0048", "< 1b 0800 01", "> 1e")
    assert (operation.kind, operation.frame, operation.end_frame, operation.value) == ("indication", 1, 3, b"\x00\x48")
    assert operation.sender == "peripheral"


def test_an_indication_without_confirmation_is_told_when_the_next_one_comes_or_at_the_end() -> None:
    first, second = told("< 1d 0800 01", "< 1d 0800 02")
    assert [(o.value, o.end_frame) for o in (first, second)] == [(b"\x01", None), (b"\x02", None)]


def test_requests_without_response_are_told_when_their_client_goes_on_or_at_the_end() -> None:
    first, second = told("> 12 0900 0100", "> 0a 0800")
    assert (first.kind, first.value, first.end_frame, first.complete) == ("write", b"\x01\x00", None, False)
    assert (second.kind, second.value, second.answered) == ("read", None, False)


def test_a_response_without_request_is_told_as_far_as_it_goes() -> None:
    read, write = told("< 0b 0048", "< 13")
    assert (read.kind, read.handle, read.value, read.sender, read.complete) == (
        "read", None, b"\x00\x48", "central", False,
    )  # fmt: skip
    assert (write.kind, write.value, write.handle) == ("write", None, None)
    refused = only("< 01 0a 0800 02")
    assert (refused.kind, refused.handle, refused.uuid, refused.error) == ("read", 8, "2a37", 2)


def test_a_response_to_something_else_leaves_both_alone() -> None:
    write, read = told("> 12 0900 0100", "< 0b 0048")
    assert (write.kind, write.answered) == ("write", False)
    assert (read.kind, read.value, read.handle) == ("read", b"\x00\x48", None)
    write, error = told("> 12 0900 0100", "< 01 0a 0800 02")
    assert (write.answered, error.kind, error.error) == (False, "read", 2)


def test_an_mtu_exchange_tells_what_both_can_receive() -> None:
    assert only("> 02 0502", "< 03 f700").mtu == (517, 247)
    assert only("> 02 0502").mtu == (517, None)
    assert only("> 02 0502", "< 01 02 0000 06").mtu == (517, None)
    assert only("< 03 f700").mtu == (None, 247)


def test_discovery_is_told_with_what_it_found() -> None:
    operation = only("> 10 0100 ffff 0028", "< 11 06 0100 0500 0018")
    assert (operation.kind, operation.handle, operation.value) == (
        "read_by_group_type", None, bytes.fromhex("06010005000018"),
    )  # fmt: skip
    assert only("> 10 0100 ffff 0028", "< 01 10 0100 0a").handle is None


# --- long values ------------------------------------------------------------------------------------------------------

A, B, C = "aa" * 22, "bb" * 22, "cc" * 5


def test_a_value_read_in_blobs_is_one_read_of_it_all() -> None:
    operation = only("> 0a 0300", f"< 0b {A}", "> 0c 0300 1600", f"< 0d {B}", "> 0c 0300 2c00", f"< 0d {C}")
    assert operation.value == bytes.fromhex(A + B + C)
    assert (operation.kind, operation.frame, operation.end_frame, operation.complete) == ("read", 1, 6, True)
    assert operation.uuid == "2a00"


@pytest.mark.parametrize("code", ["07", "0b"])
def test_a_value_that_ends_at_the_brim_is_whole_when_the_server_says_that_there_is_no_more(code: str) -> None:
    mtu = ("> 02 1700", "< 03 1700")
    _, operation = told(*mtu, "> 0a 0300", f"< 0b {A}", "> 0c 0300 1600", f"< 01 0c 0300 {code}")
    assert (operation.value, operation.end_frame, operation.complete, operation.error) == (
        bytes.fromhex(A), 6, True, None,
    )  # fmt: skip


def test_a_value_of_which_another_error_keeps_the_rest_is_not_whole() -> None:
    read, blob = told("> 0a 0300", f"< 0b {A}", "> 0c 0300 1600", "< 01 0c 0300 05")
    assert (read.value, read.complete) == (bytes.fromhex(A), False)
    assert (blob.kind, blob.error) == ("read", 5)


def test_a_read_that_fills_a_known_mtu_and_is_not_gone_on_with_may_lack_the_rest() -> None:
    mtu = ("> 02 1700", "< 03 1700")
    assert told(*mtu, "> 0a 0300", f"< 0b {A}", "> 0a 0500", "< 0b 00")[1].complete is False
    assert told(*mtu, "> 0a 0300", f"< 0b {A[2:]}")[1].complete is True
    assert only("> 0a 0300", f"< 0b {A}").complete is True  # the MTU is not known: nothing speaks against it
    assert told("> 02 6400", "< 03 6400", "> 0a 0300", f"< 0b {A}")[1].complete is True


def test_a_blob_of_another_place_or_another_attribute_is_a_read_of_its_own() -> None:
    first, second = told("> 0a 0300", f"< 0b {A}", "> 0c 0300 0100", "< 0d bb")
    assert (first.value, first.offset) == (bytes.fromhex(A), 0)
    assert (second.value, second.offset, second.complete) == (b"\xbb", 1, True)
    first, second = told("> 0a 0300", f"< 0b {A}", "> 0c 0500 1600", "< 0d bb")
    assert (first.handle, second.handle) == (3, 5)


def test_prepared_writes_are_one_write_when_they_are_executed() -> None:
    lines = (
        "> 16 0800 0000 aabb", "< 17 0800 0000 aabb",
        "> 16 0800 0200 cc", "< 17 0800 0200 cc",
        "> 18 01", "< 19",
    )  # fmt: skip
    operation = only(*lines)
    assert (operation.kind, operation.value, operation.complete) == ("long_write", b"\xaa\xbb\xcc", True)
    assert (operation.frame, operation.end_frame, operation.uuid) == (1, 6, "2a37")


def test_several_attributes_prepared_together_are_a_write_each() -> None:
    lines = ("> 16 0800 0000 aa", "< 17 0800 0000 aa", "> 16 0900 0000 01", "< 17 0900 0000 01", "> 18 01", "< 19")
    assert [(o.handle, o.value) for o in told(*lines)] == [(8, b"\xaa"), (9, b"\x01")]


@pytest.mark.parametrize(
    ("lines", "value", "offset"),
    [
        (("> 16 0800 0000 aa", "< 17 0800 0000 ab"), b"\xaa", 0),
        (("> 16 0800 0000 aa", "< 17 0800 0000 aa", "> 16 0800 0300 bb", "< 17 0800 0300 bb"), b"\xaa\0\0\xbb", 0),
    ],
)
def test_a_long_write_with_a_piece_missing_or_echoed_wrong_is_not_whole(
    lines: tuple[str, ...], value: bytes, offset: int
) -> None:
    operation = only(*lines, "> 18 01", "< 19")
    assert (operation.value, operation.offset, operation.complete) == (value, offset, False)


def test_a_long_write_may_begin_in_the_middle_and_write_a_place_twice() -> None:
    lines = ("> 16 0800 0500 aabb", "< 17 0800 0500 aabb", "> 16 0800 0600 cc", "< 17 0800 0600 cc", "> 18 01", "< 19")
    operation = only(*lines)
    assert (operation.value, operation.offset, operation.complete) == (b"\xaa\xcc", 5, True)


def test_prepared_writes_that_are_cancelled_refused_or_never_executed_say_so() -> None:
    prepared = ("> 16 0800 0000 aa", "< 17 0800 0000 aa")
    assert only(*prepared, "> 18 00", "< 19").kind == "cancelled_write"
    refused = only(*prepared, "> 18 01", "< 01 18 0800 80")
    assert (refused.kind, refused.error, refused.value) == ("long_write", 0x80, b"\xaa")
    never = only(*prepared)
    assert (never.kind, never.value, never.answered, never.complete) == ("long_write", b"\xaa", False, False)
    one = only("> 16 0800 0000 aa", "< 01 16 0800 09")
    assert (one.kind, one.value, one.error) == ("long_write", b"\xaa", 9)
    assert only("> 18 01", "< 19").kind == "long_write"


def test_several_values_in_one_response_or_notification_are_told_one_by_one() -> None:
    reads = told("> 20 0300 0500", "< 21 0200 4142 0300 0102")
    assert [(o.kind, o.uuid, o.value, o.complete) for o in reads] == [
        ("read", "2a00", b"AB", True), ("read", "2a01", b"\x01\x02", False),
    ]  # fmt: skip
    pushed = told("< 23 0800 0100 01 0300 0200 4142")
    assert [(o.kind, o.uuid, o.value) for o in pushed] == [
        ("notification", "2a37", b"\x01"), ("notification", "2a00", b"AB"),
    ]  # fmt: skip
    assert only("> 0e 0300 0500", "< 0f 41424344").value == b"ABCD"


def test_what_the_recorder_cut_is_not_whole() -> None:
    [pdu] = pdus(link(), ["< 1b 0800 00"])
    [operation] = operations([pdu._replace(missing=3)], GattTracker())
    assert operation.complete is False


def test_unknown_opcodes_are_told_too() -> None:
    operation = only("> 48 0100")
    assert (operation.kind, operation.value, operation.handle) == ("unknown", b"\x01\x00", None)


def test_bearers_are_kept_apart() -> None:
    asked = pdus(link(), ["> 0a 0300"]) + pdus(link(), ["> 0a 0500"], frame=2, bearer=0x41)
    answered = pdus(link(), ["< 0b 41"], frame=3) + pdus(link(), ["< 0b 42"], frame=4, bearer=0x41)
    found = list(operations(asked + answered, GattTracker()))
    assert [(o.handle, o.value) for o in found] == [(3, b"A"), (5, b"B")]


def test_where_the_sender_is_unknown_a_response_ends_the_only_request_there_is() -> None:
    assert only("? 0a 0800", "< 0b 01").value == b"\x01"
    assert only("> 0a 0800", "? 0b 01").value == b"\x01"
    assert only("? 1d 0800 01", "? 1e").end_frame == 2
    assert [o.answered for o in told("> 0a 0800", "< 0a 0800", "? 0b 01")] == [True, False, False]


def test_what_is_under_way_is_told_before_the_damage_is() -> None:
    def damaged() -> Iterator[AttPdu]:
        yield from pdus(link(), ["> 0a 0800"])
        raise CaptureError("file", "is cut", 5)

    found: list[GattOperation] = []
    with pytest.raises(CaptureError, match="at byte 5"):
        found.extend(operations(damaged(), GattTracker()))  # extend keeps what came before
    assert [o.kind for o in found] == ["read"]


def test_clients_without_end_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OPEN", 3)
    monkeypatch.setattr(module, "MAX_PREPARED", 2)
    lines = ["> 16 0800 0000 aa", "< 17 0800 0000 aa"] * 4 + ["> 0a 0300", f"< 0b {A}", "> 0a 0800", "< 1d 0800 00"]
    pairing = Pairing(GattTracker())
    told_of = 0
    for number in range(10):
        for pdu in pdus(link(number), lines):
            told_of += len(pairing.feed(pdu, int.from_bytes(pdu.pdu[1:3], "little"), ""))
    assert max(len(held) for held in (pairing._requests, pairing._indications, pairing._readings)) == 3
    assert len(pairing._prepared) == 3
    assert all(len(queue) == 2 for queue in pairing._prepared.values())
    left = pairing.flush()
    assert told_of + len(left) == 10 * 4  # a long write, a long read, a read and an indication each
    assert pairing.flush() == []


OPCODES = st.sampled_from([*range(0x24), 0x52, 0xD2, 0xFF])
PDUS = st.builds(
    lambda opcode, rest: bytes((opcode,)) + rest,
    OPCODES,
    st.sampled_from([b"", b"\x01", b"\x08\x00", b"\x08\x00\x00\x00\xaa", b"\x17\x00", b"\x08\x00" + b"\x01" * 22])
    | st.binary(max_size=30),
)


@given(st.lists(st.tuples(st.sampled_from([LOCAL, REMOTE, UNKNOWN_SIDE]), st.integers(1, 2), PDUS), max_size=40))
def test_no_bytes_make_pairing_raise_and_every_frame_is_told_at_most_as_often_as_it_has_values(
    talk: list[tuple[int, int, bytes]],
) -> None:
    links = {1: link(1), 2: link(2)}
    stream = [AttPdu(frame, frame, links[number], side, data) for frame, (side, number, data) in enumerate(talk)]
    found = list(operations(stream, GattTracker()))
    for operation in found:
        assert operation.end_frame is None or operation.end_frame >= operation.frame
        assert operation.uuid == "" or operation.handle is not None
    requests = [pdu.frame for pdu in stream if pdu.pdu[0] in module._REQUESTS - {0x0C, 0x16, 0x18, 0x20}]
    begun = [operation.frame for operation in found]
    assert all(begun.count(frame) == 1 for frame in requests), "each request is told once, answered or not"


@pytest.mark.parametrize(
    "name",
    sorted(path.name for path in CAPTURES.iterdir() if path.suffix not in {".tsv", ".md"} and path.is_file()),
)
def test_every_pdu_of_a_real_capture_is_part_of_an_operation(name: str) -> None:
    begun_or_ended = set()
    with Reading(CAPTURES / name) as reading:
        stream = list(reading.pdus())
        for operation in operations(stream, reading.tracker):
            begun_or_ended |= {operation.frame, operation.end_frame}
    pieces = {0x0B, 0x0C, 0x0D, 0x16, 0x17, 0x18, 0x1E}  # of long values; and a confirmation after a confirmation
    left = [pdu.pdu.hex() for pdu in stream if pdu.frame not in begun_or_ended and pdu.pdu[0] not in pieces]
    assert left == []
