"""A central that is not the owner's, against the simulated OMP device: what each kind of request meets."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator

import pytest
from bumble import att
from bumble.device import Connection

from protocols import omp_codec as codec
from protocols.omp_codec import Opcode, Request, Response, Result, State
from rig.clock import run
from rig.devices.omp import ENCRYPTED, SimulatedOmp
from rig.radio.link import VirtualRadio
from rig.radio.pairing import JUST_WORKS, Ability, Pairing
from rig.radio.peripheral import Peripheral
from tests.rig.omp_rules import Hand
from tests.rig.radio_world import client_for
from tests.rig.test_pairing_methods import Person

AUTHENTICATION, ENCRYPTION = 0x05, 0x0F
"""ATT error codes of Core Specification Vol 3 Part F 3.4.1.1."""
DANGEROUS = (
    Request(Opcode.REQUEST_CONTROL, (7,)),
    Request(Opcode.SET_TARGET, (100,)),
    Request(Opcode.START, (60,)),
    Request(Opcode.IDENTIFY, (3,)),
)


def attributes(peripheral: Peripheral) -> dict[str, tuple[int, int | None]]:
    """By characteristic: the handles of its value and of its CCCD."""
    found = {}
    for name in sorted(ENCRYPTED):
        value = peripheral._server._handles[name]
        cccd = next(
            (
                handle
                for handle in (value + 1, value + 2)
                if (attribute := peripheral._server.get_attribute(handle)) is not None
                and attribute.type.to_hex_str() == "2902"
            ),
            None,
        )
        found[name] = (value, cccd)
    return found


def requests_for(handle: int, name: str) -> Iterator[bytes]:
    """Every ATT request that reads or writes one attribute (Vol 3 Part F 3.4)."""
    value = Request(Opcode.REQUEST_CONTROL, (7,)).encode()
    kind = bytes.fromhex(name.replace("-", ""))[::-1]
    yield struct.pack("<BH", 0x0A, handle)  # Read
    yield struct.pack("<BHH", 0x0C, handle, 0)  # Read Blob
    yield struct.pack("<BHH", 0x0C, handle, 1)
    yield struct.pack("<BHH", 0x08, handle, handle) + kind  # Read By Type
    yield struct.pack("<BHH", 0x0E, handle, handle)  # Read Multiple
    yield struct.pack("<BHH", 0x20, handle, handle)  # Read Multiple Variable
    yield struct.pack("<BHHH", 0x06, handle, handle, int.from_bytes(kind[12:14], "little")) + b"\0"  # Find By Type
    yield struct.pack("<BH", 0x12, handle) + value  # Write
    yield struct.pack("<BHH", 0x16, handle, 0) + value  # Prepare Write
    yield b"\x18\x01"  # Execute Write


async def link_of(radio: VirtualRadio) -> Connection:
    return next(iter((await radio.adapter.ready()).connections.values()))


async def answers(connection: Connection, request: bytes) -> bytes:
    """Send one ATT request as it is and return the response, as octets."""
    return bytes(await asyncio.wait_for(connection.gatt_client.request(request), 5))


def test_h9_an_unpaired_central_gets_nothing_by_any_request_and_changes_nothing() -> None:
    async def go() -> None:
        async with VirtualRadio() as radio:
            device = SimulatedOmp()
            peripheral = await radio.add_device(device)
            async with await client_for(radio, "OMP"):
                connection = await link_of(radio)
                heard: list[bytes] = []
                for name, handles in attributes(peripheral).items():
                    for handle in filter(None, handles):
                        for request in requests_for(handle, name):
                            response = await answers(connection, request)
                            if request[0] == 0x18:
                                continue  # there is nothing that it could carry out, as is looked at below
                            assert response[0] == 0x01, (name, request.hex(), response.hex())
                            heard.append(response[4:5])
                        for write in DANGEROUS:  # without a response there is not even a refusal
                            connection.device.host.send_l2cap_pdu(
                                connection.handle, att.ATT_CID, struct.pack("<BH", 0x52, handle) + write.encode()
                            )
                    reading = await answers(connection, struct.pack("<BH", 0x0A, handles[0]))
                    assert reading[4] in (ENCRYPTION, 0x02)  # 02: it can only be written or notified
                await asyncio.sleep(1)
                assert bytes((ENCRYPTION,)) in heard
                assert device.controller is None
                assert device.state is State.IDLE
                assert (device.target_ua, device.beeps, device.trace) == (0, 0, ())
                assert device._subscriptions == {0: set()}

    run(go())


def test_h9_every_kind_of_read_and_write_meets_the_same_refusal() -> None:
    async def go() -> None:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(SimulatedOmp())
            async with await client_for(radio, "OMP"):
                connection = await link_of(radio)
                handles = attributes(peripheral)
                reads = [struct.pack("<BH", 0x0A, handles[each][0]) for each in (codec.FEATURES, codec.STATUS)]
                reads += [struct.pack("<BHH", 0x0C, handles[codec.STATUS][0], 0)]
                cccds = [struct.pack("<BHH", 0x12, cccd, 1) for _, cccd in handles.values() if cccd is not None]
                writes = [struct.pack("<BH", 0x12, handles[codec.CONTROL_POINT][0]) + one.encode() for one in DANGEROUS]
                stop = struct.pack("<BH", 0x12, handles[codec.CONTROL_POINT][0]) + Request(Opcode.STOP).encode()
                for request in (*reads, *cccds, *writes, stop):
                    response = await answers(connection, request)
                    assert (response[0], response[4]) == (0x01, ENCRYPTION), request.hex()

    run(go())


# --- bonds ------------------------------------------------------------------------------------------------------------


def test_h9_a_stranger_under_the_owners_address_has_no_rights_while_it_pairs_without_a_code() -> None:
    """Between the encryption and the end of a pairing the link has a key, and it is not the owner's."""

    async def go() -> None:
        async with VirtualRadio() as radio:
            person, device = Person(), SimulatedOmp()
            peripheral = await radio.add_device(device)
            control_point = attributes(peripheral)[codec.CONTROL_POINT]
            radio.adapter.pairing = Pairing(Ability.SHOWS_AND_TYPES, person)
            client = await client_for(radio, "OMP")
            async with client:
                await client.pair()
            central = await radio.adapter.ready()
            await radio.adapter.forget(peripheral.bumble_address)  # the stranger has the address, and not the keys
            radio.adapter.pairing = JUST_WORKS
            refused: list[int] = []
            async with client:
                connection = await link_of(radio)

                async def tries() -> None:
                    assert control_point[1] is not None
                    subscribe = struct.pack("<BHH", 0x12, control_point[1], 2)
                    control = struct.pack("<BH", 0x12, control_point[0]) + DANGEROUS[0].encode()
                    for request in (subscribe, control):
                        response = await answers(connection, request)
                        refused.append(response[4] if response[0] == 0x01 else 0)

                trying: list[asyncio.Task[None]] = []
                connection.on(
                    Connection.EVENT_CONNECTION_ENCRYPTION_CHANGE,
                    lambda: trying.append(asyncio.ensure_future(tries())),
                )
                await client.pair()
                await asyncio.gather(*trying)
                await tries()
            assert len(refused) == 4
            assert set(refused) == {AUTHENTICATION}
            assert device.controller is None
            assert central.connections == {}

    run(go())


def test_rule_8_a_second_bonded_central_may_watch_and_stop_and_nothing_else() -> None:
    hand = Hand(SimulatedOmp(3))
    for opcode, *parameters in ((Opcode.REQUEST_CONTROL, 1), (Opcode.SET_TARGET, 100), (Opcode.START, 60)):
        assert hand.ask(opcode, *parameters) is Result.SUCCESS
    hand.ask(Opcode.KEEP_ALIVE, 5000)
    hand.advance(3.0)
    device, second = hand.device, hand.second
    assert device.output_ua(hand.now) > 50
    assert len(second.read(codec.STATUS, hand.now)) == 12
    assert len(second.read(codec.FEATURES, hand.now)) == 16
    assert codec.TELEMETRY in {told.characteristic for told in hand.seconds}
    arguments = {Opcode.REPORT_RECORDS: (0,), Opcode.DELETE_RECORDS: (0,)}
    for opcode in Opcode:
        if opcode is Opcode.STOP:
            continue
        before = (device.state, device.target_ua, device.controller, device.beeps, device.light_percent)
        parameters = arguments.get(opcode) or tuple(1 for _ in codec.REQUEST_LAYOUTS[opcode])
        answer = hand.raw(Request(opcode, parameters).encode(), central=1)
        assert answer.result is Result.NOT_PERMITTED, opcode
        assert (device.state, device.target_ua, device.controller, device.beeps, device.light_percent) == before
    assert device.output_ua(hand.now) > 50
    assert hand.raw(Request(Opcode.STOP).encode(), central=1) == Response(Opcode.STOP, Result.SUCCESS)
    hand.advance(0.1)
    assert device.output_ua(hand.now) == 0
    assert device.controller == 0


def test_a_recorded_session_that_is_played_back_by_a_stranger_moves_nothing() -> None:
    async def go() -> None:
        async with VirtualRadio() as radio:
            person, device = Person(), SimulatedOmp()
            peripheral = await radio.add_device(device)
            handle, cccd = attributes(peripheral)[codec.CONTROL_POINT]
            assert cccd is not None
            session = [
                *DANGEROUS[:1],
                Request(Opcode.SET_TARGET, (100,)),
                Request(Opcode.START, (60,)),
                Request(Opcode.KEEP_ALIVE, (5000,)),
            ]
            recorded = [struct.pack("<BHH", 0x12, cccd, 2)]
            recorded += [struct.pack("<BH", 0x12, handle) + request.encode() for request in session]

            async def plays() -> list[int]:
                connection = await link_of(radio)
                return [(await answers(connection, request))[0] for request in recorded]

            radio.adapter.pairing = Pairing(Ability.SHOWS_AND_TYPES, person)
            client = await client_for(radio, "OMP")
            async with client:
                await client.pair()
                assert await plays() == [0x13] * len(recorded)  # the owner's session: it runs
                await asyncio.sleep(2)
                assert device.output_ua(asyncio.get_running_loop().time()) > 0
            await asyncio.sleep(1)
            ended = device.trace
            await radio.adapter.forget(peripheral.bumble_address)
            async with client:
                assert await plays() == [0x01] * len(recorded)
                await asyncio.sleep(2)
            assert device.trace == ended
            assert device.controller is None

    run(go())


@pytest.mark.parametrize("seed", range(3))
def test_a_bonded_central_that_is_not_asked_for_a_code_may_watch_and_never_control(seed: int) -> None:
    async def go() -> None:
        async with VirtualRadio(seed) as radio:
            device = SimulatedOmp(seed)
            peripheral = await radio.add_device(device)
            handle, cccd = attributes(peripheral)[codec.CONTROL_POINT]
            assert cccd is not None
            client = await client_for(radio, "OMP")
            async with client:
                await client.pair()
                connection = await link_of(radio)
                for request in (
                    struct.pack("<BHH", 0x12, cccd, 2),
                    *(struct.pack("<BH", 0x12, handle) + one.encode() for one in DANGEROUS),
                ):
                    response = await answers(connection, request)
                    assert (response[0], response[4]) == (0x01, AUTHENTICATION)
            assert device.controller is None

    run(go())
