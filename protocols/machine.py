"""The contract of every device protocol, and the two errors it knows.

A protocol is a value machine in the manner of h11: it is told what happened and when, and answers with what to do and
what that meant. It owns no clock (``now`` is seconds on any monotonic one), no radio and no task.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from protocols.gatt import Operation, Service, Write
from protocols.model import Command, DeviceProfile, Event


class LocalProtocolError(Exception):
    """The host asked for something that the device's state or nature forbids; no byte was made (safety case, H8)."""


class TooSoonError(LocalProtocolError):
    """The same will be allowed ``wait_s`` seconds from now, if nothing else comes between. No byte was made."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class UnsupportedDeviceError(Exception):
    """The services found are not those of this protocol; the message names what was looked for and what was found."""


class Reaction(NamedTuple):
    """What a protocol answers to anything: operations to perform, in this order, and events to tell, in this order."""

    operations: tuple[Operation, ...] = ()
    events: tuple[Event, ...] = ()


NOTHING = Reaction()


@dataclass(frozen=True, slots=True)
class Extent:
    """All that a protocol can go through, so that it can be told what of it a recording has reached.

    ``states`` are the values of :attr:`DeviceProtocol.state`; ``transitions`` are pairs of them, from and to;
    ``commands`` and ``events`` are the types that it takes and tells.
    """

    states: tuple[str, ...]
    transitions: tuple[tuple[str, str], ...]
    commands: tuple[type[Command], ...]
    events: tuple[type[Event], ...]


class DeviceProtocol(abc.ABC):
    """One link to one device. A new link needs a new instance: nothing that was true on the last one may be relied on.

    The driver (a bleak connection, a replay, a test) performs the operations in order, hands back what arrives, and
    calls :meth:`deadline_passed` once ``deadline`` is due. It may call any method at any time; only :meth:`start` and
    :meth:`command` raise.
    """

    @property
    @abc.abstractmethod
    def profile(self) -> DeviceProfile:
        """What this device can do and its limits. May become narrower after the handshake, never wider."""

    @property
    @abc.abstractmethod
    def deadline(self) -> float | None:
        """When :meth:`deadline_passed` wants to be called, on the clock of ``now``; None while nothing is awaited."""

    @property
    def keep_alive_at(self) -> float | None:
        """When the next keep-alive is due by the machine's own clock, one of its deadlines; None while none is.

        A host that was recorded had a clock and a radio of its own: its keep-alives come a little earlier or later.
        """
        return None

    @property
    @abc.abstractmethod
    def output_possible(self) -> bool:
        """True unless known to be without output: a start counts from its write, a stop from its acknowledgement."""

    @property
    def stop_writes(self) -> tuple[Write, ...]:
        """The writes that end all output in any state of this link, for a guard that cannot ask this machine.

        Empty until they are known; once known, the same for the rest of the link. Empty for good where only the end of
        the link ends the output.
        """
        return ()

    @property
    def state(self) -> str:
        """Where it is, by one of the names in its :class:`Extent`; empty where it has none. For reports alone."""
        return ""

    @abc.abstractmethod
    def start(self, services: Sequence[Service], now: float) -> Reaction:
        """Begin the handshake on a fresh link.

        Raises:
            UnsupportedDeviceError: none of the service layouts of this protocol is there.
        """

    @abc.abstractmethod
    def command(self, command: Command, now: float) -> Reaction:
        """Ask the device for something.

        ``TotalStop`` is always accepted, at any moment of a link.

        Raises:
            LocalProtocolError: the command is forbidden in this state, or this device cannot do it. No byte was made.
        """

    @abc.abstractmethod
    def deadline_passed(self, now: float) -> Reaction:
        """Do what was due at ``deadline``; harmless when called early or late."""

    @abc.abstractmethod
    def data_received(self, characteristic: str, data: bytes, now: float) -> Reaction:
        """Take a notification, an indication or a read value. Never raises on any bytes."""

    def operation_done(self, operation: Operation, now: float) -> Reaction:  # noqa: ARG002 - for those that override
        """Take word that an operation was performed; the driver calls this for each one, in the order performed.

        A write with response is done when its response came, a write without when the radio took it, a read before
        its value goes to :meth:`data_received`.
        """
        return NOTHING

    @abc.abstractmethod
    def operation_failed(self, operation: Operation, reason: str, now: float) -> Reaction:
        """Take word that an operation could not be performed."""

    @abc.abstractmethod
    def link_lost(self, now: float) -> Reaction:
        """Take word that the link is gone. The instance is spent; its deadline is None from here on."""
