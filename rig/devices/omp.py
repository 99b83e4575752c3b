"""The simulated OMP device: the reference that keeps all ten rules of the profile, and whose output can be measured.

What happens between two calls happens at its own time, however late the next call comes: a host that hangs finds that
the keep-alive lapsed when it did. Refuses to know radios, clocks and asyncio; the bytes are those of the profile's
codec, which has the specification's examples and the checks of ``tests/protocols`` to answer to.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from protocols import omp_codec as codec
from protocols.gatt import Characteristic, Property, Service, uuid
from protocols.omp_codec import (
    AdvertisedFlag,
    Extra,
    FaultCode,
    Features,
    Opcode,
    Request,
    RequestError,
    Response,
    Result,
    ServiceData,
    State,
    Status,
    Telemetry,
    Waveform,
    Zone,
)
from protocols.omp_record import SAMPLE_S, Ending, SessionRecord
from rig.devices.display import Display
from rig.devices.model import Advertisement, AttError, DeviceAction, Hangup, Notify, SimulatedDevice, TraceEntry
from rig.devices.omp_output import OutputStage
from rig.devices.omp_store import RecordStore
from rig.devices.skin import Skin, Touch
from rig.radio.details import RadioDetails
from rig.radio.pairing import Ability, Pairing

FIRST = 0
"""The central that the contract's own calls speak for; others speak through :meth:`SimulatedOmp.central`."""

BATTERY_LEVEL = uuid(0x2A19)
MANUFACTURER, MODEL = uuid(0x2A29), uuid(0x2A24)
SERIAL, HARDWARE, FIRMWARE = uuid(0x2A25), uuid(0x2A27), uuid(0x2A26)

SENSE_S = 0.02
"""How long the device takes to notice what happens at its electrodes."""
CONTACT_BACK_S = 0.3
"""How long contact has to be back before *Resume* or *Start* is taken."""
RAMP_DOWN_S = 0.4
"""How long *Pause* and a lapsed keep-alive take to zero, at the most."""
SHORT_OHM = 50.0
"""Below this the electrodes are taken to touch each other."""
CHUNK_S = 0.01
"""How far apart the notifications of a report are."""

SIMULATED_FEATURES = Features(
    max_current_ua=400,
    current_step_ua=5,
    max_session_s=1200,
    max_ramp_ua_per_s=40,
    channels=1,
    waveforms=frozenset(Waveform),
    extras=Extra.RED_LED | Extra.ACCELEROMETER,
    zones=Zone.FACE,
)
"""What the device can do unless it is made to do something else: 400 µA (FDA 510(k) K103472), 20 min, 10 % a second."""

_SUPPORTED_LIGHTS = (Extra.RED_LED, Extra.AMBER_LED, Extra.BLUE_LED)
_TELEMETRY_S = codec.TELEMETRY_PERIOD_MS / 1000
_MEASURING = frozenset({State.READY, State.RUNNING, State.PAUSED, State.CONTACT_LOST, State.RAMPING_DOWN})
_FIRST_FREQUENCY_DHZ = 83
_BATTERY_LOW = 5  # percent, from where on there is no output
_S_PER_PERCENT = 72.0  # two hours of use a charge; it costs nothing to lie unconnected
_LESS_THAN_A_TICK_S = 1e-9

_READ_NOT_PERMITTED = 0x02  # ATT error codes: Core Specification Vol 3 Part F 3.4.1.1
_WRITE_NOT_PERMITTED = 0x03
_CCCD_IMPROPERLY_CONFIGURED = 0xFD  # Core Specification Supplement Part B 1.2

_SERVICES = (
    Service(
        codec.SERVICE,
        (
            Characteristic(codec.FEATURES, Property.READ),
            Characteristic(codec.CONTROL_POINT, Property.WRITE | Property.INDICATE),
            Characteristic(codec.STATUS, Property.READ | Property.NOTIFY),
            Characteristic(codec.TELEMETRY, Property.NOTIFY),
            Characteristic(codec.SESSION_RECORD, Property.NOTIFY),
        ),
    ),
    Service(uuid(0x180F), (Characteristic(BATTERY_LEVEL, Property.READ | Property.NOTIFY),)),
    Service(
        uuid(0x180A),
        tuple(Characteristic(each, Property.READ) for each in (MANUFACTURER, MODEL, SERIAL, FIRMWARE, HARDWARE)),
    ),
)
ENCRYPTED = frozenset({codec.FEATURES, codec.CONTROL_POINT, codec.STATUS, codec.TELEMETRY, codec.SESSION_RECORD})
"""Characteristics that need an encrypted link."""
AUTHENTICATED = frozenset({codec.CONTROL_POINT, codec.SESSION_RECORD})
"""Characteristics that need, beyond it, a key from an authenticated pairing."""

_Answer = tuple[Result, tuple[int, ...]]
_Upcoming = tuple[float, Callable[[float], None]]


@lru_cache(maxsize=64)  # the radio looks again and again whether it still says the same
def _advertised(name: str, free: bool, charging: bool, faulty: bool) -> Advertisement:
    flags = AdvertisedFlag(0)
    if free:
        flags |= AdvertisedFlag.PAIRING_ALLOWED
    if charging:
        flags |= AdvertisedFlag.CHARGING
    if faulty:
        flags |= AdvertisedFlag.FAULT
    data = ServiceData(flags).encode()
    return Advertisement(name, (codec.SERVICE,), ((codec.SERVICE, data),))


@dataclass(slots=True)
class _Run:
    """One run, from *Start* to its end."""

    session_id: int
    longest_s: float
    used_s: float = 0.0
    running_since: float | None = None
    highest_target_ua: int = 0
    highest_delivered_ua: float = 0.0
    contact_losses: int = 0
    sums: list[tuple[float, int]] = field(default_factory=list)

    def used(self, at: float) -> float:
        """Seconds with the output running so far."""
        return self.used_s + (0.0 if self.running_since is None else at - self.running_since)

    def hold(self, at: float) -> None:
        """The output no longer runs."""
        self.used_s = self.used(at)
        self.running_since = None

    def sample(self, delivered_ua: float, at: float) -> None:
        """Take a measurement into the record."""
        slot = int(self.used(at) // SAMPLE_S)
        while len(self.sums) <= slot:
            self.sums.append((0.0, 0))
        total, count = self.sums[slot]
        self.sums[slot] = (total + delivered_ua, count + 1)
        self.highest_delivered_ua = max(self.highest_delivered_ua, delivered_ua)


class CentralSide:
    """One central's side of the device, beside that of the contract; its calls are those of the contract.

    What comes due for it between its calls is fetched by :meth:`fetch`.
    """

    def __init__(self, device: SimulatedOmp, number: int) -> None:
        self._device = device
        self._number = number

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        """It has connected."""
        return self._device.central_connected(self._number, now)

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        """Its link is gone."""
        return self._device.central_disconnected(self._number, now)

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        """It wrote a CCCD."""
        return self._device.central_subscribed(self._number, characteristic, enabled, now)

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        """It wrote a characteristic; raises as the contract's call does."""
        return self._device.central_written(self._number, characteristic, data, now)

    def read(self, characteristic: str, now: float) -> bytes:
        """It reads a characteristic; raises as the contract's call does."""
        return self._device.read(characteristic, now)

    def fetch(self, now: float) -> tuple[DeviceAction, ...]:
        """Return what has come due for it by ``now``."""
        return self._device.central_fetch(self._number, now)


class SimulatedOmp(SimulatedDevice):
    """An OMP device on the bench; ``output_ua`` is what it puts into the skin, at any time so far.

    Where the profile leaves something open: *Start* and *Resume* count as a keep-alive of 1 s when less is left; only
    running time counts towards the longest run; a lowered target is followed at once, a raised one on the ramp; the
    target is forgotten with the controller's link; contact has to be there for 300 ms for *Start* too; a *Stop* is
    carried out even where the Control Point's indications are not enabled, every other request is then refused with
    ATT error 0xFD; telemetry also goes on in *paused* and *contact lost*, so that a host sees the contact come back.

    Args:
        seed: of the skin, the current source's error (2 % at most) and the battery.
        name: as advertised.
        features: what it can do.
        skin: what its electrodes touch; by default gelled skin that nothing happens to.
        secured: whether its characteristics need the pairing that the profile asks for.
        pairing: what its end can do when it is paired: compare two codes, or show one that is typed elsewhere.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        name: str = "OMP",
        features: Features = SIMULATED_FEATURES,
        skin: Skin | None = None,
        secured: bool = True,
        pairing: Ability = Ability.SHOWS_AND_CONFIRMS,
    ) -> None:
        chance = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self.features = features
        self.skin = skin if skin is not None else Skin(seed)
        self._name = name
        self._serial = f"{seed & 0xFFFFFFFF:08X}"
        self._stage = OutputStage(self.skin, chance.uniform(0.98, 1.02), _FIRST_FREQUENCY_DHZ / 10)
        self.display = Display(random.Random(f"display {seed}"))  # noqa: S311 - a simulation, not a secret
        self._security = (
            RadioDetails(encrypted=ENCRYPTED, authenticated=AUTHENTICATED, pairing=Pairing(pairing, self.display))
            if secured
            else RadioDetails()
        )
        self._trace: list[TraceEntry] = []
        self._now = 0.0
        self._upcoming: _Upcoming | None = None  # what :meth:`_next` found, until anything may have changed
        self._upcoming_known = False
        self._touch_seen = -math.inf
        self._touching = True
        self._contact_since = -math.inf
        self._shorted = False
        # Outlives a loss of power:
        self.store = RecordStore()
        self._session_id = 0
        self._charge = float(chance.randint(60, 100))
        self._charge_at = 0.0
        self._charging = False
        # Links, by central:
        self._subscriptions: dict[int, set[str]] = {}
        self._outbox: dict[int, list[DeviceAction]] = {FIRST: []}
        self._requests: Mapping[Opcode, Callable[[int, float, tuple[int, ...]], Result | _Answer]] = {
            Opcode.REQUEST_CONTROL: lambda number, _now, given: self._request_control(number, *given),
            Opcode.SET_TARGET: lambda _number, now, given: self._set_target(now, *given),
            Opcode.SET_WAVEFORM: lambda _number, now, given: self._set_waveform(now, *given),
            Opcode.START: lambda _number, now, given: self._start(now, *given),
            Opcode.PAUSE: lambda _number, now, _given: self._pause(now),
            Opcode.RESUME: lambda _number, now, _given: self._resume(now),
            Opcode.STOP: lambda _number, now, _given: self._stop(now),
            Opcode.KEEP_ALIVE: lambda _number, now, given: self._keep_alive(now, *given),
            Opcode.SET_RAMP: lambda _number, now, given: self._set_ramp(now, *given),
            Opcode.SET_LIGHT: lambda _number, _now, given: self._set_light(*given),
            Opcode.IDENTIFY: lambda _number, _now, given: self._identify(*given),
            Opcode.ACKNOWLEDGE_FAULT: lambda _number, now, _given: self._acknowledge_fault(now),
            Opcode.REPORT_RECORDS: lambda number, now, given: self._report(number, now, *given),
            Opcode.ABORT_REPORT: lambda _number, _now, _given: self._abort_report(),
            Opcode.DELETE_RECORDS: lambda _number, _now, given: self._delete(*given),
        }
        self._switch_on(0.0)

    def _switch_on(self, at: float) -> None:
        """Set everything to what it is after power-on."""
        self._on_since = at
        self._state = State.CHARGING if self._charging else State.IDLE
        self._fault = FaultCode.NONE
        self._controller: int | None = None
        self._target_ua = 0
        self._ramp_ua_per_s = self.features.max_ramp_ua_per_s
        self._waveform = min(self.features.waveforms, default=Waveform.PULSED_DC)
        self._frequency_dhz = _FIRST_FREQUENCY_DHZ
        self._light = 0
        self._beeps = 0
        self._keep_alive_until = -math.inf
        self._run: _Run | None = None
        self._limit_reached = False
        self._down_until: float | None = None
        self._sequence = 0
        self._tick_at: float | None = None
        self._chunk_at: float | None = None
        self._reports_to: int | None = None
        self._told_status: tuple[State, FaultCode, int, int] | None = None
        self._told_battery = self.battery_percent(at)

    # --- the contract -------------------------------------------------------------------------------------------------

    @property
    def advertisement(self) -> Advertisement:
        """Name, service and what the service data say of it."""
        return _advertised(self._name, self._controller is None, self._charging, bool(self._fault))

    @property
    def services(self) -> tuple[Service, ...]:
        """The OMP service, Battery and Device Information."""
        return _SERVICES

    @property
    def radio_details(self) -> RadioDetails:
        """Which characteristics need what security."""
        return self._security

    @property
    def deadline(self) -> float | None:
        """When something comes due, at once where something waits to be sent."""
        if self._outbox[FIRST]:
            return self._now
        due = self._next()
        return None if due is None else due[0]

    @property
    def trace(self) -> tuple[TraceEntry, ...]:
        """The output in steps of 1 % of full scale, and every time that it ended, oldest first.

        What it was between two entries is :meth:`output_ua`'s to say.
        """
        return tuple(self._trace)

    def output_percent(self, now: float) -> float:
        """Return what goes into the skin at ``now``, in percent of the highest current."""
        return self.output_ua(now) * 100 / self.features.max_current_ua

    def output_ua(self, at: float) -> float:
        """Return what goes, or went, into the skin at ``at`` (seconds), in µA peak."""
        if at > self._now:
            self._catch_up(at)
        return self._stage.delivered_ua(at)

    def switched_on(self, now: float) -> None:
        """Time begins for gel and skin, and for the clock that telemetry tells."""
        self.skin.begin(now)
        self._on_since = self._charge_at = now

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        """A central has connected."""
        return self.central_connected(FIRST, now)

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        """The link is gone; with the controller's, output and control end at once."""
        return self.central_disconnected(FIRST, now)

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        """The central wrote a CCCD."""
        return self.central_subscribed(FIRST, characteristic, enabled, now)

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        """Take a request on the Control Point.

        Raises:
            AttError: the characteristic takes no writes, or the answer has nowhere to go (0xFD).
        """
        return self.central_written(FIRST, characteristic, data, now)

    def read(self, characteristic: str, now: float) -> bytes:
        """Give features, status, battery level or a piece of device information.

        Raises:
            AttError: the characteristic cannot be read.
        """
        self._catch_up(now)
        match characteristic:
            case codec.FEATURES:
                return self.features.encode()
            case codec.STATUS:
                return self._status(now).encode()
            case _ if characteristic == BATTERY_LEVEL:
                return bytes((self.battery_percent(now),))
        information = {
            MANUFACTURER: "Open Microcurrent Profile",
            MODEL: "Simulated device",
            SERIAL: self._serial,
            FIRMWARE: f"{codec.MAJOR}.{codec.MINOR}",
            HARDWARE: "virtual",
        }
        if characteristic not in information:
            raise AttError(_READ_NOT_PERMITTED)
        return information[characteristic].encode()

    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        """Do what was due, each thing at its own time."""
        self._catch_up(now)
        return self._take_out(FIRST)

    # --- more than one central ----------------------------------------------------------------------------------------

    def central(self, number: int) -> CentralSide:
        """Return the side of another central; ``number`` is any but 0, which is the contract's own."""
        if number == FIRST:
            raise ValueError("central 0 speaks by the device's own calls")
        return CentralSide(self, number)

    def central_connected(self, number: int, now: float) -> tuple[DeviceAction, ...]:
        """A central has connected."""
        self._catch_up(now)
        self._set_charge(self._charge_left(now), now)
        self._subscriptions[number] = set()
        self._outbox[number] = []
        return ()

    def central_disconnected(self, number: int, now: float) -> tuple[DeviceAction, ...]:
        """A central's link is gone."""
        self._catch_up(now)
        self._set_charge(self._charge_left(now), now)
        self._subscriptions.pop(number, None)
        self._outbox[number] = []
        if self._reports_to == number:
            self._end_report()
        if self._controller == number:
            self._lose_controller(now)
        self._tell_changes(now)
        return ()

    def central_subscribed(
        self, number: int, characteristic: str, enabled: bool, now: float
    ) -> tuple[DeviceAction, ...]:
        """A central wrote a CCCD."""
        self._catch_up(now)
        subscriptions = self._subscriptions.setdefault(number, set())
        if enabled:
            subscriptions.add(characteristic)
        else:
            subscriptions.discard(characteristic)
        return self._take_out(number)

    def central_written(self, number: int, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        """Take a request of one central on the Control Point; raises as :meth:`written`."""
        self._catch_up(now)
        if characteristic != codec.CONTROL_POINT:
            raise AttError(_WRITE_NOT_PERMITTED)
        can_be_answered = codec.CONTROL_POINT in self._subscriptions.get(number, ())
        if not can_be_answered and data != Request(Opcode.STOP).encode():
            raise AttError(_CCCD_IMPROPERLY_CONFIGURED)
        response = self._respond(number, data, now)
        if can_be_answered:
            self._tell(number, codec.CONTROL_POINT, response.encode())
        self._tell_changes(now)
        return self._take_out(number)

    def central_fetch(self, number: int, now: float) -> tuple[DeviceAction, ...]:
        """Return what has come due for a central by ``now``."""
        self._catch_up(now)
        return self._take_out(number)

    # --- what the tests can see ---------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The state as of the last call."""
        return self._state

    @property
    def fault(self) -> FaultCode:
        """The fault as of the last call."""
        return self._fault

    @property
    def target_ua(self) -> int:
        """The target in effect."""
        return self._target_ua

    @property
    def controller(self) -> int | None:
        """Which central holds control."""
        return self._controller

    @property
    def light_percent(self) -> int:
        """How bright the light is."""
        return self._light

    @property
    def beeps(self) -> int:
        """How often it has beeped."""
        return self._beeps

    @property
    def stage(self) -> OutputStage:
        """The output stage: commanded and delivered current at any time."""
        return self._stage

    def battery_percent(self, now: float) -> int:
        """Battery level at ``now``, in whole percent."""
        return max(0, math.ceil(self._charge_left(now) - 1e-9))

    # --- what the tests can do to it ----------------------------------------------------------------------------------

    def touch(self, touch: Touch, at: float) -> None:
        """Let something happen at the electrodes, now or later (seconds)."""
        if at < self._now:
            raise ValueError(f"{at} s is over: it is {self._now} s")
        self.skin.add(touch, at)
        self._deadline_may_have_moved()

    def inject_fault(self, fault: FaultCode, now: float) -> None:
        """Let the device find a fault in itself. It goes when it is acknowledged."""
        self._catch_up(now)
        self._fail(fault, now)
        self._tell_changes(now)
        self._deadline_may_have_moved()

    def set_charging(self, charging: bool, now: float) -> None:
        """Put it on its charger or take it off."""
        self._catch_up(now)
        if charging != self._charging:
            self._set_charge(self._charge_left(now), now)
            self._charging = charging
            if charging:
                self._end_run(Ending.CHARGING, now)
            self._rest()
            self._tell_changes(now)
            self._deadline_may_have_moved()

    def set_battery(self, percent: int, now: float) -> None:
        """Set the battery to ``percent``, from where it goes on falling."""
        self._catch_up(now)
        self._set_charge(float(percent), now)
        self._deadline_may_have_moved()

    def power_cycle(self, now: float) -> None:
        """Take its power away and give it back: links, run and settings are gone, records are not."""
        self._catch_up(now)
        self._end_run(Ending.POWER_LOST, now)
        self._put_out(now, "power lost")
        self.store.power_lost()
        self._switch_on(now)
        self._outbox = {number: [] for number in (FIRST, *self._subscriptions)}
        for number in self._subscriptions:
            self._outbox[number].append(Hangup())
        self._set_charge(self._charge_left(now), now)
        self._subscriptions.clear()
        self._deadline_may_have_moved()

    # --- time ---------------------------------------------------------------------------------------------------------

    def _next(self) -> _Upcoming | None:
        """Return what happens next by itself: when, and what. Of two at the same time, what ends output comes first."""
        if not self._upcoming_known:
            first: _Upcoming | None = None
            for at, happen in self._coming():
                if at is not None and (first is None or at < first[0]):
                    first = (at, happen)
            self._upcoming, self._upcoming_known = first, True
        return self._upcoming

    def _coming(self) -> tuple[tuple[float | None, Callable[[float], None]], ...]:
        touched = self.skin.next_event(self._touch_seen)
        return (
            (None if touched is None else touched + SENSE_S, self._feel),
            (self._limit_at(), self._reach_limit),
            (self._keep_alive_lapses_at(), self._lapse),
            (self._down_until, self._be_down),
            (self._tick_at, self._tick),
            (self._chunk_at, self._send_piece),
            (self._battery_news_at(), self._battery_falls),
        )

    def _catch_up(self, now: float) -> None:
        """Let everything happen that was due by ``now``, in order and at its own time."""
        while (due := self._next()) is not None and due[0] <= now:
            at, happen = max(self._now, due[0]), due[1]
            self._now = at
            happen(at)
            self._tell_changes(at)
            self._upcoming_known = False
        self._now = max(self._now, now)
        self._upcoming_known = False  # whoever catches up is about to change something

    def _deadline_may_have_moved(self) -> None:
        self._upcoming_known = False
        if self.deadline_moved is not None:
            self.deadline_moved()

    # --- requests -----------------------------------------------------------------------------------------------------

    def _respond(self, number: int, data: bytes, now: float) -> Response:
        try:
            request = Request.decode(data)
        except RequestError as error:
            return Response(error.opcode, error.result)
        result, parameters = self._perform(number, request, now)
        return Response(request.opcode, result, parameters)

    def _perform(self, number: int, request: Request, now: float) -> _Answer:
        """Do what a central asks for, or do nothing and say why."""
        if not self._permitted(number, request.opcode):
            return Result.NOT_PERMITTED, ()
        answer = self._requests[request.opcode](number, now, request.parameters)
        return (answer, ()) if isinstance(answer, Result) else answer

    def _permitted(self, number: int, opcode: Opcode) -> bool:
        """Rule 8: one controller; everybody may stop, and ask for control while nobody has it."""
        if opcode is Opcode.STOP:
            return True
        if opcode is Opcode.REQUEST_CONTROL:
            return self._controller in (None, number)
        return self._controller == number

    def _request_control(self, number: int, nonce: int) -> _Answer:
        self._controller = number
        self._rest()
        return Result.SUCCESS, (nonce,)

    def _set_target(self, now: float, target_ua: int) -> Result:
        if target_ua > self.features.max_current_ua or target_ua % self.features.current_step_ua:
            return Result.INVALID_PARAMETER
        self._target_ua = target_ua
        if self._state is State.RUNNING:
            self._aim(now)
        else:
            self._rest()
        return Result.SUCCESS

    def _aim(self, now: float) -> None:
        """Let a running output follow its target: down at once (rule 5), up on the ramp (rule 1)."""
        if self._run is not None:
            self._run.highest_target_ua = max(self._run.highest_target_ua, self._target_ua)
        if self._target_ua <= self._stage.commanded_ua(now):
            self._stage.set(self._target_ua, now)
            self._look(now, "target")
        else:
            self._stage.ramp(self._target_ua, self._rise_ua_per_s(), now)

    def _rise_ua_per_s(self) -> float:
        return float(self._ramp_ua_per_s)

    def _set_waveform(self, now: float, waveform: int, frequency_dhz: int) -> Result:
        lowest, highest = codec.FREQUENCY_DHZ
        if waveform not in {int(each) for each in self.features.waveforms} or not lowest <= frequency_dhz <= highest:
            return Result.INVALID_PARAMETER
        if self._run is not None:
            return Result.WRONG_STATE
        self._waveform = Waveform(waveform)
        self._frequency_dhz = frequency_dhz
        self._stage.tune(frequency_dhz / 10, now)
        return Result.SUCCESS

    def _set_ramp(self, now: float, ramp_ua_per_s: int) -> Result:
        if not 1 <= ramp_ua_per_s <= self.features.max_ramp_ua_per_s:
            return Result.INVALID_PARAMETER
        self._ramp_ua_per_s = ramp_ua_per_s
        if self._state is State.RUNNING:
            self._aim(now)
        return Result.SUCCESS

    def _keep_alive(self, now: float, valid_ms: int) -> Result:
        shortest, longest = codec.KEEP_ALIVE_MS
        if not shortest <= valid_ms <= longest:
            return Result.INVALID_PARAMETER
        self._keep_alive_until = now + valid_ms / 1000
        return Result.SUCCESS

    def _start(self, now: float, longest_s: int) -> Result:
        if longest_s < 1:
            return Result.INVALID_PARAMETER
        if self._charging_forbids():
            return Result.CHARGING
        if self._state is not State.READY:
            return Result.WRONG_STATE
        if not self._contact_settled(now):
            return Result.NO_CONTACT
        self._session_id += 1
        self._limit_reached = False
        self._run = _Run(self._session_id, self._longest_run_s(longest_s))
        self._go(now)
        return Result.SUCCESS

    def _longest_run_s(self, asked_s: int) -> float:
        return float(min(asked_s, self.features.max_session_s))

    def _charging_forbids(self) -> bool:
        return self._charging

    def _pause(self, now: float) -> Result:
        if self._state is not State.RUNNING:
            return Result.WRONG_STATE
        self._ramp_down(now)
        return Result.SUCCESS

    def _resume(self, now: float) -> Result:
        if self._charging_forbids():
            return Result.CHARGING
        if self._run is None and self._limit_reached:
            return Result.TIME_LIMIT
        if self._state not in (State.PAUSED, State.CONTACT_LOST):
            return Result.WRONG_STATE
        if not self._contact_settled(now):
            return Result.NO_CONTACT
        self._go(now)
        return Result.SUCCESS

    def _go(self, now: float) -> None:
        """Let the output rise from zero."""
        self._state = State.RUNNING
        self._keep_alive_until = max(self._keep_alive_until, now + codec.START_KEEP_ALIVE_MS / 1000)
        if self._run is not None:
            self._run.running_since = now
        self._stage.set(0.0, now)
        self._aim(now)

    def _set_light(self, colour: int, percent: int) -> Result:
        if colour >= len(_SUPPORTED_LIGHTS) or percent > 100:
            return Result.INVALID_PARAMETER
        if _SUPPORTED_LIGHTS[colour] not in self.features.extras:
            return Result.NOT_SUPPORTED
        self._light = percent
        return Result.SUCCESS

    def _identify(self, beeps: int) -> Result:
        self._beeps += beeps
        return Result.SUCCESS

    def _acknowledge_fault(self, now: float) -> Result:
        if not self._fault:
            return Result.WRONG_STATE
        flat = self._fault is FaultCode.BATTERY_LOW and self.battery_percent(now) <= _BATTERY_LOW
        if flat or (self._fault is FaultCode.ELECTRODE_SHORT and self._shorted):
            return Result.FAILED
        self._fault = FaultCode.NONE
        self._rest()
        return Result.SUCCESS

    # --- what ends output ---------------------------------------------------------------------------------------------

    def _stop(self, now: float) -> Result:
        """Rule 2: zero at once."""
        self._end_run(Ending.STOPPED, now)
        self._rest()
        return Result.SUCCESS

    def _lose_controller(self, now: float) -> None:
        """Rule 2: zero at once, and nothing that the next controller could inherit."""
        self._end_run(Ending.LINK_LOST, now)
        self._controller = None
        self._target_ua = 0
        self._keep_alive_until = -math.inf
        self._rest()

    def _end_run(self, ending: Ending, at: float) -> None:
        self._put_out(at, ending.name.lower().replace("_", " "))
        self._down_until = None
        run, self._run = self._run, None
        if run is None:
            return
        run.hold(at)
        self._keep_record(
            SessionRecord(
                session_id=run.session_id,
                run_ms=round(run.used_s * 1000),
                highest_target_ua=run.highest_target_ua,
                highest_delivered_ua=round(run.highest_delivered_ua),
                contact_losses=run.contact_losses,
                ending=ending,
                waveform=self._waveform,
                frequency_dhz=self._frequency_dhz,
                delivered_ua=tuple(round(total / count) if count else 0 for total, count in run.sums),
            )
        )

    def _keep_record(self, record: SessionRecord) -> None:
        self.store.keep(record)

    def _put_out(self, at: float, why: str) -> None:
        """Zero, at once."""
        if self._run is not None:
            self._run.hold(at)
        # Also where it is zero: a rise that begins at this very moment would go on.
        self._stage.set(0.0, at)
        self._look(at, why)

    def _limit_at(self) -> float | None:
        run = self._run
        if run is None or run.running_since is None:
            return None
        return run.running_since + run.longest_s - run.used_s

    def _reach_limit(self, at: float) -> None:
        """Rule 6: the run is over."""
        self._end_run(Ending.TIME_LIMIT, at)
        self._limit_reached = True
        self._rest()

    def _keep_alive_lapses_at(self) -> float | None:
        return self._keep_alive_until if self._state is State.RUNNING else None

    def _lapse(self, at: float) -> None:
        """Rule 3: nobody has said that the host is alive."""
        self._ramp_down(at)

    def _ramp_down(self, at: float) -> None:
        self._state = State.RAMPING_DOWN
        self._stage.ramp(0.0, max(self._stage.commanded_ua(at), 1.0) / RAMP_DOWN_S, at)
        self._down_until = at + RAMP_DOWN_S

    def _be_down(self, at: float) -> None:
        self._down_until = None
        self._put_out(at, "paused")
        self._state = State.PAUSED

    def _fail(self, fault: FaultCode, at: float) -> None:
        self._end_run(Ending.FAULT, at)
        self._fault = fault
        self._rest()

    def _rest(self) -> None:
        """Take the state that fits when there is no run; a run has the state that it has."""
        if self._run is not None:
            return
        if self._fault:
            self._state = State.FAULT
        elif self._charging:
            self._state = State.CHARGING
        else:
            self._state = State.READY if self._controller is not None and self._target_ua else State.IDLE
        if self._state in _MEASURING and self._tick_at is None:
            self._tick_at = self._now + _TELEMETRY_S

    # --- the electrodes -----------------------------------------------------------------------------------------------

    def _feel(self, at: float) -> None:
        """Notice what has happened at the electrodes a moment ago."""
        happened = self.skin.next_event(self._touch_seen)
        self._touch_seen = at if happened is None else happened
        self._sense(at)

    def _sense(self, at: float) -> None:
        impedance = self._stage.impedance_ohm(at)
        self._shorted = impedance is not None and impedance < SHORT_OHM
        touching = impedance is not None and impedance <= codec.LOST_OHM
        if touching and not self._touching:
            self._contact_since = at
        self._touching = touching
        if self._shorted and not self._fault and self._run is not None:
            self._fail(FaultCode.ELECTRODE_SHORT, at)
        elif not touching:
            self._lose_contact(at)

    def _lose_contact(self, at: float) -> None:
        """Rule 4: zero at once."""
        if self._run is not None and self._state is not State.CONTACT_LOST:
            self._put_out(at, "contact lost")
            self._down_until = None
            self._run.contact_losses += 1
            self._state = State.CONTACT_LOST

    def _contact_settled(self, now: float) -> bool:
        return self._touching and now >= self._contact_since + CONTACT_BACK_S - _LESS_THAN_A_TICK_S

    # --- what it says -------------------------------------------------------------------------------------------------

    def _status(self, now: float) -> Status:
        run = self._run
        left = 0 if run is None else math.ceil(run.longest_s - run.used(now) - 1e-9)
        keep_alive_ms = 0
        if self._state is State.RUNNING:
            keep_alive_ms = max(0, math.ceil((self._keep_alive_until - now) * 1000 - 1e-6))
        return Status(self._state, self._fault, self._target_ua, max(0, left), keep_alive_ms, self._session_id)

    def _tell_changes(self, now: float) -> None:
        status = (self._state, self._fault, self._target_ua, self._session_id)
        if status != self._told_status:
            self._told_status = status
            self._tell_all(codec.STATUS, self._status(now).encode())

    def _tick(self, at: float) -> None:
        """Measure, and tell what was measured."""
        self._sense(at)
        delivered = self._stage.delivered_ua(at)
        self._look(at, "output")
        if self._run is not None and self._run.running_since is not None:
            self._run.sample(delivered, at)
            self._guard_current(delivered, at)
        if self._state not in _MEASURING:
            self._tick_at = None
            return
        self._tick_at = at + _TELEMETRY_S
        if any(codec.TELEMETRY in subscriptions for subscriptions in self._subscriptions.values()):
            self._tell_all(codec.TELEMETRY, self._telemetry(delivered, at).encode())

    def _guard_current(self, delivered_ua: float, at: float) -> None:
        """Rule 5: the device watches its own output."""
        if delivered_ua > self._target_ua * 1.05 + 5:
            self._fail(FaultCode.OVER_CURRENT, at)

    def _telemetry(self, delivered_ua: float, at: float) -> Telemetry:
        impedance = self._stage.impedance_ohm(at)
        open_or_far = impedance is None or impedance > codec.LOST_OHM
        return Telemetry(
            sequence=self._next_sequence(),
            ms_since_start=round((at - self._on_since) * 1000) & 0xFFFFFFFF,
            delivered_ua=round(delivered_ua),
            impedance_ohm=None if impedance is None else round(impedance),
            # From 100 at 2 kilohms down to 0 at the 200 at which contact is lost, even in the logarithm.
            contact=0 if open_or_far else self._contact(impedance or 0.0),
            temperature_c=round(self.skin.temperature_c(at), 2),
            state=self._state,
        )

    @staticmethod
    def _contact(impedance_ohm: float) -> int:
        share = math.log(codec.LOST_OHM / max(impedance_ohm, 1.0)) / math.log(codec.LOST_OHM / 2_000.0)
        return round(100 * min(1.0, max(0.0, share)))

    def _next_sequence(self) -> int:
        """Rule 9: one by one, and around."""
        number = self._sequence
        self._sequence = (number + 1) & 0xFFFF
        return number

    def _look(self, at: float, why: str) -> None:
        """Enter the output into the trace where it has changed by 1 % of full scale, or has ended."""
        percent = self._stage.delivered_ua(at) * 100 / self.features.max_current_ua
        before = self._trace[-1].output_percent if self._trace else 0.0
        if abs(percent - before) >= 1.0 or (percent == 0) != (before == 0):
            self._trace.append(TraceEntry(at, percent, why))

    def _tell(self, number: int, characteristic: str, data: bytes) -> None:
        if characteristic in self._subscriptions.get(number, ()):
            self._outbox[number].append(Notify(characteristic, data))

    def _tell_all(self, characteristic: str, data: bytes) -> None:
        for number in self._subscriptions:
            self._tell(number, characteristic, data)

    def _take_out(self, number: int) -> tuple[DeviceAction, ...]:
        actions, self._outbox[number] = tuple(self._outbox.get(number, ())), []
        return actions

    # --- records ------------------------------------------------------------------------------------------------------

    def _report(self, number: int, now: float, first_id: int) -> _Answer:
        if self.store.reporting:
            return Result.WRONG_STATE, ()
        if codec.SESSION_RECORD not in self._subscriptions.get(number, ()):
            return Result.FAILED, ()
        count = self.store.report(first_id)
        if count:
            self._reports_to = number
            self._chunk_at = now + CHUNK_S
        return Result.SUCCESS, (count,)

    def _send_piece(self, at: float) -> None:
        if self._reports_to is not None:
            self._tell(self._reports_to, codec.SESSION_RECORD, self.store.next_piece().encode())
        self._chunk_at = at + CHUNK_S
        if not self.store.reporting:
            self._end_report()

    def _abort_report(self) -> Result:
        if not self.store.reporting:
            return Result.WRONG_STATE
        self._end_report()
        return Result.SUCCESS

    def _end_report(self) -> None:
        self.store.abort()
        self._chunk_at = None
        self._reports_to = None

    def _delete(self, first_id: int) -> _Answer:
        """Rule 10: only what was reported."""
        return Result.SUCCESS, (self.store.delete(first_id),)

    # --- the battery --------------------------------------------------------------------------------------------------

    def _charge_left(self, now: float) -> float:
        if self._charging or not self._subscriptions:
            return self._charge
        return self._charge - (now - self._charge_at) / _S_PER_PERCENT

    def _set_charge(self, percent: float, now: float) -> None:
        self._charge = percent
        self._charge_at = now

    def _battery_news_at(self) -> float | None:
        """When the battery next falls by a percent; None while nobody could notice."""
        if self._charging or not self._subscriptions:
            return None
        if self.battery_percent(self._now) != self._told_battery:
            return self._now
        return self._charge_at + (self._charge - (self._told_battery - 1)) * _S_PER_PERCENT

    def _battery_falls(self, at: float) -> None:
        # On the dot the level has just left the percent told last, but for the error of a division.
        percent = min(self.battery_percent(at), max(0, math.ceil(self._charge_left(at) - 1e-6)))
        self._told_battery = percent
        self._tell_all(BATTERY_LEVEL, bytes((percent,)))
        if percent <= _BATTERY_LOW and not self._fault:
            self._fail(FaultCode.BATTERY_LOW, at)
