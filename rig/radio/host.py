"""Bumble's host on an HCI transport or a virtual controller, with the defects that a bleak backend runs into put right.

Knows HCI. Refuses to know GATT and bleak. Places named are in Bumble 0.0.236.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from bumble import hci
from bumble.att import ATT_CID
from bumble.host import Host
from bumble.transport.common import TransportLostError

from rig.capture.writer import BtsnoopWriter, Direction
from rig.radio.quiet import keep_keys_out_of_logs

if TYPE_CHECKING:
    from bumble.controller import Controller
    from bumble.transport.common import Transport

    from rig.capture.keys import KeyWipe

keep_keys_out_of_logs()  # before there is a host that could write any

RESET_TIMEOUT_S = 10.0  # for a controller to answer; a driver may have firmware to load first

_LOOK_EVERY_S = 0.05
_log = logging.getLogger(__name__)
_ACL_PREFIX = struct.Struct("<BHH")
_L2CAP_PREFIX = struct.Struct("<HH")
_COMPLETED_PACKETS = bytes((hci.HCI_EVENT_PACKET, 0x13, 5, 1))  # of one connection


_GONE = "the Bluetooth controller has gone"
_Answer = hci.HCI_Command_Complete_Event[Any] | hci.HCI_Command_Status_Event


class Recording:
    """A capture that ends by itself, and never the session, when its file can no longer be written or is closed.

    The keys of a pairing are zeros in it: whoever has them reads what is said, and is taken for the device.

    Args:
        writer: where to.
        on_error: called once when the file cannot be written any more; left out, it is an error in the log.
        with_keys: the keys are recorded as they are.
    """

    def __init__(
        self,
        writer: BtsnoopWriter,
        on_error: Callable[[OSError], None] | None = None,
        *,
        with_keys: bool = False,
    ) -> None:
        from rig.capture.keys import KeyWipe  # noqa: PLC0415 - the layers of captures, for a recording alone

        self._writer: BtsnoopWriter | None = writer
        self._on_error = on_error
        self._wipe: KeyWipe | None = None if with_keys else KeyWipe()

    @property
    def keys_left_out(self) -> bool:
        """Whether there was a key, and zeros were recorded instead of it."""
        return self._wipe is not None and self._wipe.packets > 0

    def take(self, packet: bytes, direction: Direction) -> None:
        """Record one packet, if the recording still goes on."""
        if self._writer is None or self._writer.closed:
            return
        if self._wipe is not None:
            packet = self._wipe.wiped(packet, direction)
        try:
            self._writer.record(packet, direction, asyncio.get_running_loop().time())
        except OSError as error:
            self._writer = None
            if self._on_error is not None:
                self._on_error(error)
            else:
                _log.error("the recording has ended: %s", error)


class RadioHost(Host):
    """A host whose commands survive a cancelled caller, which can record, and which takes data the short way.

    * A caller that is cancelled while its command is under way leaves a response behind that upstream takes for the
      next command's (``host.py:701``: the semaphore is given back before the controller has answered).
    * Upstream formats every packet for a debug log, twice (``host.py:664``, ``:1003``): half the cost of an exchange.
      What is left halves again when writes and notifications, which are nearly all traffic, go straight to those in
      :attr:`att_takers`, past the event emitters and the general parser.
    """

    def __init__(self) -> None:
        super().__init__()
        self.recording: Recording | None = None
        self.att_takers: dict[int, Callable[[bytes], bool]] = {}  # by connection handle; True: taken
        self._transport: Transport | None = None
        self._commands: set[asyncio.Task[_Answer]] = set()

    @classmethod
    def on_controller(cls, controller: Controller) -> Self:
        """Return a host on an in-process controller."""
        host = cls()
        host.controller = controller
        return host

    @classmethod
    async def on_transport(cls, name: str, *, patience_s: float | None = RESET_TIMEOUT_S) -> Self:
        """Return a host on an HCI transport, named as Bumble names them (``usb:0``, ``tcp-client:host:port`` …).

        Args:
            name: the transport's.
            patience_s: how long a controller may take to connect where this end listens (``tcp-server``), in seconds;
                None: as long as it likes.

        Raises:
            OSError: the transport cannot be opened, or (TimeoutError) no controller has connected to it.
            ValueError: there is no such transport.
        """
        from bumble.transport import open_transport  # noqa: PLC0415 - the in-process radio does without it

        transport = await open_transport(name)
        try:
            await _somebody_there(transport, patience_s)
        except BaseException:
            await close_transport(transport)
            raise
        host = cls()
        host._transport = transport
        host.set_packet_sink(transport.sink)
        host.set_packet_source(transport.source)
        return host

    @property
    def is_alone(self) -> bool:
        """True once the controller behind the transport has gone."""
        if self._transport is None:
            return False
        return self.hci_sink is None or not _is_somebody_there(self._transport)

    async def close(self) -> None:
        """Let go of the controller or transport. Safe to call twice."""
        self.ready = False
        self._give_up_commands()
        if self._transport is not None:
            transport, self._transport = self._transport, None
            await close_transport(transport)

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Send one packet to the controller."""
        data = bytes(packet)
        if self.recording is not None:
            self.recording.take(data, Direction.SENT)
        if self.hci_sink is not None:
            self.hci_sink.on_packet(data)

    def on_packet(self, packet: bytes) -> None:
        """Take one H4 packet from the controller."""
        if not self.ready:
            super().on_packet(packet)
            return
        if packet[0] == hci.HCI_ACL_DATA_PACKET:
            self._record_received(packet)
            self._on_acl(packet)
        elif packet[:4] == _COMPLETED_PACKETS:
            self._record_received(packet)
            handle, count = struct.unpack_from("<HH", packet, 4)
            # After a disconnection the queue has given the link's buffers back already, and the handle is unknown.
            if handle in self.connections and self.le_acl_packet_queue is not None:
                self.le_acl_packet_queue.on_packets_completed(count, handle)
        else:
            super().on_packet(packet)

    def on_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Take one parsed packet from the controller."""
        self._record_received(bytes(packet))
        if isinstance(packet, hci.HCI_Event):
            self.on_hci_event_packet(packet)
        elif isinstance(packet, hci.HCI_AclDataPacket):
            self.on_hci_acl_data_packet(packet)

    def send_l2cap_pdu(self, connection_handle: int, cid: int, pdu: bytes) -> None:
        """Send an L2CAP PDU; one for a link that has just ended is nobody's."""
        connection = self.connections.get(connection_handle)
        if connection is None:
            return
        queue = connection.acl_packet_queue
        data = _L2CAP_PREFIX.pack(len(pdu), cid) + pdu
        if len(data) > queue.max_packet_size:
            self.send_acl_sdu(connection_handle, data)
        else:
            # The queue asks a packet for nothing but its bytes, and bytes have those.
            packet = _ACL_PREFIX.pack(hci.HCI_ACL_DATA_PACKET, connection_handle, len(data)) + data
            queue.enqueue(packet, connection_handle)  # type: ignore[arg-type]

    async def _send_command(
        self,
        command: hci.HCI_SyncCommand[hci.HCI_ReturnParameters] | hci.HCI_AsyncCommand,
        response_timeout: float | None = None,
    ) -> _Answer:
        if self.hci_sink is None:
            raise TransportLostError(_GONE)
        task = asyncio.ensure_future(super()._send_command(command, response_timeout))
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise TransportLostError(_GONE) from None
            raise

    def on_transport_lost(self) -> None:
        """Fail every command, now and later; upstream leaves all but one waiting for ever (``host.py:994``)."""
        self._give_up_commands()
        self.emit("flush")

    def _give_up_commands(self) -> None:
        self.hci_sink = None
        for task in self._commands:
            task.cancel()

    def _record_received(self, packet: bytes) -> None:
        if self.recording is not None:
            self.recording.take(packet, Direction.RECEIVED)

    def _on_acl(self, packet: bytes) -> None:
        _, header, _ = _ACL_PREFIX.unpack_from(packet)
        connection = self.connections.get(header & 0x0FFF)
        if connection is None:
            return
        if (header >> 12) & 3 != 1 and len(packet) >= 9:
            length, cid = _L2CAP_PREFIX.unpack_from(packet, 5)
            if length + 9 == len(packet):
                pdu = packet[9:]
                taker = self.att_takers.get(connection.handle) if cid == ATT_CID and pdu else None
                if taker is None or not taker(pdu):
                    self.on_l2cap_pdu(connection, cid, pdu)
                return
        connection.on_hci_acl_data_packet(hci.HCI_AclDataPacket.from_bytes(packet))


def report_mistake(message: str, error: Exception) -> None:
    """Hand an exception that a program's callback raised to the loop, and go on."""
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})


async def close_transport(transport: Transport) -> None:
    """Close an HCI transport; upstream leaves a ``tcp-server``'s sockets open (``transport/tcp_server.py:60``)."""
    accepted = getattr(transport.sink, "transport", None)
    await transport.close()
    if accepted is not None:
        accepted.close()
    server = getattr(transport, "server", None)
    if isinstance(server, asyncio.Server):
        server.close()
        await server.wait_closed()


def _is_somebody_there(transport: Transport) -> bool:
    """Whether a controller is connected, where this end listens; what a ``tcp-server`` is asked is lost before."""
    return getattr(transport.sink, "transport", transport) is not None


async def _somebody_there(transport: Transport, patience_s: float | None) -> None:
    try:
        async with asyncio.timeout(patience_s):
            while not _is_somebody_there(transport):  # noqa: ASYNC110 - upstream tells nobody (transport/tcp_server.py:77)
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        raise TimeoutError(f"no controller has connected within {patience_s:g} s") from None
