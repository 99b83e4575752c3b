"""The report as a page: self-contained, escaped, reachable by keyboard and by ear, the same bytes every time."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from base64 import b64encode
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from rig.replay.outcome import Difference, Lateness, Line, Outcome, Verdict
from rig.report.html import page
from rig.report.model import Report
from rig.report.style import DARK, LIGHT, MOST_NUMBERS, Palette, style_sheet
from tests.rig.report.example import HOSTILE, failed, hostile, invalid, passed, rich

ROOT = Path(__file__).parents[3]
SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> Element:
    """The page as a tree: it is well-formed XML, too, so that nothing is left open or escaped by half."""
    assert text.startswith("<!DOCTYPE html>\n<html lang=")
    return fromstring(text.encode())  # noqa: S314 - our own


def words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def by_class(root: Element, name: str) -> list[Element]:
    return [element for element in root.iter() if name in (element.get("class") or "").split()]


def said(talk: Element) -> list[Element]:
    """The lines of a conversation, those in folds among them."""
    return [line for line in talk.iter("li") if line.get("class") != "fold"]


class Tags(HTMLParser):
    """What a reader of HTML, and not of XML, makes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.append(tag)


def test_the_page_needs_nothing_but_itself() -> None:
    text = page(rich())
    root = parsed(text)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    for element in root.iter():
        assert not [name for name in element.attrib if name.startswith("on") or name in {"src", "style"}]
        assert element.get("href", "#").startswith("#")
    assert not re.search(r"url\(|@import|@font-face", text)
    assert set(re.findall(r"https?://[^\"' <]*", text)) <= {"http://www.w3.org/2000/svg"}


def test_its_own_policy_lets_only_its_own_style_in() -> None:
    root = parsed(page(rich()))
    (policy,) = [each.get("content", "") for each in root.iter("meta") if "http-equiv" in each.attrib]
    (style,) = root.iter("style")
    digest = b64encode(hashlib.sha256((style.text or "").encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_whatever_a_recording_brings_is_text() -> None:
    report = Report(HOSTILE, [hostile(), passed(HOSTILE, pairs=1)])
    text = page(report)
    root = parsed(text)
    tags = Tags()
    tags.feed(text)
    assert "script" not in tags.names
    assert tags.names == [element.tag.removeprefix(SVG) for element in root.iter()]
    body = text[text.index("<body") :]
    assert body.replace("\n", "").isprintable()
    shown = r"""<script>alert('x')</script> & "quotes" \x1b[31mred\x00 \u202etxt ]]> é"""
    assert words(next(root.iter("h1"))) == shown
    assert body.count("&lt;script&gt;") >= 10


def test_titles_of_any_script_read_as_they_are_written() -> None:
    family, persian = (
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 evening",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    )
    for title in (family, persian, "夜のお手入れ"):
        root = parsed(page(Report("any", [Outcome("decoder", title, Verdict.FAILED)])))
        assert [words(each) for each in root.iter("bdi")] == [title]
    for hidden, shown in (("a\u200db", r"a\u200db"), ("\u200d", r"\u200d"), ("\u591c\u200d", "\u591c\\u200d")):
        root = parsed(page(Report("any", [Outcome("decoder", hidden, Verdict.FAILED)])))
        assert [words(each) for each in root.iter("bdi")] == [shown]


def test_headings_are_in_order_and_every_reference_has_its_place() -> None:
    root = parsed(page(rich()))
    levels = [int(element.tag[1]) for element in root.iter() if re.fullmatch("h[1-6]", element.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    wanted = {element.get("href", "#results")[1:] for element in root.iter("a")}
    wanted |= {element.get("aria-labelledby", "results") for element in root.iter()}
    assert wanted <= set(ids)
    assert [words(each) for each in root.iter("h2")] == [
        "What went wrong",
        "Replays",
        "Timing",
        "Lateness",
        "Coverage",
        "Faults",
        "As recorded",
    ]


def test_it_can_be_read_by_ear_and_by_keyboard() -> None:
    root = parsed(page(rich()))
    assert root.get("lang") == "en"
    first = next(element for element in root.iter("a"))
    assert (first.get("href"), words(first)) == ("#results", "Skip to the results")
    for svg in root.iter(f"{SVG}svg"):
        title = svg.find(f"{SVG}title")
        assert svg.get("role") == "img"
        assert title is not None
        assert title.get("id") == svg.get("aria-labelledby")
        assert title.text
    for table in root.iter("table"):
        caption = table.find("caption")
        assert caption is not None
        assert words(caption)
        assert all(row[0].tag == "th" and row[0].get("scope") == "row" for row in table.findall("tbody/tr"))
        assert all(head.get("scope") == "col" and head.text for head in table.findall("thead/tr/th"))
    scrolling = by_class(root, "scroll")
    assert len(scrolling) > 5
    assert all(each.get("tabindex") == "0" and each.get("aria-label") and each.get("role") for each in scrolling)


def test_the_failing_conversation_is_a_diff_with_marks_and_words() -> None:
    root = parsed(page(Report("any", [failed()])))
    (talk,) = by_class(root, "talk")
    told = [[words(cell) for cell in line] for line in said(talk)]
    assert [line for line in told if len(line) > 2] == [
        ["-", "5.000", "app writes without response ffe0/ffe1: 55 aa 06 14 01 00 8c # level 3", "did not happen"],
        ["+", "5.000", "app writes without response ffe0/ffe1: 55 aa 06 14 01 00 ff", "not recorded"],
        ["!", "5.000", "byte 6 is ff, recorded 8c", "how they differ"],
        ["-", "5.273", "device notifies ffe0/ffe1: 55 aa 86 15", "did not happen"],
        ["+", "6.053", "app writes without response ffe0/ffe1: 55 aa 06 00 01 # an unknown frame", "not recorded"],
    ]
    assert len(told) == len(failed().conversation)
    assert words(next(talk.iter("summary"))) == "32 lines as recorded"


def test_a_long_conversation_stays_a_page_and_says_what_is_left_out() -> None:
    conversation = [Line(" ", number, f"app writes {number}") for number in range(2_000)]
    conversation += [Line("+", 2_000 + number, f"device notifies {number}") for number in range(700)]
    differences = [Difference("extra", None, number, f"extra: {number}") for number in range(60)]
    root = parsed(page(Report("any", [Outcome("central", "long", Verdict.FAILED, differences, conversation)])))
    folds = [words(each) for each in by_class(root, "fold")]
    assert folds == ["109 lines before, which the JSON report has"]
    assert len(said(by_class(root, "talk")[0])) == 600
    assert "And 10 differences more, which the JSON report has." in [words(each) for each in root.iter("p")]
    root = parsed(page(Report("any", [Outcome("central", "long", Verdict.FAILED, [], conversation[:2_001])])))
    assert [words(each) for each in by_class(root, "fold")] == ["1,992 lines as recorded, left out"]


def test_every_replay_is_in_the_table_and_links_to_its_account() -> None:
    outcomes = [passed(f"transcript {number}", seed=number, pairs=3) for number in range(40)]
    root = parsed(page(Report("corpus", [*outcomes, failed(), invalid()])))
    (table,) = [each for each in root.iter("table") if "Every replay" in words(each)]
    rows = [[words(cell) for cell in row] for row in table.findall("tbody/tr")]
    assert len(rows) == 42
    assert rows[0][:5] == ["evening <routine> & more", "central", "failed", "50", "6 s"]
    assert rows[2][1:5] == ["peripheral", "passed", "6", "523 ms"]
    assert [link.get("href") for link in table.iter("a")] == ["#w1", "#w2"]


def test_passed_replays_are_drawn_while_they_are_few() -> None:
    for count, drawn in ((20, 20), (21, 0)):
        outcomes = [passed(f"transcript {number}", seed=number, pairs=3) for number in range(count)]
        root = parsed(page(Report("corpus", outcomes)))
        ids = [each.get("aria-labelledby") or "" for each in root.iter(f"{SVG}svg")]
        assert len([each for each in ids if re.fullmatch(r"p\d+-time-title", each)]) == drawn


def test_lateness_is_in_the_table_only_where_anything_was_late() -> None:
    on_time, late = passed("on time", pairs=3), passed("late", pairs=3)
    on_time.lateness = Lateness((0, 0, 0))
    for outcomes, columns in (([on_time], 5), ([on_time, late], 8)):
        root = parsed(page(Report("any", outcomes)))
        (table,) = [each for each in root.iter("table") if words(each).startswith("Every replay")]
        assert {len(row) for row in table.iter("tr")} == {columns}
        assert table.get("class") == f"numbers-{columns - 3}"


def test_what_went_wrong_is_listed_with_its_reason_and_a_link_timing_too() -> None:
    root = parsed(page(rich()))
    (index,) = by_class(root, "index")
    told = [(each[0].get("href"), words(each)) for each in index]
    assert told[0][0] == "#w1"
    assert told[0][1].startswith("evening <routine> & more as central: different from exchange 40, app writes")
    assert told[0][1].endswith("(and 2 differences more)")
    assert told[1] == ("#w2", "burst of losses as decoder: fault: 'cut the link' was planned, and never fired")
    assert [place for place, _ in told[2:]] == ["#m1", "#m2", "#m2"]
    assert told[2][1].startswith("command to acknowledgement timing, fail: median ")
    assert told[4][1].startswith("gap between writes timing, not enough: ")
    assert not by_class(parsed(page(Report("any", [failed()]))), "index")


def test_the_bytes_that_differ_are_marked() -> None:
    root = parsed(page(Report("any", [failed()])))
    marked = [words(each) for span in root.iter("span") for each in span.findall("b")]
    assert marked == ["8c", "ff"]


def test_lines_that_have_nothing_in_common_are_not_compared() -> None:
    lines = [Line("-", 0, "app writes ffe1: 01 02 03"), Line("+", 0, "app reads 2a19")]
    lines += [Line("-", 1, "device ends the link: 01 02"), Line("+", 1, "app ends the link: 01 02")]
    root = parsed(page(Report("any", [Outcome("central", "x", Verdict.FAILED, [], lines)])))
    assert [each for span in root.iter("span") for each in span.findall("b")] == []


def test_what_was_held_against_nothing_is_one_table() -> None:
    root = parsed(page(Report("any", [passed()])))
    (table,) = [each for each in root.iter("table") if "Measured, and held against nothing" in words(each)]
    rows = [[words(cell) for cell in row] for row in table.findall("tbody/tr")]
    assert [row[:2] for row in rows] == [["command to acknowledgement, ms", "80"], ["burst length, writes", "5"]]
    assert [words(each) for each in root.iter("summary")][:1] == ["Histogram of command to acknowledgement"]


def test_of_many_failures_each_is_told_briefly_and_says_what_is_left_out() -> None:
    chatter = [Line(" ", number, "app writes") for number in range(9)]
    wrong = [Line("+", 10 + number, f"device notifies {number:02x}") for number in range(20)]
    differences = [Difference("extra", None, 10 + number, f"extra: {number}") for number in range(5)]
    outcomes = [
        Outcome("central", f"transcript {number}", Verdict.FAILED, differences, [*chatter, *wrong])
        for number in range(13)
    ]
    root = parsed(page(Report("corpus", outcomes)))
    last = next(each for each in root.iter("article") if each.get("aria-labelledby") == "w13")
    assert [words(each) for each in last.findall("ol[1]/li")] == [f"extra: {n} noticed at 0.000 s" for n in range(3)]
    assert "And 2 differences more, which the JSON report has." in [words(each) for each in last.iter("p")]
    (talk,) = by_class(last, "talk")
    assert [words(each) for each in by_class(talk, "fold")] == [
        "7 lines as recorded, left out",
        "15 lines after, which the JSON report has",
    ]
    assert [words(each)[:1] for each in said(talk)] == ["0", "0"] + ["+"] * 5
    drawn = [each.get("aria-labelledby") or "" for each in root.iter(f"{SVG}svg")]
    assert [each for each in drawn if each.endswith("-time-title")] == [f"w{n}-time-title" for n in (1, 2, 3)]


def test_a_corpus_of_five_hundred_with_thirty_failures_opens_at_once() -> None:
    outcomes = [passed(f"corpus/{number:03}.transcript", seed=number, pairs=20) for number in range(470)]
    outcomes += [failed(f"corpus/{number:03}.transcript", pairs=30) for number in range(470, 500)]
    for outcome in outcomes:
        outcome.lateness = Lateness((0,) * outcome.exchanges)  # as in virtual time
    text = page(Report("corpus", outcomes))
    assert len(text.encode()) < 150_000
    assert len(by_class(parsed(text), "index")[0]) == 30


def test_of_very_many_failures_the_table_has_all_and_the_first_have_an_account() -> None:
    root = parsed(page(Report("corpus", [failed(f"transcript {number:03}", pairs=30) for number in range(70)])))
    assert len([each for each in root.iter("article") if (each.get("aria-labelledby") or "").startswith("w")]) == 50
    (table,) = [each for each in root.iter("table") if "Every replay" in words(each)]
    assert len(table.findall("tbody/tr")) == 70
    assert len(list(table.iter("a"))) == 50
    assert "And 20 replays more, which the JSON and JUnit reports have in full." in [words(p) for p in root.iter("p")]


def test_timing_says_verdicts_in_words_with_a_picture_and_the_numbers() -> None:
    root = parsed(page(rich()))
    card = next(each for each in root.iter("article") if each.get("aria-labelledby") == "m1")
    assert words(card).startswith("command to acknowledgementfail median ")
    title = card.find(f".//{SVG}title")
    assert title is not None
    assert (title.text or "").startswith("Histogram of command to acknowledgement: 200 samples now and 200 samples in")
    rows = [[words(cell) for cell in row][:2] for row in card.findall(".//tbody/tr")]
    assert rows == [["now", "200"], ["baseline", "200"]]


def test_measurements_without_any_sample_are_still_told() -> None:
    from rig.timing.baseline import Baseline, compare  # noqa: PLC0415 - of this test alone

    nothing = compare(Baseline.of({"burst_length": []}), {"burst_length": []})
    judged = Report("any", [], nothing)
    assert parsed(page(judged)) is not None
    missing = compare(Baseline.of({"burst_length": [1.0] * 20}), {})
    root = parsed(page(Report("any", [], missing)))
    assert "not enough" in words(root)
    assert "not measured this time; the baseline has 20 samples" in words(root)


def test_samples_that_are_no_numbers_are_left_out_and_counted() -> None:
    root = parsed(page(Report("any", [hostile()])))
    left_out = r"""<script>alert('x')</script> & "quotes" \x1b[31mred\x00 \u202etxt ]]> é: """
    assert f"{left_out}2 samples without a finite value left out." in [words(each) for each in root.iter("p")]
    outcome = passed(pairs=1)
    outcome.samples = {"burst_length": [float("nan")] * 9}
    text = words(parsed(page(Report("any", [outcome]))))
    assert "9 samples without a finite value left out." in text
    assert "Histogram" not in text


def test_coverage_and_faults_say_what_was_never_reached_and_never_fired() -> None:
    root = parsed(page(rich()))
    rows = {words(row[0]): words(row[1]) for row in root.iter("tr") if len(row) == 2}
    assert rows["running"] == "28"
    assert rows["water_low"] == rows["pause"] == "never"
    assert rows["cut the link"] == "never fired"
    assert rows["drop notification 3"] == "fired 4 times"


def test_virtual_time_says_that_nothing_was_late() -> None:
    outcome = passed(pairs=4)
    exact = Outcome("peripheral", "exact", Verdict.PASSED, lateness=type(outcome.lateness)((0, 0, 0)))
    text = words(parsed(page(Report("any", [exact]))))
    assert "Every event came exactly when it was due" in text
    early = Outcome("peripheral", "early", Verdict.PASSED, lateness=type(outcome.lateness)((-5_000, 0, 2_000)))
    assert "1 event came before it was due." in words(parsed(page(Report("any", [early]))))


def test_the_same_report_gives_the_same_bytes_in_any_order_and_process() -> None:
    report = rich()
    backwards = Report(report.title, list(reversed(report.outcomes)), list(reversed(report.comparisons)))
    assert page(report) == page(backwards)
    program = "from tests.rig.report.example import rich; from rig.report.html import page; print(page(rich()), end='')"
    told = []
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        run = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, check=True, cwd=ROOT
        )
        told.append(run.stdout)
    assert told[0] == told[1] == page(report).encode()


def test_an_empty_report_is_a_page() -> None:
    assert "Nothing was replayed" in words(parsed(page(Report("any"))))


# --- colours ----------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_the_guidelines_have_it() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_has_contrast_on_whatever_is_behind_it(palette: Palette) -> None:
    behind = {"paper": palette.paper, "sheet": palette.sheet}
    washes = {"accent": palette.accent_wash, "bad": palette.bad_wash, "doubt": palette.doubt_wash}
    ratios = {f"ink on {name}": (contrast(palette.ink, colour), 7.0) for name, colour in behind.items()}
    ratios |= {f"ink on {name} wash": (contrast(palette.ink, colour), 7.0) for name, colour in washes.items()}
    for name in ("quiet", "accent", "bad", "doubt"):
        ours = getattr(palette, name)
        ratios |= {f"{name} on {back}": (contrast(ours, colour), 4.5) for back, colour in behind.items()}
    for name, colour in washes.items():
        ratios[f"{name} on its wash"] = (contrast(getattr(palette, name), colour), 4.5)
    # times stand in quiet on the washes of a diff's lines, and marked words in their colour
    ratios |= {f"quiet on {name} wash": (contrast(palette.quiet, colour), 4.5) for name, colour in washes.items()}
    assert {name: ratio for name, (ratio, least) in ratios.items() if ratio < least} == {}


def test_light_is_the_default_and_dark_is_for_screens_that_ask() -> None:
    sheet = style_sheet()
    assert sheet.index(f"--paper: {LIGHT.paper}") < sheet.index("@media screen and (prefers-color-scheme: dark)")
    assert sheet.index("@media screen and (prefers-color-scheme: dark)") < sheet.index(f"--paper: {DARK.paper}")
    used = set(re.findall(r"var\(--([a-z_]+)\)", sheet))
    assert used <= {*Palette._fields, "font", "mono"}
    assert used >= set(Palette._fields)
    assert sheet.count("text-align: right; white-space: nowrap") >= MOST_NUMBERS
    assert sheet.count("{") == sheet.count("}")
    assert not re.search(r"[<&]", sheet)


def test_every_class_of_the_page_is_in_the_style_sheet() -> None:
    sheet = style_sheet()
    root = parsed(page(Report("all", [*rich().outcomes, hostile()], rich().comparisons)))
    used = {name for element in root.iter() for name in (element.get("class") or "").split()}
    assert {name for name in used if f".{name}" not in sheet} == set()
