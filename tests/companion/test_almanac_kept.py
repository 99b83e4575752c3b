"""What the store keeps for the almanac: reminders that were told, drinks of late, remarks, and all of one person."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion.care import reminders
from companion.dates import Calendar
from companion.store.database import DATABASE_NAME, Store, StoreError
from companion.store.diary import KEPT, Diary, Remark
from tests.companion.at_home import CLEAR, MONDAY, AtHome

OFFSETS = [timezone(timedelta(hours=hours)) for hours in (-12, -3, 0, 5, 14)]
moments = st.builds(
    lambda days, zone: (MONDAY + timedelta(days=days)).astimezone(zone),
    st.floats(-3, 3),
    st.sampled_from(OFFSETS),
)


def test_the_store_keeps_what_reminders_need_for_as_long_as_they_say() -> None:
    assert KEPT == reminders.KEPT


def test_a_reminder_that_was_told_is_remembered_as_long_as_it_matters(home: AtHome) -> None:
    with home.store() as store:
        kept = store.diary
        assert kept.claim("first", MONDAY)
        assert kept.fired(MONDAY) == {"first": MONDAY}
        assert kept.fired(MONDAY + timedelta(seconds=1)) == {}
        kept.claim("second", MONDAY + KEPT)
        assert set(kept.fired(MONDAY)) == {"first", "second"}
        assert not kept.claim("first", MONDAY + KEPT)
        kept.claim("third", MONDAY + KEPT + timedelta(days=3))
        assert set(kept.fired(MONDAY - timedelta(days=999))) == {"second", "third"}


def test_what_somebody_else_was_told_of_is_neither_known_nor_forgotten(home: AtHome) -> None:
    with home.store() as store:
        store.people.add("Ben")
        store.diary.claim("one", MONDAY)
        with home.store("Ben") as his:
            assert his.diary.fired(MONDAY) == {}
            assert his.diary.claim("one", MONDAY + timedelta(days=40))
        assert set(store.diary.fired(MONDAY)) == {"one"}


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Diary]]:
    """The diary of somebody new at each call: a database for each example would take seconds."""
    folder = tmp_path_factory.mktemp("data")
    with Store.open(folder, Calendar.fixed(MONDAY)) as store:
        numbers = count()

        def somebody() -> Diary:
            person = store.people.add(f"somebody {next(numbers)}")
            return Diary(store._connection, folder / DATABASE_NAME, Calendar.fixed(MONDAY), person)

        yield somebody


@given(at=st.lists(moments, max_size=6), since=moments)
def test_drinks_and_reminders_since_a_moment_are_those_since_that_moment_in_any_zone(
    crowd: Callable[[], Diary], at: list[datetime], since: datetime
) -> None:
    kept = crowd()
    for number, moment in enumerate(at, start=1):
        kept.drink(number, moment)
        kept.claim(str(number), moment)
    late = [number for number, moment in enumerate(at, start=1) if moment.astimezone(UTC) >= since.astimezone(UTC)]
    assert [one.ml for one in kept.drinks(since)] == late
    assert sorted(map(int, kept.fired(since))) == late


def test_snoozes_are_forgotten_when_they_are_over(home: AtHome) -> None:
    with home.store() as store:
        store.diary.snooze("old", MONDAY)
        store.diary.snooze("new", MONDAY + timedelta(hours=1))
        store.diary.forget_snoozes(MONDAY)
        assert set(store.diary.snoozed()) == {"new"}


def test_remarks_come_by_the_number_of_their_session_and_are_ones_own(home: AtHome) -> None:
    with home.store() as store:
        store.people.add("Ben")
        first, second = home.held(store), home.held(store)
        store.diary.say(second, "calm", ["/a.jpg"])
        assert store.diary.remarks() == {second: Remark("calm", ("/a.jpg",))}
        assert first not in store.diary.remarks()
        with home.store("Ben") as his:
            assert his.diary.remarks() == {}


def everything_of(home: AtHome, person: str) -> str:
    with home.store(person) as store:
        return json.dumps(store.everything())


def test_everything_of_a_person_is_every_row_of_every_table_that_is_theirs_and_no_other(home: AtHome) -> None:
    with home.store() as store:
        store.people.rename("me", "Ada")
        store.people.add("Ben")
    for name in ("Ada", "Ben"):
        with home.store(name) as store:
            store.save_screening(CLEAR)
            session = home.held(store, routine=f"routine-of-{name}")
            home.cut_off(store, output=True)
            store.diary.say(session, f"words-of-{name}", [f"/{name}.jpg"])
            store.diary.drink(len(name) * 100)
            store.diary.check_skin(1, 2, 3)
            store.diary.begin_patch_test("jaw", f"note-of-{name}")
            store.diary.choose(f"choice-of-{name}", {"a": 1})
            store.diary.claim(f"key-of-{name}", MONDAY)
            store.diary.snooze(f"snooze-of-{name}", MONDAY)
    hers, his = everything_of(home, "Ada"), everything_of(home, "Ben")
    assert "Ben" not in hers
    assert "Ada" not in his
    found = json.loads(hers)
    raw = sqlite3.connect(home.folder / DATABASE_NAME)
    tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    counts = {
        name: raw.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 - names from the database itself
        for name in tables
    }
    raw.close()
    assert set(found) == tables - {"device", "household", "sqlite_sequence"}
    assert found["person"]["name"] == "Ada"
    assert {name: 2 * len(rows) for name, rows in found.items() if name != "person"} == {
        name: counts[name] for name in found if name != "person"
    }
    assert found["screening"][0]["answers"] == CLEAR
    assert found["choice"][0]["value"] == {"a": 1}
    assert found["remark"][0]["photos"] == ["/Ada.jpg"]


def test_a_table_that_names_nobody_is_a_mistake_and_not_left_out(home: AtHome) -> None:
    with home.store() as store:
        store._connection.execute("CREATE TABLE stray (id INTEGER)")
        with pytest.raises(StoreError):
            store.everything()
