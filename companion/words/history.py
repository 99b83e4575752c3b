"""Words of the history."""

from __future__ import annotations

from typing import Final

TITLE: Final = "What you have done"
NOTHING: Final = "Nothing yet. Your first session will be here."
INTERRUPTED: Final = "interrupted"
DEMO: Final = "demo"
MINUTES: Final = "{minutes:.0f} min"
