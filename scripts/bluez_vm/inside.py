"""In the machine: BlueZ on a system bus of its own, a simulated device on the air, and the app against both.

Runs as root inside the image (``inside.sh``); the folder ``/artefacts`` is the host's. Judges by the device's own
account of its output, never by what the app says of itself. What the app and the radio wrote is compared outside.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger import Ledger, Step, percentile

if TYPE_CHECKING:
    from rig.devices.display import Display
    from rig.devices.model import SimulatedDevice
    from rig.radio.pairing import Ability
    from rig.radio.peripheral import Peripheral
    from rig.radio.system_air import SystemAir

ARTEFACTS = Path("/artefacts")
DEVICE_ADDRESS = "C0:FF:EE:00:00:05"
PASSKEY_ADDRESS = "C0:FF:EE:00:00:06"
COMPARING_ADDRESS = "C0:FF:EE:00:00:07"
ADAPTER = "/org/bluez/hci0"

START_LIMIT_S = 120.0
"""For anything that has to start first: an emulated processor loads a Python program in ten seconds or more."""
SESSION_LIMIT_S = 240.0
ZERO_LIMIT_S = 2.0
"""From the death of the app, or its stop, to no output (safety case, H3 and H4)."""
DOWN_LIMIT_S = 15.0
LOOK_S = 0.02
WATCHED_S = 3.0
"""How long a link without app and guard is watched, to see that BlueZ keeps it."""


class LaneError(Exception):
    """A step did not hold; the message says what was seen."""


@dataclass
class App:
    """One ``companion run`` in a process of its own."""

    name: str
    process: asyncio.subprocess.Process
    events: list[dict[str, Any]] = field(default_factory=list)
    reading: asyncio.Task[None] | None = None

    @property
    def complaint(self) -> str:
        """What it wrote to standard error, on one line."""
        return " ".join((ARTEFACTS / f"{self.name}.stderr").read_text(encoding="utf-8").split())

    async def ended(self, within_s: float) -> int:
        """Return its exit code.

        Raises:
            LaneError: it did not end in time.
        """
        try:
            async with asyncio.timeout(within_s):
                code = await self.process.wait()
                if self.reading is not None:
                    await self.reading
        except TimeoutError:
            raise LaneError(f"the app did not end within {within_s:.0f} s: {self.complaint}") from None
        return code


class PairingLane:
    """Pairing with devices that show a code: the same ``companion pair``, with the code from a file."""

    def __init__(self, air: SystemAir) -> None:
        self._air = air
        self._folder = Path("/run/people/pairing/data")
        self._tries = 0

    @contextlib.asynccontextmanager
    async def _device(self, address: str, ability: Ability) -> AsyncIterator[tuple[Display, Peripheral]]:
        from rig.devices.omp import SimulatedOmp  # noqa: PLC0415 - for these steps alone

        device = SimulatedOmp(int(address[-2:], 16), pairing=ability)
        peripheral = await self._air.add_device(device, address=address)
        try:
            yield device.display, peripheral
        finally:
            await peripheral.close()

    async def by_passkey(self) -> tuple[float | None, str]:
        """Passkey entry: a wrong code is refused, the right one pairs, and what was paired can be forgotten."""
        from rig.radio.pairing import Ability  # noqa: PLC0415 - as above

        async with self._device(PASSKEY_ADDRESS, Ability.SHOWS) as (display, peripheral):
            code, said, _ = await self._pair(display, peripheral, off_by=1)
            _expect(code == 5 and not peripheral.is_encrypted, f"with a wrong code it ended with {code}: {said}")
            code, paired, seconds = await self._pair(display, peripheral)
            _expect(code == 0, f"with the right code it ended with {code}: {paired}")
            listed = await self._companion("devices", "--json")
            _expect(listed[0] == 0 and PASSKEY_ADDRESS in listed[1], f"companion devices says: {listed[1]}")
            forgotten = await self._companion("devices", "--forget", PASSKEY_ADDRESS)
            _expect(forgotten[0] == 0, f"it could not be forgotten: {forgotten[1]}")
            path = f"{ADAPTER}/dev_{PASSKEY_ADDRESS.replace(':', '_')}"
            asked = ("org.freedesktop.DBus.Properties.Get", "string:org.bluez.Device1", "string:Paired")
            _expect("boolean true" not in await _called(path, *asked), "BlueZ has kept the keys")
        return seconds, f"from the code to an encrypted link; a wrong code: \u201c{said}\u201d; bond removed"

    async def by_comparing(self) -> tuple[float | None, str]:
        """Numeric comparison: both ends show the same number."""
        from rig.radio.pairing import Ability  # noqa: PLC0415 - as above

        async with self._device(COMPARING_ADDRESS, Ability.SHOWS_AND_CONFIRMS) as (display, peripheral):
            code, said, seconds = await self._pair(display, peripheral)
            _expect(code == 0, f"it ended with {code}: {said}")
        return seconds, "from the code to an encrypted link"

    async def _pair(
        self, display: Display, peripheral: Peripheral, *, off_by: int = 0
    ) -> tuple[int, str, float | None]:
        """Run ``companion pair``; return its exit code, what it said, and seconds from the code to encryption."""
        self._tries += 1
        pipe = Path(f"/run/code-{self._tries}")
        os.mkfifo(pipe)  # read when the agent is asked, which may be before the device shows its code
        shown: list[float] = []

        def show(number: int) -> None:
            shown.append(time.monotonic())
            text = f"{(number + off_by) % 1_000_000:06}\n"
            threading.Thread(target=pipe.write_text, args=(text,), daemon=True).start()

        display.on_show = show
        running = asyncio.ensure_future(self._companion("pair", "--passkey-file", str(pipe)))
        encrypted: float | None = None
        while not running.done():
            if encrypted is None and peripheral.is_encrypted:
                encrypted = time.monotonic()
            await asyncio.sleep(LOOK_S)
        code, said = await running
        _expect(bool(shown), f"the device never showed a code; the app ended with {code}: {said}")
        return code, said, None if encrypted is None else encrypted - shown[-1]

    async def _companion(self, *arguments: str) -> tuple[int, str]:
        if not self._folder.exists():
            shutil.copytree(ARTEFACTS / "person", self._folder)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "companion", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "COMPANION_DATA": str(self._folder)},
        )
        try:
            async with asyncio.timeout(SESSION_LIMIT_S):
                out, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise LaneError(f"companion {arguments[0]} did not end within {SESSION_LIMIT_S:.0f} s") from None
        said = out.decode(errors="replace")
        with (ARTEFACTS / "pairing.log").open("a", encoding="utf-8") as file:
            file.write(f"$ companion {' '.join(arguments)}\n{said}exit code {process.returncode}\n")
        return process.returncode or 0, " ".join(said.split())


class Lane:
    """The steps, in order, on one air."""

    def __init__(self, ledger: Ledger, device: SimulatedDevice, peripheral: Peripheral) -> None:
        self._ledger = ledger
        self._device = device
        self._peripheral = peripheral

    # --- the device's own account -----------------------------------------------------------------------------------

    @property
    def _output(self) -> float:
        return self._device.output_percent(time.monotonic())

    def _zero_at(self, since: float) -> float | None:
        """Return when the output that was on at ``since`` (monotonic, seconds) became zero."""
        return next((one.time for one in self._device.trace if one.time >= since and one.output_percent == 0), None)

    async def _until(self, what: str, happened: Callable[[], bool], within_s: float, app: App | None = None) -> None:
        deadline = time.monotonic() + within_s
        while not happened():
            if app is not None and app.process.returncode is not None:
                raise LaneError(f"the app ended with {app.process.returncode} before {what}: {app.complaint}")
            if time.monotonic() > deadline:
                raise LaneError(f"not within {within_s:.0f} s: {what}")
            await asyncio.sleep(LOOK_S)

    async def _zero(self, since: float, within_s: float = DOWN_LIMIT_S) -> float:
        """Return the seconds from ``since`` to no output; 0 where there was none any more."""
        await self._until("the output is zero", lambda: self._output == 0, within_s)
        at = self._zero_at(since)
        return 0.0 if at is None else at - since

    # --- steps ------------------------------------------------------------------------------------------------------

    async def step(self, name: str, work: Callable[[], Awaitable[tuple[float | None, str]]]) -> None:
        """Do one step, and keep what came of it; a step that fails ends no others."""
        began = time.monotonic()
        try:
            seconds, detail = await work()
            self._ledger.note(Step(name, held=True, seconds=seconds, detail=detail))
        except LaneError as error:
            self._ledger.note(Step(name, held=False, seconds=time.monotonic() - began, detail=str(error)))
        except Exception as error:  # noqa: BLE001 - told as what it is, and the lane has failed
            self._ledger.note(Step(name, held=False, detail=f"{type(error).__name__}: {error}"))
        await self._clear()

    async def _clear(self) -> None:
        """Leave nothing of one step to the next."""
        if self._peripheral.is_connected:
            await self._disconnect()
            with contextlib.suppress(LaneError):
                await self._until("the link is down", lambda: not self._peripheral.is_connected, DOWN_LIMIT_S)

    async def probe(self) -> None:
        """Scan, connect, write and answer, as four steps with their times."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "/product/scripts/bluez_vm/probe.py"),
            stdout=subprocess.PIPE,
            stderr=_open("probe.stderr"),
        )
        try:
            async with asyncio.timeout(SESSION_LIMIT_S):
                out, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            out = b""
        (ARTEFACTS / "probe.json").write_bytes(out)
        if process.returncode != 0 or not out:
            why = " ".join((ARTEFACTS / "probe.stderr").read_text(encoding="utf-8").split())[-400:]
            self._ledger.note(Step("scan", held=False, detail=why or "no answer in time"))
            await self._clear()
            return
        told = json.loads(out)
        self._ledger.note(Step("scan", held=True, seconds=told["scan_s"], detail=f"{told['name']} was found"))
        self._ledger.note(Step("connect", held=True, seconds=told["connect_s"], detail="guard and handshake included"))
        trips = told["round_trips_s"]
        detail = f"p50 of {len(trips)}; p90 {percentile(trips, 0.9) * 1e3:.0f} ms, most {max(trips) * 1e3:.0f} ms"
        self._ledger.note(Step("write and answer", held=True, seconds=percentile(trips, 0.5), detail=detail))
        self._ledger.note(Step("disconnect", held=not self._peripheral.is_connected, seconds=told["disconnect_s"]))
        await self._clear()

    async def routine(self) -> tuple[float | None, str]:
        """A short routine, from the first command to the last."""
        async with self._app("routine", "lane-short") as app:
            began = time.monotonic()
            code = await app.ended(SESSION_LIMIT_S)
            _expect(code == 0, f"the app ended with {code}: {app.complaint}")
            last = app.events[-1]
            _expect(last.get("event") == "finished" and last.get("reason") == "completed", f"its last word was {last}")
            levels = [one.output_percent for one in self._device.trace if one.time >= began]
            _expect(bool(levels) and 0 < max(levels) <= 30, f"its output was {levels}")
            _expect(self._output == 0, f"the output is {self._output:.0f} % after the end")
            return (
                time.monotonic() - began,
                f"at most {max(levels):.0f} % of full scale, {last['output_s']:.1f} s of output",
            )

    async def stop(self) -> tuple[float | None, str]:
        """A stop in the middle of the output, as Ctrl+C gives it."""
        async with self._treating("stop") as app:
            at = time.monotonic()
            app.process.send_signal(signal.SIGINT)
            after = await self._zero(at)
            _expect(after <= ZERO_LIMIT_S, f"output went on for {after:.2f} s")
            code = await app.ended(START_LIMIT_S)
            _expect(code == 3, f"the app ended with {code}, not 3: {app.complaint}")
            return after, "from Ctrl+C to no output; exit code 3"

    async def device_goes(self) -> tuple[float | None, str]:
        """The device hangs up in the middle of a session: nothing goes on by itself, however often it comes back."""
        async with self._treating("device-goes") as app:
            at = time.monotonic()
            await self._peripheral.hang_up()
            after = await self._zero(at)
            code = await app.ended(SESSION_LIMIT_S)
            _expect(code == 6, f"the app ended with {code}, not 6: {app.complaint}")
            again = [one for one in self._device.trace if one.time > at + after and one.output_percent > 0]
            _expect(not again, "the output came back by itself")
            return after, "from the loss of the link to no output; exit code 6, and no output since"

    async def killed(self, name: str) -> tuple[float | None, str]:
        """``kill -9`` of the app in the middle of the output: its guard ends it (H4)."""
        async with self._treating(name) as app:
            at = time.monotonic()
            app.process.send_signal(signal.SIGKILL)
            after = await self._zero(at)
            await self._until("the link is down", lambda: not self._peripheral.is_connected, DOWN_LIMIT_S)
            down = time.monotonic() - at
            _expect(after <= ZERO_LIMIT_S, f"output went on for {after:.2f} s")
            await app.ended(START_LIMIT_S)
            return after, f"from kill -9 to no output; link down after {down:.1f} s"

    async def unguarded(self) -> tuple[float | None, str]:
        """The same without its guard: BlueZ keeps the link, and the device its output. Why there is a guard."""
        async with self._treating("unguarded") as app:
            guards = _children_of(app.process.pid)
            _expect(len(guards) == 1, f"the app has {len(guards)} child processes, not one guard")
            for pid in guards:
                os.kill(pid, signal.SIGSTOP)  # so that it cannot act on the death of the other
            app.process.send_signal(signal.SIGKILL)
            await app.ended(START_LIMIT_S)
            for pid in guards:
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(WATCHED_S)
            seen = f"{WATCHED_S:.0f} s after both: link {'up' if self._peripheral.is_connected else 'down'}"
            seen += f", output {self._output:.0f} %"
            at = time.monotonic()
            await self._disconnect()
            after = await self._zero(at)
            return after, f"{seen}; then from org.bluez.Device1.Disconnect to no output"

    # --- processes --------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _treating(self, name: str) -> AsyncIterator[App]:
        """An app in the middle of a long routine, with output on."""
        async with self._app(name, "lane-long") as app:
            await self._until("there is output", lambda: self._output > 0, START_LIMIT_S, app)
            await asyncio.sleep(1.0)  # into the ramp
            _expect(self._output > 0, "the output ended by itself")
            yield app

    @contextlib.asynccontextmanager
    async def _app(self, name: str, routine: str) -> AsyncIterator[App]:
        """Run ``companion run`` for somebody new, and keep what they have afterwards."""
        folder = Path("/run/people") / name
        shutil.copytree(ARTEFACTS / "person", folder / "data")
        if (ARTEFACTS / "person-state").exists():
            shutil.copytree(ARTEFACTS / "person-state", folder / "data-state")
        began = time.time()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "companion", "run", routine, "--json", "--yes"),
            stdout=subprocess.PIPE,
            stderr=_open(f"{name}.stderr"),
            env={**os.environ, "COMPANION_DATA": str(folder / "data")},
        )
        app = App(name, process)
        app.reading = asyncio.create_task(_read(app))
        try:
            yield app
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
            for part in ("data", "data-state"):
                if (folder / part).exists():
                    shutil.copytree(folder / part, ARTEFACTS / "people" / name / part)
            window = {"name": name, "begin": began, "end": time.time(), "code": process.returncode}
            with (ARTEFACTS / "sessions.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(window) + "\n")

    async def _disconnect(self) -> None:
        path = f"{ADAPTER}/dev_{DEVICE_ADDRESS.replace(':', '_')}"
        await _called(path, "org.bluez.Device1.Disconnect")


async def _read(app: App) -> None:
    assert app.process.stdout is not None  # noqa: S101 - asked for above
    with (ARTEFACTS / f"{app.name}.jsonl").open("wb") as file:
        async for line in app.process.stdout:
            file.write(line)
            app.events.append(json.loads(line))


async def _called(path: str, method: str, *arguments: str) -> str:
    """Call a method of BlueZ and return what ``dbus-send`` prints."""
    process = await asyncio.create_subprocess_exec(
        *("dbus-send", "--system", "--print-reply", "--dest=org.bluez", path, method, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return out.decode(errors="replace")


async def _powered() -> None:
    """Wait until BlueZ has switched its adapter on."""
    asked = ("org.freedesktop.DBus.Properties.Get", "string:org.bluez.Adapter1", "string:Powered")
    deadline = time.monotonic() + START_LIMIT_S
    while "boolean true" not in await _called(ADAPTER, *asked):
        if time.monotonic() > deadline:
            raise LaneError(f"BlueZ did not switch its adapter on within {START_LIMIT_S:.0f} s")
        await asyncio.sleep(0.2)


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found.extend(int(child) for child in (task / "children").read_text().split())
    return found


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise LaneError(otherwise)


def _open(name: str) -> Any:
    return (ARTEFACTS / name).open("wb")


@contextlib.contextmanager
def _daemons() -> Iterator[None]:
    """BlueZ and its bus, and btmon to write down what goes over the controller."""
    Path("/run/dbus").mkdir(exist_ok=True)
    running: list[subprocess.Popen[bytes]] = []
    commands = {
        "dbus-daemon": ("--config-file=/etc/lane-bus.conf", "--nofork", "--nopidfile", "--print-address"),
        "btmon": ("--write", str(ARTEFACTS / "btmon.btsnoop")),
        "bluetoothd": ("--nodetach", "--debug", "--configfile=/etc/lane-bluetooth.conf"),
    }
    try:
        for program, arguments in commands.items():
            log = _open(f"{program}.log")
            process = subprocess.Popen(
                [program, *arguments], stdout=subprocess.PIPE if program == "dbus-daemon" else log, stderr=log
            )
            running.append(process)
            if process.stdout is not None:
                process.stdout.readline()  # it has its address now, so that the next may connect
        yield
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


async def run(options: argparse.Namespace, ledger: Ledger, began: float) -> None:
    """Run every step."""
    from rig.devices.catalogue import create  # noqa: PLC0415 - while this loads, the daemons start
    from rig.radio.system_air import SystemAir  # noqa: PLC0415 - Bumble takes ten seconds of an emulated processor

    device = create(options.device)
    async with await SystemAir.open("vhci") as air:
        peripheral = await air.add_device(device, address=DEVICE_ADDRESS)
        await _powered()
        ledger.note(Step("device and adapter up", held=True, seconds=time.monotonic() - began))
        lane = Lane(ledger, device, peripheral)
        await lane.probe()
        await lane.step("short routine", lane.routine)
        await lane.step("stop", lane.stop)
        await lane.step("device goes in mid-session", lane.device_goes)
        for number in range(1, options.kills + 1):
            await lane.step(f"kill -9, try {number}", partial(lane.killed, f"kill-{number}"))
        await lane.step("kill -9 of app and guard", lane.unguarded)
        pairing = PairingLane(air)
        await lane.step("pair by passkey", pairing.by_passkey)
        await lane.step("pair by comparing", pairing.by_comparing)
        trace = [{"time": one.time, "percent": one.output_percent, "cause": one.cause} for one in device.trace]
        (ARTEFACTS / "output.json").write_text(json.dumps(trace, indent=1), encoding="utf-8")


def main() -> int:
    """Run the lane; what held is in the ledger."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="dr05")
    parser.add_argument("--kills", type=int, default=2)
    options = parser.parse_args()
    began = time.monotonic()
    ledger = Ledger(ARTEFACTS / "steps.jsonl")
    with _daemons():
        try:
            asyncio.run(run(options, ledger, began))
        except Exception as error:  # noqa: BLE001 - told as what it is, and the lane has failed
            ledger.note(Step("device and adapter up", held=False, detail=f"{type(error).__name__}: {error}"))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
