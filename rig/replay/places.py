"""What a server's attribute handles mean as places of a transcript, and its services.

Knows attribute tables. Refuses to know captures: what was read and written, the caller tells.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from protocols.gatt import Characteristic, Property, Service
from protocols.gatt import uuid as full_uuid
from rig.replay.exchanges import Does, Exchange, Place

if TYPE_CHECKING:
    from rig.capture.gatt import Attribute, AttributeTable

_SHOWS: Final[Mapping[Does, Property]] = {
    "read": Property.READ,
    "write": Property.WRITE,
    "write_command": Property.WRITE_WITHOUT_RESPONSE,
    "notification": Property.NOTIFY,
    "indication": Property.INDICATE,
}
_PROPERTY_BITS: Final = (  # Vol 3 Part G, 3.3.1.1
    (0x02, Property.READ),
    (0x04, Property.WRITE_WITHOUT_RESPONSE),
    (0x08, Property.WRITE),
    (0x10, Property.NOTIFY),
    (0x20, Property.INDICATE),
)


class Places:
    """What a server's handles mean as places, and its services."""

    def __init__(self, table: AttributeTable | None) -> None:
        self._attributes: dict[int, Attribute] = {} if table is None else table.attributes
        self._places: dict[int, Place] = {}
        self._used: dict[Place, Property] = {}  # for characteristics whose declaration was not seen
        counted: Counter[tuple[str, str]] = Counter()
        value: Place | None = None
        for handle, attribute in self._attributes.items():
            service, characteristic = attribute.service, attribute.characteristic
            if attribute.kind in ("service", "characteristic"):
                value = None  # what describes comes behind the value that it describes (Vol 3 Part G, 3.3)
            elif attribute.kind == "value" and service and characteristic:
                nth = counted[service, characteristic]
                counted[service, characteristic] += 1
                value = self._places[handle] = Place(full_uuid(service), full_uuid(characteristic), nth=nth)
            elif attribute.kind == "descriptor" and value is not None:
                self._places[handle] = replace(value, descriptor=full_uuid(attribute.uuid))

    def is_declaration(self, handle: int) -> bool:
        """Whether it is part of the table itself, not of what the table is for."""
        attribute = self._attributes.get(handle)
        return attribute is not None and attribute.kind in ("service", "include", "characteristic")

    def place(self, handle: int, uuid: str) -> Place | None:
        """Where ``handle`` is; None where that is not known, or it was called by another ``uuid`` when it was used."""
        attribute = self._attributes.get(handle)
        return None if attribute is None or (uuid and uuid != attribute.uuid) else self._places.get(handle)

    def is_readable(self, handle: int) -> None:
        """Take that a handle was read by its type."""
        if handle in self._places:
            self._used[self._places[handle]] = Property.READ

    def used_by(self, exchange: Exchange, written: bytes) -> None:
        """Take from what was done with a characteristic what it can do; ``written`` is what a subscription wrote."""
        place, does = exchange.to, exchange.does
        if place is None or place.descriptor or exchange.error is not None:
            return
        if does == "subscribe":
            bits = written[0]  # Vol 3 Part G 3.3.3.3
            can = Property.NOTIFY if bits & 1 else Property(0)
            can |= Property.INDICATE if bits & 2 else Property(0)
        else:
            can = _SHOWS.get(does, Property(0))
        self._used[place] = self._used.get(place, Property(0)) | can

    def services(self) -> tuple[Service, ...]:
        """The services with their characteristics, in order of handles."""
        found: list[tuple[str, list[Characteristic]]] = []
        for handle, attribute in self._attributes.items():
            if attribute.kind == "service" and attribute.uuid:
                found.append((attribute.uuid, []))
            elif attribute.kind == "value" and handle in self._places:
                # It has a place because the service declared last is its own.
                properties = Property(0)
                for bit, member in _PROPERTY_BITS:
                    if attribute.properties & bit:
                        properties |= member
                properties = properties or self._used.get(self._places[handle], properties)
                found[-1][1].append(Characteristic(full_uuid(attribute.characteristic), properties))
        return tuple(Service(full_uuid(service), tuple(characteristics)) for service, characteristics in found)
