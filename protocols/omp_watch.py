"""What an OMP device measures, held against what was commanded: too much, too little, lost contact, lost telemetry.

The judge of hazard H7. Knows targets, acknowledgements and measurements. Refuses to write anything: the machine in
:mod:`protocols.omp` acts on what this finds.
"""

from __future__ import annotations

from protocols import model
from protocols.model import Event
from protocols.omp_codec import LOST_OHM, State, Telemetry

POOR_SHARE = 0.7
"""H7: less than this share of the commanded current …"""
POOR_S = 1.0
"""… for this long is poor contact."""
CONTACT_BACK_S = 0.3
"""How long contact has to be back before it counts; the device wants as much."""
EXCESS_SHARE, EXCESS_UA = 1.05, 5.0
"""More than 1.05 times the target and 5 µA is more than the profile allows."""
SETTLE_S = 0.5
"""Measurements this old may still be on their way: a lowered target, or a stop, is held against them only after it."""
TOLD_EVERY_S = 0.5
"""How often current and contact are told, unless the contact comes or goes."""
SILENT_S = 2.0
"""H7: a running output that nobody measures for this long is stopped."""

_CLOCK_TOLERANCE_S = 1e-9


class Watch:
    """One link's measurements. Times are seconds on the clock of the machine."""

    def __init__(self) -> None:
        self._sequence: int | None = None
        self._told_at: float | None = None
        self._contact = True
        self._back_since: float | None = None
        self._poor_since: float | None = None
        self._target_ua = 0.0
        self._ramp_ua_per_s = 1.0
        self._rise_from = (0.0, 0.0)  # when, and from which level
        self._ceilings: list[tuple[float, float]] = []  # a target that held before, and until when it may be measured
        self._heard_at: float | None = None

    # --- what was commanded -------------------------------------------------------------------------------------------

    def ramp(self, ramp_ua_per_s: float) -> None:
        """The ramp that the device was told."""
        self._ramp_ua_per_s = ramp_ua_per_s

    def may_rise_to(self, target_ua: float, now: float) -> None:
        """A target is being written: from now on it may be in effect."""
        if target_ua > self._target_ua:
            self._ceilings.append((now + 60.0, target_ua))

    def started(self, target_ua: float, now: float) -> None:
        """The output has started, from zero."""
        self._target_ua = target_ua
        self._rise_from = (now, 0.0)
        self._poor_since = None
        self._heard_at = now

    def aimed(self, target_ua: float, now: float) -> None:
        """A running output was given a target."""
        level = self.commanded_ua(now)
        self._ceilings = [(now + SETTLE_S, max(level, self._target_ua))]
        self._target_ua = target_ua
        self._rise_from = (now, min(level, target_ua))

    def stopped(self, now: float) -> None:
        """The output is known to be off, or the device says that it is."""
        self._ceilings = [(now + SETTLE_S, max([self._target_ua, *(ceiling for _, ceiling in self._ceilings)]))]
        self._target_ua = 0.0
        self._rise_from = (now, 0.0)
        self._poor_since = None
        self._heard_at = None

    def commanded_ua(self, now: float) -> float:
        """Return what the device should be putting out at ``now``, by the ramp that it was told."""
        since, level = self._rise_from
        return min(self._target_ua, level + self._ramp_ua_per_s * max(0.0, now - since))

    @property
    def silent_at(self) -> float | None:
        """When the device has been silent for too long, None while its output is off."""
        return None if self._heard_at is None else self._heard_at + SILENT_S

    # --- what was measured --------------------------------------------------------------------------------------------

    def measured(self, telemetry: Telemetry, now: float) -> tuple[Event, ...]:
        """Take a measurement; a :class:`~protocols.model.Fault` among the events means that the output has to stop."""
        events: list[Event] = []
        if self._sequence is not None:
            lost = (telemetry.sequence - self._sequence - 1) & 0xFFFF
            if lost:
                events.append(model.MeasurementsLost(lost))
        self._sequence = telemetry.sequence
        if self._heard_at is not None:
            self._heard_at = now
        changed = self._feel(telemetry, now, events)
        if changed or self._told_at is None or now >= self._told_at + TOLD_EVERY_S - _CLOCK_TOLERANCE_S:
            self._told_at = now
            events += [
                model.Delivered(float(telemetry.delivered_ua)),
                model.Contact(telemetry.contact, telemetry.impedance_ohm),
            ]
        self._judge(telemetry, now, events)
        return tuple(events)

    def _feel(self, telemetry: Telemetry, now: float, events: list[Event]) -> bool:
        """Tell contact lost and restored; True where one of them was."""
        impedance = telemetry.impedance_ohm
        touching = impedance is not None and impedance <= LOST_OHM
        if not touching:
            self._back_since = None
            return self.contact_lost(events)
        if self._contact:
            return False
        if self._back_since is None:
            self._back_since = now
        if now < self._back_since + CONTACT_BACK_S - _CLOCK_TOLERANCE_S:
            return False
        self._contact = True
        events.append(model.ContactRestored())
        return True

    def contact_lost(self, events: list[Event]) -> bool:
        """The device says that contact is lost; True where that is news."""
        news = self._contact
        self._contact = False
        if news:
            events.append(model.ContactLost())
        return news

    def _judge(self, telemetry: Telemetry, now: float, events: list[Event]) -> None:
        """Hold the measured current against the commanded one (H7)."""
        self._ceilings = [(until, ceiling) for until, ceiling in self._ceilings if now < until]
        highest = max([self._target_ua, *(ceiling for _, ceiling in self._ceilings)])
        delivered = telemetry.delivered_ua
        if delivered > highest * EXCESS_SHARE + EXCESS_UA:
            events.append(model.Fault(f"it delivers {delivered} µA, and {highest:.0f} µA were asked for"))
        # What the ramp had reached a moment ago: the measurement took time to arrive.
        commanded = self.commanded_ua(now - SETTLE_S)
        if telemetry.state is not State.RUNNING or not commanded or delivered >= POOR_SHARE * commanded:
            self._poor_since = None
        elif self._poor_since is None:
            self._poor_since = now
        elif now >= self._poor_since + POOR_S - _CLOCK_TOLERANCE_S:
            self._poor_since = now
            events.append(model.ContactPoor(float(delivered), commanded))
