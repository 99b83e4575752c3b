"""The report for a terminal."""

from __future__ import annotations

import re

import pytest

from rig.replay.outcome import Difference, Line, Outcome, Verdict
from rig.report.folding import Folded, folded
from rig.report.model import Report
from rig.report.text import lines
from tests.rig.report.example import failed, hostile, passed, rich

ESCAPES = re.compile("\x1b\\[[0-9]*m")


def test_a_failure_is_told_with_its_differences_and_its_conversation() -> None:
    text = list(lines(Report("any", [failed()]), width=200))
    assert text[0] == "failed   central    evening <routine> & more, 50 exchanges in 6 s"
    assert text[1].startswith("      5.000  different from exchange 40, ")
    assert text[1].endswith(": byte 6 is ff, recorded 8c")
    conversation = text[text.index("  the conversation so far (- did not happen, + was not recorded)") + 1 :]
    assert conversation[0] == "    … 35 lines as recorded"
    assert [line[2:] for line in conversation if line[2:3] in "-+!"][:4] == [
        "-     5.000  app writes without response ffe0/ffe1: 55 aa 06 14 01 00 8c  # level 3",
        "+     5.000  app writes without response ffe0/ffe1: 55 aa 06 14 01 00 ff",
        "!     5.000  byte 6 is ff, recorded 8c",
        "-     5.273  device notifies ffe0/ffe1: 55 aa 86 15",
    ]


def test_an_invalid_run_names_the_fault_that_never_fired_and_the_last_line_says_the_whole() -> None:
    text = list(lines(rich(), width=120))
    assert "      0.003  fault: 'cut the link' was planned, and never fired" in text
    assert not any(line.startswith("  planned, and never fired") for line in text)
    unexplained = Outcome("decoder", "x", Verdict.INVALID, faults={"cut the link": 0})
    assert "  planned, and never fired: cut the link" in list(lines(Report("any", [unexplained])))
    assert "fault      cut the link: never fired" in text
    assert text[-1] == rich().headline


def test_timing_coverage_and_lateness_are_told() -> None:
    text = list(lines(rich(), width=120))
    assert any(
        re.fullmatch(r"fail       command to acknowledgement: median [\d.]+ ms slower \(.*\)", line) for line in text
    )
    assert "coverage of dr05: states 2 of 3, commands 2 of 3" in text
    assert "never reached: water_low, pause" in text
    assert any(line.startswith("lateness of 1,360 events: p50 ") for line in text)


def test_samples_that_are_no_numbers_are_left_out_and_counted() -> None:
    outcome = passed(pairs=1)
    outcome.samples = {"burst_length": [2.0, float("nan"), float("inf")], "other": [float("nan")]}
    text = list(lines(Report("any", [outcome]), width=200))
    rows = [line.split() for line in text]
    assert ["burst", "length", "1", "2", "2", "2", "2", "writes"] in rows
    assert ["other", "0", "-", "-", "-", "-"] in rows
    assert "burst length: 2 samples without a finite value left out" in text
    assert "other: 1 sample without a finite value left out" in text


def test_many_passed_replays_are_counted_and_few_are_named() -> None:
    few = list(lines(Report("any", [passed(f"transcript {number}", pairs=2) for number in range(20)])))
    many = list(lines(Report("any", [passed(f"transcript {number}", pairs=2) for number in range(21)])))
    assert sum("transcript" in line for line in few) == 20
    assert not any("transcript" in line for line in many)
    assert many[0] == "passed   21 replays"


@pytest.mark.parametrize("colour", [False, True])
def test_no_recording_gives_orders_to_the_terminal(colour: bool) -> None:
    text = list(lines(Report("any", [hostile()]), colour=colour))
    assert all(ESCAPES.sub("", line).isprintable() for line in text)
    assert any(r"\x1b[31mred\x00 \u202etxt" in line for line in text)


def test_colour_only_adds() -> None:
    plain, coloured = list(lines(rich())), list(lines(rich(), colour=True))
    assert [ESCAPES.sub("", line) for line in coloured] == plain
    assert coloured != plain
    assert not any("\x1b" in line for line in plain)


def test_sentences_are_wrapped_to_the_terminal_and_bytes_are_not() -> None:
    text = list(lines(Report("any", [failed()]), width=60))
    differences, conversation = text[1 : text.index("")], text[text.index("") :]
    assert len(differences) == 12
    assert max(map(len, differences)) <= 60
    assert "  -     5.000  app writes without response ffe0/ffe1: 55 aa 06 14 01 00 8c  # level 3" in conversation


def test_what_was_measured_is_a_table_whose_numbers_align() -> None:
    text = list(lines(Report("any", [passed()]), width=80))
    start = next(number for number, line in enumerate(text) if line.startswith("measured "))
    heads, *rows = text[start : text.index("", start)]
    assert heads.split() == ["measured", "samples", "p50", "p90", "p99", "max"]
    assert rows
    ends = [match.end() for match in re.finditer(r"(samples|p50|p90|p99|max)", heads)]
    for row in rows:
        assert [match.end() for match in re.finditer(r"(?<= )[\d.,]+(?= |$)", row)] == ends
    assert max(map(len, text)) <= 80


def test_where_the_terminal_has_no_room_for_the_table_each_measurement_is_a_sentence() -> None:
    text = list(lines(Report("any", [passed()]), width=45))
    assert not any(line.startswith("measured ") for line in text)
    start = next(number for number, line in enumerate(text) if line.startswith("command to acknowledgement: p50"))
    assert text[start + 1].startswith("  ")
    assert max(map(len, text[start:])) <= 45


def test_a_note_in_a_conversation_is_a_sentence_and_is_wrapped() -> None:
    note = Line("!", 5, "late by 60.0 ms: exchange 21, " + "a word " * 20)
    outcome = Outcome("central", "x", Verdict.FAILED, [], [Line(" ", 4, "app writes"), note])
    text = list(lines(Report("any", [outcome]), width=60))
    told = [line for line in text if line.startswith(("  !", "               "))]
    assert len(told) == 4
    assert max(map(len, told)) <= 60
    assert " ".join(" ".join(told).split()) == "! 0.000 " + note.text.strip()


def test_a_conversation_without_end_is_cut_at_its_beginning() -> None:
    conversation = [Line("+", number, f"app writes {number}") for number in range(500)]
    outcome = Outcome("central", "long", Verdict.FAILED, [Difference("extra", None, 0, "extra")], conversation)
    text = list(lines(Report("any", [outcome])))
    assert "  … 380 lines before that are in the other reports" in text
    assert sum("app writes" in line for line in text) == 120
    assert any(line.endswith("app writes 499") for line in text)


def test_of_many_failures_all_are_told_and_the_first_with_their_conversation() -> None:
    text = list(lines(Report("any", [failed(f"transcript {number}") for number in range(12)])))
    assert sum(line.startswith("failed   central") for line in text) == 12
    assert sum("the conversation so far" in line for line in text) == 10


def test_folding_leaves_nothing_out_and_shows_what_is_around_each_mark() -> None:
    conversation = [Line("-" if number in (30, 34, 90) else " ", number, "x") for number in range(120)]
    shown = list(folded(conversation, 4))
    assert [line for item in shown for line in (item.lines if isinstance(item, Folded) else [item])] == conversation
    assert [len(item.lines) for item in shown if isinstance(item, Folded)] == [26, 47, 25]


def test_a_conversation_as_recorded_keeps_its_end_and_no_single_line_is_folded() -> None:
    as_recorded = [Line(" ", number, "x") for number in range(10)]
    assert list(folded(as_recorded, 3))[1:] == as_recorded[7:]
    marked = [Line("-" if number == 4 else " ", number, "x") for number in range(9)]
    assert list(folded(marked, 3)) == marked
