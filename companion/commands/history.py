"""``companion history``: what was written down, as text or as JSON, and what the person adds to it.

Refuses to judge what it finds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from companion.account import JsonAccount, Lines
from companion.commands.layout import clock, duration, table
from companion.config import CompanionError, Exit, UsageError, data_folder
from companion.dates import Calendar
from companion.session.model import JournalEntry
from companion.store.database import SessionRecord, Status, Store
from companion.store.diary import Remark, SkinCheck
from companion.words import cli as words
from companion.words import commands as command_words


def print_list(*, limit: int | None, json: bool, person: str | None = None, demo: bool) -> int:
    """Print the newest sessions first.

    Raises:
        PersonError: nobody is called so.
        StoreError: they cannot be read.
    """
    with _opened(person, demo=demo) as store:
        records = store.sessions(limit)
        remarks = store.diary.remarks()
    if json:
        _write(msgspec.json.encode(_as_json(record, remarks.get(record.id))).decode() for record in records)
    elif records:
        _write(table([_HEADINGS, *map(_row, records)]))
    else:
        _write([words.NO_SESSIONS_DEMO if demo else words.NO_SESSIONS])
    return Exit.FINISHED


def print_one(session_id: int, *, json: bool, person: str | None = None, demo: bool) -> int:
    """Print one session moment by moment, with note, photos and the day's skin checks.

    As JSON it is the journal alone, in the form of ``companion run --json``.

    Raises:
        CompanionError: there is no such session.
        PersonError: nobody is called so.
        StoreError: it cannot be read.
    """
    with _opened(person, demo=demo) as store:
        record = store.session(session_id)
        entries = store.entries(session_id)
        remark = store.diary.remark(session_id)
        checks = store.diary.skin_checks()
    if record is None:
        raise CompanionError(words.NO_SUCH_SESSION.format(id=session_id), Exit.USAGE)
    if json:
        account = JsonAccount(Lines(sys.stdout, flush=False))
        for t, entry in entries:
            account.tell(t, entry)
    else:
        _write(table([_HEADINGS, _row(record)]))
        _write(_beside(record, remark, checks))
        _write([""])
        _write(table([(clock(t), entry.kind.value.replace("_", " "), facts(entry)) for t, entry in entries]))
    return Exit.FINISHED


def note(session_id: int, text: Sequence[str], *, person: str | None = None, demo: bool) -> int:
    """Keep the person's own words on a session, in place of earlier ones.

    Raises:
        CompanionError: there are no words, or no such session.
        PersonError: nobody is called so.
        StoreError: they cannot be kept.
    """
    if not text:
        raise UsageError(command_words.NO_TEXT)
    with _opened(person, demo=demo) as store:
        before = store.diary.remark(session_id)
        if not store.diary.say(session_id, " ".join(text).strip(), () if before is None else before.photos):
            raise UsageError(words.NO_SUCH_SESSION.format(id=session_id))
    _write([command_words.NOTED])
    return Exit.FINISHED


def photo(session_id: int, path: Path, *, forget: bool, person: str | None = None, demo: bool) -> int:
    """Note which photo belongs to a session, or (``forget``) that none does; the photo stays where it is.

    Raises:
        CompanionError: there is no such photo, or no such session.
        PersonError: nobody is called so.
        StoreError: it cannot be kept.
    """
    place = path.expanduser().absolute()
    if not forget and not place.is_file():
        raise UsageError(command_words.NO_PHOTO.format(path=place))
    with _opened(person, demo=demo) as store:
        before = store.diary.remark(session_id) or Remark("", ())
        if forget and str(place) not in before.photos:
            raise UsageError(command_words.PHOTO_NOT_NOTED.format(path=place, id=session_id))
        others = tuple(one for one in before.photos if one != str(place))
        if not store.diary.say(session_id, before.text, others if forget else (*others, str(place))):
            raise UsageError(words.NO_SUCH_SESSION.format(id=session_id))
    _write([(command_words.PHOTO_FORGOTTEN if forget else command_words.PHOTO_NOTED).format(path=place)])
    return Exit.FINISHED


def _beside(record: SessionRecord, remark: Remark | None, checks: Sequence[SkinCheck]) -> Iterator[str]:
    """What the person keeps beside a session: skin checks of its day, their words and photos."""
    for check in checks:
        if check.at.astimezone(record.started_at.tzinfo).date() == record.started_at.date():
            yield command_words.SHOW_SKIN.format(
                at=check.at, dryness=check.dryness, redness=check.redness, irritation=check.irritation
            )
    if remark is not None and remark.text:
        yield command_words.SHOW_NOTE.format(text=remark.text)
    for path in () if remark is None else remark.photos:
        yield command_words.SHOW_PHOTO.format(path=path)


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


def _as_json(record: SessionRecord, remark: Remark | None) -> dict[str, Any]:
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
        "note": remark.text if remark else "",
        "photos": list(remark.photos) if remark else [],
    }


def _opened(person: str | None, *, demo: bool) -> Store:
    store = Store.open(data_folder(demo=demo), Calendar.system(), person=person)
    try:
        store.recover()
    except BaseException:
        store.close()
        raise
    return store


def _write(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
