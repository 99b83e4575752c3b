"""Stop latency in wall-clock time: from the key's byte on the terminal to the total-stop frame at the simulated device.

The real app runs in a pseudo terminal of 120x40 with true colour and full animation, on the virtual radio. The key is
pressed at seeded random moments of a running session: while the level ramps and the face is drawn ten times a second.
Both ends are stamped with CLOCK_MONOTONIC. Then the same while the device floods the app with notifications, which come
in as they do from a system's Bluetooth service: at bleak's callback, all of a millisecond at once.
"""

from __future__ import annotations

import json
import os
import random
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import Measurement, Report, quantile
from start import open_terminal, terminal_environment
from terminal import cpu_s

STOPS = 200
FLOODED_STOPS = 60
FLOOD_PER_S = 20_000
LIMIT_MS = 50
LONGEST_WAIT_S = 0.8
PATIENCE_S = 30
KEYS = {"space": b" ", "escape": b"\x1b"}

ROUTINE = """
format = 1
name = "bench-stop"
title = "Bench"
summary = "One long zone: there is always something to stop."

[[steps]]
kind = "treat"
zone = "left-cheek"
passes = 10
seconds_per_pass = 30
share = 1.0
"""


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop: which key, and how long it took to reach the device and to end its output.

    ``computed_ms`` is what the app's process computed until the device was reached: what other programs do does not
    count in it. 0 where the system does not tell.
    """

    key: str
    arrived_ms: float
    zero_ms: float
    computed_ms: float


class WatchedApp:
    """The app in its terminal. Its screen is read and thrown away all the time, as a terminal does.

    ``notified`` is how many notifications a second the device sends beside its own.
    """

    def __init__(self, folder: Path, seed: int, notified: int = 0) -> None:
        (folder / "routines").mkdir(parents=True, exist_ok=True)
        (folder / "routines" / "bench-stop.toml").write_text(ROUTINE, encoding="utf-8")
        self.terminal, theirs = open_terminal()
        self._told, telling = os.pipe()
        child = Path(__file__).with_name("stop_child.py")
        self.process = subprocess.Popen(
            [sys.executable, str(child), str(telling), str(seed), str(folder), str(notified)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=terminal_environment(folder),
            pass_fds=[telling],
            start_new_session=True,
        )
        os.close(theirs)
        os.close(telling)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.terminal, selectors.EVENT_READ)
        self._selector.register(self._told, selectors.EVENT_READ)
        self._line = b""
        self.notified_per_s = 0.0
        """How many notifications a second came in a flood so far."""
        self._screen = b""

    def events(self, until: float) -> Iterator[dict[str, object]]:
        """What the child tells, until that CLOCK_MONOTONIC time (seconds)."""
        while (left := until - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                try:
                    data = os.read(key.fd, 1 << 16)
                except OSError:  # the terminal is gone with the program
                    data = b""
                if not data:
                    raise AssertionError(f"the app ended by itself:\n{self._screen[-3000:].decode(errors='replace')}")
                if key.fd == self.terminal:
                    self._screen = (self._screen + data)[-6000:]
                    continue
                *lines, self._line = (self._line + data).split(b"\n")
                yield from map(json.loads, lines)

    def wait_for(self, event: str) -> dict[str, object]:
        for told in self.events(time.monotonic() + PATIENCE_S):
            if told["event"] == event:
                return told
        raise AssertionError(f"no {event!r} for {PATIENCE_S} s:\n{self._screen[-3000:].decode(errors='replace')}")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)
        os.close(self._told)
        self._selector.close()


def stop(app: WatchedApp, key: str, wait_s: float, *, running: bool = False) -> Stop:
    """Press ``key`` once a session runs, ``wait_s`` later; returns how long it took. ``running``: it does already."""
    if not running:
        app.wait_for("running")
    for told in app.events(time.monotonic() + wait_s):
        raise AssertionError(f"unexpected before the key: {told}")
    before_s = cpu_s(app.process.pid) if sys.platform == "linux" else None
    pressed_ns = time.monotonic_ns()
    os.write(app.terminal, KEYS[key])
    arrived = app.wait_for("arrived")
    over = app.wait_for("over")
    app.notified_per_s = float(str(over["notified"]))
    if over["reason"] != "stopped by you" or over["screen"] != "SessionScreen" or not arrived["percent"]:
        raise AssertionError(f"not a stop of a session that runs and is drawn: {arrived}, {over}")
    return Stop(
        key,
        (int(str(arrived["ns"])) - pressed_ns) / 1e6,
        (int(str(over["zero_at_ns"])) - pressed_ns) / 1e6,
        0.0 if before_s is None else (float(str(arrived["cpu_s"])) - before_s) * 1000,
    )


def stop_again_and_again(app: WatchedApp, count: int, seed: int) -> list[Stop]:
    """Stop ``count`` sessions, with the keys in turn, each at a moment of chance."""
    rng = random.Random(seed)
    keys = [list(KEYS)[number % len(KEYS)] for number in range(count)]
    return [stop(app, key, rng.uniform(0.05, LONGEST_WAIT_S)) for key in keys]


def report_stops(report: Report, stops: Sequence[Stop], what: str) -> None:
    """Report how long the stops of each key took; ``what`` is measured, in a word."""
    for key in KEYS:
        arrived = [stop.arrived_ms for stop in stops if stop.key == key]
        zero = [stop.zero_ms for stop in stops if stop.key == key]
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)):
            limit = LIMIT_MS if name == "p99" else None
            label = f"{what}: {key} to total stop at the device, {name} of {len(arrived)}"
            report.add(Measurement(label, quantile(arrived, share), "ms", at_most=limit))
        # The device reads its ten bytes at 9600 baud first: 10.4 ms that no host can save.
        report.add(Measurement(f"{what}: {key} to output zero, p99", quantile(zero, 0.99), "ms"))
        computed = [stop.computed_ms for stop in stops if stop.key == key]
        note = f"p50 {quantile(computed, 0.5):.3g}, longest {max(computed):.3g}"
        report.add(Measurement(f"{what}: {key}, the app's own part, p99", quantile(computed, 0.99), "ms", note=note))


def run(report: Report, *, repeat: int | None, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        app = WatchedApp(Path(folder) / "data", seed)
        try:
            stops = stop_again_and_again(app, repeat or STOPS, seed)
        finally:
            app.close()
        report_stops(report, stops, "stop")
        app = WatchedApp(Path(folder) / "flooded", seed, notified=FLOOD_PER_S)
        try:
            stops = stop_again_and_again(app, min(repeat or FLOODED_STOPS, FLOODED_STOPS), seed)
        finally:
            app.close()
    report_stops(report, stops, "stop in a flood")
    rate = Measurement("stop in a flood: notifications a second", app.notified_per_s, "", at_least=0.95 * FLOOD_PER_S)
    report.add(rate)
