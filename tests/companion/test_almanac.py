"""The almanac: what was chosen and done comes to the plan, to water and to the reminders, and to nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar as ICalendar

from companion.almanac import Almanac, Facts, NoPlanError
from companion.care.hydration import Goal, Hours
from companion.care.plan import Mark
from companion.care.plans import Chosen, Custom, Pause, PauseReason
from companion.config import CompanionError, Exit
from companion.session.interlocks import rest_refusal
from companion.session.model import NOT_BEGUN, JournalEntry, JournalKind, Reason, Summary
from companion.store.database import Store
from tests.companion.at_home import BERLIN, CLEAR, MONDAY, PACEMAKER, AtHome

TODAY = date(2026, 3, 2)
COURSE = Chosen(TODAY)


@pytest.fixture
def store(home: AtHome) -> Iterator[Store]:
    with home.store() as opened:
        yield opened


@pytest.fixture
def almanac(home: AtHome, store: Store) -> Almanac:
    return home.almanac(store)


# --- the plan ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chosen",
    [
        COURSE,
        Chosen(TODAY, "gentle", (1, 4), time(6, 30), 20, (Pause(TODAY, None, PauseReason.ILLNESS),)),
        Chosen(TODAY, "custom", custom=Custom(0, 3, 2, 48)),
    ],
    ids=["usual", "with wishes", "one's own"],
)
def test_a_plan_comes_back_as_it_was_chosen(home: AtHome, almanac: Almanac, chosen: Chosen) -> None:
    assert almanac.chosen() is None
    almanac.choose_plan(chosen)
    with home.store() as again:
        assert home.almanac(again).chosen() == chosen


def test_without_a_plan_nothing_is_proposed_and_one_line_says_how_to_get_one(almanac: Almanac) -> None:
    assert almanac.proposals() == ()
    assert almanac.milestone() == ""
    assert almanac.facts().next_session is None
    for ask in (almanac.outlook, almanac.pause, almanac.resume, almanac.calendar):
        with pytest.raises(NoPlanError, match="companion plan choose") as refused:
            ask()
        assert refused.value.exit_code == Exit.USAGE
        assert "\n" not in str(refused.value)


def test_without_a_plan_the_rest_between_sessions_is_kept_all_the_same(
    home: AtHome, store: Store, almanac: Almanac
) -> None:
    assert almanac.today().allowed
    home.held(store)
    home.pass_(hours=11.9)
    assert not almanac.today().allowed
    assert "12 hours" in almanac.today().reason


def test_a_pause_holds_until_one_carries_on_and_others_stay(home: AtHome, almanac: Almanac) -> None:
    later = Pause(date(2026, 5, 1), date(2026, 5, 9), PauseReason.TRAVEL)
    almanac.choose_plan(replace(COURSE, pauses=(later,)))
    almanac.pause(reason=PauseReason.ILLNESS)
    assert almanac.today().mark is Mark.PAUSED
    assert almanac.proposals() == ()
    home.pass_(days=3)
    assert almanac.resume()
    assert almanac.today().mark is not Mark.PAUSED
    chosen = almanac.chosen()
    assert chosen is not None
    assert chosen.pauses == (later, Pause(TODAY, TODAY + timedelta(days=2), PauseReason.ILLNESS))
    assert not almanac.resume()


def test_a_pause_that_is_ended_on_its_first_day_never_was(almanac: Almanac) -> None:
    almanac.choose_plan(COURSE)
    almanac.pause()
    assert almanac.resume()
    assert almanac.chosen() == COURSE


# --- what was done ----------------------------------------------------------------------------------------------------


def test_every_session_with_output_of_a_real_device_was_done_however_it_ended(
    home: AtHome, store: Store, almanac: Almanac
) -> None:
    almanac.choose_plan(COURSE)
    home.held(store, minutes=0.1, zones={"chin": 0.4})
    assert almanac.outlook().sessions == 1
    home.pass_(days=2)
    home.held(store, zones={})
    home.cut_off(store, output=False)
    assert almanac.outlook().sessions == 1
    assert almanac.today().mark is Mark.PLANNED
    home.cut_off(store, output=True)  # it has not even been marked as cut off: it counts while it runs, too
    assert almanac.outlook().sessions == 2
    assert almanac.today().mark is Mark.DONE
    home.pass_(days=2)
    store.recover()
    assert almanac.outlook().sessions == 2


@pytest.mark.parametrize("reason", Reason)
def test_a_session_without_any_output_counts_for_nothing_however_it_ended(
    home: AtHome, store: Store, almanac: Almanac, reason: Reason
) -> None:
    """Plan, streak and the rest between sessions are as if it had not been."""
    almanac.choose_plan(COURSE)
    for days in (0, 2, 2):
        home.pass_(days=days)
        home.held(store)
    home.pass_(days=1, hours=20)

    def all_that_counts() -> tuple[object, ...]:
        refusal = rest_refusal(almanac.now, store.past_sessions(), {"chin"})
        return almanac.outlook(), almanac.today(), almanac.facts(), store.past_sessions(), refusal

    before = all_that_counts()
    assert almanac.outlook().streak.sessions == 3
    store.begin_session("full-face", "OMP", "omp", "omp", demo=False).finish(Summary(reason, {}, 0, 0.0, 0.0))
    assert all_that_counts() == before
    assert store.person().first_session is False
    assert almanac.count_sessions() == 4
    assert almanac.count_sessions(begun=True) == 4 - (reason in NOT_BEGUN)


def test_output_counts_also_where_it_was_in_no_zone(home: AtHome, store: Store, almanac: Almanac) -> None:
    almanac.choose_plan(COURSE)
    writer = store.begin_session("pulse-cleanse", "LUNA 3", "luna3", "foreo", demo=False)
    writer.finish(Summary(Reason.STOPPED, {}, 5, 0.2, 3.0))
    assert almanac.outlook().sessions == 1
    assert almanac.today().mark is Mark.DONE


def test_a_demo_is_no_session_of_a_person_and_a_persons_none_of_a_demo(
    home: AtHome, store: Store, almanac: Almanac
) -> None:
    almanac.choose_plan(COURSE)
    home.held(store, demo=True)
    home.cut_off(store, output=True, demo=True)
    assert almanac.outlook().sessions == 0
    assert almanac.facts().last_session is None
    assert store.past_sessions() == []
    with home.store(demo=True) as there:
        simulated = home.almanac(there, demo=True)
        simulated.choose_plan(COURSE)
        home.held(there, demo=True)
        home.held(there, demo=False)
        assert simulated.outlook().sessions == 1


def test_what_keeps_a_day_free_is_put_off_and_not_missed(home: AtHome, almanac: Almanac) -> None:
    almanac.choose_plan(COURSE)
    almanac.put_off()
    assert almanac.today().mark is Mark.PUT_OFF
    home.pass_(days=1)
    assert almanac.today().mark is Mark.PLANNED
    almanac.check_skin(1, 5, 1)
    assert almanac.today().mark is Mark.PUT_OFF
    home.pass_(days=1)
    almanac.note_rest("peel")
    assert almanac.today().mark is Mark.PUT_OFF
    assert almanac.proposals()[0].at.date() == TODAY + timedelta(days=2 + 7 + 1)
    home.pass_(days=100)
    begin = almanac.outlook(first=TODAY, days=10)
    assert [one.mark for one in begin.days] == [Mark.PUT_OFF] * 10
    assert Mark.MISSED not in {one.mark for one in begin.days}


def test_what_somebody_notes_elsewhere_meanwhile_is_seen(home: AtHome, store: Store, almanac: Almanac) -> None:
    """The app may be open for weeks while the command line is used beside it."""
    almanac.choose_plan(COURSE)
    assert almanac.outlook().sessions == 0
    for day in range(3):
        with home.store() as other:
            home.held(other)
            other.diary.check_skin(1, 5, 1)
        assert almanac.outlook().sessions == day + 1
        home.pass_(days=2)
    with home.store() as other:
        other.diary.check_skin(1, 5, 1)
    home.pass_(days=30)
    fresh = home.almanac(store)
    assert almanac.outlook(first=TODAY, days=40) == fresh.outlook(first=TODAY, days=40)
    assert almanac.proposals() == fresh.proposals()
    assert almanac.outlook(first=TODAY, days=7).days[6].mark is Mark.PUT_OFF


def test_a_session_counts_from_its_first_output_to_its_end_however_often_one_looks(
    home: AtHome, store: Store, almanac: Almanac
) -> None:
    almanac.choose_plan(COURSE)
    home.held(store)
    home.pass_(days=2)
    writer = store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo=False)
    assert almanac.outlook().sessions == 1
    writer.append([JournalEntry(JournalKind.INTENSITY, {"command": "start", "zone": "chin"})], 60.0)
    for _ in range(2):
        assert almanac.outlook().sessions == 2
        assert almanac.facts().last_session == home.now + timedelta(seconds=60)
    home.pass_(minutes=9)
    writer.finish(Summary(Reason.COMPLETED, {"chin": 60.0}, 30, 60.0, 540.0))
    for _ in range(2):
        assert almanac.outlook().sessions == 2
        assert almanac.facts().last_session == home.now


def test_a_skin_check_of_late_in_the_evening_holds_for_the_morning(home: AtHome, almanac: Almanac) -> None:
    almanac.choose_plan(COURSE)
    home.now = datetime(2026, 3, 3, 22, 50, tzinfo=UTC)  # ten to midnight in Berlin
    almanac.check_skin(1, 1, 5)
    home.pass_(hours=8)
    assert almanac.today().mark is Mark.PUT_OFF


@pytest.mark.parametrize("days", [0, 89, 200])
def test_h10_to_whom_the_questions_forbid_sessions_none_is_ever_proposed(
    home: AtHome, store: Store, almanac: Almanac, days: int
) -> None:
    almanac.choose_plan(COURSE)
    store.save_screening(PACEMAKER)
    home.pass_(days=days)
    assert almanac.barred()
    assert almanac.proposals() == ()
    assert almanac.agenda().session is None
    assert almanac.facts().next_session is None
    assert b"VEVENT" not in almanac.calendar()


def test_h10_answers_that_are_merely_old_leave_the_plan_as_it_is(home: AtHome, store: Store, almanac: Almanac) -> None:
    almanac.choose_plan(COURSE)
    store.save_screening(CLEAR)
    home.pass_(days=120)
    assert not almanac.barred()
    assert almanac.proposals()


def test_the_fifth_session_is_a_moment_to_look_back(home: AtHome, store: Store, almanac: Almanac) -> None:
    almanac.choose_plan(COURSE)
    for _ in range(4):
        home.held(store)
        home.pass_(days=2)
    assert almanac.milestone() == ""
    home.held(store)
    assert "Session 5" in almanac.milestone()


# --- the calendar file ------------------------------------------------------------------------------------------------


def events(path: Path) -> dict[str, datetime]:
    calendar = ICalendar.from_ical(path.read_bytes())
    return {str(event["UID"]): event.decoded("DTSTART") for event in calendar.walk("VEVENT")}


def test_a_calendar_file_follows_the_plan(home: AtHome, store: Store, almanac: Almanac, tmp_path: Path) -> None:
    path = tmp_path / "routine.ics"
    almanac.choose_plan(COURSE)
    almanac.subscribe(path)
    assert almanac.calendar_path() == path
    assert not almanac.refresh_calendar()
    first = events(path)
    assert min(first.values()) == datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
    home.held(store)
    assert almanac.refresh_calendar()
    second = events(path)
    assert set(second) < set(first)
    assert min(second.values()).date() == date(2026, 3, 4)
    almanac.pause()
    assert almanac.refresh_calendar()
    assert events(path) == {}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_calendar_file_is_let_be_once_one_has_enough_of_it(almanac: Almanac, tmp_path: Path) -> None:
    path = tmp_path / "routine.ics"
    almanac.choose_plan(COURSE)
    almanac.subscribe(path)
    assert almanac.unsubscribe() == path
    assert almanac.unsubscribe() is None
    before = path.read_bytes()
    almanac.pause()
    assert not almanac.refresh_calendar()
    assert path.read_bytes() == before


def test_a_file_that_is_no_calendar_of_ours_is_neither_written_nor_followed(almanac: Almanac, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Ada")
    almanac.choose_plan(COURSE)
    with pytest.raises(CompanionError, match="not a calendar"):
        almanac.subscribe(path)
    assert almanac.calendar_path() is None
    assert path.read_text() == "Dear Ada"


def test_two_peoples_events_are_never_taken_for_each_others(home: AtHome, store: Store, tmp_path: Path) -> None:
    store.people.add("Ben")
    paths = (tmp_path / "me.ics", tmp_path / "ben.ics")
    for person, path in zip(("me", "Ben"), paths, strict=True):
        with home.store(person) as own:
            almanac = home.almanac(own)
            almanac.choose_plan(COURSE)
            almanac.subscribe(path)
    mine, his = map(events, paths)
    assert sorted(mine.values()) == sorted(his.values())
    assert not set(mine) & set(his)


# --- water ------------------------------------------------------------------------------------------------------------


def test_a_drink_is_a_glass_unless_told_and_can_be_taken_back(almanac: Almanac) -> None:
    assert almanac.undo_drink() is None
    almanac.set_goal(Goal(ml=2100, glass_ml=150))
    almanac.drink()
    almanac.drink(300)
    assert almanac.water().today_ml == 450
    taken = almanac.undo_drink()
    assert taken is not None
    assert taken.ml == 300
    assert (almanac.water().today_ml, almanac.water().goal_ml) == (150, 2100)
    for too_much in (0, 2001):
        with pytest.raises(ValueError, match="1 to 2000"):
            almanac.drink(too_much)


def test_a_goal_comes_back_as_it_was_chosen(home: AtHome, almanac: Almanac) -> None:
    assert almanac.goal() == Goal()
    goal = Goal(1800, 250, Hours(time(9), time(1, 30)), limited=True)
    almanac.set_goal(goal)
    with home.store() as again:
        assert home.almanac(again).goal() == goal


def test_a_day_is_the_one_where_the_person_is(home: AtHome, store: Store, almanac: Almanac) -> None:
    home.now = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)  # still Sunday
    almanac.drink(100)
    home.pass_(hours=1)
    almanac.drink(200)
    assert [one.ml for one in almanac.drinks_of(TODAY)] == [200]
    assert almanac.water_week() == {
        **{TODAY - timedelta(days=ago): 0 for ago in range(6, 1, -1)},
        TODAY - timedelta(days=1): 100,
        TODAY: 200,
    }
    in_lisbon = home.almanac(store, zone=ZoneInfo("Europe/Lisbon"))
    assert in_lisbon.water().today_ml == 300
    almanac.zone = ZoneInfo("Europe/Lisbon")
    assert almanac.water().today_ml == 300


def test_no_water_is_asked_of_whom_a_doctor_limits(almanac: Almanac) -> None:
    almanac.choose_plan(COURSE)
    assert almanac.water().ask_at is not None
    almanac.set_goal(Goal(limited=True))
    assert almanac.water().goal_ml is None
    assert almanac.facts().goal_ml is None
    assert almanac.next_due() == datetime(2026, 3, 2, 18, 0, tzinfo=UTC)  # the session, and no glass before it


def test_the_glass_after_a_session_is_asked_half_an_hour_after_it_ended(
    home: AtHome, store: Store, almanac: Almanac
) -> None:
    almanac.choose_plan(COURSE)
    home.now = datetime(2026, 3, 2, 18, 20, tzinfo=UTC)
    home.held(store)
    home.pass_(minutes=30)
    (one,) = almanac.due()
    assert "after your session" in one.text


# --- reminders --------------------------------------------------------------------------------------------------------


def test_who_only_looks_around_is_left_in_peace(home: AtHome, almanac: Almanac) -> None:
    for _ in range(48):
        assert almanac.due() == []
        home.pass_(minutes=30)
    assert almanac.next_due() is None


def test_each_reminder_is_told_once_whoever_asks(home: AtHome, almanac: Almanac) -> None:
    almanac.choose_plan(COURSE)
    told: list[str] = []
    for _ in range(12 * 24):
        with home.store() as elsewhere:
            told += [one.key for one in home.almanac(elsewhere).claimed()]
            told += [one.key for one in almanac.claimed()]
        home.pass_(minutes=5)
    assert sum(key.startswith("session/") for key in told) == 1
    assert sum(key.startswith("water") for key in told) == 8
    assert len(told) == len(set(told))


def test_what_a_demo_tells_nobody_is_spared(home: AtHome) -> None:
    with home.store(demo=True) as there:
        simulated = home.almanac(there, demo=True)
        simulated.choose_plan(COURSE)
        home.now = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
        assert [one.kind for one in simulated.claimed()] == ["session"]
        assert simulated.claimed() == []
        assert there.diary.fired(MONDAY) == {}


def test_a_snoozed_reminder_comes_once_more(home: AtHome, almanac: Almanac) -> None:
    almanac.set_goal(Goal(limited=True))
    almanac.choose_plan(COURSE)
    home.now = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
    (one,) = almanac.claimed()
    assert set(almanac.told_of_late()) == {one.about}
    almanac.snooze(one.about, almanac.now + timedelta(minutes=20))
    home.pass_(minutes=19)
    assert almanac.claimed() == []
    home.pass_(minutes=1)
    (again,) = almanac.claimed()
    assert (again.about, again.title) == (one.about, one.title)
    assert almanac.claimed() == []


def test_a_session_that_is_moved_after_it_was_told_is_told_at_its_new_time(home: AtHome, almanac: Almanac) -> None:
    almanac.set_goal(Goal(limited=True))
    almanac.choose_plan(replace(COURSE, at=time(10)))
    home.pass_(hours=1)
    assert [one.kind for one in almanac.claimed()] == ["session"]
    almanac.choose_plan(replace(COURSE, at=time(20)))
    assert almanac.claimed() == []
    home.now = datetime(2026, 3, 2, 19, 0, tzinfo=UTC)
    assert [one.kind for one in almanac.claimed()] == ["session"]
    assert almanac.claimed() == []


def test_a_plan_that_stays_as_it_is_is_not_told_twice(home: AtHome, almanac: Almanac) -> None:
    almanac.set_goal(Goal(limited=True))
    almanac.choose_plan(replace(COURSE, at=time(10)))
    almanac.choose_plan(replace(COURSE, at=time(11)))  # before anything was told
    home.pass_(hours=2)
    assert len(almanac.claimed()) == 1
    almanac.choose_plan(replace(COURSE, at=time(11), weekdays=(0, 3)))
    assert almanac.claimed() == []


def test_a_patch_test_is_asked_for_after_a_day_and_a_declined_one_never(home: AtHome, almanac: Almanac) -> None:
    almanac.begin_patch_test("declined", "no, thank you")
    home.pass_(days=1)
    assert almanac.due() == []
    assert not almanac.end_patch_test("calm")
    almanac.begin_patch_test("jaw")
    home.pass_(days=1)
    assert [one.kind for one in almanac.due()] == ["patch"]
    assert almanac.end_patch_test("calm")
    assert almanac.due() == []


def test_the_health_questions_are_asked_for_again_after_ninety_days(home: AtHome, store: Store) -> None:
    store.save_screening(CLEAR)
    home.pass_(days=90, minutes=1)
    assert [one.kind for one in home.almanac(store).due()] == ["screening"]


def test_quiet_hours_are_the_persons_own(home: AtHome, store: Store) -> None:
    store.diary.choose("plan", replace(COURSE, at=time(9)))
    for quiet, told in ((Hours(time(8), time(10)), []), (None, ["session"])):
        almanac = Almanac(store, home.calendar, zone=BERLIN, demo=False, quiet=quiet)
        almanac.set_goal(Goal(limited=True))
        assert [one.kind for one in almanac.due()] == told


def test_a_lead_tells_of_a_session_before_its_time(home: AtHome, store: Store) -> None:
    almanac = Almanac(store, home.calendar, zone=BERLIN, demo=False, lead=timedelta(minutes=15))
    almanac.set_goal(Goal(limited=True))
    almanac.choose_plan(COURSE)
    assert almanac.next_due() == datetime(2026, 3, 2, 17, 45, tzinfo=UTC)


# --- history and facts ------------------------------------------------------------------------------------------------


def test_the_rows_of_the_history_say_what_was_done(home: AtHome, store: Store, almanac: Almanac) -> None:
    first = home.held(store, minutes=10, zones={"chin": 90.0, "brow": 0.0})
    store.diary.say(first, "felt calm", ["/photos/1.jpg"])
    home.pass_(days=1)
    cut = home.cut_off(store, output=True)
    store.recover()
    second, row = almanac.sessions()
    assert (row.id, row.minutes, row.output_minutes, row.zones) == (first, 10, 1.5, {"chin": 90.0})
    assert (row.text, row.photos, row.highest_percent) == ("felt calm", ("/photos/1.jpg",), 30)
    assert (second.id, second.minutes, second.output_minutes, second.zones) == (cut, 1.5, None, {"chin": None})
    assert (second.reason, second.text, second.photos) == (None, "", ())
    assert [one.id for one in almanac.sessions(limit=1)] == [cut]


def test_the_facts_are_of_this_week_where_the_person_is(home: AtHome, store: Store, almanac: Almanac) -> None:
    almanac.choose_plan(COURSE)
    home.now = datetime(2026, 3, 1, 22, 59, tzinfo=UTC)  # a minute to Monday in Berlin
    home.held(store, minutes=7)
    home.now = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
    home.held(store, minutes=12.5)
    home.cut_off(store, output=True)
    almanac.drink(250)
    facts = almanac.facts()
    assert facts.minutes_this_week == 12.5 + 1.5
    assert facts.last_session == home.now + timedelta(seconds=90)
    assert facts.next_session == datetime(2026, 3, 4, 19, 0, tzinfo=BERLIN)
    assert (facts.water_today_ml, facts.goal_ml) == (250, 1600)


def test_nobody_sees_what_is_somebody_elses(home: AtHome, store: Store) -> None:
    store.people.add("Ben")
    mine = home.almanac(store)
    mine.choose_plan(COURSE)
    home.held(store)
    mine.drink()
    mine.check_skin(5, 5, 5)
    mine.begin_patch_test("jaw")
    mine.put_off()
    home.now = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
    mine.claimed()
    mine.snooze("session/2026-03-02/1", home.now + timedelta(hours=1))
    with home.store("Ben") as own:
        his = home.almanac(own)
        assert his.chosen() is None
        assert his.sessions() == []
        assert his.skin_checks() == []
        assert his.patch_test() is None
        assert his.drinks_of(TODAY) == []
        assert his.told_of_late() == {}
        assert his.calendar_path() is None
        assert his.today().mark is Mark.FREE
        assert his.facts() == Facts(None, None, 0, 0, 1600)
        assert his.agenda().snoozes == {}
