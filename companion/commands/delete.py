"""``companion delete --all``: everything that was kept of everybody, deleted.

Deletes what this app writes, by name, and nothing else: the data folder may be one that a person put other things into.
Asks first, says what it did, and refuses while a session runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from companion.care.calendar_file import is_ours
from companion.commands.almanac import write
from companion.commands.asking import Asking
from companion.config import CompanionError, Exit, UsageError, data_folder, routines_folder, state_folder
from companion.dates import Calendar
from companion.integrations import timers
from companion.integrations.timers import Job, Machine, TimerError
from companion.settings.file import settings_file
from companion.settings.schema import FILE_NAME
from companion.store.database import DATABASE_NAME, Store, StoreError
from companion.store.lock import DAY_LOCK, HeldElsewhereError, SessionLock
from companion.words import commands as words

_STEM = Path(DATABASE_NAME).stem
_OURS = (
    DATABASE_NAME,
    f"{DATABASE_NAME}-wal",
    f"{DATABASE_NAME}-shm",
    f"{DATABASE_NAME}-journal",
    f"{_STEM}-before-version-*",  # copies from before a change of the database's shape, finished or not
    FILE_NAME,
    f".{FILE_NAME}.*",  # of a change that was cut off
)
_OURS_BESIDE = ("screenings.json", "screenings.json.new")
_LOCKS = ("session.lock", DAY_LOCK)


def delete(*, everything: bool, routines: bool, yes: bool, asking: Asking | None = None) -> int:
    """Delete everything, once `delete` was typed (``yes``: at once); the person's own routines with ``routines``.

    ``asking`` is whom to ask: this process' terminal, unless a test gives its own.

    What Home Assistant's broker keeps is taken back first, which takes some 15 s where it does not answer; then, as
    with whatever else cannot be deleted, everything else is, and the error at the end says what is left.

    Raises:
        UsageError: without ``everything``, or nobody is here to ask.
        CompanionError: a session runs, `delete` was not typed, or something could not be deleted.
    """
    if not everything:
        raise UsageError(words.ALL)
    folder = data_folder()
    folders = [folder / "demo", folder]
    with ExitStack() as held:
        locks = [_locked(one, held) for one in folders if one.is_dir()]
        own = sorted(routines_folder().glob("*.toml"))
        there = [*_files(folders), *([] if not routines else own)]
        calendars, people, readable = _of_everybody(folders)
        timer = _timer()
        if not (there or own or timer or calendars):
            write([words.NOTHING_TO_DELETE])
            for lock in locks:
                lock.release()
            _sweep(folders)
            return Exit.FINISHED
        if not yes:
            routines = _confirmed(asking, folder, people, own, routines=routines)
        faults: list[str] = []
        if timer:
            _take_timer_away(faults)
        _take_back(folders, faults)  # as long as the settings say from whom, and the password is there
        _forget_password(folders, faults)  # as above
        gone = [path for path in calendars if is_ours(path)]
        doomed = [*_files(folders), *gone, *(own if routines else [])]
        write(words.DELETED.format(path=path) for path in doomed if _unlinked(path, faults))
        for lock in locks:
            lock.release()  # before its file goes: Windows deletes nothing that is held
    _sweep(folders)
    write(_left(folder, [path for path in calendars if path not in gone], readable=readable))
    if faults:
        raise CompanionError(words.NOT_ALL_DELETED.format(faults="; ".join(faults)))
    return Exit.FINISHED


def _locked(folder: Path, held: ExitStack) -> SessionLock:
    lock = SessionLock(folder)
    try:
        lock.take()
    except HeldElsewhereError as error:
        where = f" (process {error.holder})" if error.holder else ""
        raise CompanionError(words.SESSION_RUNS.format(where=where)) from None
    except OSError as error:
        raise CompanionError(words.NOT_ALL_DELETED.format(faults=f"{folder} ({error.strerror})")) from error
    held.callback(lock.release)
    return lock


def _files(folders: list[Path]) -> list[Path]:
    """What this app wrote into data folders and the folders of state beside them, but for locks and routines."""
    found = [path for folder in folders for pattern in _OURS for path in sorted(folder.glob(pattern))]
    found += [path for folder in folders for name in _OURS_BESIDE if (path := state_folder(folder) / name).exists()]
    return found


def _of_everybody(folders: list[Path]) -> tuple[list[Path], list[str], bool]:
    """The calendar files that are kept up to date, who there is, and whether that could be read."""
    from companion.almanac import Almanac, local_place  # noqa: PLC0415 - asked for on use

    calendar = Calendar.system()
    paths: list[Path] = []
    names: list[str] = []
    readable = True
    for folder in folders:
        if not (folder / DATABASE_NAME).exists():
            continue
        try:
            with Store.open(folder, calendar) as store:
                here = store.people.names()
            for name in here:
                with Store.open(folder, calendar, person=name) as store:
                    zone = local_place(calendar.now()).zone
                    path = Almanac(store, calendar, zone=zone, demo=False).calendar_path()
                paths += [] if path is None else [path]
            names = here  # of the data folder itself, which comes last
        except StoreError:
            readable = False
    return paths, names, readable


def _timer() -> bool:
    try:
        return timers.status(Machine.this(), Job.this()).state is not timers.State.ABSENT
    except TimerError:
        return False


def _take_timer_away(faults: list[str]) -> None:
    try:
        timers.remove(Machine.this(), Job.this())
    except TimerError as error:
        faults.append(str(error))
    else:
        write([words.DELETED_TIMER])


def _take_back(folders: list[Path], faults: list[str]) -> None:
    """Take back what the broker of Home Assistant keeps, as far as it was ever told something."""
    for folder in folders:
        settings = settings_file(folder).read().settings.mqtt
        # Drawn when it was switched on for the first time; it may be off by now, and the broker keeps it all the same.
        if not settings.host or settings.device_id is None:
            continue
        from companion.integrations.mqtt import take_back  # noqa: PLC0415 - aiomqtt; few have one
        from companion.integrations.mqtt_discovery import Topics  # noqa: PLC0415 - as above

        done, line = take_back(settings)
        if done:
            write([line])
        else:
            places = " and ".join(Topics(settings).kept)
            faults.append(words.NOT_TAKEN_BACK.format(broker=settings.broker, problem=line, topics=places))


def _forget_password(folders: list[Path], faults: list[str]) -> None:
    from companion.integrations.mqtt_secrets import SecretError, forget_password  # noqa: PLC0415 - few have one

    for folder in folders:
        settings = settings_file(folder).read().settings.mqtt
        kept_in = settings.password_from
        try:
            if kept_in == "keyring" and forget_password(settings):
                write([words.DELETED_KEYRING])
        except SecretError as error:
            faults.append(str(error))


def _unlinked(path: Path, faults: list[str]) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False  # the WAL goes by itself when the last reader closes
    except OSError as error:
        faults.append(f"{path} ({error.strerror})")
        return False
    return True


def _sweep(folders: list[Path]) -> None:
    """Take away locks and folders that are empty by now, the innermost first."""
    for folder in folders:
        for name in _LOCKS:
            with suppress(OSError):
                (folder / name).unlink()
    for empty in [routines_folder(), *(one for folder in folders for one in (state_folder(folder), folder))]:
        with suppress(OSError):
            empty.rmdir()


def _left(folder: Path, calendars: list[Path], *, readable: bool) -> Iterator[str]:
    if not readable:
        yield words.UNREADABLE
    for path in calendars:
        if path.exists():
            yield words.LEFT_CALENDAR.format(path=path)
    own = routines_folder()
    if own.is_dir():
        yield words.LEFT_ROUTINES.format(path=own)
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path != own:
                yield words.LEFT.format(path=path)


def _confirmed(asking: Asking | None, folder: Path, people: list[str], own: list[Path], *, routines: bool) -> bool:
    """Ask; return whether the person's own routines go, too."""
    asking = asking or Asking.of_this_process()
    if asking is None:
        raise UsageError(words.DELETE_NEEDS_TERMINAL)
    if asking.ask(words.ASK_DELETE.format(folder=folder, people=", ".join(people) or "-")) != words.DELETE_WORD:
        raise CompanionError(words.NOT_DELETED, Exit.STOPPED_EARLY)
    if own and not routines:
        routines = asking.ask(words.ASK_ROUTINES.format(names=", ".join(path.stem for path in own))) in {"y", "yes"}
    return routines
