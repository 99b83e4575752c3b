"""The one door to a session: screening, today's answers, rest, device and routine are judged here, by every face alike.

Hands questions out and takes answers in; refuses to know how they are asked. Nobody gets an engine past this door.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from companion.care.screening import judge, judge_today
from companion.care.skin import (
    PATCH_AGREED,
    SPECIAL_CARE,
    PatchState,
    SkinToday,
    SpecialCare,
    patch_refusal,
    patch_state,
    peel_refusal,
    skin_refusal,
    skin_today,
    special_refusal,
    with_special,
)
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
    store: Store,
    calendar: Calendar,
    zones: Collection[str],
    *,
    demo: bool,
    stand_in: bool,
    patch_test: bool = False,
    ask_care: bool = False,
) -> JournalEntry:
    """Judge what can be judged before a device is looked for (H10, H6); return the journal's word on the screening.

    ``zones`` are those with output; without any, neither rest nor patch test is asked for. ``stand_in``: somebody said
    yes to leaving the screening out, which a demo alone allows. ``patch_test``: the routine is the patch test.
    ``ask_care``: skin check and patch test were offered, so that it counts when they are missing; what the diary knows
    of them counts always, in a demo only where they were offered.

    Raises:
        Blocked: the screening is missing, older than 90 days or forbids it, skin check, peel or patch test say not
            now, or the skin has not rested.
        StoreError: the store cannot be read.
    """
    if demo and stand_in:
        entry = JournalEntry(JournalKind.SCREENING, {"verdict": "left out for a simulated device", "answered": None})
    else:
        entry = _check_screening(store, calendar)
    if ask_care or not demo:
        _check_care(store, calendar, output=bool(zones), patch_test=patch_test, ask=ask_care)
    if zones and not demo:
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


def plan_for(
    store: Store,
    routine: Routine,
    profile: DeviceProfile,
    *,
    no_go: Collection[str] = (),
    calendar: Calendar | None = None,
    optional: Collection[str] = (),
) -> SessionPlan:
    """Bring routine, person and device together.

    The person's own zones hold always; ``no_go`` are further ones to be left out. With a ``calendar`` the plan is that
    of now: as gentle as the skin asks for, and at the lowest level after a reaction to a patch test. ``optional`` names
    the optional steps that were asked for.

    Raises:
        Blocked: this device, or this person with it, cannot do the routine; the exit code is that of a usage fault.
        StoreError: the store cannot be read.
    """
    person = store.person()
    comfortable, ease = person.comfortable_percent, 1.0
    if calendar is not None:
        ease = skin_now(store, calendar).ease
        if _patch_state(store, calendar) is PatchState.AGAIN:
            comfortable = profile.lowest_percent
    try:
        return plan_session(
            routine,
            profile,
            comfortable_percent=comfortable,
            first_session=person.first_session,
            no_go=person.no_go | frozenset(no_go),
            neck=person.neck,
            ease=ease,
            optional=optional,
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
    ask_care: bool = False,
    optional: Collection[str] = (),
) -> Opening:
    """Let a session in, or say why not.

    ``protocol`` is the key of the registry entry, ``today`` the answers to today's questions (True for yes),
    ``now`` the loop's time, ``no_go`` zones to be left out beside those that the person never treats. ``listeners``
    hear of each journal entry once it is kept. ``ask_care``: see :func:`check_person`. ``optional`` names the optional
    steps that were asked for; steam and exfoliation are noted in the diary here, where they are let in.

    Raises:
        Blocked: screening, skin, today's answers, rest, device or routine forbid it; nothing was begun.
        StoreError: the store cannot be used, or another session is running.
    """
    screening = check_person(
        store,
        calendar,
        routine.zones,
        demo=demo,
        stand_in=stand_in,
        patch_test=routine.patch_test,
        ask_care=ask_care,
    )
    check_today(today)
    special = _check_optional(store, calendar, routine, optional)
    plan = plan_for(store, routine, profile, no_go=no_go, calendar=calendar, optional=optional)
    engine = SessionEngine(plan, now)
    writer = store.begin_session(plan.routine, device_name, profile.key, protocol, demo)
    journal = StoreJournal(writer, *listeners)
    try:
        if special:
            store.diary.choose(SPECIAL_CARE, special)
    except BaseException:
        journal.close()
        raise
    return Opening(plan, engine, journal, (screening,))


# --- the skin ---------------------------------------------------------------------------------------------------------


def skin_now(store: Store, calendar: Calendar) -> SkinToday:
    """Return what this person's skin checks say for now.

    Raises:
        StoreError: the store cannot be read.
    """
    return skin_today(store.diary.skin_checks(), calendar.now(), _special(store))


def _special(store: Store) -> tuple[SpecialCare, ...]:
    return store.diary.choice(SPECIAL_CARE, tuple[SpecialCare, ...]) or ()


def _patch_state(store: Store, calendar: Calendar) -> PatchState:
    agreed_at = store.diary.choice(PATCH_AGREED, datetime)
    return patch_state(store.diary.patch_tests(), calendar.now(), agreed_at=agreed_at)


def _check_care(store: Store, calendar: Calendar, *, output: bool, patch_test: bool, ask: bool) -> None:
    now = calendar.now()
    special = _special(store)
    refusal = peel_refusal(special, now) or skin_refusal(store.diary.skin_checks(), now, special, asked=ask)
    if refusal is None and output:
        refusal = patch_refusal(
            store.diary.patch_tests(),
            now,
            agreed_at=store.diary.choice(PATCH_AGREED, datetime),
            is_test=patch_test,
            asked=ask and store.person().first_session,
        )
    if refusal is not None:
        raise Blocked(refusal)


def optional_steps(store: Store, calendar: Calendar, routine: Routine) -> dict[str, str | None]:
    """Return the names of the optional steps of ``routine``, in order, each with why not now, in words, or None.

    Raises:
        StoreError: the store cannot be read.
    """
    special, checks, now = _special(store), store.diary.skin_checks(), calendar.now()
    found: dict[str, str | None] = {}
    for step in routine.steps:
        match step.optional:
            case None:
                continue
            case "steam" | "exfoliation":
                found[step.optional] = special_refusal(step.optional, special, checks, now)
            case _:
                found[step.optional] = None
    return found


def _check_optional(
    store: Store, calendar: Calendar, routine: Routine, optional: Collection[str]
) -> tuple[SpecialCare, ...]:
    """Judge steam and exfoliation, where the routine has them and they were asked for; return what to note, if any."""
    now = calendar.now()
    kept = before = _special(store)
    for step in routine.steps:
        if step.optional in ("steam", "exfoliation") and step.optional in optional:
            refusal = special_refusal(step.optional, before, store.diary.skin_checks(), now)
            if refusal is not None:
                raise Blocked(refusal)
            kept = with_special(kept, SpecialCare(step.optional, now.date()))
    return kept if kept != before else ()


def _check_screening(store: Store, calendar: Calendar) -> JournalEntry:
    screening = store.screening()
    if screening is None:
        verdict = judge(None, None, calendar.now())
    else:
        verdict = judge(screening.answers, screening.at, calendar.now(), version=screening.version)
    if screening is None or verdict.blocked:
        how = "" if verdict.completed else words.HOW_TO_ANSWER
        if verdict.waits_for_doctor:
            how = words.HOW_TO_AGREE
        raise Blocked(" ".join((*verdict.reasons, how)).strip())
    return JournalEntry(JournalKind.SCREENING, {"verdict": "clear", "answered": screening.at.date().isoformat()})
