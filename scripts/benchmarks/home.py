"""The app of somebody with 5,000 sessions and 20,000 glasses of water behind them: screens, processor, memory, stop.

A screen counts as open once what it is about stands on the terminal (real app, 120x40, true colour). Shares of a core
are user and system time, which other programs do not lengthen; the simulated device runs in the app's process and is
counted in. Stops are measured while everything happens at once: the face and the chart are drawn, a broker floods the
link to Home Assistant, and the history is as long.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from measure import Measurement, Report
from stop import WatchedApp, report_stops, stop, stop_again_and_again
from terminal import Drawn, Terminal, cpu_s, peak_mib
from years import lived

OPEN_MS = 300
IDLE_PERCENT = 1
SESSION_PERCENT = 8
MEMORY_MIB = 120
REST_S = 20.0
PROCESSES = 5
ROUNDS = 3
STOPS = 100
FLOOD_PER_S = 500
DEVICE = "bench"
SEARCH = "/usr/sbin"  # Debian keeps daemons there


@dataclass(frozen=True, slots=True)
class Place:
    """A screen: the keys to it from anywhere, and what stands on it and nowhere else."""

    name: str
    keys: str
    landmark: str


PLACES = (
    Place("plan", "p", "How it has been"),
    Place("water", "w", "the last seven days"),
    Place("history", "h", "5,000 sessions"),
    Place("routines", "r", "What would be good today?"),
    Place("settings", "s", "Settings"),
    Place("today", "t", "Dr-05"),
)


def run(report: Report, *, repeat: int | None, seed: int) -> None:
    if not Path("/proc/self/status").exists():
        report.leave_out("home: processor time and memory are read from /proc, which this system does not have")
        return
    now = datetime.now().astimezone()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lived(folder / "person", seed=seed, demo=False, now=now)
        lived(folder / "demo", seed=seed, demo=True, now=now)
        _screens(report, folder / "person", repeat or PROCESSES, seed)
        _session(report, folder / "demo", seed)
        _stops(report, folder / "demo", STOPS, seed)


# --- screens ----------------------------------------------------------------------------------------------------------


def _screens(report: Report, folder: Path, processes: int, seed: int) -> None:
    first: dict[str, list[Drawn]] = {place.name: [] for place in PLACES}
    later: dict[str, list[Drawn]] = {place.name: [] for place in PLACES}
    peaks: list[float] = []
    idle: list[tuple[float, int]] = []
    for _ in range(processes):
        app = Terminal([sys.executable, str(Path(__file__).with_name("home_child.py")), str(folder), str(seed)], folder)
        try:
            app.wait_for("Dr-05")
            for number in range(ROUNDS):
                for place in PLACES:
                    app.press("g", "Go to")
                    drawn = app.press(place.keys, place.landmark)
                    (later if number else first)[place.name].append(drawn)
            peaks.append(app.peak_mib)
            if len(idle) < 3:
                idle.append(app.rest(REST_S))
        finally:
            app.close()
    for place in PLACES:
        for which, drawn in (("first time", first[place.name]), ("again", later[place.name])):
            shown = statistics.median(one.landmark_ms for one in drawn)
            still = statistics.median(one.still_ms for one in drawn)
            computed = statistics.median(one.cpu_ms for one in drawn)
            # Today stands there from before, and is brought up to date: that it is done is what counts.
            opened = still if place.name == "today" else shown
            note = f"nothing more drawn after {still:.0f} ms, {computed:.0f} ms of a core in all"
            label = f"home: {place.name}, {which}, key to screen, p50 of {len(drawn)}"
            report.add(Measurement(label, opened, "ms", at_most=OPEN_MS, note=note))
    share = statistics.median(share for share, _ in idle) * 100
    note = f"drawn {max(drawn for _, drawn in idle)} times in {REST_S:g} s"
    report.add(
        Measurement("home: idle on today, share of a core", share, "%", at_most=IDLE_PERCENT, note=note),
        Measurement("home: peak memory after every screen", max(peaks), "MiB", at_most=MEMORY_MIB),
    )


# --- a session --------------------------------------------------------------------------------------------------------


def _session(report: Report, folder: Path, seed: int) -> None:
    app = WatchedApp(folder, seed)
    try:
        shares = []
        for _ in range(3):
            app.wait_for("running")
            begun, before = time.monotonic(), cpu_s(app.process.pid)
            for told in app.events(begun + REST_S):
                raise AssertionError(f"the session did not go on: {told}")
            shares.append((cpu_s(app.process.pid) - before) / (time.monotonic() - begun))
            stop(app, "space", 0.0, running=True)
        peak = peak_mib(app.process.pid)
    finally:
        app.close()
    report.add(
        Measurement(
            "home: session screen, share of a core", statistics.median(shares) * 100, "%", at_most=SESSION_PERCENT
        ),
        Measurement("home: peak memory in sessions", peak, "MiB", at_most=MEMORY_MIB),
    )


# --- stop while everything happens ------------------------------------------------------------------------------------


def _stops(report: Report, folder: Path, count: int, seed: int) -> None:
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(_broker(folder.parent))
        if broker is None:
            report.leave_out("home: stops while a broker floods: mosquitto is not installed")
            return
        (folder / "settings.toml").write_text(
            f'[mqtt]\nenabled = true\nhost = "127.0.0.1"\nport = {broker}\ndevice_id = "{DEVICE}"\n', encoding="utf-8"
        )
        app = WatchedApp(folder, seed)
        stack.callback(app.close)
        flood = stack.enter_context(_Flood(broker))
        stops = stop_again_and_again(app, count, seed)
        rate = flood.over()
    report_stops(report, stops, "home: at once")
    report.add(Measurement("home: messages a second meanwhile", rate, "", at_least=0.95 * FLOOD_PER_S))


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[int | None]:
    """A mosquitto of the bench's own on a free port; None where there is none to be had."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path=SEARCH)
    if program is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type none\n")
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


class _Flood:
    """A program that floods the companion's topics, from when the companion is online on."""

    def __init__(self, port: int) -> None:
        child = Path(__file__).with_name("flood_child.py")
        self._process = subprocess.Popen(
            [sys.executable, str(child), str(port), DEVICE, str(FLOOD_PER_S)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def over(self) -> float:
        """End it; returns how many messages a second went out."""
        said, _ = self._process.communicate()
        lines = [json.loads(line) for line in said.splitlines()]
        if [line["event"] for line in lines] != ["online", "over"]:
            raise AssertionError(f"the flood never reached the companion: {lines}")
        return float(lines[-1]["sent"] / lines[-1]["seconds"])

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
