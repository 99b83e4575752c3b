"""What the companion asks of a radio, the system's own radio, and how every radio failure is worded.

A radio hands out bleak's scanner and client and nothing else. Knows bleak's errors; refuses to know protocols and
sessions.
"""

from __future__ import annotations

import errno
import platform
from typing import TYPE_CHECKING, Protocol

from bleak import BleakClient, BleakScanner
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementDataCallback

    from companion.device.pairing import Questions
    from companion.guard.keeper import Guard

#: Everything that a bleak call may raise when the radio, the service behind it or the device fails. Without a D-Bus
#: bleak raises a plain FileNotFoundError; a D-Bus that goes away ends in EOFError; TimeoutError is an OSError.
RADIO_ERRORS = (BleakError, OSError, EOFError)

TRY_DEMO = "or try a simulated device with --demo"


class RadioError(Exception):
    """The radio or the device cannot be used: ``reason`` says why, ``advice`` the one thing to try."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}: {advice}")
        self.reason = reason
        self.advice = advice


class Radio(Protocol):
    """One way to the air, for one central. ``system`` is True for the adapter of this computer."""

    @property
    def system(self) -> bool:
        """Whether this is a real adapter behind the system's Bluetooth service (which wants patience and retries)."""

    def scanner(self, detection_callback: AdvertisementDataCallback | None = None) -> BleakScanner:
        """Return a scanner, not started."""

    def client(self, device: BLEDevice, disconnected_callback: Callable[[BleakClient], None]) -> BleakClient:
        """Return a client for a device that a scanner of this radio found, not connected."""

    async def is_paired(self, device: BLEDevice) -> bool | None:
        """Return whether there are keys for a device; None where the system does not say.

        Raises:
            PairingError: the system cannot be asked.
        """

    async def pair(self, client: BleakClient, device: BLEDevice, questions: Questions) -> None:
        """Pair the device at the other end of a link; returns at once when it is paired already.

        Raises:
            PairingError: it was not paired; nothing was kept.
        """

    async def forget(self, device: BLEDevice) -> None:
        """Throw away the keys for a device; nothing happens where there are none.

        Raises:
            PairingError: the system will not.
        """

    def guard(self, lost: Callable[[str], None]) -> Guard:
        """Start what ends the link when this process no longer can (H4); ``lost`` hears why it holds it no longer.

        Raises:
            GuardError: there is none, so there must be no output.
        """

    async def close(self) -> None:
        """Give everything back. Harmless when called twice."""


class SystemRadio:
    """The adapter of this computer, through bleak's own backend."""

    system = True

    def scanner(self, detection_callback: AdvertisementDataCallback | None = None) -> BleakScanner:
        """Return a scanner, not started.

        Raises:
            BleakError: this platform has no Bluetooth LE at all.
        """
        return BleakScanner(detection_callback)

    def client(self, device: BLEDevice, disconnected_callback: Callable[[BleakClient], None]) -> BleakClient:
        """Return a client for a device that a scanner of this radio found, not connected."""
        return BleakClient(device, disconnected_callback)

    async def is_paired(self, device: BLEDevice) -> bool | None:
        """Ask BlueZ; other systems keep it to themselves.

        Raises:
            PairingError: BlueZ cannot be asked.
        """
        if platform.system() != "Linux":
            return None
        from companion.device import bluez_agent  # noqa: PLC0415 - there is no D-Bus elsewhere

        return await bluez_agent.is_paired(device.details["path"], device.name or device.address)

    async def pair(self, client: BleakClient, device: BLEDevice, questions: Questions) -> None:
        """Pair through BlueZ with an agent of the app's own; elsewhere the system itself asks the person.

        Raises:
            PairingError: it was not paired; nothing was kept.
        """
        from companion.device import pairing  # noqa: PLC0415 - it imports this module

        if platform.system() == "Linux":
            from companion.device import bluez_agent  # noqa: PLC0415 - there is no D-Bus elsewhere

            await bluez_agent.pair(device.details["path"], questions)
            return
        try:
            await client.pair()
        except NotImplementedError:
            return  # macOS pairs when a protected value is first used, and asks by itself
        except RADIO_ERRORS as error:
            raise pairing.PairingError(questions.device, pairing.Failure.UNKNOWN, describe(error)) from error

    async def forget(self, device: BLEDevice) -> None:
        """Have BlueZ throw the keys away; other systems let no program do that.

        Raises:
            PairingError: BlueZ will not.
        """
        if platform.system() == "Linux":
            from companion.device import bluez_agent  # noqa: PLC0415 - there is no D-Bus elsewhere

            await bluez_agent.forget(device.address, device.name or device.address)

    def guard(self, lost: Callable[[str], None]) -> Guard:
        """Start a guard process for one link.

        Raises:
            GuardError: it could not be started.
        """
        from companion.guard.keeper import GuardProcess  # noqa: PLC0415 - a demo needs none

        return GuardProcess(lost)

    async def close(self) -> None:
        """Nothing to give back: bleak keeps nothing open between scans and links."""


_NOT_AVAILABLE = {
    BleakBluetoothNotAvailableReason.NO_BLUETOOTH: (
        "this computer has no Bluetooth adapter",
        f"plug one in, {TRY_DEMO}",
    ),
    BleakBluetoothNotAvailableReason.NO_BLE_CENTRAL_ROLE: (
        "the Bluetooth adapter cannot do Bluetooth LE",
        f"use one that can, {TRY_DEMO}",
    ),
    BleakBluetoothNotAvailableReason.POWERED_OFF: (
        "Bluetooth is switched off",
        f"switch it on in your system's settings, {TRY_DEMO}",
    ),
    BleakBluetoothNotAvailableReason.DENIED_BY_USER: (
        "this app may not use Bluetooth",
        f"allow it in your system's privacy settings, {TRY_DEMO}",
    ),
    BleakBluetoothNotAvailableReason.DENIED_BY_SYSTEM: (
        "the system does not let this app use Bluetooth",
        f"ask whoever looks after this computer, {TRY_DEMO}",
    ),
}


def radio_error(error: Exception) -> RadioError:
    """Say in plain words why the radio as a whole cannot be used.

    ``error`` is one of :data:`RADIO_ERRORS` as raised by a scanner's start.
    """
    match error:
        case BleakBluetoothNotAvailableError():
            reason, advice = _NOT_AVAILABLE.get(
                error.reason, ("Bluetooth is not available", f"check that it is switched on, {TRY_DEMO}")
            )
            return RadioError(reason, advice)
        case BleakDBusError() if error.dbus_error.endswith(("ServiceUnknown", "NameHasNoOwner", "NoReply")):
            return RadioError("the system's Bluetooth service is not running", f"start it, {TRY_DEMO}")
        case BleakDBusError() if error.dbus_error.endswith(("AccessDenied", "NotAuthorized")):
            return RadioError(
                "the system does not let this app use Bluetooth", f"ask whoever looks after this computer, {TRY_DEMO}"
            )
        case TimeoutError():
            return RadioError("the Bluetooth service does not answer", f"restart it, {TRY_DEMO}")
        case OSError() if error.errno in {errno.ENOENT, errno.ECONNREFUSED, errno.EACCES}:
            # Where there is no D-Bus socket, bleak lets the bare OSError of its connect through.
            return RadioError(
                "no Bluetooth here: the system's message bus (D-Bus) cannot be reached",
                f"start the Bluetooth service, {TRY_DEMO}",
            )
        case _:
            return RadioError(f"Bluetooth cannot be used, {describe(error)}", f"switch it off and on again, {TRY_DEMO}")


def describe(error: Exception) -> str:
    """Say in a few plain words why one operation on a link failed."""
    match error:
        case BleakGATTProtocolError():
            return f"the device refused it (ATT error 0x{error.code:02x})"
        case BleakDeviceNotFoundError():
            return "the device is not in reach"
        case BleakDBusError():
            return error.dbus_error_details or error.dbus_error
        case TimeoutError():
            return "no answer in time"
        case EOFError():
            return "the Bluetooth service went away"
        case OSError():
            return f"the Bluetooth service cannot be reached ({error.strerror or type(error).__name__})"
        case _:
            first_line = str(error).strip().partition("\n")[0]
            return first_line or type(error).__name__
