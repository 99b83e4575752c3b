"""The statistics against published examples, against every arrangement counted one by one, and against themselves."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.timing import statistics
from rig.timing.statistics import holm, lower_bound, mann_whitney, median, shift, smallest_p, upper_bound

# Permeability of human chorioamnion at term and after 12 to 26 weeks: Hollander and Wolfe, example 4.1. The p-value is
# the one that R's own example of wilcox.test prints for it.
AT_TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLIER = [1.15, 0.88, 0.90, 0.74, 1.21]

coarse = st.lists(st.integers(0, 4), min_size=1, max_size=5)
values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12)


def _mid_rank_sum(pooled: Sequence[float], chosen: Sequence[int]) -> float:
    ranks = [
        sum(other < value for other in pooled) + (sum(other == value for other in pooled) + 1) / 2 for value in pooled
    ]
    return sum(ranks[index] for index in chosen)


def _counted(first: Sequence[float], second: Sequence[float]) -> float:
    """P(rank sum of the second sample at least as high), over every arrangement."""
    pooled = [*first, *second]
    observed = _mid_rank_sum(pooled, range(len(first), len(pooled)))
    arrangements = list(itertools.combinations(range(len(pooled)), len(second)))
    return sum(_mid_rank_sum(pooled, chosen) >= observed - 1e-9 for chosen in arrangements) / len(arrangements)


def test_the_textbook_example_has_the_textbooks_p_value_and_shift() -> None:
    found = mann_whitney(EARLIER, AT_TERM, "higher")
    assert found.exact
    assert found.p_value == pytest.approx(0.1272, abs=5e-5)
    assert found.superiority * len(AT_TERM) * len(EARLIER) == pytest.approx(35)  # the book's U
    assert shift(EARLIER, AT_TERM) == pytest.approx(0.305)


@given(coarse, coarse)
def test_the_exact_test_counts_every_arrangement_ties_included(first: list[int], second: list[int]) -> None:
    found = mann_whitney(first, second, "higher")
    assert found.exact
    assert found.p_value == pytest.approx(_counted(first, second))
    assert mann_whitney(first, second, "lower").p_value == pytest.approx(_counted(second, first))


@given(coarse, coarse)
def test_the_superiority_is_the_share_of_pairs_that_are_higher(first: list[int], second: list[int]) -> None:
    pairs = list(itertools.product(first, second))
    higher = sum((b > a) + (b == a) / 2 for a, b in pairs) / len(pairs)
    assert mann_whitney(first, second).superiority == pytest.approx(higher)


@given(values, values)
def test_exchanging_the_samples_mirrors_everything(first: list[float], second: list[float]) -> None:
    forth, back = mann_whitney(first, second, "higher"), mann_whitney(second, first, "lower")
    assert forth.p_value == pytest.approx(back.p_value)
    assert forth.superiority == pytest.approx(1 - back.superiority)
    assert shift(first, second) == pytest.approx(-shift(second, first))


@pytest.mark.parametrize("grid", [0.001, 4.0])
def test_the_normal_approximation_agrees_with_the_exact_test_far_out(
    monkeypatch: pytest.MonkeyPatch, grid: float
) -> None:
    rng = random.Random(7)
    compared = 0
    for _ in range(12):
        first = [round(rng.lognormvariate(3, 0.4) / grid) * grid for _ in range(35)]
        second = [round(rng.lognormvariate(3.25, 0.4) / grid) * grid for _ in range(30)]
        exact = mann_whitney(first, second)
        with monkeypatch.context() as patch:
            patch.setattr(statistics, "EXACT_WORK", 0)
            close = mann_whitney(first, second)
        assert exact.exact
        assert not close.exact
        assert close.superiority == exact.superiority
        if exact.p_value > 1e-3:
            assert 0.97 * exact.p_value <= close.p_value <= 1.25 * exact.p_value  # if anything, it doubts too much
            compared += 1
    assert compared >= 4


def test_samples_that_are_all_alike_show_nothing() -> None:
    found = mann_whitney([5.0] * 300, [5.0] * 300)
    assert (found.p_value, found.superiority) == (1.0, 0.5)


def test_an_endless_wait_is_the_highest_value_and_no_error() -> None:
    assert mann_whitney([1, 2, 3], [math.inf] * 3, "higher").p_value == pytest.approx(1 / 20)
    assert shift([1, 2, math.inf], [1, 2, math.inf]) == 0


@pytest.mark.parametrize(("first", "second"), [([], [1.0]), ([1.0], []), ([math.nan], [1.0])])
def test_samples_without_a_meaning_are_refused(first: list[float], second: list[float]) -> None:
    with pytest.raises(ValueError, match="sample"):
        mann_whitney(first, second)
    with pytest.raises(ValueError, match="sample"):
        shift(first, second)


@pytest.mark.parametrize("alternative", ["higher", "either"])
def test_the_smallest_p_value_is_that_of_samples_without_any_overlap(
    alternative: statistics.Alternative,
) -> None:
    found = mann_whitney([1, 2, 3, 4], [5, 6, 7], alternative)
    assert found.p_value == pytest.approx(smallest_p(4, 3, alternative))


def test_a_third_of_outliers_on_one_side_hardly_moves_the_shift() -> None:
    before = [20 + number / 10 for number in range(100)]
    after = [value + 2 for value in before]
    assert shift(before, after) == pytest.approx(2)
    assert 2 < shift(before, [*after[:-20], *[1e6] * 20]) < 5
    assert sum([*after[:-20], *[1e6] * 20]) / 100 > 1e5  # a mean would be lost


def test_the_shift_of_large_samples_is_that_of_their_order_statistics() -> None:
    rng = random.Random(11)
    before = [rng.lognormvariate(3, 0.5) for _ in range(6000)]
    assert shift(before, [value + 1.5 for value in before]) == pytest.approx(1.5, abs=0.05)


def test_the_median_of_an_even_number_is_between_the_two_in_the_middle() -> None:
    assert median([4, 1, 3, 2]) == 2.5
    assert median([3, 1, 2]) == 2


def test_holm_adjusts_as_in_his_paper() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_bounds_of_a_rate_are_those_of_clopper_and_pearson() -> None:
    assert upper_bound(0, 20) == pytest.approx(1 - 0.05 ** (1 / 20))
    assert lower_bound(20, 20) == pytest.approx(0.05 ** (1 / 20))
    assert upper_bound(20, 20) == 1
    assert lower_bound(0, 20) == 0
    # 1 in 10: the 90 % interval (two-sided) in every table.
    assert (lower_bound(1, 10), upper_bound(1, 10)) == (
        pytest.approx(0.0051, abs=1e-4),
        pytest.approx(0.3942, abs=1e-4),
    )
    with pytest.raises(ValueError, match="2 hits in 1 trials"):
        upper_bound(2, 1)
