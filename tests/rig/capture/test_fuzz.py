"""Mutated captures: a short, repeatable part of what `scripts/fuzz captures` runs a million of."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.capture.formats.btsnoop import BtsnoopReader
from rig.capture.layers.links import AttPdu
from rig.capture.layers.stack import Stack
from rig.capture.records import LinkType, Record
from rig.capture.text import tsv_line
from tests.rig.capture import fuzzing
from tests.rig.capture.containers import KINDS, T0, Kind, Packet
from tests.rig.capture.fuzzing import FaultError, batch, main, run_file, run_records, run_windows, seeds

STARTS = seeds()


@pytest.mark.parametrize("number", range(3))
def test_mutated_captures_neither_crash_nor_hang_and_keep_what_records_promise(number: int) -> None:
    report = batch(number, 2024, 1000, STARTS)
    assert report.inputs == 1000
    # That it reaches the layers: many of the inputs still hold rows, and many end in damage.
    assert report.rows > 5000
    assert 300 < report.errors < 900
    assert len(report.features) > 100


def test_the_inputs_to_begin_with_are_whole_and_come_from_every_container() -> None:
    formats = set()
    for start in STARTS:
        outcome = run_file(start) if isinstance(start, bytes) else run_records(start)
        assert not [feature for feature in outcome.features if feature.startswith("error")]
        assert outcome.records > 0
        formats |= outcome.features & {kind.format for kind in KINDS}
    assert formats == {kind.format for kind in KINDS}


def test_a_batch_follows_from_its_seed_and_number_alone() -> None:
    one, again, other = (batch(number, 1, 100, STARTS) for number in (7, 7, 8))
    assert one._replace(worst_s=0, worst_input=0) == again._replace(worst_s=0, worst_input=0)
    assert one.records != other.records


def test_an_input_that_crashes_is_kept_with_how_to_repeat_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    feed = Stack.feed

    def crash(self: Stack, record: Record) -> Sequence[AttPdu]:
        if len(record.data) == 1:
            raise IndexError("out of range")
        return feed(self, record)

    monkeypatch.setattr(Stack, "feed", crash)
    monkeypatch.setattr(fuzzing, "_starts", STARTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.alarm", lambda _: 0)  # pytest-timeout has it
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["captures", "--count", "2000", "--processes", "1", "--seed", "5"]) == 1
    said = capsys.readouterr()
    assert "1 failed" in said.out
    assert "seed 5 batch 0 input" in said.err
    assert "IndexError: out of range" in said.err
    assert "scripts/fuzz captures --seed 5 --batch 0" in said.err
    assert len(list(tmp_path.glob("fuzz-5-0.*"))) == 1


def test_an_input_that_takes_too_long_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(time, "process_time", lambda: next(ticks) * 0.6)
    report = batch(0, 1, 10, STARTS)
    assert report.worst_s == pytest.approx(0.6)
    monkeypatch.setattr(time, "process_time", lambda: next(ticks) * 1.1)
    with pytest.raises(FaultError, match=r"seed 1 batch 0 input 0: took 1\.10 s"):
        batch(0, 1, 10, STARTS)


@pytest.mark.parametrize("promise", ["frame", "offset"])
def test_a_reader_that_breaks_a_promise_is_a_fault(promise: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = BtsnoopReader.records

    def records(self: BtsnoopReader) -> Iterator[Record]:
        return (record._replace(**{promise: 16}) for record in read(self))

    monkeypatch.setattr(BtsnoopReader, "records", records)
    with pytest.raises(FaultError, match="AssertionError"):
        batch(0, 1, 200, [start for start in STARTS if isinstance(start, bytes) and start[:7] == b"btsnoop"])


def test_windows_of_columns_give_the_rows_of_mutated_captures_too() -> None:
    report = batch(0, 2024, 600, STARTS, run_windows)
    assert report.rows > 3000
    assert {"windows 0", "windows 1", "windows 3"} <= report.features


def test_a_difference_between_windows_and_one_by_one_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "tsv_line", lambda row: tsv_line(row._replace(frame=row.frame | 1)))
    with pytest.raises(FaultError, match="AssertionError"):
        batch(0, 1, 100, STARTS, run_windows)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@given(tail=st.binary(max_size=400))
def test_any_bytes_after_a_header_give_records_or_one_line(kind: Kind, tail: bytes) -> None:
    outcome = run_file(kind.make([Packet(T0, b"\4\x0e\1\0")]) + tail)
    assert outcome.records >= 1


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_capture_or_one_line(data: bytes) -> None:
    run_file(data)


@pytest.mark.parametrize("link_type", list(LinkType))
@given(
    packets=st.lists(st.binary(max_size=64), max_size=6),
    flags=st.integers(0, 2**32 - 1),
    longer=st.integers(0, 9),
)
def test_any_packets_of_any_link_type_are_taken(
    link_type: LinkType, packets: list[bytes], flags: int, longer: int
) -> None:
    run_records(
        [
            Record(number + 1, number, int(link_type), data, len(data) + longer, flags)
            for number, data in enumerate(packets)
        ]
    )
