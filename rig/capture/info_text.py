"""What :mod:`rig.capture.info` found, in words for people.

Knows layout. Whatever comes from the capture itself is made printable: a terminal obeys what is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from rig.capture.info import discovery_of, link_type_name
from rig.capture.layers.links import LOCAL, MAX_HAPPENINGS, REMOTE
from rig.capture.text import date, printable, seconds

if TYPE_CHECKING:
    from rig.capture.info import Info
    from rig.capture.layers.links import Link

_WIDTH: Final = 96
_TITLE: Final = 14
_HISTORY_SHOWN: Final = 40
_NAMES_SHOWN: Final = 40
_UNITS: Final = frozenset({"ms", "us", "ns", "s", "bytes", "octets", "events", "percent", "dbm"})


def lines(info: Info) -> Iterator[str]:
    """The whole account, line by line without line ends; damage is not in it, that is for standard error."""
    yield from _row("file", _file(info))
    yield from _row("container", _container(info))
    if info.handle_map is not None:
        attributes = sum(len(table.attributes) for table in info.handle_map.tables)
        servers = _many(len(info.handle_map.tables), "server")
        yield from _row("handle map", f"in the capture: {_many(attributes, 'attribute')} of {servers}")
    for number, count in sorted(info.link_types.items()):
        yield from _row("link type", f"{number} ({link_type_name(number)}), {_many(count, 'record')}")
    yield from _row("records", _records(info))
    yield from _row("links", str(len(info.links)) if info.links else "none")
    yield from _row("ATT", _tally(info.att.pdus, whole=len(info.links) > 1))
    if info.att.errors and len(info.links) > 1:
        yield from _row("ATT errors", ", ".join(_each(info.att.errors)))
    for link in info.links:
        yield ""
        yield from _link(info, link)
    yield from _advertised(info)
    yield from _comments(info)
    yield from _odd(info)


def _row(title: str, text: str, indent: int = _TITLE) -> Iterator[str]:
    """A title and its text, wrapped beside it between what commas part."""
    line, empty = title.ljust(indent), True
    for part in printable(text).split(", "):
        if not empty and len(line) + 2 + len(part) > _WIDTH:
            yield line + ","
            line, empty = " " * indent, True
        line += part if empty else f", {part}"
        empty = False
    yield line.rstrip()


def _file(info: Info) -> str:
    size = "from a pipe" if info.size_bytes is None else _many(info.size_bytes, "byte")
    return f"{info.file}, {size}{', gzip' if info.compressed else ''}"


def _container(info: Info) -> str:
    said = _said(_telling({key: value for key, value in info.details.items() if key != "comments"}))
    return f"{info.format}, {said}" if said else info.format


def _telling(details: dict[str, object]) -> dict[str, object]:
    """``details`` without what says nothing: a length of 0 is no limit, an empty list is none."""
    kept = {}
    for key, value in details.items():
        if isinstance(value, list):
            value = [_telling(item) if isinstance(item, dict) else item for item in value]  # noqa: PLW2901 - the same, less
        if value not in _SILENT:
            kept[key] = value
    return kept


_SILENT: Final[tuple[object, ...]] = (None, 0, "", (), [], {})


def _records(info: Info) -> str:
    if info.first_time_ns is None or info.earliest_time_ns is None:
        return "none"
    return f"{info.records:,} in {_short(info.span_ns)} s, from {date(info.earliest_time_ns)}"


def _link(info: Info, link: Link) -> Iterator[str]:
    where = f"connection handle 0x{link.handle:04x}" if link.handle is not None else "on the air"
    if link.access_address is not None:
        where = f"access address 0x{link.access_address:08x}"
    beginning = "" if link.beginning_seen else "; the capture begins in mid-connection"
    transport = "LE" if link.transport == "le" else "BR/EDR"
    controller = f", controller {link.controller}" if link.controller else ""
    frames = f"frames {link.first_frame} to {link.last_frame}"
    yield f"link {link.number}: {transport}, {where}{controller}, {frames}{beginning}"
    for side in (LOCAL, REMOTE):
        yield from _row(f"  {_side_title(link, side)}", _side(info, link, side))
    counts = info.att_of_link.get(link.number)
    yield from _row("  ATT", _tally(counts.pdus) if counts is not None else "none")
    if counts is not None and counts.errors:
        yield from _row("  errors", ", ".join(_each(counts.errors)))
    for frame, time_ns, kind, data in link.history[:_HISTORY_SHOWN]:
        at = _short(time_ns - (info.first_time_ns or 0))
        said = _said({key.removeprefix(f"{kind}_"): value for key, value in data.items()})
        yield from _row(f"  {at:>12} s  frame {frame:<7} ", _words(kind) + (f": {said}" if said else ""), 34)
    more = len(link.history) - _HISTORY_SHOWN
    if more > 0:
        yield f"  … and {more} more, all of them with --json"
    if len(link.history) >= MAX_HAPPENINGS:
        yield f"  … and what happened after the first {MAX_HAPPENINGS}, which is not kept"


def _side_title(link: Link, side: int) -> str:
    role = link.sender(side)
    return role if role != "unknown" else f"side {side + 1}"


def _side(info: Info, link: Link, side: int) -> str:
    address = link.addresses[side]
    parts = []
    if link.access_address is None:
        parts.append("the host that recorded" if side == LOCAL else "the remote device")
    if address is None:
        parts.append("address not in the capture")
    else:
        parts.append(f"{address.text} ({'random' if address.is_random else 'public'})")
        if address.text in info.observations.names:
            parts.append(f'"{info.observations.names[address.text]}"')
    table = info.servers[link.number][side]
    discovery = discovery_of(table)
    if table is not None:
        parts.append(f"discovery {discovery}, {_many(len(table.attributes), 'attribute')}")
    elif side == REMOTE or link.access_address is not None:
        parts.append("no discovery")
    return ", ".join(parts)


def _advertised(info: Info) -> Iterator[str]:
    known = sorted({*info.observations.names, *info.observations.services})
    if not known:
        return
    yield ""
    yield "names and services seen"
    for address in known[:_NAMES_SHOWN]:
        name = info.observations.names.get(address)
        said = [f'"{name}"'] if name is not None else []
        said += sorted(info.observations.services.get(address, ()))
        yield printable(f"  {address}  {', '.join(said)}")
    if len(known) > _NAMES_SHOWN:
        yield f"  … and {len(known) - _NAMES_SHOWN} more, all of them with --json"


def _comments(info: Info) -> Iterator[str]:
    whole = info.details.get("comments")
    on_capture = [comment for comment in whole if isinstance(comment, str)] if isinstance(whole, list) else []
    if not on_capture and not info.comment_count:
        return
    yield ""
    yield "comments"
    for comment in on_capture:
        yield printable(f"  {'capture':<13} {' '.join(comment.split())}")
    for frame, comment in info.comments:
        yield printable(f"  frame {frame:<7} {' '.join(comment.split())}")
    if info.comment_count > len(info.comments):
        yield f"  … and {info.comment_count - len(info.comments)} more"


def _odd(info: Info) -> Iterator[str]:
    yield ""
    counts = info.observations.counts
    if not counts:
        yield "nothing odd"
        return
    yield "odd"
    for kind, count in counts.most_common():
        examples = info.observations.examples.get(kind, ())
        first = ""
        if examples:
            frame, what = examples[0]
            first = f"  first in frame {frame}: {what}" if frame else f"  {what}"
        yield printable(f"  {count:>9,}  {_words(kind)}{first}")


def _said(data: Mapping[str, object]) -> str:
    """``name value unit`` of each, as ``interval 48.75 ms, latency 0 events``."""
    return ", ".join(f"{_words(key)} {_value(value)}{_unit(key)}".lstrip() for key, value in data.items())


def _words(key: str) -> str:
    name, _, last = key.rpartition("_")
    return (name if last in _UNITS else key).replace("_", " ")


def _unit(key: str) -> str:
    last = key.rpartition("_")[2]
    return f" {last}" if last in _UNITS else ""


def _value(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case str():
            return value.replace("_", " ") if value.isascii() and value.islower() else value
        case dict():
            return _said(value)
        case list() | tuple():
            return "; ".join(map(_value, value))
        case _:
            return str(value)


def _tally(counts: Counter[str], *, whole: bool = True) -> str:
    if not counts:
        return "none"
    if not whole:
        return _many(counts.total(), "PDU")
    total = f"{counts.total():,} PDUs: " if len(counts) > 1 else ""
    return total + ", ".join(_each(counts))


def _each(counts: Counter[str]) -> list[str]:
    return [f"{count:,} {name}" for name, count in counts.most_common()]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _short(time_ns: int) -> str:
    """Seconds to the millisecond, cut and not rounded."""
    return seconds(time_ns)[:-6]
