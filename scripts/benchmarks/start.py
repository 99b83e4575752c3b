"""Cold start: whole processes, from exec to the first thing that a person sees."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from measure import Measurement, Report, interleaved, timed

HELP_LIMIT_MS = 150
FIRST_FRAME_LIMIT = 1.5
COLUMNS, ROWS = 120, 40
PATIENCE_S = 20

_ESCAPES = re.compile(rb"\x1b(\[[0-9;?<=>:]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][0-9A-Z]|[=>NOP])")

MINIMAL_APP = """
from textual.app import App, ComposeResult
from textual.widgets import Static

class Minimal(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("FIRSTFRAME")

Minimal().run()
"""


def open_terminal(columns: int = COLUMNS, rows: int = ROWS) -> tuple[int, int]:
    """Make a pseudo terminal of that size; returns (our end, the program's end)."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return ours, theirs


def terminal_environment(data_folder: Path) -> dict[str, str]:
    """The environment of a person with a good terminal, with a data folder of the bench's own."""
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "CI", "TEXTUAL_ANIMATIONS"}}
    return kept | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COMPANION_DATA": str(data_folder)}


def _first_frame(command: list[str], landmark: bytes, data_folder: Path) -> float:
    """Seconds from exec until ``landmark`` stands on the terminal."""
    ours, theirs = open_terminal()
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=terminal_environment(data_folder),
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    try:
        while time.perf_counter() - start < PATIENCE_S:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                seen += os.read(ours, 1 << 16)
            except OSError:  # the program has ended, and with it its terminal
                break
            if landmark in _ESCAPES.sub(b"", seen):
                return time.perf_counter() - start
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    raise AssertionError(
        f"{command} never showed {landmark!r}; it showed:\n{_ESCAPES.sub(b'', seen)[-2000:].decode(errors='replace')}"
    )


def run(report: Report, *, repeat: int | None, seed: int) -> None:  # noqa: ARG001 - nothing here is random
    companion = str(Path(sys.executable).parent / "companion")
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)

        def process(*command: str) -> float:
            return timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))

        results = interleaved(
            {
                "python -c pass": lambda: process(sys.executable, "-c", "pass"),
                "companion --help": lambda: process(companion, "--help"),
                "minimal Textual app": lambda: _first_frame([sys.executable, "-c", MINIMAL_APP], b"FIRSTFRAME", data),
                "companion --demo": lambda: _first_frame([companion, "--demo", "dr05"], b"Microcurrent", data),
            },
            repeat or 11,
        )
    median = {name: statistics.median(seconds) * 1000 for name, seconds in results.items()}
    report.add(
        Measurement("start: python -c pass, whole process", median["python -c pass"], "ms"),
        Measurement("start: companion --help, whole process", median["companion --help"], "ms", at_most=HELP_LIMIT_MS),
        Measurement("start: minimal Textual app, exec to first frame", median["minimal Textual app"], "ms"),
        Measurement("start: companion --demo, exec to first frame", median["companion --demo"], "ms"),
        Measurement(
            "start: first frame against the minimal app",
            median["companion --demo"] / median["minimal Textual app"],
            "times",
            at_most=FIRST_FRAME_LIMIT,
        ),
    )
