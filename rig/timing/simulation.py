"""How often the comparison rule is wrong: false alarms and power, on synthetic latencies whose truth is known.

For the bench, the tests, and for who wants to know how many samples a change takes to be found. The families are made
like what captures show: a floor that no packet beats, a tail to the right, values on the grid of a clock or of the
connection events, and outliers. Refuses to know the rule: it asks :mod:`rig.timing.baseline`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from rig.timing.baseline import FALSE_ALARM, Baseline, Comparison, compare
from rig.timing.measure import Measurement, TimingVerdict
from rig.timing.statistics import lower_bound, upper_bound

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

OUTLIER_SHARE: Final = 0.02
WIDEST_SIGMA: Final = 0.25
"""Of the logarithm, in the family without a floor."""


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of latency, in milliseconds."""

    name: str
    doc: str
    draw: Callable[[np.random.Generator, int], Array]
    """Draws that many samples, before the clock that reads them: no ties yet."""
    grid_ms: float
    """The resolution of the clock that reads them: what makes ties."""

    def sample(self, rng: np.random.Generator, count: int, *, factor: float = 1.0) -> list[float]:
        """Draw ``count`` latencies in milliseconds, ``factor`` times as long: the median moves by that factor.

        A share of :data:`OUTLIER_SHARE` took 5 to 20 times as long, as where a radio lost the link's turn.
        """
        values = self.draw(rng, count) * factor
        outliers = rng.random(count) < OUTLIER_SHARE
        values[outliers] *= rng.uniform(5, 20, int(outliers.sum()))
        found: list[float] = (np.round(values / self.grid_ms) * self.grid_ms).tolist()
        return found


def _uart(rng: np.random.Generator, count: int) -> Array:
    return 20 + rng.lognormal(np.log(15), 0.4, count)


def _events(rng: np.random.Generator, count: int) -> Array:
    # A wait for the next connection event, more events where a packet was lost, and the firmware's own time.
    lost = rng.geometric(0.9, count) - 1
    return 30 + rng.uniform(0, 15, count) + 15.0 * lost + rng.gamma(2, 1.5, count)


def _stack(rng: np.random.Generator, count: int) -> Array:
    return 40 + rng.gamma(1.5, 6, count)


def _skewed(rng: np.random.Generator, count: int) -> Array:
    return rng.lognormal(np.log(40), WIDEST_SIGMA, count)


FAMILIES: Final = (
    Family(
        "serial bridge", "20 ms on the line and a log-normal rest (median 15 ms, sigma 0.4); 1 ms clock", _uart, 1.0
    ),
    Family(
        "connection events", "30 ms, a wait of up to 15 ms, 10 % losses of 15 ms each; 1.25 ms clock", _events, 1.25
    ),
    Family("host stack", "40 ms and a gamma-distributed rest (shape 1.5, mean 9 ms); 0.5 ms clock", _stack, 0.5),
    Family("wide", "log-normal without a floor (median 40 ms, sigma 0.25); 1 ms clock", _skewed, 1.0),
)
"""Latencies as they come, all right-skewed, with ties and outliers."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened."""

    hits: int
    trials: int

    @property
    def share(self) -> float:
        """Hits in trials."""
        return self.hits / self.trials

    @property
    def at_least(self) -> float:
        """The true rate is no lower, with 95 % confidence (Clopper and Pearson)."""
        return lower_bound(self.hits, self.trials)

    @property
    def at_most(self) -> float:
        """The true rate is no higher, with 95 % confidence."""
        return upper_bound(self.hits, self.trials)


@dataclass(frozen=True, slots=True)
class Alarms:
    """How often a comparison raised its voice."""

    failed: Rate
    told: Rate
    """Marginal or failed."""


def false_alarms(
    *,
    comparisons: int = 2000,
    count: int = 200,
    seed: int = 0,
    false_alarm: float = FALSE_ALARM,
    families: Sequence[Family] = FAMILIES,
) -> Alarms:
    """Compare where nothing has changed; a hit is a comparison in which any family fails, or is told of.

    Args:
        comparisons: how many.
        count: samples of each family, in the baseline and again now.
        seed: of everything drawn.
        false_alarm: the rate that the rule is asked to keep.
        families: what is measured in each comparison, all at once.
    """
    rng = np.random.default_rng(seed)
    return _alarms({one.verdict for one in _compared(rng, families, count, false_alarm)} for _ in range(comparisons))


def power(
    family: Family,
    *,
    change: float = 0.1,
    comparisons: int = 500,
    count: int = 200,
    seed: int = 0,
    false_alarm: float = FALSE_ALARM,
    families: Sequence[Family] = FAMILIES,
) -> Alarms:
    """Compare where one family has become slower; a hit is a comparison that fails, or tells of, that family.

    The others are measured beside it and unchanged: Holm's correction costs what it costs in use.

    Args:
        family: the one that changes.
        change: the share of its median by which it changes, 0.1 for 10 % slower.
        comparisons: how many.
        count: samples of each family, before and after.
        seed: of everything drawn.
        false_alarm: the rate that the rule is asked to keep.
        families: what is measured in each comparison, ``family`` among them or not.
    """
    rng = np.random.default_rng(seed)
    everything = families if family in families else (*families, family)
    return _alarms(
        {
            one.verdict
            for one in _compared(rng, everything, count, false_alarm, {family.name: 1 + change})
            if one.name == family.name
        }
        for _ in range(comparisons)
    )


def _compared(
    rng: np.random.Generator,
    families: Sequence[Family],
    count: int,
    false_alarm: float,
    factors: Mapping[str, float] = MappingProxyType({}),
) -> list[Comparison]:
    measurements = _of(families)
    baseline = Baseline.of({one.name: one.sample(rng, count) for one in families}, measurements=measurements)
    now = {one.name: one.sample(rng, count, factor=factors.get(one.name, 1.0)) for one in families}
    return compare(baseline, now, false_alarm=false_alarm, measurements=measurements)


def _alarms(comparisons: Iterable[set[TimingVerdict]]) -> Alarms:
    trials = failed = told = 0
    for verdicts in comparisons:
        trials += 1
        failed += TimingVerdict.FAIL in verdicts
        told += not verdicts.isdisjoint({TimingVerdict.FAIL, TimingVerdict.MARGINAL})
    return Alarms(Rate(failed, trials), Rate(told, trials))


def _of(families: Sequence[Family]) -> dict[str, Measurement]:
    return {
        family.name: Measurement(family.name, "ms", family.doc, worse="higher", more="slower", less="faster")
        for family in families
    }
