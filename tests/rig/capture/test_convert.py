"""Converting goes from file to file and leaves nothing half; what a format cannot hold is told."""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rig.capture.convert import Conversion, ConversionRefusedError, DamagedCaptureError, convert
from rig.capture.embedded_map import PREFIX, comments_of, embedded_map, map_in
from rig.capture.gatt import Attribute
from rig.capture.handle_map import HandleMap, MapTable
from rig.capture.layers.links import Address
from rig.capture.reading import Reading
from rig.capture.records import CaptureError, Record
from rig.capture.registry import open_reader
from rig.capture.rows import rows
from rig.capture.writer import Direction
from rig.capture.writers import open_writer
from rig.capture.writers.pcapng import PcapngWriter
from tests.rig.capture import containers
from tests.rig.capture import hci_traffic as hci

CAPTURES = Path(__file__).parents[2] / "captures"
MONITORED = CAPTURES / "ctf-usb-keyboard-parser__rgbctf2020_PI_1_MagicInTheAir"
SNIFFED = CAPTURES / "crackle__le_secure_connections.pcapng"
SMALL = CAPTURES / "bj_led__full.pcapng"
SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
ACL = hci.att(0x40, hci.RECEIVED, b"\x1b\x03\x00\x01").data


def records(path: Path) -> list[Record]:
    reader = open_reader(path)
    with reader.source:
        return list(reader.records())


def comments(path: Path) -> list[str]:
    reader = open_reader(path)
    with reader.source:
        list(reader.records())
    found = reader.details["comments"]
    assert isinstance(found, list)
    return found


def written(path: Path, *times_ns: int, format_name: str = "pcapng", controllers: tuple[int, ...] = (0,)) -> Path:
    with path.open("w+b") as file:
        writer = open_writer(format_name, file)
        for place, time_ns in enumerate(times_ns):
            writer.write(ACL, Direction.RECEIVED, time_ns, controller=controllers[place % len(controllers)])
    return path


def a_map(address: str = "C0:11:22:33:44:55", name: str = "", *, attributes: int = 1) -> HandleMap:
    table = tuple(Attribute(3 + place, "value", "ffe1", "", "ffe1") for place in range(attributes))
    return HandleMap([MapTable(table, Address(address, is_random=True), name)])


# ---- what it says ----------------------------------------------------------------------------------------------------


def test_the_result_is_one_line_about_what_was_written_and_what_was_not(tmp_path: Path) -> None:
    told = convert(MONITORED, tmp_path / "out.btsnoop")
    assert (
        str(told) == f"{tmp_path / 'out.btsnoop'}: 1620 packets of 1795 records (btsnoop), 175 monitor notes left out"
    )
    told = convert(SNIFFED, tmp_path / "out.btsnoop")
    assert (told.synthetic, told.rounded_times) == (37, told.packets)
    assert "37 ATT PDUs off the air in synthetic HCI, 266 link-layer records without ATT left out" in str(told)
    assert f"{told.packets} times rounded down to the microsecond" in str(told)


def test_one_of_a_kind_is_told_in_the_singular() -> None:
    told = Conversion("x", "pcap", records=1, packets=1, comments_left_out=1, addresses=1, names=1)
    assert str(told) == (
        "x: 1 packet of 1 record (pcap), 1 comment left out, which only pcapng holds, 1 address and 1 name replaced"
    )


def test_progress_goes_from_the_beginning_to_the_end_even_when_the_capture_is_read_twice(tmp_path: Path) -> None:
    for redact in (False, True):
        seen: list[tuple[int, int | None]] = []
        source = CAPTURES / "pongbot-mcp__btsnoop_hci.log.last.gz"
        convert(source, tmp_path / "x.pcap", redact=redact, progress=lambda *now, seen=seen: seen.append(now))
        positions = [position for position, _ in seen]
        size = source.stat().st_size
        assert positions == sorted(positions)
        assert {total for _, total in seen} == {size}
        assert positions[-1] <= size
        assert len({position > size // 2 for position in positions}) == (2 if redact else 1)


# ---- what cannot be asked for ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out", "out.txt", "out.gz"])
def test_a_name_that_says_no_format_needs_the_option(name: str, tmp_path: Path) -> None:
    target = tmp_path / name
    with pytest.raises(ConversionRefusedError, match="give --format btsnoop, pcap or pcapng"):
        convert(SMALL, target)
    assert not target.exists()
    assert convert(SMALL, target, format="pcap").packets == 113


def test_a_format_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionRefusedError, match="there is no format 'cfa': give --format"):
        convert(SMALL, tmp_path / "out.pcap", format="cfa")


@pytest.mark.parametrize("how", ["same name", "another spelling", "hard link", "symbolic link"])
def test_the_capture_itself_is_never_written_over(how: str, tmp_path: Path) -> None:
    source = tmp_path / "a.pcapng"
    source.write_bytes(SMALL.read_bytes())
    target = {"same name": source, "another spelling": tmp_path / "x" / ".." / "a.pcapng"}.get(
        how, tmp_path / "b.pcapng"
    )
    (tmp_path / "x").mkdir()
    if how == "hard link":
        target.hardlink_to(source)
    elif how == "symbolic link":
        target.symlink_to(source)
    with pytest.raises(ConversionRefusedError, match="this is the capture itself"):
        convert(source, target)
    assert source.read_bytes() == SMALL.read_bytes()


def test_a_directory_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(ConversionRefusedError, match="this is a directory; name a file in it"):
        convert(SMALL, tmp_path, format="pcap")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    target = tmp_path / "no" / "out.pcap"
    with pytest.raises(CaptureError, match="it cannot be written: No such file") as caught:
        convert(SMALL, target)
    assert caught.value.path == str(target)


# ---- nothing half ----------------------------------------------------------------------------------------------------


def test_a_failure_leaves_what_was_there_before(tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    target.write_bytes(b"precious")
    source = written(tmp_path / "in.pcapng", T0, -SECOND + T0, format_name="btsnoop")
    source.write_bytes(source.read_bytes()[: -8 - len(ACL)] + struct.pack(">q", 0) + ACL)  # the second record: year 0
    with pytest.raises(CaptureError, match=r"record 2: its time, -\d+ s from 1970, is outside what pcap holds"):
        convert(source, target)
    assert target.read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.pcapng", "out.pcap"]


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(CAPTURES / "pongbot-mcp__btsnoop_hci.log.last.gz", tmp_path / "out.pcapng.gz", progress=interrupted)
    assert list(tmp_path.iterdir()) == []


def test_what_comes_before_damage_is_written_and_the_damage_told(tmp_path: Path) -> None:
    source = tmp_path / "cut.pcapng"
    source.write_bytes(SMALL.read_bytes()[:-10])
    for redact in (False, True):
        target = tmp_path / f"out{redact}.pcap"
        with pytest.raises(
            DamagedCaptureError, match=r"at byte \d+: cut in a block.*; what comes before is in"
        ) as caught:
            convert(source, target, redact=redact)
        assert "\n" not in str(caught.value)
        assert caught.value.conversion.packets == len(records(target)) == 112


def test_a_file_that_is_no_capture_becomes_none(tmp_path: Path) -> None:
    source = tmp_path / "in.log"
    source.write_bytes(b"btsnoop\0" + struct.pack(">II", 1, 1002) + bytes(7))
    for redact in (False, True):
        with pytest.raises(CaptureError, match="cut in the header of record 1"):
            convert(source, tmp_path / "out.pcap", redact=redact)
    assert [path.name for path in tmp_path.iterdir()] == ["in.log"]


def test_an_empty_capture_becomes_an_empty_capture(tmp_path: Path) -> None:
    source = tmp_path / "in.log"
    source.write_bytes(b"btsnoop\0" + struct.pack(">II", 1, 1002))
    for name in ("out.pcap", "out.pcapng", "out.btsnoop"):
        assert convert(source, tmp_path / name).packets == 0
        assert (tmp_path / name).stat().st_size > 0
    assert records(tmp_path / "out.btsnoop") == []


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    place = tmp_path / "place.pcap"
    place.write_bytes(b"old")
    target = tmp_path / "out.pcap"
    target.symlink_to(place)
    convert(SMALL, target)
    assert target.is_symlink()
    assert len(records(place)) == 113


def test_a_compressed_target_is_the_same_capture_and_the_same_every_time(tmp_path: Path) -> None:
    for name in ("a.pcapng", "a.pcapng.gz", "b.pcapng.gz"):
        convert(SMALL, tmp_path / name)
    packed = (tmp_path / "a.pcapng.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / "a.pcapng").read_bytes()
    assert packed == (tmp_path / "b.pcapng.gz").read_bytes()


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    pipe = tmp_path / "out.pcap"
    os.mkfifo(pipe)
    read = io.BytesIO()

    def other_end() -> None:
        with pipe.open("rb") as file:
            read.write(file.read())

    thread = threading.Thread(target=other_end)
    thread.start()
    convert(SMALL, pipe)
    thread.join(30)
    assert pipe.is_fifo()
    (tmp_path / "copy").write_bytes(read.getvalue())
    assert len(records(tmp_path / "copy")) == 113


@pytest.mark.parametrize("redact", [False, True])
def test_standard_input_is_converted_even_when_it_has_to_be_read_twice(redact: bool, tmp_path: Path) -> None:
    program = "import sys; from rig.capture.convert import convert as c; "
    program += "print(c('-', sys.argv[1], redact=sys.argv[2] == '1'))"
    target = tmp_path / "out.pcap"
    with SMALL.open("rb") as source:
        command = [sys.executable, "-c", program, str(target), str(int(redact))]
        run = subprocess.run(command, stdin=source, check=True, capture_output=True, text=True, timeout=60)
    assert "113 packets of 113 records" in run.stdout
    assert len(records(target)) == 113
    assert [path.name for path in tmp_path.iterdir()] == ["out.pcap"]


# ---- what formats can hold -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", ["btsnoop", "pcap"])
def test_a_second_controller_is_an_error_that_names_the_record(format_name: str, tmp_path: Path) -> None:
    source = written(tmp_path / "in.pcapng", T0, T0, T0, controllers=(0, 0, 1))
    with pytest.raises(CaptureError, match=r"at byte \d+: record 3: .*second controller .*write pcapng"):
        convert(source, tmp_path / f"out.{format_name}")
    convert(source, tmp_path / "out.pcapng")
    assert [record.interface for record in records(tmp_path / "out.pcapng")] == [0, 0, 1]


def test_times_before_1970_go_to_pcapng_with_an_offset(tmp_path: Path) -> None:
    times = [-3 * SECOND - 1000, 5000, 7 * SECOND]
    source = written(tmp_path / "in.log", *times, format_name="btsnoop")
    convert(source, tmp_path / "out.pcapng")
    assert [record.time_ns for record in records(tmp_path / "out.pcapng")] == times


@pytest.mark.parametrize("format_name", ["btsnoop", "pcap", "pcapng"])
def test_what_the_recorder_cut_stays_cut(format_name: str, tmp_path: Path) -> None:
    source = tmp_path / "in.log"
    with source.open("wb") as file:
        writer = open_writer("btsnoop", file)
        writer.write(ACL[:9], Direction.RECEIVED, T0, original_length=300)
        writer.write(b"", Direction.SENT, T0, original_length=12)
    target = tmp_path / f"out.{format_name}"
    assert convert(source, target).packets == 2
    header = 0 if format_name == "btsnoop" else 4
    found = [(record.data[header:], record.original_length - header) for record in records(target)]
    assert found == [(ACL[:9], 300), (b"", 12)]


def test_a_pdu_that_a_sniffer_cut_announces_its_whole_length(tmp_path: Path) -> None:
    from tests.rig.capture import air_packets as air  # noqa: PLC0415 - here alone

    packet = air.on_air(air.data_pdu(2, air.att(b"\x1b\x03\x00" + bytes(12)), 0, 0))
    captured = air.phdr(packet, flags=air.PHDR_FROM_PERIPHERAL & ~0x0C00)[:-8]  # the CRC went too
    source = tmp_path / "in.pcap"
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 256)
    source.write_bytes(head + struct.pack("<IIII", 1, 0, len(captured), len(captured) + 8) + captured)
    with Reading(source) as reading:
        [before] = list(rows(reading.records(), reading.stack, reading.tracker))
    target = tmp_path / "out.pcapng"
    convert(source, target)
    with Reading(target) as reading:
        [pdu] = list(reading.pdus())
    assert pdu.pdu == before.pdu
    assert (len(pdu.pdu), pdu.missing) == (10, 5)


def test_other_link_types_are_counted(tmp_path: Path) -> None:
    source = tmp_path / "in.pcapng"
    source.write_bytes(
        containers.section()
        + containers.interface()
        + containers.interface(1)
        + containers.enhanced(ACL, T0 // 1000)
        + containers.enhanced(bytes(60), T0 // 1000, 1)
    )
    told = convert(source, tmp_path / "out.pcap")
    assert told.left_out == {"records of link type 1": 1}
    assert told.packets == 1


# ---- comments and the handle map -------------------------------------------------------------------------------------


def commented(path: Path) -> Path:
    with path.open("wb") as file:
        writer = PcapngWriter(file, ["about the section"])
        writer.write(ACL, Direction.RECEIVED, T0, comments=("about the packet", "twice"))
        writer.write(ACL, Direction.RECEIVED, T0)
        writer.add_comments(["about the end"])
    return path


def test_comments_travel_in_pcapng(tmp_path: Path) -> None:
    told = convert(commented(tmp_path / "in.pcapng"), tmp_path / "out.pcapng")
    assert told.comments_left_out == 0
    assert [record.comments for record in records(tmp_path / "out.pcapng")] == [("about the packet", "twice"), ()]
    assert comments(tmp_path / "out.pcapng") == ["about the section", "about the end"]


@pytest.mark.parametrize("format_name", ["btsnoop", "pcap"])
def test_comments_that_have_no_place_are_counted(format_name: str, tmp_path: Path) -> None:
    told = convert(commented(tmp_path / "in.pcapng"), tmp_path / f"out.{format_name}", handle_map=a_map())
    assert told.comments_left_out == 5


@pytest.mark.parametrize("attributes", [1, 5000])
def test_a_handle_map_is_written_into_pcapng_and_read_back(attributes: int, tmp_path: Path) -> None:
    handle_map = a_map(name="Lampe für den Flur", attributes=attributes)
    first, second = tmp_path / "first.pcapng", tmp_path / "second.pcapng"
    convert(commented(tmp_path / "in.pcapng"), first, handle_map=handle_map)
    convert(first, second)  # carried on without being given again
    for path in (first, second):
        reader = open_reader(path)
        with reader.source:
            assert map_in(reader) == handle_map, "known before the first record is read"
            assert len(list(reader.records())) == 2
        assert embedded_map(reader.details) == handle_map
        assert [text for text in comments(path) if not text.startswith(PREFIX)] == [
            "about the section",
            "about the end",
        ]
        assert all(len(text.encode()) <= 0xFFFF for text in comments(path))


def test_a_map_that_is_given_takes_the_place_of_the_carried_one(tmp_path: Path) -> None:
    first, second = tmp_path / "first.pcapng", tmp_path / "second.pcapng"
    convert(SMALL, first, handle_map=a_map("C0:00:00:00:00:01"))
    convert(first, second, handle_map=a_map("C0:00:00:00:00:02"))
    assert embedded_map({"comments": comments(second)}) == a_map("C0:00:00:00:00:02")


def test_captures_without_a_map_carry_none(tmp_path: Path) -> None:
    for path in (SMALL, MONITORED, commented(tmp_path / "in.pcapng")):
        reader = open_reader(path)
        with reader.source:
            assert map_in(reader) is None
    assert comments_of(HandleMap()) == []


def test_maps_of_captures_that_were_put_together_become_one() -> None:
    both = [*comments_of(a_map("C0:00:00:00:00:01")), "between", *comments_of(a_map("C0:00:00:00:00:02"))]
    found = embedded_map({"comments": both})
    assert found is not None
    assert [str(table.address and table.address.text)[-2:] for table in found.tables] == ["01", "02"]


@pytest.mark.parametrize(
    "broken",
    [
        [f"{PREFIX}1/1: nonsense"],
        [f"{PREFIX}2/2: rest"],
        comments_of(a_map(attributes=2000))[:1],
        comments_of(a_map(attributes=2000))[1:],
        [PREFIX],
        [comment for comment in comments_of(a_map(attributes=2000)) if f"{PREFIX}2/" not in comment],
    ],
    ids=["no JSON", "no beginning", "no end", "only the end", "nothing", "no middle"],
)
def test_a_carried_map_that_is_broken_is_told(broken: list[str]) -> None:
    with pytest.raises(CaptureError, match="the handle map in the capture's comments") as caught:
        embedded_map({"comments": broken})
    assert ("part" in str(caught.value)) == ("1/1" not in broken[0]), "said as what it is, before JSON is blamed"


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_map_is_found_in_either_byte_order_and_behind_other_options(order: str, tmp_path: Path) -> None:
    options = containers.option(4, b"another program", order) + containers.option(1, b"hello", order)
    for comment in comments_of(a_map()):
        options += containers.option(1, comment.encode(), order)
    path = tmp_path / "x.pcapng"
    path.write_bytes(containers.section(order, options) + containers.interface(order=order))
    reader = open_reader(path)
    with reader.source:
        assert map_in(reader) == a_map()


@pytest.mark.parametrize("cut", [8, 23, 24, 30, 100])
def test_a_section_that_is_cut_carries_no_map_and_does_no_harm(cut: int, tmp_path: Path) -> None:
    data = containers.section(options=containers.option(1, b"hello" * 40))
    path = tmp_path / "x.pcapng"
    path.write_bytes(data[:cut].ljust(12, b"\0"))
    try:
        reader = open_reader(path)
    except CaptureError:
        return
    with reader.source:
        assert map_in(reader) is None
