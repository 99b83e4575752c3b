"""What a Bluetooth controller of one's own needs, and whether it is here: findings, each with one thing to do.

Knows what follows from what a computer has. Refuses to look itself: :mod:`rig.radio.machine` does, or what a test hands
in.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from rig.radio.machine import Controller, LookError, Machine, OpenError, SilentError, UsbDevice
from rig.radio.transports import VHCI, Named, named


class Grade(StrEnum):
    """How it stands with one thing: as needed; in the way of something; not as needed."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """One thing looked at: its name, how it stands with it, and what was seen or what to do."""

    name: str
    grade: Grade
    text: str


_USB_PACKAGES: Final = ("libusb1",)
_SERIAL_PACKAGES: Final = ("pyserial", "pyserial-asyncio")
_PACKAGES: Final = {"usb": _USB_PACKAGES, "pyusb": ("pyusb",), "serial": _SERIAL_PACKAGES}
_PAGE: Final = "docs/on-the-air.md"


def _ok(name: str, text: str) -> Finding:
    return Finding(name, Grade.OK, text)


def _warn(name: str, text: str) -> Finding:
    return Finding(name, Grade.WARN, text)


def _fail(name: str, text: str) -> Finding:
    return Finding(name, Grade.FAIL, text)


# --- everything that there is -----------------------------------------------------------------------------------------


def survey(machine: Machine) -> Iterator[Finding]:
    """Say what could serve a device here; fails where nothing could."""
    yield from _packages(machine, ("bumble", *_USB_PACKAGES, *_SERIAL_PACKAGES))
    usable: list[str] = []
    yield from _usb_survey(machine, usable)
    yield from _serial_survey(machine, usable)
    if machine.system.startswith("linux"):
        yield from _vhci_survey(machine, usable)
    if usable:
        names = ", ".join(f"`rig doctor --transport {name}`" for name in usable)
        yield _ok("transports", f"{', '.join(usable)}; see what is behind each with {names}")
    else:
        yield _fail(
            "transports",
            "none of this computer can be used; plug a Bluetooth dongle in, or name one elsewhere with "
            "`--transport tcp-client:HOST:PORT`",
        )


def _usb_survey(machine: Machine, usable: list[str]) -> Iterator[Finding]:
    library = _libusb(machine)
    yield library
    if library.grade is not Grade.OK:
        return
    try:
        found = [device for device in machine.usb() if device.bluetooth]
    except LookError as error:
        yield _warn("USB", f"{error}; on Linux see that /dev/bus/usb is there")
        return
    if not found:
        yield _warn("USB", "no Bluetooth controller; plug a dongle in")
    for index, device in enumerate(found):
        name = f"usb:{index}"
        if not machine.opens(device):
            yield _warn(name, _may_not_open(machine, device))
            continue
        usable.append(name)
        held = _held(machine, device)
        yield held._replace(name=name) if held else _ok(name, f"{device.number}, yours to open")


def _serial_survey(machine: Machine, usable: list[str]) -> Iterator[Finding]:
    ports = machine.ports()
    if not ports:
        yield _ok("serial", "no port on USB")
    for port in ports:
        name = f"serial:{port}"
        if machine.may_use(port):
            usable.append(name)
            yield _ok(name, "yours to open; nothing tells yet whether a controller is behind it")
        else:
            yield _warn(name, _join_group(machine, port))


def _vhci_survey(machine: Machine, usable: list[str]) -> Iterator[Finding]:
    if not machine.has(VHCI):
        yield _ok("vhci", f"there is no {VHCI}; `sudo modprobe hci_vhci` makes it, for use without a radio")
    elif machine.may_use(VHCI):
        usable.append("vhci")
        yield _ok("vhci", "yours to open: a device for this computer's own Bluetooth alone, without a radio")
    else:
        yield _ok("vhci", f"{VHCI} is root's; use it as root, where you want a device without a radio")


# --- one transport ----------------------------------------------------------------------------------------------------


def transport(machine: Machine, name: str) -> Iterator[Finding]:
    """Say what one transport needs, and what the controller behind it says of itself, which is reset by that.

    Raises:
        TransportNameError: there is no such transport.
    """
    taken = named(name)
    failed = False
    for finding in _before_opening(machine, taken):
        failed = failed or finding.grade is Grade.FAIL
        yield finding
    if not failed and taken.kind != "vhci":  # the host of that one is the kernel
        yield from _asked(machine, name, taken)


def _before_opening(machine: Machine, taken: Named) -> Iterator[Finding]:
    yield from _packages(machine, ("bumble", *_PACKAGES.get(taken.kind, ())))
    match taken.kind:
        case "usb" | "pyusb":
            yield from _usb(machine, taken.spec)
        case "serial":
            yield _port(machine, taken.spec.partition(",")[0])
        case "vhci":
            yield _vhci(machine, taken.spec)
        case _:
            return


def _packages(machine: Machine, names: tuple[str, ...]) -> Iterator[Finding]:
    for name in names:
        version = machine.package(name)
        yield _ok(name, version) if version else _fail(name, f"not installed; install it with `pip install {name}`")


def _libusb(machine: Machine) -> Finding:
    try:
        return _ok("libusb", machine.libusb())
    except LookError as error:
        what = {"darwin": "`brew install libusb`", "win32": "`pip install libusb-package`"}.get(
            machine.system, "your system's package libusb-1.0-0"
        )
        return _fail("libusb", f"cannot be loaded ({error}); install {what}")


def _usb(machine: Machine, spec: str) -> Iterator[Finding]:
    library = _libusb(machine)
    yield library
    if library.grade is not Grade.OK:
        return
    try:
        device = _chosen(machine.usb(), spec)
    except LookError as error:
        yield _fail("USB", f"{error}; on Linux see that /dev/bus/usb is there")
        return
    if device is None:
        yield _fail("USB", f"nothing here is {spec}; plug it in, and see what there is with `rig doctor`")
        return
    yield _ok("USB", f"{device.number} at {device.place}")
    if not machine.opens(device):
        yield _fail("permission", _may_not_open(machine, device))
        return
    yield _ok("permission", "yours to open")
    held = _held(machine, device)
    if held is not None:
        yield held


def _chosen(devices: list[UsbDevice], spec: str) -> UsbDevice | None:
    """Return the device that Bumble takes for what stands behind ``usb:``; which serial number it has is not read."""
    spec = spec.partition("+sco=")[0].removesuffix("!")
    if ":" in spec:
        numbers, _, index = spec.partition("/")[0].partition("#")
        vendor, product = (int(part, 16) for part in numbers.split(":"))
        found = [device for device in devices if (device.vendor, device.product) == (vendor, product)]
    elif "-" in spec:
        found, index = [device for device in devices if device.place == spec], ""
    else:
        found, index = [device for device in devices if device.bluetooth], spec
    number = int(index or 0)
    return found[number] if number < len(found) else None


def _may_not_open(machine: Machine, device: UsbDevice) -> str:
    said = f"{device.number} is there, and you may not open it"
    if machine.system.startswith("linux"):
        return f"{said}; give yourself the right with the udev rule of {_PAGE}, and plug it in again"
    if machine.system == "win32":
        return f"{said}; give it the driver WinUSB with Zadig ({_PAGE})"
    return f'{said}; keep the system from it: `sudo nvram bluetoothHostControllerSwitchBehavior="never"`'


def _held(machine: Machine, device: UsbDevice) -> Finding | None:
    held = machine.held(device)
    if held is None:
        return None
    adapter = f" as {held.adapter}" if held.adapter else ""
    free = f"`sudo hciconfig {held.adapter} down`" if held.adapter else f"unbind {held.interface} from {held.driver}"
    return _warn(
        "driver",
        f"the kernel's {held.driver} has {device.number}{adapter}, and loses it to the rig until it is plugged in "
        f"again; if the rig finds it busy: {free}",
    )


def _port(machine: Machine, port: str) -> Finding:
    if not machine.has(port):
        there = machine.ports()
        seen = f"; there {'is' if len(there) == 1 else 'are'} {', '.join(there)}" if there else ""
        return _fail("port", f"there is no {port}{seen}; plug it in, and look at its name again")
    if not machine.may_use(port):
        return _fail("port", _join_group(machine, port))
    return _ok("port", f"{port}, yours to open")


def _join_group(machine: Machine, port: str) -> str:
    group = machine.group(port) or "dialout"
    return f"you may not open {port}; join its group with `sudo usermod -aG {group} $USER`, and log in anew"


def _vhci(machine: Machine, path: str) -> Finding:
    if not machine.system.startswith("linux"):
        return _fail("vhci", "Linux alone has it; use a dongle here")
    if not machine.has(path):
        return _fail("vhci", f"there is no {path}; make it with `sudo modprobe hci_vhci`")
    if not machine.may_use(path):
        return _fail("vhci", f"you may not open {path}; use it as root")
    return _ok("vhci", f"{path}, yours to open; the kernel takes the controller, so none is asked here")


# --- the controller ---------------------------------------------------------------------------------------------------


def _asked(machine: Machine, name: str, taken: Named) -> Iterator[Finding]:
    try:
        controller = machine.ask(name)
    except OpenError as error:
        yield _fail("opens", f"{error}; {_to_open(taken.kind)}")
        return
    except SilentError as error:
        yield _ok("opens", name)
        yield _fail("controller", f"{error}; {_to_answer(taken)}")
        return
    yield _ok("opens", name)
    yield _ok("controller", f"Bluetooth {controller.version}, by {controller.manufacturer}")
    yield from _abilities(controller)


def _abilities(controller: Controller) -> Iterator[Finding]:
    if controller.advertises:
        yield _ok("advertising", "yes")
    else:
        yield _fail("advertising", "it knows no Bluetooth Low Energy advertising; use another dongle")
    if controller.encrypts:
        yield _ok("pairing", "it encrypts links; LE Secure Connections is done by the rig, in software")
    else:
        yield _fail("pairing", "it cannot encrypt a link, so nothing can be paired; use another dongle")


def _to_open(kind: str) -> str:
    match kind:
        case "tcp-client":
            return "start what has the controller there, and see that no firewall is between"
        case "tcp-server":
            return "let the other side connect while this waits, or choose another port"
        case "usb" | "pyusb":
            return "end what holds it (on Linux `sudo systemctl stop bluetooth`), and plug it in again"
        case _:
            return "end what holds it, and plug it in again"


def _to_answer(taken: Named) -> str:
    match taken.kind:
        case "serial":
            return f"see that it speaks HCI (H4), and at which speed: serial:{taken.spec.partition(',')[0]},115200"
        case "usb" | "pyusb":
            return "plug it in again; some want firmware first, which only their own driver loads"
        case _:
            return "see that a controller is at the other end, and that it is nobody else's"
