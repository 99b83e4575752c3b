"""Windows of columns against the same records one by one: the same bytes, whatever the traffic and the window."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.capture.fast.stream import FEW_RECORDS
from tests.rig.capture.hci_traffic import CONTINUED, RECEIVED, SENT, Packet, acl, att, connected, l2cap
from tests.rig.capture.traffic_streams import CONTAINERS, as_btsnoop, as_pcapng, in_windows, one_by_one, stream, streams

CAPTURES = Path(__file__).parents[2] / "captures"
RECORDINGS = sorted(path for path in CAPTURES.iterdir() if path.is_file() and path.suffix not in {".md", ".tsv"})


@pytest.mark.parametrize("window_records", [23, 64, 1000, 1 << 14])
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_recordings_of_others_give_the_same_rows_in_windows(recording: Path, window_records: int) -> None:
    lines, error = one_by_one(recording)
    found = in_windows(recording, window_records=window_records)
    assert (found.lines, found.error) == (lines, error)
    assert lines


@settings(max_examples=250)
@given(
    packets=streams,
    container=st.sampled_from(sorted(CONTAINERS)),
    window_records=st.one_of(st.integers(3, 40), st.just(4096)),
)
def test_any_traffic_gives_the_same_rows_in_windows(
    tmp_path_factory: pytest.TempPathFactory, packets: list[Packet], container: str, window_records: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "stream"
    path.write_bytes(CONTAINERS[container](packets))
    lines, error = one_by_one(path)
    found = in_windows(path, window_records=window_records)
    assert (found.lines, found.error) == (lines, error)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("oddity", [0.0, 0.003, 0.05, 0.3])
def test_long_traffic_gives_the_same_rows_in_windows(tmp_path: Path, seed: int, oddity: float) -> None:
    path = tmp_path / "stream"
    path.write_bytes(as_btsnoop(stream(seed, 2000, oddity)))
    lines, error = one_by_one(path)
    for window_records, few_records in ((200, 1), (1000, 20), (4096, 192)):
        found = in_windows(path, window_records=window_records, few_records=few_records)
        assert (found.lines, found.error) == (lines, error)


@pytest.mark.parametrize("container", [name for name in CONTAINERS if name != "pcapng-bare"])
def test_every_container_is_read_in_windows(tmp_path: Path, container: str) -> None:
    path = tmp_path / "stream"
    path.write_bytes(CONTAINERS[container]([connected(0x40), *(packet for n in range(400) for packet in exchange(n))]))
    lines, error = one_by_one(path)
    found = in_windows(path)
    assert (found.lines, found.error) == (lines, error)
    assert found.windows
    assert found.fed < 100, "most of the 2,000 rows do not come out of columns"


def exchange(number: int) -> list[Packet]:
    """A notification, a write in two packets and a read, each answered."""
    value = bytes((number & 0xFF,)) * 30
    return [
        att(0x40, RECEIVED, b"\x1b\x03\x00" + value[:4]),
        *_in_two(b"\x12\x06\x00" + value),
        att(0x40, RECEIVED, b"\x13"),
        att(0x40, SENT, b"\x0a\x09\x00"),
        att(0x40, RECEIVED, b"\x0b" + value[: number % 20]),
    ]


def _in_two(pdu: bytes) -> list[Packet]:
    whole = att(0x40, SENT, pdu).data[5:]
    return [
        Packet(b"\x02\x40\x00" + bytes((27, 0)) + whole[:27], SENT),
        Packet(b"\x02\x40\x10" + bytes((len(whole) - 27, 0)) + whole[27:], SENT),
    ]


def test_plain_traffic_hardly_touches_the_layers(tmp_path: Path) -> None:
    path = tmp_path / "plain"
    path.write_bytes(as_btsnoop([connected(0x40), *(packet for n in range(500) for packet in exchange(n))]))
    lines, _ = one_by_one(path)
    found = in_windows(path, few_records=192)
    assert found.lines == lines
    assert len(lines.splitlines()) == 2500
    assert found.fed <= 6, "each window's first PDU of a direction, and what goes on beyond it"


@pytest.mark.parametrize(("most", "slot_bits"), [(1, 12), (5, 12), (30, 12), (30, 2), (4096, 12), (4096, 3)])
def test_more_kinds_of_rows_than_are_remembered_give_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, slot_bits: int
) -> None:
    """A capture can make up handles without end; what is known of them is given up, and found out again."""
    monkeypatch.setattr("rig.capture.fast.engine._MOST_KINDS", most)
    monkeypatch.setattr("rig.capture.fast.engine._SLOT_BITS", slot_bits)
    handles = [n * n % 241 + n // 150 for n in range(900)]  # each window has some of those before, and others
    said = [att(0x40, RECEIVED, b"\x1b" + bytes((handle, 0, handle))) for handle in handles]
    path = tmp_path / "kinds"
    path.write_bytes(as_btsnoop([connected(0x40), *said]))
    lines, _ = one_by_one(path)
    assert len({line.split("\t")[5] for line in lines.splitlines()}) > 100
    assert in_windows(path, window_records=300, few_records=20).lines == lines


def test_a_handle_means_another_link_once_it_is_given_away_again(tmp_path: Path) -> None:
    talk = [packet for n in range(60) for packet in exchange(n)]
    path = tmp_path / "again"
    path.write_bytes(as_btsnoop([connected(0x40), *talk, connected(0x40, role=1), *talk]))
    lines, _ = one_by_one(path)
    found = in_windows(path, few_records=192)
    assert found.lines == lines
    senders = [line.split("\t")[2:4] for line in lines.splitlines()]
    assert senders[0] == ["1", "peripheral"]
    assert senders[-1] == ["2", "central"]


@pytest.mark.parametrize("between", range(5))
def test_a_late_fragment_never_finds_a_beginning_that_was_given_up(tmp_path: Path, between: int) -> None:
    """Wherever windows begin: a whole PDU in between has ended what was pending (Vol 3 Part A, 7.2.1)."""
    begun, rest = _in_two(b"\x12\x06\x00" + bytes(30))
    whole = att(0x40, SENT, b"\x52\x06\x00\x01")
    path = tmp_path / "late"
    path.write_bytes(as_btsnoop([connected(0x40), whole, whole, begun, *[whole] * between, rest, whole, whole]))
    lines, _ = one_by_one(path)
    assert lines.count("write_request") == (between == 0)
    for window_records in range(1, 12):
        assert in_windows(path, window_records=window_records).lines == lines


def test_a_packet_flagged_11_is_no_continuation(tmp_path: Path) -> None:
    """Even if its length is just what is missing of the PDU before it."""
    begun, rest = _in_two(b"\x52\x09\x00" + bytes(30))
    whole = att(0x40, SENT, b"\x52\x06\x00\x01")
    path = tmp_path / "flagged"
    path.write_bytes(
        as_btsnoop([connected(0x40), whole, whole, begun, acl(0x40, SENT, rest.data[5:], 3), whole, whole])
    )
    lines, _ = one_by_one(path)
    assert "0x0009" not in lines
    found = in_windows(path, window_records=7)
    assert (found.lines, found.windows) == (lines, 1)


@pytest.mark.parametrize(
    "teaching",
    [
        ["> 04 0300 0300", "< 05 01 0300 372a"],
        ["> 08 0100 0300 0328", "< 09 07 0200 10 0300 372a"],
        ["> 04 0200 0200", "< 05 01 0200 0328", "> 0a 0200", "< 0b 10 0300 372a"],
        ["> 04 0200 0200", "< 05 01 0200 0328", "< 1b 0300 01", "> 0a 0200", "< 0b 10 0300 372a", "< 1b 0300 02"],
    ],
    ids=["Find Information", "Read By Type", "a read of a declaration", "a read between notifications"],
)
def test_what_is_learned_inside_a_window_holds_from_there_on(tmp_path: Path, teaching: list[str]) -> None:
    talk = [packet for n in range(30) for packet in exchange(n)]
    said = [att(0x40, {">": SENT, "<": RECEIVED}[line[0]], bytes.fromhex(line[1:])) for line in teaching]
    again = [att(0x40, SENT, b"\x04\x03\x00\x03\x00"), att(0x40, RECEIVED, b"\x05\x01\x03\x00\x38\x2a")]
    path = tmp_path / "learned"
    path.write_bytes(as_btsnoop([connected(0x40), *talk, *said, *talk, *again, *talk]))
    lines, _ = one_by_one(path)
    names = [cells[6] for line in lines.splitlines() if (cells := line.split("\t"))[5] == "0x0003"]
    assert (names[0], names[45], names[-1]) == ("", "2a37", "2a38")
    for window_records in (40, 4096):
        found = in_windows(path, window_records=window_records)
        assert found.lines == lines
    assert found.fed < 20


@pytest.mark.parametrize("odd", [3, 4], ids=["flagged 11", "in a packet for its L2CAP header alone"])
def test_a_response_answers_the_last_request_however_that_came(tmp_path: Path, odd: int) -> None:
    """A request that columns cannot read stands between a plain one and the response."""
    request = l2cap(4, b"\x0a\x03\x00")
    last = [acl(0x40, SENT, request, 3)]
    if odd == 4:
        last = [acl(0x40, SENT, request[:4]), acl(0x40, SENT, request[4:], CONTINUED)]
    before = [packet for n in range(4) for packet in exchange(n)]
    said = [att(0x40, SENT, b"\x0a\x09\x00"), *last, att(0x40, RECEIVED, b"\x0b\xaa")]
    path = tmp_path / "odd"
    path.write_bytes(as_btsnoop([connected(0x40), *before, *said, *before]))
    lines, _ = one_by_one(path)
    assert "\tread_response\t0x0003\t\taa\t" in lines
    for window_records in (9, 4096):
        assert in_windows(path, window_records=window_records).lines == lines


def test_channels_in_use_change_what_a_link_is_taken_for(tmp_path: Path) -> None:
    """Without a connection event, a BR/EDR channel makes a BR/EDR link of it, and ATT makes it LE again at once."""
    known = [
        connected(0x40),
        att(0x40, RECEIVED, b"\x04\x03\x00\x03\x00"),
        att(0x40, SENT, b"\x05\x01\x03\x00\x37\x2a"),
    ]
    met = [att(0x41, RECEIVED, b"\x13"), att(0x41, RECEIVED, b"\x13"), att(0x41, SENT, b"\x13")]
    path = tmp_path / "both"
    for begun, rest in (
        ([], [acl(0x41, SENT, l2cap(1, bytes(4)))]),
        ([acl(0x41, SENT, l2cap(1, bytes(4))[:5])], [acl(0x41, SENT, bytes(3), CONTINUED)]),
    ):
        said = [*begun, att(0x41, RECEIVED, b"\x13"), *rest, *[att(0x41, RECEIVED, b"\x52\x03\x00\x01")] * 12]
        path.write_bytes(as_btsnoop([*known, *met, *said]))
        lines, _ = one_by_one(path)
        assert "\t2\tunknown\twrite_command\t0x0003\t2a37\t" in lines
        for window_records in range(1, 12):
            assert in_windows(path, window_records=window_records).lines == lines


def test_a_fragment_is_not_taken_for_that_of_a_pdu_that_has_ended_since(tmp_path: Path) -> None:
    """The same, where the ATT PDU that was pending before is completed between two connection events."""
    known = [
        connected(0x40),
        att(0x40, RECEIVED, b"\x04\x03\x00\x03\x00"),
        att(0x40, SENT, b"\x05\x01\x03\x00\x37\x2a"),
    ]
    met = [att(0x41, RECEIVED, b"\x13")] * 3
    pdu, signal = l2cap(4, b"\x13" + bytes(9)), l2cap(1, bytes(9))
    said = [
        acl(0x41, SENT, pdu[:6]),
        connected(0x42),
        acl(0x41, SENT, pdu[6:], CONTINUED),
        acl(0x41, SENT, signal[:6]),
        connected(0x43),
        att(0x41, RECEIVED, b"\x13"),
        acl(0x41, SENT, signal[6:], CONTINUED),
        att(0x41, RECEIVED, b"\x52\x03\x00\x01"),
    ]
    path = tmp_path / "ended"
    path.write_bytes(as_btsnoop([*known, *met, *met, *said]))
    lines, _ = one_by_one(path)
    assert "\twrite_command\t0x0003\t2a37\t" in lines
    found = in_windows(path, window_records=len(known) + 2 * len(met) + len(said), few_records=3)
    assert (found.lines, found.windows) == (lines, 1)


def test_times_of_any_age_have_nine_decimals(tmp_path: Path) -> None:
    """Before 1970, at it, in 2001 where seconds get a tenth digit, and where 64 bits of nanoseconds end."""
    year_0 = -62_167_219_200_000_000
    for start in (year_0, -1_000_000, 0, 999_999_999_990_000, 9_223_372_036_854_000_000):
        data = bytearray(as_btsnoop([connected(0x40), *(packet for n in range(30) for packet in exchange(n))]))
        at, stamp = 16, start + 0x00DCDDB30F2F8000
        while at < len(data):
            data[at + 16 : at + 24] = min(stamp, (1 << 63) - 1).to_bytes(8, "big", signed=True)
            at += 24 + int.from_bytes(data[at + 4 : at + 8], "big")
            stamp += 501
        path = tmp_path / "old"
        path.write_bytes(data)
        assert in_windows(path).lines == one_by_one(path)[0]


@pytest.mark.parametrize("first_frame", [1, 95, 990])
def test_frames_may_get_another_digit_inside_a_window(tmp_path: Path, first_frame: int) -> None:
    path = tmp_path / "digits"
    idle = Packet(b"\x04\x0f\x04\x00\x01\x00\x00", RECEIVED)
    path.write_bytes(as_btsnoop([connected(0x40), *[idle] * first_frame, *(p for n in range(30) for p in exchange(n))]))
    assert in_windows(path).lines == one_by_one(path)[0]


@pytest.mark.parametrize("container", CONTAINERS)
def test_rows_before_damage_come_first_and_the_error_is_the_same(tmp_path: Path, container: str) -> None:
    whole = CONTAINERS[container](stream(5, 400, 0.05))
    path = tmp_path / "cut"
    for cut in (1, 13, len(whole) // 3, len(whole) - 60):
        path.write_bytes(whole[:-cut])
        lines, error = one_by_one(path)
        found = in_windows(path, window_records=100)
        assert (found.lines, found.error) == (lines, error)
        assert error or cut > 13, "a cut that happens to be between records is none"


def test_options_that_are_damaged_end_a_capture_in_windows_too(tmp_path: Path) -> None:
    whole = as_pcapng([connected(0x40), *(packet for n in range(100) for packet in exchange(n))], notes=True)
    assert b"\1\0\4\0here" in whole
    path = tmp_path / "options"
    path.write_bytes(whole.replace(b"\1\0\4\0here", b"\1\0\xff\0here"))
    lines, error = one_by_one(path)
    found = in_windows(path)
    assert (found.lines, found.error) == (lines, error)
    assert "option" in error
    assert found.windows


@settings(max_examples=60)
@given(
    packets=streams,
    container=st.sampled_from(sorted(CONTAINERS)),
    at=st.floats(0, 1),
    garbage=st.binary(min_size=1, max_size=24),
)
def test_bytes_overwritten_anywhere_give_the_same_rows_and_the_same_error(
    tmp_path_factory: pytest.TempPathFactory, packets: list[Packet], container: str, at: float, garbage: bytes
) -> None:
    data = bytearray(CONTAINERS[container](packets))
    place = 48 + int(at * max(len(data) - 48, 0))
    data[place : place + len(garbage)] = garbage
    path = tmp_path_factory.getbasetemp() / "garbage"
    path.write_bytes(data)
    found = in_windows(path, window_records=50)
    assert (found.lines, found.error) == one_by_one(path)


def test_windows_too_small_for_a_record_still_give_every_row(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(as_btsnoop(stream(9, 300, 0.05)))
    for window_bytes in (16, 40, 100, 700):
        assert in_windows(path, window_bytes=window_bytes).lines == one_by_one(path)[0]
    assert FEW_RECORDS > 20
