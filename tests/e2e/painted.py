"""What a terminal shows after what was written to it: as much of one as Textual's output needs, for tests."""

from __future__ import annotations

import re

_PIECE = re.compile(
    r"\x1b\[(?P<parameters>[0-9;:?<>=]*)[ -/]*(?P<final>[@-~])"  # ECMA-48 5.4
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.|(?P<text>[^\x1b\r\n]+)|(?P<control>[\r\n])"
)


class Painted:
    """A grid of letters, each one cell wide."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], str] = {}
        self._row = self._column = 0

    def write(self, text: str) -> None:
        for piece in _PIECE.finditer(text):
            if piece["text"]:
                for letter in piece["text"]:
                    self._cells[self._row, self._column] = letter
                    self._column += 1
            elif piece["control"]:
                self._row += piece["control"] == "\n"
                self._column = 0
            elif piece["final"] == "H":
                row, _, column = piece["parameters"].partition(";")
                self._row, self._column = int(row or 1) - 1, int(column or 1) - 1
            elif piece["final"] == "J":
                self._cells.clear()

    @property
    def lines(self) -> list[str]:
        last_row = max((row for row, _ in self._cells), default=-1)
        lines = []
        for row in range(last_row + 1):
            last = max((column for at, column in self._cells if at == row), default=-1)
            lines.append("".join(self._cells.get((row, column), " ") for column in range(last + 1)))
        return lines

    def find(self, text: str) -> tuple[int, int] | None:
        """Row and column where ``text`` begins, counted from 0; the lowest place where there are several."""
        for row, line in reversed(list(enumerate(self.lines))):
            if text in line:
                return row, line.index(text)
        return None

    def __str__(self) -> str:
        return "\n".join(self.lines)
