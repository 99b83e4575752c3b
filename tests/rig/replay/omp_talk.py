"""Conversations with an OMP device, as a recording would have them: requests, answers, keep-alives, measurements."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocols.gatt import uuid
from protocols.omp_codec import (
    CONTROL_POINT,
    FEATURES,
    SERVICE,
    SESSION_RECORD,
    STATUS,
    TELEMETRY,
    FaultCode,
    Opcode,
    Request,
    Response,
    Result,
    State,
    Status,
    Telemetry,
)
from rig.devices.omp import SIMULATED_FEATURES, SimulatedOmp
from rig.replay.exchanges import By, Does, Exchange, Place, Transcript

CONTROL, FEATURED = Place(SERVICE, CONTROL_POINT), Place(SERVICE, FEATURES)
STATE, MEASURED = Place(SERVICE, STATUS), Place(SERVICE, TELEMETRY)
RECORDS = Place(SERVICE, SESSION_RECORD)
BATTERY = Place(uuid("180f"), uuid("2a19"))
FIRMWARE = Place(uuid("180a"), uuid("2a26"))

NONCE = 0x11223344
KEEP_ALIVE_MS = 1500
STEP_S = 0.5  # one step of 20 µA at 40 µA a second
KEEP_ALIVE = Request(Opcode.KEEP_ALIVE, (KEEP_ALIVE_MS,)).encode()
STOP = Request(Opcode.STOP).encode()


def target(microamperes: int) -> bytes:
    return Request(Opcode.SET_TARGET, (microamperes,)).encode()


def start(longest_s: int = 1200) -> bytes:
    return Request(Opcode.START, (longest_s,)).encode()


def status(state: State, target_ua: int = 0, *, fault: FaultCode = FaultCode.NONE, session: int = 0) -> bytes:
    return Status(state, fault, target_ua, 0, 0, session).encode()


def measurement(number: int, state: State, *, delivered_ua: int = 0, impedance_ohm: int | None = 2_400) -> bytes:
    return Telemetry(number, 100 * number, delivered_ua, impedance_ohm, 90, 33.0, state).encode()


@dataclass
class Talk:
    """Builds a transcript: what the app asks for at once, how the device answers, and how much time passes between."""

    at_s: float = 0.0
    exchanges: list[Exchange] = field(default_factory=list)
    impedance_ohm: int | None = 2_400
    """What the device measures between its electrodes; None while one is lifted."""
    measured: int = 0
    """How many measurements the device has sent."""
    _state: State = State.IDLE
    _target_ua: int = 0
    _tick_at_s: float | None = None

    def said(
        self, by: By, does: Does, to: Place | None = None, value: bytes | None = None, *, answered: bool = False
    ) -> Talk:
        """One exchange, now."""
        at_ns = round(self.at_s * 1e9)
        self.exchanges.append(Exchange(at_ns, by, does, to, value, answered_ns=0 if answered else None))
        return self

    def connected(self) -> Talk:
        """The link, subscriptions and what is read first."""
        self.said("app", "connect")
        for place in (CONTROL, STATE, MEASURED, RECORDS, BATTERY):
            self.said("app", "subscribe", place, answered=True)
        self.said("app", "read", FIRMWARE, b"1.0", answered=True)
        return self.said("app", "read", FEATURED, SIMULATED_FEATURES.encode(), answered=True)

    def ask(self, request: bytes, *parameters: int, result: Result = Result.SUCCESS) -> Talk:
        """A request and its answer."""
        self.said("app", "write", CONTROL, request, answered=True)
        return self.said("device", "indication", CONTROL, Response(request[0], result, parameters).encode())

    def tells(self, state: State, target_ua: int = 0, *, session: int = 0) -> Talk:
        """The device says how it stands; it measures from when it is ready on."""
        self._state, self._target_ua = state, target_ua
        if state is not State.IDLE and self._tick_at_s is None:
            self._tick_at_s = round(self.at_s + 0.1, 6)
        return self.said("device", "notification", STATE, status(state, target_ua, session=session))

    def greeted(self) -> Talk:
        """The handshake of the protocol."""
        self.connected().ask(Request(Opcode.REQUEST_CONTROL, (NONCE,)).encode(), NONCE).tells(State.IDLE)
        self.ask(STOP).ask(Request(Opcode.SET_RAMP, (40,)).encode())
        return self.said("app", "read", BATTERY, bytes((86,)), answered=True)

    def started(self) -> Talk:
        """The handshake, the lowest target, and the start."""
        self.greeted().waits(0.2).ask(target(20)).tells(State.READY, 20)
        return self.ask(start()).tells(State.RUNNING, 20, session=1).ask(KEEP_ALIVE)

    def waits(self, seconds: float) -> Talk:
        """Time passes, in which the device measures ten times a second and the app says nothing."""
        until_s = round(self.at_s + seconds, 6)
        while self._tick_at_s is not None and self._tick_at_s <= until_s:
            self.at_s = self._tick_at_s
            if self._state not in (State.IDLE, State.FAULT, State.CHARGING):
                delivered = 7 if self._state is State.RUNNING else 0
                value = measurement(
                    self.measured, self._state, delivered_ua=delivered, impedance_ohm=self.impedance_ohm
                )
                self.said("device", "notification", MEASURED, value)
                self.measured += 1
            self._tick_at_s = round(self._tick_at_s + 0.1, 6)
        self.at_s = until_s
        return self

    def holds(self, seconds: float) -> Talk:
        """Time passes with a keep-alive every half second."""
        for _ in range(round(seconds / 0.5)):
            self.waits(0.5).ask(KEEP_ALIVE)
        return self

    def stopped(self) -> Talk:
        """The output is stopped, and the device says so."""
        return self.ask(STOP).tells(State.READY, self._target_ua, session=1)

    def hung_up(self) -> Talk:
        return self.said("app", "disconnect")

    def transcript(self, title: str = "a talk with an OMP device") -> Transcript:
        return Transcript(
            title,
            tuple(self.exchanges),
            SimulatedOmp().services,
            name="OMP",
            advertised_services=(SERVICE,),
            protocol="omp",
            mtu=247,
        )
