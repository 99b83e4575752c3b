"""What a run of the lane has to say: steps that held or did not, their times, as a table and as JSON.

Knows neither machines nor Bluetooth. Written to line by line, so that a run that is cut short still tells how far it
came.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """One step: whether it held, seconds that it took (None: it is no matter of time), and what was seen."""

    name: str
    held: bool
    seconds: float | None = None
    detail: str = ""


class Ledger:
    """The steps of one run, kept in a file of JSON lines as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, step: Step) -> None:
        """Keep one step."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(step), ensure_ascii=False) + "\n")

    def steps(self) -> list[Step]:
        """Return what was kept, oldest first; a last line that was cut off is passed over."""
        if not self._path.exists():
            return []
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        return [Step(**json.loads(line)) for line in lines if line.endswith("\n")]


def missing(steps: Iterable[Step], expected: Sequence[str]) -> list[Step]:
    """Return a step that did not hold for each expected name that was never reached."""
    reached = {step.name for step in steps}
    return [Step(name, held=False, detail="never reached") for name in expected if name not in reached]


def table(steps: Sequence[Step]) -> str:
    """Return the steps as lines for people."""
    width = max((len(step.name) for step in steps), default=0)
    lines = []
    for step in steps:
        seconds = "" if step.seconds is None else f"{step.seconds:.3f}" if step.seconds < 1 else f"{step.seconds:.1f}"
        mark = "held  " if step.held else "FAILED"
        lines.append(f"{mark}  {step.name:<{width}}  {seconds:>7} {'s' if seconds else ' '}  {step.detail}".rstrip())
    return "\n".join(lines)


def as_json(steps: Sequence[Step], **facts: Any) -> str:
    """Return the whole run as one JSON object: ``held``, ``steps``, and further facts."""
    return json.dumps(
        {"held": held(steps), **facts, "steps": [asdict(step) for step in steps]}, ensure_ascii=False, indent=1
    )


def held(steps: Sequence[Step]) -> bool:
    """Whether every step held; a run without steps has shown nothing."""
    return bool(steps) and all(step.held for step in steps)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share (0 to 1) of ``values`` lies, by nearest rank.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("there is no percentile of nothing")
    ranked = sorted(values)
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)]
