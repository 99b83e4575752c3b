"""``companion reminders`` and ``companion remind``: the computer's timer, what is due, and once more later.

Tells what the almanac has due, each of it once; claims nothing about who saw it, and starts nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import TextIO

import msgspec

from companion.almanac import Almanac
from companion.commands.almanac import almanac_of, keep_calendar, opened, write
from companion.config import CompanionError, Exit, UsageError, data_folder
from companion.dates import Calendar
from companion.integrations import timers
from companion.integrations.notifications import Desktop
from companion.integrations.timers import Job, Machine
from companion.settings.file import settings_file
from companion.store.database import DATABASE_NAME, PersonError, Store
from companion.words import commands as words
from companion.words import plan as plan_words

MOST_SNOOZE_MIN = 24 * 60


def show(*, person: str | None, json: bool) -> int:
    """Print what was told within a day, and what comes next.

    Raises:
        PersonError: nobody is called so.
        StoreError: it cannot be read.
    """
    with opened(person) as almanac:
        told = almanac.told_of_late()
        following = almanac.next_due()
        next_due = None if following is None else following.astimezone(almanac.zone)
        told = {about: at.astimezone(almanac.zone) for about, at in sorted(told.items(), key=lambda item: item[1])}
    if json:
        write([msgspec.json.encode({"next": next_due, "told": told}).decode()])
        return Exit.FINISHED
    if next_due is None:
        write([words.NONE_DUE])
    else:
        write([words.NEXT_DUE.format(day=plan_words.DAY.format(day=next_due), at=next_due)])
    if told:
        write([words.OF_LATE, *(f"  {at:%H:%M}  {about.partition('~')[0]}" for about, at in told.items())])
    return Exit.FINISHED


def install() -> int:
    """Set the computer's timer up.

    Raises:
        TimerError: it has none, or refuses.
    """
    write(timers.install(Machine.this(), Job.this()))
    return Exit.FINISHED


def remove() -> int:
    """Take the computer's timer away.

    Raises:
        TimerError: it refuses.
    """
    write(timers.remove(Machine.this(), Job.this()))
    return Exit.FINISHED


def status(*, json: bool) -> int:
    """Say how it stands with the computer's timer.

    Raises:
        TimerError: the computer has none that the companion knows.
    """
    found = timers.status(Machine.this(), Job.this())
    write([msgspec.json.encode(found).decode() if json else found.text])
    return Exit.FINISHED


def snooze(about: str, minutes: int, *, person: str | None) -> int:
    """Tell a reminder once more in ``minutes``.

    Raises:
        UsageError: no such reminder was told of late, or it is too many minutes.
        PersonError: nobody is called so.
        StoreError: it cannot be kept.
    """
    if not 1 <= minutes <= MOST_SNOOZE_MIN:
        raise UsageError(words.BAD_MINUTES.format(most=MOST_SNOOZE_MIN, minutes=minutes))
    with opened(person) as almanac:
        if about not in {key.partition("~")[0] for key in almanac.told_of_late()}:
            raise UsageError(words.NO_SUCH_REMINDER.format(about=about))
        until = almanac.now + timedelta(minutes=minutes)
        almanac.snooze(about, until)
        write([words.SNOOZED.format(at=until)])
    return Exit.FINISHED


# --- what is due ------------------------------------------------------------------------------------------------------


def remind(*, once: bool, json: bool, desktop: Desktop | None = None, out: TextIO | None = None) -> int:
    """Tell everybody in the household what is due now, and bring their calendar files up to date.

    ``out`` is where to tell it (standard output, where there is one), ``desktop`` where to notify.

    Raises:
        UsageError: without ``once``.
        CompanionError: somebody's data could not be read; all others were told.
    """
    if not once:
        raise UsageError(words.ONCE)
    folder = data_folder()
    if not (folder / DATABASE_NAME).exists():
        return Exit.FINISHED  # nobody has been here yet, and a timer is none to begin
    calendar = Calendar.system()
    out = sys.stdout if out is None else out
    if out is not None and _is_the_journal(out):
        out = None  # what a person is reminded of is nobody's log
    system = settings_file(folder).read().settings.notifications.system
    desktop = None if system == "off" else desktop or Desktop.this()
    with Store.open(folder, calendar) as store:
        names = store.people.names()
    faults: list[str] = []
    for name in names:
        try:
            with suppress(PersonError), Store.open(folder, calendar, person=name) as store:  # gone meanwhile
                almanac = almanac_of(store, calendar, folder, demo=False)
                for line, title, text in _told(almanac, name if len(names) > 1 else "", json=json):
                    if out is not None:
                        out.write(f"{line}\n")
                    if desktop is not None:
                        desktop.notify(title, text)
                keep_calendar(almanac)
        except CompanionError as error:
            faults.append(str(error))
    if faults:
        raise CompanionError(words.NOT_ALL_TOLD.format(fault=faults[0]))
    return Exit.FINISHED


def _told(almanac: Almanac, name: str, *, json: bool) -> Iterator[tuple[str, str, str]]:
    """What is to be told: as a line, and as title and text of a notification."""
    for one in almanac.claimed():
        title = words.FOR.format(name=name, title=one.title) if name else one.title
        if json:
            line = msgspec.json.encode({**msgspec.to_builtins(one), "person": name or None}).decode()
        else:
            line = (words.TOLD_TO if name else words.TOLD).format(name=name, title=one.title, text=one.text)
        yield line, title, one.text


def _is_the_journal(out: TextIO) -> bool:
    """Whether what is written ends in systemd's journal (systemd.exec(5), ``$JOURNAL_STREAM``)."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(out.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino))
