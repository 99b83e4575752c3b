"""Looks for devices that this app can guide. Knows advertisements. Refuses to connect to anything."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from companion.device.radio import RADIO_ERRORS, radio_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData

    from companion.device.radio import Radio
    from protocols.registry import ProtocolEntry, Registry

#: How long to go on listening after the first device, so that the nearest one can win. Advertising intervals reach
#: 1.28 s in the assigned profiles; a handheld device in its first seconds advertises several times a second.
SETTLE_S = 1.5


@dataclass(frozen=True, slots=True)
class Found:
    """One device in reach: where bleak knows it, the protocol that fits, its advertised name, strength in dBm."""

    device: BLEDevice
    entry: ProtocolEntry
    name: str
    rssi: int


async def find(
    radio: Radio,
    registry: Registry,
    timeout_s: float,
    on_found: Callable[[Found], None] | None = None,
    *,
    settle_s: float | None = None,
) -> list[Found]:
    """Listen for ``timeout_s`` seconds and return the devices that a protocol fits, the nearest first.

    ``on_found`` hears of each device when it is first seen and whenever its strength or name changes. With ``settle_s``
    the search ends that many seconds after the first device was seen. An empty list means that none was in reach.

    Raises:
        RadioError: the radio cannot scan.
    """
    found: dict[str, Found] = {}
    first_seen = asyncio.Event()

    def detected(device: BLEDevice, advertisement: AdvertisementData) -> None:
        name = advertisement.local_name or device.name
        # A device may name its service in its service data alone: 31 octets leave little room.
        entry = registry.match(name, [*advertisement.service_uuids, *advertisement.service_data])
        if entry is None:
            return
        now_found = Found(device, entry, name or device.address, advertisement.rssi)
        if found.get(device.address) == now_found:
            return
        found[device.address] = now_found
        first_seen.set()
        if on_found is not None:
            on_found(now_found)

    loop = asyncio.get_running_loop()
    ends_at = loop.time() + timeout_s
    try:
        async with radio.scanner(detected):
            if settle_s is not None:
                try:
                    async with asyncio.timeout_at(ends_at):
                        await first_seen.wait()
                except TimeoutError:
                    pass
                else:
                    ends_at = min(ends_at, loop.time() + settle_s)
            await asyncio.sleep(ends_at - loop.time())
    except RADIO_ERRORS as error:
        raise radio_error(error) from error
    return sorted(found.values(), key=lambda one: (-one.rssi, one.device.address))
