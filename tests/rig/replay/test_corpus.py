"""Many recordings in one run: which files are taken, and the same results however they are played."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from rig.capture.records import CaptureError
from rig.capture.source import Source
from rig.commands.faults import RigError, UsageError
from rig.replay import corpus, workers
from rig.replay.corpus import golden_files, outcome_of, play_all, recordings_in
from rig.replay.exchanges import Transcript
from rig.replay.job import Job
from rig.replay.outcome import Outcome, Verdict
from rig.replay.transcript import save
from rig.replay.workers import Ended, Task, cores, in_workers
from rig.report import data, html, junit
from rig.report.model import Report
from tests.rig.replay import corpus_world
from tests.rig.replay.corpus_world import FAILING, write_corpus
from tests.rig.replay.recorded_talk import dr05_session, foreo_session

ROOT = Path(__file__).parents[3]
CAPTURE = ROOT / "tests/captures/whad-client__ble_discovery.pcap"


# --- which files are recordings ---------------------------------------------------------------------------------------


def test_a_folder_gives_its_recordings_in_order_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    for name in ("b/deep/z.txt", "b/a", "c.transcript", ".git/hidden", ".hidden"):
        save(dr05_session(), tmp_path / name)
    (tmp_path / "capture.bin").write_bytes(CAPTURE.read_bytes())
    play_all([str(tmp_path / "c.transcript")], Job(golden=str(tmp_path / "c.golden.jsonl"), update=True))
    (tmp_path / "plan.toml").write_text("format = 1\n")
    (tmp_path / "report.json").write_text(data.dumps(Report("transcript")))
    (tmp_path / "empty").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    expected = ["b/a", "b/deep/z.txt", "c.transcript", "capture.bin"]
    assert recordings_in([str(tmp_path)]) == [str(tmp_path / name) for name in expected]


def test_files_that_are_named_are_taken_whatever_they_are(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no recording")
    assert recordings_in([str(tmp_path / "notes.txt")]) == [str(tmp_path / "notes.txt")]
    assert recordings_in(["-"]) == ["-"]


def test_a_recording_that_is_named_twice_is_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(dr05_session(), tmp_path / "a")
    save(dr05_session(), tmp_path / "b")
    monkeypatch.chdir(tmp_path)
    assert recordings_in(["./b", ".", str(tmp_path / "a")]) == ["./b", "a"]


def test_a_file_that_cannot_be_opened_is_taken_so_that_it_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "theirs"
    save(dr05_session(), path)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr("rig.capture.source.FileIO", refuse)
    assert recordings_in([str(tmp_path)]) == [str(path)]
    (outcome,) = play_all([str(path)], Job())
    assert outcome.verdict is Verdict.INVALID
    assert outcome.differences[0].text == ("precondition: it was not played: you may not read it (permission denied)")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "FILE is missing: name a recording, or a folder of them"),
        (("none",), "none: no such file or folder; check the name"),
        (("empty",), "empty: there is no recording in this folder, by the content of its files; name another"),
        (("-", "empty"), "`-` is one recording, on standard input; name it alone"),
    ],
    ids=["nothing", "missing", "empty folder", "standard input and more"],
)
def test_what_names_no_recording_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no recording")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RigError) as refused:
        recordings_in(names)
    assert str(refused.value) == said


def test_looking_at_a_file_leaves_it_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Source] = []
    original = Source.open

    def watched(path: str | Path) -> Source:
        opened.append(original(path))
        return opened[-1]

    monkeypatch.setattr(Source, "open", watched)
    (tmp_path / "notes.txt").write_text("no recording")
    assert not corpus.is_recording(tmp_path / "notes.txt")
    assert opened[0]._raw.closed


# --- playing them -----------------------------------------------------------------------------------------------------


def forms(outcomes: list[Outcome]) -> tuple[str, str, str]:
    """Every form of the report of a run."""
    report = Report("corpus", outcomes)
    return html.page(report), junit.dumps(report), data.dumps(report)


def by_place(folder: Path, outcomes: list[Outcome]) -> dict[str, Outcome]:
    return {Path(each.title).relative_to(folder).as_posix(): each for each in outcomes}


def assert_each_ended_as_it_was_made(folder: Path, ways: dict[str, str], outcomes: list[Outcome]) -> None:
    found = by_place(folder, outcomes)
    assert found.keys() == ways.keys()
    for place, way in ways.items():
        outcome = found[place]
        if way == "fine":
            assert (outcome.verdict, outcome.differences) == (Verdict.PASSED, []), place
        elif way == "damaged":
            assert outcome.verdict is Verdict.INVALID
            assert "precondition: it was not played: line " in outcome.differences[0].text
        else:
            assert outcome.verdict is Verdict.FAILED
            assert FAILING[way] in outcome.differences[0].text


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A corpus of 24, and how each ends."""
    return tmp_path, write_corpus(tmp_path, 24, 7)


def test_every_recording_ends_as_it_has_to_and_progress_is_told(small: tuple[Path, dict[str, str]]) -> None:
    folder, ways = small
    told: list[tuple[int, int]] = []
    outcomes = play_all(recordings_in([str(folder)]), Job(), jobs=1, progress=lambda *done: told.append(done))
    assert_each_ended_as_it_was_made(folder, ways, outcomes)
    assert told == [(number, 24) for number in range(1, 25)]
    assert Report("corpus", outcomes).exit_code == 1


def test_the_same_bytes_with_one_process_and_with_two_in_any_order(small: tuple[Path, dict[str, str]]) -> None:
    folder, _ = small
    paths = recordings_in([str(folder)])
    shuffled = random.Random(3).sample(paths, len(paths))
    in_two = play_all(shuffled, Job(), jobs=2)
    assert [each.title for each in in_two] == shuffled
    assert forms(in_two) == forms(play_all(paths, Job(), jobs=1))


def test_test_cases_have_names_of_their_own_though_titles_are_the_same(small: tuple[Path, dict[str, str]]) -> None:
    folder, ways = small
    outcomes = play_all(recordings_in([str(folder)]), Job(), jobs=1)
    suites = fromstring(junit.dumps(Report("corpus", outcomes)))  # noqa: S314 - our own
    names = [case.get("name", "") for case in suites.iter("testcase")]
    assert sorted(names) == sorted(f"{folder.as_posix()}/{place}" for place in ways)


@pytest.mark.slow  # five hundred recordings, four times
def test_five_hundred_recordings_over_two_processes_make_one_summary(tmp_path: Path) -> None:
    ways = write_corpus(tmp_path, 500, 2026)
    paths = recordings_in([str(tmp_path)])
    outcomes = play_all(paths, Job(), jobs=2)
    assert_each_ended_as_it_was_made(tmp_path, ways, outcomes)
    report = Report("corpus", outcomes)
    made = Counter(ways.values())
    wrong = sum(made[way] for way in FAILING)
    assert (report.exit_code, report.headline) == (1, f"{wrong} failed and 1 invalid of 500 replays")
    suites = fromstring(junit.dumps(report))  # noqa: S314 - our own
    assert [suites.get(name) for name in ("tests", "failures", "errors")] == ["500", str(wrong), "1"]
    page = html.page(report)
    assert report.headline in page
    expected = forms(outcomes)
    for count in (1, 2, 3):
        shuffled = random.Random(count).sample(paths, len(paths))
        assert forms(play_all(shuffled, Job(), jobs=count)) == expected, f"{count} processes"


@pytest.mark.slow  # a radio for each of them
@pytest.mark.parametrize("role", ["peripheral", "central"])
def test_with_a_radio_between_them_the_number_of_processes_makes_no_difference_either(
    tmp_path: Path, role: Any
) -> None:
    write_corpus(tmp_path, 16, 11)
    paths = recordings_in([str(tmp_path)])
    job = Job(role=role)
    alone = play_all(paths, job, jobs=1)
    assert Counter(each.verdict for each in alone)[Verdict.PASSED] >= 13
    assert forms(play_all(paths[::-1], job, jobs=2)) == forms(alone)


def test_one_recording_is_played_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(corpus, "in_workers", refuse)
    save(dr05_session(), tmp_path / "one")
    (outcome,) = play_all([str(tmp_path / "one")], Job(), jobs=8)
    assert (outcome.verdict, outcome.title) == (Verdict.PASSED, str(tmp_path / "one"))


def counted_workers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many processes are asked for, for how many recordings, from now on; none is started."""
    asked: list[tuple[int, int]] = []

    def counted(tasks: list[Task], _: object, count: int) -> Any:
        asked.append((count, len(tasks)))
        yield from ((place, outcome_of(*task)) for place, task in enumerate(tasks))

    monkeypatch.setattr(corpus, "in_workers", counted)
    monkeypatch.setattr(corpus, "cores", lambda: 3)
    return asked


def test_no_more_processes_are_started_than_there_are_recordings_or_cores(
    small: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted_workers(monkeypatch)
    paths = recordings_in([str(small[0])])
    play_all(paths[:2], Job(), jobs=8)
    play_all(paths[:5], Job(speed=1e6))
    assert asked == [(2, 2), (3, 5)]
    assert cores() >= 1


def test_processes_are_started_once_it_takes_longer_than_they_do(
    small: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted_workers(monkeypatch)
    paths = recordings_in([str(small[0])])
    at_once = play_all(paths, Job(), clock=lambda: 0.0)
    assert asked == []
    ticks = iter(range(100))
    later = play_all(paths, Job(), clock=lambda: next(ticks) * corpus.ALONE_S / 4)
    assert asked == [(3, 21)]
    assert later == at_once


# --- what cannot be played --------------------------------------------------------------------------------------------


def test_what_cannot_be_played_says_why_and_the_others_go_on(tmp_path: Path) -> None:
    save(dr05_session(), tmp_path / "fine")
    save(replace(dr05_session(), protocol="", name="", services=()), tmp_path / "unknown")
    save(Transcript("nothing", ()), tmp_path / "nothing")
    (tmp_path / "damaged").write_bytes(CAPTURE.read_bytes()[:1000])
    (tmp_path / "notes").write_text("no recording")
    names = ["fine", "unknown", "nothing", "damaged", "notes", "gone"]
    found = by_place(tmp_path, play_all([str(tmp_path / name) for name in names], Job(role="central"), jobs=1))
    assert found.pop("fine").verdict is not Verdict.INVALID
    for name, outcome in found.items():
        assert (outcome.role, outcome.verdict) == ("central", Verdict.INVALID), name
        (said,) = outcome.differences
        assert (said.kind, "\n" in said.text, str(tmp_path) in said.text) == ("precondition", False, False), name
    assert "does not say which device it speaks to; name one with --simulate" in found["unknown"].differences[0].text
    assert "there is no such file" in found["gone"].differences[0].text
    assert "at byte 980: cut in a block" in found["damaged"].differences[0].text


def test_a_defect_that_one_recording_meets_is_told_and_alone_it_is_raised(
    small: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "play", corpus_world.has_a_defect)
    paths = recordings_in([str(small[0])])
    outcomes = play_all(paths[:2], Job(), jobs=1)
    assert {each.verdict for each in outcomes} == {Verdict.INVALID}
    assert outcomes[0].differences[0].text == (
        "precondition: it was not played: an unexpected fault (LookupError: decoder of theirs); "
        "replay it alone with --debug, and report what it prints"
    )
    with pytest.raises(LookupError):
        play_all(paths[:1], Job())


@pytest.mark.parametrize(
    ("job", "jobs", "said"),
    [
        (Job(role="central", simulate="toaster"), 1, "there is no simulated device 'toaster'; there are: dr05, foreo"),
        (Job(protocol="toast"), 1, "no protocol 'toast'; known: dr05, foreo"),
        (Job(), 0, "--jobs 0: at least one process is needed"),
        (Job(role="peripheral", faults="no-plan.toml"), 1, "no-plan.toml"),
        (Job(role="peripheral", app="no-app"), 1, "no-app: there is no such file"),
        (Job(handle_map="no-map.json"), 1, "no-map.json"),
        (Job(golden="no-folder"), 1, "--golden no-folder: there is no such folder yet; write it with --update"),
        (Job(golden=__file__), 1, "is a file; several recordings have a golden file each, in a folder"),
        (Job(golden=f"{__file__}/x", update=True), 1, "Not a directory"),
    ],
    ids=["device", "protocol", "no process", "plan", "app", "map", "no golden", "golden file", "golden nowhere"],
)
def test_a_job_that_is_none_ends_the_run_before_anything_is_played(
    small: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch, job: Job, jobs: int, said: str
) -> None:
    monkeypatch.setattr(corpus, "play", lambda *_: pytest.fail("something was played"))
    with pytest.raises((RigError, CaptureError)) as refused:
        play_all(recordings_in([str(small[0])])[:3], job, jobs=jobs)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_same_path_twice_is_a_defect_of_the_caller() -> None:
    with pytest.raises(ValueError, match="twice"):
        play_all(["a", "a"], Job())


# --- golden files -----------------------------------------------------------------------------------------------------


def test_every_recording_has_a_golden_file_of_its_own(small: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    folder, ways = small
    golden = tmp_path / "golden"
    paths = recordings_in([str(folder)])
    update = Job(golden=str(golden), update=True)
    written = play_all(paths, update, named=[str(folder)], jobs=1)
    assert Counter(each.verdict for each in written) == {Verdict.PASSED: 23, Verdict.INVALID: 1}
    fine = sorted(place for place, way in ways.items() if way != "damaged")
    files = sorted(path.relative_to(golden).as_posix() for path in golden.rglob("*.jsonl"))
    assert files == [f"{place}.golden.jsonl" for place in fine]
    # the golden files are no recordings, though they are in the folder
    assert recordings_in([str(folder)]) == paths

    (golden / f"{fine[0]}.golden.jsonl").unlink()
    save(foreo_session(), folder / fine[1])
    found = by_place(folder, play_all(paths, Job(golden=str(golden)), named=[str(folder)], jobs=1))
    assert "there is no golden file yet" in found.pop(fine[0]).differences[0].text
    assert found.pop(fine[1]).verdict is not Verdict.PASSED
    assert [place for place, each in found.items() if each.verdict is Verdict.PASSED] == fine[2:]


def test_golden_files_are_where_their_recordings_are_below_the_folder_that_was_named(tmp_path: Path) -> None:
    (tmp_path / "corpus" / "inner").mkdir(parents=True)
    named = [f"{tmp_path}/corpus", f"{tmp_path}/corpus/inner", f"{tmp_path}/alone"]
    paths = [f"{tmp_path}/corpus/x/a", f"{tmp_path}/corpus/inner/b", f"{tmp_path}/alone"]
    assert golden_files(paths, "golden", named) == [
        "golden/x/a.golden.jsonl",
        "golden/b.golden.jsonl",
        "golden/alone.golden.jsonl",
    ]
    with pytest.raises(UsageError, match=r"x/a and y/a would both have the golden file golden/a\.golden\.jsonl; name"):
        golden_files(["x/a", "y/a"], "golden")


def test_of_one_recording_the_golden_file_is_the_one_that_is_named(tmp_path: Path) -> None:
    save(dr05_session(), tmp_path / "one")
    job = Job(golden=str(tmp_path / "golden.jsonl"), update=True)
    assert play_all([str(tmp_path / "one")], job, named=[str(tmp_path / "one")])[0].verdict is Verdict.PASSED
    assert (tmp_path / "golden.jsonl").is_file()


# --- processes --------------------------------------------------------------------------------------------------------


def test_a_worker_that_is_killed_takes_one_recording_with_it(
    small: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "outcome_of", corpus_world.dies_at_004)
    folder, ways = small
    paths = recordings_in([str(folder)])
    outcomes = play_all(paths, Job(), jobs=2)
    killed = [each for each in outcomes if each.title.endswith("004.transcript")]
    assert len(killed) == 2
    for each in killed:
        assert each.verdict is Verdict.INVALID
        assert each.differences[0].text == (
            "precondition: it was not played: its worker process ended meanwhile (killed by SIGKILL); replay it alone"
        )
    rest = [each for each in outcomes if each not in killed]
    assert_each_ended_as_it_was_made(
        folder, {place: way for place, way in ways.items() if not place.endswith("004.transcript")}, rest
    )


def test_a_worker_that_ends_before_it_can_play_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_work", os._exit)  # is given a connection, and fails at once
    tasks = [Task(name, Job()) for name in "ab"]
    with pytest.raises(
        RigError, match=r"a worker process ended before it could play anything \(exit code 1\); try --j"
    ):
        list(in_workers(tasks, outcome_of, 2))


def test_how_a_process_ended_is_said_in_words() -> None:
    said = [workers._in_words(code) for code in (0, 3, -signal.SIGKILL, -64, None)]
    assert said == ["exit code 0", "exit code 3", "killed by SIGKILL", "killed by SIGRTMAX", "it left without ending"]
    assert workers._in_words(-63) == "killed by signal 63"
    assert Ended("exit code 1").how == "exit code 1"


@pytest.mark.usefixtures("interrupts")
def test_ctrl_c_ends_every_process_at_once_and_prints_nothing() -> None:
    program = "import sys; from tests.rig.replay.corpus_world import interrupted_run as run; sys.exit(run())"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        pids = [int(process.stdout.readline()) for _ in range(3)]
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to all of them
        assert process.wait(timeout=120) == 130
        assert process.stderr.read() == ""
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_whoever_stops_a_run_leaves_no_process_behind(small: tuple[Path, dict[str, str]]) -> None:
    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play_all(recordings_in([str(small[0])]), Job(), jobs=2, progress=stop)
    assert active_children() == []
