"""Looks for devices and lets the person choose one. Knows signal strengths and abilities; refuses to know sessions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from companion.home import Search
from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import find as words

if TYPE_CHECKING:
    from companion.home import Device

LOOK_S = 8.0
"""How long one look is drawn to take; it ends when the finder says so."""

BARS = "▂▄▆█"


class FindScreen(Screen[None]):
    """What is in reach. Draws the search that it is given; it asks for a look and hands on the choice."""

    CSS_PATH = "find.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", words.KEY_AGAIN),
        Binding("h", "app.history", words.KEY_HISTORY),
        Binding("escape,q", "app.today", show=False),
    ]

    class Again(Message):
        """The person wants another look."""

    class Chosen(Message):
        """The person chose a device."""

        def __init__(self, device: Device) -> None:
            super().__init__()
            self.device = device

    def __init__(self, search: Search, notice: str = "", remark: str = "") -> None:
        super().__init__()
        self._search = search
        self._remark = remark
        self._notice = notice
        self._shown: dict[str, Device] = {}
        self._said = (words.LOOKING, words.LOOKING_HINT)

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
            yield Static(self._notice, id="notice")
        with Vertical(id="column"):
            yield Static(words.LOOKING, id="headline")
            yield Static(words.LOOKING_HINT, id="hint")
            yield Static(id="progress")
            yield OptionList(id="devices")
        yield Static(self._remark, id="remark")
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        """Begin to show how the look goes on."""
        self.set_interval(0.2, self._tick)
        self.show()

    def show(self) -> None:
        """Show the search as it is now."""
        search = self._search
        listed = self.query_one("#devices", OptionList)
        if any(address not in search.devices for address in self._shown):
            self._shown.clear()
            listed.clear_options()
        for address, device in search.devices.items():
            if address in self._shown:
                if device != self._shown[address]:
                    listed.replace_option_prompt(address, _line(device))
            else:
                listed.add_option(Option(_line(device), id=address))
        self._shown = dict(search.devices)
        if self._shown and listed.highlighted is None:
            listed.highlighted = 0
            listed.focus()
        if search.failure is not None:
            headline, reason, advice = search.failure
            first = reason[:1].upper() + reason[1:]
            self._say(headline, f"{first.rstrip('.')}.\n{words.TRY.format(advice=advice)}")
        elif self._shown:
            self._say(words.FOUND_ONE if len(self._shown) == 1 else words.FOUND_SOME, words.FOUND_HINT)
        elif search.since is None:
            self._say(words.NONE, words.NONE_HINT)
        else:
            self._say(words.LOOKING, words.LOOKING_HINT)
        self._progress()
        self._offer()

    @property
    def devices(self) -> tuple[Device, ...]:
        """What was found so far, in the order of appearance."""
        return tuple(self._search.devices.values())

    @property
    def headline(self) -> str:
        """What is said first."""
        return self._said[0]

    @property
    def hint(self) -> str:
        """What is said below it."""
        return self._said[1]

    def _say(self, headline: str, hint: str) -> None:
        self._said = (headline, hint)
        self.query_one("#headline", Static).update(Content(headline))
        self.query_one("#hint", Static).update(Content(hint))

    def _tick(self) -> None:
        # Below another screen a change here would have Textual draw all of that one again.
        if self.is_current and self._search.since is not None:
            self._progress()

    def _progress(self) -> None:
        line = self.query_one("#progress", Static)
        if self._search.since is None:
            line.update("", layout=False)
            return
        share = min(1.0, (asyncio.get_running_loop().time() - self._search.since) / LOOK_S)
        width = 40
        filled = round(width * share)
        line.update(Content.assemble(("━" * filled, "$now"), ("─" * (width - filled), "$faint")), layout=False)

    def _offer(self) -> None:
        hints = [KeyHint("r", words.KEY_AGAIN, "screen.again")]
        if self._shown:
            hints.insert(0, KeyHint("enter", words.KEY_USE, "screen.use"))
        self.query_one("#keys", KeyLine).offer(
            (
                *hints,
                KeyHint("esc", shared.KEY_BACK, "app.today"),
                KeyHint("g", shared.KEY_JUMP, "app.jump"),
                KeyHint("?", shared.KEY_HELP, "app.help"),
                KeyHint("ctrl+q", shared.KEY_LEAVE, "app.quit"),
            )
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Hand on the choice."""
        event.stop()
        device = self._search.devices.get(event.option_id or "")
        if device is not None:
            self.post_message(self.Chosen(device))

    def action_use(self) -> None:
        """Choose what is highlighted."""
        self.query_one("#devices", OptionList).action_select()

    def action_again(self) -> None:
        """Look again."""
        self.post_message(self.Again())


def _line(device: Device) -> Content:
    bars = words.nearness(device.rssi)
    return Content.assemble(
        (BARS[:bars], "$done"),
        (BARS[bars:], "$faint"),
        "  ",
        (f"{device.name:<12}  ", "bold $foreground"),
        (f"{words.NEARNESS[4 - bars]:<12}", "$muted"),
        (words.abilities(device.profile), "$muted"),
    )
