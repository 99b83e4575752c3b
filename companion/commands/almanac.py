"""How the commands come to a person's almanac: store, settings and time zone, opened for as long as they are needed.

Prints nothing but what went wrong with a calendar file, which is no reason to undo a change.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from companion.almanac import Almanac, local_place
from companion.config import CompanionError, data_folder
from companion.dates import Calendar
from companion.settings.file import settings_file
from companion.store.database import Store


@contextmanager
def opened(person: str | None = None, *, demo: bool = False) -> Iterator[Almanac]:
    """The almanac of ``person`` (None: of whoever's turn it is), or the demo's.

    Raises:
        PersonError: nobody is called so.
        StoreError: the data cannot be read.
    """
    folder, calendar = data_folder(demo=demo), Calendar.system()
    with Store.open(folder, calendar, person=person) as store:
        store.recover()
        yield almanac_of(store, calendar, folder, demo=demo)


def almanac_of(store: Store, calendar: Calendar, folder: Path, *, demo: bool) -> Almanac:
    """The almanac of the person whom ``store`` was opened for, with the settings in ``folder``."""
    quiet = settings_file(folder).read().settings.quiet.hours
    return Almanac(store, calendar, zone=local_place(calendar.now()).zone, demo=demo, quiet=quiet)


def keep_calendar(almanac: Almanac) -> None:
    """Bring the calendar file up to date, where there is one; what goes wrong with it is told, and no more."""
    try:
        almanac.refresh_calendar()
    except CompanionError as error:
        sys.stderr.write(f"companion: {error}\n")


def write(lines: Iterable[str]) -> None:
    """Write lines to standard output."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
