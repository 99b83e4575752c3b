"""Waiting on the wall clock to the microsecond from within an event loop: sleep, stay awake, then spin.

The one place of replay that reads ``time.perf_counter_ns``: an event loop's own clock has ticks of 15 ms on Windows,
and its default selector on Linux rounds every wait up to a whole millisecond. Refuses to know schedules.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from typing import Final

from rig.replay.linux_timers import Timer, fine_sleeping, short_slices, timers_of

HOLD_NS: Final = 300_000
"""How long the loop is held before a deadline while spinning: time to prepare what is due, which is then at hand."""

PLAIN_HOLD_NS: Final = 600_000
"""How long the loop is held, asleep, where there is no spinning, and 1 ms more where it has no fine timers."""

LONGEST_HOLD_NS: Final = 5_000_000
"""How long it is held, asleep, where whoever works before a deadline has the core taken away for some milliseconds."""

LONGEST_LEAD_NS: Final = 2_000_000
"""How long before a deadline the core is kept awake at most; the loop runs freely until it is held."""

STALL_NS: Final = 200_000
"""A spin step that took longer was no step: the scheduler gave the core to somebody else."""

SPIN_SHARE: Final = 0.03
"""At most this share of one core goes into staying awake and spinning."""

_FIRST_LEAD_NS: Final = 600_000
_SHORTEST_NAP_NS: Final = 5_000
_LONGEST_NAP_NS: Final = 200_000
_STUCK_NS: Final = 1_000_000  # a wake-up that took longer says nothing of the machine, only that its cores were taken
_SPIN_BURST_NS: Final = 20_000_000  # what may be saved up in quiet times
_OF_THE_SAVED: Final = 8  # one deadline may have this part of it: many in short order each get less, and none nothing
_STALLS_TO_RETREAT: Final = 1.8  # two in about ten deadlines, three in about thirty; then one, for the next thirty
_STALL_FADES: Final = 0.98  # with each deadline
_FIRST_RETREAT_NS: Final = 4_000_000_000
_LONGEST_RETREAT_NS: Final = 64_000_000_000
_WARM_UP_NS: Final = 20_000
_TIMER_ERROR_NS: Final = 1_000_000  # an event loop's own timers, where nothing finer is at hand


class Margin:
    """How much too late something comes, but for few times: followed by small steps down and long ones up.

    The steps come to rest at the quantile at which ups and downs are in balance. From a timer's moment to a callback of
    the loop it is 50 µs on one machine and 400 on another whose cores doze off.

    Args:
        quantile: the share of times that stay below it.
        first_ns: where to begin.
        shortest_ns: never below.
        longest_ns: never above.
        step_ns: how far down with each time that stays below.
    """

    def __init__(self, quantile: float, *, first_ns: int, shortest_ns: int, longest_ns: int, step_ns: int) -> None:
        self.ns = first_ns
        self._bounds = (shortest_ns, longest_ns)
        self._down_ns = step_ns
        self._up_ns = round(step_ns * quantile / (1 - quantile))

    def saw(self, ns: int) -> None:
        """Note how late it was this time."""
        shortest, longest = self._bounds
        self.ns = max(shortest, min(longest, self.ns + (self._up_ns if ns > self.ns else -self._down_ns)))


class Spinning:
    """Whether to spin through the last stretch: not when it costs too much, and not while every core is taken.

    When all cores are busy, the scheduler takes the core away from whoever spins, for milliseconds, while it lets a
    sleeper in at once. So when spins stall or wake-ups are stuck twice in short order, plain sleeping takes over, for
    some seconds at first and for twice as long each further time, up to about a minute; a single stall soon afterwards
    is enough to return to it, and a good spin halves its time again.
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

    def allowance_ns(self, now_ns: int) -> int:
        """Return for how long the core may be kept awake for the next deadline; 0 where it is not worth while."""
        allowed = 0 if self.retreats(now_ns) else int(self._saved(now_ns) / _OF_THE_SAVED)
        return allowed if allowed >= HOLD_NS else 0

    def may_spin(self, now_ns: int, for_ns: int) -> bool:
        """Say whether to spin for that long now."""
        return not self.retreats(now_ns) and for_ns <= self._saved(now_ns)

    def _saved(self, now_ns: int) -> float:
        if self._seen_ns is not None:
            self._saved_ns = min(float(_SPIN_BURST_NS), self._saved_ns + (now_ns - self._seen_ns) * SPIN_SHARE)
        self._seen_ns = now_ns
        return self._saved_ns

    def was_awake(self, for_ns: int) -> None:
        """Note for how long the core was kept awake before a spin."""
        self._saved_ns -= for_ns

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
            self._recent = 1.0
            self._not_before_ns = now_ns + self._retreat_ns
            self._retreat_ns = min(_LONGEST_RETREAT_NS, 2 * self._retreat_ns)


class Machine:
    """What is known of the machine: it is the same for all clocks of a process, and outlives a replay."""

    def __init__(self) -> None:
        self.lead = Margin(
            0.995, first_ns=_FIRST_LEAD_NS, shortest_ns=HOLD_NS, longest_ns=LONGEST_LEAD_NS, step_ns=1_000
        )
        """How long before a deadline to wake up in order to spin."""
        self.plain_hold = Margin(
            0.99, first_ns=PLAIN_HOLD_NS, shortest_ns=PLAIN_HOLD_NS, longest_ns=LONGEST_HOLD_NS, step_ns=10_000
        )
        """How long before a deadline to wake up in order to be back asleep in time, with all prepared."""
        self.nap = Margin(0.9, first_ns=60_000, shortest_ns=_SHORTEST_NAP_NS, longest_ns=_LONGEST_NAP_NS, step_ns=2_000)
        """How much longer than asked for a sleep with the loop held takes."""
        self.spinning = Spinning()


THIS_MACHINE: Final = Machine()


class WallClock:
    """The wall clock, in nanoseconds, and how to wait for a moment on it.

    Waiting has three parts. :meth:`timer` sleeps until shortly before the deadline, then keeps the core awake while the
    loop runs freely, so that what else is ready gets done, and wakes somebody up when the last stretch begins.
    :meth:`finish` goes through that stretch with the loop held, and returns on the dot. Use one clock on one loop.

    Args:
        speed: how many seconds of the running loop's clock go by in one of the wall's.
        machine: what is known of the machine; None: nothing yet.
        relaxed: neither hold the loop nor spin: a deadline comes as late as the system's timers are.
        now_ns: the clock, in nanoseconds.
        sleep: sleeps for so many seconds, in this thread.
    """

    instant = False

    def __init__(
        self,
        *,
        speed: float = 1.0,
        machine: Machine | None = None,
        relaxed: bool = False,
        now_ns: Callable[[], int] = time.perf_counter_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.speed = speed
        self.relaxed = relaxed
        self.now_ns = now_ns
        self._sleep = sleep
        self.machine = machine or Machine()
        self._woken_for_ns: int | None = None  # the deadline that a timer has woken somebody up for, in time
        self._coarse_ns: int | None = None  # by how much the loop's timers may be late; None until it is known

    def is_close(self, due_ns: int) -> bool:
        """True when the last stretch has begun."""
        return due_ns - self.now_ns() <= self._hold_ns()

    @contextlib.contextmanager
    def timer(self, due_ns: int, wake: Callable[[], object]) -> Iterator[None]:
        """Call ``wake`` on the running loop when the last stretch before ``due_ns`` begins, unless left before."""
        approach = _Approach(self, due_ns, wake)
        try:
            yield
        finally:
            approach.leave()

    def finish(self, due_ns: int) -> int:
        """Wait through the last stretch with the loop held, and return the time at its end, never before ``due_ns``.

        A relaxed clock holds nothing: the time may be before then, by as much as :meth:`is_close` lets pass.
        """
        now = self.now_ns()
        if self.relaxed:
            return now
        in_time, self._woken_for_ns = self._woken_for_ns == due_ns, None
        spins = self.machine.spinning.may_spin(now, due_ns - now)
        if in_time:
            if not spins:
                self.machine.plain_hold.saw(now - due_ns + self.machine.plain_hold.ns)
            elif now - due_ns > STALL_NS:  # somebody else had the core while what is due was prepared
                self.machine.spinning.stalled(now)
        if now >= due_ns:
            return now
        if not spins:
            at_ns = due_ns - self.machine.nap.ns
            if now < at_ns:
                now = self._sleep_until(at_ns)
                self.machine.nap.saw(now - at_ns)
            if now >= due_ns:
                return now
        # Twice through the same lines: after a sleep they are in nobody's cache, and the second time they are.
        self._spin(now, due_ns - _WARM_UP_NS)
        return self._spin(now, due_ns)

    def noted(self, due_ns: int) -> None:
        """Note that somebody was woken up for a deadline, by a timer that was set in time."""
        self._woken_for_ns = due_ns

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _hold_ns(self) -> int:
        if self.relaxed:
            return 0
        machine = self.machine
        return HOLD_NS if machine.spinning.allowance_ns(self.now_ns()) else machine.plain_hold.ns + self.coarse_ns

    @property
    def coarse_ns(self) -> int:
        """By how much the running loop's timers may be late, in nanoseconds, beside the time that waking up takes."""
        if self._coarse_ns is None:
            self._coarse_ns = _TIMER_ERROR_NS if timers_of(asyncio.get_running_loop()) is None else 0
        return self._coarse_ns

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
        self.machine.spinning.spun(now, now - begun_ns, longest)
        return now


class _Approach:
    """The way to one deadline's last stretch: asleep, then awake with the loop running freely."""

    def __init__(self, clock: WallClock, due_ns: int, wake: Callable[[], object]) -> None:
        self._clock = clock
        self._loop = loop = asyncio.get_running_loop()
        self._due_ns = due_ns
        self._wake = wake
        self._awake_since_ns = 0
        now = clock.now_ns()
        lead_ns = 0
        if not clock.relaxed:
            machine = clock.machine
            lead_ns = min(machine.lead.ns, machine.spinning.allowance_ns(now)) or machine.plain_hold.ns
        self._at_ns = due_ns - lead_ns
        self._handle: asyncio.Handle | Timer
        timers = timers_of(loop)
        if now >= self._at_ns:
            self._awake_since_ns = now
            self._handle = loop.call_soon(self._look)
        elif timers is not None:
            self._handle = timers.call_at(self._at_ns, self._woken)
        else:
            wait_ns = max(0, self._at_ns - clock.coarse_ns - now)
            self._handle = loop.call_later(wait_ns * clock.speed / 1e9, self._woken)

    def leave(self) -> None:
        """Wake nobody any more."""
        self._handle.cancel()

    def _woken(self) -> None:
        machine = self._clock.machine
        self._awake_since_ns = now = self._clock.now_ns()
        self._clock.noted(self._due_ns)
        if now - self._at_ns > _STUCK_NS:
            machine.spinning.stalled(now)
        elif now > self._at_ns:  # else a timer that is early to be sure
            machine.lead.saw(now - self._at_ns + HOLD_NS)
        self._look()

    def _look(self) -> None:
        clock = self._clock
        if not clock.is_close(self._due_ns):
            self._handle = self._loop.call_soon(self._look)
            return
        if not clock.relaxed:
            clock.machine.spinning.was_awake(clock.now_ns() - self._awake_since_ns)
        self._wake()


SET_ASIDE_BY_PYTHON = 1_000
"""At most so many objects are out of collections as a program begins: 375 in CPython 3.12.1, 0 before and after it."""


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let this thread come in as soon as it wakes, and keep garbage collections short. For the time of a replay.

    What there is now is left out of collections (``gc.freeze``) until the end: going through all objects of a program
    takes tens of milliseconds, through those of a replay less than one. Where somebody has frozen before, that is left
    alone. For scheduling see :func:`rig.replay.linux_timers.short_slices`.
    """
    freezes = gc.get_freeze_count() <= SET_ASIDE_BY_PYTHON
    if freezes:
        gc.freeze()
    try:
        with short_slices():
            yield
    finally:
        if freezes:
            gc.unfreeze()
