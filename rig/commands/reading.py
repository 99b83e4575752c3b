"""What the commands about captures share: opening one as the command line names it, and the bar while it is read.

Knows files, terminals and standard input. Refuses to know what a capture holds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rig.commands.faults import UsageError

if TYPE_CHECKING:
    from rig.capture.handle_map import HandleMap
    from rig.capture.progress import Progress

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


def loaded_map(path: str | None) -> HandleMap | None:
    """The handle map of ``--map``.

    Raises:
        CaptureError: it cannot be read, or is no handle map.
    """
    if path is None:
        return None
    from rig.capture.handle_map import HandleMap  # noqa: PLC0415 - few command lines have a map

    return HandleMap.load(path)


@contextmanager
def bar(*, beside_output: bool = False) -> Iterator[Progress | None]:
    """A progress bar on standard error, None where it would not be seen or would be in the way.

    Args:
        beside_output: whether the command prints while it reads: on one terminal, the two would overwrite each other.
    """
    if not sys.stderr.isatty() or (beside_output and sys.stdout.isatty()):
        yield None
        return
    from rig.capture.progress import Bar  # noqa: PLC0415 - for terminals alone

    drawn = Bar(sys.stderr)
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
