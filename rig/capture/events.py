"""What an app and its device said to each other, out of a capture: ``rig decode --events``.

Knows how to find out which protocol a link speaks, and how to hand it what was written, notified and read. Refuses to
know any device: the listeners of :mod:`protocols` do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Final, Literal, NamedTuple

from protocols.gatt import Characteristic, Property, Service
from protocols.gatt import uuid as full_uuid
from protocols.listening import UNNAMED, Heard, HeardKind, Listener, Speaker
from protocols.registry import ProtocolEntry, Registry, UnknownProtocolError
from rig.capture import att
from rig.capture.gatt import Attribute, AttributeTable, GattTracker
from rig.capture.layers.links import LOCAL, REMOTE, UNKNOWN_SIDE, AttPdu, Link, Observations
from rig.capture.operations import GattOperation, Pairing

DEVICE_NAME: Final = "2a00"

MAX_CONVERSATIONS: Final = 1 << 16
"""How many links have a listener at a time; beyond, all begin anew."""
MAX_LOOKED_THROUGH: Final = 1 << 18
"""How many attributes are looked at in search of protocols before tables have to grow by an eighth to be looked at."""

_UNITS: Final = {"_c": "°C", "_ua": "µA", "_s": "s"}
_OTHER: Final = (REMOTE, LOCAL, UNKNOWN_SIDE)
_PROPERTY_BITS: Final = (  # Core Specification Vol 3 Part G, 3.3.1.1
    (0x02, Property.READ),
    (0x04, Property.WRITE_WITHOUT_RESPONSE),
    (0x08, Property.WRITE),
    (0x10, Property.NOTIFY),
    (0x20, Property.INDICATE),
)


class ProtocolChoiceError(Exception):
    """The protocol asked for cannot be had; the message says why and what there is."""


class DeviceEvent(NamedTuple):
    """One thing that host or device said."""

    frame: int
    """Record of the PDU that said it."""
    time_ns: int
    """Unix time of that record in nanoseconds."""
    link: int
    """Number of the link."""
    protocol: str
    """Key of the protocol that understood it."""
    by: Speaker
    kind: HeardKind
    name: str
    """The command's or the event's, in lower_snake_case; empty for what was not understood."""
    data: Mapping[str, object]
    """The command's or the event's fields, JSON-ready; their names carry their unit."""
    reason: str
    """Why it was refused, or what is wrong with the bytes; else empty."""
    latency_s: float | None
    """Of an answer: seconds since the question, None where the capture does not have that."""
    uuid: str
    """The characteristic, as the ``uuid`` column has it; empty where not known."""
    handle: int
    raw: bytes
    """The bytes that said it: a frame of the device's own, or the attribute value."""

    @property
    def text(self) -> str:
        """The whole as a sentence for people: ``set intensity 20 %: acknowledged after 0.043 s``."""
        details = ", ".join(_in_words(self.name, key, value) for key, value in self.data.items())
        said = " ".join(part for part in (self.name.replace("_", " "), details) if part)
        if self.kind == "unrecognised":
            return f"not understood: {self.reason}"
        if self.kind == "refused":
            by = "will be refused" if self.by == "host" else "refused"
            said = f"{said or 'a request'}: {by}, {self.reason}"
        elif self.kind == "acknowledged":
            said += ": acknowledged"
        return said if self.latency_s is None else f"{said} after {self.latency_s:.3f} s"

    def as_json(self) -> dict[str, object]:
        """Everything, JSON-ready; ``time_ns`` stays a whole number."""
        return {
            "frame": self.frame,
            "time_ns": self.time_ns,
            "link": self.link,
            "protocol": self.protocol,
            "by": self.by,
            "kind": self.kind,
            "name": self.name,
            "data": dict(self.data),
            "reason": self.reason,
            "latency_s": self.latency_s,
            "uuid": self.uuid,
            "handle": f"0x{self.handle:04x}",
            "raw": self.raw.hex(),
            "text": self.text,
        }


class _Said(NamedTuple):
    """An attribute value on its way, or the response to a write of it."""

    way: Literal["written", "received", "answered"]
    device: int
    """The side that is the device."""
    handle: int
    uuid: str
    value: bytes
    error: str = ""


class _Conversation:
    """One link and one side of it that may be a device."""

    __slots__ = ("candidates", "entry", "listener", "seen")

    def __init__(self) -> None:
        self.entry: ProtocolEntry | None = None
        self.listener: Listener | None = None
        self.candidates: list[tuple[ProtocolEntry, Listener]] = []
        self.seen: tuple[str | None, int] = ("", -1)


class EventDecoder:
    """Finds the protocol of each link, and hears what is said on it.

    The protocol is the one asked for; else the one that knows the device's name (advertised anywhere in the capture so
    far, or read); else the first that fits the services discovered and understands something that is said.

    Args:
        tracker: names the PDUs; not yet told of them.
        observations: the capture's, for names by address and services advertised.
        protocol: key of the protocol that every link speaks; None: find out.
        registry: the protocols there are; None: the built-in and the installed ones.

    Raises:
        ProtocolChoiceError: there is no such protocol, or it cannot listen.
    """

    def __init__(
        self,
        tracker: GattTracker,
        observations: Observations | None = None,
        *,
        protocol: str | None = None,
        registry: Registry | None = None,
    ) -> None:
        self._tracker = tracker
        self._observations = observations or Observations()
        self._registry = registry or Registry.default()
        self._asked_for = None if protocol is None else _entry(self._registry, protocol)
        self._pairing = Pairing(tracker)
        self._conversations: dict[tuple[int, int], _Conversation] = {}
        self._names: dict[tuple[int, int], str] = {}
        self._start_ns: int | None = None
        self._looked_through = 0
        self.chosen: dict[int, str] = {}
        """Link number to the key of the protocol that was found for it."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Installed protocols that could not be used, in a line each."""
        return self._registry.problems

    def feed(self, pdu: AttPdu) -> list[DeviceEvent]:
        """Take the next PDU of the capture; return what was said with it. Never raises."""
        handle, uuid = self._tracker.name(pdu)
        if self._start_ns is None:
            self._start_ns = pdu.time_ns
        found: list[DeviceEvent] = []
        data = pdu.pdu
        opcode = data[0] if data else 0
        # What a request writes is told when it is written: the device may answer before ATT does.
        if opcode in (att.WRITE_COMMAND, att.WRITE_REQUEST, att.SIGNED_WRITE_COMMAND) and handle is not None:
            end = -att.SIGNATURE_OCTETS if opcode == att.SIGNED_WRITE_COMMAND else None
            found += self._hear(pdu, _Said("written", _OTHER[pdu.side], handle, uuid, data[3:end]))
        elif opcode in (att.HANDLE_VALUE_NOTIFICATION, att.HANDLE_VALUE_INDICATION) and handle is not None:
            found += self._hear(pdu, _Said("received", pdu.side, handle, uuid, data[3:]))
        for operation in self._pairing.feed(pdu, handle, uuid):
            found += self._operation(pdu, operation)
        return found

    # --- what is said -------------------------------------------------------------------------------------------------

    def _operation(self, pdu: AttPdu, operation: GattOperation) -> list[DeviceEvent]:
        """Take what is known only at the end of an operation: values read or written in pieces, and responses."""
        kind, handle, value = operation.kind, operation.handle, operation.value
        if value is None or not operation.answered or operation.link != pdu.link.number:
            return []
        server = _OTHER[operation.side]
        if kind == "read_by_type":
            self._name_read_by_type(pdu, server, value)
        if handle is None:
            return []
        error = "" if operation.error is None else att.ERROR_NAMES.get(operation.error, f"0x{operation.error:02x}")
        if kind == "read" and not error:
            if operation.uuid == DEVICE_NAME and operation.complete and not operation.offset:
                self._named(pdu.link, server, value)
            return self._hear(pdu, _Said("received", server, handle, operation.uuid, value))
        if kind == "long_write":
            heard = [] if error else self._hear(pdu, _Said("written", server, handle, operation.uuid, value))
            return heard + self._hear(pdu, _Said("answered", server, handle, operation.uuid, value, error))
        if kind == "write":
            return self._hear(pdu, _Said("answered", server, handle, operation.uuid, value, error))
        return []

    def _name_read_by_type(self, pdu: AttPdu, server: int, response: bytes) -> None:
        """A device's name may be read by its type, without its handle (Vol 3 Part G, 4.8.2)."""
        size = response[0] if response else 0
        if size > 2 and len(response) > size and pdu.pdu[0] == att.READ_BY_TYPE_RESPONSE:
            handle = response[1] | response[2] << 8
            table = self._tracker.table(pdu.link, server)
            if table is not None and table.name(handle) == DEVICE_NAME:
                self._named(pdu.link, server, response[3 : 1 + size])

    def _named(self, link: Link, server: int, value: bytes) -> None:
        self._names[link.number, server] = value.rstrip(b"\0").decode("utf-8", "replace")

    def _hear(self, pdu: AttPdu, said: _Said) -> list[DeviceEvent]:
        conversation = self._conversation(pdu.link, said.device)
        now = (pdu.time_ns - (self._start_ns or 0)) / 1e9
        if conversation.listener is not None and conversation.entry is not None:
            heard = _listen(conversation.listener, said, now)
            return [_event(pdu, conversation.entry, item, said) for item in heard]
        for entry, listener in conversation.candidates:
            heard = _listen(listener, said, now)
            if any(item.kind != "unrecognised" for item in heard):
                self._choose(conversation, pdu.link, entry, listener)
                return [_event(pdu, entry, item, said) for item in heard]
        return []

    # --- who speaks what ----------------------------------------------------------------------------------------------

    def _conversation(self, link: Link, device: int) -> _Conversation:
        key = (link.number, device)
        conversation = self._conversations.get(key)
        if conversation is None:
            if len(self._conversations) >= MAX_CONVERSATIONS:
                self._conversations.clear()
                self._names.clear()
            conversation = self._conversations[key] = _Conversation()
            if self._asked_for is not None and self._asked_for.listen is not None:
                self._choose(conversation, link, self._asked_for, self._asked_for.listen(self._name_of(link, device)))
        if conversation.listener is None:
            self._find_out(conversation, link, device)
        return conversation

    def _choose(self, conversation: _Conversation, link: Link, entry: ProtocolEntry, listener: Listener) -> None:
        conversation.entry, conversation.listener = entry, listener
        conversation.candidates = []
        if len(self.chosen) < MAX_CONVERSATIONS:
            self.chosen.setdefault(link.number, entry.key)

    def _name_of(self, link: Link, device: int) -> str | None:
        address = None if device == UNKNOWN_SIDE else link.addresses[device]
        advertised = None if address is None else self._observations.names.get(address.text)
        return advertised or self._names.get((link.number, device))

    def _find_out(self, conversation: _Conversation, link: Link, device: int) -> None:
        """Look for the protocol again where something new is known: a name, or more of the attribute table."""
        name = self._name_of(link, device)
        table = self._tracker.table(link, device)
        seen = (name, 0 if table is None else len(table))
        if seen == conversation.seen or self._too_soon(seen, conversation.seen):
            return
        if name is not None and name != conversation.seen[0]:
            address = None if device == UNKNOWN_SIDE else link.addresses[device]
            advertised = self._observations.services.get(address.text, set()) if address is not None else set()
            entry = self._registry.match(name, sorted(full_uuid(uuid) for uuid in advertised))
            if entry is not None and entry.listen is not None:
                self._choose(conversation, link, entry, entry.listen(name))
                return
        conversation.seen = seen
        if table is not None:
            self._looked_through += len(table)
            heard_by = {entry.key for entry, _ in conversation.candidates}
            services = services_of(table)
            for entry in self._registry.entries:
                if entry.listen is None or entry.fits is None or entry.key in heard_by:
                    continue
                if entry.fits(services):
                    conversation.candidates.append((entry, entry.listen(name)))

    def _too_soon(self, seen: tuple[str | None, int], before: tuple[str | None, int]) -> bool:
        """Whether a table has grown too little to look through it again.

        That is so in hostile captures, which declare and speak in turns without end, and in no others.
        """
        return self._looked_through > MAX_LOOKED_THROUGH and seen[0] == before[0] and seen[1] * 8 < before[1] * 9


def device_events(
    pdus: Iterable[AttPdu],
    tracker: GattTracker,
    observations: Observations | None = None,
    *,
    protocol: str | None = None,
    registry: Registry | None = None,
) -> Iterator[DeviceEvent]:
    """Yield what apps and devices said to each other, in the order of the capture. See :class:`EventDecoder`.

    Raises:
        ProtocolChoiceError: there is no such protocol, or it cannot listen.
    """
    decoder = EventDecoder(tracker, observations, protocol=protocol, registry=registry)
    for pdu in pdus:
        yield from decoder.feed(pdu)


def services_of(table: AttributeTable) -> tuple[Service, ...]:
    """What a table knows as a protocol has it: services with their characteristics, in order of handles."""
    found: list[tuple[str, list[Characteristic]]] = []
    for attribute in table.attributes.values():
        if attribute.kind == "service":
            found.append((attribute.uuid, []))
        elif attribute.kind == "characteristic" and attribute.characteristic and found:
            found[-1][1].append(_characteristic(attribute))
    return tuple(Service(full_uuid(uuid), tuple(characteristics)) for uuid, characteristics in found)


def _characteristic(attribute: Attribute) -> Characteristic:
    properties = Property(0)
    for bit, member in _PROPERTY_BITS:
        if attribute.properties & bit:
            properties |= member
    return Characteristic(full_uuid(attribute.characteristic), properties)


def _entry(registry: Registry, key: str) -> ProtocolEntry:
    try:
        entry = registry.get(key)
    except UnknownProtocolError as error:
        raise ProtocolChoiceError(str(error)) from error
    if entry.listen is None:
        known = ", ".join(entry.key for entry in registry.entries if entry.listen is not None)
        raise ProtocolChoiceError(f"the protocol {key!r} cannot decode captures; those that can: {known}")
    return entry


def _listen(listener: Listener, said: _Said, now: float) -> tuple[Heard, ...]:
    characteristic = full_uuid(said.uuid) if said.uuid else f"{UNNAMED}0x{said.handle:04x}"
    if said.way == "written":
        return listener.written(characteristic, said.value, now)
    if said.way == "received":
        return listener.received(characteristic, said.value, now)
    return listener.write_answered(characteristic, said.value, said.error, now)


def _event(pdu: AttPdu, entry: ProtocolEntry, heard: Heard, said: _Said) -> DeviceEvent:
    what = heard.what
    name = "" if what is None else _snake(type(what).__name__)
    data = {} if what is None else {field.name: _plain(getattr(what, field.name)) for field in fields(what)}
    return DeviceEvent(
        pdu.frame,
        pdu.time_ns,
        pdu.link.number,
        entry.key,
        heard.by,
        heard.kind,
        name,
        data,
        heard.reason,
        heard.latency_s,
        said.uuid,
        said.handle,
        heard.data,
    )


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _in_words(name: str, key: str, value: object) -> str:
    """A field with its unit, which its name ends in: ``20 %``, ``-1 °C``, ``major 2``."""
    if name.endswith(f"_{key}"):
        return str(value)
    if key == "percent":
        return f"{value} %"
    for suffix, unit in _UNITS.items():
        if key.endswith(suffix):
            return f"{value} {unit}"
    return f"{key.replace('_', ' ')} {value}"


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
