"""The samples that files give together: captures, transcripts and JSON reports of replays, one by one or in folders.

Knows which kind of file a file is, by its content. Refuses to know how each is measured (:mod:`rig.timing.measure`) and
what samples are held against (:mod:`rig.timing.baseline`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from rig.commands.faults import RigError, UsageError
from rig.folders import files_in
from rig.report.files import is_report, read_report
from rig.report.model import figures, many, quantile
from rig.timing.measure import STANDARD, joined, samples_of

if TYPE_CHECKING:
    from protocols.registry import Registry
    from rig.capture.handle_map import HandleMap

Kind = Literal["capture", "transcript", "report"]

_HEADS: Final = ("measurement", "samples", "median", "p99", "unit")


@dataclass(frozen=True, slots=True)
class Gathered:
    """Samples, and what they were taken from."""

    samples: Mapping[str, Sequence[float]]
    """Measurement name to its samples in the measurement's unit, finite numbers all; names in the standard order."""
    files: Mapping[str, Kind] = field(default_factory=dict)
    """Every file, in the order of reading."""
    odd: int = 0
    """How many samples were no finite numbers, and are left out."""

    @property
    def told(self) -> str:
        """What it was taken from, in words: ``2 captures and 1 report``."""
        kinds = list(self.files.values())
        counts = {kind: kinds.count(kind) for kind in ("capture", "transcript", "report")}
        parts = [many(count, kind) for kind, count in counts.items() if count]
        return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def gather(
    files: Sequence[str],
    *,
    link: int | None = None,
    handle_map: HandleMap | None = None,
    protocol: str | None = None,
    registry: Registry | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Gathered:
    """Take every standard measurement of every file, all samples of a measurement together.

    Args:
        files: captures, transcripts, JSON reports of ``rig replay``, and folders of them, of which every file that is
            one of these is taken. A report gives the samples of its replays; those of its comparisons are the same.
        link: of captures this link alone, by its number.
        handle_map: of captures, what their handles mean.
        protocol: key of the protocol spoken in captures and transcripts; None: as they tell.
        registry: the protocols there are; None: the built-in and the installed ones.
        progress: told after each file how many are read, and how many there are.

    Raises:
        UsageError: nothing is named, a folder has nothing in it, there is no such protocol, or standard input (``-``)
            is not alone.
        RigError: a file cannot be read, or nothing was measured in any.
        CaptureError: a capture is damaged.
    """
    if "-" in files and len(files) > 1:
        raise UsageError("`-` is one capture, on standard input; name it alone")
    paths = files_in(files, _is_source, "capture, transcript or report")
    kinds: dict[str, Kind] = {}
    found: list[Mapping[str, Sequence[float]]] = []
    for done, path in enumerate(paths, 1):
        kinds[path] = _kind(path)
        if kinds[path] == "report":
            found.extend(samples_of(outcome) for outcome in read_report(path).outcomes)
        else:
            found.append(_measured(path, link, handle_map, protocol, registry))
        if progress is not None:
            progress(done, len(paths))
    everything = joined(found)
    samples = {name: [value for value in values if math.isfinite(value)] for name, values in everything.items()}
    samples = {name: values for name, values in samples.items() if values}
    odd = sum(map(len, everything.values())) - sum(map(len, samples.values()))
    gathered = Gathered(samples, kinds, odd)
    if not samples:
        what = (
            f"{many(odd, 'sample')}, none a finite number" if odd else "no write, notification or read that has a time"
        )
        where = paths[0] if len(paths) == 1 else gathered.told
        raise RigError(f"{where}: nothing was measured: {what}; give recordings in which app and device talk")
    return gathered


def table(gathered: Gathered) -> Iterator[str]:
    """What was measured, line by line: a row a measurement with its count, median, 99th percentile and unit."""
    rows: list[tuple[str, ...]] = [_HEADS]
    for name, values in gathered.samples.items():
        unit = STANDARD[name].unit if name in STANDARD else ""
        told = [figures(quantile(values, share) or 0.0) for share in (0.5, 0.99)]
        rows.append((name.replace("_", " "), f"{len(values):,}", *told, unit))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    for row in rows:
        name, *numbers, unit = (
            cell.ljust(width) if column in {0, len(_HEADS) - 1} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join([name, *numbers, unit]).rstrip()
    if gathered.odd:
        yield f"{many(gathered.odd, 'sample')} without a finite value left out"


def _is_source(path: Path) -> bool:
    from rig.replay.corpus import is_recording  # noqa: PLC0415 - for folders alone

    return is_report(path) or is_recording(path)


def _kind(path: str) -> Kind:
    from rig.replay.transcript import is_transcript  # noqa: PLC0415 - as above

    if path == "-":
        return "capture"
    return "report" if is_report(path) else "transcript" if is_transcript(path) else "capture"


def _measured(
    path: str, link: int | None, handle_map: HandleMap | None, protocol: str | None, registry: Registry | None
) -> dict[str, list[float]]:
    from protocols.registry import UnknownProtocolError  # noqa: PLC0415 - a report needs no protocol
    from rig.capture.events import ProtocolChoiceError  # noqa: PLC0415 - as above

    try:
        return samples_of(path, link=link, handle_map=handle_map, protocol=protocol, registry=registry)
    except (UnknownProtocolError, ProtocolChoiceError) as error:
        if protocol is not None:
            raise UsageError(str(error)) from error
        raise RigError(f"{path}: it says that it speaks a protocol that is not there: {error}") from error
