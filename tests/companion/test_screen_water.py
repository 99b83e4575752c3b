"""The screen of water, led by keys and by mouse on a real almanac: what is drunk is kept, and nothing is claimed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from textual.widgets import Static

from companion.care.hydration import Goal
from companion.care.plans import Chosen
from companion.config import CompanionError
from companion.palette import DARK, LIGHT, Palette
from companion.screens.water import WaterScreen
from companion.widgets.amount import Amount
from companion.widgets.bars import Bar, Bars, spark
from companion.widgets.dayline import DayLine
from companion.widgets.figures import Figures
from companion.widgets.glass import Glass, draw
from companion.widgets.keyline import KeyLine
from companion.words import water as spoken
from companion.words import water_screen as words
from tests.companion.kept import NOW, Household, Kept, Stage, household, weeks
from tests.companion.staging import press, settle

SIZES = [(80, 24), (120, 40), (60, 20)]
TODAY_ML = 980


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Household]:
    with household(tmp_path / "data") as made:
        weeks(made)
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Household]:
    """Somebody without a plan, a goal or a drink."""
    with household(tmp_path / "data") as made:
        yield made


def stage(almanac: Kept, theme: str = "dark") -> Stage:
    return Stage(WaterScreen(almanac), theme)


def shown(app: Stage) -> str:
    return app.screen.query_one(Figures).text


def said(app: Stage) -> str:
    return str(app.screen.query_one("#said", Static).render())


# --- what it shows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_glass_figures_day_and_week_are_shown_at_every_size(
    kept: Household, size: tuple[int, int], theme: str
) -> None:
    app = stage(kept.almanac(), theme)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        lines = app.text.splitlines()
        assert len(lines) == size[1]
        for part in ("Water", "07:30", "22:00", "Next glass around", "Fr", "Th"):
            assert part in app.text
        assert shown(app) == str(TODAY_ML)
        assert lines[-1].startswith("   w a glass")
        assert "esc back" in lines[-1]
        assert app.screen.region.contains_region(app.screen.query_one(Bars).region)


async def test_it_claims_nothing(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert spoken.WHY in app.text


async def test_the_glass_is_as_full_as_the_day(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app.screen.query_one(Glass).share == pytest.approx(TODAY_ML / 1600)
        await press(pilot, "w", "w", "w", "w")
        assert app.screen.query_one(Glass).share == 1.0
        assert spoken.LOGGED.format(ml=200) in app.text


@pytest.mark.parametrize("palette", [DARK, LIGHT, None], ids=["dark", "light", "no colour"])
@pytest.mark.parametrize(("columns", "lines"), [(24, 16), (44, 29), (6, 4), (1, 1), (2, 1)], ids=str)
def test_more_water_is_never_drawn_as_less(palette: Palette | None, columns: int, lines: int) -> None:
    filled = []
    for tenth in range(11):
        rows = draw(tenth / 10, columns, lines, palette)
        assert len(rows) in {0, lines}
        assert all(len(row) == columns for row in rows)
        empty = draw(0.0, columns, lines, palette)
        filled.append(
            sum(
                one != other
                for row, bare in zip(rows, empty, strict=True)
                for one, other in zip(row, bare, strict=True)
            )
        )
    assert filled == sorted(filled)
    assert columns < 6 or filled[10] > filled[5] > filled[0] == 0


async def test_what_was_drunk_and_what_will_be_asked_are_on_the_line_of_the_day(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        moments = app.screen.query_one(DayLine).moments
        assert [one.done for one in moments].count(True) == len(almanac.drinks_of(NOW.date())) == 4
        coming = [one.share for one in moments if not one.done]
        now = (14 * 60 + 10 - 7.5 * 60) / (14.5 * 60)
        assert coming
        assert min(coming) > now - 0.5 / 14.5
        assert "┃" in app.text


async def test_the_last_seven_days_are_bars_and_today_is_the_last(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        bars = app.screen.query_one(Bars).bars
        assert [one.label for one in bars] == ["Fr", "Sa", "Su", "Mo", "Tu", "We", "Th"]
        assert [one.value for one in bars] == [990, 1800, 0, 800, 2000, 1200, TODAY_ML]
        assert [one.now for one in bars] == [False] * 6 + [True]


async def test_without_a_plan_or_a_goal_nothing_is_asked_and_that_is_said(fresh: Household) -> None:
    app = stage(fresh.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        coming = app.screen.query_one("#next", Static)
        assert str(coming.render()) == words.NOT_ASKED
        assert len(words.NOT_ASKED) <= 2 * (coming.size.width - 8)
        assert not [one for one in app.screen.query_one(DayLine).moments if not one.done]


async def test_a_reached_goal_is_said_and_nothing_more_is_asked(kept: Household) -> None:
    almanac = kept.almanac()
    almanac.drink(1000)
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert spoken.REACHED in app.text
        assert "Next glass" not in app.text
        assert all(one.done for one in app.screen.query_one(DayLine).moments)


async def test_a_drink_more_settles_the_asks_that_it_covers(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        before = sum(not one.done for one in app.screen.query_one(DayLine).moments)
        await press(pilot, "plus", *"400", "enter")
        assert sum(not one.done for one in app.screen.query_one(DayLine).moments) < before


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=str)
async def test_four_figures_leave_room_for_the_words_beside_them(kept: Household, size: tuple[int, int]) -> None:
    almanac = kept.almanac()
    almanac.drink(1900)
    app = stage(almanac)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        assert shown(app) == "2880"
        assert "of 1600 mL" in app.text


async def test_an_ask_of_this_moment_is_a_kind_one(fresh: Household) -> None:
    almanac = fresh.almanac()
    almanac.choose_plan(Chosen(date(2026, 11, 23)))
    at = almanac.water().ask_at
    assert at is not None
    app = stage(fresh.almanac(at.astimezone(NOW.tzinfo)))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert words.NOW in app.text


async def test_without_colour_the_glass_is_filled_with_shade(kept: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "▒▒▒▒" in app.text
        assert "┄" in app.text


@pytest.mark.parametrize(
    ("values", "line"),
    [((1, 2, 3, 4, 5), "▁▃▅▆█"), ((5, 5), "██"), ((1, 1), "▁▁"), ((0, 9), "▁█"), ((), "")],
    ids=["rising", "high", "low", "outside", "none"],
)
def test_a_line_of_scores_keeps_its_scale(values: tuple[int, ...], line: str) -> None:
    assert spark(values, 1, 5) == line


async def test_a_bar_is_as_high_as_its_day_and_the_goal_a_line_at_its_height(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        bars = app.screen.query_one(Bars)
        bars.styles.height = bars.styles.max_height = 9
        bars.show([Bar("Mo", 0), Bar("Tu", 500), Bar("We", 1000), Bar("Th", 2000, now=True)], 1000)
        await settle(pilot)
        rows = [bars.render_line(line).text for line in range(9)]
        columns = [rows[8].index(name) for name in ("Mo", "Tu", "We", "Th")]
        assert ["".join(row[x] for row in rows[:8]).count("█") for x in columns] == [0, 2, 4, 8]
        assert ["┄" in row for row in rows[:8]] == [False] * 4 + [True] + [False] * 3


async def test_the_picture_follows_the_theme(kept: Household) -> None:
    app = stage(kept.almanac(), "dark")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        grounds = []
        for theme in ("microcurrent-dark", "microcurrent-light"):
            app.theme = theme
            await settle(pilot)
            lines = app.screen._compositor.render_strips(app.size)
            styles = [style for line in lines[5:18] for _, style, _ in line if style is not None]
            grounds.append({style.bgcolor.triplet for style in styles if style.bgcolor and style.bgcolor.triplet})
        assert DARK.background in grounds[0]
        assert LIGHT.background in grounds[1]
        assert not grounds[1] & {DARK.background}


@pytest.mark.parametrize(("width", "height"), [(3, 2), (7, 3), (28, 6), (80, 10), (5, 1)], ids=str)
async def test_bars_stay_within_their_room(width: int, height: int, kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        bars = app.screen.query_one(Bars)
        bars.styles.width, bars.styles.height, bars.styles.max_height = width, height, height
        bars.show([Bar("Mo", 0), Bar("Tu", 10, now=True), Bar("We", 99999)], 500)
        await settle(pilot)
        assert all(len(bars.render_line(line).text) == width for line in range(height))


# --- noting -----------------------------------------------------------------------------------------------------------


async def test_w_notes_a_glass_of_ones_own_size_and_u_takes_it_back(kept: Household) -> None:
    almanac = kept.almanac()
    almanac.set_goal(Goal(glass_ml=250))
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "w")
        assert shown(app) == str(TODAY_ML + 250)
        assert said(app) == "250 mL, noted."
        await press(pilot, "u")
        assert shown(app) == str(TODAY_ML)
        assert said(app) == "250 mL, taken back."


async def test_taking_back_where_nothing_is_left_is_no_fault(fresh: Household) -> None:
    app = stage(fresh.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "u")
        assert said(app) == words.NOTHING_TO_UNDO


@pytest.mark.parametrize(
    ("keys", "ml"),
    [
        (["enter"], 300),
        (["up", "enter"], 350),
        (["down", "down", "enter"], 200),
        (["3", "3", "0", "enter"], 330),
        (["7", "5", "backspace", "backspace", "9", "5", "enter"], 95),
        (["1", "2", "0", "plus", "enter"], 150),
        (["1", "2", "0", "minus", "enter"], 100),
        (["0", "5", "0", "0", "enter"], 500),
        (["9", "9", "9", "9", "up", "enter"], 2000),
        (["1", "down", "down", "enter"], 50),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
async def test_another_amount_is_written_or_stepped(kept: Household, keys: list[str], ml: int) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "plus", *keys)
        assert said(app) == f"{ml} mL, noted."
        assert shown(app) == str(TODAY_ML + ml)
    assert almanac.drinks_of(NOW.date())[-1].ml == ml


@pytest.mark.parametrize("keys", [["9", "9", "9", "9"], ["0"]], ids=["too much", "nothing"])
async def test_what_nobody_drinks_is_told_and_not_noted(kept: Household, keys: list[str]) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "plus", *keys, "enter")
        assert "a drink is 1 to 2000" in app.text
        assert shown(app) == str(TODAY_ML)
    assert len(almanac.drinks_of(NOW.date())) == 4


async def test_escape_leaves_an_amount_and_then_the_screen(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "plus", "9", "escape")
        assert isinstance(app.screen, WaterScreen)
        assert not app.screen.query_one(Amount).display
        assert shown(app) == str(TODAY_ML)
        await press(pilot, "escape")
        assert not isinstance(app.screen, WaterScreen)


async def test_while_an_amount_is_asked_the_other_keys_rest(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "plus", "w", "u", "l", "e")
        assert app.screen.query_one(Amount).value == 300
    assert len(almanac.drinks_of(NOW.date())) == 4
    assert not almanac.goal().limited


# --- the goal ---------------------------------------------------------------------------------------------------------


async def test_the_goal_is_changed_in_place(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "e", "up", "up", "enter")
        assert "of 1800 mL" in app.text
        assert said(app) == "Your goal is 1800 mL a day from now on."
    assert almanac.goal() == Goal(ml=1800)


async def test_a_goal_outside_of_what_is_sensible_is_told_and_not_kept(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "e", "9", "0", "0", "0", "enter")
        assert "500 to 3500 mL" in app.text
    assert almanac.goal() == Goal()


async def test_where_a_doctor_limits_fluids_nothing_is_asked_and_the_page_says_so_without_fuss(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "l")
        text = " ".join(app.text.split())
        assert spoken.LIMITED in text
        assert words.LIMITED_NOW in text
        for word in ("1600", "Next glass", "goal"):
            assert word not in text
        assert app.screen.query_one(Glass).share is None
        assert all(one.done for one in app.screen.query_one(DayLine).moments)
        await press(pilot, "e")
        assert not app.screen.query_one(Amount).display
        await press(pilot, "w")
        assert shown(app) == str(TODAY_ML + 200)
        assert almanac.goal().limited
        await press(pilot, "l")
        assert words.NOT_LIMITED in app.text
        assert "of 1600 mL" in app.text
    assert not almanac.goal().limited


async def test_changes_are_told_and_failures_are_not(kept: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[WaterScreen.Changed] = []

    class Told(Stage):
        def on_water_screen_changed(self, message: WaterScreen.Changed) -> None:
            told.append(message)

    almanac = kept.almanac()

    def full(*_: object) -> None:
        raise CompanionError("/data: the disk is full; make room")

    app = Told(WaterScreen(almanac))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "w", "u", "l")
        assert len(told) == 3
        monkeypatch.setattr(almanac, "drink", full)
        await press(pilot, "w")
        assert len(told) == 3
        assert said(app) == "/data: the disk is full; make room"


# --- keys and mouse ---------------------------------------------------------------------------------------------------


async def test_space_means_nothing_here(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for keys in ([], ["plus"]):
            await press(pilot, *keys)
            before = app.text
            await press(pilot, "space")
            assert app.text == before


async def test_everything_can_be_done_by_mouse(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)

    async def click(hint: str) -> None:
        line = app.screen.query_one(KeyLine)
        await pilot.click(line, offset=(str(line.render()).index(hint), 0))
        await settle(pilot)

    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await click("w a glass")
        assert shown(app) == str(TODAY_ML + 200)
        await click("u take")
        assert shown(app) == str(TODAY_ML)
        await click("+ other")
        amount = app.screen.query_one(Amount)
        text = str(amount.render())
        await pilot.click(amount, offset=(text.rindex("+"), 0))
        await pilot.click(amount, offset=(text.rindex("+"), 0))
        await pilot.click(amount, offset=(text.index("\N{MINUS SIGN}"), 0))
        assert amount.value == 350
        await click("enter note it")
        assert shown(app) == str(TODAY_ML + 350)
        await click("l fluids")
        assert almanac.goal().limited
        await click("esc back")
        assert not isinstance(app.screen, WaterScreen)


async def test_the_day_goes_on_while_it_is_shown(kept: Household) -> None:
    moments = [NOW]

    class Later(Kept):
        @property
        def now(self) -> datetime:
            return moments[0]

    app = stage(Later(kept.store))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        before = app.text
        moments[0] = NOW + timedelta(hours=4)
        screen = app.screen
        assert isinstance(screen, WaterScreen)
        screen.look_again()
        await settle(pilot)
        assert app.text != before
