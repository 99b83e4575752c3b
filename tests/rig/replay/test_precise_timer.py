"""Timers on the wall: called once and a little ahead, held to the dot, never within the call that makes them."""

from __future__ import annotations

import asyncio

from rig.clock import run
from rig.replay.precise_timer import PreciseTimer, PreciseTiming, timing_for_loop
from rig.replay.wall_clock import PLAIN_HOLD_NS, WallClock


def on_the_wall(offsets_s: list[float], *, cancel: int | None = None) -> list[tuple[int, float]]:
    """Which timers went off, in order, and by how much after their time they let go, in seconds."""

    async def wait() -> list[tuple[int, float]]:
        loop = asyncio.get_running_loop()
        timing = PreciseTiming(WallClock())
        went_off: list[tuple[int, float]] = []
        handles: list[PreciseTimer] = []

        def go_off(n: int, due: float) -> None:
            handles[n].hold()
            went_off.append((n, loop.time() - due))

        begun = loop.time()
        for n, offset in enumerate(offsets_s):
            handles.append(timing.call_before(begun + offset, go_off, n, begun + offset))
        assert went_off == []
        assert [handle.when() for handle in handles] == [begun + offset for offset in offsets_s]
        if cancel is not None:
            handles[cancel].cancel()
            handles[cancel].cancel()
        await asyncio.sleep(max(offsets_s) + 0.02)
        for handle in handles:
            handle.cancel()  # after the fact: nothing happens
        return went_off

    return run(wait(), speed=1.0)


def test_timers_go_off_in_order_and_never_let_go_early() -> None:
    went_off = on_the_wall([0.012, 0.004, 0.008])
    assert [n for n, _ in went_off] == [1, 2, 0]
    assert min(late for _, late in went_off) > -1e-5  # two clocks are read one after the other


def test_what_is_due_already_comes_in_the_next_round() -> None:
    assert [n for n, _ in on_the_wall([-1.0, 0.0])] == [0, 1]


def test_a_cancelled_timer_is_not_called() -> None:
    assert [n for n, _ in on_the_wall([0.004, 0.008], cancel=0)] == [1]
    assert [n for n, _ in on_the_wall([0.0, 0.008], cancel=0)] == [1]


class Wall:
    """A clock that moves when a test says so, and by a microsecond at every look while it is spun on."""

    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        self.ns += 1_000
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


def held(ahead_s: float, speed: float) -> tuple[float, float, float, int]:
    """By how much a timer due in so long was ahead when called, then its time before and after its hold, and at all."""
    wall = Wall()

    async def go() -> tuple[float, float, float, int]:
        loop = asyncio.get_running_loop()
        called = loop.create_future()
        due = loop.time() + ahead_s
        timing = PreciseTiming(WallClock(speed=speed, now_ns=wall.now_ns, sleep=wall.sleep))
        timer = timing.call_before(due, lambda: called.set_result(wall.ns))
        at_ns = await called
        before = timer.now() - due
        timer.hold()
        return ahead_s - at_ns * speed / 1e9, before, timer.now() - due, wall.ns

    return run(go())


def test_the_callback_comes_ahead_and_the_hold_ends_on_the_dot() -> None:
    ahead, before, after, ended_ns = held(200e-6, 1.0)
    assert 0 < ahead < PLAIN_HOLD_NS / 1e9
    assert before == 0.0  # it is never said to be earlier than the deadline
    assert 0 <= after < 5e-6
    assert 200_000 <= ended_ns < 210_000


def test_times_are_the_loops_where_that_runs_faster() -> None:
    _, _, after, ended_ns = held(10e-3, 50.0)
    assert 200_000 <= ended_ns < 210_000
    assert 0 <= after < 50 * 5e-6


def test_a_late_timer_tells_by_how_much() -> None:
    wall = Wall()

    async def go() -> float:
        loop = asyncio.get_running_loop()
        timer = PreciseTiming(WallClock(now_ns=wall.now_ns, sleep=wall.sleep)).call_before(loop.time(), print)
        timer.cancel()
        wall.ns += 7_000_000
        timer.hold()
        return timer.now() - timer.when()

    assert 7e-3 <= run(go()) < 7.01e-3


def test_virtual_time_needs_none() -> None:
    async def ask() -> bool:
        return timing_for_loop() is None

    assert run(ask())
    assert not run(ask(), speed=1.0)


def test_on_a_loop_that_runs_faster_the_time_is_the_loops() -> None:
    async def wait() -> float:
        loop = asyncio.get_running_loop()
        came = loop.create_future()
        due = loop.time() + 0.4
        timing = timing_for_loop()
        assert timing is not None

        def go_off() -> None:
            timer.hold()
            came.set_result(loop.time() - due)

        timer = timing.call_before(due, go_off)
        late: float = await came
        return late

    assert run(wait(), speed=50.0) > -1e-3
