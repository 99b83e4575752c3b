"""Replay: how late it is on the wall clock against python-can's MessageSync, and how fast it is in virtual time.

Lateness. Recordings of real devices (tests/captures) are replayed as the device to a bleak client that repeats the
phone's side, with gaps capped. It is taken where each PDU is handed to Bumble's host. MessageSync plays the times of
the same PDUs, in the same process, in turn with ours, and hands over nothing at all: that is in its favour.

Decoder. What is compared is keeping time: every exchange and every answer of one recording comes, in the order of their
times, to the same function. In simpy the app, the device and each answer are processes that wait until they are due,
which is the cheapest of the ways to write it that were tried. What the protocol then makes of the bytes costs the same
with either, more than both, and is left out of that ratio; the whole, with it, is measured beside.
"""

from __future__ import annotations

import gc
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path

import clock
from measure import Measurement, Report, interleaved, quantile, timed

from protocols.frames import FrameType, State, encode
from protocols.gatt import uuid
from protocols.registry import Registry
from rig.clock import run as run_on_loop
from rig.replay.exchanges import Exchange, Place, Transcript
from rig.replay.feeding import DecoderRun, decoded
from rig.replay.from_capture import from_capture
from rig.replay.outcome import Outcome, Verdict
from rig.replay.peripheral import replay_as_peripheral
from rig.replay.schedule import Gaps, Schedule

CAPTURES = Path(__file__).parents[2] / "tests" / "captures"
RECORDINGS = (
    "idealLED__set_collection.pcapng.gz",
    "esphome-jbd-bms__JBD-SP04S034L4S200A-btsnoop_hci.log",
    "ctf-usb-keyboard-parser__rgbctf2020_PI_1_MagicInTheAir",
)
CAP_S = 0.05
SAMPLES_A_SECOND = 20  # of the drift measurement
UART = Place(uuid("ffe0"), uuid("ffe1"))

Peer = Callable[[list[int]], list[int]]


def run(report: Report, *, repeat: int | None, seed: int, long: bool = False) -> None:
    clock.run(report, repeat=repeat, seed=seed)
    _virtual(report, repeat or 5)
    _decoder(report, repeat or 9)
    peer = _message_sync()
    if peer is None:
        report.leave_out("python-can is not installed (scripts/bench replay --peers installs it in .venv-bench)")
    transcripts = [from_capture(CAPTURES / name, skip_unnamed=True) for name in RECORDINGS]
    _lateness(report, transcripts, peer, repeat or 3, busy=False)
    _lateness(report, transcripts, peer, repeat or 3, busy=True)
    _drift(report, 600.0 if long else 60.0)
    if not long:
        report.leave_out("replay: drift over 10 minutes instead of one (scripts/bench replay --long)")


# ---- virtual time ----------------------------------------------------------------------------------------------------


def _talk(exchanges: int, duration_s: float) -> Transcript:
    """A Dr-05 that is written to and answers, evenly spread."""
    step_ns = round(duration_s / exchanges * 1e9)
    told = [Exchange(0, "app", "connect"), Exchange(0, "app", "subscribe", UART, answered_ns=0)]
    for number in range(1, exchanges // 2):
        percent = 1 + number % 2
        asked = encode(FrameType.SET, State.REQUEST, 2, bytes((percent,)))
        answered = encode(FrameType.SET, State.ACCEPTED, 2, bytes((percent,)))
        told.append(Exchange(2 * number * step_ns, "app", "write_command", UART, asked))
        told.append(Exchange((2 * number + 1) * step_ns, "device", "notification", UART, answered))
    return Transcript("a talk", tuple(told), name="Dr-05", protocol="dr05")


def _virtual(report: Report, repeat: int) -> None:
    transcript = _talk(1000, 600.0)

    def replay() -> float:
        outcomes: list[Outcome] = []
        seconds = timed(lambda: outcomes.append(run_on_loop(replay_as_peripheral(transcript))))
        _must_pass(outcomes[0], transcript)
        return seconds

    seconds = statistics.median(interleaved({"": replay}, repeat)[""])
    name = f"replay: {len(transcript.exchanges)} exchanges, 10 min, as peripheral over Bumble"
    report.add(Measurement(name, seconds, "s", at_most=1.0))


def _decoder(report: Report, repeat: int) -> None:
    transcript = _talk(20_000, 12_000.0)
    registry = Registry.default()
    feeding = DecoderRun(transcript, registry)
    count = len(feeding.steps())
    came: list[int] = []

    def take(_at_ns: int, index: int, _answer: bool) -> None:
        came.append(index)

    def ours() -> None:
        for at_ns, index, answer in feeding.steps():
            take(at_ns, index, answer)

    def rate(work: Callable[[], None]) -> Callable[[], float]:
        def measured() -> float:
            came.clear()
            seconds = timed(work)
            if work is not whole and len(came) != count:
                raise AssertionError(f"{len(came)} of {count} exchanges and answers came")
            return seconds

        return measured

    def whole() -> None:
        decoded(transcript, registry)

    works = {"ours": rate(ours), "whole": rate(whole)}
    theirs = _in_simpy(transcript, take)
    if theirs is None:
        report.leave_out("simpy is not installed (scripts/bench replay --peers installs it in .venv-bench)")
    else:
        works["simpy"] = rate(theirs)
    with _nothing_to_collect():
        results = {name: statistics.median(seconds) for name, seconds in interleaved(works, repeat).items()}
    report.add(Measurement("replay: decoder, events a second, protocol and all", count / results["whole"], "1/s"))
    report.add(Measurement("replay: decoder, events a second, keeping time alone", count / results["ours"], "1/s"))
    if "simpy" in results:
        report.add(Measurement("replay: simpy, events a second, keeping time alone", count / results["simpy"], "1/s"))
        report.add(
            Measurement("replay: decoder against simpy", results["simpy"] / results["ours"], "times", at_least=5.0)
        )


@contextmanager
def _nothing_to_collect() -> Iterator[None]:
    """Leave what other benches have loaded out of garbage collections, which would be most of what is measured."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _in_simpy(transcript: Transcript, take: Callable[[int, int, bool], None]) -> Callable[[], None] | None:
    try:
        import simpy  # noqa: PLC0415 - a peer, which need not be there
    except ImportError:
        return None
    exchanges = transcript.exchanges

    def work() -> None:
        environment = simpy.Environment()

        def answer(at_ns: int, index: int, after_ns: int) -> Iterator[object]:
            yield environment.timeout(after_ns / 1e9)
            take(at_ns + after_ns, index, True)  # noqa: FBT003 - as DecoderRun's own

        def side(by: str) -> Iterator[object]:
            for index, exchange in enumerate(exchanges):
                if exchange.by != by:
                    continue
                yield environment.timeout(max(0.0, exchange.at_ns / 1e9 - environment.now))
                take(exchange.at_ns, index, False)  # noqa: FBT003 - as DecoderRun's own
                if exchange.answered_ns is not None:
                    environment.process(answer(exchange.at_ns, index, exchange.answered_ns))

        environment.process(side("app"))
        environment.process(side("device"))
        environment.run()

    return work


# ---- the wall clock --------------------------------------------------------------------------------------------------


def _message_sync() -> Peer | None:
    """Return what plays times, in nanoseconds, by python-can, and gives by how much each was late."""
    try:
        from can import Message  # noqa: PLC0415 - a peer, which need not be there
        from can.io.player import MessageSync  # noqa: PLC0415
    except ImportError:
        return None

    def play(due_ns: list[int]) -> list[int]:
        messages = [Message(timestamp=(due - due_ns[0]) / 1e9) for due in due_ns]
        came = [time.perf_counter_ns() for _ in MessageSync(messages)]
        return [max(0, at - came[0] - (due - due_ns[0])) for at, due in zip(came, due_ns, strict=True)]

    return play


def _due_ns(transcript: Transcript, gaps: Gaps) -> list[int]:
    """When each PDU of the device is due, answers among them."""
    schedule = Schedule.of(transcript, gaps=gaps)
    due = []
    for index, exchange in enumerate(transcript.exchanges):
        if exchange.by == "device" and exchange.does != "disconnect":
            due.append(schedule.due_ns(index))
        elif exchange.answered_ns is not None:
            due.append(schedule.due_ns(index) + exchange.answered_ns)
    return sorted(due)


def _lateness(report: Report, transcripts: list[Transcript], peer: Peer | None, repeat: int, *, busy: bool) -> None:
    gaps = Gaps(cap_s=CAP_S)
    ratios: dict[str, list[float]] = {"p50": [], "p99": []}
    found: dict[str, list[float]] = {"ours p50": [], "ours p99": [], "MessageSync p50": [], "MessageSync p99": []}
    shares: list[float] = []
    with _all_cores_busy() if busy else nullcontext():
        for round_number in range(repeat):
            ours: list[int] = []
            theirs: list[int] = []
            seconds = spent = 0.0
            turns = transcripts if round_number % 2 == 0 else transcripts[::-1]
            for transcript in turns:
                begun, spent_before = time.perf_counter(), time.process_time()
                outcome = run_on_loop(replay_as_peripheral(transcript, gaps=gaps), speed=1.0)
                seconds += time.perf_counter() - begun
                spent += time.process_time() - spent_before
                if not busy:
                    _must_pass(outcome, transcript)
                ours += outcome.lateness.samples_ns
                if peer is not None:
                    theirs += peer(_due_ns(transcript, gaps))
            shares.append(100 * spent / seconds)
            for name, share in (("p50", 0.5), ("p99", 0.99)):
                own = quantile(ours, share)
                found[f"ours {name}"].append(own / 1000)
                if theirs:
                    other = quantile(theirs, share)
                    found[f"MessageSync {name}"].append(other / 1000)
                    ratios[name].append(own / other)
    where = "every core busy" if busy else "as it is"
    for name, values in found.items():
        if values:
            spread = f"{min(values):,.1f} to {max(values):,.1f} in {repeat} rounds"
            report.add(Measurement(f"replay: lateness, {where}, {name}", statistics.median(values), "µs", note=spread))
    limits = {"p50": None, "p99": 1.2} if busy else {"p50": 1 / 20, "p99": 1 / 2}
    for name, values in ratios.items():
        if values:
            told = f"replay: lateness, {where}, {name} against MessageSync"
            spread = f"{min(values):.3f} to {max(values):.3f}"
            report.add(Measurement(told, statistics.median(values), "times", at_most=limits[name], note=spread))
    if not busy:
        report.add(Measurement("replay: share of a core, all in all", statistics.median(shares), "%", at_most=5.0))


@contextmanager
def _all_cores_busy() -> Iterator[None]:
    """One process for each core that does nothing but take it, at this one's priority."""
    hogs = [subprocess.Popen((sys.executable, "-c", "while True: pass")) for _ in range(os.cpu_count() or 1)]
    try:
        time.sleep(1.0)
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def _drift(report: Report, duration_s: float) -> None:
    """Whether what comes last is later than what came first, beyond what chance makes of it."""
    count = round(duration_s * SAMPLES_A_SECOND)
    told = [Exchange(0, "app", "connect"), Exchange(0, "app", "subscribe", UART, answered_ns=0)]
    for number in range(count):
        at_ns = round((0.2 + number / SAMPLES_A_SECOND) * 1e9)
        told.append(Exchange(at_ns, "device", "notification", UART, number.to_bytes(4, "big")))
    transcript = Transcript("a stream", tuple(told), name="Stream")
    outcome = run_on_loop(replay_as_peripheral(transcript), speed=1.0)
    _must_pass(outcome, transcript)
    late_us = [late / 1000 for late in outcome.lateness.samples_ns][-count:]
    tenth = count // 10
    means = [statistics.fmean(late_us[at : at + tenth]) for at in range(0, 10 * tenth, tenth)]
    # Neighbouring tenths differ by chance alone, even where lateness wanders for seconds; a drift adds up over all ten.
    noise = math.sqrt(statistics.fmean((after - before) ** 2 for before, after in pairwise(means)))
    span = f"{duration_s / 10:.0f} s"
    report.add(Measurement(f"replay: mean lateness, first {span} of {duration_s:.0f}", means[0], "µs"))
    report.add(Measurement(f"replay: mean lateness, last {span} of {duration_s:.0f}", means[-1], "µs"))
    report.add(
        Measurement(
            f"replay: drift over {duration_s:.0f} s",
            means[-1] - means[0],
            "µs",
            at_most=3 * noise,
            note="(three times what neighbouring tenths differ by)",
        )
    )


def _must_pass(outcome: Outcome, transcript: Transcript) -> None:
    if outcome.verdict is not Verdict.PASSED or outcome.exchanges != len(transcript.exchanges):
        what = "; ".join(difference.text for difference in outcome.differences) or "not all was played"
        raise AssertionError(f"{transcript.title}: {what}")
