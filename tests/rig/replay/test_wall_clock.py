"""The wall clock's last stretch on a clock that a test turns; Linux's timers on a real loop, without waiting."""

from __future__ import annotations

import asyncio
import gc
import os
import selectors
import sys
from functools import partial
from pathlib import Path

import pytest

from rig.clock import run
from rig.replay.linux_timers import LoopTimers, fine_sleeping, timers_of
from rig.replay.wall_clock import LONGEST_HOLD_NS, SPIN_SHARE, STALL_NS, Lead, Spinning, WallClock

US = 1_000
S = 1_000_000_000


class Wall:
    """A clock on which every look takes 0.1 µs, every sleep 60 µs too long, and at chosen looks others get the core."""

    def __init__(self) -> None:
        self.ns = 0
        self.looks = 0
        self.slept_s: list[float] = []
        self.taken_at_look: dict[int, int] = {}

    def now_ns(self) -> int:
        self.looks += 1
        self.ns += 100 + self.taken_at_look.pop(self.looks, 0)
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.ns += round(seconds * 1e9) + 60_000


def on(wall: Wall) -> WallClock:
    return WallClock(now_ns=wall.now_ns, sleep=wall.sleep)


def test_with_a_free_core_the_last_stretch_is_spun_through() -> None:
    wall = Wall()
    assert 150_000 <= on(wall).finish(150_000) <= 150_200
    assert wall.slept_s == []


def test_what_is_past_is_returned_at_once() -> None:
    wall = Wall()
    assert on(wall).finish(50) == 100
    assert wall.looks == 1


def test_one_stalled_spin_is_forgiven_and_a_second_makes_it_sleep() -> None:
    wall = Wall()
    clock = on(wall)
    for _ in range(2):
        assert wall.slept_s == []
        wall.taken_at_look[wall.looks + 20] = 3_000 * US
        assert clock.finish(wall.ns + 150_000) > 3_000 * US
        wall.ns += 20_000 * US
    due = wall.ns + 150_000
    reached = clock.finish(due)
    assert len(wall.slept_s) == 1
    assert wall.slept_s[0] == pytest.approx(150e-6, abs=1e-6)
    assert due <= reached <= due + 62_000
    assert clock.spinning.stalls == 2


def test_a_sleep_that_ends_early_is_taken_up_again() -> None:
    wall = Wall()

    def sleep_half(seconds: float) -> None:
        wall.slept_s.append(seconds)
        wall.ns += round(seconds * 5e8)

    clock = WallClock(now_ns=wall.now_ns, sleep=sleep_half)
    clock.spinning.may_spin = lambda *_: False  # type: ignore[method-assign]
    assert clock.finish(150_000) >= 150_000
    assert len(wall.slept_s) > 5


def test_retreats_grow_while_stalls_go_on_and_end() -> None:
    spinning = Spinning()
    now = 0
    lengths = []
    for _ in range(8):
        spinning.stalled(now)
        spinning.stalled(now)
        begun = now
        while spinning.retreats(now):
            now += S // 4
        lengths.append((now - begun) // S)
    assert lengths == [1, 2, 4, 8, 16, 32, 64, 64]


def test_good_spins_shorten_the_next_retreat_again() -> None:
    spinning = Spinning()
    now = 0
    for _ in range(6):
        spinning.stalled(now)
        spinning.stalled(now)
        now += 64 * S
    for _ in range(200):
        now += S
        assert spinning.may_spin(now, 100 * US)
        spinning.spun(now, 100 * US, US)
    now += S
    assert not spinning.retreats(now)
    spinning.stalled(now)
    spinning.stalled(now)
    assert spinning.retreats(now + S - 1)
    assert not spinning.retreats(now + S)


def test_rare_stalls_are_no_reason_to_stop_spinning() -> None:
    spinning = Spinning()
    now = 0
    for deadline in range(2_000):
        now += 20_000 * US
        assert spinning.may_spin(now, 100 * US)
        spinning.spun(now, 100 * US, STALL_NS + 1 if deadline % 100 == 0 else US)
    assert spinning.stalls == 20


def test_spinning_takes_no_more_than_its_share_of_a_core() -> None:
    spinning = Spinning()
    now = spun = 0
    while now < 60 * S:
        now += 1_000 * US
        if spinning.may_spin(now, 300 * US):
            spinning.spun(now, 300 * US, US)
            spun += 300 * US
    assert 0.9 * SPIN_SHARE < spun / now < 1.1 * SPIN_SHARE


def test_the_lead_comes_to_rest_where_nineteen_wake_ups_in_twenty_are_in_time() -> None:
    lead = Lead()
    took = [200 + (index * 37) % 100 for index in range(3_000)]  # evenly from 200 to 299 µs
    for after in took:
        lead.arrived(after * US)
    in_time = 0
    for after in took[:1_000]:
        in_time += after * US <= lead.ns
        lead.arrived(after * US)
    assert 0.9 < in_time / 1_000 < 0.99


def test_the_lead_is_bounded() -> None:
    lead = Lead()
    for _ in range(1_000):
        lead.arrived(10**9)
    assert lead.ns == LONGEST_HOLD_NS
    for _ in range(1_000):
        lead.arrived(1)
    assert lead.ns == 100 * US


def test_a_wake_up_stuck_behind_others_tells_nothing_of_the_lead_but_counts_as_a_stall() -> None:
    async def go() -> tuple[int, int]:
        wall = Wall()
        clock = on(wall)
        before = clock.lead.ns
        with clock.timer(1_000 * US, lambda: None):
            wall.ns = 5_000 * US
        return clock.lead.ns - before, clock.spinning.stalls

    assert run(go()) == (0, 1)


def test_without_fine_timers_the_loop_wakes_early_and_the_rest_is_slept_then_spun() -> None:
    wall = Wall()

    async def go() -> tuple[int, int]:
        loop = asyncio.get_running_loop()  # virtual: it takes no descriptors
        assert timers_of(loop) is None
        clock = on(wall)
        due = 50_000 * US
        woken = asyncio.Event()
        with clock.timer(due, woken.set):
            await woken.wait()
            wall.ns += round(loop.time() * 1e9)
        assert clock.is_close(due)
        left = due - wall.ns
        return left, clock.finish(due) - due

    left, late = run(go())
    assert 1_000 * US < left < 1_000 * US + LONGEST_HOLD_NS
    assert len(wall.slept_s) == 1
    assert 0 <= late <= 200


# ---- Linux -----------------------------------------------------------------------------------------------------------

linux = pytest.mark.skipif(sys.platform != "linux", reason="timer descriptors are Linux's")


@linux
def test_linux_timers_wake_in_the_order_of_their_deadlines_and_leave_out_the_cancelled() -> None:
    async def go() -> list[int]:
        timers = timers_of(asyncio.get_running_loop())
        assert timers is not None
        assert timers is timers_of(asyncio.get_running_loop())
        woken: list[int] = []
        done = asyncio.get_running_loop().create_future()
        made = [timers.call_at(at, partial(woken.append, at)) for at in (30, 10, 20)]
        timers.call_at(40, lambda: done.set_result(None))
        made[2].cancel()
        assert woken == []
        await done
        return woken

    assert run(go(), speed=1.0) == [10, 30]


@linux
def test_a_linux_timer_can_be_cancelled_by_another_that_is_due_with_it() -> None:
    async def go() -> list[str]:
        loop = asyncio.get_running_loop()
        timers = timers_of(loop)
        assert timers is not None
        woken: list[str] = []
        loop.set_exception_handler(lambda _loop, context: woken.append(repr(context["exception"])))
        done = loop.create_future()
        timers.call_at(10, lambda: second.cancel())  # noqa: PLW0108 - it is made below
        second = timers.call_at(10, lambda: woken.append("second"))
        timers.call_at(20, lambda: done.set_result(None))
        await done
        return woken

    assert run(go(), speed=1.0) == []


@linux
def test_linux_timers_go_on_after_one_whose_call_failed() -> None:
    async def go() -> list[str]:
        loop = asyncio.get_running_loop()
        timers = timers_of(loop)
        assert timers is not None
        reported: list[str] = []
        loop.set_exception_handler(lambda _loop, context: reported.append(repr(context["exception"])))
        done = loop.create_future()
        timers.call_at(1, lambda: 1 / 0)
        timers.call_at(2, lambda: done.set_result(None))
        await done
        return reported

    assert run(go(), speed=1.0) == ["ZeroDivisionError('division by zero')"]


@linux
def test_a_loops_descriptor_is_closed_with_it() -> None:
    loop = asyncio.SelectorEventLoop()
    timers = timers_of(loop)
    assert timers is not None
    descriptor = timers._descriptor
    os.fstat(descriptor)
    loop.close()
    del loop, timers
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@linux
def test_a_loop_that_takes_no_descriptors_leaves_none_open() -> None:
    class Deaf(asyncio.SelectorEventLoop):
        def add_reader(self, *_args: object) -> None:
            raise NotImplementedError

    loop = Deaf(selectors.SelectSelector())
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert timers_of(loop) is None
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    loop.close()


@linux
def test_the_threads_timer_slack_is_put_back() -> None:
    slack = Path("/proc/self/timerslack_ns")
    before = slack.read_text()
    with fine_sleeping():
        assert slack.read_text() == "1\n"
    assert slack.read_text() == before != "1\n"


@linux
def test_timers_are_kept_by_their_loop_alone() -> None:
    loop = asyncio.SelectorEventLoop()
    assert isinstance(timers_of(loop), LoopTimers)
    loop.close()
