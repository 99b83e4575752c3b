"""``companion run --demo omp``: the app and an OMP device on the virtual radio, judged by the current delivered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import companion.demo
from companion.cli import main
from companion.config import DATA_VARIABLE
from companion.demo import DemoRadio
from protocols.omp_codec import Result
from rig.devices.omp import SimulatedOmp
from rig.devices.skin import Touch

TICK_S = 0.02


class Bench:
    """The device of the demo, once there is one, and every target that it took."""

    def __init__(self) -> None:
        self.device: SimulatedOmp | None = None
        self.targets: list[tuple[float, int]] = [(0.0, 0)]
        self.lift_at: float | None = None

    def found(self, device: SimulatedOmp) -> None:
        self.device = device
        take = device._set_target

        def set_target(now: float, target_ua: int) -> Result:
            result = take(now, target_ua)
            self.targets.append((now, device.target_ua))
            return result

        device._set_target = set_target  # type: ignore[method-assign]
        if self.lift_at is not None:
            device.touch(Touch.LIFTED, self.lift_at)
            device.touch(Touch.PLACED, self.lift_at + 1.0)

    def worst_ua(self, until: float) -> float:
        """How far the current was above 1.05 times the target and 5 µA, at worst; below zero is well."""
        assert self.device is not None
        worst, index = -1e9, 0
        for number in range(int(until / TICK_S)):
            at = number * TICK_S
            while index + 1 < len(self.targets) and self.targets[index + 1][0] <= at:
                index += 1
            worst = max(worst, self.device.output_ua(at) - (self.targets[index][1] * 1.05 + 5))
        return worst

    def output_s(self, until: float) -> float:
        assert self.device is not None
        return TICK_S * sum(self.device.output_ua(n * TICK_S) > 0 for n in range(int(until / TICK_S)))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'no-bus'}")
    one = Bench()
    real = companion.demo.open_demo

    async def open_demo(*arguments: Any, **options: Any) -> DemoRadio:
        radio = await real(*arguments, **options)
        assert isinstance(radio.device, SimulatedOmp)
        one.found(radio.device)
        return radio

    monkeypatch.setattr(companion.demo, "open_demo", open_demo)
    return one


def run(routine: str, capsys: pytest.CaptureFixture[str], seed: int = 7, code: int = 0) -> list[dict[str, Any]]:
    ended = main(("run", routine, "--demo", "omp", "--speed", "max", "--seed", str(seed), "--json", "--yes"))
    told = capsys.readouterr()
    assert ended == code, told.err
    return [json.loads(line) for line in told.out.splitlines()]


@pytest.mark.slow
def test_a_full_face_is_guided_to_its_end_within_the_current_that_was_asked_for(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rule 5, through the app, the virtual radio and the device."""
    events = run("full-face", capsys)
    finished = events[-1]
    assert finished["reason"] == "completed"
    assert len(finished["zones"]) == 16
    until = finished["t"] + 30.0
    assert bench.worst_ua(until) <= 0.0
    # What the app counts as possible output begins with the write of a start and ends with the answer to a stop.
    assert finished["output_s"] - 5.0 <= bench.output_s(until) <= finished["output_s"] + 1.0


@pytest.mark.slow
def test_lost_contact_pauses_the_app_and_the_device_is_at_zero(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.lift_at = 90.0
    events = run("five-minute-lift", capsys, code=1)  # nobody is there to put it back on the skin
    paused = [event for event in events if event["event"] == "paused"]
    assert [event["reason"] for event in paused] == ["contact lost"]
    device = bench.device
    assert device is not None
    assert device.stage.commanded_ua(89.9) > 0
    assert device.stage.commanded_ua(90.1) == 0.0


@pytest.mark.slow
def test_equal_seeds_give_equal_current(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    first = run("first-touch", capsys, seed=3)
    assert bench.device is not None
    trace = bench.device.trace
    assert run("first-touch", capsys, seed=3)[-1] == first[-1]
    assert bench.device.trace == trace
