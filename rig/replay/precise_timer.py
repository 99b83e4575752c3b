"""When a device is asked for what is due on the wall clock: a little before, so that it leaves to the microsecond.

Refuses to know what is due.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rig.clock import ScaledLoop, VirtualTimeLoop

if TYPE_CHECKING:
    from rig.radio.peripheral import Timing
    from rig.replay.wall_clock import WallClock


def timing_for_loop() -> Timing | None:
    """Return None in virtual time, where the running loop's own timers are exact, else what is to the microsecond."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualTimeLoop):
        return None
    from rig.replay.wall_clock import THIS_MACHINE, WallClock  # noqa: PLC0415 - virtual time has no use for it

    speed = loop.factor if isinstance(loop, ScaledLoop) else 1.0
    return PreciseTiming(WallClock(speed=speed, machine=THIS_MACHINE))


class PreciseTiming:
    """Times what a device hands to its radio. Implements :class:`rig.radio.peripheral.Timing`.

    Args:
        clock: what to wait on.
    """

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock

    def call_before(self, when: float, callback: Callable[..., object], *args: Any) -> PreciseTimer:
        """Call ``callback`` when the last stretch before ``when`` begins, or soon where that is past.

        Never within this call.

        Args:
            when: seconds of the running loop's clock.
            callback: what to call; it holds the timer once all is prepared.
            args: what to call it with.
        """
        return PreciseTimer(self._clock, when, callback, args)


class PreciseTimer:
    """One deadline. The loop is free until the last stretch before it, and held from then on."""

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
        self._cancelled = True
        self._waiting.close()

    def hold(self) -> None:
        """Return when it is due, with the loop held until then."""
        self._clock.finish(self._due_ns)

    def now(self) -> float:
        """Return the time to the nanosecond, in seconds of the loop's clock: never before it is due once held."""
        return self._when + max(0, self._clock.now_ns() - self._due_ns) * self._clock.speed / 1e9

    def _go_off(self) -> None:
        if self._cancelled:
            return
        self._cancelled = True
        self._waiting.close()
        callback, args = self._call
        callback(*args)
