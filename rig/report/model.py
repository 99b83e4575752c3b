"""What a report is made of: outcomes of replays, comparisons against a baseline, and what sums them up.

Plain values that every form of the report draws from, so that all say the same. Refuses to know layouts and files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rig.replay.outcome import Difference, Lateness, Outcome, Verdict
from rig.timing.baseline import Comparison
from rig.timing.measure import STANDARD, Judgement, TimingVerdict, standard_order

COMPARED: Final = (TimingVerdict.FAIL, TimingVerdict.NOT_ENOUGH, TimingVerdict.MARGINAL, TimingVerdict.PASS)
"""Verdicts on timing, worst first."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The samples of one measurement, in its unit; finite numbers all."""

    unit: str
    """Empty where it has none."""
    now: tuple[float, ...]
    before: tuple[float, ...] = ()
    """Of the baseline; empty where there is none."""
    odd: int = 0
    """How many samples were no finite numbers, and are left out."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One measurement that was left out on purpose, and why; it counts neither way."""

    name: str
    why: str


_WORST: Final = (Verdict.FAILED, Verdict.INVALID, Verdict.PASSED)


@dataclass(frozen=True, slots=True)
class Report:
    """Outcomes and comparisons under one title.

    The order in which the outcomes came (which workers ran them, and when each was done) leaves no trace: they are in
    the order of :attr:`ordered`, whatever way they are handed over.
    """

    title: str
    outcomes: Sequence[Outcome] = ()
    comparisons: Sequence[Comparison | Judgement] = ()
    """Measurements held against a baseline, and against their limits."""
    left_out: Sequence[LeftOut] = ()
    """What was not measured, on purpose."""
    subject: str = "timing"
    """What the comparisons are about, in a word."""

    @property
    def ordered(self) -> list[Outcome]:
        """Failed, then invalid, then passed outcomes, each by title and role."""
        return sorted(self.outcomes, key=_place)

    @property
    def compared(self) -> list[Comparison | Judgement]:
        """Comparisons, worst verdict first, then by name, where 10 comes after 9."""
        return sorted(
            self.comparisons,
            key=lambda each: (COMPARED.index(each.verdict), _in_order(each.name), each.name, each.text),
        )

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many outcomes ended with each verdict, worst first."""
        return {verdict: sum(each.verdict is verdict for each in self.outcomes) for verdict in _WORST}

    @property
    def compared_counts(self) -> dict[TimingVerdict, int]:
        """How many comparisons ended with each verdict, worst first."""
        return {verdict: sum(each.verdict is verdict for each in self.comparisons) for verdict in COMPARED}

    @property
    def verdict(self) -> Verdict:
        """The worst of all: a difference or a failed comparison is certain, and outweighs a run that says nothing.

        A report of nothing, and a comparison without enough samples, say nothing either: they are invalid. What only
        one side has is told, and does not always count (:attr:`rig.timing.baseline.Comparison.decides`); comparisons of
        which none counts say nothing.
        """
        counts, compared = self.counts, {each.verdict for each in self._deciding}
        if counts[Verdict.FAILED] or TimingVerdict.FAIL in compared:
            return Verdict.FAILED
        nothing = (not self.outcomes or bool(self.comparisons)) and not compared
        return (
            Verdict.INVALID
            if nothing or counts[Verdict.INVALID] or TimingVerdict.NOT_ENOUGH in compared
            else Verdict.PASSED
        )

    @property
    def _deciding(self) -> list[Comparison | Judgement]:
        """The comparisons that count for the whole."""
        return [each for each in self.comparisons if isinstance(each, Judgement) or each.decides]

    @property
    def exit_code(self) -> int:
        """0 all as recorded, 1 a difference, 3 an invalid run, as ``rig replay`` documents it."""
        return {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.INVALID: 3}[self.verdict]

    @property
    def headline(self) -> str:
        """The whole in one sentence."""
        said = []
        total = len(self.outcomes)
        if total:
            counts = self.counts
            if counts[Verdict.PASSED] == total:
                said.append("the replay went as recorded" if total == 1 else f"all {total:,} replays went as recorded")
            else:
                del counts[Verdict.PASSED]
                bad = [f"{count:,} {verdict.value}" for verdict, count in counts.items() if count]
                said.append(f"{' and '.join(bad)} of {many(total, 'replay')}")
        if self.comparisons:
            deciding = self._deciding
            counted = ((verdict, sum(each.verdict is verdict for each in deciding)) for verdict in COMPARED)
            told = [f"{count:,} {_COMPARED_WORDS[verdict]}" for verdict, count in counted if count]
            if aside := len(self.comparisons) - len(deciding):
                told.append(f"{aside:,} not compared")
            said.append(f"{self.subject}: {', '.join(told)}")
        if self.left_out:
            said.append(f"{len(self.left_out):,} left out")
        text = "; ".join(said) or "nothing was replayed and nothing compared"
        return text[0].upper() + text[1:]

    @property
    def lateness(self) -> Lateness:
        """Of every event of every outcome, in the order of :attr:`ordered`."""
        return Lateness(tuple(sample for each in self.ordered for sample in each.lateness.samples_ns))

    @property
    def measured(self) -> dict[str, Measured]:
        """Every measurement of which there are samples, in the standard order.

        Those that were compared have the samples that the comparison took, any other those of all outcomes.
        """
        found: dict[str, list[float]] = {}
        for outcome in self.ordered:
            for name, values in outcome.samples.items():
                found.setdefault(name, []).extend(values)
        units = {name: STANDARD[name].unit if name in STANDARD else "" for name in found}
        told: dict[str, Measured] = {}
        for name, values in found.items():
            finite = tuple(filter(math.isfinite, values))
            told[name] = Measured(units[name], finite, odd=len(values) - len(finite))
        for each in self.comparisons:
            if isinstance(each, Comparison):
                told[each.name] = Measured(each.unit, each.after, each.before)
        return {
            name: told[name] for name in standard_order(told) if found.get(name) or told[name].now or told[name].before
        }

    @property
    def faults(self) -> dict[str, int]:
        """Planned fault to how often it fired over all outcomes, by name."""
        found: dict[str, int] = {}
        for outcome in self.outcomes:
            for name, count in outcome.faults.items():
                found[name] = found.get(name, 0) + count
        return dict(sorted(found.items()))


_COMPARED_WORDS: Final = {
    TimingVerdict.FAIL: "failed",
    TimingVerdict.NOT_ENOUGH: "with too few samples",
    TimingVerdict.MARGINAL: "marginal",
    TimingVerdict.PASS: "passed",
}
QUANTILES: Final = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))
"""Which of a distribution are told, by name and share."""


def _place(outcome: Outcome) -> tuple[object, ...]:
    """Whatever tells two outcomes apart, so that sorting by it does not depend on the order before."""
    said = [(each.index is not None, each.index or 0, each.at_ns, each.text) for each in outcome.differences]
    told = [(each.at_ns, each.mark, each.text) for each in outcome.conversation]
    measured = (outcome.lateness.samples_ns, sorted(outcome.samples.items()), sorted(outcome.faults.items()))
    rest = (outcome.exchanges, outcome.duration_s, said, told, *measured)
    return (_WORST.index(outcome.verdict), outcome.title, outcome.role, *rest)


def _in_order(name: str) -> list[tuple[int, str]]:
    """A name as it is sorted: its numbers by what they count, all else by the alphabet."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), "") if number % 2 else (0, part) for number, part in enumerate(parts)]


def in_words(comparison: Comparison | Judgement) -> str:
    """What a comparison or judgement says, which begins with the name of its measurement."""
    if isinstance(comparison, Judgement):
        return comparison.text
    return f"{comparison.name.replace('_', ' ')}: {comparison.text}"


def never_fired(outcome: Outcome) -> list[str]:
    """Planned faults that never fired, by name: they make a run invalid."""
    return [name for name, count in sorted(outcome.faults.items()) if not count]


def untold(outcome: Outcome) -> list[str]:
    """Planned faults that never fired, by name, where no difference says so."""
    return [] if any(each.kind == "fault" for each in outcome.differences) else never_fired(outcome)


def fired(count: int) -> str:
    """How often a planned fault fired, in words."""
    return f"fired {many(count, 'time')}" if count else "never fired"


def played(outcome: Outcome) -> str:
    """How much of the transcript was played, and in what replay time: ``42 exchanges in 12.5 s``."""
    return f"{many(outcome.exchanges, 'exchange')} in {span(outcome.duration_s * 1e9)}"


def how_late(lateness: Lateness) -> str:
    """The lateness of events in one line; empty without events."""
    if not lateness.samples_ns:
        return ""
    told = ", ".join(f"{name} {span(lateness.quantile_ns(share))}" for name, share in QUANTILES)
    return f"lateness of {many(len(lateness.samples_ns), 'event')}: {told}"


def odd(measured: Measured) -> str:
    """A clause about samples that are no numbers; empty where all are."""
    return f"{many(measured.odd, 'sample')} without a finite value left out" if measured.odd else ""


def spread(values: Sequence[float], unit: str) -> str:
    """A distribution in one line."""
    if not values:
        return many(0, "sample")
    after = f" {unit}" if unit else ""
    told = ", ".join(f"{name} {figures(quantile(values, share) or 0)}{after}" for name, share in QUANTILES)
    return f"{told} of {many(len(values), 'sample')}"


def many(count: int, noun: str) -> str:
    """``1 replay``, ``2,000 replays``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def quantile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of all do not exceed (nearest rank); None without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def span(nanoseconds: float | None) -> str:
    """A span of time with three figures and the unit that keeps it readable; a dash where there is none."""
    if nanoseconds is None:
        return "-"
    size = abs(nanoseconds)
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if size >= factor * 0.9995:
            return f"{figures(nanoseconds / factor)} {unit}"
    return "0" if not nanoseconds else f"{figures(nanoseconds)} ns"


def length(seconds: float) -> str:
    """How long it took, for people: as :func:`span` below two minutes, then with minutes, hours and days."""
    whole = round(seconds)
    if whole < 120:
        return span(seconds * 1e9)
    parts = [("d", whole // 86400), ("h", whole // 3600 % 24), ("min", whole // 60 % 60), ("s", whole % 60)]
    first = next(index for index, (_, count) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for unit, count in parts[first : first + 2])


def figures(value: float) -> str:
    """A number with three figures, or all those left of its point, and never an exponent in between."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    decimals = 2 - math.floor(math.log10(abs(value)))
    text = f"{value:,.{min(max(decimals, 0), 9)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def aligned(values: Sequence[float]) -> list[str]:
    """Numbers for the columns of one table, with as many decimals each as give the largest three figures.

    Where a small one would be nothing then, each has figures of its own.
    """
    largest = max((abs(value) for value in values), default=0.0)
    if not math.isfinite(largest) or not largest:
        return [figures(value) for value in values]
    decimals = min(max(2 - math.floor(math.log10(largest)), 0), 9)
    told = [f"{value:,.{decimals}f}" if value else "0" for value in values]
    return (
        [figures(value) for value in values]
        if any(value and not float(text.replace(",", "")) for value, text in zip(values, told, strict=True))
        else told
    )


def moment(at_ns: int) -> str:
    """A time of the replay in seconds, to the millisecond, as every list of the report has it."""
    return f"{at_ns / 1e9:,.3f}"


def sentence(difference: Difference) -> str:
    """What the difference says, which begins with its kind."""
    kind, text = difference.kind, difference.text
    return text if text.casefold().startswith(kind) else f"{kind}: {text}"
