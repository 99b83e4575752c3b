"""Each container, in each variant, gives the records that were put into it."""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.capture import registry
from rig.capture import source as sources
from rig.capture.formats.btsnoop import EPOCH_US
from rig.capture.records import CaptureError, CaptureReader, LinkType, Record
from rig.capture.registry import detect, open_reader
from rig.capture.source import Source
from tests.rig.capture.containers import (
    KINDS,
    SECOND,
    T0,
    Kind,
    Packet,
    block,
    btsnoop,
    enhanced,
    interface,
    obsolete,
    option,
    packetlogger,
    pcap,
    pcapng,
    section,
    simple,
    zipped,
    zipped_in_two,
)

PACKETS = (
    Packet(T0 + 123_456_000, bytes.fromhex("02400007000300040002")),
    Packet(T0 + 999_999_000, b"\x04\x13\x05\x01\x40\x00\x01\x00"),
    Packet(T0 - 5 * SECOND, b"\x01"),  # backward in time, and a length that pcapng must pad
    Packet(T0, b""),
    Packet(T0 + 10**12, bytes(range(256)) * 3),
)
CAPTURES = Path(__file__).parents[2] / "captures"
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def read(path: Path | str) -> list[Record]:
    reader = open_reader(path)
    with reader.source:
        return list(reader.records())


def records_of(data: bytes, folder: Path) -> list[Record]:
    path = folder / "capture"
    path.write_bytes(data)
    return read(path)


def piped(data: bytes, chunk: int = 1 << 16) -> list[Record]:
    """What is read from a pipe that delivers ``data`` a chunk at a time."""
    reading_end, writing_end = os.pipe()

    def write() -> None:
        for at in range(0, len(data), chunk):
            os.write(writing_end, data[at : at + chunk])
        os.close(writing_end)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        return read(f"/dev/fd/{reading_end}")
    finally:
        os.close(reading_end)
        writer.join()


def expected(kind: Kind) -> list[Record]:
    starts = [kind.header, *kind.ends(PACKETS)]
    return [
        Record(number + 1, packet.time_ns, kind.link_type, packet.data, len(packet.data), kind.flags, 0, starts[number])
        for number, packet in enumerate(PACKETS)
    ]


@EVERY_KIND
@pytest.mark.parametrize("wrapped", [bytes, zipped, zipped_in_two], ids=["plain", "gz", "gz of two members"])
def test_every_container_gives_its_records(kind: Kind, wrapped: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(wrapped(kind.make(PACKETS)))
    assert open_reader_format(path) == kind.format
    assert read(path) == expected(kind)


def open_reader_format(path: Path) -> str:
    reader = open_reader(path)
    with reader.source:
        return reader.format


@EVERY_KIND
@pytest.mark.parametrize("wrapped", [bytes, zipped], ids=["plain", "gz"])
def test_every_container_can_come_through_a_pipe(kind: Kind, wrapped: Callable[[bytes], bytes]) -> None:
    assert piped(wrapped(kind.make(PACKETS)), chunk=7) == expected(kind)


@EVERY_KIND
@pytest.mark.parametrize("window_bytes", [1, 2, 3, 5, 13, 24, 31, 64, 257])
@pytest.mark.parametrize("wrapped", [bytes, zipped_in_two], ids=["plain", "gz of two members"])
def test_where_a_window_ends_makes_no_difference(
    kind: Kind,
    window_bytes: int,
    wrapped: Callable[[bytes], bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "WINDOW_BYTES", window_bytes)
    assert records_of(wrapped(kind.make(PACKETS)), tmp_path) == expected(kind)


@EVERY_KIND
def test_a_capture_without_records_has_none_and_is_no_fault(kind: Kind, tmp_path: Path) -> None:
    if kind.header:
        assert records_of(kind.make(()), tmp_path) == []
    else:
        with pytest.raises(CaptureError, match="empty"):
            records_of(kind.make(()), tmp_path)


@EVERY_KIND
def test_the_name_of_the_file_does_not_matter(kind: Kind, tmp_path: Path) -> None:
    for name in ("x.pcap", "x.pcapng", "x.log", "x.pklg", "x.cfa", "x.txt", "x.gz"):
        path = tmp_path / name
        path.write_bytes(kind.make(PACKETS))
        assert read(path) == expected(kind)
    assert detect(kind.make(PACKETS)) == kind.format


@pytest.mark.parametrize(
    "row",
    [line.split("\t") for line in (CAPTURES / "SOURCES.tsv").read_text().splitlines()[1:]],
    ids=lambda row: str(row[0]),
)
def test_the_recordings_of_others_have_as_many_frames_as_wireshark_counts(row: list[str]) -> None:
    name, container, link_type, count = row[:4]
    records = read(CAPTURES / name)
    assert len(records) == int(count)
    assert [record.frame for record in records] == list(range(1, len(records) + 1))
    assert open_reader_format(CAPTURES / name) == container
    assert {record.link_type for record in records} == {int(link_type.partition("(")[0])}


# Times


@given(stamp=st.integers(-(2**63), 2**63 - 1))
def test_btsnoop_times_are_exact_and_may_be_negative(stamp: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = btsnoop(()) + struct.pack(">IIIIq", 1, 1, 0, 0, stamp) + b"\1"
    (record,) = records_of(data, tmp_path_factory.getbasetemp())
    assert record.time_ns == (stamp - EPOCH_US) * 1000


def test_the_btsnoop_origin_is_the_year_0() -> None:
    # btmon and Wireshark agree on this number: 0x00E03AB44A676000 is 1 January 2000 in BlueZ's btsnoop.c.
    assert EPOCH_US == 0x00E03AB44A676000 - 946_684_800 * 1_000_000


@given(seconds=st.integers(0, 2**32 - 1), fraction=st.integers(-(2**31), 2**31 - 1), unit_ns=st.sampled_from([1, 1000]))
def test_pcap_times_are_exact_and_the_fraction_is_signed(
    seconds: int, fraction: int, unit_ns: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = pcap((), "<", unit_ns) + struct.pack("<IiII", seconds, fraction, 1, 1) + b"\4"
    (record,) = records_of(data, tmp_path_factory.getbasetemp())
    assert record.time_ns == seconds * SECOND + fraction * unit_ns


@given(
    units=st.integers(0, 2**64 - 1),
    resolution=st.integers(0, 255),
    offset_s=st.integers(-(2**63), 2**63 - 1),
    order=st.sampled_from("<>"),
)
def test_pcapng_times_follow_the_interface_s_resolution_and_offset(
    units: int, resolution: int, offset_s: int, order: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    options = option(9, bytes([resolution]), order) + option(14, struct.pack(f"{order}q", offset_s), order)
    data = section(order) + interface(options=options, order=order) + enhanced(b"\4", units, order=order)
    (record,) = records_of(data, tmp_path_factory.getbasetemp())
    unit_s = Fraction(1, 2 ** (resolution & 0x7F)) if resolution & 0x80 else Fraction(1, 10**resolution)
    assert record.time_ns == (units * unit_s + offset_s) * SECOND // 1


def test_without_a_resolution_pcapng_counts_microseconds(tmp_path: Path) -> None:
    (record,) = records_of(section() + interface() + enhanced(b"\4", 1_700_000_000_123_456), tmp_path)
    assert record.time_ns == 1_700_000_000_123_456_000


# pcapng: sections, interfaces, blocks


def test_sections_and_interfaces_have_their_own_byte_order_link_type_and_clock(tmp_path: Path) -> None:
    data = b"".join(
        [
            section("<"),
            interface(LinkType.HCI_H4),
            interface(LinkType.NORDIC_BLE, option(9, b"\x09")),
            enhanced(b"a", 5, 0),
            enhanced(b"b", 5, 1),
            section(">"),
            interface(LinkType.LE_LL, option(9, b"\x00", ">"), ">"),
            enhanced(b"c", 5, 0, order=">"),
            section("<"),
            interface(LinkType.LE_LL),
            enhanced(b"d", 5, 0),
        ]
    )
    seen = [(r.frame, r.interface, r.link_type, r.time_ns, r.data) for r in records_of(data, tmp_path)]
    assert seen == [
        (1, 0, LinkType.HCI_H4, 5000, b"a"),
        (2, 1, LinkType.NORDIC_BLE, 5, b"b"),
        (3, 2, LinkType.LE_LL, 5 * SECOND, b"c"),
        (4, 3, LinkType.LE_LL, 5000, b"d"),
    ]


@pytest.mark.parametrize("order", ["<", ">"])
def test_simple_and_obsolete_packet_blocks_are_read(order: str, tmp_path: Path) -> None:
    data = b"".join(
        [
            section(order),
            interface(order=order, snapshot=4),
            interface(LinkType.LE_LL, order=order),
            simple(b"abc", order),
            simple(b"abcd", order, original=9),
            obsolete(b"xyz", 7, 1, order=order),
            obsolete(b"xyz", 8, 0, option(2, struct.pack(f"{order}I", 2), order), order),
        ]
    )
    assert records_of(data, tmp_path) == [
        Record(1, 0, LinkType.HCI_H4, b"abc", 3, 0, 0, 68),
        Record(2, 0, LinkType.HCI_H4, b"abcd", 9, 0, 0, 88),
        Record(3, 7000, LinkType.LE_LL, b"xyz", 3, 0, 1, 108),
        Record(4, 8000, LinkType.HCI_H4, b"xyz", 3, 2, 0, 144),
    ]


@pytest.mark.parametrize("order", ["<", ">"])
def test_comments_and_flags_are_kept(order: str, tmp_path: Path) -> None:
    said = option(1, "größer\0".encode(), order) + option(1, b"again", order)
    flags = option(2, struct.pack(f"{order}I", 0x80000001), order)
    path = tmp_path / "capture"
    path.write_bytes(
        section(order, option(4, b"Tool 1", order) + option(1, b"of the section", order) + option(0, b"", order))
        + interface(options=option(2, b"hci0", order) + option(1, b"of the interface", order), order=order)
        + enhanced(b"\4", 1, options=flags + said + option(0, b"", order), order=order)
        + enhanced(b"\4", 2, options=said, order=order)  # the end-of-options mark may be missing
    )
    reader = open_reader(path)
    first, second = reader.records()
    assert (first.flags, first.comments) == (0x80000001, ("größer", "again"))
    assert (second.flags, second.comments) == (0, ("größer", "again"))
    assert reader.details["comments"] == ["of the section", "of the interface"]
    assert reader.details["sections"] == [
        {"version": "1.0", "byte_order": "little" if order == "<" else "big", "application": "Tool 1"}
    ]
    assert reader.details["interfaces"] == [
        {"link_type": 187, "snapshot_length_bytes": 0, "name": "hci0", "resolution": "10^-6 s"}
    ]


# What tshark 4.0.17 makes of such a block between two packets: does the second packet have number 2 or 3?
@pytest.mark.parametrize(
    ("kind", "body", "second"),
    [
        (4, bytes(4), 2),
        (5, bytes(12), 2),
        (10, struct.pack("<II", 0x544C534B, 4) + b"abcd", 2),
        (0x12345, b"abcd", 2),
        (0x80000001, b"abcd", 2),
        (9, b"__REALTIME_TIMESTAMP=12345678\nMESSAGE=x\n", 3),
        (0xBAD, struct.pack("<I", 12345) + b"abcd", 3),
        (0x40000BAD, struct.pack("<I", 12345) + b"abcd", 3),
        (0x204, struct.pack("<HQQIH", 0, 1, 2, 30, 3) + b"abcd", 3),
        (0x216, struct.pack("<HQQII", 0, 1, 2, 30, 3) + b"abcd", 3),
    ],
)
def test_blocks_without_a_packet_are_skipped_and_numbered_as_wireshark_does(
    kind: int, body: bytes, second: int, tmp_path: Path
) -> None:
    path = tmp_path / "capture"
    path.write_bytes(section() + interface() + enhanced(b"a", 1) + block(kind, body) + enhanced(b"b", 2))
    reader = open_reader(path)
    assert [(r.frame, r.data) for r in reader.records()] == [(1, b"a"), (second, b"b")]
    assert reader.details["other_blocks"] == {f"0x{kind:08x}": 1}


def test_a_length_that_is_no_multiple_of_four_is_rounded_up_as_wireshark_does(tmp_path: Path) -> None:
    body = struct.pack("<IIIII", 0, 0, 1, 5, 5) + b"\2\2\0\0\0"
    length = struct.pack("<I", len(body) + 12)
    odd = struct.pack("<I", 6) + length + body + bytes(3) + length
    data = section() + interface() + enhanced(b"a", 1) + odd + enhanced(b"b", 2)
    assert [r.data for r in records_of(data, tmp_path)] == [b"a", b"\2\2\0\0\0", b"b"]


def test_a_pcapng_without_any_bluetooth_says_so_and_one_with_some_does_not(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="link type 1 is Ethernet"):
        records_of(section() + interface(1) + enhanced(b"a", 1), tmp_path)
    mixed = section() + interface(1) + interface(LinkType.LE_LL) + enhanced(b"a", 1, 0) + enhanced(b"b", 1, 1)
    assert [r.link_type for r in records_of(mixed, tmp_path)] == [1, LinkType.LE_LL]


# The other containers


def test_what_the_recorder_cut_is_told_by_the_original_length(tmp_path: Path) -> None:
    assert records_of(btsnoop(()) + struct.pack(">IIIIq", 9, 2, 1, 4, 0) + b"ab", tmp_path)[0].original_length == 9
    assert records_of(pcap(()) + struct.pack("<IIII", 1, 2, 2, 9) + b"ab", tmp_path)[0].original_length == 9
    head = struct.pack("<IIIII", 0, 0, 1, 2, 9)
    assert records_of(section() + interface() + block(6, head + b"ab\0\0"), tmp_path)[0].original_length == 9


def test_btsnoop_tells_how_many_records_were_lost(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(btsnoop(()) + b"".join(struct.pack(">IIIIq", 0, 0, 0, lost, 0) for lost in (0, 3, 4)))
    reader = open_reader(path)
    assert [record.frame for record in reader.records()] == [1, 2, 3]
    assert reader.details == {"version": 1, "datalink": 1002, "dropped_records": 4}


def test_pcap_of_the_version_before_may_have_its_lengths_swapped(tmp_path: Path) -> None:
    data = bytearray(pcap(()) + struct.pack("<IIII", 1, 2, 9, 2) + b"ab" + struct.pack("<IIII", 1, 2, 2, 9) + b"cd")
    struct.pack_into("<H", data, 6, 3)
    assert [(r.data, r.original_length) for r in records_of(bytes(data), tmp_path)] == [(b"ab", 9), (b"cd", 9)]


def test_the_link_type_of_pcap_is_read_without_the_length_of_a_check_sequence(tmp_path: Path) -> None:
    data = pcap([Packet(T0, b"\4")], link_type=0x24000000 | LinkType.LE_LL)
    assert records_of(data, tmp_path)[0].link_type == LinkType.LE_LL


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_type_of_a_packetlogger_record_is_not_in_its_data(order: str, tmp_path: Path) -> None:
    data = b"".join(packetlogger([Packet(T0, b"x" * 300)], order, kind) for kind in (0xFC, 0, 1, 2, 3, 0x99))
    assert [(r.flags, len(r.data)) for r in records_of(data, tmp_path)] == [
        (kind, 300) for kind in (0xFC, 0, 1, 2, 3, 0x99)
    ]


# Sources


def test_a_pipe_that_stays_open_delivers_what_is_in_it() -> None:
    reading_end, writing_end = os.pipe()
    try:
        os.write(writing_end, btsnoop(PACKETS[:2]))
        reader = open_reader(f"/dev/fd/{reading_end}")
        records = reader.records()
        assert [next(records).frame, next(records).frame] == [1, 2]
        os.write(writing_end, btsnoop(PACKETS[:1])[16:])
        assert next(records).frame == 3
        reader.source.close()
    finally:
        os.close(reading_end)
        os.close(writing_end)


def test_a_pipe_that_does_not_block_is_waited_for() -> None:
    reading_end, writing_end = os.pipe()
    os.set_blocking(reading_end, False)
    late = threading.Timer(0.05, lambda: (os.write(writing_end, btsnoop(PACKETS)), os.close(writing_end)))
    late.start()
    source = Source(io.FileIO(reading_end), "pipe", None)
    assert source.read(10_000) == btsnoop(PACKETS)
    late.join()


def test_standard_input_is_named_by_a_dash() -> None:
    program = (
        "from rig.capture.registry import open_reader; r = open_reader('-');"
        "print(r.source.name, r.format, [x.frame for x in r.records()])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], input=zipped(btsnoop(PACKETS[:2])), capture_output=True, check=True
    )
    assert run.stdout.decode().strip() == "standard input btsnoop [1, 2]"


def test_a_source_knows_how_far_it_is(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    data = bytes(range(256)) * 4096
    path.write_bytes(gzip.compress(data, 1))
    with Source.open(path) as source:
        assert source.compressed
        assert source.size == path.stat().st_size
        assert source.peek(5) == data[:5]
        assert source.offset == 0
        assert source.read(300_000) == data[:300_000]
        assert source.offset == 300_000
        assert 0 < source.position <= source.size
        assert source.read(10**7) == data[300_000:]
        assert (source.offset, source.position) == (len(data), source.size)
        assert (source.read(1), source.peek(1)) == (b"", b"")
        with pytest.raises(ValueError, match="1 bytes cannot be consumed of 0"):
            source.advance(1)
        source.end()


def test_what_a_window_returned_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(bytes(300_000) + b"end")
    with Source.open(path) as source:
        first = source.window(10)
        kept = bytes(first)
        source.advance(len(first))
        assert source.window(10)[-3:] == b"end"
        assert first == kept


@EVERY_KIND
@pytest.mark.parametrize("wrapped", [bytes, zipped], ids=["plain", "gz"])
def test_records_may_be_left_and_taken_up_again(kind: Kind, wrapped: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(wrapped(kind.make(PACKETS)))
    reader = open_reader(path)
    found: list[Record] = []
    with reader.source:
        for end in kind.ends(PACKETS):
            records = reader.records()
            found.append(next(records))
            assert isinstance(records, Generator)
            records.close()
            assert reader.source.offset == end
        assert list(reader.records()) == []
    assert found == expected(kind)


# Plug-ins


class _MorseReader:
    format = "morse"
    details: dict[str, object] = {"wpm": 12}  # noqa: RUF012 - read alone

    def __init__(self, source: Source) -> None:
        self.source = source
        if source.read(6)[5:] != b":":
            raise source.damage("no colon")

    def records(self) -> Iterator[Record]:
        while data := self.source.read(1):
            if data == b"?":
                raise RuntimeError("what is that")
            yield Record(1, 0, 187, data, 1)


class _Morse:
    name = "morse"
    open = _MorseReader

    @staticmethod
    def detect(head: bytes) -> bool:
        return head.startswith(b"MORSE")


class _Careless(_Morse):
    @staticmethod
    def detect(head: bytes) -> bool:
        return head[10_000] == 0


class _Entry:
    group = registry.GROUP

    def __init__(self, name: str, value: object) -> None:
        self.name = name
        self.value = name
        self._object = value

    def load(self) -> object:
        if isinstance(self._object, Exception):
            raise self._object
        return self._object

    def __lt__(self, other: _Entry) -> bool:
        return self.name < other.name


@pytest.fixture
def plug_ins(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[_Entry]]:
    entries: list[_Entry] = []
    registry._plug_ins.cache_clear()
    monkeypatch.setattr(registry, "problems", [])
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: entries if group == registry.GROUP else [])
    yield entries
    registry._plug_ins.cache_clear()


def test_a_plug_in_reads_what_no_other_reader_knows(plug_ins: list[_Entry], tmp_path: Path) -> None:
    plug_ins += [_Entry("morse", _Morse)]
    path = tmp_path / "capture"
    path.write_bytes(b"MORSE:.-")
    reader = open_reader(path)
    assert (reader.format, reader.details, detect(b"MORSE")) == ("morse", {"wpm": 12}, "morse")
    assert [record.data for record in reader.records()] == [b".", b"-"]
    assert reader.source.offset == 8
    path.write_bytes(zipped(b"MORSE:."))
    assert [record.data for record in read(path)] == [b"."]


def test_a_plug_in_cannot_take_what_is_built_in(plug_ins: list[_Entry], tmp_path: Path) -> None:
    plug_ins += [_Entry("all", type("All", (_Morse,), {"detect": staticmethod(lambda _: True)}))]
    assert detect(btsnoop(PACKETS)) == "btsnoop"
    assert detect(packetlogger(PACKETS)) == "packetlogger"
    assert detect(b"anything else") == "morse"


def test_a_broken_plug_in_is_told_and_stops_nobody(plug_ins: list[_Entry], tmp_path: Path) -> None:
    plug_ins += [_Entry("a", ImportError("no module named x")), _Entry("b", object()), _Entry("c", _Careless)]
    plug_ins += [_Entry("d", _Morse)]
    path = tmp_path / "capture"
    path.write_bytes(b"MORSE:.")
    assert [record.data for record in read(path)] == [b"."]
    assert len(registry.problems) == 3
    assert all(problem.count("\n") == 0 for problem in registry.problems)
    path.write_bytes(b"something else")
    with pytest.raises(
        CaptureError, match=r"text file.*'a' .*no module named x.*'b' .*'morse' failed to look"
    ) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_what_a_plug_in_s_reader_stumbles_over_is_an_error_of_one_line(plug_ins: list[_Entry], tmp_path: Path) -> None:
    plug_ins += [_Entry("morse", _Morse)]
    path = tmp_path / "capture"
    path.write_bytes(b"MORSE:.?")
    reader: CaptureReader = open_reader(path)
    records = reader.records()
    assert next(records).data == b"."
    with pytest.raises(CaptureError, match="at byte 8: the capture reader 'morse' failed here"):
        next(records)
    path.write_bytes(b"MORSE!")
    with pytest.raises(CaptureError, match="no colon"):
        read(path)


def test_opening_a_built_in_container_imports_next_to_nothing(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(pcapng(PACKETS))
    program = (
        "import sys; from rig.capture.registry import open_reader\n"
        f"r = open_reader({str(path)!r}); n = len(list(r.records()))\n"
        "heavy = {'importlib.metadata', 'numpy', 'bumble', 'bleak', 'asyncio'}"
        " | {'pathlib', 'zlib', 'inspect', 'dataclasses'}\n"
        "print(n, sorted(heavy & set(sys.modules)))"
    )
    # -S: without the site module, which imports some of these for editable installs.
    run = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert run.stdout.strip() == "5 []"
