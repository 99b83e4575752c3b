"""``rig decode``: a capture as ATT rows, GATT operations or what the device and its app said to each other.

Knows which of these to ask for and how to print them. Refuses to know containers and protocols.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rig.commands.faults import FINISHED, RigError, UsageError
from rig.commands.lines import FORMATS
from rig.commands.reading import STANDARD_INPUT, are_one, bar, columns, loaded_map, not_typed

if TYPE_CHECKING:
    from rig.capture.progress import Progress
    from rig.capture.reading import Reading
    from rig.capture.records import CaptureError


def decode(
    file: str,
    *,
    att: bool = False,
    gatt: bool = False,
    events: bool = False,
    format: str | None = None,  # noqa: A002 - the option's name
    map: str | None = None,  # noqa: A002 - the option's name
    save_map: str | None = None,
    protocol: str | None = None,
) -> int:
    """Print what ``file`` holds.

    Raises:
        UsageError: the options do not go together.
        CaptureError: the file is damaged, or cannot be read; all that came before the damage is printed.
        OSError: the output cannot be written.
    """
    if att + gatt + events > 1:
        raise UsageError("--att, --gatt and --events are three ways to show a capture; give one of them")
    if protocol is not None and not events:
        raise UsageError("--protocol chooses whose events to show; it goes with --events")
    if format is not None and format not in FORMATS:
        raise UsageError(f"--format is one of {', '.join(FORMATS)}, not {format!r}")
    if save_map is not None and (save_map in {file, STANDARD_INPUT} or are_one(save_map, file)):
        raise UsageError(f"--save-map would write over {file!r}; name a file of its own, as device.json")
    not_typed(file)
    if format is None:
        format = "table" if sys.stdout.isatty() else "tsv"  # noqa: A001 - as above
    handle_map = loaded_map(map)
    if not (gatt or events or save_map) and format == "tsv":
        from rig.capture.decode import write_tsv  # noqa: PLC0415 - the shortest way, which large files take too

        # The linear algebra in numpy starts a thread per core when it is loaded, each to spin for a tenth of a second.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        with _without_collections(), bar(beside_output=True) as progress:
            write_tsv(file, sys.stdout.buffer, handle_map=handle_map, progress=progress)
        return FINISHED
    from rig.capture.reading import Reading  # noqa: PLC0415 - as above
    from rig.capture.records import CaptureError  # noqa: PLC0415

    live = file == STANDARD_INPUT
    with Reading(file, handle_map) as reading:
        try:
            with bar(beside_output=True) as progress:
                if gatt:
                    lines = _operations(reading, progress, format, live=live)
                elif events:
                    lines = _events(reading, progress, format, protocol, live=live)
                else:
                    lines = _rows(reading, progress, format, live=live)
                _print(lines, at_once=live)
        except CaptureError as damage:
            if save_map is not None:
                _save(save_map, reading, damage)
            raise
        if save_map is not None:
            _save(save_map, reading)
    return FINISHED


@contextmanager
def _without_collections() -> Iterator[None]:
    """Do something that leaves no cycles, without the interpreter looking for any: while numpy is imported, mostly.

    Nor does it look through all objects once more before it ends.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        atexit.register(gc.freeze)


def _rows(
    reading: Reading,
    progress: Progress | None,
    format: str,  # noqa: A002 - the option's name
    *,
    live: bool,
) -> Iterator[str]:
    from rig.capture import text  # noqa: PLC0415 - what a command line needs, and nothing more
    from rig.capture.rows import rows  # noqa: PLC0415

    found = rows(reading.records(progress), reading.stack, reading.tracker)
    match format:
        case "tsv":
            return text.tsv(found)
        case "table":
            return text.table(found, _names(), columns(), live=live)
        case _:
            return _json(map(text.json_object, found), format)


def _operations(
    reading: Reading,
    progress: Progress | None,
    format: str,  # noqa: A002 - as above
    *,
    live: bool,
) -> Iterator[str]:
    from rig.capture import operation_text as text  # noqa: PLC0415 - as above
    from rig.capture.operations import operations  # noqa: PLC0415

    found = operations(reading.pdus(progress), reading.tracker)
    match format:
        case "tsv":
            return text.tsv(found)
        case "table":
            return text.table(found, _names(), columns(), live=live)
        case _:
            return _json(map(text.json_object, found), format)


def _events(
    reading: Reading,
    progress: Progress | None,
    format: str,  # noqa: A002 - as above
    protocol: str | None,
    *,
    live: bool,
) -> Iterator[str]:
    from rig.capture import event_text as text  # noqa: PLC0415 - as above
    from rig.capture.events import EventDecoder, ProtocolChoiceError  # noqa: PLC0415

    try:
        decoder = EventDecoder(reading.tracker, reading.stack.observations, protocol=protocol)
    except ProtocolChoiceError as error:
        raise UsageError(str(error)) from error
    for problem in decoder.problems:
        sys.stderr.write(f"rig: {problem}\n")
    found = (event for pdu in reading.pdus(progress) for event in decoder.feed(pdu))
    match format:
        case "tsv":
            yield from text.tsv(found)
        case "table":
            yield from text.table(found, columns(), live=live)
        case _:
            yield from _json(map(text.json_object, found), format)
    if not decoder.chosen:
        sys.stdout.flush()
        sys.stderr.write(
            f"rig: {reading.name}: no link speaks a device protocol that is known here; "
            "`--events --protocol NAME` chooses one, --gatt shows what was said without any\n"
        )


def _json(objects: Iterable[str], format: str) -> Iterator[str]:  # noqa: A002 - as above
    from rig.capture.text import json_array, json_lines  # noqa: PLC0415 - as above

    return json_array(objects) if format == "json" else json_lines(objects)


def _names() -> Callable[[str], str]:
    """UUID to its assigned name, for eyes alone."""
    from rig.capture import assigned  # noqa: PLC0415 - as above

    names = assigned.load()
    return lambda uuid: names.get(uuid, "")


def _print(lines: Iterable[str], *, at_once: bool) -> None:
    """Print lines as they come, each at once where what is read may still be going on."""
    if not at_once:
        sys.stdout.writelines(lines)
        return
    for line in lines:
        sys.stdout.write(line)
        sys.stdout.flush()


def _save(path: str, reading: Reading, damage: CaptureError | None = None) -> None:
    """Save what discovery told; of a damaged capture, what it told before the damage.

    Raises:
        RigError: it told nothing, or the file cannot be written.
    """
    from rig.capture.handle_map import HandleMap  # noqa: PLC0415 - as above

    before = "" if damage is None else f"{damage}; "
    handle_map = HandleMap.of(reading.tracker, reading.stack.links, reading.stack.observations.names)
    if not handle_map.tables:
        raise RigError(f"{before}{reading.name}: there is no discovery in this capture, so {path!r} was not written")
    try:
        handle_map.save(path)
    except OSError as error:
        raise RigError(f"{before}{path}: cannot be written: {error.strerror or error}") from error
