"""Words of the screen that says whose turn it is."""

from __future__ import annotations

from typing import Final

TITLE: Final = "Whose turn is it?"
HINT: Final = "Everyone has answers, limits, a plan and a history of their own."
TURN: Final = "their turn now"
NAME: Final = "a name"
KEY_CHOOSE: Final = "their turn"
KEY_ADD: Final = "add someone"
KEY_KEEP: Final = "keep the name"
KEY_CANCEL: Final = "leave it"
