"""The types that the commands' parameters have in common, and how their values are read. Knows no command."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

from companion.commands.start import DemoKey
from companion.words import cli as words
from companion.words import commands as command_words
from companion.words import serve as serve_words


def speed_of(_: Any, tokens: Sequence[Token]) -> float:
    """A speed: ``max`` or a positive number."""
    try:
        speed = math.inf if tokens[0].value == "max" else float(tokens[0].value)
    except ValueError:
        raise ValueError(words.BAD_SPEED) from None
    if not speed > 0 or (math.isinf(speed) and tokens[0].value != "max"):
        raise ValueError(words.BAD_SPEED)
    return speed


def seed_of(_: Any, tokens: Sequence[Token]) -> int:
    """A whole number from 0 on."""
    if not tokens[0].value.isdecimal():
        raise ValueError(words.BAD_SEED)
    return int(tokens[0].value)


def session_id(_: Any, tokens: Sequence[Token]) -> int:
    """The number of a session."""
    if not tokens[0].value.isdecimal():
        raise ValueError(words.BAD_ID)
    return int(tokens[0].value)


def port_of(_: Any, tokens: Sequence[Token]) -> int:
    """A port to listen on; 0 is a free one."""
    if not tokens[0].value.isdecimal() or int(tokens[0].value) > 65535:
        raise ValueError(serve_words.BAD_PORT)
    return int(tokens[0].value)


def positive(kind: type[int | float], tokens: Sequence[Token]) -> float:
    """A number above 0."""
    try:
        number = kind(tokens[0].value)
    except ValueError:
        raise ValueError(words.BAD_POSITIVE) from None
    if not 0 < number < math.inf:
        raise ValueError(words.BAD_POSITIVE)
    return number


def whole(_: Any, tokens: Sequence[Token]) -> int:
    """A whole number; whether it makes sense is for others to say."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(command_words.BAD_WHOLE) from None


def a_drink(_: Any, tokens: Sequence[Token]) -> int:
    """A number of mL, where a command could have stood as well."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(command_words.BAD_ML) from None


Demo = Annotated[DemoKey | None, Parameter(name="--demo")]
DemoData = Annotated[bool, Parameter(name="--demo", negative=())]
Speed = Annotated[float, Parameter(name="--speed", converter=speed_of)]
Seed = Annotated[int | None, Parameter(name="--seed", converter=seed_of)]
Record = Annotated[Path | None, Parameter(name="--record")]
Json = Annotated[bool, Parameter(name="--json", negative=())]
Person = Annotated[str | None, Parameter(name="--person")]
Flag = Annotated[bool, Parameter(negative=())]
Debug = Annotated[bool, Parameter(parse=False)]
SessionId = Annotated[int, Parameter(name="ID", converter=session_id)]
Whole = Annotated[int | None, Parameter(converter=whole)]
