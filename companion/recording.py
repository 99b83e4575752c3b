"""Writing down the HCI traffic of a demo, in the format that Wireshark and btmon open.

With :mod:`companion.demo` the only door from the app to the test bench; loaded only when a recording is asked for.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from companion.config import CompanionError, Exit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from companion.dates import Calendar
    from rig.capture.writer import BtsnoopWriter


@contextmanager
def btsnoop(path: Path, calendar: Calendar) -> Iterator[BtsnoopWriter]:
    """Open a recording whose times are the calendar's date and time plus the loop's clock from now on.

    Raises:
        CompanionError: the file cannot be written.
    """
    from rig.capture.writer import BtsnoopWriter  # noqa: PLC0415 - the bench is loaded when a recording is asked for

    epoch = calendar.now() - timedelta(seconds=asyncio.get_running_loop().time())
    try:
        writer = BtsnoopWriter(path, epoch)
    except OSError as error:
        raise CompanionError(
            f"{path} cannot be written ({error.strerror}): give --record a file in a folder that is yours", Exit.USAGE
        ) from error
    try:
        yield writer
    finally:
        writer.close()
