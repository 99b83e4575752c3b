"""What a capture is: its container, its links and everything odd in it, gathered in one pass.

Knows how to count. Refuses to know how it is shown: :mod:`rig.capture.info_text` writes it for people, and
:meth:`Info.as_json` for programs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from rig.capture import att
from rig.capture.layers.links import LOCAL, MAX_HAPPENINGS, REMOTE, Link, Observations
from rig.capture.reading import Reading
from rig.capture.records import CaptureError, LinkType
from rig.capture.text import seconds

if TYPE_CHECKING:
    from pathlib import Path

    from rig.capture.gatt import AttributeTable
    from rig.capture.handle_map import HandleMap
    from rig.capture.progress import Progress

Discovery = Literal["complete", "partial", "none"]

LINK_TYPE_NAMES: Final = {
    LinkType.LE_LL_IN_PPI: "LE link layer (user link type 0)",
    LinkType.HCI_H4: "HCI, H4",
    LinkType.PPI: "PPI around the LE link layer",
    LinkType.HCI_H4_WITH_PHDR: "HCI, H4 with direction",
    LinkType.LE_LL: "LE link layer",
    LinkType.LINUX_MONITOR: "Linux monitor",
    LinkType.LE_LL_WITH_PHDR: "LE link layer with radio header",
    LinkType.NORDIC_BLE: "nRF Sniffer",
    LinkType.BTSNOOP_H1: "HCI, H1",
    LinkType.BTSNOOP_H4: "HCI, H4",
    LinkType.BTSNOOP_MONITOR: "Linux monitor",
    LinkType.PACKETLOGGER: "Apple PacketLogger",
}

_COMMENTS_KEPT: Final = 100


class Counts:
    """ATT on one link, or on all: PDUs by opcode name, and errors by theirs."""

    def __init__(self) -> None:
        self.pdus: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()

    def add(self, pdu: bytes) -> None:
        """Count one PDU."""
        if not pdu:
            return
        self.pdus[att.opcode_name(pdu[0])] += 1
        if pdu[0] == att.ERROR_RESPONSE and len(pdu) >= 5:
            self.errors[att.ERROR_NAMES.get(pdu[4]) or f"0x{pdu[4]:02x}"] += 1


@dataclass(slots=True)
class Info:
    """What :func:`inspect` found. Times are Unix times in nanoseconds, as the file has them."""

    file: str
    size_bytes: int | None
    """On disk; None for a pipe."""
    compressed: bool
    format: str
    details: dict[str, object]
    """What the container says of itself; ``comments`` are those on the capture as a whole."""
    handle_map: HandleMap | None = None
    """The one that the capture carries with it."""
    records: int = 0
    link_types: Counter[int] = field(default_factory=Counter)
    """Link type to its records."""
    first_time_ns: int | None = None
    """Of the first record; None without any."""
    earliest_time_ns: int | None = None
    latest_time_ns: int | None = None
    links: list[Link] = field(default_factory=list)
    servers: dict[int, list[AttributeTable | None]] = field(default_factory=dict)
    """Link number to what is known of the server on each of its sides."""
    att: Counts = field(default_factory=Counts)
    att_of_link: dict[int, Counts] = field(default_factory=dict)
    observations: Observations = field(default_factory=Observations)
    comments: list[tuple[int, str]] = field(default_factory=list)
    """(frame, comment), the first hundred."""
    comment_count: int = 0
    damage: CaptureError | None = None
    """Where the file is damaged, and how; everything else here is about what comes before."""

    @property
    def span_ns(self) -> int:
        """From the earliest record to the latest."""
        if self.earliest_time_ns is None or self.latest_time_ns is None:
            return 0
        return self.latest_time_ns - self.earliest_time_ns

    def as_json(self) -> dict[str, object]:
        """Everything, JSON-ready; docs/captures.md documents the keys."""
        return {
            "file": self.file,
            "size_bytes": self.size_bytes,
            "gzip": self.compressed,
            "container": self.format,
            "details": _json_ready(self.details),
            "handle_map": None
            if self.handle_map is None
            else {
                "servers": len(self.handle_map.tables),
                "attributes": sum(len(table.attributes) for table in self.handle_map.tables),
            },
            "records": self.records,
            "link_types": [
                {"link_type": number, "name": link_type_name(number), "records": count}
                for number, count in sorted(self.link_types.items())
            ],
            "first_time_ns": self.first_time_ns,
            "earliest_time_ns": self.earliest_time_ns,
            "latest_time_ns": self.latest_time_ns,
            "span_ns": self.span_ns,
            "links": [self._link(link) for link in self.links],
            "att": dict(self.att.pdus.most_common()),
            "att_errors": dict(self.att.errors.most_common()),
            "odd": [
                {
                    "kind": kind,
                    "count": count,
                    "examples": [
                        {"frame": frame, "what": what} for frame, what in self.observations.examples.get(kind, ())
                    ],
                }
                for kind, count in self.observations.counts.most_common()
            ],
            "names": dict(sorted(self.observations.names.items())),
            "services": {address: sorted(uuids) for address, uuids in sorted(self.observations.services.items())},
            "comments": [{"frame": frame, "comment": comment} for frame, comment in self.comments],
            "comment_count": self.comment_count,
            "damage": None if self.damage is None else {"offset": self.damage.offset, "problem": self.damage.problem},
        }

    def _link(self, link: Link) -> dict[str, object]:
        counts = self.att_of_link.get(link.number) or Counts()
        return {
            "link": link.number,
            "transport": link.transport,
            "controller": link.controller,
            "handle": None if link.handle is None else f"0x{link.handle:04x}",
            "access_address": None if link.access_address is None else f"0x{link.access_address:08x}",
            "first_frame": link.first_frame,
            "last_frame": link.last_frame,
            "beginning_seen": link.beginning_seen,
            "sides": [self._side(link, side) for side in (LOCAL, REMOTE)],
            "att": dict(counts.pdus.most_common()),
            "att_errors": dict(counts.errors.most_common()),
            "history": [
                {"frame": frame, "time_ns": time_ns, "kind": kind} | _json_ready(data)
                for frame, time_ns, kind, data in link.history
            ],
            "history_complete": len(link.history) < MAX_HAPPENINGS,
        }

    def _side(self, link: Link, side: int) -> dict[str, object]:
        address = link.addresses[side]
        table = self.servers[link.number][side]
        return {
            "side": side_name(link, side),
            "role": link.sender(side),
            "address": None if address is None else address.text,
            "random_address": None if address is None else address.is_random,
            "name": None if address is None else self.observations.names.get(address.text),
            "discovery": discovery_of(table),
            "attributes": 0 if table is None else len(table.attributes),
        }


def inspect(path: str | Path, *, handle_map: HandleMap | None = None, progress: Progress | None = None) -> Info:
    """Read a capture to its end, or to where it is damaged, and say what it is.

    Raises:
        CaptureError: it cannot be read at all. Damage further on is :attr:`Info.damage`.
    """
    with Reading(path, handle_map) as reading:
        source = reading.reader.source
        info = Info(reading.name, source.size, source.compressed, reading.reader.format, reading.reader.details)
        try:
            _gather(info, reading, progress)
        except CaptureError as damage:
            info.damage = damage
        info.details = dict(reading.reader.details)
        info.handle_map = reading.carried
        if reading.carried is not None:
            from rig.capture.embedded_map import other_comments  # noqa: PLC0415 - few captures carry one

            info.details["comments"] = other_comments(map(str, _listed(info.details.get("comments"))))
        dropped = info.details.get("dropped_records")  # btsnoop's cumulative drops: the recorder's own word
        if isinstance(dropped, int) and dropped:
            reading.stack.observations.counts["dropped_records"] += dropped
        info.links = reading.stack.links
        info.observations = reading.stack.observations
        info.servers = {
            link.number: [reading.tracker.table(link, side) for side in (LOCAL, REMOTE)] for link in info.links
        }
    return info


def _gather(info: Info, reading: Reading, progress: Progress | None) -> None:
    feed, name, odd = reading.stack.feed, reading.tracker.name, reading.stack.observations.odd
    before = earliest = latest = None
    for record in reading.records(progress):
        time_ns = record.time_ns
        info.records += 1
        info.link_types[record.link_type] += 1
        if before is None or earliest is None or latest is None:
            info.first_time_ns = earliest = latest = time_ns
        elif time_ns < before:
            odd("backward_times", record.frame, f"{seconds(before - time_ns)} s before the record before it")
            earliest = min(earliest, time_ns)
        elif time_ns > latest:
            latest = time_ns
        before = time_ns
        info.earliest_time_ns, info.latest_time_ns = earliest, latest
        if record.comments:
            info.comment_count += len(record.comments)
            room = _COMMENTS_KEPT - len(info.comments)
            info.comments += [(record.frame, comment) for comment in record.comments[:room]]
        for pdu in feed(record):
            name(pdu)  # for what discovery tells
            info.att.add(pdu.pdu)
            counts = info.att_of_link.get(pdu.link.number)
            if counts is None:
                counts = info.att_of_link[pdu.link.number] = Counts()
            counts.add(pdu.pdu)


def link_type_name(number: int) -> str:
    """What the records of a link type are, in words."""
    return LINK_TYPE_NAMES.get(LinkType(number), "") if number in set(LinkType) else "not Bluetooth LE or HCI"


def side_name(link: Link, side: int) -> str:
    """What a side is in the traffic at hand: ``local`` or ``remote`` in HCI, the role on the air."""
    if link.access_address is not None:
        return link.sender(side)
    return "local" if side == LOCAL else "remote"


def discovery_of(table: AttributeTable | None) -> Discovery:
    """Whether a capture tells all attributes of a server."""
    if table is None:
        return "none"
    return "complete" if table.complete else "partial"


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _json_ready(data: dict[str, object]) -> dict[str, object]:
    return {str(key): _plain(value) for key, value in data.items()}


def _plain(value: object) -> object:
    """A value as JSON has it; what JSON does not know, a plug-in's own object perhaps, as its text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return _json_ready(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else str(value)
