"""``rig baseline``: the timing of recordings and replays kept, and later ones held against what was kept.

Knows which options go together, and what is printed and written. Refuses to know how anything is measured
(:mod:`rig.timing.sources`) and compared (:mod:`rig.timing.baseline`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rig.commands.faults import FINISHED, UsageError
from rig.commands.reading import bar, loaded_map, not_typed

if TYPE_CHECKING:
    from rig.timing.baseline import Baseline
    from rig.timing.sources import Gathered


def save(
    baseline: str,
    files: Sequence[str],
    *,
    notes: Sequence[str] = (),
    seed: int = 0,
    link: int | None = None,
    map: str | None = None,  # noqa: A002 - the option's name
    protocol: str | None = None,
) -> int:
    """Keep the timing of ``files`` in the file ``baseline``, and print what was kept.

    Raises:
        UsageError: a note is none, or ``baseline`` is something else already.
        RigError: a file cannot be read or written, or nothing was measured.
        CaptureError: a capture is damaged.
    """
    meta = _meta(notes)
    _spare(baseline)
    from rig.timing.baseline import save as keep  # noqa: PLC0415 - once the line is known to be right
    from rig.timing.sources import table  # noqa: PLC0415 - as above

    gathered = _gathered(files, link, map, protocol)
    kept = keep(baseline, gathered.samples, meta, seed=seed)
    lines = [f"From {gathered.told}", "", *table(gathered), "", *_kept_in_words(baseline, kept)]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return FINISHED


def compare(
    baseline: str,
    files: Sequence[str],
    *,
    false_alarm: float | None = None,
    minimum_effect: float | None = None,
    reports: Sequence[str] = (),
    link: int | None = None,
    map: str | None = None,  # noqa: A002 - the option's name
    protocol: str | None = None,
) -> int:
    """Hold the timing of ``files`` against ``baseline``; print and write the report, and return its exit code.

    Raises:
        UsageError: a report cannot be written where it is wanted.
        RigError: a file cannot be read or written, is no baseline, or nothing was measured.
        CaptureError: a capture is damaged.
    """
    from rig.report.files import check_report_paths  # noqa: PLC0415 - as above

    check_report_paths(reports)
    from rig.commands.reporting import print_and_write  # noqa: PLC0415 - as above
    from rig.report.model import Report  # noqa: PLC0415 - as above
    from rig.timing.baseline import FALSE_ALARM, MINIMUM_EFFECT, load  # noqa: PLC0415 - as above
    from rig.timing.baseline import compare as hold_against  # noqa: PLC0415 - as above

    kept = load(baseline)
    gathered = _gathered(files, link, map, protocol)
    comparisons = hold_against(
        kept,
        gathered.samples,
        false_alarm=FALSE_ALARM if false_alarm is None else false_alarm,
        minimum_effect=MINIMUM_EFFECT if minimum_effect is None else minimum_effect,
    )
    report = Report(f"{Path(baseline).name} and {gathered.told}", (), comparisons)
    print_and_write(report, reports, before=_what(baseline, kept, gathered))
    return report.exit_code


def _gathered(files: Sequence[str], link: int | None, map_file: str | None, protocol: str | None) -> Gathered:
    for file in files:
        not_typed(file)
    from rig.timing.sources import gather  # noqa: PLC0415 - as above

    handle_map = loaded_map(map_file)
    with bar(told=_files) as progress:
        return gather(files, link=link, handle_map=handle_map, protocol=protocol, progress=progress)


def _files(done: int, total: int | None) -> str:
    return f"{done:,} of {total:,} files" if total is not None else f"{done:,} files"


def _meta(notes: Sequence[str]) -> dict[str, str]:
    meta: dict[str, str] = {}
    for note in notes:
        key, equals, value = note.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--note {note}: has to be KEY=VALUE, as firmware=2.1")
        if key.strip() in meta:
            raise UsageError(f"--note {note}: {key.strip()} is there twice; leave one")
        meta[key.strip()] = value.strip()
    return meta


def _spare(path: str) -> None:
    """Write over nothing but a baseline: whoever forgets to name one names a recording first.

    Raises:
        UsageError: the file is there, and is none.
    """
    if not Path(path).exists():
        return
    from rig.timing.baseline import is_baseline  # noqa: PLC0415 - as above

    if not is_baseline(path):
        raise UsageError(f"{path}: is there already and is no baseline; name the baseline first, then what it is of")


def _kept_in_words(path: str, kept: Baseline) -> Iterator[str]:
    from rig.report.model import many  # noqa: PLC0415 - as above
    from rig.timing.baseline import MOST_KEPT, THIN  # noqa: PLC0415 - as above

    cut = any(each.count > len(each.samples) for each in kept.measurements.values())
    most = f", at most {MOST_KEPT:,} samples of each" if cut else ""
    yield f"Kept {many(len(kept.measurements), 'measurement')} in {path}{most}"
    if thin := [name.replace("_", " ") for name, each in kept.measurements.items() if each.count < THIN]:
        yield f"Fewer than {THIN} samples, too few to tell a change by: {', '.join(thin)}; add recordings"


def _what(path: str, kept: Baseline, gathered: Gathered) -> Iterator[str]:
    from rig.capture.text import printable  # noqa: PLC0415 - notes are somebody's text

    notes = ", ".join(f"{key} {value}" for key, value in sorted(kept.meta.items()))
    yield printable(f"Baseline {path}{f' ({notes})' if notes else ''}, now {gathered.told}")
    if gathered.odd:
        yield f"{gathered.odd:,} samples without a finite value left out"
    yield ""
