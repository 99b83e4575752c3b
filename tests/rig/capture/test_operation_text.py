"""GATT operations as text: the same in every format, and readable in a table."""

from __future__ import annotations

import json

from rig.capture import operation_text as text
from rig.capture.operations import GattOperation

READ = GattOperation(
    "read", 1, 7, 1_600_000_000_000_000_000, 9, 1_600_000_000_012_345_678, "central", 0, 0x12, "2a00", "1800", "2a00",
    b"Dr-05",
)  # fmt: skip
REFUSED = READ._replace(kind="write", frame=10, value=b"\1", error=0x03, end_frame=11)
UNANSWERED = READ._replace(
    kind="write", frame=12, uuid="2902", characteristic="ffe1", value=b"\1\0", end_frame=None, end_time_ns=None,
    complete=False,
)  # fmt: skip
MTU = READ._replace(
    kind="mtu", handle=None, uuid="", service="", characteristic="", value=None, mtu=(517, None), sender="unknown"
)
PUSHED = READ._replace(kind="notification", end_frame=7, end_time_ns=READ.time_ns, complete=False, offset=3)


def named(uuid: str) -> str:
    return {"2902": "Client Characteristic Configuration"}.get(uuid, "")


def test_tsv_has_a_column_for_everything_that_is_known_of_an_operation() -> None:
    header, read, mtu = (line.rstrip("\n").split("\t") for line in text.tsv([READ, MTU]))
    assert dict(zip(header, read, strict=True)) == {
        "frame": "7", "time": "1600000000.000000000", "end_frame": "9", "end_time": "1600000000.012345678", "link": "1",
        "sender": "central", "operation": "read", "handle": "0x0012", "uuid": "2a00", "service": "1800",
        "characteristic": "2a00", "value": "44722d3035", "offset": "0", "complete": "true", "error": "",
        "client_mtu": "", "server_mtu": "",
    }  # fmt: skip
    told = dict(zip(header, mtu, strict=True))
    assert (told["handle"], told["value"], told["client_mtu"], told["server_mtu"]) == ("", "", "517", "")


def test_json_says_the_same_with_null_for_what_is_not_known() -> None:
    assert json.loads(text.json_object(UNANSWERED)) == {
        "frame": 12, "time": 1600000000.0, "end_frame": None, "end_time": None, "link": 1, "sender": "central",
        "operation": "write", "handle": "0x0012", "uuid": "2902", "service": "1800", "characteristic": "ffe1",
        "value": "0100", "offset": 0, "complete": False, "error": None, "client_mtu": None, "server_mtu": None,
    }  # fmt: skip
    assert json.loads(text.json_object(REFUSED))["error"] == "write_not_permitted"
    assert json.loads(text.json_object(REFUSED._replace(error=0x80)))["error"] == "0x80"


def test_an_empty_value_is_not_a_missing_one() -> None:
    assert json.loads(text.json_object(READ._replace(value=b"")))["value"] == ""
    assert json.loads(text.json_object(MTU))["value"] is None


def test_a_table_shows_how_long_an_answer_took_and_what_came_of_it() -> None:
    first, headings, *lines = text.table([READ, REFUSED, UNANSWERED, MTU, PUSHED], named)
    assert first.startswith("times are seconds since 2020-09-13 12:26:40.000000 UTC, an answer took milliseconds\n> ")
    assert headings.split() == ["frame", "time", "took", "link", "what", "handle", "attribute", "value"]
    read, refused, unanswered, mtu, pushed = (line.split() for line in lines)
    assert read[:4] == ["7", "0.000000", "12.345", "1"]
    assert "0x0012  2a00  " in lines[0]  # a value is its characteristic's, and not `of` it
    assert read[-6:] == ["44", "72", "2d", "30", "35", '"Dr-05"']
    assert refused[-2:] == ["01", "write_not_permitted"]
    assert "2902 Client Characteristic Configuration of ffe1" in lines[2]
    assert lines[2].endswith("01 00  no answer in the capture\n")
    assert unanswered[:3] == ["12", "0.000000", "1"]
    assert lines[3].endswith("client 517, server ?\n")
    assert mtu[4] == "?"
    assert pushed[:3] == ["7", "0.000000", "1"]
    assert lines[4].endswith("from octet 3  not all of it is in the capture\n")


def test_a_capture_without_operations_says_so() -> None:
    assert list(text.table([], named)) == ["no ATT in this capture\n"]
