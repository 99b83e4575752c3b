"""The comfortable maximum: which level a person may choose for themselves, and which not yet.

Pure. It is the person's alone: nothing of the app raises it, and what a first session may have stays below it (H2).
"""

from __future__ import annotations

from typing import Final

from companion.session.interlocks import FIRST_SESSION_CAP_PERCENT
from companion.words import profile as words

LEAST, MOST = 1, 100

NOT_YET: Final = FIRST_SESSION_CAP_PERCENT
"""What counts as long as a person has chosen nothing, in percent of full scale."""


def most_comfortable(*, first_session: bool) -> int:
    """Return the highest maximum that may be chosen, in percent of full scale."""
    return FIRST_SESSION_CAP_PERCENT if first_session else MOST


def is_level(percent: int) -> bool:
    """Whether ``percent`` can be a maximum at all."""
    return LEAST <= percent <= MOST


def comfortable_refusal(percent: int, *, first_session: bool) -> str | None:
    """Return why ``percent`` of full scale cannot be the comfortable maximum, in words, or None.

    ``first_session``: no session with output has been held yet.
    """
    if not is_level(percent):
        return words.COMFORTABLE_RANGE.format(percent=percent)
    if percent > most_comfortable(first_session=first_session):
        return words.COMFORTABLE_FIRST.format(cap=FIRST_SESSION_CAP_PERCENT, percent=percent)
    return None
