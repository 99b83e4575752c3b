"""How fast a whole session runs in virtual time: engine, journal, store, bleak backend, Bumble twice, device, JSON.

`companion run full-face` in this process, where everything is loaded already; and as a process of its own, for scale.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Measurement, Report

from companion.cli import main

LONGEST_S = 1.0
GOAL_SIM_S_PER_S = 1000.0


def _arguments(seed: int) -> list[str]:
    return ["run", "full-face", "--demo", "dr05", "--speed", "max", "--seed", str(seed), "--json", "--yes"]


def _session(seed: int) -> tuple[float, str]:
    """Run one session here; returns wall seconds and what it printed."""
    said = io.StringIO()
    start = time.perf_counter()
    with contextlib.redirect_stdout(said):
        code = main(_arguments(seed))
    seconds = time.perf_counter() - start
    if code != 0:
        raise AssertionError(f"the session ended with {code}, seed {seed}:\n{said.getvalue()[-1000:]}")
    return seconds, said.getvalue()


def run(report: Report, *, repeat: int | None, seed: int) -> None:
    companion = str(Path(sys.executable).parent / "companion")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COMPANION_DATA"] = folder
        _, said = _session(seed)  # loads everything
        finished = json.loads(said.splitlines()[-1])
        simulated_s = float(finished["elapsed_s"])
        seconds = []
        whole = []
        for _ in range(repeat or 9):
            wall_s, again = _session(seed)
            if again != said:
                raise AssertionError(f"two runs with seed {seed} differ")
            seconds.append(wall_s)
            start = time.perf_counter()
            process = subprocess.run([companion, *_arguments(seed)], check=True, capture_output=True, text=True)
            whole.append(time.perf_counter() - start)
            if process.stdout != said:
                raise AssertionError(f"a process of its own prints something else, seed {seed}")
    median = statistics.median(seconds)
    gatt = int(finished["writes"]) + int(finished["notifications"])
    report.add(
        Measurement("session: full-face, simulated", simulated_s, "s"),
        Measurement("session: wall time beyond start-up", median, "s", at_most=LONGEST_S),
        Measurement(
            "session: simulated time per wall time", simulated_s / median, "sim s / s", at_least=GOAL_SIM_S_PER_S
        ),
        Measurement("session: writes and notifications over Bumble", gatt, ""),
        Measurement("session: as a process of its own, start-up included", statistics.median(whole), "s"),
    )
