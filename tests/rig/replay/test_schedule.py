"""When exchanges are due: capped and cut gaps, speed, and going through again."""

from __future__ import annotations

import random
import re
from itertools import islice, pairwise

import pytest

from rig.replay.exchanges import Exchange, Transcript
from rig.replay.schedule import Gaps, Schedule, Turn

S = 1_000_000_000
MS = 1_000_000


def due(schedule: Schedule) -> list[int]:
    return [schedule.due_ns(index) for index in range(len(schedule))]


def test_as_recorded_to_the_nanosecond() -> None:
    offsets = [0, 1, 150_000_001, 150_000_001, 86_400 * S + 7]
    assert due(Schedule(offsets)) == offsets


def test_a_transcripts_schedule_counts_both_sides() -> None:
    transcript = Transcript("talk", (Exchange(0, "app", "connect"), Exchange(5 * MS, "device", "disconnect")))
    assert due(Schedule.of(transcript, speed=2)) == [0, 2_500_000]


def test_cap_shortens_a_long_gap_to_its_limit() -> None:
    assert due(Schedule([0, 3 * S, 4 * S], gaps=Gaps(cap_s=2))) == [0, 2 * S, 3 * S]


def test_cut_leaves_a_long_gap_out_altogether() -> None:
    assert due(Schedule([0, 3 * S, 4 * S], gaps=Gaps(cut_s=2))) == [0, 0, 1 * S]


@pytest.mark.parametrize("gaps", [Gaps(cap_s=0.3), Gaps(cut_s=0.3), Gaps(cap_s=0.3, cut_s=1)])
def test_a_gap_just_as_long_as_the_limit_stays(gaps: Gaps) -> None:
    assert due(Schedule([0, 300 * MS], gaps=gaps)) == [0, 300 * MS]
    assert due(Schedule([0, 300 * MS + 1], gaps=gaps)) != [0, 300 * MS + 1]


def test_with_both_cut_takes_what_is_beyond_and_cap_what_lies_between() -> None:
    gaps = Gaps(cap_s=1, cut_s=5)
    assert [gaps.paced_ns(gap * S) for gap in (1, 2, 5, 6)] == [1 * S, 1 * S, 1 * S, 0]


def test_the_wait_before_the_first_exchange_is_a_gap_too() -> None:
    assert due(Schedule([9 * S, 10 * S], gaps=Gaps(cap_s=2))) == [2 * S, 3 * S]
    assert due(Schedule([9 * S, 10 * S], gaps=Gaps(cut_s=2))) == [0, 1 * S]


def test_gaps_are_those_of_the_recording_whatever_the_speed() -> None:
    assert due(Schedule([0, 3 * S], speed=10, gaps=Gaps(cap_s=2))) == [0, 200 * MS]


def test_cap_and_cut_of_nothing_leave_no_gap() -> None:
    for gaps in (Gaps(cap_s=0), Gaps(cut_s=0)):
        assert due(Schedule([0, 1, 5 * S], gaps=gaps)) == [0, 0, 0]


@pytest.mark.parametrize(
    ("cap", "cut", "message"),
    [
        (-1.0, None, "cap: seconds at or above 0 are needed, not -1.0"),
        (None, float("inf"), "cut: seconds at or above 0 are needed, not inf"),
        (float("nan"), None, "cap: seconds at or above 0 are needed, not nan"),
        (5.0, 5.0, "cap 5 s and cut 5 s: every gap that the cap would shorten is cut already"),
        (6.0, 5.0, "make the cap smaller than the cut, or leave one out"),
    ],
)
def test_limits_that_make_no_sense_are_refused(cap: float | None, cut: float | None, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Gaps(cap, cut)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_is_positive_and_finite(speed: float) -> None:
    with pytest.raises(ValueError, match="to replay at once, use virtual time"):
        Schedule([0], speed)


@pytest.mark.parametrize("offsets", [[-1], [0, 5, 4]])
def test_times_may_not_go_back(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="times may not go back: put the exchanges in order"):
        Schedule(offsets)


def test_rounding_never_adds_up() -> None:
    seed = 4
    rng = random.Random(seed)
    offsets = sorted(rng.randrange(3_600 * S) for _ in range(10_000))
    speed = 7.3
    missed = [
        abs(due_ns - offset / speed) for due_ns, offset in zip(due(Schedule(offsets, speed)), offsets, strict=True)
    ]
    assert max(missed) < 1, f"seed {seed}"


def test_capped_schedules_are_in_order_and_no_gap_grows() -> None:
    seed = 11
    rng = random.Random(seed)
    offsets = sorted(rng.randrange(100 * S) for _ in range(300))
    for gaps in (Gaps(cap_s=0.2), Gaps(cut_s=0.4), Gaps(cap_s=0.2, cut_s=0.4)):
        paced = due(Schedule(offsets, gaps=gaps))
        for (a, b), (c, d) in zip(pairwise(paced), pairwise(offsets), strict=True):
            assert 0 <= b - a <= d - c, f"seed {seed}"


def test_a_distance_has_gaps_and_speed_applied() -> None:
    schedule = Schedule([0, 1 * S, 9 * S, 10 * S], speed=2, gaps=Gaps(cap_s=3))
    assert schedule.between_ns(1, 3) == 2 * S
    assert schedule.between_ns(3, 1) == -2 * S


def test_seeking_by_time_finds_the_first_exchange_at_or_after_it() -> None:
    schedule = Schedule([0, 5, 5, 9])
    assert [schedule.index_at(at) for at in (0, 1, 5, 6, 9, 10)] == [0, 1, 1, 3, 3, 4]


def test_turns_begin_anywhere_and_go_through_again_after_a_rest() -> None:
    turns = Schedule([1, 5, 9]).turns(first=1, rounds=2, rest_ns=100)
    assert next(turns) == Turn(0, 1, 0)
    assert list(turns) == [Turn(0, 2, 4), Turn(1, 0, 105), Turn(1, 1, 109), Turn(1, 2, 113)]


def test_turns_without_end_go_on() -> None:
    assert list(islice(Schedule([0, 7]).turns(rounds=None), 5))[-1] == Turn(2, 0, 14)


def test_turns_from_the_end_have_nothing_of_the_first_round() -> None:
    assert list(Schedule([0, 7]).turns(first=2, rounds=2)) == [Turn(1, 0, 0), Turn(1, 1, 7)]


def test_a_loop_without_end_has_to_take_time() -> None:
    with pytest.raises(ValueError, match="give a rest between the rounds"):
        Schedule([0, 0]).turns(rounds=None)
    assert next(Schedule([0, 0]).turns(rounds=None, rest_ns=1)) == Turn(0, 0, 0)


def test_numbers_below_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="rounds"):
        Schedule([0]).turns(rounds=-1)
    with pytest.raises(ValueError, match="rest"):
        Schedule([0]).turns(rest_ns=-1)


@pytest.mark.parametrize("index", [-1, 2])
def test_an_exchange_that_is_not_there_is_named(index: int) -> None:
    schedule = Schedule([0, 1])
    message = re.escape(f"there is no exchange {index}: the transcript has 2, counted from 0")
    with pytest.raises(IndexError, match=message):
        schedule.due_ns(index)
    with pytest.raises(IndexError):
        schedule.between_ns(0, index)


def test_nothing_takes_no_time() -> None:
    schedule = Schedule([])
    assert (len(schedule), schedule.duration_ns, list(schedule.turns())) == (0, 0, [])
