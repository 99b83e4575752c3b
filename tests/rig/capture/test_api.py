"""The Python API to captures, and the table of a capture: columns that say what the scalar path says."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import rig.capture
from rig.capture import columns, decode
from rig.capture.att import WRITE_REQUEST
from rig.capture.decode import write_tsv
from rig.capture.fast.stream import chunks
from rig.capture.operations import operations
from rig.capture.reading import Reading
from rig.capture.records import CaptureError
from rig.capture.rows import AttRow, rows
from rig.capture.source import Source
from rig.capture.text import TSV_HEADER, tsv_line
from tests.rig.capture.containers import UNIX_EPOCH_US, btsnoop, interface, option, section, simple
from tests.rig.capture.containers import Packet as Timed
from tests.rig.capture.hci_traffic import RECEIVED, SENT, att, connected
from tests.rig.capture.traffic_streams import as_btsnoop, as_pcapng, stream

CAPTURES = Path(__file__).parents[2] / "captures"
RECORDINGS = sorted(path for path in CAPTURES.iterdir() if path.is_file() and path.suffix not in {".md", ".tsv"})


def scalar_rows(path: Path) -> list[AttRow]:
    with Reading(path) as reading:
        return list(rows(reading.records(), reading.stack, reading.tracker))


def table_of(path: Path | str) -> str:
    out = io.BytesIO()
    write_tsv(path, out)
    return out.getvalue().decode()


def expected_table(path: Path) -> str:
    return TSV_HEADER + "".join(map(tsv_line, scalar_rows(path)))


# --- columns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_att_columns_say_what_the_rows_say(recording: Path) -> None:
    assert list(rig.capture.open(recording).att().rows()) == scalar_rows(recording)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_record_columns_say_what_the_reader_says(recording: Path) -> None:
    found = rig.capture.open(recording).records
    with Reading(recording) as reading:
        records = list(reading.records())
    assert len(found) == len(records)
    for number, (record, row) in enumerate(zip(records, found.table, strict=True)):
        assert found.octets(number) == record.data
        assert int(row["seconds"]) * 1_000_000_000 + int(row["nanoseconds"]) == record.time_ns
        assert (row["frame"], row["link_type"], row["interface"]) == (record.frame, record.link_type, record.interface)
        assert (row["original_length"], row["flags"]) == (record.original_length, record.flags)
        assert row["offset"] == record.offset


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_gatt_columns_say_what_the_operations_say(recording: Path) -> None:
    found = rig.capture.open(recording).gatt()
    with Reading(recording) as reading:
        wanted = list(operations(reading.pdus(), reading.tracker))
    assert len(found) == len(wanted)
    for number, (operation, row) in enumerate(zip(wanted, found.table, strict=True)):
        assert columns.KINDS[row["kind"]] == operation.kind
        assert columns.SENDERS[row["sender"]] == operation.sender
        assert (row["link"], row["frame"], row["offset"]) == (operation.link, operation.frame, operation.offset)
        assert bool(row["complete"]) == operation.complete
        for name in ("end_frame", "handle", "error"):
            assert row[name] == (-1 if getattr(operation, name) is None else getattr(operation, name))
        for name in ("uuid", "service", "characteristic"):
            assert found.uuids[row[name]] == getattr(operation, name)
        for prefix, time_ns in (("", operation.time_ns), ("end_", operation.end_time_ns or 0)):
            assert int(row[f"{prefix}seconds"]) * 10**9 + int(row[f"{prefix}nanoseconds"]) == time_ns
        assert [row["client_mtu"], row["server_mtu"]] == [-1 if m is None else m for m in operation.mtu or (None, None)]
        assert (None if row["length"] < 0 else found.octets(number)) == operation.value


def test_a_column_is_asked_for_by_name(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_bytes(as_btsnoop([connected(0x40), att(0x40, SENT, b"\x12\x34\x12\xaa"), att(0x40, RECEIVED, b"\x13")]))
    capture = rig.capture.open(path)
    found = capture.att()
    assert found["opcode"].tolist() == [WRITE_REQUEST, 0x13]
    assert found["handle"].tolist() == [0x1234, 0x1234]
    assert [columns.SENDERS[sender] for sender in found["sender"]] == ["central", "peripheral"]
    assert found["frame"].tolist() == [2, 3]
    assert (found.table.dtype, capture.records.table.dtype, capture.gatt().table.dtype) == (
        columns.ATT,
        columns.RECORD,
        columns.GATT,
    )
    assert capture.format == "btsnoop"
    assert [link.number for link in capture.links] == [1]


def test_times_of_the_year_0_and_beyond_64_bits_fit(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_bytes(btsnoop([Timed(-UNIX_EPOCH_US * 1000 + 1000, b"\x04\x0f\x00"), Timed(-1000, b"\x04\x0f\x00")]))
    table = rig.capture.open(old).records.table
    assert table["seconds"].tolist() == [-62168256000, -1]
    assert table["nanoseconds"].tolist() == [1000, 999_999_000]

    late = tmp_path / "late"
    seconds_as_units = interface(options=option(9, b"\x00") + option(0, b""))
    block = simple(b"\x04\x0f\x00")
    packet = bytearray(as_pcapng([att(0x40, SENT, b"\x52\x03\x00")])[48:])
    packet[12:20] = b"\xff" * 8
    late.write_bytes(section() + seconds_as_units + bytes(packet) + block)
    assert rig.capture.open(late).records.table["seconds"].tolist() == [(1 << 63) - 1, 0]


def test_windows_hold_what_the_whole_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rig.capture.columns.chunks", partial(chunks, window_records=3000))
    path = tmp_path / "long"
    path.write_bytes(as_btsnoop(stream(2, 10_000, 0.001)))
    capture = rig.capture.open(path)
    whole = capture.att()
    windows = list(capture.att_windows())
    assert len(windows) > 1
    assert [row for window in windows for row in window.rows()] == list(whole.rows())
    assert sum(map(len, capture.record_windows())) == len(capture.records) == 10_000
    assert sum(map(len, capture.gatt_windows())) == len(capture.gatt())


@pytest.mark.parametrize("what", ["att_windows", "record_windows", "gatt_windows"])
def test_windows_before_damage_are_delivered(tmp_path: Path, what: str) -> None:
    path = tmp_path / "cut"
    path.write_bytes(as_btsnoop(stream(2, 500, 0.0))[:-3])
    windows = getattr(rig.capture.open(path), what)()
    assert len(next(windows)) > 100
    with pytest.raises(CaptureError, match="cut"):
        list(windows)
    with pytest.raises(CaptureError, match="cut"):
        rig.capture.open(path).att()


def test_an_empty_capture_has_empty_columns(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(btsnoop(()))
    capture = rig.capture.open(path)
    assert (len(capture.att()), len(capture.records), len(capture.gatt())) == (0, 0, 0)
    assert capture.att()["frame"].dtype == np.int64


def test_what_is_no_capture_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no capture at all")
    with pytest.raises(CaptureError):
        rig.capture.open(path)


# --- the table --------------------------------------------------------------------------------------------------------


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every capture counts as a large one."""
    monkeypatch.setattr(decode, "_WINDOWS_PAY_FROM", 0)
    monkeypatch.setattr(decode, "_one_by_one", None)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_the_table_of_a_recording_is_its_rows(recording: Path) -> None:
    assert table_of(recording) == expected_table(recording)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("name", ["plain", "zipped.gz", "pcapng"])
def test_the_table_of_a_large_capture_is_its_rows_too(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    made = stream(4, 3000, 0.02)
    path.write_bytes(as_pcapng(made) if name == "pcapng" else as_btsnoop(made))
    if name == "zipped.gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert table_of(path) == expected_table(path)


def test_a_capture_is_large_from_a_megabyte_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large"
    path.write_bytes(as_btsnoop(stream(4, 40_000, 0.0)))
    assert path.stat().st_size > decode._WINDOWS_PAY_FROM
    wanted = expected_table(path)
    monkeypatch.setattr(decode, "_one_by_one", None)
    assert table_of(path) == wanted


@pytest.mark.parametrize("pays_from", [0, 1 << 40])
def test_rows_before_damage_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pays_from: int) -> None:
    monkeypatch.setattr(decode, "_WINDOWS_PAY_FROM", pays_from)
    path = tmp_path / "cut"
    path.write_bytes(as_btsnoop(stream(4, 3000, 0.0))[:-3])
    out = io.BytesIO()
    with pytest.raises(CaptureError, match="cut in record 3000"):
        write_tsv(path, out)
    assert out.getvalue().count(b"\n") > 1000


@pytest.mark.parametrize("pays_from", [0, 1 << 40])
def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pays_from: int) -> None:
    monkeypatch.setattr(decode, "_WINDOWS_PAY_FROM", pays_from)
    path = tmp_path / "watched"
    path.write_bytes(as_btsnoop(stream(4, 3000, 0.0)))
    told: list[tuple[int, int | None]] = []
    write_tsv(path, io.BytesIO(), progress=lambda position, size: told.append((position, size)))
    size = path.stat().st_size
    assert told
    assert {of for _, of in told} == {size}
    assert told[-1][0] <= size


WRITE = "import sys; from rig.capture.decode import write_tsv; write_tsv('-', sys.stdout.buffer)"
COPY = "import sys, shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"


def piped(path: Path) -> subprocess.CompletedProcess[bytes]:
    with path.open("rb") as file:
        cat = subprocess.Popen([sys.executable, "-c", COPY], stdin=file, stdout=subprocess.PIPE)
    done = subprocess.run([sys.executable, "-c", WRITE], stdin=cat.stdout, capture_output=True, check=False)
    assert cat.stdout is not None
    cat.stdout.close()
    cat.wait()
    return done


@pytest.mark.parametrize("packets", [30, 20_000])
@pytest.mark.parametrize("container", [as_btsnoop, as_pcapng])
def test_a_pipe_gives_the_same_table(tmp_path: Path, packets: int, container: type) -> None:
    path = tmp_path / "piped"
    path.write_bytes(container(stream(6, packets, 0.001)))
    done = piped(path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == expected_table(path)


@pytest.mark.parametrize("many", [1, 600])
def test_what_comes_through_a_live_pipe_is_written_before_more_comes(tmp_path: Path, many: int) -> None:
    """With 600 packets at once the pipe is taken for a file's, and read in windows; they do not wait either."""
    first = [connected(0x40), *[att(0x40, SENT, b"\x52\x03\x00\x01")] * many]
    last = [*first, att(0x40, SENT, b"\x52\x03\x00\x02")]
    data = as_btsnoop(last)
    begin = len(as_btsnoop(first))
    with subprocess.Popen([sys.executable, "-c", WRITE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data[:begin])
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(many + 1)]
        process.stdin.write(data[begin:])
        process.stdin.close()
        rest = process.stdout.read()
    assert lines[0].decode() == TSV_HEADER
    assert lines[-1].split(b"\t")[0] == str(many + 1).encode()
    assert rest.split(b"\t")[0] == str(many + 2).encode()


def test_a_small_capture_is_decoded_without_numpy(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(as_btsnoop(stream(6, 300, 0.0)))
    program = (
        "import sys; from rig.capture import open as _; from rig.capture.decode import write_tsv; "
        "write_tsv(sys.argv[1], open('/dev/null', 'wb')); "
        "print([name for name in ('numpy', 'bumble', 'bleak', 'cyclopts', 'textual') if name in sys.modules])"
    ).replace("/dev/null", os.devnull)
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", ["idealLED__set_collection.pcapng.gz", "whad-client__ble_pairing.pcap"])
def test_a_large_capture_off_the_air_is_not_taken_for_windows(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(decode, "_WINDOWS_PAY_FROM", 0)
    monkeypatch.setattr(decode, "_in_windows", None)
    assert table_of(CAPTURES / name) == expected_table(CAPTURES / name)


def test_a_pipe_is_ready_when_it_has_something_and_at_its_end() -> None:
    read, write = os.pipe()
    os.write(write, b"ab")
    with Source(io.FileIO(read), "pipe", None) as source:
        assert not source.ready()
        os.write(write, b"cd")
        assert source.ready()
        assert source.window(4) == b"abcd"
        os.close(write)
        assert source.ready()
        assert source.window(5) == b"abcd"
        assert not source.ready()
