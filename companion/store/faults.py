"""What SQLite and the file system complain of, in one line for the person: what is wrong, where, what to do.

Knows error codes; refuses to know what was being read or written.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
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
    if isinstance(error, OSError):
        return _explain_os(error, path)
    code = getattr(error, "sqlite_errorcode", 0)
    match code & _PRIMARY:
        case sqlite3.SQLITE_FULL:
            return _full(path)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"{path} is in use by another program; close what else reads or writes it and try again"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return _read_only(path)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path)
        case sqlite3.SQLITE_IOERR:
            return f"{path} could not be read or written ({error}); check that its disk is present and not full"
        case _:
            return f"{path} could not be used: {error}"


def damaged(path: Path) -> str:
    """The line for a file that is no database, or no longer one."""
    return f"{path} is not a readable database; move it aside to start with an empty history, or put a backup in place"


def _explain_os(error: OSError, path: Path) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return _full(path)
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return _read_only(path)
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return f"{path} cannot be a folder, a file is in its way; point {DATA_VARIABLE} to another folder"
    return f"{path} could not be used: {error.strerror or error}"


def _read_only(path: Path) -> str:
    return f"{path} cannot be written to; make its folder writable for you, or point {DATA_VARIABLE} to another folder"


def _full(path: Path) -> str:
    return f"{path} could not grow, the disk is full; free some space and try again"
