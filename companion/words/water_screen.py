"""Words of the screen of water. Nothing is claimed for it, and nobody is made to catch up."""

from __future__ import annotations

from typing import Final

TITLE: Final = "Water"
DAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
OF_GOAL: Final = "of {goal} mL\ntoday"
ML_TODAY: Final = "mL\ntoday"
LIMITED_NOW: Final = "Nothing is asked of you any more."
NOT_LIMITED: Final = "A glass is asked now and then again."
NEXT: Final = "Next glass around {at:%H:%M}."
NOW: Final = "A glass now, if you like."
NOT_ASKED: Final = "Nothing is asked of you: that begins with a plan or a goal of your own."
NOTHING_TO_UNDO: Final = "There is nothing to take back."
GOAL_SET: Final = "Your goal is {ml} mL a day from now on."
HOW_MUCH: Final = "How much? "
GOAL: Final = "A day's goal: "
UNIT: Final = " mL"
WEEK: Final = "the last seven days"
WEEK_GOAL: Final = "the last seven days, and your goal"

KEY_GLASS: Final = "a glass"
KEY_OTHER: Final = "other"
KEY_UNDO: Final = "take back"
KEY_GOAL: Final = "goal"
KEY_LIMITS: Final = "fluids limited"
KEY_NOT_LIMITED: Final = "not limited"
KEY_KEEP: Final = "keep"
KEY_LOG: Final = "note it"
KEY_CANCEL: Final = "never mind"
KEY_STEP: Final = "more, less"
