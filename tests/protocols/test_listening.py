"""Listeners hear what was said from recorded bytes alone, from any moment on, and never fall over them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import dr05, foreo, model
from protocols.dr05_listening import ANSWER_S, MAX_WAITING, Dr05Listener
from protocols.foreo_listening import ForeoListener
from protocols.frames import ChecksumOrder, State, encode
from protocols.gatt import Characteristic, Property, Service, uuid
from protocols.listening import UNNAMED, Heard, Listener
from protocols.model import Command, Event

LOW = ChecksumOrder.LOW_FIRST
ACTION, SET, GET, REPORT = 0x31, 0x32, 0x33, 0x66
FFE1 = uuid("ffe1")
PULSATION, BATTERY, SKIN = uuid("fff1"), uuid("0a00"), uuid("0a05")

with (Path(__file__).parent / "data" / "dr05-vectors.tsv").open(encoding="ascii", newline="") as file:
    VECTORS = list(csv.DictReader(file, delimiter="\t"))


def asked(type_: int, func: int, para: bytes = b"", *, order: ChecksumOrder = ChecksumOrder.HIGH_FIRST) -> bytes:
    return encode(type_, State.REQUEST, func, para, order=order)


def answered(
    type_: int, func: int, para: bytes = b"", *, state: int = 1, order: ChecksumOrder = ChecksumOrder.HIGH_FIRST
) -> bytes:
    return encode(type_, state, func, para, order=order)


# --- the Dr-05 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "command"),
    [
        (asked(ACTION, 0x01, b"\1"), model.StartCooling()),
        (asked(ACTION, 0x01, b"\0"), model.StopCooling()),
        (asked(ACTION, 0x03, b"\1"), model.StartOutput()),
        (asked(ACTION, 0x03, b"\0"), model.StopOutput()),
        (asked(ACTION, 0x06), model.TotalStop()),
        (asked(SET, 0x02, b"\x14"), model.SetIntensity(20)),
        (asked(SET, 0x0C, b"\xfe"), model.SetCoolingTarget(-2)),
        (asked(SET, 0x0C, b"\x14"), model.SetCoolingTarget(20)),
        (asked(SET, 0x0D, b"\2"), model.SelectMode(2)),
        (asked(GET, 0x40), model.QueryVersion()),
        (asked(GET, 0x41), model.QueryTemperature()),
    ],
)
def test_every_command_is_heard_as_what_it_asks_for(frame: bytes, command: Command) -> None:
    assert Dr05Listener().written(FFE1, frame, 0.0) == (Heard("host", "command", frame, command),)


@pytest.mark.parametrize(
    ("type_", "func", "para", "command"),
    [(ACTION, 0x06, b"", model.TotalStop()), (SET, 0x02, b"\5", model.SetIntensity(5))],
)
def test_an_echo_acknowledges_its_command_and_says_how_long_it_took(
    type_: int, func: int, para: bytes, command: Command
) -> None:
    listener = Dr05Listener()
    listener.written(FFE1, asked(type_, func, para), 10.0)
    echo = answered(type_, func, para)
    assert listener.received(FFE1, echo, 10.25) == (Heard("device", "acknowledged", echo, command, "", 0.25),)


@pytest.mark.parametrize(
    ("func", "para", "command", "event"),
    [
        (0x40, b"\2\1", model.QueryVersion(), model.Version(2, 1)),
        (0x41, b"\xff\xf6", model.QueryTemperature(), model.Temperature(-1.0)),
    ],
)
def test_an_answer_to_a_question_tells_what_was_asked_for(
    func: int, para: bytes, command: Command, event: Event
) -> None:
    listener = Dr05Listener()
    listener.written(FFE1, asked(GET, func), 0.0)
    reply = answered(GET, func, para)
    assert listener.received(FFE1, reply, 0.5) == (
        Heard("device", "acknowledged", reply, command, "", 0.5),
        Heard("device", "event", reply, event),
    )


def test_the_total_stop_that_the_document_prints_is_heard_as_one_that_the_device_refuses() -> None:
    printed = bytes.fromhex("55AA0500A6310206F26B")
    [heard] = Dr05Listener().written(FFE1, printed, 0.0)
    assert (heard.by, heard.kind, heard.what) == ("host", "refused", model.TotalStop())
    assert heard.reason == (
        "its checksum F2 6B is low byte first and the published firmware reads high byte first: "
        "the device answers with state 00 and does nothing"
    )


def test_the_word_of_the_device_that_it_refused_is_heard_too() -> None:
    listener = Dr05Listener()
    listener.written(FFE1, asked(ACTION, 0x06, order=LOW), 0.0)
    echo = answered(ACTION, 0x06, state=0)
    assert listener.received(FFE1, echo, 0.03) == (
        Heard("device", "refused", echo, model.TotalStop(), "checksum refused by the device", 0.03),
    )


@pytest.mark.parametrize("state", [0, 1])
def test_answers_teach_which_byte_order_this_device_reads(state: int) -> None:
    listener = Dr05Listener()
    first = LOW if state else ChecksumOrder.HIGH_FIRST
    listener.written(FFE1, asked(GET, 0x40, order=first), 0.0)
    listener.received(FFE1, answered(GET, 0x40, b"\2\1" if state else b"", state=state), 0.1)
    [heard] = listener.written(FFE1, asked(ACTION, 0x06, order=LOW), 1.0)
    assert heard.kind == "command"
    [heard] = listener.written(FFE1, asked(ACTION, 0x06), 2.0)
    assert heard.kind == "refused"
    assert "6B F2 is high byte first and this device reads low byte first" in heard.reason


def test_a_checksum_of_two_equal_bytes_is_right_in_both_orders() -> None:
    frame = next(f for p in range(256) for q in range(256) if (f := asked(SET, 0x02, bytes((p, q))))[-1] == f[-2])
    low = Dr05Listener()
    low.written(FFE1, asked(GET, 0x40, order=LOW), 0.0)
    low.received(FFE1, answered(GET, 0x40, b"\2\1"), 0.1)
    assert [heard.kind for heard in low.written(FFE1, frame, 1.0)] == ["command"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["frame"])
def test_a_request_that_the_maker_printed_is_refused_unless_its_checksum_is_high_byte_first(
    vector: dict[str, str],
) -> None:
    data = bytes.fromhex(vector["frame"])
    [heard] = Dr05Listener().written(FFE1, data, 0.0)
    assert (heard.kind == "refused") is (vector["crc_order_as_printed"] != "high")
    assert heard.data == data


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (encode(ACTION, 2, 0x06, device_id=0x00A7), "device id 00A7 is not this device's: it does not answer"),
        (asked(GET, 0x42), "question 42 is not known: the device does not answer"),
        (asked(0x41, 0x06), "type 41 function 06 is not known: the device does not answer"),
        (asked(ACTION, 0x03), "it has no parameter: the firmware takes what an older frame left in its buffer"),
        (bytes.fromhex("55aa0500a63102056ab2"), "ageing mode, which is the factory's and never sent"),
        (b"hello", "no frame starts here"),
        (b"\x55\xaa\x09" + bytes(12), "impossible length"),
    ],
)
def test_what_the_device_would_not_act_on_is_heard_as_that(frame: bytes, reason: str) -> None:
    heard = Dr05Listener().written(FFE1, frame, 0.0)
    assert {item.kind for item in heard} == {"unrecognised"}
    assert heard[0].reason.startswith(reason)
    assert b"".join(item.data for item in heard) == frame


def test_frames_are_heard_however_they_were_cut_or_joined() -> None:
    listener = Dr05Listener()
    first, second = asked(SET, 0x02, b"\1"), asked(ACTION, 0x03, b"\1")
    heard = [*listener.written(FFE1, first[:4], 0.0), *listener.written(FFE1, first[4:] + second, 0.1)]
    assert [item.what for item in heard] == [model.SetIntensity(1), model.StartOutput()]


def test_both_directions_of_one_characteristic_are_two_streams() -> None:
    listener = Dr05Listener()
    request, echo = asked(ACTION, 0x06), answered(ACTION, 0x06)
    assert listener.written(FFE1, request[:5], 0.0) == ()
    assert listener.received(FFE1, echo[:5], 0.0) == ()
    assert [item.kind for item in listener.written(FFE1, request[5:], 0.1)] == ["command"]
    assert [item.kind for item in listener.received(FFE1, echo[5:], 0.2)] == ["acknowledged"]


def test_an_answer_belongs_to_the_oldest_question_that_it_fits_and_to_none_that_is_too_old() -> None:
    listener = Dr05Listener()
    for now in (0.0, 0.3):
        listener.written(FFE1, asked(ACTION, 0x06), now)
    echo = answered(ACTION, 0x06)
    assert [listener.received(FFE1, echo, now)[0].latency_s for now in (0.5, 0.6)] == [0.5, pytest.approx(0.3)]
    listener.written(FFE1, asked(ACTION, 0x06), 1.0)
    assert listener.received(FFE1, echo, 1.1 + ANSWER_S)[0].latency_s is None
    listener.written(FFE1, asked(ACTION, 0x06), 9.0)
    assert listener.received(FFE1, echo, 8.0)[0].latency_s is None, "the clock went backwards"


def test_a_recording_that_begins_in_the_middle_has_acknowledgements_without_questions() -> None:
    [heard] = Dr05Listener().received(FFE1, answered(SET, 0x02, b"\5"), 0.0)
    assert (heard.kind, heard.what, heard.latency_s) == ("acknowledged", model.SetIntensity(5), None)


def test_low_water_is_told_once_while_it_lasts_and_again_after_a_silence() -> None:
    listener = Dr05Listener()
    low, back = encode(REPORT, 1, 0x07, b"\0"), encode(REPORT, 1, 0x07, b"\1")
    times = {0.0: low, 1.0: low, 2.0: low, 6.0: low, 6.5: back, 7.0: low}
    heard = [(now, item.what) for now, frame in times.items() for item in listener.received(FFE1, frame, now)]
    assert heard == [
        (0.0, model.WaterLow()), (6.0, model.WaterLow()), (6.5, model.WaterBack()), (7.0, model.WaterLow()),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (encode(REPORT, 1, 0x08, b"\0"), "a report that means nothing here"),
        (answered(ACTION, 0x06, state=2), "state 02 is no answer"),
        (answered(GET, 0x42), "question 42 is not known"),
        (answered(ACTION, 0x06)[:-1] + b"\0", "wrong checksum in either byte order"),
        (b"+CONNECTED", "no frame starts here"),
    ],
)
def test_what_the_device_says_without_meaning_is_heard_as_that(frame: bytes, reason: str) -> None:
    [heard] = Dr05Listener().received(FFE1, frame, 0.0)
    assert (heard.by, heard.kind, heard.data) == ("device", "unrecognised", frame)
    assert heard.reason.startswith(reason)


def test_what_is_said_elsewhere_is_nothing_to_it() -> None:
    listener = Dr05Listener()
    assert listener.written(uuid("2902"), b"\1\0", 0.0) == ()
    assert listener.received(uuid("2a19"), b"\x64", 0.0) == ()
    assert listener.write_answered(FFE1, b"", "", 0.0) == ()


def test_frames_on_handles_without_a_name_are_heard_and_anything_else_there_is_not() -> None:
    listener = Dr05Listener()
    frame = asked(ACTION, 0x06)
    assert listener.written(f"{UNNAMED}0x0012", b"\1\0" + frame, 0.0) == (
        Heard("host", "command", frame, model.TotalStop()),
    )


def test_questions_without_answer_are_not_kept_without_end() -> None:
    listener = Dr05Listener()
    for _ in range(5 * MAX_WAITING):
        listener.written(FFE1, asked(ACTION, 0x06), 0.0)
    assert len(listener._asked) == MAX_WAITING


# --- FOREO ------------------------------------------------------------------------------------------------------------


def test_a_level_is_heard_as_intensity_and_level_0_as_a_stop() -> None:
    listener = ForeoListener()
    assert listener.written(PULSATION, b"\1\0\3", 0.0) == (Heard("host", "command", b"\1\0\3", model.SetIntensity(30)),)
    assert listener.written(PULSATION, b"\1\0\0", 1.0)[0].what == model.StopOutput()
    assert listener.write_answered(PULSATION, b"\1\0\3", "", 0.5) == (
        Heard("device", "acknowledged", b"\1\0\3", model.SetIntensity(30), "", 0.5),
    )
    assert listener.write_answered(PULSATION, b"\1\0\0", "write_not_permitted", 1.5) == (
        Heard("device", "refused", b"\1\0\0", model.StopOutput(), "write_not_permitted", 0.5),
    )
    assert listener.write_answered(PULSATION, b"\1\0\0", "", 2.0)[0].latency_s is None


def test_battery_and_skin_are_heard() -> None:
    listener = ForeoListener()
    assert listener.received(BATTERY, b"\x57", 0.0)[0].what == model.Battery(87)
    assert listener.received(SKIN, b"\1\2", 0.0)[0].what == model.SkinReading(258)
    assert listener.written(SKIN, b"\xef", 0.0)[0].what == model.MeasureSkin()
    assert [item.kind for item in listener.received(BATTERY, b"\xff", 0.0)] == ["unrecognised"]
    assert [item.kind for item in listener.written(PULSATION, b"\2\0\1", 0.0)] == ["unrecognised"]
    assert [item.kind for item in listener.written(PULSATION, b"\1\0\x0b", 0.0)] == ["unrecognised"]
    assert listener.write_answered(SKIN, b"\0", "", 0.0) == ()
    assert listener.received(PULSATION, b"\1", 0.0) == ()
    assert listener.written(BATTERY, b"\1", 0.0) == ()


# --- both -------------------------------------------------------------------------------------------------------------


def services(service: str, *characteristics: str) -> tuple[Service, ...]:
    both = Property.WRITE | Property.NOTIFY
    return (Service(uuid(service), tuple(Characteristic(uuid(c), both) for c in characteristics)),)


def test_services_alone_say_who_may_be_listened_to() -> None:
    for entry, fitting in ((dr05.ENTRY, services("ffe0", "ffe1")), (foreo.ENTRY, services("fff0", "fff1", "0a00"))):
        assert entry.listen is not None
        assert entry.fits is not None
        assert isinstance(entry.listen(None), Listener)
        assert entry.fits(fitting)
        assert not entry.fits(services("1800", "2a00"))
        assert not entry.fits(())
    assert foreo.ENTRY.fits is not None
    assert not foreo.ENTRY.fits(services("fff0", "fff1", "fff2")), "everybody has those"


CALLS = st.lists(
    st.tuples(
        st.sampled_from(["written", "received", "answered"]),
        st.sampled_from([FFE1, PULSATION, BATTERY, SKIN, f"{UNNAMED}0x0003", "", "nonsense"]),
        st.binary(max_size=24)
        | st.sampled_from([asked(ACTION, 6), answered(ACTION, 6), asked(SET, 2, b"\1", order=LOW), b"\x55\xaa\x05"]),
        st.floats(-1e12, 1e12),
    ),
    max_size=30,
)


@given(st.sampled_from([Dr05Listener, ForeoListener]), CALLS)
def test_no_bytes_at_no_time_make_a_listener_raise(
    kind: type[Listener], calls: list[tuple[str, str, bytes, float]]
) -> None:
    listener = kind()
    for way, characteristic, data, now in calls:
        if way == "written":
            heard = listener.written(characteristic, data, now)
        elif way == "received":
            heard = listener.received(characteristic, data, now)
        else:
            heard = listener.write_answered(characteristic, data, "", now)
        assert all((item.what is None) <= bool(item.reason) for item in heard), "meaning, or a reason for having none"
        assert all(item.latency_s is None or item.latency_s >= 0 for item in heard)
