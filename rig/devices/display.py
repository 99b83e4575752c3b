"""The display and the button of a simulated device, for pairing: shows codes, and agrees unless told otherwise."""

from __future__ import annotations

import random
from collections.abc import Callable


class Display:
    """Sits at the device's end of a pairing (:class:`rig.radio.pairing.Partner`). Codes are 0 to 999,999.

    ``shown`` is the code on the display, None while there is none. ``agrees`` is whether the button for "the same" is
    pressed when two codes are to be compared. ``on_show`` hears of each code.

    Args:
        chance: what passkeys are drawn from.
    """

    def __init__(self, chance: random.Random) -> None:
        self.shown: int | None = None
        self.agrees = True
        self.on_show: Callable[[int], object] = lambda _number: None
        self._chance = chance

    async def compare(self, number: int) -> bool:
        """Show a code that the other end shows, too, and answer whether they are the same."""
        self.show(number)
        return self.agrees

    async def enter(self) -> int | None:
        """There are no keys on it."""
        return None

    def show(self, number: int) -> None:
        """Show a code."""
        self.shown = number
        self.on_show(number)

    def passkey(self) -> int:
        """Draw a code."""
        return self._chance.randrange(1_000_000)
