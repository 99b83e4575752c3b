"""What a radio side may want to know of a simulated device beyond its contract: optional, with sensible answers.

A device that has an attribute ``radio_details`` of this type has it asked; every other device gets the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_MTU = 247  # a usual choice: one ATT PDU fills one 251-byte data packet


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor of a characteristic. ``value`` is what it holds when the device is switched on."""

    uuid: str
    value: bytes
    writable: bool = False


@dataclass(frozen=True, slots=True)
class RadioDetails:
    """Optional facts of a simulated device.

    Attributes:
        mtu: the largest ATT MTU it accepts, 23 to 517 bytes.
        tx_power_dbm: the transmit power it advertises; None: it does not.
        descriptors: by the UUID of the characteristic; CCCDs are added where they are needed and are not listed.
        encrypted: UUIDs of the characteristics that may only be read or written over an encrypted link.
    """

    mtu: int = DEFAULT_MTU
    tx_power_dbm: int | None = None
    descriptors: Mapping[str, tuple[Descriptor, ...]] = field(default_factory=dict)
    encrypted: frozenset[str] = frozenset()


NO_DETAILS = RadioDetails()


def details_of(device: object) -> RadioDetails:
    """Return the device's details, or the defaults."""
    details = getattr(device, "radio_details", NO_DETAILS)
    if not isinstance(details, RadioDetails):
        raise TypeError(f"radio_details of {device!r} is {details!r}, not RadioDetails")
    return details
