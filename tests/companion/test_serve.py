"""The app in a browser: who gets in, what a tab's process does when its tab is gone, and what upstream is relied on."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from textual import constants, events
from textual.drivers.web_driver import WebDriver
from textual.message import Message
from textual_serve.app_service import AppService
from textual_serve.server import Server

from companion import driver
from companion.app import CompanionApp
from companion.cli import main
from companion.commands import serve as command
from companion.commands.serve import reached_as
from companion.config import Exit
from companion.serving import process
from companion.serving.driver import BrowserDriver
from companion.serving.gate import Gate, authority, is_this_computer, new_token
from companion.serving.process import DRIVER, TAB
from companion.serving.server import FILES, BrowserFace
from companion.serving.tab import Wanted
from companion.words import serve as words
from tests.companion.staging import StagedHome

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what the tests are about

PATIENCE_S = 30.0
"""Only a test that fails waits for so long."""

# --- the gate ---------------------------------------------------------------------------------------------------------

TOKEN = "not-guessed"  # noqa: S105 - of tests alone
GATE = Gate("127.0.0.1", 8000, TOKEN)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000", "192.168.1.7:8000"]
)
def test_h9_addresses_and_this_computers_own_name_are_let_in(host: str) -> None:
    assert GATE.lets_in(f"/{TOKEN}/", host, None, websocket=False)
    assert GATE.lets_in(f"/{TOKEN}/ws", host, f"http://{host}", websocket=True)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example:8000",
        "127.0.0.1.evil.example:8000",
        "localhost.evil.example:8000",
        "127.0.0.1:8001",
        "127.0.0.1",
        "me@127.0.0.1:8000",
        "127.0.0.1:8000/",
        "127.0.0.1:8000#",
        "127.0.0.1:many",
        "[::1:8000",
        "0x7f000001:8000",
    ],
    ids=repr,
)
def test_h9_a_name_of_another_site_that_means_this_computer_is_refused(host: str | None) -> None:
    assert not GATE.lets_in(f"/{TOKEN}/", host, None, websocket=False)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/not-guesse",
        "/not-guesseds/",
        "//not-guessed/",
        "/Not-guessed/",
        "/nöt-guessed/",
        "not-guessed/",
        "/\udce9/",
    ],
    ids=ascii,
)
def test_h9_without_the_token_nothing_is_let_in(path: str) -> None:
    assert not GATE.lets_in(path, "127.0.0.1:8000", None, websocket=False)
    assert not GATE.lets_in(path, "127.0.0.1:8000", "http://127.0.0.1:8000", websocket=True)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://localhost:8000",
        "http://127.0.0.1:8001",
        "http://127.0.0.1",
        "https://127.0.0.1:8000",
        "http://127.0.0.1:8000.evil.example",
        "",
    ],
    ids=repr,
)
def test_h9_a_page_of_another_site_reaches_nothing(origin: str) -> None:
    assert not GATE.lets_in(f"/{TOKEN}/ws", "127.0.0.1:8000", origin, websocket=True)
    assert not GATE.lets_in(f"/{TOKEN}/", "127.0.0.1:8000", origin, websocket=False)


def test_h9_a_websocket_without_an_origin_comes_from_no_browser_and_is_refused() -> None:
    assert not GATE.lets_in(f"/{TOKEN}/ws", "127.0.0.1:8000", None, websocket=True)


def test_a_gate_on_port_80_knows_addresses_without_a_port() -> None:
    gate = Gate("mirror.local", 80, TOKEN)
    assert gate.lets_in(f"/{TOKEN}/", "mirror.local", None, websocket=False)
    assert gate.lets_in(f"/{TOKEN}/", "mirror.local:80", None, websocket=False)
    assert not gate.lets_in(f"/{TOKEN}/", "mirror", None, websocket=False)


def test_the_token_is_compared_in_constant_time_and_is_new_and_long_each_time() -> None:
    assert "compare_digest" in inspect.getsource(Gate._carries_token)
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) >= 43 for token in tokens)


def test_the_token_is_in_no_account_of_a_gate() -> None:
    assert TOKEN not in repr(GATE)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("localhost", True),
        (EVERYWHERE, False),
        ("::", False),
        ("192.168.1.7", False),
        ("mirror.local", False),
        ("localhost.example", False),
    ],
)
def test_this_computer_is_told_from_every_other(host: str, here: bool) -> None:
    assert is_this_computer(host) is here


def test_an_ipv6_address_is_in_brackets_before_its_port() -> None:
    assert authority("::1", 8000) == "[::1]:8000"
    assert authority("127.0.0.1", 8000) == "127.0.0.1:8000"


# --- the server -------------------------------------------------------------------------------------------------------

ECHO = """
import os, sys, time
put, take = sys.stdout.buffer, sys.stdin.buffer
put.write(b"__GANGLION__\\n")
while head := take.read(5):
    data = take.read(int.from_bytes(head[1:], "big"))
    if b"fall" in data:
        sys.exit(1)
    put.write(b"D" + (len(data) + 1).to_bytes(4, "big") + head[:1] + data)
    put.flush()
    if b"quit" in data:
        break
"""


def saying(last: str = "") -> tuple[str, ...]:
    """A program that says what it was told, and does ``last`` once it was told to quit."""
    return (sys.executable, "-c", f"{ECHO}\n{last}")


class Visitor:
    """A server with a program behind it, and somebody who asks it."""

    def __init__(self, face: BrowserFace, address: str, client: aiohttp.ClientSession, said: list[str]) -> None:
        self.face = face
        self.address = address
        self.origin = "/".join(address.split("/")[:3])
        self.client = client
        self.said = said

    async def status(self, path: str, **headers: str) -> int:
        async with self.client.get(f"{self.origin}{path}", headers=headers) as answer:
            return answer.status

    @property
    def path(self) -> str:
        return self.address.removeprefix(self.origin)

    @contextlib.asynccontextmanager
    async def tab(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        async with self.client.ws_connect(f"{self.address}ws?width=100&height=30", origin=self.origin) as wire:
            yield wire


@contextlib.asynccontextmanager
async def visiting(
    argv: tuple[str, ...], environment: dict[str, str] | None = None, *, debug: bool = False
) -> AsyncIterator[Visitor]:
    said: list[str] = []
    face = BrowserFace(
        "127.0.0.1", "127.0.0.1", environment=environment or {}, tell=said.append, argv=argv, debug=debug
    )
    async with asyncio.timeout(PATIENCE_S), face.listening(0) as address, aiohttp.ClientSession() as client:
        yield Visitor(face, address, client, said)


async def test_h9_page_websocket_and_files_are_refused_without_the_token_and_across_sites() -> None:
    async with visiting(saying()) as visitor:
        ways = ["", "ws", *(f"static/{name}" for name in FILES)]
        for way in ways:
            for path in (f"/{way}", f"/{new_token()}/{way}"):
                assert await visitor.status(path) == 403, path
            assert await visitor.status(f"{visitor.path}{way}", Host="evil.example") == 403, way
            assert await visitor.status(f"{visitor.path}{way}", Origin="http://evil.example") == 403, way
        for origin in (None, "http://evil.example"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await visitor.client.ws_connect(f"{visitor.address}ws", origin=origin)
            assert refused.value.status == 403
        assert await visitor.status(visitor.path) == 200
        for way in ways[2:]:
            assert await visitor.status(f"{visitor.path}{way}") == 200, way


async def test_nothing_is_served_but_the_page_and_its_files() -> None:
    async with visiting(saying()) as visitor:
        for way in (
            "static/",
            "static",
            "static/../server.py",
            "static/..%2fserver.py",
            "static/page.html",
            "download/1",
        ):
            assert await visitor.status(f"{visitor.path}{way}") in (403, 404), way


async def test_the_page_asks_nobody_else_for_anything_and_is_in_nobodys_frame() -> None:
    async with visiting(saying()) as visitor:
        async with visitor.client.get(f"{visitor.address}?fontsize=9999") as answer:
            page, headers = await answer.text(), answer.headers
        addresses = {word.split('"')[0] for word in page.split('="')[1:] if "//" in word.split('"')[0]}
        assert addresses == {f"{visitor.address.replace('http', 'ws')}ws"}
        assert 'data-font-size="99"' in page
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"


async def test_the_token_is_in_no_log_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with visiting(saying(last="sys.exit(1)"), debug=True) as visitor:
        assert await visitor.status(visitor.path) == 200
        async with visitor.tab() as wire:
            await wire.send_str("no json")
        token = visitor.path.strip("/")
    assert token
    assert token not in caplog.text
    assert not any(token in line for line in visitor.said)


async def test_what_is_typed_and_shown_goes_through_whole() -> None:
    async with visiting(saying()) as visitor, visitor.tab() as wire:
        await wire.send_json(["stdin", "é\x1b"])
        assert (await wire.receive_bytes()) == b"D" + "é\x1b".encode()
        await wire.send_json(["resize", {"width": 80, "height": 24}])
        assert json.loads((await wire.receive_bytes())[1:]) == {"type": "resize", "width": 80, "height": 24}


async def test_h4_a_tab_that_is_closed_tells_its_process_to_quit_and_the_server_waits_for_it(tmp_path: Path) -> None:
    proof = tmp_path / "left"
    program = saying(last=f"open({str(proof)!r}, 'w').write('in order')")
    async with visiting(program) as visitor, visitor.tab() as wire:
        await wire.send_json(["focus"])
        await wire.receive_bytes()
    assert proof.read_text() == "in order"
    assert visitor.said == []
    assert visitor.face._tabs == {}


async def test_h4_the_server_ends_every_tab_before_it_ends_itself(tmp_path: Path) -> None:
    proofs = [tmp_path / name for name in ("first", "second")]
    program = "open(os.environ['PROOF'] + str(os.getpid()), 'w')"
    said: list[str] = []
    face = BrowserFace(
        "127.0.0.1", "127.0.0.1", environment={"PROOF": f"{tmp_path}/"}, tell=said.append, argv=saying(last=program)
    )
    async with aiohttp.ClientSession() as client, asyncio.timeout(PATIENCE_S):
        async with face.listening(0) as address:
            wires = [await client.ws_connect(f"{address}ws", origin=address.rsplit("/", 2)[0]) for _ in proofs]
            for wire in wires:
                await wire.send_json(["focus"])
                await wire.receive_bytes()
        assert len(os.listdir(tmp_path)) == 2  # noqa: PTH208 - no wait worth the name
        for wire in wires:
            async for _ in wire:
                pass
            assert wire.closed
    assert said == []


async def test_a_process_that_falls_closes_its_page_and_says_why_only_when_asked() -> None:
    for debug in (False, True):
        async with visiting(saying(), debug=debug) as visitor, visitor.tab() as wire:
            await wire.send_json(["stdin", "fall"])
            assert (await wire.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        assert visitor.said == [words.FELL]
    program = (sys.executable, "-c", "import sys; sys.stderr.write('Anna fell'); sys.exit(1)")
    for debug, told in ((False, words.FELL), (True, "Anna fell")):
        async with visiting(program, debug=debug) as visitor, visitor.tab() as wire:
            await wire.receive()
        assert visitor.said == [told]


async def test_a_process_that_does_not_end_when_told_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PATIENCE_S", 0.1)
    async with visiting(saying(last="while True: time.sleep(100)")) as visitor, visitor.tab() as wire:
        await wire.send_json(["focus"])
        await wire.receive_bytes()
    assert visitor.said == [words.NO_ANSWER]


async def test_whom_a_tab_is_for_stands_in_no_command_line() -> None:
    assert "Anna" in Wanted("dr05", "Anna").environment().values()
    assert Wanted().environment() == {}
    assert "Anna" not in TAB
    tell = "import os, sys; sys.stderr.write(os.environ['COMPANION_TAB_PERSON'] + os.environ['TEXTUAL_DRIVER'])"
    program = (sys.executable, "-c", f"{tell}; sys.exit(1)")
    async with visiting(program, Wanted(None, "Anna").environment(), debug=True) as visitor, visitor.tab() as wire:
        await wire.receive()
    assert visitor.said == [f"Anna{DRIVER}"]


# --- the driver -------------------------------------------------------------------------------------------------------


class LiveApp(CompanionApp):
    """An app that says of itself what the test wants, and tells what it was asked for."""

    def __init__(self, *, live: bool) -> None:
        super().__init__(StagedHome(), environ={})
        self._is_live = live
        self.order: list[str] = []
        self.left = asyncio.Event()

    @property
    def live(self) -> bool:
        return self._is_live

    def stop_now(self) -> bool:
        self.order.append("stop")
        return self._is_live

    def call_later(self, callback: Callable[..., object], *args: object, **kwargs: object) -> bool:
        if callback == self.action_quit:
            self.order.append("quit")
            self.left.set()
        return True


class Behind:
    """The driver of an app behind a tab, with the server's end of its two pipes in hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, live: bool) -> None:
        taken, self._give = os.pipe()
        self.take, given = os.pipe()
        self._files = [os.fdopen(taken, "rb", buffering=0), os.fdopen(given, "w")]
        monkeypatch.setattr(sys, "__stdin__", self._files[0])
        monkeypatch.setattr(sys, "__stdout__", self._files[1])
        self.app = LiveApp(live=live)
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self.driver = BrowserDriver(self.app)
        self.driver.process_message = lambda message: (
            loop.call_soon_threadsafe(  # type: ignore[method-assign, assignment]
                self.messages.put_nowait, message
            )
            and None
        )
        self._thread = threading.Thread(target=self.driver.run_input_thread)
        self._thread.start()

    def tell(self, kind: bytes, data: bytes) -> None:
        os.write(self._give, AppService.encode_packet(kind, data))  # type: ignore[arg-type]

    def tell_bytes(self, data: bytes) -> None:
        os.write(self._give, data)

    def hang_up(self) -> None:
        os.close(self._give)
        self._give = os.open(os.devnull, os.O_WRONLY)

    async def next_key(self) -> str:
        async with asyncio.timeout(PATIENCE_S):
            message = await self.messages.get()
        assert isinstance(message, events.Key), message
        return message.key

    def close(self) -> None:
        self.driver.exit_event.set()
        self.driver._input_reader.close()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        for number in (self._give, self.take):
            os.close(number)
        for file in self._files:
            file.close()


@pytest.fixture
async def behind(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Behind]]:
    """Make a driver; Textual's own wait for what follows an escape is an hour."""
    monkeypatch.setattr(constants, "ESCAPE_DELAY", 3600.0)
    made: list[Behind] = []

    def make(*, live: bool) -> Behind:
        made.append(Behind(monkeypatch, live=live))
        return made[-1]

    yield make
    for one in made:
        one.close()


async def test_h3_a_lone_escape_from_the_page_is_the_escape_key_at_once_while_a_session_is_live(
    behind: Callable[..., Behind],
) -> None:
    page = behind(live=True)
    for typed, keys in ((b"\x1b", ["escape"]), (b" ", ["space"]), (b"\x1b[A", ["up"]), (b"\x1b\x1b", ["escape"] * 2)):
        page.tell(b"D", typed)
        assert [await page.next_key() for _ in keys] == keys


async def test_without_a_session_an_escape_waits_for_what_follows(behind: Callable[..., Behind]) -> None:
    page = behind(live=False)
    page.tell(b"D", b"\x1b")
    page.tell(b"D", b"[A")
    assert await page.next_key() == "up"


@pytest.mark.parametrize(
    "go",
    [
        lambda page: page.tell(b"M", b'{"type": "quit"}'),
        lambda page: page.hang_up(),
        lambda page: page.tell(b"M", b"no json"),
        lambda page: (page.tell_bytes(b"D\0\0"), page.hang_up()),
    ],
    ids=["the tab is closed", "the server is gone", "not to be understood", "half a packet and then gone"],
)
async def test_h4_when_nobody_is_left_to_stop_the_output_goes_off_first_and_then_the_app_leaves(
    behind: Callable[..., Behind], go: Callable[[Behind], None]
) -> None:
    page = behind(live=True)
    go(page)
    async with asyncio.timeout(PATIENCE_S):
        await page.app.left.wait()
    assert page.app.order[:2] == ["stop", "quit"]


async def test_h3_a_page_that_takes_nothing_blocks_nobody_and_gets_everything_once_it_does(
    behind: Callable[..., Behind], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "MOST_WAITING", 1024)
    page = behind(live=True)
    caught_up = asyncio.Event()
    page.app.caught_up = caught_up.set  # type: ignore[method-assign]
    page.driver._packets.start()
    frame = "x" * 100_000
    for _ in range(5):  # far more than a pipe holds: Textual's own driver would never come back from this
        page.driver.write(frame)
    assert not page.driver.takes_frame()
    reading = asyncio.get_running_loop().run_in_executor(None, _read_exactly, page.take, 5 * (5 + len(frame)))
    async with asyncio.timeout(PATIENCE_S):
        data = await reading
        await caught_up.wait()
    packet = b"D" + len(frame).to_bytes(4, "big") + frame.encode()
    assert data == packet * 5
    assert page.driver.takes_frame()
    page.driver.close()


def _read_exactly(number: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += os.read(number, count - len(data))
    return data


@pytest.mark.parametrize(
    ("stood_in_for", "digest"),
    [
        (WebDriver.__init__, "37aff7eba9036d61"),
        (WebDriver.run_input_thread, "3864aaf4ca911749"),
        (WebDriver.start_application_mode, "712a1fe2c912e490"),
        (WebDriver.on_meta, "4e52d693ece07d37"),
        (WebDriver.write, "31cd430836b7d0c1"),
        (AppService.run, "065799c360c53d92"),
        (AppService.stop, "e17b0255d820b5e6"),
        (AppService._open_app_process, "1202e78eb3e9d5d6"),
        (AppService._build_environment, "7411a31d53d5e8ae"),
        (Server._make_app, "f49af73ecb6eb223"),
        (Server._process_messages, "c30aaa2d9521fe13"),
        (Server.handle_websocket, "87c0c9d50be81f45"),
        (Server.handle_index, "c961f57f6af22bfe"),
    ],
    ids=lambda value: getattr(value, "__qualname__", "as read"),
)
def test_what_of_upstream_is_stood_in_for_or_relied_on_is_as_it_was_read(
    stood_in_for: Callable[..., object], digest: str
) -> None:
    """Read it again when this fails: https://github.com/Textualize/textual and https://github.com/Textualize/textual-serve."""
    source = inspect.getsource(stood_in_for)
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == digest


def test_the_page_and_the_script_for_its_keys_name_what_textual_js_has() -> None:
    script = FILES["textual.js"].read_text(encoding="utf-8")
    for name in (".textual-terminal", "sessionWebsocketUrl", "fontSize", '"-loaded"', '"-closed"', '"-first-byte"'):
        assert name in script, name
    assert "xterm-helper-textarea" in script
    assert "xterm-helper-textarea" in FILES["keys.js"].read_text(encoding="utf-8")


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("COMPANION_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.7", "mirror.local"])
def test_h9_a_real_device_is_served_to_no_other_computer(
    data: Path, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    assert main(["serve", "--host", host]) == Exit.USAGE
    assert capsys.readouterr().err == f"companion: {words.HERE_ONLY.format(host=host)}\n"


def test_h9_a_setting_leads_a_real_device_to_no_other_computer_either(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "settings.toml").write_text(f'[serve]\nhost = "{EVERYWHERE}"\n')
    assert main(["serve"]) == Exit.USAGE
    assert capsys.readouterr().err == f"companion: {words.HERE_ONLY_SETTING.format(host=EVERYWHERE)}\n"


@pytest.mark.parametrize("port", ["-1", "65536", "many", "80.5", ""])
def test_a_port_is_a_port(data: Path, capsys: pytest.CaptureFixture[str], port: str) -> None:
    assert main(["serve", f"--port={port}"]) == Exit.USAGE
    assert "--port" in capsys.readouterr().err


def test_a_person_whom_nobody_knows_is_told_before_anything_is_served(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--person", "Nobody"]) != Exit.FINISHED
    said = capsys.readouterr()
    assert said.out == ""
    assert "Nobody" in said.err


def test_without_the_web_server_one_line_says_what_to_install(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    assert main(["serve"]) == Exit.FAULT
    assert capsys.readouterr().err == f"companion: {words.MISSING}\n"


def test_windows_is_told_to_use_the_terminal(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(Exception, match="Linux and macOS"):
        command.serve()


async def test_a_port_in_use_is_one_line_that_names_it(data: Path) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "companion",
        "serve",
        "--port",
        str(port),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await program.communicate()
    taken.close()
    await taken.wait_closed()
    assert program.returncode == Exit.FAULT
    assert out == b""
    assert f"port {port}" in err.decode()
    assert err.count(b"\n") == 1


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
async def test_the_command_prints_the_address_shows_the_demo_there_and_ends_in_order(
    data: Path, interrupts: None, number: str
) -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "companion",
        "serve",
        "--demo",
        "--host",
        EVERYWHERE,
        "--port",
        "0",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert program.stdout is not None
    assert program.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as client:
            address = (await program.stdout.readline()).decode().split()[-1]
            name, _ = address.split("/")[2].rsplit(":", 1)
            assert name == reached_as(EVERYWHERE) != EVERYWHERE
            here = address.replace(f"{name}:", "127.0.0.1:")
            async with client.ws_connect(f"{here}ws", origin=here.rsplit("/", 2)[0]) as wire:
                shown = b""
                while "Microcurrent Companion" not in shown.decode(errors="replace"):
                    shown += await wire.receive_bytes()
                program.send_signal(getattr(signal, number))
                async for _ in wire:
                    pass
            out, err = await program.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            program.kill()
    assert program.returncode == Exit.FINISHED
    assert err.decode() == f"{words.WARNING}\n"
    assert address not in err.decode()
    assert words.KEEP in out.decode()
