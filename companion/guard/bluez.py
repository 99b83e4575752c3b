"""Ends a link on Linux: asks BlueZ, which owns the link whatever becomes of the app.

Of its D-Bus API org.bluez.Device1 (Connected, Disconnect) and org.bluez.GattCharacteristic1 (WriteValue) are used.
Knows D-Bus. Loaded in the guard's own process alone.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

ANSWER_S = 3.0
"""Longest wait for one answer of BlueZ, in seconds. BlueZ itself waits 2 s between Disconnect and the end of a link."""
AGAIN_S = 0.2
"""Pause before an attempt that failed is repeated, in seconds."""


class BlueZLink:
    """The link to the device at a D-Bus object path (``/org/bluez/hci0/dev_…``)."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._stops: list[list[Any]] = []
        self._bus: MessageBus | None = None

    async def take(self) -> None:
        """Open a bus connection of the guard's own, and see the device connected.

        Raises:
            LookupError: no bus, no BlueZ, or no such device.
            OSError: no link to it, or BlueZ refuses.
        """
        if not await self._connected():
            raise OSError(f"BlueZ has no link to {self._device}")

    def stops(self, writes: list[list[Any]]) -> None:
        """Learn the writes that end all output: object path, hexadecimal digits, whether with response."""
        self._stops = writes

    async def let_go(self) -> None:
        """Write the stops, end the link, and look whether it is down; again until it is, or BlueZ is gone."""
        while True:
            try:
                # The stops are not waited for: whether or not the device answers, the link must end.
                writing = [asyncio.ensure_future(self._write(*stop)) for stop in self._stops]
                await asyncio.sleep(0)
                await self._call(self._device, "org.bluez.Device1", "Disconnect")
                await asyncio.gather(*writing, return_exceptions=True)
                if not await self._connected():
                    return
            except LookupError:
                return  # BlueZ does not know the device, or is gone itself, and its links with it
            except Exception:  # noqa: BLE001, S110 - whatever it was: the link may be up, so it is tried again
                pass
            await asyncio.sleep(AGAIN_S)

    async def _write(self, path: str, data: str, with_response: bool) -> None:
        kind = Variant("s", "request" if with_response else "command")
        await self._call(
            path, "org.bluez.GattCharacteristic1", "WriteValue", "aya{sv}", [bytes.fromhex(data), {"type": kind}]
        )

    async def _connected(self) -> bool:
        body = ["org.bluez.Device1", "Connected"]
        reply = await self._call(self._device, "org.freedesktop.DBus.Properties", "Get", "ss", body)
        return bool(reply[0].value)

    async def _call(self, path: str, interface: str, member: str, signature: str = "", body: Any = ()) -> list[Any]:
        """Call one method of BlueZ.

        Raises:
            LookupError: the object, the whole of BlueZ or the bus that it needs is not there.
            OSError: BlueZ refuses; the message says why.
            TimeoutError: no answer in time.
        """
        if self._bus is None or not self._bus.connected:
            try:
                self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise LookupError("there is no bus") from error
        message = Message("org.bluez", path, interface, member, signature=signature, body=list(body))
        reply = await asyncio.wait_for(self._bus.call(message), ANSWER_S)
        if reply is None:
            raise OSError("the bus sent no answer")
        if reply.message_type is MessageType.ERROR:
            text = f"{reply.error_name}: {' '.join(str(part) for part in reply.body)}"
            gone = ("UnknownObject", "UnknownMethod", "ServiceUnknown", "NameHasNoOwner", "DoesNotExist")
            raise (LookupError if str(reply.error_name).endswith(gone) else OSError)(text)
        return list(reply.body)
