"""A simulated Dr-05 that does what the published firmware does, its hazards included, not what its document promises.

It has a receive state machine of its own, byte by byte as the firmware's, and shares no codec with the protocol that it
tests: an error common to both would otherwise pass unseen. Refuses to know radios, clocks and asyncio.
"""

from __future__ import annotations

import math
import random
from collections import deque
from enum import Enum
from typing import NamedTuple

import fastcrc

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

BYTE_S = 10 / 9600
"""Seconds that one byte takes on the UART: start bit, eight data bits, stop bit at 9600 baud."""

PARTIAL_FRAME_S = 2.0
"""A frame not complete this long after its first byte is dropped."""

WATER_REPORT_S = 1.0
_BUFFER_SIZE = 8  # data bytes that the firmware has room for; it does not check the length field against it
_DEFAULT_ENERGY = 50  # what the firmware takes when it has to start an output with no energy set
_FREEZE_DISPLAY_S = 120.0
_COOLING_TIME_CONSTANT_S = 20.0
_WARMING_TIME_CONSTANT_S = 90.0

_WRITE_NOT_PERMITTED = 0x03  # ATT error codes: Core Specification Vol 3 Part F 3.4.1.1
_READ_NOT_PERMITTED = 0x02

_WRITABLE = Property.WRITE | Property.WRITE_WITHOUT_RESPONSE


class Bridge(Enum):
    """The BLE-UART modules in use: service, characteristic that is written, characteristic that notifies.

    Which of them the maker builds in is not published, so a host has to find out.
    """

    FFE1 = (uuid(0xFFE0), uuid(0xFFE1), uuid(0xFFE1))
    FFE2 = (uuid(0xFFE0), uuid(0xFFE2), uuid(0xFFE1))
    FFF2 = (uuid(0xFFF0), uuid(0xFFF2), uuid(0xFFF1))
    NORDIC = (
        "6e400001-b5a3-f393-e0a9-e50e24dcca9e",
        "6e400002-b5a3-f393-e0a9-e50e24dcca9e",
        "6e400003-b5a3-f393-e0a9-e50e24dcca9e",
    )
    ISSC = (
        "49535343-fe7d-4ae5-8fa9-9fafd205e455",
        "49535343-8841-43f4-a8d4-ecbe34729bb3",
        "49535343-1e4d-4bd9-ba61-23c647249616",
    )

    @property
    def written(self) -> str:
        """UUID of the characteristic that takes the requests."""
        return self.value[1]

    @property
    def notifying(self) -> str:
        """UUID of the characteristic that carries the replies."""
        return self.value[2]

    @property
    def service(self) -> Service:
        """The service as a central discovers it."""
        service, written, notifying = self.value
        if written == notifying:
            return Service(service, (Characteristic(written, _WRITABLE | Property.NOTIFY),))
        # In handle order; the modules list the notifying one first, except Nordic's.
        both = (Characteristic(notifying, Property.NOTIFY), Characteristic(written, _WRITABLE))
        return Service(service, both[::-1] if self is Bridge.NORDIC else both)


class Arrival(NamedTuple):
    """A frame that has come in whole: device time in seconds of its last byte, its bytes, whether its checksum held."""

    time: float
    frame: bytes
    checksum_right: bool


class _Chunk:
    """Bytes that the module sends in one notification, and when it does."""

    __slots__ = ("data", "sent_at")

    def __init__(self, sent_at: float) -> None:
        self.data = bytearray()
        self.sent_at = sent_at


class _Receiver:
    """The firmware's receive state machine. Says when a frame is whole; keeps what the last one left in the buffer."""

    __slots__ = ("buffer", "count", "length", "low_byte_first", "overrun", "started_at", "step", "sum")

    def __init__(self, low_byte_first: bool) -> None:
        self.low_byte_first = low_byte_first
        self.reset()

    def reset(self) -> None:
        """Forget everything, as at power-on."""
        self.step = 0
        self.length = 0
        self.count = 0
        self.sum = 0
        self.started_at = 0.0
        self.buffer = bytearray(_BUFFER_SIZE)
        self.overrun = False

    def take(self, byte: int, at: float) -> bool:
        """Take one byte; True when a frame has become whole (its checksum may still be wrong).

        The quirks are the firmware's: the byte after a lone 55 is thrown away even when it is the 55 of a frame, and a
        length of 0 is looked for only after the first data byte, so it never comes and the buffer is overrun too.
        """
        if self.step and at - self.started_at >= PARTIAL_FRAME_S:
            self.step = 0
        match self.step:
            case 0:
                if byte == 0x55:
                    self.started_at = at
                    self.step = 1
            case 1:
                self.step = 2 if byte == 0xAA else 0
            case 2:
                self.length = byte
                self.count = 0
                self.step = 3
            case 3:
                if self.count == _BUFFER_SIZE:
                    self.overrun = True
                    return False
                self.buffer[self.count] = byte
                self.count += 1
                if self.count == self.length:
                    self.step = 4
            case 4:
                self.sum = byte
                self.step = 5
            case _:
                self.sum = byte << 8 | self.sum if self.low_byte_first else self.sum << 8 | byte
                self.step = 0
                return True
        return False


class SimulatedDr05(SimulatedDevice):
    """A Dr-05 on the bench.

    What it knows and no host can ask for is open to tests: :attr:`running`, :attr:`energy_percent`, :attr:`mode`,
    :attr:`cooling`, :attr:`fan`, :attr:`overrun`, :attr:`arrivals`.

    Assumptions where nothing is published: the module sends a notification when its payload is full or the UART falls
    idle; replies to a central that has not subscribed are lost; energy outlives a disconnection; an energy above 100 is
    taken as 100, a cooling target above 20 as 20 and an unknown mode is acknowledged and ignored; -1 on the temperature
    display is -1 °C; the head cools and warms exponentially.

    A frame with more data bytes than the buffer holds overruns it. What real hardware does then is undefined: here it
    is taken to hang for good with its output as it is, not even noticing a disconnection, which is the worst that can
    be. :attr:`overrun` says so.

    Args:
        seed: of the only thing that differs from one device to the next, the ambient temperature.
        name: as advertised; older units say ``Dr-04``.
        bridge: the BLE-UART module.
        low_byte_first: take and send the checksum low byte first, as the maker's document has it.
        payload_bytes: of one notification of the module (20 with the ATT_MTU of 23 that it keeps).
        module_waits_s: how long the UART has to be quiet before the module sends what it has; a longer one joins
            replies.
        version: major, minor.
        announces_water_back: send the "water back" that the document promises and the firmware never sends.
        deaf_after_connect_s: the firmware throws bytes away until it has seen the module's state pin up for ten scans
            of 10 ms (while the loss of the link ends the output at the first look at the pin).
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        name: str = "Dr-05",
        bridge: Bridge = Bridge.FFE1,
        low_byte_first: bool = False,
        payload_bytes: int = 20,
        module_waits_s: float = 0.0,
        version: tuple[int, int] = (2, 1),
        announces_water_back: bool = False,
        deaf_after_connect_s: float = 0.1,
    ) -> None:
        if payload_bytes < 1:
            raise ValueError(f"a notification carries at least one byte, not {payload_bytes}")
        self._name = name
        self._bridge = bridge
        self._payload_bytes = payload_bytes
        self._module_waits_s = module_waits_s
        self._version = version
        self._announces_water_back = announces_water_back
        self._deaf_after_connect_s = deaf_after_connect_s
        self._services = (bridge.service,)
        self._low_byte_first = low_byte_first
        self.ambient_c = round(random.Random(seed).uniform(20.0, 27.0), 1)  # noqa: S311 - a room, not a secret
        # Outlives a power cycle:
        self._trace: list[TraceEntry] = []
        self._arrivals: list[Arrival] = []
        self._level = 0
        self._water_low = False
        self._silent = False
        self._connected = False
        self._lost_replies: set[int] = set()
        self._replies = 0
        self._hangup_due: float | None = None
        self._segment = (0.0, self.ambient_c, self.ambient_c, _WARMING_TIME_CONSTANT_S)
        self._below_2_since: float | None = None
        self._receiver = _Receiver(low_byte_first)
        self._incoming: deque[tuple[Arrival, bytes] | float] = deque()  # in order of time; a float is an overrun
        self._outgoing: deque[_Chunk] = deque()
        self._forget()

    def _forget(self) -> None:
        """Set everything to what it is after power-on."""
        self._running = False
        self._energy = 0
        self._mode = 1
        self._target_c = 10.0
        self._cooling = False
        self._ageing = False
        self._hung = False
        self._subscribed = False
        self._deaf_until = 0.0
        self._receiver.reset()
        self._line_in_free_at = 0.0
        self._line_out_free_at = 0.0
        self._incoming.clear()
        self._outgoing.clear()
        self._water_report_due: float | None = None

    # --- the contract -------------------------------------------------------------------------------------------------

    @property
    def advertisement(self) -> Advertisement:
        """The name alone: what else the module advertises is not published."""
        return Advertisement(self._name)

    @property
    def services(self) -> tuple[Service, ...]:
        """The one service of the BLE-UART module."""
        return self._services

    @property
    def deadline(self) -> float | None:
        """When the next byte of interest has come in or gone out, or the next water report is due."""
        due: float | None = None
        if self._incoming:
            first = self._incoming[0]
            due = first if isinstance(first, float) else first[0].time
        if self._outgoing and (due is None or self._outgoing[0].sent_at < due):
            due = self._outgoing[0].sent_at
        if self._water_report_due is not None and (due is None or self._water_report_due < due):
            due = self._water_report_due
        if self._hangup_due is not None and (due is None or self._hangup_due < due):
            due = self._hangup_due
        return due

    @property
    def trace(self) -> tuple[TraceEntry, ...]:
        """Every change of the output so far, oldest first."""
        return tuple(self._trace)

    def output_percent(self, now: float) -> float:
        """Level going into the skin at ``now``, in percent of full scale."""
        self._catch_up(now)
        return float(self._level)

    def connected(self, now: float) -> tuple[DeviceAction, ...]:
        """A central has connected: the firmware listens once it has debounced the module's state pin."""
        self._catch_up(now)
        self._connected = True
        self._subscribed = False
        self._deaf_until = now + self._deaf_after_connect_s
        if self._water_low and not self._hung:
            self._water_report_due = now + WATER_REPORT_S
        return ()

    def disconnected(self, now: float) -> tuple[DeviceAction, ...]:
        """The link is gone: output and cooling end (unless the firmware hangs after an overrun)."""
        self._catch_up(now)
        self._connected = False
        self._subscribed = False
        self._hangup_due = None
        self._outgoing.clear()
        self._incoming.clear()
        self._receiver.step = 0
        self._water_report_due = None
        if not self._hung:
            self._running = False
            self._end_cooling(now)
            self._put_out(0, now, "link lost")
        return ()

    def subscribed(self, characteristic: str, enabled: bool, now: float) -> tuple[DeviceAction, ...]:
        """The central wrote the CCCD."""
        self._catch_up(now)
        if characteristic == self._bridge.notifying:
            self._subscribed = enabled
        return ()

    def written(self, characteristic: str, data: bytes, now: float) -> tuple[DeviceAction, ...]:
        """Take bytes for the UART; they reach the firmware one by one, 1.04 ms apart.

        Raises:
            AttError: it is not the characteristic that takes requests.
        """
        if characteristic != self._bridge.written:
            raise AttError(_WRITE_NOT_PERMITTED)
        self._catch_up(now)
        receiver = self._receiver
        at = max(now, self._line_in_free_at)
        for byte in data:
            at += BYTE_S
            if self._hung or self.overrun:
                continue
            if at < self._deaf_until:
                receiver.step = 0
            elif receiver.take(byte, at):
                self._incoming.append(self._received(at))
            elif receiver.overrun:
                self._incoming.append(at)
        self._line_in_free_at = at
        return ()

    def read(self, characteristic: str, now: float) -> bytes:  # noqa: ARG002 - the contract's
        """Nothing can be read.

        Raises:
            AttError: always.
        """
        raise AttError(_READ_NOT_PERMITTED)

    def deadline_passed(self, now: float) -> tuple[DeviceAction, ...]:
        """Handle what has come in, and give the notifications that are due."""
        self._catch_up(now)
        actions: list[DeviceAction] = []
        while self._outgoing and self._outgoing[0].sent_at <= now:
            chunk = self._outgoing.popleft()
            if self._subscribed:
                actions.append(Notify(self._bridge.notifying, bytes(chunk.data)))
        if self._hangup_due is not None and self._hangup_due <= now:
            self._hangup_due = None
            actions.append(Hangup())
        return tuple(actions)

    # --- what the tests can see ---------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """The firmware's "output is running"; true also while energy 0 pauses it."""
        return self._running

    @property
    def energy_percent(self) -> int:
        """The energy that the next start would take; 0 means that it would take 50."""
        return self._energy

    @property
    def mode(self) -> int:
        """The output mode, 1 or 2."""
        return self._mode

    @property
    def cooling(self) -> bool:
        """Whether the head is being cooled."""
        return self._cooling

    @property
    def fan(self) -> bool:
        """Whether the fan runs: it does while the head is being cooled."""
        return self._cooling

    @property
    def cooling_target_c(self) -> float:
        """What cooling aims for, after the firmware's clamping."""
        return self._target_c

    @property
    def ageing(self) -> bool:
        """Whether somebody sent it into the factory's ageing mode, which a companion never does."""
        return self._ageing

    @property
    def overrun(self) -> bool:
        """Whether a frame too long has overrun the receive buffer: undefined behaviour on real hardware."""
        return self._receiver.overrun

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """Every whole frame that reached the firmware, oldest first."""
        return tuple(self._arrivals)

    # --- what the tests can do to it ----------------------------------------------------------------------------------

    def set_water_low(self, low: bool, now: float) -> None:
        """Empty or fill the tank. Low water ends cooling and fan and is reported at once, then every second."""
        self._catch_up(now)
        if low == self._water_low:
            return
        self._water_low = low
        if low:
            self._end_cooling(now)
            self._water_report_due = now if self._connected and not self._hung else None
        else:
            self._water_report_due = None
            if self._announces_water_back and self._connected:
                self._report_water(now)
        self._moved()

    def set_silent(self, silent: bool, now: float) -> None:
        """Let the firmware ignore every frame, as when its protocol code hangs; it still sees the link go down."""
        self._catch_up(now)
        self._silent = silent

    def lose_reply(self, nth: int = 1) -> None:
        """Lose the ``nth`` reply or report from now on (1 is the next one) between firmware and module."""
        if nth < 1:
            raise ValueError(f"replies are counted from 1, not {nth}")
        self._lost_replies.add(self._replies + nth)

    def power_cycle(self, now: float) -> None:
        """Switch it off and on: output ends, energy and mode are forgotten, the link is dropped."""
        self._catch_up(now)
        self._end_cooling(now)
        self._put_out(0, now, "power off")
        self._forget()
        if self._connected:
            self._hangup_due = now
        self._moved()

    def temperature_c(self, now: float) -> float:
        """Temperature of the head at ``now``."""
        since, start, goal, constant = self._segment
        return goal + (start - goal) * math.exp(-(now - since) / constant)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _moved(self) -> None:
        if self.deadline_moved is not None:
            self.deadline_moved()

    def _received(self, at: float) -> tuple[Arrival, bytes]:
        """Freeze the receive buffer at the end of a frame: as an arrival, and whole with what older frames left in it.

        The firmware reads func and para at fixed places, so a short frame brings in what the one before it left there.
        """
        receiver = self._receiver
        covered = bytes((receiver.length, *receiver.buffer[: receiver.length]))
        right = fastcrc.crc16.modbus(covered) == receiver.sum
        printed = receiver.sum.to_bytes(2, "little" if self._low_byte_first else "big")
        return Arrival(at, b"\x55\xaa" + covered + printed, right), bytes(receiver.buffer)

    def _catch_up(self, now: float) -> None:
        """Let the firmware do everything that was to be done up to ``now``, in order of time."""
        incoming = self._incoming
        while True:
            at: float | None = None
            if incoming:
                first = incoming[0]
                at = first if isinstance(first, float) else first[0].time
            report = self._water_report_due
            if report is not None and report <= now and (at is None or report <= at):
                self._water_report_due = report + WATER_REPORT_S
                self._report_water(report)
            elif at is not None and at <= now:
                self._handle(incoming.popleft())
            else:
                return

    def _handle(self, item: tuple[Arrival, bytes] | float) -> None:
        if isinstance(item, float):
            self._hung = True
            self._outgoing.clear()
            self._water_report_due = None
            return
        arrival, buffer = item
        self._arrivals.append(arrival)
        if self._silent:
            return
        length = arrival.frame[2]
        if not arrival.checksum_right:
            # Before id, type and func are looked at: whoever was meant, the answer is an echo in state 00.
            self._reply(length, buffer, 0x00, arrival.time)
            return
        if buffer[:2] != b"\x00\xa6":
            return
        extra = self._obey(buffer[2], buffer[4], buffer[5], arrival.time)
        if extra is None:
            return
        if extra:
            buffer = (buffer[:5] + extra + buffer[5 + len(extra) :])[:_BUFFER_SIZE]
            length = min(length + len(extra), _BUFFER_SIZE)
        self._reply(length, buffer, 0x01, arrival.time)

    def _obey(self, kind: int, func: int, para: int, at: float) -> bytes | None:  # noqa: C901, PLR0912 - one row a case
        """Carry out one request; None when it is not answered, else the para that the reply has beyond the echo."""
        match kind, func:
            case 0x31, 0x01:
                # Acknowledged even when low water keeps it from starting.
                if para != 1:
                    self._end_cooling(at)
                elif not self._water_low and not self._cooling:
                    self._cooling = True
                    self._aim(at)
            case 0x31, 0x03:
                if para == 1:
                    self._running = True
                    self._energy = self._energy or _DEFAULT_ENERGY  # hazard 1
                    self._put_out(self._energy, at, "start")
                else:
                    self._running = False
                    self._put_out(0, at, "stop")
            case 0x31, 0x05:
                if not self._cooling:
                    return None
                self._ageing = True
            case 0x31, 0x06:
                self._running = False
                self._end_cooling(at)
                self._put_out(0, at, "total stop")
            case 0x31, 0xAA:
                # The reset comes before the acknowledgement has left; the boot loader then waits for an image.
                self.power_cycle(at)
                self._hung = True
                return None
            case 0x32, 0x02:
                energy = min(para, 100)
                if self._running:
                    self._energy = energy  # 0 is a pause that keeps "running" (hazard 2)
                    self._put_out(energy, at, "energy")
                elif energy:
                    self._energy = energy  # 0 while stopped is acknowledged and ignored (hazard 4)
            case 0x32, 0x0C:
                asked = para - 256 if para > 127 else para
                self._target_c = 3.0 if 3 <= asked <= 5 else float(min(max(asked, 0), 20))
                if self._cooling:
                    self._aim(at)
            case 0x32, 0x0D:
                if para in {1, 2}:
                    self._mode = para
                    if self._running:
                        self._energy = self._energy or _DEFAULT_ENERGY  # hazard 2
                        self._put_out(self._energy, at, "mode")
            case 0x33, 0x40:
                return bytes(self._version)
            case 0x33, 0x41:
                return self._displayed_temperature(at).to_bytes(2, "big", signed=True)
            case _:
                return None
        return b""

    def _put_out(self, level: int, at: float, cause: str) -> None:
        """No soft start: the level holds at once (hazard 3)."""
        if level != self._level:
            self._level = level
            self._trace.append(TraceEntry(at, float(level), cause))

    def _reply(self, length: int, buffer: bytes, state: int, at: float) -> None:
        covered = bytearray((length, *buffer[:length]))
        if length > 3:
            covered[4] = state
        self._send(bytes(covered), at)

    def _report_water(self, at: float) -> None:
        if not self._silent:
            self._send(bytes((6, 0x00, 0xA6, 0x66, 0x01, 0x07, 0 if self._water_low else 1)), at)

    def _send(self, covered: bytes, at: float) -> None:
        """Queue a frame on the UART; the module cuts what comes without a gap into notifications."""
        self._replies += 1
        if self._replies in self._lost_replies:
            self._lost_replies.discard(self._replies)
            return
        checksum = fastcrc.crc16.modbus(covered).to_bytes(2, "little" if self._low_byte_first else "big")
        waits = self._module_waits_s
        chunk = self._outgoing[-1] if self._outgoing and at < self._line_out_free_at + waits else None
        time = max(at, self._line_out_free_at)
        for byte in b"\x55\xaa" + covered + checksum:
            time += BYTE_S
            if chunk is None or len(chunk.data) == self._payload_bytes:
                chunk = _Chunk(time)
                self._outgoing.append(chunk)
            chunk.data.append(byte)
            chunk.sent_at = time if len(chunk.data) == self._payload_bytes else time + waits
        self._line_out_free_at = time

    # --- heat ---------------------------------------------------------------------------------------------------------

    def _end_cooling(self, at: float) -> None:
        if self._cooling:
            self._cooling = False
            self._aim(at)

    def _aim(self, at: float) -> None:
        """Begin a new stretch of the temperature's course, towards the target or back to the room's."""
        self._below_2_since = self._below_2(at)
        goal = self._target_c if self._cooling else self.ambient_c
        constant = _COOLING_TIME_CONSTANT_S if self._cooling else _WARMING_TIME_CONSTANT_S
        self._segment = (at, self.temperature_c(at), goal, constant)

    def _below_2(self, now: float) -> float | None:
        """Since when the head has been below 2 °C, or None when it is not."""
        if self.temperature_c(now) >= 2:
            return None
        since, start, goal, constant = self._segment
        if start < 2:
            return self._below_2_since
        return since + constant * math.log((start - goal) / (2 - goal))

    def _displayed_temperature(self, now: float) -> int:
        """In tenths of a degree; the firmware shows 0 for 120 s when it is below 2 °C, and then -1, whatever it is."""
        since = self._below_2(now)
        if since is None:
            return round(self.temperature_c(now) * 10)
        return 0 if now - since < _FREEZE_DISPLAY_S else -10
