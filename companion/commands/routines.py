"""``companion routines``: what there is, one of them step by step, and whether a file is one.

Reads routine files; refuses to know devices, which decide later what of a routine they can do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from companion.commands.layout import duration, table
from companion.config import CompanionError, Exit, routines_folder
from companion.routines.library import Library, UnknownRoutineError
from companion.routines.model import Routine, RoutineError, load
from companion.routines.schema import RoutineStep
from companion.routines.zones import ZONES
from companion.session.engine import MOVE_S
from companion.words import cli as words


def print_list(*, json: bool) -> int:
    """Print every routine; one that cannot be read is named with the reason, and hides none of the others."""
    library = Library([routines_folder()])
    found: dict[str, Routine | RoutineError] = {}
    for name in library.names():
        try:
            found[name] = library.get(name)
        except RoutineError as error:
            found[name] = error
    if json:
        lines = [msgspec.json.encode(_as_json(name, routine)).decode() for name, routine in found.items()]
    else:
        lines = [*table([_row(name, routine) for name, routine in found.items()])]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return Exit.FINISHED


def print_one(name: str) -> int:
    """Print one routine step by step.

    Raises:
        CompanionError: there is no such routine, or its file is wrong.
    """
    try:
        routine = Library([routines_folder()]).get(name)
    except (UnknownRoutineError, RoutineError) as error:
        raise CompanionError(str(error), Exit.USAGE) from error
    sys.stdout.write(f"{routine.title}, {_minutes(routine)}\n{routine.summary}\n\n")
    rows = [row for step in routine.steps for row in _steps(step)]
    sys.stdout.writelines(f"{line}\n" for line in table(rows))
    return Exit.FINISHED


def check(file: Path) -> int:
    """Say that a file is a routine.

    Raises:
        CompanionError: it is none; the message names line and field.
    """
    try:
        routine = load(file)
    except RoutineError as error:
        raise CompanionError(str(error), Exit.USAGE) from error
    zones = words.ZONES.format(zones=", ".join(routine.zones)) if routine.zones else words.NO_ZONES
    sys.stdout.write(words.ROUTINE_FINE.format(file=file, minutes=_minutes(routine), zones=zones) + "\n")
    return Exit.FINISHED


def _row(name: str, routine: Routine | RoutineError) -> tuple[str, ...]:
    if isinstance(routine, RoutineError):
        return (name, "-", str(routine))
    return (name, _minutes(routine), routine.summary)


def _as_json(name: str, routine: Routine | RoutineError) -> dict[str, object]:
    if isinstance(routine, RoutineError):
        return {"name": name, "error": str(routine)}
    return {
        "name": name,
        "title": routine.title,
        "summary": routine.summary,
        "seconds": sum(map(_seconds, routine.steps)),
        "zones": routine.zones,
        "output": routine.needs.output,
    }


def _steps(step: RoutineStep) -> Iterator[tuple[str, ...]]:
    """One row a zone, as the session goes through them."""
    if step.zone_ids:
        for zone in step.zone_ids:
            yield (step.kind, ZONES[zone].label, duration(_zone_seconds(step, zone)), step.stroke or ZONES[zone].stroke)
    else:
        length = duration(step.seconds) if step.seconds else words.CONFIRM
        yield (step.kind, step.title or step.kind, length, step.text or "")


def _minutes(routine: Routine) -> str:
    return duration(sum(map(_seconds, routine.steps)))


def _seconds(step: RoutineStep) -> float:
    """Guided seconds of a step, with the moves from zone to zone."""
    if not step.zone_ids:
        return step.seconds or 0.0
    move = MOVE_S if step.kind == "treat" else 0.0
    return sum(_zone_seconds(step, zone) + move for zone in step.zone_ids)


def _zone_seconds(step: RoutineStep, zone: str) -> float:
    if step.seconds is not None:
        return step.seconds
    return (step.passes or ZONES[zone].passes) * (step.seconds_per_pass or ZONES[zone].seconds_per_pass)
