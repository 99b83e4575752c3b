"""Keeps long garbage collections away from a running session.

A full collection of an app that has been open for a while takes tens to hundreds of milliseconds, in which no key is
read. So everything that is there when a session begins is set aside, and what comes after it is looked through in full
only at moments without output. Small collections of what is young go on as ever. Knows no session.
"""

from __future__ import annotations

import gc

NEVER = 1 << 30
"""A threshold that nothing reaches: full collections happen when they are asked for."""


class Quiet:
    """Begins, is given moments, and ends; everything may be said twice."""

    def __init__(self) -> None:
        self._thresholds: tuple[int, int, int] | None = None

    def begin(self) -> None:
        """Collect once more, set aside what is there, and put full collections off until a moment comes."""
        if self._thresholds is None:
            gc.collect()
            self._thresholds = gc.get_threshold()
            gc.set_threshold(self._thresholds[0], self._thresholds[1], NEVER)
            gc.freeze()

    def moment(self) -> None:
        """Collect what came since the last moment: a few milliseconds. Survivors are set aside as well."""
        if self._thresholds is not None:
            gc.collect()
            gc.freeze()

    def end(self) -> None:
        """Give everything back to the ordinary collections."""
        if self._thresholds is not None:
            gc.set_threshold(*self._thresholds)
            self._thresholds = None
            gc.unfreeze()
