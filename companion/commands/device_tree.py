"""``companion pair`` and ``companion devices`` and their options. What each does is imported when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from companion.commands.parameters import Debug, Demo, DemoData, Json


def pair(
    *,
    passkey_file: Annotated[Path | None, Parameter(name="--passkey-file")] = None,
    demo: Demo = None,
    debug: Debug,
) -> int:
    """Pair a device."""
    del debug
    from companion.commands.pair import pair as pair_it  # noqa: PLC0415 - the radio: 150 ms

    return pair_it(demo=demo, passkey_file=passkey_file)


def devices(*, forget: str | None = None, json: Json = False, demo: DemoData = False, debug: Debug) -> int:
    """The devices that were paired."""
    del debug
    from companion.commands import devices as those  # noqa: PLC0415

    return those.print_list(json=json, demo=demo) if forget is None else those.forget(forget, demo=demo)


COMMANDS = (pair, devices)
