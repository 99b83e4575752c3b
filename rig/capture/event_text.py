"""What app and device said, as text: TSV, JSON and JSON lines for programs, a table for eyes.

Knows columns. Refuses to know protocols: :mod:`rig.capture.events` asks them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final

from rig.capture.text import aligned, date, octets, printable, seconds

if TYPE_CHECKING:
    from rig.capture.events import DeviceEvent

COLUMNS: Final = (
    *("frame", "time", "link", "protocol", "by", "kind", "name", "data", "reason", "latency_s"),
    *("uuid", "handle", "raw", "text"),
)
HEADINGS: Final = ("frame", "time", "link", "protocol", "by", "octets", "what")
_RIGHT: Final = frozenset({"frame", "time", "link"})


def cells(event: DeviceEvent, *, ascii_only: bool) -> dict[str, str]:
    """The event by :data:`COLUMNS`, each as JSON; what is not known or does not apply is ``null``."""
    fields = event.as_json()
    if event.latency_s is not None:
        fields["latency_s"] = round(event.latency_s, 9)  # a capture's times are no finer
    return {
        name: seconds(event.time_ns)
        if name == "time"
        else json.dumps(None if fields[name] == "" else fields[name], ensure_ascii=ascii_only, default=str)
        for name in COLUMNS
    }


def json_object(event: DeviceEvent) -> str:
    """The event as a JSON object with the columns as keys; what is not known or does not apply is null."""
    pairs = (f'"{name}": {cell}' for name, cell in cells(event, ascii_only=True).items())
    return f"{{{', '.join(pairs)}}}"


def tsv(events: Iterable[DeviceEvent]) -> Iterator[str]:
    """A header and one line an event; ``data`` is a JSON object, and what is not known is empty."""
    yield "\t".join(COLUMNS) + "\n"
    for event in events:
        yield "\t".join(_bare(cell) for cell in cells(event, ascii_only=False).values()) + "\n"


def _bare(cell: str) -> str:
    """A cell without JSON's quotes; escapes stay, so that a tab or a line end in a text never parts a row."""
    if cell in {"null", "{}"}:
        return ""
    return printable(cell[1:-1].replace('\\"', '"') if cell.startswith('"') else cell)


def table(events: Iterable[DeviceEvent], width: int | None = None, *, live: bool = False) -> Iterator[str]:
    """The events for eyes: the date once, times relative to the first event, what was said as a sentence."""
    events = iter(events)
    first = next(events, None)
    if first is None:
        return
    yield f"times are seconds since {date(first.time_ns)}\n\n"
    shown = (
        (
            str(event.frame),
            seconds(event.time_ns - first.time_ns)[:-3],
            str(event.link),
            event.protocol,
            event.by,
            octets(event.raw),
            event.text,
        )
        for event in chain((first,), events)
    )
    yield from aligned(HEADINGS, shown, _RIGHT, width, live=live)
