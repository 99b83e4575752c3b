"""What a guard does when it must: the ways to end a link on each platform.

Knows how to end a link from outside the app. Refuses to know when that is called for.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Protocol


class Hand(Protocol):
    """Ends one link."""

    async def take(self) -> None:
        """Make sure, before any output, that :meth:`let_go` will be able to do its work.

        Raises:
            Exception: it would not be; the message says why.
        """

    def stops(self, writes: list[list[Any]]) -> None:
        """Learn the writes that end all output: where to, the bytes as hexadecimal digits, whether with response."""

    async def let_go(self) -> None:
        """End the output and the link, now; returns when the link is down, and tries until it is."""


class AppsProcess:
    """Where the system closes the links of a process that has ended (macOS, Windows): end the app's process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    async def take(self) -> None:
        """See :class:`Hand`. One's own parent may always be ended."""

    def stops(self, writes: list[list[Any]]) -> None:
        """See :class:`Hand`. No other process can write on that link."""

    async def let_go(self) -> None:
        """See :class:`Hand`. A journal survives it: every entry is on the disk before the next command is sent."""
        try:
            os.kill(self._pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        except ProcessLookupError:
            return  # it has ended by itself
