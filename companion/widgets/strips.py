"""Cells into Textual strips: equal neighbours become one segment, and styles are made once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from companion.palette import RGB
from companion.widgets.portrait import Cell


@lru_cache(maxsize=16384)
def style_of(ink: RGB | None, ground: RGB | None, bold: bool = False) -> Style:
    """Return the style of a cell; a colour that is None is left to the terminal."""
    return Style(
        color=None if ink is None else Color.from_rgb(*ink),
        bgcolor=None if ground is None else Color.from_rgb(*ground),
        bold=bold or None,
    )


def strip_of(cells: Sequence[Cell], *, before: int = 0, after: int = 0, ground: RGB | None = None) -> Strip:
    """Return one line of cells with ``before`` and ``after`` empty columns of ``ground`` around it."""
    empty = style_of(None, ground)
    segments = [Segment(" " * before, empty)] if before > 0 else []
    text, last = "", empty
    for character, ink, back, bold in cells:
        style = style_of(ink, back, bold)
        if style is not last and text:
            segments.append(Segment(text, last))
            text = ""
        text, last = text + character, style
    if text:
        segments.append(Segment(text, last))
    if after > 0:
        segments.append(Segment(" " * after, empty))
    return Strip(segments, max(0, before) + len(cells) + max(0, after))
