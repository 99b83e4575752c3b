"""What is publicly known of FOREO devices as measurements; `docs/devices/foreo.md` has all of it.

Nothing is ever written that is not published. Refuses to know how a device comes to the bench.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rig.conformance.bench import Bench, Link, looked_at
from rig.conformance.rules import CannotCheckError, Findings, Rule, at_most, holds
from rig.devices.foreo import BATTERY, CONTROL, SKIN, SimulatedForeo, model_byte
from rig.guards import StopWrite

_Bench = Bench[SimulatedForeo]
_Link = Link[SimulatedForeo]

_LOOK: Final = "a real device does not report its pulsation"
_GUESS: Final = "nothing that is not published is written to a real device"
_HIGHEST: Final = 10
_READING_S: Final = 2.0

HAS = holds("pulsation, battery and skin reading are there", "FFF1 to write, 0A00 to read, 0A05 to write.")


async def _services(bench: _Bench, found: Findings) -> None:
    async with bench.link() as link:
        for uuid, offers in ((CONTROL, "write"), (BATTERY, "read"), (BATTERY, "notify"), (SKIN, "write")):
            there = link.client.services.get_characteristic(uuid)
            found.holds(HAS, there is not None and offers in there.properties, f"{uuid[4:8].upper()} has no {offers}")


TAKEN = holds("level 1 and the stop are taken", "Each write is answered without an ATT error.")
LEVELS = holds("levels 0 to 10 are what was written", "The pulsation after each.", simulated_only=_LOOK)
STOP_ANSWER = at_most("stop to its answer", "ms", 300, "From the write of level 0 to its write response, ten times.")
STOP_ZERO = at_most("stop to zero", "ms", 100, "From the write of level 0 to the last pulsation.", simulated_only=_LOOK)
OTHER_MODEL = holds(
    "another model's byte changes nothing", "Level 5 with the byte of another model.", simulated_only=_GUESS
)
OUT_OF_RANGE = holds("a level above 10 changes nothing", "Levels 11 and 255.", simulated_only=_GUESS)


async def _pulsation(bench: _Bench, found: Findings) -> None:
    async with bench.link() as link:
        if bench.simulated:
            for level in range(_HIGHEST + 1):
                await link.write(CONTROL, _command(link, level))
                found.holds(LEVELS, link.device.output_percent(link.now) == level * 10, f"level {level}")
        for _ in range(10):
            started = await link.refused(link.write(CONTROL, _command(link, 1)))
            await link.sleep(0.2)
            began = link.now
            stopped = await link.refused(link.write(CONTROL, _command(link, 0)))
            found.take(STOP_ANSWER, (link.now - began) * 1000)
            found.holds(TAKEN, not started and not stopped, f"ATT error 0x{started or stopped:02x}")
            if bench.simulated:
                await link.sleep(0.2)
                found.take(STOP_ZERO, looked_at(lambda at: _traced(link, at), began, link.now).zero_after_ms(began))
        if bench.simulated:
            await link.write(CONTROL, _command(link, 2))
            other = bytes((1, (_command(link, 0)[1] + 1) % 4, 5))
            await link.refused(link.write(CONTROL, other))
            found.holds(OTHER_MODEL, link.device.output_percent(link.now) == 20)
            for level in (_HIGHEST + 1, 0xFF):
                await link.refused(link.write(CONTROL, _command(link, level)))
                found.holds(OUT_OF_RANGE, link.device.output_percent(link.now) == 20, f"level {level}")


CHARGE = holds("the battery is one byte in percent", "Read, 0 to 100.")
ASKED = at_most("skin reading after", "ms", _READING_S * 1000, "From the write of EF to the two bytes, notified.")
TWO_BYTES = holds("a skin reading has two bytes", "Their meaning is not known.")


async def _readings(bench: _Bench, found: Findings) -> None:
    async with bench.link() as link:
        charge = await link.read(BATTERY)
        found.holds(CHARGE, len(charge) == 1 and charge[0] <= 100, charge.hex(" "))
        await link.subscribe(SKIN)
        began = link.now
        await link.write(SKIN, b"\xef")
        reading = await link.hear(lambda each: each.characteristic == SKIN, 2 * _READING_S)
        if reading is None:
            raise CannotCheckError("no skin reading came")
        found.take(ASKED, (reading.time - began) * 1000)
        found.holds(TWO_BYTES, len(reading.data) == 2, reading.data.hex(" "))


async def stop(link: _Link) -> None:
    """Set the pulsation to 0."""
    await link.write(CONTROL, _command(link, 0))


def stops(link: _Link) -> Sequence[StopWrite]:
    """Return the write of :func:`stop`."""
    where = link.client.services.get_characteristic(CONTROL)
    return () if where is None else (StopWrite(where, _command(link, 0), with_response=True),)


def _command(link: _Link, level: int) -> bytes:
    name = link.device.advertisement.name if link.simulated else link.client.name
    return bytes((0x01, model_byte(name), level))


def _traced(link: _Link, at: float) -> float:
    return next((entry.output_percent for entry in reversed(link.device.trace) if entry.time <= at), 0.0)


RULES: Final[tuple[Rule[_Bench], ...]] = (
    Rule("services", "what is there", (HAS,), _services),
    Rule(
        "pulsation",
        "levels and the stop",
        (TAKEN, LEVELS, STOP_ANSWER, STOP_ZERO, OTHER_MODEL, OUT_OF_RANGE),
        _pulsation,
    ),
    Rule("readings", "battery and skin", (CHARGE, ASKED, TWO_BYTES), _readings),
)
"""In the order of the device's page."""
