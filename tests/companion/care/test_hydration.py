"""Water through a day: what is counted, what is asked when, and what is left unasked."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from companion.care.hydration import (
    Ask,
    Drink,
    Goal,
    Hours,
    Occasion,
    Span,
    instant,
    postponed,
    schedule,
    total_ml,
    water,
)

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 5, 4)
EVENING = Span(datetime(2026, 5, 4, 19, 0, tzinfo=BERLIN), datetime(2026, 5, 4, 19, 12, tzinfo=BERLIN))


def at(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return datetime.combine(day, time(hour, minute), BERLIN)


def clocks(asks: tuple[Ask, ...]) -> list[str]:
    return [f"{ask.at.astimezone(BERLIN):%H:%M}" for ask in asks]


# --- goals and drinks -------------------------------------------------------------------------------------------------


def test_the_usual_goal_is_what_a_woman_is_advised_to_drink_in_glasses_of_200() -> None:
    assert (Goal().ml, Goal().glass_ml, Drink(at(9)).ml) == (1600, 200, 200)
    assert not Goal().limited


@pytest.mark.parametrize("ml", [499, 3501, 0, -1600])
def test_a_goal_outside_sensible_bounds_is_refused(ml: int) -> None:
    with pytest.raises(ValueError, match=f"500 to 3500 mL of drinks, not {ml}"):
        Goal(ml)


@pytest.mark.parametrize("ml", [49, 251])
def test_a_glass_is_never_more_than_may_be_asked_at_once(ml: int) -> None:
    with pytest.raises(ValueError, match=f"50 to 250 mL, not {ml}"):
        Goal(glass_ml=ml)


@pytest.mark.parametrize("ml", [0, -200, 2001])
def test_a_drink_of_nothing_or_beyond_belief_is_refused(ml: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 2000 mL, not {ml}"):
        Drink(at(9), ml)


def test_the_bounds_themselves_are_fine() -> None:
    assert [Goal(500).ml, Goal(3500).ml, Goal(glass_ml=50).glass_ml, Goal(glass_ml=250).glass_ml] == [
        500,
        3500,
        50,
        250,
    ]
    assert [Drink(at(9), 1).ml, Drink(at(9), 2000).ml] == [1, 2000]


def test_a_moment_without_offset_is_refused_everywhere() -> None:
    naive = datetime(2026, 5, 4, 9)  # noqa: DTZ001 - the point of the test
    for make in (
        lambda: Drink(naive),
        lambda: Span(naive, naive),
        lambda: instant(naive),
        lambda: water(naive, BERLIN, Goal()),
    ):
        with pytest.raises(ValueError, match="has no UTC offset"):
            make()


def test_a_session_does_not_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="cannot end"):
        Span(EVENING.end, EVENING.start)


# --- hours ------------------------------------------------------------------------------------------------------------


def test_hours_hold_from_their_start_up_to_their_end() -> None:
    hours = Hours(time(7), time(22))
    held = [hours.hold(at(*clock), BERLIN) for clock in ((6, 59), (7, 0), (21, 59), (22, 0))]
    assert held == [False, True, True, False]


def test_hours_past_midnight_hold_on_both_sides_of_it() -> None:
    hours = Hours(time(22), time(7))
    held = [hours.hold(at(*clock), BERLIN) for clock in ((21, 59), (22, 0), (0, 0), (6, 59), (7, 0))]
    assert held == [False, True, True, True, False]


def test_hours_count_by_the_clock_of_the_zone_and_not_by_that_of_the_moment() -> None:
    assert Hours(time(7), time(8)).hold(datetime(2026, 5, 4, 5, 30, tzinfo=UTC), BERLIN)


def test_hours_that_are_none_or_have_seconds_are_refused() -> None:
    with pytest.raises(ValueError, match="are no hours"):
        Hours(time(7), time(7))
    with pytest.raises(ValueError, match="whole minutes"):
        Hours(time(7), time(22, 0, 30))


# --- what was drunk today ---------------------------------------------------------------------------------------------


def test_a_drink_belongs_to_the_date_that_the_clock_showed() -> None:
    drinks = [Drink(at(23, 59), 100), Drink(at(0, 0, date(2026, 5, 5)), 30), Drink(at(0, 0), 7)]
    assert total_ml(drinks, DAY, BERLIN) == 107
    assert total_ml(drinks, date(2026, 5, 5), BERLIN) == 30
    assert total_ml(drinks, DAY, ZoneInfo("Pacific/Auckland")) == 7  # there it was tomorrow already


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)], ids=["short", "long"])
def test_a_day_with_a_clock_change_has_all_of_its_hours(day: date, hours: int) -> None:
    start = datetime.combine(day, time(), BERLIN).astimezone(UTC)
    each_hour = [Drink(start + timedelta(hours=hour), 1) for hour in range(-3, 30)]
    assert total_ml(each_hour, day, BERLIN) == hours


def test_the_day_so_far() -> None:
    day = water(at(12), BERLIN, Goal(2000), [Drink(at(9), 250), Drink(at(10), 250)])
    assert (day.today_ml, day.goal_ml, day.share) == (500, 2000, 0.25)


def test_more_than_the_goal_is_a_full_share() -> None:
    assert water(at(12), BERLIN, Goal(500), [Drink(at(9), 900)]).share == 1.0


# --- the day's asks ---------------------------------------------------------------------------------------------------


def test_eight_glasses_are_spread_over_the_waking_hours() -> None:
    asks = schedule(DAY, BERLIN, Goal())
    assert clocks(asks) == ["08:20", "10:10", "12:00", "13:50", "15:35", "17:25", "19:15", "21:05"]
    assert [ask.ml for ask in asks] == [200] * 8
    assert [ask.by_ml for ask in asks] == list(range(200, 1601, 200))
    assert [ask.number for ask in asks] == list(range(1, 9))


def test_a_glass_half_an_hour_before_and_after_a_session_and_the_rest_around_them() -> None:
    asks = schedule(DAY, BERLIN, Goal(), [EVENING])
    assert [(f"{ask.at.astimezone(BERLIN):%H:%M}", ask.occasion.value) for ask in asks] == [
        ("08:25", "day"),
        ("10:25", "day"),
        ("12:25", "day"),
        ("14:20", "day"),
        ("16:20", "day"),
        ("18:30", "before"),
        ("19:42", "after"),
        ("21:00", "day"),
    ]
    assert asks[-1].by_ml == 1600


def test_a_sessions_glass_outside_waking_hours_is_not_asked() -> None:
    early = Span(at(7, 45), at(7, 57))
    assert [ask.occasion for ask in schedule(DAY, BERLIN, Goal(), [early])].count(Occasion.BEFORE) == 0
    assert clocks(schedule(DAY, BERLIN, Goal(), [early]))[0] == "08:27"  # the one after


def test_a_sessions_glass_belongs_to_the_day_on_which_it_is_asked() -> None:
    goal = Goal(waking=Hours(time(10), time(2)))
    midnight = Span(at(0, 15, date(2026, 5, 5)), at(0, 25, date(2026, 5, 5)))
    occasions = [[ask.occasion for ask in schedule(day, BERLIN, goal, [midnight])] for day in (DAY, date(2026, 5, 5))]
    assert [Occasion.BEFORE in occasions[0], Occasion.AFTER in occasions[0]] == [True, False]
    assert [Occasion.BEFORE in occasions[1], Occasion.AFTER in occasions[1]] == [False, True]


def test_the_last_ask_is_what_is_left_of_the_goal() -> None:
    assert [ask.ml for ask in schedule(DAY, BERLIN, Goal(1000, glass_ml=240))] == [240, 240, 240, 240, 40]


def test_what_does_not_fit_into_short_waking_hours_is_not_asked() -> None:
    asks = schedule(DAY, BERLIN, Goal(3000, glass_ml=250, waking=Hours(time(9), time(11))))
    assert clocks(asks) == ["09:30", "10:30"]


def test_nothing_is_asked_of_whom_the_doctor_limits() -> None:
    goal = Goal(limited=True)
    assert schedule(DAY, BERLIN, goal, [EVENING]) == ()
    day = water(at(18, 30), BERLIN, goal, [Drink(at(9))], sessions=[EVENING])
    assert (day.today_ml, day.goal_ml, day.share, day.ask_ml, day.ask_at) == (200, None, None, 0, None)


def test_a_date_that_the_zone_skipped_has_no_asks() -> None:
    apia = ZoneInfo("Pacific/Apia")
    assert schedule(date(2011, 12, 30), apia, Goal()) == ()
    assert len(schedule(date(2011, 12, 29), apia, Goal())) == len(schedule(date(2011, 12, 31), apia, Goal())) == 8


def test_an_ask_holds_for_half_an_hour() -> None:
    first = schedule(DAY, BERLIN, Goal())[0]
    assert first.until - first.at == timedelta(minutes=30)


def test_an_ask_shortly_before_sleep_ends_with_the_waking_hours() -> None:
    goal = Goal(500, glass_ml=250, waking=Hours(time(9), time(9, 50)))
    (ask,) = schedule(DAY, BERLIN, goal)
    assert (ask.at, ask.until) == (instant(at(9, 25)), instant(at(9, 50)))


def test_an_ask_that_another_follows_closely_can_only_be_told_a_little_late() -> None:
    first, second = schedule(DAY, BERLIN, Goal(500, glass_ml=250, waking=Hours(time(9), time(10, 30))))
    assert second.at - first.at == timedelta(minutes=45)
    assert second.at - first.until == timedelta(minutes=30)


# --- what may be asked now --------------------------------------------------------------------------------------------


def test_a_glass_may_be_asked_from_its_moment_on() -> None:
    before, then = (water(at(*clock), BERLIN, Goal()) for clock in ((8, 19), (8, 20)))
    assert (before.ask_ml, before.ask_at) == (0, at(8, 20).astimezone(UTC))
    assert (then.ask_ml, then.ask_at) == (200, at(8, 20).astimezone(UTC))


def test_a_glass_that_was_missed_is_not_asked_later_and_the_next_is_no_bigger() -> None:
    noon = water(at(11, 59), BERLIN, Goal())
    assert (noon.ask_ml, noon.ask_at) == (0, at(12).astimezone(UTC))
    assert water(at(21, 5), BERLIN, Goal()).ask_ml == 200


def test_after_the_last_one_nothing_more_is_asked_today() -> None:
    assert water(at(21, 35), BERLIN, Goal()).ask_at is None


def test_who_is_ahead_is_asked_when_it_is_time_again() -> None:
    drinks = [Drink(at(7, 40), 500)]
    assert water(at(8, 20), BERLIN, Goal(), drinks).ask_at == at(12).astimezone(UTC)


def test_who_has_reached_the_goal_is_not_asked_again_not_even_around_a_session() -> None:
    drinks = [Drink(at(8), 800), Drink(at(12), 800)]
    day = water(at(18, 30), BERLIN, Goal(), drinks, sessions=[EVENING])
    assert (day.ask_ml, day.ask_at) == (0, None)


def test_who_is_ahead_is_still_offered_the_glass_before_a_session() -> None:
    assert water(at(18, 30), BERLIN, Goal(), [Drink(at(8), 1400)], sessions=[EVENING]).ask_ml == 200


def test_no_more_is_asked_than_the_goal_lacks() -> None:
    assert water(at(18, 30), BERLIN, Goal(), [Drink(at(8), 1550)], sessions=[EVENING]).ask_ml == 50


def test_who_has_just_drunk_is_asked_half_an_hour_later_if_that_is_not_too_late() -> None:
    day = water(at(8, 20), BERLIN, Goal(), [Drink(at(8, 10), 100)])
    assert (day.ask_ml, day.ask_at) == (0, at(8, 40).astimezone(UTC))
    late = water(at(8, 20), BERLIN, Goal(), [Drink(at(8, 20), 100)])
    assert late.ask_at == at(10, 10).astimezone(UTC)


def test_a_sip_just_now_leaves_room_for_a_glass() -> None:
    assert water(at(8, 20), BERLIN, Goal(), [Drink(at(8, 10), 50)]).ask_ml == 200


@pytest.mark.parametrize("minutes", [-29, 0, 29])
def test_water_that_was_asked_within_half_an_hour_is_enough(minutes: int) -> None:
    told = [at(8, 20) + timedelta(minutes=minutes)]
    assert water(at(8, 20), BERLIN, Goal(), told=told).ask_ml == 0


def test_what_was_told_half_an_hour_ago_does_not_stand_in_the_way() -> None:
    assert water(at(8, 20), BERLIN, Goal(), told=[at(7, 50)]).ask_ml == 200


def test_on_a_day_that_loses_an_hour_the_asks_go_by_the_clock_and_stay_apart() -> None:
    goal = Goal(1000, glass_ml=250, waking=Hours(time(1), time(5)))
    asks = schedule(date(2026, 3, 29), BERLIN, goal)
    assert clocks(asks) == ["01:20", "03:05", "03:50", "04:35"]  # 02:00 to 03:00 is missing: three hours awake


def test_an_hour_that_comes_twice_is_two_hours_awake() -> None:
    goal = Goal(1000, glass_ml=250, waking=Hours(time(1), time(5)))
    asks = schedule(date(2026, 10, 25), BERLIN, goal)
    assert clocks(asks) == ["01:35", "02:50", "03:05", "04:20"]  # 75 minutes from each to the next
    assert {later.at - one.at for one, later in pairwise(asks)} == {timedelta(minutes=75)}


# --- a glass that is put off ------------------------------------------------------------------------------------------


def test_a_glass_that_is_put_off_comes_then_unless_the_next_is_near() -> None:
    asks = schedule(DAY, BERLIN, Goal())
    moved = postponed(asks[0], at(9), asks, BERLIN, Goal())
    assert moved is not None
    assert (moved.at, moved.until, moved.ml) == (instant(at(9)), instant(at(9, 30)), 200)
    near = postponed(asks[0], at(9, 30), asks, BERLIN, Goal())
    assert near is not None
    assert near.until == instant(at(9, 40))  # half an hour before the next
    assert postponed(asks[0], at(9, 40), asks, BERLIN, Goal()) is None
    assert postponed(asks[0], at(12, 30), asks, BERLIN, Goal()) is None


def test_a_glass_is_not_put_off_into_the_night() -> None:
    asks = schedule(DAY, BERLIN, Goal())
    assert postponed(asks[-1], at(22), asks, BERLIN, Goal()) is None
    assert postponed(asks[-1], at(8, 0, date(2026, 5, 5)), asks, BERLIN, Goal()) is None
