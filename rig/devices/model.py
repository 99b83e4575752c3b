"""The contract of every simulated device: the mirror image of :class:`protocols.machine.DeviceProtocol`.

A device is told what was written and when, answers with notifications that fall due, and always knows how much it puts
into the face: :meth:`SimulatedDevice.output_percent` is the ground truth of every safety test. No clock, no radio.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from protocols.gatt import Service


@dataclass(frozen=True, slots=True)
class Notify:
    """One notification that the device hands to its radio now."""

    characteristic: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Hangup:
    """The device ends the link by itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the request that :class:`AnswerLater` put off, now."""

    value: bytes = b""
    """What a read gives; nothing for a write."""
    error: int | None = None
    """The ATT error code with which the request is refused, None where it is granted."""


DeviceAction = Notify | Hangup | Answer


class AttError(Exception):
    """The device refuses an ATT request; ``code`` as in Core Specification Vol 3 Part F 3.4.1.1."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ATT error 0x{code:02x}")
        self.code = code


class AnswerLater(Exception):  # noqa: N818 - as StopIteration: no error, a way to say so
    """Raised by :meth:`SimulatedDevice.read` and the like: the device has taken the request and answers in its time.

    The answer is an :class:`Answer` among the actions of a later call. ATT has one request under way at a time (Core
    Specification Vol 3 Part F 3.3.2), so it needs no name.
    """


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What the device advertises. ``service_data`` and ``manufacturer_data`` are keyed as bleak keys them."""

    name: str
    service_uuids: tuple[str, ...] = ()
    service_data: tuple[tuple[str, bytes], ...] = ()
    manufacturer_data: tuple[tuple[int, bytes], ...] = ()


class TraceEntry(NamedTuple):
    """One change of the output: device time in seconds, level in percent of full scale from then on, and why."""

    time: float
    output_percent: float
    cause: str


class SimulatedDevice(abc.ABC):
    """One simulated device. ``now`` is seconds on the same monotonic clock throughout an instance's life.

    Calls come in order of time. A device that needs time (a UART, a timer) says so by :attr:`deadline`; every action
    comes out of :meth:`deadline_passed` or directly out of a call that gives actions back.
    """

    deadline_moved: Callable[[], None] | None = None
    """Set by a radio side that sleeps until :attr:`deadline`: called when a test's hand on the device (an emptied tank,
    a power cycle) has moved it. Asks for the deadline again and does nothing else to the device."""

    @property
    @abc.abstractmethod
    def advertisement(self) -> Advertisement:
        """What the device advertises while it is not connected."""

    @property
    @abc.abstractmethod
    def services(self) -> tuple[Service, ...]:
        """Its GATT services, in handle order. Notifying characteristics get a CCCD from the radio side."""

    @property
    @abc.abstractmethod
    def deadline(self) -> float | None:
        """When :meth:`deadline_passed` wants to be called; None while nothing is due."""

    @property
    @abc.abstractmethod
    def trace(self) -> tuple[TraceEntry, ...]:
        """Every change of output so far, oldest first: what safety tests judge."""

    @abc.abstractmethod
    def output_percent(self, now: float) -> float:
        """Level going into the skin at ``now``, in percent of full scale (the envelope, not the wave)."""

    def switched_on(self, now: float) -> None:  # noqa: B027 - for those in which something runs with time
        """It is put on the air: what runs with time (a battery, drying gel) begins now and not at 0.

        Called by the radio side before anything else, with the time of a clock that may count from when the computer
        was started; again where the same device is put on the air again. Where nobody calls it, time begins at 0.
        """

    @abc.abstractmethod
    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        """A central has connected."""

    @abc.abstractmethod
    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        """The link is gone."""

    @abc.abstractmethod
    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        """The central wrote the CCCD of a characteristic."""

    @abc.abstractmethod
    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        """The central wrote a characteristic.

        Raises:
            AttError: the device refuses the write (only a write with response carries the refusal back).
        """

    def write_arrived(
        self,
        characteristic: str,
        data: bytes,
        now: float,
        *,
        with_response: bool,  # noqa: ARG002 - for those that override
    ) -> tuple[DeviceAction, ...]:
        """The central wrote: what a radio side calls, for a device that tells a request from a command apart.

        To every other device it is :meth:`written`.

        Raises:
            AttError: the device refuses the write.
            AnswerLater: the device answers the request in its time.
        """
        return self.written(characteristic, data, now)

    @abc.abstractmethod
    def read(self, characteristic: str, now: float) -> bytes:
        """The central reads a characteristic.

        Raises:
            AttError: the device refuses the read.
            AnswerLater: the device answers in its time.
        """

    @abc.abstractmethod
    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        """Do what was due; harmless when early or late."""
