"""How a Dr-05 is found behind its UART module, and in which byte order it reads."""

from __future__ import annotations

import pytest

from protocols.dr05 import SETTLE_S, Dr05
from protocols.frames import encode
from protocols.gatt import Characteristic, Disconnect, Property, Service, Subscribe, Write, uuid
from protocols.machine import LocalProtocolError, UnsupportedDeviceError
from protocols.model import (
    Acknowledged,
    HandshakeFailed,
    QueryVersion,
    Ready,
    Refusal,
    Rejected,
    Repeated,
    TotalStop,
    Unanswered,
    Unrecognised,
)
from tests.protocols.talk import (
    ACCEPTED,
    ACTION,
    FFE1,
    GET_VERSION,
    HIGH,
    LOW,
    REFUSED,
    REQUEST,
    TOTAL_STOP,
    Talk,
    reply,
)

VERSION_LOW = encode(0x33, REQUEST, 0x40, order=LOW)
STOP_LOW = encode(ACTION, REQUEST, 0x06, order=LOW)
FFF1, FFF2 = uuid("fff1"), uuid("fff2")
NUS = "6e40000{}-b5a3-f393-e0a9-e50e24dcca9e"
NOTIFY, WRITE, COMMAND = Property.NOTIFY, Property.WRITE, Property.WRITE_WITHOUT_RESPONSE
FFF0_SERVICE = Service(uuid("fff0"), (Characteristic(FFF1, NOTIFY), Characteristic(FFF2, WRITE)))


def version(order: object = HIGH, state: int = 0x01) -> bytes:
    return reply(GET_VERSION, state, b"\x02\x01" if state else b"", order=LOW if order is LOW else HIGH)


def test_the_first_question_is_the_version_high_byte_first_after_enabling_notifications() -> None:
    talk = Talk()
    talk.begin()
    assert talk.operations == [Subscribe(FFE1), Write(FFE1, GET_VERSION, with_response=False)]


def test_notifications_are_enabled_at_once_and_the_question_waits_until_the_firmware_listens() -> None:
    talk = Talk()
    talk.connects()
    assert talk.operations == [Subscribe(FFE1)]
    assert talk.protocol.output_possible
    talk.waits(SETTLE_S - 0.001)
    talk.take(talk.protocol.deadline_passed(talk.now))  # early: nothing is due
    assert talk.operations == [Subscribe(FFE1)]
    talk.waits(-talk.now)  # until second 0
    assert talk.operations == [Subscribe(FFE1), Write(FFE1, GET_VERSION, with_response=False)]
    talk.waits(0.999)
    assert len(talk.operations) == 2
    talk.waits(0.001)
    assert talk.operations[2:] == [Write(FFE1, VERSION_LOW, with_response=False)]


@pytest.mark.parametrize("state", [ACCEPTED, REFUSED])
def test_a_version_that_nobody_asked_for_yet_teaches_no_byte_order(state: int) -> None:
    talk = Talk()
    talk.connects()
    talk.look()
    talk.hears(version(LOW, state))
    writes, events = talk.look()
    assert writes == []
    assert [type(event) for event in events] == [Unrecognised]
    talk.waits(SETTLE_S)
    assert talk.look() == ([GET_VERSION], [])
    talk.hears(version())
    assert talk.look() == ([TOTAL_STOP], [])


def test_a_bridge_that_cannot_be_subscribed_is_passed_over_and_the_next_one_is_asked_no_earlier() -> None:
    talk = Talk((*Talk()._services, FFF0_SERVICE))
    talk.connects()
    talk.waits(0.05)
    talk.take(talk.protocol.operation_failed(Subscribe(FFE1), "not permitted", talk.now))
    assert talk.operations == [Subscribe(FFE1), Subscribe(FFF1)]
    talk.waits(SETTLE_S - 0.051)
    assert len(talk.operations) == 2
    talk.waits(-talk.now)
    assert talk.operations[2:] == [Write(FFF2, GET_VERSION, with_response=True)]


def test_h3_a_total_stop_is_written_at_once_while_the_firmware_may_not_listen_yet_and_repeated_until_it_does() -> None:
    """H3: nothing delays a stop, and one that was lost before the firmware listened is written again."""
    talk = Talk()
    talk.connects()
    talk.look()
    talk.asks(TotalStop())
    both = [
        Write(FFE1, TOTAL_STOP, with_response=False, urgent=True),
        Write(FFE1, STOP_LOW, with_response=False, urgent=True),
    ]
    assert talk.operations == both
    assert talk.protocol.output_possible
    talk.look()
    talk.waits(SETTLE_S)
    assert talk.look() == ([GET_VERSION], [])
    talk.waits(0.3 - SETTLE_S)
    assert talk.operations == both
    assert talk.look()[1] == [Repeated(TotalStop(), 2)]
    talk.hears(reply(TOTAL_STOP))
    assert talk.look()[1] == [Acknowledged(TotalStop(), pytest.approx(0.3))]
    assert not talk.protocol.output_possible
    talk.hears(version())
    assert talk.look()[1] == [Ready("2.1")]


def test_h3_a_total_stop_that_nobody_answers_ends_the_link_as_early_when_asked_before_the_first_question() -> None:
    """H3: three tries, 300 ms apart, count from the person's stop and from nothing else."""
    talk = Talk()
    talk.connects()
    asked = talk.now
    talk.asks(TotalStop())
    talk.waits(0.899)
    assert Disconnect not in [type(operation) for operation in talk.operations]
    talk.waits(0.001)
    assert talk.now == pytest.approx(asked + 0.9)
    assert isinstance(talk.operations[-1], Disconnect)
    assert Unanswered(TotalStop(), 3) in talk.events


def test_a_link_lost_before_the_first_question_leaves_nothing_to_ask() -> None:
    talk = Talk()
    talk.connects()
    talk.look()
    talk.take(talk.protocol.link_lost(talk.now))
    assert talk.protocol.deadline is None
    talk.waits(1.0)
    talk.take(talk.protocol.deadline_passed(talk.now))
    assert talk.look() == ([], [])


def test_a_high_first_device_is_known_by_its_first_answer_and_stopped_before_it_is_ready() -> None:
    talk = Talk()
    talk.begin()
    talk.look()
    talk.hears(version())
    assert talk.look() == ([bytes.fromhex("55AA0500A63102066BF2")], [])
    assert talk.protocol.output_possible
    talk.hears(reply(TOTAL_STOP))
    assert talk.look() == ([], [Ready("2.1")])
    assert not talk.protocol.output_possible


@pytest.mark.parametrize("answer", ["refused", "silence"])
def test_a_low_first_device_is_found_after_a_refusal_or_a_second_of_silence(answer: str) -> None:
    talk = Talk()
    talk.begin()
    talk.look()
    if answer == "refused":
        talk.hears(version(LOW, REFUSED))
    else:
        talk.waits(0.999)
        assert talk.look() == ([], [])
        talk.waits(0.001)
    assert talk.look() == ([VERSION_LOW], [])
    talk.hears(version(LOW))
    assert talk.look() == ([STOP_LOW], [])
    talk.hears(reply(TOTAL_STOP, order=LOW))
    assert talk.look() == ([], [Ready("2.1")])
    talk.asks(QueryVersion())
    assert talk.look() == ([VERSION_LOW], [])


def test_an_answer_that_comes_after_the_order_was_changed_is_taken_for_the_order_it_is_written_in() -> None:
    talk = Talk()
    talk.begin()
    talk.waits(1.0)
    talk.look()
    talk.hears(version(HIGH))  # late, to the first question
    assert talk.look() == ([TOTAL_STOP], [])


def test_a_lost_answer_of_a_high_first_device_costs_a_round_and_not_the_device() -> None:
    talk = Talk()
    talk.begin()
    talk.waits(1.0)
    talk.look()
    talk.hears(version(HIGH, REFUSED))  # to the low-first question
    assert talk.look() == ([GET_VERSION], [])
    talk.hears(version(HIGH))
    assert talk.look() == ([TOTAL_STOP], [])


def test_a_silent_device_is_given_up_after_both_orders() -> None:
    talk = Talk()
    talk.begin()
    talk.waits(10.0)
    writes, events = talk.look()
    assert writes == [GET_VERSION, VERSION_LOW]
    assert [type(event) for event in events] == [HandshakeFailed]
    assert talk.protocol.deadline is None
    talk.hears(version())
    assert talk.look() == ([], [])


def test_a_device_that_refuses_everything_is_given_up_too() -> None:
    talk = Talk()
    talk.begin()
    for _ in range(4):
        talk.hears(version(HIGH, REFUSED))
    writes, events = talk.look()
    assert writes == [GET_VERSION, VERSION_LOW] * 2
    assert [type(event) for event in events] == [HandshakeFailed]


def test_the_next_bridge_is_tried_when_the_first_stays_silent() -> None:
    talk = Talk((FFF0_SERVICE, *Talk()._services))
    talk.begin()
    talk.waits(2.0)
    assert talk.operations == [
        Subscribe(FFE1),
        Write(FFE1, GET_VERSION, with_response=False),
        Write(FFE1, VERSION_LOW, with_response=False),
        Subscribe(FFF1),
        Write(FFF2, GET_VERSION, with_response=True),
    ]
    talk.look()
    talk.hears(version(), FFE1)  # not the bridge that was asked
    assert talk.look()[0] == []
    talk.hears(version(), FFF1)
    assert talk.operations == [Write(FFF2, TOTAL_STOP, with_response=True, urgent=True)]
    talk.hears(reply(TOTAL_STOP), FFF1)
    assert talk.events[-1] == Ready("2.1")


@pytest.mark.parametrize("which", [Subscribe(FFE1), Write(FFE1, GET_VERSION, with_response=False)])
def test_a_bridge_that_the_radio_cannot_use_is_passed_over_at_once(which: Subscribe | Write) -> None:
    talk = Talk((*Talk()._services, FFF0_SERVICE))
    talk.begin()
    talk.look()
    talk.take(talk.protocol.operation_failed(which, "not permitted", talk.now))
    assert talk.operations == [Subscribe(FFF1), Write(FFF2, GET_VERSION, with_response=True)]
    talk.take(talk.protocol.operation_failed(Subscribe(FFF1), "not permitted", talk.now))
    assert [type(event) for event in talk.events] == [HandshakeFailed]


def test_the_second_of_patience_begins_when_the_question_has_left() -> None:
    talk = Talk()
    talk.begin()
    talk.now = 0.8
    talk.take(talk.protocol.operation_done(Write(FFE1, GET_VERSION, with_response=False), 0.8))
    assert talk.protocol.deadline == 1.8


@pytest.mark.parametrize(
    ("service", "notify", "write", "with_response"),
    [
        (Service(uuid("ffe0"), (Characteristic(FFE1, NOTIFY | WRITE | COMMAND),)), FFE1, FFE1, False),
        (Service(uuid("ffe0"), (Characteristic(FFE1, NOTIFY | WRITE),)), FFE1, FFE1, True),
        (
            Service(uuid("ffe0"), (Characteristic(FFE1, NOTIFY), Characteristic(uuid("ffe2"), COMMAND))),
            FFE1,
            uuid("ffe2"),
            False,
        ),
        (
            Service(uuid("ffe0"), (Characteristic(FFE1, WRITE), Characteristic(uuid("ffe2"), NOTIFY))),
            uuid("ffe2"),
            FFE1,
            True,
        ),
        (FFF0_SERVICE, FFF1, FFF2, True),
        (
            Service(NUS.format(1), (Characteristic(NUS.format(2), COMMAND), Characteristic(NUS.format(3), NOTIFY))),
            NUS.format(3),
            NUS.format(2),
            False,
        ),
        (
            Service(
                "49535343-fe7d-4ae5-8fa9-9fafd205e455",
                (
                    Characteristic("49535343-1e4d-4bd9-ba61-23c647249616", Property.INDICATE),
                    Characteristic("49535343-8841-43f4-a8d4-ecbe34729bb3", WRITE),
                ),
            ),
            "49535343-1e4d-4bd9-ba61-23c647249616",
            "49535343-8841-43f4-a8d4-ecbe34729bb3",
            True,
        ),
    ],
    ids=["FFE0 both", "FFE0 with response", "FFE0 apart", "FFE0 swapped", "FFF0", "Nordic", "ISSC"],
)
def test_every_known_uart_bridge_is_found_and_written_as_its_properties_say(
    service: Service, notify: str, write: str, with_response: bool
) -> None:
    protocol = Dr05()
    assert protocol.start((service,), 0.0).operations == (Subscribe(notify),)
    assert protocol.deadline == SETTLE_S
    assert protocol.deadline_passed(SETTLE_S).operations == (Write(write, GET_VERSION, with_response),)


@pytest.mark.parametrize(
    "services",
    [
        (),
        (Service(uuid("180a"), ()),),
        (Service(uuid("fff0"), (Characteristic(FFF1, WRITE),)),),  # a FOREO has this one
        (Service(uuid("ffe0"), (Characteristic(FFE1, NOTIFY),)),),
    ],
)
def test_services_without_a_known_bridge_are_refused_with_what_was_found(services: tuple[Service, ...]) -> None:
    with pytest.raises(UnsupportedDeviceError, match="services found: "):
        Dr05().start(services, 0.0)


def test_nothing_but_a_stop_is_accepted_before_the_device_is_ready() -> None:
    talk = Talk()
    talk.begin()
    with pytest.raises(LocalProtocolError, match="handshake"):
        talk.asks(QueryVersion())


def test_a_total_stop_before_the_order_is_known_is_written_in_both_orders_and_teaches_nothing() -> None:
    talk = Talk()
    talk.begin()
    talk.look()
    talk.asks(TotalStop())
    assert talk.operations == [
        Write(FFE1, TOTAL_STOP, with_response=False, urgent=True),
        Write(FFE1, STOP_LOW, with_response=False, urgent=True),
    ]
    talk.look()
    talk.now = 0.1
    talk.hears(reply(TOTAL_STOP, REFUSED, order=LOW))  # a low-first device: to the first of the two
    assert talk.look() == ([], [])
    talk.hears(reply(TOTAL_STOP, order=LOW))
    assert talk.look() == ([], [Acknowledged(TotalStop(), 0.1)])
    assert not talk.protocol.output_possible
    talk.hears(version(LOW, REFUSED))
    assert talk.look() == ([VERSION_LOW], [])
    talk.hears(version(LOW))
    assert talk.look() == ([], [Ready("2.1")])  # known to be off already


def test_a_total_stop_goes_to_every_bridge_while_the_right_one_is_not_known() -> None:
    talk = Talk((FFF0_SERVICE, *Talk()._services))
    talk.begin()
    talk.look()
    talk.asks(TotalStop())
    assert talk.operations == [
        Write(FFE1, TOTAL_STOP, with_response=False, urgent=True),
        Write(FFE1, STOP_LOW, with_response=False, urgent=True),
        Write(FFF2, TOTAL_STOP, with_response=True, urgent=True),
        Write(FFF2, STOP_LOW, with_response=True, urgent=True),
    ]


def test_a_total_stop_before_the_services_are_known_ends_the_link() -> None:
    reaction = Dr05().command(TotalStop(), 0.0)
    assert [type(operation) for operation in reaction.operations] == [Disconnect]
    assert reaction.events == (Rejected(TotalStop(), Refusal.RADIO),)


def test_a_device_that_does_not_confirm_the_opening_stop_is_never_ready() -> None:
    talk = Talk()
    talk.begin()
    talk.hears(version())
    talk.look()
    talk.waits(0.9)
    assert [type(operation) for operation in talk.operations] == [Write, Write, Disconnect]
    assert [type(event) for event in talk.events] == [Repeated, Repeated, HandshakeFailed]
    assert talk.protocol.output_possible


def test_a_total_stop_of_the_person_joins_the_opening_stop() -> None:
    talk = Talk()
    talk.begin()
    talk.hears(version())
    talk.look()
    talk.asks(TotalStop())
    assert talk.look() == ([TOTAL_STOP], [])
    talk.hears(reply(TOTAL_STOP))
    assert talk.look() == ([], [Acknowledged(TotalStop(), 0.0), Ready("2.1")])


def test_a_total_stop_on_a_device_whose_handshake_failed_is_still_tried_and_then_the_link_ended() -> None:
    talk = Talk()
    talk.begin()
    talk.waits(2.0)
    talk.look()
    talk.asks(TotalStop())
    talk.waits(0.9)
    writes, events = talk.look()
    assert writes == [TOTAL_STOP, STOP_LOW] * 3
    assert Unanswered(TotalStop(), 3) in events


def test_a_question_pushed_out_of_the_radio_by_a_stop_is_asked_again() -> None:
    talk = Talk()
    talk.begin()
    talk.asks(TotalStop())
    talk.look()
    talk.take(talk.protocol.operation_failed(Write(FFE1, GET_VERSION, with_response=False), "overtaken", talk.now))
    talk.hears(reply(TOTAL_STOP))
    talk.waits(1.0)
    assert talk.look() == ([VERSION_LOW], [Acknowledged(TotalStop(), 0.0)])
    talk.hears(version(HIGH, REFUSED))
    talk.hears(version())
    assert talk.look() == ([GET_VERSION], [Ready("2.1")])
