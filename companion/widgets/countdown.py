"""The countdown: the largest thing on the session screen, drawn from big numerals.

Given whole seconds to show; owns no clock. Its height decides its size.
"""

from __future__ import annotations

from textual.strip import Strip
from textual.widget import Widget

from companion.themes import palette_of
from companion.widgets import numerals
from companion.widgets.strips import strip_of


def clock_text(seconds: float) -> str:
    """Return ``m:ss``, rounded up so that 0:00 means that the time is over."""
    whole = max(0, -int(-seconds // 1))
    return f"{whole // 60}:{whole % 60:02d}"


class Countdown(Widget):
    """Big figures; ``tone`` is ``text``, ``now`` or ``muted``."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._text = ""
        self._tone = "text"

    @property
    def text(self) -> str:
        """What is shown, for tests and for readers of the screen."""
        return self._text

    def show(self, text: str, tone: str = "text") -> None:
        """Show figures and colons, or nothing; draws again only when something changed."""
        if (text, tone) != (self._text, self._tone):
            self._text, self._tone = text, tone
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return one line of the figures."""
        width, lines = self.size
        if self.app.no_color:
            ink = ground = None
        else:
            palette = palette_of(self.app.theme)
            ground = palette.background
            ink = {"now": palette.now, "muted": palette.muted}.get(self._tone, palette.text)
        rows = numerals.draw(self._text, lines, ink, ground)
        cells = rows[y][:width] if y < len(rows) else []
        return strip_of(cells, after=width - len(cells), ground=ground)
