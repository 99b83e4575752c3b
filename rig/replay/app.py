"""The recorded app, played on a connected bleak client: in turn order with the device, at the recorded times.

Knows GATT and the order of exchanges. Refuses to judge what the device answers (its two listeners do) and to know what
the bytes mean: whoever plays to a device that a person may wear puts :mod:`rig.replay.guarded` between.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.service import BleakGATTServiceCollection
from bleak.exc import BleakError, BleakGATTProtocolError

from rig.replay.exchanges import Exchange, Place, Transcript

PATIENCE_S = 5.0
"""How long past its recorded time the player waits for what the device has to say before the app's next turn, and for
the answer to a request. ATT itself would allow 30 s (Core Specification Vol 3 Part F 3.3.3)."""

LINGER_S = 0.25
"""How much longer the end is waited for where as many values came as are recorded, but not all of those recorded."""

_RADIO_ERRORS = (BleakError, OSError, EOFError)  # what bleak calls raise when the radio, the system or the device fails
_PUSHED = frozenset({"notification", "indication"})


class Pacing(Protocol):
    """What the player asks of a pacer; ``index`` counts the transcript's exchanges, the device's included."""

    async def wait(self, index: int) -> int:
        """Return at the due time of exchange ``index``, with how late that was, in nanoseconds."""
        ...


class GattClient(Protocol):
    """The part of ``bleak.BleakClient`` that a player needs, so that a guard can stand in for it."""

    @property
    def services(self) -> BleakGATTServiceCollection:
        """What was discovered."""
        ...

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""
        ...

    async def read_gatt_char(self, char_specifier: BleakGATTCharacteristic) -> bytearray:
        """Read a characteristic."""
        ...

    async def write_gatt_char(self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool) -> None:
        """Write a characteristic."""
        ...

    async def read_gatt_descriptor(self, desc_specifier: BleakGATTDescriptor) -> bytearray:
        """Read a descriptor."""
        ...

    async def write_gatt_descriptor(self, desc_specifier: BleakGATTDescriptor, data: bytes) -> None:
        """Write a descriptor."""
        ...

    async def start_notify(
        self, char_specifier: BleakGATTCharacteristic, callback: Callable[[BleakGATTCharacteristic, bytearray], None]
    ) -> None:
        """Subscribe."""
        ...

    async def stop_notify(self, char_specifier: BleakGATTCharacteristic) -> None:
        """End a subscription."""
        ...

    async def disconnect(self) -> Any:
        """End the link."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """One exchange of the app that was played. Times are nanoseconds of the event loop's clock."""

    index: int
    """Which exchange of the transcript, from 0."""
    at_ns: int
    """When it was handed to the client."""
    lateness_ns: int
    """How much later than due: the pacer's share, and the time that the device let the app wait for its turn."""
    answered_ns: int | None = None
    """How long the answer took; None where none is due."""
    value: bytes | None = None
    """What was read."""
    error: int | None = None
    """ATT error code, where the device refused."""


@dataclass(frozen=True, slots=True)
class Received:
    """One value that the device pushed while the player played, recorded or not."""

    at_ns: int
    """When the client heard it, in nanoseconds of the event loop's clock."""
    place: Place
    value: bytes


@dataclass(frozen=True, slots=True)
class Played:
    """How far a play came. All is well where ``problem`` is empty."""

    played: int
    """How many exchanges of the app were played."""
    awaited: int | None = None
    """The exchange of the device that did not come in time, where that is what ended the play."""
    stopped_at: int | None = None
    """The app's exchange that was not, or not wholly, played; None where all were."""
    problem: str = ""
    """Why the play ended early, in one sentence."""


class PlaceMissingError(LookupError):
    """The device does not have what an exchange is about; the message names it and what there is."""


def find(services: BleakGATTServiceCollection, place: Place) -> BleakGATTCharacteristic | BleakGATTDescriptor:
    """Return the characteristic, or the descriptor, that ``place`` means on this device.

    Raises:
        PlaceMissingError: there is none.
    """
    same = [s for s in services.services.values() if s.uuid == place.service]
    if not same:
        there = ", ".join(s.uuid for s in services.services.values()) or "none"
        raise PlaceMissingError(f"the device has no service {place.service}; services found: {there}")
    named = sorted(
        (c for service in same for c in service.characteristics if c.uuid == place.characteristic),
        key=lambda c: c.handle,
    )
    if place.nth >= len(named):
        which = f"{place.characteristic} number {place.nth + 1}" if place.nth else place.characteristic
        raise PlaceMissingError(f"the device has no characteristic {which} in service {place.service}")
    characteristic = named[place.nth]
    if not place.descriptor:
        return characteristic
    descriptor = next((d for d in characteristic.descriptors if d.uuid == place.descriptor), None)
    if descriptor is None:
        raise PlaceMissingError(f"the device's characteristic {place.characteristic} has no {place.descriptor}")
    return descriptor


def subscribed_before(transcript: Transcript) -> tuple[Place, ...]:
    """Return the places that the device pushed values from though the transcript never subscribes to them before.

    A recording that begins in the middle of a connection has such; the player subscribes to them before it begins.
    """
    subscribed: set[Place] = set()
    found: dict[Place, None] = {}
    for exchange in transcript.exchanges:
        if exchange.to is None:
            continue
        if exchange.does == "subscribe":
            subscribed.add(exchange.to)
        elif exchange.does in _PUSHED and exchange.to not in subscribed:
            found[exchange.to] = None
    return tuple(found)


class AppPlayer:
    """Plays the app's side of a transcript.

    An exchange of the app is due at its recorded time and waits for its turn: for every value that the device pushed
    before it in the recording, counted for each characteristic, whatever the values are. Requests are answered before
    the next exchange begins, except where the recording shows that the app did not wait either.

    It writes what was recorded and judges nothing: to a device that puts out current only through
    :class:`rig.replay.guarded.Guard`, which is a client like any other to it.

    Args:
        transcript: what to play. ``connect`` is taken for done: the client is connected.
        patience_s: see :data:`PATIENCE_S`; in seconds of the event loop's clock.
        streams: where the device pushes what it measures by itself: no turn waits for that.
    """

    def __init__(
        self, transcript: Transcript, *, patience_s: float = PATIENCE_S, streams: Collection[Place] = ()
    ) -> None:
        self._exchanges = transcript.exchanges
        self._streams = frozenset(streams)
        self._unsubscribed = subscribed_before(transcript)
        self._patience_s = patience_s
        self._heard: Counter[Place] = Counter()
        self._values: Counter[tuple[Place, bytes]] = Counter()
        self._news = asyncio.Event()
        self._link_ended = False
        self._stopped = ""
        self._on_done: Callable[[Done], None] | None = None
        self._on_received: Callable[[Received], None] | None = None
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self.played = 0
        """How many exchanges of the app were played."""
        self.reached: int | None = None
        """The app's exchange whose turn it is or was last; None before the first."""

    async def play(
        self,
        client: GattClient,
        pacer: Pacing,
        *,
        on_done: Callable[[Done], None] | None = None,
        on_received: Callable[[Received], None] | None = None,
    ) -> Played:
        """Play everything, on a client that is connected; once an instance.

        Args:
            client: a connected ``bleak.BleakClient``, or what stands in for it.
            pacer: says when each exchange is due.
            on_done: told of every exchange of the app once it is played, and answered where an answer is due.
            on_received: told of every value that the device pushes.

        Raises:
            PlaceMissingError: an exchange is about a characteristic that the device does not have. Nothing was played
                if it is raised: every place is looked for before.
        """
        self._on_done, self._on_received = on_done, on_received
        places = {exchange.to: find(client.services, exchange.to) for exchange in self._exchanges if exchange.to}
        try:
            for place in self._unsubscribed:
                await client.start_notify(_characteristic(places[place]), partial(self._received, place))
            return await self._play(client, pacer, places)
        except _RADIO_ERRORS as error:
            return Played(self.played, None, self.reached, f"the radio or the device failed: {_words(error)}")
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def stop(self, problem: str) -> None:
        """End the play before the app's next exchange; ``problem`` is what :class:`Played` will say."""
        self._stopped = self._stopped or problem
        self._news.set()

    def link_ended(self, _client: object = None) -> None:
        """Take word that the link is down; fit for bleak's ``disconnected_callback``, and optional."""
        self._link_ended = True
        self._news.set()

    # ---- one after the other --------------------------------------------------------------------------------------

    async def _play(
        self, client: GattClient, pacer: Pacing, places: dict[Place, BleakGATTCharacteristic | BleakGATTDescriptor]
    ) -> Played:
        clock = asyncio.get_running_loop().time
        needed: Counter[Place] = Counter()
        turn_of: dict[tuple[Place, int], int] = {}  # the nth value pushed from there is which exchange
        for index, exchange in enumerate(self._exchanges):
            if exchange.by == "device":
                if exchange.does in _PUSHED and exchange.to is not None and exchange.to not in self._streams:
                    needed[exchange.to] += 1
                    turn_of[exchange.to, needed[exchange.to]] = index
                continue
            self.reached = index
            lateness = await pacer.wait(index)
            due = clock()
            awaited = await self._turn(client, needed, turn_of)
            ended = self._early(client, index, awaited)
            if ended is None and not await self._answers_before(index):
                ended = Played(self.played, None, index, "a request before it was not answered")
            if ended is not None:
                return ended
            at = clock()
            lateness += round((at - due) * 1e9)
            work = self._perform(client, index, places, at, lateness)
            if self._overlaps(index):
                self._under_way[index] = asyncio.create_task(work)
                await asyncio.sleep(0)  # so that it leaves before what follows it
            elif not await self._within_patience(work):
                return Played(self.played, None, index, f"no answer within {self._patience_s:g} s")
        return await self._last_words(client, pacer, needed, turn_of)

    async def _last_words(
        self, client: GattClient, pacer: Pacing, needed: Counter[Place], turn_of: dict[tuple[Place, int], int]
    ) -> Played:
        """Hear what the device says after the app's last exchange, the end of the link included."""
        if not await self._answers_before(len(self._exchanges)):
            return Played(self.played, None, None, "the last request was not answered")
        if not self._exchanges or self._exchanges[-1].by == "app":
            return Played(self.played)
        last = len(self._exchanges) - 1
        await pacer.wait(last)
        awaited = await self._turn(client, needed, turn_of, link_end=self._exchanges[-1].does == "disconnect")
        if awaited is None and self._exchanges[-1].does == "disconnect" and client.is_connected and not self._stopped:
            awaited = last
        if awaited is not None and not self._stopped:
            return Played(self.played, awaited, None, f"the device did not say it within {self._patience_s:g} s")
        await self._linger()
        return Played(self.played, problem=self._stopped)

    async def _linger(self) -> None:
        """Something that is not recorded may have been counted for the last that is: give that a little longer."""
        recorded = Counter(
            (exchange.to, exchange.value or b"")
            for exchange in self._exchanges
            if exchange.does in _PUSHED and exchange.to is not None and exchange.to not in self._streams
        )
        give_up = asyncio.get_running_loop().time() + LINGER_S
        while not self._stopped and not self._link_ended and recorded - self._values:
            self._news.clear()
            try:
                async with asyncio.timeout_at(give_up):
                    await self._news.wait()
            except TimeoutError:
                return

    async def _turn(
        self,
        client: GattClient,
        needed: Counter[Place],
        turn_of: dict[tuple[Place, int], int],
        *,
        link_end: bool = False,
    ) -> int | None:
        """Wait until the device has said all that is due before; the exchange that did not come, None if all did."""

        def first_awaited() -> int | None:
            missing = [turn_of[place, self._heard[place] + 1] for place in needed if self._heard[place] < needed[place]]
            return min(missing, default=None)

        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._patience_s
        while not self._stopped and not self._link_ended:
            if first_awaited() is None and not (link_end and client.is_connected):
                break
            self._news.clear()
            try:
                async with asyncio.timeout_at(give_up):
                    await self._news.wait()
            except TimeoutError:
                break
        return first_awaited()

    def _early(self, client: GattClient, index: int, awaited: int | None) -> Played | None:
        """Say why the app's exchange ``index`` cannot be played, None if it can."""
        if self._stopped:
            return Played(self.played, None, index, self._stopped)
        if awaited is not None:
            down = self._link_ended or not client.is_connected
            why = "the link ended before" if down else f"the device did not say it within {self._patience_s:g} s"
            return Played(self.played, awaited, index, why)
        does = self._exchanges[index].does
        if does not in {"connect", "disconnect"} and not client.is_connected:
            return Played(self.played, None, index, "the link has ended")
        return None

    async def _answers_before(self, index: int) -> bool:
        """Wait for the requests under way that exchange ``index`` has to wait for; False when one takes too long."""
        following = self._exchanges[index] if index < len(self._exchanges) else None
        for before in list(self._under_way):
            crosses = following is not None and following.does == "write_command" and self._crosses(before, following)
            if crosses:
                continue
            task = self._under_way[before]
            done, _ = await asyncio.wait((task,), timeout=self._patience_s)
            if not done:
                return False
            del self._under_way[before]
            task.result()
        return True

    async def _within_patience(self, work: Awaitable[None]) -> bool:
        scope = asyncio.timeout(self._patience_s)
        try:
            async with scope:
                await work
        except TimeoutError:
            if not scope.expired():
                raise
            return False
        return True

    def _crosses(self, index: int, following: Exchange) -> bool:
        """Whether ``following`` left, in the recording, before exchange ``index`` had its answer."""
        asked = self._exchanges[index]
        return asked.answered_ns is not None and asked.at_ns + asked.answered_ns > following.at_ns

    def _overlaps(self, index: int) -> bool:
        """Whether the app's next exchange is a write without response that did not wait for this one's answer.

        Requests wait for each other in any case: ATT allows one at a time (Vol 3 Part F 3.3.2).
        """
        if self._exchanges[index].does in {"connect", "disconnect", "write_command"}:
            return False
        following = next((e for e in self._exchanges[index + 1 :] if e.by == "app"), None)
        return following is not None and following.does == "write_command" and self._crosses(index, following)

    # ---- one --------------------------------------------------------------------------------------------------------

    async def _perform(
        self,
        client: GattClient,
        index: int,
        places: dict[Place, BleakGATTCharacteristic | BleakGATTDescriptor],
        at: float,
        lateness_ns: int,
    ) -> None:
        exchange = self._exchanges[index]
        value: bytes | None = None
        error: int | None = None
        try:
            value = await self._hand_over(client, exchange, places)
        except BleakGATTProtocolError as refused:
            error = int(refused.code)
        answered: int | None = None
        if exchange.does not in {"connect", "disconnect", "write_command"}:
            answered = round((asyncio.get_running_loop().time() - at) * 1e9)
        self.played += 1
        if self._on_done is not None:
            self._on_done(Done(index, round(at * 1e9), lateness_ns, answered, value, error))

    async def _hand_over(
        self,
        client: GattClient,
        exchange: Exchange,
        places: dict[Place, BleakGATTCharacteristic | BleakGATTDescriptor],
    ) -> bytes | None:
        """Do what the app did; what was read, None where nothing was."""
        if exchange.to is None:
            if exchange.does == "disconnect":
                await client.disconnect()
            return None
        there = places[exchange.to]
        data = exchange.value or b""
        match exchange.does:
            case "read" if isinstance(there, BleakGATTDescriptor):
                return bytes(await client.read_gatt_descriptor(there))
            case "read":
                return bytes(await client.read_gatt_char(_characteristic(there)))
            case "write" | "write_command" if isinstance(there, BleakGATTDescriptor):
                await client.write_gatt_descriptor(there, data)
            case "write" | "write_command":
                await client.write_gatt_char(_characteristic(there), data, response=exchange.does == "write")
            case "subscribe":
                await client.start_notify(_characteristic(there), partial(self._received, exchange.to))
            case "unsubscribe":
                await client.stop_notify(_characteristic(there))
            case does:
                raise ValueError(f"an app does not make {does}s")
        return None

    def _received(self, place: Place, _characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
        self._heard[place] += 1
        self._values[place, bytes(data)] += 1
        if self._on_received is not None:
            at_ns = round(asyncio.get_running_loop().time() * 1e9)
            self._on_received(Received(at_ns, place, bytes(data)))
        self._news.set()


def places_missing(transcript: Transcript, services: BleakGATTServiceCollection) -> list[str]:
    """Return one sentence for each place of the transcript that a device with ``services`` does not have."""
    return list(dict.fromkeys(_missing(services, (e.to for e in transcript.exchanges if e.to is not None))))


def _missing(services: BleakGATTServiceCollection, places: Iterable[Place]) -> Iterable[str]:
    for place in dict.fromkeys(places):
        try:
            find(services, place)
        except PlaceMissingError as error:
            yield str(error)


def _characteristic(there: BleakGATTCharacteristic | BleakGATTDescriptor) -> BleakGATTCharacteristic:
    if isinstance(there, BleakGATTDescriptor):
        raise TypeError("subscriptions and writes without response are about characteristics, not descriptors")
    return there


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
