"""``companion plan``: what comes next in a few lines that read aloud well, and every slip in one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from icalendar import Calendar as ICalendar

from companion.care.plan import Mark
from companion.care.plans import PLANS
from companion.config import Exit
from companion.words import commands as words
from companion.words import plan as plan_words
from tests.companion.at_home import PACEMAKER, AtHome


def starts(path: Path) -> list[datetime]:
    return sorted(event.decoded("DTSTART") for event in ICalendar.from_ical(path.read_bytes()).walk("VEVENT"))


def test_without_a_plan_one_sees_which_there_are(home: AtHome) -> None:
    told = home.run("plan").fine()
    assert "companion plan choose course-4" in told.lines[0]
    for name in (*PLANS, "custom"):
        assert name in told.out
    assert home.run("plan --json").fine().json == {"plan": None}


def test_a_plan_is_chosen_and_shown(home: AtHome) -> None:
    told = home.run("plan choose course-4").fine()
    assert home.run("plan").fine().lines == [told.lines[0], *told.lines[2:]]  # without its summary
    assert told.lines == [
        "Four weeks, then weekly",
        "Two or three sessions a week for four weeks, then one a week.",
        "First weeks, week 1 of 4: 0 of 3 this week.",
        "",
        "Next: Monday, 2 March at 19:00, 12 min.",
        "Today: Planned for today at 19:00.",
        "",
        "week of  mon  tue  wed  thu  fri  sat  sun",
        " 2 Mar   o    .    o    .    o    .    .",
        " 9 Mar   o    .    o    .    o    .    .",
        "16 Mar   o    .    o    .    o    .    .",
        "23 Mar   o    .    o    .    o    .    .",
        "30 Mar   o    .    .    .    .    .    .",
        "o planned, . rest day",
    ]


def test_wishes_are_heard(home: AtHome) -> None:
    home.run("plan choose gentle --start 2026-03-04 --days tue,FRIDAY --at 7:15 --minutes 20").fine()
    found = home.run("plan --json").fine().json
    assert found["chosen"]["start"] == "2026-03-04"
    assert found["chosen"]["weekdays"] == [1, 4]
    assert found["next_session"] == "2026-03-06T07:15:00+01:00"
    assert found["proposals"][0] == {"at": "2026-03-06T07:15:00+01:00", "minutes": 20}
    assert "Starts on Wednesday, 4 March." in home.run("plan").out


def test_a_plan_of_ones_own_has_ones_own_numbers(home: AtHome) -> None:
    home.run("plan choose custom --first-days 0 --then-a-week 2 --rest 48").fine()
    chosen = home.run("plan --json").fine().json["chosen"]
    assert chosen["custom"] == {"first_days": 0, "first_a_week": 3, "then_a_week": 2, "rest_h": 48}


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("choose gentel", ["'gentel'", "gentle", "custom"]),
        ("choose gentle --rest 24", ["custom"]),
        ("choose custom --rest 11", ["12 hours", "11"]),
        ("choose custom --first-a-week 8", ["1 to 7"]),
        ("choose gentle --minutes 21", ["20 minutes", "21"]),
        ("choose gentle --minutes ten", ["--minutes", "whole number"]),
        ("choose gentle --start tomorrow", ["--start", "2026-03-02", "'tomorrow'"]),
        ("choose gentle --start 2026-02-30", ["--start", "'2026-02-30'"]),
        ("choose gentle --start 20260302", ["--start", "'20260302'"]),
        ("choose gentle --days mon,someday", ["--days", "mon,thu", "'mon,someday'"]),
        ("choose gentle --days ''", ["--days"]),
        ("choose gentle --days t", ["--days"]),
        ("choose gentle --at 25:00", ["--at", "19:30", "'25:00'"]),
        ("choose gentle --at 19", ["--at", "'19'"]),
        ("choose", ["NAME is missing"]),
        ("pause --until 2026-03-01", ["2026-03-02", "2026-03-01"]),
        ("pause --because boredom", ["--because", "travel"]),
        ("resume", ["not paused"]),
        ("unsubscribe", ["no calendar file"]),
        ("shwo", ["'shwo'"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_slip_is_one_line_and_changes_nothing(home: AtHome, line: str, parts: list[str]) -> None:
    home.run("plan choose course-4").fine()
    before = home.run("plan --json").fine().json
    home.run(f"plan {line}").refused(Exit.USAGE, *parts)
    assert home.run("plan --json").fine().json == before


@pytest.mark.parametrize(
    "line", ["pause", "resume", "export {file}", "subscribe {file}"], ids=lambda line: line.split()[0]
)
def test_what_needs_a_plan_says_how_to_get_one(home: AtHome, tmp_path: Path, line: str) -> None:
    home.run(f"plan {line}", file=tmp_path / "a.ics").refused(Exit.USAGE, "no plan yet", "companion plan choose")


def test_a_pause_is_shown_and_ended(home: AtHome) -> None:
    home.run("plan choose course-4").fine()
    told = home.run("plan pause --from 2026-03-03 --until 2026-03-08 --because travel").fine()
    assert " 2 Mar   o    =    =    =    =    =    =" in told.lines
    assert "= paused" in told.lines[-1]
    home.pass_(days=1)
    assert "Paused until Sunday, 8 March." in home.run("plan").lines
    assert home.run("plan resume").fine().lines[0] == "Welcome back."
    assert "Paused" not in home.run("plan").out
    home.run("plan pause")
    assert "companion plan resume" in home.run("plan").out


def test_another_plan_keeps_the_pauses(home: AtHome) -> None:
    home.run("plan choose course-4").fine()
    home.run("plan pause --until 2026-03-20").fine()
    home.run("plan choose gentle").fine()
    assert "Paused until Friday, 20 March." in home.run("plan").lines


def test_the_streak_forgives_and_the_fifth_session_is_a_milestone(home: AtHome) -> None:
    home.run("plan choose course-4").fine()
    with home.store() as store:
        home.held(store)
        assert "One session in a row; two missed days a month are forgiven." in home.run("plan").lines
        for _ in range(4):
            home.pass_(days=2)
            home.held(store)
    told = home.run("plan")
    assert "5 in a row; two missed days a month are forgiven." in told.lines
    assert "Session 5" in told.lines[-1]
    assert "x done" in told.out
    assert home.run("plan --json").json["milestone"]


def test_h10_who_must_not_sees_no_next_session(home: AtHome, tmp_path: Path) -> None:
    home.run("plan choose course-4").fine()
    home.run("plan subscribe {file}", file=tmp_path / "a.ics").fine()
    with home.store() as store:
        store.save_screening(PACEMAKER)
    told = home.run("plan").fine()
    assert "Next:" not in told.out
    assert "speak against sessions" in told.out
    found = home.run("plan --json").fine().json
    assert (found["next_session"], found["proposals"]) == (None, [])
    home.run("plan resume").refused(Exit.USAGE)
    home.run("plan pause").fine()
    assert starts(tmp_path / "a.ics") == []


def test_each_mark_has_a_sign_of_its_own_and_a_meaning() -> None:
    assert set(words.SIGNS) == set(plan_words.MARKS) == {mark.value for mark in Mark}
    assert len(set(words.SIGNS.values())) == len(words.SIGNS)


# --- the calendar file ------------------------------------------------------------------------------------------------


def test_a_subscribed_file_follows_each_change_and_each_session(home: AtHome, tmp_path: Path) -> None:
    file = tmp_path / "routine.ics"
    home.run("plan choose course-4").fine()
    assert str(file) in home.run("plan subscribe {file}", file=file).fine().out
    assert home.run("plan --json").json["calendar_file"] == str(file)
    assert starts(file)[0] == datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
    home.run("plan choose course-4 --at 20:00").fine()
    assert starts(file)[0] == datetime(2026, 3, 2, 19, 0, tzinfo=UTC)
    home.run("plan pause").fine()
    assert starts(file) == []
    home.run("plan resume").fine()
    with home.store() as store:
        home.held(store)
    home.run("remind --once").fine()
    assert starts(file)[0].date().isoformat() == "2026-03-04"
    home.run("plan unsubscribe").fine()
    before = file.read_bytes()
    home.run("plan pause").fine()
    assert file.read_bytes() == before


def test_a_calendar_file_that_cannot_be_kept_is_told_and_the_change_stays(home: AtHome, tmp_path: Path) -> None:
    file = tmp_path / "routine.ics"
    home.run("plan choose course-4").fine()
    home.run("plan subscribe {file}", file=file).fine()
    file.write_text("somebody else's")
    told = home.run("plan pause")
    assert told.code == Exit.FINISHED
    assert told.err.startswith("companion: ")
    assert "not a calendar of this app" in told.err
    assert told.err.count("\n") == 1
    assert "Paused" in told.out
    assert file.read_text() == "somebody else's"


def test_an_export_is_of_this_moment_alone(home: AtHome, tmp_path: Path) -> None:
    file = tmp_path / "once.ics"
    home.run("plan choose course-4").fine()
    home.run("plan export {file}", file=file).fine()
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    assert b"microcurrent" not in before.lower()
    home.run("plan pause").fine()
    assert file.read_bytes() == before


def test_no_other_file_is_written_over(home: AtHome, tmp_path: Path) -> None:
    file = tmp_path / "thesis.ics"
    file.write_text("precious")
    home.run("plan choose course-4").fine()
    for verb in ("export", "subscribe"):
        home.run(f"plan {verb} {{file}}", file=file).refused(Exit.FAULT, "not a calendar")
    assert file.read_text() == "precious"


def test_a_session_on_the_command_line_brings_the_calendar_file_up_to_date(home: AtHome, tmp_path: Path) -> None:
    file = tmp_path / "demo.ics"
    home.run("plan choose course-4 --demo").fine()
    home.run("plan subscribe {file} --demo", file=file).fine()
    assert starts(file)[0].date().isoformat() == "2026-03-02"
    assert home.run("run first-touch --demo --speed max --yes --json").code == Exit.FINISHED
    assert starts(file)[0].date().isoformat() == "2026-03-04"


def test_the_demos_plan_is_nobodys(home: AtHome) -> None:
    home.run("plan choose gentle --demo").fine()
    assert home.run("plan --json --demo").json["plan"] == "gentle"
    assert home.run("plan --json").json == {"plan": None}
