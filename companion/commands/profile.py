"""``companion profile``: asks the screening in plain text, shows what was answered, keeps the comfortable maximum.

Asks a person at a terminal and nobody else, since answers that come from a script are nobody's. Refuses to judge:
the rules are those of :mod:`companion.care.screening`.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from companion.care.screening import QUESTIONS, VALID, Answer, Gate, judge
from companion.commands.almanac import almanac_of, write
from companion.commands.moments import day
from companion.config import CompanionError, Exit, UsageError, data_folder
from companion.dates import Calendar
from companion.profile import PATCH, Profile
from companion.routines.zones import ZONES
from companion.store.database import Screening, Store
from companion.words import cli as words
from companion.words import profile as profile_words

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
    with _opened(person) as profile:
        write(_agreements(profile))
    return Exit.FINISHED


def agreed(*, person: str | None = None) -> int:
    """Ask whether a doctor has agreed to each thing that waits for it, and keep what they agreed to.

    Raises:
        CompanionError: nobody sits at a terminal or left before the last question, and nothing was kept; or an answer
            stands that no doctor's word changes.
        PersonError: nobody is called so.
        StoreError: it cannot be read or kept.
    """
    with _opened(person) as profile:
        if not profile.waiting():
            if profile.reasons():
                raise CompanionError(
                    profile_words.NO_AGREEMENT.format(reasons=" ".join(profile.reasons())), Exit.BLOCKED
                )
            write([profile_words.NOTHING_WAITS, *_agreements(profile)])
            return Exit.FINISHED
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise CompanionError(words.AGREED_NEEDS_TERMINAL, Exit.USAGE)
        return agreed_by(sys.stdin, sys.stdout, profile)


def agreed_by(answering: TextIO, asking: TextIO, profile: Profile) -> int:
    """Do what :func:`agreed` does, with whoever is behind ``answering`` and ``asking``.

    Raises:
        CompanionError: the answers ended before the questions; nothing was kept.
        StoreError: it cannot be kept.
    """
    said: list[str] = []
    waiting = profile.waiting()
    for one in waiting:
        answer = _reply(answering, asking, f"{one.said}\n{one.question}  n/y ", ("n", "no", "y", "yes"))
        if answer is Answer.YES:
            said.append(one.id)
    profile.agree(said)
    lines = [profile_words.KEPT] if said else []
    lines += [profile_words.KEPT_PATCH] if PATCH in said else []
    lines += [profile_words.NOT_YET] if len(said) < len(waiting) else []
    asking.writelines(f"{line}\n" for line in lines)
    return Exit.FINISHED


def zones(*, never: Collection[str], treat: Collection[str], neck: bool | None, person: str | None = None) -> int:
    """Print which zones are never treated; leave out ``never`` and take in ``treat`` and ``neck`` first.

    Raises:
        CompanionError: there is no such zone.
        PersonError: nobody is called so.
        StoreError: it cannot be read or kept.
    """
    both = sorted(set(never) & set(treat))
    if both:
        raise UsageError(profile_words.BOTH_ZONES.format(zone=both[0]))
    for zone in (*never, *treat):
        if zone not in ZONES:
            raise UsageError(profile_words.NO_SUCH_ZONE.format(zone=zone, zones=", ".join(ZONES)))
    with _opened(person) as profile:
        before = profile.person().no_go
        if never or treat:
            profile.leave_out((before | set(never)) - set(treat))
        if neck is not None:
            profile.set_neck(on=neck)
        now = profile.person()
    left_out = ", ".join(zone for zone in ZONES if zone in now.no_go)
    write([profile_words.NEVER.format(zones=left_out) if left_out else profile_words.NEVER_NONE])
    write([profile_words.NECK_ON if now.neck else profile_words.NECK_OFF])
    return Exit.FINISHED


def skin(kind: str | None, *, on: str | None, mistake: bool = False, person: str | None = None) -> int:
    """Print what the skin rests after; with ``kind`` note it first, ``on`` a day as people write it (None: today).

    With ``mistake`` it is taken back instead, where it was noted today.

    Raises:
        CompanionError: it cannot have been on that day, was not noted today, or the health questions come first.
        UsageError: ``on`` is no date, or it or ``mistake`` comes without a kind.
        PersonError: nobody is called so.
        StoreError: it cannot be read or kept.
    """
    if kind is None and (mistake or on is not None):
        raise UsageError(words.SKIN_NEEDS_KIND.format(option="--mistake" if mistake else "--on"))
    when = None if on is None else day(on, "--on")
    with _opened(person) as profile:
        if kind is not None and mistake:
            profile.take_back(kind, when)
        elif kind is not None:
            profile.note(kind, when)
        noted = profile.noted()
    lines = [profile_words.ON[name].format(day=profile_words.DAY.format(day=at)) for name, at in noted]
    write(lines or [profile_words.NOTHING_NOTED])
    return Exit.FINISHED


def comfortable(percent: int | None, *, person: str | None = None) -> int:
    """Print the comfortable maximum in percent of full scale; with ``percent`` set it first (H2).

    Raises:
        CompanionError: ``percent`` is no level, or more than a first session may have.
        PersonError: nobody is called so.
        StoreError: it cannot be read or kept.
    """
    with _opened(person) as profile:
        if percent is not None:
            profile.set_comfortable(percent)
        write([profile_words.COMFORTABLE.format(percent=profile.comfortable())])
    return Exit.FINISHED


@contextmanager
def _opened(person: str | None) -> Iterator[Profile]:
    folder, calendar = data_folder(), Calendar.system()
    with Store.open(folder, calendar, person=person) as store:
        yield Profile(store, almanac_of(store, calendar, folder, demo=False), calendar)


def _agreements(profile: Profile) -> Iterator[str]:
    for what, on in profile.agreed():
        yield profile_words.AGREED_LINE.format(what=what, day=profile_words.DAY.format(day=on))


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
