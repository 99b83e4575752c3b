"""``rig info``: what a capture is, as text or as JSON.

Knows how to print it. Refuses to gather it: :mod:`rig.capture.info` does.
"""

from __future__ import annotations

import sys

from rig.commands.faults import FINISHED
from rig.commands.reading import bar, not_typed


def info(file: str, *, json: bool = False) -> int:
    """Print what ``file`` is.

    Raises:
        UsageError: ``file`` is a terminal.
        CaptureError: it cannot be read, or is damaged; what comes before the damage is told first.
    """
    not_typed(file)
    from rig.capture.info import inspect  # noqa: PLC0415 - once the line is known to be right

    with bar() as progress:
        found = inspect(file, progress=progress)
    if json:
        from json import dumps  # noqa: PLC0415 - one of two ways to print

        sys.stdout.write(dumps(found.as_json(), indent=2) + "\n")
    else:
        from rig.capture.info_text import lines  # noqa: PLC0415 - the other

        sys.stdout.writelines(f"{line}\n" for line in lines(found))
    if found.damage is not None:
        raise found.damage
    return FINISHED
