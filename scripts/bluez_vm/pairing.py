"""In the machine: ``companion pair`` with devices that show a code, brought to each of its ends.

The code comes from a named pipe, so it is known when the app asks for it. Judges by BlueZ, its files and the device.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bluez
from apps import App, Apps
from sessions import DOWN_LIMIT_S, START_LIMIT_S, copy
from steps import ARTEFACTS, Seen, expect, until

if TYPE_CHECKING:
    from rig.devices.omp import SimulatedOmp
    from rig.radio.pairing import Ability
    from rig.radio.peripheral import Peripheral
    from rig.radio.system_air import SystemAir

QUESTION_LIMIT_S = 30.0
"""How long an answer may take: both ends' security managers wait no longer (Core Specification Vol 3 Part H 3.4)."""
SLACK_S = 15.0
"""From the end of a pairing to that of the app, which ends the link first."""


@dataclass
class Attempt:
    """One ``companion pair`` that has asked for the code."""

    app: App
    asked_at: float
    shown: int
    pipe: int

    def type(self, code: int) -> None:
        """Give it a code."""
        os.write(self.pipe, f"{code:06}\n".encode())
        self._close()

    def _close(self) -> None:
        os.close(self.pipe)
        self.pipe = -1

    def give_up(self) -> None:
        """Answer nothing any more."""
        if self.pipe >= 0:
            self._close()


class Pairing:
    """Pairing with one OMP device at a time."""

    def __init__(self, apps: Apps, air: SystemAir) -> None:
        self._apps = apps
        self._air = air
        self._person = Path("/run/people/pairing/data")
        self._tries = 0
        copy(ARTEFACTS / "person", self._person)

    @property
    def person(self) -> Path:
        """The data folder of whoever has paired."""
        return self._person

    @contextlib.asynccontextmanager
    async def device(self, address: str, ability: Ability) -> AsyncIterator[Device]:
        """Switch a device on, for as long as it is needed."""
        from rig.devices.omp import SimulatedOmp  # noqa: PLC0415 - for these steps alone

        device = SimulatedOmp(int(address[-2:], 16), pairing=ability)
        peripheral = await self._air.add_device(device, address=address)
        try:
            yield Device(self, device, peripheral)
        finally:
            await peripheral.close()

    @contextlib.asynccontextmanager
    async def attempt(self, device: SimulatedOmp) -> AsyncIterator[Attempt]:
        """Run ``companion pair`` up to the moment at which it asks for the code."""
        self._tries += 1
        pipe = Path(f"/run/code-{self._tries}")
        os.mkfifo(pipe)
        device.display.shown = None
        name = f"pair-{self._tries}"
        async with self._apps.run(name, self._person, "pair", "--passkey-file", str(pipe)) as app:
            end = -1

            def asked() -> bool:
                nonlocal end
                with contextlib.suppress(OSError):  # ENXIO: nobody reads yet
                    end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
                return end >= 0

            await until("it asks for the code", asked, START_LIMIT_S, app.over)
            attempt = Attempt(app, time.monotonic(), -1, end)
            try:
                await until(
                    "the device shows its code", lambda: device.display.shown is not None, DOWN_LIMIT_S, app.over
                )
                attempt.shown = device.display.shown or 0
                yield attempt
            finally:
                attempt.give_up()

    async def companion(self, name: str, *arguments: str) -> tuple[int, str]:
        """Run another command for whoever has paired; return its exit code and what it said."""
        async with self._apps.run(name, self._person, *arguments) as app:
            return await app.ended(START_LIMIT_S), " ".join(app.said.split())


class Device:
    """The steps of one device."""

    def __init__(self, pairing: Pairing, device: SimulatedOmp, peripheral: Peripheral) -> None:
        self.device = device
        self.peripheral = peripheral
        self._pairing = pairing

    async def wrong_code(self) -> Seen:
        """A wrong code is refused."""
        async with self._pairing.attempt(self.device) as attempt:
            at = time.monotonic()
            attempt.type((attempt.shown + 1) % 1_000_000)
            said = await self._fails(attempt, 5, "the two codes were not the same")
            return time.monotonic() - at, f"from the code to the end of the app, exit code 5; {said}"

    async def nobody_answers(self) -> Seen:
        """Nobody types the code."""
        async with self._pairing.attempt(self.device) as attempt:
            said = await self._fails(attempt, 5, "nobody answered in time", within_s=QUESTION_LIMIT_S + SLACK_S)
            return time.monotonic() - attempt.asked_at, f"from the question to the end of the app, exit code 5; {said}"

    async def cancelled(self) -> Seen:
        """Ctrl+C while the code is asked for."""
        async with self._pairing.attempt(self.device) as attempt:
            at = time.monotonic()
            attempt.app.signal(signal.SIGINT)
            said = await self._fails(attempt, 130, "you ended the pairing")
            return time.monotonic() - at, f"from Ctrl+C to the end of the app, exit code 130; {said}"

    async def device_goes(self) -> Seen:
        """The device ends it while the code is asked for."""
        async with self._pairing.attempt(self.device) as attempt:
            at = time.monotonic()
            await self.peripheral.hang_up()
            said = await self._fails(attempt, 5, "the device ended the pairing")
            return time.monotonic() - at, f"from the end of the link to that of the app, exit code 5; {said}"

    async def pairs(self) -> Seen:
        """The right code pairs, whatever was tried before."""
        async with self._pairing.attempt(self.device) as attempt:
            at = time.monotonic()
            attempt.type(attempt.shown)
            await until("the link is encrypted", lambda: self.peripheral.is_encrypted, START_LIMIT_S, attempt.app.over)
            seconds = time.monotonic() - at
            code = await attempt.app.ended(START_LIMIT_S)
            said = " ".join(attempt.app.said.split())
            expect(code == 0, f"with the right code it ended with {code}: {said}")
        keys = bluez.keys(self.peripheral.address)
        expect(bool(keys), "BlueZ has kept no keys")
        with (ARTEFACTS / "keys").open("a", encoding="utf-8") as file:  # what must not be in anything that is kept
            file.writelines(f"{key}\n" for key in sorted(keys))
        return seconds, f"from the code to an encrypted link; \u201c{said}\u201d"

    async def forgotten(self) -> Seen:
        """What was paired is listed, and can be forgotten with its keys."""
        address = self.peripheral.address
        code, said = await self._pairing.companion("devices", "devices", "--json")
        expect(code == 0 and said.count("\u007b") == 1 and address in said, f"companion devices says: {said}")
        code, said = await self._pairing.companion("forget", "devices", "--forget", address)
        expect(code == 0, f"it could not be forgotten: {said}")
        await bluez.nothing_kept(address)
        return None, f"\u201c{said}\u201d"

    async def _fails(self, attempt: Attempt, code: int, words: str, *, within_s: float = SLACK_S) -> str:
        """See that the app ends as documented, with one line, and that nothing is left of the pairing anywhere."""
        app = attempt.app
        ended = await app.ended(within_s)
        expect(ended == code, f"it ended with {ended}, not {code}: {app.said}")
        one_line = app.said.count("\n") == 1 and app.said.startswith("companion: ")
        expect(one_line and words in app.said, f"it said: {app.said}")
        await until("the link is down", lambda: not self.peripheral.is_connected, DOWN_LIMIT_S)
        await bluez.nothing_kept(self.peripheral.address)
        return f"\u201c{app.said.removeprefix('companion: ').strip()}\u201d"
