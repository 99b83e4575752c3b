"""What is personal in a capture is gone from the redacted one, the same everywhere, and nothing else has moved."""

from __future__ import annotations

import csv
import re
import shutil
import struct
import subprocess
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from bumble import hci as bumble
from hypothesis import given
from hypothesis import strategies as st

from rig.capture.convert import convert
from rig.capture.embedded_map import embedded_map
from rig.capture.gatt import Attribute
from rig.capture.handle_map import HandleMap, MapTable
from rig.capture.hci_stream import HciStream, Packet
from rig.capture.layers.links import Address
from rig.capture.personal_fields import Field, Kind, PersonalFields, smp_field
from rig.capture.pseudonyms import Pseudonyms
from rig.capture.reading import Reading
from rig.capture.records import LinkType, Record
from rig.capture.redact import Gathering, Replacing, Walk
from rig.capture.registry import open_reader
from rig.capture.rows import rows
from rig.capture.writer import Direction
from rig.capture.writers.pcapng import PcapngWriter
from tests.rig.capture import hci_traffic as hci

CAPTURES = Path(__file__).parents[2] / "captures"
REAL = sorted(
    row["file"] for row in csv.DictReader((CAPTURES / "SOURCES.tsv").read_text().splitlines(), delimiter="\t")
)
SENT, RECEIVED = hci.SENT, hci.RECEIVED
PEER = "C4:7C:8D:6A:11:9E"
OTHER = "58:2D:34:10:B2:F7"
NAME = "Ada's lamp in the hall"
KEY = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")
T0 = 1_700_000_000_000_000_000
SEED = "a seed"


def packets(some: Iterable[hci.Packet | list[hci.Packet]]) -> list[Packet]:
    flat = [one for each in some for one in (each if isinstance(each, list) else [each])]
    return list(HciStream().packets(hci.records(flat)))


def redacted(some: Iterable[hci.Packet | list[hci.Packet]], seed: str | None = SEED) -> list[bytes]:
    """The packets after both passes."""
    before = packets(some)
    found = Gathering()
    assert list(Walk(found).packets(before)) == before, "gathering changes nothing"
    after = list(Walk(Replacing(found, Pseudonyms(seed))).packets(before))
    assert [(len(packet.data), packet.time_ns, packet.frame) for packet in after] == [
        (len(packet.data), packet.time_ns, packet.frame) for packet in before
    ]
    return [packet.data for packet in after]


def stand_in(address: str, seed: str = SEED) -> bytes:
    return Pseudonyms(seed).address(hci.wire(address))


def ad(*structures: tuple[int, bytes]) -> bytes:
    return b"".join(bytes((len(content) + 1, kind)) + content for kind, content in structures)


def advertisement(address: str, data: bytes) -> hci.Packet:
    return hci.le_event(2, b"\x01\x00\x01" + hci.wire(address) + bytes((len(data),)) + data + b"\xc8")


def extended(address: str, data: bytes, *, more: bool = False) -> hci.Packet:
    head = struct.pack("<BHB", 1, 0x20 if more else 0, 1) + hci.wire(address) + bytes((1, 0, 3, 127, 200, 0, 0, 0))
    return hci.le_event(0x0D, head + hci.wire(OTHER) + bytes((len(data),)) + data)


DISCOVERED = [
    hci.connected(0x40, peer=PEER),
    hci.att(0x40, SENT, b"\x08\x01\x00\xff\xff\x03\x28"),
    hci.att(0x40, RECEIVED, bytes.fromhex("0907 0200 02 0300 002a 0400 12 0500 e1ff".replace(" ", ""))),
]
HEADS = [
    packet.data[:size]
    for size in (1, 5, 9, 10)
    for packet in (*DISCOVERED, advertisement(PEER, b""), extended(PEER, b""), hci.smp(0x40, SENT, b"\x09"))
]


# ---- stand-ins -------------------------------------------------------------------------------------------------------


@given(st.sets(st.binary(min_size=6, max_size=6), max_size=50), st.text(max_size=8))
def test_addresses_keep_their_kind_and_never_meet(addresses: set[bytes], seed: str) -> None:
    pseudonyms = Pseudonyms(seed)
    others = {octets: pseudonyms.address(octets) for octets in addresses}
    assert len(set(others.values())) == len(addresses)
    for octets, other in others.items():
        assert len(other) == 6
        assert other[5] >> 6 == octets[5] >> 6, "static, resolvable, non-resolvable"
        assert Pseudonyms(seed).address(octets) == other


@pytest.mark.parametrize("reserved", [bytes(6), b"\xff" * 6])
def test_what_is_no_address_stays(reserved: bytes) -> None:
    assert Pseudonyms(SEED).address(reserved) == reserved


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_names_keep_their_length_and_what_they_begin_with_alike(name: bytes, more: bytes) -> None:
    pseudonyms = Pseudonyms(SEED)
    other = pseudonyms.name(name)
    assert len(other) == len(name)
    assert all(new != old for old, new in zip(name, other, strict=True) if old)
    assert re.fullmatch(rb"[a-z\0]*", other)
    assert pseudonyms.name(name + more).startswith(other)


def test_no_stand_in_is_what_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    ones = (1 << 46) - 1
    step = {5: 0, 0: 7, 6: ones, ones: 8}
    monkeypatch.setattr(Pseudonyms, "_permuted", lambda _self, _kind, value: step[value])
    assert Pseudonyms(SEED).address((5).to_bytes(6, "little")) == (7).to_bytes(6, "little")
    assert Pseudonyms(SEED).address((6).to_bytes(6, "little")) == (8).to_bytes(6, "little")


def test_seeds_differ_and_no_seed_is_never_the_same() -> None:
    address = hci.wire(PEER)
    keys = [Pseudonyms(SEED), Pseudonyms("another"), Pseudonyms(), Pseudonyms()]
    assert len({pseudonyms.address(address) for pseudonyms in keys}) == 4
    assert len({pseudonyms.name(NAME.encode()) for pseudonyms in keys}) == 4


# ---- where things are, by another implementation of the specification ------------------------------------------------


def layout(fields: Iterable[Any]) -> list[tuple[str, int, int]]:
    """Name, offset and size of the fields of a packet as Bumble describes it, up to the first of no fixed size."""
    found, offset = [], 0
    zeros = bytes(300)
    for entry in fields:
        if not isinstance(entry, tuple):
            break
        name, spec = entry
        if spec == "*" or (isinstance(spec, str) and spec != ">2"):
            break
        try:
            _, size = bumble.HCI_Object.parse_field(b"\x01" + zeros, 1 + offset, spec)
        except (ValueError, IndexError, TypeError):
            break
        found.append((name, offset, size))
        offset += size
    return found


def addresses_by_bumble(classes: dict[int, Any]) -> list[tuple[int, str, list[tuple[int, int]]]]:
    """Code, name and places of the addresses of every packet whose layout Bumble has to its end; often none."""
    found = []
    for code, kind in sorted(classes.items()):
        known = layout(kind.fields)
        places = [(offset, size) for name, offset, size in known if size == 6 and name.endswith(("address", "bd_addr"))]
        if places or len(known) == len(kind.fields) > 0:
            found.append((code, kind.__name__, places))
    return found


COMMANDS = addresses_by_bumble(bumble.HCI_Command.command_classes)
EVENTS = addresses_by_bumble(bumble.HCI_Event.event_classes)
LE_EVENTS = addresses_by_bumble(bumble.HCI_LE_Meta_Event.subevent_classes)


def places_of(kind: Kind, fields: list[Field]) -> list[tuple[int, int]]:
    return [(field.start, field.end) for field in fields if field.kind is kind]


def test_the_other_implementation_knows_enough_to_compare_with() -> None:
    with_addresses = [sum(bool(places) for _, _, places in known) for known in (COMMANDS, EVENTS, LE_EVENTS)]
    assert with_addresses == [39, 19, 7]
    assert len(COMMANDS) + len(EVENTS) + len(LE_EVENTS) > 150


@pytest.mark.parametrize(("opcode", "name", "places"), COMMANDS, ids=[name for _, name, _ in COMMANDS])
def test_addresses_of_commands_are_where_bumble_has_them(opcode: int, name: str, places: list[tuple[int, int]]) -> None:
    body = struct.pack("<HB", opcode, 200) + bytes((1, 2)) + bytes(198)
    found = places_of(Kind.ADDRESS, PersonalFields().of(1, 0, body))
    assert found == [(3 + offset, 9 + offset) for offset, _ in places]


@pytest.mark.parametrize(("code", "name", "places"), EVENTS, ids=[name for _, name, _ in EVENTS])
def test_addresses_of_events_are_where_bumble_has_them(code: int, name: str, places: list[tuple[int, int]]) -> None:
    body = bytes((code, 255)) + b"\x01" + bytes(254)
    found = places_of(Kind.ADDRESS, PersonalFields().of(4, 0, body))
    assert found == [(2 + offset, 8 + offset) for offset, _ in places]


@pytest.mark.parametrize(("code", "name", "places"), LE_EVENTS, ids=[name for _, name, _ in LE_EVENTS])
def test_addresses_of_le_events_are_where_bumble_has_them(code: int, name: str, places: list[tuple[int, int]]) -> None:
    body = bytes((0x3E, 100, code)) + bytes(99)
    found = places_of(Kind.ADDRESS, PersonalFields().of(4, 0, body))
    assert found == [(3 + offset, 9 + offset) for offset, _ in places]


@pytest.mark.parametrize("cut", range(60))
def test_fields_never_reach_beyond_what_was_recorded(cut: int) -> None:
    whole = [
        hci.connected_enhanced(0x40, peer=PEER, local=OTHER).data,
        advertisement(PEER, ad((9, b"abc"), (8, b"d"))).data,
        extended(PEER, ad((9, b"abc"))).data,
        hci.command(0x2027, b"\x00" + hci.wire(PEER) + KEY * 2).data,
        hci.event(0x07, b"\x00" + hci.wire(PEER) + NAME.encode().ljust(248, b"\0")).data,
    ]
    for packet in whole:
        body = packet[1 : 1 + cut]
        for field in PersonalFields().of(packet[0], 0, body):
            assert 0 <= field.start < field.end <= len(body)
            assert field.kind is not Kind.ADDRESS or field.end - field.start == 6


@given(st.sampled_from([1, 4]), st.binary(max_size=80))
def test_any_bytes_have_fields_within_them(packet_type: int, body: bytes) -> None:
    for field in PersonalFields().of(packet_type, 0, body):
        assert 0 <= field.start < field.end <= len(body)


# ---- HCI -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "packet",
    [
        hci.connected(0x40, peer=PEER),
        hci.connected_enhanced(0x40, peer=OTHER, local=PEER),
        hci.connected_br_edr(0x0B, PEER),
        advertisement(PEER, b"\x02\x01\x06"),
        extended(PEER, b"\x02\x01\x06"),
        hci.le_event(0x0B, b"\x01\x01\x01" + hci.wire(OTHER) + b"\x00" + hci.wire(PEER) + b"\xc0"),
        hci.command(0x2027, b"\x00" + hci.wire(PEER) + bytes(32)),
        hci.command(0x2043, b"\x00\x01\x01" + hci.wire(PEER) + b"\x01" + bytes(16)),
        hci.command(0x2085, b"\x00\x00\x00\x01\x01" + hci.wire(PEER) + b"\x01" + bytes(16)),
        hci.command(0x2006, bytes(7) + hci.wire(PEER) + b"\x07\x00"),
        hci.event(0x0E, b"\x01\x09\x10\x00" + hci.wire(PEER)),
        hci.event(0x0E, b"\x01\x2b\x20\x00" + hci.wire(PEER)),
        hci.event(0x02, b"\x02" + hci.wire(OTHER) + bytes(8) + hci.wire(PEER) + bytes(8)),
        hci.event(0x2F, b"\x01" + hci.wire(PEER) + bytes(8) + bytes(240)),
        hci.command(0x0C05, b"\x02\x02" + hci.wire(PEER) + b"\x02"),
        hci.command(0x0C11, b"\x01" + hci.wire(PEER) + KEY),
        hci.event(0x15, b"\x01" + hci.wire(PEER) + KEY),
        hci.smp(0x40, RECEIVED, b"\x09\x01" + hci.wire(PEER)),
        advertisement(OTHER, ad((0x1B, hci.wire(PEER) + b"\x01"))),
        advertisement(OTHER, ad((0x17, hci.wire(OTHER) + hci.wire(PEER)))),
    ],
    ids=lambda packet: packet.data[:6].hex(),
)
def test_an_address_is_replaced_wherever_hci_carries_it(packet: hci.Packet) -> None:
    [after] = redacted([packet])
    expected = packet.data
    for address in (PEER, OTHER):
        expected = expected.replace(hci.wire(address), stand_in(address))
    assert after == expected.replace(KEY, bytes(16))
    assert hci.wire(PEER) not in after


@pytest.mark.parametrize(
    "packet",
    [
        hci.event(0x18, hci.wire(PEER) + KEY + b"\x04"),
        hci.command(0x040B, hci.wire(PEER) + KEY),
        hci.command(0x040D, hci.wire(PEER) + b"\x10" + KEY),
        hci.command(0x2019, bytes.fromhex("4000") + bytes(10) + KEY),
        hci.command(0x201A, bytes.fromhex("4000") + KEY),
        hci.command(0x2017, KEY + KEY),
        hci.event(0x0E, b"\x01\x17\x20\x00" + KEY),
        hci.event(0x0E, b"\x01\x18\x20\x00" + KEY[:8]),
        hci.command(0x2027, b"\x00" + hci.wire(PEER) + KEY + KEY),
        hci.command(0x0430, hci.wire(PEER) + KEY + KEY),
        hci.command(0x0445, hci.wire(PEER) + KEY * 4),
        hci.event(0x0E, b"\x01\x57\x0c\x00" + KEY * 2),
        hci.event(0x0E, b"\x01\x7d\x0c\x00" + KEY * 4),
        hci.le_event(0x09, b"\x00" + KEY * 2),
        *(hci.smp(0x40, SENT, bytes((code,)) + KEY) for code in (0x03, 0x04, 0x06, 0x08, 0x0A)),
        advertisement(OTHER, ad((0x22, KEY))),
    ],
    ids=lambda packet: packet.data[:8].hex(),
)
def test_keys_are_wiped(packet: hci.Packet) -> None:
    [after] = redacted([packet])
    assert KEY[:4] not in after
    assert KEY[12:] not in after
    before = packet.data.replace(KEY, bytes(16)).replace(KEY[:8], bytes(8))
    assert after == before.replace(hci.wire(PEER), stand_in(PEER)).replace(hci.wire(OTHER), stand_in(OTHER))


def test_smp_without_a_secret_stays() -> None:
    for code in (0x01, 0x02, 0x05, 0x07, 0x0B, 0x0C, 0x0D, 0x0E):
        assert smp_field(bytes((code,)) + KEY) is None
    assert smp_field(b"") is None


@pytest.mark.parametrize(
    "packet",
    [
        advertisement(OTHER, ad((1, b"\x06"), (9, NAME.encode()))),
        advertisement(OTHER, ad((8, NAME.encode()))),
        extended(OTHER, ad((1, b"\x06"), (9, NAME.encode()), (0xFF, b"\x4c\x00"))),
        hci.command(0x2008, (data := ad((9, NAME.encode()))).__len__().to_bytes(1, "little") + data.ljust(31, b"\0")),
        hci.command(0x2037, b"\x00\x03\x01" + bytes((len(data),)) + data),
        hci.command(0x203F, b"\x00\x03" + bytes((len(data),)) + data),
        hci.command(0x0C52, b"\x00" + data.ljust(240, b"\0")),
        hci.event(0x2F, b"\x01" + hci.wire(OTHER) + bytes(8) + data.ljust(240, b"\0")),
        hci.command(0x0C13, NAME.encode().ljust(248, b"\0")),
        hci.event(0x0E, b"\x01\x14\x0c\x00" + NAME.encode().ljust(248, b"\0")),
        hci.event(0x07, b"\x00" + hci.wire(OTHER) + NAME.encode().ljust(248, b"\0")),
        hci.le_event(0x0F, b"\x01\x00\x7f\xc8\xff\x00" + bytes((len(data),)) + data),
    ],
    ids=lambda packet: packet.data[:8].hex(),
)
def test_a_name_is_replaced_wherever_hci_carries_it(packet: hci.Packet) -> None:
    [after] = redacted([packet])
    expected = packet.data.replace(NAME.encode(), Pseudonyms(SEED).name(NAME.encode()))
    assert after == expected.replace(hci.wire(OTHER), stand_in(OTHER))


def test_what_is_left_behind_the_end_of_a_padded_name_is_wiped() -> None:
    [after] = redacted([hci.command(0x0C13, b"Hall\0Ada's old name".ljust(248, b"\0"))])
    assert after[4:] == Pseudonyms(SEED).name(b"Hall") + bytes(244)


@pytest.mark.parametrize("split", [1, 2, 3, 4, 10, 24])
def test_a_name_that_goes_on_in_the_next_advertising_report_is_one_name(split: int) -> None:
    data = ad((9, NAME.encode()), (0xFF, b"\x4c\x00\x10"))
    first, second = redacted([extended(PEER, data[:split], more=True), extended(PEER, data[split:])])
    other = Pseudonyms(SEED).name(NAME.encode())
    assert first[29:] + second[29:] == ad((9, other), (0xFF, b"\x4c\x00\x10"))


def test_known_addresses_and_names_are_found_in_what_vendors_say() -> None:
    some = [
        advertisement(PEER, ad((9, NAME.encode()))),
        advertisement(OTHER, ad((0xFF, b"\x01\x02" + hci.wire(PEER)[::-1]))),
        hci.event(0xFF, b"\x57\x01" + NAME.encode() + hci.wire(PEER)),
        hci.command(0xFD57, b"\x01" + hci.wire(PEER)),
    ]
    _, advertised, event, command = redacted(some)
    other = stand_in(PEER)
    assert other[::-1] in advertised
    assert event[3:] == b"\x57\x01" + Pseudonyms(SEED).name(NAME.encode()) + other
    assert command[4:] == b"\x01" + other


# ---- ATT -------------------------------------------------------------------------------------------------------------


def name_in_every_way(name: bytes) -> list[hci.Packet | list[hci.Packet]]:
    """The device name read, read in parts, found by type, written, written in parts, notified, and searched for."""
    return [
        *DISCOVERED,
        hci.att(0x40, SENT, b"\x0a\x03\x00"),
        hci.att(0x40, RECEIVED, b"\x0b" + name[:10]),
        hci.att(0x40, SENT, b"\x0c\x03\x00\x0a\x00"),
        hci.att(0x40, RECEIVED, b"\x0d" + name[10:]),
        hci.att(0x40, SENT, b"\x08\x01\x00\xff\xff\x00\x2a"),
        hci.att(0x40, RECEIVED, bytes((9, 2 + len(name))) + b"\x03\x00" + name),
        hci.att(0x40, SENT, b"\x16\x03\x00\x00\x00" + name[:8]),
        hci.att(0x40, RECEIVED, b"\x17\x03\x00\x00\x00" + name[:8]),
        hci.att(0x40, SENT, b"\x16\x03\x00\x08\x00" + name[8:]),
        hci.att(0x40, SENT, b"\x12\x03\x00" + name),
        hci.att(0x40, RECEIVED, b"\x1b\x03\x00" + name),
        hci.fragments(0x40, RECEIVED, 4, b"\x1b\x03\x00" + name, 9, 9),
        hci.att(0x40, SENT, b"\x06\x01\x00\xff\xff\x00\x2a" + name),
    ]


def test_a_name_that_is_only_ever_found_by_its_type_is_replaced() -> None:
    some = [
        *DISCOVERED,
        hci.att(0x40, SENT, b"\x08\x01\x00\xff\xff\x00\x2a"),
        hci.att(0x40, RECEIVED, b"\x09\x05\x03\x00Ada"),
    ]
    assert redacted(some)[-1].endswith(b"\x09\x05\x03\x00" + Pseudonyms(SEED).name(b"Ada"))


def test_the_device_name_is_replaced_however_it_is_read() -> None:
    other = Pseudonyms(SEED).name(NAME.encode())
    connected, *rest = redacted(name_in_every_way(NAME.encode()))
    assert stand_in(PEER) in connected
    assert rest == [packet.data for packet in packets(name_in_every_way(other))][1:]


def test_an_address_or_a_name_in_a_value_is_replaced_in_every_spelling() -> None:
    address = hci.wire(PEER)
    text = PEER.encode()
    spelled = [
        address,
        address[::-1],
        text,
        text.lower(),
        text.replace(b":", b""),
        text.replace(b":", b"-").lower(),
        address[:3] + b"\xfe\xff" + address[3:],
        address[::-1][:3] + b"\xff\xfe" + address[::-1][3:],
        address[:3] + b"\0\0" + address[3:],
        NAME.encode(),
    ]
    some: list[hci.Packet | list[hci.Packet]] = [advertisement(PEER, ad((9, NAME.encode()))), *DISCOVERED]
    some += [hci.att(0x40, RECEIVED, b"\x1b\x05\x00\x01" + value + b"\x02") for value in spelled]
    other = stand_in(PEER)
    new_text = other[::-1].hex(":").upper().encode()
    expected = [
        other,
        other[::-1],
        new_text,
        new_text.lower(),
        new_text.replace(b":", b""),
        new_text.replace(b":", b"-").lower(),
        other[:3] + b"\xfe\xff" + other[3:],
        other[::-1][:3] + b"\xff\xfe" + other[::-1][3:],
        other[:3] + b"\0\0" + other[3:],
        Pseudonyms(SEED).name(NAME.encode()),
    ]
    assert [packet[12:] for packet in redacted(some)[4:]] == [b"\x01" + value + b"\x02" for value in expected]


def enhanced(side: int, sdu: bytes, *sizes: int) -> list[hci.Packet]:
    """An SDU on the enhanced ATT channel, in segments of the given sizes and a last one with the rest."""
    data = struct.pack("<H", len(sdu)) + sdu
    cuts = [0, *sizes, len(data)]
    cid = 0x50 if side == SENT else 0x40
    return [hci.acl(0x40, side, hci.l2cap(cid, data[start:end])) for start, end in pairwise(cuts)]


@pytest.mark.parametrize("sizes", [(), (20,)])
def test_a_name_is_found_on_an_enhanced_channel_too(sizes: tuple[int, ...]) -> None:
    name = b"Ada's lamp and more" if sizes else b"Ada"  # too short to be searched for
    set_up = [
        *DISCOVERED,
        hci.signal(0x40, SENT, 0x17, struct.pack("<HHHHH", 0x27, 64, 64, 9, 0x40)),
        hci.signal(0x40, RECEIVED, 0x18, struct.pack("<HHHHH", 64, 64, 9, 0, 0x50)),
        *enhanced(SENT, b"\x0a\x03\x00"),
    ]
    other = Pseudonyms(SEED).name(name)
    some = [*set_up, *enhanced(RECEIVED, b"\x0b" + name, *sizes)]
    if sizes:  # only in one piece is it put in place; in two it is known, for wherever else it is whole
        some.append(hci.event(0xFF, b"\x01" + name))
        assert redacted(some)[-1].endswith(other)
    else:
        assert redacted(some)[-1].endswith(b"\x0b" + other)


def test_what_follows_the_end_of_an_acl_packet_is_not_forgotten() -> None:
    packet = hci.att(0x40, RECEIVED, b"\x1b\x05\x00\x01")
    packet.data += hci.wire(PEER)
    assert redacted([*DISCOVERED, packet])[-1].endswith(stand_in(PEER))


def test_an_address_is_found_before_the_record_that_tells_that_it_is_one() -> None:
    first, *_ = redacted([hci.att(0x40, RECEIVED, b"\x1b\x05\x00" + hci.wire(OTHER)), advertisement(OTHER, b"")])
    assert first.endswith(stand_in(OTHER))


@pytest.mark.parametrize("sizes", [(7,), (11, 3), (5, 5, 5)])
def test_an_address_across_fragments_is_replaced(sizes: tuple[int, ...]) -> None:
    value = b"\x1b\x05\x00" + b"abc" + hci.wire(PEER) + b"def"
    some: list[hci.Packet | list[hci.Packet]] = [*DISCOVERED, hci.fragments(0x40, RECEIVED, 4, value, *sizes)]
    joined = b"".join(packet[5:] for packet in redacted(some)[3:])
    assert joined == hci.l2cap(4, value.replace(hci.wire(PEER), stand_in(PEER)))


def test_fragments_that_are_never_completed_hold_nothing_up() -> None:
    some: list[hci.Packet | list[hci.Packet]] = [
        *DISCOVERED,
        hci.fragments(0x40, RECEIVED, 4, b"\x1b\x05\x00" + hci.wire(PEER) + bytes(40), 20)[0],
        hci.acl(0x40, SENT, b"lost " + hci.wire(PEER), hci.CONTINUED),
        *(hci.event(0x13, b"\x01\x40\x00\x01\x00") for _ in range(5000)),
        hci.att(0x40, RECEIVED, b"\x1b\x05\x00" + hci.wire(PEER)),
    ]
    after = redacted(some)
    assert hci.wire(PEER) not in b"".join(after)
    assert len(after) == 3 + 2 + 5000 + 1

    walk = Walk(Gathering())
    source = iter(packets(some))
    taken = 0

    def counted() -> Iterable[Packet]:
        nonlocal taken
        for packet in source:
            taken += 1
            yield packet

    delivered = walk.packets(counted())
    for _ in range(4):
        next(delivered)
    assert taken < 4200, "a PDU that is never completed is not waited for to the end"


@pytest.mark.parametrize("cut", [1, 4, 9, 14, 18])
def test_what_the_recorder_cut_is_redacted_as_far_as_it_goes(cut: int) -> None:
    whole = hci.l2cap(4, b"\x1b\x05\x00" + hci.wire(PEER) + bytes(4))
    *_, after = redacted([*DISCOVERED, hci.acl(0x40, RECEIVED, whole, cut=cut)])
    assert hci.wire(PEER) not in after
    assert len(after) == 5 + len(whole) - cut


def test_short_names_are_replaced_in_their_places_and_not_searched_for() -> None:
    some = [advertisement(PEER, ad((9, b"A1"))), *DISCOVERED, hci.att(0x40, RECEIVED, b"\x1b\x05\x00A1A1")]
    after = redacted(some)
    assert b"A1" not in after[0]
    assert after[-1].endswith(b"A1A1")


def test_addresses_that_nobody_has_are_not_searched_for() -> None:
    low = "00:00:00:00:00:01"
    some = [hci.connected(0x40, peer=low), hci.att(0x40, RECEIVED, b"\x1b\x05\x00\x01" + bytes(12))]
    assert redacted(some)[-1].endswith(b"\x01" + bytes(12))


def test_a_name_in_discovery_does_not_change_the_attribute_table() -> None:
    name = bytes.fromhex("e1ffe2ff41")
    listed = bytes.fromhex("0907 0400 12 0500 e1ff 0600 12 e1ff e2ff".replace(" ", ""))
    some = [
        advertisement(PEER, ad((9, name))),
        *DISCOVERED,
        hci.att(0x40, SENT, b"\x08\x04\x00\xff\xff\x03\x28"),
        hci.att(0x40, RECEIVED, listed + b"\x41"),
        hci.att(0x40, RECEIVED, b"\x05\x01" + name),
        hci.att(0x40, RECEIVED, b"\x1b\x05\x00" + name),
    ]
    *_, table, information, value = redacted(some)
    assert table.endswith(listed + b"\x41")
    assert information.endswith(name)
    assert value.endswith(Pseudonyms(SEED).name(name))


link_types = st.sampled_from([*(int(link_type) for link_type in LinkType), 1])
any_records = st.builds(
    Record,
    st.integers(1, 9),
    st.integers(-(1 << 70), 1 << 70),
    link_types,
    st.one_of(
        st.binary(max_size=60),
        st.builds(lambda head, body: head + body, st.sampled_from(HEADS), st.binary(max_size=60)),
    ),
    st.integers(0, 300),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 2),
)


@given(st.lists(any_records, max_size=12))
def test_any_records_go_through_in_order_and_with_their_lengths(records: list[Record]) -> None:
    before = list(HciStream().packets(records))
    found = Gathering()
    assert list(Walk(found).packets(before)) == before
    after = list(Walk(Replacing(found, Pseudonyms(SEED))).packets(before))
    assert [len(packet.data) for packet in after] == [len(packet.data) for packet in before]
    assert [packet._replace(data=b"") for packet in after] == [packet._replace(data=b"") for packet in before]


# ---- whole captures --------------------------------------------------------------------------------------------------


def data_of(path: Path) -> list[bytes]:
    reader = open_reader(path)
    with reader.source:
        return [record.data for record in reader.records()]


def spellings(addresses: Iterable[bytes]) -> list[bytes]:
    return [order for octets in addresses for order in (octets, octets[::-1])]


@cache
def fields_of_wireshark() -> set[str]:
    listed = subprocess.run(["tshark", "-G", "fields"], check=True, capture_output=True, text=True, timeout=60).stdout
    return {line.split("\t")[2] for line in listed.splitlines() if line.startswith("F\t")}


def told_by_wireshark(path: Path) -> tuple[set[bytes], set[bytes]]:
    """Addresses (six octets, most significant first) and names in a capture, as Wireshark finds them."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed: apt-get install tshark")
    fields = [
        *("bthci_evt.bd_addr", "bthci_cmd.bd_addr", "bthci_evt.le_peer_resolvable_private_address"),
        *("bthci_evt.le_local_resolvable_private_address", "btsmp.bd_addr", "btle.advertising_address"),
        *(
            "btcommon.eir_ad.entry.device_name",
            "bthci_evt.remote_name",
            "bthci_cmd.device_name",
            "bthci_evt.device_name",
        ),
        *("btgatt.uuid0x2a00.device_name", "btatt.gap.device_name", "btatt.device_name"),
    ]
    chosen = [field for field in fields if field in fields_of_wireshark()]
    command = [tshark, "-r", str(path), "-T", "fields", "-E", "aggregator=|"]
    command += [part for field in chosen for part in ("-e", field)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    addresses, names = set(), set()
    for field, column in ((f, c) for line in told.splitlines() for f, c in zip(chosen, line.split("\t"), strict=True)):
        for text in column.split("|") if column else ():
            if re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", text):
                addresses.add(bytes.fromhex(text.replace(":", "")))
            elif field.endswith("name"):
                names.add(text.encode())
    return {octets for octets in addresses if len(set(octets)) > 2}, {name for name in names if len(name) >= 4}


@pytest.mark.parametrize(
    "name",
    [
        "BLETools__btsnoop_hci.log",
        "bj_led__btsnoop_hci.full.log",
        "bluetooth-candle-go-talk__btsnoop_hci.log",
        "ctf-usb-keyboard-parser__rgbctf2020_PI_1_MagicInTheAir",
        "pongbot-mcp__btsnoop_hci.log.last.gz",
        "whad-client__ble_discovery.pcap",
    ],
)
def test_nothing_that_wireshark_finds_in_a_capture_is_in_the_redacted_one(name: str, tmp_path: Path) -> None:
    addresses, names = told_by_wireshark(CAPTURES / name)
    assert addresses
    target = tmp_path / "out.pcapng"
    convert(CAPTURES / name, target, redact=True)
    after = b"\n".join(data_of(target))
    before = b"\n".join(data_of(CAPTURES / name))
    for pattern in [*spellings(addresses), *names]:
        assert pattern not in after, pattern
    assert sum(pattern in before for pattern in spellings(addresses)) >= len(addresses)
    assert not addresses & told_by_wireshark(target)[0]


@pytest.mark.parametrize("name", REAL)
def test_nothing_that_was_gathered_survives_and_the_attribute_table_stays(name: str, tmp_path: Path) -> None:
    plain, target = tmp_path / "plain.pcapng", tmp_path / "out.pcapng"
    convert(CAPTURES / name, plain)
    told = convert(CAPTURES / name, target, redact=True, redact_seed=SEED)
    reader = open_reader(plain)
    found = Gathering()
    with reader.source:
        for _ in Walk(found).packets(HciStream().packets(reader.records())):
            pass
    assert (told.addresses, told.names) == (len(found.addresses), len(found.names))
    before, after = records_of(plain), records_of(target)
    shape = [(record.time_ns, len(record.data), record.original_length, record.data[:5]) for record in before]
    assert shape == [(record.time_ns, len(record.data), record.original_length, record.data[:5]) for record in after]
    everything = b"\n".join(record.data for record in after)
    for pattern in spellings(octets for octets in found.addresses if len(set(octets)) > 2):
        assert pattern not in everything
    for pattern in (octets for octets in found.names if len(octets) >= 4):
        assert pattern not in everything, pattern
    assert meanings(target) == meanings(plain)


def records_of(path: Path) -> list[Record]:
    reader = open_reader(path)
    with reader.source:
        return list(reader.records())


def meanings(path: Path) -> list[tuple[int, int, str, int, int | None, str]]:
    with Reading(path) as reading:
        return [
            (row.frame, row.link, row.sender, row.opcode, row.handle, row.uuid)
            for row in rows(reading.records(), reading.stack, reading.tracker)
        ]


def test_one_seed_gives_the_same_stand_ins_in_every_file(tmp_path: Path) -> None:
    first, second, third = tmp_path / "1.pcapng", tmp_path / "2.pcapng", tmp_path / "3.pcapng"
    convert(CAPTURES / "bj_led__btsnoop_hci.full.log", first, redact=True, redact_seed=SEED)
    convert(CAPTURES / "bj_led__btsnoop_hci.full.log", second, redact=True, redact_seed=SEED)
    convert(CAPTURES / "bj_led__btsnoop_hci.full.log", third, redact=True)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != third.read_bytes()


def test_comments_and_the_carried_map_are_redacted_too(tmp_path: Path) -> None:
    source, target = tmp_path / "in.pcapng", tmp_path / "out.pcapng"
    with source.open("wb") as file:
        writer = PcapngWriter(file, [f"lamp {PEER.lower()}, phone {OTHER}"])
        said = ("this is " + NAME,)
        data = advertisement(PEER, ad((9, NAME.encode()))).data
        writer.write(data, Direction.RECEIVED, T0, comments=said)
    table = MapTable((Attribute(3, "value", "2a00", "", "2a00"),), Address(PEER, is_random=True), NAME)
    told = convert(source, target, redact=True, redact_seed=SEED, handle_map=HandleMap([table]))
    assert (told.addresses, told.names) == (1, 1)

    def text(address: str) -> str:
        return stand_in(address)[::-1].hex(":").upper()

    other = Pseudonyms(SEED).name(NAME.encode()).decode()
    reader = open_reader(target)
    with reader.source:
        [record] = reader.records()
    assert record.comments == ("this is " + other,)
    comments = reader.details["comments"]
    assert isinstance(comments, list)
    assert comments[0] == f"lamp {text(PEER).lower()}, phone {text(OTHER)}"
    assert embedded_map(reader.details) == HandleMap(
        [table._replace(address=Address(text(PEER), is_random=True), name=other)]
    )
    for gone in (PEER, PEER.lower(), OTHER, NAME):
        assert gone.encode() not in target.read_bytes()


def test_the_handle_map_tells_which_value_is_the_name(tmp_path: Path) -> None:
    source, target = tmp_path / "in.pcapng", tmp_path / "out.pcap"
    with source.open("wb") as file:
        writer = PcapngWriter(file)
        for direction, pdu in ((Direction.SENT, b"\x0a\x03\x00"), (Direction.RECEIVED, b"\x0b" + NAME.encode())):
            writer.write(hci.att(0x40, int(direction), pdu).data, direction, T0)
    table = MapTable((Attribute(3, "value", "2a00", "", "2a00"),))
    assert convert(source, target, redact=True).names == 0
    assert NAME.encode() in target.read_bytes()
    assert convert(source, target, redact=True, handle_map=HandleMap([table])).names == 1
    assert NAME.encode() not in target.read_bytes()
