"""Words of the screen of the patch test. Its questions themselves are of the skin's."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TEST: Final = "Begin with First touch: five minutes, then 24 hours"
ANSWERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "forearm": "I have just done it by hand, on my inner forearm",
        "declined": "I leave it out",
        "calm": "All calm",
        "reaction": "A reaction: lasting redness, itching, swelling, soreness",
        "agreed": "Since then a doctor has agreed that I may try again",
        "not agreed": "Not yet",
    }
)
"""By the answers of :class:`companion.home.Patch`."""
