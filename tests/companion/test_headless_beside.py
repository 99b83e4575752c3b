"""Home Assistant beside a session without the app: it sees, it can stop, and nothing that it does is in the way."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from companion import headless
from companion.beside import facts_of, link_beside
from companion.care.hydration import Goal
from companion.config import Exit
from companion.session.model import Intent
from companion.settings.file import settings_file
from tests.companion.at_home import AtHome
from tests.companion.integrations.broker import PATIENCE_S, Broker, Way, free_port, listening

ROOT = "microcurrent-companion/5eed5eed"
RUN = ("run", "full-face", "--demo", "dr05", "--yes", "--seed", "7")


def turned_on(folder: Path, port: int, *, device_id: str | None = "5eed5eed") -> None:
    file = settings_file(folder)
    values = {"host": "127.0.0.1", "port": port, "device_id": device_id, "enabled": True}
    for key, value in values.items():
        file.change(f"mqtt.{key}", value)


class Session:
    """``companion run`` in a process of its own, with what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.heard = ""

    async def until(self, text: str) -> None:
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while text not in self.heard:
                line = await self._process.stdout.readline()
                assert line, f"it ended without {text!r}: {self.heard}"
                self.heard += line.decode()

    async def end(self) -> tuple[int, str]:
        """Its exit code, and everything on standard error."""
        async with asyncio.timeout(PATIENCE_S):
            out, err = await self._process.communicate()
        self.heard += out.decode()
        assert self._process.returncode is not None
        return self._process.returncode, err.decode()

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)


@asynccontextmanager
async def running(folder: Path, *arguments: str) -> AsyncIterator[Session]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "companion", *RUN, *arguments),
        env={**environ, "COMPANION_DATA": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield Session(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.slow
async def test_home_assistant_sees_the_session_and_its_stop_is_the_keys(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with Broker(tmp_path) as broker, listening(broker) as listener:
        turned_on(data / "demo", broker.port)
        await broker.publish(f"{ROOT}/stop", "STOP", "-r")  # of another day: it does nothing
        async with running(data, "--speed", "4") as session:
            await session.until("output on at")
            await listener.message(f"{ROOT}/session", b"treating")
            await broker.publish(f"{ROOT}/stop", "START")
            await broker.publish(f"{ROOT}/stop", "STOP")
            code, err = await session.end()
        assert (code, err) == (Exit.STOPPED_EARLY, "")
        assert (
            session.heard.index("Stopping") < session.heard.index("Output is off") < session.heard.index("Stopped by")
        )
        await listener.message(f"{ROOT}/availability", b"offline")
        states = listener.payloads(f"{ROOT}/session")
        assert states[0] == b"no session"
        assert b"treating" in states


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["absent", "stalling"])
async def test_a_broker_that_is_absent_or_stalls_is_in_nobodys_way(tmp_path: Path, fault: str) -> None:
    data = tmp_path / "data"
    async with Broker(tmp_path) as broker, Way(broker.port) as way:
        turned_on(data / "demo", free_port() if fault == "absent" else way.port)
        if fault == "stalling":
            way.stall()
        async with running(data, "--speed", "60") as session:
            code, err = await session.end()
    assert code == Exit.FINISHED
    assert "All done. 16 zones" in session.heard
    if fault == "absent":
        assert "check that the broker is running" in err
        assert len(err.splitlines()) == 1, "one line, however often it is tried"


async def test_json_says_nothing_of_the_link_and_a_demo_in_virtual_time_has_none(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with Broker(tmp_path) as broker:
        turned_on(data / "demo", broker.port)
        async with running(data, "--json", "--speed", "max") as session:
            assert await session.end() == (Exit.FINISHED, "")
        assert not any("New client connected" in line for line in broker.log)


async def test_a_demo_does_not_follow_the_persons_own_settings(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with Broker(tmp_path) as broker:
        turned_on(data, broker.port)
        async with running(data, "--speed", "30") as session:
            await session.until("output on at")
            session.interrupt()
            assert await session.end() == (Exit.STOPPED_EARLY, "")
        assert not any("New client connected" in line for line in broker.log)


# --- the link by itself -----------------------------------------------------------------------------------------------


@pytest.fixture
def told() -> list[str]:
    return []


async def test_a_device_id_is_drawn_once_and_kept(home: AtHome, told: list[str]) -> None:
    turned_on(home.folder, free_port(), device_id=None)
    file = settings_file(home.folder)
    drawn = []
    with home.store() as store:
        for _ in range(2):
            async with link_beside(file, home.almanac(store), lambda: None, told.append):
                drawn.append(file.read().settings.mqtt.device_id)
    assert drawn[0] is not None
    assert drawn[0] == drawn[1]


async def test_settings_that_take_no_device_id_leave_the_session_without_a_link(
    home: AtHome, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    turned_on(home.folder, free_port(), device_id=None)
    file = settings_file(home.folder)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    reached = False
    with home.store() as store:
        async with link_beside(file, home.almanac(store), lambda: None, told.append) as beside:
            beside.over(facts_of(home.almanac(store)))
            reached = True
    assert reached
    (line,) = told
    assert "No space left" in line
    assert "goes on without it" in line


async def test_a_link_that_breaks_is_one_line(home: AtHome, told: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    turned_on(home.folder, free_port())

    async def broken(_link: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("companion.integrations.mqtt.HomeAssistantLink.run", broken)
    with home.store() as store:
        async with link_beside(settings_file(home.folder), home.almanac(store), lambda: None, told.append):
            await asyncio.sleep(0)
    assert told == ["Home Assistant: ZeroDivisionError. The session goes on without it."]


async def test_an_error_in_a_session_is_the_sessions_and_how_it_ended_is_told_all_the_same(
    home: AtHome, told: list[str], tmp_path: Path
) -> None:
    async with Broker(tmp_path) as broker, listening(broker) as listener:
        turned_on(home.folder, broker.port)
        with home.store() as store:
            almanac = home.almanac(store)

            async def session() -> None:
                async with link_beside(settings_file(home.folder), almanac, lambda: None, told.append):
                    await listener.message(f"{ROOT}/availability", b"online")
                    home.held(store, minutes=12)
                    raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await session()
        await listener.message(f"{ROOT}/minutes_this_week", b"12")
        await listener.message(f"{ROOT}/availability", b"offline")
    assert told == []


def test_h9_a_stop_from_afar_is_the_keys_and_nothing_where_no_session_runs() -> None:
    class Guided:
        def __init__(self) -> None:
            self.intents: list[object] = []

        def intend(self, intent: object) -> None:
            self.intents.append(intent)

    run = object.__new__(headless._Run)
    run._session = None
    run._stopped_from_afar()
    guided = Guided()
    run._session = guided  # type: ignore[assignment]
    run._stopped_from_afar()
    assert guided.intents == [Intent.STOP]


def test_what_is_told_are_the_almanacs_few_numbers(home: AtHome) -> None:
    with home.store() as store:
        almanac = home.almanac(store)
        almanac.set_goal(Goal(ml=1500))
        almanac.drink(250)
        home.held(store, minutes=12.4)
        facts = facts_of(almanac)
    assert (facts.minutes_this_week, facts.water_today_ml, facts.water_goal_ml) == (12, 250, 1500)
    assert facts.last_session == home.now
    assert facts.next_session is None
    assert facts.output_ma is None
