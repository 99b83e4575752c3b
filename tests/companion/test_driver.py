"""The terminal while a device may be running: escape at once, sequences whole, and a stalled terminal stops nothing."""

from __future__ import annotations

import asyncio
import inspect
import os
import pty
import queue
import selectors
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from textual import constants, events
from textual._parser import Parser
from textual.drivers._writer_thread import MAX_QUEUED_WRITES
from textual.drivers.headless_driver import HeadlessDriver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from companion import driver
from companion.app import CompanionApp
from companion.driver import TerminalDriver, Writer
from companion.session.model import Intent
from tests.companion.staging import StagedHome, settle, stage

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
"""Only a test that fails waits for so long."""

AN_HOUR_S = 3600.0


class Keyboard:
    """A driver that reads from a pipe, and what came out of it."""

    def __init__(self, app: CompanionApp) -> None:
        reading, self._writing = os.pipe()
        self.messages: queue.Queue[Message] = queue.Queue()
        self.driver = TerminalDriver(app)
        self.driver.fileno = reading
        self.driver.process_message = self.messages.put  # type: ignore[method-assign, assignment]  # listening in
        self._thread = threading.Thread(target=self.driver.run_input_thread)
        self._thread.start()

    def type(self, data: bytes) -> None:
        os.write(self._writing, data)

    def next_key(self) -> str:
        message = self.messages.get(timeout=PATIENCE_S)
        assert isinstance(message, events.Key), message
        return message.key

    def hang_up(self) -> None:
        os.close(self._writing)
        self._writing = os.open(os.devnull, os.O_WRONLY)

    def close(self) -> None:
        self.driver.exit_event.set()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        os.close(self._writing)
        os.close(self.driver.fileno)


class LiveApp(CompanionApp):
    """An app that says of itself what the test wants."""

    is_live = True

    @property
    def live(self) -> bool:
        return self.is_live


@pytest.fixture
async def keyboard(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Keyboard]]:
    """Make a keyboard; Textual's own wait is an hour, so that nothing in these tests comes from it."""
    monkeypatch.setattr(constants, "ESCAPE_DELAY", AN_HOUR_S)
    before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)}
    made: list[Keyboard] = []

    def make(*, live: bool) -> Keyboard:
        app = LiveApp(StagedHome(), environ={})
        app.is_live = live
        made.append(Keyboard(app))
        return made[-1]

    yield make
    for one in made:
        one.close()
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_h3_a_lone_escape_is_the_escape_key_at_once_while_a_session_is_live(
    keyboard: Callable[..., Keyboard],
) -> None:
    keys = keyboard(live=True)
    for _ in range(3):
        keys.type(b"\x1b")
        assert keys.next_key() == "escape"


async def test_h3_escape_and_space_together_are_not_waited_for_either(keyboard: Callable[..., Keyboard]) -> None:
    keys = keyboard(live=True)
    keys.type(b"\x1b ")
    assert keys.next_key() == "space"
    keys.type(b"\x1b\x1b")
    assert [keys.next_key(), keys.next_key()] == ["escape", "escape"]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"\x1b[A", "up"),
        (b"\x1bOB", "down"),
        (b"\x1b[5~", "pageup"),
        (b"\x1b[27u", "escape"),
        (b"\x1b[32u", "space"),
        (b"\x1bx", "alt+x"),
        ("é".encode(), "é"),
    ],
    ids=repr,
)
async def test_a_sequence_is_one_key_during_a_session(
    keyboard: Callable[..., Keyboard], data: bytes, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ESCAPE_DELAY", 0.001 if data == b"\x1bx" else AN_HOUR_S)
    keys = keyboard(live=True)
    for _ in range(2):
        keys.type(data)
        assert keys.next_key() == key


async def test_the_mouse_and_a_paste_are_understood_during_a_session(keyboard: Callable[..., Keyboard]) -> None:
    keys = keyboard(live=True)
    keys.type(b"\x1b[<0;3;4M\x1b[200~one \x1b[201~x")
    down, paste, key = (keys.messages.get(timeout=PATIENCE_S) for _ in range(3))
    assert isinstance(down, events.MouseDown)
    assert (down.x, down.y) == (2, 3)
    assert isinstance(paste, events.Paste)
    assert paste.text == "one "
    assert isinstance(key, events.Key)


async def test_a_sequence_that_the_network_tore_apart_is_put_together_again(
    keyboard: Callable[..., Keyboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "LONE_ESCAPE_S", PATIENCE_S)
    keys = keyboard(live=True)
    for piece in (b"\x1b", b"[", b"A"):
        keys.type(piece)
    assert keys.next_key() == "up"


async def test_without_a_session_an_escape_waits_for_what_follows_as_textual_has_it(
    keyboard: Callable[..., Keyboard],
) -> None:
    keys = keyboard(live=False)
    keys.type(b"\x1b")
    with pytest.raises(queue.Empty):
        keys.messages.get(timeout=10 * driver.LONE_ESCAPE_S)
    keys.type(b"[A")
    assert keys.next_key() == "up"


async def test_bytes_that_are_no_text_do_not_end_the_reading(keyboard: Callable[..., Keyboard]) -> None:
    keys = keyboard(live=True)
    keys.type(b"\xff\xfe")
    keys.next_key()
    keys.next_key()
    keys.type(b" ")
    assert keys.next_key() == "space"


async def test_h4_the_app_leaves_and_so_stops_when_no_key_can_come_any_more(
    keyboard: Callable[..., Keyboard], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: queue.Queue[object] = queue.Queue()
    monkeypatch.setattr(LiveApp, "call_later", lambda _app, callback: called.put(callback))
    keys = keyboard(live=True)
    keys.hang_up()
    assert called.get(timeout=PATIENCE_S) == keys.driver._app.action_quit


@pytest.mark.parametrize("key", ["shift+space", "ctrl+escape", "alt+escape"])
async def test_h3_a_stop_key_stops_with_a_modifier_held_as_well(key: str) -> None:
    home = StagedHome()
    app = CompanionApp(home, environ={})
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "session")
        home.session.intents.clear()
        app.post_message(events.Key(key, None))
        assert home.session.intents == [Intent.STOP]
        await settle(pilot)


async def test_the_app_takes_its_own_driver_and_leaves_a_wanted_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CompanionApp(StagedHome(), environ={}).driver_class is TerminalDriver
    monkeypatch.setattr(constants, "DRIVER", "textual.drivers.headless_driver:HeadlessDriver")
    assert CompanionApp(StagedHome(), environ={}).driver_class is HeadlessDriver


def test_textual_is_as_the_driver_expects_it() -> None:
    """Fails when Textual changes what companion/driver.py works around: look there before raising the version."""
    reading = inspect.getsource(LinuxDriver.run_input_thread)
    assert "selector.select(0.1)" in reading
    assert "self.exit_event.is_set()" in reading
    starting = inspect.getsource(LinuxDriver.start_application_mode)
    assert "self._writer_thread = WriterThread(self._file)" in starting
    assert "self._writer_thread.start()" in starting
    assert "self._writer_thread.stop()" in inspect.getsource(LinuxDriver.close)
    assert MAX_QUEUED_WRITES == 30
    assert "self._timeout_time = get_time() + self._awaiting.timeout" in inspect.getsource(Parser.feed)
    assert "get_time() >= self._timeout_time" in inspect.getsource(Parser.tick)


def test_a_writer_of_a_terminal_that_nobody_reads_takes_everything_and_ends_when_told() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as file:
        caught_up = threading.Event()
        writer = Writer(file, caught_up.set)
        writer.start()
        text = "x" * 4096
        for _ in range(1000):
            writer.write(text)
        assert not writer.takes_frame()
        writer.stop(0.0)
        assert writer.is_alive()  # in the middle of a write that goes on as soon as somebody reads
        assert not caught_up.is_set()
        seen = 0
        while seen < 1000 * len(text):
            seen += len(os.read(reading, 1 << 16))
        writer.join(PATIENCE_S)
        assert not writer.is_alive()
        assert caught_up.is_set()
        assert writer.takes_frame()
    os.close(reading)


def test_a_writer_writes_in_order_and_outlives_a_terminal_that_is_gone() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as file:
        writer = Writer(file, lambda: None)
        writer.start()
        for word in ("one ", "two ", "drei ✓"):
            writer.write(word)
        seen = b""
        while not seen.endswith("✓".encode()):
            seen += os.read(reading, 100)
        assert seen.decode() == "one two drei ✓"
        os.close(reading)
        for _ in range(3):
            writer.write("to nobody")
        writer.stop(PATIENCE_S)
        assert not writer.is_alive()


class Child:
    """The staged app in a terminal of its own. What it draws is read only when asked for."""

    def __init__(self) -> None:
        self.terminal, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, 120))
        told, telling = os.pipe()
        env = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "TEXTUAL_DRIVER", "TEXTUAL_ANIMATIONS"}}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.companion.terminal_child", str(telling)],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=env | {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
            pass_fds=[telling],
            start_new_session=True,
        )
        os.close(theirs)
        os.close(telling)
        self.told = told
        self.drawn = b""
        self.shown = 0
        self._words: list[str] = []

    def wait_for(self, word: str, *, reads: bool) -> None:
        """Wait for a word of the child; with ``reads`` the terminal shows what is drawn meanwhile, else it hangs."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.told, selectors.EVENT_READ)
            if reads:
                selector.register(self.terminal, selectors.EVENT_READ)
            deadline = time.monotonic() + PATIENCE_S
            while word not in self._words:
                ready = selector.select(deadline - time.monotonic())
                assert ready, f"no {word!r}; told {self._words}; drawn {self.drawn[-2000:]!r}"
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    if key.fd == self.terminal:
                        self.drawn = (self.drawn + data)[-200_000:]
                        self.shown += len(data)
                    else:
                        assert data, f"the app ended by itself; told {self._words}; drawn {self.drawn[-2000:]!r}"
                        self._words += data.decode().split("\n")
        del self._words[: self._words.index(word) + 1]

    def read_until(self, text: bytes) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.terminal, selectors.EVENT_READ)
            deadline = time.monotonic() + PATIENCE_S
            while text not in self.drawn:
                assert selector.select(deadline - time.monotonic()), f"no {text!r} in {self.drawn[-2000:]!r}"
                self.drawn += os.read(self.terminal, 1 << 16)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)
        os.close(self.told)


@pytest.fixture
def child() -> Iterator[Child]:
    one = Child()
    yield one
    one.close()


@pytest.mark.slow
def test_h3_a_terminal_that_stops_reading_does_not_hold_up_the_stop_and_is_drawn_whole_afterwards(
    child: Child,
) -> None:
    child.wait_for("live", reads=True)
    child.wait_for("refused", reads=False)  # the loop goes on, a hundred frames after the terminal began to hang
    os.write(child.terminal, b" ")
    child.wait_for("stop", reads=False)
    child.wait_for("drawn", reads=False)
    child.shown = 0
    child.wait_for("caught up", reads=True)
    assert child.shown < 500_000  # a hundred frames have been left out, and are not shown one after the other
    child.drawn = b""
    for words in (b"Stopping", b"not confirmed yet", b"SPACE"):
        child.read_until(words)


@pytest.mark.slow
def test_h3_escape_stops_in_a_terminal_that_hangs(child: Child) -> None:
    child.wait_for("live", reads=True)
    child.wait_for("refused", reads=False)
    os.write(child.terminal, b"\x1b")
    child.wait_for("stop", reads=False)


def whole_screens(app: CompanionApp, monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[object]:
    """Watch for frames that are a whole screen."""
    frames: asyncio.Queue[object] = asyncio.Queue()

    def displayed(_screen: object, frame: object) -> None:
        if getattr(frame, "region", None) == app.size.region:
            frames.put_nowait(frame)

    monkeypatch.setattr(app, "_display", displayed)
    return frames


async def test_only_a_terminal_that_has_missed_frames_gets_the_whole_session_screen_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = StagedHome()
    app = CompanionApp(home, environ={})
    async with app.run_test(size=(80, 24)) as pilot:
        await stage(pilot, home, "paused")
        await pilot.pause()
        frames = whole_screens(app, monkeypatch)
        with pytest.raises(TimeoutError):  # longer than any screen's timer
            async with asyncio.timeout(0.5):
                await frames.get()
        app.caught_up()
        async with asyncio.timeout(PATIENCE_S):
            await frames.get()
