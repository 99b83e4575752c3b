"""Who sent a PDU when the sniffer does not say: never a wrong one, and on real captures the right one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.capture import att
from rig.capture.layers import link_layer
from rig.capture.layers.air import AirPacket, Kind
from rig.capture.layers.link_layer import LinkLayer
from rig.capture.layers.links import UNKNOWN_SIDE, AttPdu, Observations
from rig.capture.layers.turns import Turns
from rig.capture.records import LinkType, Record
from rig.capture.registry import open_reader
from tests.rig.capture import air_packets as air
from tests.rig.capture.air_packets import data_pdu

CAPTURES = Path(__file__).parents[2] / "captures"
INTERVAL_NS = 30_000_000
CENTRAL, PERIPHERAL = 0, 1


@dataclass
class Sent:
    side: int
    time_ns: int
    event: int
    pdu: bytes
    heard: bool


def conversation(
    seed: int, *, missed: float, lost: float, refused: float, timed_at_end: bool, events: int = 60
) -> Iterator[Sent]:
    """Two ends as Vol 6 Part B, 4.5.9 has them; the first PDU is always heard.

    Args:
        seed: of all chances.
        missed: the part of PDUs that the sniffer does not hear.
        lost: the part that the other end does not hear.
        refused: the part of new PDUs that the other end has no room for.
        timed_at_end: whether times are of the end of packets.
        events: connection events.
    """
    chance = random.Random(seed)
    sequence, expected = [0, 0], [0, 0]
    waiting: list[tuple[int, bytes] | None] = [None, None]
    first = True
    for event in range(events):
        time_ns, side, more_before = event * INTERVAL_NS, CENTRAL, False
        for _ in range(8):
            if waiting[side] is None:
                size = chance.choice([0, 0, 0, 7, 11, 27])
                waiting[side] = (2 if size else 1, chance.randbytes(size))
            llid, payload = waiting[side] or (1, b"")
            more = chance.random() < 0.3
            pdu = data_pdu(llid, payload, sequence[side], expected[side], more=more)
            duration = (8 + len(pdu)) * 8_000
            heard = first or chance.random() >= missed
            first = False
            yield Sent(side, time_ns + duration * timed_at_end, event, pdu, heard)
            time_ns += duration + 150_000
            other = 1 - side
            if chance.random() < lost:
                break
            if expected[side] != sequence[other]:
                sequence[other] ^= 1
                waiting[other] = None
            if sequence[side] == expected[other] and chance.random() >= refused:
                expected[other] ^= 1
            if side == PERIPHERAL and not more and not more_before:
                break
            more_before, side = more, other


def judged(sent: Iterator[Sent], interval_ns: int) -> Counter[str]:
    turns = Turns(from_beginning=True, interval_ns=interval_ns)
    result: Counter[str] = Counter()
    for one in sent:
        if one.heard:
            side = turns.sender(one.time_ns, one.event * 7 % 37, one.pdu, told=UNKNOWN_SIDE, flagged=UNKNOWN_SIDE)
            result["unknown" if side == UNKNOWN_SIDE else "right" if side == one.side else "wrong"] += 1
    return result


SEEDS = st.integers(0, 2**32)
INTERVALS = st.sampled_from([0, INTERVAL_NS])


@given(seed=SEEDS, lost=st.floats(0, 0.3), at_end=st.booleans(), interval_ns=INTERVALS)
def test_where_the_sniffer_hears_all_and_nothing_is_refused_every_sender_is_known(
    seed: int, lost: float, at_end: bool, interval_ns: int
) -> None:
    sent = conversation(seed, missed=0, lost=0, refused=0, timed_at_end=at_end)
    assert judged(sent, interval_ns).keys() == {"right"}

    with_losses = judged(conversation(seed, missed=0, lost=lost, refused=0, timed_at_end=at_end), interval_ns)
    assert with_losses["wrong"] == 0


@given(seed=SEEDS, missed=st.floats(0, 0.5), lost=st.floats(0, 0.3), at_end=st.booleans(), interval_ns=INTERVALS)
def test_what_the_sniffer_misses_never_makes_a_wrong_sender(
    seed: int, missed: float, lost: float, at_end: bool, interval_ns: int
) -> None:
    sent = conversation(seed, missed=missed, lost=lost, refused=0, timed_at_end=at_end)
    assert judged(sent, interval_ns)["wrong"] == 0


@given(seed=SEEDS, refused=st.floats(0, 0.2), lost=st.floats(0, 0.3), at_end=st.booleans(), interval_ns=INTERVALS)
def test_refusals_that_are_heard_never_make_a_wrong_sender(
    seed: int, refused: float, lost: float, at_end: bool, interval_ns: int
) -> None:
    sent = conversation(seed, missed=0, lost=lost, refused=refused, timed_at_end=at_end)
    assert judged(sent, interval_ns)["wrong"] == 0


def test_with_a_tenth_missed_most_senders_are_known_where_the_interval_is() -> None:
    result: Counter[str] = Counter()
    for seed in range(20):
        result += judged(conversation(seed, missed=0.1, lost=0.02, refused=0, timed_at_end=seed % 2 == 0), INTERVAL_NS)

    assert result["wrong"] == 0
    assert result["right"] > 2 * result["unknown"]


# Single steps


def ask(turns: Turns, time_us: float, pdu: bytes, *, channel: int = 5, told: int = -1, flagged: int = -1) -> int:
    return turns.sender(round(time_us * 1000), channel, pdu, told=told, flagged=flagged)


EMPTY = {(sn, nesn): data_pdu(1, b"", sn, nesn) for sn in (0, 1) for nesn in (0, 1)}


def test_in_mid_connection_nobody_is_known_until_contents_tell() -> None:
    turns = Turns(from_beginning=False)

    assert ask(turns, 0, EMPTY[0, 0]) == UNKNOWN_SIDE
    assert ask(turns, 230, EMPTY[0, 1]) == UNKNOWN_SIDE
    assert ask(turns, 30_000, EMPTY[1, 1], told=CENTRAL) == CENTRAL
    assert ask(turns, 30_230, EMPTY[1, 0]) == PERIPHERAL


@pytest.mark.parametrize(("gap_us", "side"), [(230, PERIPHERAL), (200, PERIPHERAL), (270, PERIPHERAL), (460, -1)])
def test_an_answer_comes_one_inter_frame_space_after_what_it_answers(gap_us: int, side: int) -> None:
    turns = Turns(from_beginning=False)
    ask(turns, 0, EMPTY[0, 0], flagged=CENTRAL)

    assert ask(turns, gap_us, EMPTY[0, 0]) == side  # of one parity: the counters do not tell them apart


def test_what_would_be_an_answer_or_the_same_side_after_a_missed_one_is_left_open() -> None:
    long = data_pdu(2, bytes(27), 1, 1)
    missed_between = Turns(from_beginning=False)
    ask(missed_between, 0, EMPTY[0, 0], flagged=CENTRAL)
    # 460 microseconds are an empty answer that was missed; or, were times of ends, this very packet as an answer.
    assert ask(missed_between, 460, long) == UNKNOWN_SIDE

    refused = Turns(from_beginning=False)
    ask(refused, 0, EMPTY[0, 0], flagged=CENTRAL)
    ask(refused, 230, EMPTY[0, 1], flagged=PERIPHERAL)
    assert ask(refused, 30_000, long, channel=6) == CENTRAL
    assert ask(refused, 30_446, EMPTY[1, 1], channel=6) == UNKNOWN_SIDE  # an answer that refuses, of the same parity


def test_a_link_that_does_not_begin_at_zero_is_not_heard_from_its_beginning() -> None:
    assert ask(Turns(from_beginning=True), 0, EMPTY[0, 1]) == UNKNOWN_SIDE
    assert ask(Turns(from_beginning=True), 0, EMPTY[0, 0]) == CENTRAL


def test_an_event_that_seems_to_begin_with_the_peripheral_makes_the_counters_count_for_nothing() -> None:
    turns = Turns(from_beginning=False)
    ask(turns, 0, EMPTY[0, 0], flagged=CENTRAL)
    ask(turns, 230, EMPTY[0, 1], flagged=PERIPHERAL)

    assert ask(turns, 30_000, EMPTY[1, 0], channel=6) == UNKNOWN_SIDE
    assert ask(turns, 60_000, EMPTY[0, 0], channel=7) == UNKNOWN_SIDE


def test_a_packet_on_another_channel_is_no_answer() -> None:
    turns = Turns(from_beginning=False)
    ask(turns, 0, EMPTY[0, 0], flagged=CENTRAL)

    assert ask(turns, 230, EMPTY[0, 0], channel=6) != PERIPHERAL


def test_after_a_change_of_phy_times_say_nothing() -> None:
    turns = Turns(from_beginning=False)
    ask(turns, 0, EMPTY[0, 0], flagged=CENTRAL)
    turns.phy_changes()

    assert ask(turns, 230, EMPTY[0, 0]) != PERIPHERAL


def test_after_a_change_of_interval_nothing_is_concluded_from_it_until_two_events_agree() -> None:
    turns = Turns(from_beginning=True, interval_ns=INTERVAL_NS)
    for event in range(3):
        bit = event & 1
        assert ask(turns, event * 30_000, EMPTY[bit, bit], channel=event) == CENTRAL
        assert ask(turns, event * 30_000 + 230, EMPTY[bit, 1 - bit], channel=event) == PERIPHERAL
    assert ask(turns, 90_230, EMPTY[1, 0], channel=3) == PERIPHERAL  # alone, and late: the central's was missed
    turns.interval_changes(15_000_000)

    assert ask(turns, 120_230, EMPTY[0, 1], channel=4) == UNKNOWN_SIDE


def test_the_container_is_believed_unless_turn_and_counters_both_say_otherwise() -> None:
    turns = Turns(from_beginning=True)
    ask(turns, 0, EMPTY[0, 0], flagged=CENTRAL)
    ask(turns, 230, EMPTY[0, 1], flagged=PERIPHERAL)

    assert ask(turns, 460, EMPTY[1, 1], flagged=PERIPHERAL) == CENTRAL
    assert ask(turns, 690, EMPTY[0, 0], flagged=PERIPHERAL) == PERIPHERAL
    assert ask(turns, 5_000, EMPTY[1, 1], flagged=PERIPHERAL) == PERIPHERAL

    only_the_turn = Turns(from_beginning=True)
    ask(only_the_turn, 0, EMPTY[0, 0], flagged=CENTRAL)
    ask(only_the_turn, 230, EMPTY[0, 1], flagged=PERIPHERAL)
    assert ask(only_the_turn, 460, EMPTY[1, 0], flagged=PERIPHERAL) == PERIPHERAL


# Real captures


def rows_of(name: str, observations: Observations | None = None) -> list[AttPdu]:
    layer = LinkLayer([], observations or Observations())
    return [pdu for record in open_reader(CAPTURES / name).records() for pdu in layer.feed(record)]


@pytest.mark.parametrize("name", ["whad-client__ble_pairing.pcap", "whad-client__ble_discovery.pcap"])
def test_without_its_direction_a_capture_gives_the_same_senders(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {(pdu.frame, pdu.pdu): pdu.side for pdu in rows_of(name)}
    read = link_layer._read

    def without_direction(record: Record) -> AirPacket | str | None:
        packet = read(record)
        if isinstance(packet, AirPacket) and packet.kind is Kind.DATA:
            return packet._replace(side=UNKNOWN_SIDE)
        return packet

    monkeypatch.setattr(link_layer, "_read", without_direction)
    inferred = {(pdu.frame, pdu.pdu): pdu.side for pdu in rows_of(name)}

    assert inferred == told
    assert set(told.values()) == {CENTRAL, PERIPHERAL}


def test_where_the_sniffer_takes_a_third_packet_of_an_event_for_a_second_the_conversation_says_who_is_right() -> None:
    observations = Observations()
    rows = rows_of("whad-client__ble_pairing.pcap", observations)
    by_frame = {pdu.frame: pdu for pdu in rows}

    # Frame 13 is flagged as the peripheral's. It asks for services, and 16, of the peripheral, answers.
    assert (by_frame[13].pdu[0], by_frame[13].side) == (att.READ_BY_GROUP_TYPE_REQUEST, CENTRAL)
    assert (by_frame[16].pdu[0], by_frame[16].side) == (att.READ_BY_GROUP_TYPE_RESPONSE, PERIPHERAL)
    # Frame 136 has no direction: it is the error that answers the request in 131.
    assert (by_frame[131].side, by_frame[136].pdu[0], by_frame[136].side) == (CENTRAL, att.ERROR_RESPONSE, PERIPHERAL)
    assert observations.counts["direction_conflicts"] == 5


@pytest.mark.parametrize(
    ("name", "unknown"), [("crackle__expected_output.pcap", 1), ("crackle__le_secure_connections.pcapng", 2)]
)
def test_captures_of_a_sniffer_that_never_tells_the_direction_have_answers_from_the_side_that_was_asked(
    name: str, unknown: int
) -> None:
    rows = rows_of(name)
    asked: dict[int, int] = {}
    answered = 0
    for pdu in rows:
        opcode = pdu.pdu[0]
        request = pdu.pdu[1] if opcode == att.ERROR_RESPONSE else att.RESPONSE_TO.get(opcode)
        if request is None:
            asked[opcode] = pdu.side
        elif UNKNOWN_SIDE not in (pdu.side, asked.get(request, UNKNOWN_SIDE)):
            assert (pdu.frame, pdu.side) == (pdu.frame, 1 - asked.pop(request))
            answered += 1

    assert sum(pdu.side == UNKNOWN_SIDE for pdu in rows) == unknown
    assert answered >= 10


def test_a_link_whose_first_pdus_are_of_one_parity_is_still_told_apart() -> None:
    sniffer = air.Sniffer()
    sniffer.hears(LinkType.LE_LL, air.on_air(air.connect_ind(), air.ADVERTISING))
    write = data_pdu(2, air.att(b"\x52\x06\x00\xaa"), 0, 0)
    sniffer.hears(LinkType.LE_LL, air.on_air(write))
    # The peripheral has no room for it: its NESN stays, and so does the parity of both.
    refusal = data_pdu(2, air.att(b"\x1b\x0d\x00\x01"), 0, 0)
    sniffer.hears(LinkType.LE_LL, air.on_air(refusal), after_us=150 + 8 * (8 + len(write)))

    assert [(row[0], row[1]) for row in sniffer.rows] == [(2, "central"), (3, "peripheral")]
