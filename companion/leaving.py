"""Somebody leaves: their rows, their seal, their calendar file, and copies of the database from before.

For every face alike. Asks nobody: whoever calls has done so. Knows no other person's data.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from companion.config import CompanionError
from companion.store.database import Store
from companion.words import commands as words

if TYPE_CHECKING:
    from companion.dates import Calendar


def remove(folder: Path, calendar: Calendar, name: str, *, successor: str = "", demo: bool = False) -> str:
    """Forget a person in the database of ``folder``, and what is theirs beside it; return the name they had.

    ``successor``: should nobody else be left, somebody of that name begins anew in their place.

    Raises:
        PersonError: there is no such person, or nobody would be left.
        CompanionError: the calendar file cannot be deleted; everything else is.
        StoreError: a session is running, or it cannot be written.
    """
    from companion.almanac import Almanac, local_place  # noqa: PLC0415 - brings the rules

    with Store.open(folder, calendar, person=name) as store:
        kept = store.person().name
        path = Almanac(store, calendar, zone=local_place(calendar.now()).zone, demo=demo).calendar_path()
        store.remove_person(name, successor=successor)
    if path is not None:
        _delete_calendar(path)
    return kept


def _delete_calendar(path: Path) -> None:
    from companion.care.calendar_file import is_ours  # noqa: PLC0415 - brings the calendar's parser

    if not is_ours(path):
        return
    try:
        path.unlink()
    except OSError as error:
        raise CompanionError(words.NOT_ALL_DELETED.format(faults=f"{path} ({error.strerror})")) from error
