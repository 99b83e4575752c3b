"""What the screen of the plan says, line by line: values of the plan in, texts out. Knows no screen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from textual.content import Content
from textual.widgets.option_list import Option

from companion.care.plan import Mark, Outlook
from companion.care.plans import Phase, Plan
from companion.palette import Palette, hexed
from companion.widgets.marks import GLYPHS, tone
from companion.widgets.phases import PhaseWeeks
from companion.words import plan_screen as words

_WEEK: Final = 7


def legend(marks: Collection[Mark], palette: Palette) -> Content:
    """The marks that there are, in words."""
    parts: list[str | tuple[str, str]] = []
    for mark in Mark:
        if mark in marks:
            parts += [
                (GLYPHS[mark.value], hexed(tone(mark.value, palette))),
                (f" {words.MARKS[mark.value]}   ", "$muted"),
            ]
    return Content.assemble(" ", *parts)


def kind_line(seen: Outlook) -> Content:
    """Streak and milestone in one line; nothing is ever held against anybody."""
    streak, sessions = seen.streak, seen.sessions
    if sessions == 0:
        text = words.NONE_YET
    elif streak.sessions <= 1:
        text = words.ONE if sessions == 1 else ""
    else:
        text = (words.FORGIVEN if streak.forgiven_this_month else words.ROW).format(count=streak.sessions)
    milestone = f"  {words.MILESTONE}" if seen.milestone else ""
    return Content.assemble((text, "$done"), (milestone, "bold $done"))


def option(name: str, title: str, why: str) -> Option:
    """Something to choose, with its reason below."""
    return Option(Content.assemble((f"{title}\n", "bold $foreground"), (why, "$muted")), id=name)


def _a_week(phase: Phase) -> str:
    if phase.fewest == phase.most:
        return words.A_WEEK_SAME.format(most=phase.most)
    return words.A_WEEK.format(fewest=phase.fewest, most=phase.most)


def _rhythm_text(plan: Plan) -> str:
    """The rhythm of a plan in one line."""
    first, *rest = plan.phases
    if first.days is None:
        parts = [words.PHASE_STEADY.format(a_week=_a_week(first))]
    else:
        parts = [words.PHASE_DAYS.format(days=first.days, a_week=_a_week(first))]
        parts += [words.PHASE_THEN.format(a_week=_a_week(phase)) for phase in rest]
    rested = words.REST.format(hours=first.rest_h)
    return f"{', '.join(parts)}; {rested}"


def plan_text(plan: Plan, *, yours: bool) -> Content:
    """A plan to choose: its name and length, its rhythm, and where that comes from."""
    return Content.assemble(
        (plan.title, "bold $foreground"),
        "  ",
        (words.MINUTES.format(minutes=plan.minutes), "$now"),
        (f"   ● {words.YOURS}" if yours else "", "$done"),
        (f"\n{_rhythm_text(plan)}", "$foreground"),
        (f"\n{words.SOURCES[plan.id]}\n", "$muted"),
    )


def phases_of(seen: Outlook) -> Sequence[PhaseWeeks]:
    """The phases of a plan with the weeks that have begun."""
    found = []
    for index, phase in enumerate(seen.plan.phases):
        begun = [week for week in seen.week_shares if week.phase == index]
        now = bool(begun) and not begun[-1].closed
        weeks = None if phase.days is None else -(-phase.days // _WEEK)
        found.append(PhaseWeeks(phase.name, tuple(week.share or 0.0 for week in begun), weeks, now))
    return found
