"""A device on the bench, simulated or real, and the link on which it is measured: through bleak, and nothing below it.

Each link begins afresh, and every link to a real device ends with its stop, whatever happened on it. Refuses to know
rules.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar

from bleak import BleakClient
from bleak.exc import BleakError, BleakGATTProtocolError

from rig.conformance.rules import CannotCheckError
from rig.devices.model import SimulatedDevice
from rig.guards import Guard, MakeGuard, NoGuardError, NothingToHold, StopWrite

if TYPE_CHECKING:
    from bleak.backends.characteristic import BleakGATTCharacteristic
    from bleak.backends.device import BLEDevice

    from rig.radio.link import VirtualRadio
    from rig.radio.peripheral import Peripheral
    from rig.record import Radio

D = TypeVar("D", bound=SimulatedDevice)
D_co = TypeVar("D_co", bound=SimulatedDevice, covariant=True)

LOOK_S: Final = 0.001
"""How far apart two looks at a simulated device's output are."""
_STOP_TRIES: Final = 3
_STOP_LIMIT_S: Final = 2.0
_HANG_UP_LIMIT_S: Final = 12.0  # BlueZ waits 10 s for it
_CONNECT_LIMIT_S: Final = 20.0
_SECURITY: Final = frozenset({0x05, 0x08, 0x0C, 0x0F})
"""ATT errors that say that the link is not secure enough (Core Specification Vol 3 Part F 3.4.1.1)."""


class GuardLostError(CannotCheckError):
    """The guard of a link to a real device no longer holds it: nothing more may be put out in this run."""


class Heard(NamedTuple):
    """One notification or indication: when it came (s, the loop's time), where from, and its bytes."""

    time: float
    characteristic: str
    data: bytes


class Bench(Protocol[D_co]):
    """Where links to the device under test come from."""

    @property
    def simulated(self) -> bool:
        """Whether the device can be looked into, and things done to it that nobody does to a real one."""
        ...

    def link(self, *, paired: bool = True) -> AbstractAsyncContextManager[Link[D_co]]:
        """Connect. A simulated device is a fresh one each time.

        Args:
            paired: whether to pair with a simulated device that is paired at all; a real one is by then.

        Raises:
            CannotCheckError: there is no link to be had.
        """
        ...


async def measured(work: Awaitable[None]) -> None:
    """Await a rule, with whatever the radio raises turned into words.

    Raises:
        CannotCheckError: the radio failed, or the device refused what it should not.
    """
    try:
        await work
    except BleakGATTProtocolError as error:
        code = int(error.code)
        hint = "; pair it with this computer first" if code in _SECURITY else ""
        raise CannotCheckError(f"the device refused with ATT error 0x{code:02x}{hint}") from error
    except (BleakError, OSError, TimeoutError) as error:
        raise CannotCheckError(str(error) or type(error).__name__) from error


class Link(Generic[D_co]):
    """One link to the device, and everything that it said on it."""

    def __init__(self, client: BleakClient, device: D_co | None = None, peripheral: Peripheral | None = None) -> None:
        self.client = client
        self.heard: list[Heard] = []
        self._device = device
        self._peripheral = peripheral
        self._news = asyncio.Event()

    @property
    def device(self) -> D_co:
        """The simulated device.

        Raises:
            CannotCheckError: it is a real one.
        """
        if self._device is None:
            raise CannotCheckError("nobody can look into a real device")
        return self._device

    @property
    def peripheral(self) -> Peripheral:
        """The simulated device's end of the radio.

        Raises:
            CannotCheckError: it is a real one.
        """
        if self._peripheral is None:
            raise CannotCheckError("a real device's radio is its own")
        return self._peripheral

    @property
    def simulated(self) -> bool:
        """Whether the device can be looked into."""
        return self._device is not None

    @property
    def now(self) -> float:
        """The loop's time (s): the simulated device's, too."""
        return asyncio.get_running_loop().time()

    async def subscribe(self, *characteristics: str) -> None:
        """Hear of these from now on."""
        for each in characteristics:
            await self.client.start_notify(each, partial(self._hear, each))

    async def write(self, characteristic: str, data: bytes, *, response: bool = True) -> None:
        """Write a value."""
        await self.client.write_gatt_char(characteristic, data, response=response)

    async def read(self, characteristic: str) -> bytes:
        """Read a value."""
        return bytes(await self.client.read_gatt_char(characteristic))

    async def refused(self, work: Awaitable[object]) -> int:
        """Return the ATT error with which the device refused, 0 where it did not."""
        try:
            await work
        except BleakGATTProtocolError as error:
            return int(error.code)
        return 0

    async def hear(self, matches: Callable[[Heard], bool], within_s: float, *, since: int = 0) -> Heard | None:
        """Wait for the first that matches of what was heard from number ``since`` on; None where none comes in time."""
        until = self.now + within_s
        while True:
            for each in self.heard[since:]:
                if matches(each):
                    return each
            since = len(self.heard)
            self._news.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._news.wait()
            except TimeoutError:
                return None

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    def _hear(self, characteristic: str, _there: BleakGATTCharacteristic, data: bytearray) -> None:
        self.heard.append(Heard(self.now, characteristic, bytes(data)))
        self._news.set()


class Course(NamedTuple):
    """What was put out: times (s) and levels, from looks at a simulated device or from what a real one measured."""

    looks: Sequence[tuple[float, float]]

    def since(self, start: float, end: float) -> Course:
        """Return the part between two times."""
        return Course([look for look in self.looks if start <= look[0] <= end])

    @property
    def highest(self) -> float:
        """The highest level; 0 for no looks at all."""
        return max((level for _, level in self.looks), default=0.0)

    @property
    def lowest(self) -> float:
        """The lowest level; 0 for no looks at all."""
        return min((level for _, level in self.looks), default=0.0)

    def zero_after_ms(self, since: float) -> float:
        """How long after ``since`` there was output last, in ms."""
        last = max((at for at, level in self.looks if level > 0 and at > since), default=since)
        return round((last - since) * 1000, 3)

    def steepest(self, apart_s: float) -> float:
        """The steepest rise between two looks at least so far apart, in levels a second."""
        rises = [0.0]
        behind = iter(self.looks)
        earlier = next(behind, None)
        for at, level in self.looks:
            while earlier is not None and at - earlier[0] >= apart_s - LOOK_S / 2:
                rises.append((level - earlier[1]) / (at - earlier[0]))
                earlier = next(behind, None)
        return max(rises)


def looked_at(level: Callable[[float], float], start: float, end: float) -> Course:
    """Look at a simulated device's output every :data:`LOOK_S` between two times that are over."""
    steps = round((end - start) / LOOK_S)
    return Course([(at, level(at)) for at in (min(start + step * LOOK_S, end) for step in range(steps + 1))])


def gaps_ms(times: Sequence[float]) -> Iterator[float]:
    """Yield the gaps between times (s), in ms."""
    for one, other in pairwise(times):
        yield round((other - one) * 1000, 6)


Secure = Callable[["VirtualRadio", D], None]
"""Prepares this end's part in the pairing with a simulated device."""


class SimulatedBench(Generic[D]):
    """Simulated devices on the virtual radio.

    Args:
        make: makes a fresh one, with the seed of the run in it.
        seed: of the radio.
        secure: prepares the pairing; None for a device that has none.
    """

    simulated = True

    def __init__(self, make: Callable[[], D], *, seed: int = 0, secure: Secure[D] | None = None) -> None:
        self._make = make
        self._seed = seed
        self._secure = secure

    @asynccontextmanager
    async def link(self, *, paired: bool = True) -> AsyncIterator[Link[D]]:
        """Connect to a fresh device.

        Args:
            paired: whether to pair with a device that is paired at all.

        Raises:
            CannotCheckError: there is no link to be had.
        """
        from rig.radio.link import VirtualRadio  # noqa: PLC0415 - Bumble: for simulated devices alone

        async with VirtualRadio(self._seed) as radio:
            device = self._make()
            peripheral = await radio.add_device(device)
            if self._secure is not None:
                self._secure(radio, device)
            client = BleakClient(peripheral.address, backend=radio.client_backend)
            await client.connect()
            if self._secure is not None and paired:
                await client.pair()
            yield Link(client, device, peripheral)


class RealBench(Generic[D]):
    """A real device. Its stop is written at the end of every link, until it is taken.

    Beside every link stands a guard, which is there before the link is, and holds it before anything is asked: no
    guard, no output (H4).

    Args:
        device: as it was found.
        stop: writes the device's stop.
        stops: the writes that end all output, for the guard.
        radio: where to connect; None: with the system's Bluetooth.
        guard: makes the guard of each link.
    """

    simulated = False

    def __init__(
        self,
        device: BLEDevice,
        stop: Callable[[Link[D]], Awaitable[None]],
        *,
        stops: Callable[[Link[D]], Sequence[StopWrite]] = lambda _link: (),
        radio: Radio | None = None,
        guard: MakeGuard = NothingToHold,
    ) -> None:
        self._device = device
        self._stop = stop
        self._stops = stops
        self._radio = radio
        self._guard = guard

    @asynccontextmanager
    async def link(self, *, paired: bool = True) -> AsyncIterator[Link[D]]:
        """Connect to it.

        Raises:
            CannotCheckError: there is no link to be had.
            GuardLostError: there is no guard, or it no longer holds the link, which is down by then.
        """
        if not paired:
            raise CannotCheckError("a real device is paired before")
        why: list[str] = []
        leaving = False
        try:
            async with asyncio.timeout(None) as until_lost:

                def lost(reason: str) -> None:
                    if not leaving:
                        why.append(reason)
                        until_lost.reschedule(asyncio.get_running_loop().time())

                guard = self._call_guard(lost)
                client = self._client()
                try:
                    await self._connect(client, guard)
                    link: Link[D] = Link(client)
                    guard.stops(self._stops(link))
                    try:
                        yield link
                    finally:
                        leaving = True
                        # A task of its own: whoever is being cancelled has to leave a device behind that is off all
                        # the same.
                        await _to_its_end(asyncio.ensure_future(self._put_away(link)))
                finally:
                    leaving = True
                    await _to_its_end(asyncio.ensure_future(guard.release(down=not client.is_connected)))
        except TimeoutError as error:
            if not why:
                raise
            raise GuardLostError(f"{why[0]}; the device was stopped, and nothing more is put out") from error

    def _call_guard(self, lost: Callable[[str], None]) -> Guard:
        try:
            return self._guard(lost)
        except NoGuardError as error:
            raise GuardLostError(f"no guard, no output: {error}") from error

    def _client(self) -> BleakClient:
        if self._radio is None:
            return BleakClient(self._device, timeout=_CONNECT_LIMIT_S)
        return BleakClient(self._device, timeout=_CONNECT_LIMIT_S, backend=self._radio.client_backend)

    async def _connect(self, client: BleakClient, guard: Guard) -> None:
        try:
            await client.connect()
        except (BleakError, OSError, TimeoutError) as error:
            raise CannotCheckError(
                f"no link to {self._device.address}: {str(error) or type(error).__name__}"
            ) from error
        try:
            await guard.hold(self._device)
        except Exception as error:
            # Whatever it is that a guard finds wrong: there is a link, and there must be none.
            await _to_its_end(asyncio.ensure_future(_dropped(client)))
            raise GuardLostError(f"no guard, no output: {str(error) or type(error).__name__}") from error

    async def _put_away(self, link: Link[D]) -> None:
        for _ in range(_STOP_TRIES):
            if not link.client.is_connected:
                return
            try:
                async with asyncio.timeout(_STOP_LIMIT_S):
                    await self._stop(link)
                break
            except (BleakError, OSError, TimeoutError, CannotCheckError):
                continue
        try:
            async with asyncio.timeout(_HANG_UP_LIMIT_S):
                await link.client.disconnect()
        except (BleakError, OSError, TimeoutError) as error:
            raise CannotCheckError("the link could not be ended: switch the device off by hand, now") from error


async def _dropped(client: BleakClient) -> None:
    """End a link on which nothing was said; one that cannot be ended is its guard's to end."""
    with contextlib.suppress(BleakError, OSError, TimeoutError):
        async with asyncio.timeout(_HANG_UP_LIMIT_S):
            await client.disconnect()


async def _to_its_end(work: asyncio.Future[None]) -> None:
    """Wait for ``work``, however often the waiting is cancelled: Ctrl+C may be pressed twice while a device stops."""
    cancelled = False
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            cancelled = True
    work.result()
    if cancelled:
        raise asyncio.CancelledError
