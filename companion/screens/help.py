"""The help: what the keys do, what is safe, what is known. Over any screen, with the stop line while a session runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from companion.widgets.keyline import KeyHint, KeyLine, StopLine
from companion.words import app as shared
from companion.words import help as words
from companion.words import session as session_words


class HelpScreen(ModalScreen[None]):
    """A page to scroll. ``live`` tells that a session runs, so that its last line is the stop line.

    ``here`` are the keys (key, meaning) of the screen below; ``evidence``: begin with what is known.
    """

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "close", "back"),
        Binding("up,k", "scroll('up')", show=False),
        Binding("down,j", "scroll('down')", show=False),
        Binding("pageup", "scroll('page_up')", show=False),
        Binding("pagedown", "scroll('page_down')", show=False),
        Binding("home", "scroll('home')", show=False),
        Binding("end", "scroll('end')", show=False),
        Binding("e", "evidence", show=False),
    ]
    AUTO_FOCUS = None

    def __init__(self, *, live: bool, here: Sequence[tuple[str, str]] = (), evidence: bool = False) -> None:
        super().__init__(classes="-live" if live else None)
        self._live = live
        self._here = tuple(here)
        self._evidence = evidence

    def compose(self) -> ComposeResult:
        """Lay the page out."""
        everywhere = words.WHILE_LIVE if self._live else words.EVERYWHERE
        said = {key for key, _ in everywhere}
        here = words.SESSION if self._live else tuple(one for one in self._here if one[0] not in said)
        with VerticalScroll(id="page", can_focus=False):
            yield Static(words.TITLE, id="title")
            if here:
                yield Static(words.KEYS, classes="heading")
                yield from _keys(here)
            yield Static(words.KEYS_EVERYWHERE, classes="heading")
            yield from _keys(everywhere)
            yield Static(words.SAFETY_TITLE, classes="heading")
            for paragraph in words.SAFETY:
                yield Static(paragraph, classes="paragraph")
            yield Static(words.EVIDENCE_TITLE, classes="heading", id="evidence")
            for paragraph in words.EVIDENCE:
                yield Static(paragraph, classes="paragraph")
            yield Static(words.SOURCES_TITLE, classes="heading")
            for source in words.SOURCES:
                yield Static(source, classes="paragraph", markup=False)
        back = KeyHint("?", shared.KEY_BACK, "screen.close")
        if self._live:
            yield StopLine((KeyHint(session_words.STOP_KEY, session_words.STOP, "app.stop"), back))
        else:
            yield KeyLine(
                (
                    KeyHint("esc", shared.KEY_BACK, "screen.close"),
                    KeyHint("↑↓", words.KEY_SCROLL, "screen.scroll('down')"),
                    KeyHint("e", words.KEY_EVIDENCE, "screen.evidence"),
                )
            )

    def on_mount(self) -> None:
        """Begin where it was asked for."""
        if self._evidence:
            self.call_after_refresh(self.action_evidence)

    def action_close(self) -> None:
        """Go back to where the person was."""
        self.dismiss()

    def action_evidence(self) -> None:
        """Go to what is known."""
        self.query_one("#page", VerticalScroll).scroll_to_widget(
            self.query_one("#evidence"), animate=False, top=True, force=True, immediate=True
        )

    def action_scroll(self, where: str) -> None:
        """Move the page: ``up``, ``down``, ``page_up``, ``page_down``, ``home`` or ``end``."""
        page = self.query_one("#page", VerticalScroll)
        getattr(page, f"scroll_{where}")(animate=False)


def _keys(keys: Sequence[tuple[str, str]]) -> Iterator[Horizontal]:
    """A line for each key; a meaning that goes on does so below itself."""
    for key, meaning in keys:
        yield Horizontal(
            Static(key, classes="name", markup=False), Static(meaning, classes="meaning", markup=False), classes="key"
        )
