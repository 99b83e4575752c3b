"""Whether a Stop that came over MQTT is followed. The one command there is; nothing else is read as a command (H9).

MQTT 3.1.1 gives messages no date, so the age of a Stop is bounded from four sides:

- Retained messages are left out: a broker marks what it kept from before by the retain flag.
- The link subscribes with QoS 0 in a clean session, so that no broker keeps a Stop for a companion that is away.
- What waits on the way (a stalled network, a computer that slept) comes out in order. So the link keeps asking the
  broker something, and a Stop counts only when an answer to a question no more than 5 s old came before it: whatever
  was read after that answer had not left the broker when the question was put.
- Who can say when they meant it may: ``STOP 1789000000`` (seconds since 1970, with or without a fraction). More than
  5 s ago, and it is left out. A date in the future is a clock that is ahead, and no reason not to stop.

Home Assistant's button sends no date: a clock that is behind by more than 5 s would make every Stop of a person be left
out, and that is worse than what a date would prevent. What remains is a bare ``STOP`` that somebody sends again on
purpose. That is a new Stop; it ends a session early, and can do nothing else.

Pure: knows neither a clock nor a network.
"""

from __future__ import annotations

import math
import re
from enum import Enum
from typing import Final

PRESS: Final = "STOP"
"""What Home Assistant's button sends."""

OLDEST_S: Final = 5.0
"""Seconds after which a Stop is a thing of the past."""

APART_S: Final = 0.3
"""A Stop that follows another one within this time says the same again; the session itself repeats what has to be."""

_DATED = re.compile(rb"STOP(?: ([0-9]{1,12}(?:\.[0-9]{1,9})?))?")


class Verdict(Enum):
    """What becomes of a message on the topic of Stop."""

    FOLLOW = "follow"
    REPEATED = "repeated"  # the Stop before it is still being carried out
    RETAINED = "retained"
    UNKNOWN = "unknown"  # not the word
    OLD = "old"  # says so itself
    UNPROVEN = "unproven"  # may have waited on the way


class StopGate:
    """Judges one message after another, on one connection after another."""

    def __init__(self) -> None:
        self._asked_at = -math.inf
        self._followed_at = -math.inf

    def answered(self, asked_at: float) -> None:
        """The broker has answered what it was asked at ``asked_at`` (seconds on a clock that counts sleep too)."""
        self._asked_at = max(self._asked_at, asked_at)

    def judge(self, payload: bytes, *, retained: bool, now: float, date: float) -> Verdict:
        """Judge a message that is read at ``now`` (the clock of :meth:`answered`); ``date`` is seconds since 1970."""
        if retained:
            return Verdict.RETAINED
        found = _DATED.fullmatch(payload) if len(payload) <= 32 else None
        if found is None:
            return Verdict.UNKNOWN
        if found[1] is not None and date - float(found[1]) > OLDEST_S:
            return Verdict.OLD
        if now - self._asked_at > OLDEST_S:
            return Verdict.UNPROVEN
        if now - self._followed_at < APART_S:
            return Verdict.REPEATED
        self._followed_at = now
        return Verdict.FOLLOW
