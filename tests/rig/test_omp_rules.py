"""The simulated OMP device keeps all ten rules, and each broken device breaks exactly its own."""

from __future__ import annotations

from functools import partial

import pytest

from protocols.omp_codec import FaultCode, Opcode, Request, Result, State
from rig.devices.omp import SENSE_S, SimulatedOmp
from rig.devices.omp_store import CAPACITY
from rig.devices.skin import Touch
from tests.rig.broken_omp import BROKEN
from tests.rig.omp_rules import RULES, Hand, broken

NUMBERS = range(1, 11)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_reference_keeps_the_rule(number: int, seed: int) -> None:
    assert broken(RULES[number - 1], partial(SimulatedOmp, seed)) == ()


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("rule", NUMBERS)
def test_a_broken_device_breaks_its_own_rule_and_no_other(number: int, rule: int) -> None:
    found = broken(RULES[rule - 1], BROKEN[number - 1])
    assert bool(found) is (number == rule), found


@pytest.mark.parametrize("ends", [Opcode.STOP, Opcode.PAUSE])
def test_what_ends_the_output_at_the_very_moment_of_its_start_ends_it(ends: Opcode) -> None:
    hand = Hand(SimulatedOmp())
    hand.ask(Opcode.REQUEST_CONTROL, 1)
    hand.ask(Opcode.SET_TARGET, 20)
    hand.ask(Opcode.START, 60)
    hand.ask(ends)
    assert hand.device.output_ua(hand.now + 10.0) == 0.0


def test_the_sequence_wraps_without_a_gap() -> None:
    hand = Hand(SimulatedOmp())
    hand.device._sequence = 0xFFFA
    hand.run(50, seconds=2.0)
    numbers = [telemetry.sequence for telemetry in hand.telemetry[:12]]
    assert numbers == [*range(0xFFFA, 0x10000), *range(6)]


def test_what_is_done_to_it_moves_a_deadline_that_was_asked_for_before() -> None:
    device = SimulatedOmp()
    device.connected(0.0)
    assert (device.deadline or 0.0) > 5.0  # the battery's next percent
    device.touch(Touch.LIFTED, 5.0)
    assert device.deadline == 5.0 + SENSE_S
    device.touch(Touch.LIFTED, 4.0)
    assert device.deadline == 4.0 + SENSE_S
    device.set_battery(50, 1.0)
    assert device.deadline == 1.0  # so much less has to be told at once


def test_what_was_reported_before_a_loss_of_power_is_not_deleted_after_it() -> None:
    hand = Hand(SimulatedOmp())
    hand.run()
    hand.ask(Opcode.STOP)
    hand.ask(Opcode.REPORT_RECORDS, 0)
    hand.advance(1.0)
    assert len(hand.records()) == 1
    hand.device.power_cycle(hand.now)
    hand.reconnect()
    hand.ask(Opcode.REQUEST_CONTROL, 8)
    answer = hand.raw(Request(Opcode.DELETE_RECORDS, (0,)).encode())
    assert answer.parameters == (0,)
    assert len(hand.device.store.records) == 1


def test_the_oldest_record_makes_room() -> None:
    hand = Hand(SimulatedOmp())
    hand.control()
    for _ in range(CAPACITY + 2):
        hand.ask(Opcode.START, 60)
        hand.advance(0.1)
        hand.ask(Opcode.STOP)
    assert [record.session_id for record in hand.device.store.records] == [*range(3, CAPACITY + 3)]


def test_a_late_call_finds_everything_at_its_own_time() -> None:
    """A host that hangs for a minute: the keep-alive lapsed a second after it, not when somebody looked."""
    hand = Hand(SimulatedOmp())
    hand.control(100)
    hand.ask(Opcode.START, 60)
    hand.ask(Opcode.KEEP_ALIVE, 5000)
    device = hand.device
    device.deadline_passed(60.0)
    assert device.output_ua(4.99) > 90
    assert 0 < device.output_ua(5.2) < 60
    assert device.output_ua(5.4) == 0.0
    assert device.output_ua(59.0) == 0.0


def test_the_battery_ends_the_output_before_it_is_empty() -> None:
    hand = Hand(SimulatedOmp())
    hand.device.set_battery(6, 0.0)
    hand.run()
    hand.keep(80.0)
    assert (hand.device.state, hand.device.fault) == (State.FAULT, FaultCode.BATTERY_LOW)
    assert hand.device.output_ua(hand.now) == 0.0
    assert hand.ask(Opcode.ACKNOWLEDGE_FAULT) is Result.FAILED
    hand.device.set_battery(50, hand.now)
    assert hand.ask(Opcode.ACKNOWLEDGE_FAULT) is Result.SUCCESS
    assert hand.device.state is State.READY


def test_too_much_current_is_the_devices_own_fault_to_find() -> None:
    hand = Hand(SimulatedOmp())
    hand.run(200, seconds=7.0)
    hand.device.stage.gain = 1.2
    hand.advance(0.15)
    assert (hand.device.state, hand.device.fault) == (State.FAULT, FaultCode.OVER_CURRENT)
    assert hand.device.output_ua(hand.now) == 0.0
