"""Words that every screen shares, and of leaving, failing and refusing."""

from __future__ import annotations

from typing import Final

TITLE: Final = "Microcurrent Companion"
DEMO: Final = "demo · a simulated device, no current anywhere"
NOT_WHILE_LIVE: Final = "First the device has to be off: stopping."
LEAVING: Final = "Stopping first, then leaving…"
SPEED: Final = "the app runs at the speed of life: use --speed 1, or 'companion run' for a faster one"
KEY_LEAVE: Final = "leave"
KEY_THEME: Final = "light or dark"
KEY_HELP: Final = "help"
KEY_BACK: Final = "back"
KEY_CHOOSE: Final = "choose"
FAULT_TITLE: Final = "This cannot go on"
FAULT_HINT: Final = "Nothing is lost. Put it right, then start the app again."
STOPPED_BY_FAULT: Final = "The output was stopped and the device let go of."
