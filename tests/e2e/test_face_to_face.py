"""Engine, protocol and simulated device face to face, through everything that people, radios and firmware can do.

Judged by what the device put out (``device.trace``), never by what the host believes. Randomness is hypothesis's alone:
the same examples each time, unless ``COMPANION_EXAMPLES`` asks for more of them.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from itertools import pairwise

import fastcrc
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from companion.routines.library import Library
from companion.routines.model import plan_session
from companion.session.engine import SessionEngine
from companion.session.model import (
    CommandRefused,
    DeviceSaid,
    DropLink,
    Feels,
    Input,
    Intent,
    JournalEntry,
    JournalKind,
    Limits,
    LinkLost,
    LinkReady,
    Output,
    Phase,
    PlannedStep,
    Reason,
    Reconnect,
    ReconnectFailed,
    Sensation,
    SessionPlan,
    StepKind,
    Tick,
)
from protocols.dr05 import PROFILE as DR05
from protocols.dr05 import Dr05
from protocols.foreo import ENTRY as FOREO
from protocols.gatt import Disconnect
from protocols.machine import DeviceProtocol, LocalProtocolError
from protocols.model import Event, Ready, Repeated, TotalStop
from rig.devices.dr05 import SimulatedDr05
from rig.devices.foreo import SimulatedForeo
from rig.devices.model import SimulatedDevice
from rig.facing import Facing

EXAMPLES = int(os.environ.get("COMPANION_EXAMPLES", "2000"))

CAP = 30
THIN_SKIN_CAP = 15
STEP = DR05.step_percent
SESSION_LIMIT_S = 20.0
ZONE_LIMIT_S = 8.0
STOP_S = 0.5
LOST_S = 0.2
UART_S = 0.03


def treat(zone: str, seconds: float, target: int, mode: int | None) -> PlannedStep:
    return PlannedStep(StepKind.TREAT, zone, "", seconds=seconds, zone=zone, target_percent=target, mode=mode)


PLAN = SessionPlan(
    routine="bench",
    title="Bench",
    steps=(
        PlannedStep(StepKind.PREPARE, "Gel", "", confirm=True),
        treat("left-cheek", 6.0, 30, 2),
        treat("forehead", 5.0, 15, 1),
        PlannedStep(StepKind.COOL, "Cool", "", seconds=2.0, cooling_c=8),
        treat("chin", 7.0, 20, 1),
        PlannedStep(StepKind.CARE, "Care", "", seconds=1.0),
        treat("left-cheek", 6.0, 25, 2),
    ),
    limits=Limits(
        lowest_percent=DR05.lowest_percent,
        step_percent=STEP,
        cap_percent=CAP,
        ramp_percent_per_s=DR05.ramp_percent_per_s,
        session_output_s=SESSION_LIMIT_S,
        zone_output_s=ZONE_LIMIT_S,
        zone_caps={"forehead": THIN_SKIN_CAP},
    ),
    comfortable_percent=CAP,
    profile=DR05,
)


class Bench:
    """One person's session on one simulated device: does for the engine what the runner does, in virtual time."""

    def __init__(
        self,
        plan: SessionPlan,
        device: SimulatedDevice,
        protocol: Callable[[], DeviceProtocol] = Dr05,
        *,
        delay_s: float = 0.008,
        jitter_s: float = 0.0,
        loss_told_first: bool = True,
    ) -> None:
        self.device = device
        self.limits = plan.limits
        self.new_protocol = protocol
        self.facing = Facing(
            protocol(),
            device,
            to_device_s=delay_s,
            to_host_s=delay_s,
            jitter_s=jitter_s,
            on_events=self._heard,
        )
        self.engine = SessionEngine(plan, 0.0)
        self._due = self.engine.deadline
        self.view = self.engine.view(0.0)
        self.journal: list[JournalEntry] = []
        self.loss_told_first = loss_told_first
        self.return_after_s = 1.0
        self.caps: list[tuple[float, int]] = []
        self.stopped_at: float | None = None
        self.consent_needed_since: float | None = None
        self.device_gone_by = -1.0
        self.cuts: list[tuple[float, float]] = []  # when the air went, and when the device notices
        self._return_at: float | None = None
        self._give_up_at = 0.0
        self._link_known_up = False
        self._ever_ready = False
        self._inputs: deque[Input] = deque()
        self._handling = False
        self.facing.start()

    @property
    def now(self) -> float:
        return self.facing.now

    # --- the runner's part --------------------------------------------------------------------------------------------

    def feed(self, given: Input) -> None:
        self._inputs.append(given)
        if self._handling:
            return
        self._handling = True
        while self._inputs:
            self._handle(self._inputs.popleft())
        self._handling = False

    def _handle(self, given: Input) -> None:
        if given is Intent.RESUME and self.view.can_resume:
            self.consent_needed_since = None
        step = self.engine.handle(given, self.now)
        self.view = step.view
        self._due = self.engine.deadline
        self.journal.extend(step.journal)
        for entry in step.journal:
            if entry.kind is JournalKind.INTENSITY and entry.data["state"] == "asked":
                zone = str(entry.data["zone"])
                self.caps.append((self.now, min(self.limits.cap_percent, self.limits.zone_caps.get(zone, 100))))
        for request in step.requests:
            if self.stopped_at is not None:
                assert isinstance(request, TotalStop | DropLink), f"{request} was sent after a stop"
            match request:
                case DropLink(reason):
                    if self.facing.link_up:
                        self.facing._queue(Disconnect(reason))
                case Reconnect(deadline):
                    self._return_at = self.now + self.return_after_s
                    self._give_up_at = deadline
                case _:
                    try:
                        self.facing.command(request)
                    except LocalProtocolError as error:
                        self._inputs.append(CommandRefused(request, str(error)))

    def _heard(self, events: list[Event], now: float) -> None:
        if self.loss_told_first:
            self._look_at_the_link()
        for event in events:
            if isinstance(event, Ready):
                self._link_known_up = True
                self.feed(LinkReady(first=not self._ever_ready, firmware=event.firmware))
                self._ever_ready = True
            elif not isinstance(event, Repeated):
                self.feed(DeviceSaid(event))

    def _look_at_the_link(self) -> None:
        if self._link_known_up and not self.facing.link_up:
            self._link_known_up = False
            self.consent_needed_since = self.now
            self.feed(LinkLost("out of reach"))

    def _come_back(self) -> None:
        if self.now >= self._give_up_at:
            self._return_at = None
            self.feed(ReconnectFailed("not found again"))
            return
        try:
            self.facing.reconnect(self.new_protocol())
        except ValueError:  # one of the two sides has not noticed yet that the old link is gone
            self._return_at = self.now + 0.1
        else:
            self._return_at = None

    # --- time ---------------------------------------------------------------------------------------------------------

    def run(self, seconds: float, reached: Callable[[], bool] | None = None) -> None:
        """Let that much time pass, or less when ``reached`` holds before."""
        facing = self.facing
        until = self.now + seconds
        while reached is None or not reached():
            target = until
            if self._due is not None and self._due < target:
                target = max(self.now, self._due)
            if self._return_at is not None and self._return_at < target:
                target = max(self.now, self._return_at)
            if facing.step(target - facing.now):
                if self._link_known_up and not facing.link_up:
                    self._look_at_the_link()
                continue
            facing.now = target
            if self._return_at is not None and target >= self._return_at:
                self._come_back()
            if self._due is not None and target >= self._due:
                self.feed(Tick())
                assert self._due is None or self._due > target, f"the engine asks again for a tick at {target} s"
            elif target >= until:
                return

    # --- what is done to it -------------------------------------------------------------------------------------------

    def intend(self, intent: Intent | Feels) -> None:
        if self.stopped_at is None and (intent is Intent.STOP or intent == Feels(Sensation.PAIN)):
            self.stopped_at = self.now
        self.feed(intent)

    def cut(self, device_after_s: float, host_after_s: float) -> None:
        self.device_gone_by = self.now + device_after_s
        self.cuts.append((self.now, self.device_gone_by))
        self.facing.lose_link(device_notices_after_s=device_after_s, host_notices_after_s=host_after_s)

    # --- the truth ----------------------------------------------------------------------------------------------------

    def output_at(self, time: float) -> float:
        level = 0.0
        for entry in self.device.trace:
            if entry.time > time:
                break
            level = entry.output_percent
        return level

    def output_s(self) -> float:
        changes = [(entry.time, entry.output_percent) for entry in self.device.trace]
        changes.append((self.now, 0.0))
        return sum(after[0] - before[0] for before, after in pairwise(changes) if before[1] > 0)

    def check(self) -> None:
        """Every promise about the output, judged on everything that has happened so far."""
        cap_at = deque(self.caps)
        cap = self.limits.cap_percent
        step = self.limits.step_percent
        rise_s = step / self.limits.ramp_percent_per_s
        level, changed_at = 0.0, -1.0
        for time, percent, cause in self.device.trace:
            while cap_at and cap_at[0][0] <= time:
                cap = cap_at.popleft()[1]
            assert percent <= cap, f"H1: {percent} % at {time} s ({cause}), where {cap} % is the most"
            if percent > level:
                if level == 0:
                    assert percent == self.limits.lowest_percent, (
                        f"H2: output started at {percent} % at {time} s ({cause})"
                    )
                else:
                    assert percent - level <= step, f"H2: from {level} to {percent} % at {time} s"
                    assert time - changed_at >= rise_s - 1e-6, f"H2: a rise {time - changed_at} s after the last change"
            if percent > 0 and self.consent_needed_since is not None:
                # what was on its way through the UART when the link went is still carried out
                known_by_all = max(self.consent_needed_since, self.device_gone_by) + UART_S
                assert time <= known_by_all, f"H5: output at {time} s, and nobody had asked to go on"
            level, changed_at = percent, time
        if self.stopped_at is not None:
            self._check_stop(self.stopped_at)
        for _, gone_by in self.cuts:
            if self.now >= gone_by + LOST_S:
                assert self.output_at(gone_by + LOST_S) == 0, (
                    f"output {LOST_S} s after the link was lost at {gone_by} s"
                )
        assert self.output_s() <= self.limits.session_output_s + STOP_S, "H6: more output than a session may have"
        summary = self.view.summary
        assert summary is None or summary.reason is not Reason.DEFECT, f"H8: {self.view.message}"
        if self.view.output is Output.OFF and self._link_known_up:
            assert self.device.output_percent(self.now) == 0, "H3: shown as off, and current was flowing"

    def _check_stop(self, at: float) -> None:
        zero_by = at + STOP_S
        for cut_at, gone_by in self.cuts:
            if cut_at <= at + STOP_S and gone_by >= at:
                # nothing gets through any more: the device has to notice the loss of the link by itself
                zero_by = max(zero_by, gone_by + LOST_S)
        if self.now < zero_by:
            return
        assert self.output_at(zero_by) == 0, f"H3: stop asked at {at} s, output still on at {zero_by} s"
        late = [entry for entry in self.device.trace if entry.time > zero_by and entry.output_percent > 0]
        assert not late, f"H3: output again after the stop: {late}"


def reply(type_: int, func: int, para: bytes = b"", state: int = 1) -> bytes:
    body = bytes((5 + len(para), 0x00, 0xA6, type_, state, func)) + para
    return b"\x55\xaa" + body + fastcrc.crc16.modbus(body).to_bytes(2, "big")


HOSTILE = st.one_of(
    st.binary(min_size=1, max_size=24),
    st.sampled_from(
        [
            reply(0x31, 0x03, b"\x01"),  # an echo of a start
            reply(0x32, 0x02, b"\x05"),  # echoes of levels
            reply(0x32, 0x02, b"\x0a"),
            reply(0x32, 0x02, b"\x64"),
            reply(0x32, 0x0D, b"\x01"),
            reply(0x32, 0x02, b"\x0a", state=0),
            reply(0x31, 0x06, state=0),
            reply(0x66, 0x07, b"\x00"),
            reply(0x66, 0x07, b"\x01"),
            reply(0x33, 0x40, b"\x02\x01"),
            reply(0x31, 0x06)[:6],
            reply(0x31, 0x03, b"\x00")[:-1] + b"\x00",
        ]
    ),
)
"""Whatever a broken device or a bad neighbour may say, but for a forged echo of a stop: nobody could tell that one."""


TROUBLES = ["radio fails", "water low", "water back"]
INTENTS = [Intent.MORE, Intent.LESS, Intent.SKIP, Intent.PAUSE, Intent.RESUME, Intent.CONFIRM, Intent.START]


def whole_session(bench: Bench) -> None:
    bench.run(30.0, lambda: bench.view.phase is Phase.READY)
    bench.intend(Intent.START)
    while bench.view.phase is not Phase.FINISHED:
        if bench.view.waits_for_confirm:
            bench.intend(Intent.CONFIRM)
        bench.run(20.0, lambda: bench.view.waits_for_confirm or bench.view.phase is Phase.FINISHED)
        bench.check()


@pytest.mark.parametrize("name", ["first-touch", "five-minute-lift", "full-face"])
def test_a_packaged_routine_is_guided_to_its_end_on_a_dr05(name: str) -> None:
    plan = plan_session(Library().get(name), DR05, comfortable_percent=60, first_session=False)
    bench = Bench(plan, SimulatedDr05())
    whole_session(bench)
    assert bench.view.summary is not None
    assert bench.view.summary.reason is Reason.COMPLETED
    assert set(bench.view.summary.zone_seconds) == {step.zone for step in plan.steps if step.kind is StepKind.TREAT}
    assert bench.view.summary.highest_percent == max(entry.output_percent for entry in bench.device.trace)


@pytest.mark.parametrize("name", ["first-touch", "pulse-cleanse"])
def test_a_packaged_routine_is_guided_to_its_end_on_a_foreo(name: str) -> None:
    protocol = FOREO.create("LUNA 4")
    plan = plan_session(Library().get(name), protocol.profile, comfortable_percent=50, first_session=False)
    bench = Bench(plan, SimulatedForeo("LUNA 4"), lambda: FOREO.create("LUNA 4"))
    whole_session(bench)
    assert bench.view.summary is not None
    assert bench.view.summary.reason is Reason.COMPLETED
    assert bench.view.battery_percent is not None


def test_h3_a_device_whose_firmware_hangs_is_stopped_by_the_end_of_the_link() -> None:
    device = SimulatedDr05()
    bench = Bench(PLAN, device)
    bench.run(30.0, lambda: bench.view.phase is Phase.READY)
    bench.intend(Intent.START)
    bench.intend(Intent.CONFIRM)
    bench.run(7.0)
    assert device.output_percent(bench.now) > 0
    device.set_silent(silent=True, now=bench.now)
    at = bench.now
    bench.intend(Intent.STOP)
    bench.run(0.5)
    assert bench.view.phase is Phase.STOPPING
    bench.run(1.0)
    assert bench.output_at(at + 1.0) == 0
    assert bench.view.summary is not None
    assert bench.view.summary.reason is Reason.STOPPED


class Faults(RuleBasedStateMachine):
    """Random people, random radios, random firmware trouble. Each example is one device and a few sessions with it."""

    bench: Bench

    @initialize(
        delay_s=st.sampled_from([0.004, 0.02, 0.06]),
        jitter_s=st.sampled_from([0.0, 0.015]),
        loss_told_first=st.booleans(),
        into_s=st.sampled_from([6.0, 5.0, 7.5, 0.0, 14.0]),
    )
    def begin(self, delay_s: float, jitter_s: float, loss_told_first: bool, into_s: float) -> None:
        device = SimulatedDr05(payload_bytes=20 if jitter_s else 7)
        self.bench = Bench(PLAN, device, delay_s=delay_s, jitter_s=jitter_s, loss_told_first=loss_told_first)
        self.bench.run(30.0, lambda: self.bench.view.phase is Phase.READY)
        self.bench.intend(Intent.START)
        self.bench.intend(Intent.CONFIRM)
        self.bench.run(into_s)

    @precondition(lambda self: self.bench.view.phase is not Phase.FINISHED)
    @rule(seconds=st.sampled_from([0.5, 2.0, 4.0, 7.0, 1.0, 0.2, 0.05, 0.01]))
    def wait(self, seconds: float) -> None:
        self.bench.run(seconds)

    @precondition(lambda self: self.bench.view.phase is not Phase.FINISHED)
    @rule(intents=st.lists(st.sampled_from(INTENTS), min_size=1, max_size=4), apart_s=st.sampled_from([0.03, 0.0, 0.4]))
    def want(self, intents: list[Intent], apart_s: float) -> None:
        for intent in intents:
            self.bench.intend(intent)
            self.bench.run(apart_s)

    @precondition(lambda self: self.bench.view.phase in (Phase.PAUSED, Phase.LINK_LOST))
    @rule(seconds=st.sampled_from([6.0, 3.0, 0.3]))
    def go_on(self, seconds: float) -> None:
        self.bench.run(4.0, lambda: self.bench.view.phase is not Phase.LINK_LOST)
        self.bench.run(0.2)
        self.bench.intend(Intent.RESUME)
        self.bench.run(seconds)

    @precondition(lambda self: self.bench.view.output is not Output.OFF)
    @rule(sensation=st.sampled_from([Sensation.TINGLING, Sensation.UNCOMFORTABLE, Sensation.NOTHING]))
    def feel(self, sensation: Sensation) -> None:
        self.bench.intend(Feels(sensation))

    @precondition(lambda self: self.bench.view.phase is not Phase.FINISHED)
    @rule(
        how=st.sampled_from([Intent.STOP, Feels(Sensation.PAIN)]),
        then=st.lists(st.sampled_from(INTENTS), max_size=3),
        later_s=st.sampled_from([0.6, 0.3, 3.0]),
    )
    def stop(self, how: Intent | Feels, then: list[Intent], later_s: float) -> None:
        self.bench.intend(how)
        for intent in then:
            self.bench.intend(intent)
            self.bench.run(0.02)
        self.bench.run(later_s)

    @precondition(lambda self: self.bench.view.phase is Phase.FINISHED)
    @rule(intents=st.lists(st.sampled_from(INTENTS), max_size=3), into_s=st.sampled_from([7.0, 5.0]))
    def once_more(self, intents: list[Intent], into_s: float) -> None:
        """A finished session stays finished, whatever is asked of it; then comes the next one."""
        for intent in intents:
            self.bench.intend(intent)
        self.bench.run(1.0)
        self.bench.check()
        self.begin(delay_s=0.008, jitter_s=0.0, loss_told_first=True, into_s=into_s)

    @rule(nth=st.integers(1, 3), and_more=st.integers(0, 3))
    def lose_notifications(self, nth: int, and_more: int) -> None:
        for more in range(and_more + 1):
            self.bench.facing.drop_notification(nth + more)

    @precondition(lambda self: self.bench.facing.link_up and self.bench.facing._air)
    @rule(
        device_after_s=st.sampled_from([0.0, 0.1, 0.7]),
        host_after_s=st.sampled_from([0.0, 0.1, 0.9]),
        return_after_s=st.sampled_from([0.5, 3.0, 70.0]),
    )
    def cut(self, device_after_s: float, host_after_s: float, return_after_s: float) -> None:
        self.bench.return_after_s = return_after_s
        self.bench.cut(device_after_s, host_after_s)

    @rule(what=st.one_of(HOSTILE, st.sampled_from(TROUBLES)), in_s=st.floats(0.0, 0.3))
    def trouble(self, what: bytes | str, in_s: float) -> None:
        if isinstance(what, bytes):
            self.bench.facing.inject(what, in_s=in_s)
        elif what == "radio fails":
            self.bench.facing.fail_operation()
        else:
            self.bench.device.set_water_low(what == "water low", self.bench.now)

    @invariant()
    def output_keeps_every_promise(self) -> None:
        if hasattr(self, "bench"):
            self.bench.check()

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.bench.run(1.5)
            self.bench.check()


class TestFaults(Faults.TestCase):  # type: ignore[misc, valid-type]
    """H1, H2, H3, H5, H6: output never above the clamp, never faster than the ramp, off in time, never on by itself."""

    settings = settings(
        max_examples=EXAMPLES,
        stateful_step_count=20,
        deadline=None,
        derandomize=EXAMPLES == 2000,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


TestFaults = pytest.mark.slow(TestFaults)
