"""Every container becomes every container that can be written, and the ATT table stays the same."""

from __future__ import annotations

import csv
import gzip
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from rig.capture import hci_stream
from rig.capture.convert import convert
from rig.capture.hci_stream import _Opened
from rig.capture.layers.links import Link
from rig.capture.reading import Reading
from rig.capture.records import LinkType
from rig.capture.rows import rows
from rig.capture.writers import FORMATS
from tests.rig.capture import air_packets as air
from tests.rig.capture import containers
from tests.rig.capture import hci_traffic as hci

CAPTURES = Path(__file__).parents[2] / "captures"
REAL = sorted(
    row["file"] for row in csv.DictReader((CAPTURES / "SOURCES.tsv").read_text().splitlines(), delimiter="\t")
)
SERVICE, VALUE, CCCD = "1800", "2a00", "2902"
SENT, RECEIVED = hci.SENT, hci.RECEIVED


class Row(NamedTuple):
    """A row of the table, but for the number of its record."""

    time_ns: int
    link: int
    sender: str
    opcode: int
    handle: int | None
    uuid: str
    value: bytes | None
    pdu: bytes


def table(path: Path) -> list[Row]:
    with Reading(path) as reading:
        return [
            Row(row.time_ns, row.link, row.sender, row.opcode, row.handle, row.uuid, row.value, row.pdu)
            for row in rows(reading.records(), reading.stack, reading.tracker)
        ]


def expected(before: Sequence[Row], after: Sequence[Row], format_name: str) -> list[Row]:
    """The rows as the format can hold them: btsnoop has microseconds, and in HCI there is no unknown direction."""
    step = 1000 if format_name == "btsnoop" else 1
    guesses = [row.sender for row in after] if len(after) == len(before) else [""] * len(before)
    return [
        row._replace(time_ns=row.time_ns // step * step, sender=guess if row.sender == "unknown" else row.sender)
        for row, guess in zip(before, guesses, strict=True)
    ]


# ---- captures made by hand, one for each way to wrap a packet --------------------------------------------------------

DISCOVERY = [  # (side of the client's host: 0 asks), PDU
    (0, bytes.fromhex("100100ffff0028")),
    (1, bytes.fromhex("1106010009000018")),
    (0, bytes.fromhex("0801000900 0328".replace(" ", ""))),
    (1, bytes.fromhex("0907020002 0300002a".replace(" ", "")) + bytes.fromhex("0400120500e1ff")),
    (0, bytes.fromhex("0406000900")),
    (1, bytes.fromhex("050106000229")),
]
TRAFFIC = [
    (0, b"\x0a\x03\x00"),
    (1, b"\x0bLamp in the hall"),
    (0, b"\x12\x06\x00\x01\x00"),
    (1, b"\x13"),
    (0, b"\x52\x05\x00\x55\xaa\x00"),
    (1, b"\x1b\x05\x00" + bytes(range(17))),
    (1, b"\x1b\x05\x00" + bytes(range(40))),  # longer than the MTU that was agreed on: none
    (1, b"\x1d\x05\x00\x07"),
    (0, b"\x1e"),
    (0, b"\x0a\x77\x00"),
    (1, b"\x01\x0a\x77\x00\x01"),
]


def hci_packets() -> list[hci.Packet]:
    packets = [hci.command(0x0C03, b""), hci.event(0x0E, b"\x01\x03\x0c\x00"), hci.connected(0x40)]
    packets += [hci.att(0x40, side, pdu) for side, pdu in DISCOVERY]
    packets += hci.fragments(0x40, SENT, 4, b"\x12\x05\x00" + bytes(range(60)), 20, 20)
    packets += hci.fragments(0x40, RECEIVED, 4, b"\x1b\x05\x00" + bytes(range(90)), 27, 27, 27)
    packets += [hci.att(0x40, side, pdu) for side, pdu in TRAFFIC]
    packets += [hci.connected(0x41, role=1, peer="C0:FF:EE:00:00:07"), hci.att(0x41, RECEIVED, b"\x0a\x03\x00")]
    packets += [hci.disconnected(0x40), hci.att(0x41, SENT, b"\x0bMine"), hci.disconnected(0x41)]
    return packets


def timed(packets: Sequence[hci.Packet], unit_ns: int) -> list[tuple[int, hci.Packet]]:
    return [(containers.T0 + place * 1_234_567 // unit_ns * unit_ns, packet) for place, packet in enumerate(packets)]


def in_btsnoop(datalink: int) -> bytes:
    parts = [b"btsnoop\0" + struct.pack(">II", 1, datalink)]
    for time_ns, packet in timed(hci_packets(), 1000):
        data, kind = packet.data, packet.data[0]
        flags = packet.side | (kind in (1, 4)) << 1
        if datalink == 2001:
            flags, data = {1: 2, 4: 3, 2: 4 + packet.side}[kind], data[1:]
        elif datalink == 1001:
            data = data[1:]
        head = struct.pack(">IIIIq", len(data), len(data), flags, 0, time_ns // 1000 + containers.UNIX_EPOCH_US)
        parts.append(head + data)
        if datalink == 2001:
            note = b"bluetoothd\x00"
            parts.append(struct.pack(">IIIIq", len(note), len(note), 0xFFFF000D, 0, 0) + note)
    return b"".join(parts)


def wrapped(packet: hci.Packet, link_type: int) -> bytes:
    data = packet.data
    if link_type == LinkType.HCI_H4_WITH_PHDR:
        return struct.pack(">I", packet.side) + data
    if link_type == LinkType.LINUX_MONITOR:
        return struct.pack(">HH", 0, {1: 2, 4: 3, 2: 4 + packet.side}[data[0]]) + data[1:]
    return data


def in_pcap(link_type: int, order: str = "<", unit_ns: int = 1000) -> bytes:
    packets = [
        containers.Packet(time_ns, wrapped(packet, link_type)) for time_ns, packet in timed(hci_packets(), unit_ns)
    ]
    return containers.pcap(packets, order, unit_ns, link_type)


def in_pcapng(link_type: int, order: str = "<") -> bytes:
    resolution = containers.option(9, b"\x09", order)
    parts = [containers.section(order), containers.interface(link_type, resolution, order)]
    for time_ns, packet in timed(hci_packets(), 1):
        flags = containers.option(2, struct.pack(f"{order}I", 2 - packet.side), order)
        parts.append(containers.enhanced(wrapped(packet, link_type), time_ns, 0, flags, order))
    return b"".join(parts)


def in_packetlogger(order: str) -> bytes:
    parts = []
    for time_ns, packet in timed(hci_packets(), 1000):
        kind = {1: 0, 4: 1, 2: 2 + packet.side}[packet.data[0]]
        parts.append(containers.packetlogger([containers.Packet(time_ns, packet.data[1:])], order, kind))
        parts.append(containers.packetlogger([containers.Packet(time_ns, b"a log line")], order, 0xFC))
    return b"".join(parts)


Wrap = Callable[[bytes, int], bytes]
"""Puts a packet into what a sniffer writes around it; takes who sent it, -1 on an advertising channel."""


def on_the_air(link_type: int, wrap: Wrap) -> bytes:
    """A connection as a sniffer follows it."""
    packets = [*beginning(wrap), *events(wrap, [(2, side, air.att(pdu)) for side, pdu in DISCOVERY + TRAFFIC])]
    return containers.pcap(packets, link_type=link_type)


def beginning(wrap: Wrap, now: int = containers.T0) -> list[containers.Packet]:
    adv = air.on_air(air.adv_ind(b"\x05\x09Lamp"), air.ADVERTISING)
    connect = air.on_air(air.connect_ind(), air.ADVERTISING)
    return [containers.Packet(now, wrap(adv, -1)), containers.Packet(now + 1_000_000, wrap(connect, -1))]


def events(
    wrap: Wrap, payloads: Sequence[tuple[int, int, bytes]], now: int = containers.T0
) -> Iterator[containers.Packet]:
    """Connection events with a payload each: its LLID, who sends it, and itself.

    In each event the central speaks, and the peripheral answers 150 us after; nothing is lost, so that both count on
    (Vol 6 Part B, 4.1.1 and 4.5.9).
    """
    for event, (llid, sender, payload) in enumerate(payloads):
        now += 30_000_000
        for side in (0, 1):
            data = air.data_pdu(1, b"", event % 2, (event + side) % 2)
            if side == sender:
                data = air.data_pdu(llid, payload, event % 2, (event + side) % 2)
            yield containers.Packet(now, wrap(air.on_air(data), side))
            now += 150_000 + 8000 * (len(data) + 8)


def phdr(packet: bytes, side: int) -> bytes:
    flags = {-1: air.PHDR_ADVERTISING, 0: air.PHDR_FROM_CENTRAL, 1: air.PHDR_FROM_PERIPHERAL}[side]
    return air.phdr(packet, flags=flags, channel=37 if side < 0 else 5)


def nordic(version: int) -> Wrap:
    def wrap(packet: bytes, side: int) -> bytes:
        channel = 37 if side < 0 else 5
        return air.nordic(packet, version=version, flags=0x01 | (side == 0) << 1, channel=channel)

    return wrap


MADE: dict[str, Callable[[], bytes]] = {
    "btsnoop-1001": lambda: in_btsnoop(1001),
    "btsnoop-1002": lambda: in_btsnoop(1002),
    "btsnoop-2001": lambda: in_btsnoop(2001),
    "pcap-187": lambda: in_pcap(187),
    "pcap-187-big": lambda: in_pcap(187, ">"),
    "pcap-201-ns": lambda: in_pcap(201, "<", 1),
    "pcap-201-big-ns": lambda: in_pcap(201, ">", 1),
    "pcap-254": lambda: in_pcap(254),
    "pcapng-187": lambda: in_pcapng(187),
    "pcapng-201-big": lambda: in_pcapng(201, ">"),
    "pcapng-254": lambda: in_pcapng(254),
    "packetlogger-big": lambda: in_packetlogger(">"),
    "packetlogger-little": lambda: in_packetlogger("<"),
    "air-251": lambda: on_the_air(251, lambda packet, _: packet),
    "air-256": lambda: on_the_air(256, phdr),
    "air-272-v1": lambda: on_the_air(272, nordic(1)),
    "air-272-v2": lambda: on_the_air(272, nordic(2)),
    "air-272-v3": lambda: on_the_air(272, nordic(3)),
    "air-192-147": lambda: on_the_air(192, lambda packet, _: air.ppi(packet)),
    "air-192-251": lambda: on_the_air(192, lambda packet, _: air.ppi(packet, link_type=251)),
}
ROWS_OF_HCI = len(DISCOVERY) + 2 + len(TRAFFIC) + 2


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("made")

    def path_of(name: str) -> Path:
        if name in REAL:
            return CAPTURES / name
        path = folder / name
        if not path.exists():
            data = MADE[name.removesuffix(".gz")]()
            path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
        return path

    return path_of


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("name", [*REAL, *MADE, "btsnoop-1002.gz", "packetlogger-big.gz"])
def test_a_capture_keeps_its_att_table_in_every_container(
    name: str, format_name: str, made: Callable[[str], Path], tmp_path: Path
) -> None:
    source = made(name)
    target = tmp_path / f"out.{format_name}"

    told = convert(source, target)

    before = table(source)
    assert before, "a round trip of nothing shows nothing"
    after = table(target)
    assert after == expected(before, after, format_name)
    assert told.packets >= len(before)
    unknown = [row for row in before if row.sender == "unknown"] if told.synthetic else []
    assert told.guessed == len(unknown) < 4
    again = tmp_path / "again.pcapng"
    convert(target, again)
    assert table(again) == after, "what we wrote ourselves is converted as well"


@pytest.mark.parametrize("name", ["crackle__expected_output.pcap", "crackle__le_secure_connections.pcapng"])
def test_a_direction_that_no_sniffer_heard_is_that_of_the_conversation(name: str, tmp_path: Path) -> None:
    before = table(CAPTURES / name)
    target = tmp_path / "out.pcapng"
    told = convert(CAPTURES / name, target)
    guessed = [
        (was.opcode, last.sender, now.sender)
        for last, was, now in zip(before, before[1:], table(target)[1:], strict=False)
        if was.sender == "unknown"
    ]
    assert told.guessed == len(guessed)
    assert set(guessed) <= {(0x01, "central", "peripheral")}, "an error answers whoever asked"


@pytest.mark.parametrize("name", [name for name in MADE if not name.startswith("air")])
def test_made_captures_of_hci_show_the_same_conversation(name: str, made: Callable[[str], Path]) -> None:
    found = table(made(name))
    assert len(found) == ROWS_OF_HCI
    assert {row.uuid for row in found} >= {VALUE, CCCD, "ffe1"}
    assert {row.sender for row in found} == {"central", "peripheral"}


@pytest.mark.parametrize("name", [name for name in MADE if name.startswith("air")])
def test_made_captures_of_the_air_show_the_same_conversation(name: str, made: Callable[[str], Path]) -> None:
    found = table(made(name))
    assert [row.pdu for row in found] == [pdu for _, pdu in DISCOVERY + TRAFFIC]
    assert {row.uuid for row in found} >= {VALUE, CCCD, "ffe1"}
    senders = [("central", "peripheral")[side] for side, _ in DISCOVERY + TRAFFIC]
    assert [row.sender for row in found] == senders


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("name", ["btsnoop-1001", "btsnoop-2001", "pcap-187", "pcapng-254", "packetlogger-little"])
def test_hci_packets_stay_as_they_are(name: str, format_name: str, made: Callable[[str], Path], tmp_path: Path) -> None:
    target = tmp_path / f"out.{format_name}"
    convert(made(name), target)
    with Reading(target) as reading:
        header = 0 if format_name == "btsnoop" else 4
        found = [record.data[header:] for record in reading.records()]
    assert found == [packet.data for packet in hci_packets()]


@pytest.mark.parametrize("name", [name for name in REAL if "btsnoop_hci" in name or "RS4" in name])
def test_a_btsnoop_file_of_h4_comes_back_byte_for_byte(name: str, tmp_path: Path) -> None:
    data = (CAPTURES / name).read_bytes()
    data = gzip.decompress(data) if name.endswith(".gz") else data
    target = tmp_path / "out.log"
    convert(CAPTURES / name, target)
    if data[12:16] == struct.pack(">I", 1002):
        assert without_drops(target.read_bytes()) == without_drops(data)
    else:
        assert target.read_bytes()[:16] == b"btsnoop\0" + struct.pack(">II", 1, 1002)


def without_drops(data: bytes) -> bytes:
    """A btsnoop file without its count of packets that the recorder dropped: records do not carry it."""
    parts, place = [data[:16]], 16
    while place < len(data):
        included = struct.unpack_from(">I", data, place + 4)[0]
        parts += [data[place : place + 12], data[place + 16 : place + 24 + included]]
        place += 24 + included
    return b"".join(parts)


def history(path: Path) -> tuple[list[tuple[int, str]], list[list[str]], dict[str, str]]:
    """What became of the links of a capture, their addresses, and the names heard."""
    with Reading(path) as reading:
        for _ in reading.pdus():
            pass
    links = reading.stack.links
    happened = [(link.number, one.kind) for link in links for one in link.history]
    return (
        happened,
        [[address.text for address in link.addresses if address] for link in links],
        reading.stack.observations.names,
    )


def test_what_was_heard_of_a_link_is_told_by_its_synthetic_host_too(tmp_path: Path) -> None:
    update = b"\x00\x01\x00\x00\x50\x00\x00\x00\xc8\x00\x10\x00"  # LL_CONNECTION_UPDATE_IND: 100 ms, 2 s
    payloads = [(2, 0, air.att(b"\x0a\x03\x00")), (3, 0, update), (2, 1, air.att(b"\x0bLamp")), (3, 1, b"\x02\x13")]
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    source.write_bytes(containers.pcap([*beginning(phdr), *events(phdr, payloads)], link_type=256))
    convert(source, target)
    happened, addresses, names = history(target)
    assert happened == [(1, "connected"), (1, "parameters"), (1, "disconnected")]
    assert addresses == [[air.CENTRAL_TEXT, air.PERIPHERAL_TEXT]]
    assert names == {air.PERIPHERAL_TEXT: "Lamp"}
    with Reading(target) as reading:
        list(reading.pdus())
    told = [one.data for one in reading.stack.links[0].history]
    assert [data.get("interval_ms") for data in told] == [30.0, 100.0, None]
    assert [data.get("supervision_timeout_ms") for data in told] == [4200, 2000, None]
    assert told[2]["reason_code"] == 0x13


def test_a_link_whose_end_was_missed_has_ended_when_it_begins_again(tmp_path: Path) -> None:
    payloads = [(2, 0, air.att(b"\x0a\x03\x00"))]
    later = containers.T0 + 10 * containers.SECOND
    packets = [
        *(*beginning(phdr), *events(phdr, payloads)),
        *(*beginning(phdr, later), *events(phdr, payloads, later + containers.SECOND)),
    ]
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    source.write_bytes(containers.pcap(packets, link_type=256))
    convert(source, target)
    happened, _, _ = history(target)
    assert happened == [(1, "connected"), (1, "disconnected"), (2, "connected")]
    assert [row.link for row in table(target)] == [row.link for row in table(source)] == [1, 2]


def test_what_is_still_sent_after_the_end_belongs_to_the_link_that_ended(tmp_path: Path) -> None:
    payloads = [(3, 0, b"\x02\x13"), (2, 1, air.att(b"\x1b\x05\x00\x01"))]
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcapng"
    source.write_bytes(containers.pcap([*beginning(phdr), *events(phdr, payloads)], link_type=256))
    convert(source, target)
    assert [(row.link, row.sender) for row in table(source)] == [(1, "peripheral")]
    assert table(target) == table(source)


def test_a_capture_with_more_links_than_there_are_handles_keeps_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hci_stream, "_LARGEST_HANDLE", 300)  # 0x0EFF would take seconds
    packets = []

    def says(number: int, now: int, event: int) -> None:
        data = air.data_pdu(2, air.att(b"\x0a\x03\x00"), event % 2, event % 2)
        packets.append(containers.Packet(now, phdr(air.on_air(data, 0x50655491 + number * 16), 0)))

    for number in range(620):
        now = containers.T0 + number * containers.SECOND
        connect = bytearray(air.connect_ind(0x50655491 + number * 16))
        connect[8:14] = struct.pack("<I", number) + b"\x00\xc0"
        packets.append(containers.Packet(now, phdr(air.on_air(bytes(connect), air.ADVERTISING), -1)))
        if number % 10 == 0:
            says(0, now + 30_000_000, number // 10)  # the first link stays in use all along
    source, target = tmp_path / "in.pcap", tmp_path / "out.btsnoop"
    source.write_bytes(containers.pcap(packets, link_type=256))
    assert convert(source, target).synthetic > 60
    assert table(target) == table(source)


def test_who_was_asked_is_taken_to_answer() -> None:
    opened = _Opened(Link(1, "le"), 1)
    read, answer, refusal = b"\x0a\x03\x00", b"\x0b\x01", b"\x01\x0a\x03\x00\x02"
    assert opened.guess(read) == 0, "nearly always the central asks"
    assert opened.guess(answer) == 1
    opened.told(1, read)
    assert (opened.guess(answer), opened.guess(refusal)) == (0, 0)
    assert opened.guess(b"\x13") == 1, "a write was not asked for"
    opened.told(0, read)
    assert opened.guess(answer) == 1, "both were asked"
    opened.told(1, answer)
    assert opened.guess(refusal) == 0
    assert opened.guess(b"\x01") == 1


# ---- Wireshark -------------------------------------------------------------------------------------------------------


@pytest.fixture
def att_by_wireshark() -> Callable[[Path], list[str]]:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed: apt-get install tshark")

    def ask(path: Path) -> list[str]:
        fields = ["btatt.opcode", "btatt.handle", "btatt.uuid16", "btatt.uuid128", "btatt.value", "btatt.error_code"]
        columns = [part for field in ["frame.time_epoch", *fields] for part in ("-e", field)]
        command = [tshark, "-r", str(path), "-Y", "btatt", "-T", "fields", *columns]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()

    return ask


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize(
    "name",
    [
        "BLETools__btsnoop_hci.log",
        "bj_led__full.pcapng",
        "ctf-usb-keyboard-parser__rgbctf2020_PI_1_MagicInTheAir",
        "esphome-jbd-bms__JBD-SP04S034L4S200A-btsnoop_hci.log",
    ],
)
def test_wireshark_finds_the_same_att_before_and_after(
    name: str, format_name: str, att_by_wireshark: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    target = tmp_path / f"out.{format_name}"
    convert(CAPTURES / name, target)
    before = att_by_wireshark(CAPTURES / name)
    assert before
    assert att_by_wireshark(target) == before


@pytest.mark.parametrize(
    "name",
    ["crackle__expected_output.pcap", "idealLED__trimmed_set_collection.pcapng", "whad-client__ble_pairing.pcap"],
)
def test_wireshark_follows_what_was_sniffed_as_hci(
    name: str, att_by_wireshark: Callable[[Path], list[str]], tmp_path: Path
) -> None:
    target = tmp_path / "out.pcapng"
    convert(CAPTURES / name, target)
    ours = table(CAPTURES / name)
    found = att_by_wireshark(target)
    assert [(row.split("\t")[1]) for row in found] == [f"0x{row.opcode:02x}" for row in ours]
    assert [row.split("\t")[0] for row in found] == [
        f"{row.time_ns // 10**9}.{row.time_ns % 10**9:09d}" for row in ours
    ]
    tshark = ["tshark", "-r", str(target), "-Y", "_ws.malformed || _ws.expert.severity == error"]
    assert subprocess.run(tshark, check=True, capture_output=True, text=True, timeout=60).stdout == ""
