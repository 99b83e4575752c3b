"""How past weeks went, as a picture: a column for each calendar week, a square for each day, the newest on the right.

What was done is filled and green; whatever else there was is quiet. Told what each day is; judges nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType

from textual.strip import Strip
from textual.widget import Widget

from companion.palette import mix
from companion.themes import palette_of
from companion.widgets.portrait import Cell
from companion.widgets.strips import strip_of

_DAY = timedelta(days=1)
_NAMES = 3
"""Columns for the names of the days."""

_SHAPES = {"done": "■", "paused": "‖", "put off": "◇"}
_OTHER = "·"
_SQUARE = "██"
_LARGE = 30
"""From this many columns on a day is two of them wide."""


class Heat(Widget):
    """The last weeks up to ``today``: as many as there is room for, at most ``most``."""

    ALLOW_SELECT = False

    def __init__(self, *, names: tuple[str, ...] = (), most: int = 16, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._marks: Mapping[date, str] = MappingProxyType({})
        self._today: date | None = None
        self._begins: date | None = None
        self._names = names
        self._most = most

    def show(self, marks: Mapping[date, str], today: date, begins: date | None) -> None:
        """Show these days; days before ``begins`` stay empty."""
        self._marks = MappingProxyType(dict(marks))
        self._today, self._begins = today, begins
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line: a day of the week through all weeks."""
        width = self.size.width
        plain = self.app.no_color
        palette = palette_of(self.app.theme)
        ground = None if plain else palette.background
        if self._today is None or not 0 <= y < 7:
            return strip_of((), before=width, ground=ground)
        large = width >= _LARGE
        weeks = max(0, min(self._most, (width - _NAMES) // (3 if large else 2)))
        monday = self._today - self._today.weekday() * _DAY
        if self._begins is not None:
            weeks = min(weeks, 1 + max(0, (monday - self._begins).days + self._begins.weekday()) // 7)
        name = self._names[y][:2] if y < len(self._names) else ""
        cells = [Cell(one, None if plain else palette.muted, ground) for one in f"{name:<{_NAMES}}"]
        for week in range(weeks):
            day = monday + (y - 7 * (weeks - 1 - week)) * _DAY
            known = day <= self._today and (self._begins is None or day >= self._begins)
            mark = self._marks.get(day, "") if known else ""
            shape = _SHAPES.get(mark, _OTHER) if mark else " "
            ink = palette.done if mark == "done" else mix(palette.faint, palette.muted, 0.2)
            if day == self._today and mark and mark != "done":
                ink = palette.now
            if large:
                shape = _SQUARE if mark == "done" else f"{shape} "
            cells += [Cell(one, None if plain else ink, ground) for one in f"{shape} "]
        cells = cells[:width]
        return strip_of(cells, after=width - len(cells), ground=ground)
