"""Today and what surrounds a session: one key for what is next, jumps, water, people, the plan, the patch test."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta

import pytest
from textual.widgets import Input, OptionList, Static

from companion.app import CompanionApp
from companion.care.hydration import Goal
from companion.home import NotFoundError, Patch, Preferences, Skin
from companion.screens.consultation import ConsultationScreen, ProposalScreen
from companion.screens.find import FindScreen
from companion.screens.help import HelpScreen
from companion.screens.history import HistoryScreen
from companion.screens.patch import PatchScreen
from companion.screens.people import PeopleScreen
from companion.screens.plan import PlanScreen
from companion.screens.prepare import PrepareScreen
from companion.screens.routines import RoutinesScreen
from companion.screens.screening import BlockedScreen, ScreeningScreen
from companion.screens.session import SessionScreen
from companion.screens.settings import SettingsScreen
from companion.screens.summary import SummaryScreen
from companion.screens.today import TodayScreen
from companion.screens.water import WaterScreen
from companion.session.model import Reason
from companion.widgets.facemap import FaceMap
from companion.widgets.keyline import KeyLine
from companion.words import app as words
from tests.companion.staging import OFFERED, StagedHome, press, settle, stage


def app_of(home: StagedHome, **environ: str) -> CompanionApp:
    return CompanionApp(home, environ=environ)


def screen_text(app: CompanionApp) -> str:
    """What the terminal shows, line by line."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.size))


def said(app: CompanionApp) -> str:
    """What the screen's own texts say, however they are wrapped."""
    return " ".join(str(part.content) for part in app.screen.query(Static) if part.display)


# --- today ------------------------------------------------------------------------------------------------------------


async def test_today_says_what_is_next_in_one_line_and_one_key_prepares_it() -> None:
    home = StagedHome()
    home.plans()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert "Full face, 12 min, planned for today" in text
        assert "Your Dr-05 is very near." in text
        assert "enter prepare" in text.splitlines()[-1]
        await press(pilot, "enter")
        assert isinstance(app.screen, PrepareScreen)
        assert "Full face" in screen_text(app)


async def test_today_without_a_plan_says_how_to_get_one_and_leads_to_the_routines() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "There is no plan yet" in said(app)
        assert "c a plan for you" in screen_text(app).splitlines()[-1]
        await press(pilot, "enter")
        assert isinstance(app.screen, RoutinesScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, TodayScreen)


async def test_a_session_that_is_done_is_said_and_the_next_one_named() -> None:
    home = StagedHome()
    home.plans()
    home.holds(home.moment - timedelta(hours=1))
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "Today's session is done." in said(app)
        assert "Next: " in said(app)
        assert "enter choose a routine" in screen_text(app).splitlines()[-1]


async def test_the_milestone_is_there_when_it_is_due_and_not_before() -> None:
    for sessions, due in ((5, True), (0, False)):
        home = StagedHome()
        home.plans(done=sessions)
        app = app_of(home)
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert ("compare your skin checks and photos" in said(app)) is due


async def test_five_weeks_are_shown_with_this_one_named() -> None:
    home = StagedHome()
    home.plans()
    app = app_of(home)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        lines = screen_text(app).splitlines()
        (at,) = [index for index, line in enumerate(lines) if "30 Nov" in line]
        assert lines[at].split() == ["2", "Nov", "9", "Nov", "this", "week", "23", "Nov", "30", "Nov"]
        assert lines[at - 1].count("●") == 5
        assert "○" in lines[at - 1]


async def test_with_no_device_today_says_so_and_everything_else_still_works() -> None:
    home = StagedHome()
    home.devices = []
    home.plans()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, TodayScreen)
        assert app.screen.near == "No device near yet. Switch it on and hold it near; I keep looking."
        await press(pilot, "r")
        assert isinstance(app.screen, RoutinesScreen)
        assert "no device near yet" in screen_text(app)
        for keys, screen in (("gp", PlanScreen), ("gw", WaterScreen), ("gs", SettingsScreen), ("gh", HistoryScreen)):
            await press(pilot, *keys)
            assert isinstance(app.screen, screen)


async def test_a_routine_that_was_chosen_before_a_device_was_there_waits_for_it() -> None:
    home = StagedHome()
    devices, home.devices = home.devices, []
    home.plans()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        assert isinstance(app.screen, FindScreen)
        home.devices = devices
        await press(pilot, "r", "enter")
        assert isinstance(app.screen, PrepareScreen)


async def test_which_of_several_devices_is_asked_and_never_guessed() -> None:
    home = StagedHome()
    home.plans()
    home.devices.append(replace(home.devices[0], address="AA:02", name="Other", rssi=-40))
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        assert isinstance(app.screen, FindScreen)
        await press(pilot, "down", "enter")
        assert isinstance(app.screen, PrepareScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, TodayScreen)
        assert app.screen.near == "Your Other is very near."


async def test_a_radio_that_says_no_is_told_on_today_with_the_way_to_more() -> None:
    home = StagedHome()
    home.not_found = NotFoundError("Bluetooth is switched off", "switch it on")
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, TodayScreen)
        assert app.screen.near == "Bluetooth is switched off. Press d to see what to try."


# --- getting about ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("letter", "screen"),
    [
        ("t", TodayScreen), ("p", PlanScreen), ("w", WaterScreen), ("h", HistoryScreen), ("d", FindScreen),
        ("r", RoutinesScreen), ("s", SettingsScreen), ("e", HelpScreen),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_g_and_a_letter_jump_from_today_and_from_anywhere(letter: str, screen: type[object]) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for start in ("", "r", "g", "d"):
            await press(pilot, *([start, "h"] if start == "g" else [start] if start else []))
            await press(pilot, "g")
            assert "Go to" in screen_text(app)
            await press(pilot, letter)
            assert isinstance(app.screen, screen), start
            if letter == "e":
                await press(pilot, "escape")
            assert len(app.screen_stack) <= 3
            await press(pilot, "g", "t")
            assert isinstance(app.screen, TodayScreen)
            assert len(app.screen_stack) == 1


@pytest.mark.parametrize("key", ["g", "escape", "x"])
async def test_any_other_key_after_g_stays_where_one_was(key: str) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "r", "g", key)
        assert isinstance(app.screen, RoutinesScreen)


async def test_a_place_can_be_clicked() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        line = app.screen.query_one(KeyLine)
        await pilot.click(line, offset=(str(line.render()).index("g go to"), 0))
        await settle(pilot)
        await pilot.click(next(one for one in app.screen.query(".place") if one.name == "water"))
        await settle(pilot)
        assert isinstance(app.screen, WaterScreen)


async def test_the_palette_has_every_screen_and_action_that_is_there_now() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        titles = {command.title for command in app.get_system_commands(app.screen)}
        places = {f"Go to {name}" for _, name, _ in words.PLACES}
        usual = {title for title, _, name in words.COMMANDS if name not in {"undo", "snooze"}}
        assert titles == places | usual
        await press(pilot, "w")
        assert "Take the glass back" in {command.title for command in app.get_system_commands(app.screen)}


@pytest.mark.parametrize("scene", ["today", "find", "routines", "prepare", "summary", "plan", "water", "settings"])
async def test_the_help_is_on_every_screen_and_names_its_keys(scene: str) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, scene)
        hints = [hint for hint in app.screen.query_one(KeyLine).hints if hint.key not in {"?", "g", "w", "ctrl+q"}]
        await press(pilot, "question_mark")
        assert isinstance(app.screen, HelpScreen)
        for hint in hints:
            assert hint.label in said(app)


# --- water ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", ["today", "find", "routines", "prepare", "plan", "summary", "history", "settings"])
async def test_w_notes_a_glass_from_any_screen_and_u_takes_it_back(scene: str) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, scene)
        before = home.almanac.water().today_ml
        await press(pilot, "w")
        assert home.almanac.water().today_ml == before + 200
        assert [one.message for one in app._notifications] == ["200 mL, noted. u takes it back."]
        await press(pilot, "u", "u")
        assert home.almanac.water().today_ml == before


async def test_the_glass_is_seen_on_today_at_once() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "○○○○○○○○  0 of 1600 mL" in screen_text(app)
        await press(pilot, "w")
        assert "●○○○○○○○  200 of 1600 mL" in screen_text(app)
        await press(pilot, "u")
        assert "○○○○○○○○  0 of 1600 mL" in screen_text(app)


async def test_u_takes_nothing_back_once_some_seconds_are_over() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "w")
        assert app._noted_at is not None
        app._noted_at -= 60
        await press(pilot, "u")
        assert home.almanac.water().today_ml == 200


# --- reminders --------------------------------------------------------------------------------------------------------


async def test_a_reminder_is_a_toast_and_a_bell_and_z_has_it_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    home = StagedHome()
    home.plans(at=time(18, 0))
    home.almanac.set_goal(Goal(limited=True))  # so that there is one thing to say
    bells: list[str] = []
    monkeypatch.setattr(CompanionApp, "bell", lambda _self: bells.append("bell"))
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        (toast,) = app._notifications
        assert toast.title == "Time for yourself"
        assert "z says it once more" in toast.message
        assert bells == ["bell"]
        await press(pilot, "z")
        assert "Once more at 19:00." in [one.message for one in app._notifications]
        home.moment += timedelta(minutes=30)
        app._stir()
        await settle(pilot)
        assert bells == ["bell", "bell"]
        await press(pilot, "z", "z")
        assert len(home.almanac.agenda().snoozes) == 1


async def test_reminders_keep_still_where_cues_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    home = StagedHome()
    home.said = Preferences(cues="off")
    home.plans(at=time(18, 0))
    bells: list[str] = []
    monkeypatch.setattr(CompanionApp, "bell", lambda _self: bells.append("bell"))
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert len(app._notifications) == 1
        assert bells == []


async def test_who_has_not_passed_the_screening_is_reminded_of_nothing() -> None:
    home = StagedHome(demo=None)
    home.plans(at=time(18, 0))
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, ScreeningScreen)
        assert len(app._notifications) == 0


# --- consultation and plan --------------------------------------------------------------------------------------------


async def test_a_first_run_goes_from_the_screening_over_the_wishes_to_a_plan_and_today() -> None:
    home = StagedHome(demo=None)
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, *["n"] * len(home.screening_questions()))
        assert isinstance(app.screen, ConsultationScreen)
        await press(pilot, "1", "3", "enter", "1", "enter", "3", "1")
        assert isinstance(app.screen, ProposalScreen)
        assert home.wished == {
            "concerns": ("lines", "puffiness"), "experience": ("new",), "days": (), "time": ("12",), "skin": ("easy",)
        }  # fmt: skip
        assert "the rhythm that salons use" in said(app)
        await press(pilot, "right", "1", "2", "down", "enter")
        assert isinstance(app.screen, TodayScreen)
        chosen = home.almanac.chosen()
        assert chosen is not None
        assert chosen.start == date(2026, 11, 23)
        assert chosen.weekdays == (0, 3, 5)
        assert chosen.at == time(18, 30)


async def test_a_plan_never_starts_in_the_past() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "proposal")
        await press(pilot, "left", "left", "enter")
        chosen = home.almanac.chosen()
        assert chosen is not None
        assert chosen.start == home.moment.date()


@pytest.mark.parametrize("scene", ["consultation", "proposal"])
async def test_wishes_and_plan_may_be_left_out(scene: str) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, scene)
        await press(pilot, "escape")
        assert isinstance(app.screen, TodayScreen)
        assert home.almanac.chosen() is None


async def test_an_answer_of_the_consultation_can_be_taken_back_and_marked_by_space() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "c", "space", "down", "space", "space", "enter", "backspace")
        assert "question 1 of 5" in screen_text(app)
        assert screen_text(app).count("✓") == 1
        await press(pilot, "enter", "space", "enter", "2", "2")
        assert isinstance(app.screen, ProposalScreen)
        assert home.wished["concerns"] == ("lines",)
        assert home.wished["experience"] == ("new",)


# --- people -----------------------------------------------------------------------------------------------------------


async def test_another_persons_turn_shows_nothing_of_the_first_and_begins_with_their_screening() -> None:
    home = StagedHome()
    home.names = ["Ada", "Grace"]
    home.plans()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "Ada" in screen_text(app).splitlines()[0]
        await press(pilot, "o")
        assert isinstance(app.screen, PeopleScreen)
        assert "Ada   their turn now" in screen_text(app)
        home.demo, home.asked = None, True
        await press(pilot, "down", "enter")
        assert isinstance(app.screen, ScreeningScreen)
        assert home.turn == "Grace"
        assert "planned for today" not in " ".join(str(one.content) for one in app._today.query(Static))
        assert app._today.glance is None
        assert not app._cleared
        for keys in ("gd", "gr", "gt", "gp"):
            await press(pilot, *keys)
            assert isinstance(app.screen, ScreeningScreen), keys
        home.asked = False
        await press(pilot, *["n"] * len(home.screening_questions()), "escape")
        assert isinstance(app.screen, TodayScreen)
        assert "There is no plan yet" in said(app)


async def test_one_person_alone_sees_no_name_and_can_add_another() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "Ada" not in screen_text(app)
        await press(pilot, "o", "a", *"Ada", "enter")
        assert "somebody is called 'Ada' already" in screen_text(app)
        await press(pilot, "backspace", "backspace", "backspace", *"Grace", "enter")
        assert home.names == ["Ada", "Grace"]
        assert home.turn == "Ada"
        people = app.screen.query_one("#people", OptionList)
        assert people.highlighted == 1
        await press(pilot, "a", "escape")
        assert not app.screen.query_one(Input).display
        await press(pilot, "escape")
        assert isinstance(app.screen, TodayScreen)


async def test_who_is_blocked_can_hand_over_to_somebody_else() -> None:
    home = StagedHome(demo=None)
    home.names = ["Ada", "Grace"]
    home.asked = False
    home.reasons = ("No session with this app: a heart condition. Please ask your doctor.",)
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, BlockedScreen)
        await press(pilot, "o", "down")
        home.reasons = ()
        await press(pilot, "enter")
        assert isinstance(app.screen, TodayScreen)
        assert home.turn == "Grace"
        assert home.looks == 1


async def test_h10_before_the_screening_g_and_the_palette_lead_to_nothing_with_a_device_in_it() -> None:
    home = StagedHome(demo=None)
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert {f"Go to {name}" for name in ("today", "plan", "devices", "routines")} & titles == set()
        assert "Go to settings" in titles
        await press(pilot, "g")
        places = ["water", "history", "profile", "settings", "evidence"]
        assert [place.name for place in app.screen.query(".place")] == places
        await press(pilot, "s")
        assert isinstance(app.screen, SettingsScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, ScreeningScreen)


# --- skin and patch test ----------------------------------------------------------------------------------------------


async def test_h10_a_skin_check_that_says_not_today_ends_the_preparation() -> None:
    home = StagedHome()
    home.skin = Skin(allowed=False, lines=("Not today: your skin check says red.",))
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "skin")
        await press(pilot, "1", "4", "1")
        assert home.scores == [{"dryness": 1, "redness": 4, "irritation": 1}]
        assert isinstance(app.screen, BlockedScreen)
        assert "your skin check says red" in screen_text(app)
        assert home.today is None
        await press(pilot, "enter")
        assert isinstance(app.screen, TodayScreen)


async def test_a_skin_that_asks_for_care_is_told_before_the_session() -> None:
    home = StagedHome()
    home.skin = Skin(allowed=True, lines=("Your skin is red today, so this session is half as strong.",))
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "skin")
        await press(pilot, "1", "3", "1")
        assert "half as strong" in said(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, SessionScreen)


async def test_skin_answers_can_be_taken_back_before_the_last_one() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "skin")
        await press(pilot, "5", "backspace", "1", "2", "3")
        assert home.scores == [{"dryness": 1, "redness": 2, "irritation": 3}]


async def test_h10_nothing_begins_before_it_is_known_what_the_skin_says() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "skin")
        screen = app.screen
        assert isinstance(screen, PrepareScreen)
        for _ in home.skin_questions():
            screen.action_score(1)
        screen.action_enter()  # faster than the answer
        await settle(pilot)
        assert isinstance(app.screen, PrepareScreen)
        await press(pilot, "enter")
        assert isinstance(app.screen, SessionScreen)


async def test_enter_answers_no_question_about_skin() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "skin")
        await press(pilot, "enter", "space", "enter", "n", "y")
        assert isinstance(app.screen, PrepareScreen)
        assert "How dry is it?" in screen_text(app)
        assert home.scores == []


async def test_h10_the_patch_test_is_offered_and_can_be_declined() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "patch")
        assert isinstance(app.screen, PatchScreen)
        await press(pilot, "enter")
        assert isinstance(app.screen, PatchScreen)  # nothing is chosen beforehand
        await press(pilot, "up", "enter")
        assert home.patch_answers == ["declined"]
        assert isinstance(app.screen, PrepareScreen)


async def test_h10_a_patch_test_on_the_forearm_means_waiting() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "patch")
        await press(pilot, "down", "down", "enter")
        assert home.patch_answers == ["forearm"]
        assert isinstance(app.screen, TodayScreen)


async def test_the_offer_leads_to_the_routine_that_is_the_test() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "patch")
        home.patch_asked = None  # the test itself needs none
        await press(pilot, "down", "enter")
        assert isinstance(app.screen, PrepareScreen)
        assert "First touch" in screen_text(app)


@pytest.mark.parametrize(("key", "answer"), [("down", "calm"), ("up", "reaction")])
async def test_h10_a_patch_test_of_yesterday_is_looked_at_first(key: str, answer: str) -> None:
    home = StagedHome()
    home.plans()
    answers = (("calm", "all calm"), ("reaction", "a reaction"))
    home.patch_waits = Patch("Your patch test", "How does the spot of your patch test look?", answers)
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "enter say how it is" in screen_text(app).splitlines()[-1]
        await press(pilot, "enter")
        assert isinstance(app.screen, PatchScreen)
        await press(pilot, key, "enter")
        assert home.patch_answers == [answer]
        assert isinstance(app.screen, TodayScreen)


async def test_a_patch_test_that_waits_offers_no_answer() -> None:
    home = StagedHome()
    home.patch_asked = replace(OFFERED, answers=(), test="")
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "routines")
        await press(pilot, "enter")
        assert isinstance(app.screen, PatchScreen)
        assert not app.screen.query(OptionList)
        await press(pilot, "enter", "escape")
        assert isinstance(app.screen, TodayScreen)
        assert home.patch_answers == []


# --- settings and summary ---------------------------------------------------------------------------------------------


async def test_what_is_set_holds_from_the_first_screen_on() -> None:
    home = StagedHome()
    home.said = Preferences("light", mirror=False, motion=False)
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app.theme == "microcurrent-light"
        assert app.animation_level == "none"
        assert not app.screen.query_one(FaceMap).mirror


async def test_the_environments_theme_goes_before_the_settings() -> None:
    home = StagedHome()
    home.said = Preferences("light")
    app = app_of(home, COMPANION_THEME="dark")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert app.theme == "microcurrent-dark"


async def test_a_setting_that_is_changed_holds_at_once() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "settings")
        home.said = Preferences("light")
        await press(pilot, "space")
        assert app.theme == "microcurrent-light"


async def test_the_summary_says_how_it_felt_and_what_comes_next_and_takes_a_glass() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "session")
        home.session.end(Reason.COMPLETED)
        await settle(pilot)
        assert isinstance(app.screen, SummaryScreen)
        assert "you felt: tingling" in said(app)
        assert "Next: Wed 25 Nov at 19:00." in said(app)
        await press(pilot, "w")
        assert home.almanac.water().today_ml == 200
