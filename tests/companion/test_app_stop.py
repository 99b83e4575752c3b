"""Stop in the app: one key or one press, from every screen, before anything else (H3)."""

from __future__ import annotations

import asyncio
from datetime import time

import pytest
from textual import events
from textual.pilot import Pilot

from companion.app import AT_ANY_TIME, OURS, CompanionApp
from companion.screens.help import HelpScreen
from companion.screens.session import SessionScreen
from companion.screens.summary import SummaryScreen
from companion.session.model import Intent, Phase, Reason
from companion.widgets.keyline import StopLine
from tests.companion.staging import StagedHome, press, set_scene, settle, stage

SIZES = [(80, 24), (120, 40), (30, 8)]


def app_of(home: StagedHome) -> CompanionApp:
    return CompanionApp(home, environ={})


def screen_lines(app: CompanionApp) -> list[str]:
    return [strip.text for strip in app.screen._compositor.render_strips(app.size)]


NEW_KEYS = ["g", "w", "u", "z", "o", "c", "d", "r", "h", "ctrl+p"]
"""Keys that lead somewhere or write something while there is no session."""


async def in_session(pilot: Pilot[int], home: StagedHome, scene: str = "session") -> None:
    await stage(pilot, home, scene)
    home.session.intents.clear()


async def test_h3_the_stop_keys_stop_from_every_state_of_a_session() -> None:
    home = StagedHome()
    async with app_of(home).run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home)
        for scene in ("session", "paused", "lost", "asked", "moving", "guiding", "waiting", "begin", "stopping"):
            for key in ("space", "escape"):
                set_scene(home, scene)
                home.session.confirms_stop = False
                home.session.intents.clear()
                await press(pilot, key)
                assert home.session.intents[0] is Intent.STOP, (scene, key)


@pytest.mark.parametrize("key", ["space", "escape"])
async def test_h3_the_stop_keys_stop_over_the_help(key: str) -> None:
    home = StagedHome()
    async with app_of(home).run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home, "help")
        await press(pilot, key)
        assert home.session.intents[0] is Intent.STOP


async def test_h3_the_stop_keys_stop_over_the_command_palette() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "ready")
        await press(pilot, "ctrl+p")
        assert app.screen.is_modal
        # a session may begin behind a palette that was left open
        app._live = home.start(home.choices(None)[0], home.devices[0], {}, lambda _view: None)
        await press(pilot, "space")
        assert home.session.intents[0] is Intent.STOP
        app._live = None


async def test_h3_the_stop_leaves_while_the_key_is_handed_over_before_any_queue_or_drawing() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home)
        home.session.confirms_stop = False
        app.post_message(events.Key("space", " "))
        # no await in between: nothing else can have run
        assert home.session.intents == [Intent.STOP]
        await settle(pilot)
        assert home.session.intents == [Intent.STOP]  # once a press, however many ways the key takes


async def test_h3_a_busy_app_does_not_delay_the_stop() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home)
        blocked = asyncio.Event()
        app.call_later(blocked.wait)  # the app's own queue waits for this
        await asyncio.sleep(0)
        app._driver.send_message(events.Key("escape", None))  # type: ignore[union-attr] - a running app has a driver
        for _ in range(5):
            await asyncio.sleep(0)
        assert home.session.intents == [Intent.STOP]
        blocked.set()


@pytest.mark.parametrize("key", NEW_KEYS)
@pytest.mark.parametrize("stop", ["space", "escape"])
async def test_h3_no_key_of_the_app_covers_the_stop_line_or_comes_before_a_stop(key: str, stop: str) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home)
        drunk = home.almanac.water().today_ml
        await press(pilot, key)
        assert isinstance(app.screen, SessionScreen)
        assert screen_lines(app)[-1].startswith("   SPACE stop at once")
        assert home.session.intents == []
        assert home.almanac.water().today_ml == drunk
        await press(pilot, stop)
        assert home.session.intents[0] is Intent.STOP


@pytest.mark.parametrize("action", sorted(OURS - AT_ANY_TIME))
async def test_h3_no_action_of_the_app_is_there_while_a_session_runs_however_it_is_called(action: str) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home)
        drunk, looks = home.almanac.water().today_ml, home.looks
        assert not app.check_action(action, ())
        if action != "command_palette":  # Textual's own, which asks check_action alone
            called = getattr(app, f"action_{action}")()
            if called is not None:
                await called
        await settle(pilot)
        assert isinstance(app.screen, SessionScreen)
        assert home.almanac.water().today_ml == drunk
        assert home.looks == looks
        assert home.session.intents == []


@pytest.mark.parametrize(
    "scene", ["jump", "people", "plan", "water", "settings", "evidence", "history", "consultation"]
)
@pytest.mark.parametrize("key", ["space", "escape"])
async def test_h3_the_stop_keys_stop_over_every_screen_that_was_left_open(scene: str, key: str) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, scene)
        # no way leads to a session from here; should one be begun all the same, Stop is Stop
        app._live = home.start(home.choices(None)[0], home.devices[0], {}, lambda _view: None)
        app.post_message(events.Key(key, None))
        assert home.session.intents == [Intent.STOP]
        app._live = None


async def test_h3_while_a_session_runs_no_reminder_is_told_and_after_it_it_is() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home)
        home.plans(at=time(18, 0))
        app._stir()
        await settle(pilot)
        assert app._told is None
        assert screen_lines(app)[-1].startswith("   SPACE stop at once")
        home.session.end(Reason.COMPLETED)
        await settle(pilot)
        assert app._told is not None
        assert app._told[1].kind == "session"


async def test_h3_a_toast_of_before_is_gone_when_a_session_begins() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "ready")
        await press(pilot, "w")
        assert len(app._notifications) == 1
        await press(pilot, "enter")
        assert isinstance(app.screen, SessionScreen)
        assert len(app._notifications) == 0


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("scene", ["session", "help"])
async def test_h3_the_stop_line_is_the_last_line_at_every_size_and_over_the_help(
    size: tuple[int, int], scene: str
) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=size) as pilot:
        await in_session(pilot, home, scene)
        line = app.screen.query_one(StopLine)
        assert line.region.y == size[1] - 1
        assert line.region.height == 1
        assert line.region.width == size[0]
        assert "SPACE stop at once" in str(line.render())


@pytest.mark.parametrize("scene", ["session", "help"])
async def test_h3_pressing_the_mouse_on_the_stop_line_stops(scene: str) -> None:
    home = StagedHome()
    async with app_of(home).run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home, scene)
        await pilot.mouse_down(StopLine, offset=(5, 0))
        assert home.session.intents[0] is Intent.STOP


async def test_the_other_words_of_the_stop_line_do_what_they_say() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home)
        text = str(app.screen.query_one(StopLine).render())
        await pilot.click(StopLine, offset=(text.index("p pause"), 0))
        await settle(pilot)
        assert home.session.intents == [Intent.PAUSE]


async def test_h3_the_screen_says_stopping_and_never_stopped_before_the_device_confirmed() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home)
        home.session.confirms_stop = False
        await press(pilot, "space")
        assert isinstance(app.screen, SessionScreen)
        assert app.screen.text("#headline") == "Stopping…"
        assert "not confirmed yet" in app.screen.text("#share")
        everything = " ".join(app.screen.text(f"#{part}") for part in ("headline", "instruction", "share", "message"))
        assert "stopped" not in everything.lower()
        assert home.session.view.phase is Phase.STOPPING


async def test_h3_a_stop_over_the_help_brings_the_session_back_to_the_front() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home, "help")
        assert isinstance(app.screen, HelpScreen)
        home.session.confirms_stop = False
        await press(pilot, "escape")
        assert isinstance(app.screen, SessionScreen)


@pytest.mark.parametrize("key", ["ctrl+q", "ctrl+c"])
async def test_leaving_stops_first_and_goes_once_the_session_is_over(key: str) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home)
        home.session.confirms_stop = False
        await press(pilot, key)
        assert home.session.intents[0] is Intent.STOP
        assert app.is_running
        assert app.return_value is None
        home.session.confirms_stop = True
        await press(pilot, "space")
        await settle(pilot)
    assert app.return_value == 3


async def test_h4_the_app_does_not_go_to_sleep_in_the_shell_with_a_device_running() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home)
        app.action_suspend_process()
        assert home.session.intents == [Intent.STOP]


async def test_a_crash_of_the_app_stops_the_output_first() -> None:
    home = StagedHome()
    app = app_of(home)

    def crash() -> None:
        raise RuntimeError("a defect in a screen")

    async def until_it_falls() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await in_session(pilot, home)
            home.session.confirms_stop = False
            app.call_later(crash)
            await settle(pilot)

    with pytest.raises(RuntimeError, match="a defect in a screen"):
        await until_it_falls()
    assert home.session.intents[0] is Intent.STOP
    await app.let_go()
    assert home.closed


async def test_an_app_that_went_down_lets_go_of_the_session_before_it_returns() -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await in_session(pilot, home)
        home.session.confirms_stop = False
    await app.let_go()
    assert Intent.STOP in home.session.intents
    assert not app.live
    assert home.closed


@pytest.mark.parametrize("key", ["space", "escape"])
async def test_without_a_session_the_stop_keys_mean_their_ordinary_thing(key: str) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "questions" if key == "escape" else "ready")
        await press(pilot, key)
        assert home.session.intents == []
        assert not isinstance(app.screen, SummaryScreen)
