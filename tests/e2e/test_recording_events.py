"""What the companion records of a session, the rig tells as commands, acknowledgements and events of the device."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from companion.cli import main as companion
from companion.config import DATA_VARIABLE
from rig.capture.events import DeviceEvent, EventDecoder
from rig.capture.handle_map import HandleMap
from rig.capture.reading import Reading


def recorded(device: str, folder: Path) -> Path:
    """A whole first-touch session on a simulated device."""
    path = folder / "session.btsnoop"
    arguments = ["run", "first-touch", "--demo", device, "--yes", "--speed", "max", "--seed", "3"]
    assert companion([*arguments, "--record", str(path)]) == 0
    return path


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole first-touch session on the simulated Dr-05."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    return recorded("dr05", tmp_path)


def told(path: Path, *, protocol: str | None = None, handle_map: HandleMap | None = None) -> list[DeviceEvent]:
    with Reading(path, handle_map) as reading:
        decoder = EventDecoder(reading.tracker, reading.stack.observations, protocol=protocol)
        return [event for pdu in reading.pdus() for event in decoder.feed(pdu)]


def records(path: Path) -> tuple[bytes, list[bytes]]:
    """The header of a btsnoop file and its records, each with its own header."""
    data = path.read_bytes()
    found, at = [], 16
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at + 4)
        found.append(data[at : at + 24 + length])
        at += 24 + length
    return data[:16], found


def cut_before_the_session(path: Path) -> Path:
    """The same recording begun in mid-connection: only ACL packets, from the first frame of the device's own on."""
    header, found = records(path)
    first = next(at for at, record in enumerate(found) if b"\x55\xaa" in record[24:])
    cut = path.with_name("cut.btsnoop")
    cut.write_bytes(header + b"".join(record for record in found[first:] if record[24] == 0x02))
    return cut


def spoken(events: list[DeviceEvent]) -> list[tuple[str, str, str, bytes]]:
    return [(event.by, event.kind, event.text, event.raw) for event in events]


def test_a_session_is_told_from_the_question_for_the_version_to_the_last_stop(recording: Path) -> None:
    events = told(recording)
    assert {event.protocol for event in events} == {"dr05"}
    assert {event.kind for event in events} == {"command", "acknowledged", "event"}
    names = [event.name for event in events if event.kind == "command"]
    assert names[:2] == ["query_version", "total_stop"], "what the companion does first on a link"
    assert "start_output" in names
    assert names[-1] in {"total_stop", "stop_output"}
    levels = [event.data["percent"] for event in events if event.kind == "command" and event.name == "set_intensity"]
    assert levels[0] == 1
    assert max(levels) > 1
    assert all(event.uuid == "ffe1" for event in events)


def test_every_command_of_a_session_is_acknowledged_and_in_how_long_is_told(recording: Path) -> None:
    events = told(recording)
    commands = [event for event in events if event.kind == "command"]
    acknowledged = [event for event in events if event.kind == "acknowledged"]
    assert [(event.name, event.data) for event in commands] == [(event.name, event.data) for event in acknowledged]
    for command, answer in zip(commands, acknowledged, strict=True):
        assert answer.latency_s == pytest.approx((answer.time_ns - command.time_ns) / 1e9)
        assert 0.01 < answer.latency_s < 0.5  # 27 ms of UART, and the radio


def test_the_same_is_told_of_a_recording_that_begins_in_mid_connection(recording: Path) -> None:
    whole = spoken(told(recording))
    cut = cut_before_the_session(recording)
    assert told(cut) == [], "nothing says what device that is"
    assert spoken(told(cut, protocol="dr05")) == whole

    with Reading(recording) as reading:
        for pdu in reading.pdus():
            reading.tracker.name(pdu)
        handle_map = HandleMap.of(reading.tracker, reading.stack.links)
    by_map = told(cut, handle_map=handle_map)
    assert spoken(by_map) == whole
    assert {event.uuid for event in by_map} == {"ffe1"}


def test_a_session_of_a_device_that_measures_is_told_with_what_it_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    events = told(recorded("omp", tmp_path))
    assert {event.protocol for event in events} == {"omp"}
    assert {event.kind for event in events} == {"command", "acknowledged", "event"}

    commands = [event for event in events if event.kind == "command"]
    acknowledged = [event for event in events if event.kind == "acknowledged"]
    assert [(event.name, event.data) for event in commands] == [(event.name, event.data) for event in acknowledged]
    names = [event.name for event in commands]
    assert names[0] == names[-1] == "total_stop", "the companion stops a device before it does anything with it"
    assert names.count("start_output") == 2
    assert [event.data["percent"] for event in commands if event.name == "set_intensity"] == [5, 5, 10, 15]

    delivered = [event.data["current_ua"] for event in events if event.name == "delivered"]
    assert 0 < max(delivered) <= 60 * 1.05 + 5  # 15 % of 400 µA
    assert {event.name for event in events if event.kind == "event"} == {"delivered", "contact", "battery"}
