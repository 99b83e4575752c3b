"""Whatever has been done, wherever, and whatever stands against it: what the plan proposes is safe, and steady.

Histories are random moments of random places, also such as the interlock would never have let happen; the anchors are
days on which zones change their clocks, leave a day out, or are as far from each other as zones get.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import event, given, seed, settings
from hypothesis import strategies as st

from companion.care.plan import Diary, Done, Mark, Outlook, Proposal, may_today, outlook
from companion.care.plan_weeks import paused, weeks_until
from companion.care.plans import PLANS, Chosen, Custom, Pause, plan_of
from companion.session.interlocks import REST, PastSession, rest_refusal

FACE = frozenset({"forehead"})
DAY = timedelta(days=1)
ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut",
        "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Pago_Pago",
        "Atlantic/Azores",
    )
]  # fmt: skip
ANCHORS = [
    date(2026, 3, 29), date(2026, 10, 25),  # Berlin, and the Azores, which change at midnight
    date(2026, 3, 8), date(2026, 11, 1),  # New York
    date(2018, 11, 4), date(2018, 2, 18),  # Sao Paulo, at midnight
    date(2023, 4, 28), date(2022, 3, 27),  # Cairo and Beirut, at midnight: a day without its first hour
    date(2011, 12, 30),  # Apia had none
    date(2026, 4, 5), date(2026, 10, 4),  # Lord Howe, by half an hour
    date(2028, 2, 29),
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    chosen: Chosen
    diary: Diary
    now: datetime
    zone: ZoneInfo

    def look(self, days: int = 28) -> Outlook:
        return outlook(self.chosen, self.diary, self.now, zone=self.zone, days=days)


def days_around(anchor: date, before: int, after: int) -> st.SearchStrategy[date]:
    return st.integers(-before, after).map(lambda days: anchor + timedelta(days=days))


@st.composite
def pauses(draw: st.DrawFn, anchor: date) -> Pause:
    first = draw(days_around(anchor, 45, 20))
    length = draw(st.none() | st.integers(0, 25))
    return Pause(first, None if length is None else first + timedelta(days=length))


@st.composite
def customs(draw: st.DrawFn) -> Custom:
    rest_h = draw(st.sampled_from([12, 13, 20, 23, 24, 36, 48, 71, 83]))
    most = min(7, (7 * 24 - 1) // rest_h)
    a_week = st.integers(1, most)
    return Custom(draw(st.sampled_from([0, 1, 10, 28, 60])), draw(a_week), draw(a_week), rest_h)


def history(seed: int, now: datetime, home: ZoneInfo) -> tuple[Done, ...]:
    """Sessions of the last ten weeks, and now and then of the future, for clocks are set back.

    From a seed: drawing them one by one would take most of the time of ten thousand examples.
    """
    rng = random.Random(seed)
    rhythm = rng.choice([None, 12, 13, 24, 25, 48, 60])  # hours; None is any moment at all
    if rhythm is None:
        minutes = [-rng.randrange(70 * 24 * 60) for _ in range(rng.randrange(30))]
    else:
        done, offset = rng.random(), rng.randrange(rhythm * 60)
        minutes = [-offset - number * rhythm * 60 for number in range(26) if rng.random() < done]
    minutes += rng.choice([[], [], [], [90], [3000]])
    places = rng.choice([[home], ZONES])
    return tuple(Done((now + timedelta(minutes=minute)).astimezone(rng.choice(places))) for minute in minutes)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    anchor = draw(st.sampled_from(ANCHORS))
    zone = draw(st.sampled_from(ZONES))
    hour, minute, second = draw(st.integers(0, 23)), draw(st.integers(0, 59)), draw(st.sampled_from([0, 0, 31]))
    now = datetime.combine(draw(days_around(anchor, 4, 2)), time(hour, minute, second), tzinfo=UTC)
    plan = draw(st.sampled_from([*PLANS, "custom"]))
    chosen = Chosen(
        start=draw(days_around(anchor, 70, 10)),
        plan=plan,
        weekdays=tuple(sorted(draw(st.sets(st.integers(0, 6))))),
        at=time(draw(st.integers(0, 23)), draw(st.sampled_from([0, 30, 55]))),
        minutes=draw(st.none() | st.integers(1, 20)),
        pauses=tuple(draw(st.lists(pauses(anchor), max_size=3))),
        custom=draw(customs()) if plan == "custom" else None,
    )
    diary = Diary(
        draw(st.just(()) | st.integers(0, 2**32).map(lambda seed: history(seed, now, zone))),
        frozenset(draw(st.sets(days_around(anchor, 14, 3), max_size=4))),
        tuple(draw(st.lists(days_around(anchor, 20, 20), max_size=2))),
    )
    return Case(chosen, diary, now, zone)


def check_proposals(case: Case) -> None:
    """All that must hold for what is proposed."""
    seen = case.look()
    event("none" if not seen.proposals else "some")
    if not seen.proposals:
        assert any(pause.last is None for pause in case.chosen.pauses)
        return
    assert seen.next_session == seen.proposals[0].at
    dates = [one.at.date() for one in seen.proposals]
    assert dates[0] >= seen.today
    assert all(earlier < later for earlier, later in pairwise(dates)), "two on one day"
    assert len({(one.phase, one.week, one.slot) for one in seen.proposals}) == len(dates)
    done_dates = {done.ended_at.date() for done in case.diary.done}
    assert not done_dates & set(dates)
    for day in dates:
        assert paused(case.chosen.pauses, day) is None
        assert day >= case.chosen.start
        assert day not in case.diary.not_today
        assert all(not 0 <= (day - peel).days <= 7 for peel in case.diary.peels)
    check_rest(case, seen)
    check_weeks(case, dates, done_dates)


def check_rest(case: Case, seen: Outlook) -> None:
    """The plan's rest and the interlock's, with every proposal followed as it stands or, when it is late, now."""
    phases = plan_of(case.chosen).phases
    past = [PastSession(done.ended_at, FACE) for done in case.diary.done]
    for one in seen.proposals:
        at = one.at.astimezone(UTC)
        for session in past:
            assert at - session.ended_at.astimezone(UTC) >= max(REST, timedelta(hours=phases[one.phase].rest_h))
        bare = one.at.astimezone(timezone(one.at.utcoffset() or timedelta()))
        for clock in (one.at, bare):
            assert rest_refusal(clock, past, FACE) is None
        begun = max(at, case.now.astimezone(UTC))
        past.append(PastSession(begun + timedelta(minutes=one.minutes), FACE))


def check_weeks(case: Case, dates: list[date], done: set[date]) -> None:
    """Never doubled up: no week has more sessions than the plan allows at most, but where more were done already."""
    for week in weeks_until(case.chosen, dates[-1]):
        held = len(done & set(week.days))
        proposed = len(set(dates) & set(week.days))
        assert proposed <= max(0, week.aim - held)
        assert week.aim <= week.phase.most


def check_steadiness(case: Case) -> None:
    """The same inputs give the same outlook, in whatever order and for however many days one asks."""
    seen = case.look()
    shuffled = Diary(case.diary.done[::-1], tuple(case.diary.not_today), tuple(case.diary.peels)[::-1])
    assert Case(case.chosen, shuffled, case.now, case.zone).look() == seen
    short = case.look(days=1)
    assert short.next_session == seen.next_session
    assert seen.proposals[: len(short.proposals)] == short.proposals
    assert (short.streak, short.week_shares, short.phase_line) == (seen.streak, seen.week_shares, seen.phase_line)
    longer = case.look(days=40)
    assert longer.proposals[: len(seen.proposals)] == seen.proposals or len(seen.proposals) == 1
    assert longer.days[:28] == seen.days


def check_today(case: Case) -> None:
    """Today's advice is never more than the interlock, the pauses and the skin allow, and agrees with the calendar."""
    answer = may_today(case.chosen, case.diary, case.now, zone=case.zone)
    here = case.now.astimezone(case.zone)
    refusal = rest_refusal(here, [PastSession(done.ended_at, FACE) for done in case.diary.done], FACE)
    assert answer.reason
    assert answer.mark is case.look().days[0].mark
    if answer.allowed:
        assert refusal is None
        assert here.date() not in case.diary.not_today
        assert all(not 0 <= (here.date() - peel).days <= 7 for peel in case.diary.peels)
        assert paused(case.chosen.pauses, here.date()) is None


def check_streak(case: Case) -> None:
    """Days that go by cost nothing until a third one of their month is missed, and then only what was before it."""
    before: Outlook | None = None
    for later in range(0, 30, 3):
        now = case.now + later * DAY
        today = now.astimezone(case.zone).date()
        start = case.chosen.start
        days = max(1, (today - start).days + 1)
        seen = outlook(case.chosen, case.diary, now, zone=case.zone, first=start, days=days)
        missed = [day.date for day in seen.days if day.mark is Mark.MISSED]
        assert all(day < today for day in missed)
        in_month = [sum((day.year, day.month) == (one.year, one.month) for one in missed) for day in missed]
        if not in_month or max(in_month) <= 2:
            assert seen.streak.sessions == seen.sessions
        if before is not None and seen.streak.sessions < before.streak.sessions:
            assert max(in_month) > 2
        before = seen


@given(cases())
@settings(max_examples=150)
def test_no_history_zone_or_pause_makes_the_plan_propose_what_is_not_safe(case: Case) -> None:
    check_proposals(case)


@given(cases())
@settings(max_examples=60)
def test_the_same_inputs_give_the_same_outlook(case: Case) -> None:
    check_steadiness(case)


@given(cases())
@settings(max_examples=100)
def test_today_is_never_advised_beyond_what_is_allowed(case: Case) -> None:
    check_today(case)


@given(cases())
@settings(max_examples=25)
def test_a_streak_never_falls_because_of_a_forgiven_day(case: Case) -> None:
    check_streak(case)


@pytest.mark.slow
@pytest.mark.parametrize("seed_of_a_thousand", range(10))
def test_ten_thousand_histories_zones_and_pauses_are_safe(seed_of_a_thousand: int) -> None:
    """In ten parts with a seed each: the project's profile would give every part the same thousand."""

    @seed(seed_of_a_thousand)
    @settings(max_examples=1_000, derandomize=False, database=None)
    @given(cases())
    def part(case: Case) -> None:
        check_proposals(case)

    part()


@pytest.mark.slow
@given(cases())
@settings(max_examples=500)
def test_five_hundred_outlooks_are_steady_and_forgiving(case: Case) -> None:
    check_steadiness(case)
    check_today(case)
    check_streak(case)


@given(
    st.sampled_from([*PLANS]), st.sampled_from(ZONES), st.sampled_from(ANCHORS), st.integers(0, 2**30), st.booleans()
)
@settings(max_examples=20)
def test_whoever_follows_the_plan_is_never_refused_at_the_door_and_misses_nothing(
    plan: str, zone: ZoneInfo, anchor: date, wobble: int, lazy: bool
) -> None:
    """Sessions begin when they are proposed or up to four hours later; a lazy person leaves one of two out."""
    chosen = Chosen(anchor - 10 * DAY, plan)
    held: list[Done] = []
    now = datetime.combine(chosen.start, time(6), tzinfo=zone)
    for turn in range(30):
        seen = outlook(chosen, Diary(tuple(held)), now, zone=zone)
        coming: Proposal = seen.proposals[0]
        begin = max(now.astimezone(UTC), coming.at.astimezone(UTC)) + timedelta(minutes=(wobble >> turn) % 8 * 30)
        if begin.astimezone(zone).date() == coming.at.date() and not (lazy and turn % 2):
            past = [PastSession(done.ended_at, FACE) for done in held]
            assert rest_refusal(begin.astimezone(zone), past, FACE) is None
            held.append(Done((begin + timedelta(minutes=coming.minutes)).astimezone(zone)))
        now = datetime.combine(coming.at.date() + DAY, time(6), tzinfo=zone)
    last = outlook(chosen, Diary(tuple(held)), now, zone=zone, first=chosen.start, days=120)
    by_day = [done.ended_at.date() for done in held]
    assert len(set(by_day)) == len(by_day) == (15 if lazy else 30)
    if not lazy:
        assert Mark.MISSED not in {day.mark for day in last.days}
        assert last.streak.sessions == 30
        assert {week.share for week in last.week_shares if week.closed} == {1.0}
    if plan == "course-4" and not lazy:
        assert sum(day < chosen.start + 28 * DAY for day in by_day) == 12
