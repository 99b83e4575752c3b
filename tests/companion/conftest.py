"""What many tests of the companion begin with."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from companion.dates import Calendar
from companion.integrations.notifications import Desktop
from companion.integrations.timers import Machine
from tests.companion.at_home import AtHome, Timers


@pytest.fixture(scope="session", autouse=True)
def style_sheets_parsed_once() -> Iterator[None]:
    """Parse each style sheet once for all apps of a process, which takes a sixth off a test of a screen.

    Textual keeps what it has parsed with each app; the rules themselves are written by nobody after that.
    """
    kept: dict[object, list[RuleSet]] = {}
    parse: Callable[..., list[RuleSet]] = Stylesheet._parse_rules

    def parse_once(self: Stylesheet, *given: object, **named: object) -> list[RuleSet]:
        key = (given, *named.items(), frozenset(self._variables.items()))
        if key not in kept:
            kept[key] = parse(self, *given, **named)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stylesheet, "_parse_rules", parse_once)
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> AtHome:
    """Somebody at home in Berlin, on a Monday in March, with nothing kept yet."""
    somebody = AtHome(tmp_path / "data", capsys)
    monkeypatch.setenv("COMPANION_DATA", str(somebody.folder))
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    monkeypatch.setattr(Calendar, "system", staticmethod(lambda: somebody.calendar))
    return somebody


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Timers:
    """A computer with a timer for reminders, whose home is empty."""
    timers = Timers(tmp_path / "home")
    monkeypatch.setattr(Machine, "this", staticmethod(lambda: timers.machine))
    return timers


@pytest.fixture
def notified(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The commands that showed a notification, in order."""
    shown: list[tuple[str, ...]] = []
    desktop = Desktop("linux", {}, lambda argv, _: not shown.append(tuple(argv)))
    monkeypatch.setattr(Desktop, "this", staticmethod(lambda: desktop))
    return shown


@pytest.fixture
def system_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A D-Bus of the test's own, which everybody here takes for the system's."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed: apt-get install dbus")
    address = f"unix:path={tmp_path / 'bus'}"
    with subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={address}", "--print-address=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address
        daemon.terminate()
