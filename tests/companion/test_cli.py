"""The ``companion`` command: help that is true, one line and an exit code for every mistake, quiet when left."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from companion import cli
from companion.care.screening import ASK_QUESTIONS, BLOCK_QUESTIONS, QUESTIONS
from companion.commands import help as help_pages
from companion.commands import start, tree
from companion.commands.profile import ask_of
from companion.config import CompanionError, Exit, data_folder, routines_folder
from companion.dates import Calendar
from companion.session.model import JournalEntry, JournalKind, Reason, Summary
from companion.store.database import DATABASE_NAME, Store
from companion.words.cli import PAGES

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "data"
    monkeypatch.setenv("COMPANION_DATA", str(place))
    return place


def companion(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The whole command in a process of its own, without a terminal."""
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "cwd": ROOT, **options}
    return subprocess.run([sys.executable, "-m", "companion", *arguments], **options, check=False)


def one_line(done: subprocess.CompletedProcess[str], code: Exit, *parts: str) -> None:
    assert done.returncode == code, done
    assert done.stdout == ""
    assert done.stderr.startswith("companion: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr


# --- help -------------------------------------------------------------------------------------------------------------


def commands_of(app: App, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], App]:
    found = {path: app}
    for name in app:
        if not name.startswith("-"):
            found |= commands_of(app[name], (*path, name))
    return found


def test_every_command_has_a_help_page_and_every_page_a_command() -> None:
    assert set(commands_of(tree.app)) == set(PAGES)


@pytest.mark.parametrize("path", PAGES, ids=" ".join)
def test_a_help_page_names_every_option_and_argument_and_no_others(path: tuple[str, ...]) -> None:
    arguments = commands_of(tree.app)[path].assemble_argument_collection()
    real = {name for argument in arguments for name in argument.names if argument.parse}
    terms = [term.split()[0] for title, rows in PAGES[path].sections for term, _ in rows if title in OPTION_TITLES]
    assert set(terms) - EVERYWHERE == real


OPTION_TITLES = {"Argument", "Options", "Options of the app", "Everywhere"}
EVERYWHERE = {"--help", "--debug", "--version"}


@pytest.mark.parametrize("path", PAGES, ids=" ".join)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_help_page_fits_the_terminal(path: tuple[str, ...], width: int) -> None:
    assert max(map(len, help_pages.page(path, width, bold=False).splitlines())) <= min(width, 96)


def test_help_lists_the_commands_that_exist_and_the_exit_codes() -> None:
    done = companion("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for word in ("run", "scan", "routines", "history", "profile", "plan", "water", "export", "delete", "doctor"):
        assert f"\n  {word} " in done.stdout
    for word in ("pair", "devices"):
        assert f"\n  {word} " in done.stdout
    assert "\n  sync " not in done.stdout
    for code in (0, 1, 2, 3, 4, 5, 6):
        assert f"\n  {code}  " in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["--help"], ()),
        (["-h"], ()),
        (["--demo", "--help"], ()),
        (["run", "full-face", "--demo", "-h"], ("run",)),
        (["--debug", "routines", "show", "--help"], ("routines", "show")),
        (["history", "--json", "show", "--help"], ("history", "show")),
    ],
)
def test_help_is_there_wherever_it_is_asked_for(
    arguments: list[str], path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == help_pages.page(path, 80, bold=False)


def test_help_in_a_terminal_is_bold_but_for_those_who_want_no_colour(folder: Path) -> None:
    assert b"\x1b[1m" in in_a_terminal(["--help"])[1]
    assert b"\x1b" not in in_a_terminal(["--help"], NO_COLOR="1")[1]


def test_the_version_is_told() -> None:
    assert companion("--version").stdout.startswith("companion 0.")


# --- mistakes in the command line -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("run", ["ROUTINE is missing", "companion run --help"]),
        ("run a b", ["'b' is one argument too many"]),
        ("run a --foo", ["--foo", "companion run --help"]),
        ("run a --jsn", ["--jsn", "--json"]),
        ("run a --demo dr04", ["--demo", "omp", "dr05", "foreo", "dr04", "it means omp"]),
        ("run a --demo=dr04", ["--demo", "omp", "dr05", "foreo", "dr04"]),
        ("run --demo full-face", ["--demo", "'full-face'"]),
        ("run a --demo --seed x", ["--seed", "whole number"]),
        ("run a --demo --seed -3", ["--seed", "whole number"]),
        ("run a --demo --seed", ["--seed needs a value"]),
        ("run a --demo --speed 0", ["--speed", "positive number, or max"]),
        ("run a --demo --speed nan", ["--speed", "positive number, or max"]),
        ("run a --demo --speed inf", ["--speed", "positive number, or max"]),
        ("run a --demo --speed fast", ["--speed", "positive number, or max"]),
        ("run a --speed 2", ["--speed", "--demo", "real device"]),
        ("run a --speed max", ["--speed", "--demo", "real device"]),
        ("run a --seed 1", ["--seed", "--demo"]),
        ("run a --demo --json --plain", ["--plain", "--json"]),
        ("run a --demo --yes=perhaps", ["--yes", "perhaps"]),
        ("--speed max --demo", ["--speed max", "companion run"]),
        ("--demo dr50", ["--demo", "'dr50'"]),
        ("rnu", ["'rnu'", "'run'"]),
        ("levitate", ["'levitate'", "routines", "history"]),
        ("routines shwo", ["'shwo'", "'show'"]),
        ("routines show", ["NAME is missing"]),
        ("history show seven", ["ID", "companion history"]),
        ("history --limit 0", ["--limit", "positive"]),
        ("scan --timeout soon", ["--timeout", "positive"]),
    ],
)
def test_a_mistake_is_told_in_one_line_that_names_it(
    line: str, parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(line.split()) == Exit.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("companion: ")
    assert told.err.count("\n") == 1
    for part in parts:
        assert part in told.err


def test_a_mistake_is_one_line_in_a_process_too() -> None:
    one_line(companion("run", "--nonsense"), Exit.USAGE, "--nonsense")


def test_without_a_terminal_the_app_points_to_run() -> None:
    for arguments in ([], ["--demo"]):
        one_line(companion(*arguments), Exit.USAGE, "needs a terminal", "companion run ROUTINE")


def test_an_unknown_routine_is_a_mistake_in_the_command_line() -> None:
    one_line(companion("run", "ful-face", "--demo", "--yes"), Exit.USAGE, "ful-face", "full-face")


def test_h10_yes_is_no_bypass_of_the_screening_with_a_real_device(folder: Path) -> None:
    """H10: `--yes` confirms the preparation; without a completed screening there is no session with a real device."""
    one_line(companion("run", "full-face", "--yes"), Exit.BLOCKED, "companion profile")
    with Store.open(folder, Calendar.system()) as store:
        assert store.sessions() == []


# --- what a command hands on ------------------------------------------------------------------------------------------


def parsed(line: str) -> dict[str, Any]:
    tokens = line.split()
    _, bound, _ = tree.app.parse_args(
        tree._with_demo_device(tokens, help_pages.command_of(tokens)), print_error=False, exit_on_error=False
    )
    return dict(bound.arguments)


@pytest.mark.parametrize(
    ("line", "demo"),
    [
        ("run a --demo", "omp"),
        ("run a --demo --yes", "omp"),
        ("run --demo foreo a", "foreo"),
        ("run a --demo=foreo", "foreo"),
        ("run a --demo dr05", "dr05"),
        ("--demo", "omp"),
        ("--demo --seed 3", "omp"),
        ("scan --demo --json", "omp"),
        ("pair --demo", "omp"),
        ("serve --demo --port 0", "omp"),
    ],
)
def test_a_bare_demo_means_the_reference_device(line: str, demo: str) -> None:
    assert parsed(line)["demo"] == demo


@pytest.mark.parametrize(("line", "demo"), start.DIRECT.items())
def test_the_short_way_to_the_app_is_what_the_parser_makes_of_the_line(
    line: tuple[str, ...], demo: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[object, ...]] = []

    def run_app(*arguments: object, person: str | None, with_keys: bool) -> int:
        begun.append((*arguments, person))
        return 0

    monkeypatch.setattr("companion.app.run_app", run_app)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    assert tree.dispatch(line, debug=False) == 0
    with monkeypatch.context() as without_parser:
        without_parser.setattr(tree, "dispatch", failing(AssertionError("the parser was asked")))
        assert cli.main(line) == 0
    by_parser, directly = begun
    assert directly == by_parser
    assert directly == (demo, 0, 1.0, None, data_folder(demo=demo is not None), None)


def test_speed_takes_numbers_and_max() -> None:
    assert parsed("run a --demo --speed 2.5")["speed"] == 2.5
    assert parsed("run a --demo --speed max")["speed"] == float("inf")


def test_a_routine_may_look_like_an_option_behind_two_dashes() -> None:
    assert parsed("run -- --help") == {"routine": "--help"}
    assert not help_pages.asked_for(["run", "--", "--help"])


def test_the_demo_has_a_data_folder_of_its_own_and_the_persons_routines(tmp_path: Path) -> None:
    environ = {"COMPANION_DATA": str(tmp_path)}
    assert data_folder(environ=environ) == tmp_path
    assert data_folder(demo=True, environ=environ) == tmp_path / "demo"
    assert routines_folder(environ=environ) == tmp_path / "routines"


def test_without_an_override_the_data_folder_is_where_the_platform_keeps_data() -> None:
    assert data_folder(environ={}).is_absolute()
    assert data_folder(environ={}).name == "microcurrent-companion"
    assert data_folder(environ={"COMPANION_DATA": "here"}).is_absolute()


# --- faults -----------------------------------------------------------------------------------------------------------


def failing(error: BaseException) -> Any:
    def run(_tokens: list[str], *, debug: bool) -> int:
        del debug
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (CompanionError("no adapter; plug one in", Exit.NO_DEVICE), 5, "companion: no adapter; plug one in\n"),
        (CompanionError("the disk is full"), 1, "companion: the disk is full\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_a_fault_is_one_line_and_its_exit_code(
    error: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_run", failing(error))
    assert cli.main(["history"]) == code
    assert capsys.readouterr().err == told


def test_a_defect_is_one_line_too_and_debug_shows_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_run", failing(ZeroDivisionError("by\nzero")))
    assert cli.main(["history"]) == Exit.FAULT
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "ZeroDivisionError: by zero" in told
    assert "--debug" in told
    for arguments in (["--debug", "history"], ["history", "--debug"]):
        assert cli.main(arguments) == Exit.FAULT
        assert "Traceback" in capsys.readouterr().err


def test_a_database_of_a_newer_version_is_one_line(folder: Path) -> None:
    Store.open(folder, Calendar.fixed(NOW)).close()
    raw = sqlite3.connect(folder / DATABASE_NAME)
    raw.execute("PRAGMA user_version = 7")
    raw.close()
    one_line(companion("history"), Exit.FAULT, str(folder), "version 7", "update the app")


def without_a_reader(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Standard output fails from the first write on, as it does for the second line behind `head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return companion(*arguments, capture_output=False, stdout=writer, stderr=subprocess.PIPE, timeout=120)
    finally:
        os.close(writer)


def test_a_reader_that_leaves_early_is_no_fault(folder: Path) -> None:
    keep_two_sessions(folder)
    for arguments in (["history"], ["history", "--json"], ["routines"], ["--help"]):
        done = without_a_reader(*arguments)
        assert (done.returncode, done.stderr) == (Exit.READER_GONE, ""), arguments


def test_h3_a_session_that_nobody_reads_stops(folder: Path) -> None:
    """H3: `companion run … | head -1` does not go on treating behind a closed pipe."""
    done = without_a_reader("run", "full-face", "--demo", "dr05", "--speed", "max", "--json", "--yes")
    assert (done.returncode, done.stderr) == (Exit.STOPPED_EARLY, "")
    with Store.open(folder / "demo", Calendar.fixed(NOW)) as store:
        (record,) = store.sessions()
    assert record.summary is not None
    assert record.summary.reason is Reason.STOPPED


def test_an_interrupt_is_quiet() -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "companion", "run", "full-face", "--demo", "--json", "--yes"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert program.stdout is not None
    program.stdout.readline()
    program.send_signal(signal.SIGINT)
    out, err = program.communicate()
    assert program.returncode == Exit.STOPPED_EARLY
    assert json.loads(out.splitlines()[-1])["reason"] == "stopped by you"
    assert err == ""


# --- history ----------------------------------------------------------------------------------------------------------


def keep_two_sessions(folder: Path) -> None:
    with Store.open(folder, Calendar.fixed(NOW)) as store:
        writer = store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo=False)
        writer.append([JournalEntry(JournalKind.ZONE, {"zone": "chin", "state": "begin"})], 65.5)
        writer.append([JournalEntry(JournalKind.FINISHED, {"zones": {"chin": 12.0}, "skipped": None})], 80.0)
        writer.finish(Summary(Reason.STOPPED, {"chin": 12.0}, 30, 72.0, 80.0, ("brow",)))
        store.begin_session("first-touch", "BEAR2", "foreo-bear2", "foreo", demo=False).close()


def test_the_history_is_a_table_the_newest_first(folder: Path) -> None:
    assert "No sessions yet" in companion("history").stdout
    keep_two_sessions(folder)
    lines = companion("history").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["id", "2", "1"]
    assert lines[1].endswith("interrupted")
    assert "1 min 12 s" in lines[2]
    assert lines[2].endswith("stopped by you")
    assert len(companion("history", "--limit", "1").stdout.splitlines()) == 2


def test_the_history_as_json_says_the_same(folder: Path) -> None:
    keep_two_sessions(folder)
    second, first = map(json.loads, companion("history", "--json").stdout.splitlines())
    assert (second["id"], second["status"], second["reason"]) == (2, "interrupted", None)
    assert first == {
        "id": 1, "routine": "full-face", "device": "Dr-05", "device_key": "dr05", "protocol": "dr05", "demo": False,
        "started_at": NOW.isoformat(), "ended_at": NOW.isoformat(), "status": "finished", "reason": "stopped by you",
        "zones": {"chin": 12.0}, "skipped_zones": ["brow"], "highest_percent": 30, "output_s": 72.0, "elapsed_s": 80.0,
        "note": "", "photos": [],
    }  # fmt: skip


def test_one_session_can_be_seen_moment_by_moment(folder: Path) -> None:
    keep_two_sessions(folder)
    lines = companion("history", "show", "1").stdout.splitlines()
    assert lines[-2:] == ["1:05  zone      zone chin, state begin", "1:20  finished  chin 12"]
    told = [json.loads(line) for line in companion("history", "show", "1", "--json").stdout.splitlines()]
    assert told[0] == {"t": 65.5, "event": "zone", "zone": "chin", "state": "begin"}
    one_line(companion("history", "show", "9"), Exit.USAGE, "no session 9", "companion history")


def test_the_journal_of_a_demo_reads_back_as_it_was_told() -> None:
    told = companion("run", "first-touch", "--demo", "--speed", "max", "--json", "--yes")
    assert told.returncode == 0
    assert companion("history", "show", "1", "--demo", "--json").stdout == told.stdout
    assert "No sessions yet" in companion("history").stdout


# --- routines ---------------------------------------------------------------------------------------------------------


def test_the_routines_are_listed_with_ones_own_and_with_what_is_wrong_with_them(folder: Path) -> None:
    own = folder / "routines"
    own.mkdir(parents=True)
    (own / "mine.toml").write_text('format = 1\nname = "mine"\ntitle = "Mine"\nsteps = 3\n')
    done = companion("routines")
    assert done.returncode == 0
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert {"first-touch", "five-minute-lift", "full-face", "pulse-cleanse", "mine"} <= set(rows)
    assert "12 min" in rows["full-face"]
    assert "mine.toml" in rows["mine"]
    listed = {row["name"]: row for row in map(json.loads, companion("routines", "--json").stdout.splitlines())}
    assert listed["full-face"]["seconds"] > 600
    assert "error" in listed["mine"]


def test_a_routine_is_shown_step_by_step() -> None:
    done = companion("routines", "show", "full-face")
    assert done.returncode == 0
    assert "Left cheekbone" in done.stdout
    one_line(companion("routines", "show", "ful-face"), Exit.USAGE, "full-face")


def test_a_routine_file_is_checked(tmp_path: Path) -> None:
    packaged = ROOT / "companion/routines/library/first-touch.toml"
    done = companion("routines", "check", str(packaged))
    assert (done.returncode, done.stderr) == (0, "")
    assert "a routine" in done.stdout
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(packaged.read_text("utf-8").replace("share = 0", "share = 7", 1), "utf-8")
    one_line(companion("routines", "check", str(wrong)), Exit.USAGE, "wrong.toml", "line", "share")
    one_line(companion("routines", "check", str(tmp_path / "none.toml")), Exit.USAGE, "none.toml")


# --- profile ----------------------------------------------------------------------------------------------------------


def answer(folder: Path, replies: str) -> str:
    asking = io.StringIO()
    assert ask_of(io.StringIO(replies), asking, folder, Calendar.fixed(NOW)) == 0
    return asking.getvalue()


def test_h10_every_question_is_asked_and_the_answers_are_kept(folder: Path) -> None:
    told = answer(folder, "n\n" * len(QUESTIONS))
    for question in QUESTIONS:
        assert question.text in told
    assert "Nothing in your answers speaks against a session" in told
    with Store.open(folder, Calendar.fixed(NOW)) as store:
        screening = store.screening()
    assert screening is not None
    assert screening.answers == {question.id: "no" for question in QUESTIONS}


@pytest.mark.parametrize("reply", ["y", "s"])
def test_h10_a_blocking_answer_is_told_with_its_reason(folder: Path, reply: str) -> None:
    told = answer(folder, f"{reply}\n" + "n\n" * (len(QUESTIONS) - 1))
    assert "No session with this app" in told
    assert "ask your doctor" in told


@pytest.mark.parametrize(("agreed", "clear"), [("y", True), ("n", False)])
def test_h10_an_asking_answer_waits_for_a_doctors_agreement(folder: Path, agreed: str, clear: bool) -> None:
    told = answer(folder, "n\n" * len(BLOCK_QUESTIONS) + f"yes\n{agreed}\n" + "n\n" * (len(ASK_QUESTIONS) - 1))
    assert told.count("Has a doctor agreed") == 1
    assert ("Nothing in your answers" in told) is clear
    assert ("Only once a doctor has agreed" in told) is not clear


def test_h10_an_answer_that_is_none_is_asked_again(folder: Path) -> None:
    told = answer(folder, "\nmaybe\n" + "N\n" * len(QUESTIONS))
    assert told.count(QUESTIONS[0].text) == 3


def test_h10_nothing_is_kept_of_questions_left_halfway(folder: Path) -> None:
    with pytest.raises(CompanionError, match="nothing was kept"):
        answer(folder, "n\n" * (len(QUESTIONS) - 1))
    with Store.open(folder, Calendar.fixed(NOW)) as store:
        assert store.screening() is None


def test_h10_answers_from_a_script_are_not_taken() -> None:
    done = companion("profile", stdin=None, input="n\n" * len(QUESTIONS))
    one_line(done, Exit.USAGE, "terminal")


def test_the_profile_is_asked_in_a_terminal_and_shown_afterwards(folder: Path) -> None:
    assert "have not been answered yet" in companion("profile", "show").stdout
    code, told = in_a_terminal(["profile"], keys=b"n\n" * len(QUESTIONS))
    assert code == 0, told
    shown = companion("profile", "show").stdout
    assert shown.count("  no\n") == len(QUESTIONS)
    assert "Answered on" in shown
    assert "Nothing in your answers" in shown


def test_h2_a_first_session_is_not_raised_beforehand_and_later_ones_are_by_the_person_alone(folder: Path) -> None:
    assert "is 30 %" in companion("profile", "comfortable").stdout
    one_line(companion("profile", "comfortable", "31"), Exit.BLOCKED, "first session")
    assert "is 20 %" in companion("profile", "comfortable", "20").stdout
    with Store.open(folder, Calendar.fixed(NOW)) as store:
        writer = store.begin_session("full-face", "Dr-05", "dr05", "dr05", demo=False)
        writer.append([JournalEntry(JournalKind.STEP, {"index": 0})], 0.0)
        writer.finish(Summary(Reason.COMPLETED, {"chin": 30.0}, 20, 30.0, 60.0))
    assert "is 45 %" in companion("profile", "comfortable", "45").stdout
    assert "is 45 %" in companion("profile", "comfortable").stdout


@pytest.mark.parametrize("percent", ["0", "101", "-5", "much"])
def test_a_comfortable_maximum_that_is_no_level_is_refused(percent: str) -> None:
    one_line(companion("profile", "comfortable", percent), Exit.USAGE, "comfortable")


# --- a terminal -------------------------------------------------------------------------------------------------------


def in_a_terminal(arguments: list[str], keys: bytes = b"", **environ: str) -> tuple[int, bytes]:
    """Run the command behind a pseudo-terminal; return its exit code and what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "companion", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT,
        env={**{name: value for name, value in os.environ.items() if name != "NO_COLOR"}, "TERM": "xterm", **environ},
    ) as program:  # fmt: skip
        os.close(theirs)
        os.write(ours, keys)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux answers EIO once the other side is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    return program.returncode, shown


def test_the_app_is_not_drawn_into_a_file_that_standard_error_was_sent_to(tmp_path: Path) -> None:
    """Textual draws on standard error; elsewhere the person would see nothing, and the keys would still count."""
    ours, theirs = pty.openpty()
    with (tmp_path / "errors").open("w+") as errors:
        done = subprocess.run(
            [sys.executable, "-m", "companion", "--demo"],
            stdin=theirs,
            stdout=theirs,
            stderr=errors,
            cwd=ROOT,
            check=False,
        )
        os.close(theirs)
        os.close(ours)
        errors.seek(0)
        assert "needs a terminal" in errors.read()
    assert done.returncode == Exit.USAGE


def test_the_answers_hold_for_ninety_days(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store.open(folder, Calendar.fixed(datetime.now(tz=UTC) - timedelta(days=91))) as store:
        store.save_screening({question.id: "no" for question in QUESTIONS})
    assert cli.main(["profile", "show"]) == 0
    assert "older than 90 days" in capsys.readouterr().out
