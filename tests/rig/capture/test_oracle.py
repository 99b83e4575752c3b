"""Every row of the real captures, against what tshark read off the same files (tests/captures/att, SOURCES.tsv)."""

from __future__ import annotations

import csv
import gzip
import io
from decimal import Decimal
from pathlib import Path

import pytest

from rig.capture.decode import write_tsv
from rig.capture.registry import open_reader

CAPTURES = Path(__file__).parents[2] / "captures"
SOURCES = {
    row["file"]: row for row in csv.DictReader((CAPTURES / "SOURCES.tsv").read_text().splitlines(), delimiter="\t")
}
SNIFFED = {name for name, row in SOURCES.items() if row["link_type"][:3] in {"192", "256", "272"}}
TWO_LINKS = "pongbot-mcp__btsnoop_hci.log.last.gz"
MICROSECOND = Decimal("0.0000011")  # the oracle has microseconds for most files
BASE = "-0000-1000-8000-00805f9b34fb"

# Where tshark is wrong, and the tests below that show it: frames whose PDU, and frames whose UUID, is not the oracle's.
WRONG_PDUS = {"idealLED__set_collection.pcapng.gz": {9151}}
WRONG_UUIDS = {"ctf-usb-keyboard-parser__rgbctf2020_PI_1_MagicInTheAir": {230, 236}}

Key = tuple[int, str]


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def _oracle(name: str) -> list[dict[str, str]]:
    plain = name.removesuffix(".gz")
    path = CAPTURES / "att" / f"{plain}.tsv"
    text = path.read_text() if path.exists() else gzip.decompress(Path(f"{path}.gz").read_bytes()).decode()
    return _rows(text)


def _decoded(name: str) -> list[dict[str, str]]:
    out = io.BytesIO()
    write_tsv(CAPTURES / name, out)
    return _rows(out.getvalue().decode())


def _key(row: dict[str, str]) -> Key:
    return int(row["frame"]), row["pdu"].lower()


def _uuid(text: str) -> str:
    short = text.strip().lower().removeprefix("0x")
    if short.endswith(BASE) and short.startswith("0000"):
        short = short[4:8]
    return short.replace("-", "")


def _repetitions(oracle: list[dict[str, str]]) -> set[Key]:
    """Rows that were on the air twice: tshark flags some, and shows the others as the same PDU shortly before."""
    return {
        _key(row)
        for place, row in enumerate(oracle)
        if "Retransmission" in row["note"]
        or "CRC" in row["note"]
        or any(earlier["pdu"] == row["pdu"] for earlier in oracle[max(0, place - 12) : place])
    }


def test_every_capture_here_names_its_source_and_a_licence_that_allows_it() -> None:
    files = {path.name for path in CAPTURES.iterdir() if path.is_file() and path.suffix not in {".tsv", ".md"}}

    assert files == SOURCES.keys()
    for row in SOURCES.values():
        assert row["licence"] in {"MIT", "BSD", "Apache-2.0"}
        assert len(row["commit"]) == 40
        assert "/" in row["repository"]


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_the_rows_are_those_of_the_oracle_at_the_same_times(name: str) -> None:
    oracle = _oracle(name)
    decoded = {_key(row): row for row in _decoded(name)}
    expected = {_key(row): row for row in oracle}
    optional = _repetitions(oracle) if name in SNIFFED else set()

    assert len(oracle) == int(SOURCES[name]["att_rows"])
    missing = {key[0] for key in expected.keys() - decoded.keys() - optional}
    extra = {key[0] for key in decoded.keys() - expected.keys()}
    assert missing == extra == WRONG_PDUS.get(name, set())
    late = [
        key
        for key, row in expected.items()
        if key in decoded
        and "Fractional" not in row["note"]  # tshark says itself that it cannot read the time of these
        and abs(Decimal(decoded[key]["time"]) - Decimal(row["time"])) > MICROSECOND
    ]
    assert late == []


@pytest.mark.parametrize("name", sorted(SOURCES.keys() - {TWO_LINKS}))
def test_every_handle_means_what_the_oracle_says(name: str) -> None:
    decoded = {_key(row): row for row in _decoded(name)}
    named = [row for row in _oracle(name) if row["uuid"] and _key(row) in decoded]

    wrong = [
        (_key(row), _uuid(row["uuid"]), _uuid(decoded[_key(row)]["uuid"]))
        for row in named
        if decoded[_key(row)]["uuid"] and _uuid(decoded[_key(row)]["uuid"]) != _uuid(row["uuid"])
    ]
    blank = [_key(row) for row in named if not decoded[_key(row)]["uuid"]]
    assert {frame for (frame, _), _, _ in wrong} == WRONG_UUIDS.get(name, set()), wrong
    assert len(blank) <= 1, blank  # tshark remembers one handle from outside the capture's own discovery


def test_senders_are_told_wherever_the_capture_shows_who_is_the_central() -> None:
    decoded = _decoded("BLETools__btsnoop_hci.log")

    assert {row["sender"] for row in decoded} == {"central", "peripheral"}
    for row in decoded:  # a phone as the central, and client of all there is to read and write
        if row["opcode"] in {"read_request", "write_command", "find_information_request"}:
            assert row["sender"] == "central"
        elif row["opcode"] in {"read_response", "handle_value_notification", "find_information_response"}:
            assert row["sender"] == "peripheral"


def test_a_response_answers_the_request_of_its_own_client_when_both_sides_ask_at_once() -> None:
    """The keyboard and the computer each read the other: tshark gives both answers to the request that came last."""
    decoded = {int(row["frame"]): row for row in _decoded("ctf-usb-keyboard-parser__rgbctf2020_PI_1_MagicInTheAir")}

    def said(frame: int) -> tuple[str, str, str, str]:
        row = decoded[frame]
        return row["sender"], row["opcode"], row["handle"], row["uuid"]

    assert said(226) == ("central", "read_request", "0x0023", "2a4a")
    assert said(227) == ("peripheral", "read_request", "0x0003", "2a00")
    assert said(228) == ("central", "read_response", "0x0003", "2a00")
    assert bytes.fromhex(decoded[228]["value"]) == b"kali"  # the Device Name
    assert said(230) == ("peripheral", "read_response", "0x0023", "2a4a")
    assert decoded[230]["value"] == "11010003"  # HID Information: bcdHID 1.11, no country, remote wake, connectable
    assert said(231) == ("central", "read_request", "0x002a", "2a4b")
    assert said(236) == ("peripheral", "read_response", "0x002a", "2a4b")
    assert decoded[236]["value"].startswith("05010906a101")  # a HID report descriptor: a keyboard's collection


def test_a_fragment_that_failed_its_crc_gives_way_to_its_retransmission() -> None:
    """Frame 9147 is marked as damaged, 9149 repeats it whole; tshark builds its PDU of the damaged bytes."""
    name = "idealLED__set_collection.pcapng.gz"
    records = {record.frame: record.data for record in open_reader(CAPTURES / name).records()}
    crc_ok, header = 8, slice(17 + 4, 17 + 6)  # nRF Sniffer header version 3: flags; 17 octets, access address, header
    assert [records[frame][crc_ok] & 1 for frame in (9145, 9147, 9149, 9151)] == [1, 0, 1, 1]
    sequence = [records[frame][header][0] >> 3 & 1 for frame in (9145, 9147, 9149, 9151)]
    assert sequence == [0, 1, 1, 0]  # 9149 has the sequence number of 9147: the same fragment again

    theirs = next(row["pdu"] for row in _oracle(name) if row["frame"] == "9151")
    ours = next(row["pdu"] for row in _decoded(name) if row["frame"] == "9151")

    damaged = records[9147][23:-3].hex()
    whole = records[9149][23:-3].hex()
    assert damaged in theirs
    assert whole in ours
    assert damaged not in ours
    assert ours == theirs.replace(damaged, whole)
