"""A simulated device on a Bumble peripheral: over the in-process air, or on the real one by any HCI transport.

Knows advertising, links and the device's deadlines, on the loop's clock. Refuses to know what the device does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self

from bumble import hci
from bumble.device import AdvertisingType, Connection, Device, DeviceConfiguration
from bumble.keys import MemoryKeyStore
from bumble.transport.common import TransportLostError

from protocols.gatt import uuid
from rig.devices.model import Advertisement, DeviceAction, Hangup, Notify, SimulatedDevice
from rig.radio.advertising import encode
from rig.radio.bumble_pairing import pairing_config
from rig.radio.details import RadioAware, details_of
from rig.radio.host import RESET_TIMEOUT_S, RadioHost, report_mistake
from rig.radio.server import DeviceServer
from rig.radio.sides import FIRST, FurtherSide, Side, places_of, side_of

if TYPE_CHECKING:
    from rig.radio.controller import VirtualController
    from rig.radio.link import Air

_log = logging.getLogger(__name__)
_GENERIC_ACCESS, _GENERIC_ATTRIBUTE = uuid("1800"), uuid("1801")
_ADVERTISING_INTERVAL_MS = 20.0  # the shortest allowed (Vol 4 Part E 7.8.5)


class Timer(Protocol):
    """What is needed of an ``asyncio.TimerHandle``."""

    def when(self) -> float:
        """When it is due, in seconds of the loop's clock."""
        ...

    def cancel(self) -> None:
        """Call nothing."""
        ...


class HeldTimer(Timer, Protocol):
    """A deadline that goes off a little before its time, so that what is due can be prepared."""

    def hold(self) -> None:
        """Return when it is due, with the loop held until then; at once when that has passed."""
        ...

    def now(self) -> float:
        """Return the time, in seconds of the loop's clock, finer than the loop has it."""
        ...


class Timing(Protocol):
    """What calls for a device's deadlines in the stead of the loop's ``call_at``."""

    def call_before(self, when: float, callback: Callable[..., object], *args: Any) -> HeldTimer:
        """Call ``callback`` a little before ``when``, in seconds of the loop's clock; never within this call."""
        ...


@dataclass(frozen=True, slots=True)
class _Link:
    """One central that is connected."""

    connection: Connection
    number: int
    side: Side


class Peripheral:
    """One simulated device that advertises while it has room for a central, and takes as many as it serves at a time.

    That is one, unless the device tells several apart (:mod:`rig.radio.sides`). The device is told the loop's time. Its
    deadline is looked at after every call, so it needs no task.

    Args:
        device: the device.
        host: a Bumble host on the controller to use.
        address: its own address; None: a random static one that Bumble draws.
    """

    def __init__(self, device: SimulatedDevice, host: RadioHost, address: hci.Address | None = None) -> None:
        self.device = device
        self._details = details_of(device)
        self._host = host
        self._own = address if address is not None else hci.Address.generate_static_address()
        self._bumble = _bumble_device(device, host, self._own)
        self._server = DeviceServer(
            self._bumble,
            device,
            self._details,
            now=self._now,
            perform=self._perform_for,
            side=self._side_of_link,
        )
        self._bumble.gatt_server = self._server
        own_services = {service.uuid for service in device.services}
        self._bumble.add_default_services(
            add_gap_service=_GENERIC_ACCESS not in own_services,
            add_gatt_service=_GENERIC_ATTRIBUTE not in own_services,
        )
        self._server.add_device_services(self._details)
        self._bumble.on(Device.EVENT_CONNECTION, self._on_connection)
        self._places = places_of(device)
        self._links: dict[int, _Link] = {}  # by connection handle
        self._advertising = asyncio.Lock()
        self._advertised: Advertisement | None = None
        self._timer: Timer | None = None
        self._held: HeldTimer | None = None  # the same, where :attr:`timing` has made it
        self.timing: Timing | None = None
        """What keeps the device's deadlines; None: the loop's own ``call_at``."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_air = False
        self._air: tuple[Air, VirtualController] | None = None

    @classmethod
    async def on_transport(
        cls,
        transport: str,
        device: SimulatedDevice,
        *,
        address: str | None = None,
        patience_s: float | None = RESET_TIMEOUT_S,
    ) -> Self:
        """Put a device on the controller behind an HCI transport, and start to advertise.

        Args:
            transport: as Bumble names it: ``usb:0``, ``serial:/dev/ttyACM0``, ``tcp-server:127.0.0.1:9001`` …
            device: the device.
            address: the random static address to use; None: a random one.
            patience_s: how long a controller may take to connect where this end listens (``tcp-server``), in seconds;
                None: as long as it likes.

        Raises:
            OSError: the transport cannot be opened, or (TimeoutError) the controller behind it does not answer.
            ValueError: there is no such transport, or the advertisement does not fit.
        """
        host = await RadioHost.on_transport(transport, patience_s=patience_s)
        try:
            peripheral = cls(device, host, hci.Address(address) if address is not None else None)
            await peripheral.start()
        except BaseException:
            await host.close()
            raise
        return peripheral

    # ---- what one may ask and do --------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """The address as bleak shows it."""
        return self._own.to_string(with_type_qualifier=False)

    @property
    def bumble_address(self) -> hci.Address:
        """The address with its type."""
        return self._own

    @property
    def is_on(self) -> bool:
        """True from :meth:`start` to :meth:`close`."""
        return self._on_air

    @property
    def is_connected(self) -> bool:
        """True while a central is connected."""
        return bool(self._links)

    @property
    def centrals(self) -> int:
        """How many centrals are connected."""
        return len(self._links)

    @property
    def is_encrypted(self) -> bool:
        """True while a central is connected over an encrypted link."""
        return any(link.connection.is_encrypted for link in self._links.values())

    @property
    def is_alone(self) -> bool:
        """True once the controller behind its transport has gone."""
        return self._host.is_alone

    @property
    def can_vanish(self) -> bool:
        """True on an in-process air, where :meth:`vanish` and :meth:`reappear` work."""
        return self._air is not None

    async def start(self) -> None:
        """Reset the controller and advertise.

        Raises:
            TimeoutError: the controller does not answer.
        """
        if isinstance(self.device, RadioAware):
            self.device.radio_attached(self)
        try:
            async with asyncio.timeout(RESET_TIMEOUT_S):
                await self._bumble.power_on()
        except TimeoutError:
            raise TimeoutError(f"the Bluetooth controller does not answer within {RESET_TIMEOUT_S:.0f} s") from None
        self.device.switched_on(self._now())
        self._on_air = True
        self.device.deadline_moved = self._deadline_moved
        await self._advertise()
        self._arm()

    async def hang_up(self) -> None:
        """End every link from the device's side, as the device's :class:`~rig.devices.model.Hangup` ends one."""
        for link in list(self._links.values()):
            await self._hang_up(link.connection)

    async def _hang_up(self, connection: Connection) -> None:
        if connection.handle in self._bumble.connections:
            try:
                await self._bumble.host.send_async_command(
                    hci.HCI_Disconnect_Command(
                        connection_handle=connection.handle,
                        reason=hci.HCI_ErrorCode.REMOTE_USER_TERMINATED_CONNECTION_ERROR,
                    )
                )
            except (hci.HCI_Error, TransportLostError):
                _log.debug("the link, or the controller, had gone already")

    def vanish(self) -> None:
        """Go out of reach without a word: both ends lose the link with its supervision timeout, nobody hears it.

        Raises:
            RuntimeError: the device is not on an in-process air.
        """
        air, controller = self._require_air()
        air.silence(controller)

    def reappear(self) -> None:
        """Come back into reach; a link that has not timed out yet lives on.

        Raises:
            RuntimeError: the device is not on an in-process air.
        """
        air, controller = self._require_air()
        air.hear_again(controller)

    def set_rssi(self, rssi: int) -> None:
        """Set how loud the device is heard from now on, in dBm.

        Raises:
            RuntimeError: the device is not on an in-process air.
        """
        air, _ = self._require_air()
        air.set_rssi(self._own, rssi)

    async def close(self) -> None:
        """Switch off: hang up, advertise no more, let go of the controller. Safe to call twice."""
        if not self._on_air:
            return
        self._on_air = False
        self.device.deadline_moved = None
        if self._host.is_alone:
            self._host.on_transport_lost()  # upstream says so of some transports alone
        await self.hang_up()
        for link in list(self._links.values()):
            # The controller reports the end of the link with its next event.
            await self._link_ended(link.connection)
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TransportLostError):
            await self._bumble.stop_advertising()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._bumble.power_off()
        await self._host.close()
        if self._air is not None:
            self._air[1].close()

    def attach_air(self, air: Air, controller: VirtualController) -> None:
        """Say which in-process air this is on, so that it can vanish."""
        self._air = (air, controller)

    # ---- the link -----------------------------------------------------------------------------------------------

    def _on_connection(self, connection: Connection) -> None:
        taken = {link.number for link in self._links.values()}
        number = next((place for place in range(self._places) if place not in taken), None)
        if number is None:  # a controller that did not stop to advertise, as it has to (Vol 6 Part B 4.4.2.4)
            self._spawn(self._hang_up(connection))
            return
        link = _Link(connection, number, side_of(self.device, number))
        self._links[connection.handle] = link
        self._host.att_takers[connection.handle] = partial(self._server.take, connection)
        connection.once(Connection.EVENT_DISCONNECTION, partial(self._on_disconnection, link))
        connection.on(Connection.EVENT_PAIRING_START, partial(self._server.pairing_begins, connection))
        connection.on(Connection.EVENT_PAIRING, partial(self._server.paired, connection))
        self._perform_on(link, link.side.connected(self._now()))
        self._server.max_mtu = details_of(self.device).mtu
        if len(self._links) < self._places:
            self._spawn(self._advertise_again())

    def _on_disconnection(self, link: _Link, _reason: int) -> None:
        self._host.att_takers.pop(link.connection.handle, None)
        self._links.pop(link.connection.handle, None)
        try:
            self._perform_on(None, link.side.disconnected(self._now()))
        except Exception as error:  # noqa: BLE001 - Bumble has tables to clear after this; the loop reports it
            report_mistake("a simulated device failed when its link ended", error)
        if self._on_air:
            self._spawn(self._advertise_again())

    def _side_of_link(self, connection: Connection) -> Side | None:
        link = self._links.get(connection.handle)
        return link.side if link is not None else None

    async def _link_ended(self, connection: Connection) -> None:
        ended = asyncio.Event()
        connection.once(Connection.EVENT_DISCONNECTION, lambda _reason: ended.set())
        async with asyncio.timeout(10.0):
            await ended.wait()

    async def _advertise_again(self) -> None:
        async with self._advertising:
            if not self._on_air or len(self._links) >= self._places:
                return
            try:
                await self._advertise()
            except TransportLostError:
                _log.debug("the controller has gone, and the link with it")
            except hci.HCI_Error:
                if not self._links:
                    raise
                # Not every controller can advertise beside a link: then there is one central at a time.
                _log.info("the controller does not advertise while a central is connected")

    async def _advertise(self) -> None:
        self._advertised = self.device.advertisement
        data, scan_response = encode(self._advertised, self._details.tx_power_dbm)
        own = hci.OwnAddressType.PUBLIC if self._own.is_public else hci.OwnAddressType.RANDOM
        await self._bumble.start_advertising(
            advertising_type=AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE,
            own_address_type=own,
            advertising_data=data,
            scan_response_data=scan_response,
            advertising_interval_min=_ADVERTISING_INTERVAL_MS,
            advertising_interval_max=_ADVERTISING_INTERVAL_MS,
        )

    # ---- the device ---------------------------------------------------------------------------------------------

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _perform_for(self, actions: Sequence[DeviceAction], connection: Connection) -> None:
        self._perform_on(self._links.get(connection.handle), actions)

    def _perform(self, actions: Sequence[DeviceAction]) -> None:
        """Do what the device's own calls gave back."""
        self._perform_on(self._first, actions)

    def _perform_on(self, link: _Link | None, actions: Sequence[DeviceAction]) -> None:
        """Do what the device asked for on a link, and what it has for others, then look at its deadline again."""
        for action in actions:
            self._prepared(action, link)()
        self._perform_for_others()
        self._arm()

    def _perform_for_others(self) -> None:
        """Do what has come due for further centrals; what is due for the first comes with the device's deadline."""
        if self._places == 1:
            return
        for link in list(self._links.values()):
            if isinstance(link.side, FurtherSide):
                for action in link.side.fetch(self._now()):
                    self._prepared(action, link)()

    def _prepared(self, action: DeviceAction, link: _Link | None) -> Callable[[], object]:
        """Return what hands an action to the host, with all that can be done before done."""
        if link is None:
            return _nothing
        if isinstance(action, Hangup):
            return partial(self._spawn_hang_up, link.connection)
        if isinstance(action, Notify):
            return self._server.prepare_notification(link.connection, action.characteristic, action.data)
        return self._server.prepare_answer(link.connection, action)

    def _deadline_moved(self) -> None:
        if self._links and self._places > 1:  # the device is in the middle of a call of its own: it is asked after it
            asyncio.get_running_loop().call_soon(self._perform_for_others)
        self._arm()

    @property
    def _first(self) -> _Link | None:
        """The link of the central that the device's own calls speak for."""
        return next((link for link in self._links.values() if link.number == FIRST), None)

    def _arm(self) -> None:
        if self._on_air and len(self._links) < self._places and self.device.advertisement != self._advertised:
            self._spawn(self._advertise_again())
        deadline = self.device.deadline if self._on_air else None
        if self._timer is not None:
            if self._timer.when() == deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is None:
            return
        if self.timing is not None:
            self._timer = self._held = self.timing.call_before(deadline, self._deadline_comes, deadline)
        else:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._deadline_passed, deadline)

    def _deadline_passed(self, deadline: float) -> None:
        self._timer = None
        # asyncio calls up to a clock tick early; to the device it is never before its deadline.
        self._perform(self.device.deadline_passed(max(deadline, self._now())))

    def _deadline_comes(self, deadline: float) -> None:
        """Let what is due be prepared, and hand it over on the dot.

        The device is told the deadline a moment ahead of it. Nobody can see that: nothing else runs until it has come.
        """
        timer, self._timer, self._held = self._held, None, None
        if timer is None:
            return
        actions, first = self.device.deadline_passed(max(deadline, self._now())), self._first
        sends = [self._prepared(action, first) for action in actions]
        timer.hold()
        handed_over: list[float] = []
        for send in sends:
            handed_over.append(timer.now())
            send()
        if isinstance(self.device, RadioAware):
            self.device.handed_over(handed_over or [timer.now()])
        self._perform_for_others()
        self._arm()

    # ---- inside -------------------------------------------------------------------------------------------------

    def _spawn_hang_up(self, connection: Connection) -> None:
        self._spawn(self._hang_up(connection))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _require_air(self) -> tuple[Air, VirtualController]:
        if self._air is None:
            raise RuntimeError("a device on an HCI transport is on the real air: carry it away instead")
        return self._air


def _nothing() -> None:
    """There is nobody to hand anything to."""


def _bumble_device(device: SimulatedDevice, host: RadioHost, address: hci.Address) -> Device:
    configuration = DeviceConfiguration(name=device.advertisement.name or "device")
    # The server that answers for the simulated device replaces Bumble's, so Bumble's own services wait for it.
    configuration.gap_service_enabled = False
    configuration.gatt_service_enabled = False
    configuration.address = address if address.is_random else hci.Address.generate_static_address()
    bumble = Device(config=configuration, host=host)
    bumble.keystore = MemoryKeyStore()
    bumble.pairing_config_factory = pairing_config(lambda: details_of(device).pairing, public=address.is_public)
    return bumble
