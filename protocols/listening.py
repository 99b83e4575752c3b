"""Listening in: what a host and its device said to each other, told from the bytes of a recording alone.

The third side of a protocol, beside the machine that speaks it and the simulated device. A listener sees both
directions, decides nothing and asks for nothing; it may join in the middle. It owns no clock: ``now`` is seconds on the
clock of the recording, which may even go backwards.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Literal

from protocols.model import Command, Event

UNNAMED = "handle "
"""How the name of a characteristic begins whose UUID the recording does not tell; what follows tells it from others."""

Speaker = Literal["host", "device"]
HeardKind = Literal["command", "refused", "acknowledged", "event", "unrecognised"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing that was said.

    ``refused`` by the host is a request that the device will not take, for ``reason``; by the device, its word that it
    did not. ``acknowledged`` is the device's answer to ``what``, ``latency_s`` after it was asked (None when the
    recording does not have the question). ``unrecognised`` says in ``reason`` what is wrong with the bytes.
    ``brief`` is the reason of a ``refused`` request in two or three words, for a verdict; it may be empty.
    """

    by: Speaker
    kind: HeardKind
    data: bytes
    what: Command | Event | None = None
    reason: str = ""
    latency_s: float | None = None
    brief: str = ""


class Listener(abc.ABC):
    """Overhears one link. No method ever raises, on any bytes, at any time.

    Characteristics are named by UUID in the spelling of :func:`protocols.gatt.uuid`, or by :data:`UNNAMED` and more.
    What is said on a characteristic that the protocol does not use is nothing to it: an empty answer.
    """

    @abc.abstractmethod
    def written(self, characteristic: str, data: bytes, now: float) -> tuple[Heard, ...]:
        """The host wrote a characteristic, with or without response."""

    @abc.abstractmethod
    def received(self, characteristic: str, data: bytes, now: float) -> tuple[Heard, ...]:
        """The device notified or indicated a characteristic, or the host read it."""

    def write_answered(
        self,
        characteristic: str,  # noqa: ARG002 - for those that override
        data: bytes,  # noqa: ARG002
        error: str,  # noqa: ARG002
        now: float,  # noqa: ARG002
    ) -> tuple[Heard, ...]:
        """A write had its response; ``error`` is empty, or says why the device refused it."""
        return ()
