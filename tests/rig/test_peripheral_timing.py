"""Where something finer than the loop keeps a device's deadlines: prepared ahead, sent once held, told when it left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from protocols.gatt import Characteristic, Property, Service, uuid
from rig.clock import run
from rig.devices.model import (
    Advertisement,
    Answer,
    AnswerLater,
    DeviceAction,
    Notify,
    SimulatedDevice,
    TraceEntry,
)
from rig.radio.details import RadioAware
from rig.radio.link import VirtualRadio
from rig.radio.peripheral import Peripheral
from tests.rig.radio_world import client_for, now

UART = uuid("ffe1")
AHEAD_S = 0.25
LATE_S = 0.0625


class Speaker(SimulatedDevice, RadioAware):
    """Says what it is given to say, when; a read is answered a second later."""

    advertisement = Advertisement("Echo", (uuid("ffe0"),))
    services = (
        Service(
            uuid("ffe0"),
            (Characteristic(UART, Property.READ | Property.WRITE | Property.NOTIFY | Property.INDICATE),),
        ),
    )
    trace: tuple[TraceEntry, ...] = ()

    def __init__(self, log: list[tuple[Any, ...]]) -> None:
        self.log = log
        self.due: list[tuple[float, tuple[DeviceAction, ...]]] = []
        self.answer = Answer(b"late")

    @property
    def deadline(self) -> float | None:
        return min((at for at, _ in self.due), default=None)

    def output_percent(self, now: float) -> float:
        return 0.0

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        return ()

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        return ()

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        return ()

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        return ()

    def read(self, characteristic: str, now: float) -> bytes:
        self.due.append((now + 1.0, (self.answer,)))
        raise AnswerLater

    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        at, actions = self.due.pop(0)
        self.log.append(("asked", now - at))
        return actions

    def handed_over(self, times: Sequence[float]) -> None:
        self.log.append(("handed over", *times))


class Held:
    """A timer of :class:`Ahead`."""

    def __init__(self, timing: Ahead, when: float, handle: asyncio.TimerHandle) -> None:
        self._timing = timing
        self._when = when
        self._handle = handle

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self._timing.log.append(("cancelled",))
        self._handle.cancel()

    def hold(self) -> None:
        self._timing.log.append(("held", now() - self._when))

    def now(self) -> float:
        return max(self._when, now()) + LATE_S


class Ahead:
    """Calls a quarter of a second ahead; what is held is not seen by the loop's clock, as with the real one."""

    def __init__(self, log: list[tuple[Any, ...]], ahead_s: float = AHEAD_S) -> None:
        self.log = log
        self._ahead_s = ahead_s

    def call_before(self, when: float, callback: Callable[..., object], *args: Any) -> Held:
        return Held(self, when, asyncio.get_running_loop().call_at(when - self._ahead_s, callback, *args))


def told(
    play: Callable[[Speaker, Peripheral, Any], Any], ahead_s: float = AHEAD_S
) -> tuple[list[tuple[Any, ...]], list[bytes]]:
    """What happened in order while ``play`` ran on a subscribed client, PDUs by ATT opcode, and what that heard."""
    log: list[tuple[Any, ...]] = []
    heard: list[bytes] = []

    async def go() -> None:
        device = Speaker(log)
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(device)
            peripheral.timing = Ahead(log, ahead_s)
            async with await client_for(radio) as client:
                await client.start_notify(UART, lambda _, data: heard.append(bytes(data)))
                host = peripheral._host
                send = host.send_l2cap_pdu

                def logged(handle: int, cid: int, pdu: bytes) -> None:
                    log.append(("sent", pdu[0]))
                    send(handle, cid, pdu)

                host.send_l2cap_pdu = logged  # type: ignore[method-assign]
                await play(device, peripheral, client)

    run(go())
    return log, heard


def say(device: Speaker, *values: bytes, after_s: float = 1.0) -> float:
    at = now() + after_s
    device.due.append((at, tuple(Notify(UART, value) for value in values)))
    assert device.deadline_moved is not None
    device.deadline_moved()
    return at


def test_it_is_prepared_ahead_and_sent_once_the_time_was_held() -> None:
    at: list[float] = []

    async def play(device: Speaker, _peripheral: Peripheral, _client: Any) -> None:
        at.append(say(device, b"1", b"2"))
        await asyncio.sleep(2.0)

    log, heard = told(play)
    assert log == [
        ("asked", 0.0),  # what it is told is the deadline, to the nanosecond
        ("held", -AHEAD_S),
        ("sent", 0x1B),
        ("sent", 0x1B),
        ("handed over", at[0] + LATE_S, at[0] + LATE_S),
    ]
    assert heard == [b"1", b"2"]


def test_what_comes_too_late_is_told_the_time_that_it_is() -> None:
    async def play(device: Speaker, _peripheral: Peripheral, _client: Any) -> None:
        say(device, b"1")
        await asyncio.sleep(2.0)

    log, heard = told(play, ahead_s=-0.5)
    assert log[:2] == [("asked", 0.5), ("held", 0.5)]
    assert heard == [b"1"]


def test_a_deadline_with_nothing_to_say_is_held_too() -> None:
    at: list[float] = []

    async def play(device: Speaker, _peripheral: Peripheral, _client: Any) -> None:
        at.append(say(device))
        await asyncio.sleep(2.0)

    log, _ = told(play)
    assert log == [("asked", 0.0), ("held", -AHEAD_S), ("handed over", at[0] + LATE_S)]


def test_a_deadline_that_moves_takes_its_timer_with_it() -> None:
    async def play(device: Speaker, _peripheral: Peripheral, _client: Any) -> None:
        say(device, b"never", after_s=3.0)
        device.due.clear()
        say(device, b"1")
        await asyncio.sleep(4.0)

    log, heard = told(play)
    assert log[:2] == [("cancelled",), ("asked", 0.0)]
    assert heard == [b"1"]


def test_without_a_link_nothing_is_sent() -> None:
    async def play(device: Speaker, _peripheral: Peripheral, client: Any) -> None:
        await client.disconnect()
        say(device, b"nobody")
        await asyncio.sleep(2.0)

    log, heard = told(play)
    assert [entry[0] for entry in log] == ["asked", "held", "handed over"]
    assert heard == []


@pytest.mark.parametrize(
    ("answer", "opcode"),
    [(Answer(b"late"), 0x0B), (Answer(error=0x80), 0x01)],
    ids=["granted", "refused"],
)
def test_an_answer_that_was_put_off_is_prepared_as_well(answer: Answer, opcode: int) -> None:
    async def play(device: Speaker, _peripheral: Peripheral, client: Any) -> None:
        device.answer = answer
        if answer.error is None:
            assert await client.read_gatt_char(UART) == b"late"
        else:
            with pytest.raises(Exception, match="0x80"):
                await client.read_gatt_char(UART)
        await asyncio.sleep(0.5)

    log, _ = told(play)
    assert [entry[:2] for entry in log[:3]] == [("asked", 0.0), ("held", -AHEAD_S), ("sent", opcode)]
