"""Many recordings played as one run: which files are recordings, each played, and what becomes of those that cannot be.

What comes of a recording depends on nothing but the recording and the job: neither on the others, nor on how many
processes there are. Refuses to know roles and reports.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from rig.capture.records import CaptureError
from rig.commands.faults import RigError, UsageError
from rig.folders import STANDARD_INPUT, files_in
from rig.replay.job import Job, play, recording_of
from rig.replay.outcome import Difference, Outcome, Verdict
from rig.replay.transcript import is_transcript
from rig.replay.workers import Ended, Task, cores, in_workers

Progress = Callable[[int, int], None]
"""Called after each recording with how many are done, and how many there are."""

ALONE_S: Final = 0.4
"""How long recordings are played in this process alone, where nobody says how many there shall be: it is what two
workers take to start, and most folders are done by then."""
GOLDEN_SUFFIX: Final = ".golden.jsonl"
"""What the name of a recording's golden file has behind the recording's own."""


# --- which files ------------------------------------------------------------------------------------------------------


def recordings_in(files: Sequence[str]) -> list[str]:
    """Return the recordings that ``files`` name: files as they are, of folders what is a capture or a transcript.

    In a folder (see :func:`rig.folders.files_in`) a file is a recording by its content: golden files, fault plans,
    reports and handle maps are none. One that cannot be opened is taken, so that somebody is told of it.

    Raises:
        UsageError: nothing is named, a folder has no recording in it, or standard input (``-``) is not alone.
        RigError: there is no such file, or a folder cannot be read.
    """
    if STANDARD_INPUT in files and len(files) > 1:
        raise UsageError("`-` is one recording, on standard input; name it alone")
    return files_in(files, is_recording, "recording")


def is_recording(path: str | Path) -> bool:
    """Whether a file is a capture or a transcript by its content; True also for one that cannot be opened."""
    from rig.capture.registry import HEAD_BYTES, detect  # noqa: PLC0415 - a transcript needs no readers of captures
    from rig.capture.source import Source  # noqa: PLC0415 - as above

    if is_transcript(path):
        return True
    try:
        with Source.open(path) as source:
            return detect(source.peek(HEAD_BYTES)) is not None
    except CaptureError:
        return True


# --- playing them -----------------------------------------------------------------------------------------------------


def play_all(
    paths: Sequence[str],
    job: Job,
    *,
    named: Sequence[str] = (),
    jobs: int | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Outcome]:
    """Play every recording as the job says, over several processes where there are several.

    An outcome is titled by the path of its recording, which tells it from all others whatever the recordings call
    themselves. A recording that cannot be played gives an invalid outcome that says why, and the others go on; so does
    one whose worker process died.

    Several recordings have a golden file each: :attr:`rig.replay.job.Job.golden` is then a folder, and
    :func:`golden_files` says where in it.

    Args:
        paths: recordings, no two the same; :func:`recordings_in` finds them.
        job: how, for each of them, seed and all.
        named: the files and folders that ``paths`` were found in, for :func:`golden_files`.
        jobs: how many processes at most; None: one for each core that this process may use, once playing in virtual
            time has taken longer than they take to start (:data:`ALONE_S`). With one, or for one recording, everything
            is played in this process.
        progress: told how far it has come.
        clock: seconds on a clock that never jumps; decides on nothing but when processes are started.

    Returns:
        The outcomes in the order of ``paths``.

    Raises:
        UsageError: the job is not one (an unknown simulated device or protocol), ``jobs`` is less than 1, or the golden
            files cannot be told apart.
        RigError: a file that the job names for all recordings cannot be read or used, or no worker can be started.
        CaptureError: the job's handle map or its app's recording is damaged.
        ValueError: a path is there twice.
    """
    if len(set(paths)) < len(paths):
        raise ValueError("a recording is there twice; recordings_in() leaves each once")
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs {jobs}: at least one process is needed")
    check(job)
    tasks = _tasks(paths, job, named)
    outcomes: list[Outcome | None] = [None] * len(tasks)
    # closed at once, and not whenever the collector comes by: workers end with it
    with closing(_each_played(tasks, jobs, clock)) as played:
        for done, (place, said) in enumerate(played, 1):
            outcomes[place] = _lost(tasks[place], said) if isinstance(said, Ended) else said
            if progress is not None:
                progress(done, len(tasks))
    return [each for each in outcomes if each is not None]


def outcome_of(path: str, job: Job) -> Outcome:
    """Play one recording of several; whatever prevents it becomes an invalid outcome that says so in one line."""
    try:
        return _played(path, job)
    except Exception as error:  # noqa: BLE001 - a defect that one recording meets says nothing of the others
        fault = f"an unexpected fault ({type(error).__name__}: {error})"
        return _invalid(path, job, f"{fault}; replay it alone with --debug, and report what it prints")


def check(job: Job) -> None:
    """Make sure of all that a job says of every recording, before the first is played.

    Raises:
        UsageError: there is no such simulated device or protocol.
        RigError: its fault plan or its app's recording cannot be read or used.
        CaptureError: its handle map or its app's recording is damaged.
    """
    if job.role == "central" and job.simulate is not None:
        from rig.devices.catalogue import create  # noqa: PLC0415 - what a job asks for, and nothing more

        try:
            create(job.simulate)
        except ValueError as error:
            raise UsageError(str(error)) from error
    if job.protocol is not None:
        from protocols.registry import Registry, UnknownProtocolError  # noqa: PLC0415 - as above

        try:
            Registry.default().get(job.protocol)
        except UnknownProtocolError as error:
            raise UsageError(str(error)) from error
    if job.faults is not None:
        from rig.radio.fault_plan import FaultPlan  # noqa: PLC0415 - as above

        FaultPlan.load(job.faults)
    if job.handle_map is not None:
        from rig.capture.handle_map import HandleMap  # noqa: PLC0415 - as above

        HandleMap.load(job.handle_map)
    if job.app is not None:
        recording_of(job.app, job)


def golden_files(paths: Sequence[str], folder: str, named: Sequence[str] = ()) -> list[str]:
    """Return where in ``folder`` the golden file of each recording is.

    It is called as the recording with :data:`GOLDEN_SUFFIX` behind. Of a recording in a folder that was named, folders
    below that one are mirrored: the golden files stay right wherever both folders are moved to.

    Raises:
        UsageError: two recordings would have the same one.
    """
    parents = sorted((Path(name) for name in named if Path(name).is_dir()), key=lambda path: -len(path.parts))
    owners: dict[str, str] = {}
    for path in paths:
        parent = next((one for one in parents if path not in named and Path(path).is_relative_to(one)), None)
        place = Path(Path(path).name) if parent is None else Path(path).relative_to(parent)
        golden = str(Path(folder, place.with_name(place.name + GOLDEN_SUFFIX)))
        other = owners.setdefault(golden, path)
        if other != path:
            raise UsageError(
                f"{other} and {path} would both have the golden file {golden}; name the folder that both are in instead"
            )
    return list(owners)


def _tasks(paths: Sequence[str], job: Job, named: Sequence[str]) -> list[Task]:
    if job.golden is None or job.role != "decoder":
        return [Task(path, job) for path in paths]
    folder = Path(job.golden)
    if len(paths) == 1 and not folder.is_dir() and not any(Path(name).is_dir() for name in named):
        return [Task(paths[0], job)]
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--golden {folder}: is a file; several recordings have a golden file each, in a folder")
    if not job.update and not folder.is_dir():
        raise UsageError(f"--golden {folder}: there is no such folder yet; write it with --update")
    golden = golden_files(paths, job.golden, named)
    if job.update:
        _make_folders({Path(one).parent for one in golden})
    return [Task(path, replace(job, golden=one)) for path, one in zip(paths, golden, strict=True)]


def _make_folders(folders: Iterable[Path]) -> None:
    for folder in sorted(folders):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--golden: the folder {folder} cannot be made: {error.strerror or error}") from error


def _each_played(
    tasks: Sequence[Task], jobs: int | None, clock: Callable[[], float]
) -> Generator[tuple[int, Outcome | Ended]]:
    """The place of each task with what came of it, as they are done."""
    if len(tasks) == 1:  # a defect is told with its traceback where somebody asks for it
        yield 0, _played(*tasks[0])
        return
    here = 0
    if jobs is None and math.isinf(tasks[0].job.speed):
        until = clock() + ALONE_S
        while here < len(tasks) and clock() < until:
            yield here, outcome_of(*tasks[here])
            here += 1
    rest = tasks[here:]
    count = min(cores() if jobs is None else jobs, len(rest))
    with closing(in_workers(rest, outcome_of, count) if count > 1 else _one_by_one(rest)) as played:
        for place, said in played:
            yield here + place, said


def _one_by_one(tasks: Sequence[Task]) -> Generator[tuple[int, Outcome | Ended]]:
    for place, task in enumerate(tasks):
        yield place, outcome_of(*task)


def _played(path: str, job: Job) -> Outcome:
    try:
        return replace(play(path, job), title=_title(path))
    except (RigError, CaptureError) as error:
        return _invalid(path, job, str(error).removeprefix(path).lstrip(":, "))
    except OSError as error:
        return _invalid(path, job, f"{error.filename or 'a file'}: {error.strerror or error}")


def _invalid(path: str, job: Job, why: str) -> Outcome:
    text = f"precondition: it was not played: {' '.join(why.split())}"
    return Outcome(job.role, _title(path), Verdict.INVALID, [Difference("precondition", None, 0, text)])


def _lost(task: Task, ended: Ended) -> Outcome:
    return _invalid(task.path, task.job, f"its worker process ended meanwhile ({ended.how}); replay it alone")


def _title(path: str) -> str:
    return path.replace(os.sep, "/")  # the same on every system
