"""A hand on an OMP device: requests with their answers, what it told, and what it puts out, all through one link.

Of a simulated device the output is looked at every millisecond, of a real one it is what its telemetry says, whose
times are the device's own. Refuses to know rules.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from protocols import omp_codec as codec
from protocols.omp_codec import Features, OmpFormatError, Opcode, Request, Response, Result, Status, Telemetry
from protocols.omp_record import RecordChunk, SessionRecord, assemble
from rig.conformance.bench import Bench, Course, Heard, Link, looked_at
from rig.conformance.rules import CannotCheckError, UnansweredError
from rig.devices.model import Notify
from rig.devices.omp import SimulatedOmp
from rig.guards import StopWrite

SECOND: Final = 1
"""The number of the second central, which speaks to a simulated device without a radio of its own."""
ANSWER_S: Final = 2.0
"""How long an answer may take until it counts as none."""
KEPT_MS: Final = 2000
KEPT_EVERY_S: Final = 0.5
TARGET_UA: Final = 100
Decoded = TypeVar("Decoded", Response, Telemetry, RecordChunk)
_SUBSCRIBED: Final = (codec.CONTROL_POINT, codec.STATUS, codec.TELEMETRY, codec.SESSION_RECORD)


class Hand:
    """One link to an OMP device that listens to everything."""

    def __init__(self, link: Link[SimulatedOmp], features: Features) -> None:
        self.link = link
        self.features = features

    @property
    def now(self) -> float:
        """The loop's time (s)."""
        return self.link.now

    # --- requests -----------------------------------------------------------------------------------------------------

    async def raw(self, data: bytes) -> Response:
        """Write to the Control Point, and return the answer.

        Raises:
            UnansweredError: none came, or nothing that is one.
        """
        before = len(self.link.heard)
        await self.link.write(codec.CONTROL_POINT, data)
        heard = await self.link.hear(lambda each: each.characteristic == codec.CONTROL_POINT, ANSWER_S, since=before)
        if heard is None:
            raise UnansweredError(f"{data.hex(' ') or 'an empty write'} was not answered within {ANSWER_S:g} s")
        return _read_as(Response, heard)

    async def ask(self, opcode: Opcode, *parameters: int) -> Result:
        """Send a request, and return its result; raises as :meth:`raw` does."""
        return (await self.raw(Request(opcode, parameters).encode())).result

    async def need(self, opcode: Opcode, *parameters: int) -> None:
        """Send a request that has to succeed for a rule to be measured at all.

        Raises:
            CannotCheckError: it did not.
        """
        result = await self.ask(opcode, *parameters)
        if result is not Result.SUCCESS:
            raise CannotCheckError(f"{_said(opcode)} was answered with {_said(result)}")

    async def control(self, target_ua: int = TARGET_UA) -> None:
        """Take control, and set the ramp, which a device may remember from before, and a target."""
        await self.need(Opcode.REQUEST_CONTROL, 7)
        await self.need(Opcode.SET_RAMP, self.features.max_ramp_ua_per_s)
        await self.need(Opcode.SET_TARGET, self.target(target_ua))

    def target(self, wanted_ua: int) -> int:
        """Return the target next to what is wanted that the device takes."""
        step = max(1, self.features.current_step_ua)
        return max(step, min(wanted_ua, self.features.max_current_ua) // step * step)

    async def run(self, target_ua: int = TARGET_UA, seconds: float | None = None, longest_s: int = 600) -> None:
        """Start, and wait until the output is at its target: as long as the ramp takes, and a second more."""
        await self.control(target_ua)
        await self.need(Opcode.KEEP_ALIVE, KEPT_MS)
        start = self.now
        await self.need(Opcode.START, longest_s)
        wait_s = self.target(target_ua) / max(1, self.features.max_ramp_ua_per_s) + 1.0
        await self.keep(wait_s if seconds is None else seconds)
        if not self.course(start).highest:
            raise CannotCheckError("the device started and put nothing out: put its electrodes on 2.2 kilohms")

    async def keep(self, seconds: float) -> None:
        """Let time pass with the keep-alive going on."""
        until = self.now + seconds
        while self.now < until - 1e-9:
            await self.ask(Opcode.KEEP_ALIVE, KEPT_MS)
            await self.link.sleep(max(0.0, min(KEPT_EVERY_S, until - self.now)))

    async def rest(self, seconds: float) -> None:
        """Let time pass with nothing said."""
        await self.link.sleep(seconds)

    # --- what it says -------------------------------------------------------------------------------------------------

    async def status(self) -> Status:
        """Read the status."""
        return Status.decode(await self.link.read(codec.STATUS))

    def telemetry(self, since: float = 0.0) -> list[tuple[float, Telemetry]]:
        """Return what it measured, with when each came (s).

        Raises:
            UnansweredError: what came is no telemetry.
        """
        heard = [each for each in self.link.heard if each.characteristic == codec.TELEMETRY and each.time >= since]
        return [(each.time, _read_as(Telemetry, each)) for each in heard]

    def pieces(self, since: int = 0) -> list[RecordChunk]:
        """Return the pieces of records that came after that many things had been heard."""
        heard = [each for each in self.link.heard[since:] if each.characteristic == codec.SESSION_RECORD]
        return [_read_as(RecordChunk, each) for each in heard]

    def records(self, since: int = 0) -> tuple[SessionRecord, ...]:
        """Return the records that came whole after that many things had been heard."""
        return assemble(self.pieces(since))

    # --- what it puts out ---------------------------------------------------------------------------------------------

    def course(self, since: float, until: float | None = None) -> Course:
        """Return what it put out between two times (s), up to now."""
        end = self.now if until is None else until
        if self.link.simulated:
            return looked_at(self.link.device.output_ua, since, end)
        return Course(_device_times(self.telemetry())).since(since, end)

    def steepest(self, since: float) -> float:
        """Return the steepest rise since then, in µA/s."""
        # Telemetry is rounded to 1 µA: over a second that is 1 µA/s, over 100 ms it would be 10.
        return self.course(since).steepest(0.01 if self.link.simulated else 1.0)

    # --- a second central, beside a simulated device ------------------------------------------------------------------

    def second(self, opcode: Opcode, *parameters: int) -> Result:
        """Send a request of the second central, which has to be connected, and return its result.

        Raises:
            UnansweredError: it was not answered.
        """
        device = self.link.device
        answer: Response | None = None
        data = Request(opcode, parameters).encode()
        for action in device.central(SECOND).written(codec.CONTROL_POINT, data, self.now):
            if isinstance(action, Notify) and action.characteristic == codec.CONTROL_POINT:
                answer = Response.decode(action.data)
        self._moved()
        if answer is None:
            raise UnansweredError(f"{_said(opcode)} of a second central was not answered")
        return answer.result

    def second_connects(self) -> None:
        """Let a second central connect and listen."""
        side = self.link.device.central(SECOND)
        side.connected(self.now)
        for characteristic in _SUBSCRIBED:
            side.subscribed(characteristic, enabled=True, now=self.now)

    def second_heard(self) -> list[Notify]:
        """Return what has come for the second central since it was last asked for."""
        return [each for each in self.link.device.central(SECOND).fetch(self.now) if isinstance(each, Notify)]

    def _moved(self) -> None:
        """Tell the radio side of the first central that something may be due for it."""
        if self.link.device.deadline_moved is not None:
            self.link.device.deadline_moved()


@asynccontextmanager
async def hand_on(bench: Bench[SimulatedOmp]) -> AsyncIterator[Hand]:
    """Connect, and listen to everything.

    Raises:
        CannotCheckError: there is no link, or its features cannot be read.
    """
    async with bench.link() as link:
        yield await taken(link)


async def taken(link: Link[SimulatedOmp]) -> Hand:
    """Listen to everything on a link that is there, and read the features.

    Raises:
        CannotCheckError: they cannot be read.
    """
    await link.subscribe(*_SUBSCRIBED)
    try:
        features = Features.decode(await link.read(codec.FEATURES))
    except OmpFormatError as error:
        raise CannotCheckError(f"its features cannot be read: {error}") from error
    return Hand(link, features)


async def stop(link: Link[SimulatedOmp]) -> None:
    """Stop the device, whoever controls it: rule 8 leaves that to every central."""
    await link.write(codec.CONTROL_POINT, Request(Opcode.STOP).encode())


def stops(link: Link[SimulatedOmp]) -> Sequence[StopWrite]:
    """Return the write of :func:`stop`."""
    where = link.client.services.get_characteristic(codec.CONTROL_POINT)
    return () if where is None else (StopWrite(where, Request(Opcode.STOP).encode(), with_response=True),)


def _device_times(came: Sequence[tuple[float, Telemetry]]) -> list[tuple[float, float]]:
    """Delivered current at the device's times, put on this computer's clock.

    The radio only ever adds delay: whatever came with the least is taken to have had none.
    """
    if not came:
        return []
    behind = min(at - each.ms_since_start / 1000 for at, each in came)
    return [(behind + each.ms_since_start / 1000, float(each.delivered_ua)) for _, each in came]


def _said(number: Opcode | Result) -> str:
    return number.name.lower().replace("_", " ")


def _read_as(kind: type[Decoded], heard: Heard) -> Decoded:
    try:
        return kind.decode(heard.data)
    except OmpFormatError as error:
        raise UnansweredError(f"{heard.data.hex(' ')} cannot be read: {error}") from error
