"""Who is at the other end of a live bleak connection, as a capture tells it: the address, and what was advertised.

Knows what bleak's backends keep of a device, and the fields of advertising data. Refuses to know connections.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rig.capture.layers.links import Address

if TYPE_CHECKING:
    from bleak import BleakClient
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData

_ADDRESS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")


def address_of(text: str, device: BLEDevice | None) -> Address:
    """An address for the capture. macOS shows none: a random static one that follows from its identifier stands in."""
    if _ADDRESS.fullmatch(text) is None:
        octets = bytearray(hashlib.sha256(text.upper().encode()).digest()[:6])
        octets[0] |= 0xC0  # Vol 6 Part B 1.3.2.1
        return Address(octets.hex(":").upper(), is_random=True)
    return Address(text.upper(), is_random=_is_random(device))


def name_of(client: BleakClient, advertised: AdvertisementData | None) -> str:
    """The device's name; empty where it has none."""
    if advertised is not None and advertised.local_name:
        return advertised.local_name
    # Where a device has no name, backends make one from its address.
    return "" if client.name.replace("-", ":").casefold() == client.address.casefold() else client.name


def service_list_field(uuids: Sequence[str]) -> bytes:
    """Advertised services as advertising data (Core Specification Supplement, Part A 1.1), as many as there is room."""
    short = b"".join(u[::-1] for u in map(_octets, uuids) if len(u) == 2)[:28]
    wide = next((u[::-1] for u in map(_octets, uuids) if len(u) == 16), b"")
    fields = bytes([len(short) + 1, 0x02]) + short if short else b""
    if wide and len(fields) + 18 <= 31:
        fields += bytes([17, 0x06]) + wide
    return fields


def name_field(name: str) -> bytes:
    """A name as advertising data (Core Specification Supplement, Part A 1.2), shortened where it is too long."""
    data = name.encode("utf-8", "replace")
    whole = data[:29].decode("utf-8", "ignore").encode()
    return bytes([len(whole) + 1, 0x09 if whole == data else 0x08]) + whole if whole else b""


def _is_random(device: BLEDevice | None) -> bool:
    """Whether the address is a random one, by what the backend keeps of its device; else a public one is assumed."""
    details = device.details if device is not None else None
    if not isinstance(details, dict):
        return False
    properties = details.get("props")
    if isinstance(properties, dict):  # BlueZ, org.bluez.Device1
        return properties.get("AddressType") == "random"
    return getattr(details.get("address"), "is_public", True) is False  # the rig's own backend


def _octets(uuid: str) -> bytes:
    octets = bytes.fromhex(uuid.replace("-", ""))
    tail = "-0000-1000-8000-00805f9b34fb"
    return octets[2:4] if uuid.lower().endswith(tail) and not any(octets[:2]) else octets
