"""The marks of a plan's days: a session is a dot, a rest day a breath. Each has a shape of its own besides its tone.

One character for small calendars, a drawn disc for the sessions of large ones. Knows the marks by their values alone.
"""

from __future__ import annotations

from functools import lru_cache

from companion.palette import RGB, Palette, mix
from companion.widgets.layers import Layer, circle, paint, ring, stencil
from companion.widgets.portrait import Cell
from companion.widgets.raster import Contour

GLYPHS = {
    "done": "●",
    "planned": "○",
    "rest": "~",
    "paused": "‖",
    "put off": "◇",
    "moved": "→",
    "missed": "◌",
    "free": "·",
}
"""By the values of ``companion.care.plan.Mark``."""


_SHAPES: dict[str, tuple[Contour, ...]] = {
    "done": (circle(0.5, 0.5, 0.46),),
    "planned": ring(0.5, 0.5, 0.46, 0.31),
}
"""What is drawn where there is room: the sessions. A breath stays a breath."""


def tone(mark: str, palette: Palette) -> RGB:
    """Return the colour of a mark: green is done, warm is what comes, and all else is quiet."""
    if mark == "done":
        return palette.done
    if mark == "planned":
        return palette.now
    if mark in {"free", "rest"}:
        return mix(palette.faint, palette.muted, 0.45)
    return palette.muted


@lru_cache(maxsize=256)
def drawn(mark: str, lines: int, ink: RGB | None, ground: RGB | None) -> tuple[tuple[Cell, ...], ...]:
    """Return a mark as ``lines`` rows of twice as many cells; without colours in plain blocks.

    What is no session stays one character, in the middle.
    """
    shape = _SHAPES.get(mark)
    if shape is None:
        blank = Cell(" ", None, ground)
        rows = [[blank] * 2 * lines for _ in range(lines)]
        rows[(lines - 1) // 2][lines - 1] = Cell(GLYPHS.get(mark, " "), ink, ground)
        return tuple(tuple(row) for row in rows)
    if ink is None or ground is None:
        return stencil(shape, 2 * lines, lines)
    return paint([Layer(shape, ink)], 2 * lines, lines, ground)
