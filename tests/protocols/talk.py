"""A conversation with one Dr-05 in which the test plays the device, byte for byte, and the clock."""

from __future__ import annotations

from protocols.dr05 import PROFILE, SETTLE_S, Dr05
from protocols.frames import ChecksumOrder, encode
from protocols.gatt import Characteristic, Operation, Property, Service, Write, uuid
from protocols.machine import Reaction
from protocols.model import Command, Event, SetIntensity, StartOutput

FFE1 = uuid("ffe1")
SERVICES = (Service(uuid("ffe0"), (Characteristic(FFE1, Property.NOTIFY | Property.WRITE_WITHOUT_RESPONSE),)),)

LOWEST, STEP = PROFILE.lowest_percent, PROFILE.step_percent
RISE_S = STEP / PROFILE.ramp_percent_per_s
"""How long one step takes on the ramp."""

HIGH, LOW = ChecksumOrder.HIGH_FIRST, ChecksumOrder.LOW_FIRST
ACTION, SET, GET, REPORT = 0x31, 0x32, 0x33, 0x66
REFUSED, ACCEPTED, REQUEST = 0x00, 0x01, 0x02

TOTAL_STOP = encode(ACTION, REQUEST, 0x06)
STOP = encode(ACTION, REQUEST, 0x03, b"\x00")
START = encode(ACTION, REQUEST, 0x03, b"\x01")
GET_VERSION = encode(GET, REQUEST, 0x40)


def energy(percent: int) -> bytes:
    return encode(SET, REQUEST, 0x02, bytes((percent,)))


def reply(request: bytes, state: int = ACCEPTED, more: bytes = b"", order: ChecksumOrder = HIGH) -> bytes:
    """The device's reply to a request: its echo in ``state``, longer by ``more``."""
    return encode(request[5], state, request[7], request[8:-2] + more, order=order)


class Talk:
    """Holds the protocol, the time, and everything that came out; ``writes`` and ``events`` are since the last look."""

    def __init__(self, services: tuple[Service, ...] = SERVICES) -> None:
        self.now = 0.0
        self.protocol = Dr05()
        self.operations: list[Operation] = []
        self.events: list[Event] = []
        self._services = services

    @classmethod
    def ready(cls) -> Talk:
        """A link whose handshake is over, with nothing of it left to look at."""
        talk = cls()
        talk.begin()
        talk.hears(reply(GET_VERSION, more=b"\x02\x01"))
        talk.hears(reply(TOTAL_STOP))
        talk.look()
        return talk

    @classmethod
    def running(cls) -> Talk:
        """A link with output started at the lowest level and acknowledged at second 0."""
        talk = cls.ready()
        talk.asks(SetIntensity(LOWEST), answered=True)
        talk.asks(StartOutput(), answered=True)
        talk.look()
        return talk

    def take(self, reaction: Reaction) -> None:
        self.operations += reaction.operations
        self.events += reaction.events

    def connects(self) -> None:
        """The link's start, so long before second 0 that the first question is due at second 0."""
        self.now = -SETTLE_S
        self.take(self.protocol.start(self._services, self.now))

    def begin(self) -> None:
        """The link's start and what the firmware takes to listen; at second 0 the first question is asked."""
        self.connects()
        self.waits(SETTLE_S)
        assert self.now == 0.0

    def asks(self, command: Command, *, answered: bool = False) -> None:
        """Submit a command; ``answered``: the device accepts what is written for it."""
        before = len(self.operations)
        self.take(self.protocol.command(command, self.now))
        if answered:
            for operation in self.operations[before:]:
                assert isinstance(operation, Write)
                self.hears(reply(operation.data))

    def hears(self, data: bytes, characteristic: str = FFE1) -> None:
        self.take(self.protocol.data_received(characteristic, data, self.now))

    def waits(self, seconds: float) -> None:
        """Let time pass, with every deadline on the way met to the moment."""
        until = self.now + seconds
        while (deadline := self.protocol.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.take(self.protocol.deadline_passed(self.now))
            assert self.protocol.deadline != deadline, f"the deadline {deadline} s was met and does not move"
        self.now = until

    def look(self) -> tuple[list[bytes], list[Event]]:
        """What was written, as bytes, and told since the last look."""
        writes = [operation.data for operation in self.operations if isinstance(operation, Write)]
        events = self.events
        self.operations, self.events = [], []
        return writes, events
