"""What a device has to offer so that a transcript can be played on it: services, names, descriptors, MTU.

Knows the shape of a GATT database. Refuses to know what is said over it, and when.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from protocols.gatt import Characteristic, Property, Service
from rig.replay.exchanges import Exchange, Place, Transcript

_SMALLEST_MTU, _USUAL_MTU, _LARGEST_MTU = 23, 247, 517  # Vol 3 Part F 3.2.8 and 3.2.9
_OCTETS_BESIDE_VALUE: Final = 3  # opcode and handle of a write or a notification
_PUSHED: Final = frozenset({"notification", "indication"})
_USES: Final = {
    "read": Property.READ,
    "write": Property.WRITE,
    "write_command": Property.WRITE_WITHOUT_RESPONSE,
    "notification": Property.NOTIFY,
    "indication": Property.INDICATE,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The GATT database that a transcript needs."""

    services: tuple[Service, ...]
    """As the transcript has them, and after them what its exchanges use beyond (a recording that began in the middle
    of a connection has seen no discovery); a subscription of which discovery said nothing has its property added."""
    names: tuple[tuple[str, ...], ...]
    """What each characteristic is called here, in the shape of ``services``: its UUID, or ``service/characteristic#n``
    where more than one has that UUID."""
    places: dict[str, Place]
    """Name to place."""
    name_of: dict[Place, str]
    """Place, without a descriptor, to name."""
    descriptors: dict[str, tuple[str, ...]]
    """Name to the UUIDs of the descriptors that the exchanges read or write."""
    mtu: int
    """What the transcript tells, or the usual one where it does not; never less than its longest value needs."""


def layout_of(transcript: Transcript) -> Layout:
    """Work out what a device has to offer."""
    services = _completed(transcript)
    places: dict[str, Place] = {}
    names: list[tuple[str, ...]] = []
    seen: dict[tuple[str, str], int] = {}
    everywhere = [known.uuid for service in services for known in service.characteristics]
    for service in services:
        here = []
        for known in service.characteristics:
            nth = seen.get((service.uuid, known.uuid), 0)
            seen[service.uuid, known.uuid] = nth + 1
            name = known.uuid if everywhere.count(known.uuid) == 1 else f"{service.uuid}/{known.uuid}#{nth}"
            places[name] = Place(service.uuid, known.uuid, nth=nth)
            here.append(name)
        names.append(tuple(here))
    name_of = {place: name for name, place in places.items()}
    described: dict[str, dict[str, None]] = {}
    for exchange in transcript.exchanges:
        if exchange.to is not None and exchange.to.descriptor:
            described.setdefault(name_of[replace(exchange.to, descriptor="")], {})[exchange.to.descriptor] = None
    descriptors = {name: tuple(uuids) for name, uuids in described.items()}
    return Layout(services, tuple(names), places, name_of, descriptors, _mtu(transcript))


def subscribed_before(transcript: Transcript) -> frozenset[Place]:
    """Where the device pushes values though the transcript shows no subscription before: those of an earlier time."""
    subscribed: set[Place] = set()
    found = set()
    for exchange in transcript.exchanges:
        if exchange.to is None:
            continue
        if exchange.does == "subscribe":
            subscribed.add(exchange.to)
        elif exchange.does in _PUSHED and exchange.to not in subscribed:
            found.add(exchange.to)
    return frozenset(found)


def without_effect(transcript: Transcript) -> frozenset[int]:
    """Exchanges that subscribe to what is subscribed to, or unsubscribe from what is not, by index.

    An app's host writes such only sometimes (bleak never does), and a device sees no difference.
    """
    subscribed = set(subscribed_before(transcript))
    found = set()
    for index, exchange in enumerate(transcript.exchanges):
        if exchange.to is None or exchange.does not in {"subscribe", "unsubscribe"} or exchange.error is not None:
            continue
        wanted = exchange.does == "subscribe"
        if wanted == (exchange.to in subscribed):
            found.add(index)
        elif wanted:
            subscribed.add(exchange.to)
        else:
            subscribed.discard(exchange.to)
    return frozenset(found)


def _completed(transcript: Transcript) -> tuple[Service, ...]:
    """The transcript's services and what its exchanges use beyond them."""
    layout = [(service.uuid, list(service.characteristics)) for service in transcript.services]
    discovered = [len(service.characteristics) for service in transcript.services]
    for exchange in transcript.exchanges:
        if exchange.to is None:
            continue
        slot = _slot(layout, exchange.to)
        while slot is None:
            group = next((g for g in reversed(range(len(layout))) if layout[g][0] == exchange.to.service), None)
            if group is None:
                group = len(layout)
                layout.append((exchange.to.service, []))
            layout[group][1].append(Characteristic(exchange.to.characteristic, Property(0)))
            slot = _slot(layout, exchange.to)
        group, at = slot
        known = layout[group][1][at]
        guessed = group >= len(discovered) or at >= discovered[group]
        wanted = _wanted(exchange, transcript, known, guessed=guessed)
        layout[group][1][at] = replace(known, properties=known.properties | wanted)
    return tuple(Service(uuid, tuple(listed)) for uuid, listed in layout)


def _slot(layout: list[tuple[str, list[Characteristic]]], place: Place) -> tuple[int, int] | None:
    """Which service and which of its characteristics a place means."""
    nth = place.nth
    for group, (uuid, listed) in enumerate(layout):
        if uuid != place.service:
            continue
        for at, known in enumerate(listed):
            if known.uuid == place.characteristic:
                if nth == 0:
                    return group, at
                nth -= 1
    return None


def _wanted(exchange: Exchange, transcript: Transcript, known: Characteristic, *, guessed: bool) -> Property:
    """The properties that an exchange shows; of a characteristic that discovery told of, only what makes its CCCD."""
    pushes = Property.NOTIFY | Property.INDICATE
    if exchange.to is None or exchange.to.descriptor:
        return Property(0)
    if exchange.does in {"subscribe", "unsubscribe"}:
        if known.properties & pushes:
            return Property(0)
        indicates = any(other.does == "indication" and other.to == exchange.to for other in transcript.exchanges)
        return Property.INDICATE if indicates else Property.NOTIFY
    shown = _USES.get(exchange.does, Property(0))
    return shown if guessed or shown & pushes else Property(0)


def _mtu(transcript: Transcript) -> int:
    needed = max(
        (
            len(exchange.value) + _OCTETS_BESIDE_VALUE
            for exchange in transcript.exchanges
            if exchange.value is not None and exchange.does in _PUSHED | {"write_command"}
        ),
        default=_SMALLEST_MTU,
    )
    return min(_LARGEST_MTU, max(_SMALLEST_MTU, needed, transcript.mtu or _USUAL_MTU))
