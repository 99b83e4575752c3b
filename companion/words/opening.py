"""Words of the door to a session. Plain, warm, short; no medical claim."""

from __future__ import annotations

from typing import Final

HOW_TO_AGREE: Final = "Once they have, `companion profile agreed` keeps it, with its date."
HOW_TO_ANSWER: Final = "On the command line that is `companion profile`."
