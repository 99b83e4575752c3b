"""The app's end of the guard: starts it, tells it that the app lives, and hears when it no longer holds the link.

Knows processes and pipes. Refuses to know what the link is for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from companion.guard.sleep import slept_s

if TYPE_CHECKING:
    from bleak.backends.characteristic import BleakGATTCharacteristic
    from bleak.backends.device import BLEDevice

BEAT_S = 0.25
"""How often the guard hears that the app's event loop turns, in seconds."""
SILENT_BEATS = 6
"""So many beats without an answer, 1.5 s: the guard hangs."""
HOLD_LIMIT_S = 15.0
"""Longest wait for the guard to say that it holds the link, in seconds; 0.1 to 0.5 s is usual, a busy or very slow
computer needs more, and nothing is started meanwhile."""
SLEPT_S = 0.5
"""More seconds of sleep than this between two beats are a suspend."""
BYE_LIMIT_S = 2.0
"""Longest wait for a guard to end that was told that the link is down, in seconds."""

COMMAND = (sys.executable, "-m", "companion.guard")

Lost = Callable[[str], None]


class GuardError(Exception):
    """There is no guard, so there must be no output; the message says why in a few words."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A write that ends all output: where to, what, and whether the device answers it."""

    characteristic: BleakGATTCharacteristic
    data: bytes
    with_response: bool


class Guard(Protocol):
    """Watches over one link from outside the app."""

    async def hold(self, device: BLEDevice) -> None:
        """Return once the link to ``device`` would be ended if this process were gone.

        Raises:
            GuardError: it would not.
        """

    def stops(self, writes: Sequence[Stop]) -> None:
        """Say which writes end all output, so that they can come before the end of the link. Never waits."""

    async def release(self, *, down: bool) -> None:
        """End the watch. Where the link is not known to be ``down``, the guard ends it. Never raises."""


class NothingToHold:
    """For a radio whose devices live in this process and end with it: a virtual one."""

    async def hold(self, device: BLEDevice) -> None:
        """See :class:`Guard`."""

    def stops(self, writes: Sequence[Stop]) -> None:
        """See :class:`Guard`."""

    async def release(self, *, down: bool) -> None:
        """See :class:`Guard`."""


class GuardProcess:
    """A guard in a process of its own. Made before the link, so that it is there when the link is.

    ``lost`` hears, on the event loop and at most once, why the guard no longer holds the link or wants it ended.

    Raises:
        GuardError: the process could not be started.
    """

    def __init__(self, lost: Lost, command: Sequence[str] = COMMAND) -> None:
        self._lost: Lost | None = lost
        self._loop = asyncio.get_running_loop()
        self._holding: asyncio.Future[None] = self._loop.create_future()
        self._beat_timer: asyncio.TimerHandle | None = None
        self._unanswered = 0
        self._slept = slept_s()
        try:
            # A session of its own: what a terminal sends to the app when it closes does not reach its guard.
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by this very interpreter
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise GuardError(f"it could not be started: {error.strerror or error}") from error
        self._reader = threading.Thread(target=self._listen, name="words of the guard", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The guard's process."""
        return self._process.pid

    async def hold(self, device: BLEDevice) -> None:
        """See :class:`Guard`."""
        self._tell(json.dumps(_hand(device)))
        try:
            async with asyncio.timeout(HOLD_LIMIT_S):
                await asyncio.shield(self._holding)
        except TimeoutError as error:
            raise GuardError("it does not answer") from error
        self._slept = slept_s()
        self._beat()

    def stops(self, writes: Sequence[Stop]) -> None:
        """See :class:`Guard`."""
        places = [(_path(write.characteristic), write.data.hex(), write.with_response) for write in writes]
        known = [place for place in places if place[0]]
        if known:
            self._tell(f"stops {json.dumps(known)}")

    async def release(self, *, down: bool) -> None:
        """See :class:`Guard`."""
        self._lost = None
        if self._beat_timer is not None:
            self._beat_timer.cancel()
            self._beat_timer = None
        if self._holding.done() and not self._holding.cancelled():
            self._holding.exception()  # seen
        if down:
            self._tell("bye")
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(OSError):
                stdin.close()  # without a "bye" before it the guard takes it as the end of the app, and acts
        if down and not await asyncio.to_thread(self._ends):
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    # --- beats ------------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        self._beat_timer = None
        if slept_s() - self._slept > SLEPT_S:
            self._is_lost("this computer was asleep")
            return
        if self._unanswered >= SILENT_BEATS:
            self._is_lost("the guard of the link does not answer")
            return
        self._unanswered += 1
        self._tell(".")
        self._beat_timer = self._loop.call_later(BEAT_S, self._beat)

    def _tell(self, line: str) -> None:
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            return
        with contextlib.suppress(OSError):  # it has ended, which the reader tells
            os.write(stdin.fileno(), f"{line}\n".encode())

    # --- what it says -----------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        stdout = self._process.stdout
        if stdout is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to hear
            with stdout:
                for line in stdout:
                    self._loop.call_soon_threadsafe(self._said, line.decode(errors="replace").strip())
            self._loop.call_soon_threadsafe(self._said, "failed it ended by itself")

    def _said(self, line: str) -> None:
        word, _, why = line.partition(" ")
        match word:
            case ".":
                self._unanswered = 0
            case "holding" if not self._holding.done():
                self._holding.set_result(None)
            case "failed" if not self._holding.done():
                self._holding.set_exception(GuardError(why))
            case "failed":
                self._is_lost(f"the guard of the link is gone ({why})")
            case "acted":
                self._is_lost(why)

    def _is_lost(self, why: str) -> None:
        lost, self._lost = self._lost, None
        if lost is not None:
            lost(why)

    def _ends(self) -> bool:
        try:
            self._process.wait(BYE_LIMIT_S)
        except subprocess.TimeoutExpired:
            return False
        self._reader.join()
        return True


def _hand(device: BLEDevice) -> dict[str, Any]:
    """What the guard has to act on: the device's object path where BlueZ has the link, else this process."""
    if platform.system() == "Linux":
        return {"hand": "bluez", "device": device.details["path"]}
    return {"hand": "process"}


def _path(characteristic: BleakGATTCharacteristic) -> str:
    """The D-Bus object path of a characteristic; empty where there is none."""
    place = characteristic.obj
    return place[0] if isinstance(place, tuple) and place and isinstance(place[0], str) else ""
