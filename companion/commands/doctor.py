"""``companion doctor``: what a session needs and whether it is there.

Looks, and changes nothing: no scan, no folder made, no database touched unless there is one.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from companion.config import Exit, data_folder
from companion.dates import Calendar
from companion.store.database import DATABASE_NAME, Store, StoreError
from companion.words import cli as words

_PARTS = ("bleak", "bumble", "textual")


class Finding(NamedTuple):
    """One thing looked at: its name, whether it is as needed, and what was seen or what to do."""

    name: str
    well: bool
    text: str


def _well(name: str, text: str) -> Finding:
    return Finding(name, well=True, text=text)


def _lacking(name: str, text: str) -> Finding:
    return Finding(name, well=False, text=text)


def report() -> int:
    """Print every finding; 0 when all is well, else 1."""
    findings = [
        _well("companion", f"{version('microcurrent-companion')}, Python {platform.python_version()}"),
        *parts(),
        data(data_folder()),
        *bluetooth(Path("/"), os.environ, sys.platform),
    ]
    width = max(len(finding.name) for finding in findings)
    for name, well, text in findings:
        sys.stdout.write(f"{'ok     ' if well else 'missing'}  {name.ljust(width)}  {text}\n")
    well = all(finding.well for finding in findings)
    sys.stdout.write(f"\n{words.ALL_WELL if well else words.SOMETHING_MISSING}\n")
    return Exit.FINISHED if well else Exit.FAULT


def parts() -> Iterator[Finding]:
    """The packages that the radio and the app stand on."""
    for name in _PARTS:
        try:
            yield _well(name, version(name))
        except PackageNotFoundError:
            yield _lacking(name, words.PART_MISSING)


def data(folder: Path) -> Finding:
    """Whether the person's data can be kept in ``folder``."""
    name = "data folder"
    if (folder / DATABASE_NAME).exists():
        try:
            Store.open(folder, Calendar.system()).close()
        except StoreError as error:
            return _lacking(name, str(error))
        return _well(name, str(folder))
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return _well(name, words.DATA_TO_COME.format(folder=folder))
    return _lacking(name, words.DATA_READ_ONLY.format(folder=nearest))


def bluetooth(root: Path, environ: Mapping[str, str], system: str) -> Iterator[Finding]:
    """What Linux shows of Bluetooth under ``root`` without asking anybody; elsewhere only a scan can tell."""
    if not system.startswith("linux"):
        yield _well("Bluetooth", words.BLUETOOTH_ELSEWHERE)
        return
    yield _bus(root, environ)
    yield _adapter(root)


def _bus(root: Path, environ: Mapping[str, str]) -> Finding:
    address = environ.get("DBUS_SYSTEM_BUS_ADDRESS")
    if address:
        return _well("D-Bus", address)
    socket = root / "run/dbus/system_bus_socket"
    return _well("D-Bus", str(socket)) if socket.exists() else _lacking("D-Bus", words.NO_BUS)


def _adapter(root: Path) -> Finding:
    name = "Bluetooth"
    # A link to a live connection appears here too, as hci0:64.
    adapters = sorted(path.name for path in (root / "sys/class/bluetooth").glob("hci*") if ":" not in path.name)
    if not adapters:
        return _lacking(name, words.NO_ADAPTER)
    for switch in (root / "sys/class/rfkill").glob("rfkill*"):
        # Documentation/ABI/stable/sysfs-class-rfkill: 1 is blocked
        if _text(switch / "type") == "bluetooth" and "1" in {_text(switch / "soft"), _text(switch / "hard")}:
            return _lacking(name, words.ADAPTER_BLOCKED.format(adapter=adapters[0]))
    return _well(name, ", ".join(adapters))


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError:
        return ""
