"""Any conversation replays as it was, and any one thing that an app does otherwise is told, whatever the conversation.

The app here plays by the recorded times alone, without a radio, straight into the device.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from protocols.gatt import uuid
from rig.devices.model import Answer, AnswerLater, AttError, DeviceAction, Hangup, Notify
from rig.replay.exchanges import Exchange, Place, Transcript
from rig.replay.outcome import Outcome, Verdict
from rig.replay.peripheral import Order, TranscriptDevice

WRITE, NOTIFY, BOTH = (Place(uuid("ffe0"), uuid(name)) for name in ("ffe1", "ffe2", "ffe3"))

_values = st.binary(min_size=1, max_size=4)
_gaps_ns = st.integers(0, 300_000_000)
_said = st.one_of(
    st.tuples(st.just("write_command"), st.sampled_from([WRITE, BOTH]), _values),
    st.tuples(st.just("write"), st.sampled_from([WRITE, BOTH]), _values),
    st.tuples(st.just("read"), st.just(WRITE), _values),
    st.tuples(st.just("notification"), st.sampled_from([NOTIFY, BOTH]), _values),
)


@st.composite
def conversations(draw: st.DrawFn) -> Transcript:
    exchanges = [
        Exchange(0, "app", "connect"),
        Exchange(0, "app", "subscribe", NOTIFY),
        Exchange(0, "app", "subscribe", BOTH),
    ]
    at_ns = 0
    free_ns = 0  # one request at a time: when the next one may go
    for does, place, value in draw(st.lists(_said, min_size=1, max_size=20)):
        at_ns += draw(_gaps_ns)
        if does == "notification":
            exchanges.append(Exchange(at_ns, "device", "notification", place, value))
            continue
        at_ns = max(at_ns, free_ns)
        answered_ns = None if does == "write_command" else draw(st.integers(0, 50_000_000))
        free_ns = at_ns + (answered_ns or 0)
        exchanges.append(Exchange(at_ns, "app", does, place, value, answered_ns))  # type: ignore[arg-type]
    return Transcript("made up", tuple(exchanges))


def play(recorded: Transcript, app: Transcript, order: Order = "strict") -> tuple[Outcome, list[DeviceAction]]:
    """Play the app's exchanges at their times, and call the device at its own."""
    device = TranscriptDevice(recorded, order=order)
    now = 0.0
    said: list[DeviceAction] = list(device.connected(now))
    for exchange in app.exchanges:
        if exchange.by == "device" or exchange.to is None:
            continue
        now = exchange.at_ns / 1e9
        until = now if exchange.does == "write_command" else now + 1e-9  # a request waits for the answer before it
        while (due := device.deadline) is not None and due < until:
            said += device.deadline_passed(due)
        name = exchange.to.characteristic
        try:
            if exchange.does == "read":
                said.append(Answer(device.read(name, now)))
            elif exchange.does == "subscribe":
                said += device.subscribed(name, enabled=True, now=now)
            else:
                said += device.write_arrived(name, exchange.value or b"", now, with_response=exchange.does == "write")
        except (AnswerLater, AttError):
            continue
    while (due := device.deadline) is not None:
        now = max(now, due)
        said += device.deadline_passed(now)
    return device.outcome(now), said


@given(recorded=conversations(), order=st.sampled_from(["strict", "by-characteristic"]))
def test_any_conversation_replays_as_it_was(recorded: Transcript, order: Order) -> None:
    outcome, said = play(recorded, recorded, order)
    assert outcome.differences == []
    assert outcome.verdict is Verdict.PASSED
    assert outcome.exchanges == len(recorded.exchanges)
    assert outcome.lateness.quantile_ns(1.0) in (0, None)
    pushed = [(e.to.characteristic, e.value) for e in recorded.exchanges if e.by == "device" and e.to is not None]
    assert [(action.characteristic, action.data) for action in said if isinstance(action, Notify)] == pushed
    assert not any(isinstance(action, Hangup) for action in said)
    read = [e.value for e in recorded.exchanges if e.does == "read"]
    answers = [action.value for action in said if isinstance(action, Answer) and action.value]
    assert answers == read


@given(recorded=conversations(), data=st.data())
def test_any_one_thing_that_the_app_does_otherwise_is_told_as_what_it_is(
    recorded: Transcript, data: st.DataObject
) -> None:
    turns = [n for n, e in enumerate(recorded.exchanges) if e.does in {"write", "write_command"}]
    if not turns:
        return
    at = data.draw(st.sampled_from(turns), label="which")
    exchanges = list(recorded.exchanges)
    what = data.draw(st.sampled_from(["dropped", "changed", "again"]), label="what")
    if what == "dropped":
        del exchanges[at]
    elif what == "changed":
        exchanges[at] = replace(exchanges[at], value=b"another value")
    else:
        exchanges.insert(at + 1, replace(exchanges[at], does="write_command", value=b"another value"))
    outcome, _ = play(recorded, replace(recorded, exchanges=tuple(exchanges)))
    assert outcome.verdict is Verdict.FAILED
    # What follows from it may be told too (what could not be said, what had to wait); the thing itself always is.
    told = " | ".join(difference.text for difference in outcome.differences)
    assert outcome.differences
    if what == "dropped":
        assert any(d.kind in {"missing", "left over"} for d in outcome.differences), told
    else:
        assert any(d.kind in {"different", "extra"} for d in outcome.differences), told


@given(recorded=conversations(), data=st.data())
def test_an_app_that_does_anything_at_any_time_is_survived_and_told_the_same_twice(
    recorded: Transcript, data: st.DataObject
) -> None:
    own = [n for n, e in enumerate(recorded.exchanges) if e.by == "app" and e.to is not None]
    chosen = data.draw(st.lists(st.sampled_from(own), max_size=30), label="app")
    gaps = data.draw(st.lists(_gaps_ns, min_size=len(chosen), max_size=len(chosen)), label="gaps")
    at_ns = 0
    exchanges = []
    for n, gap_ns in zip(chosen, gaps, strict=True):
        at_ns += gap_ns
        exchanges.append(replace(recorded.exchanges[n], at_ns=at_ns))
    app = replace(recorded, exchanges=(recorded.exchanges[0], *exchanges))
    first, _ = play(recorded, app)
    again, _ = play(recorded, app)
    assert first == again
    shown = [line for line in first.conversation if line.mark in " -"]
    assert len(shown) == len(recorded.exchanges)
