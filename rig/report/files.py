"""Reports as files: which form a path asks for, written as a whole, and read again.

Knows suffixes and files. Refuses to know what a report says: each form has a module of its own.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

from rig.commands.faults import RigError, UsageError
from rig.report.model import Report

FORMS: Final = ".html, .xml (JUnit) or .json"
"""What a report may be, as errors and help say it."""

_LOOKED_AT: Final = 256  # octets
_BEGINNING: Final = re.compile(rb'\s*\{\s*"report"\s*:')


def check_report_paths(paths: Iterable[str]) -> None:
    """Make sure that reports can be written to ``paths``, before anything is played that they shall be of.

    Raises:
        UsageError: a path has a suffix that is no form of a report, is there twice, is a folder, or is in a folder that
            does not exist or cannot be written to.
    """
    seen: set[str] = set()
    for path in paths:
        _form(path)
        target = os.path.realpath(path)
        if target in seen:
            raise UsageError(f"--report {path}: is there twice; name each report once")
        seen.add(target)
        if Path(path).is_dir():
            raise UsageError(f"--report {path}: is a folder; name a file in it")
        _check_folder(path)


def write_report(report: Report, path: str) -> None:
    """Write ``report`` in the form that the suffix of ``path`` asks for; a file that is there is replaced as a whole.

    Raises:
        UsageError: there is no such form.
        RigError: the file cannot be written; what was there before is as it was.
    """
    text = _form(path)(report)
    target = Path(path)
    beside = target.with_name(target.name + ".new")
    try:
        # the line ends are the text's own, on every system: the same report gives the same bytes
        beside.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
        beside.replace(target)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise RigError(f"{path}: cannot be written: {error.strerror or error}") from error


def is_report(path: str | Path) -> bool:
    """Whether a file begins as a report in JSON does; False for what cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return _BEGINNING.match(file.read(_LOOKED_AT)) is not None
    except OSError:
        return False


def read_report(path: str) -> Report:
    """Read a report that was written as JSON.

    Raises:
        ReportError: the file cannot be read, is no report, or one of a newer version.
    """
    from rig.report.data import ReportError, loads  # noqa: PLC0415 - whoever only writes HTML needs no JSON

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        return loads(data, path)
    except RecursionError as error:
        raise ReportError(f"{path}: a report that cannot be read: it is nested too deeply; write it again") from error


def _check_folder(path: str) -> None:
    folder = Path(path).parent
    try:
        # permissions alone do not tell: file systems are mounted read-only, and root may do what cannot be done
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        said = f"--report {path}: nothing can be written to the folder {str(folder)!r}: {error.strerror or error}"
        raise UsageError(f"{said}; make it, or name another") from error


def _form(path: str) -> Callable[[Report], str]:
    form = _FORMS.get(Path(path).suffix.lower())
    if form is None:
        raise UsageError(f"--report {path}: its name does not say what to write; let it end with {FORMS}")
    return form


def _html(report: Report) -> str:
    from rig.report.html import page  # noqa: PLC0415 - one form of three

    return page(report)


def _junit(report: Report) -> str:
    from rig.report.junit import dumps  # noqa: PLC0415 - as above

    return dumps(report)


def _json(report: Report) -> str:
    from rig.report.data import dumps  # noqa: PLC0415 - as above

    return dumps(report)


_FORMS: Final[Mapping[str, Callable[[Report], str]]] = MappingProxyType(
    {".html": _html, ".xml": _junit, ".json": _json}
)
