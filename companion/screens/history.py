"""What has been done: a list that is also a chart, each session a bar of its zones; and how the skin has been.

Sessions are read as far as somebody looks back, and no further. Knows what was kept; changes nothing in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from companion.almanac import Session
from companion.care.skin import LEAST, MOST, trends
from companion.config import CompanionError
from companion.screens.replayed import Kept, ReplayedScreen
from companion.store.diary import SkinCheck
from companion.widgets.bars import spark
from companion.widgets.keyline import KeyHint, KeyLine
from companion.widgets.sessions import SessionList
from companion.words import app as shared
from companion.words import history_screen as words
from companion.words import skin as skin_words

_AT_ONCE: Final = 100
"""Sessions that are read before the screen is drawn: more than a terminal shows."""

_SKIN_CHECKS: Final = 14
"""The last skin checks, of which the course is drawn."""

_SKIN_COLUMN: Final = 24
_LEAST_SKIN_COLUMN: Final = 16


class Past(Kept, Protocol):
    """What the screen needs of the almanac: :class:`companion.almanac.Almanac` is one."""

    def count_sessions(self, *, begun: bool = False) -> int:
        """How many sessions there are; with ``begun``, without those that never began."""

    def sessions(self, limit: int | None = None, before: int | None = None) -> list[Session]:
        """The newest sessions first, at most ``limit``; where given, those of a lower number than ``before``."""

    def last_skin_checks(self, count: int) -> list[SkinCheck]:
        """The skin checks that were made last, in order."""


class HistoryScreen(Screen[None]):
    """The sessions, the newest first. ``titles`` are the names of the routines by their ids."""

    CSS_PATH = "history.tcss"
    AUTO_FOCUS = "#sessions"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,h,q", "back", shared.KEY_BACK, show=False)]

    def __init__(self, almanac: Past, titles: Mapping[str, str] = MappingProxyType({}), *, mirror: bool = True) -> None:
        super().__init__()
        self._almanac = almanac
        self._titles = titles
        self._mirror = mirror
        self._first = almanac.sessions(_AT_ONCE)
        self._count = almanac.count_sessions()
        self._checks = almanac.last_skin_checks(_SKIN_CHECKS)

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(words.TITLE, id="name")
            yield Static(id="count")
        if self._first:
            with Vertical(id="list"):
                yield SessionList(self._titles, self._more, id="sessions")
        else:
            yield Static(words.NOTHING, id="nothing")
        yield Static(id="skin")
        hints = [KeyHint("esc", shared.KEY_BACK, "screen.back"), KeyHint("?", shared.KEY_HELP, "app.help")]
        if self._first:
            hints.insert(0, KeyHint("enter", words.KEY_OPEN, "screen.open"))
        yield KeyLine(hints)

    def on_mount(self) -> None:
        """Show what fits on the screen."""
        if self._first:
            self.query_one(SessionList).show(self._first, self._count)
            begun = self._almanac.count_sessions(begun=True)
            count = words.COUNT_ONE if begun == 1 else words.COUNT.format(count=begun)
            self.query_one("#count", Static).update(Content(count))

    def _more(self, limit: int, before: int) -> Sequence[Session]:
        """Read further back; nothing where it cannot be read, and why is told."""
        try:
            return self._almanac.sessions(limit, before)
        except CompanionError as error:
            self.notify(str(error))
            return ()

    def on_resize(self) -> None:
        """Give the skin as much room as there is now."""
        self._draw_skin()

    def _draw_skin(self) -> None:
        """Dryness, redness and irritation over the last checks, each on a line of its own scale from 1 to 5."""
        checks = self._checks
        skin = self.query_one("#skin", Static)
        skin.display = len(checks) > 1
        lines: list[tuple[str, str]] = []
        said: list[tuple[str, str]] = []
        column = max(_LEAST_SKIN_COLUMN, min(_SKIN_COLUMN, (self.size.width - 8) // 3))
        for trend in trends(checks, _SKIN_CHECKS):
            name = skin_words.NAMES[trend.name]
            room = column - len(name) - 2
            drawn = spark(trend.values[-room:], LEAST, MOST)
            lines += [(f"{name} ", "$muted"), (f"{drawn:<{room + 1}}", "$done")]
            said.append((f"{trend.line.partition(': ')[2]:<{column}}", "$muted"))
        skin.update(Content.assemble(*lines, "\n", *said))

    def action_open(self) -> None:
        """See the session under the hand again."""
        self.query_one(SessionList).action_choose()

    @on(SessionList.Chosen)
    def _chosen(self, event: SessionList.Chosen) -> None:
        event.stop()
        screen = ReplayedScreen(self._almanac, event.session, self._titles, mirror=self._mirror)
        self.app.push_screen(screen, self._seen)

    def _seen(self, session: Session | None) -> None:
        if session is not None:
            self.query_one(SessionList).replace(session)

    def action_back(self) -> None:
        """Go back to where the person was."""
        self.dismiss()
