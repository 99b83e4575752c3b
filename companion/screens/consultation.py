"""The consultation: a few questions about wishes, then the plan that suits them. Each of it may be left out.

Knows how to ask, and how a plan's days are chosen. What suits whom is decided by ``companion.care``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

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
from companion.words import consultation as words
from companion.words import proposal as proposal_words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, time

    from companion.home import Proposed, Wish


class ConsultationScreen(Screen[None]):
    """One question at a time; a question of several answers is done with enter, the others with the answer."""

    CSS_PATH = "consultation.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", show=False),
        Binding("backspace,left", "back", shared.KEY_BACK, show=False),
        Binding("escape", "leave", proposal_words.KEY_SKIP, show=False),
        *(Binding(str(number), f"pick({number})", show=False) for number in range(1, 8)),
    ]

    class Answered(Message):
        """Every question is answered: question id to choice ids."""

        def __init__(self, answers: Mapping[str, Sequence[str]]) -> None:
            super().__init__()
            self.answers = {name: tuple(given) for name, given in answers.items()}

    class Left(Message):
        """The person would rather not."""

    def __init__(self, wishes: Sequence[Wish]) -> None:
        super().__init__()
        self._wishes = tuple(wishes)
        self._answers: dict[str, list[str]] = {}
        self._at = 0

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
            yield Static(id="count")
        with Vertical(id="column"):
            yield Static(words.TITLE, id="title")
            yield Static(words.WHY, id="why")
            yield Static(id="question")
            yield Static(id="note")
            yield OptionList(id="answers")
        yield KeyLine(id="keys")

    def on_mount(self) -> None:
        """Ask the first question."""
        self._ask()

    @property
    def _wish(self) -> Wish:
        return self._wishes[self._at]

    def _ask(self) -> None:
        wish = self._wish
        count = words.COUNT.format(index=self._at + 1, count=len(self._wishes))
        self.query_one("#count", Static).update(Content(count))
        self.query_one("#question", Static).update(Content(wish.text))
        self.query_one("#note", Static).update(Content(wish.note))
        answers = self.query_one("#answers", OptionList)
        answers.clear_options()
        answers.add_options(
            Option(self._line(number, name, text), id=name) for number, (name, text) in enumerate(wish.choices, start=1)
        )
        answers.highlighted = 0
        answers.focus()
        choose = KeyHint("enter", shared.KEY_CHOOSE, "screen.take")
        several = (
            KeyHint("space", shared.KEY_CHOOSE, "screen.mark"),
            KeyHint("enter", proposal_words.KEY_NEXT, "screen.take"),
        )
        self.query_one("#keys", KeyLine).offer(
            (
                *(several if wish.several else (choose,)),
                KeyHint("backspace", shared.KEY_BACK, "screen.back"),
                KeyHint("esc", proposal_words.KEY_SKIP, "screen.leave"),
                KeyHint("?", shared.KEY_HELP, "app.help"),
            )
        )

    def _line(self, number: int, name: str, text: str) -> Content:
        if not self._wish.several:
            return Content.assemble((str(number), "bold $now"), f"  {text}")
        chosen = name in self._answers.get(self._wish.id, ())
        mark = ("✓", "bold $done") if chosen else ("·", "$faint")
        return Content.assemble(mark, "  ", (str(number), "bold $now"), f"  {text}")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the answer; of several, go on with those that are marked."""
        event.stop()
        if self._wish.several:
            self._go_on(self._answers.get(self._wish.id, []))
        else:
            self._go_on([event.option_id or ""])

    def action_take(self) -> None:
        """Take what is highlighted."""
        self.query_one("#answers", OptionList).action_select()

    def action_mark(self) -> None:
        """Mark what is highlighted, or take the mark away; of one alone it is the answer."""
        highlighted = self.query_one("#answers", OptionList).highlighted
        if highlighted is not None:
            self.action_pick(highlighted + 1)

    def action_pick(self, number: int) -> None:
        """Take, or mark, the answer of that number."""
        wish = self._wish
        if not 1 <= number <= len(wish.choices):
            return
        name, text = wish.choices[number - 1]
        if not wish.several:
            self._go_on([name])
            return
        chosen = self._answers.setdefault(wish.id, [])
        if name in chosen:
            chosen.remove(name)
        else:
            chosen.append(name)
        answers = self.query_one("#answers", OptionList)
        answers.replace_option_prompt_at_index(number - 1, self._line(number, name, text))
        answers.highlighted = number - 1

    def _go_on(self, given: Sequence[str]) -> None:
        self._answers[self._wish.id] = list(given)
        if self._at + 1 == len(self._wishes):
            self.post_message(self.Answered(self._answers))
            return
        self._at += 1
        self._ask()

    def action_back(self) -> None:
        """Go back to the question before."""
        if self._at:
            self._at -= 1
            self._ask()

    def action_leave(self) -> None:
        """Leave it out."""
        self.post_message(self.Left())


class ProposalScreen(Screen[None]):
    """The plan that is proposed, why, from when on, and on which days; enter begins it."""

    CSS_PATH = "consultation.tcss"
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", proposal_words.KEY_ACCEPT, show=False),
        Binding("left", "start(-1)", show=False),
        Binding("right", "start(1)", show=False),
        Binding("up", "at(30)", show=False),
        Binding("down", "at(-30)", show=False),
        *(Binding(str(number), f"day({number - 1})", show=False) for number in range(1, 8)),
        Binding("escape", "leave", proposal_words.KEY_SKIP, show=False),
    ]

    class Accepted(Message):
        """The person follows the plan, from ``start`` on, on ``weekdays`` (none: any) ``at`` a time of day."""

        def __init__(self, proposed: Proposed, start: date, weekdays: tuple[int, ...], at: time) -> None:
            super().__init__()
            self.proposed = proposed
            self.start = start
            self.weekdays = weekdays
            self.at = at

    class Left(Message):
        """No plan, for now."""

    def __init__(self, proposed: Proposed) -> None:
        super().__init__()
        self._proposed = proposed
        self._start = proposed.start
        self._weekdays = set(proposed.weekdays)
        self._at = proposed.at

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        proposed = self._proposed
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
        with Vertical(id="column"):
            yield Static(proposal_words.TITLE, id="why")
            yield Static(proposed.title, id="plan", markup=False)
            yield Static("\n\n".join(proposed.reasons or (proposed.summary,)), id="reasons", markup=False)
            yield Static(id="days")
        yield KeyLine(
            (
                KeyHint("enter", proposal_words.KEY_ACCEPT, "screen.accept"),
                KeyHint("←→", proposal_words.KEY_START, "screen.start(1)"),
                KeyHint("1-7", proposal_words.KEY_DAYS, ""),
                KeyHint("↑↓", proposal_words.KEY_AT, "screen.at(30)"),
                KeyHint("esc", proposal_words.KEY_SKIP, "screen.leave"),
            )
        )

    def on_mount(self) -> None:
        """Show the days."""
        self._draw()

    def _draw(self) -> None:
        ahead = (self._start - self._proposed.today).days
        start = proposal_words.DAY.format(day=self._start)
        if ahead < len(proposal_words.SOON):
            start = proposal_words.SOON[ahead].format(day=start)
        parts: list[str | tuple[str, str]] = [(f"{proposal_words.START:<6}", "$muted"), (start, "bold $foreground")]
        parts += ["\n", (f"{proposal_words.DAYS:<6}", "$muted")]
        for number, name in enumerate(proposal_words.WEEKDAYS):
            chosen = number in self._weekdays
            parts += [(f"{number + 1}", "bold $now"), (" ● " if chosen else " ○ ", "$done" if chosen else "$muted")]
            parts += [(f"{name}  ", "bold $foreground" if chosen else "$muted")]
        if not self._weekdays:
            parts += [(f"\n{'':<6}{proposal_words.ANY_DAY}", "$muted")]
        parts += ["\n", (f"{proposal_words.AT:<6}", "$muted"), (f"{self._at:%H:%M}", "bold $foreground")]
        parts += ["\n", (f"{proposal_words.TIME:<6}", "$muted")]
        parts += [(proposal_words.MINUTES.format(minutes=self._proposed.minutes), "bold $foreground")]
        self.query_one("#days", Static).update(Content.assemble(*parts))

    def action_start(self, by: int) -> None:
        """Begin a day later, or earlier; not before today, and within four weeks."""
        ahead = (self._start - self._proposed.today).days + by
        self._start = self._proposed.today + timedelta(days=min(28, max(0, ahead)))
        self._draw()

    def action_day(self, weekday: int) -> None:
        """Prefer a day of the week, or no longer."""
        self._weekdays ^= {weekday}
        self._draw()

    def action_at(self, minutes: int) -> None:
        """Move the time of day."""
        total = (self._at.hour * 60 + self._at.minute + minutes) % (24 * 60)
        self._at = self._at.replace(hour=total // 60, minute=total % 60)
        self._draw()

    def action_accept(self) -> None:
        """Follow this plan."""
        weekdays = tuple(sorted(self._weekdays))
        self.post_message(self.Accepted(self._proposed, self._start, weekdays, self._at))

    def action_leave(self) -> None:
        """Go on without a plan."""
        self.post_message(self.Left())
