"""What is measured of a conversation: names, units, limits and how the samples are taken from its times.

In the manner of OpenHTF: a measurement is declared once, with name, unit, limit and doc, and gives one of three
verdicts. Knows exchanges, and what a protocol's listener makes of them. Refuses to know distributions: those are for
:mod:`rig.timing.baseline`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from rig.replay.exchanges import Exchange, Transcript
from rig.replay.outcome import Outcome

if TYPE_CHECKING:
    from protocols.listening import Listener
    from protocols.registry import Registry
    from rig.capture.handle_map import HandleMap

Worse = Literal["higher", "lower", "either"]


class TimingVerdict(StrEnum):
    """What a measurement says, against its limit or against a baseline."""

    PASS = "pass"  # noqa: S105 - no password
    MARGINAL = "marginal"
    FAIL = "fail"
    NOT_ENOUGH = "not enough"
    """There are too few samples to say. Never a pass."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of holding samples against a limit."""

    name: str
    verdict: TimingVerdict
    value: float | None
    """The sample that decides, in the measurement's unit; None without samples."""
    text: str
    """One sentence for people."""
    unit: str = ""
    """Of the value and the limits."""
    at_most: float | None = None
    at_least: float | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """One thing that is measured: what it is called, what it means, and which values are right.

    Raises:
        ValueError: the limits contradict each other, or a share is not one.
    """

    name: str
    unit: str
    """``ms``, ``µs`` … as it is printed behind a number; empty for a plain count."""
    doc: str
    """What exactly is measured, from which moment to which."""
    at_most: float | None = None
    at_least: float | None = None
    marginal: float = 0.0
    """How wide the strip inside a limit is in which a value passes narrowly, as a share of the limit: with 0.1 and at
    most 50 ms, from 45 ms on."""
    share: float = 1.0
    """How many of the samples have to keep the limit: 1 for every one, 0.99 where one in a hundred may break it."""
    worse: Worse = "either"
    """Which change against a baseline is one for the worse. A change for the better never fails."""
    smallest_change: float = 0.0
    """In the unit: a change that is smaller means nothing, whatever the statistics say of it."""
    more: str = "higher"
    """The word for a change upwards: ``slower``, ``longer``."""
    less: str = "lower"
    """The word for a change downwards."""

    def __post_init__(self) -> None:
        if self.at_most is not None and self.at_least is not None and self.at_most < self.at_least:
            raise ValueError(f"{self.name}: at most {self.at_most:g} and at least {self.at_least:g} leave no value")
        if not 0 < self.share <= 1:
            raise ValueError(f"{self.name}: share is {self.share:g}; it has to be above 0, and 1 at most")
        if not 0 <= self.marginal < 1:
            raise ValueError(f"{self.name}: marginal is {self.marginal:g}; it has to be at least 0 and below 1")

    def with_limits(
        self,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        marginal: float = 0.0,
        share: float = 1.0,
    ) -> Measurement:
        """The same measurement with these limits, and no others.

        Raises:
            ValueError: as the class.
        """
        return replace(self, at_most=at_most, at_least=at_least, marginal=marginal, share=share)

    def judge(self, samples: Sequence[float]) -> Judgement | None:
        """Hold samples (in the unit) against the limits; None for a measurement that has none.

        The sample that decides is the worst one that counts: with ``share`` 0.99 the smallest value that 99 % do not
        exceed (nearest rank), for a lower limit the mirror image.
        """
        if self.at_most is None and self.at_least is None:
            return None
        if not samples:
            return self._judgement(TimingVerdict.NOT_ENOUGH, None, f"{self.words}: nothing was measured")
        ordered = sorted(samples)
        place = max(0, math.ceil(self.share * len(ordered)) - 1)
        found: list[Judgement] = []
        if self.at_most is not None:
            found.append(self._against(ordered[place], self.at_most, sign=1, samples=ordered))
        if self.at_least is not None:
            found.append(self._against(ordered[-1 - place], self.at_least, sign=-1, samples=ordered))
        severity = list(TimingVerdict)
        return max(found, key=lambda judgement: severity.index(judgement.verdict))

    @property
    def words(self) -> str:
        """The name for people."""
        return self.name.replace("_", " ")

    def _against(self, value: float, limit: float, *, sign: int, samples: Sequence[float]) -> Judgement:
        rule = f"{'at most' if sign > 0 else 'at least'} {with_unit(limit, self.unit)}"
        which = "highest" if sign > 0 else "lowest"
        if self.share < 1:
            rule += f" for {self.share * 100:g} % of them"
            which = f"{which} of these"
        said = f"{self.words} {with_unit(value, self.unit)} ({which} of {len(samples)}), {rule}"
        if sign * value > sign * limit:
            broken = sum(sign * sample > sign * limit for sample in samples)
            times = "once" if broken == 1 else f"{broken:,} times"
            return self._judgement(TimingVerdict.FAIL, value, f"{said}: broken {times}")
        if sign * value > sign * limit - self.marginal * abs(limit):
            return self._judgement(TimingVerdict.MARGINAL, value, f"{said}: narrowly kept")
        return self._judgement(TimingVerdict.PASS, value, f"{said}: kept")

    def _judgement(self, verdict: TimingVerdict, value: float | None, text: str) -> Judgement:
        return Judgement(self.name, verdict, value, text, self.unit, self.at_most, self.at_least)


BURST_GAP_S: Final = 0.1
"""Writes that follow each other by less belong to one burst: some three connection intervals of a phone."""
ANSWER_S: Final = 2.0
"""What comes later than this after a write is taken for no answer to it, where no protocol says what answers what."""
SILENCE_INTERVALS: Final = 1.5
"""A silence on the air is one from this many connection intervals on: the peers did not meet when they might have."""

COMMAND_TO_ACKNOWLEDGEMENT: Final = Measurement(
    "command_to_acknowledgement",
    "ms",
    "From the write of a command to the device's acknowledgement of it, as the protocol's listener pairs them. Where "
    "no protocol is known: from a write to the first notification or indication that follows it before the next write, "
    f"within {ANSWER_S:g} s.",
    worse="higher",
    smallest_change=0.1,
    more="slower",
    less="faster",
)
REQUEST_TO_RESPONSE: Final = Measurement(
    "request_to_response",
    "ms",
    "From an ATT request of the app that reads or writes a value to the device's response or error.",
    worse="higher",
    smallest_change=0.1,
    more="slower",
    less="faster",
)
STOP_TO_CONFIRMED: Final = Measurement(
    "stop_to_confirmed",
    "ms",
    "From the first write of a stop (of the output or of everything) to the device's acknowledgement; refused and "
    "repeated stops in between count as waiting. Only with a known protocol.",
    worse="higher",
    smallest_change=0.1,
    more="slower",
    less="faster",
)
STOPS_UNCONFIRMED: Final = Measurement(
    "stops_unconfirmed",
    "",
    "One sample for each stop: 0 where the device acknowledged it, 1 where the recording ends without.",
    at_most=0,
    worse="higher",
    smallest_change=0.01,
)
NOTIFICATION_INTERVAL: Final = Measurement(
    "notification_interval",
    "ms",
    "From one notification or indication of a characteristic to the next of the same, within one subscription.",
    smallest_change=0.1,
    more="longer",
    less="shorter",
)
NOTIFICATION_JITTER: Final = Measurement(
    "notification_jitter",
    "ms",
    "How much one notification interval differs from the one before, without sign (the delay variation of RFC 3550, "
    "6.4.1, before it is smoothed).",
    worse="higher",
    smallest_change=0.1,
)
GAP_BETWEEN_WRITES: Final = Measurement(
    "gap_between_writes",
    "ms",
    "From one write of the app to its next, whatever the characteristic; subscriptions are no writes. For rate rules, "
    "say at least 20 ms between frames.",
    worse="lower",
    smallest_change=0.1,
    more="longer",
    less="shorter",
)
BURST_LENGTH: Final = Measurement(
    "burst_length",
    "writes",
    f"How many writes of the app follow each other by less than {BURST_GAP_S * 1000:g} ms each.",
    worse="higher",
    smallest_change=0.5,
    more="longer",
    less="shorter",
)
CONNECTION_INTERVAL: Final = Measurement(
    "connection_interval",
    "ms",
    "Each connection interval that was in effect, once for each time it was set. Only from a capture.",
    smallest_change=1.25,
    more="longer",
    less="shorter",
)
SUPERVISION_GAP: Final = Measurement(
    "supervision_gap",
    "ms",
    f"On the air: each silence of a link that lasted more than {SILENCE_INTERVALS:g} connection intervals (with its "
    "peripheral latency). In HCI traffic, where silence means nothing: from the last packet of a link to its end by "
    "supervision timeout. Only from a capture.",
    worse="higher",
    smallest_change=1.25,
    more="longer",
    less="shorter",
)
LATENESS: Final = Measurement(
    "lateness",
    "µs",
    "How much later than due the replay handed an event over. Only from an outcome.",
    worse="higher",
    smallest_change=50,
)

STANDARD: Final[Mapping[str, Measurement]] = MappingProxyType(
    {
        measurement.name: measurement
        for measurement in (
            COMMAND_TO_ACKNOWLEDGEMENT,
            REQUEST_TO_RESPONSE,
            STOP_TO_CONFIRMED,
            STOPS_UNCONFIRMED,
            NOTIFICATION_INTERVAL,
            NOTIFICATION_JITTER,
            GAP_BETWEEN_WRITES,
            BURST_LENGTH,
            CONNECTION_INTERVAL,
            SUPERVISION_GAP,
            LATENESS,
        )
    }
)
"""The measurements that the rig takes by itself, by name."""


def samples_of(
    source: Transcript | Outcome | str | Path,
    *,
    link: int | None = None,
    handle_map: HandleMap | None = None,
    protocol: str | None = None,
    registry: Registry | None = None,
) -> dict[str, list[float]]:
    """Take every standard measurement that ``source`` allows.

    Args:
        source: a transcript, what came of a replay, or the path of a transcript or a capture (all its links together).
        link: of a capture this link alone, by its number.
        handle_map: of a capture, what its handles mean.
        protocol: key of the protocol spoken; None: as the transcript says, or as a capture's traffic tells.
        registry: the protocols there are; None: the built-in and the installed ones.

    Returns:
        Measurement name to its samples in the measurement's unit, in the order of time; names without a sample are
        left out. The same name always means the same thing, so that samples of several sources may be joined.

    Raises:
        CaptureError: the capture cannot be read, or is damaged.
        TranscriptError: the file is a transcript that cannot be read.
        UnknownProtocolError: (a KeyError) there is no protocol with that key.
        ProtocolChoiceError: the same, of a capture.
    """
    if isinstance(source, str | Path):
        from rig.replay.transcript import is_transcript, load  # noqa: PLC0415 - a replay has its transcript already

        if str(source) == "-" or not is_transcript(source):
            from rig.timing.from_capture import capture_samples  # noqa: PLC0415 - nor does it read captures

            return capture_samples(source, link=link, handle_map=handle_map, protocol=protocol, registry=registry)
        source = load(source)
    if isinstance(source, Outcome):
        found = {name: list(samples) for name, samples in source.samples.items() if samples}
        if source.lateness.samples_ns:
            found[LATENESS.name] = [sample_ns / 1000 for sample_ns in source.lateness.samples_ns]
        return found
    key = source.protocol if protocol is None else protocol
    return exchange_samples(source.exchanges, protocol=key, name=source.name, registry=registry)


def exchange_samples(
    exchanges: Iterable[Exchange], *, protocol: str = "", name: str = "", registry: Registry | None = None
) -> dict[str, list[float]]:
    """Take the measurements of one conversation, as :func:`samples_of` does.

    Args:
        exchanges: in any order; times on one clock, from the recording or from a replay.
        protocol: key of the protocol spoken; empty where not known.
        name: the device's, for its listener.
        registry: the protocols there are; None: the built-in and the installed ones.

    Raises:
        UnknownProtocolError: (a KeyError) there is no protocol with that key.
    """
    ordered = sorted(exchanges, key=lambda exchange: exchange.at_ns)
    steps = [step for exchange in ordered if (step := _step(exchange)) is not None]
    found = step_samples(steps)
    listener = _listener(protocol, name, registry)
    if listener is not None:
        use_answers(found, _overheard(ordered, listener))
    return in_order(found)


def joined(parts: Iterable[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    """The samples of several sources as those of one, measurements in their standard order, then by name."""
    found: dict[str, list[float]] = {}
    for part in parts:
        for name, samples in part.items():
            found.setdefault(name, []).extend(samples)
    return {name: found[name] for name in standard_order(found)}


def standard_order(names: Iterable[str]) -> list[str]:
    """The names, those of :data:`STANDARD` first and in its order, the others by the alphabet."""
    places = {name: place for place, name in enumerate(STANDARD)}
    return sorted(set(names), key=lambda name: (places.get(name, len(places)), name))


# --- what both sources boil down to -----------------------------------------------------------------------------------


class Step(NamedTuple):
    """One thing that app or device did, as far as its time matters."""

    at_ns: int
    does: Literal["write", "read", "push", "switch", "end"]
    """``switch`` is a subscription or its end, ``end`` the beginning or the end of the link."""
    where: object = None
    """Anything that tells attributes apart."""
    answered_ns: int | None = None
    """How long the response to a request took; None where none is due, or none came."""


class Answer(NamedTuple):
    """One command or acknowledgement, as a protocol's listener heard it."""

    at_ns: int
    kind: Literal["command", "acknowledged"]
    stop: str
    """Which stop it is, empty for any other command."""
    latency_ns: int | None = None
    """Of an acknowledgement: how long ago the command was."""


def step_samples(steps: Sequence[Step]) -> dict[str, list[float]]:
    """Take the measurements that need no protocol; ``steps`` of one link, in the order of time."""
    found: dict[str, list[float]] = {}
    add = _adder(found)
    last_push: dict[object, tuple[int, int | None]] = {}  # when, and the interval before it
    last_write: int | None = None
    waiting: int | None = None
    burst = 0
    for step in steps:
        at_ns = step.at_ns
        if step.answered_ns is not None and step.answered_ns >= 0:  # a capture's clock may have been set back
            add(REQUEST_TO_RESPONSE, step.answered_ns / 1e6)
        if step.does == "write":
            if last_write is not None:
                add(GAP_BETWEEN_WRITES, (at_ns - last_write) / 1e6)
            if burst and (last_write is None or at_ns - last_write >= BURST_GAP_S * 1e9):
                add(BURST_LENGTH, burst)
                burst = 0
            burst += 1
            last_write = waiting = at_ns
        elif step.does == "push":
            if waiting is not None and at_ns - waiting <= ANSWER_S * 1e9:
                add(COMMAND_TO_ACKNOWLEDGEMENT, (at_ns - waiting) / 1e6)
            waiting = None
            before = last_push.get(step.where)
            interval = None if before is None else at_ns - before[0]
            if interval is not None:
                add(NOTIFICATION_INTERVAL, interval / 1e6)
                if before is not None and before[1] is not None:
                    add(NOTIFICATION_JITTER, abs(interval - before[1]) / 1e6)
            last_push[step.where] = (at_ns, interval)
        elif step.does == "switch":
            last_push.pop(step.where, None)
        elif step.does == "end":
            last_push.clear()
            last_write = waiting = None
    if burst:
        add(BURST_LENGTH, burst)
    return found


def use_answers(found: dict[str, list[float]], answers: Iterable[Answer]) -> None:
    """Put what the protocol says of commands in the place of what the times alone suggest.

    Args:
        found: of :func:`step_samples`; changed.
        answers: of one link, in the order of time.
    """
    found.pop(COMMAND_TO_ACKNOWLEDGEMENT.name, None)
    add = _adder(found)
    stopping: dict[str, int] = {}  # a stop of the output says nothing of one of everything
    for answer in answers:
        if answer.kind == "command":
            if answer.stop:
                stopping.setdefault(answer.stop, answer.at_ns)
            continue
        if answer.latency_ns is not None:
            add(COMMAND_TO_ACKNOWLEDGEMENT, answer.latency_ns / 1e6)
        since = stopping.pop(answer.stop, None)
        if since is not None:
            add(STOP_TO_CONFIRMED, (answer.at_ns - since) / 1e6)
            add(STOPS_UNCONFIRMED, 0.0)
    for _ in stopping:
        add(STOPS_UNCONFIRMED, 1.0)


def in_order(found: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """The same with the standard measurements in their order: the same output for the same input."""
    return {name: found[name] for name in STANDARD if found.get(name)}


def with_unit(value: float, unit: str) -> str:
    """A value as people read it, three digits or whole: ``83.0 ms``, ``0.25 ms``, ``1,240 ms``."""
    if math.isinf(value) or math.isnan(value):
        text = "endless" if value > 0 else str(value)
    else:
        size = abs(value)
        text = f"{value:,.0f}" if size >= 1000 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"
        if "." in text and float(text.replace(",", "")) == int(value) == value:
            text = f"{value:,.0f}"
    return f"{text} {unit}".rstrip()


def _adder(found: dict[str, list[float]]) -> Callable[[Measurement, float], None]:
    def add(measurement: Measurement, sample: float) -> None:
        found.setdefault(measurement.name, []).append(sample)

    return add


_DOES: Final[Mapping[str, Literal["write", "read", "push", "switch", "end"]]] = MappingProxyType(
    {
        "connect": "end",
        "disconnect": "end",
        "read": "read",
        "write": "write",
        "write_command": "write",
        "subscribe": "switch",
        "unsubscribe": "switch",
        "notification": "push",
        "indication": "push",
    }
)


def _step(exchange: Exchange) -> Step | None:
    does = _DOES[exchange.does]
    # What a phone offers and its device writes is the phone's business: an app is measured here, and its device.
    pushed = does == "push"
    if does != "end" and pushed != (exchange.by == "device"):
        return None
    # An indication's confirmation is no response of the device.
    answered_ns = None if pushed else exchange.answered_ns
    return Step(exchange.at_ns, does, exchange.to, answered_ns)


def _listener(protocol: str, name: str, registry: Registry | None) -> Listener | None:
    if not protocol:
        return None
    if registry is None:
        from protocols.registry import Registry as Protocols  # noqa: PLC0415 - only where one is asked for

        registry = Protocols.default()
    entry = registry.get(protocol)
    return None if entry.listen is None else entry.listen(name or None)


def _overheard(exchanges: Iterable[Exchange], listener: Listener) -> list[Answer]:
    # A value read is there when the read is answered, and so is the word on a write: each is heard in its own time.
    moments: list[tuple[int, int, Exchange, Literal["written", "received", "answered"]]] = []
    for index, exchange in enumerate(exchanges):
        if exchange.to is None or exchange.to.descriptor or exchange.value is None:
            continue
        at_ns, answered_ns = exchange.at_ns, exchange.answered_ns
        if exchange.does == "read" and answered_ns is not None:
            moments.append((at_ns + answered_ns, index, exchange, "received"))
        elif exchange.does in ("notification", "indication") and exchange.by == "device":
            moments.append((at_ns, index, exchange, "received"))
        elif exchange.does in ("write", "write_command") and exchange.by == "app":
            moments.append((at_ns, index, exchange, "written"))
            if exchange.does == "write" and answered_ns is not None:
                moments.append((at_ns + answered_ns, index, exchange, "answered"))
    found: list[Answer] = []
    for at_ns, _, exchange, way in sorted(moments, key=lambda moment: moment[:2]):
        if exchange.to is None or exchange.value is None:
            continue
        place, now = exchange.to.characteristic, at_ns / 1e9
        if way == "written":
            heard = listener.written(place, exchange.value, now)
        elif way == "received":
            heard = listener.received(place, exchange.value, now)
        else:
            heard = listener.write_answered(place, exchange.value, _error_name(exchange.error), now)
        for item in heard:
            answer = as_answer(at_ns, item.by, item.kind, type(item.what).__name__, item.latency_s)
            if answer is not None:
                found.append(answer)
    return found


def _error_name(error: int | None) -> str:
    from rig.capture.att import ERROR_NAMES  # noqa: PLC0415 - few writes are refused

    return "" if error is None else ERROR_NAMES.get(error, f"0x{error:02x}")


def as_answer(at_ns: int, by: str, kind: str, what: str, latency_s: float | None) -> Answer | None:
    """Turn what a listener heard into an :class:`Answer`; None for what is neither command nor acknowledgement.

    Args:
        at_ns: when it was heard.
        by: ``host`` or ``device``.
        kind: as :data:`protocols.listening.HeardKind`.
        what: name of the command's class (``TotalStop``).
        latency_s: of an answer: seconds since the question.
    """
    stop = what if what in _STOPS else ""
    if by == "device":
        if kind != "acknowledged":
            return None
        return Answer(at_ns, "acknowledged", stop, None if latency_s is None else round(latency_s * 1e9))
    # A stop that the device will refuse is a stop that the app asked for: the wait for the confirmation has begun.
    return Answer(at_ns, "command", stop) if kind in ("command", "refused") else None


_STOPS: Final = frozenset({"StopOutput", "TotalStop"})
