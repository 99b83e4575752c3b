"""The bytes of the Open Microcurrent Profile (OMP) 1.0: UUIDs, layouts and values, in both directions.

Each characteristic is one layout of named fields, so that the specification's tables, the dissector and this codec
cannot drift apart. Knows what the bytes say. Refuses to know when they may be said: that is the host's machine and the
device. The bytes of a session record are in :mod:`protocols.omp_record`.

All numbers are little-endian.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cached_property
from types import MappingProxyType
from typing import Literal, Self

MAJOR = 1
MINOR = 0


def omp_uuid(number: int) -> str:
    """Return the 128-bit UUID of one attribute of the profile, in the spelling of :func:`protocols.gatt.uuid`."""
    return f"5a3f{number:04x}-8c1e-4b6e-9d2a-6f0d1c7a9e42"


SERVICE = omp_uuid(0x0001)
FEATURES = omp_uuid(0x0002)
CONTROL_POINT = omp_uuid(0x0003)
STATUS = omp_uuid(0x0004)
TELEMETRY = omp_uuid(0x0005)
SESSION_RECORD = omp_uuid(0x0006)

KEEP_ALIVE_MS = (200, 5000)
"""Shortest and longest validity of one *Keep Alive*."""
START_KEEP_ALIVE_MS = 1000
"""*Start* and *Resume* count as a keep-alive of this length when less is left."""
FREQUENCY_DHZ = (1, 10_000)
"""Lowest and highest frequency of a waveform, in 0.1 Hz."""
LOST_OHM = 200_000
"""A contact above this impedance counts as lost."""
TELEMETRY_PERIOD_MS = 100
OPEN_CIRCUIT = 0xFFFF
NO_TEMPERATURE = 0x7FFF
RESPONSE_MARK = 0x80


class OmpFormatError(ValueError):
    """Bytes that are not what the layout says, or a value that has no place in it; the message says which."""


# --- layouts ----------------------------------------------------------------------------------------------------------

Kind = Literal["u8", "u16", "i16", "u32"]
_CODES: Mapping[Kind, str] = {"u8": "B", "u16": "H", "i16": "h", "u32": "I"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a layout: its name with its unit, its kind, and what the name does not say."""

    name: str
    kind: Kind
    meaning: str = ""

    @property
    def size(self) -> int:
        """Bytes it takes."""
        return struct.calcsize("<" + _CODES[self.kind])


class Layout(tuple[Field, ...]):  # noqa: SLOT001 - what packs it is kept with it
    """Fields in their order."""

    def __new__(cls, *fields: Field) -> Self:
        """Return the layout of these fields."""
        return super().__new__(cls, fields)

    @cached_property
    def packing(self) -> struct.Struct:
        """What packs and unpacks their values."""
        return struct.Struct("<" + "".join(_CODES[each.kind] for each in self))


def size(layout: Layout) -> int:
    """Return the bytes that a layout takes."""
    return layout.packing.size


def pack(layout: Layout, values: Sequence[int]) -> bytes:
    """Return the bytes of a layout with these values.

    Raises:
        OmpFormatError: they are too many, too few, or one has no place in its field.
    """
    try:
        return layout.packing.pack(*values)
    except struct.error as error:
        names = ", ".join(each.name for each in layout) or "nothing"
        raise OmpFormatError(f"{tuple(values)} does not fit {names}: {error}") from None


def unpack(layout: Layout, data: bytes, what: str) -> tuple[int, ...]:
    """Return the values in the bytes of a layout; ``what`` names them in the error.

    Raises:
        OmpFormatError: there are more or fewer bytes than the layout has.
    """
    if len(data) != size(layout):
        raise OmpFormatError(f"{what}: {len(data)} bytes instead of {size(layout)}")
    return layout.packing.unpack(data)


SERVICE_DATA_LAYOUT = Layout(
    Field("major", "u8", "major version of the profile"),
    Field("flags", "u8", "bit 0 pairing allowed, bit 1 charging, bit 2 fault"),
)
FEATURES_LAYOUT = Layout(
    Field("major", "u8"),
    Field("minor", "u8"),
    Field("max_current_ua", "u16", "highest target that is accepted"),
    Field("current_step_ua", "u16", "targets are whole multiples of it"),
    Field("max_session_s", "u16", "longest run, whatever Start asks for"),
    Field("max_ramp_ua_per_s", "u16", "steepest ramp that Set Ramp accepts; also the ramp until it was set"),
    Field("channels", "u8"),
    Field("waveforms", "u8", "bit 0 pulsed DC, bit 1 biphasic square, bit 2 sine"),
    Field("extras", "u8", "bit 0 red LED, bit 1 amber, bit 2 blue, bit 3 heat, bit 4 cooling, bit 5 accelerometer"),
    Field("zones", "u8", "zones cleared by the maker: bit 0 face, bit 1 neck"),
    Field("reserved", "u16", "0 when sent, ignored when received"),
)
STATUS_LAYOUT = Layout(
    Field("state", "u8"),
    Field("fault", "u8"),
    Field("target_ua", "u16"),
    Field("seconds_left", "u16", "of the run, whole seconds rounded up; 0 outside a run"),
    Field("keep_alive_ms_left", "u16", "0 when lapsed or not needed"),
    Field("session_id", "u32", "of the run under way or the last one; 0 before the first"),
)
TELEMETRY_LAYOUT = Layout(
    Field("sequence", "u16", "counts by one and wraps"),
    Field("ms_since_start", "u32", "since the device was switched on"),
    Field("delivered_ua", "u16", "delivered peak"),
    Field("impedance_10_ohm", "u16", "in steps of 10 ohms; FFFF open circuit"),
    Field("contact", "u8", "0 none to 100 best"),
    Field("temperature_c_100", "i16", "skin, in 0.01 degrees C; 7FFF none"),
    Field("state", "u8"),
    Field("crc", "u16", "CRC-16/CCITT-FALSE over the bytes before"),
)
_MEASURED, _CHECKSUM = Layout(*TELEMETRY_LAYOUT[:-1]), Layout(TELEMETRY_LAYOUT[-1])
RECORD_CHUNK_LAYOUT = Layout(
    Field("session_id", "u32"),
    Field("index", "u16", "of this piece, from 0"),
    Field("total", "u16", "pieces of this record"),
)
"""What stands before the piece of the record, 1 to 12 bytes long, in a Session Record notification."""
RESPONSE_LAYOUT = Layout(
    Field("mark", "u8", "80"),
    Field("opcode", "u8", "of the request; 00 for an empty write"),
    Field("result", "u8"),
)


# --- names of numbers -------------------------------------------------------------------------------------------------


class AdvertisedFlag(IntFlag):
    """Flags in the advertised service data."""

    PAIRING_ALLOWED = 1
    CHARGING = 2
    FAULT = 4


class Waveform(IntEnum):
    """Waveforms by their bit index."""

    PULSED_DC = 0
    BIPHASIC_SQUARE = 1
    SINE = 2


class Extra(IntFlag):
    """What a device has beside its current."""

    RED_LED = 1
    AMBER_LED = 2
    BLUE_LED = 4
    HEAT = 8
    COOLING = 16
    ACCELEROMETER = 32


class Zone(IntFlag):
    """Zones that the maker has cleared."""

    FACE = 1
    NECK = 2


class Opcode(IntEnum):
    """Requests of the Control Point."""

    REQUEST_CONTROL = 0x01
    SET_TARGET = 0x02
    SET_WAVEFORM = 0x03
    START = 0x04
    PAUSE = 0x05
    RESUME = 0x06
    STOP = 0x07
    KEEP_ALIVE = 0x08
    SET_RAMP = 0x09
    SET_LIGHT = 0x0A
    IDENTIFY = 0x0B
    ACKNOWLEDGE_FAULT = 0x0C
    REPORT_RECORDS = 0x0D
    ABORT_REPORT = 0x0E
    DELETE_RECORDS = 0x0F


class Result(IntEnum):
    """Results of a request. A host takes one that it does not know for *failed*."""

    SUCCESS = 0x01
    NOT_SUPPORTED = 0x02
    INVALID_PARAMETER = 0x03
    FAILED = 0x04
    NOT_PERMITTED = 0x05
    WRONG_STATE = 0x06
    NO_CONTACT = 0x07
    CHARGING = 0x08
    TIME_LIMIT = 0x09


class State(IntEnum):
    """States of the device."""

    IDLE = 0
    READY = 1
    RUNNING = 2
    PAUSED = 3
    CONTACT_LOST = 4
    RAMPING_DOWN = 5
    FAULT = 6
    CHARGING = 7


class FaultCode(IntEnum):
    """Faults of the device."""

    NONE = 0
    OVER_CURRENT = 1
    OVER_TEMPERATURE = 2
    ELECTRODE_SHORT = 3
    BATTERY_LOW = 4
    INTERNAL = 5


REQUEST_LAYOUTS: Mapping[Opcode, Layout] = MappingProxyType(
    {
        Opcode.REQUEST_CONTROL: Layout(Field("nonce", "u32", "echoed in the answer")),
        Opcode.SET_TARGET: Layout(Field("target_ua", "u16")),
        Opcode.SET_WAVEFORM: Layout(Field("waveform", "u8", "bit index"), Field("frequency_dhz", "u16", "in 0.1 Hz")),
        Opcode.START: Layout(Field("longest_s", "u16", "longest run")),
        Opcode.PAUSE: Layout(),
        Opcode.RESUME: Layout(),
        Opcode.STOP: Layout(),
        Opcode.KEEP_ALIVE: Layout(Field("valid_ms", "u16", "200 to 5000")),
        Opcode.SET_RAMP: Layout(Field("ramp_ua_per_s", "u16")),
        Opcode.SET_LIGHT: Layout(Field("colour", "u8", "0 red, 1 amber, 2 blue"), Field("percent", "u8")),
        Opcode.IDENTIFY: Layout(Field("beeps", "u8")),
        Opcode.ACKNOWLEDGE_FAULT: Layout(),
        Opcode.REPORT_RECORDS: Layout(Field("from_session_id", "u32")),
        Opcode.ABORT_REPORT: Layout(),
        Opcode.DELETE_RECORDS: Layout(Field("from_session_id", "u32")),
    }
)
"""The parameters of each request, after its opcode."""

ANSWER_LAYOUTS: Mapping[Opcode, Layout] = MappingProxyType(
    {
        Opcode.REQUEST_CONTROL: Layout(Field("nonce", "u32", "as asked")),
        Opcode.REPORT_RECORDS: Layout(Field("records", "u16", "how many records follow")),
        Opcode.DELETE_RECORDS: Layout(Field("records", "u16", "how many records were deleted")),
    }
)
"""What follows *success* in the answer to a request; nothing for those that are not here."""

_NOTHING = Layout()


# --- values -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServiceData:
    """What the device advertises under the service's UUID."""

    flags: AdvertisedFlag
    major: int = MAJOR

    def encode(self) -> bytes:
        """Return its bytes.

        Raises:
            OmpFormatError: a number has no place in its field.
        """
        return pack(SERVICE_DATA_LAYOUT, (self.major, self.flags))

    @classmethod
    def decode(cls, data: bytes) -> ServiceData:
        """Read it; bytes after the two that are known are a later version's and passed over.

        Raises:
            OmpFormatError: it is too short.
        """
        major, flags = unpack(SERVICE_DATA_LAYOUT, data[:2], "service data")
        return cls(AdvertisedFlag(flags), major)


@dataclass(frozen=True, slots=True)
class Features:
    """What the device can do, and its limits."""

    max_current_ua: int
    current_step_ua: int
    max_session_s: int
    max_ramp_ua_per_s: int
    channels: int
    waveforms: frozenset[Waveform]
    extras: Extra
    zones: Zone
    major: int = MAJOR
    minor: int = MINOR

    def encode(self) -> bytes:
        """Return its 16 bytes.

        Raises:
            OmpFormatError: a number has no place in its field.
        """
        waveforms = sum(1 << waveform for waveform in self.waveforms)
        limits = (self.max_current_ua, self.current_step_ua, self.max_session_s, self.max_ramp_ua_per_s)
        rest = (self.channels, waveforms, self.extras, self.zones, 0)
        return pack(FEATURES_LAYOUT, (self.major, self.minor, *limits, *rest))

    @classmethod
    def decode(cls, data: bytes) -> Features:
        """Read it. Waveforms, extras and zones that are not known here are passed over.

        Raises:
            OmpFormatError: it is not 16 bytes long.
        """
        values = unpack(FEATURES_LAYOUT, data, "features")
        major, minor, current, step, session, ramp, channels, waveforms, extras, zones, _reserved = values
        return cls(
            max_current_ua=current,
            current_step_ua=step,
            max_session_s=session,
            max_ramp_ua_per_s=ramp,
            channels=channels,
            waveforms=frozenset(w for w in Waveform if waveforms >> w & 1),
            extras=Extra(extras & 0x3F),
            zones=Zone(zones & 0x03),
            major=major,
            minor=minor,
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One write of the Control Point; ``parameters`` as in :data:`REQUEST_LAYOUTS`."""

    opcode: Opcode
    parameters: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """Return its bytes.

        Raises:
            OmpFormatError: the parameters are not those of this opcode.
        """
        return bytes((self.opcode,)) + pack(REQUEST_LAYOUTS[self.opcode], self.parameters)

    @classmethod
    def decode(cls, data: bytes) -> Request:
        """Read it, as a device does.

        Raises:
            RequestError: it is no request; the error carries the answer that the device owes.
        """
        if not data:
            raise RequestError(0, Result.INVALID_PARAMETER, "an empty write")
        if data[0] not in REQUEST_LAYOUTS:
            raise RequestError(data[0], Result.NOT_SUPPORTED, f"opcode {data[0]:02X} is not known")
        opcode = Opcode(data[0])
        try:
            parameters = unpack(REQUEST_LAYOUTS[opcode], data[1:], f"parameters of {opcode.name}")
        except OmpFormatError as error:
            raise RequestError(opcode, Result.INVALID_PARAMETER, str(error)) from None
        return cls(opcode, parameters)


class RequestError(OmpFormatError):
    """A write that is no request. ``opcode`` and ``result`` are what the device answers."""

    def __init__(self, opcode: int, result: Result, message: str) -> None:
        super().__init__(message)
        self.opcode = opcode
        self.result = result


@dataclass(frozen=True, slots=True)
class Response:
    """One indication of the Control Point. ``parameters`` as in :data:`ANSWER_LAYOUTS`, of a success alone."""

    opcode: int
    result: Result
    parameters: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """Return its bytes.

        Raises:
            OmpFormatError: the parameters are not those of this answer.
        """
        return pack(RESPONSE_LAYOUT, (RESPONSE_MARK, self.opcode, self.result)) + pack(
            _answer_layout(self.opcode, self.result), self.parameters
        )

    @classmethod
    def decode(cls, data: bytes) -> Response:
        """Read it. A result that is not known counts as *failed*; bytes after those that are known are passed over.

        Raises:
            OmpFormatError: it is too short or does not begin with 80.
        """
        head = size(RESPONSE_LAYOUT)
        mark, opcode, number = unpack(RESPONSE_LAYOUT, data[:head], "answer")
        if mark != RESPONSE_MARK:
            raise OmpFormatError(f"an answer begins with 80, not {mark:02X}")
        result = Result(number) if number in Result.__members__.values() else Result.FAILED
        layout = _answer_layout(opcode, result)
        return cls(opcode, result, unpack(layout, data[head : head + size(layout)], f"answer to opcode {opcode:02X}"))


def _answer_layout(opcode: int, result: Result) -> Layout:
    known = opcode in REQUEST_LAYOUTS and result is Result.SUCCESS
    return ANSWER_LAYOUTS.get(Opcode(opcode), _NOTHING) if known else _NOTHING


@dataclass(frozen=True, slots=True)
class Status:
    """How the device stands."""

    state: State
    fault: FaultCode
    target_ua: int
    seconds_left: int
    keep_alive_ms_left: int
    session_id: int

    def encode(self) -> bytes:
        """Return its 12 bytes.

        Raises:
            OmpFormatError: a number has no place in its field.
        """
        times = (self.seconds_left, self.keep_alive_ms_left)
        return pack(STATUS_LAYOUT, (self.state, self.fault, self.target_ua, *times, self.session_id))

    @classmethod
    def decode(cls, data: bytes) -> Status:
        """Read it.

        Raises:
            OmpFormatError: it is not 12 bytes long, or its state or fault is not known.
        """
        state, fault, target, seconds, keep_alive, session = unpack(STATUS_LAYOUT, data, "status")
        return cls(_state(state), _fault(fault), target, seconds, keep_alive, session)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What the device measures. ``impedance_ohm`` is None for an open circuit, ``temperature_c`` where it has none.

    Impedance is carried in steps of 10 ohms and temperature in steps of 0.01 degrees C: encoding rounds to them.
    """

    sequence: int
    ms_since_start: int
    delivered_ua: int
    impedance_ohm: int | None
    contact: int
    temperature_c: float | None
    state: State

    def encode(self) -> bytes:
        """Return its 16 bytes, checksum included. An impedance too high for its field is sent as the highest.

        Raises:
            OmpFormatError: another number has no place in its field.
        """
        impedance = OPEN_CIRCUIT
        if self.impedance_ohm is not None:
            impedance = min(round(self.impedance_ohm / 10), OPEN_CIRCUIT - 1)
        temperature = NO_TEMPERATURE if self.temperature_c is None else round(self.temperature_c * 100)
        values = (self.sequence, self.ms_since_start, self.delivered_ua, impedance, self.contact, temperature)
        body = pack(_MEASURED, (*values, self.state))
        return body + pack(_CHECKSUM, (crc16(body),))

    @classmethod
    def decode(cls, data: bytes) -> Telemetry:
        """Read it.

        Raises:
            OmpFormatError: it is not 16 bytes long, its checksum is wrong, its state is not known, or its contact is
                above 100.
        """
        values = unpack(TELEMETRY_LAYOUT, data, "telemetry")
        sequence, ms, delivered, impedance, contact, temperature, state, crc = values
        if crc != crc16(data[:-2]):
            raise OmpFormatError(f"telemetry: checksum {crc:04X} instead of {crc16(data[:-2]):04X}")
        if contact > 100:
            raise OmpFormatError(f"telemetry: contact {contact} is above 100")
        return cls(
            sequence=sequence,
            ms_since_start=ms,
            delivered_ua=delivered,
            impedance_ohm=None if impedance == OPEN_CIRCUIT else impedance * 10,
            contact=contact,
            temperature_c=None if temperature == NO_TEMPERATURE else temperature / 100,
            state=_state(state),
        )


def crc16(data: bytes) -> int:
    """Return CRC-16/CCITT-FALSE: polynomial 1021, start FFFF, nothing reflected, nothing added at the end."""
    return binascii.crc_hqx(data, 0xFFFF)


def _state(number: int) -> State:
    try:
        return State(number)
    except ValueError:
        raise OmpFormatError(f"state {number} is not known") from None


def _fault(number: int) -> FaultCode:
    try:
        return FaultCode(number)
    except ValueError:
        raise OmpFormatError(f"fault {number} is not known") from None
