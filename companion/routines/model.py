"""Routines: what a TOML file may say, and what is wrong, where, with one that says something else.

A routine is data: it names steps, zones and shares of the person's comfortable maximum. It cannot name a level, and
nothing in it can widen a limit. Knows no device bytes and no clock.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from companion.routines.planning import NotForThisDeviceError, output_seconds, plan_session
from companion.routines.schema import Document, Needs, OwnLimits, Routine, RoutineStep
from companion.routines.zones import ZONES

__all__ = ["Needs", "NotForThisDeviceError", "Routine", "RoutineError", "RoutineStep", "load", "plan_session"]


class RoutineError(Exception):
    """A routine cannot be used. One line: file, line where known, field, what is wrong and what to do."""

    def __init__(self, file: str, problem: str, advice: str, *, line: int | None = None, field: str = "") -> None:
        where = ", ".join(part for part in (file, f"line {line}" if line else "", field) if part)
        super().__init__(f"{where}: {problem}; {advice}")
        self.file = file
        self.line = line
        self.field = field
        self.problem = problem
        self.advice = advice


_ZONE_FIELDS = frozenset({"zone", "zones", "stroke", "passes", "seconds_per_pass"})
_ALWAYS = frozenset({"kind", "title", "text"})
_GUIDED = frozenset({"seconds", "confirm"})
_ALLOWED: Mapping[str, frozenset[str]] = {
    "treat": _ALWAYS | _ZONE_FIELDS | {"share", "mode"},
    "massage": _ALWAYS | _ZONE_FIELDS | _GUIDED | {"optional"},
    "cool": _ALWAYS | _GUIDED | {"cooling_c"},
    "prepare": _ALWAYS | _GUIDED | {"optional"},
    "light": _ALWAYS | _GUIDED | {"optional"},
    "care": _ALWAYS | _GUIDED | {"optional"},
}
_OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "massage": ("massage",),
    "prepare": ("steam", "exfoliation"),
    "light": ("light",),
    "care": ("mask", "serum"),
}

_PATCH_ZONES = ("left-jawline", "right-jawline")
_PATCH_SHARE = 0.5
_PATCH_OUTPUT_S = 180.0


def load(path_or_text: Path | str, *, file: str = "routine") -> Routine:
    """Return the routine in a file (``Path``) or in a text (``str``, called ``file`` in errors).

    Raises:
        RoutineError: the file cannot be read, is not TOML, or says something that a routine cannot say.
    """
    text = path_or_text
    if isinstance(text, Path):
        file = text.name
        text = _read(text)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem, line = _toml_problem(str(error), text)
        raise RoutineError(file, f"this is not TOML: {problem}", "mend that line", line=line) from error
    source = _Source(file, text)
    try:
        routine = msgspec.convert(document, Document)
    except msgspec.ValidationError as error:
        source.refuse_schema(str(error))
    for index, (step, table) in enumerate(zip(routine.steps, document["steps"], strict=True)):
        _check_step(step, table, index, routine.needs, source)
    _check_order(routine, source)
    if routine.patch_test:
        _check_patch_test(routine, source)
    return Routine(**msgspec.structs.asdict(routine), file=file)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RoutineError(path.name, f"cannot be read ({error.strerror})", "check the path and its rights") from error
    except UnicodeDecodeError as error:
        raise RoutineError(path.name, f"byte {error.start} is not UTF-8", "save the file as UTF-8") from error


def _toml_problem(message: str, text: str) -> tuple[str, int]:
    """Split what tomllib says (``... (at line 3, column 5)``) into problem and line."""
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if found is None:
        return message, 1
    return message[: found.start()], int(found[1]) if found[1] else text.count("\n") + 1


class _Source:
    """The text of a routine, to say where something stands."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._lines = text.splitlines()

    def refuse(self, field: str, problem: str, advice: str) -> NoReturn:
        raise RoutineError(self._file, problem, advice, line=self._line_of(field), field=field)

    def refuse_schema(self, message: str) -> NoReturn:
        """Say in plain words what msgspec found."""
        problem, _, path = message.partition(" - at `$")
        path = path.strip("`.")
        unknown = re.fullmatch(r"Object contains unknown field `(.*)`", problem)
        if unknown is not None:
            known = _fields_at(path)
            field = f"{path}.{unknown[1]}" if path else unknown[1]
            self.refuse(field, f'there is no field "{unknown[1]}" here', _nearest(unknown[1], known))
        missing = re.fullmatch(r"Object missing required field `(.*)`", problem)
        if missing is not None:
            self.refuse(path, f'the field "{missing[1]}" is missing', "add it")
        enum = re.fullmatch(r"Invalid enum value (.*)", problem)
        if enum is not None:
            self.refuse(path, f"{enum[1]} is not known here", _nearest(enum[1].strip("'\""), _choices_at(path)))
        self.refuse(path, problem[0].lower() + problem[1:], "change the value")

    def _line_of(self, field: str) -> int | None:
        """Return the line (from 1) of ``steps[3].zone`` or ``title``, or of the table it is missing from."""
        table, _, key = field.rpartition(".")
        if re.fullmatch(r"\w+(\[\d+\])?", field) and (field.endswith("]") or field in ("needs", "limits")):
            table, key = field, ""
        key = key.split("[")[0]
        here = ""
        count = -1
        header: int | None = 1 if table == "" else None
        for number, line in enumerate(self._lines, start=1):
            if re.match(r"\s*\[\[\s*steps\s*\]\]", line):
                count += 1
                here = f"steps[{count}]"
            elif opened := re.match(r"\s*\[\s*(\w+)\s*\]", line):
                here = opened[1]
                if here == field:
                    return number
            elif here == table and key and re.match(rf"""\s*["']?{re.escape(key)}["']?\s*=""", line):
                return number
            if here == table and header is None:
                header = number
        return header


def _fields_at(path: str) -> Collection[str]:
    """Return the fields known at a path of the document."""
    if path.startswith("steps["):
        return RoutineStep.__struct_fields__
    return {"needs": Needs, "limits": OwnLimits}.get(path, Document).__struct_fields__


def _choices_at(path: str) -> Collection[str]:
    if path == "format":
        return ("1",)
    if path.endswith(".kind"):
        return ("prepare", "check", "massage", "treat", "light", "cool", "care", "hydrate")
    if path.endswith(".optional"):
        return ("massage", "steam", "exfoliation")
    return ("microcurrent", "pulsation", "any")


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return f'did you mean "{close[0]}"?' if close else f"known are {', '.join(known)}"


def _check_step(step: RoutineStep, table: Mapping[str, Any], index: int, needs: Needs, source: _Source) -> None:
    """Refuse what the schema cannot: fields that do not belong to the kind, unknown zones, steps without an end."""
    here = f"steps[{index}]"
    allowed = _ALLOWED.get(step.kind, _ALWAYS | _GUIDED)
    for key in table:
        if key not in allowed:
            source.refuse(f"{here}.{key}", f'"{key}" means nothing in a step of kind "{step.kind}"', "take it out")
    if step.zone is not None and step.zones is not None:
        source.refuse(f"{here}.zones", 'there is a "zone" and a "zones"', "keep one of the two")
    for zone in step.zone_ids:
        if zone not in ZONES:
            field = f"{here}.zone" if step.zone is not None else f"{here}.zones"
            source.refuse(field, f'there is no zone "{zone}"', _nearest(zone, ZONES))
    _check_kind(step, here, needs, source)
    if step.kind == "treat":
        if not step.zone_ids:
            source.refuse(here, 'a step of kind "treat" needs a zone', 'add "zone" or "zones"')
        if step.share is None:
            source.refuse(here, 'a step of kind "treat" needs a share', 'add "share", between 0 and 1')
        return
    if not step.zone_ids:
        for name, value in (("title", step.title), ("text", step.text)):
            if value is None:
                source.refuse(here, f'the field "{name}" is missing', "add it")
        if not step.seconds and not step.confirm:
            source.refuse(here, "this step never ends", 'give it "seconds", or "confirm = true"')


def _check_kind(step: RoutineStep, here: str, needs: Needs, source: _Source) -> None:
    """Refuse optional steps of another kind, and steps that the routine's own needs do not cover."""
    if step.optional is not None and step.optional not in _OPTIONAL[step.kind]:
        known = " or ".join(f'"{name}"' for name in _OPTIONAL[step.kind])
        source.refuse(
            f"{here}.optional", f'a step of kind "{step.kind}" cannot be "{step.optional}"', f"known here: {known}"
        )
    if step.kind == "cool" and not needs.cooling:
        source.refuse(f"{here}.kind", "a step that cools needs a device that cools", 'say "cooling = true" in [needs]')
    if step.kind == "light" and not needs.light:
        source.refuse(f"{here}.kind", "a step with light needs a device with light", 'say "light = true" in [needs]')


def _check_order(routine: Document, source: _Source) -> None:
    """Refuse steam or a peeling cream on skin that has just had output."""
    treated = False
    for index, step in enumerate(routine.steps):
        treated = treated or step.kind == "treat"
        if treated and step.optional in ("steam", "exfoliation"):
            source.refuse(f"steps[{index}].optional", f'"{step.optional}" comes before all output', "move the step up")


def _check_patch_test(routine: Document, source: _Source) -> None:
    """Hold a routine that calls itself a patch test to being one: such a routine may run before the test is passed."""

    def refuse(problem: str, advice: str) -> NoReturn:
        source.refuse("patch_test", f"a patch test {problem}", advice)

    treated = [index for index, step in enumerate(routine.steps) if step.kind == "treat"]
    if not treated:
        refuse("has a step with output", "add one, or leave out patch_test")
    first = routine.steps[treated[0]]
    if first.share != 0 or len(first.zone_ids) != 1 or first.zone_ids[0] not in _PATCH_ZONES:
        refuse("begins at the lowest level on one jawline", 'begin with zone = "left-jawline" and share = 0')
    following = routine.steps[treated[0] + 1 : treated[0] + 2]
    if not following or following[0].kind != "check":
        refuse("has a look at the skin right after its first zone", 'add a step of kind "check" there')
    if any((routine.steps[index].share or 0.0) > _PATCH_SHARE for index in treated):
        refuse("stays at or below half of your maximum", f"lower every share to {_PATCH_SHARE}")
    if output_seconds(routine) > _PATCH_OUTPUT_S:
        refuse(f"has at most {_PATCH_OUTPUT_S:.0f} s of output", "take out zones or passes")
