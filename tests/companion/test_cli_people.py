"""``companion people`` and ``--person``: one household, and nobody who sees or changes what is somebody else's."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from companion import cli
from companion.commands import people
from companion.commands.asking import Asking
from companion.config import CompanionError, Exit
from companion.store.database import PersonError, Store
from tests.companion.at_home import CLEAR, AtHome


@pytest.fixture
def household(home: AtHome) -> AtHome:
    """Ada, whose turn it is, and Ben."""
    home.run("people rename me Ada").fine()
    home.run("people add Ben").fine()
    return home


def test_a_household_begins_with_one_person(home: AtHome) -> None:
    assert home.run("people").fine().lines == ["me  their turn"]


def test_people_are_added_renamed_and_chosen(household: AtHome) -> None:
    assert household.run("people").lines == ["Ada  their turn", "Ben"]
    assert household.run("people choose ben").fine().lines == ["It is Ben's turn."]
    assert household.run("people --json").fine().lines == ['{"name":"Ada","turn":false}', '{"name":"Ben","turn":true}']
    assert household.run("people rename ada 'Ada  Lovelace'").fine().lines == ["ada is called Ada Lovelace now."]
    told = household.run("people add 'Zoë K.'").fine()
    assert "companion profile --person 'Zoë K.'" in told.out


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("add ada", ["'ada'", "already"]),
        ("add ' '", ["no name"]),
        ("add", ["NAME is missing"]),
        ("choose Zoe", ["'Zoe'", "Ada, Ben"]),
        ("rename Zoe Ada", ["'Zoe'"]),
        ("rename Ben Ada", ["already"]),
        ("rename Ben", ["NEW is missing"]),
        ("remove Zoe --yes", ["'Zoe'"]),
        ("remove Ben", ["nobody is here to ask", "--yes"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_slip_is_one_line_and_changes_nobody(household: AtHome, line: str, parts: list[str]) -> None:
    household.run(f"people {line}").refused(Exit.USAGE, *parts)
    assert household.run("people").lines == ["Ada  their turn", "Ben"]


# --- somebody leaves --------------------------------------------------------------------------------------------------


def test_who_leaves_is_asked_for_by_name(household: AtHome, capsys: pytest.CaptureFixture[str]) -> None:
    questions = io.StringIO()
    for answer in ("", "\n", "yes\n", "Ada\n"):
        with pytest.raises(CompanionError, match="nobody was removed") as refused:
            people.remove("Ben", yes=False, asking=Asking(io.StringIO(answer), questions))
        assert refused.value.exit_code == Exit.STOPPED_EARLY
    assert "Everything of Ben will be forgotten" in questions.getvalue()
    people.remove("ben", yes=False, asking=Asking(io.StringIO(" BEN \n"), questions))
    assert household.run("people").lines == ["Ada  their turn"]


def test_who_leaves_takes_their_calendar_file_along_and_no_other(household: AtHome, tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.ics" for name in ("Ada", "Ben")}
    for name, file in files.items():
        household.run(f"plan choose course-4 --person {name}").fine()
        household.run(f"plan subscribe {{file}} --person {name}", file=file).fine()
    assert household.run("people remove Ben --yes").fine().lines == ["Ben and all that was theirs is forgotten."]
    assert (files["Ada"].exists(), files["Ben"].exists()) == (True, False)


def test_a_file_that_took_the_place_of_a_calendar_stays(household: AtHome, tmp_path: Path) -> None:
    file = tmp_path / "a.ics"
    household.run("plan choose course-4 --person Ben").fine()
    household.run("plan subscribe {file} --person Ben", file=file).fine()
    file.write_text("somebody else's")
    household.run("people remove Ben --yes").fine()
    assert file.read_text() == "somebody else's"


def test_the_last_one_stays(household: AtHome) -> None:
    household.run("people remove Ben --yes").fine()
    household.run("people remove Ada --yes").refused(Exit.USAGE, "delete --all")


def test_nobody_is_removed_in_the_middle_of_a_session(household: AtHome) -> None:
    with household.store() as store:
        writer = store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo=False)
        household.run("people remove Ben --yes").refused(Exit.FAULT, "session is running")
        writer.close()


# --- nobody sees what is somebody else's ------------------------------------------------------------------------------

SEEN = (
    "plan",
    "plan --json",
    "water",
    "water --json",
    "water goal",
    "reminders",
    "reminders --json",
    "history",
    "history --json",
    "profile show",
    "profile comfortable",
    "export --format csv",
    "export --format json",
)


def lived(household: AtHome, name: str, tmp_path: Path) -> int:
    """Let ``name`` do all that can be done; what they leave behind bears their name. Return their session's number."""
    photo = tmp_path / f"photo-of-{name}.jpg"
    photo.touch()
    with household.store(name) as store:
        store.save_screening(CLEAR)
        session = household.held(store, routine=f"routine-of-{name}", zones={f"zone-of-{name}": 60.0})
        store.diary.check_skin(1, 2, 3)
        store.diary.begin_patch_test("jaw", f"patch-of-{name}")
    for line in (
        "plan choose gentle --at 6:00",
        "plan subscribe {folder}/calendar-of-{name}.ics",
        "water 777",
        "water goal 1777",
        f"history note {session} note-of-{{name}}",
        f"history photo {session} {{photo}}",
        "profile comfortable 17",
    ):
        household.run(f"{line} --person {name}", name=name, folder=tmp_path, photo=photo).fine()
    return session


def test_two_people_never_see_each_others_data_through_any_command(household: AtHome, tmp_path: Path) -> None:
    before = {line: household.run(f"{line} --person Ben").fine().out for line in SEEN}
    session = lived(household, "Ada", tmp_path)
    for line in SEEN:
        told = household.run(f"{line} --person Ben").fine().out
        assert "Ada" not in told, line
        if "json" not in line or "export" not in line:  # which says when it was written
            assert told == before[line], line
    for line in ("history show {id}", "history note {id} mine-now", "history photo {id} {photo}"):
        photo = tmp_path / "photo-of-Ada.jpg"
        household.run(f"{line} --person Ben", id=session, photo=photo).refused(Exit.USAGE, f"no session {session}")
    household.run("water undo --person Ben").refused(Exit.USAGE)
    household.run("reminders snooze session/2026-03-02/1 5 --person Ben").refused(Exit.USAGE)


def test_what_one_person_does_changes_nothing_of_anothers(household: AtHome, tmp_path: Path) -> None:
    session = lived(household, "Ada", tmp_path)
    seen = (*SEEN, f"history show {session}")
    before = {line: household.run(f"{line} --person Ada").fine().out for line in seen}
    lived(household, "Ben", tmp_path)
    for line in seen:
        told = household.run(f"{line} --person Ada").fine().out
        assert "Ben" not in told, line
        assert told == before[line], line
    household.run("people remove Ben --yes").fine()
    assert {line: household.run(f"{line} --person Ada").fine().out for line in seen} == before


@pytest.mark.parametrize(
    "line",
    [
        *SEEN,
        "plan choose gentle",
        "plan pause",
        "plan resume",
        "plan export x.ics",
        "plan subscribe x.ics",
        "plan unsubscribe",
        "water 200",
        "water undo",
        "water limited on",
        "history show 1",
        "history note 1 hello",
        "reminders snooze a 5",
        "run first-touch --yes",
        "run first-touch --yes --demo --speed max",
    ],
)
def test_who_is_not_there_is_one_line_for_every_command(household: AtHome, line: str) -> None:
    household.run(f"{line} --person Zoe").refused(Exit.USAGE, "'Zoe'")


def test_the_app_looks_for_who_is_named_before_it_draws(household: AtHome, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str | None] = []

    def run_app(*_arguments: object, person: str | None, with_keys: bool) -> int:
        begun.append(person)
        return 0

    monkeypatch.setattr("companion.app.run_app", run_app)
    with monkeypatch.context() as terminal:
        for stream in ("stdin", "stdout", "stderr"):
            terminal.setattr(f"sys.{stream}.isatty", lambda: True)
        assert cli.main(["--person", "ben"]) == Exit.FINISHED
        assert cli.main(["--person", "Zoe"]) == Exit.USAGE
    assert begun == ["ben"]


def test_the_app_shows_whose_it_is(household: AtHome) -> None:
    from companion.household import Household  # noqa: PLC0415 - the app's

    shown = {}
    for name in ("Ada", "Ben", None):
        house = Household(folder=household.folder, calendar=household.calendar, person=name)
        shown[name] = house._kept.person().name
        house._kept.close()
    assert shown == {"Ada": "Ada", "Ben": "Ben", None: "Ada"}
    with pytest.raises(PersonError):
        Household(folder=household.folder, calendar=household.calendar, person="Zoe").open()


def test_a_session_is_the_persons_who_was_named(household: AtHome) -> None:
    with Store.open(household.folder / "demo", household.calendar) as store:
        store.people.add("Ben")
    household.run("run first-touch --demo --speed max --yes --json --person Ben")
    for name, count in (("me", 0), ("Ben", 1)):
        with household.store(name, demo=True) as store:
            assert len(store.sessions()) == count
