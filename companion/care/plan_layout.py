"""How a plan's sessions fall on days: its weeks, what was done, and what stood against it, brought together.

What is proposed is asked of the interlock itself (H6), so that a plan never suggests what the door to a session would
refuse. Refuses to know words: ``companion.care.plan`` tells what came of it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from functools import lru_cache
from itertools import zip_longest
from zoneinfo import ZoneInfo

from companion.care.plan_weeks import DAY, PlanWeek, paused, weeks_until
from companion.care.plans import Chosen, Phase, plan_of
from companion.session.interlocks import PastSession, rest_refusal

PEEL_REST = timedelta(days=7)
"""A peel postpones sessions for this long; the seventh day still counts."""

LATEST = time(22, 0)
"""A session that has to wait for the end of a rest moves within its day up to here, or to the preferred time."""

_FACE = frozenset({"face"})
# Refusals look back by a rest and a date: 12 h and, with zones 26 h apart, less than two days. Three are plenty.
_INTERLOCK_LOOKS_BACK = timedelta(days=3)


class Mark(StrEnum):
    """What a day of the calendar is.

    ``MOVED`` is a day whose session went, or still goes, to another day of its week; ``PUT_OFF`` one that skin check,
    today's questions or a peel kept free; ``MISSED`` is told as "let go". On a ``FREE`` day a session would be fine.
    """

    DONE = "done"
    PLANNED = "planned"
    REST = "rest"
    PAUSED = "paused"
    PUT_OFF = "put off"
    MOVED = "moved"
    MISSED = "missed"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Done:
    """A session that has been held, by the moment it ended: aware, with the UTC offset of where the person was.

    Raises:
        ValueError: the moment has no UTC offset.
    """

    ended_at: datetime

    def __post_init__(self) -> None:
        require_aware(self.ended_at)


@dataclass(frozen=True, slots=True)
class Diary:
    """What happened, in any order.

    ``done`` has to hold every session with output of a real device, however short: the skin rests after each.
    ``not_today`` are the days on which a skin check or one of today's questions said so, ``peels`` the days of peels,
    coming ones too.
    """

    done: tuple[Done, ...] = ()
    not_today: Collection[date] = ()
    peels: Collection[date] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A session that the plan proposes.

    ``at`` is aware, in the zone that was asked for; today's may lie behind, and is due any time until midnight then.
    ``phase``, ``week`` and ``slot`` (all from 0) name the session in the plan, and stay when it moves.
    """

    at: datetime
    minutes: int
    phase: int
    week: int
    slot: int


@dataclass(slots=True)
class LaidWeek:
    """A week of the plan with what came of it.

    ``filled`` slots had their session, be it on another day; ``unfilled`` are the others, and those of them that
    something stood against are ``excused``. ``moved`` and ``missed`` are past days; ``proposed`` counts what is to
    come.
    """

    plan: PlanWeek
    filled: int
    unfilled: list[int]
    excused: set[int] = field(default_factory=set)
    missed: set[date] = field(default_factory=set)
    moved: set[date] = field(default_factory=set)
    proposed: int = 0

    @property
    def fewest(self) -> int:
        """How many sessions keep this week, less what was excused."""
        return max(0, self.plan.fewest - len(self.excused))


@dataclass(slots=True)
class Layout:
    """A plan's sessions on their days, as :func:`lay_out` made it.

    ``counted`` are the days of the sessions since the start of the plan, in order, a day twice where it had two.
    """

    chosen: Chosen
    today: date
    held: Held
    done_dates: frozenset[date]
    counted: list[date]
    clock: _Clock
    weeks: list[LaidWeek] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)

    def mark(self, day: date) -> Mark:
        """What ``day`` is in the calendar."""
        if day in self.done_dates:
            return Mark.DONE
        if paused(self.chosen.pauses, day):
            return Mark.PAUSED
        if day in self.held:  # before the start of the plan too: the skin knows nothing of it
            return Mark.PUT_OFF
        if any(one.at.date() == day for one in self.proposals):
            return Mark.PLANNED
        at = bisect_right(self.weeks, day, key=lambda week: week.plan.days[0]) - 1  # of years of them
        week = self.weeks[at] if at >= 0 and day <= self.weeks[at].plan.days[-1] else None
        if week is not None and day in week.missed:
            return Mark.MISSED
        if week is not None and day in week.moved:
            return Mark.MOVED
        return Mark.REST if self._rests(day, week) else Mark.FREE

    def _rests(self, day: date, week: LaidWeek | None) -> bool:
        """Whether the week has all its sessions elsewhere, or the plan's rest after the last one is not over."""
        if week is None:
            return False
        if week.filled + week.proposed >= week.plan.aim:
            return True
        proposed = {one.at.date() for one in self.proposals}
        before = (day - number * DAY for number in range(1, 8) if number * 24 < week.plan.phase.rest_h)
        return any(other in self.done_dates or other in proposed for other in before)


class Held:
    """The days that skin check, today's questions or a peel keep free."""

    def __init__(self, diary: Diary) -> None:
        self._days = frozenset(diary.not_today)
        self._peels = tuple(sorted(diary.peels))

    def __contains__(self, day: date) -> bool:
        return day in self._days or self.peel_over(day) is not None

    def peel_over(self, day: date) -> date | None:
        """The first day after the peel that ``day`` is too close to, None when there is none."""
        return max((peel + PEEL_REST + DAY for peel in self._peels if peel <= day <= peel + PEEL_REST), default=None)

    @property
    def last(self) -> date | None:
        """The last of these days."""
        return max([*self._days, *(peel + PEEL_REST for peel in self._peels)], default=None)


class _Clock:
    """When a session can be on a day, given the ends of all others.

    Counts in UTC: two moments of one zone compare by the wall, and on the night of a clock change that is an hour off.
    """

    def __init__(self, chosen: Chosen, zone: ZoneInfo, ends: Sequence[datetime]) -> None:
        self._at = chosen.at
        self._latest = max(LATEST, chosen.at)
        self._zone = zone
        self._ends = sorted(end.astimezone(UTC) for end in ends)

    def add(self, end: datetime) -> None:
        """Take note of a session that ends at ``end`` (UTC)."""
        insort(self._ends, end)

    def preferred(self, day: date) -> datetime:
        """The preferred time on ``day``, in UTC."""
        return datetime.combine(day, self._at, tzinfo=self._zone).astimezone(UTC)

    def time_on(self, day: date, rest: timedelta) -> datetime | None:
        """The first good time on ``day``, at the preferred one or later, in the zone; None when there is none."""
        preferred = self.preferred(day)
        ready = self._ends[-1] + rest if self._ends else preferred
        at = (preferred if ready <= preferred else _ceil(ready)).astimezone(self._zone)
        # A zone may also leave a whole day out (Samoa in 2011): then the preferred time is on the day after it.
        if at.date() != day or at.time() > self._latest:
            return None
        since = bisect_left(self._ends, at.astimezone(UTC) - _INTERLOCK_LOOKS_BACK)
        return at if refusal_of(at, self._ends[since:]) is None else None


def refusal_of(at: datetime, ends: Sequence[datetime]) -> str | None:
    """What the interlock (H6) says to a session of the whole face at ``at`` after ``ends``; None when nothing."""
    past = [PastSession(end, _FACE) for end in ends]
    # Of a moment in a named zone and of one with a bare offset, for the system's clock gives the latter: on the day
    # of a clock change the two see the end of a session before it on different dates.
    bare = at.astimezone(timezone(at.utcoffset() or timedelta()))
    return rest_refusal(at, past, _FACE) or rest_refusal(bare, past, _FACE)


def lay_out(chosen: Chosen, diary: Diary, now: datetime, zone: ZoneInfo, bound: date) -> Layout:
    """Lay out the weeks of a plan that begin on ``bound`` or before, as of ``now`` (aware) where ``zone`` is.

    Proposals are in order; none lies before today, in a pause, on a held day, or within the rest after another session.
    """
    today = now.astimezone(zone).date()
    walls = sorted(done.ended_at.replace(tzinfo=None) for done in diary.done)
    layout = Layout(
        chosen=chosen,
        today=today,
        held=Held(diary),
        done_dates=frozenset(wall.date() for wall in walls),
        counted=[wall.date() for wall in walls if wall.date() >= chosen.start],
        clock=_Clock(chosen, zone, [done.ended_at for done in diary.done]),
    )
    layout.weeks = [_begin(week, layout, walls) for week in _weeks(chosen, bound)]
    for week, following in zip_longest(layout.weeks, layout.weeks[1:]):
        # Of the week after the bound the next one is not known, and a session moves only where it leaves that alone.
        if week.plan.days[0] <= bound and week.plan.days[-1] >= today:
            _propose(layout, week, following, now)
        _settle(week, layout)
    return layout


@lru_cache(maxsize=8)  # years of weeks, the same ones for a whole day, and several looks each time
def _weeks(chosen: Chosen, bound: date) -> tuple[PlanWeek, ...]:
    return tuple(weeks_until(chosen, bound))


def all_clear(chosen: Chosen, diary: Diary) -> date:
    """The first day on which nothing that is known stands against a session, but for a pause without end."""
    days = [chosen.start, *(pause.last for pause in chosen.pauses if pause.last is not None)]
    days += [done.ended_at.date() for done in diary.done]  # in the future where the clock was set back
    held = Held(diary).last
    return max([*days, held] if held is not None else days) + DAY


def _begin(week: PlanWeek, layout: Layout, walls: Sequence[datetime]) -> LaidWeek:
    """Match what was done with the week's slots, and excuse what something stood against."""
    done = [day for day in week.days if day in layout.done_dates]
    unfilled = [slot for slot, day in enumerate(week.slots) if day not in layout.done_dates]
    extra = len(done) - (len(week.slots) - len(unfilled))
    unfilled = unfilled[extra:]  # a session on another day is the earliest one that was open
    begun = LaidWeek(week, len(week.slots) - len(unfilled), unfilled)
    for slot in unfilled:
        day = week.slots[slot]
        if day < layout.today and (day in layout.held or _was_resting(day, week.phase, walls, layout.chosen)):
            begun.excused.add(slot)
    return begun


def _was_resting(day: date, phase: Phase, walls: Sequence[datetime], chosen: Chosen) -> bool:
    """Whether the rest after an earlier session lasted through ``day``; by the wall, as all history is read."""
    before = bisect_left(walls, datetime.combine(day, time()))
    latest = datetime.combine(day, max(LATEST, chosen.at))
    return before > 0 and walls[before - 1] + timedelta(hours=phase.rest_h) > latest


def _propose(layout: Layout, week: LaidWeek, following: LaidWeek | None, now: datetime) -> None:
    """Give each open session of the week its day: its own where that is good, else the next one that is."""
    plan, minutes = week.plan, plan_of(layout.chosen).minutes
    rest = timedelta(hours=plan.phase.rest_h)
    slot_of = {plan.slots[slot]: slot for slot in week.unfilled}
    # What was merely missed moves in a phase with rollover alone; what was put off always does.
    waiting = [
        slot
        for slot in week.unfilled
        if plan.slots[slot] < layout.today and (plan.phase.rollover or slot in week.excused)
    ]
    for day in plan.days:
        if day < layout.today or day in layout.done_dates:
            continue
        slot = slot_of.get(day)
        at = None if day in layout.held else layout.clock.time_on(day, rest)
        if at is None:
            waiting += [] if slot is None else [slot]
            continue
        # Today's may only begin now: the next one has to leave the skin its rest all the same.
        end = max(at.astimezone(UTC), now.astimezone(UTC)) + timedelta(minutes=minutes)
        if slot is None and waiting and _has_room(layout, week, following, day, end.astimezone(at.tzinfo)):
            slot = waiting.pop(0)
        if slot is not None:
            layout.proposals.append(Proposal(at, minutes, plan.phase_index, plan.number, slot))
            layout.clock.add(end)
            week.proposed += 1


def _has_room(layout: Layout, week: LaidWeek, following: LaidWeek | None, day: date, end: datetime) -> bool:
    """Whether a session may move to ``day`` and ``end`` then: the next keeps its time, and days in a row stay few."""
    open_days = [one.plan.slots[slot] for one in (week, following) if one is not None for slot in one.unfilled]
    coming = [other for other in open_days if other > day and other not in layout.held]
    if coming:
        rested = end.astimezone(UTC) + timedelta(hours=week.plan.phase.rest_h)
        if rested > layout.clock.preferred(coming[0]) or end.date() >= coming[0]:
            return False
    taken = layout.done_dates.union(coming, (one.at.date() for one in layout.proposals))
    row = 1 + sum(1 for _ in _run(day, -DAY, taken)) + sum(1 for _ in _run(day, DAY, taken))
    return row <= week.plan.phase.in_a_row


def _run(day: date, step: timedelta, taken: Collection[date]) -> Iterator[date]:
    day += step
    while day in taken:
        yield day
        day += step


def _settle(week: LaidWeek, layout: Layout) -> None:
    """Tell past slots apart: moved where another day made up for them, missed where the week cannot be kept."""
    plan = week.plan
    open_slots = [slot for slot in week.unfilled if plan.slots[slot] < layout.today]
    own = {one.slot for one in layout.proposals if (one.phase, one.week) == (plan.phase_index, plan.number)}
    week.moved = {plan.slots[slot] for slot in open_slots if slot in own}
    # Also those whose session was held on another day: not in week.unfilled any more.
    week.moved |= {
        day
        for slot, day in enumerate(plan.slots)
        if slot not in week.unfilled and day not in layout.done_dates and day < layout.today
    }
    lost = [plan.slots[slot] for slot in open_slots if slot not in own and slot not in week.excused]
    short = max(0, week.fewest - week.filled - week.proposed)
    week.missed = set(lost[max(0, len(lost) - short) :]) if short else set()


def _ceil(moment: datetime) -> datetime:
    """The next whole five minutes, in UTC: 19:12:37 is no time to tell anybody."""
    past = timedelta(minutes=moment.minute % 5, seconds=moment.second, microseconds=moment.microsecond)
    return moment + (timedelta(minutes=5) - past) % timedelta(minutes=5) if past else moment


def require_aware(moment: datetime) -> None:
    """Let moments with a UTC offset pass.

    Raises:
        ValueError: ``moment`` has none.
    """
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no UTC offset, so it cannot be compared with other dates")
