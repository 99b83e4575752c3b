"""The virtual radio is the same every time, keeps order whatever the delays, and holds on to nothing."""

from __future__ import annotations

import asyncio
import gc
import io
import random
import weakref
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from bleak import BleakClient, BleakScanner
from bumble.utils import AsyncRunner

from rig.capture.writer import BtsnoopWriter
from rig.clock import loop_factory, run
from rig.radio.link import VirtualRadio
from rig.testing import ScriptedDevice
from tests.rig.radio_world import ECHO, METER, SECRET, client_for, echo_device, found, now

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


def _story(seed: int, jitter_s: float) -> tuple[bytes, list[Any]]:
    """Return the HCI record and what happened in a session whose every choice follows from the seed."""
    file = io.BytesIO()
    events: list[Any] = []

    async def main() -> None:
        rng = random.Random(seed)
        devices = [echo_device(name, delay_s=0.01) for name in ("One", "Two", "Three")]
        async with VirtualRadio(seed, latency_s=0.003, jitter_s=jitter_s) as radio:
            radio.record(writer)
            for device in devices:
                await radio.add_device(device, rssi=-rng.randint(30, 90))

            async def drive(name: str) -> None:
                async with await client_for(radio, name) as client:
                    await client.start_notify(ECHO, lambda _, data: events.append((now(), name, bytes(data))))
                    for n in range(10):
                        await client.write_gatt_char(ECHO, bytes([n]), response=rng.random() < 0.5)
                        await asyncio.sleep(rng.random() * 0.1)
                events.append((now(), name, "over"))

            await asyncio.gather(*(drive(device.name) for device in devices))
            for device in devices:
                events.extend(device.writes)

    with BtsnoopWriter(file, EPOCH) as writer:
        run(main())
    return file.getvalue(), events


@pytest.mark.parametrize("jitter_s", [0.0, 0.005])
@pytest.mark.parametrize("seed", [0, 7])
def test_two_runs_with_one_seed_are_identical_to_the_byte(seed: int, jitter_s: float) -> None:
    assert _story(seed, jitter_s) == _story(seed, jitter_s)


def test_another_seed_is_another_run() -> None:
    assert _story(1, 0.005)[0] != _story(2, 0.005)[0]


@pytest.mark.parametrize("seed", range(5))
def test_packets_keep_their_order_whatever_the_jitter(seed: int) -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio(seed, jitter_s=0.2) as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                heard: list[int] = []
                await client.start_notify(ECHO, lambda _, data: heard.append(data[0]))
                for n in range(100):
                    await client.write_gatt_char(ECHO, bytes([n]), response=False)
                await asyncio.sleep(30)
                assert [seen.data[0] for seen in device.writes] == list(range(100)), f"seed {seed}"
                assert heard == list(range(100)), f"seed {seed}"

    run(main())


def test_the_latency_of_a_packet_is_the_radios() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio(latency_s=0.05) as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                begun = now()
                await client.write_gatt_char(ECHO, b"x", response=True)
                assert device.writes[0].time - begun == pytest.approx(0.05)
                assert now() - begun == pytest.approx(0.1)

    run(main())


def test_without_latency_a_write_arrives_at_the_very_time_it_was_made() -> None:
    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                await asyncio.sleep(1.2345)
                await client.write_gatt_char(ECHO, b"x", response=True)
                assert device.writes[0].time == now()

    run(main())


def test_a_hundred_writes_without_response_in_a_row_are_not_lost_to_flow_control() -> None:
    """The controller takes 64 packets at a time (Core Specification Vol 4 Part E 4.1.1)."""

    async def main() -> None:
        device = echo_device()
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio) as client:
                for n in range(1000):
                    await client.write_gatt_char(ECHO, n.to_bytes(2, "big"), response=False)
                await asyncio.sleep(1)
                assert [int.from_bytes(seen.data, "big") for seen in device.writes] == list(range(1000))

    run(main())


def _bumble_objects() -> Counter[str]:
    gc.collect()
    ours = ("bumble.device", "bumble.gatt_client", "bumble.host", "bumble.controller", "bumble.smp", "rig.", "bleak")
    return Counter(
        type(thing).__qualname__ for thing in gc.get_objects() if str(type(thing).__module__).startswith(ours)
    )


def test_a_hundred_connects_leave_nothing_behind() -> None:
    """Tasks, listeners, connection tables, timers and objects: all as after the first connect."""

    async def main() -> None:
        clients: list[weakref.ref[BleakClient]] = []
        links: list[weakref.ref[object]] = []
        device = echo_device(delay_s=0.001)
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(device)
            ble_device = await found(radio)

            async def once() -> None:
                client = BleakClient(ble_device, backend=radio.client_backend, disconnected_callback=lambda _: None)
                async with client:
                    await client.start_notify(ECHO, lambda *_: None)
                    await client.start_notify(METER, lambda *_: None)
                    await client.pair()
                    assert await client.read_gatt_char(SECRET) == b"secret"
                    await client.write_gatt_char(ECHO, b"x", response=True)
                    device.notify(METER, b"y")
                    await asyncio.sleep(0.01)
                clients.append(weakref.ref(client))
                links.append(weakref.ref(client._backend))
                device.writes.clear()

            async def state() -> dict[str, Any]:
                await asyncio.sleep(100)  # until timers that were cancelled have left the loop's heap
                central = radio.adapter._device
                assert central is not None
                listeners = {
                    f"{who} {event}": len(emitter.listeners(event))
                    for who, emitter in (
                        ("central", central),
                        ("central host", central.host),
                        ("peripheral", peripheral._bumble),
                        ("peripheral host", peripheral._bumble.host),
                    )
                    for event in emitter.event_names()
                }
                return {
                    "tasks": len(asyncio.all_tasks()),
                    "bumble tasks": len(AsyncRunner.running_tasks),
                    "listeners": {event: count for event, count in listeners.items() if count},
                    "central links": len(central.connections),
                    "host links": len(central.host.connections),
                    "peripheral links": len(peripheral._bumble.connections),
                    "subscriptions": len(peripheral._server._links),
                    "subscribers": len(peripheral._server.subscribers),
                    "confirmations": len(peripheral._server.pending_confirmations),
                    "controllers": [len(c.le_connections) for c in radio._controllers],
                    "supervision": [len(c._supervision) + len(c._timing) for c in radio._controllers],
                    "adapter tasks": len(radio.adapter._tasks),
                    "peripheral tasks": len(peripheral._tasks),
                    "objects": _bumble_objects(),
                }

            await once()
            before = await state()
            for _ in range(100):
                await once()
            after = await state()
            assert after == before
        assert [ref for ref in clients if ref() is not None] == []
        assert [ref for ref in links if ref() is not None] == []

    run(main())


def test_a_closed_radio_is_garbage() -> None:
    refs: list[weakref.ref[object]] = []

    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                await client.read_gatt_char(ECHO)
            refs.extend((weakref.ref(radio), weakref.ref(radio.air), weakref.ref(radio.adapter)))

    run(main())
    gc.collect()
    assert [ref() for ref in refs] == [None, None, None]


def test_closing_leaves_no_task_behind() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            await (await client_for(radio)).connect()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_two_radios_do_not_hear_each_other() -> None:
    async def main() -> None:
        async with VirtualRadio(1) as here, VirtualRadio(2) as there:
            await here.add_device(echo_device("Here"))
            await there.add_device(echo_device("There"))
            for radio, name in ((here, "Here"), (there, "There")):
                heard = await BleakScanner.discover(1, backend=radio.scanner_backend)
                assert [device.name for device in heard] == [name]

    run(main())


def test_two_devices_of_one_address_are_refused() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device(), address="C0:FF:EE:00:00:01")
            with pytest.raises(ValueError, match="C0:FF:EE:00:00:01 already"):
                await radio.add_device(echo_device(), address="C0:FF:EE:00:00:01")

    run(main())


@pytest.mark.parametrize("address", ["C0:FF:EE", "C0FFEE000001", "C0:FF:EE:00:00:0G", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            with pytest.raises(ValueError, match=r"address|hexadecimal"):
                await radio.add_device(echo_device(), address=address)

    run(main())


def test_a_device_can_be_switched_off_and_another_on() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device("First"))
            client = await client_for(radio, "First")
            await client.connect()
            await peripheral.close()
            await asyncio.sleep(0.1)
            assert not client.is_connected
            await radio.add_device(echo_device("Second"))
            heard = await BleakScanner.discover(1, backend=radio.scanner_backend)
            assert [device.name for device in heard] == ["Second"]

    run(main())


def test_it_runs_in_real_time_as_well() -> None:
    """The same code on asyncio's own clock, as the app's demo runs it."""

    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(ScriptedDevice("Plain", service_uuids=("1234",)))
            async with await client_for(radio, "Plain") as client:
                assert client.is_connected

    with asyncio.Runner(loop_factory=loop_factory(1.0)) as runner:
        runner.run(main())
