"""The face map as a widget: the portrait with its zones, and the glow that shows how the wand should move.

Told what to show; asks nobody. Redraws the whole picture when zones, size or theme change, and for a frame of the glow
only the lines of the current zone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from companion.palette import RGB
from companion.themes import palette_of
from companion.widgets.portrait import PHASES, Cell, Drawing, Look, draw, draw_plain, size_for, zone_in
from companion.widgets.strips import segments_of, strip_of

SWEEP_S = 2.2
"""Seconds of one stroke of the glow: slow, because the wand should be."""


@lru_cache(maxsize=512)
def _still(cells: tuple[Cell, ...], before: int, after: int, ground: RGB | None) -> tuple[Segment, ...]:
    """Return a line in which nothing moves, from memory where it was the same in the picture before.

    Segments and not a strip: a strip remembers every way in which it was ever cut and styled, and those memories have
    memories of their own (textual/strip.py, ``Strip.__init__``), so that one kept for ever grows for ever.
    """
    return tuple(segments_of(cells, before=before, after=after, ground=ground))


class _Shown(NamedTuple):
    zones: tuple[str, ...] = ()
    current: str | None = None
    done: tuple[str, ...] = ()
    no_go: tuple[str, ...] = ()
    tones: tuple[tuple[str, float], ...] = ()
    planned: bool = False


class FaceMap(Widget):
    """The map. ``mirror`` True (the default) draws the person's left on the left, as above the basin."""

    class Touched(Message):
        """The person clicked on a zone of the map."""

        def __init__(self, zone: str) -> None:
            super().__init__()
            self.zone = zone

    def __init__(self, *, mirror: bool = True, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._mirror = mirror
        self._shown = _Shown()
        self._phase = PHASES // 2
        self._strips: dict[tuple[int, int], Strip] = {}
        self._key: tuple[Look, str, bool] | None = None
        self._drawing: Drawing | None = None

    def show(
        self,
        *,
        zones: tuple[str, ...],
        current: str | None = None,
        done: tuple[str, ...] = (),
        no_go: tuple[str, ...] = (),
        tones: tuple[tuple[str, float], ...] = (),
        planned: bool = False,
    ) -> None:
        """Show these zones.

        ``tones`` (zone, 0 to 1) shows how long each was treated instead of a plain done; ``planned`` brings out the
        zones that a routine would treat.
        """
        wanted = _Shown(zones, current, done, no_go, tones, planned)
        if wanted != self._shown:
            self._shown = wanted
            self.refresh()

    def turn(self, *, mirror: bool) -> None:
        """Show the face as a mirror does, or as someone who stands in front of it."""
        if mirror != self._mirror:
            self._mirror = mirror
            self.refresh()

    @property
    def mirror(self) -> bool:
        """Whether the person's left is on the left of the picture."""
        return self._mirror

    @property
    def current(self) -> str | None:
        """The zone that is lit."""
        return self._shown.current

    def tick(self, now: float) -> None:
        """Move the glow to where it is at ``now`` (seconds on any clock)."""
        if self._shown.current is None or self.app.animation_level == "none" or self.app.no_color:
            return
        phase = int(now % SWEEP_S / SWEEP_S * PHASES)
        if phase == self._phase:
            return
        self._phase = phase
        drawing = self._draw()
        if drawing.box is not None:
            left, top, right, bottom = drawing.box
            before, above = self._margins()
            self.refresh(Region(before + left, above + top, right - left, bottom - top))

    def zone_at(self, x: int, y: int) -> str | None:
        """The shown zone that covers most of the cell at ``x``, ``y`` of the widget, None where none does."""
        width, height = size_for(self.size.width, self.size.height)
        before, above = self._margins()
        return zone_in(self._shown.zones, (x - before, y - above), mirror=self._mirror, size=(width, height))

    def on_click(self, event: events.Click) -> None:
        """Tell which zone was clicked."""
        zone = self.zone_at(event.x, event.y)
        if zone is not None:
            event.stop()
            self.post_message(self.Touched(zone))

    def _look(self) -> Look:
        width, height = size_for(self.size.width, self.size.height)
        return Look(width, height, self._mirror, *self._shown)

    def _margins(self) -> tuple[int, int]:
        width, height = size_for(self.size.width, self.size.height)
        return (self.size.width - width) // 2, self.size.height - height

    def _draw(self) -> Drawing:
        key = (self._look(), self.app.theme, self.app.no_color)
        if key != self._key or self._drawing is None:
            self._key = key
            self._strips.clear()
            self._drawing = draw_plain(key[0]) if key[2] else draw(key[0], palette_of(key[1]))
        return self._drawing

    def _ground(self) -> RGB | None:
        return None if self.app.no_color else palette_of(self.app.theme).background

    def render_line(self, y: int) -> Strip:
        """Return one line, from memory where this line was drawn at this phase before."""
        drawing = self._draw()
        before, above = self._margins()
        width = self.size.width
        row = y - above
        if not 0 <= row < len(drawing.rows):
            return strip_of((), before=width, ground=self._ground())
        moving = drawing.box is not None and drawing.box[1] <= row < drawing.box[3]
        phase = self._phase if moving else -1
        strip = self._strips.get((row, phase))
        if strip is None:
            cells = drawing.rows[row]
            after = width - before - len(cells)
            if moving:
                frame = drawing.frame(phase, palette_of(self.app.theme))
                lit = [frame.get((x, row), cell) for x, cell in enumerate(cells)]
                strip = strip_of(lit, before=before, after=after, ground=self._ground())
            else:
                strip = Strip(_still(cells, before, after, self._ground()), width)
            self._strips[row, phase] = strip
        return strip
