"""A transcript as the device: what it says and when, and what it says about an app that does something else."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner

from protocols.gatt import Characteristic, Property, Service, uuid
from rig.clock import run
from rig.devices.model import Answer, AnswerLater, AttError, DeviceAction, Hangup, Notify
from rig.radio.bleak_backend import HciRadio
from rig.radio.delay_laws import Fixed
from rig.radio.fault_plan import Delay, FaultPlan
from rig.radio.faults import FaultyDevice
from rig.radio.link import VirtualRadio
from rig.replay.app import AppPlayer
from rig.replay.exchanges import By, Does, Exchange, Place, Transcript
from rig.replay.from_capture import from_capture
from rig.replay.outcome import Outcome, Verdict
from rig.replay.pacing import Pacer
from rig.replay.peripheral import TranscriptDevice, replay_as_peripheral, serve_as_peripheral
from rig.replay.schedule import Gaps, Schedule
from tests.rig.test_hci_transport import dongles

CAPTURES = Path(__file__).parents[2] / "captures"
WRITE, NOTIFY, READ, OTHER = uuid("ffe1"), uuid("ffe2"), uuid("ffe3"), uuid("ffe4")
SERVICE = uuid("ffe0")
DESCRIPTION = uuid("2901")
CONTROL, STATUS, STATE, SECOND = (Place(SERVICE, name) for name in (WRITE, NOTIFY, READ, OTHER))
SERVICES = (
    Service(
        SERVICE,
        (
            Characteristic(WRITE, Property.WRITE | Property.WRITE_WITHOUT_RESPONSE),
            Characteristic(NOTIFY, Property.NOTIFY),
            Characteristic(READ, Property.READ),
            Characteristic(OTHER, Property.WRITE | Property.NOTIFY),
        ),
    ),
)


def exchange(
    at_ms: float,
    by: By,
    does: Does,
    to: Place | None = None,
    value: str | None = None,
    *,
    answered_ms: float | None = None,
    error: int | None = None,
) -> Exchange:
    return Exchange(
        round(at_ms * 1e6),
        by,
        does,
        to,
        None if value is None else bytes.fromhex(value),
        None if answered_ms is None else round(answered_ms * 1e6),
        error,
    )


def transcript(*exchanges: Exchange, services: tuple[Service, ...] = SERVICES) -> Transcript:
    return Transcript("a conversation", exchanges, services, name="Echo")


CONVERSATION = transcript(
    exchange(0, "app", "connect"),
    exchange(100, "app", "subscribe", STATUS, answered_ms=5),
    exchange(200, "app", "write_command", CONTROL, "55aa0301"),
    exchange(222.9, "device", "notification", STATUS, "55aa0381"),
    exchange(400, "app", "write_command", CONTROL, "55aa0402"),
    exchange(422, "device", "notification", STATUS, "55aa0482"),
    exchange(600, "app", "write", CONTROL, "55aa0503", answered_ms=12),
    exchange(622, "device", "notification", STATUS, "55aa0583"),
    exchange(900, "app", "write_command", CONTROL, "55aa0600"),
)


def without(*indices: int) -> Transcript:
    left = tuple(e for index, e in enumerate(CONVERSATION.exchanges) if index not in indices)
    return replace(CONVERSATION, exchanges=left)


def say(device: TranscriptDevice) -> tuple[DeviceAction, ...]:
    """What the device says when it is due."""
    assert device.deadline is not None
    return device.deadline_passed(device.deadline)


def told(outcome: Outcome) -> list[str]:
    return [difference.text for difference in outcome.differences]


def replay(app: Transcript, device: Transcript = CONVERSATION, **options: object) -> Outcome:
    return run(replay_as_peripheral(device, app=app, **options))  # type: ignore[arg-type]


# --- the device by itself ---------------------------------------------------------------------------------------------


def test_a_notification_keeps_its_distance_to_the_write_that_it_follows() -> None:
    device = TranscriptDevice(CONVERSATION)
    device.connected(10.0)
    with pytest.raises(AnswerLater):
        device.subscribed(NOTIFY, enabled=True, now=10.4)
    assert device.deadline == pytest.approx(10.405)
    assert say(device) == (Answer(),)

    assert device.write_arrived(WRITE, bytes.fromhex("55aa0301"), 10.7, with_response=False) == ()
    assert device.deadline == pytest.approx(10.7229)
    assert device.deadline_passed(10.7) == ()
    assert say(device) == (Notify(NOTIFY, bytes.fromhex("55aa0381")),)
    assert device.deadline is None


def test_a_stream_keeps_to_the_write_before_it_and_does_not_drift_when_the_clock_is_late() -> None:
    pushed = [exchange(100 + 10 * n, "device", "notification", STATUS, f"{n:02x}") for n in range(1, 101)]
    device = TranscriptDevice(
        transcript(
            exchange(0, "app", "subscribe", STATUS), exchange(100, "app", "write_command", CONTROL, "01"), *pushed
        )
    )
    device.connected(0.0)
    device.subscribed(NOTIFY, enabled=True, now=0.0)
    device.write_arrived(WRITE, b"\1", 0.1, with_response=False)
    for n in range(1, 101):
        assert device.deadline == pytest.approx(0.1 + 0.01 * n)
        assert len(device.deadline_passed(0.1 + 0.01 * n + 0.003)) == 1
    assert len(device.lateness.samples_ns) == 100
    assert device.lateness.quantile_ns(0.5) == pytest.approx(3e6, abs=10)


def test_what_was_said_unprompted_keeps_its_distance_to_the_connection() -> None:
    device = TranscriptDevice(
        transcript(exchange(0, "app", "connect"), exchange(1500, "device", "disconnect"), services=())
    )
    assert device.deadline is None
    device.connected(7.0)
    assert device.deadline == pytest.approx(8.5)
    assert device.deadline_passed(8.5) == (Hangup(),)
    device.disconnected(8.5)
    assert device.outcome(8.5).verdict is Verdict.PASSED


def test_a_read_gives_the_recorded_values_one_after_the_other_when_they_were_given() -> None:
    device = TranscriptDevice(
        transcript(
            exchange(0, "app", "read", STATE, "0a", answered_ms=30),
            exchange(100, "app", "read", STATE, "0b"),
            exchange(200, "app", "read", STATE, error=0x05, answered_ms=0),
        )
    )
    device.connected(0.0)
    with pytest.raises(AnswerLater):
        device.read(READ, 0.0)
    assert device.deadline_passed(0.03) == (Answer(b"\x0a"),)
    assert device.read(READ, 0.1) == b"\x0b"
    with pytest.raises(AttError) as refused:
        device.read(READ, 0.2)
    assert refused.value.code == 0x05
    assert device.outcome(0.2).verdict is Verdict.PASSED


def test_a_refused_write_is_refused_again_and_as_late() -> None:
    device = TranscriptDevice(transcript(exchange(0, "app", "write", CONTROL, "01", error=0x80, answered_ms=20)))
    device.connected(0.0)
    with pytest.raises(AnswerLater):
        device.write_arrived(WRITE, b"\1", 0.0, with_response=True)
    assert device.deadline_passed(0.02) == (Answer(error=0x80),)


def test_to_what_is_not_recorded_the_device_says_unlikely_error_and_goes_on() -> None:
    device = TranscriptDevice(CONVERSATION)
    device.connected(0.0)
    with pytest.raises(AttError) as refused:
        device.write_arrived(OTHER, b"\1", 0.05, with_response=True)
    assert refused.value.code == 0x0E
    with pytest.raises(AnswerLater):
        device.subscribed(NOTIFY, enabled=True, now=0.1)


def test_a_request_without_an_answer_before_the_link_went_has_none() -> None:
    device = TranscriptDevice(
        transcript(exchange(0, "app", "write", CONTROL, "01"), exchange(500, "device", "disconnect"))
    )
    device.connected(0.0)
    with pytest.raises(AnswerLater):
        device.write_arrived(WRITE, b"\1", 0.0, with_response=True)
    assert device.deadline_passed(0.5) == (Hangup(),)


def test_a_write_whose_kind_nobody_tells_is_taken_for_the_recorded_one() -> None:
    device = TranscriptDevice(transcript(exchange(0, "app", "write_command", CONTROL, "01")))
    device.connected(0.0)
    assert device.written(WRITE, b"\1", 0.0) == ()
    assert device.outcome(0.0).verdict is Verdict.PASSED


def test_speed_and_gaps_shorten_what_is_waited_for() -> None:
    slow = transcript(
        exchange(0, "app", "write_command", CONTROL, "01"), exchange(8000, "device", "disconnect"), services=()
    )
    for device, due in (
        (TranscriptDevice(slow, speed=4.0), 2.0),
        (TranscriptDevice(slow, gaps=Gaps(cap_s=1.0)), 1.0),
        (TranscriptDevice(slow, gaps=Gaps(cut_s=1.0)), 0.0),
    ):
        device.connected(5.0)
        device.write_arrived(WRITE, b"\1", 6.0, with_response=False)
        assert device.deadline == pytest.approx(6.0 + due)


def test_a_recording_from_the_middle_begins_once_the_app_has_subscribed_to_what_it_was_subscribed_to() -> None:
    device = TranscriptDevice(transcript(exchange(250, "device", "notification", STATUS, "01")))
    device.connected(1.0)
    assert device.deadline is None
    device.subscribed(NOTIFY, enabled=True, now=3.0)
    assert device.deadline == pytest.approx(3.25)
    assert device.deadline_passed(3.25) == (Notify(NOTIFY, b"\1"),)
    assert device.outcome(4.0).verdict is Verdict.PASSED


def test_a_subscription_that_changes_nothing_need_not_be_repeated() -> None:
    device = TranscriptDevice(
        transcript(
            exchange(0, "app", "subscribe", STATUS),
            exchange(10, "app", "subscribe", STATUS),
            exchange(20, "app", "write_command", CONTROL, "01"),
        )
    )
    device.connected(0.0)
    device.subscribed(NOTIFY, enabled=True, now=0.0)
    device.write_arrived(WRITE, b"\1", 0.02, with_response=False)
    outcome = device.outcome(0.02)
    assert outcome.verdict is Verdict.PASSED
    assert outcome.exchanges == 3
    assert device.is_complete


def test_two_characteristics_may_cross_each_other_where_order_is_by_characteristic_only() -> None:
    recorded = transcript(
        exchange(0, "app", "write_command", CONTROL, "01"), exchange(1, "app", "write_command", SECOND, "02")
    )
    verdicts = {}
    for order in ("strict", "by-characteristic"):
        device = TranscriptDevice(recorded, order=order)  # type: ignore[arg-type]
        device.connected(0.0)
        device.write_arrived(OTHER, b"\2", 0.0, with_response=False)
        device.write_arrived(WRITE, b"\1", 0.001, with_response=False)
        verdicts[order] = device.outcome(0.001).verdict
    assert verdicts == {"strict": Verdict.FAILED, "by-characteristic": Verdict.PASSED}


def test_an_app_that_does_not_wait_for_what_it_waited_for_is_told_what_it_overtook() -> None:
    device = TranscriptDevice(CONVERSATION)
    device.connected(0.0)
    with pytest.raises(AnswerLater):
        device.subscribed(NOTIFY, enabled=True, now=0.1)
    device.deadline_passed(0.105)
    device.write_arrived(WRITE, bytes.fromhex("55aa0301"), 0.2, with_response=False)
    device.write_arrived(WRITE, bytes.fromhex("55aa0402"), 0.21, with_response=False)
    while (due := device.deadline) is not None:
        device.deadline_passed(due)
    texts = [difference.text for difference in device.outcome(1.0).differences]
    assert texts[0] == (
        "swapped: exchange 4, app writes without response ffe0/ffe1: 55 aa 04 02, came before exchange 3, "
        "device notifies ffe0/ffe2: 55 aa 03 81; recorded the other way round"
    )


def test_an_app_that_leaves_early_is_told_what_is_left_over() -> None:
    device = TranscriptDevice(CONVERSATION)
    device.connected(0.0)
    device.disconnected(0.5)
    texts = [difference.text for difference in device.outcome(0.5).differences]
    assert any(text.startswith("left over at the end: exchange 1, app subscribes to ffe0/ffe2") for text in texts)
    assert any("4 more of the app's after it" in text for text in texts)


def test_a_device_that_an_app_leaves_before_its_last_word_says_so() -> None:
    recorded = transcript(exchange(0, "app", "subscribe", STATUS), exchange(50, "device", "notification", STATUS, "01"))
    device = TranscriptDevice(recorded)
    device.connected(0.0)
    device.subscribed(NOTIFY, enabled=True, now=0.0)
    outcome = device.outcome(0.02)
    assert [difference.kind for difference in outcome.differences] == ["left over"]
    assert outcome.conversation[-1].mark == "-"


def test_it_puts_out_nothing() -> None:
    device = TranscriptDevice(CONVERSATION)
    assert device.output_percent(0.0) == 0.0
    assert device.trace == ()


# --- against an app ---------------------------------------------------------------------------------------------------


def test_the_recorded_app_gets_through_on_time() -> None:
    outcome = replay(CONVERSATION)
    assert outcome.differences == []
    assert outcome.verdict is Verdict.PASSED
    assert outcome.exchanges == len(CONVERSATION.exchanges)
    assert {line.mark for line in outcome.conversation} == {" "}
    assert len(outcome.lateness.samples_ns) == 5  # three notifications, the answers to subscription and write
    assert outcome.lateness.quantile_ns(1.0) == 0


def test_a_changed_byte_is_named() -> None:
    changed = replace(CONVERSATION.exchanges[4], value=bytes.fromhex("55aa0412"))
    app = replace(CONVERSATION, exchanges=(*CONVERSATION.exchanges[:4], changed, *CONVERSATION.exchanges[5:]))
    outcome = replay(app)
    assert told(outcome) == [
        (
            "different from exchange 4, app writes without response ffe0/ffe1: 55 aa 04 02, recorded at 0.400 s: "
            "byte 3 is 12, recorded 02"
        )
    ]
    assert [line.mark for line in outcome.conversation].count("+") == 1


def test_a_missing_exchange_is_named() -> None:
    outcome = replay(without(6, 7))
    assert told(outcome) == ["missing: exchange 6, app writes ffe0/ffe1: 55 aa 05 03, recorded at 0.600 s"]
    assert outcome.differences[0].index == 6
    assert [line.text for line in outcome.conversation if line.mark == "-"] == [
        "app writes ffe0/ffe1: 55 aa 05 03",
        "device notifies ffe0/ffe2: 55 aa 05 83",
    ]
    assert "".join(line.mark for line in outcome.conversation) == "      -- "


def test_an_app_that_waits_for_the_answer_to_what_it_did_not_do_is_told_what_it_did_not_do() -> None:
    assert told(replay(without(6))) == [
        (
            "left over at the end: exchange 6, app writes ffe0/ffe1: 55 aa 05 03, recorded at 0.600 s; "
            "1 more of the app's after it"
        )
    ]


def test_a_swapped_pair_is_named() -> None:
    exchanges = list(CONVERSATION.exchanges)
    exchanges[2] = replace(exchanges[2], value=CONVERSATION.exchanges[4].value)
    exchanges[4] = replace(exchanges[4], value=CONVERSATION.exchanges[2].value)
    outcome = replay(replace(CONVERSATION, exchanges=tuple(exchanges)))
    assert told(outcome) == [
        (
            "swapped: exchange 4, app writes without response ffe0/ffe1: 55 aa 04 02, came before exchange 2, "
            "app writes without response ffe0/ffe1: 55 aa 03 01; recorded the other way round"
        )
    ]


def test_an_exchange_that_is_60_ms_slower_is_named() -> None:
    exchanges = list(CONVERSATION.exchanges)
    exchanges[4] = replace(exchanges[4], at_ns=exchanges[4].at_ns + 60_000_000)
    exchanges[5] = replace(exchanges[5], at_ns=exchanges[5].at_ns + 60_000_000)
    app = replace(CONVERSATION, exchanges=tuple(exchanges))
    outcome = replay(app)
    assert told(outcome) == [
        (
            "late by 60.0 ms: exchange 4, app writes without response ffe0/ffe1: 55 aa 04 02, recorded at 0.400 s; "
            "it took 237.1 ms, recorded 177.1 ms"
        )
    ]
    assert replay(app, tolerance_s=0.07).verdict is Verdict.PASSED
    assert replay(app, tolerance_s=None).verdict is Verdict.PASSED


def test_an_extra_write_is_named_with_the_recorded_one_that_comes_nearest() -> None:
    more = exchange(500, "app", "write_command", CONTROL, "55aa0409")
    app = replace(CONVERSATION, exchanges=(*CONVERSATION.exchanges[:6], more, *CONVERSATION.exchanges[6:]))
    outcome = replay(app)
    assert len(outcome.differences) == 1
    text = outcome.differences[0].text
    assert text.startswith("extra: app writes without response ffe0/ffe1: 55 aa 04 09; the nearest recorded is")
    assert "exchange 4, app writes without response ffe0/ffe1: 55 aa 04 02" in text
    assert "byte 3 is 09, recorded 02" in text


def test_an_exchange_done_twice_is_an_extra_one() -> None:
    again = replace(CONVERSATION.exchanges[4], at_ns=500_000_000)
    app = replace(CONVERSATION, exchanges=(*CONVERSATION.exchanges[:6], again, *CONVERSATION.exchanges[6:]))
    outcome = replay(app)
    assert [difference.kind for difference in outcome.differences] == ["extra"]


def test_a_write_with_a_response_instead_of_one_without_is_named() -> None:
    exchanges = list(CONVERSATION.exchanges)
    exchanges[8] = replace(exchanges[8], does="write")
    outcome = replay(replace(CONVERSATION, exchanges=tuple(exchanges)))
    assert [difference.kind for difference in outcome.differences] == ["different"]
    assert "it writes, recorded writes without response" in outcome.differences[0].text


def test_what_was_played_is_a_transcript_with_the_times_of_the_replay() -> None:
    device = TranscriptDevice(transcript(exchange(0, "app", "read", STATE, "0a", answered_ms=30)))
    device.connected(2.0)
    with pytest.raises(AnswerLater):
        device.read(READ, 2.5)
    device.deadline_passed(2.54)
    assert device.played.exchanges == (exchange(500, "app", "read", STATE, "0a", answered_ms=40),)


def test_one_uuid_twice_in_a_service_is_told_apart_on_the_radio() -> None:
    first, second = (Place(SERVICE, NOTIFY, nth=nth) for nth in (0, 1))
    known = Characteristic(NOTIFY, Property.NOTIFY | Property.WRITE_WITHOUT_RESPONSE)
    twice = transcript(
        exchange(0, "app", "subscribe", second),
        exchange(50, "app", "write_command", first, "01"),
        exchange(70, "device", "notification", second, "02"),
        exchange(90, "app", "write_command", second, "03"),
        services=(Service(SERVICE, (known, known)),),
    )
    assert replay(twice, twice).differences == []


def test_descriptors_are_part_of_the_conversation() -> None:
    described = replace(STATUS, descriptor=DESCRIPTION)
    recorded = transcript(
        exchange(0, "app", "read", described, "4142", answered_ms=10),
        exchange(50, "app", "write", described, "43", answered_ms=10),
    )
    assert replay(recorded, recorded).differences == []
    wrong = replace(recorded, exchanges=(recorded.exchanges[0], replace(recorded.exchanges[1], value=b"D")))
    assert [difference.kind for difference in replay(wrong, recorded).differences] == ["different"]


def test_a_recording_without_discovery_plays_on_services_made_from_its_exchanges() -> None:
    recorded = replace(CONVERSATION, services=())
    assert replay(recorded, recorded).differences == []


def test_a_long_value_is_one_read() -> None:
    value = bytes(range(256)).hex()
    recorded = replace(
        transcript(exchange(0, "app", "read", STATE, value, answered_ms=10), exchange(100, "app", "read", STATE, "01")),
        mtu=23,
    )
    assert replay(recorded, recorded).differences == []


def test_the_answer_to_a_request_comes_over_the_radio_when_it_came_in_the_recording() -> None:
    async def ask() -> tuple[float, float]:
        recorded = transcript(exchange(0, "app", "write", CONTROL, "01", answered_ms=250))
        async with VirtualRadio(1) as radio:
            peripheral = await radio.add_device(TranscriptDevice(recorded))
            found = await BleakScanner.find_device_by_address(peripheral.address, backend=radio.scanner_backend)
            assert found is not None
            async with BleakClient(found, backend=radio.client_backend) as client:
                clock = asyncio.get_running_loop().time
                asked = clock()
                await client.write_gatt_char(WRITE, b"\1", response=True)
                return asked, clock()

    asked, answered = run(ask())
    assert answered - asked == pytest.approx(0.25)


def test_a_replay_on_the_wall_clock_is_as_complete() -> None:
    short = replace(CONVERSATION, exchanges=tuple(replace(e, at_ns=e.at_ns // 10) for e in CONVERSATION.exchanges))
    outcome = run(replay_as_peripheral(short, tolerance_s=None), speed=1.0)
    assert outcome.differences == []
    assert len(outcome.lateness.samples_ns) == 5
    assert min(outcome.lateness.samples_ns) >= 0


def test_faster_than_life_tolerance_and_lateness_are_those_of_the_wall() -> None:
    outcome = run(replay_as_peripheral(CONVERSATION, tolerance_s=10.0), speed=20.0)
    assert outcome.differences == []
    assert len(outcome.lateness.samples_ns) == 5


@pytest.mark.parametrize(
    ("name", "link", "least"),
    [
        ("BLETools__btsnoop_hci.log", None, 400),
        ("bj_led__btsnoop_hci.full.log", None, 100),
        ("pongbot-mcp__btsnoop_hci.log.last.gz", 1, 30),
        ("pongbot-mcp__btsnoop_hci.log.last.gz", 2, 190),
        ("pongbot-mcp__btsnoop_hci.log.last.gz", 3, 230),
        ("esphome-jbd-bms__JBD-SP04S034L4S200A-btsnoop_hci.log", None, 50),
        ("idealLED__set_collection.pcapng.gz", None, 140),
        ("ctf-usb-keyboard-parser__rgbctf2020_PI_1_MagicInTheAir", None, 1100),
    ],
)
def test_a_real_capture_replays_complete_and_to_the_microsecond(name: str, link: int | None, least: int) -> None:
    recorded = from_capture(CAPTURES / name, link=link, skip_unnamed=True)
    outcome = run(replay_as_peripheral(recorded))
    assert outcome.differences == []
    assert outcome.exchanges == len(recorded.exchanges) >= least
    assert (outcome.lateness.quantile_ns(1.0) or 0) <= 1000
    assert math.isclose(outcome.duration_s, recorded.exchanges[-1].at_ns / 1e9, abs_tol=0.1)


def test_a_planned_fault_shows_as_what_it_did() -> None:
    plan = FaultPlan(faults=(Delay(name="slow", direction="to_device", time=Fixed(seconds=0.06), nth=(2,)),), seed=1)
    outcome = run(replay_as_peripheral(CONVERSATION, faults=plan))
    assert outcome.faults == {"slow": 1}
    assert outcome.verdict is Verdict.FAILED
    assert [difference.kind for difference in outcome.differences] == ["late"]


def test_a_replay_in_which_a_planned_fault_never_happened_says_nothing() -> None:
    plan = FaultPlan(faults=(Delay(name="slow", direction="to_device", time=Fixed(seconds=0.06), nth=(99,)),), seed=1)
    outcome = run(replay_as_peripheral(CONVERSATION, faults=plan))
    assert outcome.verdict is Verdict.INVALID
    assert outcome.exit_code == 3
    assert [difference.kind for difference in outcome.differences] == ["fault"]


def test_a_device_on_an_hci_transport_ends_when_all_that_is_recorded_has_happened() -> None:
    async def serve() -> Outcome:
        short = replace(CONVERSATION, exchanges=tuple(replace(e, at_ns=e.at_ns // 10) for e in CONVERSATION.exchanges))
        device = TranscriptDevice(short, tolerance_s=None)
        async with dongles(2) as (device_dongle, app_dongle), HciRadio(app_dongle) as radio:
            serving = asyncio.ensure_future(serve_as_peripheral(device, device_dongle, linger_s=0.05))
            found = await BleakScanner.find_device_by_name("Echo", backend=radio.scanner_backend)
            assert found is not None
            async with BleakClient(found, backend=radio.client_backend) as client:
                await AppPlayer(short).play(client, Pacer(Schedule.of(short)))
                return await serving

    outcome = asyncio.run(serve())
    assert outcome.differences == []
    assert len(outcome.lateness.samples_ns) == 5


def test_a_device_on_an_hci_transport_gives_an_app_up_that_stays_silent() -> None:
    async def serve() -> Outcome:
        device = TranscriptDevice(CONVERSATION)
        async with dongles(2) as (device_dongle, app_dongle), HciRadio(app_dongle) as radio:
            serving = asyncio.ensure_future(serve_as_peripheral(device, device_dongle, patience_s=0.05, linger_s=0.0))
            found = await BleakScanner.find_device_by_name("Echo", backend=radio.scanner_backend)
            assert found is not None
            async with BleakClient(found, backend=radio.client_backend):
                return await serving

    assert [difference.kind for difference in asyncio.run(serve()).differences] == ["left over"]


def test_answers_are_as_much_faster_as_the_replay_is() -> None:
    device = TranscriptDevice(transcript(exchange(0, "app", "read", STATE, "0a", answered_ms=80)), speed=4.0)
    device.connected(0.0)
    with pytest.raises(AnswerLater):
        device.read(READ, 1.0)
    assert device.deadline == pytest.approx(1.02)


def test_an_extra_write_that_was_taken_for_the_next_one_does_not_put_out_of_step_what_follows() -> None:
    device = TranscriptDevice(CONVERSATION)
    device.connected(0.0)
    with pytest.raises(AnswerLater):
        device.subscribed(NOTIFY, enabled=True, now=0.1)
    said = list(say(device))
    for at_s, value in ((0.15, "55aa0309"), (0.2, "55aa0301"), (0.4, "55aa0402")):
        said += device.write_arrived(WRITE, bytes.fromhex(value), at_s, with_response=False)
        if value == "55aa0402":
            assert device.deadline == pytest.approx(0.422)
        while device.deadline is not None:
            said += say(device)
    pushed = [action.data.hex() for action in said if isinstance(action, Notify)]
    assert pushed == ["55aa0381", "55aa0482"]


def test_what_nobody_is_subscribed_to_is_not_said_and_not_counted_as_said() -> None:
    device = TranscriptDevice(
        transcript(
            exchange(0, "app", "subscribe", STATUS),
            exchange(10, "app", "unsubscribe", STATUS),
            exchange(20, "device", "notification", STATUS, "01"),
        )
    )
    device.connected(0.0)
    device.subscribed(NOTIFY, enabled=True, now=0.0)
    device.subscribed(NOTIFY, enabled=False, now=0.01)
    assert say(device) == ()
    outcome = device.outcome(0.1)
    assert outcome.exchanges == 2
    assert [difference.kind for difference in outcome.differences] == ["left over"]


def test_what_is_due_when_the_app_writes_is_said_before() -> None:
    device = TranscriptDevice(
        transcript(
            exchange(0, "app", "subscribe", STATUS),
            exchange(50, "device", "notification", STATUS, "01"),
            exchange(50, "app", "write_command", CONTROL, "02"),
        )
    )
    device.connected(0.0)
    device.subscribed(NOTIFY, enabled=True, now=0.0)
    assert device.write_arrived(WRITE, b"\2", 0.05, with_response=False) == (Notify(NOTIFY, b"\1"),)
    assert device.outcome(0.05).differences == []


def pushing_device(*at_ms: float) -> TranscriptDevice:
    """Subscribed to, and connected at 0: notifies 01, 02 … at those times."""
    pushed = [exchange(at, "device", "notification", STATUS, f"{n:02x}") for n, at in enumerate(at_ms, 1)]
    written = exchange(90, "app", "write_command", CONTROL, "ff")
    device = TranscriptDevice(transcript(exchange(0, "app", "subscribe", STATUS), *pushed, written))
    device.connected(0.0)
    device.subscribed(NOTIFY, enabled=True, now=0.0)
    return device


def test_lateness_is_taken_when_each_word_was_handed_over() -> None:
    device = pushing_device(50, 50, 80)
    device.deadline_passed(0.05)
    device.handed_over([0.051, 0.053])
    device.deadline_passed(0.08)
    assert device.lateness.samples_ns == (1_000_000, 3_000_000, 0)  # the last has not been handed over yet
    device.handed_over([0.08])
    assert device.lateness.samples_ns == (1_000_000, 3_000_000, 0)
    assert [e.at_ns for e in device.played.exchanges if e.by == "device"] == [51_000_000, 53_000_000, 80_000_000]


def test_where_faults_have_come_between_one_time_stands_for_all() -> None:
    device = pushing_device(50, 50)
    device.deadline_passed(0.05)
    device.handed_over([0.052])
    assert device.lateness.samples_ns == (2_000_000, 2_000_000)


def test_behind_faults_lateness_is_taken_where_they_are_handed_over() -> None:
    device = pushing_device(50)
    never = Delay(name="slow", direction="to_app", time=Fixed(seconds=0.06), nth=(99,))
    faulty = FaultyDevice(device, FaultPlan(faults=(never,), seed=1))
    faulty.deadline_passed(0.05)
    faulty.handed_over([0.054, 0.07])
    assert device.lateness.samples_ns == (4_000_000,)


@pytest.mark.parametrize(("speed", "times"), [(200.0, 1), (math.inf, 0)], ids=["on the wall", "in virtual time"])
def test_on_the_wall_a_replay_is_undisturbed_and_its_app_out_of_the_devices_way(
    monkeypatch: pytest.MonkeyPatch, speed: float, times: int
) -> None:
    undisturbed: list[str] = []
    relaxed: list[bool] = []

    class Watched(Pacer):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)  # type: ignore[arg-type]
            relaxed.append(self._relaxed)

    @contextmanager
    def watched() -> Iterator[None]:
        undisturbed.append("begins")
        yield
        undisturbed.append("ends")

    monkeypatch.setattr("rig.replay.pacing.Pacer", Watched)
    monkeypatch.setattr("rig.replay.wall_clock.undisturbed", watched)
    run(replay_as_peripheral(CONVERSATION, tolerance_s=None), speed=speed)
    assert undisturbed == ["begins", "ends"] * times
    assert relaxed == [True]


def test_what_was_said_before_a_write_is_not_taken_for_what_is_handed_over_later() -> None:
    device = pushing_device(50)
    device.write_arrived(WRITE, b"\xff", 0.06, with_response=False)
    device.handed_over([0.5])
    assert device.lateness.samples_ns == (10_000_000,)


def test_an_answer_has_taken_as_long_as_it_took_to_hand_it_over() -> None:
    device = TranscriptDevice(transcript(exchange(0, "app", "read", STATE, "2a", answered_ms=20)))
    device.connected(0.0)
    with pytest.raises(AnswerLater):
        device.read(READ, 0.1)
    assert device.deadline_passed(0.12) == (Answer(b"\x2a"),)
    device.handed_over([0.124])
    assert device.lateness.samples_ns == (pytest.approx(4_000_000, abs=10),)
    assert [e.answered_ns for e in device.played.exchanges] == [pytest.approx(24_000_000, abs=10)]


def test_a_recording_from_the_middle_waits_for_the_last_of_its_subscriptions() -> None:
    device = TranscriptDevice(
        transcript(
            exchange(10, "device", "notification", STATUS, "01"), exchange(20, "device", "notification", SECOND, "02")
        )
    )
    device.connected(0.0)
    device.subscribed(NOTIFY, enabled=True, now=1.0)
    assert device.deadline is None
    device.subscribed(OTHER, enabled=True, now=2.0)
    assert device.deadline == pytest.approx(2.01)


def test_an_app_is_not_late_for_an_answer_that_was() -> None:
    device = TranscriptDevice(
        transcript(
            exchange(0, "app", "read", STATE, "0a", answered_ms=10),
            exchange(30, "app", "write_command", CONTROL, "02"),
        )
    )
    device.connected(0.0)
    with pytest.raises(AnswerLater):
        device.read(READ, 0.0)
    device.deadline_passed(0.11)
    device.write_arrived(WRITE, b"\2", 0.13, with_response=False)
    assert device.outcome(0.13).differences == []
    assert device.lateness.quantile_ns(1.0) == pytest.approx(1e8, abs=10)
