"""Who sits at this end when a simulated device is paired: reads the device's display, and never agrees blindly."""

from __future__ import annotations

import asyncio
from typing import Final

from rig.devices.display import Display

_LOOKS: Final = 100
_LOOK_EVERY_S: Final = 0.05


class Onlooker:
    """Compares what is shown here with what the device shows (:class:`rig.radio.pairing.Partner`)."""

    def __init__(self, display: Display) -> None:
        self._display = display

    async def compare(self, number: int) -> bool:
        """Say whether the device shows the same number; it may take a moment to."""
        return await self._read() == number

    async def enter(self) -> int | None:
        """Type what the device shows."""
        return await self._read()

    def show(self, number: int) -> None:
        """Nobody at the device types."""

    def passkey(self) -> int:
        """Nobody at the device types, so nothing is drawn for it; the device's own display draws."""
        return self._display.passkey()

    async def _read(self) -> int | None:
        for _ in range(_LOOKS):
            if self._display.shown is not None:
                return self._display.shown
            await asyncio.sleep(_LOOK_EVERY_S)
        return None
