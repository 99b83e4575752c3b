"""Where to go: a letter for each screen, shown while one is awaited. Never there while a session runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from companion.words import app as words


class JumpScreen(ModalScreen[str | None]):
    """A few lines over whatever there is. Its result is the action of the place, None for staying here."""

    CSS_PATH = "jump.tcss"
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,g", "stay", show=False)]

    def __init__(self, places: Sequence[tuple[str, str, str]]) -> None:
        super().__init__()
        self._places = tuple(places)

    def compose(self) -> ComposeResult:
        """Lay the places out, one a line."""
        with Vertical(id="places"):
            yield Static(words.JUMP_TITLE, id="title")
            for letter, name, what in self._places:
                line = Content.assemble((letter, "bold $now"), f"  {name:<10}", (what, "$muted"))
                yield Static(line, classes="place", name=name)

    def on_key(self, event: events.Key) -> None:
        """Go where the letter leads; any other key stays here."""
        if event.key in {"escape", "g"}:
            return
        event.stop()
        self.dismiss(next((name for letter, name, _ in self._places if letter == event.key), None))

    def on_click(self, event: events.Click) -> None:
        """Go where the line leads; beside them: stay here."""
        event.stop()
        place = event.widget
        self.dismiss(place.name if place is not None and place.has_class("place") else None)

    def action_stay(self) -> None:
        """Stay here."""
        self.dismiss(None)
