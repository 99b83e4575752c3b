"""The process behind one tab, as the server sees it: started with the tab, told to end with it, ended if it does not.

Speaks textual-serve's packets and knows no web framework but through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from companion.config import Exit
from companion.words import serve as words

DRIVER: Final = "companion.serving.driver:BrowserDriver"

PATIENCE_S: Final = 15.0
"""Seconds for which a process may take its leave. It stops the device first, and waits for the device's word."""

MOST_SAID: Final = 64 * 1024
"""Bytes of what a process says on its standard error that are kept."""

TAB: Final = (sys.executable, "-P", "-m", "companion.serving.tab")
"""The program behind a tab. ``-P``: nothing in the folder where the server was started takes its place."""


class TabProcess(AppService):
    """One app and its pipes: textual-serve's (textual_serve/app_service.py, 1.1.3) without the shell in between.

    Its own waits for ever for a process that hangs, leaves the page open when a process falls, and writes what the
    process said, with names in it, to standard output.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        write_bytes: Callable[[bytes], Awaitable[None]],
        write_str: Callable[[str], Awaitable[None]],
        close: Callable[[], Awaitable[object]],
        tell: Callable[[str], None],
        debug: bool = False,
    ) -> None:
        async def closed() -> None:
            await close()

        super().__init__(
            argv[0], write_bytes=write_bytes, write_str=write_str, close=closed, download_manager=DownloadManager()
        )
        self._argv = tuple(argv)
        self._wanted = dict(environment)
        self._tell = tell
        self._tell_all = debug
        self._ended = asyncio.Event()
        self._stopping = asyncio.Lock()
        self._killed = False

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        return {**super()._build_environment(width, height), "TEXTUAL_DRIVER": DRIVER, **self._wanted}

    async def _open_app_process(self, width: int = 80, height: int = 24) -> asyncio.subprocess.Process:
        # A session of its own: Ctrl+C in the server's terminal is the server's, which then ends every tab in order.
        self._process = process = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._build_environment(width, height),
            start_new_session=True,
        )
        self._stdin = process.stdin
        return process

    async def run(self) -> None:
        """Pass on what the process writes until it ends, then close the page."""
        process = self._process
        if process is None or process.stdout is None or process.stderr is None:
            raise RuntimeError("the process was not started")
        said = asyncio.get_running_loop().create_task(_read_some(process.stderr), name="what a tab's process says")
        try:
            await self._pass_on(process.stdout)
        finally:
            code = await process.wait()
            text = await said
            self._ended.set()
            if not self._killed and (code < 0 or code == Exit.FAULT):
                self._tell(text if self._tell_all and text else words.FELL)
            await self.remote_close()

    async def _pass_on(self, stdout: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            # Textual's driver begins with a line of its own, after whatever was printed before it.
            while (line := await stdout.readline()) != b"__GANGLION__\n":
                if not line:
                    return
            while True:
                kind = await stdout.readexactly(1)
                payload = await stdout.readexactly(int.from_bytes(await stdout.readexactly(4), "big"))
                # The page may be gone; the process is not to wait for it, and goes on until it is told.
                with contextlib.suppress(ConnectionError):
                    if kind == b"D":
                        await self.on_data(payload)
                    elif kind == b"M":
                        await self.on_meta(payload)

    async def stop(self) -> None:
        """Tell the process to end, wait for it, and end it when it does not. Harmless when called again."""
        if self._task is None or self._process is None:
            return
        async with self._stopping:
            if not self._ended.is_set():
                await self._end(self._process)
        await asyncio.gather(self._task, return_exceptions=True)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        await self.send_meta({"type": "quit"})
        self.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._ended.wait()
        except TimeoutError:
            self._killed = True
            self._tell(words.NO_ANSWER)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _read_some(stream: asyncio.StreamReader) -> str:
    """Read to the end, and keep the beginning."""
    kept = bytearray()
    while data := await stream.read(4096):
        kept += data[: MOST_SAID - len(kept)]
    return kept.decode("utf-8", "replace")
