"""The plan by example: phases, rollover, pauses, peels, streaks that forgive, and what is said about them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest

from companion.care.plan import Diary, Done, Mark, Outlook, may_today, outlook
from companion.care.plans import (
    COURSE_4,
    LEAST_REST_H,
    PLANS,
    Chosen,
    Custom,
    Pause,
    PauseReason,
    Phase,
    plan_of,
)
from companion.session.interlocks import REST
from companion.words import plan as words

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 5, 4)
COURSE = Chosen(MONDAY)
NOTHING = Diary()
LETTERS = {
    Mark.DONE: "D", Mark.PLANNED: "P", Mark.REST: ".", Mark.PAUSED: "|", Mark.PUT_OFF: "x", Mark.MOVED: ">",
    Mark.MISSED: "m", Mark.FREE: "_",
}  # fmt: skip


def day(number: int) -> date:
    """Day ``number`` of the plan, counted from 0."""
    return MONDAY + timedelta(days=number)


def moment(number: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime.combine(day(number), time(hour, minute), tzinfo=BERLIN)


def held(*numbers: int) -> tuple[Done, ...]:
    """Sessions on the evenings of these days."""
    return tuple(Done(moment(number, 19, 12)) for number in numbers)


def look(chosen: Chosen, now: int, *done: int, days: int = 35, diary: Diary | None = None) -> Outlook:
    """The outlook of the morning of day ``now``, from the first day of the plan on."""
    seen = Diary(held(*done)) if diary is None else diary
    return outlook(chosen, seen, moment(now), zone=BERLIN, first=MONDAY, days=days)


def drawn(seen: Outlook) -> str:
    """The days of an outlook as one letter each, a week in a word."""
    return " ".join(re.findall(".{1,7}", "".join(LETTERS[day.mark] for day in seen.days)))


# --- the catalogue ----------------------------------------------------------------------------------------------------


def test_every_plan_rests_at_least_as_long_as_the_interlock_and_ends_in_an_open_phase() -> None:
    assert timedelta(hours=LEAST_REST_H) == REST
    assert list(PLANS) == ["course-4", "home-5x60", "gentle", "sensitive"]
    for plan in PLANS.values():
        assert all(timedelta(hours=phase.rest_h) >= REST for phase in plan.phases)
        assert [phase.days is None for phase in plan.phases] == [False] * (len(plan.phases) - 1) + [True]
        assert [phase.rollover for phase in plan.phases] == [phase.days is not None for phase in plan.phases]


def test_the_default_course_is_eight_to_twelve_sessions_in_28_days_and_then_one_a_week() -> None:
    intensive, after = COURSE_4.phases
    assert (intensive.days, intensive.fewest * 4, intensive.most * 4) == (28, 8, 12)
    assert (after.fewest, after.most) == (1, 1)
    assert drawn(look(COURSE, 0, days=42)) == "P.P.P.. P.P.P.. P.P.P.. P.P.P.. P...... P......"


def test_the_home_plan_has_five_days_a_week_for_sixty_days_and_then_two() -> None:
    seen = look(Chosen(MONDAY, "home-5x60"), 0, days=77)
    *weeks, last, _, _ = drawn(seen).split()
    assert weeks == ["PPPPP.."] * 8
    assert last == "PPP.P.."  # four days are left of the sixty, then the next phase begins
    by_phase = [[one for one in seen.proposals if one.phase == phase] for phase in (0, 1)]
    assert len(by_phase[0]) == 8 * 5 + 3
    assert by_phase[0][-1].at.date() < day(60) <= by_phase[1][0].at.date()
    assert [sum(one.week == week for one in by_phase[1]) for week in (0, 1)] == [2, 2]


def test_sensitive_skin_has_48_hours_between_sessions_however_the_weekdays_are_wished() -> None:
    seen = look(Chosen(MONDAY, "sensitive", weekdays=(0, 1, 2)), 0)
    times = [one.at.astimezone(UTC) for one in seen.proposals]
    gaps = [later - earlier - timedelta(minutes=10) for earlier, later in pairwise(times)]
    assert min(gaps) >= timedelta(hours=48)
    assert len(times) >= 10  # two a week at least are left


def test_a_session_waits_within_its_day_for_the_end_of_a_rest_and_no_later_than_ten() -> None:
    late = Diary((Done(moment(-1, 23, 31)),))
    morning = Chosen(MONDAY, at=time(8, 0))
    assert look(morning, 0, diary=late).next_session == moment(0, 11, 35)
    evening = Custom(first_days=0, then_a_week=7, rest_h=23)
    seen = look(Chosen(MONDAY, "custom", custom=evening), 0, diary=Diary((Done(moment(-1, 23, 31)),)))
    assert seen.next_session == moment(1, 19)


def test_own_numbers_make_a_plan_within_the_same_limits() -> None:
    own = Chosen(MONDAY, "custom", minutes=8, custom=Custom(first_days=14, first_a_week=4, then_a_week=2, rest_h=24))
    assert [phase.days for phase in plan_of(own).phases] == [14, None]
    assert plan_of(own).minutes == 8
    assert [week.count("P") for week in drawn(look(own, 0, days=28)).split()] == [4, 4, 2, 2]
    without = Chosen(MONDAY, "custom", custom=Custom(first_days=0))
    assert [phase.days for phase in plan_of(without).phases] == [None]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        pytest.param(lambda: Custom(rest_h=11), "at least 12 hours", id="less rest than the interlock"),
        pytest.param(lambda: Custom(first_a_week=8), "1 to 7", id="eight a week"),
        pytest.param(lambda: Custom(then_a_week=0), "1 to 7", id="none a week"),
        pytest.param(lambda: Custom(first_a_week=7, rest_h=24), "do not leave 24 hours", id="no room for the rest"),
        pytest.param(lambda: Custom(first_days=-1), "fewer than 0", id="minus one day"),
        pytest.param(lambda: Custom(first_days=366), "365", id="more than a year"),
        pytest.param(lambda: Phase("x", 7, 3, 2, 3, 12, rollover=True), "1 to 7", id="usually less than least"),
        pytest.param(lambda: Chosen(MONDAY, "often"), "no plan 'often'", id="unknown plan"),
        pytest.param(lambda: Chosen(MONDAY, "custom"), "own numbers", id="custom without numbers"),
        pytest.param(lambda: Chosen(MONDAY, custom=Custom()), "own numbers", id="numbers without custom"),
        pytest.param(lambda: Chosen(MONDAY, weekdays=(7,)), "0 (Monday)", id="an eighth weekday"),
        pytest.param(lambda: Chosen(MONDAY, at=time(9, tzinfo=UTC)), "on the wall", id="a time with offset"),
        pytest.param(lambda: Chosen(MONDAY, minutes=21), "1 to 20", id="longer than a session may be"),
        pytest.param(lambda: Chosen(date(26, 5, 4)), "not a date", id="the year 26"),
        pytest.param(lambda: Pause(day(2), day(1)), "cannot end", id="a pause that ends before it begins"),
        pytest.param(lambda: Pause(day(2), date(9999, 12, 31)), "not a date", id="a pause for ages"),
        pytest.param(lambda: Done(datetime(2026, 5, 4, 9)), "no UTC offset", id="done without offset"),  # noqa: DTZ001
        pytest.param(
            lambda: outlook(COURSE, Diary(), datetime(2026, 5, 4, 9), zone=BERLIN),  # noqa: DTZ001
            "no UTC offset",
            id="now without offset",
        ),
        pytest.param(
            lambda: outlook(COURSE, Diary(), moment(0), zone=BERLIN, days=0), "at least one day", id="no days"
        ),
    ],
)
def test_what_makes_no_sense_is_said_and_not_planned(make: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        make()  # type: ignore[operator]


def test_a_choice_is_kept_as_json_and_read_with_the_same_checks() -> None:
    chosen = Chosen(
        MONDAY, "custom", (0, 3), time(7, 30), 9, (Pause(day(3), None, PauseReason.ILLNESS),), Custom(rest_h=20)
    )
    assert msgspec.json.decode(msgspec.json.encode(chosen), type=Chosen) == chosen
    with pytest.raises(msgspec.ValidationError, match="at least 12 hours"):
        msgspec.json.decode(msgspec.json.encode(chosen).replace(b'"rest_h":20', b'"rest_h":2'), type=Chosen)


# --- the days of a week -----------------------------------------------------------------------------------------------


def test_sessions_fall_on_the_wished_weekdays_and_their_number_follows_within_the_plan() -> None:
    assert drawn(look(Chosen(MONDAY, weekdays=(1, 4)), 0, days=14)) == ".P..P.. .P..P.."
    assert drawn(look(Chosen(MONDAY, weekdays=(2,)), 0, days=7)).count("P") == 2  # the plan asks for two at least
    assert drawn(look(Chosen(MONDAY, weekdays=(2,)), 0, days=7))[2] == "P"
    assert drawn(look(Chosen(MONDAY, weekdays=(0, 1, 2, 3, 4, 5, 6)), 0, days=7)) == "P.P.P.."


def test_a_missed_session_moves_to_another_day_of_its_week_in_the_intensive_phase() -> None:
    assert drawn(look(COURSE, 1, days=7)) == ">PP.P.."
    assert drawn(look(COURSE, 3, 0, days=7)) == "D.>PP.."
    assert drawn(look(COURSE, 5, 0, 2, days=14)) == "D.D.>P. P.P.P.."


def test_a_moved_session_leaves_the_next_week_alone() -> None:
    assert drawn(look(COURSE, 6, 0, days=14)) == "D_>___P P.P.P.."
    seen = look(COURSE, 7, 0, days=14)
    assert drawn(seen).split()[1] == "P.P.P.."
    assert sum(one.week == 1 for one in seen.proposals) == 3


def test_a_session_moves_only_to_where_the_next_one_keeps_its_rest() -> None:
    own = Chosen(MONDAY, "custom", (0, 2, 4), custom=Custom(first_a_week=3, rest_h=36))
    first, second = drawn(look(own, 1, days=14)).split()
    assert [number for number, letter in enumerate(first) if letter == "P"] == [2, 4]
    assert second == "P.P.P.."


def test_no_move_fills_a_third_day_in_a_row_of_the_course() -> None:
    seen = look(COURSE, 2, days=7)  # Monday's and Wednesday's are open on Wednesday
    assert "PPP" not in drawn(seen)
    assert drawn(seen) == ">.P.PP."


def test_a_missed_session_does_not_move_in_maintenance() -> None:
    gentle = Chosen(MONDAY, "gentle", weekdays=(0, 3))
    assert drawn(look(gentle, 1, days=14)) == "m__P___ P..P..."
    course = look(COURSE, 29, *range(0, 28, 2), days=42)
    assert drawn(course).split()[4:] == ["m______", "P......"]


def test_a_session_on_another_day_takes_the_place_of_the_one_that_was_open() -> None:
    assert drawn(look(COURSE, 2, 1, days=7)) == ">DP.P.."
    assert drawn(look(COURSE, 4, 0, 3, days=7)) == "D.>DP.."
    seen = look(COURSE, 6, 0, 2, 3, days=7)
    assert "P" not in drawn(seen)


def test_more_sessions_than_planned_are_no_fault_and_ask_for_no_fewer_next_week() -> None:
    seen = look(COURSE, 7, 0, 1, 2, 3, 4, days=14)
    assert drawn(seen).split()[1] == "P.P.P.."
    assert seen.week_shares[0].share == 1.0
    assert seen.week_shares[0].done == seen.week_shares[0].aim == 3


def test_two_of_two_to_three_keep_a_week_and_nothing_was_missed() -> None:
    seen = look(COURSE, 7, 0, 2, days=7)
    assert drawn(seen) == "D_D____"
    assert seen.week_shares[0].share == 1.0
    assert seen.week_shares[0].closed
    assert not seen.week_shares[1].closed


# --- what stands against a session ------------------------------------------------------------------------------------


def test_a_pause_shows_no_sessions_and_moves_the_end_of_the_phase() -> None:
    away = Chosen(MONDAY, pauses=(Pause(day(7), day(13), PauseReason.TRAVEL),))
    assert drawn(look(away, 0, days=49)) == "P.P.P.. ||||||| P.P.P.. P.P.P.. P.P.P.. P...... P......"
    assert look(away, 9).phase_line == "Paused until Sunday, 17 May."
    assert look(away, 9).why == "Your plan is paused until Sunday, 17 May: it waits for you, nothing is lost."
    assert look(away, 9).next_session == moment(14, 19)
    assert look(away, 14).phase_line == "First weeks, week 2 of 4: 0 of 3 this week."


def test_a_pause_inside_a_week_makes_that_week_longer_and_loses_none_of_its_sessions() -> None:
    ill = Chosen(MONDAY, pauses=(Pause(day(2), day(4), PauseReason.ILLNESS),))
    assert drawn(look(ill, 0, days=14)).replace(" ", "")[:10].count("P") == 3
    assert "m" not in drawn(look(ill, 5, 0))


def test_an_open_pause_has_no_next_session_and_misses_nothing() -> None:
    ill = Chosen(MONDAY, pauses=(Pause(day(2), None, PauseReason.ILLNESS),))
    seen = look(ill, 60, days=70)
    assert seen.next_session is None
    assert seen.proposals == ()
    assert seen.phase_line == words.PAUSED_OPEN
    assert seen.why == words.WHY_PAUSED_OPEN
    assert set(drawn(seen).replace(" ", "")[2:]) == {"|"}
    assert "m" not in drawn(seen)


def test_pauses_that_overlap_count_once_and_the_longest_is_told() -> None:
    pauses = (Pause(day(9), day(13)), Pause(day(7), day(10)), Pause(day(8), day(9)))
    assert drawn(look(Chosen(MONDAY, pauses=pauses), 0, days=21)) == "P.P.P.. ||||||| P.P.P.."
    assert look(Chosen(MONDAY, pauses=pauses), 9).phase_line == "Paused until Sunday, 17 May."


def test_a_peel_keeps_seven_days_free_and_the_next_session_comes_after_them() -> None:
    peeled = Diary(held(0), peels=(day(1),))
    seen = look(COURSE, 2, days=14, diary=peeled)
    assert drawn(seen).replace(" ", "")[1:9] == "x" * 8
    assert seen.next_session == moment(9, 19)
    assert seen.why == "Your skin has a week to itself: sessions are back on Wednesday, 13 May."
    assert drawn(look(COURSE, 9, diary=Diary(held(0), peels=(day(1),)))).count("m") == 0


def test_a_day_that_said_not_today_moves_its_session_even_in_maintenance() -> None:
    gentle = Chosen(MONDAY, "gentle", weekdays=(0, 3))
    sore = Diary(not_today=(day(0),))
    assert drawn(look(gentle, 0, days=7, diary=sore)) == "xP.P..."
    assert look(gentle, 0, days=7, diary=sore).why == words.WHY_NOT_TODAY
    assert drawn(look(gentle, 2, days=7, diary=sore)) == "x.PP..."
    assert drawn(look(gentle, 7, days=7, diary=sore)).count("m") == 1  # the second one was not done either


def test_a_slot_that_the_rest_forbade_was_not_missed() -> None:
    sensitive = Chosen(MONDAY, "sensitive", weekdays=(0, 3))
    sunday = Diary((Done(moment(6, 21, 0)), *held(10)))
    seen = look(sensitive, 14, days=14, diary=sunday)
    assert drawn(seen).split()[1][0] != "m"


# --- today ------------------------------------------------------------------------------------------------------------


def test_today_says_in_words_what_the_plan_has() -> None:
    def today(now: datetime, diary: Diary = NOTHING, chosen: Chosen = COURSE) -> tuple[bool, Mark, str]:
        answer = may_today(chosen, diary, now, zone=BERLIN)
        return answer.allowed, answer.mark, answer.reason

    assert today(moment(0)) == (True, Mark.PLANNED, "Planned for today at 19:00.")
    assert today(moment(-3)) == (True, Mark.FREE, words.WHY_FREE)
    assert today(moment(1, 21), Diary(held(0))) == (True, Mark.REST, words.WHY_REST)
    assert today(moment(0, 21), Diary(held(0))) == (False, Mark.DONE, words.WHY_DONE)
    assert today(moment(1), Diary((Done(moment(0, 23)),))) == (
        False,
        Mark.REST,
        "Your skin needs 12 hours of rest between sessions: the next one can start at 11:00.",
    )
    assert today(moment(0), Diary(not_today=(day(0),))) == (False, Mark.PUT_OFF, words.WHY_NOT_TODAY)
    assert today(moment(0), Diary(peels=(day(-7),)))[:2] == (False, Mark.PUT_OFF)
    assert today(moment(0), Diary(peels=(day(-8),)))[:2] == (True, Mark.PLANNED)
    away = Chosen(MONDAY, pauses=(Pause(day(0)),))
    assert today(moment(0), chosen=away) == (False, Mark.PAUSED, words.WHY_PAUSED_OPEN)


def test_todays_session_is_due_until_midnight_and_not_again_once_it_is_done() -> None:
    late = outlook(COURSE, Diary(), moment(0, 23, 30), zone=BERLIN)
    assert late.next_session == moment(0, 19)
    done = outlook(COURSE, Diary((Done(moment(0, 23, 45)),)), moment(0, 23, 50), zone=BERLIN)
    assert done.next_session == moment(2, 19)
    assert done.why == words.WHY_DONE


def test_before_its_start_the_plan_waits() -> None:
    seen = look(COURSE, -2)
    assert seen.phase_line == "Starts on Monday, 4 May."
    assert seen.next_session == moment(0, 19)
    assert seen.sessions == 0
    earlier = look(COURSE, 0, diary=Diary(held(-3)))
    assert earlier.sessions == 0  # what was before the plan is no part of it


def test_the_phase_line_says_where_one_is() -> None:
    assert look(COURSE, 8, 0, 2, 4, 7).phase_line == "First weeks, week 2 of 4: 1 of 3 this week."
    assert look(COURSE, 28).phase_line == "Keeping it up, week 1: 0 of 1 this week."


def test_a_session_is_proposed_at_the_same_time_on_the_wall_across_a_clock_change() -> None:
    spring = outlook(Chosen(date(2026, 3, 23)), Diary(), datetime(2026, 3, 23, 9, tzinfo=BERLIN), zone=BERLIN)
    assert {one.at.time() for one in spring.proposals} == {time(19)}
    assert {one.at.utcoffset() for one in spring.proposals} == {timedelta(hours=1), timedelta(hours=2)}
    gap = outlook(
        Chosen(date(2026, 3, 29), at=time(2, 30)), Diary(), datetime(2026, 3, 29, 0, 5, tzinfo=BERLIN), zone=BERLIN
    )
    assert gap.next_session is not None
    assert gap.next_session.isoformat() == "2026-03-29T03:30:00+02:00"  # there is no half past two that night


def test_a_day_that_a_zone_left_out_has_no_session() -> None:
    apia = ZoneInfo("Pacific/Apia")
    daily = Chosen(date(2011, 12, 26), "custom", custom=Custom(first_days=0, then_a_week=7))
    seen = outlook(daily, Diary(), datetime(2011, 12, 26, 9, tzinfo=apia), zone=apia, days=10)
    assert [one.at.day for one in seen.proposals] == [26, 27, 28, 29, 31, 1, 2, 3, 4]


# --- what came of it --------------------------------------------------------------------------------------------------


def test_the_fifth_session_is_a_moment_to_compare_and_the_sixth_is_not() -> None:
    milestones = {count: look(COURSE, 20, *range(0, 2 * count, 2)).milestone for count in range(8)}
    assert {count for count, words_ in milestones.items() if words_} == {5}
    assert "skin checks and photos" in milestones[5]


def test_two_missed_days_a_month_leave_a_streak_and_a_third_begins_a_new_one() -> None:
    weekly = Chosen(MONDAY, "custom", (0,), custom=Custom(first_days=0, then_a_week=1))
    assert look(weekly, 15, 0).streak.sessions == 1
    forgiven = look(weekly, 22, 0, 21)  # two Mondays of May were let go
    assert (forgiven.streak.sessions, forgiven.streak.forgiven_this_month) == (2, 2)
    broken = look(weekly, 22, 0)  # and with the third one it is three
    assert (broken.streak.sessions, broken.streak.forgiven_this_month) == (0, 2)
    again = look(weekly, 29, 0, 28)
    assert again.streak.sessions == 1
    june = look(weekly, 43, 0, 7, 14, 21, 28)  # a new month forgives anew: two Mondays of June
    assert (june.streak.sessions, june.streak.forgiven_this_month) == (5, 2)


def test_pauses_peels_and_not_today_never_cost_a_streak() -> None:
    weekly = Custom(first_days=0, then_a_week=1)
    away = Chosen(MONDAY, "custom", (0,), pauses=(Pause(day(6), day(40)),), custom=weekly)
    assert look(away, 41, 0).streak == look(away, 1, 0).streak
    sore = Diary(held(0), not_today=tuple(day(number) for number in (7, 14, 21)))
    chosen = Chosen(MONDAY, "custom", (0,), custom=weekly)
    assert look(chosen, 28, diary=sore).streak.sessions == 1
    assert look(chosen, 28, 0).streak.sessions == 0


def test_a_week_is_shared_out_for_the_heat_map() -> None:
    seen = look(COURSE, 21, 0, 2, 4, 7, 9, 14)
    assert [(week.first, week.done, week.aim, week.fewest, week.share) for week in seen.week_shares] == [
        (day(0), 3, 3, 2, 1.0),
        (day(7), 2, 3, 2, 1.0),
        (day(14), 1, 3, 2, 0.5),
        (day(21), 0, 3, 2, 0.0),
    ]
    sore = Diary(not_today=tuple(day(number) for number in range(7)))
    assert look(COURSE, 7, diary=sore).week_shares[0].share is None


def test_travel_does_not_rewrite_what_was() -> None:
    """A session is on the day that it was there, wherever one is now; what comes next follows the new zone."""
    history = Diary(held(0, 2, 4))
    west = ZoneInfo("Pacific/Pago_Pago")
    there = outlook(COURSE, history, moment(5, 20), zone=west, first=MONDAY, days=7)
    assert there.today == day(5)
    assert drawn(there)[:5] == "D.D.D"
    assert there.sessions == 3
    assert all(one.at.utcoffset() == timedelta(hours=-11) for one in there.proposals)


def test_one_session_a_day_holds_by_the_date_there_and_by_the_date_here() -> None:
    daily = Chosen(MONDAY, "custom", custom=Custom(first_days=0, then_a_week=7))
    west, east = ZoneInfo("Pacific/Pago_Pago"), ZoneInfo("Pacific/Kiritimati")
    by_here = Diary((Done(moment(1, 6).astimezone(west)),))  # there it was still the day before
    assert outlook(daily, by_here, moment(1, 7), zone=BERLIN).next_session == moment(2, 19)
    by_there = Diary((Done(moment(1, 13).astimezone(east)),))  # there it was the next day
    assert by_there.done[0].ended_at.date() == day(2)
    assert outlook(daily, by_there, moment(2, 7), zone=BERLIN).next_session == moment(3, 19)
    ahead = Diary((Done(moment(2, 13).astimezone(east)),))  # Wednesday here, Thursday there
    seen = outlook(COURSE, ahead, moment(2, 14), zone=BERLIN, first=MONDAY, days=7)
    assert drawn(seen) == ">..DP.P"  # nothing more on either, and no third day in a row


def test_a_rest_that_ends_on_the_next_day_brings_no_session_into_a_pause() -> None:
    away = Chosen(MONDAY, "sensitive", weekdays=(0, 1), pauses=(Pause(day(2), day(2)),))
    seen = look(away, 1, 0, days=7)
    assert drawn(seen)[:3] == "D.|"
    assert seen.next_session == moment(3, 19)


def test_the_day_of_a_clock_change_is_free_after_a_session_that_its_clock_counts_to_it() -> None:
    """H6: half past eleven in the evening of winter time is half past midnight on the summer clock of the next day."""
    daily = Chosen(date(2026, 3, 28), "custom", custom=Custom(first_days=0, then_a_week=7))
    late = Diary((Done(datetime(2026, 3, 28, 23, 30, tzinfo=BERLIN)),))
    seen = outlook(daily, late, datetime(2026, 3, 29, 9, tzinfo=BERLIN), zone=BERLIN)
    assert seen.next_session == datetime(2026, 3, 30, 19, tzinfo=BERLIN)


def test_all_that_is_said_is_free_of_shame_and_of_claims() -> None:
    said = " ".join(value for name, value in vars(words).items() if isinstance(value, str) and name.isupper())
    said += " ".join(words.MARKS.values())
    assert set(words.MARKS) == {mark.value for mark in Mark}
    for forbidden in ("fail", "missed", "broke", "lost your", "should have", "collagen", "detox", "cure", "heal"):
        assert forbidden not in said.lower()
