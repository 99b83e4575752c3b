"""Damaged input: the records before it are delivered, then one line says file, byte offset and what is wrong."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.capture import source as sources
from rig.capture.records import CaptureError, LinkType, Record
from rig.capture.registry import open_reader
from rig.capture.source import LONGEST_RECORD_BYTES, Source
from tests.rig.capture.containers import (
    KINDS,
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
)

PACKETS = tuple(Packet(T0 + number * 1000, bytes([number]) * (5 + number)) for number in range(4))
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
MEBIBYTE = 1 << 20


def read(path: Path | str) -> tuple[list[Record], CaptureError | None]:
    """Read a capture to its end or to its damage."""
    records: list[Record] = []
    try:
        reader = open_reader(path)
    except CaptureError as error:
        return records, error
    with reader.source:
        try:
            records.extend(reader.records())
        except CaptureError as error:
            return records, error
    return records, None


def read_bytes(data: bytes, folder: Path) -> tuple[list[Record], CaptureError | None]:
    path = folder / "capture"
    path.write_bytes(data)
    return read(path)


def announce(length: int, record: int = 2) -> Callable[[Kind, bytes], bytes]:
    """Damage that makes one record announce ``length`` bytes."""

    def damage(kind: Kind, data: bytes) -> bytes:
        at = [kind.header, *kind.ends(PACKETS)][record] + kind.length_at
        return data[:at] + struct.pack(f"{kind.order}I", length & 0xFFFFFFFF) + data[at + 4 :]

    return damage


def cut(beyond: int) -> Callable[[Kind, bytes], bytes]:
    """Damage that ends the file so many bytes after the third record begins."""
    return lambda kind, data: data[: kind.ends(PACKETS)[1] + beyond]


# Damage, how many records come before it, where it is (which record's begin), and a word that must be in the message.
DAMAGES: dict[str, tuple[Callable[[Kind, bytes], bytes], int, int, str]] = {
    "cut in a header": (cut(9), 2, 2, "cut in the header"),
    "cut in a record": (lambda kind, data: data[: kind.ends(PACKETS)[2] - kind.trailer - 3], 2, 2, "cut in"),
    "cut before the last byte": (lambda _, data: data[:-1], 3, 3, "cut in"),
    "huge length": (announce(0x7FFFFFFF), 2, 2, "that is damage"),
    "negative length": (announce(-1), 2, 2, "that is damage"),
    "negative length in the first record": (announce(-20, record=0), 0, 0, ""),
    "length beyond the file": (announce(LONGEST_RECORD_BYTES - 64), 2, 2, "cut in"),
    "length beyond any record": (announce(LONGEST_RECORD_BYTES + 64), 2, 2, "that is damage"),
    "garbage tail": (lambda _, data: data + b"\xde\xad\xbe\xef" * 100, 4, 4, "that is damage"),
    "a tail of text": (lambda _, data: data + b"Segmentation fault (core dumped)\n" * 9, 4, 4, "that is damage"),
    "a short garbage tail": (lambda _, data: data + b"\xff" * 7, 4, 4, "cut in the header"),
    "wrong magic": (lambda _, data: b"\xf0\x9f" + data[2:], 0, -1, "no capture that is known"),
    "first byte missing": (lambda _, data: data[1:], 0, -1, ""),
    "empty": (lambda *_: b"", 0, -1, "the file is empty"),
    "text": (lambda _, data: data.hex(" ").encode(), 0, -1, "text file"),
    "zeros": (lambda _, data: bytes(len(data)), 0, -1, "no capture that is known"),
}
CASES = [
    pytest.param(kind, name, id=f"{kind.name}: {name}")
    for kind in KINDS
    for name in DAMAGES
    # A PacketLogger file has no magic number: a first record without sense makes it no PacketLogger file.
    if not (kind.format == "packetlogger" and name in {"negative length in the first record", "wrong magic"})
]


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_damage_ends_the_capture_where_it_is(kind: Kind, name: str, compressed: bool, tmp_path: Path) -> None:
    damage, before, at_record, words = DAMAGES[name]
    whole = kind.make(PACKETS)
    damaged = damage(kind, whole)
    assert damaged != whole
    path = tmp_path / "capture"
    path.write_bytes(zipped(damaged) if compressed else damaged)
    records, error = read(path)
    assert [record.data for record in records] == [packet.data for packet in PACKETS[:before]]
    assert error is not None
    assert words in error.problem
    message = str(error)
    assert "\n" not in message
    assert message.startswith(str(path))
    if at_record >= 0:
        assert error.offset == [kind.header, *kind.ends(PACKETS)][at_record]
        assert message.startswith(f"{path} at byte {error.offset}: ")


@EVERY_KIND
def test_a_cut_anywhere_delivers_the_records_before_it(kind: Kind, tmp_path: Path) -> None:
    whole = kind.make(PACKETS)
    ends = kind.ends(PACKETS)
    boundaries = {0: -1, kind.header: 0} | {end: number + 1 for number, end in enumerate(ends)}
    # A pcapng section may end after its header, with no interface described.
    boundaries |= {28: 0} if kind.format == "pcapng" else {}
    for length in range(1, len(whole)):
        records, error = read_bytes(whole[:length], tmp_path)
        assert len(records) == sum(end <= length for end in ends)
        assert (error is None) == (length in boundaries)
        if error is not None and length > kind.header + 24:
            assert error.offset == max(at for at in boundaries if at <= length)


@EVERY_KIND
def test_a_gzip_stream_that_is_cut_anywhere_delivers_the_records_before_it(kind: Kind, tmp_path: Path) -> None:
    packed = zipped(kind.make(PACKETS))
    counts = []
    for length in range(3, len(packed)):
        records, error = read_bytes(packed[:length], tmp_path)
        assert error is not None
        assert "the gzip stream is cut" in str(error)
        counts.append(len(records))
    assert counts == sorted(counts)
    assert counts[-1] == len(PACKETS)


@EVERY_KIND
def test_a_byte_changed_in_a_gzip_stream_is_noticed(kind: Kind, tmp_path: Path) -> None:
    packets = tuple(Packet(T0 + n * 1000, zlib.crc32(bytes([n])).to_bytes(4, "big") * 9) for n in range(50))
    packed = zipped(kind.make(packets))
    for at in range(20, len(packed), 7):
        records, error = read_bytes(packed[:at] + bytes([packed[at] ^ 0x41]) + packed[at + 1 :], tmp_path)
        assert error is not None
        assert len(records) <= len(packets)
    # The checksum comes last: whatever it finds, every record is there already.
    records, error = read_bytes(packed[:-8] + b"\0" * 8, tmp_path)
    assert [record.data for record in records] == [packet.data for packet in packets]
    assert error is not None
    assert "gzip stream is damaged" in str(error)
    assert error.offset == len(kind.make(packets))


def test_what_follows_a_gzip_stream_is_damage_unless_it_is_zeros(tmp_path: Path) -> None:
    packed = zipped(btsnoop(PACKETS))
    assert read_bytes(packed + bytes(100_000), tmp_path)[1] is None
    records, error = read_bytes(packed + b"some text", tmp_path)
    assert len(records) == 4
    assert error is not None
    assert "not gzip follows" in str(error)
    records, error = read_bytes(packed + packed[:9], tmp_path)
    assert len(records) == 4
    assert error is not None
    assert "the gzip stream is cut" in str(error)


@pytest.mark.parametrize(
    ("data", "records", "offset", "words"),
    [
        (section()[:-4] + struct.pack("<I", 24), 0, 0, "28 bytes where it begins and 24 where it ends"),
        (section() + block(1, b"\xbb\0\0\0"), 0, 28, "too short"),
        (section() + enhanced(b"a", 1), 0, 28, "interface 0 in a section that describes 0"),
        (section() + simple(b"a"), 0, 28, "interface 0 in a section that describes 0"),
        (section() + interface() + section() + enhanced(b"a", 1), 0, 76, "a section that describes 0"),
        (section() + interface() + enhanced(b"a", 1) + enhanced(b"a", 1, 1), 1, 84, "interface 1"),
        (section() + interface() + obsolete(b"a", 1, 1), 0, 48, "interface 1"),
        (section() + interface() + block(6, bytes(16)), 0, 48, "too short"),
        (section() + interface() + block(2, bytes(8)), 0, 48, "too short"),
        (section() + interface() + block(3, b""), 0, 48, "without a length"),
        (section() + interface() + simple(b"a", original=5), 0, 48, "5 bytes is announced in a block that has room"),
        (section() + interface() + block(6, struct.pack("<IIIII", 0, 0, 1, 5, 5) + b"abcd"), 0, 48, "has room for 4"),
        (section() + interface() + block(6, struct.pack("<IIIII", 0, 0, 1, 0xFFFFFFFD, 5)), 0, 48, "has room for 0"),
        (section() + interface() + enhanced(b"a", 1, options=b"\1\0\xff\xff"), 0, 80, "an option announces 65535"),
        (section() + interface(options=b"\2\0\5\0"), 0, 44, "an option announces 5"),
        (section(options=b"\2\0\5\0abcd"), 0, 24, "an option announces 5"),
        (section() + block(0x0A0D0D0A, bytes(16)), 0, 36, "without the byte-order magic"),
        (section() + block(0x0A0D0D0A, struct.pack("<I", 0x1A2B3C4D)), 0, 28, "too short"),
        (section(version=(2, 0)), 0, 12, "version 2.0"),
        (section() + interface() + struct.pack("<III", 6, 8, 8), 0, 48, "a block announces 8 bytes"),
        (section() + interface() + struct.pack("<III", 6, 0, 0), 0, 48, "a block announces 0 bytes"),
        (packetlogger(PACKETS) + struct.pack(">IIIB", 8, 1, 1, 1), 4, 78, "8 bytes: at least 9"),
        (pcap(())[:4] + struct.pack("<HH", 2, 2) + pcap(())[8:], 0, 4, "pcap version 2.2"),
        (pcap((), link_type=1), 0, 20, "link type 1 is Ethernet"),
        (pcap((), link_type=189), 0, 20, "btmon"),
        (pcap((), link_type=12345), 0, 20, "link type 12345 is none of those"),
        (b"btsnoop\0" + struct.pack(">II", 2, 1002), 0, 8, "version 2"),
        (btsnoop((), 1004), 0, 12, "1004 (HCI serial, three-wire H5)"),
        (btsnoop((), 77), 0, 12, "data link type 77 cannot be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_format_forbids_is_told_with_its_place(
    data: bytes, records: int, offset: int, words: str, tmp_path: Path
) -> None:
    delivered, error = read_bytes(data, tmp_path)
    assert len(delivered) == records
    assert error is not None
    assert words in str(error)
    assert error.offset == offset


def test_an_option_of_the_wrong_length_is_ignored_as_wireshark_does(tmp_path: Path) -> None:
    options = option(9, b"\6\6") + option(14, b"\1")
    data = section() + interface(options=options) + enhanced(b"a", 7, options=option(2, b"\1"))
    records, error = read_bytes(data, tmp_path)
    assert error is None
    assert [(record.time_ns, record.flags) for record in records] == [(7000, 0)]


# Memory


@pytest.mark.parametrize("length", [LONGEST_RECORD_BYTES - 64, LONGEST_RECORD_BYTES + 1, 0x7FFFFFFF, 0xFFFFFFFF])
@EVERY_KIND
def test_no_length_in_a_file_makes_the_reader_ask_for_memory(kind: Kind, length: int, tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(announce(length)(kind, kind.make(PACKETS)))
    read(path)  # what is imported and cached is not counted
    tracemalloc.start()
    try:
        read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MEBIBYTE


def test_a_gzip_stream_is_unpacked_a_window_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    packer = zlib.compressobj(9, wbits=31)
    with path.open("wb") as file:
        file.write(packer.compress(b"btsnoop\0" + struct.pack(">II", 1, 1002)))
        for _ in range(32):
            file.write(packer.compress(struct.pack(">IIIIq", MEBIBYTE, MEBIBYTE, 0, 0, 0) + bytes(MEBIBYTE)))
        file.write(packer.flush())
    assert path.stat().st_size < MEBIBYTE
    tracemalloc.start()
    try:
        reader = open_reader(path)
        assert sum(len(record.data) for record in reader.records()) == 32 * MEBIBYTE
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * MEBIBYTE


def test_what_pcapng_says_beside_the_packets_is_kept_in_bounds(tmp_path: Path) -> None:
    comment = option(1, b"x" * 60_000)
    data = section(options=comment * 250) + b"".join(interface(options=comment * 100) for _ in range(4))
    data += b"".join(block(0x10000 + number, b"") for number in range(3000)) + section() * 3000
    path = tmp_path / "capture"
    path.write_bytes(data + interface() + enhanced(b"a", 1))
    reader = open_reader(path)
    assert len(list(reader.records())) == 1
    kept = {key: len(value) for key, value in reader.details.items() if isinstance(value, list | dict)}
    assert kept == {"sections": 1000, "interfaces": 5, "comments": LONGEST_RECORD_BYTES // 60_000, "other_blocks": 1000}
    _, error = read_bytes(section() + interface() * 65_537, tmp_path)
    assert error is not None
    assert "more than 65536 interfaces" in str(error)


# What is no capture at all


def test_a_directory_a_missing_file_and_a_forbidden_one_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(name: str) -> io.FileIO:
        raise PermissionError(13, "Permission denied", name)

    for path, words in (
        (tmp_path, "this is a directory"),
        (tmp_path / "none", "there is no such file"),
        (tmp_path / ("x" * 5000), "cannot be opened: File name too long"),
        ("zero\0byte", "cannot be opened"),
    ):
        _, error = read(path)
        assert error is not None
        assert str(error).startswith(f"{path}: ")
        assert words in str(error)
    monkeypatch.setattr(sources, "FileIO", forbidden)
    with pytest.raises(CaptureError, match="you may not read it"):
        open_reader(tmp_path / "secret")
    with pytest.raises(CaptureError, match="this is a directory"):  # as Windows refuses one
        open_reader(tmp_path)


def test_a_disk_that_fails_ends_the_capture_where_it_fails(tmp_path: Path) -> None:
    class Failing(io.FileIO):
        def read(self, size: int = -1, /) -> bytes:
            if self.tell() >= 300_000:
                raise OSError(5, "Input/output error")
            return super().read(min(size, 300_000 - self.tell()))

    path = tmp_path / "capture"
    path.write_bytes(btsnoop([Packet(T0, bytes(976))] * 400))
    reader = open_reader(path)
    reader.source.close()
    source = Source(Failing(path), str(path), path.stat().st_size)
    records = []
    with pytest.raises(CaptureError, match="at byte 300000: it cannot be read on: Input/output error"):
        records.extend(type(reader)(source).records())  # type: ignore[call-arg]
    assert len(records) == 299


def test_an_empty_pipe_and_a_pipe_that_breaks_off_are_told_as_files_are() -> None:
    for sent, words in ((b"", "the file is empty"), (btsnoop(PACKETS)[:-3], "cut in record 4")):
        reading_end, writing_end = os.pipe()
        os.write(writing_end, sent)
        os.close(writing_end)
        _, error = read(f"/dev/fd/{reading_end}")
        os.close(reading_end)
        assert error is not None
        assert words in str(error)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.cfa", b"\x01\x02\x03\x04" * 9, "a Frontline capture: export it as btsnoop"),
        ("x.btt", b"\x01\x02\x03\x04" * 9, "an Ellisys capture: export it as btsnoop"),
        ("x.psd", b"\x01\x02\x03\x04" * 9, "Packet Sniffer"),
        ("x.etl", b"\x01\x02\x03\x04" * 9, "btetlparse"),
        ("x.zip", b"PK\3\4" + bytes(30), "unpack FS/data/misc/bluetooth/logs/btsnoop_hci.log"),
        ("x", b"\0\0\2\0\x12\5\0\x10" + bytes(600), "Tektronix K12"),
        ("x", b"snoop\0\0\0\0\0\0\2\0\0\0\4", "Sun snoop"),
        ("x.pcap", b"\x34\xcd\xb2\xa1" + bytes(20), "editcap"),
        ("x.xz", b"\xfd7zXZ\0" + bytes(9), "xz -d"),
        ("x.gz", gzip.compress(gzip.compress(btsnoop(PACKETS), mtime=0), mtime=0), "compressed twice"),
        ("x.cfa.gz", gzip.compress(b"\x01\x02\x03\x04" * 9, mtime=0), "a Frontline capture"),
        ("x.tar", bytes(257) + b"ustar\x0000" + bytes(248), "an archive"),
        ("bugreport.txt", b"log\n--- BEGIN:BTSNOOP_LOG_SUMMARY (1 bytes in) ---\n", "btsnooz.py"),
        ("notes.txt", "Größe über alles\n".encode(), "this is a text file"),
        ("notes.txt", ("ä" * 3000).encode()[1:], "no capture that is known here"),
        ("notes.txt", ("€" * 3000).encode(), "this is a text file"),
        ("notes.txt", "hex dump".encode("utf-16"), "this is a text file"),
        ("x.bin", bytes(range(256)), "no capture that is known here"),
        ("x", b"\0", "no capture that is known here"),
        ("x", b"\x1f\x8b", "gzip stream is cut"),
        ("x", b"\x1f\x8b" + bytes(30), "gzip stream is damaged"),
    ],
)
def test_what_a_file_is_instead_of_a_capture_is_said_with_what_to_do(
    name: str, data: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    records, error = read(path)
    assert records == []
    assert error is not None
    assert words in str(error)
    assert "\n" not in str(error)


def test_a_device_that_never_ends_is_no_capture() -> None:
    _, error = read("/dev/zero")
    assert error is not None
    assert "no capture that is known" in str(error)


def test_a_pcap_of_an_unread_link_type_names_those_that_are_read(tmp_path: Path) -> None:
    _, error = read_bytes(pcap(PACKETS, link_type=249), tmp_path)
    assert error is not None
    for link_type in LinkType:
        assert (str(int(link_type)) in str(error)) == (link_type < 1000)


def test_a_pcapng_of_only_the_first_bytes_is_cut(tmp_path: Path) -> None:
    _, error = read_bytes(pcapng(PACKETS)[:11], tmp_path)
    assert error is not None
    assert "cut in the header of a block: 11 of 12 bytes" in str(error)
