"""The ten rules of OMP as measurements on a device without a radio: what was measured, in which unit, against what.

Each ``rule_n`` makes fresh devices and says what it found; a test asserts that all of it holds. They look at the
device's ground truth (``output_ua``) where a rule is about current, and else at what a central could see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from protocols import omp_codec as codec
from protocols.omp_codec import Opcode, Request, Response, Result, State, Status, Telemetry
from protocols.omp_record import RecordChunk, SessionRecord, assemble
from rig.devices.model import DeviceAction, Notify
from rig.devices.omp import FIRST, SIMULATED_FEATURES, SimulatedOmp
from rig.devices.skin import Touch

Make = Callable[[], SimulatedOmp]

SECOND = 1
SUBSCRIBED = (codec.CONTROL_POINT, codec.STATUS, codec.TELEMETRY, codec.SESSION_RECORD)
TICK_S = 0.001


@dataclass(frozen=True, slots=True)
class Finding:
    """One measurement: ``value`` in ``unit``, which must not exceed ``limit``."""

    name: str
    value: float
    unit: str
    limit: float

    @property
    def holds(self) -> bool:
        return self.value <= self.limit


def truth(name: str, right: bool) -> Finding:
    """A yes or no as a measurement: how many times it was wrong."""
    return Finding(name, 0.0 if right else 1.0, "times wrong", 0.0)


class Hand:
    """One device, two centrals, and the time; all that the device told the first central is kept."""

    def __init__(self, device: SimulatedOmp) -> None:
        self.device = device
        self.now = 0.0
        self.statuses: list[tuple[float, Status]] = []
        self.telemetry: list[Telemetry] = []
        self.pieces: list[RecordChunk] = []
        self.seconds: list[Notify] = []
        self.reconnect()
        self.second = device.central(SECOND)
        self.second.connected(0.0)
        for characteristic in SUBSCRIBED:
            self.second.subscribed(characteristic, enabled=True, now=0.0)

    def reconnect(self) -> None:
        self.device.connected(self.now)
        for characteristic in SUBSCRIBED:
            self._hear(self.device.subscribed(characteristic, enabled=True, now=self.now))

    def raw(self, data: bytes, central: int = FIRST) -> Response:
        side = self.device if central == FIRST else self.second
        answer: Response | None = None
        for action in side.written(codec.CONTROL_POINT, data, self.now):
            if isinstance(action, Notify) and action.characteristic == codec.CONTROL_POINT:
                assert answer is None, "a request was answered twice"
                answer = Response.decode(action.data)
            else:
                self._hear((action,), central)
        assert answer is not None, f"{data.hex()} was not answered"
        return answer

    def ask(self, opcode: Opcode, *parameters: int, central: int = FIRST) -> Result:
        return self.raw(Request(opcode, parameters).encode(), central).result

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.device.deadline) is not None and due <= until:
            self.now = max(self.now, due)
            self._hear(self.device.deadline_passed(self.now))
        self.now = until
        self.seconds += [a for a in self.second.fetch(self.now) if isinstance(a, Notify)]

    def keep(self, seconds: float) -> None:
        """Let time pass with the keep-alive going on."""
        until = self.now + seconds
        while self.now < until - 1e-9:
            self.ask(Opcode.KEEP_ALIVE, 2000)
            self.advance(min(1.0, until - self.now))

    def control(self, target_ua: int = 100) -> None:
        assert self.ask(Opcode.REQUEST_CONTROL, 7) is Result.SUCCESS
        assert self.ask(Opcode.SET_TARGET, target_ua) is Result.SUCCESS

    def run(self, target_ua: int = 100, seconds: float = 4.0, longest_s: int = 600) -> None:
        """A run at its target."""
        self.control(target_ua)
        self.ask(Opcode.KEEP_ALIVE, 2000)
        assert self.ask(Opcode.START, longest_s) is Result.SUCCESS
        self.keep(seconds)
        assert self.device.output_ua(self.now) > 0.9 * target_ua

    def outputs(self, since: float, until: float) -> Iterator[tuple[float, float]]:
        """What the device put out, every millisecond from ``since`` up to ``until``, which has to be over."""
        for step in range(round((until - since) / TICK_S) + 1):
            yield since + step * TICK_S, self.device.output_ua(since + step * TICK_S)

    def zero_after_ms(self, since: float) -> float:
        """How long after ``since`` there was output last, up to now."""
        last = max((at for at, output in self.outputs(since, self.now) if output > 0), default=since)
        return round((last - since) * 1000, 3)

    def steepest(self, since: float, until: float) -> float:
        """The steepest rise in µA/s between two looks 10 ms apart."""
        looks = [self.device.output_ua(since + 0.01 * n) for n in range(int((until - since) / 0.01) + 1)]
        return max((b - a) / 0.01 for a, b in pairwise(looks))

    def _hear(self, actions: tuple[DeviceAction, ...], central: int = FIRST) -> None:
        for action in actions:
            if not isinstance(action, Notify) or central != FIRST:
                continue
            if action.characteristic == codec.STATUS:
                self.statuses.append((self.now, Status.decode(action.data)))
            elif action.characteristic == codec.TELEMETRY:
                self.telemetry.append(Telemetry.decode(action.data))
            elif action.characteristic == codec.SESSION_RECORD:
                self.pieces.append(RecordChunk.decode(action.data))

    @property
    def status(self) -> Status:
        return Status.decode(self.device.read(codec.STATUS, self.now))

    def records(self) -> tuple[SessionRecord, ...]:
        return assemble(self.pieces)


# --- the rules --------------------------------------------------------------------------------------------------------


def rule_1(make: Make) -> tuple[Finding, ...]:
    """Zero before control and target; every start ramps from zero, never faster than the ramp or the feature."""
    hand = Hand(make())
    early = [hand.ask(Opcode.SET_TARGET, 100), hand.ask(Opcode.START, 60)]
    hand.ask(Opcode.REQUEST_CONTROL, 7)
    early.append(hand.ask(Opcode.START, 60))
    hand.advance(1.0)
    idle = max(output for _, output in hand.outputs(0.0, hand.now))
    wanted = [Result.NOT_PERMITTED, Result.NOT_PERMITTED, Result.WRONG_STATE]

    ramps = []
    for ramp in (SIMULATED_FEATURES.max_ramp_ua_per_s, 20):
        hand = Hand(make())
        hand.control()
        hand.ask(Opcode.SET_RAMP, ramp)
        hand.ask(Opcode.KEEP_ALIVE, 5000)
        hand.ask(Opcode.START, 60)
        first = hand.device.output_ua(hand.now)
        hand.advance(4.0)
        ramps += [
            Finding(f"output at the start, ramp {ramp}", first, "µA", 0.0),
            # The current itself is 5 % exact at best, and so is its slope.
            Finding(f"steepest rise, ramp {ramp}", hand.steepest(0.0, hand.now), "µA/s", ramp * 1.05),
        ]
    return (
        truth("early requests are refused", early == wanted),
        Finding("output before a target", idle, "µA", 0.0),
        *ramps,
    )


def rule_2(make: Make) -> tuple[Finding, ...]:
    """Stop is zero within 100 ms, link loss within 200 ms."""
    stopped = Hand(make())
    stopped.run()
    at = stopped.now
    answer = stopped.ask(Opcode.STOP)
    stopped.advance(1.0)
    lost = Hand(make())
    lost.run()
    lost_at = lost.now
    lost.device.disconnected(lost.now)
    lost.advance(1.0)
    return (
        truth("a stop is answered with success", answer is Result.SUCCESS),
        Finding("stop to zero", stopped.zero_after_ms(at), "ms", 100.0),
        Finding("link loss to zero", lost.zero_after_ms(lost_at), "ms", 200.0),
    )


def rule_3(make: Make) -> tuple[Finding, ...]:
    """A lapsed keep-alive is zero within 500 ms and paused; resume is explicit, and ramps from zero."""
    hand = Hand(make())
    hand.run()
    hand.ask(Opcode.KEEP_ALIVE, 1000)
    lapses_at = hand.now + 1.0
    hand.advance(1.0 + 3.0)
    state = hand.status.state
    late = max(output for _, output in hand.outputs(lapses_at + 0.5, hand.now))
    lapse_ms = hand.zero_after_ms(lapses_at)
    again_at = hand.now
    hand.ask(Opcode.KEEP_ALIVE, 5000)
    hand.advance(2.0)
    unasked = max(output for _, output in hand.outputs(again_at, hand.now))
    resumed_at = hand.now
    resumed = hand.ask(Opcode.RESUME)
    first = hand.device.output_ua(hand.now)
    hand.advance(1.0)
    return (
        Finding("keep-alive lapse to zero", lapse_ms, "ms", 500.0),
        Finding("output after the lapse", late, "µA", 0.0),
        truth("the state is paused", state is State.PAUSED),
        Finding("output from a keep-alive alone", unasked, "µA", 0.0),
        truth("resume is taken", resumed is Result.SUCCESS),
        Finding("output at the resume", first, "µA", 0.0),
        truth("it goes on", hand.device.output_ua(resumed_at + 0.9) > 0),
    )


def rule_4(make: Make) -> tuple[Finding, ...]:
    """Lost contact is zero within 100 ms; contact back for 300 ms allows resume, and resumes nothing."""
    hand = Hand(make())
    hand.run()
    lifted_at = hand.now
    hand.device.touch(Touch.LIFTED, hand.now)
    hand.keep(1.0)
    lost_ms = hand.zero_after_ms(lifted_at)
    state = hand.status.state
    without = hand.ask(Opcode.RESUME)
    back_at = hand.now
    hand.device.touch(Touch.PLACED, hand.now)
    hand.advance(0.2)
    early = hand.ask(Opcode.RESUME)
    hand.keep(3.0)
    unasked = max(output for _, output in hand.outputs(back_at, hand.now))
    kept = hand.status.state
    resumed = hand.ask(Opcode.RESUME)
    first = hand.device.output_ua(hand.now)
    return (
        Finding("contact lost to zero", lost_ms, "ms", 100.0),
        truth("the state is contact lost", state is State.CONTACT_LOST),
        truth("no resume without contact", without is Result.NO_CONTACT),
        truth("no resume before 300 ms of contact", early is Result.NO_CONTACT),
        Finding("output that nobody asked for", unasked, "µA", 0.0),
        truth("the state stays contact lost", kept is State.CONTACT_LOST),
        truth("resume is taken", resumed is Result.SUCCESS),
        Finding("output at the resume", first, "µA", 0.0),
    )


def rule_5(make: Make) -> tuple[Finding, ...]:
    """Never above 1.05 times the target and 5 µA nor the feature maximum, at any instant, ramps included."""
    hand = Hand(make())
    hand.run(400, 11.0)
    targets = [(0.0, 400)]
    for target in (100, 300, 20):
        targets.append((hand.now, target))
        hand.ask(Opcode.SET_TARGET, target)
        hand.keep(6.0)
    over, highest = 0.0, 0.0
    for at, output in hand.outputs(0.0, hand.now):
        while len(targets) > 1 and targets[1][0] <= at:
            targets.pop(0)
        over = max(over, output - (targets[0][1] * 1.05 + 5))
        highest = max(highest, output)
    limit = hand.device.features.max_current_ua * 1.05 + 5
    return (
        Finding("delivered above 1.05 times the target and 5 µA", over, "µA", 0.0),
        Finding("highest delivered", highest, "µA", limit),
    )


def rule_6(make: Make) -> tuple[Finding, ...]:
    """The smaller of Start's and the feature's run; it stops by itself at its end. No output while charging."""
    hand = Hand(make())
    hand.control()
    started = hand.now
    hand.ask(Opcode.START, 3)
    hand.keep(6.0)
    run_s = max((at for at, output in hand.outputs(started, hand.now) if output > 0), default=0.0) - started
    after = hand.ask(Opcode.RESUME)

    longest = Hand(make())
    longest.control()
    longest.ask(Opcode.START, 0xFFFF)
    promised = longest.status.seconds_left

    charging = Hand(make())
    charging.run()
    plugged_at = charging.now
    charging.device.set_charging(charging=True, now=charging.now)
    charging.advance(1.0)
    plugged_ms = charging.zero_after_ms(plugged_at)
    refused = charging.ask(Opcode.START, 60)
    charging.advance(1.0)
    return (
        Finding("run of 3 s", run_s, "s", 3.0),
        truth("a run whose time is over is not resumed", after in (Result.TIME_LIMIT, Result.WRONG_STATE)),
        Finding("longest run", promised, "s", longest.device.features.max_session_s),
        Finding("charger to zero", plugged_ms, "ms", 100.0),
        truth("no start while charging", refused is Result.CHARGING),
        Finding("output while charging", charging.device.output_ua(charging.now), "µA", 0.0),
    )


def rule_7(make: Make) -> tuple[Finding, ...]:
    """An unknown opcode, a short or long write, a parameter out of range: the matching result, nothing changed."""
    hand = Hand(make())
    hand.control(100)
    features = hand.device.features
    before = hand.status
    wrong: list[tuple[str, bytes, Result]] = [
        ("an empty write", b"", Result.INVALID_PARAMETER),
        ("opcode 00", b"\x00", Result.NOT_SUPPORTED),
        ("opcode 7F", b"\x7f\x01", Result.NOT_SUPPORTED),
    ]
    for opcode in Opcode:
        good = Request(opcode, (0,) * len(codec.REQUEST_LAYOUTS[opcode])).encode()
        wrong.append((f"{opcode.name} too long", good + b"\x00", Result.INVALID_PARAMETER))
        if len(good) > 1:
            wrong.append((f"{opcode.name} too short", good[:-1], Result.INVALID_PARAMETER))
    out_of_range = [
        Request(Opcode.SET_TARGET, (features.max_current_ua + features.current_step_ua,)),
        Request(Opcode.SET_TARGET, (features.current_step_ua + 1,)),
        Request(Opcode.SET_WAVEFORM, (7, 83)),
        Request(Opcode.SET_WAVEFORM, (0, 0)),
        Request(Opcode.SET_WAVEFORM, (0, 10_001)),
        Request(Opcode.START, (0,)),
        Request(Opcode.KEEP_ALIVE, (199,)),
        Request(Opcode.KEEP_ALIVE, (5001,)),
        Request(Opcode.SET_RAMP, (0,)),
        Request(Opcode.SET_RAMP, (features.max_ramp_ua_per_s + 1,)),
        Request(Opcode.SET_LIGHT, (0, 101)),
        Request(Opcode.SET_LIGHT, (3, 50)),
    ]
    wrong += [(repr(request), request.encode(), Result.INVALID_PARAMETER) for request in out_of_range]
    wrong.append(("a light it has not", Request(Opcode.SET_LIGHT, (2, 50)).encode(), Result.NOT_SUPPORTED))
    findings = []
    for name, data, result in wrong:
        answer = hand.raw(data)
        echo = data[0] if data else 0
        findings.append(truth(f"the answer to {name}", (answer.opcode, answer.result) == (echo, result)))
    hand.advance(0.5)
    return (
        *findings,
        truth("nothing has changed", hand.status == before and hand.device.light_percent == 0),
        Finding("output", hand.device.output_ua(hand.now), "µA", 0.0),
    )


def rule_8(make: Make) -> tuple[Finding, ...]:
    """A second central may read, subscribe and stop; everything else is not permitted."""
    hand = Hand(make())
    hand.run()
    before = hand.status
    refused = []
    for opcode in Opcode:
        if opcode is not Opcode.STOP:
            parameters = tuple(1 for _ in codec.REQUEST_LAYOUTS[opcode])
            refused.append((opcode, hand.ask(opcode, *parameters, central=SECOND)))
    state = hand.status
    hand.keep(1.0)
    sees = any(one.characteristic == codec.TELEMETRY for one in hand.seconds)
    reads = Status.decode(hand.second.read(codec.STATUS, hand.now)).state is State.RUNNING
    stopped = hand.ask(Opcode.STOP, central=SECOND)
    hand.advance(1.0)
    return (
        *(truth(f"{opcode.name} of a second central", result is Result.NOT_PERMITTED) for opcode, result in refused),
        truth("and changes nothing", (state.state, state.target_ua) == (before.state, before.target_ua)),
        truth("it may read", reads),
        truth("it may subscribe", sees),
        truth("it may stop", stopped is Result.SUCCESS),
        Finding("output a second after its stop", hand.device.output_ua(hand.now), "µA", 0.0),
    )


def rule_9(make: Make) -> tuple[Finding, ...]:
    """Sequence numbers count by one and wrap."""
    hand = Hand(make())
    hand.run(seconds=6.0)
    numbers = [telemetry.sequence for telemetry in hand.telemetry]
    gaps = sum((b - a) & 0xFFFF != 1 for a, b in pairwise(numbers))
    times = [telemetry.ms_since_start for telemetry in hand.telemetry]
    late = max(abs(b - a - 100) for a, b in pairwise(times))
    return (
        Finding("gaps in the sequence", float(gaps), "", 0.0),
        Finding("missing measurements", 55.0 - len(numbers), "", 0.0),
        Finding("telemetry off its 100 ms", float(late), "ms", 1.0),
    )


def rule_10(make: Make) -> tuple[Finding, ...]:
    """Records survive power loss; delete removes only what was reported."""
    hand = Hand(make())
    for target in (50, 60, 70):
        hand.run(target)
        hand.ask(Opcode.STOP)
        hand.advance(1.0)
    hand.device.power_cycle(hand.now)
    hand.reconnect()
    hand.ask(Opcode.REQUEST_CONTROL, 8)
    unreported = hand.raw(Request(Opcode.DELETE_RECORDS, (0,)).encode())
    report = hand.raw(Request(Opcode.REPORT_RECORDS, (2,)).encode())
    hand.advance(2.0)
    first = hand.records()
    deleted = hand.raw(Request(Opcode.DELETE_RECORDS, (0,)).encode())
    hand.pieces.clear()
    hand.ask(Opcode.REPORT_RECORDS, 0)
    hand.advance(2.0)
    left = hand.records()
    return (
        truth("nothing unreported is deleted", unreported.parameters == (0,)),
        truth("records survive a loss of power", [r.session_id for r in first] == [2, 3]),
        truth("the report says how many", report.parameters == (2,)),
        truth("they say what was run", [r.highest_target_ua for r in first] == [60, 70]),
        truth("what was reported is deleted", deleted.parameters == (2,)),
        truth("and nothing else", [r.session_id for r in left] == [1]),
    )


RULES: tuple[Callable[[Make], tuple[Finding, ...]], ...] = (
    rule_1,
    rule_2,
    rule_3,
    rule_4,
    rule_5,
    rule_6,
    rule_7,
    rule_8,
    rule_9,
    rule_10,
)


def broken(rule: Callable[[Make], tuple[Finding, ...]], make: Make) -> tuple[Finding, ...]:
    """Return what does not hold of one rule."""
    return tuple(finding for finding in rule(make) if not finding.holds)
