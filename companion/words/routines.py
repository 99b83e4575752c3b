"""Words of routines: what is left out of one and why, how it would go, and the file for one of your own."""

from __future__ import annotations

from typing import Final

# --- what is left out -------------------------------------------------------------------------------------------------

WHY_NO_GO: Final = "one of the zones that you never treat"
WHY_NECK_DEVICE: Final = "{device} is not cleared for the neck"
WHY_NECK_WISH: Final = "only for those who choose to treat the sides of the neck"
WHY_TOO_STRONG: Final = "skin is thin here, and {device} starts at {lowest} %, above what is right for you"
WHY_OPTIONAL: Final = "optional, and only when you ask for it"
OPTIONAL: Final = {"massage": "Massage", "steam": "Steam", "exfoliation": "Exfoliation"}
