"""What differs between two recordings of the same OMP session: measurements, the nonce, when keep-alives come.

Knows which of it matters: states, faults, targets, contact, and whether current flows. Refuses to compare.
"""

from __future__ import annotations

from protocols.gatt import uuid
from protocols.omp_codec import (
    CONTROL_POINT,
    FEATURES,
    LOST_OHM,
    RESPONSE_MARK,
    SESSION_RECORD,
    STATUS,
    TELEMETRY,
    TELEMETRY_PERIOD_MS,
    OmpFormatError,
    Opcode,
    Request,
    Response,
    Result,
    Status,
    Telemetry,
)
from protocols.omp_record import RecordChunk
from protocols.recorded import Facts, Recorded, Stream

_BATTERY = uuid("2a19")
_NONCE_BYTES = 4


def _status_facts(data: bytes) -> Facts:
    # The seconds and the keep-alive that are left run by the clock, and sessions are counted since the device was made.
    status = Status.decode(data)
    return {
        "state": _words(status.state.name),
        "fault": _words(status.fault.name),
        "target": f"{status.target_ua} µA",
    }


def _telemetry_facts(data: bytes) -> Facts:
    telemetry = Telemetry.decode(data)
    touching = telemetry.impedance_ohm is not None and telemetry.impedance_ohm <= LOST_OHM
    return {
        "state": _words(telemetry.state.name),
        "contact": "there" if touching else "lost",
        "output": "on" if telemetry.delivered_ua else "off",
    }


def _record_facts(data: bytes) -> Facts:
    RecordChunk.decode(data)
    return {}


def _battery_facts(data: bytes) -> Facts:
    if len(data) != 1 or data[0] > 100:
        raise OmpFormatError("a battery level is one byte up to 100")
    return {}


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def _drawn(characteristic: str, data: bytes) -> slice | None:
    """The nonce of *Request Control*, in the request and in the answer that echoes it."""
    if characteristic != CONTROL_POINT:
        return None
    try:
        if data[:1] == bytes((RESPONSE_MARK,)):
            response = Response.decode(data)
            granted = response.opcode == Opcode.REQUEST_CONTROL and response.result is Result.SUCCESS
            return slice(3, 3 + _NONCE_BYTES) if granted else None
        return slice(1, 1 + _NONCE_BYTES) if Request.decode(data).opcode is Opcode.REQUEST_CONTROL else None
    except OmpFormatError:
        return None


def _is_keep_alive(characteristic: str, data: bytes) -> bool:
    if characteristic != CONTROL_POINT:
        return False
    try:
        if data[:1] == bytes((RESPONSE_MARK,)):
            return Response.decode(data).opcode == Opcode.KEEP_ALIVE
        return Request.decode(data).opcode is Opcode.KEEP_ALIVE
    except OmpFormatError:
        return False


RECORDED = Recorded(
    streams=(
        Stream(STATUS, None, _status_facts),
        Stream(TELEMETRY, TELEMETRY_PERIOD_MS / 1000, _telemetry_facts),
        Stream(SESSION_RECORD, None, _record_facts),
        Stream(_BATTERY, None, _battery_facts),
    ),
    drawn=_drawn,
    is_keep_alive=_is_keep_alive,
    encrypted=frozenset({FEATURES, CONTROL_POINT, STATUS, TELEMETRY, SESSION_RECORD}),
    authenticated=frozenset({CONTROL_POINT, SESSION_RECORD}),
)
