"""Waiting on the wall clock to the microsecond from within an event loop: sleep until just before, then spin.

The one place of replay that reads ``time.perf_counter_ns``: an event loop's own clock has ticks of 15 ms on Windows,
and its default selector on Linux rounds every wait up to a whole millisecond. Refuses to know schedules.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from rig.replay.linux_timers import Timer, fine_sleeping, timers_of

LONGEST_HOLD_NS: Final = 800_000
"""The loop is never held for longer than 0.8 ms, spinning or asleep, and 1 ms more where it has no fine timers."""

STALL_NS: Final = 200_000
"""A spin step that took longer was no step: the scheduler gave the core to somebody else."""

SPIN_SHARE: Final = 0.03
"""At most this share of one core goes into spinning."""

_SHORTEST_HOLD_NS: Final = 100_000
_PLAIN_LEAD_NS: Final = 50_000  # no wake-up takes less, so that a plain one is all the work there is
_FIRST_HOLD_NS: Final = 300_000
_HOLD_STEP_NS: Final = 4_000
_STUCK_NS: Final = 1_000_000  # a wake-up that took longer says nothing of the machine, only that its cores were taken
_SPIN_BURST_NS: Final = 20_000_000  # what may be saved up in quiet times: a burst of some hundred deadlines
_STALLS_TO_RETREAT: Final = 1.8  # two in about ten deadlines, three in about thirty
_STALL_FADES: Final = 0.98  # with each deadline
_FIRST_RETREAT_NS: Final = 1_000_000_000
_LONGEST_RETREAT_NS: Final = 64_000_000_000
_WARM_UP_NS: Final = 20_000
_TIMER_ERROR_NS: Final = 1_000_000  # an event loop's own timers, where nothing finer is at hand


class Lead:
    """How long before a deadline to wake up: as long as nineteen wake-ups in twenty take until they get here.

    From the timer's moment to a task's next step it is 50 µs on one machine and 400 on another whose cores doze off.
    Followed by small steps, up nineteen times as far as down, which come to rest at that quantile.
    """

    def __init__(self) -> None:
        self.ns = _FIRST_HOLD_NS

    def arrived(self, after_ns: int) -> None:
        """Note how long a wake-up took."""
        step = 19 * _HOLD_STEP_NS if after_ns > self.ns else -_HOLD_STEP_NS
        self.ns = max(_SHORTEST_HOLD_NS, min(LONGEST_HOLD_NS, self.ns + step))


class Spinning:
    """Whether to spin through the last stretch: not when it costs too much, and not while every core is taken.

    When all cores are busy, the scheduler takes the core away from whoever spins, for milliseconds, while it lets a
    sleeper in at once. So when spins stall or wake-ups are stuck twice in short order, plain sleeping takes over, for a
    second at first and for twice as long each further time, up to about a minute; a good spin halves that again.
    """

    def __init__(self) -> None:
        self.stalls = 0
        """How many spins were interrupted and wake-ups stuck, as far as looked at."""
        self._recent = 0.0
        self._not_before_ns = 0
        self._retreat_ns = _FIRST_RETREAT_NS
        self._saved_ns = float(_SPIN_BURST_NS)
        self._seen_ns: int | None = None
        self._spun: tuple[int, int, int] | None = None

    def retreats(self, now_ns: int) -> bool:
        """Say whether plain sleeping has taken over, after a look at the last spin."""
        if self._spun is not None:
            ended_ns, for_ns, longest_step_ns = self._spun
            self._spun = None
            self._saved_ns -= for_ns
            if longest_step_ns > STALL_NS:
                self.stalled(ended_ns)
            else:
                self._recent *= _STALL_FADES
                self._retreat_ns = max(_FIRST_RETREAT_NS, self._retreat_ns // 2)
        return now_ns < self._not_before_ns

    def may_spin(self, now_ns: int, for_ns: int) -> bool:
        """Say whether to spin for that long now."""
        retreats = self.retreats(now_ns)
        if self._seen_ns is not None:
            earned = (now_ns - self._seen_ns) * SPIN_SHARE
            self._saved_ns = min(float(_SPIN_BURST_NS), self._saved_ns + earned)
        self._seen_ns = now_ns
        return not retreats and for_ns <= self._saved_ns

    def spun(self, now_ns: int, for_ns: int, longest_step_ns: int) -> None:
        """Note how a spin went, or has gone on. It is looked at before the next one: what is due comes first.

        Args:
            now_ns: when it ended.
            for_ns: how long it has been going on.
            longest_step_ns: its longest step since the last note.
        """
        before = self._spun[2] if self._spun is not None else 0
        self._spun = (now_ns, for_ns, max(before, longest_step_ns))

    def stalled(self, now_ns: int) -> None:
        """Note that somebody else had the core."""
        self.stalls += 1
        self._recent = self._recent * _STALL_FADES + 1
        if self._recent > _STALLS_TO_RETREAT and now_ns >= self._not_before_ns:
            self._recent = 0.0
            self._not_before_ns = now_ns + self._retreat_ns
            self._retreat_ns = min(_LONGEST_RETREAT_NS, 2 * self._retreat_ns)


class WallClock:
    """The wall clock, in nanoseconds, and how to wait for a moment on it.

    Waiting has two parts. :meth:`timer` wakes somebody up when the last stretch begins, and the loop runs freely until
    then; :meth:`finish` goes through that stretch, which is never longer than :data:`LONGEST_HOLD_NS`, and returns on
    the dot. Use one clock on one loop.

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
        self.lead = Lead()
        self.spinning = Spinning()
        self._coarse_ns: int | None = None  # by how much the loop's timers may be late; None until it is known

    @property
    def lead_ns(self) -> int:
        """How long before a deadline to wake up now, in nanoseconds."""
        return _PLAIN_LEAD_NS if self.spinning.retreats(self.now_ns()) else self.lead.ns

    def is_close(self, due_ns: int) -> bool:
        """True when the last stretch has begun."""
        if self._coarse_ns is None:
            self._coarse_ns = _TIMER_ERROR_NS if timers_of(asyncio.get_running_loop()) is None else 0
        return due_ns - self.now_ns() <= self.lead.ns + self._coarse_ns

    @contextlib.contextmanager
    def timer(self, due_ns: int, wake: Callable[[], object]) -> Iterator[None]:
        """Call ``wake`` on the running loop when the last stretch before ``due_ns`` begins, unless left before."""
        loop = asyncio.get_running_loop()
        at_ns = due_ns - self.lead_ns
        timers = timers_of(loop)
        if timers is not None:
            handle: asyncio.TimerHandle | Timer = timers.call_at(at_ns, wake)
        else:
            wait_ns = max(0, at_ns - _TIMER_ERROR_NS - self.now_ns())
            handle = loop.call_later(wait_ns * self.speed / 1e9, wake)
        try:
            yield
        finally:
            handle.cancel()
        now = self.now_ns()
        if now - at_ns > _STUCK_NS:
            self.spinning.stalled(now)
        elif now > at_ns:  # else something else woke it, or a timer that is early to be sure
            self.lead.arrived(now - at_ns)

    def finish(self, due_ns: int) -> int:
        """Wait through the last stretch with the loop held, and return the time at its end, never before ``due_ns``."""
        now = self.now_ns()
        if now >= due_ns:
            return now
        plain = not self.spinning.may_spin(now, min(due_ns - now, self.lead.ns))
        if plain or due_ns - now > self.lead.ns:
            now = self._sleep_until(due_ns if plain else due_ns - self.lead.ns)
            if now >= due_ns:
                return now
        # Twice through the same lines: after a sleep they are in nobody's cache, and the second time they are.
        self._spin(now, due_ns - _WARM_UP_NS)
        return self._spin(now, due_ns)

    def _sleep_until(self, at_ns: int) -> int:
        with fine_sleeping():
            while (left_ns := at_ns - self.now_ns()) > 0:
                self._sleep(left_ns / 1e9)
        return self.now_ns()

    def _spin(self, begun_ns: int, due_ns: int) -> int:
        now_ns = self.now_ns
        longest = 0
        now = before = now_ns()
        while now < due_ns:
            now = now_ns()
            if now - before > longest:  # noqa: PLR1730 - a call takes as long as two steps
                longest = now - before
            before = now
        self.spinning.spun(now, now - begun_ns, longest)
        return now
