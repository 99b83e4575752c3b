"""What a help page is made of, and the rows that many of them share. Plain values without any import of weight."""

from __future__ import annotations

from typing import Final, NamedTuple


class Page(NamedTuple):
    """One help page: lines of usage, what it is for, and titled sections of (term, what it means)."""

    usage: tuple[tuple[str, str], ...]
    about: str
    sections: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    note: str = ""


JSON_LIST: Final = ("--json", "one JSON object a line")
JSON_ONE: Final = ("--json", "the same as one JSON object")
DEMO_DATA: Final = ("--demo", "the demo's sessions instead of yours")
DEMO_DEVICES: Final = ("--demo", "what was paired in the demo instead: it asks no second time, until you forget it")
DEMO_OF_IT: Final = ("--demo", "the demo's data instead of yours")
PERSON: Final = ("--person NAME", "for that person, and not for whoever's turn it is")

EVERYWHERE: Final = (
    "Everywhere",
    (
        ("--help", "what a command does, as in `companion run --help`"),
        ("--debug", "where a fault came from, for a bug report"),
    ),
)
