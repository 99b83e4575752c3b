"""Waiting on the wall clock to the microsecond from within an event loop: sleep until just before, then spin.

The one place of replay that reads ``time.perf_counter_ns``: an event loop's own clock has ticks of 15 ms on Windows,
and its default selector on Linux rounds every wait up to a whole millisecond. Refuses to know schedules.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

LEAD_NS: Final = 200_000
"""The last stretch before a deadline, which is spun or slept through with the loop held: at most 0.2 ms."""

STALL_NS: Final = 200_000
"""A spin step that took longer was no step: the scheduler gave the core to somebody else."""

SPIN_SHARE: Final = 0.03
"""At most this share of one core goes into spinning."""

_SPIN_BURST_NS: Final = 50 * LEAD_NS  # what may be saved up in quiet times: a burst of fifty deadlines
_FIRST_RETREAT_NS: Final = 1_000_000_000
_LONGEST_RETREAT_NS: Final = 64_000_000_000
_TIMER_ERROR_NS: Final = 1_000_000  # an event loop's own timers, where nothing finer is at hand


class Spinning:
    """Whether to spin through the last stretch: not when it costs too much, and not while every core is taken.

    When all cores are busy, the scheduler takes the core away from whoever spins, for milliseconds, while it lets a
    sleeper in at once. So a stalled spin step is followed by plain sleeping, for a second at first and for twice as
    long after each further stall, up to about a minute; a spin without a stall halves it again.
    """

    def __init__(self) -> None:
        self.stalls = 0
        """How many spins were interrupted."""
        self._not_before_ns = 0
        self._retreat_ns = _FIRST_RETREAT_NS
        self._saved_ns = float(_SPIN_BURST_NS)
        self._seen_ns: int | None = None

    def may_spin(self, now_ns: int, for_ns: int) -> bool:
        """Say whether to spin for that long now."""
        if self._seen_ns is not None:
            earned = (now_ns - self._seen_ns) * SPIN_SHARE
            self._saved_ns = min(float(_SPIN_BURST_NS), self._saved_ns + earned)
        self._seen_ns = now_ns
        return now_ns >= self._not_before_ns and for_ns <= self._saved_ns

    def spun(self, now_ns: int, for_ns: int, longest_step_ns: int) -> None:
        """Note how a spin went."""
        self._saved_ns -= for_ns
        if longest_step_ns > STALL_NS:
            self.stalls += 1
            self._not_before_ns = now_ns + self._retreat_ns
            self._retreat_ns = min(_LONGEST_RETREAT_NS, 2 * self._retreat_ns)
        else:
            self._retreat_ns = max(_FIRST_RETREAT_NS, self._retreat_ns // 2)


class WallClock:
    """The wall clock, in nanoseconds, and how to wait for a moment on it.

    Waiting has two parts. :meth:`timer` tells a future when the last stretch begins, and the loop runs freely
    until then; :meth:`finish` goes through that stretch of at most 0.2 ms and returns on the dot.

    Args:
        speed: how many seconds of the running loop's clock go by in one of the wall's.
        now_ns: the clock, in nanoseconds.
        sleep: sleeps for so many seconds, in this thread.
    """

    instant = False

    def __init__(
        self,
        *,
        speed: float = 1.0,
        now_ns: Callable[[], int] = time.perf_counter_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.speed = speed
        self.now_ns = now_ns
        self._sleep = sleep
        self.spinning = Spinning()

    def is_close(self, due_ns: int) -> bool:
        """True when the last stretch has begun."""
        return due_ns - self.now_ns() <= LEAD_NS

    @contextlib.contextmanager
    def timer(self, due_ns: int, wake: Callable[[], object]) -> Iterator[None]:
        """Call ``wake`` on the running loop when the last stretch before ``due_ns`` begins, unless left before."""
        loop = asyncio.get_running_loop()
        left_ns = due_ns - LEAD_NS - self.now_ns()
        with contextlib.ExitStack() as stack:
            descriptor = _timer_descriptor(left_ns)
            if descriptor is not None:
                stack.callback(os.close, descriptor)
                try:
                    loop.add_reader(descriptor, wake)
                except NotImplementedError:
                    descriptor = None
                else:
                    stack.callback(loop.remove_reader, descriptor)
            if descriptor is None:
                wait_ns = max(0, left_ns - _TIMER_ERROR_NS)
                stack.callback(loop.call_later(wait_ns * self.speed / 1e9, wake).cancel)
            yield

    def finish(self, due_ns: int) -> int:
        """Wait through the last stretch with the loop held, and return the time at its end, never before ``due_ns``."""
        now_ns = self.now_ns
        now = begun = now_ns()
        if now >= due_ns:
            return now
        if not self.spinning.may_spin(now, due_ns - now):
            with _fine_sleeping():
                while (left := due_ns - now_ns()) > 0:
                    self._sleep(left / 1e9)
            return now_ns()
        longest = 0
        before = now
        while now < due_ns:
            now = now_ns()
            longest = max(longest, now - before)
            before = now
        self.spinning.spun(now, now - begun, longest)
        return now


# --- Linux: timers and sleep without rounding -------------------------------------------------------------------------

_CLOCK_MONOTONIC: Final = 1
_TFD_NONBLOCK_CLOEXEC: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_PR_SET_TIMERSLACK: Final = 29
_PR_GET_TIMERSLACK: Final = 30


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


@cache
def _libc() -> Any:
    """Return the C library where it has Linux's timer descriptors, else None."""
    if sys.platform != "linux":
        return None
    try:
        library = ctypes.CDLL(None, use_errno=True)
        library.timerfd_create, library.timerfd_settime, library.prctl  # noqa: B018 - they are there or it raises
    except (OSError, AttributeError):
        return None
    return library


def _timer_descriptor(after_ns: int) -> int | None:
    """Return a descriptor that becomes readable after so long, or None where the system has none (timerfd_create(2)).

    A loop sleeps in ``epoll_wait``, whose time-out counts whole milliseconds; a descriptor wakes it to the microsecond.
    """
    libc = _libc()
    if libc is None:
        return None
    descriptor: int = libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC)
    if descriptor < 0:
        return None
    seconds, nanoseconds = divmod(max(1, after_ns), 1_000_000_000)  # 0 would disarm it
    value = _Itimerspec(_Timespec(0, 0), _Timespec(seconds, nanoseconds))
    if libc.timerfd_settime(descriptor, 0, ctypes.byref(value), None) != 0:
        os.close(descriptor)
        return None
    return descriptor


@contextlib.contextmanager
def _fine_sleeping() -> Iterator[None]:
    """Let this thread's sleeps end within nanoseconds instead of the usual 50 µs of slack (prctl(2)), for a while."""
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
