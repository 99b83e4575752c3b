"""``companion history``: what was written down, as text or as JSON.

Reads the store; refuses to judge what it finds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import msgspec

from companion.account import JsonAccount, Lines
from companion.commands.layout import clock, duration, table
from companion.config import CompanionError, Exit, data_folder
from companion.dates import Calendar
from companion.session.model import JournalEntry
from companion.store.database import SessionRecord, Status, Store
from companion.words import cli as words


def print_list(*, limit: int | None, json: bool, demo: bool) -> int:
    """Print the newest sessions first.

    Raises:
        StoreError: they cannot be read.
    """
    with _opened(demo) as store:
        records = store.sessions(limit)
    if json:
        _write(msgspec.json.encode(_as_json(record)).decode() for record in records)
    elif records:
        _write(table([_HEADINGS, *map(_row, records)]))
    else:
        _write([words.NO_SESSIONS_DEMO if demo else words.NO_SESSIONS])
    return Exit.FINISHED


def print_one(session_id: int, *, json: bool, demo: bool) -> int:
    """Print one session moment by moment; as JSON in the form of ``companion run --json``.

    Raises:
        CompanionError: there is no such session.
        StoreError: it cannot be read.
    """
    with _opened(demo) as store:
        record = store.session(session_id)
        entries = store.entries(session_id)
    if record is None:
        raise CompanionError(words.NO_SUCH_SESSION.format(id=session_id), Exit.USAGE)
    if json:
        account = JsonAccount(Lines(sys.stdout, flush=False))
        for t, entry in entries:
            account.tell(t, entry)
    else:
        _write(table([_HEADINGS, _row(record)]))
        _write([""])
        _write(table([(clock(t), entry.kind.value.replace("_", " "), facts(entry)) for t, entry in entries]))
    return Exit.FINISHED


def facts(entry: JournalEntry) -> str:
    """What an entry says, as ``name value`` pairs; a mapping inside as its own pairs."""
    parts: list[str] = []
    for name, value in entry.data.items():
        if isinstance(value, dict):
            parts.extend(f"{key} {number:g}" for key, number in value.items())
        elif value is not None:
            parts.append(f"{name.replace('_', ' ')} {value}")
    return ", ".join(parts)


_HEADINGS = ("id", "when", "routine", "device", "with output", "highest", "ended")


def _row(record: SessionRecord) -> tuple[str, ...]:
    summary = record.summary
    ended = {Status.RUNNING: words.RUNNING, Status.INTERRUPTED: words.INTERRUPTED}.get(record.status)
    return (
        str(record.id),
        f"{record.started_at:%Y-%m-%d %H:%M}",
        record.routine,
        record.device_name,
        duration(summary.output_s) if summary else "-",
        f"{summary.highest_percent} %" if summary else "-",
        ended or (summary.reason.value if summary else "-"),
    )


def _as_json(record: SessionRecord) -> dict[str, Any]:
    summary = record.summary
    return {
        "id": record.id,
        "routine": record.routine,
        "device": record.device_name,
        "device_key": record.device_key,
        "protocol": record.protocol,
        "demo": record.demo,
        "started_at": record.started_at.isoformat(),
        "ended_at": record.ended_at.isoformat() if record.ended_at else None,
        "status": record.status.value,
        "reason": summary.reason.value if summary else None,
        "zones": dict(summary.zone_seconds) if summary else {},
        "skipped_zones": list(summary.skipped_zones) if summary else [],
        "highest_percent": summary.highest_percent if summary else None,
        "output_s": summary.output_s if summary else None,
        "elapsed_s": summary.elapsed_s if summary else None,
    }


def _opened(demo: bool) -> Store:
    store = Store.open(data_folder(demo=demo), Calendar.system())
    try:
        store.recover()
    except BaseException:
        store.close()
        raise
    return store


def _write(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
