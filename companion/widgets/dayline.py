"""A day as one quiet line, from morning to evening: what was, what is to come, and where one is.

Told moments as shares of the line; knows no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.content import Content
from textual.widget import Widget

LINE, DONE, COMING, NOW = "─", "●", "○", "┃"


class Moment(NamedTuple):
    """Something on the line: where (0 to 1), and whether it was or is to come."""

    share: float
    done: bool


class DayLine(Widget):
    """The line between two labels. What was is drawn over what is to come, where they meet."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._shown: tuple[str, str, tuple[Moment, ...], float | None] = ("", "", (), None)

    @property
    def moments(self) -> tuple[Moment, ...]:
        """What is on the line."""
        return self._shown[2]

    def show(self, begins: str, ends: str, moments: Sequence[Moment], now: float | None) -> None:
        """Show these moments; ``now`` is where one is (0 to 1), None for not on the line."""
        wanted = (begins, ends, tuple(moments), now)
        if wanted != self._shown:
            self._shown = wanted
            self.refresh()

    def render(self) -> Content:
        """Return the line."""
        begins, ends, moments, now = self._shown
        room = self.size.width - len(begins) - len(ends) - 2
        if room < 3:
            return Content("")

        def at(share: float) -> int:
            return round(min(1.0, max(0.0, share)) * (room - 1))

        line = [(LINE, "$faint")] * room
        for moment in sorted(moments, key=lambda one: one.done):
            line[at(moment.share)] = (DONE, "$done") if moment.done else (COMING, "$now")
        if now is not None:
            line[at(now)] = (NOW, "bold $now")
        return Content.assemble((f"{begins} ", "$muted"), *line, (f" {ends}", "$muted"))
