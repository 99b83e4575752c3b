"""ATT rows as text: exact for programs, harmless and aligned for eyes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.capture import assigned, text
from rig.capture.records import CaptureError
from rig.capture.rows import AttRow

NOTIFICATION = AttRow(7, 1_600_000_000_123_456_789, 1, "peripheral", 0x1B, 0x12, "ffe1", b"\x01\x02", b"\x1b\x12\0\1\2")
REQUEST = AttRow(8, 1_600_000_001_000_000_000, 2, "central", 0x02, None, "", None, bytes.fromhex("02f700"))


def no_names(_: str) -> str:
    return ""


@pytest.mark.parametrize(
    ("time_ns", "shown"),
    [
        (0, "0.000000000"),
        (1, "0.000000001"),
        (-1, "-0.000000001"),
        (-1_000_000_000, "-1.000000000"),
        (-1_500_000_000, "-1.500000000"),
        (1_600_000_000_123_456_789, "1600000000.123456789"),
        (-62_167_219_200_000_001_000, "-62167219200.000001000"),  # a microsecond before btsnoop's year 0
    ],
)
def test_a_time_is_shown_with_all_its_nanoseconds(time_ns: int, shown: str) -> None:
    assert text.seconds(time_ns) == shown


@given(st.integers(-(2**80), 2**80))
def test_every_time_is_exact(time_ns: int) -> None:
    shown = text.seconds(time_ns)
    assert Decimal(shown) * 10**9 == time_ns
    assert len(shown.partition(".")[2]) == 9
    assert text.tsv_line(REQUEST._replace(time_ns=time_ns)).split("\t")[1] == shown


def test_a_tsv_row_has_the_documented_columns() -> None:
    header, first, second = text.tsv([NOTIFICATION, REQUEST])
    assert header == "frame\ttime\tlink\tsender\topcode\thandle\tuuid\tvalue\tpdu\n"
    assert first == (
        "7\t1600000000.123456789\t1\tperipheral\thandle_value_notification\t0x0012\tffe1\t0102\t1b12000102\n"
    )
    assert second == "8\t1600000001.000000000\t2\tcentral\texchange_mtu_request\t\t\t\t02f700\n"


def test_an_opcode_that_the_specification_lacks_is_shown_by_its_number() -> None:
    assert text.tsv_line(REQUEST._replace(opcode=0x7F)).split("\t")[4] == "unknown_0x7f"
    assert text.tsv_line(REQUEST._replace(opcode=-1, pdu=b"")).split("\t")[4] == ""


def test_json_has_the_columns_as_keys_and_null_for_what_is_not_known() -> None:
    notified = json.loads(text.json_object(NOTIFICATION), parse_float=Decimal)
    assert notified == {
        "frame": 7, "time": Decimal("1600000000.123456789"), "link": 1, "sender": "peripheral",
        "opcode": "handle_value_notification", "handle": "0x0012", "uuid": "ffe1", "value": "0102", "pdu": "1b12000102",
    }  # fmt: skip
    asked = json.loads(text.json_object(REQUEST))
    assert [key for key, value in asked.items() if value is None] == ["handle", "uuid", "value"]
    assert tuple(asked) == text.COLUMNS


def damaged(*objects: str) -> Iterator[str]:
    yield from objects
    raise CaptureError("x.log", "cut", 7)


def test_an_empty_value_is_not_a_missing_one() -> None:
    assert json.loads(text.json_object(NOTIFICATION._replace(value=b"")))["value"] == ""


@pytest.mark.parametrize("objects", [(), ("1",), ("1", "2", "3")])
def test_a_json_array_is_whole_even_when_the_capture_is_damaged(objects: tuple[str, ...]) -> None:
    whole = "".join(text.json_array(objects))
    assert json.loads(whole) == [json.loads(item) for item in objects]
    came: list[str] = []
    with pytest.raises(CaptureError, match="byte 7"):
        came_before_a_fault(came, text.json_array(damaged(*objects)))
    assert "".join(came) == whole


def came_before_a_fault(came: list[str], parts: Iterator[str]) -> None:
    for part in parts:
        came.append(part)  # noqa: PERF402 - list.extend would keep nothing of it


# --- for eyes ---------------------------------------------------------------------------------------------------------


def test_a_table_says_the_date_once_and_counts_from_the_first_row() -> None:
    lines = list(text.table([NOTIFICATION, REQUEST], lambda uuid: {"ffe1": "Some Service"}[uuid]))
    assert lines == [
        "times are seconds since 2020-09-13 12:26:40.123456 UTC\n> from the central, < from the peripheral\n\n",
        "frame      time  link     what                  handle  attribute          value\n",
        "    7  0.000000     1  <  notification          0x0012  ffe1 Some Service  01 02\n",
        "    8  0.876543     2  >  exchange_mtu_request                             MTU 247\n",
    ]


def test_a_table_of_nothing_says_so() -> None:
    assert list(text.table([], no_names)) == ["no ATT in this capture\n"]


def test_a_table_begins_before_all_rows_are_there_and_goes_on_when_they_are_wider() -> None:
    asked = 0

    def many() -> Iterator[AttRow]:
        nonlocal asked
        for asked in range(1, 1_000_000):
            yield NOTIFICATION._replace(frame=asked)

    lines = text.table(many(), no_names)
    shown = [next(lines) for _ in range(1004)]
    assert asked < 1010
    assert [line.split()[0] for line in shown[2:5]] == ["1", "2", "3"]
    assert shown[-1].split()[0] == "1002"


def test_the_rows_before_the_damage_are_in_the_table() -> None:
    def rows() -> Iterator[AttRow]:
        yield NOTIFICATION
        yield REQUEST
        raise CaptureError("x.log", "cut", 7)

    came: list[str] = []
    with pytest.raises(CaptureError, match="cut"):
        came_before_a_fault(came, text.table(rows(), no_names))
    assert [line.split()[0] for line in came[2:]] == ["7", "8"]


def test_a_line_is_cut_to_the_terminal_and_columns_give_way_to_the_value() -> None:
    def named(_: str) -> str:
        return "A Service With A Name That Takes Its Time"

    for width in (40, 60, 80, 120):
        _, _, notification, _ = lines = list(text.table([NOTIFICATION, REQUEST], named, width))
        assert max(map(len, lines[1:])) <= width + 1
        assert ("01 02\n" in notification) is (width >= 80), notification
    assert "  ffe1 A S…  01 02\n" in list(text.table([NOTIFICATION, REQUEST], named, 80))[2]
    assert (
        "  ffe1 A Service With A Name That Takes Its Time  01 02\n" in list(text.table([NOTIFICATION], named, 200))[2]
    )


def test_a_live_table_shows_each_row_before_the_next_is_there() -> None:
    asked = 0

    def rows() -> Iterator[AttRow]:
        nonlocal asked
        for asked in (1, 2, 3):
            yield NOTIFICATION._replace(frame=asked)

    lines = text.table(rows(), no_names, live=True)
    shown = [next(lines) for _ in range(3)]
    assert asked == 1
    assert shown[2].split()[0] == "1"
    assert next(lines).index("01 02") == shown[2].index("01 02")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b"", ""),
        (b"A", "41"),  # one letter is a number more often than a text
        (b"Dr-05\0", '44 72 2d 30 35 00  "Dr-05"'),
        ("Käse".encode(), '4b c3 a4 73 65  "Käse"'),
        (b"\x1b[31m!", "1b 5b 33 31 6d 21"),  # a terminal would obey it
        (b"ab\ncd", "61 62 0a 63 64"),
        (bytes(21), "00 " * 19 + "00 … (21 octets)"),
        (bytes(20), "00 " * 19 + "00"),
    ],
)
def test_a_value_is_hex_and_its_text_where_it_is_one(value: bytes, shown: str) -> None:
    assert text.value_text(value) == shown


def test_a_long_text_is_cut() -> None:
    assert text.value_text(b"x" * 41) == "78 " * 19 + '78 … (41 octets)  "' + "x" * 40 + '…"'


@pytest.mark.parametrize(
    ("pdu", "says"),
    [
        ("0108 1500 0a", "attribute_not_found (to read_by_type_request 0x0015)"),
        ("010a 1500 80", "error 0x80 (to read_request 0x0015)"),
        ("02 f700", "MTU 247"),
        ("03 1700", "MTU 23"),
        ("04 0100 ffff", "0x0001 to 0xffff"),
        ("08 0100 ffff 0328", "0x0001 to 0xffff  2803"),
        ("10 0100 ffff 0028", "0x0001 to 0xffff  2800"),
        ("06 0100 ffff 0028 e1ff", "0x0001 to 0xffff  2800 e1ff"),
        ("08 0100 ffff fb349b5f80000080001000000a180000", "0x0001 to 0xffff  0000180a00001000800000805f9b34fb"),
        ("0a 1500", "15 00"),
        ("13", ""),
        ("01", ""),
        ("0108", "08"),
        ("010a 1500", "0a 15 00"),
        ("02", ""),
        ("08 0100", "01 00"),
        ("", ""),
    ],
)
def test_a_pdu_without_a_value_is_shown_by_what_it_says(pdu: str, says: str) -> None:
    assert text.said_by(bytes.fromhex(pdu)) == says


@given(st.binary(max_size=40))
def test_whatever_a_capture_holds_a_table_line_is_one_printable_line(pdu: bytes) -> None:
    row = NOTIFICATION._replace(opcode=pdu[0] if pdu else -1, pdu=pdu, value=pdu[3:] if len(pdu) % 2 else None)
    *_, line = text.table([row], no_names)
    assert line.count("\n") == 1
    assert line[:-1].isprintable()


@pytest.mark.parametrize(
    ("time_ns", "shown"),
    [
        (0, "1970-01-01 00:00:00.000000 UTC"),
        (-1000, "1969-12-31 23:59:59.999999 UTC"),
        (-62_167_219_200_000_000_000, "Unix time -62167219200.000000000"),  # the year 0, which no calendar here has
        (10**30, "Unix time 1000000000000000000000.000000000"),
    ],
)
def test_a_date_is_shown_where_there_is_one(time_ns: int, shown: str) -> None:
    assert text.date(time_ns) == shown


def test_assigned_names_are_known_without_the_radio_library() -> None:
    names = assigned.load()
    assert names["2902"] == "Client Characteristic Configuration"
    assert names["1800"] == "Generic Access Profile"
    assert names["6e400001-b5a3-f393-e0a9-e50e24dcca9e"] == "Nordic UART Service"
