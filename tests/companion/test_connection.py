"""The connection: one owner, stops ahead of everything, plain reasons for every end, and no output by itself."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import bleak_retry_connector
import pytest
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDBusError, BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError

from companion.demo import DemoRadio, open_demo
from companion.device.connection import (
    HANDSHAKE_LIMIT_S,
    HURRIED_LIMIT_S,
    OPERATION_LIMIT_S,
    Cause,
    Connection,
    LinkState,
    News,
)
from companion.device.finder import find
from companion.device.radio import RadioError
from companion.session.model import DeviceSaid, LinkLost, LinkReady, ReconnectFailed
from protocols.dr05 import PROFILE
from protocols.gatt import Characteristic, Disconnect, Property, Read, Service, uuid
from protocols.machine import LocalProtocolError, Reaction, UnsupportedDeviceError
from protocols.model import (
    Acknowledged,
    Battery,
    HandshakeFailed,
    QueryVersion,
    Ready,
    Refusal,
    Rejected,
    SetIntensity,
    StartOutput,
    TotalStop,
    Version,
)
from protocols.registry import Registry
from rig import clock
from rig.devices.dr05 import SimulatedDr05
from tests.companion.scripted import TALK, Bench, ScriptedClient, ScriptedProtocol, never, turns, write


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on the loop whose clock jumps: waiting costs nothing, and limits are exact."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        clock.run(test(*args, **kwargs))

    return run


def now() -> float:
    return asyncio.get_running_loop().time()


# --- with a simulated Dr-05 on the virtual radio ----------------------------------------------------------------------


class Demo:
    """A connection to a simulated Dr-05 and what its listener heard, with times."""

    def __init__(self, radio: DemoRadio, connection: Connection) -> None:
        self.radio = radio
        self.connection = connection
        self.news: list[tuple[float, News]] = []
        self._told = asyncio.Event()
        connection.listener = self._listen

    def _listen(self, news: News) -> None:
        self.news.append((now(), news))
        self._told.set()

    @property
    def device(self) -> SimulatedDr05:
        assert isinstance(self.radio.device, SimulatedDr05)
        return self.radio.device

    @property
    def output(self) -> float:
        return self.device.output_percent(now())

    def heard(self, kind: type[News]) -> list[News]:
        return [news for _, news in self.news if isinstance(news, kind)]

    async def until(self, kind: type[News], count: int = 1) -> None:
        while len(self.heard(kind)) < count:
            self._told.clear()
            await self._told.wait()

    async def output_on(self) -> None:
        self.connection.submit(SetIntensity(PROFILE.lowest_percent))
        await asyncio.sleep(0.2)
        self.connection.submit(StartOutput())
        await asyncio.sleep(0.2)
        assert self.output == PROFILE.lowest_percent


async def with_demo(act: Callable[[Demo], Awaitable[None]], record: Path | None = None) -> None:
    radio = await open_demo("dr05", 7, record)
    try:
        found = await find(radio, Registry.default(), 5.0, settle_s=0.0)
        demo = Demo(radio, Connection(radio, found[0]))
        try:
            await act(demo)
        finally:
            await demo.connection.aclose()
    finally:
        await radio.close()


@in_virtual_time
async def test_it_connects_shakes_hands_and_says_what_it_found() -> None:
    async def act(demo: Demo) -> None:
        await demo.connection.connect()
        assert demo.heard(LinkReady) == [LinkReady(first=True, firmware="2.1")]
        assert demo.connection.ready
        assert demo.connection.firmware == "2.1"
        assert demo.connection.profile.key == "dr05"
        assert not demo.connection.output_possible

    await with_demo(act)


@in_virtual_time
async def test_the_handshake_waits_for_the_firmware_to_listen_and_not_for_a_lost_question() -> None:
    async def act(demo: Demo) -> None:
        began = now()
        await demo.connection.connect()
        assert now() - began < 0.4
        assert demo.heard(LinkReady) == [LinkReady(first=True, firmware="2.1")]

    await with_demo(act)


@in_virtual_time
async def test_a_command_comes_back_acknowledged() -> None:
    async def act(demo: Demo) -> None:
        await demo.connection.connect()
        demo.connection.submit(QueryVersion())
        await asyncio.sleep(0.2)
        said = [news.event for news in demo.heard(DeviceSaid) if isinstance(news, DeviceSaid)]
        assert said[0] == Version(2, 1)
        assert isinstance(said[1], Acknowledged)
        assert 0.02 < said[1].latency_s < 0.1

    await with_demo(act)


@in_virtual_time
async def test_h5_a_device_that_goes_away_is_told_at_once_and_its_output_counts_as_off() -> None:
    async def act(demo: Demo) -> None:
        await demo.connection.connect()
        await demo.output_on()
        demo.device.power_cycle(now())
        off_at = now()
        await demo.until(LinkLost)
        assert demo.news[-1][0] - off_at < 0.2
        assert demo.heard(LinkLost) == [LinkLost("Dr-05 is out of reach or switched off")]
        assert demo.connection.ending is not None
        assert demo.connection.ending.cause is Cause.DEVICE_GONE
        assert not demo.connection.output_possible
        with pytest.raises(LocalProtocolError, match="no link"):
            demo.connection.submit(SetIntensity(PROFILE.lowest_percent))
        demo.connection.submit(TotalStop())  # a stop without a link is done already

    await with_demo(act)


@in_virtual_time
async def test_the_end_of_a_link_is_told_before_what_it_left_unanswered() -> None:
    async def act(demo: Demo) -> None:
        await demo.connection.connect()
        before = len(demo.news)
        demo.connection.submit(QueryVersion())
        demo.device.power_cycle(now())
        await demo.until(LinkLost)
        await asyncio.sleep(0)
        told = [news for _, news in demo.news[before:]]
        assert told[0] == LinkLost("Dr-05 is out of reach or switched off")
        assert told[1:] == [DeviceSaid(Rejected(QueryVersion(), Refusal.RADIO))]

    await with_demo(act)


@in_virtual_time
async def test_h5_a_regained_link_is_a_new_one_and_nothing_on_it_starts_output() -> None:
    async def act(demo: Demo) -> None:
        await demo.connection.connect()
        await demo.output_on()
        demo.radio.peripheral.vanish()
        await demo.until(LinkLost)
        assert demo.output == 0
        changes = len(demo.device.trace)
        demo.connection.reconnect(now() + 60)
        await asyncio.sleep(10)
        assert demo.connection.state is LinkState.RECONNECTING
        demo.radio.peripheral.reappear()
        await demo.until(LinkReady, 2)
        assert demo.heard(LinkReady)[1] == LinkReady(first=False, firmware="2.1")
        await asyncio.sleep(30)
        assert demo.output == 0
        assert len(demo.device.trace) == changes

    await with_demo(act)


@in_virtual_time
async def test_h5_a_reconnect_gives_up_at_its_deadline() -> None:
    async def act(demo: Demo) -> None:
        await demo.connection.connect()
        demo.radio.peripheral.vanish()
        await demo.until(LinkLost)
        deadline = now() + 60
        demo.connection.reconnect(deadline)
        await demo.until(ReconnectFailed)
        assert demo.news[-1][0] == pytest.approx(deadline, abs=0.02)
        assert demo.connection.state is LinkState.LOST

    await with_demo(act)


@in_virtual_time
async def test_dropping_a_lost_link_gives_the_reconnect_up() -> None:
    async def act(demo: Demo) -> None:
        await demo.connection.connect()
        demo.radio.peripheral.vanish()
        await demo.until(LinkLost)
        demo.connection.reconnect(now() + 60)
        await asyncio.sleep(5)
        asked_at = now()
        demo.connection.drop("the person gave up")
        await demo.until(ReconnectFailed)
        assert now() - asked_at < 3
        demo.radio.peripheral.reappear()
        await asyncio.sleep(5)
        assert len(demo.heard(LinkReady)) == 1

    await with_demo(act)


@in_virtual_time
async def test_h3_closing_stops_the_output_before_it_ends_the_link() -> None:
    async def act(demo: Demo) -> None:
        await demo.connection.connect()
        await demo.output_on()
        await demo.connection.aclose()
        assert demo.device.trace[-1].output_percent == 0
        assert demo.device.trace[-1].cause == "total stop"
        assert demo.connection.state is LinkState.CLOSED
        assert demo.connection.ending is not None
        assert demo.connection.ending.cause is Cause.REQUESTED

    await with_demo(act)


@in_virtual_time
async def test_dr05_hazard_7_closing_ends_the_link_when_the_stop_is_not_answered() -> None:
    async def act(demo: Demo) -> None:
        await demo.connection.connect()
        await demo.output_on()
        demo.device.set_silent(silent=True, now=now())
        began = now()
        await demo.connection.aclose()
        assert now() - began < 1.5
        assert demo.output == 0
        assert demo.device.trace[-1].cause != "total stop"

    await with_demo(act)


@in_virtual_time
async def test_h3_a_close_is_finished_in_time_also_when_its_caller_is_cancelled() -> None:
    async def act(demo: Demo) -> None:
        await demo.connection.connect()
        await demo.output_on()
        demo.device.set_silent(silent=True, now=now())
        closing = asyncio.create_task(demo.connection.aclose())
        await asyncio.sleep(0.05)
        began = now()
        closing.cancel()
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert now() - began <= HURRIED_LIMIT_S
        assert demo.output == 0

    await with_demo(act)


@in_virtual_time
async def test_writes_and_notifications_are_those_of_the_recording(tmp_path: Path) -> None:
    record = tmp_path / "session.btsnoop"
    counted: list[tuple[int, int]] = []

    async def act(demo: Demo) -> None:
        await demo.connection.connect()
        await demo.output_on()
        demo.connection.submit(TotalStop())
        await asyncio.sleep(1)
        await demo.connection.aclose()
        counted.append((demo.connection.writes, demo.connection.notifications))

    await with_demo(act, record)
    opcodes = [pdu[0] for pdu in att_pdus(record.read_bytes())]
    # write command, and write request less the one CCCD; handle value notification (Vol 3 Part F 3.4.8)
    assert counted == [(opcodes.count(0x52) + opcodes.count(0x12) - 1, opcodes.count(0x1B))]
    assert counted[0][0] > 4


def att_pdus(btsnoop: bytes) -> list[bytes]:
    """ATT PDUs of unfragmented ACL packets of a btsnoop file with H4 packets."""
    pdus, at = [], 16
    while at < len(btsnoop):
        length = int.from_bytes(btsnoop[at : at + 4], "big")
        packet = btsnoop[at + 24 : at + 24 + length]
        if packet[0] == 0x02 and packet[7:9] == b"\x04\x00":
            pdus.append(packet[9:])
        at += 24 + length
    return pdus


# --- with a scripted radio: what no healthy device does ---------------------------------------------------------------


@in_virtual_time
async def test_services_come_to_the_protocol_in_its_own_vocabulary_and_in_handle_order() -> None:
    bench = Bench()
    await bench.connection.connect()
    assert bench.protocol.services == (
        Service(uuid("1800"), (Characteristic(uuid("2a00"), Property.READ),)),
        Service(uuid("ffe0"), (Characteristic(TALK, Property.WRITE_WITHOUT_RESPONSE | Property.NOTIFY),)),
    )
    await bench.connection.aclose()


@in_virtual_time
async def test_operations_are_performed_one_after_the_other_and_reported_in_order() -> None:
    bench = Bench()
    await bench.connection.connect()
    first, second = write(b"first"), write(b"second")
    bench.radio.script[b"first"] = lambda: asyncio.sleep(2)
    bench.protocol.reply = lambda _command: Reaction((first, second, Read(TALK)))
    bench.connection.submit(QueryVersion())
    await asyncio.sleep(1)
    assert bench.radio.log == ["subscribe", "write first"]
    await asyncio.sleep(2)
    assert bench.radio.log == ["subscribe", "write first", "write second", "read"]
    assert [heard for heard in bench.protocol.heard if heard[0] in {"done", "data"}][1:] == [
        ("done", first),
        ("done", second),
        ("done", Read(TALK)),
        ("data", TALK, b"value", 2.0),
    ]
    assert bench.connection.writes == 2
    await bench.connection.aclose()


@in_virtual_time
async def test_h3_a_stop_leaves_at_once_past_a_hanging_write_and_what_waits_behind_that_never_leaves() -> None:
    bench = Bench()
    await bench.connection.connect()
    bench.stop_answers_with(write(b"stop", urgent=True))
    bench.radio.script[b"SetIntensity"] = never
    bench.connection.submit(SetIntensity(5))
    await turns()
    bench.connection.submit(StartOutput())
    bench.connection.submit(TotalStop())
    await turns()
    assert now() == 0
    assert bench.radio.log == ["subscribe", "write SetIntensity", "write stop"]
    await asyncio.sleep(OPERATION_LIMIT_S + 1)
    assert "write StartOutput" not in bench.radio.log
    assert ("failed", write(b"StartOutput"), "overtaken by a stop") in bench.protocol.heard
    await bench.connection.aclose()


@in_virtual_time
async def test_h3_a_disconnect_waits_for_no_operation_under_way() -> None:
    bench = Bench()
    await bench.connection.connect()
    bench.radio.script[b"SetIntensity"] = never
    bench.stop_answers_with(Disconnect("three stops went unanswered"))
    bench.connection.submit(SetIntensity(5))
    await turns()
    bench.connection.submit(TotalStop())
    await turns()
    assert now() == 0
    assert bench.radio.log[-1] == "disconnect"
    assert bench.news[-1] == LinkLost("three stops went unanswered")
    assert bench.connection.ending is not None
    assert bench.connection.ending.cause is Cause.DROPPED
    await bench.connection.aclose()


@in_virtual_time
async def test_an_operation_that_takes_too_long_is_given_up() -> None:
    bench = Bench()
    await bench.connection.connect()
    bench.radio.script[b"SetIntensity"] = never
    bench.stop_answers_with()
    bench.connection.submit(SetIntensity(5))
    await asyncio.sleep(OPERATION_LIMIT_S - 0.1)
    assert not [heard for heard in bench.protocol.heard if heard[0] == "failed"]
    await asyncio.sleep(0.2)
    assert bench.protocol.heard[-1] == ("failed", write(b"SetIntensity"), "no answer in time")
    await bench.connection.aclose()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BleakError("Not connected\nsecond line"), "Not connected"),
        (BleakGATTProtocolError(0x03), "the device refused it (ATT error 0x03)"),
        (BleakDeviceNotFoundError("C0:00"), "the device is not in reach"),
        (BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"]), "le-connection-abort-by-local"),
        (FileNotFoundError(2, "No such file"), "the Bluetooth service cannot be reached (No such file)"),
        (TimeoutError(), "no answer in time"),
        (EOFError(), "the Bluetooth service went away"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_failure_of_the_radio_reaches_the_protocol_in_plain_words(error: Exception, reason: str) -> None:
    async def fail() -> None:
        raise error

    async def act() -> None:
        bench = Bench()
        await bench.connection.connect()
        bench.radio.script[b"SetIntensity"] = fail
        bench.stop_answers_with()
        bench.connection.submit(SetIntensity(5))
        await turns()
        assert bench.protocol.heard[-1] == ("failed", write(b"SetIntensity"), reason)
        assert not bench.defects
        await bench.connection.aclose()

    clock.run(act())


@in_virtual_time
async def test_the_protocol_is_called_at_its_deadline_and_not_before() -> None:
    bench = Bench(prepare=lambda protocol: setattr(protocol, "due", 2.5))
    await bench.connection.connect()
    await asyncio.sleep(5)
    assert [heard for heard in bench.protocol.heard if heard[0] == "deadline"] == [("deadline", 2.5)]
    await bench.connection.aclose()


@in_virtual_time
async def test_notifications_are_told_within_the_callback_and_counted() -> None:
    bench = Bench()
    await bench.connection.connect()
    await turns()
    bench.protocol.on_data = lambda data: Reaction((), (Battery(data[0]),))
    assert bench.client.notify is not None
    bench.client.notify(None, bytearray([64]))
    assert bench.news[-1] == DeviceSaid(Battery(64))
    assert bench.connection.notifications == 1
    await bench.connection.aclose()


@in_virtual_time
async def test_events_before_there_is_a_listener_are_handed_over_once() -> None:
    bench = Bench(
        prepare=lambda protocol: setattr(protocol, "on_start", Reaction((), (Battery(80), Ready(None), Battery(79))))
    )
    bench.connection.listener = None
    await bench.connection.connect()
    assert bench.connection.unheard() == [Battery(80), Battery(79)]
    assert bench.connection.unheard() == []
    await bench.connection.aclose()


@in_virtual_time
async def test_a_defect_in_a_callback_stops_the_output_ends_the_link_and_surfaces() -> None:
    bench = Bench()
    await bench.connection.connect()
    await turns()
    bench.stop_answers_with(write(b"stop", urgent=True))
    broken = RuntimeError("a defect")

    def fail(_data: bytes) -> Reaction:
        raise broken

    bench.protocol.on_data = fail
    assert bench.client.notify is not None
    bench.client.notify(None, bytearray(b"?"))
    await turns()
    assert bench.radio.log[-2:] == ["write stop", "disconnect"]
    assert bench.defects == [broken]
    await bench.connection.aclose()


@in_virtual_time
async def test_a_defect_ends_the_link_also_when_the_protocol_cannot_even_stop() -> None:
    bench = Bench()
    await bench.connection.connect()
    await turns()

    def fail(_given: object) -> Reaction:
        raise RuntimeError("a defect")

    bench.protocol.on_data = fail
    bench.protocol.reply = fail
    assert bench.client.notify is not None
    bench.client.notify(None, bytearray(b"?"))
    await turns()
    assert bench.radio.log[-1] == "disconnect"
    await bench.connection.aclose()


@in_virtual_time
async def test_a_device_that_cannot_be_reached_is_a_reason_and_an_advice() -> None:
    bench = Bench()

    async def fail() -> None:
        raise BleakError("Service Discovery failed")

    bench.radio.on_connect = fail
    with pytest.raises(RadioError) as raised:
        await bench.connection.connect()
    assert raised.value.reason == "Scripted could not be reached (Service Discovery failed)"
    assert "hold it near" in raised.value.advice
    assert bench.connection.ending is not None
    assert bench.connection.ending.cause is Cause.CONNECT_FAILED
    await bench.connection.aclose()


@in_virtual_time
async def test_a_device_that_hangs_up_within_the_same_breath_could_not_be_reached() -> None:
    bench = Bench()

    def no_services(_client: object) -> None:
        raise BleakError("Service Discovery has not been performed yet")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptedClient, "services", property(no_services, lambda _client, _services: None), raising=False)
        with pytest.raises(RadioError, match="could not be reached"):
            await bench.connection.connect()
    assert bench.defects == []
    await bench.connection.aclose()


@in_virtual_time
async def test_a_device_of_another_kind_is_let_go_of() -> None:
    def refuse(protocol: ScriptedProtocol) -> None:
        def start(*_args: object) -> Reaction:
            raise UnsupportedDeviceError("no UART service; services found: none")

        protocol.start = start  # type: ignore[assignment]

    bench = Bench(prepare=refuse)
    with pytest.raises(RadioError, match="not a device that this app knows"):
        await bench.connection.connect()
    assert bench.radio.log == ["disconnect"]
    assert bench.connection.ending is not None
    assert bench.connection.ending.cause is Cause.UNSUPPORTED
    await bench.connection.aclose()


@in_virtual_time
async def test_a_device_that_gives_no_sensible_answer_is_let_go_of() -> None:
    bench = Bench(
        prepare=lambda protocol: setattr(protocol, "on_start", Reaction((), (HandshakeFailed("only noise"),)))
    )
    with pytest.raises(RadioError, match="only noise"):
        await bench.connection.connect()
    assert bench.radio.log == ["disconnect"]
    assert bench.connection.ending is not None
    assert bench.connection.ending.cause is Cause.HANDSHAKE_FAILED
    assert bench.news == []
    await bench.connection.aclose()


@in_virtual_time
async def test_a_handshake_without_end_is_ended() -> None:
    bench = Bench(prepare=lambda protocol: setattr(protocol, "on_start", Reaction()))
    with pytest.raises(RadioError, match="does not answer"):
        await bench.connection.connect()
    assert now() == pytest.approx(HANDSHAKE_LIMIT_S)
    await bench.connection.aclose()


@in_virtual_time
async def test_every_link_has_a_protocol_instance_of_its_own() -> None:
    bench = Bench()
    await bench.connection.connect()
    bench.client.gone()
    bench.connection.reconnect(now() + 60)
    await asyncio.sleep(1)
    assert len(bench.protocols) == 2
    assert bench.protocols[0].heard[-1] == ("lost", 0.0)
    assert bench.news[-1] == LinkReady(first=False, firmware="1.0")
    assert bench.radio.log == ["subscribe", "subscribe"]
    await bench.connection.aclose()


@in_virtual_time
async def test_tries_to_reconnect_come_further_and_further_apart() -> None:
    bench = Bench()
    await bench.connection.connect()
    tries: list[float] = []

    async def fail() -> None:
        tries.append(now())
        raise BleakError("not there")

    bench.radio.on_connect = fail
    bench.client.gone()
    bench.connection.reconnect(20.0)
    await asyncio.sleep(30)
    assert tries == [0.0, 0.25, 0.75, 1.75, 3.75, 7.75, 11.75, 15.75, 19.75]
    assert bench.news[-1] == ReconnectFailed("Scripted could not be reached (not there)")
    await bench.connection.aclose()


@in_virtual_time
async def test_a_device_that_the_system_has_forgotten_is_listened_for_before_the_next_try() -> None:
    bench = Bench()
    await bench.connection.connect()
    bench.radio.log.clear()
    stranger = BLEDevice("C0:00:00:00:00:02", "Scripted", None)
    again = BLEDevice("C0:00:00:00:00:01", "Scripted", None)
    bench.radio.heard = [stranger, again]

    async def forgotten() -> None:
        bench.radio.on_connect = lambda: asyncio.sleep(0)
        raise BleakDeviceNotFoundError("C0:00:00:00:00:01")

    bench.radio.on_connect = forgotten
    bench.client.gone()
    bench.connection.reconnect(60.0)
    await asyncio.sleep(2)
    assert bench.radio.log == ["scan", "scan over", "subscribe"]
    assert bench.radio.connected_to[-1] is again
    assert bench.news[-1] == LinkReady(first=False, firmware="1.0")
    await bench.connection.aclose()


@in_virtual_time
async def test_listening_for_a_forgotten_device_ends_with_the_reconnect() -> None:
    bench = Bench()
    await bench.connection.connect()

    async def forgotten() -> None:
        raise BleakDeviceNotFoundError("C0:00:00:00:00:01")

    bench.radio.on_connect = forgotten
    bench.client.gone()
    bench.connection.reconnect(25.0)
    await asyncio.sleep(24.9)
    assert bench.connection.state is LinkState.RECONNECTING
    await asyncio.sleep(0.2)
    assert bench.news[-1] == ReconnectFailed("Scripted could not be reached (the device is not in reach)")
    assert bench.radio.log.count("scan") == bench.radio.log.count("scan over") == 3
    await bench.connection.aclose()


@in_virtual_time
async def test_a_link_that_the_radio_cannot_end_is_told_as_such() -> None:
    bench = Bench()
    await bench.connection.connect()

    async def fail() -> None:
        raise BleakError("stuck")

    bench.radio.on_disconnect = fail
    bench.connection.drop("a stop was not answered")
    await turns(20)
    assert bench.radio.log.count("disconnect") == 2
    assert bench.news == [
        LinkReady(first=True, firmware="1.0"),
        LinkLost("a stop was not answered; the radio could not end the link (stuck): switch the device off"),
    ]
    await bench.connection.aclose()


def test_a_real_adapter_is_connected_through_with_retries_and_without_cached_services(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[dict[str, Any]] = []

    async def act() -> None:
        bench = Bench()
        bench.radio.system = True

        async def establish(_kind: object, device: BLEDevice, _name: str, disconnected: Any, **options: Any) -> Any:
            asked.append(options)
            client = bench.radio.client(device, disconnected)
            await client.connect()
            return client

        monkeypatch.setattr(bleak_retry_connector, "establish_connection", establish)
        await bench.connection.connect()
        bench.client.gone()
        assert bench.news[-1] == LinkLost("Scripted is out of reach or switched off")

        async def not_found(*_arguments: object, **_options: object) -> None:
            raise bleak_retry_connector.BleakNotFoundError("gone from the system")

        monkeypatch.setattr(bleak_retry_connector, "establish_connection", not_found)
        bench.connection.reconnect(5.0)
        await asyncio.sleep(4)
        assert "scan" in bench.radio.log
        await bench.connection.aclose()

    clock.run(act())
    assert asked == [{"max_attempts": 2, "use_services_cache": False}]


@in_virtual_time
async def test_giving_up_a_connect_leaves_no_link_behind() -> None:
    bench = Bench()
    bench.radio.on_connect = never
    connecting = asyncio.create_task(bench.connection.connect())
    await asyncio.sleep(1)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert bench.connection.state is LinkState.CLOSED
    assert len(asyncio.all_tasks()) == 1


@in_virtual_time
async def test_a_connection_is_for_one_session() -> None:
    bench = Bench()
    await bench.connection.connect()
    await bench.connection.aclose()
    await bench.connection.aclose()
    with pytest.raises(RadioError, match="new connection"):
        await bench.connection.connect()
