"""How often `rig baseline compare` is wrong, on synthetic latencies whose truth is known: false alarms and power.

Four kinds of right-skewed latency with ties and outliers are compared at once, 200 samples of each before and after:
first where nothing has changed, then where one of them takes 10 % longer. Beside it, how long a comparison takes.
"""

from __future__ import annotations

import math
import random
import statistics

from measure import Measurement, Report, timed

from rig.timing.baseline import FALSE_ALARM, WARNING, Baseline, compare
from rig.timing.measure import COMMAND_TO_ACKNOWLEDGEMENT
from rig.timing.simulation import FAMILIES, WIDEST_SIGMA, false_alarms, power

NULL_COMPARISONS = 2000
POWER_COMPARISONS = 500
SAMPLES = 200
CHANGE = 0.1
LEAST_POWER = 0.9
KEPT = 10_000


def run(report: Report, *, repeat: int | None, seed: int) -> None:
    nulls = repeat or NULL_COMPARISONS
    alarms = false_alarms(comparisons=nulls, count=SAMPLES, seed=seed)
    for what, rate, allowed in (
        ("fails", alarms.failed, FALSE_ALARM),
        ("marginal or fails", alarms.told, WARNING * FALSE_ALARM),
    ):
        report.add(
            Measurement(
                f"baseline: {what} where nothing changed, {nulls:,} comparisons",
                rate.share * 100,
                "%",
                at_most=allowed * 100,
                note=f"{rate.hits}; at most {rate.at_most * 100:.2f} % with 95 % confidence",
            )
        )
    trials = repeat or POWER_COMPARISONS
    for family in FAMILIES:
        found = power(family, change=CHANGE, comparisons=trials, count=SAMPLES, seed=seed)
        for what, rate, needed in (("fails", found.failed, False), ("marginal or fails", found.told, True)):
            report.add(
                Measurement(
                    f"baseline: {CHANGE:.0%} more {what}, {family.name}, n = {SAMPLES}",
                    rate.share * 100,
                    "%",
                    at_least=LEAST_POWER * 100 if needed else None,
                    note=f"at least {rate.at_least * 100:.1f} % with 95 % confidence",
                )
            )
    report.add(Measurement("baseline: the most that any test could fail of the widest", _most_power() * 100, "%"))
    for count in (SAMPLES, KEPT):
        seconds = _cost(count, seed)
        report.add(Measurement(f"baseline: one measurement compared, {count:,} samples", seconds * 1000, "ms"))


def _most_power() -> float:
    """The power of the most powerful test (Neyman and Pearson) that knew the widest family, without its outliers.

    Log-normal: the difference of the mean logarithms against its deviation, at the rate that Holm leaves to the first.
    """
    normal = statistics.NormalDist()
    distance = math.log1p(CHANGE) / (WIDEST_SIGMA * math.sqrt(2 / SAMPLES))
    return normal.cdf(distance - normal.inv_cdf(1 - FALSE_ALARM / len(FAMILIES)))


def _cost(count: int, seed: int) -> float:
    """Seconds for one measurement, the median of nine."""
    rng = random.Random(seed)
    name = COMMAND_TO_ACKNOWLEDGEMENT.name
    before = Baseline.of({name: [rng.lognormvariate(3, 0.4) for _ in range(count)]})
    after = {name: [rng.lognormvariate(3, 0.4) for _ in range(count)]}
    return statistics.median(timed(lambda: compare(before, after)) for _ in range(9))
