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
from companion.words import choosing as words
from companion.words import find as find_words


class RoutinesScreen(Screen[None]):
    """The routines that this device can do, and those it cannot with the reason; all of them where none is near."""

    CSS_PATH = "routines.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("h", "app.history", words.KEY_HISTORY),
        Binding("d", "app.devices", words.KEY_DEVICES),
        Binding("escape,q", "app.today", show=False),
    ]

    class Chosen(Message):
        """The person chose a routine."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(
        self, device: Device | None, choices: Sequence[Choice], note: str, *, first: str = "", mirror: bool = True
    ) -> None:
        super().__init__()
        self._device = device
        self._choices = {choice.name: choice for choice in choices}
        self._note = note
        self._first = first
        self._mirror = mirror

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
            yield Static(self._near(), id="notice", classes="" if self._device is None else "near", markup=False)
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
                yield Static(self._note, id="note", markup=False)
            yield FaceMap(mirror=self._mirror, id="face")
        yield KeyLine(
            (
                KeyHint("enter", words.KEY_FIND if self._device is None else words.KEY_START, "screen.take"),
                KeyHint("esc", shared.KEY_BACK, "app.today"),
                KeyHint("d", words.KEY_DEVICES, "app.devices"),
                KeyHint("g", shared.KEY_JUMP, "app.jump"),
                KeyHint("?", shared.KEY_HELP, "app.help"),
            )
        )

    def _near(self) -> str:
        if self._device is None:
            return words.NO_DEVICE
        nearness = find_words.NEARNESS[4 - find_words.nearness(self._device.rssi)]
        return words.NEAR.format(device=self._device.name, nearness=nearness)

    def on_mount(self) -> None:
        """Begin at the routine that was on the person's mind, else at the first that fits."""
        routines = self.query_one("#routines", OptionList)
        routines.focus()
        fitting = [index for index, choice in enumerate(self._choices.values()) if not choice.refusal]
        named = [index for index in fitting if list(self._choices)[index] == self._first]
        routines.highlighted = next(iter((*named, *fitting)), None)

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
