"""A small GATT device with one of everything, for the tests of the radio."""

from __future__ import annotations

import asyncio

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice

from protocols.gatt import uuid
from rig.radio.link import VirtualRadio
from rig.testing import AttError, Descriptor, ScriptedDevice

SERVICE = uuid("ffe0")
ECHO = uuid("ffe1")  # write, write-without-response, notify, read
METER = uuid("ffe2")  # read, indicate; described
FUSSY = uuid("ffe3")  # write, read; refuses
SECRET = uuid("ffe4")  # read, write over an encrypted link
BOTH = uuid("ffe5")  # notify and indicate
OTHER_SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
LONG = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"  # 128-bit, a long value
DESCRIPTION = uuid("2901")
EXTRA = uuid("2b00")


def echo_device(name: str = "Echo", *, mtu: int = 247, delay_s: float = 0.0) -> ScriptedDevice:
    """Return a device that notifies on ffe1 what was written there, ``delay_s`` later."""
    device = ScriptedDevice(name, service_uuids=("ffe0",), mtu=mtu)
    device.characteristic("ffe1", "write write-without-response notify read", service="ffe0", value=b"hello")
    device.on_write("ffe1", lambda data: device.notify("ffe1", data, after=delay_s))
    device.characteristic(
        "ffe2",
        "read indicate",
        service="ffe0",
        value=b"\x2a",
        descriptors=(Descriptor("2901", b"meter"), Descriptor("2b00", b"\x00", writable=True)),
    )
    device.characteristic("ffe3", "write read", service="ffe0")
    device.on_write("ffe3", _refuse)
    device.on_read("ffe3", lambda: _refuse(b""))
    device.characteristic("ffe4", "read write", service="ffe0", value=b"secret", encrypted=True)
    device.characteristic("ffe5", "notify indicate", service="ffe0")
    device.characteristic(LONG, "read write", service=OTHER_SERVICE, value=bytes(range(250)) * 2)
    return device


def _refuse(_data: bytes) -> bytes:
    raise AttError(0x80)


def now() -> float:
    """Return the loop's time in seconds."""
    return asyncio.get_running_loop().time()


async def found(radio: VirtualRadio, name: str = "Echo") -> BLEDevice:
    """Scan until the device of that name is heard."""
    device = await BleakScanner.find_device_by_name(name, backend=radio.scanner_backend)
    assert device is not None
    return device


async def client_for(radio: VirtualRadio, name: str = "Echo", **kwargs: object) -> BleakClient:
    """Return a client, not connected yet, for the device of that name."""
    return BleakClient(await found(radio, name), backend=radio.client_backend, **kwargs)  # type: ignore[arg-type]
