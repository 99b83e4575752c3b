"""``companion devices``: what was paired, and forgetting it. Knows names and addresses; keys are the system's."""

from __future__ import annotations

import asyncio
import platform

import msgspec

from companion.commands.almanac import write
from companion.commands.layout import table
from companion.config import CompanionError, Exit, data_folder
from companion.dates import Calendar
from companion.device.known import KnownDevice
from companion.device.pairing import PairingError
from companion.store.database import Store
from companion.words import devices as words


def print_list(*, json: bool, demo: bool = False) -> int:
    """Print what was paired; ``demo``: in the demo.

    Raises:
        StoreError: it cannot be read.
    """
    with Store.open(data_folder(demo=demo), Calendar.system()) as store:
        known = store.devices.all()
    if json:
        write(msgspec.json.encode(one).decode() for one in known)
    elif known:
        write(table([(one.name, one.address, one.protocol, _since(one)) for one in known]))
    else:
        write([words.NONE])
    return Exit.FINISHED


def forget(name: str, *, demo: bool = False) -> int:
    """Forget a device by its name or address, and the system's keys for it; those of a demo have ended with it.

    Raises:
        CompanionError: nothing of that name was paired.
        StoreError: it cannot be kept.
    """
    with Store.open(data_folder(demo=demo), Calendar.system()) as store:
        wanted = name.casefold()
        those = [one for one in store.devices.all() if wanted in {one.name.casefold(), one.address.casefold()}]
        if not those:
            raise CompanionError(words.UNKNOWN.format(name=name), Exit.USAGE)
        for one in those:
            # The keys first: were they to stay while the record goes, a stranger could pair under the name.
            why = "" if demo else asyncio.run(_forget_keys(one))
            store.devices.forget(one.address)
            write([words.FORGOTTEN.format(device=one.name, address=one.address)])
            if why:
                write([words.KEYS_STAY.format(device=one.name, why=why)])
    return Exit.FINISHED


async def _forget_keys(device: KnownDevice) -> str:
    """Remove the system's keys; return why they stay, or nothing."""
    if platform.system() != "Linux":
        return "this system keeps them to itself"
    from companion.device import bluez_agent  # noqa: PLC0415 - there is no D-Bus elsewhere

    try:
        await bluez_agent.forget(device.address, device.name)
    except PairingError as error:
        return error.reason.partition(": ")[2]
    return ""


def _since(device: KnownDevice) -> str:
    return words.PAIRED_ON.format(day=f"{device.paired_at:%d %B %Y}")
