"""The app in a real browser: found, prepared, started; and stopped by whatever a person may do to a page."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from companion.dates import Calendar
from companion.serving.server import BrowserFace
from companion.serving.tab import Wanted
from companion.session.model import Reason
from companion.store.database import Store
from tests.e2e.chromium import PATIENCE_S, PROGRAM, Chromium, Page, chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed: apt-get install chromium"),
]

ROOT = Path(__file__).parents[2]

FOUND = "very near"
BEGIN = "enter begin"
WAY = {
    "space done": "space",
    "n no": "n",
    "1 is not at all, 5 is very": "1",
    BEGIN: "enter",
    "enter prepare this one": "enter",
    "enter choose  ": "down enter",
    "enter use this one": "enter",
    "enter choose a routine": "enter",
}
"""What the screens say on the way from the first one into a session, and the keys to press then."""

STOP = "stop at once"
ON = "● output on"

AT_ONCE_S = 1.0
"""From the browser to the device. What a person does is a few milliseconds away; a busy machine takes its time."""


class Witness:
    """Where the simulated device's trace arrives once the program behind the tab has ended by itself."""

    def __init__(self) -> None:
        self._told: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._told.set_result((await reader.readline()).decode())
        writer.close()

    async def off_at(self) -> float:
        """When the output went off for good, on the monotonic clock."""
        async with asyncio.timeout(PATIENCE_S):
            trace = json.loads(await self._told)
        assert any(percent > 0 for _, percent in trace), "there was no output to stop"
        assert trace[-1][1] == 0, "the output never went off"
        return float(next(at for at, percent in reversed(trace) if percent == 0))


class Stage:
    """A server in this process, a browser, a page in it, and a witness of the device."""

    def __init__(self, browser: Chromium, page: Page, witness: Witness, address: str, data: Path) -> None:
        self.browser = browser
        self.page = page
        self.witness = witness
        self.address = address
        self._data = data

    async def into_a_session(self) -> None:
        """Go on with the device that is found, and press what is asked for until it has output."""
        await self.page.shows(FOUND)
        while (shown := await self.page.shows(STOP, *WAY)) != STOP:
            before = self._where()
            await self.page.press(*WAY[shown].split())
            await self.page.until(lambda before=before: self._where() != before, "the next question")
        if await self.page.shows(BEGIN, ON) == BEGIN:
            await self.page.press(WAY[BEGIN])
        await self.page.shows(ON)

    def _where(self) -> tuple[str, ...]:
        """What tells one question from the next: its count, and the keys of the last line."""
        lines = self.page.painted.lines
        return *(line.strip() for line in lines if re.search(r"\d of \d", line)), lines[-1]

    def reasons(self) -> list[Reason | None]:
        """How the sessions that were written down ended."""
        with Store.open(self._data / "demo", Calendar.system()) as store:
            return [record.summary and record.summary.reason for record in store.sessions()]


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(ROOT)
    async with contextlib.AsyncExitStack() as open_:
        short = open_.enter_context(tempfile.TemporaryDirectory())  # a Unix socket's path has to be short
        monkeypatch.setenv("COMPANION_TEST_WITNESS", f"{short}/witness")
        witness = Witness()
        await open_.enter_async_context(await asyncio.start_unix_server(witness.listen, f"{short}/witness"))
        said: list[str] = []
        face = BrowserFace(
            "127.0.0.1",
            "127.0.0.1",
            environment=Wanted("dr05").environment(),
            tell=said.append,
            argv=(sys.executable, "-m", "tests.e2e.traced_tab"),
            debug=True,
        )
        address = await open_.enter_async_context(face.listening(0))
        browser = await open_.enter_async_context(chromium(tmp_path / "profile"))
        yield Stage(browser, await browser.open(address), witness, address, tmp_path / "data")
    assert said == []


async def click_stop(stage: Stage) -> None:
    await stage.page.click_on(STOP)


async def press_space(stage: Stage) -> None:
    await stage.page.press("space")


async def press_escape_with_the_focus_elsewhere(stage: Stage) -> None:
    assert await stage.page.ask("document.activeElement.blur(), document.activeElement === document.body")
    await stage.page.press("escape")


async def close_the_tab(stage: Stage) -> None:
    await stage.page.close()


async def go_to_another_page(stage: Stage) -> None:
    await stage.page.go_to("about:blank")


async def load_it_again(stage: Stage) -> None:
    await stage.page.ask("location.reload()")


@pytest.mark.parametrize("stop", [click_stop, press_space, press_escape_with_the_focus_elsewhere])
async def test_h3_a_session_in_the_browser_is_stopped_by_a_click_and_by_a_key_wherever_the_focus_is(
    stage: Stage, stop: Callable[[Stage], Awaitable[None]]
) -> None:
    page = stage.page
    await stage.into_a_session()
    told = time.monotonic()
    await stop(stage)
    await page.shows("Stopped by you")
    assert not page.hung_up
    assert stage.reasons() == [Reason.STOPPED]
    await page.close()
    off = await stage.witness.off_at() - told
    print(f"{stop.__name__}: the output was off after {off * 1000:.0f} ms")
    assert 0 <= off < AT_ONCE_S
    ours = urlsplit(stage.address).netloc
    assert {urlsplit(address).netloc for address in page.asked_for} == {ours}, "the page asks nobody else for anything"
    assert page.said == [], "the page has no faults"


@pytest.mark.parametrize("go", [close_the_tab, go_to_another_page])
async def test_h4_whoever_leaves_the_page_leaves_no_output_behind(
    stage: Stage, go: Callable[[Stage], Awaitable[None]]
) -> None:
    await stage.into_a_session()
    told = time.monotonic()
    await go(stage)
    off = await stage.witness.off_at() - told
    print(f"{go.__name__}: the output was off after {off * 1000:.0f} ms")
    assert 0 <= off < AT_ONCE_S
    assert stage.reasons() == [Reason.STOPPED]
