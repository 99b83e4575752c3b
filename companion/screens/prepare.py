"""The preparation: one thing at a time; the questions of today and of the skin, and what may go with the routine.

No output is possible here.

Knows how to ask. What an answer means is told to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from companion.home import Choice, OptionalStep, Question
from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import prepare as words


class PrepareScreen(Screen[None]):
    """A checklist, the questions of today, the skin, what is wished for, and the last word before the session.

    What comes after an optional step, such as the gel, is ticked once it is known which of those there will be.
    """

    CSS_PATH = "prepare.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "tick", words.KEY_TICK),
        Binding("enter", "enter", words.KEY_BEGIN),
        Binding("y", "answer(True)", words.KEY_YES),
        Binding("n", "answer(False)", words.KEY_NO),
        *(Binding(str(score), f"score({score})", show=False) for score in range(1, 6)),
        Binding("backspace,left", "back", shared.KEY_BACK),
        Binding("escape", "leave", shared.KEY_BACK),
    ]
    AUTO_FOCUS = None

    class Ready(Message):
        """All is ticked and answered; ``today`` is question id to yes (True) or no, ``optional`` what is wished for."""

        def __init__(self, today: Mapping[str, bool], optional: Collection[str] = ()) -> None:
            super().__init__()
            self.today = dict(today)
            self.optional = frozenset(optional)

    class Checked(Message):
        """The skin check is done: question id to score, 1 to 5. :meth:`PrepareScreen.go_on` is the answer to it."""

        def __init__(self, scores: Mapping[str, int]) -> None:
            super().__init__()
            self.scores = dict(scores)

    class Wished(Message):
        """These optional steps are wished for. :meth:`PrepareScreen.follow` is the answer to it."""

        def __init__(self, optional: Collection[str]) -> None:
            super().__init__()
            self.optional = frozenset(optional)

    class Left(Message):
        """The person went back."""

    def __init__(
        self, choice: Choice, today: Sequence[Question], skin: Sequence[Question] = (), manual: str = words.MANUAL
    ) -> None:
        super().__init__()
        self._choice = choice
        self._first = len(choice.prepare) if choice.before_optional is None else choice.before_optional
        self._items = tuple(choice.prepare)
        self._optional: tuple[OptionalStep, ...] = ()
        self._wishes: dict[str, bool] = {}
        self._today = tuple(today)
        self._skin = tuple(skin)
        self._scores: dict[str, int] = {}
        self._waits = False
        self._lines: tuple[str, ...] = ()
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
        index = self._at - self._first
        return self._today[index] if 0 <= index < len(self._today) else None

    @property
    def _skin_question(self) -> Question | None:
        index = self._at - self._first - len(self._today)
        return self._skin[index] if 0 <= index < len(self._skin) else None

    @property
    def _offer(self) -> OptionalStep | None:
        index = self._at - self._first - len(self._today) - len(self._skin)
        return self._optional[index] if 0 <= index < len(self._optional) else None

    @property
    def _item_index(self) -> int | None:
        """Which thing is to be ticked now: those before the questions, or those after them."""
        if self._at < self._first:
            return self._at
        index = self._at - len(self._today) - len(self._skin) - len(self._optional)
        return index if self._first <= index < len(self._items) else None

    @property
    def _done(self) -> bool:
        asked = len(self._today) + len(self._skin) + len(self._optional)
        return not self._waits and self._at >= len(self._items) + asked

    def go_on(self, lines: Sequence[str] = (), optional: Sequence[OptionalStep] = ()) -> None:
        """The skin has nothing against a session; ``lines`` are what there is to say about it.

        ``optional`` are the steps to ask for. Those that the skin is not for are told with the lines.
        """
        self._waits = False
        refused = tuple(one.refusal for one in optional if one.refusal)
        self._lines = (*lines, *refused)
        self._optional = tuple(one for one in optional if not one.refusal)
        self._wishes.clear()
        self._draw()

    def follow(self, choice: Choice) -> None:
        """Go on with the routine as it is with what is wished for."""
        self._waits = False
        self._items = tuple(choice.prepare)
        self._draw()

    def _draw(self) -> None:
        question, skin = self._question, self._skin_question
        hints = [
            KeyHint("backspace", words.KEY_BEFORE, "screen.back"),
            KeyHint("esc", shared.KEY_BACK, "screen.leave"),
            KeyHint("?", shared.KEY_HELP, "app.help"),
        ]
        if self._done:
            self._say("", words.READY, "\n".join((*self._lines, words.READY_HINT)))
            hints.insert(0, KeyHint(words.BEGIN_KEY, words.KEY_BEGIN, "screen.tick"))
        elif question is not None:
            index = self._at - self._first + 1
            count = words.COUNT.format(index=index, count=len(self._today))
            self._say(f"{words.TODAY} · {count}", question.text, words.TODAY_HINT)
            hints[:0] = [
                KeyHint("n", words.KEY_NO, "screen.answer(False)"),
                KeyHint("y", words.KEY_YES, "screen.answer(True)"),
            ]
        elif skin is not None:
            index = self._at - self._first - len(self._today) + 1
            count = words.COUNT.format(index=index, count=len(self._skin))
            self._say(f"{words.SKIN} · {count}", skin.text, words.SCALE)
            hints[:0] = [
                KeyHint(str(score), words.SCORES[score - 1], f"screen.score({score})") for score in range(1, 6)
            ]
        elif self._offer is not None:
            index = self._optional.index(self._offer) + 1
            count = words.COUNT.format(index=index, count=len(self._optional))
            said = "\n".join((self._offer.text, *self._lines)) if index == 1 else self._offer.text
            self._say(f"{words.OPTIONAL} · {count}", self._offer.question, said)
            hints[:0] = [
                KeyHint("n", words.KEY_NO, "screen.answer(False)"),
                KeyHint("y", words.KEY_YES, "screen.answer(True)"),
            ]
        elif self._item_index is not None and not self._waits:
            item = self._items[self._item_index]
            self._say(words.COUNT.format(index=self._item_index + 1, count=len(self._items)), item.title, item.text)
            hints.insert(0, KeyHint("space", words.KEY_TICK, "screen.tick"))
        self.query_one("#list", Static).update(self._list())
        self.query_one("#keys", KeyLine).offer(hints)

    def _say(self, count: str, headline: str, text: str) -> None:
        self.query_one("#count", Static).update(Content(count))
        self.query_one("#headline", Static).update(Content(headline))
        self.query_one("#text", Static).update(Content(text))

    def _list(self) -> Content:
        parts: list[str | tuple[str, str]] = []
        self._list_items(parts, 0, self._first)
        answered = len(self._answers)
        mark, tone = (words.MARK_DONE, "$done") if answered == len(self._today) else (words.MARK_TO_COME, "$muted")
        if self._question is not None:
            mark, tone = words.MARK_HERE, "$foreground"
        if self._today:
            parts += [(mark, f"bold {tone}"), (f"{words.TODAY}\n", tone)]
        if self._skin:
            checked = not self._waits and self._at >= self._first + len(self._today) + len(self._skin)
            mark, tone = (words.MARK_DONE, "$done") if checked else (words.MARK_TO_COME, "$muted")
            if self._skin_question is not None:
                mark, tone = words.MARK_HERE, "$foreground"
            parts += [(mark, f"bold {tone}"), (f"{words.SKIN}\n", tone)]
        if self._choice.before_optional is not None:
            asked = self._at >= self._first + len(self._today) + len(self._skin) + len(self._optional)
            mark, tone = (words.MARK_DONE, "$done") if asked and not self._waits else (words.MARK_TO_COME, "$muted")
            if self._offer is not None:
                mark, tone = words.MARK_HERE, "$foreground"
            parts += [(mark, f"bold {tone}"), (f"{words.OPTIONAL}\n", tone)]
        self._list_items(parts, self._first, len(self._items))
        return Content.assemble(*parts)

    def _list_items(self, parts: list[str | tuple[str, str]], start: int, end: int) -> None:
        here = self._item_index
        asked = len(self._today) + len(self._skin) + len(self._optional)
        ticked = self._at if self._at < self._first else max(self._first, self._at - asked)
        for index, item in enumerate(self._items[start:end], start):
            if index == here:
                parts += [(words.MARK_HERE, "bold $now"), (f"{item.title}\n", "$foreground")]
            elif index < ticked:
                parts += [(words.MARK_DONE, "bold $done"), (f"{item.title}\n", "$done")]
            else:
                parts += [(words.MARK_TO_COME, "$faint"), (f"{item.title}\n", "$muted")]

    def action_tick(self) -> None:
        """Tick the thing that is shown, or begin once everything is ready."""
        if self._done:
            self.post_message(self.Ready(self._answers, self._wished))
        elif self._item_index is not None and not self._waits:
            self._at += 1
            self._draw()

    def action_enter(self) -> None:
        """Do as space does; never answers a question."""
        self.action_tick()

    def action_answer(self, answer: bool) -> None:
        """Answer the question that is shown. A yes to one of today is the end of it, for today."""
        question = self._question
        if question is None:
            self._wish(answer=answer)
            return
        self._answers[question.id] = answer
        if answer:
            self.post_message(self.Ready(self._answers))
            return
        self._at += 1
        self._draw()

    def _wish(self, *, answer: bool) -> None:
        offer = self._offer
        if offer is None:
            return
        self._wishes[offer.name] = answer
        self._at += 1
        if self._offer is None:
            self._waits = True
            self.post_message(self.Wished(self._wished))
        self._draw()

    @property
    def _wished(self) -> frozenset[str]:
        return frozenset(name for name, wish in self._wishes.items() if wish)

    def action_score(self, score: int) -> None:
        """Answer the question about the skin that is shown, 1 to 5."""
        question = self._skin_question
        if question is None:
            return
        self._scores[question.id] = score
        self._at += 1
        if self._skin_question is None:
            self._waits = True
            self.post_message(self.Checked(self._scores))
        self._draw()

    def action_back(self) -> None:
        """Take the last tick or answer back."""
        if self._at and not self._waits:
            self._at -= 1
            if self._question is not None:
                self._answers.pop(self._question.id, None)
            if self._offer is not None:
                self._wishes.pop(self._offer.name, None)
            self._draw()

    def action_leave(self) -> None:
        """Go back to the routines."""
        self.post_message(self.Left())
