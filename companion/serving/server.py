"""The server between browsers and the app: one page, three files, one websocket for each tab, and a gate before all.

textual-serve with everything taken out that reaches further than it has to: its page loads fonts from elsewhere, its
server lists folders, follows no token, asks for no origin and writes addresses into logs.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Final

import textual_serve
from aiohttp import WSCloseCode, web
from aiohttp.typedefs import Handler
from textual_serve.server import Server, to_int

from companion.serving.gate import Gate, authority
from companion.serving.process import TAB, TabProcess
from companion.words import serve as words

HEARTBEAT_S: Final = 5.0
"""Seconds between two questions to the browser whether it is there; it has half of that for its answer.

A tab that is closed says so by itself. This is for a browser that hangs, or a network that is gone.
"""

SHUTDOWN_S: Final = 20.0
"""Seconds for everything to end: what one tab may take for its leave (process.PATIENCE_S), and a little more."""

STATICS: Final = Path(textual_serve.__file__).parent / "static"
PAGE: Final = Path(__file__).with_name("page.html")
FILES: Final = {
    "textual.js": STATICS / "js" / "textual.js",
    "xterm.css": STATICS / "css" / "xterm.css",
    "keys.js": Path(__file__).with_name("keys.js"),
}
SIZE: Final = (("width", 80), ("height", 24))
LARGEST: Final = 1000
"""Columns and lines that a page may ask for."""

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self' {websocket}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing to elsewhere, and in nobody's frame, where a click could be led astray.

Styles within the page are how the terminal of the page (xterm.js) places its letters.
"""


class BrowserFace(Server):
    """Serves the app to browsers; see :class:`companion.serving.gate.Gate` for who gets in.

    ``host`` is where to listen, ``name`` how the address calls it; ``environment`` and ``argv`` belong to the program
    behind a tab; ``tell`` takes a line for whoever runs the server.
    """

    def __init__(
        self,
        host: str,
        name: str,
        *,
        environment: Mapping[str, str],
        tell: Callable[[str], None],
        argv: Sequence[str] = TAB,
        debug: bool = False,
    ) -> None:
        super().__init__(argv[0], host="127.0.0.1" if host.lower() == "localhost" else host, title=words.TITLE)
        self._name = name
        self._argv = tuple(argv)
        self._environment = dict(environment)
        self._tell = tell
        self._tell_all = debug
        self._tabs: dict[TabProcess, web.WebSocketResponse] = {}
        self._gate = Gate(name, port=0)
        self._page = Template(PAGE.read_text(encoding="utf-8"))

    @contextlib.asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[str]:
        """Serve on ``port`` (0: a free one) and yield the address of the app; when left, every tab ends.

        Raises:
            OSError: host or port cannot be used.
        """
        # No access log: it would hold the token.
        runner = web.AppRunner(await self._make_app(), access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, port).start()
            self._gate = Gate(self._name, port=runner.addresses[0][1])
            yield f"http://{authority(self._name, self._gate.port)}/{self._gate.token}/"
        finally:
            await runner.cleanup()

    async def _make_app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/{token}/", self._index),
                web.get("/{token}/ws", self.handle_websocket),
                web.get("/{token}/static/{file}", self._static),
            ]
        )
        app.on_shutdown.append(self.on_shutdown)
        return app

    async def on_shutdown(self, app: web.Application) -> None:  # noqa: ARG002 - aiohttp's own signature
        """End every tab: the process first, because it stops the device."""
        tabs = list(self._tabs.items())
        await asyncio.gather(*(tab.stop() for tab, _ in tabs))
        await asyncio.gather(*(page.close(code=WSCloseCode.GOING_AWAY) for _, page in tabs))

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        lets_in = self._gate.lets_in(
            request.path,
            request.headers.get("Host"),
            request.headers.get("Origin"),
            websocket="Upgrade" in request.headers,
        )
        if not lets_in:
            return web.Response(status=403, text=f"{words.FORBIDDEN}\n", headers=HEADERS)
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return web.Response(status=404, text=f"{words.NOT_FOUND}\n", headers=HEADERS)

    async def _index(self, request: web.Request) -> web.Response:
        # The gate has looked at the host; an address with it, because a relative one is not a websocket's everywhere.
        websocket = f"ws://{request.host}"
        page = self._page.substitute(
            {name.lower(): html.escape(getattr(words, name)) for name in ("TITLE", "WAIT", "ENDED", "CHECK", "AGAIN")},
            websocket=html.escape(f"{websocket}/{self._gate.token}/ws"),
            font_size=min(max(to_int(request.query.get("fontsize", ""), 16), 4), 99),
        )
        headers = {**HEADERS, "Content-Security-Policy": POLICY.format(websocket=websocket)}
        return web.Response(text=page, content_type="text/html", headers=headers)

    async def _static(self, request: web.Request) -> web.StreamResponse:
        file = FILES.get(request.match_info["file"])
        if file is None:
            raise web.HTTPNotFound
        return web.FileResponse(file, headers=HEADERS)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run one app for as long as the page is there."""
        websocket = web.WebSocketResponse(heartbeat=HEARTBEAT_S)
        await websocket.prepare(request)
        tab = TabProcess(
            self._argv,
            self._environment,
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=websocket.close,
            tell=self._tell,
            debug=self._tell_all,
        )
        self._tabs[tab] = websocket
        try:
            await tab.start(*(min(max(to_int(request.query.get(name, ""), usual), 1), LARGEST) for name, usual in SIZE))
            await self._process_messages(websocket, tab)
        finally:
            try:
                await tab.stop()
            finally:
                del self._tabs[tab]
        return websocket
