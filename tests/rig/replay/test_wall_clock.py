"""The wall clock's last stretch on a clock that a test turns; Linux's timers on a real loop, without waiting."""

from __future__ import annotations

import asyncio
import gc
import os
import selectors
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from rig.clock import run
from rig.replay import linux_timers
from rig.replay.linux_timers import LoopTimers, fine_sleeping, short_slices, timers_of
from rig.replay.wall_clock import (
    HOLD_NS,
    LONGEST_HOLD_NS,
    LONGEST_LEAD_NS,
    PLAIN_HOLD_NS,
    SET_ASIDE_BY_PYTHON,
    SPIN_SHARE,
    STALL_NS,
    Machine,
    Margin,
    Spinning,
    WallClock,
    undisturbed,
)

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


def test_one_stalled_spin_is_forgiven_and_a_second_makes_it_sleep_up_to_the_last_moment() -> None:
    wall = Wall()
    clock = on(wall)
    for _ in range(2):
        assert wall.slept_s == []
        wall.taken_at_look[wall.looks + 20] = 3_000 * US
        assert clock.finish(wall.ns + 150_000) > 3_000 * US
        wall.ns += 20_000 * US
    due = wall.ns + 150_000
    reached = clock.finish(due)
    assert wall.slept_s == [pytest.approx((150_000 - 60_000) * 1e-9, abs=1e-6)]
    assert due <= reached <= due + 62_000
    assert clock.machine.spinning.stalls == 2


def test_sleeps_are_shortened_by_as_much_as_they_take_too_long() -> None:
    wall = Wall()
    clock = on(wall)
    clock.machine.spinning.may_spin = lambda *_: False  # type: ignore[method-assign]
    clock.machine.nap.ns = 5 * US
    late = []
    for _ in range(30):
        due = wall.ns + 400 * US
        late.append(clock.finish(due) - due)
    assert late[0] > 50 * US
    assert max(late[10:]) < 2 * US  # at rest at its quantile, one in ten comes a step too late
    assert 60 * US <= clock.machine.nap.ns < 85 * US


def test_a_sleep_that_ends_early_is_taken_up_again() -> None:
    wall = Wall()

    def sleep_half(seconds: float) -> None:
        wall.slept_s.append(seconds)
        wall.ns += round(seconds * 5e8)

    clock = WallClock(now_ns=wall.now_ns, sleep=sleep_half)
    clock.machine.spinning.may_spin = lambda *_: False  # type: ignore[method-assign]
    assert clock.finish(150_000) >= 150_000
    assert len(wall.slept_s) > 5


def test_a_relaxed_clock_neither_spins_nor_sleeps() -> None:
    wall = Wall()
    clock = WallClock(relaxed=True, now_ns=wall.now_ns, sleep=wall.sleep)
    assert not clock.is_close(300)
    assert clock.finish(150_000) == wall.ns < 1_000
    assert clock.is_close(wall.ns)
    assert wall.slept_s == []


def test_retreats_grow_while_stalls_go_on_and_end() -> None:
    spinning = Spinning()
    now = 0
    lengths = []
    for _ in range(7):
        spinning.stalled(now)
        spinning.stalled(now)
        begun = now
        while spinning.retreats(now):
            now += S // 4
        lengths.append((now - begun) // S)
    assert lengths == [4, 8, 16, 32, 64, 64, 64]


def test_soon_after_a_retreat_a_single_stall_is_enough_for_the_next() -> None:
    spinning = Spinning()
    spinning.stalled(0)
    assert not spinning.retreats(0)
    spinning.stalled(0)
    assert spinning.retreats(0)
    now = 4 * S
    assert not spinning.retreats(now)
    spinning.stalled(now)
    assert spinning.retreats(now)


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
    assert not spinning.retreats(now)
    spinning.stalled(now)
    assert spinning.retreats(now + 4 * S - 1)
    assert not spinning.retreats(now + 4 * S)


def test_rare_stalls_are_no_reason_to_stop_spinning() -> None:
    spinning = Spinning()
    now = 0
    for deadline in range(2_000):
        now += 20_000 * US
        assert spinning.may_spin(now, 100 * US)
        spinning.spun(now, 100 * US, STALL_NS + 1 if deadline % 100 == 0 else US)
    assert spinning.stalls == 20


def test_staying_awake_and_spinning_take_no_more_than_their_share_of_a_core() -> None:
    spinning = Spinning()
    now = awake = 0
    shortest = LONGEST_LEAD_NS
    while now < 60 * S:
        now += 5_000 * US
        if allowed := min(600 * US, spinning.allowance_ns(now)):
            shortest = min(shortest, allowed)
            spinning.was_awake(allowed - 100 * US)
            spinning.spun(now, 100 * US, US)
            awake += allowed
    assert 0.9 * SPIN_SHARE < awake / now < 1.1 * SPIN_SHARE
    assert shortest >= HOLD_NS  # many deadlines get less each, down to what is worth while


def test_a_spin_that_was_not_saved_up_for_is_refused() -> None:
    spinning = Spinning()
    assert spinning.may_spin(0, 300 * US)
    spinning.was_awake(20_000 * US)
    assert not spinning.may_spin(0, 300 * US)
    assert not spinning.may_spin(9_000 * US, 300 * US)
    assert spinning.may_spin(10_000 * US, 300 * US)


def test_a_margin_comes_to_rest_at_its_quantile() -> None:
    margin = Margin(0.95, first_ns=300 * US, shortest_ns=US, longest_ns=1_000 * US, step_ns=1_000)
    took = [200 + (index * 37) % 100 for index in range(3_000)]  # evenly from 200 to 299 µs
    for after in took:
        margin.saw(after * US)
    below = 0
    for after in took[:1_000]:
        below += after * US <= margin.ns
        margin.saw(after * US)
    assert 0.9 < below / 1_000 < 0.99


def test_a_margin_is_bounded() -> None:
    margin = Margin(0.9, first_ns=30, shortest_ns=20, longest_ns=100, step_ns=5)
    for _ in range(100):
        margin.saw(10**9)
    assert margin.ns == 100
    for _ in range(100):
        margin.saw(1)
    assert margin.ns == 20


# ---- the way there ---------------------------------------------------------------------------------------------------


class Alarm:
    """Stands for the system's fine timers: rings when a test says so."""

    def __init__(self) -> None:
        self.at_ns: list[int] = []
        self._wake: list[Callable[[], object]] = []

    def call_at(self, at_ns: int, wake: Callable[[], object]) -> Alarm:
        self.at_ns.append(at_ns)
        self._wake.append(wake)
        return self

    def cancel(self) -> None:
        self._wake.clear()

    def ring(self) -> None:
        for wake in self._wake:
            wake()


def approached(
    monkeypatch: pytest.MonkeyPatch, wall: Wall, clock: WallClock, due: int, late: int
) -> tuple[int, list[int]]:
    """How long before its deadline the alarm was set for, and when, counted from there, who waited was woken.

    The alarm rings ``late`` nanoseconds after its time; every round of the loop that follows takes 50 µs.
    """
    alarm = Alarm()
    monkeypatch.setattr("rig.replay.wall_clock.timers_of", lambda _loop: alarm)
    woken: list[int] = []

    async def go() -> None:
        with clock.timer(due, lambda: woken.append(wall.ns - due)):
            assert woken == []
            wall.ns = alarm.at_ns[-1] + late
            alarm.ring()
            for _ in range(100):
                await asyncio.sleep(0)
                if woken:
                    break
                wall.ns += 50 * US

    run(go())
    return due - alarm.at_ns[-1], woken


def test_awake_the_loop_runs_freely_until_the_last_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    clock = on(wall)
    lead, woken = approached(monkeypatch, wall, clock, 10_000 * US, late=20 * US)
    assert lead == 600 * US
    assert len(woken) == 1
    assert -HOLD_NS <= woken[0] <= -HOLD_NS + 51 * US
    assert clock.machine.lead.ns == 599 * US
    assert not clock.machine.spinning.may_spin(wall.ns, 20_000 * US - 200 * US)  # being awake is paid for
    assert clock.is_close(10_000 * US)


def test_what_else_is_ready_runs_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    alarm = Alarm()
    monkeypatch.setattr("rig.replay.wall_clock.timers_of", lambda _loop: alarm)

    async def go() -> int:
        rounds = 0
        woken = asyncio.Event()
        with on(wall).timer(10_000 * US, woken.set):
            wall.ns = alarm.at_ns[-1]
            alarm.ring()
            while not woken.is_set():
                rounds += 1
                wall.ns += 50 * US
                await asyncio.sleep(0)
        return rounds

    assert 5 <= run(go()) <= 9


def test_a_wake_up_that_takes_longer_makes_the_next_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    clock = on(wall)
    lead, woken = approached(monkeypatch, wall, clock, 10_000 * US, late=500 * US)
    assert woken == [pytest.approx(-100 * US, abs=2 * US)]
    later, _ = approached(monkeypatch, wall, clock, 20_000 * US, late=0)
    assert later == pytest.approx(lead + 199 * US, abs=2 * US)


def test_a_wake_up_stuck_behind_others_tells_nothing_of_the_lead_but_counts_as_a_stall(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wall = Wall()
    clock = on(wall)
    lead = clock.machine.lead.ns
    approached(monkeypatch, wall, clock, 10_000 * US, late=1_500 * US)
    assert (clock.machine.lead.ns, clock.machine.spinning.stalls) == (lead, 1)


def test_where_there_is_no_spinning_the_loop_is_held_asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    clock = on(wall)
    clock.machine.spinning.stalled(0)
    clock.machine.spinning.stalled(0)
    lead, woken = approached(monkeypatch, wall, clock, 10_000 * US, late=20 * US)
    assert lead == PLAIN_HOLD_NS
    assert woken == [pytest.approx(-PLAIN_HOLD_NS + 20 * US, abs=US)]


def prepared_late(monkeypatch: pytest.MonkeyPatch, wall: Wall, clock: WallClock, late_ns: int, times: int) -> list[int]:
    """How long before each of some deadlines the timer was set; what is prepared then takes until so long after."""
    leads = []
    for _ in range(times):
        due = wall.ns + 20_000 * US
        lead, _ = approached(monkeypatch, wall, clock, due, late=20 * US)
        leads.append(lead)
        wall.ns = due + late_ns
        clock.finish(due)
    return leads


def test_where_preparing_is_interrupted_asleep_the_loop_is_held_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    clock = on(wall)
    clock.machine.spinning.may_spin = lambda *_: False  # type: ignore[method-assign]
    clock.machine.spinning.allowance_ns = lambda *_: 0  # type: ignore[method-assign]
    leads = prepared_late(monkeypatch, wall, clock, 3_000 * US, 8)
    assert leads == sorted(leads)
    assert (leads[0], leads[-1]) == (PLAIN_HOLD_NS, LONGEST_HOLD_NS)
    later = prepared_late(monkeypatch, wall, clock, -4_800 * US, 200)
    assert later[-1] < 3_500 * US  # and for less again when it is not


def test_where_preparing_is_interrupted_spinning_gives_way_to_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    clock = on(wall)
    prepared_late(monkeypatch, wall, clock, 3_000 * US, 2)
    assert clock.machine.spinning.stalls == 2
    assert clock.machine.spinning.retreats(wall.ns)


def test_a_deadline_that_was_past_when_somebody_came_to_wait_says_nothing_of_the_machine() -> None:
    wall = Wall()
    clock = on(wall)
    for _ in range(5):
        wall.ns += 20_000 * US
        clock.finish(wall.ns - 3_000 * US)
    assert clock.machine.spinning.stalls == 0
    assert clock.machine.plain_hold.ns == PLAIN_HOLD_NS


def test_what_one_clock_learns_of_the_machine_another_knows() -> None:
    wall = Wall()
    machine = Machine()
    clocks = [WallClock(machine=machine, now_ns=wall.now_ns, sleep=wall.sleep) for _ in range(2)]
    for _ in range(2):
        wall.taken_at_look[wall.looks + 20] = 3_000 * US
        clocks[0].finish(wall.ns + 150_000)
        wall.ns += 20_000 * US
    clocks[1].finish(wall.ns + 150_000)
    assert len(wall.slept_s) == 1


def test_a_relaxed_clock_wakes_at_the_deadline_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    clock = WallClock(relaxed=True, now_ns=wall.now_ns, sleep=wall.sleep)
    lead, woken = approached(monkeypatch, wall, clock, 10_000 * US, late=20 * US)
    assert lead == 0
    assert woken == [pytest.approx(20 * US, abs=US)]
    assert clock.machine.spinning.may_spin(wall.ns, 20_000 * US)  # it has used nothing up


def test_who_has_left_is_not_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    clock = on(wall)
    alarm = Alarm()
    monkeypatch.setattr("rig.replay.wall_clock.timers_of", lambda _loop: alarm)

    async def go() -> list[str]:
        woken: list[str] = []
        with clock.timer(10_000 * US, lambda: woken.append("asleep")):
            pass
        alarm.ring()
        with clock.timer(10_000 * US, lambda: woken.append("awake")):
            wall.ns = alarm.at_ns[-1]
            alarm.ring()
        wall.ns = 10_000 * US
        for _ in range(5):
            await asyncio.sleep(0)
        return woken

    assert run(go()) == []


def test_without_fine_timers_the_loop_wakes_early_and_stays_awake_for_the_rest() -> None:
    async def go() -> tuple[float, int, list[float]]:
        loop = asyncio.get_running_loop()  # virtual: it takes no descriptors
        assert timers_of(loop) is None
        looks = 0
        slept: list[float] = []

        def now_ns() -> int:
            nonlocal looks
            looks += loop.time() > 0.040
            return round(loop.time() * 1e9) + looks * 10 * US

        clock = WallClock(now_ns=now_ns, sleep=slept.append)
        due = 50_000 * US
        woken = asyncio.Event()
        with clock.timer(due, woken.set):
            await woken.wait()
            left = due - now_ns()
        assert clock.is_close(due)
        assert clock.finish(due) >= due
        return loop.time(), left, slept

    woken_at_s, left, slept = run(go())
    assert woken_at_s == pytest.approx(0.050 - 0.0006 - 0.001)  # the lead, and as late as such timers may be
    assert HOLD_NS - 60 * US <= left <= HOLD_NS
    assert slept == []


# ---- a thread's scheduling -------------------------------------------------------------------------------------------


def test_what_was_there_before_a_replay_is_left_out_of_collections_until_its_end() -> None:
    before = gc.get_freeze_count()
    assert before <= SET_ASIDE_BY_PYTHON  # CPython 3.12 begins with some
    with undisturbed():
        assert gc.get_freeze_count() > 10 * SET_ASIDE_BY_PYTHON
        assert gc.isenabled()
        with undisturbed():
            pass
        assert gc.get_freeze_count() > 10 * SET_ASIDE_BY_PYTHON  # the inner one leaves the outer one's alone
    assert gc.get_freeze_count() == 0


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


@linux
def test_slices_are_short_for_a_while_and_then_as_before() -> None:
    before = linux_timers._scheduling()
    if before is None:
        pytest.fail("this machine's scheduler cannot be asked: add its numbers to linux_timers._SCHED_NUMBERS")
    linux_timers._set_slice(700_000)
    try:
        with short_slices():
            during = linux_timers._scheduling()
        after = linux_timers._scheduling()
    finally:
        linux_timers._set_slice(before.runtime)
    assert during is not None
    assert after is not None
    assert (during.nice, after.nice) == (before.nice, before.nice)
    assert (during.runtime, after.runtime) in ((100_000, 700_000), (0, 0))  # zeros: before Linux 6.12


def test_without_such_a_scheduler_nothing_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linux_timers, "_scheduling", lambda: None)
    monkeypatch.setattr(linux_timers, "_set_slice", lambda _: pytest.fail("asked all the same"))
    with short_slices():
        pass
