"""The guard between a replay and a device that a person may wear: no write goes out that its protocol would not make.

Every write is read by the protocol's listener, asked of the protocol's own machine, and let through only where the
machine would write the very same bytes at this moment. Refuses to know transcripts, pacing and what is compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.service import BleakGATTServiceCollection
from bleak.exc import BleakError, BleakGATTProtocolError

from protocols.gatt import Characteristic, Disconnect, Operation, Property, Read, Service, Subscribe, Write
from protocols.listening import Heard, Listener
from protocols.machine import DeviceProtocol, LocalProtocolError, Reaction, TooSoonError, UnsupportedDeviceError
from protocols.model import (
    Acknowledged,
    Command,
    Event,
    Fault,
    HandshakeFailed,
    KeepAlive,
    QueryBattery,
    QueryTemperature,
    QueryVersion,
    Ready,
    Rejected,
    Repeated,
    SetIntensity,
    StartOutput,
    StopOutput,
    TotalStop,
)
from protocols.registry import ProtocolEntry
from rig.guards import StopWrite

HANDSHAKE_LIMIT_S = 10.0
"""From the first operation of the protocol's handshake to its word that the output is known to be off."""
STOP_LIMIT_S = 1.5
"""How long a closing waits for the stop's acknowledgement; the machines end the link themselves before."""
HANG_UP_LIMIT_S = 4.0
"""How long one attempt to end the link may take; BlueZ alone waits 2 s before it terminates a link."""
HANG_UP_TRIES = 2
HELD_LIMIT_S = 2.0
"""How long a write may be held until the protocol has the answer to the one before."""
SOON_S = 0.05
"""A rise that comes too soon by no more than this is held until it is allowed: the clock of a recording and the jitter
of a radio take as much from a wait that was just long enough. What comes sooner is refused."""
OUTPUT_LIMIT_S = 20 * 60.0
"""How long output may go on without a stop, where the maker sets no limit: a replay can be paused and forgotten."""

_RADIO_ERRORS = (BleakError, OSError, EOFError)
_HARMLESS = (QueryVersion, QueryTemperature, QueryBattery)


class RefusedError(Exception):
    """A write was not let through; the device is being stopped.

    ``brief`` is the reason in a few words, ``detail`` a sentence or nothing, ``output_on`` whether the output was
    possible when it was refused, and ``text`` all of that in one line.
    """

    def __init__(self, brief: str, detail: str, *, output_on: bool) -> None:
        state = "output still on" if output_on else "output off"
        more = f": {detail}" if detail else ""
        self.text = f"refused: {brief}; {state}{more}"
        super().__init__(self.text)
        self.brief = brief
        self.detail = detail
        self.output_on = output_on


class GuardError(Exception):
    """The guard cannot watch over this device, so nothing of the recording was written to it."""


@dataclass(slots=True, eq=False)
class _Asked:
    """A write that the recording wants and the machine was asked for."""

    characteristic: str
    data: bytes
    response: bool
    command: Command
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    granted: bool = False


class Guard:
    """Stands in for a bleak client (:class:`rig.replay.app.GattClient`) on one link to one device.

    Its own subscriptions, made in the handshake, last until the link ends, whatever the recording subscribes to: a
    device that is not heard could not acknowledge a stop.

    Args:
        entry: the protocol that the device speaks, as the device's own name and services tell, not the recording's.
        name: the device's advertised name.
        on_trouble: told once, in one sentence, why the replay has to end; the total stop is on its way by then.
        output_limit_s: see :data:`OUTPUT_LIMIT_S`; a shorter limit of the maker's wins.
        soon_s: see :data:`SOON_S`; more of it where the loop's time runs faster than the wall's, whose jitter it is.
        slack: asked for with each write: how many seconds of its recorded wait the device itself has used up, by having
            answered later than recorded. A write is held for that long, too; None: for none.
        written: all that the recorded app wrote: what a protocol draws by chance is then drawn as it was there.

    Raises:
        GuardError: the protocol cannot read recordings, or does not know this model.
    """

    def __init__(
        self,
        entry: ProtocolEntry,
        name: str,
        *,
        on_trouble: Callable[[str], None],
        output_limit_s: float = OUTPUT_LIMIT_S,
        soon_s: float = SOON_S,
        slack: Callable[[], float] | None = None,
        written: Sequence[bytes] = (),
    ) -> None:
        if entry.listen is None:
            raise GuardError(f"the protocol {entry.key!r} cannot read recordings: nothing could judge what they write")
        try:
            self._protocol: DeviceProtocol = (
                entry.create(name) if entry.recreate is None else entry.recreate(name, written)
            )
        except UnsupportedDeviceError as error:
            raise GuardError(str(error)) from error
        self._listener: Listener = entry.listen(name or None)
        self._recorded = entry.recorded
        self._on_trouble = on_trouble
        self._soon_s = soon_s
        self._slack = slack
        makers = self._protocol.profile.max_session_s
        self._output_limit_s = output_limit_s if makers is None else min(makers, output_limit_s)
        self._client: BleakClient | None = None
        self._characteristics: dict[str, BleakGATTCharacteristic] = {}
        self._callbacks: dict[int, Callable[[BleakGATTCharacteristic, bytearray], None]] = {}
        self._listening: set[int] = set()  # handles that the link is subscribed to
        self._asked: list[_Asked] = []
        self._reads: list[str] = []  # what the machine wants read and the recording may read
        self._tasks: set[asyncio.Task[None]] = set()
        self._greeting: set[tuple[str, bytes]] = set()  # what the machine itself wrote in its handshake, stops aside
        self._said: dict[int, bytes] = {}
        self._line = asyncio.Lock()
        self._hanging_up = asyncio.Lock()
        self._stops = 0  # how often a stop was asked for: what was granted before an older one is void
        self._timer: asyncio.TimerHandle | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._ready: asyncio.Future[None] | None = None
        self._is_ready = False
        self._ended = False
        self._stopping = False
        self._stop_acknowledged = False
        self._troubled = False
        self._broken = False
        self.wrote_at: float | None = None
        """When the recording's last write was handed to the radio, in seconds of the loop's clock: it may be held."""
        self._news = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None

    # ---- what one may ask and do --------------------------------------------------------------------------------

    @property
    def output_possible(self) -> bool:
        """True unless the device is known to be without output."""
        return self._protocol.output_possible

    @property
    def stopping(self) -> bool:
        """True once nothing is let through any more."""
        return self._stopping

    @property
    def link_is_down(self) -> bool:
        """True once the link has ended, or before there was one."""
        return self._ended or self._client is None or not self._client.is_connected

    @property
    def stop_writes(self) -> tuple[StopWrite, ...]:
        """The writes that end all output, for a guard outside this process; known once :meth:`open` has returned."""
        return tuple(
            StopWrite(self._characteristics[write.characteristic], write.data, write.with_response)
            for write in self._protocol.stop_writes
        )

    def said_before(self, there: BleakGATTCharacteristic) -> bytes | None:
        """What the device pushed there last before the recording listened; None: nothing yet."""
        return self._said.get(there.handle)

    async def open(self, client: BleakClient) -> None:
        """Let the protocol greet the device and stop its output, on a link that is up.

        Raises:
            GuardError: the device is not one of this protocol, or its output is not known to be off in time.
        """
        self._client = client
        for service in client.services.services.values():
            for characteristic in sorted(service.characteristics, key=lambda c: c.handle):
                self._characteristics.setdefault(characteristic.uuid, characteristic)
        self._ready = asyncio.get_running_loop().create_future()
        try:
            self._react(self._protocol.start(_services_of(client.services), self._now()))
            async with asyncio.timeout(HANDSHAKE_LIMIT_S):
                await asyncio.shield(self._ready)
                while self._tasks:
                    await asyncio.wait(set(self._tasks))
        except UnsupportedDeviceError as error:
            raise GuardError(str(error)) from error
        except TimeoutError:
            raise GuardError(
                f"the device did not confirm within {HANDSHAKE_LIMIT_S:.0f} s that its output is off"
            ) from None

    def link_ended(self, _client: object = None) -> None:
        """Take word that the link is down; to be given to bleak as ``disconnected_callback``."""
        if self._ended:
            return
        self._ended = True
        self._fail_handshake("the link ended during the handshake")
        self._tell(self._protocol.link_lost, self._now())
        self._void_asked("the link has ended")
        self._news.set()

    def give_up(self, why: str) -> None:
        """Stop the device and end the replay, for a reason that lies outside this link."""
        self._fail_handshake(why)
        self._trouble(why)

    async def close(self) -> None:
        """Stop everything, wait for the acknowledgement, end the link. Never raises for the radio; may be called again.

        Cancelled, it goes on all the same: only the waiting for it ends.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    # ---- as a client ------------------------------------------------------------------------------------------------

    @property
    def services(self) -> BleakGATTServiceCollection:
        """What was discovered."""
        return self._connected().services

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""
        return not self.link_is_down

    async def read_gatt_char(self, char_specifier: BleakGATTCharacteristic) -> bytearray:
        """Read a characteristic. Only where the protocol waits for the value does it learn of it."""
        value = await self._connected().read_gatt_char(char_specifier)
        uuid = char_specifier.uuid
        # A serial line's characteristic, read, may give an old acknowledgement once more: that must not count.
        if uuid in self._reads:
            self._reads.remove(uuid)
            self._tell(self._protocol.operation_done, Read(uuid), self._now())
            self._tell(self._protocol.data_received, uuid, bytes(value), self._now())
        return value

    async def read_gatt_descriptor(self, desc_specifier: BleakGATTDescriptor) -> bytearray:
        """Read a descriptor."""
        return await self._connected().read_gatt_descriptor(desc_specifier)

    async def write_gatt_descriptor(self, desc_specifier: BleakGATTDescriptor, data: bytes) -> None:  # noqa: ARG002
        """Refuse: no protocol here writes descriptors, subscriptions aside.

        Raises:
            RefusedError: always.
        """
        raise self._refusal("unknown write", f"the protocol never writes the descriptor {desc_specifier.uuid}")

    async def start_notify(
        self, char_specifier: BleakGATTCharacteristic, callback: Callable[[BleakGATTCharacteristic, bytearray], None]
    ) -> None:
        """Tell ``callback`` what the device pushes, from now on."""
        self._callbacks[char_specifier.handle] = callback
        await self._listen(char_specifier)

    async def stop_notify(self, char_specifier: BleakGATTCharacteristic) -> None:
        """Tell the callback no more. The link stays subscribed: see the class."""
        self._callbacks.pop(char_specifier.handle, None)

    async def disconnect(self) -> None:
        """Stop everything, then end the link."""
        await self.close()

    async def write_gatt_char(self, char_specifier: BleakGATTCharacteristic, data: bytes, response: bool) -> None:
        """Write, if the protocol would write the same now; else stop the device.

        Raises:
            RefusedError: the protocol forbids it, or would write something else, or the device is being stopped.
            BleakError: the radio or the device failed.
        """
        command = self._command(char_specifier, data)
        if command is None:
            # A question in a checksum order that the device does not read: answered with a refusal, changes nothing.
            # Or the handshake once more, while there is no output: it leaves the device as the protocol's own did.
            await self._pass(char_specifier, data, response=response)
            return
        asked = _Asked(char_specifier.uuid, data, response, command)
        self._asked.append(asked)
        try:
            await self._ask_when_due(asked)
            async with asyncio.timeout(HELD_LIMIT_S):
                await asyncio.shield(asked.done)
        except TimeoutError:
            if asked.done.done():
                raise  # the radio's
            what = "the write was not performed" if asked.granted else "the answer to the write before never came"
            raise self._refusal("out of turn", f"{what} within {HELD_LIMIT_S:g} s") from None
        finally:
            if asked in self._asked:
                self._asked.remove(asked)
            if asked.done.done() and not asked.done.cancelled():
                asked.done.exception()  # seen, also where the player was cancelled meanwhile

    # ---- judging ----------------------------------------------------------------------------------------------------

    def _command(self, there: BleakGATTCharacteristic, data: bytes) -> Command | None:
        """What the write asks of the device; None for a question that the device will not even read, or a greeting.

        Raises:
            RefusedError: it is not exactly one whole request that the device reads.
        """
        if self._stopping:
            raise RefusedError("stopping", "nothing is written after the replay's stop", output_on=self.output_possible)
        if not self._is_ready:
            raise self._refusal("too early", "the device's output is not known to be off yet")
        known = self._characteristics.get(there.uuid)
        if known is None or known.handle != there.handle:
            raise self._refusal("unknown write", f"the protocol never writes this characteristic {there.uuid}")
        heard = self._listener.written(there.uuid, data, self._now())
        if not heard and self._recorded.is_keep_alive(there.uuid, data):
            return KeepAlive()
        if not heard and (there.uuid, data) in self._greeting:
            if self._protocol.output_possible:
                raise self._refusal("handshake with output on", f"{data.hex(' ')} belongs before the first start")
            return None
        if not heard:
            detail = f"{data.hex(' ')} on {there.uuid} is no whole request of this protocol; only whole ones are judged"
            raise self._refusal("unknown write", detail)
        if len(heard) > 1 or heard[0].data != data:
            raise self._refusal("more than one request", f"{data.hex(' ')} is more than one whole request in one write")
        return self._only(heard[0])

    def _only(self, heard: Heard) -> Command | None:
        if heard.kind == "refused" and isinstance(heard.what, _HARMLESS):
            return None
        if heard.kind != "command" or not isinstance(heard.what, Command):
            of = f"{heard.data.hex(' ')}: {heard.reason}"
            raise self._refusal(heard.brief or "unknown write", of)
        return heard.what

    async def _ask_when_due(self, asked: _Asked) -> None:
        give_up = self._now() + self._soon_s + (0.0 if self._slack is None else self._slack())
        while True:
            try:
                self._ask(asked)
            except TooSoonError as error:
                if self._now() + error.wait_s > give_up:
                    raise self._refusal(str(error), "") from error
                await asyncio.sleep(error.wait_s)
                if self._stopping:
                    why = "a stop was asked for meanwhile"
                    raise RefusedError("stopping", why, output_on=self.output_possible) from None
            else:
                return

    def _ask(self, asked: _Asked) -> None:
        """Ask the machine; what it answers is let through where it is the write that was asked for.

        Raises:
            RefusedError: it is not, or the machine forbids it.
            TooSoonError: the machine forbids it for now.
        """
        try:
            reaction = self._protocol.command(asked.command, self._now())
            if isinstance(asked.command, SetIntensity) and not reaction.operations:
                kept = any(isinstance(e, Acknowledged) and e.command == asked.command for e in reaction.events)
                if kept:
                    # The protocol keeps the level of a device at rest to itself: on the air a level is then a start.
                    self._react(reaction)
                    asked.command = StartOutput()
                    reaction = self._protocol.command(asked.command, self._now())
        except TooSoonError:
            raise
        except LocalProtocolError as error:
            raise self._refusal(str(error), "") from error
        except Exception as error:  # whatever a plug-in raises
            raise self._refusal("the protocol failed", f"{type(error).__name__}: {error}") from error
        self._react(reaction)
        others = [op for op in reaction.operations if isinstance(op, Write)]
        if any(op.data == asked.data for op in others) and not asked.granted:
            raise self._refusal("written without response", "its response is all that would acknowledge it")
        if others and not asked.granted:
            would = " then ".join(op.data.hex(" ") for op in others)
            raise self._refusal("other bytes", f"the protocol writes {would} here, not {asked.data.hex(' ')}")

    def _grant(self, write: Write) -> _Asked | None:
        """The recording's write that ``write`` is, where there is one that was not let through yet."""
        for asked in self._asked:
            if not asked.granted and (asked.characteristic, asked.data) == (write.characteristic, write.data):
                # Where the response is the acknowledgement, a write without one would be taken for acknowledged.
                if write.with_response and not asked.response:
                    continue
                asked.granted = True
                return asked
        return None

    def _refusal(self, brief: str, detail: str) -> RefusedError:
        """Make the error, and begin to stop the device before anybody handles it."""
        error = RefusedError(brief, detail, output_on=self.output_possible)
        self._stop()
        return error

    def _trouble(self, why: str) -> None:
        if self._troubled or self._stopping or not self._is_ready:
            return
        self._troubled = True
        self._stop()
        self._on_trouble(why)

    # ---- stopping ---------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Let nothing of the recording through from here on, and ask for a total stop."""
        if self._stopping:
            return
        self._stopping = True
        self._void_asked("the device is being stopped")
        if not self.link_is_down:
            self._tell(self._protocol.command, TotalStop(), self._now())

    def _void_asked(self, why: str) -> None:
        for asked in self._asked:
            if not asked.granted and not asked.done.done():
                asked.done.set_exception(RefusedError("stopping", why, output_on=self.output_possible))

    async def _close(self) -> None:
        self._stop()
        limit = asyncio.get_running_loop().time() + STOP_LIMIT_S
        while not (self.link_is_down or self._stop_acknowledged or self._broken):
            self._news.clear()
            try:
                async with asyncio.timeout_at(limit):
                    await self._news.wait()
            except TimeoutError:
                break
        for _ in range(HANG_UP_TRIES):
            if self._client is None or not self._client.is_connected:
                break
            await self._hang_up()
        for timer in (self._timer, self._limit):
            if timer is not None:
                timer.cancel()
        self._timer = self._limit = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None and not self._client.is_connected:
            self.link_ended()

    async def _hang_up(self) -> bool:
        async with self._hanging_up:
            if self.link_is_down:
                return True
            try:
                async with asyncio.timeout(HANG_UP_LIMIT_S):
                    await self._connected().disconnect()
            except _RADIO_ERRORS:
                return False
            return True

    # ---- driving the machine ----------------------------------------------------------------------------------------

    def _react(self, reaction: Reaction) -> None:
        """Perform what the machine asks for: its stops and its handshake, and what the recording asked for too."""
        urgent = {op.data for op in reaction.operations if isinstance(op, Write) and op.urgent}
        if urgent:
            self._stops += 1
        unasked: list[Write] = []
        for operation in reaction.operations:
            match operation:
                case Write():
                    if not (self._is_ready or operation.urgent):
                        self._greeting.add((operation.characteristic, operation.data))
                    asked = self._grant(operation)
                    stop = operation.data in urgent
                    if asked is None and not stop and self._is_ready:
                        unasked.append(operation)
                    else:
                        self._spawn(self._write(operation, asked, stop=stop, stops=self._stops))
                case Subscribe(characteristic):
                    self._spawn(self._subscribe(operation, characteristic))
                case Read(characteristic) if self._is_ready:
                    self._reads.append(characteristic)
                case Read(characteristic):
                    self._spawn(self._read(operation, characteristic))
                case Disconnect(reason):
                    self._spawn(self._drop(operation))
                    self._trouble(f"the protocol ended the link: {reason}")
        for event in reaction.events:
            self._take(event)
        for write in unasked:
            # A repeat of the machine's own: what is repeated, the recording says.
            self._tell(self._protocol.operation_failed, write, "the recording does not write it now", self._now())
        self._arm()

    def _tell(self, method: Callable[..., Reaction], *what: Any) -> None:
        """Tell the machine something. One that fails at that can stop nothing any more: then the link is ended."""
        try:
            reaction = method(*what)
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises
            self._break(error)
        else:
            self._react(reaction)

    def _break(self, error: Exception) -> None:
        if self._broken:
            return
        self._broken = self._stopping = True
        why = f"the protocol failed, so the link is ended: {type(error).__name__}: {error}"
        self._void_asked(why)
        self._fail_handshake(why)
        if not self.link_is_down:
            self._spawn(self._end_link())
        if self._is_ready and not self._troubled:
            self._troubled = True
            self._on_trouble(why)
        self._news.set()

    async def _end_link(self) -> None:
        await self._hang_up()

    def _take(self, event: Event) -> None:
        match event:
            case Ready():
                self._is_ready = True
                if self._ready is not None and not self._ready.done():
                    self._ready.set_result(None)
            case HandshakeFailed(reason):
                self._fail_handshake(reason)
            case Fault(reason):
                self._trouble(reason)
            case Acknowledged(TotalStop()):
                self._stop_acknowledged = self._stopping
            case Repeated(TotalStop() | StopOutput()):
                self._trouble("the device did not acknowledge the stop in time, and it was written again")
            case Rejected(command, reason) if not isinstance(command, TotalStop | StopOutput):
                for asked in self._asked:
                    if asked.command == command and not asked.granted and not asked.done.done():
                        refused = RefusedError("out of turn", str(reason), output_on=self.output_possible)
                        asked.done.set_exception(refused)
        self._news.set()

    def _arm(self) -> None:
        """Set the timers for the machine's deadline and for output that goes on too long."""
        loop = asyncio.get_running_loop()
        deadline = None if self._ended else self._protocol.deadline
        if self._timer is not None and self._timer.when() != deadline:
            self._timer.cancel()
            self._timer = None
        if deadline is not None and self._timer is None:
            self._timer = loop.call_at(deadline, self._deadline_passed, deadline)
        on = self._is_ready and not self._ended and self._protocol.output_possible
        if on and self._limit is None:
            limit = self._output_limit_s
            self._limit = loop.call_later(
                limit, self._trouble, f"the output has been on for {limit:g} s without a stop"
            )
        elif not on and self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _deadline_passed(self, deadline: float) -> None:
        self._timer = None
        self._tell(self._protocol.deadline_passed, max(deadline, self._now()))

    def _notified(self, uuid: str, there: BleakGATTCharacteristic, data: bytearray) -> None:
        value = bytes(data)
        now = self._now()
        self._listener.received(uuid, value, now)
        if uuid in self._characteristics and self._characteristics[uuid].handle == there.handle:
            self._tell(self._protocol.data_received, uuid, value, now)
        callback = self._callbacks.get(there.handle)
        if callback is not None:
            callback(there, data)
        else:
            self._said[there.handle] = value

    # ---- operations -------------------------------------------------------------------------------------------------

    async def _write(self, write: Write, asked: _Asked | None, *, stop: bool, stops: int) -> None:
        """Perform one write. ``stops``: how many had been asked for when it was let through."""
        error: BaseException | None = None
        response = write.with_response if asked is None else asked.response
        try:
            if write.urgent:
                await self._hand_over(write, asked, response=response)
            else:
                async with self._line:
                    if not stop and (stops != self._stops or (self._stopping and self._is_ready)):
                        why = "a stop was asked for meanwhile"
                        error = RefusedError("stopping", why, output_on=self.output_possible)
                    else:
                        await self._hand_over(write, asked, response=response)
        except _RADIO_ERRORS as failure:
            error = failure
        if response:
            self._listener.write_answered(write.characteristic, write.data, str(error or ""), self._now())
        if error is None:
            self._tell(self._protocol.operation_done, write, self._now())
        else:
            self._tell(self._protocol.operation_failed, write, _words(error), self._now())
        if asked is not None and not asked.done.done():
            if error is None:
                asked.done.set_result(None)
            else:
                asked.done.set_exception(error)

    async def _hand_over(self, write: Write, asked: _Asked | None, *, response: bool) -> None:
        if asked is not None:
            self.wrote_at = self._now()
        if not self._is_ready or self._stopping:
            self._listener.written(write.characteristic, write.data, self._now())
        there = self._characteristics[write.characteristic]
        await self._connected().write_gatt_char(there, write.data, response=response)

    async def _pass(self, there: BleakGATTCharacteristic, data: bytes, *, response: bool) -> None:
        async with self._line:
            if self._stopping:
                raise RefusedError("stopping", "a stop was asked for meanwhile", output_on=self.output_possible)
            await self._connected().write_gatt_char(there, data, response=response)

    async def _listen(self, there: BleakGATTCharacteristic) -> None:
        if there.handle in self._listening:
            return
        self._listening.add(there.handle)
        try:
            await self._connected().start_notify(there, partial(self._notified, there.uuid))
        except BaseException:
            self._listening.discard(there.handle)
            raise

    async def _subscribe(self, operation: Subscribe, uuid: str) -> None:
        await self._report(operation, self._listen(self._characteristics[uuid]))

    async def _read(self, operation: Read, uuid: str) -> None:
        async def read() -> None:
            value = bytes(await self._connected().read_gatt_char(self._characteristics[uuid]))
            self._tell(self._protocol.data_received, uuid, value, self._now())

        await self._report(operation, read())

    async def _drop(self, operation: Disconnect) -> None:
        if await self._hang_up():
            self._tell(self._protocol.operation_done, operation, self._now())
        else:
            self._tell(self._protocol.operation_failed, operation, "the link could not be ended", self._now())

    async def _report(self, operation: Operation, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except _RADIO_ERRORS as error:
            self._tell(self._protocol.operation_failed, operation, _words(error), self._now())
        else:
            self._tell(self._protocol.operation_done, operation, self._now())

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _fail_handshake(self, reason: str) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(GuardError(reason))

    def _connected(self) -> BleakClient:
        if self._client is None:
            raise BleakError("Not connected")
        return self._client

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _services_of(services: BleakGATTServiceCollection) -> list[Service]:
    return [
        Service(
            service.uuid,
            tuple(
                Characteristic(c.uuid, Property.from_names(c.properties))
                for c in sorted(service.characteristics, key=lambda c: c.handle)
            ),
        )
        for service in sorted(services.services.values(), key=lambda s: s.handle)
    ]


def _words(error: BaseException) -> str:
    if isinstance(error, BleakGATTProtocolError):
        return f"ATT error 0x{int(error.code):02x}"
    return str(error) or type(error).__name__
