"""Chooses a routine: a short list on one side, the zones it treats on the face at the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from companion.home import Choice, Device
from companion.widgets.facemap import FaceMap
from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import find as find_words
from companion.words import today as words


class TodayScreen(Screen[None]):
    """The routines that this device can do, and those it cannot with the reason."""

    CSS_PATH = "today.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "app.history", words.KEY_HISTORY),
        Binding("d", "app.devices", words.KEY_DEVICES),
        Binding("escape", "app.devices", show=False),
    ]

    class Chosen(Message):
        """The person chose a routine."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, device: Device, choices: Sequence[Choice], note: str) -> None:
        super().__init__()
        self._device = device
        self._choices = {choice.name: choice for choice in choices}
        self._note = note

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        bars = find_words.nearness(self._device.rssi)
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
            yield Static(f"{self._device.name} is {find_words.NEARNESS[4 - bars]}", id="notice")
        with Horizontal(id="body"):
            with Vertical(id="column"):
                yield Static(words.TITLE if self._choices else words.NOTHING, id="headline")
                yield OptionList(
                    *(
                        Option(_line(choice), id=choice.name, disabled=bool(choice.refusal))
                        for choice in self._choices.values()
                    ),
                    id="routines",
                )
                yield Static(self._note, id="note")
            yield FaceMap(id="face")
        yield KeyLine(
            (
                KeyHint("enter", words.KEY_START, "screen.take"),
                KeyHint("h", words.KEY_HISTORY, "app.history"),
                KeyHint("d", words.KEY_DEVICES, "app.devices"),
                KeyHint("t", shared.KEY_THEME, "app.theme"),
                KeyHint("?", shared.KEY_HELP, "app.help"),
                KeyHint("ctrl+q", shared.KEY_LEAVE, "app.quit"),
            )
        )

    def on_mount(self) -> None:
        """Begin at the first routine that fits."""
        routines = self.query_one("#routines", OptionList)
        routines.focus()
        routines.highlighted = next(
            (index for index, choice in enumerate(self._choices.values()) if not choice.refusal), None
        )

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the zones of the routine under the hand."""
        choice = self._choices.get(event.option_id or "")
        if choice is not None:
            self.query_one(FaceMap).show(zones=choice.zones, planned=True)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Hand on the choice."""
        event.stop()
        choice = self._choices.get(event.option_id or "")
        if choice is not None and not choice.refusal:
            self.post_message(self.Chosen(choice))

    def action_take(self) -> None:
        """Choose what is highlighted."""
        self.query_one("#routines", OptionList).action_select()


def _line(choice: Choice) -> Content:
    minutes = words.MINUTES.format(minutes=max(1, round(choice.minutes)))
    if choice.refusal:
        return Content.assemble((f"{choice.title}\n", "$muted"), (choice.refusal, "$muted"), "\n")
    return Content.assemble(
        (choice.title, "bold $foreground"), "  ", (minutes, "$now"), "\n", (choice.summary, "$muted"), "\n"
    )
