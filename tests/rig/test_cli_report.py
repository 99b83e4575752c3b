"""rig report: reports put together, and in another form, as somebody types it."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from rig.cli import main
from rig.commands.report import merged
from rig.replay.outcome import Verdict
from rig.report import data, html
from rig.report.files import read_report, write_report
from rig.report.model import Report
from rig.timing.baseline import Baseline, Comparison, compare
from tests.rig.report.example import failed, invalid, latencies, passed, rich


class Terminal(StringIO):
    """Standard output that somebody looks at."""

    def isatty(self) -> bool:
        return True

    def reconfigure(self, **_: object) -> None:
        """As what Python opens has it."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with the reports of three runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    write_report(Report("morning", [passed("a")]), "runs/morning.json")
    write_report(Report("noon", [failed("b"), passed("c")]), "runs/noon.json")
    write_report(Report("evening", [passed("d", seed=4)]), "runs/evening.json")
    (tmp_path / "runs" / "notes.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [([passed()], 0), ([passed(), failed()], 1), ([invalid()], 3), ([invalid(), failed()], 1), ([], 3)],
    ids=["passed", "failed", "invalid", "both", "nothing"],
)
def test_it_ends_with_the_exit_code_of_the_whole(here: Path, outcomes: list[object], code: int) -> None:
    for number, outcome in enumerate(outcomes or [None]):
        write_report(Report("any", [outcome] if outcome else []), f"{number}.json")  # type: ignore[list-item]
    assert main(["report", *(f"{number}.json" for number in range(max(1, len(outcomes))))]) == code


def test_several_are_printed_and_written_as_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "runs", "--title", "A day", "--report", "day.html", "--report", "day.json"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("failed   central    b, 50 exchanges in 6 s\n")
    assert said.splitlines()[-1] == "1 failed of 4 replays"
    day = read_report("day.json")
    assert (day.title, [each.title for each in day.ordered]) == ("A day", ["b", "a", "c", "d"])
    assert (here / "day.html").read_text("utf-8") == html.page(day)


def test_the_order_of_the_reports_leaves_no_trace(here: Path) -> None:
    names = ["runs/morning.json", "runs/noon.json", "runs/evening.json"]
    main(["report", *names, "--report", "one.html", "--report", "one.json", "--report", "one.xml"])
    main(["report", *names[::-1], "--report", "two.html", "--report", "two.json", "--report", "two.xml"])
    for form in ("html", "json", "xml"):
        assert (here / f"one.{form}").read_bytes() == (here / f"two.{form}").read_bytes(), form


def test_one_alone_comes_out_as_it_went_in(here: Path) -> None:
    write_report(rich(), "rich.json")
    assert main(["report", "rich.json", "--report", "again.json"]) == 1
    assert (here / "again.json").read_bytes() == (here / "rich.json").read_bytes()


def test_what_several_have_under_one_name_is_told_apart_by_its_file() -> None:
    reports = {"a.json": Report("a", [passed("x"), passed("y")]), "b.json": Report("b", [passed("y", seed=2)])}
    whole = merged(reports)
    assert whole.title == "2 reports"
    assert sorted(each.title for each in whole.outcomes) == ["x", "y [a.json]", "y [b.json]"]
    roles = merged({"a": Report("a", [passed("x")]), "b": Report("b", [replace(passed("x"), role="central")])})
    assert {each.title for each in roles.outcomes} == {"x"}


def compared(median_ms: float, name: str = "command_to_acknowledgement") -> list[Comparison]:
    before = Baseline.of({name: latencies(100, 22.9, 1)})
    return compare(before, {name: latencies(100, median_ms, 2), "lateness": [1.0]})


def test_comparisons_of_several_keep_their_samples_and_their_say(here: Path) -> None:
    write_report(Report("a", (), compared(22.9)), "a.json")
    write_report(Report("b", (), compared(83.0)), "b.json")
    assert main(["report", "a.json", "--report", "a.xml"]) == 0
    assert main(["report", "a.json", "b.json", "--report", "all.xml", "--report", "all.json"]) == 1
    suites = fromstring((here / "all.xml").read_text("utf-8"))  # noqa: S314 - our own
    assert [case.get("name") for case in suites.iter("testcase")] == [
        "command_to_acknowledgement [b.json]",
        "lateness [a.json]",
        "lateness [b.json]",
        "command_to_acknowledgement [a.json]",
    ]
    whole = read_report("all.json")
    assert [len(whole.measured[f"command_to_acknowledgement [{name}.json]"].before) for name in "ab"] == [100, 100]
    write_report(Report("c", (), compared(22.9)), "c.json")
    assert main(["report", "a.json", "c.json"]) == 0


def test_a_report_that_is_named_twice_counts_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "runs/morning.json", "./runs/morning.json"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "The replay went as recorded"


@pytest.mark.parametrize(
    ("content", "arguments", "told"),
    [
        (None, [], (2, "FILE is missing: name a report in JSON, or a folder of them")),
        (None, ["none.json"], (1, "none.json: no such file or folder; check the name")),
        (None, ["empty"], (2, "empty: there is no report in JSON in this folder")),
        (None, ["runs", "--report", "runs.pdf"], (2, "--report runs.pdf: its name does not say what to write")),
        ("{}", ["x.json"], (1, "x.json: no report: nothing in it says which version")),
        ('{"report": 2}', ["x.json"], (1, "x.json: a report of version 2, and this rig reads up to 1; update the rig")),
        ('{"report": 1', ["x.json"], (1, "x.json: a report that cannot be read: Expecting ',' delimiter")),
        (
            '{"report": 1, "title": 5}',
            ["x.json"],
            (1, "x.json: a report that cannot be read: field 'outcomes' is miss"),
        ),
    ],
    ids=["nothing", "missing", "empty folder", "form", "no report", "newer", "damaged", "incomplete"],
)
def test_a_mistake_is_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], content: str | None, arguments: list[str], told: tuple[int, str]
) -> None:
    code, said = told
    (here / "empty").mkdir()
    if content is not None:
        (here / "x.json").write_text(content)
    assert main(["report", *arguments]) == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert (printed.err.count("\n"), printed.out) == (1, "")


# --- the terminal -----------------------------------------------------------------------------------------------------


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make standard output a terminal of 80 columns; not in a fixture, after which pytest takes it back."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr("rig.commands.reporting.columns", lambda: 80)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return shown


def test_a_terminal_gets_colours_and_lines_that_fit(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    write_report(Report("timing", (), compared(83.0)), "timing.json")
    assert main(["report", "timing.json"]) == 1
    assert shown.getvalue().startswith("\x1b[31mfail\x1b[0m")
    lines = re.sub(r"\x1b\[\d+m", "", shown.getvalue()).splitlines()
    assert max(map(len, lines)) <= 80


def test_whoever_wants_no_colour_gets_none(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    main(["report", "runs"])
    assert "1 failed of 4 replays" in shown.getvalue()
    assert "\x1b" not in shown.getvalue()


def test_a_pipe_gets_plain_text(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["report", "runs"])
    assert "\x1b" not in capsys.readouterr().out


def test_the_files_are_written_though_nobody_reads_the_terminal(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(terminal(monkeypatch), "writelines", gone)
    assert main(["report", "runs", "--report", "day.json"]) == 1
    assert read_report("day.json").verdict is Verdict.FAILED
    assert data.VERSION == 1
