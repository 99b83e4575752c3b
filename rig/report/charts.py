"""The pictures of the page, as SVG: who did what when, how latencies are spread, how late events were.

Every picture has a title that says in words what it shows. Colours are classes of :mod:`rig.report.style`. Refuses to
know the page around them, and needs no library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import Final

from rig.replay.outcome import Lateness, Line, Outcome
from rig.report.markup import Markup, tag
from rig.report.model import figures, many, quantile, span

_WIDTH: Final = 720.0
_LEFT: Final = 64.0
_RIGHT: Final = 704.0
_TICK: Final = 7.0  # half the height of one exchange's tick
_FINE: Final = 4  # places a pixel that are told apart: finer ones would make long replays large pages
_FLAGS: Final = 9  # differences that are numbered in the picture
_MIN_BINS: Final = 8
_MAX_BINS: Final = 36
_SHOWN_SHARE: Final = 0.995  # of all samples; a histogram with its longest tail is one bar and a desert
_BUCKETS: Final = 120
_LEAST_NS: Final = 100.0  # where the logarithmic axis of lateness begins: the clock reads no finer


def _svg(name: str, title: str, height: float, *parts: Markup) -> Markup:
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH:.0f} {height:.0f}",
        role="img",
        aria_labelledby=f"{name}-title",
    )


def _label(x: float, y: float, said: str, *, anchor: str = "middle", class_: str | None = None) -> Markup:
    return tag("text", said, x=x, y=y, text_anchor=anchor, class_=class_)


def _mark(x: float, y: float, said: str) -> Markup:
    """What a tick of the axis says: below it, but never cut off at the edge."""
    room = _WIDTH - x >= 4.0 * len(said)  # half its width, at some 7 px a letter
    return _label(x, y, said) if room else _label(_WIDTH - 2, y, said, anchor="end")


def _stroke(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) from ``low`` to ``high``, roughly ``about`` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


# --- who did what when ------------------------------------------------------------------------------------------------

_LANES: Final = ("app", "device")


def side(line: Line) -> str:
    """Who did it, by the first word of the line; ``event`` for what neither side did, such as a decoder's events."""
    first = line.text.split(" ", 1)[0]
    return first if first in _LANES else "event"


def timeline(outcome: Outcome, name: str) -> Markup:
    """Both sides of the conversation over time, what did not happen, what was not recorded, and each difference.

    ``name`` tells this picture's ids apart from others on the page.
    """
    drawn = [line for line in outcome.conversation if line.mark != "!"]
    lanes = [lane for lane in (*_LANES, "event") if lane in _LANES or any(side(line) == lane for line in drawn)]
    end = max([line.at_ns for line in outcome.conversation] + [each.at_ns for each in outcome.differences] + [1])
    start = min([line.at_ns for line in outcome.conversation] + [0])
    scale = (_RIGHT - _LEFT) / (end - start)

    def x_of(at_ns: float) -> float:
        return _LEFT + (at_ns - start) * scale

    top, apart = 40.0, 44.0
    bottom = top + apart * len(lanes) - 8.0
    parts = []
    for number, lane in enumerate(lanes):
        y = top + apart * number
        parts.append(_label(_LEFT - 12, y + 4, "events" if lane == "event" else lane, anchor="end", class_="strong"))
        parts.append(_stroke(_LEFT, y, _RIGHT, y, "lane"))
        parts += _lane(
            [line for line in drawn if side(line) == lane], y, "reply" if lane == "device" else "event", x_of
        )
    parts += _time_axis(start / 1e9, end / 1e9, bottom, x_of)
    parts += _flags(outcome, bottom, x_of)
    told = [f"{many(sum(side(line) == lane for line in drawn), 'line')} of the {lane}" for lane in lanes]
    wrong = sum(line.mark != " " for line in drawn)
    after = f"; {wrong:,} not as recorded" if wrong else ""
    title = f"Timeline: {', '.join(told)} in {span(float(end - start))}{after}"
    return _svg(name, title, bottom + 26, *parts)


def _lane(lines: Sequence[Line], y: float, class_: str, x_of: Callable[[float], float]) -> list[Markup]:
    """One side's exchanges as ticks; those at the same quarter of a pixel are one.

    What did not happen is above the lane and what was not recorded below: a changed value is both at once.
    """
    places = sorted({round(x_of(line.at_ns) * _FINE) / _FINE for line in lines if line.mark == " "})
    parts = []
    if places:
        path = "".join(f"M{x:g} {y - _TICK:.0f}v{2 * _TICK:.0f}" for x in places)
        parts.append(tag("path", d=path, class_=class_))
    lost = sorted({round(x_of(line.at_ns) * _FINE) / _FINE for line in lines if line.mark == "-"})
    parts.extend(tag("circle", cx=x, cy=y - 9, r=5, class_="lost") for x in lost)
    added = sorted({round(x_of(line.at_ns) * _FINE) / _FINE for line in lines if line.mark == "+"})
    parts.extend(tag("path", d=f"M{x:g} {y + 3:.0f}l6 6l-6 6l-6 -6z", class_="added") for x in added)
    return parts


def _flags(outcome: Outcome, bottom: float, x_of: Callable[[float], float]) -> list[Markup]:
    """A numbered line at each difference; those that would overprint another's number are lines alone."""
    parts: list[Markup] = []
    last = -math.inf
    for number, difference in enumerate(outcome.differences[:_FLAGS], 1):
        x = x_of(difference.at_ns)
        parts.append(_stroke(x, 18, x, bottom, "where"))
        if abs(x - last) >= 12:
            parts.append(_label(x, 13, str(number), class_="flag"))
            last = x
    return parts


def _time_axis(start_s: float, end_s: float, y: float, x_of: Callable[[float], float]) -> list[Markup]:
    parts = [_stroke(_LEFT, y, _RIGHT, y, "axis")]
    unit, factor = ("s", 1.0) if end_s - start_s >= 1 else ("ms", 1e3)
    marks = ticks(start_s * factor, end_s * factor, 6)
    for number, at in enumerate(marks):
        x = x_of(at / factor * 1e9)
        parts.append(_stroke(x, y, x, y + 4, "axis"))
        parts.append(_mark(x, y + 18, figures(at) + (f" {unit}" if number == len(marks) - 1 else "")))
    return parts


# --- how latencies are spread -----------------------------------------------------------------------------------------


def histogram(title: str, unit: str, now: Sequence[float], before: Sequence[float], name: str) -> Markup:
    """Share of samples by size: now as bars, the baseline as an outline, both medians as lines.

    All samples are finite. Either may be empty, but not both. Samples beyond the longest shown are in the last bar.
    """
    low, width, count = bins([*now, *before])
    high = low + width * count
    bottom, top = 168.0, 44.0
    shares = [_shares(values, low, width, count) for values in (now, before)]
    tallest = max(max(each, default=0.0) for each in shares) or 1.0
    bar = (_RIGHT - _LEFT) / count

    def x_of(value: float) -> float:
        return _LEFT + (min(value, high) - low) / (high - low) * (_RIGHT - _LEFT)

    def y_of(share: float) -> float:
        return bottom - share / tallest * (bottom - top)

    parts = []
    for share in ticks(0, tallest * 100, 3):
        y = y_of(share / 100)
        parts.append(_stroke(_LEFT, y, _RIGHT, y, "grid"))
        parts.append(_label(_LEFT - 8, y + 4, f"{figures(share)} %", anchor="end"))
    for index, share in enumerate(shares[0]):
        if share:
            y = y_of(share)
            parts.append(tag("rect", x=_LEFT + index * bar + 1, y=y, width=bar - 2, height=bottom - y, class_="now"))
    if before:
        steps = "".join(f"V{y_of(share):.1f}h{bar:.2f}" for share in shares[1])
        outline = f"M{_LEFT:.1f} {bottom:.1f}{steps}V{bottom:.1f}"
        parts += [tag("path", d=outline, class_=class_) for class_ in ("halo", "before")]
    parts.append(_stroke(_LEFT, bottom, _RIGHT, bottom, "axis"))
    counts = width == 1.0 and low % 1 == 0.5
    marks = [at for at in ticks(low, high, 6) if not counts or at == int(at)]
    for number, at in enumerate(marks):
        last = f" {unit}" if number == len(marks) - 1 and unit else ""
        parts.append(_stroke(x_of(at), bottom, x_of(at), bottom + 4, "axis"))
        parts.append(_mark(x_of(at), bottom + 18, figures(at) + last))
    middles = (("baseline", before, 14.0, "before-line", "strong"), ("now", now, 32.0, "now-line", "now-text"))
    for word, values, y, line_class, text_class in middles:
        if values:
            middle = median(values)  # as the comparison's sentence has it
            x = x_of(middle)
            left = x < (_LEFT + _RIGHT) / 2
            said = f"{word}, median {figures(middle)}{f' {unit}' if unit else ''}"
            parts += [_stroke(x, y - 10, x, bottom, class_) for class_ in ("halo", line_class)]
            anchor = "start" if left else "end"
            parts.append(_label(x + (6 if left else -6), y, said, anchor=anchor, class_=text_class))
    beyond = f"; the last bar holds what is beyond {figures(high)} {unit}" if max([*now, *before]) > high else ""
    told = [
        f"{many(len(values), 'sample')} {word}"
        for values, word in ((now, "now"), (before, "in the baseline"))
        if values
    ]
    return _svg(name, f"Histogram of {title}: {' and '.join(told)}{beyond}", bottom + 28, *parts)


def bins(values: Sequence[float]) -> tuple[float, float, int]:
    """Where the bins begin, how wide each is, and how many: Freedman and Diaconis' rule within bounds.

    ``values`` may not be empty. Fewer than 0.5 % of them are beyond the last bin. Counts have a bin each where there
    are few different ones.
    """
    if all(value == int(value) for value in values) and max(values) - min(values) < _MAX_BINS:
        return min(values) - 0.5, 1.0, int(max(values) - min(values)) + 1
    low, high = min(values), quantile(values, _SHOWN_SHARE) or 0.0
    if not high > low:
        room = abs(low) * 0.05 or 0.5
        return low - room, 2 * room / _MIN_BINS, _MIN_BINS
    spread = (quantile(values, 0.75) or 0.0) - (quantile(values, 0.25) or 0.0)
    ideal = 2 * spread / len(values) ** (1 / 3)
    count = min(max(math.ceil((high - low) / ideal) if ideal > 0 else _MAX_BINS, _MIN_BINS), _MAX_BINS)
    return low, (high - low) / count, count


def _shares(values: Sequence[float], low: float, width: float, count: int) -> list[float]:
    tally = [0] * count
    for value in values:
        tally[min(max(int((value - low) / width), 0), count - 1)] += 1
    return [each / len(values) for each in tally] if values else []


# --- how late events were ---------------------------------------------------------------------------------------------


def lateness(late: Lateness, name: str) -> Markup:
    """Lateness in the order of events, from the median to the maximum of each stretch, on a logarithmic axis.

    At least one sample. A drift over a long replay shows as a slope.
    """
    samples = late.samples_ns
    count = min(len(samples), _BUCKETS)
    edges = [len(samples) * index // count for index in range(count + 1)]
    buckets = [samples[start:end] for start, end in pairwise(edges)]
    highest = math.ceil(math.log10(max(max(samples) * 1.0, _LEAST_NS * 10)) - 1e-9)
    lowest = math.log10(_LEAST_NS)
    bottom, top = 148.0, 14.0
    step = (_RIGHT - _LEFT) / count

    def y_of(value_ns: float) -> float:
        return bottom - (math.log10(max(value_ns, _LEAST_NS)) - lowest) / (highest - lowest) * (bottom - top)

    parts = []
    for power in range(round(lowest), highest + 1):
        y = y_of(10.0**power)
        parts.append(_stroke(_LEFT, y, _RIGHT, y, "grid"))
        parts.append(_label(_LEFT - 8, y + 4, span(10.0**power), anchor="end"))
    ranges, middles = "", ""
    for index, bucket in enumerate(buckets):
        x, middle = _LEFT + (index + 0.5) * step, quantile(bucket, 0.5) or 0.0
        ranges += f"M{x:.1f} {y_of(middle):.1f}V{y_of(max(bucket)):.1f}"
        middles += f"{'L' if index else 'M'}{x:.1f} {y_of(middle):.1f}"
    parts.append(tag("path", d=ranges, class_="range"))
    parts.append(tag("path", d=middles, class_="now-line"))
    parts.append(_stroke(_LEFT, bottom, _RIGHT, bottom, "axis"))
    parts.append(_label(_LEFT, bottom + 18, "first event", anchor="start"))
    parts.append(_label(_RIGHT, bottom + 18, f"event {len(samples):,}", anchor="end"))
    return _svg(name, f"Lateness of {many(len(samples), 'event')} in order", bottom + 26, *parts)
