"""How often `rig baseline compare` is wrong, on synthetic latencies whose truth is known: false alarms and power.

Four kinds of right-skewed latency with ties and outliers are compared at once, 200 samples of each before and after:
first where nothing has changed, then where one of them takes 10 % longer. Beside it, how long a comparison takes.
"""

from __future__ import annotations

import random
import statistics

from measure import Measurement, Report, timed

from rig.timing.baseline import FALSE_ALARM, Baseline, compare
from rig.timing.measure import COMMAND_TO_ACKNOWLEDGEMENT
from rig.timing.simulation import FAMILIES, false_alarms, power

NULL_COMPARISONS = 2000
POWER_COMPARISONS = 500
SAMPLES = 200
MORE_SAMPLES = 400
"""For the family without a floor, whose spread is the widest: no rank test finds 10 % of it among 200."""
CHANGE = 0.1
LEAST_POWER = 0.9
KEPT = 10_000


def run(report: Report, *, repeat: int | None, seed: int) -> None:
    nulls = repeat or NULL_COMPARISONS
    rate = false_alarms(comparisons=nulls, count=SAMPLES, seed=seed)
    report.add(
        Measurement(
            f"baseline: false alarms in {nulls:,} null comparisons",
            rate.share * 100,
            "%",
            at_most=FALSE_ALARM * 100,
            note=f"{rate.hits}; at most {rate.at_most * 100:.2f} % with 95 % confidence",
        )
    )
    trials = repeat or POWER_COMPARISONS
    for family in FAMILIES:
        with_floor = family is not FAMILIES[-1]
        found = power(family, change=CHANGE, comparisons=trials, count=SAMPLES, seed=seed)
        report.add(_power(family.name, SAMPLES, found.share, found.at_least, needed=with_floor))
    widest = FAMILIES[-1]
    found = power(widest, change=CHANGE, comparisons=trials, count=MORE_SAMPLES, seed=seed)
    report.add(_power(widest.name, MORE_SAMPLES, found.share, found.at_least, needed=True))
    for count in (SAMPLES, KEPT):
        seconds = _cost(count, seed)
        report.add(Measurement(f"baseline: one measurement compared, {count:,} samples", seconds * 1000, "ms"))


def _power(name: str, count: int, share: float, at_least: float, *, needed: bool) -> Measurement:
    return Measurement(
        f"baseline: {CHANGE:.0%} found, {name}, n = {count}",
        share * 100,
        "%",
        at_least=LEAST_POWER * 100 if needed else None,
        note=f"at least {at_least * 100:.1f} % with 95 % confidence",
    )


def _cost(count: int, seed: int) -> float:
    """Seconds for one measurement, the median of nine."""
    rng = random.Random(seed)
    name = COMMAND_TO_ACKNOWLEDGEMENT.name
    before = Baseline.of({name: [rng.lognormvariate(3, 0.4) for _ in range(count)]})
    after = {name: [rng.lognormvariate(3, 0.4) for _ in range(count)]}
    return statistics.median(timed(lambda: compare(before, after)) for _ in range(9))
