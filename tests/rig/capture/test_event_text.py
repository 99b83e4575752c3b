"""What app and device said, as text: the same in every format, one line an event whatever is in it."""

from __future__ import annotations

import json
from decimal import Decimal

from rig.capture import event_text as text
from rig.capture.events import DeviceEvent

SET = DeviceEvent(
    frame=7, time_ns=1_600_000_000_000_000_001, link=1, protocol="dr05", by="host", kind="command",
    name="set_intensity", data={"percent": 20}, reason="", latency_s=None, uuid="ffe1", handle=0x10,
    raw=bytes.fromhex("55aa0600a6320202 14"),
)  # fmt: skip
TAKEN = SET._replace(frame=9, by="device", kind="acknowledged", latency_s=0.1 + 0.2)
REFUSED = SET._replace(frame=10, kind="refused", name="total_stop", data={}, reason="the checksum is low byte first")
STRANGE = SET._replace(
    frame=11, time_ns=SET.time_ns + 2_000_000_000, kind="unrecognised", name="", data={},
    reason='a\ttab, "quotes"\n\x1b[2J',
)  # fmt: skip


def test_tsv_has_a_column_for_everything() -> None:
    header, *rows = (line.rstrip("\n").split("\t") for line in text.tsv([SET, TAKEN, REFUSED]))
    command, taken, refused = (dict(zip(header, row, strict=True)) for row in rows)
    assert command == {
        "frame": "7", "time": "1600000000.000000001", "link": "1", "protocol": "dr05", "by": "host", "kind": "command",
        "name": "set_intensity", "data": '{"percent": 20}', "reason": "", "latency_s": "", "uuid": "ffe1",
        "handle": "0x0010", "raw": "55aa0600a632020214", "text": "set intensity 20 %",
    }  # fmt: skip
    assert taken["latency_s"] == "0.3"
    assert (refused["data"], refused["reason"]) == ("", "the checksum is low byte first")


def test_json_says_the_same_with_null_for_what_does_not_apply() -> None:
    told = json.loads(text.json_object(TAKEN), parse_float=Decimal)
    assert tuple(told) == text.COLUMNS
    assert (told["time"], told["latency_s"]) == (Decimal("1600000000.000000001"), Decimal("0.3"))
    assert (told["data"], told["reason"]) == ({"percent": 20}, None)
    assert json.loads(text.json_object(REFUSED))["data"] == {}
    assert json.loads(text.json_object(TAKEN._replace(latency_s=0.0)))["latency_s"] == 0


def test_whatever_a_device_says_is_one_line() -> None:
    assert json.loads(text.json_object(STRANGE))["reason"] == STRANGE.reason
    header, row = text.tsv([STRANGE])
    assert row.count("\n") == 1
    assert row.count("\t") == header.count("\t")
    assert '"quotes"' in row
    header, row = text.tsv([STRANGE._replace(reason="\x9b2J")])  # which JSON lets pass, and a terminal may obey
    assert row[:-1].replace("\t", "").isprintable()
    *_, line = text.table([STRANGE])
    assert line[:-1].isprintable()


def test_a_table_counts_from_the_first_event_and_tells_each_as_a_sentence() -> None:
    first, headings, command, refused, strange = text.table([SET, REFUSED, STRANGE])
    assert first == "times are seconds since 2020-09-13 12:26:40.000000 UTC\n\n"
    assert headings.split() == ["frame", "time", "link", "protocol", "by", "octets", "what"]
    assert command == "    7  0.000000     1  dr05      host  55 aa 06 00 a6 32 02 02 14  set intensity 20 %\n"
    assert refused.endswith("total stop: will be refused, the checksum is low byte first\n")
    assert strange.split()[1] == "2.000000"


def test_a_capture_without_events_is_an_empty_table() -> None:
    assert list(text.table([])) == []
    assert len(list(text.tsv([]))) == 1
