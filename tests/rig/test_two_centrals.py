"""Two centrals on one air: a device that tells them apart serves both, any other one alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError, BleakGATTProtocolError

from protocols import omp_codec as codec
from protocols.gatt import uuid
from protocols.omp_codec import AdvertisedFlag, FaultCode, Opcode, Request, Response, Result, ServiceData, State, Status
from rig.clock import run
from rig.conformance.pairing import Onlooker
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import SimulatedForeo
from rig.devices.model import SimulatedDevice
from rig.devices.omp import ENCRYPTED, SimulatedOmp
from rig.radio.adapter import Adapter
from rig.radio.link import Central, VirtualRadio
from rig.radio.pairing import Ability, Pairing
from rig.radio.peripheral import Peripheral
from tests.rig.radio_world import now

ENCRYPTION = 0x0F
LOOK_S = 0.001


class Person:
    """One central with its client, and everything that the device told it."""

    def __init__(self, central: VirtualRadio | Central, peripheral: Peripheral) -> None:
        self.central = central
        self.client = BleakClient(peripheral.address, backend=central.client_backend)
        self.answers: asyncio.Queue[Response] = asyncio.Queue()
        self.statuses: list[Status] = []
        self.telemetry: list[tuple[float, codec.Telemetry]] = []

    async def hears(self, *characteristics: str) -> None:
        takers = {
            codec.CONTROL_POINT: lambda _, data: self.answers.put_nowait(Response.decode(bytes(data))),
            codec.STATUS: lambda _, data: self.statuses.append(Status.decode(bytes(data))),
            codec.TELEMETRY: lambda _, data: self.telemetry.append((now(), codec.Telemetry.decode(bytes(data)))),
        }
        for each in characteristics or takers:
            await self.client.start_notify(each, takers[each])

    async def asks(self, opcode: Opcode, *parameters: int) -> Result:
        request = Request(opcode, parameters).encode()
        await self.client.write_gatt_char(codec.CONTROL_POINT, request, response=True)
        answer = await asyncio.wait_for(self.answers.get(), 2)
        assert answer.opcode == opcode
        return answer.result


class World(NamedTuple):
    radio: VirtualRadio
    device: SimulatedOmp
    peripheral: Peripheral
    first: Person
    second: Person

    async def zero_within(self, seconds: float) -> float:
        """Wait, and return how long after now there was output last, in seconds."""
        since = now()
        await asyncio.sleep(seconds + 1)
        steps = round((now() - since) / LOOK_S)
        last = max((n for n in range(steps) if self.device.output_ua(since + n * LOOK_S) > 0), default=0)
        return last * LOOK_S

    async def runs(self, keep_alive_ms: int = 5000) -> None:
        """Let the first central start the output."""
        for opcode, *parameters in (
            (Opcode.REQUEST_CONTROL, 7),
            (Opcode.SET_TARGET, 100),
            (Opcode.START, 60),
            (Opcode.KEEP_ALIVE, keep_alive_ms),
        ):
            assert await self.first.asks(opcode, *parameters) is Result.SUCCESS
        await asyncio.sleep(3)
        assert self.device.output_ua(now()) > 50


@contextlib.asynccontextmanager
async def world(seed: int = 0, *, pair: bool = True) -> AsyncIterator[World]:
    """An OMP device on the air, and two centrals that are bonded with it and connected."""
    async with VirtualRadio(seed, latency_s=0.01, jitter_s=0.01) as radio:
        device = SimulatedOmp(seed)
        peripheral = await radio.add_device(device)
        first, second = Person(radio, peripheral), Person(radio.add_central(), peripheral)
        for person in (first, second):
            person.central.adapter.pairing = Pairing(Ability.SHOWS_AND_CONFIRMS, Onlooker(device.display))
            await person.client.connect()
            if pair:
                await person.client.pair()
        yield World(radio, device, peripheral, first, second)


def together(test: Callable[[World], Awaitable[None]], seed: int = 0, *, pair: bool = True) -> None:
    async def main() -> None:
        async with world(seed, pair=pair) as both:
            await test(both)

    run(main())


async def heard(central: VirtualRadio | Central, name: str, seconds: float = 1.0) -> ServiceData | None:
    """Whether a device of that name advertises now, and what its service data say."""
    found = await BleakScanner.discover(seconds, return_adv=True, backend=central.scanner_backend)
    for _, advertised in found.values():
        if advertised.local_name == name:
            return ServiceData.decode(advertised.service_data.get(codec.SERVICE, b"\1\0"))
    return None


# --- rule 8 on the air ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_rule_8_a_second_bonded_central_watches_and_stops_and_nothing_else(seed: int) -> None:
    async def test(both: World) -> None:
        await both.first.hears()
        await both.second.hears()
        await both.runs()
        status = Status.decode(bytes(await both.second.client.read_gatt_char(codec.STATUS)))
        assert status.state is State.RUNNING
        before = (both.device.target_ua, both.device.controller, both.device.beeps)
        for opcode, *parameters in (
            (Opcode.REQUEST_CONTROL, 8),
            (Opcode.SET_TARGET, 200),
            (Opcode.PAUSE,),
            (Opcode.KEEP_ALIVE, 5000),
            (Opcode.IDENTIFY, 1),
        ):
            assert await both.second.asks(opcode, *parameters) is Result.NOT_PERMITTED
        assert (both.device.target_ua, both.device.controller, both.device.beeps) == before
        assert both.device.output_ua(now()) > 50

        stopping = asyncio.ensure_future(both.second.asks(Opcode.STOP))
        assert await both.zero_within(1) < 0.1
        assert await stopping is Result.SUCCESS
        assert both.first.statuses[-1].state is both.second.statuses[-1].state is State.READY
        assert both.first.answers.empty()  # an answer goes to whoever asked

    together(test, seed)


def test_both_hear_the_same_telemetry_at_the_same_time_and_only_whoever_subscribed_hears_any() -> None:
    async def test(both: World) -> None:
        await both.first.hears()
        await both.second.hears(codec.TELEMETRY)
        await both.runs()
        ours = {told.sequence: at for at, told in both.first.telemetry}
        theirs = {told.sequence: at for at, told in both.second.telemetry}
        common = ours.keys() & theirs.keys()
        assert len(common) > 20
        assert max(abs(ours[n] - theirs[n]) for n in common) < 0.03  # what the air takes, and no tick of 100 ms more
        assert both.second.statuses == []
        count = len(both.first.telemetry)
        await both.first.client.stop_notify(codec.TELEMETRY)
        await asyncio.sleep(1)
        assert len(both.first.telemetry) - count <= 1
        assert len(theirs) + 8 < len(both.second.telemetry)

    together(test)


# --- what ends, and what goes on --------------------------------------------------------------------------------------


def test_rule_2_when_the_controlling_central_goes_output_ends_and_the_other_one_hears_of_it() -> None:
    async def test(both: World) -> None:
        await both.first.hears()
        await both.second.hears()
        await both.runs()
        await both.first.client.disconnect()
        assert await both.zero_within(1) < 0.2
        assert both.device.controller is None
        assert both.peripheral.centrals == 1
        assert both.second.client.is_connected
        assert both.second.statuses[-1].state is State.IDLE
        assert await both.second.asks(Opcode.REQUEST_CONTROL, 9) is Result.SUCCESS
        assert both.device.controller == 1

    together(test)


def test_rule_2_a_controlling_central_that_falls_silent_is_lost_and_the_other_one_is_not() -> None:
    async def test(both: World) -> None:
        await both.first.hears()
        await both.second.hears()
        await both.runs()
        controllers = [one for one in both.radio._controllers if one.name == "central"]
        both.radio.air.silence(controllers[0])
        assert await both.zero_within(2) < 0.42 + 0.2  # its supervision timeout, and rule 2
        assert not both.first.client.is_connected
        assert both.second.client.is_connected
        assert len(await both.second.client.read_gatt_char(codec.STATUS)) == 12

    together(test)


def test_rule_2_a_central_that_was_started_anew_comes_in_its_own_stead_and_inherits_nothing() -> None:
    async def test(both: World) -> None:
        await both.first.hears()
        await both.runs()
        await both.second.client.disconnect()
        await asyncio.sleep(0.5)  # there is room for another one
        gone = next(one for one in both.radio._controllers if one.name == "central")
        gone.close()  # as a dongle that is pulled out, and plugged in again at once
        (await both.radio.adapter.ready()).host.on_transport_lost()
        again = Adapter(both.radio._make_central_host, address=gone.random_address)
        connection = await again.connect(both.peripheral.bumble_address)
        await asyncio.sleep(0.1)  # long before the supervision timeout of the former link
        assert both.peripheral.centrals == 1
        assert both.device.controller is None
        assert both.device.output_ua(now()) == 0
        await asyncio.sleep(1)
        assert both.peripheral.centrals == 1
        await again.disconnect(connection)
        await again.close()

    together(test)


def test_when_the_watching_central_goes_the_output_of_the_controlling_one_goes_on() -> None:
    async def test(both: World) -> None:
        await both.first.hears()
        await both.second.hears()
        await both.runs()
        await both.second.client.disconnect()
        await asyncio.sleep(1)
        assert both.device.output_ua(now()) > 50
        assert both.device.controller == 0
        count = len(both.first.telemetry)
        await asyncio.sleep(1)
        assert len(both.first.telemetry) - count >= 9

    together(test)


def test_the_place_of_one_that_went_is_the_next_ones_and_nothing_of_it_is_left() -> None:
    async def test(both: World) -> None:
        await both.first.hears()
        await both.first.client.disconnect()
        await asyncio.sleep(1)
        await both.first.client.connect()  # bonded: encrypted at once
        assert both.peripheral.centrals == 2
        assert both.device._subscriptions == {1: set(), 0: set()}
        with pytest.raises(BleakGATTProtocolError) as error:  # its indications are off again
            await both.first.client.write_gatt_char(
                codec.CONTROL_POINT, Request(Opcode.IDENTIFY, (1,)).encode(), response=True
            )
        assert error.value.code == 0xFD

    together(test)


def test_a_device_that_loses_its_power_ends_both_links() -> None:
    async def test(both: World) -> None:
        await both.first.hears()
        await both.runs()
        both.device.power_cycle(now())
        await asyncio.sleep(1)
        assert both.peripheral.centrals == 0
        assert not both.first.client.is_connected
        assert not both.second.client.is_connected
        assert both.device.output_ua(now()) == 0
        assert await heard(both.radio, "OMP") is not None

    together(test)


def test_what_happens_to_the_device_itself_is_told_to_both() -> None:
    async def test(both: World) -> None:
        await both.first.hears(codec.STATUS)
        await both.second.hears(codec.STATUS)
        both.device.inject_fault(FaultCode.INTERNAL, now())
        await asyncio.sleep(0.1)
        assert both.first.statuses[-1].fault is both.second.statuses[-1].fault is FaultCode.INTERNAL

    together(test)


def test_whoever_is_left_alone_hears_what_happens_to_the_device_too() -> None:
    async def test(both: World) -> None:
        await both.second.hears(codec.STATUS)
        await both.first.client.disconnect()
        await asyncio.sleep(1)
        both.device.inject_fault(FaultCode.INTERNAL, now())
        await asyncio.sleep(0.1)
        assert both.second.statuses[-1].fault is FaultCode.INTERNAL
        both.device.power_cycle(now())
        await asyncio.sleep(0.1)
        assert not both.second.client.is_connected

    together(test)


def test_switching_the_device_off_ends_both_links() -> None:
    async def test(both: World) -> None:
        await both.peripheral.close()
        await asyncio.sleep(0.1)
        assert not both.first.client.is_connected
        assert not both.second.client.is_connected

    together(test)


# --- each link has what is its own ------------------------------------------------------------------------------------


def test_the_encryption_of_one_link_opens_nothing_on_the_other() -> None:
    async def test(both: World) -> None:
        await both.first.client.pair()
        assert len(await both.first.client.read_gatt_char(codec.STATUS)) == 12
        for characteristic in sorted(ENCRYPTED - {codec.FEATURES, codec.STATUS}):
            with pytest.raises(BleakGATTProtocolError) as error:
                await both.second.client.start_notify(characteristic, lambda _c, _d: None)
            assert error.value.code == ENCRYPTION
        with pytest.raises(BleakGATTProtocolError) as error:
            await both.second.client.read_gatt_char(codec.STATUS)
        assert error.value.code == ENCRYPTION
        assert both.peripheral.is_encrypted

    together(test, pair=False)


def test_a_second_central_that_was_asked_for_no_code_may_not_stop() -> None:
    """Stop is on the Control Point, which needs an authenticated key (H9)."""

    async def test(both: World) -> None:
        await both.first.client.pair()
        await both.first.hears()
        both.second.central.adapter.pairing = Pairing(Ability.NOTHING)
        await both.second.client.pair()
        await both.runs()
        with pytest.raises(BleakGATTProtocolError) as error:
            await both.second.client.write_gatt_char(codec.CONTROL_POINT, Request(Opcode.STOP).encode(), response=True)
        assert error.value.code == 0x05
        assert len(await both.second.client.read_gatt_char(codec.STATUS)) == 12
        assert both.device.output_ua(now()) > 50

    together(test, pair=False)


def test_each_link_has_an_mtu_of_its_own() -> None:
    async def test(both: World) -> None:
        assert both.first.client.mtu_size == both.second.client.mtu_size == 247
        connections = [link.connection for link in both.peripheral._links.values()]
        assert [connection.att_mtu for connection in connections] == [247, 247]
        await both.second.client.disconnect()
        await asyncio.sleep(0.5)
        adapter = both.second.central.adapter
        connection = await adapter.connect(both.peripheral.bumble_address)  # a program that asks for no larger one
        await asyncio.sleep(0.1)
        assert connection.att_mtu == 23
        assert sorted(link.connection.att_mtu for link in both.peripheral._links.values()) == [23, 247]

    together(test)


# --- advertising ------------------------------------------------------------------------------------------------------


def test_it_advertises_until_there_is_no_room_and_again_when_there_is() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            device = SimulatedOmp()
            peripheral = await radio.add_device(device)
            watcher = radio.add_central()
            first, second = Person(radio, peripheral), Person(radio.add_central(), peripheral)
            await first.client.connect()
            assert await heard(watcher, "OMP") is not None
            await second.client.connect()
            assert await heard(watcher, "OMP") is None
            with pytest.raises((BleakError, TimeoutError)):
                await BleakClient(peripheral.address, timeout=3, backend=watcher.client_backend).connect()
            await first.client.disconnect()
            assert await heard(watcher, "OMP") is not None
            assert peripheral.centrals == 1

    run(main())


def test_what_it_advertises_beside_a_link_says_whether_somebody_controls_it() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            device = SimulatedOmp()
            peripheral = await radio.add_device(device)
            watcher, owner = radio.add_central(), Person(radio, peripheral)
            radio.adapter.pairing = Pairing(Ability.SHOWS_AND_CONFIRMS, Onlooker(device.display))
            await owner.client.connect()
            await owner.client.pair()
            await owner.hears()
            flags = [await heard(watcher, "OMP")]
            assert await owner.asks(Opcode.REQUEST_CONTROL, 1) is Result.SUCCESS
            flags.append(await heard(watcher, "OMP"))
            await owner.client.disconnect()
            await asyncio.sleep(0.1)
            flags.append(await heard(watcher, "OMP"))
            free = AdvertisedFlag.PAIRING_ALLOWED
            assert [None if each is None else each.flags for each in flags] == [free, AdvertisedFlag(0), free]

    run(main())


def test_news_to_advertise_that_come_with_the_last_place_taken_are_not_advertised() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            device = SimulatedOmp()
            peripheral = await radio.add_device(device)
            watcher = radio.add_central()
            await Person(radio, peripheral).client.connect()
            await asyncio.sleep(1)
            async with peripheral._advertising:
                device.inject_fault(FaultCode.INTERNAL, now())
                await Person(radio.add_central(), peripheral).client.connect()
            assert await heard(watcher, "OMP") is None
            assert peripheral.centrals == 2

    run(main())


@pytest.mark.parametrize("device", [SimulatedDr05(), SimulatedForeo()], ids=["dr05", "foreo"])
def test_a_device_that_does_not_tell_centrals_apart_takes_one_and_is_not_heard_meanwhile(
    device: SimulatedDevice,
) -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(device)
            watcher, name = radio.add_central(), device.advertisement.name
            client = BleakClient(peripheral.address, backend=radio.client_backend)
            await client.connect()
            assert await heard(watcher, name) is None
            with pytest.raises((BleakError, TimeoutError)):
                await BleakClient(peripheral.address, timeout=3, backend=watcher.client_backend).connect()
            assert peripheral.centrals == 1
            assert client.is_connected
            await client.disconnect()
            assert await heard(watcher, name) is not None

    run(main())


def test_adapters_on_one_air_have_addresses_and_bonds_of_their_own() -> None:
    async def test(both: World) -> None:
        peers = {str(link.connection.peer_address) for link in both.peripheral._links.values()}
        assert len(peers) == 2
        assert await both.first.central.adapter.forget(both.peripheral.bumble_address)
        assert await both.second.central.adapter.keys_of(both.peripheral.bumble_address) is not None

    together(test)


def test_two_runs_with_one_seed_are_the_same_with_two_centrals_as_well() -> None:
    async def told() -> list[tuple[float, int]]:
        async with world(3) as both:
            await both.first.hears()
            await both.second.hears()
            await both.runs()
            return [(at, each.sequence) for at, each in both.second.telemetry]

    assert run(told()) == run(told())


def test_battery_reports_go_to_both() -> None:
    async def test(both: World) -> None:
        level = uuid(0x2A19)
        seen: list[tuple[int, int]] = []

        def taker(number: int) -> Callable[[object, bytearray], None]:
            return lambda _, data: seen.append((number, data[0]))

        for number, person in enumerate((both.first, both.second)):
            await person.client.start_notify(level, taker(number))
        both.device.set_battery(50, now())
        await asyncio.sleep(0.1)
        assert sorted(seen) == [(0, 50), (1, 50)]

    together(test)
