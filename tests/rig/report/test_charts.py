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
    # 0 to 1.023 s on 640 px from 64 on
    assert ticks_at(app) == [round((64 + at / 1.023 * 640) * 4) / 4 for at in (0, 0.25, 0.5, 0.75, 1.0)]
    assert ticks_at(device) == [round((64 + at / 1.023 * 640) * 4) / 4 for at in (0.023, 0.273, 0.523, 0.773, 1.023)]
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
    below = [label.text for label in root if label.tag == "text" and label.get("y") == "186"]
    assert below == ["1", "2", "3 writes"]
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
