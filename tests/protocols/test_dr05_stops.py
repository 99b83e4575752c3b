"""A stop always wins: every race between a stop and whatever else is on its way (safety case, H3)."""

from __future__ import annotations

import pytest

from protocols.frames import encode
from protocols.gatt import Disconnect, Write
from protocols.machine import LocalProtocolError
from protocols.model import (
    Acknowledged,
    Fault,
    QueryTemperature,
    QueryVersion,
    Refusal,
    Rejected,
    Repeated,
    SetIntensity,
    StartOutput,
    StopOutput,
    TotalStop,
    Unanswered,
    Unrecognised,
)
from tests.protocols.talk import (
    ACCEPTED,
    FFE1,
    LOW,
    LOWEST,
    REFUSED,
    START,
    STEP,
    STOP,
    TOTAL_STOP,
    Talk,
    energy,
    reply,
)

STOP_LOW = encode(0x31, 0x02, 0x06, order=LOW)
URGENT = Write(FFE1, TOTAL_STOP, with_response=False, urgent=True)
BEHIND = Write(FFE1, TOTAL_STOP, with_response=False)


def starting() -> Talk:
    """A start is in flight; the radio has not said that it left."""
    talk = Talk.ready()
    talk.asks(SetIntensity(LOWEST), answered=True)
    talk.asks(StartOutput())
    talk.look()
    return talk


def test_a_stop_is_written_at_once_in_front_and_instead_of_everything_queued() -> None:
    talk = Talk.running()
    talk.asks(QueryTemperature())
    talk.asks(QueryVersion())
    talk.asks(SetIntensity(0))
    talk.look()
    talk.asks(TotalStop())
    superseded = Refusal.SUPERSEDED
    assert talk.operations == [URGENT]
    assert talk.events == [
        Rejected(QueryTemperature(), superseded),
        Rejected(SetIntensity(0), superseded),
        Rejected(QueryVersion(), superseded),
    ]
    talk.look()
    talk.hears(reply(TOTAL_STOP))
    talk.waits(5.0)
    assert talk.look() == ([], [Acknowledged(TotalStop(), 0.0)])
    talk.asks(SetIntensity(LOWEST))
    talk.hears(reply(energy(LOWEST)))
    assert talk.look()[0] == [energy(LOWEST)]  # and nothing that had been queued before the stop


def test_a_start_that_has_left_the_radio_needs_one_stop_and_its_late_echo_changes_nothing() -> None:
    talk = starting()
    talk.take(talk.protocol.operation_done(Write(FFE1, START, with_response=False), 0.0))
    talk.asks(TotalStop())
    assert talk.operations == [URGENT]
    talk.hears(reply(START))
    assert talk.protocol.output_possible
    talk.hears(reply(TOTAL_STOP))
    assert not talk.protocol.output_possible
    assert [type(event) for event in talk.events] == [Rejected, Acknowledged]


def test_a_start_that_may_still_wait_in_the_radio_is_followed_by_a_second_stop() -> None:
    """The urgent stop overtakes the start; the device would stop first and start then."""
    talk = starting()
    talk.asks(TotalStop())
    assert talk.operations == [URGENT, BEHIND]
    talk.hears(reply(TOTAL_STOP))  # the one that overtook
    assert talk.protocol.output_possible
    talk.hears(reply(START))
    assert talk.protocol.output_possible
    talk.hears(reply(TOTAL_STOP))
    assert not talk.protocol.output_possible


def test_the_repetition_of_such_a_stop_goes_behind_the_start_again() -> None:
    talk = starting()
    talk.asks(TotalStop())
    talk.waits(0.3)
    assert talk.operations == [URGENT, BEHIND, URGENT, BEHIND]
    talk.hears(reply(TOTAL_STOP))
    talk.hears(reply(TOTAL_STOP))
    assert talk.protocol.output_possible  # both may be the urgent ones
    talk.hears(reply(TOTAL_STOP))
    assert not talk.protocol.output_possible


def test_h3_a_stop_between_two_writings_of_a_start_is_not_taken_for_the_stop_behind_both() -> None:
    """The first writing has left, the repetition waits in the radio: the urgent stop overtakes the latter alone."""
    talk = starting()
    talk.waits(0.5)
    talk.look()
    talk.asks(TotalStop())
    assert talk.operations == [URGENT, BEHIND]
    for echo in (START, TOTAL_STOP, START):
        talk.hears(reply(echo))
        assert talk.protocol.output_possible
    talk.hears(reply(TOTAL_STOP))
    assert not talk.protocol.output_possible
    assert [type(event) for event in talk.events] == [Rejected, Acknowledged]


def test_a_start_that_the_radio_gave_up_may_have_arrived_all_the_same() -> None:
    talk = starting()
    talk.take(talk.protocol.operation_failed(Write(FFE1, START, with_response=False), "timeout", 0.0))
    assert talk.look() == ([], [Rejected(StartOutput(), Refusal.RADIO)])
    assert talk.protocol.output_possible


def test_a_start_that_nobody_answers_counts_as_output() -> None:
    talk = starting()
    talk.waits(5.0)
    assert talk.events[-1] == Unanswered(StartOutput(), 3)
    assert talk.protocol.output_possible
    talk.look()
    talk.hears(reply(START))  # late, and expected: no fault
    assert talk.look() == ([], [])


def test_a_start_refused_for_its_checksum_counts_as_output_until_a_stop_is_acknowledged() -> None:
    talk = starting()
    talk.hears(reply(START, REFUSED))
    talk.hears(reply(START, REFUSED))
    assert talk.events == [Rejected(StartOutput(), Refusal.CHECKSUM)]
    assert talk.protocol.output_possible


@pytest.mark.parametrize("while_stopping", [False, True])
def test_the_echo_of_a_start_that_nobody_asked_for_is_a_fault_and_counts_as_output(while_stopping: bool) -> None:
    talk = Talk.ready()
    if while_stopping:
        talk.asks(StopOutput())
        talk.look()
    talk.hears(reply(START))
    assert [type(event) for event in talk.events] == [Fault]
    assert talk.protocol.output_possible
    talk.hears(reply(STOP))
    assert talk.protocol.output_possible is not while_stopping


def test_the_echo_of_a_stop_that_nobody_asked_for_proves_nothing() -> None:
    talk = Talk.running()
    talk.hears(reply(TOTAL_STOP))
    talk.hears(reply(STOP))
    assert [type(event) for event in talk.events] == [Unrecognised, Unrecognised]
    assert talk.protocol.output_possible


@pytest.mark.parametrize("para", [energy(50), encode(0x32, 0x02, 0x0D, b"\x02")])
def test_a_level_or_mode_that_nobody_asked_for_is_a_fault_while_output_is_possible(para: bytes) -> None:
    talk = Talk.running()
    talk.now = 10.0
    talk.hears(reply(para))
    assert [type(event) for event in talk.events] == [Fault]
    with pytest.raises(LocalProtocolError):
        talk.asks(SetIntensity(LOWEST + STEP))


def test_the_late_echo_of_an_older_stop_does_not_acknowledge_a_newer_one_past_a_start() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    talk.waits(0.3)  # written twice
    talk.hears(reply(TOTAL_STOP))
    assert not talk.protocol.output_possible
    # Nobody waits for the second echo here, and the device is slow:
    talk.asks(SetIntensity(LOWEST))
    talk.take(talk.protocol.operation_done(talk.operations[-1], talk.now))
    talk.waits(1.5)  # given up: three writes, none answered
    talk.look()
    talk.asks(TotalStop())
    talk.hears(reply(TOTAL_STOP))  # of the older one
    assert Acknowledged(TotalStop(), 0.0) not in talk.events
    talk.hears(reply(energy(LOWEST)))
    talk.hears(reply(TOTAL_STOP))
    talk.hears(reply(TOTAL_STOP))
    assert talk.events[-1] == Acknowledged(TotalStop(), 0.0)


def test_nothing_else_is_accepted_while_a_stop_is_unanswered() -> None:
    talk = Talk.running()
    talk.asks(StopOutput())
    for command in (StartOutput(), SetIntensity(LOWEST), SetIntensity(0), QueryTemperature()):
        with pytest.raises(LocalProtocolError, match="a stop is not acknowledged yet"):
            talk.asks(command)


def test_a_total_stop_takes_the_place_of_a_pending_stop_of_the_output_and_ends_the_link_no_later() -> None:
    talk = Talk.running()
    talk.asks(StopOutput())
    talk.waits(0.45)
    talk.look()
    talk.asks(TotalStop())
    assert talk.operations == [URGENT]
    assert talk.events == [Rejected(StopOutput(), Refusal.SUPERSEDED)]
    talk.hears(reply(STOP))  # of the overtaken one: the total stop is still awaited
    assert talk.protocol.output_possible
    talk.waits(0.45)
    assert [type(operation) for operation in talk.operations] == [Write, Write, Disconnect]
    assert talk.events[-1] == Unanswered(TotalStop(), 3)


def test_a_stop_of_the_output_joins_a_pending_total_stop() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    talk.asks(StopOutput())
    assert talk.operations == [URGENT, URGENT]
    talk.hears(reply(TOTAL_STOP))
    assert talk.events == [Acknowledged(TotalStop(), 0.0), Acknowledged(StopOutput(), 0.0)]


def test_pressing_stop_again_and_again_writes_each_time_and_postpones_nothing() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    for _ in range(17):
        talk.waits(0.05)
        talk.asks(TotalStop())
    assert talk.operations.count(URGENT) == 20
    talk.waits(0.05)
    assert [type(operation) for operation in talk.operations[-1:]] == [Disconnect]


def test_a_stop_that_the_radio_cannot_write_is_repeated_at_once_and_then_the_link_is_ended() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    for expected in ([URGENT], [URGENT]):
        talk.operations = []
        talk.take(talk.protocol.operation_failed(URGENT, "busy", 0.0))
        assert talk.operations == expected
    talk.operations = []
    talk.take(talk.protocol.operation_failed(URGENT, "busy", 0.0))
    assert talk.operations == [Disconnect("the stop could not be written: busy")]
    assert talk.events == [Repeated(TotalStop(), 2), Repeated(TotalStop(), 3), Unanswered(TotalStop(), 3)]
    assert talk.protocol.output_possible


def test_a_stop_refused_for_its_checksum_is_repeated_at_once_the_other_order_first() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    talk.look()
    talk.hears(reply(TOTAL_STOP, REFUSED))
    assert talk.look() == ([STOP_LOW, TOTAL_STOP], [Repeated(TotalStop(), 2)])
    assert talk.protocol.output_possible
    talk.hears(reply(TOTAL_STOP, REFUSED))  # to the low-first one
    talk.hears(reply(TOTAL_STOP))
    assert not talk.protocol.output_possible
    assert talk.events[-1] == Acknowledged(TotalStop(), 0.0)


def test_a_device_that_refuses_every_stop_is_disconnected_and_not_written_to_for_ever() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    for _ in range(20):
        talk.hears(reply(TOTAL_STOP, REFUSED))
    assert len(talk.operations) == 1 + 2 + 2
    talk.waits(0.3)
    assert [type(operation) for operation in talk.operations[5:]] == [Disconnect]


def test_a_disconnection_that_fails_or_does_not_happen_is_asked_for_again() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    talk.waits(0.9)
    ending = talk.operations[-1]
    assert isinstance(ending, Disconnect)
    talk.operations = []
    talk.take(talk.protocol.operation_failed(ending, "busy", talk.now))
    talk.waits(0.3)
    assert talk.operations == [ending]
    talk.waits(1.0)
    assert talk.operations == [ending, ending]
    talk.asks(TotalStop())
    assert talk.operations == [ending, ending, ending]
    with pytest.raises(LocalProtocolError, match="link has ended"):
        talk.asks(QueryVersion())
    talk.take(talk.protocol.operation_done(ending, talk.now))
    assert talk.protocol.deadline is None
    assert talk.protocol.output_possible


def test_after_the_link_was_given_up_a_late_echo_changes_nothing() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    talk.waits(0.9)
    talk.look()
    talk.hears(reply(TOTAL_STOP))
    assert talk.look() == ([], [])
    assert talk.protocol.output_possible


def test_a_stop_echo_lost_with_the_link_is_not_an_acknowledgement() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    talk.take(talk.protocol.link_lost(0.1))
    assert talk.events == [Rejected(TotalStop(), Refusal.RADIO)]
    assert not talk.protocol.output_possible


def test_a_stop_that_is_due_again_goes_out_before_everything_else_that_is_due() -> None:
    talk = Talk()
    talk.begin()
    talk.now = 0.7
    talk.asks(TotalStop())
    talk.look()
    talk.now = 1.0
    talk.take(talk.protocol.deadline_passed(1.0))
    assert talk.operations[0] == URGENT
    assert not all(isinstance(operation, Write) and operation.urgent for operation in talk.operations)


def test_a_deadline_met_early_does_nothing() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    talk.look()
    talk.take(talk.protocol.deadline_passed(0.2))
    assert talk.look() == ([], [])
    talk.take(talk.protocol.deadline_passed(0.3 - 1e-10))  # asyncio may be early by its clock's resolution
    assert talk.look()[0] == [TOTAL_STOP]


def test_a_stop_when_nothing_runs_is_written_and_acknowledged_all_the_same() -> None:
    talk = Talk.ready()
    talk.asks(StopOutput())
    assert talk.look()[0] == [STOP]
    assert not talk.protocol.output_possible
    talk.hears(encode(0x31, ACCEPTED, 0x03, b"\x00"))
    assert talk.events == [Acknowledged(StopOutput(), 0.0)]
