"""Two electrodes on a face: their impedance and the skin's temperature at any time, the past included.

Each electrode is R_s in series with R_p parallel to C_p. Gel dries, the hand moves, an electrode lifts, the two touch:
all of it a function of the time and a seed, so that whoever asks twice gets the same answer. Refuses to know devices,
currents that anybody commands, and clocks.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from enum import Enum
from typing import NamedTuple

COMPLIANCE_V = 30.0
"""Highest voltage that a device drives the electrodes with."""
DRYING_S = 600.0
"""How long gel takes from fresh to dry."""
SERIES_OHM = 200.0
GELLED_OHM, DRY_OHM = 1_000.0, 80_000.0
GELLED_F, DRY_F = 50e-9, 20e-9
SHORTED_OHM = 20.0
BODY_C = 36.0
DRIFT_C_PER_MIN = 0.3

_ELECTRODES = 2
_MOST_NOISE = 0.2  # of the dry 160 kilohms would come near the 200 at which a contact counts as lost
_ALWAYS_UA = COMPLIANCE_V / (_ELECTRODES * (SERIES_OHM + DRY_OHM) * (1.0 + _MOST_NOISE)) * 1e6
_MOVEMENT_S = 0.25  # how far apart the hand's movements are that the noise is drawn for; between them it is linear
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


class Touch(Enum):
    """What happens between electrodes and skin."""

    GELLED = "fresh gel, both electrodes on the skin"
    PLACED = "both electrodes on the skin, with the gel that there is"
    LIFTED = "an electrode off the skin"
    SHORTED = "the electrodes touch each other"
    DRIED = "the gel is wiped off"


class TouchEvent(NamedTuple):
    """One thing that happens between electrodes and skin, and when (seconds)."""

    time: float
    touch: Touch


class _Lying(NamedTuple):
    """How the electrodes lie, and when their gel was fresh (seconds; minus infinity where it was wiped off)."""

    touch: Touch
    fresh_at: float

    def after(self, event: TouchEvent) -> _Lying:
        """Return how they lie once that has happened."""
        match event.touch:
            case Touch.GELLED:
                return _Lying(Touch.PLACED, event.time)
            case Touch.DRIED:
                return _Lying(self.touch, -math.inf)
            case touch:
                return _Lying(touch, self.fresh_at)

    def dryness(self, at: float) -> float:
        """Return how dry the gel is: 0 fresh, 1 dry."""
        return min(1.0, max(0.0, at - self.fresh_at) / DRYING_S)


class Skin:
    """One face under the electrodes; from the start both are on it, with fresh gel.

    Args:
        seed: of the movement noise and of the temperature at the start.
        noise: how far movement takes the impedance up or down, as a share of it.
        events: what happens, in any order; more by :meth:`add`.
    """

    def __init__(self, seed: int = 0, *, noise: float = 0.1, events: tuple[TouchEvent, ...] = ()) -> None:
        if not 0 <= noise < _MOST_NOISE:
            raise ValueError(f"movement noise is a share from 0 to {_MOST_NOISE}, not {noise}")
        self._seed = seed & _MASK
        self._noise = noise
        self._events: list[TouchEvent] = []
        self._times: list[float] = []
        self._lyings = [_Lying(Touch.PLACED, 0.0)]  # one more than events: how they lie before each, and after the last
        self._slot, self._slot_ends = -math.inf, (0.0, 0.0)  # the movement asked for last
        self._asked: tuple[float, float] | None = None  # the time and frequency asked for last, and the answer:
        self._impedance_ohm: float | None = None
        self._begun = False
        self._start = 0.0
        self._start_c = 31.0 + 2.0 * self._drawn(-1)
        for event in events:
            self.add(event.touch, event.time)

    # --- what happens -------------------------------------------------------------------------------------------------

    def begin(self, at: float) -> None:
        """Let the gel dry and the skin warm from ``at`` (seconds) on, not from 0; once, later calls change nothing."""
        if self._begun:
            return
        self._begun = True
        self._start = at
        events, self._events, self._times = self._events, [], []
        self._lyings = [_Lying(Touch.PLACED, at)]
        self._asked = None
        for event in events:
            self.add(event.touch, event.time)

    def add(self, touch: Touch, at: float) -> None:
        """Let something happen at ``at`` (seconds)."""
        index = bisect_right(self._times, at)
        self._times.insert(index, at)
        self._events.insert(index, TouchEvent(at, touch))
        del self._lyings[index + 1 :]
        for event in self._events[index:]:
            self._lyings.append(self._lyings[-1].after(event))
        self._asked = None

    def next_event(self, after: float) -> float | None:
        """Return when the next thing happens after that time (seconds), or None."""
        index = bisect_right(self._times, after)
        return self._times[index] if index < len(self._times) else None

    def touching(self, at: float) -> Touch:
        """Return how the electrodes lie: ``PLACED``, ``LIFTED`` or ``SHORTED``."""
        return self._lying(at).touch

    def _lying(self, at: float) -> _Lying:
        return self._lyings[bisect_right(self._times, at)]

    # --- what can be measured -----------------------------------------------------------------------------------------

    def dryness(self, at: float) -> float:
        """Return how dry the gel is: 0 fresh, 1 dry."""
        return self._lying(at).dryness(at)

    def impedance_ohm(self, at: float, frequency_hz: float) -> float | None:
        """Return the magnitude of both electrodes in series, in ohms, at that time; None for an open circuit."""
        asked = (at, frequency_hz)
        if asked != self._asked:  # a device wants to know several times at each instant that it measures
            self._asked, self._impedance_ohm = asked, self._impedance(at, frequency_hz)
        return self._impedance_ohm

    def _impedance(self, at: float, frequency_hz: float) -> float | None:
        lying = self._lying(at)
        if lying.touch is Touch.LIFTED:
            return None
        if lying.touch is Touch.SHORTED:
            return SHORTED_OHM
        # A film that gets thinner loses its conductance evenly in the logarithm: half dry is 9 kilohms, not 40.
        dryness = lying.dryness(at)
        parallel_ohm = GELLED_OHM * math.pow(DRY_OHM / GELLED_OHM, dryness)
        parallel_f = GELLED_F * math.pow(DRY_F / GELLED_F, dryness)
        one = SERIES_OHM + parallel_ohm / complex(1.0, 2 * math.pi * frequency_hz * parallel_ohm * parallel_f)
        return abs(one) * _ELECTRODES * (1.0 + self._noise * self._movement(at))

    def highest_ua(self, at: float, frequency_hz: float) -> float:
        """Return the most that :data:`COMPLIANCE_V` drives through, in µA."""
        impedance = self.impedance_ohm(at, frequency_hz)
        return 0.0 if impedance is None else COMPLIANCE_V / impedance * 1e6

    def let_through_ua(self, wanted_ua: float, at: float, frequency_hz: float) -> float:
        """Return how much of a current :data:`COMPLIANCE_V` drives through, in µA."""
        if wanted_ua <= _ALWAYS_UA:  # even through dry gel: a run is looked at a million times, mostly at no more
            return 0.0 if self.touching(at) is Touch.LIFTED else wanted_ua
        return min(wanted_ua, self.highest_ua(at, frequency_hz))

    def temperature_c(self, at: float) -> float:
        """Return the skin's temperature: it drifts towards the body's."""
        return min(BODY_C, self._start_c + DRIFT_C_PER_MIN * max(0.0, at - self._start) / 60.0)

    # --- chance -------------------------------------------------------------------------------------------------------

    def _movement(self, at: float) -> float:
        """Return -1 to 1: drawn for every :data:`_MOVEMENT_S`, straight in between."""
        slot, share = divmod(at / _MOVEMENT_S, 1.0)
        if slot != self._slot:
            self._slot, self._slot_ends = slot, (self._drawn(int(slot)), self._drawn(int(slot) + 1))
        before, after = self._slot_ends
        return 2.0 * (before + (after - before) * share) - 1.0

    def _drawn(self, number: int) -> float:
        """Return 0 to 1 for a whole number: splitmix64, which needs no draws before it."""
        mixed = (self._seed * 0xD1B54A32D192ED03 + (number + 2) * _GOLDEN) & _MASK
        mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & _MASK
        return ((mixed ^ mixed >> 31) >> 11) / (1 << 53)
