"""Words of the first screen: what is next, in one line. Plain, warm, short; no medical claim, no shame."""

from __future__ import annotations

from typing import Final

PLANNED: Final = "{title}, {minutes} min, planned for today"
AT_TIME: Final = "At {at:%H:%M}, or whenever it suits you."
ANY_TIME: Final = "Whenever it suits you."
FREELY: Final = "Whenever you feel like it"
NO_PLAN: Final = "There is no plan yet: c asks a few questions and proposes one."
NEXT: Final = "Next: {day} at {at:%H:%M}."
NEXT_NONE: Final = "Next: whenever you carry on with your plan."
TODAY: Final = "today"
DAY: Final = "{day:%a} {day.day} {day:%b}"
PATCH_LOOK_HINT: Final = "Press enter once you can say so."

LOOKING: Final = "Looking for your device…"
LOOKING_HINT: Final = "Switch it on and hold it near."
NEAR: Final = "Your {device} is {nearness}."
SEVERAL: Final = "{count} devices are near: enter asks which one is in your hand."
NONE: Final = "No device near yet. Switch it on and hold it near; I keep looking."
FAILED: Final = "{reason}. Press d to see what to try."
WAIT: Final = "One moment…"

WATER: Final = "{today} of {goal} mL"
WATER_NO_GOAL: Final = "{today} mL"
WEEK_OF: Final = "{day.day} {day:%b}"
NOW: Final = "this week"

TIPS: Final = (
    "Even contact comes mainly from enough gel on clean skin. When it drags, add some.",
    "A slight tingling is normal, pain is not. Lower is always fine.",
    "Keep the device flat and moving slowly; it should never rest on one spot.",
    "A rest day is a part of the plan, and not a gap in it.",
    "Photos tell more in the same light, at the same time of day.",
    "After a session a moisturiser is pleasant; by day, sun protection.",
    "Lifting the device from the skin always ends the current, whatever else happens.",
    "Whether it works is debated, and people differ. Press ? for both sides.",
)
"""One a day, in turn."""

KEY_PREPARE: Final = "prepare"
KEY_ROUTINES: Final = "choose a routine"
KEY_OTHERS: Final = "routines"
KEY_LOOK: Final = "say how it is"
KEY_PLAN: Final = "a plan for you"
KEY_GLASS: Final = "a glass of water"
KEY_PEOPLE: Final = "someone else"
