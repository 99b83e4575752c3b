"""The intensity as a line: how much of the comfortable maximum is on now, and where it is going.

Draws two shares; knows no current and no device.
"""

from __future__ import annotations

from textual.content import Content
from textual.widget import Widget

FULL, COMING, REST, TARGET = "━", "╍", "─", "┃"


def meter_text(now: float, target: float, width: int) -> tuple[str, str, str, str]:
    """Return the four pieces of the line (reached, on the way, target mark, rest); together ``width`` characters."""
    width = max(3, width)
    filled = round(max(0.0, min(1.0, now)) * (width - 1))
    mark = round(max(0.0, min(1.0, target)) * (width - 1))
    if mark < filled:
        return FULL * mark, "", TARGET, FULL * (filled - mark) + REST * (width - 1 - filled)
    return FULL * filled, COMING * (mark - filled), TARGET, REST * (width - 1 - mark)


class Meter(Widget):
    """One line: thick as far as it is on now, dashed on the way to the target, an upright mark at the target."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._now = 0.0
        self._target = 0.0

    def show(self, now: float, target: float) -> None:
        """Show two shares of the comfortable maximum, 0 to 1."""
        if (now, target) != (self._now, self._target):
            self._now, self._target = now, target
            self.refresh()

    def render(self) -> Content:
        """Return the line."""
        reached, coming, mark, rest = meter_text(self._now, self._target, self.size.width)
        return Content.assemble(
            (reached, "bold $now"), (coming, "$now"), (mark, "bold $foreground"), (rest, "$faint"), end=""
        )
