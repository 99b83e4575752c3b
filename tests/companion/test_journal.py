"""The journal keeps first and tells afterwards, in one transaction a call, without stalling the event loop."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from companion.dates import Calendar
from companion.session.journal import Journal, JournalError, StoreJournal
from companion.session.model import JournalEntry, JournalKind, Reason, Summary
from companion.store.database import DATABASE_NAME, Status, Store

CALENDAR = Calendar.fixed(datetime(2026, 3, 1, 8, 0, tzinfo=UTC))
SUMMARY = Summary(Reason.STOPPED, {"chin": 1.0}, 10, 1.0, 5.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path, CALENDAR) as opened:
        yield opened


def journal(store: Store, *listeners: Any) -> StoreJournal:
    return StoreJournal(store.begin_session("first-touch", "Dr-05", "dr05", "dr05", demo=False), *listeners)


def step(index: int) -> JournalEntry:
    return JournalEntry(JournalKind.STEP, {"index": index})


def test_listeners_hear_of_an_entry_only_once_it_is_kept(store: Store) -> None:
    kept_when_told: list[list[tuple[float, JournalEntry]]] = []
    written: Journal = journal(store, lambda _t, _entry: kept_when_told.append(store.entries(1)))
    written.append([step(0), step(1)], 0.5)
    assert kept_when_told == [[(0.5, step(0)), (0.5, step(1))]] * 2


def test_listeners_hear_nothing_of_what_could_not_be_kept(store: Store) -> None:
    told: list[JournalEntry] = []
    written = journal(store, lambda _t, entry: told.append(entry))
    written.append([step(0)], 0.0)
    store._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(JournalError):
        written.append([step(1)], 1.0)
    assert told == [step(0)]


def test_entries_of_one_call_are_kept_together_or_not_at_all(store: Store) -> None:
    written = journal(store)
    with pytest.raises(JournalError, match="cannot be kept"):
        written.append([step(0), JournalEntry(JournalKind.WARNING, {"what": object()})], 0.0)  # type: ignore[dict-item]
    with pytest.raises(JournalError):
        written.append([step(0), step(1)], float("nan"))
    assert store.entries(written.session_id) == []
    written.append([step(7)], 1.0)
    assert store.entries(written.session_id) == [(1.0, step(7))]


def test_a_finished_journal_shows_as_finished_and_a_closed_one_as_interrupted(store: Store) -> None:
    journal(store).finish(SUMMARY)
    journal(store).close()
    assert store.recover() == [2]
    assert [record.status for record in store.sessions()] == [Status.INTERRUPTED, Status.FINISHED]


def test_each_append_is_one_transaction_and_nothing_else(store: Store) -> None:
    written = journal(store)
    statements: list[str] = []
    store._connection.set_trace_callback(statements.append)
    written.append([step(0), step(1), step(2)], 0.0)
    assert [statement.split()[0] for statement in statements] == ["BEGIN", "INSERT", "INSERT", "INSERT", "COMMIT"]
    statements.clear()
    written.append([step(3)], 1.0)
    assert [statement.split()[0] for statement in statements] == ["INSERT"]
    assert not store._connection.in_transaction


def test_h3_no_checkpoint_stalls_a_running_session_and_the_end_leaves_no_wal_behind(
    store: Store, tmp_path: Path
) -> None:
    written = journal(store)
    main, wal = tmp_path / DATABASE_NAME, tmp_path / f"{DATABASE_NAME}-wal"
    before = main.stat().st_mtime_ns
    for index in range(1500):  # SQLite's own checkpoint would come after 1000 pages
        written.append([step(index)], float(index))
    assert main.stat().st_mtime_ns == before
    assert 1500 * 4096 < wal.stat().st_size < 20_000_000
    written.finish(SUMMARY)
    assert wal.stat().st_size == 0
    assert len(store.entries(1)) == 1500


def test_the_end_of_a_session_is_synced_and_its_steps_are_not(store: Store) -> None:
    def level() -> int:
        (number,) = store._connection.execute("PRAGMA synchronous").fetchone()
        return int(number)

    normal, full = 1, 2
    written = journal(store)
    written.append([step(0)], 0.0)
    assert level() == normal
    levels: dict[str, int] = {}
    store._connection.create_function("seen", 0, lambda: levels.setdefault("at the end", level()))
    store._connection.execute("CREATE TEMP TRIGGER watch AFTER UPDATE OF summary ON session BEGIN SELECT seen(); END")
    written.finish(SUMMARY)
    assert levels == {"at the end": full}
    assert level() == normal


VALUES = st.one_of(st.text(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.none())


@given(
    data=st.dictionaries(
        st.text(),
        st.one_of(VALUES, st.booleans(), st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False))),
    ),
    kind=st.sampled_from(JournalKind),
    t=st.floats(0, 1e6),
)
# one store for all examples is what is meant here: each begins a session of its own
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_an_entry_may_hold_reads_back_the_same(
    data: dict[str, Any], kind: JournalKind, t: float, store: Store
) -> None:
    entry = JournalEntry(kind, MappingProxyType(data))
    written = journal(store)
    written.append([entry], t)
    assert store.entries(written.session_id) == [(t, JournalEntry(kind, data))]
    written.close()
