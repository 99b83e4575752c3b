"""The proposed sessions as a calendar file (iCalendar, RFC 5545) that other calendars can subscribe to.

Titles tell nothing: calendars are shared. Events keep their UID while a session moves, so that a file that is read
again updates what is there instead of doubling it. Refuses to know how sessions are planned.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from companion.config import CompanionError
from companion.words import plan as words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from icalendar import Calendar, Component, Event

    from companion.care.plan import Proposal

PRODUCT: Final = "-//Companion//Routine plan//EN"
"""PRODID (RFC 5545 3.7.3), and how a file of ours is known before it is replaced; it tells as little as the titles."""

REFRESH: Final = timedelta(hours=6)
"""How often whoever subscribes may look again (RFC 7986 5.7)."""

MOST_BYTES: Final = 4_000_000
"""A calendar of the coming weeks has a hundredth of it; a file beyond was not written here and is not read."""

_NAMESPACE = UUID("4b6d5f0e-6f0c-4a52-9a3e-3f1c9d1a7b52")


class NotACalendarError(ValueError):
    """These bytes are not a calendar that this app wrote."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the last file said of an event."""

    start: datetime
    end: datetime
    alarm: timedelta | None
    title: str
    sequence: int
    stamp: datetime


def calendar_bytes(
    proposals: Sequence[Proposal],
    now: datetime,
    *,
    key: str,
    alarm: timedelta | None = None,
    previous: bytes | None = None,
) -> bytes:
    """Write ``proposals`` as a calendar, as of ``now`` (aware); the same inputs give the same bytes.

    ``key`` tells this plan of this person from all others (an id of the store and the start of the plan; it does not
    show in the file). ``alarm`` is how long before a session the calendar reminds, None for not at all. ``previous`` is
    the file as it stands: an event in it that stays as it is keeps its DTSTAMP and SEQUENCE, one that moved gets the
    next SEQUENCE and ``now`` (RFC 5545 3.8.7.2, 3.8.7.4), and without any change the bytes are those of before.

    Raises:
        NotACalendarError: ``previous`` was not written by this app.
        ValueError: ``now`` has no UTC offset, or ``alarm`` is negative.
    """
    from icalendar import Calendar  # noqa: PLC0415 - takes a tenth of a second to load, and few starts need it

    if now.utcoffset() is None:
        raise ValueError(f"{now.isoformat()} has no UTC offset")
    if alarm is not None and alarm < timedelta():
        raise ValueError("a calendar reminds before a session, not after it")
    known = {} if previous is None else _read(previous)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    for name in ("name", "x-wr-calname"):  # RFC 7986 5.1, and what Apple, Google and Microsoft read
        calendar.add(name, words.CALENDAR)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT6H")
    for proposal in proposals:
        uid = str(uuid5(_NAMESPACE, f"{key}/{proposal.phase}/{proposal.week}/{proposal.slot}"))
        calendar.add_component(_event(proposal, uid, now.astimezone(UTC), alarm, known.get(uid)))
    return bytes(calendar.to_ical())


def write_calendar(
    path: Path, proposals: Sequence[Proposal], now: datetime, *, key: str, alarm: timedelta | None = None
) -> bool:
    """Bring the calendar file at ``path`` up to date, as :func:`calendar_bytes` says; True when it was written.

    The file is replaced as a whole, so that whoever reads it meanwhile sees the old one or the new one, and is for the
    person's eyes alone (0600). Where nothing changed it is left alone.

    Raises:
        CompanionError: there is another file of that name, which is left as it is, or it cannot be written.
        ValueError: as :func:`calendar_bytes`.
    """
    try:
        previous = _previous(path)
        content = calendar_bytes(proposals, now, key=key, alarm=alarm, previous=previous)
        if content == previous:
            return False
        _replace(path, content)
    except NotACalendarError as error:
        raise CompanionError(words.NOT_OURS.format(path=path)) from error
    except OSError as error:
        raise CompanionError(words.NOT_WRITTEN.format(path=path, cause=error.strerror or error)) from error
    return True


def is_ours(path: Path) -> bool:
    """Whether the file at ``path`` is there, and a calendar that this app wrote."""
    try:
        content = _previous(path)
        return content is not None and _parsed(content) is not None
    except (NotACalendarError, OSError):
        return False


def _event(proposal: Proposal, uid: str, now: datetime, alarm: timedelta | None, known: _Known | None) -> Event:
    from icalendar import Alarm, Event  # noqa: PLC0415 - loaded by now

    # In UTC: exact in every calendar, and needs no definition of a time zone in the file (RFC 5545 3.3.5, form 2).
    start = proposal.at.astimezone(UTC).replace(microsecond=0)
    end = start + timedelta(minutes=proposal.minutes)
    title = words.EVENT.format(minutes=proposal.minutes)
    new = _Known(start, end, alarm, title, 0, now.replace(microsecond=0))
    if known is not None:
        same = (known.start, known.end, known.alarm, known.title) == (start, end, alarm, title)
        sequence, stamp = (known.sequence, known.stamp) if same else (known.sequence + 1, new.stamp)
        new = _Known(start, end, alarm, title, sequence, stamp)
    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", new.stamp)
    event.add("sequence", new.sequence)
    event.add("dtstart", start)
    event.add("dtend", end)
    event.add("summary", title)
    event.add("class", "PRIVATE")
    event.add("transp", "TRANSPARENT")  # nobody is kept from meeting somebody by it
    if alarm is not None:
        reminder = Alarm()
        reminder.add("action", "DISPLAY")
        reminder.add("description", title)
        reminder.add("trigger", -alarm)
        event.add_component(reminder)
    return event


def _read(content: bytes) -> dict[str, _Known]:
    """What the events of an earlier file were, by UID."""
    known: dict[str, _Known] = {}
    for event in _parsed(content).walk("VEVENT"):
        with suppress(KeyError, TypeError, ValueError):  # an event that does not read is written anew
            known[str(event["UID"])] = _known(event)
    return known


def _known(event: Component) -> _Known:
    reminders = event.walk("VALARM")
    return _Known(
        start=_utc(event.decoded("DTSTART")),
        end=_utc(event.decoded("DTEND")),
        alarm=-reminders[0].decoded("TRIGGER") if reminders else None,
        title=str(event["SUMMARY"]),
        sequence=int(event.decoded("SEQUENCE")),
        stamp=_utc(event.decoded("DTSTAMP")),
    )


def _parsed(content: bytes) -> Calendar:
    from icalendar import Calendar  # noqa: PLC0415 - loaded by now

    try:
        calendar = Calendar.from_ical(content)
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # what the parser is known to raise
        raise NotACalendarError(str(error)) from error
    if calendar.name != "VCALENDAR" or str(calendar.get("PRODID", "")) != PRODUCT:
        raise NotACalendarError("another program wrote it")
    return calendar


def _utc(moment: object) -> datetime:
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise ValueError(f"{moment} is not a moment of ours")
    return moment.astimezone(UTC)


def _previous(path: Path) -> bytes | None:
    """The file as it stands; None where there is none, or an empty one."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    if len(content) > MOST_BYTES:
        raise NotACalendarError("it is far too long")
    return content or None


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.unlink(missing_ok=True)  # of a run that was killed
    try:
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):  # the first fault is the one to tell
            unfinished.unlink(missing_ok=True)
        raise
