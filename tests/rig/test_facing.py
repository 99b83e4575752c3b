"""Face to face: what a protocol asks reaches the device in ATT's order, after the delays, unless the test loses it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from protocols.dr05 import Dr05
from protocols.foreo import Foreo
from protocols.gatt import Characteristic, Disconnect, Operation, Property, Read, Service, Subscribe, Write, uuid
from protocols.machine import NOTHING, DeviceProtocol, LocalProtocolError, Reaction, UnsupportedDeviceError
from protocols.model import (
    Acknowledged,
    Battery,
    Command,
    DeviceProfile,
    Event,
    OutputKind,
    QueryBattery,
    QueryVersion,
    Ready,
    Rejected,
    SetIntensity,
    StartOutput,
    TotalStop,
    Unanswered,
    Unrecognised,
    Version,
)
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import SimulatedForeo
from rig.devices.model import (
    Advertisement,
    AttError,
    DeviceAction,
    Hangup,
    Notify,
    SimulatedDevice,
    TraceEntry,
)
from rig.facing import Facing, StuckError

ONE, TWO, BAD = uuid(0xAA01), uuid(0xAA02), uuid(0xAA03)


class Scripted(DeviceProtocol):
    """Does what the test says and writes down what it is told."""

    def __init__(self, *operations: Operation) -> None:
        self.operations = operations
        self.log: list[tuple[str, float, object]] = []
        self.wake: float | None = None

    profile = DeviceProfile("x", "X", OutputKind.PULSATION, 1, 1, 100, 10.0)
    output_possible = False

    @property
    def deadline(self) -> float | None:
        return self.wake

    def start(self, services: Sequence[Service], now: float) -> Reaction:
        self.log.append(("start", now, len(services)))
        return Reaction(self.operations)

    def command(self, command: Command, now: float) -> Reaction:
        self.log.append(("command", now, command))
        return Reaction((), (Ready("commanded"),))

    def deadline_passed(self, now: float) -> Reaction:
        self.log.append(("deadline", now, None))
        self.wake = None
        return NOTHING

    def data_received(self, characteristic: str, data: bytes, now: float) -> Reaction:
        self.log.append(("data", now, data))
        return Reaction((), (Unrecognised(characteristic, data, "scripted"),))

    def operation_done(self, operation: Operation, now: float) -> Reaction:
        self.log.append(("done", now, operation))
        return NOTHING

    def operation_failed(self, operation: Operation, reason: str, now: float) -> Reaction:
        self.log.append(("failed", now, (operation, reason)))
        return NOTHING

    def link_lost(self, now: float) -> Reaction:
        self.log.append(("lost", now, None))
        return NOTHING


class Plain(SimulatedDevice):
    """Notifies back what is written to ONE; refuses BAD; its log is what reached it, and when."""

    def __init__(self) -> None:
        self.log: list[tuple[str, float, object]] = []
        self.hangup_at: float | None = None

    advertisement = Advertisement("plain")
    services = (
        Service(
            uuid(0xAA00), (Characteristic(ONE, Property.WRITE | Property.NOTIFY), Characteristic(TWO, Property.READ))
        ),
    )
    trace: tuple[TraceEntry, ...] = ()

    @property
    def deadline(self) -> float | None:
        return self.hangup_at

    def output_percent(self, now: float) -> float:
        return 0.0

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        self.log.append(("connected", now, None))
        return ()

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        self.log.append(("disconnected", now, None))
        return ()

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        self.log.append(("subscribed", now, characteristic))
        return ()

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        if characteristic == BAD:
            raise AttError(0x03)
        self.log.append(("written", now, data))
        return (Notify(ONE, data),)

    def read(self, characteristic: str, now: float) -> bytes:
        if characteristic == BAD:
            raise AttError(0x02)
        return b"value"

    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        self.hangup_at = None
        return (Hangup(),)


def _request(name: bytes, *, urgent: bool = False) -> Write:
    return Write(ONE, name, with_response=True, urgent=urgent)


def _command(name: bytes, *, urgent: bool = False) -> Write:
    return Write(ONE, name, with_response=False, urgent=urgent)


def _facing(*operations: Operation, delay: float = 0.01) -> tuple[Facing, Scripted, Plain]:
    protocol, device = Scripted(*operations), Plain()
    facing = Facing(protocol, device, to_device_s=delay, to_host_s=delay)
    facing.start()
    return facing, protocol, device


# --- order and delay --------------------------------------------------------------------------------------------------


def test_requests_go_one_at_a_time_each_after_the_answer_to_the_one_before() -> None:
    facing, protocol, device = _facing(Subscribe(ONE), _request(b"a"), Read(TWO), _request(b"b"))
    facing.advance(1)
    assert device.log == [
        ("connected", 0.0, None),
        ("subscribed", 0.01, ONE),
        ("written", 0.03, b"a"),
        ("written", pytest.approx(0.07), b"b"),
    ]
    assert [(what, pytest.approx(when), value) for what, when, value in protocol.log] == [
        ("start", 0.0, 1),
        ("done", 0.02, Subscribe(ONE)),
        ("done", 0.04, _request(b"a")),
        ("data", 0.04, b"a"),
        ("done", 0.06, Read(TWO)),
        ("data", 0.06, b"value"),
        ("done", 0.08, _request(b"b")),
        ("data", 0.08, b"b"),
    ]


def test_writes_without_response_wait_for_no_answer_but_keep_their_order() -> None:
    facing, protocol, device = _facing(_command(b"a"), _command(b"b"), _command(b"c"))
    facing.advance(1)
    assert [entry for entry in device.log if entry[0] == "written"] == [
        ("written", 0.01, name) for name in (b"a", b"b", b"c")
    ]
    assert [what for what, when, _ in protocol.log if when == 0.0] == ["start", "done", "done", "done"]


def test_an_urgent_request_goes_before_all_that_waits_and_after_the_one_under_way() -> None:
    facing, _, device = _facing(
        _request(b"a"), _request(b"b"), _request(b"s1", urgent=True), _request(b"s2", urgent=True), _request(b"c")
    )
    facing.advance(1)
    written = [value for what, _, value in device.log if what == "written"]
    assert written == [b"s1", b"s2", b"a", b"b", b"c"]
    facing, _, device = _facing(_request(b"a"), _request(b"b"))
    facing.advance(0.005)
    facing._take(Reaction((_request(b"stop", urgent=True),)))
    facing.advance(1)
    assert [value for what, _, value in device.log if what == "written"] == [b"a", b"stop", b"b"]


def test_an_urgent_write_without_response_does_not_even_wait_for_the_request_under_way() -> None:
    facing, _, device = _facing(Subscribe(ONE), _request(b"a"))
    facing.advance(0.012)
    facing._take(Reaction((_command(b"stop", urgent=True),)))
    facing.advance(1)
    assert [(value, pytest.approx(when)) for what, when, value in device.log if what == "written"] == [
        (b"stop", 0.022),
        (b"a", 0.03),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_jitter_delays_but_never_reorders_and_is_the_same_for_the_same_seed(seed: int) -> None:
    def run() -> list[tuple[str, float, object]]:
        protocol, device = Scripted(*[_command(bytes([n])) for n in range(50)]), Plain()
        facing = Facing(protocol, device, seed=seed, jitter_s=0.05)
        facing.start()
        facing.advance(5)
        assert [value for what, _, value in device.log if what == "written"] == [bytes([n]) for n in range(50)], seed
        heard = [value for what, _, value in protocol.log if what == "data"]
        assert heard == [bytes([n]) for n in range(50)], f"seed {seed}"
        return device.log + protocol.log

    assert run() == run()


def test_an_att_error_comes_back_as_a_failed_operation_and_the_next_one_goes_on() -> None:
    bad = Write(BAD, b"x", with_response=True)
    facing, protocol, device = _facing(bad, Read(BAD), Write(BAD, b"y", with_response=False), _request(b"a"))
    facing.advance(1)
    failures = [value for what, _, value in protocol.log if what == "failed"]
    assert failures == [(bad, "ATT error 0x03"), (Read(BAD), "ATT error 0x02")]
    assert ("written", pytest.approx(0.05), b"a") in device.log


def test_an_operation_that_fails_in_the_radio_never_reaches_the_device() -> None:
    facing, protocol, device = _facing()
    facing.fail_operation("no buffer")
    facing._take(Reaction((_request(b"a"), _request(b"b"))))
    facing.advance(1)
    assert [value for what, _, value in protocol.log if what == "failed"] == [(_request(b"a"), "no buffer")]
    assert [value for what, _, value in device.log if what == "written"] == [b"b"]


def test_the_protocols_deadline_is_kept_to_the_instant() -> None:
    facing, protocol, _ = _facing()
    protocol.wake = 3.25
    facing.advance(3.0)
    assert ("deadline", 3.25, None) not in protocol.log
    facing.advance(1.0)
    assert protocol.log[-1] == ("deadline", 3.25, None)
    assert facing.now == 4.0


def test_a_deadline_that_never_moves_is_found_out() -> None:
    class Stubborn(Scripted):
        deadline = 1.0

    facing = Facing(Stubborn(), Plain())
    facing.start()
    with pytest.raises(StuckError, match=r"the protocol wants to be called at 1\.0 s"):
        facing.advance(2.0)


# --- the test's hand on the link --------------------------------------------------------------------------------------


def test_the_nth_notification_from_now_is_lost_and_counted() -> None:
    facing, protocol, _ = _facing(*[_command(name) for name in (b"a", b"b", b"c")])
    facing.drop_notification(2)
    facing.advance(1)
    assert [value for what, _, value in protocol.log if what == "data"] == [b"a", b"c"]
    assert facing.dropped_notifications == 1
    with pytest.raises(ValueError, match="counted from 1"):
        facing.drop_notification(0)


def test_after_a_lost_link_nothing_gets_through_and_each_side_notices_in_its_own_time() -> None:
    facing, protocol, device = _facing(_command(b"a"))
    facing.advance(0.005)
    facing.lose_link(in_s=0.002, device_notices_after_s=2.0, host_notices_after_s=4.0)
    facing.inject(b"late", in_s=10.0)
    facing.advance(1)
    assert facing.link_up
    facing.advance(10)
    assert device.log == [("connected", 0.0, None), ("disconnected", pytest.approx(2.007), None)]
    assert protocol.log[-1] == ("lost", pytest.approx(4.007), None)
    assert not facing.link_up


def test_a_disconnection_that_the_protocol_asks_for_ends_everything_that_waits() -> None:
    facing, protocol, device = _facing(_request(b"a"), _request(b"b"), Disconnect("enough"))
    facing.advance(1)
    assert device.log == [("connected", 0.0, None), ("disconnected", 0.01, None)]
    assert protocol.log[-1] == ("lost", pytest.approx(0.02), None)
    assert facing.operations(Disconnect) == [Disconnect("enough")]


def test_a_device_that_hangs_up_is_a_lost_link() -> None:
    facing, protocol, device = _facing()
    device.hangup_at = 2.0
    facing.advance(5)
    assert device.log[-1] == ("disconnected", 2.0, None)
    assert protocol.log[-1] == ("lost", 2.01, None)


def test_a_new_link_needs_the_old_one_to_be_over_and_hears_nothing_of_it() -> None:
    facing, first, device = _facing(*[_command(bytes([n])) for n in range(3)])
    second = Scripted()
    with pytest.raises(ValueError, match="not over yet"):
        facing.reconnect(second)
    facing.advance(0.015)
    facing.lose_link()
    facing.advance(0)
    facing.reconnect(second)
    facing.advance(5)
    assert [what for what, _, _ in first.log] == ["start", "done", "done", "done", "lost"]
    assert second.log == [("start", 0.015, 1)]
    assert [what for what, _, _ in device.log][-2:] == ["disconnected", "connected"]


def test_injected_bytes_are_heard_on_the_first_notifying_characteristic() -> None:
    facing, _, _ = _facing()
    facing.inject(b"\xff" * 3, in_s=1.5)
    facing.inject(b"other", characteristic=TWO, in_s=1.0)
    facing.advance(2)
    assert [(told.time, told.event) for told in facing.told] == [
        (1.0, Unrecognised(TWO, b"other", "scripted")),
        (1.5, Unrecognised(ONE, b"\xff" * 3, "scripted")),
    ]


def test_whoever_listens_to_events_may_command_at_once() -> None:
    heard: list[tuple[list[Event], float]] = []

    def on_events(events: list[Event], now: float) -> None:
        heard.append((events, now))
        if len(heard) == 1:
            facing.command(QueryVersion())

    facing = Facing(Scripted(), Plain(), on_events=on_events)
    facing.start()
    facing.inject(b"x", in_s=1.0)
    facing.advance(2)
    assert heard == [([Unrecognised(ONE, b"x", "scripted")], 1.0), ([Ready("commanded")], 1.0)]


def test_run_until_stops_where_the_predicate_holds_and_otherwise_at_its_limit() -> None:
    facing, protocol, _ = _facing(Subscribe(ONE))
    assert facing.run_until(lambda: any(what == "done" for what, _, _ in protocol.log))
    assert facing.now == 0.02
    assert not facing.run_until(lambda: False, limit_s=5.0)
    assert facing.now == 5.02
    assert not facing.step()
    assert facing.now == 5.02


# --- with the real protocols ------------------------------------------------------------------------------------------


def _ready(device: SimulatedDevice, protocol: DeviceProtocol) -> Facing:
    facing = Facing(protocol, device)
    facing.start()
    assert facing.run_until(lambda: bool(facing.events(Ready)), 10), facing.told
    return facing


def test_a_dr05_is_driven_up_and_stopped() -> None:
    facing = _ready(SimulatedDr05(), Dr05())
    for command in (SetIntensity(1), StartOutput(), SetIntensity(2), TotalStop()):
        facing.command(command)
        facing.advance(1)
    assert [event.command for event in facing.events(Acknowledged)][-4:] == [
        SetIntensity(1),
        StartOutput(),
        SetIntensity(2),
        TotalStop(),
    ]
    assert [entry.output_percent for entry in facing.device.trace] == [1.0, 2.0, 0.0]


def test_h3_dr05_hazard_7_three_stops_unanswered_end_the_link_and_with_it_the_output() -> None:
    device = SimulatedDr05()
    facing = _ready(device, Dr05())
    for command in (SetIntensity(1), StartOutput()):
        facing.command(command)
        facing.advance(1)
    device.set_silent(silent=True, now=facing.now)
    asked = facing.now
    facing.command(TotalStop())
    assert facing.run_until(lambda: not facing.link_up, 5)
    assert facing.events(Unanswered)
    assert device.output_percent(facing.now) == 0
    assert facing.now - asked < 1.0
    stops = [
        p.time for p in facing.performed if isinstance(p.operation, Write) and p.operation.urgent and p.time >= asked
    ]
    assert stops == [pytest.approx(asked + 0.3 * n) for n in range(3)]


def test_a_command_that_the_protocol_refuses_makes_no_byte() -> None:
    facing = _ready(SimulatedDr05(), Dr05())
    before = len(facing.performed)
    with pytest.raises(LocalProtocolError):
        facing.command(StartOutput())
    assert len(facing.performed) == before


def test_a_protocol_that_does_not_know_the_services_says_so() -> None:
    with pytest.raises(UnsupportedDeviceError):
        Facing(Dr05(), Plain()).start()


def test_a_foreo_is_driven_and_reports_its_battery() -> None:
    device = SimulatedForeo("BEAR2", seed=2)
    facing = _ready(device, Foreo("BEAR2"))
    facing.command(QueryBattery())
    facing.advance(1)
    assert facing.events(Battery)[-1].percent == device.battery_percent(facing.now)
    for command in (SetIntensity(10), StartOutput()):
        facing.command(command)
        facing.advance(2)
    assert device.output_percent(facing.now) == 10
    facing.command(TotalStop())
    facing.advance(1)
    assert device.output_percent(facing.now) == 0
    assert not facing.events(Rejected)


def test_a_version_asked_for_comes_back_as_an_event() -> None:
    facing = _ready(SimulatedDr05(version=(2, 3)), Dr05())
    facing.command(QueryVersion())
    facing.advance(1)
    assert facing.events(Version)
