"""Reports to look at: one of everything, made of the same words and values as real replays are."""

from __future__ import annotations

import random

from protocols.gatt import uuid
from rig.replay.conversation import Conversation, different, missing, nearest, unrecorded
from rig.replay.coverage import Coverage, Row
from rig.replay.exchanges import Exchange, Place
from rig.replay.outcome import Difference, Lateness, Line, Outcome, Verdict
from rig.report.model import Report
from rig.timing.baseline import Baseline, compare
from rig.timing.measure import STANDARD

MS = 1_000_000
FFE1 = Place(uuid("ffe0"), uuid("ffe1"))
HOSTILE = "<script>alert('x')</script> & \"quotes\" \x1b[31mred\x00 \u202etxt ]]> é"


def talk(pairs: int, *, gap_ms: int = 250) -> list[Exchange]:
    """Commands and their acknowledgements, ``gap_ms`` apart."""
    found = []
    for number in range(pairs):
        at = number * gap_ms * MS
        frame = bytes([0x55, 0xAA, 0x06, number & 0xFF, 0x01, 0x00, number * 7 & 0xFF])
        found.append(Exchange(at, "app", "write_command", FFE1, frame))
        found.append(Exchange(at + 23 * MS, "device", "notification", FFE1, bytes([0x55, 0xAA, 0x86, number & 0xFF])))
    return found


def latencies(count: int, median_ms: float, seed: int) -> list[float]:
    """Skewed to the right, as latencies are; in milliseconds."""
    chance = random.Random(seed)
    return [median_ms * chance.lognormvariate(0, 0.35) for _ in range(count)]


def coverage(protocol: str, states: dict[str, int], commands: dict[str, int]) -> dict[str, object]:
    """As :mod:`rig.replay.coverage` says it."""
    rows = [Row("state", *each) for each in states.items()] + [Row("command", *each) for each in commands.items()]
    return Coverage(protocol, tuple(rows), complete=True).as_json()


def passed(title: str = "first-touch", *, seed: int = 1, pairs: int = 60) -> Outcome:
    chance = random.Random(seed)
    conversation = Conversation()
    exchanges = talk(pairs)
    for index, exchange in enumerate(exchanges):
        conversation.happened(index, exchange, exchange.at_ns)
    return Outcome(
        "peripheral",
        title,
        Verdict.PASSED,
        conversation=conversation.lines,
        exchanges=len(exchanges),
        lateness=Lateness(tuple(int(chance.lognormvariate(6.2, 1.1)) for _ in exchanges)),
        samples={"command_to_acknowledgement": latencies(80, 22.9, seed), "burst_length": [1.0, 2.0, 1.0, 1.0, 3.0]},
        coverage=coverage("dr05", {"idle": 2, "running": 14, "water_low": 0}, {"start": 1, "level": 12, "pause": 0}),
        faults={"drop notification 3": 1},
        duration_s=exchanges[-1].at_ns / 1e9,
    )


def failed(title: str = "evening <routine> & more", *, pairs: int = 60) -> Outcome:
    """A changed byte, a missing acknowledgement and an extra write, after a long stretch as recorded."""
    exchanges = talk(pairs)
    conversation = Conversation({40: "level 3"})
    differences: list[Difference] = []
    for index, exchange in enumerate(exchanges[:50]):
        if index == 40:
            assert exchange.value is not None
            came = Exchange(exchange.at_ns, "app", "write_command", FFE1, exchange.value[:-1] + b"\xff")
            conversation.different(index, exchange, came, exchange.at_ns)
            differences.append(different(index, exchange, came, exchange.at_ns, said="level 3"))
        elif index == 43:
            conversation.missing(index, exchange, exchange.at_ns)
            differences.append(missing(index, exchange, exchange.at_ns + 500 * MS))
        else:
            conversation.happened(index, exchange, exchange.at_ns)
    came = Exchange(0, "app", "write_command", FFE1, bytes.fromhex("55aa060001"))
    at_ns = exchanges[49].at_ns + 30 * MS
    conversation.unrecorded(came, at_ns, said="an unknown frame")
    differences.append(unrecorded(came, at_ns, nearest(came, enumerate(exchanges), expected=50)))
    chance = random.Random(7)
    return Outcome(
        "central",
        title,
        Verdict.FAILED,
        differences,
        conversation.lines,
        50,
        Lateness(tuple(int(chance.lognormvariate(7.2, 1.4)) for _ in range(1_200))),
        samples={"command_to_acknowledgement": latencies(120, 83.0, 5)},
        duration_s=6.0,
    )


def invalid(title: str = "burst of losses") -> Outcome:
    return Outcome(
        "decoder",
        title,
        Verdict.INVALID,
        [Difference("fault", None, 3 * MS, "fault: 'cut the link' was planned, and never fired")],
        exchanges=12,
        faults={"cut the link": 0, "drop notification 3": 2},
        duration_s=1.5,
    )


def hostile() -> Outcome:
    """Every text that a recording can bring is markup, or an order to a terminal."""
    return Outcome(
        "decoder",
        HOSTILE,
        Verdict.FAILED,
        [Difference("different", 0, 5, HOSTILE)],
        [Line("-", 4, HOSTILE), Line("+", 5, HOSTILE)],
        coverage=coverage(HOSTILE, {HOSTILE: 1}, {HOSTILE: 0}),
        faults={HOSTILE: 0},
        samples={HOSTILE: [1.0, float("nan"), float("inf")]},
    )


def rich() -> Report:
    """One of everything."""
    outcomes = [passed(), failed(), invalid(), passed("morning routine", seed=3, pairs=20)]
    before = Baseline.of(
        {
            "command_to_acknowledgement": latencies(200, 22.9, 11),
            "notification_interval": latencies(300, 100.0, 12),
            "gap_between_writes": latencies(3, 20.0, 13),
        }
    )
    now = {
        "command_to_acknowledgement": latencies(200, 83.0, 21),
        "notification_interval": latencies(300, 100.0, 22),
        "gap_between_writes": latencies(3, 20.0, 23),
    }
    judged = STANDARD["gap_between_writes"].with_limits(at_least=20.0).judge(now["gap_between_writes"])
    assert judged is not None
    return Report("Replays of the evening", outcomes, [*compare(before, now), judged])
