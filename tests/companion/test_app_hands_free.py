"""A session led with space and escape alone, followed by ear; and reminders that reach whoever is elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import time

import pytest
from textual import events
from textual.pilot import Pilot

from companion.app import GO_ON_AFTER_S, REMINDER_S, SNOOZE_S, CompanionApp
from companion.attention import BELLS
from companion.care.hydration import Goal
from companion.cues import Cue
from companion.home import Preferences
from companion.integrations.notifications import Desktop
from companion.integrations.sound import Speaker
from companion.screens.session import SessionScreen, awaited
from companion.screens.summary import SummaryScreen
from companion.session.model import Feels, Intent, LinkReady, Output, Phase, Reason, StepKind, Summary, View
from companion.widgets.facemap import FaceMap
from companion.widgets.keyline import StopLine
from companion.widgets.portrait import HATCH
from tests.companion.staging import StagedHome, press, set_scene, settle, stage
from tests.companion.test_engine import Session


class Led:
    """The real engine with a device that answers, in time of its own, as a session for the app."""

    def __init__(self, home: StagedHome) -> None:
        self.inner = Session(*home.plan.steps, limits=home.plan.limits, profile=home.plan.profile)
        self.intents: list[Intent | Feels] = []
        self.on_change: Callable[[View], None] = lambda _view: None
        self.storage_fault = None
        self.device_on = False
        self._over: asyncio.Future[Summary] | None = None

    @property
    def view(self) -> View:
        return self.inner.view

    @property
    def output_possible(self) -> bool:
        return self.device_on or self.view.output is not Output.OFF

    def intend(self, intent: Intent | Feels) -> None:
        self.intents.append(intent)
        self.inner.give(intent)
        self._told()

    def passes(self, seconds: float) -> None:
        until = self.inner.now + seconds
        while self.inner.now < until and self.view.summary is None:
            self.inner.run(min(0.5, until - self.inner.now))
            self._told()

    def connects(self) -> None:
        self.inner.give(LinkReady(first=True, firmware="2.1"))
        self._told()

    def _told(self) -> None:
        self.on_change(self.view)
        summary = self.view.summary
        if summary is not None and self._over is not None and not self._over.done():
            self._over.set_result(summary)

    async def run(self) -> Summary:
        self._over = asyncio.get_running_loop().create_future()
        return await self._over


async def led(pilot: Pilot[int], home: StagedHome, monkeypatch: pytest.MonkeyPatch) -> Led:
    """Lead to a session over the real engine that has just connected; the app's clock is the session's."""
    session = Led(home)
    home.session = session  # type: ignore[assignment] - what the app uses of it is there
    monkeypatch.setattr(CompanionApp, "_now", staticmethod(lambda: session.inner.now))
    await stage(pilot, home, "ready")
    await press(pilot, "space")
    assert isinstance(pilot.app.screen, SessionScreen)
    session.connects()
    await settle(pilot)
    return session


def app_of(home: StagedHome) -> CompanionApp:
    return CompanionApp(home, environ={})


@pytest.mark.slow
async def test_space_alone_leads_through_a_whole_session_and_every_turn_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = StagedHome()
    treat = [step for step in home.plan.steps if step.kind is StepKind.TREAT]
    few = tuple(step for step in home.plan.steps if step not in treat[3:])
    home.plan = replace(home.plan, steps=few)
    app = app_of(home)
    heard: list[Cue] = []
    async with app.run_test(size=(80, 24)) as pilot:
        session = await led(pilot, home, monkeypatch)
        assert app._cues is not None
        app._cues._ring = heard.append
        for _ in range(400):
            if session.view.summary is not None:
                break
            session.passes(GO_ON_AFTER_S + 2.0)
            await settle(pilot)
            if session.view.phase is Phase.READY or session.view.waits_for_confirm:
                assert isinstance(app.screen, SessionScreen)
                app.screen.update_view()
                assert "ESC stop at once   space/enter" in str(app.screen.query_one(StopLine).render())
                await press(pilot, "space")
        await settle(pilot)
        assert session.view.summary is not None
        assert session.view.summary.reason is Reason.COMPLETED
        assert isinstance(app.screen, SummaryScreen)
        assert Intent.STOP not in session.intents
        assert heard.count(Cue.BEGIN) == 3, heard
        assert heard.count(Cue.NEXT) >= 3
        assert heard.count(Cue.HALF) == 0, "its time is the event loop's, and little of that has passed"
        assert Cue.ASKED in heard, "what do you feel: within the first minute"
        assert heard[-1] is Cue.DONE


async def test_h3_space_stops_in_the_moment_in_which_a_session_comes_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    home = StagedHome()
    async with app_of(home).run_test(size=(80, 24)) as pilot:
        session = await led(pilot, home, monkeypatch)
        session.passes(GO_ON_AFTER_S - 0.1)
        await press(pilot, "space")
        assert session.intents == [Intent.STOP]


@pytest.mark.parametrize("key", ["escape", "shift+space", "ctrl+space", "shift+escape"])
async def test_h3_escape_and_space_with_another_key_stop_wherever_space_alone_would_begin(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        session = await led(pilot, home, monkeypatch)
        session.passes(5.0)
        app.post_message(events.Key(key, None))
        assert session.intents[:1] == [Intent.STOP]
        await settle(pilot)


async def test_h3_space_begins_nothing_with_a_device_that_may_be_on_or_over_the_help(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for hindrance in ("device", "help"):
        home = StagedHome()
        async with app_of(home).run_test(size=(80, 24)) as pilot:
            session = await led(pilot, home, monkeypatch)
            session.passes(5.0)
            if hindrance == "help":
                await press(pilot, "question_mark")
            session.device_on = hindrance == "device"
            await press(pilot, "space")
            assert session.intents[:1] == [Intent.STOP], hindrance
            assert Intent.START not in session.intents


async def test_h3_a_space_that_is_held_down_begins_and_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=(80, 24)) as pilot:
        session = await led(pilot, home, monkeypatch)
        session.passes(5.0)
        for _ in range(2):
            app.post_message(events.Key("space", " "))
        assert session.intents == [Intent.START, Intent.STOP]
        await settle(pilot)


@pytest.mark.parametrize("scene", ["session", "paused", "lost", "asked", "moving", "guiding", "stopping"])
async def test_h3_space_is_stop_however_long_a_session_is_in_any_other_state(
    scene: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = StagedHome()
    app = app_of(home)
    now = 1000.0
    monkeypatch.setattr(CompanionApp, "_now", staticmethod(lambda: now))
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, scene)
        home.session.confirms_stop = False
        home.session.intents.clear()
        home.session.on_change(home.session.view)
        now += 60.0
        app.post_message(events.Key("space", " "))
        assert home.session.intents == [Intent.STOP]
        await settle(pilot)


def test_h3_nothing_is_waited_for_before_the_output_is_confirmed_off() -> None:
    home = StagedHome()
    set_scene(home, "guiding")
    waits = replace(home.session.view, waits_for_confirm=True)
    assert awaited(waits) == (Intent.CONFIRM, waits.step_index)
    for output in (Output.STARTING, Output.ON, Output.STOPPING):
        assert awaited(replace(waits, output=output)) is None
        assert awaited(replace(waits, phase=Phase.READY, output=output)) is None


async def test_zones_that_the_person_never_treats_are_hatched() -> None:
    home = StagedHome()
    started = home.start

    def start(*given: object) -> object:
        return replace(started(*given), no_go=("left-jawline",))  # type: ignore[arg-type] - as given

    home.start = start  # type: ignore[method-assign,assignment] - a person with a zone of their own
    async with app_of(home).run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "session")
        face = pilot.app.screen.query_one(FaceMap)
        assert face._shown.no_go == ("left-jawline",)
        drawn = "".join(face.render_line(y).text for y in range(face.size.height))
        assert HATCH in drawn


@pytest.mark.parametrize(("size", "seen"), [((40, 16), True), ((60, 20), True), ((80, 16), True), ((35, 16), False)])
async def test_the_face_is_there_wherever_its_zones_can_be_told_apart(size: tuple[int, int], seen: bool) -> None:
    home = StagedHome()
    async with app_of(home).run_test(size=size) as pilot:
        await stage(pilot, home, "session")
        face = pilot.app.screen.query_one(FaceMap)
        assert face.display is seen
        if seen:
            assert face._look().width >= 14


@pytest.mark.parametrize("size", [(36, 13), (40, 16), (60, 20), (80, 24), (120, 40)], ids=str)
async def test_the_question_stands_whole_at_every_size(size: tuple[int, int]) -> None:
    home = StagedHome()
    app = app_of(home)
    async with app.run_test(size=size) as pilot:
        await stage(pilot, home, "session")
        set_scene(home, "asked")
        assert isinstance(app.screen, SessionScreen)
        app.screen.update_view()
        await settle(pilot)
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.size))
        for answer in ("What do you feel?", "1 nothing", "2 tingling", "3 uncomfortable", "4 pain"):
            assert answer in shown, answer


# --- reminders --------------------------------------------------------------------------------------------------------


class Beside:
    """A desktop that notes what it is asked to show, without a program."""

    def __init__(self, *, works: bool = True) -> None:
        self.shown: list[str] = []
        self._works = works

    def run(self, argv: Sequence[str], _environ: Mapping[str, str]) -> bool:
        self.shown.append(argv[-2])
        return self._works

    def app(self, home: StagedHome) -> CompanionApp:
        return CompanionApp(home, environ={}, desktop=Desktop("linux", {}, self.run), speaker=Speaker("linux", {}))


def at_once(app: CompanionApp) -> None:
    assert app._attention is not None
    app._attention._notes = lambda job: job()


async def reminded(app: CompanionApp, pilot: Pilot[int], home: StagedHome, *, away: bool) -> None:
    """A session is due, and the app has told it, with its terminal in front or not."""
    await settle(pilot)
    at_once(app)
    if away:
        app.post_message(events.AppBlur())
        await settle(pilot)
    home.almanac.set_goal(Goal(limited=True))  # so that there is one thing to say
    home.plans(at=time(18, 0))
    app._stir()
    await settle(pilot)


@pytest.mark.parametrize(
    ("said", "away", "shown"),
    [
        (Preferences(), True, True),
        (Preferences(), False, False),
        (Preferences(only_when_away=False), False, True),
        (Preferences(notify=False), True, False),
        (Preferences(notify=False, only_when_away=False), True, False),
        (Preferences(cues="off"), True, True),
    ],
    ids=["away", "in front", "in front, always", "off", "off, always", "silent, away"],
)
async def test_a_notification_comes_where_it_is_wanted_and_the_terminal_is_not_in_front(
    said: Preferences, away: bool, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bells: list[str] = []
    monkeypatch.setattr(CompanionApp, "bell", lambda _self: bells.append("bell"))
    home = StagedHome()
    home.said = said
    desktop = Beside()
    app = desktop.app(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await reminded(app, pilot, home, away=away)
        assert desktop.shown == (["Time for yourself"] if shown else [])
        (toast,) = app._notifications
        assert toast.timeout == (SNOOZE_S if away else REMINDER_S)
        assert len(bells) == (0 if said.cues == "off" else BELLS[Cue.REMINDER])


async def test_back_in_front_the_next_reminder_is_in_the_app_alone() -> None:
    home = StagedHome()
    desktop = Beside()
    app = desktop.app(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.post_message(events.AppBlur())
        await settle(pilot)
        app.post_message(events.AppFocus())
        await reminded(app, pilot, home, away=False)
        assert len(app._notifications) == 1
        assert desktop.shown == []


async def test_a_notification_waits_for_nobody_and_one_that_fails_is_no_failure() -> None:
    home = StagedHome()
    desktop = Beside(works=False)
    app = desktop.app(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await reminded(app, pilot, home, away=True)
        assert len(app._notifications) == 1
        assert desktop.shown == ["Time for yourself"]
        jobs: list[Callable[[], None]] = []
        assert app._attention is not None
        app._attention._notes = jobs.append
        app._attention.notify("a", "b")
        assert len(desktop.shown) == 1
        assert len(jobs) == 1


async def test_quiet_hours_hold_for_notifications_too() -> None:
    from companion.care.hydration import Hours  # noqa: PLC0415 - for this test

    home = StagedHome()
    home.almanac.quiet = Hours(time(17, 0), time(23, 0))
    desktop = Beside()
    app = desktop.app(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await reminded(app, pilot, home, away=True)
        assert len(app._notifications) == 0
        assert desktop.shown == []


async def test_z_puts_off_a_reminder_that_was_told_while_away_and_it_is_shown_once_more() -> None:
    from companion.care.reminders import SNOOZE  # noqa: PLC0415 - for this test

    home = StagedHome()
    desktop = Beside()
    app = desktop.app(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await reminded(app, pilot, home, away=True)
        await press(pilot, "z")  # a key says that somebody is there
        app.post_message(events.AppBlur())
        await settle(pilot)
        home.moment += SNOOZE
        app._stir()
        await settle(pilot)
        assert desktop.shown == ["Time for yourself"] * 2
