"""A person's own profile, for every face alike: maximum, zones, a doctor's word, and what their skin rests after.

Brings what is kept before the rules of :mod:`companion.care`, and keeps what they allow. Knows no device and no screen;
nothing in it starts a session, and nothing in it raises a level by itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from companion.care.limits import NOT_YET, comfortable_refusal, is_level, most_comfortable
from companion.care.plan_layout import PEEL_REST
from companion.care.screening import (
    ASK_QUESTIONS,
    PROCEDURE,
    VALID,
    Answer,
    Verdict,
    agreements,
    judge,
    procedure_on,
    with_agreement,
    with_procedure,
)
from companion.care.skin import (
    PATCH_AGREED,
    RESTS,
    SPECIAL_CARE,
    PatchState,
    SpecialCare,
    days_to_note,
    patch_state,
)
from companion.config import CompanionError, Exit
from companion.routines.zones import ZONES
from companion.words import profile as words

if TYPE_CHECKING:
    from companion.almanac import Almanac
    from companion.dates import Calendar
    from companion.store.database import Store
    from companion.store.rows import Person, Screening

PATCH: Final = "patch-test"
"""What :class:`Waiting` calls the reaction to a patch test; all other ids are those of questions."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that only waits for a doctor's word: what the person said, and the question, in words."""

    id: str
    said: str
    question: str


class Profile:
    """One person's, as the store was opened for them.

    Every method raises ``StoreError`` where the database cannot be read or written.
    """

    def __init__(self, store: Store, almanac: Almanac, calendar: Calendar) -> None:
        self._store = store
        self._almanac = almanac
        self._calendar = calendar

    def person(self) -> Person:
        """Name, limits and zones."""
        return self._store.person()

    # --- the comfortable maximum --------------------------------------------------------------------------------------

    def comfortable(self) -> int:
        """The comfortable maximum in percent of full scale, also where none was chosen yet."""
        chosen = self._store.person().comfortable_percent
        return NOT_YET if chosen is None else chosen

    def most(self) -> int:
        """The highest maximum that the person may choose now, in percent of full scale."""
        return most_comfortable(first_session=self._store.person().first_session)

    def set_comfortable(self, percent: int) -> None:
        """Keep the comfortable maximum, in percent of full scale (H2).

        Raises:
            CompanionError: it is no level, or more than a first session may have.
        """
        refusal = comfortable_refusal(percent, first_session=self._store.person().first_session)
        if refusal is not None:
            raise CompanionError(refusal, Exit.BLOCKED if is_level(percent) else Exit.USAGE)
        self._store.set_comfortable(percent)

    # --- zones --------------------------------------------------------------------------------------------------------

    def set_neck(self, *, on: bool) -> None:
        """Keep whether the person wishes to treat the sides of the neck; the device has its own word on it."""
        self._store.set_zones(neck=on, no_go=self._store.person().no_go)

    def leave_out(self, zones: Collection[str]) -> None:
        """Keep the zones that the person never treats, in place of all earlier ones.

        Raises:
            CompanionError: there is no such zone.
        """
        for zone in zones:
            if zone not in ZONES:
                raise CompanionError(words.NO_SUCH_ZONE.format(zone=zone, zones=", ".join(ZONES)), Exit.USAGE)
        self._store.set_zones(neck=self._store.person().neck, no_go=zones)

    # --- the health questions, and a doctor's word --------------------------------------------------------------------

    def answered(self) -> tuple[date, date] | None:
        """When the health questions were answered, and until when that holds; None where they have to be answered."""
        screening = self._store.screening()
        if screening is None or not self._verdict(screening).completed:
            return None
        return screening.at.date(), (screening.at + VALID).date()

    def waiting(self) -> tuple[Waiting, ...]:
        """What only waits for a doctor's word. Nothing as long as an answer stands that no doctor's word changes."""
        screening = self._store.screening()
        found: list[Waiting] = []
        if screening is not None:
            verdict = self._verdict(screening)
            if verdict.blocked and not verdict.waits_for_doctor:
                return ()
            for question in ASK_QUESTIONS:
                if question.id in verdict.ask:
                    unsure = screening.answers.get(question.id) == Answer.NOT_SURE
                    said = words.SAID_NOT_SURE if unsure else words.SAID_YES
                    found.append(Waiting(question.id, said.format(question=question.text), words.ASK_AGREED))
        reacted = self._reacted()
        if reacted is not None:
            said = words.SAID_REACTION.format(day=words.DAY.format(day=reacted))
            found.append(Waiting(PATCH, said, words.ASK_PATCH))
        return tuple(found)

    def agree(self, ids: Sequence[str]) -> None:
        """Keep, with today's date, that a doctor has agreed to these of :meth:`waiting`.

        Raises:
            CompanionError: one of them does not wait for it; nothing is kept.
        """
        known = {one.id for one in self.waiting()}
        if not known.issuperset(ids):
            raise CompanionError(words.NO_AGREEMENT.format(reasons=" ".join(self.reasons())), Exit.BLOCKED)
        now = self._calendar.now()
        asked = [one for one in ids if one != PATCH]
        screening = self._store.screening()
        if asked and screening is not None:
            self._store.amend_screening(with_agreement(screening.answers, asked, now))
        if PATCH in ids:
            self._store.diary.choose(PATCH_AGREED, now)

    def agreed(self) -> tuple[tuple[str, date], ...]:
        """To what a doctor has agreed, in words, each with the day on which that was said."""
        screening = self._store.screening()
        said = {} if screening is None else agreements(screening.answers, screening.at)
        found = [(one.because, said[one.id].date()) for one in ASK_QUESTIONS if one.id in said]
        patch = None if self._reacted() else self._store.diary.choice(PATCH_AGREED, datetime)
        return (*found, *([] if patch is None else [(words.AGREED_PATCH, patch.date())]))

    def reasons(self) -> tuple[str, ...]:
        """Why the health answers forbid every session; empty where they do not, or were not given."""
        screening = self._store.screening()
        return () if screening is None else self._verdict(screening).reasons

    def _verdict(self, screening: Screening) -> Verdict:
        return judge(screening.answers, screening.at, self._calendar.now(), version=screening.version)

    def _reacted(self) -> date | None:
        """The day of the patch test whose reaction waits for a doctor's word; None where none does."""
        diary = self._store.diary
        tests, agreed_at = diary.patch_tests(), diary.choice(PATCH_AGREED, datetime)
        if patch_state(tests, self._calendar.now(), agreed_at=agreed_at) is not PatchState.REACTION:
            return None
        return [test.at for test in tests if test.outcome == "reaction"][-1].date()

    # --- what the skin rests after ------------------------------------------------------------------------------------

    def note(self, kind: str, day: date | None = None) -> None:
        """Note a peel, a sunburn or a treatment (``companion.care.skin.NOTABLE``) on ``day`` (None: today).

        A treatment is a yes to its health question: no session until a doctor has agreed to it.

        Raises:
            CompanionError: it cannot have been on that day, or the health questions come first.
        """
        today = self._almanac.now.date()
        day = day or today
        days = days_to_note(kind, today)
        if day not in days:
            said = {"what": words.KINDS[kind], "first": min(days), "last": max(days), "day": day}
            raise CompanionError(words.NOT_THAT_DAY.format(**said), Exit.USAGE)
        if kind == "treatment":
            screening = self._store.screening()
            if screening is None:
                raise CompanionError(words.ANSWER_FIRST, Exit.BLOCKED)
            self._store.amend_screening(with_procedure(screening.answers, day))
        else:
            self._almanac.note_rest("peel" if kind == "peel" else "sunburn", day)
        with contextlib.suppress(CompanionError):  # a calendar file that cannot be written: `companion plan` says so
            self._almanac.refresh_calendar()

    def mistakes(self) -> tuple[tuple[str, date], ...]:
        """What can be taken back as noted by mistake, kind and day: peels and sunburns that were noted today."""
        return tuple((one.kind, one.on) for one in self._almanac.noted_today())

    def take_back(self, kind: str, day: date | None = None) -> None:
        """Take back a peel or a sunburn on ``day`` (None: today) that was noted today by mistake.

        A treatment is a health answer: those are answered again. What a session left behind is no note.

        Raises:
            CompanionError: it was not noted today.
        """
        day = day or self._almanac.now.date()
        if kind == "treatment":
            raise CompanionError(words.ANSWER_AGAIN, Exit.USAGE)
        if not self._almanac.take_back_rest(kind, day):
            said = {"what": words.KINDS[kind], "day": words.DAY.format(day=day)}
            raise CompanionError(words.NOT_NOTED_TODAY.format(**said), Exit.USAGE)
        with contextlib.suppress(CompanionError):  # a calendar file that cannot be written: `companion plan` says so
            self._almanac.refresh_calendar()

    def noted(self) -> tuple[tuple[str, date], ...]:
        """What was noted and still matters, or is to come: kind and day, the newest first."""
        today = self._almanac.now.date()
        kept = self._store.diary.choice(SPECIAL_CARE, tuple[SpecialCare, ...]) or ()
        found: list[tuple[str, date]] = [(one.kind, one.on) for one in kept if one.kind in RESTS]
        found = [(kind, on) for kind, on in found if on + PEEL_REST >= today]
        screening = self._store.screening()
        treated = None if screening is None else procedure_on(screening.answers)
        if treated is not None and screening is not None and PROCEDURE in self._verdict(screening).ask:
            found.append(("treatment", treated))
        return tuple(sorted(found, key=lambda one: one[1], reverse=True))
