"""One replay as a command line, a corpus run or a test asks for it: a file, a role, a time, and the other side.

Values that travel between processes, and the one function that plays them. Refuses to know how many are played, and
what reports look like.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from rig.commands.faults import UsageError
from rig.replay.outcome import Outcome
from rig.replay.schedule import AS_RECORDED, Gaps, Schedule

if TYPE_CHECKING:
    from protocols.registry import Registry
    from rig.capture.handle_map import HandleMap
    from rig.capture.progress import Progress
    from rig.devices.model import SimulatedDevice
    from rig.radio.fault_plan import FaultPlan
    from rig.replay.exchanges import Transcript

Role = Literal["decoder", "peripheral", "central"]
Order = Literal["strict", "by-characteristic"]

TOLERANCE_S: Final = 0.05
"""How much longer than recorded either side may take before it is late."""
PATIENCE_S: Final = 30.0
"""How long past its recorded time anything is waited for."""

_TICKS: Final = 1000  # of progress in one replay
_TICK_LEAST_S: Final = 0.1  # of the wall clock, between two


@dataclass(frozen=True, slots=True)
class Job:
    """How a recording is played. Paths are texts, so that a job means the same in every process of one folder."""

    role: Role = "decoder"
    speed: float = math.inf
    """Recorded seconds in one of the wall clock; infinite is virtual time."""
    gaps: Gaps = AS_RECORDED
    order: Order = "strict"
    """Of peripheral and central."""
    tolerance_s: float | None = TOLERANCE_S
    """See :data:`TOLERANCE_S`; None: how long it takes does not matter."""
    patience_s: float = PATIENCE_S
    golden: str | None = None
    """Of the decoder: the golden file."""
    update: bool = False
    """Write the golden file instead of comparing with it."""
    app: str | None = None
    """Of the peripheral: the recording whose app is the other side; None: its own."""
    simulate: str | None = None
    """Of the central: key of the simulated device; None: that of the protocol which the recording speaks."""
    faults: str | None = None
    """The fault plan between the two sides, of peripheral and central."""
    seed: int = 0
    link: int | None = None
    handle_map: str | None = None
    protocol: str | None = None
    skip_unnamed: bool = False
    """The last four are :func:`rig.replay.from_capture.transcript_of`'s, for the file and for :attr:`app`."""


def recording_of(path: str, job: Job, progress: Progress | None = None) -> Transcript:
    """Read the transcript or capture at ``path`` as the job says.

    Args:
        path: ``-`` for a capture on standard input.
        job: how.
        progress: told how far a capture was read.

    Raises:
        CaptureError: the file, or the handle map, is damaged or is none.
        TranscriptError: as :func:`rig.replay.from_capture.transcript_of` says.
    """
    from rig.replay.from_capture import transcript_of  # noqa: PLC0415 - the layers of captures, for who plays one

    return transcript_of(
        path,
        link=job.link,
        handle_map=_loaded_map(job.handle_map),
        protocol=job.protocol,
        skip_unnamed=job.skip_unnamed,
        progress=progress,
    )


def play(path: str, job: Job, registry: Registry | None = None) -> Outcome:
    """Play the recording at ``path`` on a loop of its own and return what came of it.

    Args:
        path: a transcript or a capture, ``-`` for a capture on standard input.
        job: how.
        registry: the protocols there are; None: the built-in and the installed ones.

    Raises:
        UsageError: the job is not one: there is no such simulated device, or nothing says which one is wanted.
        RigError: a file that the job names (recording, golden file, fault plan) cannot be read or used.
        CaptureError: the recording is damaged.
    """
    return play_transcript(recording_of(path, job), job, registry)


def play_transcript(
    transcript: Transcript, job: Job, registry: Registry | None = None, *, progress: Progress | None = None
) -> Outcome:
    """Play what :func:`recording_of` read, as :func:`play` does.

    Args:
        transcript: the recording.
        job: how; what is about reading no longer matters, except for the peripheral's other app.
        registry: as for :func:`play`.
        progress: told how much of the recording has been played, and how much there is, in milliseconds of it.

    Raises:
        UsageError: as :func:`play` says.
        RigError: as there.
        CaptureError: the recording of the peripheral's other app is damaged.
    """
    match job.role:
        case "decoder" if math.isinf(job.speed):
            from rig.replay.decoder import replay_as_decoder  # noqa: PLC0415 - each role its own

            return replay_as_decoder(transcript, golden=job.golden, update=job.update, registry=registry)
        case "decoder":
            work = _as_decoder(transcript, job, registry)
        case "peripheral":
            work = _as_peripheral(transcript, job)
        case "central":
            work = _as_central(transcript, job, registry)
    if progress is not None:
        work = _watched(work, transcript, job, progress)
    return _run(work, job.speed)


async def _as_decoder(transcript: Transcript, job: Job, registry: Registry | None) -> Outcome:
    from rig.replay.decoder import replay_as_decoder_paced  # noqa: PLC0415 - as above
    from rig.replay.pacing import Pacer  # noqa: PLC0415 - only where time passes

    pacer = Pacer(_schedule(transcript, job))
    return await replay_as_decoder_paced(transcript, pacer, golden=job.golden, update=job.update, registry=registry)


async def _as_peripheral(transcript: Transcript, job: Job) -> Outcome:
    from rig.replay.peripheral import replay_as_peripheral  # noqa: PLC0415 - as above; it brings Bumble

    return await replay_as_peripheral(
        transcript,
        app=None if job.app is None else recording_of(job.app, job),
        faults=_plan(job.faults),
        order=job.order,
        gaps=job.gaps,
        tolerance_s=job.tolerance_s,
        patience_s=job.patience_s,
        seed=job.seed,
    )


async def _as_central(transcript: Transcript, job: Job, registry: Registry | None) -> Outcome:
    from rig.replay.central import Rules, replay_as_central  # noqa: PLC0415 - as above

    rules = Rules(order=job.order, tolerance_s=job.tolerance_s, patience_s=job.patience_s, gaps=job.gaps)
    return await replay_as_central(
        transcript, _device(transcript, job), rules, faults=_plan(job.faults), registry=registry, seed=job.seed
    )


def _schedule(transcript: Transcript, job: Job) -> Schedule:
    """When what is due, on a loop whose own speed is the job's."""
    return Schedule.of(transcript, 1.0, job.gaps)


async def _watched(work: Coroutine[Any, Any, Outcome], transcript: Transcript, job: Job, progress: Progress) -> Outcome:
    """Await ``work`` and tell how far it has come, by the time that it takes if all goes as recorded.

    No longer than that: in virtual time, what ticks for ever would hide that nothing else can happen any more.
    """
    duration_s = _schedule(transcript, job).duration_ns / 1e9
    every_s = max(duration_s / _TICKS, 0.0 if math.isinf(job.speed) else _TICK_LEAST_S * job.speed)

    async def tick() -> None:
        for count in range(1, int(duration_s / every_s) + 1):
            await asyncio.sleep(every_s)
            progress(round(count * every_s * 1000), round(duration_s * 1000))

    ticking = asyncio.create_task(tick()) if every_s else None
    try:
        return await work
    finally:
        if ticking is not None:
            ticking.cancel()


def _run(coroutine: Coroutine[Any, Any, Outcome], speed: float) -> Outcome:
    from rig.clock import run  # noqa: PLC0415 - the decoder in virtual time has no use for a loop

    return run(coroutine, speed=speed)


def _device(transcript: Transcript, job: Job) -> SimulatedDevice:
    from rig.devices.catalogue import KEYS, create  # noqa: PLC0415 - for the central alone

    key = job.simulate or transcript.protocol
    if not key:
        raise UsageError(
            f"{transcript.title!r} does not say which device it speaks to; "
            f"name one with --simulate ({', '.join(KEYS)}) or a real one with --device"
        )
    try:
        return create(key, job.seed)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _plan(path: str | None) -> FaultPlan | None:
    if path is None:
        return None
    from rig.radio.fault_plan import FaultPlan  # noqa: PLC0415 - only where something shall go wrong

    return FaultPlan.load(Path(path))


def _loaded_map(path: str | None) -> HandleMap | None:
    if path is None:
        return None
    from rig.capture.handle_map import HandleMap  # noqa: PLC0415 - few captures need one

    return HandleMap.load(path)
