"""The simulated OMP device on the virtual radio: what it advertises, and what each characteristic wants of a link."""

from __future__ import annotations

import pytest
from bleak import BleakScanner
from bleak.exc import BleakGATTProtocolError

from protocols import omp_codec
from protocols.omp_codec import Opcode, Request, Response, Result
from rig.clock import run
from rig.devices.omp import AUTHENTICATED, BATTERY_LEVEL, ENCRYPTED, SimulatedOmp
from rig.radio.link import VirtualRadio
from rig.radio.pairing import Ability, Pairing
from tests.rig.radio_world import client_for
from tests.rig.test_pairing_methods import Person

INSUFFICIENT_AUTHENTICATION = 0x05
INSUFFICIENT_ENCRYPTION = 0x0F
WRITTEN = Request(Opcode.IDENTIFY, (3,)).encode()


def test_it_is_found_by_its_service_and_its_service_data() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            await radio.add_device(SimulatedOmp())
            seen = await BleakScanner.discover(2.0, return_adv=True, backend=radio.scanner_backend)
            ((_device, advertisement),) = seen.values()
            assert advertisement.local_name == "OMP"
            assert advertisement.service_uuids == [omp_codec.SERVICE]
            assert advertisement.service_data == {omp_codec.SERVICE: b"\x01\x01"}

    run(main())


def test_rule_7_an_unencrypted_link_reaches_nothing_of_the_profile() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            device = SimulatedOmp()
            await radio.add_device(device)
            async with await client_for(radio, "OMP") as client:
                refused = []
                for characteristic in (omp_codec.FEATURES, omp_codec.STATUS):
                    with pytest.raises(BleakGATTProtocolError) as error:
                        await client.read_gatt_char(characteristic)
                    refused.append(error.value.code)
                for characteristic in sorted(ENCRYPTED - {omp_codec.FEATURES}):
                    with pytest.raises(BleakGATTProtocolError) as error:
                        await client.start_notify(characteristic, lambda _c, _d: None)
                    refused.append(error.value.code)
                with pytest.raises(BleakGATTProtocolError) as error:
                    await client.write_gatt_char(omp_codec.CONTROL_POINT, WRITTEN, response=True)
                refused.append(error.value.code)
                assert set(refused) == {INSUFFICIENT_ENCRYPTION}
                assert device.beeps == 0
                assert await client.read_gatt_char(BATTERY_LEVEL)

    run(main())


def test_a_link_paired_without_authentication_may_watch_and_not_control() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            device = SimulatedOmp(pairing=Ability.NOTHING)
            await radio.add_device(device)
            async with await client_for(radio, "OMP") as client:
                await client.pair()
                assert len(await client.read_gatt_char(omp_codec.STATUS)) == 12
                await client.start_notify(omp_codec.TELEMETRY, lambda _c, _d: None)
                for characteristic in sorted(AUTHENTICATED):
                    with pytest.raises(BleakGATTProtocolError) as error:
                        await client.start_notify(characteristic, lambda _c, _d: None)
                    assert error.value.code == INSUFFICIENT_AUTHENTICATION
                with pytest.raises(BleakGATTProtocolError) as error:
                    await client.write_gatt_char(omp_codec.CONTROL_POINT, WRITTEN, response=True)
                assert error.value.code == INSUFFICIENT_AUTHENTICATION
                assert device.beeps == 0

    run(main())


def test_a_link_paired_by_passkey_may_control_and_a_bonded_one_may_again() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            person, display = Person(), Person()
            person.reads = display
            device = SimulatedOmp(pairing=Ability.SHOWS)
            device.display.on_show = display.show
            await radio.add_device(device)
            radio.adapter.pairing = Pairing(Ability.TYPES, person)
            client = await client_for(radio, "OMP")
            for link in (1, 2):
                async with client:
                    if link == 1:
                        await client.pair()
                    await client.start_notify(omp_codec.CONTROL_POINT, lambda _c, _d: None)
                    request = Request(Opcode.REQUEST_CONTROL, (77,))
                    await client.write_gatt_char(omp_codec.CONTROL_POINT, request.encode(), response=True)
                    assert device.controller == 0
            assert display.seen == device.display.shown is not None

    run(main())


def test_a_device_made_without_security_is_open() -> None:
    async def main() -> None:
        async with VirtualRadio() as radio:
            device = SimulatedOmp(secured=False)
            await radio.add_device(device)
            answers: list[bytes] = []
            async with await client_for(radio, "OMP") as client:
                with pytest.raises(BleakGATTProtocolError) as error:
                    await client.write_gatt_char(omp_codec.CONTROL_POINT, WRITTEN, response=True)
                assert error.value.code == 0xFD  # nowhere to send the answer
                await client.start_notify(omp_codec.CONTROL_POINT, lambda _c, data: answers.append(bytes(data)))
                request = Request(Opcode.REQUEST_CONTROL, (77,))
                await client.write_gatt_char(omp_codec.CONTROL_POINT, request.encode(), response=True)
                await client.read_gatt_char(omp_codec.STATUS)
            assert Response.decode(answers[0]) == Response(Opcode.REQUEST_CONTROL, Result.SUCCESS, (77,))
            assert device.controller is None  # and the end of the link has ended it

    run(main())
