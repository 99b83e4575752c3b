"""Capture decode: whole processes on generated files, against tshark (the same rows, compared here) and btmon."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import NamedTuple

import traffic
from measure import Measurement, Report, interleaved

ROOT = Path(__file__).resolve().parents[2]
RIG = Path(sys.executable).with_name("rig")
TSHARK_FIELDS = (
    "frame.number",
    "frame.time_epoch",
    "btatt.opcode",
    "btatt.handle",
    "btatt.uuid16",
    "btatt.uuid128",
    "btatt.value",
)
ABOUT_ONE_HANDLE = {
    "0a",
    "12",
    "1b",
    "52",
}  # the PDUs of the generated traffic that begin with the handle that they are about
MIB = 1 << 20


class Size(NamedTuple):
    """One file size: how often each program runs on it, and what ours must reach against the others."""

    name: str
    records: int
    repeat: int
    times_tshark: float
    times_btmon: float | None


SIZES = (
    Size("5 k", 5_000, 9, 2.5, None),
    Size("100 k", 100_000, 7, 4.0, 1.2),
    Size("1 M", 1_000_000, 3, 20.0, 1.5),
)


class Process:
    """A command whose output nobody reads: wall seconds of each run, and the most memory that any of them held."""

    def __init__(self, *command: str | Path) -> None:
        self.command = [str(part) for part in command]
        self.peak_mib = 0.0

    def __call__(self) -> float:
        with Path(os.devnull).open("wb") as nowhere:
            start = time.perf_counter()
            child = subprocess.Popen(self.command, stdout=nowhere, stderr=nowhere, env=_environment())
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError(f"{' '.join(self.command)} ended with {child.returncode}")
        self.peak_mib = max(self.peak_mib, usage.ru_maxrss * 1024 / MIB)
        return seconds


def _environment() -> dict[str, str]:
    """As on a user's machine: bytecode is kept, output is buffered."""
    return {k: v for k, v in os.environ.items() if k not in {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}}


def _rig(path: Path) -> Process:
    return Process(RIG, "decode", "--att", "--format", "tsv", path)


def _tshark(path: Path) -> Process:
    fields = [part for field in TSHARK_FIELDS for part in ("-e", field)]
    return Process("tshark", "-r", path, "-Y", "btatt", "-T", "fields", "-E", "occurrence=f", *fields)


def _lines(process: Process) -> Iterator[list[str]]:
    with subprocess.Popen(
        process.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=_environment()
    ) as child:
        for line in child.stdout or ():
            yield line.rstrip("\n").split("\t")


def compare(ours: Iterable[Sequence[str]], theirs: Iterable[Sequence[str]]) -> tuple[int, int, int]:
    """Compare row by row: frame, time, opcode, handle and value; return rows, UUIDs compared, UUIDs that differ.

    Raises:
        RuntimeError: a row is not the same.
    """
    rows = named = different = 0
    for own, other in zip_longest(ours, theirs):
        if own is None or other is None:
            raise RuntimeError(f"rows end early: rig {own}, tshark {other}")
        frame, when, _, _, _, handle, uuid, value, pdu = own
        rows += 1
        opcode = f"0x{pdu[:2]}"
        same = (frame, when, opcode) == (other[0], other[1], other[2])
        if pdu[:2] in ABOUT_ONE_HANDLE:
            same = same and handle == other[3] and (value == other[6] or pdu[:2] == "0a")
        if not same:
            raise RuntimeError(f"not the same row: rig {own}, tshark {other}")
        if uuid and (other[4] or other[5]) and pdu[:2] in ABOUT_ONE_HANDLE:
            named += 1
            different += uuid.replace("-", "") != (other[5] or other[4].removeprefix("0x"))
    return rows, named, different


def _columns(path: Path) -> Callable[[], float]:
    """Seconds from opening to all columns through the Python API, in a process of its own, its imports excluded."""
    program = (
        "import sys, time, numpy, rig.capture, rig.capture.columns, rig.capture.fast\n"
        "start = time.perf_counter()\n"
        "att = rig.capture.open(sys.argv[1]).att()\n"
        "print(time.perf_counter() - start, len(att))\n"
    )

    def run() -> float:
        done = subprocess.run(
            [sys.executable, "-c", program, path], capture_output=True, text=True, check=True, env=_environment()
        )
        return float(done.stdout.split()[0])

    return run


def _size(report: Report, folder: Path, size: Size, repeat: int | None, seed: int) -> None:
    path, pcapng, tame = (folder / f"{size.records}{end}" for end in (".btsnoop", ".pcapng", ".btmon.btsnoop"))
    traffic.write_btsnoop(path, size.records, seed)
    traffic.write_pcapng(pcapng, size.records, seed)
    ours, ours_pcapng = _rig(path), _rig(pcapng)
    runs: dict[str, Callable[[], float]] = {"rig": ours, "pcapng": ours_pcapng, "columns": _columns(path)}
    theirs = _tshark(path)
    if shutil.which("tshark"):
        runs["tshark"] = theirs
    else:
        report.leave_out(f"{size.name}: tshark is not installed")
    if shutil.which("btmon"):
        # btmon 5.66 dies of SIGSEGV on any Read By Type Request: the same traffic without the discovery in front.
        traffic.write_btsnoop(tame, size.records, seed, discovery=False)
        runs["btmon"] = Process("btmon", "-r", tame)
    else:
        report.leave_out(f"{size.name}: btmon (package bluez) is not installed")
    taken = interleaved(runs, repeat or size.repeat)
    median = {name: statistics.median(seconds) for name, seconds in taken.items()}

    name = f"capture {size.name}"
    report.add(
        Measurement(f"{name}: rig decode, btsnoop", median["rig"], "s"),
        Measurement(f"{name}: rig decode, pcapng", median["pcapng"], "s"),
        Measurement(f"{name}: pcapng over btsnoop", median["pcapng"] / median["rig"], "x", at_most=1.3),
        Measurement(f"{name}: peak memory", ours.peak_mib, "MiB"),
        Measurement(f"{name}: columns through the Python API", median["columns"], "s"),
    )
    if "tshark" in median:
        rows, named, different = compare(islice(_lines(ours), 1, None), _lines(theirs))
        report.add(
            Measurement(f"{name}: tshark", median["tshark"], "s", note=f"peak {theirs.peak_mib:.0f} MiB"),
            Measurement(
                f"{name}: times as fast as tshark", median["tshark"] / median["rig"], "x", at_least=size.times_tshark
            ),
            Measurement(f"{name}: memory over tshark's", ours.peak_mib / theirs.peak_mib, "x", at_most=1 / 3),
            Measurement(
                f"{name}: rows equal to tshark's",
                rows,
                "rows",
                note=f"of {named} UUIDs tshark names {different} by another link's table",
            ),
        )
    if "btmon" in median:
        report.add(
            Measurement(f"{name}: btmon", median["btmon"], "s"),
            Measurement(
                f"{name}: times as fast as btmon", median["btmon"] / median["rig"], "x", at_least=size.times_btmon
            ),
        )


def _real(report: Report, paths: Iterable[Path], repeat: int | None) -> None:
    for path in paths:
        runs = {"rig": _rig(path), "tshark": _tshark(path)}
        median = {name: statistics.median(seconds) for name, seconds in interleaved(runs, repeat or 5).items()}
        report.add(
            Measurement(f"{path.name[:40]}: rig decode", median["rig"], "s"),
            Measurement(f"{path.name[:40]}: times as fast as tshark", median["tshark"] / median["rig"], "x"),
        )


def _huge(report: Report, folder: Path, seed: int) -> None:
    path = folder / "huge.btsnoop"
    traffic.write_btsnoop(path, 10_000_000, seed)
    process = _rig(path)
    seconds = process()
    path.unlink()
    report.add(
        Measurement("capture 10 M: rig decode", seconds, "s"),
        Measurement("capture 10 M: peak memory", process.peak_mib, "MiB", at_most=300),
    )


def run(report: Report, *, repeat: int | None, seed: int, captures: Path | None = None, huge: bool = False) -> None:
    """Measure every size; with ``captures`` the largest recordings of that folder too, with ``huge`` 10 M records."""
    folder_of_captures = captures or ROOT / "tests" / "captures"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in SIZES:
            _size(report, folder, size, repeat, seed)
        if shutil.which("tshark"):
            recordings = [
                path for path in folder_of_captures.iterdir() if path.is_file() and path.suffix not in {".tsv", ".md"}
            ]
            _real(report, sorted(recordings, key=lambda path: -path.stat().st_size)[:4], repeat)
        if huge:
            _huge(report, folder, seed)
