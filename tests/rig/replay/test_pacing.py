"""A pacer keeps a schedule in virtual time, by hand, and on a wall clock that a test turns."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest

from rig.clock import ScaledLoop, run
from rig.replay.pacing import Happened, MovedError, Pacer
from rig.replay.schedule import Gaps, Schedule, Turn
from rig.replay.wall_clock import WallClock

MS = 1_000_000
SCHEDULE = Schedule([0, 20 * MS, 20 * MS, 50 * MS])


async def now_ns() -> int:
    return round(asyncio.get_running_loop().time() * 1e9)


def watch(pacer: Pacer, seen: list[tuple[int, int]], *, rounds: int | None = 1, rest_ns: int = 0) -> asyncio.Task[None]:
    """Play on in a task; which exchange came at which virtual time, in milliseconds."""

    async def play() -> None:
        async for turn in pacer.turns(rounds=rounds, rest_ns=rest_ns):
            seen.append(  # noqa: PERF401 - each as it comes
                (turn.exchange, await now_ns() // MS)
            )

    return asyncio.ensure_future(play())


def virtually(scenario: Callable[[Pacer, list[tuple[int, int]]], Awaitable[None]]) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []

    async def go() -> None:
        await scenario(Pacer(SCHEDULE), seen)

    run(go())
    return seen


# ---- virtual time ----------------------------------------------------------------------------------------------------


def test_in_virtual_time_every_exchange_comes_exactly_when_it_is_due() -> None:
    schedule = Schedule([1, 333_333_333, 333_333_334, 86_400_000_000_007])

    async def go() -> tuple[list[int], tuple[int, ...]]:
        await asyncio.sleep(1.7)
        begun = await now_ns()
        pacer = Pacer(schedule)
        came = [await now_ns() - begun async for _ in pacer.turns()]
        return came, pacer.lateness.samples_ns

    assert run(go()) == ([1, 333_333_333, 333_333_334, 86_400_000_000_007], (0, 0, 0, 0))


def test_a_turn_says_its_round_and_when_it_was_due() -> None:
    async def go() -> list[Turn]:
        return [turn async for turn in Pacer(Schedule([0, 5])).turns(rounds=2, rest_ns=10)]

    assert run(go()) == [Turn(0, 0, 0), Turn(0, 1, 5), Turn(1, 0, 15), Turn(1, 1, 20)]


def test_rounds_come_as_the_schedule_says() -> None:
    schedule = Schedule([3, 5, 9])

    async def go() -> list[Turn]:
        return [turn async for turn in Pacer(schedule).turns(rounds=3, rest_ns=10)]

    assert run(go()) == list(schedule.turns(rounds=3, rest_ns=10))


def test_who_waits_for_what_is_past_gets_it_at_once_and_hears_how_late() -> None:
    async def go() -> int:
        pacer = Pacer(SCHEDULE)
        pacer.start()
        await asyncio.sleep(0.065)
        return await pacer.wait(3)

    assert run(go()) == 15 * MS


def test_two_who_wait_are_served_in_the_order_of_the_schedule() -> None:
    async def go() -> list[int]:
        pacer = Pacer(SCHEDULE)
        order: list[int] = []

        async def side(*indexes: int) -> None:
            for index in indexes:
                await pacer.wait(index)
                order.append(index)

        await asyncio.gather(side(3), side(0, 2), side(1))
        return order

    assert run(go()) == [0, 1, 2, 3]


def test_a_distance_is_kept_to_what_really_happened() -> None:
    async def go() -> tuple[int, int]:
        pacer = Pacer(SCHEDULE)
        pacer.start()
        await asyncio.sleep(0.1)
        written = pacer.happened(1)
        assert written == Happened(1, 0.1)
        late = await pacer.wait(3, after=written)
        return late, await now_ns()

    assert run(go()) == (0, 130 * MS)


def test_the_whole_schedule_can_be_shifted_to_what_happened() -> None:
    async def go() -> int:
        pacer = Pacer(SCHEDULE)
        waiting = asyncio.ensure_future(pacer.wait(3))
        await asyncio.sleep(0.04)
        pacer.shift_to(pacer.happened(1, at=0.03))
        await waiting
        return await now_ns()

    assert run(go()) == 60 * MS


def test_gaps_and_speed_are_the_schedules() -> None:
    async def go() -> int:
        pacer = Pacer(Schedule([0, 9_000 * MS], speed=4, gaps=Gaps(cap_s=2)))
        await pacer.wait(1)
        return await now_ns()

    assert run(go()) == 500 * MS


def test_somebody_who_gives_up_leaves_nothing_behind() -> None:
    async def go() -> int:
        pacer = Pacer(SCHEDULE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pacer.wait(1), 0.01)
        assert pacer.lateness.samples_ns == ()
        pacer.step()
        assert await pacer.wait(3) == 0  # the step is not kept for the one that left
        return await now_ns()

    assert run(go()) == 10 * MS


def test_an_exchange_that_is_not_there_is_refused() -> None:
    async def go() -> None:
        with pytest.raises(IndexError, match="there is no exchange 4"):
            await Pacer(SCHEDULE).wait(4)
        with pytest.raises(IndexError):
            Pacer(SCHEDULE).happened(-1)
        with pytest.raises(IndexError):
            Pacer(SCHEDULE).seek(5)

    run(go())


# ---- by hand ---------------------------------------------------------------------------------------------------------


def test_a_pause_moves_everything_after_it_by_its_length() -> None:
    async def scenario(pacer: Pacer, seen: list[tuple[int, int]]) -> None:
        playing = watch(pacer, seen)
        await asyncio.sleep(0.005)
        pacer.pause()
        await asyncio.sleep(1)
        assert pacer.paused
        assert pacer.position_ns == 5 * MS
        pacer.resume()
        await playing
        assert pacer.lateness.samples_ns == (0, 0, 0, 0)

    assert virtually(scenario) == [(0, 0), (1, 1020), (2, 1020), (3, 1050)]


def test_pausing_twice_and_resuming_twice_is_once() -> None:
    async def scenario(pacer: Pacer, seen: list[tuple[int, int]]) -> None:
        pacer.resume()
        playing = watch(pacer, seen)
        await asyncio.sleep(0.005)
        pacer.pause()
        await asyncio.sleep(0.01)
        pacer.pause()
        await asyncio.sleep(0.01)
        pacer.resume()
        pacer.resume()
        await playing

    assert virtually(scenario) == [(0, 0), (1, 40), (2, 40), (3, 70)]


def test_a_step_lets_one_exchange_go_and_stands_still() -> None:
    async def scenario(pacer: Pacer, seen: list[tuple[int, int]]) -> None:
        pacer.pause()
        playing = watch(pacer, seen)
        await asyncio.sleep(1)
        assert seen == []
        pacer.step()
        await asyncio.sleep(1)
        assert seen == [(0, 1000)]
        pacer.step(2)
        await asyncio.sleep(1)
        assert seen == [(0, 1000), (1, 2000), (2, 2000)]
        assert pacer.position_ns == 20 * MS
        pacer.resume()  # the last keeps its distance to the one before
        await playing
        assert pacer.lateness.samples_ns == (0,)  # a person's moment is no lateness

    assert virtually(scenario)[-1] == (3, 3030)


def test_a_step_goes_to_the_next_in_the_schedule_and_not_to_who_came_first() -> None:
    async def go() -> list[int]:
        pacer = Pacer(SCHEDULE)
        pacer.pause()
        order: list[int] = []

        async def side(index: int) -> None:
            await pacer.wait(index)
            order.append(index)

        sides = [asyncio.ensure_future(side(index)) for index in (3, 1, 0)]
        await asyncio.sleep(1)
        for expected in ([0], [0, 1], [0, 1, 3]):
            pacer.step()
            await asyncio.sleep(1)
            assert order == expected
        await asyncio.gather(*sides)
        return order

    assert run(go()) == [0, 1, 3]


def test_several_steps_go_to_those_who_wait_in_the_order_of_the_schedule() -> None:
    async def go() -> list[int]:
        pacer = Pacer(SCHEDULE)
        pacer.pause()
        order: list[int] = []

        async def side(index: int) -> None:
            await pacer.wait(index)
            order.append(index)

        sides = [asyncio.ensure_future(side(index)) for index in (3, 1, 0)]
        await asyncio.sleep(1)
        pacer.step(3)
        await asyncio.gather(*sides)
        return order

    assert run(go()) == [0, 1, 3]


def test_steps_not_taken_are_forgotten_on_going_on() -> None:
    async def go() -> bool:
        pacer = Pacer(SCHEDULE)
        pacer.step(5)
        pacer.resume()
        pacer.pause()
        waiting = asyncio.ensure_future(pacer.wait(0))
        await asyncio.sleep(1)
        gone = waiting.done()
        waiting.cancel()
        return gone

    assert run(go()) is False


def test_nothing_is_late_for_a_step_past_it() -> None:
    async def go() -> int:
        pacer = Pacer(SCHEDULE)
        pacer.step()
        await pacer.wait(3)
        pacer.resume()
        return await pacer.wait(1)

    assert run(go()) == 0


def test_a_step_needs_a_number() -> None:
    async def go() -> None:
        with pytest.raises(ValueError, match="step"):
            Pacer(SCHEDULE).step(0)

    run(go())


def test_seeking_forward_leaves_out_what_is_between() -> None:
    async def scenario(pacer: Pacer, seen: list[tuple[int, int]]) -> None:
        playing = watch(pacer, seen)
        await asyncio.sleep(0.005)
        pacer.seek(3)
        await playing
        assert pacer.lateness.samples_ns == (0, 0)  # nothing is late for having been leapt over

    assert virtually(scenario) == [(0, 0), (3, 5)]


def test_seeking_back_plays_again() -> None:
    async def scenario(pacer: Pacer, seen: list[tuple[int, int]]) -> None:
        playing = watch(pacer, seen)
        await asyncio.sleep(0.03)
        pacer.seek(1)
        await playing

    assert virtually(scenario) == [(0, 0), (1, 20), (2, 20), (1, 30), (2, 30), (3, 60)]


def test_seeking_while_paused_waits_for_the_resume() -> None:
    async def scenario(pacer: Pacer, seen: list[tuple[int, int]]) -> None:
        playing = watch(pacer, seen)
        await asyncio.sleep(0.005)
        pacer.pause()
        pacer.seek(2)
        await asyncio.sleep(1)
        assert seen == [(0, 0)]
        assert pacer.position_ns == 20 * MS
        pacer.resume()
        await playing

    assert virtually(scenario) == [(0, 0), (2, 1005), (3, 1035)]


def test_seeking_to_the_end_is_the_end_of_the_round() -> None:
    async def scenario(pacer: Pacer, seen: list[tuple[int, int]]) -> None:
        playing = watch(pacer, seen, rounds=2)
        await asyncio.sleep(0.005)
        pacer.seek(4)
        await asyncio.sleep(0.001)
        assert pacer.round == 1
        await playing

    assert virtually(scenario) == [(0, 0), (0, 5), (1, 25), (2, 25), (3, 55)]


def test_who_waits_by_hand_hears_that_the_replay_was_moved() -> None:
    async def go() -> None:
        pacer = Pacer(SCHEDULE)
        waiting = asyncio.ensure_future(pacer.wait(1))
        await asyncio.sleep(0.001)
        pacer.seek(2)
        with pytest.raises(MovedError, match="goes on at exchange 2") as moved:
            await waiting
        assert moved.value.index == 2
        with pytest.raises(MovedError):
            await pacer.wait(1)
        assert await pacer.wait(2) == 0

    run(go())


def test_looping_without_end_goes_on_until_somebody_stops() -> None:
    async def scenario(pacer: Pacer, seen: list[tuple[int, int]]) -> None:
        playing = watch(pacer, seen, rounds=None, rest_ns=10 * MS)
        await asyncio.sleep(0.125)
        playing.cancel()

    assert virtually(scenario) == [(0, 0), (1, 20), (2, 20), (3, 50), (0, 60), (1, 80), (2, 80), (3, 110), (0, 120)]


def test_a_loop_that_takes_no_time_is_refused() -> None:
    async def go() -> None:
        with pytest.raises(ValueError, match="give a rest"):
            await anext(Pacer(Schedule([0, 0])).turns(rounds=None))

    run(go())


# ---- a wall clock that a test turns ----------------------------------------------------------------------------------


class TurnedClock:
    """A wall that is the virtual loop's time, and that work and sleep held in the loop push ahead of it."""

    def __init__(self) -> None:
        self.held_ns = 0
        self.spins = 0
        self.slept_s: list[float] = []

    def now_ns(self) -> int:
        self.held_ns += 100  # looking takes time: a spin gets on
        return round(asyncio.get_running_loop().time() * 1e9) + self.held_ns

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.held_ns += round(seconds * 1e9) + 60_000


def test_on_the_wall_deadlines_are_absolute_and_met_to_a_spin_step() -> None:
    turned = TurnedClock()
    offsets = [index * 7_000_003 for index in range(500)]

    async def go() -> Pacer:
        pacer = Pacer(Schedule(offsets), clock=WallClock(now_ns=turned.now_ns, sleep=turned.sleep))
        async for turn in pacer.turns():
            if turn.exchange % 3 == 0:
                turned.held_ns += 250_000  # the work on what was handed over
        return pacer

    pacer = run(go())
    late = pacer.lateness.samples_ns
    assert len(late) == 500
    assert max(late[1:]) <= 1_000
    assert min(late) >= 0


def test_on_the_wall_a_burst_of_what_is_due_leaves_the_loop_to_others() -> None:
    turned = TurnedClock()

    async def go() -> int:
        rounds = 0
        playing = True

        async def other() -> None:
            nonlocal rounds
            while playing:
                rounds += 1
                await asyncio.sleep(0)

        others = asyncio.ensure_future(other())
        pacer = Pacer(Schedule([0] * 100), clock=WallClock(now_ns=turned.now_ns, sleep=turned.sleep))
        async for _ in pacer.turns():
            turned.held_ns += 100_000
        playing = False
        await others
        return rounds

    assert 8 <= run(go()) <= 20  # a hundred times 0.1 ms, with a turn for others each millisecond


def test_on_a_faster_loop_deadlines_come_so_much_sooner_and_lateness_is_the_walls() -> None:
    wall_ns = 0

    def look() -> int:
        nonlocal wall_ns
        wall_ns += 1_000
        return wall_ns

    async def go() -> tuple[int, int]:
        nonlocal wall_ns
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ScaledLoop)
        pacer = Pacer(Schedule([0, 1_000 * MS]), clock=WallClock(speed=loop.factor, now_ns=look, sleep=lambda _: None))
        pacer.start()
        wall_ns += 30 * MS
        late = await pacer.wait(1)  # due at 20 ms of the wall, with 50 seconds in one
        return late, pacer.position_ns

    late, position = run(go(), speed=50.0)
    assert 10 * MS <= late < 10 * MS + 100_000
    assert position >= 1_500 * MS


def test_the_clock_goes_by_the_loop() -> None:
    async def kind() -> tuple[bool, float]:
        pacer = Pacer(Schedule([0]))
        await pacer.wait(0)
        assert pacer._clock is not None
        return isinstance(pacer._clock, WallClock), pacer._clock.speed

    assert run(kind()) == (False, 1.0)
    assert run(kind(), speed=1.0) == (True, 1.0)
    assert run(kind(), speed=8.0) == (True, 8.0)
    assert run(kind(), speed=math.inf) == (False, 1.0)


def test_a_relaxed_pacer_has_its_loop_never_held() -> None:
    async def clocks() -> list[bool]:
        return [
            clock.relaxed
            for pacer in (Pacer(SCHEDULE), Pacer(SCHEDULE, relaxed=True))
            if isinstance(clock := pacer._clock_for_loop(), WallClock)
        ]

    assert run(clocks(), speed=1.0) == [False, True]
