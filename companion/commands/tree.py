"""The commands and their options, parsed by cyclopts; what each does is imported when it is asked for.

Knows what a command line may say; every mistake in one becomes one line that names it.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter, UnusedCliTokensError

from companion.commands import device_tree, home_tree
from companion.commands.help import command_of
from companion.commands.parameters import (
    Debug,
    Demo,
    DemoData,
    Flag,
    Json,
    Person,
    Record,
    Seed,
    SessionId,
    Speed,
    port_of,
    positive,
)
from companion.commands.settings_tree import settings
from companion.commands.start import USUAL_DEMO, DemoKey, demo_alone, set_up_logging, start
from companion.config import UsageError, data_folder
from companion.words import cli as words
from companion.words.cli import PAGES

# help and version are answered before the parser is imported; a second, different help would only drift from it
app = App(name="companion", help_flags=(), version_flags=())
routines = App(name="routines", help_flags=(), version_flags=())
history = App(name="history", help_flags=(), version_flags=())
profile = App(name="profile", help_flags=(), version_flags=())
for _branch in (routines, history, profile, *home_tree.BRANCHES, settings):
    app.command(_branch)
for _single in (*device_tree.COMMANDS, *home_tree.COMMANDS):
    app.command(_single)


@app.default
def the_app(
    *,
    demo: Demo = None,
    speed: Speed = 1.0,
    seed: Seed = None,
    record: Record = None,
    with_keys: Flag = False,
    person: Person = None,
    debug: Debug,
) -> int:
    """The app itself."""
    del debug  # the app shows its faults on its own screen
    return start(demo, speed=speed, seed=seed, record=record, with_keys=with_keys, person=person)


@app.command
def run(
    routine: str,
    /,
    *,
    demo: Demo = None,
    plain: Flag = False,
    json: Json = False,
    speed: Speed = 1.0,
    seed: Seed = None,
    record: Record = None,
    with_keys: Flag = False,
    yes: Flag = False,
    take: Annotated[str, Parameter(name="--with")] = "",
    leave: Annotated[str, Parameter(name="--without")] = "",
    person: Person = None,
    debug: Debug,
) -> int:
    """One guided routine without the app."""
    if plain and json:
        raise UsageError(words.PLAIN_OR_JSON)
    demo_alone(demo, speed, seed)
    from companion.headless import RunOptions, run_session  # noqa: PLC0415 - the radio and the session: 200 ms

    return run_session(
        RunOptions(
            routine=routine,
            demo=demo,
            style="json" if json else "plain",
            speed=speed,
            seed=seed or 0,
            record=record,
            with_keys=with_keys,
            yes=yes,
            data_folder=data_folder(demo=demo is not None),
            debug=debug,
            person=person,
            take=_names(take),
            leave=_names(leave),
        )
    )


def _names(listed: str) -> frozenset[str]:
    return frozenset(name for part in listed.split(",") if (name := part.strip().casefold()))


@app.command
def scan(
    *,
    demo: Demo = None,
    timeout: Annotated[float, Parameter(converter=positive)] = 8.0,
    json: Json = False,
    debug: Debug,
) -> int:
    """The devices near by."""
    del debug
    from companion.headless import ScanOptions, run_scan  # noqa: PLC0415 - the radio: 150 ms

    return run_scan(ScanOptions(demo=demo, timeout_s=timeout, json=json))


@routines.default
def routines_list(*, json: Json = False, debug: Debug) -> int:
    """All routines."""
    del debug
    from companion.commands.routines import print_list  # noqa: PLC0415

    return print_list(json=json)


@routines.command(name="show")
def routines_show(name: str, /, *, debug: Debug) -> int:
    """One routine, step by step."""
    del debug
    from companion.commands.routines import print_one  # noqa: PLC0415

    return print_one(name)


@routines.command(name="check")
def routines_check(file: Path, /, *, debug: Debug) -> int:
    """Whether a file is a routine."""
    del debug
    from companion.commands.routines import check  # noqa: PLC0415

    return check(file)


@routines.command(name="new")
def routines_new(name: str, /, *, source: Annotated[str | None, Parameter(name="--from")] = None, debug: Debug) -> int:
    """A file for a routine of one's own."""
    del debug
    from companion.commands.routines import make  # noqa: PLC0415

    return make(name, source)


@routines.command(name="preview")
def routines_preview(
    target: Annotated[str, Parameter(name="NAME|FILE")],
    /,
    *,
    device: DemoKey = USUAL_DEMO,
    person: Person = None,
    debug: Debug,
) -> int:
    """How one routine would go."""
    del debug
    from companion.commands.routines import preview  # noqa: PLC0415

    return preview(target, device, person=person)


@history.default
def history_list(
    *,
    limit: Annotated[int | None, Parameter(converter=positive)] = None,
    json: Json = False,
    person: Person = None,
    demo: DemoData = False,
    debug: Debug,
) -> int:
    """Past sessions."""
    del debug
    from companion.commands.history import print_list  # noqa: PLC0415

    return print_list(limit=limit, json=json, person=person, demo=demo)


@history.command(name="show")
def history_show(
    session_id: SessionId,
    /,
    *,
    json: Json = False,
    person: Person = None,
    demo: DemoData = False,
    debug: Debug,
) -> int:
    """One session."""
    del debug
    from companion.commands.history import print_one  # noqa: PLC0415

    return print_one(session_id, json=json, person=person, demo=demo)


@history.command(name="note")
def history_note(
    session_id: SessionId,
    /,
    *text: Annotated[str, Parameter(name="TEXT")],
    person: Person = None,
    demo: DemoData = False,
    debug: Debug,
) -> int:
    """The person's own words."""
    del debug
    from companion.commands.history import note  # noqa: PLC0415

    return note(session_id, text, person=person, demo=demo)


@history.command(name="photo")
def history_photo(
    session_id: SessionId,
    path: Path,
    /,
    *,
    forget: Flag = False,
    person: Person = None,
    demo: DemoData = False,
    debug: Debug,
) -> int:
    """A photo of the person's."""
    del debug
    from companion.commands.history import photo  # noqa: PLC0415

    return photo(session_id, path, forget=forget, person=person, demo=demo)


@profile.default
def profile_ask(*, person: Person = None, debug: Debug) -> int:
    """The screening."""
    del debug
    from companion.commands.profile import ask  # noqa: PLC0415

    return ask(person=person)


@profile.command(name="show")
def profile_show(*, person: Person = None, debug: Debug) -> int:
    """The answers given."""
    del debug
    from companion.commands.profile import show  # noqa: PLC0415

    return show(person=person)


@profile.command(name="agreed")
def profile_agreed(*, person: Person = None, debug: Debug) -> int:
    """A doctor's word."""
    del debug
    from companion.commands.profile import agreed  # noqa: PLC0415

    return agreed(person=person)


@profile.command(name="zones")
def profile_zones(
    *,
    never: str | None = None,
    treat: str | None = None,
    neck: Literal["on", "off"] | None = None,
    person: Person = None,
    debug: Debug,
) -> int:
    """What is treated and what never."""
    del debug
    from companion.commands.profile import zones  # noqa: PLC0415

    wish = None if neck is None else neck == "on"
    return zones(never=_names(never or ""), treat=_names(treat or ""), neck=wish, person=person)


@profile.command(name="skin")
def profile_skin(
    kind: Annotated[Literal["peel", "sunburn", "treatment"] | None, Parameter(name="KIND")] = None,
    /,
    *,
    on: str | None = None,
    mistake: Flag = False,
    person: Person = None,
    debug: Debug,
) -> int:
    """What the skin rests after."""
    del debug
    from companion.commands.profile import skin  # noqa: PLC0415

    return skin(kind, on=on, mistake=mistake, person=person)


@profile.command(name="comfortable")
def profile_comfortable(
    percent: Annotated[int | None, Parameter(name="PERCENT")] = None, /, *, person: Person = None, debug: Debug
) -> int:
    """The comfortable maximum."""
    del debug
    from companion.commands.profile import comfortable  # noqa: PLC0415

    return comfortable(percent, person=person)


@app.command
def serve(
    *,
    host: str | None = None,
    port: Annotated[int | None, Parameter(converter=port_of)] = None,
    demo: Demo = None,
    person: Person = None,
    debug: Debug,
) -> int:
    """The app in a browser."""
    from companion.commands.serve import serve as serve_app  # noqa: PLC0415

    return serve_app(host=host, port=port, demo=demo, person=person, debug=debug)


@app.command
def doctor(*, debug: Debug) -> int:
    """What this computer has and lacks."""
    del debug
    from companion.commands.doctor import report  # noqa: PLC0415

    return report()


def dispatch(tokens: Sequence[str], *, debug: bool) -> int:
    """Parse a command line and do what it says; return the exit code.

    Raises:
        UsageError: the command line is wrong; the message names what, and where help is.
        CompanionError: the command failed.
    """
    set_up_logging(debug=debug)
    path = command_of(tokens)
    try:
        command, bound, _ = app.parse_args(_with_demo_device(tokens, path), print_error=False, exit_on_error=False)
    except CycloptsError as error:
        hint = words.SEE_HELP.format(command=" ".join(("companion", *path)))
        raise UsageError(f"{_in_words(error, path)}; {hint}") from error
    return int(command(*bound.args, **bound.kwargs, debug=debug))


_WITH_DEVICE = frozenset({"pair", "run", "scan", "serve"})
"""Commands whose ``--demo`` names a device, as that of the app does; elsewhere it means the demo's data."""


def _with_demo_device(tokens: Sequence[str], path: tuple[str, ...]) -> list[str]:
    """Give a bare ``--demo`` its usual device, where the option takes one: the parser knows no optional values."""
    if path and path[0] not in _WITH_DEVICE:
        return list(tokens)
    filled = []
    for index, word in enumerate(tokens):
        filled.append(word)
        if word == "--demo":
            following = tokens[index + 1] if index + 1 < len(tokens) else "-"
            if following.startswith("-"):
                filled.append(USUAL_DEMO)
            elif following not in get_args(DemoKey):
                raise UsageError(words.BAD_DEMO.format(value=following))
    return filled


def _in_words(error: CycloptsError, path: tuple[str, ...]) -> str:
    """The parser's complaint as half a sentence."""
    match error:
        case UnusedCliTokensError(unused_tokens=[first, *_]):
            commands = [page[-1] for page in PAGES if page and page[:-1] == path]
            if not commands:
                return words.TOO_MANY.format(name=first)
            close = difflib.get_close_matches(first, commands, n=1)
            hint = (
                words.DID_YOU_MEAN.format(name=close[0]) if close else words.THERE_ARE.format(all=", ".join(commands))
            )
            return words.NO_SUCH_COMMAND.format(name=first, hint=hint)
        case MissingArgumentError(argument=argument) if argument is not None:
            positional = argument.field_info.kind is inspect.Parameter.POSITIONAL_ONLY
            missing = words.MISSING if positional else words.MISSING_VALUE
            return missing.format(name=argument.name)
        case _:
            text = " ".join(str(error).split()).rstrip(".")
            return text[:1].lower() + text[1:]
