"""Replay as the app to an OMP device: paired, kept alive, compared by what it means, and never beyond the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.omp_codec import CONTROL_POINT, TELEMETRY, Opcode, Request, Result, State
from rig.clock import run
from rig.devices.omp import SimulatedOmp
from rig.devices.skin import Touch
from rig.radio.fault_plan import FaultPlan
from rig.radio.pairing import Ability
from rig.replay.central import Rules, replay_as_central
from rig.replay.conversation import in_words
from rig.replay.exchanges import Exchange, Transcript
from rig.replay.outcome import Outcome, Verdict
from tests.rig.replay.omp_talk import (
    BATTERY,
    CONTROL,
    KEEP_ALIVE,
    MEASURED,
    STEP_S,
    STOP,
    Talk,
    measurement,
    start,
    target,
)

SEED = 4
ANY_TIME = Rules(tolerance_s=None)


def play(script: Transcript, device: SimulatedOmp | None = None, rules: Rules | None = None) -> Outcome:
    """Play on the virtual radio, in virtual time, what the battery says left aside: that is any device's own."""
    device = device or SimulatedOmp(SEED)
    device.set_battery(86, 0.0)
    return run(replay_as_central(script, device, rules or Rules()))


def texts(outcome: Outcome) -> list[str]:
    return [difference.text for difference in outcome.differences]


def assert_stopped(device: SimulatedOmp, at_s: float = 1000.0) -> None:
    """Its output is off, and a stop did that: the end of the link is the last resort."""
    assert device.output_ua(at_s) == 0.0
    ends = [entry for entry in device.trace if entry.output_percent == 0.0]
    assert [entry.cause for entry in ends if entry.cause == "link lost"] == []


def session() -> Talk:
    """Two steps of output, for a second and a half."""
    talk = Talk().started()
    return talk.holds(STEP_S).ask(target(40)).tells(State.RUNNING, 40, session=1).holds(1.0).stopped()


# --- as recorded ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pairing", [Ability.SHOWS_AND_CONFIRMS, Ability.SHOWS])
def test_a_recording_passes_on_a_device_that_has_to_be_paired_first(pairing: Ability) -> None:
    device = SimulatedOmp(SEED, pairing=pairing)
    outcome = play(session().hung_up().transcript(), device)
    assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])
    assert device.display.shown is not None
    assert max(device.stage.commanded_ua(at / 10) for at in range(40)) == 40.0
    assert_stopped(device)
    reached = outcome.coverage["reached"]
    assert isinstance(reached, dict)
    assert reached["transition"]["running → stopping"], "what happened, in its order, is a session by the protocol"


def test_a_recording_that_leaves_the_output_on_does_not_leave_it_on() -> None:
    device = SimulatedOmp(SEED)
    outcome = play(Talk().started().holds(1.0).transcript(), device)
    assert outcome.verdict is Verdict.PASSED
    assert device.output_ua(0.9) > 0
    assert_stopped(device)


def test_what_a_device_measures_is_not_what_was_measured_and_no_difference() -> None:
    talk = session().hung_up()
    script = talk.transcript()
    outcome = play(script)
    assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])
    recorded = [in_words(one) for one in script.exchanges if one.to == MEASURED and one.does == "notification"]
    came = [line.text for line in outcome.conversation if TELEMETRY in line.text and "notifies" in line.text]
    assert len(came) == pytest.approx(len(recorded), abs=1)
    assert len(recorded) == talk.measured
    assert not set(came) & set(recorded)


# --- what differs -----------------------------------------------------------------------------------------------------


def changed(script: Transcript, index: int, **fields: object) -> Transcript:
    exchanges = list(script.exchanges)
    exchanges[index] = replace(exchanges[index], **fields)  # type: ignore[arg-type]
    return replace(script, exchanges=tuple(exchanges))


def place_of(script: Transcript, found: Callable[[Exchange], bool]) -> int:
    return next(place for place, one in enumerate(script.exchanges) if found(one))


def test_a_state_that_the_device_does_not_reach_is_named() -> None:
    script = session().waits(0.2).tells(State.FAULT, 40, session=1).waits(0.2).hung_up().transcript()
    [text] = texts(play(script))
    assert text.startswith("missing: exchange")
    assert "state is never fault, it stays ready" in text


def test_contact_that_is_lost_in_the_replay_and_not_in_the_recording_is_named() -> None:
    device = SimulatedOmp(SEED)
    device.touch(Touch.LIFTED, 0.75)
    outcome = play(session().hung_up().transcript(), device)
    assert outcome.verdict is Verdict.FAILED
    assert any("state is contact lost, recorded" in text for text in texts(outcome)), texts(outcome)
    assert any("contact is lost, recorded there" in text for text in texts(outcome)), texts(outcome)
    assert_stopped(device)


def test_a_result_of_a_request_is_compared_byte_for_byte() -> None:
    script = session().hung_up().transcript()
    place = place_of(script, lambda one: one.does == "indication" and one.value == bytes.fromhex("800401"))
    [text] = texts(play(changed(script, place, value=bytes.fromhex("800407"))))
    assert f"different from exchange {place}, device indicates" in text
    assert "byte 2 is 01, recorded 07" in text


def test_an_answer_that_is_late_is_named_although_something_was_measured_before_it(tmp_path: Path) -> None:
    talk = Talk().started().holds(STEP_S).said("app", "write", CONTROL, target(40), answered=True)
    talk.said("device", "notification", MEASURED, measurement(talk.measured, State.RUNNING, delivered_ua=20))
    talk.said("device", "indication", CONTROL, bytes.fromhex("800201")).tells(State.RUNNING, 40, session=1)
    plan = tmp_path / "slow.toml"
    plan.write_text(
        f'format = 1\n[[fault]]\nkind = "delay"\ndirection = "to_app"\ncharacteristic = "{CONTROL_POINT}"\n'
        'nth = 11\ntime = {law = "fixed", seconds = 0.2}\n'
    )
    device = SimulatedOmp(SEED)
    device.set_battery(86, 0.0)
    script = talk.waits(0.4).ask(KEEP_ALIVE).stopped().hung_up().transcript()
    outcome = run(replay_as_central(script, device, faults=FaultPlan.load(plan)))
    assert any(text.startswith("late by 200.0 ms") and "80 02 01" in text for text in texts(outcome)), texts(outcome)


def test_a_level_of_the_battery_that_is_read_may_be_another_one() -> None:
    script = session().hung_up().transcript()
    place = place_of(script, lambda one: one.to == BATTERY and one.does == "read")
    assert texts(play(changed(script, place, value=bytes((12,))))) == []
    [text] = texts(play(changed(script, place, value=bytes((120,)))))
    assert "byte 0 is 56, recorded 78" in text


def test_a_device_that_measures_less_often_is_told_of() -> None:
    class Sluggish(SimulatedOmp):
        """Tells every third measurement."""

        def _tell(self, number: int, characteristic: str, data: bytes) -> None:
            if not characteristic.startswith("5a3f0005") or data[0] % 3 == 0:
                super()._tell(number, characteristic, data)

    script = Talk().started().holds(4.0)
    [text] = texts(play(script.stopped().hung_up().transcript(), Sluggish(SEED)))
    assert text.startswith("missing: device notifies")
    assert "values came and 40 are recorded, one every 100 ms; 2 more or fewer would do" in text


# --- never beyond the protocol ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (Talk().greeted().ask(target(40)), "while stopped the level is at most the lowest, 5 %"),
        (Talk().greeted().ask(target(500)), "is outside 0 to 100 %"),
        (Talk().greeted().ask(target(21)), "the protocol writes 02 14 00 here, not 02 15 00"),
        (Talk().greeted().ask(start()), "set the lowest level, 5 %, before the start"),
        (Talk().greeted().ask(KEEP_ALIVE), "there is no output to keep up"),
        (Talk().started().ask(target(40)), "the next rise is allowed in"),
        (Talk().started().holds(STEP_S).ask(target(60)), "more than one step of 5 %"),
        (Talk().started().holds(STEP_S).ask(target(500)), "is outside 0 to 100 %"),
        (Talk().started().ask(start()), "output is possible already; stop first"),
        (Talk().started().ask(Request(Opcode.RESUME).encode()), "the device holds no run that could go on"),
        (Talk().started().ask(Request(Opcode.PAUSE).encode()), "unknown write"),
        (Talk().started().ask(Request(Opcode.SET_RAMP, (40,)).encode()), "handshake with output on"),
        (Talk().greeted().ask(Request(Opcode.SET_RAMP, (400,)).encode()), "unknown write"),
        (Talk().started().ask(Request(Opcode.SET_WAVEFORM, (1, 83)).encode()), "the wave is chosen while the output"),
        (Talk().started().ask(Request(Opcode.KEEP_ALIVE, (5000,)).encode()), "the protocol writes 08 dc 05 here"),
        (
            Talk().greeted().ask(Request(Opcode.DELETE_RECORDS, (0,)).encode(), 0),
            "were not all downloaded on this link",
        ),
        (Talk().greeted().ask(b"\x02\x14"), "unknown write"),
    ],
    ids=lambda value: None if isinstance(value, str) else value.exchanges[-2].value.hex(),
)
def test_a_recording_commands_nothing_that_the_protocol_forbids(script: Talk, why: str) -> None:
    device = SimulatedOmp(SEED)
    outcome = play(script.waits(1.0).transcript(), device)
    assert outcome.verdict is Verdict.FAILED
    [text] = [text for text in texts(outcome) if text.startswith("refused")]
    assert why in text
    assert device.stage.commanded_ua(outcome.duration_s) <= 20.0
    assert_stopped(device)


def test_a_raise_while_contact_is_lost_is_refused() -> None:
    device = SimulatedOmp(SEED)
    device.touch(Touch.LIFTED, 0.3)
    outcome = play(Talk().started().waits(0.4).ask(target(40)).transcript(), device)
    [text] = [text for text in texts(outcome) if text.startswith("refused")]
    assert "no rise before the level or start asked for last is acknowledged" in text
    assert device.target_ua == 0  # the link is over, and with it the target
    assert_stopped(device)


def test_a_keep_alive_while_contact_is_lost_is_refused() -> None:
    device = SimulatedOmp(SEED)
    device.touch(Touch.LIFTED, 0.3)
    outcome = play(Talk().started().waits(0.4).ask(KEEP_ALIVE).transcript(), device)
    assert any("there is no output to keep up" in text for text in texts(outcome))


def test_a_device_that_another_central_holds_hears_nothing_of_the_recording() -> None:
    device = SimulatedOmp(SEED)
    other = device.central(1)
    other.connected(0.0)
    other.subscribed("5a3f0003-8c1e-4b6e-9d2a-6f0d1c7a9e42", True, 0.0)  # noqa: FBT003 - the contract's
    other.written("5a3f0003-8c1e-4b6e-9d2a-6f0d1c7a9e42", bytes.fromhex("0101000000"), 0.0)
    outcome = play(session().hung_up().transcript(), device)
    assert outcome.verdict is Verdict.INVALID
    assert texts(outcome) == ["precondition: another phone or computer holds the device"]
    assert device.controller == 1
    assert device.trace == ()


def test_a_device_that_does_not_agree_to_be_paired_hears_nothing_of_the_recording() -> None:
    device = SimulatedOmp(SEED)
    device.display.agrees = False
    outcome = play(session().hung_up().transcript(), device)
    assert outcome.verdict is Verdict.INVALID
    assert "cannot be paired" in texts(outcome)[0]
    assert device.controller is None


def test_a_replay_that_is_held_lets_the_keep_alive_lapse() -> None:
    """Nothing keeps the output up on behalf of an app that says nothing."""
    device = SimulatedOmp(SEED)
    outcome = play(Talk().started().waits(4.0).stopped().hung_up().transcript(), device, ANY_TIME)
    assert outcome.verdict is Verdict.FAILED
    assert any(entry.cause == "paused" for entry in device.trace)
    assert_stopped(device)


REQUESTS = st.sampled_from(
    [target(0), target(20), target(40), target(60), target(500), start(), start(1), STOP, KEEP_ALIVE]
    + [Request(opcode).encode() for opcode in (Opcode.PAUSE, Opcode.RESUME, Opcode.ACKNOWLEDGE_FAULT)]
)


@pytest.mark.slow
@given(
    st.lists(st.tuples(REQUESTS, st.sampled_from((0.0, 0.05, 0.25, 0.5))), max_size=25),
    st.lists(st.tuples(st.sampled_from(Touch), st.integers(0, 60)), max_size=3),
)
def test_no_recording_makes_the_output_rise_as_the_protocol_does_not(
    said: list[tuple[bytes, float]], touched: list[tuple[Touch, int]]
) -> None:
    device = SimulatedOmp(SEED)
    for touch, tenths in sorted(touched, key=lambda one: one[1]):
        device.touch(touch, tenths / 10)
    script = Talk().started()
    for request, wait_s in said:
        script.ask(request).waits(wait_s)
    play(replace(script.transcript(), exchanges=tuple(one for one in script.exchanges if one.by == "app")), device)
    targets = 0.0
    for step in range(700):
        commanded = device.stage.commanded_ua(step / 100)
        assert commanded <= targets + 0.4 + 1e-6, f"from {targets} to {commanded} µA within 10 ms, at {step / 100} s"
        targets = commanded
    assert_stopped(device)


def test_a_cancelled_replay_stops_the_device() -> None:
    device = SimulatedOmp(SEED)

    async def scenario() -> None:
        playing = asyncio.create_task(replay_as_central(Talk().started().holds(5.0).transcript(), device))
        await asyncio.sleep(12.0)  # the virtual radio is listened to first
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)

    run(scenario())
    assert_stopped(device)
    assert device.target_ua == 0


def test_a_refused_request_that_was_recorded_is_as_recorded() -> None:
    device = SimulatedOmp(SEED)
    device.touch(Touch.LIFTED, 0.0)
    script = (
        Talk(impedance_ohm=None)
        .greeted()
        .waits(0.5)
        .ask(target(20))
        .tells(State.READY, 20)
        .ask(start(), result=Result.NO_CONTACT)
    )
    outcome = play(script.waits(0.1).hung_up().transcript(), device)
    assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])
    assert_stopped(device)
