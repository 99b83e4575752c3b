"""The marks of a plan's days: a session is a dot, a rest day a breath. Each has a shape of its own besides its tone.

One character for small calendars, a drawn shape for large ones. Knows the marks by their values alone.
"""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi, sin

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


def _wave() -> Contour:
    steps = [k / 16 for k in range(17)]
    upper = [(0.1 + 0.8 * x, 0.5 - 0.13 * sin(2 * pi * x) - 0.075) for x in steps]
    lower = [(x, y + 0.15) for x, y in upper]
    return [*upper, *reversed(lower)]


def _bar(left: float, right: float) -> Contour:
    return [(left, 0.2), (right, 0.2), (right, 0.8), (left, 0.8)]


def _diamond(reach: float) -> Contour:
    return [(0.5, 0.5 - reach), (0.5 + reach, 0.5), (0.5, 0.5 + reach), (0.5 - reach, 0.5)]


_SHAPES: dict[str, tuple[Contour, ...]] = {
    "done": (circle(0.5, 0.5, 0.46),),
    "planned": ring(0.5, 0.5, 0.46, 0.29),
    "rest": (_wave(),),
    "paused": (_bar(0.30, 0.43), _bar(0.57, 0.70)),
    "put off": (_diamond(0.42), _diamond(0.22)[::-1]),
    "moved": ([(0.12, 0.42), (0.56, 0.42), (0.56, 0.22), (0.90, 0.5), (0.56, 0.78), (0.56, 0.58), (0.12, 0.58)],),
    "missed": tuple(circle(0.5 + 0.38 * cos(pi * k / 4), 0.5 + 0.38 * sin(pi * k / 4), 0.085) for k in range(8)),
    "free": (circle(0.5, 0.5, 0.09),),
}


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
    """Return a mark as ``lines`` rows of twice as many cells; without colours in plain blocks."""
    shape = _SHAPES.get(mark, ())
    if ink is None or ground is None:
        return stencil(shape, 2 * lines, lines)
    return paint([Layer(shape, ink)], 2 * lines, lines, ground)
