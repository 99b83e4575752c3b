"""The store keeps what it was given, tells in one line what stands in its way, and never loses what was kept."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from types import MappingProxyType

import pytest

from companion.config import Exit
from companion.dates import Calendar
from companion.session.interlocks import PastSession
from companion.session.journal import JournalError
from companion.session.model import JournalEntry, JournalKind, Reason, Summary
from companion.store import database, schema
from companion.store.database import DATABASE_NAME, Status, Store, StoreError
from companion.store.lock import HeldElsewhereError, SessionLock
from companion.store.writer import SessionWriter

MORNING = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store.open(folder, Calendar.fixed(MORNING)) as opened:
        yield opened


def begin(store: Store, *, demo: bool = False) -> SessionWriter:
    return store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo)


def zone(name: str) -> JournalEntry:
    return JournalEntry(JournalKind.ZONE, {"zone": name})


def summary(reason: Reason = Reason.COMPLETED, **zones: float) -> Summary:
    return Summary(reason, MappingProxyType(zones), 30, sum(zones.values()), 700.0, ("chin",))


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_a_fresh_folder_is_made_for_its_owner_alone(folder: Path) -> None:
    with Store.open(folder, Calendar.fixed(MORNING)) as store:
        begin(store).append([zone("left-cheek")], 1.0)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {"session.lock", DATABASE_NAME, f"{DATABASE_NAME}-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_a_folder_that_was_there_keeps_its_mode(folder: Path) -> None:
    folder.mkdir(mode=0o750)
    Store.open(folder, Calendar.fixed(MORNING)).close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_a_new_person_has_chosen_nothing_and_has_their_first_session_before_them(store: Store) -> None:
    person = store.person()
    assert person.comfortable_percent is None
    assert person.first_session
    assert store.screening() is None
    assert store.sessions() == []
    assert store.past_sessions() == []


def test_the_comfortable_maximum_survives_a_restart(folder: Path) -> None:
    with Store.open(folder, Calendar.fixed(MORNING)) as store:
        store.set_comfortable(35)
    with Store.open(folder, Calendar.fixed(MORNING)) as store:
        assert store.person().comfortable_percent == 35


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_comfortable_maximum_outside_the_scale_is_refused(store: Store, percent: int) -> None:
    with pytest.raises(ValueError, match="0 to 100"):
        store.set_comfortable(percent)


def test_the_newest_screening_counts_and_carries_its_date_and_version(folder: Path) -> None:
    later = MORNING + timedelta(days=3)
    with Store.open(folder, Calendar.fixed(MORNING)) as store:
        store.save_screening({"pacemaker": "not sure"}, version=1)
    with Store.open(folder, Calendar.fixed(later)) as store:
        store.save_screening({"pacemaker": "no"}, version=2)
        screening = store.screening()
    assert screening is not None
    assert screening.answers == {"pacemaker": "no"}
    assert screening.version == 2
    assert screening.at == later


def test_a_finished_session_reads_back_as_it_was_written(store: Store) -> None:
    entries = [
        JournalEntry(JournalKind.CONNECTED, {"name": "Dr-05 ☂", "firmware": None}),
        JournalEntry(JournalKind.INTENSITY, MappingProxyType({"percent": 10, "on": True})),
        JournalEntry(JournalKind.FINISHED, {"zones": MappingProxyType({"left-cheek": 12.5})}),
    ]
    writer = begin(store, demo=True)
    writer.append(entries[:2], 0.25)
    writer.append(entries[2:], 12.75)
    writer.finish(summary(**{"left-cheek": 12.5}))

    (record,) = store.sessions()
    assert store.session(record.id) == record
    assert (record.routine, record.device_name, record.device_key, record.protocol, record.demo) == (
        "full-face", "Dr-05", "dr05", "dr05", True,
    )  # fmt: skip
    assert (record.started_at, record.ended_at, record.status) == (MORNING, MORNING, Status.FINISHED)
    assert record.summary == Summary(Reason.COMPLETED, {"left-cheek": 12.5}, 30, 12.5, 700.0, ("chin",))
    assert store.entries(record.id) == [(0.25, entries[0]), (0.25, entries[1]), (12.75, entries[2])]


def test_the_history_lists_the_newest_first_up_to_a_limit(store: Store) -> None:
    for _ in range(3):
        begin(store).finish(summary())
    assert [record.id for record in store.sessions()] == [3, 2, 1]
    assert [record.id for record in store.sessions(limit=2)] == [3, 2]
    assert store.session(9) is None
    assert store.entries(9) == []


def test_nothing_can_be_added_to_a_session_that_has_ended(store: Store) -> None:
    writer = begin(store)
    writer.finish(summary())
    with pytest.raises(JournalError, match="has ended"):
        writer.append([zone("left-cheek")], 1.0)
    with pytest.raises(JournalError, match="has ended"):
        writer.finish(summary(Reason.STOPPED))
    assert store.sessions()[0].summary == Summary(Reason.COMPLETED, {}, 30, 0, 700.0, ("chin",))


# --- H6: what counts for the rest rule --------------------------------------------------------------------------------


def test_h6_zones_that_had_output_count_and_others_do_not(store: Store) -> None:
    begin(store).finish(summary(**{"left-cheek": 12.0, "chin": 0.0}))
    assert store.past_sessions() == [PastSession(MORNING, frozenset({"left-cheek"}))]
    assert not store.person().first_session


def test_h6_a_session_without_output_needs_no_rest_and_leaves_the_first_session_to_come(store: Store) -> None:
    begin(store).finish(summary())
    assert store.past_sessions() == []
    assert store.person().first_session


def test_h6_demo_sessions_never_count(store: Store) -> None:
    begin(store, demo=True).finish(summary(**{"left-cheek": 12.0}))
    assert store.past_sessions() == []
    assert store.person().first_session


def test_h6_an_interrupted_session_counts_with_every_zone_it_had_output_in_until_its_last_entry(store: Store) -> None:
    def level(zone: str) -> JournalEntry:
        return JournalEntry(JournalKind.INTENSITY, {"command": "start", "zone": zone, "percent": 10})

    writer = begin(store)
    writer.append([zone("left-cheek"), level("left-cheek")], 30.0)
    writer.append([zone("right-cheek")], 80.0)  # entered, and no output yet
    writer.append([level("chin"), JournalEntry(JournalKind.PAUSED, {"zone": "forehead"})], 90.5)
    expected = [PastSession(MORNING + timedelta(seconds=90.5), frozenset({"left-cheek", "chin"}))]
    assert store.past_sessions() == expected  # while it runs
    writer.close()
    assert store.recover() == [writer.session_id]
    assert store.past_sessions() == expected
    assert not store.person().first_session


# --- one live session -------------------------------------------------------------------------------------------------


def test_a_session_without_an_end_is_interrupted_at_the_next_start(folder: Path) -> None:
    with Store.open(folder, Calendar.fixed(MORNING)) as store:
        writer = begin(store)
        writer.append([zone("left-cheek")], 12.0)
        writer.close()
    with Store.open(folder, Calendar.fixed(MORNING + timedelta(hours=5))) as store:
        assert store.sessions()[0].status is Status.RUNNING
        assert store.recover() == [1]
        (record,) = store.sessions()
        assert record.status is Status.INTERRUPTED
        assert record.ended_at == MORNING + timedelta(seconds=12)
        assert record.summary is None
        assert store.recover() == []


def test_recovery_leaves_a_live_session_alone(folder: Path, store: Store) -> None:
    writer = begin(store)
    with Store.open(folder, Calendar.fixed(MORNING)) as other:
        assert other.recover() == []
        writer.append([zone("left-cheek")], 1.0)
        assert other.sessions()[0].status is Status.RUNNING


def test_a_second_session_is_refused_while_one_is_live_and_welcome_afterwards(folder: Path, store: Store) -> None:
    writer = begin(store)
    with Store.open(folder, Calendar.fixed(MORNING)) as other:
        with pytest.raises(StoreError, match=rf"running already \(process {os.getpid()}\)") as refusal:
            begin(other)
        assert "\n" not in str(refusal.value)
        assert len(other.sessions()) == 1
        writer.finish(summary())
        begin(other).finish(summary())


def test_beginning_a_session_marks_the_one_that_was_cut_off(store: Store) -> None:
    begin(store).close()
    begin(store)
    assert [record.status for record in store.sessions()] == [Status.RUNNING, Status.INTERRUPTED]


def test_the_lock_tells_another_process_and_ends_with_the_one_that_held_it(folder: Path) -> None:
    folder.mkdir()
    script = (
        "import sys, pathlib; from companion.store.lock import SessionLock;"
        "lock = SessionLock(pathlib.Path(sys.argv[1])); lock.take(); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(HeldElsewhereError) as refusal:
            SessionLock(folder).take()
        assert refusal.value.holder == holder.pid
    finally:
        holder.kill()
        holder.communicate()
    lock = SessionLock(folder)
    lock.take()
    lock.release()
    lock.release()


# --- what stands in the way -------------------------------------------------------------------------------------------


@pytest.fixture
def powerless() -> Iterator[Path]:
    """A read-only folder and no right to change that: root would write into it all the same."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        outer = place / "closed"
        outer.mkdir()
        outer.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield outer
        finally:
            os.seteuid(user)
            outer.chmod(0o755)


def test_a_read_only_place_for_the_data_folder_is_told_in_one_line(powerless: Path) -> None:
    with pytest.raises(StoreError) as fault:
        Store.open(powerless / "data", Calendar.fixed(MORNING))
    told(fault.value, str(powerless / "data"), "cannot be written to", "COMPANION_DATA")


def test_a_read_only_data_folder_is_told_in_one_line(powerless: Path) -> None:
    with pytest.raises(StoreError) as fault:
        Store.open(powerless, Calendar.fixed(MORNING))
    told(fault.value, str(powerless / DATABASE_NAME), "cannot be written to", "COMPANION_DATA")


def test_a_file_in_place_of_the_folder_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(StoreError) as fault:
        Store.open(tmp_path / "data", Calendar.fixed(MORNING))
    told(fault.value, str(tmp_path / "data"), "a file is where a folder should be")


def test_a_database_of_a_newer_version_is_refused_and_stays_untouched(folder: Path) -> None:
    Store.open(folder, Calendar.fixed(MORNING)).close()
    path = folder / DATABASE_NAME
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version = 7")
    raw.close()
    before = (path.read_bytes(), path.stat().st_mtime_ns, sorted(entry.name for entry in folder.iterdir()))
    with pytest.raises(StoreError) as fault:
        Store.open(folder, Calendar.fixed(MORNING))
    told(fault.value, str(path), "version 7", f"up to {schema.SCHEMA_VERSION}", "update the app")
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(entry.name for entry in folder.iterdir())) == before


def test_a_newer_version_that_stands_in_the_wal_alone_is_refused_too(folder: Path) -> None:
    Store.open(folder, Calendar.fixed(MORNING)).close()
    writer = sqlite3.connect(folder / DATABASE_NAME)
    writer.execute("PRAGMA user_version = 7")
    try:
        with pytest.raises(StoreError, match="version 7"):
            Store.open(folder, Calendar.fixed(MORNING))
    finally:
        writer.close()


@pytest.mark.parametrize(
    "content",
    [b"Dear diary, today my cheeks tingled.\n" * 9, b"SQLite format 3\x00 and then nothing"],
    ids=["text", "a header cut short"],
)
def test_a_file_that_is_no_database_is_told_in_one_line_and_stays(folder: Path, content: bytes) -> None:
    folder.mkdir()
    path = folder / DATABASE_NAME
    path.write_bytes(content)
    with pytest.raises(StoreError) as fault:
        Store.open(folder, Calendar.fixed(MORNING))
    told(fault.value, str(path), "not a readable database", "move it aside")
    assert path.read_bytes() == content


def test_a_database_damaged_inside_is_told_in_one_line(folder: Path) -> None:
    with Store.open(folder, Calendar.fixed(MORNING)) as store:
        begin(store).finish(summary())
    path = folder / DATABASE_NAME
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError) as fault, Store.open(folder, Calendar.fixed(MORNING)) as store:
        store.sessions()
    told(fault.value, str(path), "not a readable database")


def test_rows_that_do_not_decode_are_damage_too(folder: Path, store: Store) -> None:
    begin(store).finish(summary())
    raw = sqlite3.connect(folder / DATABASE_NAME)
    raw.execute('UPDATE session SET summary = \'{"reason": "aliens"}\'')
    raw.commit()
    raw.close()
    with pytest.raises(StoreError, match="not a readable database"):
        store.sessions()


def test_a_locked_database_is_told_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_PATIENCE_OPENING_S", 0.01)
    Store.open(folder, Calendar.fixed(MORNING)).close()
    other = sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StoreError) as fault:
            Store.open(folder, Calendar.fixed(MORNING))
    finally:
        other.close()
    told(fault.value, str(folder / DATABASE_NAME), "another program is using it")


def test_a_full_disk_is_told_in_one_line_and_what_was_written_stays(folder: Path) -> None:
    with Store.open(folder, Calendar.fixed(MORNING)) as store:
        writer = begin(store)
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        acknowledged = 0
        with pytest.raises(JournalError) as fault:  # noqa: PT012 - which step it happens at is SQLite's business
            for acknowledged in range(1000):
                writer.append([zone("left-cheek"), zone("chin")], float(acknowledged))
        assert str(fault.value) == "the disk is full"
        kept = store.entries(writer.session_id)
        assert acknowledged > 0
        assert [t for t, _ in kept] == [float(step) for step in range(acknowledged) for _ in range(2)]
        # Once there is room again, the session goes on being written down: nothing of the refused call is left over.
        store._connection.execute("PRAGMA max_page_count = 100000")
        writer.append([zone("left-cheek")], 2000.0)
        assert len(store.entries(writer.session_id)) == len(kept) + 1


def test_a_file_that_may_not_grow_stops_the_journal_and_keeps_what_was_written(folder: Path) -> None:
    script = textwrap.dedent(
        """
        import pathlib, resource, sys
        from datetime import UTC, datetime
        from companion.dates import Calendar
        from companion.session.journal import JournalError
        from companion.session.model import JournalEntry, JournalKind
        from companion.store.database import Store

        store = Store.open(pathlib.Path(sys.argv[1]), Calendar.fixed(datetime(2026, 3, 1, tzinfo=UTC)))
        writer = store.begin_session("full-face", "Dr-05", "dr05", "dr05", False)
        resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))
        step = 0
        try:
            while step < 5000:
                writer.append([JournalEntry(JournalKind.STEP, {"index": step})], float(step))
                step += 1
        except JournalError as error:
            print(step, error)
        """
    )
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    steps, _, cause = done.stdout.strip().partition(" ")
    assert cause in {"the disk is full", "the disk could not be read or written"}, done
    with Store.open(folder, Calendar.fixed(MORNING)) as store:
        assert store.recover() == [1]
        assert [entry.data["index"] for _, entry in store.entries(1)] == list(range(int(steps)))
    assert int(steps) > 5


def test_an_end_that_cannot_be_written_lets_go_of_the_lock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = begin(store)
    store._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(JournalError):
        writer.finish(summary())
    store._connection.execute("PRAGMA query_only = 0")
    assert store.recover() == [writer.session_id]


def test_a_closed_store_is_told_in_one_line(store: Store) -> None:
    store.close()
    with pytest.raises(StoreError) as fault:
        store.sessions()
    told(fault.value, "closed database")
    store.close()


def told(fault: StoreError, *parts: str) -> None:
    line = str(fault)
    assert "\n" not in line
    assert fault.exit_code is Exit.FAULT
    for part in parts:
        assert part in line


# --- migrations -------------------------------------------------------------------------------------------------------


def open_raw(folder: Path) -> sqlite3.Connection:
    folder.mkdir(exist_ok=True)
    return sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)


def version_of(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def test_the_migration_files_are_numbered_without_gaps_up_to_the_version_known() -> None:
    names = sorted(entry.name for entry in (resources.files("companion.store") / "migrations").iterdir())
    assert [int(name.split("_")[0]) for name in names] == list(range(1, schema.SCHEMA_VERSION + 1))


@pytest.fixture
def one_more_migration(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A migration to come; tests put its SQL into the list."""
    sql = ["ALTER TABLE person ADD COLUMN hair TEXT;\nUPDATE person SET hair = 'new; and improved';\n"]
    shipped = list(schema._migrations())
    number = schema.SCHEMA_VERSION + 1
    monkeypatch.setattr(schema, "_migrations", lambda: iter([*shipped, (number, sql[0])]))
    monkeypatch.setattr(schema, "SCHEMA_VERSION", number)
    return sql


def test_a_migration_keeps_the_data_and_a_copy_of_the_old_file(folder: Path, request: pytest.FixtureRequest) -> None:
    with Store.open(folder, Calendar.fixed(MORNING)) as store:
        store.set_comfortable(40)
        old = schema.SCHEMA_VERSION
    request.getfixturevalue("one_more_migration")
    connection = open_raw(folder)
    schema.migrate(connection, folder / DATABASE_NAME, to=old + 1)
    assert connection.execute("SELECT comfortable_percent, hair FROM person").fetchall() == [(40, "new; and improved")]
    assert version_of(connection) == old + 1
    connection.close()

    backup = folder / f"companion-before-version-{old + 1}.sqlite3"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    copy = sqlite3.connect(backup)
    assert version_of(copy) == old
    assert copy.execute("SELECT comfortable_percent FROM person").fetchall() == [(40,)]
    copy.close()
    assert not list(folder.glob("*.part"))


def test_a_fresh_database_has_nothing_to_back_up(folder: Path) -> None:
    Store.open(folder, Calendar.fixed(MORNING)).close()
    assert sorted(path.name for path in folder.iterdir()) == [DATABASE_NAME]


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE person ADD COLUMN hair TEXT;\nUPDATE nobody SET hair = 'x';\n",
        "ALTER TABLE person ADD COLUMN hair TEXT;\nUPDATE person SET",
        "INSERT INTO entry (session_id, number, t, kind, data) VALUES (99, 0, 0, 'step', '{}');\n",
    ],
    ids=["fails halfway", "ends in the middle", "breaks a reference"],
)
def test_a_migration_that_fails_leaves_the_file_as_it_was(
    folder: Path, sql: str, request: pytest.FixtureRequest
) -> None:
    Store.open(folder, Calendar.fixed(MORNING)).close()
    old = schema.SCHEMA_VERSION
    request.getfixturevalue("one_more_migration")[0] = sql
    connection = open_raw(folder)
    with pytest.raises(sqlite3.Error):
        schema.migrate(connection, folder / DATABASE_NAME, to=old + 1)
    assert version_of(connection) == old
    assert "hair" not in [row[1] for row in connection.execute("PRAGMA table_info(person)")]
    connection.close()


def test_two_first_starts_at_once_migrate_once(folder: Path) -> None:
    first, second = open_raw(folder), open_raw(folder)
    (number, sql), *_ = schema._migrations()
    schema._apply(first, number, sql)
    schema._apply(second, number, sql)  # waited for the first, and finds the work done
    assert version_of(second) == number
    first.close()
    second.close()


# --- dates ------------------------------------------------------------------------------------------------------------


def test_dates_without_an_offset_are_refused() -> None:
    with pytest.raises(ValueError, match="UTC offset"):
        Calendar.fixed(datetime(2026, 3, 1))  # noqa: DTZ001 - the mistake itself
    with pytest.raises(ValueError, match="UTC offset"):
        Calendar(lambda: datetime(2026, 3, 1)).now()  # noqa: DTZ001 - the mistake itself


def test_the_system_calendar_knows_its_offset() -> None:
    assert Calendar.system().now().utcoffset() is not None
