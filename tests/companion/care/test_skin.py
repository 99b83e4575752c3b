"""The skin before a session: what the check, special care and the patch test say, the strict way in every doubt."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.care.plan_layout import PEEL_REST
from companion.care.skin import (
    EASE,
    FRESH,
    Advice,
    PatchState,
    SpecialCare,
    may_decline,
    outcome_refusal,
    patch_refusal,
    patch_state,
    peel_refusal,
    skin_refusal,
    skin_today,
    special_refusal,
    trends,
    with_special,
)
from companion.store.diary import PatchTest, SkinCheck
from companion.words import skin as words

ROME = ZoneInfo("Europe/Rome")
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=ROME)
TODAY = NOON.date()
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Seen:
    at: datetime
    dryness: int = 1
    redness: int = 1
    irritation: int = 1


@dataclass(frozen=True)
class Spot:
    at: datetime
    place: str = "jaw"
    outcome: str | None = None


def advice(*checks: Seen, now: datetime = NOON, special: tuple[SpecialCare, ...] = ()) -> Advice:
    return skin_today(checks, now, special).advice


# --- the skin check ---------------------------------------------------------------------------------------------------


def test_what_the_store_keeps_is_what_is_judged_here() -> None:
    kept = SkinCheck(1, NOON, 1, 4, 1)
    assert skin_today([kept], NOON).advice is Advice.NOT_TODAY
    assert patch_state([PatchTest(1, NOON, "jaw", None, "")], NOON) is PatchState.WAITING


@pytest.mark.parametrize("irritation", [1, 2, 3, 4, 5])
def test_h10_every_answer_has_its_advice_and_the_strictest_wins(irritation: int) -> None:
    for dryness, redness in itertools.product(range(1, 6), repeat=2):
        told = skin_today([Seen(NOON, dryness, redness, irritation)], NOON)
        if redness >= 4 or irritation >= 4:
            assert told.advice is Advice.NOT_TODAY
            assert told.reasons[0].startswith("Not today")
        elif redness == 3 or irritation == 3 or dryness >= 4:
            assert (told.advice, told.ease) == (Advice.GENTLE, EASE)
            assert "half as strong and half as long" in told.reasons[0]
        else:
            assert (told.advice, told.ease, told.reasons) == (Advice.GO, 1.0, ())
        assert (words.MORE_GEL in told.reasons) == (dryness >= 4 and told.advice is not Advice.NOT_TODAY)


def test_a_refusal_names_what_the_check_says() -> None:
    refusal = skin_refusal([Seen(NOON, redness=4, irritation=5)], NOON, asked=False)
    assert refusal == "Not today: your skin check says red and irritated. Let it rest; it will be there tomorrow."


def test_h10_not_today_holds_for_the_day_whatever_is_said_later() -> None:
    morning = Seen(NOON - 4 * HOUR, irritation=4)
    assert advice(morning, Seen(NOON)) is Advice.NOT_TODAY
    assert advice(Seen(NOON), morning) is Advice.NOT_TODAY
    assert advice(morning, Seen(NOON + DAY), now=NOON + DAY) is Advice.GO


def test_h10_midnight_does_not_wipe_out_not_today() -> None:
    evening = datetime(2026, 3, 10, 23, 50, tzinfo=ROME)
    bad = Seen(evening, redness=5)
    assert advice(bad, now=evening + HOUR) is Advice.NOT_TODAY
    assert advice(bad, now=evening + 12 * HOUR - timedelta(seconds=1)) is Advice.NOT_TODAY
    assert advice(bad, now=evening + 12 * HOUR) is Advice.GO


def test_twelve_hours_after_a_check_are_twelve_real_ones_when_the_clock_changes() -> None:
    before = datetime(2026, 3, 28, 23, 0, tzinfo=ROME)  # the night to summer time has eleven hours until ten
    bad = Seen(before, redness=5)
    assert advice(bad, now=datetime(2026, 3, 29, 11, 30, tzinfo=ROME)) is Advice.NOT_TODAY
    assert advice(bad, now=datetime(2026, 3, 29, 12, 0, tzinfo=ROME)) is Advice.GO


def test_a_check_dated_ahead_counts_on_its_date() -> None:
    assert advice(Seen(NOON + 3 * HOUR, irritation=4)) is Advice.NOT_TODAY
    assert advice(Seen(NOON + DAY, irritation=4)) is Advice.GO


def test_irritation_that_was_there_at_the_check_before_is_not_today() -> None:
    last = Seen(NOON - 2 * DAY, irritation=3)
    assert advice(last, Seen(NOON, irritation=3)) is Advice.NOT_TODAY
    assert advice(last, Seen(NOON, irritation=2)) is Advice.GO
    assert advice(Seen(NOON - 2 * DAY, redness=3), Seen(NOON, irritation=3)) is Advice.GENTLE
    assert advice(last, Seen(NOON - DAY), Seen(NOON, irritation=3)) is Advice.GENTLE
    assert advice(Seen(NOON - timedelta(days=7, seconds=1), irritation=3), Seen(NOON, irritation=3)) is Advice.GENTLE


def test_never_exfoliate_and_treat_irritated_skin() -> None:
    for days in (0, 1, 2):
        special = (SpecialCare("exfoliation", TODAY - timedelta(days=days)),)
        assert advice(Seen(NOON, redness=3), special=special) is Advice.NOT_TODAY
        assert advice(Seen(NOON, redness=2, dryness=5), special=special) is Advice.GENTLE
    assert advice(Seen(NOON, redness=3), special=(SpecialCare("exfoliation", TODAY - 3 * DAY),)) is Advice.GENTLE
    assert advice(Seen(NOON, redness=3), special=(SpecialCare("steam", TODAY),)) is Advice.GENTLE


def test_h10_where_the_check_is_asked_for_it_has_to_be_a_fresh_one() -> None:
    assert skin_refusal([], NOON, asked=False) is None
    assert skin_refusal([], NOON, asked=True) == words.CHECK_FIRST
    assert skin_refusal([Seen(NOON - FRESH)], NOON, asked=True) is None
    assert skin_refusal([Seen(NOON - FRESH - timedelta(seconds=1))], NOON, asked=True) == words.CHECK_FIRST
    assert skin_refusal([Seen(NOON + HOUR)], NOON, asked=True) == words.CHECK_FIRST


SCORE = st.integers(1, 5)
CHECKS = st.lists(
    st.builds(Seen, st.integers(-240, 30).map(lambda hours: NOON + hours * HOUR), SCORE, SCORE, SCORE), max_size=8
)


@given(CHECKS, st.builds(Seen, st.just(NOON), SCORE, SCORE, SCORE))
def test_h10_one_more_check_of_now_never_makes_a_session_easier_to_get(checks: list[Seen], more: Seen) -> None:
    ranks = list(Advice)
    assert ranks.index(advice(*checks, more)) >= ranks.index(advice(*checks))


@given(CHECKS)
def test_the_order_of_the_checks_is_of_no_matter(checks: list[Seen]) -> None:
    assert skin_today(checks, NOON) == skin_today(checks[::-1], NOON)


# --- the chart --------------------------------------------------------------------------------------------------------


def test_trends_are_those_of_the_last_checks_the_oldest_first() -> None:
    checks = [Seen(NOON - (20 - day) * DAY, redness=1 + day % 5) for day in range(20)]
    dry, red, sore = trends(checks[::-1], last=7)
    assert [trend.name for trend in (dry, red, sore)] == ["dryness", "redness", "irritation"]
    assert red.values == (4, 5, 1, 2, 3, 4, 5)
    assert red.moments == tuple(check.at for check in checks[-7:])


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ((3, 3, 3, 3, 3, 3), "Redness: about the same."),
        ((3, 3, 3, 3, 3, 2), "Redness: about the same."),
        ((3, 3, 3, 3, 2, 2), "Redness: calmer than before."),
        ((5, 1, 1, 1, 1, 2, 2), "Redness: more than before."),
        ((5, 4, 3, 2, 1), words.TOO_FEW),
        ((), words.TOO_FEW),
    ],
    ids=["same", "a little", "calmer", "rougher", "five", "none"],
)
def test_a_trend_says_in_a_line_how_it_has_been(values: tuple[int, ...], line: str) -> None:
    checks = [Seen(NOON + number * DAY, redness=value) for number, value in enumerate(values)]
    assert trends(checks)[1].line == line


# --- peels, steam, exfoliation ----------------------------------------------------------------------------------------


def test_h10_a_peel_puts_sessions_off_for_a_week_as_the_plan_does() -> None:
    for days in range(-2, 10):
        peeled = (SpecialCare("peel", TODAY - timedelta(days=days)),)
        assert (peel_refusal(peeled, NOON) is not None) == (0 <= days <= PEEL_REST.days)
    assert peel_refusal((SpecialCare("peel", date(2026, 3, 9)),), NOON) == (
        "After a peel the skin has a week to itself: sessions are back on Tuesday, 17 March."
    )
    assert peel_refusal((SpecialCare("exfoliation", TODAY),), NOON) is None


CALM = (Seen(NOON),)


def exfoliated(*days: int) -> tuple[SpecialCare, ...]:
    return tuple(SpecialCare("exfoliation", TODAY - timedelta(days=day)) for day in days)


def test_exfoliation_is_for_twice_a_week_at_most() -> None:
    assert special_refusal("exfoliation", exfoliated(3), CALM, NOON) is None
    refusal = special_refusal("exfoliation", exfoliated(3, 6), CALM, NOON)
    assert refusal == "Steaming and exfoliating are for twice a week at most: the next time is on Wednesday, 11 March."
    assert special_refusal("exfoliation", exfoliated(3, 7), CALM, NOON) is None
    assert special_refusal("exfoliation", exfoliated(-1, 3), CALM, NOON) is not None


def test_steam_and_exfoliation_count_together_but_for_the_same_day() -> None:
    both = (SpecialCare("steam", TODAY - DAY), SpecialCare("exfoliation", TODAY - 3 * DAY))
    assert special_refusal("steam", both, CALM, NOON) is not None
    same_day = (SpecialCare("steam", TODAY), SpecialCare("steam", TODAY - 3 * DAY))
    assert special_refusal("exfoliation", same_day, CALM, NOON) is None
    assert special_refusal("steam", same_day, CALM, NOON) == "Steaming was done today: once a day is plenty."


def test_exfoliation_is_for_skin_that_was_looked_at_and_is_calm() -> None:
    assert special_refusal("exfoliation", (), (), NOON) == "Exfoliating is for calm skin: do your skin check first."
    assert "red today" in str(special_refusal("exfoliation", (), [Seen(NOON, redness=3)], NOON))
    assert "dry today" in str(special_refusal("steam", (), [Seen(NOON, dryness=4)], NOON))
    assert "irritated today" in str(special_refusal("steam", (), [Seen(NOON, irritation=5)], NOON))
    assert special_refusal("exfoliation", (), [Seen(NOON, 3, 2, 2)], NOON) is None


def test_exfoliation_waits_for_the_week_after_a_peel() -> None:
    peeled = (SpecialCare("peel", TODAY - 7 * DAY),)
    assert "until Wednesday, 11 March" in str(special_refusal("exfoliation", peeled, CALM, NOON))
    assert special_refusal("exfoliation", (SpecialCare("peel", TODAY - 8 * DAY),), CALM, NOON) is None


@given(st.lists(st.integers(0, 29), unique=True, max_size=30))
def test_whoever_follows_the_rule_exfoliates_on_two_days_of_any_seven_at_most(wished: list[int]) -> None:
    kept: tuple[SpecialCare, ...] = ()
    for day in sorted(wished):
        now = NOON + day * DAY
        if special_refusal("exfoliation", kept, [Seen(now)], now) is None:
            kept = with_special(kept, SpecialCare("exfoliation", now.date()))
    days = [care.on for care in kept]
    assert all(sum(first <= day < first + 7 * DAY for day in days) <= 2 for first in days)
    assert len(days) >= min(2, len(wished))


def test_special_care_is_kept_in_order_and_of_very_much_the_latest() -> None:
    kept = with_special(exfoliated(0, 61, 5), SpecialCare("peel", TODAY + 300 * DAY))
    assert [(TODAY - care.on).days for care in kept] == [61, 5, 0, -300]
    assert with_special(kept, SpecialCare("peel", TODAY + 300 * DAY)) == kept
    for day in range(400):
        kept = with_special(kept, SpecialCare("steam", TODAY - 500 * DAY + day * DAY))
    assert len(kept) == 200
    assert kept[-2:] == (SpecialCare("exfoliation", TODAY), SpecialCare("peel", TODAY + 300 * DAY))


# --- the patch test ---------------------------------------------------------------------------------------------------


def state(*tests: Spot, now: datetime = NOON, agreed: datetime | None = None) -> PatchState:
    return patch_state(tests, now, agreed_at=agreed)


def test_a_patch_test_is_offered_and_can_be_declined() -> None:
    assert state() is PatchState.NEEDED
    assert state(Spot(NOON, "declined")) is PatchState.DECLINED
    assert may_decline([])
    assert not may_decline([Spot(NOON)])


def test_a_patch_test_takes_24_real_hours() -> None:
    before = datetime(2026, 3, 28, 12, 0, tzinfo=ROME)  # the night to summer time: 24 hours end at 13:00
    spot = Spot(before)
    assert state(spot, now=datetime(2026, 3, 29, 12, 30, tzinfo=ROME)) is PatchState.WAITING
    assert state(spot, now=datetime(2026, 3, 29, 13, 0, tzinfo=ROME)) is PatchState.LOOK
    refusal = patch_refusal([spot], before + HOUR, is_test=False, asked=False)
    assert refusal == "Your patch test needs its 24 hours: look at the spot on Sunday, 29 March at 13:00."


@pytest.mark.parametrize("place", ["jaw", "forearm"])
def test_calm_counts_from_the_end_of_the_24_hours_on_and_a_reaction_at_once(place: str) -> None:
    assert state(Spot(NOON - 23 * HOUR, place, "calm")) is PatchState.WAITING
    assert state(Spot(NOON - 24 * HOUR, place, "calm")) is PatchState.CALM
    assert state(Spot(NOON - HOUR, place, "reaction")) is PatchState.REACTION
    assert outcome_refusal(Spot(NOON - HOUR, place), "reaction", NOON) is None
    assert "Wednesday, 11 March at 11:00" in str(outcome_refusal(Spot(NOON - HOUR, place), "calm", NOON))
    assert outcome_refusal(Spot(NOON - DAY, place), "calm", NOON) is None


def test_a_test_dated_ahead_has_not_had_its_24_hours() -> None:
    assert state(Spot(NOON + DAY, outcome="calm")) is PatchState.WAITING


def test_a_test_that_was_begun_has_to_be_looked_at() -> None:
    begun = Spot(NOON - 2 * DAY)
    assert state(begun, Spot(NOON - DAY, "declined")) is PatchState.LOOK


def test_h10_a_reaction_stays_until_a_doctor_agreed_after_it_and_another_test_stayed_calm() -> None:
    bad = Spot(NOON - 9 * DAY, outcome="reaction")
    agreed = NOON - 5 * DAY
    assert state(bad) is PatchState.REACTION
    assert state(bad, agreed=NOON - 10 * DAY) is PatchState.REACTION
    assert state(bad, agreed=NOON + HOUR) is PatchState.REACTION
    assert state(bad, agreed=agreed) is PatchState.AGAIN
    assert state(bad, Spot(NOON - HOUR), agreed=agreed) is PatchState.WAITING
    assert state(bad, Spot(NOON - 2 * DAY), agreed=agreed) is PatchState.LOOK
    assert state(bad, Spot(NOON - 2 * DAY, outcome="calm"), agreed=agreed) is PatchState.CALM
    worse = Spot(NOON - 2 * DAY, outcome="reaction")
    assert state(bad, worse, agreed=agreed) is PatchState.REACTION


def test_h10_nothing_noted_after_a_reaction_wipes_it_out() -> None:
    bad = Spot(NOON - 9 * DAY, outcome="reaction")
    assert state(bad, Spot(NOON - 8 * DAY, "declined")) is PatchState.REACTION
    assert state(bad, Spot(NOON - 8 * DAY, outcome="calm")) is PatchState.REACTION
    agreed = NOON - 5 * DAY
    assert state(bad, Spot(NOON - 8 * DAY, outcome="calm"), agreed=agreed) is PatchState.AGAIN
    assert state(bad, Spot(NOON - DAY, "declined"), agreed=agreed) is PatchState.AGAIN


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("is_test", [True, False])
def test_h10_what_each_state_allows(is_test: bool, asked: bool) -> None:
    def refusal(*tests: Spot, agreed: datetime | None = None) -> str | None:
        return patch_refusal(tests, NOON, agreed_at=agreed, is_test=is_test, asked=asked)

    bad = Spot(NOON - 9 * DAY, outcome="reaction")
    assert refusal() == (words.PATCH_NEEDED if asked and not is_test else None)
    assert refusal(Spot(NOON, "declined")) is None
    assert refusal(Spot(NOON - DAY, outcome="calm")) is None
    assert "24 hours" in str(refusal(Spot(NOON - HOUR)))
    assert refusal(Spot(NOON - DAY)) == words.PATCH_LOOK
    assert refusal(bad) == words.PATCH_REACTION
    assert refusal(bad, agreed=NOON - DAY) == (None if is_test else words.PATCH_AGAIN)


@given(
    st.lists(
        st.builds(
            Spot,
            st.integers(-400, 30).map(lambda hours: NOON + hours * HOUR),
            st.sampled_from(["jaw", "forearm", "declined"]),
            st.sampled_from([None, "calm", "reaction"]),
        ),
        max_size=6,
    ),
    st.none() | st.integers(-400, 30).map(lambda hours: NOON + hours * HOUR),
)
def test_h10_output_after_a_reaction_needs_a_doctor_and_a_calm_test_after_them(
    tests: list[Spot], agreed: datetime | None
) -> None:
    let_in = patch_refusal(tests, NOON, agreed_at=agreed, is_test=False, asked=True) is None
    reactions = [test.at for test in tests if test.outcome == "reaction"]
    if let_in and reactions:
        assert agreed is not None
        assert max(reactions) <= agreed <= NOON
        assert any(
            test.outcome == "calm" and test.place != "declined" and agreed <= test.at <= NOON - DAY for test in tests
        )
    if let_in:
        assert tests, "nothing was done and nothing declined"


def test_moments_of_another_offset_are_told_where_the_person_is() -> None:
    spot = Spot(datetime(2026, 3, 10, 9, 0, tzinfo=UTC))
    assert "Wednesday, 11 March at 10:00" in str(patch_refusal([spot], NOON, is_test=False, asked=False))
