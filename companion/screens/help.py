"""The help: what the keys do, what is safe, what is known. Over any screen, with the stop line while a session runs."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from companion.widgets.keyline import KeyHint, KeyLine, StopLine
from companion.words import app as shared
from companion.words import help as words
from companion.words import session as session_words


class HelpScreen(ModalScreen[None]):
    """A page to scroll. ``live`` tells that a session runs, so that its last line is the stop line."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "close", "back"),
        Binding("up,k", "scroll('up')", show=False),
        Binding("down,j", "scroll('down')", show=False),
    ]
    AUTO_FOCUS = None

    def __init__(self, *, live: bool) -> None:
        super().__init__()
        self._live = live

    def compose(self) -> ComposeResult:
        """Lay the page out."""
        with VerticalScroll(id="page", can_focus=False):
            yield Static(words.TITLE, id="title")
            yield Static(_keys((*words.SESSION, *words.EVERYWHERE) if self._live else words.EVERYWHERE), id="keys")
            yield Static(words.SAFETY_TITLE, classes="heading")
            for paragraph in words.SAFETY:
                yield Static(paragraph, classes="paragraph")
            yield Static(words.EVIDENCE_TITLE, classes="heading")
            for paragraph in words.EVIDENCE:
                yield Static(paragraph, classes="paragraph")
        back = KeyHint("?", shared.KEY_BACK, "screen.close")
        if self._live:
            yield StopLine((KeyHint(session_words.STOP_KEY, session_words.STOP, "app.stop"), back))
        else:
            yield KeyLine(
                (KeyHint("esc", shared.KEY_BACK, "screen.close"), KeyHint("↑↓", "scroll", "screen.scroll('down')"))
            )

    def action_close(self) -> None:
        """Go back to where the person was."""
        self.dismiss()

    def action_scroll(self, where: str) -> None:
        """Move the page by a line."""
        page = self.query_one("#page", VerticalScroll)
        if where == "up":
            page.scroll_up(animate=False)
        else:
            page.scroll_down(animate=False)


def _keys(keys: tuple[tuple[str, str], ...]) -> Content:
    parts: list[str | tuple[str, str]] = []
    for index, (key, meaning) in enumerate(keys):
        parts += ["\n" if index else "", (f"{key:<12}", "bold $foreground"), (meaning, "$muted")]
    return Content.assemble(*parts)
