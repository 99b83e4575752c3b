"""What came of a replay or a fault plan as the words of a failing test: a verdict, the differences, the conversation.

Knows when a replayed device has said all that it has to say. Refuses to know fixtures.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rig.replay.outcome import Difference, Lateness, Outcome, Verdict

if TYPE_CHECKING:
    from rig.devices.model import SimulatedDevice
    from rig.radio.faults import FaultyDevice
    from rig.replay.peripheral import TranscriptDevice

_SETTLE_S: Final = 0.05  # for what the app sent last to arrive
_LONGEST_WAIT_S: Final = 1.0  # on the wall clock, for what the device has still to say
_WIDTH: Final = 100


def failure_text(outcome: Outcome, replayed: str) -> str:
    """Return what is wrong in a replay, with the conversation; empty where nothing is.

    Args:
        outcome: what came of it.
        replayed: the file, for people.
    """
    if outcome.verdict is Verdict.PASSED:
        return ""
    from rig.capture.text import printable  # noqa: PLC0415
    from rig.report.model import Report  # noqa: PLC0415 - only for who fails
    from rig.report.text import lines  # noqa: PLC0415

    head = "invalid run" if outcome.verdict is Verdict.INVALID else "not as recorded"
    # What was measured is no part of what is wrong, and the last line counts replays.
    shown = replace(outcome, samples={}, coverage={}, lateness=Lateness())
    *text, _ = lines(Report(replayed, (shown,)), width=_WIDTH)
    body = "\n".join(text).replace("\n\n\n", "\n\n").strip()
    first = outcome.differences[0].text if outcome.differences else outcome.title
    return f"{head}: {printable(first)}\n{replayed} as {outcome.role}:\n{body}"


def unfired_text(faulty: FaultyDevice) -> str:
    """Return why a run with a fault plan says nothing; empty where every planned fault fired."""
    reasons = faulty.explain_unfired()
    if not reasons:
        return ""
    fired = ", ".join(f"{name}: {count}" for name, count in faulty.fired.items())
    return "\n".join((f"invalid run: {faulty.plan.file}", *(f"  {reason}" for reason in reasons), f"  fired: {fired}"))


def with_unfired(outcome: Outcome, faulty: FaultyDevice | None, at_ns: int) -> Outcome:
    """Have an outcome say what became of the planned faults: it is invalid where one never fired."""
    if faulty is not None:
        outcome.faults = faulty.fired
        for sentence in faulty.explain_unfired():
            outcome.verdict = Verdict.INVALID
            outcome.differences.append(Difference("fault", None, at_ns, sentence))
    return outcome


async def settled(device: TranscriptDevice, served: SimulatedDevice, *, patiently: bool) -> None:
    """Wait until what the app sent has arrived and the device has said what it still has to say.

    Args:
        device: plays the transcript.
        served: what is on the radio: the device, or the faults before it.
        patiently: whether time costs nothing.
    """
    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    device.changed = news.set
    give_up = None if patiently else loop.time() + _LONGEST_WAIT_S
    await asyncio.sleep(_SETTLE_S)
    while device.is_connected and (due := served.deadline) is not None and (give_up is None or due <= give_up):
        news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(max(due, loop.time() + _SETTLE_S)):
                await news.wait()
