"""Passkey entry and numeric comparison on the virtual radio, between two people who may err."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from bleak import BleakClient
from bleak.exc import BleakError, BleakGATTProtocolError, BleakGATTProtocolErrorCode

from rig.clock import run
from rig.radio.details import RadioDetails
from rig.radio.host import RadioHost
from rig.radio.link import VirtualRadio
from rig.radio.pairing import JUST_WORKS, Ability, Pairing
from rig.testing import ScriptedDevice
from tests.rig.radio_world import SECRET, client_for, echo_device


class Person:
    """Somebody at one end: reads what the other end shows, and answers."""

    def __init__(self, *, agrees: bool = True) -> None:
        self.seen: int | None = None
        self.shown = asyncio.Event()
        self.compared: int | None = None
        self.agrees = agrees
        self.types: int | None = None
        self.reads: Person | None = None

    async def compare(self, number: int) -> bool:
        self.compared = number
        return self.agrees

    async def enter(self) -> int | None:
        if self.reads is None:
            return self.types
        await self.reads.shown.wait()  # a person looks until there is something to see
        return self.reads.seen

    def show(self, number: int) -> None:
        self.seen = number
        self.shown.set()

    def passkey(self) -> int:
        return 42  # shown as 000042


def pairing_device(pairing: Pairing) -> ScriptedDevice:
    """The echo device, whose secret needs a key that nobody in between can have."""

    class Device(ScriptedDevice):
        @property
        def radio_details(self) -> RadioDetails:
            return dataclasses.replace(super().radio_details, authenticated=frozenset({SECRET}), pairing=pairing)

    device = echo_device()
    device.__class__ = Device
    return device


async def reads_secret(client: BleakClient) -> bytes | int:
    """What reading the secret gives: its value, or the ATT error."""
    try:
        return bytes(await client.read_gatt_char(SECRET))
    except BleakGATTProtocolError as refused:
        return refused.code


async def pair(radio: VirtualRadio, device: Pairing, central: Pairing) -> tuple[str | None, bytes | int]:
    """Pair, and say how it failed (None: it did not) and what the secret reads as afterwards."""
    await radio.add_device(pairing_device(device))
    radio.adapter.pairing = central
    async with await client_for(radio) as client:
        failure = None
        try:
            await client.pair()
        except BleakError as error:
            failure = str(error)
        return failure, await reads_secret(client)


def paired(device: Pairing, central: Pairing) -> tuple[str | None, bytes | int]:
    async def main() -> tuple[str | None, bytes | int]:
        async with VirtualRadio() as radio:
            return await pair(radio, device, central)

    return run(main())


def test_a_passkey_that_the_device_shows_is_typed_at_the_other_end() -> None:
    device, person = Person(), Person()
    person.reads = device
    outcome = paired(Pairing(Ability.SHOWS, device), Pairing(Ability.SHOWS_AND_TYPES, person))
    assert outcome == (None, b"secret")
    assert device.seen == 42
    assert person.compared is None


def test_both_ends_show_the_same_number_to_compare() -> None:
    device, person = Person(), Person()
    outcome = paired(Pairing(Ability.SHOWS_AND_CONFIRMS, device), Pairing(Ability.SHOWS_AND_TYPES, person))
    assert outcome == (None, b"secret")
    assert device.compared == person.compared
    assert device.compared is not None


@pytest.mark.parametrize("typed", [43, None], ids=["wrong", "not at all"])
def test_a_passkey_typed_wrong_or_not_at_all_pairs_nothing(typed: int | None) -> None:
    device, person = Person(), Person()
    person.types = typed
    failure, secret = paired(Pairing(Ability.SHOWS, device), Pairing(Ability.SHOWS_AND_TYPES, person))
    assert failure is not None
    assert failure.startswith("pairing failed")
    assert secret == BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION


@pytest.mark.parametrize("who", ["device", "person"])
def test_numbers_that_somebody_finds_different_pair_nothing(who: str) -> None:
    device, person = Person(agrees=who != "device"), Person(agrees=who != "person")
    failure, secret = paired(Pairing(Ability.SHOWS_AND_CONFIRMS, device), Pairing(Ability.SHOWS_AND_TYPES, person))
    assert failure is not None
    assert secret == BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION


def test_just_works_encrypts_and_does_not_open_what_needs_more() -> None:
    assert paired(JUST_WORKS, JUST_WORKS) == (None, BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION)


def test_a_bond_remembers_how_it_was_made() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            device, person = Person(), Person()
            person.reads = device
            radio.adapter.pairing = Pairing(Ability.SHOWS_AND_TYPES, person)
            await radio.add_device(pairing_device(Pairing(Ability.SHOWS, device)))
            client = await client_for(radio)
            async with client:
                await client.pair()
            device.seen = None
            async with client:
                assert await reads_secret(client) == b"secret"
            assert device.seen is None  # nobody was asked again

    run(main())


def test_an_end_that_shows_or_types_needs_somebody_there() -> None:
    with pytest.raises(ValueError, match="TYPES needs somebody"):
        Pairing(Ability.TYPES)


class Pieces:
    """A wire that hands over what has come every 5 ms in one piece, as USB and sockets do."""

    def __init__(self, host: RadioHost) -> None:
        self._host = host
        self._kept: list[bytes] = []

    def on_packet(self, packet: bytes) -> None:
        if not self._kept:
            asyncio.get_running_loop().call_later(0.005, self._hand_over)
        self._kept.append(packet)

    def _hand_over(self) -> None:
        kept, self._kept = self._kept, []
        for packet in kept:
            self._host.on_packet(packet)


@pytest.mark.parametrize("first", ["read", "write"])
def test_what_comes_in_one_piece_with_the_end_of_a_pairing_has_its_rights(first: str) -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            device, person = Person(), Person()
            peripheral = await radio.add_device(pairing_device(Pairing(Ability.SHOWS_AND_CONFIRMS, device)))
            radio.adapter.pairing = Pairing(Ability.SHOWS_AND_CONFIRMS, person)
            controller = next(one for one in radio._controllers if one.name == "Echo")
            controller.hci_sink = Pieces(peripheral._host)
            async with await client_for(radio) as client:
                await client.pair()
                if first == "write":
                    await client.write_gatt_char(SECRET, b"mine", response=True)
                assert await reads_secret(client) == (b"mine" if first == "write" else b"secret")

    run(main())
