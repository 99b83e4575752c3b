"""Virtual time: how many simulated seconds of ordinary asyncio code one second of a core holds, on several loops.

The work: ten messages a simulated second through a queue, and three timers that set themselves anew. No loop waits for
anything meanwhile, so what is counted is the processor's time: who else wants the core makes no difference.
"""

from __future__ import annotations

import asyncio
import importlib
import selectors
import statistics
import time
from collections.abc import Callable

from measure import Measurement, Report, interleaved

from rig.clock import VirtualTimeLoop

SIMULATED_S = 600.0
MESSAGES_PER_S = 10
TIMER_PERIODS_S = (0.25, 1.0, 7.0)


class _AdvancingSelector(selectors.DefaultSelector):
    """A stock selector that does not wait: it moves the loop's clock by the time it was asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class _StockLoop(asyncio.SelectorEventLoop):
    """The least that makes asyncio's own loop virtual: the baseline that every clock must justify itself against."""

    def __init__(self) -> None:
        self._advancing = _AdvancingSelector()
        super().__init__(self._advancing)

    def time(self) -> float:
        return self._advancing.now


async def _work() -> int:
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[int] = asyncio.Queue()
    fired = 0

    def again(period_s: float) -> None:
        nonlocal fired
        fired += 1
        loop.call_later(period_s, again, period_s)

    async def produce() -> None:
        for number in range(int(SIMULATED_S * MESSAGES_PER_S)):
            await asyncio.sleep(1 / MESSAGES_PER_S)
            queue.put_nowait(number)

    for period_s in TIMER_PERIODS_S:
        loop.call_later(period_s, again, period_s)
    producer = asyncio.create_task(produce())
    for _ in range(int(SIMULATED_S * MESSAGES_PER_S)):
        await queue.get()
    await producer
    return fired


def _on(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> Callable[[], float]:
    def run() -> float:
        loop = make_loop()
        try:
            begun = time.process_time()
            loop.run_until_complete(_work())
            seconds = time.process_time() - begun
            if not SIMULATED_S - 1 <= loop.time() <= SIMULATED_S + 1:
                raise AssertionError(f"{loop} says {loop.time()} s after {SIMULATED_S} simulated seconds")
            return seconds
        finally:
            loop.close()

    return run


def run(report: Report, *, repeat: int | None, seed: int) -> None:  # noqa: ARG001 - nothing here is random
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "rig.clock.VirtualTimeLoop": VirtualTimeLoop,
        "stock loop, advancing selector": _StockLoop,
    }
    for name, package, make in (
        ("async-solipsism", "async_solipsism", lambda module: module.EventLoop),
        ("looptime", "looptime", lambda module: lambda: module.new_event_loop(start=0.0)),
    ):
        try:
            loops[name] = make(importlib.import_module(package))
        except ImportError:
            report.leave_out(f"{name} is not installed (scripts/bench clock --peers installs it in .venv-bench)")
    results = interleaved({name: _on(make_loop) for name, make_loop in loops.items()}, repeat or 7)
    own = "rig.clock.VirtualTimeLoop"
    ours = statistics.median(results[own])
    needed = {"async-solipsism": 1.7, "looptime": 15.0}
    for name, seconds in results.items():
        median = statistics.median(seconds)
        report.add(Measurement(f"clock: {name}", SIMULATED_S / median, "sim s / s"))
        if name != own:
            report.add(Measurement(f"clock: ours against {name}", median / ours, "times", at_least=needed.get(name)))
