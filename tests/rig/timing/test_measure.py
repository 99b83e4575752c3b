"""Measurements: which times they are taken from, what counts as a sample, and the three verdicts against a limit."""

from __future__ import annotations

import csv
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from protocols.foreo import PULSATION
from protocols.frames import ChecksumOrder, encode
from protocols.gatt import uuid
from protocols.registry import UnknownProtocolError
from rig.capture.gatt import Attribute
from rig.capture.handle_map import HandleMap, MapTable
from rig.capture.layers.links import LOCAL, REMOTE, Address
from rig.capture.records import CaptureError, LinkType
from rig.capture.synthesis import CONNECTION_TIMEOUT, HciSynthesis
from rig.capture.writers import open_writer
from rig.replay.exchanges import By, Does, Exchange, Place, Transcript
from rig.replay.from_capture import from_capture
from rig.replay.outcome import Lateness, Outcome, Verdict
from rig.replay.transcript import save
from rig.timing.measure import (
    GAP_BETWEEN_WRITES,
    STANDARD,
    STOP_TO_CONFIRMED,
    STOPS_UNCONFIRMED,
    Measurement,
    TimingVerdict,
    exchange_samples,
    joined,
    samples_of,
    with_unit,
)
from tests.rig.capture.air_packets import (
    ADVERTISING,
    PHDR_ADVERTISING,
    PHDR_FROM_CENTRAL,
    PHDR_FROM_PERIPHERAL,
    connect_ind,
    data_pdu,
    on_air,
    phdr,
)

CAPTURES = Path(__file__).parents[2] / "captures"
SERVICE = uuid("ffe0")
PIPE = Place(SERVICE, uuid("ffe1"))
OTHER = Place(SERVICE, uuid("ffe2"))
MS = 1_000_000


def said(
    at_ms: float,
    does: Does,
    to: Place | None = PIPE,
    value: bytes = b"\x01",
    *,
    took_ms: float | None = None,
    error: int | None = None,
) -> Exchange:
    by: By = "device" if does in ("notification", "indication") else "app"
    answered = None if took_ms is None else round(took_ms * MS)
    return Exchange(round(at_ms * MS), by, does, to, value, answered, error)


TOTAL_STOP = encode(0x31, 2, 0x06)
TOTAL_STOP_DONE = encode(0x31, 1, 0x06)
TOTAL_STOP_REFUSED = encode(0x31, 0, 0x06)
TOTAL_STOP_LOW_FIRST = encode(0x31, 2, 0x06, order=ChecksumOrder.LOW_FIRST)
STOP_OUTPUT = encode(0x31, 2, 0x03, b"\x00")
LEVEL = encode(0x32, 2, 0x02, b"\x05")
LEVEL_DONE = encode(0x32, 1, 0x02, b"\x05")


# --- between exchanges ------------------------------------------------------------------------------------------------


def test_an_answer_is_the_first_notification_after_a_write_and_before_the_next() -> None:
    found = exchange_samples(
        [
            said(0, "write_command"),
            said(30, "notification"),
            said(45, "notification"),  # unprompted
            said(100, "write_command"),  # never answered
            said(150, "write_command"),
            said(157.5, "indication", OTHER),
            said(200, "write_command"),
            said(2300, "notification"),  # too late to be an answer
        ]
    )
    assert found["command_to_acknowledgement"] == [30, 7.5]


def test_with_a_protocol_its_listener_says_what_answers_what() -> None:
    exchanges = [
        said(0, "write_command", value=LEVEL),
        said(5, "notification", value=encode(0x34, 1, 0x0E, b"\x00")),  # a report, no answer
        said(23, "notification", value=LEVEL_DONE),
    ]
    assert exchange_samples(exchanges)["command_to_acknowledgement"] == [5]
    assert exchange_samples(exchanges, protocol="dr05")["command_to_acknowledgement"] == [23]


def test_a_stop_is_confirmed_when_a_refused_and_repeated_one_is_at_last() -> None:
    found = exchange_samples(
        [
            said(1000, "write_command", value=TOTAL_STOP_LOW_FIRST),
            said(1020, "notification", value=TOTAL_STOP_REFUSED),
            said(1040, "write_command", value=TOTAL_STOP),
            said(1061, "notification", value=TOTAL_STOP_DONE),
        ],
        protocol="dr05",
    )
    assert found["stop_to_confirmed"] == [61]
    assert found["stops_unconfirmed"] == [0]
    assert found["command_to_acknowledgement"] == [21]


def test_a_stop_that_is_never_confirmed_is_told_and_fails_by_itself() -> None:
    found = exchange_samples(
        [
            said(0, "write_command", value=STOP_OUTPUT),
            said(10, "write_command", value=TOTAL_STOP),
            said(31, "notification", value=TOTAL_STOP_DONE),
        ],
        protocol="dr05",
    )
    assert found["stop_to_confirmed"] == [21]
    assert found["stops_unconfirmed"] == [0, 1]
    judgement = STOPS_UNCONFIRMED.judge(found["stops_unconfirmed"])
    assert judgement is not None
    assert judgement.verdict == TimingVerdict.FAIL


def test_where_the_acknowledgement_is_the_write_response_it_counts_when_it_came() -> None:
    place = Place(uuid("fff0"), PULSATION)
    found = exchange_samples(
        [
            said(0, "write", place, bytes([1, 0, 3]), took_ms=48),
            said(100, "write", place, bytes([1, 0, 0]), took_ms=52),
            said(200, "write", place, bytes([1, 0, 3]), took_ms=10, error=0x05),
        ],
        protocol="foreo",
    )
    assert found["command_to_acknowledgement"] == [48, 52]
    assert found["stop_to_confirmed"] == [52]
    assert found["request_to_response"] == [48, 52, 10]


def test_notification_intervals_are_those_of_one_characteristic_within_one_subscription() -> None:
    found = exchange_samples(
        [
            said(0, "subscribe", took_ms=30),
            said(100, "notification"),
            said(110, "notification", OTHER),
            said(200, "notification"),
            said(315, "notification"),
            said(395, "notification"),
            said(400, "unsubscribe", took_ms=31),
            said(900, "subscribe", took_ms=32),
            said(1000, "notification"),
            said(1100, "notification"),
            said(1150, "disconnect", None),
            said(1200, "connect", None),
            said(1300, "notification"),
        ]
    )
    assert found["notification_interval"] == [100, 115, 80, 100]
    assert found["notification_jitter"] == [15, 35]
    assert found["request_to_response"] == [30, 31, 32]
    assert "gap_between_writes" not in found


def test_a_rate_rule_names_the_gap_that_breaks_it() -> None:
    found = exchange_samples([said(at, "write_command") for at in (0, 25, 50, 61, 200)])
    assert found["gap_between_writes"] == [25, 25, 11, 139]
    assert found["burst_length"] == [4, 1]
    judgement = GAP_BETWEEN_WRITES.with_limits(at_least=20).judge(found["gap_between_writes"])
    assert judgement is not None
    assert (judgement.verdict, judgement.value) == (TimingVerdict.FAIL, 11)
    assert judgement.text == "gap between writes 11 ms (lowest of 4), at least 20 ms: broken once"


def test_the_order_in_which_exchanges_are_given_makes_no_difference() -> None:
    exchanges = [said(at, "write_command") for at in (0, 25, 61)] + [said(at, "notification") for at in (20, 40, 80)]
    assert exchange_samples(exchanges[::-1]) == exchange_samples(exchanges)


def test_a_protocol_that_does_not_exist_is_told_by_name() -> None:
    with pytest.raises(UnknownProtocolError, match="no protocol 'dr50'; known: dr05"):
        exchange_samples([], protocol="dr50")


# --- of other sources -------------------------------------------------------------------------------------------------


def test_an_outcome_brings_its_own_samples_and_how_late_it_was() -> None:
    outcome = Outcome("peripheral", "a replay", Verdict.PASSED, lateness=Lateness((1500, 250)))
    outcome.samples = {"command_to_acknowledgement": [22.9], "notification_interval": []}
    assert samples_of(outcome) == {"command_to_acknowledgement": [22.9], "lateness": [1.5, 0.25]}


def test_a_transcript_says_the_same_as_its_file_and_as_its_capture(tmp_path: Path) -> None:
    capture = CAPTURES / "idealLED__set_collection.pcapng.gz"
    transcript = from_capture(capture)
    save(transcript, tmp_path / "talk.jsonl")
    found = samples_of(transcript)
    assert found["command_to_acknowledgement"]
    assert samples_of(tmp_path / "talk.jsonl") == found
    of_capture = samples_of(capture)
    assert {name: of_capture[name] for name in found} == found


def test_the_gaps_between_the_writes_of_a_real_capture_are_those_that_tshark_sees() -> None:
    name = "bj_led__btsnoop_hci.full.log"
    with (CAPTURES / "att" / f"{name}.tsv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["pdu"][:2] in ("52", "12")]
    times = [float(row["time"]) for row in rows if row["uuid"] != "0x2902"]
    gaps = [(after - before) * 1000 for before, after in pairwise(times)]
    found = samples_of(CAPTURES / name)
    assert len(gaps) > 90
    assert found["gap_between_writes"] == pytest.approx(gaps, abs=0.002)
    assert samples_of(CAPTURES / name, link=2) == found | {"connection_interval": found["connection_interval"][1:]}


def test_a_file_that_is_no_capture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(CaptureError, match=r"notes\.txt"):
        samples_of(tmp_path / "notes.txt")


@contextmanager
def _hci(path: Path) -> Iterator[HciSynthesis]:
    with path.open("w+b", buffering=0) as file:
        writer = open_writer("btsnoop", file, ())
        yield HciSynthesis(writer.write)


def test_a_link_lost_by_supervision_timeout_says_how_long_it_was_silent(tmp_path: Path) -> None:
    path, start = tmp_path / "lost.btsnoop", 1_700_000_000_000_000_000
    peer = Address("C0:11:22:33:44:55", is_random=True)
    with _hci(path) as made:
        made.connect(0x40, local_is_central=True, peer=peer, local=None, time_ns=start, interval_s=0.03)
        made.att(0x40, LOCAL, b"\x52\x10\x00\x01", start + 100 * MS)
        made.att(0x40, REMOTE, b"\x1b\x10\x00\x01", start + 140 * MS)
        made.parameters(0x40, start + 150 * MS, interval_s=0.05, latency=0, supervision_timeout_s=4)
        made.disconnect(0x40, CONNECTION_TIMEOUT, start + 4640 * MS)
        made.connect(0x40, local_is_central=True, peer=peer, local=None, time_ns=start + 9000 * MS, interval_s=0.03)
        made.att(0x40, LOCAL, b"\x52\x10\x00\x01", start + 9100 * MS)
        made.disconnect(0x40, 0x13, start + 19000 * MS)  # hung up: its silence means nothing
    found = samples_of(path)
    assert found["supervision_gap"] == [4500]
    assert found["connection_interval"] == [30, 50, 30]
    assert found["command_to_acknowledgement"] == [40]
    assert samples_of(path, link=2).keys() == {"burst_length", "connection_interval"}


def _device() -> HandleMap:
    return HandleMap(
        [
            MapTable(
                (
                    Attribute(0x0E, "service", "ffe0", "ffe0", target=0x11),
                    Attribute(0x0F, "characteristic", "2803", "ffe0", "ffe1", 0x16, 0x10),
                    Attribute(0x10, "value", "ffe1", "ffe0", "ffe1", 0x16),
                    Attribute(0x11, "descriptor", "2902", "ffe0", "ffe1"),
                )
            )
        ]
    )


def test_a_capture_is_heard_by_its_protocol_too_and_discovery_is_no_request(tmp_path: Path) -> None:
    path = tmp_path / "talk.btsnoop"
    talk = [
        *((at, LOCAL, b"\x0a" + handle + b"\x00") for at, handle in ((0, b"\x0e"), (20, b"\x0f"), (40, b"\x11"))),
        *((at, REMOTE, b"\x0b\x00\x00") for at in (10, 30, 50)),
        (60, LOCAL, b"\x12\x11\x00\x01\x00"),  # subscribe
        (75, REMOTE, b"\x13"),
        (80, LOCAL, b"\x0a\x10\x00"),
        (88, REMOTE, b"\x0b\x00"),
        (100, LOCAL, b"\x52\x10\x00" + LEVEL),
        (105, REMOTE, b"\x1b\x10\x00" + encode(0x34, 1, 0x0E, b"\x00")),
        (123, REMOTE, b"\x1b\x10\x00" + LEVEL_DONE),
        (200, LOCAL, b"\x52\x10\x00" + TOTAL_STOP),
        (221, REMOTE, b"\x1b\x10\x00" + TOTAL_STOP_DONE),
    ]
    with _hci(path) as made:
        peer = Address("C0:11:22:33:44:55", is_random=True)
        made.connect(0x40, local_is_central=True, peer=peer, local=None, time_ns=10**18)
        for at_ms, side, pdu in sorted(talk, key=lambda item: item[0]):
            made.att(0x40, side, pdu, 10**18 + at_ms * MS)
    found = samples_of(path, handle_map=_device())
    assert found == {
        "command_to_acknowledgement": [23, 21],
        "request_to_response": [15, 8],
        "stop_to_confirmed": [21],
        "stops_unconfirmed": [0],
        "notification_interval": [18, 98],
        "notification_jitter": [80],
        "gap_between_writes": [100],
        "burst_length": [1, 1],
        "connection_interval": [30],
    }


def test_on_the_air_a_silence_lasts_longer_than_the_connection_interval(tmp_path: Path) -> None:
    path = tmp_path / "air.pcap"
    packets: list[tuple[float, bytes]] = [(0, phdr(on_air(connect_ind(), ADVERTISING), flags=PHDR_ADVERTISING))]
    sn = 0
    for at_ms in (30, 60, 135, 165, 210):  # every 30 ms but for one silence of 75 and one of 45, which is still usual
        for offset_ms, flags in ((0, PHDR_FROM_CENTRAL), (0.23, PHDR_FROM_PERIPHERAL)):
            packets.append((at_ms + offset_ms, phdr(on_air(data_pdu(1, b"", sn, sn)), flags=flags)))
        sn ^= 1
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LinkType.LE_LL_WITH_PHDR)
    body = b""
    for at_ms, data in packets:
        body += struct.pack("<IIII", 1_700_000_000, round(at_ms * 1000), len(data), len(data)) + data
    path.write_bytes(head + body)
    assert samples_of(path) == {"connection_interval": [30], "supervision_gap": [pytest.approx(74.77)]}


def test_samples_of_several_sources_are_joined_in_the_standard_order() -> None:
    parts = [{"own": [1.0], "notification_interval": [2.0]}, {"command_to_acknowledgement": [3.0], "own": [4.0]}]
    assert list(joined(parts).items()) == [
        ("command_to_acknowledgement", [3.0]),
        ("notification_interval", [2.0]),
        ("own", [1.0, 4.0]),
    ]


# --- against limits ---------------------------------------------------------------------------------------------------

LIMITED = Measurement("reply", "ms", "", at_most=50, marginal=0.1)


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        ([10, 45], TimingVerdict.PASS),
        ([10, 45.1], TimingVerdict.MARGINAL),
        ([10, 50], TimingVerdict.MARGINAL),
        ([10, 50.1], TimingVerdict.FAIL),
        ([], TimingVerdict.NOT_ENOUGH),
    ],
)
def test_a_limit_gives_three_verdicts_and_never_passes_what_was_not_measured(
    samples: list[float], verdict: TimingVerdict
) -> None:
    judgement = LIMITED.judge(samples)
    assert judgement is not None
    assert judgement.verdict == verdict


def test_a_share_of_the_samples_may_break_a_limit_and_no_more() -> None:
    limited = Measurement("reply", "ms", "", at_most=50, share=0.98)
    good = limited.judge([10.0] * 98 + [900.0] * 2)
    bad = limited.judge([10.0] * 97 + [900.0] * 3)
    assert good is not None
    assert bad is not None
    assert (good.verdict, bad.verdict) == (TimingVerdict.PASS, TimingVerdict.FAIL)
    assert "at most 50 ms for 98 % of them: broken 3 times" in bad.text


def test_of_two_limits_the_broken_one_decides() -> None:
    between = Measurement("interval", "ms", "", at_least=90, at_most=110)
    for samples, value in (([100.0, 80.0], 80), ([100.0, 120.0], 120)):
        judgement = between.judge(samples)
        assert judgement is not None
        assert (judgement.verdict, judgement.value) == (TimingVerdict.FAIL, value)
    kept = between.judge([91.0, 109.0])
    assert kept is not None
    assert kept.verdict == TimingVerdict.PASS


def test_without_a_limit_there_is_no_verdict() -> None:
    assert STOP_TO_CONFIRMED.judge([1.0]) is None


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"at_most": 1, "at_least": 2}, "leave no value"),
        ({"share": 0}, "share is 0"),
        ({"marginal": 1}, "marginal is 1"),
    ],
)
def test_limits_that_cannot_be_are_refused(limits: dict[str, float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Measurement("x", "ms", "", **limits)


def test_every_standard_measurement_says_what_it_measures_and_is_found_by_its_name() -> None:
    assert all(name == measurement.name and len(measurement.doc) > 40 for name, measurement in STANDARD.items())


@pytest.mark.parametrize(
    ("value", "text"),
    [(83.0, "83 ms"), (22.917, "22.9 ms"), (0.25, "0.25 ms"), (1240.4, "1,240 ms"), (-3.25, "-3.25 ms")],
)
def test_values_are_printed_with_as_many_digits_as_they_deserve(value: float, text: str) -> None:
    assert with_unit(value, "ms") == text


def test_measuring_loads_neither_numpy_nor_a_capture_reader() -> None:
    loads = "import sys, rig.timing.measure, rig.timing.baseline"
    code = f"{loads}; print(sorted({{'numpy', 'rig.capture.reading'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_an_empty_transcript_has_nothing_to_measure() -> None:
    assert samples_of(Transcript("empty", ())) == {}
