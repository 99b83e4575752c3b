"""Cells into Textual strips: equal neighbours become one segment, and styles are made once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual._styles_cache import StylesCache
from textual.strip import Strip

from companion.palette import RGB
from companion.widgets.portrait import Cell


@lru_cache(maxsize=4096)
def style_of(ink: RGB | None, ground: RGB | None, bold: bool = False) -> Style:
    """Return the style of a cell; a colour that is None is left to the terminal."""
    return Style(
        color=None if ink is None else Color.from_rgb(*ink),
        bgcolor=None if ground is None else Color.from_rgb(*ground),
        bold=bold or None,
    )


def segments_of(cells: Sequence[Cell], *, before: int = 0, after: int = 0, ground: RGB | None = None) -> list[Segment]:
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
    return segments


def strip_of(cells: Sequence[Cell], *, before: int = 0, after: int = 0, ground: RGB | None = None) -> Strip:
    """Return the same as a strip."""
    segments = segments_of(cells, before=before, after=after, ground=ground)
    return Strip(segments, max(0, before) + len(cells) + max(0, after))


def forget_lines() -> None:
    """Let go of the lines of widgets that are gone.

    Textual remembers two colours for each widget with the widget's whole memory of lines as part of the key, and so
    keeps the last thousand widgets' lines: half a million objects after twenty sessions
    (textual/_styles_cache.py, ``StylesCache.get_inner_outer`` under ``lru_cache``, 8.2.8).
    """
    StylesCache.get_inner_outer.cache_clear()
