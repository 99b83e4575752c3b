"""Words of the questions before a session without the app, and of what comes after it. Plain, warm, short."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# --- the person at the terminal ---------------------------------------------------------------------------------------

ASK_DEMO: Final = "A demo with a simulated device; the health questions are left out. Begin?"
TODAY: Final = "Today:"
YES_NO: Final = "[y/n] "
PLEASE_YES_NO: Final = "Please answer y or n."
PLEASE_ONE_OF: Final = "Please answer with one of: {choices}"
READY_TO_BEGIN: Final = "Everything at hand and ready to begin?"
NOT_NOW: Final = "Not now, then. Nothing was started."

# --- skin and patch test ----------------------------------------------------------------------------------------------

SKIN: Final = "{title} ({scale})"
SCORE: Final = "{question} [{least}-{most}] "
PATCH_CHOICES: Final = (
    "  f  I have just done it on my inner forearm, by the device's own keys\n"
    "  l  I leave it out\n"
    "  n  not now: `companion run first-touch` begins with it\n"
)
PATCH_ASK: Final = "What about the patch test? [f/l/n] "
PATCH_WHY: Final = "A word on why, if you like; it stays on this computer: "
PATCH_LOOK_ASK: Final = (
    "How does the spot of your patch test look?\n"
    "  c  all calm\n"
    "  r  a reaction: redness that stays, itching, swelling, soreness\n"
    "  n  I have not looked yet\n"
    "[c/r/n] "
)
PATCH_KEPT: Final = "That is noted."

# --- what may come first ----------------------------------------------------------------------------------------------

OPTIONAL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "steam": "With steam first?",
        "exfoliation": "With a mild exfoliation?",
        "massage": "With a massage by hand?",
        "light": "With light?",
        "mask": "With a mask afterwards?",
        "serum": "With a serum afterwards?",
    }
)

OPTIONAL_THERE: Final = "there are {names}"
OPTIONAL_NONE: Final = "it has none"
NOT_OPTIONAL: Final = "{name!r} is no optional step of {routine}; {known}"
WITH_AND_WITHOUT: Final = "{name} is both in --with and in --without; say one of them"

# --- nobody to ask ----------------------------------------------------------------------------------------------------

NOBODY: Final = (
    "there is nobody to ask the questions before a session: `companion run {routine}` asks them in a terminal, "
    "--yes answers those of today"
)
ASKED_IN_TERMINAL: Final = "{reason} `companion run {routine}` in a terminal asks."

# --- afterwards -------------------------------------------------------------------------------------------------------

WATER: Final = "A glass of water now is good general practice."
NEXT: Final = "Next: {day} at {at:%H:%M}."
NEXT_NONE: Final = "Next: whenever you carry on with your plan."
PATCH: Final = "Now your patch test needs its 24 hours: look at the spot on {when}."
