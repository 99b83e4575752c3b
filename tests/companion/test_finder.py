"""The finder: devices that a protocol fits, nearest first; and a plain line for every way a radio can be missing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementDataCallback
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakError,
)

from companion.device.finder import Found, find
from companion.device.radio import Radio, RadioError, SystemRadio, radio_error
from protocols.registry import Registry
from rig import clock
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import SimulatedForeo
from rig.devices.model import Advertisement, SimulatedDevice
from rig.radio.link import VirtualRadio

REGISTRY = Registry.default()


class AirRadio:
    """The virtual air as a radio of the app."""

    system = False

    def __init__(self, air: VirtualRadio) -> None:
        self._air = air

    def scanner(self, detection_callback: AdvertisementDataCallback | None = None) -> BleakScanner:
        return BleakScanner(detection_callback, backend=self._air.scanner_backend)

    def client(self, device: BLEDevice, disconnected_callback: Callable[[BleakClient], None]) -> BleakClient:
        return BleakClient(device, disconnected_callback, backend=self._air.client_backend)

    async def close(self) -> None:
        await self._air.close()


def look(
    *devices: tuple[SimulatedDevice, int],
    timeout_s: float = 5.0,
    settle_s: float | None = None,
    meanwhile: Callable[[VirtualRadio], None] | None = None,
) -> tuple[list[Found], list[Found], float]:
    """Look for devices at given strengths; return what was found, what was told meanwhile, and the time it took."""

    async def act() -> tuple[list[Found], list[Found], float]:
        told: list[Found] = []
        loop = asyncio.get_running_loop()
        async with VirtualRadio(1) as air:
            for device, rssi in devices:
                await air.add_device(device, rssi=rssi)
            if meanwhile is not None:
                loop.call_later(2, meanwhile, air)
            began = loop.time()
            found = await find(AirRadio(air), REGISTRY, timeout_s, told.append, settle_s=settle_s)
            return found, told, loop.time() - began

    return clock.run(act())


def test_devices_that_a_protocol_fits_are_found_the_nearest_first() -> None:
    found, _, took = look((SimulatedDr05(1), -80), (SimulatedForeo("BEAR2"), -45))
    assert [(one.name, one.entry.key, one.rssi) for one in found] == [("BEAR2", "foreo", -45), ("Dr-05", "dr05", -80)]
    assert took == pytest.approx(5.0, abs=0.01)


def test_each_device_is_told_when_first_seen_and_again_when_it_comes_nearer() -> None:
    _, told, _ = look((SimulatedDr05(1), -80), meanwhile=lambda air: air.peripherals[0].set_rssi(-50))
    assert [one.rssi for one in told] == [-80, -50]


def test_what_no_protocol_fits_is_passed_over() -> None:
    found, told, _ = look((SimulatedForeo("BEAR2"), -50), (Headphones(), -30))
    assert [one.name for one in found] == [one.name for one in told] == ["BEAR2"]


class Headphones(SimulatedForeo):
    """Something else that advertises."""

    @property
    def advertisement(self) -> Advertisement:
        return Advertisement("Headphones")


def test_with_a_settling_time_the_search_ends_soon_after_the_first_device() -> None:
    found, _, took = look((SimulatedDr05(1), -60), settle_s=1.0)
    assert [one.name for one in found] == ["Dr-05"]
    assert took < 2.5


def test_nothing_in_reach_is_an_empty_list_when_time_is_up() -> None:
    assert look(settle_s=1.0)[0] == []
    assert look(settle_s=1.0)[2] == pytest.approx(5.0, abs=0.01)


NOT_AVAILABLE = BleakBluetoothNotAvailableReason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory"), "D-Bus"),
        (ConnectionRefusedError(111, "Connection refused"), "D-Bus"),
        (BleakBluetoothNotAvailableError("", NOT_AVAILABLE.NO_BLUETOOTH), "no Bluetooth adapter"),
        (BleakBluetoothNotAvailableError("", NOT_AVAILABLE.POWERED_OFF), "switched off"),
        (BleakBluetoothNotAvailableError("", NOT_AVAILABLE.DENIED_BY_USER), "may not use Bluetooth"),
        (BleakBluetoothNotAvailableError("", NOT_AVAILABLE.DENIED_BY_SYSTEM), "does not let this app"),
        (BleakBluetoothNotAvailableError("", NOT_AVAILABLE.NO_BLE_CENTRAL_ROLE), "cannot do Bluetooth LE"),
        (BleakBluetoothNotAvailableError("", NOT_AVAILABLE.UNKNOWN), "not available"),
        (BleakDBusError("org.freedesktop.DBus.Error.ServiceUnknown", []), "service is not running"),
        (BleakDBusError("org.freedesktop.DBus.Error.AccessDenied", []), "does not let this app"),
        (TimeoutError(), "does not answer"),
        (EOFError(), "went away"),
        (BleakError("something odd\nand more"), "something odd"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_way_to_have_no_radio_is_one_line_with_something_to_do(error: Exception, reason: str) -> None:
    told = radio_error(error)
    assert reason in told.reason
    assert told.advice.endswith("simulated device with --demo")
    assert "\n" not in str(told)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="D-Bus is Linux's way to Bluetooth")
def test_without_a_message_bus_the_system_radio_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'nothing'}")
    radio: Radio = SystemRadio()
    with pytest.raises(RadioError, match="D-Bus"):
        asyncio.run(find(radio, REGISTRY, 1.0))


def test_a_scanner_that_cannot_even_be_made_is_a_radio_fault_too() -> None:
    class Absent(AirRadio):
        def scanner(self, detection_callback: AdvertisementDataCallback | None = None) -> BleakScanner:
            raise FileNotFoundError(2, "No such file or directory")

    async def act() -> None:
        async with VirtualRadio(1) as air:
            with pytest.raises(RadioError, match="D-Bus"):
                await find(Absent(air), REGISTRY, 1.0)

    clock.run(act())
