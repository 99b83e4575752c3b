"""The plan: what has been done, what comes next, and why not now. Pure: dates, times and history come in as arguments.

The history is read by the dates that were on the wall when it happened, so travelling changes nothing in it; what is
proposed is asked of the interlock itself (H6), so that a plan never suggests what the door to a session would refuse.
Knows one person's values; refuses to know devices, routines and the store, and starts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from companion.care.plan_layout import (
    Diary,
    Done,
    LaidWeek,
    Layout,
    Mark,
    Proposal,
    all_clear,
    lay_out,
    refusal_of,
    require_aware,
)
from companion.care.plan_weeks import DAY, paused
from companion.care.plans import Chosen, Plan, plan_of
from companion.words import plan as words

__all__ = [
    "Day",
    "Diary",
    "Done",
    "Mark",
    "Outlook",
    "Proposal",
    "Streak",
    "Today",
    "WeekShare",
    "may_today",
    "outlook",
]

FORGIVEN_A_MONTH = 2
"""Missed days in a calendar month that do not break a streak."""

MILESTONE_SESSION = 5
"""When to look back: salons say that four to five sessions show whether it does something."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the calendar."""

    date: date
    mark: Mark


@dataclass(frozen=True, slots=True)
class WeekShare:
    """How a week went: ``done`` sessions of ``aim``, of which ``fewest`` keep the week, less what was put off.

    ``share`` is 0 to 1, 1 where the week is kept; None where nothing was asked. ``closed``: its last day is over.
    """

    first: date
    last: date
    phase: int
    done: int
    aim: int
    fewest: int
    share: float | None
    closed: bool


@dataclass(frozen=True, slots=True)
class Streak:
    """Sessions in a row. Two missed days a month are ``forgiven``: they leave ``sessions`` as it is."""

    sessions: int
    forgiven_this_month: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """Everything that any face of the app shows of a plan.

    ``days`` are those asked for; ``proposals`` reach from today to the last of them, or to the next session where that
    is later. ``why`` says in words why nothing is planned for today, empty when something is. ``milestone`` is empty
    but for the time between the fifth session and the sixth. ``sessions`` are those since the start of the plan.
    """

    plan: Plan
    today: date
    phase_line: str
    days: tuple[Day, ...]
    proposals: tuple[Proposal, ...]
    why: str
    streak: Streak
    sessions: int
    milestone: str
    week_shares: tuple[WeekShare, ...]

    @property
    def next_session(self) -> datetime | None:
        """When the next session is proposed, or None when the plan is paused without an end."""
        return self.proposals[0].at if self.proposals else None


@dataclass(frozen=True, slots=True)
class Today:
    """Whether a session is a good idea now. ``allowed`` False: not now, for the ``reason`` given in words.

    Where ``allowed``, ``reason`` says what the plan has for today. It is advice before the door: screening, today's
    questions and the interlock judge for themselves.
    """

    allowed: bool
    mark: Mark
    reason: str


def outlook(
    chosen: Chosen, diary: Diary, now: datetime, *, zone: ZoneInfo, first: date | None = None, days: int = 35
) -> Outlook:
    """Look at a plan as of ``now`` (aware), where the person is (``zone``), on ``days`` days from ``first`` (today).

    Raises:
        ValueError: ``now`` has no UTC offset, or ``days`` is less than 1.
    """
    require_aware(now)
    if days < 1:
        raise ValueError(f"an outlook has at least one day, not {days}")
    today = now.astimezone(zone).date()
    first = first or today
    last = first + (days - 1) * DAY
    layout = lay_out(chosen, diary, now, zone, max(last, today + 14 * DAY))
    if not layout.proposals:
        layout = lay_out(chosen, diary, now, zone, max(last, today, all_clear(chosen, diary)) + 35 * DAY)
    proposals = layout.proposals[:1] + [one for one in layout.proposals[1:] if one.at.date() <= last]
    shown = tuple(Day(day, layout.mark(day)) for day in (first + number * DAY for number in range(days)))
    sessions = len(layout.counted)
    return Outlook(
        plan=plan_of(chosen),
        today=today,
        phase_line=_phase_line(chosen, layout),
        days=shown,
        proposals=tuple(proposals),
        why=_why(chosen, layout),
        streak=_streak(layout),
        sessions=sessions,
        milestone=words.MILESTONE if sessions == MILESTONE_SESSION else "",
        week_shares=tuple(_share(week, today) for week in layout.weeks if week.plan.days[0] <= today),
    )


def may_today(chosen: Chosen, diary: Diary, now: datetime, *, zone: ZoneInfo) -> Today:
    """Say whether the plan has a session for ``now`` (aware), or at least nothing against one.

    Raises:
        ValueError: ``now`` has no UTC offset.
    """
    seen = outlook(chosen, diary, now, zone=zone, days=1)
    mark = seen.days[0].mark
    if mark in (Mark.PAUSED, Mark.PUT_OFF, Mark.DONE):
        return Today(allowed=False, mark=mark, reason=seen.why)
    refusal = refusal_of(now.astimezone(zone), [done.ended_at for done in diary.done])
    if refusal is not None:
        return Today(allowed=False, mark=mark, reason=refusal)
    if mark is Mark.PLANNED:
        return Today(allowed=True, mark=mark, reason=words.WHY_PLANNED.format(when=seen.proposals[0].at))
    return Today(allowed=True, mark=mark, reason=seen.why)


# --- telling ----------------------------------------------------------------------------------------------------------


def _share(week: LaidWeek, today: date) -> WeekShare:
    plan = week.plan
    share = None if week.fewest == 0 else min(1.0, week.filled / week.fewest)
    return WeekShare(
        first=plan.days[0],
        last=plan.days[-1],
        phase=plan.phase_index,
        done=week.filled,
        aim=plan.aim,
        fewest=week.fewest,
        share=1.0 if share is None and week.filled else share,
        closed=plan.days[-1] < today,
    )


def _streak(layout: Layout) -> Streak:
    """Count sessions since the last day that was more than two missed days in its month."""
    missed = sorted(day for week in layout.weeks for day in week.missed)
    broke: date | None = None
    in_month: dict[tuple[int, int], int] = {}
    for day in missed:
        month = (day.year, day.month)
        in_month[month] = in_month.get(month, 0) + 1
        if in_month[month] > FORGIVEN_A_MONTH:
            broke = day
    sessions = sum(1 for day in layout.counted if broke is None or day > broke)
    this_month = in_month.get((layout.today.year, layout.today.month), 0)
    return Streak(sessions, min(this_month, FORGIVEN_A_MONTH))


def _phase_line(chosen: Chosen, layout: Layout) -> str:
    today = layout.today
    if today < chosen.start:
        return words.BEFORE.format(when=_spoken(chosen.start))
    pause = paused(chosen.pauses, today)
    if pause is not None:
        return words.PAUSED_OPEN if pause.last is None else words.PAUSED_UNTIL.format(when=_spoken(pause.last))
    week = next(week for week in layout.weeks if week.plan.days[0] <= today <= week.plan.days[-1])
    phase = week.plan.phase
    text = words.WEEK if phase.days is None else words.WEEK_OF
    return text.format(
        phase=phase.name,
        week=week.plan.number + 1,
        weeks=-(-(phase.days or 0) // 7),
        done=week.filled,
        aim=week.plan.aim,
    )


def _why(chosen: Chosen, layout: Layout) -> str:
    today = layout.today
    mark = layout.mark(today)
    if mark is Mark.PLANNED:
        return ""
    if mark is Mark.PAUSED:
        pause = paused(chosen.pauses, today)
        last = None if pause is None else pause.last
        return words.WHY_PAUSED_OPEN if last is None else words.WHY_PAUSED.format(when=_spoken(last))
    if mark is Mark.DONE:
        return words.WHY_DONE
    if mark is Mark.PUT_OFF:
        over = layout.held.peel_over(today)
        return words.WHY_NOT_TODAY if over is None else words.WHY_PEEL.format(when=_spoken(over))
    return words.WHY_REST if mark is Mark.REST else words.WHY_FREE


def _spoken(day: date) -> str:
    return words.DAY.format(day=day)
