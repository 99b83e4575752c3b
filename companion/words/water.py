"""Words about water: the glass, the goal, and what is asked. Nothing is claimed for it."""

from __future__ import annotations

from typing import Final

TITLE: Final = "Water"
TODAY: Final = "{today} of {goal} mL today"
TODAY_WITHOUT_GOAL: Final = "{today} mL today"
LOGGED: Final = "{ml} mL, noted."
TAKEN_BACK: Final = "{ml} mL, taken back."
NEXT: Final = "Next glass around {at}."
NOTHING_ASKED: Final = "Nothing more is asked of you today."
REACHED: Final = "That is your goal for today."
LIMITED: Final = "Your doctor limits your fluids, so this app asks for no water. You can still note what you drink."
WHY: Final = "Staying hydrated is good general practice. We remind you; we do not claim that it changes results."
SOURCE: Final = (
    "Adequate intake is 2.0 L (women) or 2.5 L (men) a day in all, about 80 % of it as drinks (EFSA, 2010). "
    "Your own goal comes first, and your doctor's before it."
)
KEY_GLASS: Final = "a glass"

ASK_GLASS: Final = "A glass of water, if you like."
ASK_ML: Final = "{ml} mL of water, if you like."
ASK_BEFORE: Final = "{what} before your session, if you like."
ASK_AFTER: Final = "{what} after your session, if you like."
WHAT_GLASS: Final = "A glass of water"
WHAT_ML: Final = "{ml} mL of water"

BAD_GOAL: Final = "a day's goal is {least} to {most} mL of drinks, not {ml}"
BAD_GLASS: Final = "a glass is {least} to {most} mL, not {ml}"
BAD_DRINK: Final = "a drink is 1 to {most} mL, not {ml}"
