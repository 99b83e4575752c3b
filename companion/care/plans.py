"""The plans that can be chosen, as data, and the choice itself as it is kept.

Pure values: nothing here knows what day it is or what has been done; that is ``companion.care.plan``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from companion.session.interlocks import OUTPUT_LIMIT_S, REST
from companion.words import plan as words

LEAST_REST_H: Final = int(REST.total_seconds() // 3600)
"""No plan may ask for less rest than the interlock (H6)."""

MOST_MINUTES: Final = int(OUTPUT_LIMIT_S // 60)
"""No plan may set aside more time than a session may have output (H6)."""

CUSTOM: Final = "custom"

_YEARS = range(1970, 2200)  # a date outside is a slip of the keyboard or damage, and would take for ever to plan
_WEEK_H = 7 * 24


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a plan with one rhythm.

    ``days`` is its length in days outside pauses, None when it goes on. ``fewest`` to ``most`` are sessions a week,
    ``usual`` how many are proposed to somebody without a wish. ``rest_h`` are hours from the end of a session to the
    start of the next. ``rollover``: a missed session moves to another day of its week. ``in_a_row`` bounds how many
    days in succession such a move may fill.

    Raises:
        ValueError: less rest than the interlock's, more than one session a day, or numbers that contradict each other.
    """

    name: str
    days: int | None
    fewest: int
    usual: int
    most: int
    rest_h: int
    rollover: bool
    in_a_row: int = 7

    def __post_init__(self) -> None:
        if not 1 <= self.fewest <= self.usual <= self.most <= 7:
            raise ValueError("sessions a week are 1 to 7")
        if self.rest_h < LEAST_REST_H:
            raise ValueError(f"the skin needs at least {LEAST_REST_H} hours between sessions, not {self.rest_h}")
        # Strictly less: rest is counted from the end of a session, so seven of 24 hours do not fit into a week.
        if self.most * self.rest_h >= _WEEK_H:
            raise ValueError(f"{self.most} sessions a week do not leave {self.rest_h} hours between them")
        if self.days is not None and not 1 <= self.days <= 365:
            raise ValueError(f"a phase has 1 to 365 days, not {self.days}")


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of the catalogue. ``minutes`` is the time set aside for a session; the last phase alone is open."""

    id: str
    title: str
    summary: str
    minutes: int
    phases: tuple[Phase, ...]


COURSE_4: Final = Plan(
    "course-4",
    words.COURSE_TITLE,
    words.COURSE_SUMMARY,
    12,
    (
        Phase(words.PHASE_FIRST_WEEKS, 28, 2, 3, 3, LEAST_REST_H, rollover=True, in_a_row=2),
        Phase(words.PHASE_KEEP, None, 1, 1, 1, LEAST_REST_H, rollover=False),
    ),
)
"""The default: two or three sessions a week for four weeks (8 to 12 in 28 days), then one a week, as salons do it.

The source gives no rest between sessions: the interlock's is taken, and no move fills a third day in a row."""

HOME_5X60: Final = Plan(
    "home-5x60",
    words.HOME_TITLE,
    words.HOME_SUMMARY,
    5,
    (
        Phase(words.PHASE_FIRST_60, 60, 5, 5, 5, LEAST_REST_H, rollover=True),
        Phase(words.PHASE_KEEP, None, 2, 2, 3, LEAST_REST_H, rollover=False),
    ),
)
"""Five days a week for 60 days, then two or three: what NuFACE asks for with its home devices."""

GENTLE: Final = Plan(
    "gentle",
    words.GENTLE_TITLE,
    words.GENTLE_SUMMARY,
    10,
    (Phase(words.PHASE_STEADY, None, 2, 2, 3, LEAST_REST_H, rollover=False),),
)
"""Two or three sessions of ten minutes a week: the use described in FDA 510(k) K162106."""

SENSITIVE: Final = Plan(
    "sensitive",
    words.SENSITIVE_TITLE,
    words.SENSITIVE_SUMMARY,
    10,
    (Phase(words.PHASE_STEADY, None, 2, 2, 3, 48, rollover=False),),
)
"""At least 48 hours between sessions: what Beurer's manual of the FC 76 asks for."""

PLANS: Final[Mapping[str, Plan]] = MappingProxyType(
    {plan.id: plan for plan in (COURSE_4, HOME_5X60, GENTLE, SENSITIVE)}
)
"""The catalogue, the default first. ``custom`` is made from the person's own numbers by :func:`plan_of`."""


class PauseReason(StrEnum):
    """Why a plan is paused; all of them are forgiven alike."""

    TRAVEL = "travel"
    ILLNESS = "illness"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Pause:
    """Days without sessions, ``first`` and ``last`` included; ``last`` None until the person carries on.

    Raises:
        ValueError: it ends before it begins, or lies in another century.
    """

    first: date
    last: date | None = None
    reason: PauseReason = PauseReason.OTHER

    def __post_init__(self) -> None:
        _require_this_age(self.first)
        if self.last is not None:
            _require_this_age(self.last)
            if self.last < self.first:
                raise ValueError(f"a pause from {self.first} cannot end on {self.last}")


@dataclass(frozen=True, slots=True)
class Custom:
    """The numbers of a plan of one's own: ``first_days`` (0: none) with ``first_a_week``, then ``then_a_week``.

    Raises:
        ValueError: a number is outside what :class:`Phase` allows.
    """

    first_days: int = 28
    first_a_week: int = 3
    then_a_week: int = 1
    rest_h: int = LEAST_REST_H

    def __post_init__(self) -> None:
        if self.first_days < 0:
            raise ValueError("a first phase cannot have fewer than 0 days")
        _custom_phases(self)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a person chose; kept as JSON (msgspec reads and writes it).

    ``weekdays`` are preferred days (0 is Monday), empty for any; ``at`` is the time of day on the wall where the person
    is. ``minutes`` None is the plan's own length. ``custom`` goes with the plan ``custom`` and with no other.

    Raises:
        ValueError: an unknown plan, or a value that makes no sense.
    """

    start: date
    plan: str = COURSE_4.id
    weekdays: tuple[int, ...] = ()
    at: time = time(19, 0)
    minutes: int | None = None
    pauses: tuple[Pause, ...] = ()
    custom: Custom | None = None

    def __post_init__(self) -> None:
        _require_this_age(self.start)
        if self.plan not in PLANS and self.plan != CUSTOM:
            raise ValueError(f"there is no plan {self.plan!r}; there are {', '.join(PLANS)} and {CUSTOM}")
        if (self.custom is not None) != (self.plan == CUSTOM):
            raise ValueError(f"own numbers go with the plan {CUSTOM}, and only with it")
        if not all(0 <= day <= 6 for day in self.weekdays):
            raise ValueError("weekdays are 0 (Monday) to 6 (Sunday)")
        if self.at.tzinfo is not None:
            raise ValueError("the time of day is one on the wall, without a UTC offset")
        if self.minutes is not None and not 1 <= self.minutes <= MOST_MINUTES:
            raise ValueError(f"a session has 1 to {MOST_MINUTES} minutes, not {self.minutes}")


def plan_of(chosen: Chosen) -> Plan:
    """The plan that was chosen, with the person's own numbers and minutes in it."""
    if chosen.custom is not None:
        minutes = chosen.minutes or COURSE_4.minutes
        return Plan(CUSTOM, words.CUSTOM_TITLE, words.CUSTOM_SUMMARY, minutes, _custom_phases(chosen.custom))
    plan = PLANS[chosen.plan]
    return Plan(plan.id, plan.title, plan.summary, chosen.minutes or plan.minutes, plan.phases)


def _custom_phases(own: Custom) -> tuple[Phase, ...]:
    def phase(name: str, days: int | None, a_week: int, *, rollover: bool) -> Phase:
        return Phase(name, days, a_week, a_week, a_week, own.rest_h, rollover)

    then = phase(words.PHASE_KEEP, None, own.then_a_week, rollover=False)
    if own.first_days == 0:
        return (then,)
    return (phase(words.PHASE_FIRST_WEEKS, own.first_days, own.first_a_week, rollover=True), then)


def _require_this_age(day: date) -> None:
    if day.year not in _YEARS:
        raise ValueError(f"{day.isoformat()} is not a date to plan for")
