"""How often the rule is wrong, small and seeded; scripts/bench runs the same at full size."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

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
    rate = false_alarms(comparisons=200, count=40, seed=1)
    assert rate.trials == 200
    assert rate.at_least <= 0.01


def test_alarms_grow_with_the_rate_that_is_allowed_and_stay_below_it() -> None:
    rate = false_alarms(comparisons=200, count=40, seed=1, false_alarm=0.4)
    assert rate.hits > 10  # the simulation does see alarms where they are
    assert rate.at_least <= 0.4


@pytest.mark.parametrize("family", [BRIDGE, EVENTS, STACK], ids=lambda family: family.name)
def test_ten_percent_more_is_found_among_200(family: Family) -> None:
    assert power(family, comparisons=40, seed=1).share >= 0.9


def test_a_wide_spread_takes_more_samples() -> None:
    few, many = (power(WIDE, comparisons=30, count=count, seed=1, families=(WIDE,)) for count in (50, 400))
    assert few.share < 0.5
    assert many.share >= 0.9


def test_no_change_is_found_where_there_is_none() -> None:
    assert power(BRIDGE, change=0.0, comparisons=60, seed=1).hits <= 1


def test_the_same_seed_gives_the_same_rates() -> None:
    assert power(WIDE, comparisons=20, count=150, seed=5) == power(WIDE, comparisons=20, count=150, seed=5)


def test_a_rate_knows_its_bounds() -> None:
    rate = Rate(1, 10)
    assert rate.at_least < rate.share == 0.1 < rate.at_most
