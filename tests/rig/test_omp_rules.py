"""The simulated OMP device keeps all ten rules, and each broken device breaks exactly its own."""

from __future__ import annotations

from functools import partial

import pytest

from rig.devices.omp import SimulatedOmp
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


def test_the_sequence_wraps_without_a_gap() -> None:
    hand = Hand(SimulatedOmp())
    hand.device._sequence = 0xFFFA
    hand.run(50, seconds=2.0)
    numbers = [telemetry.sequence for telemetry in hand.telemetry[:12]]
    assert numbers == [*range(0xFFFA, 0x10000), *range(6)]
