"""How fast a whole session runs in virtual time: engine, journal, store, bleak backend, Bumble twice, device, JSON.

`companion run full-face` in this process, where everything is loaded already; and as a process of its own, for scale.
Once with the Dr-05, which is silent between commands, and once with the OMP device, which measures ten times a second.
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

LONGEST_S = {"dr05": 1.0, "omp": 2.0}
GOAL_SIM_S_PER_S = {"dr05": 1000.0, "omp": None}


def _arguments(device: str, seed: int) -> list[str]:
    return ["run", "full-face", "--demo", device, "--speed", "max", "--seed", str(seed), "--json", "--yes"]


def _session(device: str, seed: int) -> tuple[float, str]:
    """Run one session here; returns wall seconds and what it printed."""
    said = io.StringIO()
    start = time.perf_counter()
    with contextlib.redirect_stdout(said):
        code = main(_arguments(device, seed))
    seconds = time.perf_counter() - start
    if code != 0:
        raise AssertionError(f"the session of {device} ended with {code}, seed {seed}:\n{said.getvalue()[-1000:]}")
    return seconds, said.getvalue()


def run(report: Report, *, repeat: int | None, seed: int) -> None:
    for device in LONGEST_S:
        _measure(report, device, repeat=repeat or 9, seed=seed)


def _measure(report: Report, device: str, *, repeat: int, seed: int) -> None:
    companion = str(Path(sys.executable).parent / "companion")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COMPANION_DATA"] = folder
        _, said = _session(device, seed)  # loads everything
        finished = json.loads(said.splitlines()[-1])
        simulated_s = float(finished["elapsed_s"])
        seconds = []
        whole = []
        for _ in range(repeat):
            wall_s, again = _session(device, seed)
            if again != said:
                raise AssertionError(f"two runs of {device} with seed {seed} differ")
            seconds.append(wall_s)
            start = time.perf_counter()
            process = subprocess.run([companion, *_arguments(device, seed)], check=True, capture_output=True, text=True)
            whole.append(time.perf_counter() - start)
            if process.stdout != said:
                raise AssertionError(f"a process of its own prints something else, {device}, seed {seed}")
    median = statistics.median(seconds)
    gatt = int(finished["writes"]) + int(finished["notifications"])
    name = f"session, {device}"
    report.add(
        Measurement(f"{name}: full-face, simulated", simulated_s, "s"),
        Measurement(f"{name}: wall time beyond start-up", median, "s", at_most=LONGEST_S[device]),
        Measurement(
            f"{name}: simulated time per wall time",
            simulated_s / median,
            "sim s / s",
            at_least=GOAL_SIM_S_PER_S[device],
        ),
        Measurement(f"{name}: writes and notifications over Bumble", gatt, ""),
        Measurement(f"{name}: as a process of its own, start-up included", statistics.median(whole), "s"),
    )
