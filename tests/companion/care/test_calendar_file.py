"""The calendar file, read back by icalendar: what moves keeps its name, what stays keeps its bytes, nothing tells."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from companion.care.calendar_file import MOST_BYTES, NotACalendarError, calendar_bytes, write_calendar
from companion.care.plan import Diary, Done, Proposal, outlook
from companion.care.plans import Chosen, Pause
from companion.config import CompanionError

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 3, 23)  # the clocks change on the Sunday
KEY = "3f0c/2026-03-23"
HALF_AN_HOUR = timedelta(minutes=30)


def morning(number: int) -> datetime:
    return datetime.combine(MONDAY + timedelta(days=number), time(9), tzinfo=BERLIN)


def evening(number: int) -> Done:
    return Done(morning(number) + timedelta(hours=10, minutes=12))


def proposals(now: int, *done: int, chosen: Chosen | None = None, days: int = 14) -> tuple[Proposal, ...]:
    diary = Diary(tuple(evening(number) for number in done))
    return outlook(chosen or Chosen(MONDAY), diary, morning(now), zone=BERLIN, days=days).proposals


def written(
    planned: Sequence[Proposal], now: int = 0, *, key: str = KEY, previous: bytes | None = None, alarm: bool = False
) -> bytes:
    return calendar_bytes(planned, morning(now), key=key, alarm=HALF_AN_HOUR if alarm else None, previous=previous)


def events(content: bytes) -> list[Any]:
    return list(Calendar.from_ical(content).walk("VEVENT"))


def by_uid(content: bytes) -> dict[str, Any]:
    found = {str(event["UID"]): event for event in events(content)}
    assert len(found) == len(events(content))
    return found


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_every_proposed_session_is_an_event_of_its_length_at_its_moment() -> None:
    planned = proposals(0)
    found = events(written(planned))
    assert [event.decoded("DTSTART") for event in found] == [one.at for one in planned]
    assert {event.decoded("DTEND") - event.decoded("DTSTART") for event in found} == {timedelta(minutes=12)}
    on_the_wall = {event.decoded("DTSTART").astimezone(BERLIN).time() for event in found}
    assert on_the_wall == {time(19)}  # before and after the clocks change


def test_the_calendar_says_what_the_standard_asks_for_and_reads_without_an_error() -> None:
    calendar = Calendar.from_ical(written(proposals(0), alarm=True))
    assert (calendar["VERSION"], calendar["CALSCALE"]) == ("2.0", "GREGORIAN")
    assert calendar["PRODID"]
    assert calendar.decoded("REFRESH-INTERVAL") == timedelta(hours=6)
    assert all(not part.errors for part in calendar.walk())
    for event in calendar.walk("VEVENT"):
        assert event.decoded("DTSTAMP").utcoffset() == timedelta()
        assert {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "SEQUENCE"} <= set(event)


def test_lines_end_and_fold_as_the_standard_says() -> None:
    content = written(proposals(0), alarm=True)
    assert content.endswith(b"END:VCALENDAR\r\n")
    assert content.count(b"\n") == content.count(b"\r\n")
    assert max(len(line) for line in content.split(b"\r\n")) <= 75


def test_a_shared_calendar_tells_nobody_what_the_routine_is() -> None:
    content = written(proposals(0), key="Ada, sensitive skin", alarm=True)
    assert {str(event["SUMMARY"]) for event in events(content)} == {"Face routine, 12 min"}
    assert {str(event["CLASS"]) for event in events(content)} == {"PRIVATE"}
    told = content.decode().lower()
    for word in ("micro", "current", "device", "skin", "session", "treat", "ada", "course", "sensitive", "health"):
        assert not re.search(word, told), word


def test_an_alarm_comes_when_it_is_wanted_and_says_no_more_than_the_title() -> None:
    assert not Calendar.from_ical(written(proposals(0))).walk("VALARM")
    alarms = Calendar.from_ical(written(proposals(0), alarm=True)).walk("VALARM")
    assert len(alarms) == len(proposals(0))
    assert {alarm.decoded("TRIGGER") for alarm in alarms} == {-HALF_AN_HOUR}
    assert {(str(alarm["ACTION"]), str(alarm["DESCRIPTION"])) for alarm in alarms} == {
        ("DISPLAY", "Face routine, 12 min")
    }


def test_a_plan_without_sessions_is_an_empty_calendar_and_not_a_missing_one() -> None:
    paused = proposals(0, chosen=Chosen(MONDAY, pauses=(Pause(MONDAY),)))
    assert paused == ()
    assert events(written(paused)) == []


# --- a file that is subscribed to -------------------------------------------------------------------------------------


def test_the_same_plan_gives_the_same_bytes() -> None:
    assert written(proposals(0)) == written(proposals(0))


def test_what_did_not_change_is_written_as_it_was_however_much_later() -> None:
    before = written(proposals(0, days=8))
    assert written(proposals(0, days=8), 3, previous=before) == before


def test_a_session_that_moves_keeps_its_name_and_gets_the_next_sequence() -> None:
    before = written(proposals(0))
    after = written(proposals(1), 1, previous=before)  # Monday's was missed and moves to Tuesday
    old, new = by_uid(before), by_uid(after)
    moved = [uid for uid in new if uid in old and new[uid].decoded("DTSTART") != old[uid].decoded("DTSTART")]
    assert [old[uid].decoded("DTSTART").astimezone(BERLIN).day for uid in moved] == [23]
    assert [new[uid].decoded("DTSTART").astimezone(BERLIN).day for uid in moved] == [24]
    assert [new[uid].decoded("SEQUENCE") for uid in moved] == [1]
    assert [new[uid].decoded("DTSTAMP") for uid in moved] == [morning(1)]
    stayed = [uid for uid in new if uid in old and uid not in moved]
    assert len(stayed) >= 4
    assert all(new[uid].to_ical() == old[uid].to_ical() for uid in stayed)
    again = by_uid(written(proposals(3, 2), 3, previous=after))
    assert [again[uid].decoded("SEQUENCE") for uid in moved] == [2]  # on Thursday now, with Wednesday's done


def test_an_alarm_that_is_added_or_taken_away_is_a_change_too() -> None:
    before = written(proposals(0))
    with_alarm = written(proposals(0), 1, previous=before, alarm=True)
    assert {event.decoded("SEQUENCE") for event in events(with_alarm)} == {1}
    without = written(proposals(0), 2, previous=with_alarm)
    assert {event.decoded("SEQUENCE") for event in events(without)} == {2}


def test_what_was_done_leaves_the_file_and_the_rest_keeps_its_name() -> None:
    before, after = by_uid(written(proposals(0))), by_uid(written(proposals(1, 0), 1))
    assert len(set(before) - set(after)) == 1
    assert set(before) & set(after)
    for uid in set(before) & set(after):
        assert before[uid].decoded("DTSTART") == after[uid].decoded("DTSTART")


def test_a_week_later_no_session_has_two_names() -> None:
    seen: dict[str, datetime] = {}
    for now in range(21):
        done = [number for number in (0, 2, 5, 8, 9, 14) if number < now]
        for uid, event in by_uid(written(proposals(now, *done), now)).items():
            seen[uid] = event.decoded("DTSTART")
    # Three sessions a week for five weeks, each known by one name all along, whatever day it was moved to.
    assert len(seen) <= 3 * 5
    assert len(set(seen.values())) == len(seen)


def test_two_people_and_two_plans_never_share_a_name() -> None:
    assert not set(by_uid(written(proposals(0)))) & set(by_uid(written(proposals(0), key="other")))


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_is_written_for_the_persons_eyes_alone_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "routine.ics"
    before = os.umask(0)  # whatever the person's own is
    try:
        assert write_calendar(path, proposals(0), morning(0), key=KEY)
    finally:
        os.umask(before)
    assert path.read_bytes() == written(proposals(0))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_up_to_date_is_left_alone_and_one_that_is_not_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "routine.ics"
    assert write_calendar(path, proposals(0), morning(0), key=KEY)
    first = path.stat().st_ino
    assert not write_calendar(path, proposals(0), morning(0), key=KEY)
    assert path.stat().st_ino == first
    with path.open("rb") as reader:
        assert write_calendar(path, proposals(1), morning(1), key=KEY, alarm=HALF_AN_HOUR)
        assert reader.read() == written(proposals(0))  # who was reading goes on to read the old one
    assert path.read_bytes() == written(proposals(1), 1, previous=written(proposals(0)), alarm=True)


def test_what_a_killed_run_left_behind_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "routine.ics"
    (tmp_path / ".routine.ics.part").write_bytes(b"half")
    assert write_calendar(path, proposals(0), morning(0), key=KEY)
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_file_may_be_filled(tmp_path: Path) -> None:
    path = tmp_path / "routine.ics"
    path.touch()
    assert write_calendar(path, proposals(0), morning(0), key=KEY)


OTHERS = {
    "text": b"my diary\n",
    "another program's calendar": b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Other//EN\r\nEND:VCALENDAR\r\n",
    "no calendar but an event": b"BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\n",
    "binary": bytes(range(256)),
    "too long": b"\0" * (MOST_BYTES + 1),
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_a_file_that_is_not_ours_is_never_written_over(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "routine.ics"
    path.write_bytes(content)
    with pytest.raises(CompanionError, match="is not a calendar of this app, and stays as it is") as told:
        write_calendar(path, proposals(0), morning(0), key=KEY)
    assert "\n" not in str(told.value)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_to_is_told_in_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "routine.ics", tmp_path):
        with pytest.raises(CompanionError, match=r"could not be written \(.+\); choose another place") as told:
            write_calendar(path, proposals(0), morning(0), key=KEY)
        assert str(path) in str(told.value)
        assert "\n" not in str(told.value)


def test_a_fault_while_writing_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "routine.ics"
    write_calendar(path, proposals(0), morning(0), key=KEY)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CompanionError, match="No space left"):
        write_calendar(path, proposals(1), morning(1), key=KEY)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_event_that_does_not_read_any_more_is_written_anew() -> None:
    good = written(proposals(0))
    broken = good.replace(b"SEQUENCE:0", b"SEQUENCE:nought", 1)
    assert written(proposals(0), previous=broken) == good


@settings(max_examples=150)
@given(st.integers(0, 3000), st.integers(0, 40), st.binary(max_size=20))
@example(0, 0, b"")
def test_no_damage_to_the_file_leads_to_anything_but_a_calendar_or_a_plain_refusal(
    at: int, length: int, put: bytes
) -> None:
    planned = proposals(0, days=7)
    content = written(planned, alarm=True)
    damaged = content[:at] + put + content[at + length :]
    try:
        after = written(planned, previous=damaged, alarm=True)
    except NotACalendarError:
        return
    assert [event.decoded("DTSTART") for event in events(after)] == [one.at for one in planned]


def test_moments_without_offset_and_alarms_after_the_fact_are_refused() -> None:
    with pytest.raises(ValueError, match="no UTC offset"):
        calendar_bytes((), datetime(2026, 3, 23), key=KEY)  # noqa: DTZ001
    with pytest.raises(ValueError, match="before a session"):
        calendar_bytes((), datetime(2026, 3, 23, tzinfo=UTC), key=KEY, alarm=-HALF_AN_HOUR)


def test_the_library_is_loaded_with_the_first_file_and_not_before() -> None:
    code = "import sys, companion.care.calendar_file, companion.care.plan; sys.exit('icalendar' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
