"""An OMP device overheard: what was said comes out of the bytes of both directions alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocols import model, omp_codec
from protocols.listening import Heard
from protocols.omp_codec import (
    Extra,
    FaultCode,
    Features,
    Opcode,
    Request,
    Response,
    Result,
    State,
    Status,
    Telemetry,
    Waveform,
    Zone,
)
from protocols.omp_listening import OmpListener
from protocols.omp_record import Ending, SessionRecord, chunks

CONTROL = omp_codec.CONTROL_POINT
BATTERY = "00002a19-0000-1000-8000-00805f9b34fb"


def test_a_level_and_its_answer_are_told_in_percent_of_what_the_device_can_do() -> None:
    listener = OmpListener()
    features = Features(200, 10, 1200, 40, 1, frozenset(Waveform), Extra(0), Zone.FACE)
    assert listener.received(omp_codec.FEATURES, features.encode(), 0.0) == ()
    asked = Request(Opcode.SET_TARGET, (50,)).encode()
    assert listener.written(CONTROL, asked, 1.0) == (Heard("host", "command", asked, model.SetIntensity(25)),)
    answer = Response(Opcode.SET_TARGET, Result.SUCCESS).encode()
    assert listener.received(CONTROL, answer, 1.25) == (
        Heard("device", "acknowledged", answer, model.SetIntensity(25), latency_s=0.25),
    )
    assert listener.received(CONTROL, answer, 1.5) == ()  # nobody had asked again


def test_a_refusal_is_told_with_its_result() -> None:
    listener = OmpListener()
    listener.written(CONTROL, Request(Opcode.START, (60,)).encode(), 1.0)
    answer = Response(Opcode.START, Result.NO_CONTACT).encode()
    (heard,) = listener.received(CONTROL, answer, 1.1)
    assert (heard.kind, heard.what, heard.reason) == ("refused", model.StartOutput(), "no contact")


def test_housekeeping_is_nothing_to_tell() -> None:
    listener = OmpListener()
    request = Request(Opcode.KEEP_ALIVE, (1500,)).encode()
    assert listener.written(CONTROL, request, 0.0) == ()
    assert listener.received(CONTROL, Response(Opcode.KEEP_ALIVE, Result.SUCCESS).encode(), 0.1) == ()


def test_measurements_contact_and_faults_are_events() -> None:
    listener = OmpListener()
    on = Telemetry(0, 0, 120, 2_400, 92, None, State.RUNNING).encode()
    off = Telemetry(1, 100, 0, None, 0, None, State.CONTACT_LOST).encode()
    told = [heard.what for data in (on, off, on) for heard in listener.received(omp_codec.TELEMETRY, data, 0.0)]
    assert told == [
        model.Delivered(120.0),
        model.Contact(92, 2_400),
        model.ContactLost(),
        model.Delivered(0.0),
        model.Contact(0, None),
        model.ContactRestored(),
        model.Delivered(120.0),
        model.Contact(92, 2_400),
    ]
    fault = Status(State.FAULT, FaultCode.BATTERY_LOW, 0, 0, 0, 1).encode()
    (heard,) = listener.received(omp_codec.STATUS, fault, 1.0)
    assert heard.what == model.Fault("its battery is nearly empty")
    assert listener.received(omp_codec.STATUS, fault, 2.0) == ()


def test_a_record_is_told_with_its_last_piece() -> None:
    listener = OmpListener()
    record = SessionRecord(7, 20_000, 120, 121, 1, Ending.STOPPED, Waveform.PULSED_DC, 83, (118, 119))
    pieces = [piece.encode() for piece in chunks(7, record.encode())]
    told = [listener.received(omp_codec.SESSION_RECORD, piece, 0.0) for piece in pieces]
    assert told[:-1] == [()] * (len(pieces) - 1)
    (heard,) = told[-1]
    assert heard.what == model.RecordReceived(7, 20.0, 120, 121, 1, "stopped", 10, (118, 119))


def test_a_battery_level_is_told_and_nonsense_is_unrecognised() -> None:
    listener = OmpListener()
    assert [heard.what for heard in listener.received(BATTERY, b"\x32", 0.0)] == [model.Battery(50)]
    assert [heard.kind for heard in listener.received(BATTERY, b"\x65", 0.0)] == ["unrecognised"]
    assert [heard.kind for heard in listener.written(CONTROL, b"\x7f", 0.0)] == ["unrecognised"]
    assert listener.written(omp_codec.STATUS, b"\x07", 0.0) == ()


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([CONTROL, omp_codec.STATUS, omp_codec.TELEMETRY, omp_codec.SESSION_RECORD, BATTERY, "x"]),
            st.binary(max_size=24),
            st.floats(-10, 10),
        ),
        max_size=10,
    )
)
def test_no_bytes_make_it_raise(said: list[tuple[bool, str, bytes, float]]) -> None:
    listener = OmpListener()
    for by_host, characteristic, data, now in said:
        listen = listener.written if by_host else listener.received
        for heard in listen(characteristic, data, now):
            assert heard.data == data
