"""Devices that answer in their time, judge every access, are told how a write came, or have one UUID twice."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakGATTProtocolError

from protocols.gatt import Characteristic, Property, Service, uuid
from rig.clock import run
from rig.devices.model import Answer, AnswerLater, AttError, DeviceAction, Notify
from rig.radio.details import Descriptor, RadioDetails
from rig.radio.link import VirtualRadio
from rig.testing import ScriptedDevice

SERVICE, SLOW, TWICE = uuid("ffe0"), uuid("ffe1"), uuid("ffe2")
DESCRIPTION = uuid("2901")


class Slow(ScriptedDevice):
    """Answers every request on ffe1 half a second later, with ``answer``."""

    def __init__(self, answer: Answer, *, mtu: int = 247) -> None:
        super().__init__("Slow", mtu=mtu)
        self.characteristic("ffe1", "read write notify", service="ffe0")
        self.answer = answer
        self.asked = 0
        self._answers_at: float | None = None

    @property
    def deadline(self) -> float | None:
        return self._answers_at

    def _ask(self, now: float) -> AnswerLater:
        self.asked += 1
        self._answers_at = now + 0.5
        return AnswerLater()

    def read(self, characteristic: str, now: float) -> bytes:
        raise self._ask(now)

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        raise self._ask(now)

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        raise self._ask(now)

    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        if self._answers_at is None or now < self._answers_at:
            return ()
        self._answers_at = None
        return (self.answer,)


async def client_of(radio: VirtualRadio, device: ScriptedDevice) -> BleakClient:
    peripheral = await radio.add_device(device)
    found = await BleakScanner.find_device_by_address(peripheral.address, backend=radio.scanner_backend)
    assert found is not None
    client = BleakClient(found, backend=radio.client_backend)
    await client.connect()
    return client


def test_reads_writes_and_subscriptions_are_answered_when_the_device_answers() -> None:
    async def ask() -> list[float]:
        async with VirtualRadio(1) as radio:
            client = await client_of(radio, Slow(Answer(b"late")))
            clock = asyncio.get_running_loop().time
            times = [clock()]
            assert await client.read_gatt_char(SLOW) == b"late"
            times.append(clock())
            await client.write_gatt_char(SLOW, b"x", response=True)
            times.append(clock())
            await client.start_notify(SLOW, lambda *_: None)
            times.append(clock())
            return times

    times = run(ask())
    assert [after - before for before, after in pairwise(times)] == pytest.approx([0.5] * 3)


def test_a_late_answer_may_be_a_refusal() -> None:
    async def ask() -> None:
        async with VirtualRadio(1) as radio:
            client = await client_of(radio, Slow(Answer(error=0x80)))
            for request in (client.read_gatt_char(SLOW), client.write_gatt_char(SLOW, b"x", response=True)):
                with pytest.raises(BleakGATTProtocolError) as refused:
                    await request
                assert refused.value.code == 0x80

    run(ask())


def test_a_long_value_is_asked_for_once_and_read_in_pieces_of_what_was_answered() -> None:
    async def ask() -> int:
        async with VirtualRadio(1) as radio:
            for length in (22, 23, 44, 200):
                value = bytes(range(length))
                device = Slow(Answer(value), mtu=23)
                client = await client_of(radio, device)
                assert await client.read_gatt_char(SLOW) == value
                assert device.asked == 1
                await client.disconnect()
        return device.asked

    assert run(ask()) == 1


def test_a_long_write_is_answered_when_the_device_answers() -> None:
    async def ask() -> float:
        async with VirtualRadio(1) as radio:
            client = await client_of(radio, Slow(Answer(), mtu=23))
            clock = asyncio.get_running_loop().time
            begun = clock()
            await client.write_gatt_char(SLOW, bytes(60), response=True)
            return clock() - begun

    assert run(ask()) == pytest.approx(0.5)


def test_a_link_that_ends_before_the_answer_takes_nothing_with_it() -> None:
    async def ask() -> bytes:
        async with VirtualRadio(1) as radio:
            device = Slow(Answer(b"late"))
            client = await client_of(radio, device)
            asked = asyncio.ensure_future(client.read_gatt_char(SLOW))
            await asyncio.sleep(0.1)
            await client.disconnect()
            with pytest.raises(Exception, match="disconnected"):
                await asked
            await asyncio.sleep(1.0)
            await client.connect()
            return bytes(await client.read_gatt_char(SLOW))

    assert run(ask()) == b"late"


class Judge(ScriptedDevice):
    """Has one UUID twice, takes whatever is asked of it, and keeps a diary."""

    def __init__(self) -> None:
        super().__init__("Judge", service_uuids=())
        self.diary: list[tuple[str, str, bytes]] = []

    @property
    def services(self) -> tuple[Service, ...]:
        known = Characteristic(TWICE, Property.NOTIFY)
        name = Characteristic(uuid("2a00"), Property.READ)
        return (Service(uuid("1800"), (name,)), Service(SERVICE, (known, known)))

    @property
    def radio_details(self) -> RadioDetails:
        described = Descriptor(
            DESCRIPTION, b"", writable=True, on_read=lambda _now: b"described", on_write=self._describe
        )
        return RadioDetails(
            names=(("name",), ("first", "second")), judges_access=True, descriptors={"second": (described,)}
        )

    def _describe(self, data: bytes, _now: float) -> None:
        if data == b"no":
            raise AttError(0x81)
        self.diary.append(("described", "second", data))

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        if characteristic == "first":
            raise AttError(0x05)
        return (Notify(characteristic, b"hello"),)

    def write_arrived(
        self, characteristic: str, data: bytes, now: float, *, with_response: bool
    ) -> tuple[DeviceAction, ...]:
        self.diary.append(("request" if with_response else "command", characteristic, data))
        return ()

    def read(self, characteristic: str, now: float) -> bytes:
        return characteristic.encode()


def test_characteristics_go_by_the_names_that_their_device_gives_them() -> None:
    async def ask() -> tuple[list[tuple[str, str, bytes]], list[bytes]]:
        heard: list[bytes] = []
        async with VirtualRadio(1) as radio:
            device = Judge()
            client = await client_of(radio, device)
            service = client.services.get_service(SERVICE)
            assert service is not None
            assert [s.uuid for s in client.services].count(uuid("1800")) == 1
            first, second = service.characteristics
            await client.write_gatt_char(second, b"\1", response=True)
            await client.write_gatt_char(first, b"\2", response=False)
            assert await client.read_gatt_char(first) == b"first"
            assert await client.read_gatt_char(second) == b"second"
            with pytest.raises(BleakGATTProtocolError):
                await client.start_notify(first, lambda _c, data: heard.append(bytes(data)))
            await client.start_notify(second, lambda _c, data: heard.append(bytes(data)))
            descriptor = second.get_descriptor(DESCRIPTION)
            assert descriptor is not None
            assert await client.read_gatt_descriptor(descriptor) == b"described"
            await client.write_gatt_descriptor(descriptor, b"new")
            with pytest.raises(BleakGATTProtocolError):
                await client.write_gatt_descriptor(descriptor, b"no")
            await asyncio.sleep(0.1)
            return device.diary, heard

    diary, heard = run(ask())
    assert diary == [
        ("request", "second", b"\1"),
        ("command", "first", b"\2"),
        ("described", "second", b"new"),
    ]
    assert heard == [b"hello"]


def test_a_subscription_that_was_refused_is_none() -> None:
    async def ask() -> list[bytes]:
        heard: list[bytes] = []
        async with VirtualRadio(1) as radio:
            device = Judge()
            client = await client_of(radio, device)
            service = client.services.get_service(SERVICE)
            assert service is not None
            first = service.characteristics[0]
            for _ in range(2):  # asked twice, refused twice: the first refusal left no subscription behind
                with pytest.raises(BleakGATTProtocolError):
                    await client.start_notify(first, lambda _c, data: heard.append(bytes(data)))
            return heard

    assert run(ask()) == []
