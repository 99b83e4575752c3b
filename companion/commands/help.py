"""Draws the help pages of the words catalogue as text.

Knows columns and bold; refuses to know a command. Imports nothing of weight, so that help is there at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from companion.words.cli import PAGES
from companion.words.page import Page

_INDENT = 2
_GAP = 2
_WIDEST = 96  # longer lines are hard to read, however wide the terminal is
_HELP = {"--help", "-h"}


def asked_for(tokens: Sequence[str]) -> bool:
    """Whether a command line asks for help. What stands behind ``--`` is no option."""
    before = tokens[: tokens.index("--")] if "--" in tokens else tokens
    return not _HELP.isdisjoint(before)


def command_of(tokens: Sequence[str]) -> tuple[str, ...]:
    """The longest command that the words at the start of a command line name; ``()`` for the app itself."""
    path: tuple[str, ...] = ()
    for token in tokens:
        if token.startswith("-"):
            continue
        if (*path, token) not in PAGES:
            break
        path = (*path, token)
    return path


def page(path: tuple[str, ...], width: int, *, bold: bool) -> str:
    """The help page of a command, at most ``width`` columns wide, with ANSI bold where ``bold``."""
    return "\n".join(_lines(PAGES[path], min(width, _WIDEST), bold=bold)) + "\n"


def _lines(page: Page, width: int, *, bold: bool) -> Iterator[str]:
    yield from _wrapped(page.about, width, 0)
    yield ""
    yield from _rows(page.usage, width, bold=bold)
    for title, rows in page.sections:
        yield ""
        yield _strong(title) if bold else title
        yield from _rows(rows, width, bold=bold)
    if page.note:
        yield ""
        yield from _wrapped(page.note, width, 0)


def _rows(rows: Sequence[tuple[str, str]], width: int, *, bold: bool) -> Iterator[str]:
    column = _INDENT + max(len(term) for term, _ in rows) + _GAP
    for term, meaning in rows:
        first, *others = [*_wrapped(meaning, width, column)] or [""]
        padding = " " * (column - _INDENT - len(term))
        yield f"{' ' * _INDENT}{_strong(term) if bold else term}{padding}{first.strip()}".rstrip()
        yield from others


def _wrapped(text: str, width: int, indent: int) -> Iterator[str]:
    line = ""
    for word in text.split():
        if line and indent + len(line) + 1 + len(word) > width:
            yield " " * indent + line
            line = word
        else:
            line = f"{line} {word}" if line else word
    if line:
        yield " " * indent + line


def _strong(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m"
