"""A stage for the app: a household without radio or files, and a session whose view is whatever a test makes it.

Used by the tests of the screens and by scripts/screenshots, so that pictures and tests show the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from textual.pilot import Pilot

from companion.care.screening import QUESTIONS, TODAY_QUESTIONS
from companion.home import Choice, Device, NotFoundError, Past, Question, Started
from companion.routines.library import Library
from companion.routines.model import plan_session
from companion.screens.prepare import PrepareScreen
from companion.screens.today import TodayScreen
from companion.session.model import Feels, Intent, Output, Phase, Reason, SessionPlan, StepKind, Summary, View
from protocols.dr05 import PROFILE


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
    """A household with one Dr-05 in reach."""

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
        self.past: list[Past] = []

    def open(self) -> None:
        if self.opening_error is not None:
            raise self.opening_error

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

    def start(
        self, choice: Choice, device: Device, today: Mapping[str, bool], on_change: Callable[[View], None]
    ) -> Started:
        self.today = today
        if self.refusal is not None:
            raise self.refusal
        self.session.on_change = on_change
        return Started(self.session, self.plan, device.name, lambda: None)

    def history(self) -> Sequence[Past]:
        return self.past

    async def close(self) -> None:
        self.closed = True


def past_sessions(plan: SessionPlan) -> list[Past]:
    zones = {step.zone: step.seconds for step in plan.steps if step.kind is StepKind.TREAT and step.zone}
    short = dict(list(zones.items())[:5])
    return [
        Past(datetime(2026, 11, 19, 21, 10, tzinfo=UTC), "Full face", "Dr-05", "completed", 12.4, zones, demo=False),
        Past(
            datetime(2026, 11, 17, 20, 48, tzinfo=UTC),
            "Five-minute lift",
            "Dr-05",
            "stopped by you",
            2.6,
            short,
            demo=False,
        ),
        Past(datetime(2026, 11, 15, 21, 2, tzinfo=UTC), "Full face", "Dr-05", "interrupted", 0.0, {}, demo=True),
    ]


async def stage(pilot: Pilot[int], home: StagedHome, scene: str) -> None:
    """Lead the app to a scene: ``find``, ``history``, ``today``, ``prepare``, ``questions``, ``ready``, ``session``.

    Further scenes begin in a session: ``paused``, ``stopping``, ``lost``, ``asked``, ``moving``, ``guiding``,
    ``waiting``, ``begin``, ``summary``, ``help``.
    """
    app = pilot.app
    await settle(pilot)
    if scene == "find":
        return
    if scene == "history":
        home.past = past_sessions(home.plan)
        await press(pilot, "h")
        return
    await press(pilot, "enter")
    if scene == "today":
        await press(pilot, "down", "down")
        return
    choice = home.choices(None)[2]
    app.screen.post_message(TodayScreen.Chosen(choice))
    await settle(pilot)
    if scene in {"prepare", "questions", "ready"}:
        ticks = {"prepare": 1}.get(scene, len(choice.prepare))
        await press(pilot, *["space"] * ticks)
        if scene == "ready":
            await press(pilot, *["n"] * len(home.today_questions()))
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
