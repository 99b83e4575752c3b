"""The report for a terminal.

Knows layout. Whatever comes from recordings is made printable: a terminal obeys what is not. Colour only adds to words
and marks; nothing is said by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Final, TypedDict

from rig.capture.text import printable
from rig.replay.outcome import Difference, Line, Outcome, Verdict
from rig.report.coverage import coverage_lines
from rig.report.folding import Folded, folded
from rig.report.model import (
    QUANTILES,
    Measured,
    Report,
    figures,
    fired,
    how_late,
    in_words,
    many,
    moment,
    odd,
    played,
    quantile,
    sentence,
    spread,
    untold,
)


class _Breaks(TypedDict):
    break_long_words: bool
    break_on_hyphens: bool


_AROUND: Final = 5  # lines as recorded on either side of one that was not
_PASSED_SHOWN: Final = 20  # beyond, passed replays are counted alone
_CONVERSATIONS: Final = 10  # replays whose conversation is printed: of more, the other reports have it
_DIFFERENCES_SHOWN: Final = 20  # of one replay: the first is nearly always the cause of the rest
_LINES_SHOWN: Final = 120  # of one conversation
_LEAST_WIDTH: Final = 40
_WHOLE_WORDS: Final[_Breaks] = {"break_long_words": False, "break_on_hyphens": False}
_PAINT: Final = {
    **dict.fromkeys(("failed", "fail", "-"), "31"),
    **dict.fromkeys(("invalid", "not enough", "marginal", "!"), "33"),
    **dict.fromkeys(("passed", "pass"), "32"),
    "+": "36",
}


def lines(report: Report, *, width: int = 96, colour: bool = False) -> Iterator[str]:
    """The whole report, line by line without line ends.

    Args:
        report: what to say.
        width: columns of the terminal; sentences are wrapped to it, bytes never are.
        colour: whether ANSI colours are wanted.
    """
    yield from _Text(max(width, _LEAST_WIDTH), colour).report(report)


class _Text:
    """One terminal's width and colours."""

    def __init__(self, width: int, colour: bool) -> None:
        self._width = width
        self._colour = colour

    def report(self, report: Report) -> Iterator[str]:
        counts = report.counts
        listed = counts[Verdict.PASSED] <= _PASSED_SHOWN
        for number, outcome in enumerate(report.ordered):
            if outcome.verdict is not Verdict.PASSED:
                yield from self._failing(outcome, conversation=number < _CONVERSATIONS)
                yield ""
            elif listed:
                yield self._head(outcome)
        if not listed:
            yield f"{self._paint('passed'.ljust(8), 'passed')} {many(counts[Verdict.PASSED], 'replay')}"
        yield from self._measured(report)
        yield self._paint(printable(report.headline), report.verdict.value)

    def _head(self, outcome: Outcome) -> str:
        verdict = self._paint(outcome.verdict.value.ljust(8), outcome.verdict.value)
        return f"{verdict} {outcome.role.ljust(10)} {printable(outcome.title)}, {played(outcome)}"

    def _failing(self, outcome: Outcome, *, conversation: bool) -> Iterator[str]:
        yield self._head(outcome)
        for difference in outcome.differences[:_DIFFERENCES_SHOWN]:
            yield from self._difference(difference)
        if len(outcome.differences) > _DIFFERENCES_SHOWN:
            yield f"  … and {many(len(outcome.differences) - _DIFFERENCES_SHOWN, 'difference')} more"
        if never := untold(outcome):
            yield from self._wrapped(f"  planned, and never fired: {', '.join(map(printable, never))}", "  ")
        if outcome.conversation and conversation:
            yield ""
            yield "  the conversation so far (- did not happen, + was not recorded)"
            yield from (f"  {line}" for line in self._conversation(outcome))

    def _difference(self, difference: Difference) -> Iterator[str]:
        head = f"  {moment(difference.at_ns):>9}  "
        yield from self._wrapped(head + printable(sentence(difference)), " " * len(head))

    def _conversation(self, outcome: Outcome) -> Iterator[str]:
        shown = list(folded(outcome.conversation, _AROUND))
        if len(shown) > _LINES_SHOWN:
            yield f"… {many(len(shown) - _LINES_SHOWN, 'line')} before that are in the other reports"
        for item in shown[-_LINES_SHOWN:]:
            said, mark = plain_line(item), item.mark if isinstance(item, Line) else ""
            # a note is a sentence; what was said on the air stays on one line, to be searched for and copied
            told = wrap(said, self._width - 2, subsequent_indent=" " * 13, **_WHOLE_WORDS) if mark == "!" else [said]
            yield from (self._paint(line, mark) for line in told)

    def _measured(self, report: Report) -> Iterator[str]:
        late = how_late(report.lateness)
        covered = [each for line in coverage_lines(report.ordered) for each in self._wrapped(printable(line), "  ")]
        timing, faults = list(self._timing(report)), list(self._faults(report.faults))
        sections = self._wrapped(late, "  "), timing, covered, faults
        for section in sections:
            if section:
                yield ""
                yield from section
        yield ""

    def _timing(self, report: Report) -> Iterator[str]:
        for each in report.compared:
            verdict = each.verdict.value
            first, *rest = self._wrapped(f"{verdict.ljust(10)} {printable(in_words(each))}", " " * 11)
            yield self._paint(first[: len(verdict)], verdict) + first[len(verdict) :]
            yield from rest
        compared = {each.name for each in report.compared}
        alone = {name: measured for name, measured in report.measured.items() if name not in compared}
        for left in report.left_out:
            yield from self._wrapped(f"left out   {printable(left.name)}: {printable(left.why)}", " " * 11)
        if compared and alone:
            yield ""
        if alone:
            yield from self._table(alone)

    def _table(self, found: Mapping[str, Measured]) -> Iterator[str]:
        """What was measured and held against nothing: a row each where the terminal is wide enough for rows."""
        rows: list[tuple[str, ...]] = [("measured", "samples", *(name for name, _ in QUANTILES), "")]
        for name, measured in found.items():
            values = [quantile(measured.now, share) for _, share in QUANTILES]
            told = ["-" if value is None else figures(value) for value in values]
            rows.append((printable(name).replace("_", " "), f"{len(measured.now):,}", *told, measured.unit))
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        if sum(widths) + 2 * (len(widths) - 1) <= self._width:
            for name, *numbers, unit in rows:
                cells = [name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:-1]), unit]
                yield "  ".join(cells).rstrip()
        else:
            for name, measured in found.items():
                said = f"{printable(name).replace('_', ' ')}: {spread(measured.now, measured.unit)}"
                yield from self._wrapped(said, "  ")
        for name, measured in found.items():
            if measured.odd:
                yield from self._wrapped(f"{printable(name).replace('_', ' ')}: {odd(measured)}", "  ")

    def _faults(self, faults: Mapping[str, int]) -> Iterator[str]:
        for name, count in faults.items():
            yield f"fault      {printable(name)}: {self._paint(fired(count), '' if count else 'invalid')}"

    def _wrapped(self, text: str, indent: str) -> list[str]:
        return wrap(text, self._width, subsequent_indent=indent, **_WHOLE_WORDS)

    def _paint(self, text: str, key: str) -> str:
        code = _PAINT.get(key)
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and code else text


def plain_line(item: Line | Folded) -> str:
    """One line of a conversation as a diff; the same in the terminal and in JUnit."""
    if isinstance(item, Folded):
        return f"  … {many(len(item.lines), 'line')} as recorded"
    return f"{item.mark} {moment(item.at_ns):>9}  {printable(item.text)}"
