"""What is told when, in which words, and what is let go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from companion.care.hydration import Drink, Goal, Hours, Span
from companion.care.reminders import (
    KEPT,
    PATCH_KEEPS,
    SCREENING_KEEPS,
    Agenda,
    Kind,
    MemoryLedger,
    Reminder,
    Upcoming,
    claimed,
    due,
    next_due,
    water_told,
)

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 5, 4)


def at(hour: int, minute: int = 0, *, days: int = 0) -> datetime:
    return datetime.combine(DAY + timedelta(days=days), time(hour, minute), BERLIN)


EVENING = Upcoming(at(19), 12, "Full face")
PLAN = Agenda(zone=BERLIN, session=EVENING)
WATER = Agenda(zone=BERLIN, goal=Goal())


def keys(reminders: list[Reminder]) -> list[str]:
    return [one.key for one in reminders]


# --- a session --------------------------------------------------------------------------------------------------------


def test_a_session_is_told_at_its_time_and_not_before() -> None:
    assert due(at(18, 59), PLAN, {}) == []
    (told,) = due(at(19), PLAN, {})
    assert (told.kind, told.key, told.about) == (Kind.SESSION, "session/2026-05-04/1", "session/2026-05-04/1")
    assert told.text == "Full face, 12 min, whenever you are ready."


def test_a_session_can_be_told_ahead_of_its_time() -> None:
    ahead = Agenda(zone=BERLIN, session=EVENING, session_lead=timedelta(minutes=15))
    assert due(at(18, 44), ahead, {}) == []
    assert keys(due(at(18, 45), ahead, {})) == ["session/2026-05-04/1"]


def test_a_session_that_was_missed_is_told_until_its_day_ends_and_blames_nobody() -> None:
    agenda = Agenda(zone=BERLIN, session=EVENING, quiet=None)
    (late,) = due(at(23, 59), agenda, {})
    assert late.text == "Full face, 12 min: there is still time today, and tomorrow is fine, too."
    assert due(at(0, days=1), agenda, {}) == []
    assert next_due(at(0, days=1), agenda, {}) is None


def test_a_session_without_a_title_has_words_too() -> None:
    untitled = Agenda(zone=BERLIN, session=Upcoming(at(19), 12))
    texts = [due(at(*clock), untitled, {})[0].text for clock in ((19, 0), (19, 30))]
    assert texts == [
        "Your session, whenever you are ready.",
        "There is still time for your session today, and tomorrow is fine, too.",
    ]


def test_a_session_that_was_moved_within_its_day_is_told_again() -> None:
    moved = Agenda(zone=BERLIN, session=Upcoming(at(20), 12, number=2))
    assert keys(due(at(20), moved, {"session/2026-05-04/1": at(19)})) == ["session/2026-05-04/2"]


def test_a_session_keeps_its_key_for_who_travels_past_the_date_line() -> None:
    there = Agenda(zone=ZoneInfo("Pacific/Auckland"), session=EVENING, quiet=None)
    assert keys(due(at(19), there, {})) == ["session/2026-05-04/1"]


# --- health questions and patch test ----------------------------------------------------------------------------------


def test_the_health_questions_are_due_again_after_ninety_days() -> None:
    agenda = Agenda(zone=BERLIN, screened_at=at(12).astimezone(UTC) - timedelta(days=90))
    assert due(at(11, 59), agenda, {}) == []
    (told,) = due(at(12), agenda, {})
    assert told.key == "screening/2026-05-04/1"
    assert "90 days" in told.text
    assert due(at(12) + SCREENING_KEEPS, agenda, {}) == []


def test_the_patch_test_is_asked_about_after_a_day() -> None:
    agenda = Agenda(zone=BERLIN, patch_at=at(9, 15, days=-1))
    assert due(at(9, 14), agenda, {}) == []
    assert keys(due(at(9, 15), agenda, {})) == ["patch/2026-05-04/556"]
    assert due(at(9, 15) + PATCH_KEEPS, agenda, {}) == []


def test_a_day_is_24_hours_also_when_the_clocks_change() -> None:
    began = datetime(2026, 3, 28, 12, 0, tzinfo=BERLIN)
    agenda = Agenda(zone=BERLIN, patch_at=began)
    assert next_due(began, agenda, {}) == datetime(2026, 3, 29, 11, 0, tzinfo=UTC)  # 13:00 there


def test_two_patch_tests_of_one_day_are_two() -> None:
    first, second = (Agenda(zone=BERLIN, patch_at=at(hour, days=-1)) for hour in (9, 17))
    assert keys(due(at(18), first, {})) != keys(due(at(18), second, {}))


# --- water ------------------------------------------------------------------------------------------------------------


def test_water_is_asked_by_the_day_s_schedule() -> None:
    (told,) = due(at(8, 20), WATER, {})
    assert (told.kind, told.key, told.ml) == (Kind.WATER, "water/2026-05-04/1", 200)
    assert told.text == "A glass of water, if you like."
    assert due(at(8, 19), WATER, {}) == []


def test_water_is_told_late_for_half_an_hour_and_then_let_go() -> None:
    assert keys(due(at(8, 49), WATER, {})) == ["water/2026-05-04/1"]
    assert due(at(8, 50), WATER, {}) == []
    assert next_due(at(8, 50), WATER, {}) == at(10, 10).astimezone(UTC)


def test_the_glasses_around_a_session_say_so() -> None:
    agenda = Agenda(zone=BERLIN, session=EVENING, goal=Goal())
    (before,) = due(at(18, 30), agenda, {})
    assert (before.key, before.text) == (
        "water-before/2026-05-04/1",
        "A glass of water before your session, if you like.",
    )
    done = Agenda(zone=BERLIN, done=[Span(at(19), at(19, 12))], goal=Goal())
    (after,) = due(at(19, 42), done, {})
    assert (after.key, after.text) == ("water-after/2026-05-04/1", "A glass of water after your session, if you like.")


def test_less_than_a_glass_is_said_in_millilitres() -> None:
    agenda = Agenda(zone=BERLIN, goal=Goal(1000, glass_ml=240))
    last = due(at(20, 33), agenda, {})
    assert [one.text for one in last] == ["40 mL of water, if you like."]


def test_no_more_is_asked_than_the_goal_lacks() -> None:
    agenda = Agenda(zone=BERLIN, session=EVENING, goal=Goal(), drinks=[Drink(at(8), 1550)])
    (told,) = due(at(18, 30), agenda, {})
    assert (told.ml, told.text) == (50, "50 mL of water before your session, if you like.")


def test_who_must_limit_fluids_or_has_no_goal_hears_nothing_of_water() -> None:
    for goal in (None, Goal(limited=True)):
        assert next_due(at(0), Agenda(zone=BERLIN, goal=goal, session=None), {}) is None


def test_who_has_drunk_is_not_reminded_to() -> None:
    agenda = Agenda(zone=BERLIN, goal=Goal(), drinks=[Drink(at(8, 15))])
    assert due(at(8, 20), agenda, {}) == []


def test_water_is_not_asked_again_within_half_an_hour_whatever_was_set_since() -> None:
    fired = {"water-before/2026-05-04/1": at(8, 0)}
    assert due(at(8, 20), WATER, fired) == []
    assert next_due(at(8, 20), WATER, fired) == at(8, 30).astimezone(UTC)


def test_the_ledger_tells_when_water_was_asked_for() -> None:
    fired = {"water/2026-05-04/1": at(8), "water-after/2026-05-04/1~20260504T080000Z": at(9), "session/x/1": at(10)}
    assert water_told(fired) == [at(8), at(9)]


def test_water_is_looked_ahead_for_past_midnight() -> None:
    assert next_due(at(21, 50), WATER, {}) == at(8, 20, days=1).astimezone(UTC)


# --- quiet hours ------------------------------------------------------------------------------------------------------


def test_what_falls_into_quiet_hours_waits_for_their_end() -> None:
    early = Agenda(zone=BERLIN, session=Upcoming(at(6), 12))
    assert due(at(6), early, {}) == []
    assert next_due(at(6), early, {}) == at(7, 30).astimezone(UTC)
    assert keys(due(at(7, 30), early, {})) == ["session/2026-05-04/1"]


def test_what_is_of_no_use_after_quiet_hours_is_let_go() -> None:
    late = Agenda(zone=BERLIN, session=Upcoming(at(22, 30), 12))
    assert next_due(at(12), late, {}) is None


def test_quiet_hours_can_be_off() -> None:
    late = Agenda(zone=BERLIN, session=Upcoming(at(22, 30), 12), quiet=None)
    assert keys(due(at(22, 30), late, {})) == ["session/2026-05-04/1"]


def test_quiet_hours_that_end_in_a_missing_hour_end_with_the_change() -> None:
    quiet = Hours(time(22), time(2, 30))
    began = datetime(2026, 3, 28, 0, 0, tzinfo=UTC)
    agenda = Agenda(zone=BERLIN, patch_at=began, quiet=quiet)  # due at 01:00 there
    assert next_due(began, agenda, {}) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # 02:00 became 03:00


# --- snooze -----------------------------------------------------------------------------------------------------------


def snoozed(agenda: Agenda, **snoozes: datetime) -> Agenda:
    """Names stand for what is snoozed: kind and number of that day."""
    named = {"{}/2026-05-04/{}".format(*name.split("_")): to for name, to in snoozes.items()}
    return replace(agenda, snoozes=named)


def test_a_snoozed_reminder_comes_once_more_at_its_new_time() -> None:
    fired = {"session/2026-05-04/1": at(19)}
    agenda = snoozed(PLAN, session_1=at(19, 30))
    assert due(at(19, 29), agenda, fired) == []
    (again,) = due(at(19, 30), agenda, fired)
    assert (again.key, again.about) == ("session/2026-05-04/1~20260504T173000Z", "session/2026-05-04/1")
    assert due(at(19, 31), agenda, fired | {again.key: at(19, 30)}) == []


def test_a_reminder_that_was_snoozed_before_its_time_comes_once_in_all() -> None:
    agenda = snoozed(PLAN, session_1=at(20))
    assert due(at(19), agenda, {}) == []
    assert len(due(at(20), agenda, {})) == 1


def test_a_snooze_past_the_day_lets_the_session_go() -> None:
    agenda = snoozed(PLAN, session_1=at(8, days=1))
    assert next_due(at(12), agenda, {}) is None


def test_a_snoozed_glass_comes_back_half_an_hour_after_it_was_asked_at_the_soonest() -> None:
    fired = {"water/2026-05-04/1": at(8, 20)}
    agenda = snoozed(WATER, water_1=at(8, 30))
    assert next_due(at(8, 25), agenda, fired) == at(8, 50).astimezone(UTC)
    assert due(at(8, 49), agenda, fired) == []
    (again,) = due(at(8, 50), agenda, fired)
    assert again.ml == 200


def test_a_snoozed_glass_can_be_told_late_as_well() -> None:
    agenda = snoozed(WATER, water_1=at(8, 25))
    assert len(due(at(9, 19), agenda, {"water/2026-05-04/1": at(8, 20)})) == 1


def test_a_snooze_brings_nothing_forward() -> None:
    for agenda, moment in ((snoozed(WATER, water_1=at(8)), at(8, 20)), (snoozed(PLAN, session_1=at(18)), at(19))):
        assert next_due(at(7, 45), agenda, {}) == moment.astimezone(UTC)


def test_a_glass_that_is_snoozed_towards_the_next_one_is_let_go() -> None:
    fired = {"water/2026-05-04/1": at(8, 20)}
    agenda = snoozed(WATER, water_1=at(9, 45))
    assert next_due(at(8, 25), agenda, fired) == at(10, 10).astimezone(UTC)


def test_of_two_glasses_snoozed_to_one_moment_the_later_one_comes() -> None:
    agenda = snoozed(WATER, water_2=at(12, 35), water_3=at(12, 35))
    assert keys(due(at(12, 35), agenda, {})) == ["water/2026-05-04/3~20260504T103500Z"]


# --- once -------------------------------------------------------------------------------------------------------------


def test_what_is_told_is_told_once() -> None:
    ledger = MemoryLedger()
    assert keys(claimed(at(19), PLAN, ledger)) == ["session/2026-05-04/1"]
    assert claimed(at(19), PLAN, ledger) == []
    assert claimed(at(21), PLAN, ledger) == []


def test_a_ledger_gives_what_was_claimed_since() -> None:
    ledger = MemoryLedger()
    assert ledger.claim("a/2026-05-04/1", at(9))
    assert not ledger.claim("a/2026-05-04/1", at(10))
    assert ledger.fired(at(9)) == {"a/2026-05-04/1": at(9)}
    assert ledger.fired(at(9, 1)) == {}


class Interrupted(MemoryLedger):
    """A ledger in which another process does something after this one's first look."""

    def __init__(self, meanwhile: Callable[[MemoryLedger], object]) -> None:
        super().__init__()
        self._meanwhile: Callable[[MemoryLedger], object] | None = meanwhile

    def fired(self, since: datetime) -> Mapping[str, datetime]:
        seen = super().fired(since)
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            meanwhile(self)
        return seen


def test_of_two_processes_that_look_at_once_one_tells() -> None:
    told: list[Reminder] = []
    ledger = Interrupted(lambda same: told.extend(claimed(at(19), PLAN, same)))
    assert claimed(at(19), PLAN, ledger) == []
    assert len(told) == 1


def test_of_two_processes_that_see_different_glasses_due_one_asks() -> None:
    ledger = Interrupted(lambda same: same.claim("water-before/2026-05-04/1", at(8, 20)))
    assert claimed(at(8, 20), WATER, ledger) == []


def test_no_reminder_is_of_use_for_longer_than_the_ledger_is_asked_for() -> None:
    assert max(SCREENING_KEEPS, PATCH_KEEPS, timedelta(days=1)) < KEPT


def test_the_session_comes_first() -> None:
    agenda = Agenda(zone=BERLIN, session=EVENING, patch_at=at(18, days=-1), goal=Goal(), quiet=None)
    told = due(at(19), agenda, {"water-before/2026-05-04/1": at(18, 30)})
    assert [one.kind for one in told] == [Kind.SESSION, Kind.PATCH]


def test_nothing_to_remind_of_is_never_due() -> None:
    assert next_due(at(12), Agenda(zone=BERLIN), {}) is None
    assert due(at(12), Agenda(zone=BERLIN), {}) == []


def test_a_moment_without_offset_is_refused() -> None:
    naive = datetime(2026, 5, 4, 9)  # noqa: DTZ001 - the point of the test
    for make in (
        lambda: due(naive, PLAN, {}),
        lambda: next_due(naive, PLAN, {}),
        lambda: claimed(naive, PLAN, MemoryLedger()),
        lambda: Upcoming(naive, 12),
        lambda: due(at(12), Agenda(zone=BERLIN, screened_at=naive), {}),
        lambda: due(at(12), Agenda(zone=BERLIN, patch_at=naive), {}),
    ):
        with pytest.raises(ValueError, match="has no UTC offset"):
            make()
