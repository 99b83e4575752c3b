"""The app with everything real behind it, on the virtual radio: found, guided, stopped, written down. In real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from textual import events
from textual.pilot import Pilot

from companion.app import CompanionApp
from companion.dates import Calendar
from companion.device.radio import SystemRadio
from companion.household import Household
from companion.screens.find import FindScreen
from companion.screens.patch import PatchScreen
from companion.screens.prepare import PrepareScreen
from companion.screens.routines import RoutinesScreen
from companion.screens.screening import BlockedScreen, ScreeningScreen
from companion.screens.session import SessionScreen
from companion.screens.summary import SummaryScreen
from companion.screens.today import TodayScreen
from companion.session.model import Output, Phase
from companion.store.database import Store
from companion.words import find as find_words
from protocols.dr05 import PROFILE
from tests.companion.staging import press, settle

if TYPE_CHECKING:
    from companion.demo import DemoRadio

MOMENT = Calendar.fixed(datetime(2026, 11, 22, 20, 0, tzinfo=UTC))


async def until(pilot: Pilot[int], what: Callable[[], bool], limit_s: float = 30.0) -> None:
    async with asyncio.timeout(limit_s):
        while not what():
            await pilot.pause(0.01)
    await settle(pilot)


def test_a_demo_offers_the_persons_own_routines_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path))
    folder = tmp_path / "routines"
    folder.mkdir()
    (folder / "mine.toml").write_text(
        'format = 1\nname = "mine"\ntitle = "Mine"\nsummary = "My own."\n\n'
        '[[steps]]\nkind = "treat"\nzones = ["chin"]\n'
        "passes = 1\nseconds_per_pass = 20\nshare = 0.5\n"
    )
    home = Household(demo="dr05", calendar=MOMENT)
    home.open()
    try:
        assert "mine" in [choice.name for choice in home.choices(PROFILE)]
    finally:
        asyncio.run(home.close())


@pytest.mark.slow
async def test_h3_a_session_over_the_virtual_radio_is_guided_stopped_by_one_key_and_written_down(
    tmp_path: Path,
) -> None:
    home = Household(demo="dr05", seed=7, folder=tmp_path, calendar=MOMENT)
    app = CompanionApp(home, environ={})
    loop = asyncio.get_running_loop()
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TodayScreen) and "Dr-05" in app.screen.near)
        await press(pilot, "enter")
        assert isinstance(app.screen, RoutinesScreen)
        await press(pilot, *["down"] * [one.name for one in home.choices(PROFILE)].index("five-minute-lift"), "enter")
        assert isinstance(app.screen, PatchScreen)
        await press(pilot, "up", "enter")
        assert isinstance(app.screen, PrepareScreen)
        await press(pilot, "space", *["n"] * len(home.today_questions()), "1", "1", "1", "enter")
        assert isinstance(app.screen, SessionScreen)
        session = app.running
        assert session is not None
        await until(pilot, lambda: session.view.phase is Phase.READY)
        await press(pilot, "enter")
        await until(pilot, lambda: session.view.output is Output.ON)
        device = cast("DemoRadio", home._radio).device
        assert device.output_percent(loop.time()) > 0
        pressed = loop.time()
        app.post_message(events.Key("space", " "))
        await until(pilot, lambda: isinstance(app.screen, SummaryScreen))
        off = next(entry.time for entry in reversed(device.trace) if entry.output_percent == 0)
        assert 0 <= off - pressed < 0.5
        await press(pilot, "ctrl+q")
    await app.let_go()
    with Store.open(tmp_path, MOMENT) as store:
        (record,) = store.sessions()
        assert record.demo
        assert record.summary is not None
        assert record.summary.reason.value == "stopped by you"
        assert record.summary.output_s > 0


@pytest.mark.slow
async def test_h10_a_yes_in_the_screening_is_kept_and_still_blocks_at_the_next_start(tmp_path: Path) -> None:
    for start in range(2):
        app = CompanionApp(Household(folder=tmp_path, calendar=MOMENT), environ={})
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            if start == 0:
                assert isinstance(app.screen, ScreeningScreen)
                await press(pilot, "y", *["n"] * (len(Household().screening_questions()) - 1))
            assert isinstance(app.screen, BlockedScreen)
        await app.let_go()


@pytest.mark.slow
async def test_with_no_radio_the_app_says_why_and_what_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_bus(self: SystemRadio, detection_callback: object = None) -> object:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(SystemRadio, "scanner", no_bus)
    app = CompanionApp(Household(folder=tmp_path, calendar=MOMENT), environ={})
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, *["n"] * len(Household().screening_questions()))
        await press(pilot, "escape")
        await until(pilot, lambda: isinstance(app.screen, TodayScreen) and "Bluetooth" in app.screen.near)
        await press(pilot, "d")
        await until(pilot, lambda: isinstance(app.screen, FindScreen) and app.screen.headline == find_words.FAILED)
        assert "D-Bus" in app.screen.hint
    await app.let_go()
