"""The report as one page of HTML that needs nothing but itself: no network, no script, no font of its own.

The same report gives the same bytes. It is light or dark as the reader's system is, reads well without colours, by
keyboard and by ear, and whatever it shows of a recording is escaped. Refuses to know files.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
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
    aligned,
    fired,
    in_words,
    length,
    many,
    moment,
    odd,
    played,
    quantile,
    sentence,
    span,
    untold,
)
from rig.report.style import style_sheet
from rig.report.tables import table
from rig.timing.baseline import FEWEST, Comparison
from rig.timing.measure import Judgement, TimingVerdict

_AROUND: Final = 8  # lines as recorded on either side of one that was not
_SMALL_PRINT: Final = "Times are of the replay, in seconds from its first exchange. Quantiles by nearest rank."
_UNFOLDED: Final = 300  # lines as recorded that a fold keeps on the page; of a longer one only the number is told
_LINES_SHOWN: Final = 600  # of one conversation, folds counted as one
_ACCOUNTS: Final = 50  # replays that went wrong with an account of their own: nobody reads more, and the page opens
_FEW: Final = 12  # replays that went wrong up to which each is told whole; of more what is around a difference
_DRAWN: Final = 3  # of more than these few with pictures
_AROUND_BRIEFLY: Final = 2  # the same as above, of the many
_BRIEFLY: Final = 8  # lines of the conversation of each, from the first difference on
_FIRST_DIFFERENCES: Final = 3
_DIFFERENCES_SHOWN: Final = 50  # of one replay
_PASSED_SHOWN: Final = 20  # passed replays up to which each has a timeline of its own; of more the table is enough
_LONGEST_REASON: Final = 180  # letters of the first difference in the list of what went wrong
_IN_SENTENCES: Final = 5  # judgements without samples up to which each is a sentence; of more a table is easier to read
_UNLIKE: Final = 0.5  # share of its words in which a line differs from the recorded one, at most, for these to be shown
_QUANTILE_NAMES: Final = tuple(name for name, _ in QUANTILES)
_MARKS: Final = {
    "-": ("lost-line", "did not happen"),
    "+": ("added-line", "not recorded"),
    "!": ("note-line", "how they differ"),
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
            tag("p", _SMALL_PRINT),
        ),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


_Section = tuple[str, str, list[Markup]]


def _sections(report: Report) -> Iterator[_Section]:
    ordered = report.ordered
    wrong = [each for each in ordered if each.verdict is not Verdict.PASSED]
    trouble = list(_trouble(report, wrong))
    right = [each for each in ordered if each.verdict is Verdict.PASSED]
    if trouble:
        index = [tag("ul", *trouble, class_="index")] if len(trouble) > 1 or not wrong else []
        yield "wrong", "What went wrong", [*index, *_accounts(wrong)]
    if ordered:
        told = {id(each): number for number, each in enumerate(wrong[:_ACCOUNTS], 1)}
        yield "replays", "Replays", [_replays(ordered, told)]
    timing = list(_timing(report))
    if timing:
        yield "timing", report.subject.capitalize(), timing
    if report.left_out:
        rows = [(each.name, each.why) for each in report.left_out]
        yield "left-out", "Left out", [table("Not measured, on purpose", ("measurement", "why"), rows)]
    if report.lateness.samples_ns:
        yield "lateness", "Lateness", list(_lateness(report))
    covered = coverage_cards(ordered)
    if covered:
        yield "coverage", "Coverage", covered
    if report.faults:
        yield "faults", "Faults", [_faults(report.faults)]
    drawn = [each for each in right if each.conversation]
    if drawn and len(drawn) <= _PASSED_SHOWN:
        yield "passed", "As recorded", list(_passed(drawn))


def _section(name: str, title: str, parts: Iterable[Markup]) -> Markup:
    return tag("section", tag("h2", title, id=name), *parts, aria_labelledby=name)


def _header(report: Report, sections: Sequence[tuple[str, str]]) -> Markup:
    facts = [(verdict.value.capitalize(), f"{count:,}") for verdict, count in report.counts.items() if report.outcomes]
    if report.outcomes:
        facts.append(("Exchanges", f"{sum(each.exchanges for each in report.outcomes):,}"))
        facts.append(("Replay time", length(sum(each.duration_s for each in report.outcomes))))
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
    # in virtual time nothing is late, and three columns of noughts would hide the rest
    late = any(sample for each in outcomes for sample in each.lateness.samples_ns)
    rows = []
    for outcome in outcomes:
        number = wrong.get(id(outcome))
        title = _title(outcome)
        passed = outcome.verdict is Verdict.PASSED
        row = [
            tag("a", title, href=f"#w{number}") if number else title,
            outcome.role,
            outcome.verdict.value if passed else _pill(outcome.verdict.value),
            f"{outcome.exchanges:,}",
            span(outcome.duration_s * 1e9),
        ]
        rows.append(row + [span(outcome.lateness.quantile_ns(share)) for share in (0.5, 0.99, 1.0) if late])
    columns = ["transcript", "role", "verdict", "exchanges", "replay time"]
    if late:
        columns += ["late p50", "late p99", "late max"]
    caption = "Every replay, with how late its events were handed over" if late else "Every replay"
    return table(caption, columns, rows, numbers=len(columns) - 3)


def _title(outcome: Outcome) -> str:
    return outcome.title or "untitled"


def _isolated(title: str) -> Markup:
    """A title in a line of other words: its own direction, right to left, leaves theirs alone."""
    return tag("bdi", title)


def _trouble(report: Report, wrong: Sequence[Outcome]) -> Iterator[Markup]:
    """A line each for what went wrong, with a link to its account: which, as what, and why."""
    for number, outcome in enumerate(wrong[:_ACCOUNTS], 1):
        # the first difference is nearly always the cause of the rest
        said = sentence(outcome.differences[0]) if outcome.differences else outcome.verdict.value
        said = said if len(said) <= _LONGEST_REASON else f"{said[: _LONGEST_REASON - 1].rstrip()}…"
        more = len(outcome.differences) - 1
        also = f" (and {many(more, 'difference')} more)" if more > 0 else ""
        yield _in_index(f"w{number}", _title(outcome), f"as {outcome.role}", f"{said}{also}")
    places = _judged(report)
    for each in report.compared:
        if each.verdict in (TimingVerdict.FAIL, TimingVerdict.NOT_ENOUGH):
            place = places.get(each.name, "timing")
            words = each.name.replace("_", " ")
            yield _in_index(
                place, words, f"{report.subject}, {each.verdict.value}", each.text.removeprefix(f"{words} ")
            )


def _in_index(place: str, title: str, what: str, why: str) -> Markup:
    return tag("li", tag("a", _isolated(title), href=f"#{place}"), tag("span", f" {what}: ", class_="about"), why)


def _accounts(wrong: Sequence[Outcome]) -> Iterator[Markup]:
    few = len(wrong) <= _FEW
    for number, outcome in enumerate(wrong[:_ACCOUNTS], 1):
        yield _account(outcome, f"w{number}", drawn=few or number <= _DRAWN, whole=few)
    if len(wrong) > _ACCOUNTS:
        said = f"And {many(len(wrong) - _ACCOUNTS, 'replay')} more, which the JSON and JUnit reports have in full."
        yield tag("p", said, class_="about")


def _account(outcome: Outcome, name: str, *, drawn: bool, whole: bool) -> Markup:
    """Everything about one replay that did not go as recorded, or what matters most: with pictures, and whole."""
    head = tag("h3", _pill(outcome.verdict.value), " ", _isolated(_title(outcome)), id=name)
    parts = [head, tag("p", f"As {outcome.role}; {played(outcome)}.", class_="about")]
    shown = outcome.differences[: _DIFFERENCES_SHOWN if whole else _FIRST_DIFFERENCES]
    items = [
        tag("li", sentence(each), " ", tag("span", f"noticed at {moment(each.at_ns)} s", class_="when"))
        for each in shown
    ]
    if items:
        parts.append(tag("ol", *items, class_="differences"))
    if len(outcome.differences) > len(shown):
        more = many(len(outcome.differences) - len(shown), "difference")
        parts.append(tag("p", f"And {more} more, which the JSON report has.", class_="about"))
    if never := untold(outcome):
        parts.append(
            tag("p", f"Planned, and never fired: {', '.join(never)}. A run without them says nothing about them.")
        )
    if outcome.conversation:
        if drawn:
            parts += _timelines(outcome, name)
        parts.append(_conversation(outcome, whole=whole))
    return tag("article", *parts, class_="card", aria_labelledby=name)


def _timelines(outcome: Outcome, name: str) -> Iterator[Markup]:
    """The whole conversation, and the piece of it where something went wrong if that is too small to be seen there."""
    window = charts.closer(outcome)
    yield _timeline(outcome, f"{name}-time")
    if window is not None:
        said = f"The same from {moment(window[0])} s to {moment(window[1])} s."
        yield tag("figure", charts.timeline(outcome, f"{name}-close", window=window), tag("figcaption", said))


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


def _conversation(outcome: Outcome, *, whole: bool) -> Markup:
    shown = list(folded(outcome.conversation, _AROUND if whole else _AROUND_BRIEFLY))
    parts: list[Markup] = []
    left_out = ""
    if not whole and len(shown) > _BRIEFLY:
        left_out = f"{many(len(shown) - _BRIEFLY, 'line')} after, which the JSON report has"
        shown = shown[:_BRIEFLY]
    if len(shown) > _LINES_SHOWN:
        parts.append(
            tag("li", f"{many(len(shown) - _LINES_SHOWN, 'line')} before, which the JSON report has", class_="fold")
        )
        shown = shown[-_LINES_SHOWN:]
    before: list[Line | Folded | None] = [None, *shown]
    after: list[Line | Folded | None] = [*shown[1:], None]
    for item, previous, following in zip(shown, before, after, strict=False):
        if isinstance(item, Folded):
            parts.append(_fold(item, opens=whole))
        else:
            parts.append(_line(item, _counterpart(item, previous, following)))
    if left_out:
        parts.append(tag("li", left_out, class_="fold"))
    listed = tag("ol", *parts, class_="talk", role="list", aria_label="Conversation as a diff")
    legend = "The conversation up to that point. - did not happen, + was not recorded, ! how they differ."
    return joined([tag("p", legend, class_="about"), listed]) if whole else listed


def _counterpart(line: Line, previous: Line | Folded | None, following: Line | Folded | None) -> str:
    """What stands beside it in a diff: of what did not happen what came in its place, and the other way round."""
    other, mark = (following, "+") if line.mark == "-" else (previous, "-")
    return other.text if line.mark in "-+" and isinstance(other, Line) and other.mark == mark else ""


def _line(line: Line, other: str = "") -> Markup:
    # as few elements as can be: most of a page are these
    when = tag("span", moment(line.at_ns))
    if line.mark == " ":
        return tag("li", when, tag("span", line.text))
    class_, word = _MARKS[line.mark]
    text = joined(_told_apart(line.text, other), " ")
    return tag("li", tag("b", line.mark), when, tag("span", text), tag("em", word), class_=class_)


def _told_apart(text: str, other: str) -> list[str]:
    """The words of ``text``, those marked that are not in ``other``: which byte it is, without counting."""
    said, mark, meaning = text.partition("  # ")  # what the bytes mean differs where they do, and needs no mark
    ours, theirs = said.split(" "), other.partition("  # ")[0].split(" ")
    if ours[0] != theirs[0]:  # nothing beside it, or what the other side did
        return [text]
    if len(ours) == len(theirs):
        unlike = {index for index, (one, two) in enumerate(zip(ours, theirs, strict=True)) if one != two}
    else:
        same = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
        unlike = set(range(len(ours))) - {index for block in same for index in range(block.a, block.a + block.size)}
    if len(unlike) > _UNLIKE * len(ours):
        return [text]
    return [
        *(tag("b", word) if index in unlike else word for index, word in enumerate(ours)),
        *([f" # {meaning}"] if mark else []),
    ]


def _fold(item: Folded, *, opens: bool) -> Markup:
    said = f"{many(len(item.lines), 'line')} as recorded"
    if not opens or len(item.lines) > _UNFOLDED:
        return tag("li", f"{said}, left out", class_="fold")
    lines = tag("ol", *(_line(line) for line in item.lines), role="list")
    return tag("li", tag("details", tag("summary", said), lines), class_="fold")


def _passed(outcomes: Sequence[Outcome]) -> Iterator[Markup]:
    for number, outcome in enumerate(outcomes, 1):
        inside = tag("div", _timeline(outcome, f"p{number}-time"))
        summary = tag("summary", _isolated(_title(outcome)), f", as {outcome.role}: {played(outcome)}")
        yield tag("details", summary, inside, class_="more")


# --- what was measured ------------------------------------------------------------------------------------------------


def _timing(report: Report) -> Iterator[Markup]:
    measured = report.measured
    alone = [each for each in report.compared if each.name not in measured]
    if len(alone) > _IN_SENTENCES:
        rows = [(each.name, _pill(each.verdict.value), _without_name(each)) for each in alone]
        yield table("Every measurement, worst verdict first", ("measurement", "verdict", "measured"), rows)
    else:
        for each in alone:
            yield tag("p", _pill(each.verdict.value), " ", in_words(each))
    places = _judged(report)
    for name, place in places.items():
        said = [tag("p", _pill(each.verdict.value), " ", each.text) for each in report.compared if each.name == name]
        yield _measurement(name.replace("_", " "), measured[name], said, place)
    rest = {name: each for name, each in measured.items() if name not in places}
    if rest:
        yield _only_measured(rest)


def _without_name(comparison: Comparison | Judgement) -> str:
    """What it says, where its name stands before it already."""
    words = comparison.name.replace("_", " ")
    return comparison.text.removeprefix(words).lstrip(" :")


def _judged(report: Report) -> dict[str, str]:
    """What was measured and judged, worst first, with the id of its place on the page."""
    names = dict.fromkeys(each.name for each in report.compared if each.name in report.measured)
    return {name: f"m{number}" for number, name in enumerate(names, 1)}


def _measurement(words: str, measured: Measured, said: Sequence[Markup], ident: str) -> Markup:
    """One measurement that was judged: its verdicts in words, its histogram, and the same as numbers."""
    unit, now, before = measured.unit, measured.now, measured.before
    parts = [tag("h3", words, id=ident), *said]
    if measured.odd:
        parts.append(tag("p", f"{odd(measured)}.", class_="about"))
    parts += _histogram(words, measured, f"{ident}-chart")
    rows = _rows([(word, values) for word, values in (("now", now), ("baseline", before)) if values])
    if rows:
        title = f"{words.capitalize()}{f', in {unit}' if unit else ''}"
        parts.append(table(title, ("", "samples", *_QUANTILE_NAMES), rows, numbers=1 + len(QUANTILES)))
    return tag("article", *parts, class_="card", aria_labelledby=ident)


def _only_measured(measured: Mapping[str, Measured]) -> Markup:
    """What was held against nothing: numbers alone, and the pictures for whoever wants them."""
    rows, parts, pictures = [], [], []
    for number, (name, each) in enumerate(measured.items(), 1):
        words = name.replace("_", " ")
        rows += _rows([(f"{words}, {each.unit}" if each.unit else words, each.now)])
        if each.odd:
            parts.append(tag("p", f"{words}: {odd(each)}.", class_="about"))
        pictures += [(words, picture) for picture in _histogram(words, each, f"h{number}-chart")]
    columns = ("measurement", "samples", *_QUANTILE_NAMES)
    parts.insert(0, table("Measured, and held against nothing", columns, rows, numbers=1 + len(QUANTILES)))
    for words, picture in pictures:
        parts.append(tag("details", tag("summary", f"Histogram of {words}"), tag("div", picture), class_="more"))
    return tag("div", *parts, class_="card")


def _rows(told: Sequence[tuple[str, Sequence[float]]]) -> list[list[str]]:
    """A row each: what it is, how many samples, and their quantiles."""
    found = [[quantile(values, share) or 0.0 for _, share in QUANTILES] if values else [] for _, values in told]
    texts = iter(aligned([value for values in found for value in values]))
    return [
        [word, f"{len(values):,}", *([next(texts) for _ in QUANTILES] if values else ["-"] * len(QUANTILES))]
        for word, values in told
    ]


def _histogram(words: str, measured: Measured, name: str) -> Iterator[Markup]:
    """The picture, where there are samples enough for one, and not all the same."""
    now, before = measured.now, measured.before
    if max(len(now), len(before)) < FEWEST or charts.is_one_value([*now, *before]):
        return
    keys = (("now", "now", now), ("before", "baseline", before))
    legend = [joined([tag("span", class_=f"key key-{key}"), word]) for key, word, values in keys if values]
    said = f"; share of samples by size{charts.reading(measured.unit, now, before)}"
    caption = tag("figcaption", joined(legend, ", "), said)
    yield tag("figure", charts.histogram(words, measured.unit, now, before, name), caption)


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
