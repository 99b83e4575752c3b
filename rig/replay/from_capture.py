"""Transcripts out of captures: the conversation of one link, by UUID, with its times.

Knows which GATT operations are exchanges of an app and its device, and which are the discovery before them. Refuses to
know containers and layers: :mod:`rig.capture` reads those.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from protocols.gatt import uuid as full_uuid
from protocols.registry import Registry, UnknownProtocolError
from rig.capture.layers.links import REMOTE, UNKNOWN_SIDE
from rig.capture.operations import GattOperation
from rig.capture.reading import Reading
from rig.replay.exchanges import By, Does, Exchange, Place, Transcript
from rig.replay.places import Places
from rig.replay.talks import DEFAULT_MTU, OTHER, PUSHED, Talk, Talks
from rig.replay.transcript import LONGEST_NS, TranscriptError, is_transcript, load

if TYPE_CHECKING:
    from rig.capture.gatt import AttributeTable
    from rig.capture.handle_map import HandleMap
    from rig.capture.layers.links import Happening, Observations
    from rig.capture.progress import Progress

__all__ = ["Extraction", "extract", "from_capture", "from_recording", "protocol_of", "transcript_of"]

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
_REQUESTS: Final = frozenset({"read", "write", "long_write", "indication"})  # what is answered
_LOCAL_ENDED: Final = 0x16  # Connection Terminated by Local Host (Vol 1 Part F 2.22)
_REMOTE_ENDED: Final = frozenset({0x13, 0x14, 0x15})  # Remote User / Device Terminated … (2.19 to 2.21)


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
    progress: Progress | None = None,
) -> Transcript:
    """Return the conversation on one link of a capture.

    The app is the GATT client, whichever role its side has. What cannot come along is counted in the transcript's
    ``source``; :func:`extract` gives the counts.

    Args:
        path: a capture in any container, or ``-`` for standard input.
        link: number of the link as ``rig decode`` has it; None: the one with the most exchanges, of those that have
            any which can come along.
        handle_map: what handles mean where the capture's own discovery does not tell.
        protocol: key of the protocol that is spoken; None: find out.
        skip_unnamed: leave out what is about handles that have no UUID, instead of raising.
        progress: told how far the file was read.

    Raises:
        CaptureError: the file is damaged or no capture.
        TranscriptError: there is no such link or protocol, no exchange on it, or handles without a UUID.
    """
    extraction = extract(
        path, link=link, handle_map=handle_map, protocol=protocol, skip_unnamed=skip_unnamed, progress=progress
    )
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
    progress: Progress | None = None,
) -> Transcript:
    """Return the transcript in a file of either kind, a transcript or a capture.

    Args:
        path: the file, ``-`` for a capture on standard input.
        link: as :func:`from_capture` has it; a transcript has one link.
        handle_map: as :func:`from_capture` has it; a transcript knows UUIDs alone and has no use for it.
        protocol: as :func:`from_capture` has it; it goes before what a transcript says.
        skip_unnamed: as :func:`from_capture` has it.
        progress: as :func:`from_capture` has it.

    Raises:
        CaptureError: the file is damaged, or neither.
        TranscriptError: as :func:`from_capture` and :func:`rig.replay.transcript.load` say.
    """
    if str(path) == "-" or not is_transcript(path):
        return from_capture(
            path, link=link, handle_map=handle_map, protocol=protocol, skip_unnamed=skip_unnamed, progress=progress
        )
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
    progress: Progress | None = None,
) -> Extraction:
    """Return the conversation on one link of a capture, with what was left out. Arguments and errors as from_capture.

    Raises:
        CaptureError: the file is damaged or no capture.
        TranscriptError: there is no such link or protocol, no exchange on it, or handles without a UUID.
    """
    key = None if protocol is None else _known(protocol)
    with Reading(path, handle_map) as reading:
        name = reading.name
        talks = Talks(reading, progress)
        chosen, table, places, conversation = _looked_at(talks, link, reading)
        if link is None and conversation.is_empty and (skip_unnamed or not conversation.unnamed):
            # the link with the most exchanges has none that can come along
            others = (_looked_at(talks, number, reading) for number in talks.ranked)
            fitting = (one for one in others if not one[3].is_empty and (skip_unnamed or not one[3].unnamed))
            chosen, table, places, conversation = next(fitting, (chosen, table, places, conversation))
        observations = reading.stack.observations
    if conversation.unnamed and not skip_unnamed:
        raise TranscriptError(f"{name}: {_unnamed(conversation.unnamed, chosen, talks)}")
    if conversation.is_empty:
        told = _in_words(conversation.left_out)
        raise TranscriptError(f"{name}: link {chosen.link.number} has no exchange to replay{told and f': {told}'}")
    if conversation.exchanges[-1].at_ns > LONGEST_NS:
        raise TranscriptError(
            f"{name}: link {chosen.link.number} lasts over 292 years by its records' times, no replay can"
        )
    device_name, advertised = _advertised(chosen, table, observations)
    title = device_name or _file_name(name)
    transcript = Transcript(
        title=f"{title}, link {chosen.link.number}" if len(talks.links) > 1 else title,
        exchanges=conversation.exchanges,
        services=places.services(),
        name=device_name,
        advertised_services=advertised,
        mtu=_mtu(chosen),
        source=_source(name, chosen, conversation.left_out),
    )
    key = protocol_of(transcript) if key is None else key
    return Extraction(replace(transcript, protocol=key), chosen.link.number, conversation.left_out)


def _looked_at(
    talks: Talks, link: int | None, reading: Reading
) -> tuple[Talk, AttributeTable | None, Places, _Conversation]:
    chosen = talks.choose(link)
    table = reading.tracker.table(chosen.link, OTHER[chosen.client])
    places = Places(table)
    for handle, _ in chosen.values_by_type():
        places.is_readable(handle)
    return chosen, table, places, _Conversation(chosen, places, talks.cut.get(chosen.link.number, set()))


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

    def __init__(self, talk: Talk, places: Places, cut: set[int]) -> None:
        self._talk = talk
        self._places = places
        self._cut = sorted(cut)
        self._begun: dict[int, int] = {}  # handle to which exchange last read its value from the beginning
        self.left_out: Counter[str] = Counter()
        self.unnamed: Counter[int] = Counter()
        """Handle without a UUID to how many exchanges were about it."""
        told: list[tuple[int, int, Exchange]] = []
        for operation in talk.said:
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
        told.sort(key=lambda item: item[0])  # what ended last may have begun first; stable, one record's stay in order
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
        if self._places.is_declaration(handle):
            return None  # discovery
        place = self._places.place(handle, operation.uuid)
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
        self._places.used_by(exchange, operation.value or b"")
        return exchange

    def _placed(self, operation: GattOperation, does: Does, place: Place) -> Exchange:
        value, error = operation.value, operation.error
        answered = None
        if operation.kind in _REQUESTS and operation.end_time_ns is not None:
            answered = min(max(0, operation.end_time_ns - operation.time_ns), LONGEST_NS)
        if place.descriptor == _CCCD:
            if does == "read":
                raise _LeftOutError("reads of what is subscribed to (CCCD)")
            if not value:
                raise _LeftOutError("writes of nothing to a CCCD")
            place = replace(place, descriptor="")
            does, value = ("subscribe" if value[0] & 3 else "unsubscribe"), None  # Vol 3 Part G 3.3.3.3
        elif value is None and does != "read":
            raise _LeftOutError("answers whose request was not recorded")
        by: By = "device" if operation.kind in PUSHED else "app"
        return Exchange(0, by, does, place, value, answered, error)

    def _is_cut(self, operation: GattOperation) -> bool:
        """Whether the recorder cut a record from the operation's first to its last.

        Without one, an incomplete value is what the client had: it filled its response and was not read on.
        """
        at = bisect_left(self._cut, operation.frame)
        end = operation.frame if operation.end_frame is None else operation.end_frame
        return at < len(self._cut) and self._cut[at] <= end


def _unnamed(handles: Counter[int], talk: Talk, talks: Talks) -> str:
    listed = [f"0x{handle:04x}" for handle in sorted(handles)]
    shown = ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")
    others = ", ".join(str(number) for number in talks.talking if number != talk.link.number)
    return (
        f"link {talk.link.number}: no UUID is known for {shown} ({handles.total()} exchanges): the capture lacks their "
        "discovery; give a handle map (--map; `rig decode --save-map` makes one), or leave these out (--skip-unnamed)"
        + (f", or take another link (--link {others})" if others else "")
    )


def _advertised(talk: Talk, table: AttributeTable | None, observations: Observations) -> tuple[str, tuple[str, ...]]:
    """The device's name, advertised or read, and the services that it advertised."""
    server = OTHER[talk.client]
    address = None if server == UNKNOWN_SIDE else talk.link.addresses[server]
    name = "" if address is None else observations.names.get(address.text, "")
    services = set() if address is None else observations.services.get(address.text, set())
    return name or _name_read(talk, table), tuple(sorted(full_uuid(service) for service in services))


def _name_read(talk: Talk, table: AttributeTable | None) -> str:
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


def _mtu(talk: Talk) -> int | None:
    """What was exchanged; without an exchange the default, where the link was seen from its beginning by its host."""
    if talk.mtu is None and talk.link.handle is not None and talk.link.beginning_seen and talk.link.transport == "le":
        return DEFAULT_MTU
    return talk.mtu


def _source(name: str, talk: Talk, left_out: Mapping[str, int]) -> str:
    """File, link and date for people; never the folder, which is nobody's business."""
    text = f"{_file_name(name)}, link {talk.link.number}"
    first = min(talk.said, key=lambda operation: operation.frame)
    with suppress(OverflowError, ValueError):  # a time beyond the year 9999, which no recorder meant
        when = datetime.fromtimestamp(first.time_ns // 1_000_000_000, UTC)
        text += f", {when:%Y-%m-%d %H:%M:%S} UTC"
    told = _in_words(left_out)
    return f"{text}; {told}" if told else text


def _file_name(name: str) -> str:
    """The file's name without its folder; octets of it that are no UTF-8 as question marks."""
    return Path(name).name.encode("utf-8", "replace").decode()


def _in_words(left_out: Mapping[str, int]) -> str:
    told = ", ".join(f"{what} ({count})" for what, count in sorted(left_out.items()))
    return told and f"left out: {told}"
