"""The report as JUnit XML, in the shape that Jenkins (junit-10.xsd), GitLab and Surefire's readers share."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, fromstring

import pytest

from rig.replay.outcome import Difference, Outcome, Verdict
from rig.report.junit import dumps
from rig.report.model import Report
from tests.rig.report.example import failed, hostile, invalid, passed, rich

ATTRIBUTES = {
    "testsuites": ({"tests", "failures", "errors"}, {"name", "time"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time"}, set()),
    "testcase": ({"name", "classname", "time"}, set()),
    "failure": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}
"""Needed and allowed attributes of every element."""
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}
NUMBERS = {"tests": r"\d+", "failures": r"\d+", "errors": r"\d+", "skipped": r"\d+", "time": r"\d+\.\d{3}"}


def checked(document: str) -> Element:
    """The root of a document that has the shape; fails where it has not."""
    assert document.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ')
    root = fromstring(document.encode())  # noqa: S314 - our own
    assert root.tag == "testsuites"
    for element in root.iter():
        needed, allowed = ATTRIBUTES[element.tag]
        assert needed <= set(element.attrib) <= needed | allowed, element.attrib
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        for name, pattern in NUMBERS.items():
            assert re.fullmatch(pattern, element.get(name, "0.000" if name == "time" else "0"))
        if element.tag == "testcase":
            tags = [child.tag for child in element]
            assert tags in (["system-out"], [tags[0], "system-out"]), "at most one result, then the output"
            assert element.get("name")
        elif element.tag not in {"testsuites", "testsuite"}:
            assert not len(element)
    for level in (root, *root):
        cases = list(level.iter("testcase"))
        assert int(level.get("tests", "")) == len(cases)
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            if name == "skipped" and level is root:
                continue  # junit-10.xsd has it on suites alone
            assert int(level.get(name, "")) == sum(case.find(tag) is not None for case in cases)
        told = sum(float(case.get("time", "")) for case in cases)
        assert abs(float(level.get("time", "")) - told) < 0.001 * (len(cases) + 1)
    return root


def test_every_outcome_is_a_testcase_and_every_comparison_another() -> None:
    root = checked(dumps(rich()))
    cases = {(case.get("classname"), case.get("name")): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {
        ("replay.decoder", "burst of losses"): ["error", "system-out"],
        ("replay.peripheral", "first-touch"): ["system-out"],
        ("replay.peripheral", "morning routine"): ["system-out"],
        ("replay.central", "evening <routine> & more"): ["failure", "system-out"],
        ("timing.baseline", "command_to_acknowledgement"): ["failure", "system-out"],
        ("timing.baseline", "gap_between_writes"): ["skipped", "system-out"],
        ("timing.limit", "gap_between_writes"): ["failure", "system-out"],
        ("timing.baseline", "notification_interval"): ["system-out"],
    }
    assert [suite.get("name") for suite in root] == ["decoder", "peripheral", "central", "timing"]


def test_a_failure_says_the_first_difference_and_has_the_conversation() -> None:
    outcome = failed()
    failure = next(checked(dumps(Report("any", [outcome]))).iter("failure"))
    assert failure.get("type") == "different"
    assert failure.get("message") == outcome.differences[0].text + " (and 2 differences more)"
    assert failure.text is not None
    told = failure.text.split("\n")
    assert told[1] == f"5.773 s  {outcome.differences[1].text}"
    assert "  … 28 lines as recorded" in told
    assert "-     5.273  device notifies ffe0/ffe1: 55 aa 86 15" in told
    assert told[-1].startswith("+     6.053  app writes without response")


def test_an_invalid_run_is_an_error_that_names_the_fault() -> None:
    outcome = invalid()
    outcome.differences.clear()
    error = next(checked(dumps(Report("any", [outcome]))).iter("error"))
    assert (error.get("message"), error.get("type")) == ("planned faults never fired: cut the link", "fault")


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.INVALID])
def test_an_outcome_without_any_reason_still_has_a_message(verdict: Verdict) -> None:
    root = checked(dumps(Report("any", [Outcome("decoder", "", verdict)])))
    (case,) = root.iter("testcase")
    assert (case.get("name"), case[0].get("message")) == ("untitled", f"the replay was {verdict.value}")


def test_what_xml_cannot_say_is_spelled_out_and_markup_is_text() -> None:
    root = checked(dumps(Report("\x00title\ufffe\ud800", [hostile()])))
    assert root.get("name") == r"\x00title\ufffe\ud800"
    message = next(root.iter("failure")).get("message", "")
    assert message == r"""different: <script>alert('x')</script> & "quotes" \x1b[31mred\x00 """ + "\u202etxt ]]> é"


def test_an_empty_report_is_a_document() -> None:
    assert checked(dumps(Report("any"))).get("tests") == "0"


def test_the_same_report_gives_the_same_bytes_in_any_order() -> None:
    report = rich()
    backwards = Report(report.title, list(reversed(report.outcomes)), list(reversed(report.comparisons)))
    assert dumps(report) == dumps(backwards)


def test_a_line_end_in_a_message_survives() -> None:
    outcome = passed(pairs=1)
    outcome.verdict = Verdict.FAILED
    outcome.differences = [Difference("extra", None, 0, "extra: one\ntwo")]
    assert next(checked(dumps(Report("any", [outcome]))).iter("failure")).get("message") == "extra: one\ntwo"
