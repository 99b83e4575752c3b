"""What a terminal shows, cell by cell: as text that is kept and read in a diff, and as a picture.

The text has three parts: the characters, the ink of each (a letter), and the ground where it is not the theme's own.
The letters stand for the colours of the palette by name, so that both themes are one text wherever they agree.
Knows the palettes and nothing of any screen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from itertools import groupby
from typing import Any, Final, NamedTuple

from rich.cells import cell_len
from textual.app import App
from textual.strip import Strip

from companion.palette import DARK, LIGHT, RGB, Palette, colours, hexed, mix
from companion.themes import palette_of

LETTERS: Final[Mapping[str, str]] = {
    "text": ".", "muted": "m", "faint": "f", "now": "n", "glow": "g", "done": "d", "stop_text": "r",
    "stop_background": "q", "background": "b", "raised": "a", "skin": "s", "skin_edge": "e", "skin_light": "l",
    "zone": "z", "done_zone": "o", "no_go": "x", "no_go_mark": "k", "hair": "h", "hair_light": "i", "band": "w",
    "neck": "c", "shade": "v", "lash": "y", "lips": "p", "garment": "t",
}  # fmt: skip
"""The letter of each colour of the palette, small for plain and large for bold; bold ``.`` is ``:``."""

MIXED: Final = "0123456789$%&*+=?@"
"""What stands for a colour that is a mixture, in order of appearance; bold is not told apart."""

UNKNOWN: Final = "~"
"""A mixture after all of :data:`MIXED` are given away."""

THEMES: Final[Mapping[str, Palette]] = {"dark": DARK, "light": LIGHT}
PARTS: Final = ("text", "ink", "ground", "mixed")

PART_OF_A_PICTURE: Final = "▒"
"""What stands for a cell of a picture; its ink is then the name that is nearest to its mean colour."""

_PLAIN: Final = ("text", "muted", "faint", "now", "done", "stop_text", "stop_background", "background", "raised")
_FLAT: Final = 3  # cells of one mixture side by side that are a ground, and not a part of a picture


class Cell(NamedTuple):
    """One character with the colours of its ink and its ground, both ``#rrggbb``; empty after one of two columns."""

    character: str
    ink: str
    ground: str
    bold: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A whole screen: rows of cells, and the palette that it was drawn with."""

    title: str
    palette: Palette
    rows: tuple[tuple[Cell, ...], ...] = field(repr=False)

    @classmethod
    def by(cls, app: App[Any], strips: Sequence[Strip]) -> Shown:
        """Return ``strips`` as cells, drawn by the app with the theme that it has now.

        Raises:
            ValueError: a row is not as wide as the terminal.
        """
        palette = palette_of(app.theme)
        text, ground = hexed(palette.text), hexed(palette.background)
        rows: list[tuple[Cell, ...]] = []
        for number, strip in enumerate(strips):
            cells: list[Cell] = []
            for characters, style, _ in strip:
                ink, back, bold = text, ground, False
                if style is not None:
                    ink, back, bold = _hex(style.color) or text, _hex(style.bgcolor) or ground, bool(style.bold)
                    if style.reverse:
                        ink, back = back, ink
                each = {one: Cell(one, ink, back, bold) for one in {*characters, ""}}
                cells += [each[one] for one in _columns(characters)]
            if len(cells) != app.size.width:
                raise ValueError(f"line {number + 1} has {len(cells)} cells in {app.size.width} columns")
            rows.append(tuple(cells))
        return cls(app.title, palette, tuple(rows))

    @property
    def text(self) -> str:
        """The characters, line by line."""
        return "\n".join("".join(cell.character for cell in row).rstrip() for row in self.rows)

    def svg(self, marked: Collection[tuple[int, int]] = ()) -> str:
        """Return it as a picture; ``marked`` are cells (line, column) to frame."""
        return _svg(self, marked)


def strips_of(app: App[Any]) -> list[Strip]:
    """What the app shows now, as Textual has it: what ``App.export_screenshot`` reads as well."""
    return app.screen._compositor.render_strips(app.size)


def _columns(text: str) -> list[str]:
    """The characters of a text, one a column; after a wide one an empty one."""
    if len(text) == cell_len(text):
        return list(text)
    return [part for one in text for part in (one, *[""] * (cell_len(one) - 1))]


def _hex(colour: Any) -> str | None:
    triplet = getattr(colour, "triplet", None)
    return None if triplet is None else hexed(triplet)


# --- as text ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Written:
    """One theme's rows of letters, and the mixtures in them."""

    text: list[str]
    ink: list[str]
    ground: list[str]
    mixed: dict[str, str] = field(default_factory=dict)  # colour to letter


def _write(shown: Shown) -> _Written:
    names = {hexed(value): LETTERS[name] for name, value in reversed(colours(shown.palette).items())}
    plain = {hexed(colours(shown.palette)[name]) for name in _PLAIN}
    written = _Written([], [], [])

    def letter(colour: str) -> str:
        if colour in names:
            return names[colour]
        if colour not in written.mixed:
            left = MIXED[len(written.mixed) :]
            written.mixed[colour] = left[0] if left else UNKNOWN
        return written.mixed[colour]

    own = hexed(shown.palette.background)
    for row in shown.rows:
        runs = [len(list(run)) for _, run in groupby(row, lambda cell: cell.ground)]
        flat = [size for size in runs for _ in range(size)]
        known: dict[tuple[Cell, bool], tuple[str, str, str]] = {}
        parts: list[tuple[str, str, str]] = []
        for cell, size in zip(row, flat, strict=True):
            seen = (cell, size >= _FLAT)
            if seen not in known:
                known[seen] = _parts(cell, letter, plain, own, flat=size >= _FLAT, palette=shown.palette)
            parts.append(known[seen])
        for lines, line in zip((written.text, written.ink, written.ground), zip(*parts, strict=True), strict=True):
            lines.append("".join(line).rstrip())
    return written


def _parts(
    cell: Cell, letter: Callable[[str], str], plain: Collection[str], own: str, *, flat: bool, palette: Palette
) -> tuple[str, str, str]:
    """The character of a cell with the letters of its ink and ground."""
    if cell.character == " ":
        picture = cell.ground not in plain and not flat
    else:
        picture = bool(_blocks(cell.character)) and not {cell.ink, cell.ground} <= set(plain)
    if picture:
        # In a picture hundreds of shades meet: its own tests know them, here their means tell enough.
        return PART_OF_A_PICTURE, _nearest(_mean(cell), palette), " "
    ink = letter(cell.ink) if cell.character.strip() else " "
    ink = {".": ":"}.get(ink, ink.upper()) if cell.bold else ink
    return cell.character, ink, letter(cell.ground) if cell.ground != own else " "


def _rgb(colour: str) -> RGB:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mean(cell: Cell) -> str:
    inked = sum(width * height for _, _, width, height in _blocks(cell.character)) / (_CELL_W * _CELL_H)
    return hexed(mix(_rgb(cell.ground), _rgb(cell.ink), inked))


@cache
def _nearest(colour: str, palette: Palette) -> str:
    known = colours(palette)
    here = _rgb(colour)
    return LETTERS[min(known, key=lambda name: sum((a - b) ** 2 for a, b in zip(here, known[name], strict=True)))]


class Place(NamedTuple):
    """Where a line is in a kept screen: part, and line from 1 on; of the mixtures their letter."""

    part: str
    line: str


Kept = dict[Place, dict[str, str]]
"""What a kept screen says: at each place what each theme has there. What is empty is not in it."""


def kept(dark: Shown, light: Shown) -> Kept:
    """Return what there is to keep of a screen in both themes."""
    found: Kept = {}
    for theme, shown in (("dark", dark), ("light", light)):
        written = _write(shown)
        for part in PARTS[:3]:
            for number, line in enumerate(getattr(written, part), 1):
                if line or part == "text":
                    found.setdefault(Place(part, str(number)), {})[theme] = line
        for colour, letter in written.mixed.items():
            if letter != UNKNOWN:
                found.setdefault(Place("mixed", letter), {})[theme] = colour
    return found


def dump(title: str, said: Kept) -> str:
    """Return a kept screen as text: one line a place, two where the themes differ."""
    lines = [title]
    for part in PARTS:
        places = [place for place in said if place.part == part]
        if places:
            lines += ["", part]
        order = MIXED.index if part == "mixed" else int
        for place in sorted(places, key=lambda one: order(one.line)):
            themes = said[place]
            if themes.get("dark") == themes.get("light"):
                lines.append(f"{place.line:>2}      |{themes['dark']}")
            else:
                lines += [f"{place.line:>2} {theme:<5}|{themes[theme]}" for theme in THEMES if theme in themes]
    return "\n".join(lines) + "\n"


_LINE = re.compile(r"(?P<line>[ \d]\S) (?P<theme>dark |light|     )\|(?P<said>.*)")


def load(text: str) -> Kept:
    """Return what :func:`dump` wrote.

    Raises:
        ValueError: a line is none of it.
    """
    found: Kept = {}
    part = ""
    for number, line in enumerate(text.splitlines()[1:], 2):
        match = _LINE.fullmatch(line)
        if line in PARTS:
            part = line
        elif match is not None and part:
            themes = [match["theme"].strip()] if match["theme"].strip() else list(THEMES)
            found.setdefault(Place(part, match["line"].strip()), {}).update(dict.fromkeys(themes, match["said"]))
        elif line:
            raise ValueError(f"line {number} is no part of a kept screen: {line!r}")
    return found


def differences(old: Kept, new: Kept) -> list[tuple[Place, str, str, str]]:
    """Return where they differ: place, theme (``dark``, ``light`` or ``both themes``), and what each has there."""
    order = {part: number for number, part in enumerate(PARTS)}
    found: list[tuple[Place, str, str, str]] = []
    for place in sorted({*old, *new}, key=lambda one: (order[one.part], one.line.rjust(3))):
        before, after = (said.get(place, {}) for said in (old, new))
        each = [(theme, before.get(theme, ""), after.get(theme, "")) for theme in THEMES]
        if each[0][1:] == each[1][1:]:
            each = [("both themes", *each[0][1:])]
        found += [(place, theme, one, other) for theme, one, other in each if one != other]
    return found


def redrawn(said: Kept, theme: str, size: tuple[int, int], title: str) -> Shown:
    """Return a kept screen as cells again: pictures in the nearest colours of the palette."""
    palette = THEMES[theme]
    named = {letter: hexed(colours(palette)[name]) for name, letter in LETTERS.items()}
    named |= {place.line: each[theme] for place, each in said.items() if place.part == "mixed" and theme in each}
    named |= {" ": hexed(palette.background), ":": named["."], UNKNOWN: named["m"]}
    named |= {letter.upper(): colour for letter, colour in named.items()}

    width, height = size

    def row(number: int) -> tuple[Cell, ...]:
        parts = (said.get(Place(part, str(number)), {}).get(theme, "") for part in PARTS[:3])
        text, ink, ground = (part + " " * width for part in parts)
        columns = _columns(text.replace(PART_OF_A_PICTURE, "█"))
        return tuple(
            Cell(character, named.get(fore, named["m"]), named.get(back, named["b"]), fore == ":" or fore.isupper())
            for character, fore, back in zip(columns[:width], ink[:width], ground[:width], strict=True)
        )

    return Shown(title, palette, tuple(row(number) for number in range(1, height + 1)))


# --- as a picture -----------------------------------------------------------------------------------------------------

_CELL_W, _CELL_H, _PAD = 10, 20, 14
_QUADRANTS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
_LOWER, _LEFT = " ▁▂▃▄▅▆▇", " ▏▎▍▌▋▊▉"
_DRAWN = (_QUADRANTS + _LOWER + _LEFT).replace(" ", "")
_WORDS = re.compile(rf"[^\s{_DRAWN}]+(?: [^\s{_DRAWN}]+)*")
_FRAME = "#e0218a"

_Box = tuple[int, int, int, int]  # left, top, width, height, in pixels


def _svg(shown: Shown, marked: Collection[tuple[int, int]]) -> str:
    """Blocks are drawn as paths and not as characters: a picture then has no seams, whatever fonts a browser has."""
    ground, ink = hexed(shown.palette.background), hexed(shown.palette.text)
    grounds: dict[str, list[_Box]] = {}
    blocks: dict[str, list[_Box]] = {}
    words: list[str] = []
    for y, row in enumerate(shown.rows):
        x = 0
        for (paper, _, _), run in groupby(row, _brush):
            cells = list(run)
            if paper != ground:
                grounds.setdefault(paper, []).append((x * _CELL_W, y * _CELL_H, len(cells) * _CELL_W, _CELL_H))
            x += len(cells)
    for y, row in enumerate(shown.rows):
        x = 0
        for (_, fore, bold), run in groupby(row, _brush):
            text = "".join(cell.character or " " for cell in run)  # the second column of a wide one is empty
            for offset, character in enumerate(text):
                for left, top, width, height in _blocks(character):
                    box = ((x + offset) * _CELL_W + left, y * _CELL_H + top, width, height)
                    blocks.setdefault(fore, []).append(box)
            for part in _WORDS.finditer(text):
                colour = "" if fore == ink else f' fill="{fore}"'
                weight = ' font-weight="bold"' if bold else ""
                words.append(
                    f'<text x="{(x + part.start()) * _CELL_W}" y="{y * _CELL_H + 15}" '
                    f'textLength="{len(part[0]) * _CELL_W}"{colour}{weight}>{escape(part[0])}</text>'
                )
            x += len(text)
    frames = "".join(f"M{x * _CELL_W} {y * _CELL_H}h{_CELL_W}v{_CELL_H}h-{_CELL_W}z" for y, x in sorted(marked))
    width, height = len(shown.rows[0]) * _CELL_W + 2 * _PAD, len(shown.rows) * _CELL_H + 2 * _PAD
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-_PAD} {-_PAD} {width} {height}" '
        f'width="{width}" height="{height}"><title>{escape(shown.title)}</title>\n'
        f'<rect x="{-_PAD}" y="{-_PAD}" width="{width}" height="{height}" rx="10" fill="{ground}"/>\n'
        '<g shape-rendering="crispEdges">\n'
        + "".join(
            f'<path fill="{colour}" d="{_path(each)}"/>\n'
            for layer in (grounds, blocks)
            for colour, each in layer.items()
        )
        + f'</g>\n<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="16.6" fill="{ink}">\n'
        + "\n".join(words)
        + "\n</g>\n"
        + (f'<path fill="none" stroke="{_FRAME}" stroke-width="2" d="{frames}"/>\n' if frames else "")
        + "</svg>\n"
    )


def _brush(cell: Cell) -> tuple[str, str, bool]:
    return cell.ground, cell.ink, cell.bold


def _blocks(character: str) -> list[_Box]:
    """The parts of a cell that a block element fills."""
    if character == " ":
        return []
    if character in _QUADRANTS:
        mask = _QUADRANTS.index(character)
        return [(5 * (bit & 1), 10 * (bit >> 1), 5, 10) for bit in range(4) if mask >> bit & 1]
    if character in _LOWER:
        height = round(_CELL_H * _LOWER.index(character) / 8)
        return [(0, _CELL_H - height, _CELL_W, height)]
    if character in _LEFT:
        return [(0, 0, round(_CELL_W * _LEFT.index(character) / 8), _CELL_H)]
    return []


def _path(boxes: list[_Box]) -> str:
    """Boxes of one colour as the data of one path; those that touch side by side are one."""
    joined: list[_Box] = []
    for left, top, width, height in sorted(boxes, key=lambda box: (box[1], box[3], box[0])):
        if joined:
            before = joined[-1]
            if before[1] == top and before[3] == height and before[0] + before[2] == left:
                joined[-1] = (before[0], top, before[2] + width, height)
                continue
        joined.append((left, top, width, height))
    return "".join(f"M{left} {top}h{width}v{height}h-{width}z" for left, top, width, height in joined)
