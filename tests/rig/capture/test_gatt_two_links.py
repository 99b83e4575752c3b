"""Where tshark and we name a handle differently, and how the capture itself shows who is right.

tshark keeps one handle table for all links, and one outstanding request for both directions of a link. The witness here
is a third reader, as plain as can be: what a server answered to discovery on its own links, by its own address.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from rig.capture.gatt import uuid_text
from rig.capture.layers.links import LOCAL, REMOTE, AttPdu
from rig.capture.reading import Reading

CAPTURES = Path(__file__).parents[2] / "captures"
TWO_LINKS = "pongbot-mcp__btsnoop_hci.log.last.gz"
BOTH_ASK = "ctf-usb-keyboard-parser__rgbctf2020_PI_1_MagicInTheAir"

READ_BY_TYPE, READ_BY_TYPE_RESPONSE, INFORMATION_RESPONSE, GROUPS_RESPONSE = 0x08, 0x09, 0x05, 0x11
NOTIFICATION, INDICATION = 0x1B, 0x1D


class Named(NamedTuple):
    pdu: AttPdu
    handle: int | None
    ours: str
    tshark: str


@cache
def both(name: str) -> tuple[Named, ...]:
    """Every PDU of a capture with both names."""
    path = CAPTURES / "att" / f"{name.removesuffix('.gz')}.tsv"
    text = path.read_text() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes()).decode()
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    theirs = {(int(row["frame"]), row["pdu"]): plain(row["uuid"]) for row in rows}
    found = []
    with Reading(CAPTURES / name) as reading:
        for pdu in reading.pdus():
            handle, uuid = reading.tracker.name(pdu)
            found.append(Named(pdu, handle, plain(uuid), theirs.pop((pdu.frame, pdu.pdu.hex()))))
    assert not theirs
    return tuple(found)


def plain(uuid: str) -> str:
    return uuid.removeprefix("0x").replace("-", "")


def server(pdu: AttPdu) -> object:
    """Who has the attribute that a write, a notification or an indication is about: an address, or the local host."""
    side = pdu.side if pdu.pdu[0] in (NOTIFICATION, INDICATION) else 1 - pdu.side
    return "local" if side == LOCAL else pdu.link.addresses[REMOTE]


def told(pdus: Iterable[AttPdu]) -> dict[object, dict[int, list[tuple[int, str]]]]:
    """What each server said of its handles: server to handle to (frame, UUID), in the order in which it said so."""
    found: dict[object, dict[int, list[tuple[int, str]]]] = defaultdict(lambda: defaultdict(list))
    asked: dict[tuple[int, int], bytes] = {}
    for pdu in pdus:
        data, client = pdu.pdu, (pdu.link.number, 1 - pdu.side)
        who = "local" if pdu.side == LOCAL else pdu.link.addresses[REMOTE]
        if data[0] == READ_BY_TYPE:
            asked[pdu.link.number, pdu.side] = data
        elif data[0] == READ_BY_TYPE_RESPONSE and asked.get(client, b"")[5:] == b"\x03\x28":
            for at in range(2, len(data), data[1]):
                declared = data[at : at + data[1]]
                found[who][int.from_bytes(declared[3:5], "little")].append((pdu.frame, plain(uuid_text(declared[5:]))))
        elif data[0] == INFORMATION_RESPONSE:
            size = 2 + {1: 2, 2: 16}[data[1]]
            for at in range(2, len(data), size):
                handle = int.from_bytes(data[at : at + 2], "little")
                found[who][handle].append((pdu.frame, plain(uuid_text(data[at + 2 : at + size]))))
    return found


def test_with_two_links_up_tshark_takes_the_table_of_the_wrong_device_and_we_do_not() -> None:
    rows = both(TWO_LINKS)
    witness = told(row.pdu for row in rows)
    differ = [row for row in rows if row.ours and row.tshark and row.ours != row.tshark]

    assert len(differ) == 265
    for row in differ:
        assert row.handle is not None
        own = [uuid for frame, uuid in witness[server(row.pdu)][row.handle] if frame < row.pdu.frame]
        others = {
            uuid
            for who, handles in witness.items()
            if who != server(row.pdu)
            for uuid in (*(uuid for _, uuid in handles.get(row.handle, ())), "2803", "2800")
        }
        assert set(own) == {row.ours}, f"frame {row.pdu.frame}: the server itself had said what the handle is"
        assert row.tshark not in own
        assert row.tshark in others, f"frame {row.pdu.frame}: what tshark says, another device had said"
    assert {server(row.pdu) for row in differ} <= witness.keys()
    assert len({server(row.pdu) for row in differ}) > 1


def test_what_we_leave_blank_there_was_never_told_by_the_server_that_has_the_handle() -> None:
    rows = both(TWO_LINKS)
    witness = told(row.pdu for row in rows)
    blank = [row for row in rows if row.tshark and not row.ours]

    assert [(row.pdu.frame, row.handle, row.tshark) for row in blank] == [
        (1063, 3, "2a00"),  # the phone's own service changed indication, which tshark calls a device name
        (1064, 3, "2a00"),
        (1065, 3, "2a00"),
        (1068, 3, "2a00"),
        (1127, 13, "2902"),  # a watch whose table the phone had in its cache
        (5958, 13, "2902"),
        (6573, 13, "2901"),  # the same handle of the same watch, and for tshark another descriptor
    ]
    for row in blank:
        assert row.handle is not None
        assert [frame for frame, _ in witness[server(row.pdu)][row.handle] if frame < row.pdu.frame] == []


def test_the_indications_left_blank_turn_out_not_to_be_of_what_tshark_says() -> None:
    witness = told(row.pdu for row in both(TWO_LINKS))
    assert {uuid for _, uuid in witness["local"][3]} == {"2a05"}  # discovered later, by the watch


def test_all_other_names_there_agree() -> None:
    agree = [row for row in both(TWO_LINKS) if row.tshark and row.ours == row.tshark]
    assert len(agree) == 359


def test_with_requests_under_way_in_both_directions_tshark_takes_the_response_for_that_to_the_other_side() -> None:
    rows = both(BOTH_ASK)
    differ = [row for row in rows if row.ours and row.tshark and row.ours != row.tshark]

    assert [(row.pdu.frame, row.handle, row.ours, row.tshark) for row in differ] == [
        (230, 0x23, "2a4a", "2a00"),
        (236, 0x2A, "2a4b", "2a01"),
    ]
    by_frame = {row.pdu.frame: row.pdu for row in rows}
    # Frame 226: the host asks the keyboard. 227: the keyboard asks the host, and 228 is the host's answer to that.
    assert [(by_frame[frame].side, by_frame[frame].pdu) for frame in (226, 227, 228, 230)] == [
        (LOCAL, bytes.fromhex("0a2300")),
        (REMOTE, bytes.fromhex("0a0300")),
        (LOCAL, b"\x0bkali"),
        (REMOTE, bytes.fromhex("0b11010003")),
    ]
    # HID Information is bcdHID, country, flags: 1.11, none, 3 (HID Service 1.0, 4.5); no name, as tshark has it.
    # The Report Map of frame 236 begins with Usage Page (Generic Desktop), Usage (Keyboard); an appearance is 2 octets.
    assert by_frame[236].pdu.startswith(bytes.fromhex("0b05010906a101"))
    keyboard = told(row.pdu for row in rows)[server(by_frame[226])]
    assert {uuid for _, uuid in keyboard[0x23]} == {"2a4a"}
    assert {uuid for _, uuid in keyboard[0x2A]} == {"2a4b"}
    assert [row.pdu.frame for row in rows if row.tshark and not row.ours] == []
