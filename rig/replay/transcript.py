"""Transcript files: one conversation as JSON Lines, one line a thing, so that a diff of two of them reads well.

Knows the format, its versions and what makes a transcript sound. Refuses to know captures, radios and clocks.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Context, Decimal
from itertools import pairwise
from pathlib import Path
from typing import Final, NoReturn, cast, get_args

from protocols.gatt import Characteristic, Property, Service
from protocols.gatt import uuid as full_uuid
from rig.capture.att import ERROR_NAMES
from rig.commands.faults import RigError
from rig.replay.exchanges import By, Does, Exchange, Place, Transcript
from rig.replay.migrations import STEPS, VERSION, Record, migrated, oldest

__all__ = [
    "TranscriptError",
    "dumps",
    "error_name",
    "is_transcript",
    "load",
    "loads",
    "place_text",
    "save",
    "short_uuid",
]

LONGEST_NS: Final = (1 << 63) - 1
"""The latest time and the longest answer in a transcript, in nanoseconds: 292 years, what 64 bits hold."""

_LOOKED_AT: Final = 4096  # octets
_LONGEST_SHOWN: Final = 60  # characters of what is wrong, in an error
_BYS: Final[tuple[str, ...]] = get_args(By)
_DOES: Final[tuple[str, ...]] = get_args(Does)
_ENDS: Final = frozenset({"connect", "disconnect"})
_PUSHED: Final = frozenset({"notification", "indication"})
_CARRY: Final = frozenset({"write", "write_command", "notification", "indication"})  # always have a value
_ANSWERED: Final = frozenset({"read", "write", "subscribe", "unsubscribe", "indication"})
_REFUSED: Final = _ANSWERED - _PUSHED
_ERROR_CODES: Final = {name: code for code, name in ERROR_NAMES.items()}
_BASE_UUID_TAIL: Final = "-0000-1000-8000-00805f9b34fb"  # Vol 3 Part B, 2.5.1
_UUID: Final = re.compile(r"[0-9a-f]{4}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})*")
_ERROR_CODE: Final = re.compile(r"0x[0-9a-f]{2}")
_PLACE: Final = re.compile(r"([^/#]+)/([^/#]+)(?:#([1-9][0-9]{0,4}))?(?:/([^/#]+))?")
_PROPERTY_NAMES: Final = {str(member.name).lower().replace("_", "-"): member for member in Property}
_HEADER_FIELDS: Final = frozenset(
    {"transcript", "title", "name", "advertised_services", "protocol", "mtu", "source"},
)
_TEXTS: Final = ("title", "name", "protocol", "source")
_SERVICE_FIELDS: Final = frozenset({"service", "characteristics"})
_CHARACTERISTIC_FIELDS: Final = frozenset({"uuid", "properties"})
_EXCHANGE_FIELDS: Final = frozenset({"at", "by", "does", "to", "value", "answered", "error"})
_LONGEST_S: Final = Decimal(LONGEST_NS).scaleb(-9)
_EXACT: Final = Context(prec=60)  # seconds to nanoseconds without rounding; the default has 28 digits
_CCCD: Final = full_uuid("2902")


class TranscriptError(RigError):
    """A transcript that cannot be had or used: in one line which file, line and field, what is wrong, what to do."""


class _FieldError(Exception):
    """What is wrong with a field, while its line is not known yet."""


# --- files ------------------------------------------------------------------------------------------------------------


def load(path: str | Path) -> Transcript:
    """Read a transcript file.

    Raises:
        TranscriptError: it cannot be read or is no transcript; the message names the line and the field.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise TranscriptError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TranscriptError(f"{path}: is not a transcript: byte {error.start} is not UTF-8 text") from error
    return loads(text, str(path))


def save(transcript: Transcript, path: str | Path) -> None:
    """Write a transcript file; the same transcript always gives the same bytes.

    Raises:
        TranscriptError: the file cannot be written.
        ValueError: the transcript is not sound, as :func:`dumps` says.
    """
    data = dumps(transcript).encode()
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise TranscriptError(f"{path}: cannot be written: {error.strerror or error}") from error


def is_transcript(path: str | Path) -> bool:
    """Whether a file begins as a transcript does; False for captures, and for what cannot be read."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(_LOOKED_AT).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError:
        return False
    return start.startswith(b"{") and b'"transcript"' in start.partition(b"\n")[0]


# --- writing ----------------------------------------------------------------------------------------------------------


def dumps(transcript: Transcript) -> str:
    """Return a transcript as JSON Lines, each line ended by a line feed.

    Raises:
        ValueError: it is not sound: exchanges out of order, a field that its kind cannot have, a UUID that is none. The
            message names the exchange, from 0, and the field.
    """
    lines = [_dump_header(transcript)]
    for index, service in enumerate(transcript.services):
        try:
            lines.append(_dump_service(service))
        except _FieldError as error:
            raise ValueError(f"service {index}: {error}") from None
    for index, exchange in enumerate(transcript.exchanges):
        try:
            _check(exchange)
            lines.append(_dump_exchange(exchange))
        except _FieldError as error:
            raise ValueError(f"exchange {index}: {error}") from None
    for index, (before, after) in enumerate(pairwise(transcript.exchanges)):
        if after.at_ns < before.at_ns:
            raise ValueError(f"exchange {index + 1}: at: earlier than the exchange before it")
    return "\n".join(lines) + "\n"


def short_uuid(uuid: str) -> str:
    """Return a UUID as people read it: a 16-bit one as its four hex digits, others as they are."""
    return uuid[4:8] if len(uuid) == 36 and uuid.startswith("0000") and uuid.endswith(_BASE_UUID_TAIL) else uuid


def place_text(place: Place) -> str:
    """Return ``service/characteristic``, with ``#nth`` from the second on, and ``/descriptor`` where one is meant."""
    nth = f"#{place.nth}" if place.nth else ""
    descriptor = f"/{short_uuid(place.descriptor)}" if place.descriptor else ""
    return f"{short_uuid(place.service)}/{short_uuid(place.characteristic)}{nth}{descriptor}"


def error_name(code: int) -> str:
    """Return an ATT error code's name in the Core Specification, or ``0x80`` for one that has none."""
    return ERROR_NAMES.get(code) or f"0x{code:02x}"


def _dump_header(transcript: Transcript) -> str:
    if transcript.mtu is not None and not _is_mtu(transcript.mtu):
        raise ValueError(f"mtu: {transcript.mtu!r} is not a number of octets from 23 to 65535")
    try:
        advertised = [_checked_uuid(uuid, "advertised_services") for uuid in transcript.advertised_services]
    except _FieldError as error:
        raise ValueError(str(error)) from None
    for key in _TEXTS:
        if not _is_text(getattr(transcript, key)):
            raise ValueError(f"{key}: has half of a surrogate pair, which is no text")
    fields: dict[str, object] = {
        "transcript": VERSION,
        "title": transcript.title,
        "name": transcript.name,
        "advertised_services": advertised,
        "protocol": transcript.protocol,
        "mtu": transcript.mtu,
        "source": transcript.source,
    }
    # What is not known is left out: a line says what there is.
    told = {key: value for key, value in fields.items() if key == "title" or value not in ("", [], None)}
    return _json(told)


def _dump_service(service: Service) -> str:
    characteristics = [
        {
            "uuid": _checked_uuid(characteristic.uuid, "characteristics"),
            "properties": " ".join(
                name for name, member in _PROPERTY_NAMES.items() if member in characteristic.properties
            ),
        }
        for characteristic in service.characteristics
    ]
    return _json({"service": _checked_uuid(service.uuid, "service"), "characteristics": characteristics})


def _dump_exchange(exchange: Exchange) -> str:
    # Put together by hand for the sake of the times: as floats they would lose nanoseconds, and trailing zeros align.
    parts = [f'"at": {_seconds(exchange.at_ns)}, "by": "{exchange.by}", "does": "{exchange.does}"']
    if exchange.to is not None:
        parts.append(f'"to": "{place_text(exchange.to)}"')
    if exchange.value is not None:
        parts.append(f'"value": "{exchange.value.hex()}"')
    if exchange.answered_ns is not None:
        parts.append(f'"answered": {_seconds(exchange.answered_ns)}')
    if exchange.error is not None:
        parts.append(f'"error": "{error_name(exchange.error)}"')
    return "{" + ", ".join(parts) + "}"


def _json(fields: dict[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False)


def _seconds(ns: int) -> str:
    """Seconds with six decimals, or nine where there are nanoseconds to tell."""
    whole, rest = divmod(ns, 1_000_000_000)
    return f"{whole}.{rest:09d}" if rest % 1000 else f"{whole}.{rest // 1000:06d}"


# --- reading ----------------------------------------------------------------------------------------------------------


def loads(text: str, name: str = "transcript") -> Transcript:
    """Read a transcript from text.

    Args:
        text: as :func:`dumps` writes it; the order of fields, spaces, empty lines and line ends do not matter.
        name: the file, for errors.

    Raises:
        TranscriptError: it is no transcript, or one of a version that this program cannot read.
    """
    records = _records(text, name)
    if not records:
        raise TranscriptError(f"{name}: is not a transcript: it is empty; `rig replay` makes one of a capture")
    line = records[0].line
    try:
        found = _version(records[0].fields)
        records = migrated(records, found)
        line = records[0].line
        header = _header(records[0].fields)
        services: list[Service] = []
        exchanges: list[Exchange] = []
        for record in records[1:]:
            line = record.line
            _take(record.fields, services, exchanges)
    except _FieldError as error:
        raise TranscriptError(f"{name}, line {line}: {error}") from None
    return replace(header, services=tuple(services), exchanges=tuple(exchanges))


def _take(fields: dict[str, object], services: list[Service], exchanges: list[Exchange]) -> None:
    if "service" in fields:
        if exchanges:
            raise _FieldError("service: services come before the first exchange; move the line up")
        services.append(_service(fields))
        return
    exchange = _exchange(fields)
    if exchanges and exchange.at_ns < exchanges[-1].at_ns:
        raise _FieldError("at: earlier than the exchange before it; put the lines in order of time")
    exchanges.append(exchange)


def _records(text: str, name: str) -> list[Record]:
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_float=Decimal, parse_int=_whole, parse_constant=_no_constant
    )
    records = []
    for number, line in enumerate(text.split("\n"), 1):
        content = line.strip(" \t\r")
        if not content:
            continue
        try:
            value = decoder.decode(content)
        except json.JSONDecodeError as error:
            problem = f"is not JSON ({error.msg} in column {error.colno})"
        except RecursionError:
            problem = "is JSON nested too deeply"
        except (_FieldError, ValueError, ArithmeticError) as error:
            problem = str(error) if isinstance(error, _FieldError) else "has a number that no field can have"
        else:
            if isinstance(value, dict):
                records.append(Record(number, value))
                continue
            problem = "is not a JSON object"
        hint = "" if records else "; is the file a transcript?"
        raise TranscriptError(f"{name}, line {number}: {problem}{hint}")
    return records


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        twice = next(key for at, (key, _) in enumerate(pairs) if key in dict(pairs[:at]))
        raise _FieldError(f"{_key(twice)}: is there twice; leave one")
    return fields


def _whole(digits: str) -> int:
    if len(digits) > 20:  # what no field holds, and what Python takes long to convert
        raise ValueError(digits)
    return int(digits)


def _no_constant(name: str) -> NoReturn:
    raise _FieldError(f"{name} is not a number that JSON has")


def _version(header: dict[str, object]) -> int:
    version = header.get("transcript")
    if version is None:
        raise _FieldError("is not a transcript: the first line has no field `transcript` with the version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise _FieldError(f"transcript: {_shown(version)} is not a version; this program writes {VERSION}")
    if version > VERSION:
        raise _FieldError(
            f"transcript: version {version} is newer than this program reads (up to {VERSION}); use a newer program"
        )
    if version < oldest(STEPS):
        raise _FieldError(f"transcript: there is no version {version}; this program reads {oldest(STEPS)} to {VERSION}")
    return version


def _header(fields: dict[str, object]) -> Transcript:
    """The transcript with nothing in it yet."""
    _only(fields, _HEADER_FIELDS)
    if "title" not in fields:
        raise _FieldError("title: is missing; give the transcript one")
    return Transcript(
        title=_text(fields, "title"),
        exchanges=(),
        name=_text(fields, "name"),
        advertised_services=tuple(_advertised(fields)),
        protocol=_text(fields, "protocol"),
        mtu=_mtu(fields),
        source=_text(fields, "source"),
    )


def _advertised(header: dict[str, object]) -> list[str]:
    listed = header.get("advertised_services", [])
    if not isinstance(listed, list):
        raise _FieldError("advertised_services: is not a list of UUIDs")
    return [_uuid(item, "advertised_services") for item in listed]


def _mtu(header: dict[str, object]) -> int | None:
    mtu = header.get("mtu")
    if mtu is not None and not _is_mtu(mtu):
        raise _FieldError(f"mtu: {_shown(mtu)} is not a number of octets from 23 to 65535")
    return cast("int | None", mtu)


def _is_mtu(mtu: object) -> bool:
    return isinstance(mtu, int) and not isinstance(mtu, bool) and 23 <= mtu <= 0xFFFF  # Vol 3 Part F, 3.2.8 and 5.2.1


def _service(fields: dict[str, object]) -> Service:
    _only(fields, _SERVICE_FIELDS)
    service = _uuid(fields["service"], "service")
    listed = fields.get("characteristics", [])
    if not isinstance(listed, list):
        raise _FieldError("characteristics: is not a list")
    return Service(service, tuple(_characteristic(item) for item in listed))


def _characteristic(item: object) -> Characteristic:
    if not isinstance(item, dict):
        raise _FieldError(f"characteristics: {_shown(item)} is not an object with uuid and properties")
    _only(item, _CHARACTERISTIC_FIELDS, "characteristics: ")
    properties = Property(0)
    for name in _text(item, "properties").split():
        if name not in _PROPERTY_NAMES:
            raise _FieldError(f"properties: {_shown(name)} is none of {', '.join(_PROPERTY_NAMES)}")
        properties |= _PROPERTY_NAMES[name]
    return Characteristic(_uuid(item.get("uuid"), "uuid"), properties)


def _exchange(fields: dict[str, object]) -> Exchange:
    _only(fields, _EXCHANGE_FIELDS)
    by, does = _one_of(fields, "by", _BYS), _one_of(fields, "does", _DOES)
    if "at" not in fields:
        raise _FieldError("at: is missing; give the time in seconds")
    exchange = Exchange(
        at_ns=_nanoseconds(fields["at"], "at"),
        by=cast("By", by),
        does=cast("Does", does),
        to=None if "to" not in fields else _place(fields["to"]),
        value=None if "value" not in fields else _bytes(fields["value"]),
        answered_ns=None if "answered" not in fields else _nanoseconds(fields["answered"], "answered"),
        error=None if "error" not in fields else _error(fields["error"]),
    )
    _check(exchange)
    return exchange


def _check(exchange: Exchange) -> None:
    """See that an exchange has what its kind needs, and nothing that its kind cannot have."""
    does, to = exchange.does, exchange.to
    what = f"{'an' if does[:1] in 'aeiou' else 'a'} {does}"
    if does not in _DOES or exchange.by not in _BYS:
        raise _FieldError(f"does: nobody called {exchange.by!r} does {does!r}")
    if does not in _ENDS and exchange.by != ("device" if does in _PUSHED else "app"):
        raise _FieldError(f"by: {what} is never by the {exchange.by}")
    if not 0 <= exchange.at_ns <= LONGEST_NS or not 0 <= (exchange.answered_ns or 0) <= LONGEST_NS:
        raise _FieldError("at, answered: a time is out of range")
    if (to is None) != (does in _ENDS):
        raise _FieldError(
            f"to: {what} {'is about no characteristic' if to else 'needs the characteristic it is about'}"
        )
    if to is not None:
        _check_place(to, does)
    if does in _CARRY and exchange.value is None:
        raise _FieldError(f'value: {what} needs one; an empty one is ""')
    if exchange.value is not None and does not in _CARRY and does != "read":
        raise _FieldError(f"value: {what} has none")
    if exchange.answered_ns is not None and does not in _ANSWERED:
        raise _FieldError(f"answered: no answer to {what} is due")
    if exchange.error is not None:
        if does not in _REFUSED:
            raise _FieldError(f"error: {what} cannot be refused")
        if does == "read" and exchange.value is not None:
            raise _FieldError("value: a read that was refused has none; leave out value or error")
        if not 0 <= exchange.error <= 0xFF:
            raise _FieldError(f"error: {exchange.error} is no ATT error code")


def _check_place(place: Place, does: str) -> None:
    for uuid in (place.service, place.characteristic, *([place.descriptor] if place.descriptor else [])):
        _checked_uuid(uuid, "to")
    if not 0 <= place.nth <= 0xFFFF:
        raise _FieldError(f"to: there is no characteristic number {place.nth}")
    if place.descriptor == _CCCD:
        raise _FieldError("to: descriptor 2902 is never meant; use subscribe and unsubscribe")
    if place.descriptor and does not in ("read", "write"):
        raise _FieldError(f"to: a {does} is about a characteristic, not a descriptor")


def _only(fields: dict[str, object], known: frozenset[str], where: str = "") -> None:
    unknown = sorted(fields.keys() - known)
    if unknown:
        raise _FieldError(f"{where}{_key(unknown[0])}: is not a field here; known: {', '.join(sorted(known))}")


def _text(fields: dict[str, object], key: str) -> str:
    value = fields.get(key, "")
    if not isinstance(value, str) or not _is_text(value):
        raise _FieldError(f"{key}: {_shown(value)} is not text")
    return value


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8: JSON's escapes and Python's file names may hold half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _one_of(fields: dict[str, object], key: str, known: tuple[str, ...]) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or value not in known:
        problem = f"{_shown(value)} is none of" if key in fields else "is missing; it is one of"
        raise _FieldError(f"{key}: {problem} {', '.join(known)}")
    return value


def _nanoseconds(value: object, key: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise _FieldError(f"{key}: {_shown(value)} is not a number of seconds")
    if not 0 <= value <= _LONGEST_S:
        raise _FieldError(f"{key}: {_shown(value)} s is out of range; times begin at 0")
    ns = _EXACT.scaleb(value, 9) if value else Decimal(0)
    if len(value.as_tuple().digits) > _EXACT.prec or ns != ns.to_integral_value():
        raise _FieldError(f"{key}: {_shown(value)} s is finer than a nanosecond; give nine decimals at most")
    return int(ns)


def _bytes(value: object) -> bytes:
    if not isinstance(value, str) or not _HEX.fullmatch(value.lower()):
        raise _FieldError(f"value: {_shown(value)} is not hex, two digits an octet")
    return bytes.fromhex(value)


def _error(value: object) -> int:
    if isinstance(value, str):
        if value in _ERROR_CODES:
            return _ERROR_CODES[value]
        if _ERROR_CODE.fullmatch(value):
            return int(value, 16)
    raise _FieldError(f'error: {_shown(value)} is no ATT error; use a name such as "write_not_permitted", or "0x80"')


def _place(value: object) -> Place:
    match = _PLACE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _FieldError(
            f'to: {_shown(value)} is not a place; write it as "ffe0/ffe1", "ffe0/ffe1#1" or "ffe0/ffe1/2901"'
        )
    service, characteristic, nth, descriptor = match.groups()
    return Place(
        _uuid(service, "to"),
        _uuid(characteristic, "to"),
        _uuid(descriptor, "to") if descriptor else "",
        int(nth or 0),
    )


def _uuid(value: object, key: str) -> str:
    text = value.lower() if isinstance(value, str) else ""
    if not _UUID.fullmatch(text):
        raise _FieldError(f"{key}: {_shown(value)} is not a UUID; write four hex digits, or all 32 with dashes")
    return full_uuid(text)


def _checked_uuid(uuid: str, key: str) -> str:
    """Return the short spelling of a UUID that has the one spelling of :func:`protocols.gatt.uuid`."""
    if len(uuid) != 36 or not _UUID.fullmatch(uuid):
        raise _FieldError(f"{key}: {uuid!r} is not a UUID as protocols.gatt.uuid spells it")
    return short_uuid(uuid)


def _key(name: str) -> str:
    """A field's name as it is shown: without line breaks, and not longer than a line has room for."""
    return _shown(name)[1:-1] if len(name) <= _LONGEST_SHOWN else _shown(name)


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
