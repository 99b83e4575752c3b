"""The pictures of the page: what is drawn where."""

from __future__ import annotations

import random
import re
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.replay.outcome import Difference, Lateness, Line, Outcome, Verdict
from rig.report import charts
from rig.report.markup import Markup
from tests.rig.report.example import failed, latencies, passed

SECOND = 1_000_000_000


def drawn(picture: Markup) -> Element:
    return fromstring(re.sub(' xmlns="[^"]*"', "", picture))  # noqa: S314 - our own


def of_class(root: Element, name: str) -> list[Element]:
    return [element for element in root if element.get("class") == name]


def ticks_at(path: Element) -> list[float]:
    return [float(x) for x in re.findall(r"M([\d.]+) ", path.get("d", ""))]


def below(root: Element) -> list[str]:
    """What the ticks of the lower axis say, from left to right."""
    said = [label for label in root if label.tag == "text" and label.get("dy")]
    return [label.text or "" for label in sorted(said, key=lambda label: float(label.get("x", "")))]


def edges(root: Element) -> None:
    """Nothing is drawn beyond the picture."""
    width, height = map(float, root.get("viewBox", "").split()[2:])
    for element in root:
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(element.get(name, "0")) <= width
        for name in ("y", "y1", "y2", "cy"):
            assert 0 <= float(element.get(name, "0")) <= height
        assert "nan" not in "".join(element.attrib.values())


def test_the_timeline_has_a_tick_an_exchange_on_its_own_side_and_in_its_place() -> None:
    root = drawn(charts.timeline(passed(pairs=5), "t"))
    (app,), (device,) = of_class(root, "event"), of_class(root, "reply")
    # 0 to 1.023 s on 632 px from 72 on
    assert ticks_at(app) == [round((72 + at / 1.023 * 632) * 4) / 4 for at in (0, 0.25, 0.5, 0.75, 1.0)]
    assert ticks_at(device) == [round((72 + at / 1.023 * 632) * 4) / 4 for at in (0.023, 0.273, 0.523, 0.773, 1.023)]
    assert [label.text for label in of_class(root, "strong")] == ["app", "device"]
    assert root[0].text == "Timeline: 5 lines of the app, 5 lines of the device in 1.02 s"


def test_what_went_wrong_is_on_its_lane_and_the_differences_are_numbered() -> None:
    root = drawn(charts.timeline(failed(), "t"))
    rings, diamonds = of_class(root, "lost"), of_class(root, "added")
    assert [ring.get("cy") for ring in rings] == ["31", "75"]  # above the app's lane, above the device's
    assert len(diamonds) == 2
    assert [flag.text for flag in of_class(root, "flag")] == ["1", "2", "3"]
    first = of_class(root, "where")[0]
    assert float(first.get("x1", "")) == pytest.approx(float(rings[0].get("cx", "")), abs=0.25)
    assert (root[0].text or "").endswith("; 4 not as recorded")
    edges(root)


def test_numbers_that_would_overprint_each_other_are_left_out() -> None:
    close = [Difference("late", None, at * 1_000_000, "late") for at in (500, 501, 502, 900)]
    outcome = Outcome("central", "x", Verdict.FAILED, close, [Line(" ", SECOND, "app writes")])
    root = drawn(charts.timeline(outcome, "t"))
    assert [flag.text for flag in of_class(root, "flag")] == ["1", "4"]
    assert len(of_class(root, "where")) == 4


def test_a_decoders_events_have_a_lane_of_their_own() -> None:
    lines = [Line(" ", 0, "app writes"), Line(" ", 5, "acknowledged level=3"), Line("!", 5, "a note")]
    root = drawn(charts.timeline(Outcome("decoder", "x", Verdict.PASSED, [], lines), "t"))
    assert [label.text for label in of_class(root, "strong")] == ["app", "device", "events"]
    assert sum(len(ticks_at(path)) for path in of_class(root, "event")) == 2


def test_thousands_of_exchanges_make_a_small_picture() -> None:
    assert len(charts.timeline(passed(pairs=8_000), "t")) < 70_000


def test_the_histogram_shows_shares_and_both_medians() -> None:
    now, before = [10.0] * 30 + [30.0] * 70, [10.0] * 50 + [20.5] * 150
    root = drawn(charts.histogram("latency", "ms", now, before, "h"))
    labels = [label.text for label in root if label.tag == "text"]
    assert "baseline, median 20.5 ms" in labels
    assert "now, median 30 ms" in labels
    bars = of_class(root, "now")
    heights = [float(bar.get("height", "")) for bar in bars]
    assert len(bars) == 2
    assert heights[1] / heights[0] == pytest.approx(70 / 30, rel=0.01)
    # the tallest of all, 75 % of the baseline, fills the picture: 124 px
    assert heights[1] == pytest.approx(124 * 70 / 75, abs=0.1)
    assert root[0].text == "Histogram of latency: 100 samples now and 200 samples in the baseline"
    edges(root)


def test_counts_have_a_bar_each() -> None:
    assert charts.bins([1.0, 2.0, 1.0, 3.0]) == (0.5, 1.0, 3)
    root = drawn(charts.histogram("burst length", "writes", [1.0, 2.0, 1.0, 3.0], [], "h"))
    assert len(of_class(root, "now")) == 3
    assert not of_class(root, "before")
    assert below(root) == ["1", "2", "3 writes"]
    edges(root)


def test_a_long_tail_does_not_squeeze_the_rest_and_is_counted() -> None:
    values = [*latencies(999, 20.0, 4), 90_000.0]
    low, width, count = charts.bins(values)
    assert low + width * count < 200
    root = drawn(charts.histogram("latency", "ms", values, [], "h"))
    assert "; the last bar holds what is beyond " in (root[0].text or "")
    shares = sum(float(bar.get("height", "")) for bar in of_class(root, "now"))
    tallest = max(float(bar.get("height", "")) for bar in of_class(root, "now"))
    assert shares / tallest > 3
    edges(root)


def test_what_the_last_bar_holds_is_told_in_words() -> None:
    values = [20.0 + number % 7 for number in range(400)] + [90.0]
    assert charts.reading("ms", values, []) == "; the last bar holds what is beyond 26 ms (1 sample, up to 90 ms)"
    assert charts.reading("ms", values[:400], []) == ""


def test_samples_of_many_sizes_are_on_a_logarithmic_axis() -> None:
    values = [100.0] * 80 + [20.0] * 10 + [60_000.0] * 10
    root = drawn(charts.histogram("gap", "ms", values, [], "h"))
    assert below(root) == ["100", "1,000", "10,000 ms"]
    assert (root[0].text or "").endswith("; the axis is logarithmic")
    heights = sorted(float(bar.get("height", "")) for bar in of_class(root, "now"))
    assert heights[0] / heights[2] == pytest.approx(1 / 8, rel=0.01)
    assert heights[1] == heights[0]
    edges(root)


def test_nothing_is_on_a_logarithmic_axis_with_the_least() -> None:
    values = [0.0] * 30 + [1.0] * 50 + [1_000.0] * 20
    root = drawn(charts.histogram("jitter", "ms", values, [], "h"))
    assert min(float(bar.get("x", "")) for bar in of_class(root, "now")) == pytest.approx(73)
    edges(root)


@pytest.mark.parametrize(("values", "same"), [([5.0] * 9, True), ([5.0, 5.001], True), ([5.0, 5.1], False), ([], True)])
def test_samples_that_are_all_the_same_need_no_picture(values: list[float], same: bool) -> None:
    assert charts.is_one_value(values) is same


def test_a_closer_look_is_at_what_went_wrong_first() -> None:
    conversation = [Line("-" if number == 150 else " ", number * SECOND, "app writes") for number in range(300)]
    differences = [Difference("missing", 150, 150 * SECOND, "missing"), Difference("late", 9, 9 * SECOND, "late")]
    outcome = Outcome("central", "x", Verdict.FAILED, differences, conversation)
    window = charts.closer(outcome)
    assert window == (138 * SECOND, 162 * SECOND)
    root = drawn(charts.timeline(outcome, "t", window=window))
    (app,) = of_class(root, "event")
    assert len(ticks_at(app)) == 24
    assert [flag.text for flag in of_class(root, "flag")] == ["1"]
    assert below(root) == ["140", "145", "150", "155", "160 s"]
    assert (root[0].text or "").startswith("Timeline, from 138.000 s to 162.000 s: 25 lines of the app")
    edges(root)


def test_a_silence_before_it_makes_the_closer_look_closer_still() -> None:
    times = [number * SECOND // 10 for number in range(5)] + [
        600 * SECOND + number * SECOND // 10 for number in range(5)
    ]
    conversation = [Line("+" if at == times[-1] else " ", at, "app writes") for at in times]
    window = charts.closer(Outcome("central", "x", Verdict.FAILED, [], conversation))
    assert window == (600 * SECOND, times[-1])


def test_a_closer_look_reaches_to_where_it_was_noticed_unless_that_was_long_after() -> None:
    conversation = [Line("-" if number == 20 else " ", number * SECOND, "app writes") for number in range(21)]
    for noticed, end in ((23, 23), (900, 20)):
        differences = [Difference("missing", 20, noticed * SECOND, "missing")]
        differences.append(Difference("left over", None, 999 * SECOND, "left over"))
        outcome = Outcome("central", "x", Verdict.FAILED, differences, conversation)
        assert charts.closer(outcome) == (8 * SECOND, end * SECOND)


def test_no_closer_look_where_the_whole_shows_it_or_nothing_went_wrong() -> None:
    conversation = [Line("-" if number == 5 else " ", number * SECOND, "app writes") for number in range(12)]
    assert charts.closer(Outcome("central", "x", Verdict.FAILED, [], conversation)) is None
    assert charts.closer(passed()) is None


def test_the_time_axis_tells_close_moments_apart() -> None:
    lines = [Line(" ", 98_285_000_000, "app writes"), Line("-", 98_301_000_000, "app writes")]
    outcome = Outcome("central", "x", Verdict.FAILED, [], lines)
    root = drawn(charts.timeline(outcome, "t", window=(98_285_000_000, 98_301_000_000)))
    assert below(root) == ["98.285", "98.290", "98.295", "98.300 s"]


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40),
    st.lists(st.floats(-1e9, 1e9), max_size=40),
)
def test_any_samples_make_a_picture(now: list[float], before: list[float]) -> None:
    edges(drawn(charts.histogram("any", "ms", now, before, "h")))


@given(st.lists(st.integers(-SECOND, 100 * SECOND), min_size=1, max_size=300))
def test_any_lateness_makes_a_picture(samples: list[int]) -> None:
    edges(drawn(charts.lateness(Lateness(tuple(samples)), "l")))


def test_lateness_is_on_a_logarithmic_axis_and_keeps_every_maximum() -> None:
    chance = random.Random(5)
    samples = [chance.randint(100, 900) for _ in range(2_400)]
    samples[1_000] = 1_000_000
    root = drawn(charts.lateness(Lateness(tuple(samples)), "l"))
    labels = [label.text for label in root if label.tag == "text"]
    assert labels == ["100 ns", "1 µs", "10 µs", "100 µs", "1 ms", "first event", "event 2,400"]
    (strokes,) = of_class(root, "range")
    tops = [float(y) for y in re.findall(r"V([\d.]+)", strokes.get("d", ""))]
    assert len(tops) == 120
    assert tops[50] == 14.0  # 1 ms, the top of the axis; 20 events a stroke
    assert min(tops[:50] + tops[51:]) > 110


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0, 0.9, [0, 0.2, 0.4, 0.6, 0.8]),
        (13, 42, [15, 20, 25, 30, 35, 40]),
        (5, 5, [5]),
    ],
)
def test_axes_have_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert charts.ticks(low, high, 6) == pytest.approx(expected)
