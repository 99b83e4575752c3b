"""Replay as the app: the answers are compared, and a recording never commands what the protocol forbids."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import as_file, files
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.gatt import Characteristic, Property, Service, uuid
from rig.clock import run
from rig.devices.dr05 import BYTE_S, SimulatedDr05
from rig.devices.foreo import CONTROL, SimulatedForeo
from rig.devices.model import DeviceAction, SimulatedDevice
from rig.radio.link import VirtualRadio
from rig.replay.central import ConsentError, Rules, replay_as_central, replay_on_device
from rig.replay.conversation import in_words
from rig.replay.exchanges import Place, Transcript
from rig.replay.outcome import Outcome, Verdict
from rig.replay.pacing import Pacer
from rig.replay.schedule import Gaps, Schedule
from rig.replay.transcript import load
from tests.rig.radio_world import echo_device
from tests.rig.replay.app_world import exchange
from tests.rig.replay.app_world import transcript as plain
from tests.rig.replay.dr05_talk import (
    ACTION,
    GET,
    LOW,
    MAKERS_TOTAL_STOP,
    SET,
    UART,
    Talk,
    level,
    reply,
    request,
    start,
    stop,
    total_stop,
)

STEP_S = 0.1  # one percent at ten percent a second


def play(script: Transcript, device: SimulatedDevice | None = None, rules: Rules | None = None) -> Outcome:
    """Play on the virtual radio, in virtual time."""
    device = SimulatedDr05() if device is None else device
    return run(replay_as_central(script, device, rules or Rules()))


def texts(outcome: Outcome) -> list[str]:
    return [difference.text for difference in outcome.differences]


def assert_never_beyond_the_protocol(device: SimulatedDr05) -> None:
    """Output started at the lowest level, rose by single steps with their time between, and was stopped by a stop."""
    rises = [(0.0, 0.0, "off"), *device.trace]
    last_rise = -1.0
    for (_, before, _), (at, after, cause) in pairwise(rises):
        if after > before:
            assert after - before <= 1.0, f"a rise from {before} to {after} by {cause}"
            assert at - last_rise >= STEP_S - 1e-9, (
                f"a rise to {after} only {at - last_rise:.3f} s after the one before"
            )
            last_rise = at
    if device.trace:
        assert device.trace[-1].output_percent == 0.0
        # Not by the loss of the link, which is the last resort, and not by a level of 0, which is a pause.
        assert device.trace[-1].cause != "link lost"
        assert device.arrivals[-1].checksum_right
        assert device.arrivals[-1].frame[5:8] == total_stop()[5:8]
    assert not device.running
    assert not device.ageing
    assert not device.overrun


# --- as recorded ------------------------------------------------------------------------------------------------------


def test_a_recording_of_a_session_passes_on_the_device_that_it_was_made_of() -> None:
    device = SimulatedDr05()
    script = Talk().started().risen(5).echoed(total_stop()).hung_up().transcript()
    outcome = play(script, device)
    assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])
    assert outcome.exchanges == sum(e.by == "app" for e in script.exchanges)
    assert [line.mark for line in outcome.conversation] == [" "] * len(script.exchanges)
    assert outcome.lateness.quantile_ns(1.0) == 0
    # In milliseconds: 10 to 12 bytes each way over a serial line of 9600 baud.
    assert outcome.samples["command_to_acknowledgement"] == pytest.approx([22.9] * 9, abs=3.0)
    assert max(entry.output_percent for entry in device.trace) == 5.0
    assert_never_beyond_the_protocol(device)


def test_a_recording_that_leaves_the_output_on_does_not_leave_it_on() -> None:
    device = SimulatedDr05()
    outcome = play(Talk().started().risen(3).transcript(), device)
    assert outcome.verdict is Verdict.PASSED
    assert device.trace[-1].cause == "total stop"
    assert_never_beyond_the_protocol(device)


def test_a_recording_that_hangs_up_with_the_output_on_stops_it_first() -> None:
    device = SimulatedDr05()
    outcome = play(Talk().started().risen(3).hung_up().transcript(), device)
    assert outcome.verdict is Verdict.PASSED
    assert device.trace[-1].cause == "total stop"


def test_a_recording_of_an_app_that_finds_the_byte_order_out_passes() -> None:
    # The first question is in the order that this device does not read, and is refused by it: that harms nobody.
    device = SimulatedDr05(low_byte_first=True)
    talk = Talk()
    talk.write(request(GET, 0x40), reply(GET, 0x40, state=0, order=LOW))
    talk.write(request(GET, 0x40, order=LOW), reply(GET, 0x40, 2, 1, order=LOW))
    talk.write(MAKERS_TOTAL_STOP, reply(ACTION, 0x06, order=LOW))
    outcome = play(talk.transcript(), device)
    assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])


# --- the finding ------------------------------------------------------------------------------------------------------


def test_the_makers_own_total_stop_is_refused_and_a_correct_one_stops_the_device() -> None:
    device = SimulatedDr05()
    script = Talk().started().risen(5).write(MAKERS_TOTAL_STOP, reply(ACTION, 0x06, state=0)).transcript()
    outcome = play(script, device)
    assert outcome.verdict is Verdict.FAILED
    [text] = texts(outcome)
    assert text.startswith("refused: checksum byte order; output still on")
    assert "F2 6B is low byte first and this device reads high byte first" in text
    assert outcome.conversation[-2].mark == "-"
    assert "f2 6b" in outcome.conversation[-2].text
    assert MAKERS_TOTAL_STOP not in [arrival.frame for arrival in device.arrivals]
    assert device.arrivals[-1].frame == total_stop()
    assert device.arrivals[-1].checksum_right
    assert device.trace[-2].output_percent == 5.0
    assert device.trace[-1].output_percent == 0.0
    assert_never_beyond_the_protocol(device)


def test_the_shipped_example_shows_the_finding() -> None:
    with as_file(files("rig.replay") / "examples" / "dr05-makers-total-stop.jsonl") as path:
        script = load(path)
    talk = Talk().started().risen(5).write(MAKERS_TOTAL_STOP, reply(ACTION, 0x06, state=0))
    assert script.exchanges == tuple(talk.exchanges)
    device = SimulatedDr05()
    [text] = texts(play(script, device))
    assert text.startswith("refused: checksum byte order; output still on")
    assert device.arrivals[-1].frame == total_stop()
    assert_never_beyond_the_protocol(device)


def test_the_makers_own_total_stop_is_right_for_a_device_that_reads_its_order() -> None:
    device = SimulatedDr05(low_byte_first=True)
    script = Talk().write(MAKERS_TOTAL_STOP, reply(ACTION, 0x06, order=LOW)).transcript()
    assert play(script, device).verdict is Verdict.PASSED


# --- what the device answers ------------------------------------------------------------------------------------------


def changed(script: Transcript, index: int, **fields: object) -> Transcript:
    exchanges = list(script.exchanges)
    exchanges[index] = replace(exchanges[index], **fields)  # type: ignore[arg-type]
    return replace(script, exchanges=tuple(exchanges))


def session() -> Transcript:
    """Version (2, 3), total stop (4, 5), temperature (6, 7), total stop (8, 9)."""
    talk = Talk()
    talk.write(request(GET, 0x40), reply(GET, 0x40, 2, 1)).echoed(total_stop())
    talk.write(request(GET, 0x41), reply(GET, 0x41, 0x00, 0xE6)).echoed(total_stop())
    return talk.transcript()


def at_23_degrees() -> SimulatedDr05:
    return next(device for seed in range(1000) if (device := SimulatedDr05(seed)).ambient_c == 23.0)


def test_one_changed_byte_is_named() -> None:
    script = changed(session(), 3, value=reply(GET, 0x40, 2, 0))
    outcome = play(script, at_23_degrees())
    assert outcome.verdict is Verdict.FAILED
    [text] = texts(outcome)
    assert "different from exchange 3" in text
    assert [line.mark for line in outcome.conversation].count("-") == 1


def test_the_device_is_as_recorded_in_all_that_follows() -> None:
    assert play(session(), at_23_degrees()).verdict is Verdict.PASSED


def test_a_missing_acknowledgement_is_named() -> None:
    device = at_23_degrees()
    device.lose_reply(4)  # two of the handshake before
    outcome = play(session(), device)
    assert outcome.verdict is Verdict.FAILED
    assert texts(outcome)[0].startswith("missing: exchange 5")
    [unsaid] = [line.text for line in outcome.conversation if line.mark == "-"]
    assert unsaid == in_words(session().exchanges[5])
    assert "did not acknowledge the stop in time" in texts(outcome)[-1]
    assert_never_beyond_the_protocol(device)


def test_two_that_changed_places_are_named() -> None:
    script = session()
    first, second = script.exchanges[3], script.exchanges[5]
    script = changed(changed(script, 3, value=second.value), 5, value=first.value)
    outcome = play(script, at_23_degrees())
    assert outcome.verdict is Verdict.FAILED
    assert texts(outcome)[0].startswith("swapped: ")


def test_an_acknowledgement_60_ms_slower_is_named() -> None:
    script = session()
    outcome = play(script, SlowDr05())
    assert outcome.verdict is Verdict.FAILED
    assert texts(outcome)[0].startswith("late by 60.0 ms: exchange 3")
    assert play(script, SlowDr05(), Rules(tolerance_s=0.1)).verdict is Verdict.PASSED
    assert play(script, SlowDr05(), Rules(tolerance_s=None)).verdict is Verdict.PASSED


class SlowDr05(SimulatedDr05):
    """Its module waits 60 ms before it sends."""

    def __init__(self) -> None:
        super().__init__(at_23_degrees_seed(), module_waits_s=0.06)


def at_23_degrees_seed() -> int:
    return next(seed for seed in range(1000) if SimulatedDr05(seed).ambient_c == 23.0)


def test_what_the_device_says_beyond_the_recording_is_named() -> None:
    device = at_23_degrees()

    async def scenario() -> Outcome:
        loop = asyncio.get_running_loop()
        loop.call_later(0.82, lambda: device.set_water_low(low=True, now=loop.time()))
        return await replay_as_central(session(), device)

    outcome = run(scenario())
    assert outcome.verdict is Verdict.FAILED
    assert texts(outcome)[0].startswith("extra: device notifies ffe0/ffe1: 55 aa 06 00 a6 66")
    assert "+" in [line.mark for line in outcome.conversation]


def test_what_the_device_says_more_is_not_taken_for_what_comes_next() -> None:
    """A recording that lacks an acknowledgement: the device's own is one more, whatever the app then does too soon."""
    script = Talk().started().echoed(stop()).echoed(level(1), wait_s=0.02).echoed(start()).transcript()
    exchanges = list(script.exchanges)
    # the app starts as soon as its level is acknowledged, which the recorder saw 3 ms sooner than this device can
    assert exchanges[-3].value == reply(SET, 0x02, 1)
    exchanges[-3] = replace(exchanges[-3], at_ns=exchanges[-2].at_ns)
    lacking = next(at for at, one in enumerate(exchanges) if one.value == reply(ACTION, 0x03, 0))
    del exchanges[lacking]
    outcome = play(replace(script, exchanges=tuple(exchanges)), at_23_degrees())
    assert outcome.verdict is Verdict.FAILED
    assert texts(outcome)[0].startswith("extra: device notifies ffe0/ffe1: 55 aa 06 00 a6 31 01 03 00 d5 2a")
    assert not [text for text in texts(outcome) if text.startswith(("different", "swapped"))]


def test_a_device_without_the_recorded_characteristic_makes_the_run_invalid() -> None:
    elsewhere = Place(uuid("fff0"), uuid("fff1"))
    script = plain(exchange(0.1, "app", "write_command", elsewhere, total_stop()), name="Dr-05", protocol="dr05")
    device = SimulatedDr05()
    outcome = play(script, device)
    assert outcome.verdict is Verdict.INVALID
    assert texts(outcome)[0].startswith("precondition: the device has no service")
    assert device.arrivals == ()


def test_order_by_characteristic_lets_two_characteristics_cross() -> None:
    device = echo_device()
    device.on_write("ffe5", lambda _data: None)
    both = Place(uuid("ffe0"), uuid("ffe5"))
    script = plain(
        exchange(0.0, "app", "subscribe"),
        exchange(0.0, "app", "subscribe", both),
        exchange(0.1, "app", "write_command", value=b"go"),
        exchange(0.1, "device", "notification", value=b"go"),
        exchange(0.11, "device", "notification", both, b"side"),
    )
    device.on_write("ffe1", lambda data: (device.notify("ffe5", b"side"), device.notify("ffe1", data)))
    assert play(script, device, Rules(order="by-characteristic")).verdict is Verdict.PASSED
    device = echo_device()
    device.on_write("ffe1", lambda data: (device.notify("ffe5", b"side"), device.notify("ffe1", data)))
    outcome = play(script, device)
    assert outcome.verdict is Verdict.FAILED
    assert texts(outcome)[0].startswith("swapped: ")


def test_a_value_read_and_a_refusal_are_compared() -> None:
    fussy = Place(uuid("ffe0"), uuid("ffe3"))
    meter = Place(uuid("ffe0"), uuid("ffe2"))
    good = plain(exchange(0.0, "app", "read", meter, b"\x2a"), exchange(0.1, "app", "write", fussy, b"x", error=0x80))
    assert play(good, echo_device()).verdict is Verdict.PASSED
    bad = plain(exchange(0.0, "app", "read", meter, b"\x2b"), exchange(0.1, "app", "write", fussy, b"x"))
    value, fate = texts(play(bad, echo_device()))
    assert "byte 0 is 2a, recorded 2b" in value
    assert "recorded accepted" in fate


def test_a_response_that_takes_longer_than_recorded_is_named() -> None:
    script = plain(exchange(0.1, "app", "write", value=b"a", answered_s=0.05))
    outcome = run(replay_as_central(script, echo_device(), latency_s=0.1))
    [text] = texts(outcome)
    assert text.startswith("late by 150.0 ms: exchange 0")


def test_what_the_device_says_before_the_app_has_asked_for_it_is_named() -> None:
    device = echo_device()
    device.on_write("ffe1", lambda data: device.notify("ffe1", b"b") if data == b"a" else None)
    script = plain(
        exchange(0.0, "app", "subscribe"),
        exchange(0.1, "app", "write_command", value=b"a"),
        exchange(0.2, "app", "write_command", value=b"b"),
        exchange(0.2, "device", "notification", value=b"b"),
    )
    [text] = texts(play(script, device))
    assert text.startswith("swapped: exchange 3, device notifies ffe0/ffe1: 62, came before exchange 2")


# --- what the protocol forbids ----------------------------------------------------------------------------------------

OVERRUN = b"\x55\xaa" + bytes((9, 0, 0xA6, 0x32, 2, 2, 1, 1, 1, 1)) + b"\0\0"

FORBIDDEN: dict[str, tuple[Callable[[], Talk], str]] = {
    "a start without a level": (lambda: Talk().echoed(total_stop()).echoed(start()), "set the lowest level"),
    "a start above the lowest level": (lambda: Talk().echoed(level(50)).echoed(start()), "at most the lowest"),
    "a level above the lowest at rest": (lambda: Talk().echoed(total_stop()).echoed(level(2)), "at most the lowest"),
    "level 0 at rest": (lambda: Talk().echoed(level(0)), "level 0 while stopped"),
    "a start before the level is acknowledged": (
        lambda: Talk().write(level(1), wait_s=0.0).write(start()),
        "not acknowledged yet",
    ),
    "a start while it is on": (lambda: Talk().started().echoed(start()), "output is possible already"),
    "a rise of two steps": (lambda: Talk().started().echoed(level(3)), "more than one step"),
    "a rise to the highest": (lambda: Talk().started().risen(3).echoed(level(100)), "more than one step"),
    "a level beyond the scale": (lambda: Talk().started().echoed(level(101)), "outside 0 to 100"),
    "a rise too soon": (lambda: Talk().started().risen(5, wait_s=0.06), "the next rise is allowed in"),
    "a rise without waiting for the acknowledgement": (
        lambda: Talk().started().write(level(2), wait_s=0.005).write(level(3)),
        "no rise before",
    ),
    "a level right after a stop": (
        lambda: Talk().started().risen(3).write(stop(), wait_s=0.005).write(level(3)),
        "a stop is not acknowledged yet",
    ),
    "a start right after a stop": (
        lambda: Talk().started().risen(3).write(total_stop(), wait_s=0.005).write(start()),
        "a stop is not acknowledged yet",
    ),
    "a start at the level of before the stop": (
        lambda: Talk().started().risen(3).echoed(stop()).echoed(start()),
        "set the lowest level",
    ),
    "another mode while it is on": (lambda: Talk().started().echoed(request(SET, 0x0D, 2)), "while stopped alone"),
    "a mode that there is not": (lambda: Talk().echoed(request(SET, 0x0D, 9)), "mode 9 does not exist"),
    "a cooling target out of range": (lambda: Talk().echoed(request(SET, 0x0C, 60)), "outside -2 to 20"),
    "ageing mode": (lambda: Talk().started().write(request(ACTION, 0x05)), "ageing mode"),
    "firmware update": (lambda: Talk().started().write(request(ACTION, 0xAA)), "firmware update"),
    "an unknown function": (lambda: Talk().started().write(request(SET, 0x77, 1)), "is not known"),
    "a level without its parameter": (lambda: Talk().started().write(request(SET, 0x02)), "has no parameter"),
    "a stop with parameters too many": (lambda: Talk().started().write(request(ACTION, 0x06, 1, 2, 3)), "other bytes"),
    "an answer instead of a request": (lambda: Talk().started().write(reply(ACTION, 0x06)), "other bytes"),
    "another device's": (
        lambda: Talk().started().write(request(ACTION, 0x06, device_id=0x00A7)),
        "is not this device's",
    ),
    "a frame that overruns the buffer": (lambda: Talk().started().write(OVERRUN), "unknown write"),
    "a length of nothing": (lambda: Talk().started().write(b"\x55\xaa\x00\x00\xa6\x31\x02\x06\0\0"), "unknown write"),
    "noise": (lambda: Talk().started().write(b"hello"), "unknown write"),
    "nothing at all": (lambda: Talk().started().write(b""), "unknown write"),
    "a wrong checksum": (lambda: Talk().started().write(total_stop()[:-1] + b"\0"), "wrong checksum"),
    "the other byte order": (lambda: Talk().started().write(request(SET, 0x02, 2, order=LOW)), "checksum byte order"),
    "a stop in two packets": (lambda: Talk().started().write(total_stop(), wait_s=0.01, split=6), "unknown write"),
    "a rise in two packets": (lambda: Talk().started().write(level(40), wait_s=0.01, split=9), "unknown write"),
    "two frames in one packet": (lambda: Talk().write(level(1) + start()), "more than one request"),
    "a frame and the beginning of another": (lambda: Talk().write(level(1) + start()[:5]), "more than one request"),
    "noise before a frame": (lambda: Talk().write(b"\x00" + level(1)), "more than one request"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_recording_never_commands(what: str) -> None:
    talk, why = FORBIDDEN[what]
    device = SimulatedDr05()
    # More of the recording follows: none of it is played.
    script = talk().echoed(level(1)).echoed(start()).echoed(level(90)).transcript()
    outcome = play(script, device)
    assert outcome.verdict is Verdict.FAILED
    refused = [difference for difference in outcome.differences if difference.kind == "refused"]
    assert len(refused) == 1, texts(outcome)
    assert why in refused[0].text
    assert refused[0].index is not None
    data = script.exchanges[refused[0].index].value
    stops = [total_stop(), stop()]
    assert device.arrivals[-1].frame == total_stop()
    if data not in stops:
        allowed = sum(
            recorded.by == "app" and recorded.value == data for recorded in script.exchanges[: refused[0].index]
        )
        assert [arrival.frame for arrival in device.arrivals].count(data or b"") == allowed
    assert_never_beyond_the_protocol(device)


def test_the_state_of_the_output_is_told_with_a_refusal() -> None:
    on = play(Talk().started().write(b"hello").transcript())
    off = play(Talk().write(b"hello").transcript())
    assert texts(on)[0].startswith("refused: unknown write; output still on")
    assert texts(off)[0].startswith("refused: unknown write; output off")


@pytest.mark.parametrize(
    "rules",
    [Rules(speed=3), Rules(speed=50), Rules(gaps=Gaps(cap_s=0.05)), Rules(gaps=Gaps(cut_s=0.1))],
    ids=["three times as fast", "fifty times as fast", "gaps capped", "gaps cut"],
)
def test_a_faster_replay_rises_no_faster_than_the_protocol_allows(rules: Rules) -> None:
    device = SimulatedDr05()
    outcome = play(Talk().started().risen(10).echoed(total_stop()).transcript(), device, rules)
    assert any("the next rise is allowed in" in text for text in texts(outcome)), texts(outcome)
    assert_never_beyond_the_protocol(device)


def test_a_rise_that_comes_a_little_too_soon_is_held_until_the_protocol_allows_it() -> None:
    device = SimulatedDr05()
    script = Talk().started().risen(5, wait_s=0.11).transcript()  # 87 ms after each acknowledgement
    outcome = play(script, device, Rules(tolerance_s=0.005))  # the device is not late for what the guard held
    assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])
    assert_never_beyond_the_protocol(device)


def test_a_device_that_is_a_little_slower_than_the_recorded_one_is_raised_all_the_way() -> None:
    """Each answer takes 3 ms longer, and the app always waited just long enough after one."""
    script = Talk().started().risen(40, wait_s=22 * BYTE_S + STEP_S).echoed(total_stop()).transcript()
    device = SimulatedDr05(module_waits_s=0.003)
    outcome = play(script, device)
    assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])
    assert max(entry.output_percent for entry in device.trace) == 40.0
    assert_never_beyond_the_protocol(device)


def test_an_answer_that_comes_much_later_than_recorded_does_not_make_the_next_rise_forbidden() -> None:
    script = Talk().started().risen(4, wait_s=22 * BYTE_S + STEP_S).echoed(total_stop()).transcript()
    device = SimulatedDr05(module_waits_s=0.08)
    outcome = play(script, device, Rules(tolerance_s=None))
    assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])
    assert_never_beyond_the_protocol(device)


def test_faster_than_life_the_walls_own_jitter_makes_no_rise_come_too_soon() -> None:
    script = Talk().started().risen(3, wait_s=0.05).transcript()  # 73 ms too soon, 18 of the wall's at this speed
    rules = Rules(tolerance_s=None)
    assert any("the next rise is allowed in" in text for text in texts(play(script, SimulatedDr05(), rules)))
    device = SimulatedDr05()
    outcome = run(replay_as_central(script, device, rules), speed=4.0)
    assert texts(outcome) == []
    assert_never_beyond_the_protocol(device)


def test_faster_than_life_the_tolerance_is_of_the_wall() -> None:
    script = plain(
        exchange(0.0, "app", "subscribe"),
        exchange(0.1, "app", "write_command", value=b"go"),
        exchange(0.1, "device", "notification", value=b"go"),
    )
    rules, slow = Rules(tolerance_s=1.0), echo_device(delay_s=3.0)
    assert texts(play(script, slow, rules))[0].startswith("late by 3000.0 ms: exchange 2")
    outcome = run(replay_as_central(script, echo_device(delay_s=3.0), rules), speed=20.0)
    assert texts(outcome) == []


def test_a_write_to_a_descriptor_is_refused() -> None:
    class Described(SimulatedDr05):
        @property
        def radio_details(self) -> object:
            from rig.radio.details import Descriptor, RadioDetails  # noqa: PLC0415

            return RadioDetails(descriptors={UART.characteristic: (Descriptor(uuid("2901"), b"x", writable=True),)})

    device = Described()
    talk = Talk().started()
    described = replace(UART, descriptor=uuid("2901"))
    talk.exchanges.append(replace(exchange(talk.at_s, "app", "write", described, b"y")))
    outcome = play(talk.transcript(), device)
    assert "refused: unknown write; output still on: the protocol never writes the descriptor" in texts(outcome)[-1]
    assert_never_beyond_the_protocol(device)


def test_a_write_to_another_characteristic_of_the_device_is_refused() -> None:
    class WithUpdates(SimulatedDr05):
        @property
        def services(self) -> tuple[Service, ...]:
            update = Characteristic(uuid("fe10"), Property.WRITE | Property.WRITE_WITHOUT_RESPONSE)
            return (*super().services, Service(uuid("fe59"), (update,)))

        def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
            assert characteristic == UART.characteristic, "the update was begun"
            return super().written(characteristic, data, now)

    device = WithUpdates()
    talk = Talk().started()
    talk.exchanges.append(exchange(talk.at_s, "app", "write_command", Place(uuid("fe59"), uuid("fe10")), total_stop()))
    outcome = play(talk.transcript(), device)
    assert texts(outcome)[-1].startswith("refused: unknown write; output still on")
    assert_never_beyond_the_protocol(device)


def test_an_app_that_unsubscribes_cannot_make_the_guard_deaf() -> None:
    device = SimulatedDr05()
    talk = Talk().started()
    talk.exchanges.append(exchange(talk.at_s, "app", "unsubscribe", UART))
    talk.at_s += 0.1
    outcome = play(talk.transcript(), device)
    assert outcome.verdict is Verdict.PASSED
    assert device.trace[-1].cause == "total stop"
    # The greeting's, the recording's and the last one, which was heard to be acknowledged: it is not repeated.
    assert [arrival.frame for arrival in device.arrivals].count(total_stop()) == 3
    assert_never_beyond_the_protocol(device)


frames = st.one_of(
    st.sampled_from([total_stop(), stop(), start(), MAKERS_TOTAL_STOP, request(GET, 0x41), request(SET, 0x0D, 2)]),
    st.integers(0, 12).map(level),
    st.binary(max_size=20),
    st.builds(lambda a, b: a + b, st.sampled_from([level(1), start()]), st.sampled_from([start(), level(60)])),
)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(frames, st.sampled_from([0.0, 0.01, 0.03, 0.09, 0.12, 0.3])), max_size=12),
    st.integers(0, 6),
    st.sampled_from([1.0, 2.0, 10.0]),
    st.integers(0, 8),
)
def test_whatever_is_recorded_the_device_never_leaves_what_the_protocol_allows(
    writes: list[tuple[bytes, float]], risen: int, speed: float, lost: int
) -> None:
    device = SimulatedDr05()
    if lost:
        device.lose_reply(2 + lost)
    talk = Talk().started().risen(risen)
    for data, wait_s in writes:
        talk.write(data, wait_s=wait_s)
    play(talk.transcript(), device, Rules(speed=speed, patience_s=1.0))
    assert_never_beyond_the_protocol(device)


# --- what can go wrong meanwhile --------------------------------------------------------------------------------------


def test_a_device_that_does_not_answer_the_greeting_hears_nothing_of_the_recording() -> None:
    device = SimulatedDr05()
    device.set_silent(silent=True, now=0.0)
    outcome = play(Talk().started().transcript(), device)
    assert outcome.verdict is Verdict.INVALID
    assert texts(outcome)[0].startswith("precondition: the device did not say its version")
    assert level(1) not in [arrival.frame for arrival in device.arrivals]


def test_a_device_that_falls_silent_while_it_is_on_is_hung_up_on() -> None:
    device = SimulatedDr05()

    async def scenario() -> Outcome:
        loop = asyncio.get_running_loop()
        loop.call_later(1.3, lambda: device.set_silent(silent=True, now=loop.time()))
        return await replay_as_central(Talk().started().risen(30).transcript(), device)

    outcome = run(scenario())
    assert outcome.verdict is Verdict.FAILED
    assert device.trace[-1].cause == "link lost"
    assert device.trace[-1].output_percent == 0.0


def test_a_device_that_is_switched_off_and_on_ends_the_replay() -> None:
    device = SimulatedDr05()

    async def scenario() -> Outcome:
        loop = asyncio.get_running_loop()
        loop.call_later(1.3, lambda: device.power_cycle(loop.time()))
        return await replay_as_central(Talk().started().risen(30).transcript(), device)

    outcome = run(scenario())
    assert outcome.verdict is Verdict.FAILED
    assert device.trace[-1].output_percent == 0.0


@pytest.mark.parametrize("after_s", [0.05, 0.3, 0.9, 1.25, 1.31, 2.0])
def test_a_replay_that_is_cancelled_stops_the_device_first(after_s: float) -> None:
    device = SimulatedDr05()

    async def scenario() -> None:
        task = asyncio.create_task(replay_as_central(Talk().started().risen(30).transcript(), device))
        await asyncio.sleep(after_s)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, task.cancel)  # somebody impatient
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scenario())
    assert_never_beyond_the_protocol(device)


def test_a_replay_that_is_paused_and_forgotten_is_stopped_in_the_end() -> None:
    device = SimulatedDr05()
    script = Talk().started().risen(5).echoed(total_stop()).transcript()

    async def scenario() -> Outcome:
        pacer = Pacer(Schedule.of(script))
        asyncio.get_running_loop().call_later(1.3, pacer.pause)
        return await replay_as_central(script, device, pacer=pacer)

    outcome = run(scenario())
    assert outcome.verdict is Verdict.FAILED
    assert texts(outcome)[0].startswith("stopped: the output has been on for 1200 s without a stop")
    assert_never_beyond_the_protocol(device)


def test_a_replay_that_is_moved_ends_with_a_stop() -> None:
    device = SimulatedDr05()
    script = Talk().started().risen(20).transcript()

    async def scenario() -> Outcome:
        pacer = Pacer(Schedule.of(script))
        asyncio.get_running_loop().call_later(1.3, pacer.seek, len(script.exchanges) - 2)
        return await replay_as_central(script, device, pacer=pacer)

    outcome = run(scenario())
    assert outcome.verdict is Verdict.FAILED
    assert_never_beyond_the_protocol(device)


# --- another device, another protocol ---------------------------------------------------------------------------------

PULSE = Place(uuid("fff0"), CONTROL)


def foreo_script(*levels: tuple[float, int], motor: int = 0, does: str = "write") -> Transcript:
    return plain(
        *(
            exchange(at_s, "app", does, PULSE, bytes((1, motor, step)), answered_s=0.0)  # type: ignore[arg-type]
            for at_s, step in levels
        ),
        name="BEAR2",
        protocol="foreo",
    )


def test_a_device_without_a_level_of_its_own_starts_at_its_lowest_step() -> None:
    device = SimulatedForeo("BEAR2")
    outcome = play(foreo_script((0.1, 1), (1.2, 2), (2.4, 3), (3.0, 0)), device)
    assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])
    assert [entry.output_percent for entry in device.trace] == [10.0, 20.0, 30.0, 0.0]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (foreo_script((0.1, 2)), "at most the lowest"),
        (foreo_script((0.1, 1), (0.5, 2)), "the next rise is allowed in"),
        (foreo_script((0.1, 1), (1.5, 4)), "more than one step"),
        (foreo_script((0.1, 1), motor=1), "other bytes"),
        (foreo_script((0.1, 1), does="write_command"), "written without response"),
        (foreo_script((0.1, 11)), "unknown write"),
    ],
)
def test_the_guard_holds_for_another_protocol_too(script: Transcript, why: str) -> None:
    device = SimulatedForeo("BEAR2", keeps_pulsating=True)
    outcome = play(script, device)
    assert any(why in text for text in texts(outcome)), texts(outcome)
    assert all(entry.output_percent <= 10.0 for entry in device.trace)
    assert device.output_percent(10.0) == 0.0


def test_a_device_that_keeps_on_without_its_link_is_told_of() -> None:
    device = SimulatedForeo("BEAR2", keeps_pulsating=True)

    async def scenario() -> Outcome:
        async def go_away() -> None:
            await asyncio.sleep(0.6)
            await radios[0].peripherals[0].hang_up()

        radios: list[VirtualRadio] = []
        made = VirtualRadio.add_device

        async def add_device(self: VirtualRadio, *args: object, **kwargs: object) -> object:
            radios.append(self)
            return await made(self, *args, **kwargs)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(VirtualRadio, "add_device", add_device)
            task = asyncio.create_task(go_away())
            outcome = await replay_as_central(foreo_script((0.1, 1), (3.0, 0)), device)
            await task
        return outcome

    outcome = run(scenario())
    assert outcome.verdict is Verdict.FAILED
    assert "its output may still be on; switch it off by hand" in texts(outcome)[-1]


def test_a_recording_of_another_device_is_not_played() -> None:
    device = SimulatedForeo("BEAR2")
    outcome = play(Talk().started().transcript(), device)
    assert outcome.verdict is Verdict.INVALID
    assert "the recording speaks dr05 and the device BEAR2 speaks foreo" in texts(outcome)[0]
    assert device.trace == ()


# --- real devices -----------------------------------------------------------------------------------------------------


def test_a_real_device_is_not_touched_without_consent() -> None:
    with pytest.raises(ConsentError, match="take it off the skin"):
        run(replay_on_device(Talk().started().transcript(), "C0:00:00:00:00:01", consent=False))


@pytest.mark.parametrize("speed", [float("inf"), 10.0])
def test_a_real_device_is_not_played_to_in_any_time_but_the_real_one(speed: float) -> None:
    async def scenario() -> None:
        with pytest.raises(Exception, match="in real time alone"):
            await replay_on_device(Talk().started().transcript(), "C0:00:00:00:00:01", consent=True)

    run(scenario(), speed=speed)


def as_if_real(device: SimulatedDevice, script: Transcript, address: str | None = None) -> Outcome:
    """Play over the virtual radio in real time, as to a real device."""

    async def scenario() -> Outcome:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(device)
            return await replay_on_device(
                script,
                address or peripheral.address,
                consent=True,
                scanner_backend=radio.scanner_backend,
                client_backend=radio.client_backend,
            )

    return asyncio.run(scenario())


def test_a_real_device_is_played_to_through_the_guard() -> None:
    device = SimulatedDr05()
    outcome = as_if_real(device, Talk().started().write(MAKERS_TOTAL_STOP).transcript())
    assert texts(outcome)[0].startswith("refused: checksum byte order; output still on")
    assert_never_beyond_the_protocol(device)


def test_a_real_device_that_no_protocol_knows_hears_nothing() -> None:
    device = echo_device()
    outcome = as_if_real(device, plain(exchange(0.0, "app", "write_command", value=b"x"), protocol="dr05"))
    assert outcome.verdict is Verdict.INVALID
    assert "no protocol knows the device Echo" in texts(outcome)[0]
    assert device.writes == []


def test_a_simulated_device_that_no_protocol_knows_is_played_to_as_it_is() -> None:
    device = echo_device()
    script = plain(
        exchange(0.0, "app", "subscribe"),
        exchange(0.1, "app", "write_command", value=b"x"),
        exchange(0.1, "device", "notification", value=b"x"),
    )
    assert play(script, device).verdict is Verdict.PASSED
