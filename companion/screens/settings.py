"""The settings: drawn from their schema alone, each with its reason, changed in place.

Knows how a choice, a switch and a text are shown and changed; knows no setting by name and no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Protocol

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from companion.config import CompanionError
from companion.settings.reading import Line
from companion.settings.setting import NotAllowedError
from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import settings as words

_HAND: Final = "▸"
_MARK: Final = 2  # columns before a label, for the mark of the row under the hand
_GAP: Final = 2


class View(Protocol):
    """How the settings are at a moment: :class:`companion.settings.reading.Reading` is one."""

    @property
    def lines(self) -> Sequence[Line]:
        """Every setting, in order; those of one section follow each other."""

    @property
    def warning(self) -> str:
        """What is wrong with the file, in one line; empty when nothing is."""


class Keeper(Protocol):
    """Who keeps the settings: :class:`companion.settings.file.SettingsFile` does."""

    def read(self) -> View:
        """The settings as they are now."""

    def change(self, key: str, value: object) -> None:
        """Keep a value; None makes it as usual again.

        Raises:
            CompanionError: it cannot be kept; one line for the person.
        """


class SettingRow(Widget, can_focus=True):
    """One setting: its name and value, below them its reason, or what is wrong. Changes nothing by itself."""

    ALLOW_SELECT = False
    # Here and not on the screen: the list around it would take them for scrolling.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "screen.move(-1)", show=False),
        Binding("down,j", "screen.move(1)", show=False),
        Binding("pageup", "screen.move(-5)", show=False),
        Binding("pagedown", "screen.move(5)", show=False),
        Binding("home", "screen.move(-1000)", show=False),
        Binding("end", "screen.move(1000)", show=False),
    ]

    class Wanted(Message):
        """The person wants ``value`` (as it would stand in the file), or with None the usual one."""

        def __init__(self, row: SettingRow, value: object) -> None:
            super().__init__()
            self.row = row
            self.value = value

    def __init__(self, line: Line, column: int) -> None:
        super().__init__()
        self.line = line
        self.complaint = ""
        self._column = column
        self._spans: list[tuple[int, int, object]] = []

    # --- what it shows ------------------------------------------------------------------------------------------------

    def show(self, line: Line, complaint: str = "") -> None:
        """Show this from now on, with a complaint in the place of the reason where there is one."""
        if (line, complaint) != (self.line, self.complaint):
            self.line = line
            self.complaint = complaint
            self.refresh()

    def left(self) -> None:
        """The person has gone on to something else."""
        if not self.editing:
            self.complaint = ""
        self.refresh()

    @property
    def said(self) -> str:
        """What stands below name and value."""
        if self.complaint or self.line.problem:
            return f"! {self.complaint or self.line.problem}"
        if self.editing:
            return words.ALLOWED_HERE.format(allowed=self.line.setting.answers)
        return self.line.setting.reason

    def render(self) -> Content:
        """Return the lines and remember where each choice is."""
        setting = self.line.setting
        under_hand = self.has_focus or self.editing
        parts: list[str | Content | tuple[str, str]] = [
            (f"{_HAND} " if under_hand else "  ", "$now"),
            (f"{setting.label:<{self._column - _MARK}}", "bold $now" if under_hand else "bold $foreground"),
        ]
        self._spans = []
        if setting.picked:
            parts += self._choices()
        elif not self.editing:
            parts += self._text()
        wrong = bool(self.complaint or self.line.problem)
        # Wrapped here: a line that goes on begins below the first and not at the edge.
        reason = Content(self.said).wrap(max(10, self.size.width - _MARK - 1))[: self.size.height - 1]
        for one in reason:
            parts += ["\n" + " " * _MARK, (str(one), "$now" if wrong else "$muted")]
        return Content.assemble(*parts)

    def _choices(self) -> list[str | Content | tuple[str, str]]:
        parts: list[str | Content | tuple[str, str]] = []
        at = self._column
        for choice in self.line.setting.choices:
            current = choice == self.line.value
            text = f"{'●' if current else '○'} {self.line.setting.shown(choice)}"
            parts += [(text, "bold $foreground" if current else "$muted"), " " * _GAP]
            self._spans.append((at, at + len(text), choice))
            at += len(text) + _GAP
        return parts

    def _text(self) -> list[str | Content | tuple[str, str]]:
        room = max(1, self.size.width - self._column - 1)
        text = self.line.text
        usual = "" if self.line.usual else words.USUAL.format(value=self.line.setting.shown(self.line.setting.default))
        if len(text) > room:
            text, usual = f"{text[: room - 1]}…", ""
        elif len(text) + _GAP + len(usual) > room:
            usual = ""
        return [(text, "$muted" if self.line.value is None else "bold $foreground"), " " * _GAP, (usual, "$muted")]

    # --- changing it --------------------------------------------------------------------------------------------------

    @property
    def editing(self) -> bool:
        """Whether the person is writing in it."""
        return bool(self.query(Input))

    def step(self, by: int) -> None:
        """Want the choice that is ``by`` places further on, round and round."""
        choices = self.line.setting.choices
        at = choices.index(self.line.value) if self.line.value in choices else -by
        self.post_message(self.Wanted(self, choices[(at + by) % len(choices)]))

    async def begin(self) -> None:
        """Let the person write, in the value's own place."""
        if self.editing or self.line.setting.picked:
            return
        setting, value = self.line.setting, self.line.value
        field = Input("" if value is None else setting.shown(value), compact=True)
        field.cursor_blink = False
        field.styles.offset = (self._column, 0)
        field.styles.width = max(8, self.size.width - self._column - 1)
        await self.mount(field)
        field.focus()
        self.refresh()

    async def end(self) -> None:
        """Stop writing; what was written and not kept is gone."""
        focused = any(field.has_focus for field in self.query(Input))
        await self.query(Input).remove()
        self.complaint = ""
        if focused:
            self.focus()
        self.refresh()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self.complaint:
            try:
                self.line.setting.parsed(event.value)
            except NotAllowedError:
                return
            self.complaint = ""
            self.refresh()

    @on(Input.Submitted)
    async def _written(self, event: Input.Submitted) -> None:
        event.stop()
        try:
            value = self.line.setting.parsed(event.value)
        except NotAllowedError as error:
            self.complaint = words.ALLOWED_HERE.format(allowed=error)
            self.refresh()
            return
        if value == self.line.value and self.line.written:
            await self.end()
        else:
            self.post_message(self.Wanted(self, value))

    @on(Input.Blurred)
    async def _left(self, event: Input.Blurred) -> None:
        event.stop()
        if self.app.app_focus:  # the whole terminal out of focus is no change of mind
            await self.end()

    async def on_click(self, event: events.Click) -> None:
        """Take the choice under the pointer; on a text, begin to write."""
        event.stop()
        if self.editing:  # it was for the text that is being written
            return
        for start, end, choice in self._spans:
            if event.y == 0 and start <= event.x < end:
                self.post_message(self.Wanted(self, choice))
        if event.y == 0 and event.x >= self._column and not self._spans:
            await self.begin()


class SettingsScreen(Screen[None]):
    """Every setting of a keeper, by section. Tells by :class:`Changed` what is in force from now on.

    ``remarks`` are lines under the headings of sections: how it is now with what is set there.
    """

    CSS_PATH = "settings.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False),
        Binding("space,enter,right", "change(1)", words.KEY_CHANGE, show=False),
        Binding("left", "change(-1)", show=False),
        Binding("backspace,delete", "usual", words.KEY_USUAL, show=False),
        Binding("slash", "search", words.KEY_SEARCH, show=False),
        Binding("escape,q", "back", shared.KEY_BACK, show=False),
    ]

    class Changed(Message):
        """A setting was changed: ``value`` is what holds now, as the settings' struct has it."""

        def __init__(self, key: str, value: object) -> None:
            super().__init__()
            self.key = key
            self.value = value

    def __init__(self, keeper: Keeper, remarks: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._keeper = keeper
        self._remarks = dict(remarks or {})
        self._view = keeper.read()

    def compose(self) -> ComposeResult:
        """Lay the screen out, section by section."""
        lines = self._view.lines
        column = _MARK + max(len(line.setting.label) for line in lines) + _GAP
        with Horizontal(id="top"):
            yield Static(words.TITLE, id="name")
            yield Static("/ ", id="slash")
            yield Input(placeholder=words.SEARCH, id="search", compact=True)
        yield Static(self._view.warning, id="notice", markup=False)
        with VerticalScroll(id="settings", can_focus=False):
            section = ""
            for line in lines:
                if line.setting.section != section:
                    section = line.setting.section
                    yield Static(words.SECTIONS.get(section, section), classes="heading", name=section)
                    yield Static(self._remarks.get(section, ""), classes="remark", name=section, markup=False)
                yield SettingRow(line, column)
            yield Static(words.NOTHING_FOUND, id="nothing")
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin at the first setting."""
        self.query_one("#search", Input).cursor_blink = False
        self._find("")
        self._tell()
        self._rows[0].focus(scroll_visible=False)

    # --- what is under the hand ---------------------------------------------------------------------------------------

    @property
    def _rows(self) -> list[SettingRow]:
        return [row for row in self.query(SettingRow) if row.display]

    @property
    def _row(self) -> SettingRow | None:
        """The row under the hand, written in or not."""
        focused = self.focused
        if isinstance(focused, Input) and isinstance(focused.parent, SettingRow):
            return focused.parent
        return focused if isinstance(focused, SettingRow) else None

    def on_descendant_focus(self) -> None:
        """Offer the keys of what is under the hand now."""
        self._offer()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Take the mark, and an old complaint, from what was left."""
        if isinstance(event.widget, SettingRow):
            event.widget.left()

    def _offer(self) -> None:
        row = self._row
        back = KeyHint("esc", shared.KEY_BACK, "screen.back")
        if row is not None and row.editing:
            hints = [KeyHint("enter", words.KEY_KEEP, "screen.keep"), KeyHint("esc", words.KEY_CANCEL, "screen.back")]
        elif row is not None:
            picked = row.line.setting.picked
            hints = [KeyHint("space", words.KEY_CHANGE if picked else words.KEY_EDIT, "screen.change(1)")]
            hints += [KeyHint("backspace", words.KEY_USUAL, "screen.usual")] if row.line.written else []
            hints += [KeyHint("/", words.KEY_SEARCH, "screen.search"), back, KeyHint("?", shared.KEY_HELP, "app.help")]
        else:
            hints = [KeyHint("↓", words.KEY_TO_LIST, "screen.move(1)"), back]
        self.query_one(KeyLine).offer(hints)

    async def action_move(self, by: int) -> None:
        """Go to the next setting, or the one before; from the search to the first."""
        row, rows = self._row, self._rows
        if not rows or (row is not None and row.editing):
            return
        at = rows.index(row) + by if row in rows else 0
        if at == by == -1:
            self.action_search()
            return
        at = min(max(at, 0), len(rows) - 1)
        target = rows[at]
        target.focus(scroll_visible=False)
        first = at == 0 or rows[at - 1].line.setting.section != target.line.setting.section
        above = self._above(target.line.setting.section) if first else 0
        region = target.virtual_region.grow((above, 0, 0, 0))
        self.query_one("#settings", VerticalScroll).scroll_to_region(region, animate=False)

    def _above(self, section: str) -> int:
        """Rows of what stands above a section's first setting: its heading, and a remark where there is one."""
        parts = (part for part in self.query(".heading, .remark") if part.name == section and part.display)
        return sum(part.outer_size.height for part in parts)

    def remark(self, section: str, text: str) -> None:
        """Say under the heading of a section how it is now; nothing with an empty text."""
        self._remarks[section] = text
        shown = {heading.name for heading in self.query(".heading") if heading.display}
        for part in self.query(".remark").results(Static):  # none any more while the app is going down
            if part.name == section:
                part.update(Content(text))
                part.display = bool(text) and section in shown

    # --- changing -----------------------------------------------------------------------------------------------------

    async def action_change(self, by: int) -> None:
        """Take the next choice, or begin to write."""
        row = self._row
        if row is None or row.editing:
            return
        if row.line.setting.picked:
            row.step(by)
        elif by > 0:
            await row.begin()
            self._offer()

    async def action_keep(self) -> None:
        """Keep what was written."""
        if isinstance(self.focused, Input):
            await self.focused.action_submit()

    def action_usual(self) -> None:
        """Make the setting under the hand as usual again."""
        row = self._row
        if row is not None and row.line.written:
            row.post_message(SettingRow.Wanted(row, None))

    @on(SettingRow.Wanted)
    async def _change(self, event: SettingRow.Wanted) -> None:
        """Have it kept, and show what holds now; of all of them, since the file may have been changed by others too."""
        event.stop()
        setting = event.row.line.setting
        try:
            self._keeper.change(setting.key, event.value)
        except CompanionError as error:
            event.row.show(event.row.line, str(error))
            return
        await event.row.end()
        self._view = self._keeper.read()
        lines = {line.setting.key: line for line in self._view.lines}
        for row in self.query(SettingRow):
            row.show(lines[row.line.setting.key])
        self._tell()
        self._offer()
        self.post_message(self.Changed(setting.key, lines[setting.key].value))

    def _tell(self) -> None:
        notice = self.query_one("#notice", Static)
        notice.update(Content(self._view.warning))
        notice.display = bool(self._view.warning)

    # --- searching ----------------------------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Go to the search."""
        self.query_one("#search", Input).focus()

    @on(Input.Changed, "#search")
    def _searched(self, event: Input.Changed) -> None:
        event.stop()
        self._find(event.value)

    @on(Input.Submitted, "#search")
    async def _search_over(self, event: Input.Submitted) -> None:
        event.stop()
        await self.action_move(1)

    def _find(self, text: str) -> None:
        """Show the settings that have all these words, and the sections that they are in."""
        wanted = text.casefold().split()
        sections = set()
        for row in self.query(SettingRow):
            setting = row.line.setting
            said = (
                setting.key,
                setting.label,
                setting.reason,
                words.SECTIONS.get(setting.section, ""),
                setting.answers,
            )
            hay = " ".join(said).casefold()
            row.display = all(word in hay for word in wanted)
            if row.display:
                sections.add(setting.section)
        for heading in self.query(".heading"):
            heading.display = heading.name in sections
        for remark in self.query(".remark"):
            remark.display = remark.name in sections and bool(self._remarks.get(remark.name or ""))
        self.query_one("#nothing").display = not sections

    async def action_back(self) -> None:
        """Leave what is being written, else the search, else the screen."""
        row, search = self._row, self.query_one("#search", Input)
        if row is not None and row.editing:
            await row.end()
            self._offer()
        elif search.value:
            search.value = ""
            self._find("")
            await self.action_move(0)
        else:
            self.dismiss()
