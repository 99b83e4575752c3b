"""The phases of a plan as one line of weeks: filled as far as each was kept, warm where one is now.

Told the weeks; knows no plan and no date.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.content import Content
from textual.widget import Widget

FULL, REST, OPEN = "━", "─", "┄"
_BETWEEN = 3


class PhaseWeeks(NamedTuple):
    """A phase: its name, the share (0 to 1) that each begun week was kept, and how many weeks it has.

    ``weeks`` is None for a phase that goes on; ``now``: the last of the begun weeks is this one.
    """

    name: str
    shares: tuple[float, ...]
    weeks: int | None
    now: bool = False


class Phases(Widget):
    """Two lines: the names, and below them the weeks."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._phases: tuple[PhaseWeeks, ...] = ()

    def show(self, phases: Sequence[PhaseWeeks]) -> None:
        """Show these."""
        self._phases = tuple(phases)
        self.refresh()

    def render(self) -> Content:
        """Return both lines."""
        names: list[tuple[str, str]] = []
        weeks: list[str | tuple[str, str]] = []
        width = self.size.width
        for length in (6, 4, 3, 2, 1):
            if self._needs(length) <= width:
                break
        for index, phase in enumerate(self._phases):
            shares, ahead = self._cut(phase, length, width)
            room = max(len(phase.name), self._width(len(shares) + ahead, length, phase.weeks is None))
            gap = " " * _BETWEEN if index else ""
            names.append((f"{gap}{phase.name:<{room}}", "bold $foreground" if phase.now else "$muted"))
            line: list[tuple[str, str]] = []
            for number, share in enumerate(shares):
                now = phase.now and number == len(shares) - 1
                filled = round(length * share)
                line += [(FULL * filled, "bold $now" if now else "$done")]
                line += [(REST * (length - filled) + " ", "$now" if now else "$faint")]
            line += [(REST * length + " ", "$faint")] * ahead
            if phase.weeks is None:
                line += [(OPEN * 3, "$faint")]
            used = sum(len(text) for text, _ in line)
            weeks += [gap, *line, " " * max(0, room - used)]
        return Content.assemble(*names, "\n", *weeks)

    def _needs(self, length: int) -> int:
        total = -_BETWEEN
        for phase in self._phases:
            count = len(phase.shares) + 1 if phase.weeks is None else phase.weeks
            total += _BETWEEN + max(len(phase.name), self._width(min(count, 8), length, phase.weeks is None))
        return total

    def _cut(self, phase: PhaseWeeks, length: int, width: int) -> tuple[tuple[float, ...], int]:
        """The weeks of a phase that are drawn: of one that goes on, the newest."""
        if phase.weeks is None:
            most = max(1, min(12, (width // 2) // (length + 1)))
            return phase.shares[-most:], 0 if phase.shares else 1
        return phase.shares[: phase.weeks], max(0, phase.weeks - len(phase.shares))

    @staticmethod
    def _width(weeks: int, length: int, goes_on: bool) -> int:
        return weeks * (length + 1) - 1 + (4 if goes_on else 0)
