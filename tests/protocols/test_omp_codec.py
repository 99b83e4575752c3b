"""The bytes of OMP: the examples of its specification, values there and back, and any bytes at all."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import omp_cbor, omp_codec, omp_record
from protocols.omp_codec import (
    AdvertisedFlag,
    Extra,
    FaultCode,
    Features,
    OmpFormatError,
    Opcode,
    Request,
    RequestError,
    Response,
    Result,
    ServiceData,
    State,
    Status,
    Telemetry,
    Waveform,
    Zone,
)
from protocols.omp_record import Assembly, Ending, RecordChunk, SessionRecord

U8, U16, U32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)

features = st.builds(
    Features,
    max_current_ua=U16,
    current_step_ua=U16,
    max_session_s=U16,
    max_ramp_ua_per_s=U16,
    channels=U8,
    waveforms=st.frozensets(st.sampled_from(Waveform)),
    extras=st.integers(0, 0x3F).map(Extra),
    zones=st.integers(0, 3).map(Zone),
    major=U8,
    minor=U8,
)
statuses = st.builds(Status, st.sampled_from(State), st.sampled_from(FaultCode), U16, U16, U16, U32)
telemetries = st.builds(
    Telemetry,
    sequence=U16,
    ms_since_start=U32,
    delivered_ua=U16,
    impedance_ohm=st.none() | st.integers(0, 0xFFFE).map(lambda n: n * 10),
    contact=st.integers(0, 100),
    temperature_c=st.none() | st.integers(-0x8000, 0x7FFE).map(lambda n: n / 100),
    state=st.sampled_from(State),
)
_BY_KIND = {"u8": U8, "u16": U16, "u32": U32}
requests = st.sampled_from(Opcode).flatmap(
    lambda opcode: st.builds(
        Request, st.just(opcode), st.tuples(*(_BY_KIND[field.kind] for field in omp_codec.REQUEST_LAYOUTS[opcode]))
    )
)
records = st.builds(
    SessionRecord,
    session_id=U32,
    run_ms=U32,
    highest_target_ua=U16,
    highest_delivered_ua=U16,
    contact_losses=U16,
    ending=st.sampled_from(Ending),
    waveform=st.sampled_from(Waveform),
    frequency_dhz=U16,
    delivered_ua=st.lists(U16, max_size=130).map(tuple),
)

EXAMPLES = [
    (ServiceData(AdvertisedFlag.PAIRING_ALLOWED), "0101"),
    (
        Features(400, 10, 1200, 40, 1, frozenset(Waveform), Extra.RED_LED, Zone.FACE),
        "0100 9001 0a00 b004 2800 01 07 01 01 0000",
    ),
    (Status(State.RUNNING, FaultCode.NONE, 120, 300, 1500, 7), "02 00 7800 2c01 dc05 07000000"),
    (
        Telemetry(258, 65_536, 120, 2_400, 92, 33.5, State.RUNNING),
        "0201 00000100 7800 f000 5c 160d 02 30d7",
    ),
    (Telemetry(0, 0, 0, None, 0, None, State.CONTACT_LOST), "0000 00000000 0000 ffff 00 ff7f 04 fa30"),
    (Request(Opcode.REQUEST_CONTROL, (0x12345678,)), "01 78563412"),
    (Response(Opcode.REQUEST_CONTROL, Result.SUCCESS, (0x12345678,)), "80 01 01 78563412"),
    (Request(Opcode.SET_WAVEFORM, (1, 83)), "03 01 5300"),
    (Request(Opcode.STOP), "07"),
    (Response(Opcode.STOP, Result.SUCCESS), "80 07 01"),
    (Response(0x55, Result.NOT_SUPPORTED), "80 55 02"),
    (RecordChunk(7, 0, 2, bytes(range(12))), "07000000 0000 0200 000102030405060708090a0b"),
]


@pytest.mark.parametrize(("value", "spelled"), EXAMPLES, ids=[spelled for _, spelled in EXAMPLES])
def test_a_value_has_the_bytes_of_the_specification(
    value: Features | Request | Response | RecordChunk, spelled: str
) -> None:
    data = bytes.fromhex(spelled)
    assert value.encode() == data
    assert type(value).decode(data) == value


def test_uuids_are_those_of_the_profile() -> None:
    assert omp_codec.SERVICE == "5a3f0001-8c1e-4b6e-9d2a-6f0d1c7a9e42"
    assert omp_codec.SESSION_RECORD == "5a3f0006-8c1e-4b6e-9d2a-6f0d1c7a9e42"


def test_the_checksum_is_ccitt_false() -> None:
    # The check value of the catalogue of parametrised CRC algorithms, CRC-16/IBM-3740 alias CCITT-FALSE.
    assert omp_codec.crc16(b"123456789") == 0x29B1


@given(features | statuses | telemetries | requests)
def test_every_value_comes_back_from_its_bytes(value: Features | Status | Telemetry | Request) -> None:
    assert type(value).decode(value.encode()) == value


@given(st.sampled_from(Opcode), st.sampled_from(Result), st.integers(0, 0xFFFF))
def test_every_answer_comes_back_from_its_bytes(opcode: Opcode, result: Result, number: int) -> None:
    layout = omp_codec.ANSWER_LAYOUTS.get(opcode, ()) if result is Result.SUCCESS else ()
    response = Response(opcode, result, (number,) * len(layout))
    assert Response.decode(response.encode()) == response


DECODERS: list[Callable[[bytes], object]] = [
    ServiceData.decode,
    Features.decode,
    Status.decode,
    Telemetry.decode,
    Request.decode,
    Response.decode,
    RecordChunk.decode,
    SessionRecord.decode,
]


@pytest.mark.parametrize("decode", DECODERS, ids=lambda decode: decode.__self__.__name__)
@given(data=st.binary(max_size=40))
def test_any_bytes_are_a_value_or_a_format_error(decode: Callable[[bytes], object], data: bytes) -> None:
    try:
        decode(data)
    except OmpFormatError:
        return


@given(telemetries, st.integers(0, 127))
def test_one_wrong_bit_in_telemetry_is_seen(telemetry: Telemetry, bit: int) -> None:
    data = bytearray(telemetry.encode())
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(OmpFormatError, match="checksum"):
        Telemetry.decode(bytes(data))


def test_a_contact_above_100_is_refused_even_with_a_right_checksum() -> None:
    data = Telemetry(0, 0, 0, 0, 101, None, State.READY).encode()
    with pytest.raises(OmpFormatError, match="contact 101"):
        Telemetry.decode(data)


def test_an_impedance_too_high_for_its_field_is_not_an_open_circuit() -> None:
    telemetry = Telemetry(0, 0, 0, 2_000_000, 0, None, State.READY)
    assert Telemetry.decode(telemetry.encode()).impedance_ohm == 655_340


@pytest.mark.parametrize(
    ("written", "opcode", "result"),
    [
        ("", 0x00, Result.INVALID_PARAMETER),
        ("10", 0x10, Result.NOT_SUPPORTED),
        ("00", 0x00, Result.NOT_SUPPORTED),
        ("02 78", 0x02, Result.INVALID_PARAMETER),
        ("02 7800 00", 0x02, Result.INVALID_PARAMETER),
        ("07 00", 0x07, Result.INVALID_PARAMETER),
    ],
)
def test_a_write_that_is_no_request_says_what_the_device_answers(written: str, opcode: int, result: Result) -> None:
    with pytest.raises(RequestError) as refused:
        Request.decode(bytes.fromhex(written))
    assert (refused.value.opcode, refused.value.result) == (opcode, result)


def test_a_result_that_is_not_known_counts_as_failed() -> None:
    assert Response.decode(bytes.fromhex("80 04 0a")) == Response(Opcode.START, Result.FAILED)


def test_what_a_later_version_adds_to_an_answer_is_passed_over() -> None:
    assert Response.decode(bytes.fromhex("80 07 01 ff")) == Response(Opcode.STOP, Result.SUCCESS)
    assert ServiceData.decode(b"\x01\x02\x03") == ServiceData(AdvertisedFlag.CHARGING)


def test_features_pass_over_bits_that_are_not_known() -> None:
    data = bytearray(Features(400, 10, 1200, 40, 1, frozenset(), Extra(0), Zone(0)).encode())
    data[11:14] = b"\xff\xff\xff"
    found = Features.decode(bytes(data))
    assert found.waveforms == frozenset(Waveform)
    assert (found.extras, found.zones) == (Extra(0x3F), Zone(3))


@pytest.mark.parametrize(
    "value",
    [
        Request(Opcode.SET_TARGET, (65_536,)),
        Request(Opcode.SET_TARGET),
        Request(Opcode.STOP, (1,)),
        Response(Opcode.STOP, Result.SUCCESS, (1,)),
        Response(Opcode.REQUEST_CONTROL, Result.SUCCESS),
        RecordChunk(1, 0, 1, b""),
        RecordChunk(1, 0, 1, bytes(13)),
        Status(State.IDLE, FaultCode.NONE, -1, 0, 0, 0),
    ],
    ids=repr,
)
def test_what_has_no_place_in_its_field_is_never_encoded(value: Request | Response | RecordChunk | Status) -> None:
    with pytest.raises(OmpFormatError):
        value.encode()


# --- CBOR: examples of RFC 8949, appendix A ---------------------------------------------------------------------------

RFC_8949 = [
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (100, "1864"),
    (1000, "1903e8"),
    (1_000_000, "1a000f4240"),
    (18_446_744_073_709_551_615, "1bffffffffffffffff"),
    (-1, "20"),
    (-1000, "3903e7"),
    (b"\x01\x02\x03\x04", "4401020304"),
    ("IETF", "6449455446"),
    ("\u00fc", "62c3bc"),
    ((), "80"),
    ((1, (2, 3), (4, 5)), "8301820203820405"),
    ({}, "a0"),
    ({1: 2, 3: 4}, "a201020304"),
    ({"a": 1, "b": (2, 3)}, "a26161016162820203"),
]
REFUSED = {
    "nothing": "",
    "cut short in a head": "19",
    "cut short in text": "6261",
    "cut short in an array": "8201",
    "longer than it needs to be": "1817",
    "longer than it needs to be, 16 bits": "1900ff",
    "longer than it needs to be, 32 bits": "1a0000ffff",
    "longer than it needs to be, 64 bits": "1b00000000ffffffff",
    "a float": "f93c00",
    "true": "f5",
    "a tag": "c074",
    "an indefinite array": "9f01ff",
    "keys out of order": "a203000100",
    "a key twice": "a201000100",
    "a key that is an array": "a18000",
    "bytes too many": "0000",
    "not UTF-8": "61ff",
    "too deep": "8181818181",
}

values = st.recursive(
    st.integers(-(1 << 64), (1 << 64) - 1) | st.binary(max_size=30) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.integers(0, 300) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(("value", "spelled"), RFC_8949, ids=[spelled for _, spelled in RFC_8949])
def test_cbor_agrees_with_the_examples_of_the_rfc(value: omp_cbor.Value, spelled: str) -> None:
    assert omp_cbor.encode(value) == bytes.fromhex(spelled)
    assert omp_cbor.decode(bytes.fromhex(spelled)) == value


@pytest.mark.parametrize("spelled", REFUSED.values(), ids=REFUSED.keys())
def test_cbor_refuses(spelled: str) -> None:
    with pytest.raises(omp_cbor.CborError):
        omp_cbor.decode(bytes.fromhex(spelled))


@given(values)
def test_cbor_comes_back_or_is_too_deep(value: omp_cbor.Value) -> None:
    try:
        data = omp_cbor.encode(value)
    except omp_cbor.CborError as error:
        assert "deep" in str(error)  # noqa: PT017 - either end is right, and each is looked at
    else:
        assert omp_cbor.decode(data) == value


@given(st.binary(max_size=30))
def test_cbor_has_one_spelling_for_each_value(data: bytes) -> None:
    try:
        value = omp_cbor.decode(data)
    except omp_cbor.CborError:
        return
    assert omp_cbor.encode(value) == data


@pytest.mark.parametrize("value", [True, 1.5, None, 1 << 64, "\ud800"], ids=repr)
def test_cbor_refuses_to_write(value: object) -> None:
    with pytest.raises(omp_cbor.CborError):
        omp_cbor.encode(value)  # type: ignore[arg-type]


# --- records ----------------------------------------------------------------------------------------------------------

A_RECORD = SessionRecord(7, 20_000, 120, 121, 1, Ending.STOPPED, Waveform.PULSED_DC, 83, (118, 119))
A_RECORD_HEX = "a9000701194e20021878031879040105000600071853088218761877"


def test_a_record_has_the_bytes_of_the_specification() -> None:
    body = bytes.fromhex(A_RECORD_HEX)
    assert A_RECORD.encode() == body + zlib.crc32(body).to_bytes(4, "little")


@given(records)
def test_a_record_comes_back_from_its_notifications(record: SessionRecord) -> None:
    pieces = [piece.encode() for piece in omp_record.chunks(record.session_id, record.encode())]
    assert all(len(piece) <= 20 for piece in pieces)
    assert omp_record.assemble(map(RecordChunk.decode, pieces)) == (record,)


@given(records, st.data())
def test_a_lost_notification_is_never_a_record(record: SessionRecord, data: st.DataObject) -> None:
    pieces = list(omp_record.chunks(record.session_id, record.encode()))
    del pieces[data.draw(st.integers(0, len(pieces) - 1))]
    assembly = Assembly()
    for piece in pieces:
        try:
            assert assembly.take(piece) is None
        except OmpFormatError:
            assert not assembly.under_way


@given(records, st.data())
def test_a_wrong_bit_in_a_record_is_seen(record: SessionRecord, data: st.DataObject) -> None:
    spelled = bytearray(record.encode())
    bit = data.draw(st.integers(0, len(spelled) * 8 - 1))
    spelled[bit // 8] ^= 1 << bit % 8
    with pytest.raises(OmpFormatError, match="checksum"):
        SessionRecord.decode(bytes(spelled))


def _with_checksum(value: omp_cbor.Value) -> bytes:
    body = omp_cbor.encode(value)
    return body + zlib.crc32(body).to_bytes(4, "little")


FIELDS: dict[int | str, omp_cbor.Value] = {0: 7, 1: 20_000, 2: 120, 3: 121, 4: 1, 5: 0, 6: 0, 7: 83, 8: (118, 119)}


@pytest.mark.parametrize("key", range(9))
@pytest.mark.parametrize("wrong", [None, "text", -1, 99], ids=["missing", "text", "negative", "99"])
def test_a_record_with_a_field_missing_or_wrong_is_refused(key: int, wrong: omp_cbor.Value | None) -> None:
    if wrong == 99 and key not in {5, 6, 8}:
        assert SessionRecord.decode(_with_checksum({**FIELDS, key: wrong})) != A_RECORD
        return
    fields = {k: v for k, v in FIELDS.items() if k != key}
    with pytest.raises(OmpFormatError, match="record"):
        SessionRecord.decode(_with_checksum(fields if wrong is None else {**fields, key: wrong}))


def test_a_field_that_is_not_known_is_passed_over() -> None:
    assert SessionRecord.decode(_with_checksum({**FIELDS, 9: "a later version"})) == A_RECORD


def test_a_record_of_another_session_than_its_notifications_say_is_refused() -> None:
    with pytest.raises(OmpFormatError, match="says that it is 7"):
        omp_record.assemble(omp_record.chunks(8, A_RECORD.encode()))


def test_too_many_pieces_are_refused_before_anything_is_kept() -> None:
    assembly = Assembly()
    with pytest.raises(OmpFormatError, match="too many"):
        assembly.take(RecordChunk(7, 0, 65_535, bytes(12)))
    assert not assembly.under_way


def test_the_longest_run_has_its_record_in_bounds() -> None:
    record = SessionRecord(
        1 << 31, 7_200_000, 65_535, 65_535, 65_535, Ending.FAULT, Waveform.SINE, 9999, (65_535,) * 720
    )
    assert omp_record.assemble(omp_record.chunks(record.session_id, record.encode())) == (record,)
