"""An OMP device overheard: requests and answers, status, measurements and records out of a recording.

Knows what :mod:`protocols.omp` knows of the profile. Refuses to speak: see :mod:`protocols.listening`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from protocols import model
from protocols.listening import Heard, HeardKind, Listener
from protocols.model import Command, Event
from protocols.omp import BATTERY, FULL_SCALE_UA, fault_reason, record_told
from protocols.omp_codec import (
    CONTROL_POINT,
    FEATURES,
    LOST_OHM,
    SESSION_RECORD,
    STATUS,
    TELEMETRY,
    Features,
    OmpFormatError,
    Opcode,
    Request,
    RequestError,
    Response,
    Result,
    State,
    Status,
    Telemetry,
)
from protocols.omp_record import Assembly, RecordChunk

ANSWER_S = 30.0  # an indication that is not confirmed within it ends the link (Core Specification Vol 3 Part F 3.3.3)
MAX_WAITING = 16

_COMMANDS: Mapping[Opcode, Callable[[tuple[int, ...], int], Command]] = {
    Opcode.SET_TARGET: lambda given, full_scale: model.SetIntensity(round(100 * given[0] / full_scale)),
    Opcode.SET_WAVEFORM: lambda given, _: model.SelectMode(given[0] + 1),
    Opcode.START: lambda _given, _: model.StartOutput(),
    Opcode.STOP: lambda _given, _: model.TotalStop(),
    Opcode.RESUME: lambda _given, _: model.ResumeOutput(),
    Opcode.ACKNOWLEDGE_FAULT: lambda _given, _: model.AcknowledgeFault(),
    Opcode.REPORT_RECORDS: lambda given, _: model.DownloadRecords(given[0]),
    Opcode.ABORT_REPORT: lambda _given, _: model.AbortDownload(),
    Opcode.DELETE_RECORDS: lambda given, _: model.DeleteRecords(given[0]),
}
"""What a request is in the vocabulary of every device; the others are the profile's own housekeeping."""


class OmpListener(Listener):
    """Overhears one link to one OMP device. Levels are in percent of what its Features allow, when those were heard."""

    def __init__(self) -> None:
        self._full_scale = FULL_SCALE_UA
        self._asked: list[tuple[Request, float]] = []
        self._assembly = Assembly()
        self._state: State | None = None
        self._contact = True

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[Heard, ...]:
        """A request on the Control Point. See :class:`Listener`."""
        if characteristic != CONTROL_POINT:
            return ()
        try:
            request = Request.decode(data)
        except RequestError as error:
            return (Heard("host", "unrecognised", data, reason=str(error)),)
        self._asked = [*self._asked[-MAX_WAITING + 1 :], (request, now)]
        command = self._command(request)
        return () if command is None else (Heard("host", "command", data, command),)

    def received(self, characteristic: str, data: bytes, now: float) -> tuple[Heard, ...]:
        """An answer, a status, a measurement, a piece of a record or a battery level. See :class:`Listener`."""
        takers: Mapping[str, Callable[[bytes, float], tuple[Heard, ...]]] = {
            CONTROL_POINT: self._answer,
            STATUS: self._status,
            TELEMETRY: self._telemetry,
            SESSION_RECORD: self._piece,
            FEATURES: self._features,
            BATTERY: self._battery,
        }
        take = takers.get(characteristic)
        if take is None:
            return ()
        try:
            return take(data, now)
        except OmpFormatError as error:
            return (Heard("device", "unrecognised", data, reason=str(error)),)

    def _command(self, request: Request) -> Command | None:
        make = _COMMANDS.get(request.opcode)
        return None if make is None else make(request.parameters, self._full_scale)

    def _answer(self, data: bytes, now: float) -> tuple[Heard, ...]:
        response = Response.decode(data)
        asked = next(((r, at) for r, at in self._asked if r.opcode == response.opcode), None)
        if asked is None:
            return ()
        self._asked.remove(asked)
        request, at = asked
        latency = now - at if 0 <= now - at <= ANSWER_S else None
        command = self._command(request)
        if command is None:
            return ()
        kind: HeardKind = "acknowledged" if response.result is Result.SUCCESS else "refused"
        reason = "" if response.result is Result.SUCCESS else response.result.name.lower().replace("_", " ")
        return (Heard("device", kind, data, command, reason, latency),)

    def _status(self, data: bytes, _now: float) -> tuple[Heard, ...]:
        status = Status.decode(data)
        before, self._state = self._state, status.state
        if status.state is State.FAULT and before is not State.FAULT:
            return (Heard("device", "event", data, model.Fault(fault_reason(status.fault))),)
        return ()

    def _telemetry(self, data: bytes, _now: float) -> tuple[Heard, ...]:
        telemetry = Telemetry.decode(data)
        touching = telemetry.impedance_ohm is not None and telemetry.impedance_ohm <= LOST_OHM
        events: list[Event] = []
        if touching is not self._contact:
            self._contact = touching
            events.append(model.ContactRestored() if touching else model.ContactLost())
        events += [
            model.Delivered(float(telemetry.delivered_ua)),
            model.Contact(telemetry.contact, telemetry.impedance_ohm),
        ]
        return tuple(Heard("device", "event", data, event) for event in events)

    def _piece(self, data: bytes, _now: float) -> tuple[Heard, ...]:
        record = self._assembly.take(RecordChunk.decode(data))
        return () if record is None else (Heard("device", "event", data, record_told(record)),)

    def _features(self, data: bytes, _now: float) -> tuple[Heard, ...]:
        self._full_scale = max(1, min(FULL_SCALE_UA, Features.decode(data).max_current_ua))
        return ()

    def _battery(self, data: bytes, _now: float) -> tuple[Heard, ...]:
        if len(data) != 1 or data[0] > 100:
            raise OmpFormatError("a battery level is one byte up to 100")
        return (Heard("device", "event", data, model.Battery(data[0])),)
