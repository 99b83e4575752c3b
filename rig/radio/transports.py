"""HCI transports by name, and what it means when one cannot be opened: half a sentence for a person each.

Knows how Bumble names transports and what each kind's own library raises. Refuses to know what is sent through them.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple


class Named(NamedTuple):
    """A transport's name, taken apart: its kind, and what stands behind the colon."""

    kind: str
    spec: str


class TransportNameError(ValueError):
    """There is no such transport; the message says how it is written."""


FORMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "usb": "usb:0, or usb:VENDOR:PRODUCT in hex",
        "pyusb": "pyusb:0, or pyusb:VENDOR:PRODUCT in hex",
        "serial": "serial:/dev/ttyACM0, or serial:PORT,SPEED",
        "tcp-client": "tcp-client:HOST:PORT",
        "tcp-server": "tcp-server:HOST:PORT, with _ for every address of this computer",
        "vhci": "vhci, or vhci:/dev/vhci",
    }
)
"""The kinds that are looked at before they are opened, and how they are written. Bumble knows more."""
OTHERS: Final = frozenset(
    {"udp", "ws-client", "ws-server", "pty", "file", "hci-socket", "android-emulator", "android-netsim"}
    | {"unix", "unix-client", "unix-server"}
)
VHCI: Final = "/dev/vhci"


def named(name: str) -> Named:
    """Take a transport's name apart.

    Raises:
        TransportNameError: Bumble has no such kind, or what belongs behind its colon is missing or malformed.
    """
    kind, _, spec = name.partition(":")
    if kind in OTHERS:
        return Named(kind, spec)
    if kind not in FORMS:
        raise TransportNameError(f"there is no kind of transport {kind!r}; there are: {', '.join(sorted(FORMS))}")
    if kind == "vhci":
        return Named(kind, spec or VHCI)
    well = bool(spec) and (not kind.startswith("tcp-") or _is_place(spec)) and (kind != "usb" or _is_usb(spec))
    if not well:
        raise TransportNameError(f"{name!r} is not whole; write {FORMS[kind]}")
    return Named(kind, spec)


def _is_place(spec: str) -> bool:
    host, _, port = spec.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65536


def _is_usb(spec: str) -> bool:
    spec = spec.partition("+sco=")[0].removesuffix("!")
    if ":" in spec:
        vendor, _, product = spec.partition(":")
        return _is_hex(vendor) and _is_hex(product.partition("/")[0].partition("#")[0])
    return "-" in spec or (spec.isascii() and spec.isdigit())


def _is_hex(digits: str) -> bool:
    try:
        return 0 <= int(digits, 16) <= 0xFFFF
    except ValueError:
        return False


_USB: Final[Mapping[str, str]] = MappingProxyType(
    {
        "USBErrorAccess": "you may not open it",
        "USBErrorBusy": "another program or driver holds it",
        "USBErrorNotSupported": "its driver lets no program open it",
        "USBErrorNotFound": "its driver lets no program open it",
        "USBErrorNoDevice": "it was pulled out",
        "USBErrorOther": "libusb finds no USB here",
    }
)


def why(name: str, error: BaseException) -> str:
    """Say in half a sentence why the transport could not be opened, or is of no use.

    Args:
        name: the transport's.
        error: as opening it, or its controller's reset, raised it: an OSError, or what the library of that kind has
            (libusb1's ``USBError``, pyserial's ``SerialException``, Bumble's ``TransportInitError``).
    """
    kind, _, spec = name.partition(":")
    words = str(error).strip()
    if (usb := _USB.get(type(error).__name__)) is not None:
        return usb
    if kind in ("usb", "pyusb") and words == "device not found":
        return "there is no such Bluetooth controller on USB"
    if kind in ("usb", "pyusb") and words == "no compatible interface found for device":
        return "it is no Bluetooth controller"
    if words == "No backend available":
        return "libusb is not installed"
    if isinstance(error, OSError):
        place = spec.partition(",")[0] or (VHCI if kind == "vhci" else name)
        number = error.errno
        if number is None and (match := words.partition("[Errno ")[2].partition("]")[0]).isdigit():
            number = int(match)  # pyserial tells some only in its text
        said = _OS.get(number or 0)
        if said is not None:
            return said(place)
    return words or type(error).__name__


_OS: Final[Mapping[int, Callable[[str], str]]] = MappingProxyType(
    {
        errno.ENOENT: lambda place: f"there is no {place}",
        errno.ENODEV: lambda place: f"there is no device behind {place}",
        errno.EACCES: lambda place: f"you may not open {place}",
        errno.EPERM: lambda place: f"you may not open {place}",
        errno.EBUSY: lambda place: f"another program holds {place}",
        errno.ECONNREFUSED: lambda place: f"nobody listens at {place}",
        errno.EADDRINUSE: lambda place: f"another program listens at {place}",
        errno.EHOSTUNREACH: lambda place: f"{place} cannot be reached",
        errno.ENETUNREACH: lambda place: f"{place} cannot be reached",
    }
)
