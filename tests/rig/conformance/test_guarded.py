"""H4 at the rig: no guard, no output. A real device is measured only on links that a guard holds."""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Sequence
from importlib.metadata import EntryPoint, EntryPoints

import pytest
from bleak.backends.device import BLEDevice

from companion.guard.keeper import GuardProcess
from rig import guards
from rig.clock import run
from rig.commands.conformance import measured_so_far
from rig.commands.faults import RigError
from rig.conformance.run import on_device
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import SimulatedForeo
from rig.devices.model import SimulatedDevice
from rig.devices.omp import SimulatedOmp
from rig.guards import GROUP, Lost, NoGuardError, StopWrite, installed
from rig.report.model import Report
from rig.timing.measure import TimingVerdict
from tests.rig.conformance.test_real import on_air, wrong
from tests.rig.radio_world import found


class FakeGuard:
    """Holds links, and notes in which order what was asked of it."""

    def __init__(self, log: list[str], lost: Lost, *, refuses: str = "", fails_after_s: float | None = None) -> None:
        self.log = log
        self.writes: Sequence[StopWrite] = ()
        self._lost = lost
        self._refuses = refuses
        self._fails_after_s = fails_after_s
        self._failing: asyncio.TimerHandle | None = None
        log.append("made")

    async def hold(self, device: BLEDevice) -> None:
        if self._refuses:
            raise RuntimeError(self._refuses)
        self.log.append(f"holds {device.name}")
        if self._fails_after_s is not None:
            self._failing = asyncio.get_running_loop().call_later(self._fails_after_s, self._fail)

    def stops(self, writes: Sequence[StopWrite]) -> None:
        self.writes = writes
        self.log.append("stops " + " ".join(write.data.hex() for write in writes))

    async def release(self, *, down: bool) -> None:
        if self._failing is not None:
            self._failing.cancel()
        self.log.append(f"released {'down' if down else 'up'}")

    def _fail(self) -> None:
        self.log.append("lost")
        self._lost("this computer was asleep")


def measured(key: str, device: SimulatedDevice, log: list[str], **guard: object) -> Report:
    """Measure a device as a real one, with a guard on each of its links."""

    async def main() -> Report:
        async with on_air(device) as radio:
            where = await found(radio, device.advertisement.name)
            report = await on_device(
                key,
                where,
                radio=radio,
                guard=lambda lost: FakeGuard(log, lost, **guard),  # type: ignore[arg-type]
            )
            await asyncio.sleep(1.0)
            assert device.output_percent(asyncio.get_running_loop().time()) == 0
            assert not radio.peripherals[0].is_connected
            return report

    return run(main())


@pytest.mark.parametrize(
    ("key", "device", "stops"),
    [
        ("omp", SimulatedOmp(), "07"),
        ("dr05", SimulatedDr05(), "55aa0500a63102066bf2 55aa0500a6310206f26b"),
        ("foreo", SimulatedForeo(), None),
    ],
    ids=["omp", "dr05", "foreo"],
)
def test_h4_each_link_is_held_before_anything_is_asked_and_its_guard_knows_the_stop(
    key: str, device: SimulatedDevice, stops: str | None
) -> None:
    log: list[str] = []
    report = measured(key, device, log)
    assert wrong(report) == []
    links = len(log) // 4
    assert links >= 1
    name = device.advertisement.name
    told = log[2]
    assert log == ["made", f"holds {name}", told, "released down"] * links
    assert told == f"stops {stops}" if stops is not None else told.endswith("00")


def test_h4_a_device_whose_link_no_guard_holds_is_asked_for_nothing() -> None:
    device = SimulatedDr05()
    log: list[str] = []
    report = measured("dr05", device, log, refuses="it does not answer")
    assert report.exit_code == 3
    assert all("no guard, no output: it does not answer" in text for text in wrong(report))
    assert {each.verdict for each in report.compared} == {TimingVerdict.NOT_ENOUGH}
    assert log == ["made", "released down"]  # and no second link
    assert device.arrivals == ()
    assert device.trace == ()


def test_h4_a_guard_that_fails_in_mid_run_ends_output_and_run() -> None:
    device = SimulatedOmp()
    log: list[str] = []
    report = measured("omp", device, log, fails_after_s=3.0)
    assert report.exit_code == 3
    assert any(entry.output_percent > 0 for entry in device.trace)
    assert log[-2:] == ["lost", "released down"]  # and no link after it
    why = "this computer was asleep; the device was stopped, and nothing more is put out"
    assert all(why in text for text in wrong(report))
    assert {each.name.split(":")[0] for each in report.compared if why in each.text} >= {"rule 2", "rule 6"}


def test_h4_the_guard_that_is_installed_is_the_apps_own() -> None:
    (entry,) = importlib.metadata.entry_points(group=GROUP)
    assert entry.load() is GuardProcess


async def test_h4_the_guard_that_is_installed_lets_nothing_out_on_a_link_that_it_cannot_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On Linux it ends links through BlueZ, which knows nothing of this one."""
    monkeypatch.setattr("platform.system", lambda: "Linux")
    device = SimulatedDr05()
    async with on_air(device) as radio:
        where = await found(radio, "Dr-05")
        report = await on_device("dr05", where, radio=radio, guard=installed())
    assert report.exit_code == 3
    assert all("no guard, no output: " in text for text in wrong(report))
    assert device.arrivals == ()


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ((), "no guard is installed"),
        ((EntryPoint("any", "rig.nowhere:Guard", GROUP),), "the guard rig.nowhere:Guard cannot be loaded"),
    ],
    ids=["none installed", "one that cannot be loaded"],
)
def test_h4_without_a_guard_a_real_device_is_not_even_looked_for(
    known: tuple[EntryPoint, ...], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "entry_points", lambda group: EntryPoints(known).select(group=group))
    with pytest.raises(RigError, match=f"no guard, no output: {why}"):
        asyncio.run(measured_so_far("omp", "OMP"))


def test_h4_a_guard_that_cannot_be_started_is_no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_lost: Lost) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(EntryPoint, "load", lambda _self: fails)
    with pytest.raises(NoGuardError, match="no more processes"):
        installed()(lambda _why: None)
