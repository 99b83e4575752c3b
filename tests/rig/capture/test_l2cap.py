"""Fragments become PDUs: each link and direction by itself, whatever is lost, cut or made up."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.capture.layers.l2cap import L2capPdu, Reassembler
from rig.capture.layers.links import LOCAL, REMOTE, Observations
from tests.rig.capture.hci_traffic import (
    RECEIVED,
    SENT,
    Packet,
    acl,
    att,
    connected,
    connected_br_edr,
    fragments,
    hear,
    l2cap,
    signal,
    smp,
)

NOTIFICATION = bytes.fromhex("1b0e00") + b"notified"
READ = bytes.fromhex("0a0e00")


def reassembler() -> tuple[Reassembler, Observations]:
    observations = Observations()
    return Reassembler(observations), observations


def start(one: Reassembler, frame: int, fragment: bytes, missing: int = 0) -> L2capPdu | None:
    is_start = True
    return one.feed(frame, is_start, fragment, missing)


def more(one: Reassembler, frame: int, fragment: bytes, missing: int = 0) -> L2capPdu | None:
    is_start = False
    return one.feed(frame, is_start, fragment, missing)


def test_a_pdu_in_one_piece_is_delivered_at_once() -> None:
    one, _ = reassembler()
    assert start(one, 1, l2cap(4, b"abc")) == L2capPdu(4, b"abc", 0)
    assert not one.pending


def test_a_pdu_without_payload_is_one() -> None:
    one, _ = reassembler()
    assert start(one, 1, l2cap(6, b"")) == L2capPdu(6, b"", 0)


@given(payload=st.binary(max_size=300), cuts=st.lists(st.integers(0, 304), max_size=12))
def test_fragments_of_any_size_make_the_same_pdu_on_the_last_of_them(payload: bytes, cuts: list[int]) -> None:
    data = l2cap(0x1234, payload)
    edges = [0, *sorted(min(cut, len(data) - 1) for cut in cuts), len(data)]
    one, observations = reassembler()
    delivered = [one.feed(frame, frame == 0, data[begin:end]) for frame, (begin, end) in enumerate(pairwise(edges))]
    assert delivered[-1] == L2capPdu(0x1234, payload, 0)
    assert not any(delivered[:-1])
    assert not observations.counts


def test_a_header_that_is_itself_in_two_fragments_is_read() -> None:
    one, _ = reassembler()
    assert start(one, 1, b"\x03\x00\x04") is None
    assert one.wanted == 4
    assert more(one, 2, b"\x00abc") == L2capPdu(4, b"abc", 0)


def test_a_continuation_of_nothing_is_counted_and_nothing_else() -> None:
    one, observations = reassembler()
    assert more(one, 7, b"abc") is None
    assert observations.counts == {"orphan_fragments": 1}
    assert observations.examples["orphan_fragments"][0][0] == 7
    assert start(one, 8, l2cap(4, b"abc")) == L2capPdu(4, b"abc", 0)


def test_a_new_pdu_replaces_one_that_never_was_completed() -> None:
    one, observations = reassembler()
    assert start(one, 1, l2cap(4, b"abcdef")[:6]) is None
    assert start(one, 2, l2cap(4, b"new")) == L2capPdu(4, b"new", 0)
    assert more(one, 3, b"cdef") is None
    assert observations.counts == {"incomplete_pdus": 1, "orphan_fragments": 1}


@pytest.mark.parametrize("first", [6, 10, 12])
def test_more_than_the_header_says_is_discarded_as_receivers_do(first: int) -> None:
    one, observations = reassembler()
    data = l2cap(4, b"abcdef") + b"XX"
    delivered = [start(one, 1, data[:first])]
    if data[first:]:
        delivered.append(more(one, 2, data[first:]))
    # Ten bytes are the PDU: what follows it then continues nothing.
    assert delivered[-1] is None
    assert observations.counts == ({"orphan_fragments": 1} if first == 10 else {"overlong_fragments": 1})
    assert not one.pending


def test_what_the_recorder_cut_off_the_end_is_missing_not_lost() -> None:
    one, _ = reassembler()
    assert start(one, 1, l2cap(4, b"abcdef")[:7], missing=3) == L2capPdu(4, b"abc", 3)


def test_bytes_past_a_cut_in_the_middle_are_missing_too() -> None:
    one, _ = reassembler()
    data = l2cap(4, b"abcdef")
    assert start(one, 1, data[:6], missing=2) is None
    assert more(one, 2, data[8:]) == L2capPdu(4, b"ab", 4)


def test_a_cut_within_the_header_leaves_nothing_to_deliver() -> None:
    one, observations = reassembler()
    assert start(one, 1, b"\x06\x00", missing=8) is None
    assert observations.counts == {"headless_pdus": 1}
    assert not one.pending


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=40), st.integers(0, 70000)), max_size=30))
def test_no_bytes_make_it_raise_or_keep_more_than_one_pdu(steps: list[tuple[bool, bytes, int]]) -> None:
    one, _ = reassembler()
    for frame, (is_start, fragment, missing) in enumerate(steps, 1):
        pdu = one.feed(frame, is_start, fragment, missing)
        assert one.wanted <= 4 + 0xFFFF
        if pdu is not None:
            assert pdu.missing >= 0
            assert not one.pending


def test_links_and_directions_are_put_together_apart() -> None:
    """Three links, both ways, every packet of one between those of the others: btmon's way loses nearly all of them."""
    handles = (0x40, 0x41, 0x42)
    streams = {
        (handle, side): [bytes([0x52, handle, side]) + bytes([number]) * 50 for number in range(4)]
        for handle in handles
        for side in (SENT, RECEIVED)
    }
    parts = {key: [part for pdu in pdus for part in fragments(*key, 4, pdu, 20, 20)] for key, pdus in streams.items()}
    packets = [part for step in zip(*parts.values(), strict=True) for part in step]
    heard = hear([connected(handle) for handle in handles], packets)
    assert not heard.observations.counts
    for (handle, side), pdus in streams.items():
        got = [pdu.pdu for pdu in heard.pdus if (pdu.link.handle, pdu.side) == (handle, side)]
        assert got == pdus


def test_the_frame_of_a_pdu_is_that_of_its_last_fragment() -> None:
    heard = hear(connected(0x40), fragments(0x40, RECEIVED, 4, NOTIFICATION, 5, 5))
    assert [pdu.frame for pdu in heard.pdus] == [4]


@pytest.mark.parametrize(
    ("side", "pdu", "central"),
    [
        (SENT, "01030005100707", LOCAL),
        (RECEIVED, "01030005100707", REMOTE),
        (SENT, "02030005100707", REMOTE),
        (RECEIVED, "02030005100707", LOCAL),
        (RECEIVED, "0b05", LOCAL),
        (SENT, "0b05", REMOTE),
    ],
)
def test_pairing_tells_who_is_the_central_when_the_beginning_was_missed(side: int, pdu: str, central: int) -> None:
    heard = hear(att(0x40, SENT, READ), smp(0x40, side, bytes.fromhex(pdu)), att(0x40, SENT, READ))
    assert heard.links[0].central_side == central
    assert not heard.links[0].beginning_seen
    assert [sender for _, _, sender, _ in heard.rows] == ["unknown", "central" if central == LOCAL else "peripheral"]


@pytest.mark.parametrize(("side", "central"), [(SENT, REMOTE), (RECEIVED, LOCAL)])
def test_only_a_peripheral_asks_for_parameters_by_l2cap(side: int, central: int) -> None:
    heard = hear(signal(0x40, side, 0x12, struct.pack("<HHHH", 12, 24, 4, 600)))
    assert heard.links[0].central_side == central
    assert heard.history() == [
        (
            "parameters_requested",
            {
                "interval_min_ms": 15.0,
                "interval_max_ms": 30.0,
                "latency_events": 4,
                "supervision_timeout_ms": 6000,
            },
        )
    ]


@pytest.mark.parametrize(("result", "accepted"), [(0, True), (1, False)])
def test_the_central_answers_for_the_parameters(result: int, accepted: bool) -> None:
    heard = hear(signal(0x40, SENT, 0x13, struct.pack("<H", result)))
    assert heard.links[0].central_side == LOCAL
    assert heard.history() == [("parameters_answered", {"accepted": accepted})]


def test_what_an_event_said_of_the_roles_is_not_overruled_by_a_guess() -> None:
    heard = hear(connected(0x40, role=1), smp(0x40, SENT, bytes.fromhex("01030005100707")))
    assert heard.links[0].central_side == REMOTE


def test_pairing_is_told_without_a_key() -> None:
    heard = hear(
        connected(0x40),
        smp(0x40, SENT, bytes.fromhex("010400 0d 10 0707")),
        smp(0x40, RECEIVED, bytes.fromhex("020300 05 07 0101")),
        smp(0x40, SENT, b"\x03" + bytes(range(16))),
        smp(0x40, RECEIVED, b"\x06" + bytes(range(16))),
        smp(0x40, RECEIVED, bytes.fromhex("0504")),
    )
    assert heard.history()[1:] == [
        (
            "pairing",
            {
                "step": "request",
                "io_capability": "keyboard_display",
                "out_of_band": False,
                "bonding": True,
                "mitm_protection": True,
                "secure_connections": True,
                "max_key_size_bytes": 16,
            },
        ),
        (
            "pairing",
            {
                "step": "response",
                "io_capability": "no_input_no_output",
                "out_of_band": False,
                "bonding": True,
                "mitm_protection": True,
                "secure_connections": False,
                "max_key_size_bytes": 7,
            },
        ),
        ("pairing", {"step": "failed", "reason": "confirm_value_failed"}),
    ]


def test_the_mtu_is_the_smaller_of_the_two_and_never_below_23() -> None:
    heard = hear(
        connected(0x40),
        att(0x40, SENT, bytes.fromhex("02f700")),
        att(0x40, RECEIVED, bytes.fromhex("03b900")),
        att(0x40, RECEIVED, bytes.fromhex("020500")),
        att(0x40, SENT, bytes.fromhex("030502")),
        fragments(0x40, SENT, 4, bytes.fromhex("026400"), 5),
        fragments(0x40, RECEIVED, 4, bytes.fromhex("036500"), 5),
    )
    assert [data for kind, data in heard.history() if kind == "mtu"] == [
        {"mtu_bytes": 185, "client_rx_bytes": 247, "server_rx_bytes": 185},
        {"mtu_bytes": 23, "client_rx_bytes": 5, "server_rx_bytes": 517},
        {"mtu_bytes": 100, "client_rx_bytes": 100, "server_rx_bytes": 101},
    ]
    assert len(heard.pdus) == 6


def test_an_mtu_response_alone_tells_the_server_s_side_of_it() -> None:
    heard = hear(att(0x40, RECEIVED, bytes.fromhex("03b900")))
    assert heard.history() == [("mtu", {"server_rx_bytes": 185})]


def test_an_att_channel_pdu_without_an_opcode_is_no_row() -> None:
    heard = hear(connected(0x40), att(0x40, SENT, b""), att(0x40, SENT, READ))
    assert [pdu.frame for pdu in heard.pdus] == [3]
    assert heard.observations.counts == {"empty_att": 1}


# ATT beside the fixed channel

BR_EDR = 0x41
CHANNEL_REQUEST = struct.pack("<HH", 0x1F, 0x40)
CHANNEL_RESPONSE = struct.pack("<HHHH", 0x50, 0x40, 0, 0)


def br_edr_channel(*between: Packet) -> list[Packet]:
    return [
        connected_br_edr(BR_EDR),
        signal(BR_EDR, SENT, 2, CHANNEL_REQUEST, cid=1),
        *between,
        signal(BR_EDR, RECEIVED, 3, CHANNEL_RESPONSE, cid=1),
    ]


def test_att_over_br_edr_is_read_on_the_channel_that_was_set_up_for_it() -> None:
    heard = hear(
        br_edr_channel(),
        acl(BR_EDR, SENT, l2cap(0x50, READ)),
        acl(BR_EDR, RECEIVED, l2cap(0x40, b"\x0bvalue")),
        acl(BR_EDR, SENT, l2cap(0x40, b"not its channel")),
        acl(BR_EDR, RECEIVED, l2cap(0x50, b"not its channel")),
    )
    assert [(pdu.side, pdu.pdu) for pdu in heard.pdus] == [(LOCAL, READ), (REMOTE, b"\x0bvalue")]
    assert len({pdu.bearer for pdu in heard.pdus}) == 1
    assert heard.pdus[0].bearer != 4


def test_the_fixed_att_channel_means_nothing_on_br_edr() -> None:
    assert not hear(connected_br_edr(BR_EDR), att(BR_EDR, SENT, READ)).pdus


@pytest.mark.parametrize("asked_to_close", [6, 7])
def test_a_channel_that_was_closed_is_not_read_on(asked_to_close: int) -> None:
    side = SENT if asked_to_close == 6 else RECEIVED
    heard = hear(
        br_edr_channel(),
        signal(BR_EDR, side, asked_to_close, struct.pack("<HH", 0x50, 0x40), cid=1),
        acl(BR_EDR, SENT, l2cap(0x50, READ)),
        acl(BR_EDR, RECEIVED, l2cap(0x40, READ)),
    )
    assert not heard.pdus


def test_a_pending_response_is_followed_by_the_one_that_counts() -> None:
    pending = signal(BR_EDR, RECEIVED, 3, struct.pack("<HHHH", 0x50, 0x40, 1, 0), cid=1)
    assert hear(br_edr_channel(pending), acl(BR_EDR, SENT, l2cap(0x50, READ))).rows[-1][3] == READ.hex()


@pytest.mark.parametrize("response", [struct.pack("<HHHH", 0x50, 0x40, 2, 0), struct.pack("<HHHH", 0x50, 0x44, 0, 0)])
def test_a_channel_that_was_refused_or_is_another_one_is_not_read(response: bytes) -> None:
    heard = hear(
        connected_br_edr(BR_EDR),
        signal(BR_EDR, SENT, 2, CHANNEL_REQUEST, cid=1),
        signal(BR_EDR, RECEIVED, 3, response, cid=1),
        acl(BR_EDR, SENT, l2cap(0x50, READ)),
    )
    assert not heard.pdus


def test_a_channel_for_another_protocol_is_not_read() -> None:
    heard = hear(
        connected_br_edr(BR_EDR),
        signal(BR_EDR, SENT, 2, struct.pack("<HH", 0x19, 0x40), cid=1),
        signal(BR_EDR, RECEIVED, 3, CHANNEL_RESPONSE, cid=1),
        acl(BR_EDR, SENT, l2cap(0x50, READ)),
    )
    assert not heard.pdus


@pytest.mark.parametrize(("mode", "read"), [(0, 1), (3, 0)])
def test_a_retransmission_mode_is_said_not_to_be_read(mode: int, read: int) -> None:
    options = bytes.fromhex("0102a002") + bytes([0x04, 9, mode]) + bytes(8)
    heard = hear(
        br_edr_channel(),
        signal(BR_EDR, SENT, 4, struct.pack("<HH", 0x50, 0) + options, cid=1),
        acl(BR_EDR, SENT, l2cap(0x50, READ)),
    )
    assert len(heard.pdus) == read
    assert heard.observations.counts.get("unread_bearers", 0) == 1 - read


def enhanced(*destinations: int, handle: int = 0x42) -> list[Packet]:
    sources = range(0x60, 0x60 + len(destinations))
    count = len(destinations)
    return [
        connected(handle),
        signal(handle, SENT, 0x17, struct.pack(f"<HHHH{count}H", 0x27, 64, 64, 10, *sources)),
        signal(handle, RECEIVED, 0x18, struct.pack(f"<HHHH{count}H", 64, 64, 10, 0, *destinations)),
    ]


def test_enhanced_att_is_read_on_each_of_its_channels_and_told_apart() -> None:
    heard = hear(
        enhanced(0x70, 0x71),
        acl(0x42, SENT, l2cap(0x70, b"\x03\x00" + READ)),
        acl(0x42, SENT, l2cap(0x71, b"\x03\x00" + READ)),
        acl(0x42, RECEIVED, l2cap(0x61, b"\x05\x00\x0btwo2")),
        acl(0x42, RECEIVED, l2cap(0x60, b"\x05\x00\x0bone1")),
    )
    first, second = heard.pdus[0].bearer, heard.pdus[1].bearer
    assert first != second
    assert [(pdu.bearer, pdu.pdu) for pdu in heard.pdus[2:]] == [(second, b"\x0btwo2"), (first, b"\x0bone1")]


def test_an_enhanced_att_pdu_in_several_k_frames_is_put_together_per_channel_and_direction() -> None:
    heard = hear(
        enhanced(0x70, 0x71),
        acl(0x42, RECEIVED, l2cap(0x60, b"\x08\x00\x0b123")),
        acl(0x42, RECEIVED, l2cap(0x61, b"\x08\x00\x0babc")),
        acl(0x42, SENT, l2cap(0x70, b"\x03\x00" + READ)),
        acl(0x42, RECEIVED, l2cap(0x60, b"4567")),
        acl(0x42, RECEIVED, l2cap(0x61, b"defg")),
    )
    assert [(pdu.frame, pdu.pdu) for pdu in heard.pdus] == [(6, READ), (7, b"\x0b1234567"), (8, b"\x0babcdefg")]


def test_a_channel_of_several_that_was_refused_shifts_no_other() -> None:
    heard = hear(
        enhanced(0, 0x71),
        acl(0x42, SENT, l2cap(0x71, b"\x03\x00" + READ)),
        acl(0x42, RECEIVED, l2cap(0x61, b"\x02\x00\x0b1")),
        acl(0x42, RECEIVED, l2cap(0x60, b"\x02\x00\x0b1")),
    )
    assert [pdu.pdu for pdu in heard.pdus] == [READ, b"\x0b1"]


def test_more_than_a_k_frame_s_sdu_length_is_discarded() -> None:
    heard = hear(
        enhanced(0x70),
        acl(0x42, SENT, l2cap(0x70, b"\x03\x00" + READ + b"X")),
        acl(0x42, SENT, l2cap(0x70, b"\x03\x00" + READ)),
    )
    assert [pdu.frame for pdu in heard.pdus] == [5]
    assert heard.observations.counts == {"overlong_fragments": 1}
