"""The history as a list that is also a chart: a line for each session, with a bar of its zones.

Draws the lines that are seen and no others, and has sessions read as one comes near them, so that thousands of them
cost as little as a few. Refuses to know where they are read from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from companion.almanac import Session
from companion.palette import RGB, Palette, mix
from companion.store.rows import Status
from companion.themes import palette_of
from companion.widgets.portrait import Cell
from companion.widgets.strips import strip_of
from companion.words import history_screen as words

BAR = "▆"
PLAIN = "▆▃"
UNCOUNTED = "╌"
_HAND = "▸"
_LEAST_BAR = 8
_AHEAD = 40
"""Sessions that are kept ready after the last one that is seen."""

_PAGE = 200
"""Sessions that are read at once, at least."""


@dataclass(frozen=True, slots=True)
class _Month:
    """A heading: what was in a month."""

    text: str
    sum: str


class _Measure:
    """The columns of a line that is ``width`` wide."""

    def __init__(self, width: int) -> None:
        narrow = width < 66
        self.title = 12 if narrow else 18 if width < 90 else 24
        self.ended = 12 if narrow else 16
        self.bar = max(_LEAST_BAR, width - 2 - 8 - self.title - 8 - self.ended - 2)


def ending(session: Session) -> str:
    """Return how a session ended, in a word or two; nothing where it came to its own end."""
    if session.status is Status.RUNNING:
        return words.RUNNING
    if session.reason is None:
        return words.INTERRUPTED
    return words.ENDED[session.reason]


def title_of(session: Session, titles: Mapping[str, str]) -> str:
    """Return the name of a session's routine."""
    return titles.get(session.routine) or session.routine.replace("-", " ").capitalize()


@lru_cache(maxsize=512)
def zone_bar(
    zones: tuple[float | None, ...], longest: float, columns: int, palette: Palette | None, ground: RGB | None
) -> tuple[Cell, ...]:
    """Return seconds per zone as one bar, zone by zone in two tones; ``longest`` seconds would fill ``columns``.

    Zones of which nobody counted the time are a dash each. Without palette, two shapes instead of two tones.
    """
    empty = Cell(" ", None, ground)
    if any(one is None for one in zones):
        ink = None if palette is None else palette.muted
        return tuple([Cell(UNCOUNTED, ink, ground)] * min(len(zones), columns)) + (empty,) * (columns - len(zones))
    counted = [one for one in zones if one]
    turns: list[int] = []
    total = 0.0
    for number, seconds in enumerate(counted):
        total += seconds
        upto = round(columns * min(1.0, total / longest))
        turns += [number % 2] * max(upto - len(turns), 0)
    if counted and not turns:
        turns = [0]  # a session is seen, however short
    if palette is None or ground is None:
        cells = [Cell(PLAIN[turn], None, None) for turn in turns]
    else:
        tones = (palette.done, mix(palette.done, palette.background, 0.42))
        cells = [Cell(BAR, tones[turn], ground) for turn in turns]
    return (*cells, *[empty] * (columns - len(cells)))


class SessionList(ScrollView, can_focus=True):
    """The sessions, the newest first, under headings of their months. One is under the hand.

    ``more`` gives those that follow: at most so many, of a lower number than that; none where there are no more.
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
        Binding("enter", "choose", show=False),
    ]

    class Chosen(Message):
        """The person wants to see this session."""

        def __init__(self, session: Session) -> None:
            super().__init__()
            self.session = session

    def __init__(
        self,
        titles: Mapping[str, str],
        more: Callable[[int, int], Sequence[Session]],
        *,
        id: str | None = None,  # noqa: A002 - Textual's own name
    ) -> None:
        super().__init__(id=id)
        self._titles = titles
        self._more = more
        self._sessions: tuple[Session, ...] = ()
        self._count = 0
        self._rows: list[int | _Month] = []
        self._row_of: list[int] = []
        self._heading_of: list[int] = []
        self._longest = 1.0
        self._at = 0

    # --- what it shows ------------------------------------------------------------------------------------------------

    def show(self, sessions: Sequence[Session], count: int) -> None:
        """Show these, the newest first, of so many that there are; the hand stays where it is."""
        self._sessions = tuple(sessions)
        self._count = max(count, len(self._sessions))
        self._lay_out()

    def _reach(self, place: int) -> None:
        """Have the sessions read up to the one at ``place``, and some after it."""
        missing = min(place + 1 + _AHEAD, self._count) - len(self._sessions)
        if missing <= 0 or not self._sessions:
            return
        found = tuple(self._more(max(missing, _PAGE), self._sessions[-1].id))
        if not found:  # gone meanwhile, or not to be read: there are no more than these
            self._count = len(self._sessions)
        self._sessions += found
        self._lay_out()

    def _lay_out(self) -> None:
        """Put what is read into lines, and leave room for the rest."""
        self._rows, self._row_of, self._heading_of = [], [], []
        month, count, minutes, heading = "", 0, 0.0, -1
        for index, session in enumerate(self._sessions):
            its = words.MONTH.format(month=session.started_at)
            if its != month:
                self._sum(heading, month, count, minutes)
                if self._rows:
                    self._rows.append(_Month("", ""))
                month, count, minutes, heading = its, 0, 0.0, len(self._rows)
                self._rows.append(_Month(its, ""))
            count, minutes = count + session.begun, minutes + session.minutes
            self._row_of.append(len(self._rows))
            self._heading_of.append(heading)
            self._rows.append(index)
        left = self._count - len(self._sessions)
        if not left:  # else the last month may go on
            self._sum(heading, month, count, minutes)
        self._longest = max((_output_s(one) for one in self._sessions), default=1.0) or 1.0
        self._at = min(self._at, max(0, len(self._sessions) - 1))
        self.virtual_size = Size(0, len(self._rows) + left)
        self.refresh()

    def replace(self, session: Session) -> None:
        """Show a session anew, in its place."""
        self._sessions = tuple(session if one.id == session.id else one for one in self._sessions)
        self.refresh()

    def _sum(self, heading: int, month: str, count: int, minutes: float) -> None:
        if heading >= 0:
            told = words.COUNT_ONE if count == 1 else words.COUNT.format(count=count)
            self._rows[heading] = _Month(month, words.MONTH_SUM.format(sessions=told, minutes=minutes))

    @property
    def current(self) -> Session | None:
        """The session under the hand."""
        return self._sessions[self._at] if self._sessions else None

    # --- moving -------------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Go to another session."""
        if not self._sessions:
            return
        self._reach(min(self._at + by, self._count))
        before = self._row_of[self._at]
        self._at = min(max(self._at + by, 0), len(self._sessions) - 1)
        row = self._row_of[self._at]
        self.scroll_to_region(Region(0, row - 1, 1, 2), animate=False, force=True)  # with room for its heading
        if row != before:
            self.refresh()

    def action_page(self, by: int) -> None:
        """Go a page further."""
        self.action_move(by * max(1, self.size.height - 2))

    def action_choose(self) -> None:
        """See the session under the hand."""
        if self.current is not None:
            self.post_message(self.Chosen(self.current))

    def on_click(self, event: events.Click) -> None:
        """Take the session under the pointer in hand; see it where it was in hand."""
        index = self._row_at(event.y)
        if isinstance(index, int):
            event.stop()
            if index == self._at:
                self.action_choose()
            else:
                self._at = index
                self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Have read what is scrolled to."""
        super().watch_scroll_y(old_value, new_value)
        self._reach_seen()

    def on_resize(self) -> None:
        """Have read what there is room for."""
        self._reach_seen()

    def _reach_seen(self) -> None:
        self._reach(self.scroll_offset.y + self.size.height)  # a line is a session, or less

    # --- drawing ------------------------------------------------------------------------------------------------------

    def _row_at(self, y: int) -> int | _Month | None:
        """What is drawn on line ``y``: on the first one always the month, so that one knows where one is."""
        number = y + self.scroll_offset.y
        if not 0 <= number < len(self._rows):
            return None
        row = self._rows[number]
        return self._rows[self._heading_of[row]] if y == 0 and isinstance(row, int) else row

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        width = self.scrollable_content_region.width
        palette = None if self.app.no_color else palette_of(self.app.theme)
        ground = None if palette is None else palette.background
        row = self._row_at(y)
        if row is None:
            return strip_of((), before=width, ground=ground)
        if isinstance(row, _Month):
            cells = _written(f"  {row.text}", None if palette is None else palette.text, ground, bold=True)
            cells += _written(f"  {row.sum}", None if palette is None else palette.muted, ground)
        else:
            cells = self._line(row, width, palette)
            ground = cells[-1].ground
        cells = cells[:width]
        return strip_of(cells, after=width - len(cells), ground=ground)

    def _line(self, index: int, width: int, palette: Palette | None) -> list[Cell]:
        session, measure = self._sessions[index], _Measure(width)
        in_hand = index == self._at
        ground = None if palette is None else palette.raised if in_hand else palette.background
        text = None if palette is None else palette.text
        muted = None if palette is None else palette.muted
        warm = None if palette is None else palette.now
        zones = tuple(session.zones.values())
        cells = _written(f"{_HAND if in_hand else ' '} ", warm, ground)
        cells += _written(f"{words.DAY.format(at=session.started_at):<8}", muted, ground)
        title = title_of(session, self._titles)
        if len(title) > measure.title - 2:
            title = f"{title[: measure.title - 3]}…"
        cells += _written(f"{title:<{measure.title}}", text, ground, bold=in_hand)
        minutes = words.MINUTES.format(minutes=session.minutes) if session.begun else words.NOT_BEGUN
        cells += _written(f"{minutes:>6}  ", text, ground)
        cells += zone_bar(zones, self._longest, measure.bar, palette, ground)
        ended = ending(session)
        if session.demo and not ended:  # in a demo, they all are: how it ended comes first
            ended = words.DEMO
        if session.text or session.photos:
            ended = f"{words.NOTE_MARK} {ended}"
        if len(ended) > measure.ended:
            ended = f"{ended[: measure.ended - 1]}…"
        cells += _written(f"  {ended:<{measure.ended}}", muted, ground)
        return cells


def _output_s(session: Session) -> float:
    return sum(one or 0.0 for one in session.zones.values())


def _written(text: str, ink: RGB | None, ground: RGB | None, *, bold: bool = False) -> list[Cell]:
    return [Cell(one, ink, ground, bold) for one in text]
