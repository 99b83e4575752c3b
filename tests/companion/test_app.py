"""The app's screens, led by keys: from finding a device to the summary, and every way that it can be told no."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import OptionList, Static

from companion import themes
from companion.app import CompanionApp, run_app
from companion.config import CompanionError, Exit
from companion.home import After, NotFoundError, NotTodayError
from companion.screens.consultation import ConsultationScreen
from companion.screens.find import FindScreen
from companion.screens.help import HelpScreen
from companion.screens.history import HistoryScreen
from companion.screens.prepare import PrepareScreen
from companion.screens.routines import RoutinesScreen
from companion.screens.screening import BlockedScreen, ScreeningScreen
from companion.screens.session import SessionScreen
from companion.screens.summary import SummaryScreen
from companion.screens.today import TodayScreen
from companion.session.model import Feels, Intent, Output, Phase, Reason, Sensation
from companion.widgets.countdown import Countdown
from companion.widgets.facemap import FaceMap
from companion.widgets.keyline import KeyLine
from companion.words import app as words
from companion.words import skin as skin_words
from companion.words import summary as summary_words
from protocols.foreo import profile_for
from tests.companion.staging import StagedHome, press, set_scene, settle, stage, view_of

SIZES = [(80, 24), (120, 40)]
SESSION_SCENES = [
    "session", "paused", "stopping", "lost", "asked", "moving", "guiding", "waiting", "begin",
]  # fmt: skip
SCENES = [
    "today", "find", "history", "routines", "prepare", "questions", "skin", "ready", "summary", "help",
    "consultation", "proposal", "patch", "people", "settings", "water", "plan", "evidence", "profile", "note",
    "note-day", "agreed", "forget", "optional",
]  # fmt: skip
JUMPS = [f"g+{letter}" for letter, _, _ in words.PLACES]
LAST_LINES = {*SESSION_SCENES, "help"}


def app_of(home: StagedHome, **environ: str) -> CompanionApp:
    return CompanionApp(home, environ=environ)


def screen_text(app: CompanionApp) -> str:
    """What the terminal shows, line by line."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.size))


def check_layout(app: CompanionApp, scene: str) -> None:
    height = app.size.height
    lines = screen_text(app).splitlines()
    assert len(lines) == height, scene
    stop = "   ESC stop" if scene == "begin" else "   SPACE stop"  # nothing is on there: space is for beginning
    assert lines[-1].startswith(stop if scene in LAST_LINES else "   "), scene
    assert lines[-1].strip(), scene
    for widget in app.screen.query("#headline, #instruction, #text, #question, #facts, #why, #water"):
        assert app.screen.region.contains_region(widget.region), (scene, widget)


@pytest.mark.parametrize(("size", "theme"), [((80, 24), "dark"), ((120, 40), "light")], ids=str)
@pytest.mark.parametrize("scene", SCENES)
async def test_every_screen_fits_and_keeps_its_keys_on_the_last_line(
    scene: str, size: tuple[int, int], theme: str
) -> None:
    home = StagedHome()
    app = app_of(home, COMPANION_THEME=theme)
    async with app.run_test(size=size) as pilot:
        await stage(pilot, home, scene)
        assert app.theme == f"microcurrent-{theme}"
        check_layout(app, scene)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_every_state_of_a_session_fits_and_keeps_the_stop_line(size: tuple[int, int]) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=size) as pilot:
        screen = await session(pilot, home)
        for scene in SESSION_SCENES:
            set_scene(home, scene)
            screen.update_view()
            await settle(pilot)
            check_layout(app, scene)


async def test_the_way_through_by_keys_alone() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, TodayScreen)
        await press(pilot, "enter")
        assert isinstance(app.screen, RoutinesScreen)
        await press(pilot, "down", "down", "enter")
        assert isinstance(app.screen, PrepareScreen)
        await press(pilot, *["space"] * len(home.choices(None)[2].prepare), *["n"] * 4, "1", "2", "1", "enter")
        assert isinstance(app.screen, SessionScreen)
        assert home.today == dict.fromkeys((one.id for one in home.today_questions()), False)
        assert home.scores == [{"dryness": 1, "redness": 2, "irritation": 1}]
        home.session.end(Reason.COMPLETED)
        await settle(pilot)
        assert isinstance(app.screen, SummaryScreen)
        assert not app.live
        await press(pilot, "enter")
        assert isinstance(app.screen, TodayScreen)
        await press(pilot, "ctrl+q")
    assert app.return_value == Exit.FINISHED


async def test_when_to_look_at_the_spot_of_a_patch_test_is_told_in_whole() -> None:
    """The longest there is: a Wednesday in September."""
    home = StagedHome()
    when = skin_words.MOMENT.format(at=datetime(2026, 9, 23, 19, 5, tzinfo=UTC))
    home.after = After("you felt: tingling, warmth", summary_words.PATCH.format(when=when))
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "session")
        home.session.view = view_of(home.plan, "left-cheek")
        home.session.end(Reason.STOPPED)
        await settle(pilot)
        assert isinstance(app.screen, SummaryScreen)
        column = " ".join(line[40:].strip() for line in screen_text(app).splitlines())
        assert "look at the spot on Wednesday, 23 September at 19:05." in " ".join(column.split())


async def test_the_way_through_by_mouse_alone() -> None:
    home = StagedHome()
    app = app_of(home)

    async def click(hint: str) -> None:
        await settle(pilot)
        line = app.screen.query_one(KeyLine)
        await pilot.click(line, offset=(str(line.render()).index(hint), 0))
        await settle(pilot)

    async with app.run_test(size=(80, 24)) as pilot:
        await click("enter choose")
        await click("enter prepare")
        for _ in home.choices(None)[0].prepare:
            await click("space done")
        for _ in home.today_questions():
            await click("n no")
        for _ in home.skin_questions():
            await click("1 not at all")
        await click("enter begin")
        assert isinstance(app.screen, SessionScreen)


async def test_the_demo_says_that_it_is_one_and_who_answered_the_health_questions() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "no current anywhere" in screen_text(app)
        await press(pilot, "d")
        assert "no current anywhere" in screen_text(app)
        assert "imagined person" in screen_text(app)


async def test_a_look_that_fails_says_why_and_what_to_try_and_r_looks_again() -> None:
    home = StagedHome()
    home.not_found = NotFoundError("Bluetooth is switched off", "switch it on in your system's settings")
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "Bluetooth is switched off." in " ".join(screen_text(app).split())
        await press(pilot, "d")
        assert "Bluetooth is switched off." in screen_text(app)
        assert "Try this: switch it on" in screen_text(app)
        looks = home.looks
        home.not_found = None
        await press(pilot, "r")
        assert home.looks == looks + 1
        assert "Dr-05" in screen_text(app)


async def test_a_look_that_finds_nothing_says_so() -> None:
    home = StagedHome()
    home.devices = []
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, TodayScreen)
        assert "No device near yet." in app.screen.near
        await press(pilot, "d")
        assert "No device in reach" in screen_text(app)


async def test_found_devices_show_bars_and_what_they_can_do() -> None:
    home = StagedHome()
    foreo = profile_for("BEAR2")
    home.devices.append(replace(home.devices[0], address="AA:02", name="BEAR", rssi=-85, profile=foreo))
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, TodayScreen)
        assert app.screen.near == "2 devices are near: enter asks which one is in your hand."
        await press(pilot, "enter")
        assert isinstance(app.screen, FindScreen)
        text = screen_text(app)
        assert "▂▄▆█  Dr-05" in text
        assert "very near" in text
        assert "microcurrent · cooling · 2 modes" in text
        assert "far away" in text
        assert "Which one is in your hand?" in text


async def test_a_connection_that_fails_leads_back_with_reason_and_advice() -> None:
    home = StagedHome()
    app = app_of(home)
    error = NotFoundError("the device is not in reach", "hold it near and press r")
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "waiting")
        home.session.fail(error)
        await settle(pilot)
        assert isinstance(app.screen, FindScreen)
        assert "It did not connect" in screen_text(app)
        assert "Try this: hold it near" in screen_text(app)
        assert not app.live
        await press(pilot, "enter")  # the routine that was wished for is not chosen a second time
        assert isinstance(app.screen, PrepareScreen)


async def test_a_routine_that_does_not_fit_cannot_be_chosen_and_says_why() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "routines")
        assert "needs pulsation, which Dr-05 does not have" in screen_text(app)
        routines = app.screen.query_one("#routines", OptionList)
        assert routines.get_option("pulse-cleanse").disabled


async def test_preparing_is_one_thing_at_a_time_and_can_be_taken_back() -> None:
    home = StagedHome()
    app = app_of(home)
    items = home.choices(None)[2].prepare
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "routines")
        await press(pilot, "enter")
        assert items[0].title in screen_text(app)
        await press(pilot, "space")
        assert f"✓ {items[0].title}" in screen_text(app)
        await press(pilot, "backspace")
        assert f"✓ {items[0].title}" not in screen_text(app)
        await press(pilot, "y", "n")
        assert home.today is None  # answers belong to questions, not to things to tick


async def test_a_yes_today_means_not_today() -> None:
    home = StagedHome()
    home.refusal = NotTodayError("Not today: let the skin heal first.")
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "questions")
        await press(pilot, "y")
        assert home.today == {"skin": True}
        assert isinstance(app.screen, BlockedScreen)
        assert "let the skin heal first" in screen_text(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, TodayScreen)


async def test_h10_the_screening_comes_first_and_asks_one_question_at_a_time() -> None:
    home = StagedHome(demo=None)
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, ScreeningScreen)
        assert home.looks == 0
        await press(pilot, *["n"] * len(home.screening_questions()))
        assert home.saved is not None
        answers, agreed = home.saved
        assert set(answers.values()) == {"no"}
        assert len(answers) == len(home.screening_questions())
        assert agreed == ()
        assert isinstance(app.screen, ConsultationScreen)
        assert home.looks == 1


async def test_h10_enter_alone_answers_no_question_about_health() -> None:
    home = StagedHome(demo=None)
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, *["enter"] * 20)
        assert home.saved is None
        assert "question 1 of" in screen_text(app)


async def test_h10_who_is_blocked_is_told_why_and_no_key_leads_to_a_device() -> None:
    home = StagedHome(demo=None)
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        home.reasons = ("No session with this app: a heart condition. Please ask your doctor.",)
        await press(pilot, "s", *["n"] * (len(home.screening_questions()) - 1))
        assert isinstance(app.screen, BlockedScreen)
        assert "a heart condition" in screen_text(app)
        assert "ask your doctor" in screen_text(app)
        to_devices = FindScreen | TodayScreen | RoutinesScreen | PrepareScreen | SessionScreen | ConsultationScreen
        for keys in ("enter", "escape", "space", "r", "d", "h", "n", "y", "c", "down", "tab", *JUMPS):
            await press(pilot, *keys.split("+"))
            assert not isinstance(app.screen, to_devices), keys
            while not isinstance(app.screen, BlockedScreen):
                await press(pilot, "escape")
                assert not isinstance(app.screen, to_devices), keys
        for action in (app.action_devices, app.action_today, app.action_routines, app.action_plan):
            await action()
        await app.action_consultation()
        app.action_look()
        await app.on_today_screen_taken(TodayScreen.Taken("full-face"))
        await app.on_routines_screen_chosen(RoutinesScreen.Chosen(home.choices(None)[2]))
        await app.on_find_screen_chosen(FindScreen.Chosen(home.devices[0]))
        await app.on_prepare_screen_ready(PrepareScreen.Ready({}))
        await settle(pilot)
        assert isinstance(app.screen, BlockedScreen)
        assert home.looks == 0


async def test_h10_an_ask_question_wants_a_doctors_agreement_and_can_be_taken_back() -> None:
    home = StagedHome(demo=None)
    app = app_of(home)
    questions = home.screening_questions()
    blocks = sum(one.kind == "block" for one in questions)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, *["n"] * blocks, "y")
        assert "Has a doctor agreed" in screen_text(app)
        await press(pilot, "backspace")
        assert questions[blocks].text.split()[-1] in screen_text(app)
        await press(pilot, "s", "y", *["n"] * (len(questions) - blocks - 1))
        assert home.saved is not None
        assert home.saved[0][questions[blocks].id] == "not sure"
        assert home.saved[1] == (questions[blocks].id,)


async def test_a_data_folder_that_cannot_be_used_is_told_in_one_line_and_ends_with_its_code() -> None:
    home = StagedHome()
    home.opening_error = CompanionError("/data is read-only: make it writable")
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "/data is read-only: make it writable" in screen_text(app)
        assert home.looks == 0
        await press(pilot, "ctrl+q")
    assert app.return_value == Exit.FAULT


# --- the session screen -----------------------------------------------------------------------------------------------


async def session(pilot: Pilot[int], home: StagedHome, scene: str = "session") -> SessionScreen:
    await stage(pilot, home, scene)
    screen = pilot.app.screen
    assert isinstance(screen, SessionScreen)
    home.session.intents.clear()
    return screen


async def test_the_stage_of_now_moves_on_though_the_letters_of_the_line_stay() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await session(pilot, home, "begin")

        def stage_of_now() -> str:
            line = cast("Content", screen.query_one("#stages", Static).content)
            (now,) = [span for span in line.spans if "bold" in str(span.style)]
            return line.plain[now.start : now.end]

        assert stage_of_now() == "prepare"
        set_scene(home, "session")
        await pilot.pause(0.2)
        assert stage_of_now() == "treat"


async def test_the_session_shows_zone_stroke_countdown_pass_level_and_what_is_not_reported() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await session(pilot, home)
        assert screen.text("#headline") == "Left cheekbone"
        assert screen.text("#instruction") == "from the nose out to the ear, slow and flat"
        assert screen.query_one(Countdown).text == "0:27"
        assert screen.text("#pass") == "pass 2 of 3  ·  then right cheekbone"
        assert screen.text("#share") == "40 %  of your comfortable maximum\n● output on, rising to 60 %"
        assert "Dr-05 · link good 31 ms" in screen.text("#facts")
        assert "Contact, current and battery: not reported by this device" in screen.text("#facts")
        face = screen.query_one(FaceMap)
        assert face.mirror
        assert face.current == "left-cheekbone"


async def test_a_key_sends_one_intent_and_means_what_the_state_makes_of_it() -> None:
    expected: list[tuple[str, str, Intent | Feels]] = [
        ("session", "p", Intent.PAUSE),
        ("session", "up", Intent.MORE),
        ("session", "down", Intent.LESS),
        ("session", "n", Intent.SKIP),
        ("guiding", "enter", Intent.CONFIRM),
        ("session", "4", Feels(Sensation.PAIN)),
        ("session", "3", Feels(Sensation.UNCOMFORTABLE)),
        ("session", "2", Feels(Sensation.TINGLING)),
        ("session", "1", Feels(Sensation.NOTHING)),
        ("paused", "p", Intent.RESUME),
        ("paused", "enter", Intent.RESUME),
        ("begin", "enter", Intent.START),
    ]
    home = StagedHome()
    async with app_of(home).run_test(size=(80, 24)) as pilot:
        await session(pilot, home)
        for scene, key, intent in expected:
            set_scene(home, scene)
            home.session.intents.clear()
            await press(pilot, key)
            assert home.session.intents == [intent], (scene, key)


async def test_h5_a_lost_link_shows_the_seconds_left_and_what_to_do() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await session(pilot, home, "lost")
        assert screen.text("#headline") == "Link lost"
        assert screen.query_one(Countdown).text == "0:47"
        assert "Nothing starts again by itself" in screen.text("#instruction")
        assert "no link" in screen.text("#facts")
        await press(pilot, "p", "enter")
        assert Intent.RESUME not in home.session.intents


async def test_the_question_shows_its_four_answers() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await session(pilot, home, "asked")
        for answer in ("What do you feel?", "1 nothing", "2 tingling", "3 uncomfortable", "4 pain"):
            assert answer in screen.text("#facts")


async def test_what_was_ticked_before_is_not_asked_again() -> None:
    home = StagedHome()
    async with app_of(home).run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "ready")
        first = home.plan.steps[0]
        home.session.view = replace(
            view_of(home.plan, "left-cheekbone"),
            phase=Phase.GUIDING,
            output=Output.OFF,
            step=first,
            step_index=0,
            zone=None,
        )
        await press(pilot, "enter")
        assert home.session.intents[0] is Intent.CONFIRM


async def test_h7_the_gel_is_remembered_before_a_zone() -> None:
    home = StagedHome()
    async with app_of(home).run_test(size=(80, 24)) as pilot:
        screen = await session(pilot, home, "moving")
        assert "Enough gel" in screen.text("#message")
        assert screen.text("#headline") == "Now left cheekbone"


async def test_m_turns_the_face() -> None:
    home = StagedHome()
    async with app_of(home).run_test(size=(80, 24)) as pilot:
        screen = await session(pilot, home)
        await press(pilot, "m")
        assert not screen.query_one(FaceMap).mirror


async def test_at_120_by_40_the_countdown_and_the_face_grow_and_nothing_else_appears() -> None:
    cells = {}
    parts = {}
    for size in SIZES:
        home = StagedHome()
        async with app_of(home).run_test(size=size) as pilot:
            screen = await session(pilot, home)
            countdown, face = screen.query_one(Countdown), screen.query_one(FaceMap)
            cells[size] = (countdown.size.height, face.size.area)
            parts[size] = {widget.id for widget in screen.query(Static)}
    assert cells[120, 40][0] == 9
    assert cells[80, 24][0] == 5
    assert cells[120, 40][1] > 2 * cells[80, 24][1]
    assert parts[80, 24] == parts[120, 40]


@pytest.mark.parametrize("size", [(79, 23), (40, 12), (20, 6), (10, 3)], ids=str)
async def test_below_80_by_24_the_zone_and_the_stop_line_remain(size: tuple[int, int]) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=size) as pilot:
        await session(pilot, home)
        lines = screen_text(app).splitlines()
        assert lines[-1].startswith("   SPACE")
        if size[1] >= 6:
            assert any(line.strip().startswith("Left cheek") for line in lines)


async def test_the_summary_says_what_was_done_and_why_it_ended() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await session(pilot, home)
        home.session.end(Reason.PAIN)
        await settle(pilot)
        text = screen_text(app)
        assert "Stopped because it hurt" in text
        assert "Jawline" in text
        assert "A glass of water" in text
        assert "highest 70 %" in text


async def test_a_full_disk_is_told_in_the_summary() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await session(pilot, home)
        home.session.storage_fault = "/data: no space left on the disk, free some and start again"
        home.session.end(Reason.STORAGE)
        await settle(pilot)
        assert "It could not be written down" in screen_text(app)
        assert "no space left" in screen_text(app)


async def test_the_history_shows_what_was_done_and_leads_back() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "history")
        assert isinstance(app.screen, HistoryScreen)
        assert screen_text(app).count("Full face") == 5
        await press(pilot, "escape")
        assert isinstance(app.screen, TodayScreen)


async def test_the_help_names_the_manual_the_keys_and_both_sides() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "question_mark")
        assert isinstance(app.screen, HelpScreen)
        text = " ".join(str(part.content) for part in app.screen.query(Static))
        assert "own manual comes first" in text
        assert "some studies report effects, and many surgeons are sceptical" in text
        assert "We remind you; we do not claim that it changes results." in text
        await press(pilot, "e")
        assert "What is known" in screen_text(app)
        await press(pilot, "end")
        text = screen_text(app)
        assert "Archives of Facial Plastic Surgery" in text
        await press(pilot, "escape")
        assert isinstance(app.screen, TodayScreen)


# --- colours, motion, beginning ---------------------------------------------------------------------------------------


async def test_a_key_changes_between_dark_and_light() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "t")
        assert app.theme == themes.LIGHT_NAME
        await press(pilot, "t")
        assert app.theme == themes.DARK_NAME


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, themes.DARK_NAME),
        ({"COLORFGBG": "0;15"}, themes.LIGHT_NAME),
        ({"COLORFGBG": "15;default;0"}, themes.DARK_NAME),
        ({"COLORFGBG": "15;8"}, themes.DARK_NAME),
        ({"COLORFGBG": "0;7"}, themes.LIGHT_NAME),
        ({"COLORFGBG": "0;15", "COMPANION_THEME": "dark"}, themes.DARK_NAME),
        ({"COMPANION_THEME": "light"}, themes.LIGHT_NAME),
    ],
)
def test_the_theme_follows_the_setting_then_the_terminal(environ: dict[str, str], name: str) -> None:
    assert themes.preferred(environ) == name


@pytest.mark.parametrize("scene", ["find", "session", "help", "summary"])
async def test_no_color_means_no_colour_at_all(scene: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, scene)
        for line in app.screen._compositor.render_strips(app.size):
            filtered = line.apply_filter(app._filters[-1], app.screen.background_colors[1])
            for _, style, _ in filtered:
                assert style is None or style.color is None or style.color.is_default
                assert style is None or style.bgcolor is None or style.bgcolor.is_default
        if scene == "session":
            text = screen_text(app)
            assert "█" in text
            assert "✓" in text
            assert "SPACE stop at once" in text


@pytest.mark.parametrize("level", ["none", "full"])
async def test_the_glow_moves_only_where_motion_is_wanted(level: str) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await session(pilot, home)
        app.animation_level = level  # type: ignore[assignment] - the two names of Textual
        face = screen.query_one(FaceMap)
        await settle(pilot)
        pictures = set()
        for tenth in range(8):
            face.tick(tenth * 0.3)
            pictures.add("".join(str(face.render_line(y)) for y in range(face.size.height)))
        assert (len(pictures) > 1) is (level == "full")


def test_before_the_first_frame_neither_radio_nor_bench_nor_store_is_loaded() -> None:
    code = (
        "import asyncio, sys\n"
        "from companion.app import CompanionApp\n"
        "from companion.household import Household\n"
        "heavy = {'bleak', 'bumble', 'numpy', 'sqlite3', 'rig', 'aiomqtt', 'msgspec'}\n"
        "def first_frame_is_there(app):\n"
        "    print(sorted(heavy & set(sys.modules)))\n"
        "    app.exit(0)\n"
        "CompanionApp._begin = first_frame_is_there\n"
        "app = CompanionApp(Household(demo='dr05'))\n"
        "asyncio.run(app.run_async(headless=True, size=(80, 24)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_pictures_of_the_documentation_are_what_the_app_draws() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, str(root / "scripts" / "screenshots"), "--check"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_app_keeps_the_speed_of_life(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app("dr05", 0, 10.0, None, None) == Exit.USAGE
    assert capsys.readouterr().err.count("\n") == 1
