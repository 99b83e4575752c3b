"""Words of the screen that chooses a routine."""

from __future__ import annotations

from typing import Final

TITLE: Final = "What would be good today?"
MINUTES: Final = "{minutes} min"
LAST_TIME: Final = "Last time: {when}, {title}."
FIRST_TIME: Final = "Your first time: First touch is for that, at the lowest level."
NOTHING: Final = "No routine fits this device."
NO_DEVICE: Final = "no device near yet"
NEAR: Final = "{device} is {nearness}"
KEY_START: Final = "prepare this one"
KEY_FIND: Final = "find your device for it"
KEY_HISTORY: Final = "history"
KEY_DEVICES: Final = "devices"
NO_ADVICE: Final = "these answers do not go together; press c to answer once more"
