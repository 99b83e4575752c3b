"""Water: the day's goal, what was drunk, and what may be asked and when.

Asks are spread over the waking hours once and never grow when some were missed: nobody is made to catch up. Pure; knows
no clock, no store and no screen, and claims nothing for water. Moments that come in are aware, those that go out are in
UTC: two moments of one zone are compared by their clock faces in Python, which goes wrong where clocks change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Final

from companion.words import water as words

USUAL_WOMEN_ML: Final = 1600
"""80 % of an adequate intake of 2.0 L a day (EFSA 2010, doi:10.2903/j.efsa.2010.1459)."""

USUAL_MEN_ML: Final = 2000
"""80 % of an adequate intake of 2.5 L a day (EFSA 2010)."""

USUAL_ML: Final = USUAL_WOMEN_ML
"""The goal of who has not chosen one: the lower of the two."""

LEAST_GOAL_ML: Final = 500
MOST_GOAL_ML: Final = 3500
GLASS_ML: Final = 200
LEAST_GLASS_ML: Final = 50
MOST_DRINK_ML: Final = 2000

MOST_ASKED_ML: Final = 250
"""The most that is ever asked in any :data:`WINDOW`. One ask stays below it, and two are never closer than that."""

WINDOW: Final = timedelta(minutes=30)
AROUND_SESSION: Final = timedelta(minutes=30)
"""How long before a session's start, and after its end, a glass is asked."""

APART: Final = timedelta(minutes=45)
"""How far asks are planned from each other at least: :data:`WINDOW`, and room to tell one of them a little late."""

_STEP = timedelta(minutes=5)
_STEPS_APART = APART // _STEP
_MINUTE = timedelta(minutes=1)


def instant(moment: datetime) -> datetime:
    """``moment`` in UTC.

    Raises:
        ValueError: it has no UTC offset.
    """
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no UTC offset, so it cannot be compared with other dates")
    return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the local clock, from ``start`` up to and without ``end``; past midnight when ``end`` is the earlier.

    Whole minutes. It is the clock face that counts, also on days when an hour is missing or comes twice.

    Raises:
        ValueError: both are the same, or have seconds.
    """

    start: time
    end: time

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError(f"hours from {self.start:%H:%M} to {self.end:%H:%M} are no hours")
        if any(side.second or side.microsecond or side.tzinfo for side in (self.start, self.end)):
            raise ValueError("hours are whole minutes of the local clock")

    def hold(self, moment: datetime, zone: tzinfo) -> bool:
        """Whether the clock in ``zone`` is within these hours at ``moment`` (aware)."""
        return self.show(moment.astimezone(zone).time())

    def left(self, moment: datetime, zone: tzinfo) -> timedelta:
        """How far the clock in ``zone`` is from the end of these hours at ``moment`` (aware), by its face alone."""
        return (_since_midnight(self.end) - _since_midnight(moment.astimezone(zone).time())) % timedelta(days=1)

    def show(self, clock: time) -> bool:
        """Whether a clock face that shows ``clock`` is within these hours."""
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


def _since_midnight(clock: time) -> timedelta:
    return timedelta(hours=clock.hour, minutes=clock.minute, seconds=clock.second, microseconds=clock.microsecond)


WAKING: Final = Hours(time(7, 30), time(22, 0))
"""Waking hours of who has not chosen any."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the person wants to drink in a day (``ml``, mL of drinks), from which glass, and when they are awake.

    ``limited`` is "my doctor limits my fluids": then there is no goal to reach, and nothing is ever asked.

    Raises:
        ValueError: goal or glass are outside sensible bounds.
    """

    ml: int = USUAL_ML
    glass_ml: int = GLASS_ML
    waking: Hours = WAKING
    limited: bool = False

    def __post_init__(self) -> None:
        if not LEAST_GOAL_ML <= self.ml <= MOST_GOAL_ML:
            raise ValueError(words.BAD_GOAL.format(least=LEAST_GOAL_ML, most=MOST_GOAL_ML, ml=self.ml))
        if not LEAST_GLASS_ML <= self.glass_ml <= MOST_ASKED_ML:
            raise ValueError(words.BAD_GLASS.format(least=LEAST_GLASS_ML, most=MOST_ASKED_ML, ml=self.glass_ml))


@dataclass(frozen=True, slots=True)
class Drink:
    """What was drunk: ``ml`` at a moment (aware).

    Raises:
        ValueError: the amount is nothing or beyond belief, or the moment has no UTC offset.
    """

    at: datetime
    ml: int = GLASS_ML

    def __post_init__(self) -> None:
        instant(self.at)
        if not 0 < self.ml <= MOST_DRINK_ML:
            raise ValueError(words.BAD_DRINK.format(most=MOST_DRINK_ML, ml=self.ml))


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when a session is planned, or took place (both aware).

    Raises:
        ValueError: it ends before it starts, or a moment has no UTC offset.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if instant(self.end) < instant(self.start):
            raise ValueError(f"a session that starts {self.start.isoformat()} cannot end {self.end.isoformat()}")


class Occasion(StrEnum):
    """Why a glass is asked."""

    DAY = "day"
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Ask:
    """A glass to be asked: ``ml`` from ``at`` up to and without ``until`` (UTC), after which it is let go.

    ``number`` counts from 1 among those of its occasion on its local ``day``. ``by_ml`` is what the day's asks come to
    with this one: who has drunk that much already is not asked.
    """

    at: datetime
    until: datetime
    ml: int
    occasion: Occasion
    day: date
    number: int
    by_ml: int = field(default=0, kw_only=True)


@dataclass(frozen=True, slots=True)
class Water:
    """The day so far. ``goal_ml`` and ``share`` (0 to 1) are None when fluids are limited.

    ``ask_ml`` is what may be asked at this moment, 0 for nothing; ``ask_at`` when the day's next ask is (UTC; this very
    moment while ``ask_ml`` is not 0), None when the day has no more.
    """

    today_ml: int
    goal_ml: int | None
    share: float | None
    ask_ml: int
    ask_at: datetime | None


def total_ml(drinks: Iterable[Drink], day: date, zone: tzinfo) -> int:
    """What was drunk on the local ``day``, mL; a drink belongs to the date that the clock in ``zone`` showed."""
    return sum(drink.ml for drink in drinks if drink.at.astimezone(zone).date() == day)


def water(
    now: datetime,
    zone: tzinfo,
    goal: Goal,
    drinks: Sequence[Drink] = (),
    *,
    sessions: Sequence[Span] = (),
    told: Sequence[datetime] = (),
) -> Water:
    """The day as it stands at ``now`` (aware) in ``zone``.

    ``drinks`` need not go further back than today; ``sessions`` are those of yesterday, today and tomorrow: planned
    ones, and done ones with their real times; ``told`` when water was asked of late (the last :data:`WINDOW` matters).

    Raises:
        ValueError: a moment has no UTC offset.
    """
    now = instant(now)
    day = now.astimezone(zone).date()
    today = total_ml(drinks, day, zone)
    if goal.limited:
        return Water(today, None, None, 0, None)
    asks = schedule(day, zone, goal, sessions)
    opening = [(opens(ask, now, zone=zone, goal=goal, drinks=drinks, told=told), ask) for ask in asks]
    at, ask = min(((at, ask) for at, ask in opening if at is not None), key=_first, default=(None, None))
    ask_ml = min(ask.ml, goal.ml - today) if ask is not None and at == now else 0
    return Water(today, goal.ml, min(1.0, today / goal.ml), ask_ml, at)


def schedule(day: date, zone: tzinfo, goal: Goal, sessions: Sequence[Span] = ()) -> tuple[Ask, ...]:
    """The asks of one local ``day`` in order, as they follow from the goal alone, whatever was drunk.

    Never two within :data:`APART`, none outside waking hours, none at all when fluids are limited, and in sum at most
    the goal: what does not fit is not asked. Empty for a date that ``zone`` skipped.
    """
    return () if goal.limited else _schedule(day, zone, goal, tuple(sessions))


@lru_cache(maxsize=32)  # asked for again and again with the same values, and it reads some hundred clock faces
def _schedule(day: date, zone: tzinfo, goal: Goal, sessions: tuple[Span, ...]) -> tuple[Ask, ...]:
    asks = _asks(day, zone, goal, sessions)
    follow = [ask.at for ask in [*asks, *_asks(day + timedelta(days=1), zone, goal, sessions)[:1]]][1:]
    return tuple(
        replace(ask, until=_last(ask.at, follow[index] if index < len(follow) else None, ask.day, zone, goal))
        for index, ask in enumerate(asks)
    )


def postponed(ask: Ask, to: datetime, asks: Sequence[Ask], zone: tzinfo, goal: Goal) -> Ask | None:
    """``ask`` moved to ``to`` (aware), among the ``asks`` of its day and the next.

    None when it would come outside waking hours, on another day, or within :data:`WINDOW` of the ask that follows.
    """
    at = instant(to)
    following = min((other.at for other in asks if other.at > ask.at), default=None)
    until = _last(at, following, ask.day, zone, goal)
    return replace(ask, at=at, until=until) if at < until else None


def opens(
    ask: Ask, now: datetime, *, zone: tzinfo, goal: Goal, drinks: Sequence[Drink], told: Sequence[datetime]
) -> datetime | None:
    """The first moment from ``now`` (aware) on at which ``ask`` may be told (UTC); None when it is of no use any more.

    It waits until what was ``told`` is :data:`WINDOW` ago, and until it comes with what was just drunk to no more than
    :data:`MOST_ASKED_ML`. It is settled once the day's drinks reach what was asked until then; a session's glass, once
    they reach the goal.
    """
    drunk = total_ml(drinks, ask.day, zone)
    if goal.limited or drunk >= (ask.by_ml if ask.occasion is Occasion.DAY else goal.ml):
        return None
    at = max(instant(now), ask.at)
    asked = [instant(moment) for moment in told]
    while at < ask.until:
        # A moment of telling may lie ahead: the clock may have been set back since.
        wait = [moment + WINDOW for moment in asked if abs(at - moment) < WINDOW]
        recent = [drink for drink in drinks if timedelta(0) <= at - instant(drink.at) < WINDOW]
        if ask.ml + sum(drink.ml for drink in recent) > MOST_ASKED_ML:
            wait += [instant(drink.at) + WINDOW for drink in recent]
        if not wait:
            return at
        at = min(wait)
    return None


def _first(opening: tuple[datetime, Ask]) -> datetime:
    return opening[0]


def _last(at: datetime, following: datetime | None, day: date, zone: tzinfo, goal: Goal) -> datetime:
    """Until when an ask from ``at`` holds: awake, the same day, and well before the ask that follows, however late."""
    most = at + WINDOW if following is None else min(at + WINDOW, following - WINDOW)
    moment = at
    while moment < most and moment.astimezone(zone).date() == day and goal.waking.hold(moment, zone):
        # Clocks change, and waking hours begin and end, with the minute.
        moment = moment.replace(second=0, microsecond=0) + _MINUTE
    return min(moment, most)


def _asks(day: date, zone: tzinfo, goal: Goal, sessions: Sequence[Span]) -> list[Ask]:
    """The day's asks in order, without their ends."""
    glasses = list(_glasses(zone, goal, sessions))
    asks = [_ask(at, occasion, day) for at, occasion in glasses if at.astimezone(zone).date() == day]
    asks = asks[: -(-goal.ml // goal.glass_ml)]
    free = [at for at in _steps(day, zone, goal) if all(abs(at - glass) >= APART for glass, _ in glasses)]
    rest = max(0, goal.ml - len(asks) * goal.glass_ml)
    count = min(-(-rest // goal.glass_ml), len(free) // _STEPS_APART)
    # The middles of equal parts. Steps of one part are at least APART together, so are the ends of two days.
    asks += [_ask(free[(2 * k + 1) * len(free) // (2 * count)], Occasion.DAY, day) for k in range(count)]
    return list(_counted(sorted(asks, key=_when), goal))


def _ask(at: datetime, occasion: Occasion, day: date) -> Ask:
    return Ask(at, at, 0, occasion, day, 0)


def _when(ask: Ask) -> datetime:
    return ask.at


def _counted(asks: Iterable[Ask], goal: Goal) -> Iterator[Ask]:
    """Number them, each occasion by itself, and share the goal out, a glass each while it lasts."""
    numbers = dict.fromkeys(Occasion, 0)
    by_ml = 0
    for ask in asks:
        ml = min(goal.glass_ml, goal.ml - by_ml)
        numbers[ask.occasion] += 1
        by_ml += ml
        yield replace(ask, ml=ml, number=numbers[ask.occasion], by_ml=by_ml)


def _glasses(zone: tzinfo, goal: Goal, sessions: Sequence[Span]) -> Iterator[tuple[datetime, Occasion]]:
    """The glasses around sessions, of whichever day, in order; one too close to the last is left out."""
    around = [(instant(span.start) - AROUND_SESSION, Occasion.BEFORE) for span in sessions]
    around += [(instant(span.end) + AROUND_SESSION, Occasion.AFTER) for span in sessions]
    last: datetime | None = None
    for at, occasion in sorted(around):
        if goal.waking.hold(at, zone) and (last is None or at - last >= APART):
            yield at, occasion
            last = at


def _steps(day: date, zone: tzinfo, goal: Goal) -> Iterator[datetime]:
    """Every fifth minute of ``day`` within waking hours, by the clock in ``zone``, which may skip or repeat some."""
    # A midnight that does not exist stands for the moment of the change (PEP 495, fold 0).
    at = datetime.combine(day, time(), zone).astimezone(UTC)
    while (local := at.astimezone(zone)).date() <= day:
        if local.date() == day and goal.waking.show(local.time()):
            yield at
        at += _STEP
