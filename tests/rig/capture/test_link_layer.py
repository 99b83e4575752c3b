"""Links on the air: how they begin and end, what is sent again, missed, put together, encrypted or received wrongly."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.capture.layers import link_layer
from rig.capture.layers.air import crc24
from rig.capture.layers.links import UNKNOWN_SIDE, Address
from rig.capture.records import LinkType
from tests.rig.capture import air_packets as air
from tests.rig.capture.air_packets import (
    ACCESS_ADDRESS,
    ADVERTISING,
    PHDR_ADVERTISING,
    PHDR_FROM_CENTRAL,
    Sniffer,
    att,
    connect_ind,
    data_pdu,
    on_air,
    phdr,
)

CONTROL, START, CONTINUATION = 3, 2, 1
CENTRAL, PERIPHERAL = 0, 1
WRITE = bytes.fromhex("52 0600 aa")
NOTIFICATION = bytes.fromhex("1b 0d00 01")
LONG = bytes.fromhex("52 0900") + bytes(range(60))


@pytest.fixture
def sniffer() -> Sniffer:
    return Sniffer()


def fragments(pdu: bytes, size: int = 27) -> list[tuple[int, bytes]]:
    whole = att(pdu)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    return [(START, pieces[0]), *((CONTINUATION, piece) for piece in pieces[1:])]


# How a link begins and ends


def test_a_connect_ind_makes_a_link_with_both_addresses_and_its_parameters(sniffer: Sniffer) -> None:
    sniffer.hears_request()

    (link,) = sniffer.links
    assert link.access_address == ACCESS_ADDRESS
    assert link.beginning_seen
    assert link.addresses == [Address(air.CENTRAL_TEXT), Address(air.PERIPHERAL_TEXT, is_random=True)]
    assert (link.central_side, link.first_frame, link.handle) == (CENTRAL, 1, None)
    (connected,) = link.history
    assert (connected.kind, connected.data) == (
        "connected",
        {
            "interval_ms": 30.0,
            "latency_events": 0,
            "supervision_timeout_ms": 4200,
            "channels": 37,
            "hop_increment": 5,
        },
    )


def test_the_first_record_of_a_capture_begun_in_mid_connection_makes_a_link_too(sniffer: Sniffer) -> None:
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 1, 0))

    (link,) = sniffer.links
    assert not link.beginning_seen
    assert link.addresses == [None, None]
    assert sniffer.rows == [(1, "central", WRITE)]


def test_two_links_at_once_are_told_apart_by_their_access_addresses(sniffer: Sniffer) -> None:
    sniffer.hears_request()
    sniffer.hears_request(connect_ind(0x71764129))
    pieces = list(zip(fragments(LONG), fragments(bytes([0x1B]) + LONG[1:]), strict=True))
    for number, ((llid, mine), (_, other)) in enumerate(pieces):
        sniffer.hears_pdu(CENTRAL, data_pdu(llid, mine, number & 1, 0))
        sniffer.hears_pdu(PERIPHERAL, data_pdu(llid, other, number & 1, 1), access_address=0x71764129)

    assert [(pdu.link.number, pdu.pdu) for pdu in sniffer.pdus] == [(1, LONG), (2, bytes([0x1B]) + LONG[1:])]


def test_a_connect_ind_heard_by_two_interfaces_is_one_link(sniffer: Sniffer) -> None:
    sniffer.hears_request(interface=2)
    sniffer.hears_request(after_us=3, interface=0)
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0))

    (link,) = sniffer.links
    assert link.controller == 2
    assert len(link.history) == 1


def test_a_connect_ind_sent_again_because_nothing_came_of_the_first_is_one_link(sniffer: Sniffer) -> None:
    sniffer.hears_request()
    sniffer.hears_request(after_us=5e6)

    assert len(sniffer.links) == 1


def test_an_access_address_that_is_used_again_is_a_new_link(sniffer: Sniffer) -> None:
    sniffer.hears_request()
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0))
    sniffer.hears_request(connect_ind(crc_init=0x123456))
    packet = on_air(data_pdu(START, att(WRITE), 0, 0), crc_init=0x123456)
    sniffer.hears(LinkType.LE_LL, packet)

    assert [(row[0], pdu.link.number) for row, pdu in zip(sniffer.rows, sniffer.pdus, strict=True)] == [(2, 1), (4, 2)]


def test_the_same_connect_ind_long_after_data_is_a_new_link(sniffer: Sniffer) -> None:
    sniffer.hears_request()
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0))
    sniffer.hears_request(after_us=20e6)
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0))

    assert [pdu.link.number for pdu in sniffer.pdus] == [1, 2]


def test_data_long_after_a_termination_is_a_new_link(sniffer: Sniffer) -> None:
    sniffer.hears_request()
    sniffer.hears_pdu(CENTRAL, data_pdu(CONTROL, b"\x02\x13", 0, 0))
    sniffer.hears_pdu(PERIPHERAL, data_pdu(CONTINUATION, b"", 0, 1))
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0), after_us=33e6)

    first, second = sniffer.links
    assert first.history[-1].kind == "disconnected"
    assert first.history[-1].data == {"reason": "remote_user_terminated", "reason_code": 0x13}
    assert first.last_frame == 3
    assert not second.beginning_seen


def test_no_more_links_are_kept_than_memory_is_set_aside_for(sniffer: Sniffer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_layer, "MAX_LINKS", 2)
    for number in range(4):
        sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0), access_address=0x50000001 + number * 0x01010100)

    assert len(sniffer.links) == 2
    assert sniffer.counts["links_left_out"] == 2


def test_an_advertisement_with_one_wrong_bit_in_its_access_address_is_no_link(sniffer: Sniffer) -> None:
    packet = on_air(air.adv_ind(b"\x02\x01\x06", kind=2), ADVERTISING ^ 0x100)
    sniffer.hears(LinkType.LE_LL, packet)

    assert not sniffer.links
    assert sniffer.counts == {"stray_packets": 1}


# What is sent again, and what was missed


def test_a_retransmission_is_counted_and_makes_no_row(sniffer: Sniffer) -> None:
    pdu = data_pdu(START, att(WRITE), 0, 0)
    for _ in range(3):
        sniffer.hears_pdu(CENTRAL, pdu)
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 1, 1))

    assert [row[0] for row in sniffer.rows] == [1, 4]
    assert sniffer.counts == {"retransmissions": 2}


def test_a_retransmission_is_known_though_its_acknowledgement_and_more_data_bits_change(sniffer: Sniffer) -> None:
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0))
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 1, more=True))

    assert sniffer.counts == {"retransmissions": 1}


def test_both_directions_count_for_themselves(sniffer: Sniffer) -> None:
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0))
    sniffer.hears_pdu(PERIPHERAL, data_pdu(START, att(NOTIFICATION), 0, 1))

    assert sniffer.rows == [(1, "central", WRITE), (2, "peripheral", NOTIFICATION)]


def test_the_same_sequence_number_with_other_contents_is_a_new_pdu_after_one_that_was_missed(sniffer: Sniffer) -> None:
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0))
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(NOTIFICATION), 0, 0))

    assert len(sniffer.rows) == 2
    assert sniffer.counts == {"sequence_gaps": 1}


def test_the_same_pdu_after_an_acknowledgement_that_its_sender_has_received_is_a_new_one(sniffer: Sniffer) -> None:
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0))
    sniffer.hears_pdu(PERIPHERAL, data_pdu(CONTINUATION, b"", 0, 1))  # acknowledges, and is acknowledged in the next
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 1))

    assert [row[0] for row in sniffer.rows] == [1, 3]
    assert sniffer.counts == {"sequence_gaps": 1}


def test_the_same_pdu_whose_acknowledgement_was_not_heard_by_its_sender_is_a_retransmission(sniffer: Sniffer) -> None:
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0))
    sniffer.hears_pdu(PERIPHERAL, data_pdu(CONTINUATION, b"", 0, 1))
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0))

    assert [row[0] for row in sniffer.rows] == [1]


def test_an_acknowledgement_in_a_pdu_that_was_not_new_does_not_make_the_next_one_new(sniffer: Sniffer) -> None:
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 1))  # has received SN 0 already
    sniffer.hears_pdu(PERIPHERAL, data_pdu(CONTINUATION, b"", 0, 1))  # sends it again, and acknowledges
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 1))  # whether it heard that is not to be seen

    assert [row[0] for row in sniffer.rows] == [1]


@pytest.mark.parametrize(
    ("payload", "sender"),
    [
        (struct.pack("<HHBBHHHHH", 12, 5, 0x12, 1, 8, 6, 12, 0, 200), "peripheral"),
        (struct.pack("<HHBBHH", 6, 5, 0x13, 1, 2, 0), "central"),
        (bytes.fromhex("0700060001030009100d0f"), "central"),
        (bytes.fromhex("0700060002030009100d0f"), "peripheral"),
        (bytes.fromhex("020006000b01"), "peripheral"),
    ],
)
def test_what_only_one_role_sends_on_l2cap_tells_both_ends(sniffer: Sniffer, payload: bytes, sender: str) -> None:
    packet = on_air(data_pdu(START, payload, 0, 0))
    sniffer.hears(LinkType.LE_LL, packet)
    sniffer.hears(LinkType.LE_LL, on_air(data_pdu(START, att(WRITE), 0, 1)), after_us=150 + 8 * (1 + len(packet)))

    assert [row[1] for row in sniffer.rows] == [{"central": "peripheral", "peripheral": "central"}[sender]]


# Fragments


def test_fragments_of_both_directions_are_joined_each_for_itself(sniffer: Sniffer) -> None:
    sn = 0
    for (llid, mine), (_, other) in zip(fragments(LONG), fragments(bytes([0x1B]) + LONG[1:]), strict=True):
        sniffer.hears_pdu(CENTRAL, data_pdu(llid, mine, sn, sn))
        sniffer.hears_pdu(PERIPHERAL, data_pdu(llid, other, sn, 1 - sn))
        sn = 1 - sn

    assert sniffer.rows == [(5, "central", LONG), (6, "peripheral", bytes([0x1B]) + LONG[1:])]
    assert sniffer.counts == {}


def test_a_fragment_sent_again_is_joined_once(sniffer: Sniffer) -> None:
    for number, (llid, piece) in enumerate(fragments(LONG)):
        for _ in range(2):
            sniffer.hears_pdu(CENTRAL, data_pdu(llid, piece, number & 1, 0))

    assert sniffer.rows == [(5, "central", LONG)]
    assert sniffer.counts == {"retransmissions": 3}


def test_a_pdu_with_a_missed_fragment_makes_no_row(sniffer: Sniffer) -> None:
    pieces = fragments(LONG, 16)
    for number in (0, 2, 3):
        sniffer.hears_pdu(CENTRAL, data_pdu(*pieces[number], number & 1, 0))

    assert sniffer.rows == []
    assert sniffer.counts["sequence_gaps"] == 1


def test_two_missed_pdus_do_not_join_the_end_of_one_to_the_beginning_of_another(sniffer: Sniffer) -> None:
    sniffer.hears_pdu(CENTRAL, data_pdu(*fragments(LONG, 50)[0], 0, 0))
    # Its second fragment, of 17 bytes, and the first of the next PDU are missed.
    sniffer.hears_pdu(CENTRAL, data_pdu(CONTINUATION, bytes(27), 1, 0))

    assert sniffer.rows == []
    assert sniffer.counts == {"sequence_gaps": 1, "orphan_fragments": 1}


def test_fragments_too_far_apart_for_their_link_are_not_joined(sniffer: Sniffer) -> None:
    sniffer.hears_request()  # an interval of 30 ms
    pieces = fragments(LONG)
    sniffer.hears_pdu(CENTRAL, data_pdu(*pieces[0], 0, 0))
    sniffer.hears_pdu(CENTRAL, data_pdu(*pieces[1], 1, 0), after_us=200_000)
    sniffer.hears_pdu(CENTRAL, data_pdu(*pieces[2], 0, 0))

    assert sniffer.rows == []


def test_fragments_right_after_a_gap_are_not_joined_but_counted(sniffer: Sniffer) -> None:
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0))
    for number, (llid, piece) in enumerate(fragments(LONG)):
        sniffer.hears_pdu(CENTRAL, data_pdu(llid, piece, number & 1, 0))

    assert [row[0] for row in sniffer.rows] == [1]
    assert sniffer.counts == {"sequence_gaps": 1, "unjoined_pdus": 1, "orphan_fragments": 2}


def test_a_pdu_that_the_recorder_cut_says_how_much_is_missing(sniffer: Sniffer) -> None:
    record = phdr(on_air(data_pdu(START, att(LONG), 0, 0)), flags=PHDR_FROM_CENTRAL)
    sniffer.hears(LinkType.LE_LL_WITH_PHDR, record[:40], original=len(record))

    (pdu,) = sniffer.pdus
    assert pdu.pdu == LONG[: len(pdu.pdu)]
    assert len(pdu.pdu) + pdu.missing == len(LONG)
    assert pdu.missing == len(record) - 3 - 40


# The CRC


@given(pdu=st.binary(min_size=2, max_size=60), init=st.integers(0, 0xFFFFFF))
def test_the_crc_by_table_is_that_of_the_shift_register_in_the_specification(pdu: bytes, init: int) -> None:
    assert crc24(pdu, init) == air.crc(pdu, init)


def test_what_the_sniffer_says_was_received_wrongly_makes_no_row_and_no_link(sniffer: Sniffer) -> None:
    packet = on_air(data_pdu(START, att(WRITE), 0, 0))
    sniffer.hears(LinkType.LE_LL_WITH_PHDR, phdr(packet, flags=PHDR_FROM_CENTRAL & ~0x0800))
    sniffer.hears(LinkType.LE_LL_WITH_PHDR, phdr(on_air(connect_ind(), ADVERTISING), flags=0x0401))

    assert not sniffer.links
    assert sniffer.counts == {"crc_errors": 2}


def test_a_wrong_crc_does_not_count_as_seen_so_that_its_repetition_is_the_row(sniffer: Sniffer) -> None:
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0))
    wrong = phdr(on_air(data_pdu(START, att(b"\x52\x06\x00\xff"), 1, 0)), flags=PHDR_FROM_CENTRAL & ~0x0800)
    sniffer.hears(LinkType.LE_LL_WITH_PHDR, wrong)
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(NOTIFICATION), 1, 0))

    assert [row[::2] for row in sniffer.rows] == [(1, WRITE), (3, NOTIFICATION)]


def test_a_fragment_received_wrongly_is_replaced_by_its_repetition(sniffer: Sniffer) -> None:
    # Where Wireshark 4.0 joins the wrong one and takes the right one for a retransmission.
    pieces = fragments(LONG)
    sniffer.hears_pdu(CENTRAL, data_pdu(*pieces[0], 0, 0))
    wrong = on_air(data_pdu(CONTINUATION, pieces[1][1][::-1], 1, 0))
    sniffer.hears(LinkType.LE_LL_WITH_PHDR, phdr(wrong, flags=PHDR_FROM_CENTRAL & ~0x0800))
    sniffer.hears_pdu(CENTRAL, data_pdu(*pieces[1], 1, 0))
    sniffer.hears_pdu(CENTRAL, data_pdu(*pieces[2], 0, 0))

    assert sniffer.rows == [(4, "central", LONG)]
    assert sniffer.counts == {"crc_errors": 1}


def test_where_no_one_has_checked_the_crc_it_is_computed_from_the_connect_ind(sniffer: Sniffer) -> None:
    sniffer.hears(LinkType.LE_LL, on_air(connect_ind(), ADVERTISING))
    right = on_air(data_pdu(START, att(WRITE), 0, 0))
    sniffer.hears(LinkType.LE_LL, right)
    sniffer.hears(LinkType.LE_LL, right[:-1] + bytes([right[-1] ^ 1]))
    sniffer.hears(LinkType.LE_LL, on_air(connect_ind(0x71764129), ADVERTISING)[:-1] + b"\xff")

    assert [row[0] for row in sniffer.rows] == [2]
    assert sniffer.counts == {"crc_errors": 2}


def test_the_crc_of_a_link_whose_beginning_was_not_seen_is_not_checked(sniffer: Sniffer) -> None:
    sniffer.hears(LinkType.LE_LL, on_air(data_pdu(START, att(WRITE), 0, 0))[:-3] + b"abc")

    assert sniffer.rows == [(1, "unknown", WRITE)]


def test_a_data_pdu_with_cte_info_is_read_and_its_crc_covers_that_octet(sniffer: Sniffer) -> None:
    sniffer.hears(LinkType.LE_LL, on_air(connect_ind(), ADVERTISING))
    plain = data_pdu(START, att(WRITE), 0, 0)
    with_cte = bytes([plain[0] | 0x20]) + plain[1:2] + b"\x14" + plain[2:]
    sniffer.hears(LinkType.LE_LL, on_air(with_cte))

    assert [row[2] for row in sniffer.rows] == [WRITE]
    assert sniffer.counts == {}


# Control PDUs


def test_what_control_pdus_tell_is_in_the_history(sniffer: Sniffer) -> None:
    sniffer.hears_request()
    told = [
        (CENTRAL, b"\x00" + struct.pack("<BHHHHH", 1, 0, 6, 4, 500, 77)),
        (CENTRAL, b"\x01" + bytes.fromhex("ff00000000") + struct.pack("<H", 90)),
        (PERIPHERAL, b"\x0c" + struct.pack("<BHH", 12, 0x005D, 7)),
        (PERIPHERAL, b"\x0f" + struct.pack("<HHHHB", 6, 12, 0, 200, 0) + bytes(14)),
        (CENTRAL, b"\x14" + struct.pack("<HHHH", 251, 2120, 27, 328)),
        (CENTRAL, b"\x18\x02\x00" + struct.pack("<H", 100)),
        (PERIPHERAL, b"\x11\x0f\x3b"),
        (CENTRAL, b"\x02\x16"),
    ]
    sequence = [0, 0]
    for side, payload in told:
        sniffer.hears_pdu(side, data_pdu(CONTROL, payload, sequence[side], 0))
        sequence[side] ^= 1

    (link,) = sniffer.links
    assert [(happening.kind, happening.data) for happening in link.history[1:]] == [
        ("parameters", {"interval_ms": 7.5, "latency_events": 4, "supervision_timeout_ms": 5000, "instant_event": 77}),
        ("channel_map", {"channels": 8, "instant_event": 90}),
        ("version", {"of": "peripheral", "link_layer_version": 12, "company": 0x5D, "subversion": 7}),
        (
            "parameters_requested",
            {
                "interval_min_ms": 7.5,
                "interval_max_ms": 15.0,
                "latency_events": 0,
                "supervision_timeout_ms": 2000,
            },
        ),
        (
            "data_length",
            {"of": "central", "tx_bytes": 27, "tx_time_us": 328, "rx_bytes": 251, "rx_time_us": 2120},
        ),
        ("phy", {"central_to_peripheral": "2M", "peripheral_to_central": "unchanged"}),
        ("rejected", {"reason": "unacceptable_connection_parameters", "opcode": 0x0F}),
        ("disconnected", {"reason": "local_host_terminated", "reason_code": 0x16}),
    ]


def test_a_control_pdu_of_another_size_than_its_kind_has_is_malformed(sniffer: Sniffer) -> None:
    sniffer.hears_pdu(CENTRAL, data_pdu(CONTROL, b"\x02\x13\x00", 0, 0))

    assert sniffer.links[0].history == []
    assert sniffer.counts == {"malformed_packets": 1}


def test_the_mtu_and_what_signalling_and_pairing_say_are_in_the_history(sniffer: Sniffer) -> None:
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(b"\x02" + struct.pack("<H", 185)), 0, 0))
    sniffer.hears_pdu(PERIPHERAL, data_pdu(START, att(b"\x03" + struct.pack("<H", 247)), 0, 1))
    request = struct.pack("<BBHHHHH", 0x12, 1, 8, 6, 12, 0, 200)
    sniffer.hears_pdu(PERIPHERAL, data_pdu(START, struct.pack("<HH", len(request), 5) + request, 1, 1))
    pairing = bytes.fromhex("07000600 01 03 00 09 10 0d 0f")
    sniffer.hears_pdu(CENTRAL, data_pdu(START, pairing, 1, 0))

    history = sniffer.links[0].history
    assert [happening.kind for happening in history] == ["mtu", "parameters_requested", "pairing"]
    assert history[0].data["mtu_bytes"] == 185


# Encryption

ENC_REQ, ENC_RSP, START_ENC_REQ = b"\x03" + bytes(22), b"\x04" + bytes(12), b"\x05"
CIPHERTEXT = bytes.fromhex("99 5a 17 c3 08 61 f0 2b d4 77")


def begin_encryption(sniffer: Sniffer) -> None:
    sniffer.hears_request()
    sniffer.hears_pdu(CENTRAL, data_pdu(CONTROL, ENC_REQ, 0, 0))
    sniffer.hears_pdu(PERIPHERAL, data_pdu(CONTROL, ENC_RSP, 0, 1))
    sniffer.hears_pdu(CENTRAL, data_pdu(CONTINUATION, b"", 1, 1))
    sniffer.hears_pdu(PERIPHERAL, data_pdu(CONTROL, START_ENC_REQ, 1, 0))


def test_what_is_encrypted_is_counted_and_makes_no_row(sniffer: Sniffer) -> None:
    begin_encryption(sniffer)
    sniffer.hears_pdu(CENTRAL, data_pdu(CONTROL, CIPHERTEXT[:5], 0, 0))
    sniffer.hears_pdu(PERIPHERAL, data_pdu(CONTINUATION, b"", 0, 1))
    sniffer.hears_pdu(CENTRAL, data_pdu(START, CIPHERTEXT, 1, 1))

    assert sniffer.rows == []
    assert sniffer.counts == {"encrypted_pdus": 2}
    states = [happening.data["state"] for happening in sniffer.links[0].history if happening.kind == "encryption"]
    assert states == ["requested", "on"]


def test_encryption_is_noticed_when_its_last_step_in_plain_text_was_missed(sniffer: Sniffer) -> None:
    sniffer.hears_request()
    sniffer.hears_pdu(CENTRAL, data_pdu(CONTROL, ENC_REQ, 0, 0))
    sniffer.hears_pdu(CENTRAL, data_pdu(CONTROL, CIPHERTEXT[:5], 1, 1))  # an LL_START_ENC_RSP and its MIC
    sniffer.hears_pdu(CENTRAL, data_pdu(START, CIPHERTEXT, 0, 1))

    assert sniffer.counts == {"encrypted_pdus": 2}


def test_encryption_that_began_before_the_capture_is_noticed_after_two_impossible_pdus(sniffer: Sniffer) -> None:
    for number in range(4):
        sniffer.hears_pdu(CENTRAL, data_pdu(START, bytes([number]) + CIPHERTEXT, number & 1, 0))

    assert sniffer.rows == []
    assert sniffer.counts["encrypted_pdus"] == 3
    (happening,) = sniffer.links[0].history
    assert (happening.kind, happening.data) == ("encryption", {"state": "on", "beginning_seen": False})


def test_what_the_container_says_was_decrypted_makes_rows(sniffer: Sniffer) -> None:
    begin_encryption(sniffer)
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0), extra_flags=0x3008)

    assert [row[2] for row in sniffer.rows] == [WRITE]


def test_what_the_container_says_was_decrypted_to_nonsense_makes_no_row(sniffer: Sniffer) -> None:
    begin_encryption(sniffer)
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 0, 0), extra_flags=0x1008)

    assert sniffer.rows == []
    assert sniffer.counts == {"encrypted_pdus": 1}


def test_a_mic_that_the_decryptor_left_in_place_is_taken_off_fragments_too(sniffer: Sniffer) -> None:
    begin_encryption(sniffer)
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE) + b"MIC!", 0, 0), extra_flags=0x3008)
    for number, (llid, piece) in enumerate(fragments(LONG), 1):
        sniffer.hears_pdu(CENTRAL, data_pdu(llid, piece + b"MIC!", number & 1, 0), extra_flags=0x3008)

    assert [row[2] for row in sniffer.rows] == [WRITE, LONG]
    assert "overlong_fragments" not in sniffer.counts


def test_a_decrypted_capture_that_does_not_say_so_is_known_by_pdus_that_fit(sniffer: Sniffer) -> None:
    sniffer.hears(LinkType.PPI, air.ppi(on_air(connect_ind(), ADVERTISING)))
    for number, (llid, payload) in enumerate(
        [(CONTROL, ENC_REQ), (CONTROL, START_ENC_REQ), (START, att(WRITE)), *fragments(LONG)]
    ):
        packet = on_air(data_pdu(llid, payload, number & 1, number & 1))[:-3] + bytes(3)
        sniffer.hears(LinkType.PPI, air.ppi(packet))

    assert [row[2] for row in sniffer.rows] == [WRITE, LONG]


def test_after_a_pause_the_link_is_read_again(sniffer: Sniffer) -> None:
    begin_encryption(sniffer)
    sniffer.hears_pdu(CENTRAL, data_pdu(CONTROL, b"\x0b", 0, 0))  # LL_PAUSE_ENC_RSP of the central is in plain text
    sniffer.hears_pdu(CENTRAL, data_pdu(START, att(WRITE), 1, 0))

    assert [row[2] for row in sniffer.rows] == [WRITE]


# Advertising


def test_names_and_services_are_taken_from_advertising_and_scan_responses(sniffer: Sniffer) -> None:
    for pdu in (
        air.adv_ind(bytes.fromhex("020106 0303 0d18 1106 0102030405060708090a0b0c0d0e0f10")),
        air.adv_ind(b"\x06\x09Dr-05", kind=4),
    ):
        sniffer.hears(LinkType.LE_LL_WITH_PHDR, phdr(on_air(pdu, ADVERTISING), flags=PHDR_ADVERTISING))

    assert sniffer.observations.names == {air.PERIPHERAL_TEXT: "Dr-05"}
    assert sniffer.observations.services == {air.PERIPHERAL_TEXT: {"180d", "100f0e0d-0c0b-0a09-0807-060504030201"}}


def test_extended_advertising_names_its_advertiser_and_a_request_on_a_data_channel_connects(sniffer: Sniffer) -> None:
    header = bytes([0x09, 0x09]) + air.PERIPHERAL + b"\x00\x10"  # AdvA and ADI
    pdu = bytes([0x47, len(header) + 7]) + header + b"\x06\x09Dr-05"
    sniffer.hears(LinkType.LE_LL_WITH_PHDR, phdr(on_air(pdu, ADVERTISING), flags=0x0C81))
    sniffer.hears(LinkType.LE_LL_WITH_PHDR, phdr(on_air(connect_ind(), ADVERTISING), flags=0x0C81))

    assert sniffer.observations.names == {air.PERIPHERAL_TEXT: "Dr-05"}
    assert [link.beginning_seen for link in sniffer.links] == [True]


# Whatever bytes

PACKETS = [
    on_air(connect_ind(), ADVERTISING),
    on_air(air.adv_ind(b"\x06\x09Dr-05"), ADVERTISING),
    on_air(data_pdu(START, att(WRITE), 0, 0)),
    on_air(data_pdu(CONTROL, ENC_REQ, 0, 0)),
    on_air(data_pdu(CONTROL, START_ENC_REQ, 1, 0)),
    *(on_air(data_pdu(llid, piece, number & 1, 0)) for number, (llid, piece) in enumerate(fragments(LONG))),
]
RECORDS = [
    *((LinkType.LE_LL, packet) for packet in PACKETS),
    *((LinkType.PPI, air.ppi(packet, clock=5)) for packet in PACKETS),
    *(
        (LinkType.LE_LL_WITH_PHDR, phdr(packet, flags=flags))
        for packet in PACKETS
        for flags in (0x0C01, 0x0D01, 0x8D81)
    ),
    *((LinkType.NORDIC_BLE, air.nordic(packet, version=v, flags=0x0B)) for packet in PACKETS for v in (1, 2, 3)),
]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[LinkType, bytes]:
    link_type, data = draw(st.sampled_from(RECORDS))
    octets = bytearray(data)
    for place, value in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=4)):
        octets[place] = value
    return link_type, bytes(octets[: draw(st.integers(0, len(octets)))] if draw(st.booleans()) else octets)


@settings(max_examples=300)
@given(
    st.lists(
        st.one_of(
            damaged(),
            st.tuples(
                st.sampled_from([251, 256, 272, 147, 192]).map(LinkType),
                st.binary(max_size=60),
            ),
        ),
        max_size=12,
    )
)
def test_no_bytes_whatsoever_raise_and_every_row_is_of_a_link(records: list[tuple[LinkType, bytes]]) -> None:
    sniffer = Sniffer()
    for link_type, data in records:
        sniffer.hears(link_type, data, original=len(data) + (len(data) % 3 == 0))

    for pdu in sniffer.pdus:
        assert pdu.link in sniffer.links
        assert pdu.side in (UNKNOWN_SIDE, CENTRAL, PERIPHERAL)
        assert pdu.pdu
