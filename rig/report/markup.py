"""HTML and SVG from elements whose text and attributes are escaped by construction.

What it makes is well-formed XML as well as HTML. Refuses to know what is on the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from rig.capture.text import printable


class Markup(str):
    """Text that is markup already. Everything else that :func:`tag` is given is text, and is escaped."""

    __slots__ = ()


def text(value: str) -> Markup:
    """``value`` as it reads: escaped, and what is not printable spelled out by its code; markup as it is.

    Joiners are left alone between other characters, as Persian and many emoji are written with them.
    """
    return value if isinstance(value, Markup) else Markup(escape(_joined(value)))


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """One element.

    Args:
        name: of the element.
        children: text, which is escaped, and markup, which is not.
        attributes: values are escaped; None leaves the attribute out, "" stands for one that needs no value. In names
            an underscore at the end (``class_``) is dropped and any other becomes a hyphen (``aria_label``).
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = joined(children)
    return Markup(f"<{name}{told}>{inside}</{name}>" if inside or name not in _VOID else f"<{name}{told} />")


def joined(parts: Iterable[str], between: str = "") -> Markup:
    """Text and markup one after the other; ``between`` is text, too."""
    return Markup(text(between).join(text(part) for part in parts))


_VOID = frozenset({"meta", "br", "hr", "col", "path", "line", "rect", "circle", "polyline"})
"""Elements that end where they begin, in HTML by definition and in SVG where they have no children."""


_JOINERS = re.compile("(?<=[^\x00-\x7f])([\u200c\u200d])(?=[^\x00-\x7f])")


def _joined(value: str) -> str:
    """What is printable of ``value``, joiners between two characters of other scripts than ASCII among it."""
    parts = _JOINERS.split(value)  # every second one is a joiner
    return "".join(part if index % 2 else printable(part) for index, part in enumerate(parts))


def _value(value: str | float) -> str:
    """Numbers with at most two decimals: a hundredth of a pixel is beyond any eye, and the page stays small."""
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
