"""A month of a plan as a picture: seven columns, a mark for each day, one day under the hand.

Told what each day is; asks nobody and changes nothing. Draws larger where there is room: a dot becomes a disc.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from companion.palette import RGB, mix
from companion.themes import palette_of
from companion.widgets.marks import GLYPHS, drawn, tone
from companion.widgets.portrait import Cell
from companion.widgets.strips import strip_of

_DAY = timedelta(days=1)
_LEAST_COLUMN = 5
_HEAD = 2
"""Lines above the first week: the month's name, and the names of the days."""


def first_shown(month: date) -> date:
    """Return the Monday on or before the first of ``month``."""
    first = month.replace(day=1)
    return first - first.weekday() * _DAY


@lru_cache(maxsize=64)
def weeks_of(month: date) -> int:
    """Return how many weeks, from Monday on, a month touches."""
    first = month.replace(day=1)
    days = calendar.monthrange(first.year, first.month)[1]
    return -(-(first.weekday() + days) // 7)


class _Measure(NamedTuple):
    column: int
    week: int
    disc: int


class _Shown(NamedTuple):
    month: date
    marks: Mapping[date, str]
    today: date
    day: date
    span: tuple[date, date] | None


class Month(Widget):
    """The calendar of one month. Clicks and the wheel are told to the screen, which decides what they mean."""

    ALLOW_SELECT = False

    class Pointed(Message):
        """The person clicked a day; ``again`` when it was under the hand already."""

        def __init__(self, day: date, *, again: bool) -> None:
            super().__init__()
            self.day = day
            self.again = again

    class Turned(Message):
        """The wheel was turned: another month, later (1) or earlier (-1)."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def __init__(self, *, title: str = "{:%B %Y}", names: tuple[str, ...] = (), id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._title = title
        self._names = names
        self._shown: _Shown | None = None

    def show(
        self, month: date, marks: Mapping[date, str], *, today: date, day: date, span: tuple[date, date] | None = None
    ) -> None:
        """Show ``month`` with ``day`` under the hand; days of ``span`` (both ends included) are held together."""
        wanted = _Shown(month.replace(day=1), MappingProxyType(dict(marks)), today, day, span)
        if wanted != self._shown:
            self._shown = wanted
            self.refresh()

    # --- where things are ---------------------------------------------------------------------------------------------

    def _measure(self) -> _Measure:
        width, height = self.size
        weeks = weeks_of(self._shown.month) if self._shown else 6
        week = max(1, min(5, (height - _HEAD) // weeks))
        column = max(_LEAST_COLUMN, min(12, width // 7))
        disc = min(3, week - 1, (column - 4) // 2) if week >= 3 else 0
        if disc < 2:
            return _Measure(min(column, 7), min(week, 2), 0)
        return _Measure(column, week, disc)

    def day_at(self, x: int, y: int) -> date | None:
        """Return the day of the month that is drawn at a cell, or None."""
        if self._shown is None:
            return None
        measure = self._measure()
        week, column = (y - _HEAD) // measure.week, x // measure.column
        if not (0 <= week < weeks_of(self._shown.month) and 0 <= column < 7):
            return None
        day = first_shown(self._shown.month) + (7 * week + column) * _DAY
        return day if day.month == self._shown.month.month else None

    # --- drawing ------------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Return one line of the month."""
        width = self.size.width
        plain = self.app.no_color
        palette = palette_of(self.app.theme)
        ground = None if plain else palette.background
        shown = self._shown
        if shown is None:
            return strip_of((), before=width, ground=ground)
        measure = self._measure()
        row = y - _HEAD
        if y == 0:
            text = self._title.format(shown.month)
            cells = [Cell(one, None if plain else palette.text, ground, bold=True) for one in f" {text}"]
        elif y == 1:
            named = "".join(f" {name:<{measure.column - 1}}"[: measure.column] for name in self._names)
            cells = [Cell(one, None if plain else palette.muted, ground) for one in named]
        elif 0 <= row < weeks_of(shown.month) * measure.week:
            cells = self._week(first_shown(shown.month) + row // measure.week * 7 * _DAY, row % measure.week, measure)
        else:
            cells = []
        cells = cells[:width]
        return strip_of(cells, after=width - len(cells), ground=ground)

    def _week(self, monday: date, line: int, measure: _Measure) -> list[Cell]:
        cells: list[Cell] = []
        for ahead in range(7):
            cells += self._day(monday + ahead * _DAY, line, measure)
        return cells

    def _day(self, day: date, line: int, measure: _Measure) -> list[Cell]:
        shown = self._shown
        plain = self.app.no_color
        palette = palette_of(self.app.theme)
        ground: RGB | None = None if plain else palette.background
        column = measure.column
        last_line = measure.disc or 1
        if shown is None or day.month != shown.month.month or line >= last_line:
            return [Cell(" ", None, ground)] * column
        under_hand = day == shown.day
        held = under_hand or (shown.span is not None and shown.span[0] <= day <= shown.span[1])
        if held and not plain:
            ground = mix(palette.raised, palette.muted, 0.2)
        mark = shown.marks.get(day, "")
        text_ink = None if plain else palette.now if day == shown.today else palette.text if held else palette.muted
        mark_ink = None if plain else tone(mark, palette)
        middle = (last_line - 1) // 2
        number = f"{day.day:>2}" if line == middle else "  "
        bold = day == shown.today or under_hand
        if measure.disc:
            picture = drawn(mark, measure.disc, mark_ink, ground)[line]
        else:
            picture = (Cell(GLYPHS.get(mark, " "), mark_ink, ground, bold=mark in {"done", "planned"}),)
        cells = [Cell(" ", text_ink, ground)]
        cells += [Cell(one, text_ink, ground, bold) for one in f"{number} "]
        cells += list(picture)
        spare = column - len(cells)
        cells += [Cell(" ", None, ground)] * max(0, spare - 1)
        if spare > 0:
            # one column between two days, so that days that are held together show as days
            joined = shown.span is not None and shown.span[0] <= day < shown.span[1] and day.weekday() < 6
            cells.append(Cell(" ", None, ground if joined or plain else palette.background))
        if plain and held and line == middle:
            cells[0] = Cell("[", None, None, bold=True)
            cells[-1] = Cell("]", None, None, bold=True)
        return cells

    # --- the mouse ----------------------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        """Tell which day was clicked."""
        day = self.day_at(event.x, event.y)
        if day is not None and self._shown is not None:
            event.stop()
            self.post_message(self.Pointed(day, again=day == self._shown.day))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Turn to the next month."""
        event.stop()
        self.post_message(self.Turned(1))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Turn to the month before."""
        event.stop()
        self.post_message(self.Turned(-1))
