"""The statistics of timing: a rank test that holds with ties and small samples, a robust shift, Holm's correction.

Plain functions of numbers. Refuses to know what was measured, and which difference matters:
:mod:`rig.timing.baseline` states the rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

Alternative = Literal["higher", "lower", "either"]
"""Which change of the second sample against the first is looked for; ``either`` is the two-sided question."""

EXACT_WORK: Final = 20_000_000
"""Up to this many additions the exact distribution is worked out (some 20 ms); beyond, it is close to normal."""
SHIFT_POINTS: Final = 2000
"""How many order statistics of a sample the shift is made of at most: four million differences take 60 ms."""


@dataclass(frozen=True, slots=True)
class RankTest:
    """What :func:`mann_whitney` found."""

    p_value: float
    """How probable a rank sum at least as far out is where both samples come from one distribution."""
    superiority: float
    """The share of pairs in which the second sample's value is the higher one, ties counted half: 0.5 where nothing
    has changed (Vargha and Delaney's A)."""
    exact: bool
    """Worked out from every arrangement of the values, not from the normal distribution."""


def mann_whitney(first: Sequence[float], second: Sequence[float], alternative: Alternative = "either") -> RankTest:
    """Test whether the values of ``second`` tend to be higher (lower, either) than those of ``first``.

    The Mann-Whitney U test, conditional on the ties that there are (mid-ranks). Exact for small samples: the
    distribution of the rank sum over all ways to deal the pooled values out (Streitberg and Röhmel's shift algorithm,
    which takes ties as they are). Else the normal approximation with tie and continuity correction (Hollander and
    Wolfe, Nonparametric Statistical Methods, 4.1).

    Args:
        first: n values, n at least 1; ``inf`` is a value like any other, the highest.
        second: m values, m at least 1.
        alternative: what is looked for.

    Raises:
        ValueError: a sample is empty, or has a value that is not a number.
    """
    a, b = _values(first), _values(second)
    n, m = len(a), len(b)
    # Twice the mid-ranks: whole numbers, ties or not.
    _, inverse, counts = np.unique(np.concatenate((a, b)), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    doubled = (2 * ends - counts + 1)[inverse].astype(np.int64)
    rank_sum = int(doubled[n:].sum())
    superiority = (rank_sum / 2 - m * (m + 1) / 2) / (n * m)
    if len(counts) == 1:
        return RankTest(1.0, superiority, exact=True)
    small = min(n, m)
    total = n + m
    if 2 * small * small * total * total <= EXACT_WORK:
        # The smaller sample's sums are worked out; where that is the first one, they mirror the second one's.
        own = rank_sum if small == m else int(doubled[:n].sum())
        at_most, at_least = _exact_tails(doubled, small, own)
        upper, lower = (at_least, at_most) if small == m else (at_most, at_least)
        return RankTest(_of(alternative, upper, lower), superiority, exact=True)
    ties = float(np.sum(counts.astype(np.float64) ** 3 - counts))
    deviation = math.sqrt(n * m / 12 * (total + 1 - ties / (total * (total - 1))))
    distance = rank_sum / 2 - m * (total + 1) / 2
    upper = _normal_tail((distance - 0.5) / deviation)
    lower = _normal_tail((-distance - 0.5) / deviation)
    return RankTest(_of(alternative, upper, lower), superiority, exact=False)


def smallest_p(n: int, m: int, alternative: Alternative = "either") -> float:
    """The smallest p-value that samples of ``n`` and ``m`` values can give, however far they are apart."""
    arrangements = math.comb(n + m, m)
    return min(1.0, (2 if alternative == "either" else 1) / arrangements)


def shift(first: Sequence[float], second: Sequence[float]) -> float:
    """By how much the values of ``second`` are higher: the median of all pairwise differences (Hodges and Lehmann).

    In the unit of the values; negative where they are lower. Up to 29 % of the values may be outliers (its breakdown
    point), and it varies less from sample to sample than the difference of the medians. Of a sample over
    :data:`SHIFT_POINTS` values, as many evenly spaced order statistics are taken.

    Raises:
        ValueError: a sample is empty, or has a value that is not a number.
    """
    a, b = _spaced(_values(first)), _spaced(_values(second))
    with np.errstate(invalid="ignore"):
        differences = (b[:, None] - a[None, :]).ravel()
    differences[np.isnan(differences)] = 0.0  # inf - inf: both without end, and none the longer
    return _median(differences)


def median(values: Sequence[float]) -> float:
    """The median, the mean of the two in the middle where the number is even.

    Raises:
        ValueError: there are no values, or one is not a number.
    """
    return _median(_values(values))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values of one family so that each may be held against the family's false-alarm rate (Holm, 1979).

    Whatever the dependence between the tests, the probability of any false alarm among all of them is then at most
    that rate. In the order given.
    """
    count = len(p_values)
    adjusted = [1.0] * count
    largest = 0.0
    for place, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (count - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def upper_bound(hits: int, trials: int, confidence: float = 0.95) -> float:
    """The rate that is not exceeded with that confidence, seeing ``hits`` in ``trials`` (Clopper and Pearson).

    Raises:
        ValueError: there are no trials, or more hits than trials.
    """
    if not 0 <= hits <= trials or trials < 1:
        raise ValueError(f"{hits} hits in {trials} trials: hits have to be between 0 and a number of trials above 0")
    if hits == trials:
        return 1.0
    low, high = hits / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _binomial_at_most(hits, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def lower_bound(hits: int, trials: int, confidence: float = 0.95) -> float:
    """The rate that is reached at least with that confidence; see :func:`upper_bound`."""
    return 1 - upper_bound(trials - hits, trials, confidence)


def _of(alternative: Alternative, upper: float, lower: float) -> float:
    if alternative == "higher":
        return min(1.0, upper)
    if alternative == "lower":
        return min(1.0, lower)
    return min(1.0, 2 * min(upper, lower))


def _exact_tails(doubled: npt.NDArray[np.int64], size: int, observed: int) -> tuple[float, float]:
    """P(sum at most observed), P(sum at least observed) of ``size`` of the (doubled) ranks drawn without replacement.

    ``ways[k, s]`` is how many choices of k ranks so far have the sum s; each rank is taken or left in turn. Counts are
    floats: exact up to 2**53, and good to 13 digits beyond, which is more than any p-value is read for.
    """
    ranks = np.sort(doubled)
    largest = int(ranks[-size:].sum())
    ways = np.zeros((size + 1, largest + 1))
    ways[0, 0] = 1.0
    for rank in ranks.tolist():
        # The highest count first: a rank must not be taken twice.
        for k in range(size, 0, -1):
            ways[k, rank:] += ways[k - 1, : largest + 1 - rank]
    row = ways[size]
    total = float(row.sum())
    at_most = float(row[: observed + 1].sum()) / total
    at_least = float(row[observed:].sum()) / total
    return at_most, at_least


def _normal_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))


def _binomial_at_most(hits: int, trials: int, rate: float) -> float:
    if rate >= 1:
        return 0.0
    log_rate, log_rest = math.log(rate) if rate > 0 else -math.inf, math.log1p(-rate)
    total = 0.0
    for k in range(hits + 1):
        ways = math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        total += math.exp(ways + (k * log_rate if k else 0.0) + (trials - k) * log_rest)
    return total


def _values(sample: Sequence[float]) -> Array:
    values = np.asarray(sample, dtype=np.float64)
    if not len(values):
        raise ValueError("a sample without values cannot be compared")
    if np.isnan(values).any():
        raise ValueError("a sample has a value that is not a number")
    return values


def _spaced(values: Array) -> Array:
    if len(values) <= SHIFT_POINTS:
        return values
    at = (np.arange(SHIFT_POINTS) + 0.5) * (len(values) / SHIFT_POINTS)
    return np.sort(values)[at.astype(np.int64)]


def _median(values: Array) -> float:
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    pair = np.partition(values, (middle - 1, middle))
    low, high = float(pair[middle - 1]), float(pair[middle])
    return low if low == high else (low + high) / 2  # twice inf is inf, and their difference is none
