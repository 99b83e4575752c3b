"""Linux's own timers for an event loop: wake-ups to the microsecond, where ``epoll_wait`` counts whole milliseconds.

One descriptor a loop (timerfd_create(2)), whatever the number of deadlines; where the system or the loop cannot do it,
:func:`timers_of` gives None. And what lets a thread come in on time: timer slack and slices. Refuses to know what for.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import heapq
import os
import platform
import sys
import weakref
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

_CLOCK_MONOTONIC: Final = 1  # the clock of time.perf_counter_ns on Linux
_TFD_TIMER_ABSTIME: Final = 1
_TFD_NONBLOCK_CLOEXEC: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_PR_SET_TIMERSLACK: Final = 29
_PR_GET_TIMERSLACK: Final = 30


_SLICE_NS: Final = 100_000  # the shortest that there is
_SCHED_OTHER: Final = 0
_SCHED_NUMBERS: Final = {"x86_64": (314, 315), "aarch64": (274, 275)}  # sched_setattr, sched_getattr: glibc has no such


class _SchedAttr(ctypes.Structure):
    _fields_ = (
        *(("size", ctypes.c_uint32), ("policy", ctypes.c_uint32), ("flags", ctypes.c_uint64)),
        *(("nice", ctypes.c_int32), ("priority", ctypes.c_uint32)),
        *(("runtime", ctypes.c_uint64), ("deadline", ctypes.c_uint64), ("period", ctypes.c_uint64)),
    )


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Timer:
    """One deadline, until it is cancelled or has come."""

    __slots__ = ("at_ns", "wake")

    def __init__(self, at_ns: int, wake: Callable[[], object]) -> None:
        self.at_ns = at_ns
        self.wake: Callable[[], object] | None = wake

    def cancel(self) -> None:
        """Never wake."""
        self.wake = None

    def __lt__(self, other: Timer) -> bool:
        return self.at_ns < other.at_ns


class LoopTimers:
    """The deadlines on one event loop, in nanoseconds of ``time.perf_counter_ns``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, libc: Any) -> None:
        self._libc = libc
        self._heap: list[Timer] = []
        self._armed_ns: int | None = None
        self._value = _Itimerspec()
        self._descriptor: int = libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC)
        if self._descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        try:
            loop.add_reader(self._descriptor, self._readable)
        except BaseException:
            os.close(self._descriptor)
            raise
        # The loop's selector holds the descriptor until the loop is closed; a closed loop is not long for this world.
        weakref.finalize(loop, os.close, self._descriptor)

    def call_at(self, at_ns: int, wake: Callable[[], object]) -> Timer:
        """Call ``wake`` on the loop at that time, or in its next round when that has passed."""
        timer = Timer(at_ns, wake)
        heapq.heappush(self._heap, timer)
        self._arm()
        return timer

    def _readable(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:  # armed anew since the selector saw it
            return
        due_ns, self._armed_ns = self._armed_ns, None
        try:
            while due_ns is not None and self._heap and self._heap[0].at_ns <= due_ns:
                wake = heapq.heappop(self._heap).wake
                if wake is not None:
                    wake()
        finally:  # what a wake raises is the loop's to report, and the others are woken all the same
            self._arm()

    def _arm(self) -> None:
        heap = self._heap
        while heap and heap[0].wake is None:
            heapq.heappop(heap)
        if not heap or heap[0].at_ns == self._armed_ns:
            return
        self._armed_ns = heap[0].at_ns
        value = self._value.value
        value.seconds, value.nanoseconds = divmod(max(1, self._armed_ns), 1_000_000_000)  # 0 would disarm it
        if self._libc.timerfd_settime(self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(self._value), None) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


_of_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopTimers | None] = weakref.WeakKeyDictionary()


def timers_of(loop: asyncio.AbstractEventLoop) -> LoopTimers | None:
    """Return the timers of a loop, made when first asked for; None where system or loop has none such."""
    try:
        return _of_loop[loop]
    except KeyError:
        pass
    timers: LoopTimers | None = None
    libc = _libc()
    if libc is not None:
        # NotImplementedError is a RuntimeError; loops of other kinds than asyncio's raise their own.
        with contextlib.suppress(OSError, RuntimeError):
            timers = LoopTimers(loop, libc)
    _of_loop[loop] = timers
    return timers


@contextlib.contextmanager
def fine_sleeping() -> Iterator[None]:
    """Let this thread's sleeps end when they should instead of up to 50 µs later (timer slack, prctl(2)), for a while.

    Does nothing where the system has no such thing.
    """
    libc = _libc()
    slack = libc.prctl(_PR_GET_TIMERSLACK, 0, 0, 0, 0) if libc is not None else -1
    if slack <= 0:
        yield
        return
    libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_TIMERSLACK, slack, 0, 0, 0)


@contextlib.contextmanager
def short_slices() -> Iterator[None]:
    """Ask the scheduler for many short turns instead of few long ones for this thread, for a while.

    It takes no privilege, and the share of the core stays the same. Since Linux 6.12 a thread with a shorter slice than
    the running one is let in when it wakes (sched_setattr(2), ``sched_runtime`` of an ordinary thread): on busy cores
    it otherwise waits for the other's slice to end, some 3 ms. Does nothing where the system has no such thing.
    """
    before = _scheduling()
    if before is None:
        yield
        return
    slice_ns = before.runtime
    _set_slice(_SLICE_NS)
    try:
        yield
    finally:
        _set_slice(slice_ns)


def _scheduling() -> _SchedAttr | None:
    """This thread's scheduling where it is an ordinary one that can be asked for slices."""
    libc, numbers = _libc(), _SCHED_NUMBERS.get(platform.machine())
    if libc is None or numbers is None:
        return None
    found = _SchedAttr()
    size = ctypes.sizeof(found)
    if libc.syscall(numbers[1], 0, ctypes.byref(found), size, 0) != 0 or found.policy != _SCHED_OTHER:
        return None
    return found


def _set_slice(slice_ns: int) -> None:
    wanted = _scheduling()  # anew: somebody may have changed the rest of it
    if wanted is not None:
        wanted.runtime = slice_ns
        _libc().syscall(_SCHED_NUMBERS[platform.machine()][0], 0, ctypes.byref(wanted), 0)


@cache
def _libc() -> Any:
    """Return the C library where it has what is needed here, else None."""
    if sys.platform != "linux":
        return None
    try:
        library = ctypes.CDLL(None, use_errno=True)
        library.timerfd_create, library.timerfd_settime, library.prctl  # noqa: B018 - they are there or it raises
    except (OSError, AttributeError):
        return None
    library.syscall.restype = ctypes.c_long
    library.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
    return library
