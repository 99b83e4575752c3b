"""Who sits at the app's end when a replay pairs with a device on the virtual radio: somebody who reads its display.

Refuses to know what is replayed.
"""

from __future__ import annotations

from rig.conformance.pairing import Onlooker
from rig.devices.display import Display
from rig.radio.details import details_of
from rig.radio.pairing import JUST_WORKS, Ability, Pairing


def pairing_with(device: object) -> Pairing:
    """Return what the app's end can do when it pairs with a simulated device.

    It compares what both show, or types what the device shows. Where the device has no display there is nothing to
    compare, and what has to be authenticated stays closed.
    """
    partner = details_of(device).pairing.partner
    return Pairing(Ability.SHOWS_AND_TYPES, Onlooker(partner)) if isinstance(partner, Display) else JUST_WORKS
