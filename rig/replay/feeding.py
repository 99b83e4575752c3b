"""A transcript's bytes through the protocol's machine and its listener, at their recorded times.

Knows when who is told what, and when the recorded app parts from what the machine would do. Refuses to know any device,
files and clocks: :mod:`rig.replay.decoder` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Final, NamedTuple, TypeGuard

from protocols.gatt import Disconnect, Operation, Read, Subscribe, Write
from protocols.listening import Heard, Listener
from protocols.machine import DeviceProtocol, LocalProtocolError, Reaction, UnsupportedDeviceError
from protocols.model import (
    Command,
    Event,
    Fault,
    HandshakeFailed,
    KeepAlive,
    Repeated,
    SetIntensity,
    StartOutput,
    Unanswered,
    Unrecognised,
)
from protocols.registry import ProtocolEntry, Registry, UnknownProtocolError
from rig.capture.events import DeviceEvent
from rig.replay.conversation import in_words, meaning, nearest, value_text
from rig.replay.coverage import Reached, name_of
from rig.replay.exchanges import Exchange, Place, Transcript, written_by_the_app
from rig.replay.from_capture import protocol_of
from rig.replay.outcome import Difference, DifferenceKind
from rig.replay.transcript import error_name, short_uuid

GRACE_NS: Final = 2_000_000_000
"""How long the recorded app may take to do what the machine asks for: ATT queues requests behind one another."""
GRACE_AT_THE_END_NS: Final = 100_000_000
"""How long before the end of the link or the recording the machine must have asked for something that is then missed: a
radio that has nothing else to do takes two or three connection intervals."""
EARLY_S: Final = 0.05
"""By how much the recorded app may be ahead of the machine's clock until its first command: a recording does not tell
when exactly the app's own machine was started, only when its first request was on the air."""
KEEP_ALIVE_GRACE_S: Final = 0.25
"""How late a recorded keep-alive may be on the air: the app's timer fires late, and the radio has to be free. Waiting
for it lets the recording set the pace: the machine's own clock would run ahead by a little with each one."""
MAX_STEPS_AT_ONE_INSTANT: Final = 1000


@dataclass(slots=True)
class EventLine:
    """One exchange and what was made of it, or something that the protocol said with no exchange: a deadline."""

    at_ns: int
    index: int | None
    """Which exchange of the transcript; None for a deadline's."""
    exchange: Exchange | None
    heard: list[Heard] = field(default_factory=list)
    """What the listener made of it."""
    told: list[Event] = field(default_factory=list)
    """Events of the protocol's machine."""
    note: str = ""
    """Where and why the recorded app parts from the machine, which is set aside from here on."""

    @property
    def heard_texts(self) -> tuple[str, ...]:
        """What the listener made of it, in words without times."""
        return tuple(heard_text(heard) for heard in self.heard)

    @property
    def told_texts(self) -> tuple[str, ...]:
        """What the machine said, in words without times."""
        return (*(told_text(event) for event in self.told), *((self.note,) if self.note else ()))

    @property
    def text(self) -> str:
        """The whole as one line for people, with its time."""
        what = "protocol" if self.exchange is None else in_words(self.exchange)
        means = meaning(self.heard_texts, self.told_texts)
        return f"{self.at_ns / 1e9:10.6f}  {what}" + (f"  # {means}" if means else "")


def heard_text(heard: Heard) -> str:
    """What a listener heard, in the words of ``rig decode --events``, without its latency."""
    name, data = _name_and_data(heard.what)
    return DeviceEvent(0, 0, 0, "", heard.by, heard.kind, name, data, heard.reason, None, "", 0, heard.data).text


def told_text(event: Event) -> str:
    """What a machine said, in words, without its latency: ``rejected set intensity 1 %: overtaken by a stop``."""
    if isinstance(event, Unrecognised):
        return f"not understood: {event.reason}"  # the bytes are the exchange's, and said there
    command: Command | None = getattr(event, "command", None)
    name, data = _name_and_data(event)
    if command is not None:
        name = f"{name} {what_text(command)}"
    reason = data.pop("reason", "")
    text = DeviceEvent(0, 0, 0, "", "device", "event", name, data, "", None, "", 0, b"").text
    return f"{text}: {reason}" if reason else text


def what_text(what: Command | Event) -> str:
    """A command or an event in words: ``set intensity 20 %``."""
    name, data = _name_and_data(what)
    return DeviceEvent(0, 0, 0, "", "host", "command", name, data, "", None, "", 0, b"").text


def _name_and_data(what: Command | Event | None) -> tuple[str, dict[str, object]]:
    if what is None:
        return "", {}
    left_out = {"command", "latency_s"}  # told apart; and a time, which is compared as times are
    values = {one.name: getattr(what, one.name) for one in fields(what) if one.name not in left_out}
    return name_of(type(what)), {
        key: value.hex(" ") if isinstance(value, bytes) else value if isinstance(value, int | float) else str(value)
        for key, value in values.items()
        if value is not None
    }


class _Pending(NamedTuple):
    """What the machine has asked for and the recorded app has not done yet."""

    since_ns: int
    operation: Operation
    said: EventLine | None
    """After what; None for a deadline."""


class DecoderRun:
    """One transcript on its way through the protocol. :meth:`steps` says what is due when, :meth:`take` does it.

    The listener hears everything. The machine is told what the device said, and its deadlines come in between. What
    the recorded app wrote is compared with what the machine would write: it has asked for it by itself, or is given
    the command that the listener has heard. As soon as the app does otherwise, or leaves out what the machine asks for,
    that is a difference and the machine is set aside, because what it believes is then no longer so.

    Args:
        transcript: what was recorded.
        registry: the protocols there are; None: the built-in and the installed ones.
    """

    def __init__(self, transcript: Transcript, registry: Registry | None = None) -> None:
        self.transcript = transcript
        self.lines: list[EventLine] = []
        self.differences: list[Difference] = []
        """Where the recording is not what the protocol itself would do, or is not understood."""
        self.entry: ProtocolEntry | None = None
        self.problem = ""
        """Why no machine could be made for this recording, in one sentence; empty when one could."""
        self._listener: Listener | None = None
        self._machine: DeviceProtocol | None = None
        self._started = False
        self._commanded = False
        self._skew_s = 0.0
        self._pending: list[_Pending] = []
        self._under_way: dict[int, Operation] = {}
        self._subscribed: set[str] = set()
        self._keeps_alive: Write | None = None  # the keep-alive that the machine asked for last
        self._overtaken: Write | None = None  # the same, once a stop may have overtaken it on its way to the radio
        self._asked_at: dict[Command, int] = {}
        self._line_of: dict[int, EventLine] = {}
        self._choose(registry or Registry.default())
        self.reached = Reached(self.entry)

    def _choose(self, registry: Registry) -> None:
        key = self.transcript.protocol or protocol_of(self.transcript, registry)
        if not key:
            self.problem = "no protocol knows this device by its name, its services and what is said"
            return
        try:
            self.entry = registry.get(key)
        except UnknownProtocolError as error:
            self.problem = str(error)
            return
        if self.entry.listen is not None:
            self._listener = self.entry.listen(self.transcript.name or None)
        try:
            self._machine = self._made(self.entry)
        except UnsupportedDeviceError as error:
            self.problem = str(error)

    def _made(self, entry: ProtocolEntry) -> DeviceProtocol:
        if entry.recreate is None:
            return entry.create(self.transcript.name)
        return entry.recreate(self.transcript.name, written_by_the_app(self.transcript))

    # --- time ---------------------------------------------------------------------------------------------------------

    def steps(self) -> list[tuple[int, int, bool]]:
        """What is due when, in order: time in nanoseconds, index of the exchange, whether it is its answer."""
        found: list[tuple[int, int, bool]] = []
        for index, exchange in enumerate(self.transcript.exchanges):
            found.append((exchange.at_ns, index, False))
            if exchange.answered_ns is not None:
                found.append((exchange.at_ns + exchange.answered_ns, index, True))
        found.sort()
        return found

    def take(self, at_ns: int, index: int, answer: bool) -> None:
        """Do one of :meth:`steps`; they are to be taken in their order."""
        exchange = self.transcript.exchanges[index]
        if self._machine is not None and self._started:
            # Where both are due at once the device has the benefit of the doubt, and the app was told before it acts.
            self._let_time_pass(at_ns, inclusive=exchange.by == "app" and not answer)
        if answer:
            self._answered(self._line_of[index], exchange, index, at_ns)
            return
        line = self._line_of[index] = EventLine(at_ns, index, exchange)
        self.lines.append(line)
        if exchange.by == "device":
            self._device(line, exchange, at_ns)
        else:
            self._app(line, exchange, index, at_ns)
        if exchange.does == "disconnect":
            self._asked_for(exchange)
            self._overdue(at_ns, GRACE_AT_THE_END_NS)
        if exchange.does == "disconnect" and self._machine is not None:
            self._react(self._machine.link_lost(self._now(at_ns)), at_ns, line)
            self._machine = None

    def finish(self) -> None:
        """The transcript is over. What the machine still waits for is left as it is: the recording may be cut."""
        if self._machine is not None and self.lines:
            self._overdue(self.lines[-1].at_ns, GRACE_AT_THE_END_NS)
        self._machine = None

    def _now(self, at_ns: int) -> float:
        return at_ns / 1e9 + self._skew_s

    def _let_time_pass(self, until_ns: int, *, inclusive: bool) -> None:
        machine, until = self._machine, self._now(until_ns)
        steps = 0
        while machine is not None:
            due = machine.deadline
            if due is None or due > until or (due == until and not inclusive):
                break
            if due == machine.keep_alive_at and until <= due + KEEP_ALIVE_GRACE_S:
                break
            at_ns = round((due - self._skew_s) * 1e9)
            self._overdue(at_ns)
            if self._machine is None:
                return
            self._react(machine.deadline_passed(due), at_ns, None)
            steps += 1
            if steps > MAX_STEPS_AT_ONE_INSTANT and machine.deadline == due:
                self._set_aside("different", None, at_ns, "the protocol's deadline does not move: a defect in it")
            machine = self._machine
        self._overdue(until_ns)

    def _overdue(self, now_ns: int, grace_ns: int = GRACE_NS) -> None:
        """Part from a recording that leaves out what the machine has asked for."""
        if self._pending and now_ns - self._pending[0].since_ns > grace_ns:
            self._left_out(self._pending[0], now_ns)

    def _left_out(self, pending: _Pending, now_ns: int) -> None:
        since_ns, operation, said = pending
        told = [event for line in self.lines if line.at_ns == since_ns and line.index is None for event in line.told]
        again = next((event.command for event in told if isinstance(event, Repeated | Unanswered)), None)
        wanted = operation_text(operation)
        if again is not None:
            index = self._asked_at.get(again)
            which = "" if index is None else f" (exchange {index}, at {self._at_text(index)})"
            text = (
                f"missing: no acknowledgement of {what_text(again)}{which} came in time; "
                f"the protocol would go on with {wanted}, the recording does not"
            )
            self._set_aside("missing", index, now_ns, text)
            return
        # An indication is confirmed: the recorded app has had to do what it brings about. A notification may be lost.
        exchange = None if said is None else said.exchange
        if (
            said is not None
            and exchange is not None
            and exchange.does == "indication"
            and any(isinstance(one, Repeated) for one in said.told)
        ):
            means = meaning(said.heard_texts, said.told_texts)
            text = (
                f"missing: after exchange {said.index}, {in_words(exchange)} ({means}), the protocol would "
                f"{wanted}, the recording does not"
            )
            self._set_aside("missing", said.index, now_ns, text)
            return
        text = f"missing: the protocol would {wanted} at {since_ns / 1e9:.3f} s, the recording does not"
        self._set_aside("missing", None, now_ns, text)

    def _at_text(self, index: int) -> str:
        return f"{self.transcript.exchanges[index].at_ns / 1e9:.3f} s"

    # --- the app ------------------------------------------------------------------------------------------------------

    def _app(self, line: EventLine, exchange: Exchange, index: int, at_ns: int) -> None:
        if exchange.does in {"subscribe", "unsubscribe", "write", "write_command"}:
            self._start(line, at_ns)
        writes = exchange.does in {"write", "write_command"}
        if writes and self._listener is not None and exchange.to is not None:
            heard = self._listener.written(_characteristic(exchange.to), exchange.value or b"", at_ns / 1e9)
            self._hear(line, heard, index)
        keeps_alive = writes and self._is_keep_alive(exchange)
        if keeps_alive:
            self.reached.command(KeepAlive())
        if self._machine is None:
            return
        if exchange.does == "subscribe" and exchange.to is not None:
            self._subscribed.add(_characteristic(exchange.to))
        operation = self._asked_for(exchange)
        if operation is None and keeps_alive and self._was_overtaken(exchange):
            return
        if operation is None and keeps_alive:
            operation = self._command(line, exchange, index, at_ns, KeepAlive())
        elif operation is None and writes:
            operation = self._asked_of_the_machine(line, exchange, index, at_ns)
        if operation is None or self._machine is None:
            return
        if exchange.does == "write_command":
            self._react(self._machine.operation_done(operation, self._now(at_ns)), at_ns, line)
        else:
            self._under_way[index] = operation

    def _start(self, line: EventLine, at_ns: int) -> None:
        """Begin the handshake with the app's first request that a protocol can have asked for."""
        if self._started or self._machine is None:
            return
        self._started = True
        self._note_state()
        try:
            reaction = self._machine.start(self.transcript.services, self._now(at_ns))
        except UnsupportedDeviceError as error:
            self.problem = str(error)
            self._machine = None
            return
        self._react(reaction, at_ns, line)

    def _asked_for(self, exchange: Exchange) -> Operation | None:
        """Take out and return the operation that the machine waits for and the app now does."""
        for at, pending in enumerate(self._pending):
            if _is_the_same(pending.operation, exchange):
                del self._pending[at]
                return pending.operation
        return None

    def _asked_of_the_machine(self, line: EventLine, exchange: Exchange, index: int, at_ns: int) -> Operation | None:
        """Give the machine the command that the listener heard; None, and a difference, where it writes otherwise."""
        machine = self._machine
        assert machine is not None  # noqa: S101 - the caller looked
        if not self._commanded:
            due, now = machine.deadline, self._now(at_ns)
            if due is not None and now < due <= now + EARLY_S:
                self._skew_s += due - now
                self._react(machine.deadline_passed(due), at_ns, line)
                operation = self._asked_for(exchange)
                if operation is not None:
                    return operation
        for heard in line.heard:
            if heard.by != "host":
                continue
            if heard.kind != "command" or not _is_command(heard.what):
                self._part(
                    line, "refused", exchange, index, f"the protocol would never write this ({heard_text(heard)})"
                )
                return None
            operation = self._command(line, exchange, index, at_ns, heard.what)
            if operation is not None or self._machine is None:
                return operation
        return None  # a characteristic of no interest, or a piece of a frame

    def _is_keep_alive(self, exchange: Exchange) -> bool:
        if self.entry is None or exchange.to is None:
            return False
        return self.entry.recorded.is_keep_alive(_characteristic(exchange.to), exchange.value or b"")

    def _was_overtaken(self, exchange: Exchange) -> bool:
        """Whether it is the keep-alive that a stop, which waits for nothing, has overtaken: one, until the answer.

        The machine has given it up by then, and its answer, too, is nothing to it. Another than the machine's own is
        not taken for it.
        """
        overtaken, stopping = self._overtaken, self._machine is not None and self._machine.output_possible
        if overtaken is None or not stopping or not _is_the_same(overtaken, exchange):
            return False
        self._overtaken = None
        return True

    def _note_keep_alives(self, operations: Iterable[Operation]) -> None:
        for operation in operations:
            if not isinstance(operation, Write) or self.entry is None:
                continue
            if operation.urgent and self._keeps_alive is not None:
                self._overtaken, self._keeps_alive = self._keeps_alive, None
            elif self.entry.recorded.is_keep_alive(operation.characteristic, operation.data):
                self._keeps_alive, self._overtaken = operation, None

    def _command(
        self, line: EventLine, exchange: Exchange, index: int, at_ns: int, command: Command
    ) -> Operation | None:
        machine = self._machine
        assert machine is not None  # noqa: S101 - the caller looked
        self._commanded = True
        at_rest = not machine.output_possible
        try:
            reaction = machine.command(command, self._now(at_ns))
            self._react(reaction, at_ns, line)
            if isinstance(command, SetIntensity) and at_rest and not reaction.operations:
                # A device without a level apart from its motion: the level that is written *is* the start.
                self._react(machine.command(StartOutput(), self._now(at_ns)), at_ns, line)
                self.reached.command(StartOutput())
        except LocalProtocolError as error:
            self._part(line, "refused", exchange, index, f"the protocol forbids {what_text(command)} here: {error}")
            return None
        operation = self._asked_for(exchange)
        if operation is None:
            near = nearest(
                exchange, [(at, _as_exchange(one.operation, exchange)) for at, one in enumerate(self._pending)]
            )
            would = "write nothing now" if near is None else f"do otherwise: {near.how}"
            why = f"to {what_text(command)} the protocol would {would}"
            self._part(line, "different", exchange, index, why)
        return operation

    def _answered(self, line: EventLine, exchange: Exchange, index: int, at_ns: int) -> None:
        now = self._now(at_ns)
        operation = self._under_way.pop(index, None)
        reason = "" if exchange.error is None else error_name(exchange.error)
        if operation is not None and self._machine is not None:
            machine = self._machine
            if reason:
                self._react(machine.operation_failed(operation, reason, now), at_ns, line)
            else:
                self._react(machine.operation_done(operation, now), at_ns, line)
        if exchange.to is None:
            return
        characteristic = _characteristic(exchange.to)
        if exchange.does == "write" and self._listener is not None:
            self._hear(
                line, self._listener.write_answered(characteristic, exchange.value or b"", reason, at_ns / 1e9), index
            )
        elif exchange.does == "read" and not reason and exchange.value is not None:
            self._received(line, characteristic, exchange.value, at_ns, for_machine=operation is not None)

    # --- the device ---------------------------------------------------------------------------------------------------

    def _device(self, line: EventLine, exchange: Exchange, at_ns: int) -> None:
        if exchange.to is None or exchange.does not in {"notification", "indication"}:
            return
        characteristic = _characteristic(exchange.to)
        wanted = characteristic in self._subscribed
        self._received(line, characteristic, exchange.value or b"", at_ns, for_machine=wanted)

    def _received(self, line: EventLine, characteristic: str, value: bytes, at_ns: int, *, for_machine: bool) -> None:
        if self._listener is not None:
            self._hear(line, self._listener.received(characteristic, value, at_ns / 1e9), line.index)
        if for_machine and self._machine is not None:
            self._react(self._machine.data_received(characteristic, value, self._now(at_ns)), at_ns, line)
        else:
            for heard in line.heard:
                if heard.kind == "event" and heard.what is not None:
                    self.reached.event(heard.what)
        self._judge_what_was_not_understood(line, at_ns)

    def _judge_what_was_not_understood(self, line: EventLine, at_ns: int) -> None:
        reason = next((heard.reason for heard in line.heard if heard.kind == "unrecognised"), "")
        reason = reason or next((one.reason for one in line.told if isinstance(one, Unrecognised | Fault)), "")
        if reason and line.exchange is not None:
            text = f"different: exchange {line.index}, {in_words(line.exchange)}: not understood, {reason}"
            self.differences.append(Difference("different", line.index, at_ns, text))

    # --- what comes of it ---------------------------------------------------------------------------------------------

    def _hear(self, line: EventLine, heard: tuple[Heard, ...], index: int | None) -> None:
        line.heard.extend(heard)
        for one in heard:
            if one.kind == "command" and _is_command(one.what):
                self.reached.command(one.what)
                if index is not None:
                    self._asked_at[one.what] = index

    def _react(self, reaction: Reaction, at_ns: int, line: EventLine | None) -> None:
        if reaction.operations:
            self._note_keep_alives(reaction.operations)
            self._pending.extend(_Pending(at_ns, operation, line) for operation in reaction.operations)
        if reaction.events:
            if line is None:
                line = EventLine(at_ns, None, None)
                self.lines.append(line)
            line.told.extend(reaction.events)
            for event in reaction.events:
                self.reached.event(event)
                if isinstance(event, HandshakeFailed):
                    self.differences.append(
                        Difference("missing", line.index, at_ns, f"missing: the handshake failed, {event.reason}")
                    )
        self._note_state()

    def _note_state(self) -> None:
        if self._machine is not None:
            self.reached.state(self._machine.state)

    def _part(self, line: EventLine, kind: DifferenceKind, exchange: Exchange, index: int, why: str) -> None:
        """Part from the recorded app at something that it wrote."""
        text = f"{kind}: exchange {index}, {in_words(exchange)}: {why}"
        self._set_aside(kind, index, line.at_ns, text, line, note=f"unlike the protocol: {why}")

    def _set_aside(
        self,
        kind: DifferenceKind,
        index: int | None,
        at_ns: int,
        text: str,
        line: EventLine | None = None,
        *,
        note: str = "",
    ) -> None:
        self.differences.append(Difference(kind, index, at_ns, text))
        if line is None:
            line = EventLine(at_ns, None, None)
            self.lines.append(line)
        line.note = note or text
        self._machine = None
        self._pending.clear()


def decoded(transcript: Transcript, registry: Registry | None = None) -> DecoderRun:
    """The whole transcript through the protocol, as fast as it goes."""
    run = DecoderRun(transcript, registry)
    take = run.take
    for at_ns, index, answer in run.steps():
        take(at_ns, index, answer)
    run.finish()
    return run


def meanings(run: DecoderRun) -> dict[int, str]:
    """What the protocol makes of each exchange, in words, by index; those it makes nothing of are left out."""
    found = {}
    for line in run.lines:
        if line.index is not None and line.heard:
            found[line.index] = "; ".join(line.heard_texts)
    return found


def operation_text(operation: Operation) -> str:
    """What a protocol asks of the radio, in words: ``write ffe1: 55 aa``."""
    if isinstance(operation, Disconnect):
        return f"end the link ({operation.reason})"
    where = short_uuid(operation.characteristic)
    if isinstance(operation, Write):
        how = "" if operation.with_response else " without response"
        return f"write{how} {where}: {value_text(operation.data)}"
    return f"{'subscribe to' if isinstance(operation, Subscribe) else 'read'} {where}"


def _characteristic(place: Place) -> str:
    return place.characteristic


def _is_the_same(operation: Operation, exchange: Exchange) -> bool:
    if isinstance(operation, Disconnect):
        return exchange.does == "disconnect" and exchange.by == "app"
    if exchange.to is None or exchange.to.characteristic != operation.characteristic or exchange.to.descriptor:
        return False
    if isinstance(operation, Write):
        does = "write" if operation.with_response else "write_command"
        return exchange.does == does and exchange.value == operation.data
    return exchange.does == ("read" if isinstance(operation, Read) else "subscribe")


def _as_exchange(operation: Operation, like: Exchange | None) -> Exchange:
    """An operation as the exchange that it would be; the service, which it does not name, as that of ``like``."""
    if isinstance(operation, Disconnect):
        return Exchange(0, "app", "disconnect")
    place = Place(like.to.service if like is not None and like.to is not None else "", operation.characteristic)
    if isinstance(operation, Write):
        return Exchange(0, "app", "write" if operation.with_response else "write_command", place, operation.data)
    return Exchange(0, "app", "subscribe" if isinstance(operation, Subscribe) else "read", place)


def _is_command(what: Command | Event | None) -> TypeGuard[Command]:
    return what is not None and isinstance(what, Command)


def texts(lines: Iterable[EventLine]) -> list[str]:
    """Event lines for people, without line ends."""
    return [line.text for line in lines]
