"""The bleak client on the virtual radio does what bleak's users expect of any backend."""

from __future__ import annotations

import asyncio
import struct
from itertools import pairwise
from typing import Any

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.exc import (
    BleakCharacteristicNotFoundError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
    BleakGATTProtocolErrorCode,
)

from protocols.gatt import uuid
from rig.clock import run
from rig.radio.link import VirtualRadio
from rig.testing import ScriptedDevice
from tests.rig.radio_world import (
    BOTH,
    DESCRIPTION,
    ECHO,
    EXTRA,
    FUSSY,
    LONG,
    METER,
    OTHER_SERVICE,
    SERVICE,
    client_for,
    echo_device,
    found,
    now,
)

CCCD = uuid("2902")


def test_connecting_takes_one_advertising_interval() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            device = await found(radio)
            begun = now()
            async with BleakClient(device, backend=radio.client_backend) as client:
                assert client.is_connected
                assert now() - begun == pytest.approx(0.02)
                assert client.name == "Echo"
                assert client.address == device.address
                assert client.backend_id == "BumbleClient"

    run(main())


def test_services_characteristics_and_descriptors_are_all_there_in_handle_order() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                uuids = [service.uuid for service in client.services]
                assert uuids == [uuid("1800"), uuid("1801"), SERVICE, OTHER_SERVICE]
                service = client.services.get_service(SERVICE)
                assert service is not None
                assert [c.uuid for c in service.characteristics] == [uuid(f"ffe{n}") for n in range(1, 6)]
                echo = client.services.get_characteristic(ECHO)
                assert echo is not None
                assert sorted(echo.properties) == ["notify", "read", "write", "write-without-response"]
                assert echo.service_handle == service.handle
                assert echo.handle == service.handle + 1  # its declaration, as BlueZ counts
                meter = client.services.get_characteristic(METER)
                assert meter is not None
                assert [d.uuid for d in meter.descriptors] == [DESCRIPTION, EXTRA, CCCD]
                assert [d.handle for d in meter.descriptors] == [meter.handle + n for n in (2, 3, 4)]
                handles = sorted(
                    [*client.services.services, *client.services.characteristics, *client.services.descriptors]
                )
                assert len(handles) == len(set(handles))

    run(main())


def test_only_the_services_asked_for_are_discovered() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio, services=[OTHER_SERVICE]) as client:
                assert [service.uuid for service in client.services] == [OTHER_SERVICE]

    run(main())


@pytest.mark.parametrize(("device_mtu", "expected"), [(23, 23), (100, 100), (247, 247), (517, 517)])
def test_the_mtu_is_the_lesser_of_both_and_limits_writes_without_response(device_mtu: int, expected: int) -> None:
    async def main() -> None:
        device = echo_device(mtu=device_mtu)
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                echo = client.services.get_characteristic(ECHO)
                assert echo is not None
                assert client.mtu_size == expected
                assert echo.max_write_without_response_size == expected - 3
                fits = bytes(min(expected - 3, 512))
                await client.write_gatt_char(echo, fits, response=False)
                with pytest.raises(BleakError, match="do not fit"):
                    await client.write_gatt_char(echo, bytes(expected - 2), response=False)
                assert await client.read_gatt_char(METER) == b"\x2a"  # by now the write has arrived
                assert [seen.data for seen in device.writes] == [fits]
            assert client.mtu_size == 23

    run(main())


def test_a_value_is_read_whole_however_long() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device(mtu=23))
            async with await client_for(radio) as client:
                value = await client.read_gatt_char(LONG)
                assert isinstance(value, bytearray)
                assert value == bytes(range(250)) * 2
                assert await client.read_gatt_char(ECHO) == b"hello"

    run(main())


def test_a_long_write_reaches_the_device_as_one_value() -> None:
    async def main() -> None:
        device = echo_device(mtu=23)
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                value = bytes(range(200))
                await client.write_gatt_char(LONG, value, response=True)
                assert [(w.characteristic, w.data) for w in device.writes] == [(LONG, value)]
                assert await client.read_gatt_char(LONG) == value

    run(main())


def test_a_long_write_that_the_device_refuses_raises_its_error() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device(mtu=23))
            async with await client_for(radio) as client:
                with pytest.raises(BleakGATTProtocolError) as refused:
                    await client.write_gatt_char(FUSSY, bytes(100), response=True)
                assert refused.value.code == 0x80
                with pytest.raises(BleakGATTProtocolError) as refused:
                    await client.write_gatt_char(LONG, bytes(513), response=True)
                assert refused.value.code == BleakGATTProtocolErrorCode.INVALID_ATTRIBUTE_VALUE_LENGTH

    run(main())


def test_a_cached_read_gives_the_last_value_known_without_asking() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                assert await client.read_gatt_char(METER, use_cached=True) == b"\x2a"
                device.set_value(METER, b"\x2b")
                assert await client.read_gatt_char(METER, use_cached=True) == b"\x2a"
                assert await client.read_gatt_char(METER) == b"\x2b"

    run(main())


def test_writes_of_both_kinds_reach_the_device_in_the_order_they_were_made() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                for n in range(0, 100, 2):
                    await client.write_gatt_char(ECHO, bytes([n]), response=False)
                    await client.write_gatt_char(ECHO, bytes([n + 1]), response=True)
                assert [seen.data[0] for seen in device.writes] == list(range(100))

    run(main())


def test_writes_started_together_keep_their_order() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                await asyncio.gather(*(client.write_gatt_char(ECHO, bytes([n]), response=True) for n in range(50)))
                assert [seen.data[0] for seen in device.writes] == list(range(50))

    run(main())


def test_a_write_without_response_overtakes_a_request_that_waits() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio(latency_s=0.05) as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                slow = [asyncio.ensure_future(client.write_gatt_char(ECHO, bytes([n]), response=True)) for n in (1, 2)]
                await asyncio.sleep(0)
                await client.write_gatt_char(ECHO, b"\xff", response=False)
                await asyncio.gather(*slow)
                assert [seen.data for seen in device.writes] == [b"\x01", b"\xff", b"\x02"]

    run(main())


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_anything_that_holds_bytes_can_be_written(kind: Any) -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                await client.write_gatt_char(ECHO, kind(b"\x01\x02"), response=True)
                assert device.writes[0].data == b"\x01\x02"

    run(main())


def test_notifications_arrive_as_bytearrays_with_their_characteristic() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device(delay_s=0.25))
            async with await client_for(radio) as client:
                heard: list[tuple[BleakGATTCharacteristic, bytearray, float]] = []
                await client.start_notify(ECHO, lambda sender, data: heard.append((sender, data, now())))
                begun = now()
                await client.write_gatt_char(ECHO, b"ping", response=True)
                await asyncio.sleep(1)
                [(sender, data, at)] = heard
                assert sender.uuid == ECHO
                assert isinstance(data, bytearray)
                assert data == b"ping"
                assert at == pytest.approx(begun + 0.25)

    run(main())


def test_an_async_callback_is_awaited() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                heard: asyncio.Queue[bytes] = asyncio.Queue()

                async def callback(_sender: BleakGATTCharacteristic, data: bytearray) -> None:
                    await heard.put(bytes(data))

                await client.start_notify(ECHO, callback)
                await client.write_gatt_char(ECHO, b"ping", response=False)
                assert await heard.get() == b"ping"

    run(main())


def test_nothing_is_heard_before_start_notify_and_after_stop_notify() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                heard: list[bytes] = []
                await client.write_gatt_char(ECHO, b"1", response=True)
                assert not device.is_subscribed(ECHO)
                await client.start_notify(ECHO, lambda _, data: heard.append(bytes(data)))
                assert device.is_subscribed(ECHO)
                await client.write_gatt_char(ECHO, b"2", response=True)
                await asyncio.sleep(0.1)
                await client.stop_notify(ECHO)
                assert not device.is_subscribed(ECHO)
                await client.write_gatt_char(ECHO, b"3", response=True)
                await asyncio.sleep(0.1)
                assert heard == [b"2"]

    run(main())


def test_a_second_start_notify_exchanges_the_callback() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                first: list[bytes] = []
                second: list[bytes] = []
                await client.start_notify(ECHO, lambda _, data: first.append(bytes(data)))
                await client.start_notify(ECHO, lambda _, data: second.append(bytes(data)))
                await client.write_gatt_char(ECHO, b"x", response=True)
                await asyncio.sleep(0.1)
                assert (first, second) == ([], [b"x"])

    run(main())


def test_stop_notify_without_start_says_so() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                with pytest.raises(BleakError, match="no notifications were started"):
                    await client.stop_notify(ECHO)

    run(main())


def test_indications_are_confirmed_one_by_one_and_all_arrive() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio(latency_s=0.01) as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                heard: list[tuple[bytes, float]] = []
                await client.start_notify(METER, lambda _, data: heard.append((bytes(data), now())))
                for n in range(3):
                    device.notify(METER, bytes([n]))
                await asyncio.sleep(1)
                assert [data for data, _ in heard] == [b"\x00", b"\x01", b"\x02"]
                gaps = [later - earlier for (_, earlier), (_, later) in pairwise(heard)]
                assert gaps == pytest.approx([0.02, 0.02])  # out and confirmed before the next leaves

    run(main())


def test_notifications_are_preferred_where_a_characteristic_has_both() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                heard: list[bytes] = []
                await client.start_notify(BOTH, lambda _, data: heard.append(bytes(data)))
                characteristic = client.services.get_characteristic(BOTH)
                assert characteristic is not None
                cccd = characteristic.get_descriptor(CCCD)
                assert cccd is not None
                assert struct.unpack("<H", await client.read_gatt_descriptor(cccd)) == (1,)
                device.notify(BOTH, b"n")
                await asyncio.sleep(0.1)
                assert heard == [b"n"]

    run(main())


def test_what_cannot_notify_cannot_be_subscribed_to() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                with pytest.raises(BleakError, match="neither notify nor indicate"):
                    await client.start_notify(FUSSY, lambda *_: None)

    run(main())


def test_an_exception_in_a_callback_reaches_the_loop_and_harms_nothing_else() -> None:
    async def main() -> None:
        reported: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(str(context["exception"])))
        async with VirtualRadio() as radio:
            device = echo_device()
            await radio.add_device(device)
            async with await client_for(radio) as client:

                def callback(_sender: BleakGATTCharacteristic, _data: bytearray) -> None:
                    raise ValueError("a mistake of the program's")

                await client.start_notify(METER, callback)
                for _ in range(2):
                    device.notify(METER, b"\x01")  # indications: the second comes only after the first is confirmed
                await asyncio.sleep(0.1)
                assert reported == ["a mistake of the program's"] * 2
                assert await client.read_gatt_char(METER) == b"\x01"

    run(main())


def test_descriptors_are_read_and_written() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                meter = client.services.get_characteristic(METER)
                assert meter is not None
                description, extra = meter.get_descriptor(DESCRIPTION), meter.get_descriptor(EXTRA)
                assert description is not None
                assert extra is not None
                assert await client.read_gatt_descriptor(description) == b"meter"
                await client.write_gatt_descriptor(extra, b"\x07\x08")
                assert await client.read_gatt_descriptor(extra.handle) == b"\x07\x08"
                with pytest.raises(BleakGATTProtocolError) as refused:
                    await client.write_gatt_descriptor(description, b"volts")
                assert refused.value.code == BleakGATTProtocolErrorCode.WRITE_NOT_PERMITTED

    run(main())


def test_att_errors_are_bleaks_own_with_their_code() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                with pytest.raises(BleakGATTProtocolError, match="0x80") as refused:
                    await client.write_gatt_char(FUSSY, b"x", response=True)
                assert refused.value.code == 0x80
                with pytest.raises(BleakGATTProtocolError) as refused:
                    await client.read_gatt_char(FUSSY)
                assert refused.value.code == 0x80
                with pytest.raises(BleakGATTProtocolError) as refused:
                    await client.write_gatt_char(METER, b"x", response=True)
                assert refused.value.code == BleakGATTProtocolErrorCode.WRITE_NOT_PERMITTED
                with pytest.raises(BleakGATTProtocolError) as refused:
                    await client.read_gatt_char(BOTH)
                assert refused.value.code == BleakGATTProtocolErrorCode.READ_NOT_PERMITTED
                assert client.is_connected

    run(main())


def test_a_refused_write_without_response_is_silent_as_on_the_air() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                await client.write_gatt_char(FUSSY, b"x", response=False)
                assert await client.read_gatt_char(METER) == b"\x2a"
                assert device.writes == []  # that characteristic takes no write commands at all

    run(main())


def test_an_unknown_characteristic_is_bleaks_own_error() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                with pytest.raises(BleakCharacteristicNotFoundError):
                    await client.read_gatt_char("1234")

    run(main())


def test_a_device_can_be_connected_to_by_its_address_alone() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            async with BleakClient(peripheral.address.lower(), backend=radio.client_backend) as client:
                assert client.name == "Echo"
                assert await client.read_gatt_char(ECHO) == b"hello"

    run(main())


@pytest.mark.parametrize("address", ["C0:FF:EE:00:00:01", "00:11:22:33:44:55"], ids=["random static", "public"])
def test_an_address_of_either_kind_works(address: str) -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device(), address=address)
            assert peripheral.address == address
            async with await client_for(radio) as client:
                assert client.address == address
                await client.write_gatt_char(ECHO, b"x", response=True)

    run(main())


def test_an_address_that_nobody_has_is_not_found_within_the_timeout() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            client = BleakClient("C0:00:00:00:00:99", timeout=3, backend=radio.client_backend)
            begun = now()
            with pytest.raises(BleakDeviceNotFoundError) as missing:
                await client.connect()
            assert missing.value.identifier == "C0:00:00:00:00:99"
            assert now() - begun == pytest.approx(3)

    run(main())


def test_a_known_device_that_has_gone_times_out_and_can_be_connected_to_later() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            client = await client_for(radio, timeout=5)
            peripheral.vanish()
            begun = now()
            with pytest.raises(TimeoutError):
                await client.connect()
            assert now() - begun == pytest.approx(5)
            assert not client.is_connected
            peripheral.reappear()
            await client.connect()
            assert client.is_connected
            await client.disconnect()

    run(main())


def test_cancelling_a_connect_leaves_nothing_behind() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            client = await client_for(radio)
            peripheral.vanish()
            attempt = asyncio.ensure_future(client.connect())
            await asyncio.sleep(1)
            attempt.cancel()
            with pytest.raises(asyncio.CancelledError):
                await attempt
            peripheral.reappear()
            await asyncio.sleep(1)
            assert not peripheral.is_connected
            assert radio.adapter.connections == 0
            async with client:
                assert client.is_connected

    run(main())


@pytest.mark.parametrize("steps", range(0, 120, 3))
def test_a_connect_cancelled_at_any_moment_leaves_no_link_and_no_lock(steps: int) -> None:
    async def main() -> None:
        async with VirtualRadio(latency_s=0.001) as radio:
            peripheral = await radio.add_device(echo_device())
            client = await client_for(radio)
            attempt = asyncio.ensure_future(client.connect())
            await asyncio.sleep(steps * 0.0005)
            attempt.cancel()
            await asyncio.wait([attempt])
            await client.disconnect()
            await asyncio.sleep(1)
            assert not peripheral.is_connected
            assert radio.adapter.connections == 0
            await client.connect()
            assert peripheral.is_connected
            await client.disconnect()

    run(main())


def test_a_client_that_is_connected_does_not_connect_again() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                with pytest.raises(BleakError, match="already connected"):
                    await client.connect()

    run(main())


def test_a_second_client_cannot_take_a_device_that_is_connected() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            device = await found(radio)
            async with BleakClient(device, backend=radio.client_backend) as client:
                with pytest.raises(BleakError, match="connection already exists"):
                    await BleakClient(device, backend=radio.client_backend).connect()
                assert client.is_connected

    run(main())


def test_two_clients_drive_two_devices_at_once() -> None:
    async def main() -> None:
        first, second = echo_device("One", delay_s=0.01), echo_device("Two", delay_s=0.01)
        async with VirtualRadio() as radio:
            await radio.add_device(first)
            await radio.add_device(second)

            async def drive(name: str) -> list[bytes]:
                heard: list[bytes] = []
                async with await client_for(radio, name) as client:
                    await client.start_notify(ECHO, lambda _, data: heard.append(bytes(data)))
                    for n in range(20):
                        await client.write_gatt_char(ECHO, f"{name}{n}".encode(), response=True)
                        await asyncio.sleep(0.02)
                return heard

            heard = await asyncio.gather(drive("One"), drive("Two"))
            assert heard == [[f"One{n}".encode() for n in range(20)], [f"Two{n}".encode() for n in range(20)]]

    run(main())


def test_two_connects_at_once_both_succeed() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device("One"))
            await radio.add_device(echo_device("Two"))
            clients = [await client_for(radio, name) for name in ("One", "Two")]
            await asyncio.gather(*(client.connect() for client in clients))
            assert all(client.is_connected for client in clients)
            await asyncio.gather(*(client.disconnect() for client in clients))

    run(main())


def test_one_scans_while_another_is_connected() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device("One"))
            await radio.add_device(echo_device("Two"))
            async with await client_for(radio, "One") as client:
                heard = await BleakScanner.discover(1, backend=radio.scanner_backend)
                assert [device.name for device in heard] == ["Two"]  # the connected one does not advertise
                assert await client.read_gatt_char(ECHO) == b"hello"

    run(main())


def test_a_device_without_anything_to_subscribe_to_connects_too() -> None:
    async def main() -> None:
        device = ScriptedDevice("Plain")
        device.characteristic("2a00", "read", service="1234", value=b"plain")
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio, "Plain") as client:
                service = client.services.get_service("1234")
                assert service is not None
                [characteristic] = service.characteristics
                assert characteristic.descriptors == []
                assert await client.read_gatt_char(characteristic) == b"plain"

    run(main())


def test_a_ble_device_that_was_made_by_hand_is_looked_for_by_its_address() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            by_hand = BLEDevice(peripheral.address, "Echo", None)
            async with BleakClient(by_hand, backend=radio.client_backend) as client:
                assert await client.read_gatt_char(ECHO) == b"hello"

    run(main())
