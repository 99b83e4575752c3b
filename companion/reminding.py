"""Reminders while the app is open: sleeps until the next is due, claims it, and hands it to whoever tells it.

Knows no screen and no session. Does nothing while it is told that it may not speak.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from companion.config import CompanionError

if TYPE_CHECKING:
    from companion.almanac import Almanac
    from companion.care.reminders import Reminder

LONGEST_S: Final = 300.0
"""Seconds after which it looks again whatever it knows: the computer may have slept, or its clock been set."""

SHORTEST_S: Final = 1.0


class Reminding:
    """``almanac`` gives whose reminders they are, None while nothing may be said; ``tell`` takes one at a time."""

    def __init__(self, almanac: Callable[[], Almanac | None], tell: Callable[[Reminder], None]) -> None:
        self._almanac = almanac
        self._tell = tell
        self._stirred = asyncio.Event()

    def stir(self) -> None:
        """Look again now: something was drunk, planned, set or ended, or it is another person's turn."""
        self._stirred.set()

    async def run(self) -> None:
        """Remind until cancelled."""
        while True:
            self._stirred.clear()
            wait_s = self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._stirred.wait()

    def _look(self) -> float:
        """Tell what is due; return for how many seconds there is nothing more."""
        almanac = self._almanac()
        if almanac is None:
            return LONGEST_S
        try:
            for one in almanac.claimed():
                self._tell(one)
            due = almanac.next_due()
        except CompanionError:  # another program holds the database for a moment; whoever needs it is told by itself
            return LONGEST_S
        if due is None:
            return LONGEST_S
        return min(LONGEST_S, max(SHORTEST_S, (due - almanac.now).total_seconds()))
