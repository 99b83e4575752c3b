"""All that the database holds of one person, table by table, as it would stand in a file of theirs.

Read from the database's own shape, so that a table that is added later cannot be forgotten. Refuses to know what any
of it means.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

_JSON_COLUMNS = frozenset({"answers", "data", "no_go", "photos", "summary", "value"})
_NOT_OF_A_PERSON = frozenset({"device", "household", "sqlite_sequence"})


def everything(connection: sqlite3.Connection, person: int) -> dict[str, Any]:
    """The rows of ``person`` by table, each row by column; ``person`` is one row, all others are lists in order.

    Raises:
        sqlite3.Error: it cannot be read.
        ValueError: a column that holds JSON does not.
    """
    found: dict[str, Any] = {}
    for table in _tables(connection):
        columns = [row[1] for row in connection.execute("SELECT * FROM pragma_table_info(?)", (table,))]
        # Names of tables and columns come from the database's own schema, and cannot be bound.
        chosen = ", ".join(f'"{name}"' for name in columns if name != "person_id")
        where, order = _where(table, columns)
        rows = connection.execute(f'SELECT {chosen} FROM "{table}" WHERE {where} ORDER BY {order}', (person,))  # noqa: S608
        names = [one[0] for one in rows.description]
        found[table] = [{name: _value(name, value) for name, value in zip(names, row, strict=True)} for row in rows]
    (found["person"],) = found["person"]
    return found


def _tables(connection: sqlite3.Connection) -> list[str]:
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    return [name for (name,) in names if name not in _NOT_OF_A_PERSON]


def _where(table: str, columns: list[str]) -> tuple[str, str]:
    first = ", ".join(str(number) for number in range(1, min(2, len(columns)) + 1))
    if table == "person":
        return "id = ?", "1"
    if "person_id" in columns:
        return "person_id = ?", "1"
    if "session_id" in columns:
        return "session_id IN (SELECT id FROM session WHERE person_id = ?)", first
    raise ValueError(f"table {table} names nobody")


def _value(column: str, value: Any) -> Any:
    return json.loads(value) if column in _JSON_COLUMNS and isinstance(value, str) else value
