"""Words of the screen of the patch test. Its questions themselves are of the skin's."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

TEST: Final = "Begin with First touch now: five minutes, then 24 hours of patience"
ANSWERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "forearm": "I have just done it on my inner forearm, by the device's own keys",
        "declined": "I leave it out",
        "calm": "All calm",
        "reaction": "A reaction: redness that stays, itching, swelling or soreness",
    }
)
"""By the answers of :class:`companion.home.Patch`."""
