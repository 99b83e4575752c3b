"""A number that is changed in place: by figures, by arrows, or by clicking less and more. Knows not what it counts."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

_LESS, _MORE = "\N{MINUS SIGN}", "+"
_FIGURES = 5


class Amount(Widget, can_focus=True):
    """One line: a question, less, the number, more. Tells by :class:`Given` and :class:`Left` how it ended."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,right,plus,equals_sign", "step(1)", show=False),
        Binding("down,left,minus", "step(-1)", show=False),
        Binding("backspace", "rub_out", show=False),
        Binding("enter", "give", show=False),
        Binding("escape", "leave", show=False),
    ]

    class Given(Message):
        """The person keeps this number."""

        def __init__(self, amount: Amount, value: int) -> None:
            super().__init__()
            self.amount = amount
            self.value = value

    class Left(Message):
        """The person has thought better of it."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._question = self._unit = ""
        self._value, self._step, self._least, self._most = 0, 1, 0, 0
        self._typed = ""
        self._spans: tuple[tuple[int, int, int], ...] = ()

    @property
    def value(self) -> int:
        """The number as it stands."""
        return int(self._typed) if self._typed else self._value

    def ask(self, question: str, unit: str, value: int, *, step: int, least: int, most: int) -> None:
        """Ask for a number, beginning with ``value``; the arrows go by ``step`` from ``least`` to ``most``."""
        self._question, self._unit, self._value = question, unit, value
        self._step, self._least, self._most = step, least, most
        self._typed = ""
        self.refresh()

    def render(self) -> Content:
        """Return the line, and remember where less and more are."""
        number = str(self.value)
        at = len(self._question)
        after = at + 2 + len(number) + len(self._unit) + 1
        self._spans = ((at, at + 2, -1), (after, after + 2, 1))
        return Content.assemble(
            (self._question, "$muted"),
            (f"{_LESS} ", "bold $now"),
            (number, "bold $foreground"),
            (self._unit, "$muted"),
            (f" {_MORE}", "bold $now"),
        )

    def on_key(self, event: events.Key) -> None:
        """Take figures."""
        if event.character is not None and event.character in "0123456789":
            event.stop()
            event.prevent_default()
            self._typed = (self._typed + event.character).lstrip("0")[:_FIGURES]
            if not self._typed:
                self._value = 0
            self.refresh()

    def action_rub_out(self) -> None:
        """Take the last figure away."""
        text = str(self.value)[:-1]
        self._typed, self._value = text, 0
        self.refresh()

    def action_step(self, by: int) -> None:
        """More or less."""
        step = self._step
        value = self.value // step * step + by * step if by > 0 else -(-self.value // step) * step + by * step
        self._typed, self._value = "", min(self._most, max(self._least, value))
        self.refresh()

    def action_give(self) -> None:
        """Keep the number."""
        self.post_message(self.Given(self, self.value))

    def action_leave(self) -> None:
        """Leave it."""
        self.post_message(self.Left())

    def on_click(self, event: events.Click) -> None:
        """Less or more."""
        for start, end, by in self._spans:
            if event.y == 0 and start <= event.x < end:
                event.stop()
                self.action_step(by)
