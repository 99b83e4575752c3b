"""``companion profile``: asks the screening in plain text, shows what was answered, keeps the comfortable maximum.

Asks a person at a terminal and nobody else, since answers that come from a script are nobody's. Refuses to judge:
the rules are those of :mod:`companion.care.screening`.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TextIO

from companion.care.screening import QUESTIONS, VALID, Answer, Gate, judge
from companion.config import CompanionError, Exit, data_folder
from companion.dates import Calendar
from companion.session.interlocks import FIRST_SESSION_CAP_PERCENT
from companion.store.database import Screening, Store
from companion.words import cli as words

_REPLIES: Mapping[str, Answer] = {
    "n": Answer.NO,
    "no": Answer.NO,
    "y": Answer.YES,
    "yes": Answer.YES,
    "s": Answer.NOT_SURE,
    "not sure": Answer.NOT_SURE,
}


def ask(*, person: str | None = None) -> int:
    """Ask ``person`` (None: whose turn it is) every question, keep the answers, say what they mean.

    Raises:
        PersonError: nobody is called so.
        CompanionError: nobody sits at a terminal, or left before the last question; nothing was kept.
        StoreError: the answers cannot be kept.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CompanionError(words.PROFILE_NEEDS_TERMINAL, Exit.USAGE)
    return ask_of(sys.stdin, sys.stdout, data_folder(), Calendar.system(), person=person)


def ask_of(answering: TextIO, asking: TextIO, folder: Path, calendar: Calendar, *, person: str | None = None) -> int:
    """Do what :func:`ask` does, with whoever is behind ``answering`` and ``asking``.

    Raises:
        CompanionError: the answers ended before the questions; nothing was kept.
        StoreError: the answers cannot be kept.
    """
    with Store.open(
        folder, calendar, person=person
    ) as store:  # first of all: nobody answers thirteen questions in vain
        asking.write(words.PROFILE_INTRO)
        answers: dict[str, str] = {}
        for index, question in enumerate(QUESTIONS, start=1):
            line = words.PROFILE_QUESTION.format(index=index, count=len(QUESTIONS), question=question.text)
            answer = _reply(answering, asking, line, _REPLIES.keys())
            if answer is not Answer.NO and question.gate is Gate.ASK:
                agreed = _reply(answering, asking, words.PROFILE_AGREED, ("n", "no", "y", "yes"))
                answer = Answer.AGREED if agreed is Answer.YES else answer
            answers[question.id] = answer.value
        store.save_screening(answers)
        screening = store.screening()
    asking.write("\n")
    if screening is not None:
        asking.writelines(f"{line}\n" for line in _verdict(screening, calendar))
    return Exit.FINISHED


def show(*, person: str | None = None) -> int:
    """Print the answers given last, and what they mean today.

    Raises:
        PersonError: nobody is called so.
        StoreError: they cannot be read.
    """
    calendar = Calendar.system()
    with Store.open(data_folder(), calendar, person=person) as store:
        screening = store.screening()
    if screening is None:
        sys.stdout.write(words.PROFILE_NONE + "\n")
        return Exit.FINISHED
    for question in QUESTIONS:
        answer = words.PROFILE_LEGEND.get(str(screening.answers.get(question.id)), words.PROFILE_NO_ANSWER)
        sys.stdout.write(f"{question.text}  {answer}\n")
    until = screening.at + VALID
    sys.stdout.write(f"\n{words.PROFILE_DATE.format(at=f'{screening.at:%Y-%m-%d}', until=f'{until:%Y-%m-%d}')}\n")
    sys.stdout.writelines(f"{line}\n" for line in _verdict(screening, calendar))
    return Exit.FINISHED


def comfortable(percent: int | None, *, person: str | None = None) -> int:
    """Print the comfortable maximum in percent of full scale; with ``percent`` set it first (H2).

    Raises:
        CompanionError: ``percent`` is no level, or more than a first session may have.
        PersonError: nobody is called so.
        StoreError: it cannot be read or kept.
    """
    with Store.open(data_folder(), Calendar.system(), person=person) as store:
        limits = store.person()
        if percent is not None:
            if not 1 <= percent <= 100:
                raise CompanionError(words.COMFORTABLE_RANGE.format(percent=percent), Exit.USAGE)
            if limits.first_session and percent > FIRST_SESSION_CAP_PERCENT:
                cap = FIRST_SESSION_CAP_PERCENT
                raise CompanionError(words.COMFORTABLE_FIRST.format(cap=cap, percent=percent), Exit.BLOCKED)
            store.set_comfortable(percent)
            limits = store.person()
    now = FIRST_SESSION_CAP_PERCENT if limits.comfortable_percent is None else limits.comfortable_percent
    sys.stdout.write(words.COMFORTABLE.format(percent=now) + "\n")
    return Exit.FINISHED


def _reply(answering: TextIO, asking: TextIO, line: str, choices: Collection[str]) -> Answer:
    while True:
        asking.write(line)
        asking.flush()
        reply = answering.readline()
        if not reply:
            asking.write("\n")
            raise CompanionError(words.PROFILE_UNFINISHED)
        key = " ".join(reply.split()).casefold()
        if key in choices:
            return _REPLIES[key]
        asking.write(f"{words.PROFILE_CHOICES.format(choices=', '.join(choices))}\n")


def _verdict(screening: Screening, calendar: Calendar) -> tuple[str, ...]:
    verdict = judge(screening.answers, screening.at, calendar.now(), version=screening.version)
    return verdict.reasons if verdict.blocked else (words.PROFILE_CLEAR,)
