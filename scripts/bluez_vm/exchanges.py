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


def of_journal(entries: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Said]:
    """Return what the journal says of output: kind and data of its entries, in order."""
    said = []
    for kind, data in entries:
        if kind != "intensity" or data.get("state") not in ("asked", "acknowledged"):
            continue
        command = str(data["command"])
        value = data["mode"] if command == "mode" else data["percent"] if command == "level" else None
        said.append(Said("host" if data["state"] == "asked" else "device", _NAMES[command], value))
    return said


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


def difference(journal: Sequence[Said], capture: Sequence[Said], *, cut_short: bool = False) -> str | None:
    """Return in words where the capture lacks or adds something, None where both tell the same.

    What the journal has must be in the capture, in order. The capture may have stops beyond that: those of the
    handshake, repeated ones, and the ones that let go. ``cut_short``: the app was killed or lost its link; the last
    thing asked, which is kept before it is sent, may not have gone out, and the last things said may not have been
    kept.
    """
    seen = list(capture)
    position = 0
    for index, wanted in enumerate(journal):
        at = position
        while at < len(seen) and not wanted.is_same(seen[at]):
            if not _REPEATABLE.issuperset(seen[at].names):
                break
            at += 1
        if at < len(seen) and wanted.is_same(seen[at]):
            position = at + 1
            continue
        if cut_short and index == len(journal) - 1 and wanted.by == "host" and position == len(seen):
            continue
        found = str(seen[at]) if at < len(seen) else "nothing"
        return f"entry {index + 1} of the journal is \u201c{wanted}\u201d, the capture has {found} there"
    rest = [one for one in seen[position:] if not _REPEATABLE.issuperset(one.names)]
    if rest and not (cut_short and len(rest) <= 1):
        return f"the capture goes on with {rest[0]}, of which the journal does not know"
    return None
