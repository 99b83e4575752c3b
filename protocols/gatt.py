"""GATT vocabulary shared by every protocol: what a device offers, and what a protocol asks the radio to do.

Knows UUIDs and bytes. Refuses to know which radio, or whether there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Flag, auto

_BASE_UUID_TAIL = "-0000-1000-8000-00805f9b34fb"


def uuid(value: int | str) -> str:
    """Return a UUID in the one spelling used here: 128 bits, dashed, lower case.

    ``value`` is a 16-bit number, its four hex digits, or a dashed 128-bit string.
    Core Specification Vol 3 Part B 2.5.1 defines the base UUID.
    """
    if isinstance(value, int):
        return f"{value:08x}{_BASE_UUID_TAIL}"
    if len(value) == 4:
        return f"0000{value.lower()}{_BASE_UUID_TAIL}"
    return value.lower()


class Property(Flag):
    """Characteristic properties (Core Specification Vol 3 Part G 3.3.1.1)."""

    READ = auto()
    WRITE_WITHOUT_RESPONSE = auto()
    WRITE = auto()
    NOTIFY = auto()
    INDICATE = auto()

    @classmethod
    def from_names(cls, names: Iterable[str]) -> Property:
        """Build from bleak's names (``"write-without-response"`` …); names of no interest here are passed over."""
        found = cls(0)
        for name in names:
            member = cls.__members__.get(name.upper().replace("-", "_"))
            if member is not None:
                found |= member
        return found


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One characteristic as discovered. ``uuid`` in the spelling of :func:`uuid`."""

    uuid: str
    properties: Property


@dataclass(frozen=True, slots=True)
class Service:
    """One primary service as discovered, its characteristics in handle order."""

    uuid: str
    characteristics: tuple[Characteristic, ...]

    def find(self, characteristic: str) -> Characteristic | None:
        """Return the characteristic with that UUID, or None."""
        return next((c for c in self.characteristics if c.uuid == characteristic), None)


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Enable notifications (or indications) of a characteristic."""

    characteristic: str


@dataclass(frozen=True, slots=True)
class Read:
    """Read a characteristic; the value comes back through ``data_received``."""

    characteristic: str


@dataclass(frozen=True, slots=True)
class Write:
    """Write a characteristic.

    ``urgent`` marks a stop: the radio side performs it before every operation that is still waiting, and never waits
    for one that is under way unless ATT itself forces it (one request at a time, Core Specification Vol 3 F 3.3.2).
    """

    characteristic: str
    data: bytes
    with_response: bool
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Disconnect:
    """End the link now, whatever is still waiting. ``reason`` is for the journal and the person."""

    reason: str


Operation = Subscribe | Read | Write | Disconnect
