"""A simulated device on a peripheral is told everything in order and at the right time, and what it does gets out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bleak import BleakClient
from bleak.exc import BleakError, BleakGATTProtocolError, BleakGATTProtocolErrorCode

from protocols.gatt import Characteristic, Property, Service, uuid
from rig.clock import run
from rig.devices.model import Advertisement, DeviceAction, Hangup, Notify, SimulatedDevice, TraceEntry
from rig.radio.link import VirtualRadio
from tests.rig.radio_world import client_for, echo_device, now

UART = uuid("ffe1")


class Diary(SimulatedDevice):
    """Writes down every call, and does what it is told to by the bytes written: N notify, H hang up, D in a second."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.due: list[float] = []

    advertisement = Advertisement("Diary", (uuid("ffe0"),))
    services = (Service(uuid("ffe0"), (Characteristic(UART, Property.READ | Property.WRITE | Property.NOTIFY),)),)
    trace: tuple[TraceEntry, ...] = ()

    @property
    def deadline(self) -> float | None:
        return min(self.due, default=None)

    def output_percent(self, now: float) -> float:
        return 0.0

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        self.calls.append(("connected", now))
        return ()

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        self.calls.append(("disconnected", now))
        return ()

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        self.calls.append(("subscribed", characteristic, enabled, now))
        return (Notify(UART, b"welcome"),) if enabled else ()

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        self.calls.append(("written", data, now))
        match data:
            case b"N":
                return (Notify(UART, b"1"), Notify(UART, b"2"))
            case b"H":
                return (Notify(UART, b"bye"), Hangup())
            case b"D":
                self.due += [now + 1.0, now + 1.5]
        return ()

    def read(self, characteristic: str, now: float) -> bytes:
        self.calls.append(("read", now))
        return f"{now:.3f}".encode()

    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        self.calls.append(("deadline", now))
        self.due = [due for due in self.due if due > now]
        return (Notify(UART, b"tick"),)


def test_every_call_comes_in_order_and_at_its_time() -> None:
    async def main() -> None:
        device = Diary()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio, "Diary") as client:
                at = now()
                assert device.calls == [("connected", at)]
                await client.start_notify(UART, lambda *_: None)
                await asyncio.sleep(1)
                await client.write_gatt_char(UART, b"x", response=True)
                await asyncio.sleep(1)
                assert await client.read_gatt_char(UART) == f"{at + 2:.3f}".encode()
                await client.stop_notify(UART)
            assert device.calls == [
                ("connected", at),
                ("subscribed", UART, True, at),
                ("written", b"x", at + 1),
                ("read", at + 2),
                ("subscribed", UART, False, at + 2),
                ("disconnected", at + 2),
            ]

    run(main())


def test_what_a_call_gives_back_is_sent_in_order_after_the_response() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(Diary())
            async with await client_for(radio, "Diary") as client:
                heard: list[bytes] = []
                await client.start_notify(UART, lambda _, data: heard.append(bytes(data)))
                await client.write_gatt_char(UART, b"N", response=True)
                await asyncio.sleep(0.1)
                assert heard == [b"welcome", b"1", b"2"]

    run(main())


def test_deadlines_are_kept_to_the_instant_connected_or_not() -> None:
    async def main() -> None:
        device = Diary()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio, "Diary") as client:
                heard: list[tuple[bytes, float]] = []
                await client.start_notify(UART, lambda _, data: heard.append((bytes(data), now())))
                begun = now()
                await client.write_gatt_char(UART, b"D", response=True)
                await asyncio.sleep(1.2)
                assert heard[1:] == [(b"tick", begun + 1.0)]
            await asyncio.sleep(1)
            assert [call for call in device.calls if call[0] == "deadline"] == [
                ("deadline", begun + 1.0),
                ("deadline", begun + 1.5),
            ]

    run(main())


def test_a_deadline_that_a_hand_moved_is_kept_too() -> None:
    async def main() -> None:
        device = Diary()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            device.due.append(now() + 3.0)
            assert device.deadline_moved is not None
            device.deadline_moved()
            await asyncio.sleep(5)
            assert device.calls == [("deadline", 3.0)]
        assert device.deadline_moved is None

    run(main())


def test_a_hangup_ends_the_link_after_what_was_said_before() -> None:
    async def main() -> None:
        device = Diary()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            client = await client_for(radio, "Diary")
            await client.connect()
            heard: list[bytes] = []
            await client.start_notify(UART, lambda _, data: heard.append(bytes(data)))
            await client.write_gatt_char(UART, b"H", response=True)
            await asyncio.sleep(0.1)
            assert heard == [b"welcome", b"bye"]
            assert not client.is_connected
            assert device.calls[-1][0] == "disconnected"

    run(main())


def test_it_advertises_again_after_every_link() -> None:
    async def main() -> None:
        device = Diary()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            for _ in range(3):
                async with await client_for(radio, "Diary"):
                    pass
            assert [call[0] for call in device.calls] == ["connected", "disconnected"] * 3

    run(main())


def test_what_does_not_fit_the_mtu_is_cut_off_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        device = echo_device(mtu=23)
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                heard: list[bytes] = []
                await client.start_notify(uuid("ffe1"), lambda _, data: heard.append(bytes(data)))
                device.notify("ffe1", bytes(range(25)))
                await asyncio.sleep(0.1)
                assert heard == [bytes(range(20))]

    run(main())
    assert "5 bytes" in caplog.text


def test_an_invalid_subscription_is_refused() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                echo = client.services.get_characteristic("ffe1")
                assert echo is not None
                backend = client._backend
                for bits in (b"\x02\x00", b"\x01", b"\x01\x00\x00"):
                    with pytest.raises(BleakError):
                        await backend.write_gatt_descriptor(echo.descriptors[0], bits)
                assert not peripheral.device.is_subscribed("ffe1")  # type: ignore[attr-defined]

    run(main())


def test_a_device_on_the_real_air_cannot_vanish() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            peripheral._air = None
            for act in (peripheral.vanish, peripheral.reappear, lambda: peripheral.set_rssi(-1)):
                with pytest.raises(RuntimeError, match="real air"):
                    act()

    run(main())


def test_a_client_of_the_same_device_may_come_and_go_while_deadlines_run() -> None:
    async def main() -> None:
        device = Diary()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            found = await client_for(radio, "Diary")
            async with found as client:
                await client.write_gatt_char(UART, b"D", response=True)
            async with BleakClient(found.address, backend=radio.client_backend) as client:
                heard: list[bytes] = []
                await client.start_notify(UART, lambda _, data: heard.append(bytes(data)))
                await asyncio.sleep(3)
                assert heard == [b"welcome", b"tick", b"tick"]

    run(main())


def test_a_device_with_a_defect_answers_unlikely_error_and_the_defect_reaches_the_loop() -> None:
    """Core Specification Vol 3 Part F 3.4.1.1: 0x0E."""

    class Defective(Diary):
        def read(self, characteristic: str, now: float) -> bytes:
            raise ZeroDivisionError("a defect")

        def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
            raise ZeroDivisionError("a defect")

        def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
            raise ZeroDivisionError("a defect")

    async def main() -> None:
        reported: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(str(context["exception"])))
        async with VirtualRadio() as radio:
            await radio.add_device(Defective())
            async with await client_for(radio, "Diary") as client:
                for operation in (client.read_gatt_char(UART), client.write_gatt_char(UART, b"x", response=True)):
                    with pytest.raises(BleakGATTProtocolError) as failed:
                        await operation
                    assert failed.value.code == BleakGATTProtocolErrorCode.UNLIKELY_ERROR
            await asyncio.sleep(1)
            assert reported == ["a defect"] * 3
            async with await client_for(radio, "Diary") as client:
                assert client.is_connected

    run(main())


def test_an_address_is_free_again_once_its_device_is_off() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            first = await radio.add_device(echo_device("First"), address="C0:FF:EE:00:00:01")
            await first.close()
            await first.close()
            await radio.add_device(echo_device("Second"), address="C0:FF:EE:00:00:01")
            async with await client_for(radio, "Second") as client:
                assert client.address == "C0:FF:EE:00:00:01"
            assert len(radio.peripherals) == 1

    run(main())
