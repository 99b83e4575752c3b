"""FOREO: what is publicly known is driven, what is not is never guessed at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.foreo import BATTERY, NAMES, PULSATION, SKIN, Foreo, profile_for
from protocols.gatt import Characteristic, Disconnect, Operation, Property, Read, Service, Subscribe, Write, uuid
from protocols.machine import LocalProtocolError, Reaction, UnsupportedDeviceError
from protocols.model import (
    Acknowledged,
    Battery,
    Command,
    Event,
    HandshakeFailed,
    MeasureSkin,
    OutputKind,
    QueryBattery,
    QueryTemperature,
    QueryVersion,
    Ready,
    Refusal,
    Rejected,
    Repeated,
    Report,
    SelectMode,
    SetIntensity,
    SkinReading,
    StartCooling,
    StartOutput,
    StopOutput,
    TotalStop,
    Unanswered,
    Unrecognised,
)

CONTROL = Characteristic(PULSATION, Property.WRITE)
SERVICES = (
    Service(
        uuid("fff0"),
        (
            CONTROL,
            Characteristic(BATTERY, Property.READ | Property.NOTIFY),
            Characteristic(SKIN, Property.WRITE | Property.NOTIFY),
        ),
    ),
)


def pulse(level: int, motor: int = 0, *, urgent: bool = False) -> Write:
    return Write(PULSATION, bytes((1, motor, level)), with_response=True, urgent=urgent)


class Talk:
    """A link in which the test says when the radio is done with what."""

    def __init__(self, name: str = "BEAR2", services: tuple[Service, ...] = SERVICES) -> None:
        self.now = 0.0
        self.protocol = Foreo(name)
        self.operations: list[Operation] = []
        self.events: list[Event] = []
        self.take(self.protocol.start(services, 0.0))

    @classmethod
    def ready(cls, name: str = "BEAR2", services: tuple[Service, ...] = SERVICES) -> Talk:
        talk = cls(name, services)
        talk.done(talk.operations[0])
        talk.look()
        return talk

    @classmethod
    def running(cls) -> Talk:
        talk = cls.ready()
        talk.asks(SetIntensity(10))
        talk.asks(StartOutput())
        talk.done(pulse(1))
        talk.look()
        return talk

    def take(self, reaction: Reaction) -> None:
        self.operations += reaction.operations
        self.events += reaction.events

    def asks(self, command: Command) -> None:
        self.take(self.protocol.command(command, self.now))

    def done(self, operation: Operation) -> None:
        self.take(self.protocol.operation_done(operation, self.now))

    def fails(self, operation: Operation) -> None:
        self.take(self.protocol.operation_failed(operation, "not permitted", self.now))

    def hears(self, characteristic: str, data: bytes) -> None:
        self.take(self.protocol.data_received(characteristic, data, self.now))

    def waits(self, seconds: float) -> None:
        until = self.now + seconds
        while (deadline := self.protocol.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.take(self.protocol.deadline_passed(self.now))
            assert self.protocol.deadline != deadline, f"the deadline {deadline} s was met and does not move"
        self.now = until

    def look(self) -> tuple[list[Operation], list[Event]]:
        seen = self.operations, self.events
        self.operations, self.events = [], []
        return seen


# --- names and profiles ------------------------------------------------------------------------------------------


def test_each_listed_name_has_a_profile_of_pulsation_and_no_current() -> None:
    assert len(set(NAMES)) == len(NAMES) == 39
    for name in NAMES:
        profile = profile_for(name)
        assert profile.output is OutputKind.PULSATION
        assert profile.full_scale_ua is None
        assert (profile.lowest_percent, profile.step_percent, profile.modes) == (10, 10, ())


def test_only_the_models_with_microcurrent_say_that_it_is_set_by_hand() -> None:
    by_hand = {name for name in NAMES if "microcurrent" in profile_for(name).hand_set}
    assert by_hand == {name for name in NAMES if name.startswith("BEAR")}


def test_a_name_that_is_not_listed_is_not_guessed_at() -> None:
    with pytest.raises(UnsupportedDeviceError, match="bear2"):
        Foreo("bear2")


@pytest.mark.parametrize(
    ("name", "motor"),
    [
        *(("LUNA PLAYSMART2", 3), ("LUNA play smart 2", 3), ("LUNA PLAY SMART", 0)),
        *(("UFO", 1), ("UFO2", 1), ("UFO3led", 1), ("FOFO", 1), ("LUNA FOFO", 1)),
        *(("BEAR", 0), ("BEAR 2", 0), ("LUNA 4 plus", 0), ("KIWI derma", 0)),
    ],
)
def test_the_motor_byte_follows_the_name(name: str, motor: int) -> None:
    talk = Talk.ready(name)
    talk.asks(SetIntensity(10))
    talk.asks(StartOutput())
    assert talk.look()[0] == [pulse(1, motor)]


# --- a fresh link ------------------------------------------------------------------------------------------------


def test_a_fresh_link_is_stopped_before_it_is_ready() -> None:
    talk = Talk()
    assert talk.operations == [pulse(0, urgent=True), Subscribe(BATTERY), Subscribe(SKIN), Read(BATTERY)]
    assert talk.protocol.output_possible
    with pytest.raises(LocalProtocolError, match="stands still"):
        talk.asks(QueryBattery())
    talk.done(pulse(0, urgent=True))
    assert talk.events == [Ready(None)]
    assert not talk.protocol.output_possible


def test_a_device_that_cannot_be_stopped_is_never_ready() -> None:
    talk = Talk()
    talk.look()
    talk.waits(0.9)
    assert talk.operations == [pulse(0, urgent=True)] * 2 + [Disconnect("the stop was not acknowledged")]
    assert [type(event) for event in talk.events] == [Repeated, Repeated, HandshakeFailed]


@pytest.mark.parametrize(
    "services",
    [(), (Service(uuid("fff0"), (Characteristic(PULSATION, Property.WRITE_WITHOUT_RESPONSE),)),)],
)
def test_other_services_are_refused(services: tuple[Service, ...]) -> None:
    with pytest.raises(UnsupportedDeviceError, match="FFF1"):
        Foreo("BEAR").start(services, 0.0)


def test_what_this_unit_does_not_have_leaves_the_profile_and_cannot_be_asked() -> None:
    talk = Talk.ready("BEAR", (Service(uuid("fff0"), (CONTROL,)),))
    assert talk.protocol.profile.reports == frozenset()
    for command in (QueryBattery(), MeasureSkin()):
        with pytest.raises(LocalProtocolError, match="not known for this device"):
            talk.asks(command)


def test_the_full_unit_reports_battery_and_skin_and_nothing_else() -> None:
    assert Talk.ready().protocol.profile.reports == {Report.BATTERY, Report.SKIN}


@pytest.mark.parametrize("command", [QueryVersion(), QueryTemperature(), SelectMode(1), StartCooling()])
def test_what_is_not_documented_makes_no_byte(command: Command) -> None:
    talk = Talk.ready()
    with pytest.raises(LocalProtocolError):
        talk.asks(command)
    assert talk.look() == ([], [])


# --- levels ------------------------------------------------------------------------------------------------------


def test_a_level_set_at_rest_is_kept_for_the_start_and_written_with_it() -> None:
    talk = Talk.ready()
    talk.asks(SetIntensity(10))
    assert talk.look() == ([], [Acknowledged(SetIntensity(10), 0.0)])
    talk.asks(StartOutput())
    assert talk.look() == ([pulse(1)], [])
    assert talk.protocol.output_possible
    talk.now = 0.05
    talk.done(pulse(1))
    assert talk.look() == ([], [Acknowledged(StartOutput(), 0.05)])


@pytest.mark.parametrize("percent", [0, 5, 20, 100, 110, -10])
def test_at_rest_only_the_lowest_level_is_taken(percent: int) -> None:
    talk = Talk.ready()
    with pytest.raises(LocalProtocolError):
        talk.asks(SetIntensity(percent))


def test_a_start_without_a_level_is_refused_and_so_is_one_after_a_stop() -> None:
    talk = Talk.running()
    talk.asks(StopOutput())
    talk.done(pulse(0, urgent=True))
    with pytest.raises(LocalProtocolError, match="none is known"):
        talk.asks(StartOutput())


def test_the_level_rises_one_step_a_second_once_acknowledged_and_falls_at_will() -> None:
    talk = Talk.running()
    talk.now = 0.99
    with pytest.raises(LocalProtocolError, match="allowed in"):
        talk.asks(SetIntensity(20))
    talk.now = 1.0
    with pytest.raises(LocalProtocolError, match="more than one step"):
        talk.asks(SetIntensity(30))
    with pytest.raises(LocalProtocolError, match="between two steps"):
        talk.asks(SetIntensity(15))
    talk.asks(SetIntensity(20))
    talk.now = 5.0
    with pytest.raises(LocalProtocolError):
        talk.asks(SetIntensity(30))
    assert talk.look()[0] == [pulse(2)]


def test_one_write_is_under_way_and_the_next_follows_its_response() -> None:
    talk = Talk.running()
    talk.now = 1.0
    talk.asks(SetIntensity(20))
    talk.asks(SetIntensity(0))
    assert talk.look()[0] == [pulse(2)]
    talk.done(pulse(2))
    assert talk.look() == ([pulse(0)], [Acknowledged(SetIntensity(20), 0.0)])
    talk.done(pulse(0))
    assert talk.look() == ([], [Acknowledged(SetIntensity(0), 0.0)])
    assert talk.protocol.output_possible  # a level of 0 is a pause: a stop is a stop when it was asked for as one


def test_a_write_without_a_response_in_time_is_given_up_and_counts_as_output() -> None:
    talk = Talk.ready()
    talk.asks(SetIntensity(10))
    talk.asks(StartOutput())
    talk.waits(2.0)
    assert talk.events[-1] == Unanswered(StartOutput(), 1)
    assert talk.protocol.output_possible


def test_a_write_that_the_device_refuses_is_rejected() -> None:
    talk = Talk.running()
    talk.now = 1.0
    talk.asks(SetIntensity(20))
    talk.fails(pulse(2))
    assert talk.events == [Rejected(SetIntensity(20), Refusal.RADIO)]
    with pytest.raises(LocalProtocolError, match="acknowledged"):
        talk.asks(SetIntensity(20))


# --- stopping ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [TotalStop(), StopOutput()])
def test_a_stop_is_repeated_until_its_response_and_the_third_silence_ends_the_link(
    stop: TotalStop | StopOutput,
) -> None:
    """H3: three tries 300 ms apart, then the link is ended."""
    talk = Talk.running()
    talk.asks(QueryBattery())
    talk.look()
    talk.asks(stop)
    assert talk.look() == ([pulse(0, urgent=True)], [Rejected(QueryBattery(), Refusal.SUPERSEDED)])
    with pytest.raises(LocalProtocolError, match="a stop is not acknowledged"):
        talk.asks(SetIntensity(0))
    talk.waits(0.899)
    assert talk.look() == ([pulse(0, urgent=True)] * 2, [Repeated(stop, 2), Repeated(stop, 3)])
    talk.waits(0.001)
    assert talk.look() == ([Disconnect("the stop was not acknowledged")], [Unanswered(stop, 3)])
    assert talk.protocol.output_possible
    talk.waits(1.0)
    talk.asks(TotalStop())
    assert talk.look()[0] == [Disconnect("the stop was not acknowledged")] * 2


def test_a_stop_is_acknowledged_by_the_response_of_its_write() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    talk.asks(StopOutput())
    talk.now = 0.1
    talk.done(pulse(0, urgent=True))
    assert talk.events == [Acknowledged(TotalStop(), 0.1), Acknowledged(StopOutput(), 0.1)]
    assert not talk.protocol.output_possible


def test_a_start_that_still_waits_in_the_radio_is_followed_by_a_second_stop() -> None:
    """H3: the urgent stop overtakes the start, which would then be performed after it."""
    talk = Talk.ready()
    talk.asks(SetIntensity(10))
    talk.asks(StartOutput())
    talk.look()
    talk.asks(TotalStop())
    assert talk.operations == [pulse(0, urgent=True), pulse(0)]
    talk.done(pulse(0, urgent=True))
    assert talk.protocol.output_possible
    talk.done(pulse(1))
    assert talk.protocol.output_possible
    talk.done(pulse(0))
    assert not talk.protocol.output_possible


def test_a_start_performed_before_the_stop_needs_no_second_response() -> None:
    talk = Talk.ready()
    talk.asks(SetIntensity(10))
    talk.asks(StartOutput())
    talk.asks(TotalStop())
    talk.done(pulse(1))
    talk.done(pulse(0, urgent=True))
    assert not talk.protocol.output_possible


def test_a_stop_that_fails_is_repeated_at_once_and_then_the_link_is_ended() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    for _ in range(3):
        talk.fails(pulse(0, urgent=True))
    assert talk.operations == [pulse(0, urgent=True)] * 3 + [Disconnect("the stop could not be written: not permitted")]
    talk.look()
    talk.fails(Disconnect("the stop could not be written: not permitted"))
    talk.waits(0.3)
    assert [type(operation) for operation in talk.operations] == [Disconnect]
    talk.done(talk.operations[0])
    assert talk.protocol.deadline is None


def test_a_stop_before_the_services_are_known_ends_the_link() -> None:
    reaction = Foreo("BEAR").command(TotalStop(), 0.0)
    assert [type(operation) for operation in reaction.operations] == [Disconnect]


def test_a_lost_link_spends_the_instance_and_proves_nothing_about_the_output() -> None:
    """What the device does then is not documented; the next link begins with a stop."""
    talk = Talk.running()
    talk.asks(QueryBattery())
    talk.asks(MeasureSkin())
    talk.look()
    talk.take(talk.protocol.link_lost(1.0))
    radio = Refusal.RADIO
    assert talk.look() == ([], [Rejected(QueryBattery(), radio), Rejected(MeasureSkin(), radio)])
    assert talk.protocol.output_possible
    assert talk.protocol.deadline is None
    with pytest.raises(LocalProtocolError, match="link has ended"):
        talk.asks(QueryBattery())
    talk.asks(TotalStop())
    assert talk.look() == ([], [Rejected(TotalStop(), radio)])
    talk.take(talk.protocol.link_lost(2.0))
    talk.take(talk.protocol.deadline_passed(2.0))
    talk.fails(pulse(1))
    talk.hears(BATTERY, b"\x64")
    assert talk.look() == ([], [])


def test_a_lost_link_with_a_stop_pending_says_that_it_could_not_be_delivered() -> None:
    talk = Talk.running()
    talk.asks(TotalStop())
    talk.take(talk.protocol.link_lost(0.1))
    assert talk.events == [Rejected(TotalStop(), Refusal.RADIO)]


# --- battery and skin --------------------------------------------------------------------------------------------


def test_the_battery_is_told_when_it_comes_and_when_it_is_asked() -> None:
    talk = Talk.ready()
    talk.hears(BATTERY, b"\x64")
    assert talk.look() == ([], [Battery(100)])
    talk.asks(QueryBattery())
    assert talk.look()[0] == [Read(BATTERY)]
    talk.done(Read(BATTERY))
    talk.hears(BATTERY, b"\x63")
    assert talk.look() == ([], [Battery(99), Acknowledged(QueryBattery(), 0.0)])


@pytest.mark.parametrize("data", [b"", b"\x65", b"\x01\x02"])
def test_a_battery_level_that_cannot_be_is_not_told_as_one(data: bytes) -> None:
    talk = Talk.ready()
    talk.hears(BATTERY, data)
    assert [type(event) for event in talk.events] == [Unrecognised]


def test_a_skin_reading_is_the_raw_two_bytes() -> None:
    talk = Talk.ready()
    talk.asks(MeasureSkin())
    assert talk.look()[0] == [Write(SKIN, b"\xef", with_response=True)]
    talk.done(Write(SKIN, b"\xef", with_response=True))
    talk.now = 0.5
    talk.hears(SKIN, b"\x01\x02")
    assert talk.look() == ([], [SkinReading(0x0102), Acknowledged(MeasureSkin(), 0.5)])


def test_a_skin_reading_that_is_not_notified_is_read() -> None:
    skin = Characteristic(SKIN, Property.WRITE | Property.READ)
    talk = Talk.ready("BEAR", (Service(uuid("fff0"), (CONTROL, skin)),))
    talk.asks(MeasureSkin())
    talk.look()
    talk.done(Write(SKIN, b"\xef", with_response=True))
    assert talk.look()[0] == [Read(SKIN)]
    talk.fails(Read(SKIN))
    assert talk.events == [Rejected(MeasureSkin(), Refusal.RADIO)]


def test_a_skin_characteristic_that_cannot_be_written_counts_as_absent() -> None:
    skin = Characteristic(SKIN, Property.NOTIFY)
    talk = Talk.ready("BEAR", (Service(uuid("fff0"), (CONTROL, skin)),))
    assert Report.SKIN not in talk.protocol.profile.reports


def test_a_skin_reading_that_never_comes_is_given_up() -> None:
    talk = Talk.ready()
    talk.asks(MeasureSkin())
    talk.waits(5.0)
    assert talk.events == [Unanswered(MeasureSkin(), 1)]


@given(st.lists(st.tuples(st.sampled_from([PULSATION, BATTERY, SKIN, uuid("2a19")]), st.binary(max_size=4))))
def test_no_bytes_make_the_protocol_raise_or_change_what_is_known_of_the_output(data: list[tuple[str, bytes]]) -> None:
    talk = Talk.running()
    talk.asks(QueryBattery())
    for characteristic, value in data:
        talk.hears(characteristic, value)
    assert talk.protocol.output_possible
