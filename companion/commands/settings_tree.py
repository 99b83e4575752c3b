"""``companion settings`` and its options. What each does is imported when it is asked for."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from companion.commands.parameters import Debug, DemoData

settings = App(name="settings", help_flags=(), version_flags=())

Key = Annotated[str, Parameter(name="KEY")]
Value = Annotated[str, Parameter(name="VALUE")]


@settings.default
def settings_list(*, demo: DemoData = False, debug: Debug) -> int:
    """All settings."""
    del debug
    from companion.commands.settings import print_all  # noqa: PLC0415

    return print_all(demo=demo)


@settings.command(name="get")
def settings_get(key: Key, /, *, demo: DemoData = False, debug: Debug) -> int:
    """One setting's value."""
    del debug
    from companion.commands.settings import print_one  # noqa: PLC0415

    return print_one(key, demo=demo)


@settings.command(name="set")
def settings_set(key: Key, value: Value, /, *, demo: DemoData = False, debug: Debug) -> int:
    """A new value."""
    del debug
    from companion.commands.settings import put  # noqa: PLC0415

    return put(key, value, demo=demo)


@settings.command(name="reset")
def settings_reset(key: Key, /, *, demo: DemoData = False, debug: Debug) -> int:
    """The usual value."""
    del debug
    from companion.commands.settings import reset  # noqa: PLC0415

    return reset(key, demo=demo)


@settings.command(name="path")
def settings_path(*, demo: DemoData = False, debug: Debug) -> int:
    """Where the file is."""
    del debug
    from companion.commands.settings import print_path  # noqa: PLC0415

    return print_path(demo=demo)


@settings.command(name="check")
def settings_check(*, demo: DemoData = False, debug: Debug) -> int:
    """What is wrong in the file."""
    del debug
    from companion.commands.settings import check  # noqa: PLC0415

    return check(demo=demo)
