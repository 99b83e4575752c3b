"""ATT PDUs that are cut off or too long, on the air: a simulated device refuses or ignores them, and lives on."""

from __future__ import annotations

import asyncio
import struct

import pytest
from bumble import att

from protocols.gatt import Property
from rig.clock import run
from rig.devices.catalogue import create
from rig.radio.link import VirtualRadio
from tests.rig.radio_world import client_for
from tests.security.test_who_may import answers, link_of

KEYS = ("dr05", "foreo", "omp")


@pytest.mark.parametrize("key", KEYS)
def test_a_write_of_any_length_is_answered_and_the_link_goes_on(key: str) -> None:
    async def go() -> None:
        async with VirtualRadio() as radio:
            device = create(key, 1)
            peripheral = await radio.add_device(device)
            async with await client_for(radio, device.advertisement.name) as client:
                connection = await link_of(radio)
                for service in device.services:
                    for characteristic in service.characteristics:
                        handle = peripheral._server._handles[characteristic.uuid]
                        for length in (0, 1, 2, 19, 20, 21, 244, 512, 513, 600):
                            response = await answers(connection, struct.pack("<BH", 0x12, handle) + bytes(length))
                            assert response[0] in (0x01, 0x13)
                            if not characteristic.properties & Property.WRITE:
                                assert response[0] == 0x01
                assert client.is_connected
            assert device.output_percent(asyncio.get_running_loop().time()) == 0

    run(go())


@pytest.mark.parametrize("key", KEYS)
def test_a_pdu_that_is_cut_off_ends_nothing_but_itself(key: str) -> None:
    async def go() -> None:
        async with VirtualRadio() as radio:
            device = create(key, 1)
            await radio.add_device(device)
            name = device.advertisement.name
            async with await client_for(radio, name) as client:
                connection = await link_of(radio)
                for opcode in (
                    0x02,
                    0x04,
                    0x06,
                    0x08,
                    0x0A,
                    0x0C,
                    0x0E,
                    0x10,
                    0x12,
                    0x16,
                    0x18,
                    0x20,
                    0x52,
                    0xD2,
                    0xFF,
                ):
                    for length in range(5):
                        pdu = bytes((opcode,)) + b"\x01" * length
                        connection.device.host.send_l2cap_pdu(connection.handle, att.ATT_CID, pdu)
                        await asyncio.sleep(0.1)
                connection.device.host.send_l2cap_pdu(connection.handle, att.ATT_CID, b"")
                await asyncio.sleep(1)
                assert client.is_connected
                assert await client.read_gatt_char("2a00") == name.encode()
            assert device.output_percent(asyncio.get_running_loop().time()) == 0

    run(go())
