"""Words around the screening. The questions themselves are data of ``companion.care.screening``."""

from __future__ import annotations

from typing import Final

TITLE: Final = "A few questions first"
WHY: Final = "Microcurrent is not for everyone. Your answers stay on this computer."
COUNT: Final = "question {index} of {count}"
AGREED: Final = "Has a doctor agreed that you may use it?"
AGREED_NOTE: Final = "You answered that this may apply to you."
ANSWERS: Final = (("n", "no", "no"), ("y", "yes", "yes"), ("s", "not sure", "not sure"))
AGREEMENTS: Final = (("y", "yes, a doctor has agreed", "yes"), ("n", "not yet", "no"))
BLOCKED: Final = "Not with this app"
ASK: Final = "Please ask your doctor. Until then this app will not switch any device on."
KEY_BACK: Final = "back"
KEY_AGREED: Final = "a doctor has agreed"
KEY_AS_BEFORE: Final = "leave them as they were"
KEY_PEOPLE: Final = "someone else"
