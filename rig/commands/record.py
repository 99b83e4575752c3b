"""``rig record``: what a device notifies, live, as a capture.

Knows the command line and Ctrl+C. Refuses to know radios: :mod:`rig.record` does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rig.commands.faults import FINISHED, RigError

if TYPE_CHECKING:
    from rig.record import Radio


def record(target: str, *, device: str, seconds: float | None = None) -> int:
    """Record until time is up, the device disconnects, or Ctrl+C.

    Raises:
        UsageError: ``target`` cannot be a recording.
        RigError: no such device, no connection, no Bluetooth; the file cannot be written; or the link ended early.
    """
    try:
        asyncio.run(recording(target, device=device, seconds=seconds))
    except KeyboardInterrupt:
        return FINISHED  # the usual end: all is written, and the link was ended in order
    return FINISHED


async def recording(target: str, *, device: str, seconds: float | None = None, radio: Radio | None = None) -> None:
    """Record, telling what is going on, until time is up, the device disconnects, or the task is cancelled.

    Raises:
        RigError: as :func:`record` does.
    """
    from rig.record import epoch_of_now  # noqa: PLC0415 - it brings bleak
    from rig.record import record as recorded  # noqa: PLC0415 - as above

    found = await recorded(
        device,
        target,
        epoch=epoch_of_now(),
        seconds=seconds,
        radio=radio,
        tell=lambda line: print(line, flush=True),
    )
    if found.by_device and seconds is not None:
        raise RigError(
            f"the link ended after {found.seconds:.1f} of {seconds:g} s; {target} has what was recorded until then"
        )
