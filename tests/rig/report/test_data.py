"""The report as JSON."""

from __future__ import annotations

import json

import pytest

from rig.replay.outcome import Outcome
from rig.report.data import ReportError, as_json, dumps, loads, outcome_as_json
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


def test_what_is_written_is_read_again() -> None:
    for report in (rich(), Report("none"), Report("odd", [hostile()])):
        again = loads(dumps(report), "report.json")
        assert dumps(again) == dumps(report)
        assert (again.verdict, again.title) == (report.verdict, report.title)
    assert loads(dumps(rich()), "report.json").ordered == rich().ordered
    assert loads(dumps(rich()), "report.json").compared == rich().compared


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"report": 2}, "report.json: a report of version 2, and this rig reads up to 1; update the rig"),
        ({"report": "1"}, "report.json: no report: nothing in it says which version; "),
        ({"outcomes": 5}, "report.json: a report that cannot be read: "),
        ({"outcomes": [{}]}, "report.json: a report that cannot be read: field 'samples' is missing; write it again"),
        ({"outcomes": [{"samples": {}, "role": "dog"}]}, "Invalid enum value 'dog' - at `$.role`; write it again"),
        ({"comparisons": [{"against": "limit", "name": 5}]}, "Expected `str`, got `int` - at `$.name`; write it again"),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(change: dict[str, object], said: str) -> None:
    with pytest.raises(ReportError) as refused:
        loads(json.dumps(as_json(rich()) | change), "report.json")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "\x00"])
def test_any_other_file_is_refused_too(text: str) -> None:
    with pytest.raises(ReportError, match=r"^report\.json: "):
        loads(text, "report.json")
