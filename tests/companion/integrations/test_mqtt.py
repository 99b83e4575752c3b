"""The link to Home Assistant, with a real broker: it tells, it can be told to stop, and it is in nobody's way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Self

import aiomqtt
import pytest

from companion.integrations.mqtt import HomeAssistantLink, LinkState, LinkStatus, take_back, try_broker
from companion.integrations.mqtt_conversation import Timing, _abandon, _first_of, _prepare
from companion.integrations.mqtt_discovery import Facts, SessionState, Topics
from companion.integrations.mqtt_settings import MqttSettings
from tests.companion.integrations.broker import PATIENCE_S, Broker, Way, free_port, listening, run
from tests.companion.integrations.certificates import Authority

DEVICE = "5eed5eed5eed5eed"
ROOT = f"microcurrent-companion/{DEVICE}"
STOP = f"{ROOT}/stop"
DISCOVERY = f"homeassistant/device/{DEVICE}/config"
AVAILABILITY = f"{ROOT}/availability"

FACTS = Facts(
    next_session=datetime(2026, 3, 4, 19, 30, tzinfo=timezone(timedelta(hours=1))),
    last_session=datetime(2026, 3, 2, 18, 5, tzinfo=UTC),
    minutes_this_week=24,
    water_today_ml=600,
    water_goal_ml=1600,
)


class FakeSession:
    """A session on the app's loop: it ticks every few milliseconds, and can be stopped."""

    def __init__(self) -> None:
        self.stops = 0
        self.ticks = 0
        self._changed = asyncio.Condition()
        self._ticking = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.002)
            async with self._changed:
                self.ticks += 1
                self._changed.notify_all()

    def stop(self) -> None:
        self.stops += 1

    async def stopped(self, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: self.stops >= times)

    async def goes_on(self, ticks: int = 20) -> None:
        """Wait for that many more ticks."""
        wanted = self.ticks + ticks
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(lambda: self.ticks >= wanted)

    async def end(self) -> None:
        self._ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._ticking


@dataclass
class Clock:
    """A clock that a test moves on by hand, on top of one that stands still."""

    at: float = 1000.0
    date_at: float = 1_789_000_000.0

    def elapsed(self) -> float:
        return self.at

    def date(self) -> float:
        return self.date_at


@dataclass
class Linked:
    """A running link, the session beside it, and every status that it went through."""

    session: FakeSession
    clock: Clock
    link: HomeAssistantLink
    statuses: list[LinkStatus] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, state: LinkState, text: str = "", *, after: int = 0) -> LinkStatus:
        """Wait until the link is, or was, in that state with that text."""

        def there() -> list[LinkStatus]:
            return [one for one in self.statuses[after:] if one.state is state and text in one.line]

        async with asyncio.timeout(PATIENCE_S), self.changed:
            try:
                await self.changed.wait_for(there)
            except asyncio.CancelledError:
                raise AssertionError(f"never {state} {text!r}: {self.statuses[after:]}") from None
        return there()[0]

    async def leave(self) -> None:
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running

    running: asyncio.Task[None] = field(init=False)


def settings(port: int, *, device_id: str = DEVICE, **more: Any) -> MqttSettings:
    return MqttSettings(enabled=True, host="127.0.0.1", port=port, device_id=device_id, **more)


@contextlib.asynccontextmanager
async def linked(
    chosen: MqttSettings,
    facts: Facts | None = FACTS,
    *,
    environ: dict[str, str] | None = None,
    patience_s: float = 5.0,
    gap_s: float = 0.0,
) -> AsyncIterator[Linked]:
    session, clock = FakeSession(), Clock()
    timing = Timing(clock.elapsed, clock.date, lambda _: 0.05, patience_s=patience_s, question_s=0.05, gap_s=gap_s)
    statuses: list[LinkStatus] = []
    told: set[asyncio.Task[None]] = set()

    def on_status(status: LinkStatus) -> None:
        statuses.append(status)
        task = asyncio.create_task(tell())
        told.add(task)
        task.add_done_callback(told.discard)

    async def tell() -> None:
        async with here.changed:
            here.changed.notify_all()

    link = HomeAssistantLink(chosen, session.stop, on_status=on_status, environ=environ or {}, timing=timing)
    here = Linked(session, clock, link, statuses)
    if facts is not None:
        link.update(facts)
    here.running = asyncio.create_task(link.run())
    try:
        yield here
    finally:
        await here.leave()
        await session.end()
        await asyncio.gather(*told)


# --- what is told -----------------------------------------------------------------------------------------------------


async def test_mosquitto_sub_sees_the_device_its_availability_and_every_state_as_retained_messages(
    tmp_path: Path,
) -> None:
    async with Broker(tmp_path) as broker, linked(settings(broker.port)) as here:
        await here.until(LinkState.ONLINE)
        printed = await run("mosquitto_sub", "-p", str(broker.port), "-t", "#", "-F", "%r %t %p", "-C", "10")
    lines = {topic: (flag, payload) for flag, topic, payload in (line.split(" ", 2) for line in printed.splitlines())}
    discovery = json.loads(lines.pop(DISCOVERY)[1])
    assert discovery["components"]["stop"]["command_topic"] == STOP
    assert lines == {
        AVAILABILITY: ("1", "online"),
        f"{ROOT}/next_session": ("1", "2026-03-04T18:30:00+00:00"),
        f"{ROOT}/last_session": ("1", "2026-03-02T18:05:00+00:00"),
        f"{ROOT}/minutes_this_week": ("1", "24"),
        f"{ROOT}/water_today": ("1", "600"),
        f"{ROOT}/water_goal": ("1", "1600"),
        f"{ROOT}/session": ("1", "no session"),
        f"{ROOT}/battery": ("1", "None"),
        f"{ROOT}/output": ("1", "None"),
    }


async def test_only_what_changed_is_told_again(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, listening(broker) as listener, linked(settings(broker.port)) as here:
        await here.until(LinkState.ONLINE)
        before = len(await listener.until(lambda seen: len(seen) == 10))
        here.link.update(replace(FACTS))
        here.link.update(replace(FACTS, water_today_ml=800))
        await listener.message(f"{ROOT}/water_today", b"800")
        here.link.water_reminder(200)
        await listener.message(f"{ROOT}/water_reminder")
        assert [one.topic for one in listener.seen[before:]] == [f"{ROOT}/water_today", f"{ROOT}/water_reminder"]


async def test_battery_and_output_come_into_being_with_the_first_report_and_stay(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, listening(broker) as listener, linked(settings(broker.port)) as here:
        await here.until(LinkState.ONLINE)
        here.link.update(replace(FACTS, session=SessionState.TREATING, battery_percent=81, output_ma=0.1234))
        await listener.message(f"{ROOT}/output", b"0.123")
        here.link.update(FACTS)
        await listener.message(f"{ROOT}/output", b"None", after=10)
        parts = [set(json.loads(payload)["components"]) for payload in listener.payloads(DISCOVERY)]
        assert [one & {"battery", "output"} for one in parts] == [set(), {"battery", "output"}]
        assert b"treating" in listener.payloads(f"{ROOT}/session")


async def test_a_water_reminder_is_an_event_that_a_speaker_can_say_and_is_not_kept(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, listening(broker) as listener, linked(settings(broker.port)) as here:
        await here.until(LinkState.ONLINE)
        here.link.water_reminder(200)
        event = await listener.message(f"{ROOT}/water_reminder")
        text = "200 millilitres of water, if you like."
        assert json.loads(event.payload) == {"event_type": "reminder", "ml": 200, "text": text}
        async with listening(broker) as later:
            await publish(broker, "last", "word")
            await later.message("last")
            assert later.payloads(f"{ROOT}/water_reminder") == []
            assert len(later.seen) == 11


async def test_a_water_reminder_without_a_connection_is_forgotten(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    async with linked(settings(broker.port)) as here:
        await here.until(LinkState.WAITING)
        here.link.water_reminder(200)
        async with broker, listening(broker) as listener:
            await here.until(LinkState.ONLINE)
            here.link.update(replace(FACTS, water_today_ml=800))
            await listener.message(f"{ROOT}/water_today", b"800")
            assert listener.payloads(f"{ROOT}/water_reminder") == []


async def test_everything_is_told_again_when_home_assistant_comes_up(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, listening(broker) as listener, linked(settings(broker.port)) as here:
        await here.until(LinkState.ONLINE)
        before = {one.topic: one.payload for one in await listener.until(lambda seen: len(seen) == 10)}
        await broker.publish("homeassistant/status", "offline")
        await broker.publish("homeassistant/status", "online")
        seen = await listener.until(lambda seen: len(seen) == 22)
        assert {one.topic: one.payload for one in seen[12:]} == before


async def test_the_companion_says_again_that_it_is_there_when_somebody_says_that_it_is_gone(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, listening(broker) as listener, linked(settings(broker.port)) as here:
        await here.until(LinkState.ONLINE)
        before = len(await listener.until(lambda seen: len(seen) == 10))
        await broker.publish(AVAILABILITY, "offline", "-r")
        await listener.message(AVAILABILITY, b"online", after=before)


async def test_leaving_says_offline_and_so_does_the_will_when_the_connection_vanishes(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, Way(broker.port) as way, listening(broker) as listener:
        async with linked(settings(way.port)) as here:
            await here.until(LinkState.ONLINE)
            way.cut()
            await listener.message(AVAILABILITY, b"offline")
            await here.until(LinkState.ONLINE, after=here.statuses.index(await here.until(LinkState.WAITING)))
            before = len(listener.seen)
            await here.leave()
            await listener.message(AVAILABILITY, b"offline", after=before)
            assert here.link.status == LinkStatus(LinkState.OFF, "Home Assistant: not connected.")
        async with listening(broker) as later:
            kept = await later.message(AVAILABILITY)
            assert (kept.payload, kept.retained) == (b"offline", True)


async def test_what_waits_for_its_turn_is_told_before_the_goodbye(tmp_path: Path) -> None:
    """How a session ended must not wait for the next round of telling: there is none."""
    async with Broker(tmp_path) as broker, listening(broker) as listener:
        async with linked(settings(broker.port), gap_s=3600.0) as here:
            await here.until(LinkState.ONLINE)
            before = len(await listener.until(lambda seen: len(seen) == 10))
            here.link.update(replace(FACTS, minutes_this_week=36))
            await here.leave()
        await listener.message(AVAILABILITY, b"offline")
        assert [(one.topic, one.payload) for one in listener.seen[before:]] == [
            (f"{ROOT}/minutes_this_week", b"36"),
            (AVAILABILITY, b"offline"),
        ]


async def test_a_goodbye_is_said_where_the_broker_takes_no_more_facts() -> None:
    """One that is slow over the last facts hears all the same that nobody is there any more."""
    async with Bare(b"\x00\x00\x00", answers=10) as broker:
        async with linked(settings(broker.port, base_topic="a", device_id="b"), gap_s=3600.0) as here:
            await here.until(LinkState.ONLINE)
            here.link.update(replace(FACTS, minutes_this_week=36))
            await here.leave()
        async with asyncio.timeout(PATIENCE_S):
            await broker.left.wait()
        assert broker.published[-2:] == ["a/b/minutes_this_week", "a/b/availability"]


async def test_that_the_companion_is_there_is_told_after_what_it_knows(tmp_path: Path) -> None:
    """What a broker has kept of another day, or of another person, is never shown as if it were of now."""
    async with Broker(tmp_path) as broker, listening(broker) as listener, linked(settings(broker.port)) as here:
        await here.until(LinkState.ONLINE)
        seen = await listener.until(lambda seen: len(seen) == 10)
        assert (seen[0].topic, seen[-1].topic) == (DISCOVERY, AVAILABILITY)


GRAMMAR = {
    AVAILABILITY: r"online|offline",
    f"{ROOT}/next_session": r"None|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00",
    f"{ROOT}/last_session": r"None|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00",
    f"{ROOT}/minutes_this_week": r"None|\d+",
    f"{ROOT}/water_today": r"None|\d+",
    f"{ROOT}/water_goal": r"None|\d+",
    f"{ROOT}/session": "|".join(state.value for state in SessionState),
    f"{ROOT}/battery": r"None|\d+",
    f"{ROOT}/output": r"None|\d+\.\d{3}",
    f"{ROOT}/water_reminder": r'\{"event_type":"reminder","ml":\d+,"text":"\d+ millilitres of water, if you like\."\}',
}


async def test_nothing_but_numbers_moments_and_states_is_ever_published(tmp_path: Path) -> None:
    """H9, H10: over the wire, whatever happens, no payload has room for an answer, a note or a name."""
    async with Broker(tmp_path, anonymous=True) as broker, Way(broker.port) as way, listening(broker) as listener:
        async with linked(settings(way.port, username="somebody")) as here:
            await here.until(LinkState.ONLINE)
            for number, state in enumerate(SessionState):
                here.link.update(replace(FACTS, session=state, battery_percent=number, output_ma=number / 7))
                here.link.water_reminder(50 + number)
                await listener.message(f"{ROOT}/output", f"{number / 7:.3f}".encode())
            way.cut()
            await listener.message(AVAILABILITY, b"offline")
            await here.until(LinkState.ONLINE, after=2)
        empty = Topics(settings(0))
        assert listener.payloads(empty.stop) == []
        for one in listener.seen:
            if one.topic == DISCOVERY:
                told = json.loads(one.payload)
                assert set(told) == {
                    "device", "origin", "components",
                    "availability_topic", "payload_available", "payload_not_available",
                }  # fmt: skip
                assert told["device"] == {
                    "identifiers": [DEVICE],
                    "name": "Microcurrent Companion",
                    "sw_version": told["origin"]["sw_version"],
                }
            else:
                assert re.fullmatch(GRAMMAR[one.topic], one.payload.decode()), one
        # The broker's own log: the client's name is drawn at random, and holds nothing either.
        names = {match[1] for line in broker.log if (match := re.search(r" as (mc-\S+) ", line))}
        assert names
        assert all(re.fullmatch(rf"mc-{DEVICE[:12]}-[0-9a-f]{{6}}", name) for name in names)


# --- Stop -------------------------------------------------------------------------------------------------------------


async def test_a_stop_from_mosquitto_pub_stops_the_session(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, linked(settings(broker.port)) as here:
        await here.until(LinkState.ONLINE)
        await run("mosquitto_pub", "-p", str(broker.port), "-t", STOP, "-m", "STOP")
        await here.session.stopped()
        here.clock.at += 1
        await run("mosquitto_pub", "-p", str(broker.port), "-t", STOP, "-m", f"STOP {here.clock.date_at - 4:.0f}")
        await here.session.stopped(2)


async def test_there_is_no_way_to_start_raise_or_change_anything(tmp_path: Path) -> None:
    """H9: the link reads four topics, has one command, and takes one word for it."""
    async with Broker(tmp_path) as broker, listening(broker) as listener, linked(settings(broker.port)) as here:
        await here.until(LinkState.ONLINE)
        subscriptions = {
            match[1] for line in broker.log if (match := re.fullmatch(rf"mc-{DEVICE[:12]}-\S+ 0 (\S+)", line))
        }
        assert subscriptions == {STOP, AVAILABILITY, "homeassistant/status"}
        told = json.loads(listener.payloads(DISCOVERY)[0])["components"]
        commands = {key: part for key, part in told.items() if any("command" in name for name in part)}
        assert list(commands) == ["stop"]
        assert (commands["stop"]["platform"], commands["stop"]["retain"]) == ("button", False)
        before = len(await listener.until(lambda seen: len(seen) == 10))
        tried = 0
        for topic in (STOP, AVAILABILITY, "homeassistant/status", *(f"{ROOT}/{word}" for word in COMMANDS)):
            for payload in (*COMMANDS, "", "stop", "STOP!", "STOP STOP", "STOP 0", '{"start": true}'):
                if (topic, payload) != (STOP, "STOP"):
                    await publish(broker, topic, payload)
                    tried += 1
        await broker.publish(STOP, "STOP")  # comes after all of those, so they have been read when it is followed
        await here.session.stopped()
        assert here.session.stops == 1
        ours = [one for one in listener.seen[before:] if one.payload == b"online"]
        assert tried > 100
        assert len(listener.seen) - before == tried + 1 + len(ours)


COMMANDS = ("START", "start", "RESUME", "intensity", "50", "set", "session", "command")


async def publish(broker: Broker, topic: str, payload: str) -> None:
    """As ``mosquitto_pub`` would, a hundred times faster."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.publish(topic, payload, qos=1)


async def test_a_retained_stop_does_nothing_now_or_after_a_reconnection(tmp_path: Path) -> None:
    """H9: what a broker kept is a thing of the past; a live press is followed right after."""
    async with Broker(tmp_path) as broker, Way(broker.port) as way:
        await broker.publish(STOP, "STOP", "-r")
        async with linked(settings(way.port)) as here:
            await here.until(LinkState.ONLINE)
            way.cut()
            await here.until(LinkState.ONLINE, after=here.statuses.index(await here.until(LinkState.WAITING)))
            # Retained messages come at once after the subscription; what is sent now comes after them.
            await broker.publish("homeassistant/status", "offline")
            assert here.session.stops == 0
            await broker.publish(STOP, "STOP")
            await here.session.stopped()
            await here.session.goes_on()
            assert here.session.stops == 1


async def test_a_stop_that_was_sent_while_the_companion_was_away_does_nothing_at_the_next_session(
    tmp_path: Path,
) -> None:
    """H9: no broker keeps one, however it was sent."""
    async with Broker(tmp_path) as broker:
        async with linked(settings(broker.port)) as here:
            await here.until(LinkState.ONLINE)
        await broker.publish(STOP, "STOP", "-q", "2")
        async with linked(settings(broker.port)) as here:
            await here.until(LinkState.ONLINE)
            await broker.publish(STOP, "STOP 1788999000")
            await here.until(LinkState.ONLINE, "left out")
            assert here.session.stops == 0


async def test_a_stop_that_waited_on_the_way_is_left_out_and_the_next_one_is_followed(tmp_path: Path) -> None:
    """H9: a stalled network hands out old messages as if they were new."""
    async with Broker(tmp_path) as broker, Way(broker.port) as way, linked(settings(way.port)) as here:
        await here.until(LinkState.ONLINE)
        way.stall()
        await broker.publish(STOP, "STOP")
        here.clock.at += 6
        way.flow()
        await here.until(LinkState.ONLINE, "A Stop that was more than 5 seconds old was left out")
        assert here.session.stops == 0
        # From the answer to the question that is asked now on, a Stop counts again.
        await broker.logged("Sending UNSUBACK", after=len(broker.log), times=2)
        await broker.publish(STOP, "STOP")
        await here.session.stopped()
        assert here.session.stops == 1


# --- what goes wrong --------------------------------------------------------------------------------------------------


async def test_a_broker_that_restarts_gets_everything_again_and_the_session_goes_on(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    async with linked(settings(broker.port)) as here:
        async with broker:
            await here.until(LinkState.ONLINE)
        await here.session.goes_on()
        first = here.statuses.index(await here.until(LinkState.WAITING, "ended the connection"))
        async with broker, listening(broker) as listener:
            await here.until(LinkState.ONLINE, after=first)
            await listener.until(lambda seen: len({one.topic for one in seen}) == 10)
            await broker.publish(STOP, "STOP")
            await here.session.stopped()


async def test_a_broker_that_is_not_there_is_one_line_and_no_burden(tmp_path: Path) -> None:
    async with linked(settings(free_port())) as here:
        status = await here.until(LinkState.WAITING)
        assert "refuses the connection; check that the broker is running" in status.line
        await here.session.goes_on()
        here.session.stop()
        assert here.session.stops == 1


async def test_a_wrong_password_is_one_line_without_the_password(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    await run("mosquitto_passwd", "-b", "-c", str(passwords), "ada", "right")
    passwords.chmod(0o600)
    async with Broker(tmp_path, f"password_file {passwords}", anonymous=False) as broker:
        chosen = settings(broker.port, username="ada", password_from="environment")  # noqa: S106 - where it is
        async with linked(chosen, environ={"COMPANION_MQTT_PASSWORD": "wr0ng"}) as here:
            status = await here.until(LinkState.WAITING)
            assert "does not accept the user name and password" in status.line
            assert "wr0ng" not in repr(here.statuses)
            await here.session.goes_on()
        async with linked(chosen, environ={"COMPANION_MQTT_PASSWORD": "right"}) as here:
            await here.until(LinkState.ONLINE)


async def test_a_password_that_cannot_be_had_is_one_line(tmp_path: Path) -> None:
    chosen = settings(free_port(), username="ada", password_from="environment")  # noqa: S106 - as above
    async with linked(chosen) as here:
        status = await here.until(LinkState.WAITING)
        assert "COMPANION_MQTT_PASSWORD is not set" in status.line
        await here.session.goes_on()


class Bare:
    """A broker that accepts everybody and answers a subscription as it is told to; it remembers kinds of packets.

    It acknowledges the first few messages (``answers``), and no more after them.
    """

    def __init__(self, codes: bytes, answers: int = 0) -> None:
        self.codes = codes
        self.answers = answers
        self.heard: list[int] = []
        self.published: list[str] = []
        self.subscribed = asyncio.Event()
        self.left = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:  # MQTT 3.1.1, 2.2: type and flags, remaining length (least seven bits first), the rest
                (kind,) = await reader.readexactly(1)
                length = shift = 0
                more = 0x80
                while more & 0x80:
                    (more,) = await reader.readexactly(1)
                    length |= (more & 0x7F) << shift
                    shift += 7
                rest = await reader.readexactly(length)
                self.heard.append(kind >> 4)
                if kind >> 4 == CONNECT:
                    writer.write(b"\x20\x02\x00\x00")  # CONNACK: accepted
                elif kind >> 4 == SUBSCRIBE:
                    self.subscribed.set()
                    if self.codes:
                        writer.write(bytes((0x90, 2 + len(self.codes))) + rest[:2] + self.codes)  # SUBACK
                elif kind >> 4 == UNSUBSCRIBE:
                    writer.write(b"\xb0\x02" + rest[:2])  # UNSUBACK
                elif kind >> 4 == PUBLISH:
                    end = 2 + int.from_bytes(rest[:2], "big")
                    self.published.append(rest[2:end].decode())
                    if len(self.published) <= self.answers:
                        writer.write(b"\x40\x02" + rest[end : end + 2])  # PUBACK
                elif kind >> 4 == DISCONNECT:
                    self.left.set()
        writer.close()


CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT = 1, 3, 8, 10, 14


async def test_a_broker_that_does_not_let_the_companion_read_is_one_line() -> None:
    """Without Stop the link would be a promise that it does not keep: so it says what is wrong, and tells nothing."""
    async with Bare(b"\x80\x00\x00") as broker:
        async with linked(settings(broker.port, base_topic="a", device_id="b")) as here:
            status = await here.until(LinkState.WAITING)
            assert "does not let this user read a/b/stop; allow it there" in status.line
            await here.session.goes_on()
        assert {CONNECT, SUBSCRIBE, DISCONNECT} <= set(broker.heard)
        assert PUBLISH not in broker.heard


async def test_who_has_not_arrived_does_not_say_goodbye() -> None:
    async with Bare(b"") as broker, linked(settings(broker.port, base_topic="a", device_id="b")) as here:
        async with asyncio.timeout(PATIENCE_S):
            await broker.subscribed.wait()
        await here.leave()
        assert PUBLISH not in broker.heard


@pytest.mark.parametrize("trusted", ["right", "other", "usual"])
async def test_tls_is_for_a_broker_with_a_trusted_certificate_alone(tmp_path: Path, trusted: str) -> None:
    right, other = Authority(tmp_path, "right"), Authority(tmp_path, "other")
    certificate, key = right.server("broker", "127.0.0.1")
    ca = {"right": str(right.file), "other": str(other.file), "usual": None}[trusted]
    broker = Broker(tmp_path, f"certfile {certificate}", f"keyfile {key}")
    async with broker, linked(settings(broker.port, tls=True, ca_file=ca)) as here:
        if trusted == "right":
            await here.until(LinkState.ONLINE)
        else:
            assert "is not trusted" in (await here.until(LinkState.WAITING)).line
        await here.session.goes_on()


async def test_tls_is_for_a_broker_with_the_right_name_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "right")
    certificate, key = authority.server("elsewhere", "127.0.0.2")
    broker = Broker(tmp_path, f"certfile {certificate}", f"keyfile {key}")
    async with broker, linked(settings(broker.port, tls=True, ca_file=str(authority.file))) as here:
        assert "IP address mismatch" in (await here.until(LinkState.WAITING)).line
        await here.session.goes_on()


async def test_a_broker_that_wants_tls_and_does_not_get_it_is_one_line(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path, "right").server("broker", "127.0.0.1")
    broker = Broker(tmp_path, f"certfile {certificate}", f"keyfile {key}")
    async with broker, linked(settings(broker.port), patience_s=0.3) as here:
        await here.until(LinkState.WAITING, "whether it wants TLS")
        await here.session.goes_on()


async def test_a_stop_comes_through_tls_with_a_client_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "right")
    certificate, key = authority.server("broker", "127.0.0.1")
    mine, my_key = authority.server("client", "127.0.0.1")
    lines = (f"certfile {certificate}", f"keyfile {key}", f"cafile {authority.file}", "require_certificate true")
    async with Broker(tmp_path, *lines) as broker:
        chosen = settings(
            broker.port, tls=True, ca_file=str(authority.file), certificate_file=str(mine), key_file=str(my_key)
        )
        async with linked(chosen) as here:
            await here.until(LinkState.ONLINE)
            secured = ("--cafile", str(authority.file), "--cert", str(mine), "--key", str(my_key), "-h", "127.0.0.1")
            await run("mosquitto_pub", "-p", str(broker.port), *secured, "-t", STOP, "-m", "STOP")
            await here.session.stopped()


async def test_tls_with_a_broker_that_has_none_is_one_line(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker, linked(settings(broker.port, tls=True)) as here:
        assert "8883" in (await here.until(LinkState.WAITING)).line


async def test_a_broker_that_stalls_is_given_up_and_found_again_while_the_session_goes_on(tmp_path: Path) -> None:
    async with (
        Broker(tmp_path) as broker,
        Way(broker.port) as way,
        linked(settings(way.port), patience_s=0.2) as here,
    ):
        await here.until(LinkState.ONLINE)
        way.stall()
        here.link.update(replace(FACTS, water_today_ml=800))
        await here.session.goes_on()
        first = here.statuses.index(await here.until(LinkState.WAITING, "does not answer"))
        await here.session.goes_on()
        here.session.stop()
        assert here.session.stops == 1
        way.flow()
        await here.until(LinkState.ONLINE, after=first)
        async with listening(broker) as listener:
            await listener.message(f"{ROOT}/water_today", b"800")
            await listener.message(AVAILABILITY, b"online")


async def test_a_connection_that_is_given_up_before_the_broker_answered_is_closed() -> None:
    """Answered later, it would throw out the one that came after it, and publish its will."""
    closed = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(100):
                pass
        closed.set()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with linked(settings(server.sockets[0].getsockname()[1]), patience_s=0.1) as here:
        await here.until(LinkState.WAITING, "does not answer")
        async with asyncio.timeout(PATIENCE_S):
            await closed.wait()
    server.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_leaving_does_not_wait_for_a_broker_that_never_answers(*, tls: bool) -> None:
    accepted = asyncio.Event()
    writers: list[asyncio.StreamWriter] = []

    def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        accepted.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with linked(settings(server.sockets[0].getsockname()[1], tls=tls)) as here:
        async with asyncio.timeout(PATIENCE_S):
            await accepted.wait()
        await here.session.goes_on()
        connecting = [one for one in threading.enumerate() if one.name == "companion-mqtt-connect"]
        talking = [one for one in threading.enumerate() if one.name == "companion-mqtt"]
        await here.leave()
        for one in talking:
            await asyncio.to_thread(one.join, PATIENCE_S)
        assert all(one.is_alive() for one in connecting)  # a handshake that nobody answers: it was not waited for
        assert bool(connecting) or not tls
    server.close()
    for writer in writers:
        writer.transport.abort()
    for one in connecting:
        await asyncio.to_thread(one.join, PATIENCE_S)


async def test_a_connection_that_comes_about_after_it_was_given_up_is_refused() -> None:
    ended = asyncio.Event()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        ended.set()
        writer.close()

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    client = aiomqtt.Client("127.0.0.1", server.sockets[0].getsockname()[1])
    _abandon(client)
    with pytest.raises(ConnectionAbortedError):
        await asyncio.to_thread(client._client_connect)
    async with asyncio.timeout(PATIENCE_S):
        await ended.wait()
    server.close()


async def test_a_part_of_the_link_that_loses_a_cancellation_is_cancelled_again() -> None:
    """As asyncio.wait_for does in Python 3.11, when what it waits for comes in the same moment."""
    lost = 0

    async def loses_one() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
                if lost > 1:
                    raise

    async def ends() -> None:
        await asyncio.sleep(0)
        raise aiomqtt.MqttError("over")

    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(aiomqtt.MqttError, match="over"):
            await _first_of(loses_one(), ends())
    assert lost == 2


async def test_a_link_writes_to_no_log_at_any_level(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Topics hold the device id; and a log that nobody reads is printed over the app's screen."""
    caplog.set_level(1)
    async with Broker(tmp_path) as broker, Way(broker.port) as way, linked(settings(way.port)) as here:
        await here.until(LinkState.ONLINE)
        for _ in range(20):  # aiomqtt warns when more than ten calls wait for an answer
            here.link.water_reminder(200)
        await broker.publish(STOP, "STOP")
        await here.session.stopped()
        way.cut()
        await here.until(LinkState.ONLINE, after=here.statuses.index(await here.until(LinkState.WAITING)))
    assert [one.getMessage() for one in caplog.records if not one.getMessage().startswith("Using selector")] == []


def test_what_goes_wrong_in_a_callback_of_the_client_is_not_printed(caplog: pytest.LogCaptureFixture) -> None:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        _prepare(loop)
        loop.call_soon(loop.add_writer, 10_000, print)
        runner.run(asyncio.sleep(0))
    assert caplog.records == []


async def test_a_link_that_is_off_does_nothing_at_all() -> None:
    before = threading.active_count()
    link = HomeAssistantLink(MqttSettings(), lambda: None)
    link.update(FACTS)
    link.water_reminder(200)
    await link.run()
    assert threading.active_count() == before
    assert link.status == LinkStatus(LinkState.OFF, "Home Assistant: off.")


async def test_a_link_runs_once() -> None:
    async with linked(settings(free_port())) as here:
        await here.until(LinkState.WAITING)
        with pytest.raises(RuntimeError, match="runs once"):
            await here.link.run()


# --- once, without a link ---------------------------------------------------------------------------------------------


async def test_trying_a_broker_says_whether_it_lets_the_companion_in_and_publishes_nothing(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    assert (await once(try_broker, broker.port))[0] is False
    async with broker, listening(broker) as listener:
        assert await once(try_broker, broker.port) == (
            True,
            f"127.0.0.1:{broker.port} answers and lets the companion in.",
        )
        await publish(broker, "last", "word")
        await listener.message("last")
        assert len(listener.seen) == 1


async def test_what_was_told_can_be_taken_back_to_the_last_message(tmp_path: Path) -> None:
    async with Broker(tmp_path) as broker:
        async with linked(settings(broker.port), replace(FACTS, battery_percent=50)) as here:
            await here.until(LinkState.ONLINE)
        done, line = await once(take_back, broker.port)
        assert done, line
        async with listening(broker) as listener:
            await publish(broker, "last", "word")
            await listener.message("last")
            assert len(listener.seen) == 1


async def once(what: Callable[..., tuple[bool, str]], port: int) -> tuple[bool, str]:
    return await asyncio.to_thread(what, settings(port))
