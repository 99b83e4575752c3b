"""A device that talks without end, or hardly at all: what is kept of it is bounded, and a Stop is never behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from companion.device import connection as connections
from companion.device.connection import Cause, LinkState
from companion.device.pairing import PAIRING_LIMIT_S, PairingError, Questions
from companion.device.radio import RadioError
from companion.session.engine import WATER_NOTES
from companion.session.model import Intent, JournalKind, Phase, Reason
from protocols.frames import encode
from protocols.gatt import Subscribe, Write, uuid
from protocols.machine import Reaction
from protocols.model import Pairing, TotalStop, Unrecognised
from rig import clock
from rig.devices.model import Notify
from tests.companion.scripted import TALK, Bench, ScriptedProtocol, never, write
from tests.companion.test_pairing import Person
from tests.companion.test_runner import Whole, whole

PER_SECOND = 20_000
EACH_MS = PER_SECOND // 1000
STOP = b"stop"
FFE1 = uuid("ffe1")
WATER_LOW, WATER_BACK = (encode(0x66, 0x01, 0x07, bytes((back,))) for back in (0, 1))


def now() -> float:
    return asyncio.get_running_loop().time()


# --- at the connection ------------------------------------------------------------------------------------------------


def flooded(protocol: ScriptedProtocol) -> None:
    protocol.on_data = lambda data: Reaction((), (Unrecognised(TALK, data, "noise"),))


async def flood(bench: Bench, seconds: float) -> int:
    """Notify 20,000 times a second for some seconds; return how many times that was."""
    notify, count = bench.client.notify, 0
    assert notify is not None
    until = now() + seconds
    while now() < until:
        for _ in range(EACH_MS):
            notify(None, bytearray(b"noise"))
            count += 1
        await asyncio.sleep(0.001)
    return count


def test_a_flood_of_notifications_is_kept_up_with_and_nothing_of_it_is_kept() -> None:
    async def go() -> None:
        bench = Bench(prepare=flooded)
        await bench.connection.connect()
        bench.connection.listener = None  # between the handshake and the session nobody listens
        sent = await flood(bench, 2.0)
        assert sent >= 2 * PER_SECOND
        assert bench.connection.notifications == sent
        link = bench.connection._link
        assert link is not None
        assert (len(link.events), len(link.waiting), len(bench.connection._tasks)) == (0, 0, 0)
        assert len(bench.connection.unheard()) == connections.UNHEARD_LIMIT
        assert bench.connection.ready
        await bench.connection.aclose()

    clock.run(go())


def test_h3_a_stop_in_a_flood_is_the_next_thing_that_leaves() -> None:
    async def go() -> None:
        bench = Bench(prepare=flooded)
        await bench.connection.connect()
        bench.radio.script[b"slow"] = lambda: asyncio.sleep(4)  # a write that takes its time is under way
        bench.protocol.reply = lambda command: Reaction(
            (write(STOP, urgent=True),) if isinstance(command, TotalStop) else (write(b"slow"), write(b"later"))
        )
        flooding = asyncio.ensure_future(flood(bench, 1.0))
        await asyncio.sleep(0.25)
        bench.connection.submit(connections_query())
        await asyncio.sleep(0.25)
        before = len(bench.radio.log)
        at = now()
        bench.connection.submit(TotalStop())
        await asyncio.sleep(0)
        assert bench.radio.log[before:] == ["write stop"]
        assert now() == at
        await flooding
        assert "write later" not in bench.radio.log
        await bench.connection.aclose()

    clock.run(go())


def connections_query() -> Any:
    from protocols.model import QueryBattery  # noqa: PLC0415 - any command that is no stop

    return QueryBattery()


# --- in a session -----------------------------------------------------------------------------------------------------


def in_a_session(act: Callable[[Whole], Coroutine[Any, Any, None]]) -> None:
    clock.run(whole(act))


async def shower(one: Whole, values: list[bytes], seconds: float) -> int:
    """Let the device notify ``values`` in turn, 20,000 times a second."""
    count = 0
    until = now() + seconds
    while now() < until and one.radio.peripheral.is_connected:
        for _ in range(EACH_MS):
            one.radio.peripheral._perform((Notify(FFE1, values[count % len(values)]),))
            count += 1
        await asyncio.sleep(0.001)
    return count


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([b"\xff" * 20, b"", b"\x55\xaa"], id="garbage"),
        pytest.param([WATER_LOW, WATER_BACK], id="water-low-and-back"),
    ],
)
def test_h3_a_session_that_is_flooded_stops_at_once_and_writes_down_little(values: list[bytes]) -> None:
    async def act(one: Whole) -> None:
        await one.treating()
        heard = one.connection.notifications
        flooding = asyncio.ensure_future(shower(one, values, 0.5))
        await asyncio.sleep(0.25)
        assert one.connection.notifications - heard > PER_SECOND / 8
        assert one.session.view.phase is Phase.TREATING
        one.session.intend(Intent.STOP)
        await one.off_within(0.2)
        summary = await one.running
        assert summary.reason is Reason.STOPPED
        flooding.cancel()
        assert not one.session._inputs
        assert not one.session._after_stop
        assert one.journal.kinds.count(JournalKind.WATER) <= WATER_NOTES
        assert len(one.journal.entries) < 60

    in_a_session(act)


def test_noise_never_reaches_the_session_itself() -> None:
    async def act(one: Whole) -> None:
        await one.treating()
        seen: list[object] = []
        handle = one.engine.handle
        one.engine.handle = lambda given, now: seen.append(given) or handle(given, now)  # type: ignore[method-assign,func-returns-value]
        flooding = asyncio.ensure_future(shower(one, [b"\xff" * 20], 0.1))
        await asyncio.sleep(0.1)
        assert await flooding >= PER_SECOND / 10
        assert len(seen) < 20
        one.session.intend(Intent.STOP)
        assert (await one.running).reason is Reason.STOPPED

    in_a_session(act)


# --- a peer that hardly answers ---------------------------------------------------------------------------------------


async def given_up(bench: Bench) -> tuple[RadioError, float]:
    began = now()
    with pytest.raises(RadioError) as caught:
        await bench.connection.connect()
    return caught.value, now() - began


def test_a_device_that_never_ends_its_discovery_is_given_up_in_time_and_in_plain_words() -> None:
    async def go() -> None:
        bench = Bench()
        bench.radio.on_connect = never
        error, took = await given_up(bench)
        assert took == pytest.approx(connections.CONNECT_LIMIT_S)
        assert str(error) == (
            "Scripted could not be reached (no answer in time): switch it on, hold it near and try again"
        )

    clock.run(go())


@pytest.mark.parametrize("each_s", [0.5, 4.9, connections.OPERATION_LIMIT_S + 1], ids=["slow", "just in time", "late"])
def test_a_device_that_answers_each_request_just_in_time_does_not_draw_the_handshake_out(each_s: float) -> None:
    async def answers() -> None:
        await asyncio.sleep(each_s)

    def endless(protocol: ScriptedProtocol) -> None:
        protocol.on_start = Reaction((Write(TALK, b"again", with_response=True),))
        protocol.operation_done = lambda operation, _now: Reaction((operation,))  # type: ignore[method-assign]
        protocol.operation_failed = lambda operation, _why, _now: Reaction((operation,))  # type: ignore[method-assign]

    async def go() -> None:
        bench = Bench(prepare=endless)
        bench.radio.script[b"again"] = answers
        bench.radio.on_connect = lambda: asyncio.sleep(connections.CONNECT_LIMIT_S - 0.1)
        error, took = await given_up(bench)
        assert took == pytest.approx(connections.CONNECT_LIMIT_S - 0.1 + connections.HANDSHAKE_LIMIT_S)
        assert error.reason == "Scripted does not answer"
        assert "switch it off and on" in error.advice
        assert bench.connection.state is LinkState.CLOSED
        assert bench.radio.log[-1] == "disconnect"

    clock.run(go())


def test_a_device_that_never_ends_its_pairing_is_given_up_in_time_and_in_plain_words() -> None:
    def authenticated(protocol: ScriptedProtocol) -> None:
        protocol.pairing = Pairing.AUTHENTICATED

    async def pairs(_questions: Questions) -> None:
        await never()

    async def go() -> None:
        bench = Bench(prepare=authenticated)
        bench.connection.pairer = Person()
        bench.radio.on_pair = pairs
        error, took = await given_up(bench)
        assert isinstance(error, PairingError)
        assert took <= PAIRING_LIMIT_S + connections.HANG_UP_LIMIT_S
        assert str(error) == "Scripted: nobody answered in time: try again; the code counts for half a minute"
        assert bench.connection.ending is not None
        assert bench.connection.ending.cause is Cause.NOT_PAIRED
        assert bench.radio.log == ["pair", "disconnect"]
        assert not bench.connection.ready

    clock.run(go())


def test_a_device_that_falls_silent_in_mid_session_is_asked_to_stop_and_let_go_in_time() -> None:
    async def go() -> None:
        bench = Bench()
        await bench.connection.connect()
        bench.protocol.possible = True
        bench.stop_answers_with(Write(TALK, STOP, with_response=True, urgent=True))
        bench.radio.script[STOP] = never
        began = now()
        await bench.connection.aclose()
        assert bench.radio.log[-2:] == ["write stop", "disconnect"]
        assert now() - began <= connections.CLOSE_LIMIT_S
        assert Subscribe(TALK) not in bench.connection._link.waiting  # type: ignore[union-attr]

    clock.run(go())
