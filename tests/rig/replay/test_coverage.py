"""Coverage counts what recordings reach of a protocol, says what none reached, and is the same in any order."""

from __future__ import annotations

import itertools
import json

import pytest

from protocols import model
from protocols.registry import Registry
from rig.replay.coverage import Reached, Row, merged, together
from rig.replay.decoder import replay_as_decoder
from rig.replay.feeding import decoded
from tests.rig.replay.recorded_talk import acknowledgement_of, dr05_session, foreo_session, with_exchanges, without

DR05 = Registry.default().get("dr05")


def test_a_session_reaches_its_states_transitions_commands_and_events() -> None:
    coverage = decoded(dr05_session()).reached.coverage
    reached = {(row.kind, row.name): row.times for row in coverage.rows if row.times}
    assert reached[("state", "running")] == 1
    assert reached[("transition", "running → stopping")] == 1
    assert reached[("command", "set_intensity")] == 5
    assert reached[("event", "acknowledged")] == 10
    assert coverage.share("state") == 6 / 8
    assert coverage.share("command") == 7 / 10


def test_what_no_recording_reached_is_listed() -> None:
    unreached = decoded(dr05_session()).reached.coverage.unreached
    assert Row("state", "no answer", 0) in unreached
    assert Row("command", "start_cooling", 0) in unreached
    assert Row("event", "water_low", 0) in unreached
    assert Row("transition", "new → handshake", 0) not in unreached


def test_several_recordings_are_counted_together_in_any_order() -> None:
    whole = dr05_session()
    silent = without(whole, acknowledgement_of(whole, "55aa0600a631020300d5da"))
    short = with_exchanges(whole, whole.exchanges[:5])
    runs = [decoded(transcript).reached for transcript in (whole, silent, short)]
    tables = {tuple(together(order).rows) for order in itertools.permutations(runs)}
    assert len(tables) == 1
    (rows,) = tables
    new_to_handshake = next(row for row in rows if row.name == "new → handshake")
    assert new_to_handshake.times == 3


def test_outcomes_of_other_processes_are_put_together_alike() -> None:
    whole = dr05_session()
    short = with_exchanges(whole, whole.exchanges[:5])
    outcomes = [replay_as_decoder(transcript).coverage for transcript in (whole, short)]
    sent = json.loads(json.dumps(outcomes))
    assert merged(sent) == together(decoded(transcript).reached for transcript in (whole, short)).as_json()
    assert merged(reversed(sent)) == merged(sent)
    assert merged([]) == {}
    assert merged([{}, sent[0]]) == sent[0]


def test_protocols_are_never_counted_together() -> None:
    runs = [decoded(dr05_session()).reached, decoded(foreo_session()).reached]
    with pytest.raises(ValueError, match="one protocol at a time, not for dr05, foreo together"):
        together(runs)
    with pytest.raises(ValueError, match="one protocol at a time, not for dr05, foreo together"):
        merged(reached.coverage.as_json() for reached in runs)


def test_a_protocol_that_does_not_say_what_there_is_tells_what_was_reached_alone() -> None:
    reached = Reached(None)
    reached.command(model.TotalStop())
    assert reached.coverage.share("command") is None
    assert reached.coverage.table() == ["commands: 1 reached", "  total_stop       1"]


def test_what_is_reached_and_not_listed_is_told() -> None:
    reached = Reached(DR05)
    reached.event(model.Battery(5))
    reached.state("on fire")
    coverage = reached.coverage
    assert Row("event", "battery", 1, known=False) in coverage.rows
    assert coverage.as_json()["unlisted"] == ["on fire", "battery"]
    assert "events: 0 of 12" in coverage.table()
    assert any(line.endswith("(not listed by the protocol)") and "battery" in line for line in coverage.table())


def test_staying_in_a_state_is_no_transition() -> None:
    reached = Reached(DR05)
    for state in ("new", "new", "handshake", "", "handshake", "lost"):
        reached.state(state)
    assert dict(reached.counts["state"]) == {"new": 1, "handshake": 1, "lost": 1}
    assert dict(reached.counts["transition"]) == {"new → handshake": 1, "handshake → lost": 1}


def test_the_table_has_a_line_for_each_and_a_share_for_each_kind() -> None:
    table = decoded(foreo_session()).reached.coverage.table()
    assert table[0] == "states: 5 of 6"
    assert "  ending               never" in table
    assert "transitions: 5 of 11" in table
