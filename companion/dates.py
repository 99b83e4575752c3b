"""The one source of dates: a value that tests and demos replace.

Durations and deadlines are no business of this module; those are the event loop's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


def _system_now() -> datetime:
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True)
class Calendar:
    """Says what date and time it is, always with a UTC offset.

    ``source`` gives the present moment as an aware datetime; :meth:`system` and :meth:`fixed` are the usual ways to
    make one.
    """

    source: Callable[[], datetime]

    @classmethod
    def system(cls) -> Calendar:
        """The computer's own date, in its time zone."""
        return cls(_system_now)

    @classmethod
    def fixed(cls, moment: datetime) -> Calendar:
        """A calendar that stands still at ``moment``.

        Raises:
            ValueError: ``moment`` carries no UTC offset.
        """
        _require_aware(moment)
        return cls(lambda: moment)

    def now(self) -> datetime:
        """The present moment, aware.

        Raises:
            ValueError: the source gave a moment without UTC offset.
        """
        moment = self.source()
        _require_aware(moment)
        return moment


def _require_aware(moment: datetime) -> None:
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no UTC offset, so it cannot be compared with other dates")
