"""The Dr-05's protocol and the simulated device find each other through every UART module, in either byte order."""

from __future__ import annotations

import pytest

from protocols.dr05 import Dr05
from protocols.model import Ready, SetIntensity, StartOutput, TotalStop
from rig.devices.dr05 import Bridge, SimulatedDr05
from rig.facing import Facing


@pytest.mark.parametrize("low_byte_first", [False, True], ids=["high first", "low first"])
@pytest.mark.parametrize("bridge", Bridge, ids=lambda bridge: bridge.name)
def test_no_question_is_lost_before_the_firmware_listens_so_that_a_connect_takes_a_quarter_of_a_second(
    bridge: Bridge, low_byte_first: bool
) -> None:
    facing = Facing(Dr05(), SimulatedDr05(bridge=bridge, low_byte_first=low_byte_first))
    facing.start()
    assert facing.run_until(lambda: bool(facing.events(Ready)))
    assert facing.now < 0.3


@pytest.mark.parametrize("payload_bytes", [20, 7, 1])
@pytest.mark.parametrize("low_byte_first", [False, True], ids=["high first", "low first"])
@pytest.mark.parametrize("bridge", Bridge, ids=lambda bridge: bridge.name)
def test_output_rises_step_by_step_and_a_stop_ends_it_through_any_module(
    bridge: Bridge, low_byte_first: bool, payload_bytes: int
) -> None:
    device = SimulatedDr05(bridge=bridge, low_byte_first=low_byte_first, payload_bytes=payload_bytes)
    protocol = Dr05()
    facing = Facing(protocol, device, seed=5, jitter_s=0.02)
    facing.start()
    facing.advance(3.0)
    assert [told.event for told in facing.told if isinstance(told.event, Ready)] == [Ready("2.1")]
    facing.command(SetIntensity(1))
    facing.advance(0.3)
    facing.command(StartOutput())
    for percent in (2, 3):
        facing.advance(0.8)
        facing.command(SetIntensity(percent))
    facing.advance(0.8)
    stopped_at = facing.now
    facing.command(TotalStop())
    facing.advance(0.5)
    assert [entry.output_percent for entry in device.trace] == [1.0, 2.0, 3.0, 0.0]
    assert device.trace[-1].time - stopped_at < 0.1
    assert not protocol.output_possible
