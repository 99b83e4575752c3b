"""Recorded traffic: containers, and what is in them.

``open(path)`` gives a capture as numpy columns (:mod:`rig.capture.columns`); only that call imports numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from rig.capture.columns import Capture
    from rig.capture.handle_map import HandleMap


def open(path: str | Path, *, handle_map: HandleMap | None = None) -> Capture:  # noqa: A001 - as in ``gzip.open``
    """Open a capture in any container that :mod:`rig.capture.registry` knows, to be read as columns.

    Args:
        path: a file, gzip-compressed or not.
        handle_map: what handles mean, where the capture's own discovery does not tell.

    Raises:
        CaptureError: there is no such file, it may not be read, or it is no capture.
    """
    from rig.capture.columns import Capture  # noqa: PLC0415 - numpy: longer to import than a small capture to decode

    return Capture(path, handle_map=handle_map)


__all__ = ["open"]
