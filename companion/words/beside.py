"""Words of the link to Home Assistant beside a session without the app, and beside the app."""

from __future__ import annotations

from typing import Final

NO_LINK: Final = "Home Assistant: {problem}. The session goes on without it."
NO_LINK_NOW: Final = "Home Assistant: {problem}. Everything else goes on without it."
NOT_TAKEN_BACK: Final = (
    "Home Assistant: off. {broker} was not reached, so what it was told last may still be there; "
    "switch it on and off again when the broker is back."
)
NOT_CONNECTED: Final = "Home Assistant is not connected."
