"""Water: a glass that fills, the day's amount in large figures, and the last seven days. Claims nothing for it.

Draws what the almanac says and hands on what was drunk; judges nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time
from typing import ClassVar, Final, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from companion.care.hydration import (
    LEAST_GOAL_ML,
    MOST_DRINK_ML,
    MOST_GOAL_ML,
    Ask,
    Goal,
    Occasion,
    Span,
    Water,
    schedule,
)
from companion.care.reminders import Agenda
from companion.config import CompanionError
from companion.store.diary import Drink
from companion.widgets.amount import Amount
from companion.widgets.bars import Bar, Bars
from companion.widgets.dayline import DayLine, Moment
from companion.widgets.figures import Figures
from companion.widgets.glass import Glass
from companion.widgets.keyline import KeyHint, KeyLine
from companion.words import app as shared
from companion.words import water as spoken
from companion.words import water_screen as words

_GOAL_STEP: Final = 100
_DRINK_STEP: Final = 50
_OTHER_ML: Final = 300


class Waters(Protocol):
    """What the screen needs of the almanac: :class:`companion.almanac.Almanac` is one."""

    @property
    def now(self) -> datetime:
        """This moment, where the person is."""

    def goal(self) -> Goal:
        """What the person wants to drink in a day."""

    def set_goal(self, goal: Goal) -> None:
        """Keep what the person wants to drink in a day."""

    def water(self) -> Water:
        """The day so far, and what may be asked."""

    def drink(self, ml: int | None = None) -> None:
        """Log a drink, a glass when not told."""

    def undo_drink(self) -> Drink | None:
        """Take the last drink back."""

    def drinks_of(self, day: date) -> list[Drink]:
        """What was drunk on a day."""

    def water_week(self) -> dict[date, int]:
        """What was drunk on each of the last seven days."""

    def agenda(self) -> Agenda:
        """What reminders follow from: whether and when water is asked for."""


class WaterScreen(Screen[None]):
    """The day's water. Tells by :class:`Changed` that a drink or the goal is not what it was."""

    CSS_PATH = "water.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "glass", words.KEY_GLASS, show=False),
        Binding("plus,equals_sign", "other", words.KEY_OTHER, show=False),
        Binding("u,backspace", "undo", words.KEY_UNDO, show=False),
        Binding("e", "goal", words.KEY_GOAL, show=False),
        Binding("l", "limits", words.KEY_LIMITS, show=False),
        Binding("escape,q", "back", shared.KEY_BACK, show=False),
    ]

    class Changed(Message):
        """Something was drunk, taken back, or the goal is another."""

    def __init__(self, almanac: Waters) -> None:
        super().__init__()
        self._almanac = almanac
        self._agenda = almanac.agenda()
        self._asking = ""
        self._said = ""

    # --- what it is made of -------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(words.TITLE, id="name")
        with Horizontal(id="body"):
            yield Glass(id="glass")
            with Vertical(id="column"):
                with Horizontal(id="amounts"):
                    yield Figures(id="today")
                    yield Static(id="of")
                yield DayLine(id="day")
                yield Amount(id="amount")
                yield Static(id="next", markup=False)
                yield Static(id="said", markup=False)
                yield Bars(id="week")
                yield Static(id="week-title")
        yield Static(spoken.WHY, id="why")
        yield KeyLine()

    def on_mount(self) -> None:
        """Show the day; look again each minute, for the day goes on."""
        self._draw()
        self.set_interval(60, self.look_again)

    def look_again(self) -> None:
        """Show the day as it is now; below another screen nothing is drawn."""
        if self.is_current:
            self._agenda = self._almanac.agenda()
            self._draw()

    # --- drawing ------------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """Read the day, and show it."""
        now, goal, water = self._almanac.now, self._almanac.goal(), self._almanac.water()
        asked = self._agenda
        self.query_one(Glass).show(water.share)
        self.query_one(Figures).show(str(water.today_ml))
        of = words.ML_TODAY if water.goal_ml is None else words.OF_GOAL.format(goal=water.goal_ml)
        self.query_one("#of", Static).update(Content(of))
        self._draw_day(now, goal, water.today_ml)
        self.query_one("#next", Static).update(Content(_next(now, water, asked)))
        week = self._almanac.water_week()
        today = now.date()
        bars = [Bar(words.DAYS[day.weekday()], ml, day == today) for day, ml in week.items()]
        self.query_one(Bars).show(bars, water.goal_ml)
        title = words.WEEK if water.goal_ml is None else words.WEEK_GOAL
        self.query_one("#week-title", Static).update(Content(title))
        self.query_one("#why", Static).update(Content(spoken.LIMITED if goal.limited else spoken.WHY))
        said = self.query_one("#said", Static)
        said.update(Content(self._said))
        # in the same place: what is asked, what was just done, else what comes next
        self.query_one(Amount).display = bool(self._asking)
        said.display = bool(self._said) and not self._asking
        self.query_one("#next").display = not self._said and not self._asking
        self._offer(limited=goal.limited)

    def _draw_day(self, now: datetime, goal: Goal, drunk_ml: int) -> None:
        """The waking hours with what was drunk, and what will still be asked after that."""
        agenda = self._agenda
        begins, ends = goal.waking.start, goal.waking.end
        length = (_minutes(ends) - _minutes(begins)) % _A_DAY

        def share(moment: datetime) -> float:
            since = (_minutes(moment.astimezone(now.tzinfo).time()) - _minutes(begins)) % _A_DAY
            # what lies outside of the waking hours is put at the nearer end
            return since / length if since <= length else 1.0 if since - length < _A_DAY - since else 0.0

        moments = [Moment(share(one.at), done=True) for one in self._almanac.drinks_of(now.date())]
        if agenda.goal is not None:
            spans: tuple[Span, ...] = tuple(agenda.done)
            if agenda.session is not None:
                spans = (*spans, agenda.session.span)
            asks = schedule(now.date(), agenda.zone, goal, spans)
            coming = [ask for ask in asks if ask.until > now and drunk_ml < _settled_by(ask, goal)]
            moments += [Moment(share(ask.at), done=False) for ask in coming]
        self.query_one(DayLine).show(f"{begins:%H:%M}", f"{ends:%H:%M}", moments, share(now))

    def _offer(self, *, limited: bool) -> None:
        if self._asking:
            keep = words.KEY_LOG if self._asking == "other" else words.KEY_KEEP
            hints = [
                KeyHint("enter", keep, "screen.give"),
                KeyHint("↑↓", words.KEY_STEP, "screen.step(1)"),
                KeyHint("esc", words.KEY_CANCEL, "screen.back"),
            ]
        else:
            hints = [KeyHint("w", words.KEY_GLASS, "screen.glass"), KeyHint("+", words.KEY_OTHER, "screen.other")]
            hints += [KeyHint("u", words.KEY_UNDO, "screen.undo")]
            hints += [] if limited else [KeyHint("e", words.KEY_GOAL, "screen.goal")]
            label = words.KEY_NOT_LIMITED if limited else words.KEY_LIMITS
            hints += [KeyHint("l", label, "screen.limits"), KeyHint("esc", shared.KEY_BACK, "screen.back")]
            hints += [KeyHint("?", shared.KEY_HELP, "app.help")]
        self.query_one(KeyLine).offer(hints)

    # --- doing --------------------------------------------------------------------------------------------------------

    def _try(self, change: Callable[[], str]) -> None:
        """Make a change that says what it did, and show what holds now."""
        try:
            self._said = change()
            self.post_message(self.Changed())
        except (CompanionError, ValueError) as error:
            self._said = str(error)
        self._end()

    def action_glass(self) -> None:
        """Log a glass."""
        if not self._asking:
            self._try(lambda: self._drunk(self._almanac.goal().glass_ml))

    def _drunk(self, ml: int) -> str:
        self._almanac.drink(ml)
        return spoken.LOGGED.format(ml=ml)

    def action_undo(self) -> None:
        """Take the last drink back."""
        if not self._asking:
            self._try(self._taken_back)

    def _taken_back(self) -> str:
        drink = self._almanac.undo_drink()
        return words.NOTHING_TO_UNDO if drink is None else spoken.TAKEN_BACK.format(ml=drink.ml)

    def action_other(self) -> None:
        """Ask how much."""
        self._ask("other", words.HOW_MUCH, _OTHER_ML, _DRINK_STEP, (_DRINK_STEP, MOST_DRINK_ML))

    def action_goal(self) -> None:
        """Ask for the day's goal."""
        goal = self._almanac.goal()
        if not goal.limited:
            self._ask("goal", words.GOAL, goal.ml, _GOAL_STEP, (LEAST_GOAL_ML, MOST_GOAL_ML))

    def _ask(self, what: str, question: str, value: int, step: int, bounds: tuple[int, int]) -> None:
        if self._asking:
            return
        self._asking, self._said = what, ""
        amount = self.query_one(Amount)
        amount.ask(question, words.UNIT, value, step=step, least=bounds[0], most=bounds[1])
        self._draw()
        amount.focus(scroll_visible=False)

    def action_give(self) -> None:
        """Keep what is asked for."""
        self.query_one(Amount).action_give()

    def action_step(self, by: int) -> None:
        """More of what is asked for, or less."""
        self.query_one(Amount).action_step(by)

    @on(Amount.Given)
    def _given(self, event: Amount.Given) -> None:
        event.stop()
        if self._asking == "other":
            self._try(lambda: self._drunk(event.value))
        elif self._asking == "goal":
            self._try(lambda: self._aimed(event.value))

    def _aimed(self, ml: int) -> str:
        self._set_goal(replace(self._almanac.goal(), ml=ml))
        return words.GOAL_SET.format(ml=ml)

    @on(Amount.Left)
    def _left(self, event: Amount.Left) -> None:
        event.stop()
        self._end()

    def _set_goal(self, goal: Goal) -> None:
        self._almanac.set_goal(goal)
        self._agenda = self._almanac.agenda()

    def action_limits(self) -> None:
        """Whether a doctor limits fluids: then nothing is asked."""
        if not self._asking:
            self._try(self._limit)

    def _limit(self) -> str:
        goal = self._almanac.goal()
        self._set_goal(replace(goal, limited=not goal.limited))
        return words.NOT_LIMITED if goal.limited else words.LIMITED_NOW

    def _end(self) -> None:
        self._asking = ""
        self.set_focus(None)
        self._draw()

    def action_back(self) -> None:
        """Leave what is asked; else the screen."""
        if self._asking:
            self._end()
        else:
            self.dismiss()


_A_DAY: Final = 24 * 60


def _settled_by(ask: Ask, goal: Goal) -> int:
    """How much has to be drunk for a glass not to be asked any more."""
    return ask.by_ml if ask.occasion is Occasion.DAY else goal.ml


def _minutes(clock: time) -> float:
    return clock.hour * 60 + clock.minute + clock.second / 60


def _next(now: datetime, water: Water, agenda: Agenda) -> str:
    """When the next glass is asked, in words."""
    if water.goal_ml is None:
        return ""
    if water.today_ml >= water.goal_ml:
        return spoken.REACHED
    if agenda.goal is None:
        return words.NOT_ASKED
    if water.ask_at is None:
        return spoken.NOTHING_ASKED
    if water.ask_ml:
        return words.NOW
    return words.NEXT.format(at=water.ask_at.astimezone(now.tzinfo))
