"""What SQLite and the file system complain of, in one line for the person: what is wrong, where, what to do.

Knows error codes; refuses to know what was being read or written.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from companion.config import DATA_VARIABLE, CompanionError

_PRIMARY = 0xFF  # an extended result code keeps its primary code in the low byte (sqlite.org/rescode.html)


class StoreError(CompanionError):
    """The data folder or its database cannot be used; the message says why and what to do."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the database at ``path`` into a :class:`StoreError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(explain(error, path)) from error


def explain(error: sqlite3.Error | OSError, path: Path) -> str:
    """One line for ``error``, met while using the database file (or the folder) at ``path``."""
    return f"{path}: {cause(error)}; {_ADVICE[_kind(error)]}"


def cause(error: sqlite3.Error | OSError) -> str:
    """What is wrong in a few words, to be put into a sentence: "the disk is full"."""
    kind = _kind(error)
    if kind is _Kind.OTHER:
        words = error.strerror if isinstance(error, OSError) else None
        return str(words or error)
    return str(kind.value)


def damaged(path: Path) -> str:
    """The line for a file that is no database, or no longer one."""
    return f"{path}: {_Kind.DAMAGED.value}; {_ADVICE[_Kind.DAMAGED]}"


class _Kind(Enum):
    FULL = "the disk is full"
    IN_USE = "another program is using it"
    READ_ONLY = "it cannot be written to"
    DAMAGED = "this is not a readable database"
    DISK = "the disk could not be read or written"
    IN_THE_WAY = "a file is where a folder should be"
    OTHER = "something else"


_ADVICE = {
    _Kind.FULL: "free some space and try again",
    _Kind.IN_USE: "close what else reads or writes it and try again",
    _Kind.READ_ONLY: f"make its folder writable for you, or point {DATA_VARIABLE} to another folder",
    _Kind.DAMAGED: "move it aside to start with an empty history, or put a backup in its place",
    _Kind.DISK: "check that the disk is present and not full",
    _Kind.IN_THE_WAY: f"move that file away, or point {DATA_VARIABLE} to another folder",
    _Kind.OTHER: "`companion doctor` shows where your data is kept",
}

_SQLITE = {
    sqlite3.SQLITE_FULL: _Kind.FULL,
    sqlite3.SQLITE_BUSY: _Kind.IN_USE,
    sqlite3.SQLITE_LOCKED: _Kind.IN_USE,
    sqlite3.SQLITE_READONLY: _Kind.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _Kind.READ_ONLY,
    sqlite3.SQLITE_PERM: _Kind.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: _Kind.DAMAGED,
    sqlite3.SQLITE_NOTADB: _Kind.DAMAGED,
    sqlite3.SQLITE_IOERR: _Kind.DISK,
}

_SYSTEM = {
    errno.ENOSPC: _Kind.FULL,
    errno.EDQUOT: _Kind.FULL,
    errno.EFBIG: _Kind.FULL,
    errno.EACCES: _Kind.READ_ONLY,
    errno.EPERM: _Kind.READ_ONLY,
    errno.EROFS: _Kind.READ_ONLY,
    errno.EIO: _Kind.DISK,
    errno.ENOTDIR: _Kind.IN_THE_WAY,
    errno.EEXIST: _Kind.IN_THE_WAY,
}


def _kind(error: sqlite3.Error | OSError) -> _Kind:
    if isinstance(error, OSError):
        return _SYSTEM.get(error.errno or 0, _Kind.OTHER)
    return _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY, _Kind.OTHER)
