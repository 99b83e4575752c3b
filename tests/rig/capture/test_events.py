"""What app and device said to each other: on which links, by which protocol, and as the device takes it."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import dr05, foreo, model
from protocols.dr05_listening import Dr05Listener
from protocols.frames import ChecksumOrder, encode
from protocols.gatt import Characteristic, Property, Service, uuid
from protocols.registry import Registry
from rig.capture import events as events_module
from rig.capture.events import DeviceEvent, EventDecoder, ProtocolChoiceError, device_events, services_of
from rig.capture.gatt import GattTracker
from rig.capture.handle_map import HandleMap
from rig.capture.layers.links import LOCAL, REMOTE, UNKNOWN_SIDE, Address, AttPdu, Link, Observations
from rig.capture.records import CaptureError
from rig.devices.dr05 import SimulatedDr05
from rig.devices.model import Notify
from tests.rig.capture.att_talk import PEER, link, named, pdus

VECTORS = Path(__file__).parents[2] / "protocols" / "data" / "dr05-vectors.tsv"
REGISTRY = Registry([dr05.ENTRY, foreo.ENTRY])
DR05 = Observations(names={PEER.text: "Dr-05"})

UART = (
    "> 10 0100 ffff 0028", "< 11 06 0100 0500 e0ff",
    "> 08 0100 0500 0328", "< 09 07 0200 1c 0300 e1ff",
    "> 12 0400 0100", "< 13",
)  # fmt: skip
"""Discovery of a UART bridge: FFE0 with FFE1 at 0x0003."""
STOP = "55aa0500a63102066bf2"
STOP_LOW_FIRST = "55aa0500a6310206f26b"
STOPPED = "55aa0500a63101069bf2"
STOP_REFUSED = encode(0x31, 0x00, 0x06).hex()


def told(
    *lines: str,
    on: Link | None = None,
    observations: Observations | None = None,
    protocol: str | None = None,
    handle_map: HandleMap | None = None,
) -> list[DeviceEvent]:
    tracker = GattTracker(handle_map)
    stream = pdus(on or link(), lines)
    return list(device_events(stream, tracker, observations, protocol=protocol, registry=REGISTRY))


def kinds(events: list[DeviceEvent]) -> list[tuple[str, str, str]]:
    return [(event.by, event.kind, event.name) for event in events]


# --- what is told -----------------------------------------------------------------------------------------------------


def test_a_command_and_its_acknowledgement_are_told_with_their_records() -> None:
    command, echo = told(*UART, f"> 52 0300 {STOP}", f"< 1b 0300 {STOPPED}", observations=DR05)
    assert command == DeviceEvent(
        7, 1_007_000_000, 1, "dr05", "host", "command", "total_stop", {}, "", None, "ffe1", 3, bytes.fromhex(STOP)
    )
    assert (echo.by, echo.kind, echo.frame, echo.time_ns) == ("device", "acknowledged", 8, 1_008_000_000)
    assert echo.latency_s == pytest.approx(0.001)
    assert (command.text, echo.text) == ("total stop", "total stop: acknowledged after 0.001 s")


def test_the_low_first_total_stop_of_the_document_is_told_as_refused_and_why() -> None:
    written, echo = told(*UART, f"> 52 0300 {STOP_LOW_FIRST}", f"< 1b 0300 {STOP_REFUSED}", observations=DR05)
    assert kinds([written, echo]) == [("host", "refused", "total_stop"), ("device", "refused", "total_stop")]
    assert written.text == (
        "total stop: will be refused, its checksum F2 6B is low byte first and the published firmware reads high byte "
        "first: the device answers with state 00 and does nothing"
    )
    assert echo.text == "total stop: refused, checksum refused by the device after 0.001 s"


def test_fields_are_told_with_their_units() -> None:
    frames = {
        encode(0x32, 2, 0x02, b"\x14"): ("set intensity 20 %", {"percent": 20}),
        encode(0x32, 2, 0x0C, b"\xff"): ("set cooling target -1 °C", {"temperature_c": -1}),
        encode(0x32, 2, 0x0D, b"\x02"): ("select mode 2", {"mode": 2}),
    }
    events = told(*UART, *(f"> 52 0300 {frame.hex()}" for frame in frames), observations=DR05)
    assert [(event.text, event.data) for event in events] == list(frames.values())
    version = told(*UART, f"< 1b 0300 {encode(0x33, 1, 0x40, bytes((2, 1))).hex()}", observations=DR05)
    assert [event.text for event in version] == ["query version: acknowledged", "version major 2, minor 1"]


def test_json_has_everything() -> None:
    [event] = told(*UART, f"> 52 0300 {encode(0x32, 2, 0x02, bytes((5,))).hex()}", observations=DR05)
    assert event.as_json() == {
        "frame": 7, "time_ns": 1_007_000_000, "link": 1, "protocol": "dr05", "by": "host", "kind": "command",
        "name": "set_intensity", "data": {"percent": 5}, "reason": "", "latency_s": None, "uuid": "ffe1",
        "handle": "0x0003", "raw": encode(0x32, 2, 0x02, b"\5").hex(), "text": "set intensity 5 %",
    }  # fmt: skip


def test_bytes_without_meaning_on_a_devices_line_are_told() -> None:
    [event] = told(*UART, "< 1b 0300 2b4f4b", observations=DR05)
    assert (event.kind, event.name, event.text) == ("unrecognised", "", "not understood: no frame starts here")


def test_a_frame_in_two_writes_is_told_with_the_record_that_completes_it() -> None:
    [event] = told(*UART, f"> 52 0300 {STOP[:8]}", f"> 52 0300 {STOP[8:]}", observations=DR05)
    assert (event.frame, event.raw.hex()) == (8, STOP)


def test_writes_with_response_signed_ones_and_prepared_ones_are_heard_alike() -> None:
    writes = {
        "request": (f"> 12 0300 {STOP}", "< 13"),
        "signed": (f"> d2 0300 {STOP} 000000000000000000000000",),
        "prepared": (
            f"> 16 0300 0000 {STOP[:6]}", f"< 17 0300 0000 {STOP[:6]}",
            f"> 16 0300 0300 {STOP[6:]}", f"< 17 0300 0300 {STOP[6:]}",
            "> 18 01", "< 19",
        ),
    }  # fmt: skip
    for way, lines in writes.items():
        events = told(*UART, *lines, observations=DR05)
        assert kinds(events) == [("host", "command", "total_stop")], way
    assert told(*UART, *writes["prepared"][:4], "> 18 00", "< 19", observations=DR05) == [], "cancelled"
    assert told(*UART, *writes["prepared"][:4], "> 18 01", "< 01 18 0300 80", observations=DR05) == [], "refused by ATT"


def test_a_write_request_is_told_when_it_is_written_and_not_when_it_is_answered() -> None:
    events = told(*UART, f"> 12 0300 {STOP}", f"< 1b 0300 {STOPPED}", "< 13", observations=DR05)
    assert [(event.frame, event.kind) for event in events] == [(7, "command"), (8, "acknowledged")]


# --- FOREO: ATT's own answers -----------------------------------------------------------------------------------------

FOREO = (
    "> 10 0100 ffff 0028", "< 11 06 0100 0900 f0ff",
    "> 08 0100 0900 0328", "< 09 07 0200 08 0300 f1ff 0400 12 0500 000a",
)  # fmt: skip


def test_the_response_to_a_write_is_a_foreos_acknowledgement_and_an_error_its_refusal() -> None:
    lines = (*FOREO, "> 12 0300 010003", "< 13", "> 12 0300 010000", "< 01 12 0300 0e", "> 0a 0500", "< 0b 57")
    events = told(*lines, observations=Observations(names={PEER.text: "BEAR2"}))
    assert [(event.by, event.kind, event.text) for event in events] == [
        ("host", "command", "set intensity 30 %"),
        ("device", "acknowledged", "set intensity 30 %: acknowledged after 0.001 s"),
        ("host", "command", "stop output"),
        ("device", "refused", "stop output: refused, unlikely_error after 0.001 s"),
        ("device", "event", "battery 87 %"),
    ]


def test_a_foreo_is_known_by_its_services_once_it_is_spoken_to() -> None:
    assert kinds(told(*FOREO, "> 12 0300 010003")) == [("host", "command", "set_intensity")]


# --- which protocol ---------------------------------------------------------------------------------------------------


def test_the_name_read_from_the_device_chooses_where_none_was_advertised() -> None:
    by_handle = ("> 08 0600 ffff 0328", "< 09 07 0700 02 0800 002a", "> 0a 0800", f"< 0b {b'Dr-05'.hex()}")
    by_type = ("> 08 0100 ffff 002a", f"< 09 07 0800 {b'Dr-05'.hex()}")
    for reads in (by_handle, by_type):
        assert kinds(told(*UART, *reads, "< 1b 0300 2b4f4b")) == [("device", "unrecognised", "")]
    assert told(*UART, "< 1b 0300 2b4f4b") == []


def test_without_a_name_a_device_with_fitting_services_is_known_once_something_is_understood() -> None:
    decoder = EventDecoder(GattTracker(), registry=REGISTRY)
    stream = pdus(link(), [*UART, "< 1b 0300 2b4f4b", f"> 52 0300 {STOP}", "< 1b 0300 2b4f4b"])
    events = [event for pdu in stream for event in decoder.feed(pdu)]
    assert [event.kind for event in events] == ["command", "unrecognised"]
    assert decoder.chosen == {1: "dr05"}
    assert decoder.problems == ()


def test_another_device_with_the_same_services_is_none_of_ours() -> None:
    decoder = EventDecoder(GattTracker(), registry=REGISTRY)
    stream = pdus(link(), [*UART, "> 52 0300 010003", "< 1b 0300 aabbcc"])
    assert [event for pdu in stream for event in decoder.feed(pdu)] == []
    assert decoder.chosen == {}


def test_a_name_that_becomes_known_late_chooses_from_then_on() -> None:
    observations = Observations()
    decoder = EventDecoder(GattTracker(), observations, registry=REGISTRY)
    for pdu in pdus(link(), [*UART, "< 1b 0300 aa"]):
        assert decoder.feed(pdu) == []
    observations.names[PEER.text] = "Dr-05"
    [pdu] = pdus(link(), ["< 1b 0300 aa"])
    assert [event.kind for event in decoder.feed(pdu)] == ["unrecognised"]


def test_two_links_speak_a_protocol_each() -> None:
    other = Address("C0:00:00:00:00:02", is_random=True)
    observations = Observations(names={PEER.text: "Dr-05", other.text: "BEAR2"})
    decoder = EventDecoder(GattTracker(), observations, registry=REGISTRY)
    stream = [*pdus(link(), UART), *pdus(link(2, other), FOREO)]
    stream += [*pdus(link(), [f"> 52 0300 {STOP}"]), *pdus(link(2, other), ["> 12 0300 010000"])]
    events = [event for pdu in stream for event in decoder.feed(pdu)]
    assert [(event.link, event.protocol, event.name) for event in events] == [
        (1, "dr05", "total_stop"), (2, "foreo", "stop_output"),
    ]  # fmt: skip


def test_the_host_that_recorded_may_be_the_device() -> None:
    mirrored = [("<" if line[0] == ">" else ">") + line[1:] for line in (*UART, f"> 52 0300 {STOP}")]
    assert kinds(told(*mirrored)) == [("host", "command", "total_stop")]


def test_where_a_sniffer_knows_no_sender_the_conversation_is_told_all_the_same() -> None:
    lines = [f"?{line[1:]}" for line in (*UART, f"> 52 0300 {STOP}", f"< 1b 0300 {STOPPED}")]
    assert [event.kind for event in told(*lines, on=link(on_air=True))] == ["command", "acknowledged"]


def test_a_capture_that_begins_in_mid_connection_is_told_with_a_protocol_and_no_table_at_all() -> None:
    lines = ("< 1b 0300 0102", f"> 52 0300 {STOP}", f"< 1b 0300 {STOPPED}")
    events = told(*lines, on=link(1, None), protocol="dr05")
    assert [(event.kind, event.name, event.uuid) for event in events] == [
        ("command", "total_stop", ""), ("acknowledged", "total_stop", ""),
    ]  # fmt: skip
    assert told(*lines, on=link(1, None)) == []


def test_a_capture_that_begins_in_mid_connection_is_told_by_its_map_without_asking_for_a_protocol() -> None:
    tracker = GattTracker()
    named(tracker, link(), *UART)
    handle_map = HandleMap.from_json(HandleMap.of(tracker, [link()]).to_json())
    lines = (f"< 1b 0300 {STOPPED}", "< 1b 0300 0102")
    assert [event.kind for event in told(*lines, on=link(1, None), handle_map=handle_map)] == [
        "acknowledged", "unrecognised",
    ]  # fmt: skip
    foreo_tracker = GattTracker()
    named(foreo_tracker, link(), *FOREO)
    levels = told("> 52 0300 010005", on=link(1, None), handle_map=HandleMap.of(foreo_tracker), protocol="foreo")
    assert [event.text for event in levels] == ["set intensity 50 %"]


def test_a_protocol_that_does_not_exist_or_cannot_listen_is_said_to_be_that() -> None:
    with pytest.raises(ProtocolChoiceError, match=r"no protocol 'omp'; known: dr05, foreo"):
        told(protocol="omp")
    deaf = Registry([dataclasses.replace(dr05.ENTRY, key="deaf", listen=None), foreo.ENTRY])
    with pytest.raises(ProtocolChoiceError, match=r"the protocol 'deaf' cannot decode captures; those that can: foreo"):
        EventDecoder(GattTracker(), protocol="deaf", registry=deaf)
    stream = pdus(link(), [*UART, f"> 52 0300 {STOP}"])
    assert list(device_events(stream, GattTracker(), DR05, registry=deaf)) == []


def test_the_installed_protocols_are_used_unless_others_are_given() -> None:
    stream = pdus(link(), [*UART, f"> 52 0300 {STOP}"])
    assert len(list(device_events(stream, GattTracker(), DR05))) == 1


def test_damage_comes_through_after_what_was_said_before_it() -> None:
    def damaged() -> Iterator[AttPdu]:
        yield from pdus(link(), [*UART, f"> 52 0300 {STOP}"])
        raise CaptureError("file", "is cut", 9)

    events: list[DeviceEvent] = []
    with pytest.raises(CaptureError, match="at byte 9"):
        events.extend(device_events(damaged(), GattTracker(), DR05, registry=REGISTRY))
    assert len(events) == 1


def test_a_table_is_the_services_that_a_protocol_knows() -> None:
    tracker = GattTracker()
    named(tracker, link(), *FOREO)
    table = tracker.table(link(), REMOTE)
    assert table is not None
    assert services_of(table) == (
        Service(
            uuid("fff0"),
            (
                Characteristic(uuid("fff1"), Property.WRITE),
                Characteristic(uuid("0a00"), Property.READ | Property.NOTIFY),
            ),
        ),
    )


# --- against the simulated device -------------------------------------------------------------------------------------

with VECTORS.open(encoding="ascii", newline="") as file:
    PRINTED = [bytes.fromhex(row["frame"]) for row in csv.DictReader(file, delimiter="\t")]
UPDATE = bytes((0x31, 0x02, 0xAA))


def answer_of(device: SimulatedDr05, frame: bytes) -> bytes:
    """What the firmware says to a frame, written to it alone."""
    device.connected(0.0)
    device.subscribed(uuid("ffe1"), True, 0.0)  # noqa: FBT003 - the contract's
    device.written(uuid("ffe1"), frame, 1.0)
    actions = [action for action in device.deadline_passed(2.0) if isinstance(action, Notify)]
    return b"".join(action.data for action in actions)


@pytest.mark.parametrize("low_byte_first", [False, True])
@pytest.mark.parametrize("frame", PRINTED, ids=lambda frame: frame.hex())
def test_a_frame_is_told_as_refused_exactly_where_the_firmware_refuses_it(frame: bytes, low_byte_first: bool) -> None:
    listener = Dr05Listener()
    if low_byte_first:  # it has shown by an answer what it reads
        question = encode(0x33, 0x02, 0x40, order=ChecksumOrder.LOW_FIRST)
        listener.written(uuid("ffe1"), question, 0.0)
        listener.received(uuid("ffe1"), encode(0x33, 0x01, 0x40, b"\2\1", order=ChecksumOrder.LOW_FIRST), 0.1)
    [heard] = listener.written(uuid("ffe1"), frame, 1.0)
    answer = answer_of(SimulatedDr05(low_byte_first=low_byte_first), frame)
    state = answer[6] if answer else None
    if heard.kind == "command":
        assert state == 0x01
        [echo, *_] = listener.received(uuid("ffe1"), answer, 1.1)
        assert (echo.kind, echo.what) == ("acknowledged", heard.what)
    elif heard.kind == "refused":
        assert state == 0x00
    else:
        assert state is None


def test_the_refused_total_stop_leaves_the_output_running() -> None:
    device = SimulatedDr05()
    answer_of(device, encode(0x32, 2, 0x02, b"\5"))
    device.written(uuid("ffe1"), encode(0x31, 2, 0x03, b"\1"), 3.0)
    device.written(uuid("ffe1"), bytes.fromhex(STOP_LOW_FIRST), 4.0)
    assert device.output_percent(5.0) == 5.0
    device.written(uuid("ffe1"), bytes.fromhex(STOP), 6.0)
    assert device.output_percent(7.0) == 0.0


def test_what_is_told_of_a_command_is_the_command_itself() -> None:
    [event] = told(*UART, f"> 52 0300 {STOP}", observations=DR05)
    assert event.name == "total_stop"
    [heard] = Dr05Listener().written(uuid("ffe1"), bytes.fromhex(STOP), 0.0)
    assert heard.what == model.TotalStop()


# --- untrusted input --------------------------------------------------------------------------------------------------

SAID = st.sampled_from([STOP, STOP_LOW_FIRST, STOPPED, STOP_REFUSED, "55aa", ""]).map(bytes.fromhex) | st.binary(
    max_size=20
)
PDUS = st.builds(
    lambda opcode, handle, rest: bytes((opcode,)) + handle + rest,
    st.sampled_from([0x52, 0x12, 0x13, 0x1B, 0x1D, 0x1E, 0x0A, 0x0B, 0x0C, 0x0D, 0x09, 0x08, 0x01, 0x16, 0x17, 0x18]),
    st.sampled_from([b"", b"\x03\x00", b"\x05\x00", b"\x00\x00", b"\x03"]),
    SAID,
)


@given(
    st.sampled_from([None, "dr05", "foreo"]),
    st.lists(st.tuples(st.sampled_from([LOCAL, REMOTE, UNKNOWN_SIDE]), PDUS, st.integers(-(10**18), 10**18))),
)
def test_no_bytes_make_a_decoder_raise(protocol: str | None, talk: list[tuple[int, bytes, int]]) -> None:
    decoder = EventDecoder(GattTracker(), DR05, protocol=protocol, registry=REGISTRY)
    stream = pdus(link(), UART) + [AttPdu(9, time_ns, link(), side, data) for side, data, time_ns in talk]
    for pdu in stream:
        for event in decoder.feed(pdu):
            assert event.text
            assert event.as_json()["raw"] == event.raw.hex()


def test_a_table_that_grows_without_end_is_not_looked_through_at_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "MAX_LOOKED_THROUGH", 100)
    looked = []
    nosy = dataclasses.replace(dr05.ENTRY, fits=lambda services: bool(looked.append(services)))
    decoder = EventDecoder(GattTracker(), registry=Registry([nosy]))
    for handle in range(1, 400):
        octets = handle.to_bytes(2, "little").hex()
        lines = [f"> 04 {octets} ffff", f"< 05 01 {octets} f1ff", f"< 1b {octets} 00"]
        assert [event for pdu in pdus(link(), lines) for event in decoder.feed(pdu)] == []
    assert 20 < len(looked) < 60


def test_links_without_end_have_no_listeners_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "MAX_CONVERSATIONS", 3)
    decoder = EventDecoder(GattTracker(), protocol="dr05", registry=REGISTRY)
    for number in range(1, 20):
        [pdu] = pdus(link(number, None), [f"> 52 0300 {STOP}"])
        assert [event.name for event in decoder.feed(pdu)] == ["total_stop"]
    assert len(decoder._conversations) <= 3
    assert decoder.chosen == {1: "dr05", 2: "dr05", 3: "dr05"}
