"""The limits that hold whatever anybody asks: clamp, ramp, times, rest (H1, H2, H6)."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.session.interlocks import (
    FIRST_SESSION_CAP_PERCENT,
    PastSession,
    clamp_percent,
    level_command,
    limits_for,
    narrowed,
    next_rise_at,
    rest_refusal,
)
from companion.session.model import Limits
from protocols.model import DeviceProfile, OutputKind

ROOT = Path(__file__).parents[2]


def profile(
    lowest: int = 5, step: int = 5, most: int = 100, ramp: float = 10.0, session: float | None = None
) -> DeviceProfile:
    return DeviceProfile("x", "X-1", OutputKind.MICROCURRENT, lowest, step, most, ramp, max_session_s=session)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    lowest = draw(st.integers(1, 20))
    cap = draw(st.integers(lowest, 100))
    zone_caps = draw(st.dictionaries(st.sampled_from(["forehead", "chin"]), st.integers(lowest, 100)))
    return Limits(lowest, draw(st.integers(1, 20)), cap, draw(st.floats(0.5, 10.0)), 60.0, 30.0, zone_caps)


zones = st.sampled_from([None, "forehead", "chin", "left-cheek"])
anything = st.integers(-1000, 1000)


@given(anything, zones, limits())
def test_h1_no_request_gets_above_the_cap_of_session_and_zone_nor_off_the_grid(
    requested: int, zone: str | None, limits: Limits
) -> None:
    level = clamp_percent(requested, zone, limits)
    assert limits.lowest_percent <= level <= limits.cap_percent
    assert level <= limits.zone_caps.get(zone or "", 100)
    assert (level - limits.lowest_percent) % limits.step_percent == 0
    assert level <= max(requested, limits.lowest_percent)


@given(anything, zones, limits(), st.none() | st.integers(0, 100))
def test_h1_h2_every_level_sent_is_clamped_and_one_step_up_at_most(
    requested: int, zone: str | None, limits: Limits, current: int | None
) -> None:
    level = level_command(requested, zone, limits, current=current).percent
    assert level == clamp_percent(level, zone, limits)
    if current is None:
        assert level == limits.lowest_percent
    else:
        assert level <= max(current + limits.step_percent, limits.lowest_percent)


def test_lowering_goes_all_the_way_at_once() -> None:
    assert level_command(10, None, Limits(5, 5, 60, 10.0, 60, 60), current=60).percent == 10


def test_h1_a_zone_whose_cap_is_below_the_lowest_level_gets_no_level_at_all() -> None:
    with pytest.raises(ValueError, match="no output is allowed in forehead"):
        clamp_percent(5, "forehead", Limits(5, 5, 30, 10.0, 60, 60, {"forehead": 4}))


def test_h1_only_the_interlocks_construct_a_level_command() -> None:
    found = []
    for path in sorted((ROOT / "companion").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name == "SetIntensity":
                    found.append(path.relative_to(ROOT).as_posix())
    assert found == ["companion/session/interlocks.py"]


def test_h2_a_rise_waits_for_its_share_of_the_ramp() -> None:
    assert next_rise_at(100.0, Limits(5, 5, 60, 10.0, 60, 60)) == pytest.approx(100.5)


def test_h2_no_profile_makes_the_ramp_steeper_than_ten_percent_a_second() -> None:
    assert limits_for(profile(ramp=50.0), 60, first_session=False).ramp_percent_per_s == 10.0
    assert limits_for(profile(ramp=4.0), 60, first_session=False).ramp_percent_per_s == 4.0


def test_h2_a_first_session_is_capped_whatever_the_person_finds_comfortable() -> None:
    assert limits_for(profile(), 80, first_session=True).cap_percent == FIRST_SESSION_CAP_PERCENT
    assert limits_for(profile(), 20, first_session=True).cap_percent == 20
    assert limits_for(profile(), 80, first_session=False).cap_percent == 80


def test_h1_the_cap_is_the_strictest_of_profile_and_person() -> None:
    assert limits_for(profile(most=40), 80, first_session=False).cap_percent == 40


def test_thin_skin_has_its_share_of_the_cap() -> None:
    caps = limits_for(profile(), 60, first_session=False, zone_shares={"forehead": 0.5}).zone_caps
    assert caps == {"forehead": 30}


def test_h6_the_limit_is_the_lesser_of_routine_and_maker_and_twenty_minutes_when_the_maker_is_silent() -> None:
    def session_s(maker: float | None, routine: float | None) -> float:
        made = limits_for(profile(session=maker), 60, first_session=False, routine_output_s=routine)
        return made.session_output_s

    assert session_s(None, None) == 1200.0
    assert session_s(None, 9000.0) == 1200.0
    assert session_s(480.0, 720.0) == 480.0
    assert session_s(480.0, 300.0) == 300.0


@given(limits())
def test_narrowing_lowers_every_cap_and_keeps_the_lowest_level_possible(limits: Limits) -> None:
    narrower = narrowed(limits, 2 / 3)
    assert limits.lowest_percent <= narrower.cap_percent <= max(limits.lowest_percent, limits.cap_percent * 2 / 3)
    for zone, cap in limits.zone_caps.items():
        assert limits.lowest_percent <= narrower.zone_caps[zone] <= max(limits.lowest_percent, cap * 2 / 3)


NOON = datetime(2026, 5, 4, 12, 0, tzinfo=ZoneInfo("Europe/Berlin"))
CHIN = frozenset({"chin"})


def test_h6_twelve_hours_of_rest_between_sessions() -> None:
    night = [PastSession(NOON - timedelta(hours=11, minutes=59), CHIN)]
    assert rest_refusal(NOON, night, ["forehead"]) == (
        "Your skin needs 12 hours of rest between sessions: the next one can start at 12:01."
    )
    assert rest_refusal(NOON, [PastSession(NOON - timedelta(hours=12), frozenset())], CHIN) is None


def test_h6_rest_that_ends_tomorrow_says_so() -> None:
    refusal = rest_refusal(NOON, [PastSession(NOON - timedelta(minutes=5), CHIN)], CHIN)
    assert refusal is not None
    assert "23:55." in refusal
    refusal = rest_refusal(NOON, [PastSession(NOON, CHIN)], CHIN)
    assert refusal is not None
    assert "00:00 on Tuesday, 05 May" in refusal


def test_h6_each_zone_has_one_session_a_day_by_the_date_where_the_person_is() -> None:
    evening = datetime(2026, 5, 4, 22, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    morning = [PastSession(datetime(2026, 5, 4, 7, 0, tzinfo=UTC), CHIN)]
    assert (
        rest_refusal(evening, morning, CHIN)
        == "Each zone has one session a day, and chin had today's: come back tomorrow."
    )
    assert rest_refusal(evening, morning, ["forehead"]) is None
    # 22:30 UTC is half past midnight in Berlin, hence today's date there
    late = [PastSession(datetime(2026, 5, 3, 22, 30, tzinfo=UTC), CHIN)]
    assert rest_refusal(evening, late, CHIN) is not None
    earlier = [PastSession(datetime(2026, 5, 3, 21, 30, tzinfo=UTC), CHIN)]
    assert rest_refusal(evening, earlier, CHIN) is None


def test_h6_a_night_with_a_clock_change_still_rests_twelve_real_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    ended = datetime(2026, 3, 28, 20, 0, tzinfo=berlin)  # clocks go forward in the night
    assert rest_refusal(datetime(2026, 3, 29, 8, 30, tzinfo=berlin), [PastSession(ended, CHIN)], CHIN) is not None
    assert rest_refusal(datetime(2026, 3, 29, 9, 0, tzinfo=berlin), [PastSession(ended, CHIN)], CHIN) is None


def test_h6_a_session_dated_in_the_future_never_shortens_the_rest() -> None:
    assert rest_refusal(NOON, [PastSession(NOON + timedelta(days=2), CHIN)], CHIN) is not None


def test_a_session_that_never_had_output_needs_no_rest() -> None:
    assert rest_refusal(NOON, [PastSession(NOON - timedelta(minutes=1), frozenset())], CHIN) is None
