"""Where HCI, advertising data and SMP carry addresses, names and keys, octet by octet.

Knows the layouts of Core Specification Vol 4 Part E (HCI), Vol 3 Part H (SMP) and of the Supplement's Part A
(advertising data). Refuses to know what is done about them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto
from types import MappingProxyType
from typing import Final, NamedTuple

from rig.capture.layers.hci import COMMAND, EVENT

ADDRESS_OCTETS: Final = 6
NAME_OCTETS: Final = 248  # of a device name in HCI (Vol 4 Part E, 7.3.11)
_KEY_OCTETS = 16


class Kind(Enum):
    """What is in a field."""

    ADDRESS = auto()
    """Six octets, the least significant first; fewer where the recorder cut it."""
    NAME = auto()
    """UTF-8."""
    PADDED_NAME = auto()
    """UTF-8 up to the first zero octet; what follows means nothing."""
    SECRET = auto()
    """A key, or what a key or an address can be worked out from."""
    FREE = auto()
    """Content of somebody else's layout: known addresses and names may be anywhere in it."""


class Field(NamedTuple):
    """One field of a packet: octets ``start`` to ``end`` (exclusive), never beyond the packet."""

    kind: Kind
    start: int
    end: int
    before: bytes = b""
    """Of a name that began in an earlier packet: its octets from there."""


# Offsets count from the first parameter. A command's (its own, or those it gives back after the status) in pairs of
# offset and length; six octets are an address, all others a secret.
_ADDRESS_FIRST = ((0, ADDRESS_OCTETS),)
_ADDRESS_SECOND = ((1, ADDRESS_OCTETS),)
_COMMANDS: Final = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *(
                    0x0405,
                    0x0408,
                    0x0409,
                    0x040A,
                    0x040C,
                    0x040E,
                    0x0419,
                    0x041A,
                    0x0429,
                    0x042A,
                    0x042B,
                    0x042C,
                    0x042D,
                ),
                *(0x042F, 0x0433, 0x0434, 0x043E, 0x043F, 0x0440, 0x0444, 0x080B, 0x0C0D, 0x0C12, 0x0C60),
                0x2005,  # LE Set Random Address
            ),
            _ADDRESS_FIRST,
        ),
        **dict.fromkeys(
            (
                *(0x0442, 0x2011, 0x2012, 0x2028, 0x202B, 0x202C, 0x2035, 0x2047, 0x2048, 0x204E),
                *(0x2098, 0x2099),  # LE Monitored Advertisers
            ),
            _ADDRESS_SECOND,
        ),
        0x040B: ((0, 6), (6, 16)),  # Link Key Request Reply
        0x040D: ((0, 6), (7, 16)),  # PIN Code Request Reply
        0x042E: ((0, 6), (6, 4)),  # User Passkey Request Reply
        0x0430: ((0, 6), (6, 32)),  # Remote OOB Data Request Reply
        0x0445: ((0, 6), (6, 64)),  # Remote OOB Extended Data Request Reply
        0x2006: ((7, 6),),  # LE Set Advertising Parameters
        0x200D: ((6, 6),),  # LE Create Connection
        0x2017: ((0, 32),),  # LE Encrypt: key and plaintext
        0x2019: ((12, 16),),  # LE Enable Encryption
        0x201A: ((2, 16),),  # LE Long Term Key Request Reply
        0x2027: ((1, 6), (7, 32)),  # LE Add Device To Resolving List: address, both IRKs
        0x2036: ((12, 6),),  # LE Set Extended Advertising Parameters
        0x207F: ((12, 6),),
        0x2043: ((3, 6),),  # LE Extended Create Connection
        0x2085: ((5, 6),),
        0x2044: ((3, 6),),  # LE Periodic Advertising Create Sync
    }
)
# What Command Complete gives back: offsets count from the status, or whatever comes first after the opcode.
_RETURNED: Final = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *(
                    0x0408,
                    0x040B,
                    0x040C,
                    0x040D,
                    0x040E,
                    0x041A,
                    0x042B,
                    0x042C,
                    0x042D,
                    0x042E,
                    0x042F,
                    0x0430,
                    0x0433,
                ),
                *(0x0434, 0x0440, 0x0445, 0x0C60, 0x1009, 0x202B, 0x202C),
            ),
            _ADDRESS_SECOND,
        ),
        0x0C57: ((1, 32),),  # Read Local OOB Data
        0x0C7D: ((1, 64),),  # Read Local OOB Extended Data
        0x2017: ((1, 16),),  # LE Encrypt
        0x2018: ((1, 8),),  # LE Rand: what hosts make keys of
    }
)
_EVENTS: Final = MappingProxyType(
    {
        **dict.fromkeys((0x04, 0x16, 0x17, 0x20, 0x31, 0x32, 0x33, 0x34, 0x35, 0x3C, 0x3D, 0x51, 0x52), _ADDRESS_FIRST),
        **dict.fromkeys((0x07, 0x12, 0x36, 0x50, 0x53), _ADDRESS_SECOND),
        0x03: ((3, 6),),  # Connection Complete
        0x2C: ((3, 6),),  # Synchronous Connection Complete
        0x18: ((0, 6), (6, 16)),  # Link Key Notification
        0x3B: ((0, 6), (6, 4)),  # User Passkey Notification
    }
)
# Subevents of LE Meta: offsets count from the octet after the subevent code.
_LE_EVENTS: Final = MappingProxyType(
    {
        0x01: ((5, 6),),  # LE Connection Complete
        **dict.fromkeys((0x0A, 0x29), ((5, 6), (11, 6), (17, 6))),  # LE Enhanced Connection Complete: peer, both RPAs
        0x09: ((1, 32),),  # LE Generate DHKey Complete
        **dict.fromkeys((0x0E, 0x24), ((5, 6),)),  # LE Periodic Advertising Sync Established
        0x13: ((2, 6),),  # LE Scan Request Received
        **dict.fromkeys((0x18, 0x26), ((9, 6),)),  # LE Periodic Advertising Sync Transfer Received
        0x34: ((1, 6),),  # LE Monitored Advertisers Report
    }
)
_SMP: Final = MappingProxyType(
    {
        # Confirm and random value of a pairing without a secret tell whether an address is the right one (Vol 3 Part H,
        # 2.2.3: c1 takes both devices' addresses).
        0x03: (1, _KEY_OCTETS),
        0x04: (1, _KEY_OCTETS),
        0x06: (1, _KEY_OCTETS),  # Encryption Information: the LTK
        0x08: (1, _KEY_OCTETS),  # Identity Information: the IRK
        0x09: (2, ADDRESS_OCTETS),  # Identity Address Information
        0x0A: (1, _KEY_OCTETS),  # Signing Information: the CSRK
    }
)
_COMMAND_COMPLETE, _LE_META = 0x0E, 0x3E
_VENDOR_EVENT, _VENDOR_COMMANDS = 0xFF, 0x3F
_CHANGE_LOCAL_NAME, _READ_LOCAL_NAME = 0x0C13, 0x0C14
_WRITE_STORED_LINK_KEY, _RETURN_LINK_KEYS = 0x0C11, 0x15
_REMOTE_NAME = 0x07
_SET_EVENT_FILTER, _FILTERS_ON_ADDRESS = 0x0C05, (b"\x01\x02", b"\x02\x02")  # inquiry results, connections
_READ_EIR, _WRITE_EIR, _EIR_OCTETS = 0x0C51, 0x0C52, 240

# Advertising data types (Assigned Numbers, 2.3).
_AD_NAMES = frozenset({0x08, 0x09, 0x30})
_AD_SECRETS = frozenset({0x0E, 0x0F, 0x1D, 0x1E, 0x22, 0x23})  # out-of-band pairing: hashes and randomizers
_AD_ADDRESSES = frozenset({0x17, 0x18, 0x1B, 0x2E})  # the last, a set's resolvable identifier, is as good as one
_MOST_CHAINS = 64


class _Chain(NamedTuple):
    """Advertising data that goes on in another packet: the structure in which this one ended."""

    kind: int | None
    """Its type, None when even that is to come."""
    left: int
    """Octets of it to come, the type counted when it is to come."""
    before: bytes = b""
    """Its content so far, of a name."""


class PersonalFields:
    """Finds the fields of one capture's packets; remembers no more than advertising data that goes on."""

    def __init__(self) -> None:
        self._chains: dict[tuple[object, ...], _Chain] = {}

    def of(self, packet_type: int, controller: int, body: bytes) -> list[Field]:
        """The fields of a command or event, in order; ``body`` as :class:`~rig.capture.layers.hci.HciPacket` has it."""
        found: Iterator[Field]
        if packet_type == COMMAND:
            found = self._of_command(controller, body)
        elif packet_type == EVENT:
            found = self._of_event(controller, body)
        else:
            return []
        size = len(body)
        return [field if field.end <= size else _cut(field, size) for field in found if field.start < size]

    # ---- commands ------------------------------------------------------------------------------------------------

    def _of_command(self, controller: int, body: bytes) -> Iterator[Field]:
        if len(body) < 3:
            return
        opcode = body[0] | body[1] << 8
        yield from _layout(_COMMANDS.get(opcode), 3)
        if opcode == _CHANGE_LOCAL_NAME:
            yield Field(Kind.PADDED_NAME, 3, 3 + NAME_OCTETS)
        elif opcode == _WRITE_EIR:
            yield from self._advertising(body, 4, _EIR_OCTETS)
        elif opcode == _SET_EVENT_FILTER and body[3:5] in _FILTERS_ON_ADDRESS:
            yield Field(Kind.ADDRESS, 5, 11)
        elif opcode == _WRITE_STORED_LINK_KEY:
            yield from _link_keys(body, 3)
        elif opcode in (0x2008, 0x2009):  # LE Set Advertising Data, LE Set Scan Response Data
            yield from self._advertising(body, 4, body[3] if len(body) > 3 else 0)
        elif opcode in (0x2037, 0x2038):  # the same, extended: handle, operation, fragment preference, length, data
            yield from self._fragment(body, 7, 6, 4, (controller, opcode))
        elif opcode == 0x203F:  # LE Set Periodic Advertising Data: handle, operation, length, data
            yield from self._fragment(body, 6, 5, 4, (controller, opcode))
        elif opcode >> 10 == _VENDOR_COMMANDS:
            yield Field(Kind.FREE, 3, len(body))

    def _fragment(
        self, body: bytes, data: int, length: int, operation: int, key: tuple[object, ...]
    ) -> Iterator[Field]:
        if len(body) <= length:
            return
        # Operation: 0 intermediate, 1 first, 2 last fragment, 3 all of it (Vol 4 Part E, 7.8.54).
        if body[operation] in (1, 3):
            self._chains.pop((*key, body[3]), None)
        more = body[operation] in (0, 1)
        yield from self._advertising(body, data, body[length], (*key, body[3]), more=more)

    # ---- events --------------------------------------------------------------------------------------------------

    def _of_event(self, controller: int, body: bytes) -> Iterator[Field]:
        if len(body) < 3:
            return
        code = body[0]
        if code == _LE_META:
            yield from _layout(_LE_EVENTS.get(body[2]), 3)
            reports = self._LE_REPORTS.get(body[2])
            if reports is not None:
                yield from reports(self, controller, body)
            return
        yield from _layout(_EVENTS.get(code), 2)
        if code == _COMMAND_COMPLETE and len(body) > 4:
            opcode = body[3] | body[4] << 8
            yield from _layout(_RETURNED.get(opcode), 5)
            if opcode == _READ_LOCAL_NAME:
                yield Field(Kind.PADDED_NAME, 6, 6 + NAME_OCTETS)
            elif opcode == _READ_EIR:
                yield from self._advertising(body, 7, _EIR_OCTETS)
            elif opcode >> 10 == _VENDOR_COMMANDS:
                yield Field(Kind.FREE, 5, len(body))
        elif code == _REMOTE_NAME:
            yield Field(Kind.PADDED_NAME, 9, 9 + NAME_OCTETS)
        elif code in (0x02, 0x22):  # Inquiry Result, and with RSSI: 14 octets for each
            for number in range(body[2]):
                yield Field(Kind.ADDRESS, 3 + 14 * number, 9 + 14 * number)
        elif code == 0x2F:  # Extended Inquiry Result
            yield Field(Kind.ADDRESS, 3, 9)
            yield from self._advertising(body, 17, _EIR_OCTETS)
        elif code == _RETURN_LINK_KEYS:
            yield from _link_keys(body, 2)
        elif code == _VENDOR_EVENT:
            yield Field(Kind.FREE, 2, len(body))

    def _advertising_reports(self, _: int, body: bytes) -> Iterator[Field]:
        # Controllers write one report after the other, whatever the arrays of the specification say (7.7.65.2); event
        # type, address type, address, length, data, RSSI.
        place = 4
        for _number in range(body[3] if len(body) > 3 else 0):
            yield Field(Kind.ADDRESS, place + 2, place + 8)
            if len(body) < place + 9:
                break
            yield from self._advertising(body, place + 9, body[place + 8])
            place += 10 + body[place + 8]

    def _directed_reports(self, _: int, body: bytes) -> Iterator[Field]:
        for number in range(body[3] if len(body) > 3 else 0):
            place = 4 + 16 * number  # event type, address type, address, the same of whom it is for, RSSI
            yield Field(Kind.ADDRESS, place + 2, place + 8)
            yield Field(Kind.ADDRESS, place + 9, place + 15)

    def _extended_reports(self, controller: int, body: bytes) -> Iterator[Field]:
        place = 4
        for _ in range(body[3] if len(body) > 3 else 0):
            yield Field(Kind.ADDRESS, place + 3, place + 9)
            yield Field(Kind.ADDRESS, place + 17, place + 23)
            if len(body) < place + 24:
                break
            # Event type, bits 5 and 6: 01 more to come (7.7.65.13). The set of a device tells two chains apart.
            more = body[place] >> 5 & 3 == 1
            key = (controller, bytes(body[place + 2 : place + 9]), body[place + 11], body[place] & 8)
            yield from self._advertising(body, place + 24, body[place + 23], key, more=more)
            place += 24 + body[place + 23]

    def _periodic_report(self, controller: int, body: bytes) -> Iterator[Field]:
        # Sync handle, TX power, RSSI, CTE type; in version 2 event counter and subevent; data status, length, data.
        place = 8 if body[2] == 0x0F else 11
        if len(body) > place + 1:
            key = (controller, "periodic", bytes(body[3:5]))
            yield from self._advertising(body, place + 2, body[place + 1], key, more=body[place] == 1)

    _LE_REPORTS: Final[dict[int, Callable[[PersonalFields, int, bytes], Iterator[Field]]]] = {
        0x02: _advertising_reports,
        0x0B: _directed_reports,
        0x0D: _extended_reports,
        0x0F: _periodic_report,
        0x25: _periodic_report,
    }

    # ---- advertising data ----------------------------------------------------------------------------------------

    def _advertising(
        self, body: bytes, start: int, length: int, key: tuple[object, ...] | None = None, *, more: bool = False
    ) -> Iterator[Field]:
        """The fields of advertising data: structures of length, type and content (Vol 3 Part C, 11)."""
        end = min(len(body), start + length)
        if start >= end:
            return
        yield Field(Kind.FREE, start, end)
        chain = self._chains.pop(key, None) if key is not None else None
        place = start
        if chain is not None:
            kind, left, before = chain
            if kind is None:
                kind, left, place = body[place], left - 1, place + 1
            stop = min(end, place + left)
            yield from _structure(kind, place, stop, before)
            chain = _Chain(kind, left - (stop - place), _kept(kind, before + body[place:stop]))
            place = stop
        while place < end:
            left = body[place]
            if place + 1 == end:
                chain = _Chain(None, left)
                break
            if left:
                kind = body[place + 1]
                stop = min(end, place + 1 + left)
                yield from _structure(kind, place + 2, stop)
                chain = _Chain(kind, place + 1 + left - stop, _kept(kind, body[place + 2 : stop]))
            place += 1 + left
        if more and key is not None and chain is not None and chain.left:
            if len(self._chains) >= _MOST_CHAINS:
                self._chains.pop(next(iter(self._chains)))
            self._chains[key] = chain


def smp_field(payload: bytes) -> Field | None:
    """The field of an SMP PDU that is not for everybody, None when it has none."""
    layout = _SMP.get(payload[0]) if payload else None
    if layout is None:
        return None
    start, length = layout
    kind = Kind.ADDRESS if length == ADDRESS_OCTETS else Kind.SECRET
    field = Field(kind, start, start + length)
    return field if field.end <= len(payload) else _cut(field, len(payload))


def _layout(pairs: tuple[tuple[int, int], ...] | None, first: int) -> Iterator[Field]:
    for offset, length in pairs or ():
        kind = Kind.ADDRESS if length == ADDRESS_OCTETS else Kind.SECRET
        yield Field(kind, first + offset, first + offset + length)


def _link_keys(body: bytes, count: int) -> Iterator[Field]:
    if len(body) <= count:
        return
    for number in range(body[count]):
        place = count + 1 + (ADDRESS_OCTETS + _KEY_OCTETS) * number
        yield Field(Kind.ADDRESS, place, place + ADDRESS_OCTETS)
        yield Field(Kind.SECRET, place + ADDRESS_OCTETS, place + ADDRESS_OCTETS + _KEY_OCTETS)


def _structure(kind: int, start: int, end: int, before: bytes = b"") -> Iterator[Field]:
    if start >= end:
        return
    if kind in _AD_NAMES:
        yield Field(Kind.NAME, start, end, before)
    elif kind in _AD_SECRETS:
        yield Field(Kind.SECRET, start, end)
    elif kind in _AD_ADDRESSES:
        for place in range(start, end - ADDRESS_OCTETS + 1, ADDRESS_OCTETS):
            yield Field(Kind.ADDRESS, place, place + ADDRESS_OCTETS)


def _kept(kind: int, content: bytes) -> bytes:
    return bytes(content[:NAME_OCTETS]) if kind in _AD_NAMES else b""


def _cut(field: Field, size: int) -> Field:
    # Of an address that the recorder cut, what is left is no key to a stand-in; it is wiped.
    kind = Kind.SECRET if field.kind is Kind.ADDRESS else field.kind
    return field._replace(kind=kind, end=max(field.start, size))
