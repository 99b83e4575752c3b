"""``rig doctor``: what serving a device needs and whether it is here, one line each, with what to do.

Knows how it is told, and the exit code. Refuses to know what is looked at.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rig.commands.faults import FINISHED, NO_ADAPTER, UsageError

if TYPE_CHECKING:
    from rig.radio.checkup import Finding
    from rig.radio.machine import Machine


def doctor(transport: str | None, *, json: bool = False, machine: Machine | None = None) -> int:
    """Print every finding; return 0 unless something is missing.

    Args:
        transport: what to look at, as Bumble names it; None: at all that there is.
        json: print one JSON object.
        machine: what to ask; None: this computer.

    Raises:
        UsageError: there is no such transport.
    """
    from rig.radio import checkup  # noqa: PLC0415 - once it is wanted
    from rig.radio.machine import ThisMachine  # noqa: PLC0415 - as above
    from rig.radio.transports import TransportNameError  # noqa: PLC0415 - as above

    asked = machine if machine is not None else ThisMachine()
    try:
        findings = list(checkup.survey(asked) if transport is None else checkup.transport(asked, transport))
    except TransportNameError as error:
        raise UsageError(f"--transport: {error}; see `rig doctor --help`") from error
    failed = any(finding.grade is checkup.Grade.FAIL for finding in findings)
    if json:
        _print_json(transport, findings, ok=not failed)
    else:
        _print(transport, findings, ok=not failed)
    return NO_ADAPTER if failed else FINISHED


def _print(transport: str | None, findings: list[Finding], *, ok: bool) -> None:
    width = max(len(finding.name) for finding in findings)
    for name, grade, text in findings:
        sys.stdout.write(f"{grade.ljust(4)}  {name.ljust(width)}  {text}\n")
    serve = f"`rig serve omp --transport {transport or 'TRANSPORT'}`"
    said = f"What {serve} needs is here." if ok else "Something is missing; docs/on-the-air.md has it step by step."
    sys.stdout.write(f"\n{said}\n")


def _print_json(transport: str | None, findings: list[Finding], *, ok: bool) -> None:
    from json import dumps  # noqa: PLC0415 - as above

    said = {
        "transport": transport,
        "ok": ok,
        "findings": [{"name": name, "grade": grade, "text": text} for name, grade, text in findings],
    }
    sys.stdout.write(dumps(said, indent=2, ensure_ascii=False) + "\n")
