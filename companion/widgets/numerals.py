"""Big numerals for a countdown that is read at arm's length with gel on the fingers.

Each figure is a handful of pen strokes, filled at whatever size is asked for and turned into block elements; without
colour the blocks are crisp instead of smoothed. Knows no clock and no Textual.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import cos, hypot, pi, radians, sin

from companion.palette import RGB, mix
from companion.widgets.portrait import Cell
from companion.widgets.raster import QUADRANTS, Contour, Point, best_block, coverage

WIDTH = 0.6
"""Width of a figure in figure heights."""

PEN = 1 / 9
"""Width of the pen in figure heights."""

_COLON_WIDTH = 0.22
_LOW, _HIGH = PEN / 2, 1.0 - PEN / 2
_LEFT, _RIGHT = PEN / 2, WIDTH - PEN / 2


def _arc(x: float, y: float, rx: float, ry: float, *, start: float, end: float) -> list[Point]:
    """Return points of an arc; degrees run from three o'clock, clockwise on the screen."""
    steps = max(2, int(abs(end - start) / 18))
    return [
        (
            x + rx * cos(radians(start + (end - start) * k / steps)),
            y + ry * sin(radians(start + (end - start) * k / steps)),
        )
        for k in range(steps + 1)
    ]


_MID, _R = WIDTH / 2, (WIDTH - PEN) / 2
_SIX = [
    (0.455, _LOW + 0.01),
    *_arc(_R * 2.05 + _LEFT, 0.66, _R * 2.05, 0.62, start=256, end=180),
    *_arc(_MID, 0.685, _R, 0.2525, start=180, end=540),
]

_STROKES: dict[str, list[list[Point]]] = {
    "0": [
        [
            *_arc(_MID, 0.32, _R, 0.32 - _LOW, start=180, end=360),
            *_arc(_MID, 0.68, _R, 0.32 - _LOW, start=0, end=180),
            (_LEFT, 0.32),
        ]
    ],
    "1": [[(0.14, 0.235), (0.335, _LOW), (0.335, _HIGH)]],
    "2": [[*_arc(_MID, 0.30, _R, 0.30 - _LOW, start=195, end=385), (_LEFT + 0.01, _HIGH), (_RIGHT, _HIGH)]],
    "3": [
        [*_arc(_MID - 0.01, 0.27, _R - 0.02, 0.27 - _LOW, start=200, end=450), (0.24, 0.475)],
        [(0.24, 0.475), *_arc(_MID - 0.005, 0.705, _R, 0.2325, start=270, end=520)],
    ],
    "4": [[(0.385, _LOW), (_LEFT - 0.01, 0.69), (_RIGHT + 0.02, 0.69)], [(0.415, 0.42), (0.415, _HIGH)]],
    "5": [[(0.51, _LOW), (0.13, _LOW), (0.10, 0.45), *_arc(_MID - 0.01, 0.655, _R, 0.2825, start=228, end=515)]],
    "6": [_SIX],
    "7": [[(_LEFT - 0.01, _LOW), (_RIGHT, _LOW), (0.225, _HIGH)]],
    "8": [_arc(_MID, 0.272, _R - 0.03, 0.2095, start=0, end=360), _arc(_MID, 0.708, _R, 0.2295, start=0, end=360)],
    "9": [[(WIDTH - x, 1.0 - y) for x, y in _SIX]],
}


def _disc(x: float, y: float, radius: float) -> list[Point]:
    return [(x + radius * cos(2 * pi * k / 12), y + radius * sin(2 * pi * k / 12)) for k in range(12)]


def _pen(stroke: Sequence[Point]) -> list[Contour]:
    """Return the outline of one stroke as overlapping pieces that all turn the same way."""
    half = PEN / 2
    pieces: list[Contour] = [_disc(x, y, half) for x, y in stroke]
    for (x0, y0), (x1, y1) in pairwise(stroke):
        length = hypot(x1 - x0, y1 - y0)
        if length == 0:
            continue
        nx, ny = (y0 - y1) / length * half, (x1 - x0) / length * half
        pieces.append([(x0 - nx, y0 - ny), (x1 - nx, y1 - ny), (x1 + nx, y1 + ny), (x0 + nx, y0 + ny)])
    return pieces


def _widths(lines: int) -> tuple[int, int, int]:
    """Return columns of a figure, of the colon and of the gap, for a height in lines."""
    return max(3, round(lines * 2 * WIDTH)), max(1, round(lines * 2 * _COLON_WIDTH)), max(1, round(lines / 5))


def width_of(text: str, lines: int) -> int:
    """Return how many columns ``text`` takes at that height."""
    figure, colon, gap = _widths(lines)
    return sum(colon if c == ":" else figure for c in text) + gap * max(0, len(text) - 1)


def _dots(width: int, height: int) -> list[Contour]:
    """Return the two dots of the colon, laid on whole quarter cells: so small a thing must not be blurred."""
    tall = max(1, round(PEN * height))
    wide = min(width, 2 * tall)
    left = (width - wide) // 2
    dots: list[Contour] = []
    for middle in (0.3, 0.7):
        top = round(middle * height - tall / 2)
        x0, x1, y0, y1 = left / width, (left + wide) / width, top / height, (top + tall) / height
        dots.append([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    return dots


@lru_cache(maxsize=256)
def _figure(character: str, lines: int, ink: RGB | None, ground: RGB | None) -> tuple[tuple[Cell, ...], ...]:
    figure, colon, _ = _widths(lines)
    columns = colon if character == ":" else figure
    if character == ":":
        contours = _dots(columns * 2, lines * 2)
    else:
        contours = [
            [(x / WIDTH, y) for x, y in piece] for stroke in _STROKES.get(character, []) for piece in _pen(stroke)
        ]
    shape = coverage(contours, columns * 2, lines * 2)
    rows: list[tuple[Cell, ...]] = []
    for y in range(lines):
        row: list[Cell] = []
        for x in range(columns):
            shares = [min(1.0, shape.at(2 * x + dx, 2 * y + dy)) for dy in (0, 1) for dx in (0, 1)]
            if ink is None or ground is None:
                mask = sum(1 << bit for bit, share in enumerate(shares) if share >= 0.42)
                row.append(Cell(QUADRANTS[mask], None, None))
                continue
            a, b, c, d = (mix(ground, ink, share) for share in shares)
            mask, fore, back = best_block((a, b, c, d))
            row.append(Cell(QUADRANTS[mask], fore if mask else None, back))
        rows.append(tuple(row))
    return tuple(rows)


def draw(text: str, lines: int, ink: RGB | None, ground: RGB | None) -> list[list[Cell]]:
    """Return ``text`` (figures, colons, spaces) as ``lines`` rows of cells; without colours as plain blocks."""
    _, _, gap = _widths(lines)
    space = Cell(" ", None, ground)
    rows: list[list[Cell]] = [[] for _ in range(lines)]
    for index, character in enumerate(text):
        for row, cells in zip(rows, _figure(character, lines, ink, ground), strict=True):
            if index:
                row.extend([space] * gap)
            row.extend(cells)
    return rows
