"""Whatever is logged, wanted and planned, wherever: never too much at once, never at night, never when limited."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import event, given
from hypothesis import strategies as st

from companion.care.hydration import Ask, Drink, Goal, Hours, Span, schedule, total_ml, water

HALF_HOUR = timedelta(minutes=30)

CHANGES = [
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Pacific/Auckland", date(2026, 4, 5)),
    ("Pacific/Auckland", date(2026, 9, 27)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Sao_Paulo", date(2018, 11, 4)),  # no midnight
    ("America/Sao_Paulo", date(2018, 2, 18)),  # two hours before midnight
    ("America/Havana", date(2026, 11, 1)),  # two midnights
    ("America/St_Johns", date(2010, 11, 7)),  # a minute into the day, and back into the day before
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that never was
    ("Asia/Kathmandu", date(2026, 5, 4)),
    ("UTC", date(2026, 5, 4)),
]
"""Zones, each with a date around which its clocks change."""

clocks = st.builds(time, st.integers(0, 23), st.integers(0, 59))
hours = st.lists(clocks, min_size=2, max_size=2, unique=True).map(lambda both: Hours(*both))
goals = st.builds(Goal, st.integers(500, 3500), st.integers(50, 250), hours)


@st.composite
def moments(draw: st.DrawFn, day: date) -> datetime:
    """Moments, to the second, of three days around ``day``."""
    middle = datetime.combine(day, time(12), UTC)
    return middle + timedelta(seconds=draw(st.integers(-36 * 3600, 36 * 3600)))


@st.composite
def spans(draw: st.DrawFn, day: date) -> list[Span]:
    starts = draw(st.lists(moments(day), max_size=3))
    return [Span(start, start + timedelta(minutes=draw(st.integers(0, 45)))) for start in starts]


def awake(moment: datetime, zone: ZoneInfo, waking: Hours) -> bool:
    """Whether a clock on the wall of ``zone`` shows waking hours, minute for minute and the long way round."""
    clock = moment.astimezone(zone)
    minute, start, end = (60 * one.hour + one.minute for one in (clock, waking.start, waking.end))
    return (minute - start) % 1440 < (end - start) % 1440


@given(st.data(), st.sampled_from(CHANGES), goals)
def test_the_asks_of_any_days_keep_to_the_limit_the_waking_hours_and_the_goal(
    data: st.DataObject, where: tuple[str, date], goal: Goal
) -> None:
    zone, day = ZoneInfo(where[0]), where[1]
    sessions = data.draw(spans(day))
    days = [day + timedelta(days=n) for n in range(-1, 3)]
    by_day = [schedule(one, zone, goal, sessions) for one in days]
    asks: list[Ask] = [ask for asked in by_day for ask in asked]
    event(f"asks a day: {min(map(len, by_day))} to {max(map(len, by_day))}")
    for one, asked in zip(days, by_day, strict=True):
        assert sum(ask.ml for ask in asked) <= goal.ml
        assert all(ask.at.astimezone(zone).date() == one for ask in asked)
        keys = [(ask.occasion, ask.number) for ask in asked]
        assert len(set(keys)) == len(keys)
    for ask in asks:
        assert 0 < ask.ml <= min(250, goal.glass_ml)
        assert awake(ask.at, zone, goal.waking)
        assert ask.at < ask.until <= ask.at + HALF_HOUR
        assert awake(ask.until - timedelta(microseconds=1), zone, goal.waking)
    for ask, following in pairwise(asks):
        assert following.at - ask.at >= timedelta(minutes=45)
        assert following.at - ask.until >= HALF_HOUR or ask.day != following.day


@given(st.data(), st.integers(500, 2500), st.integers(80, 250))
def test_the_whole_goal_is_asked_where_it_fits(data: st.DataObject, ml: int, glass_ml: int) -> None:
    glasses = -(-ml // glass_ml)  # 32 at the most: 24 hours
    start = 5 * data.draw(st.integers(0, 287))
    length = min(45 * glasses + 5 * data.draw(st.integers(0, 6)), 1435)
    begin, end = (divmod(minute % 1440, 60) for minute in (start, start + length))
    asks = schedule(date(2026, 5, 4), ZoneInfo("UTC"), Goal(ml, glass_ml, Hours(time(*begin), time(*end))))
    assert len(asks) == min(glasses, 31)  # a waking day is a little less than 24 hours
    assert sum(ask.ml for ask in asks) == min(ml, 31 * glass_ml)


@given(st.integers(0, 2**32), st.sampled_from(CHANGES))
def test_asking_whenever_it_is_allowed_never_exceeds_the_limit(seed: int, where: tuple[str, date]) -> None:
    """A pushy app that asks whenever it may, while the person drinks, replans, sets and travels at will."""
    chance = Random(seed)
    now = datetime.combine(where[1], time(12), UTC) - timedelta(minutes=chance.randint(0, 36 * 60))
    told: list[tuple[datetime, int]] = []
    drinks: list[Drink] = []
    sessions: list[Span] = []
    zone, goal = ZoneInfo(where[0]), Goal()
    for _ in range(40):
        now += timedelta(seconds=chance.choice([1, 59, 300, 900, 1799, 1800, 1801]))
        if chance.random() < 0.05:
            zone = ZoneInfo(chance.choice([where[0], "Asia/Kathmandu", "Pacific/Kiritimati"]))
            start, end = chance.sample(range(1440), 2)
            waking = Hours(time(*divmod(start, 60)), time(*divmod(end, 60)))
            goal = Goal(chance.randint(500, 3500), chance.randint(50, 250), waking)
        if chance.random() < 0.05:
            begin = now + timedelta(minutes=chance.randint(-90, 90))
            sessions = [Span(begin, begin + timedelta(minutes=12))]
        if chance.random() < 0.1:
            drinks.append(Drink(now, chance.choice([1, 50, 200, 600])))
        state = water(now, zone, goal, drinks, sessions=sessions, told=[at for at, _ in told])
        assert state.today_ml == total_ml(drinks, now.astimezone(zone).date(), zone)
        if not state.ask_ml:
            assert state.ask_at is None or state.ask_at > now
            continue
        assert state.ask_at == now
        assert awake(now, zone, goal.waking)
        assert state.ask_ml <= min(goal.glass_ml, goal.ml - state.today_ml)
        told.append((now, state.ask_ml))
        asked = sum(ml for at, ml in told if now - at < HALF_HOUR)
        assert asked + sum(drink.ml for drink in drinks if now - drink.at < HALF_HOUR) <= 250
    event(f"asked {len(told)} times")


@given(st.data(), st.sampled_from(CHANGES), goals)
def test_it_can_be_asked_at_the_very_moment_that_was_foretold(
    data: st.DataObject, where: tuple[str, date], goal: Goal
) -> None:
    zone, day = ZoneInfo(where[0]), where[1]
    now, sessions = data.draw(moments(day)), data.draw(spans(day))
    drinks = [Drink(at) for at in data.draw(st.lists(moments(day), max_size=4)) if at <= now]
    told = [at for at in data.draw(st.lists(moments(day), max_size=2)) if at <= now]
    foretold = water(now, zone, goal, drinks, sessions=sessions, told=told).ask_at
    if foretold is not None:
        then = water(foretold, zone, goal, drinks, sessions=sessions, told=told)
        assert then.ask_ml > 0
        between = now + (foretold - now) * data.draw(st.floats(0, 0.999))
        assert water(between, zone, goal, drinks, sessions=sessions, told=told).ask_ml == 0 or between >= foretold


@given(st.data(), st.sampled_from(CHANGES))
def test_who_must_limit_fluids_is_never_asked(data: st.DataObject, where: tuple[str, date]) -> None:
    zone, day = ZoneInfo(where[0]), where[1]
    goal = Goal(data.draw(st.integers(500, 3500)), waking=data.draw(hours), limited=True)
    sessions, now = data.draw(spans(day)), data.draw(moments(day))
    assert all(schedule(day + timedelta(days=n), zone, goal, sessions) == () for n in range(-1, 2))
    state = water(now, zone, goal, sessions=sessions)
    assert (state.ask_ml, state.ask_at, state.goal_ml) == (0, None, None)
