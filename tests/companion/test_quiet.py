"""No long garbage collection while output is possible, and nothing that grows without bound instead."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from textual._styles_cache import StylesCache
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widget import Widget

from companion.app import CompanionApp
from companion.quiet import NEVER, Quiet
from companion.screens.prepare import PrepareScreen
from companion.screens.routines import RoutinesScreen
from companion.screens.session import SessionScreen
from companion.session.model import Output, Phase, Reason, StepKind
from companion.widgets.facemap import SWEEP_S, FaceMap
from companion.widgets.portrait import PHASES
from tests.companion.staging import StagedHome, StagedSession, press, settle, stage, view_of


class Collections:
    """The full collections that have happened."""

    def __init__(self) -> None:
        self.full = 0

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        self.full += phase == "start" and info["generation"] == 2


@pytest.fixture
def collections() -> Iterator[Collections]:
    counting = Collections()
    gc.callbacks.append(counting)
    yield counting
    gc.callbacks.remove(counting)


def heap_is_set_aside() -> bool:
    """Whether most objects are frozen. Not whether any is: from 3.12 on a collection sets immortal ones aside."""
    return gc.get_freeze_count() > len(gc.get_objects())


@pytest.fixture(autouse=True)
def ordinary() -> Iterator[None]:
    """Every test leaves the collector as it found it."""
    thresholds = gc.get_threshold()
    yield
    assert gc.get_threshold() == thresholds
    assert not heap_is_set_aside()


def make_work_for_the_collector() -> None:
    """Make as much, and keep it, as would bring an ordinary collector to several full collections.

    It waits for a quarter of what there is already: after thousands of other tests that is a lot.
    """
    kept: list[list[object]] = []
    for _ in range(max(300_000, len(gc.get_objects()))):
        cycle: list[object] = []
        cycle.append(cycle)
        kept.append(cycle)


def test_an_ordinary_collector_would_do_full_collections(collections: Collections) -> None:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)  # Python's own, whatever another test's library prefers
    try:
        gc.collect()
        collections.full = 0
        make_work_for_the_collector()
    finally:
        gc.set_threshold(*before)
    # Or the tests below would say nothing.
    assert collections.full > 0, f"{gc.isenabled()=} {before=} {gc.get_freeze_count()=} {gc.get_count()=}"


def test_nothing_is_collected_in_full_until_a_moment_comes(collections: Collections) -> None:
    quiet = Quiet()
    quiet.begin()
    quiet.begin()
    try:
        collections.full = 0
        make_work_for_the_collector()
        assert collections.full == 0
        quiet.moment()
        assert collections.full == 1
    finally:
        quiet.end()
        quiet.end()
    quiet.moment()
    assert not heap_is_set_aside()


async def test_h3_a_session_with_output_sees_no_full_collection_and_the_pause_between_zones_has_one(
    collections: Collections,
) -> None:
    home = StagedHome()
    app = CompanionApp(home, environ={})
    async with app.run_test(size=(120, 40)) as pilot:
        await stage(pilot, home, "session")
        assert gc.get_threshold()[2] == NEVER
        assert heap_is_set_aside()
        home.session.on_change(home.session.view)
        await settle(pilot)
        collections.full = 0
        make_work_for_the_collector()
        home.session.on_change(home.session.view)
        await settle(pilot)
        assert collections.full == 0
        home.session.view = replace(home.session.view, phase=Phase.MOVING, output=Output.OFF)
        home.session.on_change(home.session.view)
        assert collections.full == 0  # not in the middle of what the session does
        await settle(pilot)
        assert collections.full == 1
        home.session.on_change(home.session.view)
        await settle(pilot)
        assert collections.full == 1
        home.session.end(Reason.COMPLETED)
        await settle(pilot)
        assert not heap_is_set_aside()


async def test_a_session_that_fails_gives_the_collector_back() -> None:
    home = StagedHome()
    async with CompanionApp(home, environ={}).run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "session")
        assert heap_is_set_aside()
        home.session.fail(RuntimeError("a defect"))
        await settle(pilot)
        assert not heap_is_set_aside()


async def session_after_session(pilot: Pilot[int], home: StagedHome, count: int) -> None:
    app = pilot.app
    assert isinstance(app, CompanionApp)
    for _ in range(count):
        home.session = StagedSession(view_of(home.plan, "left-cheekbone"))
        await app.on_routines_screen_chosen(RoutinesScreen.Chosen(home.choices(None)[2]))
        await app.on_prepare_screen_ready(PrepareScreen.Ready({}))
        await settle(pilot)
        home.session.end(Reason.COMPLETED)
        await settle(pilot)


@pytest.mark.slow
async def test_the_lines_of_screens_that_are_gone_are_let_go_of() -> None:
    """Textual remembers a thousand widgets' lines for two colours each; see companion/widgets/strips.py."""
    home = StagedHome()
    async with CompanionApp(home, environ={}).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        await session_after_session(pilot, home, 5)
        gc.collect()
        everything = gc.get_objects()
        widgets = sum(isinstance(one, Widget) for one in everything)
        lines = sum(isinstance(one, StylesCache) for one in everything)
        assert 0 < lines <= 2 * widgets + 60, (lines, widgets)  # those of the last session are still there


@pytest.mark.slow
async def test_twenty_minutes_of_animation_hold_no_more_than_the_first() -> None:
    home = StagedHome()
    zones = [step.zone for step in home.plan.steps if step.kind is StepKind.TREAT and step.zone]
    async with CompanionApp(home, environ={}).run_test(size=(120, 40)) as pilot:
        await stage(pilot, home, "session")
        screen = pilot.app.screen
        assert isinstance(screen, SessionScreen)
        face = screen.query_one(FaceMap)
        held: list[tuple[int, int]] = []
        for _ in range(4):  # every zone and every frame of twelve minutes
            for zone in zones:
                home.session.view = view_of(home.plan, zone)
                screen.update_view()
                for phase in range(PHASES):
                    face.tick((phase + 0.5) * SWEEP_S / PHASES)
                    for y in range(face.size.height):
                        # Cut as the screen does it: a strip remembers every cut.
                        face.render_line(y).crop(1, 20 + y)
            await settle(pilot)
            gc.unfreeze()
            gc.collect()
            everything = gc.get_objects()
            held.append((len(everything), sum(isinstance(one, Strip) for one in everything)))
            del everything  # or it would keep what it has counted
        assert held[-1][0] < held[0][0] * 1.02, held
        assert held[-1][1] < held[0][1] * 1.05 + 50, held
        home.session.end(Reason.COMPLETED)
        await settle(pilot)
