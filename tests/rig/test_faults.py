"""Every kind of fault happens to a real bleak client on the virtual radio as planned, and the same way every time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import accumulate
from typing import NamedTuple

import pytest
from bleak import BleakClient
from bleak.exc import BleakError, BleakGATTProtocolError
from hypothesis import given
from hypothesis import strategies as st

from protocols.dr05 import Dr05
from protocols.gatt import Characteristic, Property, Service, Write, uuid
from protocols.model import Acknowledged, Event, SetIntensity, StartOutput, TotalStop
from rig.clock import run
from rig.devices.dr05 import SimulatedDr05
from rig.devices.model import Answer, AnswerLater, AttError, DeviceAction, Notify
from rig.facing import Facing
from rig.radio.delay_laws import Fixed, LogNormal
from rig.radio.details import RadioDetails
from rig.radio.fault_plan import (
    KINDS,
    AnyFault,
    AttRefusal,
    Burst,
    Corrupt,
    Delay,
    Disconnect,
    Drop,
    Duplicate,
    FaultPlan,
    FaultPlanError,
    MtuChange,
    Reorder,
    SlowAnswer,
    SlowUart,
    SupervisionTimeout,
)
from rig.radio.faults import FaultyDevice
from rig.radio.host import RadioHost
from rig.radio.link import VirtualRadio
from rig.radio.peripheral import Peripheral
from rig.testing import ScriptedDevice
from tests.rig.radio_world import ECHO, FUSSY, LONG, client_for, echo_device, now

SUPERVISION_TIMEOUT_S = 0.42


class Heard(NamedTuple):
    """What the app was notified of, and when, in seconds since it had subscribed."""

    time: float
    data: bytes


class App:
    """A bleak client, what it has heard on ffe1, and when it was told that the link had gone."""

    def __init__(self, client: BleakClient) -> None:
        self.client = client
        self.heard: list[Heard] = []
        self.begun = now()
        self._news = asyncio.Event()

    @property
    def words(self) -> list[bytes]:
        return [heard.data for heard in self.heard]

    def hear(self, _sender: object, data: bytearray) -> None:
        self.heard.append(Heard(round(now() - self.begun, 6), bytes(data)))
        self._news.set()

    async def has_heard(self, count: int) -> None:
        """Wait until so many notifications have come."""
        async with asyncio.timeout(10):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()

    async def say(self, *words: bytes, gap_s: float = 0.1) -> None:
        """Write one after the other to the device that echoes."""
        for word in words:
            await self.client.write_gatt_char(ECHO, word, response=False)
            await asyncio.sleep(gap_s)


class World(NamedTuple):
    radio: VirtualRadio
    echo: ScriptedDevice
    device: FaultyDevice
    app: App

    @property
    def written(self) -> list[bytes]:
        """What has reached the device inside."""
        return [write.data for write in self.echo.writes]


@asynccontextmanager
async def world(*faults: AnyFault, seed: int = 0) -> AsyncIterator[World]:
    echo = echo_device()
    device = FaultyDevice(echo, FaultPlan(faults, seed=seed))
    async with VirtualRadio() as radio:
        await radio.add_device(device)
        client = await client_for(radio)
        async with client:
            app = App(client)
            await client.start_notify(ECHO, app.hear)
            app.begun = now()
            yield World(radio, echo, device, app)


def check(story: Callable[[], Awaitable[None]]) -> None:
    run(story())  # type: ignore[arg-type]


WORDS = (b"one", b"two", b"three", b"four")


def test_a_dropped_write_never_reaches_the_device_and_is_answered_all_the_same() -> None:
    async def story() -> None:
        async with world(Drop(direction="to_device", nth=2)) as it:
            for word in WORDS:
                await it.app.client.write_gatt_char(ECHO, word, response=True)
            await asyncio.sleep(1)
            assert it.written == [b"one", b"three", b"four"]
            assert it.app.words == it.written
            assert it.device.fired == {"drop": 1}
            assert it.device.unfired() == []

    check(story)


def test_a_dropped_notification_never_reaches_the_app() -> None:
    async def story() -> None:
        async with world(Drop(direction="to_app", nth=(1, 4))) as it:
            await it.app.say(*WORDS)
            assert it.written == list(WORDS)
            assert it.app.words == [b"two", b"three"]
            assert it.device.fired == {"drop": 2}

    check(story)


def test_a_delayed_notification_comes_so_much_later_and_those_behind_it_wait() -> None:
    async def story() -> None:
        async with world(Delay(direction="to_app", nth=2, time=Fixed(seconds=0.16))) as it:
            await it.app.say(*WORDS)
            await asyncio.sleep(1)
            assert it.app.heard == [(0.0, b"one"), (0.26, b"two"), (0.26, b"three"), (0.3, b"four")]
            assert it.device.fired == {"delay": 1}

    check(story)


def test_a_delayed_write_reaches_the_device_so_much_later() -> None:
    async def story() -> None:
        async with world(Delay(direction="to_device", nth=1, time=Fixed(seconds=0.06))) as it:
            await it.app.say(b"one")
            assert [round(write.time - it.app.begun, 6) for write in it.echo.writes] == [0.06]
            assert it.app.heard == [(0.06, b"one")]

    check(story)


def test_delays_by_a_long_tailed_law_follow_it() -> None:
    async def story() -> None:
        law = LogNormal(median_s=0.02, sigma=0.5)
        async with world(Delay(direction="to_app", probability=1.0, time=law)) as it:
            for _ in range(200):
                await it.app.client.write_gatt_char(ECHO, b"x", response=False)
                await asyncio.sleep(1)
            delays = sorted(heard.time - number for number, heard in enumerate(it.app.heard))
            assert delays[0] > 0
            assert delays[100] == pytest.approx(0.02, rel=0.15)
            assert delays[190] == pytest.approx(0.0456, rel=0.25)  # 1.645 sigma above the median
            assert it.device.fired == {"delay": 200}

    check(story)


def test_a_duplicated_write_is_done_twice_and_a_notification_comes_again_after_a_gap() -> None:
    async def story() -> None:
        twice = Duplicate(name="write", direction="to_device", nth=1)
        again = Duplicate(name="echo", direction="to_app", nth=3, copies=2, gap_s=0.03)
        async with world(twice, again) as it:
            await it.app.say(b"one", b"two")
            assert it.written == [b"one", b"one", b"two"]
            assert it.app.heard == [(0.0, b"one"), (0.0, b"one"), (0.1, b"two"), (0.13, b"two"), (0.16, b"two")]
            assert it.device.fired == {"write": 1, "echo": 1}

    check(story)


def test_a_reordered_notification_comes_behind_the_next_one() -> None:
    async def story() -> None:
        async with world(Reorder(direction="to_app", nth=2)) as it:
            await it.app.say(*WORDS)
            assert it.app.words == [b"one", b"three", b"two", b"four"]
            assert it.device.fired == {"reorder": 1}

    check(story)


def test_a_reordered_write_comes_behind_the_next_two() -> None:
    async def story() -> None:
        async with world(Reorder(direction="to_device", nth=1, behind=2)) as it:
            await it.app.say(*WORDS)
            assert it.written == [b"two", b"three", b"one", b"four"]

    check(story)


def test_nothing_comes_behind_what_is_last_so_that_a_reorder_has_not_fired() -> None:
    async def story() -> None:
        async with world(Reorder(direction="to_app", nth=4, within_s=0.5)) as it:
            await it.app.say(*WORDS)
            await asyncio.sleep(1)
            assert it.app.heard[-1] == (0.8, b"four")
            assert it.device.unfired() == ["reorder"]

    check(story)


def test_a_corrupted_value_has_as_many_bits_turned_over_as_the_plan_says() -> None:
    async def story() -> None:
        async with world(Corrupt(direction="to_app", nth=2, bits=3)) as it:
            await it.app.say(*WORDS)
            one, two, three, four = it.app.words
            assert (one, three, four) == (b"one", b"three", b"four")
            turned = int.from_bytes(two, "big") ^ int.from_bytes(b"two", "big")
            assert len(two) == 3
            assert turned.bit_count() == 3
            assert it.device.fired == {"corrupt": 1}

    check(story)


def test_a_corrupted_write_that_the_device_refuses_is_refused_to_the_app() -> None:
    async def story() -> None:
        async with world(Corrupt(direction="to_device", nth=1)) as it:
            with pytest.raises(BleakGATTProtocolError):
                await it.app.client.write_gatt_char(FUSSY, b"x", response=True)
            assert it.device.fired == {"corrupt": 1}

    check(story)


def test_a_burst_loses_runs_and_not_single_ones() -> None:
    """The model's: runs of 1 / to_good on average, and to_bad / (to_bad + to_good) of all."""

    async def story() -> None:
        async with world(Burst(direction="to_app", to_bad=0.05, to_good=0.25), seed=5) as it:
            sent = [number.to_bytes(2, "big") for number in range(2000)]
            await it.app.say(*sent, gap_s=0.01)
            heard = set(it.app.words)
            lost = [word not in heard for word in sent]
            runs = sum(1 for before, here in zip([False, *lost], lost, strict=False) if here and not before)
            assert sum(lost) / len(lost) == pytest.approx(0.05 / 0.3, rel=0.2)
            assert sum(lost) / runs == pytest.approx(4.0, rel=0.2)
            assert it.device.fired == {"burst": sum(lost)}

    check(story)


def test_a_slow_wire_hands_the_bytes_on_as_they_come_in() -> None:
    async def story() -> None:
        async with world(SlowUart(direction="to_app", baud=1000, chunk=4)) as it:
            await it.app.say(b"abcdefghij", b"kl", gap_s=0.0)
            await asyncio.sleep(1)
            assert it.app.heard == [(0.04, b"abcd"), (0.08, b"efgh"), (0.1, b"ij"), (0.12, b"kl")]
            assert it.device.fired == {"slow_uart": 2}

    check(story)


def test_the_device_hangs_up_after_the_write_that_the_plan_says() -> None:
    async def story() -> None:
        async with world(Disconnect(direction="to_device", nth=2)) as it:
            await it.app.say(b"one", b"two")
            assert not it.app.client.is_connected
            assert it.app.words == [b"one", b"two"]  # what the device answered has left before
            with pytest.raises(BleakError):
                await it.app.say(b"three")
            assert it.written == [b"one", b"two"]
            assert it.device.fired == {"disconnect": 1}

    check(story)


def test_the_device_hangs_up_after_the_notification_that_the_plan_says() -> None:
    async def story() -> None:
        async with world(Disconnect(direction="to_app", nth=1)) as it:
            await it.app.say(b"one")
            assert it.app.words == [b"one"]
            assert not it.app.client.is_connected

    check(story)


def test_the_device_hangs_up_so_many_seconds_into_the_connection_that_the_plan_says() -> None:
    async def story() -> None:
        async with world(Disconnect(at_s=2.0, connection=2)) as it:
            await asyncio.sleep(5)
            assert it.app.client.is_connected
            await it.app.client.disconnect()
            ended: list[float] = []
            again = await client_for(it.radio, disconnected_callback=lambda _: ended.append(now()))
            begun = now()
            await again.connect()
            await asyncio.sleep(5)
            assert [end - begun for end in ended] == [pytest.approx(2.0, abs=0.03)]  # an advertising interval
            assert it.device.fired == {"disconnect": 1}

    check(story)


def test_a_link_that_times_out_is_lost_at_both_ends_and_the_device_comes_back() -> None:
    async def story() -> None:
        async with world(SupervisionTimeout(direction="to_app", nth=2, back_after_s=3.0)) as it:
            await it.app.say(b"one", b"two", gap_s=0.01)
            assert it.app.words == [b"one", b"two"]
            assert it.device.fired == {"supervision_timeout": 0}  # nobody has noticed yet
            await it.app.say(b"three")
            assert it.app.client.is_connected
            assert it.written == [b"one", b"two"]
            await asyncio.sleep(SUPERVISION_TIMEOUT_S)
            assert not it.app.client.is_connected
            assert not it.echo.is_connected
            assert it.device.fired == {"supervision_timeout": 1}
            begun = now()
            async with await client_for(it.radio):
                assert now() - begun == pytest.approx(2.9, abs=0.15)

    check(story)


def test_a_link_times_out_so_many_seconds_into_it() -> None:
    async def story() -> None:
        async with world(SupervisionTimeout(at_s=1.0)) as it:
            await asyncio.sleep(1.0 + SUPERVISION_TIMEOUT_S - 0.05)
            assert it.app.client.is_connected
            await asyncio.sleep(0.1)
            assert not it.app.client.is_connected
            assert it.device.unfired() == []

    check(story)


def test_a_device_that_cannot_vanish_refuses_the_plan_in_one_line() -> None:
    """On an HCI transport there is no air to be out of reach on."""

    async def story() -> None:
        async with VirtualRadio() as radio:
            device = FaultyDevice(echo_device(), FaultPlan((SupervisionTimeout(at_s=1.0),), file="bad.toml"))
            host: RadioHost = await radio._make_central_host()
            with pytest.raises(FaultPlanError, match=r"bad\.toml, fault\[0\]: .* cannot be put out of reach; use"):
                await Peripheral(device, host).start()

    check(story)


def test_the_device_grants_another_mtu_on_the_connection_that_the_plan_says() -> None:
    async def story() -> None:
        async with world(MtuChange(mtu=23, connection=2)) as it:
            assert it.app.client.mtu_size == 247
            assert it.device.unfired() == ["mtu_change"]
            await it.app.client.disconnect()
            async with await client_for(it.radio) as again:
                assert again.mtu_size == 23
                with pytest.raises(BleakError, match="20 do"):
                    await again.write_gatt_char(ECHO, bytes(21), response=False)
                assert it.device.fired == {"mtu_change": 1}
            async with await client_for(it.radio) as third:
                assert third.mtu_size == 247

    check(story)


def test_granting_the_mtu_that_it_would_have_had_anyway_is_no_change() -> None:
    async def story() -> None:
        async with world(MtuChange(mtu=247)) as it:
            assert it.app.client.mtu_size == 247
            assert it.device.unfired() == ["mtu_change"]

    check(story)


def test_a_device_that_falls_back_to_a_smaller_mtu_cuts_off_what_it_sends_and_refuses_what_is_longer() -> None:
    async def story() -> None:
        async with world(MtuChange(mtu=23, direction="to_device", nth=1)) as it:
            await it.app.say(bytes(20))
            assert it.device.fired == {"mtu_change": 0}  # nothing was too long
            it.echo.notify(ECHO, bytes(30))
            await asyncio.sleep(0.1)
            assert [len(word) for word in it.app.words] == [20, 20]
            with pytest.raises(BleakGATTProtocolError) as refused:
                await it.app.client.write_gatt_char(ECHO, bytes(21), response=True)
            assert refused.value.code == 0x0D
            assert len(await it.app.client.read_gatt_char(LONG)) == 22
            assert it.written == [bytes(20)]
            assert it.device.fired == {"mtu_change": 3}

    check(story)


def test_a_write_is_refused_with_the_planned_att_error_and_never_reaches_the_device() -> None:
    async def story() -> None:
        async with world(AttRefusal(error="insufficient_resources", nth=2)) as it:
            await it.app.client.write_gatt_char(ECHO, b"one", response=True)
            await it.app.say(b"command")  # cannot be refused, and is not counted
            with pytest.raises(BleakGATTProtocolError) as refused:
                await it.app.client.write_gatt_char(ECHO, b"two", response=True)
            assert refused.value.code == 0x11
            await it.app.client.write_gatt_char(ECHO, b"three", response=True)
            assert it.written == [b"one", b"command", b"three"]
            assert it.device.fired == {"att_error": 1}

    check(story)


def test_a_read_is_refused_with_the_planned_att_error() -> None:
    async def story() -> None:
        async with world(AttRefusal(operation="read", error=0x80, nth=1, characteristic="ffe1")) as it:
            assert await it.app.client.read_gatt_char(uuid("ffe2")) == b"\x2a"
            with pytest.raises(BleakGATTProtocolError) as refused:
                await it.app.client.read_gatt_char(ECHO)
            assert refused.value.code == 0x80
            assert await it.app.client.read_gatt_char(ECHO) == b"hello"

    check(story)


def test_the_answer_to_a_write_comes_late_and_what_the_device_does_does_not() -> None:
    async def story() -> None:
        slow = SlowAnswer(nth=2, time=Fixed(seconds=0.06), characteristic="ffe1")
        async with world(slow) as it:
            took = []
            for word in (b"one", b"two", b"three"):
                begun = now()
                await it.app.client.write_gatt_char(ECHO, word, response=True)
                took.append(round(now() - begun, 6))
            assert took == [0.0, 0.06, 0.0]
            assert it.app.heard == [(0.0, b"one"), (0.0, b"two"), (0.06, b"three")]
            assert it.device.fired == {"slow_answer": 1}

    check(story)


def test_the_answer_to_a_read_comes_late_a_refusal_too() -> None:
    async def story() -> None:
        slow = SlowAnswer(operation="read", nth=(1, 2), time=Fixed(seconds=0.06))
        async with world(slow, AttRefusal(operation="read", error=0x80, nth=2)) as it:
            begun = now()
            assert await it.app.client.read_gatt_char(ECHO) == b"hello"
            assert now() - begun == pytest.approx(0.06)
            with pytest.raises(BleakGATTProtocolError):
                await it.app.client.read_gatt_char(ECHO)
            assert now() - begun == pytest.approx(0.12)
            with pytest.raises(BleakGATTProtocolError):
                await it.app.client.read_gatt_char(FUSSY)
            assert now() - begun == pytest.approx(0.12)

    check(story)


def test_an_answer_that_the_device_takes_its_time_for_comes_later_still() -> None:
    _, took, value = run(slow_talk(SlowAnswer(nth=1, time=Fixed(seconds=0.06))))
    assert took == [0.56, 0.5, 0.5]
    assert value == b"second"


def test_a_fault_of_one_characteristic_leaves_the_others_alone() -> None:
    async def story() -> None:
        async with world(Drop(direction="to_device", nth=1, characteristic="ffe3")) as it:
            await it.app.say(b"one")
            await it.app.client.write_gatt_char(FUSSY, b"x", response=True)  # never reaches what would refuse it
            assert it.written == [b"one"]
            assert it.device.fired == {"drop": 1}

    check(story)


def test_a_plan_for_a_characteristic_that_the_device_does_not_have_is_refused() -> None:
    plan = FaultPlan((Drop(direction="to_device", nth=1, characteristic="ffe9"),), file="bad.toml")
    with pytest.raises(FaultPlanError, match=r"bad\.toml, fault\[0\]\.characteristic: Echo has no .*ffe9.*; it has "):
        FaultyDevice(echo_device(), plan)


def test_what_passes_meets_the_faults_in_the_order_of_the_plan() -> None:
    """The second of a pair of copies is lost only where the copies are made first."""

    async def story() -> None:
        drop = Drop(direction="to_app", nth=2)
        double = Duplicate(direction="to_app", nth=1)
        async with world(double, drop) as it:
            await it.app.say(b"one", b"two")
            assert it.app.words == [b"one", b"two"]
        async with world(drop, double) as it:
            await it.app.say(b"one", b"two")
            assert it.app.words == [b"one", b"one"]

    check(story)


def test_what_is_under_way_when_the_link_ends_is_lost() -> None:
    async def story() -> None:
        late = Delay(name="late", direction="to_device", nth=1, time=Fixed(seconds=1.0))
        async with world(late, Disconnect(at_s=0.5)) as it:
            await it.app.say(b"one", gap_s=3.0)
            assert it.written == []
            async with await client_for(it.radio):
                await asyncio.sleep(3)
            assert it.written == []

    check(story)


def test_a_refused_write_loses_nothing_that_was_due_with_it() -> None:
    """Face to face: only an error can come out of the call, so the notification that was due comes right after."""
    echo = echo_device()
    late = Delay(direction="to_app", nth=1, time=Fixed(seconds=1.0))
    device = FaultyDevice(echo, FaultPlan((late, AttRefusal(error="unlikely_error", nth=2))))
    device.connected(0.0)
    assert device.written(ECHO, b"one", 0.0) == ()
    assert device.deadline == 1.0
    moved: list[float | None] = []
    device.deadline_moved = lambda: moved.append(device.deadline)
    with pytest.raises(AttError):
        device.written(ECHO, b"two", 1.5)
    assert moved == [1.5]
    assert device.deadline == 1.5
    assert device.deadline_passed(1.5) == (Notify(ECHO, b"one"),)
    assert device.deadline is None


def face_to_face(
    plan: FaultPlan, writes: list[tuple[float, bytes]], lateness_s: float = 0.0
) -> tuple[list[tuple[float, bytes]], list[tuple[float, bytes]]]:
    """Write at those times to a device that echoes, look at its deadlines so late; return what got in and out."""
    echo = echo_device()
    device = FaultyDevice(echo, plan)
    out: list[tuple[float, bytes]] = []

    def heard(actions: tuple[DeviceAction, ...], at: float) -> None:
        out.extend((at, action.data) for action in actions if isinstance(action, Notify))

    heard(device.connected(0.0), 0.0)
    for at, data in [*writes, (1e6, b"")]:
        while device.deadline is not None and device.deadline + lateness_s <= at:
            due = device.deadline + lateness_s
            heard(device.deadline_passed(due), due)
        if data:
            heard(device.written(ECHO, data, at), at)
    assert device.deadline is None
    return [(write.time, write.data) for write in echo.writes], out


@given(
    gaps=st.lists(st.floats(0.0, 2.0), max_size=12),
    seed=st.integers(0, 2**32),
    lateness_s=st.sampled_from([0.0, 0.003, 0.5]),
)
def test_what_is_held_comes_in_order_once_and_never_early(gaps: list[float], seed: int, lateness_s: float) -> None:
    """Whatever the times, and however late the timers of a busy machine are."""
    plan = FaultPlan(
        (
            Delay(direction="to_device", probability=0.5, time=LogNormal(median_s=0.3, sigma=1.0)),
            SlowUart(direction="to_device", baud=300),
            Delay(name="back", direction="to_app", probability=0.5, time=Fixed(seconds=0.2)),
        ),
        seed=seed,
    )
    writes = [(at, bytes([number]) * (1 + number % 5)) for number, at in enumerate(accumulate(gaps))]
    went_in, came_out = face_to_face(plan, writes, lateness_s)
    assert [data for _, data in went_in] == [data for _, data in writes]
    assert [data for _, data in came_out] == [data for _, data in writes]
    assert all(there >= sent for (there, _), (sent, _) in zip(went_in, writes, strict=True))
    assert all(back >= there for (back, _), (there, _) in zip(came_out, went_in, strict=True))


@given(gaps=st.lists(st.floats(0.0, 2.0), max_size=12), seed=st.integers(0, 2**32))
def test_reordering_loses_nothing_and_invents_nothing(gaps: list[float], seed: int) -> None:
    plan = FaultPlan(
        (
            Reorder(direction="to_device", probability=0.5, within_s=0.7),
            Reorder(name="back", direction="to_app", probability=0.5, behind=2, within_s=0.7),
        ),
        seed=seed,
    )
    writes = [(at, bytes([number])) for number, at in enumerate(accumulate(gaps))]
    went_in, came_out = face_to_face(plan, writes)
    assert sorted(data for _, data in went_in) == [data for _, data in writes]
    assert sorted(data for _, data in came_out) == [data for _, data in writes]


def stopped_session(*faults: AnyFault) -> tuple[FaultyDevice, list[Event], int]:
    """Face to face with its protocol, a Dr-05 is started and stopped.

    Returns the device, what the protocol told of the stop, and the number of writes before it.
    """
    device = FaultyDevice(SimulatedDr05(1), FaultPlan(faults))
    facing = Facing(Dr05(), device)
    facing.start()
    facing.advance(5.0)
    for command in (SetIntensity(1), StartOutput()):
        facing.command(command)
        facing.advance(1.0)
    assert device.output_percent(facing.now) > 0
    told = len(facing.told)
    writes = sum(isinstance(performed.operation, Write) for performed in facing.performed)
    facing.command(TotalStop())
    facing.advance(5.0)
    assert device.output_percent(facing.now) == 0
    return device, [event for _, event in facing.told[told:]], writes


def test_faults_happen_face_to_face_with_a_protocol_without_any_radio() -> None:
    """The Dr-05's stop gets through by being written again, though what is written first is lost on the wire."""
    quiet, told, before = stopped_session()
    stopped_at = quiet.trace[-1].time
    device, told_late, _ = stopped_session(Drop(direction="to_device", nth=(before + 1, before + 2)))
    assert device.fired == {"drop": 2}
    assert device.trace[-1].time > stopped_at + 0.05
    for events in (told, told_late):
        assert any(isinstance(event, Acknowledged) for event in events)


class Slow(ScriptedDevice):
    """Answers every write request, and every read, after half a second, in order; two characteristics of one UUID."""

    def __init__(self) -> None:
        super().__init__("Slow", service_uuids=("ffe0",))
        self.owed: list[tuple[float, Answer]] = []
        self.arrived: list[tuple[str, bytes, bool]] = []

    @property
    def services(self) -> tuple[Service, ...]:
        both = Characteristic(uuid("ffe1"), Property.READ | Property.WRITE)
        return (Service(uuid("ffe0"), (both, both)),)

    @property
    def radio_details(self) -> RadioDetails:
        return RadioDetails(names=(("first", "second"),))

    @property
    def deadline(self) -> float | None:
        return self.owed[0][0] if self.owed else None

    def write_arrived(
        self, characteristic: str, data: bytes, now: float, *, with_response: bool
    ) -> tuple[DeviceAction, ...]:
        self.arrived.append((characteristic, data, with_response))
        self.owed.append((now + 0.5, Answer()))
        raise AnswerLater

    def read(self, characteristic: str, now: float) -> bytes:
        self.owed.append((now + 0.5, Answer(characteristic.encode())))
        raise AnswerLater

    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        due = tuple(answer for at, answer in self.owed if at <= now)
        self.owed = [entry for entry in self.owed if entry[0] > now]
        return due


async def slow_talk(*faults: AnyFault) -> tuple[list[tuple[str, bytes, bool]], list[float], bytes]:
    """Write to both, read the second; return what arrived, how long each took in seconds, and what was read."""
    slow = Slow()
    async with VirtualRadio() as radio:
        await radio.add_device(FaultyDevice(slow, FaultPlan(faults)))
        async with await client_for(radio, "Slow") as client:
            first, second = max(client.services, key=lambda service: service.handle).characteristics
            took = []
            for place, word in ((first, b"one"), (second, b"two")):
                begun = now()
                await client.write_gatt_char(place, word, response=True)
                took.append(round(now() - begun, 6))
            await asyncio.sleep(0.3)
            begun = now()
            value = bytes(await client.read_gatt_char(second))
            took.append(round(now() - begun, 6))
            return slow.arrived, took, value


def test_a_device_that_answers_in_its_time_does_so_through_a_plan() -> None:
    never = Drop(direction="to_device", nth=999, must_fire=0)
    arrived, took, value = run(slow_talk(never))
    assert arrived == [("first", b"one", True), ("second", b"two", True)]
    assert took == [0.5, 0.5, 0.5]
    assert value == b"second"


def test_a_write_that_has_been_answered_is_not_answered_again_when_it_reaches_the_device() -> None:
    """The late answer to the held write would else be taken for that of the read which waits by then."""
    late = Delay(direction="to_device", nth=2, time=Fixed(seconds=0.2), characteristic="ffe1")
    arrived, took, value = run(slow_talk(late))
    assert [data for _, data, _ in arrived] == [b"one", b"two"]
    assert took == [0.5, 0.0, 0.5]
    assert value == b"second"


def test_a_copy_that_the_device_refuses_is_not_refused_to_the_app() -> None:
    """It heard that the first one was accepted."""

    async def story() -> None:
        async with world(Duplicate(direction="to_device", nth=1)) as it:

            def once(_data: bytes) -> None:
                if len(it.echo.writes) > 1:
                    raise AttError(0x80)

            it.echo.on_write(ECHO, once)
            await it.app.client.write_gatt_char(ECHO, b"one", response=True)
            assert it.written == [b"one", b"one"]
            with pytest.raises(BleakGATTProtocolError):
                await it.app.client.write_gatt_char(ECHO, b"two", response=True)

    check(story)


def test_a_fault_that_waits_for_a_moment_counts_what_has_arrived() -> None:
    """Also when the plan names it before those that hold things up."""

    async def story() -> None:
        late = Delay(direction="to_app", nth=1, time=Fixed(seconds=0.5))
        async with world(Disconnect(direction="to_app", nth=1), late) as it:
            await it.app.say(b"one", gap_s=0.4)
            assert it.app.client.is_connected
            await asyncio.sleep(0.2)
            assert it.app.words == [b"one"]
            assert not it.app.client.is_connected

    check(story)


def test_what_is_due_at_one_time_leaves_in_the_order_in_which_it_got_there() -> None:
    late = Delay(direction="to_app", nth=2, time=Fixed(seconds=0.25))
    again = Duplicate(direction="to_app", nth=1, gap_s=0.5)
    _, out = face_to_face(FaultPlan((late, again)), [(0.0, b"one"), (0.25, b"two")])
    assert out == [(0.0, b"one"), (0.5, b"one"), (0.5, b"two")]


def test_an_empty_value_cannot_be_corrupted() -> None:
    device = FaultyDevice(echo_device(), FaultPlan((Corrupt(direction="to_device", nth=1),)))
    device.connected(0.0)
    assert device.written(ECHO, b"", 0.0) == (Notify(ECHO, b""),)
    assert device.unfired() == ["corrupt"]


@pytest.mark.parametrize("bits", [24, 99])
def test_no_bit_is_turned_over_twice(bits: int) -> None:
    device = FaultyDevice(echo_device(), FaultPlan((Corrupt(direction="to_device", nth=1, bits=bits),)))
    device.connected(0.0)
    assert device.written(ECHO, b"\x00\xff\x0f", 0.0) == (Notify(ECHO, b"\xff\x00\xf0"),)


def test_a_fault_happens_at_most_as_often_as_it_may() -> None:
    _, out = face_to_face(
        FaultPlan((Drop(direction="to_app", probability=1.0, at_most=2),)),
        [(float(number), bytes([number])) for number in range(1, 6)],
    )
    assert out == [(3.0, b"\3"), (4.0, b"\4"), (5.0, b"\5")]


class NoRadio:
    """A radio that can do nothing."""

    can_vanish = True

    def vanish(self) -> None:
        raise NotImplementedError

    reappear = vanish


LONG_S = Fixed(seconds=9.0)


@pytest.mark.parametrize(
    "fault",
    [
        Delay(direction="to_device", nth=1, time=LONG_S),
        Delay(direction="to_app", nth=1, time=LONG_S),
        SlowUart(direction="to_app", baud=1),
        Duplicate(direction="to_app", nth=1, gap_s=9.0),
        Reorder(direction="to_device", nth=1, within_s=9.0),
        SlowAnswer(nth=1, time=LONG_S),
        Disconnect(at_s=9.0),
        SupervisionTimeout(at_s=9.0),
        MtuChange(at_s=9.0, mtu=23),
    ],
    ids=lambda fault: f"{fault.kind} {getattr(fault, 'direction', None) or ''}",
)
def test_nothing_is_left_of_a_link_that_has_ended(fault: AnyFault) -> None:
    device = FaultyDevice(echo_device(), FaultPlan((fault,)))
    device.radio_attached(NoRadio())
    device.connected(0.0)
    try:
        device.written(ECHO, b"one", 0.0)
    except AnswerLater:
        assert isinstance(fault, SlowAnswer)
    assert device.deadline is not None
    device.disconnected(1.0)
    assert device.deadline is None
    device.connected(2.0)
    assert device.deadline is None
    assert device.written(ECHO, b"two", 20.0) == (() if fault.kind == "slow_uart" else (Notify(ECHO, b"two"),))


def test_what_was_due_when_a_subscription_was_put_off_is_not_lost() -> None:
    class Hesitant(ScriptedDevice):
        def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
            raise AnswerLater

    inside = Hesitant("Echo")
    inside.characteristic(ECHO, "write notify", service="ffe0")
    inside.on_write(ECHO, lambda data: inside.notify(ECHO, data))
    device = FaultyDevice(inside, FaultPlan((Delay(direction="to_app", nth=1, time=Fixed(seconds=0.5)),)))
    device.connected(0.0)
    ScriptedDevice.subscribed(inside, ECHO, enabled=True, now=0.0)
    assert device.written(ECHO, b"one", 0.0) == ()
    with pytest.raises(AnswerLater):
        device.subscribed(ECHO, enabled=True, now=0.5)
    assert device.deadline_passed(0.5) == (Notify(ECHO, b"one"),)


def test_a_smaller_mtu_ends_with_the_link() -> None:
    device = FaultyDevice(echo_device(), FaultPlan((MtuChange(at_s=0.0, mtu=23),)))
    device.connected(0.0)
    assert device.deadline_passed(0.0) == ()
    with pytest.raises(AttError):
        device.written(ECHO, bytes(30), 0.0)
    device.disconnected(1.0)
    device.connected(2.0)
    assert device.written(ECHO, bytes(30), 2.0) == (Notify(ECHO, bytes(30)),)


class Restless(ScriptedDevice):
    """Wants to be called again at once, always: a defect, that is not to become a hang."""

    calls = 0

    @property
    def deadline(self) -> float | None:
        return 0.0

    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        self.calls += 1
        assert self.calls < 10
        return ()


def test_a_device_is_asked_once_a_call() -> None:
    restless = Restless("Restless")
    device = FaultyDevice(restless, FaultPlan((Disconnect(at_s=1.0),)))
    device.connected(0.0)
    device.deadline_passed(0.5)
    assert restless.calls == 1


def test_plans_go_into_one_another() -> None:
    """What one device is told, that of its plan and that of the plan around it, reaches both."""

    async def story() -> None:
        inner = FaultyDevice(echo_device(), FaultPlan((MtuChange(mtu=23), SupervisionTimeout(at_s=1.0))))
        outer = FaultyDevice(inner, FaultPlan((Drop(direction="to_app", nth=1),)))
        async with VirtualRadio() as radio:
            await radio.add_device(outer)
            async with await client_for(radio) as client:
                assert client.mtu_size == 23
                app = App(client)
                await client.start_notify(ECHO, app.hear)
                await app.say(b"one", b"two")
                assert app.words == [b"two"]
                await asyncio.sleep(2)
                assert not client.is_connected
        assert (inner.unfired(), outer.unfired()) == ([], [])

    check(story)


def test_two_faults_do_not_draw_alike() -> None:
    plan = FaultPlan(
        (
            Drop(name="there", direction="to_device", probability=0.5, characteristic="ffe1"),
            Drop(name="too", direction="to_device", probability=0.5, characteristic="ffe3"),
        )
    )
    device = FaultyDevice(echo_device(), plan)
    device.connected(0.0)
    for number in range(40):
        for place in (ECHO, FUSSY):
            with suppress(AttError):
                device.written(place, b"x", float(number))
    times = {name: [firing.time for firing in device.log if firing.fault == name] for name in ("there", "too")}
    assert 10 < len(times["there"]) < 30
    assert times["there"] != times["too"]


def test_every_fault_has_a_chance_of_its_own() -> None:
    """One fault more in a plan does not change what the others do."""

    def lost(*faults: AnyFault) -> list[str]:
        device = FaultyDevice(echo_device(), FaultPlan(faults, seed=3))
        device.connected(0.0)
        for number in range(50):
            device.written(ECHO, bytes([number]), float(number))
        return [firing.what for firing in device.log if firing.fault == "lossy"]

    lossy = Drop(name="lossy", direction="to_device", probability=0.3)
    alone = lost(lossy)
    assert 5 < len(alone) < 25
    assert alone == lost(lossy, Corrupt(direction="to_app", probability=0.5))


EVERYTHING: tuple[AnyFault, ...] = (
    AttRefusal(error="unlikely_error", probability=0.05),
    SlowAnswer(probability=0.3, time=LogNormal(median_s=0.02, sigma=0.5)),
    Drop(direction="to_device", probability=0.05),
    Duplicate(direction="to_device", probability=0.05),
    Corrupt(direction="to_app", probability=0.1),
    Reorder(direction="to_app", probability=0.1),
    Burst(direction="to_app", to_bad=0.05, to_good=0.4),
    Delay(direction="to_app", probability=0.3, time=LogNormal(median_s=0.05, sigma=1.0, longest_s=1.0)),
    SlowUart(direction="to_app", baud=9600, chunk=5),
    MtuChange(mtu=23, direction="to_device", nth=60),
    Disconnect(at_s=3.0),
    SupervisionTimeout(direction="to_app", nth=110, back_after_s=0.5),
)


async def bad_day(seed: int) -> tuple[list[Heard], list[object], dict[str, int]]:
    """Two links on which everything goes wrong; return what the app heard, what happened, and how often."""
    echo = echo_device()
    device = FaultyDevice(echo, FaultPlan(EVERYTHING, seed=seed))
    heard: list[Heard] = []
    async with VirtualRadio(seed) as radio:
        await radio.add_device(device)
        for _ in range(3):
            client = await client_for(radio)
            await client.connect()
            app = App(client)
            app.heard = heard
            app.begun = 0.0
            await client.start_notify(ECHO, app.hear)
            for number in range(100):
                if not client.is_connected:
                    break
                try:
                    await client.write_gatt_char(ECHO, bytes([number] * (number % 40)), response=number % 2 == 0)
                except BleakError:
                    heard.append(Heard(now(), b"refused"))
                await asyncio.sleep(0.1)
            await client.disconnect()
    return heard, list(device.log), device.fired


def test_the_same_seed_does_the_same_and_another_seed_does_not() -> None:
    first = run(bad_day(1))
    assert first == run(bad_day(1))
    assert first[0] != run(bad_day(2))[0]


def test_on_a_bad_day_every_kind_of_fault_fires() -> None:
    _, log, fired = run(bad_day(1))
    assert sorted(fired) == sorted(KINDS)
    assert [name for name, times in fired.items() if not times] == []
    assert len(log) == sum(fired.values())


def test_a_planned_fault_that_never_fired_makes_the_run_invalid() -> None:
    """It is named, with how often it should have fired; one that may stay away is not."""

    async def story() -> None:
        never = Drop(name="never", direction="to_app", nth=(1, 9))
        maybe = Corrupt(name="maybe", direction="to_app", nth=9, must_fire=0)
        async with world(never, maybe) as it:
            await it.app.say(*WORDS)
            assert it.device.fired == {"never": 1, "maybe": 0}
            assert it.device.unfired() == ["never"]
            assert it.device.explain_unfired() == [
                'the planned fault "never" (drop) fired 1 times and has to fire at least 2 times: the run says nothing'
            ]

    check(story)


def test_a_plan_without_chances_changes_nothing() -> None:
    """Whoever wraps a device and has nothing go wrong gets what the device does, at the same times."""

    async def heard(wrap: bool) -> list[Heard]:
        echo = echo_device(delay_s=0.25)
        never = Drop(direction="to_app", nth=999, must_fire=0)
        async with VirtualRadio() as radio:
            await radio.add_device(FaultyDevice(echo, FaultPlan((never,))) if wrap else echo)
            async with await client_for(radio) as client:
                app = App(client)
                await client.start_notify(ECHO, app.hear)
                await app.say(*WORDS)
                echo.notify(ECHO, b"unasked", after=0.5)  # moves the deadline from outside
                echo.hang_up(after=1.0)
                await asyncio.sleep(2)
                assert not client.is_connected
                return app.heard

    plain = run(heard(wrap=False))
    assert [word.data for word in plain] == [*WORDS, b"unasked"]
    assert run(heard(wrap=True)) == plain


def test_the_same_happens_on_the_wall_clock() -> None:
    async def story() -> list[bytes]:
        async with world(
            Drop(direction="to_app", nth=2), Delay(direction="to_app", nth=1, time=Fixed(seconds=0.05))
        ) as it:
            await it.app.say(b"one", b"two", b"three", gap_s=0.0)
            await it.app.has_heard(2)
            assert it.app.heard[0].time >= 0.05
            return it.app.words

    assert run(story(), speed=1.0) == [b"one", b"three"]
