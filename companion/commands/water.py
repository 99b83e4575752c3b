"""``companion water``: what was drunk today, a drink to note, and the goal. Says what the almanac knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from companion.almanac import Almanac
from companion.commands.almanac import opened, write
from companion.commands.moments import hours
from companion.config import Exit, UsageError
from companion.words import commands as command_words
from companion.words import water as words


def show(*, person: str | None, demo: bool, json: bool) -> int:
    """Print the day so far.

    Raises:
        PersonError: nobody is called so.
        StoreError: it cannot be read.
    """
    with opened(person, demo=demo) as almanac:
        _tell(almanac, json=json)
    return Exit.FINISHED


def drink(ml: int, *, person: str | None, demo: bool, json: bool) -> int:
    """Note a drink of ``ml``.

    Raises:
        UsageError: nobody drinks as much at once.
        PersonError: nobody is called so.
        StoreError: it cannot be kept.
    """
    with opened(person, demo=demo) as almanac:
        try:
            almanac.drink(ml)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if not json:
            write([words.LOGGED.format(ml=ml)])
        _tell(almanac, json=json)
    return Exit.FINISHED


def undo(*, person: str | None, demo: bool, json: bool) -> int:
    """Take the drink back that was noted last.

    Raises:
        UsageError: there is none.
        PersonError: nobody is called so.
        StoreError: it cannot be kept.
    """
    with opened(person, demo=demo) as almanac:
        taken = almanac.undo_drink()
        if taken is None:
            raise UsageError(command_words.NO_DRINK)
        if not json:
            write([words.TAKEN_BACK.format(ml=taken.ml)])
        _tell(almanac, json=json)
    return Exit.FINISHED


def goal(ml: int | None, *, glass: int | None, awake: str | None, person: str | None, demo: bool, json: bool) -> int:
    """Choose goal, glass and waking hours, as far as they are given; print what they are.

    Raises:
        UsageError: one of them makes no sense.
        PersonError: nobody is called so.
        StoreError: it cannot be kept.
    """
    with opened(person, demo=demo) as almanac:
        chosen = almanac.goal()
        try:
            chosen = replace(
                chosen,
                ml=chosen.ml if ml is None else ml,
                glass_ml=chosen.glass_ml if glass is None else glass,
                waking=chosen.waking if awake is None else hours(awake),
            )
        except ValueError as error:
            raise UsageError(str(error)) from error
        if (ml, glass, awake) != (None, None, None):
            almanac.set_goal(chosen)
        if json:
            write([msgspec.json.encode(chosen).decode()])
        else:
            start, end = chosen.waking.start, chosen.waking.end
            write([command_words.GOAL.format(ml=chosen.ml, glass=chosen.glass_ml, start=start, end=end)])
            write([words.LIMITED] if chosen.limited else [words.SOURCE])
    return Exit.FINISHED


def limited(*, on: bool, person: str | None, demo: bool, json: bool) -> int:
    """Keep whether a doctor limits the person's fluids.

    Raises:
        PersonError: nobody is called so.
        StoreError: it cannot be kept.
    """
    with opened(person, demo=demo) as almanac:
        almanac.set_goal(replace(almanac.goal(), limited=on))
        _tell(almanac, json=json)
    return Exit.FINISHED


def _tell(almanac: Almanac, *, json: bool) -> None:
    if json:
        goal = almanac.goal()
        day = almanac.water()
        week = {when.isoformat(): ml for when, ml in almanac.water_week().items()}
        facts = {**msgspec.to_builtins(day), "limited": goal.limited, "glass_ml": goal.glass_ml, "week": week}
        write([msgspec.json.encode(facts).decode()])
    else:
        write(_lines(almanac))


def _lines(almanac: Almanac) -> Iterator[str]:
    day = almanac.water()
    if day.goal_ml is None:
        yield words.TODAY_WITHOUT_GOAL.format(today=day.today_ml)
        yield words.LIMITED
        return
    yield words.TODAY.format(today=day.today_ml, goal=day.goal_ml)
    if day.today_ml >= day.goal_ml:
        yield words.REACHED
    elif day.ask_at is None:
        yield words.NOTHING_ASKED
    else:
        yield words.NEXT.format(at=f"{day.ask_at.astimezone(almanac.zone):%H:%M}")
