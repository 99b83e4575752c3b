"""Where the person is, as a time zone: the computer's own, by its name, so that the next change of clocks is known.

Where the computer does not say, its present offset from UTC is taken, and that is told. Knows no person.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from companion.words import almanac as words


@dataclass(frozen=True, slots=True)
class Place:
    """A time zone, and what there is to say about it; empty where it has its name."""

    zone: ZoneInfo
    note: str = ""


def local_place(now: datetime, find: Callable[[], ZoneInfo] | None = None) -> Place:
    """The zone that this computer is in, by ``TZ`` or by the system's settings, as they are at this call.

    ``now`` (aware) gives the offset for where there is no name. ``find`` is where to look; tests give their own.

    Raises:
        ValueError: ``now`` has no UTC offset.
    """
    offset = now.utcoffset()
    if offset is None:
        raise ValueError(f"{now.isoformat()} has no UTC offset")
    try:
        zone = (find or _system_zone)()
    except (ZoneInfoNotFoundError, ValueError, OSError, Warning):
        return Place(fixed_zone(offset), words.NO_ZONE.format(offset=_name(offset)))
    return Place(zone)


def fixed_zone(offset: timedelta) -> ZoneInfo:
    """A zone that never changes its clocks, ``offset`` from UTC: the smallest file there is in TZif (RFC 8536 3)."""
    name = _name(offset).encode() + b"\0"
    header = struct.pack(">4s1s15x6L", b"TZif", b"\0", 0, 0, 0, 0, 1, len(name))
    local_time_type = struct.pack(">lBB", int(offset.total_seconds()), 0, 0)
    return ZoneInfo.from_file(BytesIO(header + local_time_type + name), key=_name(offset))


def _system_zone() -> ZoneInfo:
    from tzlocal import reload_localzone  # noqa: PLC0415 - reads files; few commands ask

    with warnings.catch_warnings():
        # It falls back to UTC with a warning where nothing is known: no answer to "where is the person".
        warnings.simplefilter("error")
        return reload_localzone()


def _name(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
