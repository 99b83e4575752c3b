"""``companion routines``: what there is, one step by step or as it would go, whether a file is one, and a new one.

Reads routine files, and writes one where a new one is asked for; refuses to know radios and sessions. A preview brings
routine, person and device together as a session would, and judges nobody: that is for the door to a session.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from companion.commands.layout import duration, table
from companion.commands.start import USUAL_DEMO, DemoKey
from companion.config import CompanionError, Exit, data_folder, routines_folder
from companion.dates import Calendar
from companion.routines.library import Library, UnknownRoutineError
from companion.routines.model import Routine, RoutineError, load
from companion.routines.planning import left_out
from companion.routines.schema import RoutineStep
from companion.routines.zones import ZONES
from companion.session.engine import MOVE_S, guided_s
from companion.session.model import PlannedStep, SessionPlan, StepKind
from companion.session.opening import plan_for, skin_now
from companion.store.database import Store
from companion.store.rows import Person
from companion.words import cli as words
from companion.words import routines as own_words
from protocols.registry import Registry

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_NAME = 40
_NAME_LINE = re.compile(r"""^[ \t]*(?:name|"name"|'name')[ \t]*=.*$""", re.MULTILINE)
_TITLE_LINE = re.compile(r"""^[ \t]*(?:title|"title"|'title')[ \t]*=.*$""", re.MULTILINE)


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


def preview(target: str, device: DemoKey = USUAL_DEMO, *, person: str | None = None) -> int:
    """Print how a routine (its name, or a file) would go for a person with a device of that key.

    ``person`` is their name; None: whoever's turn it is.

    Raises:
        PersonError: nobody is called so.
        CompanionError: there is no such routine, its file is wrong, or the device or the person cannot do it.
        StoreError: what is kept of the person cannot be read.
    """
    routine = _routine_at(target)
    profile = Registry.default().get(device).profile
    calendar = Calendar.system()
    with Store.open(data_folder(), calendar, person=person) as store:
        whose = store.person()
        plan = plan_for(store, routine, profile, calendar=calendar)
        skin = skin_now(store, calendar)
    sys.stdout.writelines(f"{line}\n" for line in _preview(routine, plan, whose, skin.reasons))
    return Exit.FINISHED


def make(name: str, source: str | None = None) -> int:
    """Write a commented routine called ``name`` into the person's folder, from a template or from another routine.

    Raises:
        CompanionError: the name is none or taken, there is no routine ``source`` or it is wrong, or the file cannot be
            written; nothing was changed.
    """
    if _NAME.fullmatch(name) is None or len(name) > _LONGEST_NAME:
        raise CompanionError(own_words.BAD_NAME.format(name=name), Exit.USAGE)
    library = Library([routines_folder()])
    path = routines_folder() / f"{name}.toml"
    if name in library.names():
        raise CompanionError(own_words.TAKEN.format(path=library.path(name)), Exit.USAGE)
    text = _template(name) if source is None else _copied(library, name, source)
    try:
        for folder in (data_folder(), path.parent):
            if not folder.is_dir():
                folder.mkdir(parents=True)
                folder.chmod(0o700)  # whichever comes first, this or the store, the folder is nobody else's business
        _write_new(path, text)
    except OSError as error:
        raise CompanionError(own_words.NOT_MADE.format(path=path, cause=error.strerror)) from error
    sys.stdout.write(own_words.MADE.format(path=path) + "\n")
    return Exit.FINISHED


def _write_new(path: Path, text: str) -> None:
    """Write a file that was not there, all of it or none.

    Raises:
        OSError: it is there by now, or cannot be written.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError:
        path.unlink()
        raise


def _routine_at(target: str) -> Routine:
    try:
        # a name has neither dot nor slash, so that a file that happens to lie here never hides a routine
        return Library([routines_folder()]).get(target) if _NAME.fullmatch(target) else load(Path(target))
    except (UnknownRoutineError, RoutineError) as error:
        raise CompanionError(str(error), Exit.USAGE) from error


def _title_of(name: str) -> str:
    return name.replace("-", " ").capitalize()


def _template(name: str) -> str:
    return own_words.TEMPLATE.format(name=name, title=_title_of(name), zones=",\n# ".join(_zone_lines()))


def _zone_lines() -> Iterator[str]:
    """Every zone, a few to a line."""
    names = list(ZONES)
    for at in range(0, len(names), 6):
        yield ", ".join(names[at : at + 6])


def _copied(library: Library, name: str, source: str) -> str:
    """The text of ``source`` with another name and title, and its comments."""
    try:
        library.get(source)
        text = library.path(source).read_text(encoding="utf-8")
    except (UnknownRoutineError, RoutineError) as error:
        raise CompanionError(str(error), Exit.USAGE) from error
    except OSError as error:
        cause = error.strerror or str(error)
        raise CompanionError(own_words.NOT_COPIED.format(name=source, cause=cause)) from error
    # both stand before every table, so that the first line of that name is the routine's own
    text = _NAME_LINE.sub(f'name = "{name}"', text, count=1)
    text = _TITLE_LINE.sub(f'title = "{_title_of(name)}"', text, count=1)
    text = own_words.COPIED_FROM.format(source=source) + text
    try:
        copied = load(text, file=f"{name}.toml")
    except RoutineError as error:
        raise CompanionError(own_words.NOT_COPIED.format(name=source, cause=error), Exit.USAGE) from error
    if copied.name != name:
        raise CompanionError(own_words.NOT_COPIED.format(name=source, cause="its name was not found"), Exit.USAGE)
    return text


# --- a preview --------------------------------------------------------------------------------------------------------


def _preview(routine: Routine, plan: SessionPlan, person: Person, skin: Iterable[str]) -> Iterator[str]:
    output_s = sum(step.seconds for step in plan.steps if step.kind is StepKind.TREAT)
    about = own_words.PREVIEW if output_s else own_words.PREVIEW_QUIET
    total = duration(sum(guided_s(step) for step in plan.steps))
    yield about.format(title=plan.title, device=plan.profile.name, total=total, output=duration(output_s))
    if output_s:
        yield from _bounds(plan, person)
    yield from skin
    yield ""
    yield from table([_planned_row(step) for step in plan.steps])
    absent = left_out(routine, plan, no_go=person.no_go, neck=person.neck)
    if absent:
        yield ""
        yield own_words.LEFT_OUT
        yield from table([("", one.what, one.why) for one in absent])
    yield ""
    yield own_words.NOT_JUDGED


def _bounds(plan: SessionPlan, person: Person) -> Iterator[str]:
    percent = plan.limits.cap_percent
    if person.comfortable_percent is None:
        yield own_words.MAXIMUM_UNSET.format(percent=percent)
    elif person.first_session:
        yield own_words.MAXIMUM_FIRST.format(percent=percent)
    else:
        yield own_words.MAXIMUM.format(percent=percent)
    limits = plan.limits
    yield own_words.PER_ZONE.format(zone=duration(limits.zone_output_s), session=duration(limits.session_output_s))


def _planned_row(step: PlannedStep) -> tuple[str, ...]:
    length = duration(guided_s(step)) if guided_s(step) else own_words.CONFIRM
    level = ""
    if step.kind is StepKind.TREAT:
        level = own_words.LEVEL.format(percent=step.target_percent)
    elif step.cooling_c is not None:
        level = own_words.COOLING.format(degrees=step.cooling_c)
    return (step.kind.value, step.title, length, level, step.stroke)


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
        "seconds": _guided_seconds(routine),
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
    return duration(_guided_seconds(routine))


def _guided_seconds(routine: Routine) -> float:
    """Guided seconds of a routine, without what is there only for those who ask."""
    return sum(_seconds(step) for step in routine.steps if step.optional is None)


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
