"""The report as JUnit XML in the shape that Jenkins, GitLab and Surefire's readers share.

One suite a role with one testcase an outcome, and a suite ``timing`` (or what else the report is about) with one
testcase a comparison. A failed outcome is a ``failure``, an invalid one an ``error``: the test could not say. A
comparison without enough samples, and what was left out, is ``skipped``. No timestamp and no host name, which are
optional: the same outcomes give the same bytes. Refuses to know files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from rig.replay.outcome import Outcome, Verdict
from rig.report.folding import folded
from rig.report.model import (
    LeftOut,
    Report,
    fired,
    how_late,
    in_words,
    many,
    moment,
    never_fired,
    played,
    sentence,
    untold,
)
from rig.report.text import plain_line
from rig.timing.baseline import Comparison
from rig.timing.measure import Judgement, TimingVerdict

_AROUND: Final = 12  # lines as recorded on either side of one that was not
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no spelling for, not even an escaped one (2.2, production Char)."""


def dumps(report: Report) -> str:
    """The report as an XML document with a line end."""
    suites = Element("testsuites", name=_text(report.title))
    everything: list[Element] = []
    for role in ("decoder", "peripheral", "central"):
        outcomes = [each for each in report.ordered if each.role == role]
        if outcomes:
            everything.append(_suite(suites, role, [_replay(each) for each in outcomes]))
    if report.comparisons or report.left_out:
        cases = [_compared(each, report.subject) for each in report.compared]
        cases += [_left_out(each, report.subject) for each in report.left_out]
        everything.append(_suite(suites, report.subject, cases))
    for name in ("tests", "failures", "errors"):  # junit-10.xsd has no skipped here
        suites.set(name, str(sum(int(each.get(name, "0")) for each in everything)))
    suites.set("time", _seconds(sum(each.duration_s for each in report.outcomes)))
    indent(suites, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _suite(parent: Element, name: str, cases: Sequence[Element]) -> Element:
    tags = [child.tag for case in cases for child in case]
    suite = SubElement(
        parent,
        "testsuite",
        name=name,
        tests=str(len(cases)),
        failures=str(tags.count("failure")),
        errors=str(tags.count("error")),
        skipped=str(tags.count("skipped")),
        time=_seconds(sum(float(case.get("time", "0")) for case in cases)),
    )
    suite.extend(cases)
    return suite


def _replay(outcome: Outcome) -> Element:
    classname = f"replay.{outcome.role}"
    case = Element(
        "testcase", classname=classname, name=_text(outcome.title) or "untitled", time=_seconds(outcome.duration_s)
    )
    if outcome.verdict is not Verdict.PASSED:
        first, kind = _reason(outcome)
        name = "failure" if outcome.verdict is Verdict.FAILED else "error"
        trouble = SubElement(case, name, message=_text(first), type=kind)
        trouble.text = _text("\n".join(_account(outcome)))
    SubElement(case, "system-out").text = _text("\n".join(_measured(outcome)))
    return case


def _reason(outcome: Outcome) -> tuple[str, str]:
    """The message and type of what went wrong; the first difference is nearly always the cause of the rest."""
    never = never_fired(outcome)
    if not outcome.differences:
        text = f"planned faults never fired: {', '.join(never)}" if never else f"the replay was {outcome.verdict.value}"
        return text, "fault" if never else outcome.verdict.value
    more = len(outcome.differences) - 1
    return sentence(outcome.differences[0]) + (f" (and {many(more, 'difference')} more)" if more else ""), (
        outcome.differences[0].kind
    )


def _account(outcome: Outcome) -> Iterator[str]:
    for difference in outcome.differences:
        yield f"{moment(difference.at_ns)} s  {sentence(difference)}"
    for name in untold(outcome):
        yield f"planned, and never fired: {name}"
    if outcome.conversation:
        yield ""
        yield "the conversation so far (- did not happen, + was not recorded):"
        yield from (plain_line(item) for item in folded(outcome.conversation, _AROUND))


def _measured(outcome: Outcome) -> Iterator[str]:
    yield played(outcome)
    if late := how_late(outcome.lateness):
        yield late
    for name, count in sorted(outcome.faults.items()):
        yield f"fault {name}: {fired(count)}"


def _compared(comparison: Comparison | Judgement, subject: str) -> Element:
    verdict, said = comparison.verdict, _text(in_words(comparison))
    # limits and baselines judge the same names
    classname = f"{subject}.{'baseline' if isinstance(comparison, Comparison) else 'limit'}"
    case = Element("testcase", classname=classname, name=_text(comparison.name) or "unnamed", time="0.000")
    if verdict is TimingVerdict.FAIL:
        SubElement(case, "failure", message=said, type=subject).text = said
    elif verdict is TimingVerdict.NOT_ENOUGH:
        SubElement(case, "skipped", message=said)
    SubElement(case, "system-out").text = f"{verdict.value}: {said}"
    return case


def _left_out(left: LeftOut, subject: str) -> Element:
    case = Element("testcase", classname=f"{subject}.left_out", name=_text(left.name) or "unnamed", time="0.000")
    SubElement(case, "skipped", message=_text(left.why))
    return case


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _text(text: str) -> str:
    """``text`` with what XML has no spelling for spelled out by its code."""
    return _NOT_XML.sub(lambda found: ascii(found[0])[1:-1], text)
