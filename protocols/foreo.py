"""FOREO's BEAR, LUNA, UFO, FOFO and KIWI devices, as far as it is publicly known what they say.

Knows pulsation, battery and the raw skin reading (sources: https://docs.buttplug.io device catalogue and its issue 16,
and the device configuration of https://github.com/buttplugio/buttplug, April 2026). Refuses to guess: the microcurrent
level of the BEAR models is not documented, so the person sets it on the device and no byte is ever written for it.

The device answers nothing but ATT: a write with response is acknowledged by its response, which the driver reports by
``operation_done``. A stop is a level of 0. What a device does when its link ends is not documented, so a lost link does
not make ``output_possible`` False; each new link begins with a stop instead.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from protocols import model
from protocols.gatt import Characteristic, Disconnect, Operation, Property, Read, Service, Subscribe, Write, uuid
from protocols.listening import Listener
from protocols.machine import NOTHING, DeviceProtocol, Extent, LocalProtocolError, Reaction, UnsupportedDeviceError
from protocols.model import Command, Event, Refusal
from protocols.ramp import Ramp
from protocols.registry import ProtocolEntry

NAMES = (
    *("BEAR", "BEAR_MINI", "BEAR MINI", "BEAR mini", "BEAR2", "BEAR 2", "BEAR2go", "BEAR2body", "BEAR2eyes"),
    *("LUNA 3", "LUNA3", "LUNA3PLUS", "LUNA 3 PLUS", "LUNA 3 plus", "LUNA 3 MEN", "LUNA MINI3", "LUNA MINI 3"),
    *("LUNA 4", "LUNA4", "LUNA4PLUS", "LUNA 4 plus", "LUNA4MEN", "LUNA MINI4", "LUNA 4 mini"),
    *("LUNA PLAY SMART", "LUNA PLAYSMART2", "LUNA play smart 2", "FOFO", "LUNA FOFO"),
    *("UFO", "UFO mini", "UFO2", "UFO 2", "UFO3", "UFO3go", "UFO3mini", "UFO3led", "KIWI", "KIWI derma"),
)
"""Every advertised name, case as listed."""

SERVICE = uuid("fff0")
PULSATION = uuid("fff1")
BATTERY = uuid("0a00")
SKIN = uuid("0a05")

REPLY_S = 2.0
"""How long a write may wait for its response before it is given up. ATT itself would wait 30 s."""
SKIN_S = 5.0
"""How long a skin reading may take. Not published; long enough for a person to put the sensor down."""
STOP_REPLY_S = 0.3
STOP_TRIES = 3
DISCONNECT_AGAIN_S = 1.0

_PULSE = 0x01
_MEASURE = b"\xef"
_GIVES = Property.NOTIFY | Property.INDICATE
_DUE_TOLERANCE_S = 1e-9  # asyncio fires a timer up to its clock's resolution early


def profile_for(name: str) -> model.DeviceProfile:
    """Return the profile of the model that advertises ``name``.

    Raises:
        UnsupportedDeviceError: the name is not in :data:`NAMES`.
    """
    if name not in NAMES:
        raise UnsupportedDeviceError(f"{name!r} is not the name of a FOREO device known here")
    hand_set = ""
    if name.startswith("BEAR"):
        hand_set = "The microcurrent level is set on the device by hand; only its pulsation is driven from here."
    return model.DeviceProfile(
        key="foreo",
        name=f"FOREO {name}",
        output=model.OutputKind.PULSATION,
        lowest_percent=10,
        step_percent=10,
        max_percent=100,
        ramp_percent_per_s=10.0,
        reports=frozenset({model.Report.BATTERY, model.Report.SKIN}),
        hand_set=hand_set,
    )


def _motor(name: str) -> int:
    """Return the motor byte, by the rule of the catalogue."""
    folded = name.lower()
    if "smart" in folded and "2" in folded:
        return 3
    return 1 if "fofo" in folded or "ufo" in folded else 0


@dataclass(slots=True)
class _Request:
    """One accepted command on its way. ``operation`` is what was handed to the radio for it."""

    command: Command
    operation: Operation
    wait_s: float
    since: float = 0.0
    deadline: float = 0.0


@dataclass(slots=True)
class _Stopping:
    """A stop whose write has had no response yet. ``asked`` are the commands it acknowledges (none: our own)."""

    command: Command
    asked: list[Command]
    since: float
    deadline: float
    attempt: int = 1


@dataclass(slots=True)
class _Answer:
    operations: list[Operation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def reaction(self) -> Reaction:
        return Reaction(tuple(self.operations), tuple(self.events))


class Foreo(DeviceProtocol):
    """One link to one FOREO device; ``name`` is the advertised name. See the module, and :class:`DeviceProtocol`.

    Raises:
        UnsupportedDeviceError: the name is not in :data:`NAMES`.
    """

    def __init__(self, name: str) -> None:
        self._profile = profile_for(name)
        self._motor = _motor(name)
        self._battery: Characteristic | None = None
        self._skin: Characteristic | None = None
        self._started = False
        self._ready = False
        self._spent = False
        self._dropping: str | None = None
        self._drop_deadline: float | None = None
        self._output_possible = False
        self._ramp = Ramp(self._profile)
        self._unsettled: list[Write] = []  # pulsation writes other than stops, handed over and not reported about
        self._in_flight: _Request | None = None
        self._queue: deque[_Request] = deque()
        self._stopping: _Stopping | None = None

    @property
    def profile(self) -> model.DeviceProfile:
        """The model's; after :meth:`start` without the reports whose characteristics this unit does not have."""
        return self._profile

    @property
    def output_possible(self) -> bool:
        """False before :meth:`start` and after an acknowledged stop alone; a lost link proves nothing here."""
        return self._output_possible

    @property
    def deadline(self) -> float | None:
        """The earlier of what the stop and the request in flight wait for."""
        if self._spent:
            return None
        if self._dropping is not None:
            return self._drop_deadline
        waits = [wait.deadline for wait in (self._stopping, self._in_flight) if wait is not None]
        return min(waits, default=None)

    @property
    def stop_writes(self) -> tuple[Write, ...]:
        """Pulsation at level 0."""
        return (self._pulse(0, urgent=True),) if self._started else ()

    @property
    def state(self) -> str:
        """One of the states in :data:`EXTENT`, by what is most urgent."""
        if self._spent:
            return "lost"
        if self._dropping is not None:
            return "ending"
        if self._stopping is not None:
            return "stopping"
        if not self._ready:
            return "new"
        return "running" if self._output_possible else "ready"

    def start(self, services: Sequence[Service], now: float) -> Reaction:
        """Look at what this unit has, stop its pulsation, then tell ``Ready``.

        Raises:
            UnsupportedDeviceError: service FFF0 with a writable FFF1 is not there.
        """
        service = next((s for s in services if s.uuid == SERVICE), None)
        pulsation = service.find(PULSATION) if service else None
        if pulsation is None or Property.WRITE not in pulsation.properties:
            found = ", ".join(s.uuid for s in services) or "none"
            raise UnsupportedDeviceError(f"no service FFF0 with a writable FFF1; services found: {found}")
        self._battery = _find(services, BATTERY, Property.READ | _GIVES)
        self._skin = _find(services, SKIN, Property.READ | _GIVES)
        if self._skin is not None and not self._skin.properties & (Property.WRITE | Property.WRITE_WITHOUT_RESPONSE):
            self._skin = None
        absent = {model.Report.BATTERY} if self._battery is None else set[model.Report]()
        if self._skin is None:
            absent.add(model.Report.SKIN)
        self._profile = dataclasses.replace(self._profile, reports=self._profile.reports - absent)
        self._started = True
        self._output_possible = True
        answer = _Answer()
        self._begin_stop(model.TotalStop(), now, answer, own=True)
        answer.operations += [
            Subscribe(c.uuid) for c in (self._battery, self._skin) if c is not None and c.properties & _GIVES
        ]
        if self._battery is not None and Property.READ in self._battery.properties:
            answer.operations.append(Read(BATTERY))
        return answer.reaction()

    # --- commands ----------------------------------------------------------------------------------------------------

    def command(self, command: Command, now: float) -> Reaction:
        """Accept a command, or refuse it by LocalProtocolError. See :class:`DeviceProtocol`."""
        answer = _Answer()
        if isinstance(command, model.TotalStop | model.StopOutput):
            self._stop_asked(command, now, answer)
            return answer.reaction()
        if self._spent or self._dropping is not None:
            raise LocalProtocolError("the link has ended")
        if not self._ready:
            raise LocalProtocolError("the device has not confirmed yet that it stands still")
        if self._stopping is not None:
            raise LocalProtocolError("a stop is not acknowledged yet; nothing else is sent before that")
        self._check(command, now)
        match command:
            case model.SetIntensity(percent) if not self._output_possible:
                # The device has no level apart from its motion: the level is kept here until the start.
                self._ramp.level_acknowledged(percent, now)
                answer.events.append(model.Acknowledged(command, 0.0))
            case model.SetIntensity(percent):
                self._ramp.asked(percent)
                self._queue.append(_Request(command, self._pulse(percent), REPLY_S))
            case model.StartOutput():
                self._output_possible = True
                self._ramp.start_asked()
                self._queue.append(_Request(command, self._pulse(self._profile.lowest_percent), REPLY_S))
            case model.QueryBattery():
                self._queue.append(_Request(command, Read(BATTERY), REPLY_S))
            case model.MeasureSkin() if self._skin is not None:
                response = Property.WRITE in self._skin.properties
                self._queue.append(_Request(command, Write(SKIN, _MEASURE, response), SKIN_S))
        self._pump(now, answer)
        return answer.reaction()

    def _check(self, command: Command, now: float) -> None:
        """Raise LocalProtocolError for what is forbidden now, or what this device cannot do."""
        match command:
            case model.SetIntensity(percent):
                if percent % self._profile.step_percent:
                    raise LocalProtocolError(
                        f"level {percent} % is between two steps of {self._profile.step_percent} %"
                    )
                self._ramp.check_level(percent, now, running=self._output_possible)
            case model.StartOutput():
                if self._output_possible:
                    raise LocalProtocolError("output is possible already; stop first")
                self._ramp.check_start()
            case model.QueryBattery() if self._battery is not None and Property.READ in self._battery.properties:
                return
            case model.MeasureSkin() if self._skin is not None:
                return
            case _:
                raise LocalProtocolError(f"{type(command).__name__}: not known for this device")

    def _pulse(self, percent: int, *, urgent: bool = False) -> Write:
        level = percent // self._profile.step_percent
        return Write(PULSATION, bytes((_PULSE, self._motor, level)), with_response=True, urgent=urgent)

    def _pump(self, now: float, answer: _Answer) -> None:
        if self._in_flight is None and self._stopping is None and self._queue:
            request = self._in_flight = self._queue.popleft()
            request.since = now
            request.deadline = now + request.wait_s
            if isinstance(request.operation, Write) and request.operation.characteristic == PULSATION:
                self._unsettled.append(request.operation)
            answer.operations.append(request.operation)

    # --- stopping ----------------------------------------------------------------------------------------------------

    def _stop_asked(self, command: Command, now: float, answer: _Answer) -> None:
        if self._spent:
            answer.events.append(model.Rejected(command, Refusal.RADIO))
        elif self._dropping is not None:
            answer.operations.append(Disconnect(self._dropping))
        elif not self._started:
            answer.operations.append(Disconnect("a stop was asked for before the device was known"))
            answer.events.append(model.Rejected(command, Refusal.RADIO))
        elif self._stopping is None:
            self._begin_stop(command, now, answer)
        else:
            if command not in self._stopping.asked:
                self._stopping.asked.append(command)
            self._write_stop(answer)

    def _begin_stop(self, command: Command, now: float, answer: _Answer, *, own: bool = False) -> None:
        superseded = [*([self._in_flight] if self._in_flight else []), *self._queue]
        self._in_flight = None
        self._queue.clear()
        self._ramp.forget()
        self._stopping = _Stopping(command, [] if own else [command], now, now + STOP_REPLY_S)
        self._write_stop(answer)
        answer.events += [model.Rejected(request.command, Refusal.SUPERSEDED) for request in superseded]

    def _write_stop(self, answer: _Answer) -> None:
        answer.operations.append(self._pulse(0, urgent=True))
        if self._unsettled:
            # The urgent stop overtakes a level that still waits for the radio, and that level would then be performed:
            # a second stop goes behind it, and only a stop performed after everything else counts.
            answer.operations.append(self._pulse(0))

    def _repeat_stop(self, stopping: _Stopping, now: float, answer: _Answer, *, failure: str = "") -> None:
        if stopping.attempt < STOP_TRIES:
            stopping.attempt += 1
            stopping.deadline = now + STOP_REPLY_S
            self._write_stop(answer)
            answer.events.append(model.Repeated(stopping.command, stopping.attempt))
            return
        self._dropping = f"the stop could not be written: {failure}" if failure else "the stop was not acknowledged"
        self._drop_deadline = now + DISCONNECT_AGAIN_S
        self._stopping = None
        answer.operations.append(Disconnect(self._dropping))
        answer.events += [model.Unanswered(asked, stopping.attempt) for asked in stopping.asked]
        if not self._ready:
            answer.events.append(model.HandshakeFailed("the device did not confirm that it stands still"))

    # --- time --------------------------------------------------------------------------------------------------------

    def deadline_passed(self, now: float) -> Reaction:
        """Repeat the stop, end the link again, or give the request in flight up."""
        answer = _Answer()
        if self._spent or self.deadline is None or now < self.deadline - _DUE_TOLERANCE_S:
            return NOTHING
        if self._dropping is not None:
            self._drop_deadline = now + DISCONNECT_AGAIN_S
            answer.operations.append(Disconnect(self._dropping))
        elif self._stopping is not None:
            self._repeat_stop(self._stopping, now, answer)
        elif self._in_flight is not None:
            answer.events.append(model.Unanswered(self._in_flight.command, 1))
            self._give_up(self._in_flight, now, answer)
        return answer.reaction()

    def _give_up(self, request: _Request, now: float, answer: _Answer) -> None:
        if isinstance(request.command, model.SetIntensity):
            self._ramp.level_given_up(request.command.percent)
        self._in_flight = None
        self._pump(now, answer)

    # --- what the radio says -----------------------------------------------------------------------------------------

    def operation_done(self, operation: Operation, now: float) -> Reaction:
        """Take the response of a write: the only acknowledgement that this device gives."""
        answer = _Answer()
        if isinstance(operation, Disconnect):
            self._drop_deadline = None
        if self._spent or self._dropping is not None or not isinstance(operation, Write):
            return NOTHING
        if operation in self._unsettled:
            self._unsettled.remove(operation)
        stopping, request = self._stopping, self._in_flight
        if operation.characteristic == PULSATION and not operation.data[-1] and stopping is not None:
            if not self._unsettled:
                self._stop_done(stopping, now, answer)
        elif request is not None and operation == request.operation:
            self._request_done(request, now, answer)
        return answer.reaction()

    def _stop_done(self, stopping: _Stopping, now: float, answer: _Answer) -> None:
        self._stopping = None
        self._output_possible = False
        answer.events += [model.Acknowledged(asked, now - stopping.since) for asked in stopping.asked]
        if not self._ready:
            self._ready = True
            answer.events.append(model.Ready())

    def _request_done(self, request: _Request, now: float, answer: _Answer) -> None:
        match request.command:
            case model.MeasureSkin():
                if self._skin is not None and not self._skin.properties & _GIVES:
                    answer.operations.append(Read(SKIN))
                return  # acknowledged by the reading
            case model.SetIntensity(percent):
                self._ramp.level_acknowledged(percent, now)
            case model.StartOutput():
                self._ramp.start_acknowledged(now)
        self._acknowledge(request, now, answer)

    def _acknowledge(self, request: _Request, now: float, answer: _Answer) -> None:
        self._in_flight = None
        answer.events.append(model.Acknowledged(request.command, now - request.since))
        self._pump(now, answer)

    def operation_failed(self, operation: Operation, reason: str, now: float) -> Reaction:
        """Repeat a stop at once, give a request up; what only informs is missed without harm."""
        answer = _Answer()
        if self._spent:
            return NOTHING
        if isinstance(operation, Disconnect):
            if self._dropping is not None:
                self._drop_deadline = now + STOP_REPLY_S
            return NOTHING
        if isinstance(operation, Write) and operation in self._unsettled:
            self._unsettled.remove(operation)
        stopping, request = self._stopping, self._in_flight
        if stopping is not None and isinstance(operation, Write) and operation.urgent:
            self._repeat_stop(stopping, now, answer, failure=reason)
        elif request is not None and operation in {request.operation, *_follow_up(request)}:
            answer.events.append(model.Rejected(request.command, Refusal.RADIO))
            self._give_up(request, now, answer)
        return answer.reaction()

    def data_received(self, characteristic: str, data: bytes, now: float) -> Reaction:
        """Take a battery level or a skin reading. Never raises."""
        if self._spent:
            return NOTHING
        answer = _Answer()
        request = self._in_flight
        if characteristic == BATTERY and len(data) == 1 and data[0] <= 100:
            answer.events.append(model.Battery(data[0]))
            if request is not None and isinstance(request.command, model.QueryBattery):
                self._acknowledge(request, now, answer)
        elif characteristic == SKIN and len(data) == 2:
            # Their meaning, and so their byte order, is not known: one number, most significant byte first, called raw.
            answer.events.append(model.SkinReading(int.from_bytes(data, "big")))
            if request is not None and isinstance(request.command, model.MeasureSkin):
                self._acknowledge(request, now, answer)
        else:
            answer.events.append(model.Unrecognised(characteristic, data, "not a value known of this device"))
        return answer.reaction()

    def link_lost(self, now: float) -> Reaction:  # noqa: ARG002 - the contract gives the time
        """Spent from here on. The output may go on: see the module."""
        if self._spent:
            return NOTHING
        unanswered: list[Command] = [self._in_flight.command] if self._in_flight else []
        unanswered += [request.command for request in self._queue]
        if self._stopping is not None:
            unanswered += self._stopping.asked
        self._spent = True
        self._ready = False
        self._in_flight = self._stopping = None
        self._queue.clear()
        self._ramp.forget()
        return Reaction((), tuple(model.Rejected(command, Refusal.RADIO) for command in unanswered))


EXTENT = Extent(
    # new: no link yet; stopping: a stop is not acknowledged; ready: it stands still; running: it may move; ending: the
    # link is being ended; lost. Every link begins with a stop.
    states=("new", "stopping", "ready", "running", "ending", "lost"),
    transitions=(
        ("new", "stopping"),
        ("new", "lost"),
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
        model.QueryBattery,
        model.MeasureSkin,
    ),
    events=(
        model.Ready,
        model.HandshakeFailed,
        model.Acknowledged,
        model.Rejected,
        model.Repeated,
        model.Unanswered,
        model.Battery,
        model.SkinReading,
        model.Unrecognised,
    ),
)
"""All that the machine can go through; the tests hold it against simulated sessions."""


def _follow_up(request: _Request) -> tuple[Operation, ...]:
    """Return what a request may ask of the radio after its first operation."""
    return (Read(SKIN),) if isinstance(request.command, model.MeasureSkin) else ()


def _find(services: Sequence[Service], characteristic: str, properties: Property) -> Characteristic | None:
    """Return the characteristic, in whichever service it is, if it has any of ``properties``."""
    for service in services:
        found = service.find(characteristic)
        if found is not None and found.properties & properties:
            return found
    return None


def _matches(name: str | None, service_uuids: Sequence[str]) -> int:  # noqa: ARG001 - FFF0 is everybody's
    return 100 if name in NAMES else 0


def _listen(name: str | None) -> Listener:  # noqa: ARG001 - levels, battery and skin are alike on every model
    from protocols.foreo_listening import ForeoListener  # noqa: PLC0415 - for recordings alone

    return ForeoListener()


def _fits(services: Sequence[Service]) -> bool:
    # FFF0 is everybody's; a battery or a skin sensor at 16-bit UUIDs that nobody else uses is not.
    service = next((s for s in services if s.uuid == SERVICE), None)
    known = {c.uuid for s in services for c in s.characteristics}
    return service is not None and service.find(PULSATION) is not None and bool(known & {BATTERY, SKIN})


ENTRY = ProtocolEntry(
    key="foreo",
    title="FOREO BEAR, LUNA, UFO, FOFO and KIWI",
    profile=profile_for("BEAR2"),
    create=Foreo,
    matches=_matches,
    listen=_listen,
    fits=_fits,
    extent=EXTENT,
)
