"""The words of a replay: exchanges, how they differ, the recorded one that comes nearest, the conversation as a diff.

All roles draw on it, so that the same mistake reads the same in each. Refuses to decide what is a mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rig.replay.exchanges import Exchange, Place
from rig.replay.outcome import Difference, Line
from rig.replay.transcript import error_name, place_text

MAX_SHOWN_OCTETS: Final = 24
"""Of a longer value, as many are shown, and how long it is."""
MAX_BYTES_NAMED: Final = 3
"""How many differing bytes are named one by one."""

_VERBS: Final = {
    "connect": "connects",
    "disconnect": "ends the link",
    "read": "reads",
    "write": "writes",
    "write_command": "writes without response",
    "subscribe": "subscribes to",
    "unsubscribe": "unsubscribes from",
    "notification": "notifies",
    "indication": "indicates",
}
_ALIKE: Final = (
    frozenset({"write", "write_command"}),
    frozenset({"notification", "indication"}),
    frozenset({"subscribe", "unsubscribe"}),
)

# How far apart two exchanges are: a value may be wrong in every byte and still be nearer than another attribute's.
_OTHER_SIDE: Final = 12.0
_OTHER_DOING: Final = 6.0
_LIKE_DOING: Final = 1.0
_OTHER_CHARACTERISTIC: Final = 3.0
_OTHER_DETAIL_OF_PLACE: Final = 1.0
_OTHER_VALUE: Final = 2.0
_OTHER_ERROR: Final = 0.5


# --- one exchange -----------------------------------------------------------------------------------------------------


def value_text(value: bytes) -> str:
    """The bytes in hex, ``55 aa 06``; of a long value its beginning and its length; ``no bytes`` for an empty one."""
    if not value:
        return "no bytes"
    if len(value) <= MAX_SHOWN_OCTETS:
        return value.hex(" ")
    return f"{value[:MAX_SHOWN_OCTETS].hex(' ')} … ({len(value)} bytes)"


def in_words(exchange: Exchange) -> str:
    """What was done, by whom, to what: ``app writes ffe0/ffe1: 55 aa 06``. Without time and answer's delay."""
    text = f"{exchange.by} {_VERBS[exchange.does]}"
    if exchange.to is not None:
        text += f" {place_text(exchange.to)}"
    if exchange.value is not None:
        text += f": {value_text(exchange.value)}"
    return text if exchange.error is None else f"{text} (refused: {error_name(exchange.error)})"


def meaning(heard: Sequence[str], told: Sequence[str]) -> str:
    """What was made of an exchange, in one: what the listener heard, and what the machine said beyond that."""
    known = {f"acknowledged {text.removesuffix(': acknowledged')}" for text in heard}
    return "; ".join(dict.fromkeys((*heard, *(text for text in told if text not in known))))


def seconds_text(nanoseconds: int) -> str:
    """A time for people: seconds with three decimals."""
    return f"{nanoseconds / 1e9:.3f} s"


def milliseconds_text(nanoseconds: int) -> str:
    """A short duration for people: milliseconds with one decimal."""
    return f"{nanoseconds / 1e6:.1f} ms"


# --- how two differ ---------------------------------------------------------------------------------------------------


def value_difference(recorded: bytes, came: bytes) -> str:
    """How two values differ, in words; bytes are counted from 0. Empty when they do not.

    ``byte 6 is 03, recorded 06``; ``the last 2 bytes are missing (10 bytes, recorded 12)``.
    """
    if recorded == came:
        return ""
    if len(recorded) == len(came):
        where = [at for at in range(len(came)) if came[at] != recorded[at]]
        if len(where) <= MAX_BYTES_NAMED:
            return ", ".join(f"byte {at} is {came[at]:02x}, recorded {recorded[at]:02x}" for at in where)
        return f"{len(where)} of {len(came)} bytes differ, the first is byte {where[0]}"
    lengths = f"({len(came)} byte{_s(len(came))}, recorded {len(recorded)})"
    shorter = min(len(recorded), len(came))
    many = abs(len(recorded) - len(came))
    what = "missing" if len(came) < len(recorded) else "too many"
    if recorded[:shorter] == came[:shorter]:
        return f"the last {many} byte{_s(many)} {'is' if many == 1 else 'are'} {what} {lengths}"
    if recorded[len(recorded) - shorter :] == came[len(came) - shorter :]:
        return f"the first {many} byte{_s(many)} {'is' if many == 1 else 'are'} {what} {lengths}"
    first = next(at for at in range(shorter) if recorded[at] != came[at])
    return f"{many} byte{_s(many)} {what} {lengths}, the first that differs is byte {first}"


def how_different(recorded: Exchange, came: Exchange) -> str:
    """How ``came`` differs from ``recorded``, in words, times left aside; empty when it does not."""
    parts = []
    if recorded.by != came.by:
        parts.append(f"done by the {came.by}, recorded by the {recorded.by}")
    if recorded.does != came.does:
        parts.append(f"it {_VERBS[came.does]}, recorded {_VERBS[recorded.does]}")
    if recorded.to != came.to:
        parts.append(f"at {_place_or_none(came.to)}, recorded at {_place_or_none(recorded.to)}")
    if recorded.value is not None and came.value is not None:
        parts.append(value_difference(recorded.value, came.value))
    elif recorded.value != came.value:
        without = "without a value, recorded with one" if came.value is None else "with a value, recorded without one"
        parts.append(without)
    if recorded.error != came.error:
        parts.append(f"{_fate(came.error)}, recorded {_fate(recorded.error)}")
    return "; ".join(part for part in parts if part)


def same(recorded: Exchange, came: Exchange) -> bool:
    """Whether the two are the same but for their times."""
    return (
        recorded.value == came.value
        and recorded.does == came.does
        and recorded.to == came.to
        and recorded.by == came.by
        and recorded.error == came.error
    )


def distance(recorded: Exchange, came: Exchange) -> float:
    """How far apart two exchanges are, from 0.0 for the same one; times are left aside. Any unit: for ranking alone."""
    far = 0.0
    if recorded.by != came.by:
        far += _OTHER_SIDE
    if recorded.does != came.does:
        alike = any(recorded.does in family and came.does in family for family in _ALIKE)
        far += _LIKE_DOING if alike else _OTHER_DOING
    if recorded.to != came.to:
        there, here = recorded.to, came.to
        same_uuid = there is not None and here is not None and there.characteristic == here.characteristic
        far += _OTHER_DETAIL_OF_PLACE if same_uuid else _OTHER_CHARACTERISTIC
    if recorded.error != came.error:
        far += _OTHER_ERROR
    return far + _OTHER_VALUE * _share_of_bytes(recorded.value, came.value)


@dataclass(frozen=True, slots=True)
class Nearest:
    """The recorded exchange that comes nearest to one that happened."""

    index: int
    """Its place in the transcript, from 0."""
    exchange: Exchange
    how: str
    """How what happened differs from it, in words; empty when it does not but for its place or time."""

    @property
    def text(self) -> str:
        """A clause for the end of a sentence: which one it is, and how what happened differs from it."""
        which = f"exchange {self.index}, {in_words(self.exchange)}, at {seconds_text(self.exchange.at_ns)}"
        return f"the nearest recorded is {which}" + (f": {self.how}" if self.how else ", which is the same")


def nearest(
    exchange: Exchange, candidates: Iterable[tuple[int, Exchange]], *, expected: int | None = None
) -> Nearest | None:
    """The recorded exchange that comes nearest to what happened, and how it differs, in words.

    Args:
        exchange: what happened.
        candidates: recorded exchanges with their index, such as ``enumerate(transcript.exchanges)``.
        expected: index that was due; of two as near, the one closer to it is taken (None: the earlier one).

    Returns:
        None when there is no candidate, or none of the same side.
    """
    best: tuple[float, int, int, Exchange] | None = None
    for index, candidate in candidates:
        if candidate.by != exchange.by:
            continue
        rank = (distance(candidate, exchange), abs(index - (expected or 0)), index)
        if best is None or rank < best[:3]:
            best = (*rank, candidate)
    return None if best is None else Nearest(best[2], best[3], how_different(best[3], exchange))


# --- differences as sentences -----------------------------------------------------------------------------------------


def unrecorded(came: Exchange, at_ns: int, near: Nearest | None, *, said: str = "") -> Difference:
    """Something happened that is not recorded, or not here. ``near`` is what :func:`nearest` found."""
    meaning = f" ({said})" if said else ""
    rest = "nothing like it is recorded" if near is None else near.text
    return Difference(
        "extra",
        None if near is None else near.index,
        at_ns,
        f"extra: {in_words(came)}{meaning}; {rest} ({seconds_text(at_ns)} into the replay)",
    )


def missing(index: int, recorded: Exchange, at_ns: int, *, said: str = "") -> Difference:
    """Something recorded did not happen when it was due. ``said`` is the protocol's word for it."""
    return Difference("missing", index, at_ns, f"missing: {_which(index, recorded, said)}")


def left_over(index: int, recorded: Exchange, at_ns: int, *, said: str = "") -> Difference:
    """The replay is over and this was never played."""
    return Difference("left over", index, at_ns, f"left over at the end: {_which(index, recorded, said)}")


def different(index: int, recorded: Exchange, came: Exchange, at_ns: int, *, said: str = "") -> Difference:
    """Something else came in place of what is recorded; the sentence names the bytes."""
    how = how_different(recorded, came) or "the same at another place"
    return Difference("different", index, at_ns, f"different from {_which(index, recorded, said)}: {how}")


def swapped(first: int, early: Exchange, second: int, late: Exchange, at_ns: int) -> Difference:
    """Two changed places: ``late``, recorded after ``early``, came before it."""
    text = (
        f"swapped: exchange {second}, {in_words(late)}, came before exchange {first}, {in_words(early)}; "
        "recorded the other way round"
    )
    return Difference("different", first, at_ns, text)


def late(
    index: int, recorded: Exchange, by_ns: int, at_ns: int, *, said: str = "", took: tuple[int, int] | None = None
) -> Difference:
    """Something came later than recorded by ``by_ns``, a positive number of nanoseconds.

    ``took`` is how long it took now and in the recording, in nanoseconds since what it answers.
    """
    text = f"late by {milliseconds_text(by_ns)}: {_which(index, recorded, said)}"
    if took is not None:
        text += f"; it took {milliseconds_text(took[0])}, recorded {milliseconds_text(took[1])}"
    return Difference("late", index, at_ns, text)


# --- the conversation -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Conversation:
    """The conversation as a diff, line by line as it happens.

    ``says`` is what the protocol makes of recorded exchanges, by index, where one listened in; it ends their lines.
    """

    says: Mapping[int, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def happened(self, index: int, recorded: Exchange, at_ns: int) -> None:
        """It happened as recorded."""
        self.lines.append(Line(" ", at_ns, self._text(index, recorded)))

    def missing(self, index: int, recorded: Exchange, at_ns: int) -> None:
        """It is recorded and did not happen."""
        self.lines.append(Line("-", at_ns, self._text(index, recorded)))

    def unrecorded(self, came: Exchange, at_ns: int, *, said: str = "") -> None:
        """It happened and is not recorded."""
        self.lines.append(Line("+", at_ns, in_words(came) + (f"  # {said}" if said else "")))

    def different(self, index: int, recorded: Exchange, came: Exchange, at_ns: int, *, said: str = "") -> None:
        """This came in place of what is recorded: two lines, and a third that says how they differ."""
        self.missing(index, recorded, at_ns)
        self.unrecorded(came, at_ns, said=said)
        self.note(how_different(recorded, came), at_ns)

    def note(self, text: str, at_ns: int) -> None:
        """Say something about the line before."""
        if text:
            self.lines.append(Line("!", at_ns, text))

    def _text(self, index: int, recorded: Exchange) -> str:
        said = self.says.get(index, "")
        return in_words(recorded) + (f"  # {said}" if said else "")


def line_text(line: Line) -> str:
    """A line of the conversation for a terminal: mark, time and text."""
    return f"{line.mark} {line.at_ns / 1e9:10.3f}  {line.text}"


# --- details ----------------------------------------------------------------------------------------------------------


def _share_of_bytes(recorded: bytes | None, came: bytes | None) -> float:
    """The share of bytes that differ, 0.0 to 1.0, what is alike at both ends taken off. Linear in the lengths."""
    if recorded == came:
        return 0.0
    if recorded is None or came is None:
        return 1.0
    longer, shorter = max(len(recorded), len(came)), min(len(recorded), len(came))
    if len(recorded) == len(came):
        return sum(a != b for a, b in zip(recorded, came, strict=True)) / longer
    head = next((at for at in range(shorter) if recorded[at] != came[at]), shorter)
    tail = next((at for at in range(shorter - head) if recorded[-1 - at] != came[-1 - at]), shorter - head)
    return (longer - head - tail) / longer


def _which(index: int, recorded: Exchange, said: str) -> str:
    meaning = f" ({said})" if said else ""
    return f"exchange {index}, {in_words(recorded)}{meaning}, recorded at {seconds_text(recorded.at_ns)}"


def _place_or_none(place: Place | None) -> str:
    return "no attribute" if place is None else place_text(place)


def _fate(error: int | None) -> str:
    return "accepted" if error is None else f"refused ({error_name(error)})"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
