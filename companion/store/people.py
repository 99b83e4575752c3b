"""The people of one household, and whose turn it is.

Knows names and limits. Refuses to know what belongs to one of them: that is asked of a store opened for them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from pathlib import Path

from companion.config import CompanionError, Exit
from companion.routines.zones import ZONES
from companion.store.faults import explained

LONGEST_NAME = 40

_PLACEHOLDER = "\n"
"""A name that nobody can have, for as long as it takes to set the true one."""


class PersonError(CompanionError):
    """There is no such person, or there is one already; one line that says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.USAGE)


class People:
    """Everyone in one database. Names are told apart without regard to upper and lower case."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def names(self) -> list[str]:
        """Everyone, in the order in which they joined.

        Raises:
            StoreError: the database cannot be read.
        """
        with explained(self._path):
            return [name for (name,) in self._connection.execute("SELECT name FROM person ORDER BY id")]

    def chosen(self) -> int:
        """The id of the person whose turn it is.

        Raises:
            StoreError: the database cannot be read.
        """
        with explained(self._path):
            (chosen,) = self._connection.execute("SELECT chosen FROM household").fetchone()
        return int(chosen)

    def find(self, name: str) -> int:
        """The id of the person of that name.

        Raises:
            PersonError: there is none.
            StoreError: the database cannot be read.
        """
        with explained(self._path):
            row = self._connection.execute("SELECT id FROM person WHERE name = ?", (_tidy(name),)).fetchone()
        if row is None:
            there = ", ".join(self.names())
            raise PersonError(f"nobody is called {name!r} here; there are: {there} (`companion people add` adds one)")
        return int(row[0])

    def add(self, name: str) -> int:
        """Add a person, who has answered, chosen and done nothing yet; return their id.

        Raises:
            PersonError: the name is no name, or taken.
            StoreError: it cannot be written.
        """
        name = _checked(name)
        with explained(self._path):
            if self._connection.execute("SELECT 1 FROM person WHERE name = ?", (name,)).fetchone():
                raise PersonError(f"somebody is called {name!r} already; choose another name")
            added = self._connection.execute("INSERT INTO person (name) VALUES (?)", (name,)).lastrowid
        if added is None:  # an INSERT that succeeded has a row id (sqlite.org/c3ref/last_insert_rowid.html)
            raise AssertionError("SQLite gave no row id")
        return added

    def rename(self, name: str, new: str) -> None:
        """Call a person something else.

        Raises:
            PersonError: there is no such person, or the new name is no name, or taken by somebody else.
            StoreError: it cannot be written.
        """
        person = self.find(name)
        new = _checked(new)
        with explained(self._path):
            taken = self._connection.execute("SELECT id FROM person WHERE name = ?", (new,)).fetchone()
            if taken is not None and taken[0] != person:
                raise PersonError(f"somebody is called {new!r} already; choose another name")
            self._connection.execute("UPDATE person SET name = ? WHERE id = ?", (new, person))

    def choose(self, name: str) -> int:
        """Make it that person's turn; return their id.

        Raises:
            PersonError: there is no such person.
            StoreError: it cannot be written.
        """
        person = self.find(name)
        with explained(self._path):
            self._connection.execute("UPDATE household SET chosen = ?", (person,))
        return person

    def remove(self, name: str, *, successor: str = "") -> int:
        """Forget a person and all that is theirs; return their id.

        ``successor``: should nobody else be left, somebody of that name begins anew in their place.

        Raises:
            PersonError: there is no such person, or nobody would be left.
            StoreError: it cannot be written.
        """
        person = self.find(name)
        alone = len(self.names()) == 1
        if alone and not successor:
            raise PersonError(f"{name} is the only one here; `companion delete --all` forgets everybody and everything")
        with explained(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                if alone:  # named only once the name is free, and there before the household has nobody
                    anew = self._connection.execute("INSERT INTO person (name) VALUES (?)", (_PLACEHOLDER,)).lastrowid
                self._connection.execute(
                    "UPDATE household SET chosen = (SELECT min(id) FROM person WHERE id <> ?) WHERE chosen = ?",
                    (person, person),
                )
                self._connection.execute("DELETE FROM person WHERE id = ?", (person,))
                if alone:
                    self._connection.execute("UPDATE person SET name = ? WHERE id = ?", (_checked(successor), anew))
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            # Deleted rows stay readable in the WAL until it is emptied.
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return person


def zones_as_json(zones: Collection[str]) -> str:
    """Zones as they are kept.

    Raises:
        ValueError: there is no such zone.
    """
    unknown = sorted(set(zones) - ZONES.keys())
    if unknown:
        raise ValueError(f"there is no zone {unknown[0]!r}; there are: {', '.join(ZONES)}")
    return json.dumps(sorted(set(zones)))


def _tidy(name: str) -> str:
    return " ".join(name.split())


def _checked(name: str) -> str:
    tidy = _tidy(name)
    if not tidy or len(tidy) > LONGEST_NAME or not tidy.isprintable():
        raise PersonError(f"{name!r} is no name that can be kept; 1 to {LONGEST_NAME} letters are")
    return tidy
