"""HCI in every wrapping becomes the same ATT, on the right link, said by the right end, whatever the bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.capture.layers.connections import OVERTAKING_NS
from rig.capture.layers.hci import ROW_FREE_EVENTS, ROW_FREE_LE_SUBEVENTS, HciLayer, HciPacket, packet_of
from rig.capture.layers.links import LOCAL, REMOTE, UNKNOWN_SIDE, Address, Observations
from rig.capture.records import LinkType, Record
from tests.rig.capture.hci_traffic import (
    CONTINUED,
    FIRST,
    LOCAL_ADDRESS,
    PEER,
    RECEIVED,
    SENT,
    Packet,
    acl,
    att,
    command,
    connected,
    connected_br_edr,
    connected_enhanced,
    disconnected,
    event,
    fragments,
    hear,
    hear_records,
    l2cap,
    le_event,
    records,
    signal,
    smp,
    wire,
)

READ = bytes.fromhex("0a0300")
VALUE = b"\x0bvalue"
NOTIFICATION = bytes.fromhex("1b0e00") + b"notified"

CONVERSATION = [
    connected(0x40),
    att(0x40, SENT, READ),
    att(0x40, RECEIVED, VALUE),
    *fragments(0x40, RECEIVED, 4, NOTIFICATION, 6, 3),
    disconnected(0x40),
]
ROWS = [
    (2, 1, "central", READ.hex()),
    (3, 1, "peripheral", VALUE.hex()),
    (6, 1, "peripheral", NOTIFICATION.hex()),
]


# Wrappings

_MONITOR_OPCODES = {(1, SENT): 2, (4, RECEIVED): 3, (2, SENT): 4, (2, RECEIVED): 5, (3, SENT): 6, (3, RECEIVED): 7}
_PACKETLOGGER_TYPES = {(1, SENT): 0, (4, RECEIVED): 1, (2, SENT): 2, (2, RECEIVED): 3, (3, SENT): 8, (3, RECEIVED): 9}


def _h1(record: Record, side: int) -> Record:
    control = 2 if record.data[0] in (1, 4) else 0
    return record._replace(link_type=LinkType.BTSNOOP_H1, data=record.data[1:], flags=control | side)


def _h4(record: Record, side: int) -> Record:
    return record._replace(flags=side)


def _phdr(record: Record, side: int) -> Record:
    return record._replace(link_type=LinkType.HCI_H4_WITH_PHDR, data=struct.pack(">I", side) + record.data, flags=0)


def _plain_h4(record: Record, side: int) -> Record:
    return record._replace(link_type=LinkType.HCI_H4, flags=0)


def _plain_h4_in_pcapng(record: Record, side: int) -> Record:
    return record._replace(link_type=LinkType.HCI_H4, flags=1 if side == RECEIVED else 2)


def _monitor(record: Record, side: int) -> Record:
    header = struct.pack(">HH", 3, _MONITOR_OPCODES[record.data[0], side])
    return record._replace(link_type=LinkType.LINUX_MONITOR, data=header + record.data[1:], flags=0)


def _snoop_monitor(record: Record, side: int) -> Record:
    opcode = _MONITOR_OPCODES[record.data[0], side]
    return record._replace(link_type=LinkType.BTSNOOP_MONITOR, data=record.data[1:], flags=3 << 16 | opcode)


def _packetlogger(record: Record, side: int) -> Record:
    kind = _PACKETLOGGER_TYPES[record.data[0], side]
    return record._replace(link_type=LinkType.PACKETLOGGER, data=record.data[1:], flags=kind)


WRAPPINGS = [_h1, _h4, _phdr, _plain_h4, _plain_h4_in_pcapng, _monitor, _snoop_monitor, _packetlogger]


def wrapped(packets: list[Packet], how: Callable[[Record, int], Record]) -> list[Record]:
    made = []
    for record, packet in zip(records(packets), packets, strict=True):
        one = how(record, packet.side)
        made.append(one._replace(original_length=len(one.data) + packet.cut))
    return made


@pytest.mark.parametrize("how", WRAPPINGS)
def test_the_wrapping_makes_no_difference_to_the_rows(how: Callable[[Record, int], Record]) -> None:
    heard = hear_records(wrapped(CONVERSATION, how))
    assert heard.rows == ROWS
    assert not heard.observations.counts
    assert [kind for kind, _ in heard.history()] == ["connected", "disconnected"]


@pytest.mark.parametrize("how", WRAPPINGS)
def test_the_packet_in_a_record_is_found_whatever_wraps_it(how: Callable[[Record, int], Record]) -> None:
    packets = [command(0x0C03, b""), connected(0x40), att(0x40, SENT, READ), att(0x40, RECEIVED, VALUE)]
    found = [packet_of(record) for record in wrapped(packets, how)]
    untold = {2: UNKNOWN_SIDE} if how is _plain_h4 else {}
    assert [(one.packet_type, one.side, one.body) for one in found if one is not None] == [
        (packet.data[0], untold.get(packet.data[0], packet.side), packet.data[1:]) for packet in packets
    ]
    assert len({one.controller for one in found if one is not None}) == 1


@pytest.mark.parametrize("how", [_monitor, _snoop_monitor])
def test_a_link_of_a_monitor_names_its_adapter_by_index(how: Callable[[Record, int], Record]) -> None:
    assert hear_records(wrapped(CONVERSATION, how)).links[0].controller == 3


@pytest.mark.parametrize("opcode", [0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 20, 0xFFFF])
def test_what_a_monitor_notes_beside_packets_is_no_packet_and_nothing_odd(opcode: int) -> None:
    note = Record(1, 0, LinkType.BTSNOOP_MONITOR, b"BlueZ\0", 6, opcode)
    assert packet_of(note) is None
    heard = hear_records([note])
    assert not heard.pdus
    assert not heard.observations.counts


@pytest.mark.parametrize("kind", [0x0A, 0x0B, 0xF7, 0xF8, 0xFB, 0xFC, 0xFD, 0xFE])
def test_what_packetlogger_notes_beside_packets_is_no_packet_and_nothing_odd(kind: int) -> None:
    note = Record(1, 0, LinkType.PACKETLOGGER, b"a line", 6, kind)
    assert packet_of(note) is None
    heard = hear_records([note])
    assert not heard.pdus
    assert not heard.observations.counts


@pytest.mark.parametrize(
    "record",
    [
        Record(1, 0, LinkType.BTSNOOP_H4, b"", 0),
        Record(1, 0, LinkType.HCI_H4, b"", 0),
        Record(1, 0, LinkType.HCI_H4_WITH_PHDR, b"\0\0\0\1", 4),
        Record(1, 0, LinkType.LINUX_MONITOR, b"\0\0\0", 3),
        Record(1, 0, LinkType.BTSNOOP_H4, b"\x02\x40\x20\x00", 4),
        Record(1, 0, LinkType.BTSNOOP_H4, b"\x04\x3e", 2),
        Record(1, 0, LinkType.BTSNOOP_H4, b"\x01\x03", 2),
        Record(1, 0, LinkType.BTSNOOP_H4, b"\x04\x3e\x02\x01\x00", 5),
    ],
)
def test_a_record_too_short_to_say_anything_is_counted(record: Record) -> None:
    heard = hear_records([record])
    assert not heard.pdus
    assert heard.observations.counts == {"malformed_packets": 1}


def test_sco_and_iso_data_are_passed_by_and_other_types_counted() -> None:
    packets = [Packet(bytes([kind, 0x40, 0, 0, 0]), RECEIVED) for kind in (3, 5, 7)]
    heard = hear(packets)
    assert heard.observations.counts == {"other_packets": 1}
    assert not heard.links


# Who sent it, where the container does not tell


def test_without_a_direction_the_boundary_flag_tells_it_on_le() -> None:
    packets = [
        connected(0x40, role=1),
        att(0x40, RECEIVED, READ),
        att(0x40, SENT, VALUE),
        *fragments(0x40, SENT, 4, NOTIFICATION, 6, 3),
    ]
    heard = hear_records(wrapped(packets, _plain_h4))
    assert [sender for _, _, sender, _ in heard.rows] == ["central", "peripheral", "peripheral"]


def test_without_a_direction_a_continuation_goes_where_it_fits() -> None:
    mine = fragments(0x40, SENT, 4, READ + b"a long value of mine", 10)
    theirs = fragments(0x40, RECEIVED, 4, NOTIFICATION, 6)
    packets = [connected(0x40), mine[0], theirs[0], theirs[1], mine[1]]
    heard = hear_records(wrapped(packets, _plain_h4))
    assert [(pdu.side, pdu.pdu) for pdu in heard.pdus] == [
        (REMOTE, NOTIFICATION),
        (LOCAL, READ + b"a long value of mine"),
    ]


def test_without_a_direction_channels_on_br_edr_are_not_guessed_at() -> None:
    """There a host may send flushable packets, too: the flag tells nothing."""
    packets = [
        connected_br_edr(0x40),
        acl(0x40, SENT, l2cap(1, struct.pack("<BBHHH", 2, 1, 4, 0x1F, 0x40))),
        acl(0x40, RECEIVED, l2cap(1, struct.pack("<BBHHHHH", 3, 1, 8, 0x50, 0x40, 0, 0))),
        acl(0x40, SENT, l2cap(0x50, READ)),
    ]
    assert [pdu.pdu for pdu in hear_records(wrapped(packets, _phdr)).pdus] == [READ]
    assert not hear_records(wrapped(packets, _plain_h4)).pdus


# Connections begin and end


@pytest.mark.parametrize(("role", "central"), [(0, LOCAL), (1, REMOTE)])
@pytest.mark.parametrize("enhanced", [False, True])
def test_a_connection_event_tells_roles_addresses_and_parameters(role: int, central: int, *, enhanced: bool) -> None:
    made = connected_enhanced(0x40, role=role) if enhanced else connected(0x40, role=role, kind=1)
    link = hear(made, att(0x40, SENT, READ)).links[0]
    assert (link.handle, link.transport, link.central_side, link.beginning_seen) == (0x40, "le", central, True)
    assert link.addresses[REMOTE] == Address(PEER, is_random=not enhanced)
    assert (link.first_frame, link.last_frame) == (1, 2)
    assert link.history[0].kind == "connected"
    assert link.history[0].data == {
        "local_role": "central" if central == LOCAL else "peripheral",
        "interval_ms": 30.0,
        "latency_events": 0 if enhanced else 2,
        "supervision_timeout_ms": 5000,
    }


def test_version_2_of_the_enhanced_event_is_read_too() -> None:
    first = connected_enhanced(0x40).data
    second = Packet(first[:2] + bytes([first[2] + 3]) + b"\x29" + first[4:] + bytes(3), RECEIVED)
    assert hear(second, att(0x40, SENT, READ)).rows == [(2, 1, "central", READ.hex())]


@pytest.mark.parametrize(("status", "kind"), [(0x02, "cancelled_connections"), (0x3E, "failed_connections")])
def test_a_connection_that_failed_makes_no_link(status: int, kind: str) -> None:
    heard = hear(connected(0x40, status=status))
    assert not heard.links
    assert heard.observations.counts == {kind: 1}


def test_a_handle_given_away_again_is_a_new_link() -> None:
    other = "D0:11:22:33:44:55"
    heard = hear(
        connected(0x40),
        att(0x40, SENT, READ),
        disconnected(0x40),
        connected(0x40, peer=other),
        att(0x40, SENT, READ),
    )
    assert [row[1] for row in heard.rows] == [1, 2]
    assert [link.addresses[REMOTE].text for link in heard.links if link.addresses[REMOTE]] == [PEER, other]
    assert heard.history(1)[-1] == ("disconnected", {"reason": "remote_user_terminated", "reason_code": 0x13})


def test_a_pdu_begun_on_one_link_is_not_continued_on_the_next_with_its_handle() -> None:
    begun, rest = fragments(0x40, RECEIVED, 4, NOTIFICATION, 8)
    heard = hear(connected(0x40), begun, disconnected(0x40), connected(0x40), rest, att(0x40, RECEIVED, VALUE))
    assert heard.rows == [(6, 2, "peripheral", VALUE.hex())]
    assert heard.observations.counts == {"orphan_fragments": 1}


def test_a_connection_anew_without_a_disconnection_is_a_new_link_and_odd() -> None:
    heard = hear(connected(0x40), att(0x40, SENT, READ), connected(0x40, role=1), att(0x40, SENT, READ))
    assert [(row[1], row[2]) for row in heard.rows] == [(1, "central"), (2, "peripheral")]
    assert heard.observations.counts == {"unfinished_links": 1}


def test_the_rest_of_a_pdu_that_the_disconnection_overtook_completes_it() -> None:
    begun, rest = fragments(0x40, RECEIVED, 4, NOTIFICATION, 8)
    assert hear(connected(0x40), begun, disconnected(0x40), rest).rows == [(4, 1, "peripheral", NOTIFICATION.hex())]


def test_a_voice_connection_is_no_link() -> None:
    voice = event(3, struct.pack("<BH6sBB", 0, 0x44, wire(PEER), 0, 0))
    heard = hear(connected_br_edr(0x41), voice, disconnected(0x44), signal(0x41, SENT, 10, bytes(4), cid=1))
    assert [link.handle for link in heard.links] == [0x41]
    assert heard.links[0].last_frame == 4
    assert not heard.observations.counts


def test_a_failed_disconnection_ends_nothing() -> None:
    refused = event(5, struct.pack("<BHB", 0x0C, 0x40, 0))
    heard = hear(connected(0x40), refused, att(0x40, SENT, READ))
    assert heard.rows == [(3, 1, "central", READ.hex())]
    assert not heard.observations.counts


def test_a_capture_that_begins_in_mid_connection_has_its_rows() -> None:
    heard = hear(att(0x40, SENT, READ), att(0x40, RECEIVED, VALUE), att(0x41, SENT, READ))
    assert [(row[1], row[2]) for row in heard.rows] == [(1, "unknown"), (1, "unknown"), (2, "unknown")]
    assert [link.beginning_seen for link in heard.links] == [False, False]


def test_a_capture_that_begins_in_mid_pdu_waits_for_the_next() -> None:
    _, rest = fragments(0x40, RECEIVED, 4, NOTIFICATION, 8)
    heard = hear(rest, att(0x40, RECEIVED, VALUE))
    assert [row[3] for row in heard.rows] == [VALUE.hex()]
    assert heard.observations.counts == {"orphan_fragments": 1}


def test_data_that_overtook_the_event_of_its_connection_is_on_that_connection() -> None:
    heard = hear(att(0x40, RECEIVED, READ), connected(0x40, role=1), att(0x40, SENT, VALUE))
    assert [(row[0], row[1]) for row in heard.rows] == [(1, 1), (3, 1)]
    assert heard.links[0].beginning_seen
    assert heard.links[0].central_side == REMOTE


def test_data_long_before_a_connection_event_was_of_another_connection() -> None:
    late = connected(0x40)
    late.after_ms = OVERTAKING_NS // 1_000_000 + 1
    heard = hear(att(0x40, RECEIVED, READ), late, att(0x40, SENT, VALUE))
    assert [row[1] for row in heard.rows] == [1, 2]


def test_data_still_on_its_way_at_the_disconnection_is_on_the_link_that_ended() -> None:
    heard = hear(connected(0x40), disconnected(0x40), att(0x40, SENT, READ))
    assert heard.rows == [(3, 1, "central", READ.hex())]
    assert heard.observations.counts == {"data_after_disconnection": 1}


def test_data_long_after_the_disconnection_is_of_a_connection_that_was_missed() -> None:
    late = att(0x40, SENT, READ)
    late.after_ms = OVERTAKING_NS // 1_000_000 + 1
    heard = hear(connected(0x40), disconnected(0x40), late, att(0x40, SENT, READ))
    assert [(row[1], row[2]) for row in heard.rows] == [(2, "unknown"), (2, "unknown")]
    assert heard.links[1].addresses == [None, None]


@pytest.mark.parametrize("ending", ["reset", "closed", "unplugged"])
def test_a_controller_that_is_reset_has_no_connections_left(ending: str) -> None:
    packets = [connected(0x40), att(0x40, SENT, READ), event(0x0E, bytes.fromhex("01030c00"))]
    some = wrapped(packets, _snoop_monitor)
    if ending != "reset":
        some[2] = some[2]._replace(data=b"", flags=3 << 16 | (9 if ending == "closed" else 1))
    layer = HciLayer(links := [], Observations())
    for record in some:
        packet = packet_of(record)
        layer.feed(record)
        if packet is not None and packet.packet_type == 2:
            assert layer.link_of(packet.controller, 0x40) is links[0]
            controller = packet.controller
    assert layer.link_of(controller, 0x40) is None
    assert links[0].history[-1].data == {"reason": "controller_reset"}


def test_the_same_handle_on_two_controllers_is_two_links() -> None:
    def on(interface: int, packet: Packet) -> Record:
        return _phdr(records([packet])[0], packet.side)._replace(interface=interface)

    begun, rest = fragments(0x40, RECEIVED, 4, NOTIFICATION, 8)
    some = [
        on(0, connected(0x40)),
        on(1, connected(0x40, role=1)),
        on(0, begun),
        on(1, att(0x40, RECEIVED, VALUE)),
        on(0, rest),
        on(0, disconnected(0x40)),
        on(1, att(0x40, SENT, READ)),
    ]
    heard = hear_records([record._replace(frame=frame) for frame, record in enumerate(some, 1)])
    assert heard.rows == [
        (4, 2, "central", VALUE.hex()),
        (5, 1, "peripheral", NOTIFICATION.hex()),
        (7, 2, "peripheral", READ.hex()),
    ]
    assert [link.controller for link in heard.links] == [0, 1]
    assert not heard.observations.counts


def test_a_reset_ends_the_connections_of_its_own_controller_only() -> None:
    def on(interface: int, packet: Packet) -> Record:
        return _phdr(records([packet])[0], packet.side)._replace(interface=interface)

    reset = event(0x0E, bytes.fromhex("01030c00"))
    heard = hear_records([on(0, connected(0x40)), on(1, connected(0x40)), on(1, reset), on(0, att(0x40, SENT, READ))])
    assert [[one.kind for one in link.history] for link in heard.links] == [
        ["connected"],
        ["connected", "disconnected"],
    ]
    assert not heard.observations.counts


def test_a_monitor_and_an_interface_of_one_number_are_two_controllers() -> None:
    plain, noted = records([att(0x40, SENT, READ)])[0], records([att(0x40, SENT, READ)])[0]
    monitored = packet_of(_monitor(noted, SENT))
    other = packet_of(_phdr(plain, SENT)._replace(interface=3))
    assert monitored is not None
    assert other is not None
    assert monitored.controller != other.controller


def test_which_link_a_handle_means_can_be_asked() -> None:
    layer = HciLayer(links := [], Observations())
    made, ended = records([connected(0x40), disconnected(0x40)])
    assert layer.link_of(0, 0x40) is None
    layer.feed(made)
    assert layer.link_of(0, 0x40) is links[0]
    assert layer.link_of(1, 0x40) is None
    layer.feed(ended)
    assert layer.link_of(0, 0x40) is None


# Roles that no connection event told


@pytest.mark.parametrize(
    ("told", "central"),
    [
        (command(0x2019, struct.pack("<H", 0x40) + bytes(26)), LOCAL),
        (command(0x201A, struct.pack("<H", 0x40) + bytes(16)), REMOTE),
        (command(0x201B, struct.pack("<H", 0x40)), REMOTE),
        (le_event(5, struct.pack("<H", 0x40) + bytes(10)), REMOTE),
    ],
)
def test_who_encrypts_tells_who_is_the_central(told: Packet, central: int) -> None:
    heard = hear(att(0x40, SENT, READ), told, att(0x40, SENT, READ))
    assert [row[2] for row in heard.rows] == ["unknown", "central" if central == LOCAL else "peripheral"]


@pytest.mark.parametrize(
    ("before", "central"),
    [
        ([], None),
        ([command(0x0405, wire(PEER) + bytes(7))], LOCAL),
        ([command(0x0409, wire(PEER) + b"\x01")], REMOTE),
        ([command(0x0409, wire(PEER) + b"\x00"), event(0x12, b"\0" + wire(PEER) + b"\0")], LOCAL),
        ([command(0x0405, wire(PEER) + bytes(7)), event(0x12, b"\0" + wire(PEER) + b"\1")], REMOTE),
    ],
)
def test_the_role_on_br_edr_follows_from_who_asked_and_who_switched(before: list[Packet], central: int | None) -> None:
    assert hear(before, connected_br_edr(0x41)).links[0].central_side == central


def test_the_role_of_one_br_edr_connection_says_nothing_of_the_next() -> None:
    heard = hear(
        command(0x0405, wire(PEER) + bytes(7)), connected_br_edr(0x41), disconnected(0x41), connected_br_edr(0x41)
    )
    assert [link.central_side for link in heard.links] == [LOCAL, None]


def test_a_role_switch_on_an_open_link_is_told() -> None:
    heard = hear(connected_br_edr(0x41), event(0x12, b"\0" + wire(PEER) + b"\1"))
    assert heard.links[0].central_side == REMOTE
    assert heard.history()[-1] == ("role", {"local_role": "peripheral"})


@pytest.mark.parametrize(("cid", "transport"), [(1, "br/edr"), (7, "br/edr"), (5, "le"), (6, "le"), (4, "le")])
def test_the_transport_follows_from_the_channels_where_no_event_told(cid: int, transport: str) -> None:
    assert hear(acl(0x40, SENT, l2cap(cid, b"\xff\0\0\0"))).links[0].transport == transport


def test_a_controller_s_own_log_on_the_debug_handle_is_called_by_its_name() -> None:
    heard = hear(acl(0xEDC, RECEIVED, l2cap(0x80, b"log")), acl(0xEDC, RECEIVED, l2cap(0x81, b"log")))
    assert heard.observations.counts == {"controller_logs": 2}
    real = hear(connected(0xEDC), att(0xEDC, RECEIVED, VALUE))
    assert not real.observations.counts


# Own addresses


PUBLIC_READ = event(0x0E, bytes.fromhex("01091000") + wire(LOCAL_ADDRESS))
RANDOM = "E1:22:33:44:55:66"


@pytest.mark.parametrize(
    ("before", "made", "local"),
    [
        ([], connected(0x40), None),
        ([PUBLIC_READ], connected(0x40), None),
        ([PUBLIC_READ, command(0x200D, bytes(12) + b"\0" + bytes(12))], connected(0x40), Address(LOCAL_ADDRESS)),
        (
            [command(0x2005, wire(RANDOM)), command(0x200D, bytes(12) + b"\1" + bytes(12))],
            connected(0x40),
            Address(RANDOM, is_random=True),
        ),
        ([PUBLIC_READ, command(0x2043, bytes(26))], connected(0x40), Address(LOCAL_ADDRESS)),
        ([PUBLIC_READ, command(0x2085, bytes(28))], connected(0x40), Address(LOCAL_ADDRESS)),
        (
            [PUBLIC_READ, command(0x2043, b"\0\2" + bytes(24))],
            connected_enhanced(0x40, local="45:00:00:00:00:01"),
            Address("45:00:00:00:00:01", is_random=True),
        ),
        ([PUBLIC_READ, command(0x2006, bytes(15))], connected(0x40, role=1), Address(LOCAL_ADDRESS)),
        (
            [
                command(0x2036, b"\7" + bytes(9) + b"\1" + bytes(14)),
                command(0x2035, b"\7" + wire(RANDOM)),
            ],
            [connected(0x40, role=1), le_event(0x12, struct.pack("<BBHB", 0, 7, 0x40, 0))],
            Address(RANDOM, is_random=True),
        ),
    ],
)
def test_the_local_address_is_the_one_that_the_host_chose(
    before: list[Packet], made: Packet | list[Packet], local: Address | None
) -> None:
    assert hear(before, made).links[0].addresses[LOCAL] == local


@pytest.mark.parametrize(
    "noted", [(0, b"\0\1" + wire(LOCAL_ADDRESS) + b"hci3\0\0\0\0"), (10, wire(LOCAL_ADDRESS) + b"\0\0")]
)
def test_a_monitor_tells_the_public_address(noted: tuple[int, bytes]) -> None:
    opcode, body = noted
    note = Record(1, 0, LinkType.BTSNOOP_MONITOR, body, len(body), 3 << 16 | opcode)
    packets = [command(0x200D, bytes(25)), connected(0x40)]
    heard = hear_records([note, *wrapped(packets, _snoop_monitor)])
    assert heard.links[0].addresses[LOCAL] == Address(LOCAL_ADDRESS)


# What becomes of a link


def test_the_history_of_a_link_has_what_events_tell_of_it() -> None:
    handle = struct.pack("<H", 0x40)
    heard = hear(
        connected(0x40),
        le_event(3, b"\0" + handle + struct.pack("<HHH", 6, 0, 42)),
        le_event(3, b"\x3b" + handle + bytes(6)),
        le_event(7, handle + struct.pack("<HHHH", 251, 2120, 27, 328)),
        le_event(12, b"\0" + handle + b"\2\1"),
        event(8, b"\0" + handle + b"\1"),
        event(0x59, b"\0" + handle + b"\1\x10"),
        event(8, b"\6" + handle + b"\0"),
        event(0x30, b"\0" + handle),
        event(12, b"\0" + handle + struct.pack("<BHH", 12, 0x1D, 7)),
    )
    assert heard.history()[1:] == [
        ("parameters", {"interval_ms": 7.5, "latency_events": 0, "supervision_timeout_ms": 420}),
        ("parameters_refused", {"reason": "unacceptable_connection_parameters"}),
        ("data_length", {"tx_bytes": 251, "tx_time_us": 2120, "rx_bytes": 27, "rx_time_us": 328}),
        ("phy", {"tx": "2M", "rx": "1M"}),
        ("encryption", {"state": "on"}),
        ("encryption", {"state": "on", "key_size_bytes": 16}),
        ("encryption", {"state": "failed", "reason": "pin_or_key_missing"}),
        ("encryption", {"state": "refreshed"}),
        ("version", {"link_layer_version": 12, "company": 29, "subversion": 7}),
    ]


def test_a_link_keeps_a_thousand_happenings_and_no_more() -> None:
    update = le_event(3, b"\0" + struct.pack("<HHHH", 0x40, 6, 0, 42))
    heard = hear(connected(0x40), [update] * 1500, att(0x40, SENT, READ))
    assert len(heard.links[0].history) == 1000
    assert heard.rows[-1][0] == 1502


# Names and services


def ad(*structures: tuple[int, bytes]) -> bytes:
    return b"".join(bytes([len(value) + 1, kind]) + value for kind, value in structures)


def report(data: bytes, address: str = PEER) -> Packet:
    return le_event(2, b"\1\0\1" + wire(address) + bytes([len(data)]) + data + b"\xc0")


def extended_report(data: bytes, *, status: int = 0, address: str = PEER) -> Packet:
    fixed = struct.pack("<HB6sBBBBBHB6s", status << 5, 1, wire(address), 1, 1, 0, 0, 0, 0, 0, bytes(6))
    return le_event(13, b"\1" + fixed + bytes([len(data)]) + data)


@pytest.mark.parametrize("how", [report, extended_report])
def test_names_and_services_are_heard_from_advertisements(how: Callable[[bytes], Packet]) -> None:
    said = ad(
        (0x09, b"OMP Pro"),
        (0x03, bytes.fromhex("0d18f0ff")),
        (0x05, bytes.fromhex("785634120f180000")),
        (0x07, bytes.fromhex("fb349b5f80000080001000000f180000")),
        (0x06, bytes(range(16))),
    )
    observations = hear(how(said)).observations
    assert observations.names == {PEER: "OMP Pro"}
    assert observations.services == {
        PEER: {
            "180d",
            "fff0",
            "12345678-0000-1000-8000-00805f9b34fb",
            "180f",
            "0f0e0d0c-0b0a-0908-0706-050403020100",
        }
    }


def test_reports_that_come_together_are_all_heard() -> None:
    one, two = ad((9, b"one")), ad((9, b"second"))
    other = "D0:11:22:33:44:55"
    body = b"\2"
    for address, data in ((PEER, one), (other, two)):
        body += b"\0\1" + wire(address) + bytes([len(data)]) + data + b"\xc0"
    assert hear(le_event(2, body)).observations.names == {PEER: "one", other: "second"}


def test_a_long_advertisement_in_several_reports_is_put_together() -> None:
    said = ad((0xFF, bytes(200)), (9, b"a name across the cut"))
    heard = hear(
        extended_report(said[:210], status=1),
        extended_report(ad((9, b"another")), address="D0:11:22:33:44:55"),
        extended_report(said[210:], status=0),
    )
    assert heard.observations.names == {PEER: "a name across the cut", "D0:11:22:33:44:55": "another"}


@pytest.mark.parametrize(
    ("steps", "name"),
    [
        ([(8, b"Short")], "Short"),
        ([(9, b"Whole name"), (8, b"Whole")], "Whole name"),
        ([(8, b"Whole"), (9, b"Whole name")], "Whole name"),
        ([(9, b"Old"), (9, b"New")], "New"),
        ([(9, b"with\0rubbish")], "with"),
        ([(9, b"red\x1b[31m\n")], "red\ufffd[31m\ufffd"),
        ([(9, b"\xff\xfe")], "\ufffd\ufffd"),
        ([(9, b"")], None),
    ],
)
def test_a_name_is_the_last_complete_one_and_safe_to_print(steps: list[tuple[int, bytes]], name: str | None) -> None:
    assert hear([report(ad(step)) for step in steps]).observations.names.get(PEER) == name


def test_names_are_heard_on_br_edr_too() -> None:
    other = "D0:11:22:33:44:55"
    heard = hear(
        event(7, b"\0" + wire(PEER) + b"Speaker".ljust(248, b"\0")),
        event(0x2F, b"\1" + wire(other) + bytes(8) + ad((9, b"Headset")).ljust(240, b"\0")),
    )
    assert heard.observations.names == {PEER: "Speaker", other: "Headset"}


def test_a_street_full_of_devices_does_not_fill_the_memory() -> None:
    street = [report(ad((9, b"x"), (3, b"\x0f\x18")), f"C0:00:00:00:{n >> 8:02X}:{n & 255:02X}") for n in range(6000)]
    observations = hear(street).observations
    assert len(observations.names) == len(observations.services) == 4096


def test_what_was_heard_before_is_remembered_within_limits() -> None:
    layer = HciLayer([], Observations())
    for record in records(report(ad((9, b"%d" % number))) for number in range(6000)):
        layer.feed(record)
    assert len(layer._control._heard) <= 4096
    for record in records(extended_report(b"x", status=1, address=f"C0:00:00:00:00:{n:02X}") for n in range(200)):
        layer.feed(record)
    assert len(layer._control._partial) <= 64
    for record in records([extended_report(bytes(200), status=1)] * 20):
        layer.feed(record)
    assert max(map(len, layer._control._partial.values())) == 1650  # the longest there is, Vol 4 Part E, 7.8.54


# What the recorder cut


def test_a_record_cut_short_gives_what_there_is_of_its_pdu() -> None:
    heard = hear(connected(0x40), acl(0x40, RECEIVED, l2cap(4, NOTIFICATION), cut=5))
    (pdu,) = heard.pdus
    assert (pdu.pdu, pdu.missing) == (NOTIFICATION[:-5], 5)
    assert not heard.observations.counts


def test_a_record_cut_before_the_opcode_gives_nothing() -> None:
    heard = hear(connected(0x40), acl(0x40, RECEIVED, l2cap(4, NOTIFICATION), cut=len(NOTIFICATION)))
    assert not heard.pdus
    assert heard.observations.counts == {"empty_att": 1}


def test_a_packet_shorter_than_its_header_says_is_odd_and_its_pdu_kept() -> None:
    short = acl(0x40, RECEIVED, l2cap(4, NOTIFICATION), cut=5)
    short.cut = 0
    heard = hear(connected(0x40), short)
    assert [(pdu.pdu, pdu.missing) for pdu in heard.pdus] == [(NOTIFICATION[:-5], 5)]
    assert heard.observations.counts == {"short_packets": 1}


def test_bytes_after_the_packet_are_not_of_it() -> None:
    long = att(0x40, RECEIVED, NOTIFICATION)
    long.data += b"JUNK"
    heard = hear(connected(0x40), long)
    assert [(pdu.pdu, pdu.missing) for pdu in heard.pdus] == [(NOTIFICATION, 0)]
    assert heard.observations.counts == {"overlong_packets": 1}


@pytest.mark.parametrize("boundary", [0b00, FIRST, 0b11])
@pytest.mark.parametrize("side", [SENT, RECEIVED])
def test_every_flag_but_one_begins_a_pdu(side: int, boundary: int) -> None:
    for before in ([], [connected(0x40)]):
        assert [pdu.pdu for pdu in hear(before, acl(0x40, side, l2cap(4, READ), boundary)).pdus] == [READ]
        continued = hear(before, acl(0x40, side, l2cap(4, READ), CONTINUED))
        assert not continued.pdus
        assert continued.observations.counts == {"orphan_fragments": 1}


def test_a_whole_pdu_takes_the_place_of_one_that_was_begun() -> None:
    begun, rest = fragments(0x40, RECEIVED, 4, NOTIFICATION, 8)
    heard = hear(connected(0x40), begun, att(0x40, RECEIVED, VALUE), rest)
    assert [row[3] for row in heard.rows] == [VALUE.hex()]
    assert heard.observations.counts == {"incomplete_pdus": 1, "orphan_fragments": 1}


def test_the_acl_header_says_where_a_packet_ends_even_if_the_pdu_could_go_on() -> None:
    begun, rest = fragments(0x40, RECEIVED, 4, NOTIFICATION, 8)
    begun.data += b"X" * (len(NOTIFICATION) - 4)  # of no meaning, but exactly as much as the PDU lacks
    heard = hear(connected(0x40), begun, rest)
    assert [(row[0], row[3]) for row in heard.rows] == [(3, NOTIFICATION.hex())]
    assert heard.observations.counts == {"overlong_packets": 1}


# Whatever the bytes


TRAFFIC = [
    *CONVERSATION,
    connected_enhanced(0x41, role=1),
    connected_br_edr(0x42),
    att(0x41, SENT, bytes.fromhex("02f700")),
    att(0x41, RECEIVED, bytes.fromhex("03b900")),
    smp(0x41, SENT, bytes.fromhex("01030005100707")),
    signal(0x41, RECEIVED, 0x12, bytes(8)),
    signal(0x41, SENT, 0x17, struct.pack("<HHHHHH", 0x27, 64, 64, 10, 0x60, 0x61)),
    signal(0x41, RECEIVED, 0x18, struct.pack("<HHHHHH", 64, 64, 10, 0, 0x70, 0x71)),
    acl(0x41, SENT, l2cap(0x70, b"\x03\x00" + READ)),
    acl(0x42, SENT, l2cap(1, struct.pack("<BBHHH", 2, 1, 4, 0x1F, 0x40))),
    acl(0x42, RECEIVED, l2cap(1, struct.pack("<BBHHHHH", 3, 1, 8, 0x50, 0x40, 0, 0))),
    acl(0x42, SENT, l2cap(0x50, READ)),
    report(ad((9, b"name"), (3, b"\x0d\x18"))),
    extended_report(ad((9, b"name")), status=1),
    event(7, b"\0" + wire(PEER) + b"Speaker"),
    event(0x12, b"\0" + wire(PEER) + b"\1"),
    le_event(0x12, struct.pack("<BBHB", 0, 7, 0x41, 0)),
    PUBLIC_READ,
    command(0x2036, bytes(25)),
    command(0x0405, wire(PEER) + bytes(7)),
    disconnected(0x41),
    event(0x0E, bytes.fromhex("01030c00")),
]


def check_heard(some: list[Record]) -> None:
    heard = hear_records(some)
    frames = {record.frame for record in some}
    for pdu in heard.pdus:
        assert pdu.pdu
        assert pdu.missing >= 0
        assert pdu.frame in frames
        assert pdu.side in (LOCAL, REMOTE, UNKNOWN_SIDE)
        assert pdu.link is heard.links[pdu.link.number - 1]
    for name in heard.observations.names.values():
        assert name.isprintable()


@given(
    st.lists(
        st.builds(
            lambda link_type, data, extra, flags, interface: Record(
                1, 0, link_type, data, len(data) + extra, flags, interface
            ),
            st.sampled_from([187, 201, 254, 1001, 1002, 2001, 9999]),
            st.binary(max_size=40),
            st.sampled_from([0, 0, 3]),
            st.one_of(st.integers(0, 20), st.integers(0, 0xFFFFFFFF)),
            st.integers(0, 2),
        ),
        max_size=10,
    )
)
def test_no_bytes_at_all_make_the_layer_raise(some: list[Record]) -> None:
    check_heard(some)
    for record in some:
        packet = packet_of(record)
        assert packet is None or isinstance(packet, HciPacket)


@settings(max_examples=100)
@given(st.data())
def test_damaged_traffic_never_makes_the_layer_raise(data: st.DataObject) -> None:
    how = data.draw(st.sampled_from(WRAPPINGS))
    some = wrapped(TRAFFIC, how)
    order = data.draw(st.lists(st.integers(0, len(some) - 1), min_size=5, max_size=40))
    damaged = []
    for frame, index in enumerate(order, 1):
        record = some[index]
        kind = data.draw(st.sampled_from(["as it is", "as it is", "cut", "a byte", "more"]))
        body = bytearray(record.data)
        if kind == "cut":
            del body[data.draw(st.integers(0, len(body))) :]
        elif kind == "a byte" and body:
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
        elif kind == "more":
            body += data.draw(st.binary(min_size=1, max_size=5))
        damaged.append(record._replace(frame=frame, data=bytes(body)))
    check_heard(damaged)


@settings(max_examples=50)
@given(st.data())
def test_any_fragmentation_and_interleaving_gives_each_link_its_pdus_in_order(data: st.DataObject) -> None:
    """Seen from each link and direction, nothing that the others do makes a difference."""
    handles = (0x40, 0x41, 0x42)
    said: dict[tuple[int, int], list[bytes]] = {(handle, side): [] for handle in handles for side in (SENT, RECEIVED)}
    queues: dict[tuple[int, int], list[Packet]] = {key: [] for key in said}
    for key, pdus in said.items():
        for value in data.draw(st.lists(st.binary(max_size=30), max_size=4)):
            pdu = bytes.fromhex("520e00") + value
            pdus.append(pdu)
            queues[key] += fragments(*key, 4, pdu, *data.draw(st.lists(st.integers(1, 12), max_size=4)))
    packets = [connected(handle) for handle in handles]
    while waiting := [key for key in queues if queues[key]]:
        packets.append(queues[data.draw(st.sampled_from(waiting))].pop(0))
    heard = hear(packets)
    assert not heard.observations.counts
    for (handle, side), expected in said.items():
        assert [pdu.pdu for pdu in heard.pdus if (pdu.link.handle, pdu.side) == (handle, side)] == expected


def test_the_short_way_of_whole_att_pdus_says_what_the_long_way_says() -> None:
    some = records([*TRAFFIC, connected(0x40), att(0x40, SENT, READ), att(0x40, RECEIVED, VALUE)])
    short = hear_records(some)
    observations = Observations()
    layer = HciLayer([], observations)
    long = []
    for record in some:
        packet = packet_of(record)
        assert packet is not None
        if packet.packet_type == 2:
            long += layer._acl(record, packet.controller, packet.side, packet.body)
        else:
            long += layer.feed(record)
    assert [pdu._replace(link=pdu.link.number) for pdu in long] == [  # type: ignore[arg-type]
        pdu._replace(link=pdu.link.number)
        for pdu in short.pdus  # type: ignore[arg-type]
    ]
    for name in Observations.__slots__:
        assert getattr(observations, name) == getattr(short.observations, name)


def _bodies() -> list[bytes]:
    """What the parameters of an event may begin with: a handle or an address of a link, with a status or without."""
    handles = [struct.pack("<H", handle) for handle in (0x40, 0x42, 0x43)]
    beginnings = [*handles, *(b"\0" + handle for handle in handles), b"\0\7" + handles[0], b"\0" + wire(PEER)]
    made = [beginning + tail * 30 for beginning in beginnings for tail in (b"\0", b"\1")]
    return [*made, bytes.fromhex("01030c00"), *(body[:4] for body in made)]


@pytest.mark.parametrize("meta", [False, True])
def test_events_that_no_row_depends_on_can_be_left_out(*, meta: bool) -> None:
    late = att(0x43, SENT, READ)
    late.after_ms = 2000
    some = records([att(0x43, SENT, READ), connected_br_edr(0x42), *CONVERSATION, late])

    def outcome(*extra: Record) -> object:
        heard = hear_records([*some[:5], *extra, *some[5:]])
        return heard.rows, [(link.central_side, link.addresses, link.transport) for link in heard.links]

    def event_record(code: int, body: bytes) -> Record:
        data = (le_event if meta else event)(code, body).data
        return Record(99, some[5].time_ns, LinkType.BTSNOOP_H4, data, len(data), 3)

    without = outcome()
    telling = {code for code in range(256) for body in _bodies() if outcome(event_record(code, body)) != without}
    free = ROW_FREE_LE_SUBEVENTS if meta else ROW_FREE_EVENTS
    assert not telling & free
    # And the others are not free for nothing: each does tell something, as far as these bodies can say it.
    assert telling == ({0x01, 0x05, 0x0A, 0x29} if meta else {0x03, 0x05, 0x0E, 0x12})


def test_links_beyond_any_real_number_are_numbered_but_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rig.capture.layers.connections.MAX_LINKS", 2)
    heard = hear([connected(0x40), att(0x40, SENT, READ), disconnected(0x40)] * 4)
    assert [row[1] for row in heard.rows] == [1, 2, 3, 4]
    assert [link.number for link in heard.links] == [1, 2]
    assert heard.observations.counts == {"unlisted_links": 2}
