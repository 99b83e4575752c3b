"""An OMP recording through its protocol: the recording sets the pace of the keep-alives, and has to have them."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from protocols.model import Acknowledged, KeepAlive
from protocols.omp_codec import Opcode, Request, Response, Result, State
from rig.replay import feeding
from rig.replay.decoder import replay_as_decoder
from rig.replay.exchanges import Transcript
from rig.replay.outcome import Outcome, Verdict
from tests.rig.replay.omp_talk import CONTROL, KEEP_ALIVE, STOP, Talk, start, target


def texts(outcome: Outcome) -> list[str]:
    return [difference.text for difference in outcome.differences]


def decoded(talk: Talk | Transcript) -> list[str]:
    outcome = replay_as_decoder(talk.transcript() if isinstance(talk, Talk) else talk)
    assert (outcome.verdict is Verdict.PASSED) == (not outcome.differences)
    return texts(outcome)


def held(seconds: float, *, late_s: float = 0.0, seed: int = 0) -> Talk:
    """Output for a while, with keep-alives that the app's timer lets be late by up to ``late_s``, each time anew."""
    chance = random.Random(seed)
    talk = Talk().started()
    for _ in range(round(seconds / 0.5)):
        talk.waits(0.5 + round(chance.uniform(0.0, late_s), 6)).ask(KEEP_ALIVE)
    return talk


@pytest.mark.parametrize("late_s", [0.0, 0.004, 0.06])
def test_keep_alives_may_be_late_by_a_little_each_time(late_s: float) -> None:
    """After a minute of them the machine's own clock would be ahead by seconds."""
    talk = held(60.0, late_s=late_s, seed=3)
    assert decoded(talk.waits(0.1).stopped().hung_up()) == []


@pytest.mark.parametrize("since_s", [0.0, 0.1, 0.499, 0.5, 0.52, 0.7])
def test_a_stop_may_come_at_any_time_and_when_a_keep_alive_is_due(since_s: float) -> None:
    assert decoded(held(2.0).waits(since_s).stopped().waits(5.0).hung_up()) == []


def overtaken(keep_alive: bytes = KEEP_ALIVE, *, times: int = 1, result: Result = Result.SUCCESS) -> Talk:
    """A stop, and behind it on the air keep-alives that were on their way before it; then the answers."""
    talk = held(2.0).waits(0.49).said("app", "write", CONTROL, STOP, answered=True)
    for _ in range(times):
        talk.at_s += 0.01
        talk.said("app", "write", CONTROL, keep_alive, answered=True)
    talk.said("device", "indication", CONTROL, Response(Opcode.STOP, Result.SUCCESS).encode())
    talk.tells(State.READY, 20, session=1)
    for _ in range(times):
        talk.said("device", "indication", CONTROL, Response(Opcode.KEEP_ALIVE, result).encode())
    return talk.waits(1.0)


@pytest.mark.parametrize("result", [Result.SUCCESS, Result.WRONG_STATE], ids=lambda result: result.name.lower())
def test_a_keep_alive_that_a_stop_has_overtaken_is_no_difference(result: Result) -> None:
    assert decoded(overtaken(result=result).hung_up()) == []


def test_each_stop_may_overtake_a_keep_alive() -> None:
    talk = (
        overtaken()
        .ask(target(20))
        .ask(start())
        .tells(State.RUNNING, 20, session=2)
        .ask(KEEP_ALIVE)
        .holds(1.0)
        .waits(0.49)
    )
    talk.said("app", "write", CONTROL, STOP, answered=True).said("app", "write", CONTROL, KEEP_ALIVE, answered=True)
    talk.said("device", "indication", CONTROL, Response(Opcode.STOP, Result.SUCCESS).encode())
    assert decoded(talk.tells(State.READY, 20, session=2).waits(1.0).hung_up()) == []


def test_a_stop_that_overtook_nothing_takes_no_keep_alive_from_the_next_run() -> None:
    talk = held(1.0).stopped().waits(0.2).ask(target(20)).ask(start()).tells(State.RUNNING, 20, session=2)
    talk.ask(KEEP_ALIVE).waits(0.2).ask(KEEP_ALIVE)
    run = feeding.decoded(talk.waits(0.1).transcript())
    assert run.differences == []
    assert isinstance(run.lines[-2].told[0], Acknowledged)
    assert run.lines[-2].told[0].command == KeepAlive()


@pytest.mark.parametrize(
    ("talk", "behind"),
    [
        (overtaken(Request(Opcode.KEEP_ALIVE, (5000,)).encode()), "08 88 13"),
        (overtaken(times=2), "08 dc 05"),
        (overtaken().ask(KEEP_ALIVE), "08 dc 05"),
        (held(2.0).stopped().ask(KEEP_ALIVE), "08 dc 05"),
        (held(2.0).said("app", "write", CONTROL, STOP, answered=True).ask(target(20)), "02 14 00"),
    ],
    ids=["other bytes", "a second one", "one more after the answer", "after the answer", "another request"],
)
def test_nothing_else_may_come_behind_a_stop(talk: Talk, behind: str) -> None:
    [text] = decoded(talk.waits(1.0).hung_up())
    assert text.startswith("refused: exchange")
    assert f": {behind}: the protocol forbids" in text


def test_keep_alives_may_come_early_and_more_often() -> None:
    talk = Talk().started()
    for _ in range(40):
        talk.waits(0.2).ask(KEEP_ALIVE)
    assert decoded(talk.stopped().hung_up()) == []


def test_an_app_that_lets_the_keep_alive_lapse_is_told_of() -> None:
    [text] = decoded(held(2.0).waits(4.0).stopped().hung_up())
    assert text.endswith("08 dc 05 at 2.700 s, the recording does not")
    assert text.startswith("missing: the protocol would write")


def test_a_keep_alive_without_output_is_refused() -> None:
    [text] = decoded(Talk().greeted().waits(1.0).ask(KEEP_ALIVE))
    assert text.startswith("refused: exchange 16, app writes")
    assert text.endswith("the protocol forbids keep alive here: there is no output to keep up")


def test_a_keep_alive_of_another_length_is_told_of() -> None:
    talk = held(1.0).waits(0.5).ask(Request(Opcode.KEEP_ALIVE, (5000,)).encode()).waits(3.0).stopped()
    [text] = decoded(talk)
    assert "to keep alive the protocol would do otherwise: 2 bytes" in text or "byte 1 is" in text


def test_a_stop_that_is_refused_is_named_where_the_app_does_not_stop_again() -> None:
    [text] = decoded(held(1.0).ask(STOP, result=Result.WRONG_STATE).waits(5.0).hung_up())
    assert text.startswith("missing: after exchange")
    assert (
        "80 07 06 (total stop: refused, wrong state; repeated total stop attempt 2), the protocol would write" in text
    )


def test_another_nonce_makes_no_difference_and_another_answer_to_it_does() -> None:
    transcript = held(1.0).stopped().hung_up().transcript()
    place = next(place for place, one in enumerate(transcript.exchanges) if one.to == CONTROL and one.does == "write")
    asked, answered = transcript.exchanges[place : place + 2]
    other = [*transcript.exchanges]
    other[place] = replace(asked, value=b"\x01abcd")
    other[place + 1] = replace(answered, value=b"\x80\x01\x01abcd")
    assert decoded(replace(transcript, exchanges=tuple(other))) == []
    other[place + 1] = replace(answered, value=b"\x80\x01\x01abce")
    assert any(
        "it answered a request for control that was not this app's" in text
        for text in decoded(replace(transcript, exchanges=tuple(other)))
    )
