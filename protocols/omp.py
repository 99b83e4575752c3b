"""The host's side of the Open Microcurrent Profile (OMP) 1.0.

Asks for control, stops whatever runs, sets the ramp, and only then says that it is ready. While output is possible it
keeps the device's keep-alive going and holds what is measured against what was commanded (:mod:`protocols.omp_watch`).
Refuses to resume anything by itself, and knows no layout: the bytes are in :mod:`protocols.omp_codec`.

One request is under way at a time; a stop overtakes it. Each request is answered by one indication, in the order in
which the device took them, so an answer to a stop is told from that to an earlier one by counting.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from protocols import model
from protocols.gatt import Disconnect, Operation, Property, Read, Service, Subscribe, Write, uuid
from protocols.listening import Listener
from protocols.machine import NOTHING, DeviceProtocol, Extent, LocalProtocolError, Reaction, UnsupportedDeviceError
from protocols.model import Command, Event, Refusal
from protocols.omp_codec import (
    CONTROL_POINT,
    FEATURES,
    MAJOR,
    SERVICE,
    SESSION_RECORD,
    STATUS,
    TELEMETRY,
    FaultCode,
    Features,
    OmpFormatError,
    Opcode,
    Request,
    Response,
    Result,
    State,
    Status,
    Telemetry,
    Waveform,
    Zone,
)
from protocols.omp_record import SAMPLE_S, Assembly, RecordChunk, SessionRecord
from protocols.omp_recorded import RECORDED
from protocols.omp_watch import Watch
from protocols.ramp import Ramp
from protocols.registry import ProtocolEntry

BATTERY = uuid("2a19")
FIRMWARE = uuid("2a26")

FULL_SCALE_UA = 400
"""100 % is at most this, whatever a device could do: the most of a consumer's facial device (FDA 510(k) K103472)."""
KEEP_ALIVE_MS = 1500
"""How long one keep-alive holds: a host that hangs or is gone has its output ended after it (H4 asks for 2 s)."""
KEEP_ALIVE_EVERY_S = 0.5
REPLY_S = 2.0
"""How long an answer may take before the request is given up."""
STOP_REPLY_S = 0.3
STOP_TRIES = 3
DISCONNECT_AGAIN_S = 1.0
HANDSHAKE_S = 8.0
"""How long subscribing and reading may take before control is asked for."""
DOWNLOAD_IDLE_S = 2.0
"""How long the next piece of a record may take."""
LONGEST_RUN_S = 1200
DEFAULT_FREQUENCY_DHZ = 83

_STALE_S = 5.0  # an answer to a stop that is this late comes no more
_DUE_TOLERANCE_S = 1e-9  # asyncio fires a timer up to its clock's resolution early
_STEP_PERCENT = 5

_REFUSALS = {
    Result.NOT_SUPPORTED: Refusal.UNSUPPORTED,
    Result.INVALID_PARAMETER: Refusal.PARAMETER,
    Result.FAILED: Refusal.DEVICE,
    Result.NOT_PERMITTED: Refusal.CONTROL,
    Result.WRONG_STATE: Refusal.STATE,
    Result.NO_CONTACT: Refusal.NO_CONTACT,
    Result.CHARGING: Refusal.CHARGING,
    Result.TIME_LIMIT: Refusal.TIME_LIMIT,
}
_FAULTS = {
    FaultCode.OVER_CURRENT: "it measured too much current",
    FaultCode.OVER_TEMPERATURE: "it is too warm",
    FaultCode.ELECTRODE_SHORT: "its electrodes touch each other",
    FaultCode.BATTERY_LOW: "its battery is nearly empty",
    FaultCode.INTERNAL: "it found a fault in itself",
}
_HALTS = {
    State.PAUSED: model.HaltReason.UNHEARD,
    State.RAMPING_DOWN: model.HaltReason.UNHEARD,
    State.CHARGING: model.HaltReason.CHARGING,
}
_HELD = (State.PAUSED, State.CONTACT_LOST)

PROFILE = model.DeviceProfile(
    key="omp",
    name="OMP device",
    output=model.OutputKind.MICROCURRENT,
    lowest_percent=_STEP_PERCENT,
    step_percent=_STEP_PERCENT,
    max_percent=100,
    ramp_percent_per_s=10.0,
    full_scale_ua=FULL_SCALE_UA,
    max_session_s=float(LONGEST_RUN_S),
    modes=(
        model.Mode(1, "pulsed direct current"),
        model.Mode(2, "alternating, square"),
        model.Mode(3, "alternating, sine"),
    ),
    reports=frozenset({model.Report.BATTERY, model.Report.CONTACT, model.Report.CURRENT}),
    pairing=model.Pairing.AUTHENTICATED,
)
"""The widest that any OMP device is given; its Features make it narrower."""


def profile_for(features: Features) -> model.DeviceProfile:
    """Return the profile of a device with these features: never wider than :data:`PROFILE`.

    Raises:
        UnsupportedDeviceError: the face is not among its zones, it has no waveform known here, or its limits leave
            nothing to work with.
    """
    full_scale = min(FULL_SCALE_UA, features.max_current_ua)
    if features.major != MAJOR:
        raise UnsupportedDeviceError(f"it speaks version {features.major} of the profile, and this app version {MAJOR}")
    if Zone.FACE not in features.zones:
        raise UnsupportedDeviceError("its maker has not cleared it for the face")
    if not features.waveforms:
        raise UnsupportedDeviceError("it has no waveform that is known here")
    if not (features.current_step_ua and features.max_ramp_ua_per_s and features.max_session_s):
        raise UnsupportedDeviceError("its limits leave no output")
    # Every percent step has to be a step of the device as well, and the lowest one above zero.
    step = math.ceil(100 * features.current_step_ua / full_scale / _STEP_PERCENT) * _STEP_PERCENT if full_scale else 101
    if step > 50:
        raise UnsupportedDeviceError("its steps of current are too coarse for a soft start")
    return dataclasses.replace(
        PROFILE,
        lowest_percent=step,
        step_percent=step,
        ramp_percent_per_s=min(PROFILE.ramp_percent_per_s, 100 * features.max_ramp_ua_per_s / full_scale),
        full_scale_ua=full_scale,
        max_session_s=float(min(LONGEST_RUN_S, features.max_session_s)),
        modes=tuple(mode for mode in PROFILE.modes if Waveform(mode.number - 1) in features.waveforms),
    )


@dataclass(slots=True)
class _Asked:
    """One request on its way, for a command or (None) for the machine itself. ``write`` is None until it has left."""

    request: Request
    command: Command | None
    write: Write | None = None
    since: float = 0.0
    deadline: float = 0.0
    reading: Read | None = None


@dataclass(slots=True)
class _Stopping:
    """A stop that is not known to have worked yet. ``asked`` are the commands it acknowledges (none: our own)."""

    number: int
    command: Command
    asked: list[Command]
    since: float
    deadline: float
    attempt: int = 1


@dataclass(slots=True)
class _StopOut:
    """One stop handed to the radio. ``last``: nothing that was handed over before it can come after it."""

    number: int
    last: bool
    at: float


@dataclass(slots=True)
class _Download:
    """Records on their way. ``whole`` until one of them is spoilt."""

    command: model.DownloadRecords
    since: float
    deadline: float
    records: int
    received: int = 0
    whole: bool = True


@dataclass(slots=True)
class _Answer:
    operations: list[Operation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def reaction(self) -> Reaction:
        return Reaction(tuple(self.operations), tuple(self.events))


class Omp(DeviceProtocol):
    """One link to one OMP device. See the module, and :class:`DeviceProtocol`.

    ``nonce`` goes with *Request Control* and tells this link's answer from a late one; None takes it from the clock.
    """

    def __init__(self, name: str = "OMP", *, nonce: int | None = None) -> None:
        self._profile = dataclasses.replace(PROFILE, name=name)
        self._nonce = nonce
        self._features: Features | None = None
        self._has_battery = False
        self._firmware: str | None = None
        self._started = False
        self._ready = False
        self._spent = False
        self._dropping: str | None = None
        self._drop_deadline: float | None = None
        self._handshake_until: float | None = None
        self._controls = False
        self._output_possible = False
        self._started_at = 0.0
        self._excess_seen = False
        self._running = False  # the device has said so since the last start
        self._device_state: State | None = None
        self._ramp = Ramp(PROFILE)
        self._watch = Watch()
        self._target_ua = 0
        self._mode: Waveform | None = None
        self._queue: deque[_Asked] = deque()
        self._in_flight: _Asked | None = None
        self._unsettled: list[Write] = []  # writes other than stops, handed over and not reported about
        self._keep_alive_at: float | None = None
        self._stopping: _Stopping | None = None
        self._stops_out: deque[_StopOut] = deque()
        self._stop_number = 0
        self._battery_asked: tuple[model.QueryBattery, float] | None = None
        self._assembly = Assembly()
        self._download: _Download | None = None
        self._downloaded_from: int | None = None

    # --- what is known ------------------------------------------------------------------------------------------------

    @property
    def profile(self) -> model.DeviceProfile:
        """The widest before the handshake, then what the device's features leave of it."""
        return self._profile

    @property
    def features(self) -> Features | None:
        """What the device says that it can do, None before it has."""
        return self._features

    @property
    def output_possible(self) -> bool:
        """False before :meth:`start`, after an acknowledged stop, and after a lost link, which ends output (rule 2)."""
        return self._output_possible

    @property
    def deadline(self) -> float | None:
        """The earliest of all that is waited for."""
        if self._spent:
            return None
        if self._dropping is not None:
            return self._drop_deadline
        waits = [
            self._handshake_until,
            self._stopping.deadline if self._stopping else None,
            self._in_flight.deadline if self._in_flight else None,
            self._download.deadline if self._download else None,
            self._battery_asked[1] + REPLY_S if self._battery_asked else None,
        ]
        if self._stopping is None:
            waits += [self._keep_alive_at, self._watch.silent_at]
        return min([wait for wait in waits if wait is not None], default=None)

    @property
    def keep_alive_at(self) -> float | None:
        """When the next one is due; None while a stop is under way, or before there is output to keep up."""
        return self._keep_alive_at if self._stopping is None and self._dropping is None and not self._spent else None

    @property
    def stop_writes(self) -> tuple[Write, ...]:
        """*Stop*, which needs no control (rule 8)."""
        return (Write(CONTROL_POINT, Request(Opcode.STOP).encode(), with_response=True, urgent=True),)

    @property
    def state(self) -> str:
        """One of the states in :data:`EXTENT`, by what is most urgent."""
        if self._spent:
            return "lost"
        if self._dropping is not None:
            return "ending"
        if not self._ready:
            return "learning" if self._started else "new"
        if self._stopping is not None:
            return "stopping"
        if not self._output_possible:
            return "ready"
        return "held" if self._device_state in _HELD else "running"

    # --- the handshake ------------------------------------------------------------------------------------------------

    def start(self, services: Sequence[Service], now: float) -> Reaction:
        """Subscribe, read the features, ask for control, stop, set the ramp; then tell ``Ready``.

        Raises:
            UnsupportedDeviceError: the OMP service or one of its characteristics is not there.
        """
        service = next((s for s in services if s.uuid == SERVICE), None)
        if service is None:
            found = ", ".join(s.uuid for s in services) or "none"
            raise UnsupportedDeviceError(f"no OMP service; services found: {found}")
        needed = {
            FEATURES: Property.READ,
            CONTROL_POINT: Property.WRITE | Property.INDICATE,
            STATUS: Property.READ | Property.NOTIFY,
            TELEMETRY: Property.NOTIFY,
            SESSION_RECORD: Property.NOTIFY,
        }
        for characteristic, properties in needed.items():
            known = service.find(characteristic)
            if known is None or properties not in known.properties:
                raise UnsupportedDeviceError(f"its OMP service has no {characteristic} as the profile has it")
        others = {c.uuid: c.properties for s in services for c in s.characteristics}
        self._has_battery = Property.READ in others.get(BATTERY, Property(0))
        if not self._has_battery:
            self._narrow(dataclasses.replace(self._profile, reports=self._profile.reports - {model.Report.BATTERY}))
        self._started = True
        self._output_possible = True  # until its first stop is answered: somebody may have left it running
        self._handshake_until = now + HANDSHAKE_S
        if self._nonce is None:
            self._nonce = int(now * 1e6) & 0xFFFFFFFF
        answer = _Answer()
        answer.operations += [Subscribe(c) for c in (CONTROL_POINT, STATUS, TELEMETRY, SESSION_RECORD)]
        if self._has_battery and Property.NOTIFY in others[BATTERY]:
            answer.operations.append(Subscribe(BATTERY))
        answer.operations += [Read(FIRMWARE)] if Property.READ in others.get(FIRMWARE, Property(0)) else []
        answer.operations.append(Read(FEATURES))
        return answer.reaction()

    def _narrow(self, profile: model.DeviceProfile) -> None:
        self._profile = profile
        self._ramp = Ramp(profile)

    def _take_features(self, data: bytes, now: float, answer: _Answer) -> None:
        try:
            features = Features.decode(data)
            profile = profile_for(features)
        except (OmpFormatError, UnsupportedDeviceError) as error:
            self._fail_handshake(str(error), now, answer)
            return
        if self._features is not None:
            return
        self._features = features
        self._handshake_until = now + REPLY_S
        self._narrow(
            dataclasses.replace(profile, name=self._profile.name, reports=self._profile.reports, key=self._profile.key)
        )
        self._ask(Request(Opcode.REQUEST_CONTROL, (self._nonce or 0,)), None)
        self._pump(now, answer)

    def _control_answered(self, response: Response, now: float, answer: _Answer) -> None:
        if response.result is Result.NOT_PERMITTED:
            self._fail_handshake("another phone or computer holds the device", now, answer)
        elif response.result is not Result.SUCCESS:
            self._fail_handshake("it does not let this app take control", now, answer)
        elif response.parameters != (self._nonce,):
            self._fail_handshake("it answered a request for control that was not this app's", now, answer)
        else:
            self._controls = True
            self._begin_stop(model.TotalStop(), now, answer, own=True)

    def _set_the_ramp(self, now: float, answer: _Answer) -> None:
        """Ask for the slowest ramp that every rise is allowed, so that a step of ours is a slope of the device's."""
        full_scale = self._profile.full_scale_ua or 0
        ramp = max(1, math.floor(self._profile.ramp_percent_per_s * full_scale / 100 + 1e-9))
        self._watch.ramp(ramp)
        self._ask(Request(Opcode.SET_RAMP, (ramp,)), None)
        self._pump(now, answer)

    def _become_ready(self, answer: _Answer) -> None:
        self._ready = True
        self._handshake_until = None
        answer.events.append(model.Ready(self._firmware))
        if self._has_battery:
            answer.operations.append(Read(BATTERY))

    def _fail_handshake(self, reason: str, now: float, answer: _Answer) -> None:
        self._drop(reason, now, answer)
        answer.events.append(model.HandshakeFailed(reason))

    # --- commands -----------------------------------------------------------------------------------------------------

    def command(self, command: Command, now: float) -> Reaction:
        """Accept a command, or refuse it by LocalProtocolError. See :class:`DeviceProtocol`."""
        answer = _Answer()
        if isinstance(command, model.TotalStop | model.StopOutput):
            self._stop_asked(command, now, answer)
            return answer.reaction()
        if self._spent or self._dropping is not None:
            raise LocalProtocolError("the link has ended")
        if not self._ready:
            raise LocalProtocolError("the device is not known to stand still and to obey this app yet")
        if self._stopping is not None:
            raise LocalProtocolError("a stop is not acknowledged yet; nothing else is sent before that")
        self._accept(command, now, answer)
        self._pump(now, answer)
        return answer.reaction()

    def _accept(self, command: Command, now: float, answer: _Answer) -> None:
        match command:
            case model.SetIntensity(percent):
                self._accept_level(command, percent, now)
            case model.StartOutput():
                self._accept_start(command, now)
            case model.ResumeOutput():
                self._accept_resume(command)
            case model.KeepAlive():
                self._accept_keep_alive(command)
            case model.SelectMode(mode):
                self._accept_mode(command, mode)
            case model.QueryBattery() if self._has_battery:
                if self._battery_asked is not None:
                    raise LocalProtocolError("the battery level is being asked for already")
                self._battery_asked = (command, now)
                answer.operations.append(Read(BATTERY))
            case model.AcknowledgeFault():
                self._ask(Request(Opcode.ACKNOWLEDGE_FAULT), command)
            case _:
                self._accept_records(command)

    def _accept_level(self, command: Command, percent: int, now: float) -> None:
        if percent % self._profile.step_percent:
            raise LocalProtocolError(f"level {percent} % is between two steps of {self._profile.step_percent} %")
        self._ramp.check_level(percent, now, running=self._output_possible)
        self._ramp.asked(percent)
        target = self._ua(percent)
        if self._output_possible:
            self._watch.may_rise_to(target, now)
        self._ask(Request(Opcode.SET_TARGET, (target,)), command)

    def _accept_start(self, command: Command, now: float) -> None:
        if self._output_possible:
            raise LocalProtocolError("output is possible already; stop first")
        self._ramp.check_start()
        self._ramp.start_asked()
        self._output_possible = True
        self._running = False
        self._watch.may_rise_to(self._target_ua, now)
        longest = self._longest_run_s
        # The start itself counts as a keep-alive of 1 s; ours follows its answer.
        self._ask(Request(Opcode.START, (longest,)), command)
        self._ask(Request(Opcode.KEEP_ALIVE, (KEEP_ALIVE_MS,)), None)

    def _accept_resume(self, command: Command) -> None:
        if self._device_state not in _HELD or not self._output_possible:
            raise LocalProtocolError("the device holds no run that could go on")
        self._ramp.check_start()
        self._ramp.start_asked()
        self._running = False
        self._ask(Request(Opcode.RESUME), command)
        self._ask(Request(Opcode.KEEP_ALIVE, (KEEP_ALIVE_MS,)), None)

    def _accept_keep_alive(self, command: Command) -> None:
        if self._keep_alive_at is None:
            raise LocalProtocolError("there is no output to keep up")
        self._queue.appendleft(_Asked(Request(Opcode.KEEP_ALIVE, (KEEP_ALIVE_MS,)), command))

    def _accept_mode(self, command: Command, mode: int) -> None:
        if mode not in {known.number for known in self._profile.modes}:
            raise LocalProtocolError(f"mode {mode}: not known for this device")
        if self._output_possible:
            raise LocalProtocolError("the wave is chosen while the output is off; stop first")
        self._ask(Request(Opcode.SET_WAVEFORM, (mode - 1, DEFAULT_FREQUENCY_DHZ)), command)

    def _accept_records(self, command: Command) -> None:
        waiting = [a.command for a in (self._in_flight, *self._queue) if a is not None]
        loading = self._download is not None or any(isinstance(c, model.DownloadRecords) for c in waiting)
        match command:
            case model.DownloadRecords(first):
                if loading:
                    raise LocalProtocolError("records are being downloaded already")
                self._ask(Request(Opcode.REPORT_RECORDS, (first,)), command)
            case model.AbortDownload():
                if self._download is None:
                    raise LocalProtocolError("no records are being downloaded")
                self._ask(Request(Opcode.ABORT_REPORT), command)
            case model.DeleteRecords(first):
                if loading or self._downloaded_from is None or first < self._downloaded_from:
                    raise LocalProtocolError(f"the records from {first} on were not all downloaded on this link")
                self._ask(Request(Opcode.DELETE_RECORDS, (first,)), command)
            case _:
                raise LocalProtocolError(f"{type(command).__name__}: not known for this device")

    def _ua(self, percent: int) -> int:
        """Return a level in µA: on the device's own steps, rounded down, so never more than was asked."""
        full_scale, step = self._profile.full_scale_ua or 0, self._features.current_step_ua if self._features else 1
        return percent * full_scale // 100 // step * step

    # --- requests -----------------------------------------------------------------------------------------------------

    def _ask(self, request: Request, command: Command | None) -> None:
        self._queue.append(_Asked(request, command))

    def _pump(self, now: float, answer: _Answer) -> None:
        """Hand over the next request, if nothing is under way."""
        if self._in_flight is not None or self._stopping is not None or self._dropping is not None:
            return
        if not self._queue:
            return
        asked = self._in_flight = self._queue.popleft()
        asked.since = now
        asked.deadline = now + (KEEP_ALIVE_EVERY_S if asked.request.opcode is Opcode.KEEP_ALIVE else REPLY_S)
        asked.write = Write(CONTROL_POINT, asked.request.encode(), with_response=True)
        self._unsettled.append(asked.write)
        answer.operations.append(asked.write)
        if asked.request.opcode is Opcode.KEEP_ALIVE:
            self._keep_alive_at = now + KEEP_ALIVE_EVERY_S

    def _keep_alive_due(self, now: float, answer: _Answer) -> None:
        """Say again that the host is alive, before anything that waits."""
        self._keep_alive_at = now + KEEP_ALIVE_EVERY_S
        waiting = [a for a in (self._in_flight, *self._queue) if a is not None]
        if not any(a.request.opcode is Opcode.KEEP_ALIVE for a in waiting):
            self._queue.appendleft(_Asked(Request(Opcode.KEEP_ALIVE, (KEEP_ALIVE_MS,)), None))
        self._pump(now, answer)

    def _answered(self, response: Response, now: float, answer: _Answer) -> None:
        if response.opcode == Opcode.STOP:
            self._stop_answered(response, now, answer)
            return
        asked = self._in_flight
        if asked is None or response.opcode != asked.request.opcode:
            return  # late: its request was given up or overtaken by a stop
        self._in_flight = None
        if asked.write in self._unsettled:
            # The device has taken it, whatever the radio will say of it.
            self._unsettled.remove(asked.write)
        if response.result is Result.SUCCESS:
            self._took(asked, response, now, answer)
        else:
            self._refused(asked, response, now, answer)
        if not self._ready and self._dropping is None:
            self._go_on_with_handshake(asked.request.opcode, response, now, answer)
        self._pump(now, answer)

    def _go_on_with_handshake(self, opcode: Opcode, response: Response, now: float, answer: _Answer) -> None:
        self._handshake_until = now + REPLY_S
        if opcode is Opcode.REQUEST_CONTROL:
            self._control_answered(response, now, answer)
        elif opcode is Opcode.SET_RAMP:
            if response.result is Result.SUCCESS:
                self._become_ready(answer)
            else:
                self._fail_handshake("it refuses the soft start", now, answer)

    def _took(self, asked: _Asked, response: Response, now: float, answer: _Answer) -> None:
        match asked.command:
            case model.SetIntensity(percent):
                self._ramp.level_acknowledged(percent, now)
                self._target_ua = self._ua(percent)
                if self._running:
                    self._watch.aimed(self._target_ua, now)
            case model.StartOutput() | model.ResumeOutput():
                self._ramp.start_acknowledged(now)
                self._running = True
                self._device_state = State.RUNNING
                if isinstance(asked.command, model.StartOutput):
                    self._started_at = now
                self._watch.started(self._target_ua, now)
            case model.DownloadRecords() as command:
                self._download_begins(command, response, now, answer)
                return
            case model.AbortDownload():
                self._end_download(Refusal.SUPERSEDED, answer)
        if asked.command is not None:
            answer.events.append(model.Acknowledged(asked.command, now - asked.since))

    def _refused(self, asked: _Asked, response: Response, now: float, answer: _Answer) -> None:
        match asked.command:
            case model.SetIntensity(percent):
                self._ramp.level_given_up(percent)
            case None | model.KeepAlive() if asked.request.opcode is Opcode.KEEP_ALIVE and self._output_possible:
                # Without it the output ends by itself soon; better now, and said.
                self._own_stop(f"it refuses the keep-alive ({_REFUSALS[response.result].value})", now, answer)
        if asked.command is not None:
            answer.events.append(model.Rejected(asked.command, _REFUSALS[response.result]))

    # --- stopping -----------------------------------------------------------------------------------------------------

    def _own_stop(self, reason: str, now: float, answer: _Answer) -> None:
        """Stop because of what the device does, and say so."""
        answer.events.append(model.Fault(reason))
        if self._stopping is None and self._dropping is None:
            self._begin_stop(model.TotalStop(), now, answer, own=True)

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
            self._write_stop(now, answer)

    def _begin_stop(self, command: Command, now: float, answer: _Answer, *, own: bool = False) -> None:
        superseded = [*([self._in_flight] if self._in_flight else []), *self._queue]
        self._in_flight = None
        self._queue.clear()
        self._ramp.forget()
        self._keep_alive_at = None
        self._stop_number += 1
        self._stopping = _Stopping(self._stop_number, command, [] if own else [command], now, now + STOP_REPLY_S)
        self._write_stop(now, answer)
        answer.events += [
            model.Rejected(asked.command, Refusal.SUPERSEDED) for asked in superseded if asked.command is not None
        ]
        if not self._ready and any(asked.request.opcode is Opcode.REQUEST_CONTROL for asked in superseded):
            self._ask(Request(Opcode.REQUEST_CONTROL, (self._nonce or 0,)), None)

    def _write_stop(self, now: float, answer: _Answer) -> None:
        while self._stops_out and now > self._stops_out[0].at + _STALE_S:
            self._stops_out.popleft()
        data = Request(Opcode.STOP).encode()
        overtakes = bool(self._unsettled)
        answer.operations.append(Write(CONTROL_POINT, data, with_response=True, urgent=True))
        self._stops_out.append(_StopOut(self._stop_number, not overtakes, now))
        if overtakes:
            # The urgent stop overtakes what still waits for the radio, a start perhaps, and that would then be
            # performed: a second stop goes behind it, and only the answer to that one counts.
            answer.operations.append(Write(CONTROL_POINT, data, with_response=True))
            self._stops_out.append(_StopOut(self._stop_number, last=True, at=now))

    def _stop_answered(self, response: Response, now: float, answer: _Answer) -> None:
        out = self._stops_out.popleft() if self._stops_out else None
        stopping = self._stopping
        if stopping is None or out is None or out.number != stopping.number or not out.last:
            return
        if response.result is not Result.SUCCESS:
            self._repeat_stop(stopping, now, answer, failure=f"the device refused it, {response.result.name}")
            return
        self._stopping = None
        self._output_possible = False
        self._running = False
        self._device_state = None
        self._watch.stopped(now)
        answer.events += [model.Acknowledged(asked, now - stopping.since) for asked in stopping.asked]
        if not self._ready:
            self._handshake_until = now + REPLY_S
            if self._controls:
                self._set_the_ramp(now, answer)
        self._pump(now, answer)

    def _repeat_stop(self, stopping: _Stopping, now: float, answer: _Answer, *, failure: str = "") -> None:
        if stopping.attempt < STOP_TRIES:
            stopping.attempt += 1
            stopping.deadline = now + STOP_REPLY_S
            self._write_stop(now, answer)
            answer.events.append(model.Repeated(stopping.command, stopping.attempt))
            return
        reason = f"the stop could not be written: {failure}" if failure else "the stop was not acknowledged"
        self._drop(reason, now, answer)
        answer.events += [model.Unanswered(asked, stopping.attempt) for asked in stopping.asked]
        if not self._ready:
            answer.events.append(model.HandshakeFailed("the device did not confirm that it stands still"))

    def _drop(self, reason: str, now: float, answer: _Answer) -> None:
        self._dropping = reason
        self._drop_deadline = now + DISCONNECT_AGAIN_S
        self._stopping = None
        self._handshake_until = None
        answer.operations.append(Disconnect(reason))

    # --- time ---------------------------------------------------------------------------------------------------------

    def deadline_passed(self, now: float) -> Reaction:
        """Keep the device going, repeat a stop, or give up what was not answered."""
        answer = _Answer()
        if self._spent or self.deadline is None or now < self.deadline - _DUE_TOLERANCE_S:
            return NOTHING
        due = now + _DUE_TOLERANCE_S
        if self._dropping is not None:
            self._drop_deadline = now + DISCONNECT_AGAIN_S
            answer.operations.append(Disconnect(self._dropping))
            return answer.reaction()
        if self._stopping is not None and self._stopping.deadline <= due:
            self._repeat_stop(self._stopping, now, answer)
        if self._handshake_until is not None and self._handshake_until <= due:
            self._fail_handshake("it does not answer", now, answer)
        if self._dropping is None:
            self._give_up_late_ones(now, due, answer)
        return answer.reaction()

    def _give_up_late_ones(self, now: float, due: float, answer: _Answer) -> None:
        if self._stopping is None:
            if self._watch.silent_at is not None and self._watch.silent_at <= due:
                self._own_stop("it has stopped measuring", now, answer)
            elif self._keep_alive_at is not None and self._keep_alive_at <= due:
                self._keep_alive_due(now, answer)
        asked = self._in_flight
        if asked is not None and asked.deadline <= due:
            self._give_up(asked, now, answer)
        if self._battery_asked is not None and self._battery_asked[1] + REPLY_S <= due:
            answer.events.append(model.Unanswered(self._battery_asked[0], 1))
            self._battery_asked = None
        if self._download is not None and self._download.deadline <= due:
            answer.events.append(model.Unanswered(self._download.command, 1))
            self._download = None

    def _give_up(self, asked: _Asked, now: float, answer: _Answer, refusal: Refusal | None = None) -> None:
        """Nobody knows whether this took effect."""
        self._in_flight = None
        if isinstance(asked.command, model.SetIntensity):
            self._ramp.level_given_up(asked.command.percent)
        if asked.command is not None:
            event = model.Rejected(asked.command, refusal) if refusal else model.Unanswered(asked.command, 1)
            answer.events.append(event)
        elif not self._ready:
            self._fail_handshake("it does not answer", now, answer)
        self._pump(now, answer)

    # --- what the radio says ------------------------------------------------------------------------------------------

    def operation_done(self, operation: Operation, now: float) -> Reaction:  # noqa: ARG002 - the contract gives the time
        """Take word that a write has reached the device; its answer is the indication."""
        if isinstance(operation, Disconnect):
            self._drop_deadline = None
        if isinstance(operation, Write) and operation in self._unsettled:
            self._unsettled.remove(operation)
        return NOTHING

    def operation_failed(self, operation: Operation, reason: str, now: float) -> Reaction:
        """Repeat a stop at once, give a request up; without the control point there is no link worth having."""
        if self._spent:
            return NOTHING
        answer = _Answer()
        if isinstance(operation, Disconnect):
            if self._dropping is not None:
                self._drop_deadline = now + STOP_REPLY_S
            return NOTHING
        if self._dropping is not None:
            return NOTHING
        if isinstance(operation, Write):
            self._write_failed(operation, reason, now, answer)
        elif not self._ready and operation.characteristic in (FEATURES, CONTROL_POINT, STATUS, TELEMETRY):
            self._fail_handshake(f"it does not let this app in ({reason}): pair it first", now, answer)
        elif operation == Read(BATTERY) and self._battery_asked is not None:
            answer.events.append(model.Rejected(self._battery_asked[0], Refusal.RADIO))
            self._battery_asked = None
        return answer.reaction()

    def _write_failed(self, operation: Write, reason: str, now: float, answer: _Answer) -> None:
        if operation in self._unsettled:
            self._unsettled.remove(operation)
        stopping, asked = self._stopping, self._in_flight
        if operation.data == Request(Opcode.STOP).encode():
            # It is answered no more, so that the next answer to a stop belongs to the next stop.
            gone = next((out for out in self._stops_out if out.last is not operation.urgent), None)
            gone = gone or next(iter(self._stops_out), None)
            if gone is not None:
                self._stops_out.remove(gone)
            if stopping is not None and operation.urgent:
                self._repeat_stop(stopping, now, answer, failure=reason)
        elif asked is not None and operation == asked.write:
            if self._ready:
                self._give_up(asked, now, answer, Refusal.RADIO)
            else:
                self._fail_handshake(f"it does not let this app in ({reason}): pair it first", now, answer)

    def data_received(self, characteristic: str, data: bytes, now: float) -> Reaction:
        """Take an answer, a status, a measurement, a piece of a record, or a value that was read. Never raises."""
        if self._spent or self._dropping is not None:
            return NOTHING
        answer = _Answer()
        try:
            self._take(characteristic, data, now, answer)
        except OmpFormatError as error:
            answer.events.append(model.Unrecognised(characteristic, data, str(error)))
            if characteristic == SESSION_RECORD and self._download is not None:
                self._download.whole = False
                self._finish_download(now, answer)
        return answer.reaction()

    def _take(self, characteristic: str, data: bytes, now: float, answer: _Answer) -> None:
        if characteristic == CONTROL_POINT:
            self._answered(Response.decode(data), now, answer)
        elif characteristic == TELEMETRY:
            self._measured(Telemetry.decode(data), now, answer)
        elif characteristic == STATUS:
            self._take_status(Status.decode(data), now, answer)
        elif characteristic == FEATURES:
            self._take_features(data, now, answer)
        elif characteristic == SESSION_RECORD:
            self._take_piece(RecordChunk.decode(data), now, answer)
        elif characteristic == FIRMWARE:
            self._firmware = data.decode("utf-8", "replace")
        elif characteristic == BATTERY and len(data) == 1 and data[0] <= 100:
            self._take_battery(data[0], now, answer)
        else:
            answer.events.append(model.Unrecognised(characteristic, data, "not a value of the profile"))

    def _take_battery(self, percent: int, now: float, answer: _Answer) -> None:
        answer.events.append(model.Battery(percent))
        if self._battery_asked is not None:
            command, since = self._battery_asked
            self._battery_asked = None
            answer.events.append(model.Acknowledged(command, now - since))

    def _measured(self, telemetry: Telemetry, now: float, answer: _Answer) -> None:
        if not self._ready:
            return  # what may be running is being stopped, or belongs to whoever holds control
        for event in self._watch.measured(telemetry, now):
            if isinstance(event, model.Fault):
                self._too_much(event, now, answer)
            else:
                answer.events.append(event)

    def _too_much(self, fault: model.Fault, now: float, answer: _Answer) -> None:
        """H7: stop; where a stop has not helped, the end of the link is all that is left."""
        if self._stopping is not None or self._dropping is not None:
            return
        if self._excess_seen and not self._output_possible:
            answer.events.append(fault)
            self._drop("it delivers current although it was stopped", now, answer)
            return
        self._excess_seen = True
        self._own_stop(fault.reason, now, answer)

    def _take_status(self, status: Status, now: float, answer: _Answer) -> None:
        before, self._device_state = self._device_state, status.state
        if not self._ready or self._stopping is not None or status.state is before:
            return
        if status.state is State.FAULT:
            self._halted(now)
            answer.events.append(model.Fault(fault_reason(status.fault)))
        elif status.state is State.CONTACT_LOST:
            self._halted(now)
            self._watch.contact_lost(answer.events)
        elif self._running and status.state is not State.RUNNING:
            self._halted(now)
            reason = _HALTS.get(status.state, model.HaltReason.STOPPED)
            if status.state in (State.READY, State.IDLE) and self._time_was_up(now):
                reason = model.HaltReason.TIME_LIMIT
            answer.events.append(model.OutputHalted(reason))

    @property
    def _longest_run_s(self) -> int:
        return int(self._profile.max_session_s or LONGEST_RUN_S)

    def _time_was_up(self, now: float) -> bool:
        # The device counts on its own clock, and its word takes a moment.
        return now >= self._started_at + 0.99 * self._longest_run_s - 1.0

    def _halted(self, now: float) -> None:
        """The device ended its output by itself; known to be off it is only after a stop."""
        self._running = False
        self._keep_alive_at = None
        self._ramp.forget()
        self._watch.stopped(now)

    # --- records ------------------------------------------------------------------------------------------------------

    def _download_begins(self, command: model.DownloadRecords, response: Response, now: float, answer: _Answer) -> None:
        (records,) = response.parameters
        self._assembly = Assembly()
        self._download = _Download(command, now, now + DOWNLOAD_IDLE_S, records)
        self._finish_download(now, answer)

    def _take_piece(self, piece: RecordChunk, now: float, answer: _Answer) -> None:
        download = self._download
        if download is None:
            return
        download.deadline = now + DOWNLOAD_IDLE_S
        try:
            record = self._assembly.take(piece)
        finally:
            # A record is over with its last piece, whether it could be put together or not.
            if piece.index + 1 == piece.total:
                download.received += 1
        if record is not None:
            answer.events.append(record_told(record))
        self._finish_download(now, answer)

    def _finish_download(self, now: float, answer: _Answer) -> None:
        download = self._download
        if download is None or download.received < download.records:
            return
        self._download = None
        if download.whole:
            self._downloaded_from = min(
                download.command.from_session_id,
                download.command.from_session_id if self._downloaded_from is None else self._downloaded_from,
            )
            answer.events.append(model.Acknowledged(download.command, now - download.since))
        else:
            answer.events.append(model.Rejected(download.command, Refusal.RADIO))

    def _end_download(self, refusal: Refusal, answer: _Answer) -> None:
        if self._download is not None:
            answer.events.append(model.Rejected(self._download.command, refusal))
            self._download = None

    # --- the end ------------------------------------------------------------------------------------------------------

    def link_lost(self, now: float) -> Reaction:  # noqa: ARG002 - the contract gives the time
        """Spent from here on; the device ends its output with the link (rule 2)."""
        if self._spent:
            return NOTHING
        unanswered = [a.command for a in (self._in_flight, *self._queue) if a is not None and a.command is not None]
        if self._battery_asked is not None:
            unanswered.append(self._battery_asked[0])
        if self._download is not None:
            unanswered.append(self._download.command)
        if self._stopping is not None:
            unanswered += self._stopping.asked
        self._spent = True
        self._ready = False
        self._output_possible = False
        self._in_flight = self._stopping = self._download = self._battery_asked = None
        self._queue.clear()
        self._ramp.forget()
        return Reaction((), tuple(model.Rejected(command, Refusal.RADIO) for command in unanswered))


def fault_reason(fault: FaultCode) -> str:
    """Return what is wrong, as the end of a sentence about the device."""
    return _FAULTS.get(fault, "it says so, and not which")


def record_told(record: SessionRecord) -> model.RecordReceived:
    """Return a record as an event."""
    return model.RecordReceived(
        session_id=record.session_id,
        run_s=record.run_ms / 1000,
        highest_target_ua=record.highest_target_ua,
        highest_delivered_ua=record.highest_delivered_ua,
        contact_losses=record.contact_losses,
        ending=record.ending.name.lower().replace("_", " "),
        sample_s=SAMPLE_S,
        delivered_ua=record.delivered_ua,
    )


EXTENT = Extent(
    # new: no link yet; learning: the handshake, which ends with a stop; ready: its output is off; running: it may be
    # on; held: the device has ended it and waits for a resume; stopping: a stop is not acknowledged; ending: the link
    # is being ended; lost.
    states=("new", "learning", "ready", "running", "held", "stopping", "ending", "lost"),
    transitions=(
        ("new", "learning"),
        ("new", "lost"),
        ("learning", "ready"),
        ("learning", "ending"),
        ("learning", "lost"),
        ("ready", "running"),
        ("ready", "stopping"),
        ("ready", "ending"),
        ("ready", "lost"),
        ("running", "held"),
        ("running", "stopping"),
        ("running", "lost"),
        ("held", "running"),
        ("held", "stopping"),
        ("held", "lost"),
        ("stopping", "ready"),
        ("stopping", "ending"),
        ("stopping", "lost"),
        ("ending", "lost"),
    ),
    commands=(
        model.SetIntensity,
        model.StartOutput,
        model.StopOutput,
        model.TotalStop,
        model.SelectMode,
        model.QueryBattery,
        model.ResumeOutput,
        model.KeepAlive,
        model.AcknowledgeFault,
        model.DownloadRecords,
        model.AbortDownload,
        model.DeleteRecords,
    ),
    events=(
        model.Ready,
        model.HandshakeFailed,
        model.Acknowledged,
        model.Rejected,
        model.Repeated,
        model.Unanswered,
        model.Battery,
        model.Delivered,
        model.Contact,
        model.ContactLost,
        model.ContactRestored,
        model.ContactPoor,
        model.OutputHalted,
        model.MeasurementsLost,
        model.RecordReceived,
        model.Fault,
        model.Unrecognised,
    ),
)
"""All that the machine can go through; the tests hold it against simulated sessions."""


def _matches(name: str | None, service_uuids: Sequence[str]) -> int:  # noqa: ARG001 - a maker names a device as it likes
    return 90 if SERVICE in service_uuids else 0


def _listen(name: str | None) -> Listener:  # noqa: ARG001 - the profile is the same on every device
    from protocols.omp_listening import OmpListener  # noqa: PLC0415 - for recordings alone

    return OmpListener()


def _fits(services: Sequence[Service]) -> bool:
    return any(service.uuid == SERVICE for service in services)


def _recreate(name: str, written: Sequence[bytes]) -> Omp:
    """Return the machine with the nonce that it had in a recording, so that the recorded answer is its own."""
    for data in written:
        try:
            request = Request.decode(data)
        except OmpFormatError:
            continue
        if request.opcode is Opcode.REQUEST_CONTROL:
            return Omp(name, nonce=request.parameters[0])
    return Omp(name)


ENTRY = ProtocolEntry(
    key="omp",
    title="Open Microcurrent Profile",
    profile=PROFILE,
    create=Omp,
    matches=_matches,
    listen=_listen,
    fits=_fits,
    extent=EXTENT,
    recreate=_recreate,
    recorded=RECORDED,
)
