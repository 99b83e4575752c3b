"""Transcripts out of captures: the conversation of one link, by UUID, with its times.

Knows which GATT operations are exchanges of an app and its device, and which are the discovery before them. Refuses to
know containers and layers: :mod:`rig.capture` reads those.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from protocols.gatt import Characteristic, Property, Service
from protocols.gatt import uuid as full_uuid
from protocols.registry import Registry, UnknownProtocolError
from rig.capture.layers.links import LOCAL, REMOTE, UNKNOWN_SIDE, AttPdu, Link
from rig.capture.operations import GattOperation, operations
from rig.capture.reading import Reading
from rig.replay.exchanges import By, Does, Exchange, Place, Transcript
from rig.replay.transcript import TranscriptError, is_transcript, load

if TYPE_CHECKING:
    from rig.capture.gatt import Attribute, AttributeTable
    from rig.capture.handle_map import HandleMap
    from rig.capture.layers.links import Happening, Observations

__all__ = ["Extraction", "extract", "from_capture", "from_recording", "protocol_of", "transcript_of"]

DEFAULT_MTU: Final = 23  # Vol 3 Part F, 3.2.8, table 5.1 in Part G 5.2.1
CLOCK_STEP_NS: Final = 1_000_000_000
"""A record that is this much earlier than the one before it was written after the recorder's clock had been set; one
that is less was written out of order by its recorder."""

_CCCD: Final = full_uuid("2902")
_INVALID_HANDLE: Final = 0x01
_SHOWN: Final = 8  # handles in an error
_DEVICE_NAME: Final = "2a00"
_DOES: Final[Mapping[str, Does]] = {
    "read": "read",
    "write": "write",
    "long_write": "write",
    "write_command": "write_command",
    "signed_write_command": "write_command",
    "notification": "notification",
    "indication": "indication",
}
_SHOWS: Final[Mapping[Does, Property]] = {
    "read": Property.READ,
    "write": Property.WRITE,
    "write_command": Property.WRITE_WITHOUT_RESPONSE,
    "notification": Property.NOTIFY,
    "indication": Property.INDICATE,
}
_NOT_EXCHANGES: Final = frozenset({"cancelled_write", "read_multiple", "unknown"})  # discovery is told apart from these
_PUSHED: Final = frozenset({"notification", "indication"})
_REQUESTS: Final = frozenset({"read", "write", "long_write", "indication"})  # what is answered
_OTHER: Final = (REMOTE, LOCAL, UNKNOWN_SIDE)
_LOCAL_ENDED: Final = 0x16  # Connection Terminated by Local Host (Vol 1 Part F 2.22)
_REMOTE_ENDED: Final = frozenset({0x13, 0x14, 0x15})  # Remote User / Device Terminated … (2.19 to 2.21)
_PROPERTY_BITS: Final = (  # Vol 3 Part G, 3.3.1.1
    (0x02, Property.READ),
    (0x04, Property.WRITE_WITHOUT_RESPONSE),
    (0x08, Property.WRITE),
    (0x10, Property.NOTIFY),
    (0x20, Property.INDICATE),
)


@dataclass(frozen=True, slots=True)
class Extraction:
    """A transcript out of a capture, and what of the conversation could not come along."""

    transcript: Transcript
    link: int
    """Number of the link."""
    left_out: Mapping[str, int]
    """What was left out, in words, to how often; empty where nothing was. Discovery is no part of a conversation."""


def from_capture(
    path: str | Path,
    *,
    link: int | None = None,
    handle_map: HandleMap | None = None,
    protocol: str | None = None,
    skip_unnamed: bool = False,
) -> Transcript:
    """Return the conversation on one link of a capture.

    The app is the GATT client, whichever role its side has. What cannot come along is counted in the transcript's
    ``source``; :func:`extract` gives the counts.

    Args:
        path: a capture in any container, or ``-`` for standard input.
        link: number of the link as ``rig decode`` has it; None: the one with the most exchanges.
        handle_map: what handles mean where the capture's own discovery does not tell.
        protocol: key of the protocol that is spoken; None: find out.
        skip_unnamed: leave out what is about handles that have no UUID, instead of raising.

    Raises:
        CaptureError: the file is damaged or no capture.
        TranscriptError: there is no such link or protocol, no exchange on it, or handles without a UUID.
    """
    extraction = extract(path, link=link, handle_map=handle_map, protocol=protocol, skip_unnamed=skip_unnamed)
    return extraction.transcript


from_recording = from_capture
"""What :mod:`rig.recording` wrote is a capture like any other, with its discovery at the beginning."""


def transcript_of(
    path: str | Path,
    *,
    link: int | None = None,
    handle_map: HandleMap | None = None,
    protocol: str | None = None,
    skip_unnamed: bool = False,
) -> Transcript:
    """Return the transcript in a file of either kind, a transcript or a capture.

    Args:
        path: the file, ``-`` for a capture on standard input.
        link: as :func:`from_capture` has it; a transcript has one link.
        handle_map: as :func:`from_capture` has it; not for a transcript, which knows UUIDs alone.
        protocol: as :func:`from_capture` has it; it goes before what a transcript says.
        skip_unnamed: as :func:`from_capture` has it.

    Raises:
        CaptureError: the file is damaged, or neither.
        TranscriptError: as :func:`from_capture` and :func:`rig.replay.transcript.load` say.
    """
    if str(path) == "-" or not is_transcript(path):
        return from_capture(path, link=link, handle_map=handle_map, protocol=protocol, skip_unnamed=skip_unnamed)
    transcript = load(path)
    if link is not None:
        raise TranscriptError(f"{path}: is a transcript, which has one link only; leave out the link")
    return transcript if protocol is None else replace(transcript, protocol=_known(protocol))


def extract(
    path: str | Path,
    *,
    link: int | None = None,
    handle_map: HandleMap | None = None,
    protocol: str | None = None,
    skip_unnamed: bool = False,
) -> Extraction:
    """Return the conversation on one link of a capture, with what was left out. Arguments and errors as from_capture.

    Raises:
        CaptureError: the file is damaged or no capture.
        TranscriptError: there is no such link or protocol, no exchange on it, or handles without a UUID.
    """
    key = None if protocol is None else _known(protocol)
    with Reading(path, handle_map) as reading:
        name = reading.name
        heard = _Heard(reading)
        chosen = heard.choose(link)
        table = reading.tracker.table(chosen.link, _OTHER[chosen.client])
        observations = reading.stack.observations
    layout = _Layout(table)
    for handle, _ in chosen.values_by_type():
        layout.is_readable(handle)
    conversation = _Conversation(chosen, layout, heard.cut.get(chosen.link.number, set()))
    if conversation.unnamed and not skip_unnamed:
        raise TranscriptError(f"{name}: {_unnamed(conversation.unnamed, chosen, heard)}")
    if conversation.is_empty:
        told = _in_words(conversation.left_out)
        raise TranscriptError(f"{name}: link {chosen.link.number} has no exchange to replay{told and f': {told}'}")
    device_name, advertised = _advertised(chosen, table, observations)
    title = device_name or _file_name(name)
    transcript = Transcript(
        title=f"{title}, link {chosen.link.number}" if len(heard.links) > 1 else title,
        exchanges=conversation.exchanges,
        services=layout.services(),
        name=device_name,
        advertised_services=advertised,
        mtu=_mtu(chosen),
        source=_source(name, chosen, conversation.left_out),
    )
    key = protocol_of(transcript) if key is None else key
    return Extraction(replace(transcript, protocol=key), chosen.link.number, conversation.left_out)


def protocol_of(transcript: Transcript, registry: Registry | None = None) -> str:
    """Return the key of the protocol that a transcript's device speaks, empty where none is known.

    The protocol is the one that knows the device's name or what it advertises; else the first that fits its services
    and understands something that is said.

    Args:
        transcript: its ``protocol`` does not matter.
        registry: the protocols there are; None: the built-in and the installed ones.
    """
    registry = registry or Registry.default()
    matched = registry.match(transcript.name or None, transcript.advertised_services)
    if matched is not None:
        return matched.key
    for entry in registry.entries:
        if entry.listen is None or entry.fits is None or not entry.fits(transcript.services):
            continue
        listener = entry.listen(transcript.name or None)
        for exchange in transcript.exchanges:
            if exchange.to is None or exchange.to.descriptor or exchange.value is None or exchange.error is not None:
                continue
            said = listener.written if exchange.does in ("write", "write_command") else listener.received
            heard = said(exchange.to.characteristic, exchange.value, exchange.at_ns / 1e9)
            if any(item.kind != "unrecognised" for item in heard):
                return entry.key
    return ""


def _known(protocol: str) -> str:
    try:
        return Registry.default().get(protocol).key
    except UnknownProtocolError as error:
        raise TranscriptError(str(error)) from error


# --- hearing a capture ------------------------------------------------------------------------------------------------


class _Talk:
    """What one client and the server on the other side of its link said."""

    def __init__(self, link: Link, client: int) -> None:
        self.link = link
        self.client = client
        self.said: list[GattOperation] = []
        self.read_by_type: list[bytes] = []
        """Responses to Read By Type, where a device's name may be."""
        self.mtu: int | None = None
        self.odd: Counter[str] = Counter()
        """Operations that are no exchanges, by kind."""
        self.other_way = 0
        """How many operations the other side of the link began as a client."""

    def values_by_type(self) -> Iterator[tuple[int, bytes]]:
        """The first handle and value of each response to Read By Type (Vol 3 Part F, 3.4.4.2)."""
        for response in self.read_by_type:
            size = response[0] if response else 0
            if 2 < size < len(response):
                yield response[1] | response[2] << 8, response[3 : 1 + size]


class _Heard:
    """A whole capture's operations, by link and client."""

    def __init__(self, reading: Reading) -> None:
        self.name = reading.name
        self.links: dict[int, Link] = {}
        self.cut: dict[int, set[int]] = {}
        """Link number to the records that the recorder cut."""
        self._talks: dict[tuple[int, int], _Talk] = {}
        self._mtus: dict[int, int] = {}
        for operation in operations(self._watched(reading.pdus()), reading.tracker):
            self._hear(operation)

    def _watched(self, pdus: Iterator[AttPdu]) -> Iterator[AttPdu]:
        for pdu in pdus:
            self.links.setdefault(pdu.link.number, pdu.link)
            if pdu.missing:
                self.cut.setdefault(pdu.link.number, set()).add(pdu.frame)
            yield pdu

    def _hear(self, operation: GattOperation) -> None:
        kind = operation.kind
        client = _OTHER[operation.side] if kind in _PUSHED else operation.side
        key = (operation.link, client)
        talk = self._talks.get(key)
        if talk is None:
            talk = self._talks[key] = _Talk(self.links[operation.link], client)
        if kind == "mtu":
            sizes = operation.mtu
            if operation.error is None and sizes is not None and None not in sizes:
                self._mtus[operation.link] = max(DEFAULT_MTU, min(size for size in sizes if size is not None))
        elif kind == "read_by_type":
            if operation.value is not None and operation.error is None:
                talk.read_by_type.append(operation.value)
        elif kind in _DOES:
            talk.said.append(operation)
        elif kind in _NOT_EXCHANGES:
            talk.odd[kind] += 1

    @property
    def talking(self) -> list[int]:
        """Numbers of the links on which something was read, written or notified."""
        return sorted({number for (number, _), talk in self._talks.items() if talk.said})

    def choose(self, number: int | None) -> _Talk:
        """The talk asked for, or the one with the most exchanges; what a sniffer could not attribute belongs to it.

        Raises:
            TranscriptError: there is none.
        """
        if number is not None and number not in self.links:
            there = ", ".join(map(str, self.links)) or "none"
            raise TranscriptError(f"{self.name}: has no link {number} with ATT traffic; links: {there}")
        talks = [talk for talk in self._talks.values() if talk.said and number in (None, talk.link.number)]
        if not talks:
            where = "has" if number is None else f"link {number} has"
            raise TranscriptError(f"{self.name}: {where} no GATT exchange: nothing was read, written or notified")
        best = max(talks, key=lambda talk: (len(talk.said), talk.client != UNKNOWN_SIDE, -talk.link.number))
        of_link = [talk for talk in talks if talk.link is best.link and talk is not best]
        for talk in of_link:
            if UNKNOWN_SIDE in (talk.client, best.client):
                best.said += talk.said
                best.read_by_type += talk.read_by_type
                best.odd += talk.odd
            else:
                best.other_way += len(talk.said)
        if best.client == UNKNOWN_SIDE:
            best.client = next((talk.client for talk in of_link), UNKNOWN_SIDE)
        best.mtu = self._mtus.get(best.link.number)
        return best


# --- putting it down --------------------------------------------------------------------------------------------------


class _Layout:
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
                value = None  # descriptors belong to the value before them, in the same service
            elif attribute.kind == "value" and service and characteristic:
                nth = counted[service, characteristic]
                counted[service, characteristic] += 1
                value = self._places[handle] = Place(full_uuid(service), full_uuid(characteristic), nth=nth)
            elif (
                attribute.kind == "descriptor"
                and value is not None
                and full_uuid(characteristic) == value.characteristic
            ):
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

    def used_by(self, exchange: Exchange, operation: GattOperation) -> None:
        """Take from what was done with a characteristic what it can do."""
        place, does = exchange.to, exchange.does
        if place is None or place.descriptor or exchange.error is not None:
            return
        if does == "subscribe":
            bits = operation.value or b"\0"
            can = (Property.NOTIFY if bits[0] & 1 else Property(0)) | (
                Property.INDICATE if bits[0] & 2 else Property(0)
            )
        else:
            can = _SHOWS.get(does, Property(0))
        self._used[place] = self._used.get(place, Property(0)) | can

    def services(self) -> tuple[Service, ...]:
        """The services with their characteristics, in order of handles."""
        found: list[tuple[str, list[Characteristic]]] = []
        for handle, attribute in self._attributes.items():
            if attribute.kind == "service" and attribute.uuid:
                found.append((attribute.uuid, []))
            elif attribute.kind == "value" and handle in self._places and found and found[-1][0] == attribute.service:
                properties = Property(0)
                for bit, member in _PROPERTY_BITS:
                    if attribute.properties & bit:
                        properties |= member
                properties = properties or self._used.get(self._places[handle], properties)
                found[-1][1].append(Characteristic(full_uuid(attribute.characteristic), properties))
        return tuple(Service(full_uuid(service), tuple(characteristics)) for service, characteristics in found)


class _Timeline:
    """Times of records, in their order, as nanoseconds since the first: never backwards."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self._shift_ns = 0
        self._last_ns = 0

    def at(self, time_ns: int) -> int:
        at = time_ns - self._start_ns + self._shift_ns
        if at < self._last_ns - CLOCK_STEP_NS:
            self._shift_ns += self._last_ns - at  # the recorder's clock was set: from here on it runs that much behind
        self._last_ns = max(at, self._last_ns)
        return self._last_ns


class _LeftOutError(Exception):
    """Says what kind of operation has no place in a transcript."""


class _Conversation:
    """The exchanges of one talk, and what is left out of them."""

    def __init__(self, talk: _Talk, layout: _Layout, cut: set[int]) -> None:
        self._talk = talk
        self._layout = layout
        self._cut = sorted(cut)
        self._begun: dict[int, int] = {}  # handle to which exchange last read its value from the beginning
        self.left_out: Counter[str] = Counter()
        self.unnamed: Counter[int] = Counter()
        """Handle without a UUID to how many exchanges were about it."""
        told: list[tuple[int, int, Exchange]] = []
        for operation in sorted(talk.said, key=lambda operation: operation.frame):
            try:
                self._take(operation, told)
            except _LeftOutError as error:
                self.left_out[str(error)] += 1
        self.is_empty = not told
        told += [
            (happening.frame, happening.time_ns, end)
            for happening in talk.link.history
            if (end := self._end(happening)) is not None
        ]
        told.sort(key=lambda item: item[0])  # stable: what one record brought stays in order
        timeline = _Timeline(told[0][1] if told else 0)
        self.exchanges = tuple(replace(one, at_ns=timeline.at(time)) for _, time, one in told)
        for kind, count in talk.odd.items():
            self.left_out[f"{kind.replace('_', ' ')} operations"] += count
        if talk.other_way:
            self.left_out["operations in which the device is the client"] += talk.other_way
        if self.unnamed:
            self.left_out["exchanges about handles without a UUID"] += self.unnamed.total()

    def _take(self, operation: GattOperation, told: list[tuple[int, int, Exchange]]) -> None:
        handle = operation.handle
        if operation.kind == "read" and operation.offset and handle in self._begun:
            # Some hosts ask for other things between the pieces of a long value. The value belongs together; the
            # answer took as long as the first piece did, or the requests between would have to wait for it.
            at = self._begun[handle]
            frame, time_ns, read = told[at]
            value = operation.value
            if value is not None and operation.error is None and len(read.value or b"") == operation.offset:
                told[at] = (frame, time_ns, replace(read, value=(read.value or b"") + value))
                return
        exchange = self._exchange(operation)
        if exchange is None:
            return
        if handle is not None and exchange.does == "read" and exchange.value is not None:
            self._begun[handle] = len(told)
        told.append((operation.frame, operation.time_ns, exchange))

    def _end(self, told: Happening) -> Exchange | None:
        """A link that begins or ends is an exchange too."""
        link, client = self._talk.link, self._talk.client
        if told.kind == "connected":
            return Exchange(0, "app" if link.central_side in (client, None) else "device", "connect")
        if told.kind != "disconnected":
            return None
        code = told.data.get("reason_code", _LOCAL_ENDED)  # a controller that was reset or unplugged has no code
        if link.handle is None:
            by: By = "app" if code in _REMOTE_ENDED else "device"  # who sent it is not kept; most often it is the app
        elif code == _LOCAL_ENDED:
            by = "app" if client != REMOTE else "device"
        elif code in _REMOTE_ENDED:
            by = "app" if client == REMOTE else "device"
        else:
            by = "device"  # a link that is lost: to the app, the device is gone
        return Exchange(0, by, "disconnect")

    def _exchange(self, operation: GattOperation) -> Exchange | None:
        handle = operation.handle
        does = _DOES[operation.kind]
        if handle is None:
            raise _LeftOutError("answers whose request was not recorded")
        if self._layout.is_declaration(handle):
            return None  # discovery
        place = self._layout.place(handle, operation.uuid)
        if place is None:
            if operation.error == _INVALID_HANDLE:
                raise _LeftOutError("requests about handles that the device does not have")
            self.unnamed[handle] += 1
            return None
        if operation.offset:
            raise _LeftOutError("values from their middle on")
        if not operation.complete and self._is_cut(operation):
            raise _LeftOutError("values that the recorder cut short")
        exchange = self._placed(operation, does, place)
        self._layout.used_by(exchange, operation)
        return exchange

    def _placed(self, operation: GattOperation, does: Does, place: Place) -> Exchange:
        value, error = operation.value, operation.error
        answered = None
        if operation.kind in _REQUESTS and operation.end_time_ns is not None:
            answered = max(0, operation.end_time_ns - operation.time_ns)
        if place.descriptor == _CCCD:
            if does == "read":
                raise _LeftOutError("reads of what is subscribed to (CCCD)")
            if not value:
                raise _LeftOutError("writes of nothing to a CCCD")
            place = replace(place, descriptor="")
            does, value = ("subscribe" if value[0] & 3 else "unsubscribe"), None  # Vol 3 Part G 3.3.3.3
        elif does == "read":
            value = None if error is not None else value
        elif value is None:
            raise _LeftOutError("answers whose request was not recorded")
        by: By = "device" if operation.kind in _PUSHED else "app"
        return Exchange(0, by, does, place, value, answered, error)

    def _is_cut(self, operation: GattOperation) -> bool:
        """Whether the recorder cut a record from the operation's first to its last.

        Without one, an incomplete value is what the client had: it filled its response and was not read on.
        """
        at = bisect_left(self._cut, operation.frame)
        end = operation.frame if operation.end_frame is None else operation.end_frame
        return at < len(self._cut) and self._cut[at] <= end


def _unnamed(handles: Counter[int], talk: _Talk, heard: _Heard) -> str:
    listed = [f"0x{handle:04x}" for handle in sorted(handles)]
    shown = ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")
    others = ", ".join(str(number) for number in heard.talking if number != talk.link.number)
    return (
        f"link {talk.link.number}: no UUID is known for {shown} ({handles.total()} exchanges): the capture lacks their "
        "discovery; give a handle map (`rig decode --save-map` makes one), or leave these out"
        + (f", or take another link ({others})" if others else "")
    )


def _advertised(talk: _Talk, table: AttributeTable | None, observations: Observations) -> tuple[str, tuple[str, ...]]:
    """The device's name, advertised or read, and the services that it advertised."""
    server = _OTHER[talk.client]
    address = None if server == UNKNOWN_SIDE else talk.link.addresses[server]
    name = "" if address is None else observations.names.get(address.text, "")
    services = set() if address is None else observations.services.get(address.text, set())
    return name or _name_read(talk, table), tuple(sorted(full_uuid(service) for service in services))


def _name_read(talk: _Talk, table: AttributeTable | None) -> str:
    """The last name that the app read, by handle, or by type without it (Vol 3 Part G, 4.8.1 and 4.8.2)."""
    names = [
        operation.value
        for operation in talk.said
        if operation.kind == "read"
        and operation.uuid == _DEVICE_NAME
        and operation.error is None
        and operation.complete
    ]
    names += [
        value for handle, value in talk.values_by_type() if table is not None and table.name(handle) == _DEVICE_NAME
    ]
    found = next((name for name in reversed(names) if name), b"")
    return found.rstrip(b"\0").decode("utf-8", "replace")


def _mtu(talk: _Talk) -> int | None:
    """What was exchanged; without an exchange the default, where the link was seen from its beginning by its host."""
    if talk.mtu is None and talk.link.handle is not None and talk.link.beginning_seen and talk.link.transport == "le":
        return DEFAULT_MTU
    return talk.mtu


def _source(name: str, talk: _Talk, left_out: Mapping[str, int]) -> str:
    """File, link and date for people; never the folder, which is nobody's business."""
    first = min(talk.said, key=lambda operation: operation.frame)
    when = datetime.fromtimestamp(first.time_ns // 1_000_000_000, UTC)
    text = f"{_file_name(name)}, link {talk.link.number}, {when:%Y-%m-%d %H:%M:%S} UTC"
    told = _in_words(left_out)
    return f"{text}; {told}" if told else text


def _file_name(name: str) -> str:
    """The file's name without its folder; octets of it that are no UTF-8 as question marks."""
    return Path(name).name.encode("utf-8", "replace").decode()


def _in_words(left_out: Mapping[str, int]) -> str:
    told = ", ".join(f"{what} ({count})" for what, count in sorted(left_out.items()))
    return told and f"left out: {told}"
