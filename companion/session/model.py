"""The values of a session: what goes into the engine, what comes out, and the one view that all faces draw.

Pure: no clock, no radio, no file. Times are seconds on the event loop's clock unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from protocols.model import Command, DeviceProfile, Event


class StepKind(StrEnum):
    """What kind of thing one step of a routine is."""

    PREPARE = "prepare"
    CHECK = "check"
    MASSAGE = "massage"
    TREAT = "treat"
    LIGHT = "light"
    COOL = "cool"
    CARE = "care"
    HYDRATE = "hydrate"


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a session, after routine, person and device have been brought together.

    ``seconds`` is the guided length; 0 with ``confirm`` set means that the person says when it is done. ``zone`` is a
    zone id (``left-cheekbone``) for ``treat`` and ``massage`` steps, else None. ``target_percent`` is where the ramp
    leads, in percent of full scale, already clamped; the engine clamps again whatever it sends. ``mode`` is the
    device's output mode or None.
    """

    kind: StepKind
    title: str
    text: str
    seconds: float = 0.0
    confirm: bool = False
    zone: str | None = None
    stroke: str = ""
    passes: int = 1
    target_percent: int = 0
    mode: int | None = None
    cooling_c: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for this session whatever anybody asks: the strictest of profile, person, routine and zone.

    ``cap_percent`` bounds every level of the session; ``zone_caps`` bound single zones further (percent of full scale).
    ``ramp_percent_per_s`` bounds every rise. ``session_output_s`` and ``zone_output_s`` bound the time with output on.
    """

    lowest_percent: int
    step_percent: int
    cap_percent: int
    ramp_percent_per_s: float
    session_output_s: float
    zone_output_s: float
    zone_caps: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """Everything that the engine has to know before it starts.

    ``comfortable_percent`` is the person's comfortable maximum in percent of full scale, never above
    ``limits.cap_percent``. ``left_out`` are zones of the routine that this person or device does not have.
    """

    routine: str
    title: str
    steps: tuple[PlannedStep, ...]
    limits: Limits
    comfortable_percent: int
    profile: DeviceProfile
    left_out: tuple[str, ...] = ()


# --- inputs -----------------------------------------------------------------------------------------------------------


class Intent(Enum):
    """What the person wants. Nobody else has intents: a device and a network can only report."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    MORE = "more"
    LESS = "less"
    SKIP = "skip"
    CONFIRM = "confirm"


class Sensation(StrEnum):
    """Answer to "what do you feel?"."""

    NOTHING = "nothing"
    TINGLING = "tingling"
    UNCOMFORTABLE = "uncomfortable"
    PAIN = "pain"


@dataclass(frozen=True, slots=True)
class Feels:
    """The person answered the sensation question, or said so unasked."""

    sensation: Sensation


@dataclass(frozen=True, slots=True)
class DeviceSaid:
    """An event from the protocol."""

    event: Event


@dataclass(frozen=True, slots=True)
class LinkReady:
    """A link is up and its protocol said Ready. ``first`` is False on every link after the first one."""

    first: bool
    firmware: str | None = None


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The link is gone; ``reason`` is one plain sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReconnectFailed:
    """The bounded reconnect gave up."""

    reason: str


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """The protocol raised LocalProtocolError for a command of the engine: a defect, answered by stopping."""

    command: Command
    reason: str


@dataclass(frozen=True, slots=True)
class JournalFailed:
    """The journal could not be written: output must stop and the person must be told."""

    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing happened but time."""


Input = Intent | Feels | DeviceSaid | LinkReady | LinkLost | ReconnectFailed | CommandRefused | JournalFailed | Tick

# --- outputs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DropLink:
    """End the link now; with every device of this product that ends the output too."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Try to get the link back until ``deadline`` (loop time)."""

    deadline: float


Request = Command | DropLink | Reconnect


class JournalKind(StrEnum):
    """Names of journal entries; they are also the event names of ``companion run --json``."""

    SCREENING = "screening"
    CONNECTED = "connected"
    PAIRED = "paired"
    STEP = "step"
    ZONE = "zone"
    INTENSITY = "intensity"
    PAUSED = "paused"
    RESUMED = "resumed"
    STOPPING = "stopping"
    STOPPED = "stopped"
    LINK_LOST = "link_lost"
    WARNING = "warning"
    WATER = "water"
    SENSATION = "sensation"
    FINISHED = "finished"


Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One fact of the session. ``data`` holds scalars, or for ``finished`` a summary mapping of zone to seconds too."""

    kind: JournalKind
    data: Mapping[str, Scalar | Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}))


class Phase(Enum):
    """Where the session is. What the output does is told apart, by :class:`Output`."""

    WAITING = "waiting"  # no link yet
    READY = "ready"  # linked, nothing started
    GUIDING = "guiding"  # a step without output
    TREATING = "treating"  # a step with output: starting, ramping or holding
    MOVING = "moving"  # output off between two zones
    PAUSED = "paused"
    STOPPING = "stopping"  # stop asked, not confirmed yet
    LINK_LOST = "link_lost"
    FINISHED = "finished"


class Output(Enum):
    """What the host knows of the output. Only the device's acknowledgement, or the end of the link, leads to OFF."""

    OFF = "off"
    STARTING = "starting"
    ON = "on"
    STOPPING = "stopping"


class Reason(StrEnum):
    """How a session ended."""

    COMPLETED = "completed"
    STOPPED = "stopped by you"
    PAIN = "stopped because it hurt"
    TIME_LIMIT = "time limit reached"
    LINK_LOST = "link lost"
    DEVICE_FAULT = "device fault"
    STORAGE = "the session could not be written down"
    DEFECT = "the app asked for something forbidden"
    NOT_REACHED = "not begun: not reached"
    NOT_PAIRED = "not begun: not paired"


NOT_BEGUN: Final = (Reason.NOT_REACHED, Reason.NOT_PAIRED)
"""Of sessions that never began: there was no link to a device that may be driven."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a session. ``zone_seconds`` counts time with output on, per zone."""

    reason: Reason
    zone_seconds: Mapping[str, float]
    highest_percent: int
    output_s: float
    elapsed_s: float
    skipped_zones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class View:
    """Everything that any face of the app shows of a session: TUI, plain text, JSON and MQTT draw from this alone.

    ``step_index`` and ``pass_index`` count from 0. While ``MOVING``, ``step`` and ``zone`` are the coming ones and
    ``moving_remaining_s`` runs down. ``intensity_percent`` is the last level the device confirmed, and stays until it
    confirmed that output is off. ``waits_for_confirm``: the step ends by ``Intent.CONFIRM`` alone.
    ``can_resume``: output is confirmed off and ``Intent.RESUME`` would be followed. ``delivered_ua`` is what the device
    measured, None where it does not report it.
    """

    phase: Phase
    output: Output
    title: str
    step_index: int
    step_count: int
    step: PlannedStep
    next_step: PlannedStep | None
    step_remaining_s: float
    step_elapsed_s: float
    session_remaining_s: float
    session_total_s: float
    pass_index: int
    intensity_percent: int
    target_percent: int
    comfortable_percent: int
    cap_percent: int
    zone: str | None
    done_zones: tuple[str, ...]
    skipped_zones: tuple[str, ...]
    link_up: bool
    reconnect_remaining_s: float | None
    answer_ms: float | None
    battery_percent: int | None
    temperature_c: float | None
    water_low: bool
    ask_sensation: bool
    message: str
    summary: Summary | None
    moving_remaining_s: float = 0.0
    waits_for_confirm: bool = False
    can_resume: bool = False
    delivered_ua: float | None = None


class Step(NamedTuple):
    """What the engine answers to any input.

    The runner performs ``requests`` in order, after ``journal`` was written; a stop among them goes out first of all,
    before the journal too (safety case, H3).
    """

    view: View
    requests: tuple[Request, ...]
    journal: tuple[JournalEntry, ...]
