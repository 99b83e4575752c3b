"""Puts a pairing's questions on the app's screen, and takes them off again when they are no longer wanted.

Knows one app and one screen. Refuses to know radios.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from companion.screens.pairing import PairingScreen

if TYPE_CHECKING:
    from textual.app import App


class ScreenPairer:
    """The person at the app (:class:`companion.device.pairing.Pairer`)."""

    def __init__(self, app: App[int]) -> None:
        self._app = app
        self._screen: PairingScreen | None = None
        self._simulated: int | None = None

    async def compare(self, device: str, number: int) -> bool:
        """Show the number, and ask whether the device shows the same."""
        return await self._ask(PairingScreen(device, number, compare=True)) is True

    async def enter(self, device: str) -> int | None:
        """Ask for the number that the device shows."""
        answer = await self._ask(PairingScreen(device, None, compare=False))
        return None if answer is None else int(answer)

    def show(self, device: str, number: int) -> None:
        """Show the number that is typed on the device; :meth:`done` takes it away."""
        self._put(PairingScreen(device, number, compare=False), None)

    def displayed(self, number: int) -> None:
        """Say what a virtual device shows, now or with the next question."""
        self._simulated = number
        if self._screen is not None:
            self._screen.simulated(number)

    def done(self) -> None:
        """Take away what is still shown: the pairing is over."""
        screen, self._screen = self._screen, None
        if screen is not None:
            self._simulated = None  # a code counts for one question
        if screen is not None and screen in self._app.screen_stack:
            if self._app.screen is screen:
                self._app.pop_screen()
            else:
                screen.dismiss(None)

    async def _ask(self, screen: PairingScreen) -> int | bool | None:
        answer: asyncio.Future[int | bool | None] = asyncio.get_running_loop().create_future()
        self._put(screen, answer)
        try:
            return await answer
        finally:
            if self._screen is screen:
                self.done()

    def _put(self, screen: PairingScreen, answer: asyncio.Future[int | bool | None] | None) -> None:
        def answered(result: int | bool | None) -> None:
            if self._screen is screen:
                self._screen = self._simulated = None
            if answer is not None and not answer.done():
                answer.set_result(result)

        self.done()
        self._screen = screen
        self._app.push_screen(screen, answered)
        if self._simulated is not None:
            number = self._simulated
            screen.call_after_refresh(lambda: screen.simulated(number))
