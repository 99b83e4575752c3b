"""Ten OMP devices that each break one rule of the profile, and keep the nine others: what a conformance check must see.

Each is the reference device with one method replaced, the way firmware gets it wrong.
"""

from __future__ import annotations

from protocols.omp_codec import Opcode, Result, State, Telemetry
from rig.devices.omp import SimulatedOmp


class JumpsToItsTarget(SimulatedOmp):
    """Rule 1: it starts on a ramp of its own, ten times as steep."""

    def _rise_ua_per_s(self) -> float:
        return 10.0 * super()._rise_ua_per_s()


class StopsLate(SimulatedOmp):
    """Rule 2: a stop takes the ramp of a pause."""

    _to_stop = False

    def _stop(self, now: float) -> Result:
        if self._state is State.RUNNING:
            self._to_stop = True
            self._ramp_down(now)
            return Result.SUCCESS
        return super()._stop(now)

    def _be_down(self, at: float) -> None:
        super()._be_down(at)
        if self._to_stop:
            self._to_stop = False
            super()._stop(at)


class RunsWithoutKeepAlive(SimulatedOmp):
    """Rule 3: nobody watches the keep-alive."""

    def _keep_alive_lapses_at(self) -> float | None:
        return None


class ResumesByItself(SimulatedOmp):
    """Rule 4: contact is back, and so is the current."""

    def _sense(self, at: float) -> None:
        super()._sense(at)
        if self._state is State.CONTACT_LOST and self._contact_settled(at):
            self._go(at)


class DeliversTooMuch(SimulatedOmp):
    """Rule 5: its current source is 12 % off, and it does not watch it."""

    def __init__(self, seed: int = 0, *, secured: bool = True) -> None:
        super().__init__(seed, secured=secured)
        self._stage.gain = 1.12

    def _rise_ua_per_s(self) -> float:
        # Its ramp is right all the same: rule 1 is another one.
        return super()._rise_ua_per_s() / self._stage.gain

    def _guard_current(self, delivered_ua: float, at: float) -> None:
        """It has no such thing."""


class RunsOnItsCharger(SimulatedOmp):
    """Rule 6: a charger is nothing to it."""

    def set_charging(self, charging: bool, now: float) -> None:
        """Nobody has connected the pin that tells."""


class TakesAnyTarget(SimulatedOmp):
    """Rule 7: a target out of range is cut to the range instead of refused."""

    def _set_target(self, now: float, target_ua: int) -> Result:
        step = self.features.current_step_ua
        return super()._set_target(now, min(target_ua // step * step, self.features.max_current_ua))


class ObeysEverybody(SimulatedOmp):
    """Rule 8: whoever is connected controls it."""

    def _permitted(self, number: int, opcode: Opcode) -> bool:
        return opcode in (Opcode.REQUEST_CONTROL, Opcode.STOP) or self._controller is not None


class CountsByFits(SimulatedOmp):
    """Rule 9: its counter is shared with something else, and so skips."""

    def _telemetry(self, delivered_ua: float, at: float) -> Telemetry:
        if self._sequence % 8 == 7:
            self._next_sequence()
        return super()._telemetry(delivered_ua, at)


class DeletesEverything(SimulatedOmp):
    """Rule 10: it deletes what nobody has read."""

    def _delete(self, first_id: int) -> tuple[Result, tuple[int, ...]]:
        self.store.report(first_id)
        while self.store.reporting:
            self.store.next_piece()
        return super()._delete(first_id)


BROKEN: tuple[type[SimulatedOmp], ...] = (
    JumpsToItsTarget,
    StopsLate,
    RunsWithoutKeepAlive,
    ResumesByItself,
    DeliversTooMuch,
    RunsOnItsCharger,
    TakesAnyTarget,
    ObeysEverybody,
    CountsByFits,
    DeletesEverything,
)
"""One for each rule, in their order."""
