"""H4: what a guard listens to, and when it acts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from companion.guard import watch
from companion.guard.watch import HANG_S, LOOK_S
from rig import clock


class FakeHand:
    """Notes when it was asked for what."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.done: list[tuple[str, float]] = []
        self.learned: list[list[Any]] = []
        self._fault = fault

    async def take(self) -> None:
        if self._fault is not None:
            raise self._fault
        self.done.append(("take", asyncio.get_running_loop().time()))

    def stops(self, writes: list[list[Any]]) -> None:
        self.learned = writes

    async def let_go(self) -> None:
        self.done.append(("let go", asyncio.get_running_loop().time()))


class Watched:
    """A guard that watches an app which is the test itself."""

    def __init__(self, hand: FakeHand) -> None:
        self.hand = hand
        self.lines = asyncio.StreamReader()
        self.said: list[str] = []

    def hears(self, line: bytes) -> None:
        self.lines.feed_data(line + b"\n")


def watched(app: Callable[[Watched], Awaitable[None]], hand: FakeHand | None = None) -> Watched:
    """Let a guard watch ``app`` until the guard has ended, in virtual time."""

    async def go() -> Watched:
        one = Watched(hand or FakeHand())
        async with asyncio.TaskGroup() as tasks:
            guard = tasks.create_task(watch.watch(one.lines, one.hand, one.said.append))
            living = tasks.create_task(app(one))  # type: ignore[arg-type]
            await guard
            living.cancel()
        return one

    return clock.run(go())


async def beats(one: Watched, seconds: float) -> None:
    for _ in range(round(seconds / 0.25)):
        one.hears(b".")
        await asyncio.sleep(0.25)


async def nothing_more() -> None:
    await asyncio.get_running_loop().create_future()


def acts(one: Watched) -> list[str]:
    return [what for what, _ in one.hand.done]


def test_h4_an_app_that_lives_and_says_goodbye_is_left_alone() -> None:
    async def app(one: Watched) -> None:
        await beats(one, 60)
        one.hears(b"bye")
        await nothing_more()

    one = watched(app)
    assert acts(one) == ["take"]
    assert one.said == ["holding", *["."] * 240]


def test_h4_the_link_of_an_app_that_is_gone_is_ended_at_once() -> None:
    async def app(one: Watched) -> None:
        await beats(one, 1)
        one.lines.feed_eof()
        await nothing_more()

    one = watched(app)
    assert one.hand.done == [("take", 0.0), ("let go", pytest.approx(1.0, abs=0.01))]
    assert one.said[-1] == "acted the app has ended"


def test_h4_the_link_of_an_app_that_hangs_is_ended_after_a_second_and_a_half() -> None:
    async def app(one: Watched) -> None:
        await beats(one, 2)
        await nothing_more()

    one = watched(app)
    what, at = one.hand.done[-1]
    assert what == "let go"
    assert 1.75 + HANG_S < at <= 1.75 + HANG_S + 2 * LOOK_S
    assert one.said[-1] == "acted the app does not answer"


def test_h4_a_short_delay_is_no_hang() -> None:
    async def app(one: Watched) -> None:
        for _ in range(10):
            await asyncio.sleep(HANG_S - 0.1)
            one.hears(b".")
        one.hears(b"bye")
        await nothing_more()

    assert acts(watched(app)) == ["take"]


def test_h4_a_computer_that_slept_has_its_link_ended_although_the_app_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = 100.0
    monkeypatch.setattr(watch, "slept_s", lambda: slept)

    async def app(one: Watched) -> None:
        nonlocal slept
        await beats(one, 2)
        slept += 0.4  # the two clocks are not read in the same moment
        await beats(one, 2)
        assert acts(one) == ["take"]
        slept += 5.0
        await beats(one, 10)

    one = watched(app)
    what, at = one.hand.done[-1]
    assert (what, one.said[-1]) == ("let go", "acted this computer was asleep")
    assert 4.0 <= at <= 4.0 + LOOK_S


def test_h4_a_sleep_ends_the_link_without_a_word_of_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    began = None

    def slept() -> float:
        nonlocal began
        now = asyncio.get_running_loop().time()
        began = now if began is None else began
        return 0.0 if now < 0.6 else 3600.0

    monkeypatch.setattr(watch, "slept_s", slept)

    async def app(_: Watched) -> None:
        await nothing_more()

    one = watched(app)
    assert one.said[-1] == "acted this computer was asleep"
    assert one.hand.done[-1][1] <= 0.6 + 2 * LOOK_S


def test_h4_the_writes_that_stop_are_learned_and_are_a_sign_of_life() -> None:
    async def app(one: Watched) -> None:
        await beats(one, 1)
        one.hears(b'stops [["/path", "55aa", false]]')
        await asyncio.sleep(HANG_S - 0.1)
        one.hears(b"bye")
        await nothing_more()

    one = watched(app)
    assert one.hand.learned == [["/path", "55aa", False]]
    assert acts(one) == ["take"]


def test_h4_a_guard_that_can_no_longer_watch_acts_while_it_can() -> None:
    async def app(one: Watched) -> None:
        await beats(one, 1)
        one.hears(b"stops [broken")
        await nothing_more()

    one = watched(app)
    assert acts(one) == ["take", "let go"]
    assert one.said[-1].startswith("acted the guard failed")


def test_h4_a_guard_that_cannot_take_hold_says_so_before_anything_is_held() -> None:
    async def go() -> None:
        said: list[str] = []
        with pytest.raises(OSError, match="no such device"):
            await watch.watch(asyncio.StreamReader(), FakeHand(OSError("no such device")), said.append)
        assert said == []

    clock.run(go())
