"""The output of one device as the host knows it: what was asked, what was acknowledged, how long current could flow.

Pure. Decides which command may leave next so that every start is at the lowest level and every rise keeps to the ramp
(safety case H1, H2), and counts time with output for the limits (H6). Knows nothing of steps, people or messages.
"""

from __future__ import annotations

from dataclasses import dataclass

from companion.session.interlocks import clamp_percent, level_command, next_rise_at
from companion.session.model import Limits, Output
from protocols.model import Command, SelectMode, SetIntensity, StartOutput, StopOutput, TotalStop

STOP_PATIENCE_S = 1.2
"""H3: the protocol repeats a stop at 300 and 600 ms and hangs up at 900 ms; past this the engine hangs up by itself."""

ANSWER_PATIENCE_S = 5.0
"""A command that the protocol neither confirms nor gives up in this time counts as unanswered."""


@dataclass(slots=True)
class _Sent:
    command: Command
    at: float


class OutputControl:
    """Tracks one device's output and says what to send next. Times are those of the engine's ``now``."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.state = Output.OFF
        self.level = 0
        self.highest = 0
        self.zone: str | None = None
        self._target = 0
        self._mode: int | None = None
        self._mode_known: int | None = None
        self._lowest_set = False
        self._sent: list[_Sent] = []
        self._asked_level = 0
        self._rise_at = 0.0
        self._awaited_stop: StopOutput | TotalStop | None = None
        self._stop_due: float | None = None
        self._possible_since: float | None = None
        self._on_since: float | None = None
        self._possible_s = 0.0
        self._on_s = 0.0
        self._zone_s: dict[str, float] = {}

    # --- what is wanted -----------------------------------------------------------------------------------------------

    def aim(self, zone: str | None, target: int, mode: int | None) -> None:
        """Say where the output is to go. Zone and mode are taken while output is off; the target at any time."""
        if self.state is Output.OFF:
            self.zone = zone
            self._mode = mode
        self._target = clamp_percent(target, self.zone, self.limits)

    def next_command(self, now: float) -> Command | None:
        """Return the one command that may leave now on the way to the aim, or None; it counts as sent.

        Off: select the mode, set the lowest level, start, each acknowledged before the next (Dr-05 hazards 1, 2 and 4).
        On: lower at once, rise one step when the ramp allows it and nothing is under way.
        """
        if self.state is Output.OFF:
            if self._sent:
                return None
            return self._note(self._towards_start(), now)
        if self.state is not Output.ON or self._target == self._asked_level:
            return None
        if self._target > self._asked_level and (self._sent or now < self._rise_at):
            return None
        return self._note(level_command(self._target, self.zone, self.limits, current=self._asked_level), now)

    def _towards_start(self) -> Command:
        if self._mode is not None and self._mode != self._mode_known:
            return SelectMode(self._mode)
        if not self._lowest_set:
            return level_command(self._target, self.zone, self.limits, current=None)
        return StartOutput()

    def _note(self, command: Command, now: float) -> Command:
        self._sent.append(_Sent(command, now))
        if isinstance(command, SelectMode):
            self._mode_known = None
        elif isinstance(command, SetIntensity):
            self._asked_level = command.percent
            if self.state is Output.ON:
                self.highest = max(self.highest, command.percent)
        elif isinstance(command, StartOutput):
            # from here on current may flow, whether or not the answer ever comes
            self.state = Output.STARTING
            self._possible_since = now
            self.highest = max(self.highest, self._asked_level)
        return command

    def track(self, command: Command, now: float) -> None:
        """Note a command that has nothing to do with the level (cooling), so that its answer is waited for."""
        self._sent.append(_Sent(command, now))

    def stop(self, now: float, *, total: bool) -> StopOutput | TotalStop:
        """Return the stop to send now. Output is ``STOPPING`` until exactly this stop is acknowledged (H3)."""
        command = TotalStop() if total else StopOutput()
        self._bank_on(now)
        self.state = Output.STOPPING
        self._awaited_stop = command
        if self._stop_due is None:
            # a repeated stop must not put off the moment of hanging up
            self._stop_due = now + STOP_PATIENCE_S
        return command

    def hang_up_again_at(self, at: float) -> None:
        """Put off the next hang-up after one was asked for."""
        self._stop_due = at

    # --- what happened ------------------------------------------------------------------------------------------------

    def acknowledged(self, command: Command, now: float) -> bool:
        """Take an acknowledgement. True when it was waited for; late and double ones change nothing."""
        if isinstance(command, StopOutput | TotalStop):
            if self.state is not Output.STOPPING or command != self._awaited_stop:
                return False
            self._off(now)
            return True
        if not self._forget(command):
            return False
        if isinstance(command, SelectMode):
            self._mode_known = command.mode
        elif isinstance(command, SetIntensity):
            self._level_taken(command, now)
        elif isinstance(command, StartOutput) and self.state is Output.STARTING:
            self.state = Output.ON
            self.level = self._asked_level
            self._on_since = now
            self._rise_at = next_rise_at(now, self.limits)
        return True

    def _level_taken(self, command: SetIntensity, now: float) -> None:
        if self.state is Output.OFF:
            # of two levels under way (pause and resume in between) the last one asked for is what counts
            self._lowest_set = command.percent == self._asked_level and not self._sent
        elif self.state is Output.ON:
            self.level = command.percent
            self._rise_at = next_rise_at(now, self.limits)

    def gave_up(self, command: Command) -> bool:
        """Take word that a command will not be answered. True when it was waited for."""
        if isinstance(command, StopOutput | TotalStop):
            return self.state is Output.STOPPING and command == self._awaited_stop
        return self._forget(command)

    def expects_overtaking(self, command: Command) -> bool:
        """True when ``command`` was overtaken by something of ours: by a stop, or by a lower level."""
        if self.state in (Output.STOPPING, Output.OFF):
            return True
        return isinstance(command, SetIntensity) and command.percent > self._asked_level

    def link_gone(self, now: float) -> None:
        """The link is over: the device has stopped by itself, and nothing it was told may be relied on."""
        self._off(now)
        self._mode_known = None

    def _off(self, now: float) -> None:
        self._bank_on(now)
        if self._possible_since is not None:
            spent = max(0.0, now - self._possible_since)
            self._possible_s += spent
            if self.zone is not None:
                self._zone_s[self.zone] = self._zone_s.get(self.zone, 0.0) + spent
            self._possible_since = None
        self.state = Output.OFF
        self.level = 0
        self._asked_level = 0
        self._lowest_set = False
        self._sent.clear()
        self._awaited_stop = None
        self._stop_due = None

    def _bank_on(self, now: float) -> None:
        if self._on_since is not None:
            self._on_s += max(0.0, now - self._on_since)
            self._on_since = None

    def _forget(self, command: Command) -> bool:
        for index, sent in enumerate(self._sent):
            if sent.command == command:
                del self._sent[index]
                return True
        return False

    # --- times --------------------------------------------------------------------------------------------------------

    @property
    def awaits_total_stop(self) -> bool:
        """True while a total stop has been sent and not been acknowledged."""
        return isinstance(self._awaited_stop, TotalStop)

    @property
    def stop_due(self) -> float | None:
        """When patience with an unanswered stop ends."""
        return self._stop_due

    @property
    def answer_due(self) -> float | None:
        """When patience with the oldest unanswered command ends."""
        return self._sent[0].at + ANSWER_PATIENCE_S if self._sent else None

    @property
    def rise_due(self) -> float | None:
        """When the next rise may leave, None when none is wanted or something is under way."""
        if self.state is Output.ON and not self._sent and self._target > self._asked_level:
            return self._rise_at
        return None

    def oldest_unanswered(self) -> Command | None:
        """Return the command that has waited longest for its answer."""
        return self._sent[0].command if self._sent else None

    def on_s(self, now: float) -> float:
        """Seconds that output was confirmed on and no stop was asked, over the session."""
        return self._on_s + (0.0 if self._on_since is None else now - self._on_since)

    def on_reaches(self, seconds: float) -> float | None:
        """When :meth:`on_s` reaches ``seconds``, None while output is not on."""
        return None if self._on_since is None else self._on_since + (seconds - self._on_s)

    def possible_s(self, now: float) -> float:
        """Seconds that current may have flowed over the session: from a start's command to its stop's answer (H6)."""
        return self._possible_s + (0.0 if self._possible_since is None else now - self._possible_since)

    def zone_s(self, zone: str, now: float) -> float:
        """Seconds that current may have flowed in one zone over the session."""
        before = self._zone_s.get(zone, 0.0)
        return before if self._possible_since is None or zone != self.zone else before + now - self._possible_since

    def zones(self, now: float) -> dict[str, float]:
        """Seconds with output per zone so far, in the order of treatment."""
        names = list(self._zone_s)
        if self._possible_since is not None and self.zone is not None and self.zone not in names:
            names.append(self.zone)
        return {name: self.zone_s(name, now) for name in names}

    def session_limit_at(self) -> float | None:
        """When the session's output time is used up (H6), None while no output is possible."""
        if self._possible_since is None:
            return None
        return self._possible_since + (self.limits.session_output_s - self._possible_s)

    def zone_limit_at(self) -> float | None:
        """When the zone's output time is used up (H6), None while no output is possible."""
        if self._possible_since is None or self.zone is None:
            return None
        return self._possible_since + (self.limits.zone_output_s - self._zone_s.get(self.zone, 0.0))
