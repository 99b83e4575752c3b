"""The current that reaches the skin, as the device measures it: the last seconds as a small chart, and the number.

Told what was measured and when; knows no device, and no level that was asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from companion.widgets.bars import EIGHTHS
from companion.words.session import DELIVERED

COLUMN_S = 0.5
"""Seconds that one column stands for: a minute's stroke is seen whole where there is room, a lifted device at once."""
LONGEST = 240
"""Columns that are kept."""


def chart_lines(values: Sequence[float], most: float, height: int) -> list[str]:
    """Return ``height`` lines with one column a value: nothing for 0, full for ``most`` and for whatever is above."""
    most = max(most, 1e-9)
    # What flows is seen, however little it is: an empty column means that nothing does.
    eighths = [max(1 if value > 0 else 0, min(8 * height, round(8 * height * value / most))) for value in values]
    return [
        "".join(EIGHTHS[min(8, max(0, full - 8 * (height - 1 - row)))] for full in eighths) for row in range(height)
    ]


class Delivered(Widget):
    """The newest on the right. ``None`` shows nothing at all: between zones nothing is measured."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._values: deque[float] = deque(maxlen=LONGEST)
        self._column: int | None = None
        self._now: float | None = None
        self._most = 0.0

    @property
    def values(self) -> tuple[float, ...]:
        """What is drawn, in µA, the newest last."""
        return tuple(self._values)

    def show(self, current_ua: float | None, most_ua: float, at: float) -> None:
        """Show what flows ``at`` (seconds of any monotonic clock), in µA; a full column is ``most_ua``."""
        if current_ua is None:
            if self._now is not None:
                self._now = self._column = None
                self._values.clear()
                self.refresh()
            return
        before, column = (self._column, self._now, self._most), int(at / COLUMN_S)
        if column == self._column:
            self._values[-1] = current_ua
        else:
            passed = 1 if self._column is None else column - self._column
            self._values.extend([current_ua] * min(LONGEST, passed))
        self._column, self._now, self._most = column, current_ua, most_ua
        if before != (column, current_ua, most_ua):
            self.refresh()

    def render(self) -> Content:
        """Return the chart with the number at the end of its last line."""
        if self._now is None:
            return Content("")
        label = DELIVERED.format(ua=round(self._now))
        height = max(1, self.size.height)
        width = self.size.width - len(label) - 2
        if width < 4:
            return Content.styled(label[: self.size.width], "$foreground")
        lines = chart_lines(list(self._values)[-width:], self._most, height)
        parts: list[str | tuple[str, str]] = []
        for row, line in enumerate(lines):
            parts += ["\n"] if row else []
            parts.append((f"{line:>{width}}", "$now"))
        parts += ["  ", (label, "$foreground")]
        return Content.assemble(*parts)
