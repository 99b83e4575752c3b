"""`rig conformance`: its reports, its exit codes, and one line for every mistake."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from rig.cli import main
from rig.conformance import run
from rig.devices.foreo import SimulatedForeo
from rig.report.files import read_report, write_report
from rig.report.html import page
from rig.report.junit import dumps
from rig.report.model import LeftOut, Report
from rig.report.text import lines
from rig.timing.measure import Judgement, TimingVerdict


def test_it_prints_a_verdict_a_measurement_and_the_whole_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "foreo"]) == 0
    *_, stop, last = [
        line for line in capsys.readouterr().out.splitlines() if "stop to zero" in line or line[0:4] != "pass"
    ]
    assert stop == ""
    assert last == "Conformance: 10 passed"


def test_every_report_is_written_with_value_unit_limit_and_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html, xml, data = tmp_path / "r.html", tmp_path / "r.xml", tmp_path / "r.json"
    line = ["conformance", "foreo", "--seed", "2", "--report", str(html), "--report", str(data), "--junit", str(xml)]
    assert main([*line, "--json"]) == 0
    printed = capsys.readouterr().out
    assert printed == data.read_text(encoding="utf-8")
    told = {each["name"]: each for each in json.loads(printed)["comparisons"]}
    stop = told["pulsation: stop to zero"]
    assert {key: stop[key] for key in ("value", "unit", "at_most", "verdict")} == {
        "value": 0.0,
        "unit": "ms",
        "at_most": 100,
        "verdict": "pass",
    }
    shown = html.read_text(encoding="utf-8")
    assert "conformance: simulated foreo, seed 2" in shown
    assert '<th scope="row">pulsation: stop to zero</th>' in shown
    assert "<td>0 ms (highest of 10), at most 100 ms: kept</td>" in shown
    (suite,) = ET.parse(xml).getroot()  # noqa: S314 - the rig's own
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("conformance", "10", "0")
    assert {case.get("classname") for case in suite} == {"conformance.limit"}
    assert read_report(str(data)).comparisons == run.on_simulated("foreo", seed=2).compared


def test_a_rule_that_is_broken_ends_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Stuck(SimulatedForeo):
        def _set_level(self, level: int, at: float, cause: str) -> None:
            """Nobody has connected its motor."""

    monkeypatch.setattr(run, "create", lambda _key, seed: Stuck(seed=seed))
    assert main(["conformance", "foreo"]) == 1
    out = capsys.readouterr().out
    assert "fail       pulsation: levels 0 to 10 are what was written: 10 of 11 do not: level 1; level 2;" in out


def test_a_check_that_could_not_be_carried_out_ends_with_3(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(SimulatedForeo):
        def deadline_passed(self, now: float) -> tuple[()]:
            super().deadline_passed(now)
            return ()

    monkeypatch.setattr(run, "create", lambda _key, seed: Silent(seed=seed))
    assert main(["conformance", "foreo"]) == 3


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("toaster", "there are no rules for 'toaster'; there are: omp, dr05, foreo"),
        ("", "KIND is missing; see `rig conformance --help`"),
        ("omp dr05", "'dr05' is one argument too many"),
        ("omp --device OMP", "--device OMP needs --consent: the device is real, and will put out current"),
        ("omp --consent", "--consent needs --device"),
        ("omp --device OMP --consent --seed 1", "--device and --seed do not go together"),
        ("omp --seed one", "one"),
        ("omp --junit report.html", "--junit report.html: JUnit is XML; let its name end with .xml"),
        ("omp --report report.pdf", "--report report.pdf: its name does not say what to write"),
        ("omp --report nowhere/at/all.html", "nothing can be written to the folder"),
        ("omp --junit one.xml --report one.xml", "is there twice"),
    ],
)
def test_a_mistake_is_one_line_and_2(
    line: str, complaint: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["conformance", *line.split()]) == 2
    said = capsys.readouterr().err
    assert said.startswith("rig: ")
    assert complaint in said
    assert said.count("\n") == 1


# --- what is left out, in every form of the report --------------------------------------------------------------------


def left_out() -> Report:
    judgement = Judgement("rule 2: stop", TimingVerdict.PASS, 1.0, "rule 2: stop 1 ms: kept", "ms", 100.0)
    return Report("a device", (), [judgement], [LeftOut("rule 7: long writes", "unsafe")], "conformance")


def test_what_was_left_out_counts_neither_way_and_is_in_every_report(tmp_path: Path) -> None:
    report = left_out()
    assert (report.exit_code, report.headline) == (0, "Conformance: 1 passed; 1 left out")
    assert "left out   rule 7: long writes: unsafe" in list(lines(report))
    assert '<th scope="row">rule 7: long writes</th><td>unsafe</td>' in page(report)
    skipped = ET.fromstring(dumps(report)).find(".//*[@classname='conformance.left_out']/skipped")  # noqa: S314 - as above
    assert skipped is not None
    assert skipped.get("message") == "unsafe"


def test_what_was_left_out_is_read_again_and_put_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, whole = tmp_path / "one.json", tmp_path / "whole.json"
    write_report(left_out(), str(one))
    assert main(["report", str(one), "--report", str(whole)]) == 0
    again = read_report(str(whole))
    assert (again.left_out, again.subject) == ([LeftOut("rule 7: long writes", "unsafe")], "conformance")
    assert again.headline == left_out().headline


def test_rule_10_comes_after_rule_9() -> None:
    names = [f"rule {number}: x" for number in (10, 9, 1)]
    report = Report("any", (), [Judgement(name, TimingVerdict.PASS, 0.0, name) for name in names])
    assert [each.name for each in report.compared] == ["rule 1: x", "rule 9: x", "rule 10: x"]
