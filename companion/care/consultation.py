"""The consultation of a first run: a few questions about wishes, and from the answers a routine and a plan.

Pure and total: the same answers give the same advice, and every set of answers gives a routine and a plan that exist.
It comes after the screening and never in its place; it promises nothing and knows no store, no device and no screen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from companion.care.plans import COURSE_4, CUSTOM, GENTLE, HOME_5X60, LEAST_REST_H, SENSITIVE, Custom
from companion.care.screening import Verdict
from companion.words import consultation as words

SENSITIVE_REST_H: Final = SENSITIVE.phases[0].rest_h

KEPT_AS: Final = "consultation"
"""The name under which the diary keeps the answers: a mapping of question ids to lists of choice ids."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer that can be given."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question, the same for every face of the app.

    ``several``: any number of choices, none included; else exactly one.
    """

    id: str
    text: str
    choices: tuple[Choice, ...]
    several: bool = False
    note: str = ""


def _question(name: str, text: str, choices: Sequence[str], *, several: bool = False, note: str = "") -> Question:
    return Question(name, text, tuple(Choice(one, words.CHOICES[one]) for one in choices), several, note)


_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

QUESTIONS: Final[tuple[Question, ...]] = (
    _question("concerns", words.CONCERNS, ("lines", "lift", "puffiness", "tone"), several=True, note=words.SEVERAL),
    _question("experience", words.EXPERIENCE, ("new", "some", "regular")),
    _question("days", words.DAYS, _WEEK, several=True, note=words.DAYS_NOTE),
    _question("time", words.TIME, ("5", "10", "12")),
    _question("skin", words.SKIN, ("easy", "sensitive", "not sure")),
)

ROUTINE_MINUTES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "first-touch": 5,
        "five-minute-lift": 5,
        "brow-and-eye": 5,
        "jaw-and-neck": 5,
        "light-and-lift": 8,
        "full-face": 12,
        "pulse-cleanse": 2,
        "cool-down": 4,
    }
)
"""The routines that come with the app and their guided minutes, rounded up."""

FIRST_ROUTINE: Final = "first-touch"

_NEEDS_MORE: Final = frozenset({"light-and-lift", "pulse-cleanse", "cool-down"})
"""What not every device can do: advised only where the caller knows that this one can."""

_WHY_ROUTINE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "first-touch": words.FALLBACK,
        "five-minute-lift": words.LIFT,
        "brow-and-eye": words.BROW_AND_EYE,
        "jaw-and-neck": words.JAW_AND_NECK,
        "light-and-lift": words.LIGHT,
        "full-face": words.FULL_FACE,
        "pulse-cleanse": words.PULSE,
    }
)


class ConsultationError(ValueError):
    """The answers are not answers to these questions, or the screening has not been passed; one line that says what."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What the consultation comes to. Everything in it can be changed by the person.

    ``first`` is the routine to begin with and ``routine`` the one of the plan; ``extra`` goes with it now and then,
    None when nothing does. ``plan`` is an id of ``companion.care.plans``, with ``custom`` for a plan of one's own;
    ``weekdays`` (0 is Monday) and ``minutes`` go into the choice of it. ``why_routine`` and ``why_plan`` are sentences.
    """

    first: str
    routine: str
    extra: str | None
    plan: str
    custom: Custom | None
    weekdays: tuple[int, ...]
    minutes: int
    why_routine: tuple[str, ...]
    why_plan: tuple[str, ...]


def check(answers: Mapping[str, Sequence[str]]) -> None:
    """Look whether ``answers`` (question id to choice ids) answer :data:`QUESTIONS`; a question of several may lack.

    Raises:
        ConsultationError: one does not; the message names it and what there is to choose from.
    """
    by_id = {question.id: question for question in QUESTIONS}
    for name in answers:
        if name not in by_id:
            raise ConsultationError(words.UNKNOWN.format(name=name, known=", ".join(by_id)))
    for question in QUESTIONS:
        given = answers.get(question.id, ())
        choices = [choice.id for choice in question.choices]
        known = ", ".join(choices)
        for value in given:
            if value not in choices:
                raise ConsultationError(words.NOT_A_CHOICE.format(value=value, name=question.id, known=known))
        if not question.several and not given:
            raise ConsultationError(words.MISSING.format(name=question.id, known=known))
        if not question.several and len(given) > 1:
            raise ConsultationError(words.ONE_ONLY.format(name=question.id, count=len(given)))


def advise(answers: Mapping[str, Sequence[str]], screening: Verdict, *, fits: Collection[str] | None = None) -> Advice:
    """Return what suits these answers.

    ``screening`` is the verdict on the health questions, which come first. ``fits`` are the names of the routines that
    the person's device can do; None while no device is known, and then a microcurrent device without light and cooling
    is assumed.

    Raises:
        ConsultationError: the screening is not completed or forbids sessions, or the answers are not answers.
    """
    if screening.blocked or not screening.completed:
        raise ConsultationError(words.SCREENING_FIRST)
    check(answers)
    can = frozenset(ROUTINE_MINUTES if fits is None else fits) - (_NEEDS_MORE if fits is None else frozenset())
    concerns = frozenset(answers.get("concerns", ()))
    new = answers["experience"][0] == "new"
    minutes = int(answers["time"][0])
    skin = answers["skin"][0]
    careful = skin != "easy"  # not sure counts as the stricter answer, as in the screening
    if careful:
        minutes = min(minutes, SENSITIVE.minutes)
    chosen = answers.get("days", ())
    weekdays = tuple(day for day, name in enumerate(_WEEK) if name in chosen)

    routine = _routine(concerns, 5 if careful else minutes, can)
    begins_anew = new and FIRST_ROUTINE in can
    extra = "cool-down" if "puffiness" in concerns and "cool-down" in can else None
    why_routine = [words.FIRST] if begins_anew else []
    why_routine += [words.GENTLE_ROUTINE] if careful else []
    why_routine.append(_WHY_ROUTINE[routine])
    why_routine += [words.COOL] if extra else []

    plan, custom, why_plan = _plan(skin, weekdays, minutes, new=new)
    return Advice(
        first=FIRST_ROUTINE if begins_anew else routine,
        routine=routine,
        extra=extra,
        plan=plan,
        custom=custom,
        weekdays=weekdays,
        minutes=max(minutes, ROUTINE_MINUTES[routine]),
        why_routine=tuple(why_routine),
        why_plan=(why_plan, words.NO_PROMISE),
    )


def _routine(concerns: frozenset[str], minutes: int, can: frozenset[str]) -> str:
    """The first that suits, fits into the time and the device can do. What is left at the end is always there."""
    wanted: list[str] = []
    if "tone" in concerns:
        wanted.append("light-and-lift")
    if len(concerns) != 1 or "tone" in concerns:
        wanted.append("full-face")
    wanted += ["brow-and-eye"] if concerns == {"lines"} else []
    wanted += ["full-face", "jaw-and-neck"] if concerns == {"lift"} else []
    wanted += ["five-minute-lift", "brow-and-eye", "jaw-and-neck", "pulse-cleanse"]
    return next((name for name in wanted if name in can and ROUTINE_MINUTES[name] <= minutes), FIRST_ROUTINE)


def _plan(skin: str, weekdays: tuple[int, ...], minutes: int, *, new: bool) -> tuple[str, Custom | None, str]:
    """The plan, its own numbers where it is one's own, and why."""
    careful = skin != "easy"
    rest_h = SENSITIVE_REST_H if careful else LEAST_REST_H
    if weekdays and not _twice_a_week(weekdays, rest_h):
        why = words.ONE_DAY_SENSITIVE if careful else words.ONE_DAY
        return CUSTOM, Custom(first_days=0, then_a_week=1, rest_h=rest_h), why
    if careful:
        return SENSITIVE.id, None, words.SENSITIVE if skin == "sensitive" else words.SENSITIVE_UNSURE
    # five days a week from the very first day are for those who know how their skin takes it
    if minutes == HOME_5X60.minutes and not new and (not weekdays or len(weekdays) >= HOME_5X60.phases[0].fewest):
        return HOME_5X60.id, None, words.HOME
    if minutes == GENTLE.minutes:
        return GENTLE.id, None, words.GENTLE
    return COURSE_4.id, None, words.COURSE


def _twice_a_week(weekdays: Sequence[int], rest_h: int) -> bool:
    """Whether two of the days leave ``rest_h`` hours between them, from the end of one session to the next, both ways.

    Sessions are at one time of day, so that whole days between them have to exceed the rest.
    """
    return any(
        (later - earlier) * 24 > rest_h and (7 - later + earlier) * 24 > rest_h
        for earlier in weekdays
        for later in weekdays
        if later > earlier
    )
