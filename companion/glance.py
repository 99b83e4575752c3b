"""Today at a glance: what the almanac and the choice of a routine come to, in the few values that one screen shows.

Pure beside the almanac that it is given. Refuses to know devices, and starts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from companion.care.plan import Mark, Outlook
from companion.home import Glance
from companion.words import today as words

if TYPE_CHECKING:
    from companion.almanac import Almanac

WEEKS_BEFORE: Final = 2
WEEKS: Final = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """The routine that the person would do next; ``minutes`` with the device in hand."""

    name: str
    title: str
    minutes: float
    zones: tuple[str, ...]


def glance(almanac: Almanac, wanted: Wanted, *, person: str = "", patch: str = "", patch_look: bool = False) -> Glance:
    """Look at today.

    ``person`` is a name to show, empty in a household of one. ``patch`` is what stands against a session because of
    the patch test, in words; ``patch_look``: it waits for the person's look.

    Raises:
        StoreError: the almanac cannot be read.
    """
    today = almanac.today()
    chosen = almanac.chosen()
    seen: Outlook | None = None
    if chosen is not None:
        monday = almanac.now.date() - timedelta(days=almanac.now.weekday() + 7 * WEEKS_BEFORE)
        seen = almanac.outlook(first=monday, days=7 * WEEKS)
    headline, detail, planned = words.FREELY, words.NO_PLAN, ""
    if patch:
        headline, detail = patch, words.PATCH_LOOK_HINT if patch_look else ""
    elif seen is not None and today.allowed and today.mark is Mark.PLANNED:
        planned = wanted.name
        headline = words.PLANNED.format(title=wanted.title, minutes=_minutes(wanted.minutes))
        detail = words.AT_TIME.format(at=seen.proposals[0].at) if seen.proposals[0].at > almanac.now else words.ANY_TIME
    elif seen is not None:
        headline, detail = today.reason, next_line(seen, almanac.now)
    elif not today.allowed:
        headline, detail = today.reason, words.NO_PLAN
    water, goal = almanac.water(), almanac.goal()
    return Glance(
        headline=headline,
        detail=detail,
        planned=planned,
        zones=wanted.zones,
        phase="" if seen is None else seen.phase_line,
        days=() if seen is None else tuple((day.date, day.mark.value) for day in seen.days),
        today=almanac.now.date(),
        water_ml=water.today_ml,
        goal_ml=water.goal_ml,
        glass_ml=goal.glass_ml,
        tip=words.TIPS[almanac.now.date().toordinal() % len(words.TIPS)],
        milestone="" if seen is None else seen.milestone,
        person=person,
        has_plan=seen is not None,
        patch=patch_look,
    )


def next_line(seen: Outlook, now: datetime) -> str:
    """When the plan's next session is, in words; ``now`` is aware, where the person is."""
    at = seen.next_session
    if at is None:
        return words.NEXT_NONE
    when = words.TODAY if at.date() == now.date() else words.DAY.format(day=at)
    return words.NEXT.format(day=when, at=at)


def _minutes(minutes: float) -> int:
    return max(1, round(minutes))
