"""A simulated device for a host that is behind a transport, as the system's own stack is."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator

import pytest
from bleak import BleakClient, BleakScanner
from bumble import hci, ll

from rig.radio.bleak_backend import HciRadio
from rig.radio.link import Air
from rig.radio.system_air import SYSTEM_ADDRESS, SystemAir, SystemController
from tests.rig.radio_world import ECHO, SECRET, echo_device

DEVICE_ADDRESS = "C0:FF:EE:00:00:01"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Sink:
    """Where a controller's packets go."""

    def __init__(self, packets: list[bytes]) -> None:
        self._packets = packets

    def on_packet(self, packet: bytes) -> None:
        self._packets.append(packet)


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[tuple[SystemAir, str]]:
    """An air whose system listens on a loopback socket; yields it and the transport by which a host reaches it."""
    port = _free_port()
    async with await SystemAir.open(f"tcp-server:127.0.0.1:{port}") as air, asyncio.timeout(20):
        yield air, f"tcp-client:127.0.0.1:{port}"


async def test_a_host_behind_a_transport_finds_and_uses_the_simulated_device() -> None:
    device = echo_device()
    async with world() as (air, name):
        peripheral = await air.add_device(device, address=DEVICE_ADDRESS)
        async with await HciRadio.open(name) as radio:
            found = await BleakScanner.find_device_by_name("Echo", backend=radio.scanner_backend)
            assert found is not None
            assert found.address == DEVICE_ADDRESS
            heard: asyncio.Queue[bytes] = asyncio.Queue()
            async with BleakClient(found, backend=radio.client_backend) as client:
                assert peripheral.is_connected
                await client.start_notify(ECHO, lambda _, data: heard.put_nowait(bytes(data)))
                await client.write_gatt_char(ECHO, b"ping", response=True)
                assert await heard.get() == b"ping"
                encrypted = [peripheral.is_encrypted]
                await client.pair()
                assert await client.read_gatt_char(SECRET) == b"secret"
                encrypted.append(peripheral.is_encrypted)
            encrypted.append(peripheral.is_encrypted)
            assert encrypted == [False, True, False]
    assert [seen.data for seen in device.writes] == [b"ping"]


async def test_a_host_that_connects_from_its_public_address_is_understood() -> None:
    device = echo_device()
    async with world() as (air, name):
        await air.add_device(device, address=DEVICE_ADDRESS)
        async with await HciRadio.open(name) as radio:
            found = await BleakScanner.find_device_by_name("Echo", backend=radio.scanner_backend)
            assert found is not None
            bumble = await radio.adapter.ready()
            connection = await bumble.connect(  # as BlueZ does, which has no random address of its own
                hci.Address(DEVICE_ADDRESS, hci.Address.RANDOM_DEVICE_ADDRESS),
                own_address_type=hci.OwnAddressType.PUBLIC,
            )
            assert str(air.controller.public_address).startswith(SYSTEM_ADDRESS)
            assert await connection.gatt_client.discover_services()
            await connection.disconnect()


async def test_the_controller_claims_nothing_that_makes_linux_wait_for_events_that_never_come() -> None:
    async with world() as (_, name), await HciRadio.open(name) as radio:
        bumble = await radio.adapter.ready()
        assert not bumble.host.supports_le_features(hci.LeFeatureMask.LL_PRIVACY)
        assert bumble.host.supports_le_features(hci.LeFeatureMask.LE_ENCRYPTION)


@pytest.mark.parametrize(("filtering", "reports"), [(True, 1), (False, 3)], ids=["filtering", "not filtering"])
async def test_a_scan_that_asks_for_it_hears_of_an_advertiser_once(filtering: bool, reports: int) -> None:
    air = Air()
    public = hci.Address(SYSTEM_ADDRESS, hci.Address.PUBLIC_DEVICE_ADDRESS)
    controller = SystemController("system", air, public, random.Random(0))
    to_host: list[bytes] = []
    controller.set_packet_sink(Sink(to_host))
    heard = ll.AdvInd(hci.Address(DEVICE_ADDRESS, hci.Address.RANDOM_DEVICE_ADDRESS), b"")
    scan = hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=int(filtering))
    for _ in range(2):  # a new scan begins anew
        to_host.clear()
        controller.on_packet(bytes(scan))
        for _ in range(3):
            controller.on_advertising_pdu(heard)
        await asyncio.sleep(0)
        assert sum(packet[3] == hci.HCI_LE_ADVERTISING_REPORT_EVENT for packet in to_host) == reports


async def test_without_the_kernel_s_module_the_error_is_the_system_s(tmp_path: object) -> None:
    with pytest.raises(OSError, match="nothing-here"):
        await SystemAir.open(f"vhci:{tmp_path}/nothing-here")
