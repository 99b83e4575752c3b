"""Whether a capture of the radio holds what the app's journal says was said to the device, in that order.

Knows journal entries and the lines of ``rig decode --events --format jsonl`` for a Dr-05. Refuses to know files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NAMES: Mapping[str, tuple[str, ...]] = {
    "mode": ("select_mode",),
    "level": ("set_intensity",),
    "start": ("start_output",),
    # The session stops the output; where it lets go of the device it stops everything.
    "stop": ("stop_output", "total_stop"),
}
_VALUE = {"mode": "mode", "level": "percent"}
_OUTPUT = frozenset(name for names in _NAMES.values() for name in names)
_REPEATABLE = frozenset(_NAMES["stop"])


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that was said: by whom (``host`` or ``device``), the names it may go by, its value if it has one."""

    by: str
    names: tuple[str, ...]
    value: int | None = None

    def is_same(self, other: Said) -> bool:
        """Whether both say the same."""
        return self.by == other.by and self.value == other.value and not set(self.names).isdisjoint(other.names)

    def __str__(self) -> str:
        value = "" if self.value is None else f" {self.value}"
        return f"{'the app' if self.by == 'host' else 'the device'}: {'/'.join(self.names)}{value}"


@dataclass(frozen=True, slots=True)
class Account:
    """What a journal says was said, in order.

    ``unsent`` are indexes of what may not have gone out: it was kept before it was sent, and then the app was killed or
    the link lost. ``unheard`` is what the device may have said without its being kept: the answer that a stop, the end
    of the link or that of the app overtook.
    """

    said: tuple[Said, ...]
    unsent: frozenset[int] = frozenset()
    unheard: tuple[Said, ...] = ()


def of_journal(entries: Iterable[tuple[str, Mapping[str, Any]]]) -> Account:
    """Return what the journal says of output: kind and data of its entries, in order."""
    said: list[Said] = []
    unsent: set[int] = set()
    unheard: list[Said] = []
    waiting: Said | None = None  # the answer that is due

    def overtaken(*, perhaps_unsent: bool) -> None:
        nonlocal waiting
        if waiting is not None:
            unheard.append(waiting)
            if perhaps_unsent:
                unsent.add(len(said) - 1)
        waiting = None

    finished = False
    for kind, data in entries:
        match kind, data.get("state"):
            case "intensity", "asked" | "acknowledged" as state:
                command = str(data["command"])
                value = data[_VALUE[command]] if command in _VALUE else None
                by = "host" if state == "asked" else "device"
                if by == "host":
                    overtaken(perhaps_unsent=False)  # given up: the answer may come yet
                said.append(Said(by, _NAMES[command], value))
                waiting = Said("device", _NAMES[command], value) if by == "host" else None
            case "stopping", _:
                overtaken(perhaps_unsent=False)
                said.append(Said("host", _NAMES["stop"]))
            case "stopped", _ if data.get("confirmed_by") == "the device":
                said.append(Said("device", _NAMES["stop"]))
            case "link_lost", _:
                overtaken(perhaps_unsent=True)
            case "finished", _:
                finished = True
    if not finished:
        overtaken(perhaps_unsent=True)
    return Account(tuple(said), frozenset(unsent), tuple(unheard))


def of_capture(lines: Iterable[Mapping[str, Any]], begin: float, end: float) -> list[Said]:
    """Return what the capture has of output from ``begin`` to ``end`` (Unix time, seconds), of decoded lines."""
    said = []
    for line in lines:
        name = str(line["name"])
        spoken = {("host", "command"): "host", ("device", "acknowledged"): "device"}.get((line["by"], line["kind"]))
        if spoken is None or name not in _OUTPUT or not begin <= float(line["time"]) <= end:
            continue
        key = {"select_mode": "mode", "set_intensity": "percent"}.get(name)
        said.append(Said(spoken, (name,), line["data"].get(key) if key else None))
    return said


def difference(journal: Account, capture: Sequence[Said]) -> str | None:
    """Return in words where the capture lacks or adds something, None where both tell the same.

    What the journal has must be in the capture, in order, but for what may not have gone out. The capture may have
    stops beyond that (those of the handshake, repeated ones, and the ones that let go), and what may not have been
    kept.
    """
    unheard = list(journal.unheard)
    position = 0

    def passed_over(one: Said) -> bool:
        if _REPEATABLE.issuperset(one.names):
            return True
        for other in unheard:
            if one.is_same(other):
                unheard.remove(other)
                return True
        return False

    for index, wanted in enumerate(journal.said):
        at, spare = position, list(unheard)
        while at < len(capture) and not wanted.is_same(capture[at]) and passed_over(capture[at]):
            at += 1
        if at < len(capture) and wanted.is_same(capture[at]):
            position = at + 1
        elif index in journal.unsent:
            unheard = spare
        else:
            found = str(capture[at]) if at < len(capture) else "nothing"
            return f"entry {index + 1} of the journal is \u201c{wanted}\u201d, the capture has {found} there"
    rest = next((one for one in capture[position:] if not passed_over(one)), None)
    return None if rest is None else f"the capture has {rest}, of which the journal does not know"
