"""Handles get their meaning from discovery, on either side of any link, whatever the PDUs look like."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.capture import gatt
from rig.capture.gatt import Attribute, AttributeTable, GattTracker, uuid_text
from rig.capture.layers.links import LOCAL, REMOTE, UNKNOWN_SIDE, Address, AttPdu
from tests.rig.capture.att_talk import HEART_RATE, PEER, link, named, pdus

LONG = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
LONG_ON_AIR = "9ecadc240ee5a9e093f3a3b50100406e"
OTHER = Address("C0:00:00:00:00:02", is_random=True)


def discovered(*more: str) -> GattTracker:
    tracker = GattTracker()
    named(tracker, link(), *HEART_RATE, *more)
    return tracker


# --- what discovery tells ---------------------------------------------------------------------------------------------


def test_a_whole_discovery_names_services_declarations_values_and_descriptors() -> None:
    table = discovered().table(link(), REMOTE)
    assert table is not None
    assert list(table.attributes.values()) == [
        Attribute(1, "service", "1800", "1800", "", 0, 5),
        Attribute(2, "characteristic", "2803", "1800", "2a00", 0x02, 3),
        Attribute(3, "value", "2a00", "1800", "2a00", 0x02),
        Attribute(4, "characteristic", "2803", "1800", "2a01", 0x02, 5),
        Attribute(5, "value", "2a01", "1800", "2a01", 0x02),
        Attribute(6, "service", "180d", "180d", "", 0, 9),
        Attribute(7, "characteristic", "2803", "180d", "2a37", 0x10, 8),
        Attribute(8, "value", "2a37", "180d", "2a37", 0x10),
        Attribute(9, "descriptor", "2902", "180d", "2a37"),
    ]
    assert table.complete
    assert table.name(8) == "2a37"
    assert table.name(0x77) == ""


@pytest.mark.parametrize("left_out", range(0, len(HEART_RATE), 2))
def test_discovery_without_one_of_its_exchanges_is_not_complete(left_out: int) -> None:
    # The search for more declarations at 0x0008 alone tells nothing that Find Information does not tell too.
    tracker = GattTracker()
    named(tracker, link(), *HEART_RATE[:left_out], *HEART_RATE[left_out + 2 :])
    table = tracker.table(link(), REMOTE)
    assert table is not None
    assert table.complete is (left_out == 8)


def test_every_kind_of_pdu_is_about_the_attribute_that_the_specification_says() -> None:
    tracker = discovered()
    conversation = {
        "> 0a 0800": (8, "2a37"),
        "< 0b 00ff": (8, "2a37"),
        "> 0c 0800 0200": (8, "2a37"),
        "< 0d 00ff": (8, "2a37"),
        "> 12 0900 0100": (9, "2902"),
        "< 13": (9, "2902"),
        "> 12 0900 0200": (9, "2902"),
        "< 01 12 0900 03": (9, "2902"),
        "> 52 0800 aa": (8, "2a37"),
        "> d2 0800 aa 000000000000000000000000": (8, "2a37"),
        "> 16 0800 0000 aabb": (8, "2a37"),
        "< 17 0800 0000 aabb": (8, "2a37"),
        "> 18 01": (None, ""),
        "< 19": (None, ""),
        "< 1b 0800 0048": (8, "2a37"),
        "< 1d 0800 0048": (8, "2a37"),
        "> 1e": (8, "2a37"),
        "> 02 1700": (None, ""),
        "< 03 1700": (None, ""),
        "> 0e 0300 0500": (None, ""),
        "< 0f 4142": (None, ""),
        "< 23 0800 0100 01": (None, ""),
        "> 0a 0100": (1, "1800"),
        "< 0b 0018": (1, "1800"),
        "> 0a 0700": (7, "2803"),
        "< 0b 1008 0037 2a": (7, "2803"),
        "> 7f 0800": (None, ""),
    }
    assert dict(zip(conversation, named(tracker, link(), *conversation), strict=True)) == conversation


def test_uuids_of_128_bits_are_dashed_and_those_of_16_written_out_are_not() -> None:
    lines = (
        "> 10 0100 ffff 0028", f"< 11 14 0100 0500 {LONG_ON_AIR}",
        "> 08 0100 0500 0328", f"< 09 15 0200 08 0300 {LONG_ON_AIR}",
        "> 04 0400 0500", "< 05 02 0400 fb349b5f8000008000100000 0229 0000",
        "> 12 0300 01", "> 12 0400 01",
    )  # fmt: skip
    assert [uuid for _, uuid in named(GattTracker(), link(), *lines)][-2:] == [LONG, "2902"]


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("0d18", "180d"),
        ("0d180000", "180d"),
        ("78563412", "12345678-0000-1000-8000-00805f9b34fb"),
        ("fb349b5f80000080001000000d180000", "180d"),
        ("fb349b5f800000800010000078563412", "12345678-0000-1000-8000-00805f9b34fb"),
        (LONG_ON_AIR, LONG),
        ("0d", ""),
        ("", ""),
    ],
)
def test_a_uuid_has_one_spelling(octets: str, text: str) -> None:
    assert uuid_text(bytes.fromhex(octets)) == text


def test_services_found_by_their_uuid_and_attributes_read_by_their_type_are_learned() -> None:
    lines = (
        "> 06 0100 ffff 0028 0d18", "< 07 0600 0900",
        "> 08 0100 ffff 002a", "< 09 05 0300 414243",
        "> 0a 0600", "> 0a 0300",
    )  # fmt: skip
    assert [uuid for _, uuid in named(GattTracker(), link(), *lines)][-2:] == ["180d", "2a00"]


def test_an_include_tells_of_a_service_and_one_with_a_long_uuid_is_known_once_it_was_read() -> None:
    tracker = GattTracker()
    lines = (
        "> 10 0100 ffff 0028", "< 11 06 0100 0600 0018",
        "> 08 0100 0600 0228", "< 09 08 0200 1000 1200 0a18",
        "> 08 0300 0600 0228", "< 09 06 0300 2000 2200",
        "> 0a 2000", f"< 0b {LONG_ON_AIR}",
    )  # fmt: skip
    named(tracker, link(), *lines[:-2])
    assert tracker.learns_from_reads
    assert named(tracker, link(), *lines[-2:]) == [(0x20, "2801"), (0x20, LONG)]
    assert not tracker.learns_from_reads
    table = tracker.table(link(), REMOTE)
    assert table is not None
    assert table.attributes[2] == Attribute(2, "include", "2802", "1800", "", 0, 0x10)
    assert table.attributes[0x10] == Attribute(0x10, "service", "180a", "180a", "", 0, 0x12, secondary=True)
    assert table.attributes[0x20] == Attribute(0x20, "service", LONG, LONG, "", 0, 0x22, secondary=True)


def test_declarations_found_as_plain_attributes_are_learned_when_they_are_read() -> None:
    tracker = GattTracker()
    lines = ("> 04 0100 ffff", "< 05 01 0100 0028 0200 0328 0300 f1ff 0400 0229 0500 0228")
    assert named(tracker, link(), *lines, "> 0a 0100", "> 0a 0200", "> 0a 0300", "> 0a 0500")[2:] == [
        (1, "2800"), (2, "2803"), (3, "fff1"), (5, "2802"),
    ]  # fmt: skip
    reads = ("> 0a 0100", "< 0b f0ff", "> 0a 0200", "< 0b 12 0300 f1ff", "> 0a 0500", "< 0b 1000 1100 0a18")
    named(tracker, link(), *reads)
    table = tracker.table(link(), REMOTE)
    assert table is not None
    assert table.attributes[1] == Attribute(1, "service", "fff0", "fff0")
    assert table.attributes[3] == Attribute(3, "value", "fff1", "fff0", "fff1", 0x12)
    assert table.attributes[4].characteristic == "fff1"
    assert table.name(0x10) == "180a"


def test_find_information_over_a_known_value_takes_nothing_away() -> None:
    tracker = discovered("> 04 0600 0900", "< 05 01 0600 0028 0700 0328 0800 372a 0900 0229")
    table = tracker.table(link(), REMOTE)
    assert table is not None
    assert table.attributes[8] == Attribute(8, "value", "2a37", "180d", "2a37", 0x10)
    assert table.name(6) == "180d"


def test_find_information_over_a_value_that_is_of_another_type_by_now_is_believed() -> None:
    assert named(discovered("> 04 0800 0800", "< 05 01 0800 0129"), link(), "> 0a 0800") == [(8, "2901")]


def test_a_descriptor_belongs_to_the_characteristic_before_it_in_its_own_service() -> None:
    tracker = discovered("> 04 0a00 0b00", "< 05 01 0b00 0229")
    table = tracker.table(link(), REMOTE)
    assert table is not None
    assert table.attributes[11] == Attribute(11, "descriptor", "2902", "", "2a37")
    named(tracker, link(), "> 10 0a00 ffff 0028", "< 11 06 0a00 0f00 0f18")
    assert table.attributes[11] == Attribute(11, "descriptor", "2902", "180f")


def test_a_value_that_does_not_follow_its_declaration_stays_one_when_its_type_is_found() -> None:
    tracker = discovered("> 08 0700 0900 0328", "< 09 07 0700 10 0900 372a", "> 04 0900 0900", "< 05 01 0900 372a")
    table = tracker.table(link(), REMOTE)
    assert table is not None
    assert table.attributes[9] == Attribute(9, "value", "2a37", "180d", "2a37", 0x10)


def test_a_service_that_contradicts_what_was_known_means_new_firmware_and_the_old_table_is_forgotten() -> None:
    tracker = discovered("> 10 0100 ffff 0028", "< 11 06 0100 0400 f0ff")
    assert named(tracker, link(), "> 0a 0800", "> 0a 0100") == [(8, ""), (1, "fff0")]


def test_the_same_discovery_again_changes_nothing() -> None:
    once, twice = discovered().table(link(), REMOTE), discovered(*HEART_RATE).table(link(), REMOTE)
    assert once is not None
    assert twice is not None
    assert once.attributes == twice.attributes
    assert twice.complete


# --- whose table it is ------------------------------------------------------------------------------------------------


def test_either_side_may_be_the_server_and_both_have_a_table() -> None:
    tracker = GattTracker()
    on = link()
    named(tracker, on, *HEART_RATE)
    mirrored = [("<" if line[0] == ">" else ">") + line[1:] for line in HEART_RATE[:2]]
    named(tracker, on, mirrored[0], "> 11 06 0100 0900 f0ff")
    assert named(tracker, on, "> 0a 0100", "< 0a 0100", "> 0b f0ff", "< 0b 0018") == [
        (1, "1800"), (1, "fff0"), (1, "fff0"), (1, "1800"),
    ]  # fmt: skip


def test_both_sides_may_have_a_request_under_way_and_each_response_goes_to_its_own() -> None:
    tracker = discovered()
    assert named(tracker, link(), "> 0a 0800", "< 0a 0300", "< 0b 0048", "> 0b 4142") == [
        (8, "2a37"), (3, ""), (8, "2a37"), (3, ""),
    ]  # fmt: skip


def test_two_links_have_a_table_each() -> None:
    tracker = discovered()
    other = link(2, OTHER)
    named(tracker, other, "> 10 0100 ffff 0028", "< 11 06 0800 0900 f0ff")
    assert named(tracker, other, "< 1b 0800 00") == [(8, "fff0")]
    assert named(tracker, link(), "< 1b 0800 00") == [(8, "2a37")]


def test_a_device_that_comes_back_is_known_by_its_address() -> None:
    tracker = discovered()
    assert named(tracker, link(5), "< 1b 0800 00") == [(8, "2a37")]
    assert named(tracker, link(6, OTHER), "< 1b 0800 00") == [(8, "")]
    assert named(tracker, link(7, None), "< 1b 0800 00") == [(8, "")]
    public = Address(PEER.text, is_random=False)
    assert named(tracker, link(8, public), "< 1b 0800 00") == [(8, "")]


def test_the_local_server_is_the_same_on_every_link_of_its_controller() -> None:
    tracker = GattTracker()
    named(tracker, link(), "< 10 0100 ffff 0028", "> 11 06 0100 0900 f0ff")
    assert named(tracker, link(2, OTHER), "> 1b 0100 00") == [(1, "fff0")]
    assert named(tracker, link(3, OTHER, controller=1), "> 1b 0100 00") == [(1, "")]
    assert [table.is_local for table in tracker.tables()] == [True]


def test_on_the_air_the_central_is_no_local_host() -> None:
    tracker = GattTracker()
    named(tracker, link(1, on_air=True), "< 10 0100 ffff 0028", "> 11 06 0100 0900 f0ff")
    assert named(tracker, link(2, OTHER, on_air=True), "> 1b 0100 00") == [(1, "")]


def test_where_a_sniffer_cannot_tell_the_sender_the_opcode_tells_client_from_server() -> None:
    tracker = discovered()
    unknown = ("? 1b 0800 00", "? 0a 0800", "? 0b 00", "? 12 0900 0100", "< 13", "> 0a 0800", "? 0b 00", "? 1e")
    assert named(tracker, link(), *unknown) == [
        (8, "2a37"), (8, "2a37"), (8, "2a37"), (9, "2902"), (9, "2902"), (8, "2a37"), (8, "2a37"), (None, ""),
    ]  # fmt: skip


def test_where_both_sides_wait_a_response_of_nobody_knows_whom_is_given_to_neither() -> None:
    tracker = discovered()
    assert named(tracker, link(), "> 0a 0800", "< 0a 0300", "? 0b 00", "< 0b 00", "> 0b 00")[2:] == [
        (None, ""), (8, "2a37"), (3, ""),
    ]  # fmt: skip


def test_what_senders_unknown_discover_names_handles_of_either_side() -> None:
    tracker = GattTracker()
    on = link(on_air=True)
    named(tracker, on, *[f"?{line[1:]}" for line in HEART_RATE])
    assert named(tracker, on, "< 1b 0800 00", "? 1b 0800 00", "> 12 0900 00") == [(8, "2a37"), (8, "2a37"), (9, "2902")]
    table = tracker.table(on, REMOTE)
    assert table is not None
    assert table.complete
    assert tracker.table(on, UNKNOWN_SIDE) is table


def test_what_was_learned_before_an_address_was_known_is_kept_for_it() -> None:
    tracker = GattTracker()
    on = link(1, None)
    named(tracker, on, *HEART_RATE[:4])
    on.addresses[REMOTE] = PEER
    named(tracker, on, *HEART_RATE[4:])
    assert named(tracker, link(2), "< 1b 0800 00", "> 0a 0100") == [(8, "2a37"), (1, "1800")]
    assert [table.address for table in tracker.tables()] == [PEER]


def test_links_without_end_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatt, "MAX_LINKS", 4)
    tracker = discovered()
    for number in range(2, 50):
        peer = Address(f"C0:00:00:00:00:{number:02X}")
        assert named(tracker, link(number, peer), "> 0a 0800", "< 1d 0800 00") == [(8, ""), (8, "")]
    assert max(len(held) for held in (tracker._names, tracker.pending, tracker.indications)) <= 4
    assert named(tracker, link(50), "< 1b 0800 00") == [(8, "2a37")]
    assert len(tracker._tables) == 1, "a server of which nothing is known has no table"


def test_where_two_servers_differ_and_the_sender_is_unknown_nothing_is_claimed() -> None:
    tracker = discovered("< 10 0100 ffff 0028", "> 11 06 0800 0900 f0ff")
    assert named(tracker, link(), "? 1b 0800 00", "? 1b 0300 00") == [(8, ""), (3, "2a00")]


def test_a_link_nothing_is_known_of_has_no_table() -> None:
    tracker = discovered()
    assert tracker.table(link(9, OTHER), REMOTE) is None
    assert tracker.table(link(), LOCAL) is None
    assert len(tracker.tables()) == 1


# --- requests and responses -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "last"),
    [
        (("< 0b 00",), (None, "")),
        (("> 12 0900 0100", "< 0b 00"), (None, "")),
        (("> 12 0900 0100", "< 0b 00", "< 13"), (None, "")),
        (("> 0a 0800", "> 0a 0300", "< 0b 00"), (3, "2a00")),
        (("> 0a 0800", "< 0b 00", "< 0b 00"), (None, "")),
        (("> 0a 0800", "< 01 0a 0800 02", "< 0b 00"), (None, "")),
        (("< 17 0800 0000 00",), (8, "2a37")),
        (("< 01 0a 0800 02",), (8, "2a37")),
        (("> 1e",), (None, "")),
        (("> 0a 08", "< 0b 00"), (None, "")),
        (("> 12", "< 13"), (None, "")),
        (("< 01 0a 08",), (None, "")),
        (("< 1d 08",), (None, "")),
    ],
)
def test_a_response_is_about_its_own_request_or_about_nothing(
    lines: tuple[str, ...], last: tuple[int | None, str]
) -> None:
    assert named(discovered(), link(), *lines)[-1] == last


def test_bearers_of_one_link_have_a_request_under_way_each() -> None:
    tracker = discovered()
    named(tracker, link(), "> 0a 0800")
    named(tracker, link(), "> 0a 0300", bearer=0x41)
    assert named(tracker, link(), "< 0b 00") == [(8, "2a37")]
    assert named(tracker, link(), "< 0b 00", bearer=0x41) == [(3, "2a00")]


def test_what_waits_is_open_to_other_engines() -> None:
    tracker = discovered()
    named(tracker, link(), "> 0a 0800", "< 1d 0800 00")
    assert tracker.pending == {(1, LOCAL): bytes.fromhex("0a0800")}
    assert tracker.indications == {(1, LOCAL): bytes.fromhex("1d080000")}
    tracker.pending[1, LOCAL] = bytes.fromhex("0a0300")
    assert named(tracker, link(), "< 0b 00", "> 1e") == [(3, "2a00"), (8, "2a37")]
    assert not tracker.pending
    assert not tracker.indications


def test_a_request_that_waits_keeps_no_more_of_itself_than_is_needed() -> None:
    tracker = discovered()
    named(tracker, link(), "> 12 0800" + "aa" * 500, "< 1d 0800" + "aa" * 500)
    assert [len(waiting) for waiting in (*tracker.pending.values(), *tracker.indications.values())] == [32, 32]


# --- untrusted input --------------------------------------------------------------------------------------------------


EXCHANGES = (
    ("> 10 0100 ffff 0028", "< 11 06 0100 0500 0018 0600 0900 0d18", 2, 6),
    ("> 06 0100 ffff 0028 0d18", "< 07 0100 0500 0600 0900", 1, 4),
    ("> 08 0100 ffff 0328", "< 09 07 0200 02 0300 002a 0500 02 0600 012a", 2, 7),
    ("> 08 0100 ffff 0228", "< 09 08 0200 1000 1200 0a18 0300 2000 2200 0b18", 2, 8),
    ("> 08 0100 ffff 002a", "< 09 04 0300 4142 0500 4344", 2, 4),
    ("> 04 0100 ffff", "< 05 01 0100 0028 0200 0328", 2, 4),
)
"""Request, response with two entries, octets before the first, octets of each."""


@pytest.mark.parametrize(("request_", "response", "head", "size"), EXCHANGES)
def test_entries_that_a_recorder_cut_are_left_out_and_those_before_are_learned(
    request_: str, response: str, head: int, size: int
) -> None:
    whole = response[1:].replace(" ", "")
    learned = []
    for octets in range(1, head + 2 * size + 1):
        tracker = GattTracker()
        named(tracker, link(), request_, f"<{whole[: 2 * octets]}")
        table = tracker.table(link(), REMOTE)
        learned.append(0 if table is None else len(table))
    one, two = learned[head + size - 1], learned[-1]
    assert 0 < one < two
    assert learned == [0] * (head + size - 1) + [one] * size + [two]


def test_a_hostile_capture_cannot_make_a_tracker_learn_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatt, "MAX_ATTRIBUTES", 10)
    tracker = GattTracker()
    for number in range(20):
        peer = Address(f"C0:00:00:00:00:{number:02X}")
        named(tracker, link(number, peer), "> 10 0100 ffff 0028", "< 11 06 0100 0400 f0ff 0500 0700 f1ff")
    assert sum(len(table) for table in tracker.tables()) == 10


def test_handle_zero_is_nobodys() -> None:
    tracker = GattTracker()
    lines = (
        "> 10 0100 ffff 0028", "< 11 06 0000 0400 f0ff", "> 04 0100 ffff", "< 05 01 0000 0229",
        "> 08 0100 ffff 0328", "< 09 07 0000 02 0000 002a", "> 08 0100 ffff 0228", "< 09 08 0000 0000 0000 0a18",
    )  # fmt: skip
    named(tracker, link(), *lines)
    assert tracker.tables() == ()


OPCODES = st.sampled_from([*range(0x24), 0x52, 0xD2, 0xFF])
SMALL = st.sampled_from([b"\x00", b"\x01", b"\x02", b"\x06", b"\x07", b"\x15", b"\x28", b"\x03\x28", b"\x00\x28"])
PDUS = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda opcode, pieces: bytes((opcode,)) + b"".join(pieces), OPCODES, st.lists(SMALL | st.binary(max_size=3))
    ),
)
TALK = st.lists(st.tuples(st.sampled_from([LOCAL, REMOTE, UNKNOWN_SIDE]), st.integers(1, 3), PDUS), max_size=60)


DISCOVERIES = st.lists(
    st.tuples(
        st.sampled_from(EXCHANGES),
        st.integers(0, 20),  # cut here
        st.lists(st.tuples(st.integers(0, 20), st.integers(0, 255)), max_size=3),  # octets spoilt
    ),
    max_size=8,
)


@given(DISCOVERIES)
def test_no_spoilt_discovery_makes_a_tracker_raise_or_contradict_itself(
    discoveries: list[tuple[tuple[str, str, int, int], int, list[tuple[int, int]]]],
) -> None:
    tracker = GattTracker()
    for (request, response, *_), cut, spoilt in discoveries:
        said = bytearray.fromhex(response[1:])
        for at, octet in spoilt:
            if 0 < at < len(said):
                said[at] = octet
        named(tracker, link(), request, f"<{said[: len(said) - cut].hex()}")
    consistent(tracker)


def consistent(tracker: GattTracker) -> None:
    unread = False
    for table in tracker.tables():
        assert list(table.attributes) == sorted(table.names)
        assert all(table.attribute(handle) == table.attributes[handle] for handle in table.names)
        assert {h: a.uuid for h, a in table.attributes.items()} == table.names
        assert table.complete in (True, False)
        assert 0 not in table.names
        unread |= bool(table.unread)
    assert tracker.learns_from_reads is unread
    assert tracker._learned == sum(len(table) for table in tracker.tables())


@given(TALK)
def test_no_bytes_make_a_tracker_raise_or_contradict_itself(talk: list[tuple[int, int, bytes]]) -> None:
    tracker = GattTracker()
    links = {1: link(1), 2: link(2, OTHER), 3: link(3, None, on_air=True)}
    for frame, (side, number, data) in enumerate(talk):
        handle, uuid = tracker.name(AttPdu(frame, frame, links[number], side, data))
        assert handle is None or 0 <= handle <= 0xFFFF
        assert uuid == "" or handle is not None
    consistent(tracker)


@pytest.mark.parametrize("spans", [[(5, 6), (3, 4)], [(3, 4), (5, 6)], [(1, 9), (3, 4)], [(3, 4), (8, 9), (5, 7)]])
def test_what_was_covered_side_by_side_is_one_stretch(spans: list[tuple[int, int]]) -> None:
    table = AttributeTable()
    for start, end in spans:
        table.cover("x", start, end)
    assert table._covered["x"] == [(min(start for start, _ in spans), max(end for _, end in spans))]


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=30))
def test_what_was_covered_is_exactly_the_handles_that_were(spans: list[tuple[int, int]]) -> None:
    table = AttributeTable()
    for start, end in spans:
        table.cover("x", start, end)
    covered = {handle for start, end in spans for handle in range(start, end + 1)}
    kept = table._covered.get("x", [])
    assert {handle for start, end in kept for handle in range(start, end + 1)} == covered
    assert all(before[1] + 1 < after[0] for before, after in pairwise(kept))


def test_the_conversation_in_text_is_what_it_says() -> None:
    [pdu] = pdus(link(), ["> 0a 0300"])
    assert (pdu.side, pdu.pdu, pdu.frame) == (LOCAL, b"\x0a\x03\x00", 1)
