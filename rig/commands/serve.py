"""``rig serve``: a simulated device on the air, with a Bluetooth controller of its own.

Knows how to tell what becomes of it. Refuses to know transports: Bumble opens them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from rig.commands.faults import FINISHED, NoAdapterError, UsageError

if TYPE_CHECKING:
    from rig.devices.model import SimulatedDevice
    from rig.radio.peripheral import Peripheral

_LOOK_EVERY_S: Final = 0.1


def serve(device: str, transport: str, seed: int, address: str | None) -> int:
    """Serve until Ctrl+C.

    Raises:
        UsageError: there is no such device or transport, or the address is none.
        NoAdapterError: the transport cannot be opened, no controller answers on it, or it has gone.
    """
    from rig.devices.catalogue import create  # noqa: PLC0415 - the simulated devices, for this command alone
    from rig.radio.transports import TransportNameError, named  # noqa: PLC0415 - as above

    try:
        simulated = create(device, seed)
    except ValueError as error:
        raise UsageError(str(error)) from error
    try:
        named(transport)
    except TransportNameError as error:
        raise UsageError(f"--transport: {error}; see `rig serve --help`") from error
    if address is not None and not _is_random_static(address):
        raise UsageError(f"--address {address}: write a random static address, as C0:FF:EE:00:00:01")
    with contextlib.suppress(KeyboardInterrupt):  # the usual end
        asyncio.run(serving(simulated, transport, address))
    return FINISHED


def _is_random_static(address: str) -> bool:
    """Whether it is six octets of which the first begins with two ones (Core Specification Vol 6 Part B 1.3.2.1)."""
    octets = address.split(":")
    try:
        values = [int(octet, 16) for octet in octets if len(octet) == 2]
    except ValueError:
        return False
    return len(octets) == len(values) == 6 and values[0] >= 0xC0


async def serving(device: SimulatedDevice, transport: str, address: str | None = None) -> None:
    """Put ``device`` on the controller behind ``transport`` and tell what becomes of it, until cancelled.

    Raises:
        NoAdapterError: the transport cannot be opened, no controller answers on it, or it has gone.
    """
    _listen_to_the_display(device)
    async with _on_the_air(device, transport, address) as peripheral:
        print(f"{device.advertisement.name!r} advertises as {peripheral.address}; Ctrl+C ends it", flush=True)
        await _tell_what_happens(device, peripheral)
    raise NoAdapterError(f"{transport}: the controller has gone; plug it in again, and start `rig serve` again")


@contextlib.asynccontextmanager
async def _on_the_air(device: SimulatedDevice, transport: str, address: str | None) -> AsyncIterator[Peripheral]:
    from rig.radio.peripheral import Peripheral  # noqa: PLC0415 - it brings Bumble
    from rig.radio.transports import named, why  # noqa: PLC0415 - as above

    kind, spec = named(transport)
    async with contextlib.AsyncExitStack() as stack:
        try:
            if kind == "vhci":
                # The other way round: this process is the controller, and the kernel the host that gets it.
                from rig.radio.system_air import SystemAir  # noqa: PLC0415 - for this transport alone

                air = await stack.enter_async_context(await SystemAir.open(transport))
                peripheral = await air.add_device(device, address=address or _drawn())
            else:
                if kind == "tcp-server":
                    print(f"waits for a controller at {spec}; Ctrl+C ends it", flush=True)
                peripheral = await Peripheral.on_transport(transport, device, address=address, patience_s=None)
        except Exception as error:  # each kind of transport raises what its own library raises (libusb, pyserial …)
            raise NoAdapterError(
                f"{transport}: {why(transport, error)}; `rig doctor --transport {transport}` says what to do"
            ) from error
        try:
            yield peripheral
        finally:
            with contextlib.suppress(ConnectionError):  # the controller may be what went away
                await peripheral.close()


def _drawn() -> str:
    from bumble.hci import Address  # noqa: PLC0415 - as above

    return Address.generate_static_address().to_string(with_type_qualifier=False)


def _listen_to_the_display(device: SimulatedDevice) -> None:
    """Print each code that the device's display shows while somebody pairs with it."""
    from rig.devices.display import Display  # noqa: PLC0415 - as above

    display = getattr(device, "display", None)
    if isinstance(display, Display):
        display.on_show = lambda code: print(
            f"its display shows {code // 1000:03} {code % 1000:03}: the other end shows the same code, or asks for it",
            flush=True,
        )


async def _tell_what_happens(device: SimulatedDevice, peripheral: Peripheral) -> None:
    told = 0
    centrals = 0
    while not peripheral.is_alone:
        if peripheral.centrals != centrals:
            centrals = peripheral.centrals
            print(_in_words(centrals), flush=True)
        for entry in device.trace[told:]:
            print(f"{entry.time:12.3f} s  output {entry.output_percent:5.1f} %  {entry.cause}", flush=True)
        told = len(device.trace)
        await asyncio.sleep(_LOOK_EVERY_S)


def _in_words(centrals: int) -> str:
    return ("disconnected", "connected", "connected to two centrals")[centrals]
