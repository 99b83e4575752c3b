"""What a capture is: counted right, nothing odd left unsaid, and the same for people and for programs."""

from __future__ import annotations

import csv
import gzip
import json
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rig.capture.embedded_map import PREFIX
from rig.capture.info import Info, inspect
from rig.capture.info_text import lines
from rig.capture.layers.links import MAX_HAPPENINGS, Address, Link
from rig.capture.records import CaptureError
from rig.capture.writer import Direction
from rig.capture.writers import open_writer

CAPTURES = Path(__file__).parents[2] / "captures"
EPOCH_US = 0x00DCDDB30F2F8000


def told(path: Path) -> dict[str, Any]:
    """What --json prints, through JSON."""
    result = json.loads(json.dumps(inspect(path).as_json()))
    assert isinstance(result, dict)
    return result


def shown(info: Info) -> str:
    return "\n".join(lines(info))


def acl(packet: bytes, time_us: int, *, received: bool = True, original: int = 0) -> bytes:
    """One record of a btsnoop file of H4 packets."""
    length = len(packet)
    return struct.pack(">IIIIq", original or length, length, int(received), 0, time_us + EPOCH_US) + packet


def att(pdu: bytes, handle: int = 0x40) -> bytes:
    l2cap = struct.pack("<HH", len(pdu), 4) + pdu
    return b"\x02" + struct.pack("<HH", handle | 0x2000, len(l2cap)) + l2cap


def btsnoop(path: Path, *records: bytes) -> Path:
    path.write_bytes(b"btsnoop\0" + struct.pack(">II", 1, 1002) + b"".join(records))
    return path


# --- real captures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "BLETools__btsnoop_hci.log",
        "bj_led__btsnoop_hci.full.log",
        "bj_led__full.pcapng",
        "bluetooth-candle-go-talk__btsnoop_hci.log",
        "ctf-usb-keyboard-parser__rgbctf2020_PI_1_MagicInTheAir",
        "idealLED__temp.value.txt.log",
        "pongbot-mcp__btsnoop_hci.log.last.gz",
    ],
)
def test_att_is_counted_by_kind_as_the_oracle_counts_it(name: str) -> None:
    oracle = CAPTURES / "att" / f"{name.removesuffix('.gz')}.tsv"
    if name.endswith(".gz"):
        text = gzip.decompress(oracle.with_suffix(".tsv.gz").read_bytes()).decode()
    else:
        text = oracle.read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
    found = inspect(CAPTURES / name)
    assert found.att.pdus.total() == len(rows)
    assert found.att.errors.total() == sum(row["pdu"].startswith("01") for row in rows)
    whole: Counter[str] = Counter()
    for counts in found.att_of_link.values():
        whole.update(counts.pdus)
    assert whole == found.att.pdus


def test_a_phones_capture_is_described_with_its_links_roles_names_and_what_became_of_them() -> None:
    info = told(CAPTURES / "pongbot-mcp__btsnoop_hci.log.last.gz")
    assert (info["container"], info["gzip"], info["records"]) == ("btsnoop", True, 8018)
    assert info["details"] == {"version": 1, "datalink": 1002, "dropped_records": 0}
    assert info["link_types"] == [{"link_type": 1002, "name": "HCI, H4", "records": 8018}]
    assert info["earliest_time_ns"] == info["first_time_ns"] == 1773950641695475000
    assert info["span_ns"] == info["latest_time_ns"] - info["earliest_time_ns"]
    assert [link["link"] for link in info["links"]] == list(range(1, 15))
    first = info["links"][0]
    assert (first["transport"], first["handle"], first["access_address"]) == ("le", "0x0041", None)
    assert first["beginning_seen"] is True
    host, device = first["sides"]
    assert (host["side"], host["role"]) == ("local", "central")
    assert device == {
        "side": "remote", "role": "peripheral", "address": "74:B8:39:DF:CE:4A", "random_address": False,
        "name": "S9e4424fa1c48fe2cC", "discovery": "complete", "attributes": 16,
    }  # fmt: skip
    kinds = [happening["kind"] for happening in first["history"]]
    assert kinds[0] == "connected"
    assert kinds[-1] == "disconnected"
    mtu = next(happening for happening in first["history"] if happening["kind"] == "mtu")
    assert (mtu["frame"], mtu["mtu_bytes"]) == (328, 115)
    parameters = [one["interval_ms"] for one in first["history"] if one["kind"] == "parameters"]
    assert parameters == [48.75, 48.75]
    assert {one["kind"]: one["count"] for one in info["odd"]} == {
        "failed_connections": 229,
        "cancelled_connections": 35,
    }
    assert info["damage"] is None


def test_a_sniffed_capture_tells_of_pairing_encryption_retransmissions_and_bad_crcs() -> None:
    info = told(CAPTURES / "crackle__le_secure_connections.pcapng")
    (link,) = info["links"]
    assert (link["handle"], link["access_address"]) == (None, "0x50654a27")
    assert [side["role"] for side in link["sides"]] == ["central", "peripheral"]
    steps = [one.get("step") for one in link["history"] if one["kind"] == "pairing"]
    assert steps[:2] == ["request", "response"]
    assert "on" in [one.get("state") for one in link["history"] if one["kind"] == "encryption"]
    odd = {one["kind"]: one for one in info["odd"]}
    assert odd["retransmissions"]["count"] > 0
    assert odd["crc_errors"]["count"] == 2
    assert odd["crc_errors"]["examples"][0]["frame"] == 132
    assert odd["encrypted_pdus"]["count"] > 0
    text = shown(inspect(CAPTURES / "crackle__le_secure_connections.pcapng"))
    for part in ("crc errors  first in frame 132", "retransmissions", "encrypted pdus", "pairing: step request"):
        assert part in text


def test_text_says_what_json_says() -> None:
    path = CAPTURES / "BLETools__btsnoop_hci.log"
    info, text = told(path), shown(inspect(path))
    assert f"records       {info['records']:,} in " in text
    for link in info["links"]:
        assert f"link {link['link']}: LE, connection handle {link['handle']}, frames {link['first_frame']} to " in text
        for side in link["sides"]:
            assert side["address"] is None or side["address"] in text
        for kind, count in link["att"].items():
            assert f"{count:,} {kind}" in text
    for one in info["odd"]:
        assert f"{one['count']:>9,}  {one['kind'].replace('_', ' ')}" in text
    assert max(map(len, text.splitlines())) <= 110


# --- what may be odd --------------------------------------------------------------------------------------------------


def test_times_that_go_backwards_are_told_and_the_span_is_from_the_earliest_to_the_latest(tmp_path: Path) -> None:
    path = btsnoop(
        tmp_path / "x.log",
        *(acl(att(b"\x1b\1\0\1"), time_us) for time_us in (5_000_000, 1_000_000, 1_000_000, 9_000_000, 8_999_999)),
    )
    info = told(path)
    assert (info["first_time_ns"], info["earliest_time_ns"]) == (5_000_000_000, 1_000_000_000)
    assert info["span_ns"] == 8_000_000_000
    (odd,) = info["odd"]
    assert (odd["kind"], odd["count"]) == ("backward_times", 2)
    assert odd["examples"] == [
        {"frame": 2, "what": "4.000000000 s before the record before it"},
        {"frame": 5, "what": "0.000001000 s before the record before it"},
    ]
    assert "        2  backward times  first in frame 2: 4.000000000 s" in shown(inspect(path))


def test_records_that_were_cut_or_dropped_by_the_recorder_are_told(tmp_path: Path) -> None:
    packet = att(b"\x1b\1\0" + bytes(10))
    cut = acl(packet[:-4], 2, original=len(packet))
    path = btsnoop(tmp_path / "x.log", acl(packet, 1), cut[:12] + struct.pack(">I", 7) + cut[16:])
    odd = {one["kind"]: one for one in told(path)["odd"]}
    assert odd["truncated_records"]["count"] == 1
    assert odd["truncated_records"]["examples"] == [{"frame": 2, "what": "18 of 22 bytes were recorded"}]
    assert odd["dropped_records"]["count"] == 7
    assert "        7  dropped records" in shown(inspect(path))


def test_a_capture_with_nothing_odd_says_so(tmp_path: Path) -> None:
    path = btsnoop(tmp_path / "x.log", acl(att(b"\x1b\1\0\1"), 1))
    assert shown(inspect(path)).splitlines()[-1] == "nothing odd"
    assert told(path)["odd"] == []


def test_a_capture_without_records_is_one_without_links(tmp_path: Path) -> None:
    path = btsnoop(tmp_path / "x.log")
    info = told(path)
    assert (info["records"], info["first_time_ns"], info["span_ns"], info["links"]) == (0, None, 0, [])
    text = shown(inspect(path))
    for row in ("records       none", "links         none", "ATT           none"):
        assert row in text.splitlines()


def test_damage_is_part_of_what_is_told_and_not_raised(tmp_path: Path) -> None:
    path = btsnoop(tmp_path / "x.log", acl(att(b"\x1b\1\0\1"), 1), b"\0" * 10)
    info = inspect(path)
    assert isinstance(info.damage, CaptureError)
    assert info.records == 1
    assert info.as_json()["damage"] == {"offset": info.damage.offset, "problem": info.damage.problem}


def test_what_cannot_be_read_at_all_is_raised(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no such file"):
        inspect(tmp_path / "gone.log")


def test_errors_are_counted_by_name_and_by_number_where_they_have_none(tmp_path: Path) -> None:
    path = btsnoop(
        tmp_path / "x.log",
        *(acl(att(bytes.fromhex(pdu)), 1) for pdu in ("01 0a 0100 02", "01 0a 0100 80", "01 0a 0100 80", "01 0a")),
    )
    info = told(path)
    assert info["att"] == {"error_response": 4}
    assert info["att_errors"] == {"0x80": 2, "read_not_permitted": 1}
    assert "errors      2 0x80, 1 read_not_permitted" in shown(inspect(path))


def test_what_a_terminal_would_obey_is_spelled_out() -> None:
    info = Info("\x1b[31m.log", 1, compressed=False, format="pcapng", details={"comment": "red\x1b[31m\nline"})
    link = Link(1, "le", handle=1, addresses=[None, Address("AA:BB:CC:DD:EE:FF")])
    link.happened(1, 0, "connected", reason="\x07bell")
    info.links = [link]
    info.servers = {1: [None, None]}
    info.observations.names["AA:BB:CC:DD:EE:FF"] = "\x1b]0;title\x07\u202ename"
    info.observations.odd("strange", 1, "\x1b[2J")
    info.comments, info.comment_count = [(1, "a\x1b[1mcomment\r\nin two lines")], 1
    text = list(lines(info))
    assert all(line.isprintable() for line in text)
    assert any("\\x1b]0;title\\x07\\u202ename" in line for line in text)
    assert any("a\\x1b[1mcomment in two lines" in line for line in text)
    json.dumps(info.as_json())


def test_a_long_history_is_cut_for_people_and_whole_for_programs() -> None:
    info = Info("x", 1, compressed=False, format="btsnoop", details={})
    link = Link(1, "le", handle=1)
    for frame in range(100):
        link.happened(frame, frame, "parameters", interval_ms=7.5)
    info.links, info.servers = [link], {1: [None, None]}
    text = shown(info)
    assert text.count("parameters: interval 7.5 ms") == 40
    assert "… and 60 more, all of them with --json" in text
    (told_link,) = info.as_json()["links"]  # type: ignore[misc]
    assert len(told_link["history"]) == 100


def test_details_of_any_kind_are_json_ready() -> None:
    details = {"raw": b"\1\2", "many": ({1, 2}, frozenset({3})), "nested": {"path": Path("x"), "n": None}, "f": 0.5}
    info = Info("x", None, compressed=False, format="own", details=details)
    plain = json.loads(json.dumps(info.as_json()))["details"]
    assert plain == {"raw": "0102", "many": [[1, 2], [3]], "nested": {"path": "x", "n": None}, "f": 0.5}
    assert "from a pipe" in shown(info)


def test_comments_are_kept_with_their_frames_and_counted_beyond_the_first_hundred(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    with path.open("wb") as file:
        writer = open_writer("pcapng", file, ("on the whole",))
        for number in range(60):
            writer.write(
                att(b"\x1b\1\0\1"), Direction.RECEIVED, number, comments=(f"first {number}", f"second {number}")
            )
    info = told(path)
    assert info["comment_count"] == 120
    assert info["comments"][:3] == [
        {"frame": 1, "comment": "first 0"}, {"frame": 1, "comment": "second 0"}, {"frame": 2, "comment": "first 1"},
    ]  # fmt: skip
    assert len(info["comments"]) == 100
    assert info["details"]["comments"] == ["on the whole"]
    text = shown(inspect(path))
    assert text.count("  frame ") == 100
    assert "… and 20 more" in text
    assert "  capture       on the whole" in text


def test_a_map_in_a_comment_that_is_none_is_told_and_the_capture_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    with path.open("wb") as file:
        writer = open_writer("pcapng", file, (f"{PREFIX}1/2: {{",))
        writer.write(att(b"\x1b\1\0\1"), Direction.RECEIVED, 0)
    info = told(path)
    assert (info["records"], info["handle_map"], info["att"]) == (1, None, {"handle_value_notification": 1})
    (odd,) = info["odd"]
    assert (odd["kind"], odd["count"]) == ("unusable_handle_maps", 1)
    assert "1  unusable handle maps  the handle map in the capture's comments" in shown(inspect(path))


def test_a_history_that_was_not_kept_to_its_end_is_told() -> None:
    info = Info("x", 1, compressed=False, format="btsnoop", details={})
    link = Link(1, "le", handle=1)
    info.links, info.servers = [link], {1: [None, None]}
    for frame in range(MAX_HAPPENINGS):
        link.happened(frame, frame, "phy")
        if frame == MAX_HAPPENINGS - 2:
            assert told_of(info)["history_complete"] is True
    assert told_of(info)["history_complete"] is False
    assert f"what happened after the first {MAX_HAPPENINGS}, which is not kept" in shown(info)


def told_of(info: Info) -> dict[str, Any]:
    (link,) = info.as_json()["links"]  # type: ignore[misc]
    assert isinstance(link, dict)
    return link


def test_many_names_are_cut_for_people_and_whole_for_programs() -> None:
    info = Info("x", 1, compressed=False, format="btsnoop", details={})
    info.observations.names.update({f"00:00:00:00:00:{number:02X}": "one" for number in range(50)})
    text = shown(info)
    assert text.count('"one"') == 40
    assert "… and 10 more, all of them with --json" in text
    assert len(info.as_json()["names"]) == 50  # type: ignore[arg-type]
