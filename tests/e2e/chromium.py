"""A real Chromium without a window, driven over its DevTools protocol: what a person at the browser sees and does.

Everything waits for events of the browser; nothing sleeps. The browser has an empty profile of its own and reaches
nothing but this computer.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.painted import Painted

PATIENCE_S = 30.0
"""Only a test that fails waits for so long."""

PROGRAM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1280,800",
    "--remote-debugging-port=0",
)

KEYS = {
    "enter": ("Enter", 13, "\r"),
    "space": (" ", 32, " "),
    "escape": ("Escape", 27, ""),
    "down": ("ArrowDown", 40, ""),
}


class Page:
    """One tab: the text that its terminal shows, by what came over its websocket."""

    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session
        self._changed = asyncio.Condition()
        self.painted = Painted()
        self.size = (0, 0)
        self.asked_for: list[str] = []
        self.said: list[str] = []
        self.hung_up = False

    async def _do(self, method: str, **parameters: object) -> dict[str, Any]:
        return await self._browser.do(method, self._session, **parameters)

    async def begin(self, address: str) -> None:
        for domain in ("Network", "Page", "Runtime"):
            await self._do(f"{domain}.enable")
        await self.go_to(address)

    async def go_to(self, address: str) -> None:
        await self._do("Page.navigate", url=address)

    async def happened(self, method: str, event: dict[str, Any]) -> None:
        async with self._changed:
            match method:
                case "Network.requestWillBeSent":
                    self.asked_for.append(event["request"]["url"])
                case "Network.webSocketCreated":
                    self.asked_for.append(event["url"])
                case "Network.webSocketFrameReceived" if event["response"]["opcode"] == 2:
                    self.painted.write(base64.b64decode(event["response"]["payloadData"]).decode())
                case "Network.webSocketFrameSent" if event["response"]["payloadData"].startswith('["resize"'):
                    size = json.loads(event["response"]["payloadData"])[1]
                    self.size = size["width"], size["height"]
                case "Network.webSocketClosed":
                    self.hung_up = True
                case "Runtime.exceptionThrown":
                    self.said.append(event["exceptionDetails"]["exception"].get("description", "an exception"))
                case "Log.entryAdded" if event["entry"]["level"] == "error":
                    self.said.append(event["entry"]["text"])
            self._changed.notify_all()

    async def until(self, what: Callable[[], object], wanted: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S), self._changed:
                await self._changed.wait_for(what)
        except TimeoutError:
            raise AssertionError(f"not seen: {wanted}\n{self.painted}\n{self.said}") from None

    async def shows(self, *texts: str) -> str:
        """Wait until the terminal shows one of the texts, and return which."""
        shown: list[str] = []

        def look() -> bool:
            shown[:] = [text for text in texts if self.painted.find(text)]
            return bool(shown)

        await self.until(look, " or ".join(map(repr, texts)))
        return shown[0]

    async def press(self, *keys: str) -> None:
        for key in keys:
            name, number, text = KEYS.get(key, (key, ord(key[0].upper()), key))
            event: dict[str, object] = {"key": name, "windowsVirtualKeyCode": number}
            if text:
                event["text"] = text
            await self._do("Input.dispatchKeyEvent", type="keyDown", **event)
            await self._do("Input.dispatchKeyEvent", type="keyUp", key=name, windowsVirtualKeyCode=number)

    async def ask(self, script: str) -> Any:
        """What a script gives on the page."""
        answer = await self._do("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def click_on(self, text: str) -> None:
        await self.shows(text)
        at = self.painted.find(text)
        assert at is not None
        left, top, width, height = await self.ask(
            "(({left, top, width, height}) => [left, top, width, height])"
            "(document.querySelector('.xterm-screen').getBoundingClientRect())"
        )
        x = left + (at[1] + len(text) / 2) * width / self.size[0]
        y = top + (at[0] + 0.5) * height / self.size[1]
        for kind in ("mousePressed", "mouseReleased"):
            await self._do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def picture(self) -> bytes:
        return base64.b64decode((await self._do("Page.captureScreenshot"))["data"])

    async def close(self) -> None:
        await self._browser.do("Target.closeTarget", targetId=self._target)


class Chromium:
    """The browser; see :func:`chromium`."""

    def __init__(self, wire: aiohttp.ClientWebSocketResponse) -> None:
        self._wire = wire
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}

    async def listen(self) -> None:
        async for message in self._wire:
            said = message.json()
            if "id" in said:
                future = self._asked.pop(said["id"])
                if "error" in said:
                    future.set_exception(RuntimeError(said["error"]["message"]))
                else:
                    future.set_result(said["result"])
            elif said.get("sessionId") in self._pages:
                await self._pages[said["sessionId"]].happened(said["method"], said["params"])

    async def do(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        number = len(self._asked) and max(self._asked) + 1
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "method": method, "params": parameters}
        await self._wire.send_json(command if session is None else {**command, "sessionId": session})
        async with asyncio.timeout(PATIENCE_S):
            return await future

    async def open(self, address: str) -> Page:
        target = (await self.do("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.do("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = self._pages[session] = Page(self, target, session)
        await page.begin(address)
        return page


@contextlib.asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[Chromium]:
    """Start a browser with an empty profile in ``profile``; it has ended when this is left."""
    assert PROGRAM is not None
    process = await asyncio.create_subprocess_exec(
        PROGRAM, *ARGUMENTS, f"--user-data-dir={profile}", stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        said = b""
        async with asyncio.timeout(PATIENCE_S):
            while (found := re.search(rb"DevTools listening on (ws://\S+)", said)) is None:
                line = await process.stderr.readline()
                assert line, said.decode(errors="replace")
                said += line
        reading = asyncio.create_task(process.stderr.read())  # what it says later fills no pipe
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(found[1].decode(), max_msg_size=0) as wire,
        ):
            browser = Chromium(wire)
            listening = asyncio.create_task(browser.listen())
            yield browser
            await browser.do("Browser.close")
            await listening
        await reading
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
