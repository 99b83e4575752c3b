"""The settings screen: drawn from a schema that it has never seen, changed by keys, by mouse and by writing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec
import pytest
from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, Static

import companion
from companion import themes
from companion.app import CompanionApp
from companion.screens import settings as module
from companion.screens.settings import SettingRow, SettingsScreen
from companion.settings.file import SettingsFile, settings_file
from companion.settings.schema import FILE_NAME, Settings
from companion.settings.setting import settings_of
from companion.widgets.keyline import KeyLine
from companion.words import settings as words
from tests.companion.staging import StagedHome, press, settle


class Tea(msgspec.Struct, frozen=True):
    kind: Literal["black", "green", "none"] = "black"
    sugar: bool = False
    minutes: Annotated[int, msgspec.Meta(ge=1, le=9)] = 4
    cup: Annotated[str, msgspec.Meta(max_length=12)] | None = None


class Kitchen(msgspec.Struct, frozen=True):
    tea: Tea = Tea()
    oven: Tea = Tea(kind="none")


class Listening(CompanionApp):
    """The app, writing down what the screen tells it."""

    CSS_PATH: ClassVar = [Path(companion.__file__).parent / name for name in CompanionApp.CSS_PATH]

    def __init__(self, theme: str = "dark") -> None:
        super().__init__(StagedHome(), environ={"COMPANION_THEME": theme})
        self.told: list[tuple[str, object]] = []

    def on_settings_screen_changed(self, message: SettingsScreen.Changed) -> None:
        self.told.append((message.key, message.value))


@pytest.fixture
def kitchen(tmp_path: Path) -> SettingsFile[Kitchen]:
    return SettingsFile(tmp_path / FILE_NAME, Kitchen)


@asynccontextmanager
async def open_on(
    file: SettingsFile[Kitchen] | SettingsFile[Settings], size: tuple[int, int] = (80, 24), theme: str = "dark"
) -> AsyncIterator[tuple[Listening, Pilot[int]]]:
    app = Listening(theme)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await app.push_screen(SettingsScreen(file))
        await settle(pilot)
        yield app, pilot


def lines_of(app: App[int]) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips(app.size)]


def line_with(app: CompanionApp, text: str) -> str:
    (line,) = (line for line in lines_of(app) if text in line)
    return " ".join(line.split())


def row_of(app: CompanionApp, key: str) -> SettingRow:
    return next(row for row in app.screen.query(SettingRow) if row.line.setting.key == key)


def under_hand(app: CompanionApp) -> str:
    """The first word of the one row that is marked."""
    (marked,) = (line.split()[1] for line in lines_of(app) if line.lstrip().startswith("▸"))
    return marked


async def click_on(pilot: Pilot[int], text: str) -> None:
    """Press the mouse on the first place where the terminal shows this text."""
    y, line = next((y, line) for y, line in enumerate(lines_of(pilot.app)) if text in line)
    await pilot.click(offset=(line.index(text), y))
    await settle(pilot)


# --- what is shown ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "theme"), [((80, 24), "dark"), ((120, 40), "light")], ids=str)
async def test_every_real_setting_is_shown_with_its_value_and_its_whole_reason(
    tmp_path: Path, size: tuple[int, int], theme: str
) -> None:
    async with open_on(settings_file(tmp_path), size, theme) as (app, pilot):
        assert app.theme == f"microcurrent-{theme}"
        seen: set[str] = set()
        begun: set[str] = set()
        for setting in settings_of(Settings):
            row = row_of(app, setting.key)
            assert row.has_focus
            lines = lines_of(app)
            text = "\n".join(lines)
            assert setting.reason in text, setting.key
            assert setting.label in text
            assert all(str(setting.shown(choice)) in text for choice in setting.choices)
            if setting.section not in begun:
                assert words.SECTIONS[setting.section] in text
                begun.add(setting.section)
            assert app.screen.query_one("#settings").region.contains_region(row.region), setting.key
            assert lines[-1].startswith("   space ")
            assert lines[-2].strip() == ""
            seen.add(text)
            await press(pilot, "down")
        assert len(seen) == len(settings_of(Settings))


async def test_a_schema_that_the_screen_has_never_seen_is_drawn_all_the_same(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen, (80, 40)) as (app, _):
        assert [line_with(app, "● black"), line_with(app, "● none")] == [
            "▸ kind ● black ○ green ○ none",
            "kind ● none ○ black ○ green",
        ]
        assert sum("sugar" in line and "○ yes ● no" in " ".join(line.split()) for line in lines_of(app)) == 2


def test_the_screen_names_no_setting() -> None:
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert [one.key for one in settings_of(Settings) if one.key in source] == []
    assert [one.section for one in settings_of(Settings) if f'"{one.section}"' in source] == []


@pytest.mark.parametrize("size", [(28, 10), (40, 16), (200, 60)], ids=str)
async def test_it_can_be_used_in_a_terminal_of_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async with open_on(settings_file(tmp_path), size) as (app, pilot):
        await press(pilot, "end", "home", "space")
        assert app.told == [("appearance.theme", "dark")]
        assert len(lines_of(app)) == size[1]


async def test_what_differs_from_the_usual_says_so(kitchen: SettingsFile[Kitchen]) -> None:
    kitchen.change("tea.minutes", 7)
    async with open_on(kitchen) as (app, _):
        assert line_with(app, "usual: 4") == "minutes 7 usual: 4"


async def test_a_long_value_is_cut_and_not_wrapped(tmp_path: Path) -> None:
    file = settings_file(tmp_path)
    file.change("mqtt.ca_file", "/etc/" + "long/" * 30)
    async with open_on(file) as (app, pilot):
        await press(pilot, "slash", *"vouches")
        assert line_with(app, "ca file").endswith("…")


async def test_mistakes_in_the_file_are_told_above_and_at_the_setting(kitchen: SettingsFile[Kitchen]) -> None:
    kitchen.path.write_text('[tea]\nminutes = 12\nkind = "green"\n', encoding="utf-8")
    async with open_on(kitchen) as (app, pilot):
        text = " ".join(" ".join(lines_of(app)).split())
        assert "settings.toml, line 2, tea.minutes: 12 is not allowed; allowed is a whole number" in text
        assert "! 12 is not allowed; allowed is a whole number from 1 to 9" in text
        await press(pilot, "down", "down", "backspace")
        assert kitchen.path.read_text(encoding="utf-8") == '[tea]\nkind = "green"\n'
        assert "not allowed" not in " ".join(lines_of(app))


# --- picking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["space"], "green"),
        (["enter"], "green"),
        (["right", "right"], "none"),
        (["left"], "none"),
        (["space", "space", "space"], "black"),
        (["space", "left"], "black"),
    ],
    ids=str,
)
async def test_one_key_changes_a_choice_and_the_app_is_told(
    kitchen: SettingsFile[Kitchen], keys: list[str], value: str
) -> None:
    async with open_on(kitchen) as (app, pilot):
        await press(pilot, *keys)
        assert kitchen.read().settings.tea.kind == value
        assert app.told[-1] == ("tea.kind", value)
        assert f"● {value}" in line_with(app, "▸ kind")


async def test_backspace_takes_a_change_back(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen) as (app, pilot):
        assert "backspace" not in lines_of(app)[-1]
        await press(pilot, "down", "space")
        assert kitchen.read().settings.tea.sugar is True
        assert "backspace as usual" in lines_of(app)[-1]
        await press(pilot, "backspace")
        assert kitchen.read().settings.tea.sugar is False
        assert "sugar" not in kitchen.path.read_text(encoding="utf-8")
        assert app.told == [("tea.sugar", True), ("tea.sugar", False)]
        assert "backspace" not in lines_of(app)[-1]


async def test_backspace_does_nothing_where_nothing_is_written(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen) as (app, pilot):
        await press(pilot, "backspace")
        assert app.told == []
        assert not kitchen.path.exists()


async def test_the_mouse_picks_what_it_is_on(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen) as (app, pilot):
        await click_on(pilot, "○ none")
        assert kitchen.read().settings.tea.kind == "none"
        await click_on(pilot, "green")
        assert kitchen.read().settings.tea.kind == "green"
        await click_on(pilot, "sugar")
        assert under_hand(app) == "sugar"
        assert app.told == [("tea.kind", "none"), ("tea.kind", "green")]


async def test_the_line_of_keys_can_be_clicked(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen) as (app, pilot):
        await click_on(pilot, "space change")
        assert kitchen.read().settings.tea.kind == "green"
        await click_on(pilot, "backspace as usual")
        assert kitchen.read().settings.tea.kind == "black"
        await click_on(pilot, "/ search   esc")
        assert isinstance(app.focused, Input)
        await click_on(pilot, "esc back")
        assert not isinstance(app.screen, SettingsScreen)


async def type_in(pilot: Pilot[int], text: str) -> None:
    """Type as a terminal tells it: with the character and the name of its key."""
    names = {" ": "space", "/": "slash", "?": "question_mark"}
    for character in text:
        pilot.app.post_message(events.Key(names.get(character, character), character))
        await settle(pilot)


# --- writing ----------------------------------------------------------------------------------------------------------


async def write_in(pilot: Pilot[int], downs: int, text: str) -> None:
    await press(pilot, *["down"] * downs, "enter", "ctrl+a", "ctrl+k", *text)


async def test_a_number_is_written_in_its_place(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen) as (app, pilot):
        await write_in(pilot, 2, "7")
        assert "May be a whole number from 1 to 9." in line_with(app, "May be")
        assert lines_of(app)[-1].split() == ["enter", "keep", "esc", "leave", "it"]
        assert under_hand(app) == "minutes"
        await press(pilot, "enter")
        assert kitchen.read().settings.tea.minutes == 7
        assert app.told == [("tea.minutes", 7)]
        assert row_of(app, "tea.minutes").has_focus
        assert line_with(app, "▸") == "▸ minutes 7 usual: 4"


async def test_what_cannot_be_is_told_beside_and_stays_to_be_mended(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen) as (app, pilot):
        await write_in(pilot, 2, "12")
        await press(pilot, "enter")
        assert line_with(app, "!") == "! May be a whole number from 1 to 9."
        assert not kitchen.path.exists()
        assert isinstance(app.focused, Input)
        await press(pilot, "backspace")
        assert "!" not in "".join(lines_of(app))
        await press(pilot, "enter")
        assert kitchen.read().settings.tea.minutes == 1


async def test_escape_leaves_it_as_it_was_and_stays_on_the_screen(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen) as (app, pilot):
        await write_in(pilot, 2, "9")
        await press(pilot, "escape")
        assert isinstance(app.screen, SettingsScreen)
        assert not kitchen.path.exists()
        assert line_with(app, "▸") == "▸ minutes 4"


async def test_going_elsewhere_leaves_it_as_it_was(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen) as (app, pilot):
        await write_in(pilot, 2, "9")
        await click_on(pilot, "sugar")
        assert not kitchen.path.exists()
        assert not row_of(app, "tea.minutes").editing
        assert under_hand(app) == "sugar"


async def test_the_terminal_in_the_background_is_no_reason_to_lose_what_is_written(
    kitchen: SettingsFile[Kitchen],
) -> None:
    async with open_on(kitchen) as (app, pilot):
        await write_in(pilot, 2, "9")
        app.post_message(events.AppBlur())
        await settle(pilot)
        assert app.focused is None
        app.post_message(events.AppFocus())
        await settle(pilot)
        await press(pilot, "enter")
        assert kitchen.read().settings.tea.minutes == 9


async def test_up_and_down_stay_in_what_is_written(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen) as (_, pilot):
        await write_in(pilot, 2, "9")
        await press(pilot, "down", "up", "enter")
        assert kitchen.read().settings.tea.minutes == 9


async def test_letters_and_spaces_that_are_keys_elsewhere_are_letters_here(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen) as (app, pilot):
        await press(pilot, "down", "down", "down", "space")
        await type_in(pilot, "q tjk?/")
        await press(pilot, "enter")
        assert kitchen.read().settings.tea.cup == "q tjk?/"
        assert app.theme == themes.DARK_NAME


async def test_nothing_written_is_none_where_there_may_be_none(kitchen: SettingsFile[Kitchen]) -> None:
    kitchen.change("tea.cup", "blue")
    async with open_on(kitchen) as (app, pilot):
        await write_in(pilot, 3, "")
        await press(pilot, "enter")
        assert kitchen.read().settings.tea.cup is None
        assert app.told == [("tea.cup", None)]


async def test_a_click_on_a_text_begins_to_write(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen) as (app, pilot):
        await click_on(pilot, "not set")
        assert isinstance(app.focused, Input)
        assert row_of(app, "tea.cup").editing
        assert "enter keep" in lines_of(app)[-1]
        await press(pilot, *"x")
        await click_on(pilot, "enter keep")
        assert kitchen.read().settings.tea.cup == "x"


async def test_what_the_keeper_refuses_is_told_and_nothing_is_said_to_have_changed(tmp_path: Path) -> None:
    async with open_on(settings_file(tmp_path)) as (app, pilot):
        await press(pilot, "slash", *"takes", "enter", "space")
        said = " ".join(" ".join(lines_of(app)).split())
        assert "! mqtt.enabled cannot be so: it cannot be on without the host of the broker" in said
        assert "● no" in line_with(app, "▸")
        assert app.told == []
        await press(pilot, "up")
        assert "!" not in "".join(lines_of(app))


async def test_a_file_that_is_not_toml_is_told_and_left_alone(kitchen: SettingsFile[Kitchen]) -> None:
    kitchen.path.write_text("[tea\n", encoding="utf-8")
    async with open_on(kitchen) as (app, pilot):
        assert "this is not TOML" in " ".join(lines_of(app))
        await press(pilot, "space")
        assert "nothing was changed" in " ".join(lines_of(app))
        assert kitchen.path.read_text(encoding="utf-8") == "[tea\n"


async def test_what_somebody_else_wrote_meanwhile_is_shown_after_a_change(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen, (80, 40)) as (app, pilot):
        SettingsFile(kitchen.path, Kitchen).change("oven.minutes", 9)
        await press(pilot, "space")
        assert line_with(app, "usual: 4") == "minutes 9 usual: 4"


# --- finding ----------------------------------------------------------------------------------------------------------


async def test_a_search_shows_what_has_all_its_words_and_the_sections_they_are_in(tmp_path: Path) -> None:
    async with open_on(settings_file(tmp_path)) as (app, pilot):
        await press(pilot, "slash", *"pass")
        shown = [row.line.setting.key for row in app.screen.query(SettingRow) if row.display]
        assert shown == ["mqtt.password_from", "mqtt.password_file"]
        headings = [heading.name for heading in app.screen.query(".heading").results(Static) if heading.display]
        assert headings == ["mqtt"]
        await type_in(pilot, " ALONE")
        assert [row.line.setting.key for row in app.screen.query(SettingRow) if row.display] == ["mqtt.password_file"]
        await press(pilot, "enter")
        assert row_of(app, "mqtt.password_file").has_focus


async def test_a_search_for_what_there_is_not_says_so_and_escape_shows_all_again(tmp_path: Path) -> None:
    async with open_on(settings_file(tmp_path)) as (app, pilot):
        assert words.NOTHING_FOUND not in " ".join(lines_of(app))
        await press(pilot, "slash", *"zebra", "down")
        assert words.NOTHING_FOUND in " ".join(lines_of(app))
        await press(pilot, "escape")
        assert all(row.display for row in app.screen.query(SettingRow))
        assert under_hand(app) == "theme"
        await press(pilot, "escape")
        assert not isinstance(app.screen, SettingsScreen)


async def test_the_hand_moves_between_the_ends_and_from_the_top_into_the_search(
    kitchen: SettingsFile[Kitchen],
) -> None:
    async with open_on(kitchen) as (app, pilot):
        await press(pilot, "end", "down")
        assert row_of(app, "oven.cup").has_focus
        await press(pilot, "pageup")
        assert row_of(app, "tea.minutes").has_focus
        await press(pilot, "home")
        assert row_of(app, "tea.kind").has_focus
        await press(pilot, "up")
        assert app.focused is app.screen.query_one("#search")
        await press(pilot, "down")
        assert row_of(app, "tea.kind").has_focus


async def test_going_up_shows_the_name_of_a_section_with_its_first_setting(tmp_path: Path) -> None:
    async with open_on(settings_file(tmp_path)) as (app, pilot):
        await press(pilot, "end", "home")
        assert words.SECTIONS["appearance"] in "\n".join(lines_of(app))


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_a_key_leads_back(kitchen: SettingsFile[Kitchen], key: str) -> None:
    async with open_on(kitchen) as (app, pilot):
        await press(pilot, key)
        assert not isinstance(app.screen, SettingsScreen)


async def test_every_key_that_is_offered_is_there(kitchen: SettingsFile[Kitchen]) -> None:
    async with open_on(kitchen) as (app, pilot):
        for keys in ([], ["down"], ["down", "down", "space"], ["escape", "slash"]):
            await press(pilot, *keys)
            for hint in app.screen.query_one(KeyLine).hints:
                where, _, action = hint.action.partition("(")[0].rpartition(".")
                target = app if where == "app" else app.screen
                assert hasattr(target, f"action_{action}"), hint
