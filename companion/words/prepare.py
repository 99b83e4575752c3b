"""Words of the preparation: one thing at a time, then the questions of today."""

from __future__ import annotations

from typing import Final

TITLE: Final = "Before you begin"
COUNT: Final = "{index} of {count}"
TODAY: Final = "Today"
TODAY_HINT: Final = "A yes means: not today. Your skin will be there tomorrow."
SKIN: Final = "Your skin"
OPTIONAL: Final = "What may go with it"
SCALE: Final = "1 is not at all, 5 is very. One key is enough."
SCORES: Final = ("not at all", "a little", "somewhat", "quite", "very")
READY: Final = "Everything is ready"
READY_HINT: Final = "Spread the gel, take the device in your hand. Nothing is switched on before you say so."
MANUAL: Final = "Your device's own manual comes first: where it is stricter than this app, follow it."
NOT_TODAY: Final = "Not today"
NOT_TODAY_HINT: Final = "Nothing was switched on."
MARK_HERE: Final = "→ "
MARK_DONE: Final = "✓ "
MARK_TO_COME: Final = "· "
BEGIN_KEY: Final = "space/enter"
KEY_TICK: Final = "done"
KEY_BEFORE: Final = "take back"
KEY_YES: Final = "yes"
KEY_NO: Final = "no"
KEY_BEGIN: Final = "begin"
