"""What this computer has for a Bluetooth controller of one's own: packages, libusb, USB, serial ports, permissions.

Looks, and changes nothing; only :func:`ask` opens a transport, and resets the controller behind it. Refuses to know
what follows from what it finds: that is :mod:`rig.radio.checkup`'s.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from rig.radio.host import RadioHost

BLUETOOTH_CLASS: Final = (0xE0, 0x01, 0x01)
"""USB class, subclass and protocol of a Bluetooth controller (Core Specification Vol 4 Part B 3.1)."""
_LOOKED_INTO: Final = frozenset({0x00, 0xEF})  # classes that say: look at my interfaces


class UsbDevice(NamedTuple):
    """One device on USB."""

    vendor: int
    product: int
    place: str
    """Bus and ports, as ``1-4.2``."""
    node: str
    """What a program opens on Linux: ``/dev/bus/usb/001/004``."""
    bluetooth: bool
    """Whether it says that it is a Bluetooth controller."""

    @property
    def number(self) -> str:
        """Vendor and product as Bumble takes them."""
        return f"{self.vendor:04x}:{self.product:04x}"


class Held(NamedTuple):
    """What of the system has a USB device: a driver on one of its interfaces, and the adapter that it made of it."""

    driver: str
    interface: str
    adapter: str
    """As ``hci0``; empty where there is none."""


class Controller(NamedTuple):
    """What a controller says of itself."""

    version: str
    """Of the Bluetooth specification, as ``5.3``."""
    manufacturer: str
    encrypts: bool
    """Whether it has LE Encryption (Vol 6 Part B 4.6.1), which every pairing needs."""
    advertises: bool
    """Whether it takes the command that switches advertising on."""


class LookError(Exception):
    """Something cannot be looked at; the message says why in half a sentence."""


class OpenError(LookError):
    """A transport cannot be opened."""


class SilentError(LookError):
    """A transport is open, and the controller behind it does not answer as one."""


class Machine(Protocol):
    """What a checkup asks about a computer."""

    system: str
    """As ``sys.platform`` has it."""

    def package(self, name: str) -> str | None:
        """Return the version of an installed Python package, None where it is not."""

    def libusb(self) -> str:
        """Return the version of the libusb library.

        Raises:
            LookError: there is none that can be loaded.
        """

    def usb(self) -> list[UsbDevice]:
        """Return what is on USB, in libusb's order.

        Raises:
            LookError: libusb finds no USB.
        """

    def opens(self, device: UsbDevice) -> bool:
        """Return whether this user may open it."""

    def held(self, device: UsbDevice) -> Held | None:
        """Return what of the system has it; None where nothing does, or where the system does not tell."""

    def ports(self) -> list[str]:
        """Return the serial ports, by what opens them."""

    def has(self, path: str) -> bool:
        """Return whether a file or device is there."""

    def may_use(self, path: str) -> bool:
        """Return whether this user may read and write it."""

    def group(self, path: str) -> str:
        """Return the group that a file belongs to; empty where there is none."""

    def ask(self, transport: str) -> Controller:
        """Open a transport, reset the controller behind it, and return what it says of itself.

        Raises:
            OpenError: the transport cannot be opened.
            SilentError: nothing answers, or no controller does.
        """


class ThisMachine:
    """The computer that this runs on.

    Args:
        root: where its files are; a test has others.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self.system = sys.platform
        self._root = root

    def package(self, name: str) -> str | None:
        """See :class:`Machine`."""
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    def libusb(self) -> str:
        """See :class:`Machine`."""
        try:
            from bumble.transport.usb import load_libusb  # noqa: PLC0415 - it loads the library

            load_libusb()  # type: ignore[no-untyped-call]  # upstream: no annotations
            import usb1  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

            found = usb1.getVersion()
        except (ImportError, OSError, AttributeError) as error:
            raise LookError(str(error) or type(error).__name__) from error
        return f"{found.major}.{found.minor}.{found.micro}"

    def usb(self) -> list[UsbDevice]:
        """See :class:`Machine`."""
        self.libusb()
        import usb1  # noqa: PLC0415 - as above

        from rig.radio.transports import why  # noqa: PLC0415 - for what is wrong alone

        try:
            with usb1.USBContext() as context:
                return [_described(device) for device in context.getDeviceIterator(skip_on_error=True)]
        except usb1.USBError as error:
            raise LookError(why("usb", error)) from error

    def opens(self, device: UsbDevice) -> bool:
        """See :class:`Machine`."""
        if self.system.startswith("linux"):
            return self.may_use(device.node)
        import usb1  # noqa: PLC0415 - as above

        with usb1.USBContext() as context:
            for each in context.getDeviceIterator(skip_on_error=True):
                if _described(each) == device:
                    try:
                        each.open().close()
                    except usb1.USBError:
                        return False
                    return True
        return False

    def held(self, device: UsbDevice) -> Held | None:
        """See :class:`Machine`. Linux tells in sysfs (Documentation/ABI/stable/sysfs-bus-usb)."""
        for interface in sorted((self._root / "sys/bus/usb/devices").glob(f"{device.place}:*")):
            driver = interface / "driver"
            if driver.exists() and driver.resolve().name != "usbfs":  # usbfs: a program has it
                adapters = sorted(path.name for path in (interface / "bluetooth").glob("hci*"))
                return Held(driver.resolve().name, interface.name, adapters[0] if adapters else "")
        return None

    def ports(self) -> list[str]:
        """See :class:`Machine`."""
        from serial.tools.list_ports import comports  # type: ignore[import-untyped]  # noqa: PLC0415 - Bumble brings it

        # A bare UART of the main board (on Linux ttyS0, without a USB number) is next to never a controller.
        return sorted(port.device for port in comports() if port.vid is not None)

    def has(self, path: str) -> bool:
        """See :class:`Machine`."""
        if path.startswith("/"):
            return (self._root / path.lstrip("/")).exists()
        from serial.tools.list_ports import comports  # noqa: PLC0415 - as above

        return path in {port.device for port in comports()}

    def may_use(self, path: str) -> bool:
        """See :class:`Machine`."""
        if not path.startswith("/"):
            return True  # Windows has no rights on ports
        return os.access(self._root / path.lstrip("/"), os.R_OK | os.W_OK)

    def group(self, path: str) -> str:
        """See :class:`Machine`."""
        try:
            return (self._root / path.lstrip("/")).group()
        except (KeyError, OSError, NotImplementedError):
            return ""

    def ask(self, transport: str) -> Controller:
        """See :class:`Machine`."""
        import asyncio  # noqa: PLC0415 - as above

        return asyncio.run(ask(transport))


def _described(device: Any) -> UsbDevice:
    ports = ".".join(str(port) for port in device.getPortNumberList())
    bus = device.getBusNumber()
    return UsbDevice(
        vendor=device.getVendorID(),
        product=device.getProductID(),
        place=f"{bus}-{ports}",
        node=f"/dev/bus/usb/{bus:03}/{device.getDeviceAddress():03}",
        bluetooth=BLUETOOTH_CLASS in _classes(device),
    )


def _classes(device: Any) -> Iterator[tuple[int, int, int]]:
    """Yield what a device says that it is, as Bumble looks for it (``transport/usb.py``, device_is_bluetooth_hci)."""
    yield (device.getDeviceClass(), device.getDeviceSubClass(), device.getDeviceProtocol())
    if device.getDeviceClass() in _LOOKED_INTO:
        for configuration in device:
            for interface in configuration:
                for setting in interface:
                    yield (setting.getClass(), setting.getSubClass(), setting.getProtocol())


async def ask(transport: str) -> Controller:
    """Open a transport, reset the controller behind it, and return what it says of itself.

    Raises:
        OpenError: the transport cannot be opened.
        SilentError: nothing answers within ten seconds, or no controller does.
    """
    import asyncio  # noqa: PLC0415 - as above

    from rig.radio.host import RESET_TIMEOUT_S, RadioHost  # noqa: PLC0415 - Bumble
    from rig.radio.transports import why  # noqa: PLC0415 - as above

    try:
        host = await RadioHost.on_transport(transport)
    except Exception as error:  # each kind of transport raises what its own library raises
        raise OpenError(why(transport, error)) from error
    try:
        async with asyncio.timeout(RESET_TIMEOUT_S):
            await host.reset()
        return _controller(host)
    except TimeoutError:
        raise SilentError(f"no answer within {RESET_TIMEOUT_S:.0f} s") from None
    except Exception as error:
        raise SilentError(why(transport, error)) from error
    finally:
        await host.close()


def _controller(host: RadioHost) -> Controller:
    from bumble import hci  # noqa: PLC0415 - as above
    from bumble.company_ids import COMPANY_IDENTIFIERS  # noqa: PLC0415 - as above

    said = host.local_version
    if said is None:
        raise SilentError("it does not say which version it is")
    try:
        specification = hci.SpecificationVersion(said.hci_version).name.removeprefix("BLUETOOTH_CORE_")
    except ValueError:
        specification = f"after 6.2 (number {said.hci_version})"
    return Controller(
        version=specification.replace("_", ".", 1).partition("_")[0],
        manufacturer=COMPANY_IDENTIFIERS.get(said.company_identifier, f"company {said.company_identifier}"),
        encrypts=host.supports_le_features(hci.LeFeatureMask.LE_ENCRYPTION),
        advertises=host.supports_command(hci.HCI_LE_SET_ADVERTISING_ENABLE_COMMAND),
    )
