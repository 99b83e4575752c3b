"""Puts a test's device on its virtual radio, and has it judged, or recorded, when the test ends.

Brings bleak and Bumble: imported by the fixtures that need them. Refuses to decide which device it is.
"""

from __future__ import annotations

import asyncio
from typing import Final

from rig.capture.records import CaptureError
from rig.clock import VirtualTimeLoop
from rig.commands.faults import RigError
from rig.devices.model import SimulatedDevice
from rig.pytest_plugin.bench import AS_THE_LOOP, Bench
from rig.pytest_plugin.files import write_whole
from rig.pytest_plugin.judging import failure_text, settled, unfired_text, with_unfired
from rig.pytest_plugin.recording import RecordingTestError, TestRecording
from rig.radio.faults import FaultyDevice
from rig.replay.peripheral import Order, TranscriptDevice
from rig.replay.transcript import dumps

_SETTLE_S: Final = 0.05  # for what the app sent last to arrive


async def put_on_radio(bench: Bench, device: SimulatedDevice) -> None:
    """Switch a device on, behind the test's fault plan if it has one, and have it judged at the test's end."""
    if bench.radio is None:
        raise RuntimeError("the radio is set up before its devices")
    loop = bench.loop = asyncio.get_running_loop()
    faulty = bench.faulty(device)
    bench.peripheral = await bench.radio.add_device(device if faulty is None else faulty)
    if isinstance(device, TranscriptDevice):
        bench.at_end(lambda passed: _judge(bench, loop, device, faulty, passed=passed))
    elif faulty is not None:
        bench.at_end(lambda passed: unfired_text(faulty) if passed else "")


def replayed(bench: Bench, order: Order | None = None, tolerance_s: float | None = AS_THE_LOOP) -> TranscriptDevice:
    """Return the test's transcript as a device."""
    return bench.replayed_device(order, tolerance_s)


def record(bench: Bench) -> TestRecording:
    """Record from now on; what the test did is kept when it ends, and only if it has passed."""
    if bench.radio is None:
        raise RuntimeError("the radio is set up before it is recorded")
    recording = TestRecording(bench.radio)
    bench.at_end(lambda passed: _keep(bench, recording, passed=passed))
    return recording


def _judge(
    bench: Bench,
    loop: asyncio.AbstractEventLoop,
    device: TranscriptDevice,
    faulty: FaultyDevice | None,
    *,
    passed: bool,
) -> str:
    if passed:  # else the app is stuck somewhere, and what it would still have done is not the question
        patiently = isinstance(loop, VirtualTimeLoop)
        loop.run_until_complete(settled(device, device if faulty is None else faulty, patiently=patiently))
    now = loop.time()
    outcome = device.outcome(now)
    return failure_text(with_unfired(outcome, faulty, device.replay_ns(now)), bench.transcript_shown)


def _keep(bench: Bench, recording: TestRecording, *, passed: bool) -> str:
    if not passed:
        return ""  # a test that failed has nothing to keep
    if bench.loop is not None:
        bench.loop.run_until_complete(asyncio.sleep(_SETTLE_S))
    path = bench.own_transcript
    try:
        data = dumps(recording.transcript(f"{bench.item.path.name}::{bench.test_id}", bench.registry)).encode()
    except (RecordingTestError, RigError, CaptureError) as error:
        return f"{bench.shown(path)}: not recorded: {error}"
    if not path.exists() or path.read_bytes() != data:
        write_whole(path, data)
        bench.note("recorded", path)
    return ""
