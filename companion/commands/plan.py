"""``companion plan``: where one is, what comes next, and the few things there are to choose.

Lays out what the almanac says; refuses to plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from companion.almanac import Almanac, NoPlanError
from companion.care.plans import CUSTOM, PLANS, Chosen, Custom, PauseReason
from companion.commands.almanac import keep_calendar, opened, write
from companion.commands.layout import table
from companion.commands.moments import day, time_of_day, weekdays
from companion.config import Exit, UsageError
from companion.words import commands as words
from companion.words import plan as plan_words

if TYPE_CHECKING:
    from companion.care.plan import Outlook

WEEKS = 5
_DAY = timedelta(days=1)


def show(*, person: str | None, demo: bool, json: bool) -> int:
    """Print the plan: phase, next session, today, five weeks, streak.

    Raises:
        PersonError: nobody is called so.
        StoreError: it cannot be read.
    """
    with opened(person, demo=demo) as almanac:
        _show(almanac, json=json)
    return Exit.FINISHED


def choose(
    name: str,
    *,
    start: str | None = None,
    days: str | None = None,
    at: str | None = None,
    minutes: int | None = None,
    custom: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None),
    person: str | None,
    demo: bool,
    json: bool,
) -> int:
    """Choose a plan, and print what it makes of the coming days.

    ``custom`` are the days of the first phase, sessions a week in it and after it, and hours of rest; None is as usual.

    Raises:
        UsageError: there is no such plan, or it cannot be had with these numbers.
        PersonError: nobody is called so.
        StoreError: it cannot be kept.
    """
    with opened(person, demo=demo) as almanac:
        before = almanac.chosen()
        try:
            chosen = Chosen(
                start=almanac.now.date() if start is None else day(start, "--start"),
                plan=name,
                weekdays=() if days is None else weekdays(days),
                minutes=minutes,
                pauses=() if before is None else before.pauses,
                custom=_custom(name, custom),
            )
            if at is not None:
                chosen = replace(chosen, at=time_of_day(at, "--at"))
        except ValueError as error:
            raise UsageError(str(error)) from error
        almanac.choose_plan(chosen)
        keep_calendar(almanac)
        _tell(almanac, json=json, summary=True)
    return Exit.FINISHED


def pause(*, first: str | None, last: str | None, because: str, person: str | None, demo: bool, json: bool) -> int:
    """Pause the plan.

    Raises:
        NoPlanError: there is none.
        UsageError: the pause would end before it begins.
        PersonError: nobody is called so.
        StoreError: it cannot be kept.
    """
    begins = None if first is None else day(first, "--from")
    ends = None if last is None else day(last, "--until")
    with opened(person, demo=demo) as almanac:
        try:
            almanac.pause(begins, ends, PauseReason(because))
        except ValueError as error:
            raise UsageError(str(error)) from error
        keep_calendar(almanac)
        _tell(almanac, json=json)
    return Exit.FINISHED


def resume(*, person: str | None, demo: bool, json: bool) -> int:
    """Carry on with the plan.

    Raises:
        NoPlanError: there is none.
        UsageError: it is not paused.
        PersonError: nobody is called so.
        StoreError: it cannot be kept.
    """
    with opened(person, demo=demo) as almanac:
        if not almanac.resume():
            raise UsageError(words.NOT_PAUSED)
        keep_calendar(almanac)
        if not json:
            write([words.RESUMED])
        _tell(almanac, json=json)
    return Exit.FINISHED


def export(file: Path, *, person: str | None, demo: bool) -> int:
    """Write the plan as a calendar file, once.

    Raises:
        CompanionError: there is no plan, the file is another one, or it cannot be written.
    """
    path = file.expanduser().absolute()
    with opened(person, demo=demo) as almanac:
        almanac.export_calendar(path)
    write([words.CALENDAR_WRITTEN.format(path=path)])
    return Exit.FINISHED


def subscribe(file: Path, *, person: str | None, demo: bool) -> int:
    """Write the plan as a calendar file, and keep it up to date.

    Raises:
        CompanionError: there is no plan, the file is another one, or it cannot be written.
    """
    path = file.expanduser().absolute()
    with opened(person, demo=demo) as almanac:
        almanac.subscribe(path)
    write([words.CALENDAR_KEPT.format(path=path)])
    return Exit.FINISHED


def unsubscribe(*, person: str | None, demo: bool) -> int:
    """Keep the calendar file up to date no more.

    Raises:
        UsageError: there is none.
        PersonError: nobody is called so.
        StoreError: it cannot be kept.
    """
    with opened(person, demo=demo) as almanac:
        path = almanac.unsubscribe()
    if path is None:
        raise UsageError(words.NO_CALENDAR)
    write([words.CALENDAR_LET_BE.format(path=path)])
    return Exit.FINISHED


# --- telling ----------------------------------------------------------------------------------------------------------


def _show(almanac: Almanac, *, json: bool) -> None:
    try:
        _tell(almanac, json=json)
    except NoPlanError:
        if json:
            _write_json({"plan": None})
            return
        usual, *others = PLANS.values()
        write([words.NO_PLAN.format(summary=usual.summary), "", words.THE_OTHERS])
        write(table([*((f"  {one.id}", one.summary) for one in others), (f"  {CUSTOM}", plan_words.CUSTOM_SUMMARY)]))


def _tell(almanac: Almanac, *, json: bool, summary: bool = False) -> None:
    today = almanac.now.date()
    monday = today - today.weekday() * _DAY
    seen = almanac.outlook(first=monday, days=7 * WEEKS)
    if almanac.barred():
        seen = replace(seen, proposals=())
    if json:
        _write_json(_as_json(almanac, seen))
    else:
        write(_lines(almanac, seen, summary=summary))


def _lines(almanac: Almanac, seen: Outlook, *, summary: bool) -> Iterator[str]:
    yield seen.plan.title
    if summary:
        yield seen.plan.summary
    yield seen.phase_line
    yield ""
    if almanac.barred():
        yield words.BARRED
    elif seen.proposals:
        one = seen.proposals[0]
        yield words.NEXT.format(day=_spoken(one.at), at=one.at, minutes=one.minutes)
    else:
        yield words.NEXT_NONE
    yield words.TODAY.format(reason=almanac.today().reason)
    yield ""
    yield from _calendar(seen)
    count = seen.streak.sessions
    if count:
        yield ""
        yield words.STREAK_ONE if count == 1 else words.STREAK.format(count=count)
    if seen.milestone:
        yield seen.milestone


def _calendar(seen: Outlook) -> Iterator[str]:
    """One row a week, one sign a day, and what the signs mean: readable aloud, too."""
    marks = [mark.mark.value for mark in seen.days]
    weeks = [seen.days[start : start + 7] for start in range(0, len(seen.days), 7)]
    rows: list[tuple[str, ...]] = [(words.HEADING_WEEK, *words.WEEKDAYS)]
    for week in weeks:
        first = week[0].date
        rows.append((f"{first.day:2d} {first:%b}", *(words.SIGNS[one.mark.value] for one in week)))
    yield from table(rows)
    used = [mark for mark in words.SIGNS if mark in marks and words.SIGNS[mark].strip()]
    yield ", ".join(f"{words.SIGNS[mark]} {plan_words.MARKS[mark]}" for mark in used)


def _as_json(almanac: Almanac, seen: Outlook) -> dict[str, object]:
    today = almanac.today()
    path = almanac.calendar_path()
    return {
        "plan": seen.plan.id,
        "title": seen.plan.title,
        "phase": seen.phase_line,
        "chosen": almanac.chosen(),
        "today": {"date": seen.today, "allowed": today.allowed, "mark": today.mark, "reason": today.reason},
        "next_session": seen.next_session,
        "proposals": [{"at": one.at, "minutes": one.minutes} for one in seen.proposals],
        "days": {one.date.isoformat(): one.mark for one in seen.days},
        "weeks": seen.week_shares,
        "sessions": seen.sessions,
        "streak": seen.streak,
        "milestone": seen.milestone or None,
        "calendar_file": None if path is None else str(path),
    }


def _write_json(value: object) -> None:
    write([msgspec.json.encode(value).decode()])


def _spoken(moment: date | datetime) -> str:
    return plan_words.DAY.format(day=moment)


def _custom(name: str, numbers: tuple[int | None, int | None, int | None, int | None]) -> Custom | None:
    """The numbers of one's own plan; given with another plan they are passed on all the same, to be complained of."""
    if name != CUSTOM and all(number is None for number in numbers):
        return None
    usual = Custom()
    first_days, first_a_week, then_a_week, rest_h = numbers
    return Custom(
        first_days=usual.first_days if first_days is None else first_days,
        first_a_week=usual.first_a_week if first_a_week is None else first_a_week,
        then_a_week=usual.then_a_week if then_a_week is None else then_a_week,
        rest_h=usual.rest_h if rest_h is None else rest_h,
    )
