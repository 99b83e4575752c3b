"""``companion remind`` and ``companion reminders``: each thing once, for whom it concerns, and nothing claimed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from companion import cli
from companion.commands import reminders
from companion.config import Exit
from companion.integrations.notifications import Desktop, run_quietly
from companion.integrations.timers import UNIT, Job
from companion.settings.file import settings_file
from companion.store.database import DATABASE_NAME
from tests.companion.at_home import AtHome, Timers

EVENING = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


@pytest.fixture
def planned(home: AtHome, notified: list[tuple[str, ...]]) -> AtHome:
    """Somebody whose session is due, and nothing else."""
    home.run("plan choose course-4").fine()
    home.run("water limited on").fine()
    home.now = EVENING
    return home


# --- what is due ------------------------------------------------------------------------------------------------------


def test_what_is_due_is_told_once_on_standard_output_and_as_a_notification(
    planned: AtHome, notified: list[tuple[str, ...]]
) -> None:
    told = planned.run("remind --once").fine()
    assert told.lines == ["Time for yourself: Your session, whenever you are ready."]
    assert notified == [
        (
            "notify-send",
            "--app-name",
            "Microcurrent Companion",
            "--",
            "Time for yourself",
            "Your session, whenever you are ready.",
        )
    ]
    assert planned.run("remind --once").fine().out == ""
    assert len(notified) == 1


def test_as_json_each_reminder_is_a_line(planned: AtHome) -> None:
    told = planned.run("remind --once --json").fine()
    (line,) = told.lines
    found = json.loads(line)
    assert (found["kind"], found["about"], found["person"]) == ("session", "session/2026-03-02/1", None)
    assert found["at"] == "2026-03-02T18:00:00Z"


def test_in_a_household_each_is_told_by_name_what_is_theirs(planned: AtHome, notified: list[tuple[str, ...]]) -> None:
    planned.run("people add Ben")
    planned.run("people rename me Ada")
    planned.run("plan choose gentle --person Ben")
    planned.run("water limited on --person Ben")
    told = planned.run("remind --once").fine()
    assert [line.partition(",")[0] for line in told.lines] == ["Ada", "Ben"]
    assert [argv[-2] for argv in notified] == ["Ada: Time for yourself", "Ben: Time for yourself"]


def test_notifications_can_be_switched_off_and_words_stay(planned: AtHome, notified: list[tuple[str, ...]]) -> None:
    settings_file(planned.folder).change("notifications.system", "off")
    assert len(planned.run("remind --once").fine().lines) == 1
    assert notified == []


def test_quiet_hours_of_the_settings_hold(planned: AtHome) -> None:
    settings_file(planned.folder).change("quiet.from", "18:00")
    assert planned.run("remind --once").fine().out == ""
    settings_file(planned.folder).change("quiet.from", "22:00")
    assert len(planned.run("remind --once").fine().lines) == 1


def test_a_computer_without_notifications_is_no_fault(planned: AtHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desktop, "this", staticmethod(lambda: Desktop("linux", {}, lambda _argv, _environ: False)))
    assert len(planned.run("remind --once").fine().lines) == 1


def test_a_program_without_a_console_tells_all_the_same(
    planned: AtHome, notified: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for stream in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, stream, None)
    assert cli.main(["remind", "--once"]) == Exit.FINISHED
    assert len(notified) == 1


def test_a_fault_without_a_console_is_an_exit_code(planned: AtHome, monkeypatch: pytest.MonkeyPatch) -> None:
    (planned.folder / DATABASE_NAME).write_bytes(b"not a database" * 20)
    for stream in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, stream, None)
    assert cli.main(["remind", "--once"]) == Exit.FAULT


def test_nothing_of_a_person_gets_into_the_systems_journal(
    planned: AtHome, notified: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "journal").open("w+") as journal:
        found = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        assert reminders.remind(once=True, json=False, out=journal) == Exit.FINISHED
    assert (tmp_path / "journal").read_text() == ""
    assert len(notified) == 1


def test_a_file_that_is_not_the_journal_is_written_to(
    planned: AtHome, notified: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    out = io.StringIO()
    reminders.remind(once=True, json=False, out=out)
    assert out.getvalue()


def test_a_timer_makes_no_data_where_there_is_none(home: AtHome) -> None:
    assert home.run("remind --once").fine().out == ""
    assert not home.folder.exists()


def test_remind_goes_on_once_alone(home: AtHome) -> None:
    home.run("remind").refused(Exit.USAGE, "remind --once")


def test_the_timers_own_command_line_is_one_that_there_is(planned: AtHome) -> None:
    assert len(planned.run(" ".join(Job.this().argv[3:])).fine().lines) == 1


# --- a look at them, and once more ------------------------------------------------------------------------------------


def test_one_sees_what_comes_and_what_was_told(planned: AtHome) -> None:
    assert planned.run("reminders").lines == ["The next reminder: Monday, 2 March at 19:00."]
    planned.run("remind --once")
    told = planned.run("reminders").fine()
    assert told.lines[0] == "The next reminder: Wednesday, 4 March at 19:00."
    assert told.lines[-1] == "  19:00  session/2026-03-02/1"
    assert planned.run("reminders --json").fine().json == {
        "next": "2026-03-04T19:00:00+01:00",
        "told": {"session/2026-03-02/1": "2026-03-02T19:00:00+01:00"},
    }


def test_without_anything_to_remind_of_that_is_said(home: AtHome) -> None:
    assert home.run("reminders").fine().lines == ["No reminder is on its way."]


def test_a_snooze_brings_it_once_more(planned: AtHome) -> None:
    planned.run("remind --once")
    assert planned.run("reminders snooze session/2026-03-02/1 45").fine().lines == ["Once more at 19:45."]
    planned.pass_(minutes=44)
    assert planned.run("remind --once").out == ""
    planned.pass_(minutes=1)
    assert len(planned.run("remind --once").fine().lines) == 1
    assert planned.run("reminders snooze session/2026-03-02/1 30").fine()  # by the same name, again
    planned.pass_(minutes=30)
    assert len(planned.run("remind --once").fine().lines) == 1


def test_what_was_put_off_for_a_day_can_be_put_off_once_more(home: AtHome, notified: list[tuple[str, ...]]) -> None:
    with home.store() as store:
        home.almanac(store).begin_patch_test("jaw")
    home.pass_(days=1)
    for _ in range(3):
        assert len(home.run("remind --once").fine().lines) == 1
        about = home.run("reminders").lines[-1].split()[-1]
        home.run(f"reminders snooze {about} 1440").fine()
        assert home.run("remind --once").fine().out == ""
        home.pass_(days=1)


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("session/2026-03-02/2 30", ["session/2026-03-02/2", "companion reminders"]),
        ("session/2026-03-02/1 0", ["1 to 1440"]),
        ("session/2026-03-02/1 1441", ["1 to 1440"]),
        ("session/2026-03-02/1 soon", ["whole number"]),
        ("session/2026-03-02/1", ["MINUTES is missing"]),
        ("session/2026-03-02/1 30 --person Zoe", ["Zoe"]),
    ],
    ids=lambda value: value.replace("/", "-") if isinstance(value, str) else "",
)
def test_a_snooze_that_means_nothing_is_refused(planned: AtHome, line: str, parts: list[str]) -> None:
    planned.run("remind --once")
    planned.run(f"reminders snooze {line}").refused(Exit.USAGE, *parts)
    with planned.store() as store:
        assert store.diary.snoozed() == {}


# --- the computer's timer ---------------------------------------------------------------------------------------------


def test_the_timer_is_set_up_looked_at_and_taken_away(home: AtHome, computer: Timers) -> None:
    units = computer.machine.home / ".config/systemd/user"
    assert "companion reminders install" in home.run("reminders status").fine().out
    assert home.run("reminders status --json").json["state"] == "absent"
    assert "every 5 minutes" in home.run("reminders install").fine().out
    assert {path.name for path in units.iterdir()} >= {f"{UNIT}.service", f"{UNIT}.timer"}
    assert home.run("reminders status --json").fine().json["state"] == "installed"
    assert "off" in home.run("reminders remove").fine().out
    assert not units.exists()


def test_a_system_without_a_timer_is_one_line(home: AtHome, computer: Timers) -> None:
    from dataclasses import replace  # noqa: PLC0415

    computer.machine = replace(computer.machine, platform="haiku1")
    for verb in ("install", "remove", "status"):
        home.run(f"reminders {verb}").refused(Exit.FAULT, "haiku1", "remind --once")


# --- notifications ----------------------------------------------------------------------------------------------------

NASTY = 'Ada "; rm -rf ~ $(id) `id` <b>&\n\x1b[2J -u'


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_a_notification_is_no_program_whatever_it_says(platform: str) -> None:
    ran: list[tuple[tuple[str, ...], Mapping[str, str]]] = []

    def run(argv: Sequence[str], environ: Mapping[str, str]) -> bool:
        ran.append((tuple(argv), environ))
        return True

    assert Desktop(platform, {"PATH": "/bin"}, run).notify(NASTY, NASTY)
    (argv, environ) = ran[0]
    plain = NASTY.replace("\n", " ").replace("\x1b", " ")
    match platform:
        case "linux":
            assert argv[-3:] == ("--", plain, plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
        case "darwin":
            assert argv[0] == "/usr/bin/osascript"
            assert argv[-2:] == (plain, plain)
            assert [word for word in argv[1:-2] if "rm -rf" in word] == []
        case _:
            assert "rm -rf" not in " ".join(argv)
            assert (environ["COMPANION_TITLE"], environ["COMPANION_TEXT"]) == (plain, plain)
    assert environ["PATH"] == "/bin"


def test_a_command_that_is_not_there_or_fails_is_a_no(tmp_path: Path) -> None:
    environ = dict(os.environ)
    assert not run_quietly((str(tmp_path / "none"),), environ)
    assert not run_quietly((sys.executable, "-c", "raise SystemExit(3)"), environ)
    assert run_quietly((sys.executable, "-c", "print('hidden')"), environ)


def test_remind_in_a_process_of_its_own_needs_no_streams(planned: AtHome) -> None:
    """As Task Scheduler and launchd start it: nothing to read from, nothing to write to."""
    done = subprocess.run(
        [sys.executable, "-m", "companion", "remind", "--once"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, close_fds=True, check=False,
        env=os.environ | {"PATH": ""},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (Exit.FINISHED, b"")
