"""The report as JSON, for programs: everything that the other forms say, with whole distributions.

What is written is read again, so that one run writes it and another puts several together. Knows field names, which
are a contract that :data:`VERSION` counts. Refuses to know files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from rig.commands.faults import RigError
from rig.replay.outcome import Outcome
from rig.report.model import LeftOut, Report
from rig.timing.baseline import Comparison
from rig.timing.measure import Judgement

VERSION: Final = 1


class ReportError(RigError):
    """A report that cannot be read, told in one line: where, what, and what to do."""


def dumps(report: Report) -> str:
    """The report as JSON text with a line end, keys in a fixed order; no NaN and no infinity, which JSON has not."""
    return json.dumps(as_json(report), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def as_json(report: Report) -> dict[str, object]:
    """The report as values that JSON has.

    ``report`` (the version of this format), ``title``, ``verdict``, ``exit_code``, ``headline``, ``counts``,
    ``compared``, ``lateness``, ``faults``, ``outcomes``, ``comparisons``, ``subject``, ``left_out``.
    Times are whole nanoseconds where the name ends with ``_ns``, microseconds with ``_us`` and seconds with ``_s``. A
    sample that is no finite number is null.
    """
    return {
        "report": VERSION,
        "title": report.title,
        "verdict": report.verdict.value,
        "exit_code": report.exit_code,
        "headline": report.headline,
        "counts": {verdict.value: count for verdict, count in report.counts.items()},
        "compared": {verdict.value: count for verdict, count in report.compared_counts.items()},
        "lateness": report.lateness.as_json(),
        "faults": report.faults,
        "outcomes": [outcome_as_json(each) for each in report.ordered],
        "comparisons": [_comparison(each) for each in report.compared],
        "subject": report.subject,
        "left_out": [{"name": each.name, "why": each.why} for each in report.left_out],
    }


def loads(text: str | bytes, name: str) -> Report:
    """Read a report that :func:`dumps` wrote; unknown fields are passed over.

    ``name`` says in errors where it comes from.

    Raises:
        ReportError: it is no report, or one of a newer version.
    """
    import msgspec  # noqa: PLC0415 - whoever only writes reports need not wait for it

    try:
        told = json.loads(text)
        version = told["report"] if isinstance(told, dict) and "report" in told else None
        if not isinstance(version, int) or version < 1:
            raise ReportError(f"{name}: no report: nothing in it says which version; give one that rig wrote as JSON")
        if version > VERSION:
            newer = f"{name}: a report of version {version}, and this rig reads up to {VERSION}"
            raise ReportError(f"{newer}; update the rig")
        outcomes = [_outcome(each) for each in told["outcomes"]]
        comparisons: list[Comparison | Judgement] = []
        for each in told["comparisons"]:
            against_baseline = each["against"] == "baseline"
            comparisons.append(
                msgspec.convert(each, Comparison) if against_baseline else msgspec.convert(each, Judgement)
            )
        # reports of before there was conformance have neither
        left_out = [msgspec.convert(each, LeftOut) for each in told.get("left_out", ())]
        subject = msgspec.convert(told.get("subject", "timing"), str)
        return Report(msgspec.convert(told["title"], str), outcomes, comparisons, left_out, subject)
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # msgspec's and JSON's own are ValueErrors
        what = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise ReportError(f"{name}: a report that cannot be read: {what}; write it again") from error


def _outcome(told: dict[str, Any]) -> Outcome:
    import msgspec  # noqa: PLC0415 - as above

    # what is no finite number was written as null
    samples = {
        name: [math.nan if value is None else value for value in values] for name, values in told["samples"].items()
    }
    return msgspec.convert(told | {"samples": samples}, Outcome)


def outcome_as_json(outcome: Outcome) -> dict[str, object]:
    """One outcome as values that JSON has, as ``rig replay --json`` prints it."""
    differences = [
        {"kind": each.kind, "index": each.index, "at_ns": each.at_ns, "text": each.text} for each in outcome.differences
    ]
    conversation = [{"mark": each.mark, "at_ns": each.at_ns, "text": each.text} for each in outcome.conversation]
    return {
        "role": outcome.role,
        "title": outcome.title,
        "verdict": outcome.verdict.value,
        "exit_code": outcome.exit_code,
        "exchanges": outcome.exchanges,
        "duration_s": _plain(outcome.duration_s),
        "differences": differences,
        "conversation": conversation,
        "lateness": outcome.lateness.as_json() | {"samples_ns": list(outcome.lateness.samples_ns)},
        "samples": _plain(outcome.samples),
        "coverage": _plain(outcome.coverage),
        "faults": dict(sorted(outcome.faults.items())),
    }


def _comparison(comparison: Comparison | Judgement) -> dict[str, object]:
    """What a comparison says of itself, and its samples; a judgement against a limit is told by ``against``."""
    if isinstance(comparison, Comparison):
        samples = {"before": _plain(comparison.before), "after": _plain(comparison.after)}
        return {"against": "baseline"} | {key: _plain(value) for key, value in comparison.as_json().items()} | samples
    return {
        "against": "limit",
        "name": comparison.name,
        "verdict": comparison.verdict.value,
        "text": comparison.text,
        "value": _plain(comparison.value),
        "unit": comparison.unit,
        "at_most": _plain(comparison.at_most),
        "at_least": _plain(comparison.at_least),
    }


def _plain(value: object) -> object:
    """``value`` as JSON has it: mappings by key, sequences, enumerations by value, numbers; anything else as text."""
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)
