"""The one door to a session: nobody gets an engine past screening, rest, today's answers, device and routine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from companion.care.screening import BLOCK_QUESTIONS, QUESTIONS, TODAY_QUESTIONS, VERSION
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
