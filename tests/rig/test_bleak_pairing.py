"""Pairing by Bumble's security manager: encrypted characteristics open, bonds last, and what fails says how."""

from __future__ import annotations

import asyncio

import pytest
from bleak import BleakClient
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError, BleakGATTProtocolErrorCode
from bumble.pairing import PairingConfig, PairingDelegate

from rig.clock import run
from rig.radio.link import VirtualRadio
from tests.rig.radio_world import ECHO, SECRET, client_for, echo_device, found


def test_pairing_opens_what_needs_encryption() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                for operation in (client.read_gatt_char(SECRET), client.write_gatt_char(SECRET, b"x", response=True)):
                    with pytest.raises(BleakGATTProtocolError) as refused:
                        await operation
                    assert refused.value.code == BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION
                await client.pair()
                assert await client.read_gatt_char(SECRET) == b"secret"
                await client.write_gatt_char(SECRET, b"changed", response=True)
                await client.pair()  # nothing to do any more
                assert await client.read_gatt_char(SECRET) == b"changed"

    run(main())


def test_a_bond_encrypts_the_next_link_by_itself() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            client = await client_for(radio)
            async with client:
                await client.pair()
            async with client:
                assert await client.read_gatt_char(SECRET) == b"secret"

    run(main())


def test_pairing_comes_before_discovery_where_asked_for() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio, pair=True) as client:
                assert await client.read_gatt_char(SECRET) == b"secret"

    run(main())


def test_unpairing_disconnects_and_forgets() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            client = await client_for(radio)
            await client.connect()
            await client.pair()
            await client.unpair()
            assert not client.is_connected
            async with client:
                with pytest.raises(BleakGATTProtocolError):
                    await client.read_gatt_char(SECRET)
                await client.pair()
                assert await client.read_gatt_char(SECRET) == b"secret"

    run(main())


def test_unpairing_what_was_never_known_says_so() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device())
            with pytest.raises(BleakDeviceNotFoundError):
                await BleakClient(await found(radio), backend=radio.client_backend).unpair()

    run(main())


def test_a_device_that_lost_its_keys_says_to_unpair_first() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            client = await client_for(radio)
            async with client:
                await client.pair()
            keystore = peripheral._bumble.keystore
            assert keystore is not None
            await keystore.delete_all()
            with pytest.raises(BleakError, match="unpair first"):
                await client.connect()
            assert not client.is_connected
            await client.unpair()
            async with client:
                await client.pair()
                assert await client.read_gatt_char(SECRET) == b"secret"

    run(main())


def test_a_device_that_refuses_to_pair_is_told_as_such_and_stays_connected() -> None:
    class Refusing(PairingDelegate):
        async def accept(self) -> bool:
            return False

    async def main() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(echo_device())
            peripheral._bumble.pairing_config_factory = lambda _: PairingConfig(delegate=Refusing())
            async with await client_for(radio) as client:
                with pytest.raises(BleakError, match="pairing failed"):
                    await client.pair()
                assert await client.read_gatt_char(ECHO) == b"hello"

    run(main())


def test_a_link_that_ends_while_pairing_fails_the_pairing() -> None:
    async def main() -> None:
        async with VirtualRadio(latency_s=0.01) as radio:
            peripheral = await radio.add_device(echo_device())
            client = await client_for(radio)
            await client.connect()
            attempt = asyncio.ensure_future(client.pair())
            await asyncio.sleep(0.03)
            await peripheral.hang_up()
            with pytest.raises(BleakError, match="the link ended"):
                await attempt

    run(main())


def test_a_cancelled_pairing_is_cancelled_and_nothing_else() -> None:
    async def main() -> None:
        async with VirtualRadio(latency_s=0.01) as radio:
            await radio.add_device(echo_device())
            async with await client_for(radio) as client:
                attempt = asyncio.ensure_future(client.pair())
                await asyncio.sleep(0.03)
                attempt.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await attempt
                assert await client.read_gatt_char(ECHO) == b"hello"

    run(main())


def test_pairing_works_with_a_device_of_a_public_address() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(echo_device(), address="00:11:22:33:44:55")
            client = await client_for(radio)
            async with client:
                await client.pair()
                assert await client.read_gatt_char(SECRET) == b"secret"
            async with client:
                assert await client.read_gatt_char(SECRET) == b"secret"

    run(main())
