"""The level interlocks that every device shares: the soft start that no device has (safety case, H1, H2, H8).

Knows which levels were asked for and acknowledged. Refuses to know bytes, and forgets every level at a stop.
"""

from __future__ import annotations

from protocols.machine import LocalProtocolError, TooSoonError
from protocols.model import DeviceProfile

_CLOCK_TOLERANCE_S = 1e-9


class Ramp:
    """What is known of the level, and which level may be asked for next.

    A start is allowed at the lowest step alone. While output is possible, a rise is at most one step, waits for the
    acknowledgement of whatever was asked before, and then for the time that one step takes on the ramp. Lowering is
    always allowed.
    """

    def __init__(self, profile: DeviceProfile) -> None:
        self._profile = profile
        self._level: int | None = None  # acknowledged last since the last stop
        self._pending: list[int] = []  # accepted, not yet acknowledged
        self._doubtful: list[int] = []  # given up: in effect or not, nobody knows
        self._start_pending = False
        self._settled_at = 0.0  # when the last level or start was acknowledged

    def forget(self) -> None:
        """Forget every level: a stop was asked for or done, or the device acted by itself."""
        self._level = None
        self._pending.clear()
        self._doubtful.clear()
        self._start_pending = False

    def check_start(self) -> None:
        """Raise LocalProtocolError unless the device is known to hold its lowest step."""
        lowest = self._profile.lowest_percent
        if self._pending or self._doubtful:
            raise LocalProtocolError("the level asked for last is not acknowledged yet")
        if self._level is None:
            raise LocalProtocolError(
                f"set the lowest level, {lowest} %, before the start: none is known since the stop"
            )
        if self._level != lowest:
            raise LocalProtocolError(f"output starts at the lowest level, {lowest} %, not at {self._level} %")

    def check_level(self, percent: int, now: float, *, running: bool) -> None:
        """Raise LocalProtocolError unless ``percent`` may be asked for now.

        ``running`` is whether output is possible; ``now`` is in seconds.
        """
        profile = self._profile
        if not 0 <= percent <= profile.max_percent:
            raise LocalProtocolError(f"level {percent} % is outside 0 to {profile.max_percent} %")
        if not running:
            self._check_level_at_rest(percent)
            return
        known = [level for level in (self._level, *self._pending, *self._doubtful) if level is not None]
        floor = min(known, default=profile.lowest_percent)
        if percent <= floor:
            return
        if self._level is None or self._pending or self._doubtful or self._start_pending:
            raise LocalProtocolError("no rise before the level or start asked for last is acknowledged")
        if percent - floor > profile.step_percent:
            raise LocalProtocolError(
                f"a rise from {floor} to {percent} % is more than one step of {profile.step_percent} %"
            )
        due = self._settled_at + profile.step_percent / profile.ramp_percent_per_s
        if now < due - _CLOCK_TOLERANCE_S:
            raise TooSoonError(f"the next rise is allowed in {due - now:.3f} s", due - now)

    def _check_level_at_rest(self, percent: int) -> None:
        lowest = self._profile.lowest_percent
        if percent == 0:
            raise LocalProtocolError(
                "level 0 while stopped means nothing to the device, which acknowledges and ignores it"
            )
        if percent > lowest:
            raise LocalProtocolError(f"while stopped the level is at most the lowest, {lowest} %: rise after the start")

    def lowers(self, percent: int) -> bool:
        """Tell whether ``percent`` is a rise over nothing that may be in effect."""
        return self._level is None or percent <= self._level

    def asked(self, percent: int) -> None:
        """A level was accepted and will be written."""
        self._pending.append(percent)

    def withdrawn(self, percent: int) -> None:
        """An accepted level was dropped before it was written."""
        if percent in self._pending:
            self._pending.remove(percent)

    def start_asked(self) -> None:
        """A start was accepted and will be written."""
        self._start_pending = True

    def level_acknowledged(self, percent: int, now: float) -> None:
        """The device has taken a level; being answered in order, it holds no earlier one that was in doubt."""
        if percent in self._pending:
            self._pending.remove(percent)
        self._doubtful.clear()
        self._level = percent
        self._settled_at = now

    def start_acknowledged(self, now: float) -> None:
        """The device has started."""
        self._start_pending = False
        self._settled_at = now

    def level_given_up(self, percent: int) -> None:
        """Nobody knows whether this level took effect."""
        if percent in self._pending:
            self._pending.remove(percent)
        self._doubtful.append(percent)
