"""What a rule is: measurements declared beforehand, and one coroutine that takes them.

A declared measurement that was not taken is never a pass: it was left out for a stated reason, or the check could not
be carried out and the run says nothing. Refuses to know devices and radios.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from rig.report.model import LeftOut
from rig.timing.measure import Judgement, Measurement, TimingVerdict

B = TypeVar("B")

MARGINAL: Final = 0.1
"""How wide the strip inside a limit is that counts as narrowly kept, where a rule says nothing else."""

_WRONG: Final = "times wrong"


class CannotCheckError(Exception):
    """A check could not be carried out; the message says why, in half a sentence."""


class UnansweredError(CannotCheckError):
    """A request was not answered: the device's own fault."""


@dataclass(frozen=True, slots=True)
class Check:
    """One declared measurement of a rule."""

    measurement: Measurement
    simulated_only: str = ""
    """Why it is carried out on a simulated device alone; empty where a real one is measured, too."""


def at_most(
    name: str, unit: str, limit: float, doc: str, *, marginal: float = MARGINAL, simulated_only: str = ""
) -> Check:
    """Declare a measurement that must not exceed ``limit`` (in ``unit``)."""
    return Check(Measurement(name, unit, doc, at_most=limit, marginal=marginal), simulated_only)


def between(name: str, unit: str, lowest: float, highest: float, doc: str, *, simulated_only: str = "") -> Check:
    """Declare a measurement that has to stay between two limits (in ``unit``)."""
    return Check(Measurement(name, unit, doc, at_least=lowest, at_most=highest), simulated_only)


def holds(name: str, doc: str, *, simulated_only: str = "") -> Check:
    """Declare a yes or no: a count of how often it did not hold, which has to be 0."""
    return Check(Measurement(name, _WRONG, doc, at_most=0), simulated_only)


@dataclass(frozen=True, slots=True)
class Rule(Generic[B]):
    """One rule. ``carry_out`` is given a bench of the kind it needs, and where to enter what it measures."""

    key: str
    title: str
    checks: tuple[Check, ...]
    carry_out: Callable[[B, Findings], Awaitable[None]]

    def for_real_devices(self) -> bool:
        """Whether anything of it is measured on a real device."""
        return any(not check.simulated_only for check in self.checks)


class Findings:
    """What was measured of one rule on one device."""

    def __init__(self, key: str, checks: Sequence[Check], *, simulated: bool) -> None:
        self._key = key
        self._checks = tuple(checks)
        self._samples: dict[str, list[float]] = {check.measurement.name: [] for check in checks}
        self._wrong: dict[str, list[str]] = {}
        self._simulated = simulated
        if len(self._samples) != len(self._checks):
            raise ValueError(f"{key}: two measurements have the same name")

    def take(self, check: Check, *samples: float) -> None:
        """Enter samples, in the check's unit.

        Raises:
            KeyError: the rule has not declared it.
        """
        self._samples[check.measurement.name] += samples

    def holds(self, check: Check, right: bool, what: str = "") -> None:
        """Enter a yes or no; ``what`` says what was seen, for whoever reads of a no."""
        self.take(check, 0.0 if right else 1.0)
        if what and not right:
            self._wrong.setdefault(check.measurement.name, []).append(what)

    def judged(self, trouble: CannotCheckError | None = None) -> list[Judgement]:
        """Hold every declared measurement against its limit.

        Args:
            trouble: why the rule could not be carried out to its end; None where it was.
        """
        found: list[Judgement] = []
        if isinstance(trouble, UnansweredError):
            # Not knowing is no verdict, but a device that does not answer has given one.
            name = f"{self._key}: requests are answered"
            found.append(Judgement(name, TimingVerdict.FAIL, 1.0, f"{name}: {trouble}"))
        for check in self._checks:
            if check.simulated_only and not self._simulated:
                continue
            measurement = replace(check.measurement, name=f"{self._key}: {check.measurement.name}")
            samples = self._samples[check.measurement.name]
            judgement = measurement.judge(samples)
            if judgement is None:
                raise ValueError(f"{measurement.name}: a rule without a limit says nothing")
            if not samples:
                why = "nothing was measured" if trouble is None else str(trouble)
                said = f"{measurement.words}: could not be checked: {why}"
                judgement = replace(judgement, verdict=TimingVerdict.NOT_ENOUGH, text=said)
            elif measurement.unit == _WRONG:
                judgement = replace(judgement, text=self._yes_or_no(measurement, samples))
            found.append(judgement)
        return found

    def _yes_or_no(self, measurement: Measurement, samples: Sequence[float]) -> str:
        wrong = int(sum(samples))
        if not wrong:
            return f"{measurement.words}: yes" if len(samples) == 1 else f"{measurement.words}: all {len(samples)}"
        seen = "; ".join(self._wrong.get(measurement.name.removeprefix(f"{self._key}: "), ()))
        said = "no" if len(samples) == 1 else f"{wrong} of {len(samples)} do not"
        return f"{measurement.words}: {said}{': ' if seen else ''}{seen}"

    def left_out(self) -> list[LeftOut]:
        """Return what is not measured on a real device, and why."""
        if self._simulated:
            return []
        return [
            LeftOut(f"{self._key}: {check.measurement.name}", check.simulated_only)
            for check in self._checks
            if check.simulated_only
        ]
