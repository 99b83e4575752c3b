"""A session's level over its seconds, its zones below, and one second under the hand.

Told a replay; asks nobody.
"""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from companion.palette import mix
from companion.session.model import JournalKind
from companion.themes import palette_of
from companion.widgets.bars import EIGHTHS
from companion.widgets.countdown import clock_text
from companion.widgets.portrait import Cell
from companion.widgets.replay import Replay
from companion.widgets.strips import strip_of

SIGNS = {
    JournalKind.PAUSED: "‖",
    JournalKind.RESUMED: "▸",
    JournalKind.LINK_LOST: "\N{MULTIPLICATION SIGN}",
    JournalKind.SENSATION: "♦",
    JournalKind.WARNING: "!",
    JournalKind.WATER: "!",
}
_ZONE, _ZONE_PLAIN = "━", ("━", "═")
_BELOW = 2
_ABOVE = 1


class Trace(Widget):
    """The chart: signs of what was noted, the level, the zones, and the time."""

    ALLOW_SELECT = False

    class Pointed(Message):
        """The person clicked a moment, in seconds since the session's start."""

        def __init__(self, t: float) -> None:
            super().__init__()
            self.t = t

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._replay: Replay | None = None
        self._t = 0.0

    def show(self, replay: Replay, t: float) -> None:
        """Show a session, with second ``t`` under the hand."""
        if (replay, t) != (self._replay, self._t):
            self._replay, self._t = replay, t
            self.refresh()

    def _span(self, replay: Replay) -> float:
        return max(1.0, replay.length_s)

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        width, height = self.size
        plain = self.app.no_color
        palette = palette_of(self.app.theme)
        ground = None if plain else palette.background
        replay = self._replay
        if replay is None or width < 2:
            return strip_of((), before=width, ground=ground)
        step = self._span(replay) / width
        hand = min(width - 1, int(self._t / step))
        top = max(1, replay.highest)
        lines = height - _BELOW - _ABOVE
        cells: list[Cell] = []
        if y == height - 1:
            middle = clock_text(self._span(replay) / 2)
            ends = clock_text(self._span(replay))
            text = f"0:00{middle:^{max(0, width - 4 - len(ends))}}{ends}"
            cells = [Cell(one, None if plain else palette.muted, ground) for one in text[:width]]
            return strip_of(cells, after=width - len(cells), ground=ground)
        signs = {min(width - 1, int(one.t / step)): SIGNS[one.kind] for one in replay.happenings if one.kind in SIGNS}
        for x in range(width):
            begins, ends_at = x * step, (x + 1) * step
            here = x == hand
            back = ground if plain or not here else palette.raised
            if y == 0:
                sign = signs.get(x, " ")
                ink = palette.now if here else palette.muted
                cells.append(Cell("▼" if here and sign == " " else sign, None if plain else ink, back, bold=here))
                continue
            if y == height - _BELOW:
                index = replay.stay_at((begins + ends_at) / 2)
                if index is None:
                    cells.append(Cell(" ", None, back))
                    continue
                lit = index == replay.stay_at(self._t)
                shade = (
                    palette.now
                    if lit
                    else palette.done
                    if index % 2 == 0
                    else mix(palette.done, palette.background, 0.5)
                )
                cells.append(Cell(_ZONE_PLAIN[index % 2] if plain else _ZONE, None if plain else shade, back, bold=lit))
                continue
            row = y - _ABOVE
            eighths = round(replay.highest_between(begins, ends_at) / top * lines * 8)
            full = min(8, max(0, eighths - 8 * (lines - 1 - row)))
            past = mix(palette.done, palette.background, 0.2)
            ink = palette.now if here else past if x < hand else mix(palette.muted, palette.background, 0.45)
            empty = "│" if here else " "
            cells.append(Cell(EIGHTHS[full] if full else empty, None if plain else ink, back, bold=here))
        return strip_of(cells, after=width - len(cells), ground=ground)

    def on_click(self, event: events.Click) -> None:
        """Tell which moment was clicked."""
        if self._replay is not None and self.size.width:
            event.stop()
            self.post_message(self.Pointed((event.x + 0.5) * self._span(self._replay) / self.size.width))
