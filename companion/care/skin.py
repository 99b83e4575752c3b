"""The skin before a session: what the skin check, special care and the patch test say for now, and how it has been.

Pure: what was noted, and the present moment, come in as arguments. Knows no store, no device and no routine, and never
raises anything: each answer either leaves a session as it is, makes it gentler, or says not now. Of all that applies
the strictest wins.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, Protocol

from companion.care.plan_layout import PEEL_REST
from companion.session.interlocks import REST
from companion.words import skin as words

SCORES: Final = ("dryness", "redness", "irritation")
"""What a skin check asks for, each from 1 (not at all) to 5 (very)."""

LEAST, MOST = 1, 5

NOT_TODAY_FROM: Final = 4
"""Redness or irritation from here on: not today. "Not today" holds for the rest of the day, whatever is said later."""

GENTLE_FROM: Final = 3
"""Redness or irritation of this much: a session, but lower and shorter (see :data:`EASE`)."""

DRY_FROM: Final = 4
"""Dry skin passes current badly and stings (H7): from here on lower and shorter too, with the advice of more gel."""

EASE: Final = 0.5
"""What "lower and shorter" leaves of every level, time and limit: the share that thin skin has anyway."""

FRESH: Final = timedelta(hours=1)
"""How long before a session its skin check may have been: a check of this morning knows nothing of a day in the sun."""

LOOK_BACK: Final = timedelta(days=7)
"""Irritation from :data:`GENTLE_FROM` on at this check and at the one before, no longer ago: it is not settling."""

TWICE_A_WEEK: Final = 2
WEEK: Final = timedelta(days=7)

AFTER_EXFOLIATION: Final = timedelta(days=2)
"""Never exfoliate and treat irritated skin: this long after exfoliating, what is gentle otherwise is not today."""

PATCH_WAIT: Final = timedelta(hours=24)

SPECIAL_CARE: Final = "special-care"
"""The name under which the diary keeps a tuple of :class:`SpecialCare`."""

PEELS: Final = "peels"
"""The name under which the diary keeps the days after which the skin rests, for the plan."""

RESTS_NOTED: Final = "rests-noted"
"""The name under which the diary keeps a tuple of :class:`RestNoted`: what was noted when, and what was a mistake."""

PATCH_AGREED: Final = "patch-test-agreed"
"""The name under which the diary keeps the moment at which the person said that a doctor has agreed."""

_MOST_KEPT: Final = 200  # two years of it, at twice a week
_DAY: Final = timedelta(days=1)


class Check(Protocol):
    """A skin check: the store's is one."""

    @property
    def at(self) -> datetime:
        """When, aware."""

    @property
    def dryness(self) -> int:
        """1 to 5."""

    @property
    def redness(self) -> int:
        """1 to 5."""

    @property
    def irritation(self) -> int:
        """1 to 5."""


class Patch(Protocol):
    """A patch test: the store's is one. ``place`` is ``forearm``, ``jaw`` or ``declined``."""

    @property
    def at(self) -> datetime:
        """When it was done or declined, aware."""

    @property
    def place(self) -> str:
        """Where."""

    @property
    def outcome(self) -> str | None:
        """``calm`` or ``reaction``; None until the person says so."""


@dataclass(frozen=True, slots=True)
class SpecialCare:
    """Something that the skin has to recover from, and the day of it where the person was."""

    kind: Literal["peel", "sunburn", "steam", "exfoliation"]
    on: date


RESTS: Final = frozenset({"peel", "sunburn"})
"""What the skin rests after for :data:`PEEL_REST`. A sunburn lets the skin peel as well, and is over in about as long;
the day's questions say "let the skin heal first"."""


@dataclass(frozen=True, slots=True)
class RestNoted:
    """A person's own note ``at`` a moment of what the skin rests after; ``taken_back`` as a mistake at another."""

    kind: Literal["peel", "sunburn"]
    on: date
    at: datetime
    taken_back: datetime | None = None


NOTABLE: Final = ("peel", "sunburn", "treatment")
"""What a person may note of their skin. A treatment (surgery, filler, botulinum, laser) belongs to the screening."""

TREATMENT_DAYS: Final = 30
"""How long the screening asks for a doctor's word after a treatment of the face."""

PEEL_AHEAD: Final = 28
"""How many days ahead a peel may be noted, so that the plan can go around it."""


class Advice(StrEnum):
    """What the skin has to say to a session."""

    GO = "go"
    GENTLE = "gentle"
    NOT_TODAY = "not today"


@dataclass(frozen=True, slots=True)
class SkinToday:
    """What the checks of today say. ``reasons`` are lines for the person; ``fresh``: one was made just now.

    ``ease`` is the share that is left of level, time and limits (1: all of it).
    """

    advice: Advice
    reasons: tuple[str, ...] = ()
    fresh: bool = False

    @property
    def ease(self) -> float:
        """1, or :data:`EASE` where the advice is to be gentle; no more than that where it is not today."""
        return 1.0 if self.advice is Advice.GO else EASE


# --- the skin check ---------------------------------------------------------------------------------------------------


def skin_today(checks: Sequence[Check], now: datetime, special: Collection[SpecialCare] = ()) -> SkinToday:
    """Return what ``checks`` (any order) say at ``now`` (aware): the worst of today's counts.

    Today is the date where ``now`` is, and the twelve hours before ``now`` too, so that midnight and a journey do not
    wipe out a "not today". A check that is dated after now, by a clock set back, counts where its date is today's.
    """
    ordered = sorted(checks, key=lambda check: check.at.astimezone(UTC))
    today = [check for check in ordered if _counts_today(check, now)]
    if not today:
        return SkinToday(Advice.GO)
    fresh = any(timedelta(0) <= _age(check.at, now) <= FRESH for check in today)
    worst = {name: max(getattr(check, name) for check in today) for name in SCORES}
    before = [check for check in ordered if check.at.astimezone(UTC) < today[0].at.astimezone(UTC)]
    refusal = _not_today(worst, before[-1] if before else None, now, special)
    if refusal is not None:
        return SkinToday(Advice.NOT_TODAY, (refusal,), fresh)
    asking = _asking(worst)
    reasons = (words.GENTLE.format(what=_what(asking)),) if asking else ()
    if worst["dryness"] >= DRY_FROM:
        reasons = (*reasons, words.MORE_GEL)
    return SkinToday(Advice.GENTLE if asking else Advice.GO, reasons, fresh)


def skin_refusal(
    checks: Sequence[Check], now: datetime, special: Collection[SpecialCare] = (), *, asked: bool
) -> str | None:
    """Return why the skin is not for a session with or without output at ``now``, in words, or None (H10).

    ``asked``: the check belongs before this session, so that a missing or older one is a reason as well.
    """
    today = skin_today(checks, now, special)
    if today.advice is Advice.NOT_TODAY:
        return today.reasons[0]
    return words.CHECK_FIRST if asked and not today.fresh else None


def _not_today(
    worst: dict[str, int], before: Check | None, now: datetime, special: Collection[SpecialCare]
) -> str | None:
    bad = [name for name in ("redness", "irritation") if worst[name] >= NOT_TODAY_FROM]
    if bad:
        return words.NOT_TODAY.format(what=_what(bad))
    asking = [name for name in ("redness", "irritation") if worst[name] >= GENTLE_FROM]
    here = now.date()
    if asking and any(care.kind == "exfoliation" and care.on + AFTER_EXFOLIATION >= here for care in special):
        return words.NOT_TODAY_EXFOLIATED.format(what=_what(asking))
    if worst["irritation"] >= GENTLE_FROM and before is not None and _age(before.at, now) <= LOOK_BACK:
        return words.NOT_TODAY_AGAIN if before.irritation >= GENTLE_FROM else None
    return None


def _asking(worst: dict[str, int]) -> list[str]:
    """The scores that ask for care, in the order of the check."""
    from_here_on = {"dryness": DRY_FROM, "redness": GENTLE_FROM, "irritation": GENTLE_FROM}
    return [name for name in SCORES if worst[name] >= from_here_on[name]]


def _what(names: Sequence[str]) -> str:
    return words.ALSO.join(words.FEELS[name] for name in names)


def _counts_today(check: Check, now: datetime) -> bool:
    return check.at.astimezone(now.tzinfo).date() == now.date() or timedelta(0) <= _age(check.at, now) < REST


def _age(at: datetime, now: datetime) -> timedelta:
    # in UTC: moments of one zone are subtracted as on the wall, and a night with a clock change has 23 or 25 hours
    return now.astimezone(UTC) - at.astimezone(UTC)


# --- how it has been --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trend:
    """One score over the last checks, the oldest first: ``values`` at ``moments``, and what they say in one line."""

    name: str
    moments: tuple[datetime, ...]
    values: tuple[int, ...]
    line: str


def trends(checks: Sequence[Check], last: int = 14) -> tuple[Trend, ...]:
    """Return dryness, redness and irritation over the ``last`` checks.

    The line compares the newest three with the three before them; under half a point apart is about the same.
    """
    ordered = sorted(checks, key=lambda check: check.at.astimezone(UTC))[-last:]
    moments = tuple(check.at for check in ordered)
    found = []
    for name in SCORES:
        values = tuple(getattr(check, name) for check in ordered)
        found.append(Trend(name, moments, values, _line(name, values)))
    return tuple(found)


def _line(name: str, values: Sequence[int]) -> str:
    if len(values) < 6:
        return words.TOO_FEW
    change = sum(values[-3:]) - sum(values[-6:-3])
    wording = words.STEADY if abs(change) < 2 else words.CALMER if change < 0 else words.ROUGHER
    return wording.format(name=words.NAMES[name])


# --- peels, steam and exfoliation -------------------------------------------------------------------------------------


def peel_refusal(special: Collection[SpecialCare], now: datetime) -> str | None:
    """Return why a peel or a sunburn puts off a session at ``now``, in words, or None. The seventh day still counts."""
    resting = _resting(special, now.date())
    return None if resting is None else words.REST[resting[0]].format(when=words.DAY.format(day=resting[1]))


def special_refusal(
    kind: Literal["steam", "exfoliation"], special: Collection[SpecialCare], checks: Sequence[Check], now: datetime
) -> str | None:
    """Return why there is no steam or exfoliation now, in words, or None.

    Together on two days of any seven at most, each once a day; never on skin that asks for care, nor unchecked; never
    within a week of a peel. What is dated ahead, by a clock set back, counts.
    """
    care = words.KINDS[kind]
    here = now.date()
    resting = _resting(special, here)
    if resting is not None:
        return words.CARE_REST[resting[0]].format(care=care, when=words.DAY.format(day=resting[1]))
    today = skin_today(checks, now, special)
    if today.advice is not Advice.GO:
        worst = {name: max(getattr(one, name) for one in checks if _counts_today(one, now)) for name in SCORES}
        return words.CARE_NOT_CALM.format(care=care, what=_what(_asking(worst)))
    if not today.fresh:
        return words.CARE_CHECK_FIRST.format(care=care)
    if SpecialCare(kind, here) in special:
        return words.CARE_DONE_TODAY.format(care=care)
    days = sorted({one.on for one in special if one.kind not in RESTS and one.on != here and one.on > here - WEEK})
    if len(days) >= TWICE_A_WEEK:
        return words.CARE_TWICE.format(when=words.DAY.format(day=days[-TWICE_A_WEEK] + WEEK))
    return None


def with_special(kept: Collection[SpecialCare], care: SpecialCare) -> tuple[SpecialCare, ...]:
    """Return ``kept`` with ``care`` added, each once and the oldest first; of very many, the latest.

    By number and not by date, so that a peel noted for a day to come pushes nothing out.
    """
    return tuple(sorted({*kept, care}, key=lambda one: (one.on, one.kind))[-_MOST_KEPT:])


def noted_today(noted: Collection[RestNoted], now: datetime) -> tuple[RestNoted, ...]:
    """Return what was noted on the day of ``now`` (aware), by the date there, and was not taken back since."""
    return tuple(one for one in noted if one.taken_back is None and one.at.astimezone(now.tzinfo).date() == now.date())


def days_to_note(kind: str, today: date) -> tuple[date, ...]:
    """Return the days on which something of :data:`NOTABLE` can be noted, today first, then back, then ahead.

    As far back as it still matters, and only a peel is known ahead.
    """
    back = TREATMENT_DAYS if kind == "treatment" else PEEL_REST.days
    ahead = PEEL_AHEAD if kind == "peel" else 0
    return tuple(today + _DAY * days for days in (*range(0, -back - 1, -1), *range(1, ahead + 1)))


def _resting(special: Collection[SpecialCare], here: date) -> tuple[str, date] | None:
    """What ``here`` is too close to, and the first day after that, None when there is nothing; the longest counts."""
    over = [
        (care.on + PEEL_REST + _DAY, care.kind)
        for care in special
        if care.kind in RESTS and care.on <= here <= care.on + PEEL_REST
    ]
    return None if not over else (max(over)[1], max(over)[0])


# --- the patch test ---------------------------------------------------------------------------------------------------


class PatchState(StrEnum):
    """Where the patch test stands."""

    NEEDED = "needed"  # nothing was done and nothing declined
    WAITING = "waiting"  # its 24 hours are not over
    LOOK = "look"  # they are, and the person has not said how it looks
    CALM = "calm"
    DECLINED = "declined"
    REACTION = "reaction"  # and no doctor has agreed since
    AGAIN = "again"  # a doctor has agreed: another test, and nothing else


def patch_state(tests: Sequence[Patch], now: datetime, *, agreed_at: datetime | None = None) -> PatchState:
    """Return where the patch test stands at ``now`` (aware), given every test in the order of recording.

    The strict reading throughout: a reaction stays until a doctor has agreed after it (``agreed_at``) and another test
    after that has stayed calm for its 24 hours; neither a later test nor declining it wipes it out. A test that was
    begun has to be looked at, so that it cannot be declined any more. "Calm" counts from the end of the 24 hours on, a
    reaction at once.
    """
    reactions = [test for test in tests if test.outcome == "reaction"]
    done = [test for test in tests if test.place != "declined"]
    if reactions:
        worst = max(test.at.astimezone(UTC) for test in reactions)
        if agreed_at is None or not worst <= agreed_at.astimezone(UTC) <= now.astimezone(UTC):
            return PatchState.REACTION
        done = [test for test in done if test.outcome != "reaction" and _age(agreed_at, test.at) >= timedelta(0)]
        if not done:
            return PatchState.AGAIN
    elif not done:
        return PatchState.DECLINED if tests else PatchState.NEEDED
    if _age(done[-1].at, now) < PATCH_WAIT:
        return PatchState.WAITING
    return PatchState.CALM if done[-1].outcome == "calm" else PatchState.LOOK


def patch_refusal(
    tests: Sequence[Patch],
    now: datetime,
    *,
    agreed_at: datetime | None = None,
    is_test: bool,
    asked: bool,
) -> str | None:
    """Return why there is no output at ``now``, in words, or None (H10).

    ``is_test``: the routine is the patch test itself, which is how one gets past ``NEEDED`` and ``AGAIN``. ``asked``:
    this is a first use, and the patch test has been offered, so that having answered nothing is a reason as well.
    """
    match patch_state(tests, now, agreed_at=agreed_at):
        case PatchState.REACTION:
            return words.PATCH_REACTION
        case PatchState.WAITING:
            return words.PATCH_WAIT.format(when=_look_at(tests, now))
        case PatchState.LOOK:
            return words.PATCH_LOOK
        case PatchState.AGAIN if not is_test:
            return words.PATCH_AGAIN
        case PatchState.NEEDED if asked and not is_test:
            return words.PATCH_NEEDED
        case _:
            return None


def outcome_refusal(test: Patch, outcome: str, now: datetime) -> str | None:
    """Return why ``outcome`` cannot be noted yet, in words, or None: a reaction can be at once, calm after 24 hours."""
    if outcome == "reaction" or _age(test.at, now) >= PATCH_WAIT:
        return None
    return words.PATCH_TOO_SOON.format(when=_look_at([test], now))


def may_decline(tests: Sequence[Patch]) -> bool:
    """Whether leaving the patch test out is still offered: not once one was begun, and never after a reaction."""
    return all(test.place == "declined" for test in tests)


def _look_at(tests: Sequence[Patch], now: datetime) -> str:
    last = [test for test in tests if test.place != "declined"][-1]
    at = (last.at.astimezone(UTC) + PATCH_WAIT).astimezone(now.tzinfo)
    return words.MOMENT.format(at=at)
