"""H4 at the connection: without a guard no handshake, without its word no session, and it is told what it must know."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError

from companion.demo import DemoRadio, open_demo
from companion.device.connection import CLOSE_LIMIT_S, Cause, Connection
from companion.device.finder import find
from companion.device.radio import RadioError
from companion.guard.keeper import Guard, GuardError, Stop
from companion.session.model import LinkLost, LinkReady
from protocols.model import SetIntensity, StartOutput
from protocols.registry import Registry
from rig import clock
from tests.companion.scripted import TALK, Bench, ScriptedProtocol, never, turns, write


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on the loop whose clock jumps: waiting costs nothing, and limits are exact."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        clock.run(test(*args, **kwargs))

    return run


@dataclass
class FakeGuard:
    """Notes in the radio's log what it is asked for."""

    log: list[str]
    lost: Callable[[str], None]
    fault: GuardError | None = None
    takes_s: float = 0.0
    learned: list[Stop] = field(default_factory=list)

    async def hold(self, device: BLEDevice) -> None:
        self.log.append(f"hold {device.address}")
        await asyncio.sleep(self.takes_s)
        if self.fault is not None:
            raise self.fault
        self.log.append("held")

    def stops(self, writes: Sequence[Stop]) -> None:
        self.log.append("stops")
        self.learned = list(writes)

    async def release(self, *, down: bool) -> None:
        self.log.append(f"release {down=}")


@dataclass
class Guarded(Bench):
    """A bench whose links have guards."""

    guards: list[FakeGuard] = field(default_factory=list)
    fault: GuardError | None = None
    takes_s: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.radio.guarded_by = self._guard
        self.radio.on_connect = self._connected

    async def _connected(self) -> None:
        self.radio.log.append("connect")

    def _guard(self, lost: Callable[[str], None]) -> Guard:
        self.radio.log.append("guard")
        self.guards.append(FakeGuard(self.radio.log, lost, self.fault, self.takes_s))
        return self.guards[-1]


def with_a_stop(protocol: ScriptedProtocol) -> None:
    protocol.stops = (write(b"stop", urgent=True),)


@in_virtual_time
async def test_h4_the_guard_is_there_before_the_link_and_holds_it_before_the_handshake() -> None:
    bench = Guarded(takes_s=0.5)
    await bench.connection.connect()
    assert bench.radio.log[:4] == ["guard", "connect", "hold C0:00:00:00:00:01", "held"]
    assert "subscribe" in bench.radio.log[4:]
    await bench.connection.aclose()
    assert bench.radio.log[-2:] == ["disconnect", "release down=True"]


@in_virtual_time
async def test_h4_without_a_guard_nothing_is_connected() -> None:
    bench = Guarded()

    def none(_lost: Callable[[str], None]) -> Guard:
        raise GuardError("it could not be started: No such file")

    bench.radio.guarded_by = none
    with pytest.raises(RadioError, match=r"the guard, which would end the link.*No such file"):
        await bench.connection.connect()
    assert bench.radio.log == []
    assert bench.connection.ending is not None
    assert bench.connection.ending.cause is Cause.NO_GUARD


@in_virtual_time
async def test_h4_a_link_that_the_guard_cannot_hold_is_ended_before_the_handshake() -> None:
    bench = Guarded(fault=GuardError("BlueZ has no link"))
    with pytest.raises(RadioError, match=r"cannot do its work \(BlueZ has no link\)"):
        await bench.connection.connect()
    assert bench.radio.log == ["guard", "connect", "hold C0:00:00:00:00:01", "disconnect", "release down=True"]
    assert bench.protocol.services == ()  # the protocol was never begun
    assert bench.news == []


@in_virtual_time
async def test_h4_a_device_that_goes_while_the_guard_takes_hold_is_told_as_gone() -> None:
    bench = Guarded(takes_s=0.5)
    connecting = asyncio.ensure_future(bench.connection.connect())
    await asyncio.sleep(0.2)
    bench.client.gone()
    with pytest.raises(RadioError, match="out of reach or switched off"):
        await connecting
    assert bench.radio.log.count("release down=True") == 1


@in_virtual_time
async def test_h4_the_guard_knows_how_to_stop_before_anybody_can_start() -> None:
    known: list[list[Stop]] = []
    bench = Guarded(prepare=with_a_stop)
    bench.connection.listener = lambda news: (
        known.append(bench.guards[-1].learned) if isinstance(news, LinkReady) else None
    )
    await bench.connection.connect()
    (stops,) = known
    assert [(stop.characteristic.uuid, stop.data, stop.with_response) for stop in stops] == [(TALK, b"stop", False)]
    await bench.connection.aclose()


@in_virtual_time
async def test_h4_a_guard_that_is_lost_stops_the_output_and_ends_the_link() -> None:
    bench = Guarded()
    await bench.connection.connect()
    bench.stop_answers_with(write(b"stop", urgent=True))
    bench.connection.submit(StartOutput())
    await turns()
    bench.guards[-1].lost("the guard of the link does not answer")
    await turns()
    assert bench.radio.log[-3:] == ["write stop", "disconnect", "release down=True"]
    assert bench.news[-1] == LinkLost("the guard of the link does not answer, so the app let go of the device")
    bench.guards[-1].lost("again")  # a late word about a link that has ended changes nothing
    await turns()
    assert bench.radio.log[-1] == "release down=True"
    await bench.connection.aclose()


@in_virtual_time
async def test_h4_a_link_that_comes_back_has_a_guard_of_its_own() -> None:
    bench = Guarded()
    await bench.connection.connect()
    bench.client.gone()
    bench.connection.reconnect(asyncio.get_running_loop().time() + 60)
    await asyncio.sleep(10)
    assert bench.connection.ready
    assert bench.radio.log.count("guard") == 2
    assert bench.radio.log.count("held") == 2
    bench.guards[0].lost("the first link's guard is late")  # says nothing about the second link
    await turns()
    assert bench.connection.ready
    await bench.connection.aclose()


async def _fails() -> None:
    raise BleakError("the radio is in trouble")


@in_virtual_time
async def test_h4_a_link_that_the_app_cannot_end_is_left_to_the_guard() -> None:
    bench = Guarded()
    await bench.connection.connect()
    bench.radio.on_disconnect = _fails
    await bench.connection.aclose()
    assert "release down=False" in bench.radio.log
    assert "release down=True" not in bench.radio.log


@in_virtual_time
async def test_h4_a_close_that_runs_out_of_time_leaves_the_link_to_the_guard() -> None:
    bench = Guarded()
    await bench.connection.connect()
    bench.radio.on_disconnect = never
    await bench.connection.aclose(within_s=0.1)
    assert bench.radio.log[-1] == "release down=False"
    assert asyncio.get_running_loop().time() < CLOSE_LIMIT_S


@in_virtual_time
async def test_h4_a_device_out_of_reach_needs_no_guard_any_more() -> None:
    bench = Guarded()
    bench.radio.on_connect = _fails
    with pytest.raises(RadioError):
        await bench.connection.connect()
    await bench.connection.aclose()
    assert bench.radio.log.count("release down=True") == 1


@pytest.mark.parametrize("key", ["dr05", "foreo", "omp"])
def test_h4_what_a_guard_writes_stops_the_device_without_the_app(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[BleakClient] = []
    guards: list[FakeGuard] = []

    def client(radio: DemoRadio, device: BLEDevice, disconnected: Callable[[BleakClient], None]) -> BleakClient:
        clients.append(BleakClient(device, disconnected, backend=radio.air.client_backend))
        return clients[-1]

    def guard(_radio: DemoRadio, lost: Callable[[str], None]) -> Guard:
        guards.append(FakeGuard([], lost))
        return guards[-1]

    monkeypatch.setattr(DemoRadio, "client", client)
    monkeypatch.setattr(DemoRadio, "guard", guard)

    async def go() -> None:
        radio = await open_demo(key)
        (found,) = await find(radio, Registry.default(), 5.0)
        connection = Connection(radio, found)
        connection.pairer = radio.stand_in()
        try:
            await connection.connect()
            connection.submit(SetIntensity(found.entry.profile.lowest_percent))
            await asyncio.sleep(0.5)
            connection.submit(StartOutput())
            await asyncio.sleep(0.5)
            now = asyncio.get_running_loop().time
            assert radio.device.output_percent(now()) > 0
            for stop in guards[0].learned:
                await clients[0].write_gatt_char(stop.characteristic, stop.data, stop.with_response)
            await asyncio.sleep(0.2)
            assert clients[0].is_connected  # so it was not the end of the link that ended the output
            assert radio.device.output_percent(now()) == 0
        finally:
            await connection.aclose()
            await radio.close()

    clock.run(go())
