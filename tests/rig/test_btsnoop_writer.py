"""What is recorded is a btsnoop file that Wireshark reads, with every ATT operation and UUID in place."""

from __future__ import annotations

import asyncio
import errno
import io
import shutil
import struct
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from rig.capture.writer import BtsnoopWriter, Direction
from rig.clock import run
from rig.radio.link import VirtualRadio
from tests.rig.radio_world import ECHO, FUSSY, METER, client_for, echo_device

EPOCH = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
COMMAND, ACL, EVENT = b"\x01\x03\x0c\x00", b"\x02\x01\x20\x00\x00", b"\x04\x0e\x04\x01\x03\x0c\x00"


def records(data: bytes) -> list[tuple[int, int, bytes]]:
    """Return flags, microseconds since 1970 and packet of each record, read by the format's own rules."""
    assert data[:16] == b"btsnoop\0" + struct.pack(">II", 1, 1002)
    found = []
    start = 16
    while start < len(data):
        original, included, flags, drops, stamp = struct.unpack_from(">IIIIq", data, start)
        assert (original, drops) == (included, 0)
        found.append((flags, stamp - 0x00DCDDB30F2F8000, data[start + 24 : start + 24 + included]))
        start += 24 + included
    assert start == len(data)
    return found


def test_flags_say_direction_and_kind() -> None:
    file = io.BytesIO()
    with BtsnoopWriter(file, EPOCH) as writer:
        writer.record(COMMAND, Direction.SENT, 0)
        writer.record(EVENT, Direction.RECEIVED, 0)
        writer.record(ACL, Direction.SENT, 0)
        writer.record(ACL, Direction.RECEIVED, 0)
    assert [(flags, packet) for flags, _, packet in records(file.getvalue())] == [
        (0b10, COMMAND),
        (0b11, EVENT),
        (0b00, ACL),
        (0b01, ACL),
    ]


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-7))], ids=["UTC", "seven hours west"])
def test_times_are_absolute_to_the_microsecond(zone: timezone) -> None:
    file = io.BytesIO()
    with BtsnoopWriter(file, EPOCH.astimezone(zone)) as writer:
        writer.record(ACL, Direction.SENT, 12.345678)
    [(_, stamp, _)] = records(file.getvalue())
    assert stamp == int(EPOCH.timestamp()) * 1_000_000 + 12_345_678


def test_an_epoch_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        BtsnoopWriter(io.BytesIO(), datetime(2024, 1, 1))  # noqa: DTZ001 - the mistake under test


def test_what_is_recorded_is_in_the_file_before_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "x.btsnoop"
    writer = BtsnoopWriter(path, EPOCH)
    writer.record(ACL, Direction.SENT, 0)
    assert len(records(path.read_bytes())) == writer.records == 1
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.record(ACL, Direction.SENT, 0)


def test_an_empty_packet_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        BtsnoopWriter(io.BytesIO(), EPOCH).record(b"", Direction.SENT, 0)


async def _session(writer: BtsnoopWriter) -> None:
    async with VirtualRadio(seed=5) as radio:
        radio.record(writer)
        device = echo_device()
        await radio.add_device(device)
        async with await client_for(radio) as client:
            await client.start_notify(ECHO, lambda *_: None)
            await client.start_notify(METER, lambda *_: None)
            await client.write_gatt_char(ECHO, b"request", response=True)
            await client.write_gatt_char(ECHO, b"command", response=False)
            device.notify(METER, b"indicated")
            assert await client.read_gatt_char(METER) == b"indicated"
            await asyncio.gather(client.write_gatt_char(FUSSY, b"no", response=True), return_exceptions=True)
            await asyncio.sleep(1)


def test_a_recorded_session_begins_with_the_reset_and_is_the_same_every_time() -> None:
    files = []
    for _ in range(2):
        file = io.BytesIO()
        with BtsnoopWriter(file, EPOCH) as writer:
            run(_session(writer))
        files.append(file.getvalue())
    assert files[0] == files[1]
    first, *rest = records(files[0])
    assert first == (0b10, int(EPOCH.timestamp()) * 1_000_000, COMMAND)
    assert any(packet[0] == 0x02 for _, _, packet in rest)
    for flags, _, packet in rest:
        assert (flags >> 1) == (packet[0] in (0x01, 0x04))


def test_wireshark_sees_every_operation_with_its_uuid(tmp_path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed: apt-get install tshark")
    path = tmp_path / "session.btsnoop"
    with BtsnoopWriter(path, EPOCH) as writer:
        run(_session(writer))

    def ask(*arguments: str) -> str:
        return subprocess.run(
            [tshark, "-r", str(path), *arguments], check=True, capture_output=True, text=True, timeout=60
        ).stdout

    fields = ["btatt.opcode", "btatt.uuid16", "btatt.value", "btatt.error_code"]
    rows = ask("-Y", "btatt", "-T", "fields", *(part for field in fields for part in ("-e", field))).splitlines()
    seen = [tuple(row.split("\t")) for row in rows]

    def once(opcode: str, uuid16: str, value: bytes) -> None:
        matching = [row for row in seen if row[:3] == (opcode, uuid16, value.hex())]
        assert len(matching) == 1, (opcode, uuid16, value, seen)

    once("0x12", "0xffe1", b"request")
    once("0x52", "0xffe1", b"command")
    once("0x1b", "0xffe1", b"request")
    once("0x1b", "0xffe1", b"command")
    once("0x1d", "0xffe2", b"indicated")
    once("0x0b", "0xffe2", b"indicated")
    once("0x12", "0xffe3", b"no")
    assert [row[3] for row in seen if row[0] == "0x01" and row[3] == "0x80"] == ["0x80"]
    assert any(row[0] == "0x11" for row in seen), "service discovery is in the file"
    assert "Malformed" not in ask("-V")
    assert ask("-Y", "_ws.malformed || _ws.expert.severity == error", "-T", "fields", "-e", "frame.number") == ""


class FullDisk(io.BytesIO):
    """A file that takes so many bytes and no more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_a_full_disk_ends_the_recording_and_nothing_else() -> None:
    """A session, and above all a stop, goes on without its recording."""

    async def main() -> None:
        errors: list[OSError] = []
        file = FullDisk(2000)
        async with VirtualRadio() as radio:
            radio.record(BtsnoopWriter(file, EPOCH), on_error=errors.append)
            device = echo_device()
            await radio.add_device(device)
            async with await client_for(radio) as client:
                await client.write_gatt_char(ECHO, b"x", response=True)
            assert [seen.data for seen in device.writes] == [b"x"]
        assert [error.errno for error in errors] == [errno.ENOSPC]
        assert records(file.getvalue())  # whole records, as far as it goes

    run(main())


def test_a_full_disk_that_nobody_asked_about_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            radio.record(BtsnoopWriter(FullDisk(500), EPOCH))
            await radio.add_device(echo_device())
            async with await client_for(radio):
                pass

    run(main())
    assert [record.getMessage() for record in caplog.records] == [
        "the recording has ended: [Errno 28] No space left on device"
    ]


def test_a_writer_closed_in_the_middle_of_a_session_ends_the_recording() -> None:
    async def main() -> None:
        writer = BtsnoopWriter(io.BytesIO(), EPOCH)
        async with VirtualRadio() as radio:
            radio.record(writer)
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                before = writer.records
                writer.close()
                assert await client.read_gatt_char(METER) == b"\x2a"
        assert writer.records == before > 0

    run(main())
