"""The bleak scanner on the virtual radio hears what devices advertise, when they advertise it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from protocols.gatt import uuid
from rig.clock import run
from rig.radio.link import VirtualRadio
from rig.testing import ScriptedDevice
from tests.rig.radio_world import SERVICE, echo_device, found, now


def talkative_device() -> ScriptedDevice:
    """Return a device whose advertisement fills the scan response too."""
    return ScriptedDevice(
        "Talkative",
        service_uuids=("180f", "6e400001-b5a3-f393-e0a9-e50e24dcca9e"),
        manufacturer_data={0x004C: b"\x02\x15", 0x1234: b"abc"},
        service_data={"180f": b"\x64"},
        tx_power_dbm=-8,
    )


def test_advertisement_data_are_complete() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(talkative_device(), rssi=-71)
            heard = await BleakScanner.discover(1, return_adv=True, backend=radio.scanner_backend)
            device, advertisement = heard[peripheral.address]
            assert (device.name, device.address) == ("Talkative", peripheral.address)
            assert advertisement._replace(platform_data=()) == AdvertisementData(
                local_name="Talkative",
                manufacturer_data={0x004C: b"\x02\x15", 0x1234: b"abc"},
                service_data={uuid("180f"): b"\x64"},
                service_uuids=[uuid("180f"), "6e400001-b5a3-f393-e0a9-e50e24dcca9e"],
                tx_power=-8,
                rssi=-71,
                platform_data=(),
            )

    run(main())


def test_a_passive_scan_hears_no_scan_response() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(talkative_device())
            async with BleakScanner(scanning_mode="passive", backend=radio.scanner_backend) as scanner:
                await asyncio.sleep(0.1)
            [(_, advertisement)] = scanner.discovered_devices_and_advertisement_data.values()
            assert advertisement.service_uuids == [uuid("180f"), "6e400001-b5a3-f393-e0a9-e50e24dcca9e"]
            assert advertisement.local_name is None  # it did not fit and is in the scan response

    run(main())


def test_a_passive_scan_stays_passive_beside_an_active_one() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(talkative_device())
            async with (
                BleakScanner(scanning_mode="passive", backend=radio.scanner_backend) as passive,
                BleakScanner(backend=radio.scanner_backend) as active,
            ):
                await asyncio.sleep(0.1)
                [(_, advertisement)] = passive.discovered_devices_and_advertisement_data.values()
                assert advertisement.local_name is None
                [(_, advertisement)] = active.discovered_devices_and_advertisement_data.values()
                assert advertisement.local_name == "Talkative"

    run(main())


def test_every_advertising_event_is_one_detection_with_the_rssi_of_that_moment() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device(), rssi=-40)
            heard: list[tuple[int, float]] = []
            scanner = BleakScanner(lambda _, data: heard.append((data.rssi, now())), backend=radio.scanner_backend)
            await scanner.start()
            await asyncio.sleep(0.19)
            peripheral.set_rssi(-80)
            await asyncio.sleep(0.1)
            await scanner.stop()
            assert {rssi for rssi, _ in heard} == {-40, -80}
            times = [at for _, at in heard]
            assert len(times) in (14, 15)
            assert all(b - a == pytest.approx(0.02) for a, b in pairwise(times))

    run(main())


def test_only_devices_with_a_wanted_service_are_heard() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device("Wanted"))
            await radio.add_device(ScriptedDevice("Unwanted", service_uuids=("1800",)))
            await radio.add_device(ScriptedDevice("Without", service_uuids=()))
            for wanted in ([SERVICE], ["FFE0"], [SERVICE.upper(), uuid("1234")]):
                heard = await BleakScanner.discover(0.5, service_uuids=wanted, backend=radio.scanner_backend)
                assert [device.name for device in heard] == ["Wanted"]
            everybody = await BleakScanner.discover(0.5, backend=radio.scanner_backend)
            assert sorted(device.name or "" for device in everybody) == ["Unwanted", "Wanted", "Without"]

    run(main())


def test_a_device_is_found_by_name_by_address_and_by_filter() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            backend = radio.scanner_backend
            by_address = await BleakScanner.find_device_by_address(peripheral.address.lower(), backend=backend)
            by_filter = await BleakScanner.find_device_by_filter(
                lambda _, a: SERVICE in a.service_uuids, backend=backend
            )
            for device in (await found(radio), by_address, by_filter):
                assert isinstance(device, BLEDevice)
                assert device.address == peripheral.address
            begun = now()
            assert await BleakScanner.find_device_by_name("Nobody", timeout=7, backend=backend) is None
            assert now() - begun == pytest.approx(7)

    run(main())


def test_starting_twice_is_an_error_and_stopping_twice_is_not() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            scanner = BleakScanner(backend=radio.scanner_backend)
            await scanner.stop()
            await scanner.start()
            with pytest.raises(BleakError, match="already running"):
                await scanner.start()
            await scanner.stop()
            await scanner.stop()

    run(main())


def test_a_scanner_that_starts_again_forgets_what_it_had_seen() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            scanner = BleakScanner(backend=radio.scanner_backend)
            async with scanner:
                await asyncio.sleep(0.1)
            assert [d.name for d in scanner.discovered_devices] == ["Echo"]
            peripheral.vanish()
            async with scanner:
                await asyncio.sleep(0.1)
            assert scanner.discovered_devices == []

    run(main())


def test_two_scanners_share_the_radio_and_stop_one_by_one() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            counts = {"first": 0, "second": 0}

            def count(who: str) -> None:
                counts[who] += 1

            first = BleakScanner(lambda _, __: count("first"), backend=radio.scanner_backend)
            second = BleakScanner(lambda _, __: count("second"), backend=radio.scanner_backend)
            await asyncio.gather(first.start(), second.start())
            await asyncio.sleep(0.1)
            await first.stop()
            before = dict(counts)
            await asyncio.sleep(0.1)
            await second.stop()
            after = dict(counts)
            await asyncio.sleep(0.1)
            assert before["first"] == after["first"] > 0
            assert after["second"] > before["second"] > 0
            assert counts == after

    run(main())


def test_a_connected_device_is_silent_and_advertises_again_afterwards() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with BleakClient(await found(radio), backend=radio.client_backend):
                assert await BleakScanner.discover(1, backend=radio.scanner_backend) == []
            assert len(await BleakScanner.discover(1, backend=radio.scanner_backend)) == 1

    run(main())


def test_an_advertisement_that_does_not_fit_is_refused_by_name() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            with pytest.raises(ValueError, match=r"'Wordy'.*does not fit"):
                await radio.add_device(ScriptedDevice("Wordy", manufacturer_data={1: bytes(60)}))

    run(main())


def test_no_timer_runs_while_nobody_listens() -> None:
    """Virtual time costs nothing while a device advertises to nobody: an idle hour has no events in it."""

    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            await found(radio)
            loop = asyncio.get_running_loop()
            timers = 0

            def counted(call: Callable[..., asyncio.TimerHandle]) -> Callable[..., asyncio.TimerHandle]:
                def counting(*args: object, **kwargs: object) -> asyncio.TimerHandle:
                    nonlocal timers
                    timers += 1
                    return call(*args, **kwargs)

                return counting

            loop.call_at = counted(loop.call_at)  # type: ignore[method-assign]
            loop.call_later = counted(loop.call_later)  # type: ignore[method-assign]
            await asyncio.sleep(3600)
            assert timers == 1  # the sleep's own

    run(main())


def test_a_detection_callback_that_fails_deafens_nobody_else() -> None:
    def failing(_device: BLEDevice, _advertisement: AdvertisementData) -> None:
        raise ValueError("a mistake of the program's")

    async def main() -> None:
        reported: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(str(context["exception"])))
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with (
                BleakScanner(failing, backend=radio.scanner_backend),
                BleakScanner(backend=radio.scanner_backend) as other,
            ):
                await asyncio.sleep(0.1)
                assert [device.name for device in other.discovered_devices] == ["Echo"]
            assert set(reported) == {"a mistake of the program's"}

    run(main())
