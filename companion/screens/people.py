"""Whose turn it is: everyone of the household, one under the hand. Knows names alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import people as words


class PeopleScreen(Screen[None]):
    """Chooses a person, adds, renames or forgets one. What is whose is decided by whoever is told.

    Somebody is forgotten once their name was typed, and never by a key alone.
    """

    CSS_PATH = "people.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "add", words.KEY_ADD, show=False),
        Binding("e", "rename", words.KEY_RENAME, show=False),
        Binding("x,delete", "forget", words.KEY_FORGET, show=False),
        Binding("escape", "back", shared.KEY_BACK, show=False),
    ]

    class Chosen(Message):
        """It is to be that person's turn."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    class Added(Message):
        """Somebody is to be added. :meth:`PeopleScreen.show` or :meth:`PeopleScreen.refuse` is the answer to it."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    class Renamed(Message):
        """Somebody is to be called something else; answered as :class:`Added` is."""

        def __init__(self, name: str, new: str) -> None:
            super().__init__()
            self.name = name
            self.new = new

    class Forgotten(Message):
        """Somebody is to be forgotten, and their name was typed; answered as :class:`Added` is."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, names: Sequence[str], whose: str) -> None:
        super().__init__()
        self._names = tuple(names)
        self._whose = whose
        self._doing = ""
        self._who = ""

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
        with Vertical(id="column"):
            yield Static(words.TITLE, id="headline")
            yield Static(words.HINT, id="hint")
            yield OptionList(id="people")
            yield Static("", id="about", markup=False)
            yield Input(placeholder=words.NAME, id="new", compact=True, max_length=40)
            yield Static("", id="refusal", markup=False)
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        """Begin at the person whose turn it is."""
        field = self.query_one("#new", Input)
        field.display = False
        field.cursor_blink = False
        self.show(self._names)

    def show(self, names: Sequence[str], whose: str | None = None) -> None:
        """Show these people; a new one is under the hand. ``whose`` turn it is, where that has changed."""
        new = [name for name in names if name not in self._names]
        self._names = tuple(names)
        self._whose = whose or self._whose
        listed = self.query_one("#people", OptionList)
        listed.clear_options()
        listed.add_options(Option(self._line(name), id=str(index)) for index, name in enumerate(names))
        listed.highlighted = self._names.index(new[-1] if new else self._whose)
        self._end()

    def refuse(self, why: str) -> None:
        """The name cannot be kept."""
        self.query_one("#refusal", Static).update(Content(why))

    def _line(self, name: str) -> Content:
        turn = self._whose == name
        return Content.assemble(
            ("● " if turn else "○ ", "$done" if turn else "$faint"),
            (name, "bold $foreground"),
            (f"   {words.TURN}" if turn else "", "$muted"),
        )

    def _end(self) -> None:
        field = self.query_one("#new", Input)
        field.value = ""
        field.display = False
        self._doing = self._who = ""
        for part in ("#refusal", "#about"):
            self.query_one(part, Static).update("")
        self.query_one("#people", OptionList).focus()
        self.query_one("#keys", KeyLine).offer(
            (
                KeyHint("enter", words.KEY_CHOOSE, "screen.take"),
                KeyHint("a", words.KEY_ADD, "screen.add"),
                KeyHint("e", words.KEY_RENAME, "screen.rename"),
                KeyHint("x", words.KEY_FORGET, "screen.forget"),
                KeyHint("esc", shared.KEY_BACK, "screen.back"),
                KeyHint("?", shared.KEY_HELP, "app.help"),
            )
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Hand on the choice."""
        event.stop()
        self.post_message(self.Chosen(self._names[event.option_index]))

    def action_take(self) -> None:
        """Choose who is highlighted."""
        self.query_one("#people", OptionList).action_select()

    def action_add(self) -> None:
        """Let a name be written."""
        self._begin("add", "", words.KEY_KEEP)

    def action_rename(self) -> None:
        """Let another name be written for who is under the hand."""
        who = self._under_hand
        if who is not None and not self._doing:
            self._begin("rename", words.RENAME.format(name=who), words.KEY_KEEP, who=who)

    def action_forget(self) -> None:
        """Say what forgetting would take, and ask for the name."""
        who = self._under_hand
        if who is None or self._doing:
            return
        about = [words.FORGET.format(name=who)]
        if len(self._names) == 1:
            about.append(words.FORGET_LAST.format(anew=words.NOBODY_YET))
        about.append(words.TYPE_NAME.format(name=who))
        self._begin("forget", "\n".join(about), words.KEY_FORGET_NOW, who=who)

    @property
    def _under_hand(self) -> str | None:
        at = self.query_one("#people", OptionList).highlighted
        return None if at is None else self._names[at]

    def _begin(self, doing: str, about: str, key: str, *, who: str = "") -> None:
        self._doing, self._who = doing, who
        self.query_one("#about", Static).update(Content(about))
        self.query_one("#refusal", Static).update("")
        field = self.query_one("#new", Input)
        field.value = who if doing == "rename" else ""
        field.placeholder = words.NAME
        field.display = True
        field.focus()
        keep = KeyHint("enter", key, "screen.keep")
        self.query_one("#keys", KeyLine).offer((keep, KeyHint("esc", words.KEY_CANCEL, "screen.back")))

    async def action_keep(self) -> None:
        """Keep what was written."""
        await self.query_one("#new", Input).action_submit()

    @on(Input.Submitted)
    def _written(self, event: Input.Submitted) -> None:
        event.stop()
        written = " ".join(event.value.split())
        match self._doing:
            case "rename":
                self.post_message(self.Renamed(self._who, written))
            case "forget" if written.casefold() == self._who.casefold():
                self.post_message(self.Forgotten(self._who))
            case "forget":
                self.refuse(words.NAME_DIFFERS)
            case _:
                self.post_message(self.Added(written))

    def action_back(self) -> None:
        """Leave what is being written, else the screen."""
        if self.query_one("#new", Input).display:
            self._end()
        else:
            self.dismiss()
