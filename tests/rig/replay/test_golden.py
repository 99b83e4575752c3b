"""Golden files keep what was said and made of it exactly, say what is wrong with them, and compare without flooding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.gatt import uuid
from rig.replay.decoder import rows_of
from rig.replay.exchanges import Exchange, Place
from rig.replay.feeding import decoded
from rig.replay.golden import Golden, GoldenError, Row, compare, dumps_golden, load_golden, loads_golden, save_golden
from rig.replay.transcript import TranscriptError
from tests.rig.replay.recorded_talk import MS, dr05_session, foreo_session

SERIAL = Place(uuid("ffe0"), uuid("ffe1"))


def notified(value: bytes, at_ns: int) -> Row:
    return Row(at_ns, Exchange(at_ns, "device", "notification", SERIAL, value), (), ())


def wrote(value: bytes, at_ns: int) -> Row:
    return Row(at_ns, Exchange(at_ns, "app", "write_command", SERIAL, value), (), ())


def talk(count: int) -> list[Row]:
    """Questions 100 ms apart, each with its answer 20 ms later, no two the same."""
    rows = []
    for number in range(count):
        rows.append(wrote(bytes((1, number)), number * 100 * MS))
        rows.append(notified(bytes((2, number)), (number * 100 + 20) * MS))
    return rows


def later(row: Row, by_ns: int) -> Row:
    assert row.exchange is not None
    return Row(row.at_ns + by_ns, replace(row.exchange, at_ns=row.at_ns + by_ns), (), ())


# --- the file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transcript", [dr05_session(), foreo_session()])
def test_what_is_written_is_read_again_to_the_nanosecond(transcript, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    golden = Golden(transcript.title, "dr05", (*rows_of(decoded(transcript)), Row(123_456_789, None, (), ("said",))))
    save_golden(golden, tmp_path / "golden")
    assert load_golden(tmp_path / "golden") == golden
    assert dumps_golden(loads_golden(dumps_golden(golden))) == dumps_golden(golden)


def test_a_golden_file_is_one_line_an_event_in_plain_words() -> None:
    rows = (
        wrote(b"\x01", 150 * MS)._replace(heard=("total stop",)),
        Row(300 * MS, None, (), ("repeated total stop, attempt 2",)),
    )
    assert dumps_golden(Golden("a stop", "dr05", rows)) == (
        '{"golden": 1, "title": "a stop", "protocol": "dr05"}\n'
        '{"at": 0.150000, "by": "app", "does": "write_command", "to": "ffe0/ffe1", "value": "01", '
        '"heard": ["total stop"]}\n'
        '{"at": 0.300000000, "by": "protocol", "told": ["repeated total stop, attempt 2"]}\n'
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "golden file: is empty; write it with --update"),
        ("{", "golden file, line 1: is not JSON"),
        ("[]", "golden file, line 1: is not a JSON object"),
        ('{"transcript": 1}', "golden file, line 1: is no golden file: its first line has no field `golden`"),
        ('{"golden": 2}', "golden file, line 1: golden: version 2 is not the one this program reads, 1"),
        (
            '{"golden": 1}\n\n{"at": 0, "by": "protocol", "told": "x"}',
            "golden file, line 3: told: is not a list of texts",
        ),
        ('{"golden": 1}\n{"at": "x", "by": "protocol"}', "golden file, line 2: what the protocol said has a time"),
        ('{"golden": 1}\n{"at": -1, "by": "protocol"}', "golden file, line 2: at: -1 is not a time in seconds"),
        ('{"golden": 1}\n{"at": 0, "by": "app", "does": "sing"}', 'golden file, line 2: does: "sing" is none of'),
        (
            '{"golden": 1}\n{"at": 0, "by": "app", "does": "connect", "heard": [1]}',
            "golden file, line 2: heard: is not",
        ),
    ],
)
def test_what_is_wrong_with_a_golden_file_is_said_in_one_line_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(TranscriptError) as raised:
        loads_golden(text)
    assert str(raised.value).startswith(problem)
    assert "\n" not in str(raised.value)


def test_a_golden_file_that_is_not_there_or_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(GoldenError, match=r"no\.golden: there is no golden file yet; write it with --update"):
        load_golden(tmp_path / "no.golden")
    with pytest.raises(GoldenError, match="cannot be read"):
        load_golden(tmp_path)
    with pytest.raises(GoldenError, match="cannot be written"):
        save_golden(Golden("", "", ()), tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(GoldenError, match="byte 0 is not UTF-8 text"):
        load_golden(tmp_path / "bytes")


# --- comparing --------------------------------------------------------------------------------------------------------


@given(st.integers(0, 39), st.sampled_from(["changed", "missing", "late", "extra"]))
def test_one_thing_that_went_wrong_is_one_difference_wherever_it_is(at: int, what: str) -> None:
    golden = talk(20)
    replayed = list(golden)
    exchange = replayed[at].exchange
    assert exchange is not None
    if what == "changed":
        replayed[at] = replayed[at]._replace(exchange=replace(exchange, value=b"\x99\x99"))
    elif what == "missing":
        del replayed[at]
    elif what == "late":
        replayed[at] = later(golden[at], 60 * MS)
    else:
        replayed.insert(at + 1, Row(exchange.at_ns, replace(exchange, value=b"\x99\x99"), (), ()))
    (difference,) = compare(golden, replayed).differences
    expected = {"changed": "different", "missing": "missing", "late": "late", "extra": "extra"}
    assert difference.kind == expected[what]
    if what != "extra":
        assert difference.index == at


@given(st.integers(0, 38))
def test_a_swapped_pair_is_one_difference_wherever_it_is(at: int) -> None:
    golden = talk(20)
    first, second = golden[at].exchange, golden[at + 1].exchange
    assert first is not None
    assert second is not None
    replayed = list(golden)
    replayed[at] = Row(first.at_ns, replace(second, at_ns=first.at_ns), (), ())
    replayed[at + 1] = Row(second.at_ns, replace(first, at_ns=second.at_ns), (), ())
    comparison = compare(golden, replayed)
    (difference,) = comparison.differences
    assert difference.text.startswith(f"swapped: exchange {at + 1}, ")
    assert sorted(line.mark for line in comparison.conversation if line.mark != " ") == ["!", "+", "-"]


def test_a_shift_that_all_that_follows_shares_is_one_difference_and_going_back_another() -> None:
    golden = talk(10)
    replayed = [later(row, 60 * MS if 6 <= at < 12 else 0) for at, row in enumerate(golden)]
    assert [(one.kind, one.index) for one in compare(golden, replayed).differences] == [("late", 6), ("different", 12)]


def test_a_slow_drift_is_no_difference() -> None:
    golden = talk(20)
    drifting = [later(row, at * 5 * MS) for at, row in enumerate(golden)]
    assert compare(golden, drifting).differences == []


def test_nothing_at_all_and_everything_else_are_told_without_an_end() -> None:
    golden = talk(3)
    assert [one.kind for one in compare(golden, []).differences] == ["missing"] * 6
    assert [one.kind for one in compare([], golden).differences] == ["extra"] * 6
    assert compare([], []) == ([], [])
