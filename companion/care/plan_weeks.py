"""The weeks of a plan: which days it has, how many sessions they ask for, and on which days these fall by themselves.

A plan's weeks are seven of its own days from its start on. A day in a pause is no day of the plan: a pause makes the
week it falls into longer and moves the end of the phase, so nobody loses sessions by travelling. Knows no history.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import combinations, pairwise

from companion.care.plans import Chosen, Pause, Phase, plan_of

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PlanWeek:
    """One week of a plan.

    ``number`` counts from 0 within the phase, ``phase_index`` the phases. ``days`` are its days, fewer than seven at
    the end of a phase and before a pause without end; ``aim`` sessions are proposed in it and ``fewest`` keep it, both
    in proportion to its days. ``slots`` are the days that these fall on while nothing comes between.
    """

    phase: Phase
    phase_index: int
    number: int
    days: tuple[date, ...]
    aim: int
    fewest: int
    slots: tuple[date, ...]


def paused(pauses: tuple[Pause, ...], day: date) -> Pause | None:
    """The pause that ``day`` falls into, that without end first and then the one that ends last; None without one."""
    covering = [pause for pause in pauses if pause.first <= day and (pause.last is None or day <= pause.last)]
    return max(covering, key=lambda pause: (pause.last is None, pause.last or day), default=None)


def weeks_until(chosen: Chosen, bound: date) -> Iterator[PlanWeek]:
    """The weeks of the plan that begin on ``bound`` or before, and the one after, in order; each of them is whole."""
    days = _days(chosen)
    done = False
    for index, phase in enumerate(plan_of(chosen).phases):
        left, number = phase.days, 0
        while left is None or left > 0:
            wanted = 7 if left is None else min(7, left)
            week: list[date] = []
            for day in days:
                week.append(day)
                if len(week) == wanted:
                    break
            if done or not week:  # without days: a pause without end
                return
            done = week[0] > bound
            yield _week(chosen, phase, index, number, tuple(week))
            number += 1
            left = None if left is None else left - wanted


def _days(chosen: Chosen) -> Iterator[date]:
    """The days of the plan: from its start on, outside pauses; ends with a pause without end."""
    day = chosen.start
    for pause in sorted(chosen.pauses, key=lambda pause: pause.first):
        while day < pause.first:
            yield day
            day += DAY
        if pause.last is None:
            return
        day = max(day, pause.last + DAY)
    while True:
        yield day
        day += DAY


def _week(chosen: Chosen, phase: Phase, index: int, number: int, days: tuple[date, ...]) -> PlanWeek:
    share = len(days)
    fewest, usual, most = phase.fewest * share // 7, -(-phase.usual * share // 7), -(-phase.most * share // 7)
    wished = tuple(day.weekday() in chosen.weekdays for day in days)
    aim = max(fewest, min(sum(wished), most)) if chosen.weekdays else usual
    offsets = _spread(tuple((day - days[0]).days for day in days), wished, aim)
    return PlanWeek(phase, index, number, days, aim, fewest, tuple(days[0] + offset * DAY for offset in offsets))


@lru_cache(maxsize=256)
def _spread(days: tuple[int, ...], wished: tuple[bool, ...], count: int) -> tuple[int, ...]:
    """Choose ``count`` of ``days`` (offsets from the first): wished ones first, then evenly, then early ones."""
    wishes = dict(zip(days, wished, strict=True))

    def merit(chosen: tuple[int, ...]) -> tuple[int, int]:
        gaps = [later - earlier for earlier, later in pairwise(chosen)]
        around = chosen[0] + days[-1] + 1 - chosen[-1]  # to the same day of a week like this one
        return sum(wishes[day] for day in chosen), min([*gaps, around])

    if count == 0:
        return ()
    return max(combinations(days, count), key=merit)  # the first of equals: combinations come in order
