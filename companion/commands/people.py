"""``companion people``: who there is, whose turn it is, and forgetting somebody.

Asks before it forgets; knows names alone, and nothing of what belongs to them.
"""

from __future__ import annotations

import shlex

import msgspec

from companion.commands.almanac import write
from companion.commands.asking import Asking
from companion.commands.layout import table
from companion.config import CompanionError, Exit, UsageError, data_folder
from companion.dates import Calendar
from companion.leaving import remove as leave
from companion.store.database import Store
from companion.words import commands as words


def print_list(*, json: bool) -> int:
    """Print everybody, and whose turn it is.

    Raises:
        StoreError: it cannot be read.
    """
    with _opened() as store:
        names, turn = store.people.names(), store.person().name
    if json:
        write(msgspec.json.encode({"name": name, "turn": name == turn}).decode() for name in names)
    else:
        write(table([(name, words.TURN if name == turn else "") for name in names]))
    return Exit.FINISHED


def add(name: str) -> int:
    """Add a person.

    Raises:
        PersonError: the name is no name, or taken.
        StoreError: it cannot be kept.
    """
    with _opened() as store:
        store.people.add(name)
    name = " ".join(name.split())
    write([words.ADDED.format(name=name, quoted=shlex.quote(name))])
    return Exit.FINISHED


def choose(name: str) -> int:
    """Make it that person's turn.

    Raises:
        PersonError: there is no such person.
        StoreError: it cannot be kept.
    """
    with _opened() as store:
        store.people.choose(name)
    with _opened() as store:
        write([words.TURN_OF.format(name=store.person().name)])
    return Exit.FINISHED


def rename(name: str, new: str) -> int:
    """Call a person something else.

    Raises:
        PersonError: there is no such person, or the new name is no name, or taken.
        StoreError: it cannot be kept.
    """
    with _opened() as store:
        store.people.rename(name, new)
    write([words.RENAMED.format(name=" ".join(name.split()), new=" ".join(new.split()))])
    return Exit.FINISHED


def remove(name: str, *, yes: bool, asking: Asking | None = None) -> int:
    """Forget a person, once their name was typed again (``yes``: at once), with the calendar file that was theirs.

    ``asking`` is whom to ask: this process' terminal, unless a test gives its own.

    Raises:
        PersonError: there is no such person, or nobody would be left.
        UsageError: nobody is here to ask.
        CompanionError: another name was typed; nobody was removed.
        StoreError: a session is running, or it cannot be written.
    """
    folder, calendar = data_folder(), Calendar.system()
    if not yes:
        with Store.open(folder, calendar, person=name) as store:
            kept = store.person().name
        _confirm(kept, asking)
    write([words.REMOVED.format(name=leave(folder, calendar, name))])
    return Exit.FINISHED


def _confirm(name: str, asking: Asking | None) -> None:
    asking = asking or Asking.of_this_process()
    if asking is None:
        raise UsageError(words.REMOVE_NEEDS_TERMINAL.format(name=name))
    if asking.ask(words.ASK_NAME.format(name=name)) != name.casefold():
        raise CompanionError(words.NAME_DIFFERS, Exit.STOPPED_EARLY)


def _opened() -> Store:
    return Store.open(data_folder(), Calendar.system())
