"""What is asked before a session without the app, in plain lines: today, skin, patch test, what may come first, ready.

Keeps the answers where they belong and judges nothing: that is done behind the one door of
:mod:`companion.session.opening`, once more when the session is opened. Knows no device and no loop.

Who answers what:

- A person at a terminal is asked everything.
- ``--yes`` answers what only asks for a nod: today's questions and whether everything is at hand.
- ``--yes`` in a demo answers for the imagined skin as well: it is calm, nobody is asked, and nothing of it is kept.
- With a real device ``--yes`` answers neither health questions nor skin check nor patch test: they are about a body,
  and a script has none. Where they are due, the person at the terminal is asked all the same; where there is none, or
  ``--json`` is read by a program, there is no session.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TextIO

from companion.care.screening import TODAY_QUESTIONS
from companion.care.skin import (
    LEAST,
    MOST,
    PATCH_AGREED,
    SCORES,
    Advice,
    PatchState,
    patch_refusal,
    patch_state,
)
from companion.config import CompanionError, UsageError
from companion.session.opening import Blocked, check_person, check_today, optional_steps, skin_now
from companion.words import before as words
from companion.words import skin as skin_words

if TYPE_CHECKING:
    from companion.almanac import Almanac
    from companion.dates import Calendar
    from companion.routines.model import Routine
    from companion.store.database import Store

_FOR_TODAY: Final = frozenset({"skin", "alcohol"})
"""A yes to one of these is for the rest of the day, so the plan hears of it; out of a bath one may ask again."""

_FINE_TODAY: Final[Mapping[str, bool]] = {question.id: False for question in TODAY_QUESTIONS}


class Terminal:
    """Where questions are asked and notes are told; ``present`` is False when nobody sits there."""

    def __init__(self, asking: TextIO, answering: TextIO, *, present: bool) -> None:
        self._asking = asking
        self._answering = answering
        self.present = present

    def tell(self, line: str) -> None:
        """Say something that is no part of the account."""
        self._asking.write(line + "\n")
        self._asking.flush()

    def ask(self, question: str) -> bool:
        """Ask a yes/no question until it is answered. The end of the input is a no.

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """
        while True:
            answer = self._answer(f"{question} {words.YES_NO}")
            if answer is None or answer in {"n", "no"}:
                return False
            if answer in {"y", "yes"}:
                return True
            self.tell(words.PLEASE_YES_NO)

    def choose(self, question: str, choices: Collection[str]) -> str | None:
        """Ask until one of ``choices`` is the answer; None at the end of the input.

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """
        while True:
            answer = self._answer(question)
            if answer is None or answer in choices:
                return answer
            self.tell(words.PLEASE_ONE_OF.format(choices=", ".join(choices)))

    def line(self, question: str) -> str:
        """Ask for a few words of the person's own; none at the end of the input.

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """
        self._prompt(question)
        return self._answering.readline().strip()

    def _answer(self, prompt: str) -> str | None:
        self._prompt(prompt)
        line = self._answering.readline()
        return line.strip().casefold() if line else None

    def _prompt(self, prompt: str) -> None:
        self._asking.write(prompt)
        self._asking.flush()


@dataclass(frozen=True, slots=True)
class Answers:
    """What a session is opened with: today's answers, optional steps, and whether skin and patch test were asked."""

    today: Mapping[str, bool]
    optional: frozenset[str] = frozenset()
    ask_care: bool = True


@dataclass(frozen=True, slots=True)
class Before:
    """The questions before one session of ``routine``. ``json``: a program reads, so that nobody is asked anything.

    ``take`` and ``leave`` name optional steps that were decided on beforehand, and are not asked for.
    """

    store: Store
    almanac: Almanac
    calendar: Calendar
    routine: Routine
    terminal: Terminal
    demo: bool
    yes: bool
    json: bool
    take: frozenset[str] = frozenset()
    leave: frozenset[str] = frozenset()

    def ask(self) -> Answers:
        """Ask what has to be asked before anything is looked for.

        Raises:
            Blocked: the answers, the screening, the skin or the rest rule say not now, or there is nobody to ask.
            UsageError: an optional step was named that this routine does not have, or both taken and left out.
            StoreError: an answer cannot be kept.
            KeyboardInterrupt: Ctrl-C.
        """
        self._check_named()
        if self.demo and self.yes:
            self._check(self.routine.zones)
            return Answers(_FINE_TODAY, self._optional(), ask_care=False)
        if self.demo and self._asks and not self.terminal.ask(words.ASK_DEMO):
            raise Blocked(words.NOT_NOW)
        self._check(())  # health questions first: who must not use it is asked nothing more
        if not self._asks and not self.yes:
            raise Blocked(words.NOBODY.format(routine=self.routine.name))
        if self.routine.zones:
            self._look_at_patch()
        self._check(self.routine.zones)
        today = _FINE_TODAY if self.yes else self._today()
        self._skin()
        if self.routine.zones:
            self._patch()
        optional = self._optional()
        if not self.yes and not self.terminal.ask(words.READY_TO_BEGIN):
            raise Blocked(words.NOT_NOW)
        return Answers(today, optional)

    @property
    def _asks(self) -> bool:
        return self.terminal.present and not self.json

    def _check(self, zones: Collection[str]) -> None:
        check_person(
            self.store,
            self.calendar,
            zones,
            demo=self.demo,
            stand_in=self.demo,
            patch_test=self.routine.patch_test,
        )

    def _due(self, reason: str) -> None:
        """Go on where the person can be asked.

        Raises:
            Blocked: they cannot; ``reason`` says what is missing.
        """
        if not self._asks:
            raise Blocked(words.ASKED_IN_TERMINAL.format(reason=reason, routine=self.routine.name))

    # --- today --------------------------------------------------------------------------------------------------------

    def _today(self) -> dict[str, bool]:
        self.terminal.tell(words.TODAY)
        today = {}
        for question in TODAY_QUESTIONS:
            today[question.id] = self.terminal.ask(question.text)
            if today[question.id] and question.id in _FOR_TODAY:
                self.almanac.put_off()
            check_today({**_FINE_TODAY, **today})
        return today

    # --- skin ---------------------------------------------------------------------------------------------------------

    def _skin(self) -> None:
        """Ask the skin check, unless one was made just now."""
        skin = skin_now(self.store, self.calendar)
        if skin.advice is not Advice.NOT_TODAY and not skin.fresh:
            self._due(skin_words.CHECK_FIRST)
            self.terminal.tell(words.SKIN.format(title=skin_words.TITLE, scale=skin_words.SCALE))
            scores = [self._score(name) for name in SCORES]
            self.almanac.check_skin(*scores)
            skin = skin_now(self.store, self.calendar)
        if skin.advice is Advice.NOT_TODAY:
            raise Blocked(skin.reasons[0])
        for line in skin.reasons:
            self.terminal.tell(line)

    def _score(self, name: str) -> int:
        question = words.SCORE.format(question=skin_words.QUESTIONS[name], least=LEAST, most=MOST)
        answer = self.terminal.choose(question, [str(score) for score in range(LEAST, MOST + 1)])
        if answer is None:
            raise Blocked(words.NOT_NOW)
        return int(answer)

    # --- the patch test -----------------------------------------------------------------------------------------------

    def _look_at_patch(self) -> None:
        """Ask how the spot looks, once its 24 hours are over; what is known of it may end the questions here."""
        if self._patch_state() is PatchState.LOOK:
            self._due(skin_words.PATCH_LOOK)
            match self.terminal.choose(words.PATCH_LOOK_ASK, ("c", "r", "n")):
                case "c":
                    self.almanac.end_patch_test("calm")
                    self.terminal.tell(words.PATCH_KEPT)
                case "r":
                    self.almanac.end_patch_test("reaction")
                case _:
                    raise Blocked(skin_words.PATCH_LOOK)
        refusal = self._patch_refusal(asked=False)
        if refusal is not None:
            raise Blocked(refusal)

    def _patch(self) -> None:
        """Offer the patch test before a first session."""
        refusal = self._patch_refusal(asked=self.store.person().first_session)
        if refusal is None:
            return
        self._due(refusal)
        self.terminal.tell(f"{skin_words.PATCH_TITLE}. {skin_words.PATCH_OFFER}")
        match self.terminal.choose(f"{words.PATCH_CHOICES}{words.PATCH_ASK}", ("f", "l", "n")):
            case "f":
                self.almanac.begin_patch_test("forearm")
                raise Blocked(self._patch_refusal(asked=True) or refusal)  # it waits for its 24 hours now
            case "l":
                self.almanac.begin_patch_test("declined", self.terminal.line(words.PATCH_WHY))
                self.terminal.tell(words.PATCH_KEPT)
            case _:
                raise Blocked(refusal)

    def _patch_refusal(self, *, asked: bool) -> str | None:
        return patch_refusal(
            self.store.diary.patch_tests(),
            self.calendar.now(),
            agreed_at=self._agreed_at(),
            is_test=self.routine.patch_test,
            asked=asked,
        )

    def _patch_state(self) -> PatchState:
        tests = self.store.diary.patch_tests()
        return patch_state(tests, self.calendar.now(), agreed_at=self._agreed_at())

    def _agreed_at(self) -> datetime | None:
        return self.store.diary.choice(PATCH_AGREED, datetime)

    # --- what may come first ------------------------------------------------------------------------------------------

    def _optional(self) -> frozenset[str]:
        """Offer the routine's optional steps; those that the skin is not for are told and left out."""
        wanted = set()
        for name, refusal in optional_steps(self.store, self.calendar, self.routine).items():
            if name in self.leave or (self.yes and name not in self.take):
                continue
            if refusal is not None:
                self.terminal.tell(refusal)
            elif name in self.take or self.terminal.ask(words.OPTIONAL[name]):
                wanted.add(name)
        return frozenset(wanted)

    def _check_named(self) -> None:
        there = list(dict.fromkeys(step.optional for step in self.routine.steps if step.optional is not None))
        for name in sorted(self.take | self.leave):
            if name not in there:
                known = words.OPTIONAL_THERE.format(names=", ".join(there)) if there else words.OPTIONAL_NONE
                raise UsageError(words.NOT_OPTIONAL.format(name=name, routine=self.routine.name, known=known))
            if name in self.take and name in self.leave:
                raise UsageError(words.WITH_AND_WITHOUT.format(name=name))


def keep_calendar(almanac: Almanac, terminal: Terminal) -> None:
    """Bring the person's calendar file up to date; what goes wrong with it is told, and no more."""
    try:
        almanac.refresh_calendar()
    except CompanionError as error:
        terminal.tell(f"companion: {error}")
