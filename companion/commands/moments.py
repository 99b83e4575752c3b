"""Dates, times and weekdays as people write them on a command line; every slip becomes one line that names it."""

from __future__ import annotations

import re
from datetime import date, time

from companion.care.hydration import Hours
from companion.config import UsageError
from companion.words import commands as words

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{1,2}:\d{2}", re.ASCII)


def day(value: str, option: str) -> date:
    """A date such as ``2026-03-02``.

    Raises:
        UsageError: it is none.
    """
    try:
        if _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass  # the thirtieth of February
    raise UsageError(words.BAD_DATE.format(option=option, value=value))


def time_of_day(value: str, option: str) -> time:
    """A time of day such as ``19:30`` or ``7:30``.

    Raises:
        UsageError: it is none.
    """
    try:
        if _TIME.fullmatch(value):
            return time.fromisoformat(value.rjust(5, "0"))
    except ValueError:
        pass  # 25:00
    raise UsageError(words.BAD_TIME.format(option=option, value=value))


def hours(value: str) -> Hours:
    """Hours such as ``07:30-22:00``.

    Raises:
        UsageError: they are none.
    """
    start, _, end = value.partition("-")
    try:
        return Hours(time_of_day(start.strip(), ""), time_of_day(end.strip(), ""))
    except (UsageError, ValueError):
        raise UsageError(words.BAD_HOURS.format(value=value)) from None


def weekdays(value: str) -> tuple[int, ...]:
    """Days such as ``mon,thu`` as numbers, 0 for Monday; ``any`` is all of them, which is none in particular.

    Raises:
        UsageError: one of them is none.
    """
    if value.strip().casefold() == "any":
        return ()
    names = [name.strip().casefold() for name in value.split(",")]
    found = [
        index for name in names for index, short in enumerate(words.WEEKDAYS) if len(name) > 1 and _is(name, short)
    ]
    if len(found) != len(names):
        raise UsageError(words.BAD_DAYS.format(value=value))
    return tuple(sorted(set(found)))


_FULL = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _is(name: str, short: str) -> bool:
    full = _FULL[words.WEEKDAYS.index(short)]
    return full.startswith(name)
