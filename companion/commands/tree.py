"""The commands and their options, parsed by cyclopts; what each does is imported when it is asked for.

Knows what a command line may say; every mistake in one becomes one line that names it.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter, Token, UnusedCliTokensError

from companion.commands.help import command_of
from companion.commands.start import USUAL_DEMO, DemoKey, demo_alone, set_up_logging, start
from companion.config import UsageError, data_folder
from companion.words import cli as words
from companion.words.cli import PAGES


def _speed(_: Any, tokens: Sequence[Token]) -> float:
    try:
        speed = math.inf if tokens[0].value == "max" else float(tokens[0].value)
    except ValueError:
        raise ValueError(words.BAD_SPEED) from None
    if not speed > 0 or (math.isinf(speed) and tokens[0].value != "max"):
        raise ValueError(words.BAD_SPEED)
    return speed


def _seed(_: Any, tokens: Sequence[Token]) -> int:
    if not tokens[0].value.isdecimal():
        raise ValueError(words.BAD_SEED)
    return int(tokens[0].value)


def _session_id(_: Any, tokens: Sequence[Token]) -> int:
    if not tokens[0].value.isdecimal():
        raise ValueError(words.BAD_ID)
    return int(tokens[0].value)


def _positive(kind: type[int | float], tokens: Sequence[Token]) -> float:
    try:
        number = kind(tokens[0].value)
    except ValueError:
        raise ValueError(words.BAD_POSITIVE) from None
    if not 0 < number < math.inf:
        raise ValueError(words.BAD_POSITIVE)
    return number


Demo = Annotated[DemoKey | None, Parameter(name="--demo")]
DemoData = Annotated[bool, Parameter(name="--demo", negative=())]
Speed = Annotated[float, Parameter(name="--speed", converter=_speed)]
Seed = Annotated[int | None, Parameter(name="--seed", converter=_seed)]
Record = Annotated[Path | None, Parameter(name="--record")]
Json = Annotated[bool, Parameter(name="--json", negative=())]
Flag = Annotated[bool, Parameter(negative=())]
Debug = Annotated[bool, Parameter(parse=False)]

# help and version are answered before the parser is imported; a second, different help would only drift from it
app = App(name="companion", help_flags=(), version_flags=())
routines = App(name="routines", help_flags=(), version_flags=())
history = App(name="history", help_flags=(), version_flags=())
profile = App(name="profile", help_flags=(), version_flags=())
for _branch in (routines, history, profile):
    app.command(_branch)


@app.default
def the_app(*, demo: Demo = None, speed: Speed = 1.0, seed: Seed = None, record: Record = None, debug: Debug) -> int:
    """The app itself."""
    del debug  # the app shows its faults on its own screen
    return start(demo, speed=speed, seed=seed, record=record)


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
    yes: Flag = False,
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
            yes=yes,
            data_folder=data_folder(demo=demo is not None),
            debug=debug,
        )
    )


@app.command
def scan(
    *,
    demo: Demo = None,
    timeout: Annotated[float, Parameter(converter=_positive)] = 8.0,
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


@history.default
def history_list(
    *,
    limit: Annotated[int | None, Parameter(converter=_positive)] = None,
    json: Json = False,
    demo: DemoData = False,
    debug: Debug,
) -> int:
    """Past sessions."""
    del debug
    from companion.commands.history import print_list  # noqa: PLC0415

    return print_list(limit=limit, json=json, demo=demo)


@history.command(name="show")
def history_show(
    session_id: Annotated[int, Parameter(name="ID", converter=_session_id)],
    /,
    *,
    json: Json = False,
    demo: DemoData = False,
    debug: Debug,
) -> int:
    """One session."""
    del debug
    from companion.commands.history import print_one  # noqa: PLC0415

    return print_one(session_id, json=json, demo=demo)


@profile.default
def profile_ask(*, debug: Debug) -> int:
    """The screening."""
    del debug
    from companion.commands.profile import ask  # noqa: PLC0415

    return ask()


@profile.command(name="show")
def profile_show(*, debug: Debug) -> int:
    """The answers given."""
    del debug
    from companion.commands.profile import show  # noqa: PLC0415

    return show()


@profile.command(name="comfortable")
def profile_comfortable(percent: Annotated[int | None, Parameter(name="PERCENT")] = None, /, *, debug: Debug) -> int:
    """The comfortable maximum."""
    del debug
    from companion.commands.profile import comfortable  # noqa: PLC0415

    return comfortable(percent)


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


def _with_demo_device(tokens: Sequence[str], path: tuple[str, ...]) -> list[str]:
    """Give a bare ``--demo`` its usual device, where the option takes one: the parser knows no optional values."""
    if path[:1] == ("history",):
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
