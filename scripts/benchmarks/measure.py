"""What every bench needs: measurements with unit and limit, interleaved repetition, and the noise of the machine."""

from __future__ import annotations

import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number: what it is, its unit, and the limit it must keep (``at_most`` or ``at_least``), if there is one."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def holds(self) -> bool:
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )

    def as_text(self) -> str:
        limit = ""
        if self.at_most is not None:
            limit = f"at most {self.at_most:g}"
        if self.at_least is not None:
            limit = f"at least {self.at_least:g}"
        verdict = "" if not limit else f"{'pass' if self.holds else 'FAIL'}  ({limit})"
        return f"  {self.name:<58} {_readable(self.value):>12} {self.unit:<10} {verdict} {self.note}".rstrip()


def _readable(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


@dataclass(slots=True)
class Report:
    """All measurements of a run, and what could not be measured, with why."""

    measurements: list[Measurement] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, *measurements: Measurement) -> None:
        self.measurements += measurements

    def leave_out(self, line: str) -> None:
        self.left_out.append(line)

    @property
    def missed(self) -> list[Measurement]:
        return [measurement for measurement in self.measurements if not measurement.holds]

    def as_text(self) -> str:
        return "\n".join([m.as_text() for m in self.measurements] + [f"  left out: {line}" for line in self.left_out])

    def as_json(self) -> dict[str, object]:
        return {
            "measurements": [asdict(m) | {"holds": m.holds} for m in self.measurements],
            "left_out": self.left_out,
        }


def interleaved(runs: Mapping[str, Callable[[], float]], repeat: int) -> dict[str, list[float]]:
    """Run all of them in turn, ``repeat`` times, so that a slow moment of the machine hits each alike.

    Each run returns its own seconds. The first round is thrown away: it warms files and caches.
    """
    results: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(repeat + 1):
        for name, run in runs.items():
            seconds = run()
            if round_number:
                results[name].append(seconds)
    return results


def timed(run: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of all values do not exceed (nearest rank: no value is invented)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class MachineNoise:
    """How steady the machine is: the same small piece of work, timed between the benches."""

    def __init__(self) -> None:
        self._samples: list[float] = []

    def sample(self) -> None:
        self._samples += [timed(_work) for _ in range(25)]

    def as_json(self) -> dict[str, str | float]:
        return {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count() or 0,
            "load_1min": os.getloadavg()[0],
            "noise_p90_over_median": round(quantile(self._samples, 0.9) / statistics.median(self._samples), 3),
        }

    def as_text(self) -> str:
        facts = self.as_json()
        return (
            f"  machine: Python {facts['python']}, {facts['system']}, {facts['cores']} cores, "
            f"load {facts['load_1min']:.1f}; p90 of the same work: {facts['noise_p90_over_median']} times its median"
        )


def _work() -> int:
    total = 0
    for number in range(100_000):
        total += number ^ (total & 0xFF)
    return total
