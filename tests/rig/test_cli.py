"""The rig command: what there is, a device put on an HCI transport, and one line for every mistake."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket

import pytest
from bleak import BleakClient, BleakScanner
from bumble import hci
from bumble.transport.tcp_server import open_tcp_server_transport_with_socket

from protocols.gatt import uuid
from rig.cli import main
from rig.commands.serve import serving
from rig.devices.dr05 import SimulatedDr05
from rig.radio.controller import VirtualController
from rig.radio.link import VirtualRadio

TOTAL_STOP = bytes.fromhex("55AA0500A63102066BF2")
ADDRESS = "C0:FF:EE:00:00:01"


def test_the_devices_are_listed_with_what_they_advertise_and_offer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices"]) == 0
    listed = capsys.readouterr().out
    assert "dr05     advertises 'Dr-05'" in listed
    assert "foreo    advertises 'BEAR2'" in listed
    assert f"{uuid(0xFFE1)}  write-without-response, write, notify" in listed


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["serve", "toaster", "--transport", "usb:0"], 2, "there is no simulated device 'toaster'; there are: dr05"),
        (["serve", "dr05"], 2, "--transport"),
        (["serve", "dr05", "--transport", "bogus:1"], 2, "there is no kind of transport 'bogus'; there are: pyusb,"),
        (["serve", "dr05", "--transport", "tcp-client:here"], 2, "write tcp-client:HOST:PORT; see `rig serve --help`"),
        (["serve", "dr05", "--transport", "tcp-client:127.0.0.1:1"], 5, "nobody listens at 127.0.0.1:1"),
        (["serve", "dr05", "--transport", "serial:/dev/nothing-here"], 5, "there is no /dev/nothing-here"),
        (
            ["serve", "dr05", "--transport", "usb:0", "--address", "00:11:22:33:44:55"],
            2,
            "write a random static address",
        ),
        (["serve", "dr05", "--transport", "usb:0", "--address", "C0FFEE"], 2, "write a random static address"),
        (["doctor", "--transport", "bogus:1"], 2, "see `rig doctor --help`"),
        (["doctor", "usb:0"], 2, "'usb:0'"),
        (["sing"], 2, 'unknown command "sing"'),
    ],
)
def test_a_mistake_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, complaint: str
) -> None:
    assert main(arguments) == code
    said = capsys.readouterr().err
    assert said.startswith("rig: ")
    assert complaint in said
    assert said.count("\n") == 1


async def test_a_served_device_is_found_and_driven_through_the_controller_behind_its_transport(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        async with VirtualRadio() as radio, await open_tcp_server_transport_with_socket(server) as transport:
            # What a dongle is: a controller whose host is at the other end of a wire.
            controller = VirtualController("dongle", radio.air, hci.Address.ANY, random.Random(1))
            transport.source.set_packet_sink(controller)
            controller.host = transport.sink
            served = asyncio.create_task(serving(SimulatedDr05(), f"tcp-client:127.0.0.1:{port}", ADDRESS))
            found = await BleakScanner.find_device_by_name("Dr-05", backend=radio.scanner_backend)
            assert found is not None
            assert found.address == ADDRESS
            answers: asyncio.Queue[bytes] = asyncio.Queue()
            async with BleakClient(found, backend=radio.client_backend) as client:
                await client.start_notify(uuid(0xFFE1), lambda _, data: answers.put_nowait(bytes(data)))
                await client.write_gatt_char(uuid(0xFFE1), TOTAL_STOP, response=False)
                async with asyncio.timeout(5):
                    assert (await answers.get())[5:8] == bytes.fromhex("310106")  # accepted
            served.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await served
            controller.close()
    assert f"'Dr-05' advertises as {ADDRESS}" in capsys.readouterr().out
