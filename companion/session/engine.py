"""The session as a pure state machine: the person's intents, the device's words and time go in; commands come out.

Knows no radio, file, clock or screen: whoever drives it performs the requests, writes the journal and draws the view.
What a level may be is decided in ``interlocks``, what the output does in ``output``; here is only the flow.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from types import MappingProxyType

from companion.session import words
from companion.session.interlocks import cap_percent, clamp_percent, narrowed
from companion.session.model import (
    CommandRefused,
    DeviceSaid,
    DropLink,
    Feels,
    Input,
    Intent,
    JournalEntry,
    JournalFailed,
    JournalKind,
    LinkLost,
    LinkReady,
    Output,
    Phase,
    PlannedStep,
    Reason,
    Reconnect,
    ReconnectFailed,
    Request,
    Scalar,
    Sensation,
    SessionPlan,
    Step,
    StepKind,
    Summary,
    Tick,
    View,
)
from companion.session.output import STOP_PATIENCE_S, OutputControl
from protocols.model import (
    Acknowledged,
    Battery,
    Command,
    ContactLost,
    ContactPoor,
    Delivered,
    Event,
    Fault,
    HandshakeFailed,
    MeasureSkin,
    OutputHalted,
    QueryBattery,
    QueryTemperature,
    QueryVersion,
    Refusal,
    Rejected,
    Report,
    SelectMode,
    SetCoolingTarget,
    SetIntensity,
    StartCooling,
    StartOutput,
    StopCooling,
    StopOutput,
    Temperature,
    TotalStop,
    Unanswered,
    WaterBack,
    WaterLow,
)

MOVE_S = 4.0
"""Output stays off this long before every zone: time to move the device and, H7, to look at the gel."""

RECONNECT_S = 60.0
"""H5: how long a lost link may take to come back."""

PAUSE_LIMIT_S = 600.0
"""A pause that nobody ends closes the session, so that no forgotten session stays open (nor a headless one)."""

INCREMENT_PERCENT = 2
"""MORE and LESS move the target by this, or by the device's step where that is coarser."""

SENSATION_AT_S = (40.0, 120.0)
"""Seconds of output after which the sensation question is asked, and asked once more when it got no answer."""

SENSATION_OPEN_S = 30.0
"""Seconds of output for which the question stays open. No answer changes nothing, and never raises."""

EASE = Fraction(2, 3)
"""What "uncomfortable" leaves of the level."""

WATER_NOTES, WATER_NOTES_S = 4, 10.0
"""How many changes of the water are written down in so many seconds at the most: no device fills a journal."""

TROUBLES_ALLOWED = 2
"""Unanswered or refused commands that lead to a pause; the next one ends the session."""

_QUERIES = (QueryVersion, QueryTemperature, QueryBattery, MeasureSkin)
_COOLING = (SetCoolingTarget, StartCooling)


def guided_s(step: PlannedStep) -> float:
    """Return how long a step takes in all, in seconds: with the move to its zone, where it has one."""
    return step.seconds + (MOVE_S if step.kind is StepKind.TREAT else 0.0)


class SessionEngine:
    """One session, from waiting for the device to its summary.

    Steps without output end by their seconds or by ``CONFIRM``, whichever comes first; without seconds by ``CONFIRM``
    alone (``View.waits_for_confirm``), and at once when they ask for neither. Before every zone output is off for
    ``MOVE_S``. ``SKIP`` counts a zone as done when at least half of its time is over, else as skipped; a skip during a
    pause goes on to the next step and stays paused. What the person lowers stays lowered in the zones that follow;
    what they raise holds for its zone alone. A pause never ends by itself except by closing the session.

    ``now`` is seconds on the clock of the event loop and never goes back.

    Raises:
        ValueError: the plan has no steps, or treats a zone in which its own limits allow no output.
    """

    def __init__(self, plan: SessionPlan, now: float) -> None:
        if not plan.steps:
            raise ValueError(f"the plan of {plan.routine} has no steps")
        for step in plan.steps:
            if step.kind is StepKind.TREAT:
                clamp_percent(step.target_percent, step.zone, plan.limits)
        self._plan = plan
        self._output = OutputControl(plan.limits)
        self._phase = Phase.WAITING
        self._message = words.WAITING
        self._requests: list[Request] = []
        self._journal: list[JournalEntry] = []
        self._created_at = now
        self._started_at: float | None = None
        self._ended_at: float | None = None
        self._ending: Reason | None = None
        self._stop_asked_at = now
        self._summary: Summary | None = None
        # the step: `fresh` means that it has not been entered yet, `over` that it only waits for output to be off
        self._index = 0
        self._fresh = True
        self._over = False
        self._zone_begun = False
        self._step_base_s = 0.0
        self._guide_since: float | None = None
        self._guided_s = 0.0
        self._move_until = now
        self._paused_at = now
        self._pause_reason = Reason.STOPPED
        self._reconnect_until = now
        # the level
        self._target = 0
        self._scale = Fraction(1)
        self._comfortable = min(plan.comfortable_percent, plan.limits.cap_percent)
        self._asked = 0
        self._ask_until_s = 0.0
        self._answered = False
        # the device
        self._link_up = False
        self._cooling = False
        self._water_low = False
        self._water_noted = deque([-math.inf] * WATER_NOTES, maxlen=WATER_NOTES)  # when, of the last of them
        self._troubles = 0
        self._answer_ms: float | None = None
        self._battery: int | None = None
        self._temperature: float | None = None
        self._delivered: float | None = None
        self._done: tuple[str, ...] = ()
        self._skipped: tuple[str, ...] = ()
        lengths = [guided_s(step) for step in plan.steps]
        self._total_s = sum(lengths)
        # seconds that are still to come after step i
        self._after_s = [self._total_s - done for done in accumulate(lengths)]

    # --- the three things a driver uses -------------------------------------------------------------------------------

    def handle(self, given: Input, now: float) -> Step:
        """Take one input and answer with the view, the requests to perform in this order, and what to journal."""
        self._requests = []
        self._journal = []
        if self._phase is Phase.FINISHED:
            self._take_after_the_end(given)
        else:
            self._take(given, now)
            while self._timers(now):
                pass
            self._pump(now)
        return Step(self.view(now), tuple(self._requests), tuple(self._journal))

    @property
    def deadline(self) -> float | None:
        """When the next ``Tick`` is due, None while time alone changes nothing."""
        if self._phase is Phase.FINISHED:
            return None
        due = [self._output.stop_due]
        if self._ending is None:
            due.append(self._output.answer_due)
            match self._phase:
                case Phase.GUIDING:
                    due.append(self._guide_end())
                case Phase.MOVING:
                    due.append(self._move_until)
                case Phase.TREATING if not self._over:
                    due += [self._output.rise_due, self._zone_end(), self._output.zone_limit_at()]
                    due += [self._output.session_limit_at(), self._question_at()]
                case Phase.PAUSED:
                    due.append(self._paused_at + PAUSE_LIMIT_S)
                case Phase.LINK_LOST:
                    due.append(self._reconnect_until)
                case _:
                    pass
        return min((at for at in due if at is not None), default=None)

    def view(self, now: float) -> View:
        """Return what any face of the app shows at ``now``. Changes nothing; cheap enough for every frame."""
        step = self._step
        treat = step.kind is StepKind.TREAT
        elapsed = self._elapsed(now)
        remaining = max(0.0, step.seconds - elapsed)
        moving = max(0.0, self._move_until - now) if self._phase is Phase.MOVING else 0.0
        finished = self._phase is Phase.FINISHED
        left = 0.0 if finished else self._after_s[self._index] + remaining + moving
        if treat and not (self._zone_begun or self._over or finished or self._phase is Phase.MOVING):
            left += MOVE_S
        zone_cap = cap_percent(step.zone, self._output.limits)
        steps = self._plan.steps
        return View(
            phase=self._phase,
            output=self._output.state,
            title=self._plan.title,
            step_index=self._index,
            step_count=len(steps),
            step=step,
            next_step=steps[self._index + 1] if self._index + 1 < len(steps) else None,
            step_remaining_s=remaining,
            step_elapsed_s=elapsed,
            session_remaining_s=left,
            session_total_s=self._total_s,
            pass_index=min(step.passes - 1, int(elapsed * step.passes / step.seconds)) if step.seconds > 0 else 0,
            intensity_percent=self._output.level,
            target_percent=self._target if treat else 0,
            comfortable_percent=self._comfortable,
            cap_percent=zone_cap,
            zone=step.zone,
            done_zones=self._done,
            skipped_zones=self._skipped,
            link_up=self._link_up,
            reconnect_remaining_s=max(0.0, self._reconnect_until - now) if self._phase is Phase.LINK_LOST else None,
            answer_ms=self._answer_ms,
            battery_percent=self._battery,
            temperature_c=self._temperature,
            water_low=self._water_low,
            ask_sensation=self._question_open(now),
            message=self._message,
            summary=self._summary,
            moving_remaining_s=moving,
            waits_for_confirm=self._phase is Phase.GUIDING and step.confirm and step.seconds <= 0,
            can_resume=self._phase is Phase.PAUSED and self._output.state is Output.OFF and self._link_up,
            delivered_ua=self._delivered,
        )

    # --- inputs -------------------------------------------------------------------------------------------------------

    def _take(self, given: Input, now: float) -> None:
        match given:
            case Intent():
                self._take_intent(given, now)
            case Feels(sensation):
                self._feels(sensation, now)
            case DeviceSaid(event):
                self._take_event(event, now)
            case LinkReady():
                self._link_ready(given, now)
            case LinkLost(reason):
                self._link_lost(reason, now)
            case ReconnectFailed(reason):
                if self._phase is Phase.LINK_LOST:
                    self._end(now, Reason.LINK_LOST, words.LINK_GONE)
            case CommandRefused(command, reason):
                self._refused(command, reason, now)
            case JournalFailed(reason):
                self._journal_failed(reason, now)
            case Tick():
                pass

    def _take_after_the_end(self, given: Input) -> None:
        """A finished session can still be told to stop, and never does anything else to a device."""
        match given:
            case Intent.STOP if self._link_up:
                self._requests.append(TotalStop())
            case LinkReady():
                self._link_up = True
                self._requests.append(DropLink("the session is over"))
            case LinkLost():
                self._link_up = False
            case JournalFailed(reason) if self._summary is not None:
                self._summary = replace(self._summary, reason=Reason.STORAGE)
                self._message = words.STORAGE.format(reason=reason)
            case _:
                pass

    def _take_intent(self, intent: Intent, now: float) -> None:
        if intent is Intent.STOP:
            self._end(now, Reason.STOPPED, words.STOPPING)
            return
        # every other intent belongs to phases, and none to STOPPING: what was stopped cannot be talked into going on
        match intent:
            case Intent.START if self._phase is Phase.READY:
                self._started_at = now
                self._enter(0, now)
            case Intent.PAUSE if self._phase in (Phase.GUIDING, Phase.TREATING, Phase.MOVING):
                self._pause(now, words.PAUSED, "you paused", Reason.STOPPED)
            case Intent.RESUME if self._phase is Phase.PAUSED:
                self._resume(now)
            case Intent.MORE | Intent.LESS:
                self._adjust(1 if intent is Intent.MORE else -1)
            case Intent.SKIP if self._phase in (Phase.GUIDING, Phase.TREATING, Phase.MOVING, Phase.PAUSED):
                self._skip(now)
            case Intent.CONFIRM if self._phase is Phase.GUIDING:
                self._advance(now)
            case _:
                pass

    def _take_event(self, event: Event, now: float) -> None:
        match event:
            case Acknowledged(command, latency_s):
                self._acknowledged(command, latency_s, now)
            case Rejected(command, reason):
                self._rejected(command, reason, now)
            case Unanswered(command):
                self._unanswered(command, now)
            case Fault(reason):
                self._end(now, Reason.DEVICE_FAULT, words.DEVICE_FAULT.format(reason=reason))
            case HandshakeFailed(reason) if self._phase is not Phase.LINK_LOST:
                self._end(now, Reason.DEVICE_FAULT, words.HANDSHAKE.format(reason=reason))
            case ContactLost() if self._phase is Phase.TREATING and self._ending is None:
                self._pause(now, self._off_skin(), "contact lost", Reason.STOPPED)
            case ContactPoor() if self._phase is Phase.TREATING and self._ending is None and not self._over:
                # H7: what does not reach the skin everywhere stings where it does
                message = words.MORE_GEL.format(zone=words.where(self._step.zone))
                self._note(JournalKind.WARNING, message=message)
                self._pause(now, message, "poor contact", Reason.STOPPED)
            case OutputHalted(reason) if self._output.state in (Output.STARTING, Output.ON) and self._ending is None:
                message = words.HALTED.format(reason=reason.value)
                self._note(JournalKind.WARNING, message=message)
                self._pause(now, message, "stopped by the device", Reason.DEVICE_FAULT, total=True)
            case WaterLow() | WaterBack():
                self._water(now, low=isinstance(event, WaterLow))
            case Battery(percent):
                self._battery = percent
            case Temperature(temperature_c):
                self._temperature = temperature_c
            case Delivered(current_ua):
                self._delivered = current_ua
            case _:
                # Ready comes as LinkReady; the rest is for the protocol's own log
                pass

    # --- the link -----------------------------------------------------------------------------------------------------

    def _link_ready(self, ready: LinkReady, now: float) -> None:
        if self._link_up:
            # a new link means that the old one ended, whoever forgot to say so
            self._link_lost("the link was replaced by a new one", now)
            self._requests.clear()
            if self._phase is Phase.FINISHED:
                self._take_after_the_end(ready)
                return
        self._link_up = True
        name = self._plan.profile.name
        self._note(JournalKind.CONNECTED, device=name, firmware=ready.firmware, again=not ready.first)
        if self._started_at is None:
            self._phase = Phase.READY
            self._message = words.READY
        else:
            # H5: offered, never restarted
            self._rest(now, words.LINK_BACK, Reason.LINK_LOST)
        if Report.BATTERY in self._plan.profile.reports:
            self._requests.append(QueryBattery())
        self._ask_temperature()

    def _link_lost(self, reason: str, now: float) -> None:
        if not self._link_up:
            return
        self._link_up = False
        self._output.link_gone(now)
        self._hold_guide(now)
        self._cooling = False
        if self._ending is not None:
            self._stopped("the end of the link", now)
            return
        self._note(JournalKind.LINK_LOST, reason=reason, zone=self._step.zone, step_elapsed_s=self._rounded(now))
        if self._over:
            self._step_on()
            if self._index >= len(self._plan.steps):
                self._complete(now)
                return
        self._phase = Phase.LINK_LOST
        self._message = words.LINK_LOST
        self._reconnect_until = now + RECONNECT_S
        self._requests.append(Reconnect(self._reconnect_until))

    # --- the device answers -------------------------------------------------------------------------------------------

    def _acknowledged(self, command: Command, latency_s: float, now: float) -> None:
        self._answer_ms = latency_s * 1000.0
        stop = isinstance(command, StopOutput | TotalStop)
        if stop and self._output.state in (Output.STARTING, Output.ON) and self._ending is None:
            self._pause(now, words.STOPPED_ELSEWHERE, "stopped from elsewhere", Reason.DEVICE_FAULT, total=True)
            return
        if not self._output.acknowledged(command, now):
            return
        if isinstance(command, SetIntensity | StartOutput | SelectMode) or (stop and self._ending is None):
            self._note_level(command, "acknowledged", answer_ms=round(self._answer_ms, 1))
        if stop:
            self._output_is_off(now)
        elif self._output.level >= self._target and self._message in (words.STARTING, words.RESUMED):
            self._message = words.HOLDING

    def _output_is_off(self, now: float) -> None:
        if self._ending is not None:
            self._stopped("the device", now)
        elif self._phase is Phase.PAUSED:
            if self._message == words.PAUSING:
                self._message = words.PAUSED
            if self._over:
                self._step_on()
                if self._index >= len(self._plan.steps):
                    self._complete(now)
        elif self._over:
            self._enter(self._index + 1, now)

    def _rejected(self, command: Command, reason: Refusal, now: float) -> None:
        if not self._output.gave_up(command):
            return
        if isinstance(command, StopOutput | TotalStop):
            if reason is not Refusal.SUPERSEDED:
                self._hang_up("a stop did not get through", now)
        elif reason is Refusal.SUPERSEDED and self._output.expects_overtaking(command):
            pass
        else:
            # what the radio could not deliver does not count against the device, nor does a device held off the skin
            counted = reason not in (Refusal.RADIO, Refusal.NO_CONTACT)
            off_skin = reason is Refusal.NO_CONTACT
            message = self._off_skin() if off_skin else words.REFUSED.format(reason=reason.value)
            self._trouble(command, message, now, counted=counted)

    def _unanswered(self, command: Command, now: float) -> None:
        if not self._output.gave_up(command):
            return
        if isinstance(command, StopOutput | TotalStop):
            self._hang_up("a stop was not answered", now)
        else:
            self._trouble(command, words.NO_ANSWER, now)

    def _off_skin(self) -> str:
        return words.CONTACT_LOST.format(zone=words.where(self._step.zone))

    def _trouble(self, command: Command, message: str, now: float, *, counted: bool = True) -> None:
        """A command of ours failed: whether it took effect is unknown, so everything stops first."""
        if self._ending is not None:
            return
        if isinstance(command, _COOLING):
            self._cooling_failed()
            return
        self._troubles += counted
        if self._troubles > TROUBLES_ALLOWED:
            self._end(now, Reason.DEVICE_FAULT, words.TOO_MUCH_TROUBLE)
        elif self._phase in (Phase.GUIDING, Phase.TREATING, Phase.MOVING):
            self._note(JournalKind.WARNING, message=message)
            self._pause(now, message, message, Reason.DEVICE_FAULT, total=True)
        elif self._output.state is not Output.STOPPING:
            # paused with a level under way: nothing runs, and the total stop makes sure of it
            self._note(JournalKind.WARNING, message=message)
            self._halt(now, total=True)
            self._message = message

    def _cooling_failed(self) -> None:
        """Cooling is a comfort: without it the session goes on."""
        self._cooling = False
        self._message = words.COOLING_FAILED
        self._note(JournalKind.WARNING, message=self._message)

    def _refused(self, command: Command, reason: str, now: float) -> None:
        if isinstance(command, _QUERIES):
            return
        if isinstance(command, _COOLING):
            if self._output.gave_up(command) and self._ending is None:
                self._cooling_failed()
            return
        if isinstance(command, TotalStop):
            self._hang_up("the total stop was refused", now)
        if self._ending is None:
            self._end(now, Reason.DEFECT, words.DEFECT.format(reason=reason))

    def _journal_failed(self, reason: str, now: float) -> None:
        message = words.STORAGE.format(reason=reason)
        if self._ending is None:
            self._end(now, Reason.STORAGE, message)
        else:
            # the stop is under way already, and stopping again would only fill the journal again
            self._ending = Reason.STORAGE
            self._message = message

    def _water(self, now: float, *, low: bool) -> None:
        if low == self._water_low:
            return
        self._water_low = low
        noted = now >= self._water_noted[0] + WATER_NOTES_S
        if noted:
            self._water_noted.append(now)
            self._note(JournalKind.WATER, low=low)
        if self._ending is not None:
            return
        self._message = words.WATER_LOW if low else words.WATER_BACK
        if low:
            if noted:
                self._note(JournalKind.WARNING, message=self._message)
            if self._phase is Phase.GUIDING and self._step.kind is StepKind.COOL:
                # the device has stopped its cooling by itself, and would not start it again
                self._cooling = False
                self._advance(now)
                self._message = words.WATER_LOW

    # --- ends and stops -----------------------------------------------------------------------------------------------

    def _end(self, now: float, reason: Reason, message: str) -> None:
        """End the session for ``reason``: a total stop first of all, finished once output is known to be off (H3)."""
        if self._ending is not None and reason not in (Reason.STOPPED, Reason.PAIN):
            return
        if self._ending is None or reason is Reason.PAIN:
            self._ending = reason
        self._message = message
        self._hold_guide(now)
        if not self._link_up:
            self._finish(now)
            return
        first = self._phase is not Phase.STOPPING
        self._phase = Phase.STOPPING
        self._requests[:] = [self._output.stop(now, total=True)]
        if first:
            self._stop_asked_at = now
            self._note(JournalKind.STOPPING, reason=self._ending.value)

    def _stopped(self, confirmed_by: str, now: float) -> None:
        waited_ms = round((now - self._stop_asked_at) * 1000.0, 1)
        self._note(JournalKind.STOPPED, confirmed_by=confirmed_by, after_ms=waited_ms)
        self._finish(now)

    def _complete(self, now: float) -> None:
        """The last step is over. Output is off by now, unless a pause came in between."""
        self._index = len(self._plan.steps) - 1
        self._fresh = False
        if self._output.state is Output.OFF:
            self._ending = Reason.COMPLETED
            self._message = words.COMPLETED
            self._finish(now)
        else:
            self._end(now, Reason.COMPLETED, words.STOPPING)

    def _finish(self, now: float) -> None:
        if self._zone_begun and not self._over:
            self._close_zone(now, "stopped")
        self._phase = Phase.FINISHED
        self._ended_at = now
        reason = self._ending or Reason.STOPPED
        if reason is Reason.STOPPED and self._message == words.STOPPING:
            self._message = words.STOPPED
        elif reason is Reason.COMPLETED:
            self._message = words.COMPLETED
        zones = {zone: round(seconds, 3) for zone, seconds in self._output.zones(now).items()}
        self._summary = Summary(
            reason=reason,
            zone_seconds=MappingProxyType(zones),
            highest_percent=self._output.highest,
            output_s=round(self._output.possible_s(now), 3),
            elapsed_s=round(now - (now if self._started_at is None else self._started_at), 3),
            skipped_zones=self._skipped,
        )
        self._note(
            JournalKind.FINISHED,
            reason=reason.value,
            zones=self._summary.zone_seconds,
            highest_percent=self._summary.highest_percent,
            output_s=self._summary.output_s,
            elapsed_s=self._summary.elapsed_s,
            skipped=", ".join(self._skipped),
        )

    def _hang_up(self, reason: str, now: float) -> None:
        self._requests.append(DropLink(reason))
        self._output.hang_up_again_at(now + STOP_PATIENCE_S)

    # --- pause, resume, skip ------------------------------------------------------------------------------------------

    def _pause(self, now: float, message: str, why: str, reason: Reason, *, total: bool = False) -> None:
        """Pause: output off first. ``reason`` is how the session ends when nobody ends the pause."""
        self._note(JournalKind.PAUSED, reason=why, zone=self._step.zone, step_elapsed_s=self._rounded(now))
        if self._output.state in (Output.STARTING, Output.ON) or total:
            self._halt(now, total=total)
        waiting = self._output.state is Output.STOPPING
        self._rest(now, words.PAUSING if waiting and message == words.PAUSED else message, reason)

    def _rest(self, now: float, message: str, reason: Reason) -> None:
        self._hold_guide(now)
        if self._cooling:
            self._stop_cooling(now)
        self._phase = Phase.PAUSED
        self._paused_at = now
        self._pause_reason = reason
        self._message = message

    def _resume(self, now: float) -> None:
        if self._output.state is not Output.OFF or not self._link_up:
            self._message = words.NOT_OFF_YET
            return
        self._note(JournalKind.RESUMED, zone=self._step.zone, step_elapsed_s=self._rounded(now))
        step = self._step
        if self._fresh:
            self._enter(self._index, now)
        elif step.kind is StepKind.TREAT and self._zone_begun:
            self._treat(now, words.RESUMED)
        elif step.kind is StepKind.TREAT:
            self._move(step, now)
        elif step.kind is StepKind.COOL and self._water_low:
            self._enter(self._index + 1, now)
        else:
            self._guide(now)

    def _skip(self, now: float) -> None:
        if self._over:
            return
        if self._step.kind is StepKind.TREAT:
            half_done = self._zone_begun and self._elapsed(now) >= self._step.seconds / 2
            self._close_zone(now, "shortened" if half_done else "skipped")
        if self._phase is Phase.PAUSED:
            self._step_on()
            if self._index >= len(self._plan.steps):
                self._complete(now)
        else:
            self._advance(now)

    # --- steps --------------------------------------------------------------------------------------------------------

    @property
    def _step(self) -> PlannedStep:
        return self._plan.steps[min(self._index, len(self._plan.steps) - 1)]

    def _advance(self, now: float) -> None:
        """Leave the current step: at once without output, else as soon as output is confirmed off."""
        self._hold_guide(now)
        if self._cooling:
            self._stop_cooling(now)
        if self._output.state is Output.OFF:
            self._enter(self._index + 1, now)
            return
        self._over = True
        if self._output.state is not Output.STOPPING:
            self._halt(now, total=False)

    def _step_on(self) -> None:
        """Go to the next step without entering it: that is for ``RESUME``."""
        self._over = False
        self._index += 1
        self._reset_step()

    def _reset_step(self) -> None:
        self._fresh = True
        self._zone_begun = False
        self._guided_s = 0.0
        self._guide_since = None
        self._step_base_s = self._output.on_s(0.0)
        step = self._step
        if step.kind is StepKind.TREAT:
            planned = int(step.target_percent * self._scale)
            self._target = clamp_percent(planned, step.zone, self._output.limits)

    def _enter(self, index: int, now: float) -> None:
        self._over = False
        self._index = index
        if index >= len(self._plan.steps):
            self._complete(now)
            return
        self._reset_step()
        self._fresh = False
        step = self._step
        self._note(JournalKind.STEP, index=index, kind=step.kind.value, title=step.title, seconds=step.seconds)
        if step.kind is StepKind.TREAT:
            self._move(step, now)
        elif step.kind is StepKind.COOL and self._water_low:
            self._message = words.WATER_LOW
            self._note(JournalKind.WARNING, message=self._message)
            self._enter(index + 1, now)
        else:
            self._guide(now)

    def _guide(self, now: float) -> None:
        self._phase = Phase.GUIDING
        self._message = self._step.text
        self._guide_since = now
        if self._step.kind is StepKind.COOL and self._plan.profile.cooling_range_c and not self._water_low:
            if self._step.cooling_c is not None:
                self._send_tracked(SetCoolingTarget(self._step.cooling_c), now)
            self._send_tracked(StartCooling(), now)
            self._cooling = True
            self._ask_temperature()

    def _move(self, step: PlannedStep, now: float) -> None:
        zone = step.zone or ""
        if self._output.possible_s(now) >= self._output.limits.session_output_s:
            self._end(now, Reason.TIME_LIMIT, words.TIME_LIMIT)
            return
        if self._output.zone_s(zone, now) >= self._output.limits.zone_output_s:
            self._close_zone(now, "limit")
            self._enter(self._index + 1, now)
            return
        self._phase = Phase.MOVING
        self._move_until = now + MOVE_S
        # H7: where the device cannot feel the skin, the person is reminded at each zone
        reminder = words.GEL_REPORTED if Report.CONTACT in self._plan.profile.reports else words.GEL
        self._message = reminder.format(zone=step.title)

    def _treat(self, now: float, message: str) -> None:
        self._phase = Phase.TREATING
        self._message = message
        if not self._zone_begun:
            self._zone_begun = True
            self._step_base_s = self._output.on_s(now)
            self._note(
                JournalKind.ZONE, state="begin", zone=self._step.zone, index=self._index, seconds=self._step.seconds
            )

    def _close_zone(self, now: float, outcome: str) -> None:
        zone = self._step.zone or ""
        seconds = self._rounded(now) if self._zone_begun else 0.0
        self._note(JournalKind.ZONE, state="end", zone=zone, index=self._index, seconds=seconds, outcome=outcome)
        if outcome == "skipped" and zone not in self._skipped:
            self._skipped = (*self._skipped, zone)
        elif outcome in ("done", "shortened", "limit") and zone not in self._done:
            self._done = (*self._done, zone)
        self._zone_begun = False

    # --- the level ----------------------------------------------------------------------------------------------------

    def _adjust(self, direction: int) -> None:
        """Move the target by one increment. Up only while output is on; down also before it starts again."""
        if self._step.kind is not StepKind.TREAT or (self._fresh and direction > 0):
            return
        allowed = (Phase.TREATING,) if direction > 0 else (Phase.TREATING, Phase.MOVING, Phase.PAUSED)
        if self._phase not in allowed:
            return
        increment = max(self._output.limits.step_percent, INCREMENT_PERCENT)
        before = self._target
        self._aim_at(before + direction * increment)
        if self._target == before:
            self._message = words.CAPPED if direction > 0 else words.LOWEST

    def _aim_at(self, percent: int) -> None:
        self._target = clamp_percent(percent, self._step.zone, self._output.limits)
        if self._step.target_percent > 0:
            self._scale = min(Fraction(1), Fraction(self._target, self._step.target_percent))

    def _feels(self, sensation: Sensation, now: float) -> None:
        self._answered = True
        self._note(JournalKind.SENSATION, answer=sensation.value, zone=self._step.zone, percent=self._output.level)
        if sensation is Sensation.PAIN:
            self._end(now, Reason.PAIN, words.PAIN)
        elif sensation is Sensation.UNCOMFORTABLE and self._ending is None:
            self._ease()

    def _ease(self) -> None:
        """Lower by a third at once, and every limit of the rest of this session with it."""
        felt = min(self._target, self._output.level) if self._output.level else self._target
        self._output.limits = narrowed(self._output.limits, float(EASE))
        self._comfortable = min(self._comfortable, self._output.limits.cap_percent)
        self._message = words.EASED
        if self._step.kind is StepKind.TREAT:
            self._aim_at(int(felt * EASE))
        else:
            self._scale *= EASE

    def _pump(self, now: float) -> None:
        if self._phase is not Phase.TREATING or self._over:
            return
        step = self._step
        self._output.aim(step.zone, self._target, step.mode)
        while (command := self._output.next_command(now)) is not None:
            self._note_level(command, "asked")
            self._send(command)

    # --- time ---------------------------------------------------------------------------------------------------------

    def _timers(self, now: float) -> bool:
        """Do one thing that is due. True when something changed and the rest has to be looked at again."""
        stop_due = self._output.stop_due
        if stop_due is not None and now >= stop_due:
            self._hang_up("the device did not confirm the stop", now)
        if self._ending is not None:
            return False
        answer_due = self._output.answer_due
        if answer_due is not None and now >= answer_due:
            late = self._output.oldest_unanswered()
            if late is not None:
                self._unanswered(late, now)
            return True
        match self._phase:
            case Phase.GUIDING if _due(self._guide_end(), now):
                self._advance(now)
            case Phase.MOVING if now >= self._move_until:
                self._treat(now, words.STARTING)
            case Phase.TREATING if not self._over:
                return self._treat_timers(now)
            case Phase.PAUSED if now >= self._paused_at + PAUSE_LIMIT_S:
                self._end(now, self._pause_reason, words.PAUSE_OVER)
            case Phase.LINK_LOST if now >= self._reconnect_until:
                self._end(now, Reason.LINK_LOST, words.LINK_GONE)
            case _:
                return False
        return True

    def _treat_timers(self, now: float) -> bool:
        if _due(self._output.session_limit_at(), now):
            self._note(JournalKind.WARNING, message=words.TIME_LIMIT)
            self._end(now, Reason.TIME_LIMIT, words.TIME_LIMIT)
        elif _due(self._output.zone_limit_at(), now):
            message = words.ZONE_LIMIT.format(zone=self._step.title)
            self._note(JournalKind.WARNING, message=message)
            self._close_zone(now, "limit")
            self._advance(now)
            self._message = message
        elif _due(self._zone_end(), now):
            self._close_zone(now, "done")
            self._advance(now)
        elif _due(self._question_at(), now):
            self._asked += 1
            self._ask_until_s = self._output.on_s(now) + SENSATION_OPEN_S
            self._note(JournalKind.SENSATION, asked=self._asked)
        else:
            return False
        return True

    def _guide_end(self) -> float | None:
        if self._guide_since is None or (self._step.confirm and self._step.seconds <= 0):
            return None
        return self._guide_since + (self._step.seconds - self._guided_s)

    def _hold_guide(self, now: float) -> None:
        if self._guide_since is not None:
            self._guided_s += now - self._guide_since
            self._guide_since = None

    def _zone_end(self) -> float | None:
        return self._output.on_reaches(self._step_base_s + self._step.seconds)

    def _question_at(self) -> float | None:
        if self._answered or self._asked >= len(SENSATION_AT_S):
            return None
        return self._output.on_reaches(SENSATION_AT_S[self._asked])

    def _question_open(self, now: float) -> bool:
        running = self._phase in (Phase.TREATING, Phase.MOVING, Phase.PAUSED)
        return running and self._asked > 0 and not self._answered and self._output.on_s(now) < self._ask_until_s

    def _elapsed(self, now: float) -> float:
        """Seconds of the current step so far; for a zone, with output on."""
        if self._fresh:
            return 0.0
        if self._step.kind is StepKind.TREAT:
            return self._output.on_s(now) - self._step_base_s
        return self._guided_s + (0.0 if self._guide_since is None else now - self._guide_since)

    def _rounded(self, now: float) -> float:
        return round(self._elapsed(now), 3)

    # --- what goes out ------------------------------------------------------------------------------------------------

    def _halt(self, now: float, *, total: bool) -> None:
        """Stop the output while the session goes on: for a pause, or between two zones."""
        command = self._output.stop(now, total=total)
        self._note_level(command, "asked")
        self._send(command)

    def _send(self, command: Command) -> None:
        if isinstance(command, StopOutput | TotalStop):
            self._requests.insert(0, command)
        else:
            self._requests.append(command)

    def _send_tracked(self, command: Command, now: float) -> None:
        self._output.track(command, now)
        self._send(command)

    def _stop_cooling(self, now: float) -> None:
        self._cooling = False
        if not self._output.awaits_total_stop:
            self._send_tracked(StopCooling(), now)

    def _ask_temperature(self) -> None:
        if Report.TEMPERATURE in self._plan.profile.reports:
            self._requests.append(QueryTemperature())

    def _note(self, kind: JournalKind, /, **data: Scalar | Mapping[str, float]) -> None:
        self._journal.append(JournalEntry(kind, MappingProxyType(data)))

    def _note_level(self, command: Command, state: str, **more: Scalar) -> None:
        step = self._step
        match command:
            case SetIntensity(percent):
                name = "level"
            case StartOutput():
                name, percent = "start", self._output.limits.lowest_percent
            case StopOutput() | TotalStop():
                name, percent = "stop", 0
            case _:
                name, percent = "mode", self._output.level
        self._note(
            JournalKind.INTENSITY,
            command=name,
            state=state,
            percent=percent,
            target=self._target,
            zone=self._output.zone,
            mode=step.mode,
            **more,
        )


def _due(at: float | None, now: float) -> bool:
    return at is not None and now >= at
