"""The same peripheral and the same bleak backend over HCI transports, in real time, through loopback sockets.

Two of Bumble's controllers listen where dongles would be; peripheral and central are hosts that know only a transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
import socket
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakError
from bumble import hci
from bumble.controller import Controller
from bumble.link import LocalLink
from bumble.transport import open_transport

from rig.capture.writer import BtsnoopWriter
from rig.radio.bleak_backend import HciRadio
from rig.radio.controller import VirtualController
from rig.radio.host import close_transport
from rig.radio.link import Air
from rig.radio.peripheral import Peripheral
from tests.rig.radio_world import ECHO, SECRET, echo_device


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


Make = Callable[[int], Controller]


def ours() -> Make:
    """Return what makes this project's controllers: legacy advertising."""
    air = Air()
    return lambda number: VirtualController(f"dongle {number}", air, _public(number), random.Random(number))


def bumbles() -> Make:
    """Return what makes Bumble's own controllers, as they are: extended advertising."""
    link = LocalLink()  # type: ignore[no-untyped-call]
    return lambda number: Controller(f"dongle {number}", link=link, public_address=_public(number))


def _public(number: int) -> hci.Address:
    return hci.Address(f"00:00:00:00:00:0{number + 1}", hci.Address.PUBLIC_DEVICE_ADDRESS)


@contextlib.asynccontextmanager
async def dongles(count: int, make: Make | None = None) -> AsyncIterator[list[str]]:
    """Serve so many controllers on one air; yields the transports by which hosts reach them."""
    make = make or ours()
    transports, names = [], []
    for number in range(count):
        port = free_port()
        transport = await open_transport(f"tcp-server:127.0.0.1:{port}")
        transports.append(transport)
        dongle = make(number)
        transport.source.set_packet_sink(dongle)
        dongle.set_packet_sink(transport.sink)
        names.append(f"tcp-client:127.0.0.1:{port}")
    try:
        yield names
    finally:
        for transport in transports:
            await close_transport(transport)


@pytest.mark.parametrize("controllers", [ours, bumbles], ids=["legacy advertising", "extended advertising"])
async def test_a_bleak_program_talks_to_a_simulated_device_over_two_hci_transports(
    controllers: Callable[[], Make],
) -> None:
    device = echo_device()
    record = io.BytesIO()
    async with dongles(2, controllers()) as (for_device, for_program), asyncio.timeout(20):
        peripheral = await Peripheral.on_transport(for_device, device, address="C0:FF:EE:00:00:01")
        try:
            async with await HciRadio.open(for_program, address="C0:FF:EE:00:00:02") as radio:
                with BtsnoopWriter(record, datetime(2024, 1, 1, tzinfo=UTC)) as writer:
                    radio.record(writer)
                    found = await BleakScanner.find_device_by_name("Echo", backend=radio.scanner_backend)
                    assert found is not None
                    assert found.address == "C0:FF:EE:00:00:01"
                    heard: asyncio.Queue[bytes] = asyncio.Queue()
                    async with BleakClient(found, backend=radio.client_backend) as client:
                        await client.start_notify(ECHO, lambda _, data: heard.put_nowait(bytes(data)))
                        for n in range(10):
                            await client.write_gatt_char(ECHO, bytes([n]), response=True)
                            assert await heard.get() == bytes([n])
                        await client.pair()
                        assert await client.read_gatt_char(SECRET) == b"secret"
                    assert writer.records > 50
        finally:
            await peripheral.close()
    assert [seen.data for seen in device.writes] == [bytes([n]) for n in range(10)]


async def test_a_dongle_that_is_pulled_out_ends_the_link_and_what_is_under_way() -> None:
    async with dongles(2) as (for_device, for_program), asyncio.timeout(20):
        peripheral = await Peripheral.on_transport(for_device, echo_device())
        radio = await HciRadio.open(for_program)
        gone: list[bool] = []
        client = BleakClient(
            peripheral.address,
            disconnected_callback=lambda c: gone.append(c.is_connected),
            backend=radio.client_backend,
        )
        await client.connect()
        host = radio.adapter._device.host  # type: ignore[union-attr]
        host.hci_sink.transport.abort()  # type: ignore[union-attr]
        with pytest.raises(BleakError, match=r"link is down|Not connected|Service Discovery"):
            await client.read_gatt_char(ECHO)
        assert gone == [False]
        with pytest.raises(BleakError, match="controller has gone"):
            await client.connect()
        with pytest.raises(BleakBluetoothNotAvailableError, match="controller has gone"):
            await BleakScanner.discover(1, backend=radio.scanner_backend)
        await radio.close()
        await peripheral.close()


async def test_a_scan_may_be_stopped_when_the_dongle_has_gone() -> None:
    async with dongles(1) as [transport], asyncio.timeout(20):
        radio = await HciRadio.open(transport)
        async with BleakScanner(backend=radio.scanner_backend):
            radio.adapter._device.host.hci_sink.transport.abort()  # type: ignore[union-attr]
            await asyncio.sleep(0.05)
        await radio.close()


async def test_a_peripheral_closes_when_its_dongle_has_gone() -> None:
    device = echo_device()
    async with dongles(2) as (for_device, for_program), asyncio.timeout(20):
        peripheral = await Peripheral.on_transport(for_device, device)
        async with await HciRadio.open(for_program) as radio:
            await BleakClient(peripheral.address, backend=radio.client_backend).connect()
            assert device.is_connected
            ended = asyncio.Event()
            (link,) = peripheral._links.values()
            link.connection.once("disconnection", lambda _: ended.set())
            peripheral._host.hci_sink.transport.abort()  # type: ignore[union-attr]
            await ended.wait()
            assert not device.is_connected
            await peripheral.close()


async def test_a_dongle_that_never_answers_is_bluetooth_that_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rig.radio.adapter.RESET_TIMEOUT_S", 0.05)
    monkeypatch.setattr("rig.radio.peripheral.RESET_TIMEOUT_S", 0.05)
    port = free_port()
    silent = await open_transport(f"tcp-server:127.0.0.1:{port}")
    try:
        with pytest.raises(BleakBluetoothNotAvailableError, match="does not answer"):
            await HciRadio.open(f"tcp-client:127.0.0.1:{port}")
        with pytest.raises(TimeoutError, match="controller does not answer"):
            await Peripheral.on_transport(f"tcp-client:127.0.0.1:{port}", echo_device())
    finally:
        await close_transport(silent)


async def test_closing_the_peripheral_ends_the_link() -> None:
    async with dongles(2) as (for_device, for_program), asyncio.timeout(20):
        peripheral = await Peripheral.on_transport(for_device, echo_device())
        async with await HciRadio.open(for_program) as radio:
            gone = asyncio.Event()
            client = BleakClient(
                peripheral.address, disconnected_callback=lambda _: gone.set(), backend=radio.client_backend
            )
            await client.connect()
            await peripheral.close()
            await gone.wait()
            assert not client.is_connected


@pytest.mark.parametrize("transport", ["tcp-client:127.0.0.1:1", "carrier-pigeon:0"])
async def test_a_transport_that_cannot_be_opened_is_bluetooth_that_is_not_available(transport: str) -> None:
    with pytest.raises(BleakBluetoothNotAvailableError, match=transport):
        await HciRadio.open(transport)
