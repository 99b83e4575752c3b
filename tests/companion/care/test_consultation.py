"""The consultation: every set of answers leads to a routine and a plan that exist, and to the same ones each time."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache

import pytest

from companion.care.consultation import QUESTIONS, ROUTINE_MINUTES, Advice, ConsultationError, advise, check
from companion.care.plans import PLANS, Chosen, Custom, Plan, plan_of
from companion.care.screening import QUESTIONS as HEALTH
from companion.care.screening import Verdict, judge
from companion.routines.library import Library
from companion.routines.model import plan_session
from companion.session.engine import guided_s
from companion.words import consultation as words
from protocols.model import DeviceProfile, OutputKind

CLEAR = Verdict(blocked=False, reasons=())
BY_ID = {question.id: question for question in QUESTIONS}
WEEK = [choice.id for choice in BY_ID["days"].choices]
DR05 = frozenset(ROUTINE_MINUTES) - {"light-and-lift", "pulse-cleanse"}
FOREO = frozenset({"first-touch", "pulse-cleanse"})
CLAIMS = re.compile(r"\b(cures?|heals?|treats|detox|collagen|atp|removes?|reduces?|guaranteed?|you will see|lasting)\b")


def answers(**changes: Sequence[str]) -> dict[str, Sequence[str]]:
    plain = {"concerns": ["lift"], "experience": ["some"], "days": [], "time": ["12"], "skin": ["easy"]}
    return {**plain, **changes}


def every_answer() -> Iterator[dict[str, Sequence[str]]]:
    def subsets(ids: Sequence[str]) -> list[tuple[str, ...]]:
        return [some for count in range(len(ids) + 1) for some in itertools.combinations(ids, count)]

    given = [
        subsets([choice.id for choice in question.choices])
        if question.several
        else [(choice.id,) for choice in question.choices]
        for question in QUESTIONS
    ]
    for row in itertools.product(*given):
        yield dict(zip(BY_ID, row, strict=True))


def plan_chosen(advice: Advice) -> Plan:
    return _plan_chosen(advice.plan, advice.weekdays, advice.minutes, advice.custom)


@cache
def _plan_chosen(plan: str, weekdays: tuple[int, ...], minutes: int, custom: Custom | None) -> Plan:
    return plan_of(Chosen(start=date(2026, 5, 4), plan=plan, weekdays=weekdays, minutes=minutes, custom=custom))


@pytest.mark.parametrize("fits", [None, DR05, FOREO, frozenset[str]()], ids=["no device", "dr05", "foreo", "nothing"])
def test_every_set_of_answers_gives_a_routine_and_a_plan_that_exist(fits: frozenset[str] | None) -> None:
    names = set(Library().names())
    seen: set[str] = set()
    count = 0
    for given in every_answer():
        count += 1
        advice = advise(given, CLEAR, fits=fits)
        assert {advice.first, advice.routine} <= names, given
        assert advice.extra is None or advice.extra in names, given
        assert fits is None or not fits or {advice.first, advice.routine} <= fits, given
        plan = plan_chosen(advice)
        assert plan.minutes == advice.minutes >= ROUTINE_MINUTES[advice.routine], given
        assert all(advice.why_routine), given
        assert advice.why_plan[-1] == words.NO_PROMISE, given
        seen.add(advice.plan)
    assert count == 2**4 * 3 * 2**7 * 3 * 3
    assert seen == {*PLANS, "custom"}


def test_each_routine_that_a_device_can_do_is_somebodys_advice() -> None:
    everything = frozenset(ROUTINE_MINUTES)
    found = {advise(given, CLEAR, fits=everything).routine for given in every_answer() if not given["days"]}
    assert found == {"full-face", "brow-and-eye", "jaw-and-neck", "five-minute-lift", "light-and-lift"}
    assert {advise(given, CLEAR, fits=FOREO).routine for given in every_answer() if not given["days"]} == {
        "pulse-cleanse"
    }


def test_the_same_answers_in_another_order_give_the_same_advice() -> None:
    one = answers(concerns=["lift", "tone"], days=["monday", "friday"])
    other = answers(concerns=["tone", "lift"], days=["friday", "monday"])
    assert advise(one, CLEAR) == advise(dict(reversed(other.items())), CLEAR)


@pytest.mark.parametrize(
    ("given", "routine"),
    [
        (answers(), "full-face"),
        (answers(time=["5"]), "jaw-and-neck"),
        (answers(concerns=["lines"]), "brow-and-eye"),
        (answers(concerns=["puffiness"]), "five-minute-lift"),
        (answers(concerns=["lift", "lines"]), "full-face"),
        (answers(concerns=["lift", "lines"], time=["10"]), "five-minute-lift"),
        (answers(concerns=[]), "full-face"),
        (answers(skin=["sensitive"]), "jaw-and-neck"),
    ],
    ids=["lift", "lift, short", "lines", "puffiness", "two", "two, ten minutes", "none", "sensitive"],
)
def test_wishes_and_time_choose_the_routine(given: Mapping[str, Sequence[str]], routine: str) -> None:
    assert advise(given, CLEAR).routine == routine


@pytest.mark.parametrize(
    ("given", "plan"),
    [
        (answers(), "course-4"),
        (answers(time=["10"]), "gentle"),
        (answers(time=["5"]), "home-5x60"),
        (answers(time=["5"], experience=["new"]), "course-4"),
        (answers(time=["5"], days=WEEK[:4]), "course-4"),
        (answers(time=["5"], days=WEEK[:5]), "home-5x60"),
        (answers(skin=["sensitive"]), "sensitive"),
        (answers(skin=["not sure"], time=["5"], experience=["regular"]), "sensitive"),
        (answers(days=["monday"]), "custom"),
        (answers(days=["monday", "tuesday"]), "course-4"),
        (answers(days=["monday", "tuesday"], skin=["sensitive"]), "custom"),
        (answers(days=["monday", "wednesday"], skin=["sensitive"]), "custom"),
        (answers(days=["monday", "thursday"], skin=["sensitive"]), "sensitive"),
        (answers(days=["monday", "saturday"], skin=["sensitive"]), "custom"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join("+".join(some) for some in value.values()),
)
def test_time_days_and_skin_choose_the_plan(given: Mapping[str, Sequence[str]], plan: str) -> None:
    assert advise(given, CLEAR).plan == plan


def test_whoever_is_sensitive_or_not_sure_has_48_hours_of_rest_and_a_short_routine() -> None:
    for given in every_answer():
        if given["skin"] == ("easy",):
            continue
        advice = advise(given, CLEAR)
        assert min(phase.rest_h for phase in plan_chosen(advice).phases) >= 48, given
        assert ROUTINE_MINUTES[advice.routine] <= 5, given
        assert advice.minutes <= 10, given


def test_whoever_is_new_begins_with_first_touch_and_never_with_five_days_a_week() -> None:
    for given in every_answer():
        if given["experience"] == ("new",):
            advice = advise(given, CLEAR)
            assert advice.first == "first-touch", given
            assert advice.plan != "home-5x60", given


def test_cool_down_goes_with_puffiness_where_the_device_cools() -> None:
    assert advise(answers(concerns=["puffiness"]), CLEAR, fits=DR05).extra == "cool-down"
    assert advise(answers(concerns=["puffiness"]), CLEAR).extra is None
    assert advise(answers(concerns=["lift"]), CLEAR, fits=DR05).extra is None


def test_h10_the_consultation_comes_after_the_screening_and_never_in_its_place() -> None:
    now = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
    fine = {question.id: "no" for question in HEALTH}
    assert advise(answers(), judge(fine, now, now)).plan == "course-4"
    for verdict in (judge(None, None, now), judge({**fine, "implant": "yes"}, now, now)):
        with pytest.raises(ConsultationError, match="health questions come first"):
            advise(answers(), verdict)
    with pytest.raises(ConsultationError, match="health questions come first"):
        advise(answers(), Verdict(blocked=False, reasons=(), completed=False))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({**answers(), "age": ["40"]}, "there is no question 'age'; there are concerns,"),
        (answers(skin=["dry"]), "'dry' is no answer to 'skin'; choose from easy, sensitive, not sure"),
        (answers(time=[]), "the question 'time' has no answer; choose from 5, 10, 12"),
        (answers(time=["5", "10"]), "the question 'time' takes one answer, not 2"),
        (answers(days=["someday"]), "'someday' is no answer to 'days'"),
    ],
    ids=["question", "choice", "missing", "two", "day"],
)
def test_what_is_no_answer_is_told_in_a_line(given: Mapping[str, Sequence[str]], message: str) -> None:
    with pytest.raises(ConsultationError) as error:
        check(given)
    assert str(error.value).startswith(message)
    with pytest.raises(ConsultationError):
        advise(given, CLEAR)


def test_the_questions_are_data_with_words_for_every_choice() -> None:
    assert [question.id for question in QUESTIONS] == ["concerns", "experience", "days", "time", "skin"]
    for question in QUESTIONS:
        assert question.text.endswith("?")
        assert all(choice.text for choice in question.choices)


def test_the_minutes_of_the_routines_are_theirs() -> None:
    everything = DeviceProfile(
        "x", "X", OutputKind.MICROCURRENT, 1, 1, 100, 10.0, cooling_range_c=(0, 20), neck_cleared=True, light=True
    )
    pulsation = DeviceProfile("y", "Y", OutputKind.PULSATION, 10, 10, 100, 10.0)
    assert set(ROUTINE_MINUTES) == set(Library().names())
    for name, minutes in ROUTINE_MINUTES.items():
        device = pulsation if name == "pulse-cleanse" else everything
        plan = plan_session(Library().get(name), device, comfortable_percent=30, first_session=False, neck=True)
        assert -(-sum(map(guided_s, plan.steps)) // 60) == minutes, name


def test_no_word_promises_or_claims() -> None:
    said = " ".join(str(value) for name, value in vars(words).items() if name.isupper()).casefold()
    assert not CLAIMS.search(said)
