"""scripts/bluez-vm: the app and a simulated device on a real kernel, a real BlueZ, with no radio at all."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import exchanges
import image
import keeping
import machine
import person
from ledger import Ledger, Step, as_json, held, missing, table

from companion.dates import Calendar
from companion.store.database import Store
from rig.capture.records import CaptureError

ROOT = Path(__file__).resolve().parents[2]
BOOTED = "bluez-vm: booted"
STEPS = "steps.jsonl"
NO_KEYS = "no keys in what is kept"

_MARK = "machine.log"  # in every folder that the lane has filled


def main() -> int:
    """Boot, run, compare; return the exit code."""
    options = _options()
    began = time.monotonic()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "microcurrent-companion" / "bluez-vm"
    artefacts = options.artefacts.absolute()
    try:
        _check_own(artefacts)
        machine.check()
        kernel = machine.kernel(cache)
    except machine.Unready as unready:
        print(f"scripts/bluez-vm: {unready}", file=sys.stderr)
        return 1
    shutil.rmtree(artefacts, ignore_errors=True)
    artefacts.mkdir(parents=True)
    (artefacts / _MARK).touch()
    steps = _run(options, cache, kernel, artefacts)
    steps += missing(steps, _expected(options.kills, with_keys=options.with_keys))
    total = time.monotonic() - began
    facts = {"kernel": kernel.name.removeprefix("vmlinuz-"), "bluez": _bluez(), "total_s": round(total, 1)}
    (artefacts / "steps.json").write_text(as_json(steps, **facts) + "\n", encoding="utf-8")
    if options.json:
        print(as_json(steps, **facts))
    else:
        print(table(steps))
        print(f"kernel {facts['kernel']}, BlueZ {facts['bluez']}, {total:.0f} s in all; kept in {options.artefacts}")
    return 0 if held(steps) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bluez-vm", description=__doc__)
    parser.add_argument("--artefacts", type=Path, default=Path("artefacts/bluez-vm"), help="a folder of the lane's own")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--kills", type=int, default=2, help="how often the app is killed during output (default 2)")
    parser.add_argument("--with-keys", action="store_true", help="keep the keys of the pairings, too")
    parser.add_argument(
        "--limit", type=float, default=900.0, help="seconds until the machine is given up (default 900)"
    )
    return parser.parse_args()


def _run(options: argparse.Namespace, cache: Path, kernel: Path, artefacts: Path) -> list[Step]:
    """Boot, keep what was made, compare; return what was seen.

    What the machine writes goes to a place of its own first, because keys are in it.
    """
    ledger = Ledger(artefacts / STEPS)
    with tempfile.TemporaryDirectory(prefix="bluez-vm-", dir=cache) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        try:
            vng = cache / "virtme-ng" / "bin" / "vng"
            _boot(options, vng, kernel, Path(scratch), artefacts / _MARK)
        finally:
            try:
                keeping.keep(made, artefacts, with_keys=options.with_keys)
            except CaptureError as error:
                ledger.note(Step("capture", held=False, detail=str(error)))
        keys = made / keeping.KEYS
        known = keys.read_text(encoding="utf-8").split() if keys.exists() else []
    for name, detail in _compared(artefacts):
        ledger.note(Step(name, held=detail is None, detail=detail or "as in the journal"))
    if not options.with_keys:
        found = keeping.places_of(known, artefacts)
        detail = f"{len(known)} keys of BlueZ, in none of the files that are kept"
        if found or not known:
            detail = f"keys are in {', '.join(found)}" if found else "BlueZ has kept no key: nothing was looked for"
        ledger.note(Step(NO_KEYS, held=bool(known) and not found, detail=detail))
    return ledger.steps()


def _expected(kills: int, *, with_keys: bool) -> list[str]:
    tries = [f"kill -9, try {number}" for number in range(1, kills + 1)]
    middle = [
        "scan",
        "connect",
        "write and answer",
        "disconnect",
        "short routine",
        "stop",
        "device goes in mid-session",
    ]
    sessions = ["routine", "stop", "device-goes", *(f"kill-{number}" for number in range(1, kills + 1)), "unguarded"]
    sessions += ["omp-routine", "omp-kill-1", "omp-unguarded"]
    compared = [f"capture of {name}" for name in sessions]
    unpaired = ["pair, wrong code", "pair, nobody answers", "pair, cancelled", "pair, device goes"]
    omp = ["OMP, short routine", "OMP, kill -9, try 1", "OMP, kill -9 of app and guard"]
    pairing = [*unpaired, "pair by passkey", *omp, "forget", "pair by comparing"]
    kept = [] if with_keys else [NO_KEYS]
    return ["boot", "device and adapter up", *middle, *tries, "kill -9 of app and guard", *pairing, *compared, *kept]


def _check_own(folder: Path) -> None:
    """See that the folder for artefacts may be emptied: it is one of an earlier run, or there is nothing in it.

    Raises:
        Unready: there is something else in it.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
        raise machine.Unready(f"{folder} holds files that are not the lane's: name another folder with --artefacts")


def _boot(options: argparse.Namespace, vng: Path, kernel: Path, scratch: Path, log: Path) -> None:
    made = scratch / "made"
    ledger = Ledger(made / STEPS)
    person.make(made / "person")
    disk = scratch / "disk.ext4"
    image.build(disk, scratch / "files", ROOT, machine.found)
    inside: list[str | Path] = ["bash", ROOT / "scripts/bluez_vm/inside.sh", made, "--kills", str(options.kills)]
    words = machine.command(vng, kernel, disk, made, inside)

    def heard(line: str, at: float) -> None:
        if BOOTED in line:
            ledger.note(Step("boot", held=True, seconds=at))

    if not machine.run(words, log, options.limit, heard):
        ledger.note(Step("machine", held=False, detail=f"given up after {options.limit:.0f} s: see machine.log"))
    elif not ledger.steps():
        said = log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "nothing")
        ledger.note(Step("boot", held=False, detail=f"the machine did not start; its last word: {last}"))


def _compared(artefacts: Path) -> list[tuple[str, str | None]]:
    """Compare the capture with the journal of each session: name of the step, and what differs (None: nothing)."""
    sessions = artefacts / "sessions.jsonl"
    if not sessions.exists():
        return []
    rig = Path(sys.executable).with_name("rig")
    command: list[str | Path] = [rig, "decode", artefacts / keeping.CAPTURE, "--events", "--format", "jsonl"]
    decoded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    (artefacts / "decoded.jsonl").write_text(decoded.stdout, encoding="utf-8")
    if decoded.returncode != 0:
        return [("capture", " ".join(decoded.stderr.split()) or f"rig decode ended with {decoded.returncode}")]
    lines = [json.loads(line) for line in decoded.stdout.splitlines()]
    return [_session(artefacts, json.loads(line), lines) for line in sessions.read_text(encoding="utf-8").splitlines()]


def _session(artefacts: Path, window: dict[str, Any], lines: list[dict[str, Any]]) -> tuple[str, str | None]:
    folder = artefacts / "people" / window["name"] / "data"
    with Store.open(folder, Calendar.system()) as store:
        kept = [(entry.kind.value, dict(entry.data)) for one in store.sessions() for _, entry in store.entries(one.id)]
    journal = exchanges.of_journal(kept)
    capture = exchanges.of_capture(lines, window["begin"], window["end"])
    name = f"capture of {window['name']}"
    if not journal.said:
        return name, "the journal says nothing of output"
    return name, exchanges.difference(journal, capture)


def _bluez() -> str:
    daemon = machine.found("bluetoothd") or "bluetoothd"
    told = subprocess.run([daemon, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d[\d.]*", told)
    return found[0] if found else "unknown"


if __name__ == "__main__":
    sys.exit(main())
