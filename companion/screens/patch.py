"""The patch test: offered before the first use, and looked at a day later. Knows how to ask, and starts nothing."""

from __future__ import annotations

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
from companion.words import patch as words

if TYPE_CHECKING:
    from companion.home import Patch


class PatchScreen(Screen[None]):
    """What the patch test asks for: its routine, an answer, or nothing but time."""

    CSS_PATH = "patch.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "app.today", show=False)]

    class Answered(Message):
        """The person answered."""

        def __init__(self, answer: str) -> None:
            super().__init__()
            self.answer = answer

    class Test(Message):
        """The person wants the routine that begins with the test."""

        def __init__(self, routine: str) -> None:
            super().__init__()
            self.routine = routine

    def __init__(self, patch: Patch) -> None:
        super().__init__()
        self._patch = patch

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        patch = self._patch
        options = [Option(Content(words.ANSWERS.get(one, text)), id=one) for one, text in patch.answers]
        if patch.test:
            options.insert(0, Option(Content(words.TEST), id=""))
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
        with Vertical(id="column"):
            yield Static(patch.title, id="title", markup=False)
            yield Static(patch.text, id="text", markup=False)
            if options:
                yield OptionList(*options, id="answers")
        take = (KeyHint("↑↓ enter", shared.KEY_CHOOSE, "screen.take"),) if options else ()
        yield KeyLine((*take, KeyHint("esc", shared.KEY_BACK, "app.today"), KeyHint("?", shared.KEY_HELP, "app.help")))

    def on_mount(self) -> None:
        """Choose nothing beforehand: an answer about skin is given, not waved through."""
        for answers in self.query(OptionList):
            answers.highlighted = None
            answers.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Hand on the answer."""
        event.stop()
        answer = event.option_id or ""
        self.post_message(self.Answered(answer) if answer else self.Test(self._patch.test))

    def action_take(self) -> None:
        """Take what is highlighted."""
        self.query_one("#answers", OptionList).action_select()
