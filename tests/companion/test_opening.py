"""The one door to a session: nobody gets an engine past screening, rest, today's answers, device and routine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from companion.care.plan_layout import PEEL_REST
from companion.care.screening import BLOCK_QUESTIONS, QUESTIONS, TODAY_QUESTIONS, VERSION
from companion.care.skin import PATCH_AGREED, SPECIAL_CARE, SpecialCare
from companion.config import Exit
from companion.dates import Calendar
from companion.routines.library import Library
from companion.session.interlocks import FIRST_SESSION_CAP_PERCENT
from companion.session.model import JournalEntry, JournalKind, Reason, Summary
from companion.session.opening import Blocked, Opening, check_person, open_session, plan_for
from companion.store.database import Store, StoreError
from protocols.dr05 import PROFILE as DR05
from protocols.registry import Registry

MORNING = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
FOREO = Registry.default().get("foreo").profile
FULL_FACE = Library().get("full-face")
FIRST_TOUCH = Library().get("first-touch")
COOL_DOWN = Library().get("cool-down")
CLEAR = {question.id: "no" for question in QUESTIONS}
FINE_TODAY = {question.id: False for question in TODAY_QUESTIONS}


class Household:
    """A store whose date the test sets."""

    def __init__(self, folder: Path) -> None:
        self.date = MORNING
        self.calendar = Calendar(lambda: self.date)
        self.store = Store.open(folder, self.calendar)

    def screened(self, answers: Mapping[str, str] = CLEAR, version: int = VERSION) -> None:
        self.store.save_screening(answers, version)

    def treated(self, zones: Mapping[str, float], *, demo: bool = False) -> None:
        writer = self.store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo)
        writer.finish(Summary(Reason.COMPLETED, zones, 20, sum(zones.values()), 60.0))

    def open(self, **changes: Any) -> Opening:
        arguments: dict[str, Any] = {
            "profile": DR05,
            "protocol": "dr05",
            "device_name": "Dr-05",
            "today": FINE_TODAY,
            "now": 5.0,
        }
        routine = changes.pop("routine", FULL_FACE)
        return open_session(self.store, self.calendar, routine, **{**arguments, **changes})

    def refusal(self, **changes: Any) -> Blocked:
        before = self.store.sessions()
        with pytest.raises(Blocked) as raised:
            self.open(**changes)
        assert "\n" not in str(raised.value)
        assert self.store.sessions() == before, "a session that was not let in was begun"
        return raised.value


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Household]:
    household = Household(tmp_path)
    yield household
    household.store.close()


def test_with_everything_in_order_the_door_opens(home: Household) -> None:
    home.screened()
    told: list[tuple[float, JournalEntry]] = []
    opening = home.open(listeners=[lambda t, entry: told.append((t, entry))])
    assert opening.plan.routine == "full-face"
    assert opening.engine.view(5.0).title == "Full face"
    assert opening.entries == (JournalEntry(JournalKind.SCREENING, {"verdict": "clear", "answered": "2026-03-10"}),)
    opening.journal.append(opening.entries, 0.0)
    assert told == [(0.0, opening.entries[0])]
    record = home.store.sessions()[0]
    assert (record.routine, record.device_name, record.device_key, record.demo) == ("full-face", "Dr-05", "dr05", False)
    opening.journal.close()


def test_h10_without_a_screening_there_is_no_session(home: Household) -> None:
    blocked = home.refusal()
    assert "health questions" in blocked.reason
    assert "companion profile" in blocked.reason
    assert blocked.exit_code is Exit.BLOCKED


def test_h10_a_screening_holds_for_90_days_and_not_a_day_longer(home: Household) -> None:
    home.screened()
    home.date = MORNING + timedelta(days=90)
    home.open().journal.close()
    home.date = MORNING + timedelta(days=90, seconds=1)
    assert "older than 90 days" in home.refusal().reason


def test_h10_a_screening_with_other_questions_does_not_count(home: Household) -> None:
    home.screened(version=VERSION + 1)
    assert "answer them again" in home.refusal().reason


@pytest.mark.parametrize("question", BLOCK_QUESTIONS, ids=lambda question: question.id)
@pytest.mark.parametrize("answer", ["yes", "not sure"])
def test_h10_each_blocking_answer_blocks_with_its_reason(home: Household, question: Any, answer: str) -> None:
    home.screened({**CLEAR, question.id: answer})
    blocked = home.refusal()
    assert question.because in blocked.reason
    assert "ask your doctor" in blocked.reason
    assert blocked.exit_code is Exit.BLOCKED


def test_h10_nobody_can_stand_in_for_the_screening_of_a_real_session(home: Household) -> None:
    assert "health questions" in home.refusal(stand_in=True).reason


def test_h10_a_demo_needs_somebody_to_stand_in_for_the_screening(home: Household) -> None:
    assert "health questions" in home.refusal(demo=True).reason
    opening = home.open(demo=True, stand_in=True)
    assert opening.entries[0].data["answered"] is None
    opening.journal.close()


@pytest.mark.parametrize("question", TODAY_QUESTIONS, ids=lambda question: question.id)
def test_any_yes_of_today_means_not_today(home: Household, question: Any) -> None:
    home.screened()
    assert question.because in home.refusal(today={**FINE_TODAY, question.id: True}).reason


def test_todays_questions_have_to_be_answered(home: Household) -> None:
    home.screened()
    assert "answer all of today's questions" in home.refusal(today={}).reason


def test_h6_twelve_hours_of_rest_between_sessions(home: Household) -> None:
    home.screened()
    home.treated({"chin": 32.0})
    home.date = MORNING + timedelta(hours=11, minutes=59)
    blocked = home.refusal()
    assert "12 hours of rest" in blocked.reason
    assert "20:00" in blocked.reason
    assert blocked.exit_code is Exit.BLOCKED


def test_h6_one_session_a_day_per_zone(home: Household) -> None:
    home.screened()
    home.treated({"left-cheek": 48.0})
    home.date = MORNING + timedelta(hours=13)
    assert "one session a day" in home.refusal().reason
    home.date = MORNING + timedelta(hours=25)
    home.open().journal.close()


def test_h6_is_judged_before_a_device_is_looked_for(home: Household) -> None:
    home.screened()
    home.treated({"chin": 32.0})
    with pytest.raises(Blocked, match="12 hours of rest"):
        check_person(home.store, home.calendar, FULL_FACE.zones, demo=False, stand_in=False)


def test_h6_a_demo_is_always_rested(home: Household) -> None:
    home.treated({"chin": 32.0}, demo=True)
    home.open(demo=True, stand_in=True).journal.close()


def test_a_routine_that_the_device_cannot_do_is_a_usage_fault(home: Household) -> None:
    home.screened()
    blocked = home.refusal(profile=FOREO)
    assert "microcurrent" in blocked.reason
    assert blocked.exit_code is Exit.USAGE


def test_h2_a_first_session_is_capped_whatever_the_person_chose(home: Household) -> None:
    home.store.set_comfortable(80)
    plan = plan_for(home.store, FULL_FACE, DR05)
    assert plan.limits.cap_percent == FIRST_SESSION_CAP_PERCENT
    home.treated({"chin": 32.0})
    assert plan_for(home.store, FULL_FACE, DR05).limits.cap_percent == 80


def test_zones_that_the_person_never_treats_are_left_out(home: Household) -> None:
    home.screened()
    opening = home.open(no_go=["left-jawline", "right-jawline"])
    assert opening.plan.left_out == ("left-jawline", "right-jawline")
    assert "left-jawline" not in {step.zone for step in opening.plan.steps}
    opening.journal.close()


def test_one_session_at_a_time(home: Household) -> None:
    home.screened()
    opening = home.open()
    with pytest.raises(StoreError, match="running already"):
        home.open(routine=FIRST_TOUCH)
    opening.journal.close()


# --- a session without output -----------------------------------------------------------------------------------------


def test_h6_a_routine_without_output_needs_no_rest_and_is_no_session_to_rest_from(home: Household) -> None:
    home.screened()
    home.treated({"chin": 32.0})
    home.date = MORNING + timedelta(minutes=1)
    opening = home.open(routine=COOL_DOWN)
    opening.journal.finish(Summary(Reason.COMPLETED, {}, 0, 0.0, 240.0))
    assert [session.zones for session in home.store.past_sessions()] == [{"chin"}]
    home.date = MORNING + timedelta(hours=24)
    home.open().journal.close()


def test_h2_a_routine_without_output_is_no_first_session(home: Household) -> None:
    home.screened()
    home.open(routine=COOL_DOWN).journal.finish(Summary(Reason.COMPLETED, {}, 0, 0.0, 240.0))
    assert home.store.person().first_session
    home.open(routine=COOL_DOWN).journal.finish(Summary(Reason.COMPLETED, {}, 0, 0.0, 240.0))


def test_h10_a_routine_without_output_asks_for_the_screening_and_today_all_the_same(home: Household) -> None:
    assert "health questions" in home.refusal(routine=COOL_DOWN).reason
    home.screened()
    yes = {**FINE_TODAY, TODAY_QUESTIONS[0].id: True}
    assert "Not today" in home.refusal(routine=COOL_DOWN, today=yes).reason


# --- the person's zones -----------------------------------------------------------------------------------------------


def test_the_persons_own_zones_hold_whoever_opens_the_door(home: Household) -> None:
    home.screened()
    home.store.set_zones(neck=True, no_go={"left-jawline"})
    opening = home.open(no_go=["chin"])
    assert set(opening.plan.left_out) == {"left-jawline", "chin"}
    opening.journal.close()
    jaw = Library().get("jaw-and-neck")
    assert set(plan_for(home.store, jaw, DR05).left_out) == {"left-jawline", "left-neck", "right-neck"}
    assert plan_for(home.store, jaw, replace(DR05, neck_cleared=True)).left_out == ("left-jawline",)
    home.store.set_zones(neck=False, no_go=())
    assert plan_for(home.store, jaw, replace(DR05, neck_cleared=True)).left_out == ("left-neck", "right-neck")


# --- the skin ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("routine", [FULL_FACE, COOL_DOWN], ids=["output", "no output"])
def test_h10_a_skin_check_that_said_not_today_keeps_the_door_shut_until_tomorrow(home: Household, routine: Any) -> None:
    home.screened()
    home.store.diary.check_skin(1, 4, 1)
    home.date = MORNING + timedelta(hours=9)
    home.store.diary.check_skin(1, 1, 1)
    blocked = home.refusal(routine=routine)
    assert "skin check says red" in blocked.reason
    assert blocked.exit_code is Exit.BLOCKED
    home.date = MORNING + timedelta(days=1)
    home.open(routine=routine).journal.close()


def test_h10_where_the_skin_check_is_offered_there_is_no_session_without_one(home: Household) -> None:
    home.screened()
    home.treated({"chin": 30.0})
    home.date = MORNING + timedelta(days=2)
    assert "skin check first" in home.refusal(ask_care=True).reason
    assert "skin check first" in home.refusal(ask_care=True, demo=True, stand_in=True).reason
    home.store.diary.check_skin(2, 2, 2)
    home.open(ask_care=True).journal.close()


def test_h10_a_skin_that_asks_for_care_gets_half(home: Household) -> None:
    home.screened()
    whole = plan_for(home.store, FULL_FACE, DR05)
    home.store.diary.check_skin(1, 3, 1)
    opening = home.open()
    assert (whole.limits.cap_percent, opening.plan.limits.cap_percent) == (30, 15)
    assert opening.plan == plan_for(home.store, FULL_FACE, DR05, calendar=home.calendar)
    assert sum(step.seconds for step in opening.plan.steps) <= sum(step.seconds for step in whole.steps) / 2
    opening.journal.close()


def test_h10_a_peel_keeps_the_door_shut_for_a_week(home: Household) -> None:
    home.screened()
    home.store.diary.choose(SPECIAL_CARE, (SpecialCare("peel", MORNING.date()),))
    home.date = MORNING + PEEL_REST
    assert "After a peel" in home.refusal().reason
    assert "After a peel" in home.refusal(routine=COOL_DOWN).reason
    home.date = MORNING + PEEL_REST + timedelta(days=1)
    home.open().journal.close()


def test_steam_and_exfoliation_are_let_in_on_calm_skin_twice_a_week_and_noted(home: Household) -> None:
    home.screened()
    assert "do your skin check first" in home.refusal(optional=["exfoliation"]).reason
    for days in (0, 2, 4):
        home.date = MORNING + timedelta(days=days)
        home.store.diary.check_skin(1, 1, 1)
        if days == 4:
            assert "twice a week at most" in home.refusal(optional=["steam"]).reason
        else:
            opening = home.open(optional=["steam", "exfoliation", "massage"])
            assert {"Steam", "Exfoliation"} <= {step.title for step in opening.plan.steps}
            opening.journal.close()
    kept = home.store.diary.choice(SPECIAL_CARE, tuple[SpecialCare, ...])
    assert kept is not None
    assert {care.on for care in kept} == {MORNING.date(), MORNING.date() + timedelta(days=2)}
    home.open(optional=["massage"]).journal.close()
    assert home.store.diary.choice(SPECIAL_CARE, tuple[SpecialCare, ...]) == kept


# --- the patch test ---------------------------------------------------------------------------------------------------


def test_h10_where_the_patch_test_is_offered_the_first_use_is_the_test_or_a_no_to_it(home: Household) -> None:
    home.screened()
    home.store.diary.check_skin(1, 1, 1)
    assert "patch test" in home.refusal(ask_care=True).reason
    home.open(ask_care=True, routine=FIRST_TOUCH).journal.close()
    home.open(ask_care=True, routine=COOL_DOWN).journal.close()
    home.store.diary.begin_patch_test("declined", "left out by choice")
    home.open(ask_care=True).journal.close()


def test_whoever_had_sessions_before_is_not_asked_for_a_patch_test(home: Household) -> None:
    home.screened()
    home.treated({"chin": 30.0})
    home.date = MORNING + timedelta(days=2)
    home.store.diary.check_skin(1, 1, 1)
    home.open(ask_care=True).journal.close()


def test_h10_a_patch_test_that_was_begun_is_waited_for_and_looked_at(home: Household) -> None:
    home.screened()
    home.store.diary.begin_patch_test("forearm")
    assert "needs its 24 hours" in home.refusal().reason
    assert "needs its 24 hours" in home.refusal(routine=FIRST_TOUCH).reason
    home.open(routine=COOL_DOWN).journal.close()
    home.date = MORNING + timedelta(hours=24)
    assert "Say whether it is calm" in home.refusal().reason
    home.store.diary.end_patch_test("calm")
    home.open().journal.close()


def test_h10_a_reaction_blocks_output_until_a_doctor_agreed_and_then_allows_another_test_alone(
    home: Household,
) -> None:
    home.screened()
    home.store.set_comfortable(80)
    home.store.diary.begin_patch_test("jaw")
    home.store.diary.end_patch_test("reaction", "red the day after")
    home.date = MORNING + timedelta(days=20)
    for routine in (FULL_FACE, FIRST_TOUCH):
        assert "reacted to the patch test" in home.refusal(routine=routine).reason
    home.store.diary.begin_patch_test("declined")
    assert "reacted to the patch test" in home.refusal().reason
    home.store.diary.choose(PATCH_AGREED, home.date)
    assert "another patch test" in home.refusal().reason
    opening = home.open(routine=FIRST_TOUCH)
    assert opening.plan.limits.cap_percent == DR05.lowest_percent
    opening.journal.close()
    home.store.diary.begin_patch_test("jaw")
    home.date += timedelta(days=1)
    home.store.diary.end_patch_test("calm")
    opening = home.open()
    assert opening.plan.limits.cap_percent == FIRST_SESSION_CAP_PERCENT
    opening.journal.close()


def test_one_persons_skin_is_nobody_elses(home: Household, tmp_path: Path) -> None:
    home.screened()
    home.store.people.add("Kim")
    with Store.open(tmp_path, home.calendar, person="Kim") as kims:
        kims.diary.check_skin(1, 5, 5)
        kims.diary.begin_patch_test("jaw")
    home.open().journal.close()
