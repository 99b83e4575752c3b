"""``rig conformance``: the rules of a device's kind, measured on the simulated device or on a real one.

Knows which options go together, and what is printed and written. Refuses to know rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rig.commands.faults import INTERRUPTED, RigError, UsageError

if TYPE_CHECKING:
    from rig.record import Radio
    from rig.report.model import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line's options, None where one was not given."""

    device: str | None = None
    consent: bool = False
    seed: int | None = None
    reports: tuple[str, ...] = ()
    junit: str | None = None
    json: bool = False


def conformance(kind: str, options: Options, *, radio: Radio | None = None) -> int:
    """Measure, print the report and write it where it is wanted; return its exit code.

    Args:
        kind: which rules.
        options: of the command line.
        radio: where a real device is looked for; None: with the system's Bluetooth.

    Raises:
        UsageError: the options do not go together, or name what there is not.
        RigError: the device is not heard or is another one, Bluetooth cannot be used, there is no guard for the link,
            or a report cannot be written.
    """
    _check(options)
    from rig.report.files import check_report_paths  # noqa: PLC0415 - once the line is right

    paths = (*options.reports, *filter(None, (options.junit,)))
    check_report_paths(paths)
    from rig.conformance.run import KINDS, on_simulated  # noqa: PLC0415 - bleak, and the devices

    if kind not in KINDS:
        raise UsageError(f"there are no rules for {kind!r}; there are: {', '.join(KINDS)}")
    interrupted = False
    if options.device is None:
        report = on_simulated(kind, seed=options.seed or 0)
    else:
        report, interrupted = _on_device(kind, options.device, radio)
    _tell(report, paths, json=options.json)
    return INTERRUPTED if interrupted else report.exit_code


def _check(options: Options) -> None:
    if options.device is not None and options.seed is not None:
        raise UsageError("--device and --seed do not go together: nothing is random in a real device; leave one out")
    if options.consent and options.device is None:
        raise UsageError("--consent needs --device, which names the device; give both, or neither")
    if options.device is not None and not options.consent:
        raise UsageError(
            f"--device {options.device} needs --consent: the device is real, and will put out current; take it off the "
            "skin, see to it that it touches nobody, and say so with --consent"
        )
    if options.junit is not None and not options.junit.lower().endswith(".xml"):
        raise UsageError(f"--junit {options.junit}: JUnit is XML; let its name end with .xml")


def _on_device(kind: str, device: str, radio: Radio | None) -> tuple[Report, bool]:
    from rig.commands.replay_live import until_interrupted  # noqa: PLC0415 - for real devices alone

    return until_interrupted(measured_so_far(kind, device, radio=radio))


async def measured_so_far(kind: str, device: str, *, radio: Radio | None = None) -> tuple[Report, bool]:
    """Look for a real device and measure it. The person's consent was given.

    Args:
        kind: which rules.
        device: its name or address.
        radio: where to look; None: with the system's Bluetooth.

    Returns:
        The report, and whether it ends early because the task was cancelled. A run that is cancelled before its
        first rule is over has nothing to tell, and is.

    Raises:
        RigError: the device is not heard or is another one, Bluetooth cannot be used, or no guard is there for the
            link.
    """
    import asyncio  # noqa: PLC0415 - as above

    so_far: list[Report] = []
    try:
        return await _measured(kind, device, radio, so_far), False
    except asyncio.CancelledError:
        if not so_far:
            raise
        return so_far[-1], True


async def _measured(kind: str, device: str, radio: Radio | None, so_far: list[Report]) -> Report:
    import sys  # noqa: PLC0415 - as above

    from protocols.registry import Registry  # noqa: PLC0415 - as above
    from rig.conformance.run import on_device  # noqa: PLC0415 - as above
    from rig.guards import NoGuardError, NothingToHold, installed  # noqa: PLC0415 - as above
    from rig.record import find  # noqa: PLC0415 - as above

    try:
        # The links of a radio in this process end with it; those of the system's Bluetooth may not (H4).
        guard = installed() if radio is None else NothingToHold
    except NoGuardError as error:
        raise RigError(f"no guard, no output: {error}") from error
    print(f"looking for {device}; Ctrl+C stops the device, and says what was measured", file=sys.stderr, flush=True)
    found, advertised = await find(device, radio=radio)
    name = advertised.local_name or found.name
    entry = Registry.default().match(name, advertised.service_uuids)
    is_what = "none that the rig knows" if entry is None else entry.key
    if is_what != kind:
        raise RigError(f"{name or found.address} is not of kind {kind} but {is_what}; it was left alone")
    return await on_device(kind, found, radio=radio, guard=guard, so_far=so_far.append)


def _tell(report: Report, paths: Sequence[str], *, json: bool) -> None:
    if not json:
        from rig.commands.reporting import print_and_write  # noqa: PLC0415 - once there is something to tell

        print_and_write(report, paths)
        return
    import sys  # noqa: PLC0415 - as above

    from rig.report.data import dumps  # noqa: PLC0415 - as above
    from rig.report.files import write_report  # noqa: PLC0415 - as above

    for path in paths:
        write_report(report, path)
    sys.stdout.write(dumps(report))
