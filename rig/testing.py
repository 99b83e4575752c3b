"""Test a bleak program without Bluetooth: describe a device, run the program against it, at once or in real time.

For programs of anybody who uses bleak; ``docs/testing-bleak-programs.md`` shows how. Knows GATT devices in general.
Refuses to know the devices of this project.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

from protocols.gatt import Characteristic, Property, Service, uuid
from rig.clock import run
from rig.devices.model import (
    Advertisement,
    AttError,
    DeviceAction,
    Hangup,
    Notify,
    SimulatedDevice,
    TraceEntry,
)
from rig.radio.details import DEFAULT_MTU, Descriptor, RadioDetails

if TYPE_CHECKING:
    from rig.radio.link import VirtualRadio

__all__ = ["AttError", "Descriptor", "ScriptedDevice", "WriteSeen", "run", "use_radio", "virtual_radio"]


class WriteSeen(NamedTuple):
    """One write that reached a device: the loop's time in seconds, the characteristic's full UUID, the bytes."""

    time: float
    characteristic: str
    data: bytes


class _Scripted:
    """One characteristic of a scripted device."""

    def __init__(self, value: bytes) -> None:
        self.value = value
        self.on_write: Callable[[bytes], object] | None = None
        self.on_read: Callable[[], bytes] | None = None
        self.subscribed = False


class ScriptedDevice(SimulatedDevice):
    """A GATT peripheral described in a few lines.

    UUIDs may be written as four hex digits or in full. What is written is kept as the characteristic's value and in
    :attr:`writes`; handlers say what else happens. A handler refuses by raising :class:`AttError` with an ATT error
    code, say ``AttError(0x80)``.

    Args:
        name: what it advertises as its name.
        service_uuids: the services that it advertises; every service that it has when left out.
        manufacturer_data: by company identifier.
        service_data: by service UUID.
        mtu: the largest ATT MTU it accepts, in bytes.
        tx_power_dbm: the transmit power that it advertises.
    """

    def __init__(
        self,
        name: str,
        *,
        service_uuids: tuple[str, ...] | None = None,
        manufacturer_data: Mapping[int, bytes] | None = None,
        service_data: Mapping[str, bytes] | None = None,
        mtu: int = DEFAULT_MTU,
        tx_power_dbm: int | None = None,
    ) -> None:
        self.name = name
        self.writes: list[WriteSeen] = []
        self.is_connected = False
        self._advertised = service_uuids
        self._manufacturer_data = dict(manufacturer_data or {})
        self._service_data = {uuid(key): data for key, data in (service_data or {}).items()}
        self._mtu = mtu
        self._tx_power_dbm = tx_power_dbm
        self._layout: dict[str, list[Characteristic]] = {}
        self._scripts: dict[str, _Scripted] = {}
        self._descriptors: dict[str, tuple[Descriptor, ...]] = {}
        self._encrypted: set[str] = set()
        self._due: list[tuple[float, DeviceAction]] = []
        self._now: float | None = None  # while the device is being called

    # ---- describing it ------------------------------------------------------------------------------------------

    def characteristic(
        self,
        characteristic: str,
        properties: str,
        *,
        service: str,
        value: bytes = b"",
        descriptors: tuple[Descriptor, ...] = (),
        encrypted: bool = False,
    ) -> None:
        """Add a characteristic, before the device is switched on.

        Args:
            characteristic: its UUID.
            properties: bleak's names with spaces between: ``"read write write-without-response notify indicate"``.
            service: the UUID of the service that it belongs to.
            value: what a read gives until something else is written.
            descriptors: those besides the CCCD, which comes by itself.
            encrypted: whether it may only be used over an encrypted link, that is after pairing.

        Raises:
            ValueError: a property is unknown, or the characteristic is there already.
        """
        names = properties.split()
        flags = Property.from_names(names)
        if len(flags) != len(set(names)):
            raise ValueError(f"unknown property in {properties!r}: use {', '.join(map(_bleak_name, Property))}")
        full = uuid(characteristic)
        if full in self._scripts:
            raise ValueError(f"{self.name} has a characteristic {characteristic} already")
        self._layout.setdefault(uuid(service), []).append(Characteristic(full, flags))
        self._scripts[full] = _Scripted(value)
        self._descriptors[full] = tuple(Descriptor(uuid(d.uuid), d.value, d.writable) for d in descriptors)
        if encrypted:
            self._encrypted.add(full)

    def on_write(self, characteristic: str, handler: Callable[[bytes], object]) -> None:
        """Call ``handler`` with the bytes of every write."""
        self._script(characteristic).on_write = handler

    def on_read(self, characteristic: str, handler: Callable[[], bytes]) -> None:
        """Let ``handler`` say what a read gives."""
        self._script(characteristic).on_read = handler

    # ---- what it does -------------------------------------------------------------------------------------------

    def notify(self, characteristic: str, data: bytes, *, after: float = 0.0) -> None:
        """Send a value ``after`` seconds from now, by notification or indication; nobody hears it unsubscribed."""
        self._script(characteristic).value = data
        self._schedule(after, Notify(uuid(characteristic), data))

    def hang_up(self, *, after: float = 0.0) -> None:
        """End the link ``after`` seconds from now."""
        self._schedule(after, Hangup())

    def set_value(self, characteristic: str, value: bytes) -> None:
        """Set what a read gives."""
        self._script(characteristic).value = value

    def is_subscribed(self, characteristic: str) -> bool:
        """True while the central wants to hear of this characteristic."""
        return self._script(characteristic).subscribed

    # ---- the contract of simulated devices ----------------------------------------------------------------------

    @property
    def advertisement(self) -> Advertisement:
        """What it advertises."""
        advertised = self._advertised if self._advertised is not None else tuple(self._layout)
        return Advertisement(
            name=self.name,
            service_uuids=tuple(map(uuid, advertised)),
            service_data=tuple(self._service_data.items()),
            manufacturer_data=tuple(self._manufacturer_data.items()),
        )

    @property
    def services(self) -> tuple[Service, ...]:
        """Its services."""
        return tuple(Service(service, tuple(layout)) for service, layout in self._layout.items())

    @property
    def radio_details(self) -> RadioDetails:
        """Its descriptors, MTU and needs of encryption."""
        return RadioDetails(
            mtu=self._mtu,
            tx_power_dbm=self._tx_power_dbm,
            descriptors=self._descriptors,
            encrypted=frozenset(self._encrypted),
        )

    @property
    def deadline(self) -> float | None:
        """When the next thing is due."""
        return min((due for due, _ in self._due), default=None)

    @property
    def trace(self) -> tuple[TraceEntry, ...]:
        """Nothing: this device puts out no current."""
        return ()

    def output_percent(self, now: float) -> float:  # noqa: ARG002 - the contract's
        """Nothing: this device puts out no current."""
        return 0.0

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        """A central has connected."""
        self.is_connected = True
        return self._take_due(now)

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        """The link is gone, and with it what was to go over it."""
        self.is_connected = False
        self._due.clear()
        for script in self._scripts.values():
            script.subscribed = False
        return self._take_due(now)

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        """The central wants to hear of a characteristic, or no longer."""
        self._script(characteristic).subscribed = enabled
        return self._take_due(now)

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        """The central wrote.

        Raises:
            AttError: the handler refused.
        """
        self.writes.append(WriteSeen(now, characteristic, data))
        script = self._script(characteristic)
        with self._called_at(now):
            if script.on_write is not None:
                script.value, before = data, script.value
                try:
                    script.on_write(data)
                except AttError:
                    script.value = before
                    raise
            else:
                script.value = data
        return self._take_due(now)

    def read(self, characteristic: str, now: float) -> bytes:
        """The central reads.

        Raises:
            AttError: the handler refused.
        """
        script = self._script(characteristic)
        with self._called_at(now):
            return script.on_read() if script.on_read is not None else script.value

    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        """Do what is due."""
        return self._take_due(now)

    # ---- inside -------------------------------------------------------------------------------------------------

    def _script(self, characteristic: str) -> _Scripted:
        try:
            return self._scripts[uuid(characteristic)]
        except KeyError:
            raise ValueError(f"{self.name} has no characteristic {characteristic}") from None

    @contextlib.contextmanager
    def _called_at(self, now: float) -> Iterator[None]:
        self._now = now
        try:
            yield
        finally:
            self._now = None

    def _schedule(self, after: float, action: DeviceAction) -> None:
        now = self._now if self._now is not None else asyncio.get_running_loop().time()
        self._due.append((now + after, action))
        if self._now is None and self.deadline_moved is not None:
            self.deadline_moved()

    def _take_due(self, now: float) -> tuple[DeviceAction, ...]:
        due = sorted((entry for entry in self._due if entry[0] <= now), key=lambda entry: entry[0])
        self._due = [entry for entry in self._due if entry[0] > now]
        return tuple(action for _, action in due)


@contextlib.contextmanager
def use_radio(radio: VirtualRadio) -> Iterator[None]:
    """Make a radio bleak's default backend: ``BleakScanner()`` and ``BleakClient(device)`` use it, as they stand."""
    import bleak  # noqa: PLC0415 - whoever only describes devices needs no bleak

    with (
        patch.object(bleak, "get_platform_scanner_backend_type", lambda: (radio.scanner_backend, "virtual radio")),
        patch.object(bleak, "get_platform_client_backend_type", lambda: (radio.client_backend, "virtual radio")),
    ):
        yield


@contextlib.asynccontextmanager
async def virtual_radio(
    *devices: SimulatedDevice, seed: int = 0, latency_s: float = 0.0, jitter_s: float = 0.0
) -> AsyncIterator[VirtualRadio]:
    """Switch devices on around a bleak program, which needs no change: the radio is bleak's default meanwhile.

    Args:
        devices: what is in reach.
        seed: their addresses follow from it.
        latency_s: how long every packet takes, in seconds.
        jitter_s: at most so much longer.
    """
    from rig.radio.link import VirtualRadio  # noqa: PLC0415 - it brings bleak and Bumble

    async with VirtualRadio(seed, latency_s=latency_s, jitter_s=jitter_s) as radio:
        for device in devices:
            await radio.add_device(device)
        with use_radio(radio):
            yield radio


def _bleak_name(member: Property) -> str:
    return (member.name or "").lower().replace("_", "-")
