"""The progress bar: not there for what is quick, there for what is not, gone when it is done."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rig.capture.progress import Bar, watched
from rig.capture.records import LinkType, Record


class Seconds:
    """A clock that the test winds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def drawn(terminal: io.StringIO) -> str:
    """What the terminal's line shows in the end."""
    line = ""
    for part in terminal.getvalue().split("\r"):
        line = part + line[len(part) :]
    return line.rstrip()


def test_what_is_done_within_a_second_draws_nothing() -> None:
    terminal, clock = io.StringIO(), Seconds()
    bar = Bar(terminal, clock)
    clock.now += 0.99
    bar(50, 100)
    bar.close()
    assert terminal.getvalue() == ""


def test_after_a_second_the_share_is_shown_and_taken_away_in_the_end() -> None:
    terminal, clock = io.StringIO(), Seconds()
    bar = Bar(terminal, clock)
    clock.now += 1.0
    bar(50_000_000, 200_000_000)
    assert drawn(terminal) == "███████░░░░░░░░░░░░░░░░░░░░░░░  25%  50.0 of 200.0 MB"
    clock.now += 0.05
    bar(60_000_000, 200_000_000)  # ten times a second is enough
    assert "25%" in drawn(terminal)
    clock.now += 0.05
    bar(200_000_000, 200_000_000)
    assert drawn(terminal).startswith("█" * 30 + " 100%")
    bar.close()
    assert drawn(terminal) == ""
    bar.close()
    assert "\n" not in terminal.getvalue()


def test_a_file_that_grew_meanwhile_is_not_more_than_whole() -> None:
    terminal, clock = io.StringIO(), Seconds()
    bar = Bar(terminal, clock)
    clock.now += 1.0
    bar(300, 200)
    assert "100%" in drawn(terminal)


def test_of_a_pipe_only_what_was_read_is_known() -> None:
    terminal, clock = io.StringIO(), Seconds()
    bar = Bar(terminal, clock)
    clock.now += 1.0
    bar(12_340_000, None)
    assert drawn(terminal) == "12.3 MB read"
    clock.now += 1.0
    bar(0, None)  # a shorter line leaves nothing of the longer one behind it
    assert drawn(terminal) == "0.0 MB read"


class File:
    """A source that is at a record's number."""

    position = 0
    size = 10_000


def test_records_pass_as_they_are_while_the_place_is_told_now_and_then() -> None:
    file = File()

    def records() -> Iterator[Record]:
        for frame in range(1, 10_001):
            file.position = frame
            yield Record(frame, 0, LinkType.HCI_H4, b"", 0)

    told: list[tuple[int, int | None]] = []
    seen = [record.frame for record in watched(records(), file, lambda position, size: told.append((position, size)))]
    assert seen == list(range(1, 10_001))
    assert told == [(2048, 10_000), (4096, 10_000), (6144, 10_000), (8192, 10_000)]
