"""``companion`` and ``companion --demo``: the app itself, and the way to it that needs no parser.

Knows what has to be right before the app can begin; draws nothing.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from companion.config import UsageError, data_folder
from companion.words import cli as words

DemoKey = Literal["dr05", "foreo", "omp"]
USUAL_DEMO: Final[DemoKey] = "omp"
"""The reference device: it reports what it delivers, so that a demo shows all that the app can."""

DIRECT: Final[Mapping[tuple[str, ...], DemoKey | None]] = MappingProxyType(
    {
        (): None,
        ("--demo",): USUAL_DEMO,
        ("--demo", "dr05"): "dr05",
        ("--demo", "foreo"): "foreo",
        ("--demo", "omp"): "omp",
    }
)
"""The command lines that lead straight to the app, and what the parser makes of them: loading it takes 40 ms."""


def start(
    demo: DemoKey | None = None,
    *,
    speed: float = 1.0,
    seed: int | None = None,
    record: Path | None = None,
    with_keys: bool = False,
    person: str | None = None,
) -> int:
    """Run the app, for ``person`` or whoever's turn it is, and return the exit code.

    Raises:
        UsageError: options that do not go together, or there is no terminal to draw on.
        PersonError: nobody is called so.
        StoreError: a person was named, and the data cannot be read.
    """
    demo_alone(demo, speed, seed)
    if with_keys and record is None:
        from companion.words import account  # noqa: PLC0415 - what the app says of itself, for a fault alone

        raise UsageError(account.KEYS_NEED_RECORD)
    if math.isinf(speed):
        raise UsageError(words.APP_NOT_AT_MAX)
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # Textual draws on the last
        raise UsageError(words.NEEDS_TERMINAL)
    folder = data_folder(demo=demo is not None)
    if person is not None:
        from companion.dates import Calendar  # noqa: PLC0415 - who is named is looked for before anything is drawn
        from companion.store.database import Store  # noqa: PLC0415 - as above

        Store.open(folder, Calendar.system(), person=person).close()
    from companion.app import run_app  # noqa: PLC0415 - Textual: 160 ms

    return run_app(demo, seed or 0, speed, record, folder, person=person, with_keys=with_keys)


def demo_alone(demo: str | None, speed: float, seed: int | None) -> None:
    """Scaled time and chosen chance belong to simulated devices: a real one has its own time and its own mind.

    Raises:
        UsageError: one of them is asked for without a demo.
    """
    if demo is None and speed != 1.0:
        raise UsageError(words.ONLY_IN_DEMO.format(option="--speed"))
    if demo is None and seed is not None:
        raise UsageError(words.ONLY_IN_DEMO.format(option="--seed"))


def set_up_logging(*, debug: bool) -> None:
    """What libraries log is for a bug report: without a handler Python would print warnings between the lines."""
    import logging  # noqa: PLC0415 - not needed for a page of help

    if debug:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    else:
        logging.getLogger().addHandler(logging.NullHandler())
