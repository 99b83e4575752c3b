"""The current that is delivered, on the session screen: a chart that moves with time, none where none is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.app import CompanionApp
from companion.routines.library import Library
from companion.routines.model import plan_session
from companion.screens.session import SessionScreen, hints
from companion.session.model import Output, Phase
from companion.widgets.delivered import COLUMN_S, Delivered, chart_lines
from protocols.omp import PROFILE as OMP
from tests.companion.staging import StagedHome, press, settle, stage, view_of

PLAN = plan_session(Library().get("full-face"), OMP, comfortable_percent=60, first_session=False)


def app_of(home: StagedHome) -> CompanionApp:
    return CompanionApp(home, environ={})


def test_a_column_is_as_high_as_its_value() -> None:
    assert chart_lines([0, 1, 50, 100, 130], 100, 1) == [" ▁▄██"]
    assert chart_lines([0, 25, 50, 100], 100, 2) == ["   █", " ▄██"]


@given(st.lists(st.floats(0, 500), max_size=50), st.floats(0, 500), st.integers(1, 5))
def test_a_column_is_empty_only_where_nothing_flows(values: list[float], most: float, height: int) -> None:
    lines = chart_lines(values, most, height)
    assert [len(line) for line in lines] == [len(values)] * height
    for value, column in zip(values, zip(*lines, strict=True), strict=True):
        assert (set(column) == {" "}) is (value == 0)


def test_columns_follow_the_time_and_not_the_drawing() -> None:
    chart = Delivered()
    for at in (0.0, 0.1, 0.2, COLUMN_S, 4 * COLUMN_S):
        chart.show(100 * at, 100.0, at)
    assert chart.values == (20.0, 50.0, 200.0, 200.0, 200.0), "one value a column, the latest; none is left out"
    chart.show(None, 100.0, 5 * COLUMN_S)
    assert chart.values == (), "between zones it begins anew"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_what_the_device_measures_is_drawn_and_is_nothing_once_the_output_is_off(size: tuple[int, int]) -> None:
    home = StagedHome()
    home.plan = PLAN
    app = app_of(home)
    async with app.run_test(size=size) as pilot:
        await stage(pilot, home, "session")
        screen = app.screen
        assert isinstance(screen, SessionScreen)
        chart = screen.query_one(Delivered)
        home.session.view = view_of(PLAN, "left-cheek", delivered_ua=87.6)
        screen.update_view()
        assert "88 µA delivered" in str(chart.render())
        assert chart.region.area > 0
        home.session.view = replace(home.session.view, phase=Phase.PAUSED, output=Output.OFF)
        screen.update_view()
        assert " 0 µA delivered" in str(chart.render()), "what was measured last is not what flows now"
        home.session.view = replace(home.session.view, phase=Phase.GUIDING)
        screen.update_view()
        assert str(chart.render()) == ""


async def test_a_device_that_measures_nothing_has_no_chart() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "session")
        assert app.screen.query_one(Delivered).region.area == 0
        assert "not reported by this device" in app.screen.text("#facts")  # type: ignore[attr-defined] # a SessionScreen


async def test_in_a_demo_a_key_lifts_the_device_and_lays_it_back_and_starts_nothing() -> None:
    home = StagedHome()
    home.plan = PLAN
    held: list[bool] = []
    home.hold = held.append
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "session")
        assert held == [True], "it lies on the skin when the session begins"
        wanted = len(home.session.intents)
        assert "l lift" in str(app.screen.query_one("StopLine").render())
        await press(pilot, "l")
        assert held == [True, False]
        assert "l back on the skin" in str(app.screen.query_one("StopLine").render())
        await press(pilot, "l")
        await settle(pilot)
        assert held == [True, False, True]
        assert len(home.session.intents) == wanted, "a hand is no key of the device"


async def test_nobody_elses_hand_is_played() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "session")
        await press(pilot, "l")
        assert "lift" not in str(app.screen.query_one("StopLine").render())


def test_the_hand_is_offered_where_it_matters_and_never_before_stop() -> None:
    for phase in Phase:
        line = hints(replace(view_of(PLAN, "chin"), phase=phase), on_skin=True)
        assert line[0].action == "app.stop"
        offered = any(hint.action == "screen.hold" for hint in line)
        assert offered is (phase in {Phase.TREATING, Phase.MOVING, Phase.PAUSED})
