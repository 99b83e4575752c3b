"""Every role measures a conversation the same way: its samples, and what it reached of its protocol."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocols.registry import Registry
from rig.clock import run
from rig.devices.dr05 import SimulatedDr05
from rig.replay.central import Rules, replay_as_central
from rig.replay.decoder import replay_as_decoder
from rig.replay.exchanges import Transcript
from rig.replay.feeding import decoded
from rig.replay.measuring import measured
from rig.replay.outcome import Outcome, Verdict
from rig.replay.peripheral import replay_as_peripheral
from rig.timing.measure import samples_of
from tests.rig.replay.recorded_talk import MS, acknowledgement_of, dr05_session, slower, with_exchanges

QUERY_TEMPERATURE = "55aa0500a63302419913"
ROUND_TRIP_MS = 16  # as rig.facing.Facing has it
UNKNOWN = replace(dr05_session(), name="nobody", protocol="", advertised_services=())


def session() -> Transcript:
    """As on a radio without latency, and without its end: the simulated device loses no link.

    The app writes some of its requests at the very moment of an answer.
    """
    whole = dr05_session()
    for index, exchange in enumerate(whole.exchanges):
        if exchange.by == "device":
            whole = slower(whole, index, -ROUND_TRIP_MS * MS, all_after=True)
    return with_exchanges(whole, whole.exchanges[:-1])


def in_every_role(transcript: Transcript, speed: float = 1.0) -> dict[str, Outcome]:
    return {
        "decoder": replay_as_decoder(transcript),
        "peripheral": run(replay_as_peripheral(transcript, speed=speed)),
        "central": run(replay_as_central(transcript, SimulatedDr05(), Rules(speed=speed))),
    }


def test_a_recording_gives_the_same_samples_and_reaches_the_same_in_every_role() -> None:
    recorded, reached = samples_of(session()), decoded(session()).reached.coverage.as_json()
    assert len(recorded["command_to_acknowledgement"]) > 10
    for role, outcome in in_every_role(session()).items():
        assert (role, outcome.verdict) == (role, Verdict.PASSED)
        assert set(outcome.samples) == set(recorded), role
        for name, samples in recorded.items():
            # a response of the simulated device takes no time on the virtual radio, whatever is recorded
            least = 0.001 if name != "request_to_response" else ROUND_TRIP_MS + 0.001
            assert outcome.samples[name] == pytest.approx(samples, abs=least), (role, name)
        assert (role, outcome.coverage) == (role, reached)


def test_a_slow_answer_of_the_app_shows_in_the_samples_of_the_replay_not_in_those_of_the_device() -> None:
    whole = session()
    index = acknowledgement_of(whole, QUERY_TEMPERATURE)
    hesitant = slower(whole, index + 1, 300 * MS, all_after=True)
    outcome = run(replay_as_peripheral(whole, app=hesitant))
    assert outcome.verdict is Verdict.FAILED
    assert max(outcome.samples["gap_between_writes"]) == pytest.approx(
        max(samples_of(hesitant)["gap_between_writes"]), abs=0.001
    )
    assert outcome.samples["command_to_acknowledgement"] == pytest.approx(
        samples_of(whole)["command_to_acknowledgement"], abs=0.001
    )


def test_a_replay_at_twice_the_speed_has_half_the_times_and_reaches_as_much() -> None:
    outcome = run(replay_as_peripheral(session(), speed=2.0))
    halved = [sample / 2 for sample in samples_of(session())["gap_between_writes"]]
    assert outcome.samples["gap_between_writes"] == pytest.approx(halved, abs=0.001)
    assert outcome.coverage == decoded(session()).reached.coverage.as_json()


def test_what_no_protocol_knows_is_measured_by_its_times_alone() -> None:
    conversation = replace(UNKNOWN, services=())
    outcome = run(replay_as_peripheral(conversation))
    assert outcome.coverage == {}
    assert outcome.samples == measured(conversation, registry=Registry([])).samples
    assert "gap_between_writes" in outcome.samples
    assert "stop_to_confirmed" not in outcome.samples


def test_a_protocol_that_is_not_installed_is_no_reason_to_lose_an_outcome() -> None:
    found = measured(replace(session(), protocol="nobody's"))
    assert found.coverage == {}
    assert "gap_between_writes" in found.samples
