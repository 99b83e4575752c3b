"""Every screen of the app as a scene: who is at home, and what leads to it. For its snapshots and its pictures alike.

A scene is the same each time: the evening of :mod:`tests.companion.staging` stands still, and nothing on it moves.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from unittest.mock import patch

from textual.pilot import Pilot
from textual.widgets import Input

from companion.app import CompanionApp
from companion.care.hydration import Goal
from companion.care.plans import Chosen
from companion.config import CompanionError
from companion.home import After, Device, NotFoundError, NotTodayError, Patch, Preferences, Skin
from companion.routines.library import Library
from companion.routines.model import plan_session
from companion.screens.pairing import PairingScreen
from companion.screens.session import SessionScreen
from companion.session.model import Reason, Summary
from companion.widgets.delivered import COLUMN_S, Delivered
from companion.words import skin as skin_words
from protocols.dr05 import PROFILE
from protocols.omp import PROFILE as OMP
from tests.companion.cells import Shown, strips_of
from tests.companion.kept import ZONES, journalled
from tests.companion.staging import StagedHome, press, settle, stage, view_of

SIZES = ((80, 24), (120, 40))
USUAL = SIZES[:1]
_STILL = 50  # looks at a screen until it has to be the same twice


Lead = Callable[[Pilot[int], StagedHome], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scene:
    """``screen`` is the class that is on top at the end, ``home`` makes who is at home, ``lead`` leads the app there.

    ``demo`` None: a household with a real radio, as a person has it. A further state of a screen is shown at the usual
    size alone.
    """

    screen: str
    lead: Lead
    home: Callable[[StagedHome], None] = lambda _home: None
    demo: str | None = "dr05"
    sizes: tuple[tuple[int, int], ...] = SIZES


async def show(scene: Scene, theme: str, size: tuple[int, int], also: tuple[str, ...] = ()) -> list[Shown]:
    """Lead a new app to the scene and return what it shows: in the theme, then in those of ``also`` turned to there.

    Raises:
        AssertionError: another screen than the scene's own is there, or something on it goes on moving.
    """
    home = StagedHome(demo=scene.demo)
    home.asked = False
    home.said = Preferences(motion=False)
    scene.home(home)
    with patch.dict(os.environ):
        os.environ.pop("NO_COLOR", None)  # Textual's own look at it, when an app is made
        app = CompanionApp(home, environ={"COMPANION_THEME": theme})
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await scene.lead(pilot, home)
        found = [await _still(pilot, scene)]
        for _ in also:
            app.action_theme()
            found.append(await _still(pilot, scene))
    return found


async def _still(pilot: Pilot[int], scene: Scene) -> Shown:
    app = pilot.app
    await settle(pilot)
    assert type(app.screen).__name__ == scene.screen
    for field in app.screen.query(Input):
        field.cursor_blink = False
    before = strips_of(app)
    for _ in range(_STILL):
        await settle(pilot)
        now = strips_of(app)
        if now == before:
            return Shown.by(app, now)
        before = now
    raise AssertionError(f"{scene.screen} does not come to rest")


# --- who is at home ---------------------------------------------------------------------------------------------------


def _planned(home: StagedHome) -> None:
    """Two weeks of a plan, and some water."""
    home.plans()
    home.almanac.drink(600)


def filled(home: StagedHome) -> None:
    """Two people, and three weeks of the one: sessions with their journals, skin checks, and what was drunk."""
    home.names = ["Ada", "Grace"]
    evening = home.moment
    home.moment = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
    home.almanac.choose_plan(Chosen(home.moment.date()))
    store = home.almanac._store
    for number, day in enumerate((2, 4, 7, 9, 12, 14, 17, 19)):
        home.moment = datetime(2026, 11, day, 18, 50, tzinfo=UTC)
        store.diary.check_skin(4 - number // 3, max(1, 3 - number // 3), 1 + number % 2)
        zones = ZONES[:5] if number == 2 else ZONES[1:9] if number == 3 else ZONES
        reason = Reason.STOPPED if number == 2 else Reason.COMPLETED
        routine = "five-minute-lift" if number == 3 else "full-face"
        writer = store.begin_session(routine, "Dr-05", "dr05", "dr05", demo=home.demo is not None)
        level = 30 + 2 * number
        seconds, t = journalled(writer, zones, level)
        home.moment += timedelta(seconds=t)
        writer.finish(Summary(reason, MappingProxyType(seconds), level, sum(seconds.values()), t, ()))
    home.moment = evening
    newest = home.almanac.sessions(1)[0].id
    store.diary.say(newest, "Easier than last week; the chin tingled a little.", ["/photos/19-november.jpg"])
    drunk = [(200, 250, 330, 200), (200,) * 6, (250,) * 8, (200,) * 4, (), (200,) * 9, (330,) * 3]
    for back, amounts in enumerate(drunk):
        for number, ml in enumerate(amounts):
            since = timedelta(days=back, hours=10, minutes=-95 * number)
            store.diary.drink(ml, home.moment - since)


def _without_device(home: StagedHome) -> None:
    home.devices = []


def _searching_in_vain(home: StagedHome) -> None:
    home.not_found = NotFoundError("Bluetooth is switched off", "switch it on, then press r")


def _several_devices(home: StagedHome) -> None:
    _planned(home)
    far = (Device("AA:02", "Dr-05 of Grace", -71, PROFILE, object()), Device("AA:03", "Dr-05", -88, PROFILE, object()))
    home.devices += far


def _new(home: StagedHome) -> None:
    home.asked = True


def _implant(home: StagedHome) -> None:
    home.reasons = (
        "No session with this app: current can disturb implanted electronics. Please ask your doctor.",
        "No session with this app: a heart condition. Please ask your doctor.",
    )
    home.names = ["Ada", "Grace"]


def _doctor_first(home: StagedHome) -> None:
    home.answers(thinner="yes")
    home.reasons = home.profile.reasons()


def _careful(home: StagedHome) -> None:
    """Everything that a profile can say, with a device near by."""
    home.answers(thinner="agreed")
    home.profile.note("peel")
    home.profile.set_comfortable(15)


def _broken(home: StagedHome) -> None:
    home.opening_error = CompanionError("the database is of a newer version than this one: update the app")


def _patch_waits(home: StagedHome) -> None:
    _planned(home)
    places = tuple((one, skin_words.PATCH_OUTCOMES[one]) for one in ("calm", "reaction"))
    home.patch_waits = Patch(skin_words.PATCH_TITLE, skin_words.PATCH_LOOK, places)


def _done_today(home: StagedHome) -> None:
    _planned(home)
    home.holds(home.moment - timedelta(hours=1))


def _limited(home: StagedHome) -> None:
    home.almanac.drink(450)
    home.almanac.set_goal(Goal(limited=True))


def _irritated(home: StagedHome) -> None:
    home.refusal = NotTodayError(skin_words.NOT_TODAY.format(what="very red"))


def _reference(home: StagedHome) -> None:
    """The reference device instead."""
    home.plan = plan_session(Library().get("full-face"), OMP, comfortable_percent=60, first_session=False)
    home.devices = [Device("AA:04", "OMP", -42, OMP, object())]


# --- what leads there -------------------------------------------------------------------------------------------------


def keys(*pressed: str) -> Lead:
    """A few keys lead to it."""

    async def lead(pilot: Pilot[int], home: StagedHome) -> None:
        await press(pilot, *pressed)

    return lead


def staged(name: str) -> Lead:
    """A scene of the stage."""

    async def lead(pilot: Pilot[int], home: StagedHome) -> None:
        await stage(pilot, home, name)

    return lead


async def _doctor(pilot: Pilot[int], home: StagedHome) -> None:
    """A yes to the first question after which a doctor may agree."""
    ahead = [one.kind for one in home.screening_questions()].index("ask")
    await press(pilot, *["n"] * ahead, "y")


async def _stopped_early(pilot: Pilot[int], home: StagedHome) -> None:
    home.after = After("", "Next: Wed 25 Nov at 19:00.")
    await stage(pilot, home, "session")
    home.session.view = view_of(home.plan, "left-cheek")
    home.session.end(Reason.STOPPED)
    await settle(pilot)


async def _refused(pilot: Pilot[int], home: StagedHome) -> None:
    await stage(pilot, home, "ready")
    await press(pilot, "enter")


async def _gentle(pilot: Pilot[int], home: StagedHome) -> None:
    home.skin = Skin(allowed=True, lines=(skin_words.GENTLE.format(what="a little dry"), skin_words.MORE_GEL))
    await stage(pilot, home, "ready")


async def _long_look(pilot: Pilot[int], home: StagedHome) -> None:
    """A look that has taken so long that its line is full: the only one that stands still."""
    await press(pilot, "d")
    search = pilot.app._search  # type: ignore[attr-defined] - the app's own
    search.since, search.failure = float("-inf"), None
    pilot.app.screen.show()  # type: ignore[attr-defined] - a FindScreen


def _pairing(number: int | None, *, compare: bool = False) -> Lead:
    """The code of a pairing, over the session that waits for its device."""

    async def lead(pilot: Pilot[int], home: StagedHome) -> None:
        await stage(pilot, home, "waiting")
        await pilot.app.push_screen(PairingScreen("Dr-05", number, compare=compare))

    return lead


async def _pairing_in_a_demo(pilot: Pilot[int], home: StagedHome) -> None:
    """The same with a simulated device, whose display is shown beside it."""
    await stage(pilot, home, "waiting")
    screen = PairingScreen("OMP", 612674, compare=True)
    await pilot.app.push_screen(screen)
    await settle(pilot)
    screen.simulated(612674)


async def _measured(pilot: Pilot[int], home: StagedHome) -> None:
    """A device that measures what it delivers: risen to its level, lifted for a moment, and risen again."""
    await stage(pilot, home, "session")
    delivered = [2.0 * at for at in range(30)] + [60.0] * 12 + [0.0] * 8 + [2.0 * at for at in range(45)] + [90.0] * 15
    chart = pilot.app.screen.query_one(Delivered)
    for at, ua in enumerate(delivered):
        chart.show(ua, 120.0, at * COLUMN_S)
    chart.show = lambda *_: None  # type: ignore[method-assign] # it stands still for its picture
    home.session.view = view_of(home.plan, "left-cheekbone", delivered_ua=90.0, battery_percent=81)
    screen = pilot.app.screen
    assert isinstance(screen, SessionScreen)
    screen.update_view()


async def _palette(pilot: Pilot[int], home: StagedHome) -> None:
    await press(pilot, "ctrl+p")
    await pilot.app.workers.wait_for_complete()
    await settle(pilot)


_MOMENTS = ("lost", "asked", "moving", "guiding", "waiting", "begin")

SCENES: dict[str, Scene] = {
    # the first minutes
    "first-question": Scene("ScreeningScreen", keys(), _new, demo=None),
    "doctor-asked": Scene("ScreeningScreen", _doctor, _new, demo=None, sizes=USUAL),
    "blocked": Scene("BlockedScreen", keys(), _implant, demo=None),
    "blocked-doctor": Scene("BlockedScreen", keys(), _doctor_first, demo=None, sizes=USUAL),
    "fault": Scene("BlockedScreen", keys(), _broken, demo=None, sizes=USUAL),
    "consultation": Scene("ConsultationScreen", staged("consultation")),
    "proposal": Scene("ProposalScreen", staged("proposal")),
    # today
    "today": Scene("TodayScreen", keys(), filled, demo=None),
    "today-first": Scene("TodayScreen", keys(), _without_device, demo=None, sizes=USUAL),
    "today-milestone": Scene("TodayScreen", keys(), _planned, sizes=USUAL),
    "today-done": Scene("TodayScreen", keys(), _done_today, sizes=USUAL),
    "today-patch": Scene("TodayScreen", keys(), _patch_waits, sizes=USUAL),
    "glass": Scene("TodayScreen", keys("w"), _planned, sizes=USUAL),
    "jump": Scene("JumpScreen", staged("jump")),
    "palette": Scene("CommandPalette", _palette, _planned),
    # device and routine
    "find": Scene("FindScreen", staged("find"), sizes=USUAL),
    "find-several": Scene("FindScreen", keys("d"), _several_devices, demo=None),
    "find-looking": Scene("FindScreen", _long_look, _without_device, demo=None, sizes=USUAL),
    "find-none": Scene("FindScreen", keys("d"), _without_device, demo=None, sizes=USUAL),
    "find-failed": Scene("FindScreen", keys("d"), _searching_in_vain, demo=None, sizes=USUAL),
    "routines": Scene("RoutinesScreen", staged("routines")),
    "patch": Scene("PatchScreen", staged("patch")),
    "patch-look": Scene("PatchScreen", keys("enter"), _patch_waits, sizes=USUAL),
    # before a session
    "prepare": Scene("PrepareScreen", staged("prepare")),
    "questions": Scene("PrepareScreen", staged("questions"), sizes=USUAL),
    "skin": Scene("PrepareScreen", staged("skin")),
    "optional": Scene("PrepareScreen", staged("optional"), sizes=USUAL),
    "ready": Scene("PrepareScreen", staged("ready"), sizes=USUAL),
    "ready-gentle": Scene("PrepareScreen", _gentle, sizes=USUAL),
    "refused": Scene("BlockedScreen", _refused, _irritated, sizes=USUAL),
    # the session and after it
    "pairing": Scene("PairingScreen", _pairing(123456, compare=True)),
    "pairing-demo": Scene("PairingScreen", _pairing_in_a_demo),
    "session-measured": Scene("SessionScreen", _measured, _reference),
    "pairing-typed": Scene("PairingScreen", _pairing(None), sizes=USUAL),
    **{name: Scene("SessionScreen", staged(name)) for name in ("session", "paused", "stopping")},
    **{name: Scene("SessionScreen", staged(name), sizes=USUAL) for name in _MOMENTS},
    "help-live": Scene("HelpScreen", staged("help"), sizes=USUAL),
    "summary": Scene("SummaryScreen", staged("summary")),
    "summary-stopped": Scene("SummaryScreen", _stopped_early, sizes=USUAL),
    # the weeks around it
    "plan": Scene("PlanScreen", keys("g", "p"), filled, demo=None),
    "plan-day": Scene("PlanScreen", keys("g", "p", "down", "enter"), filled, demo=None, sizes=USUAL),
    "plan-none": Scene("PlanScreen", keys("g", "p"), demo=None, sizes=USUAL),
    "water": Scene("WaterScreen", keys("g", "w"), filled, demo=None),
    "water-goal": Scene("WaterScreen", keys("g", "w", "e"), filled, demo=None, sizes=USUAL),
    "water-first": Scene("WaterScreen", keys("g", "w"), demo=None, sizes=USUAL),
    "water-limited": Scene("WaterScreen", keys("g", "w"), _limited, demo=None, sizes=USUAL),
    "history": Scene("HistoryScreen", keys("g", "h"), filled, demo=None),
    "history-first": Scene("HistoryScreen", keys("g", "h"), demo=None, sizes=USUAL),
    "replayed": Scene("ReplayedScreen", keys("g", "h", "enter", *["down"] * 8), filled, demo=None),
    "replayed-note": Scene("ReplayedScreen", keys("g", "h", "enter", "n"), filled, demo=None, sizes=USUAL),
    # everything else
    "people": Scene("PeopleScreen", keys("o"), filled, demo=None),
    "people-forget": Scene("PeopleScreen", keys("o", "x"), filled, demo=None, sizes=USUAL),
    "people-last": Scene("PeopleScreen", keys("o", "x"), demo=None, sizes=USUAL),
    "profile": Scene("ProfileScreen", staged("profile")),
    "profile-own": Scene("ProfileScreen", keys("g", "y"), _careful, demo=None, sizes=USUAL),
    "note": Scene("SkinNoteScreen", staged("note"), sizes=USUAL),
    "note-day": Scene("SkinNoteScreen", staged("note-day")),
    "agreed": Scene("AgreedScreen", staged("agreed")),
    "people-new": Scene("PeopleScreen", keys("o", "a", *"Émilie"), filled, demo=None, sizes=USUAL),
    "settings": Scene("SettingsScreen", keys("g", "s"), demo=None),
    "settings-end": Scene("SettingsScreen", keys("g", "s", *["end"]), demo=None, sizes=USUAL),
    "settings-search": Scene("SettingsScreen", keys("g", "s", "slash", *"quiet"), demo=None, sizes=USUAL),
    "help": Scene("HelpScreen", keys("question_mark"), _planned, demo=None),
    "evidence": Scene("HelpScreen", keys("g", "e"), _planned, demo=None, sizes=USUAL),
}
"""Every scene by its name."""
