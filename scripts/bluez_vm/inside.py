"""In the machine: BlueZ on a system bus of its own, simulated devices on the air, and the app against both.

Runs as root inside the image (``inside.sh``); the folder ``/artefacts`` is the host's. What the app and the radio wrote
is compared outside.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import bluez
from apps import Apps
from ledger import Ledger, Step
from pairing import Pairing
from sessions import START_LIMIT_S, Case, Sessions
from steps import ARTEFACTS, step

if TYPE_CHECKING:
    pass

DEVICE_ADDRESS = "C0:FF:EE:00:00:05"
PASSKEY_ADDRESS = "C0:FF:EE:00:00:06"
COMPARING_ADDRESS = "C0:FF:EE:00:00:07"
PERSON = ARTEFACTS / "person"


@contextlib.contextmanager
def _daemons() -> Iterator[None]:
    """BlueZ and its bus, and btmon to write down what goes over the controller."""
    Path("/run/dbus").mkdir(exist_ok=True)
    running: list[subprocess.Popen[bytes]] = []
    commands = {
        "dbus-daemon": ("--config-file=/etc/lane-bus.conf", "--nofork", "--nopidfile", "--print-address"),
        "btmon": ("--write", str(ARTEFACTS / "btmon.btsnoop")),
        "bluetoothd": ("--nodetach", "--debug", "--configfile=/etc/lane-bluetooth.conf"),
    }
    try:
        for program, arguments in commands.items():
            log = (ARTEFACTS / f"{program}.log").open("wb")
            # What btmon prints is its capture once more, keys and all.
            out = {"dbus-daemon": subprocess.PIPE, "btmon": subprocess.DEVNULL}.get(program, log)
            process = subprocess.Popen([program, *arguments], stdout=out, stderr=log)
            running.append(process)
            if process.stdout is not None:
                process.stdout.readline()  # it has its address now, so that the next may connect
        yield
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


async def run(options: argparse.Namespace, ledger: Ledger, began: float) -> None:
    """Run every step."""
    from rig.devices.dr05 import SimulatedDr05  # noqa: PLC0415 - while this loads, the daemons start
    from rig.radio.system_air import SystemAir  # noqa: PLC0415 - Bumble takes ten seconds of an emulated processor

    apps = Apps()
    async with await SystemAir.open("vhci") as air, contextlib.aclosing(apps):
        device = SimulatedDr05()
        peripheral = await air.add_device(device, address=DEVICE_ADDRESS)
        await bluez.powered(START_LIMIT_S)
        ledger.note(Step("device and adapter up", held=True, seconds=time.monotonic() - began))
        await apps.load()
        sessions = Sessions(ledger, apps, Case(device, peripheral, PERSON))
        await sessions.probe()
        await sessions.step("short routine", partial(sessions.routine, from_nothing=True))
        await sessions.step("stop", sessions.stop)
        await sessions.step("device goes in mid-session", sessions.device_goes)
        await sessions.kills(options.kills)
        await sessions.step("kill -9 of app and guard", sessions.unguarded)
        await peripheral.close()  # the app takes the device that it hears best
        await _pairings(ledger, apps, Pairing(apps, air))
        trace = [{"time": one.time, "percent": one.output_percent, "cause": one.cause} for one in device.trace]
        (ARTEFACTS / "output.json").write_text(json.dumps(trace, indent=1), encoding="utf-8")


async def _pairings(ledger: Ledger, apps: Apps, pairing: Pairing) -> None:
    from rig.radio.pairing import Ability  # noqa: PLC0415 - as in run

    async with pairing.device(PASSKEY_ADDRESS, Ability.SHOWS) as device:
        await step(ledger, "pair, wrong code", device.wrong_code)
        # Half a minute in which nothing else can be done: BlueZ looks for no device while it pairs one.
        await step(ledger, "pair, nobody answers", device.nobody_answers)
        await step(ledger, "pair, cancelled", device.cancelled)
        await step(ledger, "pair, device goes", device.device_goes)
        await step(ledger, "pair by passkey", device.pairs)
        omp = Sessions(ledger, apps, Case(device.device, device.peripheral, pairing.person, "OMP, "))
        await omp.step("short routine", partial(omp.routine, encrypted=True))
        await omp.kills(1)
        await omp.step("kill -9 of app and guard", partial(omp.unguarded, keeps_alive=True))
        await step(ledger, "forget", device.forgotten)
    async with pairing.device(COMPARING_ADDRESS, Ability.SHOWS_AND_CONFIRMS) as device:
        await step(ledger, "pair by comparing", device.pairs)


def main() -> int:
    """Run the lane; what held is in the ledger."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=2)
    options = parser.parse_args()
    began = time.monotonic()
    ledger = Ledger(ARTEFACTS / "steps.jsonl")
    with _daemons():
        try:
            asyncio.run(run(options, ledger, began))
        except Exception as error:  # noqa: BLE001 - told as what it is, and the lane has failed
            ledger.note(Step("device and adapter up", held=False, detail=f"{type(error).__name__}: {error}"))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
