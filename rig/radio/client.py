"""The client of the bleak backend: bleak's services, reads, writes and notifications over one link.

Knows bleak's client contract and follows its BlueZ backend where bleak leaves a choice. Refuses to know scanning.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from bleak import BleakScanner
from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import att, core, hci
from bumble.device import Connection
from bumble.gatt_client import CharacteristicProxy, DescriptorProxy, ServiceProxy

from rig.radio.adapter import Adapter, AdapterError
from rig.radio.att import AttClient, LinkLostError
from rig.radio.host import report_mistake
from rig.radio.scanner import BumbleScanner

_T = TypeVar("_T")
_CCCD = "00002902-0000-1000-8000-00805f9b34fb"
_NOTIFICATION, _INDICATION = 1, 2  # Vol 3 Part G 3.3.3.3
_WANTED_MTU = 517  # what BlueZ asks for: room for the longest attribute value, 512


class BumbleClient(BaseBleakClient):
    """One GATT client on the adapter of its class.

    As with the BlueZ backend, the disconnected callback is called once for every link that came up, whoever ended it,
    with ``is_connected`` False already; ``services`` live as long as the link; a second ``start_notify`` exchanges the
    callback; a characteristic's handle is that of its declaration.
    """

    adapter: ClassVar[Adapter]
    scanner_backend: ClassVar[type[BumbleScanner]]

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        services: set[str] | None = None,
        *,
        disconnected_callback: Callable[[], None] | None = None,
        timeout: float = 30.0,
        **_kwargs: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._peer: hci.Address | None = None
        self._name: str | None = None
        if isinstance(address_or_ble_device, BLEDevice):
            # A device that another backend, or a test, has made is looked for by its address.
            details = address_or_ble_device.details
            peer = details.get("address") if isinstance(details, dict) else None
            self._peer = peer if isinstance(peer, hci.Address) else None
            self._name = address_or_ble_device.name
        self._wanted_services = services
        self._connection: Connection | None = None
        self._att: AttClient | None = None
        self._connecting = False
        self._notifying: set[int] = set()  # value handles

    # ---- what bleak asks about ----------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The device's name as advertised, or its address with dashes, as BlueZ has it."""
        name = self._name or self.adapter.names.get(self.address)
        return name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """The negotiated ATT MTU; 23 while not connected."""
        return self._connection.att_mtu if self._connection is not None else att.ATT_DEFAULT_MTU

    @property
    def is_connected(self) -> bool:
        """True from the end of :meth:`connect` until the link is gone."""
        return self._att is not None and not self._connecting

    # ---- connecting ---------------------------------------------------------------------------------------------

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        """Connect, pair when asked to, and discover the services.

        Raises:
            BleakDeviceNotFoundError: given by its address, and not heard within the timeout.
            BleakError: connected already, or the link went down during discovery.
            TimeoutError: the device did not answer within the timeout.
        """
        if self._att is not None or self._connecting:
            raise BleakError("Client is already connected")
        timeout_s: float = kwargs.get("timeout", self._timeout)
        self._connecting = True
        try:
            if self._peer is None:
                await self._find(timeout_s)
            async with asyncio.timeout(timeout_s):
                await self._connect(pair=pair)
        finally:
            self._connecting = False

    async def _find(self, timeout_s: float) -> None:
        device = await BleakScanner.find_device_by_address(self.address, timeout_s, backend=self.scanner_backend)
        if device is None:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found.")
        self.address = device.address
        self._peer = device.details["address"]
        self._name = device.name

    async def _connect(self, *, pair: bool) -> None:
        if self._peer is None:
            raise BleakError("no address")
        try:
            connection = await self.adapter.connect(self._peer)
        except AdapterError as error:
            raise BleakError(f"could not connect to {self.address}: {error}") from error
        bearer = connection.gatt_client
        if not isinstance(bearer, AttClient):
            raise TypeError("the adapter's links have ATT clients of its own")
        if bearer.lost is not None:
            raise BleakError(f"could not connect to {self.address}: {bearer.lost}")
        self._connection, self._att = connection, bearer
        connection.once(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        try:
            if await self.adapter.keys_of(connection.peer_address) is not None:
                await self._encrypt(connection)
            elif pair:
                await self._pair(connection)
            await bearer.request_mtu(_WANTED_MTU)
            self.services = await self._discover(bearer)
        except BaseException as error:
            # A task of its own: the caller may have been cancelled, and the link has to come down all the same.
            await asyncio.shield(asyncio.ensure_future(self.adapter.disconnect(connection)))
            if isinstance(error, LinkLostError):
                raise BleakError(f"failed to discover services: {error}") from error
            if isinstance(error, att.ATT_Error):
                raise BleakGATTProtocolError(error.error_code) from error
            raise

    async def disconnect(self) -> None:
        """End the link; nothing happens when there is none."""
        if self._connection is not None:
            await self.adapter.disconnect(self._connection)

    def _on_disconnection(self, _reason: int) -> None:
        if self._att is not None and self._att.lost is None:
            self._att.on_disconnection(_reason)
        self._connection = None
        self._att = None
        self.services = None
        self._notifying.clear()
        if self._disconnected_callback is not None:
            try:
                self._disconnected_callback()
            except Exception as error:  # noqa: BLE001 - Bumble has tables to clear after this; the loop reports it
                report_mistake("a disconnected callback failed", error)

    # ---- pairing ------------------------------------------------------------------------------------------------

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:
        """Pair by LE Secure Connections, "just works"; nothing happens when the device is bonded already.

        Raises:
            BleakError: not connected, or the device refused.
        """
        _, connection = self._require_link()
        if await self.adapter.keys_of(connection.peer_address) is None:
            await self._pair(connection)

    async def unpair(self) -> None:
        """Forget the bond and disconnect, as BlueZ does.

        Raises:
            BleakDeviceNotFoundError: there is neither a bond nor a link.
        """
        peer = self._connection.peer_address if self._connection is not None else self._peer
        known = self._connection is not None
        if peer is not None:
            known = await self.adapter.forget(peer) or known
        await self.disconnect()
        if not known:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found.")

    async def _pair(self, connection: Connection) -> None:
        await self._secure(connection, connection.pair(), "pairing failed")

    async def _encrypt(self, connection: Connection) -> None:
        await self._secure(connection, connection.encrypt(), "the bond is not known to the device (unpair first)")

    async def _secure(self, connection: Connection, procedure: Awaitable[Any], failure: str) -> None:
        try:
            await connection.cancel_on_disconnection(procedure)
        except (core.ProtocolError, core.BaseBumbleError, hci.HCI_Error) as error:
            raise BleakError(f"{failure}: {error}") from error
        except asyncio.CancelledError:
            # Bumble cancels what waits when the link ends (utils.cancel_on_event): that is no cancellation of ours.
            if connection.handle in connection.device.connections or _cancelling():
                raise
            raise BleakError(f"{failure}: the link ended") from None

    # ---- services -----------------------------------------------------------------------------------------------

    async def _discover(self, bearer: AttClient) -> BleakGATTServiceCollection:
        collection = BleakGATTServiceCollection()
        for service in await bearer.discover_services():
            if self._wanted_services is not None and _uuid(service.uuid) not in self._wanted_services:
                continue
            await self._discover_service(bearer, collection, service)
        return collection

    async def _discover_service(
        self, bearer: AttClient, collection: BleakGATTServiceCollection, service: ServiceProxy
    ) -> None:
        known = BleakGATTService(service, service.handle, _uuid(service.uuid))
        collection.add_service(known)
        for proxy in await bearer.discover_characteristics([], service):
            characteristic = BleakGATTCharacteristic(
                proxy,
                # The value's declaration stands immediately before the value (Vol 3 Part G 3.3).
                proxy.handle - 1,
                _uuid(proxy.uuid),
                sorted(gatt_char_props_to_strs(int(proxy.properties))),
                self._max_write_without_response_size,
                known,
            )
            collection.add_characteristic(characteristic)
            if proxy.end_group_handle > proxy.handle:
                for descriptor in await bearer.discover_descriptors(proxy):
                    collection.add_descriptor(
                        BleakGATTDescriptor(descriptor, descriptor.handle, _uuid(descriptor.type), characteristic)
                    )

    def _max_write_without_response_size(self) -> int:
        return self.mtu_size - 3

    # ---- reading and writing ------------------------------------------------------------------------------------

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_kwargs: Any
    ) -> bytearray:
        """Read a characteristic's value, the whole of it; with ``use_cached`` the last one known, if any.

        Raises:
            BleakError: not connected, or the link went down meanwhile.
            BleakGATTProtocolError: the device answered with an ATT error.
        """
        return await self._read(_value_handle(characteristic), use_cached=use_cached)

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_kwargs: Any
    ) -> bytearray:
        """Read a descriptor's value; raises as :meth:`read_gatt_char` does."""
        return await self._read(descriptor.handle, use_cached=use_cached)

    async def _read(self, handle: int, *, use_cached: bool) -> bytearray:
        bearer, _ = self._require_link()
        if use_cached and handle in bearer.values:
            return bytearray(bearer.values[handle])
        value = bytes(await _translated(bearer.read_value(handle)))
        bearer.values[handle] = value
        return bytearray(value)

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        """Write a characteristic's value. When no request is under way it has left when this first yields.

        Raises:
            BleakError: not connected, the link went down meanwhile, or a write without response is too long.
            BleakGATTProtocolError: the device answered with an ATT error (only with a response).
        """
        bearer, _ = self._require_link()
        value = bytes(data)
        limit = self._max_write_without_response_size()
        if not response and len(value) > limit:
            raise BleakError(f"{len(value)} bytes do not fit into one write without response: {limit} do")
        await _translated(bearer.write_value(_value_handle(characteristic), value, with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write a descriptor's value, with a response; raises as :meth:`write_gatt_char` does."""
        bearer, _ = self._require_link()
        await _translated(bearer.write_value(descriptor.handle, bytes(data), with_response=True))

    # ---- notifications ------------------------------------------------------------------------------------------

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_kwargs: Any
    ) -> None:
        """Subscribe to notifications, or to indications where the characteristic has only those.

        Raises:
            BleakError: not connected, or the characteristic has neither property or no CCCD.
            BleakGATTProtocolError: the device refused.
        """
        bearer, _ = self._require_link()
        handle = _value_handle(characteristic)
        bearer.listeners[handle] = lambda value: callback(bytearray(value))
        if handle in self._notifying:
            return
        try:
            bits = _subscription_bits(characteristic)
            await _translated(bearer.write_value(_cccd(characteristic), struct.pack("<H", bits), with_response=True))
        except BaseException:
            bearer.listeners.pop(handle, None)
            raise
        self._notifying.add(handle)

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """End a subscription.

        Raises:
            BleakError: not connected, or there is no subscription.
        """
        bearer, _ = self._require_link()
        handle = _value_handle(characteristic)
        if handle not in self._notifying:
            raise BleakError(f"no notifications were started on {characteristic.uuid}")
        self._notifying.discard(handle)
        await _translated(bearer.write_value(_cccd(characteristic), bytes(2), with_response=True))
        bearer.listeners.pop(handle, None)

    # ---- inside -------------------------------------------------------------------------------------------------

    def _require_link(self) -> tuple[AttClient, Connection]:
        if self._att is None or self._connection is None or self._connecting:
            raise BleakError("Not connected")
        return self._att, self._connection


async def _translated(operation: Awaitable[_T]) -> _T:
    """Await an ATT operation, with its failures as bleak's."""
    try:
        return await operation
    except att.ATT_Error as error:
        raise BleakGATTProtocolError(error.error_code) from error
    except LinkLostError as error:
        raise BleakError(str(error)) from error


def _uuid(uuid: core.UUID) -> str:
    return str(UUID(bytes=bytes(reversed(uuid.uuid_128_bytes))))


def _value_handle(characteristic: BleakGATTCharacteristic) -> int:
    proxy: CharacteristicProxy[bytes] = characteristic.obj
    return proxy.handle


def _subscription_bits(characteristic: BleakGATTCharacteristic) -> int:
    if "notify" in characteristic.properties:  # preferred over indications, says bleak
        return _NOTIFICATION
    if "indicate" in characteristic.properties:
        return _INDICATION
    raise BleakError(f"{characteristic.uuid} can neither notify nor indicate")


def _cccd(characteristic: BleakGATTCharacteristic) -> DescriptorProxy:
    descriptor = characteristic.get_descriptor(_CCCD)
    if descriptor is None:
        raise BleakError(f"{characteristic.uuid} has no Client Characteristic Configuration descriptor (0x2902)")
    proxy: DescriptorProxy = descriptor.obj
    return proxy


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
