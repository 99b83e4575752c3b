"""The report as JSON, for programs: everything that the other forms say, with whole distributions.

Knows field names, which are a contract that :data:`VERSION` counts. Refuses to know files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import Enum
from typing import Final

from rig.replay.outcome import Outcome
from rig.report.model import Report
from rig.timing.baseline import Comparison
from rig.timing.measure import Judgement

VERSION: Final = 1


def dumps(report: Report) -> str:
    """The report as JSON text with a line end, keys in a fixed order; no NaN and no infinity, which JSON has not."""
    return json.dumps(as_json(report), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def as_json(report: Report) -> dict[str, object]:
    """The report as values that JSON has.

    ``report`` (the version of this format), ``title``, ``verdict``, ``exit_code``, ``headline``, ``counts``,
    ``compared``, ``lateness``, ``faults``, ``outcomes``, ``comparisons``. Times are whole nanoseconds where the name
    ends with ``_ns``, microseconds with ``_us`` and seconds with ``_s``. A sample that is no finite number is null.
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
    }


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
