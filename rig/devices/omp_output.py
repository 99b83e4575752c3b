"""The output stage of the simulated OMP device: what was commanded and what went into the skin, at any time so far.

Kept as straight pieces, not as samples, so that the ground truth of a safety test has no gaps between two looks at it.
Refuses to know requests, states and rules.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from rig.devices.skin import Skin


class Piece(NamedTuple):
    """From ``time`` (s) on: ``level_ua`` moves by ``slope_ua_per_s`` until it is ``goal_ua``, and stays there."""

    time: float
    level_ua: float
    slope_ua_per_s: float
    goal_ua: float
    frequency_hz: float

    def level(self, at: float) -> float:
        """Return the commanded peak at that time, in µA."""
        moved = self.level_ua + self.slope_ua_per_s * (at - self.time)
        return min(moved, self.goal_ua) if self.slope_ua_per_s >= 0 else max(moved, self.goal_ua)


class OutputStage:
    """A current source of limited voltage. ``gain`` is its error, 1.0 for none."""

    def __init__(self, skin: Skin, gain: float, frequency_hz: float) -> None:
        self.skin = skin
        self.gain = gain
        self._pieces = [Piece(0.0, 0.0, 0.0, 0.0, frequency_hz)]
        self._times = [0.0]  # of the pieces

    def set(self, level_ua: float, at: float) -> None:
        """Go to a level at once."""
        self._add(Piece(at, level_ua, 0.0, level_ua, self._pieces[-1].frequency_hz))

    def ramp(self, goal_ua: float, slope_ua_per_s: float, at: float) -> float:
        """Move to a level at a slope above zero; return when it is reached (s)."""
        level = self.commanded_ua(at)
        slope = slope_ua_per_s if goal_ua >= level else -slope_ua_per_s
        self._add(Piece(at, level, slope, goal_ua, self._pieces[-1].frequency_hz))
        return at + abs(goal_ua - level) / slope_ua_per_s

    def tune(self, frequency_hz: float, at: float) -> None:
        """Set the frequency of the wave."""
        self._add(self._pieces[-1]._replace(time=at, level_ua=self.commanded_ua(at), frequency_hz=frequency_hz))

    def _add(self, piece: Piece) -> None:
        if self._pieces[-1].time == piece.time:
            self._pieces[-1] = piece
        else:
            self._pieces.append(piece)
            self._times.append(piece.time)

    def pieces(self) -> Iterator[Piece]:
        """All pieces so far, oldest first."""
        return iter(self._pieces)

    def commanded_ua(self, at: float) -> float:
        """Return what the source was told to put out at that time, in µA peak."""
        return self._piece(at).level(at)

    def delivered_ua(self, at: float) -> float:
        """Return what went into the skin at that time, in µA peak."""
        piece = self._piece(at)
        level = piece.level(at)
        return self.skin.let_through_ua(level * self.gain, at, piece.frequency_hz) if level > 0 else 0.0

    def impedance_ohm(self, at: float) -> float | None:
        """Return what is between the electrodes at that time, in ohms; None for an open circuit."""
        return self.skin.impedance_ohm(at, self._piece(at).frequency_hz)

    def _piece(self, at: float) -> Piece:
        last = self._pieces[-1]
        if at >= last.time:
            return last
        return self._pieces[max(0, bisect_right(self._times, at) - 1)]
