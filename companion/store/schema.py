"""The database's shape, reached step by step: numbered migrations, each in one transaction, after a backup.

``PRAGMA user_version`` counts the migrations that a file has been through. Refuses to know what the tables mean.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from companion.store.faults import StoreError, damaged

SCHEMA_VERSION = 4
"""Number of the newest file in ``migrations/``."""

_MAGIC = b"SQLite format 3\x00"
_VERSION_OFFSET = 60  # user version, 4 bytes big-endian (sqlite.org/fileformat2.html 1.3)
_HEADER_LENGTH = 100


def check_header(path: Path) -> None:
    """Look at a database file without SQLite, so that a file which is not for us stays as it is to the last byte.

    Raises:
        StoreError: it is no database, or comes from a newer version of the app.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER_LENGTH)
    if not header:
        return
    if len(header) < _HEADER_LENGTH or not header.startswith(_MAGIC):
        raise StoreError(damaged(path))
    _refuse_newer(path, int.from_bytes(header[_VERSION_OFFSET : _VERSION_OFFSET + 4], "big"))


def migrate(connection: sqlite3.Connection, path: Path, to: int = SCHEMA_VERSION) -> None:
    """Bring the open database at ``path`` to version ``to``, keeping a copy of the old file beside it.

    Raises:
        StoreError: the database is newer than this app.
        sqlite3.Error: a migration failed; the file is as it was before that migration.
        OSError: the backup could not be written; nothing was migrated.
    """
    version = _version(connection)
    _refuse_newer(path, version)
    if version >= to:
        return
    if version:
        _back_up(connection, path.with_name(f"{path.stem}-before-version-{to}{path.suffix}"))
    # Tables that others refer to are made anew under the same name; `_check_references` looks when that is done.
    connection.execute("PRAGMA foreign_keys = OFF")
    for number, sql in _migrations():
        if version < number <= to:
            _apply(connection, number, sql)
    # Until now the new version may stand in the WAL alone; check_header of an older app reads the main file.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _refuse_newer(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} was written by a newer version of the app (database version {version}, this app knows up to "
            f"{SCHEMA_VERSION}); update the app, nothing was changed"
        )


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _migrations() -> Iterator[tuple[int, str]]:
    folder = resources.files("companion.store") / "migrations"
    files = (entry for entry in folder.iterdir() if entry.name.endswith(".sql"))
    for entry in sorted(files, key=lambda entry: entry.name):
        yield int(entry.name.partition("_")[0]), entry.read_text("utf-8")


def _apply(connection: sqlite3.Connection, number: int, sql: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Two first starts at once: whoever waited for the lock finds the work done.
        if _version(connection) < number:
            for statement in _statements(sql):
                connection.execute(statement)
            _check_references(connection, number)
            connection.execute(f"PRAGMA user_version = {number:d}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _check_references(connection: sqlite3.Connection, number: int) -> None:
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if broken:
        raise sqlite3.IntegrityError(f"migration {number} leaves a broken reference in table {broken[0]}")


def _statements(sql: str) -> Iterator[str]:
    """Split a script: ``executescript`` would commit the transaction that keeps a migration whole."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise sqlite3.ProgrammingError("a migration ends in the middle of a statement")


def _back_up(connection: sqlite3.Connection, to: Path) -> None:
    unfinished = to.with_name(to.name + ".part")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    copy = sqlite3.connect(unfinished)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    unfinished.replace(to)
