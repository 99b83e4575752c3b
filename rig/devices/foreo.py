"""A simulated FOREO of the BEAR, LUNA, UFO and KIWI families: pulsation, battery and the raw skin reading.

Their microcurrent is not publicly documented and so has no place here. Refuses to know radios, clocks and asyncio.
"""

from __future__ import annotations

import math
import random

from protocols.gatt import Characteristic, Property, Service, uuid
from rig.devices.model import (
    Advertisement,
    AttError,
    DeviceAction,
    Hangup,
    Notify,
    SimulatedDevice,
    TraceEntry,
)

CONTROL = uuid(0xFFF1)
BATTERY = uuid(0x0A00)
SKIN = uuid(0x0A05)

_LEVELS = 10
_SKIN_READING_S = 0.5
_IDLE_S_PER_PERCENT = 600.0
_PULSATING_S_PER_PERCENT = 72.0  # two hours of use a charge, as the makers of such devices state

_READ_NOT_PERMITTED = 0x02  # ATT error codes: Core Specification Vol 3 Part F 3.4.1.1
_WRITE_NOT_PERMITTED = 0x03
_OUT_OF_RANGE = 0xFF  # Core Specification Supplement Part B 1.2

_SERVICES = (
    Service(
        uuid(0xFFF0),
        (
            Characteristic(CONTROL, Property.WRITE),
            Characteristic(BATTERY, Property.READ | Property.NOTIFY),
            Characteristic(SKIN, Property.READ | Property.WRITE | Property.NOTIFY),
        ),
    ),
)


def model_byte(name: str) -> int:
    """Return the second byte of the pulsation command for an advertised name."""
    lowered = name.lower()
    if "smart" in lowered and "2" in lowered:
        return 3
    return 1 if "fofo" in lowered or "ufo" in lowered else 0


class SimulatedForeo(SimulatedDevice):
    """A FOREO on the bench; ``output_percent`` is its pulsation, ten percent a level.

    Assumptions where nothing is published: 0A00 and 0A05 live in the FFF0 service; a skin reading comes half a second
    after it was asked for, as a notification, and can be read from then on; a pulsation command for another model, out
    of range or malformed is acknowledged by ATT and ignored (the worse case for a host; see ``refuses_nonsense``).

    Args:
        name: as advertised; it also decides which model byte the device obeys.
        seed: of battery level and skin readings.
        keeps_pulsating: whether pulsation outlives the link. What real devices do is not published: try both.
        refuses_nonsense: answer a bad pulsation command with ATT error 0xFF instead of ignoring it.
    """

    def __init__(
        self,
        name: str = "BEAR2",
        seed: int = 0,
        *,
        keeps_pulsating: bool = False,
        refuses_nonsense: bool = False,
    ) -> None:
        self._name = name
        self._random = random.Random(seed)  # noqa: S311 - a reading, not a secret
        self._keeps_pulsating = keeps_pulsating
        self._refuses_nonsense = refuses_nonsense
        self._model = model_byte(name)
        self._level = 0
        self._trace: list[TraceEntry] = []
        self._connected = False
        self._subscriptions: set[str] = set()
        self._charge = (0.0, float(self._random.randint(60, 100)))
        self._shown = self.battery_percent(0.0)
        self._skin = b"\x00\x00"
        self._skin_due: float | None = None
        self._hangup_due: float | None = None
        self._battery_news_at: float | None = None

    # --- the contract -------------------------------------------------------------------------------------------------

    @property
    def advertisement(self) -> Advertisement:
        """The name alone, by which the open catalogue tells these devices."""
        return Advertisement(self._name)

    @property
    def services(self) -> tuple[Service, ...]:
        """The FFF0 service with all three characteristics."""
        return _SERVICES

    @property
    def deadline(self) -> float | None:
        """When the next skin reading is ready or the battery falls by the next percent."""
        due = [self._next_percent_at() if self._battery_news_at is None else self._battery_news_at]
        if self._skin_due is not None:
            due.append(self._skin_due)
        if self._hangup_due is not None:
            due.append(self._hangup_due)
        first = min(due)
        return None if first == math.inf else first

    @property
    def trace(self) -> tuple[TraceEntry, ...]:
        """Every change of the pulsation so far, oldest first."""
        return tuple(self._trace)

    def output_percent(self, now: float) -> float:
        """Pulsation at ``now``, in percent of the highest level."""
        self._drain(now)
        return self._level * 100 / _LEVELS

    def switched_on(self, now: float) -> None:
        """The battery falls from now on."""
        self._charge = (now, self._charge[1])

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        """A central has connected."""
        self._drain(now)
        self._connected = True
        return ()

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        """The link is gone; pulsation ends with it unless the device was made to keep on."""
        self._drain(now)
        self._connected = False
        self._subscriptions.clear()
        self._skin_due = self._hangup_due = self._battery_news_at = None
        if not self._keeps_pulsating:
            self._set_level(0, now, "link lost")
        return ()

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        """The central wrote a CCCD."""
        self._drain(now)
        if enabled:
            self._subscriptions.add(characteristic)
        else:
            self._subscriptions.discard(characteristic)
            if characteristic == BATTERY:
                self._battery_news_at = None
        return ()

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        """Take a pulsation command or the request for a skin reading.

        Raises:
            AttError: the characteristic takes no writes, or the command is nonsense and the device refuses such.
        """
        self._drain(now)
        if characteristic == CONTROL:
            if len(data) == 3 and data[0] == 0x01 and data[1] == self._model and data[2] <= _LEVELS:
                if self.battery_percent(now):
                    self._set_level(data[2], now, "command")
            elif self._refuses_nonsense:
                raise AttError(_OUT_OF_RANGE)
        elif characteristic == SKIN:
            if data == b"\xef":
                self._skin_due = now + _SKIN_READING_S
        else:
            raise AttError(_WRITE_NOT_PERMITTED)
        return ()

    def read(self, characteristic: str, now: float) -> bytes:
        """Give the battery level or the last skin reading.

        Raises:
            AttError: the characteristic cannot be read.
        """
        if characteristic == BATTERY:
            return bytes((self.battery_percent(now),))
        if characteristic == SKIN:
            return self._skin
        raise AttError(_READ_NOT_PERMITTED)

    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        """Give the notifications that are due."""
        actions: list[DeviceAction] = []
        if self._skin_due is not None and self._skin_due <= now:
            self._skin_due = None
            self._skin = self._random.randbytes(2)
            if SKIN in self._subscriptions:
                actions.append(Notify(SKIN, self._skin))
        self._drain(now)
        if self._battery_news_at is not None:
            self._battery_news_at = None
            actions.append(Notify(BATTERY, bytes((self.battery_percent(now),))))
        if self._hangup_due is not None and self._hangup_due <= now:
            self._hangup_due = None
            actions.append(Hangup())
        return tuple(actions)

    # --- what tests can see and do ------------------------------------------------------------------------------------

    def battery_percent(self, now: float) -> int:
        """Battery level at ``now``, in whole percent, never below 0."""
        since, charge = self._charge
        return max(0, math.ceil(charge - (now - since) / self._seconds_per_percent() - 1e-9))

    def set_battery(self, percent: int, now: float) -> None:
        """Set the battery to ``percent``, from where it goes on falling."""
        self._charge = (now, float(percent))
        if self.deadline_moved is not None:
            self.deadline_moved()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _seconds_per_percent(self) -> float:
        return _PULSATING_S_PER_PERCENT if self._level else _IDLE_S_PER_PERCENT

    def _empty_at(self) -> float:
        since, charge = self._charge
        return since + charge * self._seconds_per_percent()

    def _next_percent_at(self) -> float:
        """When the battery next does something that can be noticed; infinity while nobody could."""
        if not self._shown:
            return math.inf
        if self._connected and BATTERY in self._subscriptions:
            since, charge = self._charge
            return since + (charge - (self._shown - 1)) * self._seconds_per_percent()
        return self._empty_at() if self._level or self._connected else math.inf

    def _drain(self, now: float) -> None:
        """Let the battery fall up to ``now``. Empty, the device switches off."""
        percent = self.battery_percent(now)
        if percent == self._shown:
            return
        self._shown = percent
        if BATTERY in self._subscriptions:
            self._battery_news_at = now
        if not percent:
            self._set_level(0, min(now, self._empty_at()), "battery empty")
            if self._connected:
                self._hangup_due = now

    def _set_level(self, level: int, at: float, cause: str) -> None:
        if level != self._level:
            since, charge = self._charge
            self._charge = (at, max(0.0, charge - (at - since) / self._seconds_per_percent()))
            self._level = level
            self._trace.append(TraceEntry(at, level * 100 / _LEVELS, cause))
