"""H4, with real processes and a real bus: the app is killed, frozen, or says goodbye; its guard is killed."""

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bleak.backends.device import BLEDevice
from dbus_fast import BusType, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_property, method

from companion.guard.bluez import BlueZLink
from companion.guard.keeper import COMMAND, GuardError, GuardProcess

DEVICE = "/org/bluez/hci0/dev_C0_00_00_00_00_01"
UART = f"{DEVICE}/service0010/char0012"
TOTAL_STOP = bytes.fromhex("55aa0500a63102066bf2")

APP = """
    import asyncio, sys
    from types import SimpleNamespace
    from bleak.backends.device import BLEDevice
    from companion.guard.keeper import GuardProcess, Stop

    async def app(device, uart, total_stop):
        guard = GuardProcess(lambda why: print("lost", why, flush=True))
        await guard.hold(BLEDevice("C0:00:00:00:00:01", "Dr-05", {"path": device}))
        guard.stops([Stop(SimpleNamespace(obj=(uart, {})), bytes.fromhex(total_stop), False)])
        print("held", guard.pid, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await guard.release(down=True)

    asyncio.run(app(*sys.argv[1:]))
"""


@dataclass
class BlueZ:
    """As much of BlueZ as a guard uses: one device with a link, and one characteristic."""

    connected: bool = True
    asked: list[str] = field(default_factory=list)
    refusals: int = 0
    let_go: asyncio.Event = field(default_factory=asyncio.Event)


class Device(ServiceInterface):
    def __init__(self, bluez: BlueZ) -> None:
        super().__init__("org.bluez.Device1")
        self._bluez = bluez

    @method()
    def Disconnect(self) -> None:  # noqa: N802 - D-Bus' own name
        self._bluez.asked.append("disconnect")
        if self._bluez.refusals:
            self._bluez.refusals -= 1
            return
        self._bluez.connected = False
        self._bluez.let_go.set()

    @dbus_property(access=PropertyAccess.READ)
    def Connected(self) -> "b":  # type: ignore[name-defined] # noqa: F821, N802 - D-Bus' own name and signature
        return self._bluez.connected


class Uart(ServiceInterface):
    def __init__(self, bluez: BlueZ) -> None:
        super().__init__("org.bluez.GattCharacteristic1")
        self._bluez = bluez

    @method()
    def WriteValue(self, value: "ay", options: "a{sv}") -> None:  # type: ignore[name-defined,valid-type] # noqa: F722, F821, N802 - as above
        self._bluez.asked.append(f"{options['type'].value} {bytes(value).hex()}")


@asynccontextmanager
async def bluez(**known: Any) -> AsyncIterator[BlueZ]:
    one = BlueZ(**known)
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    try:
        bus.export(DEVICE, Device(one))
        bus.export(UART, Uart(one))
        await bus.request_name("org.bluez")
        yield one
    finally:
        bus.disconnect()


@dataclass
class App:
    process: asyncio.subprocess.Process
    guard_pid: int

    async def says(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()

    async def goes_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        await self.process.stdin.drain()


@asynccontextmanager
async def app() -> AsyncIterator[App]:
    """An app in a process of its own whose link is held."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", textwrap.dedent(APP), DEVICE, UART, TOTAL_STOP.hex()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    one = App(process, 0)
    try:
        word, _, pid = (await one.says()).partition(" ")
        assert word == "held"
        one.guard_pid = int(pid)
        yield one
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def gone(pid: int) -> None:
    """Return once a process that is nobody's child here any more has ended."""
    descriptor = os.pidfd_open(pid)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


@pytest.mark.slow
@pytest.mark.usefixtures("system_bus")
def test_h4_a_killed_app_has_its_output_stopped_and_its_link_ended() -> None:
    async def go() -> None:
        async with bluez(refusals=1) as link, app() as one:
            leaving = asyncio.ensure_future(gone(one.guard_pid))
            one.process.kill()
            await link.let_go.wait()
            await leaving
        # what could not be ended the first time was tried again, stop and all
        stop = f"command {TOTAL_STOP.hex()}"
        assert sorted(link.asked[:2]) == sorted([stop, "disconnect"])
        assert sorted(link.asked[2:4]) == sorted([stop, "disconnect"])

    asyncio.run(go())


@pytest.mark.slow
@pytest.mark.usefixtures("system_bus")
def test_h4_a_frozen_app_has_its_link_ended_and_learns_of_it_when_it_thaws() -> None:
    async def go() -> None:
        async with bluez() as link, app() as one:
            one.process.send_signal(signal.SIGSTOP)
            await link.let_go.wait()
            one.process.send_signal(signal.SIGCONT)
            assert await one.says() == "lost the app does not answer"
            await gone(one.guard_pid)

    asyncio.run(go())


@pytest.mark.slow
@pytest.mark.usefixtures("system_bus")
def test_h4_an_app_whose_link_is_down_sends_its_guard_home() -> None:
    async def go() -> None:
        async with bluez() as link, app() as one:
            leaving = asyncio.ensure_future(gone(one.guard_pid))
            await one.goes_on()
            assert await one.process.wait() == 0
            await leaving
        assert link.asked == []
        assert link.connected

    asyncio.run(go())


@pytest.mark.slow
@pytest.mark.usefixtures("system_bus")
def test_h4_an_app_whose_guard_is_killed_hears_of_it() -> None:
    async def go() -> None:
        async with bluez(), app() as one:
            os.kill(one.guard_pid, signal.SIGKILL)
            assert await one.says() == "lost the guard of the link is gone (it ended by itself)"

    asyncio.run(go())


@pytest.mark.slow
@pytest.mark.usefixtures("system_bus")
def test_h4_a_guard_outlives_what_ends_its_terminal() -> None:
    async def go() -> None:
        async with bluez() as link, app() as one:
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
                os.kill(one.guard_pid, number)
            one.process.kill()
            await link.let_go.wait()
            await gone(one.guard_pid)

    asyncio.run(go())


async def held_by(guard: GuardProcess, path: str = DEVICE) -> None:
    try:
        await guard.hold(BLEDevice("C0:00:00:00:00:01", "Dr-05", {"path": path}))
    finally:
        await guard.release(down=True)


def test_h4_without_a_bus_there_is_no_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")

    async def go() -> None:
        with pytest.raises(GuardError, match="there is no bus"):
            await held_by(GuardProcess(lambda _: None))

    asyncio.run(go())


@pytest.mark.slow
@pytest.mark.usefixtures("system_bus")
def test_h4_a_link_that_bluez_does_not_have_is_not_held() -> None:
    async def go() -> None:
        async with bluez(connected=False):
            with pytest.raises(GuardError, match="BlueZ has no link"):
                await held_by(GuardProcess(lambda _: None))
            with pytest.raises(GuardError, match="Unknown"):
                await held_by(GuardProcess(lambda _: None), f"{DEVICE}2")

    asyncio.run(go())


def test_h4_a_guard_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    async def go() -> None:
        with pytest.raises(GuardError, match="could not be started: No such file"):
            GuardProcess(lambda _: None, [str(tmp_path / "python"), *COMMAND[1:]])

    asyncio.run(go())


def test_h4_a_guard_that_says_nothing_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("companion.guard.keeper.HOLD_LIMIT_S", 0.01)

    async def go() -> None:
        guard = GuardProcess(lambda _: None, [sys.executable, "-c", "import sys; sys.stdin.read()"])
        with pytest.raises(GuardError, match="does not answer"):
            await held_by(guard)

    asyncio.run(go())


def test_h4_a_guard_whose_bus_is_gone_has_nothing_left_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BlueZ ends with the bus that it is on, and its links with it: nobody tries for ever."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")
    asyncio.run(BlueZLink(DEVICE).let_go())
