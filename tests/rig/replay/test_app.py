"""The recorded app on a bleak client: its order, its times, and what ends it early."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from protocols.gatt import uuid
from rig.clock import run
from rig.replay.app import AppPlayer, Done, PlaceMissingError, Played, Received, places_missing, subscribed_before
from rig.replay.exchanges import Place, Transcript
from rig.testing import ScriptedDevice, virtual_radio
from tests.rig.radio_world import client_for, echo_device
from tests.rig.replay.app_world import ECHO, FUSSY, METER, LoopPacer, exchange, transcript


@dataclass
class Seen:
    played: Played
    done: list[Done] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)


def play(device: ScriptedDevice, script: Transcript, *, speed: float = 1.0, patience_s: float = 5.0) -> Seen:
    async def scenario() -> Seen:
        seen = Seen(Played(0))
        player = AppPlayer(script, patience_s=patience_s)
        async with virtual_radio(device) as radio:
            client = await client_for(radio, disconnected_callback=player.link_ended)
            await client.connect()
            seen.played = await player.play(
                client, LoopPacer(script, speed), on_done=seen.done.append, on_received=seen.received.append
            )
            await client.disconnect()
        return seen

    return run(scenario())


def gaps(device: ScriptedDevice) -> list[float]:
    times = [write.time for write in device.writes]
    return [round(after - before, 6) for before, after in pairwise(times)]


def test_plays_every_exchange_in_order_at_its_recorded_time() -> None:
    device = echo_device()
    script = transcript(
        exchange(0.0, "app", "connect", None),
        exchange(0.1, "app", "subscribe"),
        exchange(0.5, "app", "write", value=b"a"),
        exchange(0.5, "device", "notification", value=b"a"),
        exchange(0.75, "app", "write_command", value=b"b"),
        exchange(0.75, "device", "notification", value=b"b"),
        exchange(1.0, "app", "read", METER, b"\x2a"),
        exchange(1.5, "app", "disconnect", None),
    )
    seen = play(device, script)
    assert seen.played == Played(6)
    assert [done.index for done in seen.done] == [0, 1, 2, 4, 6, 7]
    assert [write.data for write in device.writes] == [b"a", b"b"]
    assert gaps(device) == [0.25]
    assert [item.value for item in seen.received] == [b"a", b"b"]
    assert seen.done[4].value == b"\x2a"
    assert all(done.lateness_ns == 0 for done in seen.done)


def test_waits_for_the_device_before_the_turn_that_followed_it() -> None:
    device = echo_device(delay_s=0.4)
    script = transcript(
        exchange(0.0, "app", "subscribe"),
        exchange(0.1, "app", "write_command", value=b"a"),
        exchange(0.15, "device", "notification", value=b"a"),
        exchange(0.2, "app", "write_command", value=b"b"),
        exchange(0.25, "device", "notification", value=b"b"),
    )
    seen = play(device, script)
    assert seen.played == Played(3)
    assert gaps(device) == [0.4]  # not the recorded 0.1
    assert seen.done[-1].lateness_ns == pytest.approx(300_000_000, abs=1000)


def test_says_which_word_of_the_device_never_came() -> None:
    device = ScriptedDevice("Echo")
    device.characteristic("ffe1", "write-without-response notify", service="ffe0")
    script = transcript(
        exchange(0.0, "app", "subscribe"),
        exchange(0.1, "app", "write_command", value=b"a"),
        exchange(0.2, "device", "notification", value=b"a"),
        exchange(0.3, "app", "write_command", value=b"b"),
    )
    seen = play(device, script, patience_s=2.0)
    assert seen.played == Played(2, awaited=2, stopped_at=3, problem="the device did not say it within 2 s")
    assert [write.data for write in device.writes] == [b"a"]


def test_says_that_the_last_word_of_the_device_never_came() -> None:
    device = ScriptedDevice("Echo")
    device.characteristic("ffe1", "write-without-response notify", service="ffe0")
    script = transcript(exchange(0.0, "app", "subscribe"), exchange(0.2, "device", "notification", value=b"a"))
    assert play(device, script).played.awaited == 1


def test_a_link_that_the_device_ends_early_is_told_at_once() -> None:
    device = echo_device()
    device.on_write("ffe1", lambda _data: device.hang_up())
    script = transcript(
        exchange(0.0, "app", "subscribe"),
        exchange(0.1, "app", "write_command", value=b"a"),
        exchange(0.2, "device", "notification", value=b"a"),
        exchange(0.3, "app", "write_command", value=b"b"),
    )
    seen = play(device, script)
    assert seen.played == Played(2, awaited=2, stopped_at=3, problem="the link ended before")


def test_hears_the_end_of_the_link_that_was_recorded() -> None:
    device = echo_device()
    device.on_write("ffe1", lambda _data: device.hang_up(after=0.3))
    script = transcript(exchange(0.1, "app", "write_command", value=b"a"), exchange(0.2, "device", "disconnect", None))
    assert play(device, script).played == Played(1)


def test_misses_the_end_of_the_link_that_was_recorded() -> None:
    script = transcript(exchange(0.1, "app", "write_command", value=b"a"), exchange(0.2, "device", "disconnect", None))
    assert play(echo_device(), script).played.awaited == 1


def test_tells_the_att_error_of_a_refused_write_and_goes_on() -> None:
    script = transcript(
        exchange(0.1, "app", "write", FUSSY, b"a", error=0x80), exchange(0.2, "app", "write", value=b"b")
    )
    seen = play(device := echo_device(), script)
    assert [done.error for done in seen.done] == [0x80, None]
    assert [write.data for write in device.writes][-1] == b"b"


def test_subscribes_first_where_the_recording_begins_in_the_middle() -> None:
    script = transcript(
        exchange(0.1, "app", "write_command", value=b"a"), exchange(0.2, "device", "notification", value=b"a")
    )
    assert subscribed_before(script) == (ECHO,)
    assert [item.value for item in play(echo_device(), script).received] == [b"a"]


def test_plays_nothing_on_a_device_that_lacks_a_characteristic() -> None:
    script = transcript(
        exchange(0.1, "app", "write_command", value=b"a"),
        exchange(0.2, "app", "write_command", Place(uuid("ffe0"), uuid("ffe9")), b"b"),
    )
    device = echo_device()
    with pytest.raises(PlaceMissingError, match="no characteristic 0000ffe9"):
        play(device, script)
    assert device.writes == []


def test_names_every_place_that_a_device_lacks_once() -> None:
    async def missing() -> list[str]:
        lacking = Place(uuid("fff0"), uuid("fff1"))
        second = Place(uuid("ffe0"), uuid("ffe1"), nth=1)
        described = Place(uuid("ffe0"), uuid("ffe1"), uuid("2901"))
        script = transcript(*(exchange(0.0, "app", "read", place) for place in (lacking, lacking, second, described)))
        async with virtual_radio(echo_device()) as radio:
            client = await client_for(radio)
            async with client:
                return places_missing(script, client.services)

    no_service, no_second, no_descriptor = run(missing())
    assert "no service 0000fff0" in no_service
    assert "0000ffe0" in no_service
    assert "number 2" in no_second
    assert "has no 00002901" in no_descriptor


def test_reads_and_writes_descriptors() -> None:
    extra = Place(uuid("ffe0"), uuid("ffe2"), uuid("2b00"))
    script = transcript(
        exchange(0.0, "app", "write", extra, b"\x07", answered_s=0.01), exchange(0.1, "app", "read", extra, b"\x07")
    )
    assert play(echo_device(), script).done[1].value == b"\x07"


def test_an_unsubscribed_device_is_heard_no_longer() -> None:
    device = echo_device()
    script = transcript(
        exchange(0.0, "app", "subscribe"),
        exchange(0.1, "app", "unsubscribe"),
        exchange(0.2, "app", "write_command", value=b"a"),
    )
    assert play(device, script).received == []


@pytest.mark.parametrize(("answered_s", "order"), [(0.05, [b"1", b"2"]), (0.5, [b"1", b"2"])])
def test_a_command_that_crossed_an_unanswered_request_does_not_wait_for_it(
    answered_s: float, order: list[bytes]
) -> None:
    # One packet takes 0.2 s: the answer to the request comes 0.4 s after it.
    async def scenario() -> list[float]:
        device = echo_device()
        script = transcript(
            exchange(0.0, "app", "write", value=b"1", answered_s=answered_s),
            exchange(0.1, "app", "write_command", value=b"2"),
        )
        async with virtual_radio(device, latency_s=0.2) as radio:
            client = await client_for(radio)
            async with client:
                assert await AppPlayer(script).play(client, LoopPacer(script)) == Played(2)
                await asyncio.sleep(1.0)
        assert [write.data for write in device.writes] == order
        return gaps(device)

    assert run(scenario()) == [0.4 if answered_s < 0.1 else 0.1]


def test_a_request_that_is_never_answered_ends_the_play() -> None:
    async def scenario() -> Played:
        device = echo_device()
        script = transcript(exchange(0.5, "app", "write", value=b"1"), exchange(0.6, "app", "write", value=b"2"))
        async with virtual_radio(device) as radio:
            client = await client_for(radio)
            async with client:
                asyncio.get_running_loop().call_later(0.2, radio.peripherals[0].vanish)
                return await AppPlayer(script, patience_s=0.1).play(client, LoopPacer(script))

    assert run(scenario()) == Played(0, None, 0, "no answer within 0.1 s")


def test_stops_before_the_next_exchange_when_told_to() -> None:
    async def scenario() -> Played:
        device = echo_device()
        script = transcript(
            exchange(0.1, "app", "write", value=b"1"),
            exchange(0.2, "app", "write", value=b"2"),
            exchange(0.3, "app", "write", value=b"3"),
        )
        player = AppPlayer(script)
        async with virtual_radio(device) as radio:
            client = await client_for(radio)
            async with client:
                played = await player.play(
                    client, LoopPacer(script), on_done=lambda done: player.stop("enough") if done.index == 1 else None
                )
        assert [write.data for write in device.writes] == [b"1", b"2"]
        return played

    assert run(scenario()) == Played(2, None, 2, "enough")
