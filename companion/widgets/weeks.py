"""Five weeks of a plan in one line: a mark for each day, today brought out, the dates of the Mondays below.

Told what each day is; judges nothing. The marks are those of the month.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from textual.strip import Strip
from textual.widget import Widget

from companion.themes import palette_of
from companion.widgets.marks import GLYPHS, tone
from companion.widgets.portrait import Cell
from companion.widgets.strips import strip_of
from companion.words import today as words

_GAP = 3
_DAYS = 7


class Weeks(Widget):
    """Two lines: the days, and below each Monday its date. A day takes two columns where there is room."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._days: tuple[tuple[date, str], ...] = ()
        self._today: date | None = None

    def show(self, days: Sequence[tuple[date, str]], today: date) -> None:
        """Show these days (date and mark), a Monday first."""
        if (tuple(days), today) != (self._days, self._today):
            self._days, self._today = tuple(days), today
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        width = self.size.width
        plain = self.app.no_color
        palette = palette_of(self.app.theme)
        ground = None if plain else palette.background
        weeks = [self._days[start : start + _DAYS] for start in range(0, len(self._days), _DAYS)]
        step = 2 if len(weeks) * (2 * _DAYS + _GAP) - _GAP - 1 <= width else 1
        cells: list[Cell] = []
        for week in weeks:
            cells += self._marks_of(week, step) if y == 0 else self._date_of(week, step)
            cells += [Cell(" ", None, ground)] * (-len(cells) % (step * _DAYS + _GAP))
        cells = cells[:width]
        return strip_of(cells, after=width - len(cells), ground=ground)

    def _marks_of(self, week: Sequence[tuple[date, str]], step: int) -> list[Cell]:
        """The days of a week; today is bold, whatever the colours."""
        plain = self.app.no_color
        palette = palette_of(self.app.theme)
        ground = None if plain else palette.background
        cells: list[Cell] = []
        for day, mark in week:
            today = day == self._today
            ink = palette.now if today and mark != "done" else tone(mark, palette)
            cells.append(Cell(GLYPHS.get(mark, " "), None if plain else ink, ground, today))
            cells += [Cell(" ", None, ground)] * (step - 1)
        return cells

    def _date_of(self, week: Sequence[tuple[date, str]], step: int) -> list[Cell]:
        """The date of a week's Monday, or that it is this week."""
        plain = self.app.no_color
        palette = palette_of(self.app.theme)
        ground = None if plain else palette.background
        now = any(day == self._today for day, _ in week)
        text = words.NOW if now else words.WEEK_OF.format(day=week[0][0])
        ink = palette.now if now else palette.muted
        return [Cell(one, None if plain else ink, ground) for one in text[: step * _DAYS + _GAP]]
