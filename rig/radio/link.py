"""The virtual radio: an in-process air, simulated devices on it, and one central adapter that bleak programs use.

Nothing here needs an adapter, root, D-Bus or a socket, so it runs in virtual time (:mod:`rig.clock`). Knows addresses,
signal strengths and delays. Refuses to know what devices or programs say to each other.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from bumble import hci, ll
from bumble.controller import Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

from rig.capture.writer import BtsnoopWriter
from rig.devices.model import SimulatedDevice
from rig.radio.adapter import Adapter
from rig.radio.bleak_backend import BumbleClient, BumbleScanner, client_backend, scanner_backend
from rig.radio.controller import VirtualController
from rig.radio.host import RadioHost
from rig.radio.peripheral import Peripheral

_DEFAULT_RSSI = -50


class _Path:
    """What is under way from one controller to another: first in, first out, whatever the delays."""

    def __init__(self) -> None:
        self._queue: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._last_due = 0.0

    def send(self, delay_s: float, callback: Callable[..., None], args: tuple[Any, ...]) -> None:
        loop = asyncio.get_running_loop()
        due = max(loop.time() + delay_s, self._last_due)
        self._last_due = due
        self._queue.append((callback, args))
        # One timer a packet, each of which takes the head: asyncio's heap does not keep the order of equal times.
        loop.call_at(due, self._arrive)

    def _arrive(self) -> None:
        callback, args = self._queue.popleft()
        callback(*args)


class Air(LocalLink):
    """The link layer between virtual controllers, in an order that is the same in every run.

    Upstream keeps its controllers in a set (``link.py:47``) and so visits them in the order of memory addresses, names
    the sender of data by its random address even where the link was made from the public one (``link.py:96``), raises
    at the sender when the receiver has gone (``link.py:128``), and has no latency.
    """

    def __init__(self, *, latency_s: float = 0.0, jitter_s: float = 0.0, rng: random.Random | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # upstream: no annotations
        self.latency_s = latency_s
        self.jitter_s = jitter_s
        self._rng = rng or random.Random(0)  # noqa: S311 - a seeded simulation, not cryptography
        self._members: dict[VirtualController, None] = {}
        self._owners: dict[hci.Address, VirtualController] = {}
        self._rssi: dict[hci.Address, int] = {}
        self._silent: set[VirtualController] = set()
        self._paths: dict[tuple[VirtualController, VirtualController], _Path] = {}

    # ---- who is there -------------------------------------------------------------------------------------------

    def add_controller(self, controller: Controller) -> None:
        """Put a controller on the air."""
        if not isinstance(controller, VirtualController):
            raise TypeError(f"{controller!r} cannot be on this air: make it a VirtualController")
        self._members[controller] = None
        self._owners.clear()

    def remove_controller(self, controller: Controller) -> None:
        """Take a controller off the air."""
        if isinstance(controller, VirtualController) and self._members.pop(controller, ...) is None:
            self._owners.clear()
            self._silent.discard(controller)
            self._rssi.pop(controller.random_address, None)
            self._rssi.pop(controller.public_address, None)
            self._paths = {ends: path for ends, path in self._paths.items() if controller not in ends}
            self.listeners_changed()

    def on_address_changed(self, controller: Controller) -> None:  # noqa: ARG002 - upstream's signature
        """Look addresses up anew."""
        self._owners.clear()

    def find_le_controller(self, address: hci.Address) -> VirtualController | None:
        """Return the owner of an address."""
        owner = self._owners.get(address)
        if owner is None:
            owner = next((c for c in self._members if address in (c.random_address, c.public_address)), None)
            if owner is not None:
                self._owners[address] = owner
        return owner

    def set_rssi(self, address: hci.Address, rssi: int) -> None:
        """Set how loud the owner of an address is heard, in dBm."""
        self._rssi[address] = rssi

    def rssi_of(self, address: hci.Address) -> int:
        """Return how loud the owner of an address is heard, in dBm."""
        return self._rssi.get(address, _DEFAULT_RSSI)

    def scan_response_of(self, address: hci.Address) -> bytes:
        """Return what the advertiser of that address answers to a scan request."""
        owner = self.find_le_controller(address)
        return bytes(owner.le_legacy_advertiser.scan_response_data) if owner is not None else b""

    def anyone_listens(self, besides: Controller) -> bool:
        """True while some other controller scans or initiates."""
        if besides in self._silent:
            return False
        return any(c.listens for c in self._members if c is not besides and c not in self._silent)

    def listeners_changed(self) -> None:
        """Let every advertiser look again whether anybody hears it."""
        for controller in self._members:
            controller.le_legacy_advertiser.listeners_changed()

    # ---- silence ------------------------------------------------------------------------------------------------

    def silence(self, controller: VirtualController) -> None:
        """Nothing goes to or from this controller any more; links end with their supervision timeout, at both ends."""
        self._silent.add(controller)
        for link in list(controller.le_connections.values()):
            controller.silence_begins(link.peer_address)
            peer = self.find_le_controller(link.peer_address)
            if peer is not None:
                peer.silence_begins(link.self_address)
        self.listeners_changed()

    def hear_again(self, controller: VirtualController) -> None:
        """End a silence; links that have not timed out live on."""
        self._silent.discard(controller)
        for link in list(controller.le_connections.values()):
            peer = self.find_le_controller(link.peer_address)
            if peer is not None and peer not in self._silent:
                controller.silence_ends(link.peer_address)
                peer.silence_ends(link.self_address)
        self.listeners_changed()

    # ---- packets ------------------------------------------------------------------------------------------------

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        """Carry a data PDU to the other end of a link."""
        link = sender_controller.le_connections.get(destination_address)
        if link is not None and isinstance(sender_controller, VirtualController):
            receiver = self.find_le_controller(destination_address)
            if receiver is not None:
                self._send(sender_controller, receiver, receiver.on_link_acl_data, link.self_address, transport, data)

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """Carry a control PDU to the other end of a link."""
        sender = self.find_le_controller(sender_address)
        receiver = self.find_le_controller(receiver_address)
        if sender is not None and receiver is not None:
            self._send(sender, receiver, receiver.on_ll_control_pdu, sender_address, packet)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Carry an advertisement to all who listen, or a connect request to the one it is for."""
        if not isinstance(sender_controller, VirtualController):
            return
        if isinstance(packet, ll.ConnectInd):
            advertiser = self.find_le_controller(packet.advertiser_address)
            if advertiser is not None:
                self._send(sender_controller, advertiser, self._connect, sender_controller, advertiser, packet)
            return
        for controller in self._members:
            if controller is not sender_controller and controller.listens:
                self._send(sender_controller, controller, controller.on_ll_advertising_pdu, packet)

    def _connect(self, central: VirtualController, advertiser: VirtualController, packet: ll.ConnectInd) -> None:
        advertiser.on_le_connect_ind(packet)
        if packet.initiator_address not in advertiser.le_connections:
            central.never_established(packet.advertiser_address)

    def _send(
        self, sender: VirtualController, receiver: VirtualController, callback: Callable[..., None], *args: Any
    ) -> None:
        if self._silent and (sender in self._silent or receiver in self._silent):
            return
        if not (self.latency_s or self.jitter_s):
            asyncio.get_running_loop().call_soon(callback, *args)
            return
        delay_s = self.latency_s + self.jitter_s * self._rng.random()
        self._paths.setdefault((sender, receiver), _Path()).send(delay_s, callback, args)


class Central:
    """A further adapter for bleak programs on a virtual radio, with an address and bonds of its own.

    Attributes:
        scanner_backend: for ``BleakScanner(backend=…)``.
        client_backend: for ``BleakClient(device, backend=…)``.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.scanner_backend: type[BumbleScanner] = scanner_backend(adapter)
        self.client_backend: type[BumbleClient] = client_backend(adapter)


class VirtualRadio:
    """An in-process Bluetooth LE world: simulated devices, and one adapter for bleak programs.

    Use it as an async context manager, or call :meth:`close`. The adapter comes to life with the first scan or connect.

    Args:
        seed: addresses, jitter and the controllers' random numbers follow from it. Two runs with one seed are identical
            in virtual time, except for the keys of a pairing: Bumble's SMP draws those from the operating system.
        latency_s: time that every packet is on the air, in seconds; the order of packets is kept.
        jitter_s: at most so much more, drawn for each packet.

    Attributes:
        scanner_backend: for ``BleakScanner(backend=…)``.
        client_backend: for ``BleakClient(device, backend=…)``.
    """

    def __init__(self, seed: int = 0, *, latency_s: float = 0.0, jitter_s: float = 0.0) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - a seeded simulation, not cryptography
        self._central_address = self._new_address()
        self.air = Air(latency_s=latency_s, jitter_s=jitter_s, rng=random.Random(self._rng.getrandbits(64)))  # noqa: S311
        self.peripherals: list[Peripheral] = []
        self._further: list[Central] = []
        self._controllers: list[VirtualController] = []
        self.adapter = Adapter(self._make_central_host, address=self._central_address)
        self.scanner_backend: type[BumbleScanner] = scanner_backend(self.adapter)
        self.client_backend: type[BumbleClient] = client_backend(self.adapter)

    async def add_device(
        self, device: SimulatedDevice, *, address: str | None = None, rssi: int = _DEFAULT_RSSI
    ) -> Peripheral:
        """Switch a simulated device on: from now on it advertises and can be connected to.

        Args:
            device: the device.
            address: six octets in hex with colons, a random static address where the two highest bits are set, else a
                public one (Vol 6 Part B 1.3); None for a random static one that follows from the seed.
            rssi: how loud it is heard, in dBm.
        """
        own = _parse_address(address) if address is not None else self._new_address()
        self.peripherals = [peripheral for peripheral in self.peripherals if peripheral.is_on]
        self._controllers = [controller for controller in self._controllers if not controller.closed]
        if any(own == peripheral.bumble_address for peripheral in self.peripherals):
            raise ValueError(f"there is a device with the address {own.to_string(with_type_qualifier=False)} already")
        public = own if own.is_public else hci.Address.ANY
        controller = self._new_controller(device.advertisement.name, public)
        self.air.set_rssi(own, rssi)
        peripheral = Peripheral(device, RadioHost.on_controller(controller), own)
        peripheral.attach_air(self.air, controller)
        self.peripherals.append(peripheral)
        await peripheral.start()
        return peripheral

    def add_central(self) -> Central:
        """Return another adapter on the same air: another computer or telephone, that knows nothing of the first."""
        central = Central(Adapter(self._make_central_host, address=self._new_address()))
        self._further.append(central)
        return central

    def record(
        self,
        writer: BtsnoopWriter,
        on_error: Callable[[OSError], None] | None = None,
        *,
        with_keys: bool = False,
    ) -> None:
        """Write the HCI traffic of the central's host from now on; before the first scan, from the reset on.

        Args:
            writer: where to; its epoch is the date and time at which the loop's clock is zero.
            on_error: called once when the file cannot be written any more, say for a full disk; the recording ends
                then, and the radio goes on. Left out, it is an error in the log.
            with_keys: the keys of pairings are recorded; else there are zeros in their places.
        """
        self.adapter.record(writer, on_error, with_keys=with_keys)

    async def close(self) -> None:
        """Disconnect everything and switch everything off. Safe to call twice."""
        for adapter in (self.adapter, *(central.adapter for central in self._further)):
            await adapter.close()
        self._further.clear()
        for peripheral in self.peripherals:
            await peripheral.close()
        self.peripherals.clear()
        for controller in self._controllers:
            controller.close()
        self._controllers.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def _make_central_host(self) -> RadioHost:
        return RadioHost.on_controller(self._new_controller("central", hci.Address.ANY))

    def _new_controller(self, name: str, public_address: hci.Address) -> VirtualController:
        rng = random.Random(self._rng.getrandbits(64))  # noqa: S311 - a seeded simulation, not cryptography
        controller = VirtualController(name, self.air, public_address, rng)
        self._controllers.append(controller)
        return controller

    def _new_address(self) -> hci.Address:
        """Return a random static address (Vol 6 Part B 1.3.2.1: the two highest bits are set)."""
        octets = bytearray(self._rng.randbytes(6))
        octets[5] |= 0xC0
        return hci.Address(bytes(octets), hci.Address.RANDOM_DEVICE_ADDRESS)


def _parse_address(address: str) -> hci.Address:
    octets = bytes.fromhex(address.replace(":", ""))
    if len(octets) != 6 or address.count(":") != 5:
        raise ValueError(f"{address!r} is not an address: write six octets in hex, as C0:FF:EE:00:00:01")
    kind = hci.Address.RANDOM_DEVICE_ADDRESS if octets[0] >= 0xC0 else hci.Address.PUBLIC_DEVICE_ADDRESS
    return hci.Address(bytes(reversed(octets)), kind)
