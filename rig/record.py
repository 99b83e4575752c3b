"""Connects to a device and records what it notifies: ``rig record``.

Knows bleak's scanner, and what to tell a person whose device or Bluetooth is not there. Refuses to command a device:
all that it writes are the CCCDs that switch notifications on.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, Protocol

from bleak import BleakClient, BleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakError, BleakGATTProtocolError

from rig.capture import att
from rig.capture.synthesis import CLOSED_BY_LOCAL_HOST
from rig.capture.writers import format_of
from rig.commands.faults import RigError
from rig.recording import UNSPECIFIED, Recording, RecordingError, check_target, epoch_of_now

if TYPE_CHECKING:
    from bleak.backends.client import BaseBleakClient
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData, BaseBleakScanner

__all__ = ["Recorded", "Recording", "RecordingError", "connected", "epoch_of_now", "find", "record"]

SCAN_S: Final = 10.0
"""How long a device is looked for, in seconds."""
CONNECT_S: Final = 30.0

_MAX_SHOWN = 8  # names of other devices in one line

Tell = Callable[[str], None]


class Radio(Protocol):
    """Where to connect other than with bleak's own backend: a virtual radio, or an HCI transport."""

    @property
    def scanner_backend(self) -> type[BaseBleakScanner]:
        """For ``BleakScanner(backend=…)``."""
        ...

    @property
    def client_backend(self) -> type[BaseBleakClient]:
        """For ``BleakClient(device, backend=…)``."""
        ...


class Recorded(NamedTuple):
    """What became of a recording."""

    seconds: float
    """From the connection to the end."""
    notifications: int
    """Notifications and indications."""
    by_device: bool
    """Whether the link ended, and not the recording."""


async def find(
    device: str, *, timeout_s: float = SCAN_S, radio: Radio | None = None
) -> tuple[BLEDevice, AdvertisementData]:
    """Look for a device by its advertised name or its address; upper and lower case are the same.

    Raises:
        RigError: it was not heard in time, or Bluetooth cannot be used; says which.
    """
    wanted = device.strip().casefold()
    heard: dict[str, str] = {}
    found: list[AdvertisementData] = []

    def is_it(candidate: BLEDevice, advertised: AdvertisementData) -> bool:
        name = advertised.local_name or candidate.name
        if wanted in (candidate.address.casefold(), (name or "").casefold()):
            found.append(advertised)
            return True
        heard[candidate.address] = name or candidate.address
        return False

    try:
        if radio is None:
            match = await BleakScanner.find_device_by_filter(is_it, timeout_s)
        else:
            match = await BleakScanner.find_device_by_filter(is_it, timeout_s, backend=radio.scanner_backend)
    except BleakBluetoothNotAvailableError as error:
        raise RigError(f"Bluetooth is not available: {error.args[0]}; switch it on, or plug an adapter in") from error
    except (BleakError, OSError) as error:
        # Where there is no D-Bus socket, bleak lets the bare OSError of its connect through.
        no_bus = isinstance(error, OSError) and error.errno in {errno.ENOENT, errno.ECONNREFUSED, errno.EACCES}
        why = "the system's message bus (D-Bus) cannot be reached" if no_bus else _in_words(error)
        raise RigError(
            f"Bluetooth cannot be used: {why}; check that its service runs and that you may use it"
        ) from error
    if match is None or not found:
        raise RigError(f"no device {device!r} within {timeout_s:g} s; {_heard(heard.values())}")
    return match, found[-1]


@contextlib.asynccontextmanager
async def connected(
    device: BLEDevice,
    target: Path | str | BinaryIO,
    *,
    epoch: datetime,
    format: str | None = None,  # noqa: A002 - as above
    advertised: AdvertisementData | None = None,
    radio: Radio | None = None,
) -> AsyncIterator[Recording]:
    """Connect, record, and disconnect: the end of the link is in the recording too, whoever ended it.

    Args and errors are those of :class:`Recording`, and with ``radio`` where to connect.

    Raises:
        RigError: no connection came about.
    """
    recording: Recording | None = None
    is_leaving = False

    def gone(_client: BleakClient) -> None:
        if recording is not None:
            recording.link_ended(CLOSED_BY_LOCAL_HOST if is_leaving else UNSPECIFIED)

    backend = radio.client_backend if radio is not None else None
    client = BleakClient(device, gone, timeout=CONNECT_S, backend=backend)
    name = device.name or device.address
    try:
        await client.connect()
    except BleakBluetoothNotAvailableError as error:
        raise RigError(f"Bluetooth is not available: {error.args[0]}; switch it on, or plug an adapter in") from error
    except (BleakError, OSError, EOFError) as error:  # TimeoutError is an OSError; EOFError is a lost D-Bus
        raise RigError(
            f"{name} cannot be connected to: {_in_words(error)}; check that it is on, near, and not connected elsewhere"
        ) from error
    try:
        try:
            recording = Recording(client, target, epoch=epoch, format=format, advertised=advertised, device=device)
        except BleakError as error:
            raise RigError(f"{name}: the link was lost at once; bring the device nearer") from error
        yield recording
    finally:
        is_leaving = True
        with contextlib.suppress(BleakError, OSError, EOFError):  # the link, or the system's Bluetooth, has gone
            await client.disconnect()
        if recording is not None:
            if not client.is_connected:
                recording.link_ended(CLOSED_BY_LOCAL_HOST)
            with contextlib.suppress(RecordingError):
                recording.close()
    recording.check()


async def record(
    device: str,
    target: Path | str,
    *,
    epoch: datetime,
    seconds: float | None = None,
    format: str | None = None,  # noqa: A002 - as above
    save_map: Path | str | None = None,
    radio: Radio | None = None,
    scan_s: float = SCAN_S,
    tell: Tell = lambda _line: None,
) -> Recorded:
    """Connect to a device and record what it notifies, until time is up, the link ends, or the task is cancelled.

    Writes nothing to the device but the CCCDs of its characteristics that notify.

    Args:
        device: its advertised name, or its address.
        target: the file to make, over any that is there.
        epoch: the date and time at which the loop's clock is zero; see :func:`epoch_of_now`.
        seconds: how long to record, counted from when everything is subscribed to.
        format: btsnoop, pcap or pcapng; without it as the name of ``target`` says.
        save_map: where to write the device's handle map as well.
        radio: where to connect other than with bleak's own backend.
        scan_s: how long to look for the device, in seconds.
        tell: takes lines for the person: what is going on.

    Raises:
        UsageError: the format is not known.
        RigError: no such device, no connection, no Bluetooth; the file cannot be written; or the link ended before the
            time that was asked for.
    """
    check_target(target, format or format_of(target))
    match, advertised = await find(device, timeout_s=scan_s, radio=radio)
    loop = asyncio.get_running_loop()
    async with connected(match, target, epoch=epoch, format=format, advertised=advertised, radio=radio) as recording:
        if save_map is not None:
            recording.save_map(save_map)
        count = await _subscribe(recording, tell)
        begun = loop.time()
        if not recording.over.is_set():
            name = advertised.local_name or match.name or match.address
            how = f"for {seconds:g} s" if seconds is not None else "until Ctrl+C"
            tell(f"{name} ({match.address}): {_counted(count, 'characteristic')} recorded into {target}, {how}")
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await recording.over.wait()
        finally:
            recorded = Recorded(loop.time() - begun, recording.notifications, recording.over.is_set())
            gone = "the device has gone; " if recorded.by_device else ""
            tell(f"{gone}{_counted(recorded.notifications, 'notification')} in {recorded.seconds:.1f} s")
    if recorded.by_device and seconds is not None:
        raise RigError(
            f"the link ended after {recorded.seconds:.1f} of {seconds:g} s; {target} has what was recorded until then"
        )
    return recorded


async def _subscribe(recording: Recording, tell: Tell) -> int:
    """Subscribe to whatever notifies; what refuses is told, and is no fault of the recording."""
    count = 0
    for characteristic in recording.client.services.characteristics.values():
        if "notify" not in characteristic.properties and "indicate" not in characteristic.properties:
            continue
        if recording.over.is_set():
            break
        try:
            await recording.start_notify(characteristic)
        except (BleakError, OSError) as error:
            if not recording.over.is_set():
                tell(f"{characteristic.uuid} is not recorded: {_in_words(error)}")
        else:
            count += 1
    return count


def _in_words(error: Exception) -> str:
    if isinstance(error, BleakGATTProtocolError):
        name = att.ERROR_NAMES.get(int(error.code), "").replace("_", " ")
        return f"the device refused, ATT error 0x{int(error.code):02x}" + (f", {name}" if name else "")
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return " ".join(str(error).split()) or type(error).__name__


def _heard(names: Iterable[str]) -> str:
    known = sorted(set(names))
    if not known:
        return "no other was heard either: check that it is on and near, and that nothing else is connected to it"
    shown = ", ".join(map(repr, known[:_MAX_SHOWN])) + (" …" if len(known) > _MAX_SHOWN else "")
    return f"heard were {shown}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
