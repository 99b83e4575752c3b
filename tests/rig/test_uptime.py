"""A simulated device on a computer that has been on for a day: what runs with time begins when it comes on the air."""

from __future__ import annotations

import asyncio

import pytest

from rig.clock import run
from rig.devices.foreo import SimulatedForeo
from rig.devices.model import SimulatedDevice
from rig.devices.omp import SimulatedOmp
from rig.devices.skin import BODY_C, Skin, Touch, TouchEvent
from rig.radio.fault_plan import FaultPlan
from rig.radio.faults import FaultyDevice
from rig.radio.link import VirtualRadio

DAY_S = 86_400.0


def on_the_air_after_a_day(device: SimulatedDevice) -> None:
    async def work() -> None:
        await asyncio.sleep(DAY_S)
        async with VirtualRadio() as radio:
            await radio.add_device(device)

    run(work())


@pytest.mark.parametrize("seed", [0, 7])
def test_the_battery_is_as_full_as_it_was_when_it_was_switched_on(seed: int) -> None:
    device = SimulatedForeo(seed=seed)
    full = device.battery_percent(0.0)
    on_the_air_after_a_day(device)
    assert device.battery_percent(DAY_S) == full
    assert device.battery_percent(DAY_S + 7200.0) < full


def test_the_gel_is_fresh_and_the_skin_cool() -> None:
    device = SimulatedOmp(1)
    on_the_air_after_a_day(device)
    assert device.skin.dryness(DAY_S) == 0.0
    assert device.skin.dryness(DAY_S + 300.0) == pytest.approx(0.5)
    assert device.skin.temperature_c(DAY_S) == Skin(1).temperature_c(0.0) < BODY_C


def test_a_device_behind_faults_hears_of_it_too() -> None:
    device = SimulatedForeo()
    full = device.battery_percent(0.0)
    on_the_air_after_a_day(FaultyDevice(device, FaultPlan(faults=())))
    assert device.battery_percent(DAY_S) == full


def test_on_the_air_again_the_same_gel_has_gone_on_drying() -> None:
    skin = Skin(1)
    skin.begin(DAY_S)
    skin.begin(DAY_S + 60.0)
    assert skin.dryness(DAY_S + 60.0) == pytest.approx(0.1)


def test_what_happened_on_the_skin_is_not_forgotten_by_its_beginning() -> None:
    skin = Skin(1, events=(TouchEvent(DAY_S + 5.0, Touch.LIFTED),))
    skin.begin(DAY_S)
    assert skin.touching(DAY_S + 4.0) is Touch.PLACED
    assert skin.touching(DAY_S + 6.0) is Touch.LIFTED
