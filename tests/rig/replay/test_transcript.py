"""Transcript files: exact both ways, the same bytes each time, and errors that name line and field."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols.gatt import Characteristic, Property, Service, uuid
from rig.capture.att import ERROR_NAMES
from rig.replay import migrations
from rig.replay.exchanges import Exchange, Place, Transcript
from rig.replay.migrations import VERSION, Record, migrated, oldest
from rig.replay.transcript import (
    LONGEST_NS,
    TranscriptError,
    dumps,
    error_name,
    is_transcript,
    load,
    loads,
    place_text,
    save,
    short_uuid,
)

SERIAL = Place(uuid("ffe0"), uuid("ffe1"))
REPORT = Place(uuid("1812"), uuid("2a4d"), uuid("2908"), nth=3)
OWN = "00010001-0000-1000-8000-011f2000046d"

SESSION = Transcript(
    title="Total stop, acknowledged",
    exchanges=(
        Exchange(0, "app", "connect"),
        Exchange(58_250, "app", "subscribe", SERIAL, answered_ns=22_500_000),
        Exchange(150_000_000, "app", "write_command", SERIAL, bytes.fromhex("55aa0500a633024059d2")),
        Exchange(172_916_666, "device", "notification", SERIAL, bytes.fromhex("55aa0700a63301400201a7dd")),
        Exchange(200_000_000, "app", "read", REPORT, b"", answered_ns=1),
        Exchange(200_000_001, "app", "write", SERIAL, b"\x01", answered_ns=30_000_000, error=0x03),
        Exchange(300_000_000, "app", "read", SERIAL, None, answered_ns=0, error=0x80),
        Exchange(300_000_000, "device", "indication", SERIAL, b"\xff", answered_ns=45_000_000),
        Exchange(400_000_000, "app", "unsubscribe", SERIAL),
        Exchange(500_000_000, "device", "disconnect"),
    ),
    services=(
        Service(uuid("ffe0"), (Characteristic(uuid("ffe1"), Property.NOTIFY | Property.WRITE_WITHOUT_RESPONSE),)),
        Service(OWN, ()),
    ),
    name="Dr-05",
    advertised_services=(uuid("ffe0"), OWN),
    protocol="dr05",
    mtu=247,
    source="session.btsnoop, link 1",
)

SESSION_TEXT = """\
{"transcript": 1, "title": "Total stop, acknowledged", "name": "Dr-05", \
"advertised_services": ["ffe0", "00010001-0000-1000-8000-011f2000046d"], "protocol": "dr05", "mtu": 247, \
"source": "session.btsnoop, link 1"}
{"service": "ffe0", "characteristics": [{"uuid": "ffe1", "properties": "write-without-response notify"}]}
{"service": "00010001-0000-1000-8000-011f2000046d", "characteristics": []}
{"at": 0.000000, "by": "app", "does": "connect"}
{"at": 0.000058250, "by": "app", "does": "subscribe", "to": "ffe0/ffe1", "answered": 0.022500}
{"at": 0.150000, "by": "app", "does": "write_command", "to": "ffe0/ffe1", "value": "55aa0500a633024059d2"}
{"at": 0.172916666, "by": "device", "does": "notification", "to": "ffe0/ffe1", "value": "55aa0700a63301400201a7dd"}
{"at": 0.200000, "by": "app", "does": "read", "to": "1812/2a4d#3/2908", "value": "", "answered": 0.000000001}
{"at": 0.200000001, "by": "app", "does": "write", "to": "ffe0/ffe1", "value": "01", "answered": 0.030000, \
"error": "write_not_permitted"}
{"at": 0.300000, "by": "app", "does": "read", "to": "ffe0/ffe1", "answered": 0.000000, "error": "0x80"}
{"at": 0.300000, "by": "device", "does": "indication", "to": "ffe0/ffe1", "value": "ff", "answered": 0.045000}
{"at": 0.400000, "by": "app", "does": "unsubscribe", "to": "ffe0/ffe1"}
{"at": 0.500000, "by": "device", "does": "disconnect"}
"""


def test_a_transcript_is_one_line_a_thing() -> None:
    assert dumps(SESSION) == SESSION_TEXT
    assert loads(SESSION_TEXT) == SESSION


def test_a_file_holds_what_was_saved(tmp_path: Path) -> None:
    file = tmp_path / "session.transcript"
    save(SESSION, file)
    assert file.read_bytes() == SESSION_TEXT.encode()
    assert load(file) == SESSION
    assert load(str(file)) == SESSION


def test_what_is_not_known_is_left_out() -> None:
    bare = Transcript(title="", exchanges=())
    assert dumps(bare) == '{"transcript": 1, "title": ""}\n'
    assert loads(dumps(bare)) == bare


def test_a_file_that_was_edited_on_another_system_reads_the_same() -> None:
    edited = SESSION_TEXT.replace("\n", " \r\n\r\n").replace('"ffe0/ffe1"', '"FFE0/ffe1"').replace(": ", ":")
    assert loads(edited) == SESSION


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "windows.transcript"
    file.write_bytes(b"\xef\xbb\xbf" + SESSION_TEXT.encode())
    assert load(file) == SESSION
    assert is_transcript(file)


@pytest.mark.parametrize(
    ("written", "ns"),
    [
        ("0", 0),
        ("-0.0", 0),
        ("1", 1_000_000_000),
        ("1.5", 1_500_000_000),
        ("2e-9", 2),
        ("0.1", 100_000_000),
        ("0.300000000", 300_000_000),
        ("123456789.123456789", 123_456_789_123_456_789),
        ("9223372036.854775807", LONGEST_NS),
    ],
)
def test_times_are_exact_however_they_are_written(written: str, ns: int) -> None:
    text = f'{{"transcript": 1, "title": ""}}\n{{"at": {written}, "by": "app", "does": "connect"}}\n'
    assert loads(text).exchanges == (Exchange(ns, "app", "connect"),)


def test_uuids_and_places_have_a_short_spelling() -> None:
    assert short_uuid(uuid("ffe0")) == "ffe0"
    assert short_uuid("12345678-0000-1000-8000-00805f9b34fb") == "12345678-0000-1000-8000-00805f9b34fb"
    assert short_uuid(OWN) == OWN
    assert place_text(SERIAL) == "ffe0/ffe1"
    assert place_text(REPORT) == "1812/2a4d#3/2908"


def test_errors_have_the_name_of_the_specification() -> None:
    assert error_name(0x0F) == "insufficient_encryption"
    assert error_name(0xFC) == "0xfc"


# --- every transcript -------------------------------------------------------------------------------------------------

SHORT_UUIDS = st.integers(0, 0xFFFF).map(uuid)
LONG_UUIDS = st.uuids().map(str)
UUIDS = SHORT_UUIDS | LONG_UUIDS
NOT_CCCDS = UUIDS.filter(lambda found: found != uuid("2902"))
CHARACTERISTICS = st.builds(Place, UUIDS, UUIDS, nth=st.integers(0, 0xFFFF))
PLACES = st.builds(Place, UUIDS, UUIDS, st.just("") | NOT_CCCDS, st.integers(0, 0xFFFF))
VALUES = st.binary(max_size=40)
ANSWERS = st.none() | st.integers(0, LONGEST_NS)
ERRORS = st.none() | st.integers(0, 0xFF)
TEXTS = st.text(max_size=20)
# fmt: off
WHAT = st.one_of(
    st.builds(Exchange, st.just(0), st.sampled_from(["app", "device"]), st.sampled_from(["connect", "disconnect"])),
    st.builds(Exchange, st.just(0), st.just("app"), st.just("read"), PLACES, st.none() | VALUES, ANSWERS),
    st.builds(Exchange, st.just(0), st.just("app"), st.just("read"), PLACES, st.none(), ANSWERS, ERRORS),
    st.builds(Exchange, st.just(0), st.just("app"), st.just("write"), PLACES, VALUES, ANSWERS, ERRORS),
    st.builds(Exchange, st.just(0), st.just("app"), st.just("write_command"), CHARACTERISTICS, VALUES),
    st.builds(Exchange, st.just(0), st.just("app"), st.sampled_from(["subscribe", "unsubscribe"]), CHARACTERISTICS,
              st.none(), ANSWERS, ERRORS),
    st.builds(Exchange, st.just(0), st.just("device"), st.just("notification"), CHARACTERISTICS, VALUES),
    st.builds(Exchange, st.just(0), st.just("device"), st.just("indication"), CHARACTERISTICS, VALUES, ANSWERS),
)
# fmt: on
def sum_of(members: list[Property]) -> Property:
    together = Property(0)
    for member in members:
        together |= member
    return together


PROPERTIES = st.lists(st.sampled_from(Property)).map(sum_of)
SERVICES = st.builds(Service, UUIDS, st.lists(st.builds(Characteristic, UUIDS, PROPERTIES), max_size=4).map(tuple))


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    what = draw(st.lists(WHAT, max_size=8))
    times = sorted(draw(st.lists(st.integers(0, LONGEST_NS), min_size=len(what), max_size=len(what))))
    return Transcript(
        title=draw(TEXTS),
        exchanges=tuple(replace(one, at_ns=at) for one, at in zip(what, times, strict=True)),
        services=tuple(draw(st.lists(SERVICES, max_size=3))),
        name=draw(TEXTS),
        advertised_services=tuple(draw(st.lists(UUIDS, max_size=3))),
        protocol=draw(TEXTS),
        mtu=draw(st.none() | st.integers(23, 0xFFFF)),
        source=draw(TEXTS),
    )


@given(transcripts())
@settings(max_examples=60)
@example(replace(SESSION, title="\x00 \r\n \ufeff", name="\u2028 \u2029 \x85 \x0b \n", source='\U0001f9d6 "{\\'))
def test_every_transcript_comes_back_as_it_was(transcript: Transcript) -> None:
    text = dumps(transcript)
    assert loads(text) == transcript
    assert dumps(loads(text)) == text
    assert text.count("\n") == 1 + len(transcript.services) + len(transcript.exchanges)
    text.encode()


@given(transcripts(), st.data())
@settings(max_examples=60)
def test_a_damaged_file_gives_an_error_in_one_line_and_nothing_else(
    transcript: Transcript, data: st.DataObject
) -> None:
    text = dumps(transcript)
    at = data.draw(st.integers(0, len(text)))
    end = min(len(text), at + data.draw(st.integers(0, 10)))
    damaged = text[:at] + data.draw(st.text(max_size=5)) + text[end:]
    message = ""
    try:
        read = loads(damaged)
    except TranscriptError as error:
        message = str(error)
    else:
        assert loads(dumps(read)) == read
    assert "\n" not in message


# --- what is wrong, and where -----------------------------------------------------------------------------------------

HEAD = '{"transcript": 1, "title": "t"}'
READ = '"by": "app", "does": "read", "to": "ffe0/ffe1"'


@pytest.mark.parametrize(
    ("lines", "where", "what"),
    [
        ("", "", "is empty"),
        ("\n \n", "", "is empty"),
        ("btsnoop", "line 1", "is not JSON"),
        ("[1]", "line 1", "is not a JSON object"),
        ("[" * 100_000, "line 1", "nested too deeply"),
        ('{"title": "t"}', "line 1", "no field `transcript`"),
        ('{"transcript": "1", "title": "t"}', "line 1", 'transcript: "1" is not a version'),
        ('{"transcript": true, "title": "t"}', "line 1", "transcript: true is not a version"),
        ('{"transcript": 0, "title": "t"}', "line 1", "there is no version 0; this program reads 1 to 1"),
        ('{"transcript": 1}', "line 1", "title: is missing"),
        ('{"transcript": 1, "title": 5}', "line 1", "title: 5 is not text"),
        ('{"transcript": 1, "title": "\\ud83e"}', "line 1", 'title: "\\ud83e" is not text'),
        ('{"transcript": 1, "title": "t", "titel": "u"}', "line 1", "titel: is not a field here"),
        ('{"transcript": 1, "title": "t", "a\\nb": "u"}', "line 1", "a\\nb: is not a field here"),
        ('{"transcript": 1, "' + "x" * 500 + '": "u"}', "line 1", "xxx...: is not a field here"),
        ('{"transcript": 1, "title": "t", "title": "u"}', "line 1", "title: is there twice"),
        ('{"transcript": 1, "title": "t", "mtu": 22}', "line 1", "mtu: 22 is not a number of octets"),
        ('{"transcript": 1, "title": "t", "mtu": 23.5}', "line 1", "mtu: 23.5 is not a number of octets"),
        (
            '{"transcript": 1, "title": "t", "advertised_services": "ffe0"}',
            "line 1",
            "advertised_services: is not a list",
        ),
        (
            '{"transcript": 1, "title": "t", "advertised_services": ["ffe"]}',
            "line 1",
            'advertised_services: "ffe" is not',
        ),
        (HEAD + '\n\n{"service": 5}', "line 3", "service: 5 is not a UUID"),
        (HEAD + '\n{"service": "ffe0", "characteristics": {}}', "line 2", "characteristics: is not a list"),
        (
            HEAD + '\n{"service": "ffe0", "characteristics": ["ffe1"]}',
            "line 2",
            'characteristics: "ffe1" is not an object',
        ),
        (
            HEAD + '\n{"service": "ffe0", "characteristics": [{"uuid": "ffe1", "flags": 2}]}',
            "line 2",
            "flags: is not a",
        ),
        (
            HEAD + '\n{"service": "ffe0", "characteristics": [{"properties": "read"}]}',
            "line 2",
            "uuid: null is not a UUID",
        ),
        (
            HEAD + '\n{"service": "ffe0", "characteristics": [{"uuid": "ffe1", "properties": "read fly"}]}',
            "line 2",
            'properties: "fly" is none of read, write-without-response, write, notify, indicate',
        ),
        (HEAD + f'\n{{"at": 0, {READ}}}\n{{"service": "ffe0"}}', "line 3", "service: services come before"),
        (HEAD + f'\n{{"at": 1, {READ}}}\n{{"at": 0.9, {READ}}}', "line 3", "at: earlier than the exchange before"),
        (HEAD + f"\n{{{READ}}}", "line 2", "at: is missing"),
        (HEAD + f'\n{{"at": "1", {READ}}}', "line 2", 'at: "1" is not a number of seconds'),
        (HEAD + f'\n{{"at": true, {READ}}}', "line 2", "at: true is not a number of seconds"),
        (HEAD + f'\n{{"at": -1, {READ}}}', "line 2", "at: -1 s is out of range"),
        (HEAD + f'\n{{"at": 1e999999999, {READ}}}', "line 2", "out of range"),
        (HEAD + f'\n{{"at": 9223372036.854775808, {READ}}}', "line 2", "out of range"),
        (HEAD + f'\n{{"at": NaN, {READ}}}', "line 2", "NaN is not a number"),
        (HEAD + f'\n{{"at": {"1" * 5000}, {READ}}}', "line 2", "has a number that no field can have"),
        (HEAD + f'\n{{"at": 0.0000000001, {READ}}}', "line 2", "at: 1E-10 s is finer than a nanosecond"),
        (HEAD + f'\n{{"at": 1.{"0" * 70}1, {READ}}}', "line 2", "is finer than a nanosecond"),
        (HEAD + '\n{"at": 0, "does": "connect"}', "line 2", "by: is missing; it is one of app, device"),
        (HEAD + '\n{"at": 0, "by": "phone", "does": "connect"}', "line 2", 'by: "phone" is none of app, device'),
        (HEAD + '\n{"at": 0, "by": "app", "does": "notify"}', "line 2", 'does: "notify" is none of connect, read'),
        (HEAD + f'\n{{"at": 0, {READ.replace("app", "device")}}}', "line 2", "by: a read is never by the device"),
        (HEAD + '\n{"at": 0, "by": "app", "does": "notification"}', "line 2", "by: a notification is never by the app"),
        (HEAD + '\n{"at": 0, "by": "app", "does": "read"}', "line 2", "to: a read needs the characteristic"),
        (HEAD + f'\n{{"at": 0, {READ.replace("read", "connect")}}}', "line 2", "to: a connect is about no"),
        (HEAD + f'\n{{"at": 0, {READ.replace("/ffe1", "")}}}', "line 2", 'to: "ffe0" is not a place'),
        (HEAD + f'\n{{"at": 0, {READ.replace("ffe1", "ffe")}}}', "line 2", 'to: "ffe" is not a UUID'),
        (HEAD + f'\n{{"at": 0, {READ.replace("ffe1", "ffe1#0")}}}', "line 2", "is not a place"),
        (
            HEAD + f'\n{{"at": 0, {READ.replace("ffe1", "ffe1#65536")}}}',
            "line 2",
            "to: there is no characteristic number",
        ),
        (HEAD + f'\n{{"at": 0, {READ.replace("ffe1", "ffe1/2902")}}}', "line 2", "descriptor 2902 is never meant"),
        (
            HEAD + f'\n{{"at": 0, {READ.replace("read", "subscribe").replace("ffe1", "ffe1/2901")}}}',
            "line 2",
            "not a desc",
        ),
        (HEAD + f'\n{{"at": 0, {READ.replace("read", "write")}}}', "line 2", "value: a write needs one"),
        (
            HEAD + f'\n{{"at": 0, {READ.replace("read", "subscribe")}, "value": "01"}}',
            "line 2",
            "value: a subscribe has none",
        ),
        (HEAD + f'\n{{"at": 0, {READ}, "value": "0"}}', "line 2", 'value: "0" is not hex'),
        (HEAD + f'\n{{"at": 0, {READ}, "value": "0g"}}', "line 2", 'value: "0g" is not hex'),
        (HEAD + f'\n{{"at": 0, {READ}, "value": 1}}', "line 2", "value: 1 is not hex"),
        (
            HEAD + f'\n{{"at": 0, {READ}, "value": "01", "error": "invalid_pdu"}}',
            "line 2",
            "value: a read that was refused",
        ),
        (HEAD + f'\n{{"at": 0, {READ}, "error": "nope"}}', "line 2", 'error: "nope" is no ATT error'),
        (HEAD + f'\n{{"at": 0, {READ}, "error": 3}}', "line 2", "error: 3 is no ATT error"),
        (HEAD + f'\n{{"at": 0, {READ}, "answered": -0.1}}', "line 2", "answered: -0.1 s is out of range"),
        (HEAD + f'\n{{"at": 0, {READ}, "hint": 1}}', "line 2", "hint: is not a field here"),
        (
            HEAD + '\n{"at": 0, "by": "app", "does": "write_command", "to": "ffe0/ffe1", "value": "", "answered": 1}',
            "line 2",
            "answered: no answer to a write_command is due",
        ),
        (
            HEAD + '\n{"at": 0, "by": "device", "does": "indication", "to": "ffe0/ffe1", "value": "", "error": "0x80"}',
            "line 2",
            "error: an indication cannot be refused",
        ),
    ],
)
def test_an_error_names_the_file_the_line_and_the_field(lines: str, where: str, what: str) -> None:
    with pytest.raises(TranscriptError) as caught:
        loads(lines, "mine.transcript")
    message = str(caught.value)
    assert message.startswith(f"mine.transcript, {where}: " if where else "mine.transcript: ")
    assert what in message
    assert "\n" not in message
    assert len(message) < 250


def test_files_that_cannot_be_read_or_written_say_so(tmp_path: Path) -> None:
    missing = tmp_path / "missing.transcript"
    with pytest.raises(TranscriptError, match=r"missing\.transcript: cannot be read: No such file"):
        load(missing)
    binary = tmp_path / "binary.transcript"
    binary.write_bytes(b"{\xff")
    with pytest.raises(TranscriptError, match=r"binary\.transcript: is not a transcript: byte 1 is not UTF-8 text"):
        load(binary)
    with pytest.raises(TranscriptError, match=r"cannot be written: No such file"):
        save(SESSION, tmp_path / "nowhere" / "session.transcript")


def test_a_transcript_is_told_from_other_files(tmp_path: Path) -> None:
    file = tmp_path / "some.file"
    assert not is_transcript(file)
    for content, is_one in [(SESSION_TEXT, True), ('\n { "title": "t", "transcript": 1}', True)]:
        file.write_text(content, encoding="utf-8")
        assert is_transcript(file) is is_one
    for other in [b"btsnoop\0", b"", b'{"format": "microcurrent handle map"}', b'{"a": 1}\n{"transcript": 1}']:
        file.write_bytes(other)
        assert not is_transcript(file)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (replace(SESSION, mtu=5), "mtu: 5"),
        (replace(SESSION, title="\ud83e half a pair"), "title: has half of a surrogate pair"),
        (replace(SESSION, advertised_services=("ffe0",)), "advertised_services: 'ffe0' is not a UUID as"),
        (replace(SESSION, services=(Service("FFE0", ()),)), "service 0: service: 'FFE0'"),
        (replace(SESSION, exchanges=SESSION.exchanges[::-1]), "exchange 1: at: earlier than the exchange before it"),
        (replace(SESSION, exchanges=(Exchange(-1, "app", "connect"),)), "exchange 0: at"),
        (
            replace(SESSION, exchanges=(Exchange(0, "app", "read", Place("1", "2")),)),
            "exchange 0: to: '1' is not a UUID",
        ),
        (
            replace(SESSION, exchanges=(Exchange(0, "app", "read", replace(SERIAL, nth=-1)),)),
            "no characteristic number",
        ),
        (replace(SESSION, exchanges=(Exchange(0, "app", "read", SERIAL, error=256),)), "error: 256"),
        (replace(SESSION, exchanges=(Exchange(0, "app", "fly", SERIAL),)), "does 'fly'"),  # type: ignore[arg-type]
    ],
)
def test_what_could_not_be_read_again_is_not_written(wrong: Transcript, what: str) -> None:
    with pytest.raises(ValueError, match=what.split("'", maxsplit=1)[0]) as caught:
        dumps(wrong)
    assert what in str(caught.value)


def test_every_error_name_is_read_and_written() -> None:
    for code in range(256):
        refused = Exchange(0, "app", "read", SERIAL, error=code)
        text = dumps(Transcript("", (refused,)))
        assert (ERROR_NAMES.get(code) or f"0x{code:02x}") in text
        assert loads(text).exchanges == (refused,)


# --- versions ---------------------------------------------------------------------------------------------------------


def test_a_newer_version_is_refused_in_one_line() -> None:
    newer = f'{{"transcript": {VERSION + 1}, "what": "ever"}}\n{{"new": 1}}\n'
    with pytest.raises(TranscriptError, match=r"^mine, line 1: transcript: version 2 is newer than .* \(up to 1\)"):
        loads(newer, "mine")


def milliseconds_to_seconds(records: list[Record]) -> list[Record]:
    """As if version 0 had had whole milliseconds in ``ms``."""
    for record in records[1:]:
        if "ms" in record.fields:
            record.fields["at"] = record.fields.pop("ms") // 1000  # type: ignore[operator]
    return records


def event_to_does(records: list[Record]) -> list[Record]:
    """As if version -1 had had no header, and ``event`` for ``does``."""
    renamed = [
        Record(line, {"does" if key == "event" else key: value for key, value in fields.items()})
        for line, fields in records
    ]
    renamed[0].fields["title"] = renamed[0].fields.pop("headline")
    return renamed


def test_older_versions_come_up_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(migrations.STEPS, 0, milliseconds_to_seconds)
    monkeypatch.setitem(migrations.STEPS, -1, event_to_does)
    assert oldest() == -1
    old = '{"transcript": -1, "headline": "t"}\n{"ms": 2000, "by": "app", "event": "connect"}\n'
    assert loads(old) == Transcript("t", (Exchange(2_000_000_000, "app", "connect"),))
    less_old = '{"transcript": 0, "title": "t"}\n{"ms": 2000, "by": "app", "does": "connect"}\n'
    assert loads(less_old) == loads(old)
    assert json.loads(dumps(loads(old)).splitlines()[0])["transcript"] == VERSION


def test_an_error_in_an_older_file_names_its_own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(migrations.STEPS, 0, milliseconds_to_seconds)
    with pytest.raises(TranscriptError, match="line 3: does: "):
        loads('{"transcript": 0, "title": "t"}\n\n{"ms": 0, "by": "app", "does": "fly"}')


def test_a_chain_with_a_gap_begins_behind_it() -> None:
    def as_it_is(records: list[Record]) -> list[Record]:
        return records

    assert oldest({1: as_it_is, 3: as_it_is, 4: as_it_is}, 5) == 3
    assert oldest({}, 5) == 5


def test_steps_are_taken_in_order_and_only_those_that_are_needed() -> None:
    taken: list[int] = []

    def step(version: int) -> migrations.Step:
        def take(records: list[Record]) -> list[Record]:
            taken.append(version)
            return records

        return take

    steps = {version: step(version) for version in range(1, 6)}
    records = [Record(1, {})]
    assert migrated(records, 3, steps=steps, to=5) is records
    assert taken == [3, 4]
