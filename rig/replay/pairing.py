"""Who sits at the app's end when a replay pairs with a device on the virtual radio: somebody who reads its display.

Refuses to know what is replayed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rig.conformance.pairing import Onlooker
from rig.devices.display import Display
from rig.radio.details import details_of
from rig.radio.pairing import JUST_WORKS, Ability, Pairing

if TYPE_CHECKING:
    from bleak import BleakClient

    from rig.radio.link import VirtualRadio


async def pair(client: BleakClient, radio: VirtualRadio, device: object) -> None:
    """Pair a simulated device that is connected: compare what both ends show, or type what the device shows.

    Where the device has no display there is nothing to compare, and what has to be authenticated stays closed.

    Args:
        client: the app's end of the link.
        radio: the radio of both.
        device: the simulated device.

    Raises:
        BleakError: the device refused, or the link went down.
    """
    partner = details_of(device).pairing.partner
    onlooker = Pairing(Ability.SHOWS_AND_TYPES, Onlooker(partner)) if isinstance(partner, Display) else JUST_WORKS
    radio.adapter.pairing = onlooker
    await client.pair()
