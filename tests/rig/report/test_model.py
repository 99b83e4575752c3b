"""What sums a report up: verdict, exit code, order, words and numbers."""

from __future__ import annotations

import random

import pytest

from rig.replay.outcome import Difference, Outcome, Verdict
from rig.report.model import Report, aligned, figures, length, moment, sentence, span
from rig.timing.baseline import Baseline, compare
from rig.timing.measure import STANDARD, TimingVerdict
from tests.rig.report.example import failed, invalid, latencies, passed, rich

NAME = "command_to_acknowledgement"


def timing(now_ms: float, count: int = 200) -> Report:
    before = Baseline.of({NAME: latencies(count, 20.0, 1)})
    return Report("timing", [passed()], compare(before, {NAME: latencies(count, now_ms, 2)}))


@pytest.mark.parametrize(
    ("outcomes", "verdict", "code"),
    [
        ([passed()], Verdict.PASSED, 0),
        ([passed(), failed()], Verdict.FAILED, 1),
        ([passed(), invalid()], Verdict.INVALID, 3),
        ([invalid(), failed(), passed()], Verdict.FAILED, 1),
        ([], Verdict.INVALID, 3),
    ],
)
def test_the_worst_outcome_decides_and_nothing_at_all_is_no_pass(
    outcomes: list[Outcome], verdict: Verdict, code: int
) -> None:
    report = Report("any", outcomes)
    assert (report.verdict, report.exit_code) == (verdict, code)


@pytest.mark.parametrize(
    ("report", "verdict", "code"),
    [
        (timing(20.0), TimingVerdict.PASS, 0),
        (timing(80.0), TimingVerdict.FAIL, 1),
        (timing(80.0, count=3), TimingVerdict.NOT_ENOUGH, 3),
    ],
)
def test_timing_counts_and_too_few_samples_are_no_pass(report: Report, verdict: TimingVerdict, code: int) -> None:
    assert [each.verdict for each in report.compared] == [verdict]
    assert report.exit_code == code


def test_the_order_in_which_workers_were_done_leaves_no_trace() -> None:
    outcomes = [passed(f"transcript {number}", seed=number) for number in range(6)]
    outcomes += [
        failed("twice"),
        failed("twice", pairs=70),
        invalid(),
        passed("twice", seed=9),
        passed("twice", seed=8),
    ]
    expected = Report("any", outcomes)
    for seed in range(5):
        shuffled = random.Random(seed).sample(outcomes, len(outcomes))
        report = Report("any", shuffled)
        assert report.ordered == expected.ordered, f"seed {seed}"
        assert (report.lateness, report.measured, report.faults) == (
            expected.lateness,
            expected.measured,
            expected.faults,
        ), f"seed {seed}"


def test_failures_come_first() -> None:
    assert [each.verdict.value for each in rich().ordered] == ["failed", "invalid", "passed", "passed"]
    assert [each.verdict.value for each in rich().compared] == ["fail", "fail", "not enough", "pass"]


def test_the_headline_says_the_whole() -> None:
    assert Report("any", [passed()]).headline == "The replay went as recorded"
    assert Report("any", [passed(), passed("b")]).headline == "All 2 replays went as recorded"
    assert Report("any").headline == "Nothing was replayed and nothing compared"
    assert rich().headline == ("1 failed and 1 invalid of 4 replays; timing: 2 failed, 1 passed, 1 not compared")


def test_a_comparison_brings_its_own_samples_and_the_rest_come_from_the_outcomes() -> None:
    measured = rich().measured
    compared = next(each for each in rich().comparisons if each.name == NAME)
    assert measured[NAME].now == getattr(compared, "after", None)
    assert measured[NAME].before == getattr(compared, "before", None)
    assert measured["burst_length"].now == (1.0, 2.0, 1.0, 1.0, 3.0) * 2
    assert measured["burst_length"].unit == STANDARD["burst_length"].unit
    assert not measured["burst_length"].before


def test_faults_add_up_over_outcomes() -> None:
    assert rich().faults == {"cut the link": 0, "drop notification 3": 4}


@pytest.mark.parametrize(
    ("nanoseconds", "said"),
    [
        (None, "-"),
        (0, "0"),
        (12, "12 ns"),
        (999, "999 ns"),
        (999.6, "1 µs"),
        (1_130, "1.13 µs"),
        (999_600, "1 ms"),
        (45_000, "45 µs"),
        (83_040_000, "83 ms"),
        (6_123_000_000, "6.12 s"),
        (612_345_678_901, "612 s"),
        (-2_500, "-2.5 µs"),
    ],
)
def test_spans_have_three_figures_and_a_readable_unit(nanoseconds: float | None, said: str) -> None:
    assert span(nanoseconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (1234567.8, "1,234,568"),
        (0.00123456, "0.00123"),
        (22.94, "22.9"),
        (100.0, "100"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_have_three_figures(value: float, said: str) -> None:
    assert figures(value) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.25, "250 ms"),
        (119.0, "119 s"),
        (120, "2 min 0 s"),
        (3_704, "1 h 1 min"),
        (147_894, "1 d 17 h"),
        (999_999, "11 d 13 h"),
    ],
)
def test_how_long_it_took_is_told_as_people_do(seconds: float, said: str) -> None:
    assert length(seconds) == said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([43.3, 55.25, 0.0], ["43.3", "55.2", "0"]),
        ([23.0, 26.8], ["23.0", "26.8"]),
        ([123.4, 34_023.2], ["123", "34,023"]),
        ([0.001, 94_302.0], ["0.001", "94,302"]),
        ([0.0, 0.0], ["0", "0"]),
        ([], []),
        ([1.0, float("inf")], ["1", "inf"]),
    ],
)
def test_numbers_of_a_column_have_as_many_decimals_each(values: list[float], said: list[str]) -> None:
    assert aligned(values) == said


def test_moments_are_seconds_to_the_millisecond() -> None:
    assert moment(1_234_567_890_123) == "1,234.568"


def test_a_difference_begins_with_its_kind_once() -> None:
    assert sentence(Difference("missing", 3, 0, "missing: exchange 3")) == "missing: exchange 3"
    assert sentence(Difference("refused", 3, 0, "checksum byte order")) == "refused: checksum byte order"


def test_what_only_one_side_has_is_told_apart_and_need_not_decide() -> None:
    before = Baseline.of({NAME: latencies(100, 22.9, 1), "lateness": [1.0]})
    alike, new = compare(before, {NAME: latencies(100, 22.9, 2), "theirs": [1.0]})[0:3:2]
    assert (Report("any", (), [alike, new]).exit_code, Report("any", [passed()], [alike, new]).exit_code) == (0, 0)
    assert Report("any", (), [alike, new]).headline == "Timing: 1 passed, 1 not compared"
    assert (Report("any", (), [new]).exit_code, Report("any", [passed()], [new]).exit_code) == (3, 3)
    assert Report("any", [failed()], [new]).exit_code == 1
    (gone,) = compare(Baseline.of({NAME: [1.0] * 9}), {})
    assert (gone.decides, Report("any", [passed()], [alike, gone]).exit_code) == (True, 3)
