"""What :mod:`rig.radio` works around in Bumble 0.0.236 is still so.

A test here that fails says that upstream has mended it, and that the override which names the place can go.
"""

from __future__ import annotations

import asyncio
import random
import struct
from typing import Any

import pytest
from bumble import att, hci, ll
from bumble.controller import Controller, LegacyAdvertiser
from bumble.core import InvalidArgumentError, PhysicalTransport
from bumble.device import Connection, Device
from bumble.gatt import Characteristic
from bumble.gatt_client import Client
from bumble.gatt_server import Server
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport import open_transport

from rig.clock import run

PUBLIC = hci.Address("00:11:22:33:44:55", hci.Address.PUBLIC_DEVICE_ADDRESS)
RANDOM = hci.Address("C0:FF:EE:00:00:01")
OTHER = hci.Address("C0:FF:EE:00:00:02")


class Sink:
    """Stands where a controller's host is, and keeps what it is sent."""

    def __init__(self) -> None:
        self.packets: list[Any] = []

    def on_packet(self, packet: bytes) -> None:
        self.packets.append(hci.HCI_Packet.from_bytes(packet))

    def of(self, kind: type[Any]) -> list[Any]:
        return [packet for packet in self.packets if isinstance(packet, kind)]


def controller(
    link: LocalLink, address: hci.Address = RANDOM, *, public: hci.Address | None = None
) -> tuple[Controller, Sink]:
    made = Controller("upstream", link=link, public_address=public)
    made.random_address = address
    sink = Sink()
    made.host = sink
    return made, sink


def create_connection(peer: hci.Address) -> hci.HCI_LE_Create_Connection_Command:
    return hci.HCI_LE_Create_Connection_Command(
        le_scan_interval=96,
        le_scan_window=96,
        initiator_filter_policy=0,
        peer_address_type=peer.address_type,
        peer_address=peer,
        own_address_type=hci.OwnAddressType.RANDOM,
        connection_interval_min=24,
        connection_interval_max=40,
        max_latency=0,
        supervision_timeout=42,
        min_ce_length=0,
        max_ce_length=0,
    )


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


# ---- the link ----------------------------------------------------------------------------------------------------


def test_a_local_link_keeps_its_controllers_in_a_set() -> None:
    assert isinstance(LocalLink().controllers, set)  # type: ignore[no-untyped-call]


def test_a_local_link_names_the_sender_by_its_random_address_always() -> None:
    async def main() -> None:
        link = LocalLink()  # type: ignore[no-untyped-call]
        sender, _ = controller(link, public=PUBLIC)
        receiver, _ = controller(link, OTHER)
        senders: list[hci.Address] = []
        receiver.on_link_acl_data = lambda address, *_: senders.append(address)  # type: ignore[method-assign]
        command = create_connection(OTHER)
        command.own_address_type = hci.OwnAddressType.PUBLIC
        sender.on_hci_le_create_connection_command(command)
        sender.create_le_connection(OTHER)
        assert sender.le_connections[OTHER].self_address == PUBLIC
        link.send_acl_data(sender, OTHER, PhysicalTransport.LE, b"x")
        await settle()
        assert senders == [RANDOM]

    run(main())


def test_a_local_link_raises_at_the_sender_when_the_receiver_has_gone() -> None:
    async def main() -> None:
        link = LocalLink()  # type: ignore[no-untyped-call]
        with pytest.raises(InvalidArgumentError):
            link.send_ll_control_pdu(RANDOM, OTHER, ll.TerminateInd(0x13))

    run(main())


# ---- the controller ----------------------------------------------------------------------------------------------


def test_the_controller_takes_advertising_intervals_for_milliseconds() -> None:
    async def main() -> None:
        sent: list[float] = []
        loop = asyncio.get_running_loop()
        advertiser = LegacyAdvertiser(None, advertising_interval_min=32)  # type: ignore[arg-type]
        advertiser.send_advertising_data = lambda: sent.append(loop.time())  # type: ignore[method-assign]
        advertiser.start()
        await asyncio.sleep(0.1)
        advertiser.stop()
        assert sent[1] == pytest.approx(0.032)  # 32 units of 0.625 ms are 20 ms

    run(main())


def test_the_controller_repeats_the_advertisement_as_scan_response_even_in_a_passive_scan() -> None:
    async def main() -> None:
        heard, sink = controller(LocalLink())  # type: ignore[no-untyped-call]
        heard.le_features &= ~hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
        heard.le_scan_enable, heard.le_scan_type = True, 0
        heard.on_advertising_pdu(ll.AdvInd(advertiser_address=OTHER, data=b"\x02\x01\x06"))
        await settle()
        reports = [event.reports[0] for event in sink.of(hci.HCI_LE_Advertising_Report_Event)]
        kinds = hci.HCI_LE_Advertising_Report_Event.EventType
        assert [(report.event_type, report.data, report.rssi) for report in reports] == [
            (kinds.ADV_IND, b"\x02\x01\x06", -50),
            (kinds.SCAN_RSP, b"\x02\x01\x06", -50),
        ]

    run(main())


def test_the_controller_says_yes_to_a_cancelled_connect_and_goes_on() -> None:
    async def main() -> None:
        initiator, sink = controller(LocalLink())  # type: ignore[no-untyped-call]
        initiator.on_hci_le_create_connection_command(create_connection(OTHER))
        initiator.on_hci_le_create_connection_cancel_command(hci.HCI_LE_Create_Connection_Cancel_Command())
        await settle()
        assert initiator.pending_le_connection is not None
        assert sink.of(hci.HCI_LE_Connection_Complete_Event) == []

    run(main())


def test_the_controller_never_completes_a_second_connect_to_one_peer() -> None:
    async def main() -> None:
        initiator, sink = controller(LocalLink())  # type: ignore[no-untyped-call]
        for _ in range(2):
            initiator.on_hci_le_create_connection_command(create_connection(OTHER))
            initiator.create_le_connection(OTHER)
            await settle()
        assert len(sink.of(hci.HCI_LE_Connection_Complete_Event)) == 1
        statuses = [event.status for event in sink.of(hci.HCI_Command_Status_Event)]
        assert statuses == [hci.HCI_COMMAND_STATUS_PENDING] * 2

    run(main())


def test_the_controller_reports_made_up_parameters_to_the_peripheral() -> None:
    async def main() -> None:
        advertiser, sink = controller(LocalLink())  # type: ignore[no-untyped-call]
        advertiser.le_legacy_advertiser.own_address_type = hci.OwnAddressType.RANDOM
        advertiser.le_legacy_advertiser.enabled = True
        advertiser.on_le_connect_ind(ll.ConnectInd(OTHER, RANDOM, interval=24, latency=0, timeout=42))
        await settle()
        [event] = sink.of(hci.HCI_LE_Connection_Complete_Event)
        assert (event.connection_interval, event.supervision_timeout) == (10, 10)

    run(main())


def test_the_controller_promises_to_end_a_link_that_it_does_not_know() -> None:
    async def main() -> None:
        made, sink = controller(LocalLink())  # type: ignore[no-untyped-call]
        made.on_hci_disconnect_command(hci.HCI_Disconnect_Command(connection_handle=99, reason=0x13))
        await settle()
        [status] = sink.packets
        assert status.status == hci.HCI_COMMAND_STATUS_PENDING

    run(main())


def test_the_controller_scans_on_through_a_reset() -> None:
    async def main() -> None:
        made, _ = controller(LocalLink())  # type: ignore[no-untyped-call]
        made.le_scan_enable = True
        made.on_hci_reset_command(hci.HCI_Reset_Command())
        assert made.le_scan_enable

    run(main())


def test_the_controllers_random_number_may_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        made, _ = controller(LocalLink())  # type: ignore[no-untyped-call]
        monkeypatch.setattr(random, "randint", lambda _low, high: high)
        with pytest.raises(struct.error):
            made.on_hci_le_rand_command(hci.HCI_LE_Rand_Command())

    run(main())


# ---- the host ----------------------------------------------------------------------------------------------------


def test_the_host_sends_the_next_command_before_a_cancelled_one_is_answered() -> None:
    async def main() -> None:
        sink = Sink()
        host = Host(controller_sink=sink)  # type: ignore[arg-type]
        first = asyncio.ensure_future(host.send_sync_command(hci.HCI_Reset_Command()))
        await settle()
        first.cancel()
        await settle()
        second = asyncio.ensure_future(host.send_sync_command(hci.HCI_Read_BD_ADDR_Command()))
        await settle()
        assert len(sink.packets) == 2
        second.cancel()
        await settle()

    run(main())


def test_the_host_prefers_to_be_connecting_when_a_link_comes_up() -> None:
    async def main() -> None:
        device = Device(host=Host())
        with pytest.raises(AssertionError):
            device.on_le_connection(1, OTHER, None, None, hci.Role.CENTRAL, 24, 0, 42)

    run(main())


# ---- GATT --------------------------------------------------------------------------------------------------------


def connection_to_nowhere(sent: list[bytes]) -> Connection:
    device = Device(host=Host())
    device.send_l2cap_pdu = lambda _handle, _cid, pdu: sent.append(pdu)  # type: ignore[method-assign]
    parameters = Connection.Parameters(30.0, 0, 420.0)
    return Connection(device, 1, PhysicalTransport.LE, RANDOM, None, OTHER, None, hci.Role.CENTRAL, parameters)


def test_the_client_sends_the_next_request_before_a_cancelled_one_is_answered() -> None:
    async def main() -> None:
        sent: list[bytes] = []
        client = Client(connection_to_nowhere(sent))
        first = asyncio.ensure_future(client.read_value(1))
        await settle()
        first.cancel()
        await settle()
        second = asyncio.ensure_future(client.read_value(2))
        await settle()
        assert sent == [b"\x0a\x01\x00", b"\x0a\x02\x00"]
        second.cancel()
        await settle()

    run(main())


def test_the_client_cancels_its_caller_when_the_link_ends() -> None:
    async def main() -> None:
        client = Client(connection_to_nowhere([]))
        request = asyncio.ensure_future(client.read_value(1))
        await settle()
        client.on_disconnection(0x13)
        with pytest.raises(asyncio.CancelledError):
            await request

    run(main())


def test_the_server_does_not_check_whether_a_value_may_be_written() -> None:
    async def main() -> None:
        sent: list[bytes] = []
        connection = connection_to_nowhere(sent)
        server = Server(connection.device)
        value = Characteristic[bytes](
            "FFE1", Characteristic.Properties.READ, Characteristic.Permissions.READABLE, b"constant"
        )
        server.add_attribute(value)
        write = att.ATT_Write_Request(attribute_handle=value.handle, attribute_value=b"changed")
        server.on_gatt_pdu(connection, write)
        assert value.value == b"constant"  # not yet: it starts a task for every write
        await settle()
        assert value.value == b"changed"
        assert sent == [b"\x13"]

    run(main())


def test_the_server_keeps_an_unconfirmed_indication_when_the_link_ends() -> None:
    async def main() -> None:
        connection = connection_to_nowhere([])
        server = Server(connection.device)
        value = Characteristic[bytes]("FFE2", Characteristic.Properties.INDICATE, 0, b"")  # type: ignore[arg-type]
        server.add_attribute(value)
        indication = asyncio.ensure_future(server.indicate_subscriber(connection, value, b"x", force=True))
        await settle()
        server.on_disconnection(connection)
        await asyncio.sleep(29)
        assert not indication.done()
        await asyncio.sleep(2)
        assert isinstance(indication.exception(), TimeoutError)
        assert connection in server.pending_confirmations

    run(main())


# ---- transports --------------------------------------------------------------------------------------------------


async def test_a_tcp_server_transport_goes_on_listening_after_it_is_closed() -> None:
    transport = await open_transport("tcp-server:127.0.0.1:0")
    server = transport.server  # type: ignore[attr-defined]
    await transport.close()
    assert server.is_serving()
    server.close()
    await server.wait_closed()
