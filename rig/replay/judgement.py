"""What came of a replay as the device: what the app did against what it did in the recording, in words.

Judges once all is known, so that one thing that went wrong is one difference and not a trail of them. Refuses to know
how the replay was run.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Literal

from protocols.recorded import NOTHING_OF_ITS_OWN, Recorded
from rig.replay.alignment import Alignment, align
from rig.replay.chance import without_chance
from rig.replay.conversation import Conversation, different, late, left_over, missing, nearest, swapped, unrecorded
from rig.replay.exchanges import Exchange
from rig.replay.outcome import Difference
from rig.replay.schedule import Schedule
from rig.replay.streams import KEEP_ALIVES, RATE_LEAST, RATE_SHARE, Streams

_WRITES: Final = frozenset({"write", "write_command"})


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a replay."""

    at_ns: int
    """When, in replay time."""
    index: int | None
    """Which recorded exchange it is: of the device's, and of the connection; of the app's that is worked out here."""
    came: Exchange | None = None
    """What the app did; None for the device's, which are as recorded."""
    ended_ns: int | None = None
    """When it was answered, where an answer was due."""


def key(exchange: Exchange, recorded: Recorded = NOTHING_OF_ITS_OWN) -> Hashable:
    """What makes an exchange of the app the same one: all but its time, its answer, and what is drawn by chance."""
    return exchange.does, exchange.to, without_chance(exchange, recorded) if exchange.does in _WRITES else None


@dataclass(frozen=True, slots=True)
class Rules:
    """By what to judge."""

    lane: Callable[[Exchange], Hashable]
    """Exchanges of one lane have to be in order."""
    tolerance_ns: int | None
    """How much longer than recorded the app may take to its next exchange; None: as long as it likes."""
    passed_over: frozenset[int]
    """Exchanges that do not show on the air, and need not happen."""
    recorded: Recorded = NOTHING_OF_ITS_OWN
    """What the protocol says of its recordings."""


_Fate = Literal["same", "changed", "moved", "extra"]


@dataclass(slots=True)
class Judgement:
    """The differences in order of time, and the conversation.

    Args:
        exchanges: what is recorded.
        schedule: when each was due.
        events: what happened, in order.
        end_ns: when the replay ended, in replay time.
        rules: by what to judge.
    """

    exchanges: Sequence[Exchange]
    schedule: Schedule
    events: Sequence[Event]
    end_ns: int
    rules: Rules
    differences: list[Difference] = field(default_factory=list)
    conversation: Conversation = field(default_factory=Conversation)
    _fates: dict[int, tuple[_Fate, int | None]] = field(default_factory=dict)  # by position in events
    _event_of: dict[int, int] = field(default_factory=dict)  # recorded exchange to position in events
    _missing: list[int] = field(default_factory=list)
    _late: dict[int, str] = field(default_factory=dict)  # position in events to the words
    _streams: Streams = field(default_factory=Streams)
    _left_be: set[int] = field(default_factory=set)  # keep-alives that need not have happened

    def __post_init__(self) -> None:
        self._streams = Streams(self.rules.recorded)
        self._lay_beside()
        self._tell_missing()
        self._tell_unsaid()
        self._tell_overtaken()
        self._tell_late()
        self.differences.sort(key=lambda difference: difference.at_ns)
        self._converse()

    # ---- the app's exchanges ---------------------------------------------------------------------------------------

    def _lay_beside(self) -> None:
        recorded: dict[Hashable, list[int]] = {}
        for index, exchange in enumerate(self.exchanges):
            if exchange.by == "app" and exchange.does != "connect" and index not in self.rules.passed_over:
                recorded.setdefault(self.rules.lane(exchange), []).append(index)
        played: dict[Hashable, list[int]] = {}
        for position, event in enumerate(self.events):
            if event.came is not None:
                played.setdefault(self.rules.lane(event.came), []).append(position)
            elif event.index is not None:
                self._event_of[event.index] = position
        for lane in recorded | played:
            indices, positions = recorded.get(lane, []), played.get(lane, [])
            came = [self._came(position) for position in positions]
            found = align(
                [self.exchanges[index] for index in indices], came, partial(key, recorded=self.rules.recorded)
            )
            if lane == KEEP_ALIVES:
                self._leave_be(found, indices, positions)
            self._take(found, indices, positions)

    def _leave_be(self, found: Alignment, indices: list[int], positions: list[int]) -> None:
        """Let there be a few keep-alives more or fewer: when they come is for the app's own clock to say."""
        if len(found.missing) + len(found.extra) > max(RATE_LEAST, round(RATE_SHARE * len(indices))):
            return
        self._left_be |= {indices[r] for r in found.missing}
        for p in found.extra:
            self._fates[positions[p]] = ("extra", None)
        found.missing, found.extra = [], []

    def _take(self, found: Alignment, indices: list[int], positions: list[int]) -> None:
        pairs: tuple[tuple[_Fate, dict[int, int]], ...] = (
            ("same", found.same),
            ("changed", found.changed),
            ("moved", found.moved),
        )
        for fate, paired in pairs:
            for r, p in paired.items():
                self._fates[positions[p]] = (fate, indices[r])
                self._event_of[indices[r]] = positions[p]
        self._missing += [indices[r] for r in found.missing]
        expected = self._expected_at(found, indices)
        for r, p in found.changed.items():
            event = self.events[positions[p]]
            recorded = self.exchanges[indices[r]]
            self.differences.append(different(indices[r], recorded, self._came(positions[p]), event.at_ns))
        for r, p in found.moved.items():
            self._tell_moved(indices[r], positions[p], found.partner_of(r), indices)
        for p in found.extra:
            came, at_ns = self._came(positions[p]), self.events[positions[p]].at_ns
            near = nearest(came, enumerate(self.exchanges), expected=expected(p))
            self._fates[positions[p]] = ("extra", None)
            self.differences.append(unrecorded(came, at_ns, near))

    def _tell_moved(self, index: int, position: int, partner: int | None, indices: list[int]) -> None:
        at_ns = self.events[position].at_ns
        recorded = self.exchanges[index]
        if partner is None:  # no neighbour took its place: what did happen around it is not recorded either
            self.differences.append(different(index, recorded, self._came(position), at_ns))
            return
        other = indices[partner]
        first, second = sorted((index, other))
        self.differences.append(swapped(first, self.exchanges[first], second, self.exchanges[second], at_ns))

    @staticmethod
    def _expected_at(found: Alignment, indices: list[int]) -> Callable[[int], int | None]:
        """Return what tells which recorded exchange's turn it was at a position of the played ones."""
        of = {p: r for r, p in (found.same | found.changed).items()}

        def expected(position: int) -> int | None:
            before = max((of[p] for p in of if p < position), default=-1)
            return indices[min(before + 1, len(indices) - 1)] if indices else None

        return expected

    def _tell_missing(self) -> None:
        self._missing.sort()
        last = max(
            (index for index in self._event_of if self.exchanges[index].by == "app"),
            default=-1,
        )
        tail = [index for index in self._missing if index > last]
        played = sorted(index for index in self._event_of if self.exchanges[index].by == "app")
        for index in self._missing:
            if index <= last:
                after = played[bisect_right(played, index)]
                at_ns = self.events[self._event_of[after]].at_ns
                self.differences.append(missing(index, self.exchanges[index], at_ns))
        if tail:
            self.differences.append(
                _and_more(left_over(tail[0], self.exchanges[tail[0]], self.end_ns), len(tail) - 1, "of the app's")
            )

    # ---- the device's ----------------------------------------------------------------------------------------------

    def _tell_unsaid(self) -> None:
        """What the device had no chance to say; where the app has done all else as recorded, that is the difference."""
        unsaid = [
            index
            for index, exchange in enumerate(self.exchanges)
            if exchange.by == "device" and index not in self._event_of and not self._follows_what_was_left_be(index)
        ]
        self._missing = sorted({*self._missing, *unsaid})
        if unsaid and not self.differences:
            self.differences.append(
                _and_more(
                    left_over(unsaid[0], self.exchanges[unsaid[0]], self.end_ns), len(unsaid) - 1, "of the device's"
                )
            )

    def _follows_what_was_left_be(self, index: int) -> bool:
        """Whether the device would have said it after a keep-alive that did not come, and need not have come."""
        before = index - 1
        while before >= 0 and self.exchanges[before].by == "device":
            before -= 1
        return before in self._left_be

    def _tell_overtaken(self) -> None:
        """The app did not wait for what the device said before, in the recording."""
        for position, event in enumerate(self.events):
            fate, index = self._fates.get(position, ("extra", None))
            if index is None or fate == "moved" or index == 0:
                continue
            before = self._before(index)
            if before < 0:
                continue
            said = self._event_of.get(before)
            recorded = self.exchanges[before]
            same_lane = self.rules.lane(recorded) == self.rules.lane(self.exchanges[index])
            if recorded.by == "device" and same_lane and said is not None and said > position:
                self.differences.append(swapped(before, recorded, index, self.exchanges[index], event.at_ns))

    # ---- times -----------------------------------------------------------------------------------------------------

    def _tell_late(self) -> None:
        tolerance_ns = self.rules.tolerance_ns
        if tolerance_ns is None:
            return
        for position, event in enumerate(self.events):
            fate, index = self._fates.get(position, ("extra", None))
            if index is None or fate not in {"same", "changed"}:
                continue
            took = self._took(index, event)
            if took is not None and took[0] - took[1] > tolerance_ns:
                found = late(index, self.exchanges[index], took[0] - took[1], event.at_ns, took=took)
                self.differences.append(found)
                self._late[position] = found.text

    def _took(self, index: int, event: Event) -> tuple[int, int] | None:
        """How long the app took from what was before, now and in the recording; None where nothing was."""
        before = self._before(index)
        while before in self.rules.passed_over:
            before = self._before(before)
        position = self._event_of.get(before)
        if position is None or self.exchanges[before].does == "connect":
            return None  # how long discovery takes is nobody's conversation
        if not self._follows(position, self._event_of[index]):
            return None
        recorded = self.exchanges[before]
        recorded_ns = self.schedule.between_ns(before, index)
        answered_ns = round((recorded.answered_ns or 0) / self.schedule.speed)
        ended_ns = self.events[position].ended_ns
        if ended_ns is not None and answered_ns <= recorded_ns:
            return event.at_ns - ended_ns, recorded_ns - answered_ns
        return event.at_ns - self.events[position].at_ns, recorded_ns

    def _follows(self, position: int, following: int) -> bool:
        """Whether nothing that has to be in order with it came between: a time from something else says nothing."""
        lane = self._lane_at(following)
        between = range(position + 1, following)
        return position < following and not any(
            self._lane_at(other) == lane for other in between if not self._is_of_a_stream(other)
        )

    def _before(self, index: int) -> int:
        """Which exchange an app may have waited for before this one, -1 for none: no measurement, and no keep-alive.

        Before a keep-alive it is the one before.
        """
        keeps_alive = self.rules.lane(self.exchanges[index]) == KEEP_ALIVES
        before = self._streams.before(self.exchanges, index)
        while before >= 0 and (self.rules.lane(self.exchanges[before]) == KEEP_ALIVES) != keeps_alive:
            before = self._streams.before(self.exchanges, before)
        return before

    def _is_of_a_stream(self, position: int) -> bool:
        index = self.events[position].index
        return index is not None and self._streams.has(self.exchanges[index])

    def _lane_at(self, position: int) -> Hashable:
        event = self.events[position]
        if event.came is not None:
            return self.rules.lane(event.came)
        return None if event.index is None else self.rules.lane(self.exchanges[event.index])

    # ---- the conversation ------------------------------------------------------------------------------------------

    def _converse(self) -> None:
        waiting = list(reversed(self._missing))
        for position, event in enumerate(self.events):
            fate, index = self._fates.get(position, ("same", event.index))
            while waiting and index is not None and fate != "moved" and waiting[-1] < index:
                gone = waiting.pop()
                self.conversation.missing(gone, self.exchanges[gone], event.at_ns)
            if index is None:
                self.conversation.unrecorded(self._came(position), event.at_ns)
            elif fate == "changed":
                self.conversation.different(index, self.exchanges[index], self._came(position), event.at_ns)
            else:
                self.conversation.happened(index, self.exchanges[index], event.at_ns)
            if fate == "moved":
                self.conversation.note(f"out of turn: recorded as exchange {index}", event.at_ns)
            if position in self._late:
                self.conversation.note(self._late[position], event.at_ns)
        while waiting:
            gone = waiting.pop()
            self.conversation.missing(gone, self.exchanges[gone], self.end_ns)

    def _came(self, position: int) -> Exchange:
        came = self.events[position].came
        if came is None:
            raise ValueError(f"event {position} is not the app's")
        return came


def _and_more(difference: Difference, more: int, whose: str) -> Difference:
    return replace(difference, text=f"{difference.text}; {more} more {whose} after it") if more else difference
