"""Recordings over several processes, one at a time each; one that dies takes the recording that it played with it.

Knows processes. Refuses to know what an outcome means, and in which order outcomes are wanted.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Final, NamedTuple

from rig.commands.faults import RigError
from rig.replay.job import Job
from rig.replay.outcome import Outcome

Play = Callable[[str, Job], Outcome]
"""A function of a module, so that another process finds it; it raises nothing that is not a defect."""

_SECONDS_TO_END: Final = 5.0  # far more than an interpreter takes to end by itself


class Task(NamedTuple):
    """One recording and how it is played."""

    path: str
    job: Job


class Ended(NamedTuple):
    """How a worker ended that was not told to."""

    how: str
    """In words: ``killed by SIGKILL``."""


def cores() -> int:
    """How many cores this process may use: containers and `taskset` give fewer than there are."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def in_workers(tasks: Sequence[Task], play: Play, count: int) -> Generator[tuple[int, Outcome | Ended]]:
    """Play ``tasks`` in ``count`` processes, and yield the place of each with what came of it, as they are done.

    A worker that dies is replaced; the recording that it was playing is not tried again, as it may be the cause.
    Whoever stops iterating ends all of them at once.

    Raises:
        RigError: a worker ended before it could play anything.
    """
    waiting = deque(range(len(tasks)))
    workers: dict[Connection, _Worker] = {}
    unfinished = len(tasks)
    try:
        while unfinished:
            while len(workers) < min(count, unfinished):
                started = _Worker(play)
                workers[started.connection] = started
            for connection in wait(list(workers)):
                assert isinstance(connection, Connection)  # noqa: S101 - nothing else was given
                worker = workers[connection]
                played, said = worker.playing, worker.heard()
                if isinstance(said, Ended):
                    del workers[connection]
                    if played is None:
                        raise RigError(
                            f"a worker process ended before it could play anything ({said.how}); try --jobs 1"
                        )
                elif waiting:  # before anything is made of what it said: it need not wait for that
                    worker.play(waiting[0], tasks[waiting.popleft()])
                else:
                    workers.pop(connection).end()
                if played is not None and said is not None:
                    unfinished -= 1
                    yield played, said
    finally:
        for worker in workers.values():
            worker.kill()


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, play: Play) -> None:
        context = get_context("spawn")
        self.playing: int | None = None
        self.connection, other = context.Pipe()
        self._process = context.Process(target=_work, args=(other, play), daemon=True)
        with _interrupts_kept_off():
            self._process.start()
        other.close()  # so that the pipe ends when the process does

    def play(self, place: int, task: Task) -> None:
        """Give it a recording to play. That it is gone is heard where its answer would be."""
        self.playing = place
        with suppress(OSError):
            self.connection.send(task)

    def heard(self) -> Outcome | Ended | None:
        """Return what it says: an outcome, its end, or None when it is ready for its first recording."""
        try:
            said: Outcome | None = self.connection.recv()
        except (EOFError, OSError):
            self._process.join(_SECONDS_TO_END)
            code = self._process.exitcode
            self.kill()
            return Ended(_in_words(code))
        return said

    def end(self) -> None:
        """Let it end: there is nothing left to play."""
        self.connection.close()
        self._process.join(_SECONDS_TO_END)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        self.connection.close()
        self._process.kill()
        self._process.join()
        self._process.close()


def _work(connection: Connection, play: Play) -> None:
    """Play what comes through the pipe, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches every process of the terminal: the first one decides
    logging.getLogger().addHandler(logging.NullHandler())
    with suppress(EOFError, ConnectionError):  # whoever wanted the outcome is gone
        connection.send(None)
        while True:
            path, job = connection.recv()
            connection.send(play(path, job))


@contextmanager
def _interrupts_kept_off() -> Iterator[None]:
    """A process that is started meanwhile never hears of Ctrl+C, not even before it can say so; this one does after."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # it lets SIGINT through once it has been started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_words(code: int | None) -> str:
    if code is None:
        return "it left without ending"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"killed by signal {-code}"
