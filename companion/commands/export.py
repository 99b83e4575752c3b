"""``companion export``: one person's own data, as a file that other programs read.

Sessions as CSV or Parquet, the plan as a calendar, everything as JSON. Writes for the person's eyes alone, and over
nothing that is there.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from companion.almanac import Almanac
from companion.commands.almanac import almanac_of, write
from companion.config import CompanionError, Exit, UsageError, data_folder
from companion.dates import Calendar
from companion.store.database import Store
from companion.words import commands as words

if TYPE_CHECKING:
    from companion.almanac import Session

FORMATS: Final = ("csv", "json", "parquet", "ics")
JSON_FORMAT: Final = 1
"""Raised with every change that a reader of the JSON has to know of."""

COLUMNS: Final = (
    "id",
    "started_at",
    "ended_at",
    "routine",
    "device",
    "demo",
    "status",
    "reason",
    "minutes",
    "output_minutes",
    "highest_percent",
    "zones",
    "note",
    "photos",
)
"""The columns of CSV and Parquet; ``zones`` are ``name:seconds`` and ``photos`` paths, each apart by a semicolon."""


def export(*, kind: str, output: Path | None, force: bool, person: str | None, demo: bool) -> int:
    """Write the person's data as ``kind``, to ``output`` or to standard output.

    Raises:
        UsageError: the two do not go together, or a file is there already.
        CompanionError: pyarrow is missing, there is no plan to export, or the file cannot be written.
        PersonError: nobody is called so.
        StoreError: the data cannot be read.
    """
    if kind == "parquet" and output is None:
        raise UsageError(words.PARQUET_TO_FILE)
    path = None if output is None else output.expanduser().absolute()
    if path is not None and not force and os.path.lexists(path):
        raise UsageError(words.FILE_THERE.format(path=path))
    folder, calendar = data_folder(demo=demo), Calendar.system()
    with Store.open(folder, calendar, person=person) as store:
        store.recover()
        almanac = almanac_of(store, calendar, folder, demo=demo)
        content = _content(kind, store, almanac)
    if path is None:
        sys.stdout.write(content.decode())
    else:
        save(path, content, force=force)
        write([words.EXPORTED.format(path=path)])
    return Exit.FINISHED


def _content(kind: str, store: Store, almanac: Almanac) -> bytes:
    if kind == "json":
        return _as_json(store, almanac)
    if kind == "ics":
        return almanac.calendar()
    rows = [_row(session) for session in reversed(almanac.sessions())]
    return _as_csv(rows) if kind == "csv" else _as_parquet(rows)


def _as_json(store: Store, almanac: Almanac) -> bytes:
    from importlib.metadata import version  # noqa: PLC0415 - for this alone

    everything = {
        "format": JSON_FORMAT,
        "written_by": f"microcurrent-companion {version('microcurrent-companion')}",
        "written_at": almanac.now.isoformat(),
        **store.everything(),
    }
    return (json.dumps(everything, ensure_ascii=False, indent=2) + "\n").encode()


def _row(session: Session) -> dict[str, Any]:
    zones = (zone if seconds is None else f"{zone}:{seconds:g}" for zone, seconds in session.zones.items())
    return {
        "id": session.id,
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "routine": session.routine,
        "device": session.device,
        "demo": session.demo,
        "status": session.status.value,
        "reason": None if session.reason is None else session.reason.value,
        "minutes": round(session.minutes, 2),
        "output_minutes": None if session.output_minutes is None else round(session.output_minutes, 2),
        "highest_percent": session.highest_percent,
        "zones": ";".join(zones),
        "note": session.text,
        "photos": ";".join(session.photos),
    }


def _as_csv(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)  # RFC 4180
    writer.writerow(COLUMNS)
    writer.writerows([_cell(row[name]) for name in COLUMNS] for row in rows)
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    """A spreadsheet takes text that begins like a formula for one, and a device gives itself its name."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def _as_parquet(rows: list[dict[str, Any]]) -> bytes:
    try:
        pa, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")  # an extra, and without types
    except ImportError as error:
        raise CompanionError(words.NO_PYARROW) from error
    moment = pa.timestamp("us", tz="UTC")
    kinds = {
        "id": pa.int64(),
        "started_at": moment,
        "ended_at": moment,
        "demo": pa.bool_(),
        "minutes": pa.float64(),
        "output_minutes": pa.float64(),
        "highest_percent": pa.int64(),
    }
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
    out = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), out)
    return bytes(out.getvalue().to_pybytes())


def save(path: Path, content: bytes, *, force: bool) -> None:
    """Write a file for its owner alone (0600), whole or not at all; over another one only with ``force``.

    Raises:
        UsageError: a file is there.
        CompanionError: it cannot be written.
    """
    target = path.with_name(f".{path.name}.part") if force else path
    made = False
    try:
        if force:
            target.unlink(missing_ok=True)
        descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        made = True
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        if force:
            target.replace(path)
    except OSError as error:
        if made:
            with suppress(OSError):
                target.unlink()
        if isinstance(error, FileExistsError):
            raise UsageError(words.FILE_THERE.format(path=path)) from error
        raise CompanionError(words.FILE_NOT_WRITTEN.format(path=path, cause=error.strerror or error)) from error
