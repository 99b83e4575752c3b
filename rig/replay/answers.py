"""What came of a replay as the app: what the device answered and pushed, against the recording, in words.

Judges once the play is over, so that one thing that went wrong is one difference. Refuses to know how it was played.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple

from rig.replay.alignment import align
from rig.replay.app import Done, Received
from rig.replay.conversation import (
    different,
    how_different,
    in_words,
    late,
    missing,
    nearest,
    seconds_text,
    swapped,
)
from rig.replay.exchanges import Exchange, Place, Transcript
from rig.replay.outcome import Difference, Line
from rig.replay.schedule import Schedule
from rig.replay.streams import KEEP_ALIVES, Compared, Streams

Order = Literal["strict", "by-characteristic"]
"""``strict``: what the device pushes comes in the recorded order. ``by-characteristic``: in order for each
characteristic."""

PUSHED: Final = frozenset({"notification", "indication"})


def _key(exchange: Exchange) -> Hashable:
    # A client is not told whether a value came by notification or by indication.
    return exchange.to, exchange.value


class _Happened(NamedTuple):
    """One thing that happened in the play."""

    at_ns: int
    order: tuple[int, int]
    """Which comes first at one instant."""
    exchange: int | None
    """Which recorded exchange it is."""
    came: Exchange


@dataclass(slots=True)
class Answers:
    """Collects while a player plays; :meth:`judge` then fills ``differences`` and ``lines``.

    Args:
        transcript: what is played.
        order: what has to be in order.
        tolerance_ns: how much longer than recorded an answer may take, and a pushed value after what was before it;
            None: as long as it likes.
        origin_ns: the loop's time at which the play began.
        streams: what the device says by itself, which is compared by what it means and how often.
        schedule: when each exchange was due, for the streams; None: as recorded.
        said_before: what each place said last before the play began, for the streams.
    """

    transcript: Transcript
    order: Order
    tolerance_ns: int | None
    origin_ns: int
    streams: Streams = field(default_factory=Streams)
    schedule: Schedule | None = None
    said_before: Mapping[Place, bytes] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    played: list[Exchange] = field(default_factory=list)
    """What happened, in order and in replay time: an exchange each, with how long its answer took."""
    _done: dict[int, Done] = field(default_factory=dict)
    _received: list[Received] = field(default_factory=list)

    def done(self, done: Done) -> None:
        """Take an exchange of the app that was played."""
        self._done[done.index] = done

    def received(self, received: Received) -> None:
        """Take a value that the device pushed."""
        self._received.append(received)

    # ---- judging ----------------------------------------------------------------------------------------------------

    def judge(self, limit: int, *, whole: bool = True) -> None:
        """Compare everything up to exchange ``limit``, which is where the play ended; the rest never had its turn.

        Args:
            limit: where it ended.
            whole: whether it went on to its end, without waiting for something in vain.
        """
        happened: list[_Happened] = []
        for index, done in self._done.items():
            came = self._came(done)
            happened.append(_Happened(self._time(done.at_ns), (index, 0), index, came))
            self._judge_answer(index, done, came)
        fates = self._align_pushed(limit)
        latest = (-1, -1)  # what came last before, and when
        for position, received in enumerate(self._received):
            came = self._pushed(position)
            fate = fates.get(position)
            # at one instant the recorded order holds: an app may write at the very moment of an answer
            place = len(self.transcript.exchanges) if fate is None else fate
            if self.streams.has(came):
                place = latest[0] if latest[1] == received.at_ns else -1
            else:
                latest = (place, received.at_ns)
            happened.append(_Happened(self._time(received.at_ns), (place, position), fate, came))
        happened.sort(key=lambda item: item[:2])
        self.played = [one.came for one in happened]
        self._judge_times(happened)
        self._judge_streams(happened, limit, whole=whole)
        self.differences.sort(key=lambda difference: difference.at_ns)
        self._tell(happened, limit)

    def _judge_answer(self, index: int, done: Done, came: Exchange) -> None:
        recorded = self.transcript.exchanges[index]
        at_ns = came.at_ns + (done.answered_ns or 0)
        if self._how_different(recorded, came):
            self.differences.append(different(index, recorded, came, at_ns))
        if self.tolerance_ns is None or done.answered_ns is None or recorded.answered_ns is None:
            return
        by_ns = done.answered_ns - recorded.answered_ns
        if by_ns > self.tolerance_ns:
            took = (done.answered_ns, recorded.answered_ns)
            self.differences.append(late(index, recorded, by_ns, at_ns, took=took))

    def _align_pushed(self, limit: int) -> dict[int, int]:
        """Lay what was pushed beside what is recorded; which recorded exchange each received value is."""
        exchanges = self.transcript.exchanges
        recorded: dict[Hashable, list[int]] = {}
        for index, exchange in enumerate(exchanges[:limit]):
            if exchange.by == "device" and exchange.does in PUSHED and not self.streams.has(exchange):
                recorded.setdefault(self._lane(exchange), []).append(index)
        received: dict[Hashable, list[int]] = {}
        for position in range(len(self._received)):
            if self.streams.has(self._pushed(position)):
                continue
            received.setdefault(self._lane(self._pushed(position)), []).append(position)
        fates: dict[int, int] = {}
        for lane in recorded | received:
            indices, positions = recorded.get(lane, []), received.get(lane, [])
            found = align([exchanges[i] for i in indices], [self._pushed(p) for p in positions], _key)
            too_soon = {r for r, p in found.changed.items() if self._is_before_its_prompt(positions[p], indices[r])}
            for r, p in (found.same | found.changed | found.moved).items():
                if r not in too_soon:
                    fates[positions[p]] = indices[r]
            for r, p in found.changed.items():
                if r in too_soon:
                    self._tell_extra(self._pushed(positions[p]))
                    continue
                came = self._pushed(positions[p], like=exchanges[indices[r]])
                self.differences.append(different(indices[r], exchanges[indices[r]], came, came.at_ns))
            for r, p in found.moved.items():
                other = found.partner_of(r)
                first, second = sorted((indices[r], indices[r if other is None else other]))
                at_ns = self._pushed(positions[p]).at_ns
                self.differences.append(swapped(first, exchanges[first], second, exchanges[second], at_ns))
            for p in found.extra:
                self._tell_extra(self._pushed(positions[p]))
            for r in found.missing:
                due_ns = self._due_of(indices[r])
                self.differences.append(missing(indices[r], exchanges[indices[r]], due_ns))
        return fates

    def _is_before_its_prompt(self, position: int, index: int) -> bool:
        """Whether a value came before the app did what the recorded one follows: then it is another one.

        A player that counted it as that one goes on too early, and the real one may never have its turn.
        """
        before = next((one for one in range(index - 1, -1, -1) if one in self._done), None)
        return before is not None and self._received[position].at_ns < self._done[before].at_ns

    def _tell_extra(self, came: Exchange) -> None:
        pushed = ((i, e) for i, e in enumerate(self.transcript.exchanges) if e.does in PUSHED)
        near = nearest(came, ((i, e) for i, e in pushed if not self.streams.has(e)))
        rest = "nothing like it is recorded" if near is None else near.text
        text = f"extra: {in_words(came)}; {rest} ({seconds_text(came.at_ns)} into the replay)"
        self.differences.append(Difference("extra", None if near is None else near.index, came.at_ns, text))

    def _judge_times(self, happened: Sequence[_Happened]) -> None:
        """What the device pushed too early, before the app had done what it followed, or too late after it."""
        when = {index: at_ns for at_ns, _, index, _ in happened if index is not None}
        exchanges = self.transcript.exchanges
        for at_ns, _, index, came in happened:
            if index is None or came.by == "app" or index == 0:
                continue
            place = self.streams.before(exchanges, index)
            before, recorded = exchanges[place], exchanges[index]
            reference = when.get(place)
            if reference is None or before.does == "connect":
                continue
            took_ns, recorded_ns = at_ns - reference, recorded.at_ns - before.at_ns
            if took_ns < 0 and before.by == "app" and self._lane(before) == self._lane(recorded):
                self.differences.append(swapped(place, before, index, recorded, at_ns))
            elif self.tolerance_ns is not None and took_ns - recorded_ns > self.tolerance_ns:
                took = (took_ns, recorded_ns)
                self.differences.append(late(index, recorded, took_ns - recorded_ns, at_ns, took=took))

    def _judge_streams(self, happened: Sequence[_Happened], limit: int, *, whole: bool) -> None:
        came = [one.came for one in happened if self.streams.has(one.came)]
        exchanges = self.transcript.exchanges
        schedule = self.schedule or Schedule.of(self.transcript)
        when = {one.exchange: one.at_ns for one in happened if one.exchange is not None and one.came.by == "app"}
        end_ns = happened[-1].at_ns if happened else 0
        compared = Compared(self.streams, exchanges, schedule, when, self.tolerance_ns, end_ns)
        compared.judge(came, limit, self.said_before, whole=whole)
        self.differences += compared.differences

    # ---- telling ------------------------------------------------------------------------------------------------

    def _tell(self, happened: Sequence[_Happened], limit: int) -> None:
        """Write the conversation: what happened in its order, what did not where it was due."""
        exchanges = self.transcript.exchanges
        seen = {index for _, _, index, _ in happened if index is not None}
        untold = [i for i in range(min(limit, len(exchanges))) if i not in seen and exchanges[i].by == "device"]
        untold = [i for i in untold if exchanges[i].does in PUSHED and not self.streams.has(exchanges[i])]
        for at_ns, _, index, came in happened:
            while index is not None and untold and untold[0] < index:
                self.lines.append(Line("-", at_ns, in_words(exchanges[untold.pop(0)])))
            if index is None:
                self.lines.append(Line(" " if self.streams.has(came) else "+", at_ns, in_words(came)))
                continue
            recorded = exchanges[index]
            how = self._how_different(recorded, replace(came, does=recorded.does))
            if not how:
                self.lines.append(Line(" ", at_ns, in_words(recorded)))
                continue
            self.lines.append(Line("-", at_ns, in_words(recorded)))
            self.lines.append(Line("+", at_ns, in_words(replace(came, does=recorded.does))))
            self.lines.append(Line("!", at_ns, how))
        end_ns = self.lines[-1].at_ns if self.lines else 0
        self.lines += [Line("-", end_ns, in_words(exchanges[index])) for index in untold]

    # ---- inside -------------------------------------------------------------------------------------------------

    def _how_different(self, recorded: Exchange, came: Exchange) -> str:
        """How they differ, in words; a value that was read of a stream by what it means."""
        meant = self.streams.how_different(recorded, came) if recorded.error == came.error else None
        return how_different(recorded, came) if meant is None else meant

    def _lane(self, exchange: Exchange) -> Hashable:
        if self.streams.keeps_alive(exchange):
            return KEEP_ALIVES
        return exchange.to if self.order == "by-characteristic" else None

    def _time(self, at_ns: int) -> int:
        return max(0, at_ns - self.origin_ns)

    def _due_of(self, index: int) -> int:
        """When something was due that did not come: after what came last before it."""
        before = [i for i in self._done if i < index]
        if not before:
            return 0
        last = max(before)
        gap_ns = self.transcript.exchanges[index].at_ns - self.transcript.exchanges[last].at_ns
        return self._time(self._done[last].at_ns) + gap_ns

    def _came(self, done: Done) -> Exchange:
        recorded = self.transcript.exchanges[done.index]
        value = done.value if recorded.does == "read" else recorded.value
        at_ns = self._time(done.at_ns)
        return replace(recorded, at_ns=at_ns, value=value, answered_ns=done.answered_ns, error=done.error)

    def _pushed(self, position: int, *, like: Exchange | None = None) -> Exchange:
        received = self._received[position]
        does = "notification" if like is None else like.does
        return Exchange(self._time(received.at_ns), "device", does, received.place, received.value)
