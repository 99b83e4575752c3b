"""The code of a pairing, large: to be compared with the device's, typed from it, or typed there.

Stands over the session that waits for its device; space and escape stop that as everywhere. Knows how to ask, and
decides nothing.
"""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Digits, Input, OptionList, Static
from textual.widgets.option_list import Option

from companion.words import devices as words


class PairingScreen(ModalScreen[int | bool | None]):
    """One question. Its result: True or False to a comparison, the number typed, or None for rather not."""

    CSS_PATH = "pairing.tcss"
    AUTO_FOCUS: ClassVar[str | None] = None

    def __init__(self, device: str, number: int | None, *, compare: bool) -> None:
        super().__init__()
        self._device = device
        self._number = number
        self._compare = compare

    def compose(self) -> ComposeResult:
        """Lay the question out: the code above, what to do with it below."""
        with Vertical(id="pairing"):
            yield Static(words.TITLE.format(device=self._device), id="title", markup=False)
            with Horizontal(id="codes"):
                if self._number is not None:
                    with Vertical(id="here"):
                        yield Static(words.HERE, classes="caption", markup=False)
                        yield Digits(words.code(self._number), id="code")
                with Vertical(id="there"):
                    yield Static(words.THERE, classes="caption", markup=False)
                    yield Digits("", id="simulated")
            if self._compare:
                yield Static(words.SAME.format(device=self._device), id="what", markup=False)
                yield OptionList(
                    Option(Content(words.YES_SAME), id="yes"), Option(Content(words.NO_OTHER), id="no"), id="answers"
                )
            elif self._number is None:
                yield Static(words.TYPE_IT.format(device=self._device), id="what", markup=False)
                yield Input(id="typed", placeholder=words.PLACEHOLDER, max_length=6, restrict=r"[0-9]*")
            else:
                yield Static(words.TYPE_THERE.format(device=self._device), id="what", markup=False)
            yield Static(f"{words.WHY} {words.LIMIT}", id="why", markup=False)
            yield Static(words.CHOOSE if self._compare else words.ENDS, id="ends", markup=False)

    def on_mount(self) -> None:
        """Choose nothing beforehand: that two codes are the same is seen, not waved through."""
        for answers in self.query(OptionList):
            answers.highlighted = None
            answers.focus()
        for typed in self.query(Input):
            typed.focus()

    def simulated(self, number: int) -> None:
        """Show the display of a virtual device beside the question: nobody has it in their hand."""
        if self.is_mounted:
            self.add_class("-simulated")
            self.query_one("#simulated", Digits).update(words.code(number))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Hand on the answer."""
        event.stop()
        self.dismiss(event.option_id == "yes")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand on a code of six digits; fewer are not taken."""
        event.stop()
        if len(event.value) == 6:
            self.dismiss(int(event.value))
        else:
            self.query_one("#what", Static).update(words.SIX_DIGITS)
