"""Links end in many ways; every one is told at once, once, and leaves a radio that works."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from bleak import BleakClient
from bleak.exc import BleakError

from rig.clock import run
from rig.radio.link import VirtualRadio
from rig.testing import ScriptedDevice
from tests.rig.radio_world import ECHO, METER, client_for, echo_device, found, now

SUPERVISION_TIMEOUT_S = 0.42


class Calls:
    """A disconnected callback that remembers when it was called, and with what ``is_connected``."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, bool]] = []

    def __call__(self, client: BleakClient) -> None:
        self.calls.append((now(), client.is_connected))


def test_the_disconnected_callback_comes_once_with_is_connected_false_when_we_disconnect() -> None:
    """As with the BlueZ backend: also when the program itself disconnects."""

    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            calls = Calls()
            client = await client_for(radio, disconnected_callback=calls)
            await client.connect()
            await client.disconnect()
            assert [connected for _, connected in calls.calls] == [False]  # before disconnect() returned
            await client.disconnect()
            await asyncio.sleep(1)
            assert len(calls.calls) == 1
            assert not peripheral.is_connected

    run(main())


def test_a_device_that_hangs_up_is_told_at_once() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            calls = Calls()
            client = await client_for(radio, disconnected_callback=calls)
            await client.connect()
            begun = now()
            device.hang_up(after=1.5)
            await asyncio.sleep(5)
            assert [(pytest.approx(begun + 1.5), False)] == calls.calls
            assert not client.is_connected
            with pytest.raises(BleakError):
                _ = client.services

    run(main())


def test_a_device_that_vanishes_is_lost_at_both_ends_after_the_supervision_timeout() -> None:
    """Dr-05 hazard 5 rests on this: the device itself learns that the link is gone."""

    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(device)
            calls = Calls()
            client = await client_for(radio, disconnected_callback=calls)
            await client.connect()
            begun = now()
            peripheral.vanish()
            await asyncio.sleep(SUPERVISION_TIMEOUT_S - 0.01)
            assert client.is_connected
            assert device.is_connected
            await asyncio.sleep(0.02)
            assert [(pytest.approx(begun + SUPERVISION_TIMEOUT_S), False)] == calls.calls
            assert not device.is_connected

    run(main())


def test_a_device_that_reappears_in_time_keeps_its_link() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                peripheral.vanish()
                await asyncio.sleep(SUPERVISION_TIMEOUT_S - 0.01)
                peripheral.reappear()
                await asyncio.sleep(10)
                assert client.is_connected
                assert await client.read_gatt_char(ECHO) == b"hello"

    run(main())


@pytest.mark.parametrize("operation", ["write", "read", "start_notify", "stop_notify", "descriptor"])
def test_what_is_under_way_fails_with_the_link_and_does_not_wait_for_the_att_timeout(operation: str) -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            client = await client_for(radio)
            await client.connect()
            await client.start_notify(METER, lambda *_: None)
            descriptor = next(iter(client.services.descriptors.values()))
            peripheral.vanish()
            begun = now()
            operations: dict[str, Callable[[], Awaitable[object]]] = {
                "write": lambda: client.write_gatt_char(ECHO, b"x", response=True),
                "read": lambda: client.read_gatt_char(ECHO),
                "start_notify": lambda: client.start_notify(ECHO, lambda *_: None),
                "stop_notify": lambda: client.stop_notify(METER),
                "descriptor": lambda: client.read_gatt_descriptor(descriptor),
            }
            with pytest.raises(BleakError, match=r"disconnected: connection timeout \(0x08\)"):
                await operations[operation]()
            assert now() - begun == pytest.approx(SUPERVISION_TIMEOUT_S)

    run(main())


def test_everything_that_waits_its_turn_fails_with_the_link() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(device)
            client = await client_for(radio)
            await client.connect()
            peripheral.vanish()
            outcomes = await asyncio.gather(
                *(client.write_gatt_char(ECHO, bytes([n]), response=True) for n in range(20)), return_exceptions=True
            )
            assert all(isinstance(outcome, BleakError) for outcome in outcomes)
            assert device.writes == []

    run(main())


def test_operations_after_the_end_say_not_connected() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            client = await client_for(radio)
            await client.connect()
            echo = client.services.get_characteristic(ECHO)
            assert echo is not None
            descriptor = echo.descriptors[0]
            await client.disconnect()
            backend = client._backend
            for operation in (
                backend.write_gatt_char(echo, b"x", response=True),
                backend.write_gatt_char(echo, b"x", response=False),
                backend.read_gatt_char(echo),
                backend.read_gatt_descriptor(descriptor),
                backend.write_gatt_descriptor(descriptor, b"x"),
                backend.stop_notify(echo),
                client.start_notify(echo, lambda *_: None),
                client.pair(),
            ):
                with pytest.raises(BleakError, match="Not connected"):
                    await operation

    run(main())


def test_a_link_that_ends_during_discovery_fails_the_connect_at_once() -> None:
    async def main() -> None:
        async with VirtualRadio(latency_s=0.01) as radio:
            peripheral = await radio.add_device(echo_device())
            calls = Calls()
            client = await client_for(radio, disconnected_callback=calls)
            attempt = asyncio.ensure_future(client.connect())
            await asyncio.sleep(0.1)
            assert peripheral.is_connected
            await peripheral.hang_up()
            with pytest.raises(BleakError, match="failed to discover services: disconnected: remote user terminated"):
                await attempt
            assert len(calls.calls) == 1  # a link had come up
            assert not client.is_connected
            await client.connect()
            assert client.is_connected
            await client.disconnect()

    run(main())


def test_a_device_that_stops_answering_during_discovery_fails_the_connect_within_the_timeout() -> None:
    async def main() -> None:
        async with VirtualRadio(latency_s=0.01) as radio:
            peripheral = await radio.add_device(echo_device())
            client = await client_for(radio, timeout=0.3)
            attempt = asyncio.ensure_future(client.connect())
            await asyncio.sleep(0.1)
            begun = now()
            peripheral.vanish()
            with pytest.raises(TimeoutError):
                await attempt
            assert now() - begun < SUPERVISION_TIMEOUT_S
            await asyncio.sleep(1)
            assert radio.adapter.connections == 0

    run(main())


async def radio_connects(radio: VirtualRadio) -> None:
    """Wait until the central's controller has sent its connect request."""
    connected = asyncio.Event()
    device = await radio.adapter.ready()
    device.once("connection", lambda _: connected.set())
    await connected.wait()


def test_a_connect_request_that_nobody_receives_ends_as_a_failed_connect() -> None:
    """Core Specification Vol 6 Part B 4.5: a link that is not answered in six events was never established."""

    async def main() -> None:
        async with VirtualRadio(latency_s=0.005) as radio:
            peripheral = await radio.add_device(echo_device())
            device = await found(radio)
            client = BleakClient(device, backend=radio.client_backend)
            attempt = asyncio.ensure_future(client.connect())
            async with asyncio.timeout(5):
                await radio_connects(radio)
            await peripheral._bumble.stop_advertising()  # before the request arrives
            with pytest.raises(BleakError, match="connection failed to be established"):
                await attempt

    run(main())


def test_a_callback_may_reconnect() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            again: list[asyncio.Task[None]] = []
            client = await client_for(
                radio, disconnected_callback=lambda c: again.append(asyncio.ensure_future(c.connect()))
            )
            await client.connect()
            device.hang_up()
            await asyncio.sleep(1)
            assert client.is_connected
            assert await client.read_gatt_char(ECHO) == b"hello"
            await again[0]
            client._backend.set_disconnected_callback(None)
            await client.disconnect()

    run(main())


def test_subscriptions_do_not_outlive_their_link() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            client = await client_for(radio)
            heard: list[bytes] = []
            async with client:
                await client.start_notify(ECHO, lambda _, data: heard.append(bytes(data)))
            async with client:
                await client.write_gatt_char(ECHO, b"x", response=True)
                await asyncio.sleep(1)
                assert heard == []
                assert not device.is_subscribed(ECHO)
                echo = client.services.get_characteristic(ECHO)
                assert echo is not None
                assert await client.read_gatt_descriptor(echo.descriptors[0]) == b"\x00\x00"

    run(main())


def test_a_cancelled_write_does_not_take_the_next_ones_response() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio(latency_s=0.1) as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                write = asyncio.ensure_future(client.write_gatt_char(ECHO, b"1", response=True))
                await asyncio.sleep(0.05)
                write.cancel()
                begun = now()
                await client.write_gatt_char(ECHO, b"2", response=True)
                # The first has to be answered before the second may leave: 0.15 s, then 0.2 s of its own.
                assert now() - begun == pytest.approx(0.35)
                assert await client.read_gatt_char(METER) == b"\x2a"
                assert [seen.data for seen in device.writes] == [b"1", b"2"]

    run(main())


def test_a_write_cancelled_while_it_waits_is_never_sent() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio(latency_s=0.1) as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                first = asyncio.ensure_future(client.write_gatt_char(ECHO, b"1", response=True))
                second = asyncio.ensure_future(client.write_gatt_char(ECHO, b"2", response=True))
                await asyncio.sleep(0)
                second.cancel()
                await first
                await asyncio.sleep(1)
                assert [seen.data for seen in device.writes] == [b"1"]

    run(main())


def test_a_device_that_never_answers_loses_its_link_after_thirty_seconds() -> None:
    """Core Specification Vol 3 Part F 3.3.3."""

    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            calls = Calls()
            client = await client_for(radio, disconnected_callback=calls)
            await client.connect()
            await asyncio.sleep(7)
            peripheral._server._prepared = lambda *_: lambda: None  # type: ignore[method-assign]
            begun = now()
            with pytest.raises(BleakError, match="ATT_READ_REQUEST was not answered within 30 s"):
                await client.read_gatt_char(ECHO)
            assert now() - begun == pytest.approx(30)
            await asyncio.sleep(1)
            assert len(calls.calls) == 1

    run(main())


def test_closing_the_radio_ends_every_link() -> None:
    async def main() -> None:
        device: ScriptedDevice = echo_device()
        calls = Calls()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            client = await client_for(radio, disconnected_callback=calls)
            await client.connect()
        assert not client.is_connected
        assert not device.is_connected
        assert len(calls.calls) == 1
        await radio.close()

    run(main())


def test_a_callback_that_fails_reaches_the_loop_and_the_radio_goes_on() -> None:
    def failing(_client: BleakClient) -> None:
        raise ValueError("a mistake of the program's")

    async def main() -> None:
        reported: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(str(context["exception"])))
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            client = await client_for(radio, disconnected_callback=failing)
            for _ in range(3):
                await client.connect()
                device.hang_up()
                await asyncio.sleep(1)
                assert not client.is_connected
            assert reported == ["a mistake of the program's"] * 3
            assert len((await radio.adapter.ready()).host.connections) == 0

    run(main())


def test_closing_the_radio_fails_a_connect_that_waits() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            client = await client_for(radio)
            peripheral.vanish()
            attempt = asyncio.ensure_future(client.connect())
            await asyncio.sleep(1)
            begun = now()
        with pytest.raises(BleakError, match="the radio was closed"):
            await attempt
        assert now() == begun

    run(main())
