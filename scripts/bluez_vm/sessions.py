"""In the machine: sessions of the app with one simulated device, and what becomes of its output.

Judges by the device's own account of its output, never by what the app says of itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import bluez
from apps import App, Apps, Starter
from ledger import Ledger, Step, percentile
from steps import ARTEFACTS, LaneError, Seen, expect, step, until

if TYPE_CHECKING:
    from rig.devices.model import SimulatedDevice, TraceEntry
    from rig.radio.peripheral import Peripheral

START_LIMIT_S = 120.0
"""For anything that has to start first: an emulated processor loads a Python program in ten seconds or more."""
SESSION_LIMIT_S = 240.0
ZERO_LIMIT_S = 2.0
"""From the death of the app, or its stop, to no output (safety case, H3 and H4)."""
LAPSE_LIMIT_S = 2.5
"""The same without app and guard: 1.5 s of keep-alive, 0.5 s of ramp (OMP, rule 3), and what was under way."""
DOWN_LIMIT_S = 15.0
WATCHED_S = 3.0
"""How long a link without app and guard is watched, to see that BlueZ keeps it."""


@dataclass(frozen=True)
class Case:
    """A device on the air, and whose sessions with it they are.

    ``person`` is the data folder of somebody who may have a session, which each session gets a copy of. ``prefix`` goes
    before the names of steps and sessions.
    """

    device: SimulatedDevice
    peripheral: Peripheral
    person: Path
    prefix: str = ""


class Sessions:
    """The steps with one device on the air."""

    def __init__(self, ledger: Ledger, apps: Apps, case: Case) -> None:
        self._ledger = ledger
        self._apps = apps
        self._device = case.device
        self._peripheral = case.peripheral
        self._person = case.person
        self._prefix = case.prefix

    # --- the device's own account -----------------------------------------------------------------------------------

    @property
    def _output(self) -> float:
        return self._device.output_percent(time.monotonic())

    async def _zero(self, since: float) -> tuple[float, str]:
        """Return the seconds from ``since`` to no output, 0 where there was none any more, and the device's reason."""
        await until("the output is zero", lambda: self._output == 0, DOWN_LIMIT_S)
        found = next((one for one in self._device.trace if one.time >= since and one.output_percent == 0), None)
        return (0.0, "nothing") if found is None else (found.time - since, found.cause)

    def _since(self, at: float) -> list[TraceEntry]:
        return [one for one in self._device.trace if one.time >= at]

    # --- steps ------------------------------------------------------------------------------------------------------

    async def step(self, name: str, work: Callable[[], Awaitable[Seen]]) -> None:
        """Do one step, and leave nothing of it to the next."""
        await step(self._ledger, self._prefix + name, work)
        await self._clear()

    async def _clear(self) -> None:
        if self._peripheral.is_connected:
            await bluez.disconnect(self._peripheral.address)
            with contextlib.suppress(LaneError):
                await until("the link is down", lambda: not self._peripheral.is_connected, DOWN_LIMIT_S)

    async def probe(self) -> None:
        """Scan, connect, write and answer, as four steps with their times."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(Path(__file__).with_name("probe.py"))),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = b"", b"no answer in time"
        try:
            async with asyncio.timeout(SESSION_LIMIT_S):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
        (ARTEFACTS / "probe.json").write_bytes(out)
        if process.returncode != 0 or not out:
            why = " ".join(err.decode(errors="replace").split())[-400:]
            self._ledger.note(Step("scan", held=False, detail=why or "it said nothing"))
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

    async def routine(self, *, encrypted: bool = False, from_nothing: bool = False) -> Seen:
        """A short routine, from the first command to the last."""
        start = self._apps.run_from_nothing if from_nothing else self._apps.run
        links: list[bool] = []
        async with self._app("routine", "lane-short", start) as app:
            began = time.monotonic()
            with contextlib.suppress(LaneError):  # told below, by the code that it ended with
                await until("there is output", lambda: self._output > 0, START_LIMIT_S, app.over)
                links.append(self._peripheral.is_encrypted)
            code = await app.ended(SESSION_LIMIT_S)
            expect(code == 0, f"the app ended with {code}: {app.complaint}")
            last = app.events[-1]
            expect(last.get("event") == "finished" and last.get("reason") == "completed", f"its last word was {last}")
            levels = [one.output_percent for one in self._since(began)]
            expect(bool(levels) and 0 < max(levels) <= 30, f"its output was {levels}")
            expect(self._output == 0, f"the output is {self._output:.0f} % after the end")
            expect(links == [encrypted], f"with output on, the link was encrypted: {links}")
            seen = f"at most {max(levels):.0f} % of full scale, {last['output_s']:.1f} s of output"
            return time.monotonic() - began, seen + (", over the link that the bond encrypts" if encrypted else "")

    async def stop(self) -> Seen:
        """A stop in the middle of the output, as Ctrl+C gives it."""
        async with self._treating("stop") as app:
            at = time.monotonic()
            app.signal(signal.SIGINT)
            after, _ = await self._zero(at)
            expect(after <= ZERO_LIMIT_S, f"output went on for {after:.2f} s")
            code = await app.ended(START_LIMIT_S)
            expect(code == 3, f"the app ended with {code}, not 3: {app.complaint}")
            return after, "from Ctrl+C to no output; exit code 3"

    async def device_goes(self) -> Seen:
        """The device hangs up in the middle of a session: nothing goes on by itself, however often it comes back."""
        async with self._treating("device-goes") as app:
            at = time.monotonic()
            await self._peripheral.hang_up()
            after, _ = await self._zero(at)
            code = await app.ended(SESSION_LIMIT_S)
            expect(code == 6, f"the app ended with {code}, not 6: {app.complaint}")
            again = [one for one in self._since(at) if one.time > at + after and one.output_percent > 0]
            expect(not again, "the output came back by itself")
            return after, "from the loss of the link to no output; exit code 6, and no output since"

    async def kills(self, number: int) -> None:
        """``kill -9`` of the app, so often."""
        for each in range(1, number + 1):
            await self.step(f"kill -9, try {each}", partial(self._killed, f"kill-{each}"))

    async def _killed(self, name: str) -> Seen:
        """``kill -9`` of the app in the middle of the output: its guard ends it (H4)."""
        async with self._treating(name) as app:
            at = time.monotonic()
            app.signal(signal.SIGKILL)
            after, why = await self._zero(at)
            await until("the link is down", lambda: not self._peripheral.is_connected, DOWN_LIMIT_S)
            down = time.monotonic() - at
            expect(after <= ZERO_LIMIT_S, f"output went on for {after:.2f} s")
            await app.ended(START_LIMIT_S)
            return after, f"from kill -9 to no output, by \u201c{why}\u201d; link down after {down:.1f} s"

    async def unguarded(self, *, keeps_alive: bool = False) -> Seen:
        """The same without its guard: BlueZ keeps the link. Why there is a guard, and a keep-alive where there can be.

        Args:
            keeps_alive: whether the device itself ends what nobody keeps alive; else its output has to go on.
        """
        async with self._treating("unguarded") as app:
            guards = _children_of(app.pid)
            expect(len(guards) == 1, f"the app has {len(guards)} child processes, not one guard")
            for pid in guards:
                os.kill(pid, signal.SIGSTOP)  # so that it cannot act on the death of the other
            at = time.monotonic()
            app.signal(signal.SIGKILL)
            await app.ended(START_LIMIT_S)
            for pid in guards:
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(WATCHED_S)
            expect(self._peripheral.is_connected, "BlueZ has ended the link by itself")
            if keeps_alive:
                after, why = await self._zero(at)
                expect(after <= ZERO_LIMIT_S, f"output went on for {after:.2f} s")
                return (
                    after,
                    f"from kill -9 to no output, by \u201c{why}\u201d: the device's keep-alive; the link is up",
                )
            expect(self._output > 0, "the output has ended by itself")
            seen = f"{WATCHED_S:.0f} s after both: link up, output {self._output:.0f} %"
            at = time.monotonic()
            await bluez.disconnect(self._peripheral.address)
            after, _ = await self._zero(at)
            return after, f"{seen}; then from org.bluez.Device1.Disconnect to no output"

    # --- processes --------------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _treating(self, name: str) -> AsyncIterator[App]:
        """An app in the middle of a long routine, with output on."""
        async with self._app(name, "lane-long", self._apps.run) as app:
            await until("there is output", lambda: self._output > 0, START_LIMIT_S, app.over)
            await asyncio.sleep(1.0)  # into the ramp
            expect(self._output > 0, "the output ended by itself")
            yield app

    @contextlib.asynccontextmanager
    async def _app(self, step_name: str, routine: str, start: Starter) -> AsyncIterator[App]:
        """Run ``companion run`` for somebody new, and keep what they have afterwards."""
        name = self._prefix.replace(", ", "-").lower() + step_name
        data = Path("/run/people") / name / "data"
        copy(self._person, data)
        began = time.time()
        app: App | None = None
        try:
            async with start(name, data, "run", routine, "--json", "--yes") as app:
                yield app
        finally:
            copy(data, ARTEFACTS / "people" / name / "data")
            code = None if app is None else app.code
            window = {"name": name, "begin": began, "end": time.time(), "code": code}
            with (ARTEFACTS / "sessions.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(window) + "\n")


def copy(person: Path, to: Path) -> None:
    """Copy somebody's data, and the state beside it."""
    shutil.copytree(person, to)
    state = person.with_name(f"{person.name}-state")
    if state.exists():
        shutil.copytree(state, to.with_name(f"{to.name}-state"))


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found.extend(int(child) for child in (task / "children").read_text().split())
    return found
