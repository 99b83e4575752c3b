"""The one door to a session: screening, today's answers, rest, device and routine are judged here, by every face alike.

Hands questions out and takes answers in; refuses to know how they are asked. Nobody gets an engine past this door.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from companion.care.screening import judge, judge_today
from companion.config import CompanionError, Exit
from companion.routines.model import NotForThisDeviceError, plan_session
from companion.session.engine import SessionEngine
from companion.session.interlocks import rest_refusal
from companion.session.journal import Listener, StoreJournal
from companion.session.model import JournalEntry, JournalKind
from companion.words import opening as words

if TYPE_CHECKING:
    from companion.dates import Calendar
    from companion.routines.model import Routine
    from companion.session.model import SessionPlan
    from companion.store.database import Store
    from protocols.model import DeviceProfile


class Blocked(CompanionError):  # noqa: N818 - the name that every face of the app knows it by
    """No session now; the message says why, in words for the person."""

    def __init__(self, reason: str, exit_code: Exit = Exit.BLOCKED) -> None:
        super().__init__(reason, exit_code)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Opening:
    """A session that was let in. ``entries`` come first in its journal; ``journal`` is to be closed at the end."""

    plan: SessionPlan
    engine: SessionEngine
    journal: StoreJournal
    entries: tuple[JournalEntry, ...]


def check_person(
    store: Store, calendar: Calendar, zones: Collection[str], *, demo: bool, stand_in: bool
) -> JournalEntry:
    """Judge what can be judged before a device is looked for (H10, H6); return the journal's word on the screening.

    ``stand_in``: somebody said yes to leaving the screening out, which a demo alone allows.

    Raises:
        Blocked: the screening is missing, older than 90 days or forbids it, or the skin has not rested.
        StoreError: the store cannot be read.
    """
    if demo and stand_in:
        entry = JournalEntry(JournalKind.SCREENING, {"verdict": "left out for a simulated device", "answered": None})
    else:
        entry = _check_screening(store, calendar)
    if not demo:
        refusal = rest_refusal(calendar.now(), store.past_sessions(), zones)
        if refusal is not None:
            raise Blocked(refusal)
    return entry


def check_today(today: Mapping[str, bool]) -> None:
    """Judge the answers of today: by question id, True for yes.

    Raises:
        Blocked: a question has no answer, or one was answered yes.
    """
    verdict = judge_today(today)
    if verdict.blocked:
        raise Blocked(" ".join(verdict.reasons))


def plan_for(store: Store, routine: Routine, profile: DeviceProfile, *, no_go: Collection[str] = ()) -> SessionPlan:
    """Bring routine, person and device together.

    Raises:
        Blocked: this device, or this person with it, cannot do the routine; the exit code is that of a usage fault.
        StoreError: the store cannot be read.
    """
    person = store.person()
    try:
        return plan_session(
            routine,
            profile,
            comfortable_percent=person.comfortable_percent,
            first_session=person.first_session,
            no_go=frozenset(no_go),
        )
    except NotForThisDeviceError as error:
        raise Blocked(str(error), Exit.USAGE) from error


def open_session(
    store: Store,
    calendar: Calendar,
    routine: Routine,
    *,
    profile: DeviceProfile,
    protocol: str,
    device_name: str,
    today: Mapping[str, bool],
    now: float,
    demo: bool = False,
    stand_in: bool = False,
    no_go: Collection[str] = (),
    listeners: Sequence[Listener] = (),
) -> Opening:
    """Let a session in, or say why not.

    ``protocol`` is the key of the registry entry, ``today`` the answers to today's questions (True for yes),
    ``now`` the loop's time, ``no_go`` zones of this person to be left out. ``listeners`` hear of each journal entry
    once it is kept.

    Raises:
        Blocked: screening, today's answers, rest, device or routine forbid it; nothing was begun.
        StoreError: the store cannot be used, or another session is running.
    """
    screening = check_person(store, calendar, routine.zones, demo=demo, stand_in=stand_in)
    check_today(today)
    plan = plan_for(store, routine, profile, no_go=no_go)
    engine = SessionEngine(plan, now)
    writer = store.begin_session(plan.routine, device_name, profile.key, protocol, demo)
    return Opening(plan, engine, StoreJournal(writer, *listeners), (screening,))


def _check_screening(store: Store, calendar: Calendar) -> JournalEntry:
    screening = store.screening()
    if screening is None:
        verdict = judge(None, None, calendar.now())
    else:
        verdict = judge(screening.answers, screening.at, calendar.now(), version=screening.version)
    if screening is None or verdict.blocked:
        how = "" if verdict.completed else words.HOW_TO_ANSWER
        raise Blocked(" ".join((*verdict.reasons, how)).strip())
    return JournalEntry(JournalKind.SCREENING, {"verdict": "clear", "answered": screening.at.date().isoformat()})
