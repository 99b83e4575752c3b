"""Command lines that need no parser: every word an argument or a known option, spelled in the plain way.

Anything else (``--format=tsv``, ``--``, every mistake) is for the parser in :mod:`rig.commands.tree`, whose import
takes longer than decoding a small capture. Both make the same of a line that both take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple


class Shape(NamedTuple):
    """What a plain command line of one command is made of; names are those of its function's parameters."""

    arguments: tuple[str, ...]
    """All needed."""
    flags: Mapping[str, str]
    """Option to parameter."""
    valued: Mapping[str, str]
    """Option to the parameter that takes the word after it."""
    choices: Mapping[str, tuple[str, ...]]
    """Parameter to all that it may be, where that is limited."""


FORMATS: Final = ("table", "tsv", "json", "jsonl")

SHAPES: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        "decode": Shape(
            ("file",),
            {"--att": "att", "--gatt": "gatt", "--events": "events"},
            {"--format": "format", "--map": "map", "--save-map": "save_map", "--protocol": "protocol"},
            {"format": FORMATS},
        ),
        "info": Shape(("file",), {"--json": "json"}, {}, {}),
    }
)


def plain(tokens: Sequence[str]) -> tuple[str, dict[str, str | bool]] | None:
    """The command and its parameters, or None for a line that is the parser's to judge."""
    shape = SHAPES.get(tokens[0]) if tokens else None
    if shape is None:
        return None
    found: dict[str, str | bool] = {}
    arguments = iter(shape.arguments)
    words = iter(tokens[1:])
    for word in words:
        value: str | bool = True
        if word in shape.flags:
            name = shape.flags[word]
        elif word in shape.valued:
            name, value = shape.valued[word], next(words, "-")
            if value.startswith("-"):
                return None
        elif word.startswith("-") and word != "-":
            return None
        else:
            name, value = next(arguments, ""), word
        if not name or name in found or value not in shape.choices.get(name, (value,)):
            return None
        found[name] = value
    return None if next(arguments, None) else (tokens[0], found)
