"""How long this computer has been asleep since it was switched on: the one thing that no ordinary clock tells."""

from __future__ import annotations

import ctypes
import platform
import time
from typing import Any


def slept_s() -> float:
    """Return the seconds spent in suspend so far; only differences mean something.

    Linux: CLOCK_BOOTTIME goes on in suspend, CLOCK_MONOTONIC does not (clock_gettime(2)). macOS: CLOCK_MONOTONIC goes
    on, CLOCK_UPTIME_RAW does not. Windows: GetTickCount64 goes on, QueryUnbiasedInterruptTime does not.
    """
    match platform.system():
        case "Linux":
            return _clock("CLOCK_BOOTTIME") - _clock("CLOCK_MONOTONIC")
        case "Darwin":
            return _clock("CLOCK_MONOTONIC") - _clock("CLOCK_UPTIME_RAW")
        case "Windows":
            kernel: Any = vars(ctypes)["windll"].kernel32
            awake = ctypes.c_ulonglong()
            kernel.QueryUnbiasedInterruptTime(ctypes.byref(awake))  # in units of 100 ns
            kernel.GetTickCount64.restype = ctypes.c_ulonglong
            return float(kernel.GetTickCount64()) / 1e3 - awake.value / 1e7
        case _:
            return 0.0


def _clock(name: str) -> float:
    return time.clock_gettime(getattr(time, name))
