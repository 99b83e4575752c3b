"""A long conversation with what went as recorded left out, so that what did not is on one screen.

Knows lines and their marks. Refuses to know how they are printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rig.replay.outcome import Line


@dataclass(frozen=True, slots=True)
class Folded:
    """Lines as recorded that are left out."""

    lines: tuple[Line, ...]


def folded(conversation: Sequence[Line], around: int) -> Iterator[Line | Folded]:
    """The conversation with at most ``around`` lines as recorded before and after each that was not.

    A conversation in which everything went as recorded keeps its last ``around`` lines. A single line is never left
    out: the note in its place would take as much room.
    """
    marked = [index for index, line in enumerate(conversation) if line.mark != " "] or [len(conversation)]
    shown: set[int] = set()
    for index in marked:
        shown.update(range(max(0, index - around), min(len(conversation), index + around + 1)))
    hidden: list[Line] = []
    for index, line in enumerate(conversation):
        if index not in shown:
            hidden.append(line)
            continue
        yield from _left_out(hidden)
        hidden = []
        yield line
    yield from _left_out(hidden)


def _left_out(hidden: list[Line]) -> Iterator[Line | Folded]:
    if len(hidden) == 1:
        yield hidden[0]
    elif hidden:
        yield Folded(tuple(hidden))
