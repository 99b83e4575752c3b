"""What a conversation says beyond right and wrong: the samples that it gives and what it reached of its protocol.

The same for every role, so that a recording and its replays can be held against each other. Refuses to judge, and to
know how a replay is run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from protocols.registry import Registry
from rig.replay.exchanges import Exchange, Transcript
from rig.replay.feeding import DecoderRun, decoded
from rig.timing.measure import exchange_samples


class Measured(NamedTuple):
    """As an :class:`rig.replay.outcome.Outcome` has them."""

    samples: dict[str, list[float]]
    coverage: dict[str, object]
    """Empty where no protocol knows the device."""


def measured(transcript: Transcript, *, speed: float = 1.0, registry: Registry | None = None) -> Measured:
    """Measure a conversation that is over: what was recorded, or what was played.

    Samples are of the conversation's own times. What it reached of the protocol is found at the pace of the recording:
    a protocol's deadlines do not move with the speed.

    Args:
        transcript: the conversation.
        speed: how many recorded seconds went into one of its own.
        registry: the protocols there are; None: the built-in and the installed ones.
    """
    at_recorded_pace = transcript if speed == 1 else replace(transcript, exchanges=_slowed(transcript, speed))
    run = decoded(at_recorded_pace, registry)
    return Measured(samples_of_run(run, transcript), coverage_of_run(run))


def samples_of_run(run: DecoderRun, transcript: Transcript | None = None) -> dict[str, list[float]]:
    """The samples of what a run was fed, or of ``transcript``, in the sense of the protocol that the run has found."""
    found = run.transcript if transcript is None else transcript
    protocols = Registry([] if run.entry is None else [run.entry])
    key = "" if run.entry is None else run.entry.key
    return exchange_samples(found.exchanges, protocol=key, name=found.name, registry=protocols)


def coverage_of_run(run: DecoderRun) -> dict[str, object]:
    """What a run has reached; empty where no protocol knows the device."""
    return {} if run.entry is None else run.reached.coverage.as_json()


def _slowed(transcript: Transcript, speed: float) -> tuple[Exchange, ...]:
    return tuple(
        replace(
            exchange,
            at_ns=round(exchange.at_ns * speed),
            answered_ns=None if exchange.answered_ns is None else round(exchange.answered_ns * speed),
        )
        for exchange in transcript.exchanges
    )
