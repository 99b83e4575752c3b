"""The words of a replay say which exchange is meant and how what came differs from it."""

from __future__ import annotations

import pytest

from protocols.gatt import uuid
from rig.replay import conversation
from rig.replay.conversation import Conversation, in_words, line_text, nearest, value_difference
from rig.replay.exchanges import By, Does, Exchange, Place

SERIAL = Place(uuid("ffe0"), uuid("ffe1"))
OTHER = Place(uuid("ffe0"), uuid("ffe2"))
MS = 1_000_000


def said(
    value: str, *, at_ms: int = 0, by: By = "app", does: Does = "write_command", to: Place | None = SERIAL
) -> Exchange:
    return Exchange(at_ms * MS, by, does, to, bytes.fromhex(value))


def test_an_exchange_is_told_by_who_did_what_to_which_attribute() -> None:
    assert in_words(said("55aa06")) == "app writes without response ffe0/ffe1: 55 aa 06"
    assert in_words(said("01", by="device", does="notification")) == "device notifies ffe0/ffe1: 01"
    assert in_words(Exchange(0, "app", "connect")) == "app connects"
    assert in_words(Exchange(0, "app", "subscribe", SERIAL)) == "app subscribes to ffe0/ffe1"


def test_a_refused_request_tells_the_error_by_its_name() -> None:
    refused = Exchange(0, "app", "read", SERIAL, error=0x05)
    assert in_words(refused) == "app reads ffe0/ffe1 (refused: insufficient_authentication)"
    assert in_words(Exchange(0, "app", "read", SERIAL, error=0x80)).endswith("(refused: 0x80)")


def test_a_long_value_is_cut_and_its_length_told() -> None:
    text = conversation.value_text(bytes(100))
    assert text.endswith(" … (100 bytes)")
    assert text.split(" …")[0] == bytes(conversation.MAX_SHOWN_OCTETS).hex(" ")
    assert conversation.value_text(b"") == "no bytes"


@pytest.mark.parametrize(
    ("recorded", "came", "words"),
    [
        ("55aa06", "55aa06", ""),
        ("55aa06", "55aa03", "byte 2 is 03, recorded 06"),
        ("0000", "0102", "byte 0 is 01, recorded 00, byte 1 is 02, recorded 00"),
        ("0000000000", "0101010101", "5 of 5 bytes differ, the first is byte 0"),
        ("55aa06", "55aa", "the last 1 byte is missing (2 bytes, recorded 3)"),
        ("55aa", "55aa0607", "the last 2 bytes are too many (4 bytes, recorded 2)"),
        ("55aa06", "06", "the first 2 bytes are missing (1 byte, recorded 3)"),
        ("55aa06", "55bb", "1 byte missing (2 bytes, recorded 3), the first that differs is byte 1"),
        ("", "00", "the last 1 byte is too many (1 byte, recorded 0)"),
    ],
)
def test_how_two_values_differ_is_told_to_the_byte(recorded: str, came: str, words: str) -> None:
    assert value_difference(bytes.fromhex(recorded), bytes.fromhex(came)) == words


def test_the_nearest_is_the_one_on_the_same_attribute_with_fewest_other_bytes() -> None:
    recorded = [said("01020304"), said("01020399", at_ms=5), said("01020305", to=OTHER, at_ms=9)]
    near = nearest(said("01020305"), enumerate(recorded))
    assert near is not None
    assert near.index == 0
    assert near.how == "byte 3 is 05, recorded 04"
    assert near.text == (
        "the nearest recorded is exchange 0, app writes without response ffe0/ffe1: 01 02 03 04, at 0.000 s: "
        "byte 3 is 05, recorded 04"
    )


def test_the_nearest_may_be_on_another_attribute_when_nothing_else_is_like_it() -> None:
    recorded = [Exchange(0, "app", "read", SERIAL, b"\x01"), said("0506", to=OTHER)]
    near = nearest(said("0506"), enumerate(recorded))
    assert near is not None
    assert near.index == 1
    assert near.how == "at ffe0/ffe1, recorded at ffe0/ffe2"


def test_the_nearest_write_beats_a_read_and_tells_with_or_without_response() -> None:
    recorded = [Exchange(0, "app", "read", SERIAL, b"\x05"), said("05", does="write")]
    near = nearest(said("05"), enumerate(recorded))
    assert near is not None
    assert near.index == 1
    assert near.how == "it writes without response, recorded writes"


def test_of_two_as_near_the_one_closer_to_what_was_due_is_taken() -> None:
    recorded = [said("01"), said("02"), said("01"), said("03"), said("01")]
    by_due = {due: nearest(said("01"), enumerate(recorded), expected=due) for due in (0, 3, 4)}
    assert {due: near and near.index for due, near in by_due.items()} == {0: 0, 3: 2, 4: 4}


def test_what_the_app_does_is_never_near_to_what_the_device_does() -> None:
    device = said("01", by="device", does="notification")
    assert nearest(said("01"), [(0, device)]) is None
    assert nearest(said("01"), []) is None


def test_a_value_cut_in_its_middle_is_nearer_than_another_one() -> None:
    whole = said("000102030405060708")
    assert conversation.distance(whole, said("000102060708")) < conversation.distance(whole, said("ffffffffffff"))
    assert conversation.distance(whole, said("000102060708")) == pytest.approx(2 * 3 / 9)  # three of nine are gone
    assert conversation.distance(whole, whole) == 0.0


def test_every_kind_of_difference_is_one_sentence_that_names_it() -> None:
    recorded, came = said("55aa06", at_ms=1234), said("55aa03", at_ms=1240)
    sentences = [
        conversation.unrecorded(came, came.at_ns, nearest(came, [(7, recorded)])),
        conversation.unrecorded(came, came.at_ns, None),
        conversation.missing(7, recorded, came.at_ns, said="total stop"),
        conversation.left_over(7, recorded, came.at_ns),
        conversation.different(7, recorded, came, came.at_ns),
        conversation.late(7, recorded, 60 * MS, came.at_ns, took=(83 * MS, 23 * MS)),
        conversation.swapped(7, recorded, 8, came, came.at_ns),
    ]
    assert [(one.kind, one.index, one.text) for one in sentences] == [
        (
            "extra",
            7,
            (
                "extra: app writes without response ffe0/ffe1: 55 aa 03; the nearest recorded is exchange 7, "
                "app writes without response ffe0/ffe1: 55 aa 06, at 1.234 s: byte 2 is 03, "
                "recorded 06 (1.240 s into the replay)"
            ),
        ),
        (
            "extra",
            None,
            (
                "extra: app writes without response ffe0/ffe1: 55 aa 03; nothing like it is recorded "
                "(1.240 s into the replay)"
            ),
        ),
        (
            "missing",
            7,
            "missing: exchange 7, app writes without response ffe0/ffe1: 55 aa 06 (total stop), recorded at 1.234 s",
        ),
        (
            "left over",
            7,
            "left over at the end: exchange 7, app writes without response ffe0/ffe1: 55 aa 06, recorded at 1.234 s",
        ),
        (
            "different",
            7,
            (
                "different from exchange 7, app writes without response ffe0/ffe1: 55 aa 06, recorded at 1.234 s: "
                "byte 2 is 03, recorded 06"
            ),
        ),
        (
            "late",
            7,
            (
                "late by 60.0 ms: exchange 7, app writes without response ffe0/ffe1: 55 aa 06, recorded at 1.234 s; "
                "it took 83.0 ms, recorded 23.0 ms"
            ),
        ),
        (
            "different",
            7,
            (
                "swapped: exchange 8, app writes without response ffe0/ffe1: 55 aa 03, came before exchange 7, "
                "app writes without response ffe0/ffe1: 55 aa 06; recorded the other way round"
            ),
        ),
    ]


def test_the_conversation_reads_as_a_diff() -> None:
    talk = Conversation(says={1: "total stop"})
    talk.happened(0, said("01"), 0)
    talk.different(1, said("55aa06"), said("55aa03"), 150 * MS)
    talk.unrecorded(said("99"), 151 * MS, said="not understood")
    talk.missing(2, said("02"), 152 * MS)
    assert [line_text(line) for line in talk.lines] == [
        "       0.000  app writes without response ffe0/ffe1: 01",
        "-      0.150  app writes without response ffe0/ffe1: 55 aa 06  # total stop",
        "+      0.150  app writes without response ffe0/ffe1: 55 aa 03",
        "!      0.150  byte 2 is 03, recorded 06",
        "+      0.151  app writes without response ffe0/ffe1: 99  # not understood",
        "-      0.152  app writes without response ffe0/ffe1: 02",
    ]
