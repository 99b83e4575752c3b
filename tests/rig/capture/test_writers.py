"""What the writers write is what the formats' documents ask for, and what Wireshark and our own readers find in it."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rig.capture.records import LinkType, Record
from rig.capture.registry import open_reader
from rig.capture.writer import Direction
from rig.capture.writers import FORMATS, UnrepresentableError, format_of, open_writer
from rig.capture.writers.pcapng import COMMENT_LIMIT, PcapngWriter

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
EVENT = bytes.fromhex("040e0401030c00")
COMMAND = bytes.fromhex("01030c00")
ACL = bytes.fromhex("02402005000100040002")
PACKETS = [(COMMAND, Direction.SENT), (EVENT, Direction.RECEIVED), (ACL, Direction.SENT), (ACL, Direction.RECEIVED)]
YEAR_0_NS = -0x00DCDDB30F2F8000 * 1000


def written(format_name: str, *times_ns: int, **more: Any) -> bytes:
    file = io.BytesIO()
    writer = open_writer(format_name, file)
    for time_ns in times_ns:
        writer.write(ACL, Direction.SENT, time_ns, **more)
    return file.getvalue()


def read(path: Path, data: bytes) -> list[Record]:
    path.write_bytes(data)
    reader = open_reader(path)
    with reader.source:
        return list(reader.records())


@pytest.mark.parametrize("format_name", FORMATS)
def test_our_readers_find_what_was_written(format_name: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    writer = open_writer(format_name, file)
    for place, (packet, direction) in enumerate(PACKETS):
        writer.write(packet, direction, T0 + place * 1000, original_length=len(packet) + place)

    records = read(tmp_path / "x", file.getvalue())

    assert writer.records == len(records) == 4
    assert [record.time_ns for record in records] == [T0 + place * 1000 for place in range(4)]
    assert [record.original_length - len(record.data) for record in records] == [0, 1, 2, 3]
    if format_name == "btsnoop":
        assert [(record.data, record.flags) for record in records] == [
            (COMMAND, 0b10),
            (EVENT, 0b11),
            (ACL, 0b00),
            (ACL, 0b01),
        ]
    else:
        assert {record.link_type for record in records} == {LinkType.HCI_H4_WITH_PHDR}
        assert [(record.data[:4].hex(), record.data[4:]) for record in records] == [
            ("00000000", COMMAND),
            ("00000001", EVENT),
            ("00000000", ACL),
            ("00000001", ACL),
        ]
    if format_name == "pcapng":
        assert [record.flags for record in records] == [2, 1, 2, 1]  # outbound, inbound


@pytest.mark.parametrize(
    ("name", "format_name"),
    [
        ("a.btsnoop", "btsnoop"),
        ("btsnoop_hci.log", "btsnoop"),
        ("a.snoop", "btsnoop"),
        ("a.PCAP", "pcap"),
        ("a.pcapng", "pcapng"),
        ("a.pcapng.gz", "pcapng"),
        ("a.log.GZ", "btsnoop"),
        ("a.gz", None),
        ("a", None),
        ("a.txt", None),
    ],
)
def test_a_suffix_says_which_format_is_meant(name: str, format_name: str | None) -> None:
    assert format_of(name) == format_name


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ValueError, match="'cfa': it is one of btsnoop, pcap, pcapng"):
        open_writer("cfa", io.BytesIO())


# ---- times -----------------------------------------------------------------------------------------------------------


def pcap_header(data: bytes) -> tuple[int, int]:
    magic, major, minor, zone, figures, _, link_type = struct.unpack_from("<IHHiIII", data)
    assert (major, minor, zone, figures) == (2, 4, 0, 0)
    return magic, link_type


def pcap_times(data: bytes) -> list[tuple[int, int]]:
    found, place = [], 24
    while place < len(data):
        seconds, fraction, length, _ = struct.unpack_from("<IIII", data, place)
        found.append((seconds, fraction))
        place += 16 + length
    assert place == len(data)
    return found


def test_pcap_has_microseconds_while_they_are_enough() -> None:
    data = written("pcap", T0, T0 + 1_000, T0 + 999_999_000)
    assert pcap_header(data) == (0xA1B2C3D4, 201)
    assert pcap_times(data) == [(1_700_000_000, 0), (1_700_000_000, 1), (1_700_000_000, 999_999)]


@pytest.mark.parametrize("finer_at", [0, 1, 2])
def test_pcap_turns_to_nanoseconds_at_the_first_time_that_needs_them(finer_at: int) -> None:
    times = [T0, T0 + 2_000, T0 + 3_000]
    times[finer_at] += 7
    data = written("pcap", *times)
    assert pcap_header(data) == (0xA1B23C4D, 201)
    assert pcap_times(data) == [divmod(time_ns, SECOND) for time_ns in times]


class Pipe(io.RawIOBase):
    """Something that cannot go back, and takes three bytes at a time."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += bytes(data[:3])
        return min(3, len(data))


def test_pcap_into_a_pipe_has_nanoseconds_from_the_beginning() -> None:
    pipe = Pipe()
    writer = open_writer("pcap", pipe)  # type: ignore[arg-type]  # raw, as an unbuffered file is
    writer.write(ACL, Direction.SENT, T0)
    writer.write(ACL, Direction.SENT, T0 + 1)
    assert pcap_header(pipe.data) == (0xA1B23C4D, 201)
    assert pcap_times(pipe.data) == [(1_700_000_000, 0), (1_700_000_000, 1)]


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_file_that_takes_little_at_a_time_gets_all_of_it(format_name: str) -> None:
    pipe = Pipe()
    open_writer(format_name, pipe).write(ACL, Direction.SENT, T0)  # type: ignore[arg-type]  # as above
    assert ACL in pipe.data


@pytest.mark.parametrize(
    ("time_ns", "fits"),
    [(-1, False), (0, True), (((1 << 32) - 1) * SECOND + 999_999_999, True), ((1 << 32) * SECOND, False)],
)
def test_pcap_holds_the_years_from_1970_to_2106_and_says_so(time_ns: int, fits: bool) -> None:
    if fits:
        assert pcap_times(written("pcap", time_ns)) == [divmod(time_ns, SECOND)]
    else:
        with pytest.raises(UnrepresentableError, match=r"outside what pcap holds \(1970 to 2106\): write btsnoop"):
            written("pcap", time_ns)


@pytest.mark.parametrize("time_ns", [YEAR_0_NS, -1000, 0, T0, 9_000_000_000 * SECOND])
def test_btsnoop_holds_any_time_to_the_microsecond(time_ns: int, tmp_path: Path) -> None:
    assert [record.time_ns for record in read(tmp_path / "x", written("btsnoop", time_ns))] == [time_ns]


def test_btsnoop_rounds_down_and_counts_it(tmp_path: Path) -> None:
    file = io.BytesIO()
    writer = open_writer("btsnoop", file)
    for time_ns in (-1, 999, 1000):
        writer.write(ACL, Direction.SENT, time_ns)
    assert writer.rounded_times == 2
    assert [record.time_ns for record in read(tmp_path / "x", file.getvalue())] == [-1000, 0, 1000]


@pytest.mark.parametrize("time_ns", [1 << 100, -(1 << 100)])
@pytest.mark.parametrize("format_name", FORMATS)
def test_a_time_that_no_format_holds_is_refused(format_name: str, time_ns: int) -> None:
    with pytest.raises(UnrepresentableError, match="1970"):
        written(format_name, time_ns)


@pytest.mark.parametrize("first_ns", [YEAR_0_NS, -1, 1, T0, (1 << 64) - 1, 1 << 64])
def test_pcapng_holds_every_nanosecond_around_its_first_packet(first_ns: int, tmp_path: Path) -> None:
    times = [first_ns, first_ns + 1, first_ns + 3600 * SECOND] if first_ns < T0 else [first_ns, first_ns - 1]
    assert [record.time_ns for record in read(tmp_path / "x", written("pcapng", *times))] == times


def test_pcapng_says_when_a_capture_spans_more_than_it_holds() -> None:
    with pytest.raises(UnrepresentableError, match="too far from the others: pcapng holds 584 years, btsnoop all"):
        written("pcapng", T0, YEAR_0_NS)


# ---- controllers, comments, sizes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", ["btsnoop", "pcap"])
def test_a_second_controller_is_refused_where_it_would_be_taken_for_the_first(format_name: str) -> None:
    writer = open_writer(format_name, io.BytesIO())
    writer.write(ACL, Direction.SENT, T0, controller=3)
    with pytest.raises(UnrepresentableError, match=f"second controller .hci1 after hci3., which {format_name}"):
        writer.write(ACL, Direction.SENT, T0, controller=1)


def test_pcapng_has_an_interface_for_each_controller(tmp_path: Path) -> None:
    file = io.BytesIO()
    writer = open_writer("pcapng", file)
    for controller in (2, 0, 2, 1 << 16 | 5):
        writer.write(ACL, Direction.SENT, T0, controller=controller)
    path = tmp_path / "x"
    path.write_bytes(file.getvalue())
    reader = open_reader(path)
    with reader.source:
        assert [record.interface for record in reader.records()] == [0, 1, 0, 2]
    interfaces = reader.details["interfaces"]
    assert isinstance(interfaces, list)
    assert [interface["name"] for interface in interfaces] == ["hci2", "hci0", "hci5"]


def test_pcapng_keeps_comments_of_the_capture_and_of_packets(tmp_path: Path) -> None:
    long = "é" * COMMENT_LIMIT  # two bytes each: more than one comment can hold
    file = io.BytesIO()
    writer = PcapngWriter(file, ["of the capture", long])
    writer.write(ACL, Direction.SENT, T0, comments=("one", "zwei\nlines"))
    writer.write(ACL, Direction.SENT, T0)
    writer.add_comments(["known at the end"])
    path = tmp_path / "x"
    path.write_bytes(file.getvalue())
    reader = open_reader(path)
    with reader.source:
        assert [record.comments for record in reader.records()] == [("one", "zwei\nlines"), ()]
    comments = reader.details["comments"]
    assert isinstance(comments, list)
    assert comments[0] == "of the capture"
    assert "".join(comments[1:-1]) == long
    assert "\ufffd" not in long
    assert comments[-1] == "known at the end"


def test_flags_of_the_same_format_are_kept(tmp_path: Path) -> None:
    [record] = read(tmp_path / "a", written("btsnoop", T0, flags=0x10))
    assert record.flags == 0x10
    [record] = read(tmp_path / "b", written("pcapng", T0, flags=0xFF00))
    assert record.flags == 0xFF02, "the direction is the packet's"


# ---- Wireshark -------------------------------------------------------------------------------------------------------


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., str]:
    for program in ("tshark", "capinfos"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: apt-get install tshark")

    def asked(data: bytes, program: str, *arguments: str) -> str:
        path = tmp_path / "asked"
        path.write_bytes(data)
        command = (
            ["tshark", "-r", str(path), *arguments] if program == "tshark" else ["capinfos", *arguments, str(path)]
        )
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    return asked


@pytest.mark.parametrize("format_name", FORMATS)
def test_wireshark_reads_the_same_packets(format_name: str, ask: Callable[..., str]) -> None:
    file = io.BytesIO()
    writer = open_writer(format_name, file)
    step = 1000 if format_name == "btsnoop" else 1
    for place, (packet, direction) in enumerate(PACKETS):
        writer.write(packet, direction, T0 + place * step, original_length=len(packet) + place)
    fields = ("frame.time_epoch", "frame.cap_len", "hci_h4.direction", "hci_h4.type")
    rows = ask(file.getvalue(), "tshark", "-T", "fields", *(part for field in fields for part in ("-e", field)))
    assert [row.split("\t")[:1] + row.split("\t")[2:] for row in rows.splitlines()] == [
        [f"1700000000.{place * step:09d}", f"0x{int(direction):02x}", f"0x{packet[0]:02x}"]
        for place, (packet, direction) in enumerate(PACKETS)
    ]


def test_capinfos_finds_a_proper_pcapng(ask: Callable[..., str]) -> None:
    file = io.BytesIO()
    writer = PcapngWriter(file, ["what I did: zone 3"])
    writer.write(ACL, Direction.SENT, YEAR_0_NS // 100, controller=0)
    writer.write(ACL, Direction.RECEIVED, YEAR_0_NS // 100 + 1, controller=1)
    told = ask(file.getvalue(), "capinfos")
    assert "Number of packets:   2" in told
    assert "Capture application: Microcurrent Companion (rig)" in told
    assert "what I did: zone 3" in told
    assert told.count("Time precision = nanoseconds (9)") == 2
    assert "Name = hci1" in told
    assert "Strict time order:   True" in told
    assert "1950-" in told or "1951-" in told, "a hundredth of the way to the year 0 is before 1970"


def test_wireshark_reads_a_pcapng_whose_last_section_has_only_a_comment(ask: Callable[..., str]) -> None:
    file = io.BytesIO()
    writer = PcapngWriter(file)
    writer.write(ACL, Direction.SENT, T0)
    writer.add_comments(["and what came of it"])
    assert "Number of packets:   1" in ask(file.getvalue(), "capinfos")
    assert "and what came of it" in ask(file.getvalue(), "capinfos", "-k")
