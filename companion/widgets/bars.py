"""Small charts of block elements: upright bars with a goal, and a line of few values on a scale that does not move.

Told numbers; knows not what they count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.strip import Strip
from textual.widget import Widget

from companion.themes import palette_of
from companion.widgets.portrait import Cell
from companion.widgets.strips import strip_of

EIGHTHS = " ▁▂▃▄▅▆▇█"
GOAL = "┄"


def spark(values: Sequence[float], least: float, most: float) -> str:
    """Return one character a value, from ``▁`` for ``least`` to ``█`` for ``most``, whatever the values are."""
    span = max(most - least, 1e-9)
    return "".join(EIGHTHS[1 + round(7 * (min(max(one, least), most) - least) / span)] for one in values)


class Bar(NamedTuple):
    """One bar: what stands below it, how much, and whether it is the present one."""

    label: str
    value: float
    now: bool = False


class Bars(Widget):
    """Upright bars, the last line their labels. ``goal`` is drawn as a dotted line; what reaches it is green."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._bars: tuple[Bar, ...] = ()
        self._goal: float | None = None

    @property
    def bars(self) -> tuple[Bar, ...]:
        """What is shown."""
        return self._bars

    def show(self, bars: Sequence[Bar], goal: float | None) -> None:
        """Show these bars, and the goal where there is one."""
        if (tuple(bars), goal) != (self._bars, self._goal):
            self._bars, self._goal = tuple(bars), goal
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        width, height = self.size
        plain = self.app.no_color
        palette = palette_of(self.app.theme)
        ground = None if plain else palette.background
        if not self._bars or height < 2:
            return strip_of((), before=width, ground=ground)
        step = max(2, min(7, width // len(self._bars)))
        thick = max(1, step - 2 if step > 3 else step - 1)
        lines = height - 1
        top = max([one.value for one in self._bars] + [self._goal or 0.0, 1.0])
        goal_line = None if self._goal is None else lines - 1 - min(lines - 1, int(self._goal / top * lines - 1e-9))
        cells: list[Cell] = []
        for bar in self._bars:
            reached = self._goal is not None and bar.value >= self._goal
            ink = palette.done if reached else palette.now if bar.now else palette.muted
            if y == lines:
                shown = None if plain else palette.now if bar.now else palette.muted
                cells += [Cell(one, shown, ground, bold=bar.now) for one in f"{bar.label:<{step}}"[:step]]
                continue
            eighths = round(bar.value / top * lines * 8)
            full = min(8, max(0, eighths - 8 * (lines - 1 - y)))
            on_goal = y == goal_line
            blank = Cell(GOAL if on_goal else " ", None if plain else palette.faint, ground)
            body = Cell(EIGHTHS[full], None if plain else ink, ground) if full else blank
            cells += [body] * thick + [blank] * (step - thick)
        cells = cells[:width]
        return strip_of(cells, after=width - len(cells), ground=ground)
