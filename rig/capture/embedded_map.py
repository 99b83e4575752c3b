"""The handle map that a pcapng capture carries with it, in comments on its section.

Knows how a map is cut into comments and put together again. Refuses to know files, and what a map means.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from rig.capture.records import CaptureError

if TYPE_CHECKING:
    from rig.capture.handle_map import HandleMap
    from rig.capture.records import CaptureReader
    from rig.capture.source import Source

PREFIX: Final = "Microcurrent Companion handle map "
"""What such a comment begins with; the part's number and their count follow (``1/2: ``), then a part of the JSON."""

_PART_CHARACTERS = 16_000  # four octets each at most: within the 65,535 of a comment
_SECTION_HEADER = b"\x0a\x0d\x0d\x0a"
_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_LONGEST_HEADER = 1 << 24
_OPT_END, _OPT_COMMENT = 0, 1


def comments_of(handle_map: HandleMap) -> list[str]:
    """The comments that carry a map; none for an empty one."""
    if not handle_map.tables:
        return []
    text = handle_map.to_json()
    parts = [text[start : start + _PART_CHARACTERS] for start in range(0, len(text), _PART_CHARACTERS)]
    return [f"{PREFIX}{number}/{len(parts)}: {part}" for number, part in enumerate(parts, 1)]


def other_comments(comments: Iterable[str]) -> list[str]:
    """The comments that people wrote."""
    return [comment for comment in comments if not comment.startswith(PREFIX)]


def embedded_map(details: Mapping[str, object]) -> HandleMap | None:
    """The map in what a reader says of its capture (``details["comments"]``), None when there is none.

    Several maps (captures that were put together) become one: the first table of each server.

    Raises:
        CaptureError: a comment begins like a map, but is none.
    """
    comments = details.get("comments")
    texts = list(_texts(comments)) if isinstance(comments, list | tuple) else []
    if not texts:
        return None
    from rig.capture.handle_map import HandleMap, MapTable  # noqa: PLC0415 - most captures carry no map

    tables: dict[object, MapTable] = {}
    for text in texts:
        for table in HandleMap.from_json(text, "the handle map in the capture's comments").tables:
            tables.setdefault((table.is_local, table.address or len(tables)), table)
    return HandleMap(tables.values())


def map_in(reader: CaptureReader) -> HandleMap | None:
    """The map that a capture begins with; known before the first record was read, and without reading one.

    Raises:
        CaptureError: as :func:`embedded_map`.
    """
    found = embedded_map(reader.details)
    if found is not None or reader.format != "pcapng" or reader.source.offset:
        return found
    return embedded_map({"comments": list(_section_comments(reader.source))})


def _texts(comments: Iterable[object]) -> Iterator[str]:
    """The JSON of each map, its parts put together again."""
    parts: list[str] = []
    for comment in comments:
        if not isinstance(comment, str) or not comment.startswith(PREFIX):
            continue
        place, _, part = comment.removeprefix(PREFIX).partition(": ")
        number, _, count = place.partition("/")
        if number == "1":
            parts = []
        parts.append(part)
        if number != str(len(parts)):
            raise CaptureError("the handle map in the capture's comments", f"part {len(parts)} of {count} is missing")
        if number == count:
            yield "".join(parts)
            parts = []
    if parts:
        raise CaptureError("the handle map in the capture's comments", f"ends with part {len(parts)}")


def _section_comments(source: Source) -> Iterator[str]:
    """The comments of the section header at the source's place, which stays there."""
    head = source.peek(24)
    order = _ORDERS.get(head[8:12])
    if head[:4] != _SECTION_HEADER or order is None or len(head) < 24:
        return
    length = struct.unpack_from(f"{order}I", head, 4)[0]
    if length > _LONGEST_HEADER:
        return  # damage, which the reader tells
    block = source.peek(length)[: max(24, length - 4)]
    place = 24
    while place + 4 <= len(block):
        code, size = struct.unpack_from(f"{order}HH", block, place)
        if code == _OPT_COMMENT:
            yield block[place + 4 : place + 4 + size].decode("utf-8", "replace")
        elif code == _OPT_END:
            return
        place += 4 + (size + 3 & ~3)
