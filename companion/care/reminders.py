"""What is to be told, and when: the next session, a glass of water, the health questions again, the patch test's end.

Each reminder has a key that stays the same across restarts, so that a ledger lets it be told once, whoever tells it.
Pure; knows no clock, no ledger's file and no way to tell. Moments come in aware and go out in UTC. A reminder is only
ever words: nothing here starts a session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final, Protocol

from companion.care.hydration import (
    WINDOW,
    Ask,
    Drink,
    Goal,
    Hours,
    Occasion,
    Span,
    instant,
    opens,
    postponed,
    schedule,
    total_ml,
)
from companion.care.screening import VALID
from companion.words import reminders as words
from companion.words import water as water_words

PATCH_TEST: Final = timedelta(hours=24)
"""How long to wait after a patch test."""

SCREENING_KEEPS: Final = timedelta(days=14)
"""How long it is of use to say that the health questions are due; the next session asks them in any case."""

PATCH_KEEPS: Final = timedelta(days=7)
"""How long it is of use to ask for the patch test's outcome; the next session asks for it in any case."""

KEPT: Final = timedelta(days=15)
"""How far back a ledger's keys matter: longer than any reminder is of use."""

QUIET: Final = Hours(time(22, 0), time(7, 30))
"""Quiet hours of who has not chosen any."""

SNOOZE: Final = timedelta(minutes=30)
"""The usual snooze."""

_MINUTE = timedelta(minutes=1)


class Kind(StrEnum):
    """What a reminder is about; a key begins with it."""

    SESSION = "session"
    WATER = "water"
    WATER_BEFORE = "water-before"
    WATER_AFTER = "water-after"
    SCREENING = "screening"
    PATCH = "patch"


_WATER = {Occasion.DAY: Kind.WATER, Occasion.BEFORE: Kind.WATER_BEFORE, Occasion.AFTER: Kind.WATER_AFTER}
_WATER_PREFIXES = tuple(f"{kind}/" for kind in _WATER.values())


class Ledger(Protocol):
    """Remembers which reminders have been told, for every process of this person's: the store has the real one."""

    def fired(self, since: datetime) -> Mapping[str, datetime]:
        """The keys that were claimed at ``since`` or later (aware), each with its moment."""

    def claim(self, key: str, at: datetime) -> bool:
        """Write ``key`` down as told at ``at`` (aware). True for the first claim of it ever, False for every other.

        Of several processes that claim one key at once, exactly one gets True.
        """


class MemoryLedger:
    """A ledger that lasts as long as its object: for a demo, whose reminders belong to nobody, and for tests."""

    def __init__(self) -> None:
        self._told: dict[str, datetime] = {}

    def fired(self, since: datetime) -> Mapping[str, datetime]:
        """See :meth:`Ledger.fired`."""
        return {key: at for key, at in self._told.items() if instant(at) >= instant(since)}

    def claim(self, key: str, at: datetime) -> bool:
        """See :meth:`Ledger.claim`."""
        if key in self._told:
            return False
        self._told[key] = instant(at)
        return True


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The plan's next session: when (``start``, aware), how long, and what.

    ``number`` is raised when the person moves it within its day after it was told, so that it is told again.

    Raises:
        ValueError: ``start`` has no UTC offset.
    """

    start: datetime
    minutes: float
    title: str = ""
    number: int = 1

    def __post_init__(self) -> None:
        instant(self.start)

    @property
    def span(self) -> Span:
        """From start to end."""
        start = instant(self.start)
        return Span(start, start + timedelta(minutes=self.minutes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """Everything that reminders follow from, as plain values.

    ``zone`` is where the person is now. ``done`` are the spans of sessions since yesterday, for the glass after them;
    ``drinks`` reach back to yesterday. ``screened_at`` is when the health questions were answered last; ``patch_at``
    when a patch test was begun whose outcome is not known yet. ``snoozes`` maps a reminder's ``about`` to when to tell
    it again. What is None is not reminded of; ``quiet`` None means no quiet hours.
    """

    zone: tzinfo
    session: Upcoming | None = None
    session_lead: timedelta = timedelta(0)
    goal: Goal | None = None
    drinks: Sequence[Drink] = ()
    done: Sequence[Span] = ()
    screened_at: datetime | None = None
    patch_at: datetime | None = None
    quiet: Hours | None = QUIET
    snoozes: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reminder:
    """One thing to tell, once. ``key`` is for the ledger, ``about`` for a snooze.

    It is due from ``at`` up to and without ``until`` (UTC). ``ml`` is the amount of water that it asks for, else 0.
    """

    kind: Kind
    key: str
    about: str
    at: datetime
    until: datetime
    title: str
    text: str
    ml: int = 0


def due(now: datetime, agenda: Agenda, fired: Mapping[str, datetime]) -> list[Reminder]:
    """What is to be told at ``now`` (aware), the session first, water last.

    At most one of it is about water, since each ask ends well before the next begins, snoozed or not.

    ``fired`` is what the ledger holds of the last :data:`KEPT`. Whoever tells must claim each key first, as
    :func:`claimed` does.

    Raises:
        ValueError: a moment has no UTC offset.
    """
    now = instant(now)
    if agenda.quiet is not None and agenda.quiet.hold(now, agenda.zone):
        return []
    return [_worded_late(one, now, agenda) for one in _open(now, agenda, fired, at_most=now) if one.at <= now]


def next_due(now: datetime, agenda: Agenda, fired: Mapping[str, datetime]) -> datetime | None:
    """The first moment from ``now`` (aware) on at which something is due (UTC), as things stand; None for never.

    It holds until something is told, drunk, planned, snoozed or set. Water is looked ahead for until the end of the day
    after tomorrow.

    Raises:
        ValueError: a moment has no UTC offset.
    """
    now = instant(now)
    moments = [(_outside_quiet(max(one.at, now), one.until, agenda), one.until) for one in _open(now, agenda, fired)]
    return min((at for at, until in moments if at < until), default=None)


def claimed(now: datetime, agenda: Agenda, ledger: Ledger) -> list[Reminder]:
    """What the caller, and nobody else, is to tell at ``now`` (aware).

    Raises:
        ValueError: a moment has no UTC offset.
    """
    now = instant(now)
    mine = [one for one in due(now, agenda, ledger.fired(now - KEPT)) if ledger.claim(one.key, now)]
    return [one for one in mine if not one.ml or _alone(one, now, ledger)]


def _alone(one: Reminder, now: datetime, ledger: Ledger) -> bool:
    """Whether no other water was asked for while this one was claimed.

    Two processes may have looked before either claimed, and seen different glasses due, since the person has just
    changed a setting or the plan. Each looks again after its claim: at least one sees both, and says nothing.
    """
    others = {key: at for key, at in ledger.fired(now - WINDOW).items() if key != one.key}
    return all(abs(instant(at) - now) >= WINDOW for at in water_told(others))


def water_told(fired: Mapping[str, datetime]) -> list[datetime]:
    """When water was asked for, out of what a ledger holds."""
    return [at for key, at in fired.items() if key.startswith(_WATER_PREFIXES)]


# --- what is of use from now on, whatever the quiet hours -------------------------------------------------------------


def _open(
    now: datetime, agenda: Agenda, fired: Mapping[str, datetime], *, at_most: datetime | None = None
) -> Iterator[Reminder]:
    """Whatever is still to be told at ``now`` or later; water that comes after ``at_most`` may be left out."""
    for one in (*_waiting(agenda), *_water(now, agenda, fired, at_most)):
        if one.key not in fired and one.until > now:
            yield one


def _waiting(agenda: Agenda) -> Iterator[Reminder]:
    """Session, health questions and patch test, snoozed or not."""
    if agenda.session is not None:
        session = agenda.session
        start = instant(session.start)
        yield _snoozed(
            Reminder(
                Kind.SESSION,
                # The date as the plan wrote it: it stays the same for whoever travels.
                *_named(Kind.SESSION, session.start.date(), session.number),
                start - agenda.session_lead,
                _end_of_day(start, agenda.zone),
                words.SESSION_TITLE,
                _session_text(session, words.SESSION_TEXT, words.SESSION_TEXT_PLAIN),
            ),
            agenda,
        )
    if agenda.screened_at is not None:
        at = instant(agenda.screened_at) + VALID
        names = _named(Kind.SCREENING, at.astimezone(agenda.screened_at.tzinfo).date(), 1)
        title, text = words.SCREENING_TITLE, words.SCREENING_TEXT
        yield _snoozed(Reminder(Kind.SCREENING, *names, at, at + SCREENING_KEEPS, title, text), agenda)
    if agenda.patch_at is not None:
        at = instant(agenda.patch_at) + PATCH_TEST
        # A second test of the same day is another one: its minute tells them apart.
        local = at.astimezone(agenda.patch_at.tzinfo)
        names = _named(Kind.PATCH, local.date(), 1 + 60 * local.hour + local.minute)
        yield _snoozed(Reminder(Kind.PATCH, *names, at, at + PATCH_KEEPS, words.PATCH_TITLE, words.PATCH_TEXT), agenda)


def _snoozed(one: Reminder, agenda: Agenda) -> Reminder:
    to = agenda.snoozes.get(one.about)
    if to is None:
        return one
    return replace(one, key=_again(one.about, to), at=max(one.at, instant(to)))


def _water(
    now: datetime, agenda: Agenda, fired: Mapping[str, datetime], at_most: datetime | None
) -> Iterator[Reminder]:
    goal = agenda.goal
    if goal is None:
        return
    spans = list(agenda.done)
    if agenda.session is not None:
        spans.append(agenda.session.span)
    today = now.astimezone(agenda.zone).date()
    days = [today + timedelta(days=ahead) for ahead in range(3)]
    asks = [ask for day in days for ask in schedule(day, agenda.zone, goal, spans)]
    told = water_told(fired)
    for ask in asks:
        if at_most is not None and ask.at > at_most:
            break
        if ask.until <= now and not agenda.snoozes:
            continue
        kind = _WATER[ask.occasion]
        key, about = _named(kind, ask.day, ask.number)
        moved: Ask | None = ask
        to = agenda.snoozes.get(about)
        if to is not None:
            # Asked twice is asked for twice as much: a snoozed glass comes back once the first ask is long enough ago.
            earliest = instant(fired[key]) + WINDOW if key in fired else ask.at
            moved = postponed(ask, max(instant(to), earliest), asks, agenda.zone, goal)
            key = _again(about, to)
        if moved is None:
            continue
        at = opens(moved, now, zone=agenda.zone, goal=goal, drinks=agenda.drinks, told=told)
        if at is not None:
            lacking = replace(moved, ml=min(moved.ml, goal.ml - total_ml(agenda.drinks, ask.day, agenda.zone)))
            text = _water_text(lacking, goal)
            yield Reminder(kind, key, about, at, moved.until, words.WATER_TITLE, text, lacking.ml)


def _named(kind: Kind, day: date, number: int) -> tuple[str, str]:
    """Key and about: the same, until a snooze gives it another key."""
    name = f"{kind}/{day.isoformat()}/{number}"
    return name, name


def _again(about: str, to: datetime) -> str:
    """Another key for each snooze, so that it is told once more and no more than that."""
    return f"{about}~{instant(to):%Y%m%dT%H%M%SZ}"


def _outside_quiet(at: datetime, until: datetime, agenda: Agenda) -> datetime:
    """The first moment from ``at`` (UTC) on outside quiet hours; ``until`` if it is later."""
    quiet, zone = agenda.quiet, agenda.zone
    while at < until and quiet is not None and quiet.hold(at, zone):
        end = at + quiet.left(at, zone)
        if end.astimezone(zone).utcoffset() != at.astimezone(zone).utcoffset():
            # The clocks change meanwhile, with a minute: the face may skip the end of the quiet hours, or repeat it.
            end = at.replace(second=0, microsecond=0) + _MINUTE
        at = end
    return min(at, until)


def _end_of_day(moment: datetime, zone: tzinfo) -> datetime:
    """The first moment of the next local date."""
    tomorrow = moment.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)


# --- words ------------------------------------------------------------------------------------------------------------


def _session_text(session: Upcoming, named: str, plain: str) -> str:
    return named.format(title=session.title, minutes=max(1, round(session.minutes))) if session.title else plain


def _worded_late(one: Reminder, now: datetime, agenda: Agenda) -> Reminder:
    """A session that is told well after its time is told as one that can still be had."""
    if one.kind is not Kind.SESSION or agenda.session is None or now - one.at < WINDOW:
        return one
    return replace(one, text=_session_text(agenda.session, words.SESSION_LATE, words.SESSION_LATE_PLAIN))


def _water_text(ask: Ask, goal: Goal) -> str:
    glass = ask.ml == goal.glass_ml
    if ask.occasion is Occasion.DAY:
        return water_words.ASK_GLASS if glass else water_words.ASK_ML.format(ml=ask.ml)
    what = water_words.WHAT_GLASS if glass else water_words.WHAT_ML.format(ml=ask.ml)
    template = water_words.ASK_BEFORE if ask.occasion is Occasion.BEFORE else water_words.ASK_AFTER
    return template.format(what=what)
