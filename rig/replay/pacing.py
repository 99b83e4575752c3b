"""Lets each exchange go when it is due, exactly in virtual time, to the microsecond on the wall; measures lateness.

Every deadline is absolute, so that nothing adds up. Refuses to know what is exchanged: whoever waits hands it over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import NamedTuple, Protocol

from rig.clock import ScaledLoop, VirtualTimeLoop
from rig.replay.outcome import Lateness
from rig.replay.schedule import Schedule, Turn
from rig.replay.wall_clock import THIS_MACHINE, WallClock

_YIELD_EVERY_NS = 1_000_000  # of wall time that exchanges which are due already may keep the loop to themselves


class Clock(Protocol):
    """What a pacer waits on: :class:`LoopClock` or :class:`rig.replay.wall_clock.WallClock`."""

    now_ns: Callable[[], int]
    """The time, in nanoseconds."""
    speed: float
    """How many nanoseconds of replay go by in one of the clock's."""
    instant: bool
    """True where waiting takes no wall time."""

    def is_close(self, due_ns: int) -> bool:
        """True when :meth:`finish` may be called."""
        ...

    def timer(self, due_ns: int, wake: Callable[[], object]) -> contextlib.AbstractContextManager[None]:
        """Call ``wake`` on the running loop when :meth:`finish` may be called, unless left before."""
        ...

    def finish(self, due_ns: int) -> int:
        """Wait for the rest with the loop held, and return the time."""
        ...


class LoopClock:
    """The running loop's own clock and timers: exact in virtual time."""

    speed = 1.0
    instant = True

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.now_ns: Callable[[], int] = lambda: round(loop.time() * 1e9)

    def is_close(self, due_ns: int) -> bool:
        """True when the time has come."""
        return self.now_ns() >= due_ns

    @contextlib.contextmanager
    def timer(self, due_ns: int, wake: Callable[[], object]) -> Iterator[None]:
        """Call ``wake`` at that time."""
        handle = asyncio.get_running_loop().call_at(due_ns / 1e9, wake)
        try:
            yield
        finally:
            handle.cancel()

    def finish(self, due_ns: int) -> int:  # noqa: ARG002 - the contract's
        """Return the time: nothing is left to wait for."""
        return self.now_ns()


class Happened(NamedTuple):
    """An exchange that has taken place, from which others keep their recorded distance."""

    exchange: int
    """Which exchange of the transcript, from 0."""
    at: float
    """When, in seconds of the loop's clock (``loop.time()``)."""


class MovedError(Exception):
    """The replay was moved by :meth:`Pacer.seek` while somebody waited, or past what somebody wants to wait for.

    ``index`` is the exchange at which the replay goes on.
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"the replay was moved and goes on at exchange {index}")
        self.index = index


class _Waiter:
    """Somebody who waits for an exchange's turn."""

    __slots__ = ("due_ns", "future", "index", "moved")

    def __init__(self, index: int, due_ns: int | None) -> None:
        self.index = index
        self.due_ns = due_ns  # the position, where it keeps a distance to what happened
        self.moved = False
        self.future: asyncio.Future[None] | None = None

    def wake(self) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_result(None)


class Pacer:
    """Keeps a schedule's time on the running loop, and measures by how much it was missed.

    In virtual time every exchange comes exactly when it is due. On the wall clock the loop is free until a fraction of
    a millisecond before a deadline; that stretch is spun through where a core is free, and slept through where none is.
    :meth:`wait` returns in the same step of the loop in which the moment came, so hand over what is due at once, before
    any other ``await``.

    The replay's own time, its *position*, begins at 0 with :meth:`start` or the first :meth:`wait`, stands still while
    paused, and leaps in :meth:`seek`.

    Args:
        schedule: when each exchange is due.
        clock: what to wait on; None chooses by the running loop: its own timers in virtual time, else the wall clock.
        relaxed: on the wall clock, neither spin nor hold the loop: each exchange is as late as the system's timers are.
    """

    def __init__(self, schedule: Schedule, *, clock: Clock | None = None, relaxed: bool = False) -> None:
        self.schedule = schedule
        self._relaxed = relaxed
        self._clock = clock
        self._shift_ns = 0  # the clock's time at position 0
        self._begun = False
        self._frozen_ns: int | None = None  # the position, while paused
        self._round_ns = 0  # the position at which the round began
        self._round = 0
        self._first = 0  # exchanges before it have been passed over
        self._next = 0  # whose turn :meth:`turns` gives
        self._leapt_ns = 0  # the position after the last leap: nothing is late for having been leapt over
        self._steps = 0
        self._waiters: dict[_Waiter, None] = {}  # in the order in which they came
        self._lateness_ns: list[int] = []
        self._yielded_ns = 0

    # ---- where it is ------------------------------------------------------------------------------------------------

    @property
    def lateness(self) -> Lateness:
        """By how much each exchange was late so far, in nanoseconds of the wall (of virtual time where it is virtual).

        Exchanges let go by :meth:`step` are not in it: a person chose their moment.
        """
        return Lateness(tuple(self._lateness_ns))

    @property
    def position_ns(self) -> int:
        """How far the replay is, in nanoseconds of the schedule, all rounds added up; 0 before it begins."""
        if self._frozen_ns is not None:
            return self._frozen_ns
        return self._position_of(self._clock_for_loop().now_ns()) if self._begun else 0

    @property
    def paused(self) -> bool:
        """True between :meth:`pause` and :meth:`resume`."""
        return self._frozen_ns is not None

    @property
    def round(self) -> int:
        """Which time through the transcript, from 0."""
        return self._round

    # ---- waiting ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin: the position is 0 now. Does nothing when it has begun."""
        if not self._begun:
            self._begun = True
            self._shift_ns = self._clock_for_loop().now_ns()
            self._yielded_ns = self._shift_ns

    async def wait(self, index: int, *, after: Happened | None = None) -> int:
        """Return when an exchange is due, with its lateness in nanoseconds, which is also kept.

        Args:
            index: which exchange of the transcript.
            after: keep the recorded distance to this exchange, counted from when it really happened; None: keep to the
                schedule's own time.

        Raises:
            IndexError: there is no such exchange.
            MovedError: somebody called :meth:`seek`, and the exchange may not be next any more.
        """
        self.start()
        self.schedule.checked(index)
        due_ns = None
        if after is not None:
            due_ns = self._position_at(after.at) + self.schedule.between_ns(after.exchange, index)
        if index < self._first:
            raise MovedError(self._first)
        waiter = _Waiter(index, due_ns)
        self._waiters[waiter] = None
        try:
            stepped = await self._come(waiter)
        finally:
            del self._waiters[waiter]
            if self._steps:
                self._wake_all()  # it may have stood in front of the one whose step it is
        self._next = index + 1
        if stepped:
            return 0
        due_ns = self._due_ns(waiter)
        counts_from_ns = self._clock_time_of(max(due_ns, self._leapt_ns))
        late_ns = self._clock_for_loop().finish(self._clock_time_of(due_ns)) - counts_from_ns
        late_ns = max(late_ns, 0)
        self._lateness_ns.append(late_ns)
        return late_ns

    async def turns(self, *, rounds: int | None = 1, rest_ns: int = 0) -> AsyncIterator[Turn]:
        """Yield each exchange's turn when it is due, ``rounds`` times through; seeking goes on elsewhere in the round.

        ``due_ns`` of a turn is the position at which it was due.

        Args:
            rounds: how often; None for without end.
            rest_ns: nanoseconds between the last exchange of a round and the beginning of the next.

        Raises:
            ValueError: as :meth:`Schedule.turns`.
        """
        self.schedule.check_rounds(rounds, rest_ns)
        begun = 0
        while rounds is None or begun < rounds:
            if begun:
                self.begin_round(rest_ns)
            begun += 1
            while (index := self._next) < len(self.schedule):
                try:
                    await self.wait(index)
                except MovedError:
                    continue
                yield Turn(self._round, index, self._round_ns + self.schedule.due_ns(index))

    def begin_round(self, rest_ns: int = 0) -> None:
        """Begin the transcript again, ``rest_ns`` after its last exchange is due in the round that ends here.

        Raises:
            ValueError: ``rest_ns`` is negative.
        """
        self.schedule.check_rounds(1, rest_ns)
        self.start()
        self._round += 1
        self._round_ns += self.schedule.duration_ns + rest_ns
        self._first = self._next = 0

    def happened(self, index: int, at: float | None = None) -> Happened:
        """Note that an exchange took place, now or at a time of the loop's clock, to keep a distance to it.

        Raises:
            IndexError: there is no such exchange.
        """
        return Happened(self.schedule.checked(index), asyncio.get_running_loop().time() if at is None else at)

    def shift_to(self, happened: Happened) -> None:
        """Move the whole schedule so that an exchange was due when it happened, and all others keep their distance."""
        self.start()
        self._round_ns = self._position_at(happened.at) - self.schedule.due_ns(happened.exchange)
        self._wake_all()

    # ---- by hand ----------------------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Stand still: the position stays, and nothing is due. Does nothing when paused."""
        if self._frozen_ns is None:
            self.start()
            self._frozen_ns = self.position_ns
            self._wake_all()

    def resume(self) -> None:
        """Go on from where it stands. Steps not taken are forgotten. Does nothing when not paused."""
        if self._frozen_ns is not None:
            self._shift_ns += self._clock_for_loop().now_ns() - self._clock_time_of(self._frozen_ns)
            self._frozen_ns = None
            self._steps = 0
            self._wake_all()

    def step(self, count: int = 1) -> None:
        """Let the next exchanges go at once, in the schedule's order, and stand still after them; pauses first.

        Raises:
            ValueError: ``count`` is below 1.
        """
        if count < 1:
            raise ValueError(f"step: a number of exchanges at or above 1 is needed, not {count}")
        self.pause()
        self._steps += count
        self._wake_all()

    def seek(self, index: int) -> None:
        """Go on at an exchange of this round, which is due at once (or on :meth:`resume`); back or forth.

        Whoever waits gets :class:`MovedError`. The number of exchanges goes to the end.

        Raises:
            IndexError: there is no such exchange.
        """
        size = len(self.schedule)
        due_ns = self.schedule.duration_ns if index == size else self.schedule.due_ns(index)
        self.start()
        leap_ns = self._round_ns + due_ns - self.position_ns
        if self._frozen_ns is not None:
            self._frozen_ns += leap_ns
        else:
            self._shift_ns -= round(leap_ns / self._clock_for_loop().speed)
        self._leapt_ns = self.position_ns
        self._first = self._next = index
        self._steps = 0
        for waiter in self._waiters:
            waiter.moved = True
        self._wake_all()

    # ---- inside -----------------------------------------------------------------------------------------------------

    def _due_ns(self, waiter: _Waiter) -> int:
        """Return the position at which it is due, which :meth:`shift_to` may move while it waits."""
        return waiter.due_ns if waiter.due_ns is not None else self._round_ns + self.schedule.due_ns(waiter.index)

    async def _come(self, waiter: _Waiter) -> bool:
        """Wait until the last stretch before it is due; True when it was let go by a step instead."""
        clock = self._clock_for_loop()
        has_yielded = False
        while True:
            if waiter.moved:
                raise MovedError(self._first)
            due_ns = self._due_ns(waiter)
            if self._frozen_ns is not None:
                if self._steps and waiter.index == min(other.index for other in self._waiters):
                    self._steps -= 1
                    self._frozen_ns = self._leapt_ns = max(self._frozen_ns, due_ns)
                    return True
                await self._sleep(waiter, None)
            elif not clock.is_close(self._clock_time_of(due_ns)):
                await self._sleep(waiter, self._clock_time_of(due_ns))
            elif not has_yielded and self._must_yield(clock):
                await asyncio.sleep(0)
            else:
                return False
            has_yielded = True
            self._yielded_ns = clock.now_ns()

    def _must_yield(self, clock: Clock) -> bool:
        """Say whether others have to run first, so that a burst of what is due already starves nobody."""
        return clock.instant or clock.now_ns() - self._yielded_ns > _YIELD_EVERY_NS

    async def _sleep(self, waiter: _Waiter, until_ns: int | None) -> None:
        """Sleep until the clock's time comes near, or somebody wakes the waiter."""
        waiter.future = asyncio.get_running_loop().create_future()
        try:
            if until_ns is None:
                await waiter.future
            else:
                with self._clock_for_loop().timer(until_ns, waiter.wake):
                    await waiter.future
        finally:
            waiter.future = None

    def _wake_all(self) -> None:
        for waiter in self._waiters:
            waiter.wake()

    def _clock_for_loop(self) -> Clock:
        if self._clock is None:
            loop = asyncio.get_running_loop()
            if isinstance(loop, VirtualTimeLoop):
                self._clock = LoopClock()
            else:
                factor = loop.factor if isinstance(loop, ScaledLoop) else 1.0
                self._clock = WallClock(speed=factor, machine=THIS_MACHINE, relaxed=self._relaxed)
        return self._clock

    def _clock_time_of(self, position_ns: int) -> int:
        speed = self._clock_for_loop().speed
        return self._shift_ns + (position_ns if speed == 1 else round(position_ns / speed))

    def _position_of(self, clock_ns: int) -> int:
        speed = self._clock_for_loop().speed
        since_ns = clock_ns - self._shift_ns
        return since_ns if speed == 1 else round(since_ns * speed)

    def _position_at(self, at: float) -> int:
        """Return the position at a time of the loop's clock, in seconds; a pause since then counts as none."""
        return self.position_ns - round((asyncio.get_running_loop().time() - at) * 1e9)
