"""The plan: a month with sessions as dots and rest days as breaths, and what there is to choose on a day.

Draws what the almanac says and hands on what the person chooses; judges nothing by itself, and starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from typing import ClassVar, Final, Protocol

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from companion.care.plan import Mark, Outlook, Proposal
from companion.care.plan_weeks import paused
from companion.care.plans import CUSTOM, PLANS, Chosen, PauseReason, plan_of
from companion.config import CompanionError
from companion.palette import hexed
from companion.screens.plan_lines import kind_line, legend, option, phases_of, plan_text
from companion.themes import palette_of
from companion.widgets.heat import Heat
from companion.widgets.keyline import KeyHint, KeyLine
from companion.widgets.marks import GLYPHS, tone
from companion.widgets.month import Month, first_shown, weeks_of
from companion.widgets.phases import Phases
from companion.words import app as shared
from companion.words import plan_screen as words

_DAY: Final = timedelta(days=1)
_WEEK: Final = 7
_LOOK_BACK: Final = 26 * _WEEK
"""Days of the past that the picture of the weeks may show."""

_LOOK_AHEAD: Final = 13 * _WEEK
"""Days to come that are read with the first look: what takes time is the past, and it is read each time."""

_YEARS: Final = range(1971, 2199)


class Plans(Protocol):
    """What the screen needs of the almanac: :class:`companion.almanac.Almanac` is one."""

    @property
    def now(self) -> datetime:
        """This moment, where the person is."""

    def chosen(self) -> Chosen | None:
        """The plan that was chosen; None until one was."""

    def choose_plan(self, chosen: Chosen) -> None:
        """Follow that plan from now on."""

    def pause(
        self, first: date | None = None, last: date | None = None, reason: PauseReason = PauseReason.OTHER
    ) -> None:
        """Pause the plan; ``last`` None until it is carried on."""

    def outlook(self, first: date | None = None, days: int = 35) -> Outlook:
        """The plan on ``days`` days from ``first`` on."""

    def calendar_path(self) -> Path | None:
        """The calendar file that is kept up to date."""

    def subscribe(self, path: Path) -> None:
        """Write the calendar file, and keep it up to date."""

    def unsubscribe(self) -> Path | None:
        """Keep none up to date any more."""

    def refresh_calendar(self) -> bool:
        """Bring the calendar file up to date, if there is one."""


class _Mode(Enum):
    LOOK = "look"
    ACT = "act"
    UNTIL = "until"
    PLANS = "plans"
    FILE = "file"
    TIME = "time"


class PlanScreen(Screen[None]):
    """The month of a plan. Tells by :class:`Changed` that the plan is not what it was.

    ``file`` is where a calendar file is proposed to go.
    """

    CSS_PATH = "plan.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", show=False),
        Binding("right", "move(1)", show=False),
        Binding("up", "move(-7)", show=False),
        Binding("down", "move(7)", show=False),
        Binding("pageup", "turn(-1)", show=False),
        Binding("pagedown", "turn(1)", show=False),
        Binding("home", "today", show=False),
        Binding("enter", "act", show=False),
        Binding("c", "plans", words.KEY_PLANS, show=False),
        Binding("e", "file", words.KEY_FILE, show=False),
        Binding("o", "open_end", words.KEY_OPEN, show=False),
        Binding("escape,q", "back", shared.KEY_BACK, show=False),
    ]

    class Changed(Message):
        """The plan was changed, and is kept."""

    def __init__(self, almanac: Plans, *, file: Path | None = None) -> None:
        super().__init__()
        self._almanac = almanac
        self._file = file or Path.home() / "face-routine.ics"
        self._today = almanac.now.date()
        self._day = self._today
        self._month = self._today.replace(day=1)
        self._pause_from = self._today
        self._mode = _Mode.LOOK
        self._chosen: Chosen | None = None
        self._outlook: Outlook | None = None
        self._marks: dict[date, Mark] = {}
        self._proposals: dict[date, Proposal] = {}
        self._said = ""

    # --- what it is made of -------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        with Horizontal(id="top"):
            yield Static(words.TITLE, id="name")
            yield Static(id="title", markup=False)
        with Vertical(id="look"):
            yield Phases(id="phases")
            yield Static(id="line", markup=False)
            with Horizontal(id="body"):
                with Vertical(id="left"):
                    yield Month(title=words.MONTH, names=words.DAYS, id="month")
                with Vertical(id="side"):
                    yield Static(id="day")
                    yield OptionList(id="actions")
                    with Vertical(id="past"):
                        yield Static(words.WEEKS_TITLE, id="past-title")
                        yield Heat(names=words.DAYS, id="heat")
            yield Static(id="legend")
            with Horizontal(id="ask"):
                yield Static(id="asked")
                yield Input(id="answer", compact=True)
        with Vertical(id="choice"):
            yield Static(words.PLANS_TITLE, id="headline")
            yield OptionList(id="plans")
            yield Static(words.PLANS_NOTE, id="note")
        yield Static(id="said", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin at today; without a plan, with the plans."""
        self.query_one("#answer", Input).cursor_blink = False
        self._read()
        self._go(_Mode.LOOK if self._chosen is not None else _Mode.PLANS)
        self.watch(self.app, "theme", self._draw, init=False)

    # --- reading ------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read the plan anew: from the weeks that are drawn to some months ahead, and the month that is shown."""
        self._today = self._almanac.now.date()
        self._chosen = self._almanac.chosen()
        self._marks.clear()
        self._proposals.clear()
        self._outlook = None
        if self._chosen is None:
            return
        back = self._today - self._today.weekday() * _DAY - _LOOK_BACK * _DAY
        self._outlook = self._take(back, self._today + _LOOK_AHEAD * _DAY)
        self._show_month(self._month)

    def _take(self, first: date, last: date) -> Outlook:
        seen = self._almanac.outlook(first, (last - first).days + 1)
        self._marks |= {one.date: one.mark for one in seen.days}
        self._proposals |= {one.at.date(): one for one in seen.proposals}
        return seen

    def _range(self) -> tuple[date, date]:
        first = first_shown(self._month)
        return first, first + (_WEEK * weeks_of(self._month) - 1) * _DAY

    def _show_month(self, month: date) -> None:
        self._month = month.replace(day=1)
        first, last = self._range()
        days = [first + ahead * _DAY for ahead in range((last - first).days + 1)]
        if self._chosen is not None and not all(day in self._marks for day in days):
            self._take(first, last)

    # --- drawing ------------------------------------------------------------------------------------------------------

    def _go(self, mode: _Mode) -> None:
        """Change what the keys mean, and show it."""
        self._mode = mode
        for one in _Mode:
            self.set_class(one is mode, f"-{one.value}")  # the sheet knows what belongs to it
        if mode is _Mode.PLANS:
            self._list_plans()
        elif mode in {_Mode.LOOK, _Mode.UNTIL}:
            self.set_focus(None)
        self._draw()
        self._offer()

    def _draw(self) -> None:
        seen = self._outlook
        self.query_one("#title", Static).update(Content("" if seen is None else seen.plan.title))
        self.query_one("#line", Static).update(Content("" if seen is None else seen.phase_line))
        self.query_one("#said", Static).update(self._last_words())
        if seen is None or self._chosen is None:
            return
        self.query_one(Phases).show(phases_of(seen))
        span = (self._pause_from, self._day) if self._mode is _Mode.UNTIL else None
        marks = {day: mark.value for day, mark in self._marks.items()}
        month = self.query_one(Month)
        month.show(self._month, marks, today=self._today, day=self._day, span=span)
        month_marks = {mark for day, mark in self._marks.items() if day.replace(day=1) == self._month}
        self.query_one("#legend", Static).update(legend(month_marks, palette_of(self.app.theme)))
        self.query_one("#day", Static).update(self._day_text())
        self.query_one(Heat).show(marks, self._today, self._chosen.start)

    def _day_text(self) -> Content:
        mark = self._marks.get(self._day)
        today = self._day == self._today
        title = (words.TODAY if today else words.DAY).format(day=self._day)
        if self._mode is _Mode.UNTIL:
            return Content.assemble(
                (f"{words.UNTIL}\n", "bold $now"),
                (f"{title}\n\n", "bold $foreground"),
                (f"{words.UNTIL_WHY}\n{words.UNTIL_OPEN}", "$muted"),
            )
        proposal = self._proposals.get(self._day)
        if mark is None:
            said = ""
        elif mark is Mark.PLANNED and proposal is not None:
            said = words.PLANNED_AT.format(at=proposal.at, minutes=proposal.minutes)
        elif (
            self._chosen is not None
            and self._day < self._chosen.start
            and mark is Mark.FREE
            and self._day < self._today
        ):
            said = words.BEFORE_PLAN
        else:
            said = words.SAID[mark.value]
        if today and self._outlook is not None and self._outlook.why:
            said = self._outlook.why
        glyph = (f"{GLYPHS[mark.value]} ", hexed(tone(mark.value, palette_of(self.app.theme)))) if mark else ("", "")
        return Content.assemble((title, "bold $now" if today else "bold $foreground"), "\n", glyph, (said, "$muted"))

    def _last_words(self) -> Content:
        """What was just done, else how it goes."""
        if self._said:
            return Content.styled(self._said, "$muted" if self._said == words.FILE_HINT else "$now")
        return Content("") if self._outlook is None else kind_line(self._outlook)

    def _offer(self) -> None:
        back = KeyHint("esc", shared.KEY_BACK, "screen.back")
        cancel = KeyHint("esc", words.KEY_CANCEL, "screen.back")
        enter = KeyHint("enter", words.KEY_DAY, "screen.act")
        help_ = KeyHint("?", shared.KEY_HELP, "app.help")
        hints = {
            _Mode.LOOK: (
                enter,
                KeyHint("pgup pgdn", words.KEY_MONTH, "screen.turn(1)"),
                KeyHint("c", words.KEY_PLANS, "screen.plans"),
                KeyHint("e", words.KEY_FILE, "screen.file"),
                back,
                help_,
            ),
            _Mode.ACT: (enter, cancel),
            _Mode.UNTIL: (
                KeyHint("enter", words.KEY_KEEP, "screen.act"),
                KeyHint("o", words.KEY_OPEN, "screen.open_end"),
                cancel,
            ),
            _Mode.PLANS: (enter, back, help_),
            _Mode.FILE: (KeyHint("enter", words.KEY_KEEP, "screen.act"), cancel),
            _Mode.TIME: (KeyHint("enter", words.KEY_KEEP, "screen.act"), cancel),
        }
        self.query_one(KeyLine).offer(hints[self._mode])

    # --- moving -------------------------------------------------------------------------------------------------------

    def _move_to(self, day: date) -> None:
        if day.year not in _YEARS or self._mode not in {_Mode.LOOK, _Mode.UNTIL}:
            return
        if self._mode is _Mode.UNTIL:
            day = max(day, self._pause_from)
        self._said = ""
        self._day = day
        if day.replace(day=1) != self._month:
            self._show_month(day)
        self._draw()

    def action_move(self, by: int) -> None:
        """Go ``by`` days further."""
        self._move_to(self._day + by * _DAY)

    def action_turn(self, by: int) -> None:
        """Go to the same day of another month, or its last."""
        months = self._month.year * 12 + self._month.month - 1 + by
        first = date(months // 12, months % 12 + 1, 1)
        last = (first + 31 * _DAY).replace(day=1) - _DAY
        self._move_to(min(last, first + (self._day.day - 1) * _DAY))

    def action_today(self) -> None:
        """Go to today."""
        self._move_to(self._today)

    @on(Month.Pointed)
    def _pointed(self, event: Month.Pointed) -> None:
        event.stop()
        if self._mode not in {_Mode.LOOK, _Mode.UNTIL}:
            self._go(_Mode.LOOK)
        elif event.again:
            self.action_act()
            return
        self._move_to(event.day)

    @on(Month.Turned)
    def _turned(self, event: Month.Turned) -> None:
        event.stop()
        self.action_turn(event.by)

    # --- doing --------------------------------------------------------------------------------------------------------

    def action_act(self) -> None:
        """Show what can be done on the day under the hand; while something is chosen, choose it."""
        if self._mode is _Mode.LOOK:
            self._list_actions()
        elif self._mode is _Mode.UNTIL:
            self._keep_pause(self._day)
        elif self._mode is _Mode.ACT:
            self.query_one("#actions", OptionList).action_select()
        elif self._mode is _Mode.PLANS:
            self.query_one("#plans", OptionList).action_select()
        else:
            self._answered(self.query_one("#answer", Input).value)

    def action_open_end(self) -> None:
        """Pause without an end."""
        if self._mode is _Mode.UNTIL:
            self._keep_pause(None)

    def action_back(self) -> None:
        """Leave what is being chosen; else the screen."""
        if self._mode is _Mode.LOOK or self._chosen is None:
            self.dismiss()
            return
        if self._mode is _Mode.UNTIL:
            self._day = self._pause_from
            self._show_month(self._day)
        self._said = ""
        self._go(_Mode.LOOK)

    def _list_actions(self) -> None:
        chosen = self._chosen
        if chosen is None:
            return
        day, options = self._day, []
        if day >= self._today:
            if paused(chosen.pauses, day) is not None:
                options.append(option("carry", words.CARRY_ON, words.CARRY_ON_WHY))
            else:
                options.append(option("pause", words.PAUSE, words.PAUSE_WHY))
                there = self._nearest_weekday()
                if there is not None and there != day.weekday():
                    here = words.WEEKDAYS[day.weekday()]
                    text = words.MOVE.format(here=here, there=words.WEEKDAYS[there])
                    options.append(option("move", text, words.MOVE_WHY))
                if day != chosen.start:
                    options.append(option("begin", words.BEGIN, words.BEGIN_WHY))
        options.append(option("time", words.TIME, words.TIME_WHY.format(at=chosen.at)))
        options.append(option("plans", words.OTHER, words.OTHER_WHY))
        actions = self.query_one("#actions", OptionList)
        actions.clear_options()
        actions.add_options(options)
        actions.highlighted = 0
        self._said = words.NO_CHANGE if day < self._today else ""
        self._go(_Mode.ACT)
        actions.focus(scroll_visible=False)

    def _rhythm(self) -> tuple[int, ...]:
        """The weekdays that sessions fall on: those wished for, else those that the plan proposes around the day."""
        chosen = self._chosen
        if chosen is None:
            return ()
        if chosen.weekdays:
            return chosen.weekdays
        monday = self._day - self._day.weekday() * _DAY
        for week in (monday, monday + _WEEK * _DAY, monday - _WEEK * _DAY):
            found = {week + ahead * _DAY for ahead in range(_WEEK)} & self._proposals.keys()
            if found:
                return tuple(sorted(one.weekday() for one in found))
        return ()

    def _nearest_weekday(self) -> int | None:
        """The weekday with a session that is nearest to the day under the hand."""
        here, rhythm = self._day.weekday(), self._rhythm()
        if here in rhythm:
            return None
        return min(rhythm, key=lambda one: min((here - one) % _WEEK, (one - here) % _WEEK), default=None)

    @on(OptionList.OptionSelected, "#actions")
    def _acted(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._said = ""
        what, chosen = event.option_id, self._chosen
        if chosen is None:
            return
        if what == "pause":
            self._pause_from = self._day
            self._go(_Mode.UNTIL)
        elif what == "carry":
            self._carry_on(chosen)
        elif what == "move":
            there = self._nearest_weekday()
            if there is not None:
                days = tuple(sorted({*self._rhythm()} - {there} | {self._day.weekday()}))
                said = words.MOVED.format(here=words.WEEKDAYS[self._day.weekday()], there=words.WEEKDAYS[there])
                self._keep(replace(chosen, weekdays=days), said)
        elif what == "begin":
            said = words.BEGUN.format(day=words.DAY.format(day=self._day))
            self._keep(replace(chosen, start=self._day), said)
        elif what == "time":
            self._ask(_Mode.TIME, words.AT, f"{chosen.at:%H:%M}")
        else:
            self.action_plans()

    def _keep_pause(self, last: date | None) -> None:
        first = self._pause_from
        self._day = first
        from_, to = words.DAY.format(day=first), "" if last is None else words.DAY.format(day=last)
        said = words.PAUSED_OPEN.format(first=from_) if last is None else words.PAUSED.format(first=from_, last=to)
        self._try(lambda: self._almanac.pause(first, last), said)

    def _carry_on(self, chosen: Chosen) -> None:
        """End every pause that the day under the hand falls into on the day before."""
        pauses = []
        for pause in chosen.pauses:
            if pause.first > self._day or (pause.last is not None and pause.last < self._day):
                pauses.append(pause)
            elif pause.first < self._day:
                pauses.append(replace(pause, last=self._day - _DAY))
        said = words.CARRIED_ON.format(day=words.DAY.format(day=self._day))
        self._keep(replace(chosen, pauses=tuple(pauses)), said)

    def _keep(self, chosen: Chosen, said: str) -> None:
        self._try(lambda: self._almanac.choose_plan(chosen), said)

    def _try(self, change: Callable[[], None], said: str) -> None:
        """Make a change, keep the calendar file up to date with it, and show what holds now."""
        try:
            change()
            self.post_message(self.Changed())
            self._said = said
            self._almanac.refresh_calendar()
        except CompanionError as error:
            self._said = str(error)
        self._month = self._day.replace(day=1)
        self._read()
        self._go(_Mode.LOOK if self._chosen is not None else _Mode.PLANS)

    # --- the plans ----------------------------------------------------------------------------------------------------

    def action_plans(self) -> None:
        """Show the plans that there are."""
        if self._mode in {_Mode.LOOK, _Mode.ACT}:
            self._said = ""
            self._go(_Mode.PLANS)

    def _list_plans(self) -> None:
        plans = list(PLANS.values())
        if self._chosen is not None and self._chosen.plan == CUSTOM:
            plans.insert(0, plan_of(self._chosen))
        yours = None if self._chosen is None else self._chosen.plan
        listed = self.query_one("#plans", OptionList)
        listed.clear_options()
        listed.add_options([Option(plan_text(plan, yours=plan.id == yours), id=plan.id) for plan in plans])
        listed.highlighted = next((index for index, plan in enumerate(plans) if plan.id == yours), 0)
        listed.focus(scroll_visible=False)

    @on(OptionList.OptionSelected, "#plans")
    def _plan_chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        plan, before = event.option_id, self._chosen
        if plan is None or (before is not None and before.plan == plan):
            self._go(_Mode.LOOK)
            return
        chosen = Chosen(self._today, plan)
        if before is not None:
            chosen = replace(chosen, weekdays=before.weekdays, at=before.at, pauses=before.pauses)
        self._day = self._today
        self._keep(chosen, words.CHOSEN.format(title=plan_of(chosen).title))

    # --- written answers ----------------------------------------------------------------------------------------------

    def action_file(self) -> None:
        """Ask where the calendar file shall be."""
        if self._mode is not _Mode.LOOK:
            return
        path = self._almanac.calendar_path()
        self._ask(_Mode.FILE, words.FILE, str(path or self._file))
        self._say(words.FILE_HINT)

    def _ask(self, mode: _Mode, question: str, proposal: str) -> None:
        self._said = ""
        self._go(mode)
        self.query_one("#asked", Static).update(Content(question))
        answer = self.query_one("#answer", Input)
        answer.value = proposal
        answer.cursor_position = len(proposal)
        answer.focus(scroll_visible=False)

    def _say(self, text: str) -> None:
        self._said = text
        self.query_one("#said", Static).update(self._last_words())

    @on(Input.Submitted, "#answer")
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._answered(event.value)

    def _answered(self, text: str) -> None:
        if self._mode is _Mode.TIME:
            self._keep_time(text.strip())
        elif self._mode is _Mode.FILE:
            self._keep_file(text.strip())

    def _keep_time(self, text: str) -> None:
        hour, _, minute = text.partition(":")
        try:
            at = time(int(hour), int(minute) if minute else 0)
        except ValueError:
            self._say(words.AT_WRONG)
            return
        if self._chosen is not None:
            self._keep(replace(self._chosen, at=at), words.AT_SET.format(at=at))

    def _keep_file(self, text: str) -> None:
        try:
            if text:
                path = Path(text).expanduser()
                self._almanac.subscribe(path)
                said = words.FILE_WRITTEN.format(path=path)
            else:
                self._almanac.unsubscribe()
                said = words.FILE_NONE
        except CompanionError as error:
            self._say(str(error))
            return
        self._said = said
        self._go(_Mode.LOOK)
