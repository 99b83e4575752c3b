"""A session's journal as levels, zones and events over its seconds. Pure values, no picture."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from companion.session.model import JournalEntry, JournalKind


@dataclass(frozen=True, slots=True)
class Stay:
    """A stretch in one zone, in seconds since the session's start."""

    zone: str
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that was noted at ``t``: its ``kind`` as in the journal, and what was noted with it."""

    t: float
    kind: JournalKind
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Replay:
    """A session second by second.

    ``levels`` are (seconds, percent of full scale) from which each level holds, as the device acknowledged it, or as
    the end of the link made it. ``stays`` are the zones in order.
    """

    length_s: float
    levels: tuple[tuple[float, int], ...]
    stays: tuple[Stay, ...]
    happenings: tuple[Happening, ...]

    @property
    def highest(self) -> int:
        """The highest level of all, percent."""
        return max((percent for _, percent in self.levels), default=0)

    def level_at(self, t: float) -> int:
        """The level at ``t`` seconds, percent of full scale; 0 where output was off."""
        index = bisect_right(self.levels, t, key=_first) - 1
        return self.levels[index][1] if index >= 0 else 0

    def highest_between(self, begins: float, ends: float) -> int:
        """The highest level from ``begins`` up to ``ends``."""
        first = bisect_right(self.levels, begins, key=_first)
        last = bisect_right(self.levels, ends, key=_first)
        return max([self.level_at(begins), *(percent for at, percent in self.levels[first:last] if at < ends)])

    def stay_at(self, t: float) -> int | None:
        """Which of the stays ``t`` falls into; None for none."""
        index = bisect_right(self.stays, t, key=_begins) - 1
        return index if index >= 0 and t < self.stays[index].ends else None

    def happening_at(self, t: float) -> Happening | None:
        """What was noted last, up to ``t`` and less than three seconds before."""
        index = bisect_right(self.happenings, t, key=_t) - 1
        return self.happenings[index] if index >= 0 and t - self.happenings[index].t < 3.0 else None


_TOLD = frozenset(
    {
        JournalKind.CONNECTED,
        JournalKind.PAUSED,
        JournalKind.RESUMED,
        JournalKind.STOPPING,
        JournalKind.STOPPED,
        JournalKind.LINK_LOST,
        JournalKind.WARNING,
        JournalKind.WATER,
        JournalKind.SENSATION,
    }
)


def replay_of(entries: Sequence[tuple[float, JournalEntry]]) -> Replay:
    """Read a journal: (seconds since the start, entry) in order. Whatever does not read as expected is left out."""
    levels: list[tuple[float, int]] = []
    stays: list[Stay] = []
    happenings: list[Happening] = []
    begun: tuple[str, float] | None = None
    length = 0.0
    for t, entry in entries:
        length = max(length, t)
        data = entry.data
        if entry.kind is JournalKind.INTENSITY:
            percent = data.get("percent")
            if isinstance(percent, int) and data.get("state") == "acknowledged":
                levels.append((t, percent))
        elif entry.kind is JournalKind.ZONE:
            if begun is not None:
                stays.append(Stay(*begun, t))
            zone = data.get("zone")
            begun = (zone, t) if isinstance(zone, str) and data.get("state") == "begin" else None
        elif entry.kind in {JournalKind.LINK_LOST, JournalKind.STOPPED}:
            levels.append((t, 0))
        if entry.kind in _TOLD:
            happenings.append(Happening(t, entry.kind, data))
    if begun is not None:
        stays.append(Stay(*begun, length))
    return Replay(length, tuple(levels), tuple(stays), tuple(happenings))


def _first(level: tuple[float, int]) -> float:
    return level[0]


def _begins(stay: Stay) -> float:
    return stay.begins


def _t(happening: Happening) -> float:
    return happening.t
