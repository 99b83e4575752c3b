"""``rig record``: what a device notifies, live, as a capture.

Knows the command line, and that Ctrl+C is the usual end. Refuses to know the radio: :mod:`rig.record` does.
"""

from __future__ import annotations

import asyncio

from rig.commands.faults import FINISHED, UsageError
from rig.commands.reading import STANDARD_INPUT
from rig.record import epoch_of_now
from rig.record import record as recorded


def record(
    target: str,
    *,
    device: str,
    seconds: float | None = None,
    format: str | None = None,  # noqa: A002 - the option's name
    save_map: str | None = None,
) -> int:
    """Record ``device`` into ``target``, until time is up, the device has gone, or Ctrl+C.

    Raises:
        UsageError: the target's name does not say which format it is to be, or is none of a file.
        RigError: no such device, no connection, no Bluetooth, or the file cannot be written.
    """
    if target == STANDARD_INPUT:
        raise UsageError("a capture is written to a file, not to standard output; name one, as session.pcapng")
    if save_map in {target, STANDARD_INPUT}:
        raise UsageError(f"--save-map would write over {save_map!r}; name a file of its own, as device.json")
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        print(line, flush=True)

    async def run() -> None:
        await recorded(
            device, target, epoch=epoch_of_now(), seconds=seconds, format=format, save_map=save_map, tell=tell
        )

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        if not told:  # it was still being looked for: nothing is recorded
            raise
    return FINISHED
