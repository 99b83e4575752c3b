"""HCI traffic made around GATT: Wireshark names every value, finds nothing wrong, and our own tables come out again."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.capture import att
from rig.capture.gatt import Attribute, AttributeTable, GattTracker
from rig.capture.layers.links import LOCAL, REMOTE, Address, AttPdu, Link
from rig.capture.layers.stack import Stack
from rig.capture.records import LinkType, Record
from rig.capture.rows import AttRow, rows
from rig.capture.synthesis import (
    CLOSED_BY_LOCAL_HOST,
    CLOSED_BY_REMOTE_USER,
    CONNECTION_TIMEOUT,
    HciSynthesis,
)
from rig.capture.writer import BtsnoopWriter, Direction

HANDLE = 0x0040
EPOCH = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
T0 = int(EPOCH.timestamp()) * 10**9
DR05 = Address("C0:FF:EE:00:00:01", is_random=True)
PUBLIC = Address("00:1B:DC:01:02:03")
RANDOM = Address("D1:22:33:44:55:66", is_random=True)
WIDE = "c0ffee01-1111-4222-8333-444455556666"
WIDE_VALUE = "c0ffee02-1111-4222-8333-444455556666"
WIDE_DESCRIPTOR = "c0ffee03-1111-4222-8333-444455556666"

NAME, BRIDGE, BRIDGE_CCCD, DESCRIPTION, ODD, LONG = 3, 12, 13, 14, 15, 22
TABLE = (
    Attribute(1, "service", "1800", "1800", target=5),
    Attribute(2, "characteristic", "2803", "1800", "2a00", 0x02, target=NAME),
    Attribute(NAME, "value", "2a00", "1800", "2a00", 0x02),
    Attribute(4, "characteristic", "2803", "1800", "2a01", 0x02, target=5),
    Attribute(5, "value", "2a01", "1800", "2a01", 0x02),
    Attribute(7, "service", "1801", "1801", target=8),
    Attribute(8, "include", "2802", "1801", target=17),
    Attribute(9, "service", "ffe0", "ffe0", target=16),
    Attribute(11, "characteristic", "2803", "ffe0", "ffe1", 0x1C, target=BRIDGE),
    Attribute(BRIDGE, "value", "ffe1", "ffe0", "ffe1", 0x1C),
    Attribute(BRIDGE_CCCD, "descriptor", "2902", "ffe0", "ffe1"),
    Attribute(DESCRIPTION, "descriptor", "2901", "ffe0", "ffe1"),
    Attribute(ODD, "descriptor", WIDE_DESCRIPTOR, "ffe0", "ffe1"),
    Attribute(17, "service", "180a", "180a", target=17, secondary=True),
    Attribute(20, "service", WIDE, WIDE, target=0xFFFF),
    Attribute(21, "characteristic", "2803", WIDE, WIDE_VALUE, 0x0A, target=LONG),
    Attribute(LONG, "value", WIDE_VALUE, WIDE, WIDE_VALUE, 0x0A),
)


class Tape(list[tuple[bytes, Direction, int]]):
    """The packets that were emitted."""

    def __call__(self, packet: bytes, direction: Direction, time_ns: int) -> None:
        self.append((packet, direction, time_ns))

    def pdus(self) -> list[tuple[int, bytes]]:
        """Side and octets of each ATT PDU, read by the rules of ACL and L2CAP."""
        found = []
        for packet, direction, _ in self:
            if packet[0] != 2:
                continue
            handle, acl_length, length, cid = struct.unpack_from("<HHHH", packet, 1)
            assert handle & 0x0FFF == HANDLE
            assert handle >> 12 == (0b00 if direction is Direction.SENT else 0b10), "start, by who sends"
            assert (acl_length, length, cid) == (len(packet) - 5, len(packet) - 9, 4)
            found.append((LOCAL if direction is Direction.SENT else REMOTE, packet[9:]))
        return found

    def records(self) -> list[Record]:
        """The packets as a btsnoop reader would deliver them."""
        return [
            Record(frame, time_ns, LinkType.BTSNOOP_H4, packet, len(packet), int(direction) | 2 * (packet[0] in (1, 4)))
            for frame, (packet, direction, time_ns) in enumerate(self, 1)
        ]

    def rows(self) -> tuple[list[AttRow], Stack]:
        """The rig's own reading."""
        stack = Stack()
        return list(rows(self.records(), stack, GattTracker())), stack

    def save(self, path: Path) -> Path:
        with BtsnoopWriter(path, EPOCH) as writer:
            for packet, direction, time_ns in self:
                writer.record(packet, direction, (time_ns - T0) / 1e9)
        return path


def u16(value: int) -> bytes:
    return value.to_bytes(2, "little")


SESSION: tuple[tuple[str, int, bytes, str], ...] = (
    # who: the client (c) or the server (s), the attribute it is about, the PDU, its opcode's name
    ("c", BRIDGE_CCCD, b"\x12" + u16(BRIDGE_CCCD) + b"\x01\x00", "write_request"),
    ("s", BRIDGE_CCCD, b"\x13", "write_response"),
    ("s", BRIDGE, b"\x1b" + u16(BRIDGE) + b"\x55\xaa\x05", "handle_value_notification"),
    ("c", LONG, b"\x12" + u16(LONG) + b"asked", "write_request"),
    ("s", BRIDGE, b"\x1d" + u16(BRIDGE) + b"\x01", "handle_value_indication"),
    ("c", BRIDGE, b"\x1e", "handle_value_confirmation"),
    ("s", LONG, b"\x13", "write_response"),
    ("c", BRIDGE, b"\x52" + u16(BRIDGE) + b"told", "write_command"),
    ("c", NAME, b"\x0a" + u16(NAME), "read_request"),
    ("s", NAME, b"\x0bDr-05", "read_response"),
    ("c", ODD, b"\x0a" + u16(ODD), "read_request"),
    ("s", ODD, b"\x0b\x07", "read_response"),
    ("c", DESCRIPTION, b"\x12" + u16(DESCRIPTION) + b"no", "write_request"),
    ("s", DESCRIPTION, b"\x01\x12" + u16(DESCRIPTION) + b"\x03", "error_response"),
    ("c", LONG, b"\x0a" + u16(LONG), "read_request"),
    ("s", LONG, b"\x0b" + bytes(100), "read_response"),
)


def recorded(*, local_is_central: bool, server_side: int, local: Address | None = None) -> Tape:
    tape = Tape()
    synthesis = HciSynthesis(tape)
    synthesis.advertisement(DR05, b"\x06\x09Dr-05", T0, rssi_dbm=-60)
    synthesis.connect(HANDLE, local_is_central=local_is_central, peer=DR05, local=local, time_ns=T0)
    synthesis.discovery(HANDLE, TABLE, T0, server_side=server_side)
    for count, (who, _, pdu, _) in enumerate(SESSION, 1):
        synthesis.att(HANDLE, server_side if who == "s" else 1 - server_side, pdu, T0 + count * 1_000_000)
    synthesis.disconnect(HANDLE, CLOSED_BY_REMOTE_USER, T0 + 10**9)
    return tape


def tshark(path: Path, *arguments: str) -> list[list[str]]:
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed: apt-get install tshark")
    run = subprocess.run([program, "-r", path, *arguments], check=True, capture_output=True, text=True, timeout=60)
    return [line.split("\t") for line in run.stdout.splitlines()]


def fields(*names: str) -> list[str]:
    return ["-T", "fields", "-E", "occurrence=f", *(part for name in names for part in ("-e", name))]


def uuid_of(handle: int) -> str:
    return next(attribute.uuid for attribute in TABLE if attribute.handle == handle)


BOTH_WAYS = pytest.mark.parametrize(
    ("local_is_central", "server_side", "local"),
    [
        (True, REMOTE, None),
        (True, REMOTE, PUBLIC),
        (True, LOCAL, RANDOM),
        (False, REMOTE, RANDOM),
        (False, LOCAL, None),
        (False, LOCAL, PUBLIC),
    ],
    ids=str,
)


# ---- what Wireshark makes of it ------------------------------------------------------------------------------------


@BOTH_WAYS
def test_wireshark_names_every_value_and_finds_nothing_wrong(
    tmp_path: Path, local_is_central: bool, server_side: int, local: Address | None
) -> None:
    tape = recorded(local_is_central=local_is_central, server_side=server_side, local=local)
    path = tape.save(tmp_path / "session.btsnoop")
    seen = tshark(
        path,
        *fields("btatt.opcode", "btatt.handle", "btatt.uuid16", "btatt.uuid128", "hci_h4.direction"),
        "-Y",
        f"btatt && !(btatt.opcode in {{0x02,0x03}}) && frame.time_epoch > {EPOCH.timestamp()}",
    )
    expected = []
    for who, handle, pdu, _ in SESSION:
        uuid = uuid_of(handle)
        sent = (who == "s") == (server_side == LOCAL)
        expected.append(
            [
                f"0x{pdu[0]:02x}",
                f"0x{handle:04x}",
                f"0x{uuid}" if len(uuid) == 4 else "",
                uuid.replace("-", "") if len(uuid) > 4 else "",
                "0x00" if sent else "0x01",
            ]
        )
    # A confirmation has no handle of its own, and Wireshark shows it without one.
    confirmation = next(place for place, entry in enumerate(SESSION) if entry[3] == "handle_value_confirmation")
    assert seen[confirmation][0] == "0x1e"
    del seen[confirmation], expected[confirmation]
    assert seen == expected
    assert tshark(path, "-Y", "_ws.malformed || _ws.expert.severity >= warning", *fields("frame.number")) == []


def test_wireshark_knows_the_service_and_the_characteristic_of_each(tmp_path: Path) -> None:
    path = recorded(local_is_central=True, server_side=REMOTE).save(tmp_path / "session.btsnoop")
    seen = tshark(
        path,
        *fields(
            "btatt.handle",
            "btatt.service_uuid16",
            "btatt.service_uuid128",
            "btatt.characteristic_uuid16",
        ),
        "-Y",
        "btatt.opcode in {0x12,0x52,0x1b,0x0a}",
    )
    wide = WIDE.replace("-", "")
    assert {tuple(row) for row in seen} == {
        (f"0x{BRIDGE_CCCD:04x}", "0xffe0", "", "0xffe1"),
        (f"0x{DESCRIPTION:04x}", "0xffe0", "", "0xffe1"),
        (f"0x{ODD:04x}", "0xffe0", "", "0xffe1"),
        (f"0x{BRIDGE:04x}", "0xffe0", "", ""),  # a value: its UUID is the characteristic's
        (f"0x{NAME:04x}", "0x1800", "", ""),
        (f"0x{LONG:04x}", "", wide, ""),
    }


@pytest.mark.parametrize("local_is_central", [True, False])
def test_wireshark_sees_who_connected_whom_and_how_it_ended(tmp_path: Path, local_is_central: bool) -> None:
    path = recorded(local_is_central=local_is_central, server_side=REMOTE).save(tmp_path / "session.btsnoop")
    asked = ("bthci_evt.role", "bthci_evt.bd_addr", "bthci_evt.le_peer_address_type", "bthci_evt.le_con_interval")
    [connection] = tshark(path, "-Y", "bthci_evt.le_meta_subevent == 0x01", *fields(*asked))
    assert connection == ["0x00" if local_is_central else "0x01", "c0:ff:ee:00:00:01", "0x01", "24"]
    [[reason]] = tshark(path, "-Y", "bthci_evt.code == 0x05", *fields("bthci_evt.reason"))
    assert reason == "0x13"
    assert tshark(path, "-Y", "btcommon.eir_ad.entry.device_name", *fields("btcommon.eir_ad.entry.device_name")) == [
        ["Dr-05"]
    ]


# ---- what the rig makes of it --------------------------------------------------------------------------------------


@BOTH_WAYS
def test_the_rig_names_every_row_and_who_sent_it(
    local_is_central: bool, server_side: int, local: Address | None
) -> None:
    tape = recorded(local_is_central=local_is_central, server_side=server_side, local=local)
    found, stack = tape.rows()
    of_session = [row for row in found if row.time_ns > T0 and row.pdu[0] not in (2, 3)]
    server_is_central = (server_side == LOCAL) == local_is_central
    expected = []
    for who, handle, pdu, name in SESSION:
        sender = "central" if (who == "s") == server_is_central else "peripheral"
        expected.append((pdu, handle, uuid_of(handle), sender, name))
    assert [(row.pdu, row.handle, row.uuid, row.sender, att.opcode_name(row.opcode)) for row in of_session] == expected
    assert [row.time_ns for row in of_session] == [T0 + count * 1_000_000 for count in range(1, len(SESSION) + 1)]
    [link] = stack.links
    assert (link.beginning_seen, link.handle, link.addresses[REMOTE]) == (True, HANDLE, DR05)
    assert link.central_side == (LOCAL if local_is_central else REMOTE)
    if local is not None:
        assert link.addresses[LOCAL] == local
    assert stack.observations.names == {DR05.text: "Dr-05"}
    assert (link.history[0].kind, link.history[-1].kind) == ("connected", "disconnected")
    assert not {kind for kind in stack.observations.counts if "orphan" in kind or "malformed" in kind}


# ---- the MTU -------------------------------------------------------------------------------------------------------


def test_a_pdu_longer_than_the_mtu_is_preceded_by_the_exchange_that_allowed_it() -> None:
    tape = Tape()
    synthesis = HciSynthesis(tape)
    synthesis.att(HANDLE, REMOTE, b"\x1b" + u16(BRIDGE) + bytes(20), T0)
    assert synthesis.mtu(HANDLE) == 23
    synthesis.att(HANDLE, REMOTE, b"\x1b" + u16(BRIDGE) + bytes(21), T0)
    synthesis.att(HANDLE, REMOTE, b"\x1b" + u16(BRIDGE) + bytes(510), T0)
    assert [(side, pdu[:3]) for side, pdu in tape.pdus()] == [
        (REMOTE, b"\x1b\x0c\x00"),
        (LOCAL, b"\x02" + u16(517)),
        (REMOTE, b"\x03" + u16(517)),
        (REMOTE, b"\x1b\x0c\x00"),
        (REMOTE, b"\x1b\x0c\x00"),
    ]
    assert synthesis.mtu(HANDLE) == 517


def test_the_exchange_is_asked_for_by_a_client_that_waits_for_nothing() -> None:
    tape = Tape()
    synthesis = HciSynthesis(tape)
    synthesis.connect(HANDLE, local_is_central=True, peer=DR05, local=None, time_ns=T0)
    synthesis.att(HANDLE, LOCAL, b"\x0a" + u16(LONG), T0)
    synthesis.att(HANDLE, REMOTE, b"\x0b" + bytes(600), T0)
    assert [(side, pdu[0]) for side, pdu in tape.pdus()] == [(LOCAL, 0x0A), (REMOTE, 2), (LOCAL, 3), (REMOTE, 0x0B)]
    assert synthesis.mtu(HANDLE) == 601


def test_a_request_that_was_answered_keeps_nobody_from_asking() -> None:
    tape = Tape()
    synthesis = HciSynthesis(tape)
    for side, pdu in ((LOCAL, b"\x0a" + u16(LONG)), (REMOTE, b"\x01\x0a" + u16(LONG) + b"\x02"), (REMOTE, bytes(24))):
        synthesis.att(HANDLE, side, pdu, T0)
    assert [(side, pdu[0]) for side, pdu in tape.pdus()][2:4] == [(LOCAL, 2), (REMOTE, 3)]


def test_an_exchange_in_the_traffic_is_the_only_one_and_the_smaller_number_holds() -> None:
    tape = Tape()
    synthesis = HciSynthesis(tape)
    synthesis.att(HANDLE, LOCAL, b"\x02" + u16(517), T0)
    synthesis.att(HANDLE, REMOTE, b"\x03" + u16(64), T0)
    assert synthesis.mtu(HANDLE) == 64
    synthesis.att(HANDLE, REMOTE, b"\x1b" + u16(BRIDGE) + bytes(100), T0)  # it breaks the MTU: written as it was
    assert [pdu[0] for _, pdu in tape.pdus()] == [2, 3, 0x1B]


def test_pdus_can_be_kept_exactly_those_that_were_given() -> None:
    tape = Tape()
    given_pdus = [(REMOTE, b"\x1b" + u16(BRIDGE) + bytes(400)), (LOCAL, b""), (REMOTE, b"\x7f\x00")]
    synthesis = HciSynthesis(tape, add_mtu_exchange=False)
    for side, pdu in given_pdus:
        synthesis.att(HANDLE, side, pdu, T0)
    assert tape.pdus() == given_pdus
    assert len(tape) == 3, "a link that was up before has no establishment here"


# ---- discovery ------------------------------------------------------------------------------------------------------

ATTRIBUTE_UUIDS = st.one_of(
    st.integers(0xF000, 0xFFFF).map(lambda number: f"{number:04x}"),
    st.uuids(version=4).map(str),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Attribute, ...]:
    """Attribute tables as servers have them: services in order, gaps between handles, includes of what there is."""
    found: list[Attribute] = []
    starts: list[int] = []
    handle = 0

    def following() -> int:
        nonlocal handle
        handle += 1 + draw(st.sampled_from([0, 0, 0, 1, 7]))
        return handle

    for _ in range(draw(st.integers(0, 4))):
        service = draw(ATTRIBUTE_UUIDS)
        place, start = len(found), following()
        secondary = draw(st.booleans())
        includes: list[int] = draw(st.lists(st.sampled_from(starts), max_size=2)) if starts else []
        found += [Attribute(following(), "include", "2802", service, target=included) for included in includes]
        for _ in range(draw(st.integers(0, 5))):
            uuid, properties = draw(ATTRIBUTE_UUIDS), draw(st.integers(0, 255))
            declared = following()
            value = following()
            found.append(Attribute(declared, "characteristic", "2803", service, uuid, properties, value))
            found.append(Attribute(value, "value", uuid, service, uuid, properties))
            types = draw(st.lists(st.sampled_from(["2902", "2901", "2904", WIDE_DESCRIPTOR]), max_size=4))
            found += [Attribute(following(), "descriptor", descriptor, service, uuid) for descriptor in types]
        end = handle + draw(st.sampled_from([0, 0, 3]))
        found.insert(place, Attribute(start, "service", service, service, target=end, secondary=secondary))
        if len(service) == 4:  # an include of any other is told by its type alone
            starts.append(start)
        handle = end
    if found and draw(st.booleans()):
        last = max(place for place, attribute in enumerate(found) if attribute.kind == "service")
        found[last] = found[last]._replace(target=0xFFFF)
    return tuple(found)


def learned(table: Sequence[Attribute], *, mtu: int = 23, server_side: int = REMOTE) -> AttributeTable | None:
    """What a reader of the synthetic discovery knows. Every PDU fits into the MTU; each request has its response."""
    tape = Tape()
    synthesis = HciSynthesis(tape)
    if mtu > 23:
        synthesis.exchange_mtu(HANDLE, mtu, T0)
    synthesis.discovery(HANDLE, table, T0, server_side=server_side)
    link = Link(1, "le", handle=HANDLE)
    tracker = GattTracker()
    pdus = tape.pdus()
    for place, (side, pdu) in enumerate(pdus):
        assert len(pdu) <= mtu
        if pdu[0] not in (2, 3):
            assert side == (1 - server_side if place % 2 == 0 else server_side)
        if place % 2:
            request = pdus[place - 1][1][0]
            assert request == (pdu[1] if pdu[0] == att.ERROR_RESPONSE else att.RESPONSE_TO[pdu[0]])
        tracker.name(AttPdu(place, T0, link, side, pdu))
    return tracker.table(link, server_side)


@given(tables(), st.sampled_from([23, 24, 64, 247, 517]), st.sampled_from([LOCAL, REMOTE]))
def test_a_table_comes_out_of_its_synthetic_discovery_as_it_went_in(
    table: tuple[Attribute, ...], mtu: int, server_side: int
) -> None:
    found = learned(table, mtu=mtu, server_side=server_side)
    assert (list(found.attributes.values()) if found else []) == list(table)


def test_the_conversation_is_that_of_a_client_which_asks_for_no_handle_twice() -> None:
    tape = Tape()
    HciSynthesis(tape).discovery(
        HANDLE,
        [
            Attribute(1, "service", "ffe0", "ffe0", target=8),
            Attribute(2, "characteristic", "2803", "ffe0", "ffe1", 0x10, target=3),
            Attribute(3, "value", "ffe1", "ffe0", "ffe1", 0x10),
            Attribute(4, "descriptor", "2902", "ffe0", "ffe1"),
            Attribute(6, "characteristic", "2803", "ffe0", "ffe2", 0x02, target=7),
            Attribute(7, "value", "ffe2", "ffe0", "ffe2", 0x02),
        ],
        T0,
    )
    assert [pdu.hex(" ") for _, pdu in tape.pdus()] == [
        "10 01 00 ff ff 00 28",
        "11 06 01 00 08 00 e0 ff",
        "10 09 00 ff ff 00 28",
        "01 10 09 00 0a",
        "08 01 00 08 00 03 28",
        "09 07 02 00 10 03 00 e1 ff 06 00 02 07 00 e2 ff",
        "08 07 00 08 00 03 28",
        "01 08 07 00 0a",
        "04 04 00 05 00",
        "05 01 04 00 02 29",
        "04 05 00 05 00",
        "01 04 05 00 0a",
        "04 08 00 08 00",
        "01 04 08 00 0a",
    ]


def test_the_table_is_complete_for_its_reader() -> None:
    found = learned(TABLE)
    assert found is not None
    assert found.complete
    assert list(found.attributes.values()) == list(TABLE)


def test_an_include_of_a_service_with_a_128_bit_uuid_is_told_by_its_type_alone() -> None:
    """Wireshark takes the whole of it for malformed."""
    table = [
        Attribute(1, "service", WIDE, WIDE, target=1),
        Attribute(2, "service", "1800", "1800", target=3),
        Attribute(3, "include", "2802", "1800", target=1),
    ]
    found = learned(table)
    assert found is not None
    assert list(found.attributes.values()) == [*table[:2], table[2]._replace(target=0)]


def test_what_is_only_half_known_is_told_as_far_as_it_is_known() -> None:
    half = [
        Attribute(3, "value", "2a00", "", "2a00"),  # no declaration, no service
        Attribute(8, "service", "2800"),  # a service whose UUID nobody read
        Attribute(9, "characteristic", "2803"),
        Attribute(10, "value", ""),
        Attribute(11, "descriptor", "2902"),
        Attribute(12, "include", "2802", target=99),
    ]
    found = learned(half)
    assert found is not None
    assert {handle: found.name(handle) for handle in (3, 8, 9, 10, 11, 12)} == {
        3: "2a00",
        8: "2800",
        9: "2803",
        10: "",
        11: "2902",
        12: "2802",
    }


def test_services_that_overlap_are_told_side_by_side() -> None:
    found = learned(
        [
            Attribute(1, "service", "1800", "1800", target=0xFFFF),
            Attribute(3, "service", "1801", "1801", target=2),
            Attribute(4, "descriptor", "2901", "1801"),
        ]
    )
    assert found is not None
    assert [attribute[:4] + attribute[6:7] for attribute in found.attributes.values()] == [
        (1, "service", "1800", "1800", 2),
        (3, "service", "1801", "1801", 3),
        (4, "descriptor", "2901", "", 0),
    ]


def test_tables_that_make_no_sense_are_told_without_an_endless_conversation() -> None:
    contradictory = [
        Attribute(1, "service", "1800", "1800", target=0xFFFF),
        Attribute(2, "characteristic", "2803", "1800", "2a00", 0x02, target=1),
        Attribute(3, "service", "1801", "1801", target=1),
        Attribute(4, "include", "2802", "1801", target=4),
        Attribute(5, "characteristic", "2803", "1801", "2a05", 0x02),
        Attribute(6, "characteristic", "2803", "1801", "2a06", 0x02),
        Attribute(0xFFFF, "characteristic", "2803", "1801", "2a07", 0x02),
    ]
    assert learned(contradictory) is not None
    crowd = [Attribute(handle, "service", "1800", "1800", target=handle) for handle in range(1, 0x10000)]
    tape = Tape()
    HciSynthesis(tape).discovery(HANDLE, crowd, T0)
    # Three 16-bit services fit into one response of 23 octets; each service is then asked for its characteristics.
    assert len(tape) == 2 * (0xFFFF // 3 + 0xFFFF)


# ---- the packets themselves -----------------------------------------------------------------------------------------


def test_the_set_up_is_written_once_and_addresses_are_told_when_they_are_known() -> None:
    tape = Tape()
    synthesis = HciSynthesis(tape)
    for handle, local in ((1, PUBLIC), (2, PUBLIC), (3, RANDOM)):
        synthesis.connect(handle, local_is_central=False, peer=DR05, local=local, time_ns=T0)
    commands = [int.from_bytes(packet[1:3], "little") for packet, _, _ in tape if packet[0] == 1]
    assert commands == [0x0C03, 0x2002, 0x1009, 0x2006, 0x200A, 0x2006, 0x200A, 0x2005, 0x2006, 0x200A]
    assert sum(packet[0:2] == b"\x04\x3e" for packet, _, _ in tape) == 3


def test_parameters_are_written_in_the_units_of_the_format() -> None:
    tape = Tape()
    synthesis = HciSynthesis(tape)
    synthesis.connect(
        HANDLE,
        local_is_central=False,
        peer=PUBLIC,
        local=None,
        time_ns=T0,
        interval_s=0.04875,
        latency=3,
        supervision_timeout_s=5,
    )
    event = tape[-1][0]
    assert event[:3] == b"\x04\x3e\x13"
    assert struct.unpack("<BBHBB6sHHHB", event[3:]) == (
        0x01,
        0,
        HANDLE,
        1,
        0,
        bytes.fromhex("030201DC1B00"),
        39,
        3,
        500,
        0,
    )
    synthesis.parameters(HANDLE, T0, interval_s=0.0075, latency=0, supervision_timeout_s=1e9)
    assert tape[-1][0] == b"\x04\x3e\x0a\x03\x00" + u16(HANDLE) + u16(6) + u16(0) + u16(0xFFFF)


def test_a_link_that_the_local_host_ended_has_the_command_too() -> None:
    tape = Tape()
    synthesis = HciSynthesis(tape)
    synthesis.disconnect(HANDLE, CLOSED_BY_LOCAL_HOST, T0)
    synthesis.disconnect(HANDLE, CONNECTION_TIMEOUT, T0)
    assert [packet for packet, _, _ in tape] == [
        b"\x01\x06\x04\x03" + u16(HANDLE) + b"\x13",
        b"\x04\x0f\x04\x00\x01\x06\x04",
        b"\x04\x05\x04\x00" + u16(HANDLE) + b"\x16",
        b"\x04\x05\x04\x00" + u16(HANDLE) + b"\x08",
    ]


def test_a_handle_may_be_used_again_once_its_link_has_ended() -> None:
    synthesis = HciSynthesis(Tape())
    synthesis.connect(HANDLE, local_is_central=True, peer=DR05, local=None, time_ns=T0)
    synthesis.exchange_mtu(HANDLE, 100, T0)
    with pytest.raises(ValueError, match="0x0040 has a link already"):
        synthesis.connect(HANDLE, local_is_central=True, peer=DR05, local=None, time_ns=T0)
    synthesis.disconnect(HANDLE, CONNECTION_TIMEOUT, T0)
    synthesis.connect(HANDLE, local_is_central=True, peer=DR05, local=None, time_ns=T0)
    assert synthesis.mtu(HANDLE) == 23


@pytest.mark.parametrize(
    ("mistake", "complaint"),
    [
        (lambda s: s.att(0x0F00, LOCAL, b"\x13", T0), "connection handle 3840 is out of range"),
        (lambda s: s.att(-1, LOCAL, b"\x13", T0), "connection handle -1 is out of range"),
        (lambda s: s.att(1, 2, b"\x13", T0), "side 2: an HCI packet is sent"),
        (lambda s: s.att(1, LOCAL, bytes(0xFFFC), T0), "65532 octets does not fit"),
        (lambda s: s.disconnect(1, 0, T0), "reason 0 is no HCI error code"),
        (lambda s: s.advertisement(DR05, bytes(32), T0), "32 octets of advertising data"),
        (lambda s: s.discovery(1, [Attribute(0, "value", "2a00")], T0), "attribute handle 0 is out of range"),
        (lambda s: s.discovery(1, [Attribute(1, "value", "2a")], T0), "'2a' is no UUID"),
        (
            lambda s: s.connect(1, local_is_central=True, peer=Address("C0:FF"), local=None, time_ns=T0),
            "'C0:FF' is no device address",
        ),
        (
            lambda s: s.connect(1, local_is_central=True, peer=DR05, local=Address("me"), time_ns=T0),
            "'me' is no device address",
        ),
    ],
)
def test_what_no_packet_can_say_is_refused(mistake: object, complaint: str) -> None:
    assert callable(mistake)
    with pytest.raises(ValueError, match=complaint):
        mistake(HciSynthesis(Tape()))
