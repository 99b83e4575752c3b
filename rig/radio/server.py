"""The GATT server of a simulated device: Bumble's attribute database, with the device asked in the same breath.

Knows ATT requests and subscriptions. Refuses to know radios, advertising and what the values mean.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import struct
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bumble import att, gatt
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt_server import Server
from bumble.keys import PairingKeys
from bumble.utils import AsyncRunner

from protocols.gatt import Property
from rig.devices.model import Answer, AnswerLater, AttError, DeviceAction, SimulatedDevice
from rig.radio.advertising import wire_uuid
from rig.radio.details import Descriptor, RadioAware, RadioDetails
from rig.radio.sides import Side

_log = logging.getLogger(__name__)

_PROPERTIES = {
    Property.READ: gatt.Characteristic.Properties.READ,
    Property.WRITE_WITHOUT_RESPONSE: gatt.Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
    Property.WRITE: gatt.Characteristic.Properties.WRITE,
    Property.NOTIFY: gatt.Characteristic.Properties.NOTIFY,
    Property.INDICATE: gatt.Characteristic.Properties.INDICATE,
}
_MAX_VALUE = 512  # Vol 3 Part F 3.2.9
_READ, _WRITE, _NOTIFICATION, _INDICATION, _WRITE_COMMAND = 0x0A, 0x12, 0x1B, 0x1D, 0x52
_CONFIRMATION = bytes(att.ATT_Handle_Value_Confirmation())
_WRITE_RESPONSE, _READ_RESPONSE = b"\x13", b"\x0b"
_READ_BLOB = 0x0C
_ERROR_RESPONSE = 0x01
_READ_MULTIPLE, _READ_MULTIPLE_VARIABLE = (
    inspect.unwrap(upstream)
    for upstream in (Server.on_att_read_multiple_request, Server.on_att_read_multiple_variable_request)
)
_HANDLE_PDU = struct.Struct("<BH")  # opcode and handle, before a value


class _RefusalError(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


@dataclass(slots=True)
class _Value:
    """One attribute that the device, or this server, holds a value for."""

    read: Callable[[Connection], bytes] | None
    write: Callable[[Connection, bytes, bool], Sequence[DeviceAction]] | None  # the flag: with a response
    command: bool = False  # may be written without a response
    request: bool = False  # may be written with one
    encrypted: bool = False
    authenticated: bool = False  # by a key from a pairing with numeric comparison or passkey


@dataclass(slots=True)
class _Link:
    """What the server keeps for one connection."""

    subscriptions: dict[int, int] = field(default_factory=dict)  # CCCD bits, by value handle
    indications: deque[bytes] = field(default_factory=deque)
    confirming: bool = False
    answer: Callable[[Answer], Callable[[], object]] | None = None  # of the request that the device answers later
    long_values: dict[int, bytes] = field(default_factory=dict)  # that filled their Read Response, by handle


class DeviceServer(Server):
    """Serves a simulated device.

    Reads and writes reach the device in order and within the call that brought the packet, so what it takes for the
    time of a write is the time of its arrival; upstream starts a task for each (``gatt_server.py:1086``). Permissions
    are checked (upstream: "TODO"), and indications that wait for a confirmation go down with the link (upstream keeps
    them for 30 s, ``gatt_server.py:508``).

    Args:
        device: Bumble's device, whose attributes are served.
        simulated: what answers.
        details: descriptors, encryption and MTU.
        now: the clock.
        perform: takes the actions that a call gave back, with the link that made it; called after the response has
            left.
        side: which side of the device a link speaks to; None once the link is gone.
    """

    def __init__(
        self,
        device: Device,
        simulated: SimulatedDevice,
        details: RadioDetails,
        *,
        now: Callable[[], float],
        perform: Callable[[Sequence[DeviceAction], Connection], None],
        side: Callable[[Connection], Side | None],
    ) -> None:
        super().__init__(device)
        self.max_mtu = details.mtu
        self._simulated = simulated
        self._aware = simulated if isinstance(simulated, RadioAware) else None
        self._now = now
        self._perform = perform
        self._side_of = side
        self._values: dict[int, _Value] = {}
        self._handles: dict[str, int] = {}
        self._links: dict[int, _Link] = {}  # by connection handle
        self._authenticated_peers: set[str] = set()
        self._being_paired: set[int] = set()  # connection handles whose key is of a pairing that is not over

    # ---- the attribute database ---------------------------------------------------------------------------------

    def add_device_services(self, details: RadioDetails) -> None:
        """Add the device's services, with a CCCD wherever there is something to subscribe to."""
        services = self._simulated.services
        names = details.names or tuple(tuple(known.uuid for known in service.characteristics) for service in services)
        for service, names_here in zip(services, names, strict=True):
            characteristics = []
            for known, name in zip(service.characteristics, names_here, strict=True):
                flags = gatt.Characteristic.Properties(0)
                for ours, theirs in _PROPERTIES.items():
                    if ours in known.properties:
                        flags |= theirs
                descriptors = [
                    gatt.Descriptor(_short(d.uuid), att.Attribute.READABLE, d.value)
                    for d in details.descriptors.get(name, ())
                ]
                permissions = att.Attribute.READABLE | att.Attribute.WRITEABLE
                characteristics.append(
                    gatt.Characteristic[bytes](_short(known.uuid), flags, permissions, descriptors=descriptors)
                )
            added = gatt.Service(_short(service.uuid), characteristics)
            self.add_service(added)
            for known, name, characteristic in zip(service.characteristics, names_here, characteristics, strict=True):
                self._serve(name, known.properties, characteristic, details)

    def _serve(
        self, name: str, properties: Property, characteristic: gatt.Characteristic[bytes], details: RadioDetails
    ) -> None:
        encrypted, authenticated = name in details.encrypted, name in details.authenticated
        self._handles[name] = characteristic.handle
        anything = details.judges_access
        self._values[characteristic.handle] = _Value(
            read=(lambda link: self._side(link).read(name, self._now()))
            if anything or Property.READ in properties
            else None,
            write=lambda link, data, response: self._side(link).write_arrived(
                name, data, self._now(), with_response=response
            ),
            command=anything or Property.WRITE_WITHOUT_RESPONSE in properties,
            request=anything or Property.WRITE in properties,
            encrypted=encrypted,
            authenticated=authenticated,
        )
        described = {UUID(d.uuid).uuid_128_bytes: d for d in details.descriptors.get(name, ())}
        for handle in range(characteristic.handle + 1, characteristic.end_group_handle + 1):
            attribute = self.get_attribute(handle)
            if attribute is None:
                continue
            if attribute.type == gatt.GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR:
                self._values[handle] = self._cccd(name, properties, characteristic.handle)
                # What may not be read unpaired may not be subscribed to either.
                self._values[handle].encrypted = encrypted
                self._values[handle].authenticated = authenticated
            elif (descriptor := described.get(attribute.type.uuid_128_bytes)) is not None:
                self._values[handle] = self._descriptor(descriptor)
        for handle in range(characteristic.handle, characteristic.end_group_handle + 1):
            self._give_to_upstream(handle)

    def _give_to_upstream(self, handle: int) -> None:
        """Let Bumble's own request handlers, for blobs, types and prepared writes, ask the same value."""
        attribute = self.get_attribute(handle)
        if attribute is None or handle not in self._values:
            return

        async def read(bearer: att.Bearer) -> bytes:
            connection = _unenhanced(bearer)
            try:
                return self._value_of(connection, handle)
            except AnswerLater:
                return await self._answer_of(connection, handle)
            except _RefusalError as refusal:
                raise att.ATT_Error(error_code=att.ErrorCode(refusal.code), att_handle=handle) from refusal

        async def write(bearer: att.Bearer, data: bytes) -> None:
            connection = _unenhanced(bearer)
            try:
                actions = self._take(connection, handle, data, _WRITE)
            except AnswerLater:
                await self._answer_of(connection, handle)
            except _RefusalError as refusal:
                raise att.ATT_Error(error_code=att.ErrorCode(refusal.code), att_handle=handle) from refusal
            else:
                self._perform(actions, connection)

        attribute.value = att.AttributeValueV2(read=read, write=write)

    def _cccd(self, name: str, properties: Property, value_handle: int) -> _Value:
        allowed = (1 if Property.NOTIFY in properties else 0) | (2 if Property.INDICATE in properties else 0)

        def read(connection: Connection) -> bytes:
            return self._link(connection).subscriptions.get(value_handle, 0).to_bytes(2, "little")

        def write(connection: Connection, data: bytes, _response: bool) -> Sequence[DeviceAction]:
            if len(data) != 2:
                raise _RefusalError(att.ATT_INVALID_ATTRIBUTE_LENGTH_ERROR)
            bits = int.from_bytes(data, "little")
            if bits & ~allowed:
                raise _RefusalError(att.ErrorCode.WRITE_REQUEST_REJECTED)
            subscriptions = self._link(connection).subscriptions
            before = subscriptions.get(value_handle, 0)
            subscriptions[value_handle] = bits
            if bool(before) == bool(bits):
                return ()
            try:
                return self._side(connection).subscribed(name, bool(bits), self._now())
            except AttError:
                subscriptions[value_handle] = before
                raise

        return _Value(read=read, write=write, request=True)

    def _descriptor(self, descriptor: Descriptor) -> _Value:
        held = [descriptor.value]
        on_read, on_write = descriptor.on_read, descriptor.on_write

        def write(_connection: Connection, data: bytes, _response: bool) -> Sequence[DeviceAction]:
            if on_write is not None:
                on_write(data, self._now())
            held[0] = data
            return ()

        return _Value(
            read=lambda _: held[0] if on_read is None else on_read(self._now()),
            write=write if descriptor.writable else None,
            request=descriptor.writable,
        )

    # ---- to the central -----------------------------------------------------------------------------------------

    def prepare_notification(self, connection: Connection, name: str, data: bytes) -> Callable[[], object]:
        """Return what sends a value, as a notification or as an indication, whichever the central asked for.

        What is longer than the MTU allows is cut off, as Vol 3 Part F 3.4.7.1 has it, with a warning in the log.
        ``name`` is what the device calls the characteristic. Nothing is sent where the central has not subscribed.
        """
        handle = self._handles[name]
        link = self._link(connection)
        bits = link.subscriptions.get(handle, 0)
        if not bits:
            return _nothing
        room = connection.att_mtu - 3
        if len(data) > room:
            _log.warning("%d bytes of %s cut off: the MTU leaves room for %d", len(data) - room, name, room)
            data = data[:room]
        if bits & 1:
            return self._prepared(connection, _HANDLE_PDU.pack(_NOTIFICATION, handle) + data)
        return partial(self._indicate, connection, link, _HANDLE_PDU.pack(_INDICATION, handle) + data)

    def _prepared(self, connection: Connection, pdu: bytes) -> Callable[[], None]:
        """Return what hands a PDU to the host, by the shortest way there is."""
        return partial(self.device.host.send_l2cap_pdu, connection.handle, att.ATT_CID, pdu)

    def _indicate(self, connection: Connection, link: _Link, pdu: bytes) -> None:
        link.indications.append(pdu)
        self._indicate_next(connection, link)

    def _indicate_next(self, connection: Connection, link: _Link) -> None:
        if link.confirming or not link.indications:
            return
        link.confirming = True
        self.send_gatt_pdu(connection, link.indications.popleft())

    def _confirmed(self, connection: Connection) -> None:
        link = self._link(connection)
        link.confirming = False
        self._indicate_next(connection, link)

    # ---- from the central ---------------------------------------------------------------------------------------

    def on_gatt_pdu(self, bearer: att.Bearer, att_pdu: att.ATT_PDU) -> None:
        """Answer a request; those for the device's own values at once, the rest as Bumble does.

        What comes while the link is being paired is answered after what came before it: upstream ends a pairing in a
        task (``smp.py:1301``), and its last packet may arrive in one piece with the first request that relies on it.
        """
        if isinstance(bearer, Connection) and bearer.handle in self._being_paired:
            asyncio.get_running_loop().call_soon(self._answer, bearer, att_pdu)
        else:
            self._answer(bearer, att_pdu)

    def _answer(self, bearer: att.Bearer, att_pdu: att.ATT_PDU) -> None:
        if not isinstance(bearer, Connection):
            super().on_gatt_pdu(bearer, att_pdu)
        elif isinstance(att_pdu, att.ATT_Write_Command) and att_pdu.attribute_handle in self._values:
            self._write(bearer, att_pdu.attribute_handle, att_pdu.attribute_value, _WRITE_COMMAND)
        elif isinstance(att_pdu, att.ATT_Write_Request) and att_pdu.attribute_handle in self._values:
            self._write(bearer, att_pdu.attribute_handle, att_pdu.attribute_value, _WRITE)
        elif isinstance(att_pdu, att.ATT_Prepare_Write_Request) and att_pdu.attribute_handle in self._values:
            self._prepare_write(bearer, att_pdu)
        elif isinstance(att_pdu, att.ATT_Handle_Value_Confirmation):
            self._confirmed(bearer)
        elif isinstance(att_pdu, att.ATT_Read_Request) and att_pdu.attribute_handle in self._values:
            self._read(bearer, att_pdu.attribute_handle)
        elif isinstance(att_pdu, att.ATT_Read_Blob_Request) and self._goes_on(bearer, att_pdu):
            self._read_on(bearer, att_pdu.attribute_handle, att_pdu.value_offset)
        else:
            super().on_gatt_pdu(bearer, att_pdu)

    def take(self, connection: Connection, pdu: bytes) -> bool:
        """Take what comes in most, the short way: writes of the device's own values, and confirmations."""
        if pdu == _CONFIRMATION:
            self._confirmed(connection)
            return True
        if pdu[0] not in (_WRITE, _WRITE_COMMAND) or len(pdu) < _HANDLE_PDU.size:
            return False
        if connection.handle in self._being_paired:
            return False
        opcode, handle = _HANDLE_PDU.unpack_from(pdu)
        if handle not in self._values:
            return False
        self._write(connection, handle, pdu[_HANDLE_PDU.size :], opcode)
        return True

    def _read(self, connection: Connection, handle: int) -> None:
        try:
            value = self._value_of(connection, handle)
        except AnswerLater:
            self._link(connection).answer = partial(self._prepare_answer, connection, _READ, handle)
        except _RefusalError as refusal:
            self._refuse(connection, _READ, handle, refusal.code)
        except Exception:
            self._refuse(connection, _READ, handle, att.ATT_UNLIKELY_ERROR_ERROR)
            raise  # a defect of the simulated device: the loop reports it
        else:
            self._prepare_answer(connection, _READ, handle, Answer(value))()
        self._perform((), connection)

    def _goes_on(self, connection: Connection, request: att.ATT_Read_Blob_Request) -> bool:
        return request.value_offset > 0 and request.attribute_handle in self._link(connection).long_values

    def _read_on(self, connection: Connection, handle: int, offset: int) -> None:
        """Give the next piece of a long value: of the one that the Read Request found, so that none is torn."""
        value = self._link(connection).long_values[handle]
        room = connection.att_mtu - 1
        if offset > len(value):
            self._refuse(connection, _READ_BLOB, handle, att.ATT_INVALID_OFFSET_ERROR)
        elif len(value) <= room:
            self._refuse(connection, _READ_BLOB, handle, att.ATT_ATTRIBUTE_NOT_LONG_ERROR)
        else:
            piece = value[offset : offset + room]
            self.send_response(connection, att.ATT_Read_Blob_Response(part_attribute_value=piece))

    # ---- answers that the device takes its time for -------------------------------------------------------------

    def prepare_answer(self, connection: Connection, answer: Answer) -> Callable[[], object]:
        """Return what sends the answer that the device had put off; nothing where no request waits for one."""
        link = self._link(connection)
        prepare, link.answer = link.answer, None
        return prepare(answer) if prepare is not None else _nothing

    def _prepare_answer(self, connection: Connection, opcode: int, handle: int, answer: Answer) -> Callable[[], object]:
        if answer.error is not None:
            return self._prepared(connection, _error_response(opcode, handle, answer.error))
        if opcode == _WRITE:
            return self._prepared(connection, _WRITE_RESPONSE)
        room = connection.att_mtu - 1
        long_values = self._link(connection).long_values
        long_values.pop(handle, None)
        if len(answer.value) >= room:
            long_values[handle] = answer.value
        return self._prepared(connection, _READ_RESPONSE + answer.value[:room])

    async def _answer_of(self, connection: Connection, handle: int) -> bytes:
        """Wait for the answer on behalf of one of Bumble's own request handlers."""
        coming: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def take(answer: Answer) -> None:
            if not coming.done():
                coming.set_result(answer)

        self._link(connection).answer = lambda answer: partial(take, answer)
        self._perform((), connection)
        answer = await coming
        if answer.error is not None:
            raise att.ATT_Error(error_code=att.ErrorCode(answer.error), att_handle=handle)
        return answer.value

    def _value_of(self, connection: Connection, handle: int) -> bytes:
        value = self._values[handle]
        if value.read is None:
            raise _RefusalError(att.ATT_READ_NOT_PERMITTED_ERROR)
        self._check_security(connection, value)
        try:
            return value.read(connection)
        except AttError as error:
            raise _RefusalError(error.code) from error

    def _write(self, connection: Connection, handle: int, data: bytes, opcode: int) -> None:
        actions: Sequence[DeviceAction] = ()
        try:
            actions = self._take(connection, handle, data, opcode)
        except AnswerLater:
            if opcode == _WRITE:
                self._link(connection).answer = partial(self._prepare_answer, connection, _WRITE, handle)
        except _RefusalError as refusal:
            if opcode == _WRITE:
                self._refuse(connection, opcode, handle, refusal.code)
        except Exception:
            if opcode == _WRITE:
                self._refuse(connection, opcode, handle, att.ATT_UNLIKELY_ERROR_ERROR)
            raise  # a defect of the simulated device: the loop reports it
        else:
            if opcode == _WRITE:
                self.send_gatt_pdu(connection, _WRITE_RESPONSE)
        self._perform(actions, connection)

    def _prepare_write(self, connection: Connection, request: att.ATT_Prepare_Write_Request) -> None:
        """Refuse what the central may not write before any of it is kept (Vol 3 Part F 3.4.6.1); upstream keeps it."""
        try:
            self._writable(connection, request.attribute_handle, _WRITE)
        except _RefusalError as refusal:
            self._refuse(connection, request.op_code, request.attribute_handle, refusal.code)
        else:
            self.on_att_prepare_write_request(connection, request)

    def _writable(
        self, connection: Connection, handle: int, opcode: int
    ) -> Callable[[Connection, bytes, bool], Sequence[DeviceAction]]:
        """Return what takes a write, where this central may write it now."""
        value = self._values[handle]
        permitted = value.command if opcode == _WRITE_COMMAND else value.request
        if value.write is None or not permitted:
            raise _RefusalError(att.ATT_WRITE_NOT_PERMITTED_ERROR)
        self._check_security(connection, value)
        return value.write

    def _take(self, connection: Connection, handle: int, data: bytes, opcode: int) -> Sequence[DeviceAction]:
        write = self._writable(connection, handle, opcode)
        if len(data) > _MAX_VALUE:
            raise _RefusalError(att.ATT_INVALID_ATTRIBUTE_LENGTH_ERROR)
        try:
            return write(connection, data, opcode == _WRITE)
        except AttError as error:
            raise _RefusalError(error.code) from error

    def pairing_begins(self, connection: Connection) -> None:
        """Forget until its end what an earlier pairing proved: whoever is there may only have the owner's address.

        The link is encrypted before the pairing is over, with a key that may have been agreed on without any code. One
        that fails leaves it so, until the link ends.
        """
        self._being_paired.add(connection.handle)

    def paired(self, connection: Connection, keys: PairingKeys) -> None:
        """Take the keys of a pairing; upstream calls a link authenticated however it was paired (device.py:6741)."""
        self._being_paired.discard(connection.handle)
        peer = str(connection.peer_address)
        if keys.ltk is not None and keys.ltk.authenticated:
            self._authenticated_peers.add(peer)
        else:
            self._authenticated_peers.discard(peer)

    def _check_security(self, connection: Connection, value: _Value) -> None:
        """Refuse what needs more security than the link has (Vol 3 Part C 10.3.1)."""
        if value.encrypted and not connection.is_encrypted:
            raise _RefusalError(att.ATT_INSUFFICIENT_ENCRYPTION_ERROR)
        if value.authenticated and not (
            connection.is_encrypted
            and connection.handle not in self._being_paired
            and str(connection.peer_address) in self._authenticated_peers
        ):
            raise _RefusalError(att.ATT_INSUFFICIENT_AUTHENTICATION_ERROR)

    def _refuse(self, connection: Connection, opcode: int, handle: int, code: int) -> None:
        self.send_gatt_pdu(connection, _error_response(opcode, handle, code))

    def on_att_read_multiple_request(self, bearer: att.Bearer, request: att.ATT_Read_Multiple_Request) -> None:
        """Read several values; one that is refused is the refusal of all, where upstream never answers."""
        AsyncRunner.spawn(self._read_several(bearer, request, _READ_MULTIPLE))  # type: ignore[no-untyped-call]

    def on_att_read_multiple_variable_request(
        self, bearer: att.Bearer, request: att.ATT_Read_Multiple_Variable_Request
    ) -> None:
        """As above, with the length of each value in front of it."""
        AsyncRunner.spawn(self._read_several(bearer, request, _READ_MULTIPLE_VARIABLE))  # type: ignore[no-untyped-call]

    async def _read_several(
        self, bearer: att.Bearer, request: att.ATT_PDU, read: Callable[..., Coroutine[Any, Any, None]]
    ) -> None:
        try:
            await read(self, bearer, request)
        except att.ATT_Error as error:
            self._refuse(_unenhanced(bearer), request.op_code, error.att_handle, error.error_code)

    def on_att_exchange_mtu_request(self, bearer: att.Bearer, request: att.ATT_Exchange_MTU_Request) -> None:
        """Agree on an MTU, and tell the device when it wants to know."""
        super().on_att_exchange_mtu_request(bearer, request)
        if self._aware is not None and request.client_rx_mtu >= att.ATT_DEFAULT_MTU:
            self._aware.mtu_exchanged(request.client_rx_mtu, _unenhanced(bearer).att_mtu, self._now())

    def send_response(self, bearer: att.Bearer, response: att.ATT_PDU) -> None:
        """Send a response, without upstream's formatting of it for a debug log."""
        self.send_gatt_pdu(bearer, bytes(response))

    # ---- links --------------------------------------------------------------------------------------------------

    def on_disconnection(self, bearer: att.Bearer) -> None:
        """Forget what the central of this link had subscribed to."""
        super().on_disconnection(bearer)
        if isinstance(bearer, Connection):
            self._links.pop(bearer.handle, None)
            self._being_paired.discard(bearer.handle)

    def _side(self, connection: Connection) -> Side:
        side = self._side_of(connection)
        if side is None:  # a request that one of Bumble's tasks has taken up after the link's end: nobody reads this
            raise _RefusalError(att.ATT_UNLIKELY_ERROR_ERROR)
        return side

    def _link(self, connection: Connection) -> _Link:
        return self._links.setdefault(connection.handle, _Link())


def _error_response(opcode: int, handle: int, code: int) -> bytes:
    return struct.pack("<BBHB", _ERROR_RESPONSE, opcode, handle, code)


def _nothing() -> None:
    """There is nothing to send."""


def _short(uuid: str) -> UUID:
    """Return Bumble's UUID, in 16 bits where it has those: as devices have it in their attributes."""
    wire = wire_uuid(uuid)
    return UUID(int.from_bytes(wire, "little")) if len(wire) == 2 else UUID(uuid)


def _unenhanced(bearer: att.Bearer) -> Connection:
    if not isinstance(bearer, Connection):
        raise TypeError("EATT is never offered, so every bearer is a link")
    return bearer
