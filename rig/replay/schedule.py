"""When each exchange of a transcript is due: recorded times, gaps capped or cut, divided by the speed. Pure.

Knows offsets and gaps. Refuses to know a clock, a loop and what is exchanged; :mod:`rig.replay.pacing` waits.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final, NamedTuple

from rig.replay.exchanges import Transcript

_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Gaps:
    """What becomes of long gaps, in seconds of the recording, that is before the speed is applied.

    * **cap** shortens: a gap longer than ``cap_s`` becomes ``cap_s``. Waiting is shorter, and there still is some.
    * **cut** leaves out: a gap longer than ``cut_s`` becomes 0. What came after it comes at once.

    A gap exactly as long as the limit stays as it is. With both, cut takes what is beyond ``cut_s``, and cap shortens
    what lies between the two, so the cap has to be the smaller one. None leaves gaps alone.

    Raises:
        ValueError: a limit is negative or not finite, or the cap could never act because the cut takes it all.
    """

    cap_s: float | None = None
    cut_s: float | None = None

    def __post_init__(self) -> None:
        for name, limit in (("cap", self.cap_s), ("cut", self.cut_s)):
            if limit is not None and not 0 <= limit < math.inf:
                raise ValueError(f"{name}: seconds at or above 0 are needed, not {limit!r}")
        if self.cap_s is not None and self.cut_s is not None and self.cap_s >= self.cut_s:
            raise ValueError(
                f"cap {self.cap_s:g} s and cut {self.cut_s:g} s: every gap that the cap would shorten is cut already; "
                "make the cap smaller than the cut, or leave one out"
            )

    def paced_ns(self, gap_ns: int) -> int:
        """Return what a recorded gap of that many nanoseconds becomes."""
        if self.cut_s is not None and gap_ns > round(self.cut_s * _NS):
            return 0
        if self.cap_s is not None:
            return min(gap_ns, round(self.cap_s * _NS))
        return gap_ns


AS_RECORDED: Final = Gaps()
"""Every gap as it was."""


class Turn(NamedTuple):
    """One exchange's turn in a replay."""

    round: int
    """Which time through the transcript, from 0."""
    exchange: int
    """Which exchange of the transcript, from 0."""
    due_ns: int
    """When, in nanoseconds since the replay began."""


class Schedule:
    """When each exchange is due, in nanoseconds since the replay began.

    The time before the first exchange is a gap like those between exchanges. Sums are kept in whole nanoseconds of the
    recording and divided by the speed once for each exchange, so that rounding never adds up.

    Args:
        offsets_ns: the recorded times in nanoseconds, at or above 0 and never going back.
        speed: how many recorded seconds go into one; 1 is as recorded. To replay at once, run in virtual time.
        gaps: what becomes of long gaps.

    Raises:
        ValueError: the speed is not positive and finite, or an offset is negative or before the one ahead of it.
    """

    __slots__ = ("_due_ns", "gaps", "speed")

    def __init__(self, offsets_ns: Iterable[int], speed: float = 1.0, gaps: Gaps = AS_RECORDED) -> None:
        if not 0 < speed < math.inf:
            raise ValueError(f"speed: a positive number is needed, not {speed!r}; to replay at once, use virtual time")
        self.speed = speed
        self.gaps = gaps
        due: list[int] = []
        before = total = 0
        for index, offset in enumerate(offsets_ns):
            if offset < before:
                raise ValueError(
                    f"exchange {index} is at {offset / _NS:.9f} s, before {before / _NS:.9f} s; "
                    "times may not go back: put the exchanges in order"
                )
            total += gaps.paced_ns(offset - before)
            before = offset
            due.append(total if speed == 1 else round(total / speed))
        self._due_ns = tuple(due)

    @classmethod
    def of(cls, transcript: Transcript, speed: float = 1.0, gaps: Gaps = AS_RECORDED) -> Schedule:
        """Return the schedule of a transcript's exchanges, app's and device's alike.

        Raises:
            ValueError: as the class does.
        """
        return cls((exchange.at_ns for exchange in transcript.exchanges), speed, gaps)

    def __len__(self) -> int:
        return len(self._due_ns)

    @property
    def duration_ns(self) -> int:
        """From the replay's beginning to its last exchange, in nanoseconds; 0 without exchanges."""
        return self._due_ns[-1] if self._due_ns else 0

    def due_ns(self, index: int) -> int:
        """Return when an exchange is due, in nanoseconds since the replay began.

        Raises:
            IndexError: there is no such exchange.
        """
        return self._due_ns[self.checked(index)]

    def between_ns(self, earlier: int, later: int) -> int:
        """Return the distance from one exchange to another in nanoseconds, gaps and speed applied.

        Raises:
            IndexError: there is no such exchange.
        """
        return self.due_ns(later) - self.due_ns(earlier)

    def index_at(self, due_ns: int) -> int:
        """Return the first exchange due at or after that time; how many there are when none is. For seeking by time."""
        return bisect_left(self._due_ns, due_ns)

    def turns(self, *, first: int = 0, rounds: int | None = 1, rest_ns: int = 0) -> Iterator[Turn]:
        """Yield the turns of a replay that begins at exchange ``first`` and goes ``rounds`` times through.

        From the beginning all is as scheduled; from a later exchange on, that one is due at 0. Each further round
        begins ``rest_ns`` after the last exchange of the one before. ``next()`` on the iterator is a step.

        Args:
            first: where to begin; the number of exchanges means nothing of the first round.
            rounds: how often, the first, perhaps partial, round included; None for without end.
            rest_ns: nanoseconds between rounds.

        Raises:
            IndexError: there is no exchange ``first``.
            ValueError: ``rounds`` or ``rest_ns`` is negative, or a round without end would take no time at all.
        """
        self.check_rounds(rounds, rest_ns)
        if first != len(self):
            self.checked(first)
        return self._turns(first, rounds, rest_ns)

    def _turns(self, first: int, rounds: int | None, rest_ns: int) -> Iterator[Turn]:
        begin = 0 if first == 0 else -self._due_ns[first] if first < len(self) else -self.duration_ns
        for number in count() if rounds is None else range(rounds):
            for index in range(first, len(self)):
                yield Turn(number, index, begin + self._due_ns[index])
            begin += self.duration_ns + rest_ns
            first = 0

    def check_rounds(self, rounds: int | None, rest_ns: int) -> None:
        """Refuse what cannot be looped.

        Raises:
            ValueError: a number is negative, or a loop without end would take no time at all.
        """
        if rounds is not None and rounds < 0:
            raise ValueError(f"rounds: a number at or above 0 is needed, or None for without end, not {rounds}")
        if rest_ns < 0:
            raise ValueError(f"rest: nanoseconds at or above 0 are needed, not {rest_ns}")
        if rounds is None and self.duration_ns + rest_ns == 0:
            raise ValueError("a loop without end that takes no time would never let go; give a rest between the rounds")

    def checked(self, index: int) -> int:
        """Return the index.

        Raises:
            IndexError: there is no such exchange.
        """
        if not 0 <= index < len(self._due_ns):
            raise IndexError(f"there is no exchange {index}: the transcript has {len(self._due_ns)}, counted from 0")
        return index
