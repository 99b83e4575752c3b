"""Words of the almanac: what there is to say where there is no plan yet, or no time zone."""

from __future__ import annotations

from typing import Final

NO_PLAN: Final = "there is no plan yet: `companion plan choose course-4` begins the usual one"
NO_ZONE: Final = (
    "This computer does not say in which time zone it is: {offset} is taken, and changes of the clocks are not known."
)
NOT_PAUSED: Final = "your plan is not paused"
