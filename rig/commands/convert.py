"""``rig convert``: a capture as another container, with addresses and names replaced if asked for.

Knows the command line. Refuses to know containers: :mod:`rig.capture.convert` does.
"""

from __future__ import annotations

import sys

from rig.commands.faults import FINISHED, UsageError
from rig.commands.reading import STANDARD_INPUT, bar, loaded_map, not_typed


def convert(
    source: str,
    target: str,
    *,
    format: str | None = None,  # noqa: A002 - the option's name
    redact: bool = False,
    redact_seed: str | None = None,
    map: str | None = None,  # noqa: A002 - the option's name
) -> int:
    """Write ``source`` as ``target``.

    Raises:
        UsageError: the options do not go together, or ``target`` makes no sense.
        CaptureError: ``source`` cannot be read or is damaged, or ``target`` cannot be written.
    """
    if target == STANDARD_INPUT:
        raise UsageError("a capture is written to a file, not to standard output; name one, as copy.pcapng")
    if redact_seed is not None and not redact:
        raise UsageError("--redact-seed says how to replace addresses and names; it goes with --redact")
    not_typed(source)
    handle_map = loaded_map(map)
    from rig.capture import convert as conversions  # noqa: PLC0415 - once the line is known to be right

    try:
        with bar() as progress:
            done = conversions.convert(
                source,
                target,
                format=format,
                redact=redact,
                redact_seed=redact_seed,
                handle_map=handle_map,
                progress=progress,
            )
    except conversions.ConversionRefusedError as error:
        raise UsageError(str(error)) from error
    sys.stdout.write(f"{done}\n")
    return FINISHED
