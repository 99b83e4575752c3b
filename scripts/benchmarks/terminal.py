"""A program in a pseudo terminal: its screen is read all the time, as a terminal does, and keys are pressed.

Knows bytes and what the operating system counts of a process; refuses to know the app.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from start import open_terminal, terminal_environment

PATIENCE_S = 60.0
STILL_S = 0.4
"""A screen on which nothing was drawn for so long is done."""

_ESCAPES = re.compile(rb"\x1b(\[[0-9;?<=>:]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][0-9A-Z]|[=>NOP])")


@dataclass(frozen=True, slots=True)
class Drawn:
    """How long after a key its landmark stood on the terminal, and how long until nothing more was drawn (ms).

    ``cpu_ms`` is what the program computed until then, with all its threads: what other programs do does not count.
    """

    landmark_ms: float
    still_ms: float
    cpu_ms: float


class Terminal:
    """A program in a terminal of 120x40 with true colour."""

    def __init__(self, command: Sequence[str], data_folder: Path) -> None:
        self._ours, theirs = open_terminal()
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=terminal_environment(data_folder),
            start_new_session=True,
        )
        os.close(theirs)
        self._shown = b""

    def _read(self, wait_s: float) -> bool:
        """Read what is drawn next; False when nothing is for ``wait_s``."""
        if not select.select([self._ours], [], [], wait_s)[0]:
            return False
        try:
            data = os.read(self._ours, 1 << 16)
        except OSError:  # the terminal is gone with the program
            data = b""
        if not data:
            raise AssertionError(f"the program ended by itself:\n{self.screen}")
        self._shown = (self._shown + data)[-200_000:]
        return True

    @property
    def screen(self) -> str:
        """The last of what was drawn, without colours and places."""
        return _ESCAPES.sub(b"", self._shown)[-3000:].decode(errors="replace")

    def press(self, keys: str, landmark: str) -> Drawn:
        """Press ``keys``; wait for ``landmark``, and until nothing is drawn any more."""
        self._shown = b""
        before, pressed = cpu_s(self.process.pid), time.monotonic()
        os.write(self._ours, keys.encode())
        return self._drawn(landmark, pressed, before)

    def wait_for(self, landmark: str) -> Drawn:
        """Wait for ``landmark`` from now on, and until nothing is drawn any more."""
        return self._drawn(landmark, time.monotonic(), cpu_s(self.process.pid))

    def _drawn(self, landmark: str, since: float, cpu_before_s: float) -> Drawn:
        wanted, seen, last = landmark.encode(), None, since
        while time.monotonic() - since < PATIENCE_S:
            if self._read(STILL_S):
                last = time.monotonic()
                if seen is None and wanted in _ESCAPES.sub(b"", self._shown):
                    seen = last
            elif seen is not None:
                cpu_ms = (cpu_s(self.process.pid) - cpu_before_s) * 1000
                return Drawn((seen - since) * 1000, (last - since) * 1000, cpu_ms)
        raise AssertionError(f"no {landmark!r} for {PATIENCE_S:g} s; there was:\n{self.screen}")

    def rest(self, seconds: float) -> tuple[float, int]:
        """Press nothing for so long; returns the share of a core that the program took, and how often it drew."""
        begun, before, drawn = time.monotonic(), cpu_s(self.process.pid), 0
        while (left := begun + seconds - time.monotonic()) > 0:
            drawn += self._read(left)
        return (cpu_s(self.process.pid) - before) / (time.monotonic() - begun), drawn

    @property
    def peak_mib(self) -> float:
        """The most memory that the program held so far."""
        return peak_mib(self.process.pid)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


def cpu_s(pid: int) -> float:
    """User and system time of a process with all its threads, exact to the nanosecond.

    The clock is the one that clock_getcpuclockid(3) gives: Linux makes it of the id (MAKE_PROCESS_CPUCLOCK with
    CPUCLOCK_SCHED, include/linux/posix-timers_types.h).
    """
    return time.clock_gettime((~pid << 3) | 2)


def peak_mib(pid: int) -> float:
    """The most resident memory that a process ever had (proc(5), VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return int(peak) / 1024
