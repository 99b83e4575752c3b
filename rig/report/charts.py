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
from rig.report.model import figures, many, moment, quantile, span

_WIDTH: Final = 720.0
_LEFT: Final = 72.0
_RIGHT: Final = 704.0
_TICK: Final = 7.0  # half the height of one exchange's tick
_FINE: Final = 4  # places a pixel that are told apart: finer ones would make long replays large pages
_FLAGS: Final = 9  # differences that are numbered in the picture
_CLOSE: Final = 12  # lines on either side of what went wrong that a closer look shows
_CLOSE_SHARE: Final = 0.1  # of the whole: of what takes up more of it a closer look would show nothing new
_MIN_BINS: Final = 8
_MAX_BINS: Final = 36
_SHOWN_SHARE: Final = 0.995  # of all samples; a histogram with its longest tail is one bar and a desert
_WIDE: Final = 30.0  # 95 % of a distribution reach to so many times its median: its axis is logarithmic
_DECADES_BELOW: Final = 3  # the median, of a logarithmic axis: what is less is nothing
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


def _below(x: float, y: float, said: str, *, anchor: str = "middle", class_: str | None = None) -> Markup:
    """Under the axis at ``y``, in any size of letters: on narrow screens they are twice as large in the picture."""
    return tag("text", said, x=x, y=y + 5, dy="1em", text_anchor=anchor, class_=class_)


def _marks(found: Sequence[tuple[float, str]], y: float) -> list[Markup]:
    """An axis' ticks and what they say, never cut off at the edge; every second goes where there is no room for all."""
    parts = []
    for number, (x, said) in enumerate(reversed(found)):
        spare = "spare" if number % 2 else None
        parts.append(_stroke(x, y, x, y + 4, "axis"))
        half = 4.0 * len(said)  # of its width, at some 7 px a letter
        if x + half > _WIDTH:
            parts.append(_below(_WIDTH - 2, y, said, anchor="end", class_=spare))
        elif x - 2 * half < _LEFT - 8:  # in large letters it would run into what the other axis says
            parts.append(_below(x - 4, y, said, anchor="start", class_=spare))
        else:
            parts.append(_below(x, y, said, class_=spare))
    return parts


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


def timeline(outcome: Outcome, name: str, *, window: tuple[int, int] | None = None) -> Markup:
    """Both sides of the conversation over time, what did not happen, what was not recorded, and each difference.

    ``name`` tells this picture's ids apart from others on the page. ``window`` is the piece of it to draw, from and to
    in nanoseconds of replay time; None: all.
    """
    whole = extent(outcome)
    start, end = window or whole
    drawn = [line for line in outcome.conversation if line.mark != "!" and start <= line.at_ns <= end]
    lanes = [lane for lane in (*_LANES, "event") if lane in _LANES or any(side(line) == lane for line in drawn)]
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
    parts += _flags(outcome, (start, end), bottom, x_of)
    told = [f"{many(sum(side(line) == lane for line in drawn), 'line')} of the {lane}" for lane in lanes]
    wrong = sum(line.mark != " " for line in drawn)
    after = f"; {wrong:,} not as recorded" if wrong else ""
    part = "" if window is None else f", from {moment(start)} s to {moment(end)} s"
    title = f"Timeline{part}: {', '.join(told)} in {span(float(end - start))}{after}"
    return _svg(name, title, bottom + 26, *parts)


def extent(outcome: Outcome) -> tuple[int, int]:
    """From when to when the conversation and its differences are, in nanoseconds; never empty."""
    times = [line.at_ns for line in outcome.conversation] + [each.at_ns for each in outcome.differences]
    return min([0, *times]), max([1, *times])


def closer(outcome: Outcome) -> tuple[int, int] | None:
    """The piece of the conversation around what first went wrong; None where the whole picture shows it well enough."""
    lines = outcome.conversation
    first = next((index for index, line in enumerate(lines) if line.mark != " "), None)
    if first is None:
        return None
    last = max(index for index in range(first, min(first + _CLOSE, len(lines))) if lines[index].mark != " ")
    whole = extent(outcome)
    noticed = next((each.at_ns for each in outcome.differences if each.at_ns >= lines[first].at_ns), 0)
    for around in range(_CLOSE, 1, -1):  # a long silence before it would make the piece nearly the whole
        start, end = lines[max(0, first - around)].at_ns, lines[min(len(lines) - 1, last + around)].at_ns
        for until in (max(end, noticed), end):  # what did not come may be noticed long after
            if 0 < until - start < _CLOSE_SHARE * (whole[1] - whole[0]):
                return start, until
    return None


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


def _flags(outcome: Outcome, shown: tuple[int, int], bottom: float, x_of: Callable[[float], float]) -> list[Markup]:
    """A numbered line at each difference; those that would overprint another's number are lines alone."""
    parts: list[Markup] = []
    last = -math.inf
    for number, difference in enumerate(outcome.differences[:_FLAGS], 1):
        if not shown[0] <= difference.at_ns <= shown[1]:
            continue
        x = x_of(difference.at_ns)
        parts.append(_stroke(x, 18, x, bottom, "where"))
        if abs(x - last) >= 12:
            parts.append(_label(x, 13, str(number), class_="flag"))
            last = x
    return parts


def _time_axis(start_s: float, end_s: float, y: float, x_of: Callable[[float], float]) -> list[Markup]:
    unit, factor = ("s", 1.0) if end_s >= 1 else ("ms", 1e3)
    places = ticks(start_s * factor, end_s * factor, 6)
    apart = places[1] - places[0] if len(places) > 1 else 1.0
    decimals = max(0, -math.floor(math.log10(apart) + 1e-9))
    marks = [(x_of(at / factor * 1e9), f"{at:,.{decimals}f}") for at in places]
    marks = [(x, f"{said} {unit}" if number == len(marks) - 1 else said) for number, (x, said) in enumerate(marks)]
    return [_stroke(_LEFT, y, _RIGHT, y, "axis"), *_marks(marks, y)]


# --- how latencies are spread -----------------------------------------------------------------------------------------


def histogram(title: str, unit: str, now: Sequence[float], before: Sequence[float], name: str) -> Markup:
    """Share of samples by size: now as bars, the baseline as an outline, both medians as lines.

    All samples are finite. Either may be empty, but not both. Samples beyond the longest shown are in the last bar. The
    axis is logarithmic where :func:`is_wide` says so.
    """
    wide = is_wide([*now, *before])
    least = _least([*now, *before]) if wide else 0.0

    def place(value: float) -> float:
        return math.log10(max(value, least)) if wide else value

    low, width, count = bins([place(value) for value in (*now, *before)], counts=not wide, whole=wide)
    high = low + width * count
    bottom, top = 182.0, 58.0
    shares = [_shares([place(value) for value in values], low, width, count) for values in (now, before)]
    tallest = max(max(each, default=0.0) for each in shares) or 1.0
    bar = (_RIGHT - _LEFT) / count

    def x_of(value: float) -> float:
        return _LEFT + (min(max(place(value), low), high) - low) / (high - low) * (_RIGHT - _LEFT)

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
    marks = _powers(low, high) if wide else ticks(low, high, 6)
    if not wide and width == 1.0 and low % 1 == 0.5:  # counts
        marks = [at for at in marks if at == int(at)]
    last = f" {unit}" if unit else ""
    parts += _marks(
        [(x_of(at), figures(at) + (last if number == len(marks) - 1 else "")) for number, at in enumerate(marks)],
        bottom,
    )
    middles = (("baseline", before, 18.0, "before-line", "strong"), ("now", now, 46.0, "now-line", "now-text"))
    for word, values, y, line_class, text_class in middles:
        if values:
            middle = median(values)  # as the comparison's sentence has it
            x = x_of(middle)
            left = x < (_LEFT + _RIGHT) / 2
            said = f"{word}, median {figures(middle)}{f' {unit}' if unit else ''}"
            parts += [_stroke(x, y - 10, x, bottom, class_) for class_ in ("halo", line_class)]
            anchor = "start" if left else "end"
            parts.append(_label(x + (6 if left else -6), y, said, anchor=anchor, class_=text_class))
    told = [
        f"{many(len(values), 'sample')} {word}"
        for values, word in ((now, "now"), (before, "in the baseline"))
        if values
    ]
    return _svg(name, f"Histogram of {title}: {' and '.join(told)}{reading(unit, now, before)}", bottom + 28, *parts)


def reading(unit: str, now: Sequence[float], before: Sequence[float]) -> str:
    """A clause on what the eye would miss in a histogram: a logarithmic axis, and what the last bar holds."""
    values = [*now, *before]
    if is_wide(values):
        return "; the axis is logarithmic"
    low, width, count = bins(values)
    high = low + width * count
    if max(values) <= high:
        return ""
    beyond = sum(value > high for value in values)
    return f"; the last bar holds what is beyond {figures(high)} {unit}".rstrip() + (
        f" ({many(beyond, 'sample')}, up to {figures(max(values))} {unit}".rstrip() + ")"
    )


def is_wide(values: Sequence[float]) -> bool:
    """Whether samples are spread so far that on an even axis all but the largest would be one bar."""
    middle = quantile(values, 0.5) or 0.0
    return middle > 0 and min(values) >= 0 and (quantile(values, 0.95) or 0.0) > _WIDE * middle


def is_one_value(values: Sequence[float]) -> bool:
    """Whether there is nothing to draw: all samples are the same to three figures."""
    return not values or figures(min(values)) == figures(max(values))


def _least(values: Sequence[float]) -> float:
    """Where a logarithmic axis begins."""
    smallest = min((value for value in values if value > 0), default=1.0)
    return max(smallest, (quantile(values, 0.5) or 1.0) / 10**_DECADES_BELOW)


def _powers(low: float, high: float) -> list[float]:
    """The powers of ten on a logarithmic axis from ``low`` to ``high``, which are logarithms."""
    found = [10.0**power for power in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)]
    apart = math.ceil(len(found) / 7) or 1
    return found[::apart]


def bins(values: Sequence[float], *, counts: bool = True, whole: bool = False) -> tuple[float, float, int]:
    """Where the bins begin, how wide each is, and how many: Freedman and Diaconis' rule within bounds.

    ``values`` may not be empty. Fewer than 0.5 % of them are beyond the last bin, with ``whole`` none. With ``counts``
    whole numbers have a bin each where there are few different ones.
    """
    if counts and all(value == int(value) for value in values) and max(values) - min(values) < _MAX_BINS:
        return min(values) - 0.5, 1.0, int(max(values) - min(values)) + 1
    low, high = min(values), max(values) if whole else quantile(values, _SHOWN_SHARE) or 0.0
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
        spare = "spare" if (highest - power) % 2 else None
        parts.append(_label(_LEFT - 8, y + 4, span(10.0**power), anchor="end", class_=spare))
    ranges, middles = "", ""
    for index, bucket in enumerate(buckets):
        x, middle = _LEFT + (index + 0.5) * step, quantile(bucket, 0.5) or 0.0
        ranges += f"M{x:.1f} {y_of(middle):.1f}V{y_of(max(bucket)):.1f}"
        middles += f"{'L' if index else 'M'}{x:.1f} {y_of(middle):.1f}"
    parts.append(tag("path", d=ranges, class_="range"))
    parts.append(tag("path", d=middles, class_="now-line"))
    parts.append(_stroke(_LEFT, bottom, _RIGHT, bottom, "axis"))
    parts.append(_below(_LEFT, bottom, "first event", anchor="start"))
    parts.append(_below(_RIGHT, bottom, f"event {len(samples):,}", anchor="end"))
    return _svg(name, f"Lateness of {many(len(samples), 'event')} in order", bottom + 26, *parts)
