"""What a Dr-05 is asked and what it says: every command, every reply, one request at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dr05 import PROFILE, REPLY_S
from protocols.frames import HEADER, encode
from protocols.gatt import Write, uuid
from protocols.machine import LocalProtocolError
from protocols.model import (
    Acknowledged,
    Command,
    MeasureSkin,
    QueryBattery,
    QueryTemperature,
    QueryVersion,
    Refusal,
    Rejected,
    Repeated,
    SelectMode,
    SetCoolingTarget,
    SetIntensity,
    StartCooling,
    StartOutput,
    StopCooling,
    StopOutput,
    Temperature,
    TotalStop,
    Unanswered,
    Unrecognised,
    Version,
    WaterBack,
    WaterLow,
)
from tests.protocols.talk import (
    ACCEPTED,
    FFE1,
    LOWEST,
    REFUSED,
    REPORT,
    RISE_S,
    START,
    STEP,
    TOTAL_STOP,
    Talk,
    energy,
    reply,
)

ASK_TEMPERATURE = bytes.fromhex("55AA0500A63302419913")
ASK_VERSION = bytes.fromhex("55AA0500A633024059D2")


@pytest.mark.parametrize(
    ("command", "frame"),
    [
        (SetIntensity(1), "55 AA 06 00 A6 32 02 02 01 C1 1A"),
        (StopOutput(), "55 AA 06 00 A6 31 02 03 00 D5 DA"),
        (TotalStop(), "55 AA 05 00 A6 31 02 06 6B F2"),
        (SelectMode(1), "55 AA 06 00 A6 32 02 0D 01 31 1F"),
        (SelectMode(2), "55 AA 06 00 A6 32 02 0D 02 30 5F"),
        (StartCooling(), "55 AA 06 00 A6 31 02 01 01 75 1A"),
        (StopCooling(), "55 AA 06 00 A6 31 02 01 00 B5 DB"),
        (SetCoolingTarget(10), "55 AA 06 00 A6 32 02 0C 0A 66 5F"),
        (SetCoolingTarget(-2), "55 AA 06 00 A6 32 02 0C FE E1 5E"),
        (QueryVersion(), "55 AA 05 00 A6 33 02 40 59 D2"),
        (QueryTemperature(), "55 AA 05 00 A6 33 02 41 99 13"),
    ],
    ids=str,
)
def test_each_command_is_the_frame_that_the_maker_documents_and_its_echo_acknowledges_it(
    command: Command, frame: str
) -> None:
    talk = Talk.ready()
    talk.asks(command)
    (written,), _ = talk.look()
    assert written == bytes.fromhex(frame)
    talk.now = 0.25
    talk.hears(reply(written, more=b"\x02\x01" if written[5] == 0x33 else b""))
    assert talk.events[-1] == Acknowledged(command, 0.25)
    assert talk.protocol.deadline is None


def test_start_is_the_frame_that_the_maker_documents() -> None:
    talk = Talk.ready()
    talk.asks(SetIntensity(LOWEST), answered=True)
    talk.look()
    talk.asks(StartOutput())
    assert talk.look()[0] == [bytes.fromhex("55 AA 06 00 A6 31 02 03 01 15 1B")]


def test_the_level_is_one_byte_of_percent_as_the_maker_documents() -> None:
    talk = Talk.running()
    for percent in range(LOWEST + STEP, 11, STEP):
        talk.waits(RISE_S)
        talk.look()
        talk.asks(SetIntensity(percent))
        (written,) = talk.look()[0]
        talk.hears(reply(written))
        assert talk.events == [Acknowledged(SetIntensity(percent), 0.0)]
        if percent == 5:
            assert written == bytes.fromhex("55 AA 06 00 A6 32 02 02 05 02 1B")
    assert written == bytes.fromhex("55 AA 06 00 A6 32 02 02 0A 06 5B")


@pytest.mark.parametrize("command", [QueryBattery(), MeasureSkin()])
def test_what_the_device_does_not_report_cannot_be_asked(command: Command) -> None:
    talk = Talk.ready()
    with pytest.raises(LocalProtocolError, match="not reported by this device"):
        talk.asks(command)


@pytest.mark.parametrize(
    "command",
    [SetCoolingTarget(-3), SetCoolingTarget(21), SelectMode(0), SelectMode(3), SetIntensity(-1), SetIntensity(101)],
)
def test_what_is_out_of_range_makes_no_byte(command: Command) -> None:
    talk = Talk.ready()
    with pytest.raises(LocalProtocolError):
        talk.asks(command)
    assert talk.look() == ([], [])


@given(
    st.lists(
        st.one_of(
            st.builds(SetIntensity, st.integers(0, 100)),
            st.builds(SetCoolingTarget, st.integers(-2, 20)),
            st.builds(SelectMode, st.sampled_from([1, 2])),
            st.sampled_from(
                [StartOutput(), StopOutput(), TotalStop(), StartCooling(), StopCooling(), QueryVersion()],
            ),
        ),
        max_size=30,
    )
)
def test_no_sequence_of_commands_makes_a_factory_request_or_an_overlong_frame(commands: list[Command]) -> None:
    talk = Talk.ready()
    for command in commands:
        talk.waits(0.5)
        try:
            talk.asks(command, answered=True)
        except LocalProtocolError:
            continue
    for data in talk.look()[0]:
        assert data.startswith(HEADER)
        assert len(data) == data[2] + 5
        assert data[2] <= 8
        assert (data[5], data[7]) not in {(0x31, 0x05), (0x31, 0xAA)}


def test_version_and_temperature_are_told_before_their_acknowledgement() -> None:
    talk = Talk.ready()
    talk.asks(QueryVersion())
    talk.hears(reply(ASK_VERSION, more=b"\x02\x01"))
    talk.asks(QueryTemperature())
    talk.hears(reply(ASK_TEMPERATURE, more=b"\x00\xfb"))
    assert talk.events == [
        Version(2, 1),
        Acknowledged(QueryVersion(), 0.0),
        Temperature(25.1),
        Acknowledged(QueryTemperature(), 0.0),
    ]


@pytest.mark.parametrize(
    ("para", "celsius"), [(b"\x00\x00", 0.0), (b"\xff\xff", -0.1), (b"\xff\xf6", -1.0), (b"\x7f\xff", 3276.7)]
)
def test_temperature_is_signed_tenths_of_a_degree(para: bytes, celsius: float) -> None:
    talk = Talk.ready()
    talk.asks(QueryTemperature())
    talk.hears(reply(ASK_TEMPERATURE, more=para))
    assert talk.events[0] == Temperature(celsius)


def test_a_reply_split_and_joined_anywhere_is_still_the_reply() -> None:
    stream = reply(ASK_TEMPERATURE, more=b"\x00\xfb") + encode(REPORT, ACCEPTED, 0x07, b"\x00")
    for cut in range(len(stream)):
        talk = Talk.ready()
        talk.asks(QueryTemperature())
        talk.hears(stream[:cut])
        talk.hears(stream[cut:])
        assert talk.events == [Temperature(25.1), Acknowledged(QueryTemperature(), 0.0), WaterLow()]


# --- one request at a time ---------------------------------------------------------------------------------------


def test_one_request_is_in_flight_and_the_rest_wait_in_order() -> None:
    talk = Talk.ready()
    talk.asks(QueryTemperature())
    talk.asks(SetCoolingTarget(10))
    talk.asks(QueryVersion())
    assert talk.look()[0] == [ASK_TEMPERATURE]
    talk.hears(reply(ASK_TEMPERATURE, more=b"\x00\xfb"))
    (cooling,), _ = talk.look()
    assert cooling[7] == 0x0C
    talk.hears(reply(cooling))
    assert talk.look()[0] == [ASK_VERSION]


def test_a_request_is_repeated_after_half_a_second_and_given_up_after_the_third_try() -> None:
    talk = Talk.ready()
    talk.asks(QueryTemperature())
    talk.asks(QueryVersion())
    talk.waits(3 * REPLY_S)
    writes, events = talk.look()
    assert writes == [ASK_TEMPERATURE] * 3 + [ASK_VERSION]
    query = QueryTemperature()
    assert events == [Repeated(query, 2), Repeated(query, 3), Unanswered(query, 3)]


def test_the_latency_of_a_repeated_request_runs_from_its_first_write() -> None:
    talk = Talk.ready()
    talk.asks(SetCoolingTarget(10))
    talk.waits(0.75)
    (first, second), _ = talk.look()
    talk.hears(reply(first))
    assert talk.look() == ([], [Acknowledged(SetCoolingTarget(10), 0.75)])
    talk.hears(reply(second))  # the echo of the repetition is expected, and says nothing new
    assert talk.look() == ([], [])


def test_an_echo_must_fit_in_type_function_and_para() -> None:
    talk = Talk.ready()
    talk.asks(SetCoolingTarget(10))
    (written,), _ = talk.look()
    for wrong in (encode(0x32, 1, 0x0C, b"\x0b"), encode(0x31, 1, 0x0C, b"\x0a"), encode(0x32, 1, 0x0D, b"\x0a")):
        talk.hears(wrong)
        assert talk.look() == ([], [Unrecognised(FFE1, wrong, "a frame that means nothing here")])
    talk.hears(reply(written))
    assert talk.look() == ([], [Acknowledged(SetCoolingTarget(10), 0.0)])


def test_the_echo_of_an_older_request_does_not_acknowledge_a_newer_one_past_another_value() -> None:
    talk = Talk.ready()
    for celsius in (10, 12):  # each is given up: nothing was answered in three tries
        talk.asks(SetCoolingTarget(celsius))
        talk.waits(3 * REPLY_S)
    ten, twelve = (encode(0x32, ACCEPTED, 0x0C, bytes((celsius,))) for celsius in (10, 12))
    talk.asks(SetCoolingTarget(10))
    talk.look()
    talk.hears(ten)  # of the older one, with a 12 after it
    assert talk.look() == ([], [])
    talk.hears(twelve)
    talk.hears(ten)
    assert [type(event) for event in talk.events] == [Acknowledged]


def test_a_refused_checksum_is_resent_once_in_place_and_then_rejected() -> None:
    talk = Talk.ready()
    talk.asks(SetCoolingTarget(10))
    talk.asks(QueryVersion())
    (written,), _ = talk.look()
    talk.hears(reply(written, REFUSED))
    assert talk.look() == ([written], [])
    talk.hears(reply(written, REFUSED))
    assert talk.look() == ([ASK_VERSION], [Rejected(SetCoolingTarget(10), Refusal.CHECKSUM)])


def test_a_write_that_the_radio_cannot_deliver_is_rejected_and_the_next_one_sent() -> None:
    talk = Talk.ready()
    talk.asks(SetCoolingTarget(10))
    talk.asks(QueryVersion())
    (operation,) = talk.operations
    talk.look()
    talk.take(talk.protocol.operation_failed(operation, "gone", talk.now))
    assert talk.look() == ([ASK_VERSION], [Rejected(SetCoolingTarget(10), Refusal.RADIO)])


def test_less_goes_in_front_of_what_waits_and_in_place_of_more() -> None:
    talk = Talk.running()
    talk.now = 1.0
    talk.asks(QueryTemperature())
    talk.asks(QueryVersion())
    talk.asks(SetIntensity(LOWEST + STEP))
    talk.asks(SetIntensity(0))
    assert talk.look() == ([ASK_TEMPERATURE], [Rejected(SetIntensity(LOWEST + STEP), Refusal.SUPERSEDED)])
    talk.hears(reply(ASK_TEMPERATURE, more=b"\x00\xfb"))
    assert talk.look()[0] == [energy(0)]


# --- water -------------------------------------------------------------------------------------------------------

LOW_WATER, WATER_IS_BACK = encode(REPORT, ACCEPTED, 0x07, b"\x00"), encode(REPORT, ACCEPTED, 0x07, b"\x01")


def test_low_water_is_told_once_however_often_it_is_repeated() -> None:
    talk = Talk.ready()
    for _ in range(5):
        talk.hears(LOW_WATER)
        talk.waits(1.0)
    assert talk.look() == ([], [WaterLow()])


def test_water_is_back_after_three_seconds_of_silence() -> None:
    talk = Talk.ready()
    talk.hears(LOW_WATER)
    talk.waits(1.0)
    talk.hears(LOW_WATER)
    talk.waits(2.999)
    assert talk.look() == ([], [WaterLow()])
    talk.waits(0.001)
    assert talk.look() == ([], [WaterBack()])
    assert talk.protocol.deadline is None


def test_water_is_back_at_once_where_the_device_says_so_and_that_is_told_once() -> None:
    talk = Talk.ready()
    talk.hears(LOW_WATER)
    talk.hears(WATER_IS_BACK)
    talk.hears(WATER_IS_BACK)
    talk.waits(10.0)
    assert talk.look() == ([], [WaterLow(), WaterBack()])


def test_cooling_is_not_started_while_the_water_is_low() -> None:
    talk = Talk.ready()
    talk.asks(StartCooling())
    (start,), _ = talk.look()
    talk.hears(LOW_WATER)
    talk.hears(reply(start))  # the device accepts in words and does not cool
    assert talk.look()[1] == [WaterLow(), Rejected(StartCooling(), Refusal.DEVICE)]
    with pytest.raises(LocalProtocolError, match="water is low"):
        talk.asks(StartCooling())


# --- nonsense ----------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.binary(max_size=30), st.floats(0, 3)), max_size=20), st.booleans())
def test_no_bytes_make_the_protocol_raise_and_it_finds_its_way_back(
    junk: list[tuple[bytes, float]], running: bool
) -> None:
    talk = Talk.running() if running else Talk.ready()
    for data, pause in junk:
        talk.hears(data)
        talk.waits(pause)
    talk.waits(60.0)
    talk.look()
    talk.asks(TotalStop())
    talk.hears(reply(TOTAL_STOP))
    assert Acknowledged(TotalStop(), 0.0) in talk.events
    assert not talk.protocol.output_possible


@given(
    st.lists(
        st.builds(
            lambda *a: encode(*a[:4], device_id=a[4]),
            st.sampled_from([0x30, 0x31, 0x32, 0x33, 0x66]),
            st.sampled_from([0x00, 0x01, 0x03]),
            st.sampled_from([0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x0C, 0x0D, 0x40, 0x41, 0xAA]),
            st.binary(max_size=3),
            st.sampled_from([0x00A6, 0x00A7]),
        ),
        max_size=30,
    )
)
def test_no_well_formed_frame_makes_the_protocol_raise(frames: list[bytes]) -> None:
    talk = Talk.running()
    talk.asks(QueryTemperature())
    for frame in frames:
        talk.hears(frame)
    assert talk.protocol.output_possible


@pytest.mark.parametrize(
    "frame",
    [
        encode(0x31, ACCEPTED, 0x06, device_id=0x00A7),
        encode(0x31, 0x03, 0x06),
        TOTAL_STOP,  # our own request, echoed by a module in loop-back: no acknowledgement
        encode(REPORT, ACCEPTED, 0x08, b"\x00"),
        encode(REPORT, ACCEPTED, 0x07, b"\x02"),
        encode(0x33, ACCEPTED, 0x41),
    ],
)
def test_a_frame_that_means_nothing_is_told_as_such(frame: bytes) -> None:
    talk = Talk.ready()
    talk.asks(TotalStop())
    talk.look()
    talk.hears(frame)
    assert talk.look() == ([], [Unrecognised(FFE1, frame, "a frame that means nothing here")])


def test_bytes_of_a_characteristic_that_is_no_bridge_are_told_as_such() -> None:
    talk = Talk.ready()
    talk.hears(b"x", uuid("2a19"))
    assert [type(event) for event in talk.events] == [Unrecognised]


def test_after_the_link_is_lost_nothing_is_done_any_more() -> None:
    talk = Talk.running()
    talk.asks(QueryTemperature())
    talk.asks(QueryVersion())
    talk.look()
    talk.take(talk.protocol.link_lost(talk.now))
    radio = Refusal.RADIO
    assert talk.look() == ([], [Rejected(QueryTemperature(), radio), Rejected(QueryVersion(), radio)])
    assert talk.protocol.deadline is None
    talk.hears(reply(START))
    talk.take(talk.protocol.deadline_passed(99.0))
    talk.take(talk.protocol.operation_failed(Write(FFE1, START, with_response=False), "gone", 99.0))
    talk.take(talk.protocol.link_lost(99.0))
    assert talk.look() == ([], [])
    assert talk.protocol.profile is PROFILE
