"""The `rig` command as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import NamedTuple

COMMAND = (sys.executable, "-c", "import sys; from rig.cli import main; sys.exit(main())")
"""The console script, whatever the folder that it was installed to is called."""


class Done(NamedTuple):
    code: int
    out: str
    err: str


async def rig(*arguments: str, limit_s: float = 30.0) -> Done:
    """Run one command line to its end."""
    async with running(*arguments) as process:
        async with asyncio.timeout(limit_s):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())


@contextlib.asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command that runs until it is told to end, and at the latest until this does."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def interrupt(process: asyncio.subprocess.Process) -> None:
    """Press Ctrl+C."""
    process.send_signal(signal.SIGINT)
