"""What has been done: a list that is also a chart, each session a bar of its zones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from companion.home import Past
from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import history as words

HEIGHTS = "▁▂▃▄▅▆▇█"


class HistoryScreen(Screen[None]):
    """The sessions, the newest first."""

    CSS_PATH = "history.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,h,q", "back", shared.KEY_BACK)]

    def __init__(self, sessions: Sequence[Past]) -> None:
        super().__init__()
        self._sessions = tuple(sessions)

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(words.TITLE, id="name")
        if self._sessions:
            yield OptionList(*(Option(_line(past)) for past in self._sessions), id="sessions")
        else:
            yield Static(words.NOTHING, id="nothing")
        yield KeyLine((KeyHint("esc", shared.KEY_BACK, "screen.back"), KeyHint("?", shared.KEY_HELP, "app.help")))

    def action_back(self) -> None:
        """Go back to where the person was."""
        self.dismiss()


def _line(past: Past) -> Content:
    longest = max(past.zones.values(), default=0.0)
    bar = "".join(HEIGHTS[min(7, int(7.99 * seconds / longest))] for seconds in past.zones.values() if seconds > 0)
    ended = f"{past.ended} · {words.DEMO}" if past.demo else past.ended
    return Content.assemble(
        (f"{past.when:%d %b %H:%M}  ", "$muted"),
        (f"{past.title[:17]:<18}", "bold $foreground"),
        (f"{words.MINUTES.format(minutes=past.minutes):>6}  ", "$foreground"),
        (f"{bar[:16]:<16}", "$done"),
        (f" {ended}", "$muted"),
    )
