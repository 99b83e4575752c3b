"""Advertising data: from what a device says about itself to bytes, and from bytes to what bleak tells.

Knows the AD structures (Supplement to the Core Specification, Part A). Refuses to know who sends them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from rig.devices.model import Advertisement

_BASE_TAIL = "-0000-1000-8000-00805f9b34fb"
_LIMIT = 31  # octets of legacy advertising data, and again of the scan response (Vol 6 Part B 2.3.1.1)

_FLAGS = 0x01
_SOME_UUID16, _ALL_UUID16, _SOME_UUID32, _ALL_UUID32, _SOME_UUID128, _ALL_UUID128 = range(0x02, 0x08)
_SHORT_NAME, _NAME, _TX_POWER = 0x08, 0x09, 0x0A
_DATA16, _DATA32, _DATA128, _MANUFACTURER = 0x16, 0x20, 0x21, 0xFF
_GENERAL_DISCOVERABLE_LE_ONLY = 0x06


@dataclass(slots=True)
class Heard:
    """What advertising data say, keyed and spelled as bleak does: UUIDs in full, dashed, lower case."""

    local_name: str | None = None
    tx_power: int | None = None
    service_uuids: list[str] = field(default_factory=list)
    service_data: dict[str, bytes] = field(default_factory=dict)
    manufacturer_data: dict[int, bytes] = field(default_factory=dict)


def encode(advertisement: Advertisement, tx_power: int | None = None) -> tuple[bytes, bytes]:
    """Return advertising data and scan response data, at most 31 octets each; the first holds what it can.

    Raises:
        ValueError: it does not fit into both.
    """
    flags = _structure(_FLAGS, bytes((_GENERAL_DISCOVERABLE_LE_ONLY,)))
    parts: list[bytes] = []
    if tx_power is not None:
        parts.append(_structure(_TX_POWER, struct.pack("b", tx_power)))
    short = [u for u in map(wire_uuid, advertisement.service_uuids) if len(u) == 2]
    full = [u for u in map(wire_uuid, advertisement.service_uuids) if len(u) == 16]
    if short:
        parts.append(_structure(_ALL_UUID16, b"".join(short)))
    if full:
        parts.append(_structure(_ALL_UUID128, b"".join(full)))
    if advertisement.name:
        parts.append(_structure(_NAME, advertisement.name.encode()))
    parts += [_structure(_MANUFACTURER, struct.pack("<H", key) + d) for key, d in advertisement.manufacturer_data]
    for service, data in advertisement.service_data:
        wire = wire_uuid(service)
        parts.append(_structure(_DATA16 if len(wire) == 2 else _DATA128, wire + data))
    first, second = flags, b""
    for part in parts:
        if len(first) + len(part) <= _LIMIT:
            first += part
        elif len(second) + len(part) <= _LIMIT:
            second += part
        else:
            total = len(flags) + sum(map(len, parts))
            raise ValueError(
                f"the advertisement of {advertisement.name!r} is {total} octets and does not fit into 31 of "
                "advertising data and 31 of scan response: leave something out"
            )
    return first, second


def decode(*parts: bytes) -> Heard:
    """Return what advertising data, and a scan response, say together; what is malformed is passed over."""
    heard = Heard()
    for part in parts:
        for kind, value in _structures(part):
            _take(heard, kind, value)
    return heard


def _take(heard: Heard, kind: int, value: bytes) -> None:
    if kind in (_NAME, _SHORT_NAME):
        heard.local_name = value.decode(errors="replace")
    elif kind == _TX_POWER and len(value) == 1:
        heard.tx_power = struct.unpack("b", value)[0]
    elif _SOME_UUID16 <= kind <= _ALL_UUID128:
        size = (2, 4, 16)[(kind - _SOME_UUID16) // 2]
        for start in range(0, len(value) - size + 1, size):
            service = _uuid_text(value[start : start + size])
            if service not in heard.service_uuids:
                heard.service_uuids.append(service)
    elif kind in (_DATA16, _DATA32, _DATA128):
        size = {_DATA16: 2, _DATA32: 4, _DATA128: 16}[kind]
        if len(value) >= size:
            heard.service_data[_uuid_text(value[:size])] = value[size:]
    elif kind == _MANUFACTURER and len(value) >= 2:
        heard.manufacturer_data[struct.unpack_from("<H", value)[0]] = value[2:]


def _structures(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start + 1 < len(data) and data[start]:
        end = start + 1 + data[start]
        if end > len(data):
            return
        yield data[start + 1], data[start + 2 : end]
        start = end


def _structure(kind: int, value: bytes) -> bytes:
    return bytes((len(value) + 1, kind)) + value


def wire_uuid(uuid: str) -> bytes:
    """Return a UUID as it goes over the air: little-endian, two octets where it is a 16-bit one, else sixteen."""
    full = UUID(uuid if len(uuid) > 4 else f"0000{uuid}{_BASE_TAIL}")
    if str(full).startswith("0000") and str(full).endswith(_BASE_TAIL):
        return bytes(reversed(full.bytes[2:4]))
    return bytes(reversed(full.bytes))


def _uuid_text(wire: bytes) -> str:
    if len(wire) == 16:
        return str(UUID(bytes=bytes(reversed(wire))))
    return f"{int.from_bytes(wire, 'little'):08x}{_BASE_TAIL}"
