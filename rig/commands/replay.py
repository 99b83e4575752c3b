"""``rig replay``: recordings as decoder test, as the device or as the app, and the report of it.

Knows which options go together, and what is printed and written. Refuses to know how anything is played
(:mod:`rig.replay.job`, :mod:`rig.replay.corpus`) and real radios (:mod:`rig.commands.replay_live`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from rig.commands.faults import INTERRUPTED, UsageError
from rig.commands.reading import STANDARD_INPUT, are_one, bar, not_typed

if TYPE_CHECKING:
    from rig.replay.job import Job
    from rig.replay.outcome import Outcome
    from rig.report.model import Report
    from rig.timing.baseline import Baseline, Comparison

EXAMPLE: Final = "example:"
"""What a recording that comes with the rig is named with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line's options, None where one was not given."""

    role: Literal["decoder", "peripheral", "central"] = "decoder"
    golden: str | None = None
    update: bool = False
    app: str | None = None
    simulate: str | None = None
    device: str | None = None
    consent: bool = False
    transport: str | None = None
    address: str | None = None
    order: Literal["strict", "by-characteristic"] | None = None
    speed: float | None = None
    """Infinite for virtual time."""
    cap_s: float | None = None
    cut_s: float | None = None
    tolerance_s: float | None = None
    """Infinite for none."""
    patience_s: float | None = None
    faults: str | None = None
    seed: int | None = None
    jobs: int | None = None
    baseline: str | None = None
    false_alarm: float | None = None
    reports: tuple[str, ...] = ()
    link: int | None = None
    map: str | None = None
    protocol: str | None = None
    skip_unnamed: bool = False


def replay(files: Sequence[str], options: Options) -> int:
    """Play ``files``, print the report and write it where it is wanted; return its exit code.

    Raises:
        UsageError: the options do not go together, or name what there is not.
        RigError: a recording, or a file that the options name, cannot be read, used or written.
        CaptureError: the one recording is damaged.
    """
    if not files:
        raise UsageError("FILE is missing: name a recording, or a folder of them; see `rig replay --help`")
    _check(options)
    from rig.commands.reporting import print_and_write  # noqa: PLC0415 - once the line is right
    from rig.replay.corpus import check, recordings_in  # noqa: PLC0415 - as above
    from rig.report.files import check_report_paths  # noqa: PLC0415 - as above

    check_report_paths(options.reports)
    named = [_meant(file) for file in files]
    paths = recordings_in(named)
    _spare(paths, options)
    job = _job(options)
    check(job)
    baseline = _baseline(options)
    outcomes, interrupted = _played(paths, named, options, job)
    report = _report(outcomes, options, baseline)
    print_and_write(report, options.reports)
    return INTERRUPTED if interrupted else report.exit_code


# --- the command line -------------------------------------------------------------------------------------------------


def _check(options: Options) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: names both, and says what to do.
    """
    _check_files(options)
    _check_role(options)
    _check_needs(options)
    _check_live(options)
    if options.baseline is not None and options.update:
        raise UsageError(
            "--update and --baseline do not go together: nothing is judged while a golden file is written; "
            "give one, then the other"
        )
    if options.cap_s is not None and options.cut_s is not None and options.cap_s >= options.cut_s:
        raise UsageError(
            f"--cap {options.cap_s:g} and --cut {options.cut_s:g}: every gap that --cap would shorten is cut already; "
            "make --cap the smaller one, or leave one out"
        )
    if options.jobs is not None and options.jobs < 1:
        raise UsageError(f"--jobs {options.jobs}: at least one process is needed")


def _check_files(options: Options) -> None:
    named = {
        "--golden": options.golden,
        "--app": options.app,
        "--faults": options.faults,
        "--baseline": options.baseline,
        "--map": options.map,
    }
    for option, file in named.items():
        if file == STANDARD_INPUT:
            raise UsageError(f"{option} -: standard input can only be FILE; name a file for {option}")


def _check_role(options: Options) -> None:
    decoder, peripheral, central = ("decoder",), ("peripheral",), ("central",)
    both = peripheral + central
    about = (
        ("--golden", options.golden is not None, decoder, "is what the decoder has to give"),
        ("--update", options.update, decoder, "writes what the decoder gives"),
        ("--app", options.app is not None, peripheral, "is the other side of a device"),
        ("--transport", options.transport is not None, peripheral, "puts a device on the air"),
        ("--address", options.address is not None, peripheral, "is that of a device on the air"),
        ("--simulate", options.simulate is not None, central, "is the other side of an app"),
        ("--device", options.device is not None, central, "is the other side of an app"),
        ("--consent", options.consent, central, "is for the real device that an app is played to"),
        ("--order", options.order is not None, both, "is about two sides that talk"),
        ("--tolerance", options.tolerance_s is not None, both, "is about two sides that talk"),
        ("--patience", options.patience_s is not None, both, "is about two sides that talk"),
        ("--faults", options.faults is not None, both, "come between two sides that talk"),
        ("--seed", options.seed is not None, both, "is for the device and the radio between two sides that talk"),
    )
    for option, given, roles, what in about:
        if given and options.role not in roles:
            fitting = " or ".join(f"--as {role}" for role in roles)
            raise UsageError(f"{option} {what}: it does not go with --as {options.role}; give {fitting} with it")


def _check_needs(options: Options) -> None:
    needs = (
        ("--update", options.update, "--golden", options.golden, "which names the file to write"),
        ("--address", options.address is not None, "--transport", options.transport, "which names the controller"),
        ("--consent", options.consent, "--device", options.device, "which names the device"),
        ("--false-alarm", options.false_alarm is not None, "--baseline", options.baseline, "which it is a rule for"),
    )
    for option, given, other, value, why in needs:
        if given and value is None:
            raise UsageError(f"{option} needs {other}, {why}; give both, or neither")


def _check_live(options: Options) -> None:
    """What plays to real hardware takes real time, and one recording."""
    live = "--device" if options.device is not None else "--transport"
    if options.device is None and options.transport is None:
        return
    against = (
        ("--simulate", options.simulate is not None, "the other side is one or the other"),
        ("--app", options.app is not None, "the app is whatever connects"),
        ("--faults", options.faults is not None, "faults are planned on the virtual radio alone"),
        ("--seed", options.seed is not None, "nothing there is random"),
        ("--jobs", options.jobs is not None, "one recording is played, by this process"),
        ("--speed max", options.speed == math.inf, "nothing real takes no time"),
        (
            f"--speed {options.speed:g}" if options.speed is not None else "",
            options.device is not None and options.speed not in {None, 1.0},
            "what a device may be told, and how soon, is a matter of real time",
        ),
    )
    for option, given, why in against:
        if given:
            raise UsageError(f"{live} and {option} do not go together: {why}; leave one out")
    if options.device is not None and not options.consent:
        raise UsageError(
            f"--device {options.device} needs --consent: the device is real, and the recording may make it put out "
            "current; take it off the skin, see to it that it touches nobody, and say so with --consent"
        )


def _meant(file: str) -> str:
    """The file that a word of the command line means.

    Raises:
        UsageError: there is no such example, or standard input is a terminal.
    """
    not_typed(file)
    if file.startswith(EXAMPLE):
        there = {path.stem: str(path) for path in sorted(Path(__file__).parents[1].glob("replay/examples/*.jsonl"))}
        name = file.removeprefix(EXAMPLE)
        if name not in there:
            raise UsageError(f"there is no example {name!r}; there are: {', '.join(there)}")
        return there[name]
    return file


def _spare(paths: Sequence[str], options: Options) -> None:
    """Make sure that nothing is written over what is read.

    Raises:
        UsageError: an option would.
    """
    written = [("--report", report) for report in options.reports]
    read = [*paths, *filter(None, (options.app, options.faults, options.baseline, options.map))]
    if options.golden is not None and options.update:
        written.append(("--golden", options.golden))
    elif options.golden is not None:
        read.append(options.golden)
    for option, target in written:
        if any(are_one(path, target) for path in read):
            raise UsageError(f"{option} {target}: is read for this replay, and would be written over; name another")


def _job(options: Options) -> Job:
    from rig.replay.job import PATIENCE_S, TOLERANCE_S, Job  # noqa: PLC0415 - as above
    from rig.replay.schedule import Gaps  # noqa: PLC0415 - as above

    live = options.device is not None or options.transport is not None
    tolerance_s = TOLERANCE_S if options.tolerance_s is None else options.tolerance_s
    speed = (1.0 if live else math.inf) if options.speed is None else options.speed
    return Job(
        role=options.role,
        speed=speed,
        gaps=Gaps(cap_s=options.cap_s, cut_s=options.cut_s),
        order=options.order or "strict",
        tolerance_s=None if math.isinf(tolerance_s) else tolerance_s,
        patience_s=PATIENCE_S if options.patience_s is None else options.patience_s,
        golden=options.golden,
        update=options.update,
        app=options.app,
        simulate=options.simulate,
        faults=options.faults,
        seed=options.seed or 0,
        link=options.link,
        handle_map=options.map,
        protocol=options.protocol,
        skip_unnamed=options.skip_unnamed,
    )


def _baseline(options: Options) -> Baseline | None:
    if options.baseline is None:
        return None
    from rig.timing.baseline import load  # noqa: PLC0415 - for --baseline alone

    return load(options.baseline)


# --- playing ----------------------------------------------------------------------------------------------------------


def _played(paths: Sequence[str], named: Sequence[str], options: Options, job: Job) -> tuple[Sequence[Outcome], bool]:
    """What came of it, and whether Ctrl+C ended it."""
    alone = list(paths) == list(named) and len(paths) == 1
    if options.device is not None or options.transport is not None:
        if not alone:
            live = "--device" if options.device is not None else "--transport"
            raise UsageError(f"{live} plays one recording, and {_of_many(len(paths), None)} are named; name one file")
        return _live(paths[0], options, job)
    if alone and not (job.golden is not None and Path(job.golden).is_dir()):
        return [_one(paths[0], job)], False
    from rig.replay.corpus import play_all  # noqa: PLC0415 - as above

    with bar(told=_of_many) as progress:
        return play_all(paths, job, named=named, jobs=options.jobs, progress=progress), False


def _one(path: str, job: Job) -> Outcome:
    from rig.replay.job import play_transcript, recording_of  # noqa: PLC0415 - as above

    with bar() as progress:
        transcript = recording_of(path, job, progress)
    with bar(told=_of_time) as progress:
        return play_transcript(transcript, job, progress=progress)


def _live(path: str, options: Options, job: Job) -> tuple[Sequence[Outcome], bool]:
    from rig.commands import replay_live  # noqa: PLC0415 - it brings bleak or Bumble
    from rig.replay.job import recording_of  # noqa: PLC0415 - as above

    with bar() as progress:
        transcript = recording_of(path, job, progress)
    if options.device is not None:
        work = replay_live.to_device(transcript, options.device, job)
    else:
        work = replay_live.on_air(transcript, str(options.transport), options.address, job)
    seen = replay_live.until_interrupted(work)
    return [seen.outcome], seen.interrupted


def _of_many(done: int, total: int | None) -> str:
    return f"{done:,} recordings" if total is None else f"{done:,} of {total:,} recordings"


def _of_time(played_ms: int, total_ms: int | None) -> str:
    return f"{played_ms / 1000:.1f} of {(total_ms or 0) / 1000:.1f} s"


# --- telling ----------------------------------------------------------------------------------------------------------


def _report(outcomes: Sequence[Outcome], options: Options, baseline: Baseline | None) -> Report:
    from rig.report.model import Report  # noqa: PLC0415 - as above

    what = outcomes[0].title if len(outcomes) == 1 else f"{len(outcomes):,} recordings"
    comparisons = [] if baseline is None else _compared(outcomes, baseline, options)
    return Report(f"{what} as {options.role}", outcomes, comparisons)


def _compared(outcomes: Sequence[Outcome], baseline: Baseline, options: Options) -> list[Comparison]:
    from rig.timing.baseline import FALSE_ALARM, compare  # noqa: PLC0415 - as above
    from rig.timing.measure import joined, samples_of  # noqa: PLC0415 - as above

    samples = joined(samples_of(outcome) for outcome in outcomes)
    finite = {name: [value for value in values if math.isfinite(value)] for name, values in samples.items()}
    rate = FALSE_ALARM if options.false_alarm is None else options.false_alarm
    return compare(baseline, finite, false_alarm=rate)
