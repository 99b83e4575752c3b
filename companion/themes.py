"""The two themes of the app for Textual, made from the palettes, and the choice between them.

``COMPANION_THEME`` (``dark``, ``light``) decides where it is set; otherwise the terminal's own ``COLORFGBG`` does;
otherwise the dark one is used, because most terminals are.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.theme import Theme

from companion.palette import DARK, LIGHT, Palette, hexed

DARK_NAME = "microcurrent-dark"
LIGHT_NAME = "microcurrent-light"


def _theme(name: str, palette: Palette) -> Theme:
    return Theme(
        name=name,
        dark=palette.dark,
        primary=hexed(palette.now),
        secondary=hexed(palette.done),
        accent=hexed(palette.now),
        success=hexed(palette.done),
        warning=hexed(palette.now),
        error=hexed(palette.stop_text),
        foreground=hexed(palette.text),
        background=hexed(palette.background),
        surface=hexed(palette.background),
        panel=hexed(palette.raised),
        boost=hexed(palette.raised),
        text_alpha=1.0,
        variables={
            "muted": hexed(palette.muted),
            "faint": hexed(palette.faint),
            "now": hexed(palette.now),
            "done": hexed(palette.done),
            "raised": hexed(palette.raised),
            "stop-text": hexed(palette.stop_text),
            "stop-background": hexed(palette.stop_background),
            "scrollbar": hexed(palette.faint),
            "scrollbar-hover": hexed(palette.muted),
            "scrollbar-active": hexed(palette.muted),
            "scrollbar-background": hexed(palette.background),
            "scrollbar-background-hover": hexed(palette.background),
            "scrollbar-background-active": hexed(palette.background),
            "scrollbar-corner-color": hexed(palette.background),
        },
    )


THEMES = (_theme(DARK_NAME, DARK), _theme(LIGHT_NAME, LIGHT))


def palette_of(theme_name: str) -> Palette:
    """Return the palette behind a theme's name; every other theme is treated as dark."""
    return LIGHT if theme_name == LIGHT_NAME else DARK


def preferred(environ: Mapping[str, str]) -> str:
    """Return the name of the theme to begin with.

    ``COLORFGBG`` is ``foreground;background`` in the sixteen colours, as rxvt, Konsole and others set it: 7 and 9 to 15
    are bright grounds.
    """
    wish = environ.get("COMPANION_THEME", "").strip().lower()
    if wish in {"dark", "light"}:
        return LIGHT_NAME if wish == "light" else DARK_NAME
    ground = environ.get("COLORFGBG", "").rpartition(";")[2]
    if ground.isdigit() and (int(ground) == 7 or 9 <= int(ground) <= 15):
        return LIGHT_NAME
    return DARK_NAME


def other(theme_name: str) -> str:
    """Return the theme that the toggle leads to."""
    return DARK_NAME if theme_name == LIGHT_NAME else LIGHT_NAME
