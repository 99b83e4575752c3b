"""Bytes that no honest end sends, in mid-session: to every device protocol, and to every simulated device."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.gatt import Property
from protocols.model import Ready, SetIntensity, StartOutput, TotalStop
from protocols.omp_codec import Opcode, Request
from protocols.registry import Registry
from rig.devices.catalogue import create
from rig.devices.model import AttError, SimulatedDevice
from rig.facing import Facing

KEYS = ("dr05", "foreo", "omp")
LONGEST_VALUE = 512
"""The longest attribute value (Core Specification Vol 3 Part F 3.2.9)."""
STOP_S = 1.5
"""By when the output is off, or the link down: three tries 300 ms apart, and what the device needs."""


class Heard(NamedTuple):
    """One notification, and when it came, from the start of its session on."""

    at: float
    characteristic: str
    data: bytes


class Session(Facing):
    """A session with output, and everything that its host heard."""

    def __init__(self, key: str, seed: int = 3) -> None:
        entry = next(one for one in Registry.default().entries if one.key == key)
        device = create(key, seed)
        super().__init__(entry.create(device.advertisement.name), device)
        self.heard: list[Heard] = []

    def runs(self) -> Session:
        self.start()
        assert self.run_until(lambda: bool(self.events(Ready)), 12.0)
        self.advance(0.5)
        self.command(SetIntensity(self.protocol.profile.lowest_percent))
        self.advance(0.5)
        self.command(StartOutput())
        self.advance(2.0)
        assert self.on
        return self

    @property
    def on(self) -> bool:
        return self.device.output_percent(self.now) > 0

    def watched(self, seconds: float) -> None:
        """Let time pass; never is output believed off that is on."""
        until = self.now + seconds
        while self.step(until - self.now):
            assert self.protocol.output_possible or not self.on, "the host takes output for off that is on"
        self.now = max(self.now, until)

    def stops(self) -> None:
        """Ask for the stop, and see the output end."""
        if self.link_up:
            self.command(TotalStop())
        assert self.run_until(lambda: not self.on, STOP_S), "a stop did not end the output"
        assert self.run_until(lambda: not self.protocol.output_possible, STOP_S)
        assert not self.on

    def _hear(self, characteristic: str, data: bytes) -> None:
        self.heard.append(Heard(self.now, characteristic, data))
        super()._hear(characteristic, data)


def notifying(device: SimulatedDevice) -> list[str]:
    return [c.uuid for s in device.services for c in s.characteristics if c.properties & ~Property.WRITE]


# --- to the app -------------------------------------------------------------------------------------------------------


def mangled(data: st.DataObject, recorded: list[Heard]) -> bytes:
    """Garbage, or an honest notification cut off, drawn out, or with a bit turned over."""
    kind = data.draw(st.sampled_from(["garbage", "cut", "long", "turned"]))
    if kind == "garbage" or not recorded:
        return data.draw(st.binary(max_size=LONGEST_VALUE))
    honest = data.draw(st.sampled_from(recorded)).data
    if kind == "cut":
        return honest[: data.draw(st.integers(0, max(0, len(honest) - 1)))]
    if kind == "long":
        return (honest + data.draw(st.binary(min_size=1, max_size=LONGEST_VALUE)))[:LONGEST_VALUE]
    place = data.draw(st.integers(0, max(0, 8 * len(honest) - 1)))
    return bytes(byte ^ (1 << place % 8 if at == place // 8 else 0) for at, byte in enumerate(honest))


@pytest.mark.parametrize("key", KEYS)
@settings(max_examples=40)
@given(data=st.data())
def test_garbage_in_mid_session_breaks_no_protocol_and_holds_up_no_stop(key: str, data: st.DataObject) -> None:
    session = Session(key).runs()
    recorded = list(session.heard)
    for _ in range(data.draw(st.integers(1, 12))):
        where = data.draw(st.sampled_from([*notifying(session.device), "0000beef-0000-1000-8000-00805f9b34fb"]))
        session.inject(mangled(data, recorded), characteristic=where, in_s=data.draw(st.floats(0, 1)))
    session.advance(data.draw(st.floats(0, 1.2)))
    session.stops()


@pytest.mark.parametrize("key", KEYS)
def test_every_cut_and_every_overlong_form_of_what_a_device_says_is_taken(key: str) -> None:
    session = Session(key).runs()
    for _, characteristic, honest in {heard[1:]: heard for heard in session.heard}.values():
        for length in (*range(len(honest)), len(honest) + 1, LONGEST_VALUE):
            session.inject(honest[:length].ljust(length, b"\xff"), characteristic=characteristic)
    session.advance(0.3)
    session.stops()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("from_s", [0.0, 1.0, 2.5])
def test_a_recorded_stream_played_into_a_session_makes_no_host_believe_that_output_is_off(
    key: str, from_s: float
) -> None:
    earlier = Session(key, seed=3).runs()
    earlier.advance(1.0)
    earlier.stops()
    earlier.advance(0.5)
    assert earlier.heard
    session = Session(key, seed=4).runs()
    for at, characteristic, data in earlier.heard:  # of a FOREO device no more than its battery
        if at >= from_s or key == "foreo":
            session.inject(data, characteristic=characteristic, in_s=max(0.0, at - from_s))
    session.watched(earlier.now)
    session.stops()


@pytest.mark.parametrize("key", KEYS)
def test_one_notification_again_and_again_moves_nothing(key: str) -> None:
    session = Session(key).runs()
    levels = {round(entry.output_percent) for entry in session.device.trace}
    for number, (_, characteristic, data) in enumerate(list(session.heard)):
        for again in range(20):
            session.inject(data, characteristic=characteristic, in_s=0.01 * number + 0.0005 * again)
    session.watched(1.0)
    highest = max(entry.output_percent for entry in session.device.trace)
    assert highest <= max(levels) + 1
    session.stops()


# --- to a device ------------------------------------------------------------------------------------------------------


def written(device: SimulatedDevice, data: bytes, now: float) -> None:
    for service in device.services:
        for characteristic in service.characteristics:
            try:
                device.written(characteristic.uuid, data, now)
            except AttError as refusal:
                assert 0 < refusal.code <= 0xFF  # noqa: PT017 - being refused is one of two right answers
    while (deadline := device.deadline) is not None and deadline <= now + 0.5:
        device.deadline_passed(max(deadline, now))


FORMS: dict[str, tuple[bytes, ...]] = {
    "dr05": (bytes.fromhex("55aa0000310203"), bytes.fromhex("55aa00063102030001")),
    "foreo": (b"\x01\x00\x0a",),
    "omp": tuple(
        Request(opcode, parameters).encode() for opcode, parameters in [(Opcode.START, (60,)), (Opcode.STOP, ())]
    ),
}


@pytest.mark.parametrize("key", KEYS)
@settings(max_examples=60)
@given(data=st.data())
def test_no_write_of_any_length_breaks_a_device_and_none_cut_off_starts_it(key: str, data: st.DataObject) -> None:
    device = create(key, 1)
    device.connected(0.0)
    for service in device.services:
        for characteristic in service.characteristics:
            if characteristic.properties & (Property.NOTIFY | Property.INDICATE):
                device.subscribed(characteristic.uuid, True, 0.0)  # noqa: FBT003 - the contract's
    now = 1.0
    for _ in range(data.draw(st.integers(1, 8))):
        form = data.draw(st.sampled_from(FORMS[key]))
        size = data.draw(st.integers(0, len(form) - 1) | st.integers(len(form) + 1, 600))
        written(device, form[:size].ljust(size, b"\0"), now)
        now += 1.0
    if (
        key != "foreo"
    ):  # which takes three octets of anything for a pulsation: it has no checksum (docs/devices/foreo.md)
        assert not device.trace or device.output_percent(now) == 0
    device.disconnected(now)
    assert device.output_percent(now + 1.0) == 0
