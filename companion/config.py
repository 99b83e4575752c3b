"""Where things are kept, the documented exit codes, and the one error that is meant for the person.

Refuses to know what is kept: the store and the routines library look after their own files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path

APP_NAME = "microcurrent-companion"
DATA_VARIABLE = "COMPANION_DATA"


class Exit(IntEnum):
    """Exit codes of the ``companion`` command; part of its documented interface."""

    FINISHED = 0
    FAULT = 1
    USAGE = 2
    STOPPED_EARLY = 3
    BLOCKED = 4
    NO_DEVICE = 5
    LINK_LOST = 6
    INTERRUPTED = 130  # ended by Ctrl+C: 128 + SIGINT, as shells count
    READER_GONE = 141  # standard output was closed by its reader: 128 + SIGPIPE


class CompanionError(Exception):
    """A fault told to the person in one line: what is wrong, where, and what to do."""

    def __init__(self, message: str, exit_code: Exit = Exit.FAULT) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageError(CompanionError):
    """The command line asks for what there is not, or for what does not go together."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.USAGE)


def data_folder(*, demo: bool = False, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that holds the person's data, or the demo's own one inside it. It need not exist yet.

    ``COMPANION_DATA`` overrides the platform's usual place. A demo never touches what belongs to the person.
    """
    override = environ.get(DATA_VARIABLE)
    if override:
        folder = Path(override).expanduser().absolute()
    else:
        from platformdirs import user_data_path  # noqa: PLC0415 - costs more than all of this module; asked for on use

        folder = user_data_path(APP_NAME, appauthor=False)
    return folder / "demo" if demo else folder


def state_folder(folder: Path, *, environ: Mapping[str, str] = os.environ) -> Path:
    """Where what must not come back with a backup of the data ``folder`` is kept: never inside it.

    The platform's place for state, where ``folder`` is in its usual place; else beside it.
    """
    if not environ.get(DATA_VARIABLE) and folder.is_relative_to(data_folder(environ=environ)):
        from platformdirs import user_state_path  # noqa: PLC0415 - as above

        usual = user_state_path(APP_NAME, appauthor=False)
        if not usual.is_relative_to(folder):  # on macOS and Windows, state and data are in one place
            return usual / folder.relative_to(data_folder(environ=environ))
    return folder.with_name(f"{folder.name}-state")


def routines_folder(*, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of the person's own routines. It holds for demos too, where one tries a routine out."""
    return data_folder(environ=environ) / "routines"
