"""Questions one at a time: three plain answers, one key each. Also the end of the way when it says no.

Knows how to ask. What an answer means is decided by ``companion.care``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from companion.home import Question
from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import screening as words


class ScreeningScreen(Screen[None]):
    """The screening: every question has to be answered, and may be taken back before the last one."""

    CSS_PATH = "screening.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "answer('n')", show=False),
        Binding("y", "answer('y')", show=False),
        Binding("s", "answer('s')", show=False),
        Binding("backspace,left", "back", words.KEY_BACK),
        Binding("escape", "leave", shared.KEY_BACK, show=False),
    ]

    class Answered(Message):
        """All answers are given: question id to ``no``, ``yes`` or ``not sure``, and where a doctor has agreed."""

        def __init__(self, answers: Mapping[str, str], agreed: Sequence[str]) -> None:
            super().__init__()
            self.answers = dict(answers)
            self.agreed = tuple(agreed)

    def __init__(self, questions: Sequence[Question], *, way_back: bool = False) -> None:
        super().__init__()
        self._way_back = way_back
        self._questions = tuple(questions)
        self._answers: dict[str, str] = {}
        self._agreed: list[str] = []
        self._at = 0
        self._agreement = False

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
        yield KeyLine(
            (
                KeyHint("↑↓ enter", shared.KEY_CHOOSE, "screen.take"),
                KeyHint("backspace", words.KEY_BACK, "screen.back"),
                *((KeyHint("esc", words.KEY_AS_BEFORE, "screen.leave"),) if self._way_back else ()),
                KeyHint("t", shared.KEY_THEME, "app.theme"),
                KeyHint("?", shared.KEY_HELP, "app.help"),
                KeyHint("ctrl+q", shared.KEY_LEAVE, "app.quit"),
            )
        )

    def on_mount(self) -> None:
        """Ask the first question."""
        self._ask()

    def _choices(self) -> tuple[tuple[str, str, str], ...]:
        return words.AGREEMENTS if self._agreement else words.ANSWERS

    def _ask(self) -> None:
        question = self._questions[self._at]
        count = words.COUNT.format(index=self._at + 1, count=len(self._questions))
        self.query_one("#count", Static).update(Content(count))
        self.query_one("#question", Static).update(Content(words.AGREED if self._agreement else question.text))
        note = f"{words.AGREED_NOTE} {question.text}" if self._agreement else question.note
        self.query_one("#note", Static).update(Content(note))
        answers = self.query_one("#answers", OptionList)
        answers.clear_options()
        answers.add_options(
            Option(Content.assemble((key, "bold $now"), "  ", label), id=key) for key, label, _ in self._choices()
        )
        # Nothing is chosen beforehand: an answer about health is given, not waved through.
        answers.highlighted = None
        answers.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take the chosen answer."""
        event.stop()
        self.action_answer(event.option_id or "")

    def action_take(self) -> None:
        """Take what is highlighted."""
        self.query_one("#answers", OptionList).action_select()

    def action_answer(self, key: str) -> None:
        """Take an answer by its key and go on."""
        value = next((value for known, _, value in self._choices() if known == key), None)
        if value is None:
            return
        question = self._questions[self._at]
        if self._agreement:
            self._agreement = False
            if value == "yes":
                self._agreed.append(question.id)
        else:
            self._answers[question.id] = value
            if question.kind == "ask" and value != "no":
                self._agreement = True
                self._ask()
                return
        if self._at + 1 == len(self._questions):
            self.post_message(self.Answered(self._answers, self._agreed))
            return
        self._at += 1
        self._ask()

    def action_leave(self) -> None:
        """Leave the answers as they were, where there are some that hold."""
        if self._way_back:
            self.dismiss()

    def action_back(self) -> None:
        """Take the last answer back."""
        if self._agreement:
            self._agreement = False
        elif self._at:
            self._at -= 1
        question = self._questions[self._at]
        self._answers.pop(question.id, None)
        if question.id in self._agreed:
            self._agreed.remove(question.id)
        self._ask()


class BlockedScreen(Screen[None]):
    """The end of the way: why, and whom to ask. Nothing on it leads to a device."""

    CSS_PATH = "screening.tcss"
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,escape", "back", shared.KEY_BACK, show=False),
        Binding("o", "people", words.KEY_PEOPLE, show=False),
        Binding("a", "agreed", words.KEY_AGREED, show=False),
    ]

    def __init__(
        self,
        headline: str,
        reasons: Sequence[str],
        advice: str,
        *,
        way_back: bool = False,
        people: bool = False,
        doctor: bool = False,
    ) -> None:
        super().__init__()
        self._doctor = doctor
        self._people = people
        self._way_back = way_back
        self._headline = headline
        self._reasons = tuple(reasons)
        self._advice = advice

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(shared.TITLE, id="name")
        with Vertical(id="column"):
            yield Static(self._headline, id="title")
            yield Static("\n".join(map(_sentence, self._reasons)), id="question", markup=False)
            yield Static(self._advice, id="note", markup=False)
        back = (KeyHint("enter", shared.KEY_BACK, "screen.back"),) if self._way_back else ()
        people = (KeyHint("o", words.KEY_PEOPLE, "screen.people"),) if self._people else ()
        doctor = (KeyHint("a", words.KEY_AGREED, "screen.agreed"),) if self._doctor else ()
        jump = (KeyHint("g", shared.KEY_JUMP, "app.jump"),) if self._people else ()
        yield KeyLine(
            (
                *back,
                *doctor,
                *people,
                *jump,
                KeyHint("ctrl+q", shared.KEY_LEAVE, "app.quit"),
                KeyHint("t", shared.KEY_THEME, "app.theme"),
                KeyHint("?", shared.KEY_HELP, "app.help"),
            )
        )

    async def action_back(self) -> None:
        """Back to today, where it was only now that was refused."""
        if self._way_back:
            await self.app.run_action("app.today")

    async def action_agreed(self) -> None:
        """Ask for the doctor's word, where that is all that is missing."""
        if self._doctor:
            await self.app.run_action("app.agreed")

    async def action_people(self) -> None:
        """Let somebody else have their turn, where it is one person who is told no."""
        if self._people:
            await self.app.run_action("app.people")


def _sentence(reason: str) -> str:
    """A message of a command line, as it stands on a screen."""
    reason = reason[:1].upper() + reason[1:]
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."
