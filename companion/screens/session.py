"""The session screen: one zone, one stroke, one countdown, and Stop always on the last line.

Draws from the session's view alone, ten times a second, and sends nothing but intents. Knows no device and no rule.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from companion.home import Started
from companion.session.model import Feels, Intent, Output, Phase, PlannedStep, View
from companion.widgets.countdown import Countdown, clock_text
from companion.widgets.delivered import Delivered
from companion.widgets.facemap import FaceMap
from companion.widgets.keyline import KeyHint, StopLine
from companion.widgets.meter import Meter
from companion.words import session as words
from protocols.model import Report

FRAMES_PER_SECOND = 10.0

LEAST_FOR_FACE = (36, 13)
"""Columns and lines of the smallest screen with a face on it: its zones are still told apart there."""


class SessionScreen(Screen[None]):
    """Guides through a running session. Whoever opens it runs the session; this only shows it."""

    CSS_PATH = "session.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "pause", words.KEY_PAUSE),
        Binding("up,plus,k", "want('more')", words.KEY_LEVEL),
        Binding("down,minus,j", "want('less')", words.KEY_LEVEL),
        Binding("n", "want('skip')", words.KEY_SKIP),
        Binding("enter", "go_on", words.KEY_DONE),
        Binding("m", "turn", "mirror or facing"),
        Binding("l", "hold", words.KEY_LIFT),
        Binding("1", "feel(0)", show=False),
        Binding("2", "feel(1)", show=False),
        Binding("3", "feel(2)", show=False),
        Binding("4", "feel(3)", show=False),
    ]
    AUTO_FOCUS = None

    def __init__(self, started: Started, *, prepared: int = 0, mirror: bool = True) -> None:
        super().__init__()
        self._mirror = mirror
        self._prepared = prepared
        self._session = started.session
        self._plan = started.plan
        self._device = started.device_name
        self._no_go = started.no_go
        self._hold = started.hold
        self._on_skin = True
        self._measured = Report.CURRENT in started.plan.profile.reports
        self._shown: dict[str, Content] = {}
        self._zones = tuple(dict.fromkeys(step.zone for step in self._plan.steps if step.zone))

    def compose(self) -> ComposeResult:
        """Lay the screen out; nothing changes its place afterwards."""
        with Horizontal(id="top"):
            yield Static(id="stages")
            yield Static(id="remaining")
        with Horizontal(id="body"):
            yield FaceMap(mirror=self._mirror, id="face")
            with Vertical(id="now"):
                yield Static(id="headline")
                yield Static(id="instruction")
                yield Countdown(id="countdown")
                yield Static(id="pass")
                yield Meter(id="meter")
                yield Static(id="share")
                yield Delivered(id="delivered")
                yield Static(id="facts")
                yield Static(id="message")
        yield StopLine(id="stop")

    def on_mount(self) -> None:
        """Begin to draw, ten times a second."""
        self.set_class(self._measured, "-measured")
        if self._hold is not None:
            # Whatever the session before has left: the gel for this one was spread just now.
            self._hold(self._on_skin)
        self.update_view()
        self.set_interval(1 / FRAMES_PER_SECOND, self.update_view)

    def on_resize(self, event: events.Resize) -> None:
        """Leave the face out where there is no room for one beside the words."""
        columns, lines = LEAST_FOR_FACE
        self.set_class(event.size.width < columns or event.size.height < lines, "-faceless")

    # --- what the person does -----------------------------------------------------------------------------------------

    def action_pause(self) -> None:
        """Pause, or go on after a pause."""
        paused = self._session.view.phase is Phase.PAUSED
        self._session.intend(Intent.RESUME if paused else Intent.PAUSE)
        self.update_view()

    def action_want(self, what: str) -> None:
        """Ask for more, less or the next zone."""
        self._session.intend(Intent(what))
        self.update_view()

    def action_go_on(self) -> None:
        """Begin, or say that a step is done, or go on after a pause."""
        phase = self._session.view.phase
        intent = {Phase.READY: Intent.START, Phase.PAUSED: Intent.RESUME}.get(phase, Intent.CONFIRM)
        self._session.intend(intent)
        self.update_view()

    def action_feel(self, which: int) -> None:
        """Answer the question, or say so unasked: pain may be told at any time."""
        self._session.intend(Feels(words.ANSWERS_TO_CHOOSE[which][2]))
        self.update_view()

    def action_turn(self) -> None:
        """Turn the face: a mirror, or someone in front of you."""
        face = self.query_one(FaceMap)
        face.turn(mirror=not face.mirror)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is a hand to be played in a demo alone."""
        return self._hold is not None if action == "hold" else super().check_action(action, parameters)

    def action_hold(self) -> None:
        """In a demo: lift the device from the skin, or lay it back. No level follows from it, and no start."""
        if self._hold is not None:
            self._on_skin = not self._on_skin
            self._hold(self._on_skin)
            self.update_view()

    # --- drawing ------------------------------------------------------------------------------------------------------

    def update_view(self) -> None:
        """Draw the session as of now; only what changed is drawn again."""
        view = self._session.view
        if view.phase is Phase.GUIDING and view.step_index < self._prepared:
            # What was ticked on the way here is not asked again.
            self._session.intend(Intent.CONFIRM)
            view = self._session.view
        self._say("#stages", self._stages(view))
        self._say("#remaining", self._remaining(view))
        headline, instruction, tone = _headline(view, self._device)
        if view.phase is Phase.READY and self._hold is not None:
            instruction = f"{instruction} {words.LIFT_HINT}"
        self._say("#headline", Content.styled(headline, f"bold ${tone}"))
        self._say("#instruction", Content(instruction))
        self._count(view)
        self._say("#pass", Content(_pass_line(view)))
        self._level(view)
        self.set_class(view.ask_sensation, "-asking")
        self._say("#facts", self._facts(view))
        self._say("#message", _message(view, instruction))
        face = self.query_one(FaceMap)
        lit = view.zone if view.phase in {Phase.TREATING, Phase.MOVING, Phase.GUIDING, Phase.PAUSED} else None
        face.show(zones=self._zones, current=lit, done=view.done_zones, no_go=self._no_go)
        if view.phase in {Phase.TREATING, Phase.GUIDING}:
            face.tick(asyncio.get_running_loop().time())
        self.query_one(StopLine).offer(hints(view, on_skin=None if self._hold is None else self._on_skin))

    def text(self, selector: str) -> str:
        """Return what a part of the screen says, for tests and for readers of the screen."""
        shown = self._shown.get(selector)
        return "" if shown is None else shown.plain

    def _say(self, selector: str, content: Content) -> None:
        shown = self._shown.get(selector)
        # is_same and not ==, which compares the letters alone: where only the tone changes it changes the meaning
        if shown is None or not shown.is_same(content):
            self._shown[selector] = content
            self.query_one(selector, Static).update(content, layout=False)

    def _stages(self, view: View) -> Content:
        stages = list(dict.fromkeys(words.STAGES[step.kind] for step in self._plan.steps))
        current = words.STAGES[view.step.kind]
        parts: list[Content | tuple[str, str]] = []
        for index, stage in enumerate(stages):
            if index:
                parts.append(("  ·  ", "$faint"))
            parts.append((stage, "bold $foreground") if stage == current else (stage, "$muted"))
        return Content.assemble(*parts)

    def _remaining(self, view: View) -> Content:
        left = words.LEFT_OF_SESSION.format(clock=clock_text(view.session_remaining_s))
        return Content.assemble((view.title, "$muted"), "   ", (left, "$foreground"))

    def _count(self, view: View) -> None:
        countdown = self.query_one(Countdown)
        match view.phase:
            case Phase.LINK_LOST if view.reconnect_remaining_s is not None:
                countdown.show(clock_text(view.reconnect_remaining_s), "now")
            case Phase.WAITING | Phase.FINISHED:
                countdown.show("")
            case Phase.READY:
                countdown.show(clock_text(view.session_total_s), "text")
            case Phase.MOVING:
                countdown.show(clock_text(view.moving_remaining_s), "now")
            case Phase.GUIDING if view.waits_for_confirm or view.step.seconds <= 0:
                countdown.show("")
            case Phase.PAUSED | Phase.STOPPING | Phase.LINK_LOST:
                countdown.show(clock_text(view.step_remaining_s), "muted")
            case _:
                countdown.show(clock_text(view.step_remaining_s), "text")

    def _level(self, view: View) -> None:
        whole = max(1, view.comfortable_percent)
        is_on = view.output in {Output.ON, Output.STARTING}
        now = view.intensity_percent if view.output is not Output.OFF else 0
        treats = view.phase in {
            Phase.TREATING,
            Phase.MOVING,
            Phase.PAUSED,
            Phase.STOPPING,
            Phase.LINK_LOST,
            Phase.READY,
        }
        meter = self.query_one(Meter)
        meter.visible = treats
        self._current(view if treats and view.phase is not Phase.READY else None)
        if not treats:
            self._say("#share", Content(""))
            return
        target = view.target_percent if is_on or view.phase is Phase.MOVING else 0
        meter.show(now / whole, target / whole)
        share, aim = round(100 * now / whole), round(100 * target / whole)
        state = words.OUTPUT[view.output]
        if is_on and aim > share:
            state += words.RISING.format(target=aim)
        elif is_on and aim < share:
            state += words.FALLING.format(target=aim)
        tone = "$now" if view.output is not Output.OFF else "$muted"
        number, _, rest = words.SHARE.format(now=share).partition("  ")
        line = Content.assemble((number, "bold $foreground"), ("  " + rest, "$muted"), "\n", (state, tone))
        self._say("#share", line)

    def _current(self, view: View | None) -> None:
        """Draw what the device measures; what was measured last is nothing once the output is known to be off."""
        if not self._measured:
            return
        shown = None
        if view is not None:
            shown = 0.0 if view.output is Output.OFF else view.delivered_ua or 0.0
        # A full column is the person's own maximum, where the device says what its percent are of.
        whole = (self._plan.profile.full_scale_ua or 0) * self._plan.comfortable_percent / 100
        chart = self.query_one(Delivered)
        chart.show(shown, whole or max(chart.values, default=1.0), asyncio.get_running_loop().time())

    def _facts(self, view: View) -> Content:
        if view.ask_sensation:
            return _question(one_a_line=self.has_class("-narrow") and not self.has_class("-faceless"))
        profile = self._plan.profile
        known = [self._device, _link(view)]
        if view.answer_ms is not None and view.link_up:
            known[1] += " " + words.ANSWERS.format(ms=round(view.answer_ms))
        if view.battery_percent is not None:
            known.append(words.BATTERY.format(percent=view.battery_percent))
        if view.temperature_c is not None:
            known.append(words.TEMPERATURE.format(celsius=round(view.temperature_c)))
        if view.water_low:
            known.append(words.WATER_LOW)
        silent = [name for report, name in words.FACT_NAMES.items() if report not in profile.reports]
        absent = words.NOT_REPORTED.format(facts=words.listed(silent)) if silent else ""
        return Content.assemble((" · ".join(known), "$foreground"), "\n", (absent[:1].upper() + absent[1:], "$muted"))


def _title(step: PlannedStep) -> str:
    """Return the step's title, and its zone where the title does not name it."""
    label = words.zone_label(step.zone) if step.zone else ""
    if not label or label.lower() in step.title.lower():
        return step.title
    return f"{step.title} · {label.lower()}"


def _headline(view: View, device: str) -> tuple[str, str, str]:
    """Return what is large, what is said below it, and the tone of the first (a theme variable)."""
    step = view.step
    title = _title(step)
    match view.phase:
        case Phase.WAITING:
            return words.CONNECTING.format(device=device), words.CONNECTING_HINT, "foreground"
        case Phase.READY:
            return words.READY, words.READY_HINT, "foreground"
        case Phase.PAUSED:
            return words.PAUSED, view.message, "foreground"
        case Phase.STOPPING:
            return words.STOPPING, words.STOPPING_HINT, "stop-text"
        case Phase.LINK_LOST:
            return words.LINK_LOST, words.LINK_LOST_HINT, "foreground"
        case Phase.FINISHED:
            return words.FINISHED, "", "foreground"
        case Phase.MOVING:
            return words.NEXT_ZONE.format(zone=title[:1].lower() + title[1:]), step.text or step.stroke, "now"
        case Phase.TREATING:
            return title, step.text or step.stroke, "now"
        case _:
            return step.title, step.text, "now"


def _pass_line(view: View) -> str:
    if view.phase is Phase.LINK_LOST and view.reconnect_remaining_s is not None:
        return words.SECONDS_TO_RETURN
    if view.phase in {Phase.WAITING, Phase.READY, Phase.STOPPING, Phase.FINISHED}:
        return ""
    parts: list[str] = []
    if view.step.passes > 1 and view.phase in {Phase.TREATING, Phase.PAUSED}:
        parts.append(words.ROUND.format(index=view.pass_index + 1, count=view.step.passes))
    if view.step.confirm and view.phase is Phase.GUIDING:
        parts.append(words.CONFIRM_WAITS if view.waits_for_confirm else words.CONFIRM_HINT)
    after = view.next_step
    if after is None:
        parts.append(words.LAST)
    else:
        parts.append(words.THEN.format(title=after.title[:1].lower() + after.title[1:]))
    return "  ·  ".join(parts)


def _link(view: View) -> str:
    if not view.link_up:
        return words.LINK_DOWN
    if view.answer_ms is None:
        return words.LINK_UP
    if view.answer_ms < 120:
        return words.LINK_GOOD
    return words.LINK_FAIR if view.answer_ms < 300 else words.LINK_SLOW


def _question(*, one_a_line: bool) -> Content:
    parts: list[Content | str | tuple[str, str]] = [(words.QUESTION, "bold $now")]
    for index, (key, word, _) in enumerate(words.ANSWERS_TO_CHOOSE):
        before = "\n" if one_a_line or index % 2 == 0 else "  "
        parts += [before, (key, "bold $foreground"), (f" {word:<14}", "$foreground")]
    return Content.assemble(*parts)


def _message(view: View, instruction: str) -> Content:
    if view.ask_sensation:
        return Content.styled(words.QUESTION_HINT, "$muted")
    if view.phase is Phase.PAUSED:
        return Content.styled(words.PAUSED_HINT if view.can_resume else words.PAUSING_HINT, "$foreground")
    if view.message and view.phase is not Phase.STOPPING and view.message != instruction:  # once is enough
        return Content.styled(view.message, "$foreground")
    return Content.styled(words.GEL if view.phase is Phase.TREATING else "", "$muted")


def awaited(view: View) -> tuple[Intent, int] | None:
    """Return what the session waits for the person to say, without output and without an end by itself, and its step.

    None wherever there is output, or time goes on by itself.
    """
    if view.output is not Output.OFF:
        return None
    if view.phase is Phase.READY:
        return Intent.START, view.step_index
    return (Intent.CONFIRM, view.step_index) if view.waits_for_confirm else None


def hints(view: View, on_skin: bool | None = None) -> tuple[KeyHint, ...]:
    """Return what the last line offers: Stop first, whatever the phase. Where space goes on, its key is escape.

    ``on_skin``: whether a demo's device lies on the skin; None where nobody plays the hand.
    """
    stop = KeyHint(words.STOP_KEY, words.STOP_AGAIN if view.phase is Phase.STOPPING else words.STOP, "app.stop")
    waits = awaited(view)
    if waits is not None:
        label = words.KEY_BEGIN if waits[0] is Intent.START else words.KEY_DONE
        stop = KeyHint(words.STOP_KEY_WAITING, words.STOP, "app.stop")
        further = () if waits[0] is Intent.START else (KeyHint("p", words.KEY_PAUSE, "screen.pause"),)
        return (
            stop,
            KeyHint(words.GO_ON_KEY, label, "screen.go_on"),
            *further,
            KeyHint("?", words.KEY_HELP, "app.help"),
        )
    offered = {
        Phase.GUIDING: (
            KeyHint("enter", words.KEY_DONE, "screen.go_on"),
            KeyHint("p", words.KEY_PAUSE, "screen.pause"),
        ),
        Phase.TREATING: (
            KeyHint("p", words.KEY_PAUSE, "screen.pause"),
            KeyHint("↑", "more", "screen.want('more')"),
            KeyHint("↓", "less", "screen.want('less')"),
            KeyHint("n", words.KEY_SKIP, "screen.want('skip')"),
        ),
        Phase.MOVING: (
            KeyHint("p", words.KEY_PAUSE, "screen.pause"),
            KeyHint("n", words.KEY_SKIP, "screen.want('skip')"),
        ),
        Phase.PAUSED: (KeyHint("p", words.KEY_RESUME, "screen.pause"),),
    }.get(view.phase, ())
    if on_skin is not None and view.phase in {Phase.TREATING, Phase.MOVING, Phase.PAUSED}:
        offered = (*offered, KeyHint("l", words.KEY_LIFT if on_skin else words.KEY_LAY, "screen.hold"))
    return (stop, *offered, KeyHint("?", words.KEY_HELP, "app.help"))
