"""What the commands about captures share: opening one as the command line names it, and the bar while it is read.

Knows files, terminals and standard input. Refuses to know what a capture holds.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rig.commands.faults import UsageError

if TYPE_CHECKING:
    from rig.capture.handle_map import HandleMap
    from rig.capture.progress import Progress, Told

STANDARD_INPUT: Final = "-"


def not_typed(file: str) -> None:
    """Refuse to wait for a capture that somebody would have to type.

    Raises:
        UsageError: ``file`` is ``-``, and standard input is a terminal, or closed.
    """
    if file != STANDARD_INPUT:
        return
    if sys.stdin is None:  # how Python starts under `<&-`
        raise UsageError("`-` reads a capture from standard input, which is closed; name a file, or pipe one in")
    if sys.stdin.isatty():
        raise UsageError("`-` reads a capture from standard input, which is a terminal; name a file, or pipe one in")


def are_one(path: str, other: str) -> bool:
    """Whether two paths are the same file; False where one of them is not there."""
    try:
        return os.path.samefile(path, other)  # noqa: PTH121 - pathlib is slow to import
    except (OSError, ValueError):
        return False


def loaded_map(path: str | None) -> HandleMap | None:
    """The handle map of ``--map``.

    Raises:
        CaptureError: it cannot be read, or is no handle map.
    """
    if path is None:
        return None
    from rig.capture.handle_map import HandleMap  # noqa: PLC0415 - few command lines have a map

    return HandleMap.load(path)


def known_protocol(key: str | None) -> None:
    """Make sure that there is the protocol of ``--protocol``.

    Raises:
        UsageError: there is none with that key.
    """
    if key is None:
        return
    from protocols.registry import Registry, UnknownProtocolError  # noqa: PLC0415 - few command lines name one

    try:
        Registry.default().get(key)
    except UnknownProtocolError as error:
        raise UsageError(str(error)) from error


@contextmanager
def bar(*, beside_output: bool = False, told: Told | None = None) -> Iterator[Progress | None]:
    """A progress bar on standard error, None where it would not be seen or would be in the way.

    Args:
        told: how far it has come, in words; None: bytes of a file.
        beside_output: whether the command prints while it reads: on one terminal, the two would overwrite each other.
    """
    if not sys.stderr.isatty() or (beside_output and sys.stdout.isatty()):
        yield None
        return
    from rig.capture.progress import Bar  # noqa: PLC0415 - for terminals alone

    drawn = Bar(sys.stderr, told=told)
    try:
        yield drawn
    finally:
        drawn.close()


def columns() -> int | None:
    """How many columns the terminal on standard output has; None where there is none, and lines need not be cut."""
    if not sys.stdout.isatty():
        return None
    from os import get_terminal_size  # noqa: PLC0415

    try:
        return get_terminal_size(sys.stdout.fileno()).columns or None
    except OSError:
        return None
