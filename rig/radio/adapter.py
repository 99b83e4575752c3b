"""The central side of a radio: one Bumble host that scans and connects on behalf of any number of bleak objects.

Knows HCI scanning, connecting and pairing. Refuses to know GATT.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason
from bumble import core, hci
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.keys import MemoryKeyStore, PairingKeys
from bumble.transport.common import TransportLostError

from rig.capture.writer import BtsnoopWriter
from rig.radio.att import AttClient, hci_error_text
from rig.radio.bumble_pairing import pairing_config
from rig.radio.host import RESET_TIMEOUT_S, RadioHost, Recording, report_mistake
from rig.radio.pairing import JUST_WORKS, Pairing

Report = hci.HCI_LE_Advertising_Report_Event.Report | hci.HCI_LE_Extended_Advertising_Report_Event.Report

# What Linux asks for: 30 to 50 ms between connection events, 420 ms without a word until the link counts as lost.
_CONNECTION_INTERVAL_MIN = 24  # of 1.25 ms
_CONNECTION_INTERVAL_MAX = 40
_SUPERVISION_TIMEOUT = 42  # of 10 ms
_SCAN_INTERVAL = _SCAN_WINDOW = 96  # of 0.625 ms: listen all the time
_ABANDON_TIMEOUT_S = 2.0
_DISCONNECT_TIMEOUT_S = 10.0  # bleak's BlueZ backend waits so long


class AdapterError(Exception):
    """The adapter cannot do what was asked; the message says why."""


class Adapter:
    """One central on one host, made when first needed.

    HCI allows one connection attempt and one scan at a time; attempts wait for each other, scans share one.

    Args:
        make_host: makes the host; called once, again after :meth:`close`.
        address: the random static address to use; None: one that Bumble draws.
    """

    def __init__(self, make_host: Callable[[], Awaitable[RadioHost]], *, address: hci.Address | None = None) -> None:
        self._make_host = make_host
        self._address = address
        self._device: Device | None = None
        self._recording: Recording | None = None
        self._starting = asyncio.Lock()
        self._connecting = asyncio.Lock()
        self._scan_lock = asyncio.Lock()
        self._scanners: dict[object, tuple[bool, Callable[[Report], None]]] = {}
        self._scanning: bool | None = None  # None: no scan; else whether it is an active one
        self._tasks: set[asyncio.Task[Any]] = set()
        self.names: dict[str, str] = {}  # by address, as last heard
        self.pairing: Pairing = JUST_WORKS
        """What this end can do when the next pairing begins, and who answers for it."""

    @property
    def keys_left_out(self) -> bool:
        """Whether there was a key in what was recorded, and zeros were written instead of it."""
        return self._recording is not None and self._recording.keys_left_out

    # ---- life ---------------------------------------------------------------------------------------------------

    def record(
        self,
        writer: BtsnoopWriter | None,
        on_error: Callable[[OSError], None] | None = None,
        *,
        with_keys: bool = False,
    ) -> None:
        """Write the host's HCI traffic from now on (None: no more).

        Args:
            writer: where to; its epoch is the date and time at which the loop's clock is zero.
            on_error: called once when the file cannot be written any more, say for a full disk; the recording ends
                then, and the radio goes on. Left out, it is an error in the log.
            with_keys: the keys of pairings are recorded; else there are zeros in their places.
        """
        self._recording = Recording(writer, on_error, with_keys=with_keys) if writer is not None else None
        if self._device is not None:
            self._host(self._device).recording = self._recording

    async def ready(self) -> Device:
        """Return the central, powered on.

        Raises:
            BleakBluetoothNotAvailableError: no controller answers.
        """
        async with self._starting:
            if self._device is None:
                host = await self._make_host()
                host.recording = self._recording
                device = Device(config=_configuration(self._address), host=host)
                device.keystore = MemoryKeyStore()
                device.pairing_config_factory = pairing_config(lambda: self.pairing, public=False)
                # Bumble asserts that somebody is connecting when a link comes up as central (device.py:6056), which is
                # no longer so when the attempt was given up a moment too late.
                device.connect_own_address_type = hci.OwnAddressType.RANDOM
                # Bumble would parse every advertisement for listeners that there are none of.
                host.remove_listener("advertising_report", device.on_advertising_report)
                host.on("advertising_report", self._on_report)
                try:
                    async with asyncio.timeout(RESET_TIMEOUT_S):
                        await device.power_on()
                except BaseException as error:
                    await host.close()
                    if isinstance(error, TimeoutError | hci.HCI_Error | TransportLostError):
                        raise _not_available(f"the Bluetooth controller does not answer: {error}") from error
                    raise
                self._device = device
            return self._device

    async def close(self) -> None:
        """End every link, stop to scan, and let go of the host. Safe to call twice."""
        device = self._device
        if device is None:
            return
        for connection in list(device.connections.values()):
            await self.disconnect(connection)
        self._scanners.clear()
        await self._update_scan()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._device = None
        await device.power_off()
        await self._host(device).close()

    @property
    def connections(self) -> int:
        """Number of links that are up."""
        return len(self._device.connections) if self._device is not None else 0

    # ---- scanning -----------------------------------------------------------------------------------------------

    async def start_scan(self, token: object, on_report: Callable[[Report], None], *, active: bool) -> None:
        """Hand every advertising report to ``on_report``, until :meth:`stop_scan` with the same token."""
        self._scanners[token] = (active, on_report)
        try:
            await self._update_scan()
        except BaseException:
            self._scanners.pop(token, None)
            raise

    async def stop_scan(self, token: object) -> None:
        """Take the scan of that token down; the radio stops to scan with the last one."""
        self._scanners.pop(token, None)
        await self._update_scan()

    async def _update_scan(self) -> None:
        async with self._scan_lock:
            wanted = any(active for active, _ in self._scanners.values()) if self._scanners else None
            if wanted == self._scanning or (wanted is None and self._device is None):
                return
            device = await self.ready()
            try:
                if self._scanning is not None:
                    await device.stop_scanning()
                    self._scanning = None
                if wanted is not None:
                    await device.start_scanning(active=wanted, scan_interval=60, scan_window=60)
                    self._scanning = wanted
            except TransportLostError as error:
                self._scanning = None
                if wanted is not None:
                    raise _not_available(str(error)) from error

    def _on_report(self, report: Report) -> None:
        for _, on_report in list(self._scanners.values()):
            try:
                on_report(report)
            except Exception as error:  # noqa: BLE001 - a program's mistake must not deafen the others; the loop reports it
                report_mistake("a detection callback failed", error)

    # ---- links --------------------------------------------------------------------------------------------------

    async def connect(self, peer: hci.Address) -> Connection:
        """Wait until the peer advertises, connect to it and return the link.

        Cancelling gives the attempt up; a link that came up in the meantime is ended again.

        Raises:
            AdapterError: the link could not be made, or there is one already.
        """
        await self._connecting.acquire()
        attempt = _Attempt()
        device: Device | None = None
        try:
            device = await self.ready()
            device.on(Device.EVENT_CONNECTION, attempt.succeeded)
            device.on(Device.EVENT_CONNECTION_FAILURE, attempt.failed)
            device.on(Device.EVENT_FLUSH, attempt.given_up)
            await device.host.send_async_command(_create_connection(device, peer))
            attempt.under_way = True
            connection = await asyncio.shield(attempt.outcome)
        except BaseException as error:
            self._spawn(self._abandon(device, attempt))
            if isinstance(error, hci.HCI_Error | core.ConnectionError | TransportLostError):
                raise AdapterError(_explain(error)) from error
            raise
        self._attempt_over(device, attempt)
        bearer = AttClient(connection, lambda: self._spawn(self.disconnect(connection)))
        connection.gatt_client = bearer
        if device.connections.get(connection.handle) is not connection:
            bearer.on_disconnection()  # gone before anybody could listen
        return connection

    async def _abandon(self, device: Device | None, attempt: _Attempt) -> None:
        try:
            if device is None:
                return
            if not attempt.outcome.done():
                try:
                    await device.host.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
                except TransportLostError:
                    return
                except hci.HCI_Error:
                    if not attempt.under_way:
                        return  # the controller had refused the attempt: nothing will come of it
                await asyncio.wait([attempt.outcome], timeout=_ABANDON_TIMEOUT_S)
            if attempt.outcome.done() and attempt.outcome.exception() is None:
                await self.disconnect(attempt.outcome.result())
        finally:
            self._attempt_over(device, attempt)

    def _attempt_over(self, device: Device | None, attempt: _Attempt) -> None:
        if device is not None:
            device.remove_listener(Device.EVENT_CONNECTION, attempt.succeeded)
            device.remove_listener(Device.EVENT_CONNECTION_FAILURE, attempt.failed)
            device.remove_listener(Device.EVENT_FLUSH, attempt.given_up)
        attempt.outcome.cancel()
        self._connecting.release()

    async def disconnect(self, connection: Connection) -> None:
        """End a link and wait until it is down; nothing happens when it is down already."""
        device = connection.device
        if connection.handle not in device.connections:
            return
        down: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_disconnection(_reason: int) -> None:
            if not down.done():
                down.set_result(None)

        connection.on(Connection.EVENT_DISCONNECTION, on_disconnection)
        try:
            await device.host.send_async_command(
                hci.HCI_Disconnect_Command(
                    connection_handle=connection.handle,
                    reason=hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR,
                )
            )
            async with asyncio.timeout(_DISCONNECT_TIMEOUT_S):
                await down
        except (hci.HCI_Error, TransportLostError):
            pass  # the controller knows the link no longer, or has gone with it
        finally:
            connection.remove_listener(Connection.EVENT_DISCONNECTION, on_disconnection)

    # ---- pairing ------------------------------------------------------------------------------------------------

    async def keys_of(self, peer: hci.Address) -> PairingKeys | None:
        """Return the keys of a bond, or None."""
        device = await self.ready()
        return await device.keystore.get(str(peer)) if device.keystore is not None else None

    async def forget(self, peer: hci.Address) -> bool:
        """Forget the keys of a bond; True when there were any."""
        device = await self.ready()
        if device.keystore is None or await device.keystore.get(str(peer)) is None:
            return False
        await device.keystore.delete(str(peer))
        await device.refresh_resolving_list()
        return True

    # ---- inside -------------------------------------------------------------------------------------------------

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _host(device: Device) -> RadioHost:
        host = device.host
        if not isinstance(host, RadioHost):
            raise TypeError("the adapter's host was exchanged")
        return host


class _Attempt:
    """One connection attempt: what came of it."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self.under_way = False

    def succeeded(self, connection: Connection) -> None:
        if not self.outcome.done():
            self.outcome.set_result(connection)

    def given_up(self) -> None:
        self.failed(TransportLostError("the radio was closed, or its controller has gone"))

    def failed(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)
            self.outcome.exception()  # taken note of, also when nobody waits any longer


def _configuration(address: hci.Address | None) -> DeviceConfiguration:
    configuration = DeviceConfiguration(name="central")
    configuration.address = address if address is not None else hci.Address.generate_static_address()
    return configuration


def _create_connection(device: Device, peer: hci.Address) -> hci.HCI_AsyncCommand:
    # A controller that has been asked to scan by an extended command refuses the legacy ones, and the other way round
    # (Vol 4 Part E 3.1.1), so this follows what Bumble scans with.
    if device.supports_le_extended_advertising:
        return hci.HCI_LE_Extended_Create_Connection_Command(
            initiator_filter_policy=0,
            own_address_type=hci.OwnAddressType.RANDOM,
            peer_address_type=peer.address_type,
            peer_address=peer,
            initiating_phys=1 << hci.HCI_LE_1M_PHY_BIT,
            scan_intervals=[_SCAN_INTERVAL],
            scan_windows=[_SCAN_WINDOW],
            connection_interval_mins=[_CONNECTION_INTERVAL_MIN],
            connection_interval_maxs=[_CONNECTION_INTERVAL_MAX],
            max_latencies=[0],
            supervision_timeouts=[_SUPERVISION_TIMEOUT],
            min_ce_lengths=[0],
            max_ce_lengths=[0],
        )
    return hci.HCI_LE_Create_Connection_Command(
        le_scan_interval=_SCAN_INTERVAL,
        le_scan_window=_SCAN_WINDOW,
        initiator_filter_policy=0,
        peer_address_type=peer.address_type,
        peer_address=peer,
        own_address_type=hci.OwnAddressType.RANDOM,
        connection_interval_min=_CONNECTION_INTERVAL_MIN,
        connection_interval_max=_CONNECTION_INTERVAL_MAX,
        max_latency=0,
        supervision_timeout=_SUPERVISION_TIMEOUT,
        min_ce_length=0,
        max_ce_length=0,
    )


def _not_available(what: str) -> BleakBluetoothNotAvailableError:
    return BleakBluetoothNotAvailableError(what, BleakBluetoothNotAvailableReason.NO_BLUETOOTH)


def _explain(error: Exception) -> str:
    code = getattr(error, "error_code", None)
    return hci_error_text(code) if isinstance(code, int) else str(error)
