"""Every order in which radio, device, echoes, losses and the person can act: what is believed of the output holds.

A radio in which urgent writes overtake what waits, a device that handles and answers in order, and echoes that may be
late or lost are driven through random steps. Whenever the protocol says that there is no output, there is none, and
nothing on its way can start it; the level never exceeds what was asked for, nor rises faster than the ramp.
"""

from __future__ import annotations

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocols.dr05 import PROFILE, SETTLE_S, Dr05
from protocols.gatt import Disconnect, Write
from protocols.machine import LocalProtocolError, Reaction
from protocols.model import (
    Command,
    QueryTemperature,
    SelectMode,
    SetCoolingTarget,
    SetIntensity,
    StartOutput,
    StopOutput,
    TotalStop,
)
from tests.protocols.talk import ACCEPTED, FFE1, GET_VERSION, LOWEST, REFUSED, SERVICES, START, STEP, TOTAL_STOP, reply

RAMP = PROFILE.ramp_percent_per_s


class Races(RuleBasedStateMachine):
    """``radio``: what waits there; ``line``: what is on its way to the device; ``echoes``: what is on its way back."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.protocol = Dr05()
        self.reports = True
        self.radio: list[Write] = []
        self.unreported: deque[Write] = deque()
        self.line: deque[bytes] = deque()
        self.echoes: deque[bytes] = deque()
        self.dropped = False
        self.running, self.level_set, self.level = False, 0, 0
        self.rose_at = -1e9

    # --- the world ---------------------------------------------------------------------------------------------------

    def take(self, reaction: Reaction) -> None:
        for operation in reaction.operations:
            match operation:
                case Write(urgent=True):
                    ahead = sum(write.urgent for write in self.radio)
                    self.radio.insert(ahead, operation)
                case Write():
                    self.radio.append(operation)
                case Disconnect():
                    self.dropped = True

    def put_out(self, level: int) -> None:
        if level > self.level:
            assert level - self.level <= STEP, f"a jump from {self.level} to {level} %"
            assert self.level == 0 or self.now - self.rose_at >= STEP / RAMP - 1e-9, "faster than the ramp"
            self.rose_at = self.now
        self.level = level

    def obey(self, kind: int, func: int, para: int) -> None:
        match kind, func:
            case 0x31, 0x03 if para == 1:
                self.running = True
                self.level_set = self.level_set or 50
                self.put_out(self.level_set)
            case 0x31, 0x03 | 0x06:
                self.running = False
                self.put_out(0)
            case 0x32, 0x02:
                if self.running:
                    self.level_set = para
                    self.put_out(para)
                else:
                    self.level_set = para or self.level_set
            case 0x32, 0x0D if self.running:
                self.level_set = self.level_set or 50
                self.put_out(self.level_set)

    @initialize(reports=st.booleans())
    def link(self, reports: bool) -> None:
        self.reports = reports
        self.protocol.start(SERVICES, -SETTLE_S)
        self.protocol.deadline_passed(0.0)
        self.protocol.data_received(FFE1, reply(GET_VERSION, more=b"\x02\x01"), 0.0)
        self.take(self.protocol.data_received(FFE1, reply(TOTAL_STOP), 0.0))
        assert not self.protocol.output_possible

    # --- what can happen ---------------------------------------------------------------------------------------------

    @rule(
        command=st.one_of(
            st.sampled_from([TotalStop(), StopOutput(), QueryTemperature(), SetCoolingTarget(10), SelectMode(2)]),
            st.sampled_from([StartOutput(), SetIntensity(LOWEST)]),
            st.builds(SetIntensity, st.sampled_from([0, *(LOWEST + rises * STEP for rises in range(4)), 5, 50])),
        )
    )
    def ask(self, command: Command) -> None:
        try:
            reaction = self.protocol.command(command, self.now)
        except LocalProtocolError:
            assert not isinstance(command, TotalStop | StopOutput)
            return
        self.take(reaction)

    @precondition(lambda self: not self.protocol.output_possible)
    @rule()
    def ask_for_a_start(self) -> None:
        """Random commands alone seldom get as far as an output."""
        self.ask(SetIntensity(LOWEST))
        self.all_goes_well()
        self.ask(StartOutput())

    @rule(wait=st.sampled_from([0.01, 0.1, 0.3, 0.5, 2.0]))
    def wait(self, wait: float) -> None:
        self.now += wait
        self.take(self.protocol.deadline_passed(self.now))

    @precondition(lambda self: self.radio)
    @rule()
    def radio_sends(self) -> None:
        write = self.radio.pop(0)
        self.line.append(write.data)
        self.unreported.append(write)

    @precondition(lambda self: self.reports and self.unreported)
    @rule()
    def radio_reports(self) -> None:
        self.take(self.protocol.operation_done(self.unreported.popleft(), self.now))

    @precondition(lambda self: self.reports and self.radio)
    @rule(arrives=st.booleans())
    def radio_fails(self, arrives: bool) -> None:
        """What was sent before is reported first: reports come in the order in which operations were performed."""
        while self.unreported:
            self.radio_reports()
        if not self.radio:
            return
        write = self.radio.pop(0)
        if arrives:
            self.line.append(write.data)
        self.take(self.protocol.operation_failed(write, "gone", self.now))

    @precondition(lambda self: self.line)
    @rule(spoilt=st.sampled_from([False, False, False, True]))
    def device_handles(self, spoilt: bool) -> None:
        request = self.line.popleft()
        if request[-2:] != reply(request, request[6])[-2:]:
            spoilt = True  # low byte first: this device reads high first
        if spoilt:
            self.echoes.append(reply(request, REFUSED))
            return
        self.obey(request[5], request[7], request[8])
        self.echoes.append(reply(request, ACCEPTED, b"\x00\xfb" if request[5] == 0x33 else b""))

    @precondition(lambda self: self.echoes)
    @rule(count=st.integers(1, 3))
    def echoes_arrive(self, count: int) -> None:
        for _ in range(min(count, len(self.echoes))):
            self.take(self.protocol.data_received(FFE1, self.echoes.popleft(), self.now))

    @precondition(lambda self: self.echoes)
    @rule()
    def echo_is_lost(self) -> None:
        self.echoes.popleft()

    @precondition(lambda self: self.radio and not self.line and not self.echoes)
    @rule()
    def one_write_goes_round(self) -> None:
        """Whatever is first in the radio is handled and answered, and the rest goes on waiting."""
        self.radio_sends()
        self.device_handles(spoilt=False)
        self.echoes_arrive(1)

    @rule()
    def all_goes_well(self) -> None:
        """Everything on its way arrives; random steps alone seldom get as far as an output that rises."""
        for _ in range(100):
            if self.radio:
                self.radio_sends()
            elif self.reports and self.unreported:
                self.radio_reports()
            elif self.line:
                self.device_handles(spoilt=False)
            elif self.echoes:
                self.echoes_arrive(1)
            else:
                return

    # --- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def no_output_is_known_only_where_none_is_and_none_can_come(self) -> None:
        if not self.protocol.output_possible:
            assert not self.running
            on_their_way = [*self.line, *(write.data for write in self.radio)]
            assert START not in on_their_way

    def teardown(self) -> None:
        """Whatever happened: a stop from here ends the output, or the link."""
        self.take(self.protocol.command(TotalStop(), self.now))
        for _ in range(10):
            self.all_goes_well()
            if not self.protocol.output_possible or self.dropped:
                break
            self.wait(0.3)
        assert self.dropped or not self.protocol.output_possible
        assert self.dropped or not self.running


RacesTest = Races.TestCase
RacesTest.settings = settings(max_examples=250, stateful_step_count=40)
