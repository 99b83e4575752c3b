"""The commands and their options, parsed by cyclopts; what each does is imported when it is asked for.

Knows what a command line may say; every mistake in one becomes one line that names it.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter, Token, UnusedCliTokensError

from rig.commands.faults import UsageError
from rig.commands.help import command_of

_STANDARD_INPUT = "(standard input)"  # what `-` is to the parser, which would take it for an option


def _file(_: Any, tokens: Sequence[Token]) -> str:
    return "-" if tokens[0].value == _STANDARD_INPUT else tokens[0].value


def _files(_: Any, tokens: Sequence[Token]) -> tuple[str, ...]:
    return tuple(_file(_, [token]) for token in tokens)


Flag = Annotated[bool, Parameter(negative=())]
File = Annotated[str, Parameter(converter=_file)]
Recording = Annotated[str, Parameter(name="FILE", converter=_file)]
Format = Literal["table", "tsv", "json", "jsonl"]
Container = Literal["btsnoop", "pcap", "pcapng"]


Role = Literal["decoder", "peripheral", "central"]
Order = Literal["strict", "by-characteristic"]


def _seconds(_: Any, tokens: Sequence[Token]) -> float:
    try:
        number = float(tokens[0].value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError("takes a positive number")
    return number


def _not_negative(_: Any, tokens: Sequence[Token]) -> float:
    try:
        number = float(tokens[0].value)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValueError("takes a number of seconds, 0 or more")
    return number


def _tolerance(_: Any, tokens: Sequence[Token]) -> float:
    """Seconds, infinity for ``none``: None is what an option that was not given is."""
    return math.inf if tokens[0].value == "none" else _not_negative(_, tokens)


def _speed(_: Any, tokens: Sequence[Token]) -> float:
    if tokens[0].value == "max":
        return math.inf
    try:
        return _seconds(_, tokens)
    except ValueError as error:
        raise ValueError("takes 1, another positive number, or max") from error


def _share(_: Any, tokens: Sequence[Token]) -> float:
    try:
        number = float(tokens[0].value)
    except ValueError:
        number = math.nan
    if not 0 < number < 1:
        raise ValueError("takes a number between 0 and 1")
    return number


NotNegative = Annotated[float | None, Parameter(converter=_not_negative)]
Share = Annotated[float | None, Parameter(converter=_share)]
Many = Annotated[tuple[str, ...], Parameter(negative=(), converter=_files)]


# help and version are answered before the parser is imported; a second, different help would only drift from it
app = App(name="rig", help_flags=(), version_flags=())


@app.command
def decode(
    file: File,
    /,
    *,
    att: Flag = False,
    gatt: Flag = False,
    events: Flag = False,
    format: Format | None = None,  # noqa: A002 - the option's name
    map: File | None = None,  # noqa: A002 - the option's name
    save_map: File | None = None,
    protocol: str | None = None,
) -> int:
    """What a capture holds."""
    from rig.commands import decode as command  # noqa: PLC0415 - as the module says

    return command.decode(
        file, att=att, gatt=gatt, events=events, format=format, map=map, save_map=save_map, protocol=protocol
    )


@app.command
def info(file: File, /, *, json: Flag = False) -> int:
    """What a capture is."""
    from rig.commands import info as command  # noqa: PLC0415

    return command.info(file, json=json)


@app.command
def convert(
    source: Annotated[str, Parameter(name="IN", converter=_file)],
    target: Annotated[str, Parameter(name="OUT", converter=_file)],
    /,
    *,
    format: Container | None = None,  # noqa: A002 - the option's name
    redact: Flag = False,
    redact_seed: str | None = None,
    map: File | None = None,  # noqa: A002 - the option's name
) -> int:
    """A capture in another container."""
    from rig.commands import convert as command  # noqa: PLC0415

    return command.convert(source, target, format=format, redact=redact, redact_seed=redact_seed, map=map)


@app.command
def record(
    target: Annotated[str, Parameter(name="OUT", converter=_file)],
    /,
    *,
    device: str,
    seconds: Annotated[float | None, Parameter(converter=_seconds)] = None,
    format: Container | None = None,  # noqa: A002 - the option's name
    save_map: File | None = None,
) -> int:
    """What a device notifies, as a capture."""
    from rig.commands import record as command  # noqa: PLC0415 - the radio: 150 ms

    return command.record(target, device=device, seconds=seconds, format=format, save_map=save_map)


@app.command
def devices() -> int:
    """The simulated devices."""
    from rig.commands import devices as command  # noqa: PLC0415

    return command.devices()


@app.command
def serve(device: str, /, *, transport: str, seed: int = 0, address: str | None = None) -> int:
    """A simulated device on the air."""
    from rig.commands import serve as command  # noqa: PLC0415 - Bumble: 200 ms

    return command.serve(device, transport, seed, address)


@app.command
def doctor(*, transport: str | None = None, json: Flag = False) -> int:
    """What serving needs, and what of it is missing."""
    from rig.commands import doctor as command  # noqa: PLC0415 - as above

    return command.doctor(transport, json=json)


@app.command
def replay(
    *files: Recording,
    role: Annotated[Role, Parameter(name="--as")] = "decoder",
    golden: File | None = None,
    update: Flag = False,
    app: File | None = None,
    simulate: str | None = None,
    device: str | None = None,
    consent: Flag = False,
    transport: str | None = None,
    address: str | None = None,
    order: Order | None = None,
    speed: Annotated[float | None, Parameter(converter=_speed)] = None,
    cap: NotNegative = None,
    cut: NotNegative = None,
    tolerance: Annotated[float | None, Parameter(converter=_tolerance)] = None,
    patience: Annotated[float | None, Parameter(converter=_seconds)] = None,
    faults: File | None = None,
    seed: int | None = None,
    jobs: int | None = None,
    baseline: File | None = None,
    false_alarm: Share = None,
    report: Many = (),
    link: int | None = None,
    map: File | None = None,  # noqa: A002 - the option's name
    protocol: str | None = None,
    skip_unnamed: Flag = False,
) -> int:
    """A recording as decoder test, as the device, as the app."""
    from rig.commands import replay as command  # noqa: PLC0415

    return command.replay(
        files,
        command.Options(
            role=role,
            golden=golden,
            update=update,
            app=app,
            simulate=simulate,
            device=device,
            consent=consent,
            transport=transport,
            address=address,
            order=order,
            speed=speed,
            cap_s=cap,
            cut_s=cut,
            tolerance_s=tolerance,
            patience_s=patience,
            faults=faults,
            seed=seed,
            jobs=jobs,
            baseline=baseline,
            false_alarm=false_alarm,
            reports=report,
            link=link,
            map=map,
            protocol=protocol,
            skip_unnamed=skip_unnamed,
        ),
    )


@app.command
def transcript(
    source: Annotated[str, Parameter(name="IN", converter=_file)],
    target: Annotated[str, Parameter(name="OUT", converter=_file)],
    /,
    *,
    link: int | None = None,
    map: File | None = None,  # noqa: A002 - the option's name
    protocol: str | None = None,
    skip_unnamed: Flag = False,
) -> int:
    """A capture as the file that replays are made of."""
    from rig.commands import transcript as command  # noqa: PLC0415

    return command.transcript(source, target, link=link, map=map, protocol=protocol, skip_unnamed=skip_unnamed)


baseline_app = App(name="baseline", help_flags=(), version_flags=())
app.command(baseline_app)


@baseline_app.default
def baseline_(*words: str) -> int:
    """What `rig baseline` alone means: nothing."""
    said = f"unknown command {words[0]!r}" if words else "a command is missing"
    raise UsageError(f"{said}; say `rig baseline save` or `rig baseline compare`; see `rig baseline --help`")


@baseline_app.command(name="save")
def baseline_save(
    baseline: Annotated[str, Parameter(name="BASELINE")],
    /,
    *files: Recording,
    note: Many = (),
    seed: int = 0,
    link: int | None = None,
    map: File | None = None,  # noqa: A002 - the option's name
    protocol: str | None = None,
) -> int:
    """Keep the timing of recordings and replays."""
    from rig.commands import baseline as command  # noqa: PLC0415

    return command.save(baseline, files, notes=note, seed=seed, link=link, map=map, protocol=protocol)


@baseline_app.command(name="compare")
def baseline_compare(
    baseline: Annotated[str, Parameter(name="BASELINE")],
    /,
    *files: Recording,
    false_alarm: Share = None,
    minimum_effect: Share = None,
    report: Many = (),
    link: int | None = None,
    map: File | None = None,  # noqa: A002 - the option's name
    protocol: str | None = None,
) -> int:
    """Hold the timing of recordings and replays against a baseline."""
    from rig.commands import baseline as command  # noqa: PLC0415

    return command.compare(
        baseline,
        files,
        false_alarm=false_alarm,
        minimum_effect=minimum_effect,
        reports=report,
        link=link,
        map=map,
        protocol=protocol,
    )


@app.command
def conformance(
    kind: str,
    /,
    *,
    device: str | None = None,
    consent: Flag = False,
    seed: int | None = None,
    report: Many = (),
    junit: File | None = None,
    json: Flag = False,
) -> int:
    """Whether a device keeps its rules."""
    from rig.commands import conformance as command  # noqa: PLC0415 - as above

    options = command.Options(device=device, consent=consent, seed=seed, reports=report, junit=junit, json=json)
    return command.conformance(kind, options)


@app.command(name="report")
def report_(*files: Recording, report: Many = (), title: str | None = None) -> int:
    """Reports put together, and in another form."""
    from rig.commands import report as command  # noqa: PLC0415

    return command.report(files, reports=report, title=title)


def dispatch(tokens: Sequence[str], *, debug: bool) -> int:
    """Parse a command line and do what it says; return the exit code.

    Raises:
        UsageError: the command line is wrong; the message names what, and where help is.
    """
    if debug:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    else:  # without a handler Python would print the warnings of libraries between the lines
        logging.getLogger().addHandler(logging.NullHandler())
    words = [_STANDARD_INPUT if word == "-" else word for word in tokens]
    try:
        command, bound, _ = app.parse_args(words, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        name = command_of(tokens)
        raise UsageError(f"{_in_words(error, tokens)}; see `{f'rig {name}'.rstrip()} --help`") from error
    return int(command(*bound.args, **bound.kwargs))


def _in_words(error: CycloptsError, tokens: Sequence[str]) -> str:
    """The parser's complaint as half a sentence."""
    match error:
        case UnusedCliTokensError(unused_tokens=[first, *_]):
            return f"{first!r} is one argument too many"
        case MissingArgumentError(argument=argument) if argument is not None:
            return f"{argument.name} needs a value" if argument.name in tokens else f"{argument.name} is missing"
        case _:
            sentences = " ".join(str(error).split()).rstrip(".?").split(". ")
            return "; ".join(sentence[:1].lower() + sentence[1:] for sentence in sentences)
