"""Which files are meant where a command line names files and folders of them: those of a kind, by their content.

Refuses to know the kinds: whoever asks says how to tell.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rig.commands.faults import RigError, UsageError

STANDARD_INPUT: Final = "-"


def files_in(files: Sequence[str], is_wanted: Callable[[Path], bool], wanted: str) -> list[str]:
    """Return the files that ``files`` name: files as they are, of folders those that are wanted.

    Folders are searched with all that is below them, in the order of names; what begins with a dot is left out, and so
    is what is no file. A file that is named twice is there once.

    Args:
        files: files and folders, ``-`` for standard input.
        is_wanted: looks at a file of a folder.
        wanted: what is looked for, for errors: ``recording``.

    Raises:
        UsageError: nothing is named, or a folder has nothing in it that is wanted.
        RigError: there is no such file, or a folder cannot be read.
    """
    if not files:
        raise UsageError(f"FILE is missing: name a {wanted}, or a folder of them")
    found: dict[str, str] = {}
    for file in files:
        for path in _named(file, is_wanted, wanted):
            found.setdefault(os.path.abspath(path), path)  # noqa: PTH100 - links stay what they are called
    return list(found.values())


def _named(file: str, is_wanted: Callable[[Path], bool], wanted: str) -> list[str]:
    path = Path(file)
    if path.is_dir():
        found = [str(one) for one in sorted(_below(path)) if is_wanted(one)]
        if not found:
            raise UsageError(f"{file}: there is no {wanted} in this folder, by the content of its files; name another")
        return found
    if file != STANDARD_INPUT and not os.path.lexists(file):
        raise RigError(f"{file}: no such file or folder; check the name")
    return [file]


def _below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise RigError(f"{error.filename}: the folder cannot be read: {error.strerror or error}") from error

    for at, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        # a pipe or a device would be waited for
        yield from (one for name in names if not name.startswith(".") and (one := Path(at, name)).is_file())
