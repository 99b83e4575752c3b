"""The ATT client under a bleak client: Bumble's discovery and PDUs, with requests that cannot get out of step.

Knows ATT (Core Specification Vol 3 Part F). Refuses to know bleak.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable

from bumble import att, hci
from bumble.device import Connection
from bumble.gatt_client import AttributeProxy, Client

from rig.radio.host import RadioHost, report_mistake

_HANDLE_PDU = struct.Struct("<BH")  # opcode and handle, before a value
_WRITE_REQUEST, _WRITE_RESPONSE, _NOTIFICATION, _INDICATION, _WRITE_COMMAND = 0x12, 0x13, 0x1B, 0x1D, 0x52
_CONFIRMATION = bytes(att.ATT_Handle_Value_Confirmation())
_WRITE_ACCEPTED = att.ATT_Write_Response()
_TRANSACTION_TIMEOUT_S = 30.0  # Vol 3 Part F 3.3.3


class LinkLostError(Exception):
    """The link ended before, or while, something was asked over it; the message says how."""


class AttClient(Client):
    """One ATT bearer, client side.

    * A request goes out within the call when none is under way, else in turn: writes keep their order.
    * A caller that is cancelled leaves its request under way, and the next one waits for its response, as the protocol
      demands; upstream sends the next at once and takes the old response for its own (``gatt_client.py:375``).
    * When the link ends, all that is under way fails at once; upstream cancels the future, which the caller sees as its
      own cancellation (``gatt_client.py:1160``).
    * A peer that does not answer for 30 s loses the link, as Vol 3 Part F 3.3.3 says.

    Args:
        connection: the link.
        give_up: called when the peer has not answered in time; ends the link.
    """

    def __init__(self, connection: Connection, give_up: Callable[[], None]) -> None:
        super().__init__(connection)
        self._connection = connection
        self._give_up = give_up
        self._waiting: deque[tuple[bytes, asyncio.Future[att.ATT_PDU]]] = deque()
        self._current: tuple[bytes, asyncio.Future[att.ATT_PDU]] | None = None
        self._current_since = 0.0
        self._watchdog: asyncio.TimerHandle | None = None
        self.lost: str | None = None  # why the link ended, once it has
        self.listeners: dict[int, Callable[[bytes], None]] = {}  # by value handle
        self.values: dict[int, bytes] = {}  # last value read or notified, by handle
        host = connection.device.host
        self._takers = host.att_takers if isinstance(host, RadioHost) else {}
        self._takers[connection.handle] = self._take

    # ---- requests -----------------------------------------------------------------------------------------------

    async def send_request(self, request: att.ATT_PDU) -> att.ATT_PDU:
        """Send a request and return the response, which may be an error response.

        Raises:
            LinkLostError: the link is, or goes, down.
        """
        return await self.request(bytes(request))

    async def write_value(
        self, attribute: int | AttributeProxy[bytes], value: bytes, with_response: bool = False
    ) -> None:
        """Write a value: as a command, as a request, or where it does not fit into one, by prepared writes.

        Raises:
            ATT_Error: the device refused.
            LinkLostError: the link is, or goes, down.
        """
        handle = attribute if isinstance(attribute, int) else attribute.handle
        if not with_response:
            self.command(_HANDLE_PDU.pack(_WRITE_COMMAND, handle) + value)
        elif len(value) > self.mtu - 3:
            await self.write_long_value(handle, value)
        else:
            response = await self.request(_HANDLE_PDU.pack(_WRITE_REQUEST, handle) + value)
            if isinstance(response, att.ATT_Error_Response):
                raise att.ATT_Error(error_code=response.error_code, att_handle=handle)

    def request(self, request: bytes) -> asyncio.Future[att.ATT_PDU]:
        """Send a request now, or as soon as those before it are answered; the future gives the response."""
        future: asyncio.Future[att.ATT_PDU] = asyncio.get_running_loop().create_future()
        if self.lost is not None:
            future.set_exception(LinkLostError(self.lost))
        else:
            self._waiting.append((request, future))
            if self._current is None:
                self._send_next()
        return future

    async def send_command(self, command: att.ATT_PDU) -> None:
        """Send what has no response (a Write Command), past the requests that wait.

        Raises:
            LinkLostError: the link is down.
        """
        self.command(bytes(command))

    def command(self, command: bytes) -> None:
        """Send what has no response, now.

        Raises:
            LinkLostError: the link is down.
        """
        if self.lost is not None:
            raise LinkLostError(self.lost)
        self.send_gatt_pdu(command)

    def _send_next(self) -> None:
        while self._waiting:
            request, future = self._waiting.popleft()
            if future.done():
                continue  # cancelled while it waited: never sent
            self._current = (request, future)
            loop = asyncio.get_running_loop()
            self._current_since = loop.time()
            if self._watchdog is None:
                self._watchdog = loop.call_at(self._current_since + _TRANSACTION_TIMEOUT_S, self._on_watchdog)
            self.send_gatt_pdu(request)
            return

    def _on_watchdog(self) -> None:
        # One timer serves many requests: it is not worth moving for each of them.
        self._watchdog = None
        if self._current is None:
            return
        loop = asyncio.get_running_loop()
        due = self._current_since + _TRANSACTION_TIMEOUT_S
        if loop.time() < due:
            self._watchdog = loop.call_at(due, self._on_watchdog)
            return
        self._fail(f"{att.Opcode(self._current[0][0]).name} was not answered within {_TRANSACTION_TIMEOUT_S:.0f} s")
        self._give_up()

    # ---- what comes in ------------------------------------------------------------------------------------------

    def _take(self, pdu: bytes) -> bool:
        """Take what comes in most, the short way: notifications, indications, and that a write was accepted."""
        opcode = pdu[0]
        if opcode in (_NOTIFICATION, _INDICATION) and len(pdu) >= _HANDLE_PDU.size:
            self._deliver(_HANDLE_PDU.unpack_from(pdu)[1], pdu[_HANDLE_PDU.size :])
            if opcode == _INDICATION:
                self.send_gatt_pdu(_CONFIRMATION)
            return True
        if opcode == _WRITE_RESPONSE and self._current is not None and self._current[0][0] == _WRITE_REQUEST:
            self._answered(_WRITE_ACCEPTED)
            return True
        return False

    def on_gatt_pdu(self, att_pdu: att.ATT_PDU) -> None:
        """Take a response, a notification or an indication."""
        if isinstance(att_pdu, att.ATT_Handle_Value_Notification):
            self._deliver(att_pdu.attribute_handle, att_pdu.attribute_value)
        elif isinstance(att_pdu, att.ATT_Handle_Value_Indication):
            self._deliver(att_pdu.attribute_handle, att_pdu.attribute_value)
            self.send_confirmation(att.ATT_Handle_Value_Confirmation())
        elif self._current is not None and _answers(att_pdu, self._current[0]):
            self._answered(att_pdu)

    def _answered(self, response: att.ATT_PDU) -> None:
        if self._current is not None:
            _, future = self._current
            self._current = None
            if not future.done():
                future.set_result(response)
            self._send_next()

    def _deliver(self, handle: int, value: bytes) -> None:
        self.values[handle] = value
        listener = self.listeners.get(handle)
        if listener is None:
            return
        try:
            listener(value)
        except Exception as error:  # noqa: BLE001 - a listener's mistake must not break the bearer; the loop reports it
            report_mistake(f"a notification callback failed on handle 0x{handle:04x}", error)

    def on_disconnection(self, *args: object) -> None:
        """Fail everything that is under way or waits: the link is gone."""
        reason = args[0] if args and isinstance(args[0], int) else None
        self._fail(_disconnection_text(reason))

    def _fail(self, why: str) -> None:
        if self.lost is None:
            self.lost = why
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        if self._takers.get(self._connection.handle) == self._take:
            del self._takers[self._connection.handle]
        pending = [self._current] if self._current is not None else []
        pending += self._waiting
        self._current = None
        self._waiting.clear()
        self.listeners.clear()
        for _, future in pending:
            if not future.done():
                future.set_exception(LinkLostError(self.lost))


def _answers(response: att.ATT_PDU, request: bytes) -> bool:
    if isinstance(response, att.ATT_Error_Response):
        return response.request_opcode_in_error == request[0]
    return response.op_code == request[0] + 1  # every response's opcode follows its request's (Vol 3 F 3.4.8)


def _disconnection_text(reason: int | None) -> str:
    if not reason:  # Bumble says 0 when the controller itself has gone
        return "the link is down"
    return f"disconnected: {hci_error_text(reason)}"


def hci_error_text(code: int) -> str:
    """Return an HCI error code (Vol 1 Part F) in words, with its number."""
    try:
        name = hci.HCI_ErrorCode(code).name.removesuffix("_ERROR").replace("_", " ").lower()
    except ValueError:
        return f"HCI error 0x{code:02x}"
    return f"{name} (0x{code:02x})"
