"""What comes out of the store: values, and how their rows and JSON are read and written.

Knows columns; refuses to know a connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from companion.session.model import Summary


@dataclass(frozen=True, slots=True)
class Person:
    """What holds for the person across sessions.

    ``comfortable_percent`` is their comfortable maximum in percent of full scale, None until they chose one.
    ``first_session`` is True until a session with output has been held with a real device (H2). ``neck`` is their wish
    to treat the sides of the neck, ``no_go`` the zones that they never treat.
    """

    id: int
    name: str
    comfortable_percent: int | None
    first_session: bool
    neck: bool = False
    no_go: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Screening:
    """Answers to the screening, by question id, as given ``at`` a moment to its ``version``."""

    answers: Mapping[str, Any]
    version: int
    at: datetime


class Status(StrEnum):
    """Where a stored session stands."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One session of the history. ``summary`` is None unless the session came to an end of its own.

    ``ended_at`` of an interrupted session is the time of its last entry.
    """

    id: int
    routine: str
    device_name: str
    device_key: str
    protocol: str
    demo: bool
    started_at: datetime
    ended_at: datetime | None
    status: Status
    summary: Summary | None


@dataclass(frozen=True, slots=True)
class Held:
    """A session that had output: when it ended (of one that runs: its last entry), and the zones of the output.

    ``minutes`` is how long it took in all; ``running``: it has not ended.
    """

    id: int
    started_at: datetime
    ended_at: datetime
    zones: frozenset[str]
    minutes: float
    running: bool


class Outcome(msgspec.Struct, gc=False):
    """What of a summary says whether a session had output: years of them are read for nothing but that."""

    zone_seconds: dict[str, float]
    output_s: float
    elapsed_s: float

    @property
    def zones(self) -> frozenset[str]:
        """The zones that had output, however little."""
        return frozenset([zone for zone, seconds in self.zone_seconds.items() if seconds > 0])


class _Commanded(msgspec.Struct, gc=False):
    zone: object = None


OUTCOME = msgspec.json.Decoder(Outcome)
COMMANDED = msgspec.json.Decoder(_Commanded)
"""What of an entry on a level says where it was."""

SESSION_COLUMNS = "id, routine, device_name, device_key, protocol, demo, started_at, ended_at, interrupted, summary"
_SUMMARY = msgspec.json.Decoder(Summary)


def _plain(value: object) -> object:
    """Read-only mappings are what frozen values hold; msgspec knows dict alone."""
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__} has no place in a journal")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)


def to_json(value: object) -> str:
    """Encode dataclasses, mappings and scalars.

    Raises:
        TypeError: something in ``value`` has no place in JSON.
    """
    return _ENCODER.encode(value).decode()


def session_record(row: tuple[Any, ...]) -> SessionRecord:
    """Read one row of :data:`SESSION_COLUMNS`.

    Raises:
        ValueError: a moment does not read as one.
        msgspec.MsgspecError: the summary does not read as one.
    """
    session_id, routine, device_name, device_key, protocol, demo, started_at, ended_at, interrupted, summary = row
    ended = Status.INTERRUPTED if interrupted else Status.FINISHED
    return SessionRecord(
        id=session_id,
        routine=routine,
        device_name=device_name,
        device_key=device_key,
        protocol=protocol,
        demo=bool(demo),
        started_at=datetime.fromisoformat(started_at),
        ended_at=None if ended_at is None else datetime.fromisoformat(ended_at),
        status=Status.RUNNING if ended_at is None else ended,
        summary=None if summary is None else _SUMMARY.decode(summary),
    )
