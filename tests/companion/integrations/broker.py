"""Debian's mosquitto on a free port of this computer, a listener that reads everything, and a way that can stall.

The broker runs with a configuration of its own in a test's folder, logs everything, and ends with the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiomqtt
import pytest

PATIENCE_S = 20.0
"""How long a test waits for what must come; it is never waited out by a test that passes."""

SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])  # Debian keeps daemons there


def program(name: str) -> str:
    """The path of one of mosquitto's programs; the test is skipped where there is none."""
    found = shutil.which(name, path=SEARCH)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install mosquitto mosquitto-clients")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """A mosquitto that can be started and stopped again and again on one port. ``more`` are lines of its own.

    ``logs`` is what it logs; a flood of messages is not to become a flood of lines.
    """

    def __init__(self, folder: Path, *more: str, anonymous: bool = True, logs: str = "all") -> None:
        self.port = free_port()
        self.log: list[str] = []
        self._grown = asyncio.Condition()
        self._config = folder / "mosquitto.conf"
        self._more = more
        self._logs = logs
        self._anonymous = anonymous
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    def _configure(self) -> None:
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {str(self._anonymous).lower()}",
            "set_tcp_nodelay true",
            "persistence false",
            "log_dest stderr",
            f"log_type {self._logs}",
            "log_timestamp false",
            *self._more,
            *(["user root"] if os.geteuid() == 0 else []),  # the test's folder is nobody else's to read
        ]
        self._config.write_text("\n".join(lines) + "\n")

    async def start(self) -> None:
        seen = len(self.log)
        self._configure()
        self._process = await asyncio.create_subprocess_exec(
            program("mosquitto"),
            "-c",
            str(self._config),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reader = asyncio.create_task(self._read(self._process))
        await self.logged("running", after=seen)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            async with self._grown:
                self.log.append(line.decode(errors="replace").rstrip())
                self._grown.notify_all()
        async with self._grown:
            self.log.append("(ended)")
            self._grown.notify_all()

    async def logged(self, text: str, *, after: int = 0, times: int = 1) -> None:
        """Wait until the broker has logged a line with ``text`` so many ``times``."""

        def there() -> bool:
            return sum(text in line for line in self.log[after:]) >= times or "(ended)" in self.log[after:]

        async with asyncio.timeout(PATIENCE_S), self._grown:
            await self._grown.wait_for(there)
        assert "(ended)" not in self.log[after:], "\n".join(self.log)

    async def stop(self) -> None:
        if self._process is not None and self._reader is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            await self._process.wait()
            await self._reader
            self._process = None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def publish(self, topic: str, payload: str, *more: str) -> None:
        """Publish with ``mosquitto_pub``; its end means that the broker has it."""
        await run("mosquitto_pub", "-p", str(self.port), "-q", "1", "-t", topic, "-m", payload, *more)


async def run(name: str, *arguments: str) -> str:
    """Run one of mosquitto's programs to its end, and give what it printed."""
    process = await asyncio.create_subprocess_exec(
        program(name), *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, printed.decode()
    return printed.decode()


@dataclass(frozen=True)
class Seen:
    topic: str
    payload: bytes
    retained: bool


class Listener:
    """Reads everything that the broker hands out (``#``), from the moment on that it was made."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._grown = asyncio.Condition()

    async def _read(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            async with self._grown:
                self.seen.append(Seen(message.topic.value, message.payload, message.retain))
                self._grown.notify_all()

    async def until(self, there: Callable[[list[Seen]], bool]) -> list[Seen]:
        """Wait until ``there`` says so of everything seen; give that."""
        async with asyncio.timeout(PATIENCE_S), self._grown:
            await self._grown.wait_for(lambda: there(self.seen))
        return list(self.seen)

    async def message(self, topic: str, payload: bytes | None = None, *, after: int = 0) -> Seen:
        """Wait for a message on ``topic`` (with that payload, where one is given)."""

        def matching() -> list[Seen]:
            return [one for one in self.seen[after:] if one.topic == topic and payload in {None, one.payload}]

        await self.until(lambda _: bool(matching()))
        return matching()[0]

    def payloads(self, topic: str) -> list[bytes]:
        return [one.payload for one in self.seen if one.topic == topic]


@contextlib.asynccontextmanager
async def listening(broker: Broker) -> AsyncIterator[Listener]:
    """A listener on a connection of its own."""
    listener = Listener()
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe("#", qos=1)
        reading = asyncio.create_task(listener._read(client))
        try:
            yield listener
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
                await reading


class Way:
    """A way to the broker that can be cut, and stalled in both directions: bytes wait, and go on later."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    def stall(self) -> None:
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    def cut(self) -> None:
        """End every connection without a goodbye."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.append(writer)
        try:
            there, to_there = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        self._writers.append(to_there)
        with contextlib.suppress(asyncio.CancelledError):  # at the end of the test; streams would log it
            await asyncio.gather(self._pipe(reader, to_there), self._pipe(there, writer))

    async def _pipe(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._flows.wait()
                target.write(data)
                await target.drain()
        target.close()
