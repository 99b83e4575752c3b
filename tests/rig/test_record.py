"""rig record: what a live connection does, as a capture; held against the HCI traffic of the same session."""

from __future__ import annotations

import asyncio
import errno
import io
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTServiceCollection
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakError

from protocols.gatt import uuid
from rig.capture.gatt import GattTracker
from rig.capture.handle_map import HandleMap
from rig.capture.layers.links import REMOTE, Link
from rig.capture.layers.stack import Stack
from rig.capture.registry import open_reader
from rig.capture.rows import AttRow, rows
from rig.capture.writer import BtsnoopWriter
from rig.cli import main
from rig.clock import run
from rig.commands.faults import RigError, UsageError
from rig.devices.catalogue import KEYS, create
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import BATTERY, CONTROL, SKIN, SimulatedForeo, model_byte
from rig.devices.model import AttError, DeviceAction, Hangup, SimulatedDevice
from rig.radio.adapter import Adapter
from rig.radio.bleak_backend import client_backend, scanner_backend
from rig.radio.link import VirtualRadio
from rig.record import Recorded, Recording, RecordingError, connected, find, record
from rig.testing import ScriptedDevice, virtual_radio
from tests.rig.radio_world import BOTH, ECHO, FUSSY, LONG, METER, SECRET, echo_device, now

EPOCH = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
CONTAINERS = ("btsnoop", "pcap", "pcapng")
TOTAL_STOP = bytes.fromhex("55AA0500A63102066BF2")


class Read:
    """A capture as the rig reads it."""

    def __init__(self, path: Path) -> None:
        self.stack, self.tracker = Stack(), GattTracker()
        self.rows: list[AttRow] = list(rows(open_reader(path).records(), self.stack, self.tracker))

    @property
    def link(self) -> Link:
        [link] = self.stack.links
        return link

    def session(self) -> list[tuple[int, str, int, int | None, str, bytes]]:
        """Time, sender, opcode, handle, UUID and octets of all that is neither discovery nor MTU exchange."""
        end = max(place for place, row in enumerate(self.rows) if row.opcode in range(0x02, 0x0A)) + 1
        while end < len(self.rows) and self.rows[end].opcode == 0x01:  # "attribute not found" ends a discovery
            end += 1
        return [(row.time_ns, row.sender, row.opcode, row.handle, row.uuid, row.pdu) for row in self.rows[end:]]

    def reason(self) -> object:
        """Why the link ended, as HCI error code."""
        return self.link.history[-1].data["reason_code"]

    def kinds(self) -> list[str]:
        return [happening.kind for happening in self.link.history]


@asynccontextmanager
async def traced(hci: Path | None, latency_s: float = 0) -> AsyncIterator[VirtualRadio]:
    """A virtual radio, its HCI traffic in a file where that is wanted."""
    async with VirtualRadio(seed=5, latency_s=latency_s) as radio:
        if hci is None:
            yield radio
            return
        with BtsnoopWriter(hci, EPOCH) as writer:
            radio.record(writer)
            yield radio
            await radio.close()


@asynccontextmanager
async def recording_of(
    device: SimulatedDevice, target: Path | io.BytesIO, hci: Path | None = None, latency_s: float = 0, **options: Any
) -> AsyncIterator[Recording]:
    """A recording of a device on a virtual radio, and the HCI traffic of the same beside it."""
    async with traced(hci, latency_s) as radio:
        await radio.add_device(device)
        found, advertised = await find(device.advertisement.name, radio=radio)
        async with connected(found, target, epoch=EPOCH, advertised=advertised, radio=radio, **options) as recording:
            yield recording


async def everything(recording: Recording) -> None:
    """Every operation there is, and every way for it to end."""
    await recording.start_notify(ECHO)
    await recording.start_notify(METER)
    await recording.start_notify(BOTH)
    await recording.write(ECHO, b"asked", response=True)
    await asyncio.sleep(1)
    await recording.write(ECHO, b"told", response=False)
    await asyncio.sleep(1)
    assert await recording.read(METER) == b"\x2a"
    assert await recording.read(LONG) == bytes(range(250)) * 2
    for length in (244, 245, 400):  # the MTU is 247: three octets of a request are its header
        await recording.write(LONG, bytes(length))
    [description, extra] = [
        recording.client.services.get_characteristic(METER).get_descriptor(uuid(u)) for u in ("2901", "2b00")
    ]  # type: ignore[union-attr]
    assert await recording.read_descriptor(description.handle) == b"meter"
    await recording.write_descriptor(extra, b"\x07")
    for refused in (recording.write(FUSSY, b"no"), recording.read(FUSSY), recording.write(SECRET, b"x")):
        with pytest.raises(BleakError):
            await refused
    await recording.stop_notify(ECHO)
    await asyncio.sleep(1)


# ---- the same as the traffic itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_recording_says_what_the_hci_traffic_of_the_session_says(tmp_path: Path, container: str) -> None:
    path, hci = tmp_path / f"session.{container}", tmp_path / "hci.btsnoop"

    async def session() -> None:
        device = echo_device()
        async with recording_of(device, path, hci) as recording:
            await everything(recording)
            device.notify(METER, b"indicated")
            device.notify(BOTH, b"notified", after=0.5)
            await asyncio.sleep(1)

    run(session())
    ours, truth = Read(path), Read(hci)
    assert len(ours.session()) == 48
    assert ours.session() == truth.session()
    assert (ours.link.central_side, ours.link.addresses[REMOTE]) == (
        truth.link.central_side,
        truth.link.addresses[REMOTE],
    )
    assert ours.stack.observations.names == truth.stack.observations.names
    assert [kind for kind in ours.kinds() if kind in ("connected", "mtu", "disconnected")] == [
        "connected",
        "mtu",
        "disconnected",
    ]
    learned, expected = (read.tracker.table(read.link, REMOTE) for read in (ours, truth))
    assert learned is not None
    assert expected is not None
    assert learned.complete
    assert {handle: learned.name(handle) for handle in expected.attributes} == expected.names


@pytest.mark.parametrize("seed", range(20))
def test_any_session_is_recorded_in_the_order_of_the_air(tmp_path: Path, seed: int) -> None:
    """Operations one after the other and at once, notifications of one's own accord, packets that take their time.

    Long reads and writes are left out: their parts do not show at the level of GATT, so neither do their times.
    """
    path, hci = tmp_path / "session.btsnoop", tmp_path / "hci.btsnoop"
    chance = random.Random(seed)
    latency_s = chance.choice([0.0, 0.0, 0.02])

    async def one(recording: Recording) -> None:
        data = chance.randbytes(chance.choice([1, 5, 20]))
        match chance.randrange(8):
            case 0:
                await recording.read(chance.choice([METER, ECHO]))
            case 1:
                await recording.write(LONG, chance.randbytes(chance.choice([100, 243, 244])))
            case 2:
                await recording.write(ECHO, data, response=False)
            case 3:
                await recording.start_notify(chance.choice([METER, BOTH]))
            case 4:
                await asyncio.gather(recording.read(FUSSY), return_exceptions=True)
            case 5:
                await asyncio.sleep(chance.choice([0, 0.001, 0.5]))
            case _:
                await recording.write(ECHO, data)

    async def session() -> None:
        device = echo_device(delay_s=chance.choice([0.0, 0.01]))
        async with recording_of(device, path, hci, latency_s=latency_s) as recording:
            await recording.start_notify(ECHO)
            for _ in range(15):
                device.notify(chance.choice([METER, BOTH]), chance.randbytes(3), after=chance.choice([0.0, 0.02, 0.3]))
                await asyncio.gather(*(one(recording) for _ in range(chance.choice([1, 1, 3]))))
            await asyncio.sleep(1)

    run(session())
    ours, truth = Read(path).session(), Read(hci).session()
    assert len(ours) > 20
    assert ours == truth, f"seed {seed}"


def test_a_devices_own_session_is_recorded_as_it_was(tmp_path: Path) -> None:
    path, hci = tmp_path / "session.pcapng", tmp_path / "hci.btsnoop"

    async def session() -> None:
        device = SimulatedForeo()
        async with recording_of(device, path, hci) as recording:
            await recording.start_notify(SKIN)
            await recording.start_notify(BATTERY)
            await recording.write(CONTROL, bytes((0x01, model_byte("BEAR2"), 0x05)))
            await recording.write(SKIN, b"\xef")
            await asyncio.sleep(60)
            assert device.output_percent(now()) > 0
            await recording.read(BATTERY)

    run(session())
    ours = Read(path).session()
    assert len(ours) > 10
    assert ours == Read(hci).session()


def test_wireshark_names_every_value_in_a_recording(tmp_path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed: apt-get install tshark")
    path = tmp_path / "session.pcapng"

    async def session() -> None:
        async with recording_of(SimulatedDr05(deaf_after_connect_s=0), path) as recording:
            await recording.start_notify("ffe1")
            await recording.write("ffe1", TOTAL_STOP)
            await asyncio.sleep(3)

    run(session())

    def ask(what: str, *fields: str) -> list[list[str]]:
        asked = [part for field in fields for part in ("-e", field)]
        command = [tshark, "-r", path, "-Y", what, "-T", "fields", *asked]
        return [
            line.split("\t")
            for line in subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=60
            ).stdout.splitlines()
        ]

    seen = ask("btatt.opcode in {0x12,0x13,0x1b}", "btatt.opcode", "btatt.uuid16", "btatt.value")
    assert seen[:4] == [
        ["0x12", "0x2902", ""],
        ["0x13", "0x2902", ""],
        ["0x12", "0xffe1", TOTAL_STOP.hex()],
        ["0x13", "0xffe1", ""],
    ]
    assert len(seen) > 4
    assert {tuple(row[:2]) for row in seen[4:]} == {("0x1b", "0xffe1")}
    assert ask("_ws.malformed || _ws.expert.severity >= warning", "frame.number") == []


# ---- nothing is lost -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_was_recorded_is_on_disk_at_every_moment(tmp_path: Path, container: str) -> None:
    """The process may be killed between any two operations."""
    path = tmp_path / f"session.{container}"

    async def session() -> None:
        device = echo_device(delay_s=0.25)
        async with recording_of(device, path) as recording:
            begun = len(Read(path).rows)
            assert begun > 10
            await recording.start_notify(ECHO)
            assert len(Read(path).rows) == begun + 2
            await recording.write(ECHO, b"x")
            assert len(Read(path).rows) == begun + 4
            await asyncio.sleep(0.5)
            assert Read(path).rows[-1].pdu.endswith(b"x")
            # An operation that hangs is there before it is answered.
            stuck = asyncio.ensure_future(recording.read(ECHO))
            await asyncio.sleep(0)
            assert Read(path).rows[-1].opcode == 0x0A
            await stuck

    run(session())


def test_a_recording_that_runs_full_never_stands_in_the_way(tmp_path: Path) -> None:
    class FullDisk(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell() + len(data) > 1500:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    device, disk = echo_device(), FullDisk()
    heard: list[bytes] = []

    async def session() -> None:
        async with recording_of(device, disk, format="btsnoop") as recording:
            await recording.start_notify(ECHO, lambda _, data: heard.append(bytes(data)))
            await recording.write(ECHO, b"x")
            await asyncio.sleep(1)
            assert recording.over.is_set()

    with pytest.raises(RecordingError, match="No space left on device; it has what was recorded until then"):
        run(session())
    assert [seen.data for seen in device.writes] == [b"x"]
    assert heard == [b"x"]
    assert len(disk.getvalue()) <= 1500


def test_what_goes_wrong_inside_is_not_hidden_by_a_full_disk() -> None:
    class FullDisk(io.BytesIO):
        def write(self, data: Any) -> int:
            if self.tell():
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    async def session() -> None:
        async with virtual_radio(echo_device()):
            device, _ = await find("Echo")
            async with BleakClient(device) as client:
                with pytest.raises(ZeroDivisionError):
                    async with Recording(client, FullDisk(), epoch=EPOCH, format="btsnoop"):
                        raise ZeroDivisionError
                with pytest.raises(RecordingError, match="the recording: cannot be written: No space left"):
                    async with Recording(client, FullDisk(), epoch=EPOCH, format="btsnoop"):
                        pass

    run(session())


# ---- wrapping one's own client -------------------------------------------------------------------------------------


def test_a_client_of_ones_own_is_recorded_and_stays_connected(tmp_path: Path) -> None:
    path = tmp_path / "mine.pcapng"

    async def session() -> None:
        async with virtual_radio(echo_device()):
            device, _ = await find("echo")
            async with BleakClient(device) as client:
                async with Recording(client, path, epoch=EPOCH) as recording:
                    await recording.start_notify("ffe1")
                    await recording.write("ffe1", b"1", response=True)
                assert client.is_connected
                await recording.write("ffe1", b"not recorded")
                recording.link_ended()
                recording.close()

    run(session())
    read = Read(path)
    assert "disconnected" not in read.kinds()
    assert [row.value for row in read.rows if row.opcode == 0x12] == [b"\x01\x00", b"1"]
    assert read.stack.observations.names == {read.link.addresses[REMOTE].text: "Echo"}  # type: ignore[union-attr]


def test_a_link_that_ended_before_the_recording_is_ended_in_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.pcapng"

    async def session() -> None:
        async with virtual_radio(echo_device()):
            device, _ = await find("echo")
            client = BleakClient(device)
            await client.connect()
            async with Recording(client, path, epoch=EPOCH) as recording:
                await client.disconnect()
                with pytest.raises(BleakError):
                    await recording.write(ECHO, b"late")

    run(session())
    read = Read(path)
    assert read.kinds()[-1] == "disconnected"
    assert all(row.opcode != 0x12 for row in read.rows)


def test_without_a_connection_there_is_nothing_to_record(tmp_path: Path) -> None:
    path = tmp_path / "mine.pcapng"

    async def session() -> None:
        async with virtual_radio(echo_device()):
            device, _ = await find("echo")
            with pytest.raises(BleakError):
                Recording(BleakClient(device), path, epoch=EPOCH)

    run(session())
    assert not path.exists()


def test_an_epoch_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Recording(None, io.BytesIO(), epoch=datetime(2024, 1, 1))  # type: ignore[arg-type]  # noqa: DTZ001 - the mistake


# ---- one request at a time, and what comes of each -----------------------------------------------------------------


def test_requests_wait_for_each_other_as_att_has_it(tmp_path: Path) -> None:
    path, hci = tmp_path / "session.btsnoop", tmp_path / "hci.btsnoop"

    async def session() -> None:
        async with recording_of(echo_device(), path, hci) as recording:
            await asyncio.gather(
                recording.write(ECHO, b"1"),
                recording.read(METER),
                recording.write(ECHO, b"2"),
                recording.start_notify(BOTH),
            )

    run(session())
    assert [row[2] for row in Read(path).session()] == [0x12, 0x13, 0x0A, 0x0B, 0x12, 0x13, 0x12, 0x13]
    assert Read(path).session() == Read(hci).session()


def test_what_is_cancelled_stays_unanswered_and_the_next_one_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "session.btsnoop"

    async def session() -> None:
        async with recording_of(echo_device(), path) as recording:
            waiting = asyncio.ensure_future(recording.read(METER))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await recording.write(ECHO, b"x")

    run(session())
    assert [(row[2], row[4]) for row in Read(path).session()] == [(0x0A, "ffe2"), (0x12, "ffe1"), (0x13, "ffe1")]


def test_a_write_without_response_that_does_not_fit_is_not_in_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "session.btsnoop"

    async def session() -> None:
        async with recording_of(echo_device(mtu=23), path) as recording:
            with pytest.raises(BleakError, match="21 bytes do not fit"):
                await recording.write(ECHO, bytes(21), response=False)
            await recording.write(ECHO, bytes(20), response=False)

    run(session())
    assert [row[5] for row in Read(path).session()] == [b"\x52\x10\x00" + bytes(20)]


def test_a_write_is_with_response_where_the_characteristic_has_both() -> None:
    async def session() -> None:
        disk = io.BytesIO()
        async with recording_of(echo_device(), disk, format="btsnoop") as recording:
            await recording.write(ECHO, b"x")
            assert disk.getvalue().endswith(b"\x04\x00\x13")

    run(session())


def test_what_is_not_there_is_an_error_and_not_in_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "session.btsnoop"

    async def session() -> None:
        async with recording_of(echo_device(), path) as recording:
            for missing in (recording.read("2a19"), recording.write(999, b"x"), recording.read_descriptor(999)):
                with pytest.raises(BleakError, match=r"2a19|999"):
                    await missing
            with pytest.raises(BleakError):
                await recording.stop_notify(ECHO)

    run(session())
    assert Read(path).session() == []


def test_callbacks_are_called_or_awaited_and_can_be_exchanged(tmp_path: Path) -> None:
    async def session() -> None:
        first: list[bytes] = []
        second: list[bytes] = []

        async def later(_sender: object, data: bytearray) -> None:
            await asyncio.sleep(1)
            second.append(bytes(data))

        async with recording_of(echo_device(), tmp_path / "x.btsnoop") as recording:
            await recording.start_notify(ECHO, lambda _, data: first.append(bytes(data)))
            await recording.write(ECHO, b"1")
            await recording.start_notify(ECHO, later)
            await recording.write(ECHO, b"2")
            assert second == []
            await asyncio.sleep(2)
            assert (first, second, recording.notifications) == ([b"1"], [b"2"], 2)
            await recording.stop_notify(ECHO)
            await recording.write(ECHO, b"3")
            assert recording.notifications == 2

    run(session())
    switched = [row for row in Read(tmp_path / "x.btsnoop").rows if row.opcode == 0x12 and row.uuid == "2902"]
    assert [row.value for row in switched] == [b"\x01\x00", b"\x00\x00"]


class Fussy(ScriptedDevice):
    """Refuses the first subscription."""

    refuses = True

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        if self.refuses:
            self.refuses = False
            raise AttError(0x05)
        return super().subscribed(characteristic, enabled, now)


def fussy_device() -> Fussy:
    device = Fussy("Fussy")
    device.characteristic("ffe1", "notify", service="ffe0")
    device.characteristic("ffe2", "notify", service="ffe0")
    return device


def test_a_subscription_that_is_refused_can_be_tried_again(tmp_path: Path) -> None:
    path, hci = tmp_path / "x.btsnoop", tmp_path / "hci.btsnoop"

    async def session() -> None:
        async with recording_of(fussy_device(), path, hci) as recording:
            with pytest.raises(BleakError):
                await recording.start_notify("ffe1")
            await recording.start_notify("ffe1")

    run(session())
    assert [row[2] for row in Read(path).session()] == [0x12, 0x01, 0x12, 0x13]
    assert Read(path).session() == Read(hci).session()


# ---- the command ---------------------------------------------------------------------------------------------------


async def on_the_air(
    *devices: SimulatedDevice, then: Callable[[VirtualRadio], Awaitable[Recorded]], hci: Path | None = None
) -> Recorded:
    async with traced(hci) as radio:
        for device in devices:
            await radio.add_device(device)
        return await then(radio)


@pytest.mark.parametrize("key", KEYS)
def test_recording_a_device_never_commands_it(tmp_path: Path, key: str) -> None:
    """It puts current into a face: all that may be written is what switches notifications on."""
    device = create(key)
    path, hci = tmp_path / "x.pcapng", tmp_path / "hci.btsnoop"
    run(
        on_the_air(
            device,
            then=lambda radio: record(device.advertisement.name, path, epoch=EPOCH, seconds=600, radio=radio),
            hci=hci,
        )
    )
    for read in (Read(hci), Read(path)):
        written = [row for row in read.rows if row.sender == "central" and row.opcode in (0x12, 0x16, 0x52, 0xD2)]
        assert written
        assert {(row.opcode, row.uuid) for row in written} == {(0x12, "2902")}
    assert device.trace == ()


def test_it_ends_after_the_seconds_that_were_asked_for(tmp_path: Path) -> None:
    path, told = tmp_path / "x.pcapng", list[str]()
    device = echo_device()

    async def session(radio: VirtualRadio) -> Recorded:
        device.notify(ECHO, b"one", after=3)
        device.notify(METER, b"two", after=14)
        return await record("ECHO", path, epoch=EPOCH, seconds=20, radio=radio, tell=told.append)

    assert run(on_the_air(device, then=session)) == Recorded(seconds=20.0, notifications=2, by_device=False)
    read = Read(path)
    assert (read.kinds()[0], read.kinds()[-1]) == ("connected", "disconnected")
    assert read.link.history[-1].time_ns - read.link.history[0].time_ns == 20 * 10**9
    assert [row.value for row in read.rows if row.opcode in (0x1B, 0x1D)] == [b"one", b"two"]
    assert told == [
        f"Echo ({read.link.addresses[REMOTE].text}): 4 characteristics recorded into {path}, for 20 s",  # type: ignore[union-attr]
        "2 notifications in 20.0 s",
    ]


@pytest.mark.parametrize("how", ["hangs up", "goes out of reach"])
def test_it_ends_when_the_link_does(tmp_path: Path, how: str) -> None:
    path = tmp_path / "x.pcapng"
    device = echo_device()

    async def session(radio: VirtualRadio) -> Recorded:
        if how == "hangs up":
            device.hang_up(after=5)
        else:
            asyncio.get_running_loop().call_later(5, radio.peripherals[0].vanish)
        return await record("Echo", path, epoch=EPOCH, radio=radio)

    recorded = run(on_the_air(device, then=session))
    assert recorded.by_device
    assert 4 < recorded.seconds < 6
    assert Read(path).reason() == 0x1F, "bleak does not tell why"


def test_a_link_that_is_lost_while_subscribing_ends_the_recording(tmp_path: Path) -> None:
    class Leaving(ScriptedDevice):
        """Is gone with the first subscription."""

        def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
            return (Hangup(),) if enabled else ()

    device = Leaving("Leaving")
    for characteristic in ("ffe1", "ffe2", "ffe3"):
        device.characteristic(characteristic, "notify", service="ffe0")
    told: list[str] = []

    async def session(radio: VirtualRadio) -> Recorded:
        return await record("Leaving", tmp_path / "x.pcapng", epoch=EPOCH, radio=radio, tell=told.append)

    assert run(on_the_air(device, then=session)).by_device
    assert told[-1].startswith("the device has gone; 0 notifications in 0.")
    assert not any("is not recorded" in line for line in told)
    assert Read(tmp_path / "x.pcapng").kinds()[-1] == "disconnected"


def test_ctrl_c_ends_the_link_in_order(tmp_path: Path) -> None:
    path, told = tmp_path / "x.pcapng", list[str]()
    device = echo_device()

    async def session(radio: VirtualRadio) -> Recorded:
        recording = asyncio.ensure_future(record("Echo", path, epoch=EPOCH, radio=radio, tell=told.append))
        await asyncio.sleep(10)
        assert device.is_connected
        recording.cancel()  # what asyncio.run makes of Ctrl+C
        with pytest.raises(asyncio.CancelledError):
            await recording
        assert not device.is_connected
        return Recorded(0, 0, by_device=False)

    run(on_the_air(device, then=session))
    assert Read(path).reason() == 0x16, "ended by the local host"
    assert told[-1] == "0 notifications in 10.0 s"


def test_what_refuses_a_subscription_is_told_and_the_rest_is_recorded(tmp_path: Path) -> None:
    told: list[str] = []

    async def session(radio: VirtualRadio) -> Recorded:
        return await record("Fussy", tmp_path / "x.pcapng", epoch=EPOCH, seconds=1, radio=radio, tell=told.append)

    run(on_the_air(fussy_device(), then=session))
    assert told[0] == f"{ECHO} is not recorded: the device refused, ATT error 0x05, insufficient authentication"
    assert ": 2 characteristics recorded into" in told[1], "Service Changed and the other one"


def test_the_handle_map_can_be_saved_on_the_way(tmp_path: Path) -> None:
    path, saved = tmp_path / "x.btsnoop", tmp_path / "dr05.json"

    async def session(radio: VirtualRadio) -> Recorded:
        return await record("Dr-05", path, epoch=EPOCH, seconds=1, save_map=saved, radio=radio)

    run(on_the_air(SimulatedDr05(), then=session))
    [table] = HandleMap.load(saved).tables
    read = Read(path)
    assert (table.name, table.address) == ("Dr-05", read.link.addresses[REMOTE])
    learned = read.tracker.table(read.link, REMOTE)
    assert learned is not None
    assert list(table.attributes) == list(learned.attributes.values())


def test_a_device_is_found_by_its_address_too(tmp_path: Path) -> None:
    async def session(radio: VirtualRadio) -> Recorded:
        address = radio.peripherals[0].address
        return await record(address.lower(), tmp_path / "x.pcap", epoch=EPOCH, seconds=1, radio=radio)

    assert not run(on_the_air(echo_device(), then=session)).by_device


# ---- what can go wrong, in one line --------------------------------------------------------------------------------


def failing(tmp_path: Path, *devices: SimulatedDevice, device: str = "Echo", target: str = "x.pcapng") -> str:
    """What a recording that cannot be is told in, at the cost of no file."""

    async def session(radio: VirtualRadio) -> Recorded:
        return await record(device, tmp_path / target, epoch=EPOCH, seconds=1, radio=radio)

    with pytest.raises(RigError) as caught:
        run(on_the_air(*devices, then=session))
    said = str(caught.value)
    assert "\n" not in said
    assert not (tmp_path / target).is_file()
    return said


def test_a_device_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    said = failing(tmp_path, echo_device("Lamp"), SimulatedDr05(), device="Toaster")
    assert said == "no device 'Toaster' within 10 s; heard were 'Dr-05', 'Lamp'"


def test_where_nothing_is_heard_that_is_told(tmp_path: Path) -> None:
    assert "no device 'Echo' within 10 s; no other was heard either" in failing(tmp_path)


def test_a_device_that_goes_before_it_is_connected_to_is_told(tmp_path: Path) -> None:
    async def session() -> None:
        async with VirtualRadio(seed=5) as radio:
            peripheral = await radio.add_device(echo_device())
            device, _ = await find("Echo", radio=radio)
            await peripheral.close()
            with pytest.raises(RigError, match="Echo cannot be connected to: it does not answer; check that it is on"):
                async with connected(device, tmp_path / "x.pcapng", epoch=EPOCH, radio=radio):
                    pass

    run(session())
    assert not (tmp_path / "x.pcapng").exists()


class NoRadio:
    """A computer whose Bluetooth does not come up."""

    def __init__(self, error: Exception) -> None:
        async def fail() -> Any:
            raise error

        adapter = Adapter(fail)
        self.scanner_backend = scanner_backend(adapter)
        self.client_backend = client_backend(adapter)


@pytest.mark.parametrize(
    ("error", "complaint"),
    [
        (
            BleakBluetoothNotAvailableError("no adapters found", BleakBluetoothNotAvailableReason.NO_BLUETOOTH),
            "Bluetooth is not available: no adapters found; switch it on, or plug an adapter in",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory"),
            "Bluetooth cannot be used: the system's message bus (D-Bus) cannot be reached; check that its service",
        ),
        (BleakError("the dongle\nis on fire"), "Bluetooth cannot be used: the dongle is on fire; check"),
    ],
    ids=["no adapter", "no bus", "other"],
)
def test_a_computer_without_bluetooth_is_told(error: Exception, complaint: str) -> None:
    async def session() -> None:
        radio = NoRadio(error)
        with pytest.raises(RigError) as caught:
            await find("Echo", radio=radio)
        assert str(caught.value).startswith(complaint)
        device = BLEDevice("C0:FF:EE:00:00:01", "Echo", {})
        with pytest.raises(
            RigError, match=r"Bluetooth is not available|Bluetooth cannot be used|cannot be connected to"
        ):
            async with connected(device, io.BytesIO(), epoch=EPOCH, format="pcap", radio=radio):
                pass

    run(session())


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("x.txt", "x.txt: give it a name that ends in .btsnoop, .pcap or .pcapng, or say the format"),
        (
            "x.pcapng.gz",
            "x.pcapng.gz: a recording is not compressed while it is made; `rig convert` does it afterwards",
        ),
        ("nowhere/x.pcap", "nowhere/x.pcap: there is no such folder; make it first"),
        ("folder.pcap", "folder.pcap: is a folder; name a file in it"),
    ],
)
def test_a_file_that_cannot_be_is_refused_before_the_radio_is_touched(
    tmp_path: Path, target: str, complaint: str
) -> None:
    (tmp_path / "folder.pcap").mkdir()
    with pytest.raises(UsageError) as caught:
        run(record("Echo", tmp_path / target, epoch=EPOCH, radio=NoRadio(ZeroDivisionError())))
    assert str(caught.value).endswith(complaint)


# ---- on the command line -------------------------------------------------------------------------------------------


@pytest.fixture
def in_a_virtual_world(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The command's own ``asyncio.run`` in virtual time, with devices around."""

    def prepare(*devices: SimulatedDevice, after: Callable[[], None] = lambda: None) -> None:
        async def world(command: Coroutine[Any, Any, None]) -> None:
            async with virtual_radio(*devices):
                after()
                await command

        monkeypatch.setattr("rig.commands.record.asyncio.run", lambda command: run(world(command)))

    return prepare


def test_the_command_records_with_the_date_of_the_computer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], in_a_virtual_world: Callable[..., None]
) -> None:
    in_a_virtual_world(SimulatedDr05())
    path = tmp_path / "x.btsnoop"
    before = datetime.now(UTC)
    assert main(["record", "--device", "dr-05", str(path), "--seconds", "5"]) == 0
    said = capsys.readouterr()
    assert "1 characteristic recorded into" in said.out or "2 characteristics recorded into" in said.out
    assert said.err == ""
    begun = datetime.fromtimestamp(Read(path).link.history[0].time_ns / 1e9, UTC)
    assert before - timedelta(seconds=1) < begun < datetime.now(UTC) + timedelta(seconds=60)


def test_the_command_says_in_one_line_that_the_link_ended_early(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], in_a_virtual_world: Callable[..., None]
) -> None:
    device = echo_device()
    in_a_virtual_world(device, after=lambda: device.hang_up(after=5))
    path = tmp_path / "x.pcapng"
    assert main(["record", "--device", "Echo", str(path), "--seconds", "60"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("rig: the link ended after 5.0")
    assert said.endswith(f" of 60 s; {path} has what was recorded until then\n")
    assert Read(path).kinds()[-1] == "disconnected"


def test_without_seconds_the_end_of_the_link_is_an_end_as_any(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], in_a_virtual_world: Callable[..., None]
) -> None:
    device = echo_device()
    in_a_virtual_world(device, after=lambda: device.hang_up(after=5))
    assert main(["record", "--device", "Echo", str(tmp_path / "x.pcapng")]) == 0
    assert capsys.readouterr().err == ""


def test_the_command_says_in_one_line_that_there_is_no_such_device(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], in_a_virtual_world: Callable[..., None]
) -> None:
    in_a_virtual_world(echo_device())
    assert main(["record", "--device", "Toaster", str(tmp_path / "x.pcapng")]) == 1
    assert capsys.readouterr().err == "rig: no device 'Toaster' within 10 s; heard were 'Echo'\n"
    assert main(["record", "--device", "Echo", str(tmp_path / "x.mp3")]) == 2


def test_ctrl_c_is_an_end_as_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.pcapng"

    async def world(command: Coroutine[Any, Any, None]) -> None:
        async with virtual_radio(echo_device()):
            task = asyncio.ensure_future(command)
            await asyncio.sleep(10)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def interrupted(command: Coroutine[Any, Any, None]) -> None:
        """As asyncio.run does it: the task is cancelled and comes to its end, then the interrupt goes on."""
        run(world(command))
        raise KeyboardInterrupt

    monkeypatch.setattr("rig.commands.record.asyncio.run", interrupted)
    assert main(["record", "--device", "Echo", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out.endswith("0 notifications in 10.0 s\n")
    assert said.err == ""
    assert Read(path).kinds()[-1] == "disconnected"


PROGRAM = """
import sys
import rig.commands.record as command
from rig.cli import main
from rig.testing import ScriptedDevice, virtual_radio

device = ScriptedDevice("Ticker")
device.characteristic("ffe1", "notify", service="ffe0")
recorded = command.recorded

async def with_a_device_around(*arguments, **options):
    tell = options.pop("tell")
    def told(line):
        tell(line)
        for tick in range(200):
            device.notify("ffe1", bytes([tick]), after=0.02 * tick)
    async with virtual_radio(device):
        return await recorded(*arguments, tell=told, **options)

command.recorded = with_a_device_around
sys.exit(main(["record", "--device", "Ticker", sys.argv[1]]))
"""


def started(path: Path) -> subprocess.Popen[str]:
    """The command in a process of its own, in real time, recording a device that notifies 50 times a second."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert "recorded into" in program.stdout.readline()
    size = path.stat().st_size
    deadline = time.monotonic() + 30
    while path.stat().st_size < size + 500 and time.monotonic() < deadline:
        time.sleep(0.01)
    return program


def test_a_killed_process_has_lost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    program = started(path)
    program.kill()
    program.communicate(timeout=30)
    ticks = [row.value for row in Read(path).rows if row.opcode == 0x1B]
    assert len(ticks) > 5
    assert ticks == [bytes([tick]) for tick in range(len(ticks))]


@pytest.mark.usefixtures("interrupts")
def test_ctrl_c_ends_the_process_in_order(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    program = started(path)
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=30)
    assert (program.returncode, err) == (0, "")
    read = Read(path)
    ticks = [row for row in read.rows if row.opcode == 0x1B]
    assert out.startswith(f"{len(ticks)} notifications in ")
    assert read.kinds()[-1] == "disconnected"


# ---- addresses and names -------------------------------------------------------------------------------------------


class StandIn:
    """A connected client of another backend, as far as a recording asks one at its beginning and end."""

    def __init__(self, address: str, name: str) -> None:
        self.address, self.name = address, name
        self.is_connected = True
        self.services = BleakGATTServiceCollection()


@pytest.mark.parametrize(
    ("address", "details", "expected"),
    [
        ("00:11:22:33:44:55", {"path": "/org/bluez", "props": {"AddressType": "public"}}, ("00:11:22:33:44:55", False)),
        ("c0:11:22:33:44:55", {"path": "/org/bluez", "props": {"AddressType": "random"}}, ("C0:11:22:33:44:55", True)),
        ("00:11:22:33:44:55", ("something", "else"), ("00:11:22:33:44:55", False)),
        ("no address at all", None, ("D6:50:EB:E3:F0:A4", True)),
        # macOS shows an identifier of its own; what stands in for the address is always the same, and no real one.
        ("E621E1F8-C36C-495A-93FC-0C247A3E6E5F", None, ("D4:99:60:17:9B:B0", True)),
    ],
)
def test_addresses_are_told_as_far_as_the_system_shows_them(
    tmp_path: Path, address: str, details: object, expected: tuple[str, bool]
) -> None:
    path = tmp_path / "x.btsnoop"

    async def session() -> None:
        client: Any = StandIn(address, "Lamp")
        device = BLEDevice(address, "Lamp", details)
        async with Recording(client, path, epoch=EPOCH, device=device) as recording:
            recording.link_ended(0x08)
            recording.link_ended()

    run(session())
    link = Read(path).link
    assert link.addresses[REMOTE] == expected
    assert [happening.kind for happening in link.history] == ["connected", "disconnected"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Lamp", "Lamp"),
        ("00-11-22-33-44-55", None),  # what BlueZ calls a device that has no name
        ("Ä" * 20, "Ä" * 14),  # as much as there is room for, in whole characters
    ],
)
def test_names_are_told_as_a_device_would_advertise_them(tmp_path: Path, name: str, expected: str | None) -> None:
    path = tmp_path / "x.btsnoop"

    async def session() -> None:
        client: Any = StandIn("00:11:22:33:44:55", name)
        Recording(client, path, epoch=EPOCH).close()

    run(session())
    assert Read(path).stack.observations.names.get("00:11:22:33:44:55") == expected
    kind = b"\x09" if name == expected else b"\x08"  # whole, or shortened
    assert expected is None or bytes([len(expected.encode()) + 1]) + kind + expected.encode() in path.read_bytes()
