"""From the text of a settings file to values, with every mistake named by line and key.

Pure: knows texts and schemas, no file. One mistake costs that one setting, or its whole section where the section
reaches beyond this computer.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec

from companion.settings.schema import FILE_NAME, GUARDED
from companion.settings.setting import NotAllowedError, Setting, nearest, settings_of
from companion.words import settings as words

S_co = TypeVar("S_co", bound=msgspec.Struct, covariant=True)

_LONGEST: Final = 40  # of a wrong value, said again


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. ``line`` counts from 1; ``key`` is empty where the file as a whole is meant."""

    key: str
    problem: str
    advice: str
    line: int | None = None

    def __str__(self) -> str:
        at = words.LINE.format(line=self.line) if self.line else ""
        return f"{', '.join(part for part in (FILE_NAME, at, self.key) if part)}: {self.what}"

    @property
    def what(self) -> str:
        """What is wrong and what to do, without where."""
        section = self.key.partition(".")[0]
        said = words.GUARDED.format(problem=self.problem, section=section) if section in GUARDED else self.problem
        return f"{said}; {self.advice}"


@dataclass(frozen=True, slots=True)
class Line:
    """One setting as it is: ``written`` says that the file names it, ``problem`` what is wrong with that (or empty)."""

    setting: Setting
    value: Any
    written: bool
    problem: str = ""

    @property
    def text(self) -> str:
        """The value for a person to read."""
        return self.setting.shown(self.value)

    @property
    def usual(self) -> bool:
        """Whether it is as it would be without a file."""
        return bool(self.value == self.setting.default)


@dataclass(frozen=True, slots=True)
class Reading(Generic[S_co]):
    """What a file came to: ``settings`` to use, ``problems`` in the order of the file, ``written`` keys."""

    settings: S_co
    problems: tuple[Problem, ...] = ()
    written: frozenset[str] = frozenset()

    @property
    def warning(self) -> str:
        """One line for the person when the app starts: mistakes, else what is unwise; empty when all is well."""
        told = (*map(str, self.problems), *self.remarks)
        if len(told) < 2:
            return "".join(told)
        return words.AND_MORE.format(first=told[0], count=len(told) - 1)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is allowed and unwise: the ``warning`` of those sections that have one to give."""
        sections = ((name, getattr(self.settings, name)) for name in self.settings.__struct_fields__)
        told = ((name, getattr(section, "warning", "")) for name, section in sections)
        return tuple(f"{name}: {warning}" for name, warning in told if warning)

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every setting of the schema, in its order."""
        wrong = {one.key: one.what for one in reversed(self.problems)}
        return tuple(
            Line(one, one.value_in(self.settings), one.key in self.written, wrong.get(one.key, ""))
            for one in settings_of(type(self.settings))
        )


def unusable(schema: type[S_co], problem: str, advice: str, line: int | None = None) -> Reading[S_co]:
    """Everything as usual, because the file as a whole cannot be used."""
    return Reading(schema(), (Problem("", problem, advice, line),))


def read_text(text: str, schema: type[S_co]) -> Reading[S_co]:
    """The settings in ``text``; what is wrong in it is told and never raised."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem, line = toml_problem(str(error), text)
        return unusable(schema, words.NOT_TOML.format(problem=problem), words.MEND_LINE, line)
    return _Check(schema).read(document, text)


def toml_problem(message: str, text: str) -> tuple[str, int]:
    """Split what tomllib says (``... (at line 3, column 5)``) into problem and line."""
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if found is None:
        return message, 1
    return message[: found.start()], int(found[1]) if found[1] else text.count("\n") + 1


def lines_of(text: str) -> dict[str, int]:
    """The line (from 1) on which each table and each key of a TOML document begins, by dotted name.

    The parser tells no lines; but each statement is a document of its own, and ends where it can first be parsed.
    """
    found: dict[str, int] = {}
    table: tuple[str, ...] = ()
    statement, begin = "", 1
    for number, line in enumerate(text.split("\n"), start=1):
        statement += f"{line}\n"
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # goes on in the next line
        paths = list(_paths(parsed))
        if statement.lstrip().startswith("["):
            table = paths[-1]
            paths = [table[: end + 1] for end in range(len(table))]
        else:
            paths = [(*table, *path) for path in paths]
        for path in paths:
            found.setdefault(".".join(path), begin)
        statement, begin = "", number + 1
    return found


def _paths(parsed: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in parsed.items():
        yield (*above, name)
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        if isinstance(inner, dict):
            yield from _paths(inner, (*above, name))


class _Check(Generic[S_co]):
    """One reading of one document."""

    def __init__(self, schema: type[S_co]) -> None:
        self._schema = schema
        self._settings = {one.key: one for one in settings_of(schema)}
        self._problems: list[Problem] = []

    def read(self, document: Mapping[str, Any], text: str) -> Reading[S_co]:
        sections = {field.encode_name: field for field in msgspec.structs.fields(self._schema)}
        values: dict[str, object] = {}
        written: set[str] = set()
        for name, table in document.items():
            if name not in sections:
                self._unknown(name, sections if isinstance(table, dict) else self._settings)
            elif not isinstance(table, dict):
                self._problem(name, words.NOT_SECTION, words.AS_SECTION.format(section=name))
            else:
                written |= {f"{name}.{key}" for key in table} & self._settings.keys()
                values[sections[name].name] = self._section(name, table, sections[name].type)
        values = {name: value for name, value in values.items() if value is not None}
        return Reading(self._schema(**values), self._in_order(text), frozenset(written))

    def _section(self, section: str, table: Mapping[str, Any], struct: type[msgspec.Struct]) -> object:
        """One section's struct; None for the usual one."""
        before = len(self._problems)
        good = {}
        for name, value in table.items():
            setting = self._settings.get(f"{section}.{name}")
            if setting is None:
                self._unknown(f"{section}.{name}", self._settings)
                continue
            try:
                setting.checked(value)
            except NotAllowedError as error:
                self._problem(setting.key, *_not_allowed(setting, value, str(error)))
            else:
                good[name] = value
        if section in GUARDED and len(self._problems) > before:
            return None
        try:
            return msgspec.convert(good, struct)
        except msgspec.ValidationError as error:
            self._problem(section, _said_by(error), words.MAKE_AGREE)
            return None

    def _unknown(self, name: str, known: Mapping[str, object]) -> None:
        near = nearest(name, known)
        if near is None:
            section = name.rpartition(".")[0]
            names = [key for key in known if key.rpartition(".")[0] == section] or list(dict.fromkeys(known))
            self._problem(name, words.UNKNOWN, words.KNOWN.format(all=", ".join(names)))
        else:
            self._problem(name, words.UNKNOWN, words.DID_YOU_MEAN.format(name=near))

    def _problem(self, key: str, problem: str, advice: str) -> None:
        self._problems.append(Problem(key, problem, advice))

    def _in_order(self, text: str) -> tuple[Problem, ...]:
        if not self._problems:
            return ()
        lines = lines_of(text)
        placed = [Problem(one.key, one.problem, one.advice, lines.get(one.key)) for one in self._problems]
        return tuple(sorted(placed, key=lambda one: one.line or 0))


def _said_by(error: msgspec.ValidationError) -> str:
    """What a struct says of values that do not go together, as half a sentence."""
    return str(error).partition(" - at `$")[0].rstrip(".")


def _not_allowed(setting: Setting, value: object, allowed: str) -> tuple[str, str]:
    advice = words.ALLOWED.format(allowed=allowed)
    if setting.section in GUARDED:  # a password may stand in the wrong place: not said again
        return words.NOT_ALLOWED_UNSAID, advice
    near = nearest(value, [str(one) for one in setting.choices]) if isinstance(value, str) else None
    if near is not None:
        advice = f"{advice}; {words.DID_YOU_MEAN.format(name=near)}"
    return words.NOT_ALLOWED.format(value=literal(value)), advice


def literal(value: object) -> str:
    """A value as it stands in a file, shortened."""
    match value:
        case bool():
            text = "true" if value else "false"
        case str():
            text = json.dumps(value, ensure_ascii=False)
        case dict() | list():
            text = "{…}" if isinstance(value, dict) else "[…]"
        case dt.date() | dt.time():
            text = value.isoformat()
        case _:
            text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
