"""How often the rule is wrong, small and seeded; scripts/bench runs the same at full size."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from rig.timing.baseline import FALSE_ALARM, WARNING
from rig.timing.simulation import FAMILIES, OUTLIER_SHARE, Family, Rate, false_alarms, power

BRIDGE, EVENTS, STACK, WIDE = FAMILIES


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_latencies_are_what_they_say_right_skewed_with_ties_and_outliers(family: Family) -> None:
    samples = family.sample(np.random.default_rng(1), 4000)
    median = float(np.median(samples))
    assert np.mean(samples) > 1.05 * median
    assert max(Counter(samples).values()) > 20
    assert sum(sample > 4 * median for sample in samples) / 4000 == pytest.approx(OUTLIER_SHARE, abs=0.01)
    slower = family.sample(np.random.default_rng(1), 4000, factor=1.1)
    assert float(np.median(slower)) == pytest.approx(1.1 * median, abs=family.grid_ms)


def test_where_nothing_has_changed_alarms_are_as_rare_as_stated() -> None:
    alarms = false_alarms(comparisons=200, count=40, seed=1)
    assert alarms.failed.trials == alarms.told.trials == 200
    assert alarms.failed.at_least <= FALSE_ALARM
    assert alarms.told.at_least <= WARNING * FALSE_ALARM


def test_alarms_grow_with_the_rate_that_is_allowed_and_stay_below_it() -> None:
    alarms = false_alarms(comparisons=200, count=40, seed=1, false_alarm=0.4)
    assert alarms.failed.hits > 10  # the simulation does see alarms where they are
    assert alarms.failed.at_least <= 0.4


@pytest.mark.parametrize("family", [BRIDGE, EVENTS, STACK], ids=lambda family: family.name)
def test_ten_percent_more_is_found_among_200(family: Family) -> None:
    assert power(family, comparisons=40, seed=1).failed.share >= 0.9


def test_ten_percent_of_a_wide_spread_is_told_among_200_and_fails_for_certain_among_400() -> None:
    few, some, many = (power(WIDE, comparisons=60, count=count, seed=1) for count in (50, 200, 400))
    assert few.failed.share < 0.5
    assert some.failed.share < some.told.share
    assert some.told.share >= 0.9
    assert many.failed.share >= 0.9


def test_no_change_is_found_where_there_is_none() -> None:
    assert power(BRIDGE, change=0.0, comparisons=60, seed=1).failed.hits <= 1


def test_the_same_seed_gives_the_same_rates() -> None:
    assert power(WIDE, comparisons=20, count=150, seed=5) == power(WIDE, comparisons=20, count=150, seed=5)


def test_a_rate_knows_its_bounds() -> None:
    rate = Rate(1, 10)
    assert rate.at_least < rate.share == 0.1 < rate.at_most
