"""Filled shapes on a coarse grid: exact-enough coverage of polygons, and the best two-colour block for a cell.

Pure Python on purpose: a face of 56 by 35 cells takes a few milliseconds per shape and everything is cached, so that
the app needs no numpy. Knows nothing of faces, digits or Textual.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import ceil, floor
from typing import NamedTuple

from companion.palette import RGB

Point = tuple[float, float]
Contour = Sequence[Point]

SCANLINES = 4
"""Scan lines per pixel row; along the row the coverage is exact."""

QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
"""Block elements by bit mask: 1 upper left, 2 upper right, 4 lower left, 8 lower right (Unicode 2580 to 259F)."""


class Coverage(NamedTuple):
    """How much of each pixel a shape covers: ``rows[j][i]`` (0 to 1) belongs to pixel (left + i, top + j)."""

    left: int
    top: int
    rows: tuple[tuple[float, ...], ...]

    def at(self, x: int, y: int) -> float:
        """Return the share of pixel (x, y) that is covered; 0 outside of the shape's own box."""
        j = y - self.top
        if not 0 <= j < len(self.rows):
            return 0.0
        row = self.rows[j]
        i = x - self.left
        return row[i] if 0 <= i < len(row) else 0.0


def smooth(contour: Contour, rounds: int = 2) -> list[Point]:
    """Return the closed contour with its corners cut ``rounds`` times (Chaikin)."""
    points = list(contour)
    for _ in range(rounds):
        cut: list[Point] = []
        for (x0, y0), (x1, y1) in pairwise([*points, points[0]]):
            cut.append((0.75 * x0 + 0.25 * x1, 0.75 * y0 + 0.25 * y1))
            cut.append((0.25 * x0 + 0.75 * x1, 0.25 * y0 + 0.75 * y1))
        points = cut
    return points


def mirrored(contour: Contour) -> list[Point]:
    """Return the contour with left and right of the unit square exchanged."""
    return [(1.0 - x, y) for x, y in contour]


def coverage(contours: Sequence[Contour], width: int, height: int) -> Coverage:
    """Return how closed contours in the unit square, filled by the non-zero rule, cover a ``width`` by ``height`` grid.

    Non-zero, so that a stroke's outline may cross itself without leaving a hole.
    """
    edges: list[tuple[float, float, float, float, int]] = []
    for contour in contours:
        for (ux, uy), (vx, vy) in pairwise([*contour, contour[0]]):
            x0, y0, x1, y1 = ux * width, uy * height, vx * width, vy * height
            if y0 < y1:
                edges.append((y0, y1, x0, (x1 - x0) / (y1 - y0), 1))
            elif y1 < y0:
                edges.append((y1, y0, x1, (x0 - x1) / (y0 - y1), -1))
    if not edges:
        return Coverage(0, 0, ())
    xs = [x * width for contour in contours for x, _ in contour]
    left, right = max(0, floor(min(xs))), min(width, ceil(max(xs)))
    top, bottom = max(0, floor(min(e[0] for e in edges))), min(height, ceil(max(e[1] for e in edges)))
    share = 1.0 / SCANLINES
    rows: list[tuple[float, ...]] = []
    for y in range(top, bottom):
        row = [0.0] * max(0, right - left)
        for line in range(SCANLINES):
            at = y + (line + 0.5) * share
            crossings = sorted((x + (at - y0) * slope, turn) for y0, y1, x, slope, turn in edges if y0 <= at < y1)
            winding, began = 0, 0.0
            for x, turn in crossings:
                if winding == 0:
                    began = x
                winding += turn
                if winding == 0:
                    _fill(row, began - left, x - left, share)
        rows.append(tuple(row))
    return Coverage(left, top, tuple(rows))


def _fill(row: list[float], start: float, end: float, share: float) -> None:
    start, end = max(0.0, start), min(float(len(row)), end)
    if end <= start:
        return
    first, last = int(start), min(int(end), len(row) - 1)
    if first == last:
        row[first] += (end - start) * share
        return
    row[first] += (first + 1 - start) * share
    for i in range(first + 1, last):
        row[i] += share
    row[last] += (end - last) * share


@lru_cache(maxsize=32768)
def best_block(quarters: tuple[RGB, RGB, RGB, RGB], flat: int = 14) -> tuple[int, RGB, RGB]:
    """Return (mask, ink, ground) of the block element nearest to four colours (upper left, upper right, lower ones).

    All splits of four colours into two groups are compared by squared distance to their group's mean. Colours closer
    than ``flat`` in every channel become one ground with mask 0, which leaves runs of equal cells long. Remembered,
    because most cells of a picture stay as they are from one zone to the next.
    """
    total = [0, 0, 0]
    spread = 0
    for channel in range(3):
        values = [q[channel] for q in quarters]
        total[channel] = sum(values)
        spread = max(spread, max(values) - min(values))
    if spread <= flat:
        even = (total[0] // 4, total[1] // 4, total[2] // 4)
        return 0, even, even
    best, best_score, best_sum, best_count = 0, -1.0, (0, 0, 0), 1
    for mask in range(1, 8):
        members = [q for bit, q in enumerate(quarters) if mask >> bit & 1]
        count = len(members)
        r, g, b = sum(q[0] for q in members), sum(q[1] for q in members), sum(q[2] for q in members)
        s, t, u = total[0] - r, total[1] - g, total[2] - b
        score = (r * r + g * g + b * b) / count + (s * s + t * t + u * u) / (4 - count)
        if score > best_score:
            best, best_score, best_sum, best_count = mask, score, (r, g, b), count
    rest = 4 - best_count
    ink = (best_sum[0] // best_count, best_sum[1] // best_count, best_sum[2] // best_count)
    ground = (
        (total[0] - best_sum[0]) // rest,
        (total[1] - best_sum[1]) // rest,
        (total[2] - best_sum[2]) // rest,
    )
    return best, ink, ground
