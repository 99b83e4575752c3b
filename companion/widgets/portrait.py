"""The face map as cells: which character, ink and ground each cell of the terminal gets.

The portrait without its current zone is drawn once for a size, palette and set of zones; a frame of the animation only
recolours the cells of the current zone. Knows no Textual and no session.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from math import atan2, exp, pi
from typing import NamedTuple

from companion.palette import RGB, Palette, mix
from companion.widgets import face
from companion.widgets.raster import QUADRANTS, Contour, Coverage, best_block, coverage

HATCH = "\N{BOX DRAWINGS LIGHT DIAGONAL UPPER RIGHT TO LOWER LEFT}"
TICK = "✓"

PHASES = 20
"""Frames of one stroke, from where the wand is set down to where it is lifted, with a breath after it."""


class Cell(NamedTuple):
    """One cell of the terminal. ``ink`` and ``ground`` are None where no colour is to be used."""

    character: str
    ink: RGB | None
    ground: RGB | None
    bold: bool = False


class Look(NamedTuple):
    """Everything that the still part of the map depends on; sets of zones are in tuples so that it can be a key."""

    width: int
    height: int
    mirror: bool
    zones: tuple[str, ...]
    current: str | None
    done: tuple[str, ...]
    no_go: tuple[str, ...]
    tones: tuple[tuple[str, float], ...] = ()
    planned: bool = False


class _Part(NamedTuple):
    """A cell of the current zone, ready to be recoloured: shares of each half that the zone covers, and where it is."""

    x: int
    y: int
    mask: int
    ink: RGB
    ground: RGB
    ink_share: float
    ground_share: float
    along: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """The still picture, row by row, and the cells that move."""

    rows: tuple[tuple[Cell, ...], ...]
    parts: tuple[_Part, ...]
    box: tuple[int, int, int, int] | None

    def frame(self, phase: int, palette: Palette) -> dict[tuple[int, int], Cell]:
        """Return the recoloured cells of the current zone at ``phase`` (0 to PHASES - 1)."""
        head = -0.15 + 1.45 * (phase % PHASES) / (PHASES - 1)
        cells: dict[tuple[int, int], Cell] = {}
        for part in self.parts:
            behind = head - part.along
            # A short bright front and a longer tail: the eye reads the direction even from one still frame.
            glow = exp(-((behind / (0.34 if behind > 0 else 0.10)) ** 2))
            colour = mix(palette.now, palette.glow, 0.85 * glow) if glow > 0.02 else palette.now
            cells[part.x, part.y] = Cell(
                QUADRANTS[part.mask],
                mix(part.ink, colour, part.ink_share),
                mix(part.ground, colour, part.ground_share),
            )
        return cells


def size_for(columns: int, lines: int) -> tuple[int, int]:
    """Return the largest (columns, lines) of the portrait's shape that fits; cells are twice as high as wide."""
    height = max(1, lines)
    width = round(height * 2 * face.ASPECT)
    if width > columns:
        width = max(1, columns)
        height = max(1, round(width / (2 * face.ASPECT)))
    return width, height


@lru_cache(maxsize=256)
def _shape(name: str, width: int, height: int) -> Coverage:
    contours: Mapping[str, Sequence[Contour]] = {
        "outline": (face.OUTLINE,),
        "light": (face.LIGHT_PLANE,),
        "neck": (face.NECK,),
        "chin shadow": (face.CHIN_SHADOW,),
        "garment": (face.GARMENT,),
        "hair": (face.HAIR,),
        "hair light": (face.HAIR_LIGHT,),
        "band": (face.BAND,),
        "ears": face.EARS,
        "ear inners": face.EAR_INNERS,
        "sockets": face.SOCKETS,
        "lashes": face.LASHES,
        "brows": face.BROWS,
        "nostrils": face.NOSTRILS,
        "nose sides": face.NOSE_SIDES,
        "nose light": (face.NOSE_LIGHT,),
        "upper lip": (face.UPPER_LIP,),
        "lower lip": (face.LOWER_LIP,),
    }
    return coverage(contours[name], width * 2, height * 2)


@lru_cache(maxsize=128)
def zone_shape(zone: str, mirror: bool, width: int, height: int) -> Coverage:
    """Return the coverage of a zone on the grid of quarter cells (twice ``width`` by twice ``height``)."""
    found = face.area(zone, mirror=mirror)
    return Coverage(0, 0, ()) if found is None else coverage((found.outline,), width * 2, height * 2)


def zone_in(zones: Iterable[str], cell: tuple[int, int], *, mirror: bool, size: tuple[int, int]) -> str | None:
    """Return which of ``zones`` covers most of a ``cell`` of the map, None where none covers a tenth of it."""
    x, y = cell
    if not (0 <= x < size[0] and 0 <= y < size[1]):
        return None
    best, most = None, 0.1
    for zone in zones:
        shape = zone_shape(zone, mirror, *size)
        covered = sum(shape.at(2 * x + dx, 2 * y + dy) for dx in (0, 1) for dy in (0, 1)) / 4
        if covered > most:
            best, most = zone, covered
    return best


def _over(canvas: list[list[RGB]], shape: Coverage, colour: RGB, share: float = 1.0) -> None:
    for j, row in enumerate(shape.rows):
        y = shape.top + j
        if not 0 <= y < len(canvas):
            continue
        line = canvas[y]
        for i, covered in enumerate(row):
            if covered > 0.004:
                x = shape.left + i
                line[x] = mix(line[x], colour, min(1.0, covered) * share)


@lru_cache(maxsize=8)
def _portrait(width: int, height: int, palette: Palette) -> tuple[tuple[RGB, ...], ...]:
    """Return the face without zones, in quarter cells."""
    p = palette
    canvas = [[p.background] * (width * 2) for _ in range(height * 2)]

    def over(name: str, colour: RGB, share: float = 1.0) -> None:
        _over(canvas, _shape(name, width, height), colour, share)

    over("hair", p.hair)
    over("neck", p.neck)
    over("chin shadow", p.shade, 0.75)
    over("garment", p.garment)
    over("ears", p.skin_edge)
    over("ear inners", p.shade, 0.7)
    over("outline", p.skin_edge)
    over("light", p.skin)
    over("nose light", p.skin_light, 0.9)
    over("sockets", p.shade, 0.42)
    over("nose sides", p.shade, 0.5)
    over("nostrils", p.shade)
    over("brows", p.lash, 0.8)
    over("lashes", p.lash)
    over("upper lip", p.lips, 0.92)
    over("lower lip", mix(p.lips, p.skin_light, 0.22))
    over("hair light", p.hair_light, 0.8)
    over("band", p.band)
    return tuple(tuple(row) for row in canvas)


_FEATURES = (("brows", 0.8), ("lashes", 1.0))


def _mark(zone: str, look: Look) -> tuple[int, int] | None:
    """Return the cell nearest to the middle of a zone, where a sign of its state fits."""
    shape = zone_shape(zone, look.mirror, look.width, look.height)
    total, sx, sy = 0.0, 0.0, 0.0
    for j, row in enumerate(shape.rows):
        for i, covered in enumerate(row):
            total += covered
            sx += covered * (shape.left + i + 0.5)
            sy += covered * (shape.top + j + 0.5)
    if total <= 0:
        return None
    return min(look.width - 1, int(sx / total / 2)), min(look.height - 1, int(sy / total / 2))


class _Run(NamedTuple):
    """A stretch of quarter cells in one row, as they look under a zone's tint."""

    y: int
    left: int
    colours: tuple[RGB, ...]


@lru_cache(maxsize=256)
def _tinted(zone: str, look: Look, palette: Palette, *, colour: RGB, share: float) -> tuple[_Run, ...]:
    """Return a zone's tint on the bare portrait; ``look`` carries size and view alone, so that much can be reused.

    Zones do not lie on each other, so that tints can be put side by side whatever else has changed.
    """
    portrait = _portrait(look.width, look.height, palette)
    shape = zone_shape(zone, look.mirror, look.width, look.height)
    runs: list[_Run] = []
    for j, row in enumerate(shape.rows):
        under = portrait[shape.top + j]
        start = 0
        for covered, group in groupby(row, key=lambda amount: amount > 0.004):
            amounts = list(group)
            if covered:
                left = shape.left + start
                tint = (mix(under[left + k], colour, min(1.0, amount) * share) for k, amount in enumerate(amounts))
                runs.append(_Run(shape.top + j, left, tuple(tint)))
            start += len(amounts)
    return tuple(runs)


@lru_cache(maxsize=512)
def _row(upper: tuple[RGB, ...], lower: tuple[RGB, ...]) -> tuple[Cell, ...]:
    """Return one row of cells from two rows of quarter cells."""
    cells: list[Cell] = []
    for x in range(0, len(upper), 2):
        mask, ink, ground = best_block((upper[x], upper[x + 1], lower[x], lower[x + 1]))
        cells.append(Cell(QUADRANTS[mask], ink if mask else None, ground))
    return tuple(cells)


def _tint(zone: str, look: Look, palette: Palette) -> tuple[RGB, float] | None:
    """Return colour and share of a zone's tint; None for the current zone, which is drawn apart."""
    if zone in look.no_go:
        return palette.no_go, 0.9
    tones = dict(look.tones)
    if zone in tones:
        return palette.done_zone, 0.25 + 0.75 * tones[zone]
    if zone in look.done:
        return palette.done_zone, 0.92
    if look.planned:
        return mix(palette.zone, palette.now, 0.38), 0.8
    return None if zone == look.current else (palette.zone, 0.6)


@lru_cache(maxsize=24)
def draw(look: Look, palette: Palette) -> Drawing:
    """Return the map in colour, as quarter blocks with two colours a cell.

    Most of it is remembered from the zone before: what a change of zone costs is the rows in which something changed.
    """
    size = Look(look.width, look.height, look.mirror, (), None, (), ())
    canvas = [list(row) for row in _portrait(look.width, look.height, palette)]
    for zone in look.zones:
        tint = _tint(zone, look, palette)
        if tint is not None:
            for y, left, colours in _tinted(zone, size, palette, colour=tint[0], share=tint[1]):
                canvas[y][left : left + len(colours)] = colours
    for feature, share in _FEATURES:
        _over(canvas, _shape(feature, look.width, look.height), palette.lash, share)
    lit = canvas
    now = None
    if look.current is not None:
        now = zone_shape(look.current, look.mirror, look.width, look.height)
        lit = [list(row) for row in canvas]
        _over(lit, now, palette.now)
    rows = [list(_row(tuple(lit[2 * y]), tuple(lit[2 * y + 1]))) for y in range(look.height)]
    parts = () if now is None else tuple(_parts(now, canvas, lit, look))
    _sign(rows, look, palette)
    box = None
    if parts:
        xs, ys = [part.x for part in parts], [part.y for part in parts]
        box = (min(xs), min(ys), max(xs) + 1, max(ys) + 1)
    return Drawing(tuple(tuple(line) for line in rows), parts, box)


def _parts(now: Coverage, canvas: list[list[RGB]], lit: list[list[RGB]], look: Look) -> Iterable[_Part]:
    """Yield the cells that the current zone touches."""
    widest = max((len(row) for row in now.rows), default=0)
    for y in range(now.top // 2, min(look.height, (now.top + len(now.rows) + 1) // 2)):
        for x in range(now.left // 2, min(look.width, (now.left + widest + 1) // 2)):
            spots = ((2 * x, 2 * y), (2 * x + 1, 2 * y), (2 * x, 2 * y + 1), (2 * x + 1, 2 * y + 1))
            shares = [min(1.0, now.at(sx, sy)) for sx, sy in spots]
            if any(shares):
                a, b, c, d = (lit[sy][sx] for sx, sy in spots)
                under = [canvas[sy][sx] for sx, sy in spots]
                yield _part((x, y), best_block((a, b, c, d))[0], shares, under, look)


def _part(at: tuple[int, int], mask: int, shares: Sequence[float], under: Sequence[RGB], look: Look) -> _Part:
    inked = [bit for bit in range(4) if mask >> bit & 1]
    plain = [bit for bit in range(4) if not mask >> bit & 1]
    ink, ink_share = _mean(inked, shares, under)
    ground, ground_share = _mean(plain, shares, under)
    return _Part(*at, mask, ink, ground, ink_share, ground_share, _along(*at, look))


def _mean(bits: Sequence[int], shares: Sequence[float], under: Sequence[RGB]) -> tuple[RGB, float]:
    if not bits:
        return (0, 0, 0), 0.0
    n = len(bits)
    red, green, blue = (sum(under[bit][channel] for bit in bits) // n for channel in range(3))
    return (red, green, blue), sum(shares[bit] for bit in bits) / n


def _along(x: int, y: int, look: Look) -> float:
    """Return how far along the current stroke a cell lies: 0 where the wand is set down, 1 where it is lifted."""
    found = face.area(look.current or "", mirror=look.mirror)
    if found is None:
        return 0.0
    (x0, y0), (x1, y1), both_ways = found.stroke
    at = (x + 0.5) / look.width
    second = both_ways and at < 0.5
    if second:
        at = 1.0 - at
    # Measured in picture heights both ways, or the glow would lean.
    dx, dy = (x1 - x0) * face.ASPECT, y1 - y0
    px, py = (at - x0) * face.ASPECT, (y + 0.5) / look.height - y0
    along = (px * dx + py * dy) / (dx * dx + dy * dy)
    if both_ways:
        return (along + (1.2 if second else 0.0)) / 2.2
    return along


def _sign(rows: list[list[Cell]], look: Look, palette: Palette) -> None:
    """Give every state a shape besides its colour: a tick where it is done, a hatching where it must not be."""
    for zone in look.no_go:
        shape = zone_shape(zone, look.mirror, look.width, look.height)
        for x, y in _cells(shape, look):
            cell = rows[y][x]
            rows[y][x] = Cell(HATCH, palette.no_go_mark, cell.ground)
    ticks = [] if look.tones else [zone for zone in look.done if zone in look.zones and zone not in look.no_go]
    for zone in ticks:
        spot = _mark(zone, look)
        if spot is not None:
            x, y = spot
            rows[y][x] = Cell(TICK, mix(palette.done_zone, palette.text, 0.75), palette.done_zone, bold=True)


def _cells(shape: Coverage, look: Look, least: float = 0.45) -> Iterable[tuple[int, int]]:
    for y in range(shape.top // 2, min(look.height, (shape.top + len(shape.rows) + 1) // 2)):
        for x in range(look.width):
            covered = sum(shape.at(2 * x + dx, 2 * y + dy) for dx in (0, 1) for dy in (0, 1)) / 4
            if covered >= least:
                yield x, y


@lru_cache(maxsize=16)
def draw_plain(look: Look) -> Drawing:
    """Return the map without any colour: shades for the portrait, signs for the zones.

    Now is a solid block with arrows along the stroke, done is a tick, a zone to come is a point, no-go is hatched.
    """
    names = (("hair", "▒"), ("neck", "░"), ("garment", "░"), ("ears", "░"), ("outline", " "), ("band", "▓"))
    rows = [[" "] * look.width for _ in range(look.height)]
    for name, character in names:
        for x, y in _cells(_shape(name, look.width, look.height), look):
            rows[y][x] = character
    _edge(rows, look)
    for zone in look.zones:
        sign = TICK if zone in look.done else "·"
        for x, y in _cells(zone_shape(zone, look.mirror, look.width, look.height), look):
            rows[y][x] = sign
    for name, character in (("lashes", "─"), ("upper lip", "▄"), ("lower lip", "▀"), ("nostrils", "·")):
        for x, y in _cells(_shape(name, look.width, look.height), look, 0.3):
            rows[y][x] = character
    for zone in look.no_go:
        for x, y in _cells(zone_shape(zone, look.mirror, look.width, look.height), look):
            rows[y][x] = HATCH
    bold: set[tuple[int, int]] = set()
    if look.current is not None:
        arrow = _arrow(look.current, look.mirror)
        shape = zone_shape(look.current, look.mirror, look.width, look.height)
        for x, y in _cells(shape, look, 0.3):
            rows[y][x] = arrow if (x + y) % 2 else "█"
            bold.add((x, y))
    cells = tuple(
        tuple(Cell(character, None, None, (x, y) in bold) for x, character in enumerate(line))
        for y, line in enumerate(rows)
    )
    return Drawing(cells, (), None)


def _edge(rows: list[list[str]], look: Look) -> None:
    """Draw the sides of the face, where skin meets nothing, so that the shape reads without a tone."""
    outline = _shape("outline", look.width, look.height)
    inside = set(_cells(outline, look))
    for x, y in inside:
        if rows[y][x] == " " and ((x - 1, y) not in inside or (x + 1, y) not in inside or (x, y + 1) not in inside):
            rows[y][x] = "░"


_ARROWS = "→↗↑↖←↙↓↘"


def _arrow(zone: str, mirror: bool) -> str:
    """Return the arrow nearest to the way of a zone's stroke."""
    found = face.area(zone, mirror=mirror)
    if found is None:
        return "█"
    (x0, y0), (x1, y1), _ = found.stroke
    turn = atan2(y0 - y1, (x1 - x0) * face.ASPECT)
    return _ARROWS[round(turn / (pi / 4)) % 8]
