"""What attribute handles mean: learned from the discovery in a capture, per link and per server side.

Knows how the discovery procedures of GATT (Core Specification Vol 3 Part G, 4.3 to 4.7) tell a server's attributes.
Refuses to know files, packets and devices: complete ATT PDUs go in, handles and UUIDs come out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from rig.capture import att
from rig.capture.layers.links import LOCAL, REMOTE, UNKNOWN_SIDE, Address, AttPdu, Link

if TYPE_CHECKING:
    from rig.capture.handle_map import HandleMap

Kind = Literal["service", "include", "characteristic", "value", "descriptor"]

PRIMARY_SERVICE: Final = "2800"
SECONDARY_SERVICE: Final = "2801"
INCLUDE: Final = "2802"
CHARACTERISTIC: Final = "2803"

LEARNING_OPCODES: Final = frozenset(
    {
        att.FIND_INFORMATION_RESPONSE,
        att.FIND_BY_TYPE_VALUE_RESPONSE,
        att.READ_BY_TYPE_RESPONSE,
        att.READ_BY_GROUP_TYPE_RESPONSE,
    }
)
"""PDUs after which a name may be another one. Read responses join them while ``GattTracker.learns_from_reads``."""

MAX_ATTRIBUTES: Final = 1 << 18
"""How many attributes a tracker learns over all servers; a hostile capture could otherwise declare them without end."""

MAX_LINKS: Final = 1 << 16
"""How many links a tracker has at hand; beyond, it looks their tables up again, and forgets what waits."""

_NO_NAMES: Final[dict[int, str]] = {}
_KEPT_OF_REQUEST: Final = 32  # the longest that is looked at again: Find By Type Value with a 128-bit UUID, 23 octets
_LAST_HANDLE: Final = 0xFFFF
_BASE_UUID_TAIL: Final = "-0000-1000-8000-00805f9b34fb"  # Vol 3 Part B, 2.5.1
_INFORMATION: Final = "information"


def uuid_text(little_endian: bytes) -> str:
    """Spell a UUID of 2, 4 or 16 octets as ATT carries it: four hex digits for a 16-bit one, else the dashed form.

    A 128-bit one that is a 16-bit one written out is spelled as that. Other lengths give an empty string.
    """
    size = len(little_endian)
    if size == 2:
        return f"{little_endian[1]:02x}{little_endian[0]:02x}"
    if size == 4:
        digits = little_endian[::-1].hex()
        return digits[4:] if digits.startswith("0000") else digits + _BASE_UUID_TAIL
    if size != 16:
        return ""
    digits = little_endian[::-1].hex()
    dashed = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return dashed[4:8] if dashed.startswith("0000") and dashed.endswith(_BASE_UUID_TAIL) else dashed


class Attribute(NamedTuple):
    """One attribute of a server's table. UUIDs in the spelling of :func:`uuid_text`; empty where not known."""

    handle: int
    kind: Kind
    uuid: str
    """What the ``uuid`` column says: of a service its own UUID, of an include ``2802``, of a characteristic's
    declaration ``2803``, of a value its characteristic's, of a descriptor its type."""
    service: str = ""
    """UUID of the service that it belongs to."""
    characteristic: str = ""
    """UUID of the characteristic that it declares, is the value of, or describes."""
    properties: int = 0
    """Of a characteristic and its value: the properties octet (Vol 3 Part G, 3.3.1.1)."""
    target: int = 0
    """Of a service its last handle, of a characteristic's declaration its value's handle, of an include the first
    handle of the included service; else 0."""
    secondary: bool = False
    """Of a service: it was declared as a secondary one."""


class _Fact(NamedTuple):
    """What one discovery PDU told of one handle."""

    kind: Kind
    uuid: str
    properties: int = 0
    target: int = 0
    secondary: bool = False


class AttributeTable:
    """What is known of one server's attributes.

    Never holds more than the 65,535 handles that there are. A declaration that contradicts an earlier one means another
    table (new firmware, or a map of another device): all that was known before is then forgotten.

    Args:
        address: the server's, where it is known.
        is_local: it is the server of the host that recorded.
    """

    __slots__ = (
        "_attributes",
        "_characteristics",
        "_covered",
        "_facts",
        "_services",
        "address",
        "is_local",
        "names",
        "unread",
    )

    def __init__(self, address: Address | None = None, *, is_local: bool = False) -> None:
        self.address = address
        self.is_local = is_local
        self.names: dict[int, str] = {}
        """Handle to what the ``uuid`` column says; the same object for as long as the table lives."""
        self.unread: set[int] = set()
        """Handles of declarations whose content only a read of them can tell."""
        self._facts: dict[int, _Fact] = {}
        self._services: list[int] = []  # handles of the declarations, in order
        self._characteristics: list[int] = []
        self._covered: dict[str, list[tuple[int, int]]] = {}
        self._attributes: dict[int, Attribute] | None = {}

    def __len__(self) -> int:
        return len(self._facts)

    @property
    def attributes(self) -> dict[int, Attribute]:
        """Handle to attribute, in order of handles, each with the service and characteristic that it belongs to."""
        if self._attributes is None:
            self._attributes = {handle: self._resolved(handle, self._facts[handle]) for handle in sorted(self._facts)}
        return self._attributes

    def attribute(self, handle: int) -> Attribute | None:
        """The attribute with that handle; cheaper than :attr:`attributes` while a table is still growing."""
        fact = self._facts.get(handle)
        return None if fact is None else self._resolved(handle, fact)

    @property
    def complete(self) -> bool:
        """Whether discovery left no handle of any primary service open.

        The primary services were asked for to the last handle, and each handle in their ranges is known or was asked
        for with Find Information to no avail.
        """
        if not _covers(self._covered.get(PRIMARY_SERVICE, []), 1, _LAST_HANDLE) or self.unread:
            return False
        information = self._covered.get(_INFORMATION, [])
        characteristics = self._covered.get(CHARACTERISTIC, [])
        expected, end, in_characteristic = 1, 0, False
        for handle, fact in [*sorted(self._facts.items()), (_LAST_HANDLE + 1, _Fact("service", ""))]:
            # Before its first characteristic a service may hide only declarations, after it descriptors too.
            gap_end = min(handle - 1, end)
            if not _covers(information, expected, gap_end) and (
                in_characteristic or not _covers(characteristics, expected, gap_end)
            ):
                return False
            if fact.kind == "service":
                end, in_characteristic = fact.target, False
            in_characteristic |= fact.kind == "characteristic"
            expected = handle + 1
        return True

    def name(self, handle: int) -> str:
        """What the ``uuid`` column says of ``handle``; empty when it is not known."""
        return self.names.get(handle, "")

    # --- learning -----------------------------------------------------------------------------------------------------

    def learn(self, attributes: Iterable[Attribute]) -> None:
        """Take a table learned elsewhere. Of values, the properties are those of their declarations."""
        for attribute in attributes:
            handle, kind = attribute.handle, attribute.kind
            uuid = attribute.characteristic if kind == "characteristic" else attribute.uuid
            if kind == "service" and uuid in (PRIMARY_SERVICE, SECONDARY_SERVICE):
                uuid = ""  # what is known is the declaration, not yet what it declares
            self._set(handle, _Fact(kind, uuid, attribute.properties, attribute.target, attribute.secondary))
        for handle in self._characteristics:
            fact = self._facts[handle]
            value = self._facts.get(fact.target)
            if value is not None and value.kind == "value":
                self._set(fact.target, value._replace(properties=fact.properties))
            elif value is None and fact.target and fact.uuid:
                self._set(fact.target, _Fact("value", fact.uuid, fact.properties))

    def declare_service(self, start: int, end: int, uuid: str, *, secondary: bool = False) -> None:
        """Take a service declaration; ``uuid`` is empty where only a read of the declaration can tell it."""
        old = self._facts.get(start)
        if not uuid and old is not None and old.kind == "service":
            uuid = old.uuid
        if start and self._agrees(old, "service", uuid):
            self._set(start, _Fact("service", uuid, 0, end, secondary))

    def declare_include(self, handle: int, start: int, end: int, uuid: str) -> None:
        """Take an include declaration, and what it tells of the service that it includes."""
        if handle and self._agrees(self._facts.get(handle), "include", INCLUDE):
            self._set(handle, _Fact("include", INCLUDE, 0, start))
            old = self._facts.get(start)
            if start and (old is None or (uuid and not old.uuid)):
                # Primary services are discovered without their includes: one that nothing else declared is secondary.
                self._set(start, _Fact("service", uuid, 0, end, secondary=old is None or old.secondary))

    def declare_characteristic(self, handle: int, properties: int, value_handle: int, uuid: str) -> None:
        """Take a characteristic declaration and with it what its value's handle means."""
        if handle and self._agrees(self._facts.get(handle), "characteristic", uuid):
            self._set(handle, _Fact("characteristic", uuid, properties, value_handle))
            if value_handle and value_handle != handle:
                self._set(value_handle, _Fact("value", uuid, properties))

    def found(self, handle: int, type_uuid: str, *, readable_by_type: bool = False) -> None:
        """Take an attribute's type, as Find Information tells it, or Read By Type (``readable_by_type``)."""
        old = self._facts.get(handle)
        if type_uuid in (PRIMARY_SERVICE, SECONDARY_SERVICE):
            fact = _Fact("service", "", secondary=type_uuid == SECONDARY_SERVICE)
        elif type_uuid == INCLUDE:
            fact = _Fact("include", INCLUDE)
        elif type_uuid == CHARACTERISTIC:
            fact = _Fact("characteristic", "")
        else:
            # A value's type is its characteristic's UUID (Vol 3 Part G, 3.3.2), so one that is known loses nothing.
            if old is not None and old.uuid == type_uuid and old.kind in ("value", "descriptor"):
                return
            before = self._facts.get(handle - 1)
            follows_declaration = before is not None and before.kind == "characteristic"
            is_value = follows_declaration or readable_by_type or _is_characteristic(type_uuid)
            if _is_descriptor(type_uuid):
                is_value = False
            properties = before.properties if before is not None and follows_declaration and is_value else 0
            fact = _Fact("value" if is_value else "descriptor", type_uuid, properties)
        if handle and type_uuid and (old is None or old.kind != fact.kind or fact.kind in ("value", "descriptor")):
            self._set(handle, fact)

    def read(self, handle: int, value: bytes) -> None:
        """Take the value of a declaration that was read by its handle (Vol 3 Part G, 3.1, 3.2, 3.3.1)."""
        fact = self._facts.get(handle)
        if fact is None:
            return
        if fact.kind == "service" and len(value) in (2, 16):
            self._set(handle, fact._replace(uuid=uuid_text(value)))
        elif fact.kind == "characteristic" and len(value) in (5, 19):
            self.declare_characteristic(handle, value[0], value[1] | value[2] << 8, uuid_text(value[3:]))
        elif fact.kind == "include" and len(value) in (4, 6):
            start, end = value[0] | value[1] << 8, value[2] | value[3] << 8
            self.declare_include(handle, start, end, uuid_text(value[4:]))

    def cover(self, what: str, start: int, end: int) -> None:
        """Note that discovery of ``what`` has gone from handle ``start`` to ``end``."""
        if not 0 < start <= end:
            return
        spans = self._covered.setdefault(what, [])
        at = bisect_right(spans, (start, _LAST_HANDLE))
        while at and spans[at - 1][1] >= start - 1:
            at -= 1
            start, end = min(start, spans[at][0]), max(end, spans[at][1])
            del spans[at]
        while at < len(spans) and spans[at][0] <= end + 1:
            end = max(end, spans[at][1])
            del spans[at]
        spans.insert(at, (start, end))

    def _agrees(self, old: _Fact | None, kind: Kind, uuid: str) -> bool:
        """Make room for a declaration: whatever contradicts it was another table. Always true."""
        if old is not None and (old.kind != kind or (old.uuid and uuid and old.uuid != uuid)):
            self._facts.clear()
            self._services.clear()
            self._characteristics.clear()
            self.names.clear()
            self.unread.clear()
            self._covered.clear()
            self._attributes = None
        return True

    def _set(self, handle: int, fact: _Fact) -> None:
        old = self._facts.get(handle)
        if old is None or old.kind != fact.kind:
            if old is not None and (declared := self._declared(old.kind)) is not None:
                del declared[bisect_left(declared, handle)]
            if (declared := self._declared(fact.kind)) is not None:
                insort(declared, handle)
        self._facts[handle] = fact
        self._attributes = None
        if fact.kind == "characteristic":
            self.names[handle] = CHARACTERISTIC
        elif fact.kind == "service" and not fact.uuid:
            self.names[handle] = SECONDARY_SERVICE if fact.secondary else PRIMARY_SERVICE
        else:
            self.names[handle] = fact.uuid
        if not (fact.target if fact.kind == "include" else fact.uuid):
            self.unread.add(handle)
        else:
            self.unread.discard(handle)

    def _declared(self, kind: Kind) -> list[int] | None:
        if kind == "service":
            return self._services
        return self._characteristics if kind == "characteristic" else None

    def _resolved(self, handle: int, fact: _Fact) -> Attribute:
        """Find the service and the characteristic that an attribute belongs to: the last declared before it."""
        kind = fact.kind
        first = 0
        service = ""
        at = bisect_right(self._services, handle)
        if at:
            declaration = self._facts[self._services[at - 1]]
            if not declaration.target or handle <= declaration.target or kind == "service":
                first, service = self._services[at - 1], declaration.uuid
        of = fact.uuid if kind in ("characteristic", "value") else ""
        if kind == "descriptor":
            at = bisect_left(self._characteristics, handle)
            if at and self._characteristics[at - 1] >= first:
                of = self._facts[self._characteristics[at - 1]].uuid
        return Attribute(handle, kind, self.names[handle], service, of, fact.properties, fact.target, fact.secondary)


def _is_descriptor(uuid: str) -> bool:
    return len(uuid) == 4 and uuid.startswith("29")  # Assigned Numbers, 3.7


def _is_characteristic(uuid: str) -> bool:
    return len(uuid) == 4 and uuid.startswith(("2a", "2b"))  # Assigned Numbers, 3.8


def _covers(spans: list[tuple[int, int]], start: int, end: int) -> bool:
    at = bisect_right(spans, (start, _LAST_HANDLE))
    return start > end or (at > 0 and spans[at - 1][0] <= start and spans[at - 1][1] >= end)


# How each opcode finds its handle; a table of octets, because this is asked for every PDU of a capture.
_NOTHING, _SERVER_SAYS, _CLIENT_SAYS, _REQUEST_OF_HANDLE = range(4)
_REQUEST, _RESPONSE, _ERROR, _INDICATION, _CONFIRMATION = range(4, 9)


def _ways() -> bytes:
    ways = bytearray(256)
    for response, request in att.RESPONSE_TO.items():
        ways[request] = _REQUEST_OF_HANDLE if request in att.HANDLE_FIRST else _REQUEST
        ways[response] = _RESPONSE
    ways[att.HANDLE_VALUE_NOTIFICATION] = _SERVER_SAYS
    ways[att.WRITE_COMMAND] = ways[att.SIGNED_WRITE_COMMAND] = _CLIENT_SAYS
    ways[att.ERROR_RESPONSE] = _ERROR
    ways[att.HANDLE_VALUE_INDICATION] = _INDICATION
    ways[att.HANDLE_VALUE_CONFIRMATION] = _CONFIRMATION
    return bytes(ways)


_WAY: Final = _ways()
_OTHER: Final = (REMOTE, LOCAL, UNKNOWN_SIDE)  # by side; the other of an unknown one, at index -1, is unknown too

_Key = tuple[str, object, object]

Waits = tuple[int, int] | tuple[int, int, int]
"""A client on one bearer: (link number, client's side), and the bearer where it is not that of LE's fixed channel."""

LE_FIXED_CHANNEL: Final = 4


class GattTracker:
    """Learns what handles mean from the PDUs of a capture, and names each PDU by what is known when it comes.

    A table belongs to a server. The remote server's is kept for its address over all links of the capture, because a
    central that knows a device does not discover it again (Vol 3 Part G, 2.5.2); the recording host's own is kept for
    its controller. A server without a known address is one with its link.

    Args:
        handle_map: tables learned elsewhere; what the capture itself tells goes before them.
    """

    def __init__(self, handle_map: HandleMap | None = None) -> None:
        self._map = handle_map
        self._tables: dict[_Key, AttributeTable] = {}
        self._names: dict[int, list[dict[int, str]]] = {}  # link number to names by side, found again when forgotten
        self._with_unread: set[int] = set()  # ids of the tables with declarations that only a read can tell
        self._learned = 0
        self.pending: dict[Waits, bytes] = {}
        """Who waits for a response, to the request PDU, cut to its first 32 octets."""
        self.indications: dict[Waits, bytes] = {}
        """Who owes a confirmation, to the indication PDU, cut alike."""

    # --- tables -------------------------------------------------------------------------------------------------------

    def table(self, link: Link, side: int) -> AttributeTable | None:
        """What is known of the server on ``side`` of ``link``; None when nothing is."""
        table = self._find(link, side) or self._mapped(link, side)
        return table or self._find(link, UNKNOWN_SIDE) or None

    def tables(self) -> tuple[AttributeTable, ...]:
        """Every table of which something is known, in order of appearance."""
        return tuple(table for table in self._tables.values() if table)

    @property
    def learns_from_reads(self) -> bool:
        """Whether a declaration is known whose content is not: then a read response may change a name too."""
        return bool(self._with_unread)

    def _open(self, link: Link) -> list[dict[int, str]]:
        """Find the names for both sides of a link, and for what was said by nobody knows whom."""
        if len(self._names) >= MAX_LINKS:
            self._names.clear()
            self.pending.clear()
            self.indications.clear()
        names = []
        for side in (LOCAL, REMOTE, UNKNOWN_SIDE):
            table = self._find(link, side) or self._mapped(link, side)
            names.append(_NO_NAMES if table is None else table.names)
        self._names[link.number] = names
        return names

    def _key(self, link: Link, side: int) -> _Key:
        """Whose table it is."""
        if side == LOCAL and link.handle is not None:
            return ("controller", link.controller, link.transport)
        address = None if side == UNKNOWN_SIDE else link.addresses[side]
        if address is not None:
            return ("address", address.text, address.is_random)
        return ("link", link.number, side)

    def _find(self, link: Link, side: int) -> AttributeTable | None:
        key = self._key(link, side)
        table = self._tables.get(key)
        if table is None and key[0] == "address":
            # Learned before the address was: captures that begin in mid-connection tell it late, or never.
            table = self._tables.pop(("link", link.number, side), None)
            if table is not None:
                table.address = link.addresses[side]
                self._tables[key] = table
        return table

    def _mapped(self, link: Link, side: int) -> AttributeTable | None:
        """Begin a table with what the map says of that server, if it does."""
        if self._map is None or side == UNKNOWN_SIDE:
            return None
        attributes = self._map.attributes_for(link, side)
        if not attributes or self._learned + len(attributes) > MAX_ATTRIBUTES:
            return None
        table = self._new_table(link, side)
        table.learn(attributes)
        self._account(table, 0)
        return table

    def _new_table(self, link: Link, side: int) -> AttributeTable:
        is_local = side == LOCAL and link.handle is not None
        address = None if side == UNKNOWN_SIDE or is_local else link.addresses[side]
        table = self._tables[self._key(link, side)] = AttributeTable(address, is_local=is_local)
        return table

    def _account(self, table: AttributeTable, before: int) -> None:
        self._learned += len(table) - before
        if table.unread:
            self._with_unread.add(id(table))
        else:
            self._with_unread.discard(id(table))

    # --- naming -------------------------------------------------------------------------------------------------------

    def name(self, pdu: AttPdu) -> tuple[int | None, str]:
        """Learn from a PDU and tell what it is about: the attribute's handle (None: none, or not known) and its UUID.

        PDUs are to come in the order of the capture. Never raises on any bytes. A response is about the handle of its
        request, a confirmation about that of its indication, an error about the one that it names itself.
        """
        _, _, link, side, data, _, bearer = pdu
        if len(data) < 3:
            return self._name_short(link, side, bearer, data)
        way = _WAY[data[0]]
        if way == _NOTHING:
            return None, ""
        number = link.number
        if way <= _REQUEST_OF_HANDLE:
            handle = data[1] | data[2] << 8
            server = side if way == _SERVER_SAYS else _OTHER[side]
            if way == _REQUEST_OF_HANDLE:
                client = (number, side) if bearer == LE_FIXED_CHANNEL else (number, side, bearer)
                self.pending[client] = data if len(data) <= _KEPT_OF_REQUEST else data[:_KEPT_OF_REQUEST]
            names = self._names.get(number)
            uuid = names[server].get(handle) if names is not None else None
            return handle, uuid if uuid is not None else self._name_of(link, server, handle)
        if way == _RESPONSE:
            return self._name_response(link, side, bearer, data)
        return self._name_seldom(way, link, side, bearer, data)

    def _name_of(self, link: Link, server: int, handle: int) -> str:
        """Name a handle that the table of that side does not have, or whose side is not known."""
        names = self._names.get(link.number) or self._open(link)
        uuid = names[server].get(handle) or names[UNKNOWN_SIDE].get(handle)
        if uuid is None and server == UNKNOWN_SIDE:
            known = {uuid for side in (LOCAL, REMOTE) if (uuid := names[side].get(handle))}
            uuid = known.pop() if len(known) == 1 else None  # two servers that differ: no telling which is meant
        return uuid or ""

    def _name_short(self, link: Link, side: int, bearer: int, data: bytes) -> tuple[int | None, str]:
        """Name a PDU without room for a handle: responses and the confirmation, and what a recorder cut."""
        if not data:
            return None, ""
        way = _WAY[data[0]]
        if way == _RESPONSE:
            return self._name_response(link, side, bearer, data)
        if way == _CONFIRMATION:
            return self._name_seldom(way, link, side, bearer, data)
        if way in (_REQUEST, _REQUEST_OF_HANDLE):
            self.pending[_waits(link.number, side, bearer)] = data
        return None, ""

    def _name_response(self, link: Link, side: int, bearer: int, data: bytes) -> tuple[int | None, str]:
        request = _answered(self.pending, link.number, _OTHER[side], bearer)
        opcode = data[0]
        # A bearer has one request under way at a time (Vol 3 Part F, 3.3.2): another opcode means that the capture
        # lacks the request of this response.
        if request is None or request[0] != att.RESPONSE_TO[opcode]:
            handle = data[1] | data[2] << 8 if opcode in att.HANDLE_FIRST and len(data) > 2 else None
            return handle, "" if handle is None else self._name_of(link, side, handle)
        if opcode in LEARNING_OPCODES:
            self._learn(link, side, request, data)
        if opcode in att.HANDLE_FIRST:  # a prepared write's response says itself what it is about
            request = data
        elif request[0] not in att.HANDLE_FIRST:
            return None, ""
        if len(request) < 3:
            return None, ""
        handle = request[1] | request[2] << 8
        if opcode == att.READ_RESPONSE:
            self._learn_read(link, side, handle, data)
        return handle, self._name_of(link, side, handle)

    def _name_seldom(self, way: int, link: Link, side: int, bearer: int, data: bytes) -> tuple[int | None, str]:
        number = link.number
        if way == _REQUEST:
            self.pending[_waits(number, side, bearer)] = data[:_KEPT_OF_REQUEST]
            return None, ""
        if way == _CONFIRMATION:
            indication = _answered(self.indications, number, side, bearer)
            if indication is None:
                return None, ""
            handle = indication[1] | indication[2] << 8
            return handle, self._name_of(link, _OTHER[side], handle)
        if way == _INDICATION:
            self.indications[_waits(number, _OTHER[side], bearer)] = data[:_KEPT_OF_REQUEST]
            handle = data[1] | data[2] << 8
            return handle, self._name_of(link, side, handle)
        # An error response: opcode of the request, handle in question, reason (Vol 3 Part F, 3.4.1.1).
        if len(data) < 4:
            return None, ""
        request = _answered(self.pending, number, _OTHER[side], bearer)
        if request is not None and request[0] == data[1] and data[4:5] == b"\x0a":
            self._nothing_found(link, side, request)
        handle = data[2] | data[3] << 8
        return handle, self._name_of(link, side, handle)

    # --- learning -----------------------------------------------------------------------------------------------------

    def _server(self, link: Link, side: int) -> AttributeTable:
        table = self._find(link, side)
        if table is None:
            table = self._mapped(link, side) or self._new_table(link, side)
            self._names.clear()  # other links may have the same server
        return table

    def _learn(self, link: Link, side: int, request: bytes, response: bytes) -> None:
        if self._learned >= MAX_ATTRIBUTES or len(request) < 5:
            return
        table = self._server(link, side)
        before = len(table)
        start = request[1] | request[2] << 8
        match response[0]:
            case att.READ_BY_GROUP_TYPE_RESPONSE:
                _learn_groups(table, start, uuid_text(request[5:]), response)
            case att.READ_BY_TYPE_RESPONSE:
                _learn_by_type(table, start, uuid_text(request[5:]), response)
            case att.FIND_BY_TYPE_VALUE_RESPONSE:
                _learn_by_value(table, request, response)
            case att.FIND_INFORMATION_RESPONSE:
                _learn_information(table, start, response)
        self._account(table, before)

    def _learn_read(self, link: Link, side: int, handle: int, response: bytes) -> None:
        if not self._with_unread or self._learned >= MAX_ATTRIBUTES:
            return
        table = self._find(link, side)
        if table is not None and handle in table.unread:
            before = len(table)
            table.read(handle, response[1:])
            self._account(table, before)

    def _nothing_found(self, link: Link, side: int, request: bytes) -> None:
        """Discovery has come to the end of the range that it asked for."""
        table = self._find(link, side)
        if table is None or len(request) < 5:
            return
        start, end = request[1] | request[2] << 8, request[3] | request[4] << 8
        if request[0] == att.FIND_INFORMATION_REQUEST:
            table.cover(_INFORMATION, start, end)
        elif request[0] in (att.READ_BY_GROUP_TYPE_REQUEST, att.READ_BY_TYPE_REQUEST):
            table.cover(uuid_text(request[5:]), start, end)


def _waits(number: int, client: int, bearer: int) -> Waits:
    return (number, client) if bearer == LE_FIXED_CHANNEL else (number, client, bearer)


def _answered(waiting: dict[Waits, bytes], number: int, client: int, bearer: int) -> bytes | None:
    """Take what waits for that client; where a sniffer could not tell a sender, the only thing that waits."""
    request = waiting.pop(_waits(number, client, bearer), None)
    if request is not None:
        return request
    if client != UNKNOWN_SIDE:
        return waiting.pop(_waits(number, UNKNOWN_SIDE, bearer), None)
    clients = [key for side in (LOCAL, REMOTE) if (key := _waits(number, side, bearer)) in waiting]
    return waiting.pop(clients[0]) if len(clients) == 1 else None


def _learn_groups(table: AttributeTable, start: int, group: str, response: bytes) -> None:
    """Read By Group Type: each group's first and last handle and its declaration's value (Vol 3 Part F, 3.4.4.10)."""
    size = response[1] if len(response) > 1 else 0
    if group not in (PRIMARY_SERVICE, SECONDARY_SERVICE) or size not in (6, 20):
        return
    end = 0
    for at in range(2, len(response) - size + 1, size):
        end = response[at + 2] | response[at + 3] << 8
        uuid = uuid_text(response[at + 4 : at + size])
        table.declare_service(response[at] | response[at + 1] << 8, end, uuid, secondary=group == SECONDARY_SERVICE)
    table.cover(group, start, end)


def _learn_by_type(table: AttributeTable, start: int, type_uuid: str, response: bytes) -> None:
    """Read By Type: handles of that type and their values (Vol 3 Part F, 3.4.4.2; Part G, 4.5.1 and 4.6.1)."""
    size = response[1] if len(response) > 1 else 0
    if size < 2 or not type_uuid:
        return
    handle = 0
    for at in range(2, len(response) - size + 1, size):
        handle = response[at] | response[at + 1] << 8
        value = response[at + 2 : at + size]
        if type_uuid == CHARACTERISTIC:
            if size in (7, 21):
                table.declare_characteristic(handle, value[0], value[1] | value[2] << 8, uuid_text(value[3:]))
        elif type_uuid == INCLUDE:
            if size in (6, 8):
                first, last = value[0] | value[1] << 8, value[2] | value[3] << 8
                table.declare_include(handle, first, last, uuid_text(value[4:]))
        else:
            table.found(handle, type_uuid, readable_by_type=True)
    if type_uuid in (CHARACTERISTIC, INCLUDE):
        table.cover(type_uuid, start, handle)


def _learn_by_value(table: AttributeTable, request: bytes, response: bytes) -> None:
    """Find By Type Value: where the service with the UUID asked for begins and ends (Vol 3 Part G, 4.4.2)."""
    group = uuid_text(request[5:7])
    uuid = uuid_text(request[7:])
    for at in range(1, len(response) - 3, 4):
        handle = response[at] | response[at + 1] << 8
        if group not in (PRIMARY_SERVICE, SECONDARY_SERVICE):
            table.found(handle, group)
        elif uuid:
            end = response[at + 2] | response[at + 3] << 8
            table.declare_service(handle, end, uuid, secondary=group == SECONDARY_SERVICE)


def _learn_information(table: AttributeTable, start: int, response: bytes) -> None:
    """Find Information: handles and their types, 16-bit ones (format 1) or 128-bit ones (Vol 3 Part F, 3.4.3.2)."""
    size = {1: 4, 2: 18}.get(response[1] if len(response) > 1 else 0)
    if size is None:
        return
    handle = 0
    for at in range(2, len(response) - size + 1, size):
        handle = response[at] | response[at + 1] << 8
        table.found(handle, uuid_text(response[at + 2 : at + size]))
    table.cover(_INFORMATION, start, handle)
