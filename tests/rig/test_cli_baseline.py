"""rig baseline: timing kept, and held against what was kept, as somebody types it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from protocols.gatt import uuid
from rig.cli import main
from rig.commands import baseline as command
from rig.replay.exchanges import Exchange, Place, Transcript
from rig.replay.outcome import Lateness, Outcome, Verdict
from rig.replay.transcript import save
from rig.report.files import read_report, write_report
from rig.report.model import Report
from rig.timing.baseline import load
from rig.timing.measure import samples_of

PLACE = Place(uuid("ffe0"), uuid("ffe1"))
CAPTURE = Path(__file__).parents[1] / "captures/esphome-jbd-bms__JBD-SP04S034L4S200A-btsnoop_hci.log"
TABLE = """\
From 1 transcript

measurement                 samples  median   p99  unit
command to acknowledgement      100      22  26.5  ms
notification interval            99     250   256  ms
notification jitter              98    4.54  11.3  ms
gap between writes               99     250   250  ms
burst length                    100       1     1  writes

Kept 5 measurements in base.json
"""


def answers(path: Path, median_ms: float, *, count: int = 100, seed: int = 1) -> None:
    """A transcript of writes, each with an answer some ``median_ms`` later."""
    chance = random.Random(seed)
    exchanges = []
    for number in range(count):
        at_ns = number * 250_000_000
        late_ns = round(median_ms * chance.lognormvariate(0, 0.1) * 1e6)
        exchanges.append(Exchange(at_ns, "app", "write_command", PLACE, b"\x01"))
        exchanges.append(Exchange(at_ns + late_ns, "device", "notification", PLACE, b"\x02"))
    save(Transcript("answers", tuple(exchanges)), path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a recording and one in which every answer takes 60 ms longer."""
    monkeypatch.chdir(tmp_path)
    answers(tmp_path / "before", 22.0)
    answers(tmp_path / "again", 22.0, seed=2)
    answers(tmp_path / "slower", 82.0, seed=3)
    answers(tmp_path / "few", 22.0, count=2)
    return tmp_path


def test_what_was_kept_is_told_as_a_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes = ["--note", "firmware = 2.1", "--note", "machine=a=b"]
    assert main(["baseline", "save", "base.json", "before", *notes, "--seed", "3"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (TABLE, "")
    kept = load("base.json")
    assert (dict(kept.meta), kept.seed) == ({"firmware": "2.1", "machine": "a=b"}, 3)
    assert kept.measurements["command_to_acknowledgement"].count == 100
    assert kept.measurements["gap_between_writes"].samples == tuple(
        sorted(samples_of(here / "before")["gap_between_writes"])
    )


def test_the_same_files_give_the_same_baseline_whatever_their_order(here: Path) -> None:
    command.save("one.json", ["before", "again"])
    command.save("two.json", ["again", "before"])
    assert (here / "one.json").read_bytes() == (here / "two.json").read_bytes()


def test_more_samples_than_are_kept_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("many", [Outcome("decoder", "many", Verdict.PASSED, samples={"theirs": [1.0] * 10_001})])
    write_report(report, "many.json")
    command.save("base.json", ["many.json"])
    assert capsys.readouterr().out.endswith("Kept 1 measurement in base.json, at most 10,000 samples of each\n")


def test_a_baseline_with_too_few_samples_says_so_and_nothing_else_is_the_worse_for_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = Outcome("decoder", "x", Verdict.PASSED, samples={"stop_to_confirmed": [22.0] * 3, "theirs": [1.0, 2.0] * 9})
    write_report(Report("few", [few]), "few.json")
    command.save("base.json", ["few.json"])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "Fewer than 10 samples, too few to tell a change by: stop to confirmed; add recordings"
    assert main(["baseline", "compare", "base.json", "few.json"]) == 0
    said = capsys.readouterr().out
    assert "not enough stop to confirmed: 3 samples before and 3 now" in said
    assert said.splitlines()[-1] == "Timing: 1 passed, 1 not compared"


def test_the_same_again_passes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.save("base.json", ["before"], notes=["firmware=2.1"])
    capsys.readouterr()
    assert main(["baseline", "compare", "base.json", "again"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["Baseline base.json (firmware 2.1), now 1 transcript", ""]
    assert [line.split()[0] for line in said[2:7]] == ["pass"] * 5
    assert said[-1] == "Timing: 5 passed"


def test_slower_answers_fail_in_words_worst_first(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.save("base.json", ["before"])
    capsys.readouterr()
    assert main(["baseline", "compare", "base.json", "slower"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[2].startswith("fail       command to acknowledgement: median ")
    assert " ms slower (22.0 → " in said[2]
    assert said[-1].startswith("Timing: ")
    assert " failed, " in said[-1]


def test_how_much_matters_and_how_sure_it_has_to_be_are_options(here: Path) -> None:
    command.save("base.json", ["before"])
    answers(here / "a little slower", 23.5, seed=9)
    little = ["baseline", "compare", "base.json", "a little slower"]
    assert main(little) == 1
    assert main([*little, "--minimum-effect", "0.5"]) == 0
    assert main([*little, "--false-alarm", "1e-20"]) != 1


def test_too_few_samples_say_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.save("base.json", ["before"])
    capsys.readouterr()
    assert main(["baseline", "compare", "base.json", "few"]) == 3
    assert "not enough command to acknowledgement: 100 samples before and 2 now are" in capsys.readouterr().out


def replayed(path: str, recording: Path, *late_ns: int) -> None:
    """A report as `rig replay` writes it."""
    samples = samples_of(recording)
    write_report(
        Report("replays", [Outcome("peripheral", "one", Verdict.PASSED, samples=samples, lateness=Lateness(late_ns))]),
        path,
    )


def test_a_measurement_that_the_baseline_does_not_have_is_told_and_decides_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.save("base.json", ["before"])
    replayed("now.json", here / "again", 1_000, 2_000)
    capsys.readouterr()
    assert main(["baseline", "compare", "base.json", "now.json"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Baseline base.json, now 1 report"
    assert "not enough lateness: not in the baseline; 2 samples now" in said
    assert said[-1] == "Timing: 5 passed, 1 not compared"


def test_what_only_replays_or_only_captures_have_need_not_be_there_again(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replayed("before.json", here / "before", 1_000, 2_000)
    command.save("base.json", ["before.json"])
    capsys.readouterr()
    assert main(["baseline", "compare", "base.json", "again"]) == 0
    assert "not enough lateness: not measured this time; the baseline has 2 samples" in capsys.readouterr().out


def test_any_other_measurement_that_is_gone_is_not_enough(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.save("base.json", ["before"])
    silent = Transcript(
        "silent", tuple(Exchange(n * 250_000_000, "app", "write_command", PLACE, b"\x01") for n in range(100))
    )
    save(silent, here / "silent")
    capsys.readouterr()
    assert main(["baseline", "compare", "base.json", "silent"]) == 3
    said = capsys.readouterr().out
    assert "not enough command to acknowledgement: not measured this time; the baseline has 100 samples\n" in said
    assert said.endswith("Timing: 3 with too few samples, 2 passed\n")


def test_two_sides_with_nothing_in_common_say_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replayed("late.json", here / "few", 1_000, 2_000)
    report = read_report("late.json")
    write_report(Report("late", [Outcome("decoder", "late", Verdict.PASSED, lateness=Lateness((1,)))]), "late.json")
    assert report.outcomes
    command.save("base.json", ["late.json"])
    write_report(Report("any", [Outcome("decoder", "any", Verdict.PASSED, samples={"theirs": [1.0]})]), "now.json")
    capsys.readouterr()
    assert main(["baseline", "compare", "base.json", "now.json"]) == 3
    assert capsys.readouterr().out.endswith("Timing: 2 not compared\n")


def test_reports_have_the_comparisons_with_their_histograms(here: Path) -> None:
    command.save("base.json", ["before"])
    reports = [word for name in ("r.html", "r.xml", "r.json") for word in ("--report", name)]
    assert main(["baseline", "compare", "base.json", "slower", *reports]) == 1
    page = (here / "r.html").read_text("utf-8")
    assert "base.json and 1 transcript" in page
    assert page.count("<svg") >= 2
    suites = fromstring((here / "r.xml").read_text("utf-8"))  # noqa: S314 - our own
    assert [case.get("classname") for case in suites.iter("testcase")] == ["timing.baseline"] * 5
    assert int(suites.get("failures", "0")) >= 1
    assert json.loads((here / "r.json").read_text("utf-8"))["exit_code"] == 1
    assert read_report("r.json").exit_code == 1
    assert {len(getattr(each, "after", ())) for each in read_report("r.json").comparisons} == {98, 99, 100}


def test_captures_are_measured_as_well(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["baseline", "save", "base.json", str(CAPTURE), "--link", "1"]) == 0
    assert capsys.readouterr().out.startswith("From 1 capture\n")
    assert main(["baseline", "compare", "base.json", str(CAPTURE), "--link", "1"]) in {0, 3}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["save", "base.json"], 2, "FILE is missing: name a capture, transcript or report, or a folder of them"),
        (["save", "base.json", "none"], 1, "none: no such file or folder; check the name"),
        (["save", "before", "again"], 2, "before: is there already and is no baseline; name the baseline first, "),
        (["save", "b", "again", "--note", "x"], 2, "--note x: has to be KEY=VALUE, as firmware=2.1"),
        (["save", "b", "again", "--note", "=x"], 2, "--note =x: has to be KEY=VALUE, as firmware=2.1"),
        (["save", "b", "again", "--note", "x=1", "--note", "x=2"], 2, "--note x=2: x is there twice; leave one"),
        (["save", "none/b", "again"], 1, "none/b: cannot be written: No such file or directory"),
        (["save", "b", "again", "--protocol", "toast"], 2, "no protocol 'toast'"),
        (["save", "b", "again", "--map", "none"], 1, "none"),
        (["compare", "none.json", "again"], 1, "none.json: cannot be read: No such file or directory"),
        (["compare", "before", "again"], 1, "before, line 2: is no baseline"),
        (["compare", "before", "again", "--report", "x.txt"], 2, "--report x.txt: its name does not say what"),
        (["compare", "before", "again", "--false-alarm", "2"], 2, "takes a number between 0 and 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    assert main(["baseline", *arguments]) == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert (printed.err.count("\n"), printed.out) == (1, "")
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


def test_a_baseline_is_written_over(here: Path) -> None:
    command.save("base.json", ["before"])
    command.save("base.json", ["few"])
    assert load("base.json").measurements["burst_length"].count == 2
