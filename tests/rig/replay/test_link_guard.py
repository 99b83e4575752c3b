"""H4 at the rig: no guard, no output. A recording is played to a real device only on a link that a guard holds."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError

from rig import cli, guards
from rig.conformance.pairing import Onlooker
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import SimulatedForeo
from rig.devices.model import SimulatedDevice
from rig.devices.omp import SimulatedOmp
from rig.guards import GROUP, Lost, MakeGuard, NoGuardError, StopWrite, installed
from rig.radio.link import VirtualRadio
from rig.radio.pairing import Ability, Pairing
from rig.replay.central import AS_IT_WAS, Rules, replay_on_device
from rig.replay.exchanges import Transcript
from rig.replay.outcome import Outcome, Verdict
from rig.replay.transcript import save
from tests.rig.conformance.test_guarded import FakeGuard
from tests.rig.radio_world import client_for
from tests.rig.replay.app_world import exchange, transcript
from tests.rig.replay.dr05_talk import MAKERS_TOTAL_STOP, Talk, total_stop

LOST = "this computer was asleep"


def talk() -> Transcript:
    """An app that starts a Dr-05, and leaves it at its lowest level for a while."""
    script = Talk().started()
    script.at_s += 0.6
    return script.hung_up().transcript()


@asynccontextmanager
async def on_air(device: SimulatedDevice) -> AsyncIterator[VirtualRadio]:
    """The device on a radio that takes no time, bonded with this computer where it asks for that."""
    async with VirtualRadio() as radio:
        await radio.add_device(device)
        if isinstance(device, SimulatedOmp):
            radio.adapter.pairing = Pairing(Ability.SHOWS_AND_CONFIRMS, Onlooker(device.display))
            async with await client_for(radio, "OMP") as client:
                await client.pair()
                await asyncio.sleep(0.1)  # the keys are under way
        yield radio


class Seeing(FakeGuard):
    """Notes, too, how far things had come whenever it was asked for something."""

    def __init__(self, log: list[str], lost: Lost, radio: VirtualRadio, device: SimulatedDevice) -> None:
        self._radio = radio
        self._seen = device
        super().__init__(log, lost)
        self._note()

    def _note(self) -> None:
        link = "link up" if self._radio.peripherals[0].is_connected else "no link"
        asked = "asked" if isinstance(self._seen, SimulatedDr05) and self._seen.arrivals else "not asked"
        output = "output on" if self._seen.output_percent(asyncio.get_running_loop().time()) else "output off"
        self.log[-1] += f": {link}, {asked}, {output}"

    async def hold(self, device: BLEDevice) -> None:
        await super().hold(device)
        self._note()

    def stops(self, writes: Sequence[StopWrite]) -> None:
        super().stops(writes)
        self._note()

    async def release(self, *, down: bool) -> None:
        await super().release(down=down)
        self._note()


async def play(
    radio: VirtualRadio,
    script: Transcript,
    guard: MakeGuard,
    interrupted: Callable[[Outcome], None] | None = None,
    rules: Rules = AS_IT_WAS,
) -> Outcome:
    """Play to the one device on the air as to a real one."""
    return await replay_on_device(
        script,
        radio.peripherals[0].address,
        rules,
        consent=True,
        scanner_backend=radio.scanner_backend,
        client_backend=radio.client_backend,
        guard=guard,
        interrupted=interrupted,
    )


def played(device: SimulatedDevice, log: list[str], **guard: object) -> Outcome:
    """Play to a Dr-05 with a fake guard on its link; it is off and alone in the end."""

    async def main() -> Outcome:
        async with on_air(device) as radio:
            outcome = await play(radio, talk(), lambda lost: FakeGuard(log, lost, **guard))  # type: ignore[arg-type]
            assert not radio.peripherals[0].is_connected
            assert device.output_percent(asyncio.get_running_loop().time()) == 0
            return outcome

    return asyncio.run(main())


def texts(outcome: Outcome) -> list[str]:
    return [difference.text for difference in outcome.differences]


def test_h4_the_link_is_held_before_anything_is_asked_and_its_guard_knows_the_stop() -> None:
    async def main() -> None:
        device = SimulatedDr05()
        log: list[str] = []
        async with on_air(device) as radio:
            outcome = await play(
                radio, talk(), lambda lost: Seeing(log, lost, radio, device), rules=replace(AS_IT_WAS, tolerance_s=None)
            )
        assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])
        assert max(entry.output_percent for entry in device.trace) > 0
        assert log == [
            "made: no link, not asked, output off",
            "holds Dr-05: link up, not asked, output off",
            f"stops {total_stop().hex()}: link up, asked, output off",
            "released down: no link, asked, output off",
        ]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("device", "stop"),
    [
        (SimulatedOmp(), "07"),
        (SimulatedForeo("BEAR2"), "010000"),
        (SimulatedDr05(low_byte_first=True), MAKERS_TOTAL_STOP.hex()),
    ],
    ids=["omp", "foreo", "dr05 with the other byte order"],
)
def test_h4_the_guard_is_told_the_stop_of_whatever_protocol_it_is(device: SimulatedDevice, stop: str) -> None:
    async def main() -> None:
        made: list[FakeGuard] = []
        log: list[str] = []

        def make(lost: Lost) -> FakeGuard:
            made.append(FakeGuard(log, lost))
            return made[0]

        hung_up = transcript(exchange(0.0, "app", "disconnect", None), name=device.advertisement.name)
        async with on_air(device) as radio:
            outcome = await play(radio, hung_up, make)
        assert (outcome.verdict, texts(outcome)) == (Verdict.PASSED, [])
        ((write,),) = [guard.writes for guard in made]
        assert write.data.hex() == stop
        assert write.with_response == (not isinstance(device, SimulatedDr05))
        assert log[2:] == [f"stops {stop}", "released down"]

    asyncio.run(main())


def test_h4_a_device_whose_link_no_guard_holds_is_asked_for_nothing() -> None:
    device = SimulatedDr05()
    log: list[str] = []
    outcome = played(device, log, refuses="it does not answer")
    assert outcome.verdict is Verdict.INVALID
    assert texts(outcome) == ["precondition: no guard, no output: it does not answer"]
    assert log == ["made", "released down"]
    assert device.arrivals == ()
    assert device.trace == ()


def test_h4_a_guard_that_fails_in_mid_run_ends_output_and_run() -> None:
    device = SimulatedDr05()
    log: list[str] = []
    outcome = played(device, log, fails_after_s=1.1)
    assert outcome.verdict is Verdict.INVALID
    assert [entry.output_percent for entry in device.trace] == [1.0, 0.0]
    assert device.trace[-1].cause == "total stop"
    assert log[-2:] == ["lost", "released down"]
    (text,) = texts(outcome)
    assert text.startswith(f"stopped: {LOST}; without a guard nothing more is put out (exchange ")
    assert outcome.conversation[-1].text == f"stopped: {LOST}; without a guard nothing more is put out"


def test_h4_a_guard_that_fails_before_the_device_is_known_to_be_off_lets_nothing_of_the_recording_out() -> None:
    device = SimulatedDr05()
    log: list[str] = []
    outcome = played(device, log, fails_after_s=0.1)
    assert outcome.verdict is Verdict.INVALID
    assert texts(outcome) == [f"precondition: {LOST}; without a guard nothing more is put out"]
    assert log[-2:] == ["lost", "released down"]
    assert not any("stops" in line for line in log)
    assert device.trace == ()


def test_h4_a_guard_that_fails_while_it_takes_hold_is_no_guard() -> None:
    class Hasty(FakeGuard):
        async def hold(self, device: BLEDevice) -> None:
            await super().hold(device)
            self._fail()

    async def main() -> None:
        device = SimulatedDr05()
        log: list[str] = []
        async with on_air(device) as radio:
            outcome = await play(radio, talk(), lambda lost: Hasty(log, lost))
        assert outcome.verdict is Verdict.INVALID
        assert texts(outcome) == [f"precondition: {LOST}; without a guard nothing more is put out"]
        assert device.arrivals == ()
        assert log == ["made", "holds Dr-05", "lost", "released down"]

    asyncio.run(main())


def test_h4_a_guard_that_fails_as_the_device_has_just_been_greeted_lets_nothing_out() -> None:
    class Late(FakeGuard):
        def stops(self, writes: Sequence[StopWrite]) -> None:
            super().stops(writes)
            self._fail()

    async def main() -> None:
        device = SimulatedDr05()
        log: list[str] = []
        async with on_air(device) as radio:
            outcome = await play(radio, talk(), lambda lost: Late(log, lost))
        assert (outcome.verdict, outcome.exchanges) == (Verdict.INVALID, 0)
        assert texts(outcome)[0].startswith(f"stopped: {LOST}; without a guard nothing more is put out (exchange 0, ")
        assert device.trace == ()

    asyncio.run(main())


def test_h4_a_guard_that_cannot_be_started_lets_nobody_connect() -> None:
    def fails(_lost: Lost) -> FakeGuard:
        raise NoGuardError("no more processes")

    async def main() -> None:
        device = SimulatedDr05()
        async with on_air(device) as radio:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(BleakClient, "connect", lambda _client: pytest.fail("it connects"))
                outcome = await play(radio, talk(), fails)
        assert outcome.verdict is Verdict.INVALID
        assert texts(outcome) == ["precondition: no guard, no output: no more processes"]
        assert device.arrivals == ()

    asyncio.run(main())


def test_h4_the_guard_of_a_link_that_never_came_is_released() -> None:
    async def fails(*_: object, **__: object) -> None:
        raise BleakError("out of reach")

    async def main() -> None:
        log: list[str] = []
        async with on_air(SimulatedDr05()) as radio:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(BleakClient, "connect", fails)
                outcome = await play(radio, talk(), lambda lost: FakeGuard(log, lost))
        assert outcome.verdict is Verdict.INVALID
        assert texts(outcome)[0].endswith("cannot be connected to: out of reach")
        assert log == ["made", "released down"]

    asyncio.run(main())


def test_h4_a_link_that_cannot_be_ended_here_is_the_guards_to_end() -> None:
    async def fails(*_: object) -> None:
        raise BleakError("the radio is out of order")

    async def main() -> None:
        log: list[str] = []
        async with on_air(SimulatedDr05()) as radio:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(BleakClient, "disconnect", fails)
                await play(radio, Talk().transcript(), lambda lost: FakeGuard(log, lost))
            assert radio.peripherals[0].is_connected
        assert log[-1] == "released up"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("script", "verdict", "ends"),
    [
        (Talk(), Verdict.PASSED, []),
        (
            Talk().write(MAKERS_TOTAL_STOP),
            Verdict.INVALID,
            ["refused: checksum byte order", f"stopped: {LOST}; without a guard nothing more is put out"],
        ),
    ],
    ids=["all was played", "something was refused"],
)
def test_h4_a_guard_that_fails_while_the_link_is_ended_is_told_of_unless_all_was_played(
    script: Talk, verdict: Verdict, ends: list[str]
) -> None:
    async def main() -> None:
        made: list[FakeGuard] = []
        disconnects = BleakClient.disconnect

        def make(lost: Lost) -> FakeGuard:
            made.append(FakeGuard([], lost))
            return made[0]

        async def disconnect(client: BleakClient) -> None:
            made[0]._fail()
            await disconnects(client)

        async with on_air(SimulatedDr05()) as radio:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(BleakClient, "disconnect", disconnect)
                outcome = await play(radio, script.transcript(), make)
        assert outcome.verdict is verdict
        assert [text[: len(end)] for text, end in zip(texts(outcome), ends, strict=True)] == ends

    asyncio.run(main())


def test_h4_whoever_interrupts_has_the_guard_to_the_end_of_the_link() -> None:
    async def main() -> None:
        device = SimulatedDr05()
        log: list[str] = []
        told: list[Outcome] = []
        async with on_air(device) as radio:
            work = asyncio.create_task(
                play(radio, talk(), lambda lost: Seeing(log, lost, radio, device), interrupted=told.append)
            )
            while not (device.running or work.done()):  # noqa: ASYNC110 - a device tells nobody
                await asyncio.sleep(0.01)
            for _ in range(3):  # somebody is in a hurry
                work.cancel()
                await asyncio.sleep(0.001)
            with pytest.raises(asyncio.CancelledError):
                await work
        assert log[-1] == "released down: no link, asked, output off"
        assert device.trace[-1].cause == "total stop"
        assert [outcome.verdict for outcome in told] == [Verdict.FAILED]

    asyncio.run(main())


def test_h4_whoever_interrupts_while_the_guard_takes_hold_leaves_no_link_behind() -> None:
    class Slow(FakeGuard):
        async def hold(self, device: BLEDevice) -> None:
            await super().hold(device)
            await asyncio.sleep(60.0)

    async def main() -> None:
        device = SimulatedDr05()
        log: list[str] = []
        async with on_air(device) as radio:
            work = asyncio.create_task(play(radio, talk(), lambda lost: Slow(log, lost)))
            while not ("holds Dr-05" in log or work.done()):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
            assert not radio.peripherals[0].is_connected
        assert log == ["made", "holds Dr-05", "released down"]
        assert device.arrivals == ()

    asyncio.run(main())


def test_h4_the_guard_that_is_installed_lets_nothing_out_on_a_link_that_it_cannot_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On Linux it ends links through BlueZ, which knows nothing of this one."""
    monkeypatch.setattr("platform.system", lambda: "Linux")

    async def main() -> None:
        device = SimulatedDr05()
        async with on_air(device) as radio:
            outcome = await play(radio, talk(), installed())
        assert outcome.verdict is Verdict.INVALID
        assert texts(outcome)[0].startswith("precondition: no guard, no output: ")
        assert device.arrivals == ()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ((), "no guard is installed"),
        ((EntryPoint("any", "rig.nowhere:Guard", GROUP),), "the guard rig.nowhere:Guard cannot be loaded"),
    ],
    ids=["none installed", "one that cannot be loaded"],
)
def test_h4_without_a_guard_a_real_device_is_not_even_looked_for(
    known: tuple[EntryPoint, ...], why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looked: list[object] = []

    async def looks(*what: object, **_: object) -> None:
        looked.append(what)

    monkeypatch.setattr(guards, "entry_points", lambda group: EntryPoints(known).select(group=group))
    monkeypatch.setattr(BleakScanner, "find_device_by_filter", looks)
    with pytest.raises(NoGuardError, match=why):
        asyncio.run(replay_on_device(talk(), "C0:FF:EE:00:00:01", consent=True))
    file = tmp_path / "talk.jsonl"
    save(replace(talk(), services=SimulatedDr05().services), file)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.main(["replay", str(file), "--as", "central", "--device", "C0:FF:EE:00:00:01", "--consent"])
    assert (code, out.getvalue(), err.getvalue().count("\n")) == (1, "", 1)
    assert err.getvalue().startswith(f"rig: no guard, no output: {why}")
    assert looked == []
