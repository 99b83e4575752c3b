"""HCI commands and events: who is connected to whom, in which role, and what becomes of the connection.

Knows the layout of commands and events (Vol 4 Part E, 7). Refuses to know how data gets across, and how a container
wraps a packet. Keys are never read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from rig.capture.layers.advertised import learn, name_heard, text_of
from rig.capture.layers.connections import Connection, ConnectionTable
from rig.capture.layers.hci_codes import error_name
from rig.capture.layers.links import LOCAL, REMOTE, Address, Observations

_MAX_REMEMBERED = 4096  # advertisements known already, and roles announced for addresses not yet connected
_LONGEST_ADVERTISEMENT = 1650  # extended advertising data, Vol 4 Part E, 7.8.54

_SUCCESS: Final = 0
_UNKNOWN_CONNECTION: Final = 0x02
_PHYS = {1: "1M", 2: "2M", 3: "coded"}
_ENCRYPTION = {0: "off", 1: "on", 2: "on_aes_ccm"}

_CONNECTION = struct.Struct("<HHH")
_HANDLE = struct.Struct("<H")
_DATA_LENGTH = struct.Struct("<HHHHH")
_LE_CONNECTION = struct.Struct("<BHBB6sHHH")
_LE_ENHANCED_CONNECTION = struct.Struct("<BHBB6s6s6sHHH")
_STATUS_HANDLE = struct.Struct("<BH")
_BREDR_CONNECTION = struct.Struct("<BH6sB")


class Where(NamedTuple):
    """Where in the capture a command or event stands."""

    frame: int
    time_ns: int
    controller: int
    """As :attr:`rig.capture.layers.hci.HciPacket.controller` has it."""


_Handler = Callable[[Where, bytes], None]  # with the parameters of the command or event


def address_text(wire: bytes) -> str:
    """Six octets, least significant first, as ``AA:BB:CC:DD:EE:FF``."""
    return wire[::-1].hex(":").upper()


class _Controller:
    """What the host told one controller about itself, to know by which address it goes."""

    __slots__ = ("advertising_own", "central_own", "public", "random", "roles", "set_own", "set_random")

    def __init__(self) -> None:
        self.public: str | None = None
        self.random: str | None = None
        self.central_own: int | None = None  # Own_Address_Type of the last LE create connection command
        self.advertising_own: int | None = None
        self.set_own: dict[int, int] = {}  # by advertising set
        self.set_random: dict[int, str] = {}
        self.roles: dict[str, int] = {}  # BR/EDR peer to the side that is to be the central


class HciControl:
    """Reads the commands and events of all controllers in a capture.

    Args:
        table: the connection table, which events open and close.
        observations: where oddities, names and advertised services go.
    """

    def __init__(self, table: ConnectionTable, observations: Observations) -> None:
        self._table = table
        self._observations = observations
        self._controllers: dict[int, _Controller] = {}
        self._heard: set[bytes] = set()
        self._partial: dict[str, bytes] = {}
        self._events: dict[int, _Handler] = {
            0x03: self._connection_complete,
            0x05: self._disconnection_complete,
            0x07: self._remote_name,
            0x08: self._encryption_change,
            0x0C: self._version,
            0x0E: self._command_complete,
            0x12: self._role_change,
            0x2F: self._extended_inquiry_result,
            0x30: self._encryption_refresh,
            0x3E: self._le_meta,
            0x59: self._encryption_change,
        }
        self._subevents: dict[int, _Handler] = {
            0x01: self._le_connection_complete,
            0x02: self._advertising_report,
            0x03: self._le_connection_update,
            0x05: self._le_long_term_key_request,
            0x07: self._le_data_length,
            0x0A: self._le_enhanced_connection_complete,
            0x0C: self._le_phy_update,
            0x0D: self._extended_advertising_report,
            0x12: self._advertising_set_terminated,
            0x29: self._le_enhanced_connection_complete,
        }
        self._commands: dict[int, _Handler] = {
            0x0405: self._create_connection,
            0x0409: self._accept_connection,
            0x2005: self._set_random_address,
            0x2006: self._advertising_parameters,
            0x200D: self._le_create_connection,
            0x2019: self._enable_encryption,
            0x201A: self._long_term_key_reply,
            0x201B: self._long_term_key_reply,
            0x2035: self._set_advertising_set_random_address,
            0x2036: self._extended_advertising_parameters,
            0x2043: self._le_extended_create_connection,
            0x2085: self._le_extended_create_connection_v2,
        }

    def event(self, frame: int, time_ns: int, controller: int, packet: bytes) -> None:
        """Take one event packet: code, length, parameters."""
        if len(packet) < 2:
            self._malformed(frame, "an event without a whole header")
            return
        handler = self._events.get(packet[0])
        if handler is not None:
            self._run(handler, Where(frame, time_ns, controller), packet[2 : 2 + packet[1]], f"event 0x{packet[0]:02x}")

    def command(self, frame: int, time_ns: int, controller: int, packet: bytes) -> None:
        """Take one command packet: opcode, length, parameters."""
        if len(packet) < 3:
            self._malformed(frame, "a command without a whole header")
            return
        opcode = packet[0] | packet[1] << 8
        handler = self._commands.get(opcode)
        if handler is not None:
            self._run(handler, Where(frame, time_ns, controller), packet[3 : 3 + packet[2]], f"command 0x{opcode:04x}")

    def local_address(self, controller: int, wire: bytes) -> None:
        """A controller's public address, as a monitor tells it; all zero means that it has none."""
        if any(wire):
            self._of(controller).public = address_text(wire)

    def controller_gone(self, where: Where) -> None:
        """A controller was reset, switched off or unplugged: its connections ended without an event each."""
        for connection in self._table.of_controller(where.controller):
            connection.link.happened(*where[:2], "disconnected", reason="controller_reset")
            connection.close(where.time_ns)

    def _run(self, handler: _Handler, where: Where, body: bytes, what: str) -> None:
        try:
            handler(where, body)
        except (struct.error, IndexError):
            self._malformed(where.frame, f"{what} of {len(body)} bytes is too short")

    def _malformed(self, frame: int, what: str) -> None:
        self._observations.odd("malformed_packets", frame, what)

    def _of(self, controller: int) -> _Controller:
        return self._controllers.setdefault(controller, _Controller())

    def _open(self, where: Where, handle: int) -> Connection | None:
        connection = self._table.find(where.controller, handle)
        return connection if connection is not None and connection.is_open else None

    # Connections begin and end

    def _connection_complete(self, where: Where, body: bytes) -> None:
        status, handle, wire, kind = _BREDR_CONNECTION.unpack_from(body)
        if kind != 1:  # SCO
            return
        peer = address_text(wire)
        own = self._of(where.controller)
        central = own.roles.pop(peer, None)
        if status != _SUCCESS:
            self._failed(where, status, peer)
            return
        local = None if own.public is None else Address(own.public)
        connection = self._table.opened(
            where[:2], where.controller, handle, "br/edr", central_side=central, local=local, peer=Address(peer)
        )
        connection.link.happened(*where[:2], "connected")

    def _le_connection_complete(self, where: Where, body: bytes) -> None:
        status, handle, role, kind, peer, *parameters = _LE_CONNECTION.unpack_from(body)
        self._le_connected(where, (status, handle, role, kind, peer), None, parameters)

    def _le_enhanced_connection_complete(self, where: Where, body: bytes) -> None:
        status, handle, role, kind, peer, local, _, *parameters = _LE_ENHANCED_CONNECTION.unpack_from(body)
        self._le_connected(where, (status, handle, role, kind, peer), local, parameters)

    def _le_connected(
        self,
        where: Where,
        who: tuple[int, int, int, int, bytes],
        resolvable: bytes | None,
        parameters: list[int],
    ) -> None:
        """A connection, told by any of the three events; its layout is the same in what matters here."""
        status, handle, role, kind, wire = who
        peer = Address(address_text(wire), bool(kind & 1))  # types 2 and 3 are identities, public and random static
        if status != _SUCCESS:
            self._failed(where, status, peer.text)
            return
        own = self._of(where.controller)
        central = LOCAL if role == 0 else REMOTE
        own_type = own.central_own if central == LOCAL else own.advertising_own
        connection = self._table.opened(
            where[:2],
            where.controller,
            handle,
            "le",
            central_side=central,
            local=_own_address(own, own_type, own.random, resolvable),
            peer=peer,
        )
        connection.link.happened(
            *where[:2],
            "connected",
            local_role="central" if central == LOCAL else "peripheral",
            **_parameters(parameters),
        )

    def _failed(self, where: Where, status: int, peer: str) -> None:
        # A host that gives up an attempt gets this status for it (Vol 4 Part E, 7.8.13): no connection has failed.
        kind = "cancelled_connections" if status == _UNKNOWN_CONNECTION else "failed_connections"
        self._observations.odd(kind, where.frame, f"to {peer}: {error_name(status)}")

    def _disconnection_complete(self, where: Where, body: bytes) -> None:
        status, handle = _STATUS_HANDLE.unpack_from(body)
        reason = body[3] if len(body) > 3 else 0  # a recorder that cut the last octet did not undo the end
        connection = self._open(where, handle & 0xFFF)
        if status == _SUCCESS and connection is not None:  # handles of SCO links end here too
            connection.link.last_frame = where.frame
            connection.link.happened(*where[:2], "disconnected", reason=error_name(reason), reason_code=reason)
            connection.close(where.time_ns)

    def _advertising_set_terminated(self, where: Where, body: bytes) -> None:
        status, advertising_handle, handle = struct.unpack_from("<BBH", body)
        connection = self._open(where, handle)
        if status != _SUCCESS or connection is None or connection.link.central_side != REMOTE:
            return
        own = self._of(where.controller)
        own_type = own.set_own.get(advertising_handle)
        if connection.link.addresses[LOCAL] is None or own_type == 1:
            # Only now is it known which advertising set, and so which random address, was connected to.
            connection.link.addresses[LOCAL] = _own_address(own, own_type, own.set_random.get(advertising_handle), None)

    # What becomes of them

    def _le_connection_update(self, where: Where, body: bytes) -> None:
        status, handle, *parameters = struct.unpack_from("<BHHHH", body)
        connection = self._open(where, handle)
        if connection is None:
            return
        if status == _SUCCESS:
            connection.link.happened(*where[:2], "parameters", **_parameters(parameters))
        else:
            connection.link.happened(*where[:2], "parameters_refused", reason=error_name(status))

    def _le_data_length(self, where: Where, body: bytes) -> None:
        handle, tx_octets, tx_time, rx_octets, rx_time = _DATA_LENGTH.unpack_from(body)
        connection = self._open(where, handle)
        if connection is not None:
            connection.link.happened(
                *where[:2],
                "data_length",
                tx_bytes=tx_octets,
                tx_time_us=tx_time,
                rx_bytes=rx_octets,
                rx_time_us=rx_time,
            )

    def _le_phy_update(self, where: Where, body: bytes) -> None:
        status, handle, tx, rx = struct.unpack_from("<BHBB", body)
        connection = self._open(where, handle)
        if status == _SUCCESS and connection is not None:
            connection.link.happened(*where[:2], "phy", tx=_PHYS.get(tx, str(tx)), rx=_PHYS.get(rx, str(rx)))

    def _encryption_change(self, where: Where, body: bytes) -> None:
        status, handle, enabled = struct.unpack_from("<BHB", body)
        connection = self._open(where, handle)
        if connection is None:
            return
        if status != _SUCCESS:
            connection.link.happened(*where[:2], "encryption", state="failed", reason=error_name(status))
        elif len(body) > 4:  # version 2
            state = _ENCRYPTION.get(enabled, str(enabled))
            connection.link.happened(*where[:2], "encryption", state=state, key_size_bytes=body[4])
        else:
            connection.link.happened(*where[:2], "encryption", state=_ENCRYPTION.get(enabled, str(enabled)))

    def _encryption_refresh(self, where: Where, body: bytes) -> None:
        status, handle = _STATUS_HANDLE.unpack_from(body)
        connection = self._open(where, handle)
        if connection is not None:
            state = "refreshed" if status == _SUCCESS else "failed"
            connection.link.happened(*where[:2], "encryption", state=state)

    def _version(self, where: Where, body: bytes) -> None:
        status, handle, version, company, subversion = struct.unpack_from("<BHBHH", body)
        connection = self._open(where, handle)
        if status == _SUCCESS and connection is not None:
            connection.link.happened(
                *where[:2], "version", link_layer_version=version, company=company, subversion=subversion
            )

    # Roles of connections whose beginning is not in the capture

    def _enable_encryption(self, where: Where, body: bytes) -> None:
        self._told_central(where, _HANDLE.unpack_from(body)[0], LOCAL)  # only a central may, Vol 4 Part E, 7.8.24

    def _long_term_key_reply(self, where: Where, body: bytes) -> None:
        self._told_central(where, _HANDLE.unpack_from(body)[0], REMOTE)  # 7.8.25 and 7.8.26: only a peripheral

    def _le_long_term_key_request(self, where: Where, body: bytes) -> None:
        self._told_central(where, _HANDLE.unpack_from(body)[0], REMOTE)  # 7.7.65.5: to a peripheral's host

    def _told_central(self, where: Where, handle: int, side: int) -> None:
        connection = self._open(where, handle)
        if connection is not None and connection.link.central_side is None and connection.link.transport == "le":
            connection.link.central_side = side

    def _create_connection(self, where: Where, body: bytes) -> None:
        self._remember_role(where, body[:6], LOCAL)

    def _accept_connection(self, where: Where, body: bytes) -> None:
        # Role 0 asks for a role switch, which a Role Change event reports when it comes about; 1 stays peripheral.
        self._remember_role(where, body[:6], REMOTE)

    def _role_change(self, where: Where, body: bytes) -> None:
        status, wire, role = struct.unpack_from("<B6sB", body)
        if status != _SUCCESS:
            return
        central = LOCAL if role == 0 else REMOTE
        peer = address_text(wire)
        for connection in self._table.of_controller(where.controller):
            link = connection.link
            address = link.addresses[REMOTE]
            if link.transport == "br/edr" and address is not None and address.text == peer:
                link.central_side = central
                link.happened(*where[:2], "role", local_role="central" if central == LOCAL else "peripheral")
                return
        self._remember_role(where, wire, central)  # the switch may come before the connection is reported

    def _remember_role(self, where: Where, wire: bytes, central: int) -> None:
        if len(wire) == 6:
            roles = self._of(where.controller).roles
            if len(roles) >= _MAX_REMEMBERED:
                roles.clear()
            roles[address_text(wire)] = central

    # Own addresses

    def _command_complete(self, where: Where, body: bytes) -> None:
        opcode, status = struct.unpack_from("<xHB", body)
        if status != _SUCCESS:
            return
        if opcode == 0x1009:  # Read BD_ADDR
            if len(body) >= 10:
                self.local_address(where.controller, body[4:10])
        elif opcode == 0x0C03:  # Reset
            self.controller_gone(where)

    def _set_random_address(self, where: Where, body: bytes) -> None:
        if len(body) >= 6:
            self._of(where.controller).random = address_text(body[:6])

    def _advertising_parameters(self, where: Where, body: bytes) -> None:
        self._of(where.controller).advertising_own = body[5]

    def _extended_advertising_parameters(self, where: Where, body: bytes) -> None:
        own = self._of(where.controller)
        own.set_own[body[0]] = body[10]
        # Which set a connection came in by is told after it (see _advertising_set_terminated): until then, not known.
        own.advertising_own = None

    def _set_advertising_set_random_address(self, where: Where, body: bytes) -> None:
        if len(body) >= 7:
            self._of(where.controller).set_random[body[0]] = address_text(body[1:7])

    def _le_create_connection(self, where: Where, body: bytes) -> None:
        self._of(where.controller).central_own = body[12]

    def _le_extended_create_connection(self, where: Where, body: bytes) -> None:
        self._of(where.controller).central_own = body[1]

    def _le_extended_create_connection_v2(self, where: Where, body: bytes) -> None:
        self._of(where.controller).central_own = body[3]

    # Names and services

    def _remote_name(self, _where: Where, body: bytes) -> None:
        if body[0] == _SUCCESS and len(body) > 7:
            name_heard(self._observations, address_text(body[1:7]), text_of(body[7:]))

    def _extended_inquiry_result(self, _where: Where, body: bytes) -> None:
        if len(body) > 15:
            learn(self._observations, address_text(body[1:7]), body[15:])

    def _advertising_report(self, _where: Where, body: bytes) -> None:
        at = 1
        for _ in range(body[0]):  # event type, address type, address, length, data, signal strength
            end = at + 9 + body[at + 8]
            self._advertised(body[at + 2 : at + 8], body[at + 9 : end])
            at = end + 1

    def _extended_advertising_report(self, _where: Where, body: bytes) -> None:
        at = 1
        for _ in range(body[0]):
            end = at + 24 + body[at + 23]
            wire = body[at + 3 : at + 9]
            data = body[at + 24 : end]
            status = body[at] >> 5 & 3  # 0 complete, 1 more to come, 2 truncated: nothing more to come
            if status or self._partial:
                data = self._joined(address_text(wire), data, more=status == 1)
            if status != 1:
                self._advertised(wire, data)
            at = end

    def _joined(self, address: str, data: bytes, *, more: bool) -> bytes:
        """Long advertising data comes in several reports; keep the parts of a few devices until the last one."""
        data = (self._partial.pop(address, b"") + data)[:_LONGEST_ADVERTISEMENT]
        if more:
            if len(self._partial) >= 64:
                self._partial.clear()
            self._partial[address] = data
        return data

    def _advertised(self, wire: bytes, data: bytes) -> None:
        if not data:
            return
        said = wire + data
        if said in self._heard:  # the same again, as advertisers do ten times a second
            return
        if len(self._heard) >= _MAX_REMEMBERED:
            self._heard.clear()
        self._heard.add(said)
        learn(self._observations, address_text(wire), data)

    def _le_meta(self, where: Where, body: bytes) -> None:
        handler = self._subevents.get(body[0])
        if handler is not None:
            handler(where, body[1:])


def _parameters(values: list[int]) -> dict[str, float]:
    interval, latency, timeout = values[:3]
    return {
        "interval_ms": interval * 1.25,
        "latency_events": latency,
        "supervision_timeout_ms": timeout * 10,
    }


def _own_address(own: _Controller, kind: int | None, random: str | None, resolvable: bytes | None) -> Address | None:
    """By which address the local device went, from Own_Address_Type (Vol 4 Part E, 7.8.12); None when not told."""
    if kind is None:
        return None
    if (
        kind & 2 and resolvable is not None and any(resolvable)
    ):  # a resolvable private address of the controller's making
        return Address(address_text(resolvable), is_random=True)
    text = random if kind & 1 else own.public
    return None if text is None else Address(text, bool(kind & 1))
