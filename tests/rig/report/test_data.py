"""The report as JSON."""

from __future__ import annotations

import json

from rig.replay.outcome import Outcome
from rig.report.data import as_json, dumps, outcome_as_json
from rig.report.model import Report
from tests.rig.report.example import failed, hostile, rich


def test_json_says_all_that_the_values_say() -> None:
    report = rich()
    read = json.loads(dumps(report))
    assert read == json.loads(json.dumps(as_json(report)))
    assert (read["report"], read["verdict"], read["exit_code"]) == (1, "failed", 1)
    assert read["counts"] == {"failed": 1, "invalid": 1, "passed": 2}
    assert read["compared"] == {"fail": 2, "not enough": 1, "marginal": 0, "pass": 1}
    assert [each["title"] for each in read["outcomes"]] == [each.title for each in report.ordered]
    assert read["lateness"]["events"] == 1360
    by_verdict = [(each["against"], each["verdict"], each["name"]) for each in read["comparisons"]]
    assert by_verdict == [
        ("baseline", "fail", "command_to_acknowledgement"),
        ("limit", "fail", "gap_between_writes"),
        ("baseline", "not enough", "gap_between_writes"),
        ("baseline", "pass", "notification_interval"),
    ]
    assert len(read["comparisons"][0]["after"]) == 200


def test_an_outcome_is_told_whole() -> None:
    outcome = failed()
    told = json.loads(json.dumps(outcome_as_json(outcome)))
    assert set(told) == {*Outcome.__dataclass_fields__, "exit_code"}
    assert told["differences"][0] == {
        "kind": "different",
        "index": 40,
        "at_ns": 5_000_000_000,
        "text": outcome.differences[0].text,
    }
    assert len(told["conversation"]) == len(outcome.conversation)
    assert told["lateness"]["samples_ns"] == list(outcome.lateness.samples_ns)


def test_what_json_has_no_number_for_is_null_and_every_text_survives() -> None:
    outcome = hostile()
    read = json.loads(dumps(Report("any", [outcome])), parse_constant=lambda name: f"not JSON: {name}")
    (told,) = read["outcomes"]
    assert told["title"] == outcome.title
    assert told["samples"] == {outcome.title: [1.0, None, None]}


def test_the_same_report_gives_the_same_bytes_in_any_order() -> None:
    report = rich()
    backwards = Report(report.title, list(reversed(report.outcomes)), list(reversed(report.comparisons)))
    assert dumps(report) == dumps(backwards)
