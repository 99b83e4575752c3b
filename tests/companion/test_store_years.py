"""What is asked for now costs no more after years: counted in the steps that SQLite takes, always the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from companion.almanac import Almanac
from companion.care.hydration import Goal
from companion.dates import Calendar
from companion.session.model import JournalEntry, JournalKind, Reason, Summary
from companion.store import schema
from companion.store.database import DATABASE_NAME, Store
from companion.store.rows import to_json
from tests.companion.kept import BERLIN

NOW = datetime(2026, 11, 19, 14, 10, tzinfo=BERLIN)
FEW, MANY = 40, 400
"""Sessions in the past, one a day; of everything else four times as many. None is of the last ten days."""


@contextmanager
def lived(folder: Path, sessions: int, *, zones: bool = True, demo: bool = False) -> Iterator[Store]:
    """The store of somebody who held so many sessions until ten days ago, and has chosen a goal for water."""
    with Store.open(folder, Calendar.fixed(NOW)) as store:
        raw = store._connection
        raw.execute("BEGIN")
        for number in range(1, sessions + 1):
            at = (NOW - timedelta(days=10 + sessions - number)).isoformat()
            seconds = {"chin": 30.0, "forehead": 20.0} if zones else {}
            summary = Summary(Reason.COMPLETED, MappingProxyType(seconds), 30, sum(seconds.values()), 90.0, ())
            raw.execute(
                "INSERT INTO session (id, person_id, routine, device_name, device_key, protocol, demo, started_at,"
                " ended_at, summary) VALUES (?, 1, 'full-face', 'Dr-05', 'dr05', 'dr05', ?, ?, ?, ?)",
                (number, demo, at, at, to_json(summary)),
            )
            for _ in range(4):
                raw.execute("INSERT INTO drink (person_id, at, ml) VALUES (1, ?, 200)", (at,))
                raw.execute(
                    "INSERT INTO skin_check (person_id, at, dryness, redness, irritation) VALUES (1, ?, 1, 1, 1)", (at,)
                )
            raw.execute("INSERT INTO remark (session_id, text) VALUES (?, 'calm')", (number,))
        raw.execute("COMMIT")
        store.diary.choose("water-goal", Goal())
        store.diary.drink(250, NOW)
        yield store


def steps(store: Store, ask: Callable[[], object]) -> int:
    """The steps of SQLite's machine that an answer takes."""
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    store._connection.set_progress_handler(step, 1)
    try:
        ask()
    finally:
        store._connection.set_progress_handler(None, 0)
    return taken


def grown(folder: Path, ask: Callable[[Store], object]) -> tuple[int, int]:
    """The steps of the same question after few sessions and after many."""
    taken = []
    for sessions in (FEW, MANY):
        with lived(folder / str(sessions), sessions) as store:
            taken.append(steps(store, lambda: ask(store)))
    few, many = taken
    return few, many


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda store: store.person(), id="who it is, and whether their first session is to come"),
        pytest.param(lambda store: store.diary.drinks(NOW - timedelta(days=7)), id="the drinks of a week"),
        pytest.param(lambda store: store.diary.undo_drink(), id="the last drink, to be taken back"),
        pytest.param(lambda store: store.diary.skin_checks(NOW - timedelta(days=8)), id="the skin checks of a week"),
        pytest.param(lambda store: store.sessions(10), id="the last ten sessions"),
        pytest.param(lambda store: store.diary.remarks(since=10**9), id="what was said of the last sessions"),
    ],
)
def test_what_is_of_late_is_found_without_the_years_before_it(tmp_path: Path, ask: Callable[[Store], object]) -> None:
    few, many = grown(tmp_path, ask)
    assert few == many


def test_whoever_only_ever_looked_around_has_a_first_session_to_come_and_it_is_found_at_once(tmp_path: Path) -> None:
    taken = []
    for sessions in (FEW, MANY):
        with lived(tmp_path / str(sessions), sessions, demo=True) as store:
            assert store.person().first_session
            taken.append(steps(store, store.person))
    assert taken[0] == taken[1]


def test_sessions_without_output_leave_the_first_one_to_come_however_many_there_are(tmp_path: Path) -> None:
    with lived(tmp_path, FEW, zones=False) as store:
        assert store.person().first_session
        with_output = Summary(Reason.STOPPED, MappingProxyType({"chin": 0.1}), 5, 0.1, 3.0, ())
        store.begin_session("first-touch", "Dr-05", "dr05", "dr05", demo=False).finish(with_output)
        assert not store.person().first_session


def test_a_session_that_was_cut_off_with_output_was_the_first_one(tmp_path: Path) -> None:
    with lived(tmp_path, FEW, zones=False) as store:
        writer = store.begin_session("first-touch", "Dr-05", "dr05", "dr05", demo=False)
        writer.append([JournalEntry(JournalKind.ZONE, {"zone": "chin"})], 1.0)
        assert store.person().first_session
        writer.append([JournalEntry(JournalKind.INTENSITY, {"zone": "chin", "percent": 5})], 2.0)
        assert not store.person().first_session
        writer.close()
        store.recover()
        assert not store.person().first_session


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda almanac: almanac.water(), id="water"),
        pytest.param(lambda almanac: almanac.water_week(), id="the water of a week"),
        pytest.param(lambda almanac: almanac.agenda(), id="what reminders follow from"),
        pytest.param(lambda almanac: almanac.facts(), id="what other machines are told"),
        pytest.param(lambda almanac: almanac.today(), id="today"),
    ],
)
def test_whoever_looks_again_reads_nothing_of_years_ago_again(tmp_path: Path, ask: Callable[[Almanac], object]) -> None:
    taken = []
    for sessions in (FEW, MANY):
        with lived(tmp_path / str(sessions), sessions) as store:
            almanac = Almanac(store, Calendar.fixed(NOW), zone=BERLIN, demo=False)
            ask(almanac)
            taken.append(steps(store, lambda: ask(almanac)))  # noqa: B023 - asked at once
    assert taken[0] == taken[1]


def test_a_database_of_version_2_comes_along_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / DATABASE_NAME
    old = sqlite3.connect(path, isolation_level=None)
    schema.migrate(old, path, to=2)
    at = NOW.astimezone(UTC).isoformat()
    old.execute("INSERT INTO drink (person_id, at, ml) VALUES (1, ?, 250)", (at,))
    old.execute("INSERT INTO skin_check (person_id, at, dryness, redness, irritation) VALUES (1, ?, 1, 2, 3)", (at,))
    old.execute(
        "INSERT INTO session (id, person_id, routine, device_name, device_key, protocol, demo, started_at, ended_at,"
        " interrupted) VALUES (7, 1, 'first-touch', 'Dr-05', 'dr05', 'dr05', 0, ?, ?, 1)",
        (at, at),
    )
    old.execute("INSERT INTO entry VALUES (7, 0, 1.5, 'intensity', '{\"zone\":\"chin\"}')")
    old.close()
    with Store.open(tmp_path, Calendar.fixed(NOW)) as store:
        assert [one.ml for one in store.diary.drinks()] == [250]
        assert [one.irritation for one in store.diary.skin_checks()] == [3]
        assert [one.id for one in store.sessions()] == [7]
        assert [past.zones for past in store.past_sessions()] == [{"chin"}]
        assert not store.person().first_session
    kept = sqlite3.connect(path)
    try:
        assert kept.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert kept.execute("PRAGMA user_version").fetchone() == (schema.SCHEMA_VERSION,)
    finally:
        kept.close()
    assert (tmp_path / f"companion-before-version-{schema.SCHEMA_VERSION}.sqlite3").exists()
