"""One device, one owner: connects, performs what the protocol asks for, and tells what came of it.

One task per device connects and performs operations in order; a stop never waits for it. Knows bleak and the protocol
contract. Refuses to know what a session is, and never makes a command of its own but a stop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from functools import partial
from typing import TYPE_CHECKING

from bleak.exc import BleakDeviceNotFoundError

from companion.device.known import objection
from companion.device.pairing import PAIRING_LIMIT_S, Failure, ImpostorError, Pairer, PairingError, Questions
from companion.device.radio import RADIO_ERRORS, RadioError, describe
from companion.guard.keeper import GuardError, Stop
from companion.session.model import DeviceSaid, LinkLost, LinkReady, ReconnectFailed
from protocols.gatt import Characteristic, Disconnect, Operation, Property, Read, Service, Subscribe, Write, uuid
from protocols.machine import DeviceProtocol, LocalProtocolError, Reaction, UnsupportedDeviceError
from protocols.model import Command, DeviceProfile, Event, HandshakeFailed, Pairing, Ready, StopOutput, TotalStop

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from bleak import BleakClient
    from bleak.backends.characteristic import BleakGATTCharacteristic
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData

    from companion.device.finder import Found
    from companion.device.known import Bonds
    from companion.device.radio import Radio
    from companion.guard.keeper import Guard

News = LinkReady | LinkLost | ReconnectFailed | DeviceSaid
Listener = Callable[[News], None]

#: One attempt to connect and discover, in seconds. BlueZ gives up a link after about 20 s, a phone after 30 s.
CONNECT_LIMIT_S = 20.0
#: From the first operation of the handshake to Ready.
HANDSHAKE_LIMIT_S = 10.0
#: One read, write or subscription. ATT itself would allow 30 s (Core Specification Vol 3 Part F 3.3.3).
OPERATION_LIMIT_S = 5.0
#: From a hang-up to the word of the radio that the link is down. BlueZ alone waits 2 s before it terminates a link.
HANG_UP_LIMIT_S = 4.0
HANG_UP_TRIES = 2
#: An orderly close: at most this long for the stop to be acknowledged (three tries 300 ms apart, and a little).
STOP_LIMIT_S = 1.0
CLOSE_LIMIT_S = STOP_LIMIT_S + HANG_UP_LIMIT_S
#: A hurried close, because the process is ending: stop and hang-up together.
HURRIED_LIMIT_S = 1.5
#: One listening for a device that the system has forgotten.
LOOK_AGAIN_S = 10.0
FIRST_BACKOFF_S = 0.25
LONGEST_BACKOFF_S = 4.0
#: Events kept while nobody listens yet (between the handshake and the start of a session).
UNHEARD_LIMIT = 32


class LinkState(Enum):
    """Where the connection is."""

    IDLE = "idle"
    CONNECTING = "connecting"
    HANDSHAKE = "getting to know the device"
    READY = "ready"
    ENDING = "ending"
    LOST = "lost"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


class Cause(StrEnum):
    """Why a link ended, or never was."""

    REQUESTED = "requested"
    DROPPED = "dropped for safety"
    DEVICE_GONE = "device gone"
    CONNECT_FAILED = "connect failed"
    UNSUPPORTED = "unsupported device"
    HANDSHAKE_FAILED = "handshake failed"
    NO_GUARD = "no guard"
    NOT_PAIRED = "not paired"


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a link ended: the cause, and one plain sentence for the person."""

    cause: Cause
    text: str


_GUARD_ADVICE = "nothing is started without it; close other programs and try again"


def _no_guard(error: GuardError) -> str:
    return f"the guard, which would end the link if this app failed, cannot do its work ({error})"


def _expire(scope: asyncio.Timeout | None, at: float) -> None:
    """Let a timeout pass at ``at`` (loop time), if it is still running and would not pass before."""
    if scope is not None and not scope.expired() and ((when := scope.when()) is None or when > at):
        scope.reschedule(at)


class _Link:
    """One link: its protocol instance, its client, and what waits to be performed on it."""

    __slots__ = (
        "armed",
        "characteristics",
        "client",
        "ended",
        "ending",
        "events",
        "gone",
        "guard",
        "protocol",
        "quiet",
        "ready",
        "scope",
        "services",
        "telling",
        "timer",
        "waiting",
        "wakeup",
    )

    def __init__(self, protocol: DeviceProtocol, gone: asyncio.Future[None]) -> None:
        self.protocol = protocol
        self.client: BleakClient | None = None
        self.guard: Guard | None = None
        self.services: tuple[Service, ...] = ()
        self.characteristics: dict[str, BleakGATTCharacteristic] = {}
        self.waiting: deque[Subscribe | Read | Write] = deque()
        self.events: deque[Event] = deque()
        self.telling = False
        self.ready = False
        self.ending: Ending | None = None
        self.ended: Ending | None = None
        self.gone = gone
        self.wakeup: asyncio.Future[None] | None = None
        self.scope: asyncio.Timeout | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.armed: float | None = None
        self.quiet: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Let the owner look again at what there is to do."""
        if self.wakeup is not None and not self.wakeup.done():
            self.wakeup.set_result(None)


class Connection:
    """The connection to one found device, for one session; it is not used again after :meth:`aclose`.

    ``listener`` hears, synchronously and in order, of every link that becomes ready (:class:`LinkReady`), of every
    device event, of the end of a link that had been ready, and of a reconnect that gave up. It may be set later; device
    events that nobody heard wait in :meth:`unheard`. ``on_defect`` hears of an exception inside a callback; by then the
    output has been told to stop and the link is being ended.

    ``pairer`` is asked where the device has to be paired first; without one, a device that is not paired stays out.
    ``bonds`` are the devices that were paired before: one that is not what it says it is stays out, too.

    ``writes`` counts the values handed to the radio (not the CCCD writes of subscriptions) and ``notifications`` the
    notifications and indications that came, over all links of this connection.
    """

    def __init__(self, radio: Radio, found: Found, listener: Listener | None = None) -> None:
        self.listener = listener
        self.on_defect: Callable[[BaseException], None] | None = None
        self.pairer: Pairer | None = None
        self.bonds: Bonds | None = None
        self.writes = 0
        self.notifications = 0
        self._radio = radio
        self._found = found
        self._link: _Link | None = None
        self._links = 0
        self._state = LinkState.IDLE
        self._ending: Ending | None = None
        self._firmware: str | None = None
        self._unheard: deque[Event] = deque(maxlen=UNHEARD_LIMIT)
        self._owner: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._closing_scope: asyncio.Timeout | None = None
        self._closing_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._releases: set[asyncio.Task[None]] = set()
        self._reconnect_until: float | None = None
        self._reconnect_wanted = asyncio.Event()
        self._regaining: asyncio.Timeout | None = None
        self._defect_seen = False
        self._out_of_sight = False

    # --- what others may know ---------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The device's advertised name."""
        return self._found.name

    @property
    def state(self) -> LinkState:
        """Where the connection is."""
        return self._state

    @property
    def ending(self) -> Ending | None:
        """Why the last link ended; None while there has been no end yet."""
        return self._ending

    @property
    def ready(self) -> bool:
        """True while a link is up whose handshake is over."""
        return self._state is LinkState.READY

    @property
    def firmware(self) -> str | None:
        """What the device said of its firmware on the last link, None where it is silent."""
        return self._firmware

    @property
    def profile(self) -> DeviceProfile:
        """What the device can do; as narrow as the last handshake made it."""
        return self._found.entry.profile if self._link is None else self._link.protocol.profile

    @property
    def output_possible(self) -> bool:
        """True unless known to be without output. The end of a link ends the output of every device here."""
        link = self._link
        return link is not None and link.client is not None and link.ended is None and link.protocol.output_possible

    def unheard(self) -> list[Event]:
        """Hand over, once, the latest device events that came while there was no listener."""
        events = list(self._unheard)
        self._unheard.clear()
        return events

    # --- what others may ask for ------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Connect and shake hands; returns once the device is ready for commands.

        Raises:
            RadioError: the device cannot be reached, is not what its advertisement promised, or does not answer.
        """
        if self._owner is not None or self._closing is not None:
            # A link that was lost before anybody listened is the likeliest reason to come here.
            reason = f"{self.name} is connected already" if self._ending is None else self._ending.text
            raise RadioError(reason, "hold it near and begin again, with a new connection")
        loop = asyncio.get_running_loop()
        connected: asyncio.Future[None] = loop.create_future()
        self._owner = loop.create_task(self._own(connected), name=f"owner of {self.name}")
        try:
            await connected
        except asyncio.CancelledError:
            await self.aclose()
            raise

    def submit(self, command: Command) -> None:
        """Ask the device for something, now. The bytes of a stop are on their way before anything that waits.

        Without a link a stop is done already: every device here ends its output with the link.

        Raises:
            LocalProtocolError: forbidden in this state, or there is no link; no byte was made.
        """
        link = self._link
        is_stop = isinstance(command, TotalStop | StopOutput)
        if link is None or link.client is None or link.ended is not None or (link.ending is not None and not is_stop):
            if is_stop:
                return
            raise LocalProtocolError("there is no link to the device")
        self._react(link, link.protocol.command(command, self._now()))

    def drop(self, reason: str) -> None:
        """End the link now, whatever is under way; any reconnect is given up. ``reason`` is one plain sentence."""
        self._reconnect_wanted.clear()
        _expire(self._regaining, self._now())
        self._hang_up(Ending(Cause.DROPPED, reason))

    def reconnect(self, deadline: float) -> None:
        """Try until ``deadline`` (loop time) to get the link back; told by the listener. Never starts any output."""
        self._reconnect_until = deadline
        self._reconnect_wanted.set()

    def stop_and_drop(self, reason: str) -> None:
        """Send a total stop if the protocol still can, and end the link whether it can or not. Never raises."""
        link = self._link
        if link is not None and link.client is not None and link.ended is None:
            try:
                operations = link.protocol.command(TotalStop(), self._now()).operations
            except Exception:  # noqa: BLE001 - a broken protocol must not keep the link up: ending it ends the output
                operations = ()
            for operation in operations:
                self._take(link, operation)
        self.drop(reason)

    async def aclose(self, within_s: float | None = None) -> None:
        """Stop any output, end the link, end the owner. Always safe to call, also twice.

        ``within_s`` bounds the whole in seconds, for a process that is ending. When the caller is cancelled meanwhile,
        the close still runs to its end, within 1.5 s, and the cancellation goes on after it.
        """
        loop = asyncio.get_running_loop()
        if self._closing is None:
            self._closing_until = loop.time() + (CLOSE_LIMIT_S if within_s is None else within_s)
            self._closing = loop.create_task(self._close(), name=f"close of {self.name}")
        elif within_s is not None:
            self._hurry(within_s)
        cancelled: asyncio.CancelledError | None = None
        while not self._closing.done():
            try:
                await asyncio.shield(self._closing)
            except asyncio.CancelledError as cancellation:
                if cancelled is None:
                    self._hurry(HURRIED_LIMIT_S)
                cancelled = cancellation
        if cancelled is not None:
            raise cancelled
        self._closing.result()

    # --- the owner task ---------------------------------------------------------------------------------------------

    async def _own(self, connected: asyncio.Future[None]) -> None:
        try:
            self._state = LinkState.CONNECTING
            try:
                link = await self._establish()
            except RadioError as error:
                self._state = LinkState.CLOSED
                if not connected.done():
                    connected.set_exception(error)
                return
            if not connected.done():
                connected.set_result(None)
            while True:
                await self._serve(link)
                await self._reconnect_wanted.wait()
                self._reconnect_wanted.clear()
                if self._reconnect_until is not None and link.ended is not None:
                    link = await self._regain(self._reconnect_until) or link
        except Exception as error:  # noqa: BLE001 - a defect here must end the output, then surface (see on_defect)
            if not connected.done():
                connected.set_exception(error)
            self._defect(error)

    async def _establish(self) -> _Link:
        """Connect once and shake hands.

        Raises:
            RadioError: it did not work out; the link, if there was one, is down again or on its way down.
        """
        link = _Link(self._found.entry.create(self._found.name), asyncio.get_running_loop().create_future())
        self._link = link
        try:
            self._call_guard(link)
            await self._open(link)
            await self._hold(link)
            await self._pair(link)
            self._state = LinkState.HANDSHAKE
            try:
                async with asyncio.timeout(HANDSHAKE_LIMIT_S):
                    self._react(link, self._start(link))
                    await self._serve(link, until_ready=True)
            except TimeoutError:
                self._hang_up(Ending(Cause.HANDSHAKE_FAILED, f"{self.name} does not answer"))
            if not link.ready:
                await link.gone
                raise self._failure(link)  # noqa: TRY301 - the handler below is for what comes from elsewhere
        except BaseException:
            # Cancelled or failed half-way: a link without an owner must not stay up.
            if link.client is not None:
                self._hang_up(Ending(Cause.REQUESTED, "given up"))
            else:
                self._release(link, down=True)
            raise
        return link

    def _call_guard(self, link: _Link) -> None:
        """Start the guard of a link before there is one, so that it is there when the link is (H4).

        Raises:
            RadioError: there is no guard, so there must be no link.
        """
        try:
            link.guard = self._radio.guard(partial(self._guard_lost, link))
        except GuardError as error:
            self._ending = Ending(Cause.NO_GUARD, _no_guard(error))
            raise RadioError(self._ending.text, _GUARD_ADVICE) from error

    async def _hold(self, link: _Link) -> None:
        """Wait until the guard holds the link; without it not even the handshake begins.

        Raises:
            RadioError: it does not; the link is down again.
        """
        if link.guard is None or link.ended is not None:
            return  # the device is gone already, as the handshake finds
        try:
            await link.guard.hold(self._found.device)
        except GuardError as error:
            self._hang_up(Ending(Cause.NO_GUARD, _no_guard(error)), link)
            await link.gone
            raise self._failure(link) from error

    async def _pair(self, link: _Link) -> None:
        """Pair where the device can do better than an open link (H9), before anything else is said.

        Raises:
            PairingError: it is not paired; the link is down again.
        """
        client = link.client
        if link.protocol.profile.pairing is Pairing.NONE or client is None or link.ended is not None:
            return
        try:
            bonded = await self._radio.is_paired(self._found.device)
            self._check_identity(bonded=bonded)
            questions = Questions(self.name, self.pairer)
            try:
                async with asyncio.timeout(PAIRING_LIMIT_S):
                    await self._radio.pair(client, self._found.device, questions)
            except TimeoutError as error:  # not every radio bounds it, and a peer can draw each of its steps out
                raise PairingError(self.name, questions.failure or Failure.TOO_LATE) from error
            if link.protocol.profile.pairing is Pairing.AUTHENTICATED and bonded is False and not questions.proved:
                # Some stacks fall back to a pairing without a code by themselves: it would let anyone stand between.
                await self._radio.forget(self._found.device)
                raise PairingError(self.name, Failure.NO_PROOF)  # noqa: TRY301 - ended as every other failure
            if self.bonds is not None:
                self.bonds.paired(self._found.device.address, self.name, self._found.entry.key)
        except PairingError as error:
            self._hang_up(Ending(Cause.NOT_PAIRED, error.reason), link)
            await link.gone
            raise

    def _check_identity(self, *, bonded: bool | None) -> None:
        """Keep away from a device that goes by another's name, or that forgot its bond (H9).

        Raises:
            PairingError: it is not the device that was paired, or does not prove to be.
        """
        if self.bonds is None:
            return
        known, key = self.bonds.all(), self._found.entry.key
        if doubt := objection(known, self._found.device.address, self.name, key, bonded=bonded):
            raise ImpostorError(self.name, doubt)

    def _guard_lost(self, link: _Link, why: str) -> None:
        """Take word that the guard no longer holds a link, or ends it itself: what runs must stop."""
        if link is self._link and link.ended is None:
            self.stop_and_drop(f"{why}, so the app let go of the device")

    def _release(self, link: _Link, *, down: bool) -> None:
        """End the guard of a link; where the link is not known to be ``down``, the guard ends it."""
        guard, link.guard = link.guard, None
        if guard is not None:
            task = asyncio.get_running_loop().create_task(guard.release(down=down))
            self._releases.add(task)
            task.add_done_callback(self._releases.discard)

    async def _open(self, link: _Link) -> None:
        """Connect and discover the services."""
        disconnected = partial(self._disconnected, link)
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                if self._radio.system:
                    client = await self._open_patiently(disconnected)
                else:
                    client = self._radio.client(self._found.device, disconnected)
                    await client.connect()
            # bleak has no services any more where the device hung up within the same breath
            discovered = sorted(client.services, key=lambda one: one.handle)
        except RADIO_ERRORS as error:
            self._out_of_sight = isinstance(error, BleakDeviceNotFoundError)
            self._ending = Ending(Cause.CONNECT_FAILED, f"{self.name} could not be reached ({describe(error)})")
            raise RadioError(self._ending.text, "switch it on, hold it near and try again") from error
        link.client = client
        link.services = tuple(
            Service(
                uuid(service.uuid),
                tuple(Characteristic(uuid(c.uuid), Property.from_names(c.properties)) for c in service.characteristics),
            )
            for service in discovered
        )
        for service in discovered:
            for characteristic in service.characteristics:
                link.characteristics.setdefault(uuid(characteristic.uuid), characteristic)

    async def _open_patiently(self, disconnected: Callable[[BleakClient], None]) -> BleakClient:
        """Connect through the system's adapter, with the retries that BlueZ in particular needs."""
        from bleak import BleakClient  # noqa: PLC0415 - only a real adapter needs it
        from bleak_retry_connector import (  # noqa: PLC0415 - 84 ms, only for a real adapter
            BleakNotFoundError,
            establish_connection,
        )

        try:
            return await establish_connection(
                BleakClient,
                self._found.device,
                self.name,
                disconnected,
                max_attempts=2,
                use_services_cache=False,  # a cached table could name handles of an older firmware
            )
        except BleakNotFoundError as error:
            raise BleakDeviceNotFoundError(self._found.device.address, str(error)) from error

    def _start(self, link: _Link) -> Reaction:
        if link.client is None or link.ended is not None:
            return Reaction()
        try:
            return link.protocol.start(link.services, self._now())
        except UnsupportedDeviceError as error:
            self._hang_up(Ending(Cause.UNSUPPORTED, f"{self.name} is not a device that this app knows ({error})"))
            return Reaction()

    def _failure(self, link: _Link) -> RadioError:
        ending = link.ended or Ending(Cause.DEVICE_GONE, f"{self.name} went away")
        match ending.cause:
            case Cause.UNSUPPORTED:
                advice = "choose another device"
            case Cause.NO_GUARD:
                advice = _GUARD_ADVICE
            case Cause.HANDSHAKE_FAILED:
                advice = "switch it off and on, close other apps that may use it, and try again"
            case _:
                advice = "switch it on, hold it near and try again"
        return RadioError(ending.text, advice)

    async def _regain(self, deadline: float) -> _Link | None:
        """Try to get the link back until ``deadline``, with a new protocol instance for every try."""
        self._state = LinkState.RECONNECTING
        reason = f"{self.name} did not come back"
        backoff_s = FIRST_BACKOFF_S
        try:
            async with asyncio.timeout_at(deadline) as self._regaining:
                while True:
                    try:
                        return await self._establish()
                    except RadioError as error:
                        reason = error.reason
                    self._state = LinkState.RECONNECTING
                    if self._ending is not None and self._ending.cause in {Cause.UNSUPPORTED, Cause.NOT_PAIRED}:
                        break
                    if self._out_of_sight:
                        await self._look_again()
                    await asyncio.sleep(backoff_s)
                    backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)
        except TimeoutError:
            pass
        finally:
            self._regaining = None
        self._state = LinkState.LOST
        self._hear(ReconnectFailed(reason))
        return None

    async def _look_again(self) -> None:
        """Listen until the device is heard again.

        BlueZ forgets a device that is not bonded half a minute after it was last heard (TemporaryTimeout in its
        main.conf), and connects to none that it does not know.
        """
        heard: asyncio.Future[BLEDevice] = asyncio.get_running_loop().create_future()

        def detected(device: BLEDevice, _advertisement: AdvertisementData) -> None:
            if device.address == self._found.device.address and not heard.done():
                heard.set_result(device)

        try:
            async with asyncio.timeout(LOOK_AGAIN_S), self._radio.scanner(detected):
                self._found = replace(self._found, device=await heard)
        except RADIO_ERRORS:
            return  # not heard, or the radio is in trouble: the next try to connect tells

    async def _serve(self, link: _Link, *, until_ready: bool = False) -> None:
        """Perform what the protocol asks for, one operation after the other, until the link has ended."""
        loop = asyncio.get_running_loop()
        while link.ended is None and not (until_ready and link.ready):
            if link.waiting:
                await self._perform(link, link.waiting.popleft(), in_turn=True)
            else:
                link.wakeup = loop.create_future()
                try:
                    await link.wakeup
                finally:
                    link.wakeup = None

    # --- operations -------------------------------------------------------------------------------------------------

    async def _perform(self, link: _Link, operation: Subscribe | Read | Write, *, in_turn: bool) -> None:
        """Perform one operation; its failure goes to the protocol. ``in_turn`` ends early when the link ends."""
        client = link.client
        characteristic = link.characteristics.get(operation.characteristic)
        if client is None or link.ended is not None:
            return
        if characteristic is None:
            self._failed(link, operation, f"the device has no characteristic {operation.characteristic}")
            return
        value: bytearray | None = None
        try:
            async with asyncio.timeout(OPERATION_LIMIT_S) as scope:
                if in_turn:
                    link.scope = scope
                match operation:
                    case Write():
                        if client.is_connected:
                            self.writes += 1
                        await client.write_gatt_char(characteristic, operation.data, operation.with_response)
                    case Read():
                        value = await client.read_gatt_char(characteristic)
                    case Subscribe():
                        await client.start_notify(characteristic, partial(self._notified, link, operation))
        except RADIO_ERRORS as error:
            self._failed(link, operation, describe(error))
            return
        finally:
            if in_turn:
                link.scope = None
        self._done(link, operation)
        if value is not None:
            self._received(link, operation.characteristic, bytes(value))

    def _done(self, link: _Link, operation: Operation) -> None:
        if link.ended is not None:
            return
        try:
            self._react(link, link.protocol.operation_done(operation, self._now()))
        except Exception as error:  # noqa: BLE001 - surfaces through on_defect, after the output was stopped
            self._defect(error)

    def _failed(self, link: _Link, operation: Operation, reason: str) -> None:
        if link.ended is not None:
            return
        try:
            self._react(link, link.protocol.operation_failed(operation, reason, self._now()))
        except Exception as error:  # noqa: BLE001 - surfaces through on_defect, after the output was stopped
            self._defect(error)

    def _notified(
        self, link: _Link, operation: Subscribe, _characteristic: BleakGATTCharacteristic, data: bytearray
    ) -> None:
        self.notifications += 1
        self._received(link, operation.characteristic, bytes(data))

    def _received(self, link: _Link, characteristic: str, data: bytes) -> None:
        if link.ended is not None:
            return
        try:
            self._react(link, link.protocol.data_received(characteristic, data, self._now()))
        except Exception as error:  # noqa: BLE001 - surfaces through on_defect, after the output was stopped
            self._defect(error)

    def _deadline_passed(self, link: _Link) -> None:
        link.timer = None
        link.armed = None
        if link.ended is not None:
            return
        try:
            self._react(link, link.protocol.deadline_passed(self._now()))
        except Exception as error:  # noqa: BLE001 - surfaces through on_defect, after the output was stopped
            self._defect(error)

    # --- reactions --------------------------------------------------------------------------------------------------

    def _react(self, link: _Link, reaction: Reaction) -> None:
        """Perform operations first, then tell events, each in their order, also when a listener asks for more."""
        for operation in reaction.operations:
            self._take(link, operation)
        self._arm(link)
        link.events.extend(reaction.events)
        self._tell_events(link)
        if link.quiet is not None and not link.quiet.done() and not link.protocol.output_possible:
            link.quiet.set_result(None)

    def _take(self, link: _Link, operation: Operation) -> None:
        if link.ended is not None:
            return
        match operation:
            case Disconnect():
                cause = Cause.DROPPED if link.ready else Cause.HANDSHAKE_FAILED
                self._hang_up(Ending(cause, operation.reason), link)
            case Write(urgent=True):
                # What was asked for before the stop and still waits here must never reach the device after it.
                overtaken = [one for one in link.waiting if isinstance(one, Write)]
                link.waiting = deque(one for one in link.waiting if not isinstance(one, Write))
                self._spawn(self._perform(link, operation, in_turn=False))
                for one in overtaken:
                    self._failed(link, one, "overtaken by a stop")
            case _:
                link.waiting.append(operation)
                link.wake()

    def _arm(self, link: _Link) -> None:
        deadline = link.protocol.deadline
        if deadline == link.armed:
            return
        if link.timer is not None:
            link.timer.cancel()
            link.timer = None
        link.armed = deadline
        if deadline is not None and link.ended is None:
            link.timer = asyncio.get_running_loop().call_at(deadline, self._deadline_passed, link)

    def _tell_events(self, link: _Link) -> None:
        if link.telling:
            return  # the loop below, further up the stack, tells them in their turn
        link.telling = True
        try:
            while link.events:
                self._tell_event(link, link.events.popleft())
        finally:
            link.telling = False

    def _tell_event(self, link: _Link, event: Event) -> None:
        match event:
            case Ready():
                if link.ending is not None or link.ready:
                    return
                link.ready = True
                self._links += 1
                self._state = LinkState.READY
                self._firmware = event.firmware
                link.wake()
                self._tell_guard(link)
                self._hear(LinkReady(first=self._links == 1, firmware=event.firmware))
            case HandshakeFailed():
                text = f"{self.name} was reached but gives no sensible answer ({event.reason})"
                self._hang_up(Ending(Cause.HANDSHAKE_FAILED, text), link)
            case _:
                self._hear(DeviceSaid(event))

    def _tell_guard(self, link: _Link) -> None:
        """Say how all output is ended, before anybody can start any."""
        if link.guard is not None:
            link.guard.stops(
                [
                    Stop(link.characteristics[write.characteristic], write.data, write.with_response)
                    for write in link.protocol.stop_writes
                ]
            )

    def _hear(self, news: News) -> None:
        if self.listener is not None:
            self.listener(news)
        elif isinstance(news, DeviceSaid):
            self._unheard.append(news.event)

    # --- the end of a link ------------------------------------------------------------------------------------------

    def _hang_up(self, ending: Ending, link: _Link | None = None) -> None:
        """Begin to end the link, in a task of its own: it waits for no operation under way."""
        link = link or self._link
        if link is None or link.client is None or link.ended is not None or link.ending is not None:
            return
        link.ending = ending
        link.waiting.clear()
        self._state = LinkState.ENDING
        self._spawn(self._hang_up_task(link, link.client, ending))

    async def _hang_up_task(self, link: _Link, client: BleakClient, ending: Ending) -> None:
        why = ""
        down = True
        for _ in range(HANG_UP_TRIES):
            try:
                async with asyncio.timeout(HANG_UP_LIMIT_S):
                    await client.disconnect()
            except RADIO_ERRORS as error:
                why = describe(error)
                if link.ended is None:
                    continue
            break
        else:
            # Nobody knows now whether the device has stopped, and saying nothing would be worse than saying so.
            text = f"{ending.text}; the radio could not end the link ({why}): switch the device off"
            ending = Ending(ending.cause, text)
            down = False
        self._ended(link, ending, down=down)

    def _disconnected(self, link: _Link, _client: BleakClient) -> None:
        """Take bleak's word that the link is gone; it comes for requested ends too, on most platforms."""
        try:
            self._ended(link, link.ending or Ending(Cause.DEVICE_GONE, f"{self.name} is out of reach or switched off"))
        except Exception as error:  # noqa: BLE001 - surfaces through on_defect, after the output was stopped
            self._defect(error)

    def _ended(self, link: _Link, ending: Ending, *, down: bool = True) -> None:
        if link.ended is not None:
            return
        link.ended = ending
        self._release(link, down=down)
        self._ending = ending
        self._state = LinkState.LOST
        link.waiting.clear()
        reaction = link.protocol.link_lost(self._now())
        if link.timer is not None:
            link.timer.cancel()
            link.timer = None
        _expire(link.scope, self._now())
        link.wake()
        for waiter in (link.gone, link.quiet):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        # The end first: what was still unanswered then is no trouble of its own, it went with the link.
        if link.ready:
            self._hear(LinkLost(ending.text))
        link.events.extend(reaction.events)
        self._tell_events(link)

    async def _close(self) -> None:
        link = self._link
        try:
            async with asyncio.timeout_at(self._closing_until) as self._closing_scope:
                if link is not None and link.client is not None and link.ended is None:
                    await self._stop_output(link)
                    self._hang_up(Ending(Cause.REQUESTED, "the link was ended as asked"), link)
                    await link.gone
        except TimeoutError:
            pass  # hurried: what could be sent is sent, and the end of this process ends the link
        finally:
            self._closing_scope = None
        rest = {task for task in (self._owner, *self._tasks) if task is not None and not task.done()}
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest)
        if self._tasks:  # cancelling an owner that was still connecting leaves a hang-up behind
            await asyncio.wait(self._tasks, timeout=HURRIED_LIMIT_S)
        if link is not None:
            self._release(link, down=False)  # what is still up here is the guard's to end
        if self._releases:
            await asyncio.wait(self._releases)
        self._state = LinkState.CLOSED

    async def _stop_output(self, link: _Link) -> None:
        if not link.protocol.output_possible:
            return
        link.quiet = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                self._react(link, link.protocol.command(TotalStop(), self._now()))
                await link.quiet
        except TimeoutError:
            pass  # the end of the link, which follows, ends the output (Dr-05 hazard 5)
        except Exception as error:  # noqa: BLE001 - surfaces through on_defect; the link ends all the same
            self._defect(error)

    def _hurry(self, within_s: float) -> None:
        self._closing_until = min(self._closing_until, self._now() + within_s)
        _expire(self._closing_scope, self._closing_until)

    # --- small things -----------------------------------------------------------------------------------------------

    def _defect(self, error: BaseException) -> None:
        """Stop the output and end the link, then let the defect surface; once is enough."""
        self.stop_and_drop("the app made a mistake and let go of the device")
        if self._defect_seen:
            return
        self._defect_seen = True
        if self.on_defect is not None:
            self.on_defect(error)
        else:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"defect while connected to {self.name}", "exception": error}
            )

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._defect(error)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
