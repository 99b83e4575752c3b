"""What a radio side may want to know of a simulated device beyond its contract: optional, with sensible answers.

A device that has an attribute ``radio_details`` of this type has it asked; every other device gets the defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rig.radio.pairing import JUST_WORKS, Pairing

DEFAULT_MTU = 247  # a usual choice: one ATT PDU fills one 251-byte data packet


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A descriptor of a characteristic. ``value`` is what it holds when the device is switched on.

    A device that wants to be asked gives ``on_read``, called with the loop's time in seconds for the value, and
    ``on_write``, called with the bytes and the time; both may raise what
    :meth:`~rig.devices.model.SimulatedDevice.read` may.
    """

    uuid: str
    value: bytes
    writable: bool = False
    on_read: Callable[[float], bytes] | None = None
    on_write: Callable[[bytes, float], None] | None = None


@dataclass(frozen=True, slots=True)
class RadioDetails:
    """Optional facts of a simulated device.

    Attributes:
        mtu: the largest ATT MTU it accepts, 23 to 517 bytes.
        tx_power_dbm: the transmit power it advertises; None: it does not.
        descriptors: by the UUID of the characteristic; CCCDs are added where they are needed and are not listed.
        encrypted: UUIDs of the characteristics that may only be read or written over an encrypted link.
        authenticated: those of them that need a key from an authenticated pairing (numeric comparison or passkey).
        pairing: what it can show and take when it is paired, and who answers for it; asked for with each pairing.
        names: what the device calls its characteristics, in the shape of its services, where UUIDs do not tell them
            apart: its calls, its notifications and the two above go by them. Empty: by UUID.
        judges_access: every read and write reaches the device, also where the properties do not offer it.
    """

    mtu: int = DEFAULT_MTU
    tx_power_dbm: int | None = None
    descriptors: Mapping[str, tuple[Descriptor, ...]] = field(default_factory=dict)
    encrypted: frozenset[str] = frozenset()
    authenticated: frozenset[str] = frozenset()
    pairing: Pairing = JUST_WORKS
    names: tuple[tuple[str, ...], ...] = ()
    judges_access: bool = False


NO_DETAILS = RadioDetails()


def details_of(device: object) -> RadioDetails:
    """Return the device's details, or the defaults."""
    details = getattr(device, "radio_details", NO_DETAILS)
    if not isinstance(details, RadioDetails):
        raise TypeError(f"radio_details of {device!r} is {details!r}, not RadioDetails")
    return details


class RadioControls(Protocol):
    """What a device may do to the radio that it is on."""

    @property
    def can_vanish(self) -> bool:
        """True where :meth:`vanish` works: on an in-process air."""

    def vanish(self) -> None:
        """Go out of reach without a word."""

    def reappear(self) -> None:
        """Come back into reach."""


class RadioAware:
    """A device that is told more by its radio side than devices are; it overrides what it wants to know.

    Its ``radio_details`` are asked for anew with every connection, after ``connected``: the MTU may differ.
    """

    def radio_attached(self, radio: RadioControls) -> None:
        """It has been switched on, on this radio."""

    def mtu_exchanged(self, asked: int, granted: int, now: float) -> None:
        """The central has asked for an ATT MTU (octets), and this one is in effect from ``now`` (seconds) on."""

    def handed_over(self, times: Sequence[float]) -> None:
        """What its last ``deadline_passed`` gave back has been handed to the host.

        Told where time passes on the wall (``Peripheral.timing``), where it may be later than what the device was told.

        Args:
            times: when each action was, in order, in seconds of the loop's clock to the nanosecond; where there was
                none, when it would have been.
        """
