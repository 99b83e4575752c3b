"""``rig serve``: a simulated device on the air, with a Bluetooth controller of its own.

Knows how to tell what becomes of it. Refuses to know transports: Bumble opens them.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from rig.commands.faults import FINISHED, RigError, UsageError

if TYPE_CHECKING:
    from rig.devices.model import SimulatedDevice
    from rig.radio.peripheral import Peripheral

_LOOK_EVERY_S: Final = 0.1


def serve(device: str, transport: str, seed: int, address: str | None) -> int:
    """Serve until Ctrl+C.

    Raises:
        UsageError: there is no such device.
        RigError: there is no such transport, or no controller answers on it.
    """
    from rig.devices.catalogue import create  # noqa: PLC0415 - the simulated devices, for this command alone

    try:
        simulated = create(device, seed)
    except ValueError as error:
        raise UsageError(str(error)) from error
    with contextlib.suppress(KeyboardInterrupt):  # the usual end
        asyncio.run(serving(simulated, transport, address))
    return FINISHED


async def serving(device: SimulatedDevice, transport: str, address: str | None = None) -> None:
    """Put ``device`` on the controller behind ``transport`` and tell what becomes of it, until cancelled.

    Raises:
        RigError: there is no such transport, or no controller answers on it.
    """
    from rig.radio.peripheral import Peripheral  # noqa: PLC0415 - it brings Bumble

    try:
        peripheral = await Peripheral.on_transport(transport, device, address=address)
    except Exception as error:  # each kind of transport raises what its own library raises (libusb, pyserial, gRPC …)
        raise RigError(
            f"{transport}: {str(error) or type(error).__name__}; "
            "check the transport's name, and that nothing else holds the controller"
        ) from error
    print(f"{device.advertisement.name!r} advertises as {peripheral.address}; Ctrl+C ends it", flush=True)
    try:
        await _tell_what_happens(device, peripheral)
    finally:
        with contextlib.suppress(ConnectionError):  # the controller may be what went away
            await peripheral.close()


async def _tell_what_happens(device: SimulatedDevice, peripheral: Peripheral) -> None:
    told = 0
    connected = False
    while True:
        if peripheral.is_connected is not connected:
            connected = peripheral.is_connected
            print("connected" if connected else "disconnected", flush=True)
        for entry in device.trace[told:]:
            print(f"{entry.time:12.3f} s  output {entry.output_percent:5.1f} %  {entry.cause}", flush=True)
        told = len(device.trace)
        await asyncio.sleep(_LOOK_EVERY_S)
