"""A stage for the app: a household without a radio, and a session whose view is whatever a test makes it.

Its almanac is a real one, in a database in memory, on an evening that stands still.

Used by the tests of the screens and by scripts/screenshots, so that pictures and tests show the same.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import weakref
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from textual.pilot import Pilot

from companion.almanac import Almanac
from companion.beside import link_settings
from companion.care import consultation
from companion.care.plans import Chosen
from companion.care.screening import QUESTIONS, TODAY_QUESTIONS
from companion.care.skin import SCORES
from companion.config import CompanionError
from companion.dates import Calendar
from companion.device.pairing import Pairer
from companion.glance import Wanted, glance
from companion.home import (
    After,
    Choice,
    Device,
    Glance,
    NotFoundError,
    OptionalStep,
    Patch,
    Preferences,
    Proposed,
    Question,
    Skin,
    Started,
    Wish,
)
from companion.household import _choice
from companion.integrations.mqtt_settings import MqttSettings
from companion.past import Past
from companion.profile import Profile
from companion.routines.library import Library
from companion.routines.model import plan_session
from companion.screens.prepare import PrepareScreen
from companion.screens.routines import RoutinesScreen
from companion.screens.today import TodayScreen
from companion.session.model import Feels, Intent, Output, Phase, Reason, SessionPlan, StepKind, Summary, View
from companion.settings.file import SettingsFile, settings_file
from companion.settings.schema import Settings
from companion.store.database import Store
from companion.store.schema import migrate
from companion.words import skin as skin_words
from protocols.dr05 import PROFILE

EVENING = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
"""A Sunday."""


def full_face() -> SessionPlan:
    """The packaged full-face routine on a Dr-05."""
    return plan_session(Library().get("full-face"), PROFILE, comfortable_percent=60, first_session=False)


def view_of(plan: SessionPlan, zone: str, **changes: object) -> View:
    """A view in the middle of treating ``zone``, with the zones before it done; ``changes`` replace single fields."""
    index = next(i for i, step in enumerate(plan.steps) if step.kind is StepKind.TREAT and step.zone == zone)
    step = plan.steps[index]
    total = sum(one.seconds + 4 * (one.kind is StepKind.TREAT) for one in plan.steps)
    after = sum(one.seconds + 4 * (one.kind is StepKind.TREAT) for one in plan.steps[index + 1 :])
    treated = [one.zone for one in plan.steps[:index] if one.kind is StepKind.TREAT and one.zone]
    view = View(
        phase=Phase.TREATING,
        output=Output.ON,
        title=plan.title,
        step_index=index,
        step_count=len(plan.steps),
        step=step,
        next_step=plan.steps[index + 1] if index + 1 < len(plan.steps) else None,
        step_remaining_s=27.0,
        step_elapsed_s=step.seconds - 27.0,
        session_remaining_s=after + 27.0,
        session_total_s=total,
        pass_index=1,
        intensity_percent=24,
        target_percent=36,
        comfortable_percent=60,
        cap_percent=60,
        zone=zone,
        done_zones=tuple(treated),
        skipped_zones=(),
        link_up=True,
        reconnect_remaining_s=None,
        answer_ms=31.0,
        battery_percent=None,
        temperature_c=None,
        water_low=False,
        ask_sensation=False,
        message="",
        summary=None,
    )
    return replace(view, **changes)  # type: ignore[arg-type] - tests name the fields


class StagedSession:
    """A session that does nothing but remember; ``view`` is set from outside."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.intents: list[Intent | Feels] = []
        self.on_change: Callable[[View], None] = lambda _view: None
        self.storage_fault: str | None = None
        self.confirms_stop = True
        self._over: asyncio.Future[Summary] | None = None

    @property
    def output_possible(self) -> bool:
        return self.view.output is not Output.OFF

    def intend(self, intent: Intent | Feels) -> None:
        self.intents.append(intent)
        if intent is Intent.STOP:
            self.view = replace(self.view, phase=Phase.STOPPING, output=Output.STOPPING)
            if self.confirms_stop:
                self.end(Reason.STOPPED)

    def end(self, reason: Reason, **changes: object) -> None:
        plan_zones = {zone: 40.0 - 2 * i for i, zone in enumerate(self.view.done_zones)}
        summary = Summary(reason, plan_zones, 42, sum(plan_zones.values()), 500.0)
        if self._over is not None and not self._over.done():
            self._over.set_result(replace(summary, **changes))  # type: ignore[arg-type] - tests name the fields

    def fail(self, error: Exception) -> None:
        if self._over is not None:
            self._over.set_exception(error)

    async def run(self) -> Summary:
        self._over = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.shield(self._over)
        except asyncio.CancelledError:
            self.intents.append(Intent.STOP)
            raise


class StagedHome:
    """A household with one Dr-05 in reach. ``moment`` is now, and may be moved."""

    def __init__(self, *, demo: str | None = "dr05") -> None:
        self.demo = demo
        self.plan = full_face()
        self.session = StagedSession(view_of(self.plan, "left-cheekbone"))
        self.devices = [Device("AA:01", "Dr-05", -48, PROFILE, object())]
        self.not_found: NotFoundError | None = None
        self.asked = demo is None
        self.saved: tuple[Mapping[str, str], Sequence[str]] | None = None
        self.reasons: tuple[str, ...] = ()
        self.refusal: Exception | None = None
        self.opening_error: Exception | None = None
        self.today: Mapping[str, bool] | None = None
        self.looks = 0
        self.closed = False
        self.first = True
        self.moment = EVENING
        self.names = ["Ada"]
        self.removal_error: CompanionError | None = None
        self.hold: Callable[[bool], None] | None = None
        self.offers: Sequence[OptionalStep] = ()
        self.optional_taken: Collection[str] = ()
        self.turn = "Ada"
        self.said = Preferences()
        self.patch_asked: Patch | None = None
        self.patch_waits: Patch | None = None
        self.patch_answers: list[str] = []
        self.skin = Skin(allowed=True)
        self.scores: list[Mapping[str, int]] = []
        self.after = After("you felt: tingling", "Next: Wed 25 Nov at 19:00.")
        self.planned = "full-face"
        self.wished: Mapping[str, Sequence[str]] = {}

    def open(self) -> None:
        if self.opening_error is not None:
            raise self.opening_error

    @cached_property
    def almanac(self) -> Almanac:
        # It may be closed by whichever thread the garbage is collected in.
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, connection.close)
        path = self._folder / "a database in memory"  # beside it are the session's lock and the seals
        migrate(connection, path)
        calendar = Calendar(lambda: self.moment)
        store = Store(connection, path, calendar, None)
        return Almanac(store, calendar, zone=ZoneInfo("UTC"), demo=self.demo is not None)

    @property
    def profile(self) -> Profile:
        return Profile(self.almanac._store, self.almanac, Calendar(lambda: self.moment))

    @property
    def past(self) -> Past:
        return Past(self.almanac, self.almanac._store)

    @cached_property
    def _folder(self) -> Path:
        folder = tempfile.TemporaryDirectory()
        weakref.finalize(self, folder.cleanup)
        return Path(folder.name)

    @property
    def settings(self) -> SettingsFile[Settings]:
        return settings_file(self._folder)

    def home_assistant(self) -> MqttSettings:
        return link_settings(self.settings)

    def tells_the_day(self) -> bool:
        return self.first

    def preferences(self) -> Preferences:
        return self.said

    def people(self) -> Sequence[str]:
        return tuple(self.names)

    def whose_turn(self) -> str:
        return self.turn

    def choose_person(self, name: str) -> None:
        self.turn = name
        self.__dict__.pop("almanac", None)

    def rename_person(self, name: str, new: str) -> None:
        if new in self.names:
            raise CompanionError(f"somebody is called {new!r} already; choose another name")
        self.names[self.names.index(name)] = new
        self.turn = new if self.turn == name else self.turn

    def remove_person(self, name: str) -> None:
        if self.removal_error is not None:
            raise self.removal_error
        self.names.remove(name)
        self.names = self.names or ["me"]
        if self.turn not in self.names:
            self.choose_person(self.names[0])

    def add_person(self, name: str) -> None:
        if name in self.names:
            raise CompanionError(f"somebody is called {name!r} already; choose another name")
        self.names.append(name)

    def glance(self, profile: object) -> Glance:
        choice = next(one for one in self.choices(None) if one.name == self.planned)
        wanted = Wanted(choice.name, choice.title, choice.minutes, choice.zones)
        waits = self.patch_waits
        return glance(
            self.almanac,
            wanted,
            person=self.turn if len(self.names) > 1 else "",
            patch="" if waits is None else waits.text,
            patch_look=waits is not None,
        )

    def wishes(self) -> Sequence[Wish]:
        return [
            Wish(one.id, one.text, tuple((choice.id, choice.text) for choice in one.choices), one.several, one.note)
            for one in consultation.QUESTIONS
        ]

    def propose(self, answers: Mapping[str, Sequence[str]]) -> Proposed:
        self.wished = answers
        today = self.moment.date()
        reasons = ("Two or three sessions a week for four weeks, then one: the rhythm that salons use.",
                   "Full face goes through every zone, and you have the twelve minutes for it.",
                   "People differ, and so does what they see. Your device's manual comes first.")  # fmt: skip
        chosen = Chosen(today, weekdays=(1, 3, 5))
        summary = "Two or three sessions a week for four weeks, then one a week."
        return Proposed(
            "Four weeks, then weekly", summary, "Full face", 12, reasons, today, today, (1, 3, 5), chosen.at, chosen
        )

    def follow(self, proposed: Proposed, start: date, weekdays: Sequence[int], at: time) -> None:
        self.almanac.choose_plan(Chosen(start, weekdays=tuple(weekdays), at=at))

    def skin_questions(self) -> Sequence[Question]:
        return [Question(name, skin_words.QUESTIONS[name], "skin", skin_words.SCALE) for name in SCORES]

    def check_skin(self, scores: Mapping[str, int]) -> Skin:
        self.scores.append(dict(scores))
        return self.skin

    def patch(self, choice: Choice) -> Patch | None:
        return self.patch_asked

    def patch_to_look_at(self) -> Patch | None:
        return self.patch_waits

    def answer_patch(self, answer: str) -> None:
        self.patch_answers.append(answer)
        self.patch_waits = None
        if answer in {"declined", "calm"}:
            self.patch_asked = None

    def ended(self, started: Started, summary: Summary) -> After:
        return self.after

    def plans(self, *, done: int = 5, **changes: object) -> None:
        """Let a plan be followed since two weeks, with as many sessions ``done`` and one for today."""
        start = self.moment.date() - timedelta(days=13)
        usual: dict[str, object] = {"weekdays": (0, 2, 4, 6), "at": time(20, 0)}
        self.almanac.choose_plan(Chosen(start, **(usual | changes)))  # type: ignore[arg-type] - tests name the fields
        for days in (13, 11, 9, 6, 4)[:done]:
            self.holds(self.moment - timedelta(days=days))

    def answers(self, **given: str) -> None:
        """Let the health questions have been answered just now, with no but for those that are ``given``."""
        self.almanac._store.save_screening({one.id: "no" for one in QUESTIONS} | given)

    def reacts(self) -> None:
        """Let the skin have reacted to a patch test yesterday."""
        self.almanac._store.diary.begin_patch_test("forearm", at=self.moment - timedelta(days=2))
        self.almanac.end_patch_test("reaction")

    def holds(self, ended_at: datetime) -> None:
        """Keep a session that ended then, of twelve minutes."""
        now, self.moment = self.moment, ended_at - timedelta(minutes=12)
        summary = Summary(Reason.COMPLETED, {"left-cheek": 300.0, "right-cheek": 300.0}, 30, 600.0, 720.0)
        store = self.almanac._store
        writer = store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo=self.demo is not None)
        self.moment = ended_at
        writer.finish(summary)
        self.moment = now

    def screening_needed(self) -> bool:
        return self.asked

    def screening_questions(self) -> Sequence[Question]:
        return [Question(one.id, one.text, one.gate.value) for one in QUESTIONS]

    def today_questions(self) -> Sequence[Question]:
        return [Question(one.id, one.text, one.gate.value) for one in TODAY_QUESTIONS]

    def save_screening(self, answers: Mapping[str, str], agreed: Sequence[str]) -> None:
        self.saved = (answers, agreed)

    def blocked(self) -> tuple[str, ...]:
        return self.reasons

    async def look(self, on_device: Callable[[Device], None]) -> list[Device]:
        self.looks += 1
        if self.not_found is not None:
            raise self.not_found
        for device in self.devices:
            on_device(device)
        return self.devices

    def choices(self, profile: object) -> Sequence[Choice]:
        prepare = tuple(one for one in self.plan.steps if one.kind in {StepKind.PREPARE, StepKind.CHECK})
        zones = tuple(dict.fromkeys(one.zone for one in self.plan.steps if one.zone))
        lift = tuple(zone for zone in zones if zone.endswith(("cheekbone", "cheek", "jawline")))
        return [
            Choice(
                "first-touch",
                "First touch",
                "One zone at the lowest level, to get to know it.",
                5,
                ("right-jawline",),
                prepare,
            ),
            Choice(
                "five-minute-lift", "Five-minute lift", "Cheeks and jaw, when there is little time.", 5, lift, prepare
            ),
            Choice("full-face", "Full face", "Every zone, from the chin to the forehead.", 12, zones, prepare),
            Choice("pulse-cleanse", "Pulse cleanse", "", 0, (), (), "needs pulsation, which Dr-05 does not have"),
        ]

    def note(self) -> str:
        return "Last time: Thursday, 19 November, full face."

    def optional(self, choice: Choice) -> Sequence[OptionalStep]:
        return self.offers

    def with_optional(self, choice: Choice, profile: object, optional: Collection[str]) -> Choice:
        routine = Library().get("full-face")
        plan = plan_session(routine, PROFILE, comfortable_percent=60, first_session=False, optional=optional)
        return replace(_choice(routine, plan), name=choice.name)

    def pair_with(self, pairer: Pairer, displayed: Callable[[int], object]) -> None:
        self.pairer, self.displayed = pairer, displayed

    def start(
        self,
        choice: Choice,
        device: Device,
        today: Mapping[str, bool],
        on_change: Callable[[View], None],
        optional: Collection[str] = (),
    ) -> Started:
        self.today = today
        self.optional_taken = optional
        if self.refusal is not None:
            raise self.refusal
        self.session.on_change = on_change
        return Started(self.session, self.plan, device.name, lambda: None, hold=self.hold)

    def titles(self) -> Mapping[str, str]:
        return {one.name: one.title for one in self.choices(None)}

    async def close(self) -> None:
        self.closed = True


async def stage(pilot: Pilot[int], home: StagedHome, scene: str) -> None:
    """Lead the app to a scene: ``today``, ``jump``, ``find``, ``history``, ``routines``, ``prepare`` and so on.

    ``questions``, ``skin`` and ``ready`` follow on ``prepare``. Further scenes begin in a session: ``session``,
    ``paused``, ``stopping``, ``lost``, ``asked``, ``moving``, ``guiding``, ``waiting``, ``begin``, ``summary``,
    ``help``.
    """
    app = pilot.app
    await settle(pilot)
    if scene in PLACES:
        await _go(pilot, home, scene)
        return
    if scene in {"consultation", "proposal"}:
        await press(pilot, "c", "1", "2")
        if scene == "proposal":
            await press(pilot, "enter", "1", "enter", "3", "1")
        return
    if scene == "patch":
        home.patch_asked = OFFERED
    await press(pilot, "enter")
    if scene == "routines":
        await press(pilot, "down", "down")
        return
    choice = home.choices(None)[2]
    if scene == "optional":
        home.offers = OFFERS
        choice = replace(choice, before_optional=1)
    app.screen.post_message(RoutinesScreen.Chosen(choice))
    await settle(pilot)
    if scene == "patch":
        return
    if scene in {"prepare", "questions", "skin", "ready", "optional"}:
        ticks = {"prepare": 1, "optional": 1}.get(scene, len(choice.prepare))
        await press(pilot, *["space"] * ticks)
        if scene in {"skin", "ready", "optional"}:
            await press(pilot, *["n"] * len(home.today_questions()))
        if scene in {"ready", "optional"}:
            await press(pilot, *["1"] * len(home.skin_questions()))
        return
    set_scene(home, scene)
    app.screen.post_message(PrepareScreen.Ready(dict.fromkeys((one.id for one in home.today_questions()), False)))
    await settle(pilot)
    if scene == "summary":
        home.session.view = view_of(home.plan, "right-temple")
        home.session.end(Reason.COMPLETED)
    if scene == "help":
        await press(pilot, "question_mark")
    await settle(pilot)


async def _go(pilot: Pilot[int], home: StagedHome, scene: str) -> None:
    home.plans()
    home.almanac.drink(600)
    pilot.app.screen.post_message(TodayScreen.Shown())
    await settle(pilot)
    if scene in {"people", "forget"}:
        home.names = ["Ada", "Grace"]
    if scene == "profile":
        home.profile.leave_out({"left-cheek", "right-jawline"})
    if scene == "agreed":
        home.reacts()
    await press(pilot, *PLACES[scene])


PLACES = {
    "today": (), "jump": ("g",), "find": ("d",), "people": ("o",), "plan": ("g", "p"), "water": ("g", "w"),
    "history": ("g", "h"), "profile": ("g", "y", *["down"] * 12), "forget": ("o", "x"),
    "note": ("g", "y", *["down"] * 3, "space"), "note-day": ("g", "y", *["down"] * 3, "space", "down", "enter"),
    "agreed": ("g", "y", "down", "down", "space"), "settings": ("g", "s"), "evidence": ("g", "e"),
}  # fmt: skip
"""Scenes that a few keys lead to from today, with a plan and some water."""

OFFERS = (
    OptionalStep("steam", "With steam first?", "A warm, damp towel. Comfortable, never hot."),
    OptionalStep("exfoliation", "With a mild exfoliation?", "", "Exfoliating is for twice a week at most."),
    OptionalStep("mask", "With a mask afterwards?", "Put your mask on and rest."),
)
"""Optional steps, one of which the skin is not for."""

OFFERED = Patch(
    skin_words.PATCH_TITLE,
    skin_words.PATCH_OFFER,
    tuple((one, skin_words.PATCH_PLACES[one]) for one in ("forearm", "declined")),
    "first-touch",
)


def set_scene(home: StagedHome, scene: str) -> None:
    plan = home.plan
    middle = view_of(plan, "left-cheekbone")
    off = {"intensity_percent": 0, "output": Output.OFF}
    guide = next(i for i, one in enumerate(plan.steps) if one.kind is StepKind.CARE)
    scenes: dict[str, dict[str, object]] = {
        "paused": {"phase": Phase.PAUSED, "can_resume": True, "message": "Paused. Output is off.", **off},
        "stopping": {"phase": Phase.STOPPING, "output": Output.STOPPING, "message": "stopping…"},
        "lost": {"phase": Phase.LINK_LOST, "link_up": False, "reconnect_remaining_s": 47.0, **off,
                 "message": "The connection is gone; your device stops by itself when that happens."},
        "asked": {"ask_sensation": True},
        "moving": {"phase": Phase.MOVING, "moving_remaining_s": 3.0, **off,
                   "message": "Enough gel on left cheekbone? Place the device flat on the skin."},
        "guiding": {"phase": Phase.GUIDING, "step": plan.steps[guide], "step_index": guide, "zone": None,
                    "next_step": None, "step_remaining_s": 30.0, "target_percent": 0, **off},
        "waiting": {"phase": Phase.WAITING, "link_up": False, "zone": None, "answer_ms": None, **off},
        "begin": {"phase": Phase.READY, "session_remaining_s": middle.session_total_s,
                  "zone": None, "step": plan.steps[0], "step_index": 0, "done_zones": (), **off},
    }  # fmt: skip
    home.session.view = replace(middle, **scenes.get(scene, {}))  # type: ignore[arg-type] - as in view_of
    home.session.confirms_stop = scene != "stopping"


async def press(pilot: Pilot[int], *keys: str) -> None:
    """Press keys one after the other, without waiting for the processor to idle as ``Pilot.press`` does."""
    for key in keys:
        pilot.app.simulate_key(key)
        await settle(pilot)


async def settle(pilot: Pilot[int]) -> None:
    """Let every message that is under way arrive: from a widget to its screen, to the app, and to a new screen."""
    for _ in range(3):
        await pilot.pause(0)
