"""Samples out of files of every kind, and of folders of them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from rig.capture.records import CaptureError
from rig.commands.faults import RigError, UsageError
from rig.replay.exchanges import Transcript
from rig.replay.outcome import Lateness, Outcome, Verdict
from rig.replay.transcript import save
from rig.report.files import write_report
from rig.report.model import Report
from rig.timing.baseline import Baseline, compare
from rig.timing.measure import samples_of
from rig.timing.sources import Gathered, gather, table
from tests.rig.replay.recorded_talk import dr05_session, foreo_session

CAPTURE = Path(__file__).parents[2] / "captures/esphome-jbd-bms__JBD-SP04S034L4S200A-btsnoop_hci.log"


def outcome(title: str, samples: dict[str, list[float]], *late_ns: int) -> Outcome:
    return Outcome("decoder", title, Verdict.PASSED, samples=samples, lateness=Lateness(late_ns))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One of each kind, and what is none."""
    save(dr05_session(), tmp_path / "a.transcript")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.log").write_bytes(CAPTURE.read_bytes())
    replayed = [outcome("one", {"gap_between_writes": [1.0, 2.0]}, 5_000), outcome("two", {"theirs": [3.0]})]
    write_report(Report("replays", replayed), str(tmp_path / "c.json"))
    (tmp_path / "notes.txt").write_text("nothing of interest")
    (tmp_path / "baseline.json").write_text('{"baseline": 1}')
    return tmp_path


def test_samples_of_every_kind_of_file_are_put_together(folder: Path) -> None:
    gathered = gather([str(folder)])
    from_transcript, from_capture = samples_of(dr05_session()), samples_of(CAPTURE)
    assert gathered.told == "1 capture, 1 transcript and 1 report"
    assert [Path(path).name for path in gathered.files] == ["a.transcript", "c.json", "b.log"]
    assert sorted(gathered.samples["gap_between_writes"]) == sorted(
        [*from_transcript["gap_between_writes"], *from_capture["gap_between_writes"], 1.0, 2.0]
    )
    assert gathered.samples["lateness"] == [5.0]
    assert gathered.samples["theirs"] == [3.0]
    assert list(gathered.samples)[-2:] == ["lateness", "theirs"]


def test_files_are_known_by_content_and_not_by_name(tmp_path: Path) -> None:
    save(dr05_session(), tmp_path / "report.json")
    write_report(Report("any", [outcome("one", {"theirs": [1.0]})]), str(tmp_path / "x.json"))
    (tmp_path / "x.json").rename(tmp_path / "capture.btsnoop")
    gathered = gather([str(tmp_path / "capture.btsnoop"), str(tmp_path / "report.json")])
    assert list(gathered.files.values()) == ["report", "transcript"]
    assert gathered.told == "1 transcript and 1 report"


def test_the_order_of_files_makes_no_difference_to_a_comparison(folder: Path) -> None:
    save(foreo_session(), folder / "z.transcript")
    files = [str(folder / name) for name in ("a.transcript", "z.transcript", "deep/b.log", "c.json")]
    forwards, backwards = gather(files), gather(files[::-1])
    assert Baseline.of(forwards.samples) == Baseline.of(backwards.samples)
    kept = Baseline.of(forwards.samples)
    assert compare(kept, forwards.samples) == compare(kept, backwards.samples)


def test_what_is_no_finite_number_is_left_out_and_counted(tmp_path: Path) -> None:
    path = str(tmp_path / "report.json")
    write_report(Report("odd", [outcome("one", {"a": [1.0, math.nan, math.inf], "b": [math.nan]})]), path)
    gathered = gather([path])
    assert (gathered.samples, gathered.odd) == ({"a": [1.0]}, 3)
    assert list(table(gathered))[-1] == "3 samples without a finite value left out"


def test_the_table_has_a_row_for_each_measurement() -> None:
    samples = {"gap_between_writes": [20.0] * 98 + [150.0, 3000.0], "burst_length": [1.0], "theirs": [0.00123]}
    assert list(table(Gathered(samples))) == [
        "measurement         samples   median      p99  unit",
        "gap between writes      100       20      150  ms",
        "burst length              1        1        1  writes",
        "theirs                    1  0.00123  0.00123",
    ]


def test_one_link_of_a_capture_and_a_protocol_may_be_chosen(tmp_path: Path) -> None:
    everything, first = gather([str(CAPTURE)]).samples, gather([str(CAPTURE)], link=1).samples
    assert first == samples_of(CAPTURE, link=1)
    assert sum(map(len, first.values())) <= sum(map(len, everything.values()))
    save(replace(dr05_session(), protocol="", name=""), tmp_path / "unnamed")
    assert "stop_to_confirmed" not in gather([str(tmp_path / "unnamed")]).samples
    assert "stop_to_confirmed" in gather([str(tmp_path / "unnamed")], protocol="dr05").samples


def test_progress_is_told_file_by_file(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    gather([str(folder)], progress=lambda *done: told.append(done))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_nothing_found_is_said_in_one_line(tmp_path: Path) -> None:
    save(Transcript("silence", ()), tmp_path / "a")
    save(Transcript("silence", ()), tmp_path / "b")
    with pytest.raises(RigError, match=r"/a: nothing was measured: no write, notification or read .*; give recordings"):
        gather([str(tmp_path / "a")])
    with pytest.raises(RigError, match=r"^2 transcripts: nothing was measured"):
        gather([str(tmp_path)])
    write_report(Report("odd", [outcome("one", {"b": [math.nan]})]), str(tmp_path / "c.json"))
    with pytest.raises(RigError, match=r"nothing was measured: 1 sample, none a finite number"):
        gather([str(tmp_path / "c.json")])


def test_what_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no recording")
    save(replace(dr05_session(), protocol="theirs"), tmp_path / "theirs")
    (tmp_path / "newer.json").write_text('{"report": 99}')
    with pytest.raises(UsageError, match=r"^`-` is one capture, on standard input; name it alone$"):
        gather(["-", str(CAPTURE)])
    with pytest.raises(UsageError, match=r"^FILE is missing: name a capture, transcript or report, or a folder of th"):
        gather([])
    with pytest.raises(RigError, match=r"/gone: no such file or folder; check the name$"):
        gather([str(tmp_path / "gone")])
    with pytest.raises(CaptureError, match="notes"):
        gather([str(tmp_path / "notes")])
    with pytest.raises(RigError, match=r"newer\.json: a report of version 99"):
        gather([str(tmp_path / "newer.json")])
    with pytest.raises(
        RigError, match=r"/theirs: it says that it speaks a protocol that is not there: no protocol 'th"
    ):
        gather([str(tmp_path / "theirs")])
    for path in (CAPTURE, tmp_path / "theirs"):
        with pytest.raises(UsageError, match="'toast'"):
            gather([str(path)], protocol="toast")
