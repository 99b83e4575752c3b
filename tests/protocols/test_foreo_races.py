"""Every order in which a radio can perform, delay and fail what FOREO's protocol asks for: a stop still wins.

Urgent writes overtake what waits; responses come in the order of performing; a failed write may have arrived or not.
"""

from __future__ import annotations

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocols.foreo import PULSATION, SERVICE, Foreo
from protocols.gatt import Characteristic, Disconnect, Property, Service, Write
from protocols.machine import LocalProtocolError, Reaction
from protocols.model import Command, SetIntensity, StartOutput, StopOutput, TotalStop


class Races(RuleBasedStateMachine):
    """``radio``: what waits there; ``responses``: what the device has done and the host has not heard of."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.protocol = Foreo("BEAR2")
        self.radio: list[Write] = []
        self.responses: deque[Write] = deque()
        self.level = 0
        self.rose_at = -1e9
        self.dropped = False

    def take(self, reaction: Reaction) -> None:
        for operation in reaction.operations:
            match operation:
                case Write(urgent=True):
                    self.radio.insert(sum(write.urgent for write in self.radio), operation)
                case Write():
                    self.radio.append(operation)
                case Disconnect():
                    self.dropped = True

    def obey(self, write: Write) -> None:
        level = write.data[2]
        if level > self.level:
            # A level that a stop has overtaken is a level of before the stop, with the second stop right behind it.
            if not any(write.data[2] == 0 for write in self.radio):
                assert level - self.level == 1, f"a jump from {self.level} to {level}"
                assert self.level == 0 or self.now - self.rose_at >= 1.0 - 1e-9, "faster than the ramp"
            self.rose_at = self.now
        self.level = level

    @initialize()
    def link(self) -> None:
        control = Characteristic(PULSATION, Property.WRITE)
        self.take(self.protocol.start((Service(SERVICE, (control,)),), 0.0))
        self.all_goes_well()
        assert not self.protocol.output_possible

    @rule(
        command=st.one_of(
            st.sampled_from([TotalStop(), StopOutput(), StartOutput(), SetIntensity(10)]),
            st.builds(SetIntensity, st.sampled_from([0, 10, 20, 30])),
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
        self.ask(SetIntensity(10))
        self.ask(StartOutput())

    @rule(wait=st.sampled_from([0.01, 0.3, 1.0, 2.0]))
    def wait(self, wait: float) -> None:
        self.now += wait
        self.take(self.protocol.deadline_passed(self.now))

    @precondition(lambda self: self.radio)
    @rule()
    def radio_performs(self) -> None:
        write = self.radio.pop(0)
        self.obey(write)
        self.responses.append(write)

    @precondition(lambda self: self.responses)
    @rule()
    def response_comes(self) -> None:
        self.take(self.protocol.operation_done(self.responses.popleft(), self.now))

    @precondition(lambda self: self.radio)
    @rule(arrives=st.booleans())
    def radio_fails(self, arrives: bool) -> None:
        while self.responses:
            self.response_comes()
        write = self.radio.pop(0)
        if arrives:
            self.obey(write)
        self.take(self.protocol.operation_failed(write, "gone", self.now))

    @precondition(lambda self: self.radio and not self.responses)
    @rule()
    def one_write_goes_round(self) -> None:
        """Whatever is first in the radio is performed and answered, and the rest goes on waiting."""
        self.radio_performs()
        self.response_comes()

    @rule()
    def all_goes_well(self) -> None:
        for _ in range(100):
            if self.radio:
                self.radio_performs()
            elif self.responses:
                self.response_comes()
            else:
                return

    @invariant()
    def no_output_is_known_only_where_none_is_and_none_can_come(self) -> None:
        if not self.protocol.output_possible:
            assert self.level == 0
            assert not [write for write in self.radio if write.data[2]]

    def teardown(self) -> None:
        self.take(self.protocol.command(TotalStop(), self.now))
        for _ in range(5):
            self.all_goes_well()
            if self.dropped or not self.protocol.output_possible:
                break
            self.wait(0.3)
        assert self.dropped or not self.protocol.output_possible


RacesTest = Races.TestCase
RacesTest.settings = settings(max_examples=150, stateful_step_count=30)
