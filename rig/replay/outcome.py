"""What came of a replay: a verdict, every difference in words, the conversation, and how late each event was.

Plain values that the terminal, JSON, JUnit and HTML reports all draw from. Refuses to know how a replay is run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Verdict(StrEnum):
    """How a replay ended."""

    PASSED = "passed"
    FAILED = "failed"
    INVALID = "invalid"
    """It says nothing: a planned fault never fired, or a precondition did not hold."""


DifferenceKind = Literal["extra", "missing", "left over", "different", "late", "refused", "precondition", "fault"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which what happened is not what was recorded."""

    kind: DifferenceKind
    index: int | None
    """Which exchange of the transcript, from 0; None where it is about none."""
    at_ns: int
    """When it was noticed, in nanoseconds of replay time."""
    text: str
    """One sentence that names it: what was expected, what came, and the recorded exchange that comes nearest."""


Mark = Literal[" ", "-", "+", "!"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the conversation as a diff: `` `` as recorded, ``-`` did not happen, ``+`` was not recorded."""

    mark: Mark
    at_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late each event was handed over, in nanoseconds, in order; never negative where the replay kept its word."""

    samples_ns: tuple[int, ...] = ()

    def quantile_ns(self, share: float) -> int | None:
        """The smallest lateness that at least ``share`` of all do not exceed (nearest rank); None without samples."""
        if not self.samples_ns:
            return None
        ordered = sorted(self.samples_ns)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    def as_json(self) -> dict[str, int | float | None]:
        """Count and p50, p90, p99 and maximum in microseconds."""
        names = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
        quantiles = {name: self.quantile_ns(share) for name, share in names.items()}
        return {"events": len(self.samples_ns)} | {
            f"{name}_us": None if value is None else value / 1000 for name, value in quantiles.items()
        }


@dataclass(slots=True)
class Outcome:
    """One replay of one transcript in one role."""

    role: Literal["decoder", "peripheral", "central"]
    title: str
    verdict: Verdict
    differences: list[Difference] = field(default_factory=list)
    conversation: list[Line] = field(default_factory=list)
    exchanges: int = 0
    """How many of the transcript were played."""
    lateness: Lateness = field(default_factory=Lateness)
    samples: dict[str, list[float]] = field(default_factory=dict)
    """Measurement name (:mod:`rig.timing.measure`) to its samples, in the measurement's unit."""
    coverage: dict[str, object] = field(default_factory=dict)
    """What :mod:`rig.replay.coverage` says, JSON-ready."""
    faults: dict[str, int] = field(default_factory=dict)
    """Planned fault to how often it fired."""
    duration_s: float = 0.0
    """Replay time from the first exchange to the last, in seconds."""

    @property
    def exit_code(self) -> int:
        """0 all as recorded, 1 a difference, 3 an invalid run, as ``rig replay`` documents it."""
        return {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.INVALID: 3}[self.verdict]
