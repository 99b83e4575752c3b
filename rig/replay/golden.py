"""Golden files of the decoder role: what was said and what the protocol made of it, one line an event, and comparing.

The file is a transcript's lines with ``heard`` and ``told`` added, so that a change in either reads well as a diff.
Refuses to know how the lines come about.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final, NamedTuple

from rig.replay import conversation
from rig.replay.alignment import Alignment, align
from rig.replay.conversation import Conversation, in_words, meaning, milliseconds_text
from rig.replay.exchanges import Exchange, Transcript
from rig.replay.outcome import Difference, Line
from rig.replay.transcript import TranscriptError, dumps, loads

VERSION: Final = 1
TOLERANCE_NS: Final = 20_000_000
"""By how much an event may come later or sooner than in the golden file: less than a person or a timeout notices, more
than a recording of the same thing on another day differs by."""

_TRANSCRIPT_HEADER: Final = '{"transcript": 1, "title": ""}'


class GoldenError(TranscriptError):
    """A golden file that cannot be had or used; in one line which, where, what is wrong, what to do."""


class Row(NamedTuple):
    """One line of a golden file."""

    at_ns: int
    exchange: Exchange | None
    """None for what the protocol said by itself, at a deadline."""
    heard: tuple[str, ...]
    """What the listener made of it, in words."""
    told: tuple[str, ...]
    """What the protocol's machine said, in words."""

    @property
    def meaning(self) -> str:
        """Both in one, for the end of a line."""
        return meaning(self.heard, self.told)


@dataclass(frozen=True, slots=True)
class Golden:
    """A golden file's content."""

    title: str
    protocol: str
    """Key of the protocol that made something of it, empty for none."""
    rows: tuple[Row, ...]


# --- the file ---------------------------------------------------------------------------------------------------------


def dumps_golden(golden: Golden) -> str:
    """The file's text; the same content always gives the same text."""
    exchanges = tuple(row.exchange for row in golden.rows if row.exchange is not None)
    said = iter(dumps(Transcript("", exchanges)).splitlines()[1:])
    header = {"golden": VERSION, "title": golden.title, "protocol": golden.protocol}
    lines = [json.dumps(header, ensure_ascii=False)]
    for row in golden.rows:
        meant = {key: list(texts) for key, texts in (("heard", row.heard), ("told", row.told)) if texts}
        rest = json.dumps(meant, ensure_ascii=False)[1:-1]
        if row.exchange is not None:
            line = next(said)
            lines.append(f"{line[:-1]}, {rest}}}" if rest else line)
        else:
            at = f"{row.at_ns // 1_000_000_000}.{row.at_ns % 1_000_000_000:09d}"
            lines.append(f'{{"at": {at}, "by": "protocol", {rest}}}')
    return "\n".join(lines) + "\n"


def loads_golden(text: str, name: str = "golden file") -> Golden:
    """Read a golden file's text.

    Raises:
        GoldenError: it is none, or one of a version that this program cannot read. Of a faulty exchange the message
            names the line and the field, as :func:`rig.replay.transcript.loads` does.
    """
    header: dict[str, object] | None = None
    said: list[str] = []
    meant: list[tuple[int | None, tuple[str, ...], tuple[str, ...]]] = []  # time of what the protocol said by itself
    for number, line in enumerate(text.split("\n"), 1):
        fields = _fields(line, f"{name}, line {number}")
        if fields is None:
            said.append("")
        elif header is None:
            header = _header(fields, f"{name}, line {number}")
            said.append(_TRANSCRIPT_HEADER)
        else:
            where = f"{name}, line {number}"
            heard, told = _texts(fields, "heard", where), _texts(fields, "told", where)
            at_ns = _time_of_its_own(fields, where) if fields.get("by") == "protocol" else None
            meant.append((at_ns, heard, told))
            said.append("" if at_ns is not None else _dump(fields))
    if header is None:
        raise GoldenError(f"{name}: is empty; write it with --update")
    exchanges = iter(loads("\n".join(said), name).exchanges)
    rows = []
    for at_ns, heard, told in meant:
        if at_ns is not None:
            rows.append(Row(at_ns, None, heard, told))
        else:
            exchange = next(exchanges)
            rows.append(Row(exchange.at_ns, exchange, heard, told))
    return Golden(str(header.get("title", "")), str(header.get("protocol", "")), tuple(rows))


def load_golden(path: str | Path) -> Golden:
    """Read a golden file.

    Raises:
        GoldenError: it cannot be read or used.
    """
    try:
        text = Path(path).read_text("utf-8")
    except FileNotFoundError as error:
        raise GoldenError(f"{path}: there is no golden file yet; write it with --update") from error
    except OSError as error:
        raise GoldenError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise GoldenError(f"{path}: is no golden file: byte {error.start} is not UTF-8 text") from error
    return loads_golden(text, str(path))


def save_golden(golden: Golden, path: str | Path) -> None:
    """Write a golden file.

    Raises:
        GoldenError: it cannot be written.
    """
    try:
        Path(path).write_text(dumps_golden(golden), "utf-8", newline="\n")
    except OSError as error:
        raise GoldenError(f"{path}: cannot be written: {error.strerror or error}") from error


class _Number(str):
    """A number as it is written: times are exact to the nanosecond, which a float is not."""

    __slots__ = ()


_DECODER: Final = json.JSONDecoder(parse_float=_Number, parse_int=_Number)


def _fields(line: str, where: str) -> dict[str, object] | None:
    if not line.strip():
        return None
    try:
        fields = _DECODER.decode(line.strip())
    except (json.JSONDecodeError, RecursionError) as error:
        raise GoldenError(f"{where}: is not JSON ({error}); write it again with --update") from error
    if not isinstance(fields, dict):
        raise GoldenError(f"{where}: is not a JSON object; write it again with --update")
    return fields


def _header(fields: dict[str, object], where: str) -> dict[str, object]:
    version = fields.get("golden")
    if not isinstance(version, _Number):
        raise GoldenError(f"{where}: is no golden file: its first line has no field `golden` with the version")
    if version != str(VERSION):
        raise GoldenError(f"{where}: golden: version {version} is not the one this program reads, {VERSION}; --update")
    return fields


def _texts(fields: dict[str, object], key: str, where: str) -> tuple[str, ...]:
    """Take out a list of texts."""
    value = fields.pop(key, [])
    if not isinstance(value, list) or not all(type(item) is str for item in value):
        raise GoldenError(f"{where}: {key}: is not a list of texts")
    return tuple(value)


def _time_of_its_own(fields: dict[str, object], where: str) -> int:
    if set(fields) != {"at", "by"} or not isinstance(fields["at"], _Number):
        raise GoldenError(f"{where}: what the protocol said has a time `at`, and `told`, and nothing else")
    try:
        return (
            loads(f'{_TRANSCRIPT_HEADER}\n{{"at": {fields["at"]}, "by": "app", "does": "connect"}}').exchanges[0].at_ns
        )
    except TranscriptError as error:
        raise GoldenError(f"{where}: at: {fields['at']} is not a time in seconds") from error


def _dump(fields: dict[str, object]) -> str:
    parts = (
        f"{json.dumps(key)}: {value if isinstance(value, _Number) else json.dumps(value)}"
        for key, value in fields.items()
    )
    return "{" + ", ".join(parts) + "}"


# --- comparing --------------------------------------------------------------------------------------------------------


class Comparison(NamedTuple):
    """What came of laying a replay beside a golden file."""

    differences: list[Difference]
    """In order of time; ``index`` counts the golden file's exchanges."""
    conversation: list[Line]
    """The exchanges up to and with the first difference, as a diff; all of them where there is none."""


def compare(golden: Sequence[Row], replayed: Sequence[Row], *, tolerance_ns: int = TOLERANCE_NS) -> Comparison:
    """Lay what was replayed beside the golden file.

    First the exchanges: changed, missing, swapped and extra ones. Then what the protocol made of those that are the
    same, up to the first that is not: from there on it is expected to say something else. Then the times. A time is
    right when it is shifted against the golden file's by as much as the exchange before it, so one delay that all that
    follows shares is told once; and when it is shifted by as much as before that delay, so that one late event is one.

    Args:
        golden: as it should be.
        replayed: as it was.
        tolerance_ns: by how much a time may differ from that, in nanoseconds.
    """
    return _Comparing(golden, replayed, tolerance_ns).result()


class _Comparing:
    def __init__(self, golden: Sequence[Row], replayed: Sequence[Row], tolerance_ns: int) -> None:
        self._golden, self._replayed = golden, replayed
        self._tolerance_ns = tolerance_ns
        self._wanted = [(row, row.exchange) for row in golden if row.exchange is not None]
        self._came = [(row, row.exchange) for row in replayed if row.exchange is not None]
        self._fit: Alignment = align([one for _, one in self._wanted], [one for _, one in self._came], _key)
        self._differences: list[tuple[int, Difference]] = []  # with the position that it has in the golden file
        self._until: dict[int, int] = {}  # of what changed places, the later position

    def result(self) -> Comparison:
        self._exchanges()
        first = min((at for at, _ in self._differences), default=len(self._wanted))
        self._meanings(first)
        self._times()
        self._differences.sort(key=lambda item: item[0])
        return Comparison([difference for _, difference in self._differences], self._conversation())

    # --- what was said ------------------------------------------------------------------------------------------------

    def _exchanges(self) -> None:
        fit, wanted, came = self._fit, self._wanted, self._came
        for at, played in fit.changed.items():
            (row, recorded), (now, exchange) = wanted[at], came[played]
            if conversation.same(recorded, exchange):
                self._differences.append((at, _other_answer(at, row, recorded, exchange)))
                continue
            difference = conversation.different(at, recorded, exchange, exchange.at_ns, said=row.meaning)
            if now.meaning != row.meaning:
                read = f'{difference.text}; read as "{now.meaning or "nothing"}"'
                difference = Difference(difference.kind, difference.index, difference.at_ns, read)
            self._differences.append((at, difference))
        paired: set[int] = set()
        for at, played in fit.moved.items():
            other = fit.partner_of(at)
            if other is None or other in paired:
                other = at
            paired.add(at)
            first, second = min(at, other), max(at, other)
            difference = conversation.swapped(first, wanted[first][1], second, wanted[second][1], came[played][1].at_ns)
            self._until[first] = second
            self._differences.append((first, difference))
        for at in fit.missing:
            row, recorded = wanted[at]
            self._differences.append((at, conversation.missing(at, recorded, recorded.at_ns, said=row.meaning)))
        for played in fit.extra:
            row, exchange = came[played]
            at = self._where(played)
            near = conversation.nearest(exchange, ((i, one) for i, (_, one) in enumerate(wanted)), expected=at)
            self._differences.append((at, conversation.unrecorded(exchange, exchange.at_ns, near, said=row.meaning)))

    def _where(self, played: int) -> int:
        """Before which exchange of the golden file an extra one came."""
        partners = sorted((p, at) for at, p in (*self._fit.same.items(), *self._fit.changed.items()))
        before = bisect_right(partners, (played, len(self._wanted)))
        return partners[before - 1][1] + 1 if before else 0

    # --- what was made of it ------------------------------------------------------------------------------------------

    def _meanings(self, first: int) -> None:
        for at, played in sorted(self._fit.same.items()):
            if at >= first:
                break
            (row, recorded), (now, exchange) = self._wanted[at], self._came[played]
            if (row.heard, row.told) != (now.heard, now.told):
                text = (
                    f"different: exchange {at}, {in_words(recorded)}, at {conversation.seconds_text(recorded.at_ns)}: "
                    f'the protocol makes "{now.meaning or "nothing"}" of it, in the golden file '
                    f'"{row.meaning or "nothing"}"'
                )
                self._differences.append((at, Difference("different", at, exchange.at_ns, text)))
        if first == len(self._wanted):
            self._deadlines()

    def _deadlines(self) -> None:
        """What the protocol said by itself, where all that was said to it is as in the golden file."""
        wanted = [row for row in self._golden if row.exchange is None]
        came = [row for row in self._replayed if row.exchange is None]
        matcher = SequenceMatcher(None, [row.told for row in wanted], [row.told for row in came], autojunk=False)
        starts = [exchange.at_ns for _, exchange in self._wanted]
        for tag, first, last, came_first, came_last in matcher.get_opcodes():
            if tag == "equal":
                continue
            for row in wanted[first:last]:
                self._differences.append((bisect_right(starts, row.at_ns), _unsaid(row)))
            for row in came[came_first:came_last]:
                self._differences.append((bisect_right(starts, row.at_ns), _said_by_itself(row)))

    # --- when ---------------------------------------------------------------------------------------------------------

    def _times(self) -> None:
        settled = before = 0
        for at, played in sorted((*self._fit.same.items(), *self._fit.changed.items())):
            if any(first <= at <= second for first, second in self._until.items()):
                continue  # out of its turn, which is said already
            (row, recorded), (_, exchange) = self._wanted[at], self._came[played]
            shift = exchange.at_ns - recorded.at_ns
            if abs(shift - before) <= self._tolerance_ns:
                settled = shift
            elif abs(shift - settled) > self._tolerance_ns:
                self._shifted(at, row, recorded, played, shift - settled)
            before = shift
            self._answer(at, row, recorded, exchange)

    def _shifted(self, at: int, row: Row, recorded: Exchange, played: int, by_ns: int) -> None:
        now_ns = self._came[played][1].at_ns
        if by_ns < 0:
            text = (
                f"sooner by {milliseconds_text(-by_ns)} than in the golden file: exchange {at}, {in_words(recorded)}"
                f"{_in_brackets(row)}, recorded at {conversation.seconds_text(recorded.at_ns)}"
            )
            self._differences.append((at, Difference("different", at, now_ns, text)))
            return
        took = None
        if recorded.by == "device":
            since, now_since = _last_by_app(self._wanted, at), _last_by_app(self._came, played)
            if since is not None and now_since is not None:
                took = (now_ns - now_since, recorded.at_ns - since)
        self._differences.append((at, conversation.late(at, recorded, by_ns, now_ns, said=row.meaning, took=took)))

    def _answer(self, at: int, row: Row, recorded: Exchange, exchange: Exchange) -> None:
        """How long the answer to a request took."""
        if recorded.answered_ns is None or exchange.answered_ns is None:
            return
        by_ns = exchange.answered_ns - recorded.answered_ns
        if by_ns > self._tolerance_ns:
            took = (exchange.answered_ns, recorded.answered_ns)
            late = conversation.late(at, recorded, by_ns, exchange.at_ns, said=row.meaning, took=took)
            self._differences.append((at, late))

    # --- the conversation ---------------------------------------------------------------------------------------------

    def _conversation(self) -> list[Line]:
        fit, wanted, came = self._fit, self._wanted, self._came
        talk = Conversation({at: row.meaning for at, (row, _) in enumerate(wanted) if row.meaning})
        first = self._differences[0] if self._differences else None
        until = len(wanted) if first is None else self._until.get(first[0], first[0])
        extras: dict[int, list[int]] = {}
        for played in sorted((*fit.extra, *fit.moved.values())):
            extras.setdefault(self._where(played), []).append(played)
        for at in range(len(wanted) + 1):
            for played in extras.get(at, ()):
                row, exchange = came[played]
                talk.unrecorded(exchange, exchange.at_ns, said=row.meaning)
            if at < len(wanted) and at <= until:
                self._line(talk, at)
            if at > until or (at == until and not self._ends_later(at, extras)):
                break
        if first is not None:
            talk.note(first[1].text, talk.lines[-1].at_ns if talk.lines else 0)
        return talk.lines

    def _ends_later(self, at: int, extras: dict[int, list[int]]) -> bool:
        """Whether what changed places with this one was played right after it."""
        return (
            any(played in extras.get(at + 1, ()) for played in self._fit.moved.values()) and at in self._until.values()
        )

    def _line(self, talk: Conversation, at: int) -> None:
        recorded = self._wanted[at][1]
        if at in self._fit.same:
            talk.happened(at, recorded, self._came[self._fit.same[at]][1].at_ns)
        elif at in self._fit.changed:
            row, exchange = self._came[self._fit.changed[at]]
            talk.different(at, recorded, exchange, exchange.at_ns, said=row.meaning)
        else:
            talk.missing(at, recorded, recorded.at_ns)


def _key(exchange: Exchange) -> tuple[object, ...]:
    return (
        exchange.by,
        exchange.does,
        exchange.to,
        exchange.value,
        exchange.error,
        exchange.answered_ns is None,
    )


def _other_answer(at: int, row: Row, recorded: Exchange, exchange: Exchange) -> Difference:
    """The same request, answered in one and never answered in the other."""
    which = f"exchange {at}, {in_words(recorded)}{_in_brackets(row)}"
    when = f"recorded at {conversation.seconds_text(recorded.at_ns)}"
    if exchange.answered_ns is None:
        return Difference("missing", at, exchange.at_ns, f"missing: the answer to {which}, {when}")
    text = f"extra: an answer to {which}, {when} without one"
    return Difference("extra", at, exchange.at_ns, text)


def _unsaid(row: Row) -> Difference:
    text = f'missing: at {conversation.seconds_text(row.at_ns)} the protocol said "{row.meaning}" in the golden file'
    return Difference("missing", None, row.at_ns, text)


def _said_by_itself(row: Row) -> Difference:
    text = f'extra: at {conversation.seconds_text(row.at_ns)} the protocol says "{row.meaning}", unlike the golden file'
    return Difference("extra", None, row.at_ns, text)


def _last_by_app(rows: Sequence[tuple[Row, Exchange]], before: int) -> int | None:
    return next((rows[at][1].at_ns for at in range(before - 1, -1, -1) if rows[at][1].by == "app"), None)


def _in_brackets(row: Row) -> str:
    return f" ({row.meaning})" if row.meaning else ""
