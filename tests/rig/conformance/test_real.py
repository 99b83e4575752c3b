"""A device that is measured as a real one: nobody looks into it, nothing unsafe is done to it, and it is left off."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from bleak import BleakClient

from protocols.omp_codec import Opcode
from rig.clock import run
from rig.commands.conformance import measured_so_far
from rig.commands.faults import RigError
from rig.conformance.bench import RealBench
from rig.conformance.pairing import Onlooker
from rig.conformance.rules import Findings
from rig.conformance.run import on_device, suite
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import SimulatedForeo
from rig.devices.model import AttError, DeviceAction, SimulatedDevice
from rig.devices.omp import SimulatedOmp
from rig.radio.link import VirtualRadio
from rig.radio.pairing import Ability, Pairing
from rig.report.model import Report
from rig.timing.measure import TimingVerdict
from tests.rig.broken_omp import BROKEN
from tests.rig.radio_world import found


@contextlib.asynccontextmanager
async def on_air(device: SimulatedDevice, *, paired: bool = True) -> AsyncIterator[VirtualRadio]:
    """The device on the air, a little away, and bonded with this computer where it asks for that."""
    async with VirtualRadio(latency_s=0.015, jitter_s=0.01) as radio:
        await radio.add_device(device)
        if isinstance(device, SimulatedOmp) and paired:
            radio.adapter.pairing = Pairing(Ability.SHOWS_AND_CONFIRMS, Onlooker(device.display))
            async with BleakClient(await found(radio, "OMP"), backend=radio.client_backend) as client:
                await client.pair()
                await asyncio.sleep(1.0)  # the keys are under way
        yield radio


def measured(key: str, device: SimulatedDevice, *, paired: bool = True) -> Report:
    async def main() -> Report:
        async with on_air(device, paired=paired) as radio:
            where = await found(radio, device.advertisement.name)
            report = await on_device(key, where, radio=radio)
            await asyncio.sleep(1.0)
            assert device.output_percent(asyncio.get_running_loop().time()) == 0
            return report

    return run(main())


def wrong(report: Report) -> list[str]:
    return [each.text for each in report.compared if each.verdict not in (TimingVerdict.PASS, TimingVerdict.MARGINAL)]


@pytest.mark.parametrize("device", [SimulatedOmp(), SimulatedDr05(), SimulatedForeo()], ids=["omp", "dr05", "foreo"])
def test_what_is_unsafe_or_cannot_be_seen_is_left_out_and_listed_and_the_rest_is_kept(device: SimulatedDevice) -> None:
    key = {"OMP": "omp", "Dr-05": "dr05", "BEAR2": "foreo"}[device.advertisement.name]
    report = measured(key, device)
    assert wrong(report) == []
    left = {each.name for each in report.left_out}
    checks = [(rule.key, check) for rule in suite(key).rules for check in rule.checks]
    assert left == {f"{rule}: {check.measurement.name}" for rule, check in checks if check.simulated_only}
    assert len(left) + len(report.comparisons) == len(checks)
    assert all(each.why for each in report.left_out)


def test_a_real_dr05_never_hears_what_is_unsafe_and_stays_at_its_lowest_level() -> None:
    device = SimulatedDr05()
    measured("dr05", device)
    assert max(entry.output_percent for entry in device.trace) == 1
    assert max(len(arrival.frame) for arrival in device.arrivals) <= 13
    assert not device.overrun
    assert not device.ageing
    functions = {(arrival.frame[5], arrival.frame[7]) for arrival in device.arrivals}
    assert functions == {(0x31, 0x03), (0x31, 0x06), (0x32, 0x02), (0x33, 0x40), (0x33, 0x41)}
    assert device.trace[-1].output_percent == 0


def test_a_real_omp_device_never_hears_what_is_unsafe_and_stays_at_a_low_target() -> None:
    heard: list[bytes] = []

    class Listens(SimulatedOmp):
        def central_written(
            self, number: int, characteristic: str, data: bytes, now: float
        ) -> tuple[DeviceAction, ...]:
            heard.append(data)
            return super().central_written(number, characteristic, data, now)

    device = Listens()
    report = measured("omp", device)
    assert wrong(report) == []
    assert max(map(len, heard)) <= 5
    assert Opcode.DELETE_RECORDS not in {data[0] for data in heard if len(data) == 5}
    assert max(entry.output_percent for entry in device.trace) < 30
    assert heard[-1] == bytes((Opcode.STOP,))


@pytest.mark.parametrize("number", [1, 2, 3, 7, 9])
def test_telemetry_alone_finds_out_a_device_that_breaks_a_rule(number: int) -> None:
    report = measured("omp", BROKEN[number - 1]())
    rules = {each.name.split(":")[0] for each in report.comparisons if each.verdict is TimingVerdict.FAIL}
    assert rules == {f"rule {number}"}, wrong(report)


def test_a_device_that_is_not_paired_makes_the_run_invalid_and_says_what_to_do() -> None:
    report = measured("omp", SimulatedOmp(), paired=False)
    assert report.exit_code == 3
    assert all("pair it with this computer first" in text for text in wrong(report))


def test_whoever_interrupts_leaves_a_device_behind_that_is_off_and_reads_what_was_measured() -> None:
    async def main() -> None:
        device = SimulatedDr05()
        async with on_air(device) as radio:
            work = asyncio.ensure_future(measured_so_far("dr05", "Dr-05", radio=radio))
            while not device.running:  # noqa: ASYNC110 - a device tells nobody
                await asyncio.sleep(0.01)
            for _ in range(3):  # somebody is in a hurry
                work.cancel()
                await asyncio.sleep(0.001)
            report, interrupted = await work
            assert interrupted
            assert {each.name.split(":")[0] for each in report.comparisons} == {"checksum", "link"}
            assert device.trace[-1].cause == "total stop"
            await asyncio.sleep(0.1)
            assert not radio.peripherals[0].is_connected

    run(main())


def test_whoever_interrupts_before_anything_was_measured_reads_nothing() -> None:
    async def main() -> None:
        async with on_air(SimulatedDr05()) as radio:
            work = asyncio.ensure_future(measured_so_far("dr05", "Dr-05", radio=radio))
            await asyncio.sleep(0.2)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work

    run(main())


def test_a_stop_that_is_lost_on_its_way_is_written_again() -> None:
    class HearsEveryThirdStop(SimulatedOmp):
        stops = 0

        def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
            if data == bytes((Opcode.STOP,)):
                self.stops += 1
                if self.stops % 3:
                    raise AttError(0x0E)  # unlikely error
            return super().written(characteristic, data, now)

    async def main() -> None:
        device = HearsEveryThirdStop()
        async with on_air(device) as radio:
            (longest,) = [rule for rule in suite("omp").rules if rule.key == "rule 6"]
            bench: RealBench[SimulatedOmp] = RealBench(await found(radio, "OMP"), suite("omp").stop, radio=radio)
            await longest.carry_out(bench, Findings("rule 6", longest.checks, simulated=False))
            causes = [entry.cause for entry in device.trace if not entry.output_percent]
            assert causes == ["time limit", "stopped"]
            assert device.stops == 6

    run(main())


def test_a_device_of_another_kind_is_left_alone() -> None:
    async def main() -> None:
        device = SimulatedForeo()
        async with on_air(device) as radio:
            with pytest.raises(RigError, match="BEAR2 is not of kind dr05 but foreo; it was left alone"):
                await measured_so_far("dr05", "BEAR2", radio=radio)
            assert not device.trace

    run(main())


def test_a_device_is_found_by_its_name_in_any_case() -> None:
    async def main() -> None:
        async with on_air(SimulatedForeo()) as radio:
            report, interrupted = await measured_so_far("foreo", "bear2", radio=radio)
            assert not interrupted
            assert report.title == "conformance: foreo BEAR2"
            assert report.exit_code == 0

    run(main())
