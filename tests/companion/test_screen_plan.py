"""The screen of the plan, led by keys and by mouse on a real almanac: what it shows, and what it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from textual import events
from textual.app import ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, OptionList

from companion.care.plans import Chosen, Custom, Pause
from companion.config import CompanionError
from companion.screens.plan import PlanScreen
from companion.widgets.heat import Heat
from companion.widgets.keyline import KeyLine
from companion.widgets.marks import GLYPHS
from companion.widgets.month import Month, first_shown, weeks_of
from companion.widgets.phases import Phases, PhaseWeeks
from companion.words import plan_screen as words
from tests.companion.kept import BERLIN, NOW, Household, Kept, Stage, household, weeks
from tests.companion.staging import press, settle

TODAY = NOW.date()
MONDAY = date(2026, 11, 23)
SIZES = [(80, 24), (120, 40), (60, 20)]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Household]:
    with household(tmp_path / "data") as made:
        weeks(made)
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Household]:
    """Somebody without a plan."""
    with household(tmp_path / "data") as made:
        yield made


def stage(almanac: Kept, theme: str = "dark", file: Path | None = None) -> Stage:
    return Stage(PlanScreen(almanac, file=file), theme)


def cell_of(app: Stage, day: date) -> tuple[int, int]:
    """Where a day is drawn, within the month."""
    month = app.screen.query_one(Month)
    found = [(x, y) for y in range(month.size.height) for x in range(month.size.width) if month.day_at(x, y) == day]
    return found[0]


def screen_of(widget: Widget) -> Screen[None]:
    """A screen with this one widget."""

    class One(Screen[None]):
        def compose(self) -> ComposeResult:
            yield widget

    return One()


def wheel(widget: Widget) -> events.MouseScrollDown:
    """One notch of the wheel, away from the person."""
    x, y = widget.region.offset
    return events.MouseScrollDown(widget, 0, 0, 0, 1, 0, shift=False, meta=False, ctrl=False, screen_x=x, screen_y=y)


async def choose(pilot: Pilot[None], title: str) -> None:
    """Choose what is offered on the day under the hand."""
    actions = pilot.app.screen.query_one("#actions", OptionList)
    titles = [str(option.prompt).splitlines()[0] for option in actions.options]
    await press(pilot, *["down"] * titles.index(title), "enter")


# --- what it shows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_the_month_the_phases_and_a_kind_line_are_shown_at_every_size(
    kept: Household, size: tuple[int, int], theme: str
) -> None:
    app = stage(kept.almanac(), theme)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        lines = app.text.splitlines()
        assert len(lines) == size[1]
        for part in ("November 2026", "First weeks", "Keeping it up", "week 3 of 4", "Today, 19 November", "in a row."):
            assert part in app.text
        assert lines[-1].startswith("   enter choose")
        assert "esc back" in lines[-1]


async def test_every_mark_has_a_shape_of_its_own_and_a_word() -> None:
    assert len(set(GLYPHS.values())) == len(GLYPHS)
    assert set(GLYPHS) == set(words.MARKS) == set(words.SAID)


async def test_what_was_done_what_is_planned_and_rest_have_their_signs_in_the_month(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert " 2 ●" in app.text
        assert "20 ○" in app.text
        assert "21 ~" in app.text
        assert "● done   ○ planned   ~ rest" in app.text


async def test_without_colour_the_day_under_the_hand_is_in_brackets(
    kept: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "[19 ○]" in app.text
        await press(pilot, "right")
        assert "[20 ○]" in app.text


async def test_with_room_sessions_are_drawn_as_discs(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        month = app.screen.query_one(Month)
        x, y = cell_of(app, date(2026, 11, 2))
        drawn = "".join(month.render_line(y + line).text[x : x + 10] for line in range(3))
        assert set(drawn) & set("▘▝▀▖▌▞▛▗▚▐▜▄▙▟█")
        assert "●" not in drawn


async def test_the_theme_can_be_changed_while_it_is_shown(kept: Household) -> None:
    app = stage(kept.almanac(), "dark")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        before = app.screen.query_one("#legend").render().markup
        app.theme = "microcurrent-light"
        await settle(pilot)
        assert app.screen.query_one("#legend").render().markup != before


async def test_session_five_is_told_with_its_milestone(fresh: Household) -> None:
    fresh.almanac(datetime(2026, 11, 2, 9, 0, tzinfo=BERLIN)).choose_plan(Chosen(date(2026, 11, 2)))
    for day in (2, 4, 6, 9, 11):
        fresh.session(date(2026, 11, day))
    app = stage(fresh.almanac(datetime(2026, 11, 12, 9, 0, tzinfo=BERLIN)))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert f"5 sessions in a row.  {words.MILESTONE}" in app.text


async def test_nothing_is_called_failed_or_missed_even_where_weeks_went_by(fresh: Household) -> None:
    fresh.almanac(datetime(2026, 9, 1, 9, 0, tzinfo=BERLIN)).choose_plan(Chosen(date(2026, 9, 1)))
    app = stage(fresh.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "pageup", "pageup")
        said = app.text.lower()
        assert "let go" in said
        assert words.NONE_YET in app.text
        for word in ("miss", "fail", "late", "should", "broke", "lost"):
            assert word not in said


async def test_how_it_has_been_shows_a_square_for_each_session(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        heat = app.screen.query_one(Heat)
        drawn = [heat.render_line(line).text for line in range(7)]
        assert "".join(drawn).count("■") == 6
        assert drawn[0].startswith("Mo ■ ■")


@pytest.mark.parametrize("shares", [(), (1.0, 0.5), (1.0,) * 80], ids=["none", "two", "eighty"])
async def test_a_phase_that_goes_on_takes_no_more_room_than_there_is(shares: tuple[float, ...]) -> None:
    phases = Phases()
    app = Stage(screen_of(phases))
    async with app.run_test(size=(60, 20)) as pilot:
        phases.show([PhaseWeeks("First weeks", (1.0,) * 4, 4), PhaseWeeks("Keeping it up", shares, None, now=True)])
        await settle(pilot)
        lines = app.text.splitlines()
        assert "Keeping it up" in lines[0]
        assert lines[2].strip() == ""
        assert "┄" in lines[1]


# --- moving -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "title", "day"),
    [
        (["right"], "November 2026", "Friday, 20 November"),
        (["left"], "November 2026", "Wednesday, 18 November"),
        (["down"], "November 2026", "Thursday, 26 November"),
        (["up"], "November 2026", "Thursday, 12 November"),
        (["down", "down"], "December 2026", "Thursday, 3 December"),
        (["pagedown"], "December 2026", "Saturday, 19 December"),
        (["pageup"], "October 2026", "Monday, 19 October"),
        (["pagedown"] * 3 + ["down", "pageup", "home"], "November 2026", "Today, 19 November"),
    ],
    ids=["right", "left", "down", "up", "into december", "month", "month back", "home"],
)
async def test_arrows_move_by_day_and_week_and_page_keys_by_month(
    kept: Household, keys: list[str], title: str, day: str
) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, *keys)
        assert title in app.text
        assert day in app.text


async def test_the_last_day_of_a_long_month_leads_to_the_last_of_a_short_one(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "pageup", "down", "left", "left", "left", "left", "left", "left", "left", "right")
        await press(pilot, *["right"] * 11)
        assert "Saturday, 31 October" in app.text
        await press(pilot, "pagedown")
        assert "Monday, 30 November" in app.text


async def test_a_month_far_away_is_read_when_it_is_shown(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, *["pagedown"] * 9)
        assert "August 2027" in app.text
        assert "○ planned" in app.text
        await press(pilot, *["pageup"] * 30)
        assert "February 2025" in app.text


async def test_a_click_takes_a_day_and_a_second_one_shows_what_can_be_done(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        at = cell_of(app, MONDAY)
        await pilot.click(Month, offset=at)
        await settle(pilot)
        assert "Monday, 23 November" in app.text
        assert words.PAUSE not in app.text
        await pilot.click(Month, offset=at)
        await settle(pilot)
        assert words.PAUSE in app.text
        await pilot.click(Month, offset=cell_of(app, date(2026, 11, 25)))
        await settle(pilot)
        assert "Wednesday, 25 November" in app.text
        assert words.PAUSE not in app.text


async def test_a_click_beside_the_days_of_the_month_takes_none(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for before in (date(2026, 10, 31), date(2026, 12, 1)):
            assert not any(app.screen.query_one(Month).day_at(x, y) == before for x in range(42) for y in range(14))
        x, y = cell_of(app, date(2026, 11, 1))
        for offset in ((x - 12, y), (x, 0), (x, 1)):
            await pilot.click(Month, offset=offset)
            await settle(pilot)
            assert "Today, 19 November" in app.text


async def test_the_wheel_turns_the_months(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        month = app.screen.query_one(Month)
        month.post_message(wheel(month))
        await settle(pilot)
        assert "December 2026" in app.text


@pytest.mark.parametrize("month", [date(2026, 2, 1), date(2027, 2, 1), date(2026, 11, 1), date(2024, 2, 1)], ids=str)
def test_the_weeks_of_a_month_hold_all_of_its_days_and_no_week_without_one(month: date) -> None:
    last = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    first, count = first_shown(month), weeks_of(month)
    assert first.weekday() == 0
    assert first <= month < first + timedelta(days=7)
    assert first + timedelta(days=7 * (count - 1)) <= last < first + timedelta(days=7 * count)


# --- choosing ---------------------------------------------------------------------------------------------------------


async def test_a_pause_is_chosen_day_by_day_and_kept(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, *["right"] * 4, "enter")
        await choose(pilot, words.PAUSE)
        assert words.UNTIL in app.text
        await press(pilot, "down", "right", "enter")
        assert "Paused from Monday, 23 November to Tuesday, 1 December." in app.text
        assert "23 ‖" in app.text
        assert "‖ paused" in app.text
    chosen = almanac.chosen()
    assert chosen is not None
    assert chosen.pauses == (Pause(MONDAY, date(2026, 12, 1)),)


async def test_a_pause_cannot_end_before_it_begins(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        await choose(pilot, words.PAUSE)
        await press(pilot, "up", "left", "enter")
    chosen = almanac.chosen()
    assert chosen is not None
    assert chosen.pauses == (Pause(TODAY, TODAY),)


async def test_a_pause_may_have_no_end_and_is_ended_where_one_carries_on(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        await choose(pilot, words.PAUSE)
        await press(pilot, "o")
        assert "until you carry on" in app.text
        assert almanac.outlook().next_session is None
        await press(pilot, "down", "enter")
        await choose(pilot, words.CARRY_ON)
        assert "The plan carries on, from Thursday, 26 November." in app.text
    chosen = almanac.chosen()
    assert chosen is not None
    assert chosen.pauses == (Pause(TODAY, date(2026, 11, 25)),)


async def test_carrying_on_where_a_pause_begins_takes_it_back(kept: Household) -> None:
    almanac = kept.almanac()
    almanac.pause(MONDAY, date(2026, 11, 29))
    almanac.pause(date(2027, 1, 4), date(2027, 1, 8))
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, *["right"] * 4, "enter")
        await choose(pilot, words.CARRY_ON)
    chosen = almanac.chosen()
    assert chosen is not None
    assert chosen.pauses == (Pause(date(2027, 1, 4), date(2027, 1, 8)),)


async def test_escape_while_choosing_an_end_keeps_nothing_and_leads_back(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        await choose(pilot, words.PAUSE)
        await press(pilot, "down", "down", "escape")
        assert "Today, 19 November" in app.text
        assert isinstance(app.screen, PlanScreen)
        await press(pilot, "escape")
        assert not isinstance(app.screen, PlanScreen)
    chosen = almanac.chosen()
    assert chosen is not None
    assert chosen.pauses == ()


async def test_a_session_is_moved_to_another_weekday(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, *["right"] * 5, "enter")
        title = words.MOVE.format(here="Tuesdays", there="Mondays")
        await choose(pilot, title)
        assert "From now on Tuesdays instead of Mondays." in app.text
    chosen = almanac.chosen()
    assert chosen is not None
    assert chosen.weekdays == (1, 2, 4)
    planned = {one.at.date() for one in almanac.outlook(days=14).proposals}
    assert date(2026, 11, 24) in planned
    assert MONDAY not in planned


async def test_the_plan_may_begin_on_another_day(kept: Household) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, *["right"] * 4, "enter")
        await choose(pilot, words.BEGIN)
        assert "The plan begins on Monday, 23 November." in app.text
        assert "Starts on Monday, 23 November." in app.text
    chosen = almanac.chosen()
    assert chosen is not None
    assert chosen.start == MONDAY


@pytest.mark.parametrize(("written", "at"), [("7:30", time(7, 30)), ("20", time(20)), (" 21:15 ", time(21, 15))])
async def test_the_time_of_day_is_written_in_its_place(kept: Household, written: str, at: time) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        await choose(pilot, words.TIME)
        app.screen.query_one("#answer", Input).value = written
        await press(pilot, "enter")
        assert f"Sessions are at {at:%H:%M} from now on." in app.text
    chosen = almanac.chosen()
    assert chosen is not None
    assert chosen.at == at


@pytest.mark.parametrize("written", ["", "25:00", "noon", "7:5:", "7:5:0"])
async def test_what_is_no_time_of_day_is_told_and_not_kept(kept: Household, written: str) -> None:
    almanac = kept.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        await choose(pilot, words.TIME)
        app.screen.query_one("#answer", Input).value = written
        await press(pilot, "enter")
        assert words.AT_WRONG in app.text
        await press(pilot, "escape")
        assert words.AT_WRONG not in app.text
    chosen = almanac.chosen()
    assert chosen is not None
    assert chosen.at == time(19)


async def test_what_is_over_cannot_be_paused_or_begun(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "left", "enter")
        assert words.NO_CHANGE in app.text
        for action in (words.PAUSE, words.BEGIN, words.CARRY_ON):
            assert action not in app.text
        assert words.OTHER in app.text


async def test_a_change_is_told_and_brings_the_calendar_file_up_to_date(kept: Household, tmp_path: Path) -> None:
    almanac = kept.almanac()
    path = tmp_path / "routine.ics"
    almanac.subscribe(path)
    before = path.read_bytes()
    told: list[PlanScreen.Changed] = []

    class Told(Stage):
        def on_plan_screen_changed(self, message: PlanScreen.Changed) -> None:
            told.append(message)

    app = Told(PlanScreen(almanac))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        await choose(pilot, words.PAUSE)
        await press(pilot, "o")
    assert len(told) == 1
    assert path.read_bytes() != before


async def test_what_cannot_be_kept_is_told_in_one_line_and_nothing_is_told_as_changed(
    kept: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    almanac = kept.almanac()

    def full(*_: object) -> None:
        raise CompanionError("/data: the disk is full; make room")

    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        monkeypatch.setattr(almanac, "pause", full)
        await press(pilot, "enter")
        await choose(pilot, words.PAUSE)
        await press(pilot, "enter")
        assert "/data: the disk is full; make room" in app.text
        assert "Paused from" not in app.text


# --- the plans --------------------------------------------------------------------------------------------------------


async def test_each_plan_is_shown_with_its_rhythm_and_source_and_yours_is_marked(kept: Household) -> None:
    app = stage(kept.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "c")
        for part in (
            *list(words.SOURCES.values())[:4],
            "28 days with 2 to 3 a week, then 1 a week",
            "48 h between two",
        ):
            assert part in app.text
        assert "Four weeks, then weekly  12 min   ● yours" in app.text
        assert app.text.count(words.YOURS) == 1


async def test_another_plan_begins_today_and_keeps_time_weekdays_and_pauses(kept: Household) -> None:
    almanac = kept.almanac()
    pause = Pause(date(2026, 12, 20), date(2026, 12, 28))
    almanac.choose_plan(Chosen(date(2026, 11, 2), weekdays=(0, 3), at=time(8), pauses=(pause,)))
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "c", "down", "down", "enter")
        assert "Gentle: it begins today." in app.text
    assert almanac.chosen() == Chosen(TODAY, "gentle", weekdays=(0, 3), at=time(8), pauses=(pause,))


async def test_choosing_the_plan_that_one_has_changes_nothing(kept: Household) -> None:
    almanac = kept.almanac()
    before = almanac.chosen()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "c", "enter")
        assert "November 2026" in app.text
    assert almanac.chosen() == before


async def test_a_plan_of_ones_own_is_among_the_plans(kept: Household) -> None:
    almanac = kept.almanac()
    almanac.choose_plan(Chosen(TODAY, "custom", custom=Custom(first_days=14, first_a_week=4, then_a_week=2)))
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "c")
        assert "14 days with 4 a week, then 2 a week" in app.text
        await press(pilot, "enter")
    chosen = almanac.chosen()
    assert chosen is not None
    assert chosen.plan == "custom"


async def test_without_a_plan_it_begins_with_the_plans(fresh: Household) -> None:
    almanac = fresh.almanac()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert words.PLANS_TITLE in app.text
        await press(pilot, "enter")
        assert "November 2026" in app.text
        assert "19 ○" in app.text
    assert almanac.chosen() == Chosen(TODAY)


async def test_without_a_plan_escape_leads_back_at_once(fresh: Household) -> None:
    app = stage(fresh.almanac())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "escape")
        assert not isinstance(app.screen, PlanScreen)


# --- the calendar file ------------------------------------------------------------------------------------------------


async def test_the_calendar_file_is_written_where_it_is_said_and_given_up_when_left_empty(
    kept: Household, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the folder of a test may have a name so long that the sentence is broken inside
    almanac = kept.almanac()
    written = tmp_path / "mine.ics"
    app = stage(almanac, file=Path("mine.ics"))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "e")
        assert app.screen.query_one("#answer", Input).value == "mine.ics"
        assert words.FILE_HINT in app.text
        await press(pilot, "enter")
        assert "kept up to date." in app.text
        assert written.read_bytes().startswith(b"BEGIN:VCALENDAR")
        assert almanac.calendar_path() == written
        await press(pilot, "e")
        app.screen.query_one("#answer", Input).value = "  "
        await press(pilot, "enter")
        assert words.FILE_NONE in app.text
    assert almanac.calendar_path() is None
    assert written.exists()


async def test_a_file_of_somebody_else_is_not_written_over(kept: Household, tmp_path: Path) -> None:
    path = tmp_path / "family.ics"
    path.write_text("BEGIN:VCALENDAR\nX-THEIRS:1\nEND:VCALENDAR\n")
    before = path.read_bytes()
    app = stage(kept.almanac(), file=path)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "e", "enter")
        assert "this is not a calendar of this app" in " ".join(app.text.split())
        assert app.screen.query_one("#answer", Input).display
    assert path.read_bytes() == before


async def test_a_click_on_a_day_while_a_path_is_written_writes_nothing(kept: Household, tmp_path: Path) -> None:
    path = tmp_path / "mine.ics"
    app = stage(kept.almanac(), file=path)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "e")
        await pilot.click(Month, offset=cell_of(app, TODAY))
        await settle(pilot)
        assert "November 2026" in app.text
    assert not path.exists()


# --- keys -------------------------------------------------------------------------------------------------------------


async def test_space_means_nothing_here_and_escape_nothing_but_back(kept: Household) -> None:
    almanac = kept.almanac()
    before = almanac.chosen()
    app = stage(almanac)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for keys in ([], ["enter"], ["escape", "c"]):
            await press(pilot, *keys)
            shown = app.text
            await press(pilot, "space")
            assert app.text == shown
    assert almanac.chosen() == before


async def test_every_hint_of_the_last_line_can_be_clicked(kept: Household) -> None:
    app = stage(kept.almanac())

    async def click(hint: str) -> None:
        line = app.screen.query_one(KeyLine)
        await pilot.click(line, offset=(str(line.render()).index(hint), 0))
        await settle(pilot)

    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await click("pgup")
        assert "December 2026" in app.text
        await click("c plans")
        assert words.PLANS_TITLE in app.text
        await click("esc")
        await click("enter")
        assert words.PAUSE in app.text
        await click("enter")
        assert words.UNTIL in app.text
        await click("o until")
        assert "until you carry on" in app.text
        await click("esc")
        assert not isinstance(app.screen, PlanScreen)
