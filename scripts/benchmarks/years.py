"""The data folder of somebody who has been at it for years: sessions with journals, glasses, skin checks, a plan.

Made by seed, in the shape that the app itself writes: values go through the store's own encoder and its own tables.
Refuses to know what is measured on it.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from companion.care.plans import Chosen
from companion.care.screening import QUESTIONS, Answer
from companion.dates import Calendar
from companion.session.model import JournalEntry, JournalKind, Reason, Scalar, Summary
from companion.store.database import DATABASE_NAME, Store
from companion.store.rows import to_json

SESSIONS = 5_000
GLASSES = 20_000
REMARKS = 500

_CUT_OFF = 0.02  # sessions that nobody saw the end of: their zones are in their journals alone

_DAYS_OF_SESSIONS = 0.93  # of all days have a session, so that 5,000 of them are some 15 years
_ENDS = (*[Reason.COMPLETED] * 17, *[Reason.STOPPED] * 2, Reason.LINK_LOST)
_ZONES = (
    *("chin", "left-jawline", "right-jawline", "left-nasolabial", "right-nasolabial", "left-cheek", "right-cheek"),
    *("left-cheekbone", "right-cheekbone", "left-under-eye", "right-under-eye", "left-temple", "right-temple"),
    "forehead",
)
_ROUTINES = {"full-face": 14, "five-minute-lift": 8, "first-touch": 2}


def lived(
    folder: Path, *, seed: int, demo: bool, now: datetime, sessions: int = SESSIONS, glasses: int = GLASSES
) -> None:
    """Make the data folder: ``sessions`` with simulated devices (``demo``) or with real ones, the last one yesterday.

    ``now`` (aware) is when all of it is looked at. The person has chosen a plan, answered the screening, and has a goal
    for water; ``glasses`` were drunk over the last four of these years.
    """
    chance = random.Random(seed)
    with Store.open(folder, Calendar.fixed(now)) as store:
        store.save_screening({one.id: Answer.NO.value for one in QUESTIONS})
        days = sorted(chance.sample(range(1, round(sessions / _DAYS_OF_SESSIONS) + 1), sessions), reverse=True)
        store.diary.choose("plan", Chosen((now - timedelta(days=days[0])).date()))
    raw = sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)
    try:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("BEGIN")
        for number, back in enumerate(days, start=1):
            _session(raw, number, now - timedelta(days=back), demo=demo, chance=chance)
        raw.executemany(
            "INSERT INTO drink (person_id, at, ml) VALUES (1, ?, ?)",
            [
                (at.isoformat(), chance.choice((150, 200, 200, 250, 330)))
                for at in _moments(now, days=4 * 365, count=glasses, chance=chance)
            ],
        )
        raw.executemany(
            "INSERT INTO remark (session_id, text, photos) VALUES (?, ?, '[]')",
            [(one, "Calmer than last time.") for one in sorted(chance.sample(range(1, sessions + 1), REMARKS))],
        )
        raw.execute("COMMIT")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        raw.close()


def _moments(now: datetime, *, days: int, count: int, chance: random.Random) -> Iterator[datetime]:
    """``count`` moments of the last ``days``, in order, up to ``now``."""
    yield from sorted(now - timedelta(seconds=chance.uniform(0, days * 86_400)) for _ in range(count))


def _session(raw: sqlite3.Connection, number: int, day: datetime, *, demo: bool, chance: random.Random) -> None:
    began = day.replace(hour=18, minute=chance.randrange(60), second=chance.randrange(60))
    routine = chance.choice(list(_ROUTINES))
    zones = _ZONES[: _ROUTINES[routine]]
    entries: list[tuple[float, JournalEntry]] = [
        (0.0, JournalEntry(JournalKind.CONNECTED, {"device": "Dr-05", "firmware": None, "again": False}))
    ]
    seconds: dict[str, float] = {}
    t, top = 0.0, 0
    for index, zone in enumerate(zones):
        t, level, lasts = t + 4.0, chance.randrange(10, 60, 5), round(chance.uniform(20, 60), 1)
        entries += _zone(zone, index, t, level, lasts)
        t, top, seconds[zone] = t + lasts, max(top, level), lasts
    ended = began + timedelta(seconds=t)
    cut_off = chance.random() < _CUT_OFF
    summary = Summary(chance.choice(_ENDS), MappingProxyType(seconds), top, sum(seconds.values()), t, ())
    raw.execute(
        "INSERT INTO session (id, person_id, routine, device_name, device_key, protocol, demo, started_at, ended_at,"
        " interrupted, summary) VALUES (?, 1, ?, 'Dr-05', 'dr05', 'dr05', ?, ?, ?, ?, ?)",
        (
            *(number, routine, demo, began.isoformat(), ended.isoformat(), cut_off),
            None if cut_off else to_json(summary),
        ),
    )
    raw.executemany(
        "INSERT INTO entry (session_id, number, t, kind, data) VALUES (?, ?, ?, ?, ?)",
        [(number, place, at, one.kind.value, to_json(one.data)) for place, (at, one) in enumerate(entries)],
    )
    raw.execute(
        "INSERT INTO skin_check (person_id, at, dryness, redness, irritation) VALUES (1, ?, ?, ?, ?)",
        ((began - timedelta(minutes=10)).isoformat(), *(chance.choice((1, 1, 1, 2, 2, 3)) for _ in range(3))),
    )


def _zone(zone: str, index: int, t: float, level: int, lasts: float) -> Iterator[tuple[float, JournalEntry]]:
    """What a session writes down of one zone: the ramp in the device's steps, each asked for and acknowledged."""
    yield t, JournalEntry(JournalKind.ZONE, {"state": "begin", "zone": zone, "index": index, "seconds": lasts})
    for percent in range(5, level + 1, 5):
        told: dict[str, Scalar] = {
            "command": "level",
            "percent": percent,
            "target": level,
            "zone": zone,
            "mode": None,
            "state": "asked",
        }
        yield t + percent / 10, JournalEntry(JournalKind.INTENSITY, told)
        yield t + percent / 10 + 0.03, JournalEntry(JournalKind.INTENSITY, {**told, "state": "acknowledged"})
    end: dict[str, Scalar] = {"state": "end", "zone": zone, "index": index, "seconds": lasts, "outcome": "done"}
    yield t + lasts, JournalEntry(JournalKind.ZONE, end)
