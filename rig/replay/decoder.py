"""The decoder role: a transcript through its protocol, judged by a golden file, or by the protocol itself.

Knows what passes and what fails. Refuses to know how bytes are fed (:mod:`rig.replay.feeding`) and compared
(:mod:`rig.replay.golden`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from protocols.registry import Registry
from rig.replay.conversation import Conversation
from rig.replay.exchanges import Transcript
from rig.replay.feeding import DecoderRun, decoded, meanings
from rig.replay.golden import TOLERANCE_NS, Golden, Row, compare, load_golden, save_golden
from rig.replay.measuring import coverage_of_run, samples_of_run
from rig.replay.outcome import Difference, Lateness, Line, Outcome, Verdict


class Waits(Protocol):
    """What keeps the time, such as :class:`rig.replay.pacing.Pacer`."""

    async def wait(self, index: int) -> int:
        """Return when the exchange is due, with its lateness in nanoseconds."""
        ...


def replay_as_decoder(
    transcript: Transcript,
    *,
    golden: str | Path | None = None,
    update: bool = False,
    tolerance_ns: int = TOLERANCE_NS,
    registry: Registry | None = None,
) -> Outcome:
    """Feed the whole transcript to its protocol as fast as it goes, and judge what comes of it.

    With a golden file the replay passes when what was said, what the protocol made of it and the times are as there.
    Without one it passes when the protocol understands what the device said and would itself have written what the app
    wrote; where no protocol knows the device nothing is judged, and the replay is invalid.

    Args:
        transcript: what was recorded.
        golden: the golden file.
        update: write the golden file instead of comparing with it; the replay then passes.
        tolerance_ns: by how much times may differ from the golden file's, in nanoseconds.
        registry: the protocols there are; None: the built-in and the installed ones.

    Raises:
        GoldenError: the golden file cannot be read, used or written.
        ValueError: ``update`` without a golden file.
    """
    return judged(
        decoded(transcript, registry), golden=golden, update=update, tolerance_ns=tolerance_ns, lateness=Lateness()
    )


async def replay_as_decoder_paced(
    transcript: Transcript,
    pacer: Waits,
    *,
    golden: str | Path | None = None,
    update: bool = False,
    tolerance_ns: int = TOLERANCE_NS,
    registry: Registry | None = None,
) -> Outcome:
    """Do as :func:`replay_as_decoder`, each exchange when the pacer says, which also tells how late it was.

    An exchange's answer goes in with the exchange that comes next. What the protocol is told is recorded time, so the
    outcome is the same at any speed.
    """
    run = DecoderRun(transcript, registry)
    late_ns: list[int] = []
    for at_ns, index, answer in run.steps():
        if not answer:
            late_ns.append(await pacer.wait(index))
        run.take(at_ns, index, answer)
    run.finish()
    return judged(run, golden=golden, update=update, tolerance_ns=tolerance_ns, lateness=Lateness(tuple(late_ns)))


def rows_of(run: DecoderRun) -> tuple[Row, ...]:
    """A run's event lines as a golden file has them."""
    return tuple(Row(line.at_ns, line.exchange, line.heard_texts, line.told_texts) for line in run.lines)


def judged(
    run: DecoderRun,
    *,
    golden: str | Path | None = None,
    update: bool = False,
    tolerance_ns: int = TOLERANCE_NS,
    lateness: Lateness | None = None,
) -> Outcome:
    """The outcome of a run that is over; for the arguments see :func:`replay_as_decoder`."""
    transcript = run.transcript
    key = "" if run.entry is None else run.entry.key
    if update and golden is None:
        raise ValueError("update needs the golden file to write")
    if golden is not None:
        rows = rows_of(run)
        if update:
            save_golden(Golden(transcript.title, key, rows), golden)
        kept = load_golden(golden)
        differences, conversation = compare(kept.rows, rows, tolerance_ns=tolerance_ns)
        if kept.protocol != key:
            text = (
                f"precondition: {golden} is what the protocol {kept.protocol or '(none)'} makes of the recording, this "
                f"replay used {key or 'none'}; give the right protocol, or write the file again with --update"
            )
            differences.insert(0, Difference("precondition", None, 0, text))
    elif run.problem:
        text = f"precondition: nothing was judged: {run.problem}; give a golden file, or name the protocol"
        differences, conversation = [Difference("precondition", None, 0, text)], []
    else:
        differences, conversation = run.differences, _conversation(run)
    invalid = any(difference.kind == "precondition" for difference in differences)
    verdict = Verdict.INVALID if invalid else Verdict.FAILED if differences else Verdict.PASSED
    exchanges = transcript.exchanges
    return Outcome(
        role="decoder",
        title=transcript.title,
        verdict=verdict,
        differences=list(differences),
        conversation=list(conversation),
        exchanges=len(exchanges),
        lateness=lateness or Lateness(),
        samples=samples_of_run(run),
        coverage=coverage_of_run(run),
        duration_s=(exchanges[-1].at_ns - exchanges[0].at_ns) / 1e9 if exchanges else 0.0,
    )


def _conversation(run: DecoderRun) -> list[Line]:
    """What was said up to the first difference, which ends it; all of it where there is none."""
    talk = Conversation(meanings(run))
    first = run.differences[0] if run.differences else None
    for line in run.lines:
        if first is not None and line.at_ns > first.at_ns:
            break
        if line.exchange is not None and line.index is not None:
            talk.happened(line.index, line.exchange, line.at_ns)
    if first is not None:
        talk.note(first.text, first.at_ns)
    return talk.lines
