"""Commands, events and profiles: the one vocabulary in which companion and rig talk about any device.

Intensity is a whole percentage of the device's full scale, 0 to 100, because some makers publish no current.
Fields carry their unit in their name. Nothing here knows a byte layout or a transport.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum

# --- commands: what a host asks of a device ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetIntensity:
    """Set the output level in percent of full scale (0 to 100)."""

    percent: int


@dataclass(frozen=True, slots=True)
class StartOutput:
    """Start the output at the level set and acknowledged last."""


@dataclass(frozen=True, slots=True)
class StopOutput:
    """Stop the output alone; cooling and the like go on. Repeated by the protocol until it is acknowledged."""


@dataclass(frozen=True, slots=True)
class TotalStop:
    """Stop everything. Never refused, never queued, repeated by the protocol until it is acknowledged."""


@dataclass(frozen=True, slots=True)
class SelectMode:
    """Select an output mode by its number in the profile."""

    mode: int


@dataclass(frozen=True, slots=True)
class StartCooling:
    """Start cooling towards the cooling target."""


@dataclass(frozen=True, slots=True)
class StopCooling:
    """Stop cooling."""


@dataclass(frozen=True, slots=True)
class SetCoolingTarget:
    """Set the temperature that cooling aims for."""

    temperature_c: int


@dataclass(frozen=True, slots=True)
class QueryVersion:
    """Ask for the firmware version. Changes nothing in the device."""


@dataclass(frozen=True, slots=True)
class QueryTemperature:
    """Ask for the temperature of the treatment head."""


@dataclass(frozen=True, slots=True)
class QueryBattery:
    """Ask for the battery level."""


@dataclass(frozen=True, slots=True)
class MeasureSkin:
    """Ask for one raw skin reading whose unit the maker has not published."""


@dataclass(frozen=True, slots=True)
class ResumeOutput:
    """Go on with the run that the device holds after it lost contact or heard nothing; it ramps from zero."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Say now that the host is alive, rather than when the protocol would. Refused while there is no output to keep up.

    The protocol does so by itself: this is for who replays the keep-alives of another host, at its times.
    """


@dataclass(frozen=True, slots=True)
class AcknowledgeFault:
    """Tell the device that its fault was seen. It goes only where its cause has gone."""


@dataclass(frozen=True, slots=True)
class DownloadRecords:
    """Ask for the session records from that session id on; each comes as :class:`RecordReceived`."""

    from_session_id: int = 0


@dataclass(frozen=True, slots=True)
class AbortDownload:
    """Send no more records."""


@dataclass(frozen=True, slots=True)
class DeleteRecords:
    """Delete the records from that session id on. Refused unless all of them were downloaded on this link."""

    from_session_id: int = 0


Command = (
    SetIntensity
    | StartOutput
    | StopOutput
    | TotalStop
    | SelectMode
    | StartCooling
    | StopCooling
    | SetCoolingTarget
    | QueryVersion
    | QueryTemperature
    | QueryBattery
    | MeasureSkin
    | ResumeOutput
    | KeepAlive
    | AcknowledgeFault
    | DownloadRecords
    | AbortDownload
    | DeleteRecords
)

# --- events: what a device said, or failed to say ---------------------------------------------------------------------


class Refusal(StrEnum):
    """Why a command did not take effect."""

    CHECKSUM = "checksum refused by the device"
    SUPERSEDED = "overtaken by a stop"
    DEVICE = "refused by the device"
    RADIO = "the radio could not deliver it"
    UNSUPPORTED = "not supported by the device"
    PARAMETER = "out of the device's range"
    CONTROL = "another phone or computer holds the device"
    STATE = "not possible in the device's state"
    NO_CONTACT = "no contact with the skin"
    CHARGING = "the device is charging"
    TIME_LIMIT = "the device's time limit is reached"


class HaltReason(StrEnum):
    """Why a device ended its output by itself."""

    UNHEARD = "it heard nothing from the app for too long"
    TIME_LIMIT = "its time limit was reached"
    CHARGING = "it was put on its charger"
    STOPPED = "it was stopped from elsewhere"


@dataclass(frozen=True, slots=True)
class Ready:
    """The handshake is over: commands are welcome. ``firmware`` as the device words it, None where it is silent."""

    firmware: str | None = None


@dataclass(frozen=True, slots=True)
class HandshakeFailed:
    """The device never answered the harmless first question; ``reason`` is one plain sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The device took the command. ``latency_s`` runs from its first write to the acknowledgement."""

    command: Command
    latency_s: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """The command did not take effect and will not be tried again by the protocol."""

    command: Command
    reason: Refusal


@dataclass(frozen=True, slots=True)
class Repeated:
    """No answer in time, so the command is being sent again. ``attempt`` counts from 2."""

    command: Command
    attempt: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The command was given up after ``attempts`` tries. Whether it took effect is unknown."""

    command: Command
    attempts: int


@dataclass(frozen=True, slots=True)
class Version:
    """Firmware version as reported."""

    major: int
    minor: int


@dataclass(frozen=True, slots=True)
class Temperature:
    """Temperature of the treatment head as reported."""

    temperature_c: float


@dataclass(frozen=True, slots=True)
class Battery:
    """Battery level as reported."""

    percent: int


@dataclass(frozen=True, slots=True)
class SkinReading:
    """A skin reading of unknown unit: raw, and to be called raw."""

    raw: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """Current as measured by the device itself."""

    current_ua: float


@dataclass(frozen=True, slots=True)
class ContactLost:
    """The device no longer feels the skin."""


@dataclass(frozen=True, slots=True)
class ContactRestored:
    """The device feels the skin again. Nothing resumes by itself."""


@dataclass(frozen=True, slots=True)
class Contact:
    """The contact with the skin as measured: 0 none to 100 best. ``impedance_ohm`` is None for an open circuit."""

    percent: int
    impedance_ohm: int | None


@dataclass(frozen=True, slots=True)
class ContactPoor:
    """For a second the skin has had less than 70 % of the current that was commanded: more gel (safety case, H7)."""

    delivered_ua: float
    commanded_ua: float


@dataclass(frozen=True, slots=True)
class OutputHalted:
    """The device ended its output by itself. Nothing resumes by itself."""

    reason: HaltReason


@dataclass(frozen=True, slots=True)
class MeasurementsLost:
    """So many of the device's measurements never arrived, by their sequence numbers."""

    count: int


@dataclass(frozen=True, slots=True)
class RecordReceived:
    """What the device has kept of one run. ``delivered_ua`` are means over ``sample_s`` seconds each."""

    session_id: int
    run_s: float
    highest_target_ua: int
    highest_delivered_ua: int
    contact_losses: int
    ending: str
    sample_s: int
    delivered_ua: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WaterLow:
    """The cooling water is low; the device has stopped its cooling."""


@dataclass(frozen=True, slots=True)
class WaterBack:
    """The cooling water is back. Cooling does not restart by itself."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The device reports a fault, or did something that it must not. Output is to be stopped."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unrecognised:
    """Bytes that mean nothing here. Never an exception: a device may say what it likes."""

    characteristic: str
    data: bytes
    reason: str


Event = (
    Ready
    | HandshakeFailed
    | Acknowledged
    | Rejected
    | Repeated
    | Unanswered
    | Version
    | Temperature
    | Battery
    | SkinReading
    | Delivered
    | ContactLost
    | ContactRestored
    | Contact
    | ContactPoor
    | OutputHalted
    | MeasurementsLost
    | RecordReceived
    | WaterLow
    | WaterBack
    | Fault
    | Unrecognised
)

# --- profile: what a device can do, and its limits --------------------------------------------------------------------


class OutputKind(Enum):
    """What the intensity of a device drives."""

    MICROCURRENT = "microcurrent"
    PULSATION = "pulsation"


class Report(StrEnum):
    """What a device reports of itself. What is absent is shown as "not reported by this device"."""

    BATTERY = "battery"
    CONTACT = "contact"
    CURRENT = "current"
    TEMPERATURE = "temperature"
    WATER = "water"
    SKIN = "skin reading"


class Pairing(Enum):
    """The best pairing that the device can do."""

    NONE = "none"
    JUST_WORKS = "just works"
    AUTHENTICATED = "authenticated"


@dataclass(frozen=True, slots=True)
class Mode:
    """One output mode: its number in ``SelectMode`` and a short plain description."""

    number: int
    description: str


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """What one device model can do and the limits that hold for it, whoever asks.

    ``lowest_percent`` is the level of every start and ``step_percent`` the finest change; ``max_percent`` the highest
    level ever asked for. ``ramp_percent_per_s`` bounds every rise. ``full_scale_ua`` is None where the maker publishes
    no current. ``max_session_s`` is the maker's limit of output per session (None: the maker is silent).
    ``cooling_range_c`` is the range that *SetCoolingTarget* accepts. ``hand_set`` says in one sentence what the person
    sets on the device itself, or is empty. ``light``: the device has LEDs for a step with light.
    """

    key: str
    name: str
    output: OutputKind
    lowest_percent: int
    step_percent: int
    max_percent: int
    ramp_percent_per_s: float
    full_scale_ua: int | None = None
    max_session_s: float | None = None
    max_zone_s: float | None = None
    modes: tuple[Mode, ...] = ()
    cooling_range_c: tuple[int, int] | None = None
    reports: frozenset[Report] = field(default_factory=frozenset)
    pairing: Pairing = Pairing.NONE
    neck_cleared: bool = False
    hand_set: str = ""
    light: bool = False
