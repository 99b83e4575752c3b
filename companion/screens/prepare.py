"""The preparation: one thing at a time, space to tick it; then the questions of today. No output is possible here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from companion.home import Choice, Question
from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import prepare as words


class PrepareScreen(Screen[None]):
    """A checklist, the questions of today, and the last word before the session."""

    CSS_PATH = "prepare.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", words.KEY_TICK),
        Binding("enter", "enter", words.KEY_BEGIN),
        Binding("y", "today(True)", words.KEY_YES),
        Binding("n", "today(False)", words.KEY_NO),
        Binding("backspace,left", "back", shared.KEY_BACK),
        Binding("escape", "leave", shared.KEY_BACK),
    ]
    AUTO_FOCUS = None

    class Ready(Message):
        """All is ticked and answered; ``today`` is question id to yes (True) or no."""

        def __init__(self, today: Mapping[str, bool]) -> None:
            super().__init__()
            self.today = dict(today)

    class Left(Message):
        """The person went back."""

    def __init__(self, choice: Choice, today: Sequence[Question], manual: str = words.MANUAL) -> None:
        super().__init__()
        self._choice = choice
        self._items = tuple(choice.prepare)
        self._today = tuple(today)
        self._manual = manual
        self._answers: dict[str, bool] = {}
        self._at = 0

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(words.TITLE, id="name")
            yield Static(self._choice.title, id="routine", markup=False)
        with Vertical(id="column"):
            yield Static(id="count")
            yield Static(id="headline")
            yield Static(id="text")
            yield Static(id="list")
        yield Static(self._manual, id="manual")
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        """Show the first thing."""
        self._draw()

    @property
    def _question(self) -> Question | None:
        index = self._at - len(self._items)
        return self._today[index] if 0 <= index < len(self._today) else None

    @property
    def _done(self) -> bool:
        return self._at >= len(self._items) + len(self._today)

    def _draw(self) -> None:
        question = self._question
        hints = [KeyHint("?", shared.KEY_HELP, "app.help"), KeyHint("esc", shared.KEY_BACK, "screen.leave")]
        if self._done:
            self._say("", words.READY, words.READY_HINT)
            hints.insert(0, KeyHint("enter", words.KEY_BEGIN, "screen.enter"))
        elif question is not None:
            index = self._at - len(self._items) + 1
            count = words.COUNT.format(index=index, count=len(self._today))
            self._say(f"{words.TODAY} · {count}", question.text, words.TODAY_HINT)
            hints[:0] = [
                KeyHint("n", words.KEY_NO, "screen.today(False)"),
                KeyHint("y", words.KEY_YES, "screen.today(True)"),
            ]
        else:
            item = self._items[self._at]
            self._say(words.COUNT.format(index=self._at + 1, count=len(self._items)), item.title, item.text)
            hints.insert(0, KeyHint("space", words.KEY_TICK, "screen.tick"))
        self.query_one("#list", Static).update(self._list())
        self.query_one("#keys", KeyLine).offer(hints)

    def _say(self, count: str, headline: str, text: str) -> None:
        self.query_one("#count", Static).update(Content(count))
        self.query_one("#headline", Static).update(Content(headline))
        self.query_one("#text", Static).update(Content(text))

    def _list(self) -> Content:
        parts: list[str | tuple[str, str]] = []
        for index, item in enumerate(self._items):
            if index < self._at:
                parts += [(words.MARK_DONE, "bold $done"), (f"{item.title}\n", "$done")]
            elif index == self._at:
                parts += [(words.MARK_HERE, "bold $now"), (f"{item.title}\n", "$foreground")]
            else:
                parts += [(words.MARK_TO_COME, "$faint"), (f"{item.title}\n", "$muted")]
        answered = len(self._answers)
        mark, tone = (words.MARK_DONE, "$done") if answered == len(self._today) else (words.MARK_TO_COME, "$muted")
        if self._question is not None:
            mark, tone = words.MARK_HERE, "$foreground"
        if self._today:
            parts += [(mark, f"bold {tone}"), (words.TODAY, tone)]
        return Content.assemble(*parts)

    def action_tick(self) -> None:
        """Tick the thing that is shown."""
        if self._at < len(self._items):
            self._at += 1
            self._draw()

    def action_enter(self) -> None:
        """Tick, or begin once everything is ready; never answers a question."""
        if self._done:
            self.post_message(self.Ready(self._answers))
        else:
            self.action_tick()

    def action_today(self, answer: bool) -> None:
        """Answer the question of today that is shown. A yes is the end of it, for today."""
        question = self._question
        if question is None:
            return
        self._answers[question.id] = answer
        if answer:
            self.post_message(self.Ready(self._answers))
            return
        self._at += 1
        self._draw()

    def action_back(self) -> None:
        """Take the last tick or answer back."""
        if self._at:
            self._at -= 1
            question = self._question
            if question is not None:
                self._answers.pop(question.id, None)
            self._draw()

    def action_leave(self) -> None:
        """Go back to the routines."""
        self.post_message(self.Left())
