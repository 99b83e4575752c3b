"""What a replay is made of: exchanges between an app and a device at the level of GATT, with times, roles and UUIDs.

Plain values. Refuses to know captures, files, radios and clocks; :mod:`rig.replay.transcript` reads and writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from protocols.gatt import Service

By = Literal["app", "device"]
Does = Literal[
    "connect",
    "read",
    "write",
    "write_command",
    "subscribe",
    "unsubscribe",
    "notification",
    "indication",
    "disconnect",
]
"""``write`` is a write request, ``write_command`` one without response (the names of the Core Specification)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which attribute, by UUID, so that a transcript survives other handles. UUIDs as :func:`protocols.gatt.uuid`."""

    service: str
    characteristic: str
    descriptor: str = ""
    """UUID of the descriptor that is meant, empty for the characteristic's value. A CCCD is never meant: a
    subscription is an exchange of its own."""
    nth: int = 0
    """Which one of several characteristics with the same UUID in the same service, in handle order, from 0."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One thing that app or device did, and how it was answered where an answer is due."""

    at_ns: int
    """When, in nanoseconds since the transcript began; a whole number at or above 0."""
    by: By
    does: Does
    to: Place | None = None
    """None for ``connect`` and ``disconnect``."""
    value: bytes | None = None
    """What was written, pushed, or read; None where there is none (or the read was refused)."""
    answered_ns: int | None = None
    """How long the answer took, in nanoseconds; None where none is due, or none came."""
    error: int | None = None
    """ATT error code (Vol 3 Part F, 3.4.1.1) where the request was refused."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation on one link, from one side's connection to its end."""

    title: str
    exchanges: tuple[Exchange, ...]
    services: tuple[Service, ...] = ()
    """The device's services as discovered, in handle order: what has to be there before a replay begins."""
    name: str = ""
    """The device's advertised name, empty where not known."""
    advertised_services: tuple[str, ...] = ()
    protocol: str = ""
    """Key of the protocol of :mod:`protocols.registry` that it speaks, empty where not known."""
    mtu: int | None = None
    """The ATT MTU in effect in octets, None where the transcript does not tell."""
    source: str = ""
    """Where it comes from, for people: a file and link, a device and date."""


def written_by_the_app(transcript: Transcript) -> list[bytes]:
    """Return every value that the app wrote, in order."""
    return [
        one.value for one in transcript.exchanges if one.does in {"write", "write_command"} and one.value is not None
    ]
