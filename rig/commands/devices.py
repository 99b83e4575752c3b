"""``rig devices``: the simulated devices, what they advertise and offer."""

from __future__ import annotations

from rig.commands.faults import FINISHED
from rig.devices.catalogue import KEYS, create


def devices() -> int:
    """Print each device with its services and characteristics."""
    for key in KEYS:
        device = create(key)
        print(f"{key:8} advertises {device.advertisement.name!r}")
        for service in device.services:
            print(f"         service {service.uuid}")
            for characteristic in service.characteristics:
                offered = ", ".join(
                    (member.name or "").lower().replace("_", "-") for member in characteristic.properties
                )
                print(f"           {characteristic.uuid}  {offered}")
    return FINISHED
