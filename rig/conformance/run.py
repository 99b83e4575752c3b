"""One conformance run: the rules of a device's kind, on a simulated device in virtual time or on a real one.

Knows which rules belong to which kind. Refuses to know how a run is asked for and told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rig import clock
from rig.conformance.bench import Bench, GuardLostError, Link, RealBench, SimulatedBench, measured
from rig.conformance.rules import CannotCheckError, Findings, Rule
from rig.devices.catalogue import create
from rig.devices.model import SimulatedDevice
from rig.guards import MakeGuard, NothingToHold, StopWrite
from rig.report.model import LeftOut, Report
from rig.timing.measure import Judgement

if TYPE_CHECKING:
    from bleak.backends.device import BLEDevice

    from rig.radio.link import VirtualRadio
    from rig.record import Radio

KINDS: Final = ("omp", "dr05", "foreo")
"""What there are rules for."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What belongs to one kind of device."""

    key: str
    # A rule is given a bench of its own kind of device: which one it is, the suite knows and no type says.
    rules: Sequence[Rule[Any]]
    stop: Callable[[Link[Any]], Awaitable[None]]
    stops: Callable[[Link[Any]], Sequence[StopWrite]]
    secure: Callable[[VirtualRadio, Any], None] | None = None


def suite(key: str) -> Suite:
    """Return what belongs to the kind ``key``.

    Raises:
        ValueError: there are no rules for it; the message lists for what there are.
    """
    if key == "omp":
        from rig.conformance import omp, omp_hand  # noqa: PLC0415 - only what is wanted is loaded

        return Suite(key, omp.RULES, omp_hand.stop, omp_hand.stops, _compare_codes)
    if key == "dr05":
        from rig.conformance import dr05  # noqa: PLC0415 - as above

        return Suite(key, dr05.RULES, dr05.stop, dr05.stops)
    if key == "foreo":
        from rig.conformance import foreo  # noqa: PLC0415 - as above

        return Suite(key, foreo.RULES, foreo.stop, foreo.stops)
    raise ValueError(f"there are no rules for {key!r}; there are: {', '.join(KINDS)}")


def on_simulated(
    key: str,
    *,
    seed: int = 0,
    make: Callable[[], SimulatedDevice] | None = None,
    only: Callable[[str], bool] = lambda _key: True,
) -> Report:
    """Measure a simulated device on the virtual radio, in virtual time: the same seed gives the same report.

    Args:
        key: its kind.
        seed: of device and radio.
        make: makes the devices; None: the catalogue's.
        only: by its key, whether a rule is wanted.

    Raises:
        ValueError: there are no rules for it.
    """
    kind = suite(key)
    bench: SimulatedBench[Any] = SimulatedBench(
        make if make is not None else lambda: create(key, seed), seed=seed, secure=kind.secure
    )
    judgements: list[Judgement] = []
    for rule in kind.rules:
        if only(rule.key):
            judgements += clock.run(_carried_out(rule, bench))[0]
    return Report(f"conformance: simulated {key}, seed {seed}", (), judgements, (), "conformance")


async def on_device(
    key: str,
    device: BLEDevice,
    *,
    radio: Radio | None = None,
    guard: MakeGuard = NothingToHold,
    so_far: Callable[[Report], None] = lambda _report: None,
) -> Report:
    """Measure a real device, in real time; the person's consent was given.

    Where the guard of a link fails, nothing more is put out: the rules that are left are not carried out.

    Args:
        key: its kind.
        device: as it was found.
        radio: where to connect; None: with the system's Bluetooth.
        guard: makes the guard of each link; a link through the system's Bluetooth needs a real one (H4).
        so_far: told the report after each rule.

    Raises:
        ValueError: there are no rules for it.
    """
    kind = suite(key)
    bench: RealBench[Any] = RealBench(device, kind.stop, stops=kind.stops, radio=radio, guard=guard)
    title = f"conformance: {key} {device.name or device.address}"
    report = Report(title, (), [], [], "conformance")
    lost: GuardLostError | None = None
    for rule in kind.rules:
        judgements, left_out, trouble = await _carried_out(rule, bench, lost)
        lost = trouble if isinstance(trouble, GuardLostError) else lost
        report = Report(title, (), [*report.comparisons, *judgements], [*report.left_out, *left_out], "conformance")
        so_far(report)
    return report


async def _carried_out(
    rule: Rule[Any], bench: Bench[Any], lost: GuardLostError | None = None
) -> tuple[list[Judgement], list[LeftOut], CannotCheckError | None]:
    """Carry a rule out, unless the guard of an earlier link was ``lost``; return what stood in its way, too."""
    found = Findings(rule.key, rule.checks, simulated=bench.simulated)
    trouble: CannotCheckError | None = lost
    if lost is None and (bench.simulated or rule.for_real_devices()):
        try:
            async with asyncio.timeout(_RULE_LIMIT_S):
                await measured(rule.carry_out(bench, found))
        except CannotCheckError as error:
            trouble = error
        except TimeoutError:
            trouble = CannotCheckError(f"it took longer than {_RULE_LIMIT_S:g} s")
    return found.judged(trouble), found.left_out(), trouble


_RULE_LIMIT_S: Final = 300.0


def _compare_codes(radio: VirtualRadio, device: Any) -> None:
    from rig.conformance.pairing import Onlooker  # noqa: PLC0415 - for devices that are paired alone
    from rig.radio.pairing import Ability, Pairing  # noqa: PLC0415 - as above

    radio.adapter.pairing = Pairing(Ability.SHOWS_AND_CONFIRMS, Onlooker(device.display))
