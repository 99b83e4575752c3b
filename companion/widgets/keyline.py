"""The last line of every screen: what the keys do here, each also to be clicked.

While output is possible it is the stop line instead, on every screen and over every modal one: pressing the mouse on
its first words stops as directly as the key does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast, runtime_checkable

from textual import events
from textual.content import Content
from textual.widget import Widget


class KeyHint(NamedTuple):
    """One key as printed, what it does in a word or two, and the action that a click runs."""

    key: str
    label: str
    action: str


@runtime_checkable
class CanStop(Protocol):
    """What the stop line needs of the app."""

    def stop_now(self) -> bool:
        """Stop at once; True when there was something to stop."""


MARGIN = 3
GAP = 3


class KeyLine(Widget):
    """Hints in order of importance: those that do not fit are left out from the end."""

    ALLOW_SELECT = False

    def __init__(self, hints: Sequence[KeyHint] = (), *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._hints = tuple(hints)
        self._spans: list[tuple[int, int, str]] = []

    @property
    def hints(self) -> tuple[KeyHint, ...]:
        """What is offered."""
        return self._hints

    def offer(self, hints: Sequence[KeyHint]) -> None:
        """Offer these keys from now on."""
        if tuple(hints) != self._hints:
            self._hints = tuple(hints)
            self.refresh()

    def render(self) -> Content:
        """Return the line and remember where each hint is."""
        parts: list[str | Content | tuple[str, str]] = [" " * MARGIN]
        at = MARGIN
        self._spans = []
        for index, (key, label, action) in enumerate(self._hints):
            length = len(key) + 1 + len(label)
            gap = GAP if index else 0
            if index and at + gap + length > self.size.width - 1:
                continue
            parts += [" " * gap, (key, "bold"), f" {label}"]
            self._spans.append((at + gap, at + gap + length, action))
            at += gap + length
        return Content.assemble(*parts)

    async def on_click(self, event: events.Click) -> None:
        """Run the action under the pointer."""
        for start, end, action in self._spans:
            if start <= event.x < end:
                event.stop()
                await self.app.run_action(action, self.screen)
                return


class StopLine(KeyLine):
    """The line that is there for as long as there may be output. The first hint is Stop, whatever else is offered."""

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Stop when the press is on the first words, without waiting for the button to come up."""
        start_of_rest = self._spans[1][0] if len(self._spans) > 1 else self.size.width
        if event.x < start_of_rest and isinstance(self.app, CanStop):
            event.stop()
            cast(CanStop, self.app).stop_now()
