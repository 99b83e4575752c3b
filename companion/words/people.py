"""Words of the screen that says whose turn it is."""

from __future__ import annotations

from typing import Final

TITLE: Final = "Whose turn is it?"
HINT: Final = "Everyone has answers, limits, a plan and a history of their own."
TURN: Final = "their turn now"
NAME: Final = "a name"
NOBODY_YET: Final = "me"
RENAME: Final = "What is {name} to be called?"
FORGET: Final = (
    "Everything of {name} will be deleted: answers, limits, plan, sessions, water, the calendar file. There is no "
    "way back. Photos, and files that you exported, stay where they are."
)
FORGET_LAST: Final = "Nobody else is here: the app then begins anew, as on its first day, for somebody called {anew}."
TYPE_NAME: Final = "To delete it all, type the name: {name}"
NAME_DIFFERS: Final = "That is another name. Nothing was deleted."
FORGOTTEN: Final = "{name} and all that was theirs is deleted."
KEY_RENAME: Final = "another name"
KEY_FORGET: Final = "forget"
KEY_FORGET_NOW: Final = "delete it all"
KEY_CHOOSE: Final = "their turn"
KEY_ADD: Final = "add someone"
KEY_KEEP: Final = "keep the name"
KEY_CANCEL: Final = "leave it"
