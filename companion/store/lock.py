"""The session lock: at most one live session to a data folder, told by the operating system.

A lock on an open file ends with the process however it dies, so a lock that can be taken proves that no session is
live. Knows nothing of the database.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

_NAME = "session.lock"
DAY_LOCK = "home-assistant.lock"
"""Held by whichever of several programs tells Home Assistant the day."""


class HeldElsewhereError(Exception):
    """Another process, or another session of this one, holds the lock; ``holder`` is its process id where known."""

    def __init__(self, holder: int | None) -> None:
        super().__init__(f"held by process {holder}" if holder else "held by another process")
        self.holder = holder


class SessionLock:
    """An exclusive lock on ``session.lock`` in ``folder``, held from :meth:`take` to :meth:`release`.

    With another ``name`` it is a lock for something else that one process at a time does.

    The file is not inherited by programs that this process starts (PEP 446), so none of them can keep it locked.
    """

    def __init__(self, folder: Path, name: str = _NAME) -> None:
        self._path = folder / name
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock, or fail at once.

        Raises:
            HeldElsewhereError: a session is live.
            OSError: the lock file cannot be opened.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
        except (BlockingIOError, PermissionError):  # the second is Windows' way to say it
            holder = os.read(descriptor, 20)
            os.close(descriptor)
            raise HeldElsewhereError(int(holder) if holder.isdigit() else None) from None
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        # The process id only serves the message of whoever is refused: a full disk must not stand in the way of it.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        """Let the lock go; harmless when it is not held."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    # Windows locks are mandatory: a byte far behind the text leaves the process id readable for others.
    _LOCKED_BYTE = 1 << 20

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        # flock belongs to the open file, so a second session inside one process is refused as well (fcntl.lockf would
        # let it pass, and would lose the lock when any other descriptor of the file is closed).
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
