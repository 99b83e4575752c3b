"""What of a run is kept: everything but the keys of the pairings.

Knows captures and files. The capture's keys are wiped; whether any key is left anywhere, the keys themselves tell.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from rig.capture.hci_stream import HciStream
from rig.capture.keys import KeyWipe
from rig.capture.registry import open_reader
from rig.capture.writers import open_writer

CAPTURE = "btmon.btsnoop"
KEYS = "keys"
"""Where the machine writes each key that BlueZ keeps, a line each, in hexadecimal digits."""

_PART = 8  # so many octets of a key in a row are no coincidence


def keep(made: Path, folder: Path, *, with_keys: bool) -> None:
    """Put what a run has made into the folder for artefacts, beside what is there.

    Args:
        made: the folder that the machine wrote.
        folder: the folder for artefacts.
        with_keys: whether the keys are kept, too.

    Raises:
        CaptureError: the capture cannot be read; it is not kept then, and everything else is.
        OSError: something cannot be written.
    """
    left_out = () if with_keys else (CAPTURE, KEYS)
    shutil.copytree(made, folder, dirs_exist_ok=True, ignore=lambda _, names: set(names).intersection(left_out))
    if not with_keys and (made / CAPTURE).exists():
        without_keys(made / CAPTURE, folder / CAPTURE)


def without_keys(capture: Path, to: Path) -> None:
    """Copy the HCI packets of a capture, with zeros for keys. What btmon notes beside them is left out.

    Raises:
        CaptureError: the capture is damaged; what comes before the damage is in ``to``.
        OSError: ``to`` cannot be written.
    """
    wipe = KeyWipe()
    reader = open_reader(capture)
    with reader.source, to.open("wb") as file:
        writer = open_writer("btsnoop", file)
        for packet in HciStream().packets(reader.records()):
            writer.write(wipe.wiped(packet.data, packet.direction), packet.direction, packet.time_ns)


def places_of(keys: Iterable[str], folder: Path) -> list[str]:
    """Return the files in which a key, or half of it, is: as octets either way round, or in hexadecimal digits.

    Args:
        keys: in hexadecimal digits.
        folder: where to look, with everything below it.
    """
    octets: set[bytes] = set()
    digits: set[bytes] = set()
    for key in map(bytes.fromhex, keys):
        for way in (key, key[::-1]):
            for part in (way[:_PART], way[_PART:]):
                octets.add(part)
                digits.add(part.hex().encode())
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            small = content.lower()
            if any(part in content for part in octets) or any(part in small for part in digits):
                found.append(path.relative_to(folder).as_posix())
    return found
