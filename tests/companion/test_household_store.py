"""Several people in one database: nobody sees another's data or passes the questions, and forgotten is forgotten."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import pytest

from companion.care.screening import QUESTIONS
from companion.config import CompanionError, state_folder
from companion.dates import Calendar
from companion.session.model import JournalEntry, JournalKind, Reason, Summary
from companion.store import schema
from companion.store.database import DATABASE_NAME, PersonError, Store
from companion.store.diary import Drink, Remark

MORNING = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
CLEAR = {question.id: "no" for question in QUESTIONS}
PREGNANT = {**CLEAR, "pregnant": "yes"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def opened(folder: Path, person: str | None = None, now: datetime = MORNING) -> Store:
    return Store.open(folder, Calendar.fixed(now), person=person)


@pytest.fixture
def household(folder: Path) -> Iterator[Path]:
    """Ada and Ben, each with a session, answers and habits of their own."""
    with opened(folder) as store:
        store.people.rename("me", "Ada")
        store.people.add("Ben")
    for name, zone in (("Ada", "chin"), ("Ben", "forehead")):
        with opened(folder, name) as store:
            store.save_screening(CLEAR)
            writer = store.begin_session("full-face", f"Dr-05 of {name}", "dr05", "dr05", demo=False)
            writer.append([JournalEntry(JournalKind.ZONE, {"zone": zone})], 1.0)
            writer.finish(Summary(Reason.COMPLETED, MappingProxyType({zone: 60.0}), 30, 60.0, 700.0, ()))
            store.set_comfortable(40 if name == "Ada" else 20)
            store.set_zones(neck=name == "Ada", no_go={zone})
            store.diary.drink(250 if name == "Ada" else 150)
            store.diary.check_skin(1, 2, 3 if name == "Ada" else 4)
            store.diary.choose("plan", {"of": name})
            store.diary.begin_patch_test("jaw", f"note of {name}")
            store.diary.say(store.sessions()[0].id, f"words of {name}", [f"/photos/{name}.jpg"])
            store.diary.claim("water 1", MORNING)
            store.diary.snooze(f"session {name}", MORNING)
    return folder


def all_of(store: Store) -> str:
    """Everything that one person's store tells, as text."""
    sessions = store.sessions()
    diary = store.diary
    return repr(
        [
            store.person(),
            store.screening(),
            sessions,
            [store.entries(session.id) for session in sessions],
            store.past_sessions(),
            diary.drinks(),
            diary.skin_checks(),
            diary.choice("plan", dict),
            diary.patch_test(),
            [diary.remark(session.id) for session in sessions],
            diary.snoozed(),
        ]
    )


def test_nobody_sees_what_is_somebody_elses(household: Path) -> None:
    with opened(household, "Ada") as ada, opened(household, "Ben") as ben:
        assert "Ben" not in all_of(ada)
        assert "forehead" not in all_of(ada)
        assert "Ada" not in all_of(ben)
        assert "chin" not in all_of(ben)
        his = ben.sessions()[0].id
        assert ada.session(his) is None
        assert ada.entries(his) == []
        assert ada.diary.remark(his) is None
        assert ada.diary.say(his, "mine now") is False
        assert ben.diary.remark(his) == Remark("words of Ben", ("/photos/Ben.jpg",))


def test_what_one_person_changes_stays_theirs(household: Path) -> None:
    with opened(household, "Ben") as ben:
        before = all_of(ben)
    with opened(household, "Ada") as ada:
        ada.set_comfortable(1)
        ada.set_zones(neck=False, no_go=())
        ada.save_screening(PREGNANT)
        ada.diary.drink(100)
        ada.diary.undo_drink()
        ada.diary.undo_drink()
        ada.diary.check_skin(5, 5, 5)
        ada.diary.choose("plan", None)
        ada.diary.end_patch_test("reaction")
        ada.diary.snooze("session Ben", MORNING)
    with opened(household, "Ben") as ben:
        assert all_of(ben) == before


def test_the_rest_of_one_person_is_not_the_rest_of_another(household: Path) -> None:
    with opened(household, "Ada") as ada, opened(household, "Ben") as ben:
        assert [past.zones for past in ada.past_sessions()] == [{"chin"}]
        assert [past.zones for past in ben.past_sessions()] == [{"forehead"}]


def test_it_is_the_turn_of_whoever_was_chosen(household: Path) -> None:
    with opened(household) as store:
        assert store.person().name == "Ada"
        store.people.choose("ben")
    with opened(household) as store:
        assert store.person().name == "Ben"
        assert store.people.names() == ["Ada", "Ben"]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("ada", "called"), ("", "no name"), ("x" * 41, "no name"), ("a\x1b[2J", "no name")],
    ids=["taken", "empty", "too long", "unprintable"],
)
def test_a_name_that_cannot_be_kept_is_refused_in_one_line(household: Path, name: str, complaint: str) -> None:
    with opened(household) as store:
        with pytest.raises(PersonError, match=complaint) as refused:
            store.people.add(name)
        assert "\n" not in str(refused.value)
        with pytest.raises(PersonError, match=complaint):
            store.people.rename("Ben", name)
        assert store.people.names() == ["Ada", "Ben"]


def test_a_person_may_change_the_letters_of_their_own_name(household: Path) -> None:
    with opened(household) as store:
        store.people.rename("ada", "ADA")
        assert store.people.names() == ["ADA", "Ben"]


def test_somebody_who_is_not_there_is_told_who_is(household: Path) -> None:
    with pytest.raises(PersonError, match="Ada, Ben"):
        opened(household, "Cleo")


# --- forgetting -------------------------------------------------------------------------------------------------------


def test_a_person_who_leaves_is_forgotten_to_the_last_byte(household: Path) -> None:
    with opened(household, "Ben") as store:
        store.people.choose("Ben")
        store.remove_person("ben")
    with opened(household) as store:
        assert store.people.names() == ["Ada"]
        assert store.person().name == "Ada"
        assert "Ada" in all_of(store)
    for path in household.iterdir():
        data = path.read_bytes()
        for left in (b"Ben", b"forehead"):
            assert left not in data, f"{left!r} is still in {path.name}"


def test_nothing_of_a_person_who_left_stays_beside_the_data_either(household: Path) -> None:
    (seals,) = state_folder(household).iterdir()
    assert set(json.loads(seals.read_bytes())) == {"1", "2"}
    with opened(household) as store:
        store.remove_person("Ben")
    assert set(json.loads(seals.read_bytes())) == {"1"}


def test_the_last_person_stays(household: Path) -> None:
    with opened(household) as store:
        store.remove_person("Ben")
        with pytest.raises(PersonError, match="delete --all"):
            store.remove_person("Ada")


def test_nobody_is_removed_in_the_middle_of_a_session(household: Path) -> None:
    with opened(household) as store:
        writer = store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo=False)
        with pytest.raises(CompanionError, match="session is running"):
            store.remove_person("Ben")
        writer.close()
        assert store.people.names() == ["Ada", "Ben"]


def test_who_comes_after_somebody_who_left_inherits_nothing(household: Path) -> None:
    with opened(household) as store:
        store.remove_person("Ben")
        store.people.add("Ben")
    with opened(household, "Ben") as store:
        assert store.screening() is None
        assert store.sessions() == []
        assert store.diary.drinks() == []
        assert store.person().first_session


# --- H10: the seal on the answers -------------------------------------------------------------------------------------


def test_h10_answers_that_were_edited_in_the_database_are_no_answers(folder: Path) -> None:
    with opened(folder) as store:
        store.save_screening(PREGNANT)
        assert store.screening() is not None
    raw = sqlite3.connect(folder / DATABASE_NAME)
    raw.execute('UPDATE screening SET answers = replace(answers, \'"pregnant":"yes"\', \'"pregnant":"no"\')')
    assert raw.execute('SELECT answers LIKE \'%"pregnant":"no"%\' FROM screening').fetchone() == (1,)
    raw.commit()
    raw.close()
    with opened(folder) as store:
        assert store.screening() is None


def test_h10_a_date_that_was_edited_in_the_database_makes_no_fresh_answers(folder: Path) -> None:
    with opened(folder) as store:
        store.save_screening(CLEAR)
    raw = sqlite3.connect(folder / DATABASE_NAME)
    raw.execute("UPDATE screening SET at = ?", ((MORNING + timedelta(days=80)).isoformat(),))
    raw.commit()
    raw.close()
    with opened(folder) as store:
        assert store.screening() is None


def test_h10_a_row_that_was_deleted_does_not_bring_back_the_one_before(folder: Path) -> None:
    with opened(folder) as store:
        store.save_screening(CLEAR)
        store.save_screening(PREGNANT)
    raw = sqlite3.connect(folder / DATABASE_NAME)
    raw.execute("DELETE FROM screening WHERE id = (SELECT max(id) FROM screening)")
    raw.commit()
    raw.close()
    with opened(folder) as store:
        assert store.screening() is None


def test_h10_a_backup_from_before_does_not_bring_back_its_answers(folder: Path, tmp_path: Path) -> None:
    with opened(folder) as store:
        store.save_screening(CLEAR)
    shutil.copytree(folder, tmp_path / "backup")
    with opened(folder) as store:
        store.save_screening(PREGNANT)
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)
    with opened(folder) as store:
        assert store.screening() is None
        store.save_screening(CLEAR)  # answering again is the way
        assert store.screening() is not None


def test_h10_the_answers_of_one_person_are_no_answers_of_another(household: Path) -> None:
    with opened(household, "Ada") as store:
        store.save_screening(PREGNANT)
    raw = sqlite3.connect(household / DATABASE_NAME)
    raw.execute("UPDATE screening SET person_id = 3 - person_id")
    raw.commit()
    raw.close()
    for name in ("Ada", "Ben"):
        with opened(household, name) as store:
            assert store.screening() is None


@pytest.mark.parametrize("harm", ["gone", "no JSON", "no object", "a folder"])
def test_h10_without_its_seals_nothing_counts_as_answered(folder: Path, harm: str) -> None:
    with opened(folder) as store:
        store.save_screening(CLEAR)
    (seals,) = state_folder(folder).iterdir()
    seals.unlink()
    match harm:
        case "no JSON":
            seals.write_text("{")
        case "no object":
            seals.write_text("[]")
        case "a folder":
            seals.mkdir()
    with opened(folder) as store:
        assert store.screening() is None


def test_the_seals_are_for_their_owner_alone_and_hold_no_answer(folder: Path) -> None:
    with opened(folder) as store:
        store.save_screening(PREGNANT)
    (seals,) = state_folder(folder).iterdir()
    assert stat.S_IMODE(seals.stat().st_mode) == 0o600
    assert stat.S_IMODE(seals.parent.stat().st_mode) == 0o700
    assert b"pregnant" not in seals.read_bytes()
    assert not seals.is_relative_to(folder)


def test_seals_that_cannot_be_kept_are_told_and_nothing_counts_as_answered(folder: Path) -> None:
    with opened(folder) as store:
        state_folder(folder).write_text("in the way")
        with pytest.raises(CompanionError):
            store.save_screening(CLEAR)
        assert store.screening() is None


# --- what is kept beside the sessions ---------------------------------------------------------------------------------


def test_drinks_are_counted_from_a_moment_on_whatever_their_offset(folder: Path) -> None:
    east = datetime.fromisoformat("2026-03-01T10:30:00+03:00")  # 07:30 in UTC
    with opened(folder) as store:
        store.diary.drink(200, east)
        store.diary.drink(250)
        assert [drink.ml for drink in store.diary.drinks(since=MORNING)] == [250]
        assert [drink.ml for drink in store.diary.drinks(since=east)] == [200, 250]
        assert store.diary.undo_drink() == Drink(2, MORNING, 250)
        assert [drink.ml for drink in store.diary.drinks()] == [200]


@pytest.mark.parametrize("ml", [0, -1, 2001])
def test_what_is_no_drink_is_refused(folder: Path, ml: int) -> None:
    with opened(folder) as store:
        with pytest.raises(ValueError, match="mL"):
            store.diary.drink(ml)
        assert store.diary.undo_drink() is None


@pytest.mark.parametrize("scores", [(0, 1, 1), (1, 6, 1), (1, 1, -1)])
def test_a_skin_check_is_from_one_to_five(folder: Path, scores: tuple[int, int, int]) -> None:
    with opened(folder) as store:
        with pytest.raises(ValueError, match="1 to 5"):
            store.diary.check_skin(*scores)
        assert store.diary.skin_checks() == []


def test_a_patch_test_waits_for_its_outcome(folder: Path) -> None:
    with opened(folder) as store:
        assert store.diary.patch_test() is None
        assert store.diary.end_patch_test("calm") is False
        store.diary.begin_patch_test("forearm")
        waiting = store.diary.patch_test()
        assert waiting is not None
        assert waiting.outcome is None
        assert store.diary.end_patch_test("calm", "nothing to see") is True
        assert store.diary.end_patch_test("reaction") is False
        done = store.diary.patch_test()
        assert done is not None
        assert (done.place, done.outcome, done.note) == ("forearm", "calm", "nothing to see")


def test_a_declined_patch_test_has_a_note_and_no_outcome(folder: Path) -> None:
    with opened(folder) as store:
        store.diary.begin_patch_test("declined", "I know my skin")
        assert store.diary.end_patch_test("calm") is False


def test_a_reminder_is_claimed_once_whoever_asks(folder: Path) -> None:
    with opened(folder) as first, opened(folder) as second:
        assert first.diary.claim("session 2026-03-01", MORNING) is True
        assert second.diary.claim("session 2026-03-01", MORNING) is False
        assert second.diary.claimed("session 2026-03-01")
        assert not second.diary.claimed("session 2026-03-02")
        second.people.add("Ben")
        with opened(folder, "Ben") as ben:
            assert not ben.diary.claimed("session 2026-03-01")
            assert ben.diary.claim("session 2026-03-01", MORNING) is True
        second.diary.snooze("water", MORNING)
        second.diary.snooze("water", MORNING + timedelta(minutes=10))
        assert first.diary.snoozed() == {"water": MORNING + timedelta(minutes=10)}


def test_a_zone_that_there_is_not_is_refused(folder: Path) -> None:
    with opened(folder) as store:
        with pytest.raises(ValueError, match="eyeball"):
            store.set_zones(neck=False, no_go={"eyeball"})
        store.set_zones(neck=True, no_go={"chin", "left-jawline"})
        assert store.person().neck
        assert store.person().no_go == {"chin", "left-jawline"}


# --- from version 1 ---------------------------------------------------------------------------------------------------


def test_a_database_of_version_1_comes_along_with_all_that_is_in_it_and_asks_the_questions_again(folder: Path) -> None:
    folder.mkdir()
    os.close(os.open(folder / DATABASE_NAME, os.O_CREAT | os.O_WRONLY, 0o600))
    old = sqlite3.connect(folder / DATABASE_NAME, isolation_level=None)
    schema.migrate(old, folder / DATABASE_NAME, to=1)
    old.execute("UPDATE person SET comfortable_percent = 35")
    old.execute("INSERT INTO screening (at, version, answers) VALUES (?, 1, '{}')", (MORNING.isoformat(),))
    old.execute(
        "INSERT INTO session (id, routine, device_name, device_key, protocol, demo, started_at, ended_at, interrupted)"
        " VALUES (7, 'first-touch', 'Dr-05', 'dr05', 'dr05', 0, ?, ?, 1)",
        (MORNING.isoformat(), MORNING.isoformat()),
    )
    zone = '{"zone":"chin"}'
    old.execute("INSERT INTO entry (session_id, number, t, kind, data) VALUES (7, 0, 1.5, 'intensity', ?)", (zone,))
    old.close()

    with opened(folder) as store:
        person = store.person()
        assert (person.id, person.name, person.comfortable_percent, person.first_session) == (1, "me", 35, False)
        assert store.screening() is None  # its answers never had a seal
        (session,) = store.sessions()
        assert (session.id, session.routine) == (7, "first-touch")
        assert store.entries(session.id) == [(1.5, JournalEntry(JournalKind.INTENSITY, {"zone": "chin"}))]
        assert [past.zones for past in store.past_sessions()] == [{"chin"}]
        writer = store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo=False)
        assert writer.session_id > session.id
        writer.close()
