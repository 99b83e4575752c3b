"""HCI traffic around GATT that was not recorded as HCI: a connection, its discovery and ATT, as a host sees them.

Knows the packets of Core Specification Vol 4 Part E (HCI), Vol 3 Part A (L2CAP) and Vol 3 Part F (ATT) that this takes.
Refuses to know files, clocks, and where the traffic came from: packets and their times go to a callable.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from rig.capture import att
from rig.capture.layers.links import LOCAL, REMOTE, Address
from rig.capture.writer import Direction

if TYPE_CHECKING:
    from rig.capture.gatt import Attribute

Emit = Callable[[bytes, Direction, int], None]
"""Takes one H4 packet, its direction as seen from the host, and its Unix time in nanoseconds."""

DEFAULT_MTU: Final = 23
"""ATT_MTU of an LE link before an exchange (Vol 3 Part G 5.2.1)."""
LARGEST_USEFUL_MTU: Final = 517
"""Room for a write of the longest attribute value, 512 octets (Vol 3 Part F 3.2.9), with opcode, handle and offset."""
CLOSED_BY_LOCAL_HOST: Final = 0x16
"""Connection Terminated by Local Host (Vol 1 Part F 2.22)."""
CLOSED_BY_REMOTE_USER: Final = 0x13
CONNECTION_TIMEOUT: Final = 0x08

_COMMAND, _ACL, _EVENT = b"\x01", b"\x02", b"\x04"  # Vol 4 Part A 2
_ATT_CID = 4  # Vol 3 Part A 2.1
_ACL_START_FROM_HOST, _ACL_START_FROM_CONTROLLER = 0b00 << 12, 0b10 << 12  # Vol 4 Part E 5.4.2, PB flag on an LE link
_LARGEST_HANDLE = 0x0EFF
_LARGEST_PDU = 0xFFFF - 4  # an ACL packet's length has 16 bits, and the L2CAP header takes four octets
_RSSI_NOT_AVAILABLE = 127

_DISCONNECT, _RESET, _READ_BD_ADDR = 0x0406, 0x0C03, 0x1009
_LE_READ_BUFFER_SIZE, _LE_SET_RANDOM_ADDRESS, _LE_CREATE_CONNECTION = 0x2002, 0x2005, 0x200D
_LE_SET_ADVERTISING_PARAMETERS, _LE_SET_ADVERTISING_ENABLE = 0x2006, 0x200A
_DISCONNECTION_COMPLETE, _COMMAND_COMPLETE, _COMMAND_STATUS, _LE_META = 0x05, 0x0E, 0x0F, 0x3E
_CONNECTION_COMPLETE, _ADVERTISING_REPORT, _CONNECTION_UPDATE_COMPLETE = 0x01, 0x02, 0x03
_SUCCESS = b"\x00"

_PRIMARY_SERVICE, _SECONDARY_SERVICE, _INCLUDE, _CHARACTERISTIC = "2800", "2801", "2802", "2803"
_NOT_FOUND = 0x0A
_LAST_HANDLE = 0xFFFF


class _Bearer:
    """What the ATT bearer of one link has agreed on."""

    __slots__ = ("asked_mtu", "asking", "central_side", "exchanged", "mtu")

    def __init__(self, central_side: int = LOCAL) -> None:
        self.central_side = central_side
        self.mtu = DEFAULT_MTU
        self.asked_mtu = DEFAULT_MTU
        self.exchanged = False
        self.asking: set[int] = set()  # the sides whose request waits for its response


class HciSynthesis:
    """Writes the HCI side of links of which only the GATT side, or only the air, was seen.

    What comes out is what a host would have recorded: a reset, the establishment of each link, and one ACL packet for
    every ATT PDU. Wireshark and every other reader can follow it from the first packet on.

    A PDU on a handle that was never connected here belongs to a link that was up before the recording began.

    Args:
        emit: takes each packet, in the order of the calls; its exceptions come out of the call that caused it.
        add_mtu_exchange: before the first PDU that is longer than the MTU, write the exchange that must have allowed it
            (Vol 3 Part F 3.4.2). False keeps the PDUs exactly those that were given to :meth:`att`.
    """

    def __init__(self, emit: Emit, *, add_mtu_exchange: bool = True) -> None:
        self._emit = emit
        self._add_mtu_exchange = add_mtu_exchange
        self._begun = False
        self._local: Address | None = None
        self._bearers: dict[int, _Bearer] = {}

    # ---- the link -----------------------------------------------------------------------------------------------

    def advertisement(
        self,
        peer: Address,
        data: bytes,
        time_ns: int,
        *,
        is_scan_response: bool = False,
        rssi_dbm: int = _RSSI_NOT_AVAILABLE,
    ) -> None:
        """Write that ``peer`` was heard advertising.

        Args:
            peer: who advertises.
            data: the advertising data, at most 31 octets, as Vol 3 Part C 11 lays it out.
            time_ns: Unix time in nanoseconds.
            is_scan_response: whether it is the answer to an active scan, not the advertisement itself.
            rssi_dbm: how loud it was; 127 says that this is not known (Vol 4 Part E 7.7.65.2).

        Raises:
            ValueError: the data is too long, or the address is not one.
        """
        if len(data) > 31:
            raise ValueError(f"{len(data)} octets of advertising data do not fit into a legacy report, which has 31")
        self._begin(None, time_ns)
        kind = 0x04 if is_scan_response else 0x00
        report = struct.pack("<BBBB", _ADVERTISING_REPORT, 1, kind, peer.is_random) + _octets(peer)
        self._event(_LE_META, report + bytes([len(data)]) + data + struct.pack("b", rssi_dbm), time_ns)

    def connect(
        self,
        handle: int,
        *,
        local_is_central: bool,
        peer: Address,
        local: Address | None,
        time_ns: int,
        interval_s: float = 0.03,
        latency: int = 0,
        supervision_timeout_s: float = 0.42,
    ) -> None:
        """Write the establishment of a link (LE Connection Complete, Vol 4 Part E 7.7.65.1).

        Args:
            handle: the HCI connection handle that it shall have, 0 to 0x0EFF.
            local_is_central: whether the host that records is the central.
            peer: the other device.
            local: the recording host's own address; None when it is not known.
            time_ns: Unix time in nanoseconds.
            interval_s: the connection interval in seconds, written in the format's units of 1.25 ms.
            latency: the peripheral latency in connection events.
            supervision_timeout_s: in seconds, written in the format's units of 10 ms.

        Raises:
            ValueError: the handle is out of range or has a link already, or an address is not one.
        """
        _check_handle(handle)
        if handle in self._bearers:
            raise ValueError(f"connection handle 0x{handle:04x} has a link already")
        peer_octets = bytes([peer.is_random]) + _octets(peer)
        parameters = _parameters(interval_s, latency, supervision_timeout_s)
        self._begin(local, time_ns)
        if local_is_central:
            own_type = local is not None and local.is_random
            interval = parameters[:2]
            self._command(
                _LE_CREATE_CONNECTION,
                # Scan interval 60 ms and window 30 ms, no accept list; the event lengths are left to the controller.
                struct.pack("<HHB", 0x60, 0x30, 0) + peer_octets + bytes([own_type]) + interval + parameters + bytes(4),
                time_ns,
            )
            self._event(_COMMAND_STATUS, struct.pack("<BBH", 0, 1, _LE_CREATE_CONNECTION), time_ns)
        elif local is not None:
            self._advertise(local, time_ns)
        role = 0x00 if local_is_central else 0x01
        self._event(
            _LE_META,
            struct.pack("<BBHB", _CONNECTION_COMPLETE, 0, handle, role) + peer_octets + parameters + b"\x00",
            time_ns,
        )
        self._bearers[handle] = _Bearer(LOCAL if local_is_central else REMOTE)

    def parameters(
        self, handle: int, time_ns: int, *, interval_s: float, latency: int, supervision_timeout_s: float
    ) -> None:
        """Write that the connection parameters changed (LE Connection Update Complete, Vol 4 Part E 7.7.65.3).

        Units and errors are those of :meth:`connect`.
        """
        _check_handle(handle)
        parameters = _parameters(interval_s, latency, supervision_timeout_s)
        self._event(_LE_META, struct.pack("<BBH", _CONNECTION_UPDATE_COMPLETE, 0, handle) + parameters, time_ns)

    def disconnect(self, handle: int, reason: int, time_ns: int) -> None:
        """Write the end of a link; with reason 0x16 (ended by the local host) also the command that ended it.

        Args:
            handle: the link's.
            reason: an HCI error code (Vol 1 Part F), say 0x08 for a lost link or 0x13 for a peer that hung up.
            time_ns: Unix time in nanoseconds.

        Raises:
            ValueError: the handle or the reason is out of range.
        """
        _check_handle(handle)
        if not 0 < reason <= 0xFF:
            raise ValueError(f"reason {reason} is no HCI error code: those are 0x01 to 0xff")
        if reason == CLOSED_BY_LOCAL_HOST:
            self._command(_DISCONNECT, struct.pack("<HB", handle, CLOSED_BY_REMOTE_USER), time_ns)
            self._event(_COMMAND_STATUS, struct.pack("<BBH", 0, 1, _DISCONNECT), time_ns)
        self._event(_DISCONNECTION_COMPLETE, struct.pack("<BHB", 0, handle, reason), time_ns)
        self._bearers.pop(handle, None)

    # ---- ATT ----------------------------------------------------------------------------------------------------

    def mtu(self, handle: int) -> int:
        """The ATT MTU that has been agreed on so far on that link, in octets."""
        return self._bearer(handle).mtu

    def att(self, handle: int, side: int, pdu: bytes, time_ns: int) -> None:
        """Write one ATT PDU in one ACL packet.

        Args:
            handle: the link's.
            side: who sent it: :data:`~rig.capture.layers.links.LOCAL` or :data:`~rig.capture.layers.links.REMOTE`.
            pdu: the PDU; any octets, as they were.
            time_ns: Unix time in nanoseconds.

        Raises:
            ValueError: handle or side is out of range, or the PDU is longer than an ACL packet can be.
        """
        bearer = self._bearer(handle)
        if side not in (LOCAL, REMOTE):
            raise ValueError(f"side {side}: an HCI packet is sent ({LOCAL}) or received ({REMOTE})")
        if len(pdu) > _LARGEST_PDU:
            raise ValueError(f"an ATT PDU of {len(pdu)} octets does not fit into one ACL packet: {_LARGEST_PDU} do")
        if self._add_mtu_exchange and len(pdu) > bearer.mtu and not bearer.exchanged:
            self.exchange_mtu(handle, max(LARGEST_USEFUL_MTU, len(pdu)), time_ns)
        _follow(bearer, side, pdu)
        boundary = _ACL_START_FROM_HOST if side == LOCAL else _ACL_START_FROM_CONTROLLER
        header = struct.pack("<HHHH", handle | boundary, len(pdu) + 4, len(pdu), _ATT_CID)
        self._emit(_ACL + header + pdu, Direction.SENT if side == LOCAL else Direction.RECEIVED, time_ns)

    def exchange_mtu(self, handle: int, mtu: int, time_ns: int) -> None:
        """Write an MTU exchange after which ``mtu`` octets hold (Vol 3 Part F 3.4.2)."""
        bearer = self._bearer(handle)
        client = bearer.central_side
        if client in bearer.asking:
            # A client may not ask twice at a time (Vol 3 Part F 3.3.2); the other side is a client as well.
            client = 1 - client
        self.att(handle, client, struct.pack("<BH", att.EXCHANGE_MTU_REQUEST, mtu), time_ns)
        self.att(handle, 1 - client, struct.pack("<BH", att.EXCHANGE_MTU_RESPONSE, mtu), time_ns)

    def discovery(
        self, handle: int, attributes: Iterable[Attribute], time_ns: int, *, server_side: int = REMOTE
    ) -> None:
        """Write the conversation by which a client would have learned of ``attributes``.

        Primary and secondary services, the characteristics of each, their descriptors (Vol 3 Part G 4.4, 4.6, 4.7), in
        the procedures of the specification and within the MTU; attributes whose place in a service is not known are
        told by their type alone (Find Information).

        Args:
            handle: the link's.
            attributes: what the server has, in any order; handles count once.
            time_ns: Unix time in nanoseconds, of every PDU of it.
            server_side: who has the attributes.

        Raises:
            ValueError: an attribute handle is out of range, or a UUID is not one.
        """
        known = {attribute.handle: attribute for attribute in attributes}
        for wrong in (number for number in known if not 0 < number <= _LAST_HANDLE):
            raise ValueError(f"attribute handle {wrong} is out of range: 1 to 0xffff")
        table = [known[number] for number in sorted(known)]
        for request, response in _conversation(table, self._bearer(handle).mtu):
            self.att(handle, 1 - server_side, request, time_ns)
            self.att(handle, server_side, response, time_ns)

    # ---- inside -------------------------------------------------------------------------------------------------

    def _bearer(self, handle: int) -> _Bearer:
        bearer = self._bearers.get(handle)
        if bearer is None:
            _check_handle(handle)
            bearer = self._bearers[handle] = _Bearer()
        return bearer

    def _begin(self, local: Address | None, time_ns: int) -> None:
        if not self._begun:
            self._begun = True
            self._command(_RESET, b"", time_ns)
            self._complete(_RESET, _SUCCESS, time_ns)
            self._command(_LE_READ_BUFFER_SIZE, b"", time_ns)
            # One ACL packet carries a whole PDU here, so this controller takes packets of any length.
            self._complete(_LE_READ_BUFFER_SIZE, _SUCCESS + struct.pack("<HB", 0xFFFF, 0xFF), time_ns)
        if local is None or local == self._local:
            return
        octets = _octets(local)
        self._local = local
        if local.is_random:
            self._command(_LE_SET_RANDOM_ADDRESS, octets, time_ns)
            self._complete(_LE_SET_RANDOM_ADDRESS, _SUCCESS, time_ns)
        else:
            self._command(_READ_BD_ADDR, b"", time_ns)
            self._complete(_READ_BD_ADDR, _SUCCESS + octets, time_ns)

    def _advertise(self, local: Address, time_ns: int) -> None:
        """Write that the host lets itself be connected to, which tells under which of its addresses it was."""
        # Connectable, every 100 ms, on the three advertising channels, for anybody (Vol 4 Part E 7.8.5, 7.8.9).
        parameters = struct.pack("<HHBBB6xBB", 0xA0, 0xA0, 0x00, local.is_random, 0x00, 0x07, 0x00)
        self._command(_LE_SET_ADVERTISING_PARAMETERS, parameters, time_ns)
        self._complete(_LE_SET_ADVERTISING_PARAMETERS, _SUCCESS, time_ns)
        self._command(_LE_SET_ADVERTISING_ENABLE, b"\x01", time_ns)
        self._complete(_LE_SET_ADVERTISING_ENABLE, _SUCCESS, time_ns)

    def _command(self, opcode: int, parameters: bytes, time_ns: int) -> None:
        header = struct.pack("<HB", opcode, len(parameters))
        self._emit(_COMMAND + header + parameters, Direction.SENT, time_ns)

    def _complete(self, opcode: int, parameters: bytes, time_ns: int) -> None:
        self._event(_COMMAND_COMPLETE, struct.pack("<BH", 1, opcode) + parameters, time_ns)

    def _event(self, code: int, parameters: bytes, time_ns: int) -> None:
        self._emit(_EVENT + bytes([code, len(parameters)]) + parameters, Direction.RECEIVED, time_ns)


def _follow(bearer: _Bearer, side: int, pdu: bytes) -> None:
    opcode = pdu[0] if pdu else -1
    if opcode in _ANSWERED:
        bearer.asking.add(side)
    elif opcode in att.RESPONSE_TO or opcode == att.ERROR_RESPONSE:
        bearer.asking.discard(1 - side)
    if len(pdu) != 3:
        return
    if opcode == att.EXCHANGE_MTU_REQUEST:
        bearer.asked_mtu = int.from_bytes(pdu[1:], "little")
        bearer.exchanged = True
    elif opcode == att.EXCHANGE_MTU_RESPONSE:
        # The smaller of what both can take, and never under the default (Vol 3 Part F 3.4.2.2).
        bearer.mtu = max(DEFAULT_MTU, min(bearer.asked_mtu, int.from_bytes(pdu[1:], "little")))


_ANSWERED = frozenset(att.RESPONSE_TO.values()) - {att.HANDLE_VALUE_INDICATION}


def _check_handle(handle: int) -> None:
    if not 0 <= handle <= _LARGEST_HANDLE:
        raise ValueError(f"connection handle {handle} is out of range: 0 to 0x0eff")


def _octets(address: Address) -> bytes:
    """The address as HCI has it, the last octet first."""
    try:
        octets = bytes.fromhex(address.text.replace(":", ""))
    except ValueError:
        octets = b""
    if len(octets) != 6:
        raise ValueError(f"{address.text!r} is no device address: they look like C0:FF:EE:00:00:01")
    return octets[::-1]


def _parameters(interval_s: float, latency: int, supervision_timeout_s: float) -> bytes:
    return struct.pack(
        "<HHH", *(min(0xFFFF, max(0, round(v))) for v in (interval_s / 1.25e-3, latency, supervision_timeout_s / 1e-2))
    )


# ---- discovery: an attribute table as questions and answers ---------------------------------------------------------


class _Entry(NamedTuple):
    """One piece of a response: what it tells ends with the attribute ``end``."""

    start: int
    end: int
    data: bytes


class _Service(NamedTuple):
    """A service whose UUID is known, with all that lies in its range, the declaration itself left out."""

    start: int
    end: int
    uuid: str
    is_secondary: bool
    members: Sequence[Attribute]


_Conversation = Iterator[tuple[bytes, bytes]]


def _conversation(table: Sequence[Attribute], mtu: int) -> _Conversation:
    services = list(_services(table))
    yield from _all_services([service for service in services if not service.is_secondary], _PRIMARY_SERVICE, mtu)
    if any(service.is_secondary for service in services):
        yield from _all_services([service for service in services if service.is_secondary], _SECONDARY_SERVICE, mtu)
    by_start = {service.start: service for service in services}
    told = set(by_start)
    for service in services:
        includes = list(_includes(service.members, by_start))
        if includes:
            told.update(include.start for include in includes)
            yield from _read_by_type(service, _INCLUDE, includes, mtu)
        characteristics = list(_characteristics(service.members))
        declarations = [_declaration(declaration, value) for declaration, value in characteristics]
        yield from _read_by_type(service, _CHARACTERISTIC, declarations, mtu)
        for place, (declaration, value) in enumerate(characteristics):
            told.add(declaration.handle)
            # A characteristic ends where the next is declared, the last one with its service (Vol 3 Part G 3.3).
            is_last = place + 1 == len(characteristics)
            end = service.end if is_last else characteristics[place + 1][0].handle - 1
            first = bisect_right(service.members, value, key=_by_handle)
            descriptors = service.members[first : bisect_right(service.members, end, key=_by_handle)]
            yield from _find_information(descriptors, value + 1, end, mtu)
            told.update(attribute.handle for attribute in descriptors)
            values = service.members[bisect_left(service.members, value, key=_by_handle) : first]
            told.update(
                value for member in values if member.kind == "value" and member.uuid == declaration.characteristic
            )
    for attribute in table:
        if attribute.handle not in told and _type_of(attribute):
            yield from _find_information([attribute], attribute.handle, attribute.handle, mtu)


def _by_handle(attribute: Attribute) -> int:
    return attribute.handle


def _services(table: Sequence[Attribute]) -> Iterator[_Service]:
    starts = [place for place, attribute in enumerate(table) if attribute.kind == "service"]
    for start, following in pairwise([*starts, len(table)]):
        declaration = table[start]
        # Ranges neither overlap nor end before they begin, whatever a table says that was learned from a bad capture.
        limit = table[following].handle - 1 if following < len(table) else _LAST_HANDLE
        end = min(limit, max(declaration.handle, declaration.target or table[following - 1].handle))
        if declaration.service:
            members = table[start + 1 : bisect_right(table, end, key=_by_handle)]
            yield _Service(declaration.handle, end, declaration.service, declaration.secondary, members)


def _characteristics(members: Sequence[Attribute]) -> Iterator[tuple[Attribute, int]]:
    """The declarations of which all is known, each with the handle of the value."""
    for place, declaration in enumerate(members):
        if declaration.kind != "characteristic" or not declaration.characteristic:
            continue
        if declaration.target:
            yield declaration, declaration.target
            continue
        # The value follows its declaration (Vol 3 Part G 3.3), unless something else stands there.
        following = members[place + 1] if place + 1 < len(members) else None
        if following is not None and following.kind == "value":
            yield declaration, following.handle
        elif declaration.handle < _LAST_HANDLE and (following is None or following.handle > declaration.handle + 1):
            yield declaration, declaration.handle + 1


def _includes(members: Sequence[Attribute], services: Mapping[int, _Service]) -> Iterator[_Entry]:
    """The includes of services with a 16-bit UUID; others are told by their type alone.

    The declaration has no room for a 128-bit UUID (Vol 3 Part G 3.2), and Wireshark takes one without for malformed
    (4.0, packet-btatt.c: it reads a UUID from every include declaration, in a Read Response too).
    """
    for member in members:
        included = services.get(member.target)
        if member.kind == "include" and included is not None and len(included.uuid) == 4:
            data = struct.pack("<HHH", member.handle, included.start, included.end) + _wire(included.uuid)
            yield _Entry(member.handle, member.handle, data)


def _declaration(declaration: Attribute, value_handle: int) -> _Entry:
    properties = struct.pack("<HBH", declaration.handle, declaration.properties & 0xFF, value_handle)
    return _Entry(declaration.handle, declaration.handle, properties + _wire(declaration.characteristic))


def _all_services(services: Sequence[_Service], group: str, mtu: int) -> _Conversation:
    """Vol 3 Part G 4.4.1, Discover All Primary Services."""
    entries = [
        _Entry(service.start, service.end, struct.pack("<HH", service.start, service.end) + _wire(service.uuid))
        for service in services
    ]
    for found, begin in _portions(entries, 1, _LAST_HANDLE, mtu):
        request = struct.pack("<BHH", att.READ_BY_GROUP_TYPE_REQUEST, begin, _LAST_HANDLE) + _wire(group)
        yield request, _listed(att.READ_BY_GROUP_TYPE_RESPONSE, found) or _not_found(request, begin)


def _read_by_type(service: _Service, uuid: str, entries: Sequence[_Entry], mtu: int) -> _Conversation:
    """Vol 3 Part F 3.4.4.1: Discover All Characteristics of a Service (Part G 4.6.1), and Find Included Services."""
    for found, begin in _portions(entries, service.start, service.end, mtu):
        request = struct.pack("<BHH", att.READ_BY_TYPE_REQUEST, begin, service.end) + _wire(uuid)
        yield request, _listed(att.READ_BY_TYPE_RESPONSE, found) or _not_found(request, begin)


def _find_information(attributes: Sequence[Attribute], start: int, end: int, mtu: int) -> _Conversation:
    """Vol 3 Part G 4.7.1, Discover All Characteristic Descriptors."""
    types = [(attribute.handle, _type_of(attribute)) for attribute in attributes]
    entries = [_Entry(handle, handle, struct.pack("<H", handle) + _wire(uuid)) for handle, uuid in types if uuid]
    for found, begin in _portions(entries, start, end, mtu):
        request = struct.pack("<BHH", att.FIND_INFORMATION_REQUEST, begin, end)
        # 16-bit UUIDs are format 1, 128-bit ones format 2 (Vol 3 Part F 3.4.3.2).
        form = 0x01 if found and len(found[0].data) == 4 else 0x02
        told = b"".join(entry.data for entry in found)
        yield request, bytes([att.FIND_INFORMATION_RESPONSE, form]) + told if found else _not_found(request, begin)


def _portions(entries: Sequence[_Entry], begin: int, end: int, mtu: int) -> Iterator[tuple[Sequence[_Entry], int]]:
    """What each response of a procedure holds, and where its request begins; an empty one says that this was all.

    A response has entries of one length, and opcode and length octet in front of them (Vol 3 Part F 3.4.3, 3.4.4).
    """
    place = 0
    while begin <= end:
        room = (mtu - 2) // len(entries[place].data) if place < len(entries) else 0
        count = 0
        while (
            count < room
            and place + count < len(entries)
            and len(entries[place + count].data) == len(entries[place].data)
        ):
            count += 1
        yield entries[place : place + count], begin
        if not count:
            return
        place += count
        begin = entries[place - 1].end + 1


def _listed(opcode: int, found: Sequence[_Entry]) -> bytes:
    return bytes([opcode, len(found[0].data)]) + b"".join(entry.data for entry in found) if found else b""


def _not_found(request: bytes, handle: int) -> bytes:
    return struct.pack("<BBHB", att.ERROR_RESPONSE, request[0], handle, _NOT_FOUND)


def _type_of(attribute: Attribute) -> str:
    """The UUID that Find Information gives for an attribute: its type; empty when it is not known."""
    if attribute.kind == "service":
        return _SECONDARY_SERVICE if attribute.secondary else _PRIMARY_SERVICE
    return attribute.uuid


def _wire(uuid: str) -> bytes:
    """A UUID, four hex digits or dashed, as ATT has it: 2 or 16 octets, the last first."""
    digits = uuid.replace("-", "")
    try:
        octets = bytes.fromhex(digits)
    except ValueError:
        octets = b""
    if len(octets) not in (2, 16):
        raise ValueError(f"{uuid!r} is no UUID: four hex digits, or 32 with dashes")
    return octets[::-1]
