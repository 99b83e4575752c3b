"""What recordings have reached of a protocol: its states, its transitions, its commands and its events, as a table.

Counts what it is told. Refuses to know any protocol: what there is to reach is its :class:`protocols.machine.Extent`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

from protocols.machine import Extent
from protocols.model import Command, Event
from protocols.registry import ProtocolEntry

Kind = Literal["state", "transition", "command", "event"]
KINDS: tuple[Kind, ...] = ("state", "transition", "command", "event")


class Row(NamedTuple):
    """One thing there is to reach, and how often it was."""

    kind: Kind
    name: str
    """A state, ``ready → running``, or a command's or an event's name in lower_snake_case."""
    times: int
    """0: never reached."""
    known: bool = True
    """False where it was reached and the protocol does not list it: its :class:`Extent` is wrong."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What recordings of one protocol have reached."""

    protocol: str
    """Key of the protocol."""
    rows: tuple[Row, ...]
    """In the protocol's order, kind by kind; then what it does not list."""
    complete: bool
    """False where the protocol does not say what there is to reach: ``rows`` are then only what was reached."""

    def share(self, kind: Kind) -> float | None:
        """The share of what there is that was reached, 0.0 to 1.0; None where that is not known, or is nothing."""
        listed = [row for row in self.rows if row.kind == kind and row.known]
        if not self.complete or not listed:
            return None
        return sum(row.times > 0 for row in listed) / len(listed)

    @property
    def unreached(self) -> tuple[Row, ...]:
        """What was never reached."""
        return tuple(row for row in self.rows if not row.times)

    def as_json(self) -> dict[str, object]:
        """JSON-ready: per kind the names with how often each was reached, and the shares reached."""
        return {
            "protocol": self.protocol,
            "complete": self.complete,
            "reached": {kind: {row.name: row.times for row in self.rows if row.kind == kind} for kind in KINDS},
            "share": {kind: self.share(kind) for kind in KINDS},
            "unlisted": [row.name for row in self.rows if not row.known],
        }

    def table(self) -> list[str]:
        """The whole as lines for a terminal: a heading with the share per kind, then each name and how often."""
        lines: list[str] = []
        width = max((len(row.name) for row in self.rows), default=0)
        for kind in KINDS:
            rows = [row for row in self.rows if row.kind == kind]
            if not rows:
                continue
            listed = [row for row in rows if row.known]
            reached = sum(row.times > 0 for row in listed)
            lines.append(f"{kind}s: {reached} of {len(listed)}" if self.complete else f"{kind}s: {len(rows)} reached")
            for row in rows:
                times = str(row.times) if row.times else "never"
                note = "" if row.known or not self.complete else "  (not listed by the protocol)"
                lines.append(f"  {row.name:{width}}  {times:>6}{note}")
        return lines


class Reached:
    """Counts what one replay reaches; several are put together by :func:`together`.

    Args:
        entry: the protocol; None where none is known, then nothing is counted as its own.
    """

    def __init__(self, entry: ProtocolEntry | None) -> None:
        self.protocol = "" if entry is None else entry.key
        self.extent = None if entry is None else entry.extent
        self.counts: dict[Kind, Counter[str]] = {kind: Counter() for kind in KINDS}
        self._state = ""

    def state(self, state: str) -> None:
        """The machine is in this state now; the same as before is no transition. Empty: it does not tell."""
        if state and state != self._state:
            self.counts["state"][state] += 1
            if self._state:
                self.counts["transition"][_arrow(self._state, state)] += 1
            self._state = state

    def command(self, command: Command) -> None:
        """The app gave this command."""
        self.counts["command"][name_of(type(command))] += 1

    def event(self, event: Event | Command) -> None:
        """The protocol told this event."""
        self.counts["event"][name_of(type(event))] += 1

    @property
    def coverage(self) -> Coverage:
        """What was reached so far, beside what there is."""
        return together([self])


def together(replays: Iterable[Reached]) -> Coverage:
    """What several replays of one protocol have reached.

    Raises:
        ValueError: they are of different protocols.
    """
    found = list(replays)
    keys = sorted({reached.protocol for reached in found})
    if len(keys) > 1:
        raise ValueError(f"coverage is counted for one protocol at a time, not for {', '.join(keys)} together")
    counts: dict[Kind, Counter[str]] = {kind: Counter() for kind in KINDS}
    for reached in found:
        for kind in KINDS:
            counts[kind].update(reached.counts[kind])
    extent = next((reached.extent for reached in found if reached.extent is not None), None)
    return Coverage(keys[0] if keys else "", _rows(extent, counts), extent is not None)


def merged(values: Iterable[dict[str, object]]) -> dict[str, object]:
    """Put together the ``coverage`` of several outcomes of one protocol, as :meth:`Coverage.as_json` makes them.

    For runs over several processes, where only outcomes come back.

    Raises:
        ValueError: they are of different protocols.
    """
    found = [value for value in values if value]
    keys = sorted({str(value["protocol"]) for value in found})
    if len(keys) > 1:
        raise ValueError(f"coverage is counted for one protocol at a time, not for {', '.join(keys)} together")
    if not found:
        return {}
    unlisted = list(dict.fromkeys(name for value in found for name in _names(value["unlisted"])))
    complete = all(bool(value["complete"]) for value in found)
    rows: list[Row] = []
    for kind in KINDS:
        counts: Counter[str] = Counter()
        for value in found:
            reached = value["reached"]
            if isinstance(reached, dict):
                for name, times in reached[kind].items():
                    counts[name] += times
        rows += [Row(kind, name, times, name not in unlisted) for name, times in counts.items()]
    return Coverage(keys[0], tuple(rows), complete).as_json()


def name_of(kind: type[Command | Event]) -> str:
    """The name of a command or an event in lower_snake_case, as ``rig decode --events`` has it."""
    return _snake(kind.__name__)


@cache
def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def _arrow(before: str, after: str) -> str:
    return f"{before} → {after}"


def _rows(extent: Extent | None, counts: dict[Kind, Counter[str]]) -> tuple[Row, ...]:
    listed: dict[Kind, tuple[str, ...]] = dict.fromkeys(KINDS, ())
    if extent is not None:
        listed = {
            "state": extent.states,
            "transition": tuple(_arrow(before, after) for before, after in extent.transitions),
            "command": tuple(name_of(command) for command in extent.commands),
            "event": tuple(name_of(event) for event in extent.events),
        }
    rows: list[Row] = []
    for kind in KINDS:
        rows += [Row(kind, name, counts[kind][name]) for name in listed[kind]]
        rows += [
            Row(kind, name, times, known=False)
            for name, times in sorted(counts[kind].items())
            if name not in listed[kind]
        ]
    return tuple(rows)
