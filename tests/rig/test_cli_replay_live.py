"""``rig replay`` with real hardware in mind: a device played to in real time, a controller on a wire, and Ctrl+C."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakError

from rig import cli
from rig.commands import replay_live
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import SimulatedForeo
from rig.devices.model import SimulatedDevice
from rig.radio.bleak_backend import HciRadio
from rig.radio.fault_plan import AttRefusal, FaultPlan
from rig.radio.faults import FaultyDevice
from rig.radio.link import VirtualRadio
from rig.replay.app import AppPlayer, Played
from rig.replay.exchanges import Transcript
from rig.replay.job import Job
from rig.replay.outcome import Difference, Outcome, Verdict
from rig.replay.pacing import Pacer
from rig.replay.schedule import Schedule
from rig.replay.transcript import save
from rig.report.files import read_report
from tests.rig.replay.dr05_talk import Talk
from tests.rig.replay.recorded_talk import foreo_session
from tests.rig.test_hci_transport import dongles

ADDRESS = "C0:FF:EE:00:00:01"
DEVICE = ("--as", "central", "--device", ADDRESS, "--consent")


def talk() -> Transcript:
    """An app that starts a Dr-05, and leaves it at its lowest level for a while."""
    script = Talk().started()
    script.at_s += 0.5
    return replace(script.hung_up().transcript(), services=SimulatedDr05().services)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "talk.jsonl"
    save(talk(), path)
    return path


def rig(*arguments: str | Path) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()


def texts(outcome: Outcome) -> list[str]:
    return [difference.text for difference in outcome.differences]


# --- a device that could be real --------------------------------------------------------------------------------------


def to_device(
    device: SimulatedDevice, script: Transcript, *, interrupted: SimulatedDevice | None = None, job: Job | None = None
) -> replay_live.Seen:
    """Play to it in real time. Ctrl+C comes twice, a moment after the ``interrupted`` device has put out current."""

    async def impatient(running: SimulatedDevice) -> None:
        loop = asyncio.get_running_loop()
        while not running.output_percent(loop.time()):  # noqa: ASYNC110 - a device tells nobody
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(0)  # the device is being stopped by now, and that takes longer

    async def scenario() -> replay_live.Seen:
        async with VirtualRadio() as radio:
            peripheral = await radio.add_device(device)
            somebody = asyncio.create_task(impatient(interrupted)) if interrupted is not None else None
            try:
                return await replay_live.to_device(script, peripheral.address, job or Job("central"), radio=radio)
            finally:
                if somebody is not None:
                    somebody.cancel()

    return replay_live.until_interrupted(scenario())


def test_a_recorded_app_is_played_to_a_device_in_real_time(capsys: pytest.CaptureFixture[str]) -> None:
    device = SimulatedDr05()
    seen = to_device(device, talk(), job=Job("central", tolerance_s=None))
    assert (seen.outcome.verdict, texts(seen.outcome), seen.interrupted) == (Verdict.PASSED, [], False)
    assert device.trace[-1].output_percent == 0
    assert not device.running
    assert "Ctrl+C stops the device, and says what was seen" in capsys.readouterr().out


def test_ctrl_c_stops_the_device_first_and_then_says_what_was_seen(interrupts: None) -> None:
    device = SimulatedDr05()
    seen = to_device(device, talk(), interrupted=device)
    assert seen.interrupted
    assert device.trace[-1].output_percent == 0
    assert max(entry.output_percent for entry in device.trace) > 0
    assert not device.running
    assert texts(seen.outcome)[-1].endswith("the replay was interrupted")
    assert "app writes without response ffe0/ffe1: 55 aa 06 00 a6 31 02 03 01 15 1b" in [
        line.text for line in seen.outcome.conversation
    ]
    assert seen.outcome.samples["command_to_acknowledgement"]


def test_a_device_that_did_not_confirm_its_stop_is_named_after_ctrl_c_too(interrupts: None) -> None:
    # the guard's stop, the app's, and its start; and then it takes no write any more, not the stop either
    deaf = AttRefusal(operation="write", error="unlikely_error", nth=tuple(range(4, 40)), must_fire=0)
    device = SimulatedForeo("BEAR2", keeps_pulsating=True)
    faulty = FaultyDevice(device, FaultPlan(faults=(deaf,), seed=1))
    seen = to_device(faulty, foreo_session(), interrupted=device)
    assert seen.interrupted
    assert texts(seen.outcome)[-1] == (
        "the device did not confirm the last stop: its output may still be on; switch it off by hand"
    )


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
def test_a_computer_without_bluetooth_is_told(
    error: Exception, complaint: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def raises(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(BleakScanner, "find_device_by_filter", raises)
    code, out, err = rig("replay", file, *DEVICE)
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith(f"rig: {complaint}")
    assert out.startswith(f"looking for {ADDRESS}")


def test_a_device_that_is_not_heard_says_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: object, **__: object) -> None:
        return None

    monkeypatch.setattr(BleakScanner, "find_device_by_filter", none)
    code, out, err = rig("replay", file, *DEVICE)
    assert (code, err) == (3, "")
    assert f"no device {ADDRESS} is heard: switch it on, bring it near" in " ".join(out.split())


def test_an_interrupted_replay_is_reported_and_ends_as_one(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted(*_: object, **__: object) -> replay_live.Seen:
        difference = Difference("missing", 3, 0, "missing: exchange 3: the replay was interrupted")
        return replay_live.Seen(Outcome("central", "talk", Verdict.FAILED, [difference]), interrupted=True)

    monkeypatch.setattr(replay_live, "to_device", interrupted)
    code, out, err = rig("replay", file, *DEVICE, "--report", tmp_path / "r.json")
    assert (code, err) == (130, "")
    assert "missing: exchange 3: the replay was interrupted" in out
    assert read_report(str(tmp_path / "r.json")).outcomes[0].verdict is Verdict.FAILED


def test_an_interruption_before_there_is_anything_to_tell_tells_nothing(interrupts: None) -> None:
    async def waits() -> replay_live.Seen:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(60)
        raise AssertionError

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        replay_live.until_interrupted(waits())
    assert signal.getsignal(signal.SIGINT) is handler


# --- a controller that could be a dongle ------------------------------------------------------------------------------


async def plays(radio: HciRadio, recording: Transcript) -> Played:
    """What a phone does: looks for the device, connects, and does what its app did."""
    found = await BleakScanner.find_device_by_name("Dr-05", backend=radio.scanner_backend)
    assert found is not None
    assert found.address == ADDRESS
    player = AppPlayer(recording)
    async with BleakClient(found, player.link_ended, backend=radio.client_backend) as client:
        return await player.play(client, Pacer(Schedule.of(recording)))


async def test_a_recorded_device_is_played_to_whatever_app_connects() -> None:
    told: list[str] = []
    job = Job("peripheral", 1.0, tolerance_s=None)
    async with dongles(2) as (for_device, for_app), await HciRadio.open(for_app) as radio, asyncio.timeout(20):
        serving = asyncio.create_task(replay_live.on_air(talk(), for_device, ADDRESS, job, tell=told.append))
        played = await plays(radio, talk())
        seen = await serving
    assert played.problem == ""
    assert (seen.outcome.verdict, texts(seen.outcome), seen.interrupted) == (Verdict.PASSED, [], False)
    assert told == [f"'Dr-05' advertises as {ADDRESS}: connect the app to it; Ctrl+C ends it, and says what was seen"]


async def test_ctrl_c_on_the_air_says_what_was_seen_so_far(file: Path, interrupts: None) -> None:
    script = talk()
    half = replace(script, exchanges=script.exchanges[:6])
    command = [sys.executable, "-c", "import sys; from rig.cli import main; sys.exit(main())"]
    async with dongles(2) as (for_device, for_app), await HciRadio.open(for_app) as radio, asyncio.timeout(30):
        options = ("--as", "peripheral", "--transport", for_device, "--address", ADDRESS, "--tolerance", "none")
        process = await asyncio.create_subprocess_exec(
            *command, "replay", str(file), *options, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"'Dr-05' advertises as C0:FF:EE:00:00:01")
        played = await plays(radio, half)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert played.problem == ""
    assert (process.returncode, err) == (130, b"")
    words = " ".join(out.decode().split())
    assert "failed peripheral a talk with a Dr-05" in words
    assert "app writes without response ffe0/ffe1: 55 aa 06 00 a6 32 02 02 01 c1 1a" in words
    assert "1 failed of 1 replay" in words
