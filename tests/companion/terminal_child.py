"""The staged app in a real terminal, for test_driver.py: goes into a session by itself and tells what happens there.

Tells over the inherited pipe whose number is the first argument, one word a line: ``live`` (the session is on the
screen), ``refused`` (the terminal reads so little that 100 frames were left out), ``stop`` (the session was told to
stop), ``drawn`` (and what came of it would be on the screen), ``caught up`` (everything is drawn again).
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import ClassVar

import companion.app
from companion import driver
from companion.app import CompanionApp
from companion.screens.prepare import PrepareScreen
from companion.screens.routines import RoutinesScreen
from companion.screens.session import SessionScreen
from companion.session.model import Feels, Intent
from tests.companion.staging import StagedHome, StagedSession

MANY = 100
"""More frames than the thirty writes that Textual's own writer holds before it blocks the event loop."""


def tell(word: str) -> None:
    os.write(int(sys.argv[1]), f"{word}\n".encode())


class TellingSession(StagedSession):
    def intend(self, intent: Intent | Feels) -> None:
        super().intend(intent)
        if intent is Intent.STOP:
            tell("stop")


class ChildApp(CompanionApp):
    CSS_PATH: ClassVar = [Path(companion.app.__file__).parent / path for path in CompanionApp.CSS_PATH]

    def __init__(self, home: StagedHome) -> None:
        super().__init__(home, environ={})
        self._staged = home
        self._asked = 0
        self._going: asyncio.Task[None] | None = None

    async def _look(self) -> None:
        await super()._look()
        self._going = asyncio.get_running_loop().create_task(self._go())

    async def _go(self) -> None:
        self._device = self._staged.devices[0]
        await self.on_routines_screen_chosen(RoutinesScreen.Chosen(self._staged.choices(None)[2]))
        await self.on_prepare_screen_ready(PrepareScreen.Ready({}))
        assert isinstance(self.screen, SessionScreen)
        self._flood = self.set_interval(0.005, self._redraw)
        tell("live")

    def _redraw(self) -> None:
        self.refresh()
        if not isinstance(self._driver, driver.TerminalDriver):
            return
        if not self._driver.takes_frame():
            self._asked += 1
            if self._asked == MANY:
                self._flood.stop()  # from here on nothing is drawn again that did not change
                tell("refused")

    async def action_stop(self) -> None:
        await super().action_stop()
        self.set_timer(0.3, lambda: tell("drawn"))  # three frames of the session's screen later

    def caught_up(self) -> None:
        super().caught_up()
        if self._asked >= MANY:
            tell("caught up")


async def main() -> None:
    driver.MOST_WAITING = 16 * 1024
    home = StagedHome()
    home.session = TellingSession(home.session.view)
    home.session.confirms_stop = False
    app = ChildApp(home)
    try:
        await app.run_async()
    finally:
        await app.let_go()


if __name__ == "__main__":
    asyncio.run(main())
