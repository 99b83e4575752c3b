"""The link layer in each container that sniffers write: what their headers say, and that Wireshark reads the same."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.capture.layers import le_phdr, nordic, ppi
from rig.capture.layers.air import AirPacket, Kind
from rig.capture.layers.links import UNKNOWN_SIDE
from rig.capture.records import LinkType, Record
from tests.rig.capture import air_packets as air
from tests.rig.capture.air_packets import ADVERTISING, Sniffer, att, connect_ind, data_pdu, on_air

START = 2
WRITE = bytes.fromhex("12 0600 aabb")
RESPONSE = b"\x13"
NOTIFICATION = bytes.fromhex("1b 0d00 0102030405")
LONG = bytes.fromhex("52 0900") + bytes(range(60))


def record(link_type: LinkType, data: bytes, original: int | None = None) -> Record:
    return Record(1, 0, link_type, data, len(data) if original is None else original)


def conversation() -> list[tuple[int, bytes]]:
    """A link from its beginning: (who sends, packet), a side of -1 for advertising."""
    fragments = att(LONG)
    return [
        (-1, on_air(connect_ind(), ADVERTISING)),
        (0, on_air(data_pdu(START, att(WRITE), 0, 0))),
        (1, on_air(data_pdu(START, att(RESPONSE), 0, 1))),
        (0, on_air(data_pdu(START, fragments[:27], 1, 1))),
        (1, on_air(data_pdu(START, att(NOTIFICATION), 1, 0))),
        (0, on_air(data_pdu(1, fragments[27:54], 0, 0))),
        (1, on_air(data_pdu(1, b"", 0, 1))),
        (0, on_air(data_pdu(1, fragments[54:], 1, 1))),
    ]


def as_phdr(side: int, packet: bytes) -> bytes:
    flags = {-1: air.PHDR_ADVERTISING, 0: air.PHDR_FROM_CENTRAL, 1: air.PHDR_FROM_PERIPHERAL}[side]
    return air.phdr(packet, flags=flags)


def as_nordic(version: int) -> Callable[[int, bytes], bytes]:
    return lambda side, packet: air.nordic(packet, version=version, flags={-1: 0x01, 0: 0x03, 1: 0x01}[side])


WRAPPINGS: dict[str, tuple[LinkType, Callable[[int, bytes], bytes]]] = {
    "251": (LinkType.LE_LL, lambda _side, packet: packet),
    "256": (LinkType.LE_LL_WITH_PHDR, as_phdr),
    "272 version 1": (LinkType.NORDIC_BLE, as_nordic(1)),
    "272 version 2": (LinkType.NORDIC_BLE, as_nordic(2)),
    "272 version 3": (LinkType.NORDIC_BLE, as_nordic(3)),
    "147": (LinkType.LE_LL_IN_PPI, lambda _side, packet: packet),
    "192 around 147": (LinkType.PPI, lambda _side, packet: air.ppi(packet)),
    "192 around 251": (LinkType.PPI, lambda _side, packet: air.ppi(packet, link_type=251)),
}


@pytest.mark.parametrize("name", WRAPPINGS)
def test_the_same_conversation_gives_the_same_rows_in_every_container(name: str) -> None:
    link_type, wrap = WRAPPINGS[name]
    sniffer = Sniffer()
    before = 0.0
    for side, packet in conversation():
        sniffer.hears(link_type, wrap(side, packet), after_us=before + 150)
        before = 8.0 * (1 + len(packet))  # with its preamble, on LE 1M

    assert sniffer.rows == [
        (2, "central", WRITE),
        (3, "peripheral", RESPONSE),
        (5, "peripheral", NOTIFICATION),
        (8, "central", LONG),
    ]
    assert sniffer.counts == {}


@pytest.mark.parametrize("name", WRAPPINGS)
def test_wireshark_reads_the_same_pdus_out_of_the_packets_made_here(name: str, tmp_path: Path) -> None:
    link_type, wrap = WRAPPINGS[name]
    path = tmp_path / "conversation.pcap"
    air.write_pcap(path, link_type, [wrap(side, packet) for side, packet in conversation()])
    fields = ("frame.number", "btatt.opcode", "btatt.value", "btle.crc.incorrect", "nordic_ble.crc.bad")
    run = subprocess.run(
        [
            "tshark",
            "-r",
            path,
            "-o",
            'uat:user_dlts:"User 0 (DLT=147)","btle","0","","0",""',
            "-Y",
            "btatt or btle.crc.incorrect or nordic_ble.crc.bad or nordic_ble.length.bad",
            "-T",
            "fields",
            *(part for field in fields for part in ("-e", field)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )

    assert [line.split("\t") for line in run.stdout.splitlines()] == [
        ["2", "0x12", "aabb", "", ""],
        ["3", "0x13", "", "", ""],
        ["5", "0x1b", NOTIFICATION[3:].hex(), "", ""],
        ["8", "0x52", LONG[3:].hex(), "", ""],
    ]


# Link type 256


@pytest.mark.parametrize(
    ("flags", "kind", "side"),
    [
        (0x0001, Kind.UNSPECIFIED, UNKNOWN_SIDE),
        (0x0101, Kind.DATA, 0),
        (0x0181, Kind.DATA, 1),
        (0x0201, Kind.OTHER, 0),
        (0x0281, Kind.OTHER, 1),
        (0x0301, Kind.OTHER, UNKNOWN_SIDE),
    ],
)
def test_the_pseudo_header_tells_the_channel_and_the_direction(flags: int, kind: Kind, side: int) -> None:
    packet = le_phdr.read(record(LinkType.LE_LL_WITH_PHDR, air.phdr(on_air(data_pdu(2, b"", 0, 0)), flags=flags)))

    assert isinstance(packet, AirPacket)
    assert (packet.kind, packet.side, packet.crc_ok, packet.clear, packet.channel) == (kind, side, None, None, 5)


@pytest.mark.parametrize(
    ("flags", "crc_ok", "clear"),
    [
        (0x0101, None, None),
        (0x0501, False, None),
        (0x0D01, True, None),
        (0x0109, None, True),
        (0x1109, None, False),
        (0x3109, None, True),
    ],
)
def test_the_pseudo_header_tells_whether_crc_and_mic_were_right(
    flags: int, crc_ok: bool | None, clear: bool | None
) -> None:
    packet = le_phdr.read(record(LinkType.LE_LL_WITH_PHDR, air.phdr(on_air(data_pdu(2, b"", 0, 0)), flags=flags)))

    assert isinstance(packet, AirPacket)
    assert (packet.crc_ok, packet.clear) == (crc_ok, clear)


def test_an_auxiliary_packet_on_another_access_address_is_a_periodic_train_of_no_link() -> None:
    packet = le_phdr.read(record(LinkType.LE_LL_WITH_PHDR, air.phdr(on_air(data_pdu(2, b"", 0, 0)), flags=0x0081)))

    assert isinstance(packet, AirPacket)
    assert packet.kind is Kind.OTHER


def test_a_packet_of_the_coded_phy_has_its_coding_indicator_before_the_header() -> None:
    packet = on_air(data_pdu(START, att(WRITE), 0, 0))
    coded = packet[:4] + b"\x01" + packet[4:]
    read = le_phdr.read(record(LinkType.LE_LL_WITH_PHDR, air.phdr(coded, flags=0x8D01)))

    assert isinstance(read, AirPacket)
    assert read.pdu == data_pdu(START, att(WRITE), 0, 0)
    assert read.crc == packet[-3:]


def test_a_packet_that_is_still_whitened_is_told_so() -> None:
    assert le_phdr.read(record(LinkType.LE_LL_WITH_PHDR, air.phdr(bytes(9), flags=0))) == "is still whitened"


# Link type 272


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize(
    ("flags", "side", "crc_ok", "clear"),
    [
        (0x00, 1, False, None),
        (0x01, 1, True, None),
        (0x03, 0, True, None),
        (0x05, 1, True, False),
        (0x0F, 0, True, True),
    ],
)
def test_the_flags_of_the_nrf_sniffer_tell_direction_crc_and_encryption(
    version: int, flags: int, side: int, crc_ok: bool, clear: bool | None
) -> None:
    data = air.nordic(on_air(data_pdu(2, att(WRITE), 0, 0)), version=version, flags=flags, channel=17)
    packet = nordic.read(record(LinkType.NORDIC_BLE, data))

    assert isinstance(packet, AirPacket)
    assert (packet.kind, packet.side, packet.crc_ok, packet.clear) == (Kind.DATA, side, crc_ok, clear)
    assert (packet.channel, packet.pdu) == (17, data_pdu(2, att(WRITE), 0, 0))


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_advertisement_in_any_version_has_no_direction_though_its_bit_is_set(version: int) -> None:
    data = air.nordic(on_air(air.adv_ind(b""), ADVERTISING), version=version, flags=0x03)
    packet = nordic.read(record(LinkType.NORDIC_BLE, data))

    assert isinstance(packet, AirPacket)
    assert (packet.kind, packet.side) == (Kind.ADVERTISING, UNKNOWN_SIDE)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_the_padding_octet_of_the_radio_is_taken_out_where_it_was_left_in(version: int) -> None:
    packet = on_air(data_pdu(START, att(WRITE), 0, 0))
    data = air.nordic(packet[:6] + b"\xee" + packet[6:], version=version, flags=0x03)
    read = nordic.read(record(LinkType.NORDIC_BLE, data))

    assert isinstance(read, AirPacket)
    assert (read.pdu, read.crc) == (data_pdu(START, att(WRITE), 0, 0), packet[-3:])


@pytest.mark.parametrize("version", [1, 2, 3])
def test_talk_between_the_sniffer_and_its_host_is_no_packet(version: int) -> None:
    ping = (
        struct.pack("<BBBBHB", 7, 6, 0, 1, 1, 0x0D) if version == 1 else struct.pack("<BHBHB", 7, 0, version, 1, 0x0D)
    )

    assert nordic.read(record(LinkType.NORDIC_BLE, ping)) is None


def test_a_version_1_header_may_say_that_it_is_longer() -> None:
    data = air.nordic(on_air(data_pdu(START, att(WRITE), 0, 0)), version=1, flags=0x03)
    longer = data[:1] + b"\x08" + data[2:7] + b"??" + data[7:]
    packet = nordic.read(record(LinkType.NORDIC_BLE, longer))

    assert isinstance(packet, AirPacket)
    assert packet.pdu == data_pdu(START, att(WRITE), 0, 0)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\xbe\xef" + bytes(30), "before version 1"),
        (b"\x07\x06\x00\x04" + bytes(30), "has version 4"),
        (b"\x07\x06\x00", "ends within the nRF Sniffer header"),
        (air.nordic(b"", version=3, flags=1, packet_id=6), "ends within the nRF Sniffer header"),
        (air.nordic(on_air(data_pdu(2, b"", 0, 0)), version=3, flags=1) + b"?", "its header says 26"),
        (air.nordic(on_air(b"\x02\x30"), version=3, flags=1), "shorter than its header says"),
    ],
)
def test_a_damaged_nrf_sniffer_header_is_told_in_words(data: bytes, what: str) -> None:
    told = nordic.read(record(LinkType.NORDIC_BLE, data))

    assert isinstance(told, str)
    assert what in told


def test_a_packet_of_a_nonsensical_length_with_a_bad_crc_counts_as_a_bad_crc() -> None:
    sniffer = Sniffer()
    sniffer.hears(LinkType.NORDIC_BLE, air.nordic(on_air(b"\x02\x30"), version=3, flags=0x00))

    assert sniffer.counts == {"crc_errors": 1}


# Link type 192


def test_the_field_of_libbtbb_tells_channel_and_time() -> None:
    packet = ppi.read(record(LinkType.PPI, air.ppi(on_air(data_pdu(2, b"", 0, 0)), clock=1234, megahertz=2426)))

    assert isinstance(packet, AirPacket)
    assert (packet.channel, packet.clock_ns) == (2426, 123_400)


def test_other_fields_of_ppi_are_passed_by() -> None:
    known = air.ppi(on_air(data_pdu(2, b"", 0, 0)), clock=9)
    other = struct.pack("<HH", 2, 4) + b"abcd"
    data = struct.pack("<BBHI", 0, 0, 8 + len(other) + 16, 147) + other + known[8:]
    packet = ppi.read(record(LinkType.PPI, data))

    assert isinstance(packet, AirPacket)
    assert packet.clock_ns == 900


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\0\0\x08", "ends within the PPI header"),
        (struct.pack("<BBHI", 1, 0, 8, 147) + bytes(20), "no PPI header that makes sense"),
        (struct.pack("<BBHI", 0, 0, 80, 147) + bytes(20), "no PPI header that makes sense"),
        (struct.pack("<BBHI", 0, 0, 7, 147) + bytes(20), "no PPI header that makes sense"),
        (struct.pack("<BBHI", 0, 0, 8, 105) + bytes(20), "has link type 105 inside PPI"),
        (struct.pack("<BBHI", 0, 0, 8, 147) + b"abc", "ends within the access address"),
        (struct.pack("<BBHI", 0, 0, 8, 147) + b"abcd\x02", "ends before its header does"),
    ],
)
def test_a_damaged_ppi_header_is_told_in_words(data: bytes, what: str) -> None:
    told = ppi.read(record(LinkType.PPI, data))

    assert isinstance(told, str)
    assert what in told


def test_what_crackle_wrote_is_delivered_with_any_crc_and_counted() -> None:
    sniffer = Sniffer()
    for _, packet in conversation():
        sniffer.hears(LinkType.PPI, air.ppi(packet[:-3] + b"abc"))

    assert [row[0] for row in sniffer.rows] == [2, 3, 5, 8]
    assert sniffer.counts == {"crc_mismatches": 7}
