"""Devices that go by the name, or the address, of one that was paired: nothing of a session is said to them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from companion.demo import DemoRadio, open_demo
from companion.device.connection import Connection
from companion.device.finder import Found, find
from companion.device.known import KnownDevice
from companion.device.pairing import ImpostorError
from companion.device.radio import RadioError
from protocols.registry import Registry
from rig import clock
from rig.devices.omp import SimulatedOmp
from tests.companion.test_pairing import Kept

PAIRED_AT = datetime(2026, 5, 1, tzinfo=UTC)


def untouched(device: SimulatedOmp) -> bool:
    """Nobody controlled it, wrote to it or listened to it."""
    return device.controller is None and device.trace == () and not any(device._subscriptions.values())


async def found_in(radio: DemoRadio) -> list[Found]:
    return await find(radio, Registry.default(), 5.0, settle_s=2.0)


def bonds_with(device: Found) -> Kept:
    known = KnownDevice(device.device.address, device.name, device.entry.key, PAIRED_AT)
    return Kept([known])


async def session(radio: DemoRadio, device: Found, bonds: Kept) -> None:
    connection = Connection(radio, device)
    connection.pairer = radio.stand_in()
    connection.bonds = bonds
    try:
        await connection.connect()
    finally:
        await connection.aclose()


def test_h9_another_device_under_the_name_of_one_that_was_paired_is_refused_before_a_word_is_said() -> None:
    async def go() -> None:
        radio = await open_demo("omp")
        try:
            (own,) = await found_in(radio)
            await session(radio, own, Kept())  # the pairing
            bonds = bonds_with(own)
            spoof = SimulatedOmp(5)
            await radio.air.add_device(spoof, address="C0:FF:EE:00:00:01", rssi=-20)  # louder than the real one
            heard = {one.device.address: one for one in await found_in(radio)}
            assert len(heard) == 2
            with pytest.raises(ImpostorError, match="another device goes by its name") as caught:
                await session(radio, heard["C0:FF:EE:00:00:01"], bonds)
            assert "companion devices --forget" in caught.value.advice
            assert untouched(spoof)
            await session(radio, heard[own.device.address], bonds)  # and the real one is as good as before
        finally:
            await radio.close()

    clock.run(go())


def test_h9_a_known_device_that_asks_to_be_paired_anew_is_refused() -> None:
    async def go() -> None:
        radio = await open_demo("omp")
        try:
            (own,) = await found_in(radio)
            bonds = bonds_with(own)
            assert isinstance(radio.device, SimulatedOmp)
            with pytest.raises(ImpostorError, match="wants to be paired anew"):  # this end has no keys for it
                await session(radio, own, bonds)
            assert untouched(radio.device)
        finally:
            await radio.close()

    clock.run(go())


def test_h9_who_has_the_address_of_a_bonded_device_and_not_its_keys_gets_no_session() -> None:
    async def go() -> None:
        radio = await open_demo("omp")
        try:
            (own,) = await found_in(radio)
            await session(radio, own, Kept())  # the pairing
            await radio.peripheral.close()
            spoof = SimulatedOmp(5)
            await radio.air.add_device(spoof, address=own.device.address)
            (other,) = await found_in(radio)
            with pytest.raises(RadioError, match="the bond is not known to the device"):
                await session(radio, other, bonds_with(own))
            assert untouched(spoof)
            assert asyncio.get_running_loop().time() < 120
        finally:
            await radio.close()

    clock.run(go())
