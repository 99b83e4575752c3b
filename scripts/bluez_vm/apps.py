"""In the machine: ``companion`` in processes of its own, most of them copies of one that has loaded its modules.

Knows processes. Refuses to know what the app does in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from steps import ARTEFACTS, LaneError

LOADED = Path(__file__).with_name("loaded.py")
LOAD_LIMIT_S = 120.0
"""How long the first may take to load."""


class App:
    """One ``companion`` at work, of which somebody learns when it ends."""

    def __init__(self, pid: int, end: asyncio.Future[int], out: Path, err: Path) -> None:
        self.pid = pid
        self._end = end
        self._out = out
        self._err = err

    @property
    def out(self) -> str:
        """What it has written to standard output so far."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    @property
    def said(self) -> str:
        """All that it has said, standard error last."""
        return self.out + self._err.read_text(encoding="utf-8", errors="replace")

    @property
    def complaint(self) -> str:
        """What it wrote to standard error, on one line."""
        return " ".join(self._err.read_text(encoding="utf-8", errors="replace").split())

    @property
    def events(self) -> list[dict[str, Any]]:
        """The whole lines of its standard output, as JSON."""
        return [json.loads(line) for line in self.out.splitlines(keepends=True) if line.endswith("\n")]

    @property
    def code(self) -> int | None:
        """How it ended, None while it is at work."""
        return self._end.result() if self._end.done() else None

    def over(self) -> str:
        """Say that it has ended, or nothing."""
        return "" if self.code is None else f"the app ended with {self.code} ({' '.join(self.said.split())[-400:]})"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def ended(self, within_s: float) -> int:
        """Return its exit code.

        Raises:
            LaneError: it did not end in time.
        """
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(self._end)
        except TimeoutError:
            raise LaneError(f"the app did not end within {within_s:.0f} s: {' '.join(self.said.split())}") from None

    async def aclose(self) -> None:
        """End it, if it has not ended."""
        if not self._end.done():
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
        await self._end


class Apps:
    """Starts the app."""

    def __init__(self) -> None:
        self._loaded: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._number = 0
        self._awaited: dict[tuple[int, str], asyncio.Future[int]] = {}

    async def load(self) -> None:
        """Begin to load its modules."""
        self._loaded = await asyncio.create_subprocess_exec(
            *(sys.executable, str(LOADED)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(ARTEFACTS / "loaded.err").open("wb"),
        )
        self._listening = asyncio.create_task(self._listen(self._loaded))

    @contextlib.asynccontextmanager
    async def run(self, name: str, data: Path, *arguments: str) -> AsyncIterator[App]:
        """Run ``companion`` with these arguments for the person whose data folder it is.

        Raises:
            LaneError: it could not be started.
        """
        self._number += 1
        out, err = _files(name)
        pid, end = (self._await(self._number, what) for what in ("pid", "code"))
        assert self._loaded is not None and self._loaded.stdin is not None  # noqa: S101, PT018 - see load
        wanted = {
            "number": self._number,
            "arguments": arguments,
            "data": str(data),
            "out": str(out),
            "err": str(err),
        }
        self._loaded.stdin.write(json.dumps(wanted).encode() + b"\n")
        try:
            async with asyncio.timeout(LOAD_LIMIT_S):
                number = await pid
        except TimeoutError:
            raise LaneError(f"the app's modules were not loaded within {LOAD_LIMIT_S:.0f} s") from None
        async with contextlib.aclosing(App(number, end, out, err)) as app:
            yield app

    @contextlib.asynccontextmanager
    async def run_from_nothing(self, name: str, data: Path, *arguments: str) -> AsyncIterator[App]:
        """The same, as a shell starts it."""
        out, err = _files(name)
        with out.open("ab") as standard_output, err.open("ab") as standard_error:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "companion", *arguments),
                stdin=subprocess.DEVNULL,
                stdout=standard_output,
                stderr=standard_error,
                env={**os.environ, "COMPANION_DATA": str(data)},
            )
        end = asyncio.ensure_future(process.wait())
        async with contextlib.aclosing(App(process.pid, end, out, err)) as app:
            yield app

    async def aclose(self) -> None:
        """End what has loaded the modules."""
        if self._loaded is not None and self._listening is not None:
            self._loaded.kill()
            await self._loaded.wait()
            await self._listening

    def _await(self, number: int, what: str) -> asyncio.Future[int]:
        self._awaited[number, what] = asyncio.get_running_loop().create_future()
        return self._awaited[number, what]

    async def _listen(self, loaded: asyncio.subprocess.Process) -> None:
        """Hear what becomes of the apps."""
        assert loaded.stdout is not None  # noqa: S101 - asked for
        async for line in loaded.stdout:
            told = json.loads(line)
            for what in ("pid", "code"):
                if what in told:
                    self._awaited.pop((told["number"], what)).set_result(told[what])
        for waiting in self._awaited.values():
            waiting.set_exception(LaneError("nothing starts the app any more: see loaded.err"))


Starter = Callable[..., contextlib.AbstractAsyncContextManager[App]]
"""Either way of starting the app."""


def _files(name: str) -> tuple[Path, Path]:
    out, err = ARTEFACTS / f"{name}.out", ARTEFACTS / f"{name}.err"
    out.touch()
    err.touch()
    return out, err
