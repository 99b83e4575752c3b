"""In the machine: what BlueZ itself says, asked past the app. Knows its D-Bus API and where it keeps keys."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from pathlib import Path

from steps import LaneError, expect

ADAPTER = "/org/bluez/hci0"
STORE = Path("/var/lib/bluetooth")

_GET = "org.freedesktop.DBus.Properties.Get"
_KEYS = re.compile(r"^Key=(?:0x)?([0-9A-Fa-f]{32})$", re.MULTILINE)


async def called(path: str, method: str, *arguments: str) -> str:
    """Call a method of BlueZ and return what ``dbus-send`` prints."""
    process = await asyncio.create_subprocess_exec(
        *("dbus-send", "--system", "--print-reply", "--dest=org.bluez", path, method, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return out.decode(errors="replace")


async def powered(within_s: float) -> None:
    """Wait until BlueZ has switched its adapter on.

    Raises:
        LaneError: it has not.
    """
    deadline = time.monotonic() + within_s
    while "boolean true" not in await called(ADAPTER, _GET, "string:org.bluez.Adapter1", "string:Powered"):
        if time.monotonic() > deadline:
            raise LaneError(f"BlueZ did not switch its adapter on within {within_s:.0f} s")
        await asyncio.sleep(0.2)


async def disconnect(address: str) -> None:
    """End the link to a device."""
    await called(_path(address), "org.bluez.Device1.Disconnect")


async def nothing_kept(address: str) -> None:
    """See that BlueZ has no keys for a device: it is not paired, or unknown, and no key is on the disk.

    Raises:
        LaneError: there is something.
    """
    answer = await called(_path(address), _GET, "string:org.bluez.Device1", "string:Paired")
    expect("boolean false" in answer or "UnknownObject" in answer, f"of Paired, BlueZ says: {' '.join(answer.split())}")
    expect(not keys(address), "BlueZ has kept keys")


def keys(address: str = "*") -> set[str]:
    """Return the keys that BlueZ keeps for a device, or for every one, in hexadecimal digits.

    Zeros, which Bumble gives for an identity key that nobody has set, are no key.
    """
    files = STORE.glob(f"*/{address}/info")
    found = {key.lower() for file in files for key in _KEYS.findall(file.read_text(encoding="utf-8"))}
    return found - {"0" * 32}


def _path(address: str) -> str:
    return f"{ADAPTER}/dev_{address.replace(':', '_')}"
