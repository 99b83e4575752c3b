"""A doctor's word: what waits for it, one plain question at a time. Nothing on it leads to a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import profile_screen as words

if TYPE_CHECKING:
    from companion.profile import Waiting


class AgreedScreen(Screen[None]):
    """Asks whether a doctor has agreed, to each thing that waits for it."""

    CSS_PATH = "screening.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer('y')", show=False),
        Binding("n", "answer('n')", show=False),
        Binding("escape", "back", shared.KEY_BACK, show=False),
    ]

    class Answered(Message):
        """All is answered; ``agreed`` are the ids to which a doctor has agreed."""

        def __init__(self, agreed: Sequence[str]) -> None:
            super().__init__()
            self.agreed = tuple(agreed)

    def __init__(self, waiting: Sequence[Waiting]) -> None:
        super().__init__()
        self._waiting = tuple(waiting)
        self._agreed: list[str] = []
        self._at = 0

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
            yield Static(id="count")
        with Vertical(id="column"):
            yield Static(words.AGREED_TITLE, id="title")
            yield Static(words.AGREED_WHY, id="why")
            yield Static(id="question")
            yield Static(id="note")
            yield OptionList(id="answers")
        yield KeyLine(
            (
                KeyHint("↑↓ enter", shared.KEY_CHOOSE, "screen.take"),
                KeyHint("esc", shared.KEY_BACK, "screen.back"),
                KeyHint("?", shared.KEY_HELP, "app.help"),
            )
        )

    def on_mount(self) -> None:
        """Ask the first question."""
        self._ask()

    def _ask(self) -> None:
        one = self._waiting[self._at]
        several = len(self._waiting) > 1
        count = words.COUNT.format(index=self._at + 1, count=len(self._waiting)) if several else ""
        self.query_one("#count", Static).update(Content(count))
        self.query_one("#question", Static).update(Content(one.question))
        self.query_one("#note", Static).update(Content(one.said))
        answers = self.query_one("#answers", OptionList)
        answers.clear_options()
        answers.add_options(
            Option(Content.assemble((key, "bold $now"), "  ", label), id=key) for key, label in words.AGREEMENTS
        )
        answers.highlighted = None  # a doctor's word is given, not waved through
        answers.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the chosen answer."""
        event.stop()
        self.action_answer(event.option_id or "")

    def action_take(self) -> None:
        """Take what is highlighted."""
        self.query_one("#answers", OptionList).action_select()

    def action_answer(self, key: str) -> None:
        """Take an answer by its key and go on."""
        if self._at >= len(self._waiting):
            return
        if key == "y":
            self._agreed.append(self._waiting[self._at].id)
        self._at += 1
        if self._at == len(self._waiting):
            self.post_message(self.Answered(self._agreed))
        else:
            self._ask()

    def action_back(self) -> None:
        """Leave it as it is."""
        self.dismiss()
