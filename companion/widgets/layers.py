"""Small pictures from filled shapes: a list of coloured layers becomes block elements, or plain blocks without colour.

Knows shapes in the unit square and cells; refuses to know what a picture means.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin
from typing import NamedTuple

from companion.palette import RGB, mix
from companion.widgets.portrait import Cell
from companion.widgets.raster import QUADRANTS, Contour, Point, best_block, coverage

SOLID = 0.42
"""From this share of a quarter on it is drawn where there is no colour to shade it."""


class Layer(NamedTuple):
    """A shape (closed contours, filled by the non-zero rule) and how strongly its colour covers what lies below."""

    contours: tuple[Contour, ...]
    ink: RGB
    strength: float = 1.0


def circle(x: float, y: float, radius: float, points: int = 28) -> list[Point]:
    """Return a circle that turns clockwise on the screen."""
    return [(x + radius * cos(2 * pi * k / points), y + radius * sin(2 * pi * k / points)) for k in range(points)]


def ring(x: float, y: float, outer: float, inner: float) -> tuple[Contour, ...]:
    """Return a circle with a hole."""
    return circle(x, y, outer), circle(x, y, inner)[::-1]


def paint(layers: Sequence[Layer], columns: int, lines: int, ground: RGB) -> tuple[tuple[Cell, ...], ...]:
    """Return the layers, the first one lowest, as ``lines`` rows of ``columns`` cells on ``ground``."""
    shapes = [(coverage(one.contours, columns * 2, lines * 2), one.ink, one.strength) for one in layers]
    rows = []
    for y in range(lines):
        row = []
        for x in range(columns):
            quarters = []
            for dy in (0, 1):
                for dx in (0, 1):
                    colour = ground
                    for shape, ink, strength in shapes:
                        share = min(1.0, shape.at(2 * x + dx, 2 * y + dy)) * strength
                        colour = mix(colour, ink, share) if share > 0 else colour
                    quarters.append(colour)
            mask, fore, back = best_block((quarters[0], quarters[1], quarters[2], quarters[3]))
            row.append(Cell(QUADRANTS[mask], fore if mask else None, back))
        rows.append(tuple(row))
    return tuple(rows)


def stencil(contours: Sequence[Contour], columns: int, lines: int) -> tuple[tuple[Cell, ...], ...]:
    """Return one shape in plain blocks, for where colours are not wanted."""
    shape = coverage(contours, columns * 2, lines * 2)
    rows = []
    for y in range(lines):
        row = []
        for x in range(columns):
            shares = [shape.at(2 * x + dx, 2 * y + dy) for dy in (0, 1) for dx in (0, 1)]
            mask = sum(1 << bit for bit, share in enumerate(shares) if share >= SOLID)
            row.append(Cell(QUADRANTS[mask], None, None))
        rows.append(tuple(row))
    return tuple(rows)
