"""One setting as a value: what may stand there, in words, and how a person's text becomes it.

Made from the structs of a schema by looking at their types; knows no setting by name, no file and no screen.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import inspect

from companion.words import settings as words

_YES: Final = frozenset({"yes", "y", "true", "on"})
_NO: Final = frozenset({"no", "n", "false", "off"})


class Kind(StrEnum):
    """How a setting is changed: picked from a few, or written."""

    CHOICE = "choice"
    SWITCH = "switch"
    NUMBER = "number"
    TEXT = "text"


class NotAllowedError(ValueError):
    """A value that a setting cannot have. The message says what it can have, never what was given."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. ``section`` and ``name`` are the path in the file; ``type`` is what msgspec checks.

    ``attribute`` is its name in the struct; ``choices`` are all the values of a choice or a switch; ``allowed`` is what
    may stand in the file, in words; ``optional`` says that there may be none.
    """

    section: str
    name: str
    attribute: str
    kind: Kind
    type: Any
    default: Any
    choices: tuple[Any, ...]
    allowed: str
    reason: str
    optional: bool

    @property
    def key(self) -> str:
        """``section.name``: as the command and the file's check call it."""
        return f"{self.section}.{self.name}"

    @property
    def label(self) -> str:
        """The name as words."""
        return self.name.replace("_", " ").replace(".", " ")

    @property
    def picked(self) -> bool:
        """Whether it is changed by picking one of ``choices``."""
        return bool(self.choices)

    @property
    def answers(self) -> str:
        """What a person may say, in words."""
        if self.kind is Kind.SWITCH:
            return words.YES_OR_NO
        return _listed([str(one) for one in self.choices]) if self.choices else self.allowed

    def value_in(self, settings: msgspec.Struct) -> Any:
        """This setting's value in the whole of the settings."""
        return getattr(getattr(settings, self.section), self.attribute)

    def checked(self, value: object) -> Any:
        """``value`` (as it stands in a file) as the setting's own type.

        Raises:
            NotAllowedError: it is of another type or out of range.
        """
        try:
            return msgspec.convert(value, self.type)
        except msgspec.ValidationError:
            raise NotAllowedError(self.allowed) from None

    def parsed(self, text: str) -> Any:
        """What a person means by ``text``, as it would stand in a file; None for none.

        Raises:
            NotAllowedError: it means nothing here.
        """
        word = text.strip()
        if self.optional and not word:
            return None
        value: object = word
        if self.kind is Kind.SWITCH:
            value = True if word.casefold() in _YES else False if word.casefold() in _NO else word
        elif self.kind is Kind.CHOICE:
            value = next((one for one in self.choices if str(one).casefold() == word.casefold()), word)
        elif self.kind is Kind.NUMBER:
            value = _number(word)
        try:
            self.checked(value)
        except NotAllowedError:
            raise NotAllowedError(self.answers) from None
        return value

    def shown(self, value: object) -> str:
        """``value`` for a person to read."""
        if value is None:
            return words.NOT_SET
        if isinstance(value, bool):
            return words.YES if value else words.NO
        return str(value)


def _number(word: str) -> object:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


@lru_cache
def settings_of(schema: type[msgspec.Struct]) -> tuple[Setting, ...]:
    """Every setting of a schema: a struct whose fields are sections, each with a usual value.

    Raises:
        TypeError: a field is of a type that cannot be set, or has no usual value.
    """
    return tuple(
        setting
        for field in msgspec.structs.fields(schema)
        for setting in _settings_in(field.encode_name, field.type, _default(field))
    )


def nearest(name: str, known: Collection[str]) -> str | None:
    """The name that was probably meant, if any; of dotted ones the last part counts too."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if not close:
        last = {one.rpartition(".")[2]: one for one in known}
        close = [last[one] for one in difflib.get_close_matches(name.rpartition(".")[2], last, n=1, cutoff=0.7)]
    return close[0] if close else None


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    raise TypeError(f"{field.encode_name} has no usual value")


def _settings_in(section: str, struct: type[msgspec.Struct], usual: object) -> Iterator[Setting]:
    for field in msgspec.structs.fields(struct):
        key, default = f"{section}.{field.encode_name}", getattr(usual, field.name)
        allowed, found = _described(inspect.type_info(field.type))
        optional = isinstance(found, inspect.UnionType)
        if isinstance(found, inspect.UnionType):
            allowed, found = _alone(found, key, allowed)
        kind, choices, in_words = _kind(found, key, default)
        yield Setting(
            section=section,
            name=field.encode_name,
            attribute=field.name,
            kind=kind,
            type=field.type,
            default=default,
            choices=choices,
            allowed=allowed or in_words,
            reason=words.REASONS.get(key, ""),
            optional=optional,
        )


def _described(found: inspect.Type) -> tuple[str, inspect.Type]:
    """The words that a type carries for itself, and the type."""
    if isinstance(found, inspect.Metadata):
        return str((found.extra_json_schema or {}).get("description", "")), found.type
    return "", found


def _alone(union: inspect.UnionType, key: str, allowed: str) -> tuple[str, inspect.Type]:
    others = [one for one in union.types if not isinstance(one, inspect.NoneType)]
    if len(others) != 1:
        raise TypeError(f"{key} is of more than one type")
    own, found = _described(others[0])
    return allowed or own, found


def _kind(found: inspect.Type, key: str, default: object) -> tuple[Kind, tuple[Any, ...], str]:
    """How a type is set, its choices, and what is allowed in words."""
    match found:
        case inspect.BoolType():
            return Kind.SWITCH, (True, False), words.TRUE_OR_FALSE
        case inspect.LiteralType(values=values):
            # msgspec has sorted them; the usual one comes first
            ordered = sorted(values, key=lambda value: value != default)
            return Kind.CHOICE, tuple(ordered), _listed([f'"{value}"' for value in ordered])
        case inspect.IntType() | inspect.FloatType():
            return Kind.NUMBER, (), _range(found)
        case inspect.StrType():
            return Kind.TEXT, (), _length(found)
        case _:
            raise TypeError(f"{key} is of a type that cannot be set")


def _listed(values: list[str]) -> str:
    """``"a", "b" or "c"``."""
    return words.OR.join((", ".join(values[:-1]), values[-1])) if len(values) > 1 else values[0]


def _range(number: inspect.IntType | inspect.FloatType) -> str:
    kind = words.WHOLE if isinstance(number, inspect.IntType) else words.NUMBER
    least, most = number.ge, number.le
    if least is not None and most is not None:
        return words.BETWEEN.format(kind=kind, least=least, most=most)
    if least is not None:
        return words.AT_LEAST.format(kind=kind, least=least)
    return kind if most is None else words.AT_MOST.format(kind=kind, most=most)


def _length(text: inspect.StrType) -> str:
    if text.max_length is None:
        return words.TEXT
    if not text.min_length:
        return words.TEXT_AT_MOST.format(most=text.max_length)
    return words.TEXT_BETWEEN.format(least=text.min_length, most=text.max_length)
