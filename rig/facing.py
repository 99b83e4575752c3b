"""A protocol and a simulated device face to face, with no radio between them but its delays and its failures.

One heap of events in virtual time; thousands of times faster than life, so that property-based tests can afford
thousands of sessions. Refuses to know Bluetooth: what is left of it here is order, delay, loss, and ATT's one request
at a time.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from protocols.gatt import Disconnect, Operation, Property, Read, Subscribe, Write
from protocols.machine import DeviceProtocol, Reaction
from protocols.model import Command, Event
from rig.devices.model import Answer, AttError, DeviceAction, Hangup, SimulatedDevice

E = TypeVar("E")

_MAX_STEPS_AT_ONE_INSTANT = 10_000


class Told(NamedTuple):
    """One event of the protocol and when it was told (seconds)."""

    time: float
    event: Event


class Performed(NamedTuple):
    """One operation that the protocol asked for and when it asked (seconds)."""

    time: float
    operation: Operation


class StuckError(AssertionError):
    """A protocol or a device asks again and again to be called at a time that has come: a defect in it."""


class Facing:
    """Drives one device by one protocol after another, one link at a time.

    ``now`` is the virtual time in seconds. Nothing happens by itself: :meth:`advance`, :meth:`run_until` and
    :meth:`step` let time pass. :attr:`told` and :attr:`performed` keep everything that the protocols said and asked
    for, over all links; the device's own account is ``device.trace``.

    Args:
        protocol: a fresh protocol for the first link; :meth:`start` begins it.
        device: stays the same over all links.
        seed: of the jitter.
        to_device_s: one-way delay of what the host sends, at least.
        to_host_s: one-way delay of what the device sends, at least.
        jitter_s: each way takes up to this much longer. Order within a direction is kept, as on a link.
        on_events: called with the events of each reaction, after its operations were performed; may call
            :meth:`command`.
        now: where virtual time starts.
    """

    def __init__(
        self,
        protocol: DeviceProtocol,
        device: SimulatedDevice,
        *,
        seed: int = 0,
        to_device_s: float = 0.008,
        to_host_s: float = 0.008,
        jitter_s: float = 0.0,
        on_events: Callable[[list[Event], float], None] | None = None,
        now: float = 0.0,
    ) -> None:
        self.protocol = protocol
        self.device = device
        self.now = now
        self.told: list[Told] = []
        self.performed: list[Performed] = []
        self.on_events = on_events
        self.dropped_notifications = 0
        self._random = random.Random(seed)  # noqa: S311 - jitter, not a secret
        self._to_device_s = to_device_s
        self._to_host_s = to_host_s
        self._jitter_s = jitter_s
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = 0
        self._link = 0  # counts links; what belongs to an older one is passed over
        self._host_up = False
        self._device_up = False
        self._air = False  # whether anything gets through
        self._waiting: deque[Operation] = deque()
        self._under_way = False
        self._device_hears_at = 0.0
        self._host_hears_at = 0.0
        self._notifications = 0
        self._drops: set[int] = set()
        self._failures: deque[str] = deque()
        self._spins = 0
        self._spun_at = -1.0

    # --- what a test says ---------------------------------------------------------------------------------------------

    @property
    def link_up(self) -> bool:
        """Whether the host has a link, as far as it knows."""
        return self._host_up

    def start(self) -> None:
        """Connect and begin the protocol's handshake.

        Raises:
            UnsupportedDeviceError: the protocol does not know the device's services.
            ValueError: there is a link already.
        """
        self._check_free()
        self._link += 1
        self._host_up = self._device_up = self._air = True
        self._waiting.clear()
        self._under_way = False
        self._device_hears_at = self._host_hears_at = self.now
        self._act(self.device.connected(self.now))
        self._take(self.protocol.start(self.device.services, self.now))

    def reconnect(self, protocol: DeviceProtocol) -> None:
        """Connect again, with a fresh protocol as every link needs one; raises as :meth:`start` does."""
        self._check_free()
        self.protocol = protocol
        self.start()

    def _check_free(self) -> None:
        if self._host_up or self._device_up:
            raise ValueError("the last link is not over yet")

    def command(self, command: Command) -> Reaction:
        """Hand a command to the protocol, and its operations to the link.

        Raises:
            LocalProtocolError: the protocol refuses it.
        """
        reaction = self.protocol.command(command, self.now)
        self._take(reaction)
        return reaction

    def advance(self, seconds: float) -> None:
        """Let that much time pass."""
        until = self.now + seconds
        while self._step(until):
            pass
        self.now = until

    def run_until(self, predicate: Callable[[], bool], limit_s: float = 60.0) -> bool:
        """Let time pass until ``predicate`` holds, looked at after every single thing that happens.

        Returns False when it does not within ``limit_s`` seconds, which have then passed.
        """
        until = self.now + limit_s
        while not predicate():
            if not self._step(until):
                self.now = until
                return predicate()
        return True

    def step(self, limit_s: float = 60.0) -> bool:
        """Let the next thing happen; False when nothing does within ``limit_s`` seconds (time then stays)."""
        return self._step(self.now + limit_s)

    def events(self, kind: type[E]) -> list[E]:
        """All events of one type so far."""
        return [told.event for told in self.told if isinstance(told.event, kind)]

    def operations(self, kind: type[E]) -> list[E]:
        """All operations of one type so far."""
        return [performed.operation for performed in self.performed if isinstance(performed.operation, kind)]

    # --- what a test does to the link ---------------------------------------------------------------------------------

    def drop_notification(self, nth: int = 1) -> None:
        """Lose the ``nth`` notification from now on (1 is the next one)."""
        if nth < 1:
            raise ValueError(f"notifications are counted from 1, not {nth}")
        self._drops.add(self._notifications + nth)

    def fail_operation(self, reason: str = "the radio could not perform it") -> None:
        """Let the next operation that reaches the radio fail there."""
        self._failures.append(reason)

    def lose_link(
        self, *, in_s: float = 0.0, device_notices_after_s: float = 0.0, host_notices_after_s: float = 0.0
    ) -> None:
        """Cut the link ``in_s`` seconds from now; nothing gets through from then on, in either direction.

        The two sides notice when their supervision timeout has run out.
        """
        link = self._link

        def cut() -> None:
            if link == self._link:
                self._air = False
                self._later(self.now + device_notices_after_s, self._device_loses_link)
                self._later(self.now + host_notices_after_s, self._host_loses_link)

        if in_s:
            self._later(self.now + in_s, cut)
        else:
            cut()

    def inject(self, data: bytes, *, characteristic: str | None = None, in_s: float = 0.0) -> None:
        """Let the host receive bytes that the device never sent, by default on its first notifying characteristic."""
        from_where = characteristic or next(
            candidate.uuid
            for service in self.device.services
            for candidate in service.characteristics
            if candidate.properties & (Property.NOTIFY | Property.INDICATE)
        )
        self._later(self.now + in_s, lambda: self._hear(from_where, data))

    # --- time ---------------------------------------------------------------------------------------------------------

    def _later(self, time: float, action: Callable[[], None]) -> None:
        """Do ``action`` at ``time``, unless the link of today is another one by then."""
        self._sequence += 1
        link = self._link
        heapq.heappush(self._heap, (time, self._sequence, lambda: action() if link == self._link else None))

    def _step(self, until: float) -> bool:
        """Do the next thing that is due by ``until``; the device first, then the link, then the protocol."""
        heap = self._heap
        due = self.device.deadline
        who = 0
        if heap and (due is None or heap[0][0] < due):
            due, who = heap[0][0], 1
        if self._host_up:
            wanted = self.protocol.deadline
            if wanted is not None and (due is None or wanted < due):
                due, who = wanted, 2
        if due is None or due > until:
            return False
        self.now = max(self.now, due)
        if who == 1:
            heapq.heappop(heap)[2]()
        elif who == 0:
            self._act(self.device.deadline_passed(self.now))
            if self.device.deadline is not None and self.device.deadline <= due:
                self._stuck("device", due)
        else:
            self._take(self.protocol.deadline_passed(self.now))
            if self._host_up and self.protocol.deadline is not None and self.protocol.deadline <= due:
                self._stuck("protocol", due)
        return True

    def _stuck(self, who: str, due: float) -> None:
        """Complain about a deadline that does not move; what is simply next in line at the same instant is let be."""
        self._spins = self._spins + 1 if due == self._spun_at else 1
        self._spun_at = due
        if self._spins > _MAX_STEPS_AT_ONE_INSTANT:
            raise StuckError(
                f"the {who} wants to be called at {due} s although it was, again and again, at {self.now} s"
            )

    # --- the link, host to device -------------------------------------------------------------------------------------

    def _take(self, reaction: Reaction) -> None:
        """Perform the operations of a reaction and tell its events."""
        for operation in reaction.operations:
            self.performed.append(Performed(self.now, operation))
            self._queue(operation)
        if reaction.operations:
            self._pump()
        if reaction.events:
            now = self.now
            self.told.extend(Told(now, event) for event in reaction.events)
            if self.on_events is not None:
                self.on_events(list(reaction.events), now)

    def _queue(self, operation: Operation) -> None:
        if not self._host_up:
            return
        if isinstance(operation, Disconnect):
            self._waiting.clear()
            self._under_way = True  # nothing else leaves any more
            self._send(self._device_loses_link)
            self._later(self._device_hears_at + self._to_host_s, self._host_loses_link)
        elif isinstance(operation, Write) and operation.urgent:
            if operation.with_response:
                ahead = sum(isinstance(waiting, Write) and waiting.urgent for waiting in self._waiting)
                self._waiting.insert(ahead, operation)
            else:
                # ATT's one request at a time binds requests only: a command may overtake (Core Vol 3 Part F 3.3.2).
                self._transmit(operation)
        else:
            self._waiting.append(operation)

    def _pump(self) -> None:
        while self._waiting and not self._under_way:
            self._transmit(self._waiting.popleft())

    def _transmit(self, operation: Operation) -> None:
        if self._failures:
            reason = self._failures.popleft()
            self._later(self.now, lambda: self._take(self.protocol.operation_failed(operation, reason, self.now)))
            return
        if isinstance(operation, Write) and not operation.with_response:
            self._later(self.now, lambda: self._done(operation))
            self._send(lambda: self._device_takes(operation))
        else:
            self._under_way = True
            self._send(lambda: self._device_takes(operation))

    def _send(self, action: Callable[[], None]) -> None:
        """Let ``action`` happen at the device, in order."""
        self._device_hears_at = max(self._device_hears_at, self.now + self._to_device_s + self._jitter())
        self._later(self._device_hears_at, lambda: action() if self._air else None)

    def _jitter(self) -> float:
        return self._random.random() * self._jitter_s if self._jitter_s else 0.0

    def _device_takes(self, operation: Operation) -> None:
        if not self._device_up:
            return
        value: bytes | None = None
        try:
            if isinstance(operation, Write):
                actions = self.device.written(operation.characteristic, operation.data, self.now)
            elif isinstance(operation, Subscribe):
                actions = self.device.subscribed(operation.characteristic, True, self.now)  # noqa: FBT003 - the contract's
            elif isinstance(operation, Read):
                value, actions = self.device.read(operation.characteristic, self.now), ()
            else:
                return
        except AttError as error:
            if not isinstance(operation, Write) or operation.with_response:
                reason = str(error)
                self._answer(lambda: self._failed(operation, reason))
            return
        if not isinstance(operation, Write) or operation.with_response:
            self._answer(lambda: self._done(operation, value))
        self._act(actions)

    # --- the link, device to host -------------------------------------------------------------------------------------

    def _answer(self, action: Callable[[], None]) -> None:
        """Let ``action`` happen at the host, in order."""
        self._host_hears_at = max(self._host_hears_at, self.now + self._to_host_s + self._jitter())
        self._later(self._host_hears_at, lambda: action() if self._air else None)

    def _done(self, operation: Operation, value: bytes | None = None) -> None:
        if not self._host_up:
            return
        if not isinstance(operation, Write) or operation.with_response:
            self._under_way = False
        self._take(self.protocol.operation_done(operation, self.now))
        if value is not None and isinstance(operation, Read):
            self._hear(operation.characteristic, value)
        self._pump()

    def _failed(self, operation: Operation, reason: str) -> None:
        if not self._host_up:
            return
        self._under_way = False
        self._take(self.protocol.operation_failed(operation, reason, self.now))
        self._pump()

    def _act(self, actions: tuple[DeviceAction, ...]) -> None:
        for action in actions:
            if isinstance(action, Hangup):
                self._answer(self._host_loses_link)
                self._device_loses_link()
                continue
            if isinstance(action, Answer):
                raise TypeError("a device that answers a request later needs a radio: here answers are given at once")
            self._notifications += 1
            if self._notifications in self._drops:
                self._drops.discard(self._notifications)
                self.dropped_notifications += 1
            elif self._device_up:
                self._answer(partial(self._hear, action.characteristic, action.data))

    def _hear(self, characteristic: str, data: bytes) -> None:
        if self._host_up:
            self._take(self.protocol.data_received(characteristic, data, self.now))

    # --- the end of a link --------------------------------------------------------------------------------------------

    def _device_loses_link(self) -> None:
        if self._device_up:
            self._device_up = False
            self._act(self.device.disconnected(self.now))

    def _host_loses_link(self) -> None:
        if self._host_up:
            self._host_up = False
            self._waiting.clear()
            self._take(self.protocol.link_lost(self.now))
