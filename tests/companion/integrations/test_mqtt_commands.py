"""Which Stop is followed: a live one, once; and no message of any other kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.integrations.mqtt_commands import OLDEST_S, PRESS, StopGate, Verdict

DATE = 1_789_000_000.0
NOW = 50.0


def gate(asked_at: float = NOW) -> StopGate:
    """One that had an answer to what it asked at ``asked_at``."""
    made = StopGate()
    made.answered(asked_at)
    return made


def judged(payload: bytes, *, at: StopGate | None = None, retained: bool = False, now: float = NOW) -> Verdict:
    return (at or gate()).judge(payload, retained=retained, now=now, date=DATE)


def test_the_word_of_home_assistants_button_is_followed() -> None:
    assert judged(PRESS.encode()) is Verdict.FOLLOW


@given(st.binary(max_size=40))
def test_nothing_retained_is_followed_whatever_it_says(payload: bytes) -> None:
    for one in (payload, b"STOP", b"STOP %d" % DATE):
        assert judged(one, retained=True) is Verdict.RETAINED


@given(st.binary(max_size=64))
def test_only_the_word_alone_or_with_a_date_means_stop(payload: bytes) -> None:
    for one in (payload, b"STOP" + payload, payload + b"STOP", b"STOP " + payload):
        word, _, number = one.partition(b" ")
        dated = number.replace(b".", b"", 1).isdigit() and not number.startswith(b".") and not number.endswith(b".")
        if word != b"STOP" or (one != b"STOP" and not dated):
            assert judged(one) is Verdict.UNKNOWN, one


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"stop", b"Stop", b"START", b"STOP\n", b" STOP", b"STOP ", b"STOP  1", b"STOP -1", b"STOP nan",
        b"STOP 1e9", b"STOP 1234567890123", b"STOP 1.", b"STOP 1.0000000001", b"STOP \xd9\xa1", b"PRESS",
        b"STOP" + b"0" * 1_000_000,
    ],
    ids=lambda payload: ascii(payload[:12])[2:-1],
)  # fmt: skip
def test_what_looks_like_it_is_not_it(payload: bytes) -> None:
    assert judged(payload) is Verdict.UNKNOWN


@given(st.floats(-3600, 3600), st.booleans())
def test_a_dated_stop_is_followed_until_it_is_five_seconds_old(age_s: float, whole: bool) -> None:
    written = f"{DATE - age_s:.0f}" if whole else f"{DATE - age_s:.3f}"
    expected = Verdict.OLD if DATE - float(written) > OLDEST_S else Verdict.FOLLOW
    assert judged(f"STOP {written}".encode()) is expected


@given(st.floats(0, 100))
def test_a_stop_is_followed_while_the_last_answer_is_to_a_question_of_the_last_five_seconds(since_s: float) -> None:
    expected = Verdict.UNPROVEN if NOW + since_s - NOW > OLDEST_S else Verdict.FOLLOW
    assert judged(b"STOP", now=NOW + since_s) is expected


def test_an_answer_that_took_long_proves_no_more_than_when_it_was_asked_for() -> None:
    at = gate(NOW)
    at.answered(NOW - 20)
    assert judged(b"STOP", at=at) is Verdict.FOLLOW
    assert judged(b"STOP", at=gate(NOW - 20)) is Verdict.UNPROVEN


def test_before_any_answer_nothing_is_followed() -> None:
    assert judged(b"STOP", at=StopGate()) is Verdict.UNPROVEN


def test_a_stop_right_after_another_says_the_same_and_a_later_one_is_another() -> None:
    at = gate()
    assert judged(b"STOP", at=at) is Verdict.FOLLOW
    assert judged(b"STOP", at=at, now=NOW + 0.29) is Verdict.REPEATED
    assert judged(b"STOP", at=at, now=NOW + 0.31) is Verdict.FOLLOW


@given(st.lists(st.tuples(st.sampled_from([b"STOP", b"x"]), st.booleans(), st.floats(0, 0.2)), min_size=1))
def test_the_first_live_stop_of_any_flood_is_followed_at_once(
    messages: list[tuple[bytes, bool, float]],
) -> None:
    at, now, seen = gate(), NOW, False
    for payload, retained, pause in messages:
        at.answered(now)
        verdict = at.judge(payload, retained=retained, now=now, date=DATE)
        if payload == b"STOP" and not retained and not seen:
            assert verdict is Verdict.FOLLOW
            seen = True
        assert (verdict is Verdict.FOLLOW) <= (payload == b"STOP" and not retained)
        now += pause
