"""The real app in the bench's terminal; it also starts sessions by itself, and tells what its simulated device saw.

Started by stop.py, never by hand. Tells over the inherited pipe FD (first argument), one JSON object a line:
`running` (output is on), `arrived` (a total-stop frame reached the simulated device: CLOCK_MONOTONIC in ns, and the
level until then), `over` (the session has ended: when the device's own output became zero, what was on the screen, and
how many notifications a second came while it ran). Its last argument is how many of those to add.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import ClassVar

import companion.app
from companion.app import CompanionApp
from companion.demo import DemoRadio
from companion.device.radio import Radio
from companion.home import Device
from companion.household import Household
from companion.screens.find import FindScreen
from companion.screens.prepare import PrepareScreen
from companion.screens.routines import RoutinesScreen
from companion.session import engine
from companion.session.model import Intent, Output, Phase, View
from rig.devices.model import DeviceAction

engine.MOVE_S = 0.1  # the seconds for moving to a zone are no subject here, and 200 of them take a quarter of an hour

ROUTINE = "bench-stop"
BUFFERED_S = 0.05
NOISE = (b"\xff" * 20, b"\x55\xaa\x00", bytes(20))
TOTAL_STOP = bytes.fromhex("55AA0500A63102066BF2")


def tell(event: str, **facts: object) -> None:
    os.write(int(sys.argv[1]), (json.dumps({"event": event, **facts}) + "\n").encode())


class WatchedHousehold(Household):
    """A household whose simulated device tells the moment at which a total stop reaches it."""

    async def _switch_on(self) -> Radio:
        radio = await super()._switch_on()
        if not isinstance(radio, DemoRadio):
            raise TypeError(f"the bench needs a simulated device, not {radio!r}")
        self.simulated = radio.device
        written = self.simulated.written

        def watched(characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
            if TOTAL_STOP in data:
                arrived_ns = time.monotonic_ns()
                cpu_s = time.process_time()
                tell("arrived", ns=arrived_ns, percent=self.simulated.output_percent(now), cpu_s=cpu_s)
            return written(characteristic, data, now)

        self.simulated.written = watched  # type: ignore[method-assign]
        self.notified, self.notified_s = 0, 0.0
        if per_s := int(sys.argv[4]):
            self._flooding = asyncio.get_running_loop().create_task(self._flood(radio, per_s))
        return radio

    async def _flood(self, radio: DemoRadio, per_s: int) -> None:
        """Hand noise to whoever is subscribed, as the device's notifications, with all that is due at once."""
        adapter = await radio.air.adapter.ready()
        last, owed = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(0.001)
            now = time.monotonic()
            passed, last = now - last, now
            clients = [link.gatt_client for link in adapter.connections.values()]
            bearers = [client for client in clients if getattr(client, "listeners", None)]  # not before it is set up
            if not bearers:
                continue
            # What comes while the app is busy fills the radio's buffers, and no more than those.
            owed = min(owed + passed * per_s, per_s * BUFFERED_S)
            count, owed = int(owed), owed % 1.0
            self.notified += count
            self.notified_s += passed
            for bearer in bearers:
                for handle in list(bearer.listeners):
                    for number in range(count):
                        bearer._deliver(handle, NOISE[number % len(NOISE)])  # noqa: SLF001 - as it comes off the radio


class SelfStartingApp(CompanionApp):
    """The app, going from session to session without a hand on it. Stopping is left to the key."""

    CSS_PATH: ClassVar = [Path(companion.app.__file__).parent / path for path in CompanionApp.CSS_PATH]

    def __init__(self, household: WatchedHousehold) -> None:
        super().__init__(household)
        self._household = household
        self._told_running = False

    async def _look(self) -> None:
        await super()._look()
        # Not in this task: choosing a device ends the look.
        self._beginning = asyncio.get_running_loop().create_task(self._choose())

    async def _choose(self) -> None:
        devices = await self._household.look(lambda _: None)
        await self.on_find_screen_chosen(FindScreen.Chosen(devices[0]))
        self._household.answer_patch("declined")
        self._household.check_skin({question.id: 1 for question in self._household.skin_questions()})
        await self._begin_session(devices[0])

    async def _begin_session(self, device: Device) -> None:
        self._told_running = False
        choice = next(choice for choice in self._household.choices(device.profile) if choice.name == ROUTINE)
        await self.on_routines_screen_chosen(RoutinesScreen.Chosen(choice))
        today = {question.id: False for question in self._household.today_questions()}
        await self.on_prepare_screen_ready(PrepareScreen.Ready(today))

    def _changed(self, view: View) -> None:
        super()._changed(view)
        session = None if self._live is None else self._live.session
        if session is not None and view.phase is Phase.READY:
            asyncio.get_running_loop().call_soon(session.intend, Intent.START)
        elif view.output is Output.ON and view.phase is Phase.TREATING and not self._told_running:
            self._told_running = True
            tell("running")

    async def on_companion_app_session_ended(self, message: CompanionApp.SessionEnded) -> None:
        # Textual hands a message to the handler of each class by itself: the app would show a summary over what begins.
        message.prevent_default()
        screen = type(self.screen).__name__
        await super().on_companion_app_session_ended(message)
        trace = self._household.simulated.trace
        zero_at = trace[-1].time if trace and not trace[-1].output_percent else None
        rate = self._household.notified / (self._household.notified_s or 1.0)
        reason = repr(message.error) if message.summary is None else message.summary.reason.value
        tell(
            "over",
            zero_at_ns=None if zero_at is None else int(zero_at * 1e9),
            reason=reason,
            screen=screen,
            notified=rate,
        )
        if self._device is not None:
            await self._begin_session(self._device)


async def main() -> None:
    app = SelfStartingApp(WatchedHousehold(demo="dr05", seed=int(sys.argv[2]), folder=Path(sys.argv[3])))
    try:
        await app.run_async()
    finally:
        await app.let_go()


if __name__ == "__main__":
    asyncio.run(main())
