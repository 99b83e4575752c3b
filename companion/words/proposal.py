"""Words around a plan that is proposed. Why which plan: of the consultation's."""

from __future__ import annotations

from typing import Final

TITLE: Final = "A plan for you. You can change everything later."
START: Final = "from"
DAYS: Final = "days"
AT: Final = "at"
TIME: Final = "for"
DAY: Final = "{day:%A}, {day.day} {day:%B}"
SOON: Final = ("today, {day}", "tomorrow, {day}")
"""The first days by how far they are ahead."""
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
ANY_DAY: Final = "none chosen: any day"
MINUTES: Final = "{minutes} minutes"
KEY_NEXT: Final = "go on"
KEY_SKIP: Final = "not now"
KEY_ACCEPT: Final = "follow this plan"
KEY_START: Final = "first day"
KEY_DAYS: Final = "days"
KEY_AT: Final = "time"
