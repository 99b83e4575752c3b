"""A loop's ``call_at`` to the microsecond on the wall clock, for a device that has its deadlines called by one.

Refuses to know what is due.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from rig.clock import ScaledLoop, VirtualTimeLoop

if TYPE_CHECKING:
    from rig.replay.wall_clock import WallClock


class Timer(Protocol):
    """What is needed of an ``asyncio.TimerHandle``."""

    def when(self) -> float:
        """When it is due, in seconds of the loop's clock."""
        ...

    def cancel(self) -> None:
        """Call nothing."""
        ...


CallAt = Callable[..., Timer]
"""``call_at(when, callback, *args)``, as an event loop's."""


def call_at_for_loop() -> CallAt:
    """Return the running loop's own ``call_at`` in virtual time, where it is exact, else one to the microsecond."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualTimeLoop):
        return loop.call_at
    from rig.replay.wall_clock import WallClock  # noqa: PLC0415 - virtual time has no use for it

    return PreciseTimers(WallClock(speed=loop.factor if isinstance(loop, ScaledLoop) else 1.0)).call_at


class PreciseTimers:
    """Makes timers that go off when they are due, and not up to a millisecond later.

    Args:
        clock: what to wait on.
    """

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> Timer:
        """Call ``callback`` at ``when`` seconds of the running loop's clock; never within this call."""
        return _Precise(self._clock, when, callback, args)


class _Precise:
    """One timer. The loop is free until the last stretch before the deadline, and held through that."""

    def __init__(self, clock: WallClock, when: float, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        loop = asyncio.get_running_loop()
        self._clock = clock
        self._when = when
        self._call = (callback, args)
        left_s = when - loop.time()  # read first: whatever comes between the two clocks makes it late, never early
        self._due_ns = clock.now_ns() + round(left_s * 1e9 / clock.speed)
        self._cancelled = False
        self._waiting = contextlib.ExitStack()
        if clock.is_close(self._due_ns):
            loop.call_soon(self._go_off)
        else:
            self._waiting.enter_context(clock.timer(self._due_ns, self._go_off))

    def when(self) -> float:
        """When it is due, in seconds of the loop's clock."""
        return self._when

    def cancel(self) -> None:
        """Call nothing."""
        if not self._cancelled:
            self._cancelled = True
            # As somebody who is cancelled leaves it: the clock learns nothing from a wake-up that never was.
            self._waiting.__exit__(asyncio.CancelledError, asyncio.CancelledError(), None)

    def _go_off(self) -> None:
        if self._cancelled:
            return
        self._waiting.close()
        if not self._clock.is_close(self._due_ns):  # woken early: the system has no fine timer
            self._waiting.enter_context(self._clock.timer(self._due_ns, self._go_off))
            return
        self._cancelled = True
        self._clock.finish(self._due_ns)
        callback, args = self._call
        callback(*args)
