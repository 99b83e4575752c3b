"""What every command with a report does with it: prints it as the terminal has room for, and writes it where asked.

Knows terminals and options. Refuses to know what a report says.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from itertools import dropwhile
from typing import TYPE_CHECKING, Final

from rig.commands.reading import columns

if TYPE_CHECKING:
    from rig.report.model import Report

_WIDTH: Final = 96  # of a report that is not read on a terminal


def print_and_write(report: Report, paths: Sequence[str], *, before: Iterable[str] = ()) -> None:
    """Print ``report``, after the lines of ``before``, and write it to ``paths``.

    Raises:
        RigError: a file cannot be written.
        OSError: the output cannot be printed; the files are written all the same.
    """
    from rig.report.text import lines  # noqa: PLC0415 - once there is something to print

    found = dropwhile(lambda line: not line, lines(report, width=columns() or _WIDTH, colour=_is_coloured()))
    try:
        sys.stdout.writelines(f"{line}\n" for line in (*before, *found))
        sys.stdout.flush()
    finally:  # whoever reads the terminal may have left; whoever reads the files has not
        _write(report, paths)


def _is_coloured() -> bool:
    """Colour is for terminals, and for those who have not said no (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _write(report: Report, paths: Sequence[str]) -> None:
    if not paths:
        return
    from rig.report.files import write_report  # noqa: PLC0415 - few command lines ask for it

    for path in paths:
        write_report(report, path)
