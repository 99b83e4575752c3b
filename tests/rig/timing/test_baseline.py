"""Baselines: what the file keeps, and what the rule says of samples that have changed, have not, or are too few."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.timing.baseline import (
    FALSE_ALARM,
    MOST_KEPT,
    WARNING,
    Baseline,
    BaselineError,
    Comparison,
    compare,
    dumps,
    is_baseline,
    load,
    loads,
    save,
)
from rig.timing.measure import Measurement, TimingVerdict
from rig.timing.statistics import Alternative, mann_whitney

ACK, GAP, INTERVAL = "command_to_acknowledgement", "gap_between_writes", "notification_interval"
PASS, MARGINAL, FAIL, NOT_ENOUGH = TimingVerdict


def latencies(seed: int, count: int, *, median: float = 40.0, sigma: float = 0.2) -> list[float]:
    """Right-skewed, on a clock of 0.5 ms."""
    rng = random.Random(seed)
    return [round(2 * median * rng.lognormvariate(0, sigma)) / 2 for _ in range(count)]


def only(before: list[float], after: list[float], name: str = ACK, **options: float) -> Comparison:
    (found,) = compare(Baseline.of({name: before}), {name: after}, **options)
    return found


# --- the rule ---------------------------------------------------------------------------------------------------------


def test_an_acknowledgement_60_ms_slower_fails_in_so_many_words() -> None:
    found = only([22.917] * 20 + [20.833] * 4, [83.017] * 20 + [80.933] * 4)
    assert found.verdict == FAIL
    assert found.text == "median 60.1 ms slower (22.9 → 83.0 ms)"
    assert found.shift == pytest.approx(60.1)
    assert found.relative_shift == pytest.approx(60.1 / 22.917)
    assert found.superiority == 1
    assert found.p_value is not None
    assert found.p_value < 1e-6


def test_the_same_again_passes() -> None:
    found = only(latencies(1, 200), latencies(2, 200))
    assert (found.verdict, found.text) == (PASS, "as before (median 40 → 40 ms)")


def test_values_that_never_vary_are_compared_too() -> None:
    assert only([30.0] * 10, [30.0] * 10).verdict == PASS
    assert only([0.0] * 10, [5.0] * 10).verdict == FAIL
    assert only([0.0] * 10, [1e-9] * 10).verdict == PASS  # less than any clock tells


@pytest.mark.parametrize(
    ("name", "factor", "verdict", "word"),
    [
        (ACK, 1.3, FAIL, "slower"),
        (ACK, 0.7, PASS, "faster"),
        (GAP, 1.3, PASS, "longer"),
        (GAP, 0.7, FAIL, "shorter"),
        (INTERVAL, 1.3, FAIL, "longer"),
        (INTERVAL, 0.7, FAIL, "shorter"),
        ("somebody's own", 0.7, FAIL, "lower"),
    ],
)
def test_only_a_change_for_the_worse_fails(name: str, factor: float, verdict: TimingVerdict, word: str) -> None:
    found = only(latencies(1, 60), [value * factor for value in latencies(2, 60)], name)
    assert found.verdict == verdict
    assert f" {word} (" in found.text
    assert found.text.endswith(")")  # a change for the better needs no excuse


def test_the_p_value_looks_in_the_direction_that_is_worse() -> None:
    before, after = latencies(1, 60), latencies(2, 60, median=41)
    directions: dict[str, Alternative] = {ACK: "higher", GAP: "lower", INTERVAL: "either"}
    for name, alternative in directions.items():
        expected = mann_whitney(before, after, alternative).p_value
        assert only(before, after, name).p_value == pytest.approx(expected)


@pytest.mark.parametrize(
    ("slower_by", "verdict", "remark"),
    [(1.01, PASS, "too little to matter"), (1.035, MARGINAL, "less than the 2 ms that fail"), (1.06, FAIL, "")],
)
def test_a_change_has_to_matter_however_sure_it_is(slower_by: float, verdict: TimingVerdict, remark: str) -> None:
    before = [40 + number / 1000 for number in range(-100, 101)]
    found = only(before, [value * slower_by for value in before])
    assert found.p_value is not None
    assert found.p_value <= FALSE_ALARM
    assert found.verdict == verdict
    assert remark in found.text


def test_how_much_matters_can_be_said() -> None:
    before = latencies(1, 200)
    after = [value * 1.3 for value in latencies(2, 200)]
    assert only(before, after, minimum_effect=0.25).verdict == FAIL
    assert only(before, after, minimum_effect=0.5).verdict == MARGINAL
    assert only(before, after, minimum_effect=1).verdict == PASS


def test_a_change_that_chance_may_have_made_passes_and_says_so() -> None:
    found = only([10, 20, 30, 40, 50, 60, 70, 80], [15, 25, 35, 45, 55, 65, 75, 95])
    assert found.verdict == PASS
    assert found.text.endswith("no more than chance gives")


@pytest.mark.parametrize(("moved", "verdict"), [(2.5, PASS), (4, MARGINAL), (6, FAIL)])
def test_between_the_two_rates_a_change_is_marginal_and_asks_for_more_samples(
    moved: float, verdict: TimingVerdict
) -> None:
    before = [float(value) for value in range(40, 60)]
    found = only(before, [value + moved for value in before])
    assert found.p_value is not None
    assert (found.p_value <= FALSE_ALARM) == (verdict is FAIL)
    assert (found.p_value <= WARNING * FALSE_ALARM) == (verdict is not PASS)
    assert found.verdict == verdict
    assert found.text.endswith("perhaps by chance: more samples would tell") == (verdict is MARGINAL)


def test_outliers_alone_do_not_fail() -> None:
    before = latencies(1, 100)
    assert only(before, [4000.0, 9000.0, 60_000.0, *before[3:]]).verdict == PASS


def test_too_few_samples_are_a_verdict_of_their_own() -> None:
    found = only([22.9] * 200, [83.0] * 4)
    assert found.verdict == NOT_ENOUGH
    assert found.text == (
        "200 samples before and 4 now are not enough to tell a change from chance (median 22.9 → 83 ms)"
    )
    assert found.p_value is None


def test_what_was_not_measured_is_no_pass() -> None:
    gone, new = compare(Baseline.of({ACK: [22.9] * 24}), {GAP: [100.0]})
    assert (gone.name, gone.verdict) == (ACK, NOT_ENOUGH)
    assert gone.text == "not measured this time; the baseline has 24 samples"
    assert (new.name, new.verdict, new.text) == (GAP, NOT_ENOUGH, "not in the baseline; 1 sample now")


def test_the_more_is_compared_the_surer_each_finding_has_to_be() -> None:
    before, after = latencies(1, 80), [value * 1.07 for value in latencies(5, 80)]
    alone = only(before, after)
    assert alone.verdict == FAIL
    others = {f"other {number}": latencies(number, 80) for number in range(100, 140)}
    found = compare(Baseline.of({ACK: before} | others), {ACK: after} | others)
    together = next(comparison for comparison in found if comparison.name == ACK)
    assert alone.p_value is not None
    assert together.p_value == pytest.approx(alone.p_value * 41)
    assert together.verdict == MARGINAL
    assert together.text.endswith("perhaps by chance: more samples would tell")


def test_whether_there_is_enough_depends_on_how_much_is_compared() -> None:
    names = [f"m{number}" for number in range(8)]
    before, after = [1.0, 2, 3, 4, 5, 6], [11.0, 12, 13, 14, 15, 16]  # 2 of 924 arrangements are as far apart
    assert only(before, after, names[0]).verdict == FAIL
    many = compare(Baseline.of(dict.fromkeys(names, before)), dict.fromkeys(names, after))
    assert {comparison.verdict for comparison in many} == {NOT_ENOUGH}


def test_coarse_values_that_moved_say_so_though_their_median_did_not() -> None:
    before = [15.0] * 80 + [30.0] * 120
    after = [30.0] * 130 + [45.0] * 70
    found = only(before, after)
    assert found.verdict == FAIL
    assert found.text == "typically 15 ms slower (median 30 → 30 ms)"


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_samples_held_against_themselves_never_fail_in_any_order(samples: list[float], rng: random.Random) -> None:
    shuffled = list(samples)
    rng.shuffle(shuffled)
    found = only(samples, shuffled)
    assert found.verdict in (PASS, NOT_ENOUGH)
    assert found == only(shuffled, samples)


def test_a_comparison_is_ready_for_json_without_its_samples() -> None:
    found = only(latencies(1, 20), latencies(2, 20))
    again = json.loads(json.dumps(found.as_json()))
    assert again["verdict"] == "pass"
    assert again["before_count"] == 20
    assert not {"before", "after"} & set(again)
    assert found.before == tuple(sorted(latencies(1, 20)))


def test_a_unit_that_has_changed_is_told_and_not_compared() -> None:
    baseline = Baseline.of({"reply": [1.0]}, measurements={"reply": Measurement("reply", "s", "")})
    with pytest.raises(BaselineError, match="reply: the baseline has it in s, and it is measured in ms; save"):
        compare(baseline, {"reply": [1.0]}, measurements={"reply": Measurement("reply", "ms", "")})


@pytest.mark.parametrize("options", [{"false_alarm": 0}, {"false_alarm": 1}, {"minimum_effect": 0}])
def test_rates_and_effects_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))} is"):
        compare(Baseline.of({}), {}, **options)


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_baseline_comes_back_as_it_was_saved_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    samples = {GAP: [100.0, 22.917], ACK: [23.0, 20.833333, 22.917]}
    saved = save(tmp_path / "b.json", samples, {"device": "Dr-05 µ", "date": "2024-05-06"}, seed=3)
    assert load(tmp_path / "b.json") == saved
    other_way = {name: values[::-1] for name, values in reversed(samples.items())}
    save(tmp_path / "c.json", other_way, {"date": "2024-05-06", "device": "Dr-05 µ"}, seed=3)
    assert (tmp_path / "c.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.json", "c.json"]


def test_the_file_has_one_line_a_measurement() -> None:
    text = dumps(Baseline.of({ACK: [23.0, 20.5], GAP: [100.0]}, {"device": "Dr-05"}))
    assert text.splitlines() == [
        "{",
        '  "baseline": 1,',
        '  "seed": 0,',
        '  "meta": {"device": "Dr-05"},',
        '  "measurements": {',
        f'    "{ACK}": {{"unit": "ms", "count": 2, "samples": [20.5, 23.0]}},',
        f'    "{GAP}": {{"unit": "ms", "count": 1, "samples": [100.0]}}',
        "  }",
        "}",
    ]


def test_a_baseline_of_nothing_can_be_read_again() -> None:
    assert loads(dumps(Baseline.of({ACK: []}))).measurements == {}


def test_of_very_many_samples_a_seeded_choice_is_kept() -> None:
    samples = latencies(1, 3 * MOST_KEPT)
    kept = Baseline.of({ACK: samples}).measurements[ACK]
    assert (kept.count, len(kept.samples)) == (3 * MOST_KEPT, MOST_KEPT)
    assert Baseline.of({ACK: samples[::-1]}).measurements[ACK] == kept
    assert Baseline.of({ACK: samples}, seed=1).measurements[ACK] != kept
    ordered = sorted(samples)
    for share in (0.1, 0.5, 0.9, 0.99):
        assert kept.samples[int(share * MOST_KEPT)] == pytest.approx(ordered[int(share * len(ordered))], rel=0.03)


def test_a_sample_that_is_no_number_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text("old")
    with pytest.raises(BaselineError, match=f"{ACK}: a sample is not a finite number"):
        save(tmp_path / "b.json", {ACK: [float("inf")]})
    assert (tmp_path / "b.json").read_text() == "old"


def test_a_file_that_cannot_be_written_or_read_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"none/b\.json: cannot be written: No such file or directory"):
        save(tmp_path / "none" / "b.json", {ACK: [1.0]})
    with pytest.raises(BaselineError, match=r"b\.json: cannot be read: No such file or directory"):
        load(tmp_path / "b.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe")
    with pytest.raises(BaselineError, match="not text"):
        load(tmp_path / "b.json")


def _file(**changed: object) -> str:
    return json.dumps({"baseline": 1, "seed": 0, "meta": {}, "measurements": {}} | changed)


def _measured(**changed: object) -> str:
    return _file(measurements={"reply": {"unit": "ms", "count": 2, "samples": [1, 2.5]} | changed})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{\n  nonsense", "b.json, line 2: is no baseline: "),
        ("[" * 100_000, "b.json: is no baseline: "),
        ("[]", "b.json: is no baseline: no field `baseline`"),
        (_file(baseline=2), "b.json: version 2 is newer than this program reads (1); update"),
        (_file(baseline=0), "b.json, field `baseline`: 0 is no version"),
        (_file(baseline=True), "b.json, field `baseline`: True is no version"),
        (_file(seed="x"), "b.json, field `seed`: 'x' is no whole number"),
        (_file(meta={"date": 1}), "b.json, field `meta`: "),
        (_file(measurements=[]), "b.json, field `measurements`: "),
        (_file(measurements={"reply": 1}), "b.json, measurement `reply`: has to be an object"),
        (_measured(unit=None), "b.json, measurement `reply`, field `unit`: None is no text"),
        (_measured(samples=[]), "b.json, measurement `reply`, field `samples`: "),
        (_measured(samples=[1, "2"]), "b.json, measurement `reply`, field `samples`, item 1: '2' is no finite number"),
        (_measured(samples=[float("nan")]), "item 0: nan is no finite number"),
        (_measured(count=1), "b.json, measurement `reply`, field `count`: 1 is less than the 2 samples kept"),
    ],
)
def test_a_spoilt_file_is_told_in_one_line_with_its_field(text: str, problem: str) -> None:
    with pytest.raises(BaselineError) as caught:
        loads(text, "b.json")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_samples_edited_by_hand_are_put_in_order_again() -> None:
    assert loads(_measured(samples=[3, 1, 2], count=3)).measurements["reply"].samples == (1, 2, 3)


# --- what only one side has -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "decides"),
    [
        ({"gap_between_writes": [1.0] * 10}, {"gap_between_writes": [1.0]}, True),
        ({"gap_between_writes": [1.0] * 9}, {"gap_between_writes": [1.0]}, False),
        ({"gap_between_writes": [1.0]}, {}, True),
        ({}, {"gap_between_writes": [1.0]}, False),
        ({"lateness": [1.0] * 10}, {"lateness": [1.0]}, True),
        ({"lateness": [1.0]}, {}, False),
        ({"connection_interval": [1.0]}, {}, False),
        ({"supervision_gap": [1.0]}, {}, False),
    ],
    ids=[
        "on both",
        "on both, the baseline thin",
        "gone",
        "new",
        "late on both",
        "late gone",
        "interval gone",
        "silence gone",
    ],
)
def test_what_only_one_side_has_is_told_and_decides_where_it_should_be_there(
    before: dict[str, list[float]], now: dict[str, list[float]], decides: bool
) -> None:
    (found,) = compare(Baseline.of(before), now)
    assert (found.verdict, found.decides) == (TimingVerdict.NOT_ENOUGH, decides)
    assert replace(found, name=f"{found.name} [of a file]").decides == decides


def test_a_baseline_is_known_by_how_it_begins(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    save(kept, {"gap_between_writes": [1.0]})
    assert is_baseline(kept)
    kept.write_text('{"report": 1, "baseline": 1}')
    assert not is_baseline(kept)
    assert not is_baseline(tmp_path / "gone")
