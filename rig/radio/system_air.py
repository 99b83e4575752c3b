"""The in-process air with the operating system's own Bluetooth stack as its central: simulated devices for real hosts.

One controller of the air is handed to the system by an HCI transport (``vhci`` gives it to the Linux kernel, and so to
BlueZ); every simulated device has another one, in this process. Knows transports and controllers. Refuses to know what
the system does with its controller.
"""

from __future__ import annotations

import random
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bumble import hci, ll

from rig.radio.controller import VirtualController
from rig.radio.host import RadioHost, close_transport
from rig.radio.link import Air
from rig.radio.peripheral import Peripheral

if TYPE_CHECKING:
    from bumble.transport.common import Transport

    from rig.devices.model import SimulatedDevice

SYSTEM_ADDRESS = "F0:F1:F2:F3:F4:F5"
"""The public address of the controller that the system is given, from which BlueZ connects."""


class SystemController(VirtualController):
    """A controller for a host that nobody here has written.

    It does not claim Link Layer privacy, which upstream claims (``controller.py:379``) without ever sending the LE
    Enhanced Connection Complete that goes with it (Vol 4 Part E 7.7.65.10): Linux waits for that event, gives the
    connection up after four seconds, and never ends the link that it does not know of.

    It reports an advertiser once a scan where the host asks for that (Vol 4 Part E 7.8.11, Filter_Duplicates). Upstream
    takes the wish and reports all (``controller.py:3067``); fifty reports a second, each a signal on the system's bus,
    are a load that no real controller puts on a host.
    """

    le_features = VirtualController.le_features & ~hci.LeFeatureMask.LL_PRIVACY

    def __init__(self, name: str, link: Air, public_address: hci.Address, rng: random.Random) -> None:
        super().__init__(name, link=link, public_address=public_address, rng=rng)
        self._reported: set[tuple[hci.Address, bytes]] = set()

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Start or stop to scan; what was reported before counts no longer."""
        self._reported.clear()
        return super().on_hci_le_set_scan_enable_command(command)

    def on_advertising_pdu(self, pdu: ll.AdvInd | ll.AdvExtInd) -> None:
        """Report what was heard, unless the host has heard the same in this scan."""
        heard = (pdu.advertiser_address, bytes(pdu.data))
        if self.filter_duplicates and heard in self._reported and self.pending_le_connection is None:
            return
        self._reported.add(heard)
        super().on_advertising_pdu(pdu)


class SystemAir:
    """An air whose central is whoever is behind an HCI transport. An async context manager, or call :meth:`close`.

    Make one with :meth:`open`. Devices are switched on by :meth:`add_device` and off by ``Peripheral.close``.
    """

    def __init__(self, transport: Transport, *, address: str = SYSTEM_ADDRESS, seed: int = 0) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - a seeded simulation, not cryptography
        self._transport: Transport | None = transport
        self.air = Air()
        public = hci.Address(address, hci.Address.PUBLIC_DEVICE_ADDRESS)
        self.controller = SystemController("system", self.air, public, self._next_rng())
        self._controllers: list[VirtualController] = [self.controller]
        self._peripherals: list[Peripheral] = []
        self.controller.set_packet_sink(transport.sink)
        transport.source.set_packet_sink(self.controller)

    @classmethod
    async def open(cls, transport: str, *, address: str = SYSTEM_ADDRESS, seed: int = 0) -> Self:
        """Hand a controller to the system.

        Args:
            transport: as Bumble names it: ``vhci``, ``tcp-server:127.0.0.1:9001`` …
            address: the controller's public address.
            seed: of whatever is random here.

        Raises:
            OSError: the transport cannot be opened (``vhci`` needs the kernel's module of that name, and root).
            ValueError: there is no such transport, or no such address.
        """
        from bumble.transport import open_transport  # noqa: PLC0415 - the in-process radio does without it

        return cls(await open_transport(transport), address=address, seed=seed)

    async def add_device(self, device: SimulatedDevice, *, address: str) -> Peripheral:
        """Switch a simulated device on.

        Args:
            device: the device.
            address: its random static address.

        Raises:
            ValueError: ``address`` is not an address.
        """
        own = hci.Address(address, hci.Address.RANDOM_DEVICE_ADDRESS)
        controller = VirtualController(device.advertisement.name, self.air, hci.Address.ANY, self._next_rng())
        peripheral = Peripheral(device, RadioHost.on_controller(controller), own)
        peripheral.attach_air(self.air, controller)
        self._controllers.append(controller)
        self._peripherals.append(peripheral)
        await peripheral.start()
        return peripheral

    async def close(self) -> None:
        """Switch the devices off and take the controller from the system. Safe to call twice."""
        for peripheral in self._peripherals:
            await peripheral.close()
        self._peripherals.clear()
        for controller in self._controllers:
            controller.close()
        self._controllers.clear()
        if self._transport is not None:
            transport, self._transport = self._transport, None
            await close_transport(transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    def _next_rng(self) -> random.Random:
        return random.Random(self._rng.getrandbits(64))  # noqa: S311 - as above
