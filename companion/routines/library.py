"""The routines there are: those that come with the app, and the person's own, by name.

Reads folders and nothing else. A file of the person's own goes before one of the app's with the same name.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from companion.routines.model import Routine, RoutineError, load

PACKAGED = Path(__file__).with_name("library")
"""The routines that come with the app. They are plain files in the wheel, which is always installed unpacked."""


class UnknownRoutineError(Exception):
    """No routine has that name. One line, with the nearest name."""


class Library:
    """Routines by name, from the packaged folder and ``folders`` (the person's own, the last one wins).

    A routine's name is its file's name without ``.toml``. A folder that is not there counts as empty. Nothing is read
    before it is asked for, so that one broken file never hides the others.
    """

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._folders = (PACKAGED, *folders)

    def names(self) -> list[str]:
        """Return the names there are, in alphabetical order."""
        return sorted(self._files())

    def get(self, name: str) -> Routine:
        """Return the routine called ``name``.

        Raises:
            UnknownRoutineError: there is none.
            RoutineError: its file is not a valid routine, or calls itself something else.
        """
        path = self.path(name)
        routine = load(path)
        if routine.name != name:
            raise RoutineError(
                path.name, f'the routine calls itself "{routine.name}"', f'say name = "{name}"', field="name"
            )
        return routine

    def path(self, name: str) -> Path:
        """Return the file of the routine called ``name``, right or wrong.

        Raises:
            UnknownRoutineError: there is none.
        """
        files = self._files()
        if name not in files:
            close = difflib.get_close_matches(name, files, n=1)
            advice = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(sorted(files))}"
            raise UnknownRoutineError(f'there is no routine "{name}"; {advice}')
        return files[name]

    def _files(self) -> dict[str, Path]:
        return {path.stem: path for folder in self._folders for path in sorted(folder.glob("*.toml"))}
