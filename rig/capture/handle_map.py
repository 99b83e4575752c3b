"""Handle maps: attribute tables kept in a file, for captures whose own discovery was not recorded.

Knows one versioned, human-readable JSON format and which table is whose. Refuses to know PDUs: :mod:`rig.capture.gatt`
learns, this keeps.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast, get_args

from rig.capture.gatt import CHARACTERISTIC, INCLUDE, Attribute, AttributeTable, GattTracker, Kind
from rig.capture.layers.links import LOCAL, REMOTE, Address, Link
from rig.capture.records import CaptureError

if TYPE_CHECKING:
    from bleak.backends.service import BleakGATTServiceCollection

FORMAT: Final = "microcurrent handle map"
VERSION: Final = 1
MAX_FILE_BYTES: Final = 1 << 24
"""A map of this size would hold more attributes than four servers can have: it is refused unread."""

_PROPERTIES: Final = (  # Vol 3 Part G, 3.3.1.1, from bit 0; spelled as bleak spells them
    *("broadcast", "read", "write-without-response", "write", "notify", "indicate"),
    *("authenticated-signed-writes", "extended-properties"),
)
_KINDS: Final[tuple[str, ...]] = get_args(Kind)
_TARGETS: Final = {"service": "end", "characteristic": "value", "include": "includes"}
_HEX: Final = frozenset("0123456789abcdef")
_BASE_UUID_TAIL: Final = "-0000-1000-8000-00805f9b34fb"


class MapTable(NamedTuple):
    """One server's attributes in a map."""

    attributes: tuple[Attribute, ...]
    """In order of handles."""
    address: Address | None = None
    """The server's, None where it does not matter or is not known."""
    name: str = ""
    """What people know it by; for people alone."""
    is_local: bool = False
    """It is the server of the host that recorded."""


class HandleMap:
    """Attribute tables by server.

    Args:
        tables: at most one for each server.
    """

    def __init__(self, tables: Iterable[MapTable] = ()) -> None:
        self.tables: tuple[MapTable, ...] = tuple(tables)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HandleMap) and self.tables == other.tables

    __hash__ = None  # type: ignore[assignment]  # compares by value

    # --- use ----------------------------------------------------------------------------------------------------------

    def attributes_for(self, link: Link, side: int) -> tuple[Attribute, ...]:
        """What the map says of the server on ``side`` of ``link``; empty when it says nothing.

        A table goes to the server with its address. The only table of a map, or the only one without an address, goes
        to every other server too that can be meant: the peer in HCI traffic, the peripheral on the air.
        """
        on_air = link.handle is None
        if not on_air and side == LOCAL:
            return next((table.attributes for table in self.tables if table.is_local), ())
        address = link.addresses[side]
        peers = [table for table in self.tables if not table.is_local]
        for table in peers:
            if address is not None and table.address == address:
                return table.attributes
        if on_air and side == link.central_side:
            return ()
        free = peers if len(peers) == 1 else [table for table in peers if table.address is None]
        return free[0].attributes if len(free) == 1 else ()

    # --- where maps come from -----------------------------------------------------------------------------------------

    @classmethod
    def of(cls, tracker: GattTracker, links: Sequence[Link] = (), names: dict[str, str] | None = None) -> HandleMap:
        """Return what a capture has told.

        Args:
            tracker: has named the capture's PDUs.
            links: the capture's, for servers whose address became known late.
            names: address text to device name, for people who read the map.
        """
        for link in links:
            for side in (LOCAL, REMOTE):
                tracker.table(link, side)  # which puts down an address that became known late
        tables = []
        for table in tracker.tables():
            name = (names or {}).get(table.address.text, "") if table.address is not None else ""
            tables.append(MapTable(tuple(table.attributes.values()), table.address, name, table.is_local))
        return cls(tables)

    @classmethod
    def of_services(
        cls, services: BleakGATTServiceCollection, *, address: Address | None = None, name: str = ""
    ) -> HandleMap:
        """Return what a connected ``BleakClient`` has discovered (its ``services``).

        bleak gives a characteristic the handle of its declaration; the value's comes right behind it (Core
        Specification Vol 3 Part G, 3.3.2). Included services are not among what bleak tells.
        """
        table = AttributeTable()
        ordered = sorted(services, key=lambda service: service.handle)
        for at, service in enumerate(ordered):
            last = service.handle
            for characteristic in service.characteristics:
                last = max(last, characteristic.handle + 1, *(d.handle for d in characteristic.descriptors))
            end = ordered[at + 1].handle - 1 if at + 1 < len(ordered) else last
            table.declare_service(service.handle, end, _short(service.uuid))
            for characteristic in service.characteristics:
                properties = _octet(characteristic.properties)
                handle = characteristic.handle
                table.declare_characteristic(handle, properties, handle + 1, _short(characteristic.uuid))
                for descriptor in characteristic.descriptors:
                    table.found(descriptor.handle, _short(descriptor.uuid))
        return cls([MapTable(tuple(table.attributes.values()), address, name)] if table else [])

    # --- files --------------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: str | Path) -> HandleMap:
        """Read a map.

        Raises:
            CaptureError: it cannot be read, or is no handle map; the message names the field.
        """
        try:
            with Path(path).open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise CaptureError(str(path), f"cannot be read: {error.strerror or error}") from error
        if len(data) > MAX_FILE_BYTES:
            raise CaptureError(str(path), "is too large for a handle map; `rig decode --save-map` makes one")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise CaptureError(str(path), "is not a handle map: not text in UTF-8", error.start) from error
        return cls.from_json(text, str(path))

    def save(self, path: str | Path) -> None:
        """Write the map.

        Raises:
            OSError: the file cannot be written.
        """
        Path(path).write_text(self.to_json(), encoding="utf-8")

    def to_json(self) -> str:
        """Return the map as JSON, one line per attribute."""
        tables = []
        for table in self.tables:
            head: dict[str, object] = {}
            if table.address is not None:
                head["address"] = table.address.text
                head["address_type"] = "random" if table.address.is_random else "public"
            if table.name:
                head["name"] = table.name
            if table.is_local:
                head["server"] = "host"
            lines = [f"    {_dump(key)}: {_dump(value)}" for key, value in head.items()]
            rows = ",\n".join(f"      {_dump(_row(attribute))}" for attribute in table.attributes)
            lines.append('    "attributes": [\n' + rows + "\n    ]" if rows else '    "attributes": []')
            tables.append("  {\n" + ",\n".join(lines) + "\n  }")
        listed = "[\n" + ",\n".join(tables) + "\n]" if tables else "[]"
        return f'{{\n"format": {_dump(FORMAT)},\n"version": {VERSION},\n"tables": {listed}\n}}\n'

    @classmethod
    def from_json(cls, text: str, name: str = "handle map") -> HandleMap:
        """Read a map from JSON.

        Args:
            text: as :meth:`to_json` writes it; order, spaces and line ends do not matter.
            name: the file, for errors.

        Raises:
            CaptureError: it is no handle map; the message names the field.
        """
        try:
            return cls(_tables(json.loads(text)))
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise CaptureError(name, f"is not a handle map: not JSON ({error.msg} in {where})") from error
        except RecursionError as error:
            raise CaptureError(name, "is not a handle map: JSON nested too deeply") from error
        except _FieldError as error:
            raise CaptureError(name, str(error)) from error
        except ValueError as error:  # a number with more digits than Python converts
            raise CaptureError(name, f"is not a handle map: {error}") from error


class _FieldError(Exception):
    """A field is not what it has to be; the message begins with the field."""


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _row(attribute: Attribute) -> dict[str, object]:
    kind = attribute.kind
    row: dict[str, object] = {"handle": f"0x{attribute.handle:04x}", "kind": kind}
    uuid = attribute.characteristic if kind == "characteristic" else attribute.uuid
    if kind == "service" and attribute.uuid in ("2800", "2801"):
        uuid = ""  # the declaration is known, what it declares is not
    if kind != "include":
        row["uuid"] = uuid
    if kind in _TARGETS and attribute.target:
        row[_TARGETS[kind]] = f"0x{attribute.target:04x}"
    if kind == "characteristic":
        row["properties"] = [name for bit, name in enumerate(_PROPERTIES) if attribute.properties >> bit & 1]
    if attribute.secondary:
        row["secondary"] = True
    return row


def _octet(names: Iterable[str]) -> int:
    return sum(1 << _PROPERTIES.index(name) for name in set(names) if name in _PROPERTIES)


def _short(uuid: str) -> str:
    """Spell a dashed UUID as the ``uuid`` column does."""
    uuid = uuid.lower()
    return uuid[4:8] if uuid.startswith("0000") and uuid.endswith(_BASE_UUID_TAIL) else uuid


# --- reading, field by field ------------------------------------------------------------------------------------------


def _tables(data: object) -> list[MapTable]:
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise _FieldError(f"is not a handle map: `format` has to be {FORMAT!r}")
    version = data.get("version")
    if version != VERSION or isinstance(version, bool):
        raise _FieldError(f"version: this program reads version {VERSION}, the file has {version!r:.40}")
    found = [_table(item, f"tables[{at}]") for at, item in enumerate(_list(data.get("tables"), "tables"))]
    seen: set[tuple[bool, Address | None]] = set()
    for at, table in enumerate(found):
        key = (table.is_local, table.address)
        if key in seen and key[1] is not None:
            raise _FieldError(f"tables[{at}].address: a second table for {table.address.text if table.address else ''}")
        seen.add(key)
    return found


def _table(data: object, at: str) -> MapTable:
    if not isinstance(data, dict):
        raise _FieldError(f"{at}: has to be an object")
    server = data.get("server", "peer")
    if server not in ("peer", "host"):
        raise _FieldError(f"{at}.server: has to be 'peer' or 'host', not {server!r:.40}")
    name = data.get("name", "")
    if not isinstance(name, str):
        raise _FieldError(f"{at}.name: has to be text")
    table = AttributeTable()
    given: set[int] = set()
    attributes = []
    for index, item in enumerate(_list(data.get("attributes"), f"{at}.attributes")):
        attribute = _attribute(item, f"{at}.attributes[{index}]")
        if attribute.handle in given:
            raise _FieldError(f"{at}.attributes[{index}].handle: 0x{attribute.handle:04x} is there twice")
        given.add(attribute.handle)
        attributes.append(attribute)
    table.learn(attributes)
    return MapTable(tuple(table.attributes.values()), _address(data, at), name, server == "host")


def _address(data: dict[str, object], at: str) -> Address | None:
    text = data.get("address")
    if text is None:
        return None
    parts = text.split(":") if isinstance(text, str) else []
    if len(parts) != 6 or any(len(part) != 2 or not set(part.lower()) <= _HEX for part in parts):
        raise _FieldError(f"{at}.address: has to look like AA:BB:CC:DD:EE:FF, not {text!r:.40}")
    kind = data.get("address_type", "public")
    if kind not in ("public", "random"):
        raise _FieldError(f"{at}.address_type: has to be 'public' or 'random', not {kind!r:.40}")
    return Address(":".join(parts).upper(), kind == "random")


def _attribute(data: object, at: str) -> Attribute:
    if not isinstance(data, dict):
        raise _FieldError(f"{at}: has to be an object")
    handle = _handle(data.get("handle"), f"{at}.handle")
    text = data.get("kind")
    if text not in _KINDS:
        raise _FieldError(f"{at}.kind: has to be one of {', '.join(_KINDS)}, not {text!r:.40}")
    kind = cast("Kind", text)
    uuid = INCLUDE if kind == "include" else _uuid(data.get("uuid"), f"{at}.uuid", kind)
    target = 0
    if kind in _TARGETS and (value := data.get(_TARGETS[kind])) is not None:
        target = _handle(value, f"{at}.{_TARGETS[kind]}")
    if kind == "service" and target and target < handle:
        raise _FieldError(f"{at}.end: 0x{target:04x} lies before the service's first handle")
    properties = 0
    if kind == "characteristic":
        for name in _list(data.get("properties", []), f"{at}.properties"):
            if name not in _PROPERTIES:
                raise _FieldError(f"{at}.properties: {name!r:.40} is none of {', '.join(_PROPERTIES)}")
            properties |= 1 << _PROPERTIES.index(name)
    secondary = data.get("secondary", False)
    if not isinstance(secondary, bool):
        raise _FieldError(f"{at}.secondary: has to be true or false")
    if kind == "characteristic":
        return Attribute(handle, kind, CHARACTERISTIC, "", uuid, properties, target)
    return Attribute(handle, kind, uuid, "", "", 0, target, secondary)


def _handle(value: object, at: str) -> int:
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(value, str) and value.lower().startswith("0x") and 3 <= len(value) <= 6:
        digits = value[2:].lower()
        number = int(digits, 16) if set(digits) <= _HEX else None
    if number is None or not 0 < number <= 0xFFFF:
        raise _FieldError(f"{at}: has to be a handle from 0x0001 to 0xffff, not {value!r:.40}")
    return number


def _uuid(value: object, at: str, kind: Kind) -> str:
    text = value.lower() if isinstance(value, str) else None
    if text == "" and kind in ("service", "characteristic"):
        return ""  # the declaration is known, what it declares is not
    if text is not None and len(text) == 4 and set(text) <= _HEX:
        return text
    if text is not None and [len(part) for part in text.split("-")] == [8, 4, 4, 4, 12] and set(text) <= _HEX | {"-"}:
        return _short(text)
    raise _FieldError(f"{at}: has to be four hex digits or a dashed UUID, not {value!r:.60}")


def _list(value: object, at: str) -> list[object]:
    if not isinstance(value, list):
        raise _FieldError(f"{at}: has to be a list")
    return value
