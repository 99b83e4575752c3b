"""The guard itself: what it lets through, in which order, and that the device is stopped whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakError

from protocols import dr05, registry
from protocols.dr05 import Dr05
from protocols.gatt import Characteristic, Property, Service
from protocols.machine import Reaction
from rig.clock import run
from rig.devices.dr05 import SimulatedDr05
from rig.devices.model import DeviceAction, Notify
from rig.radio.link import VirtualRadio
from rig.replay.app import find
from rig.replay.guarded import Guard, GuardError, RefusedError
from tests.rig.radio_world import client_for
from tests.rig.replay.dr05_talk import ACTION, GET, UART, level, reply, request, start, stop, total_stop


class Hindered:
    """A bleak client whose writes can be held up or fail."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.hold = asyncio.Event()
        self.hold.set()
        self.fails: Callable[[bytes], bool] = lambda _data: False
        self.performed: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def write_gatt_char(self, there: BleakGATTCharacteristic, data: bytes, response: bool) -> None:
        stopping = data[7] == 0x06
        if not stopping:
            await self.hold.wait()
        if self.fails(data):
            raise BleakError("the radio is out of order")
        await self._client.write_gatt_char(there, data, response=response)
        self.performed.append(data)


@dataclass
class World:
    guard: Guard
    client: Hindered
    device: SimulatedDr05
    there: BleakGATTCharacteristic
    troubles: list[str] = field(default_factory=list)

    async def write(self, data: bytes, wait_s: float = 0.15) -> None:
        await self.guard.write_gatt_char(self.there, data, response=False)
        await asyncio.sleep(wait_s)

    async def started(self) -> None:
        for data in (level(1), start()):
            await self.write(data)


@asynccontextmanager
async def guarded(
    device: SimulatedDr05 | None = None, entry: registry.ProtocolEntry = dr05.ENTRY
) -> AsyncIterator[World]:
    device = device or SimulatedDr05()
    troubles: list[str] = []
    async with VirtualRadio() as radio:
        await radio.add_device(device)
        guard = Guard(entry, "Dr-05", on_trouble=troubles.append)
        client = await client_for(radio, "Dr-05", disconnected_callback=guard.link_ended)
        await client.connect()
        hindered = Hindered(client)
        try:
            await guard.open(hindered)  # type: ignore[arg-type]
            there = find(client.services, UART)
            assert isinstance(there, BleakGATTCharacteristic)
            yield World(guard, hindered, device, there, troubles)
        finally:
            await guard.close()
            assert not client.is_connected
    assert device.output_percent(asyncio.get_running_loop().time()) == 0.0


def test_the_device_is_known_to_be_off_once_the_guard_is_open() -> None:
    async def scenario() -> None:
        async with guarded() as world:
            assert not world.guard.output_possible
            assert world.device.arrivals[-1].frame == total_stop()

    run(scenario())


def test_a_level_behind_an_unanswered_question_is_held_until_the_answer() -> None:
    async def scenario() -> None:
        async with guarded() as world:
            world.device.lose_reply()  # the question is asked, and given up half a second later
            await world.write(request(GET, 0x41), 0.0)
            before = asyncio.get_running_loop().time()
            await world.write(level(1), 0.0)
            assert asyncio.get_running_loop().time() - before == pytest.approx(0.5, abs=0.01)
            assert world.client.performed[-1] == level(1)
            assert world.client.performed.count(request(GET, 0x41)) == 1  # the guard repeats nothing but stops

    run(scenario())


def test_a_rise_that_still_waits_for_the_radio_is_void_once_a_stop_is_asked_for() -> None:
    async def scenario() -> None:
        async with guarded() as world:
            await world.started()
            world.client.hold.clear()
            rising = asyncio.create_task(world.write(level(2)))
            await asyncio.sleep(0.01)
            question = asyncio.create_task(world.write(request(GET, 0x41)))
            await asyncio.sleep(0.01)
            await world.write(total_stop(), 0.0)
            await asyncio.sleep(0.05)
            world.client.hold.set()
            await asyncio.gather(rising, question, return_exceptions=True)
            await asyncio.sleep(1.0)
            # The rise that the radio held came late, and a stop came after it.
            assert world.client.performed[-1] == total_stop()
            assert world.device.output_percent(asyncio.get_running_loop().time()) == 0.0

    run(scenario())


def test_nothing_is_written_after_a_refusal() -> None:
    async def scenario() -> None:
        async with guarded() as world:
            await world.started()
            with pytest.raises(RefusedError, match="more than one step") as refused:
                await world.write(level(9))
            assert refused.value.output_on
            assert refused.value.text.startswith("refused: a rise from 1 to 9 %")
            for data in (level(2), start(), request(GET, 0x41), total_stop()):
                with pytest.raises(RefusedError, match="nothing is written after"):
                    await world.write(data)
            await asyncio.sleep(0.1)
            assert world.client.performed[-1] == total_stop()
            assert not world.guard.output_possible

    run(scenario())


def test_the_same_uuid_elsewhere_is_another_characteristic() -> None:
    async def scenario() -> None:
        async with guarded() as world:
            known = world.there
            service = world.client.services.get_service(UART.service)
            twin = BleakGATTCharacteristic(
                known.obj, known.handle + 10, known.uuid, known.properties, lambda: 20, service
            )
            with pytest.raises(RefusedError, match="the protocol never writes this characteristic"):
                await world.guard.write_gatt_char(twin, request(GET, 0x41), response=False)

    run(scenario())


def test_the_stop_is_on_its_way_before_anybody_handles_a_refusal() -> None:
    async def scenario() -> None:
        async with guarded() as world:
            await world.started()
            writing = asyncio.create_task(world.write(b"hello"))
            await asyncio.wait((writing,))
            await asyncio.sleep(0.05)  # nobody has looked at the task yet
            assert world.device.output_percent(asyncio.get_running_loop().time()) == 0.0
            assert isinstance(writing.exception(), RefusedError)

    run(scenario())


def test_an_old_acknowledgement_that_is_read_is_not_taken_for_a_new_one() -> None:
    class Readable(SimulatedDr05):
        """Its module gives, read, what it notified last of a stop."""

        @property
        def services(self) -> tuple[Service, ...]:
            [service] = super().services
            [uart] = service.characteristics
            return (Service(service.uuid, (Characteristic(uart.uuid, uart.properties | Property.READ),)),)

        def read(self, characteristic: str, now: float) -> bytes:
            return reply(ACTION, 0x03, 0)

    async def scenario() -> None:
        async with guarded(Readable()) as world:
            await world.started()
            world.device.lose_reply()
            await world.write(stop(), 0.1)
            assert bytes(await world.guard.read_gatt_char(world.there)) == reply(ACTION, 0x03, 0)
            assert world.guard.output_possible
            with pytest.raises(RefusedError, match="a stop is not acknowledged yet"):
                await world.write(level(1))

    run(scenario())


def test_an_output_that_starts_by_itself_is_stopped_at_once() -> None:
    class Wilful(SimulatedDr05):
        said: tuple[DeviceAction, ...] = ()

        def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
            said, self.said = self.said, ()
            return (*said, *super().deadline_passed(now))

    async def scenario() -> None:
        device = Wilful()
        async with guarded(device) as world:
            stops = world.client.performed.count(total_stop())
            device.said = (Notify(UART.characteristic, reply(ACTION, 0x03, 1)),)
            await world.write(request(GET, 0x41))
            assert world.troubles == ["the device started its output and nobody had asked"]
            assert world.client.performed.count(total_stop()) == stops + 1
            with pytest.raises(RefusedError):
                await world.write(level(1))

    run(scenario())


def test_a_stop_that_the_radio_cannot_write_ends_the_link() -> None:
    async def scenario() -> None:
        device = SimulatedDr05()
        async with guarded(device) as world:
            await world.started()
            world.client.fails = lambda data: data == total_stop()
            with pytest.raises(RefusedError):
                await world.write(b"hello")
            await asyncio.sleep(0.1)
            assert world.guard.link_is_down
        assert device.trace[-1].cause == "link lost"

    run(scenario())


@pytest.mark.parametrize("method", ["data_received", "deadline_passed", "operation_done", "command"])
def test_a_protocol_that_fails_ends_the_link(method: str) -> None:
    class Broken(Dr05):
        breaks = False

    def fail(self: Broken, *args: Any) -> Reaction:
        if self.breaks:
            raise ZeroDivisionError("a defect")
        return getattr(Dr05, method)(self, *args)  # type: ignore[no-any-return]

    setattr(Broken, method, fail)
    made: list[Broken] = []

    def create(_name: str) -> Broken:
        made.append(Broken())
        return made[-1]

    async def scenario() -> None:
        device = SimulatedDr05()
        async with guarded(device, replace(dr05.ENTRY, create=create)) as world:
            await world.started()
            made[-1].breaks = True
            if method == "deadline_passed":
                world.device.lose_reply()
            for _ in range(2):
                with suppress(RefusedError, BleakError):
                    await world.write(request(GET, 0x41), 1.0)
            await asyncio.sleep(0.1)
            assert world.guard.link_is_down
            with pytest.raises(RefusedError, match="nothing is written after"):
                await world.write(level(1))
        assert device.trace[-1].output_percent == 0.0

    run(scenario())


def test_a_protocol_that_cannot_read_recordings_guards_nothing() -> None:
    with pytest.raises(GuardError, match="cannot read recordings"):
        Guard(replace(dr05.ENTRY, listen=None), "Dr-05", on_trouble=lambda _why: None)


def test_closing_goes_on_when_nobody_waits_for_it_any_more() -> None:
    async def scenario() -> None:
        device = SimulatedDr05()
        async with guarded(device) as world:
            await world.started()
            closing = asyncio.create_task(world.guard.close())
            await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            await asyncio.sleep(0.5)
            assert world.guard.link_is_down
        assert device.trace[-1].cause == "total stop"

    run(scenario())
