"""``rig report``: JSON reports put together as one, printed, and written in other forms.

Knows which reports are put together, and what tells what is in them apart. Refuses to know what they say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rig.report.model import Report


def report(files: Sequence[str], *, reports: Sequence[str] = (), title: str | None = None) -> int:
    """Print the reports in ``files`` as one, write it where it is wanted, and return its exit code.

    Raises:
        UsageError: no report is named, or one cannot be written where it is wanted.
        RigError: a file cannot be read or written, or is no report.
    """
    from rig.report.files import check_report_paths, is_report, read_report  # noqa: PLC0415 - what this command needs

    check_report_paths(reports)
    from rig.commands.reporting import print_and_write  # noqa: PLC0415 - as above
    from rig.folders import files_in  # noqa: PLC0415 - as above

    read = {path: read_report(path) for path in files_in(files, is_report, "report in JSON")}
    whole = merged(read, title)
    print_and_write(whole, reports)
    return whole.exit_code


def merged(reports: Mapping[str, Report], title: str | None = None) -> Report:
    """Return the reports of several files as one.

    What several of them have under the same name (a recording that was played again) is told apart by its file; what
    only one has is called as it is there.

    Args:
        reports: file to what is in it.
        title: of the whole; None: that of the one report, or how many there are.
    """
    from rig.report.model import Report  # noqa: PLC0415 - as above

    played = Counter(key for one in reports.values() for key in {(each.role, each.title) for each in one.outcomes})
    compared = Counter(key for one in reports.values() for key in {(type(each), each.name) for each in one.comparisons})
    outcomes = [
        replace(each, title=f"{each.title} [{path}]") if played[each.role, each.title] > 1 else each
        for path, one in reports.items()
        for each in one.outcomes
    ]
    comparisons = [
        replace(each, name=f"{each.name} [{path}]") if compared[type(each), each.name] > 1 else each
        for path, one in reports.items()
        for each in one.comparisons
    ]
    if title is None:
        title = next(iter(reports.values())).title if len(reports) == 1 else f"{len(reports):,} reports"
    left_out = [each for one in reports.values() for each in one.left_out]
    subjects = {one.subject for one in reports.values() if one.comparisons}
    subject = subjects.pop() if len(subjects) == 1 else "timing"
    return Report(title, outcomes, comparisons, left_out, subject)
