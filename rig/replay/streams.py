"""What a device says by itself, held against a recording of it: by what it means and how often, never by its bytes.

A measurement is never the same twice; which states, faults and contact it tells of, in which order, is. Knows the
declarations of :mod:`protocols.recorded`. Refuses to know any protocol, and how a replay is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from protocols.recorded import NOTHING_OF_ITS_OWN, Facts, Recorded, Stream
from protocols.registry import Registry, UnknownProtocolError
from rig.replay.conversation import in_words, late, seconds_text
from rig.replay.exchanges import Exchange, Place, Transcript
from rig.replay.outcome import Difference, DifferenceKind
from rig.replay.schedule import Schedule
from rig.replay.transcript import place_text

KEEP_ALIVES: Final = "keep-alives"
"""The lane of keep-alives and their answers: they keep their own order, and none with anything else, for when one is
due is for the app's own clock to say."""
RATE_SHARE: Final = 0.05
"""By what share of the values expected there may be more or fewer."""
RATE_LEAST: Final = 2
"""And by how many in any case: where a stream begins and ends is a matter of when the device measures."""
_SILENCE: Final = 1.5
"""A gap of this many periods is a pause of the stream, not a late value."""
_PUSHED: Final = frozenset({"notification", "indication"})


def recorded_of(transcript: Transcript, registry: Registry | None = None) -> Recorded:
    """What the transcript's protocol says of its recordings; nothing of its own where the protocol is not known.

    Args:
        transcript: the recording.
        registry: the protocols there are; None: the built-in and the installed ones.
    """
    if not transcript.protocol:
        return NOTHING_OF_ITS_OWN
    try:
        return (registry or Registry.default()).get(transcript.protocol).recorded
    except UnknownProtocolError:
        return NOTHING_OF_ITS_OWN


class Streams:
    """The streams of a protocol.

    Args:
        recorded: what the protocol says of them.
    """

    def __init__(self, recorded: Recorded = NOTHING_OF_ITS_OWN) -> None:
        self._recorded = recorded
        self._by_characteristic = {stream.characteristic: stream for stream in recorded.streams}

    def of(self, place: Place | None) -> Stream | None:
        """Return the stream of a place, None where it has none."""
        if place is None or place.descriptor:
            return None
        return self._by_characteristic.get(place.characteristic)

    def has(self, exchange: Exchange) -> bool:
        """Whether it is a value that the device sent by itself, on a stream."""
        return exchange.does in _PUSHED and self.of(exchange.to) is not None

    def keeps_alive(self, exchange: Exchange) -> bool:
        """Whether it is a keep-alive of the app's, or the device's answer to one."""
        if exchange.to is None or exchange.to.descriptor or exchange.value is None:
            return False
        return self._recorded.is_keep_alive(exchange.to.characteristic, exchange.value)

    def before(self, exchanges: Sequence[Exchange], index: int) -> int:
        """Return which exchange is the last before ``index`` that is of no stream; -1 where there is none.

        What a device measures just then is nothing that anybody waits for.
        """
        index -= 1
        while index >= 0 and self.has(exchanges[index]):
            index -= 1
        return index

    def places(self, exchanges: Sequence[Exchange]) -> frozenset[Place]:
        """Return the places from which the device sends a stream."""
        return frozenset(one.to for one in exchanges if one.to is not None and self.has(one))

    def how_different(self, recorded: Exchange, came: Exchange) -> str | None:
        """How a value differs that was read of a stream's characteristic; None where it is of none, empty if it is not.

        Where either is no value that the protocol understands, the bytes decide, and None is returned as well.
        """
        stream = self.of(recorded.to)
        if stream is None or recorded.does != "read" or recorded.value is None or came.value is None:
            return None
        try:
            was, now = stream.facts(recorded.value), stream.facts(came.value)
        except ValueError:
            return None
        return ", ".join(
            f"{name} is {now.get(name, '')}, recorded {value}" for name, value in was.items() if now.get(name) != value
        )


class _Change(NamedTuple):
    """A fact becoming another one."""

    value: str
    at: int
    """Which of the values: an index of the recording, or a position of what came."""


@dataclass(slots=True)
class Compared:
    """One replay's streams beside the recording's. ``differences`` is filled in by :meth:`judge`.

    Args:
        streams: what there is.
        exchanges: what is recorded.
        schedule: when each was due.
        when: the exchanges of the app that were played, and when, in nanoseconds of replay time.
        tolerance_ns: how much later than recorded a change may be, beside one period of its stream; None: any time.
        end_ns: when the play ended.
    """

    streams: Streams
    exchanges: Sequence[Exchange]
    schedule: Schedule
    when: Mapping[int, int]
    tolerance_ns: int | None
    end_ns: int
    differences: list[Difference] = field(default_factory=list)

    def judge(
        self, came: Sequence[Exchange], limit: int, said_before: Mapping[Place, bytes], *, whole: bool = True
    ) -> None:
        """Compare what came with what is recorded before exchange ``limit``.

        Args:
            came: every value of a stream that came, in order, with its time in the replay.
            limit: where the play ended.
            said_before: what each place said last before the play began.
            whole: whether the play went on to its end: how often something is said is compared then alone.
        """
        indices = [index for index, one in enumerate(self.exchanges[:limit]) if self.streams.has(one)]
        places = dict.fromkeys(one.to for one in (*(self.exchanges[index] for index in indices), *came))
        for place in places:
            stream = self.streams.of(place)
            if place is None or stream is None:
                continue
            mine = [index for index in indices if self.exchanges[index].to == place]
            theirs = [one for one in came if one.to == place]
            self._facts(stream, mine, theirs, said_before.get(place))
            if stream.period_s is not None and whole:
                self._rate(place, stream.period_s, mine, theirs)

    # ---- what it means ----------------------------------------------------------------------------------------------

    def _facts(self, stream: Stream, indices: list[int], came: list[Exchange], said_before: bytes | None) -> None:
        recorded = [(index, self._understood(stream, self.exchanges[index], index)) for index in indices]
        heard = [(position, self._understood(stream, one)) for position, one in enumerate(came)]
        names = dict.fromkeys(name for _, facts in (*recorded, *heard) if facts is not None for name in facts)
        before = {} if said_before is None else _meaning(stream, said_before)
        for name in names:
            wanted = _changes(name, recorded)
            # What was said before the play is the beginning of the recorded course, or none of its business.
            first = [(-1, before)] if wanted and before.get(name) == wanted[0].value else []
            self._track(name, stream, wanted, _changes(name, [*first, *heard]), came)

    def _understood(self, stream: Stream, said: Exchange, index: int | None = None) -> Facts | None:
        """What a value means; None, and a difference, if nothing. ``index`` is that of a recorded one."""
        try:
            return stream.facts(said.value or b"")
        except ValueError as error:
            which = in_words(said) if index is None else f"exchange {index}, {in_words(said)}"
            at_ns = said.at_ns if index is None else self._due_ns(index) or 0
            text = f"different: {which}: not understood, {error}"
            self.differences.append(Difference("different", index, at_ns, text))
            return None

    def _track(
        self,
        name: str,
        stream: Stream,
        recorded: list[_Change],
        heard: list[_Change],
        came: list[Exchange],
    ) -> None:
        """Hold the course of one fact against the recorded one. What parts first is told; the rest follows from it."""
        grace_ns = (self.tolerance_ns or 0) + round((stream.period_s or 0.0) * 1e9)
        for was, now in zip(recorded, heard, strict=False):
            if was.value != now.value:
                self._other(name, was, now, came)
                return
            self._in_time(name, was, now, came, grace_ns)
        if len(recorded) > len(heard):
            self._never(name, recorded[len(heard)], heard, grace_ns)
        elif len(heard) > len(recorded):
            extra = heard[len(recorded)]
            if came[extra.at].at_ns < self.end_ns - grace_ns:
                text = (
                    f"extra: {in_words(came[extra.at])}: {name} is {extra.value}, recorded {_last(recorded)} to the end"
                )
                self.differences.append(Difference("extra", None, came[extra.at].at_ns, text))

    def _other(self, name: str, was: _Change, now: _Change, came: list[Exchange]) -> None:
        at_ns = came[now.at].at_ns if now.at >= 0 else 0
        text = (
            f"different from exchange {was.at}, {in_words(self.exchanges[was.at])}, recorded at "
            f"{seconds_text(self.exchanges[was.at].at_ns)}: {name} is {now.value}, recorded {was.value}"
        )
        self.differences.append(Difference("different", was.at, at_ns, text))

    def _never(self, name: str, was: _Change, heard: list[_Change], grace_ns: int) -> None:
        due_ns = self._due_ns(was.at)
        if due_ns is not None and due_ns > self.end_ns - grace_ns:
            return  # the device may have been about to say it
        text = (
            f"missing: exchange {was.at}, {in_words(self.exchanges[was.at])}, recorded at "
            f"{seconds_text(self.exchanges[was.at].at_ns)}: {name} is never {was.value}, it stays {_last(heard)}"
        )
        self.differences.append(Difference("missing", was.at, due_ns or 0, text))

    def _in_time(self, name: str, was: _Change, now: _Change, came: list[Exchange], grace_ns: int) -> None:
        due_ns = self._due_ns(was.at)
        if due_ns is None or self.tolerance_ns is None or now.at < 0:
            return
        by_ns = came[now.at].at_ns - due_ns
        if by_ns > grace_ns:
            found = late(was.at, self.exchanges[was.at], by_ns, came[now.at].at_ns, said=f"{name} is {was.value}")
            self.differences.append(found)

    def _due_ns(self, index: int) -> int | None:
        """When a value was due: as long after the app's exchange before it as recorded; None where nothing was played.

        In the times of the recording: a device is not hurried by gaps that are left out.
        """
        before = next((one for one in range(index - 1, -1, -1) if one in self.when), None)
        if before is None:
            return None
        return self.when[before] + self.exchanges[index].at_ns - self.exchanges[before].at_ns

    # ---- how often --------------------------------------------------------------------------------------------------

    def _rate(self, place: Place, period_s: float, indices: list[int], came: list[Exchange]) -> None:
        expected = self._expected(period_s, indices)
        allowed = max(RATE_LEAST, round(RATE_SHARE * expected))
        if abs(len(came) - expected) <= allowed:
            return
        kind: DifferenceKind = "missing" if len(came) < expected else "extra"
        text = (
            f"{kind}: device notifies {place_text(place)}: {len(came):,} values came and {expected:,} are recorded, "
            f"one every {period_s * 1000:g} ms; {allowed} more or fewer would do"
        )
        self.differences.append(Difference(kind, None, self.end_ns, text))

    def _expected(self, period_s: float, indices: list[int]) -> int:
        """How many values a device sends in the time that the play takes: gaps may be left out, or shortened."""
        expected = 1.0 if indices else 0.0
        for first, second in pairwise(indices):
            gap_s = (self.exchanges[second].at_ns - self.exchanges[first].at_ns) / 1e9
            paced_s = self.schedule.between_ns(first, second) / 1e9
            shorter = paced_s < gap_s - 1e-9
            expected += min(1.0, paced_s / period_s) if gap_s < _SILENCE * period_s and shorter else 1.0
        return round(expected)


def _meaning(stream: Stream, value: bytes) -> Facts:
    try:
        return stream.facts(value)
    except ValueError:
        return {}


def _changes(name: str, values: Sequence[tuple[int, Facts | None]]) -> list[_Change]:
    found: list[_Change] = []
    for at, facts in values:
        if facts is not None and name in facts and (not found or found[-1].value != facts[name]):
            found.append(_Change(facts[name], at))
    return found


def _last(changes: Sequence[_Change]) -> str:
    return changes[-1].value if changes else "unknown"
