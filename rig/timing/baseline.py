"""Baselines: distributions of timing kept in a file, and the rule that holds new samples against them.

The rule, for each measurement:

1. A Mann-Whitney test asks whether the new samples tend to be *worse* than the baseline's: higher or lower as the
   measurement says, two-sided where either is. Exact for small samples, ties and all
   (:func:`rig.timing.statistics.mann_whitney`).
2. The p-values of all measurements compared are adjusted by Holm's method, and held against two rates, as the action
   and warning limits of a control chart are. Where nothing has changed, the probability that *any* measurement of a
   comparison **fails** is thereby at most ``false_alarm``, and that any is **marginal** or fails at most
   :data:`WARNING` times that.
3. The shift (Hodges and Lehmann) has to matter: only from ``minimum_effect`` of the baseline's median on, and from the
   measurement's ``smallest_change``, can it fail; only from half of that on can it be marginal.
4. Where even samples without any overlap could not give a small enough p-value, or a side has fewer than
   :data:`FEWEST`, the verdict is **not enough**. Everything else is a **pass**.

A baseline of fewer than :data:`THIN` samples of a measurement could hardly tell a change whatever comes: its **not
enough** is the baseline's own, known since it was made, told, and does not count for the whole
(:attr:`Comparison.decides`). Too few samples now, of a measurement that the baseline has enough of, do count.

What only one side has is **not enough** too, and told. It does not count for the whole (:attr:`Comparison.decides`)
where the baseline does not have it: there is nothing that it could have become worse than; and where it is one of
:data:`NOT_FROM_EVERYTHING`, which a baseline of captures has and a replay cannot give, or the other way round. Any
other that the baseline has and that is gone does count: a device that no longer acknowledges anything has no slow
acknowledgements.

All of it takes ranks and medians: an outlier weighs as much as any other sample. It takes the samples for independent:
those of one run that share a cause (a busy radio) are not, so a baseline is best made of several runs. And it takes a
change of the whole: that one answer in fifty now takes ten times as long is for a limit with a share
(:class:`rig.timing.measure.Measurement`), not for a rank test.

Refuses to know where samples come from.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from rig.commands.faults import RigError
from rig.timing.measure import (
    CONNECTION_INTERVAL,
    LATENESS,
    STANDARD,
    SUPERVISION_GAP,
    Measurement,
    TimingVerdict,
    standard_order,
    with_unit,
)

VERSION: Final = 1
MOST_KEPT: Final = 10_000
"""How many samples of a measurement a baseline keeps. Of more, a simple random sample, drawn with the baseline's seed:
as good as that many measurements, and the test needs no more."""
FEWEST: Final = 5
"""Fewer samples than this, in the baseline or now, say nothing of a distribution."""
THIN: Final = 10
"""Of fewer samples than this in a baseline nothing is expected: with the usual nine measurements, all that could fail
is what does not overlap at all."""
FALSE_ALARM: Final = 0.01
WARNING: Final = 10
"""How many times the false-alarm rate is the rate of warnings. What 10 % more does to 200 samples of a wide
distribution no test at all finds nine times in ten at a rate of 1 %; at 10 % this one does. Such a finding is worth
more samples, and no broken build."""
MINIMUM_EFFECT: Final = 0.05
"""The share of the baseline's median from which on a change matters."""
MARGINAL_SHARE: Final = 0.5
"""The share of the effect that matters from which on a change can be marginal."""
NOT_FROM_EVERYTHING: Final = frozenset({CONNECTION_INTERVAL.name, SUPERVISION_GAP.name, LATENESS.name})
"""Measurements that only a capture has, or only a replay: that they are missing says nothing."""

_LOOKED_AT: Final = 256  # octets
_BEGINNING: Final = re.compile(rb'\s*\{\s*"baseline"\s*:')
_EMPTY: Final[Mapping[str, str]] = MappingProxyType({})


class BaselineError(RigError):
    """A baseline that cannot be read, written or compared, told in one line: where, what, and what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a baseline keeps of one measurement."""

    unit: str
    count: int
    """How many samples there were."""
    samples: tuple[float, ...]
    """Those kept, in ascending order, :data:`MOST_KEPT` at most."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Distributions by measurement name, and what they were taken from."""

    measurements: Mapping[str, Kept]
    meta: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    """Whatever tells people where it comes from: device, firmware, machine, date."""
    seed: int = 0
    """The seed of the choice of samples where there were too many."""

    @classmethod
    def of(
        cls,
        samples: Mapping[str, Sequence[float]],
        meta: Mapping[str, str] = _EMPTY,
        *,
        seed: int = 0,
        measurements: Mapping[str, Measurement] = STANDARD,
    ) -> Baseline:
        """Keep ``samples`` (measurement name to values in its unit); the order of values makes no difference.

        Raises:
            BaselineError: a sample is not a finite number.
        """
        kept: dict[str, Kept] = {}
        for name in standard_order(samples):
            values = sorted(float(value) for value in samples[name])
            if not all(map(math.isfinite, values)):
                raise BaselineError(f"{name}: a sample is not a finite number; leave it out, and count it elsewhere")
            if values:
                unit = measurements[name].unit if name in measurements else ""
                kept[name] = Kept(unit, len(values), _chosen(values, f"{seed} {name}"))
        return cls(kept, dict(meta), seed)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measurement held against a baseline."""

    name: str
    unit: str
    verdict: TimingVerdict
    text: str
    """What changed, in words: ``median 60.1 ms slower (22.9 → 83.0 ms)``."""
    before_count: int
    """How many samples the baseline was made of."""
    after_count: int
    before_median: float | None = None
    """In the unit; None without samples."""
    after_median: float | None = None
    shift: float | None = None
    """By how much the samples are higher (Hodges and Lehmann), in the unit; negative where lower."""
    relative_shift: float | None = None
    """The shift as a share of the baseline's median; None where that is 0."""
    superiority: float | None = None
    """How probable it is that a new sample is higher than one of the baseline; 0.5 where nothing has changed."""
    p_value: float | None = None
    """Adjusted for the number of measurements (Holm); None where there was not enough to test."""
    before: tuple[float, ...] = ()
    """The baseline's samples, ascending, for pictures."""
    after: tuple[float, ...] = ()
    """The new samples, ascending."""

    @property
    def decides(self) -> bool:
        """Whether it counts for the whole, or is only told: see the rule of this module.

        What stands behind a space in the name, as where several comparisons are put together, makes no difference.
        """
        if self.before_count and self.after_count:
            return self.verdict is not TimingVerdict.NOT_ENOUGH or self.before_count >= THIN
        return bool(self.before_count) and self.name.partition(" ")[0] not in NOT_FROM_EVERYTHING

    def as_json(self) -> dict[str, object]:
        """Everything but the samples, JSON-ready."""
        return {
            "name": self.name,
            "unit": self.unit,
            "verdict": str(self.verdict),
            "text": self.text,
            "before_count": self.before_count,
            "after_count": self.after_count,
            "before_median": self.before_median,
            "after_median": self.after_median,
            "shift": self.shift,
            "relative_shift": self.relative_shift,
            "superiority": self.superiority,
            "p_value": self.p_value,
        }


# --- the file ---------------------------------------------------------------------------------------------------------


def save(
    path: str | Path,
    samples: Mapping[str, Sequence[float]],
    meta: Mapping[str, str] = _EMPTY,
    *,
    seed: int = 0,
    measurements: Mapping[str, Measurement] = STANDARD,
) -> Baseline:
    """Keep ``samples`` in a file, which is replaced as a whole; the same samples give the same bytes.

    Returns:
        What was written.

    Raises:
        BaselineError: the file cannot be written, or a sample is not a finite number.
    """
    baseline = Baseline.of(samples, meta, seed=seed, measurements=measurements)
    target = Path(path)
    beside = target.with_name(target.name + ".new")
    try:
        beside.write_text(dumps(baseline), encoding="utf-8")
        beside.replace(target)
    except OSError as error:
        raise BaselineError(f"{path}: cannot be written: {error.strerror or error}") from error
    return baseline


def load(path: str | Path) -> Baseline:
    """Read a baseline.

    Raises:
        BaselineError: the file cannot be read, is no baseline, or was written by a newer version.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise BaselineError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BaselineError(f"{path}: is no baseline: not text; make one with `rig baseline save`") from error
    return loads(text, str(path))


def is_baseline(path: str | Path) -> bool:
    """Whether a file begins as a baseline does; False for what cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return _BEGINNING.match(file.read(_LOOKED_AT)) is not None
    except OSError:
        return False


def dumps(baseline: Baseline) -> str:
    """The file's text: JSON with one line a measurement, so that a diff shows which have changed."""
    lines = [
        f"    {json.dumps(name)}: "
        + json.dumps({"unit": kept.unit, "count": kept.count, "samples": list(kept.samples)}, ensure_ascii=False)
        for name, kept in baseline.measurements.items()
    ]
    head = {"baseline": VERSION, "seed": baseline.seed, "meta": dict(sorted(baseline.meta.items()))}
    fields = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]
    body = "{\n" + ",\n".join(lines) + "\n  }" if lines else "{}"
    return "{\n" + ",\n".join([*fields, f'  "measurements": {body}']) + "\n}\n"


def loads(text: str, name: str = "baseline") -> Baseline:
    """Read the text of a baseline; ``name`` is what errors call it.

    Raises:
        BaselineError: as :func:`load`.
    """
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise BaselineError(
            f"{name}, line {error.lineno}: is no baseline: {error.msg}; make one with `rig baseline save`"
        ) from error
    except RecursionError as error:
        raise BaselineError(f"{name}: is no baseline: too deep; make one with `rig baseline save`") from error
    if not isinstance(found, dict) or "baseline" not in found:
        raise BaselineError(f"{name}: is no baseline: no field `baseline`; make one with `rig baseline save`")
    version = found["baseline"]
    if not _whole(version) or version < 1:
        raise BaselineError(f"{name}, field `baseline`: {version!r} is no version; {VERSION} is the newest")
    if version > VERSION:
        raise BaselineError(
            f"{name}: version {version} is newer than this program reads ({VERSION}); update, or save it again"
        )
    seed, meta, measurements = found.get("seed", 0), found.get("meta", {}), found.get("measurements")
    if not _whole(seed):
        raise BaselineError(f"{name}, field `seed`: {seed!r} is no whole number")
    if not isinstance(meta, dict) or not all(isinstance(value, str) for value in meta.values()):
        raise BaselineError(f"{name}, field `meta`: has to be an object whose values are texts")
    if not isinstance(measurements, dict):
        raise BaselineError(f"{name}, field `measurements`: has to be an object; save the baseline again")
    kept = {key: _kept(value, f"{name}, measurement `{key}`") for key, value in measurements.items()}
    return Baseline({key: kept[key] for key in standard_order(kept)}, meta, seed)


# --- the rule ---------------------------------------------------------------------------------------------------------


def compare(
    baseline: Baseline,
    samples: Mapping[str, Sequence[float]],
    *,
    false_alarm: float = FALSE_ALARM,
    minimum_effect: float = MINIMUM_EFFECT,
    measurements: Mapping[str, Measurement] = STANDARD,
) -> list[Comparison]:
    """Hold ``samples`` against ``baseline`` by the rule that this module states.

    Args:
        baseline: what it was.
        samples: what it is: measurement name to values in its unit, in any order.
        false_alarm: the probability, at most, that a comparison says fail of anything where nothing has changed; above
            0 and below 1.
        minimum_effect: the share of the baseline's median from which on a change fails; above 0.
        measurements: what is known of measurements by name; of another one either change is one for the worse.

    Returns:
        One comparison for each name on either side, in the standard order, then by name.

    Raises:
        BaselineError: a measurement is kept in another unit than it has now.
        ValueError: a rate or an effect is out of range, or a sample is not a number.
    """
    if not 0 < false_alarm < 1:
        raise ValueError(f"false_alarm is {false_alarm:g}; it has to be between 0 and 1")
    if not minimum_effect > 0:
        raise ValueError(f"minimum_effect is {minimum_effect:g}; it has to be above 0")
    from rig.timing import statistics  # noqa: PLC0415 - numpy, only where something is compared

    pairs = [
        _Pair(_declared(name, baseline, measurements), baseline.measurements.get(name), samples.get(name, ()))
        for name in standard_order({*baseline.measurements, *samples})
    ]
    both = [pair for pair in pairs if pair.before and pair.after]
    # How many tests there are is settled by the sizes alone, before any value is looked at: Holm needs that.
    testable = [pair for pair in both if pair.could_show(false_alarm / len(both))]
    tests = [statistics.mann_whitney(pair.before, pair.after, pair.measurement.worse) for pair in testable]
    adjusted = statistics.holm([test.p_value for test in tests])
    found = {
        pair.measurement.name: _tested(pair, test.superiority, p_value, false_alarm, minimum_effect)
        for pair, test, p_value in zip(testable, tests, adjusted, strict=True)
    }
    return [found.get(pair.measurement.name) or _not_enough(pair) for pair in pairs]


class _Pair:
    """One measurement before and after."""

    def __init__(self, measurement: Measurement, kept: Kept | None, samples: Sequence[float]) -> None:
        self.measurement = measurement
        self.before = () if kept is None else kept.samples
        self.before_count = 0 if kept is None else kept.count
        self.after = tuple(sorted(float(value) for value in samples))

    def could_show(self, rate: float) -> bool:
        """Whether these sizes can give a p-value as small as ``rate`` at all."""
        from rig.timing.statistics import smallest_p  # noqa: PLC0415 - see compare

        sizes = len(self.before), len(self.after)
        return min(sizes) >= FEWEST and smallest_p(*sizes, self.measurement.worse) <= rate


def _tested(pair: _Pair, superiority: float, p_value: float, false_alarm: float, minimum_effect: float) -> Comparison:
    from rig.timing.statistics import median, shift  # noqa: PLC0415 - see compare

    measurement = pair.measurement
    before, after = median(pair.before), median(pair.after)
    moved = shift(pair.before, pair.after)
    matters = max(minimum_effect * abs(before), measurement.smallest_change)
    worsening = {"higher": moved, "lower": -moved, "either": abs(moved)}[measurement.worse]
    verdict, remark = TimingVerdict.PASS, ""
    if worsening < MARGINAL_SHARE * matters:
        remark = ", too little to matter" if p_value <= false_alarm and worsening > 0 else ""
    elif p_value > WARNING * false_alarm:
        remark = ", no more than chance gives"
    elif worsening < matters:
        verdict, remark = TimingVerdict.MARGINAL, f", less than the {with_unit(matters, measurement.unit)} that fail"
    elif p_value > false_alarm:
        verdict, remark = TimingVerdict.MARGINAL, ", perhaps by chance: more samples would tell"
    else:
        verdict = TimingVerdict.FAIL
    return Comparison(
        measurement.name,
        measurement.unit,
        verdict,
        _in_words(measurement, before, after, moved, matters) + remark,
        pair.before_count,
        len(pair.after),
        before,
        after,
        moved,
        moved / abs(before) if before else None,
        superiority,
        p_value,
        pair.before,
        pair.after,
    )


def _in_words(measurement: Measurement, before: float, after: float, moved: float, matters: float) -> str:
    unit = measurement.unit
    medians = f"{with_unit(before, '')} → {with_unit(after, unit)}"
    if abs(moved) < MARGINAL_SHARE * matters and abs(after - before) < MARGINAL_SHARE * matters:
        return f"as before (median {medians})"
    word = measurement.more if moved > 0 else measurement.less
    step = after - before
    # Coarse values may all move while their median stays where it is, or leaps.
    if step * moved > 0 and abs(moved) / 2 <= abs(step) <= abs(moved) * 2:
        return f"median {with_unit(abs(step), unit)} {word} ({medians})"
    if not moved:
        return f"as before but for the median ({medians})"
    return f"typically {with_unit(abs(moved), unit)} {word} (median {medians})"


def _not_enough(pair: _Pair) -> Comparison:
    measurement = pair.measurement
    before = after = None
    if not pair.after:
        text = f"not measured this time; the baseline has {_samples(pair.before_count)}"
    elif not pair.before:
        text = f"not in the baseline; {_samples(len(pair.after))} now"
    else:
        from rig.timing.statistics import median  # noqa: PLC0415 - see compare

        before, after = median(pair.before), median(pair.after)
        text = (
            f"{_samples(pair.before_count)} before and {len(pair.after)} now are not enough to tell a change from "
            f"chance (median {with_unit(before, '')} → {with_unit(after, measurement.unit)})"
        )
    return Comparison(
        measurement.name,
        measurement.unit,
        TimingVerdict.NOT_ENOUGH,
        text,
        pair.before_count,
        len(pair.after),
        before_median=before,
        after_median=after,
        before=pair.before,
        after=pair.after,
    )


def _samples(count: int) -> str:
    return f"{count:,} sample{'' if count == 1 else 's'}"


def _declared(name: str, baseline: Baseline, measurements: Mapping[str, Measurement]) -> Measurement:
    kept = baseline.measurements.get(name)
    measurement = measurements.get(name)
    if measurement is None:
        return Measurement(name, "" if kept is None else kept.unit, "")
    if kept is not None and kept.unit != measurement.unit:
        raise BaselineError(
            f"{name}: the baseline has it in {kept.unit or 'no unit'}, and it is measured in "
            f"{measurement.unit or 'no unit'}; save the baseline again"
        )
    return measurement


def _chosen(ordered: list[float], seed: str) -> tuple[float, ...]:
    if len(ordered) <= MOST_KEPT:
        return tuple(ordered)
    return tuple(sorted(random.Random(seed).sample(ordered, MOST_KEPT)))  # noqa: S311 - statistics, no secret


def _kept(value: object, where: str) -> Kept:
    if not isinstance(value, dict):
        raise BaselineError(f"{where}: has to be an object; save the baseline again")
    unit, count, samples = value.get("unit"), value.get("count"), value.get("samples")
    if not isinstance(unit, str):
        raise BaselineError(f"{where}, field `unit`: {unit!r} is no text")
    if not isinstance(samples, list) or not samples:
        raise BaselineError(f"{where}, field `samples`: has to be a list of numbers that is not empty")
    for place, sample in enumerate(samples):
        if isinstance(sample, bool) or not isinstance(sample, int | float) or not math.isfinite(sample):
            raise BaselineError(f"{where}, field `samples`, item {place}: {sample!r} is no finite number")
    if not isinstance(count, int) or isinstance(count, bool) or count < len(samples):
        raise BaselineError(
            f"{where}, field `count`: {count!r} is less than the {len(samples)} samples kept, or no number"
        )
    return Kept(unit, count, tuple(sorted(float(sample) for sample in samples)))


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
