"""A transcript as an OMP device: it lets nobody in who is not paired, and answers with the nonce of the day."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bleak import BleakClient
from bleak.exc import BleakError, BleakGATTProtocolError

from protocols.omp_codec import CONTROL_POINT, FEATURES, TELEMETRY, State
from rig.clock import run
from rig.radio.link import VirtualRadio
from rig.radio.pairing import JUST_WORKS
from rig.replay.exchanges import Transcript
from rig.replay.outcome import Outcome, Verdict
from rig.replay.pairing import pair
from rig.replay.peripheral import TranscriptDevice, replay_as_peripheral
from tests.rig.radio_world import client_for
from tests.rig.replay.omp_talk import KEEP_ALIVE, STEP_S, STOP, Talk, start, target

INSUFFICIENT_AUTHENTICATION, INSUFFICIENT_ENCRYPTION = 0x05, 0x0F


def texts(outcome: Outcome) -> list[str]:
    return [difference.text for difference in outcome.differences]


def session(*, held_s: float = 2.0, rests_s: float = 0.3, nonce: int | None = None) -> Transcript:
    talk = Talk().started().holds(STEP_S).ask(target(40)).tells(State.RUNNING, 40, session=1).holds(held_s).stopped()
    transcript = talk.waits(rests_s).hung_up().transcript()
    if nonce is None:
        return transcript
    drawn = nonce.to_bytes(4, "little")
    exchanges = [*transcript.exchanges]
    for place, one in enumerate(exchanges):
        if one.value is not None and b"\x44\x33\x22\x11" in one.value:
            exchanges[place] = replace(one, value=one.value.replace(b"\x44\x33\x22\x11", drawn))
    return replace(transcript, exchanges=tuple(exchanges))


def play(device: Transcript, app: Transcript | None = None) -> Outcome:
    return run(replay_as_peripheral(device, app=app))


def test_a_session_replays_as_recorded() -> None:
    outcome = play(session())
    assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])


def test_an_app_that_draws_another_nonce_is_the_same_app() -> None:
    outcome = play(session(), session(nonce=0xA5A5A5A5))
    assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])
    # The device has echoed the app's own: else the handshake of the conversation would be none.
    states = outcome.coverage["reached"]
    assert isinstance(states, dict)
    assert states["state"]["running"]


@pytest.mark.parametrize(("more", "passes"), [(-3, False), (-2, True), (-1, True), (1, True), (2, True), (3, False)])
def test_a_few_keep_alives_more_or_fewer_are_the_app_s_own_affair(more: int, passes: bool) -> None:
    transcript = session()
    exchanges = [*transcript.exchanges]
    places = [place for place, one in enumerate(exchanges) if one.value == KEEP_ALIVE][-3:]
    if more < 0:
        gone = {*places[more:], *(place + 1 for place in places[more:])}
        exchanges = [one for place, one in enumerate(exchanges) if place not in gone]
    else:
        for _ in range(more):
            exchanges.insert(places[-1] + 2, exchanges[places[-1]])
    outcome = play(transcript, replace(transcript, exchanges=tuple(exchanges)))
    assert (outcome.verdict is Verdict.PASSED) is passes, texts(outcome)
    if not passes:
        assert "08 dc 05" in texts(outcome)[0]


def test_a_keep_alive_may_change_places_with_a_step_that_is_due_at_the_same_time() -> None:
    transcript = session()
    exchanges = [*transcript.exchanges]
    step = next(place for place, one in enumerate(exchanges) if one.value == target(40))
    kept = step - 2
    assert exchanges[kept].value == KEEP_ALIVE
    exchanges[kept : step + 2] = [*exchanges[step : step + 2], *exchanges[kept:step]]
    outcome = play(transcript, replace(transcript, exchanges=tuple(exchanges)))
    assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])


def test_a_stop_that_is_not_recorded_is_extra_although_another_is_recorded_later() -> None:
    # What the device measures after the later one is said early then, and holds up nothing else that it has to say.
    transcript = session(rests_s=40.0)
    exchanges = [*transcript.exchanges]
    step = next(place for place, one in enumerate(exchanges) if one.value == target(40))
    exchanges.insert(step, replace(exchanges[step], value=STOP))
    outcome = play(transcript, replace(transcript, exchanges=tuple(exchanges)))
    [text] = texts(outcome)
    assert text.startswith("extra: app writes")
    assert "07; the nearest recorded is" in text


def test_a_step_that_is_late_is_named_although_a_keep_alive_has_changed_places_with_it() -> None:
    transcript = session()
    exchanges = [*transcript.exchanges]
    step = next(place for place, one in enumerate(exchanges) if one.value == target(40))
    late_ns = exchanges[step].at_ns + 70_000_000
    moved = [replace(one, at_ns=late_ns) for one in (*exchanges[step : step + 3], *exchanges[step - 2 : step])]
    exchanges[step - 2 : step + 3] = moved
    outcome = play(transcript, replace(transcript, exchanges=tuple(exchanges)))
    assert any(text.startswith("late by 70.0 ms") and "02 28 00" in text for text in texts(outcome)), texts(outcome)


def test_a_start_before_its_turn_is_named() -> None:
    transcript = session()
    exchanges = [*transcript.exchanges]
    first = next(place for place, one in enumerate(exchanges) if one.value == target(20))
    second = next(place for place, one in enumerate(exchanges) if one.value == start())
    for here, there in ((first, second), (second, first)):
        exchanges[here] = replace(transcript.exchanges[here], value=transcript.exchanges[there].value)
    assert any("swapped" in text for text in texts(play(transcript, replace(transcript, exchanges=tuple(exchanges)))))


# --- security ---------------------------------------------------------------------------------------------------------


def test_nobody_is_let_in_who_is_not_paired() -> None:
    async def scenario() -> None:
        device = TranscriptDevice(session())
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio, "OMP") as client:
                assert await refusal(client) == [INSUFFICIENT_ENCRYPTION] * 3

    run(scenario())


def test_a_pairing_in_which_nothing_is_compared_opens_nothing_that_puts_out_current() -> None:
    async def scenario() -> None:
        device = TranscriptDevice(session())
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            radio.adapter.pairing = JUST_WORKS
            async with await client_for(radio, "OMP") as client:
                await client.pair()
                with pytest.raises(BleakGATTProtocolError) as refused:
                    await client.write_gatt_char(CONTROL_POINT, STOP, response=True)
                assert int(refused.value.code) == INSUFFICIENT_AUTHENTICATION

    run(scenario())


def test_who_reads_the_display_is_let_in() -> None:
    async def scenario() -> None:
        device = TranscriptDevice(session())
        shown: list[int] = []
        assert device.display is not None
        device.display.on_show = shown.append
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio, "OMP") as client:
                await pair(client, radio, device)
                assert len(shown) == 1
                assert await client.read_gatt_char(FEATURES)

    run(scenario())


def test_a_device_whose_button_is_not_pressed_is_not_paired() -> None:
    async def scenario() -> None:
        device = TranscriptDevice(session())
        assert device.display is not None
        device.display.agrees = False
        async with VirtualRadio() as radio:
            await radio.add_device(device)
            async with await client_for(radio, "OMP") as client:
                with pytest.raises(BleakError):
                    await pair(client, radio, device)

    run(scenario())


def test_a_device_of_a_protocol_without_pairing_has_no_display() -> None:
    device = TranscriptDevice(Transcript("a test", (), name="Dr-05", protocol="dr05"))
    assert device.display is None
    assert device.radio_details.encrypted == frozenset()


async def refusal(client: BleakClient) -> list[int]:
    """How reading, subscribing and writing are refused."""
    found = []
    for attempt in (
        client.read_gatt_char(FEATURES),
        client.start_notify(TELEMETRY, lambda _there, _data: None),
        client.write_gatt_char(CONTROL_POINT, STOP, response=True),
    ):
        with pytest.raises(BleakGATTProtocolError) as error:
            await attempt
        found.append(int(error.value.code))
    return found
