"""The chain that brings transcript files of older versions up to the present one, step by step.

Knows what changed from each version to the next, on decoded lines. Refuses to know files, JSON and transcripts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

VERSION: Final = 1
"""The version that is written."""


class Record(NamedTuple):
    """One line of a transcript file, decoded."""

    line: int
    """Its number in the file, from 1. What a step adds takes the number of the line that it came from."""
    fields: dict[str, object]


Step = Callable[[list[Record]], list[Record]]
"""Takes the records of one version, the header first, and returns those of the next. May change what it is given."""

STEPS: Final[dict[int, Step]] = {}
"""Version to the step that leads from it to the next one. Version 1 is the first, so there is none yet."""


def oldest(steps: Mapping[int, Step] = STEPS, version: int = VERSION) -> int:
    """The oldest version from which an unbroken chain of ``steps`` leads to ``version``."""
    while version - 1 in steps:
        version -= 1
    return version


def migrated(
    records: list[Record], found: int, *, steps: Mapping[int, Step] = STEPS, to: int = VERSION
) -> list[Record]:
    """Return the records as version ``to`` has them.

    Args:
        records: the lines of a file of version ``found``, the header first.
        found: one from :func:`oldest` to ``to``.
        steps: the chain.
        to: the version wanted.

    Raises:
        KeyError: a step is missing from the chain.
    """
    for version in range(found, to):
        records = steps[version](records)
    return records
