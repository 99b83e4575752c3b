"""Who must not use it, and who not today (H10): no bypass, no free text, nothing taken for a no but a no."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from companion.care.screening import (
    ASK_QUESTIONS,
    BLOCK_QUESTIONS,
    QUESTIONS,
    TODAY_QUESTIONS,
    VERSION,
    judge,
    judge_today,
)

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HEALTHY = {question.id: "no" for question in QUESTIONS}
FINE_TODAY = {question.id: "no" for question in TODAY_QUESTIONS}


def test_all_no_is_free_to_go() -> None:
    verdict = judge(HEALTHY, NOW, NOW)
    assert not verdict.blocked
    assert verdict.completed
    assert verdict.reasons == verdict.ask == verdict.missing == ()


@pytest.mark.parametrize("answer", ["yes", "not sure", "agreed"])
@pytest.mark.parametrize("question", [question.id for question in BLOCK_QUESTIONS])
def test_h10_any_blocking_answer_blocks_and_says_ask_your_doctor(question: str, answer: str) -> None:
    verdict = judge(HEALTHY | {question: answer}, NOW, NOW)
    assert verdict.blocked
    if answer != "agreed":  # which is no answer to a blocking question at all
        assert len(verdict.reasons) == 1
        assert verdict.reasons[0].endswith("Please ask your doctor.")


@pytest.mark.parametrize("answer", ["yes", "not sure"])
@pytest.mark.parametrize("question", [question.id for question in ASK_QUESTIONS])
def test_h10_an_asking_question_blocks_until_a_doctor_has_agreed(question: str, answer: str) -> None:
    verdict = judge(HEALTHY | {question: answer}, NOW, NOW)
    assert verdict.blocked
    assert verdict.ask == (question,)
    assert not judge(HEALTHY | {question: "agreed"}, NOW, NOW).blocked


@pytest.mark.parametrize("question", [question.id for question in QUESTIONS])
@pytest.mark.parametrize("answer", [None, "", "No", "maybe", "no "])
def test_h10_what_is_not_an_answer_is_not_a_no(question: str, answer: str | None) -> None:
    answers = {key: value for key, value in HEALTHY.items() if key != question}
    if answer is not None:
        answers[question] = answer
    verdict = judge(answers, NOW, NOW)
    assert verdict.blocked
    assert not verdict.completed
    assert verdict.missing == (question,)


def test_h10_answers_hold_for_ninety_days() -> None:
    assert not judge(HEALTHY, NOW - timedelta(days=90), NOW).blocked
    late = judge(HEALTHY, NOW - timedelta(days=90, seconds=1), NOW)
    assert late.blocked
    assert not late.completed
    assert "90 days" in late.reasons[0]


def test_h10_answers_from_the_future_or_to_other_questions_do_not_count() -> None:
    assert judge(HEALTHY, NOW + timedelta(seconds=1), NOW).blocked
    assert judge(HEALTHY, NOW, NOW, version=VERSION + 1).blocked


def test_h10_without_a_screening_there_is_no_session() -> None:
    verdict = judge(None, None, NOW)
    assert verdict.blocked
    assert not verdict.completed
    assert verdict.reasons == ("Please answer the health questions first.",)


def test_the_lists_are_complete() -> None:
    assert len(BLOCK_QUESTIONS) == 7
    assert len(ASK_QUESTIONS) == 6
    assert len(TODAY_QUESTIONS) == 4
    ids = [question.id for question in QUESTIONS + TODAY_QUESTIONS]
    assert len(set(ids)) == len(ids)


def test_fine_today() -> None:
    assert not judge_today(FINE_TODAY).blocked
    assert not judge_today(dict.fromkeys(FINE_TODAY, False)).blocked


@pytest.mark.parametrize("answer", ["yes", "not sure", True])
@pytest.mark.parametrize("question", [question.id for question in TODAY_QUESTIONS])
def test_h10_any_yes_means_not_today(question: str, answer: str | bool) -> None:
    verdict = judge_today({**FINE_TODAY, question: answer})
    assert verdict.blocked
    assert verdict.reasons[0].startswith("Not today: ")


def test_h10_a_question_of_today_left_open_means_not_today() -> None:
    assert judge_today({}).blocked
    assert judge_today({}).missing == tuple(FINE_TODAY)
