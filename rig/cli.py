"""The ``rig`` command: the bench without a program around it. Each command imports what it needs when it is asked for.

Knows command lines and one-line errors. Refuses to know devices and radios: it calls those who do.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter

if TYPE_CHECKING:
    from rig.devices.model import SimulatedDevice
    from rig.radio.peripheral import Peripheral

FAULT = 1
USAGE = 2
_LOOK_EVERY_S = 0.1


class TransportFaultError(Exception):
    """A Bluetooth controller could not be had; the message says why."""


app = App(
    name="rig",
    help="The test bench of Microcurrent Companion: simulated devices, on a virtual radio or on the air.",
    version_flags=(),
    help_formatter="plain",
    result_action="return_value",
)


@app.command
def devices() -> int:
    """List the simulated devices: what they advertise and offer."""
    from rig.devices.catalogue import KEYS, create  # noqa: PLC0415 - as the module says

    for key in KEYS:
        device = create(key)
        print(f"{key:8} advertises {device.advertisement.name!r}")
        for service in device.services:
            print(f"         service {service.uuid}")
            for characteristic in service.characteristics:
                offered = ", ".join(
                    (member.name or "").lower().replace("_", "-") for member in characteristic.properties
                )
                print(f"           {characteristic.uuid}  {offered}")
    return 0


@app.command
def serve(
    device: str,
    *,
    transport: Annotated[str, Parameter(name="--transport")],
    seed: int = 0,
    address: str | None = None,
) -> int:
    """Put a simulated device on the air with a Bluetooth controller of its own, until Ctrl+C.

    Any central can then connect to it: a phone, another computer, the companion. Every change of its output is printed.

    Args:
        device: Which one; ``rig devices`` lists them.
        transport: The controller as Bumble names it: usb:0, serial:/dev/ttyACM0, tcp-client:127.0.0.1:9001 …
        seed: Of what is random in the device.
        address: The random static address to use, as C0:FF:EE:00:00:01; without it a random one.
    """
    from rig.devices.catalogue import create  # noqa: PLC0415 - as the module says

    try:
        simulated = create(device, seed)
    except ValueError as error:
        return _tell(str(error), USAGE)
    try:
        asyncio.run(serving(simulated, transport, address))
    except KeyboardInterrupt:
        return 0
    except TransportFaultError as error:
        return _tell(
            f"{transport}: {error}; check the transport's name, and that nothing else holds the controller", FAULT
        )
    return 0


async def serving(device: SimulatedDevice, transport: str, address: str | None = None) -> None:
    """Put ``device`` on the controller behind ``transport`` and tell what becomes of it, until cancelled.

    Raises:
        TransportFaultError: there is no such transport, or no controller answers on it.
    """
    from rig.radio.peripheral import Peripheral  # noqa: PLC0415 - it brings Bumble

    try:
        peripheral = await Peripheral.on_transport(transport, device, address=address)
    except Exception as error:  # each kind of transport raises what its own library raises (libusb, pyserial, gRPC …)
        raise TransportFaultError(str(error) or type(error).__name__) from error
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


def _tell(message: str, code: int) -> int:
    print(f"rig: {' '.join(message.split())}", file=sys.stderr)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (``sys.argv`` when none is given) and return its exit code."""
    try:
        return int(app(arguments, exit_on_error=False, print_error=False) or 0)
    except CycloptsError as error:
        return _tell(f"{str(error).rstrip('.')}; rig --help says what there is", USAGE)
