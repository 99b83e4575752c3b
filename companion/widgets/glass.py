"""A glass that fills: how much of the day's goal was drunk, as a picture.

Told a share; knows neither goal nor time.
"""

from __future__ import annotations

from functools import lru_cache

from textual.strip import Strip
from textual.widget import Widget

from companion.palette import RGB, Palette, mix
from companion.themes import palette_of
from companion.widgets.layers import Layer, paint, stencil
from companion.widgets.portrait import Cell
from companion.widgets.raster import Contour, coverage
from companion.widgets.strips import strip_of

# The glass in the unit square: wider at the rim, with a heavy bottom.
_RIM, _FLOOR = 0.02, 0.94
_LEFT_RIM, _LEFT_FOOT = 0.06, 0.18
_WALL = 0.045
_BRIM = 0.10
"""Where the water of a full glass stands."""


def _wall(y: float) -> float:
    """Return where the outer side of the left wall is at height ``y``."""
    return _LEFT_RIM + (_LEFT_FOOT - _LEFT_RIM) * (y - _RIM) / (1.0 - _RIM)


def _level(share: float, lines: int) -> float:
    """Return where the water stands, on a whole half line: its surface has to be crisp."""
    halves = 2 * lines
    return round((_FLOOR - (_FLOOR - _BRIM) * min(1.0, max(0.0, share))) * halves) / halves


def _floor(lines: int) -> float:
    return round(_FLOOR * 2 * lines) / (2 * lines)


def _outline(lines: int) -> tuple[Contour, ...]:
    floor_at = _floor(lines)
    left = [(_wall(_RIM), _RIM), (_wall(_RIM) + _WALL, _RIM), (_wall(1.0) + _WALL, 1.0), (_wall(1.0), 1.0)]
    right = [(1.0 - x, y) for x, y in reversed(left)]
    floor = [(_wall(floor_at), floor_at), (1.0 - _wall(floor_at), floor_at), (1.0 - _wall(1.0), 1.0), (_wall(1.0), 1.0)]
    return left, right, floor


def _slab(top: float, bottom: float) -> Contour:
    return [
        (_wall(top) + _WALL, top),
        (1.0 - _wall(top) - _WALL, top),
        (1.0 - _wall(bottom) - _WALL, bottom),
        (_wall(bottom) + _WALL, bottom),
    ]


@lru_cache(maxsize=64)
def draw(share: float | None, columns: int, lines: int, palette: Palette | None) -> tuple[tuple[Cell, ...], ...]:
    """Return the glass, filled to ``share``; with None it stays a glass. Without palette in plain blocks."""
    if columns < 2 or lines < 1:
        return ()
    if palette is None:
        return _plain(share, columns, lines)
    layers = []
    glass: RGB = mix(palette.faint, palette.muted, 0.35)
    if share:
        top = _level(share, lines)
        water = mix(palette.background, palette.done, 0.78)
        layers.append(Layer((_slab(top, _floor(lines)),), water))
        layers.append(Layer((_slab(top, min(_floor(lines), top + 0.5 / lines)),), palette.done))
    layers.append(Layer(_outline(lines), glass))
    return paint(layers, columns, lines, palette.background)


def _plain(share: float | None, columns: int, lines: int) -> tuple[tuple[Cell, ...], ...]:
    rows = [list(row) for row in stencil(_outline(lines), columns, lines)]
    if share:
        water = coverage([_slab(_level(share, lines), _FLOOR)], columns, lines)
        for y, row in enumerate(rows):
            for x, cell in enumerate(row):
                if cell.character == " " and water.at(x, y) >= 0.5:
                    row[x] = Cell("▒", None, None)
    return tuple(tuple(row) for row in rows)


class Glass(Widget):
    """The glass. Grows with its room, and keeps its shape."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._share: float | None = None

    @property
    def share(self) -> float | None:
        """How full it is, 0 to 1; None where there is no goal."""
        return self._share

    def show(self, share: float | None) -> None:
        """Show ``share`` (0 to 1) of the goal; None where there is no goal."""
        if share != self._share:
            self._share = share
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        width, height = self.size
        palette = None if self.app.no_color else palette_of(self.app.theme)
        ground = None if palette is None else palette.background
        lines = min(height, round(width / 1.5))
        columns = min(width, round(lines * 1.5))
        rows = draw(self._share, columns, lines, palette)
        row = y - (height - lines)
        before = (width - columns) // 2
        cells = rows[row] if 0 <= row < len(rows) else ()
        if not cells:
            return strip_of((), before=width, ground=ground)
        return strip_of(cells, before=before, after=width - before - columns, ground=ground)
