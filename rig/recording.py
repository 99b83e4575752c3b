"""Records GATT operations of a connected bleak client, as a capture that Wireshark and the rig read.

Knows bleak's client, and what each of its operations is in ATT. Refuses to know scanning and connecting, and does
nothing to a device that it is not asked to.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Final, Self, TypeVar

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.exc import BleakCharacteristicNotFoundError, BleakError, BleakGATTProtocolError

from rig.capture import att
from rig.capture.layers.links import LOCAL, REMOTE
from rig.capture.live_peer import address_of, name_field, name_of, service_list_field
from rig.capture.live_table import LiveTable
from rig.capture.synthesis import DEFAULT_MTU, LARGEST_USEFUL_MTU, HciSynthesis
from rig.capture.writer import Direction
from rig.capture.writers import FORMATS, UnrepresentableError, format_of, open_writer
from rig.commands.faults import RigError, UsageError

if TYPE_CHECKING:
    from bleak.args import SizedBuffer
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData

__all__ = ["Recording", "RecordingError", "check_target", "epoch_of_now"]

UNSPECIFIED: Final = 0x1F
"""Unspecified Error (Vol 1 Part F 2.31): bleak does not tell a peer that hung up from one that went out of reach."""

_TOLD = "recorded at the level of GATT: the HCI packets around the ATT PDUs are synthetic"
_CONNECTION = 0x0040
_NOTIFICATION, _INDICATION = b"\x01\x00", b"\x02\x00"  # Vol 3 Part G 3.3.3.3
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

NotifyCallback = Callable[[BleakGATTCharacteristic, bytearray], Awaitable[None] | None]
_T = TypeVar("_T")


class RecordingError(RigError):
    """The file cannot be written: in one line which, and why."""


def epoch_of_now() -> datetime:
    """The date and time at which the running loop's clock was zero: the epoch of a recording that is real."""
    return datetime.now(UTC) - timedelta(seconds=asyncio.get_running_loop().time())


class Recording:
    r"""Does GATT operations through a connected client and writes each down, with its time, as it happens.

    Use it as an async context manager around a client that is connected::

        async with BleakClient(device) as client:
            async with Recording(client, "session.pcapng", epoch=epoch_of_now()) as recording:
                await recording.start_notify("ffe1", print)
                await recording.write("ffe1", b"\x01", response=True)

    The capture begins with a synthetic connection and the discovery of what the client knows. Every record is handed to
    the operating system at once: a process that dies loses nothing that was recorded. ATT has one request under way at
    a time (Vol 3 Part F 3.3.2), so reads, writes with response and subscriptions wait for each other here. A value that
    does not fit into one PDU is told in the parts that the specification has for it; when each of them was on the air
    is not known, and all have the time of the operation's beginning (written) or end (read).

    A recording that cannot be written any more, say for a full disk, never stands in the way of an operation: the rest
    goes unrecorded, and :meth:`close` raises the error.

    Args:
        client: a client that is connected.
        target: the file to make, or one that is open for writing (binary), which stays open.
        epoch: the date and time at which the loop's clock is zero, with a time zone; see :func:`epoch_of_now`.
        format: btsnoop, pcap or pcapng; without it as the name of ``target`` says.
        device: what the scanner found, which tells the kind of address where the system does.
        advertised: what the device advertised, to be told in the capture.

    Attributes:
        table: the device's attributes, with the handles that they have in the recording.
        notifications: how many notifications and indications have come.
        over: is set once nothing more will be recorded: the link has ended, or the file cannot be written.
        fault: what keeps the recording from being written on.

    Raises:
        RecordingError: the file cannot be made.
        UsageError: the format is not known.
        ValueError: the epoch has no time zone.
        BleakError: the client is not connected.
    """

    def __init__(
        self,
        client: BleakClient,
        target: Path | str | BinaryIO,
        *,
        epoch: datetime,
        format: str | None = None,  # noqa: A002 - the name that it has everywhere else
        advertised: AdvertisementData | None = None,
        device: BLEDevice | None = None,
    ) -> None:
        if epoch.tzinfo is None:
            raise ValueError("epoch needs a time zone: a capture's times are absolute")
        container = format or (format_of(target) if isinstance(target, Path | str) else None)
        check_target(target, container)
        self.client = client
        self.table = LiveTable(client.services)
        self.notifications = 0
        self.over = asyncio.Event()
        self.fault: OSError | UnrepresentableError | None = None
        self._epoch_us = (epoch - _UNIX_EPOCH) // _MICROSECOND
        self._turn = asyncio.Lock()
        self._callbacks: dict[int, NotifyCallback | None] = {}
        self._arrived: deque[tuple[BleakGATTCharacteristic, bytes, NotifyCallback | None]] = deque()
        self._tasks: set[asyncio.Future[None]] = set()
        self._is_up = True
        self._is_open = True
        self._address = address_of(client.address, device)
        self._device_name = name_of(client, advertised)
        self._name = str(target) if isinstance(target, Path | str) else "the recording"
        self._owned = isinstance(target, Path | str)
        self._synthesis = HciSynthesis(self._emit)
        self._file = _create(Path(target)) if isinstance(target, Path | str) else target
        try:
            self._writer = open_writer(container or "", self._file, (_TOLD,))
        except OSError as error:
            if self._owned:
                self._file.close()
            raise self._failed(error) from error
        self._begin(advertised)

    # ---- GATT -------------------------------------------------------------------------------------------------------

    async def read(self, characteristic: BleakGATTCharacteristic | int | str) -> bytearray:
        """Read a characteristic, as ``BleakClient.read_gatt_char`` does, whose errors it raises."""
        found = self._characteristic(characteristic)
        return await self._read(self.table.value_handle(found), lambda: self.client.read_gatt_char(found))

    async def read_descriptor(self, descriptor: BleakGATTDescriptor | int) -> bytearray:
        """Read a descriptor, as ``BleakClient.read_gatt_descriptor`` does, whose errors it raises."""
        found = self._descriptor(descriptor)
        return await self._read(self.table.descriptor_handle(found), lambda: self.client.read_gatt_descriptor(found))

    async def write(
        self, characteristic: BleakGATTCharacteristic | int | str, data: SizedBuffer, response: bool | None = None
    ) -> None:
        """Write a characteristic, as ``BleakClient.write_gatt_char`` does, whose errors it raises.

        A write without response is recorded when it is handed over; whether it left, bleak does not say.
        """
        found = self._characteristic(characteristic)
        value = bytes(data)
        if response is None:
            response = "write" in found.properties  # as bleak does
        handle = self.table.value_handle(found)
        if response:
            await self._write(handle, value, lambda: self.client.write_gatt_char(found, value, response=True))
            return
        pdu = struct.pack("<BH", att.WRITE_COMMAND, handle) + value
        # One that does not fit is most likely refused by bleak, and then it was never sent.
        fits = len(value) <= found.max_write_without_response_size
        if fits:
            self._sent(pdu)
        await self.client.write_gatt_char(found, value, response=False)
        if not fits:
            self._sent(pdu)

    async def write_descriptor(self, descriptor: BleakGATTDescriptor | int, data: SizedBuffer) -> None:
        """Write a descriptor, as ``BleakClient.write_gatt_descriptor`` does, whose errors it raises."""
        found = self._descriptor(descriptor)
        value = bytes(data)
        await self._write(
            self.table.descriptor_handle(found), value, lambda: self.client.write_gatt_descriptor(found, value)
        )

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic | int | str, callback: NotifyCallback | None = None
    ) -> None:
        """Subscribe, as ``BleakClient.start_notify`` does, whose errors it raises; what comes is recorded.

        Args:
            characteristic: what to subscribe to. A second subscription exchanges the callback.
            callback: is called, or awaited in a task, with each value after it was recorded; None: it is only recorded.
        """
        found = self._characteristic(characteristic)
        if found.handle in self._callbacks:
            self._callbacks[found.handle] = callback
            return
        bits = _INDICATION if _is_indicated(found) else _NOTIFICATION
        self._callbacks[found.handle] = callback
        try:
            await self._switch(found, bits, lambda: self.client.start_notify(found, self._heard))
        except BaseException:
            self._callbacks.pop(found.handle, None)
            raise

    async def stop_notify(self, characteristic: BleakGATTCharacteristic | int | str) -> None:
        """End a subscription, as ``BleakClient.stop_notify`` does, whose errors it raises."""
        found = self._characteristic(characteristic)
        if found.handle not in self._callbacks:
            await self.client.stop_notify(found)  # bleak says that there is none, and nothing is sent
            return
        await self._switch(found, bytes(2), lambda: self.client.stop_notify(found))
        self._callbacks.pop(found.handle, None)

    # ---- its end ----------------------------------------------------------------------------------------------------

    def link_ended(self, reason: int = UNSPECIFIED) -> None:
        """Write that the link has ended: for a client's ``disconnected_callback``. Safe to call twice.

        Args:
            reason: an HCI error code (Vol 1 Part F), where it is known.
        """
        if self._is_up and self._is_open:
            self._take_all_arrived()
            self._synthesis.disconnect(_CONNECTION, reason, self._now_ns())
            self._is_up = False
            self.over.set()

    def close(self) -> None:
        """End the recording; the client stays as it is. Safe to call twice.

        Raises:
            RecordingError: something could not be written: the recording is not complete.
        """
        if not self._is_open:
            return
        self._take_all_arrived()
        if not self.client.is_connected:
            self.link_ended()
        self._is_open = False
        if self._owned:
            self._file.close()
        self.check()

    def check(self) -> None:
        """Raise what keeps the recording from being complete, if anything.

        Raises:
            RecordingError: something could not be written.
        """
        if self.fault is not None:
            raise self._failed(self.fault) from self.fault

    def save_map(self, path: Path | str) -> None:
        """Write what the device's handles mean as a handle map, for captures that lack the discovery.

        Raises:
            RecordingError: the file cannot be written.
        """
        from rig.capture.handle_map import HandleMap, MapTable  # noqa: PLC0415 - few recordings want one

        table = MapTable(self.table.attributes, self._address, self._device_name or "")
        try:
            HandleMap([table]).save(path)
        except OSError as error:
            raise RecordingError(f"{path}: cannot be written: {error.strerror or error}") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        # What went wrong inside says more than that it was not recorded to the end.
        with contextlib.suppress(RecordingError) if exc is not None else contextlib.nullcontext():
            self.close()

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _begin(self, advertised: AdvertisementData | None) -> None:
        now = self._now_ns()
        rssi = advertised.rssi if advertised is not None and -127 <= advertised.rssi <= 20 else 127
        services = service_list_field(advertised.service_uuids if advertised is not None else ())
        name = name_field(self._device_name)
        if services or name:
            self._synthesis.advertisement(self._address, services, now, rssi_dbm=rssi)
            self._synthesis.advertisement(self._address, name, now, is_scan_response=True, rssi_dbm=rssi)
        self._synthesis.connect(_CONNECTION, local_is_central=True, peer=self._address, local=None, time_ns=now)
        mtu = _mtu(self.client)
        if mtu > DEFAULT_MTU:
            self._synthesis.exchange_mtu(_CONNECTION, mtu, now)
        self._synthesis.discovery(_CONNECTION, self.table.attributes, now)

    async def _read(self, handle: int, operation: Callable[[], Awaitable[bytearray]]) -> bytearray:
        async with self._turn:
            value = await self._asked(struct.pack("<BH", att.READ_REQUEST, handle), handle, operation)
            room = self._synthesis.mtu(_CONNECTION) - 1
            self._received(bytes([att.READ_RESPONSE]) + value[:room])
            # A long value is read on from where the response was full (Vol 3 Part G 4.8.3).
            for offset in range(room, len(value), room):
                self._sent(struct.pack("<BHH", att.READ_BLOB_REQUEST, handle, offset))
                self._received(bytes([att.READ_BLOB_RESPONSE]) + value[offset : offset + room])
            return value

    async def _write(self, handle: int, value: bytes, operation: Callable[[], Awaitable[None]]) -> None:
        async with self._turn:
            mtu = self._synthesis.mtu(_CONNECTION)
            request, response = struct.pack("<BH", att.WRITE_REQUEST, handle) + value, att.WRITE_RESPONSE
            if len(request) > mtu:
                # A long value goes in parts and is then written at once (Vol 3 Part G 4.9.4).
                for offset in range(0, len(value), mtu - 5):
                    part = struct.pack("<HH", handle, offset) + value[offset : offset + mtu - 5]
                    self._sent(bytes([att.PREPARE_WRITE_REQUEST]) + part)
                    self._received(bytes([att.PREPARE_WRITE_RESPONSE]) + part)
                request, response = bytes([att.EXECUTE_WRITE_REQUEST, 0x01]), att.EXECUTE_WRITE_RESPONSE
            await self._asked(request, handle, operation)
            self._received(bytes([response]))

    async def _switch(
        self, characteristic: BleakGATTCharacteristic, value: bytes, operation: Callable[[], Awaitable[None]]
    ) -> None:
        handle = self.table.cccd_handle(characteristic)
        if handle is not None:
            await self._write(handle, value, operation)
        else:
            # Whatever bleak does about it, no attribute is known that it could be done to.
            await operation()

    async def _asked(self, request: bytes, handle: int, operation: Callable[[], Awaitable[_T]]) -> _T:
        """Do what ``request`` stands for; an ATT error is its response. Without one it stays unanswered."""
        if not self.client.is_connected:
            raise BleakError("Not connected")
        self._sent(request)
        try:
            return await operation()
        except BleakGATTProtocolError as error:
            code = int(error.code) & 0xFF
            self._received(struct.pack("<BBHB", att.ERROR_RESPONSE, request[0], handle, code))
            raise

    def _heard(self, characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
        # A response that came just before has only woken up whoever waits for it: in the loop's order, this follows it.
        self.notifications += 1
        self._arrived.append((characteristic, bytes(data), self._callbacks.get(characteristic.handle)))
        asyncio.get_running_loop().call_soon(self._take_arrived)

    def _take_arrived(self) -> None:
        if not self._arrived:
            return  # taken already, before something that was sent
        characteristic, data, callback = self._arrived.popleft()
        is_indication = _is_indicated(characteristic)
        opcode = att.HANDLE_VALUE_INDICATION if is_indication else att.HANDLE_VALUE_NOTIFICATION
        self._received(struct.pack("<BH", opcode, self.table.value_handle(characteristic)) + data)
        if is_indication:
            self._put(LOCAL, bytes([att.HANDLE_VALUE_CONFIRMATION]))
        if callback is not None:
            # By the loop, which reports what goes wrong in it.
            asyncio.get_running_loop().call_soon(self._call, callback, characteristic, bytearray(data))

    def _take_all_arrived(self) -> None:
        while self._arrived:
            self._take_arrived()

    def _call(self, callback: NotifyCallback, characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
        result = callback(characteristic, data)
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(_awaited(result))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _characteristic(self, specifier: BleakGATTCharacteristic | int | str) -> BleakGATTCharacteristic:
        if isinstance(specifier, BleakGATTCharacteristic):
            return specifier
        found = self.client.services.get_characteristic(specifier)
        if found is None:
            raise BleakCharacteristicNotFoundError(specifier)
        return found

    def _descriptor(self, specifier: BleakGATTDescriptor | int) -> BleakGATTDescriptor:
        if isinstance(specifier, BleakGATTDescriptor):
            return specifier
        found = self.client.services.get_descriptor(specifier)
        if found is None:
            raise BleakError(f"Descriptor with handle {specifier} was not found")
        return found

    def _sent(self, pdu: bytes) -> None:
        self._take_all_arrived()
        self._put(LOCAL, pdu)

    def _received(self, pdu: bytes) -> None:
        self._put(REMOTE, pdu)

    def _put(self, side: int, pdu: bytes) -> None:
        if self._is_open and self._is_up:
            self._synthesis.att(_CONNECTION, side, pdu, self._now_ns())

    def _now_ns(self) -> int:
        # Whole microseconds, which every container holds.
        return (self._epoch_us + round(asyncio.get_running_loop().time() * 1_000_000)) * 1000

    def _emit(self, packet: bytes, direction: Direction, time_ns: int) -> None:
        if self.fault is not None:
            return
        try:
            self._writer.write(packet, direction, time_ns)
        except (OSError, UnrepresentableError) as error:
            self.fault = error
            self.over.set()

    def _failed(self, error: OSError | UnrepresentableError) -> RecordingError:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return RecordingError(f"{self._name}: cannot be written: {reason}; it has what was recorded until then")


# ---- files and fields -----------------------------------------------------------------------------------------------


def check_target(target: Path | str | BinaryIO, container: str | None) -> None:
    """Refuse a file that no recording can go to, before anything is connected.

    Raises:
        UsageError: in one line why.
    """
    if isinstance(target, Path | str) and Path(target).suffix.lower() == ".gz":
        raise UsageError(f"{target}: a recording is not compressed while it is made; `rig convert` does it afterwards")
    if container not in FORMATS:
        raise UsageError(f"{target}: give it a name that ends in .btsnoop, .pcap or .pcapng, or say the format")
    if isinstance(target, Path | str):
        if Path(target).is_dir():
            raise UsageError(f"{target}: is a folder; name a file in it")
        if not Path(target).absolute().parent.is_dir():
            raise UsageError(f"{target}: there is no such folder; make it first")


def _create(path: Path) -> BinaryIO:
    try:
        # Unbuffered: each record is with the operating system when the call returns. Readable for the pcap writer.
        return path.open("w+b", buffering=0)
    except OSError as error:
        raise RecordingError(f"{path}: cannot be written: {error.strerror or error}") from error


def _mtu(client: BleakClient) -> int:
    """The ATT MTU, as far as bleak tells: BlueZ's backend knows it by the room for a write without response alone."""
    room = max((c.max_write_without_response_size for c in client.services.characteristics.values()), default=0)
    return min(room + 3, LARGEST_USEFUL_MTU)


def _is_indicated(characteristic: BleakGATTCharacteristic) -> bool:
    # bleak prefers notifications where a characteristic has both.
    return "notify" not in characteristic.properties


async def _awaited(result: Awaitable[None]) -> None:
    await result
