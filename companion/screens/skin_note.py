"""What the skin rests after: what it was, and the day. Knows how to ask; what follows from it is decided elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import ClassVar

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


class SkinNoteScreen(Screen[None]):
    """Chooses a peel, a sunburn or a treatment, then its day; or one of today's ``mistakes``, kind and day."""

    CSS_PATH = "skin_note.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace,left", "before", words.KEY_BEFORE, show=False),
        Binding("escape", "back", shared.KEY_BACK, show=False),
    ]

    class Noted(Message):
        """It is to be noted. :meth:`SkinNoteScreen.refuse` may be the answer to it."""

        def __init__(self, kind: str, day: date) -> None:
            super().__init__()
            self.kind = kind
            self.day = day

    class Mistaken(Message):
        """It was noted today by mistake. :meth:`SkinNoteScreen.refuse` may be the answer to it."""

        def __init__(self, kind: str, day: date) -> None:
            super().__init__()
            self.kind = kind
            self.day = day

    def __init__(
        self,
        kinds: Sequence[str],
        days: Callable[[str], Sequence[date]],
        mistakes: Sequence[tuple[str, date]] = (),
    ) -> None:
        super().__init__()
        self._mistakes = tuple(mistakes)
        self._kinds = tuple(kinds)
        self._days_of = days
        self._days: tuple[date, ...] = ()
        self._kind = ""

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
        with Vertical(id="column"):
            yield Static(id="title")
            yield Static(id="text")
            yield Static("", id="refusal", markup=False)
            yield OptionList(id="answers")
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        """Ask what it was."""
        self._ask()

    def _ask(self) -> None:
        answers = self.query_one("#answers", OptionList)
        answers.clear_options()
        if not self._kind:
            self._say(words.SKIN_TITLE, words.SKIN_TEXT)
            answers.add_options(Option(Content(words.SKIN_KINDS[kind]), id=kind) for kind in self._kinds)
            said = (words.SKIN_MISTAKES[kind].format(day=words.DAY.format(day=day)) for kind, day in self._mistakes)
            answers.add_options(Option(Content(text)) for text in said)
        else:
            self._say(words.SKIN_WHEN[self._kind], words.SKIN_THEN[self._kind])
            self._days = tuple(self._days_of(self._kind))
            today = self._days[0]
            answers.add_options(Option(Content(_spoken(day, today)), id=day.isoformat()) for day in self._days)
        answers.highlighted = None
        answers.focus()
        before = (KeyHint("backspace", words.KEY_BEFORE, "screen.before"),) if self._kind else ()
        self.query_one("#keys", KeyLine).offer(
            (
                KeyHint("↑↓ enter", shared.KEY_CHOOSE, "screen.take"),
                *before,
                KeyHint("esc", shared.KEY_BACK, "screen.back"),
                KeyHint("?", shared.KEY_HELP, "app.help"),
            )
        )

    def _say(self, title: str, text: str) -> None:
        self.query_one("#title", Static).update(Content(title))
        self.query_one("#text", Static).update(Content(text))
        self.refuse("")

    def refuse(self, why: str) -> None:
        """It cannot be noted; empty: nothing is said against it."""
        refusal = self.query_one("#refusal", Static)
        refusal.display = bool(why)
        refusal.update(Content(why))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the chosen answer."""
        event.stop()
        if not self._kind and event.option_index >= len(self._kinds):
            self.post_message(self.Mistaken(*self._mistakes[event.option_index - len(self._kinds)]))
        elif not self._kind:
            self._kind = event.option_id or ""
            self._ask()
        else:
            self.post_message(self.Noted(self._kind, self._days[event.option_index]))

    def action_take(self) -> None:
        """Take what is highlighted."""
        self.query_one("#answers", OptionList).action_select()

    def action_before(self) -> None:
        """Choose once more what it was."""
        if self._kind:
            self._kind = ""
            self._ask()

    def action_back(self) -> None:
        """Note nothing."""
        self.dismiss()


def _spoken(day: date, today: date) -> str:
    said = words.DAY.format(day=day)
    return {0: words.TODAY, -1: words.YESTERDAY, 1: words.TOMORROW}.get((day - today).days, "{day}").format(day=said)
