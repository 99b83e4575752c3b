"""What the published firmware of the Dr-05 does, its hazards included, as measurements.

A device that does otherwise is one whose source nobody has read. `docs/devices/dr05.md` describes each.

A real device is driven at its lowest level alone, and never told what the firmware answers with a jump. Refuses to
know how a device comes to the bench.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from protocols.frames import ChecksumOrder, Frame, FrameDecoder, FrameType, State, crc, encode
from protocols.gatt import Property
from rig.conformance.bench import Bench, Course, Link, gaps_ms, looked_at
from rig.conformance.rules import CannotCheckError, Findings, Rule, UnansweredError, at_most, between, holds
from rig.devices.dr05 import Bridge, SimulatedDr05
from rig.guards import StopWrite

_Bench = Bench[SimulatedDr05]
_Link = Link[SimulatedDr05]

_JUMPS: Final = "it would make a real device jump to half of its output"
_LOOK: Final = "a real device does not report its output"
_EARLY: Final = "a real link is older than that once it can be written to"
_TANK: Final = "somebody would have to empty the tank"
_HANGS: Final = "it would overrun a real device's receive buffer"
_GUESS: Final = "nothing that is not published is written to a real device"
_RUNS: Final = "it would leave a real device's output on"

LISTENS_S: Final = 0.15
"""How long after the link is up a host waits with its first question."""
_ANSWER_S: Final = 1.0
_CARRIED_MS: Final = 300
"""The companion repeats a stop that was not answered by then."""

_VERSION = (FrameType.GET, 0x40, b"")
_TEMPERATURE = (FrameType.GET, 0x41, b"")
_TOTAL_STOP = (FrameType.ACTION, 0x06, b"")
_START = (FrameType.ACTION, 0x03, b"\x01")
_END = (FrameType.ACTION, 0x03, b"\x00")
_Request = tuple[FrameType, int, bytes]


def _level(percent: int) -> _Request:
    return FrameType.SET, 0x02, bytes((percent,))


class _Wire:
    """Frames over one link. ``order`` is the byte order of the checksum that is written."""

    def __init__(self, link: _Link, bridge: Bridge, *, response: bool) -> None:
        self.link = link
        self.order = ChecksumOrder.HIGH_FIRST
        self._bridge = bridge
        self._response = response

    async def write(self, data: bytes) -> None:
        """Write bytes as they are."""
        await self.link.write(self._bridge.written, data, response=self._response)

    async def ask(
        self, request: _Request, *, order: ChecksumOrder | None = None, within_s: float = _ANSWER_S
    ) -> Frame | None:
        """Write a request, and return its answer, None where none comes."""
        kind, function, para = request
        before = len(self.link.heard)
        await self.write(encode(kind, State.REQUEST, function, para, order=order or self.order))
        return await self.answer(function, before, within_s)

    async def answer(self, function: int, before: int, within_s: float = _ANSWER_S) -> Frame | None:
        """Return the first frame about ``function`` after that many notifications; None where none comes in time."""

        def found(_: object = None) -> Frame | None:
            return next((each for _, each in self.frames(before) if each.func == function), None)

        await self.link.hear(lambda _: found() is not None, within_s, since=before)
        return found()

    async def need(self, request: _Request) -> Frame:
        """Write a request that has to be accepted for a rule to be measured at all.

        Raises:
            UnansweredError: it was not answered.
            CannotCheckError: it was refused.
        """
        answer = await self.ask(request)
        said = f"{request[0].value:02X} {request[1]:02X}"
        if answer is None:
            raise UnansweredError(f"function {said} was not answered within {_ANSWER_S:g} s")
        if answer.state != State.ACCEPTED:
            raise CannotCheckError(f"function {said} was answered in state {answer.state:02X}")
        return answer

    def frames(self, since: int = 0) -> list[tuple[float, Frame]]:
        """Return the whole frames heard, each with when its last byte came (s)."""
        decoder = FrameDecoder()
        return [
            (each.time, frame)
            for each in self.link.heard[since:]
            for frame in decoder.feed(each.data, each.time)
            if isinstance(frame, Frame)
        ]


@asynccontextmanager
async def _wire(bench: _Bench, *, settled: bool = True) -> AsyncIterator[_Wire]:
    """Connect, listen, and by default wait until the firmware listens, too."""
    async with bench.link() as link:
        wire = await _listening(link)
        if settled:
            await link.sleep(LISTENS_S)
        yield wire


async def _listening(link: _Link) -> _Wire:
    bridge, response = _bridge_of(link)
    await link.subscribe(bridge.notifying)
    return _Wire(link, bridge, response=response)


def _bridge_of(link: _Link) -> tuple[Bridge, bool]:
    """The module on the other side, and whether writes to it are answered."""
    for bridge in Bridge:
        written = link.client.services.get_characteristic(bridge.written)
        heard = link.client.services.get_characteristic(bridge.notifying)
        if written is None or heard is None:
            continue
        offers = Property.from_names(written.properties)
        if offers & (Property.WRITE | Property.WRITE_WITHOUT_RESPONSE) and "notify" in heard.properties:
            return bridge, not offers & Property.WRITE_WITHOUT_RESPONSE
    raise CannotCheckError("it has none of the UART bridges that are known")


async def stop(link: _Link) -> None:
    """Stop the device in both byte orders of the checksum: one of them is right, and the other one harmless.

    Raises:
        CannotCheckError: neither was acknowledged.
    """
    bridge, response = _bridge_of(link)
    wire, before = _Wire(link, bridge, response=response), len(link.heard)
    for data in _STOPS:
        await wire.write(data)

    def taken(_: object = None) -> bool:
        return any((one.func, one.state) == (_TOTAL_STOP[1], State.ACCEPTED) for _, one in wire.frames(before))

    if await link.hear(taken, _CARRIED_MS / 1000, since=before) is None:
        raise CannotCheckError("the device did not acknowledge its stop")


def stops(link: _Link) -> Sequence[StopWrite]:
    """Return the writes of :func:`stop`.

    Raises:
        CannotCheckError: there is nowhere to write them to.
    """
    bridge, response = _bridge_of(link)
    where = link.client.services.get_characteristic(bridge.written)
    return () if where is None else [StopWrite(where, data, response) for data in _STOPS]


def _as_sent(request: _Request) -> tuple[FrameType, State, int, bytes]:
    kind, function, para = request
    return kind, State.REQUEST, function, para


_STOPS: Final = tuple(encode(*_as_sent(_TOTAL_STOP), order=order) for order in ChecksumOrder)


# --- the checksum -----------------------------------------------------------------------------------------------------

HIGH_FIRST = holds("high byte first is accepted", "Get version with the checksum's high byte first: state 01.")
LOW_FIRST = holds("low byte first is refused", "Get version with the low byte first: answered in state 00.")
ANSWERS_HIGH = holds("answers have the high byte first", "Both answers before, whatever the question had.")
KEEPS_RUNNING = holds(
    "a stop with a wrong checksum is refused and stops nothing",
    "The total stop as the maker prints it, low byte first, while the output is on.",
    simulated_only=_RUNS,
)


async def _checksum(bench: _Bench, found: Findings) -> None:
    async with _wire(bench) as wire:
        right = await wire.ask(_VERSION)
        wrong = await wire.ask(_VERSION, order=ChecksumOrder.LOW_FIRST)
        if right is None and wrong is None:
            raise UnansweredError("get version was answered in neither byte order")
        found.holds(HIGH_FIRST, right is not None and right.state == State.ACCEPTED)
        found.holds(LOW_FIRST, wrong is not None and wrong.state == State.REFUSED)
        for answer in (right, wrong):
            found.holds(ANSWERS_HIGH, answer is not None and answer.order is ChecksumOrder.HIGH_FIRST)
    if bench.simulated:
        async with _wire(bench) as wire:
            await wire.need(_level(1))
            await wire.need(_START)
            answer = await wire.ask(_TOTAL_STOP, order=ChecksumOrder.LOW_FIRST)
            on = wire.link.device.output_percent(wire.link.now) == 1
            found.holds(KEEPS_RUNNING, on and answer is not None and answer.state == State.REFUSED)


# --- the link ---------------------------------------------------------------------------------------------------------

DEAF = holds("the first 100 ms are thrown away", "Get version as soon as there is a link.", simulated_only=_EARLY)
HEARS = holds("a question after 150 ms is answered", "Get version 150 ms after the link can be used.")
ANSWER = at_most("question to answer", "ms", 100, "Get version to the last byte of its answer, ten times.")
LOST = at_most("link loss to zero", "ms", 100, "From the end of the link to the last output.", simulated_only=_LOOK)


async def _link(bench: _Bench, found: Findings) -> None:
    if bench.simulated:
        async with _wire(bench, settled=False) as wire:
            found.holds(DEAF, await wire.ask(_VERSION) is None)
    async with _wire(bench) as wire:
        found.holds(HEARS, await wire.ask(_VERSION) is not None)
        for _ in range(10):
            began = wire.link.now
            await wire.need(_VERSION)
            found.take(ANSWER, (wire.link.now - began) * 1000)
    if bench.simulated:
        async with _wire(bench) as wire:
            await wire.need(_level(1))
            await wire.need(_START)
            began = wire.link.now
            await wire.link.client.disconnect()
            await wire.link.sleep(1.0)
            found.take(LOST, _output(wire, began).zero_after_ms(began))


def _output(wire: _Wire, since: float) -> Course:
    """What a simulated device has put out since then. Its trace has every change, so that nothing is between looks."""
    return looked_at(lambda at: _traced(wire, at), since, wire.link.now)


def _traced(wire: _Wire, at: float) -> float:
    level = 0.0
    for entry in wire.link.device.trace:
        if entry.time <= at:
            level = entry.output_percent
    return level


# --- stop -------------------------------------------------------------------------------------------------------------

STOPPED = holds("a total stop is acknowledged", "At the lowest level, with the output on: state 01.")
STOP_ANSWER = at_most(
    "total stop to its answer", "ms", _CARRIED_MS, "From the write to the last byte of the answer, ten times."
)
STOP_ZERO = at_most("total stop to zero", "ms", 100, "From the write to the last output.", simulated_only=_LOOK)
OFF = holds("output off is acknowledged", "The stop that leaves cooling on: state 01.")


async def _stop(bench: _Bench, found: Findings) -> None:
    async with _wire(bench) as wire:
        for _ in range(10):
            await wire.need(_level(1))
            await wire.need(_START)
            began = wire.link.now
            answer = await wire.ask(_TOTAL_STOP)
            found.holds(STOPPED, answer is not None and answer.state == State.ACCEPTED)
            if answer is not None:
                found.take(STOP_ANSWER, (wire.link.now - began) * 1000)
            if bench.simulated:
                await wire.link.sleep(0.2)
                found.take(STOP_ZERO, _output(wire, began).zero_after_ms(began))
        await wire.need(_level(1))
        await wire.need(_START)
        answer = await wire.ask(_END)
        found.holds(OFF, answer is not None and answer.state == State.ACCEPTED)


# --- frames -----------------------------------------------------------------------------------------------------------

UNKNOWN = holds("an unknown function is not answered", "Set 7F, for a second.", simulated_only=_GUESS)
PARTIAL = holds("a frame in two halves counts", "The second half a second after the first.")
STALE = holds("a frame that is not complete is dropped", "Half of one, and 2.1 s later a whole one, which is answered.")
VERSION = holds("a version has two bytes", "The parameters of the answer.")
TEMPERATURE = holds("a temperature has two bytes", "From -2 to 60 °C in tenths, high byte first.")
OVERRUN = holds("a frame too long hangs the firmware", "Nine data bytes.", simulated_only=_HANGS)


async def _frames(bench: _Bench, found: Findings) -> None:
    async with _wire(bench) as wire:
        if bench.simulated:
            found.holds(UNKNOWN, await wire.ask((FrameType.SET, 0x7F, b"")) is None)
        whole = encode(*_as_sent(_VERSION))
        before = len(wire.link.heard)
        await wire.write(whole[:5])
        await wire.link.sleep(1.0)
        await wire.write(whole[5:])
        found.holds(PARTIAL, await wire.answer(_VERSION[1], before) is not None)
        await wire.write(whole[:5])
        await wire.link.sleep(2.1)
        found.holds(STALE, await wire.ask(_VERSION) is not None)
        found.holds(VERSION, len((await wire.need(_VERSION)).para) == 2)
        para = (await wire.need(_TEMPERATURE)).para
        found.holds(TEMPERATURE, len(para) == 2 and -20 <= int.from_bytes(para, "big", signed=True) <= 600)
    if bench.simulated:
        async with _wire(bench) as wire:
            body = bytes((9, 0x00, 0xA6, FrameType.GET, State.REQUEST, 0x40, 0, 0, 0, 0))
            await wire.write(b"\x55\xaa" + body + crc(body).to_bytes(2, "big"))
            await wire.link.sleep(0.1)
            hangs = await wire.ask(_VERSION) is None
            found.holds(OVERRUN, hangs and wire.link.device.overrun)


# --- the hazards ------------------------------------------------------------------------------------------------------

FROM_NOTHING = between(
    "a start without a level", "%", 50, 50, "Output after output on, no level set.", simulated_only=_JUMPS
)
MODE_AT_ZERO = between(
    "a mode while paused at level 0", "%", 50, 50, "Output after the mode was set.", simulated_only=_JUMPS
)
AT_ONCE = at_most(
    "a level is there at once", "ms", 100, "From the write of 10 % to an output of 10 %.", simulated_only=_LOOK
)
OUTLIVES = between("a level outlives a stop", "%", 3, 3, "Output at the next start.", simulated_only=_LOOK)
ZERO_IGNORED = between(
    "level 0 while stopped is accepted and ignored", "%", 3, 3, "Output at the next start.", simulated_only=_LOOK
)


async def _hazards(bench: _Bench, found: Findings) -> None:
    async with _wire(bench) as wire:
        device = wire.link.device
        await wire.need(_START)
        found.take(FROM_NOTHING, device.output_percent(wire.link.now))
    async with _wire(bench) as wire:
        device = wire.link.device
        await wire.need(_level(3))
        await wire.need(_START)
        await wire.need(_TOTAL_STOP)
        await wire.need(_START)
        found.take(OUTLIVES, device.output_percent(wire.link.now))
        await wire.need(_TOTAL_STOP)
        await wire.need(_level(0))
        await wire.need(_START)
        found.take(ZERO_IGNORED, device.output_percent(wire.link.now))
        began = wire.link.now
        await wire.need(_level(10))
        there = [entry.time for entry in device.trace if entry.time >= began and entry.output_percent == 10]
        found.take(AT_ONCE, *((at - began) * 1000 for at in there[:1]))
        await wire.need(_level(0))
        await wire.need((FrameType.SET, 0x0D, b"\x02"))
        found.take(MODE_AT_ZERO, device.output_percent(wire.link.now))


# --- water ------------------------------------------------------------------------------------------------------------

REPEATED = between("low water is repeated", "ms", 950, 1050, "Between two reports.", simulated_only=_TANK)
NEVER_BACK = holds("water that is back is not reported", "Over three seconds.", simulated_only=_TANK)
COOLS_NOT = holds(
    "cooling without water is accepted and does not start", "Cooling on with an empty tank.", simulated_only=_TANK
)


async def _water(bench: _Bench, found: Findings) -> None:
    async with _wire(bench) as wire:
        device = wire.link.device
        device.set_water_low(True, wire.link.now)  # noqa: FBT003 - the device's
        await wire.link.sleep(5.5)
        reports = [(at, frame) for at, frame in wire.frames() if frame.type == FrameType.REPORT]
        found.take(REPEATED, *gaps_ms([at for at, frame in reports if frame.para[-1:] == b"\x00"]))
        answer = await wire.ask((FrameType.ACTION, 0x01, b"\x01"))
        found.holds(COOLS_NOT, answer is not None and answer.state == State.ACCEPTED and not device.cooling)
        before = len(wire.link.heard)
        device.set_water_low(False, wire.link.now)  # noqa: FBT003 - the device's
        await wire.link.sleep(3.0)
        back = [frame for _, frame in wire.frames(before) if frame.type == FrameType.REPORT and frame.para == b"\x01"]
        found.holds(NEVER_BACK, not back)


RULES: Final[tuple[Rule[_Bench], ...]] = (
    Rule("checksum", "the order of its bytes", (HIGH_FIRST, LOW_FIRST, ANSWERS_HIGH, KEEPS_RUNNING), _checksum),
    Rule("link", "its beginning and its end", (DEAF, HEARS, ANSWER, LOST), _link),
    Rule("stop", "acknowledged, and zero", (STOPPED, STOP_ANSWER, STOP_ZERO, OFF), _stop),
    Rule("frames", "whole, halved and unknown", (UNKNOWN, PARTIAL, STALE, VERSION, TEMPERATURE, OVERRUN), _frames),
    Rule("hazards", "as published", (FROM_NOTHING, MODE_AT_ZERO, AT_ONCE, OUTLIVES, ZERO_IGNORED), _hazards),
    Rule("water", "low, and back", (REPEATED, NEVER_BACK, COOLS_NOT), _water),
)
"""In the order of the device's page."""
