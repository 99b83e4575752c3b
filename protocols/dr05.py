"""The Dr-05 (older: Dr-04), a handheld with microcurrent and cooling: 55 AA frames through a BLE-UART module.

Knows what the maker published (https://github.com/young-whites/microcurrent-beauty-device, Apache-2.0: a protocol
document, V2.1, and the firmware) and follows the firmware where the two disagree. Refuses to know radio, clock and
session.

How the output is known
-----------------------
The device reports nothing about its output, so what is known of it is what its echoes prove. `output_possible` moves by
this table and no other way:

===========================================  ===================  =====================================================
what happened                                output_possible      why
===========================================  ===================  =====================================================
link begins                                  True                 it may have been started by hand; the handshake ends
                                                                  with a total stop, so `Ready` means known to be off
StartOutput accepted                         True                 it counts from before its write
StartOutput echoed, refused, unanswered,     True                 none of these is proof of the contrary
superseded, or failed in the radio
start echoed that nobody asked for           True, and a `Fault`  the echo says that the output was started
stop asked for                               unchanged            a stop that was only sent is not a stop
stop echoed, a request that changes          unchanged            the echo is that of an older stop, or this stop
something may reach the device after it                           overtook that request in the radio: wait for the
                                                                  next echo
stop echoed, nothing may come after it       False                everything written before has been handled
stop refused for its checksum                unchanged            written again at once in both byte orders
stop unanswered three times                  unchanged            the link is ended
link lost                                    False                the firmware stops when the module loses its link
===========================================  ===================  =====================================================

While a stop is unanswered no other command is accepted, hence nothing is ever written that could undo it; what had been
accepted and not written is dropped. What had been handed to the radio and may still wait there is overtaken by the
urgent stop, and would then follow it: so the stop is written a second time *behind* it, and only an echo that must come
from that one counts (see :mod:`protocols.ledger`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from protocols import model
from protocols.frames import (
    DEVICE_ID,
    ChecksumOrder,
    Frame,
    FrameDecoder,
    FrameType,
    Garbage,
    State,
    encode,
)
from protocols.gatt import Disconnect, Operation, Service, Subscribe, Write
from protocols.ledger import Entry, Key, Ledger
from protocols.listening import Listener
from protocols.machine import NOTHING, DeviceProtocol, Extent, LocalProtocolError, Reaction, UnsupportedDeviceError
from protocols.model import Command, Event, Refusal
from protocols.ramp import Ramp
from protocols.registry import ProtocolEntry
from protocols.uart import Bridge, find_bridges

PROFILE = model.DeviceProfile(
    key="dr05",
    name="Dr-05",
    output=model.OutputKind.MICROCURRENT,
    lowest_percent=1,
    step_percent=1,
    max_percent=100,
    ramp_percent_per_s=10.0,
    modes=(
        model.Mode(1, "slow: about one wave a second"),
        model.Mode(2, "fast: about two waves a second"),
    ),
    cooling_range_c=(-2, 20),
    # Dr-05 hazard 6: battery, contact and current are not here, because the device reports none of them.
    reports=frozenset({model.Report.TEMPERATURE, model.Report.WATER}),
    pairing=model.Pairing.NONE,
)

SETTLE_S = 0.15
"""How long after the link's start the handshake asks nothing: the firmware throws bytes away until it has seen the
module's state pin up for about 100 ms, and a question lost there would cost the whole of `QUESTION_S`. A stop is not
held back by it."""
QUESTION_S = 1.0
"""How long the handshake waits for an answer in one byte order."""
REPLY_S = 0.5
"""How long a request waits for its echo: 27 ms of UART, and the rest for the radio."""
STOP_REPLY_S = 0.3
TRIES = 3
WATER_SILENCE_S = 3.0
"""Water low is repeated each second while it lasts; the firmware then just falls silent."""
DISCONNECT_AGAIN_S = 1.0

_DUE_TOLERANCE_S = 1e-9  # asyncio fires a timer up to its clock's resolution early

_START: Key = (FrameType.ACTION, 0x03, b"\x01")
_STOP: Key = (FrameType.ACTION, 0x03, b"\x00")
_TOTAL_STOP: Key = (FrameType.ACTION, 0x06, b"")
_START_COOLING: Key = (FrameType.ACTION, 0x01, b"\x01")
_VERSION: Key = (FrameType.GET, 0x40, b"")
_TEMPERATURE: Key = (FrameType.GET, 0x41, b"")
_SET_ENERGY = (FrameType.SET, 0x02)
_SET_MODE = (FrameType.SET, 0x0D)
_WATER = 0x07


@dataclass(slots=True)
class _Request:
    """One accepted command on its way: queued, then in flight until echoed, refused or given up."""

    command: Command
    key: Key
    since: float = 0.0
    attempt: int = 0
    resent: bool = False
    deadline: float = 0.0


@dataclass(slots=True)
class _Stopping:
    """A stop that is not acknowledged yet. ``asked`` are the commands that its echo acknowledges (none: our own)."""

    key: Key
    command: Command
    asked: list[Command]
    since: float
    deadline: float
    attempt: int = 1
    refused: bool = False


@dataclass(slots=True)
class _Handshake:
    """The search for the bridge and the byte order. ``settled``: found, the opening stop is what is waited for.

    ``asks_at`` is when the first question may be asked; until one was (``asked`` is 0) nothing can be an answer.
    """

    asks_at: float
    bridge: int = 0
    order: ChecksumOrder = ChecksumOrder.HIGH_FIRST
    asked: int = 0
    answered: int = 0
    deadline: float | None = None
    settled: bool = False
    firmware: str = ""


@dataclass(slots=True)
class _Answer:
    """A reaction under construction."""

    operations: list[Operation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def reaction(self) -> Reaction:
        return Reaction(tuple(self.operations), tuple(self.events))


class Dr05(DeviceProtocol):
    """One link to one Dr-05. See the module for what its output is taken to be, and :class:`DeviceProtocol`."""

    def __init__(self) -> None:
        self._bridges: tuple[Bridge, ...] = ()
        self._decoders: dict[str, FrameDecoder] = {}
        self._handshake: _Handshake | None = None  # None before the start and once it is over
        self._bridge: Bridge | None = None  # known when the handshake has settled
        self._order = ChecksumOrder.HIGH_FIRST
        self._ready = False
        self._spent = False
        self._dropping: str | None = None  # why the link is being ended
        self._drop_deadline: float | None = None
        self._output_possible = False
        self._ledger = Ledger()
        self._ramp = Ramp(PROFILE)
        self._in_flight: _Request | None = None
        self._queue: deque[_Request] = deque()
        self._stopping: _Stopping | None = None
        self._water_deadline: float | None = None  # not None: the water is low

    # --- what can be asked of the instance ---------------------------------------------------------------------------

    @property
    def profile(self) -> model.DeviceProfile:
        """The same for every unit."""
        return PROFILE

    @property
    def output_possible(self) -> bool:
        """See the table at the head of this module. False before :meth:`start`, where there is no link."""
        return self._output_possible

    @property
    def deadline(self) -> float | None:
        """The earliest of everything that is awaited."""
        if self._spent:
            return None
        if self._dropping is not None:
            return self._drop_deadline
        waits = [decoder.deadline for decoder in self._decoders.values()]
        waits.append(self._water_deadline)
        waits.append(self._handshake.deadline if self._handshake else None)
        waits.append(self._stopping.deadline if self._stopping else None)
        waits.append(self._in_flight.deadline if self._in_flight else None)
        return min((wait for wait in waits if wait is not None), default=None)

    @property
    def state(self) -> str:
        """One of the states in :data:`EXTENT`, by what is most urgent."""
        if self._spent:
            return "lost"
        if self._dropping is not None:
            return "ending"
        if self._stopping is not None:
            return "stopping"
        if self._ready:
            return "running" if self._output_possible else "ready"
        if self._handshake is None:
            return "new"
        return "handshake" if self._handshake.deadline is not None else "no answer"

    @property
    def _link_is_ending(self) -> bool:
        return self._dropping is not None

    @property
    def stop_writes(self) -> tuple[Write, ...]:
        """The total stop, in the byte order that the handshake has found."""
        if self._bridge is None:
            return ()
        type_, func, para = _TOTAL_STOP
        return tuple(self._bridge.writes(encode(type_, State.REQUEST, func, para, order=self._order), urgent=True))

    # --- handshake ---------------------------------------------------------------------------------------------------

    def start(self, services: Sequence[Service], now: float) -> Reaction:
        """Find the UART bridge and the byte order with *get version*, stop everything, then tell ``Ready``.

        Notifications are enabled at once; the first question waits for `SETTLE_S`.

        Raises:
            UnsupportedDeviceError: there is no known UART bridge among ``services``.
        """
        self._bridges = find_bridges(services)
        if not self._bridges:
            found = ", ".join(service.uuid for service in services) or "none"
            raise UnsupportedDeviceError(
                "no UART service of a known kind (FFE0, FFF0, Nordic UART, ISSC transparent UART); "
                f"services found: {found}"
            )
        self._decoders = {bridge.notify: FrameDecoder() for bridge in self._bridges}
        self._handshake = _Handshake(asks_at=now + SETTLE_S)
        self._output_possible = True
        answer = _Answer()
        self._open_bridge(self._handshake, now, answer)
        return answer.reaction()

    def _open_bridge(self, handshake: _Handshake, now: float, answer: _Answer) -> None:
        bridge = self._bridges[handshake.bridge]
        handshake.order = ChecksumOrder.HIGH_FIRST
        handshake.asked = handshake.answered = 0
        earlier = {b.notify for b in self._bridges[: handshake.bridge]}
        if bridge.notify not in earlier:
            answer.operations.append(Subscribe(bridge.notify))
        if _due(handshake.asks_at, now):
            self._ask_version(handshake, now, answer)
        else:
            handshake.deadline = handshake.asks_at

    def _ask_version(self, handshake: _Handshake, now: float, answer: _Answer) -> None:
        """Ask the one question that changes nothing. The order is never learned with any other."""
        handshake.asked += 1
        handshake.deadline = now + QUESTION_S
        self._write(_VERSION, self._bridges[handshake.bridge], handshake.order, handshake.asked, answer)

    def _try_other_order(self, handshake: _Handshake, now: float, answer: _Answer) -> None:
        """No answer, or a refusal, in this order. Once each where nothing was heard, twice each where something was."""
        if handshake.asked >= (4 if handshake.answered else 2):
            self._next_bridge(handshake, now, answer)
            return
        handshake.order = handshake.order.other
        self._ask_version(handshake, now, answer)

    def _next_bridge(self, handshake: _Handshake, now: float, answer: _Answer) -> None:
        if handshake.bridge + 1 < len(self._bridges):
            handshake.bridge += 1
            self._open_bridge(handshake, now, answer)
            return
        handshake.deadline = None
        tried = ", ".join(dict.fromkeys(bridge.service for bridge in self._bridges))
        answer.events.append(
            model.HandshakeFailed(f"the device did not say its version in either byte order (UART service {tried})")
        )

    def _version_in_handshake(self, handshake: _Handshake, frame: Frame, now: float, answer: _Answer) -> None:
        handshake.answered += 1
        if frame.state == State.REFUSED:
            self._try_other_order(handshake, now, answer)
            return
        # With more than one question unanswered, an answer may be a late one to the other order. The device writes its
        # answers in the order that it reads, so the checksum of the answer tells.
        late = handshake.asked > handshake.answered and frame.order is not None
        self._order = frame.order if late and frame.order is not None else handshake.order
        self._bridge = self._bridges[handshake.bridge]
        handshake.settled = True
        handshake.deadline = None
        handshake.firmware = f"{frame.para[0]}.{frame.para[1]}"
        if not self._output_possible:
            self._now_ready(answer)
        elif self._stopping is None:
            self._begin_stop(_TOTAL_STOP, model.TotalStop(), now, answer, own=True)

    def _now_ready(self, answer: _Answer) -> None:
        if self._handshake is not None and self._handshake.settled:
            answer.events.append(model.Ready(self._handshake.firmware))
            self._handshake = None
            self._ready = True

    # --- commands ----------------------------------------------------------------------------------------------------

    def command(self, command: Command, now: float) -> Reaction:
        """Accept a command, or refuse it by LocalProtocolError. See :class:`DeviceProtocol`."""
        answer = _Answer()
        match command:
            case model.TotalStop():
                self._stop_asked(_TOTAL_STOP, command, now, answer)
                return answer.reaction()
            case model.StopOutput():
                self._stop_asked(_STOP, command, now, answer)
                return answer.reaction()
        if self._spent or self._dropping is not None:
            raise LocalProtocolError("the link has ended")
        if not self._ready:
            raise LocalProtocolError("the handshake with the device is not over")
        if self._stopping is not None:
            raise LocalProtocolError("a stop is not acknowledged yet; nothing else is sent before that")
        request = _Request(command, self._key(command, now))
        self._accept(request, answer)
        self._pump(now, answer)
        return answer.reaction()

    def _key(self, command: Command, now: float) -> Key:
        """Return what is written for ``command``, after the interlocks have agreed."""
        match command:
            case model.StartOutput():
                self._check_start()
                return _START
            case model.SetIntensity(percent):
                # Dr-05 hazards 3 and 4.
                self._ramp.check_level(percent, now, running=self._output_possible)
                return (*_SET_ENERGY, bytes((percent,)))
            case model.SelectMode(mode):
                self._check_mode(mode)
                return (*_SET_MODE, bytes((mode,)))
            case model.StartCooling():
                if self._water_deadline is not None:
                    raise LocalProtocolError("the water is low: the device would acknowledge cooling and not start it")
                return _START_COOLING
            case model.StopCooling():
                return (FrameType.ACTION, 0x01, b"\x00")
            case model.SetCoolingTarget(temperature_c):
                low, high = PROFILE.cooling_range_c or (0, 0)
                if not low <= temperature_c <= high:
                    raise LocalProtocolError(f"cooling target {temperature_c} °C is outside {low} to {high} °C")
                return (FrameType.SET, 0x0C, temperature_c.to_bytes(1, "big", signed=True))
            case model.QueryVersion():
                return _VERSION
            case model.QueryTemperature():
                return _TEMPERATURE
            case _:
                raise LocalProtocolError(f"{type(command).__name__}: not reported by this device")

    def _check_start(self) -> None:
        if self._output_possible:
            raise LocalProtocolError("output is possible already; a start is allowed after an acknowledged stop alone")
        if any(request.key[:2] == _SET_MODE for request in self._unanswered()):
            raise LocalProtocolError("the mode asked for last is not acknowledged yet")
        # Dr-05 hazard 1: a start with no level set gives 50 %. Hazard 4: the level of before the stop would come back.
        self._ramp.check_start()

    def _check_mode(self, mode: int) -> None:
        # Dr-05 hazard 2: a mode change while running at 0 % restarts the output at 50 %.
        if self._output_possible:
            raise LocalProtocolError("the mode is changed while stopped alone")
        if mode not in {m.number for m in PROFILE.modes}:
            raise LocalProtocolError(f"mode {mode} does not exist; modes are 1 and 2")

    def _unanswered(self) -> list[_Request]:
        return [*([self._in_flight] if self._in_flight else []), *self._queue]

    def _accept(self, request: _Request, answer: _Answer) -> None:
        match request.command:
            case model.StartOutput():
                self._output_possible = True
                self._ramp.start_asked()
            case model.SetIntensity(percent):
                if self._output_possible and self._ramp.lowers(percent):
                    # Less overtakes what is queued, and takes the place of any level that is.
                    for queued in [r for r in self._queue if isinstance(r.command, model.SetIntensity)]:
                        self._queue.remove(queued)
                        self._withdraw(queued, answer)
                    self._ramp.asked(percent)
                    self._queue.appendleft(request)
                    return
                self._ramp.asked(percent)
        self._queue.append(request)

    def _withdraw(self, request: _Request, answer: _Answer) -> None:
        if isinstance(request.command, model.SetIntensity):
            self._ramp.withdrawn(request.command.percent)
        answer.events.append(model.Rejected(request.command, Refusal.SUPERSEDED))

    def _pump(self, now: float, answer: _Answer) -> None:
        """Send the next request when none is in flight."""
        if self._in_flight is None and self._stopping is None and self._queue:
            self._in_flight = self._queue.popleft()
            self._in_flight.since = now
            self._send(self._in_flight, now, answer)

    def _send(self, request: _Request, now: float, answer: _Answer) -> None:
        request.attempt += 1
        request.deadline = now + REPLY_S
        assert self._bridge is not None  # noqa: S101 - requests exist after the handshake alone
        self._write(request.key, self._bridge, self._order, request.attempt, answer)

    def _write(
        self, key: Key, bridge: Bridge, order: ChecksumOrder, attempt: int, answer: _Answer, *, urgent: bool = False
    ) -> None:
        type_, func, para = key
        for write in bridge.writes(encode(type_, State.REQUEST, func, para, order=order), urgent=urgent):
            self._ledger.wrote(Entry(key, write, attempt, harmless=type_ == FrameType.GET))
            answer.operations.append(write)

    # --- stopping ----------------------------------------------------------------------------------------------------

    def _stop_asked(self, key: Key, command: Command, now: float, answer: _Answer) -> None:
        """Take a stop. Never refused while there is a link: where no frame can be written, the link is ended."""
        if self._spent:
            answer.events.append(model.Rejected(command, Refusal.RADIO))
        elif self._dropping is not None:
            answer.operations.append(Disconnect(self._dropping))
        elif not self._bridges:
            answer.operations.append(Disconnect("a stop was asked for before the device was known"))
            answer.events.append(model.Rejected(command, Refusal.RADIO))
        elif self._stopping is None:
            self._begin_stop(key, command, now, answer)
        else:
            self._join_stop(self._stopping, key, command, now, answer)

    def _begin_stop(self, key: Key, command: Command, now: float, answer: _Answer, *, own: bool = False) -> None:
        superseded = self._unanswered()
        self._in_flight = None
        self._queue.clear()
        self._ramp.forget()
        self._stopping = _Stopping(
            key=key,
            command=command,
            asked=[] if own else [command],
            since=now,
            deadline=now + STOP_REPLY_S,
        )
        self._write_stop(self._stopping, answer)
        answer.events += [model.Rejected(request.command, Refusal.SUPERSEDED) for request in superseded]

    def _join_stop(self, stopping: _Stopping, key: Key, command: Command, now: float, answer: _Answer) -> None:
        """Take a further stop while one is unanswered: written at once, and the link is ended no later for it."""
        if key == _TOTAL_STOP and stopping.key == _STOP:
            answer.events += [model.Rejected(asked, Refusal.SUPERSEDED) for asked in stopping.asked]
            stopping.key, stopping.command, stopping.asked = key, command, []
            stopping.since = now
        if command not in stopping.asked:
            stopping.asked.append(command)
        self._write_stop(stopping, answer)

    def _write_stop(self, stopping: _Stopping, answer: _Answer) -> None:
        bridges = self._bridges if self._bridge is None else (self._bridge,)
        orders: tuple[ChecksumOrder, ...] = (self._order,)
        if stopping.refused:
            orders = (self._order.other, self._order)
        elif self._bridge is None:
            orders = (self._order, self._order.other)
        behind = self._ledger.overtaken
        for urgent in (True, False) if behind else (True,):
            for bridge in bridges:
                for order in orders:
                    self._write(stopping.key, bridge, order, stopping.attempt, answer, urgent=urgent)

    def _repeat_stop(self, stopping: _Stopping, now: float, answer: _Answer, *, failure: str = "") -> None:
        """Write the stop again, or end the link when that was done often enough (Dr-05 hazard 7)."""
        if stopping.attempt >= TRIES:
            self._drop(stopping, failure, now, answer)
            return
        stopping.attempt += 1
        stopping.deadline = now + STOP_REPLY_S
        self._write_stop(stopping, answer)
        answer.events.append(model.Repeated(stopping.command, stopping.attempt))

    def _drop(self, stopping: _Stopping, failure: str, now: float, answer: _Answer) -> None:
        # Dr-05 hazard 5: the end of the link is what stops the output when nothing else does.
        self._dropping = f"the stop could not be written: {failure}" if failure else "the stop was not acknowledged"
        self._drop_deadline = now + DISCONNECT_AGAIN_S
        self._stopping = None
        answer.operations.append(Disconnect(self._dropping))
        answer.events += [model.Unanswered(asked, stopping.attempt) for asked in stopping.asked]
        if self._handshake is not None:
            answer.events.append(model.HandshakeFailed("the device did not confirm that its output is off"))

    def _stop_acknowledged(self, stopping: _Stopping, now: float, answer: _Answer) -> None:
        self._stopping = None
        self._output_possible = False
        self._ramp.forget()
        answer.events += [model.Acknowledged(asked, now - stopping.since) for asked in stopping.asked]
        self._now_ready(answer)

    # --- time --------------------------------------------------------------------------------------------------------

    def deadline_passed(self, now: float) -> Reaction:
        """Do everything that is due."""
        answer = _Answer()
        if self._spent:
            return NOTHING
        if self._dropping is not None:
            if _due(self._drop_deadline, now):
                self._drop_deadline = now + DISCONNECT_AGAIN_S
                answer.operations.append(Disconnect(self._dropping))
            return answer.reaction()
        # The stop first: its bytes go out before anything else that is due.
        if self._stopping is not None and _due(self._stopping.deadline, now):
            self._repeat_stop(self._stopping, now, answer)
            if self._link_is_ending:
                return answer.reaction()
        for characteristic, decoder in self._decoders.items():
            if _due(decoder.deadline, now):
                self._take(characteristic, decoder.expire(now + _DUE_TOLERANCE_S), now, answer)
        if self._handshake is not None and _due(self._handshake.deadline, now):
            if self._handshake.asked:
                self._try_other_order(self._handshake, now, answer)
            else:
                self._ask_version(self._handshake, now, answer)
        if self._in_flight is not None and _due(self._in_flight.deadline, now):
            self._request_unanswered(self._in_flight, now, answer)
        if _due(self._water_deadline, now):
            self._water_back(answer)
        return answer.reaction()

    def _request_unanswered(self, request: _Request, now: float, answer: _Answer) -> None:
        if request.attempt < TRIES:
            self._send(request, now, answer)
            answer.events.append(model.Repeated(request.command, request.attempt))
            return
        answer.events.append(model.Unanswered(request.command, request.attempt))
        self._give_up(request, now, answer)

    def _give_up(self, request: _Request, now: float, answer: _Answer) -> None:
        if isinstance(request.command, model.SetIntensity):
            self._ramp.level_given_up(request.command.percent)
        self._in_flight = None
        self._pump(now, answer)

    # --- what arrives ------------------------------------------------------------------------------------------------

    def data_received(self, characteristic: str, data: bytes, now: float) -> Reaction:
        """Take the next bytes of the serial line, cut anywhere. Never raises."""
        if self._spent or self._dropping is not None:
            return NOTHING
        decoder = self._decoders.get(characteristic)
        if decoder is None:
            return Reaction((), (model.Unrecognised(characteristic, data, "not the characteristic of a UART bridge"),))
        answer = _Answer()
        self._take(characteristic, decoder.feed(data, now), now, answer)
        return answer.reaction()

    def _take(self, characteristic: str, found: list[Frame | Garbage], now: float, answer: _Answer) -> None:
        for item in found:
            if isinstance(item, Garbage):
                answer.events.append(model.Unrecognised(characteristic, item.data, str(item.reason)))
            elif not self._frame(characteristic, item, now, answer):
                answer.events.append(model.Unrecognised(characteristic, item.raw, "a frame that means nothing here"))

    def _frame(self, characteristic: str, frame: Frame, now: float, answer: _Answer) -> bool:
        """Act on one frame; False when it means nothing here.

        Frames are taken in either byte order: what has to be learned is the order that the device *reads*.
        """
        if frame.device_id != DEVICE_ID:
            return False
        if frame.type == FrameType.REPORT:
            return self._report(frame, now, answer)
        key = _reply_key(frame)
        if key is None:
            return False
        handshake = self._handshake
        if (
            handshake is not None
            and not handshake.settled
            and handshake.asked
            and handshake.deadline is not None
            and key == _VERSION
        ):
            if characteristic != self._bridges[handshake.bridge].notify:
                return False
            self._ledger.answered(key)
            self._version_in_handshake(handshake, frame, now, answer)
            return True
        if self._ledger.answered(key) is None:
            return frame.state == State.ACCEPTED and self._unasked(key, answer)
        if frame.state == State.ACCEPTED:
            self._accepted(key, frame, now, answer)
        else:
            self._refused(key, now, answer)
        return True

    def _report(self, frame: Frame, now: float, answer: _Answer) -> bool:
        if frame.func != _WATER or frame.para not in {b"\x00", b"\x01"}:
            return False
        if frame.para == b"\x01":
            if self._water_deadline is not None:
                self._water_back(answer)
            return True
        if self._water_deadline is None:
            answer.events.append(model.WaterLow())
        self._water_deadline = now + WATER_SILENCE_S
        return True

    def _water_back(self, answer: _Answer) -> None:
        self._water_deadline = None
        answer.events.append(model.WaterBack())

    def _unasked(self, key: Key, answer: _Answer) -> bool:
        """An echo that nothing waits for: a fault where it may mean output that nobody asked for."""
        if key == _START:
            self._output_possible = True
            self._ramp.forget()
            answer.events.append(model.Fault("the device started its output and nobody had asked"))
            return True
        if self._output_possible and key[:2] in {_SET_ENERGY, _SET_MODE}:
            self._ramp.forget()
            answer.events.append(model.Fault("the device changed its level or mode and nobody had asked"))
            return True
        return False

    def _accepted(self, key: Key, frame: Frame, now: float, answer: _Answer) -> None:
        stopping, request = self._stopping, self._in_flight
        if stopping is not None and key == stopping.key:
            if not self._ledger.others(key):
                self._stop_acknowledged(stopping, now, answer)
            return
        if request is None or key != request.key or (key[0] != FrameType.GET and self._ledger.others(key)):
            return  # the echo of an older request, or of one that was overtaken by a stop
        self._in_flight = None
        acknowledged: Event = model.Acknowledged(request.command, now - request.since)
        match request.command:
            case model.SetIntensity(percent):
                self._ramp.level_acknowledged(percent, now)
            case model.StartOutput():
                self._ramp.start_acknowledged(now)
            case model.QueryVersion():
                answer.events.append(model.Version(frame.para[0], frame.para[1]))
            case model.QueryTemperature():
                tenths = int.from_bytes(frame.para, "big", signed=True)
                answer.events.append(model.Temperature(tenths / 10))
            case model.StartCooling() if self._water_deadline is not None:
                acknowledged = model.Rejected(request.command, Refusal.DEVICE)  # echoed as accepted, and not started
        answer.events.append(acknowledged)
        self._pump(now, answer)

    def _refused(self, key: Key, now: float, answer: _Answer) -> None:
        """The device saw a wrong checksum: a byte was spoilt on the way, or the order is not the one it reads."""
        stopping, request = self._stopping, self._in_flight
        if stopping is not None and key == stopping.key:
            if self._ledger.waiting(key, stopping.attempt, urgent=False) or stopping.attempt >= TRIES:
                return  # the same attempt in the other order is still unanswered; or the deadline ends the link
            stopping.refused = True
            self._repeat_stop(stopping, now, answer)
            return
        if request is None or key != request.key:
            return
        if not request.resent:
            request.resent = True
            self._send(request, now, answer)
            return
        answer.events.append(model.Rejected(request.command, Refusal.CHECKSUM))
        self._give_up(request, now, answer)

    # --- what the radio says -----------------------------------------------------------------------------------------

    def operation_done(self, operation: Operation, now: float) -> Reaction:
        """Note that nothing later can overtake this write."""
        if isinstance(operation, Disconnect):
            self._drop_deadline = None
        elif isinstance(operation, Write):
            entry = self._ledger.settle(operation)
            handshake = self._handshake
            if entry is not None and entry.key == _VERSION and handshake is not None and handshake.deadline is not None:
                handshake.deadline = now + QUESTION_S  # enabling notifications may have taken long
        return NOTHING

    def operation_failed(self, operation: Operation, reason: str, now: float) -> Reaction:
        """A stop is repeated at once, a bridge passed over, a request given up."""
        answer = _Answer()
        if self._spent:
            return NOTHING
        match operation:
            case Disconnect():
                if self._dropping is not None:
                    self._drop_deadline = now + STOP_REPLY_S
            case Subscribe(characteristic):
                handshake = self._handshake
                if (
                    handshake is not None
                    and handshake.deadline is not None
                    and characteristic == self._bridges[handshake.bridge].notify
                ):
                    self._next_bridge(handshake, now, answer)
            case Write():
                entry = self._ledger.settle(operation, failed=True)
                if entry is not None and self._dropping is None:
                    self._write_failed(entry, reason, now, answer)
        return answer.reaction()

    def _write_failed(self, entry: Entry, reason: str, now: float, answer: _Answer) -> None:
        stopping, request, handshake = self._stopping, self._in_flight, self._handshake
        if stopping is not None and entry.key == stopping.key:
            if entry.attempt == stopping.attempt and not self._ledger.waiting(entry.key, entry.attempt, urgent=True):
                self._repeat_stop(stopping, now, answer, failure=reason)
        elif request is not None and entry.key == request.key and entry.attempt == request.attempt:
            answer.events.append(model.Rejected(request.command, Refusal.RADIO))
            self._give_up(request, now, answer)
        elif handshake is not None and entry.key == _VERSION and handshake.deadline is not None and stopping is None:
            self._next_bridge(handshake, now, answer)  # beside a stop, which may have pushed it out: ask again when due

    def link_lost(self, now: float) -> Reaction:  # noqa: ARG002 - the contract gives the time
        """The firmware stops output and cooling when its module loses the link (Dr-05 hazard 5). Spent from here on."""
        if self._spent:
            return NOTHING
        unanswered: list[Command] = [request.command for request in self._unanswered()]
        if self._stopping is not None:
            unanswered += self._stopping.asked
        self._spent = True
        self._ready = False
        self._output_possible = False
        self._in_flight = self._stopping = self._handshake = None
        self._queue.clear()
        self._ramp.forget()
        return Reaction((), tuple(model.Rejected(command, Refusal.RADIO) for command in unanswered))


EXTENT = Extent(
    # new: no link yet; handshake: asks for the version; no answer: it asked in vain; stopping: a stop is not
    # acknowledged; ready: output known to be off; running: output possible; ending: the link is being ended; lost.
    states=("new", "handshake", "no answer", "stopping", "ready", "running", "ending", "lost"),
    transitions=(
        ("new", "handshake"),
        ("new", "lost"),
        ("handshake", "no answer"),
        ("handshake", "stopping"),
        ("handshake", "ready"),  # where a stop asked for during the handshake was acknowledged before
        ("handshake", "lost"),
        ("no answer", "stopping"),
        ("no answer", "lost"),
        ("stopping", "handshake"),
        ("stopping", "no answer"),
        ("stopping", "ready"),
        ("stopping", "ending"),
        ("stopping", "lost"),
        ("ready", "running"),
        ("ready", "stopping"),
        ("ready", "lost"),
        ("running", "stopping"),
        ("running", "lost"),
        ("ending", "lost"),
    ),
    commands=(
        model.SetIntensity,
        model.StartOutput,
        model.StopOutput,
        model.TotalStop,
        model.SelectMode,
        model.StartCooling,
        model.StopCooling,
        model.SetCoolingTarget,
        model.QueryVersion,
        model.QueryTemperature,
    ),
    events=(
        model.Ready,
        model.HandshakeFailed,
        model.Acknowledged,
        model.Rejected,
        model.Repeated,
        model.Unanswered,
        model.Version,
        model.Temperature,
        model.WaterLow,
        model.WaterBack,
        model.Fault,
        model.Unrecognised,
    ),
)
"""All that the machine can go through; the tests hold it against simulated sessions."""


def _due(deadline: float | None, now: float) -> bool:
    return deadline is not None and now >= deadline - _DUE_TOLERANCE_S


def _reply_key(frame: Frame) -> Key | None:
    """Return the key of the request that ``frame`` can be a reply to, None when it is no well-formed reply."""
    if frame.type not in {FrameType.ACTION, FrameType.SET, FrameType.GET}:
        return None
    if frame.state not in {State.ACCEPTED, State.REFUSED}:
        return None
    if frame.type != FrameType.GET:
        return (frame.type, frame.func, frame.para)
    if frame.state == State.ACCEPTED and len(frame.para) != 2:
        return None
    return (frame.type, frame.func, b"")


def _create(name: str) -> DeviceProtocol:  # noqa: ARG001 - every unit speaks alike, whatever it calls itself
    return Dr05()


def _matches(name: str | None, service_uuids: Sequence[str]) -> int:  # noqa: ARG001 - every UART module offers those
    return 100 if name is not None and name.strip() in {"Dr-05", "Dr-04"} else 0


def _listen(name: str | None) -> Listener:  # noqa: ARG001 - every unit speaks alike, whatever it calls itself
    from protocols.dr05_listening import Dr05Listener  # noqa: PLC0415 - for recordings alone

    return Dr05Listener()


def _fits(services: Sequence[Service]) -> bool:
    return bool(find_bridges(services))


ENTRY = ProtocolEntry(
    key="dr05",
    title="Dr-05 microcurrent and cooling handheld",
    profile=PROFILE,
    create=_create,
    matches=_matches,
    listen=_listen,
    fits=_fits,
    extent=EXTENT,
)
