"""Who must not use a microcurrent device, and who not today: the questions as data, and the verdict on the answers.

Versioned; no free text, no bypass. The lists are the strictest of the makers' manuals (NuFACE, Theragun/TheraFace,
Beurer EM 25, PowerDot) and of the instructions-for-use items of IEC 60601-2-10. Knows no store and no screen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final

VERSION = 1
"""Raised with every change of a question: answers to other questions are no answers."""

VALID = timedelta(days=90)
"""How long answers hold."""


class Answer(StrEnum):
    """The answers there are. ``AGREED`` is for *ask* questions alone: yes, and a doctor has agreed."""

    NO = "no"
    YES = "yes"
    NOT_SURE = "not sure"
    AGREED = "agreed"


class Gate(StrEnum):
    """What a yes does: ends it, asks for a doctor's agreement, or puts it off for today."""

    BLOCK = "block"
    ASK = "ask"
    TODAY = "today"


@dataclass(frozen=True, slots=True)
class Question:
    """One question. ``because`` completes "No session with this app: …" (or "Not today: …")."""

    id: str
    gate: Gate
    text: str
    because: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answers say. ``blocked`` means no output from this app; ``reasons`` say why, one line each.

    ``missing`` are ids of questions without a valid answer; ``ask`` those that only wait for a doctor's agreement.
    ``completed`` is False when answers are missing, too old or given to other questions: then ask again.
    """

    blocked: bool
    reasons: tuple[str, ...]
    ask: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    completed: bool = True

    @property
    def waits_for_doctor(self) -> bool:
        """Whether a doctor's agreement is all that is missing: never beside a reason that no agreement takes away."""
        return self.completed and bool(self.ask) and len(self.ask) == len(self.reasons)


ASK_DOCTOR: Final = "Please ask your doctor."
"""How every reason that a doctor may know more of ends; where several stand together, once is enough."""

BLOCK_QUESTIONS: tuple[Question, ...] = (
    Question(
        "implant",
        Gate.BLOCK,
        "Do you have a pacemaker, a defibrillator or other implanted electronics?",
        "current can disturb implanted electronics",
    ),
    Question("epilepsy", Gate.BLOCK, "Do you have epilepsy, or have you had seizures?", "epilepsy or seizures"),
    Question("heart", Gate.BLOCK, "Do you have a heart condition?", "a heart condition"),
    Question(
        "clots",
        Gate.BLOCK,
        "Do you have thrombosis, phlebitis or a blood-clotting disorder?",
        "thrombosis, phlebitis or a clotting disorder",
    ),
    Question("pregnant", Gate.BLOCK, "Are you pregnant, or might you be?", "a pregnancy, certain or possible"),
    Question("cancer", Gate.BLOCK, "Do you have cancer, or is it suspected?", "cancer, active or suspected"),
    Question("minor", Gate.BLOCK, "Are you under 18?", "these devices are for adults"),
)

ASK_QUESTIONS: tuple[Question, ...] = (
    Question(
        "worn-device",
        Gate.ASK,
        "Do you wear a medical device on your body, such as an insulin pump?",
        "a medical device worn on the body",
    ),
    Question(
        "procedure",
        Gate.ASK,
        "Have you had surgery, filler, botulinum or laser on your face in the last 30 days?",
        "a procedure on the face in the last 30 days",
    ),
    Question("metal", Gate.ASK, "Do you have metal plates or pins in your face?", "metal in the face"),
    Question(
        "sensation",
        Gate.ASK,
        "Do you have facial palsy, or less feeling in your face?",
        "facial palsy or reduced sensation",
    ),
    Question("physician", Gate.ASK, "Are you under a physician's care?", "being under a physician's care"),
    Question("thinner", Gate.ASK, "Do you take blood-thinning medicine?", "blood-thinning medicine"),
)

TODAY_QUESTIONS: tuple[Question, ...] = (
    Question(
        "skin",
        Gate.TODAY,
        "Is there a wound, rash, sunburn, infection or swelling where you will treat?",
        "let the skin heal first",
    ),
    Question("alcohol", Gate.TODAY, "Have you had alcohol?", "not after alcohol"),
    Question("bath", Gate.TODAY, "Are you in a bath or a humid room?", "somewhere dry, please"),
    Question(
        "jewellery",
        Gate.TODAY,
        "Are you wearing jewellery or piercings in the area?",
        "take off jewellery and piercings first",
    ),
)

QUESTIONS: tuple[Question, ...] = BLOCK_QUESTIONS + ASK_QUESTIONS
"""The screening, the blocking questions first."""


def judge(answers: Mapping[str, str] | None, at: datetime | None, now: datetime, *, version: int = VERSION) -> Verdict:
    """Judge the answers to :data:`QUESTIONS`, given ``at`` a moment (aware) to questions of ``version`` (H10).

    ``answers`` maps question ids to :class:`Answer` values; None when the screening was never done. Blocking questions
    block on yes and on not sure; asking ones until the answer is ``agreed``. Answers that are missing, unknown, given
    to another version, dated after ``now`` or older than 90 days do not count, and block until they are given again.
    """
    if answers is None or at is None:
        return _again("Please answer the health questions first.")
    if version != VERSION:
        return _again("The health questions have changed: please answer them again.")
    age = now.astimezone(UTC) - at.astimezone(UTC)
    if age > VALID or age < timedelta(0):
        return _again("Your answers to the health questions are older than 90 days: please answer them again.")
    reasons: list[str] = []
    ask: list[str] = []
    missing: list[str] = []
    for question in QUESTIONS:
        answer = answers.get(question.id)
        if answer == Answer.NO or (answer == Answer.AGREED and question.gate is Gate.ASK):
            continue
        if answer not in (Answer.YES, Answer.NOT_SURE):
            missing.append(question.id)
        elif question.gate is Gate.ASK:
            ask.append(question.id)
            reasons.append(f"Only once a doctor has agreed: {question.because}. {ASK_DOCTOR}")
        else:
            reasons.append(f"No session with this app: {question.because}. {ASK_DOCTOR}")
    if missing:
        reasons.append("Please answer all of the health questions.")
    return Verdict(bool(reasons), tuple(reasons), tuple(ask), tuple(missing), completed=not missing)


def judge_today(answers: Mapping[str, bool | str]) -> Verdict:
    """Judge the answers to :data:`TODAY_QUESTIONS`: anything but a clear no to each of them means not today.

    ``answers`` maps question ids to :class:`Answer` values or to True (yes) and False (no).
    """
    reasons: list[str] = []
    missing: list[str] = []
    for question in TODAY_QUESTIONS:
        answer = answers.get(question.id)
        if answer is False or answer == Answer.NO:
            continue
        if answer is True or answer in (Answer.YES, Answer.NOT_SURE):
            reasons.append(f"Not today: {question.because}.")
        else:
            missing.append(question.id)
    if missing:
        reasons.append("Please answer all of today's questions.")
    return Verdict(bool(reasons), tuple(reasons), (), tuple(missing), completed=not missing)


# --- what is said afterwards ------------------------------------------------------------------------------------------

PROCEDURE = "procedure"
"""The question that a treatment of the face answers with yes."""

_AGREED_AT = "{id}-agreed-at"
_PROCEDURE_ON = f"{PROCEDURE}-on"


def with_agreement(answers: Mapping[str, str], agreed: Collection[str], at: datetime) -> dict[str, str]:
    """Return ``answers`` with a doctor's agreement to ``agreed`` (question ids), said ``at`` a moment (aware).

    Nothing else in them changes, and they get no younger by it.

    Raises:
        ValueError: one is no *ask* question, or was not answered yes or not sure: nothing else can be agreed to.
    """
    waiting = {question.id for question in ASK_QUESTIONS if answers.get(question.id) in (Answer.YES, Answer.NOT_SURE)}
    for name in agreed:
        if name not in waiting:
            raise ValueError(f"{name!r} does not wait for a doctor's agreement")
    kept = dict(answers)
    for name in agreed:
        kept[name] = Answer.AGREED.value
        kept[_AGREED_AT.format(id=name)] = at.isoformat()
    return kept


def agreements(answers: Mapping[str, str], at: datetime) -> dict[str, datetime]:
    """Return the *ask* questions to which a doctor has agreed, each with the moment at which that was said.

    ``at`` is when the questions were answered: where nothing else is kept, it was said then.
    """
    return {
        question.id: datetime.fromisoformat(answers.get(_AGREED_AT.format(id=question.id), at.isoformat()))
        for question in ASK_QUESTIONS
        if answers.get(question.id) == Answer.AGREED
    }


def with_procedure(answers: Mapping[str, str], on: date) -> dict[str, str]:
    """Return ``answers`` after surgery, filler, botulinum or laser on the face ``on`` a day: a yes once more.

    A doctor's earlier agreement was to another treatment, and is gone.
    """
    kept = {name: answer for name, answer in answers.items() if name != _AGREED_AT.format(id=PROCEDURE)}
    return {**kept, PROCEDURE: Answer.YES.value, _PROCEDURE_ON: on.isoformat()}


def procedure_on(answers: Mapping[str, str]) -> date | None:
    """Return the day of the treatment that was noted last; None where none was."""
    on = answers.get(_PROCEDURE_ON)
    return None if on is None else date.fromisoformat(on)


def _again(reason: str) -> Verdict:
    return Verdict(
        blocked=True, reasons=(reason,), missing=tuple(question.id for question in QUESTIONS), completed=False
    )
