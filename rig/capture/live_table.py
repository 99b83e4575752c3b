"""The attribute table behind the services of a connected bleak client, with a handle for every attribute.

Knows what the handles are that each of bleak's backends gives. Refuses to know connections: services go in, a table
comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from rig.capture.gatt import CHARACTERISTIC, Attribute, uuid_text

if TYPE_CHECKING:
    from bleak.backends.characteristic import BleakGATTCharacteristic
    from bleak.backends.descriptor import BleakGATTDescriptor
    from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection

_PROPERTIES: Final = {  # Vol 3 Part G 3.3.1.1, in bleak's spelling; the last two have bits in a descriptor of their own
    "broadcast": 0x01,
    "read": 0x02,
    "write-without-response": 0x04,
    "write": 0x08,
    "notify": 0x10,
    "indicate": 0x20,
    "authenticated-signed-writes": 0x40,
    "extended-properties": 0x80,
    "reliable-write": 0x80,
    "writable-auxiliaries": 0x80,
}
_CCCD: Final = "2902"
_LAST_HANDLE: Final = 0xFFFF


class _Place(NamedTuple):
    """Where one characteristic stands."""

    characteristic: BleakGATTCharacteristic
    declaration: int
    value: int
    descriptors: tuple[tuple[int, BleakGATTDescriptor], ...]


_Layout = list[tuple[int, "BleakGATTService", list[_Place]]]


class LiveTable:
    """What a client has discovered, as attributes.

    bleak's BlueZ and Windows backends give a characteristic the handle of its declaration, others may give that of its
    value. Handles that are consistent and ascending under either reading are kept; others (a backend may number
    attributes in any way) are replaced by a layout of our own, in the order in which bleak lists the attributes.

    Args:
        services: of a client that is connected.

    Attributes:
        attributes: in order of handles.
        has_own_handles: whether these are not the device's.
    """

    def __init__(self, services: BleakGATTServiceCollection) -> None:
        listed = list(services)
        layout = _kept(listed, value_offset=1) or _kept(listed, value_offset=0)
        self.has_own_handles = layout is None
        if layout is None:
            layout = _laid_out(listed)
        self._values: dict[int, int] = {}
        self._descriptors: dict[int, int] = {}
        self._cccds: dict[int, int] = {}
        self.attributes: tuple[Attribute, ...] = tuple(self._described(layout))

    def value_handle(self, characteristic: BleakGATTCharacteristic) -> int:
        """The handle of a characteristic's value.

        Raises:
            KeyError: it is not one of these services'.
        """
        return self._values[characteristic.handle]

    def descriptor_handle(self, descriptor: BleakGATTDescriptor) -> int:
        """The handle of a descriptor.

        Raises:
            KeyError: it is not one of these services'.
        """
        return self._descriptors[descriptor.handle]

    def cccd_handle(self, characteristic: BleakGATTCharacteristic) -> int | None:
        """The handle of a characteristic's CCCD, None where there is none to be seen."""
        return self._cccds.get(characteristic.handle)

    def _described(self, layout: _Layout) -> Iterator[Attribute]:
        for index, (start, service, places) in enumerate(layout):
            following = layout[index + 1][0] if index + 1 < len(layout) else _LAST_HANDLE + 1
            members = list(self._members(_short(service.uuid), places, following))
            last = members[-1].handle if members else start
            # The end of the last service is not told by bleak: it has what is known of it.
            end = following - 1 if index + 1 < len(layout) else last
            uuid = _short(service.uuid)
            yield Attribute(start, "service", uuid, uuid, target=end)
            yield from members

    def _members(self, service: str, places: Sequence[_Place], following: int) -> Iterator[Attribute]:
        for index, (characteristic, declaration, value, descriptors) in enumerate(places):
            uuid, properties = _short(characteristic.uuid), _octet(characteristic.properties)
            yield Attribute(declaration, "characteristic", CHARACTERISTIC, service, uuid, properties, value)
            yield Attribute(value, "value", uuid, service, uuid, properties)
            self._values[characteristic.handle] = value
            found = [(handle, _short(descriptor.uuid)) for handle, descriptor in descriptors]
            self._descriptors.update((descriptor.handle, handle) for handle, descriptor in descriptors)
            if _notifies(characteristic) and not any(kind == _CCCD for _, kind in found):
                # A characteristic that notifies has one (Vol 3 Part G 3.3.3.3), whether or not the system shows it: it
                # is where a handle is missing.
                limit = places[index + 1].declaration if index + 1 < len(places) else following
                taken = {handle for handle, _ in found}
                free = next((handle for handle in range(value + 1, limit) if handle not in taken), None)
                if free is not None:
                    found = sorted([*found, (free, _CCCD)])
            for handle, kind in found:
                if kind == _CCCD:
                    self._cccds[characteristic.handle] = handle
                yield Attribute(handle, "descriptor", kind, service, uuid)


def _kept(services: Iterable[BleakGATTService], *, value_offset: int) -> _Layout | None:
    """The services under the handles that bleak gives, None when these cannot be meant so.

    Args:
        services: in any order.
        value_offset: how far a characteristic's value lies behind the handle that bleak has for it: 1 or 0.
    """
    layout: _Layout = []
    before = 0
    for service in sorted(services, key=lambda each: each.handle):
        places = []
        if service.handle <= before:
            return None
        before = service.handle
        for characteristic in sorted(service.characteristics, key=lambda each: each.handle):
            value = characteristic.handle + value_offset
            ordered = sorted(characteristic.descriptors, key=lambda each: each.handle)
            descriptors = tuple((each.handle, each) for each in ordered)
            for handle in (value - 1, value, *(handle for handle, _ in descriptors)):
                if handle <= before:
                    return None
                before = handle
            places.append(_Place(characteristic, value - 1, value, descriptors))
        layout.append((service.handle, service, places))
    return layout if before <= _LAST_HANDLE else None


def _laid_out(services: Iterable[BleakGATTService]) -> _Layout:
    """The services one after the other, from handle 1 on, with room for CCCDs that the system does not show."""
    layout: _Layout = []
    handle = 1
    for service in services:
        start, places = handle, []
        for characteristic in service.characteristics:
            listed = list(enumerate(characteristic.descriptors, handle + 3))
            hidden = _notifies(characteristic) and not any(_short(each.uuid) == _CCCD for _, each in listed)
            places.append(_Place(characteristic, handle + 1, handle + 2, tuple(listed)))
            handle += 2 + len(listed) + hidden
        layout.append((start, service, places))
        handle += 1
    return layout


def _notifies(characteristic: BleakGATTCharacteristic) -> bool:
    return "notify" in characteristic.properties or "indicate" in characteristic.properties


def _octet(properties: Iterable[str]) -> int:
    octet = 0
    for name in properties:
        octet |= _PROPERTIES.get(name, 0)
    return octet


def _short(uuid: str) -> str:
    return uuid_text(bytes.fromhex(uuid.replace("-", ""))[::-1])
