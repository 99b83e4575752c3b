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
KEY_JUMP: Final = "go to"
KEY_GLASS: Final = "a glass"
KEY_HELP: Final = "help"
KEY_BACK: Final = "back"
KEY_CHOOSE: Final = "choose"
DEMO_SCREENING: Final = "Demo: the health questions count as answered by an imagined person."
GLASS: Final = "{ml} mL, noted. u takes it back."
GLASS_BACK: Final = "{ml} mL, taken back."
REMINDER_KEY: Final = "z says it once more, later."
AGAIN_AT: Final = "Once more at {at:%H:%M}."
JUMP_TITLE: Final = "Go to"
PLACES: Final = (
    ("t", "today", "what is next"),
    ("p", "plan", "your sessions, day by day"),
    ("w", "water", "what you drank, and your goal"),
    ("h", "history", "what you have done"),
    ("d", "devices", "what is in reach"),
    ("r", "routines", "choose one"),
    ("y", "profile", "your limits and zones"),
    ("s", "settings", "each with its reason"),
    ("e", "evidence", "both sides, with sources"),
)
"""Where ``g`` and a letter lead: letter, name of the action, what is there."""
COMMANDS: Final = (
    ("A plan for you", "a few questions, and a plan that suits you", "consultation"),
    ("Whose turn is it?", "several people, each with their own", "people"),
    ("A glass of water", "note it", "glass"),
    ("Take the glass back", "the one that was noted just now", "undo"),
    ("Later", "the last reminder once more in half an hour", "snooze"),
    ("Light or dark", "change the colours", "theme"),
    ("Help", "keys, safety, what is known", "help"),
    ("Leave", "end the app", "quit"),
)
"""What else is in the palette: title, what it does, name of the action."""
FAULT_TITLE: Final = "This cannot go on"
FAULT_HINT: Final = "Nothing is lost. Put it right, then start the app again."
STOPPED_BY_FAULT: Final = "The output was stopped and the device let go of."
