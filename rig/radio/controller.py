"""A Bluetooth LE controller for the in-process air: Bumble's, with what it leaves out or gets wrong put right.

Knows HCI, advertising and the life of a link. Refuses to know GATT, devices or bleak. What is overridden because of a
defect upstream names the place in Bumble 0.0.236; ``tests/rig/test_upstream.py`` fails once upstream has mended it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import random
import struct
from typing import TYPE_CHECKING, NamedTuple

from bumble import hci, ll
from bumble.controller import Connection, Controller, LegacyAdvertiser
from bumble.core import PhysicalTransport

if TYPE_CHECKING:
    from rig.radio.link import Air

_UNIT_S = 0.000625  # advertising intervals count 0.625 ms (Vol 4 Part E 7.8.5)
_SUPERVISION_UNIT_S = 0.01  # supervision timeouts count 10 ms (Vol 4 Part E 7.8.12)
_INTERVAL_UNIT_S = 0.00125  # connection intervals count 1.25 ms (Vol 4 Part E 7.8.12)
_EVENTS_TO_ESTABLISH = 6  # a link that is not answered in six events was never one (Vol 6 Part B 4.5)
_LEGACY_FEATURES = hci.LeFeatureMask.LE_EXTENDED_ADVERTISING | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING


class _LinkTiming(NamedTuple):
    interval_s: float
    supervision_s: float


@dataclasses.dataclass
class Advertiser(LegacyAdvertiser):
    """Advertises on a fixed grid of times, and holds a timer only while somebody on the air listens.

    In virtual time every timer costs real work, and a device that nobody can hear need not speak: the next event falls
    on the same grid, so what a listener hears is the same either way. Upstream takes the interval for milliseconds
    (``controller.py:90``), which makes 20 ms into 32.
    """

    started_at: float = 0.0
    _event: int = 0

    @property
    def interval_s(self) -> float:
        """Seconds between two advertising events."""
        return max(self.advertising_interval_min, 0x20) * _UNIT_S

    def start(self) -> None:
        """Begin to advertise now."""
        self.stop()
        self.enabled = True
        self.started_at = asyncio.get_running_loop().time()
        self._event = 0
        self.listeners_changed()

    def listeners_changed(self) -> None:
        """Arm the timer when somebody listens, disarm it when nobody does."""
        controller = self.controller
        air: Air = controller.link  # type: ignore[assignment]  # a VirtualController is only ever on an Air
        if not (self.enabled and air.anyone_listens(controller)):
            if self.timer_handle is not None:
                self.timer_handle.cancel()
                self.timer_handle = None
            return
        if self.timer_handle is None:
            loop = asyncio.get_running_loop()
            grid = math.ceil((loop.time() - self.started_at) / self.interval_s - 1e-6)
            self._event = max(grid, self._event)
            self.timer_handle = loop.call_at(self.started_at + self._event * self.interval_s, self._on_timer_fired)

    def _on_timer_fired(self) -> None:
        self.timer_handle = None
        self._event += 1
        self.send_advertising_data()
        self.listeners_changed()


class VirtualController(Controller):
    """One end of the in-process air.

    Legacy advertising and scanning only, as most consumer devices have it; 251-byte data packets.
    """

    le_features = Controller.le_features & ~_LEGACY_FEATURES
    le_acl_data_packet_length = 251
    supported_max_tx_octets = 251
    supported_max_rx_octets = 251

    def __init__(self, name: str, link: Air, public_address: hci.Address, rng: random.Random) -> None:
        super().__init__(name, link=link, public_address=public_address)
        self.air = link
        self.rng = rng
        self.closed = False
        self.le_legacy_advertiser: Advertiser = Advertiser(self)
        self._supervision: dict[hci.Address, asyncio.TimerHandle] = {}
        self._timing: dict[hci.Address, _LinkTiming] = {}

    # ---- between host and controller: bytes in, bytes out -------------------------------------------------------

    def on_packet(self, packet: bytes) -> None:
        """Take one H4 packet from the host. Whole ACL packets, nearly all traffic, take a short way."""
        if packet[0] == hci.HCI_ACL_DATA_PACKET:
            self._on_acl(packet)
        else:
            self.on_hci_packet(hci.HCI_Packet.from_bytes(packet))

    def _on_acl(self, packet: bytes) -> None:
        header, _ = struct.unpack_from("<HH", packet, 1)
        connection = self.find_connection_by_handle(header & 0x0FFF)
        if connection is None:
            return  # the link died while the packet was on its way; its buffer was given back with the link
        data = packet[5:]
        if (header >> 12) & 1 == 0 and len(data) >= 4 and struct.unpack_from("<H", data)[0] + 4 == len(data):
            connection.on_acl_pdu(data)
        else:
            connection.assembler.feed_packet(hci.HCI_AclDataPacket.from_bytes(packet))
        self._to_host(struct.pack("<BBBBHH", hci.HCI_EVENT_PACKET, 0x13, 5, 1, connection.handle, 1))

    def on_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Take one parsed packet; upstream formats every one for a debug log that nobody reads (``:526``)."""
        if isinstance(packet, hci.HCI_Command):
            self.on_hci_command_packet(packet)

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Send one packet to the host."""
        self._to_host(bytes(packet))

    def _to_host(self, packet: bytes) -> None:
        if self.hci_sink is not None:
            asyncio.get_running_loop().call_soon(self.hci_sink.on_packet, packet)

    # ---- advertising and scanning -------------------------------------------------------------------------------

    @property
    def listens(self) -> bool:
        """True while this controller scans or initiates a connection."""
        return self.le_scan_enable or self.pending_le_connection is not None

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Reset; upstream keeps scanning, advertising and connecting through it (``:2312``, "TODO")."""
        self.le_legacy_advertiser.stop()
        self.le_scan_enable = False
        self.pending_le_connection = None
        self.air.listeners_changed()
        for connection in list(self.le_connections.values()):
            self._forget(connection)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Start or stop to scan."""
        result = super().on_hci_le_set_scan_enable_command(command)
        self.air.listeners_changed()
        return result

    def on_hci_le_rand_command(self, _command: hci.HCI_LE_Rand_Command) -> hci.HCI_LE_Rand_ReturnParameters:
        """Give eight random bytes, from the radio's seed; upstream may draw 2**64 and fail to pack it (``:3227``)."""
        return hci.HCI_LE_Rand_ReturnParameters(status=hci.HCI_ErrorCode.SUCCESS, random_number=self.rng.randbytes(8))

    def on_advertising_pdu(self, pdu: ll.AdvInd | ll.AdvExtInd) -> None:
        """Report what was heard, and connect when it is what the host waits for.

        Upstream reports the advertising data once more as the scan response, also while it scans passively, and hears
        everything at -50 dBm (``:1175``).
        """
        if self.le_scan_enable:
            address = pdu.advertiser_address
            event = hci.HCI_LE_Advertising_Report_Event
            rssi = self.air.rssi_of(address)
            self._report(event.EventType.ADV_IND, address, bytes(pdu.data), rssi)
            if self.le_scan_type == hci.HCI_LE_Set_Scan_Parameters_Command.ACTIVE_SCANNING:
                self._report(event.EventType.SCAN_RSP, address, self.air.scan_response_of(address), rssi)
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)

    def _report(self, event_type: int, address: hci.Address, data: bytes, rssi: int) -> None:
        event = hci.HCI_LE_Advertising_Report_Event
        self.send_hci_packet(
            event(
                [
                    event.Report(
                        event_type=event.EventType(event_type),
                        address_type=address.address_type,
                        address=address,
                        data=data,
                        rssi=rssi,
                    )
                ]
            )
        )

    # ---- the life of a link -------------------------------------------------------------------------------------

    def on_hci_le_create_connection_command(self, command: hci.HCI_LE_Create_Connection_Command) -> None:
        """Initiate a connection; upstream leaves the host waiting for ever when there is one already (``:968``)."""
        if command.peer_address in self.le_connections:
            self._send_hci_command_status(hci.HCI_ErrorCode.CONNECTION_ALREADY_EXISTS_ERROR, command.op_code)
            return
        super().on_hci_le_create_connection_command(command)
        self.air.listeners_changed()

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Give up initiating; upstream says yes and goes on, so no later connection can be made (``:3115``).

        The specification wants an LE Connection Complete with Unknown Connection Identifier (Vol 4 Part E 7.8.13).
        """
        pending = self.pending_le_connection
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        self.air.listeners_changed()
        failure = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, failure)  # after the command's completion
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def create_le_connection(self, peer_address: hci.Address) -> None:
        """Connect to the advertiser just heard, and listen no longer."""
        pending = self.pending_le_connection
        super().create_le_connection(peer_address)
        connection = self.le_connections.get(peer_address)
        if connection is not None and isinstance(pending, hci.HCI_LE_Create_Connection_Command):
            self._timing[peer_address] = _LinkTiming(
                pending.connection_interval_min * _INTERVAL_UNIT_S, pending.supervision_timeout * _SUPERVISION_UNIT_S
            )
        self.air.listeners_changed()

    def on_le_connect_ind(self, packet: ll.ConnectInd) -> None:
        """Accept a connection with the central's parameters; upstream reports 12.5 ms and 100 ms always (``:930``)."""
        advertiser = self.le_legacy_advertiser
        if not (advertiser.enabled and advertiser.address == packet.advertiser_address):
            return
        if (former := self.le_connections.get(packet.initiator_address)) is not None:
            # Its central has lost that link without a word (a reset, a new start), or it could not begin another one.
            self.on_le_disconnected(former, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        connection = self._add_connection(packet)
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.SUCCESS,
                connection_handle=connection.handle,
                role=connection.role,
                peer_address_type=packet.initiator_address.address_type,
                peer_address=packet.initiator_address,
                connection_interval=packet.interval,
                peripheral_latency=packet.latency,
                supervision_timeout=packet.timeout,
                central_clock_accuracy=7,
            )
        )
        advertiser.stop()

    def _add_connection(self, packet: ll.ConnectInd) -> Connection:
        connection = Connection(
            controller=self,
            handle=self.allocate_connection_handle(),
            role=hci.Role.PERIPHERAL,
            self_address=packet.advertiser_address,
            peer_address=packet.initiator_address,
            link=self.link,
            transport=PhysicalTransport.LE,
            link_type=hci.HCI_Connection_Complete_Event.LinkType.ACL,
        )
        self._timing[packet.initiator_address] = _LinkTiming(
            packet.interval * _INTERVAL_UNIT_S, packet.timeout * _SUPERVISION_UNIT_S
        )
        self.le_connections[packet.initiator_address] = connection
        return connection

    def on_hci_disconnect_command(self, command: hci.HCI_Disconnect_Command) -> None:
        """End a link; upstream says "pending" about a handle that it does not know, and never again (``:1958``)."""
        connection = self.find_le_connection_by_handle(command.connection_handle)
        if connection is None:
            self._send_hci_command_status(hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
            return
        self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
        connection.send_ll_control_pdu(ll.TerminateInd(command.reason))
        self.on_le_disconnected(connection, hci.HCI_ErrorCode.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)

    def on_link_acl_data(self, sender_address: hci.Address, _transport: PhysicalTransport, data: bytes) -> None:
        """Hand a PDU from the air to the host; one for a link that has just ended is nobody's."""
        connection = self.le_connections.get(sender_address)
        if connection is not None:
            self._to_host(struct.pack("<BHH", hci.HCI_ACL_DATA_PACKET, connection.handle | 0x2000, len(data)) + data)

    def on_ll_control_pdu(self, sender_address: hci.Address, packet: ll.ControlPdu) -> None:
        """Handle a link-layer PDU; one for a link that has just ended is nobody's."""
        if sender_address in self.le_connections:
            super().on_ll_control_pdu(sender_address, packet)

    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        """Tell the host that a link is gone."""
        self._stop_supervision(connection.peer_address)
        self._timing.pop(connection.peer_address, None)
        super().on_le_disconnected(connection, reason)

    def never_established(self, peer_address: hci.Address) -> None:
        """Lose a link whose other end did not take part in it (Vol 1 Part F 2.61)."""
        connection = self.le_connections.get(peer_address)
        if connection is not None:
            reason = hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR
            self._lose_after(connection, _EVENTS_TO_ESTABLISH * self._timing[peer_address].interval_s, reason)

    def silence_begins(self, peer_address: hci.Address) -> None:
        """Nothing is heard from the peer from now on: the link ends with its supervision timeout."""
        connection = self.le_connections.get(peer_address)
        if connection is not None and peer_address not in self._supervision:
            timeout_s = self._timing[peer_address].supervision_s
            self._lose_after(connection, timeout_s, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def silence_ends(self, peer_address: hci.Address) -> None:
        """The peer is heard again in time."""
        self._stop_supervision(peer_address)

    def _lose_after(self, connection: Connection, delay_s: float, reason: int) -> None:
        def lost() -> None:
            self._supervision.pop(connection.peer_address, None)
            if self.le_connections.get(connection.peer_address) is connection:
                self.on_le_disconnected(connection, reason)

        self._supervision[connection.peer_address] = asyncio.get_running_loop().call_later(delay_s, lost)

    def _stop_supervision(self, peer_address: hci.Address) -> None:
        timer = self._supervision.pop(peer_address, None)
        if timer is not None:
            timer.cancel()

    def _forget(self, connection: Connection) -> None:
        self._stop_supervision(connection.peer_address)
        self._timing.pop(connection.peer_address, None)
        del self.le_connections[connection.peer_address]

    def close(self) -> None:
        """Fall silent for good and leave the air; peers lose their links by supervision. Safe to call twice."""
        if self.closed:
            return
        self.closed = True
        self.hci_sink = None
        self.le_legacy_advertiser.stop()
        self.le_scan_enable = False
        self.pending_le_connection = None
        self.air.silence(self)
        for connection in list(self.le_connections.values()):
            self._forget(connection)
        self.air.remove_controller(self)
