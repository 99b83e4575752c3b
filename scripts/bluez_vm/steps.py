"""In the machine: what a step is, how one fails, and waiting for what must happen.

Knows neither the app nor Bluetooth. Whatever a step raises is told as what it is, and ends no other step.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from ledger import Ledger, Step

ARTEFACTS = Path("/artefacts")
"""The host's folder; everything else that is written here is gone with the machine."""

LOOK_S = 0.02

Seen = tuple[float | None, str]
"""Of a step that held: seconds, where it is a matter of time, and what was seen."""


class LaneError(Exception):
    """A step did not hold; the message says what was seen."""


async def step(ledger: Ledger, name: str, work: Callable[[], Awaitable[Seen]]) -> None:
    """Do one step, and keep what came of it."""
    began = time.monotonic()
    try:
        seconds, detail = await work()
        ledger.note(Step(name, held=True, seconds=seconds, detail=detail))
    except LaneError as error:
        ledger.note(Step(name, held=False, seconds=time.monotonic() - began, detail=str(error)))
    except Exception as error:  # noqa: BLE001 - told as what it is, and the lane has failed
        ledger.note(Step(name, held=False, detail=f"{type(error).__name__}: {error}"))


def expect(holds: bool, otherwise: str) -> None:
    """See that something holds.

    Raises:
        LaneError: it does not.
    """
    if not holds:
        raise LaneError(otherwise)


async def until(what: str, happened: Callable[[], bool], within_s: float, over: Callable[[], str] = lambda: "") -> None:
    """Wait until something has happened; ``over`` says why it will not any more, or nothing.

    Raises:
        LaneError: it did not happen in time, or will not.
    """
    deadline = time.monotonic() + within_s
    while not happened():
        if why := over():
            raise LaneError(f"{why} before {what}")
        if time.monotonic() > deadline:
            raise LaneError(f"not within {within_s:.0f} s: {what}")
        await asyncio.sleep(LOOK_S)
