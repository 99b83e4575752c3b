"""The demo: a simulated device on a virtual radio, behind the same interface as a real adapter.

With :mod:`companion.recording` the only door from the app to the test bench, and everything of the bench is imported on
use: a companion with a real device never loads it.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError

from companion.config import CompanionError, Exit
from companion.dates import Calendar
from companion.device.pairing import Failure, PairingError
from companion.guard.keeper import NothingToHold

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementDataCallback

    from companion.device.known import Bonds
    from companion.device.pairing import Pairer, Questions
    from companion.guard.keeper import Guard
    from rig.devices.display import Display
    from rig.devices.model import SimulatedDevice
    from rig.devices.skin import Touch
    from rig.radio.link import VirtualRadio
    from rig.radio.peripheral import Peripheral

T = TypeVar("T")

#: Confirm value failed, DHKey check failed, numeric comparison failed (Core Specification Vol 3 Part H 3.5.5).
_DIFFERENT = frozenset({0x04, 0x0B, 0x0C})


class DemoRadio:
    """A radio on whose air there is one simulated device.

    ``device`` (what it does with its output) and ``peripheral`` (its end of the link) are for tests and benchmarks.
    """

    system = False

    def __init__(
        self,
        air: VirtualRadio,
        device: SimulatedDevice,
        peripheral: Peripheral,
        closing: ExitStack,
        *,
        key: str = "",
        bonds: Callable[[], Bonds] | None = None,
    ) -> None:
        self.air = air
        self.device = device
        self.peripheral = peripheral
        self._closing = closing
        self._key = key
        self._bonds = bonds
        self._display: Display | None = getattr(device, "display", None)

    @property
    def keys_left_out(self) -> bool:
        """Whether there are zeros in the recording where a key was."""
        return self.air.adapter.keys_left_out

    def on_display(self, listener: Callable[[int], object]) -> None:
        """Let ``listener`` hear each code that the simulated device's display shows, where it has one."""
        if self._display is not None:
            self._display.on_show = listener

    def scanner(self, detection_callback: AdvertisementDataCallback | None = None) -> BleakScanner:
        """Return a scanner of the virtual air, not started."""
        return BleakScanner(detection_callback, backend=self.air.scanner_backend)

    def client(self, device: BLEDevice, disconnected_callback: Callable[[BleakClient], None]) -> BleakClient:
        """Return a client for a device on the virtual air, not connected."""
        return BleakClient(device, disconnected_callback, backend=self.air.client_backend)

    async def is_paired(self, device: BLEDevice) -> bool | None:
        """Return whether the virtual adapter has keys for a simulated device; they live as long as this process."""
        return await self.air.adapter.keys_of(device.details["address"]) is not None

    async def pair(self, client: BleakClient, device: BLEDevice, questions: Questions) -> None:
        """Pair with the simulated device.

        Its keys and the adapter's end with the process. A device that a person has paired in an earlier one is paired
        anew without asking them, as if the keys had been kept: the demo reads the display in their stead, and what it
        reads is its own device's. No radio but this one has such a way (safety case, H9).

        Raises:
            PairingError: it was not paired; nothing was kept.
        """
        if self._display is None or not self._is_remembered(device):
            await self._pair(client, questions, _Asked(questions))
            if self._bonds is not None and questions.proved:
                self._bonds().paired(device.address, questions.device, self._key)
            return
        listener, self._display.on_show = self._display.on_show, _unseen
        try:
            await self._pair(client, questions, _Remembered(questions, _ReadsTheDisplay(self._display)))
        finally:
            self._display.on_show = listener

    def _is_remembered(self, device: BLEDevice) -> bool:
        known = () if self._bonds is None else self._bonds().all()
        return any(one.address.casefold() == device.address.casefold() for one in known)

    async def _pair(self, client: BleakClient, questions: Questions, answering: _Asked) -> None:
        from rig.radio.pairing import Ability, Pairing  # noqa: PLC0415 - the bench is loaded for a demo only

        self.air.adapter.pairing = Pairing(Ability.SHOWS_AND_TYPES, answering)
        try:
            await client.pair()
        except BleakError as error:
            code = getattr(error.__cause__, "error_code", None)
            different = Failure.WRONG if code in _DIFFERENT else Failure.REFUSED
            failure = questions.failure or (different if client.is_connected else Failure.GONE)
            raise PairingError(questions.device, failure) from error

    async def forget(self, device: BLEDevice) -> None:
        """Throw away the virtual adapter's keys for a simulated device."""
        await self.air.adapter.forget(device.details["address"])

    @property
    def hold(self) -> Callable[[bool], None] | None:
        """The hand that holds the simulated device, where that feels the skin: False lifts it, True lays it there."""
        touch: Callable[[Touch, float], None] | None = getattr(self.device, "touch", None)
        if touch is None:
            return None
        from rig.devices.skin import Touch  # noqa: PLC0415 - the device has loaded it

        def hold(on_skin: bool) -> None:
            touch(Touch.GELLED if on_skin else Touch.LIFTED, asyncio.get_running_loop().time())

        return hold

    def stand_in(self) -> Pairer | None:
        """Return somebody who reads the simulated device's display, where it has one and nobody else is there."""
        return None if self._display is None else _ReadsTheDisplay(self._display)

    def guard(self, lost: Callable[[str], None]) -> Guard:  # noqa: ARG002 - never lost
        """Return a guard that does nothing: the simulated device lives in this process and ends with it."""
        return NothingToHold()

    async def close(self) -> None:
        """Switch the simulated device off and close the recording. Harmless when called twice."""
        await self.air.close()
        self._closing.close()


class _Asked:
    """The virtual radio's questions, put to the person."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    async def compare(self, number: int) -> bool:
        return await self._questions.compare(number)

    async def enter(self) -> int | None:
        return await self._questions.enter()

    def show(self, number: int) -> None:
        self._questions.show(number)

    def passkey(self) -> int:
        return secrets.randbelow(1_000_000)


def _unseen(_number: int) -> None:
    """Nobody looks at the display."""


class _Remembered(_Asked):
    """The answers of a person who has compared this simulated device's code before."""

    def __init__(self, questions: Questions, reader: _ReadsTheDisplay) -> None:
        super().__init__(questions)
        self._reader = reader

    async def compare(self, number: int) -> bool:
        self._questions.proved = await self._reader.compare(self._questions.device, number)
        return self._questions.proved

    async def enter(self) -> int | None:
        number = await self._reader.enter(self._questions.device)
        self._questions.proved = number is not None
        return number


class _ReadsTheDisplay:
    """Stands in for the person in a demo that nobody watches: reads the simulated device's display."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._shown = asyncio.Event()
        earlier = display.on_show

        def seen(number: int) -> None:
            earlier(number)
            self._shown.set()

        display.on_show = seen

    async def compare(self, _device: str, number: int) -> bool:
        await self._shown.wait()
        return self._display.shown == number

    async def enter(self, _device: str) -> int | None:
        await self._shown.wait()
        return self._display.shown

    def show(self, _device: str, _number: int) -> None:
        """There are no keys on a simulated device."""


def load_bench() -> None:
    """Import what a demo needs of the bench: half a second, which an app spends off its loop."""
    import rig.devices.catalogue  # noqa: PLC0415 - the bench is loaded for a demo only
    import rig.radio.link  # noqa: F401, PLC0415 - as above; it brings Bumble


async def open_demo(
    key: str,
    seed: int = 0,
    record: Path | None = None,
    calendar: Calendar | None = None,
    *,
    with_keys: bool = False,
    bonds: Callable[[], Bonds] | None = None,
) -> DemoRadio:
    """Switch on a simulated device (``dr05``, ``foreo`` …); equal seeds give equal runs in virtual time.

    ``record`` is a btsnoop file for the HCI traffic of the app's end; the keys of a pairing are zeros in it, unless it
    is to be ``with_keys``. ``bonds`` is where it is kept that a person has paired the device (:meth:`DemoRadio.pair`);
    without it every process pairs anew.

    Raises:
        CompanionError: there is no simulated device of that key, or the recording cannot be written.
    """
    from rig.devices.catalogue import create  # noqa: PLC0415 - the bench is loaded for a demo only
    from rig.radio.link import VirtualRadio  # noqa: PLC0415 - as above; it brings Bumble

    try:
        device = create(key, seed)
    except ValueError as error:
        raise CompanionError(str(error), Exit.USAGE) from error
    with ExitStack() as closing:
        air = VirtualRadio(seed)
        if record is not None:
            from companion.recording import btsnoop  # noqa: PLC0415 - only where a recording is asked for

            writer = closing.enter_context(btsnoop(record, calendar or Calendar.system()))
            air.record(writer, with_keys=with_keys)
        peripheral = await air.add_device(device)
        return DemoRadio(air, device, peripheral, closing.pop_all(), key=key, bonds=bonds)


def run_at_speed(coroutine: Coroutine[Any, Any, T], speed: float) -> T:
    """Run a coroutine on a loop whose time passes ``speed`` times as fast; ``math.inf`` is virtual time.

    Raises:
        ValueError: ``speed`` is not positive.
    """
    if speed == 1.0:
        return asyncio.run(coroutine)
    from rig.clock import run  # noqa: PLC0415 - the bench is loaded for a demo only

    return run(coroutine, speed=speed)
