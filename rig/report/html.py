"""The report as one page of HTML that needs nothing but itself: no network, no script, no font of its own.

The same report gives the same bytes. It is light or dark as the reader's system is, reads well without colours, by
keyboard and by ear, and whatever it shows of a recording is escaped. Refuses to know files.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final

from rig.replay.outcome import Line, Outcome, Verdict
from rig.report import charts
from rig.report.coverage import coverage_cards
from rig.report.folding import Folded, folded
from rig.report.markup import Markup, joined, tag
from rig.report.model import (
    QUANTILES,
    Measured,
    Report,
    figures,
    fired,
    in_words,
    many,
    moment,
    never_fired,
    odd,
    played,
    quantile,
    sentence,
    span,
)
from rig.report.style import style_sheet
from rig.report.tables import table
from rig.timing.baseline import FEWEST

_AROUND: Final = 8  # lines as recorded on either side of one that was not
_SMALL_PRINT: Final = "Times are of the replay, in seconds from its first exchange. Quantiles by nearest rank."
_UNFOLDED: Final = 300  # lines as recorded that a fold keeps on the page; of a longer one only the number is told
_LINES_SHOWN: Final = 600  # of one conversation, folds counted as one
_ACCOUNTS: Final = 50  # replays that went wrong with an account of their own: nobody reads more, and the page opens
_DIFFERENCES_SHOWN: Final = 50  # of one replay
_PASSED_SHOWN: Final = 20  # passed replays with a timeline of their own; beyond, the table has them
_QUANTILE_NAMES: Final = tuple(name for name, _ in QUANTILES)
_MARKS: Final = {
    "-": ("lost-line", "did not happen"),
    "+": ("added-line", "not recorded"),
    "!": ("note-line", "how they differ"),
    " ": ("as-recorded", ""),
}
_TONES: Final = {
    **dict.fromkeys(("passed", "pass"), "good"),
    **dict.fromkeys(("failed", "fail"), "bad"),
    **dict.fromkeys(("invalid", "marginal", "not enough"), "doubt"),
}


def page(report: Report) -> str:
    """The whole page, with a line end."""
    sections = list(_sections(report))
    style = style_sheet()
    digest = b64encode(sha256(style.encode()).digest()).decode()
    # the browser itself then refuses whatever a recording might smuggle in, should an escape ever be missing
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{report.title}: {report.verdict.value}"),
        tag("style", Markup(style)),
    )
    body = tag(
        "body",
        tag("a", "Skip to the results", class_="skip", href="#results"),
        _header(report, [(name, title) for name, title, _ in sections]),
        tag("main", *(_section(name, title, parts) for name, title, parts in sections), id="results"),
        tag(
            "footer",
            tag("p", "Times are of the replay, in seconds from its first exchange. Quantiles by nearest rank."),
        ),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


_Section = tuple[str, str, list[Markup]]


def _sections(report: Report) -> Iterator[_Section]:
    ordered = report.ordered
    wrong = [each for each in ordered if each.verdict is not Verdict.PASSED]
    right = [each for each in ordered if each.verdict is Verdict.PASSED]
    if wrong:
        yield "wrong", "What went wrong", list(_accounts(wrong))
    if ordered:
        told = {id(each): number for number, each in enumerate(wrong[:_ACCOUNTS], 1)}
        yield "replays", "Replays", [_replays(ordered, told)]
    timing = list(_timing(report))
    if timing:
        yield "timing", "Timing", timing
    if report.lateness.samples_ns:
        yield "lateness", "Lateness", list(_lateness(report))
    covered = coverage_cards(ordered)
    if covered:
        yield "coverage", "Coverage", covered
    if report.faults:
        yield "faults", "Faults", [_faults(report.faults)]
    drawn = [each for each in right if each.conversation]
    if drawn:
        yield "passed", "As recorded", list(_passed(drawn))


def _section(name: str, title: str, parts: Iterable[Markup]) -> Markup:
    return tag("section", tag("h2", title, id=name), *parts, aria_labelledby=name)


def _header(report: Report, sections: Sequence[tuple[str, str]]) -> Markup:
    facts = [(verdict.value.capitalize(), f"{count:,}") for verdict, count in report.counts.items() if report.outcomes]
    if report.outcomes:
        facts.append(("Exchanges", f"{sum(each.exchanges for each in report.outcomes):,}"))
        facts.append(("Replay time", span(sum(each.duration_s for each in report.outcomes) * 1e9)))
    if report.lateness.samples_ns:
        facts.append(("Lateness, p99", span(report.lateness.quantile_ns(0.99))))
    boxes = [tag("div", tag("dt", key), tag("dd", value)) for key, value in facts]
    links = [tag("li", tag("a", title, href=f"#{name}")) for name, title in sections]
    return tag(
        "header",
        tag("h1", report.title),
        tag("p", _pill(report.verdict.value), " ", report.headline, ".", class_="headline"),
        tag("dl", *boxes, class_="facts") if boxes else "",
        tag("nav", tag("ul", *links), aria_label="Sections") if links else "",
    )


def _pill(verdict: str) -> Markup:
    return tag("span", verdict, class_=f"verdict {_TONES.get(verdict, 'doubt')}")


# --- replays ----------------------------------------------------------------------------------------------------------


def _replays(outcomes: Sequence[Outcome], wrong: Mapping[int, int]) -> Markup:
    rows = []
    for outcome in outcomes:
        number = wrong.get(id(outcome))
        title = outcome.title or "untitled"
        rows.append(
            [
                tag("a", title, href=f"#w{number}") if number else title,
                outcome.role,
                _pill(outcome.verdict.value),
                f"{outcome.exchanges:,}",
                span(outcome.duration_s * 1e9),
                span(outcome.lateness.quantile_ns(0.5)),
                span(outcome.lateness.quantile_ns(0.99)),
                span(outcome.lateness.quantile_ns(1.0)),
            ]
        )
    columns = ("transcript", "role", "verdict", "exchanges", "replay time", "late p50", "late p99", "late max")
    return table("Every replay, with how late its events were handed over", columns, rows, numbers=5)


def _accounts(wrong: Sequence[Outcome]) -> Iterator[Markup]:
    for number, outcome in enumerate(wrong[:_ACCOUNTS], 1):
        yield _account(outcome, f"w{number}")
    if len(wrong) > _ACCOUNTS:
        said = f"And {many(len(wrong) - _ACCOUNTS, 'replay')} more, which the JSON and JUnit reports have in full."
        yield tag("p", said, class_="about")


def _account(outcome: Outcome, name: str) -> Markup:
    """Everything about one replay that did not go as recorded."""
    head = tag("h3", _pill(outcome.verdict.value), " ", outcome.title or "untitled", id=name)
    parts = [head, tag("p", f"As {outcome.role}; {played(outcome)}.", class_="about")]
    shown = outcome.differences[:_DIFFERENCES_SHOWN]
    items = [
        tag("li", sentence(each), " ", tag("span", f"noticed at {moment(each.at_ns)} s", class_="when"))
        for each in shown
    ]
    if items:
        parts.append(tag("ol", *items, class_="differences"))
    if len(outcome.differences) > len(shown):
        more = many(len(outcome.differences) - len(shown), "difference")
        parts.append(tag("p", f"And {more} more, which the JSON report has.", class_="about"))
    if never := never_fired(outcome):
        parts.append(
            tag("p", f"Planned, and never fired: {', '.join(never)}. A run without them says nothing about them.")
        )
    if outcome.conversation:
        parts.append(_timeline(outcome, f"{name}-time"))
        parts.append(_conversation(outcome, name))
    return tag("article", *parts, class_="card", aria_labelledby=name)


def _timeline(outcome: Outcome, name: str) -> Markup:
    marks = {line.mark for line in outcome.conversation}
    said = ["One tick an exchange."]
    if "-" in marks:
        said.append("A ring is one that did not happen.")
    if "+" in marks:
        said.append("A diamond is one that was not recorded.")
    if outcome.differences:
        said.append("Numbered lines are the differences above.")
    return tag("figure", charts.timeline(outcome, name), tag("figcaption", " ".join(said)))


def _conversation(outcome: Outcome, name: str) -> Markup:
    shown = list(folded(outcome.conversation, _AROUND))
    parts: list[Markup] = []
    if len(shown) > _LINES_SHOWN:
        parts.append(
            tag("li", f"{many(len(shown) - _LINES_SHOWN, 'line')} before, which the JSON report has", class_="fold")
        )
    parts += [_fold(item) if isinstance(item, Folded) else _line(item) for item in shown[-_LINES_SHOWN:]]
    legend = "The conversation up to that point. - did not happen, + was not recorded, ! how they differ."
    # a region that scrolls has to be reached by keyboard (WCAG 2.1.1)
    region = tag("ol", *parts, class_="talk", tabindex="0", role="list", aria_label="Conversation as a diff")
    return joined([tag("p", legend, class_="about", id=f"{name}-talk"), region])


def _line(line: Line) -> Markup:
    class_, word = _MARKS[line.mark]
    return tag(
        "li",
        tag("span", line.mark.strip(), class_="mark"),
        tag("span", moment(line.at_ns), class_="when"),
        tag("span", line.text),
        tag("span", word, class_="word"),
        class_=f"line {class_}",
    )


def _fold(item: Folded) -> Markup:
    said = f"{many(len(item.lines), 'line')} as recorded"
    if len(item.lines) > _UNFOLDED:
        return tag("li", f"{said}, left out", class_="fold")
    lines = tag("ol", *(_line(line) for line in item.lines), role="list")
    return tag("li", tag("details", tag("summary", said), lines), class_="fold")


def _passed(outcomes: Sequence[Outcome]) -> Iterator[Markup]:
    for number, outcome in enumerate(outcomes[:_PASSED_SHOWN], 1):
        inside = tag("div", _timeline(outcome, f"p{number}-time"))
        summary = tag("summary", f"{outcome.title or 'untitled'}, as {outcome.role}: {played(outcome)}")
        yield tag("details", summary, inside, class_="more")
    if len(outcomes) > _PASSED_SHOWN:
        yield tag("p", f"And {many(len(outcomes) - _PASSED_SHOWN, 'replay')} more, in the table above.", class_="about")


# --- what was measured ------------------------------------------------------------------------------------------------


def _timing(report: Report) -> Iterator[Markup]:
    measured = report.measured
    for each in report.compared:
        if each.name not in measured:
            yield tag("p", _pill(each.verdict.value), " ", in_words(each))
    worst_first = list(dict.fromkeys([each.name for each in report.compared if each.name in measured] + list(measured)))
    for number, name in enumerate(worst_first, 1):
        said = [tag("p", _pill(each.verdict.value), " ", each.text) for each in report.compared if each.name == name]
        yield _measurement(name.replace("_", " "), measured[name], said, f"m{number}")


def _measurement(words: str, measured: Measured, said: Sequence[Markup], ident: str) -> Markup:
    """One measurement: its verdicts in words, its histogram, and the same as numbers."""
    unit, now, before = measured.unit, measured.now, measured.before
    parts = [tag("h3", words, id=ident), *said]
    if measured.odd:
        parts.append(tag("p", f"{odd(measured)}.", class_="about"))
    rows = []
    for word, values in (("now", now), ("baseline", before)):
        if values:
            told = [figures(quantile(values, share) or 0.0) for _, share in QUANTILES]
            rows.append([word, f"{len(values):,}", *told])
    if max(len(now), len(before)) >= FEWEST:
        keys = (("now", "now", now), ("before", "baseline", before))
        legend = [joined([tag("span", class_=f"key key-{key}"), word]) for key, word, values in keys if values]
        caption = joined([joined(legend, ", "), "; share of samples by size"])
        picture = charts.histogram(words, unit, now, before, f"{ident}-chart")
        parts.append(tag("figure", picture, tag("figcaption", caption)))
    if rows:
        title = f"{words.capitalize()}{f', in {unit}' if unit else ''}"
        parts.append(table(title, ("", "samples", *_QUANTILE_NAMES), rows, numbers=1 + len(QUANTILES)))
    return tag("article", *parts, class_="card", aria_labelledby=ident)


def _lateness(report: Report) -> Iterator[Markup]:
    late = report.lateness
    early = sum(sample < 0 for sample in late.samples_ns)
    told = [span(late.quantile_ns(share)) for _, share in QUANTILES]
    rows = [["all replays", f"{len(late.samples_ns):,}", *told]]
    columns = ("", "events", *_QUANTILE_NAMES)
    parts = [table("How late events were handed over", columns, rows, numbers=1 + len(QUANTILES))]
    if early:
        parts.insert(0, tag("p", _pill("invalid"), f" {many(early, 'event')} came before it was due."))
    if not any(late.samples_ns):
        parts.insert(
            0, tag("p", "Every event came exactly when it was due, as it does in virtual time.", class_="about")
        )
    else:
        said = "The line is the median of each stretch of events, the strokes above it reach to its latest."
        parts.insert(0, tag("figure", charts.lateness(late, "lateness-chart"), tag("figcaption", said)))
    yield tag("div", *parts, class_="card")


def _faults(faults: Mapping[str, int]) -> Markup:
    rows = [[name, fired(count) if count else _word(fired(count))] for name, count in faults.items()]
    title = "Planned faults over all replays; one that never fires makes its run invalid"
    return table(title, ("fault", "fired"), rows)


def _word(said: str) -> Markup:
    return tag("span", said, class_="verdict doubt")
