"""Timers to the microsecond: called once, not before their time, not within the call that makes them."""

from __future__ import annotations

import asyncio

from rig.clock import run
from rig.replay.precise_timer import PreciseTimers, call_at_for_loop
from rig.replay.wall_clock import WallClock


def on_the_wall(offsets_s: list[float], *, cancel: int | None = None) -> list[tuple[int, float]]:
    """Which timers went off, in order, and by how much after their time, in seconds."""

    async def wait() -> list[tuple[int, float]]:
        loop = asyncio.get_running_loop()
        timers = PreciseTimers(WallClock())
        went_off: list[tuple[int, float]] = []
        begun = loop.time()
        handles = [
            timers.call_at(begun + offset, lambda n=n, due=begun + offset: went_off.append((n, loop.time() - due)))
            for n, offset in enumerate(offsets_s)
        ]
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


def test_timers_go_off_in_order_and_never_early() -> None:
    went_off = on_the_wall([0.012, 0.004, 0.008])
    assert [n for n, _ in went_off] == [1, 2, 0]
    assert min(late for _, late in went_off) > -1e-5  # two clocks are read one after the other


def test_what_is_due_already_comes_in_the_next_round() -> None:
    assert [n for n, _ in on_the_wall([-1.0, 0.0])] == [0, 1]


def test_a_cancelled_timer_is_not_called() -> None:
    assert [n for n, _ in on_the_wall([0.004, 0.008], cancel=0)] == [1]
    assert [n for n, _ in on_the_wall([0.0, 0.008], cancel=0)] == [1]


def test_in_virtual_time_the_loops_own_timers_are_exact() -> None:
    async def wait() -> float:
        loop = asyncio.get_running_loop()
        reached: list[float] = []
        call_at_for_loop()(12.5, lambda: reached.append(loop.time()))
        await asyncio.sleep(20.0)
        return reached[0]

    assert run(wait()) == 12.5


def test_on_a_loop_that_runs_faster_the_time_is_the_loops() -> None:
    async def wait() -> float:
        loop = asyncio.get_running_loop()
        came = loop.create_future()
        due = loop.time() + 0.4
        call_at_for_loop()(due, lambda: came.set_result(loop.time() - due))
        late: float = await came
        return late

    assert run(wait(), speed=50.0) > -1e-3
