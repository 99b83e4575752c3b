"""The commands around the sessions and their options: plan, water, reminders, people, export and delete.

Knows what a command line may say; what each command does is imported when it is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from companion.commands.parameters import Debug, DemoData, Flag, Json, Person, Whole, a_drink, whole

plan = App(name="plan", help_flags=(), version_flags=())
water = App(name="water", help_flags=(), version_flags=())
reminders = App(name="reminders", help_flags=(), version_flags=())
people = App(name="people", help_flags=(), version_flags=())

BRANCHES = (plan, water, reminders, people)


# --- plan -------------------------------------------------------------------------------------------------------------


@plan.default
def plan_show(*, json: Json = False, person: Person = None, demo: DemoData = False, debug: Debug) -> int:
    """The plan."""
    del debug
    from companion.commands.plan import show  # noqa: PLC0415

    return show(person=person, demo=demo, json=json)


@plan.command(name="choose")
def plan_choose(
    name: str,
    /,
    *,
    start: str | None = None,
    days: str | None = None,
    at: str | None = None,
    minutes: Whole = None,
    first_days: Whole = None,
    first_a_week: Whole = None,
    then_a_week: Whole = None,
    rest: Whole = None,
    json: Json = False,
    person: Person = None,
    demo: DemoData = False,
    debug: Debug,
) -> int:
    """A plan to follow."""
    del debug
    from companion.commands.plan import choose  # noqa: PLC0415

    return choose(
        name,
        start=start,
        days=days,
        at=at,
        minutes=minutes,
        custom=(first_days, first_a_week, then_a_week, rest),
        person=person,
        demo=demo,
        json=json,
    )


@plan.command(name="pause")
def plan_pause(
    *,
    first: Annotated[str | None, Parameter(name="--from")] = None,
    last: Annotated[str | None, Parameter(name="--until")] = None,
    because: Literal["travel", "illness", "other"] = "other",
    json: Json = False,
    person: Person = None,
    demo: DemoData = False,
    debug: Debug,
) -> int:
    """Days without sessions."""
    del debug
    from companion.commands.plan import pause  # noqa: PLC0415

    return pause(first=first, last=last, because=because, person=person, demo=demo, json=json)


@plan.command(name="resume")
def plan_resume(*, json: Json = False, person: Person = None, demo: DemoData = False, debug: Debug) -> int:
    """The end of a pause."""
    del debug
    from companion.commands.plan import resume  # noqa: PLC0415

    return resume(person=person, demo=demo, json=json)


@plan.command(name="export")
def plan_export(file: Path, /, *, person: Person = None, demo: DemoData = False, debug: Debug) -> int:
    """A calendar file, once."""
    del debug
    from companion.commands.plan import export as write_file  # noqa: PLC0415

    return write_file(file, person=person, demo=demo)


@plan.command(name="subscribe")
def plan_subscribe(file: Path, /, *, person: Person = None, demo: DemoData = False, debug: Debug) -> int:
    """A calendar file that stays up to date."""
    del debug
    from companion.commands.plan import subscribe  # noqa: PLC0415

    return subscribe(file, person=person, demo=demo)


@plan.command(name="unsubscribe")
def plan_unsubscribe(*, person: Person = None, demo: DemoData = False, debug: Debug) -> int:
    """No more of that."""
    del debug
    from companion.commands.plan import unsubscribe  # noqa: PLC0415

    return unsubscribe(person=person, demo=demo)


# --- water ------------------------------------------------------------------------------------------------------------


@water.default
def water_show(
    ml: Annotated[int | None, Parameter(name="ML", converter=a_drink)] = None,
    /,
    *,
    json: Json = False,
    person: Person = None,
    demo: DemoData = False,
    debug: Debug,
) -> int:
    """The day so far, or a drink to note."""
    del debug
    from companion.commands.water import drink, show  # noqa: PLC0415

    if ml is None:
        return show(person=person, demo=demo, json=json)
    return drink(ml, person=person, demo=demo, json=json)


@water.command(name="undo")
def water_undo(*, json: Json = False, person: Person = None, demo: DemoData = False, debug: Debug) -> int:
    """The last drink, taken back."""
    del debug
    from companion.commands.water import undo  # noqa: PLC0415

    return undo(person=person, demo=demo, json=json)


@water.command(name="goal")
def water_goal(
    ml: Annotated[int | None, Parameter(name="ML", converter=whole)] = None,
    /,
    *,
    glass: Whole = None,
    awake: str | None = None,
    json: Json = False,
    person: Person = None,
    demo: DemoData = False,
    debug: Debug,
) -> int:
    """The goal."""
    del debug
    from companion.commands.water import goal  # noqa: PLC0415

    return goal(ml, glass=glass, awake=awake, person=person, demo=demo, json=json)


@water.command(name="limited")
def water_limited(
    state: Literal["on", "off"],
    /,
    *,
    json: Json = False,
    person: Person = None,
    demo: DemoData = False,
    debug: Debug,
) -> int:
    """Whether a doctor limits fluids."""
    del debug
    from companion.commands.water import limited  # noqa: PLC0415

    return limited(on=state == "on", person=person, demo=demo, json=json)


# --- reminders --------------------------------------------------------------------------------------------------------


@reminders.default
def reminders_show(*, json: Json = False, person: Person = None, debug: Debug) -> int:
    """What was told, and what comes next."""
    del debug
    from companion.commands.reminders import show  # noqa: PLC0415

    return show(person=person, json=json)


@reminders.command(name="install")
def reminders_install(*, debug: Debug) -> int:
    """The computer's timer."""
    del debug
    from companion.commands.reminders import install  # noqa: PLC0415

    return install()


@reminders.command(name="remove")
def reminders_remove(*, debug: Debug) -> int:
    """The computer's timer, taken away."""
    del debug
    from companion.commands.reminders import remove  # noqa: PLC0415

    return remove()


@reminders.command(name="status")
def reminders_status(*, json: Json = False, debug: Debug) -> int:
    """How it stands with the timer."""
    del debug
    from companion.commands.reminders import status  # noqa: PLC0415

    return status(json=json)


@reminders.command(name="snooze")
def reminders_snooze(
    about: str,
    minutes: Annotated[int, Parameter(name="MINUTES", converter=whole)],
    /,
    *,
    person: Person = None,
    debug: Debug,
) -> int:
    """Once more, later."""
    del debug
    from companion.commands.reminders import snooze  # noqa: PLC0415

    return snooze(about, minutes, person=person)


def remind(*, once: Flag = False, json: Json = False, debug: Debug) -> int:
    """What is due."""
    del debug
    from companion.commands.reminders import remind as tell  # noqa: PLC0415

    return tell(once=once, json=json)


# --- people -----------------------------------------------------------------------------------------------------------


@people.default
def people_list(*, json: Json = False, debug: Debug) -> int:
    """Who there is."""
    del debug
    from companion.commands.people import print_list  # noqa: PLC0415

    return print_list(json=json)


@people.command(name="add")
def people_add(name: str, /, *, debug: Debug) -> int:
    """One more."""
    del debug
    from companion.commands.people import add  # noqa: PLC0415

    return add(name)


@people.command(name="choose")
def people_choose(name: str, /, *, debug: Debug) -> int:
    """Whose turn it is."""
    del debug
    from companion.commands.people import choose  # noqa: PLC0415

    return choose(name)


@people.command(name="rename")
def people_rename(name: str, new: str, /, *, debug: Debug) -> int:
    """Another name."""
    del debug
    from companion.commands.people import rename  # noqa: PLC0415

    return rename(name, new)


@people.command(name="remove")
def people_remove(name: str, /, *, yes: Flag = False, debug: Debug) -> int:
    """One fewer."""
    del debug
    from companion.commands.people import remove  # noqa: PLC0415

    return remove(name, yes=yes)


# --- what is yours ----------------------------------------------------------------------------------------------------


def export(
    *,
    kind: Annotated[Literal["csv", "json", "parquet", "ics"], Parameter(name="--format")],
    output: Path | None = None,
    force: Flag = False,
    person: Person = None,
    demo: DemoData = False,
    debug: Debug,
) -> int:
    """A copy of it."""
    del debug
    from companion.commands.export import export as write_file  # noqa: PLC0415

    return write_file(kind=kind, output=output, force=force, person=person, demo=demo)


def delete(
    *,
    everything: Annotated[bool, Parameter(name="--all", negative=())] = False,
    routines: Flag = False,
    yes: Flag = False,
    debug: Debug,
) -> int:
    """All of it, deleted."""
    del debug
    from companion.commands.delete import delete as delete_all  # noqa: PLC0415

    return delete_all(everything=everything, routines=routines, yes=yes)


COMMANDS = (remind, export, delete)
