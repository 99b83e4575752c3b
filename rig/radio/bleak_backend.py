"""A bleak backend on Bumble: bleak's scanner and client without an operating system's Bluetooth.

It works on the in-process air (:class:`rig.radio.link.VirtualRadio`) and on any HCI transport (:class:`HciRadio`).
Follows bleak's BlueZ backend wherever bleak leaves a choice. Refuses to know which devices are simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason
from bumble.hci import Address

from rig.capture.writer import BtsnoopWriter
from rig.radio.adapter import Adapter
from rig.radio.client import BumbleClient
from rig.radio.host import RadioHost
from rig.radio.scanner import BumbleScanner

__all__ = ["BumbleClient", "BumbleScanner", "HciRadio", "client_backend", "scanner_backend"]


def scanner_backend(adapter: Adapter) -> type[BumbleScanner]:
    """Return the scanner class for that adapter, as bleak wants it: a class whose instances know their radio."""
    return type("BumbleScanner", (BumbleScanner,), {"adapter": adapter})


def client_backend(adapter: Adapter) -> type[BumbleClient]:
    """Return the client class for that adapter, as bleak wants it: a class whose instances know their radio."""
    return type("BumbleClient", (BumbleClient,), {"adapter": adapter, "scanner_backend": scanner_backend(adapter)})


class HciRadio:
    """A bleak backend on an HCI transport: a USB or serial dongle, a TCP socket, ``/dev/vhci``.

    Attributes:
        scanner_backend: for ``BleakScanner(backend=…)``.
        client_backend: for ``BleakClient(device, backend=…)``.
    """

    def __init__(self, transport: str, *, address: str | None = None) -> None:
        self._transport = transport
        self.adapter = Adapter(self._make_host, address=Address(address) if address is not None else None)
        self.scanner_backend = scanner_backend(self.adapter)
        self.client_backend = client_backend(self.adapter)

    @classmethod
    async def open(cls, transport: str, *, address: str | None = None) -> Self:
        """Open the transport and reset the controller behind it.

        Args:
            transport: as Bumble names it: ``usb:0``, ``serial:/dev/ttyACM0``, ``tcp-client:127.0.0.1:9001`` …
            address: the random static address to use; None: a random one.

        Raises:
            BleakBluetoothNotAvailableError: there is no such transport, or no controller answers.
        """
        radio = cls(transport, address=address)
        await radio.adapter.ready()
        return radio

    def record(
        self,
        writer: BtsnoopWriter,
        on_error: Callable[[OSError], None] | None = None,
        *,
        with_keys: bool = False,
    ) -> None:
        """Write the HCI traffic of the central's host from now on; before the first scan, from the reset on.

        Args:
            writer: where to; its epoch is the date and time at which the loop's clock is zero.
            on_error: called once when the file cannot be written any more, say for a full disk; the recording ends
                then, and the radio goes on. Left out, it is an error in the log.
            with_keys: the keys of pairings are recorded; else there are zeros in their places.
        """
        self.adapter.record(writer, on_error, with_keys=with_keys)

    async def close(self) -> None:
        """End every link and close the transport. Safe to call twice."""
        await self.adapter.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def _make_host(self) -> RadioHost:
        try:
            return await RadioHost.on_transport(self._transport)
        except (OSError, ValueError) as error:
            raise BleakBluetoothNotAvailableError(
                f"the HCI transport {self._transport!r} cannot be opened: {error}",
                BleakBluetoothNotAvailableReason.NO_BLUETOOTH,
            ) from error
