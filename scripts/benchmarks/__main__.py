"""scripts/bench: medians and ratios of one run, with the machine's own noise beside them."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

BENCHES = {
    "start": "cold start: companion --help, and the app's first frame against a minimal Textual app",
    "stop": "stop latency: key press in the app to the total stop at the simulated device; again in a flood from it",
    "home": "5,000 sessions: screens, idle and session share of a core, memory, stop in a flood of MQTT (minutes)",
    "session": "simulated seconds per wall second of full-face through engine, bleak backend, Bumble and device",
    "clock": "the virtual loop against a stock loop whose selector advances (with --peers: and other virtual loops)",
    "codec": "55 AA frames decoded and encoded per second",
    "capture": "rig decode against tshark and btmon on generated captures of 5 k, 100 k and 1 M records (minutes)",
    "replay": "lateness on the wall clock against python-can (with --peers), virtual time, drift (minutes)",
    "baseline": "the rule that compares timing: false alarms of 2,000 null comparisons, power at a shift of 10 %",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:8} {what}" for name, what in BENCHES.items())
        + "\n\nExit code 0: every limit held; 1: one did not.",
    )
    parser.add_argument("bench", choices=[*BENCHES, "all"], help="what to measure")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--repeat", type=int, help="repetitions (each bench has its own default)")
    parser.add_argument("--seed", type=int, default=0, help="seed of whatever is random (default 0)")
    parser.add_argument(
        "--peers", action="store_true", help="use .venv-bench, where other virtual clocks and players are installed"
    )
    parser.add_argument(
        "--captures", type=Path, help="capture: a folder of recordings to time beside the generated ones"
    )
    parser.add_argument("--huge", action="store_true", help="capture: 10 M records as well (450 MB of disk)")
    parser.add_argument("--long", action="store_true", help="replay: drift over 10 minutes instead of one")
    options = parser.parse_args()

    sys.path.insert(0, str(Path(__file__).parent))
    from measure import MachineNoise, Report  # noqa: PLC0415 - beside this file, which is not a package

    report = Report()
    noise = MachineNoise()
    for name in BENCHES if options.bench == "all" else [options.bench]:
        noise.sample()
        own: dict[str, object] = {}
        if name == "capture":
            own = {"captures": options.captures, "huge": options.huge}
        elif name == "replay":
            own = {"long": options.long}
        importlib.import_module(name).run(report, repeat=options.repeat, seed=options.seed, **own)
    noise.sample()
    if options.json:
        json.dump({"machine": noise.as_json(), **report.as_json()}, sys.stdout, indent=2)
        print()
    else:
        print(report.as_text())
        print(noise.as_text())
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
